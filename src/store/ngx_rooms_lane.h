/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_LANE_H
#define NGX_ROOMS_LANE_H

#include "ngx_rooms_redis.h"


/* What the files of a lane share, and nobody else needs. */

#define NGX_ROOMS_PING  15000              /* ms, of a lane that is idle */

/* Begins to connect; the timer (ngx_rooms_lane_timer.c) has an eye on it. */
void ngx_rooms_lane_connect(ngx_rooms_lane_t *lane);
void ngx_rooms_lane_timer_handler(ngx_event_t *ev);

/* Puts the new context on the event loop (ngx_rooms_lane_event.c). */
ngx_int_t ngx_rooms_lane_attach(ngx_rooms_lane_t *lane);
void ngx_rooms_lane_flush_handler(ngx_event_t *ev);
void ngx_rooms_lane_reap_handler(ngx_event_t *ev);

/* The connection stands; or it is gone, and its context with it. */
void ngx_rooms_lane_greet(ngx_rooms_lane_t *lane);
void ngx_rooms_lane_down(ngx_rooms_lane_t *lane);

/* As ngx_rooms_lane_drop(); the Redis hasn't said a word since last_read. */
void ngx_rooms_lane_silent(ngx_rooms_lane_t *lane, const char *why);

/* Whether a request waits for something here. */
ngx_uint_t ngx_rooms_lane_wanted(ngx_rooms_lane_t *lane);

/* Answered, or given up: calls the handler, if there is one still. */
void ngx_rooms_batch_done(ngx_rooms_batch_t *b);

/* Builds replies into the pool of the batch that they answer. */
extern redisReplyObjectFunctions  ngx_rooms_reply_functions;

#endif /* NGX_ROOMS_LANE_H */
