/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The end of federation, of a room or with a server.  The participants of
 * other servers leave the room one by one, each with an event.
 */

#ifndef NGX_ROOMS_ENDINGS_H
#define NGX_ROOMS_ENDINGS_H

#include "ngx_rooms_link.h"


#define NGX_ROOMS_ENDINGS_STEPS   50       /* per tick */
#define NGX_ROOMS_ENDINGS_PAGE   500       /* ids looked at together */
#define NGX_ROOMS_ENDINGS_PASS  30000      /* ms between two passes over all
                                              peers */

typedef struct ngx_rooms_endings_s  ngx_rooms_endings_t;


/* The room stops being federated: add this to the commit that writes so. */
void ngx_rooms_endings_add(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_str_t who, int64_t now);

/*
 * A server was taken off the policy's list: it leaves all rooms at home here.
 */
void ngx_rooms_endings_peer(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t server, rooms_str_t who, int64_t now);

/*
 * A server answered an event at this position with "no such room".  Its
 * participants that had joined by then leave the room.  -1: the server has
 * ended the room's federation, and all of its participants leave.
 */
void ngx_rooms_endings_parted(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t server, int64_t position);

/* Records who changed the policy, in the commit that writes it. */
void ngx_rooms_endings_policy(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t who);

/* Works on endings for one tick, while this worker holds the lease. */
void ngx_rooms_endings_run(ngx_rooms_fedlink_t *link);

/* The worker ends: frees a step that is under way. */
void ngx_rooms_endings_exit_worker(ngx_rooms_fedlink_t *link);

#endif /* NGX_ROOMS_ENDINGS_H */
