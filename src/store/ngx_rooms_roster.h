/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_ROSTER_H
#define NGX_ROOMS_ROSTER_H

#include "ngx_rooms_load.h"


/*
 * Reads the members of a room in the order of their ids, a page at a time.
 * Code that reads more than a few of them uses a roster.
 *
 *     ngx_rooms_roster_ask()     adds the command for the next ids
 *     ngx_rooms_roster_take()    keeps the ids that belong to the page
 *     ngx_rooms_roster_rows()    adds the commands for their rows
 *     ngx_rooms_roster_member()  reads one row of the answer
 *
 * Ids of foreign participants begin with "@", which sorts before all others.
 * So they are adjacent, and a search for those of one server skips the rest.
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
    ngx_uint_t              looked;      /* ids that were read, on all pages */
    unsigned                last:1;      /* no page follows */

    ngx_uint_t              asked;       /* private */
} ngx_rooms_roster_t;

/* Begins at the first member.  The caller may then set the public fields. */
void ngx_rooms_roster_init(ngx_rooms_roster_t *r, ngx_pool_t *pool,
    ngx_log_t *log, ngx_rooms_keys_t *keys, rooms_str_t room);

ngx_int_t ngx_rooms_roster_ask(ngx_rooms_roster_t *r, ngx_rooms_batch_t *b,
    ngx_uint_t n);
/* Keeps at most `most` ids; the next page begins after the last of them. */
ngx_int_t ngx_rooms_roster_take(ngx_rooms_roster_t *r, redisReply *ids,
    ngx_uint_t most);
/* One command for all rows, and another one for all profiles. */
ngx_int_t ngx_rooms_roster_rows(ngx_rooms_roster_t *r, ngx_rooms_batch_t *b,
    ngx_uint_t profiles);
/*
 * The i-th member.  NGX_DECLINED: its row can't be read, which is logged.
 * Its membership may be ROOMS_LEAVE: rows may have gone since the index was
 * read.
 */
ngx_int_t ngx_rooms_roster_member(ngx_rooms_roster_t *r, redisReply *rows,
    ngx_uint_t i, rooms_member_t *m);

#endif /* NGX_ROOMS_ROSTER_H */
