/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_DETACHED_H
#define NGX_ROOMS_DETACHED_H

#include "ngx_rooms.h"


/*
 * A request without a client, for work that no client waits for, or that must
 * go on when the client has gone.  Its connection has no socket.  NGINX
 * closes a connection that fails, but it must not close this one.  So the
 * owner handles all errors, and closes it from an event of its own, when
 * NGINX's functions have returned.
 */

typedef struct {
    ngx_http_conf_ctx_t      *ctx;         /* of its server */
    ngx_connection_t         *connection;
    ngx_http_request_t       *request;
    ngx_http_connection_t     hc;
    ngx_http_log_ctx_t        log_ctx;
    ngx_log_t                 log;
} ngx_rooms_detached_t;


/*
 * The connection owns the pool from now on, and destroys it when it is
 * closed.  On NGX_ERROR (no memory, or no free connections) the pool is
 * destroyed at once. `d` may live in it.  An exiting worker waits until it is
 * closed.
 */
ngx_int_t ngx_rooms_detached_open(ngx_rooms_detached_t *d, ngx_pool_t *pool,
    ngx_http_conf_ctx_t *ctx, ngx_str_t *method, ngx_str_t *uri);

/* Frees everything. */
void ngx_rooms_detached_close(ngx_rooms_detached_t *d);

/* Whether the request, or the main request of a subrequest, has no client. */
ngx_uint_t ngx_rooms_detached(ngx_http_request_t *r);

#endif /* NGX_ROOMS_DETACHED_H */
