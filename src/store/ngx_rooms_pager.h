/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_PAGER_H
#define NGX_ROOMS_PAGER_H

#include "ngx_rooms_load.h"


/*
 * A page of a room's events, bounded in number and in bytes, so that no
 * reader holds up the store.  Whoever reads more than one event uses a pager.
 *
 * A room knows a size that none of its events exceeds (its field "big").
 * Nearly always the page's events would fit even if all had that size.  Then
 * one plain command reads the page.  Otherwise a script does, which counts
 * bytes and costs the store about eight times as much for each event.  The
 * script is also needed if the page has an unreadable event, since only its
 * score tells its position; or, where edits are wanted, if it has an edited
 * event, since an event and its edits must be read at the same moment.
 *
 *     ngx_rooms_pager_ask()      adds the command to a batch
 *     ngx_rooms_pager_take()     NGX_AGAIN: ask once more
 *
 * Events point into the replies, which must live as long as the page.
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
    uint32_t                big;         /* the room's */

    int64_t                 from;        /* the page begins after it; moves
                                            along */
    int64_t                 to;          /* the last position that is read */
    ngx_uint_t              limit;       /* events */
    size_t                  bytes;
    unsigned                back:1;      /* towards the beginning */

    ngx_array_t             page;        /* of ngx_rooms_paged_t: the result */
    size_t                  size;        /* bytes of its events */
    unsigned                more:1;      /* there are more events after it */

    unsigned                exact:1;     /* the next command is the script */

    /* the rest is private */

    ngx_uint_t              asked;       /* events */
    unsigned                script:1;    /* the last command was the script */
} ngx_rooms_pager_t;

/* Prepares it.  The caller may then change the fields above. */
ngx_int_t ngx_rooms_pager_init(ngx_rooms_pager_t *p, ngx_pool_t *pool,
    ngx_log_t *log, ngx_rooms_keys_t *keys, const rooms_room_t *room,
    ngx_uint_t limit);
ngx_int_t ngx_rooms_pager_ask(ngx_rooms_pager_t *p, ngx_rooms_batch_t *b);
ngx_int_t ngx_rooms_pager_take(ngx_rooms_pager_t *p, redisReply *reply);

/* Goes on with what follows the page. */
ngx_int_t ngx_rooms_pager_next(ngx_rooms_pager_t *p, ngx_pool_t *pool);

#endif /* NGX_ROOMS_PAGER_H */
