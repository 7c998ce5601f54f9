/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * On the event loop: what the thread made goes into the store.
 *
 * The room's own keys are written under their final names.  They have a time
 * to live from the first byte on (MULTI, so that no crash comes between),
 * which the commit takes away; until then no key leads to them.
 */

#include "ngx_rooms_import.h"
#include "ngx_rooms_media.h"


#define NGX_ROOMS_IMPORT_PAIRS  500   /* of one write; Lua's stack is small */


static ngx_rooms_batch_t *ngx_rooms_import_batch(ngx_rooms_req_t *rq);
static void ngx_rooms_import_media(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im);


/* Thousands of batches follow each other: none is kept. */
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
 * Positions for all events at once.  What is written elsewhere meanwhile
 * comes after them; what isn't used, if the import fails, stays a gap.
 */
ngx_int_t
ngx_rooms_import_reserve(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_command(rq->batch, ngx_rooms_s("INCRBY"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_POSITION,
                                           ROOMS_NULL),
                             ngx_rooms_number(rq->pool, im->tables.events))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_import_events(ngx_rooms_import_t *im, ngx_rooms_batch_t *b)
{
    size_t                      i;
    rooms_str_t                *argv;
    ngx_rooms_import_parcel_t  *parcel;

    parcel = &im->parcel;

    argv = ngx_palloc(b->pool, (2 * parcel->n + 2) * sizeof(rooms_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    argv[0] = parcel->copies ? ngx_rooms_s("HSET") : ngx_rooms_s("ZADD");
    argv[1] = parcel->copies ? im->copies_key : im->events_key;

    for (i = 0; i < parcel->n; i++) {

        if (parcel->copies) {
            argv[2 + 2 * i] = parcel->first[i];
            argv[3 + 2 * i] = parcel->second[i];

        } else {
            argv[2 + 2 * i] = ngx_rooms_number(b->pool,
                                               parcel->positions[i]);
            argv[3 + 2 * i] = parcel->first[i];
        }
    }

    return ngx_rooms_batch_add(b, argv, 2 * parcel->n + 2);
}


ngx_int_t
ngx_rooms_import_send(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    rooms_str_t         key;
    ngx_rooms_batch_t  *b;

    key = im->parcel.copies ? im->copies_key : im->events_key;

    b = ngx_rooms_import_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    /* the first command names a key, so that a cluster can answer MOVED */

    if (ngx_rooms_command(b, ngx_rooms_s("EXPIRE"), im->events_key,
                          ngx_rooms_s(NGX_ROOMS_IMPORT_TTL)) != NGX_OK
        || ngx_rooms_command(b, ngx_rooms_s("MULTI")) != NGX_OK
        || ngx_rooms_import_events(im, b) != NGX_OK
        || ngx_rooms_command(b, ngx_rooms_s("EXPIRE"), key,
                             ngx_rooms_s(NGX_ROOMS_IMPORT_TTL)) != NGX_OK
        || ngx_rooms_command(b, ngx_rooms_s("EXEC")) != NGX_OK)
    {
        return NGX_ERROR;
    }

    im->leftovers = 1;
    im->sent = 1;
    im->parcel.n = 0;

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_import_sent(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    redisReply  *reply;

    im->sent = 0;

    reply = ngx_rooms_reply_element(ngx_rooms_reply(rq, 4), 0);

    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
        ngx_log_error(NGX_LOG_ERR, rq->r->connection->log, 0,
                      "rooms: events of an import were not taken: %s",
                      reply && reply->type == REDIS_REPLY_ERROR
                      ? reply->str : "odd reply");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* What the commit that makes the room has to say besides. */
void
ngx_rooms_import_commit(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    ngx_rooms_commit_t  *c;

    c = &rq->commit;

    /* all of it is still there: none has expired */

    ngx_rooms_commit_guard_count(c, "ZCARD", im->events_key,
                                 im->tables.events);
    ngx_rooms_commit_guard_count(c, "HLEN", im->copies_key, im->ncopies);

    ngx_rooms_commit_command(c, 0, ngx_rooms_s("PERSIST"), im->events_key,
                             NULL, 0);
    ngx_rooms_commit_command(c, 0, ngx_rooms_s("PERSIST"), im->copies_key,
                             NULL, 0);

    ngx_rooms_import_media(rq, im);
}


static rooms_str_t
ngx_rooms_import_medium(ngx_rooms_req_t *rq, ngx_rooms_import_t *im,
    const rooms_import_medium_t *medium)
{
    ngx_rooms_medium_t  m;

    m.id = (rooms_str_t) { sizeof(medium->id), medium->id };
    m.sha256 = (rooms_str_t) { sizeof(medium->sha256), medium->sha256 };
    m.size = medium->size;
    m.crc32 = im->tables.media[medium->content].crc;
    m.mime = rooms_import_string(&im->tables, medium->mime);
    m.name = rooms_import_string(&im->tables, medium->name);
    m.owner = rq->principal.sub;
    m.created_at = rq->now;

    return ngx_rooms_media_format(rq->pool, &m);
}


/* Ids are new and random, so nothing has to be guarded. */
static void
ngx_rooms_import_media(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    size_t                  i, n;
    rooms_str_t             media, blobs, argv[2 * NGX_ROOMS_IMPORT_PAIRS];
    ngx_rooms_commit_t     *c;
    rooms_import_medium_t  *m;

    c = &rq->commit;
    media = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_MEDIA, ROOMS_NULL);
    blobs = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_BLOBS, ROOMS_NULL);

    im->media = 0;
    n = 0;

    for (i = 0; i < im->tables.nmedia; i++) {

        if (!rooms_import_kept(&im->tables, i)) {
            continue;
        }

        m = &im->tables.media[i];
        im->media++;

        argv[n++] = (rooms_str_t) { sizeof(m->id), m->id };
        argv[n++] = ngx_rooms_import_medium(rq, im, m);

        if (n == 2 * NGX_ROOMS_IMPORT_PAIRS) {
            ngx_rooms_commit_command(c, 0, ngx_rooms_s("HSET"), media, argv,
                                     n);
            n = 0;
        }

        ngx_rooms_commit_write(c, "HINCRBY", blobs,
                               { sizeof(m->sha256), m->sha256 },
                               ngx_rooms_s("1"));
    }

    if (n) {
        ngx_rooms_commit_command(c, 0, ngx_rooms_s("HSET"), media, argv, n);
    }
}


/*
 * Removes what is in the store, unless it became a room: of a commit that
 * was cut off that isn't known here.
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

    b = ngx_rooms_batch_create(ngx_cycle->log);
    if (b == NULL) {
        return;
    }

    /* behind what is on its way, and nobody waits for the reply */

    if (ngx_rooms_commit_build(&c, b, &rq->keys, 1) == NGX_OK) {
        ngx_rooms_lane_send(ngx_rooms_store_lane(rq->conf->store,
                                                 rq->keys.slot,
                                                 NGX_ROOMS_LANE_BULK), b);
    }

    ngx_rooms_batch_free(b);
}
