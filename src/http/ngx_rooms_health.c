/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Health checks: whether this worker serves, and whether its store answers. */

#include "ngx_rooms_health.h"


#define NGX_ROOMS_HEALTH_WAIT  5000    /* ms, the longest wait for the store */

typedef struct {
    ngx_http_request_t   *r;
    ngx_rooms_store_t    *store;
    ngx_rooms_batch_t    *batch;       /* NULL: answered */
    ngx_event_t           timer;
} ngx_rooms_health_t;


static ngx_int_t ngx_rooms_health_ask(ngx_rooms_health_t *h);
static void ngx_rooms_health_answered(ngx_rooms_batch_t *b);
static void ngx_rooms_health_late(ngx_event_t *ev);
static void ngx_rooms_health_cleanup(void *data);
static ngx_int_t ngx_rooms_health_send(ngx_http_request_t *r,
    ngx_uint_t status, rooms_str_t body);


/* NGX_OK: go on; anything else is the handler's result. */
static ngx_int_t
ngx_rooms_health_begin(ngx_http_request_t *r)
{
    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    return ngx_http_discard_request_body(r);
}


ngx_int_t
ngx_rooms_health_live(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_rooms_health_begin(r);

    return rc == NGX_OK ? ngx_rooms_health_send(r, NGX_HTTP_OK,
                                         ngx_rooms_s("{\"live\": true}\n"))
                        : rc;
}


ngx_int_t
ngx_rooms_health_ready(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_rooms_health_t    *h;
    ngx_rooms_loc_conf_t  *rlcf;

    rc = ngx_rooms_health_begin(r);

    if (rc != NGX_OK) {
        return rc;
    }

    rlcf = ngx_http_get_module_loc_conf(r, ngx_rooms_module);

    h = ngx_rooms_owned(r->pool, sizeof(ngx_rooms_health_t),
                        ngx_rooms_health_cleanup);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h->r = r;
    h->store = rlcf->store;
    h->timer.handler = ngx_rooms_health_late;
    h->timer.data = h;
    h->timer.log = r->connection->log;

    if (ngx_rooms_health_ask(h) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


static ngx_int_t
ngx_rooms_health_ask(ngx_rooms_health_t *h)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_batch_create(ngx_cycle->log);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (ngx_rooms_command(b, ngx_rooms_s("PING")) != NGX_OK) {
        ngx_rooms_batch_free(b);
        return NGX_ERROR;
    }

    b->handler = ngx_rooms_health_answered;
    b->data = h;
    b->wanted = 1;
    h->batch = b;

    ngx_add_timer(&h->timer, ngx_min(h->store->node.timeout,
                                     NGX_ROOMS_HEALTH_WAIT));

    ngx_rooms_store_send(h->store, 0, NGX_ROOMS_LANE_FAST, b);

    return NGX_OK;
}


static void
ngx_rooms_health_answered(ngx_rooms_batch_t *b)
{
    redisReply          *reply;
    ngx_uint_t           status;
    rooms_str_t          body;
    ngx_http_request_t  *r;
    ngx_rooms_health_t  *h;

    h = b->data;
    r = h->r;

    if (h->timer.timer_set) {
        ngx_del_timer(&h->timer);
    }

    reply = b->status == NGX_ROOMS_BATCH_OK ? b->replies[0] : NULL;
    status = NGX_HTTP_SERVICE_UNAVAILABLE;

    if (reply == NULL) {
        body = ngx_rooms_s("{\"ready\": false, \"store\": \"down\"}\n");

    } else if (reply->type == REDIS_REPLY_ERROR) {

        /* the log has what the open answer must not tell */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "rooms: not ready: redis answered: %s", reply->str);
        body = ngx_rooms_s("{\"ready\": false, \"store\": \"refuses\"}\n");

    } else {
        status = NGX_HTTP_OK;
        body = ngx_rooms_s("{\"ready\": true, \"store\": \"up\"}\n");
    }

    ngx_rooms_batch_free(b);
    h->batch = NULL;

    ngx_http_finalize_request(r, ngx_rooms_health_send(r, status, body));
}


static void
ngx_rooms_health_late(ngx_event_t *ev)
{
    rooms_str_t          body;
    ngx_rooms_lane_t    *lane;
    ngx_http_request_t  *r;
    ngx_rooms_health_t  *h;

    h = ev->data;
    r = h->r;
    lane = h->batch->lane;

    body = h->batch->sent
           ? ngx_rooms_s("{\"ready\": false, \"store\": \"silent\"}\n")
           : ngx_rooms_s("{\"ready\": false, \"store\": \"down\"}\n");

    ngx_rooms_batch_free(h->batch);
    h->batch = NULL;

    if (lane) {
        ngx_rooms_lane_late(lane);
    }

    ngx_http_finalize_request(r,
           ngx_rooms_health_send(r, NGX_HTTP_SERVICE_UNAVAILABLE, body));
}


static void
ngx_rooms_health_cleanup(void *data)
{
    ngx_rooms_health_t *h = data;

    if (h->timer.timer_set) {
        ngx_del_timer(&h->timer);
    }

    if (h->batch) {
        ngx_rooms_batch_free(h->batch);
    }
}


static ngx_int_t
ngx_rooms_health_send(ngx_http_request_t *r, ngx_uint_t status,
    rooms_str_t body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    r->headers_out.status = status;
    r->headers_out.content_length_n = body.len;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    if (ngx_rooms_header(r, "Cache-Control", ngx_rooms_s("no-store"))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->memory = 1;
    b->pos = (u_char *) body.data;
    b->last = b->pos + body.len;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
