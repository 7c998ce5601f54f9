/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_STREAM_H
#define NGX_ROOMS_STREAM_H

#include "ngx_rooms_fanout.h"
#include "ngx_rooms_status.h"


/*
 * A stream: a reader whose pages are sent one after another over a connection
 * that stays open.  The transport decides what they look like.
 */

typedef struct ngx_rooms_stream_s  ngx_rooms_stream_t;

/* Why a stream ends, in the order of ngx_rooms_stream_reasons[]. */
typedef enum {
    NGX_ROOMS_STREAM_LIVES = 0,
    NGX_ROOMS_STREAM_EXPIRED,            /* the token expired */
    NGX_ROOMS_STREAM_LIFETIME,
    NGX_ROOMS_STREAM_RELOAD,
    NGX_ROOMS_STREAM_STORE,
    NGX_ROOMS_STREAM_FAULT,
    NGX_ROOMS_STREAM_DEACTIVATED,        /* the participant was deactivated */
    NGX_ROOMS_STREAM_CLOSED              /* the transport knows the reason */
} ngx_rooms_stream_end_e;

typedef struct {
    const char               *code;
    ngx_uint_t                reconnect; /* whether the same token may
                                            reconnect */
    ngx_uint_t                close;     /* close code of a WebSocket */
} ngx_rooms_stream_reason_t;

extern const ngx_rooms_stream_reason_t  ngx_rooms_stream_reasons[];


/*
 * How a transport writes what a stream sends.  Each function appends to
 * `out`.  The text of an event depends only on the event, since it is written
 * once for all streams that send it.
 */
typedef struct {
    ngx_uint_t                number;    /* below NGX_ROOMS_NEWS_TEXTS */
    ngx_rooms_gauge_e         gauge;
    /* sets the response's header; NGX_ERROR: out of memory */
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
    rooms_str_t               beat;      /* a heartbeat */

    /* for a transport on which the client sends something, else NULL */
    ngx_http_event_handler_pt  read;
    /* writes messages of the transport's own */
    void                    (*more)(ngx_rooms_stream_t *st,
                                    ngx_rooms_out_t *out);
    /* a heartbeat that the client must answer is due; or why to end */
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

    ngx_rooms_crowd_t            *crowd;     /* counts the participant's
                                                streams */
    ngx_event_t                   timer;     /* for the next heartbeat, or
                                                the end */
    void                         *data;      /* of the transport */
    ngx_msec_t                    until;     /* when it ends, in
                                                ngx_current_msec */
    ngx_msec_t                    lives;     /* the same, if the token didn't
                                                matter */
    ngx_msec_t                    sent;      /* when the last bytes left */
    int64_t                       last_sent; /* the last position sent */

    ngx_pool_t                   *pool;      /* of the page being written */
    ngx_rooms_text_t             *text;      /* what is being sent; NULL:
                                                nothing */
    ngx_chain_t                  *free;
    ngx_chain_t                  *busy;
    ngx_rooms_stream_end_e        ending;    /* end for this reason when
                                                `text` is sent */
    unsigned                      expires:1; /* `until` is the token's expiry */
    unsigned                      begun:1;   /* hello was sent */
    unsigned                      caught:1;  /* the backlog was sent */
    unsigned                      asking:1;  /* looks up authors of imported
                                                events */
    unsigned                      says:1;    /* the transport has a message
                                                to send */
    unsigned                      trimmed:1; /* the request's state was
                                                trimmed */
    unsigned                      ended:1;
};


/*
 * Makes a stream of a reader that hasn't begun.  NGX_ERROR: rq->error says
 * why.  The row's `show` must set rq->answer to ngx_rooms_stream_answer().
 */
ngx_int_t ngx_rooms_stream_create(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s,
    const ngx_rooms_transport_t *transport);
void ngx_rooms_stream_answer(ngx_rooms_req_t *rq);

/*
 * For transports: sends the reason and closes.  The request may be freed
 * afterwards.
 */
void ngx_rooms_stream_end(ngx_rooms_stream_t *st, ngx_rooms_stream_end_e why);
/* transport->more() has something to send; it is sent as soon as possible. */
void ngx_rooms_stream_say(ngx_rooms_stream_t *st);
/* The token is now valid until `exp` (seconds). */
void ngx_rooms_stream_extend(ngx_rooms_stream_t *st, int64_t exp);
/* When its client should reconnect, in ms. */
ngx_uint_t ngx_rooms_stream_retry(ngx_rooms_stream_end_e why);

/* Writes the members of a hello, for all transports. */
#define NGX_ROOMS_STREAM_HELLO  (ROOMS_JSON_STR(256 + 64 + 2                  \
                                                * NGX_ROOMS_EPOCH_MAX) + 256)
void ngx_rooms_stream_hello(ngx_rooms_stream_t *st, rooms_buf_t *b);

#endif /* NGX_ROOMS_STREAM_H */
