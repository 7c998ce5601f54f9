/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_CACHE_H
#define NGX_ROOMS_CACHE_H

#include "ngx_rooms_store.h"


/*
 * rooms_cache: what this worker has read about a room for one viewer.  Redis
 * keeps it current (CLIENT TRACKING).  Only reads use it; a decision that
 * changes something reads the store.
 */

/* Sets the most bytes that a worker keeps; 0: the cache is off. */
void ngx_rooms_cache_init_worker(size_t size);

/* What was found; valid until this turn of the event loop ends. */
typedef struct {
    redisReply        **replies;       /* what the store would reply now */
    rooms_str_t         answer;        /* made of them before, of this form;
                                          NULL: none */
    uint64_t            ticket;        /* when they were asked for; 0: they
                                          aren't kept */
} ngx_rooms_cached_t;

/*
 * Looks something up.  NGX_DECLINED: ask the store; the ticket then notes for
 * ngx_rooms_cache_put() when that began.  The form is what else an answer
 * depends on.
 */
ngx_int_t ngx_rooms_cache_get(ngx_rooms_store_t *store,
    ngx_rooms_keys_t *keys, rooms_str_t room, rooms_str_t viewer,
    uintptr_t form, ngx_rooms_cached_t *found);

/*
 * Stores copies of n replies, unless something of the room changed since the
 * ticket.
 */
void ngx_rooms_cache_put(ngx_rooms_store_t *store, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t viewer, uint64_t ticket,
    redisReply **replies, ngx_uint_t n);

/*
 * Stores a copy of the answer that was made of the replies with this ticket.
 * An entry has one answer: the last one.
 */
void ngx_rooms_cache_answer(ngx_rooms_store_t *store, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t viewer, uint64_t ticket, uintptr_t form,
    rooms_str_t answer);

/*
 * Forgets keys that this worker has changed, so that its next answers show
 * the change.
 */
void ngx_rooms_cache_changed(ngx_rooms_store_t *store,
    const ngx_rooms_keys_t *keys, const ngx_array_t *changed);

/* Called when the worker ends. */
void ngx_rooms_cache_exit_worker(ngx_rooms_store_t *store);

#endif /* NGX_ROOMS_CACHE_H */
