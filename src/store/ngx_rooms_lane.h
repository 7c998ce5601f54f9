/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_LANE_H
#define NGX_ROOMS_LANE_H

#include "ngx_rooms_redis.h"


/* What only lanes and batches share. */

/*
 * The batch is answered or given up: calls its handler, if it still has one.
 */
void ngx_rooms_batch_done(ngx_rooms_batch_t *b);

/* Gives up its memory. */
void ngx_rooms_batch_destroy(ngx_rooms_batch_t *b);

/*
 * Whether Redis can reply this to the command.  If not, replies are out of
 * step with commands, or it isn't Redis.
 */
ngx_uint_t ngx_rooms_reply_fits(const ngx_str_t *cmd,
    const redisReply *reply);

/* Make hiredis build replies in the pool of the batch that they answer. */
extern redisReplyObjectFunctions  ngx_rooms_reply_functions;

#endif /* NGX_ROOMS_LANE_H */
