/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_CORS_H
#define NGX_ROOMS_CORS_H

#include "ngx_rooms_request.h"


/* The origins whose pages may read our answers. */
struct ngx_rooms_cors_s {
    ngx_array_t               origins;    /* of ngx_str_t, lower case */
    unsigned                  any:1;      /* "*" */
};


/* The directive: rooms_cors_origin ORIGIN... | * | off. */
char *ngx_rooms_cors_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* Called after the merge: reports settings that contradict each other. */
ngx_int_t ngx_rooms_cors_check(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf);

/*
 * Whether the page that opens this WebSocket may: its origin is listed or our
 * own, or the request names no origin.
 */
ngx_uint_t ngx_rooms_cors_may_connect(ngx_rooms_req_t *rq);

/*
 * Adds the CORS headers (Fetch standard, "HTTP responses" in section "CORS
 * protocol") to any answer of our locations.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_rooms_cors_headers(ngx_http_request_t *r,
    ngx_rooms_loc_conf_t *rlcf);

/* Whether the request comes from a page of a listed origin. */
ngx_uint_t ngx_rooms_cors_from_listed(ngx_rooms_req_t *rq);

/*
 * Answers OPTIONS before the token is checked, since a browser's preflight
 * has none. rq->allow has the row's methods.
 */
ngx_int_t ngx_rooms_cors_options(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_CORS_H */
