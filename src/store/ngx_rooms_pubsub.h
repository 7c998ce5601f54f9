/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_PUBSUB_H
#define NGX_ROOMS_PUBSUB_H

#include "ngx_rooms_store.h"
#include <ngx_event_connect.h>


/*
 * News of commits, from every worker of every server: one connection a worker
 * and store, subscribed to the channel of each tenant for whom somebody here
 * is listening (ngx_rooms_pubsub.c), and who is to be told of what
 * (ngx_rooms_listen.c).
 */

typedef struct ngx_rooms_pubsub_s    ngx_rooms_pubsub_t;
typedef struct ngx_rooms_channel_s   ngx_rooms_channel_t;
typedef struct ngx_rooms_topic_s     ngx_rooms_topic_t;
typedef struct ngx_rooms_listener_s  ngx_rooms_listener_t;

typedef void (*ngx_rooms_listener_pt)(ngx_rooms_listener_t *l);


/* How long the connection may be silent, before it is asked: ms. */
#define NGX_ROOMS_PUBSUB_PING  15000

typedef enum {
    NGX_ROOMS_PUBSUB_DOWN = 0,
    NGX_ROOMS_PUBSUB_CONNECTING,
    NGX_ROOMS_PUBSUB_GREETING,             /* AUTH */
    NGX_ROOMS_PUBSUB_READY
} ngx_rooms_pubsub_state_e;

/* Who uses a connection for something else than channels. */
typedef struct {
    void                     (*ready)(void *data);
    void                     (*lost)(void *data);
    ngx_int_t                (*push)(void *data, redisReply *reply);
    ngx_msec_t               (*ping)(void *data);   /* silence before it, ms */
} ngx_rooms_pubsub_owner_t;

struct ngx_rooms_pubsub_s {
    ngx_rooms_store_t         *store;
    ngx_log_t                 *log;
    ngx_rooms_pubsub_state_e   state;
    ngx_connection_t          *connection;
    ngx_rooms_node_t          *node;       /* where it goes */
    redisReader               *reader;
    u_char                    *out;        /* what the socket hasn't taken */
    size_t                     nout;
    size_t                     size;
    ngx_event_t                timer;      /* connect, backoff, ping */
    ngx_uint_t                 attempts;
    ngx_msec_t                 pinged;

    const ngx_rooms_pubsub_owner_t  *owner;   /* NULL: it is for channels */
    void                      *data;       /* the owner's */
    ngx_rooms_node_t          *fixed;      /* at this Redis; or NULL */
    unsigned                   pinging:1;
    unsigned                   refused:1;  /* it was told once */

    ngx_queue_t                channels;
    ngx_rbtree_t               names;      /* of the channels */
    ngx_rbtree_node_t          sentinel;
    ngx_queue_t                woken;      /* listeners to be called */
    ngx_event_t                wake;
};

/*
 * A tenant's.  It stays for a while after its last listener.  Up to `head`
 * all that has news was read in the store, and its listeners were told.
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
    ngx_event_t                timer;      /* nobody listens */

    int64_t                    head;
    ngx_rooms_batch_t         *sweep;      /* in flight */
    ngx_event_t                late;       /* it isn't answered */
    ngx_event_t                tick;       /* the next, without a message */
    ngx_uint_t                 moves;      /* followed in a cluster */
    unsigned                   again:1;    /* a message came meanwhile */
    unsigned                   subscribed:1;
};

/* A room ("r" and its id) or a participant ("p" and the id). */
struct ngx_rooms_topic_s {
    ngx_str_node_t             sn;
    ngx_queue_t                links;
};

typedef struct {
    ngx_queue_t                queue;      /* of the topic */
    ngx_rooms_topic_t         *topic;
    ngx_rooms_listener_t      *listener;
} ngx_rooms_link_t;

/*
 * One who waits.  `handler` is called, never from inside a call to here, when
 * there are news: `full` says that all has to be looked at, otherwise they
 * are in one room alone, that of `topic`, whose last event is at `position`.
 */
struct ngx_rooms_listener_s {
    ngx_rooms_listener_pt      handler;
    void                      *data;
    ngx_rooms_channel_t       *channel;    /* NULL: doesn't listen */
    ngx_queue_t                queue;      /* of the channel */
    ngx_rooms_link_t          *links;
    ngx_uint_t                 nlinks;

    ngx_queue_t                woken;
    ngx_rooms_topic_t         *topic;
    int64_t                    position;
    unsigned                   queued:1;
    unsigned                   full:1;
};


/* One connection more, whose memory is the caller's. */
void ngx_rooms_pubsub_init(ngx_rooms_pubsub_t *ps, ngx_rooms_store_t *store,
    ngx_log_t *log);
void ngx_rooms_pubsub_send(ngx_rooms_pubsub_t *ps, const rooms_str_t *argv,
    ngx_uint_t argc);

/* Before the store's own, which may tell it already; and after its end. */
ngx_int_t ngx_rooms_pubsub_init_worker(ngx_rooms_store_t *store,
    ngx_cycle_t *cycle);
void ngx_rooms_pubsub_leave(ngx_rooms_pubsub_t *ps);

/*
 * Listens for news of one participant and of some rooms, and of no others any
 * more.  `counter` is the tenant's, as it was read before.  What is committed
 * after this call, the listener is told of, sooner or later.
 */
ngx_int_t ngx_rooms_listen(ngx_rooms_pubsub_t *ps, ngx_rooms_listener_t *l,
    ngx_rooms_keys_t *keys, rooms_str_t participant,
    const rooms_str_t *rooms, ngx_uint_t n, int64_t counter);
void ngx_rooms_listen_stop(ngx_rooms_listener_t *l);

/* The id of a room that `topic` stands for. */
rooms_str_t ngx_rooms_topic_room(ngx_rooms_topic_t *topic);


/* Between its files: the connection (ngx_rooms_pubsub.c) ... */
void ngx_rooms_pubsub_subscribe(ngx_rooms_pubsub_t *ps,
    ngx_rooms_channel_t *ch);
void ngx_rooms_pubsub_unsubscribe(ngx_rooms_pubsub_t *ps,
    ngx_rooms_channel_t *ch);
void ngx_rooms_pubsub_close(ngx_rooms_pubsub_t *ps, const char *why);
/* Connects, if that isn't under way. */
void ngx_rooms_pubsub_want(ngx_rooms_pubsub_t *ps);
/* Asks at once whether the other side lives. */
void ngx_rooms_pubsub_check(ngx_rooms_pubsub_t *ps);
/* ... and who listens (ngx_rooms_listen.c). */
ngx_rooms_channel_t *ngx_rooms_channel_find(ngx_rooms_pubsub_t *ps,
    rooms_str_t name);
void ngx_rooms_channel_news(ngx_rooms_channel_t *ch, rooms_str_t payload);
void ngx_rooms_channel_sweep(ngx_rooms_channel_t *ch);
void ngx_rooms_channel_wake(ngx_rooms_channel_t *ch);
void ngx_rooms_channel_free(ngx_rooms_channel_t *ch);
void ngx_rooms_listen_wake_handler(ngx_event_t *ev);

#endif /* NGX_ROOMS_PUBSUB_H */
