/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A request to another server.  It leaves through the operator's location
 * (rooms_federation_pass), as a subrequest of a request without a client.
 * That request's connection has no socket and never gets an event.
 */

#ifndef NGX_ROOMS_PEER_CALL_H
#define NGX_ROOMS_PEER_CALL_H

#include "ngx_rooms_detached.h"
#include "ngx_rooms_request.h"


typedef struct ngx_rooms_peer_call_s  ngx_rooms_peer_call_t;

typedef void (*ngx_rooms_peer_call_pt)(ngx_rooms_peer_call_t *call);

struct ngx_rooms_peer_call_s {
    ngx_rooms_loc_conf_t     *conf;
    ngx_rooms_detached_t      detached;
    ngx_http_request_t       *request;
    ngx_event_t               done;
    ngx_resolver_ctx_t       *resolving;

    ngx_str_t                 peer;        /* host[:port] */
    ngx_str_t                 host;
    ngx_str_t                 address;     /* the address to connect to */
    ngx_str_t                 method;
    ngx_str_t                 uri;
    ngx_str_t                 body;

    /* the answer; status is 0 without one, and `error` has the reason */
    ngx_uint_t                status;
    ngx_str_t                 answer;
    const char               *error;

    ngx_rooms_peer_call_pt    handler;     /* called once, never from within
                                              ngx_rooms_peer_call_start();
                                              then the call is freed */
    void                     *data;
};


/* $rooms_peer and others, which the location uses to reach the peer. */
ngx_int_t ngx_rooms_peer_add_variables(ngx_conf_t *cf);

/* The peer's name must be valid.  NULL: no memory, or no connections left. */
ngx_rooms_peer_call_t *ngx_rooms_peer_call(ngx_http_conf_ctx_t *ctx,
    ngx_rooms_loc_conf_t *conf, rooms_str_t peer, ngx_str_t *uri,
    ngx_rooms_peer_call_pt handler, void *data);

/* Checks the name, resolves it if necessary, and sends the request. */
void ngx_rooms_peer_call_start(ngx_rooms_peer_call_t *call);

/*
 * Signs the request (RFC 9421) and starts it.  A body makes it a POST with
 * this JSON, which is copied.  `r`: the request whose trace it continues, or
 * NULL.  NGX_ERROR: out of memory; the call is freed.
 */
ngx_int_t ngx_rooms_peer_call_signed(ngx_rooms_peer_call_t *call,
    ngx_str_t *body, ngx_http_request_t *r);

/*
 * Whether the configuration forbids connecting to this name, whatever its
 * addresses are.
 */
ngx_uint_t ngx_rooms_peer_forbidden(ngx_rooms_loc_conf_t *conf,
    rooms_str_t peer);

/*
 * Cancels a call: closes what is under way and frees it.  The handler isn't
 * called.  Don't call it from within a call's handler.
 */
void ngx_rooms_peer_call_cancel(ngx_rooms_peer_call_t *call);


/*
 * A signed GET that a step waits for.  When it is answered, the pipeline
 * continues.
 */
typedef struct {
    ngx_rooms_req_t        *rq;
    ngx_rooms_peer_call_t  *call;          /* NULL: answered */
    ngx_pool_t             *pool;
    ngx_uint_t              status;        /* 0: no answer */
    rooms_str_t             answer;        /* NULL: no memory */
} ngx_rooms_peer_ask_t;

/*
 * Can be used for several calls, one after the other.  Freed with the
 * request.  NULL: no memory.
 */
ngx_rooms_peer_ask_t *ngx_rooms_peer_ask_create(ngx_rooms_req_t *rq);

/*
 * NGX_AGAIN: the request is under way, and the pipeline continues with
 * rq->round = to when it has ended.  The answer is allocated from the pool,
 * which must live until then.
 */
ngx_int_t ngx_rooms_peer_ask(ngx_rooms_peer_ask_t *ask, ngx_pool_t *pool,
    rooms_str_t peer, ngx_str_t *uri, ngx_uint_t to);

#endif /* NGX_ROOMS_PEER_CALL_H */
