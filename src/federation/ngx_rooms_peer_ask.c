/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_peer_ask.h"


static void ngx_rooms_peer_ask_gone(void *data);
static void ngx_rooms_peer_ask_answered(ngx_rooms_peer_call_t *call);


ngx_rooms_peer_ask_t *
ngx_rooms_peer_ask_create(ngx_rooms_req_t *rq)
{
    ngx_pool_cleanup_t    *cln;
    ngx_rooms_peer_ask_t  *ask;

    cln = ngx_pool_cleanup_add(rq->pool, sizeof(ngx_rooms_peer_ask_t));
    if (cln == NULL) {
        return NULL;
    }

    ask = cln->data;
    ngx_memzero(ask, sizeof(ngx_rooms_peer_ask_t));

    ask->rq = rq;

    cln->handler = ngx_rooms_peer_ask_gone;

    return ask;
}


/* A call can't be stopped: it ends by itself, and nobody is told. */
static void
ngx_rooms_peer_ask_gone(void *data)
{
    ngx_rooms_peer_ask_t *ask = data;

    if (ask->call) {
        ask->call->data = NULL;
    }
}


ngx_int_t
ngx_rooms_peer_ask(ngx_rooms_peer_ask_t *ask, ngx_pool_t *pool,
    rooms_str_t peer, ngx_str_t *uri, ngx_uint_t to)
{
    ngx_str_t                  name;
    ngx_rooms_req_t           *rq;
    ngx_rooms_peer_call_t     *call;
    ngx_http_core_srv_conf_t  *cscf;

    rq = ask->rq;
    cscf = ngx_http_get_module_srv_conf(rq->r, ngx_http_core_module);
    name = ngx_from_rooms(peer);

    call = ngx_rooms_peer_call(cscf->ctx, rq->conf, &name, uri);
    if (call == NULL) {
        return NGX_ERROR;
    }

    if (ngx_rooms_peer_call_trace(call, rq->r) != NGX_OK
        || ngx_rooms_peer_call_sign(call) != NGX_OK)
    {
        ngx_rooms_peer_call_free(call);
        return NGX_ERROR;
    }

    call->handler = ngx_rooms_peer_ask_answered;
    call->data = ask;

    ask->call = call;
    ask->pool = pool;
    rq->round = to;

    ngx_rooms_peer_call_start(call);

    return NGX_AGAIN;
}


static void
ngx_rooms_peer_ask_answered(ngx_rooms_peer_call_t *call)
{
    ngx_rooms_peer_ask_t  *ask;

    ask = call->data;

    if (ask == NULL) {
        ngx_rooms_peer_call_free(call);
        return;
    }

    ask->call = NULL;
    ask->status = call->status;
    ask->answer = ngx_rooms_dup(ask->pool, rooms_from_ngx(call->answer));

    if (call->error) {
        ngx_log_error(NGX_LOG_ERR, ask->rq->r->connection->log, 0,
                      "rooms: \"%V\" of \"%V\": %s", &call->uri, &call->peer,
                      call->error);
    }

    ngx_rooms_peer_call_free(call);

    ngx_rooms_continue(ask->rq);
}
