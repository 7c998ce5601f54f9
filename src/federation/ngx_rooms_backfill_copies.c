/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Where else the body of a message stands: in its edits.
 *
 * An edit comes before the message that it edits, as the past is told
 * backwards.  Until then the hash "copies" names it under the message's name
 * elsewhere, so that a redaction finds all that it has to wipe.
 */

#include "ngx_rooms_backfill.h"


static rooms_str_t ngx_rooms_backfill_edited(ngx_rooms_backfill_item_t *item);


ngx_int_t
ngx_rooms_backfill_ask_copies(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i, n, found;
    rooms_str_t                *argv;
    ngx_rooms_backfill_item_t  *item;

    n = bf->end - bf->at;
    found = 0;

    argv = ngx_palloc(bf->pool, (n + 2) * sizeof(rooms_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    argv[0] = ngx_rooms_s("HMGET");
    argv[1] = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COPIES, bf->room);

    for (i = 0; i < n; i++) {
        item = &bf->items[bf->at + i];

        item->edits = ROOMS_NULL;
        item->before = ROOMS_NULL;
        argv[2 + i] = ngx_rooms_s(" ");

        if (!ngx_rooms_backfill_imports(item)) {
            continue;
        }

        found++;

        if (item->past.edit) {

            if (ngx_rooms_backfill_edited(item).data) {
                argv[2 + i] = ngx_rooms_backfill_edited(item);
            }

        } else if (item->past.type == ROOMS_EV_MESSAGE) {
            argv[2 + i] = item->name;
        }
    }

    if (found == 0) {
        return ngx_rooms_backfill_count(rq, bf);
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_batch_add(rq->batch, argv, n + 2) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_B_COPIES;

    return ngx_rooms_send(rq);
}


/* Each edit is noted with the first one that is of the same message. */
ngx_int_t
ngx_rooms_backfill_copies(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i, k;
    rooms_str_t                 field;
    ngx_rooms_backfill_item_t  *item, *other;

    for (i = bf->at; i < bf->end; i++) {
        item = &bf->items[i];

        if (!ngx_rooms_backfill_imports(item)) {
            continue;
        }

        item->before = ngx_rooms_reply_str(
                             ngx_rooms_reply_element(ngx_rooms_reply(rq, 0),
                                                     i - bf->at));
        if (!item->past.edit) {
            continue;
        }

        field = ngx_rooms_backfill_edited(item);

        for (k = bf->at; k < bf->end; k++) {
            other = &bf->items[k];

            if (field.data
                ? rooms_str_eq(ngx_rooms_backfill_edited(other), field)
                : (ngx_rooms_backfill_imports(other)
                   && rooms_str_eq(other->local, item->about)))
            {
                other->edits = ngx_rooms_join(bf->pool, other->edits,
                                              ngx_rooms_s(" "), item->local);
                break;
            }
        }
    }

    return ngx_rooms_backfill_commit(rq, bf);
}


/* Where an edit is written down, if that isn't in this part. */
static rooms_str_t
ngx_rooms_backfill_edited(ngx_rooms_backfill_item_t *item)
{
    if (!ngx_rooms_backfill_imports(item) || !item->past.edit) {
        return ROOMS_NULL;
    }

    return item->here ? item->about
                      : (item->about.data ? ROOMS_NULL : item->about_name);
}


/* Where else the body of a message stands. */
void
ngx_rooms_backfill_note(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf,
    ngx_rooms_backfill_item_t *item)
{
    rooms_str_t  key, field, value;

    if (item->edits.data == NULL && (item->before.data == NULL
                                     || item->past.edit))
    {
        return;
    }

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COPIES, bf->room);
    field = item->past.edit ? ngx_rooms_backfill_edited(item) : item->local;

    if (item->before.data) {
        value = ngx_rooms_join(bf->pool, item->before, item->edits);

    } else {
        value.data = item->edits.data + 1;
        value.len = item->edits.len - 1;
    }

    if (item->past.edit) {
        ngx_rooms_commit_guard_field(&bf->commit, key, field, item->before);

    } else if (item->before.data) {
        ngx_rooms_commit_write(&bf->commit, "HDEL", key, item->name);
    }

    ngx_rooms_commit_write(&bf->commit, "HSET", key, field, value);
}
