/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_CACHE_H
#define NGX_ROOMS_CACHE_H

#include "ngx_rooms_store.h"


/*
 * rooms_cache: what this worker has read of a room for one viewer, kept
 * current by the store itself (CLIENT TRACKING).  For reading alone; whatever
 * decides a change reads the store.
 */

/* Bytes that a worker keeps at most; 0: nothing. */
void ngx_rooms_cache_init_worker(size_t size);

/*
 * NGX_OK: *replies are as the store would give them now; they stay until this
 * turn of the event loop ends.  NGX_DECLINED: the store has to be asked, and
 * *ticket says for ngx_rooms_cache_put() that it was asked from now on.
 */
ngx_int_t ngx_rooms_cache_get(ngx_rooms_store_t *store,
    ngx_rooms_keys_t *keys, rooms_str_t room, rooms_str_t viewer,
    redisReply ***replies, uint64_t *ticket);

/* Keeps copies of n replies, unless something of the room changed meanwhile. */
void ngx_rooms_cache_put(ngx_rooms_store_t *store, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t viewer, uint64_t ticket,
    redisReply **replies, ngx_uint_t n);

/* This worker has changed keys: what it answers next must know of it. */
void ngx_rooms_cache_changed(ngx_rooms_store_t *store,
    const ngx_rooms_keys_t *keys, const ngx_array_t *changed);

/* The worker ends. */
void ngx_rooms_cache_exit_worker(ngx_rooms_store_t *store);

#endif /* NGX_ROOMS_CACHE_H */
