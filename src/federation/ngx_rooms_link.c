/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Who drains the outboxes, and which of them are due.
 *
 * The lease is kept by our clock from the moment that it was asked for, so
 * never longer than the store keeps it.  A worker that ends doesn't give it
 * back: what it has sent may still be on its way.
 */

#include "ngx_rooms_endings.h"
#include "ngx_rooms_outbox.h"
#include "ngx_rooms_hold.h"
#include "ngx_rooms_fault.h"
#include "ngx_rooms_profiles.h"


static void ngx_rooms_link_timer(ngx_event_t *ev);
static ngx_int_t ngx_rooms_link_ask(ngx_rooms_fedlink_t *link);
static void ngx_rooms_link_answered(ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_link_due(ngx_rooms_fedlink_t *link,
    redisReply *reply);
static void ngx_rooms_link_sort(ngx_rooms_fedlink_t *link,
    ngx_rooms_batch_t *b);
static void ngx_rooms_link_send(ngx_rooms_fedlink_t *link,
    ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys);


static ngx_uint_t
ngx_rooms_link_same(ngx_rooms_loc_conf_t *a, ngx_rooms_loc_conf_t *b)
{
    return a->store == b->store
           && rooms_str_eq(rooms_from_ngx(a->key_prefix),
                           rooms_from_ngx(b->key_prefix))
           && rooms_str_eq(rooms_from_ngx(a->tenant),
                           rooms_from_ngx(b->tenant))
           && rooms_str_eq(rooms_from_ngx(a->server_name),
                           rooms_from_ngx(b->server_name));
}


ngx_int_t
ngx_rooms_link_add(ngx_conf_t *cf, ngx_array_t *links,
    ngx_rooms_loc_conf_t *conf)
{
    ngx_uint_t                 i;
    ngx_rooms_fedlink_t          *link;
    ngx_http_core_srv_conf_t  *cscf;

    link = links->elts;

    for (i = 0; i < links->nelts; i++) {

        if (ngx_rooms_link_same(link[i].conf, conf)) {
            return NGX_OK;
        }
    }

    link = ngx_array_push(links);
    if (link == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(link, sizeof(ngx_rooms_fedlink_t));

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    link->ctx = cscf->ctx;
    link->conf = conf;

    return NGX_OK;
}


void
ngx_rooms_link_init_worker(ngx_array_t *links, ngx_cycle_t *cycle)
{
    ngx_uint_t         i;
    ngx_rooms_fedlink_t  *link;

    if (ngx_process == NGX_PROCESS_HELPER) {
        return;
    }

    link = links->elts;

    for (i = 0; i < links->nelts; i++) {
        ngx_queue_init(&link[i].sends);
        ngx_queue_init(&link[i].profiles);
        ngx_rooms_random_hex(link[i].token, NGX_ROOMS_LINK_TOKEN);

        link[i].timer.handler = ngx_rooms_link_timer;
        link[i].timer.data = &link[i];
        link[i].timer.log = cycle->log;
        link[i].timer.cancelable = 1;

        ngx_add_timer(&link[i].timer, 1 + ngx_random() % 50);
    }
}


ngx_uint_t
ngx_rooms_link_holds(ngx_rooms_fedlink_t *link)
{
    return link->until && (ngx_msec_int_t) (link->until - ngx_current_msec)
                          > 0;
}


/* A commit that changes nothing unless the lease is ours. */
ngx_int_t
ngx_rooms_link_fence(ngx_rooms_fedlink_t *link, ngx_rooms_commit_t *c,
    ngx_pool_t *pool, ngx_rooms_keys_t *keys)
{
    if (ngx_rooms_commit_init(c, pool, keys) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_commit_guard_string(c, ngx_rooms_key(keys, NGX_ROOMS_KEY_LEASE,
                                                   ngx_rooms_s("federation")),
                                  (rooms_str_t) { NGX_ROOMS_LINK_TOKEN,
                                                  link->token });

    return NGX_OK;
}


/* The timer is lazy, and would keep a time that is a little later. */
static void
ngx_rooms_link_after(ngx_rooms_fedlink_t *link, ngx_msec_t delay)
{
    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    ngx_add_timer(&link->timer, delay);
}


static void
ngx_rooms_link_poke(ngx_rooms_fedlink_t *link)
{
    ngx_msec_int_t  left;

    if (!ngx_rooms_link_holds(link)) {
        return;
    }

    if (link->batch) {
        link->again = 1;
        return;
    }

    left = link->timer.timer.key - ngx_current_msec;

    /* a time that is near is kept, however often we are poked */

    if (left > 1) {
        ngx_rooms_link_after(link, 1);
    }
}


void
ngx_rooms_outbox_poke(ngx_rooms_loc_conf_t *conf)
{
    ngx_uint_t              i;
    ngx_rooms_fedlink_t       *link;
    ngx_rooms_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_rooms_module);

    if (rmcf == NULL || ngx_exiting) {
        return;
    }

    link = rmcf->links.elts;

    for (i = 0; i < rmcf->links.nelts; i++) {

        if (ngx_rooms_link_same(link[i].conf, conf)) {
            ngx_rooms_link_poke(&link[i]);
        }
    }
}


static void
ngx_rooms_link_timer(ngx_event_t *ev)
{
    ngx_rooms_lane_t  *lane;
    ngx_rooms_fedlink_t  *link;

    link = ev->data;

    if (link->batch) {
        /* the store is late */
        lane = link->batch->lane;
        ngx_rooms_batch_free(link->batch);
        link->batch = NULL;
        ngx_rooms_release();

        if (lane) {
            ngx_rooms_lane_late(lane);
        }

        if (!ngx_exiting) {
            ngx_rooms_link_after(link, NGX_ROOMS_LINK_TRY);
        }

        return;
    }

    if (ngx_exiting) {
        return;
    }

    if (ngx_rooms_link_ask(link) != NGX_OK) {
        ngx_rooms_link_after(link, NGX_ROOMS_LINK_TRY);
    }
}


static ngx_int_t
ngx_rooms_link_ask_due(ngx_rooms_fedlink_t *link, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    /* those that are being told are due, too */

    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"),
                             ngx_rooms_key(keys, NGX_ROOMS_KEY_OUTBOXES,
                                           ROOMS_NULL),
                             ngx_rooms_s("-inf"),
                             ngx_rooms_number(b->pool,
                                              (int64_t) tp->sec * 1000
                                              + tp->msec),
                             ngx_rooms_s("LIMIT"),
                             ngx_rooms_number(b->pool, link->offset),
                             ngx_rooms_number(b->pool, NGX_ROOMS_LINK_DUE));

    return ngx_rooms_profiles_ask_due(b, keys);
}


static ngx_int_t
ngx_rooms_link_ask_lease(ngx_rooms_fedlink_t *link, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys)
{
    ngx_int_t           rc;
    rooms_str_t         key, time;
    ngx_rooms_commit_t  c;

    key = ngx_rooms_key(keys, NGX_ROOMS_KEY_LEASE, ngx_rooms_s("federation"));
    time = ngx_rooms_number(b->pool, NGX_ROOMS_LINK_LEASE);

    if (key.data == NULL || time.data == NULL) {
        return NGX_ERROR;
    }

    if (link->asking == NGX_ROOMS_LINK_TAKES) {
        return ngx_rooms_command(b, ngx_rooms_s("SET"), key,
                                 { NGX_ROOMS_LINK_TOKEN, link->token },
                                 ngx_rooms_s("NX"), ngx_rooms_s("PX"), time);
    }

    if (ngx_rooms_link_fence(link, &c, b->pool, keys) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_commit_write(&c, "PEXPIRE", key, time);

    rc = ngx_rooms_commit_build(&c, b, keys, link->whole);
    link->whole = 0;

    return rc;
}


static ngx_int_t
ngx_rooms_link_ask(ngx_rooms_fedlink_t *link)
{
    ngx_int_t              rc;
    ngx_rooms_keys_t       keys;
    ngx_rooms_batch_t     *b;
    ngx_rooms_loc_conf_t  *conf;

    conf = link->conf;

    if (!ngx_rooms_link_holds(link)) {
        link->until = 0;
        link->asking = NGX_ROOMS_LINK_TAKES;

    } else if (ngx_current_msec - (link->until - NGX_ROOMS_LINK_LEASE)
               >= NGX_ROOMS_LINK_RENEW)
    {
        link->asking = NGX_ROOMS_LINK_RENEWS;

    } else {
        link->asking = NGX_ROOMS_LINK_POLLS;
    }

    b = ngx_rooms_batch_create(link->timer.log);
    if (b == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_rooms_keys_init(&keys, b->pool, &conf->key_prefix,
                             rooms_from_ngx(conf->tenant));

    if (rc == NGX_OK) {
        rc = link->asking == NGX_ROOMS_LINK_POLLS
             ? ngx_rooms_link_ask_due(link, b, &keys)
             : ngx_rooms_link_ask_lease(link, b, &keys);
    }

    if (rc != NGX_OK) {
        ngx_rooms_batch_free(b);
        return NGX_ERROR;
    }

    link->asked = ngx_current_msec;
    link->again = 0;

    ngx_rooms_link_send(link, b, &keys);

    return NGX_OK;
}


static void
ngx_rooms_link_send(ngx_rooms_fedlink_t *link, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys)
{
    ngx_rooms_store_t  *store;

    store = link->conf->store;

    b->handler = ngx_rooms_link_answered;
    b->data = link;

    link->batch = b;

    ngx_rooms_hold();
    ngx_rooms_link_after(link, store->node.timeout);

    ngx_rooms_lane_send(ngx_rooms_store_lane(store, keys->slot,
                                             NGX_ROOMS_LANE_FAST), b);
}


/* How long until the next question; 0: one is on its way. */
static ngx_msec_t
ngx_rooms_link_read(ngx_rooms_fedlink_t *link, ngx_rooms_batch_t *b)
{
    int64_t             guard;
    ngx_msec_t          idle;
    ngx_rooms_commit_e  result;

    idle = NGX_ROOMS_LINK_TRY + ngx_random() % NGX_ROOMS_LINK_TRY;

    switch (link->asking) {

    case NGX_ROOMS_LINK_TAKES:

        if (b->replies[0]->type != REDIS_REPLY_STATUS) {
            return idle;
        }

        link->until = link->asked + NGX_ROOMS_LINK_LEASE;

        return 1;

    case NGX_ROOMS_LINK_RENEWS:
        result = ngx_rooms_commit_result(b, &guard, link->timer.log);

        if (result == NGX_ROOMS_COMMIT_DONE) {
            link->until = link->asked + NGX_ROOMS_LINK_LEASE;
            return 1;
        }

        if (result == NGX_ROOMS_COMMIT_NOSCRIPT) {
            link->whole = 1;
            return 1;
        }

        if (result == NGX_ROOMS_COMMIT_CONFLICT) {
            link->until = 0;
        }

        return idle;

    case NGX_ROOMS_LINK_SORTS:
        ngx_rooms_link_sort(link, b);
        break;

    default:

        if (b->replies[0]->type != REDIS_REPLY_ARRAY) {
            return idle;
        }

        ngx_rooms_profiles_due(link, b->replies[1]);
        ngx_rooms_endings_run(link);

        if (ngx_rooms_link_due(link, b->replies[0]) == NGX_AGAIN) {
            return 0;
        }

        break;
    }

    return link->again ? 1 : NGX_ROOMS_LINK_POLL;
}


static void
ngx_rooms_link_answered(ngx_rooms_batch_t *b)
{
    ngx_msec_t         delay;
    ngx_rooms_fedlink_t  *link;

    link = b->data;

    if (b->status == NGX_ROOMS_BATCH_OK
        && ngx_rooms_store_moved(link->conf->store, b, NGX_ROOMS_LANE_FAST)
           == NGX_AGAIN)
    {
        return;
    }

    link->batch = NULL;
    ngx_rooms_release();
    delay = NGX_ROOMS_LINK_TRY;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    if (b->status == NGX_ROOMS_BATCH_OK && !ngx_exiting
        && ngx_rooms_fault_log(b, link->timer.log) == NGX_ROOMS_FAULT_NONE)
    {
        delay = ngx_rooms_link_read(link, b);
    }

    ngx_rooms_batch_free(b);

    if (!ngx_exiting && delay) {
        ngx_rooms_link_after(link, delay);
    }
}


static ngx_uint_t
ngx_rooms_link_tells(ngx_rooms_fedlink_t *link, rooms_str_t server)
{
    ngx_queue_t         *q;
    ngx_rooms_outbox_t  *o;

    for (q = ngx_queue_head(&link->sends);
         q != ngx_queue_sentinel(&link->sends);
         q = ngx_queue_next(q))
    {
        o = ngx_queue_data(q, ngx_rooms_outbox_t, queue);

        if (rooms_str_eq(o->server, server)) {
            return 1;
        }
    }

    return 0;
}


/* Those that are due and aren't being told: of what kind are they? */
static ngx_int_t
ngx_rooms_link_due(ngx_rooms_fedlink_t *link, redisReply *reply)
{
    ngx_uint_t              i, k, n;
    rooms_str_t            *argv, server;
    ngx_rooms_keys_t        keys;
    ngx_rooms_batch_t      *b;
    ngx_rooms_loc_conf_t   *conf;

    static const ngx_rooms_key_e  hashes[] = {
        NGX_ROOMS_KEY_OUTBOX_STATE, NGX_ROOMS_KEY_PEER_REACHED,
        NGX_ROOMS_KEY_PEERS
    };

    conf = link->conf;

    ngx_memzero(link->nwait, sizeof(link->nwait));

    /* there may be more of them than are looked at together */

    link->offset = reply->elements == NGX_ROOMS_LINK_DUE
                   ? link->offset + NGX_ROOMS_LINK_DUE : 0;

    if (reply->elements == 0) {
        return NGX_OK;
    }

    b = ngx_rooms_batch_create(link->timer.log);
    if (b == NULL) {
        return NGX_OK;
    }

    argv = ngx_palloc(b->pool, (reply->elements + 2) * sizeof(rooms_str_t));

    if (argv == NULL
        || ngx_rooms_keys_init(&keys, b->pool, &conf->key_prefix,
                               rooms_from_ngx(conf->tenant)) != NGX_OK)
    {
        goto done;
    }

    for (n = 2, i = 0; i < reply->elements; i++) {
        server = ngx_rooms_reply_str(reply->element[i]);

        if (server.data && !ngx_rooms_link_tells(link, server)) {
            argv[n++] = ngx_rooms_dup(b->pool, server);

            if (argv[n - 1].data == NULL) {
                goto done;
            }
        }
    }

    if (n == 2) {
        goto done;
    }

    for (k = 0; k < 3; k++) {
        argv[0] = ngx_rooms_s("HMGET");
        argv[1] = ngx_rooms_key(&keys, hashes[k], ROOMS_NULL);

        if (argv[1].data == NULL || ngx_rooms_batch_add(b, argv, n) != NGX_OK)
        {
            goto done;
        }
    }

    link->due = argv + 2;
    link->ndue = n - 2;
    link->asking = NGX_ROOMS_LINK_SORTS;

    ngx_rooms_link_send(link, b, &keys);

    return NGX_AGAIN;

done:

    ngx_rooms_batch_free(b);

    return NGX_OK;
}


/* Somewhere in the middle begins who comes first: nobody always does. */
static void
ngx_rooms_link_sort(ngx_rooms_fedlink_t *link, ngx_rooms_batch_t *b)
{
    ngx_uint_t              i, n, first;
    redisReply             *state, *reached, *seen;
    rooms_str_t             row;
    ngx_rooms_link_kind_e   kind;

    static const ngx_uint_t  most[NGX_ROOMS_LINK_KINDS] = {
        [NGX_ROOMS_LINK_ANSWERS] = 32,
        [NGX_ROOMS_LINK_NEW] = 48,
        [NGX_ROOMS_LINK_FAILS] = 32
    };

    state = b->replies[0];
    reached = b->replies[1];
    seen = b->replies[2];
    first = ngx_random() % link->ndue;

    for (i = 0; i < link->ndue; i++) {
        n = (first + i) % link->ndue;

        row = ngx_rooms_reply_str(ngx_rooms_reply_element(state, n));

        if (ngx_time() - ngx_rooms_reply_int(ngx_rooms_reply_element(seen, n),
                                             0) / 1000
            < NGX_ROOMS_LINK_SEEN)
        {
            kind = NGX_ROOMS_LINK_ANSWERS;

        } else if (row.len && row.data[0] != '0') {
            kind = NGX_ROOMS_LINK_FAILS;

        } else if (ngx_rooms_reply_str(ngx_rooms_reply_element(reached,
                                                               n)).data)
        {
            kind = NGX_ROOMS_LINK_ANSWERS;

        } else {
            kind = NGX_ROOMS_LINK_NEW;
        }

        if (link->nsends[kind] < most[kind]) {
            ngx_rooms_outbox_start(link, link->due[n], kind);

        } else {
            link->nwait[kind]++;
        }
    }
}
