/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Writes the journal (see ngx_rooms_journal.h). */

#include "ngx_rooms_journal.h"
#include "ngx_rooms_media.h"


void
ngx_rooms_journal_step(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, int64_t now, int64_t before,
    const ngx_rooms_journal_row_t *rows, ngx_uint_t n)
{
    int64_t      bytes;
    ngx_uint_t   i;
    rooms_str_t  media, blobs, journal;
    rooms_str_t  registered[2 * NGX_ROOMS_JOURNAL_MAX];
    rooms_str_t  noted[2 * NGX_ROOMS_JOURNAL_MAX];

    media = ngx_rooms_key(keys, NGX_ROOMS_KEY_MEDIA, ROOMS_NULL);
    blobs = ngx_rooms_key(keys, NGX_ROOMS_KEY_BLOBS, ROOMS_NULL);
    journal = ngx_rooms_key(keys, NGX_ROOMS_KEY_JOURNAL, room);

    for (i = 0, bytes = 0; i < n; i++) {
        bytes += rows[i].size;
        registered[2 * i] = rows[i].id;
        registered[2 * i + 1] = rows[i].json;
        noted[2 * i] = rows[i].id;
        noted[2 * i + 1] = ngx_rooms_join(c->pool, rows[i].sha256,
                                          ngx_rooms_s(" "),
                                          ngx_rooms_number(c->pool,
                                                           rows[i].size));

        ngx_rooms_commit_write(c, "HINCRBY", blobs, rows[i].sha256,
                               ngx_rooms_s("1"));
    }

    /* guards against a step after an undo, and against doing a step twice */

    ngx_rooms_commit_guard_count(c, "HLEN", journal, before);

    ngx_rooms_commit_command(c, 0, ngx_rooms_s("HSET"), media, registered,
                             2 * n);
    ngx_rooms_commit_command(c, 0, ngx_rooms_s("HSET"), journal, noted,
                             2 * n);
    ngx_rooms_media_count(c, keys, bytes);
    ngx_rooms_commit_write(c, "ZADD",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_IMPORTS,
                                         ROOMS_NULL),
                           ngx_rooms_number(c->pool, now), room);
}


void
ngx_rooms_journal_close(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, int64_t n)
{
    rooms_str_t  journal;

    journal = ngx_rooms_key(keys, NGX_ROOMS_KEY_JOURNAL, room);

    ngx_rooms_commit_guard_count(c, "HLEN", journal, n);
    ngx_rooms_commit_delete(c, journal);
    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_IMPORTS,
                                         ROOMS_NULL),
                           room);
}
