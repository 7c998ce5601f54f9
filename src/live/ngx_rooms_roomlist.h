/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_ROOMLIST_H
#define NGX_ROOMS_ROOMLIST_H

#include "ngx_rooms_request.h"
#include "ngx_rooms_pubsub.h"


/*
 * The lists of rooms of participants, as a worker has read them lately.  A
 * participant who polls again then doesn't read the list again.
 *
 * A kept list is used only if the store has the same version of it, which is
 * the position of the commit that changed it last.  Who polls again doesn't
 * have to be linked to each of the rooms again, either: the list keeps the
 * interest of those who wait.
 */

/* Shorter lists aren't kept: reading them costs as much as looking. */
#define NGX_ROOMS_ROOMLIST_LEAST   33

typedef struct ngx_rooms_roomlist_tenant_s  ngx_rooms_roomlist_tenant_t;

/* No event of the room is behind the list's `base` and before `at`. */
typedef struct {
    uint64_t                   at:63;
    uint64_t                   exact:1;  /* an event was there */
} ngx_rooms_roomlist_head_t;

typedef struct {
    ngx_str_node_t             sn;       /* of a kept list */
    rooms_str_t               *ids;      /* in the order of their bytes */
    ngx_uint_t                 n;
    int64_t                    version;

    /* of a kept list; NULL otherwise */
    ngx_rooms_roomlist_head_t  *heads;

    int64_t                    base;
    int64_t                    next;     /* a page that had no end ended here */
    u_char                     past[NGX_ROOMS_PAST];

    /* private, of a kept list */
    ngx_queue_t                used;     /* among all */
    ngx_queue_t                own;      /* among those of the tenant */
    size_t                     size;
    ngx_uint_t                 refs;
    ngx_rooms_interest_t      *interest;   /* in these rooms; or NULL */
    size_t                     linked;     /* its size */

    ngx_rooms_roomlist_tenant_t  *tenant;   /* NULL: it was dropped */
} ngx_rooms_roomlist_t;


/* Makes a list of a reply, in the pool.  NULL: out of memory. */
ngx_rooms_roomlist_t *ngx_rooms_roomlist_read(ngx_pool_t *pool,
    redisReply *ids);

/* The room's number in the list, or NGX_ERROR. */
ngx_int_t ngx_rooms_roomlist_find(const ngx_rooms_roomlist_t *list,
    rooms_str_t id);

/* The caller's kept list, which lives as long as the pool; or NULL. */
ngx_rooms_roomlist_t *ngx_rooms_roomlist_get(ngx_rooms_req_t *rq,
    ngx_pool_t *pool);
/*
 * Keeps a copy of the caller's list.  Returns the copy, which lives as long
 * as the pool, or the list itself, if it isn't kept.
 */
ngx_rooms_roomlist_t *ngx_rooms_roomlist_put(ngx_rooms_req_t *rq,
    ngx_pool_t *pool, ngx_rooms_roomlist_t *list, int64_t version);
/* The interest that a list has kept; or NULL. */
ngx_rooms_interest_t *ngx_rooms_roomlist_interest(ngx_rooms_roomlist_t *list);
/* A kept list keeps the interest, which is in exactly its rooms. */
void ngx_rooms_roomlist_keep(ngx_rooms_roomlist_t *list,
    ngx_rooms_interest_t *in);
/*
 * Makes the heads of a kept list valid for a reader that begins behind a
 * position. `past` is the tenant's field of backfills, read before.
 */
void ngx_rooms_roomlist_begin(ngx_rooms_roomlist_t *list, int64_t from,
    rooms_str_t past);
/*
 * A room's first event behind `from` is `at`; or none is before it, if it
 * isn't exact.  `past` is what it was before the store was asked.
 */
void ngx_rooms_roomlist_learn(ngx_rooms_roomlist_t *list, ngx_uint_t room,
    int64_t from, int64_t at, ngx_uint_t exact, rooms_str_t past);
/* It isn't current any more. */
void ngx_rooms_roomlist_drop(ngx_rooms_roomlist_t *list);

void ngx_rooms_roomlist_exit_worker(void);

#endif /* NGX_ROOMS_ROOMLIST_H */
