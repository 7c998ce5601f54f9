/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A link is a server{} that federates, as its outboxes see it.  One worker of
 * the whole fleet drains them: who holds the lease, and whatever a drain
 * changes is fenced by it.
 */

#ifndef NGX_ROOMS_LINK_H
#define NGX_ROOMS_LINK_H

#include "ngx_rooms_request.h"
#include "ngx_rooms_pdu.h"
#include "ngx_rooms_peer_call.h"


#define NGX_ROOMS_LINK_LEASE   5000        /* ms */
#define NGX_ROOMS_LINK_RENEW   1500
#define NGX_ROOMS_LINK_TRY     1000        /* to 2000: for the lease */
#define NGX_ROOMS_LINK_POLL     250        /* for what is due */
#define NGX_ROOMS_LINK_SENDS     32        /* servers at the same time */
#define NGX_ROOMS_LINK_TOKEN     32

#define NGX_ROOMS_OUTBOX_ITEMS    50       /* in one request */
#define NGX_ROOMS_OUTBOX_BODY    (100 * 1024)
#define NGX_ROOMS_OUTBOX_MAX   10000       /* items that wait */
#define NGX_ROOMS_OUTBOX_DROP   1000       /* of those beyond, at once */
#define NGX_ROOMS_OUTBOX_SPARE    50      /* for snapshots instead */
#define NGX_ROOMS_OUTBOX_MIN    1000       /* ms, backoff */
#define NGX_ROOMS_OUTBOX_LONG  60000

typedef struct ngx_rooms_fedlink_s    ngx_rooms_fedlink_t;
typedef struct ngx_rooms_outbox_s  ngx_rooms_outbox_t;

typedef enum {
    NGX_ROOMS_LINK_TAKES = 0,              /* the lease */
    NGX_ROOMS_LINK_RENEWS,
    NGX_ROOMS_LINK_POLLS
} ngx_rooms_link_e;

struct ngx_rooms_fedlink_s {
    ngx_http_conf_ctx_t      *ctx;
    ngx_rooms_loc_conf_t     *conf;

    /* of this worker */
    ngx_event_t               timer;
    ngx_rooms_batch_t        *batch;
    ngx_rooms_link_e          asking;
    ngx_msec_t                asked;
    ngx_msec_t                until;       /* the lease is ours; 0: isn't */
    u_char                    token[NGX_ROOMS_LINK_TOKEN];
    ngx_queue_t               sends;       /* of ngx_rooms_outbox_t */
    ngx_uint_t                nsends;
    void                     *endings;     /* ngx_rooms_endings_t */
    unsigned                  whole:1;     /* send the script's text */
    unsigned                  again:1;     /* poked meanwhile */
};


typedef struct {
    rooms_str_t               item;        /* as the outbox holds it */
    int64_t                   position;
    rooms_str_t               event;       /* NULL: a snapshot */
    rooms_str_t               refused;     /* what that one answers, or NULL */
    ngx_uint_t                room;        /* index */
    ngx_uint_t                told;        /* index among the room's */
    unsigned                  valid:1;
    unsigned                  there:1;     /* the event is in the store */
} ngx_rooms_outbox_item_t;

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

#define NGX_ROOMS_OUTBOX_BATCHES  8

/* One server that is being told. */
struct ngx_rooms_outbox_s {
    ngx_queue_t               queue;       /* of the link */
    ngx_rooms_fedlink_t         *link;
    ngx_pool_t               *pool;
    rooms_str_t               server;
    ngx_uint_t                window;      /* items to read */
    rooms_str_t               paged;       /* item of a snapshot ... */
    ngx_rooms_pdu_at_t        snapshot;    /* ... that goes on from here */

    /* of a round: one request to the peer */
    ngx_pool_t               *round;
    ngx_rooms_keys_t          keys;
    ngx_rooms_outbox_e        state;
    ngx_event_t               timer;
    ngx_rooms_batch_t        *batches[NGX_ROOMS_OUTBOX_BATCHES];
    ngx_uint_t                nbatches;
    ngx_uint_t                lane;
    ngx_rooms_peer_call_t    *call;

    int64_t                   waiting;     /* ZCARD */
    int64_t                   failures;
    int64_t                   dropped;
    ngx_rooms_outbox_item_t  *items;
    ngx_uint_t                nitems;
    ngx_rooms_outbox_room_t  *rooms;
    ngx_uint_t                nrooms;
    ngx_rooms_pdu_t          *pdu;         /* of a snapshot */
    rooms_str_t              *texts;
    ngx_uint_t                ntexts;
    ngx_uint_t                told;        /* of texts */
    ngx_uint_t                done;        /* of items */
    ngx_uint_t                sent;        /* texts in the request */

    ngx_rooms_outbox_end_e    end;
    ngx_rooms_commit_t        commit;
    rooms_str_t               trouble;     /* for the admin, or NULL */
    unsigned                  empties:1;   /* if nothing comes meanwhile */
    unsigned                  whole:1;
    unsigned                  full:1;      /* of snapshots: nothing to drop */
};


/* A location of a server that federates: its server, once. */
ngx_int_t ngx_rooms_link_add(ngx_conf_t *cf, ngx_array_t *links,
    ngx_rooms_loc_conf_t *conf);
void ngx_rooms_link_init_worker(ngx_array_t *links, ngx_cycle_t *cycle);

/* Whether the lease is ours still, as far as we know. */
ngx_uint_t ngx_rooms_link_holds(ngx_rooms_fedlink_t *link);
ngx_int_t ngx_rooms_link_fence(ngx_rooms_fedlink_t *link, ngx_rooms_commit_t *c,
    ngx_pool_t *pool, ngx_rooms_keys_t *keys);

/* Something has come into an outbox: it is looked at now, if we drain. */
void ngx_rooms_outbox_poke(ngx_rooms_loc_conf_t *conf);

/* Tells a server what waits for it, until nothing does or it fails. */
void ngx_rooms_outbox_start(ngx_rooms_fedlink_t *link, rooms_str_t server);


/* Between ngx_rooms_outbox.c and ngx_rooms_outbox_send.c. */
ngx_rooms_batch_t *ngx_rooms_outbox_batch(ngx_rooms_outbox_t *o);
ngx_int_t ngx_rooms_outbox_ask(ngx_rooms_outbox_t *o,
    ngx_rooms_outbox_e state, ngx_uint_t lane);
void ngx_rooms_outbox_next(ngx_rooms_outbox_t *o);
void ngx_rooms_outbox_stop(ngx_rooms_outbox_t *o);
ngx_int_t ngx_rooms_outbox_send(ngx_rooms_outbox_t *o);
ngx_int_t ngx_rooms_outbox_finish(ngx_rooms_outbox_t *o,
    ngx_rooms_outbox_end_e end);
ngx_int_t ngx_rooms_outbox_committed(ngx_rooms_outbox_t *o,
    ngx_rooms_batch_t *b);

#endif /* NGX_ROOMS_LINK_H */
