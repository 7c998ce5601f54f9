/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_RECENT_H
#define NGX_ROOMS_RECENT_H

#include "ngx_rooms_store.h"
#include "rooms.h"


/*
 * What this worker has read lately about a room and a member of it.  It may be
 * outdated, so a decision made of it is only proposed: the commit guards
 * everything that it relies on, in the store.  If a guard doesn't hold, the
 * room is read, and decided on again.  So a change of something that seldom
 * changes takes one round instead of two, and a refusal is always of what was
 * read.
 *
 * Only rooms are kept that are open and at home here, and that no other server
 * is in.  The room has its id, and what never changes: type and incognito.
 * The rest of it is guarded, or not relied on.
 */

/* NGX_DECLINED: nothing is known.  Nothing is allocated. */
ngx_int_t ngx_rooms_recent_get(ngx_rooms_store_t *store,
    const ngx_rooms_keys_t *keys, rooms_str_t id, rooms_str_t who,
    rooms_room_t *room, rooms_member_t *member);

/* Keeps what was read, or forgets it if it can't be kept. */
void ngx_rooms_recent_put(ngx_rooms_store_t *store,
    const ngx_rooms_keys_t *keys, const rooms_room_t *room,
    const rooms_member_t *member);

/* Called when the worker ends. */
void ngx_rooms_recent_exit_worker(void);

#endif /* NGX_ROOMS_RECENT_H */
