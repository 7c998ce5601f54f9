/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What has to end stands in "endings", or follows from the policy: a peer
 * that it doesn't allow has no place in any room of ours, nor have we in one
 * that is at home there.  All servers that were in a room are looked at when
 * the policy has changed, whoever changed it, and now and then.
 *
 *   ending? --+--> room -> rows -> heirs -> commit --+
 *     |  none |                                      |
 *     v       |                                      |
 *   peers -> its rooms                               |
 *     ^                                              |
 *     +----------------------------------------------+
 *
 * Every step begins with what the store says, and is fenced by the lease: it
 * may stop anywhere, and be done by another worker.
 */

#include "ngx_rooms_endings_step.h"
#include "ngx_rooms_hold.h"
#include "ngx_rooms_fault.h"


#define NGX_ROOMS_ENDINGS_IDLE  1000       /* ms */


static void ngx_rooms_endings_timer(ngx_event_t *ev);
static void ngx_rooms_endings_begin(ngx_rooms_endings_t *e);
static void ngx_rooms_endings_end(ngx_rooms_endings_t *e);
static void ngx_rooms_endings_answered(ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_endings_advance(ngx_rooms_endings_t *e,
    ngx_rooms_batch_t *b);


void
ngx_rooms_endings_add(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_str_t who, int64_t now)
{
    uint32_t     n;
    rooms_str_t  peers, server;

    peers = room->peers;

    while (rooms_peers_next(&peers, &server, &n)) {
        ngx_rooms_commit_write(c, "ZADD",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_ENDINGS,
                                             ROOMS_NULL),
                               ngx_rooms_number(c->pool, now),
                               ngx_rooms_join(c->pool, room->id,
                                              ngx_rooms_s(" "), server,
                                              ngx_rooms_s(" "), who));
    }
}


void
ngx_rooms_endings_peer(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t server, rooms_str_t who, int64_t now)
{
    ngx_rooms_commit_write(c, "ZADD",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_ENDINGS,
                                         ROOMS_NULL),
                           ngx_rooms_number(c->pool, now),
                           ngx_rooms_join(c->pool, ngx_rooms_s("* "), server,
                                          ngx_rooms_s(" "), who));
}


/* "@:server" is nobody, of that server: who leaves does so of themselves. */
void
ngx_rooms_endings_parted(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t server, int64_t position)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    ngx_rooms_commit_write(c, "ZADD",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_ENDINGS,
                                         ROOMS_NULL),
                           ngx_rooms_s("NX"),
                           ngx_rooms_number(c->pool, (int64_t) tp->sec * 1000
                                                     + tp->msec),
                           ngx_rooms_join(c->pool, room, ngx_rooms_s(" "),
                                          server, ngx_rooms_s(" @:"), server,
                                          position < 0
                                          ? ROOMS_NULL : ngx_rooms_s(" "),
                                          position < 0
                                          ? ROOMS_NULL
                                          : ngx_rooms_number(c->pool,
                                                             position)));
}


void
ngx_rooms_endings_policy(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t who)
{
    ngx_rooms_commit_write(c, "HSET",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_FEDERATION,
                                         ROOMS_NULL),
                           ngx_rooms_s("admin"), who);
}


void
ngx_rooms_endings_run(ngx_rooms_fedlink_t *link)
{
    ngx_rooms_endings_t  *e;

    e = link->endings;

    if (e == NULL) {
        e = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_rooms_endings_t));
        if (e == NULL) {
            return;
        }

        e->link = link;
        e->timer.handler = ngx_rooms_endings_timer;
        e->timer.data = e;
        e->timer.log = link->timer.log;
        e->timer.cancelable = 1;
        e->next = ngx_current_msec;

        link->endings = e;
    }

    if (e->busy || ngx_exiting
        || (ngx_msec_int_t) (ngx_current_msec - e->next) < 0)
    {
        return;
    }

    e->busy = 1;
    e->steps = 0;
    ngx_rooms_hold();

    ngx_rooms_endings_begin(e);
}


static void
ngx_rooms_endings_clear(ngx_rooms_endings_t *e)
{
    while (e->nbatches) {
        ngx_rooms_batch_free(e->batches[--e->nbatches]);
    }

    if (e->pool) {
        ngx_destroy_pool(e->pool);
        e->pool = NULL;
    }
}


static void
ngx_rooms_endings_end(ngx_rooms_endings_t *e)
{
    if (e->timer.timer_set) {
        ngx_del_timer(&e->timer);
    }

    ngx_rooms_endings_clear(e);

    e->busy = 0;
    ngx_rooms_release();
}


/* The store is late: another time. */
static void
ngx_rooms_endings_timer(ngx_event_t *ev)
{
    ngx_msec_t            left;
    ngx_rooms_lane_t     *lane;
    ngx_rooms_endings_t  *e;
    ngx_rooms_batch_t    *b;

    e = ev->data;
    b = e->nbatches ? e->batches[e->nbatches - 1] : NULL;
    left = b ? ngx_rooms_batch_left(b, e->link->conf->store->node.timeout) : 0;

    if (left) {
        ngx_add_timer(ev, left);
        return;
    }

    lane = b ? b->lane : NULL;

    ngx_rooms_endings_end(e);

    if (lane) {
        ngx_rooms_lane_late(lane);
    }
}


ngx_rooms_batch_t *
ngx_rooms_endings_batch(ngx_rooms_endings_t *e)
{
    ngx_rooms_batch_t  *b;

    if (e->nbatches == NGX_ROOMS_ENDINGS_BATCHES) {
        return NULL;
    }

    b = ngx_rooms_batch_create(e->timer.log);

    if (b) {
        e->batches[e->nbatches++] = b;
    }

    return b;
}


ngx_int_t
ngx_rooms_endings_ask(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b,
    ngx_rooms_endings_e state)
{
    ngx_rooms_store_t  *store;

    if (b->failed) {
        return NGX_ERROR;
    }

    store = e->link->conf->store;

    b->handler = ngx_rooms_endings_answered;
    b->data = e;

    e->state = state;
    ngx_add_timer(&e->timer, store->node.timeout);
    ngx_rooms_lane_send(ngx_rooms_store_lane(store, e->keys.slot,
                                             NGX_ROOMS_LANE_BULK), b);

    return NGX_AGAIN;
}


/* Of each step: is there an ending, and what does the policy say. */
static void
ngx_rooms_endings_begin(ngx_rooms_endings_t *e)
{
    ngx_rooms_batch_t     *b;
    ngx_rooms_loc_conf_t  *conf;

    ngx_rooms_endings_clear(e);

    conf = e->link->conf;
    e->pool = ngx_create_pool(4096, e->timer.log);

    if (e->steps >= NGX_ROOMS_ENDINGS_STEPS || ngx_exiting || e->pool == NULL
        || !ngx_rooms_lease_holds(&e->link->lease)
        || ngx_rooms_keys_init(&e->keys, e->pool, &conf->key_prefix,
                               rooms_from_ngx(conf->tenant)) != NGX_OK)
    {
        ngx_rooms_endings_end(e);
        return;
    }

    e->steps++;
    e->all = 0;
    e->ending = ROOMS_NULL;
    e->after = ROOMS_NULL;

    b = ngx_rooms_endings_batch(e);

    if (b) {
        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGE"),
                                 ngx_rooms_key(&e->keys,
                                               NGX_ROOMS_KEY_ENDINGS,
                                               ROOMS_NULL),
                                 ngx_rooms_s("0"), ngx_rooms_s("0"));
        (void) ngx_rooms_command(b, ngx_rooms_s("HMGET"),
                                 ngx_rooms_key(&e->keys,
                                               NGX_ROOMS_KEY_FEDERATION,
                                               ROOMS_NULL),
                                 ngx_rooms_s("policy"), ngx_rooms_s("admin"));
    }

    if (b == NULL
        || ngx_rooms_endings_ask(e, b, NGX_ROOMS_E_ENDING) != NGX_AGAIN)
    {
        ngx_rooms_endings_end(e);
    }
}


static void
ngx_rooms_endings_answered(ngx_rooms_batch_t *b)
{
    ngx_int_t             rc;
    ngx_rooms_endings_t  *e;

    e = b->data;

    if (b->status == NGX_ROOMS_BATCH_OK
        && ngx_rooms_store_moved(e->link->conf->store, b, NGX_ROOMS_LANE_BULK)
           == NGX_AGAIN)
    {
        return;
    }

    if (e->timer.timer_set) {
        ngx_del_timer(&e->timer);
    }

    if (b->status != NGX_ROOMS_BATCH_OK || ngx_exiting) {
        ngx_rooms_endings_end(e);
        return;
    }

    rc = ngx_rooms_endings_advance(e, b);

    if (rc == NGX_OK) {
        ngx_rooms_endings_begin(e);

    } else if (rc != NGX_AGAIN) {
        e->next = ngx_current_msec + NGX_ROOMS_ENDINGS_IDLE;
        ngx_rooms_endings_end(e);
    }
}


/* NGX_AGAIN: asked; NGX_OK: the step is done; else the tick is. */
static ngx_int_t
ngx_rooms_endings_advance(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b)
{
    int64_t  position;

    if (ngx_rooms_fault_log(b, e->timer.log) != NGX_ROOMS_FAULT_NONE) {
        return NGX_ERROR;
    }

    switch (e->state) {

    case NGX_ROOMS_E_ENDING:
        return ngx_rooms_endings_ending(e, b);

    case NGX_ROOMS_E_PEERS:
        return ngx_rooms_endings_peers(e, b->replies[0]);

    case NGX_ROOMS_E_ROOMS:
        return ngx_rooms_endings_rooms(e, b);

    case NGX_ROOMS_E_ROOM:
        return ngx_rooms_endings_room(e, b);

    case NGX_ROOMS_E_ROWS:
        return ngx_rooms_endings_rows(e, b);

    case NGX_ROOMS_E_HEIRS:
        return ngx_rooms_endings_heirs(e, b);

    default:

        switch (ngx_rooms_commit_result(b, &position, e->timer.log)) {

        case NGX_ROOMS_COMMIT_DONE:
        case NGX_ROOMS_COMMIT_CONFLICT:
            /* whatever it was, the next step sees it */
            return NGX_OK;

        case NGX_ROOMS_COMMIT_NOSCRIPT:
            e->whole = 1;
            return ngx_rooms_endings_send(e);

        default:
            return NGX_ERROR;
        }
    }
}


ngx_int_t
ngx_rooms_endings_send(ngx_rooms_endings_t *e)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_endings_batch(e);

    if (b == NULL
        || ngx_rooms_commit_build(&e->commit, b, &e->keys, e->whole)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    e->whole = 0;

    return ngx_rooms_endings_ask(e, b, NGX_ROOMS_E_COMMIT);
}
