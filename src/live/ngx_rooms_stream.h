/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_STREAM_H
#define NGX_ROOMS_STREAM_H

#include "ngx_rooms_fanout.h"
#include "ngx_rooms_status.h"


/*
 * A stream: a reader whose pages leave one after another over a connection
 * that stays open.  What the pages look like is its transport's business.
 */

typedef struct ngx_rooms_stream_s  ngx_rooms_stream_t;

/* Why a stream ends, in the order of ngx_rooms_stream_reasons[]. */
typedef enum {
    NGX_ROOMS_STREAM_LIVES = 0,
    NGX_ROOMS_STREAM_EXPIRED,            /* the token */
    NGX_ROOMS_STREAM_LIFETIME,
    NGX_ROOMS_STREAM_RELOAD,
    NGX_ROOMS_STREAM_STORE,
    NGX_ROOMS_STREAM_FAULT,
    NGX_ROOMS_STREAM_DEACTIVATED,        /* the participant */
    NGX_ROOMS_STREAM_CLOSED              /* the transport knows more */
} ngx_rooms_stream_end_e;

typedef struct {
    const char               *code;
    ngx_uint_t                reconnect; /* with the same token */
    ngx_uint_t                close;     /* code of a WebSocket */
} ngx_rooms_stream_reason_t;

extern const ngx_rooms_stream_reason_t  ngx_rooms_stream_reasons[];


/*
 * How a transport writes what streams say.  Each appends to `out`.  An
 * event's text depends on the event alone: it is written once for all streams
 * that get it.
 */
typedef struct {
    ngx_uint_t                number;    /* below NGX_ROOMS_NEWS_TEXTS */
    ngx_rooms_gauge_e         gauge;
    /* sets what is in the header; NGX_ERROR: no memory */
    ngx_int_t               (*header)(ngx_rooms_stream_t *st);
    void                    (*hello)(ngx_rooms_stream_t *st,
                                     ngx_rooms_out_t *out);
    void                    (*event)(ngx_rooms_out_t *out, rooms_str_t tenant,
                                     int64_t position, rooms_str_t json);
    void                    (*caught_up)(ngx_rooms_out_t *out,
                                         int64_t position);
    void                    (*reset)(ngx_rooms_out_t *out, const char *why,
                                     int64_t position);
    void                    (*end)(ngx_rooms_stream_t *st,
                                   ngx_rooms_out_t *out,
                                   ngx_rooms_stream_end_e why);
    rooms_str_t               beat;      /* says that we live */

    /* of a transport that the client talks back on; NULL: it can't */
    ngx_http_event_handler_pt  read;
    /* what it has to say by itself */
    void                    (*more)(ngx_rooms_stream_t *st,
                                    ngx_rooms_out_t *out);
    /* a beat is due, which the client is to answer; or why to end */
    ngx_rooms_stream_end_e  (*pings)(ngx_rooms_stream_t *st);
} ngx_rooms_transport_t;

extern const ngx_rooms_transport_t  ngx_rooms_sse;
extern const ngx_rooms_transport_t  ngx_rooms_ws_flat;
extern const ngx_rooms_transport_t  ngx_rooms_ws_plain;


typedef struct ngx_rooms_crowd_s  ngx_rooms_crowd_t;

struct ngx_rooms_stream_s {
    ngx_rooms_req_t              *rq;
    ngx_rooms_reader_t           *reader;
    const ngx_rooms_transport_t  *transport;

    ngx_rooms_crowd_t            *crowd;     /* the participant's streams */
    ngx_event_t                   timer;     /* a heartbeat, or the end */
    void                         *data;      /* of the transport */
    ngx_msec_t                    until;     /* of ngx_current_msec */
    ngx_msec_t                    lives;     /* the same, without a token */
    ngx_msec_t                    sent;      /* when the last bytes left */
    int64_t                       told;      /* the last position */

    ngx_pool_t                   *pool;      /* of a page that is written */
    ngx_rooms_text_t             *text;      /* what leaves; NULL: nothing */
    ngx_chain_t                  *free;
    ngx_chain_t                  *busy;
    ngx_rooms_stream_end_e        ending;    /* as soon as `text` has left */
    unsigned                      expires:1; /* `until` is the token's */
    unsigned                      begun:1;   /* hello was said */
    unsigned                      caught:1;  /* the backlog is through */
    unsigned                      asking:1;  /* who wrote imported events */
    unsigned                      says:1;    /* its transport, by itself */
    unsigned                      trimmed:1; /* the request's state */
    unsigned                      ended:1;
};


/*
 * Makes a stream of a reader that hasn't begun; NGX_ERROR: rq->error says
 * why not.  Its row's show sets rq->answer to ngx_rooms_stream_answer().
 */
ngx_int_t ngx_rooms_stream_create(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s,
    const ngx_rooms_transport_t *transport);
void ngx_rooms_stream_answer(ngx_rooms_req_t *rq);

/* For a transport: says why, and closes; the request may be gone then. */
void ngx_rooms_stream_end(ngx_rooms_stream_t *st, ngx_rooms_stream_end_e why);
/* transport->more() has something, which leaves as soon as it can. */
void ngx_rooms_stream_say(ngx_rooms_stream_t *st);
/* The token is good until then, in seconds. */
void ngx_rooms_stream_extend(ngx_rooms_stream_t *st, int64_t exp);
/* When its client is to come back, in ms. */
ngx_uint_t ngx_rooms_stream_retry(ngx_rooms_stream_end_e why);

/* The members of a hello, for both transports. */
#define NGX_ROOMS_STREAM_HELLO  (ROOMS_JSON_STR(256 + 64 + 2                  \
                                                * NGX_ROOMS_EPOCH_MAX) + 256)
void ngx_rooms_stream_hello(ngx_rooms_stream_t *st, rooms_buf_t *b);

#endif /* NGX_ROOMS_STREAM_H */
