/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_JOURNAL_H
#define NGX_ROOMS_JOURNAL_H

#include "ngx_rooms_commit.h"


/*
 * The media of an import are registered before its room exists, some at a
 * time, since all at once would hold up Redis and a worker.  The journal
 * lists what is registered for a room that doesn't exist yet.  Each step
 * registers media, writes them into `r:<room>:media`, and writes the room
 * with the time into `imports`, all in one commit.  The commit that creates
 * the room guards that the journal is complete, and removes it.  Otherwise
 * whoever refused the import undoes the journal, or the sweep does when it is
 * a day old.
 */

#define NGX_ROOMS_JOURNAL_MAX  100     /* media of a step */

typedef struct {
    rooms_str_t         id;
    rooms_str_t         json;          /* ngx_rooms_media_put() */
    rooms_str_t         sha256;
    int64_t             size;
} ngx_rooms_journal_row_t;

/*
 * Adds a step to a commit: at most NGX_ROOMS_JOURNAL_MAX rows.  Guards that
 * the journal has `before` rows.
 */
void ngx_rooms_journal_step(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, int64_t now, int64_t before,
    const ngx_rooms_journal_row_t *rows, ngx_uint_t n);

/* Adds to the commit that creates the room: its `n` media now belong to it. */
void ngx_rooms_journal_close(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, int64_t n);


/* Called when undoing has ended, completely or not. */
typedef void (*ngx_rooms_undo_pt)(void *data);

/*
 * Undoes, without a request, the journal of one room; or, if `room` is NULL,
 * those of the tenant whose last step was before `old` (ms).  The handler may
 * be NULL, and is never called from within this call.
 */
ngx_int_t ngx_rooms_undo(ngx_rooms_store_t *store, ngx_str_t *prefix,
    rooms_str_t tenant, rooms_str_t room, int64_t old,
    ngx_rooms_undo_pt handler, void *data);

#endif /* NGX_ROOMS_JOURNAL_H */
