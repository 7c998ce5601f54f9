/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /v1/sync: one page of a reader (ngx_rooms_reader.c), at once if there is
 * something, else as soon as there is.
 */

#include "ngx_rooms_sync.h"
#include "ngx_rooms_reader.h"


#define NGX_ROOMS_SYNC_WAIT      30000       /* ms */
#define NGX_ROOMS_SYNC_WAIT_MAX  60000


/* A position, or "now". */
static ngx_int_t
ngx_rooms_sync_since(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    rooms_str_t  since;

    if (ngx_rooms_arg(rq, "since", &since) == NGX_OK
        && rooms_str_eq(since, ngx_rooms_s("now")))
    {
        s->now = 1;
        return NGX_OK;
    }

    return ngx_rooms_arg_int(rq, "since", 0, INT64_C(1) << 53, 0, &s->from);
}


/* A poll ends with its token. */
static ngx_msec_t
ngx_rooms_sync_wait(ngx_rooms_req_t *rq, int64_t wait)
{
    int64_t  left;

    left = rq->principal.exp * 1000 - rq->now;
    wait = ngx_min(wait, NGX_ROOMS_SYNC_WAIT_MAX);

    return ngx_max(ngx_min(wait, left), 0);
}


static ngx_int_t
ngx_rooms_sync_begin(ngx_rooms_req_t *rq)
{
    int64_t              wait;
    ngx_int_t            rc;
    ngx_msec_t           left;
    ngx_rooms_reader_t  *s;

    s = ngx_rooms_reader_create(rq);
    if (s == NULL) {
        return NGX_ERROR;
    }

    rq->data = s;

    if (ngx_rooms_sync_since(rq, s) != NGX_OK
        || ngx_rooms_arg_int(rq, "limit", 1, 500, 100, &s->limit) != NGX_OK
        || ngx_rooms_arg_int(rq, "timeout", 0, INT32_MAX,
                             NGX_ROOMS_SYNC_WAIT, &wait) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_rooms_arg(rq, "epoch", &s->expects);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (s->expects.len == 0) {
        s->expects = ROOMS_NULL;
    }

    left = ngx_rooms_sync_wait(rq, wait);

    s->waits = left > 0;
    s->until = ngx_current_msec + left;

    if (rq->r == rq->r->main) {
        /* a client that leaves is noticed at once */
        rq->r->read_event_handler = ngx_http_test_reading;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_sync_load(ngx_rooms_req_t *rq)
{
    if (rq->round == 0 && ngx_rooms_sync_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_reader_step(rq, rq->data);
}


ngx_int_t
ngx_rooms_sync_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t           i;
    rooms_buf_t         *b;
    ngx_rooms_reader_t  *s;

    s = rq->data;

    ngx_rooms_reader_stop(s);

    rooms_json_lit(ngx_rooms_out(&rq->out, 32), "{\"data\":{\"events\":[");

    for (i = 0; i < s->nevents; i++) {

        if (i) {
            rooms_json_lit(ngx_rooms_out(&rq->out, 1), ",");
        }

        ngx_rooms_out_ref(&rq->out, s->events[i].json);
    }

    b = ngx_rooms_out(&rq->out, 160 + ROOMS_JSON_STR(s->epoch.len));

    rooms_json_lit(b, "],\"next_cursor\":\"");
    rooms_json_int(b, s->cursor);
    rooms_json_lit(b, "\",\"has_more\":");
    rooms_json_bool(b, s->more);
    rooms_json_lit(b, ",\"epoch\":");
    rooms_json_str(b, s->epoch);

    if (s->reset) {
        rooms_json_lit(b, ",\"reset\":");
        rooms_json_str(b, rooms_cstr(s->reset));
    }

    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
