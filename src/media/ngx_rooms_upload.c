/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * POST /v1/media/upload.  NGINX reads the body.  A thread extracts the file,
 * hashes it and puts it on the disk.  Then a commit makes it a medium.  If
 * the commit never happens, the sweep removes the content.
 */

#include "ngx_rooms_request.h"
#include "ngx_rooms_media.h"
#include "ngx_rooms_spool.h"
#include "rooms_form.h"
#include "rooms_media.h"


#define NGX_ROOMS_UPLOAD_WINDOW  (256 * 1024)


/* The thread's data; it owns all of it. */
typedef struct {
    ngx_str_t             root;
    rooms_str_t           tenant;
    ngx_rooms_spool_t     body;
    off_t                 at;
    u_char               *window;
    ngx_uint_t            created;
    ngx_rooms_blob_t      blob;
    rooms_form_t          form;
} ngx_rooms_upload_t;


static ngx_int_t ngx_rooms_upload_decide(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_upload_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_upload_take(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_upload_step(ngx_rooms_work_t *w);
static ngx_int_t ngx_rooms_upload_window(ngx_rooms_upload_t *u);
static ngx_int_t ngx_rooms_upload_end(ngx_rooms_upload_t *u);
static int ngx_rooms_upload_sink(void *ctx, const u_char *data, size_t len);
static void ngx_rooms_upload_cleanup(void *data);
static ngx_int_t ngx_rooms_upload_failed(ngx_rooms_req_t *rq,
    ngx_rooms_upload_t *u);
static ngx_int_t ngx_rooms_upload_taken(ngx_rooms_req_t *rq,
    ngx_rooms_upload_t *u);


const ngx_rooms_endpoint_t  ngx_rooms_upload_rows[] = {

    { .method = NGX_HTTP_POST, .path = "/v1/media/upload",
      .part = NGX_ROOMS_PART_MEDIA,
      .flags = NGX_ROOMS_UPLOAD|NGX_ROOMS_CREATES|NGX_ROOMS_ENTERS,
      .op = ROOMS_OP_READ,
      .decide = ngx_rooms_upload_decide, .show = ngx_rooms_upload_show,
      .take = ngx_rooms_upload_take },

    { .path = NULL }
};


/* In the thread */


static ngx_int_t
ngx_rooms_upload_step(ngx_rooms_work_t *w)
{
    ngx_int_t            rc;
    ngx_rooms_upload_t  *u;

    u = w->data;

    rc = ngx_rooms_work_abandoned(w) ? NGX_ERROR : ngx_rooms_upload_window(u);

    if (rc != NGX_AGAIN) {
        ngx_rooms_blob_discard(&u->blob);
    }

    return rc;
}


static ngx_int_t
ngx_rooms_upload_window(ngx_rooms_upload_t *u)
{
    ssize_t  n;

    if (!u->created) {
        u->created = 1;

        return ngx_rooms_blob_create(&u->blob, u->root, u->tenant) == NGX_OK
               ? NGX_AGAIN : NGX_ERROR;
    }

    n = ngx_rooms_spool_read(&u->body, u->window, NGX_ROOMS_UPLOAD_WINDOW,
                             u->at);

    if (n == NGX_ERROR) {
        u->blob.err = ngx_errno;
        u->blob.failed = "pread()";
        return NGX_ERROR;
    }

    if (n == 0) {
        return ngx_rooms_upload_end(u);
    }

    u->at += n;

    return rooms_form_feed(&u->form, u->window, n, ngx_rooms_upload_sink,
                           &u->blob) == 0
           ? NGX_AGAIN : NGX_ERROR;
}


static int
ngx_rooms_upload_sink(void *ctx, const u_char *data, size_t len)
{
    return ngx_rooms_blob_append(ctx, data, len) == NGX_OK ? 0 : -1;
}


static ngx_int_t
ngx_rooms_upload_end(ngx_rooms_upload_t *u)
{
    if (rooms_form_finish(&u->form) != 0
        || ngx_rooms_blob_seal(&u->blob) != NGX_OK
        || ngx_rooms_blob_keep(&u->blob) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* On the event loop */


static void
ngx_rooms_upload_cleanup(void *data)
{
    ngx_rooms_upload_t  *u = data;

    ngx_rooms_blob_discard(&u->blob);
}


static rooms_str_t
ngx_rooms_upload_content_type(ngx_http_request_t *r)
{
    return r->headers_in.content_type
           ? rooms_from_ngx(r->headers_in.content_type->value)
           : ngx_rooms_s("");
}


static ngx_int_t
ngx_rooms_upload_start(ngx_rooms_req_t *rq)
{
    ngx_pool_cleanup_t  *cln;
    ngx_rooms_work_t    *w;
    ngx_rooms_upload_t  *u;

    w = ngx_rooms_work_create(sizeof(ngx_rooms_upload_t));
    if (w == NULL) {
        return NGX_ERROR;
    }

    rq->work = w;
    rq->data = w->data;

    u = w->data;
    w->step = ngx_rooms_upload_step;

    if (rooms_form_init(&u->form, ngx_rooms_upload_content_type(rq->r), 0) != 0)
    {
        return ngx_rooms_invalid(rq, "Content-Type", u->form.err);
    }

    cln = ngx_pool_cleanup_add(w->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_rooms_upload_cleanup;
    cln->data = u;

    u->root = ngx_from_rooms(ngx_rooms_dup(w->pool,
                             rooms_from_ngx(rq->conf->media_path->name)));
    u->tenant = ngx_rooms_dup(w->pool, rq->principal.tenant);
    u->window = ngx_palloc(w->pool, NGX_ROOMS_UPLOAD_WINDOW);

    if (u->root.data == NULL || u->tenant.data == NULL || u->window == NULL) {
        return NGX_ERROR;
    }

    if (ngx_rooms_spool_take(&u->body, rq->r, w->pool) != NGX_OK) {
        return ngx_rooms_fail_disk(rq, u->body.err);
    }

    return ngx_rooms_wait_work(rq, w);
}


static ngx_int_t
ngx_rooms_upload_take(ngx_rooms_req_t *rq)
{
    if (rq->round == 0) {
        rq->round = 1;
        return ngx_rooms_upload_start(rq);
    }

    if (rq->work->rc != NGX_OK) {
        return ngx_rooms_upload_failed(rq, rq->data);
    }

    return ngx_rooms_upload_taken(rq, rq->data);
}


static ngx_int_t
ngx_rooms_upload_failed(ngx_rooms_req_t *rq, ngx_rooms_upload_t *u)
{
    if (u->blob.failed == NULL) {
        return ngx_rooms_invalid(rq, u->form.where, u->form.err);
    }

    ngx_log_error(NGX_LOG_CRIT, rq->r->connection->log, u->blob.err,
                  "rooms: %s failed while a medium was stored in \"%V\"",
                  u->blob.failed, &u->root);

    return ngx_rooms_fail_disk(rq, u->blob.err);
}


static ngx_int_t
ngx_rooms_upload_taken(ngx_rooms_req_t *rq, ngx_rooms_upload_t *u)
{
    size_t               len;
    u_char              *mime;
    ngx_rooms_medium_t  *m;

    m = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_medium_t));
    mime = ngx_pnalloc(rq->pool, ROOMS_MEDIA_MIME_MAX);

    if (m == NULL || mime == NULL) {
        return NGX_ERROR;
    }

    /* they live as long as the work, which lives as long as the request */

    m->sha256 = (rooms_str_t) { NGX_ROOMS_SHA256, u->blob.sha256 };
    m->size = u->blob.size;
    m->crc32 = u->blob.crc32;
    m->width = u->blob.image.width;
    m->height = u->blob.image.height;
    m->owner = rq->principal.sub;
    m->name = u->form.filename;

    if (!rooms_media_name_valid(m->name)) {
        m->name = ngx_rooms_s("file");
    }

    len = rooms_media_mime(u->form.type, mime);
    m->mime = len ? (rooms_str_t) { len, mime }
                  : ngx_rooms_s("application/octet-stream");

    rq->data = m;
    rq->digest = ngx_rooms_join(rq->pool, m->sha256, ngx_rooms_s("\n"),
                                m->mime, ngx_rooms_s("\n"), m->name);

    return rq->digest.data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_upload_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_medium_t  *m;

    m = rq->data;

    m->id = ngx_rooms_id(rq, "med-");
    m->created_at = rq->now;

    if (m->id.data == NULL || ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_media_register(&rq->commit, &rq->keys, m);

    rq->status = NGX_HTTP_CREATED;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_upload_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t         *b;
    ngx_rooms_medium_t  *m;

    m = rq->data;

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"media_id\":%s,\"sha256\":%s,\"size\":%d,"
                   "\"mime_type\":%s,\"name\":%s", m->id, m->sha256,
                   (int64_t) m->size, m->mime, m->name);
    ngx_rooms_media_extent(b, m);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
