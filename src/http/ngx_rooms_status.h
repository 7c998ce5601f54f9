/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_STATUS_H
#define NGX_ROOMS_STATUS_H

#include "ngx_rooms.h"


/*
 * Counters of all workers in shared memory.  They are atomic numbers, so a
 * killed worker leaves no lock behind.  Times are microseconds.
 */

/* Gauges.  Each worker has its own, which are reset when it starts or ends. */
typedef enum {
    NGX_ROOMS_GAUGE_NONE = 0,
    NGX_ROOMS_GAUGE_POLLS,                 /* waiting in GET /v1/sync */
    NGX_ROOMS_GAUGE_SSE,                   /* streams */
    NGX_ROOMS_GAUGE_WS,
    NGX_ROOMS_GAUGE_EXPORTS,
    NGX_ROOMS_GAUGE_IMPORTS,
    NGX_ROOMS_GAUGE_OUTBOX,                /* events that wait for other
                                              servers */
    NGX_ROOMS_GAUGE_MAX
} ngx_rooms_gauge_e;

/* A monotonic clock in microseconds, finer than ngx_current_msec. */
uint64_t ngx_rooms_usec(void);

/* Counts an answer: rq->endpoint, the time since rq->began, rq->error. */
void ngx_rooms_status_request(ngx_rooms_req_t *rq, ngx_uint_t status);
/* Counts a round to the store; `began` is of ngx_rooms_usec(). */
void ngx_rooms_status_store(uint64_t began, ngx_uint_t ok);
void ngx_rooms_status_conflict(void);
/* Counts the request under this gauge, until it names another one or ends. */
void ngx_rooms_status_doing(ngx_rooms_req_t *rq, ngx_rooms_gauge_e gauge);

/* Moves a gauge of this worker. */
void ngx_rooms_status_move(ngx_rooms_gauge_e gauge, ngx_int_t by);

ngx_shm_zone_t *ngx_rooms_status_zone(ngx_conf_t *cf);
void ngx_rooms_status_init_worker(void);
void ngx_rooms_status_exit_worker(void);
ngx_int_t ngx_rooms_status_handler(ngx_http_request_t *r);

#endif /* NGX_ROOMS_STATUS_H */
