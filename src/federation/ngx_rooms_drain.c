/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Decides which worker sends the outboxes' items, and which outboxes are due.
 */

#include "ngx_rooms_drain.h"
#include "ngx_rooms_endings.h"
#include "ngx_rooms_hold.h"
#include "ngx_rooms_outbox.h"
#include "ngx_rooms_profiles.h"
#include "ngx_rooms_status.h"


static void ngx_rooms_link_timer(ngx_event_t *ev);
static ngx_int_t ngx_rooms_link_ask(ngx_rooms_fedlink_t *link);
static void ngx_rooms_link_answered(ngx_rooms_round_t *round,
    ngx_rooms_batch_t *b);
static ngx_msec_t ngx_rooms_link_read(ngx_rooms_fedlink_t *link,
    ngx_rooms_batch_t *b);
static ngx_uint_t ngx_rooms_link_counts(ngx_rooms_fedlink_t *link);
static void ngx_rooms_link_pending(ngx_rooms_fedlink_t *link,
    ngx_uint_t pending);
static ngx_int_t ngx_rooms_link_count(ngx_rooms_fedlink_t *link,
    redisReply *reply);
static void ngx_rooms_link_counted(ngx_rooms_fedlink_t *link,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_link_due(ngx_rooms_fedlink_t *link,
    redisReply *reply);
static void ngx_rooms_link_sort(ngx_rooms_fedlink_t *link,
    ngx_rooms_batch_t *b);


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
    ngx_rooms_fedlink_t       *link;
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
    ngx_uint_t            i;
    ngx_rooms_fedlink_t  *link;

    link = links->elts;

    for (i = 0; i < links->nelts; i++) {
        ngx_queue_init(&link[i].sends);
        ngx_queue_init(&link[i].profiles);

        ngx_rooms_lease_init(&link[i].lease, ngx_rooms_s("federation"));
        ngx_rooms_round_init(&link[i].round, link[i].conf->store, cycle->log);

        link[i].round.handler = ngx_rooms_link_answered;
        link[i].round.data = &link[i];

        ngx_rooms_timer_init(&link[i].timer, ngx_rooms_link_timer,
                             &link[i], cycle->log);

        ngx_add_timer(&link[i].timer, 1 + ngx_random() % 50);
    }
}


void
ngx_rooms_link_exit_worker(ngx_array_t *links)
{
    ngx_uint_t            i;
    ngx_rooms_fedlink_t  *link;

    link = links->elts;

    for (i = 0; i < links->nelts; i++) {
        ngx_rooms_endings_exit_worker(&link[i]);
    }
}


/*
 * ngx_add_timer() keeps an older time that is only slightly different, so
 * delete the timer first.
 */
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

    if (!ngx_rooms_lease_holds(&link->lease)) {
        return;
    }

    if (link->round.busy) {
        link->again = 1;
        return;
    }

    left = link->timer.timer.key - ngx_current_msec;

    /* keep a time that is near, however often this is called */

    if (left > 1) {
        ngx_rooms_link_after(link, 1);
    }
}


void
ngx_rooms_outbox_poke(ngx_rooms_loc_conf_t *conf)
{
    ngx_uint_t              i;
    ngx_rooms_fedlink_t    *link;
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
    ngx_rooms_fedlink_t  *link;

    link = ev->data;

    if (link->round.busy) {
        link->again = 1;
        return;
    }

    if (!ngx_exiting && ngx_rooms_link_ask(link) != NGX_OK) {
        ngx_rooms_round_clear(&link->round);
        ngx_rooms_link_after(link, NGX_ROOMS_LEASE_TRY);
    }
}


static ngx_int_t
ngx_rooms_link_ask_due(ngx_rooms_fedlink_t *link, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys)
{
    /* outboxes that are being sent stay due, too */

    (void) ngx_rooms_ask(b, keys, "ZRANGEBYSCORE %k -inf %d LIMIT %d %d",
                         NGX_ROOMS_KEY_OUTBOXES, ROOMS_NULL,
                         ngx_rooms_now(),
                         (int64_t) link->offset, (int64_t) NGX_ROOMS_LINK_DUE);

    return ngx_rooms_profiles_ask_due(b, keys);
}


static ngx_int_t
ngx_rooms_link_ask(ngx_rooms_fedlink_t *link)
{
    ngx_int_t              rc;
    ngx_rooms_keys_t       keys;
    ngx_rooms_batch_t     *b;
    ngx_rooms_loc_conf_t  *conf;

    conf = link->conf;

    link->again = 0;
    link->asking = ngx_rooms_lease_due(&link->lease) ? NGX_ROOMS_LINK_LEASES
                   : ngx_rooms_link_counts(link) ? NGX_ROOMS_LINK_LISTS
                                                 : NGX_ROOMS_LINK_POLLS;

    b = ngx_rooms_round_batch(&link->round);

    if (b == NULL
        || ngx_rooms_keys_init(&keys, b->pool, &conf->key_prefix,
                               rooms_from_ngx(conf->tenant)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    switch (link->asking) {

    case NGX_ROOMS_LINK_LEASES:
        rc = ngx_rooms_lease_ask(&link->lease, b, &keys);
        break;

    case NGX_ROOMS_LINK_LISTS:
        link->counted = ngx_current_msec | 1;
        rc = ngx_rooms_ask(b, &keys, "ZRANGE %k 0 %d", NGX_ROOMS_KEY_OUTBOXES,
                           ROOMS_NULL, (int64_t) (NGX_ROOMS_LINK_DUE - 1));
        break;

    default:
        rc = ngx_rooms_link_ask_due(link, b, &keys);
    }

    return rc == NGX_OK ? ngx_rooms_round_send(&link->round, keys.slot,
                                               NGX_ROOMS_LANE_FAST)
                        : NGX_ERROR;
}


static void
ngx_rooms_link_answered(ngx_rooms_round_t *round, ngx_rooms_batch_t *b)
{
    ngx_msec_t            delay;
    ngx_rooms_fedlink_t  *link;

    link = round->data;
    delay = b ? ngx_rooms_link_read(link, b) : NGX_ROOMS_LEASE_TRY;

    if (delay == 0) {
        return;
    }

    ngx_rooms_round_clear(round);

    if (!ngx_exiting) {
        ngx_rooms_link_after(link, delay);
    }
}


/* Returns the delay until the next round; 0: a round is under way. */
static ngx_msec_t
ngx_rooms_link_read(ngx_rooms_fedlink_t *link, ngx_rooms_batch_t *b)
{
    switch (link->asking) {

    case NGX_ROOMS_LINK_LEASES:

        if (ngx_rooms_lease_answered(&link->lease, b, link->timer.log)
            == NGX_DECLINED)
        {
            /* the holder of the lease counts */
            ngx_rooms_link_pending(link, 0);
            return ngx_rooms_lease_pause();
        }

        return 1;

    case NGX_ROOMS_LINK_LISTS:
        return ngx_rooms_link_count(link, b->replies[0]) == NGX_AGAIN ? 0 : 1;

    case NGX_ROOMS_LINK_COUNTS:
        ngx_rooms_link_counted(link, b);
        return 1;

    case NGX_ROOMS_LINK_SORTS:
        ngx_rooms_link_sort(link, b);
        break;

    default:

        if (b->replies[0]->type != REDIS_REPLY_ARRAY) {
            return ngx_rooms_lease_pause();
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


static ngx_uint_t
ngx_rooms_link_counts(ngx_rooms_fedlink_t *link)
{
    return link->counted == 0
           || ngx_current_msec - link->counted >= NGX_ROOMS_LINK_COUNT;
}


static void
ngx_rooms_link_pending(ngx_rooms_fedlink_t *link, ngx_uint_t pending)
{
    ngx_rooms_status_move(NGX_ROOMS_GAUGE_OUTBOX,
                          (ngx_int_t) pending - (ngx_int_t) link->pending);
    link->pending = pending;
}


/* Asks for the length of each outbox. */
static ngx_int_t
ngx_rooms_link_count(ngx_rooms_fedlink_t *link, redisReply *reply)
{
    ngx_uint_t              i;
    rooms_str_t             server;
    ngx_rooms_keys_t        keys;
    ngx_rooms_batch_t      *b;
    ngx_rooms_loc_conf_t   *conf;

    conf = link->conf;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        ngx_rooms_link_pending(link, 0);
        return NGX_OK;
    }

    b = ngx_rooms_round_batch(&link->round);

    if (b == NULL
        || ngx_rooms_keys_init(&keys, b->pool, &conf->key_prefix,
                               rooms_from_ngx(conf->tenant)) != NGX_OK)
    {
        return NGX_OK;
    }

    for (i = 0; i < reply->elements; i++) {
        server = ngx_rooms_reply_str(reply->element[i]);

        (void) ngx_rooms_ask(b, &keys, "ZCARD %k", NGX_ROOMS_KEY_OUTBOX,
                             server);
    }

    link->asking = NGX_ROOMS_LINK_COUNTS;

    return ngx_rooms_round_send(&link->round, keys.slot, NGX_ROOMS_LANE_FAST)
           == NGX_OK ? NGX_AGAIN : NGX_OK;
}


static void
ngx_rooms_link_counted(ngx_rooms_fedlink_t *link, ngx_rooms_batch_t *b)
{
    ngx_uint_t  i, n;

    for (n = 0, i = 0; i < b->commands.nelts; i++) {
        n += ngx_rooms_reply_int(b->replies[i], 0);
    }

    ngx_rooms_link_pending(link, n);
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


/* Looks up the kinds of the due outboxes that aren't being sent yet. */
static ngx_int_t
ngx_rooms_link_due(ngx_rooms_fedlink_t *link, redisReply *reply)
{
    ngx_uint_t              i, k, n;
    rooms_str_t            *due, server;
    ngx_rooms_keys_t        keys;
    ngx_rooms_batch_t      *b;
    ngx_rooms_loc_conf_t   *conf;

    static const ngx_rooms_key_e  hashes[] = {
        NGX_ROOMS_KEY_OUTBOX_STATE, NGX_ROOMS_KEY_PEER_REACHED,
        NGX_ROOMS_KEY_PEERS
    };

    conf = link->conf;

    ngx_memzero(link->nwait, sizeof(link->nwait));

    /* there may be more than one look covers */

    link->offset = reply->elements == NGX_ROOMS_LINK_DUE
                   ? link->offset + NGX_ROOMS_LINK_DUE : 0;

    if (reply->elements == 0) {
        return NGX_OK;
    }

    b = ngx_rooms_round_batch(&link->round);
    if (b == NULL) {
        return NGX_OK;
    }

    due = ngx_palloc(b->pool, reply->elements * sizeof(rooms_str_t));

    if (due == NULL
        || ngx_rooms_keys_init(&keys, b->pool, &conf->key_prefix,
                               rooms_from_ngx(conf->tenant)) != NGX_OK)
    {
        return NGX_OK;
    }

    for (n = 0, i = 0; i < reply->elements; i++) {
        server = ngx_rooms_reply_str(reply->element[i]);

        if (server.data && !ngx_rooms_link_tells(link, server)) {
            due[n++] = ngx_rooms_dup(b->pool, server);

            if (due[n - 1].data == NULL) {
                return NGX_OK;
            }
        }
    }

    if (n == 0) {
        return NGX_OK;
    }

    for (k = 0; k < 3; k++) {
        (void) ngx_rooms_ask_many(b, &keys, "HMGET", hashes[k], ROOMS_NULL,
                                  due, n);
    }

    link->due = due;
    link->ndue = n;
    link->asking = NGX_ROOMS_LINK_SORTS;

    return ngx_rooms_round_send(&link->round, keys.slot, NGX_ROOMS_LANE_FAST)
           == NGX_OK ? NGX_AGAIN : NGX_OK;
}


/* Starts at a random place, so no server is always first. */
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

        row = ngx_rooms_reply_str_at(state, n);

        if (ngx_time() - ngx_rooms_reply_int_at(seen, n, 0) / 1000
            < NGX_ROOMS_LINK_SEEN)
        {
            kind = NGX_ROOMS_LINK_ANSWERS;

        } else if (row.len && row.data[0] != '0') {
            kind = NGX_ROOMS_LINK_FAILS;

        } else if (ngx_rooms_reply_str_at(reached, n).data) {
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
