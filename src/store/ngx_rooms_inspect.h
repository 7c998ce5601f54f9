/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_INSPECT_H
#define NGX_ROOMS_INSPECT_H

#include "ngx_rooms_redis.h"


/* Settings of a Redis that deserve a warning: bits of a node's `warnings`. */
typedef enum {
    NGX_ROOMS_INSPECT_OLD = 0,             /* older than 6.2 */
    NGX_ROOMS_INSPECT_EVICTION,            /* it evicts keys when memory is
                                              full */
    NGX_ROOMS_INSPECT_NO_AOF,
    NGX_ROOMS_INSPECT_REPLICA,             /* read-only */
    NGX_ROOMS_INSPECT_KINDS
} ngx_rooms_inspect_e;

extern const char  *ngx_rooms_inspect_kinds[NGX_ROOMS_INSPECT_KINDS];

/*
 * Called for each kind after each look at a node, with what this worker saw
 * at the last look and what it sees now.  Returns whether this worker should
 * log the warning.
 */
typedef ngx_uint_t (*ngx_rooms_inspect_pt)(ngx_str_t *node, ngx_uint_t kind,
    ngx_uint_t was, ngx_uint_t is);

extern ngx_rooms_inspect_pt  ngx_rooms_inspect_hook;

/* Called when a lane has connected: asks its Redis for its settings. */
void ngx_rooms_inspect(ngx_rooms_lane_t *lane);

#endif /* NGX_ROOMS_INSPECT_H */
