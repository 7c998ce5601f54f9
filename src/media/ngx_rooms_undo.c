/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Unregisters what an import registered for a room that was never created
 * (see ngx_rooms_journal.h), some media at a time:
 *
 *   find -> page -> counts -> commit
 *    ^ |     ^                  |
 *    | |     +------------------+
 *    | |     |
 *    | |     +-> close -+
 *    | +-> over         |
 *    +------------------+
 *
 * Each commit guards that the media are still in the journal, and that their
 * contents still have the counts that were read.  So undoing may stop
 * anywhere, and several workers may undo the same journal.
 */

#include "ngx_rooms_blob.h"
#include "ngx_rooms_journal.h"
#include "ngx_rooms_media.h"
#include "ngx_rooms_hold.h"
#include "ngx_rooms_round.h"


#define NGX_ROOMS_UNDO_PAGE   100      /* media of a commit */
#define NGX_ROOMS_UNDO_RACES  16


typedef enum {
    NGX_ROOMS_UNDO_FIND = 0,           /* a room */
    NGX_ROOMS_UNDO_MEDIA,              /* some of its journal */
    NGX_ROOMS_UNDO_COUNTS,             /* which rows exist, and the counts of
                                          contents */
    NGX_ROOMS_UNDO_COMMIT,
    NGX_ROOMS_UNDO_CLOSE               /* the journal is empty */
} ngx_rooms_undo_e;


typedef struct {
    rooms_str_t             sha256;
    ngx_uint_t              n;         /* references from this page */
} ngx_rooms_undo_content_t;


typedef struct {
    ngx_pool_t                *pool;
    ngx_rooms_keys_t           keys;
    ngx_rooms_undo_e           step;
    u_char                     id[ROOMS_ID_MAX];
    rooms_str_t                room;
    int64_t                    old;        /* 0: only this room */

    ngx_rooms_round_t          round;      /* media point into its batches */
    redisReply                *rows;       /* rows of the media; some may be
                                              gone */
    redisReply                *counts;
    rooms_str_t                ids[NGX_ROOMS_UNDO_PAGE];
    rooms_str_t                noted[NGX_ROOMS_UNDO_PAGE];
    ngx_uint_t                 content[NGX_ROOMS_UNDO_PAGE];
    int64_t                    bytes;      /* bytes of this page */
    ngx_uint_t                 n;
    ngx_rooms_undo_content_t   contents[NGX_ROOMS_UNDO_PAGE];
    ngx_uint_t                 ncontents;

    ngx_uint_t                 races;      /* in a row */
    ngx_uint_t                 undone;
    ngx_rooms_undo_pt          handler;
    void                      *data;
} ngx_rooms_undo_t;


static ngx_int_t ngx_rooms_undo_send(ngx_rooms_undo_t *u);
static ngx_int_t ngx_rooms_undo_ask(ngx_rooms_undo_t *u,
    ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys);
static ngx_int_t ngx_rooms_undo_ask_counts(ngx_rooms_undo_t *u,
    ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys);
static ngx_int_t ngx_rooms_undo_commit(ngx_rooms_undo_t *u,
    ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys);
static void ngx_rooms_undo_media(ngx_rooms_undo_t *u, ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, rooms_str_t journal);
static void ngx_rooms_undo_answered(ngx_rooms_round_t *round,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_undo_read(ngx_rooms_undo_t *u,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_undo_page(ngx_rooms_undo_t *u,
    ngx_rooms_batch_t *b);
static void ngx_rooms_undo_sum(ngx_rooms_undo_t *u);
static ngx_int_t ngx_rooms_undo_committed(ngx_rooms_undo_t *u,
    ngx_rooms_batch_t *b);
static void ngx_rooms_undo_over(ngx_rooms_undo_t *u);


ngx_int_t
ngx_rooms_undo(ngx_rooms_store_t *store, ngx_str_t *prefix,
    rooms_str_t tenant, rooms_str_t room, int64_t old,
    ngx_rooms_undo_pt handler, void *data)
{
    ngx_pool_t        *pool;
    ngx_rooms_undo_t  *u;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    u = ngx_pcalloc(pool, sizeof(ngx_rooms_undo_t));

    if (u == NULL
        || ngx_rooms_keys_init(&u->keys, pool, prefix, tenant) != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    u->pool = pool;
    u->old = old;
    u->room.data = u->id;

    ngx_rooms_round_init(&u->round, store, pool->log);

    u->round.handler = ngx_rooms_undo_answered;
    u->round.data = u;
    u->round.finishes = 1;

    if (room.data) {
        u->room.len = ngx_min(room.len, sizeof(u->id));
        ngx_memcpy(u->id, room.data, u->room.len);
        u->step = NGX_ROOMS_UNDO_MEDIA;
    }

    if (ngx_rooms_undo_send(u) != NGX_OK) {
        ngx_rooms_round_clear(&u->round);
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    u->handler = handler;
    u->data = data;

    ngx_rooms_hold();

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_undo_send(ngx_rooms_undo_t *u)
{
    ngx_rooms_keys_t    keys;
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&u->round);
    if (b == NULL) {
        return NGX_ERROR;
    }

    keys = u->keys;
    keys.pool = b->pool;

    return ngx_rooms_undo_ask(u, b, &keys) == NGX_OK
           ? ngx_rooms_round_send(&u->round, keys.slot, NGX_ROOMS_LANE_BULK)
           : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_undo_ask(ngx_rooms_undo_t *u, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys)
{
    switch (u->step) {

    case NGX_ROOMS_UNDO_FIND:
        return ngx_rooms_ask(b, keys, "ZRANGEBYSCORE %k -inf %d LIMIT 0 1",
                             NGX_ROOMS_KEY_IMPORTS, ROOMS_NULL,
                             (int64_t) u->old);

    case NGX_ROOMS_UNDO_MEDIA:
        return ngx_rooms_ask(b, keys, "HRANDFIELD %k %d WITHVALUES",
                             NGX_ROOMS_KEY_JOURNAL, u->room,
                             (int64_t) NGX_ROOMS_UNDO_PAGE);

    case NGX_ROOMS_UNDO_COUNTS:
        return ngx_rooms_undo_ask_counts(u, b, keys);

    default:
        return ngx_rooms_undo_commit(u, b, keys);
    }
}


static ngx_int_t
ngx_rooms_undo_ask_counts(ngx_rooms_undo_t *u, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys)
{
    ngx_uint_t   i;
    rooms_str_t  contents[NGX_ROOMS_UNDO_PAGE];

    if (ngx_rooms_media_load(b, keys, u->ids, u->n) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < u->ncontents; i++) {
        contents[i] = u->contents[i].sha256;
    }

    return ngx_rooms_ask_many(b, keys, "HMGET", NGX_ROOMS_KEY_BLOBS,
                              ROOMS_NULL, contents, i);
}


/* Guards that the room doesn't exist.  If it does, the media belong to it. */
static ngx_int_t
ngx_rooms_undo_commit(ngx_rooms_undo_t *u, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys)
{
    rooms_str_t         journal;
    ngx_rooms_commit_t  c;

    if (ngx_rooms_commit_init(&c, b->pool, keys) != NGX_OK) {
        return NGX_ERROR;
    }

    journal = ngx_rooms_key(keys, NGX_ROOMS_KEY_JOURNAL, u->room);

    if (u->step == NGX_ROOMS_UNDO_CLOSE) {
        ngx_rooms_journal_close(&c, keys, u->room, 0);

    } else {
        ngx_rooms_commit_guard_string(&c,
                                  ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM,
                                                u->room),
                                  ROOMS_NULL);
        ngx_rooms_undo_media(u, &c, keys, journal);
    }

    return ngx_rooms_commit_build(&c, b, keys, 1);
}


static void
ngx_rooms_undo_media(ngx_rooms_undo_t *u, ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, rooms_str_t journal)
{
    rooms_str_t                media, blobs, row, count;
    ngx_uint_t                 i;
    redisReply                *counts;
    ngx_rooms_undo_content_t  *content;

    media = ngx_rooms_key(keys, NGX_ROOMS_KEY_MEDIA, ROOMS_NULL);
    blobs = ngx_rooms_key(keys, NGX_ROOMS_KEY_BLOBS, ROOMS_NULL);
    counts = u->counts;

    for (i = 0; i < u->n; i++) {
        ngx_rooms_commit_guard_field(c, journal, u->ids[i], u->noted[i]);

        /*
         * an erasure of the importer may have removed the row, and counted it
         */

        row = ngx_rooms_reply_str_at(u->rows, i);

        if (row.data) {
            ngx_rooms_commit_guard_field(c, media, u->ids[i], row);
        }
    }

    ngx_rooms_commit_command(c, 0, ngx_rooms_s("HDEL"), journal, u->ids,
                             u->n);
    ngx_rooms_commit_command(c, 0, ngx_rooms_s("HDEL"), media, u->ids, u->n);
    ngx_rooms_media_count(c, keys, -u->bytes);

    for (i = 0; i < u->ncontents; i++) {
        content = &u->contents[i];

        if (content->n == 0) {
            continue;
        }

        count = ngx_rooms_reply_str_at(counts, i);

        ngx_rooms_commit_guard_field(c, blobs, content->sha256, count);

        if (ngx_rooms_reply_int_at(counts, i, 0)
            > (int64_t) content->n)
        {
            ngx_rooms_commit_write(c, "HINCRBY", blobs, content->sha256,
                                   ngx_rooms_number(c->pool,
                                                    - (int64_t) content->n));

        } else {
            ngx_rooms_commit_write(c, "HDEL", blobs, content->sha256);
        }
    }
}


static void
ngx_rooms_undo_answered(ngx_rooms_round_t *round, ngx_rooms_batch_t *b)
{
    ngx_rooms_undo_t  *u;

    u = round->data;

    if (b == NULL || ngx_rooms_undo_read(u, b) != NGX_OK
        || ngx_rooms_undo_send(u) != NGX_OK)
    {
        ngx_rooms_undo_over(u);
    }
}


/* Sets the next step; NGX_DONE: there is none. */
static ngx_int_t
ngx_rooms_undo_read(ngx_rooms_undo_t *u, ngx_rooms_batch_t *b)
{
    rooms_str_t   room;
    redisReply   *reply;

    reply = b->replies[0];

    switch (u->step) {

    case NGX_ROOMS_UNDO_FIND:
        room = ngx_rooms_reply_str_at(reply, 0);

        if (room.len == 0 || room.len > sizeof(u->id)) {
            return NGX_DONE;
        }

        ngx_memcpy(u->id, room.data, room.len);
        u->room.len = room.len;
        u->step = NGX_ROOMS_UNDO_MEDIA;
        return NGX_OK;

    case NGX_ROOMS_UNDO_MEDIA:
        return ngx_rooms_undo_page(u, b);

    case NGX_ROOMS_UNDO_COUNTS:

        u->rows = reply;
        u->counts = b->replies[1];

        if (u->rows->type != REDIS_REPLY_ARRAY
            || u->rows->elements != u->n
            || u->counts->type != REDIS_REPLY_ARRAY
            || u->counts->elements != u->ncontents)
        {
            return NGX_ERROR;
        }

        ngx_rooms_undo_sum(u);
        u->step = NGX_ROOMS_UNDO_COMMIT;
        return NGX_OK;

    default:
        return ngx_rooms_undo_committed(u, b);
    }
}


static ngx_int_t
ngx_rooms_undo_page(ngx_rooms_undo_t *u, ngx_rooms_batch_t *b)
{
    ngx_uint_t   i, k;
    redisReply  *reply;
    rooms_str_t  sha256;

    reply = b->replies[0];

    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    u->n = ngx_min(reply->elements / 2, NGX_ROOMS_UNDO_PAGE);
    u->ncontents = 0;

    for (i = 0; i < u->n; i++) {
        u->ids[i] = ngx_rooms_reply_str(reply->element[2 * i]);
        u->noted[i] = ngx_rooms_reply_str(reply->element[2 * i + 1]);

        if (u->noted[i].len < NGX_ROOMS_SHA256 + 2) {
            return NGX_ERROR;
        }

        sha256 = (rooms_str_t) { NGX_ROOMS_SHA256, u->noted[i].data };

        for (k = 0; k < u->ncontents; k++) {
            if (rooms_str_eq(u->contents[k].sha256, sha256)) {
                break;
            }
        }

        if (k == u->ncontents) {
            u->ncontents++;
            u->contents[k].sha256 = sha256;
        }

        u->contents[k].n = 0;
        u->content[i] = k;
    }

    u->step = u->n ? NGX_ROOMS_UNDO_COUNTS : NGX_ROOMS_UNDO_CLOSE;

    return NGX_OK;
}


/* Counts the references and bytes of the rows that still exist. */
static void
ngx_rooms_undo_sum(ngx_rooms_undo_t *u)
{
    ngx_uint_t   i;
    rooms_str_t  size;

    u->bytes = 0;

    for (i = 0; i < u->n; i++) {

        if (ngx_rooms_reply_str(u->rows->element[i]).data == NULL) {
            continue;
        }

        size = (rooms_str_t) { u->noted[i].len - NGX_ROOMS_SHA256 - 1,
                               u->noted[i].data + NGX_ROOMS_SHA256 + 1 };
        u->bytes += ngx_atoof((u_char *) size.data, size.len);
        u->contents[u->content[i]].n++;
    }
}


static ngx_int_t
ngx_rooms_undo_committed(ngx_rooms_undo_t *u, ngx_rooms_batch_t *b)
{
    int64_t  position;

    switch (ngx_rooms_commit_result(b, &position, u->pool->log)) {

    case NGX_ROOMS_COMMIT_DONE:
        u->races = 0;

        if (u->step == NGX_ROOMS_UNDO_COMMIT) {
            u->undone += u->n;
            break;
        }

        if (u->old == 0) {
            return NGX_DONE;
        }

        ngx_rooms_round_clear(&u->round);
        u->step = NGX_ROOMS_UNDO_FIND;
        return NGX_OK;

    case NGX_ROOMS_COMMIT_CONFLICT:
        if (++u->races < NGX_ROOMS_UNDO_RACES) {
            break;
        }

        /* fall through */

    default:
        return NGX_ERROR;
    }

    ngx_rooms_round_clear(&u->round);
    u->step = NGX_ROOMS_UNDO_MEDIA;

    return NGX_OK;
}


static void
ngx_rooms_undo_over(ngx_rooms_undo_t *u)
{
    void               *data;
    ngx_rooms_undo_pt   handler;

    if (u->undone) {
        ngx_log_error(NGX_LOG_NOTICE, u->pool->log, 0,
                      "rooms: %ui media of imports without a room removed",
                      u->undone);
    }

    handler = u->handler;
    data = u->data;

    ngx_rooms_round_clear(&u->round);
    ngx_destroy_pool(u->pool);
    ngx_rooms_release();

    if (handler) {
        handler(data);
    }
}
