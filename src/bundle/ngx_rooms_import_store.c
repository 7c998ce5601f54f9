/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The event loop's part: writes to the store what the thread made.
 *
 * The room's own keys already have their final names.  They expire from the
 * first byte on (MULTI makes this crash-safe), until the commit makes them
 * permanent.  Before that no key leads to them.  Media are counted by others
 * too, so they need a journal.
 */

#include "ngx_rooms_import.h"


static ngx_rooms_batch_t *ngx_rooms_import_batch(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_import_send_media(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im, ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_import_sent_media(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im);


/* Thousands of batches follow one another, so none is kept. */
static ngx_rooms_batch_t *
ngx_rooms_import_batch(ngx_rooms_req_t *rq)
{
    if (rq->batch) {
        ngx_rooms_batch_free(rq->batch);
        rq->batch = NULL;
    }

    return ngx_rooms_batch(rq);
}


/*
 * Takes positions for all events at once.  Whatever is written elsewhere
 * meanwhile comes after them.  If the import fails, they stay a gap.  A tenant
 * that has used up its keys, or hasn't enough bytes for these media, is
 * refused now, before anything is written; the steps that register media
 * count their bytes, and the last commit counts the key.
 */
ngx_int_t
ngx_rooms_import_reserve(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    ngx_rooms_keys_t    keys;
    ngx_rooms_batch_t  *b;
    ngx_rooms_commit_t  c;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    keys = rq->keys;
    keys.pool = b->pool;

    if (ngx_rooms_commit_init(&c, b->pool, &keys) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_commit_positions(&c, im->tables.events);

    c.quotas = rq->conf->quotas;

    if (rq->idem_claim.data) {
        ngx_rooms_commit_adds(&c, NGX_ROOMS_QUOTA_KEYS, 1);
    }

    ngx_rooms_commit_adds(&c, NGX_ROOMS_QUOTA_MEDIA,
                          rooms_import_bytes(&im->tables));

    /* by its id, the same script would do nothing a second time */
    b->once = 1;

    if (ngx_rooms_commit_build(&c, b, &keys, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(im->quota, c.quota, sizeof(im->quota));

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_import_reserved(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    int64_t  position;

    switch (ngx_rooms_commit_result(rq->batch, &position,
                                    rq->r->connection->log))
    {

    case NGX_ROOMS_COMMIT_DONE:
        im->tables.position = position - (int64_t) im->tables.events + 1;
        return NGX_OK;

    case NGX_ROOMS_COMMIT_CONFLICT:

        if (position == (int64_t) im->quota[NGX_ROOMS_QUOTA_KEYS]) {
            return ngx_rooms_full(rq, NGX_ROOMS_QUOTA_KEYS);
        }

        if (position == (int64_t) im->quota[NGX_ROOMS_QUOTA_MEDIA]) {
            return ngx_rooms_full(rq, NGX_ROOMS_QUOTA_MEDIA);
        }

        /* fall through */

    default:
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_rooms_import_pairs(ngx_rooms_import_t *im, ngx_rooms_batch_t *b,
    rooms_str_t key)
{
    size_t                      i;
    rooms_str_t                *argv;
    ngx_rooms_import_parcel_t  *parcel;

    parcel = &im->parcel;

    argv = ngx_palloc(b->pool, (2 * parcel->n + 2) * sizeof(rooms_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    argv[0] = ngx_rooms_s("HSET");
    argv[1] = key;

    for (i = 0; i < parcel->n; i++) {
        argv[2 + 2 * i] = parcel->first[i];
        argv[3 + 2 * i] = parcel->second[i];
    }

    if (parcel->kind == NGX_ROOMS_PARCEL_EVENTS) {
        argv[0] = ngx_rooms_s("ZADD");

        for (i = 0; i < parcel->n; i++) {
            argv[2 + 2 * i] = ngx_rooms_number(b->pool,
                                               parcel->positions[i]);
            argv[3 + 2 * i] = parcel->first[i];
        }

    } else if (parcel->kind == NGX_ROOMS_PARCEL_TALLY) {
        argv[0] = ngx_rooms_s("ZADD");

        for (i = 0; i < parcel->n; i++) {
            argv[2 + 2 * i] = ngx_rooms_s("0");
            argv[3 + 2 * i] = parcel->first[i];
        }
    }

    return ngx_rooms_batch_add(b, argv, 2 * parcel->n + 2);
}


static ngx_int_t
ngx_rooms_import_send_pairs(ngx_rooms_import_t *im, ngx_rooms_batch_t *b)
{
    rooms_str_t  key;

    switch (im->parcel.kind) {

    case NGX_ROOMS_PARCEL_COPIES:
        key = im->copies_key;
        break;

    case NGX_ROOMS_PARCEL_AUTHORS:
        key = im->authors_key;
        break;

    case NGX_ROOMS_PARCEL_TALLY:
        key = im->tally_key;
        break;

    case NGX_ROOMS_PARCEL_COUNTS:
        key = im->counts_key;
        break;

    default:
        key = im->events_key;
    }

    /* the first command has a key, so that a cluster can answer MOVED */

    if (ngx_rooms_command(b, ngx_rooms_s("EXPIRE"), im->events_key,
                          ngx_rooms_s(NGX_ROOMS_IMPORT_TTL)) != NGX_OK
        || ngx_rooms_command(b, ngx_rooms_s("MULTI")) != NGX_OK
        || ngx_rooms_import_pairs(im, b, key) != NGX_OK
        || ngx_rooms_command(b, ngx_rooms_s("EXPIRE"), key,
                             ngx_rooms_s(NGX_ROOMS_IMPORT_TTL)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_command(b, ngx_rooms_s("EXEC"));
}


ngx_int_t
ngx_rooms_import_send(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    ngx_int_t           rc;
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_import_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    rc = im->parcel.kind == NGX_ROOMS_PARCEL_MEDIA
         ? ngx_rooms_import_send_media(rq, im, b)
         : ngx_rooms_import_send_pairs(im, b);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    im->leftovers = 1;
    im->sent = im->parcel.n;
    im->sent_kind = im->parcel.kind;
    im->parcel.n = 0;

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_import_sent(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    redisReply  *reply;

    if (im->sent_kind == NGX_ROOMS_PARCEL_MEDIA) {
        return ngx_rooms_import_sent_media(rq, im);
    }

    im->sent = 0;

    reply = ngx_rooms_reply_element(ngx_rooms_reply(rq, 4), 0);

    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
        ngx_log_error(NGX_LOG_ERR, rq->r->connection->log, 0,
                      "rooms: the store refused events of an import: %s",
                      reply && reply->type == REDIS_REPLY_ERROR
                      ? reply->str : "unexpected reply");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_import_send_media(ngx_rooms_req_t *rq, ngx_rooms_import_t *im,
    ngx_rooms_batch_t *b)
{
    ngx_rooms_keys_t     keys;
    ngx_rooms_commit_t   c;

    keys = rq->keys;
    keys.pool = b->pool;

    if (ngx_rooms_commit_init(&c, b->pool, &keys) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_journal_step(&c, &keys, im->tables.room,
                           ngx_rooms_now(), im->media, im->parcel.rows,
                           im->parcel.n);

    c.quotas = rq->conf->quotas;
    im->registering = 1;
    b->once = 1;

    if (ngx_rooms_commit_build(&c, b, &keys, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(im->quota, c.quota, sizeof(im->quota));

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_import_sent_media(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    int64_t  position;

    switch (ngx_rooms_commit_result(rq->batch, &position,
                                    rq->r->connection->log))
    {

    case NGX_ROOMS_COMMIT_DONE:
        im->media += im->sent;
        im->sent = 0;
        return NGX_OK;

    case NGX_ROOMS_COMMIT_CONFLICT:

        if (position == (int64_t) im->quota[NGX_ROOMS_QUOTA_MEDIA]) {
            return ngx_rooms_full(rq, NGX_ROOMS_QUOTA_MEDIA);
        }

        /* the store has lost the journal */
        return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT, NULL);

    default:
        return ngx_rooms_fail(rq, NGX_ROOMS_E_INTERNAL, NULL);
    }
}


/* Adds to the commit that creates the room. */
void
ngx_rooms_import_commit(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    rooms_room_t         room;
    ngx_rooms_commit_t  *c;

    c = &rq->commit;

    /* guards that nothing has expired */

    ngx_rooms_commit_guard_count(c, "ZCARD", im->events_key,
                                 im->tables.events);
    ngx_rooms_commit_guard_count(c, "HLEN", im->copies_key, im->ncopies);
    ngx_rooms_commit_guard_count(c, "HLEN", im->authors_key,
                                 im->tables.nauthors);
    ngx_rooms_commit_guard_count(c, "ZCARD", im->tally_key,
                                 im->tables.nreactions);
    ngx_rooms_commit_guard_count(c, "HLEN", im->counts_key,
                                 im->tables.nreactions);

    ngx_rooms_commit_command(c, 0, ngx_rooms_s("PERSIST"), im->events_key,
                             NULL, 0);
    ngx_rooms_commit_command(c, 0, ngx_rooms_s("PERSIST"), im->authors_key,
                             NULL, 0);
    ngx_rooms_commit_command(c, 0, ngx_rooms_s("PERSIST"), im->copies_key,
                             NULL, 0);
    ngx_rooms_commit_command(c, 0, ngx_rooms_s("PERSIST"), im->tally_key,
                             NULL, 0);
    ngx_rooms_commit_command(c, 0, ngx_rooms_s("PERSIST"), im->counts_key,
                             NULL, 0);

    ngx_memzero(&room, sizeof(rooms_room_t));
    room.id = im->tables.room;

    ngx_rooms_apply_size(c, &rq->keys, &room, im->longest);

    if (im->media) {
        ngx_rooms_journal_close(c, &rq->keys, im->tables.room, im->media);
    }
}


/*
 * Removes what is in the store, unless it became a room; after an interrupted
 * commit that isn't known here.
 */
void
ngx_rooms_import_abandon(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    ngx_rooms_batch_t   *b;
    ngx_rooms_commit_t   c;

    if (!im->leftovers
        || ngx_rooms_commit_init(&c, rq->pool, &rq->keys) != NGX_OK)
    {
        return;
    }

    im->leftovers = 0;

    ngx_rooms_commit_guard_string(&c,
                                  ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_ROOM,
                                                im->tables.room),
                                  ROOMS_NULL);
    ngx_rooms_commit_delete(&c, im->events_key);
    ngx_rooms_commit_delete(&c, im->copies_key);
    ngx_rooms_commit_delete(&c, im->authors_key);
    ngx_rooms_commit_delete(&c, im->tally_key);
    ngx_rooms_commit_delete(&c, im->counts_key);

    b = ngx_rooms_batch_create(ngx_cycle->log);
    if (b == NULL) {
        return;
    }

    /* goes after what is in flight; nobody waits for the reply */

    if (ngx_rooms_commit_build(&c, b, &rq->keys, 1) == NGX_OK) {
        ngx_rooms_store_send(rq->conf->store, rq->keys.slot,
                             NGX_ROOMS_LANE_BULK, b);
    }

    ngx_rooms_batch_free(b);

    if (im->registering) {
        (void) ngx_rooms_undo(rq->conf->store, &rq->conf->key_prefix,
                              rq->principal.tenant, im->tables.room, 0, NULL,
                              NULL);
    }
}
