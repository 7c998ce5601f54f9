/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A link is a federating server{} with its outboxes.  One worker of the whole
 * fleet sends their items: the one with the lease.  The lease fences whatever
 * it changes.
 */

#ifndef NGX_ROOMS_LINK_H
#define NGX_ROOMS_LINK_H

#include "ngx_rooms_lease.h"
#include "ngx_rooms_request.h"
#include "ngx_rooms_round.h"


#define NGX_ROOMS_LINK_POLL     250        /* ms between two looks for due
                                              outboxes */
#define NGX_ROOMS_LINK_DUE     1024        /* servers looked at together */
#define NGX_ROOMS_LINK_COUNT   5000        /* ms between two counts of
                                              waiting items */
#define NGX_ROOMS_LINK_SEEN      30        /* s: a peer that was active
                                              within them counts as up */

typedef struct ngx_rooms_fedlink_s  ngx_rooms_fedlink_t;
typedef struct ngx_rooms_outbox_s   ngx_rooms_outbox_t;

typedef enum {
    NGX_ROOMS_LINK_LEASES = 0,             /* take or renew the lease */
    NGX_ROOMS_LINK_POLLS,
    NGX_ROOMS_LINK_SORTS,                  /* sort the due outboxes by kind */
    NGX_ROOMS_LINK_LISTS,                  /* list the outboxes */
    NGX_ROOMS_LINK_COUNTS                  /* count their items */
} ngx_rooms_link_e;

/*
 * Kinds of servers.  Each kind has its own number of concurrent sends, so
 * peers that answer never wait for peers that don't.
 */
typedef enum {
    NGX_ROOMS_LINK_ANSWERS = 0,            /* answered the last time, or was
                                              active */
    NGX_ROOMS_LINK_NEW,                    /* never tried */
    NGX_ROOMS_LINK_FAILS,
    NGX_ROOMS_LINK_KINDS
} ngx_rooms_link_kind_e;

struct ngx_rooms_fedlink_s {
    ngx_http_conf_ctx_t      *ctx;
    ngx_rooms_loc_conf_t     *conf;

    /* this worker's */
    ngx_event_t               timer;       /* for the next round */
    ngx_rooms_lease_t         lease;
    ngx_rooms_round_t         round;
    ngx_rooms_link_e          asking;
    ngx_queue_t               sends;       /* of ngx_rooms_outbox_t */
    ngx_uint_t                nsends[NGX_ROOMS_LINK_KINDS];
    ngx_uint_t                nwait[NGX_ROOMS_LINK_KINDS];
    ngx_uint_t                offset;      /* into the list of due outboxes */
    rooms_str_t              *due;         /* allocated in the batch that
                                              sorts them */
    ngx_uint_t                ndue;
    ngx_msec_t                counted;     /* time of the last count; 0:
                                              never */
    ngx_uint_t                pending;     /* items that were waiting then */
    void                     *endings;     /* ngx_rooms_endings_t */
    ngx_queue_t               profiles;     /* of ngx_rooms_profiles_t */
    ngx_uint_t                nprofiles;
    unsigned                  again:1;     /* poked while busy */
};

#endif /* NGX_ROOMS_LINK_H */
