/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /v1/media/{id}/info, and GET /v1/media/download/{id}.  The file is
 * somebody else's, so a browser must not run it, or show it as part of our
 * site.
 */

#include "ngx_rooms_request.h"
#include "ngx_rooms_media.h"
#include "ngx_rooms_status.h"
#include "ngx_rooms_ticket.h"
#include "rooms_media.h"


typedef struct {
    ngx_rooms_medium_t   medium;
    ngx_file_t          *file;
    ngx_uint_t           in_page;      /* shown inline, not saved */
} ngx_rooms_download_t;


static ngx_int_t ngx_rooms_medium_load(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_download_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_medium_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_medium_link_show(ngx_rooms_req_t *rq);
static void ngx_rooms_download_answer(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_download_headers(ngx_rooms_req_t *rq,
    const ngx_rooms_download_t *d);
static ngx_int_t ngx_rooms_download_send(ngx_rooms_req_t *rq,
    ngx_rooms_download_t *d);


const ngx_rooms_endpoint_t  ngx_rooms_download_rows[] = {

    { .method = NGX_HTTP_GET, .path = "/v1/media/download/{media}",
      .part = NGX_ROOMS_PART_MEDIA, .flags = NGX_ROOMS_LINK,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_medium_load, .show = ngx_rooms_download_show },

    { .method = NGX_HTTP_GET, .path = "/v1/media/signed/{media}",
      .part = NGX_ROOMS_PART_MEDIA, .op = ROOMS_OP_READ,
      .load = ngx_rooms_medium_load, .show = ngx_rooms_medium_link_show },

    { .method = NGX_HTTP_GET, .path = "/v1/media/{media}/info",
      .part = NGX_ROOMS_PART_MEDIA, .op = ROOMS_OP_READ,
      .load = ngx_rooms_medium_load, .show = ngx_rooms_medium_show },

    { .path = NULL }
};


/*
 * One answer for a medium that never existed, belongs to another tenant, or
 * was lost.
 */
static ngx_int_t
ngx_rooms_no_medium(ngx_rooms_req_t *rq)
{
    return ngx_rooms_fail(rq, NGX_ROOMS_E_PATH, "there is no such medium");
}


static ngx_int_t
ngx_rooms_medium_load(ngx_rooms_req_t *rq)
{
    ngx_int_t              rc;
    rooms_str_t            id;
    ngx_rooms_download_t  *d;

    id = rq->param[NGX_ROOMS_P_MEDIA];

    if (rq->round == 0) {

        if (!rooms_id_valid(id, "med-")) {
            return ngx_rooms_no_medium(rq);
        }

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_media_load(rq->batch, &rq->keys, &id, 1) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_rooms_send_round(rq, 1);
    }

    d = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_download_t));
    if (d == NULL) {
        return NGX_ERROR;
    }

    rq->data = d;

    rc = ngx_rooms_media_parse(rq->pool,
                    ngx_rooms_reply_str_at(ngx_rooms_reply(rq, 0), 0),
                    id, &d->medium);

    return rc == NGX_DECLINED ? ngx_rooms_no_medium(rq) : rc;
}


static ngx_int_t
ngx_rooms_medium_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t                *b;
    const ngx_rooms_medium_t   *m;

    m = &((ngx_rooms_download_t *) rq->data)->medium;

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"media_id\":%s,\"sha256\":%s,\"size\":%d,"
                   "\"mime_type\":%s,\"name\":%s", m->id, m->sha256,
                   (int64_t) m->size, m->mime, m->name);
    ngx_rooms_media_extent(b, m);
    rooms_json_put(b, ",\"owner_id\":%s,\"created_at\":%t}}\n", m->owner,
                   (int64_t) m->created_at);

    return NGX_OK;
}


/*
 * NGX_OK: "disposition=inline"; NGX_DECLINED: absent, or "attachment";
 * NGX_ERROR: invalid.
 */
static ngx_int_t
ngx_rooms_arg_inline(ngx_rooms_req_t *rq)
{
    ngx_int_t    rc;
    rooms_str_t  value;

    rc = ngx_rooms_arg(rq, "disposition", &value);

    if (rc != NGX_OK) {
        return rc;
    }

    if (rooms_str_eq(value, ngx_rooms_s("inline"))) {
        return NGX_OK;
    }

    return rooms_str_eq(value, ngx_rooms_s("attachment"))
           ? NGX_DECLINED
           : ngx_rooms_invalid(rq, "disposition",
                               "must be \"inline\" or \"attachment\"");
}


static ngx_int_t
ngx_rooms_download_show(ngx_rooms_req_t *rq)
{
    ngx_int_t              rc;
    ngx_rooms_download_t  *d;

    d = rq->data;

    rc = ngx_rooms_arg_inline(rq);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    d->in_page = rc == NGX_OK && rooms_media_in_page(d->medium.mime);

    d->file = ngx_palloc(rq->pool, sizeof(ngx_file_t));
    if (d->file == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_rooms_blob_open(d->file, rq->pool, rq->r->connection->log,
                             rq->conf->media_path->name,
                             rq->principal.tenant, d->medium.sha256.data,
                             d->medium.size);

    if (rc == NGX_DECLINED) {
        return ngx_rooms_no_medium(rq);
    }

    if (rc != NGX_OK) {
        return ngx_rooms_fail_disk(rq, ngx_errno);
    }

    rq->answer = ngx_rooms_download_answer;

    return NGX_OK;
}


/* Whoever may download a medium may make a link to it. */
static ngx_int_t
ngx_rooms_medium_link_show(ngx_rooms_req_t *rq)
{
    ngx_int_t  in_page;

    in_page = ngx_rooms_arg_inline(rq);

    if (in_page == NGX_ERROR) {
        return NGX_ERROR;
    }

    return ngx_rooms_link_put(rq, ROOMS_TICKET_MEDIUM,
                              rq->param[NGX_ROOMS_P_MEDIA],
                              "/v1/media/download/",
                              in_page == NGX_OK ? "&disposition=inline" : "");
}


static void
ngx_rooms_download_answer(ngx_rooms_req_t *rq)
{
    ngx_int_t              rc;
    ngx_http_request_t    *r;
    ngx_rooms_download_t  *d;

    r = rq->r;
    d = rq->data;

    rq->state = NGX_ROOMS_DONE;

    rc = ngx_http_discard_request_body(r);

    if (rc == NGX_OK) {
        rc = ngx_rooms_download_headers(rq, d);
    }

    if (rc == NGX_OK) {
        rc = ngx_rooms_download_send(rq, d);
    }

    ngx_http_finalize_request(r, rc);
}


static ngx_int_t
ngx_rooms_download_headers(ngx_rooms_req_t *rq,
    const ngx_rooms_download_t *d)
{
    u_char                    *p;
    rooms_str_t                disposition;
    ngx_http_request_t        *r;
    const ngx_rooms_medium_t  *m;

    r = rq->r;
    m = &d->medium;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = m->size;
    r->headers_out.last_modified_time = m->created_at / 1000;
    r->headers_out.content_type = ngx_from_rooms(m->mime);
    r->headers_out.content_type_len = m->mime.len;
    r->headers_out.content_type_lowcase = NULL;
    r->allow_ranges = 1;

    rq->etag = ngx_rooms_join(rq->pool, ngx_rooms_s("\""), m->sha256,
                              ngx_rooms_s("\""));

    p = ngx_pnalloc(rq->pool, ROOMS_MEDIA_DISPOSITION(m->name.len));

    if (p == NULL || rq->etag.data == NULL || ngx_rooms_etag(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    disposition.data = p;
    disposition.len = rooms_media_disposition(m->name, d->in_page, p);

    if (ngx_rooms_header(r, "Content-Disposition", disposition) != NGX_OK
        || ngx_rooms_header(r, "X-Content-Type-Options",
                            ngx_rooms_s("nosniff")) != NGX_OK
        || ngx_rooms_header(r, "Content-Security-Policy",
                            d->in_page
                            ? ngx_rooms_s("sandbox; default-src 'none'")
                            : ngx_rooms_s("sandbox")) != NGX_OK
        || ngx_rooms_header(r, "Cache-Control", ngx_rooms_s("private"))
           != NGX_OK
        || ngx_rooms_header(r, "Referrer-Policy", ngx_rooms_s("no-referrer"))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Removes the file's headers from the refusal; our filter adds X-Request-Id
 * to it again.
 */
static void
ngx_rooms_download_no_range(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (&h[i] != r->headers_out.content_range) {
                h[i].hash = 0;
            }
        }
    }
}


static ngx_int_t
ngx_rooms_download_send(ngx_rooms_req_t *rq, ngx_rooms_download_t *d)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = rq->r;

    b = ngx_calloc_buf(rq->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {

        /* a 412 or 416 of NGINX's filters, which our filter replaces */

        if (rc == NGX_HTTP_RANGE_NOT_SATISFIABLE) {
            ngx_rooms_download_no_range(r);
        }

        return rc;
    }

    rq->sent = 1;

    ngx_rooms_status_request(rq, r->headers_out.status);

    if (r->header_only) {
        return rc;
    }

    b->file = d->file;
    b->file_last = d->medium.size;
    b->in_file = b->file_last > 0;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
