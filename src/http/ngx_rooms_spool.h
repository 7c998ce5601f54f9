/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_SPOOL_H
#define NGX_ROOMS_SPOOL_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * A request's body taken away from the request, for a thread to read while
 * the client may leave: small parts in memory are copied, and of the
 * temporary file there is a descriptor of our own.
 */

typedef struct {
    off_t        start;                /* in the body */
    off_t        size;
    u_char      *data;                 /* or NULL: in the file, at ... */
    off_t        at;
} ngx_rooms_span_t;

typedef struct {
    ngx_array_t  spans;                /* of ngx_rooms_span_t */
    ngx_fd_t     fd;
    off_t        size;
    ngx_err_t    err;                  /* of what failed */
} ngx_rooms_spool_t;


/*
 * On the event loop, when the body is here; the file is closed with pool.
 * NGX_ERROR: s->err.
 */
ngx_int_t ngx_rooms_spool_take(ngx_rooms_spool_t *s, ngx_http_request_t *r,
    ngx_pool_t *pool);

/*
 * In a thread: up to `size` bytes from anywhere in the body.  Fewer only at
 * the end; NGX_ERROR, with errno.
 */
ssize_t ngx_rooms_spool_read(const ngx_rooms_spool_t *s, u_char *dst,
    size_t size, off_t from);

#endif /* NGX_ROOMS_SPOOL_H */
