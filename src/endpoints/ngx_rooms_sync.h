/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_SYNC_H
#define NGX_ROOMS_SYNC_H

#include "ngx_rooms_endpoints.h"


typedef struct {
    rooms_str_t             id;
    int64_t                 count;       /* of events that are new */
} ngx_rooms_sync_room_t;

/* A change of the caller's own membership, or a read marker. */
typedef struct {
    rooms_str_t             room;
    int64_t                 position;
    unsigned                marker:1;
} ngx_rooms_sync_own_t;

typedef struct {
    int64_t                 position;
    rooms_str_t             json;
} ngx_rooms_sync_event_t;


/* One look at everything; lives in the pool of its first batch. */
typedef struct {
    int64_t                 last;        /* position when it began */
    redisReply             *ids;         /* all rooms, sorted */
    ngx_rooms_sync_room_t  *rooms;       /* that the caller is joined in */
    ngx_uint_t              nrooms;
    ngx_rooms_sync_own_t   *own;
    ngx_uint_t              nown;
    int64_t                 total;

    int64_t                 low;         /* the page ends between them */
    int64_t                 high;
    int64_t                 below;       /* events up to high */
    int64_t                 at;          /* where it is to end */
    ngx_uint_t              tries;
} ngx_rooms_look_t;


/* What a request keeps while it waits is this and nothing else. */
typedef struct {
    int64_t                 from;        /* nothing up to here is wanted */
    int64_t                 limit;
    ngx_msec_t              until;
    ngx_rooms_req_t        *rq;
    ngx_rooms_listener_t    listener;
    ngx_event_t             timer;

    ngx_rooms_look_t       *look;
    ngx_uint_t              looks;
    ngx_rooms_sync_event_t *events;
    ngx_uint_t              nevents;
    int64_t                 cursor;
    unsigned                more:1;
    unsigned                waits:1;     /* may wait at all */
    unsigned                waiting:1;
    unsigned                again:1;     /* news came while looking */
    unsigned                late:1;
} ngx_rooms_sync_t;


typedef enum {
    NGX_ROOMS_S_BEGIN = 0,
    NGX_ROOMS_S_ROOMS,                   /* the position, and the rooms */
    NGX_ROOMS_S_COUNTS,                  /* how much is new in each */
    NGX_ROOMS_S_BOUND,                   /* where the page ends */
    NGX_ROOMS_S_EVENTS,
    NGX_ROOMS_S_WAIT,
    NGX_ROOMS_S_HINT                     /* the one event that woke us */
} ngx_rooms_sync_round_e;


/* Everything anew (ngx_rooms_sync.c). */
ngx_int_t ngx_rooms_sync_look(ngx_rooms_req_t *rq);

/* Nothing is new: waits, or gives an empty page (ngx_rooms_sync_wait.c). */
ngx_int_t ngx_rooms_sync_wait(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_sync_woken(ngx_rooms_req_t *rq);
/* What a request is woken by, and its end. */
void ngx_rooms_sync_news(ngx_rooms_listener_t *l);
void ngx_rooms_sync_timeout(ngx_event_t *ev);
void ngx_rooms_sync_cleanup(void *data);

/* ngx_rooms_sync_page.c: NGX_OK (the page is there), NGX_AGAIN, NGX_ERROR,
 * or NGX_DECLINED: there was nothing after all. */
ngx_int_t ngx_rooms_sync_choose(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_sync_bound(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_sync_events(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_sync_hint(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_SYNC_H */
