/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A server is told what waits for it, in rounds.  One is a single request:
 *
 *   items -> events, rooms -> names -> call -> commit -> (items ...)
 *        \-> excess -> commit        page of members for a snapshot
 *
 * Items leave the outbox when the peer has judged them, in the order of their
 * positions; a round that fails leaves them, and says when the next one is.
 */

#include "ngx_rooms_outbox.h"
#include "ngx_rooms_fedpolicy.h"
#include "ngx_rooms_fault.h"


static void ngx_rooms_outbox_begin(ngx_rooms_outbox_t *o);
static void ngx_rooms_outbox_answered(ngx_rooms_batch_t *b);
static void ngx_rooms_outbox_late(ngx_event_t *ev);


void
ngx_rooms_outbox_start(ngx_rooms_fedlink_t *link, rooms_str_t server,
    ngx_rooms_link_kind_e kind)
{
    ngx_pool_t          *pool;
    ngx_rooms_outbox_t  *o;

    pool = ngx_create_pool(1024, link->timer.log);
    if (pool == NULL) {
        return;
    }

    o = ngx_pcalloc(pool, sizeof(ngx_rooms_outbox_t));

    if (o == NULL || (server = ngx_rooms_dup(pool, server)).data == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    o->pool = pool;
    o->link = link;
    o->server = server;
    o->window = NGX_ROOMS_OUTBOX_ITEMS;

    o->timer.handler = ngx_rooms_outbox_late;
    o->timer.data = o;
    o->timer.log = link->timer.log;

    ngx_queue_insert_tail(&link->sends, &o->queue);
    o->kind = kind;
    link->nsends[kind]++;

    ngx_rooms_outbox_begin(o);
}


/* Forgets a round; replies that are still to come are read and dropped. */
static void
ngx_rooms_outbox_clear(ngx_rooms_outbox_t *o)
{
    ngx_uint_t  i;

    for (i = 0; i < o->nbatches; i++) {
        ngx_rooms_batch_free(o->batches[i]);
    }

    o->nbatches = 0;

    if (o->timer.timer_set) {
        ngx_del_timer(&o->timer);
    }

    if (o->round) {
        ngx_destroy_pool(o->round);
        o->round = NULL;
    }
}


void
ngx_rooms_outbox_stop(ngx_rooms_outbox_t *o)
{
    ngx_rooms_outbox_clear(o);

    ngx_queue_remove(&o->queue);
    o->link->nsends[o->kind]--;

    ngx_destroy_pool(o->pool);
}


void
ngx_rooms_outbox_next(ngx_rooms_outbox_t *o)
{
    ngx_rooms_outbox_clear(o);
    ngx_rooms_outbox_begin(o);
}


ngx_rooms_batch_t *
ngx_rooms_outbox_batch(ngx_rooms_outbox_t *o)
{
    ngx_rooms_batch_t  *b;

    if (o->nbatches == NGX_ROOMS_OUTBOX_BATCHES) {
        return NULL;
    }

    b = ngx_rooms_batch_create(o->timer.log);

    if (b) {
        b->handler = ngx_rooms_outbox_answered;
        b->data = o;
        o->batches[o->nbatches++] = b;
    }

    return b;
}


/* Sends the newest batch. */
ngx_int_t
ngx_rooms_outbox_ask(ngx_rooms_outbox_t *o, ngx_rooms_outbox_e state,
    ngx_uint_t lane)
{
    ngx_rooms_batch_t  *b;
    ngx_rooms_store_t  *store;

    b = o->batches[o->nbatches - 1];
    store = o->link->conf->store;

    if (b->failed) {
        return NGX_ERROR;
    }

    o->state = state;
    o->lane = lane;

    ngx_add_timer(&o->timer, store->node.timeout);
    ngx_rooms_lane_send(ngx_rooms_store_lane(store, o->keys.slot, lane), b);

    return NGX_OK;
}


static void
ngx_rooms_outbox_late(ngx_event_t *ev)
{
    ngx_rooms_outbox_t *o = ev->data;

    ngx_msec_t          left;
    ngx_rooms_lane_t   *lane;
    ngx_rooms_batch_t  *b;

    if (o->state == NGX_ROOMS_O_CALL) {
        ngx_rooms_outbox_waited(o);
        return;
    }

    b = o->batches[o->nbatches - 1];
    left = ngx_rooms_batch_left(b, o->link->conf->store->node.timeout);

    if (left) {
        ngx_add_timer(ev, left);
        return;
    }

    lane = b->lane;

    ngx_rooms_outbox_stop(o);

    if (lane && !ngx_exiting) {
        ngx_rooms_lane_late(lane);
    }
}


static void
ngx_rooms_outbox_answered(ngx_rooms_batch_t *b)
{
    ngx_int_t            rc;
    ngx_rooms_outbox_t  *o;

    o = b->data;

    if (b->status == NGX_ROOMS_BATCH_OK
        && ngx_rooms_store_moved(o->link->conf->store, b, o->lane)
           == NGX_AGAIN)
    {
        return;
    }

    if (o->timer.timer_set) {
        ngx_del_timer(&o->timer);
    }

    if (b->status != NGX_ROOMS_BATCH_OK || ngx_exiting
        || !ngx_rooms_lease_holds(&o->link->lease)
        || ngx_rooms_fault_log(b, o->timer.log) != NGX_ROOMS_FAULT_NONE)
    {
        ngx_rooms_outbox_stop(o);
        return;
    }

    switch (o->state) {

    case NGX_ROOMS_O_ITEMS:
        rc = ngx_rooms_outbox_items(o, b);
        break;

    case NGX_ROOMS_O_EXCESS:
        rc = ngx_rooms_outbox_excess(o, b);
        break;

    case NGX_ROOMS_O_EVENTS:
        rc = ngx_rooms_outbox_events(o, b);
        break;

    case NGX_ROOMS_O_PAGE:
        rc = ngx_rooms_outbox_page(o, b);
        break;

    case NGX_ROOMS_O_NAMES:
        rc = ngx_rooms_outbox_names(o, b);
        break;

    default:
        rc = ngx_rooms_outbox_committed(o, b);
    }

    if (rc == NGX_AGAIN) {
        ngx_rooms_outbox_next(o);

    } else if (rc != NGX_OK) {
        ngx_rooms_outbox_stop(o);
    }
}


static void
ngx_rooms_outbox_begin(ngx_rooms_outbox_t *o)
{
    rooms_str_t            key;
    ngx_rooms_batch_t     *b;
    ngx_rooms_loc_conf_t  *conf;

    conf = o->link->conf;

    o->items = NULL;
    o->nitems = 0;
    o->rooms = NULL;
    o->nrooms = 0;
    o->pdu = NULL;
    o->texts = NULL;
    o->ntexts = 0;
    o->told = 0;
    o->done = 0;
    o->sent = 0;
    o->trouble = ROOMS_NULL;
    o->gone = NULL;
    o->ngone = 0;

    o->round = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, o->timer.log);

    if (o->round == NULL
        || ngx_rooms_keys_init(&o->keys, o->round, &conf->key_prefix,
                               rooms_from_ngx(conf->tenant)) != NGX_OK
        || (b = ngx_rooms_outbox_batch(o)) == NULL)
    {
        ngx_rooms_outbox_stop(o);
        return;
    }

    key = ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_OUTBOX, o->server);

    (void) ngx_rooms_command(b, ngx_rooms_s("ZCARD"), key);
    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGE"), key, ngx_rooms_s("0"),
                             ngx_rooms_number(b->pool, o->window - 1),
                             ngx_rooms_s("WITHSCORES"));
    (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                             ngx_rooms_key(&o->keys,
                                           NGX_ROOMS_KEY_OUTBOX_STATE,
                                           ROOMS_NULL), o->server);
    (void) ngx_rooms_fedpolicy_ask(b, &o->keys);

    if (ngx_rooms_outbox_ask(o, NGX_ROOMS_O_ITEMS, NGX_ROOMS_LANE_BULK)
        != NGX_OK)
    {
        ngx_rooms_outbox_stop(o);
    }
}
