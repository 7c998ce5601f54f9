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
#define NGX_ROOMS_READER_ACTIVE  512       /* entries of `active` */
#define NGX_ROOMS_READER_PAGE    (1024 * 1024)


typedef enum {
    NGX_ROOMS_READER_BEGIN = 0,
    NGX_ROOMS_READER_ROOMS,              /* the counter, and the rooms */
    NGX_ROOMS_READER_EPOCH,              /* it was drawn */
    NGX_ROOMS_READER_NEWS,               /* which of them have news */
    NGX_ROOMS_READER_FIRSTS,             /* since when, if they are many */
    NGX_ROOMS_READER_EVENTS,
    NGX_ROOMS_READER_WAIT,
    NGX_ROOMS_READER_HINT                /* the room that woke us */
} ngx_rooms_reader_round_e;


typedef struct {
    rooms_str_t               id;
    int64_t                   first;     /* nothing is new before that */
    unsigned                  news:1;
} ngx_rooms_reader_room_t;

typedef enum {
    NGX_ROOMS_PAGE_ROOM = 0,             /* its events */
    NGX_ROOMS_PAGE_MEMBERSHIP,           /* the participant's own there */
    NGX_ROOMS_PAGE_MARKER                /* the read marker */
} ngx_rooms_page_kind_e;

/* What a page is made of. */
typedef struct {
    rooms_str_t               room;
    int64_t                   first;     /* nothing is before that */
    ngx_rooms_page_kind_e     kind;
} ngx_rooms_page_from_t;

/* One look at everything; lives in the pool of its first batch. */
struct ngx_rooms_look_s {
    int64_t                   last;      /* the counter when it began */
    ngx_rooms_reader_room_t  *rooms;     /* in the order of ids; then those
                                            that may have news */
    ngx_uint_t                nrooms;
    redisReply               *news;
    ngx_rooms_page_from_t    *own;       /* of it, up to `last` */
    ngx_uint_t                nown;
    ngx_rooms_page_from_t    *from;      /* by where they begin, or NULL */
    ngx_uint_t                nfrom;
    int64_t                   at;        /* up to there they are all */
    unsigned                  crowded:1; /* too much has happened in the
                                            tenant to see whose it is */
    unsigned                  cut:1;     /* there is more behind `at` */
    unsigned                  beyond:1;  /* something is behind `last` */
    unsigned                  whole:1;   /* send the script's text */
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
ngx_int_t ngx_rooms_page_firsts(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);
ngx_int_t ngx_rooms_page_events(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);

/* Whether a row of the room's members says that the participant is one. */
ngx_uint_t ngx_rooms_page_joined(ngx_rooms_req_t *rq, rooms_str_t room,
    redisReply *row);
/* How many of the events make a page; one at least, however large. */
ngx_uint_t ngx_rooms_page_fits(ngx_rooms_reader_t *s);

#endif /* NGX_ROOMS_LOOK_H */
