/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_PAGER_H
#define NGX_ROOMS_PAGER_H

#include "ngx_rooms_load.h"


/*
 * A page of a room's events, bounded in events and in bytes, so that no
 * reader holds up the store: whoever reads more than one event reads them by
 * a pager.
 *
 * A room knows a size that none of its events exceeds (its field "big").  If
 * so many events of that size fit, as nearly always, one plain command reads
 * the page.  Else a script does, which counts bytes; it costs the store some
 * eight times as much for each event.  So does a page that has an unreadable
 * event, whose position only its score tells, or, where edits are wanted, an
 * edited one: events and their edits have to be of the same moment.
 *
 *     ngx_rooms_pager_ask()      adds the one command to a batch
 *     ngx_rooms_pager_take()     NGX_AGAIN: ask once more
 *
 * Events point into replies, which must live as long as the page.
 */

#define NGX_ROOMS_PAGE_SIZE    (1024 * 1024)

typedef struct {
    rooms_stored_t          stored;
    rooms_str_t             copies;      /* its edits, or NULL */
} ngx_rooms_paged_t;

typedef struct {
    ngx_pool_t             *pool;
    ngx_log_t              *log;

    rooms_str_t             room;
    rooms_str_t             events;      /* key */
    rooms_str_t             copies;      /* key, if edits are wanted */
    uint32_t                big;         /* of the room */

    int64_t                 from;        /* what is behind it is read next;
                                            moves along */
    int64_t                 to;          /* and nothing behind this one */
    ngx_uint_t              limit;       /* events */
    size_t                  bytes;
    unsigned                back:1;      /* towards the beginning */

    ngx_array_t             page;        /* of ngx_rooms_paged_t */
    size_t                  size;        /* of its events */
    unsigned                more:1;      /* there are, behind the page */

    unsigned                exact:1;     /* the next command is the script */

    /* the rest is private */

    ngx_uint_t              asked;       /* events */
    unsigned                script:1;    /* the last command was the script */
} ngx_rooms_pager_t;

/* From a position on, back or forward; the fields may be changed. */
ngx_int_t ngx_rooms_pager_init(ngx_rooms_pager_t *p, ngx_pool_t *pool,
    ngx_log_t *log, ngx_rooms_keys_t *keys, const rooms_room_t *room,
    ngx_uint_t limit);
ngx_int_t ngx_rooms_pager_ask(ngx_rooms_pager_t *p, ngx_rooms_batch_t *b);
ngx_int_t ngx_rooms_pager_take(ngx_rooms_pager_t *p, redisReply *reply);

/* The same pager once more, for what is behind its page. */
ngx_int_t ngx_rooms_pager_next(ngx_rooms_pager_t *p, ngx_pool_t *pool);

#endif /* NGX_ROOMS_PAGER_H */
