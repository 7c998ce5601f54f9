/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_FETCH_H
#define NGX_ROOMS_FETCH_H

#include "ngx_rooms.h"


/*
 * Asks a location that the operator wrote: a background subrequest whose
 * answer is kept and never reaches the client.  NGINX's own in-memory
 * subrequests don't fit: an answer that is too long marks the client's
 * connection as broken, and they can't be nested.
 */

typedef struct ngx_rooms_fetch_s  ngx_rooms_fetch_t;

typedef void (*ngx_rooms_fetch_pt)(ngx_rooms_fetch_t *fetch);

struct ngx_rooms_fetch_s {
    ngx_http_request_t    *r;              /* the subrequest */
    ngx_rooms_fetch_pt     handler;        /* NULL once called */
    void                  *data;

    ngx_str_t              body;
    size_t                 max;            /* bytes of the body */
    size_t                 room;
    ngx_uint_t             status;         /* 0: there was no answer */
    unsigned               too_large:1;
    unsigned               abandoned:1;    /* the client's request is gone */
};


/*
 * Sends a GET with no header of the client's but Host, and no body.  The
 * handler is called once, with or without an answer, never from within this
 * call.  NULL: it couldn't start.
 */
ngx_rooms_fetch_t *ngx_rooms_fetch(ngx_http_request_t *r, ngx_str_t *uri,
    size_t max, ngx_rooms_fetch_pt handler, void *data);

/* For the filters.  NULL: r isn't such a subrequest. */
ngx_rooms_fetch_t *ngx_rooms_fetch_of(ngx_http_request_t *r);
ngx_int_t ngx_rooms_fetch_body(ngx_rooms_fetch_t *fetch, ngx_chain_t *in);

#endif /* NGX_ROOMS_FETCH_H */
