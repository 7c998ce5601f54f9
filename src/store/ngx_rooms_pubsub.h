/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_PUBSUB_H
#define NGX_ROOMS_PUBSUB_H

#include "ngx_rooms_store.h"
#include <ngx_event_connect.h>


/*
 * News of commits from all workers of all servers.  Each worker has one
 * connection to each store, subscribed to the channels of the tenants that
 * somebody here listens for (ngx_rooms_pubsub.c). ngx_rooms_listen.c decides
 * who is told of what.
 */

typedef struct ngx_rooms_pubsub_s    ngx_rooms_pubsub_t;
typedef struct ngx_rooms_channel_s   ngx_rooms_channel_t;
typedef struct ngx_rooms_topic_s     ngx_rooms_topic_t;
typedef struct ngx_rooms_interest_s  ngx_rooms_interest_t;
typedef struct ngx_rooms_listener_s  ngx_rooms_listener_t;

typedef void (*ngx_rooms_listener_pt)(ngx_rooms_listener_t *l);


/* ms of silence before a PING. */
#define NGX_ROOMS_PUBSUB_PING  15000

typedef enum {
    NGX_ROOMS_PUBSUB_DOWN = 0,
    NGX_ROOMS_PUBSUB_CONNECTING,
    NGX_ROOMS_PUBSUB_GREETING,             /* AUTH */
    NGX_ROOMS_PUBSUB_READY
} ngx_rooms_pubsub_state_e;

/* A user of a connection that isn't for channels. */
typedef struct {
    void                     (*ready)(void *data);
    void                     (*lost)(void *data);
    ngx_int_t                (*push)(void *data, redisReply *reply);
    ngx_msec_t               (*ping)(void *data);   /* silence before the
                                                       next PING, ms */
} ngx_rooms_pubsub_owner_t;

struct ngx_rooms_pubsub_s {
    ngx_rooms_store_t         *store;
    ngx_log_t                 *log;
    ngx_rooms_pubsub_state_e   state;
    ngx_connection_t          *connection;
    ngx_rooms_node_t          *node;       /* the node that it leads to */
    redisReader               *reader;
    u_char                    *out;        /* bytes that the socket hasn't
                                              taken yet */
    size_t                     nout;
    size_t                     size;
    ngx_event_t                timer;      /* connect, backoff, ping */
    ngx_uint_t                 attempts;
    ngx_msec_t                 pinged;

    const ngx_rooms_pubsub_owner_t  *owner;   /* NULL: the connection is for
                                                 channels */
    void                      *data;       /* belongs to the owner */
    ngx_rooms_node_t          *fixed;      /* only to this Redis; or NULL */
    unsigned                   pinging:1;
    unsigned                   refused:1;  /* an error was logged already */

    ngx_queue_t                channels;
    ngx_rbtree_t               names;      /* of the channels */
    ngx_rbtree_node_t          sentinel;
    ngx_queue_t                woken;      /* listeners to be called */
    ngx_event_t                wake;
};

/*
 * The channel of a tenant.  It stays for a while after its last listener.
 * All news up to `head` was read from the store, and its listeners were told.
 */
struct ngx_rooms_channel_s {
    ngx_str_node_t             sn;
    ngx_queue_t                queue;
    ngx_rooms_pubsub_t        *pubsub;
    rooms_str_t                prefix;     /* of the tenant's keys */
    ngx_uint_t                 slot;
    ngx_rbtree_t               topics;
    ngx_rbtree_node_t          sentinel;
    ngx_queue_t                listeners;
    ngx_event_t                timer;      /* ends the channel when nobody
                                              listens */

    int64_t                    head;
    ngx_rooms_batch_t         *sweep;      /* in flight */
    ngx_event_t                late;       /* deadline of the sweep */
    ngx_event_t                tick;       /* the next sweep, if no message
                                              causes one */
    unsigned                   again:1;    /* a message came during the sweep */
    unsigned                   subscribed:1;
};

/* A room ("r" and its id) or a participant ("p" and the id). */
struct ngx_rooms_topic_s {
    ngx_str_node_t             sn;
    ngx_queue_t                links;
};

typedef struct {
    ngx_queue_t                queue;      /* of the topic */
    ngx_rooms_interest_t      *interest;
} ngx_rooms_link_t;

/*
 * One participant and some rooms: what a listener waits for.  It never
 * changes.  Listeners share it, and it may be kept while nobody listens.
 */
struct ngx_rooms_interest_s {
    ngx_rooms_channel_t       *channel;    /* NULL: it has ended */
    ngx_queue_t                listeners;
    uint32_t                   refs;
    uint32_t                   nlinks;
    ngx_rooms_link_t           links[];
};

/*
 * A listener that waits. `handler` is called when there is news, never from
 * within a call of these functions. `full`: everything must be looked at;
 * otherwise only the room of `topic` has news, up to `position`.
 */
struct ngx_rooms_listener_s {
    ngx_rooms_listener_pt      handler;
    void                      *data;
    ngx_rooms_interest_t      *interest;   /* NULL: doesn't listen */
    ngx_queue_t                queue;      /* of the channel */
    ngx_queue_t                beside;     /* of the interest */

    ngx_queue_t                woken;
    ngx_rooms_topic_t         *topic;
    int64_t                    position;
    unsigned                   queued:1;
    unsigned                   full:1;
};


/* Initializes one more connection in the caller's memory. */
void ngx_rooms_pubsub_init(ngx_rooms_pubsub_t *ps, ngx_rooms_store_t *store,
    ngx_log_t *log);
void ngx_rooms_pubsub_send(ngx_rooms_pubsub_t *ps, const rooms_str_t *argv,
    ngx_uint_t argc);

/*
 * Call the first before the store's own init, which may already use it; the
 * second after its end.
 */
ngx_int_t ngx_rooms_pubsub_init_worker(ngx_rooms_store_t *store,
    ngx_cycle_t *cycle);
void ngx_rooms_pubsub_leave(ngx_rooms_pubsub_t *ps);

/* Has one reference, the caller's.  NULL: out of memory. */
ngx_rooms_interest_t *ngx_rooms_interest_create(ngx_rooms_pubsub_t *ps,
    ngx_rooms_keys_t *keys, rooms_str_t participant,
    const rooms_str_t *rooms, ngx_uint_t n);
void ngx_rooms_interest_release(ngx_rooms_interest_t *in);
/* Its memory, and that of what exists only for it. */
size_t ngx_rooms_interest_size(ngx_rooms_interest_t *in);

/*
 * Makes l listen for news of this interest, which hasn't ended, and of
 * nothing else. `counter` is the tenant's position counter, read before the
 * call.  The listener is told, sooner or later, of all that is committed after
 * this call.
 */
void ngx_rooms_listen(ngx_rooms_listener_t *l, ngx_rooms_interest_t *in,
    int64_t counter);
void ngx_rooms_listen_stop(ngx_rooms_listener_t *l);

/* The id of the topic's room. */
rooms_str_t ngx_rooms_topic_room(ngx_rooms_topic_t *topic);


/* What the two files share: the connection (ngx_rooms_pubsub.c) ... */
void ngx_rooms_pubsub_subscribe(ngx_rooms_pubsub_t *ps,
    ngx_rooms_channel_t *ch);
void ngx_rooms_pubsub_unsubscribe(ngx_rooms_pubsub_t *ps,
    ngx_rooms_channel_t *ch);
void ngx_rooms_pubsub_close(ngx_rooms_pubsub_t *ps, const char *why);
/* Connects, unless that is under way. */
void ngx_rooms_pubsub_want(ngx_rooms_pubsub_t *ps);
/* Sends a PING now. */
void ngx_rooms_pubsub_check(ngx_rooms_pubsub_t *ps);
/* ... and listeners (ngx_rooms_listen.c). */
ngx_rooms_channel_t *ngx_rooms_channel_find(ngx_rooms_pubsub_t *ps,
    rooms_str_t name);
void ngx_rooms_channel_news(ngx_rooms_channel_t *ch, rooms_str_t payload);
void ngx_rooms_channel_sweep(ngx_rooms_channel_t *ch);
void ngx_rooms_channel_wake(ngx_rooms_channel_t *ch);
void ngx_rooms_channel_free(ngx_rooms_channel_t *ch);
void ngx_rooms_listen_wake_handler(ngx_event_t *ev);

#endif /* NGX_ROOMS_PUBSUB_H */
