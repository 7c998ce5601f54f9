/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What becomes of the outbox at the end of a round: one commit, which changes
 * nothing once the lease is somebody else's.
 */

#include "ngx_rooms_outbox.h"
#include "ngx_rooms_endings.h"


static ngx_int_t ngx_rooms_outbox_commit(ngx_rooms_outbox_t *o);


ngx_int_t
ngx_rooms_outbox_finish(ngx_rooms_outbox_t *o, ngx_rooms_outbox_end_e end)
{
    o->end = end;
    o->empties = end == NGX_ROOMS_O_SENT && o->waiting == (int64_t) o->done;

    return ngx_rooms_outbox_commit(o);
}


/* "failures dropped" as they are now; nothing to tell: no row */
static void
ngx_rooms_outbox_put_state(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c)
{
    rooms_str_t  key;

    key = ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_OUTBOX_STATE, ROOMS_NULL);

    if (o->failures == 0 && o->dropped == 0) {
        ngx_rooms_commit_write(c, "HDEL", key, o->server);
        return;
    }

    ngx_rooms_commit_write(c, "HSET", key, o->server,
                           ngx_rooms_join(o->round,
                                   ngx_rooms_number(o->round, o->failures),
                                   ngx_rooms_s(" "),
                                   ngx_rooms_number(o->round, o->dropped)));
}


/* Takes the first items, `done` of them, out of the outbox. */
static ngx_int_t
ngx_rooms_outbox_remove(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c,
    rooms_str_t outbox)
{
    ngx_uint_t    i;
    rooms_str_t  *argv;

    if (o->done == 0) {
        return NGX_OK;
    }

    argv = ngx_palloc(o->round, o->done * sizeof(rooms_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < o->done; i++) {
        argv[i] = o->items[i].item;
    }

    ngx_rooms_commit_command(c, 0, ngx_rooms_s("ZREM"), outbox, argv,
                             o->done);

    return NGX_OK;
}


/* Where events were dropped, the room is told as it is. */
static void
ngx_rooms_outbox_replace(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c,
    rooms_str_t outbox)
{
    ngx_uint_t   i;

    for (i = 0; i < o->nitems; i++) {

        if (o->items[i].valid) {
            ngx_rooms_commit_write(c, "ZADD", outbox,
                         ngx_rooms_number(o->round, o->items[i].position),
                         ngx_rooms_join(o->round, ngx_rooms_s("s "),
                                        o->rooms[o->items[i].room].id));
        }
    }
}


static ngx_msec_t
ngx_rooms_outbox_backoff(ngx_rooms_outbox_t *o)
{
    ngx_msec_t  delay;

    delay = NGX_ROOMS_OUTBOX_MIN << ngx_min(o->failures, 6);
    delay = ngx_min(delay, NGX_ROOMS_OUTBOX_LONG);

    return delay * 3 / 4 + ngx_random() % (delay / 4 + 1);
}


static ngx_int_t
ngx_rooms_outbox_writes(ngx_rooms_outbox_t *o)
{
    ngx_uint_t           i;
    ngx_time_t          *tp;
    rooms_str_t          outbox, outboxes;
    ngx_rooms_commit_t  *c;

    c = &o->commit;

    if (ngx_rooms_lease_fence(&o->link->lease, c, o->round, &o->keys)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    outbox = ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_OUTBOX, o->server);
    outboxes = ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_OUTBOXES, ROOMS_NULL);

    if (o->trouble.data) {
        ngx_rooms_commit_write(c, "HSET",
                               ngx_rooms_key(&o->keys,
                                             NGX_ROOMS_KEY_PEER_ERRORS,
                                             ROOMS_NULL),
                               o->server, o->trouble);
    }

    switch (o->end) {

    case NGX_ROOMS_O_SENT:

        /* whoever posts meanwhile finds the server still listed */

        if (o->empties) {
            ngx_rooms_commit_guard_count(c, "ZCARD", outbox, o->waiting);
            ngx_rooms_commit_write(c, "ZREM", outboxes, o->server);
        }

        if (o->pdu && o->done) {
            /* it may have been asked for again */
            ngx_rooms_commit_guard_score(c, outbox, o->items[0].item,
                                         o->items[0].position);
        }

        if (o->sent) {
            o->failures = 0;
            o->dropped = 0;
            ngx_rooms_outbox_put_state(o, c);

            tp = ngx_timeofday();
            ngx_rooms_commit_write(c, "HSET",
                              ngx_rooms_key(&o->keys,
                                            NGX_ROOMS_KEY_PEER_REACHED,
                                            ROOMS_NULL), o->server,
                              ngx_rooms_number(o->round,
                                               (int64_t) tp->sec * 1000
                                               + tp->msec));
        }

        for (i = 0; i < o->ngone; i++) {
            ngx_rooms_endings_parted(c, &o->keys, o->gone[i].id, o->server,
                                     o->gone[i].position);
        }

        return ngx_rooms_outbox_remove(o, c, outbox);

    case NGX_ROOMS_O_FAILED:
        tp = ngx_timeofday();

        ngx_rooms_commit_write(c, "ZADD", outboxes, ngx_rooms_s("XX"),
                           ngx_rooms_number(o->round,
                                            (int64_t) tp->sec * 1000
                                            + tp->msec
                                            + ngx_rooms_outbox_backoff(o)),
                           o->server);
        o->failures++;
        ngx_rooms_outbox_put_state(o, c);

        return NGX_OK;

    case NGX_ROOMS_O_DROPPED:

        for (i = 0; i < o->nitems; i++) {
            o->dropped += o->items[i].event.data != NULL;
        }

        ngx_log_error(NGX_LOG_WARN, o->timer.log, 0,
                      "rooms: more than %d items wait for \"%*s\": the "
                      "oldest are dropped", NGX_ROOMS_OUTBOX_MAX,
                      o->server.len, o->server.data);

        o->done = o->nitems;
        ngx_rooms_outbox_put_state(o, c);

        if (ngx_rooms_outbox_remove(o, c, outbox) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_rooms_outbox_replace(o, c, outbox);

        return NGX_OK;

    default:
        ngx_log_error(NGX_LOG_NOTICE, o->timer.log, 0,
                      "rooms: %L items for \"%*s\", with whom nobody may "
                      "federate, are dropped", o->waiting, o->server.len,
                      o->server.data);

        o->failures = 0;
        o->dropped = 0;

        ngx_rooms_commit_delete(c, outbox);
        ngx_rooms_commit_write(c, "ZREM", outboxes, o->server);
        ngx_rooms_outbox_put_state(o, c);

        return NGX_OK;
    }
}


static ngx_int_t
ngx_rooms_outbox_commit(ngx_rooms_outbox_t *o)
{
    ngx_rooms_batch_t  *b;

    if (ngx_rooms_outbox_writes(o) != NGX_OK) {
        return NGX_ERROR;
    }

    b = ngx_rooms_outbox_batch(o);

    if (b == NULL
        || ngx_rooms_commit_build(&o->commit, b, &o->keys, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_COMMIT, NGX_ROOMS_LANE_FAST);
}


/* NGX_AGAIN: another round; NGX_DONE: the end. */
ngx_int_t
ngx_rooms_outbox_committed(ngx_rooms_outbox_t *o, ngx_rooms_batch_t *b)
{
    int64_t  guard;

    switch (ngx_rooms_commit_result(b, &guard, o->timer.log)) {

    case NGX_ROOMS_COMMIT_DONE:

        if (o->end == NGX_ROOMS_O_DROPPED
            || (o->end == NGX_ROOMS_O_SENT && !o->empties))
        {
            return NGX_AGAIN;
        }

        return NGX_DONE;

    case NGX_ROOMS_COMMIT_NOSCRIPT:
        b = ngx_rooms_outbox_batch(o);

        if (b == NULL
            || ngx_rooms_commit_build(&o->commit, b, &o->keys, 1) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_COMMIT,
                                    NGX_ROOMS_LANE_FAST);

    case NGX_ROOMS_COMMIT_CONFLICT:

        /* the first guard is the lease */

        if (guard == 2 && o->empties) {
            o->empties = 0;
            return ngx_rooms_outbox_commit(o);
        }

        if (guard > 1) {
            ngx_memzero(&o->snapshot, sizeof(ngx_rooms_pdu_at_t));
            return NGX_AGAIN;
        }

        o->link->lease.until = 0;

        return NGX_DONE;

    default:
        return NGX_ERROR;
    }
}
