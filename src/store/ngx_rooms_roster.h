/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_ROSTER_H
#define NGX_ROOMS_ROSTER_H

#include "ngx_rooms_load.h"


/*
 * The members of a room in the order of their ids, a page at a time.  Whoever
 * reads more than a few of them uses a roster.
 *
 *     ngx_rooms_roster_ask()     adds the command for the next ids
 *     ngx_rooms_roster_take()    keeps those that are wanted
 *     ngx_rooms_roster_rows()    adds the commands for their rows
 *     ngx_rooms_roster_member()  is one of them
 *
 * Ids of foreign participants begin with "@", which sorts before all others:
 * they are adjacent, and those of one server are looked for among them alone.
 *
 * Ids point into the replies, which must live as long as the page.
 */

typedef struct {
    ngx_pool_t             *pool;
    ngx_log_t              *log;
    ngx_rooms_keys_t       *keys;

    rooms_str_t             room;
    ngx_rooms_key_e         index;       /* NGX_ROOMS_KEY_LIST, or _BANS */
    rooms_str_t             server;      /* only its participants, or NULL */
    rooms_str_t             own;         /* the name of this server */

    rooms_str_t             after;       /* the page begins after this id;
                                            moves along */
    rooms_str_t            *ids;         /* those of the page */
    ngx_uint_t              n;
    ngx_uint_t              looked;      /* at ids, on all pages */
    unsigned                last:1;      /* no page follows */

    ngx_uint_t              asked;       /* private */
} ngx_rooms_roster_t;

/* Of a room's members.  The caller may then change the fields above. */
void ngx_rooms_roster_init(ngx_rooms_roster_t *r, ngx_pool_t *pool,
    ngx_log_t *log, ngx_rooms_keys_t *keys, rooms_str_t room);

ngx_int_t ngx_rooms_roster_ask(ngx_rooms_roster_t *r, ngx_rooms_batch_t *b,
    ngx_uint_t n);
/* Keeps at most so many; the next page begins after the last of them. */
ngx_int_t ngx_rooms_roster_take(ngx_rooms_roster_t *r, redisReply *ids,
    ngx_uint_t most);
/* One command for all rows, and another one for all profiles. */
ngx_int_t ngx_rooms_roster_rows(ngx_rooms_roster_t *r, ngx_rooms_batch_t *b,
    ngx_uint_t profiles);
/*
 * The i-th.  NGX_DECLINED: it can't be read, which is logged.  Its membership
 * may be ROOMS_LEAVE: rows may have gone since the index was read.
 */
ngx_int_t ngx_rooms_roster_member(ngx_rooms_roster_t *r, redisReply *rows,
    ngx_uint_t i, rooms_member_t *m);

#endif /* NGX_ROOMS_ROSTER_H */
