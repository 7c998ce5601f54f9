/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_REDIS_H
#define NGX_ROOMS_REDIS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <hiredis/hiredis.h>
#include "rooms_str.h"


/*
 * A lane is one pipelined connection to one Redis, attached to the worker's
 * event loop.  A batch is a number of commands that are sent together; one
 * callback follows when the last reply is here.
 */

typedef struct ngx_rooms_lane_s   ngx_rooms_lane_t;
typedef struct ngx_rooms_batch_s  ngx_rooms_batch_t;

typedef void (*ngx_rooms_batch_pt)(ngx_rooms_batch_t *b);


/* A Redis: its address, and how to log in. */
typedef struct ngx_rooms_node_s {
    ngx_str_t              name;           /* for the log */
    ngx_addr_t            *addrs;          /* of host:port, or NULL */
    ngx_uint_t             naddrs;
    ngx_str_t              path;           /* of a Unix socket, NUL
                                              terminated */
    void                  *tls;            /* for rediss://; or NULL */
    ngx_str_t              user;
    ngx_str_t              password;
    ngx_int_t              db;
    ngx_msec_t             timeout;
    ngx_msec_t             connect_timeout;

    /* called when a connection is lost or can't be made; may be NULL */
    void                 (*down)(void *data);
    void                  *data;
    /* called when a connection is made; may be NULL */
    void                 (*up)(struct ngx_rooms_node_s *node);

    ngx_uint_t             primary;        /* 1: it must not be a replica */
    ngx_uint_t             held;           /* 1: send nothing for now */
    ngx_uint_t             inspected;      /* warn about its settings; not
                                              for sentinels */
    ngx_uint_t             looking;        /* its settings are being read */
    ngx_uint_t             warnings;       /* bits, see ngx_rooms_inspect.h */

    ngx_uint_t             out;            /* it isn't in the cluster, or is
                                              no sentinel of the primary */
    ngx_msec_t             silent;         /* since when; 0: it isn't silent */
    ngx_rooms_lane_t      *lanes;          /* all lanes to it */
    ngx_uint_t             nlanes;
} ngx_rooms_node_t;


typedef enum {
    NGX_ROOMS_BATCH_OK = 0,
    NGX_ROOMS_BATCH_DOWN,                  /* never sent */
    NGX_ROOMS_BATCH_LOST                   /* sent; not all replies came */
} ngx_rooms_batch_status_e;


/* A script.  The store knows it by its hash once it has seen the text. */
typedef struct {
    ngx_str_t              text;
    u_char                 hash[40];       /* computed when first needed */
} ngx_rooms_script_t;


/*
 * A batch owns its memory: commands and replies live in its pool until
 * ngx_rooms_batch_free().  It may be freed at any time, even in flight; its
 * replies are then read and dropped.
 */
struct ngx_rooms_batch_s {
    ngx_pool_t                *pool;
    ngx_array_t                commands;   /* of ngx_str_t, in RESP */
    ngx_rooms_script_t        *script;     /* that they call by its hash, or
                                              NULL */
    u_char                    *last;       /* where the next one goes */
    u_char                    *end;
    redisReply               **replies;
    ngx_uint_t                 received;
    ngx_rooms_batch_status_e   status;

    ngx_rooms_batch_pt         handler;    /* NULL once freed */
    void                      *data;

    ngx_rooms_batch_t         *followed;   /* the newest of the batches sent
                                              for it */
    ngx_rooms_batch_t         *older;      /* the one before, see `followed` */
    ngx_rooms_lane_t          *lane;       /* while queued or in flight */
    ngx_rooms_node_t          *node;       /* the last one it was sent to */
    ngx_int_t                  slot;       /* whose node gets it; -1: it is
                                              for this node only */
    ngx_uint_t                 moves;      /* redirections followed */
    ngx_queue_t                queue;
    unsigned                   sent:1;
    unsigned                   failed:1;   /* out of memory */
    unsigned                   once:1;     /* not again, if it is lost */
    unsigned                   wanted:1;   /* a request waits for it, and so
                                              does an exiting worker */
};


typedef enum {
    NGX_ROOMS_LANE_DOWN = 0,
    NGX_ROOMS_LANE_CONNECTING,
    NGX_ROOMS_LANE_GREETING,               /* AUTH, SELECT */
    NGX_ROOMS_LANE_READY
} ngx_rooms_lane_state_e;


struct ngx_rooms_lane_s {
    ngx_rooms_node_t          *node;
    ngx_rooms_lane_state_e     state;
    ngx_connection_t          *connection; /* NULL: there is none */
    redisReader               *reader;
    u_char                    *out;        /* on its way to the socket */
    size_t                     nout;
    size_t                     size;
    ngx_uint_t                 unsent;     /* batches since the last write */

    ngx_queue_t                waiting;    /* batches not sent yet */
    ngx_queue_t                inflight;   /* in the order of the replies */

    ngx_event_t                flush;      /* posted: one write a turn */
    ngx_event_t                reap;       /* posted: closes a dead one */
    ngx_event_t                timer;      /* connect, backoff, idle ping */
    ngx_uint_t                 attempts;
    ngx_msec_t                 down_since; /* 0: it isn't down */
    ngx_msec_t                 last_read;  /* last byte read, or first
                                              command written after a pause */
    ngx_msec_t                 heard;      /* the last byte read */
    ngx_uint_t                 epoch;      /* number of the connection */
    unsigned                   bulk:1;     /* for long replies */
    unsigned                   dead:1;
    unsigned                   pinging:1;
};


ngx_rooms_batch_t *ngx_rooms_batch_create(ngx_log_t *log);
void ngx_rooms_batch_free(ngx_rooms_batch_t *b);
/* Frees the pools that are kept for further batches. */
void ngx_rooms_batch_exit_worker(void);

/* Appends a command.  NGX_ERROR: out of memory. */
ngx_int_t ngx_rooms_batch_add(ngx_rooms_batch_t *b, const rooms_str_t *argv,
    ngx_uint_t argc);

/*
 * The same in steps: begins a command; makes room for more of it, behind p;
 * ends it.  p == NULL: out of memory, which is told at the end.
 */
u_char *ngx_rooms_batch_begin(ngx_rooms_batch_t *b, ngx_uint_t argc);
u_char *ngx_rooms_batch_room(ngx_rooms_batch_t *b, u_char *p, size_t size);
u_char *ngx_rooms_batch_args(ngx_rooms_batch_t *b, u_char *p,
    const rooms_str_t *argv, ngx_uint_t argc);
ngx_int_t ngx_rooms_batch_end(ngx_rooms_batch_t *b, u_char *p);

#define NGX_ROOMS_RESP_SIZE  (sizeof("$\r\n") - 1 + NGX_INT_T_LEN)

/*
 * Writes the RESP header for n arguments ('*') or n bytes ('$').  Returns its
 * end.
 */
u_char *ngx_rooms_resp_size(u_char *p, u_char kind, size_t n);

#define ngx_rooms_command(b, ...)                                             \
    ngx_rooms_batch_add(b, (rooms_str_t[]) { __VA_ARGS__ },                   \
                        sizeof((rooms_str_t[]) { __VA_ARGS__ })               \
                        / sizeof(rooms_str_t))

#define ngx_rooms_s(literal)                                                  \
    ((rooms_str_t) { sizeof(literal) - 1, (const u_char *) (literal) })

/*
 * Writes the first two arguments of a script's call; returns the place of the
 * next.  The call has the script's hash.  If the store doesn't know it, the
 * batch is sent again with the text (ngx_rooms_store_follow()).  `whole`: the
 * call has the text, since nobody waits for the batch.
 */
rooms_str_t *ngx_rooms_script_begin(ngx_rooms_script_t *script,
    ngx_rooms_batch_t *b, ngx_uint_t whole, rooms_str_t *argv);

/*
 * Puts the script's text into the first call that the store has answered by
 * NOSCRIPT.  NGX_DECLINED: there is none.
 */
ngx_int_t ngx_rooms_script_text(ngx_rooms_batch_t *b);

/*
 * Sends a batch, as soon as the lane is up.  The handler is called once,
 * never from within this call: with all replies, or with a status that says
 * how far it came.  The caller watches the deadline.
 */
void ngx_rooms_lane_send(ngx_rooms_lane_t *lane, ngx_rooms_batch_t *b);

/*
 * This worker writes, or what waits in it will write, to a Redis that it may
 * not have written to before: see ngx_rooms_commit_floor().
 */
void ngx_rooms_store_begins(void);

/*
 * Makes a connection to a node: to its next address, by the number of attempts
 * before.  NGX_AGAIN: its write event says when it stands, and
 * ngx_rooms_node_refused() whether (0).
 */
ngx_int_t ngx_rooms_node_connect(ngx_rooms_node_t *node, ngx_uint_t attempts,
    ngx_log_t *log, ngx_connection_t **c);
ngx_err_t ngx_rooms_node_refused(ngx_connection_t *c);

void ngx_rooms_lane_init(ngx_rooms_lane_t *lane, ngx_rooms_node_t *node,
    ngx_log_t *log);

/* Closes the connection, if there is one.  The lane reconnects when needed. */
void ngx_rooms_lane_drop(ngx_rooms_lane_t *lane, const char *why);

/*
 * The node has a new address, or is known again: ends a running backoff early,
 * and lets requests wait for it.
 */
void ngx_rooms_lane_hurry(ngx_rooms_lane_t *lane);

/* The process ends without draining: drops what is in flight. */
void ngx_rooms_lane_end(ngx_rooms_lane_t *lane);

/*
 * Moves batches that wait, and are for a slot which another node now serves,
 * to a queue of the caller.
 */
void ngx_rooms_lane_strays(ngx_rooms_lane_t *lane, ngx_queue_t *strays,
    ngx_uint_t (*here)(ngx_rooms_node_t *node, ngx_uint_t slot));

/* Sends what waited while the node was held. */
void ngx_rooms_lane_release(ngx_rooms_lane_t *lane);

/*
 * A caller's deadline has passed.  If the lane was silent all that time,
 * drops it.
 */
void ngx_rooms_lane_late(ngx_rooms_lane_t *lane);

/*
 * How much longer to wait for a batch whose deadline has passed.  In the bulk
 * lane other long replies may come first, so its own time, `timeout`, begins
 * with the last byte that came.  0: it is late.
 */
ngx_msec_t ngx_rooms_batch_left(ngx_rooms_batch_t *b, ngx_msec_t timeout);


/*
 * Read replies.  A value of another type counts as missing.  A lane has
 * already checked that HMGET and ZMSCORE have a value for each field, and that
 * lists have texts (ngx_rooms_reply_fits()).
 */
rooms_str_t ngx_rooms_reply_str(redisReply *reply);
int64_t ngx_rooms_reply_int(redisReply *reply, int64_t otherwise);
redisReply *ngx_rooms_reply_element(redisReply *reply, ngx_uint_t n);
/* The same of an array's element. */
rooms_str_t ngx_rooms_reply_str_at(redisReply *reply, ngx_uint_t n);
int64_t ngx_rooms_reply_int_at(redisReply *reply, ngx_uint_t n,
    int64_t otherwise);

ngx_uint_t ngx_rooms_reply_is_error(redisReply *reply, const char *prefix);

#endif /* NGX_ROOMS_REDIS_H */
