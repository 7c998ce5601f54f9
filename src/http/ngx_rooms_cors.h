/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_CORS_H
#define NGX_ROOMS_CORS_H

#include "ngx_rooms_request.h"


/* Which pages of other origins may read our answers; NULL: none. */
struct ngx_rooms_cors_s {
    ngx_array_t               origins;    /* of ngx_str_t, lower case */
    unsigned                  any:1;      /* "*" */
};


/* The directive: rooms_cors_origin ORIGIN... | * | off. */
char *ngx_rooms_cors_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* After the merge: what can't stand together is an error of nginx -t. */
ngx_int_t ngx_rooms_cors_check(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf);

/* Whether the page that opens a WebSocket, if one does, is listed or ours. */
ngx_uint_t ngx_rooms_cors_may_connect(ngx_rooms_req_t *rq);

/*
 * Adds the headers of the Fetch standard, "HTTP responses" in section "CORS
 * protocol", to any answer of our locations.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_rooms_cors_headers(ngx_http_request_t *r,
    ngx_rooms_loc_conf_t *rlcf);

/* Whether a request comes from a page of an origin that is listed. */
ngx_uint_t ngx_rooms_cors_from_listed(ngx_rooms_req_t *rq);

/*
 * A step of the pipeline: OPTIONS is answered before a token is looked at,
 * since a browser's preflight has none.  With rq->allow, the row's methods.
 */
ngx_int_t ngx_rooms_cors_options(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_CORS_H */
