/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_LOOK_H
#define NGX_ROOMS_LOOK_H

#include "ngx_rooms_reader.h"


/*
 * Between the files of the reader and the fan-out: a look at the store, and
 * its steps.
 */

#define NGX_ROOMS_READER_FEW      16       /* events, however large */
#define NGX_ROOMS_READER_PAGE    (1024 * 1024)


typedef enum {
    NGX_ROOMS_READER_BEGIN = 0,
    NGX_ROOMS_READER_ROOMS,              /* the counter, and the rooms */
    NGX_ROOMS_READER_EPOCH,              /* it was drawn */
    NGX_ROOMS_READER_NEWS,               /* which of them have news */
    NGX_ROOMS_READER_LASTS,              /* the same, room by room */
    NGX_ROOMS_READER_COUNTS,             /* how many */
    NGX_ROOMS_READER_BOUND,              /* where the page ends */
    NGX_ROOMS_READER_SIZES,              /* where it would be too long */
    NGX_ROOMS_READER_EVENTS,
    NGX_ROOMS_READER_WAIT,
    NGX_ROOMS_READER_HINT                /* the room that woke us */
} ngx_rooms_reader_round_e;


typedef struct {
    rooms_str_t               id;
    int64_t                   count;     /* of events that are new */
    unsigned                  news:1;
    unsigned                  joined:1;
} ngx_rooms_reader_room_t;

/* A change of the participant's own membership, or a read marker. */
typedef struct {
    rooms_str_t               room;
    int64_t                   position;
    unsigned                  marker:1;
} ngx_rooms_reader_own_t;

/* One look at everything; lives in the pool of its first batch. */
struct ngx_rooms_look_s {
    int64_t                   last;      /* the counter when it began */
    ngx_rooms_reader_room_t  *rooms;     /* sorted; then those with news */
    ngx_uint_t                nrooms;
    redisReply               *news;
    ngx_rooms_reader_own_t   *own;
    ngx_uint_t                nown;
    int64_t                   total;
    unsigned                  beyond:1;  /* something is behind `last` */
    unsigned                  whole:1;   /* send the script's text */

    int64_t                   low;       /* the page ends between them */
    int64_t                   high;
    int64_t                   below;     /* events up to high */
    int64_t                   at;        /* where it is to end */
    ngx_uint_t                tries;
};



/* A batch, and keys that live as long as it.  NULL: no memory. */
ngx_rooms_batch_t *ngx_rooms_reader_batch(ngx_rooms_req_t *rq,
    ngx_rooms_keys_t *keys);
ngx_int_t ngx_rooms_reader_send(ngx_rooms_req_t *rq,
    ngx_rooms_reader_round_e round);
/* "(position": an open bound of a range of scores. */
rooms_str_t ngx_rooms_reader_after(ngx_rooms_batch_t *b, int64_t position);
/* NULL: the participant isn't in it, or it has no news. */
ngx_rooms_reader_room_t *ngx_rooms_reader_room(ngx_rooms_look_t *look,
    rooms_str_t id);
/* There is nothing up to the counter that was read. */
ngx_int_t ngx_rooms_reader_idle(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);

/* Steps of a page (ngx_rooms_page.c), each after a round to the store. */
ngx_int_t ngx_rooms_page_begin(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);
ngx_int_t ngx_rooms_page_counts(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);
ngx_int_t ngx_rooms_page_bound(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);
ngx_int_t ngx_rooms_page_sizes(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);
ngx_int_t ngx_rooms_page_events(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);

/* Whether a row of the room's members says that the participant is one. */
ngx_uint_t ngx_rooms_page_joined(ngx_rooms_req_t *rq, rooms_str_t room,
    redisReply *row);
/* Appends events with their scores; *last: the last score, 0: there is none. */
ngx_int_t ngx_rooms_page_take(ngx_rooms_req_t *rq, ngx_array_t *a,
    rooms_str_t room, redisReply *events, int64_t *last);
/* How many of the events make a page; one at least, however large. */
ngx_uint_t ngx_rooms_page_fits(ngx_rooms_reader_t *s);

#endif /* NGX_ROOMS_LOOK_H */
