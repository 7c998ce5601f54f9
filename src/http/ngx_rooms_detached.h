/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_DETACHED_H
#define NGX_ROOMS_DETACHED_H

#include "ngx_rooms.h"


/*
 * A request without a client: for work that no client waits for, or that must
 * go on without it.  Its connection has no socket.  NGINX would close one that
 * has failed, and this one can't be closed: so whoever opens it takes all
 * errors on itself, and closes it from an event of its own, once NGINX's stack
 * has unwound.
 */

typedef struct {
    ngx_http_conf_ctx_t      *ctx;         /* of the server that it is of */
    ngx_connection_t         *connection;
    ngx_http_request_t       *request;
    ngx_http_connection_t     hc;
    ngx_http_log_ctx_t        log_ctx;
    ngx_log_t                 log;
} ngx_rooms_detached_t;


/*
 * The pool is the connection's from now on, and destroyed with it, or when
 * NGX_ERROR is returned (no memory, or no connections left).  `d` may be in
 * it; the worker that exits waits for the closing.
 */
ngx_int_t ngx_rooms_detached_open(ngx_rooms_detached_t *d, ngx_pool_t *pool,
    ngx_http_conf_ctx_t *ctx, ngx_str_t *method, ngx_str_t *uri);

/* Frees all of it. */
void ngx_rooms_detached_close(ngx_rooms_detached_t *d);

/* Whether a request, or the one that it is a subrequest of, has no client. */
ngx_uint_t ngx_rooms_detached(ngx_http_request_t *r);

#endif /* NGX_ROOMS_DETACHED_H */
