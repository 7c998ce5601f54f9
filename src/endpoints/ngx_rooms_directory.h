/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_DIRECTORY_H
#define NGX_ROOMS_DIRECTORY_H

#include "ngx_rooms_endpoints.h"


#define NGX_ROOMS_WALK_PAGE    100        /* rooms looked at in one round */

typedef struct {
    int64_t              limit;
    int64_t              offset;
    rooms_state_e        state;
    rooms_str_t          after;           /* the last id looked at, or NULL */
    rooms_str_t          shown;           /* the last id shown */
    rooms_str_t          q;               /* lower case */
    ngx_int_t            type;            /* -1: any */
    ngx_int_t            membership;      /* -1: any */
    rooms_str_t          workspace;
    unsigned             public:1;        /* walks the public rooms too */
    unsigned             more:1;

    rooms_str_t          ids[NGX_ROOMS_WALK_PAGE];
    ngx_uint_t           nids;
    ngx_uint_t           looked;
    unsigned             end:1;           /* no ids behind these */
    ngx_rooms_batch_t   *rooms;           /* rows of the ids */

    ngx_rooms_view_t    *views;
    ngx_uint_t           nviews;
    ngx_uint_t          *dms;             /* views that want a name */
    ngx_uint_t           ndms;
} ngx_rooms_walk_t;

typedef enum {
    NGX_ROOMS_W_BEGIN = 0,
    NGX_ROOMS_W_IDS,
    NGX_ROOMS_W_ROOMS,
    NGX_ROOMS_W_SEARCH,                   /* names of DMs, to look for q */
    NGX_ROOMS_W_NAMES
} ngx_rooms_walk_round_e;


/* From one round to the next, until the page is full (_directory_walk.c). */
ngx_int_t ngx_rooms_walk(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_DIRECTORY_H */
