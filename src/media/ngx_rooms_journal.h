/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_JOURNAL_H
#define NGX_ROOMS_JOURNAL_H

#include "ngx_rooms_commit.h"


/*
 * Media of an import are registered before its room is made, some at a time,
 * since all at once would hold up Redis and a worker.  The journal knows what
 * is registered of a room that isn't there: each step that registers media
 * writes them into `r:<room>:media` too, and the room into `imports` with the
 * time, all at once.  The commit that makes the room guards that the journal
 * is whole, and removes it.  What is left of it otherwise is undone by whoever
 * refused the import, or by the sweep when it is a day old.
 */

#define NGX_ROOMS_JOURNAL_MAX  100     /* media of a step */

typedef struct {
    rooms_str_t         id;
    rooms_str_t         json;          /* ngx_rooms_media_put() */
    rooms_str_t         sha256;
    int64_t             size;
} ngx_rooms_journal_row_t;

/*
 * Adds a step to a commit: NGX_ROOMS_JOURNAL_MAX rows at most, while `before`
 * are in the journal.
 */
void ngx_rooms_journal_step(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, int64_t now, int64_t before,
    const ngx_rooms_journal_row_t *rows, ngx_uint_t n);

/* Adds to the commit that makes the room: `n` media become the room's. */
void ngx_rooms_journal_close(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, int64_t n);


/* The undoing is over, as far as it came. */
typedef void (*ngx_rooms_undo_pt)(void *data);

/*
 * Undoes, without a request: the journal of one room, or (`room` is NULL)
 * those of the tenant whose last step was before `old`, in ms.  The handler,
 * which may be NULL, is never called from inside.
 */
ngx_int_t ngx_rooms_undo(ngx_rooms_store_t *store, ngx_str_t *prefix,
    rooms_str_t tenant, rooms_str_t room, int64_t old,
    ngx_rooms_undo_pt handler, void *data);

#endif /* NGX_ROOMS_JOURNAL_H */
