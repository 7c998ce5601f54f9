/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The sweep's part on the event loop.  One worker of each node walks.  A
 * lease in the store, which lasts for one interval, lets only one node sweep
 * a tenant:
 *
 *   timer -> walk to a tenant -> lease -> old journals undone -+
 *                ^                 |                           |
 *                +---- not ours ---+                           |
 *                                                              |
 *                  references? <- walk to old files <----------+
 *                       |              ^
 *                       +-> removing --+
 *
 * If the store knows no content of a tenant at all, the tenant is skipped:
 * more likely this is the wrong store than a tenant without any finished
 * upload.
 */

#include "ngx_rooms_sweep.h"
#include "ngx_rooms_hold.h"
#include "ngx_rooms_journal.h"


#define NGX_ROOMS_SWEEP_FIRST  60000   /* ms, at most, after a start */
#define NGX_ROOMS_SWEEP_PAUSE  20      /* ms, between two steps */


static void ngx_rooms_sweep_timer(ngx_event_t *ev);
static void ngx_rooms_sweep_start(ngx_rooms_sweep_t *s);
static void ngx_rooms_sweep_stop(ngx_rooms_sweep_t *s);
static void ngx_rooms_sweep_walk(ngx_rooms_sweep_t *s);
static void ngx_rooms_sweep_walked(ngx_rooms_work_t *w);
static ngx_int_t ngx_rooms_sweep_ask(ngx_rooms_sweep_t *s,
    ngx_uint_t lease);
static ngx_int_t ngx_rooms_sweep_ask_lease(ngx_rooms_sweep_t *s,
    ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys);
static ngx_int_t ngx_rooms_sweep_ask_files(ngx_rooms_sweep_t *s,
    ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys);
static void ngx_rooms_sweep_answered(ngx_rooms_round_t *round,
    ngx_rooms_batch_t *b);
static void ngx_rooms_sweep_undo(ngx_rooms_sweep_t *s);
static void ngx_rooms_sweep_undone(void *data);
static void ngx_rooms_sweep_judge(ngx_rooms_sweep_t *s, redisReply *reply);


ngx_int_t
ngx_rooms_sweep_add(ngx_array_t *sweeps, ngx_rooms_loc_conf_t *conf)
{
    ngx_uint_t          i;
    ngx_rooms_sweep_t  *s;

    s = sweeps->elts;

    for (i = 0; i < sweeps->nelts; i++) {

        if (s[i].path != conf->media_path) {
            continue;
        }

        if (s[i].store != conf->store
            || s[i].prefix.len != conf->key_prefix.len
            || ngx_memcmp(s[i].prefix.data, conf->key_prefix.data,
                          conf->key_prefix.len) != 0)
        {
            s[i].shared = 1;
        }

        return NGX_OK;
    }

    s = ngx_array_push(sweeps);
    if (s == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(s, sizeof(ngx_rooms_sweep_t));

    s->path = conf->media_path;
    s->store = conf->store;
    s->prefix = conf->key_prefix;
    s->interval = conf->media_sweep;

    return NGX_OK;
}


void
ngx_rooms_sweep_init_worker(ngx_array_t *sweeps, ngx_cycle_t *cycle)
{
    ngx_uint_t          i;
    ngx_rooms_sweep_t  *s;

    if (ngx_worker != 0) {
        return;
    }

    s = sweeps->elts;

    for (i = 0; i < sweeps->nelts; i++) {

        if (s[i].interval == 0) {
            continue;
        }

        if (s[i].shared) {
            ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                          "rooms: rooms_media_path \"%V\" is used with more "
                          "than one store or prefix, so unreferenced files "
                          "aren't removed from it", &s[i].path->name);
            continue;
        }

        ngx_rooms_timer_init(&s[i].timer, ngx_rooms_sweep_timer,
                             &s[i], cycle->log);

        ngx_rooms_round_init(&s[i].round, s[i].store, cycle->log);

        s[i].round.handler = ngx_rooms_sweep_answered;
        s[i].round.data = &s[i];

        ngx_add_timer(&s[i].timer,
                      ngx_random() % ngx_min(s[i].interval,
                                             NGX_ROOMS_SWEEP_FIRST) + 1);
    }
}


static void
ngx_rooms_sweep_timer(ngx_event_t *ev)
{
    ngx_rooms_sweep_t  *s;

    s = ev->data;

    if (ngx_exiting) {
        return;
    }

    if (s->walk == NULL) {
        ngx_rooms_sweep_start(s);
        return;
    }

    ngx_rooms_sweep_walk(s);
}


static void
ngx_rooms_sweep_start(ngx_rooms_sweep_t *s)
{
    ngx_rooms_work_t  *w;

    w = ngx_rooms_work_create(sizeof(ngx_rooms_sweep_walk_t));
    if (w == NULL) {
        ngx_add_timer(&s->timer, s->interval);
        return;
    }

    w->step = ngx_rooms_sweep_walk_step;

    s->work = w;
    s->walk = w->data;
    s->walk->root = s->path->name;
    s->walk->old = ngx_time() - NGX_ROOMS_BLOB_AGE;

    ngx_rooms_sweep_walk(s);
}


static void
ngx_rooms_sweep_stop(ngx_rooms_sweep_t *s)
{
    if (s->walk->removed) {
        ngx_log_error(NGX_LOG_NOTICE, s->timer.log, 0,
                      "rooms: %ui files without references removed from "
                      "\"%V\"", s->walk->removed, &s->path->name);
    }

    ngx_rooms_round_clear(&s->round);
    ngx_rooms_sweep_walk_close(s->walk);
    ngx_rooms_work_free(s->work);

    s->walk = NULL;
    s->work = NULL;

    ngx_add_timer(&s->timer, s->interval);
}


static void
ngx_rooms_sweep_walk(ngx_rooms_sweep_t *s)
{
    s->work->done = ngx_rooms_sweep_walked;
    s->work->owner = s;

    if (ngx_rooms_work_start(s->work) != NGX_OK) {
        ngx_rooms_sweep_stop(s);
    }
}


static void
ngx_rooms_sweep_walked(ngx_rooms_work_t *w)
{
    ngx_int_t                rc;
    ngx_rooms_sweep_walk_t  *walk;
    ngx_rooms_sweep_t       *s;

    s = w->owner;
    walk = s->walk;

    if (ngx_exiting) {
        ngx_rooms_sweep_stop(s);
        return;
    }

    if (walk->doing == NGX_ROOMS_SWEEP_TENANT) {
        rc = walk->tenant_len ? ngx_rooms_sweep_ask(s, 1) : NGX_DONE;

    } else if (walk->nfiles) {
        rc = ngx_rooms_sweep_ask(s, 0);

    } else {

        if (walk->shard == 256 && walk->folder == NULL) {
            walk->doing = NGX_ROOMS_SWEEP_TENANT;
        }

        ngx_add_timer(&s->timer, NGX_ROOMS_SWEEP_PAUSE);
        return;
    }

    if (rc != NGX_OK) {
        ngx_rooms_sweep_stop(s);
    }
}


static ngx_int_t
ngx_rooms_sweep_ask(ngx_rooms_sweep_t *s, ngx_uint_t lease)
{
    ngx_int_t           rc;
    ngx_rooms_keys_t    keys;
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&s->round);
    if (b == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_rooms_keys_init(&keys, b->pool, &s->prefix,
                             (rooms_str_t) { s->walk->tenant_len,
                                             s->walk->tenant });

    if (rc == NGX_OK) {
        rc = lease ? ngx_rooms_sweep_ask_lease(s, b, &keys)
                   : ngx_rooms_sweep_ask_files(s, b, &keys);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    s->asking = lease;

    return ngx_rooms_round_send(&s->round, keys.slot, NGX_ROOMS_LANE_BULK);
}


/*
 * The lease isn't given back, so that a tenant is swept once in each
 * interval.
 */
static ngx_int_t
ngx_rooms_sweep_ask_lease(ngx_rooms_sweep_t *s, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys)
{
    if (ngx_rooms_ask(b, keys, "EXISTS %k", NGX_ROOMS_KEY_BLOBS, ROOMS_NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_ask(b, keys, "SET %k %s NX PX %d", NGX_ROOMS_KEY_LEASE,
                         ngx_rooms_s("sweep"),
                         rooms_from_ngx(ngx_cycle->hostname),
                         (int64_t) s->interval);
}


static ngx_int_t
ngx_rooms_sweep_ask_files(ngx_rooms_sweep_t *s, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys)
{
    ngx_uint_t   i;
    rooms_str_t  files[NGX_ROOMS_SWEEP_MAX];

    for (i = 0; i < s->walk->nfiles; i++) {
        files[i] = (rooms_str_t) { NGX_ROOMS_SHA256, s->walk->files[i] };
    }

    return ngx_rooms_ask_many(b, keys, "HMGET", NGX_ROOMS_KEY_BLOBS,
                              ROOMS_NULL, files, i);
}


static void
ngx_rooms_sweep_answered(ngx_rooms_round_t *round, ngx_rooms_batch_t *b)
{
    ngx_uint_t          ours;
    ngx_rooms_sweep_t  *s;

    s = round->data;

    if (b == NULL) {
        /* the store failed: try again in the next interval */
        ngx_rooms_sweep_stop(s);
        return;
    }

    ours = 0;

    if (!s->asking) {
        ngx_rooms_sweep_judge(s, b->replies[0]);
        s->walk->doing = NGX_ROOMS_SWEEP_REMOVE;

    } else {
        ours = ngx_rooms_reply_int(b->replies[0], 0) == 1
               && b->replies[1]->type == REDIS_REPLY_STATUS;
    }

    ngx_rooms_round_clear(round);

    if (ours) {
        ngx_rooms_sweep_undo(s);
        return;
    }

    ngx_add_timer(&s->timer, NGX_ROOMS_SWEEP_PAUSE);
}


/*
 * Undoes journals first, since files that this frees are old enough to be
 * removed as well.
 */
static void
ngx_rooms_sweep_undo(ngx_rooms_sweep_t *s)
{
    s->walk->doing = NGX_ROOMS_SWEEP_FILES;

    if (ngx_rooms_undo(s->store, &s->prefix,
                       (rooms_str_t) { s->walk->tenant_len, s->walk->tenant },
                       ROOMS_NULL, (int64_t) s->walk->old * 1000,
                       ngx_rooms_sweep_undone, s) != NGX_OK)
    {
        ngx_rooms_sweep_stop(s);
    }
}


static void
ngx_rooms_sweep_undone(void *data)
{
    ngx_rooms_sweep_t  *s = data;

    if (ngx_exiting) {
        ngx_rooms_sweep_stop(s);
        return;
    }

    ngx_add_timer(&s->timer, NGX_ROOMS_SWEEP_PAUSE);
}


/* Keeps every file for which the store gave no clear answer. */
static void
ngx_rooms_sweep_judge(ngx_rooms_sweep_t *s, redisReply *reply)
{
    ngx_uint_t   i;
    redisReply  *count;

    for (i = 0; i < s->walk->nfiles; i++) {
        s->walk->marked[i] = 0;

        if (reply->type != REDIS_REPLY_ARRAY
            || reply->elements != s->walk->nfiles)
        {
            continue;
        }

        count = reply->element[i];

        s->walk->marked[i] = count->type == REDIS_REPLY_NIL
                             || (count->type == REDIS_REPLY_STRING
                                 && ngx_rooms_reply_int(count, 1) <= 0);
    }
}
