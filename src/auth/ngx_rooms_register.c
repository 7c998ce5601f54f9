/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A caller's first request creates their participant and personal workspace.
 * Each worker remembers for a while whom it has seen, until its connection to
 * the store is lost.
 *
 * The store may be emptied meanwhile.  So rows that make the caller a member
 * of anything guard in their commit that the caller has been seen
 * (NGX_ROOMS_JOINS), or ask the store nevertheless (NGX_ROOMS_ENTERS); all
 * other rows then treat the caller like somebody without rooms.  When a
 * participant who was seen turns out to be missing, the worker forgets
 * everybody.
 */

#include "ngx_rooms_auth.h"
#include <sodium.h>


#define NGX_ROOMS_SEEN      8192           /* sets, of slots of 24 bytes */
#define NGX_ROOMS_SEEN_WAYS    4           /* slots of a set */
#define NGX_ROOMS_SEEN_TTL    30           /* s */
#define NGX_ROOMS_SUFFIX       6           /* random digits of a suffix */

typedef enum {
    NGX_ROOMS_REG_BEGIN = 0,
    NGX_ROOMS_REG_LOOKED,
    NGX_ROOMS_REG_RENAMED,
    NGX_ROOMS_REG_COMMITTED
} ngx_rooms_register_round_e;

typedef struct {
    uint64_t      who;                     /* 0: empty */
    time_t        until;
    ngx_uint_t    epoch;
} ngx_rooms_seen_t;

static ngx_rooms_seen_t  ngx_rooms_seen[NGX_ROOMS_SEEN * NGX_ROOMS_SEEN_WAYS];
static ngx_uint_t        ngx_rooms_forgotten;  /* counts how often all were
                                                  forgotten */


/*
 * The slot of a participant, keyed by id, name and kind of server: a token
 * with another name, or a strict server, needs a new look at the store.
 */
static ngx_rooms_seen_t *
ngx_rooms_seen_slot(ngx_rooms_req_t *rq, uint64_t *who)
{
    ngx_uint_t         i;
    rooms_str_t        id;
    ngx_rooms_seen_t  *set, *slot;
    static u_char      key[crypto_shorthash_KEYBYTES];
    static ngx_uint_t  keyed;

    if (!keyed) {
        randombytes_buf(key, sizeof(key));
        keyed = 1;
    }

    id = ngx_rooms_join(rq->pool, rq->keys.prefix, rq->principal.sub,
                        rq->conf->strict ? ngx_rooms_s(" strict ")
                                         : ngx_rooms_s(" "),
                        rq->principal.name);

    if (id.data == NULL) {
        return NULL;
    }

    (void) crypto_shorthash((u_char *) who, id.data, id.len, key);

    *who = (*who ^ (uint64_t) (uintptr_t) rq->conf->store) | 1;

    /* its own slot, or the one seen longest ago */

    set = &ngx_rooms_seen[(*who >> 1) % NGX_ROOMS_SEEN * NGX_ROOMS_SEEN_WAYS];
    slot = set;

    for (i = 0; i < NGX_ROOMS_SEEN_WAYS; i++) {

        if (set[i].who == *who) {
            return &set[i];
        }

        if (set[i].until < slot->until) {
            slot = &set[i];
        }
    }

    return slot;
}


/* A number that changes whenever what was seen may be outdated. */
static ngx_uint_t
ngx_rooms_register_epoch(ngx_rooms_req_t *rq)
{
    return ngx_rooms_forgotten
           + ngx_rooms_store_lane(rq->conf->store, rq->keys.slot,
                                  NGX_ROOMS_LANE_FAST)->epoch;
}


static ngx_uint_t
ngx_rooms_register_seen(ngx_rooms_req_t *rq, ngx_rooms_seen_t *seen,
    uint64_t who)
{
    return seen->who == who && seen->until > ngx_rooms_uptime()
           && seen->epoch == ngx_rooms_register_epoch(rq);
}


rooms_str_t
ngx_rooms_local_wish(ngx_rooms_req_t *rq, rooms_str_t id)
{
    u_char       *p;
    rooms_str_t   local;

    p = ngx_pnalloc(rq->pool, id.len);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    local = rooms_local_id(id, p);

    return local.data ? local : ngx_rooms_s("participant");
}


/*
 * If another participant has the local id, appends random digits.  So it
 * doesn't matter how many participants want the same one.
 */
rooms_str_t
ngx_rooms_local_free(ngx_rooms_req_t *rq, rooms_str_t local, rooms_str_t id,
    rooms_str_t owner)
{
    rooms_str_t  suffix;

    if (local.data == NULL || owner.data == NULL || rooms_str_eq(owner, id)) {
        return local;
    }

    suffix = ngx_rooms_id(rq, "");

    if (suffix.data == NULL) {
        return ROOMS_NULL;
    }

    /* the last digits of an id are random */

    suffix.data += suffix.len - NGX_ROOMS_SUFFIX;
    suffix.len = NGX_ROOMS_SUFFIX;
    local.len = ngx_min(local.len, ROOMS_LOCAL_CHARS - 1 - NGX_ROOMS_SUFFIX);

    return ngx_rooms_join(rq->pool, local, ngx_rooms_s("-"), suffix);
}


rooms_str_t
ngx_rooms_local_name(ngx_rooms_req_t *rq, rooms_str_t id)
{
    u_char       *p;
    rooms_str_t   name;

    p = ngx_pnalloc(rq->pool, ROOMS_NAME_SIZE);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    name = rooms_display_name(id, p);

    return name.data ? name : id;
}


ngx_int_t
ngx_rooms_provision(ngx_rooms_req_t *rq, rooms_str_t id, rooms_str_t owner,
    ngx_rooms_profile_t *p)
{
    ngx_memzero(p, sizeof(ngx_rooms_profile_t));

    p->id = id;
    p->type = ngx_rooms_s("human");
    p->provisioned = 1;
    p->name = ngx_rooms_local_name(rq, id);
    p->local = ngx_rooms_local_free(rq, ngx_rooms_local_wish(rq, id), id,
                                    owner);
    p->workspace = ngx_rooms_id(rq, "ws-");

    return p->name.data && p->local.data && p->workspace.data ? NGX_OK
                                                              : NGX_ERROR;
}


ngx_uint_t
ngx_rooms_unknown(ngx_rooms_req_t *rq, rooms_str_t id)
{
    rooms_str_t  server;

    return rq->conf->invite_unknown && !(rq->endpoint->flags & NGX_ROOMS_PEER)
           && rq->signer == NULL && rooms_participant_valid(id)
           && !rooms_foreign(id, ROOMS_NULL, &server);
}


/* The local id that the token names, or one made of the participant's id. */
static rooms_str_t
ngx_rooms_register_wish(ngx_rooms_req_t *rq)
{
    return rq->principal.local.data ? rq->principal.local
                       : ngx_rooms_local_wish(rq, rq->principal.sub);
}


/*
 * The display name: the token's, or one made of its local id or participant
 * id.
 */
static rooms_str_t
ngx_rooms_register_name(ngx_rooms_req_t *rq)
{
    if (rq->principal.name.data) {
        return rq->principal.name;
    }

    return ngx_rooms_local_name(rq, rq->principal.local.data
                                    ? rq->principal.local
                                    : rq->principal.sub);
}


static ngx_int_t
ngx_rooms_register_send(ngx_rooms_req_t *rq)
{
    rq->committing = 0;

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_commit_build(&rq->commit, rq->batch, &rq->keys, 0)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send(rq);
}


/*
 * Stores the participant's last day with a request, in days since the epoch.
 */
static void
ngx_rooms_register_seen_today(ngx_rooms_req_t *rq)
{
    ngx_rooms_commit_write(&rq->commit, "HSET",
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_SEEN,
                                         ROOMS_NULL),
                           rq->principal.sub,
                           ngx_rooms_number(rq->pool,
                                            rq->now / NGX_ROOMS_DAY));
}


static ngx_int_t
ngx_rooms_register_commit(ngx_rooms_req_t *rq)
{
    rooms_str_t           owner;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;
    owner = ngx_rooms_reply_str(ngx_rooms_reply(rq, 2));

    ngx_memzero(p, sizeof(ngx_rooms_profile_t));
    p->id = rq->principal.sub;
    p->local = ngx_rooms_local_free(rq, ngx_rooms_register_wish(rq), p->id,
                                    owner);
    p->name = ngx_rooms_register_name(rq);
    p->named = rq->principal.name.data ? rq->principal.iat : 0;
    p->type = ngx_rooms_s("human");
    p->workspace = ngx_rooms_id(rq, "ws-");

    if (p->local.data == NULL || p->name.data == NULL
        || p->workspace.data == NULL || ngx_rooms_begin(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rooms_apply_newcomer(&rq->commit, &rq->keys, p, owner, rq->now);
    ngx_rooms_register_seen_today(rq);

    return ngx_rooms_register_send(rq);
}


/*
 * Whether the stored name is replaced by the token's.  Not if it was set by
 * hand, or came from a token issued later: so two devices, one with an old
 * token, don't rename the participant back and forth.
 */
static ngx_uint_t
ngx_rooms_register_renames(ngx_rooms_req_t *rq)
{
    rooms_principal_t  *who;

    who = &rq->principal;

    return who->name.data && !rq->profile.own_name
           && !rooms_str_eq(who->name, rq->profile.name)
           && (who->iat == 0 || who->iat >= rq->profile.named);
}


/*
 * The first token of a participant whom an administrator or an invite
 * created.  The local id becomes the token's, unless an administrator set it,
 * or another participant has it.
 */
static void
ngx_rooms_register_takeover(ngx_rooms_req_t *rq)
{
    rooms_str_t           owner, locals;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;
    owner = ngx_rooms_reply_str(ngx_rooms_reply(rq, 2));

    if (!p->own_local && rq->principal.local.data
        && !rooms_str_eq(rq->principal.local, p->local)
        && (owner.data == NULL || rooms_str_eq(owner, p->id)))
    {
        locals = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_LOCALS, ROOMS_NULL);

        ngx_rooms_commit_guard_field(&rq->commit, locals, p->local, p->id);
        ngx_rooms_commit_write(&rq->commit, "HDEL", locals, p->local);

        p->local = rq->principal.local;
        ngx_rooms_apply_local(&rq->commit, &rq->keys, p, owner);
    }

    p->provisioned = 0;
    p->own_local = 0;
}


/* Updates an existing row with what the request changes. */
static ngx_int_t
ngx_rooms_register_update(ngx_rooms_req_t *rq, ngx_uint_t renames)
{
    rooms_str_t           had;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;
    had = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    if (renames) {
        p->name = rq->principal.name;
        p->named = rq->principal.iat;
    }

    if (p->provisioned) {
        ngx_rooms_register_takeover(rq);
        renames = 1;
    }

    if (renames) {
        ngx_rooms_apply_person(&rq->commit, &rq->keys, had, p, rq->now);
    }

    ngx_rooms_register_seen_today(rq);

    return ngx_rooms_register_send(rq);
}


static ngx_int_t
ngx_rooms_register_look(ngx_rooms_req_t *rq)
{
    rooms_str_t  local;

    local = ngx_rooms_register_wish(rq);

    if (local.data == NULL
        || ngx_rooms_batch(rq) == NULL
        || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL,
                         rq->principal.sub) != NGX_OK
        || ngx_rooms_ask(rq->batch, &rq->keys, "HMGET %k registered schema",
                         NGX_ROOMS_KEY_TENANT, ROOMS_NULL) != NGX_OK
        || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_LOCALS, ROOMS_NULL, local) != NGX_OK
        || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_SEEN, ROOMS_NULL, rq->principal.sub)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_REG_LOOKED);
}


/* NGX_OK: the participant is known, and nothing has to be written. */
static ngx_int_t
ngx_rooms_register_looked(ngx_rooms_req_t *rq, ngx_rooms_seen_t *seen,
    uint64_t who)
{
    int64_t      day;
    ngx_int_t    rc;
    ngx_uint_t   renames;
    redisReply  *tenant;

    tenant = ngx_rooms_reply(rq, 1);

    if (!ngx_rooms_schema_known(rooms_from_ngx(rq->conf->key_prefix),
                   rq->principal.tenant,
                   ngx_rooms_reply_str_at(tenant, 1),
                   rq->r->connection->log))
    {
        return ngx_rooms_fail_store(rq, NGX_ROOMS_BATCH_DOWN);
    }

    if (rq->conf->strict
        && ngx_rooms_reply_str_at(tenant, 0).data
           == NULL)
    {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_TENANT, NULL);
    }

    rc = ngx_rooms_parse_profile(rq->pool,
                                 ngx_rooms_reply_str(ngx_rooms_reply(rq, 0)),
                                 rq->principal.sub, &rq->profile);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {

        if (ngx_rooms_register_seen(rq, seen, who)) {
            ngx_rooms_forgotten++;
        }

        rq->round = NGX_ROOMS_REG_COMMITTED;
        return ngx_rooms_register_commit(rq);
    }

    if (rq->profile.server.data) {
        /* a token of ours can't act for another server's participant */
        return ngx_rooms_auth_refused(rq, "the participant belongs to "
                                      "another server");
    }

    if (rq->profile.deactivated) {
        ngx_rooms_forgotten++;
        return ngx_rooms_fail(rq, NGX_ROOMS_E_DEACTIVATED, NULL);
    }

    renames = ngx_rooms_register_renames(rq);
    day = ngx_rooms_reply_int(ngx_rooms_reply(rq, 3), 0);

    if (!renames && !rq->profile.provisioned
        && day == rq->now / NGX_ROOMS_DAY)
    {
        return NGX_OK;
    }

    rq->round = NGX_ROOMS_REG_RENAMED;
    return ngx_rooms_register_update(rq, renames);
}


/* NGX_DECLINED: a rename has lost too many races; the next request tries. */
static ngx_int_t
ngx_rooms_register_committed(ngx_rooms_req_t *rq)
{
    int64_t            position;
    ngx_rooms_quota_e  quota;

    switch (ngx_rooms_commit_result(rq->batch, &position,
                                    rq->r->connection->log))
    {

    case NGX_ROOMS_COMMIT_DONE:
        return NGX_OK;

    case NGX_ROOMS_COMMIT_CONFLICT:
        quota = ngx_rooms_commit_exceeds(&rq->commit, position);

        if (quota != NGX_ROOMS_QUOTAS) {
            return ngx_rooms_full(rq, quota);
        }

        if (++rq->races < NGX_ROOMS_RACES) {
            /*
             * registered or renamed meanwhile, or the local id was just taken
             */
            return ngx_rooms_register_look(rq);
        }

        return rq->round == NGX_ROOMS_REG_RENAMED
               ? NGX_DECLINED
               : ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT, NULL);

    default:
        return ngx_rooms_fail(rq, NGX_ROOMS_E_INTERNAL, NULL);
    }
}


ngx_int_t
ngx_rooms_register(ngx_rooms_req_t *rq)
{
    uint64_t           who;
    ngx_int_t          rc;
    rooms_str_t        server;
    ngx_rooms_seen_t  *seen;

    if (rq->endpoint->flags & NGX_ROOMS_OPEN) {
        return NGX_OK;
    }

    if (rq->endpoint->flags & NGX_ROOMS_PEER) {
        return ngx_rooms_hooks.enter_peer(rq);
    }

    /*
     * Refuses a token whose id has the form of a participant of another
     * server, or of a local id of this one.
     */

    if (rooms_foreign(rq->principal.sub, ROOMS_NULL, &server)
        && (rq->conf->federation
            || rooms_str_eq(server, rooms_from_ngx(rq->conf->server_name))))
    {
        return ngx_rooms_auth_refused(rq, "the participant's id must not have "
                                      "the form @local:server");
    }

    seen = ngx_rooms_seen_slot(rq, &who);
    if (seen == NULL) {
        return NGX_ERROR;
    }

    switch (rq->round) {

    case NGX_ROOMS_REG_BEGIN:

        rq->remembered = !(rq->endpoint->flags & NGX_ROOMS_ENTERS)
                         && !rq->reenter
                         && ngx_rooms_register_seen(rq, seen, who);

        if (rq->remembered) {
            return NGX_OK;
        }

        return ngx_rooms_register_look(rq);

    case NGX_ROOMS_REG_LOOKED:
        rc = ngx_rooms_register_looked(rq, seen, who);
        break;

    default:
        rc = ngx_rooms_register_committed(rq);
    }

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        return rc;
    }

    if (rc == NGX_OK) {
        seen->who = who;
        seen->until = ngx_rooms_uptime() + NGX_ROOMS_SEEN_TTL;
        seen->epoch = ngx_rooms_register_epoch(rq);
    }

    rq->races = 0;

    return NGX_OK;
}
