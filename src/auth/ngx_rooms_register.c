/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A caller becomes a participant of its tenant with its first request, and
 * its personal workspace is made with it.  Workers remember whom they have
 * seen, for a while and as long as the store's connection stands.
 */

#include "ngx_rooms_keys.h"
#include "ngx_rooms_peer.h"
#include <sodium.h>


#define NGX_ROOMS_SEEN      4096           /* slots, 24 bytes each */
#define NGX_ROOMS_SEEN_TTL    60           /* s */

typedef struct {
    uint64_t      who;                     /* 0: empty */
    time_t        until;
    ngx_uint_t    epoch;
} ngx_rooms_seen_t;

static ngx_rooms_seen_t  ngx_rooms_seen[NGX_ROOMS_SEEN];


static ngx_rooms_seen_t *
ngx_rooms_seen_slot(ngx_rooms_req_t *rq, uint64_t *who)
{
    rooms_str_t           id;
    static const u_char   key[crypto_shorthash_KEYBYTES];

    id = ngx_rooms_join(rq->pool, rq->keys.prefix, rq->principal.sub);

    if (id.data == NULL) {
        return NULL;
    }

    (void) crypto_shorthash((u_char *) who, id.data, id.len, key);

    *who = (*who ^ (uint64_t) (uintptr_t) rq->conf->store) | 1;

    return &ngx_rooms_seen[(*who >> 1) % NGX_ROOMS_SEEN];
}


static ngx_uint_t
ngx_rooms_register_epoch(ngx_rooms_req_t *rq)
{
    return ngx_rooms_store_lane(rq->conf->store, rq->keys.slot,
                                NGX_ROOMS_LANE_FAST)->epoch;
}


/*
 * A local id is the token's preferred_username, or the participant's id, and
 * is numbered when another participant has it.
 */
static rooms_str_t
ngx_rooms_register_local(ngx_rooms_req_t *rq)
{
    rooms_str_t  local;

    local = rq->principal.local.data ? rq->principal.local
                                     : rq->principal.sub;

    if (rq->races == 0) {
        return local;
    }

    return ngx_rooms_join(rq->pool, local, ngx_rooms_s("-"),
                          ngx_rooms_number(rq->pool, rq->races + 1));
}


static ngx_int_t
ngx_rooms_register_commit(ngx_rooms_req_t *rq)
{
    rooms_str_t           key, locals, ws;
    ngx_rooms_commit_t   *c;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;

    ngx_memzero(p, sizeof(ngx_rooms_profile_t));
    p->id = rq->principal.sub;
    p->local = ngx_rooms_register_local(rq);
    p->name = rq->principal.name.data ? rq->principal.name
              : rq->principal.local.data ? rq->principal.local
                                         : rq->principal.sub;
    p->type = ngx_rooms_s("user");
    p->workspace = ngx_rooms_id(rq, "ws-");

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    c = &rq->commit;
    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL);
    locals = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_LOCALS, ROOMS_NULL);
    ws = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_WORKSPACE, p->workspace);

    ngx_rooms_commit_guard_field(c, key, p->id, ROOMS_NULL);
    ngx_rooms_commit_guard_field(c, locals, p->local, ROOMS_NULL);

    ngx_rooms_commit_write(c, "HSET", key, p->id,
                           ngx_rooms_format_profile(rq->pool, p, rq->now));
    ngx_rooms_commit_write(c, "HSET", locals, p->local, p->id);
    ngx_rooms_commit_write(c, "HSET", ws, ngx_rooms_s("name"), p->name,
                           ngx_rooms_s("kind"), ngx_rooms_s("personal"),
                           ngx_rooms_s("owner"), p->id,
                           ngx_rooms_s("created_at"),
                           ngx_rooms_number(rq->pool, rq->now));
    ngx_rooms_commit_write(c, "HSET",
                           ngx_rooms_key(&rq->keys,
                                         NGX_ROOMS_KEY_WORKSPACE_MEMBERS,
                                         p->workspace),
                           p->id, ngx_rooms_s("owner"));
    ngx_rooms_commit_write(c, "ZADD",
                           ngx_rooms_key(&rq->keys,
                                         NGX_ROOMS_KEY_USER_WORKSPACES,
                                         p->id),
                           ngx_rooms_s("0"), p->workspace);

    rq->committing = 0;

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_commit_build(c, rq->batch, &rq->keys, rq->whole)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_register_look(ngx_rooms_req_t *rq)
{
    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                             ngx_rooms_key(&rq->keys,
                                           NGX_ROOMS_KEY_PARTICIPANTS,
                                           ROOMS_NULL),
                             rq->principal.sub) != NGX_OK
        || ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_TENANT,
                                           ROOMS_NULL),
                             ngx_rooms_s("registered")) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_register(ngx_rooms_req_t *rq)
{
    int64_t              position;
    uint64_t             who;
    ngx_int_t            rc;
    rooms_str_t          server;
    ngx_rooms_seen_t    *seen;
    ngx_rooms_commit_e   result;

    if (rq->endpoint->flags & NGX_ROOMS_OPEN) {
        return NGX_OK;
    }

    if (rq->endpoint->flags & NGX_ROOMS_PEER) {
        return ngx_rooms_peer_digest(rq);
    }

    if (rq->conf->federation
        && rooms_foreign(rq->principal.sub,
                         rooms_from_ngx(rq->conf->server_name), &server))
    {
        /* a token of ours doesn't make anybody a participant of elsewhere */
        return ngx_rooms_fail(rq, NGX_ROOMS_E_AUTH_INVALID, NULL);
    }

    seen = ngx_rooms_seen_slot(rq, &who);
    if (seen == NULL) {
        return NGX_ERROR;
    }

    switch (rq->round) {

    case 0:

        if (seen->who == who && seen->until > ngx_time()
            && seen->epoch == ngx_rooms_register_epoch(rq))
        {
            return NGX_OK;
        }

        rq->round = 1;
        return ngx_rooms_register_look(rq);

    case 1:

        if (rq->conf->strict
            && ngx_rooms_reply_str(ngx_rooms_reply(rq, 1)).data == NULL)
        {
            return ngx_rooms_fail(rq, NGX_ROOMS_E_TENANT, NULL);
        }

        rc = ngx_rooms_parse_profile(rq->pool,
                            ngx_rooms_reply_str(ngx_rooms_reply(rq, 0)),
                            rq->principal.sub, &rq->profile);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK && rq->profile.server.data) {
            /* a token of ours doesn't make anybody a member of elsewhere */
            return ngx_rooms_fail(rq, NGX_ROOMS_E_AUTH_INVALID, NULL);
        }

        if (rc == NGX_OK) {
            break;
        }

        rq->round = 2;
        return ngx_rooms_register_commit(rq);

    default:

        result = ngx_rooms_commit_result(rq->batch, &position,
                                         rq->r->connection->log);

        if (result == NGX_ROOMS_COMMIT_NOSCRIPT) {
            rq->whole = 1;
            return ngx_rooms_register_commit(rq);
        }

        if (result == NGX_ROOMS_COMMIT_CONFLICT
            && ++rq->races < NGX_ROOMS_RACES)
        {
            /* registered meanwhile, or the local id was taken */
            rq->round = 1;
            return ngx_rooms_register_look(rq);
        }

        if (result != NGX_ROOMS_COMMIT_DONE) {
            return ngx_rooms_fail(rq, result == NGX_ROOMS_COMMIT_CONFLICT
                                      ? NGX_ROOMS_E_CONFLICT
                                      : NGX_ROOMS_E_INTERNAL, NULL);
        }
    }

    seen->who = who;
    seen->until = ngx_time() + NGX_ROOMS_SEEN_TTL;
    seen->epoch = ngx_rooms_register_epoch(rq);

    rq->races = 0;
    rq->whole = 0;

    return NGX_OK;
}
