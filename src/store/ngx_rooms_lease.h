/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A lease makes one worker of the whole fleet do a tenant's chore.  Its owner
 * renews it; whatever the owner writes is fenced by it, so that a worker that
 * was stopped and wakes up late changes nothing.
 *
 * The owner counts its time by its own clock, from the moment that it asked,
 * so it never believes longer than the store does.  A worker that ends
 * doesn't give a lease back: what it has sent may still be on its way.
 */

#ifndef NGX_ROOMS_LEASE_H
#define NGX_ROOMS_LEASE_H

#include "ngx_rooms_commit.h"


#define NGX_ROOMS_LEASE_TIME   5000        /* ms */
#define NGX_ROOMS_LEASE_RENEW  1500
#define NGX_ROOMS_LEASE_TRY    1000        /* to 2000: while another has it */
#define NGX_ROOMS_LEASE_TOKEN    32

typedef struct {
    rooms_str_t    chore;                  /* in the key's name */
    u_char         token[NGX_ROOMS_LEASE_TOKEN];   /* of this worker */
    ngx_msec_t     asked;
    ngx_msec_t     until;                  /* 0: it isn't ours */
    unsigned       taking:1;               /* not renewing */
    unsigned       whole:1;                /* send the script's text */
} ngx_rooms_lease_t;


/* In each worker; the chore's name is a literal. */
void ngx_rooms_lease_init(ngx_rooms_lease_t *lease, rooms_str_t chore);

/* Whether it is ours, as far as we know. */
ngx_uint_t ngx_rooms_lease_holds(ngx_rooms_lease_t *lease);

/* Whether it is time to take it, or to renew it. */
ngx_uint_t ngx_rooms_lease_due(ngx_rooms_lease_t *lease);

/* Puts that into a batch of its own; NGX_ERROR: no memory. */
ngx_int_t ngx_rooms_lease_ask(ngx_rooms_lease_t *lease, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys);

/*
 * What the store answers.  NGX_OK: it is ours.  NGX_AGAIN: ask again at once.
 * NGX_DECLINED: another worker has it, or the store can't say.
 */
ngx_int_t ngx_rooms_lease_answered(ngx_rooms_lease_t *lease,
    ngx_rooms_batch_t *b, ngx_log_t *log);

/* How long to wait before it is asked for again, ms. */
ngx_msec_t ngx_rooms_lease_pause(void);

/* Guards that it is ours, in a commit that was begun elsewhere. */
void ngx_rooms_lease_guard(ngx_rooms_lease_t *lease, ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys);
/* Begins a commit whose first guard, number 1, is the lease. */
ngx_int_t ngx_rooms_lease_fence(ngx_rooms_lease_t *lease,
    ngx_rooms_commit_t *c, ngx_pool_t *pool, ngx_rooms_keys_t *keys);

#endif /* NGX_ROOMS_LEASE_H */
