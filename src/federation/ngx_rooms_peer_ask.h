/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What a step waits for, of another server: a signed GET, and its answer.
 * Then the pipeline runs on.
 */

#ifndef NGX_ROOMS_PEER_ASK_H
#define NGX_ROOMS_PEER_ASK_H

#include "ngx_rooms_request.h"
#include "ngx_rooms_peer_call.h"


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

#endif /* NGX_ROOMS_PEER_ASK_H */
