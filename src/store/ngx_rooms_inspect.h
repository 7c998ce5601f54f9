/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_INSPECT_H
#define NGX_ROOMS_INSPECT_H

#include "ngx_rooms_redis.h"


/* What is worth a warning about a Redis: bits of a node's `warnings`. */
typedef enum {
    NGX_ROOMS_INSPECT_OLD = 0,             /* older than 6.2 */
    NGX_ROOMS_INSPECT_EVICTION,            /* it deletes when it is full */
    NGX_ROOMS_INSPECT_NO_AOF,
    NGX_ROOMS_INSPECT_REPLICA,             /* read-only */
    NGX_ROOMS_INSPECT_KINDS
} ngx_rooms_inspect_e;

extern const char  *ngx_rooms_inspect_kinds[NGX_ROOMS_INSPECT_KINDS];

/*
 * Told of each kind after each look at a node: whether it was so at the last
 * look of this worker, and whether it is.  Returns whether this worker has to
 * write the warning into the log.
 */
typedef ngx_uint_t (*ngx_rooms_inspect_pt)(ngx_str_t *node, ngx_uint_t kind,
    ngx_uint_t was, ngx_uint_t is);

extern ngx_rooms_inspect_pt  ngx_rooms_inspect_hook;

/* The lane stands: asks its Redis what it is. */
void ngx_rooms_inspect(ngx_rooms_lane_t *lane);

#endif /* NGX_ROOMS_INSPECT_H */
