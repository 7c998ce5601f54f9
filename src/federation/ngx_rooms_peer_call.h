/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A request to another server.  It leaves through the operator's location
 * (rooms_federation_pass), as a subrequest of a request of our own that has
 * no client: its connection has no socket, and nothing ever happens on it.
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
    ngx_str_t                 address;     /* what to dial */
    ngx_str_t                 method;
    ngx_str_t                 uri;
    ngx_str_t                 body;

    /* the answer; status is 0 if there is none, and `error` says why */
    ngx_uint_t                status;
    ngx_str_t                 answer;
    const char               *error;
    unsigned                  traced:1;

    ngx_rooms_peer_call_pt    handler;     /* called once, never at once; then
                                              the call is freed */
    void                     *data;
};


/* $rooms_peer and the like, which say in a location where a call goes. */
ngx_int_t ngx_rooms_peer_add_variables(ngx_conf_t *cf);

/* The peer's name must be valid.  NULL: no memory, or no connections left. */
ngx_rooms_peer_call_t *ngx_rooms_peer_call(ngx_http_conf_ctx_t *ctx,
    ngx_rooms_loc_conf_t *conf, ngx_str_t *peer, ngx_str_t *uri);

/* Makes it a POST of this JSON, which is copied, before it is signed. */
ngx_int_t ngx_rooms_peer_call_body(ngx_rooms_peer_call_t *call,
    ngx_str_t *body);

/*
 * Whose request it is made for: its X-Request-Id, and the client's
 * traceparent, go along.  Of one that isn't made for anybody's, both are new,
 * and the id is the trace's.
 */
ngx_int_t ngx_rooms_peer_call_trace(ngx_rooms_peer_call_t *call,
    ngx_http_request_t *r);

/* Adds what proves that it is ours (RFC 9421), before it starts. */
ngx_int_t ngx_rooms_peer_call_sign(ngx_rooms_peer_call_t *call);

/* Checks the name, resolves it if it must, and sends the request. */
void ngx_rooms_peer_call_start(ngx_rooms_peer_call_t *call);

/* Whether a name must not be dialled, whatever it resolves to. */
ngx_uint_t ngx_rooms_peer_forbidden(ngx_rooms_loc_conf_t *conf,
    rooms_str_t peer);


/* Frees one that wasn't started. */
void ngx_rooms_peer_call_free(ngx_rooms_peer_call_t *call);

/*
 * There will be no answer: closes what is under way.  The handler isn't
 * called, and the call is nobody's any more.  Not from inside of a call.
 */
void ngx_rooms_peer_call_cancel(ngx_rooms_peer_call_t *call);


/*
 * What a step waits for, of another server: a signed GET, and its answer.
 * Then the pipeline runs on.
 */
typedef struct {
    ngx_rooms_req_t        *rq;
    ngx_rooms_peer_call_t  *call;          /* NULL: answered */
    ngx_pool_t             *pool;
    ngx_uint_t              status;        /* 0: there is no answer */
    rooms_str_t             answer;        /* NULL: no memory */
} ngx_rooms_peer_ask_t;

/* For one after the other; freed with the request.  NULL: no memory. */
ngx_rooms_peer_ask_t *ngx_rooms_peer_ask_create(ngx_rooms_req_t *rq);

/*
 * NGX_AGAIN: it is asked, and the pipeline runs on when it has answered, or
 * not, with rq->round = to.  The answer is in the pool, which is there until
 * then, or for as long as the request is.
 */
ngx_int_t ngx_rooms_peer_ask(ngx_rooms_peer_ask_t *ask, ngx_pool_t *pool,
    rooms_str_t peer, ngx_str_t *uri, ngx_uint_t to);

#endif /* NGX_ROOMS_PEER_CALL_H */
