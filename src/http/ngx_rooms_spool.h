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
 * A request's body, separated from the request so that a thread can read it
 * even if the client leaves.  Small parts in memory are copied; for the
 * temporary file there is a descriptor of our own.
 */

typedef struct {
    off_t        start;                /* in the body */
    off_t        size;
    u_char      *data;                 /* NULL: in the file, from `at` on */
    off_t        at;
} ngx_rooms_span_t;

typedef struct {
    ngx_array_t  spans;                /* of ngx_rooms_span_t */
    ngx_fd_t     fd;
    off_t        size;
    ngx_err_t    err;                  /* errno of the failure */
} ngx_rooms_spool_t;


/*
 * Called on the event loop when the body is complete.  The file is closed
 * with the pool.  NGX_ERROR: see s->err.
 */
ngx_int_t ngx_rooms_spool_take(ngx_rooms_spool_t *s, ngx_http_request_t *r,
    ngx_pool_t *pool);

/*
 * Called in a thread: reads up to `size` bytes from offset `from` of the
 * body.  Returns fewer only at the end; NGX_ERROR with errno.
 */
ssize_t ngx_rooms_spool_read(const ngx_rooms_spool_t *s, u_char *dst,
    size_t size, off_t from);

#endif /* NGX_ROOMS_SPOOL_H */
