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

#include "ngx_rooms_lease.h"
#include "ngx_rooms_request.h"
#include "ngx_rooms_round.h"


#define NGX_ROOMS_LINK_POLL     250        /* ms, for what is due */
#define NGX_ROOMS_LINK_DUE     1024        /* servers looked at together */
#define NGX_ROOMS_LINK_COUNT   5000        /* ms, for how much waits */
#define NGX_ROOMS_LINK_SEEN      30        /* s: it was here, so it is up */

typedef struct ngx_rooms_fedlink_s  ngx_rooms_fedlink_t;
typedef struct ngx_rooms_outbox_s   ngx_rooms_outbox_t;

typedef enum {
    NGX_ROOMS_LINK_LEASES = 0,             /* takes or renews the lease */
    NGX_ROOMS_LINK_POLLS,
    NGX_ROOMS_LINK_SORTS,                  /* what is due */
    NGX_ROOMS_LINK_LISTS,                  /* who has an outbox */
    NGX_ROOMS_LINK_COUNTS                  /* what is in them */
} ngx_rooms_link_e;

/*
 * Servers that are told at the same time: so many of each kind, so that those
 * that answer never wait for those that don't.
 */
typedef enum {
    NGX_ROOMS_LINK_ANSWERS = 0,            /* the last time, or was here */
    NGX_ROOMS_LINK_NEW,                    /* nobody knows yet */
    NGX_ROOMS_LINK_FAILS,
    NGX_ROOMS_LINK_KINDS
} ngx_rooms_link_kind_e;

struct ngx_rooms_fedlink_s {
    ngx_http_conf_ctx_t      *ctx;
    ngx_rooms_loc_conf_t     *conf;

    /* of this worker */
    ngx_event_t               timer;       /* to the next question */
    ngx_rooms_lease_t         lease;
    ngx_rooms_round_t         round;
    ngx_rooms_link_e          asking;
    ngx_queue_t               sends;       /* of ngx_rooms_outbox_t */
    ngx_uint_t                nsends[NGX_ROOMS_LINK_KINDS];
    ngx_uint_t                nwait[NGX_ROOMS_LINK_KINDS];
    ngx_uint_t                offset;      /* of those that are due */
    rooms_str_t              *due;         /* in the batch that sorts them */
    ngx_uint_t                ndue;
    ngx_msec_t                counted;     /* when; 0: never */
    ngx_uint_t                pending;     /* what was waiting then */
    void                     *endings;     /* ngx_rooms_endings_t */
    ngx_queue_t               profiles;     /* of ngx_rooms_profiles_t */
    ngx_uint_t                nprofiles;
    unsigned                  again:1;     /* poked meanwhile */
};

#endif /* NGX_ROOMS_LINK_H */
