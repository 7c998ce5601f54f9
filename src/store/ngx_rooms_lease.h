/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A lease makes sure that only one worker of the whole fleet does a tenant's
 * chore.  Its owner renews it.  All that the owner writes is guarded by it,
 * so a worker that was stopped and resumes late changes nothing.
 *
 * The owner counts the time by its own clock, from when it sent the command;
 * so it never believes in the lease longer than the store does.  A worker
 * that ends doesn't give the lease back, since its last writes may still be
 * on their way.
 */

#ifndef NGX_ROOMS_LEASE_H
#define NGX_ROOMS_LEASE_H

#include "ngx_rooms_commit.h"


#define NGX_ROOMS_LEASE_TIME   5000        /* ms */
#define NGX_ROOMS_LEASE_RENEW  1500
#define NGX_ROOMS_LEASE_TRY    1000        /* ms, up to twice this, while
                                              another owns it */
#define NGX_ROOMS_LEASE_TOKEN    32

typedef struct {
    rooms_str_t    chore;                  /* part of the key's name */
    u_char         token[NGX_ROOMS_LEASE_TOKEN];   /* identifies this worker */
    ngx_msec_t     asked;
    ngx_msec_t     until;                  /* 0: not ours */
    unsigned       taking:1;               /* taking it, not renewing */
} ngx_rooms_lease_t;


/* Initializes it in each worker.  The chore's name is a literal. */
void ngx_rooms_lease_init(ngx_rooms_lease_t *lease, rooms_str_t chore);

/* Whether it is ours, by our own clock. */
ngx_uint_t ngx_rooms_lease_holds(ngx_rooms_lease_t *lease);

/* Whether to take it or renew it now. */
ngx_uint_t ngx_rooms_lease_due(ngx_rooms_lease_t *lease);

/*
 * Adds the command for that to a batch of its own; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_rooms_lease_ask(ngx_rooms_lease_t *lease, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys);

/*
 * Reads the store's answer.  NGX_OK: it is ours.  NGX_DECLINED: another worker
 * owns it, or the store can't say.
 */
ngx_int_t ngx_rooms_lease_answered(ngx_rooms_lease_t *lease,
    ngx_rooms_batch_t *b, ngx_log_t *log);

/* How long to wait before the next try, in ms. */
ngx_msec_t ngx_rooms_lease_pause(void);

/* Adds the guard that it is ours to a commit. */
void ngx_rooms_lease_guard(ngx_rooms_lease_t *lease, ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys);
/* Begins a commit whose first guard, number 1, is the lease. */
ngx_int_t ngx_rooms_lease_fence(ngx_rooms_lease_t *lease,
    ngx_rooms_commit_t *c, ngx_pool_t *pool, ngx_rooms_keys_t *keys);

#endif /* NGX_ROOMS_LEASE_H */
