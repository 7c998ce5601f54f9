/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Federation ends: of a room, or with a server.  Those who were in a room
 * from there leave it, one by one, and each by an event.
 */

#ifndef NGX_ROOMS_ENDINGS_H
#define NGX_ROOMS_ENDINGS_H

#include "ngx_rooms_link.h"


#define NGX_ROOMS_ENDINGS_STEPS   50       /* of one tick */
#define NGX_ROOMS_ENDINGS_PAGE   500       /* ids, looked at together */
#define NGX_ROOMS_ENDINGS_PASS  30000      /* ms, between looks at all peers */

typedef struct ngx_rooms_endings_s  ngx_rooms_endings_t;


/* A room is no longer federated: with a commit that says so. */
void ngx_rooms_endings_add(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_str_t who, int64_t now);

/* Of one server that was on the list: it leaves all rooms of ours. */
void ngx_rooms_endings_peer(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t server, rooms_str_t who, int64_t now);

/*
 * One server had no such room when it was told of a position: those of its
 * participants who were there by then have left it.  -1: it has ended the
 * room's federation, and all of them have.
 */
void ngx_rooms_endings_parted(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t server, int64_t position);

/* Who has put the policy: with the commit that writes it. */
void ngx_rooms_endings_policy(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t who);

/* A part of what is to be done, while the lease is ours. */
void ngx_rooms_endings_run(ngx_rooms_fedlink_t *link);

#endif /* NGX_ROOMS_ENDINGS_H */
