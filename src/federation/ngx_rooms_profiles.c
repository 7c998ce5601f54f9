/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Asks the servers of foreign participants for their names:
 *
 *   due -> read -> call -> commit
 *             \             ^
 *              +------------+    the policy doesn't allow it, or the
 *                                participant is gone
 *
 * "profiles" holds the participants to ask for.  A score is the time of the
 * next attempt, times 8, plus the number of attempts.  A server is asked for
 * one participant at a time, and a few servers at once.  A slow server's
 * participants are all postponed, so they don't delay the others.
 */

#include "ngx_rooms_profiles.h"
#include "ngx_rooms_fedpolicy.h"
#include "ngx_rooms_hold.h"
#include "ngx_rooms_peer_call.h"
#include "rooms_remote.h"


#define NGX_ROOMS_PROFILES_MAX    10000    /* waiting participants */
#define NGX_ROOMS_PROFILES_LOOK     256    /* due ones read together */
#define NGX_ROOMS_PROFILES_ASKED     16    /* servers asked at once */
#define NGX_ROOMS_PROFILES_TRIES      6    /* attempts; less than 8 */
#define NGX_ROOMS_PROFILES_FIRST   1000    /* ms; gives the invite time to
                                              arrive first */
#define NGX_ROOMS_PROFILES_NEXT     250
#define NGX_ROOMS_PROFILES_AGAIN   2000    /* ms, doubled with each attempt */
#define NGX_ROOMS_PROFILES_WAIT    3000    /* ms to wait for an answer */

typedef enum {
    NGX_ROOMS_PROFILES_READ = 0,
    NGX_ROOMS_PROFILES_CALL,
    NGX_ROOMS_PROFILES_COMMIT
} ngx_rooms_profiles_e;

typedef struct {
    ngx_queue_t             queue;         /* of the link */
    ngx_rooms_fedlink_t    *link;
    ngx_pool_t             *pool;
    ngx_rooms_keys_t        keys;
    ngx_rooms_round_t       store;
    ngx_event_t             timer;         /* limits the call */
    ngx_rooms_profiles_e    state;
    ngx_rooms_peer_call_t  *call;
    ngx_rooms_commit_t      commit;

    rooms_str_t             server;
    rooms_str_t             local;
    rooms_str_t             had;           /* the stored profile */
    rooms_str_t            *ids;           /* the first one is asked for */
    ngx_uint_t             *tries;
    ngx_uint_t              n;             /* all due ones of that server */
} ngx_rooms_profiles_t;


static void ngx_rooms_profiles_start(ngx_rooms_fedlink_t *link,
    rooms_str_t server, redisReply *due, ngx_uint_t first);
static void ngx_rooms_profiles_answered(ngx_rooms_round_t *store,
    ngx_rooms_batch_t *b);
static void ngx_rooms_profiles_late(ngx_event_t *ev);
static void ngx_rooms_profiles_end(ngx_rooms_profiles_t *p);
static ngx_int_t ngx_rooms_profiles_take(ngx_rooms_profiles_t *p,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_profiles_call(ngx_rooms_profiles_t *p);
static void ngx_rooms_profiles_called(ngx_rooms_peer_call_t *call);
static ngx_int_t ngx_rooms_profiles_judge(ngx_rooms_profiles_t *p,
    ngx_rooms_peer_call_t *call);
static ngx_int_t ngx_rooms_profiles_later(ngx_rooms_profiles_t *p,
    ngx_uint_t n);
static ngx_int_t ngx_rooms_profiles_drop(ngx_rooms_profiles_t *p,
    ngx_uint_t n);
static ngx_int_t ngx_rooms_profiles_commit(ngx_rooms_profiles_t *p);


/* Beyond the bound, those that would be asked for last are dropped. */
void
ngx_rooms_profiles_want(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t fqid, int64_t now, ngx_uint_t nth)
{
    int64_t      at;
    rooms_str_t  key;

    key = ngx_rooms_key(keys, NGX_ROOMS_KEY_PROFILES, ROOMS_NULL);
    at = now + NGX_ROOMS_PROFILES_FIRST + nth * NGX_ROOMS_PROFILES_NEXT;

    ngx_rooms_commit_write(c, "ZADD", key, ngx_rooms_s("NX"),
                           ngx_rooms_number(c->pool, at * 8), fqid);

    if (nth == 0) {
        ngx_rooms_commit_write(c, "ZREMRANGEBYRANK", key,
                               ngx_rooms_number(c->pool,
                                                NGX_ROOMS_PROFILES_MAX),
                               ngx_rooms_s("-1"));
    }
}


ngx_int_t
ngx_rooms_profiles_ask_due(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys)
{
    return ngx_rooms_ask(b, keys,
                         "ZRANGEBYSCORE %k -inf %d WITHSCORES LIMIT 0 %d",
                         NGX_ROOMS_KEY_PROFILES, ROOMS_NULL,
                         (int64_t) (ngx_rooms_now() * 8 + 7),
                         (int64_t) NGX_ROOMS_PROFILES_LOOK);
}


void
ngx_rooms_profiles_due(ngx_rooms_fedlink_t *link, redisReply *reply)
{
    ngx_uint_t             i;
    ngx_queue_t           *q;
    rooms_str_t            id, server;
    ngx_rooms_profiles_t  *p;

    if (reply->type != REDIS_REPLY_ARRAY) {
        return;
    }

    for (i = 0; i + 1 < reply->elements; i += 2) {

        if (link->nprofiles >= NGX_ROOMS_PROFILES_ASKED) {
            return;
        }

        id = ngx_rooms_reply_str(reply->element[i]);

        if (!rooms_foreign(id, rooms_from_ngx(link->conf->server_name),
                           &server))
        {
            server = ROOMS_NULL;
        }

        for (q = ngx_queue_head(&link->profiles);
             q != ngx_queue_sentinel(&link->profiles);
             q = ngx_queue_next(q))
        {
            p = ngx_queue_data(q, ngx_rooms_profiles_t, queue);

            if (rooms_str_eq(p->server, server)) {
                break;
            }
        }

        if (q == ngx_queue_sentinel(&link->profiles)) {
            ngx_rooms_profiles_start(link, server, reply, i);
        }
    }
}


/*
 * Asks for one participant of a server.  Its other due participants are kept,
 * to be postponed together.
 */
static void
ngx_rooms_profiles_start(ngx_rooms_fedlink_t *link, rooms_str_t server,
    redisReply *due, ngx_uint_t first)
{
    ngx_uint_t             i;
    ngx_pool_t            *pool;
    rooms_str_t            id, of;
    ngx_rooms_batch_t     *b;
    ngx_rooms_profiles_t  *p;
    ngx_rooms_loc_conf_t  *conf;

    conf = link->conf;

    pool = ngx_create_pool(2048, link->timer.log);
    if (pool == NULL) {
        return;
    }

    p = ngx_pcalloc(pool, sizeof(ngx_rooms_profiles_t));
    if (p == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    p->pool = pool;
    p->link = link;
    p->server = server.data ? ngx_rooms_dup(pool, server) : ROOMS_NULL;

    ngx_rooms_round_init(&p->store, conf->store, link->timer.log);

    p->store.handler = ngx_rooms_profiles_answered;
    p->store.data = p;

    ngx_rooms_timer_init(&p->timer, ngx_rooms_profiles_late,
                         p, link->timer.log);

    ngx_queue_insert_tail(&link->profiles, &p->queue);
    link->nprofiles++;
    ngx_rooms_hold();

    p->ids = ngx_palloc(pool, due->elements * sizeof(rooms_str_t));
    p->tries = ngx_palloc(pool, due->elements * sizeof(ngx_uint_t));

    if (p->ids == NULL || p->tries == NULL
        || ngx_rooms_keys_init(&p->keys, pool, &conf->key_prefix,
                               rooms_from_ngx(conf->tenant)) != NGX_OK)
    {
        ngx_rooms_profiles_end(p);
        return;
    }

    for (i = first; i + 1 < due->elements; i += 2) {
        id = ngx_rooms_reply_str(due->element[i]);

        if (!rooms_foreign(id, rooms_from_ngx(conf->server_name), &of)) {
            of = ROOMS_NULL;
        }

        if (!rooms_str_eq(of, server)) {
            continue;
        }

        p->ids[p->n] = ngx_rooms_dup(pool, id);
        p->tries[p->n] = ngx_rooms_reply_int(due->element[i + 1], 0) & 7;

        if (p->ids[p->n].data == NULL) {
            ngx_rooms_profiles_end(p);
            return;
        }

        p->n++;
    }

    b = ngx_rooms_round_batch(&p->store);
    if (b == NULL) {
        ngx_rooms_profiles_end(p);
        return;
    }

    (void) ngx_rooms_fedpolicy_ask(b, &p->keys);
    (void) ngx_rooms_fedpolicy_ask_invited(b, &p->keys, p->server);
    (void) ngx_rooms_ask(b, &p->keys, "HGET %k %s", NGX_ROOMS_KEY_PARTICIPANTS,
                         ROOMS_NULL, p->ids[0]);

    if (ngx_rooms_round_send(&p->store, p->keys.slot, NGX_ROOMS_LANE_BULK)
        != NGX_OK)
    {
        ngx_rooms_profiles_end(p);
    }
}


static void
ngx_rooms_profiles_end(ngx_rooms_profiles_t *p)
{
    if (p->timer.timer_set) {
        ngx_del_timer(&p->timer);
    }

    ngx_rooms_round_clear(&p->store);

    if (p->call) {
        ngx_rooms_peer_call_cancel(p->call);
    }

    ngx_queue_remove(&p->queue);
    p->link->nprofiles--;
    ngx_rooms_release();

    ngx_destroy_pool(p->pool);
}


/* The answer is late: treats the server as unreachable. */
static void
ngx_rooms_profiles_late(ngx_event_t *ev)
{
    ngx_rooms_profiles_t  *p;

    p = ev->data;

    ngx_rooms_peer_call_cancel(p->call);
    p->call = NULL;

    if (ngx_exiting || ngx_rooms_profiles_later(p, p->n) != NGX_OK) {
        ngx_rooms_profiles_end(p);
    }
}


static void
ngx_rooms_profiles_answered(ngx_rooms_round_t *store, ngx_rooms_batch_t *b)
{
    int64_t                guard;
    ngx_rooms_profiles_t  *p;

    p = store->data;

    if (b && p->state == NGX_ROOMS_PROFILES_COMMIT) {
        /* logs an error; the participants stay due */
        (void) ngx_rooms_commit_result(b, &guard, p->timer.log);

    } else if (b && ngx_rooms_lease_holds(&p->link->lease)
               && ngx_rooms_profiles_take(p, b) == NGX_OK)
    {
        return;
    }

    ngx_rooms_profiles_end(p);
}


/* Checks that the participant exists and that we may ask its server. */
static ngx_int_t
ngx_rooms_profiles_take(ngx_rooms_profiles_t *p, ngx_rooms_batch_t *b)
{
    rooms_str_t      server;
    rooms_policy_t  *policy;

    policy = ngx_rooms_fedpolicy_read(p->pool, p->timer.log, p->link->conf,
                                      b->replies[0]);
    if (policy == NULL) {
        return NGX_ERROR;
    }

    if (p->server.data == NULL || !rooms_peer_valid(p->server)
        || !rooms_policy_allows(policy, p->server,
                                ngx_rooms_reply_int(b->replies[1], 0) > 0)
        || ngx_rooms_peer_forbidden(p->link->conf, p->server))
    {
        return ngx_rooms_profiles_drop(p, p->n);
    }

    p->had = ngx_rooms_reply_str(b->replies[2]);

    if (p->had.data == NULL
        || rooms_fqid_parse(p->ids[0], &p->local, &server) != 0)
    {
        return ngx_rooms_profiles_drop(p, 1);
    }

    return ngx_rooms_profiles_call(p);
}


static ngx_int_t
ngx_rooms_profiles_call(ngx_rooms_profiles_t *p)
{
    ngx_str_t               uri;
    ngx_rooms_peer_call_t  *call;

    uri = ngx_from_rooms(ngx_rooms_join(p->pool,
                             ngx_rooms_s("/_scaiwave/federation/v1/profile/"),
                             p->local));

    if (uri.data == NULL) {
        return NGX_ERROR;
    }

    call = ngx_rooms_peer_call(p->link->ctx, p->link->conf, p->server, &uri,
                               ngx_rooms_profiles_called, p);

    if (call == NULL || ngx_rooms_peer_call_signed(call, NULL, NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    p->call = call;
    p->state = NGX_ROOMS_PROFILES_CALL;

    ngx_add_timer(&p->timer, NGX_ROOMS_PROFILES_WAIT);

    return NGX_OK;
}


static void
ngx_rooms_profiles_called(ngx_rooms_peer_call_t *call)
{
    ngx_int_t              rc;
    ngx_rooms_profiles_t  *p;

    p = call->data;
    p->call = NULL;

    if (p->timer.timer_set) {
        ngx_del_timer(&p->timer);
    }

    rc = ngx_exiting ? NGX_ERROR : ngx_rooms_profiles_judge(p, call);

    if (rc != NGX_OK) {
        ngx_rooms_profiles_end(p);
    }
}


/*
 * A refusal may be temporary: the server may not know yet that one of our
 * participants shares a room with its own.
 */
static ngx_int_t
ngx_rooms_profiles_judge(ngx_rooms_profiles_t *p, ngx_rooms_peer_call_t *call)
{
    json_t               *answer;
    ngx_int_t             rc;
    rooms_str_t           name, avatar;
    ngx_rooms_commit_t   *c;
    ngx_rooms_profile_t   profile;

    if (call->status == 0) {
        return ngx_rooms_profiles_later(p, p->n);
    }

    if (call->status != NGX_HTTP_OK) {
        return ngx_rooms_profiles_later(p, 1);
    }

    rc = ngx_rooms_parse_profile(p->pool, p->had, p->ids[0], &profile);

    if (rc != NGX_OK || profile.server.data == NULL) {
        return ngx_rooms_profiles_drop(p, 1);
    }

    answer = json_loadb((char *) call->answer.data, call->answer.len,
                        JSON_REJECT_DUPLICATES, NULL);

    rc = rooms_remote_answer(json_object_get(answer, "data"), p->local,
                             p->server, &name, &avatar);

    if (rc == 0) {
        profile.name = ngx_rooms_dup(p->pool, name);
        profile.avatar = avatar.data ? ngx_rooms_dup(p->pool, avatar)
                                     : ROOMS_NULL;
    }

    json_decref(answer);

    if (rc != 0) {
        return ngx_rooms_profiles_later(p, 1);
    }

    c = &p->commit;

    if (profile.name.data == NULL
        || ngx_rooms_lease_fence(&p->link->lease, c, p->pool, &p->keys)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rooms_apply_person(c, &p->keys, p->had, &profile,
                           ngx_rooms_now());
    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(&p->keys, NGX_ROOMS_KEY_PROFILES,
                                         ROOMS_NULL), p->ids[0]);

    return ngx_rooms_profiles_commit(p);
}


/* Postpones the first n; gives up those with too many attempts. */
static ngx_int_t
ngx_rooms_profiles_later(ngx_rooms_profiles_t *p, ngx_uint_t n)
{
    int64_t              at;
    ngx_uint_t           i;
    rooms_str_t          key;
    ngx_rooms_commit_t  *c;

    c = &p->commit;
    key = ngx_rooms_key(&p->keys, NGX_ROOMS_KEY_PROFILES, ROOMS_NULL);

    if (ngx_rooms_lease_fence(&p->link->lease, c, p->pool, &p->keys)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (p->tries[i] + 1 >= NGX_ROOMS_PROFILES_TRIES) {
            ngx_rooms_commit_write(c, "ZREM", key, p->ids[i]);
            continue;
        }

        at = ngx_rooms_now()
             + (NGX_ROOMS_PROFILES_AGAIN << p->tries[i])
             + i * NGX_ROOMS_PROFILES_NEXT;

        ngx_rooms_commit_write(c, "ZADD", key, ngx_rooms_s("XX"),
                               ngx_rooms_number(p->pool,
                                                at * 8 + p->tries[i] + 1),
                               p->ids[i]);
    }

    return ngx_rooms_profiles_commit(p);
}


static ngx_int_t
ngx_rooms_profiles_drop(ngx_rooms_profiles_t *p, ngx_uint_t n)
{
    ngx_rooms_commit_t  *c;

    c = &p->commit;

    if (ngx_rooms_lease_fence(&p->link->lease, c, p->pool, &p->keys)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rooms_commit_command(c, 0, ngx_rooms_s("ZREM"),
                             ngx_rooms_key(&p->keys, NGX_ROOMS_KEY_PROFILES,
                                           ROOMS_NULL), p->ids, n);

    return ngx_rooms_profiles_commit(p);
}


static ngx_int_t
ngx_rooms_profiles_commit(ngx_rooms_profiles_t *p)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&p->store);

    if (b == NULL
        || ngx_rooms_commit_build(&p->commit, b, &p->keys, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    p->state = NGX_ROOMS_PROFILES_COMMIT;

    return ngx_rooms_round_send(&p->store, p->keys.slot, NGX_ROOMS_LANE_BULK);
}
