/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_READER_H
#define NGX_ROOMS_READER_H

#include "ngx_rooms_request.h"
#include "ngx_rooms_pubsub.h"


/*
 * A reader follows a participant's rooms from a position on.  It returns the
 * next page of news, in the order of positions, and waits if there are none.
 * Its owner decides how a page is written (ngx_rooms_sync.c).
 */

typedef struct ngx_rooms_look_s    ngx_rooms_look_t;
typedef struct ngx_rooms_reader_s  ngx_rooms_reader_t;
typedef struct ngx_rooms_fanout_s  ngx_rooms_fanout_t;
typedef struct ngx_rooms_news_s    ngx_rooms_news_t;

#define NGX_ROOMS_EPOCH_MAX  64

typedef struct {
    int64_t                   position;
    rooms_str_t               json;
    unsigned                  authored:1;  /* may have imported authors */
    unsigned                  imported:1;  /* they were looked up */
} ngx_rooms_reader_event_t;

struct ngx_rooms_reader_s {
    /* what is wanted */
    int64_t                   from;      /* only events after this position */
    int64_t                   limit;     /* the most events of a page */
    rooms_str_t               expects;   /* the epoch; NULL: any */
    ngx_msec_t                until;     /* waits until then, if it waits */
    unsigned                  now:1;     /* begin at the store's position */
    unsigned                  waits:1;
    unsigned                  stream:1;  /* goes on until it is stopped;
                                            `until` isn't used */
    unsigned                  tells:1;   /* of a stream: returns one empty
                                            page before it waits */
    /*
     * of a stream: called when the worker should exit while no step is
     * running
     */
    void                    (*leave)(ngx_rooms_reader_t *s);
    void                     *owner;

    /* the page, valid until the next one is requested */
    ngx_rooms_reader_event_t *events;
    ngx_uint_t                nevents;
    int64_t                   cursor;    /* `from` of the next page */
    const char               *reset;     /* why `from` can't be used, or NULL */
    rooms_str_t               epoch;     /* the tenant's */
    unsigned                  more:1;
    unsigned                  behind:1;  /* there may be more: don't wait */

    /* private; while the reader waits, it holds nothing else */
    ngx_rooms_req_t          *rq;
    ngx_rooms_listener_t      listener;
    ngx_event_t               timer;
    ngx_rooms_look_t         *look;
    ngx_uint_t                looks;
    ngx_rooms_fanout_t       *fanout;    /* the fan-out that it waits for, or
                                            NULL */
    ngx_queue_t               fan;
    ngx_uint_t                row;       /* index of its membership row there */
    ngx_rooms_news_t         *news;      /* the news that the page is from,
                                            or NULL */
    unsigned                  member:1;  /* of the room that has the news */
    unsigned                  waiting:1;
    unsigned                  late:1;
    u_char                    epoch_buf[NGX_ROOMS_EPOCH_MAX];
};


/*
 * Creates a reader, which lives as long as the request's pool.  NULL: out of
 * memory.
 */
ngx_rooms_reader_t *ngx_rooms_reader_create(ngx_rooms_req_t *rq);

/*
 * A step of the pipeline.  Call it until it returns NGX_OK: the page is
 * there.  NGX_AGAIN and NGX_ERROR are as for any step.
 */
ngx_int_t ngx_rooms_reader_step(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);

/* For a stream whose page was taken: goes on after it.  Returns as above. */
ngx_int_t ngx_rooms_reader_next(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);

/* While it waits: makes it do nothing until ngx_rooms_reader_next(). */
void ngx_rooms_reader_pause(ngx_rooms_reader_t *s);

/* The position up to which the reader has returned everything. */
int64_t ngx_rooms_reader_reached(ngx_rooms_reader_t *s);

/* Ends listening for news. */
void ngx_rooms_reader_stop(ngx_rooms_reader_t *s);

#endif /* NGX_ROOMS_READER_H */
