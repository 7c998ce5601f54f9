/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_READER_H
#define NGX_ROOMS_READER_H

#include "ngx_rooms_request.h"
#include "ngx_rooms_pubsub.h"


/*
 * A reader follows a participant's rooms from a position on: it gives the next
 * page of what is new there, in the order of positions, and waits if nothing
 * is.  How a page is written is its owner's business (ngx_rooms_sync.c).
 */

typedef struct ngx_rooms_look_s    ngx_rooms_look_t;
typedef struct ngx_rooms_reader_s  ngx_rooms_reader_t;
typedef struct ngx_rooms_fanout_s  ngx_rooms_fanout_t;
typedef struct ngx_rooms_news_s    ngx_rooms_news_t;

#define NGX_ROOMS_EPOCH_MAX  64

typedef struct {
    int64_t                   position;
    rooms_str_t               json;
    unsigned                  imported:1;  /* of a stream's page */
} ngx_rooms_reader_event_t;

struct ngx_rooms_reader_s {
    /* what is asked for */
    int64_t                   from;      /* nothing up to here is wanted */
    int64_t                   limit;     /* events of a page */
    rooms_str_t               expects;   /* the epoch; NULL: any */
    ngx_msec_t                until;     /* waits so long, if it waits */
    unsigned                  now:1;     /* `from` is where the store is */
    unsigned                  waits:1;
    unsigned                  stream:1;  /* until it is stopped, and `until`
                                            says nothing */
    unsigned                  tells:1;   /* of a stream: gives one empty page
                                            before it waits */
    /* of a stream: the worker is to exit, while no step is called */
    void                    (*leave)(ngx_rooms_reader_t *s);
    void                     *owner;

    /* the page, until the reader is asked for the next one */
    ngx_rooms_reader_event_t *events;
    ngx_uint_t                nevents;
    int64_t                   cursor;    /* the next one's `from` */
    const char               *reset;     /* why `from` was no good, or NULL */
    rooms_str_t               epoch;     /* of the tenant */
    unsigned                  more:1;
    unsigned                  behind:1;  /* there may be: don't wait */

    /* the reader's own; while it waits, this is all that there is of it */
    ngx_rooms_req_t          *rq;
    ngx_rooms_listener_t      listener;
    ngx_event_t               timer;
    ngx_rooms_look_t         *look;
    ngx_uint_t                looks;
    ngx_rooms_fanout_t       *fanout;    /* that it waits for, or NULL */
    ngx_queue_t               fan;
    ngx_uint_t                row;       /* of its membership, there */
    ngx_rooms_news_t         *news;      /* that the page is of, or NULL */
    unsigned                  member:1;  /* of the news' room */
    unsigned                  waiting:1;
    unsigned                  late:1;
    u_char                    epoch_buf[NGX_ROOMS_EPOCH_MAX];
};


/* Made with the request's pool, ends with it.  NULL: no memory. */
ngx_rooms_reader_t *ngx_rooms_reader_create(ngx_rooms_req_t *rq);

/*
 * A step of the pipeline: called until it gives NGX_OK, the page is there;
 * NGX_AGAIN and NGX_ERROR as any step.
 */
ngx_int_t ngx_rooms_reader_step(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);

/*
 * Of a stream, when the page was taken: goes on behind it.  Afterwards the
 * same as a step.
 */
ngx_int_t ngx_rooms_reader_next(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);

/* It waits, and is to do nothing before ngx_rooms_reader_next(). */
void ngx_rooms_reader_pause(ngx_rooms_reader_t *s);

/* Up to where there is nothing for it that it hasn't given. */
int64_t ngx_rooms_reader_reached(ngx_rooms_reader_t *s);

/* Wants no news any more. */
void ngx_rooms_reader_stop(ngx_rooms_reader_t *s);

#endif /* NGX_ROOMS_READER_H */
