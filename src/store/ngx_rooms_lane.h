/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_LANE_H
#define NGX_ROOMS_LANE_H

#include "ngx_rooms_redis.h"


/* Between a lane and its batches; nobody else needs it. */

/* Answered, or given up: calls the handler, if there is one still. */
void ngx_rooms_batch_done(ngx_rooms_batch_t *b);

/* Builds replies into the pool of the batch that they answer. */
extern redisReplyObjectFunctions  ngx_rooms_reply_functions;

#endif /* NGX_ROOMS_LANE_H */
