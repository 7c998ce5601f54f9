/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Between the files of the outboxes: a server that is being told. */

#ifndef NGX_ROOMS_OUTBOX_H
#define NGX_ROOMS_OUTBOX_H

#include "ngx_rooms_link.h"
#include "ngx_rooms_pdu.h"
#include "ngx_rooms_peer_call.h"


#define NGX_ROOMS_OUTBOX_ITEMS    50       /* in one request */
#define NGX_ROOMS_OUTBOX_BODY    (100 * 1024)
#define NGX_ROOMS_OUTBOX_MAX   10000       /* items that wait */
#define NGX_ROOMS_OUTBOX_DROP   1000       /* of those beyond, at once */
#define NGX_ROOMS_OUTBOX_SPARE    50       /* for snapshots instead */
#define NGX_ROOMS_OUTBOX_MIN    1000       /* ms, backoff */
#define NGX_ROOMS_OUTBOX_LONG  60000
#define NGX_ROOMS_OUTBOX_WAIT   1000       /* ms, for a new server's answer
                                              while others wait */


typedef struct {
    rooms_str_t               item;        /* as the outbox holds it */
    int64_t                   position;
    rooms_str_t               event;       /* NULL: a snapshot */
    rooms_str_t               refused;     /* what that one answers, or NULL */
    ngx_uint_t                room;        /* index */
    ngx_uint_t                told;        /* index among the room's */
    rooms_str_t               eraser;      /* who may be being erased, or NULL */
    ngx_uint_t                at_eraser;   /* whether they are: a reply */
    unsigned                  valid:1;
    unsigned                  there:1;     /* the event is in the store */
} ngx_rooms_outbox_item_t;

/* A room of ours that the peer hasn't, as it says to what is told of it. */
typedef struct {
    rooms_str_t               id;
    int64_t                   position;
} ngx_rooms_outbox_gone_t;

typedef struct {
    rooms_str_t               id;
    rooms_room_t              room;
    ngx_rooms_pdu_t          *pdu;
    rooms_str_t              *stored;
    ngx_uint_t                n;
    unsigned                  exists:1;
} ngx_rooms_outbox_room_t;

typedef enum {
    NGX_ROOMS_O_ITEMS = 0,                 /* what waits, and the policy */
    NGX_ROOMS_O_EXCESS,                    /* what waits beyond the bound */
    NGX_ROOMS_O_EVENTS,                    /* they and their rooms */
    NGX_ROOMS_O_PAGE,                      /* of a snapshot */
    NGX_ROOMS_O_NAMES,
    NGX_ROOMS_O_CALL,
    NGX_ROOMS_O_COMMIT
} ngx_rooms_outbox_e;

typedef enum {
    NGX_ROOMS_O_SENT = 0,
    NGX_ROOMS_O_FAILED,
    NGX_ROOMS_O_DROPPED,                   /* beyond the bound */
    NGX_ROOMS_O_REFUSED                    /* by the policy: all of it */
} ngx_rooms_outbox_end_e;

/* One server that is being told. */
struct ngx_rooms_outbox_s {
    ngx_queue_t               queue;       /* of the link */
    ngx_rooms_fedlink_t      *link;
    ngx_pool_t               *pool;
    rooms_str_t               server;
    ngx_rooms_link_kind_e     kind;
    ngx_uint_t                window;      /* items to read */
    rooms_str_t               paged;       /* item of a snapshot ... */
    ngx_rooms_pdu_at_t        snapshot;    /* ... that goes on from here */

    /* of a round: one request to the peer */
    ngx_pool_t               *round;
    ngx_rooms_keys_t          keys;
    ngx_rooms_outbox_e        state;
    ngx_rooms_round_t         store;
    ngx_event_t               timer;       /* of the call */
    ngx_rooms_peer_call_t    *call;
    ngx_msec_t                called;

    int64_t                   waiting;     /* ZCARD */
    int64_t                   failures;
    int64_t                   dropped;
    ngx_rooms_outbox_item_t  *items;
    ngx_uint_t                nitems;
    ngx_rooms_outbox_room_t  *rooms;
    ngx_uint_t                nrooms;
    ngx_rooms_pdu_t          *pdu;         /* of a snapshot */
    rooms_str_t              *texts;
    int64_t                  *positions;   /* of texts; not of a snapshot */
    rooms_str_t              *erasers;     /* the same; NULL: of no erasure */
    ngx_uint_t                ntexts;
    ngx_uint_t                told;        /* of texts */
    ngx_uint_t                done;        /* of items */
    ngx_uint_t                sent;        /* texts in the request */
    ngx_rooms_outbox_gone_t  *gone;        /* or NULL */
    ngx_uint_t                ngone;
    ngx_array_t              *skipped;     /* their erasers, or NULL */

    ngx_rooms_outbox_end_e    end;
    ngx_rooms_commit_t        commit;
    rooms_str_t               trouble;     /* for the admin, or NULL */
    unsigned                  empties:1;   /* if nothing comes meanwhile */
    unsigned                  full:1;      /* of snapshots: nothing to drop */
};


/* Tells a server what waits for it, until nothing does or it fails. */
void ngx_rooms_outbox_start(ngx_rooms_fedlink_t *link, rooms_str_t server,
    ngx_rooms_link_kind_e kind);

/*
 * ngx_rooms_outbox.c: the rounds, what waits, and what becomes of it.
 *
 * Sends what is in the batch of o->store.
 */
ngx_int_t ngx_rooms_outbox_ask(ngx_rooms_outbox_t *o,
    ngx_rooms_outbox_e state, ngx_uint_t lane);
/* The one commit that ends a round. */
ngx_int_t ngx_rooms_outbox_finish(ngx_rooms_outbox_t *o,
    ngx_rooms_outbox_end_e end);
/* The server isn't told any more for now. */
void ngx_rooms_outbox_stop(ngx_rooms_outbox_t *o);

/*
 * ngx_rooms_outbox_send.c: events, their names, the request and its answer.
 * What a state does with the store's answers.  NGX_OK: it goes on; NGX_AGAIN:
 * another round begins; NGX_ERROR, NGX_DONE: the server isn't told any more
 * for now.
 */
ngx_int_t ngx_rooms_outbox_ask_events(ngx_rooms_outbox_t *o);
ngx_int_t ngx_rooms_outbox_events(ngx_rooms_outbox_t *o,
    ngx_rooms_batch_t *b);
ngx_int_t ngx_rooms_outbox_page(ngx_rooms_outbox_t *o,
    ngx_rooms_batch_t *b);
ngx_int_t ngx_rooms_outbox_names(ngx_rooms_outbox_t *o,
    ngx_rooms_batch_t *b);
/* The answer takes its time: are there others who wait for the place? */
void ngx_rooms_outbox_waited(ngx_rooms_outbox_t *o);

#endif /* NGX_ROOMS_OUTBOX_H */
