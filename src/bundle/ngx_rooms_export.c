/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /v1/rooms/{room}/export: streams a room as a ZIP.
 *
 * The pipeline loads the room and asks the core, as for every row.  The
 * answer starts here and goes on in ngx_rooms_export_run.c.
 */

#include "ngx_rooms_export.h"
#include "ngx_rooms_status.h"
#include "ngx_rooms_ticket.h"
#include "rooms_media.h"
#include "rooms_zip_name.h"


static ngx_int_t ngx_rooms_export_load(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_export_link_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_export_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_export_args(ngx_rooms_req_t *rq,
    ngx_rooms_export_t *x);
static ngx_int_t ngx_rooms_export_count(ngx_rooms_req_t *rq);
static void ngx_rooms_export_answer(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_export_headers(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_export_start(ngx_rooms_req_t *rq,
    ngx_rooms_export_t *x);
static void ngx_rooms_export_cleanup(void *data);


static const ngx_rooms_field_t  ngx_rooms_link_fields[] = {
    { "expires_in", NGX_ROOMS_T_INT|NGX_ROOMS_T_NULL },
    { NULL, 0 }
};


const ngx_rooms_endpoint_t  ngx_rooms_export_rows[] = {

    { .method = NGX_HTTP_GET, .path = "/v1/rooms/{room}/export",
      .part = NGX_ROOMS_PART_ROOMS, .flags = NGX_ROOMS_BULK|NGX_ROOMS_LINK,
      .op = ROOMS_OP_EXPORT,
      .load = ngx_rooms_export_load, .decide = ngx_rooms_room_permit,
      .show = ngx_rooms_export_show },

    { .method = NGX_HTTP_POST, .path = "/v1/rooms/{room}/export/link",
      .part = NGX_ROOMS_PART_ROOMS,
      .flags = NGX_ROOMS_BODY|NGX_ROOMS_OPTIONAL, .op = ROOMS_OP_EXPORT,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_permit,
      .show = ngx_rooms_export_link_show, .fields = ngx_rooms_link_fields },

    { .path = NULL }
};


static ngx_int_t
ngx_rooms_export_load(ngx_rooms_req_t *rq)
{
    ngx_rooms_export_t  *x;

    if (rq->round == 0) {
        x = ngx_rooms_owned(rq->pool, sizeof(ngx_rooms_export_t),
                            ngx_rooms_export_cleanup);
        if (x == NULL) {
            return NGX_ERROR;
        }

        x->rq = rq;
        x->zip.zlevel = -1;

        rq->data = x;
        rq->ask = ngx_rooms_export_count;

        if (ngx_rooms_export_args(rq, x) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_rooms_room_load(rq);
}


static ngx_int_t
ngx_rooms_export_time(ngx_rooms_req_t *rq, const char *name, int64_t *ms)
{
    return ngx_rooms_arg_time(rq, name, ms) == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_rooms_export_args(ngx_rooms_req_t *rq, ngx_rooms_export_t *x)
{
    ngx_int_t    rc;
    rooms_str_t  media;

    x->from = 0;
    x->to = INT64_MAX;
    x->with_media = 1;

    if (ngx_rooms_export_time(rq, "from", &x->from) != NGX_OK
        || ngx_rooms_export_time(rq, "to", &x->to) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (x->to < x->from) {
        return ngx_rooms_invalid(rq, "to", "must not be before \"from\"");
    }

    rc = ngx_rooms_arg(rq, "media", &media);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {

        if (rooms_str_eq(media, ngx_rooms_s("none"))) {
            x->with_media = 0;

        } else if (!rooms_str_eq(media, ngx_rooms_s("all"))) {
            return ngx_rooms_invalid(rq, "media",
                                     "must be \"all\" or \"none\"");
        }
    }

    return NGX_OK;
}


/* The number of events decides whether the manifest's entry needs ZIP64. */
static ngx_int_t
ngx_rooms_export_count(ngx_rooms_req_t *rq)
{
    return ngx_rooms_ask(rq->batch, &rq->keys, "ZCARD %k",
                         NGX_ROOMS_KEY_EVENTS, rq->param[NGX_ROOMS_P_ROOM]);
}


static ngx_int_t
ngx_rooms_export_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_export_t  *x;

    x = rq->data;

    x->upto = rq->view.room.position;
    x->total = ngx_rooms_reply_int(rq->asked_batch->replies[rq->at_own], 0);

    rq->answer = ngx_rooms_export_answer;

    return NGX_OK;
}


/* A link acts for its maker: once that member has left, it opens nothing. */
static ngx_int_t
ngx_rooms_export_link_show(ngx_rooms_req_t *rq)
{
    return ngx_rooms_link_put(rq, ROOMS_TICKET_EXPORT, rq->view.room.id,
                              "/v1/rooms/", "");
}


static void
ngx_rooms_export_answer(ngx_rooms_req_t *rq)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = rq->r;

    rq->state = NGX_ROOMS_DONE;

    rc = ngx_http_discard_request_body(r);

    if (rc == NGX_OK) {
        rc = ngx_rooms_export_headers(rq);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_send_header(r);
    }

    if (rc == NGX_ERROR || rc > NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    rq->sent = 1;

    ngx_rooms_status_request(rq, NGX_HTTP_OK);
    ngx_rooms_status_doing(rq, NGX_ROOMS_GAUGE_EXPORTS);

    if (r->header_only) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    if (ngx_rooms_export_start(rq, rq->data) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_rooms_export_schedule(rq->data);
}


/* "<name of the room>.zip", made safe for a path and for the header. */
static ngx_int_t
ngx_rooms_export_disposition(ngx_rooms_req_t *rq, rooms_str_t *value)
{
    u_char       name[ROOMS_FILE_NAME_MAX + sizeof(".zip")], *p;
    size_t       i;
    rooms_str_t  s;

    s = rq->view.name.len ? rq->view.name : ngx_rooms_s("room");

    p = ngx_pnalloc(rq->pool, s.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < s.len; i++) {
        p[i] = s.data[i] == '/' || s.data[i] == '\\' ? '-' : s.data[i];
    }

    s.data = p;
    s.len = rooms_file_name_clean(s, name);
    s.data = name;

    ngx_memcpy(name + s.len, ".zip", 4);
    s.len += 4;

    p = ngx_pnalloc(rq->pool, ROOMS_MEDIA_DISPOSITION(s.len));
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    value->len = rooms_media_disposition(s, 0, p);

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_export_headers(ngx_rooms_req_t *rq)
{
    rooms_str_t          disposition;
    ngx_http_request_t  *r;

    r = rq->r;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = -1;
    ngx_str_set(&r->headers_out.content_type, "application/zip");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    /* it has no validators, and is already compressed */

    r->disable_not_modified = 1;
#if (NGX_HTTP_GZIP)
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif

    if (ngx_rooms_export_disposition(rq, &disposition) != NGX_OK
        || ngx_rooms_header(r, "Content-Disposition", disposition) != NGX_OK
        || ngx_rooms_header(r, "X-Content-Type-Options",
                            ngx_rooms_s("nosniff")) != NGX_OK
        || ngx_rooms_header(r, "Cache-Control",
                            ngx_rooms_s("private, no-store")) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void *
ngx_rooms_export_alloc(void *ctx, size_t size)
{
    return ngx_palloc(ctx, size);
}


static ngx_int_t
ngx_rooms_export_start(ngx_rooms_req_t *rq, ngx_rooms_export_t *x)
{
    u_char                 key[16], *aside;
    rooms_str_t            room;
    ngx_rooms_keys_t      *keys;
    ngx_http_request_t    *r;

    r = rq->r;
    keys = &rq->keys;
    room = rq->view.room.id;

    ngx_rooms_random_hex(key, sizeof(key));

    rooms_id_set_init(&x->people, key, ngx_rooms_export_alloc, rq->pool);
    rooms_id_set_init(&x->media, key, ngx_rooms_export_alloc, rq->pool);
    rooms_id_set_init(&x->contents, key, ngx_rooms_export_alloc, rq->pool);
    rooms_zip_writer_init(&x->zip, ngx_rooms_export_alloc, rq->pool);

    /* keys that each page needs are made once */

    x->key_room = ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM, room);
    x->key_events = ngx_rooms_key(keys, NGX_ROOMS_KEY_EVENTS, room);

    if (ngx_rooms_pager_init(&x->pager, rq->pool, r->connection->log, keys,
                             &rq->view.room, NGX_ROOMS_EXPORT_EVENTS)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    x->pager.copies = ngx_rooms_key(keys, NGX_ROOMS_KEY_COPIES, room);
    x->pager.bytes = NGX_ROOMS_EXPORT_PAGE;
    x->pager.to = x->upto;
    x->key_members = ngx_rooms_key(keys, NGX_ROOMS_KEY_MEMBERS, room);

    aside = ngx_pnalloc(rq->pool, NGX_ROOMS_EXPORT_ASIDE);

    if (x->key_room.data == NULL
        || x->key_events.data == NULL || x->pager.copies.data == NULL
        || x->key_members.data == NULL || aside == NULL)
    {
        return NGX_ERROR;
    }

    rooms_buf_init(&x->aside, aside, NGX_ROOMS_EXPORT_ASIDE);

    x->checked = ngx_current_msec;

    rq->resume = ngx_rooms_export_resume;

    r->write_event_handler = ngx_rooms_export_writer;
    r->read_event_handler = r->discard_body
                                ? ngx_http_discarded_request_body_handler
                                : ngx_http_test_reading;

    return NGX_OK;
}


static void
ngx_rooms_export_cleanup(void *data)
{
    ngx_rooms_export_t  *x = data;

    if (x->queued) {
        ngx_queue_remove(&x->queue);
    }

    if (x->page && x->page != x->rq->batch) {
        ngx_rooms_batch_free(x->page);
    }

    if (x->file_pool) {
        ngx_destroy_pool(x->file_pool);
    }

    rooms_zip_writer_cleanup(&x->zip);
    rooms_id_set_cleanup(&x->people);
    rooms_id_set_cleanup(&x->media);
    rooms_id_set_cleanup(&x->contents);
    rooms_id_set_cleanup(&x->fresh);
    rooms_id_set_cleanup(&x->numbers);
}
