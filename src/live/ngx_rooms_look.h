/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_LOOK_H
#define NGX_ROOMS_LOOK_H

#include "ngx_rooms_reader.h"
#include "ngx_rooms_roomlist.h"


/*
 * Shared by the files of the reader and the fan-out: a look at the store, and
 * its steps.
 */

#define NGX_ROOMS_READER_FEW      16       /* events that are read without a
                                              bound of bytes */
#define NGX_ROOMS_READER_ACTIVE  512       /* entries of `active` */
#define NGX_ROOMS_READER_PAGE    (1024 * 1024)
#define NGX_ROOMS_READER_LOOKS    64       /* looks in a row without a pause */


typedef enum {
    NGX_ROOMS_READER_BEGIN = 0,
    NGX_ROOMS_READER_COUNTER,            /* and what else may be needed to
                                            know the rooms */
    NGX_ROOMS_READER_EPOCH,              /* a new epoch was written */
    NGX_ROOMS_READER_ROOMS,              /* the list of the rooms */
    NGX_ROOMS_READER_NEWS,               /* which rooms have news */
    NGX_ROOMS_READER_FIRSTS,             /* where the news begin, if there
                                            are many rooms */
    NGX_ROOMS_READER_EVENTS,
    NGX_ROOMS_READER_WAIT,
    NGX_ROOMS_READER_HINT                /* the room that woke us */
} ngx_rooms_reader_round_e;


typedef struct {
    rooms_str_t               id;
    int64_t                   first;     /* nothing is new before this
                                            position */
    unsigned                  room:31;   /* its number in the list */
    unsigned                  exact:1;   /* there is an event; or none is
                                            new at all */
} ngx_rooms_reader_room_t;

typedef enum {
    NGX_ROOMS_PAGE_ROOM = 0,             /* its events */
    NGX_ROOMS_PAGE_MEMBERSHIP,           /* the participant's own membership */
    NGX_ROOMS_PAGE_MARKER                /* the read marker */
} ngx_rooms_page_kind_e;

/* A source of a page. */
typedef struct {
    rooms_str_t               room;
    int64_t                   first;     /* nothing before this position */
    ngx_rooms_page_kind_e     kind;
    ngx_uint_t                place;     /* of a room, among the look's */
} ngx_rooms_page_from_t;

/* One look at everything; it lives in the pool of its first batch. */
struct ngx_rooms_look_s {
    int64_t                   last;      /* the counter when it began:
                                            nothing beyond is read */
    ngx_rooms_roomlist_t     *list;      /* the participant's rooms, or NULL:
                                            not known yet */
    ngx_uint_t                nlist;     /* their number */
    redisReply               *active;    /* rooms with news in the tenant */
    redisReply               *news;      /* of the participant's own */
    ngx_rooms_reader_room_t  *rooms;     /* those that may have news */
    ngx_uint_t                nrooms;
    ngx_uint_t                npicked;   /* the last ones of them, which the
                                            page can reach */
    ngx_uint_t                picks;     /* rounds of picking */
    ngx_rooms_reader_room_t **asked;     /* those that are being asked */
    ngx_uint_t                nasked;
    ngx_uint_t                entries;   /* of `active`, to be read */
    rooms_str_t               past;      /* the tenant's field of backfills */
    ngx_rooms_page_from_t    *own;       /* the participant's own news, up to
                                            `last` */
    ngx_uint_t                nown;
    ngx_rooms_page_from_t    *from;      /* all sources by `first`, or NULL */
    ngx_uint_t                nfrom;
    int64_t                   end;       /* up to here `own` is complete */
    int64_t                   at;        /* up to here the sources are
                                            complete */
    unsigned                  crowded:1; /* the tenant has more news than
                                            `active` was read for: ask each
                                            room */
    unsigned                  cut:1;     /* there is more after `at` */
    unsigned                  hidden:1;  /* the page has read rooms that the
                                            participant isn't in */
    unsigned                  beyond:1;  /* there is something after `last` */
    unsigned                  kept:1;    /* `list` was read before */
    unsigned                  early:1;   /* rooms that begin before their id's
                                            time were asked for */
};


/* Makes a batch, and keys that live as long as it.  NULL: out of memory. */
ngx_rooms_batch_t *ngx_rooms_reader_batch(ngx_rooms_req_t *rq,
    ngx_rooms_keys_t *keys);
ngx_int_t ngx_rooms_reader_send(ngx_rooms_req_t *rq,
    ngx_rooms_reader_round_e round);
/* "(position": a lower bound that excludes the position. */
rooms_str_t ngx_rooms_reader_after(ngx_rooms_batch_t *b, int64_t position);
/* Handles that there is nothing new up to the counter. */
ngx_int_t ngx_rooms_reader_idle(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);

/* The steps of a page (ngx_rooms_page.c), each after a round to the store. */
ngx_int_t ngx_rooms_page_begin(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);
ngx_int_t ngx_rooms_page_firsts(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);
ngx_int_t ngx_rooms_page_events(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);

/* Whether a row of the room says that the participant is a member. */
ngx_uint_t ngx_rooms_page_joined(ngx_rooms_req_t *rq, rooms_str_t room,
    redisReply *row);
/* How many of the events make a page: at least one, however large. */
ngx_uint_t ngx_rooms_page_fits(ngx_rooms_reader_t *s);

#endif /* NGX_ROOMS_LOOK_H */
