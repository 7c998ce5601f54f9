/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Shared by the files of the outboxes: the state of sending to one server. */

#ifndef NGX_ROOMS_OUTBOX_H
#define NGX_ROOMS_OUTBOX_H

#include "ngx_rooms_link.h"
#include "ngx_rooms_pager.h"
#include "ngx_rooms_pdu.h"
#include "ngx_rooms_peer_call.h"


#define NGX_ROOMS_OUTBOX_ITEMS    50       /* in one request */
#define NGX_ROOMS_OUTBOX_BODY    (100 * 1024)
#define NGX_ROOMS_OUTBOX_MAX   10000       /* items an outbox holds, at most */
#define NGX_ROOMS_OUTBOX_DROP   1000       /* excess items dropped in one
                                              commit */
#define NGX_ROOMS_OUTBOX_SPARE    50       /* dropped in addition, to make
                                              place for what replaces them */
#define NGX_ROOMS_OUTBOX_PAGE    200       /* events read at once to find
                                              those to repeat */
#define NGX_ROOMS_OUTBOX_MIN    1000       /* ms, first backoff */
#define NGX_ROOMS_OUTBOX_LONG  60000
#define NGX_ROOMS_OUTBOX_WAIT   1000       /* ms to wait for a new server's
                                              answer while others wait */


typedef struct {
    rooms_str_t               item;        /* as stored */
    int64_t                   position;
    rooms_str_t               event;       /* event id; NULL: a snapshot, or
                                              `repeats` */
    rooms_str_t               refused;     /* the peer's event that the
                                              snapshot answers, or NULL */
    ngx_uint_t                room;        /* index into `rooms` */
    ngx_uint_t                nth;         /* index into the room's events */
    rooms_str_t               eraser;      /* the sender, whose erasure may
                                              be running; or NULL */
    ngx_uint_t                at_eraser;   /* reply: whether it is */
    unsigned                  valid:1;
    unsigned                  repeats:1;   /* repeats dropped events */
    unsigned                  there:1;     /* the event is stored */
} ngx_rooms_outbox_item_t;

/*
 * A room at home here that the peer doesn't have, as its answer to an event
 * at `position` says.
 */
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
    int64_t                   first;       /* of items to drop: the first
                                              event, 0: none ... */
    int64_t                   last;        /* ... and the last item */
    unsigned                  exists:1;
} ngx_rooms_outbox_room_t;

typedef enum {
    NGX_ROOMS_O_ITEMS = 0,                 /* read the waiting items and the
                                              policy */
    NGX_ROOMS_O_EXCESS,                    /* read the items beyond the bound */
    NGX_ROOMS_O_EVENTS,                    /* read events and their rooms */
    NGX_ROOMS_O_REPEAT,                    /* read a page of a room's events,
                                              of which some are repeated */
    NGX_ROOMS_O_PAGE,                      /* read a page of members for a
                                              snapshot */
    NGX_ROOMS_O_NAMES,
    NGX_ROOMS_O_CALL,
    NGX_ROOMS_O_COMMIT
} ngx_rooms_outbox_e;

typedef enum {
    NGX_ROOMS_O_SENT = 0,
    NGX_ROOMS_O_FAILED,
    NGX_ROOMS_O_DROPPED,                   /* items beyond the bound were
                                              dropped */
    NGX_ROOMS_O_REFUSED                    /* the policy forbids the server:
                                              drop everything */
} ngx_rooms_outbox_end_e;

/* One server that items are being sent to. */
struct ngx_rooms_outbox_s {
    ngx_queue_t               queue;       /* of the link */
    ngx_rooms_fedlink_t      *link;
    ngx_pool_t               *pool;
    rooms_str_t               server;
    ngx_rooms_link_kind_e     kind;
    ngx_uint_t                window;      /* items to read in a round */
    rooms_str_t               paged;       /* the snapshot's item */
    ngx_rooms_pdu_at_t        snapshot;    /* where the snapshot continues */

    /* one round: one request to the peer */
    ngx_pool_t               *round;
    ngx_rooms_keys_t          keys;
    ngx_rooms_outbox_e        state;
    ngx_rooms_round_t         store;
    ngx_event_t               timer;       /* limits the wait for the call */
    ngx_rooms_peer_call_t    *call;
    ngx_msec_t                called;

    int64_t                   waiting;     /* ZCARD of the outbox */
    int64_t                   failures;
    int64_t                   dropped;
    ngx_rooms_outbox_item_t  *items;
    ngx_uint_t                nitems;
    ngx_rooms_outbox_room_t  *rooms;
    ngx_uint_t                nrooms;
    ngx_rooms_outbox_item_t   repeat;      /* the item that events are
                                              repeated for */
    ngx_rooms_pager_t         pager;
    int64_t                   next;        /* where it continues; 0: it is
                                              done */
    ngx_rooms_pdu_t          *pdu;         /* of the snapshot */
    rooms_str_t              *texts;
    int64_t                  *positions;   /* of each text; NULL: a snapshot */
    rooms_str_t              *erasers;     /* of each text; an entry is NULL
                                              without an erasure */
    ngx_uint_t                ntexts;
    ngx_uint_t                judged;      /* texts that the peer has judged */
    ngx_uint_t                done;        /* items that are done */
    ngx_uint_t                sent;        /* texts in the request */
    ngx_rooms_outbox_gone_t  *gone;        /* or NULL */
    ngx_uint_t                ngone;
    ngx_array_t              *skipped;     /* ids of erased senders whose
                                              redaction was refused; or NULL */

    ngx_rooms_outbox_end_e    end;
    ngx_rooms_commit_t        commit;
    rooms_str_t               trouble;     /* for the administrator, JSON, or
                                              NULL */
    unsigned                  empties:1;   /* the outbox becomes empty,
                                              unless more comes in */
    unsigned                  full:1;      /* no events wait: nothing can
                                              be dropped */
};


/*
 * Sends the waiting items to a server until none is left or a request fails.
 */
void ngx_rooms_outbox_start(ngx_rooms_fedlink_t *link, rooms_str_t server,
    ngx_rooms_link_kind_e kind);

/*
 * ngx_rooms_outbox.c: the rounds, reading the items, and the result.
 *
 * Sends the batch of o->store.
 */
ngx_int_t ngx_rooms_outbox_ask(ngx_rooms_outbox_t *o,
    ngx_rooms_outbox_e state, ngx_uint_t lane);
/* The single commit at the end of a round. */
ngx_int_t ngx_rooms_outbox_finish(ngx_rooms_outbox_t *o,
    ngx_rooms_outbox_end_e end);
/* Stops sending to the server for now. */
void ngx_rooms_outbox_stop(ngx_rooms_outbox_t *o);

/*
 * ngx_rooms_outbox_send.c: events, names, the request and its answer.  Each
 * function handles the store's replies in one state.  NGX_OK: it goes on;
 * NGX_AGAIN: start another round; NGX_ERROR, NGX_DONE: stop sending to the
 * server for now.
 */
ngx_int_t ngx_rooms_outbox_ask_events(ngx_rooms_outbox_t *o);
ngx_int_t ngx_rooms_outbox_events(ngx_rooms_outbox_t *o,
    ngx_rooms_batch_t *b);
ngx_int_t ngx_rooms_outbox_repeat(ngx_rooms_outbox_t *o,
    ngx_rooms_batch_t *b);
ngx_int_t ngx_rooms_outbox_page(ngx_rooms_outbox_t *o,
    ngx_rooms_batch_t *b);
ngx_int_t ngx_rooms_outbox_names(ngx_rooms_outbox_t *o,
    ngx_rooms_batch_t *b);
/* The answer is late: gives up the place if other servers wait for it. */
void ngx_rooms_outbox_waited(ngx_rooms_outbox_t *o);

#endif /* NGX_ROOMS_OUTBOX_H */
