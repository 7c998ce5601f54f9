/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* POST /v1/rooms, POST /v1/rooms/dm and POST /v1/me/federated-dms */

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_auth.h"


#define NGX_ROOMS_SLUGS     4         /* tried in one round */

typedef struct {
    rooms_str_t          id;
    rooms_create_t       in;
    rooms_str_t          workspace;   /* from the body, or NULL */
    rooms_str_t          slugs[NGX_ROOMS_SLUGS];
    ngx_uint_t           nslugs;
    rooms_str_t          slug;        /* a free one */
    rooms_str_t          other;       /* the other participant of a DM */
    ngx_rooms_profile_t  foreign;     /* profile of a participant of another
                                         server */
    const ngx_rooms_dm_foreign_t  *federation;   /* not NULL: `foreign` is
                                                    valid */
    ngx_rooms_profile_t  newcomer;    /* profile of a participant whom the
                                         tenant has not seen yet */
    unsigned             known:1;
    unsigned             fresh:1;     /* the commit creates a row for the
                                         newcomer */
} ngx_rooms_create_ctx_t;


static ngx_int_t ngx_rooms_create_ask(ngx_rooms_req_t *rq,
    ngx_rooms_create_ctx_t *ctx);
static ngx_int_t ngx_rooms_create_take(ngx_rooms_req_t *rq,
    ngx_rooms_create_ctx_t *ctx);


static ngx_rooms_create_ctx_t *
ngx_rooms_create_ctx(ngx_rooms_req_t *rq)
{
    ngx_rooms_create_ctx_t  *ctx;

    if (rq->data) {
        return rq->data;
    }

    ctx = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_create_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->id = ngx_rooms_id(rq, "room-");
    if (ctx->id.data == NULL) {
        return NULL;
    }

    rq->data = ctx;

    return ctx;
}


/*
 * Candidates for the alias.  The first round tries the slug itself, the second
 * one its first numbers.  If all are taken, later rounds draw random numbers
 * from a range that grows with each round, so some round finds a free one,
 * however many rooms share a name.  After a race numbers are drawn, too: others
 * want the same.
 */
static ngx_int_t
ngx_rooms_create_slugs(ngx_rooms_req_t *rq, ngx_rooms_create_ctx_t *ctx,
    rooms_str_t name)
{
    u_char      *p;
    uint64_t     n, range;
    ngx_uint_t   i, round;

    round = rq->races + rq->round;
    range = (uint64_t) 1 << ngx_min(8 + 4 * round, 62);

    /* most names are new, and Redis searches small hashes */

    ctx->nslugs = round ? NGX_ROOMS_SLUGS : 1;

    for (i = 0; i < ctx->nslugs; i++) {
        p = ngx_pnalloc(rq->pool, ROOMS_SLUG_SIZE);
        if (p == NULL) {
            return NGX_ERROR;
        }

        n = (uint64_t) ngx_random() << 31 ^ (uint64_t) ngx_random();
        n = rq->races || round > 1 ? 2 + n % range : round ? 2 + i : 1;

        ctx->slugs[i].len = rooms_slug(name, n, p);
        ctx->slugs[i].data = p;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_create_load(ngx_rooms_req_t *rq)
{
    ngx_rooms_create_ctx_t  *ctx;

    ctx = ngx_rooms_create_ctx(rq);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->workspace = ngx_rooms_body_str(rq, "workspace_id");

    if (rq->round == 0) {
        return ngx_rooms_create_ask(rq, ctx);
    }

    return ngx_rooms_create_take(rq, ctx);
}


static ngx_int_t
ngx_rooms_create_ask(ngx_rooms_req_t *rq, ngx_rooms_create_ctx_t *ctx)
{
    ngx_rooms_keys_t   *keys;
    ngx_rooms_batch_t  *b;

    keys = &rq->keys;

    if (ngx_rooms_create_slugs(rq, ctx, ngx_rooms_body_str(rq, "name"))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(b, keys, "HGET %k %s", NGX_ROOMS_KEY_PARTICIPANTS,
                         ROOMS_NULL, rq->principal.sub);
    (void) ngx_rooms_ask(b, keys, "HMGET %k max_rooms rooms",
                         NGX_ROOMS_KEY_TENANT, ROOMS_NULL);

    if (ctx->nslugs == 1) {
        (void) ngx_rooms_ask(b, keys, "HMGET %k %s", NGX_ROOMS_KEY_ALIASES,
                             ROOMS_NULL, ctx->slugs[0]);

    } else {
        (void) ngx_rooms_ask(b, keys, "HMGET %k %s %s %s %s",
                             NGX_ROOMS_KEY_ALIASES, ROOMS_NULL, ctx->slugs[0],
                             ctx->slugs[1], ctx->slugs[2], ctx->slugs[3]);
    }

    if (ctx->workspace.data) {
        (void) ngx_rooms_ask(b, keys, "HGET %k %s",
                             NGX_ROOMS_KEY_WORKSPACE_MEMBERS, ctx->workspace,
                             rq->principal.sub);
    }

    rq->at_usual = b->commands.nelts;
    (void) ngx_rooms_usual_load(b, keys, rq->principal.sub);

    if (b->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, rq->round + 1);
}


/*
 * Compares the tenant's number of rooms with its limit, for the core's
 * capacity check.
 */
static ngx_int_t
ngx_rooms_create_tenant(ngx_rooms_req_t *rq, redisReply *tenant)
{
    rq->max_rooms = ngx_rooms_reply_int_at(tenant, 0,
                                    rq->conf->quotas[NGX_ROOMS_QUOTA_ROOMS]);

    if (rq->max_rooms >= 0
        && ngx_rooms_reply_int_at(tenant, 1, 0)
           >= rq->max_rooms)
    {
        rq->tenant_full = 1;
    }

    return NGX_OK;
}


/*
 * A participant's row.  If it is missing, the store may have been emptied, and
 * the caller be missing, too.
 */
static ngx_int_t
ngx_rooms_create_row(ngx_rooms_req_t *rq, ngx_uint_t n, rooms_str_t id,
    ngx_rooms_profile_t *p)
{
    ngx_int_t  rc;

    rc = ngx_rooms_parse_profile(rq->pool,
                                 ngx_rooms_reply_str(ngx_rooms_reply(rq, n)),
                                 id, p);

    rq->reenter = rc == NGX_DECLINED && rq->remembered;

    return rc;
}


static ngx_int_t
ngx_rooms_create_take(ngx_rooms_req_t *rq, ngx_rooms_create_ctx_t *ctx)
{
    ngx_int_t     rc, role;
    ngx_uint_t    i;
    redisReply   *taken;

    rc = ngx_rooms_create_row(rq, 0, rq->principal.sub, &rq->profile);

    if (rc != NGX_OK) {
        return rq->reenter ? NGX_DECLINED : NGX_ERROR;
    }

    rq->usual = ngx_rooms_usual_take(ngx_rooms_reply(rq, rq->at_usual));

    (void) ngx_rooms_create_tenant(rq, ngx_rooms_reply(rq, 1));

    ctx->in.workspace = rq->profile.workspace;
    ctx->in.workspace_known = rq->profile.workspace.data != NULL;
    ctx->in.workspace_role = ROOMS_ROLE_OWNER;

    if (ctx->workspace.data) {
        role = rooms_role_parse(ngx_rooms_reply_str(ngx_rooms_reply(rq, 3)));

        ctx->in.workspace = ctx->workspace;
        ctx->in.workspace_known = rooms_id_valid(ctx->workspace, "ws-");
        ctx->in.workspace_role = role > 0 ? role : ROOMS_ROLE_NONE;
    }

    taken = ngx_rooms_reply(rq, 2);
    ctx->slug = ROOMS_NULL;

    for (i = 0; i < ctx->nslugs; i++) {

        if (ngx_rooms_reply_str_at(taken, i).data
            == NULL)
        {
            ctx->slug = ctx->slugs[i];
            return NGX_OK;
        }
    }

    return ngx_rooms_create_ask(rq, ctx);
}


/*
 * The commit is valid only while the caller's role in the workspace is
 * unchanged.
 */
static void
ngx_rooms_create_guard(ngx_rooms_req_t *rq, const rooms_create_t *in)
{
    ngx_rooms_commit_guard_field(&rq->commit,
                         ngx_rooms_key(&rq->keys,
                                       NGX_ROOMS_KEY_WORKSPACE_MEMBERS,
                                       in->workspace),
                         rq->principal.sub,
                         rooms_cstr(rooms_role_name(in->workspace_role)));
}


static ngx_int_t
ngx_rooms_create_commit(ngx_rooms_req_t *rq)
{
    if (rq->tenant_full) {
        return ngx_rooms_full(rq, NGX_ROOMS_QUOTA_ROOMS);
    }

    if (ngx_rooms_room_commit(rq, NULL, rq->change) != NGX_OK) {
        return NGX_ERROR;
    }

    rq->status = NGX_HTTP_CREATED;
    rq->location = rq->change->room.id;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_create_judge(ngx_rooms_req_t *rq)
{
    rooms_str_t              visibility;
    rooms_create_t          *in;
    ngx_rooms_create_ctx_t  *ctx;

    ctx = rq->data;
    in = &ctx->in;

    in->id = ctx->id;
    in->type = ngx_rooms_body_str(rq, "room_type");
    in->name = ngx_rooms_body_str(rq, "name");
    in->topic = ngx_rooms_body_str(rq, "topic");
    in->scope = ngx_rooms_body_str(rq, "scope_kind");
    in->is_public = ngx_rooms_body_bool(rq, "is_public", -1);
    in->close_on_leave = ngx_rooms_body_bool(rq, "close_on_leave", -1);
    in->creator = rq->principal.sub;
    in->now = rq->now;

    rq->change = ngx_palloc(rq->pool, sizeof(rooms_change_t));
    if (rq->change == NULL) {
        return NGX_ERROR;
    }

    rooms_decide_create(in, rq->change);

    if (rq->change->code != ROOMS_OK) {
        return ngx_rooms_room_refuse(rq, rq->change);
    }

    /* what it says must be what the room is: other values would mislead */

    visibility = ngx_rooms_body_str(rq, "visibility");

    if (visibility.data
        && !rooms_str_eq(visibility, rq->change->room.is_public
                                     ? ngx_rooms_s("public")
                                     : ngx_rooms_s("private")))
    {
        return ngx_rooms_invalid(rq, "visibility", "is not supported here");
    }

    if (!rq->change->room.incognito) {
        rq->change->room.alias = ctx->slug;
    }

    return rq->tenant_full
           ? ngx_rooms_full(rq, NGX_ROOMS_QUOTA_ROOMS) : NGX_OK;
}


ngx_int_t
ngx_rooms_create_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_create_ctx_t  *ctx;

    ctx = rq->data;

    if (ngx_rooms_create_judge(rq) != NGX_OK
        || ngx_rooms_create_commit(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rooms_create_guard(rq, &ctx->in);

    return NGX_OK;
}


/*
 * The room as its creator sees it.  The change has all of it, so nothing is
 * read back.
 */
ngx_int_t
ngx_rooms_create_show(ngx_rooms_req_t *rq)
{
    rooms_str_t              name;
    ngx_rooms_create_ctx_t  *ctx;

    ctx = rq->data;

    if (rq->committing) {
        name = rq->view.name;

        if (!rq->view.exists) {
            ngx_memzero(&rq->view, sizeof(ngx_rooms_view_t));
            rq->view.me = rq->change->members[0].after;

            if (!rooms_str_eq(rq->view.me.participant, rq->principal.sub)) {
                rq->view.me = rq->change->members[1].after;
            }
        }

        rq->view.room = rq->change->room;
        rq->view.room.position = rq->position;
        rq->view.name = ctx->other.data ? name : rq->change->room.name;
    }

    return ngx_rooms_room_put(rq);
}


/*
 * DMs.  One key per pair of participants leads to their room.  A request that
 * loses the race to set it finds the winner's room when it runs again.
 */


static rooms_str_t
ngx_rooms_dm_pair(ngx_rooms_req_t *rq, rooms_str_t other)
{
    rooms_str_t  me;

    me = rq->principal.sub;

    return rooms_str_before(me, other)
           ? ngx_rooms_join(rq->pool, me, ngx_rooms_s(" "), other)
           : ngx_rooms_join(rq->pool, other, ngx_rooms_s(" "), me);
}


static ngx_int_t
ngx_rooms_dm_ask(ngx_rooms_req_t *rq, ngx_rooms_create_ctx_t *ctx)
{
    rooms_str_t         participants;
    ngx_rooms_keys_t   *keys;
    ngx_rooms_batch_t  *b;

    keys = &rq->keys;
    participants = ngx_rooms_key(keys, NGX_ROOMS_KEY_PARTICIPANTS,
                                 ROOMS_NULL);

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(b, keys, "HGET %k %s", NGX_ROOMS_KEY_DMS, ROOMS_NULL,
                         ngx_rooms_dm_pair(rq, ctx->other));
    (void) ngx_rooms_command(b, ngx_rooms_s("HGET"), participants,
                             ctx->other);
    (void) ngx_rooms_ask(b, keys, "HMGET %k max_rooms rooms",
                         NGX_ROOMS_KEY_TENANT, ROOMS_NULL);

    if (ctx->federation) {
        (void) ctx->federation->ask(b, keys);

    } else if (ngx_rooms_unknown(rq, ctx->other)) {
        (void) ngx_rooms_ask(b, keys, "HGET %k %s", NGX_ROOMS_KEY_LOCALS,
                             ROOMS_NULL, ngx_rooms_local_wish(rq, ctx->other));
    }

    rq->at_usual = b->commands.nelts;
    (void) ngx_rooms_usual_load(b, keys, rq->principal.sub);

    if (b->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, 1);
}


static ngx_int_t
ngx_rooms_dm_take(ngx_rooms_req_t *rq, ngx_rooms_create_ctx_t *ctx)
{
    ngx_int_t            rc;
    rooms_str_t          id;
    ngx_rooms_profile_t  profile;

    rc = ngx_rooms_create_row(rq, 1, ctx->other, &profile);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rq->reenter) {
        return NGX_DECLINED;
    }

    ctx->known = rc == NGX_OK && profile.deactivated == 0;

    if (ctx->known && profile.server.data && ctx->federation == NULL) {
        return ngx_rooms_invalid(rq, "participant_id", "belongs to another "
                                 "server: use /v1/me/federated-dms with fqid");
    }

    ctx->fresh = 0;

    if (rc == NGX_DECLINED && ctx->federation == NULL
        && ngx_rooms_unknown(rq, ctx->other))
    {
        if (ngx_rooms_provision(rq, ctx->other,
                                ngx_rooms_reply_str(ngx_rooms_reply(rq, 3)),
                                &ctx->newcomer) != NGX_OK)
        {
            return NGX_ERROR;
        }

        profile = ctx->newcomer;
        ctx->known = 1;
        ctx->fresh = 1;
    }

    if (ctx->federation) {

        if (ctx->known && profile.server.data == NULL) {
            return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT,
                                  "a participant of this server has that id");
        }

        if (ctx->federation->allow(rq, ngx_rooms_reply(rq, 3), NULL,
                                   ctx->foreign.server) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (!ctx->known) {
            profile = ctx->foreign;
        }
    }

    rq->usual = ngx_rooms_usual_take(ngx_rooms_reply(rq, rq->at_usual));

    (void) ngx_rooms_create_tenant(rq, ngx_rooms_reply(rq, 2));

    id = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));

    ngx_memzero(&rq->view, sizeof(ngx_rooms_view_t));
    rq->view.name = profile.name;

    if (rq->idem_claim.data && profile.server.data) {
        /*
         * This answer is kept, and the store doesn't hear when the other
         * server erases the name
         */
        rq->view.name = profile.local;
    }

    if (id.data == NULL) {
        return NGX_OK;
    }

    rq->param[NGX_ROOMS_P_ROOM] = id;

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_view_load(rq->batch, &rq->keys, id, rq->principal.sub)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, 2);
}


ngx_int_t
ngx_rooms_dm_load(ngx_rooms_req_t *rq)
{
    rooms_str_t              name;
    ngx_rooms_create_ctx_t  *ctx;

    ctx = ngx_rooms_create_ctx(rq);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ctx->other.data == NULL) {
        ctx->other = ngx_rooms_body_str(rq, "participant_id");
    }

    switch (rq->round) {

    case 0:

        if (ctx->other.len == 0) {
            return ngx_rooms_invalid(rq, "participant_id",
                                     "must not be empty");
        }

        return ngx_rooms_dm_ask(rq, ctx);

    case 1:
        return ngx_rooms_dm_take(rq, ctx);

    case 2:
        name = rq->view.name;

        if (ngx_rooms_view_parse(rq->batch, 0, rq->param[NGX_ROOMS_P_ROOM],
                                 rq->principal.sub, &rq->view) != NGX_OK)
        {
            return NGX_ERROR;
        }

        rq->view.name = name;

        if (!ngx_rooms_view_redacted(&rq->view)) {
            return NGX_OK;
        }

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_view_ask_redacted(rq->batch, &rq->keys, &rq->view)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_rooms_send_round(rq, 3);

    default:
        ngx_rooms_view_take_redacted(&rq->view, ngx_rooms_reply(rq, 0));
        return NGX_OK;
    }
}


ngx_int_t
ngx_rooms_dm_with(ngx_rooms_req_t *rq, const ngx_rooms_profile_t *other,
    const ngx_rooms_dm_foreign_t *federation)
{
    ngx_rooms_create_ctx_t  *ctx;

    ctx = ngx_rooms_create_ctx(rq);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->foreign = *other;
    ctx->other = other->id;
    ctx->federation = federation;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_dm_decide(ngx_rooms_req_t *rq)
{
    rooms_room_t             before;
    ngx_rooms_create_ctx_t  *ctx;

    ctx = rq->data;
    rq->named = ctx->other;

    rq->change = ngx_palloc(rq->pool, sizeof(rooms_change_t));
    if (rq->change == NULL) {
        return NGX_ERROR;
    }

    before = rq->view.room;

    rooms_decide_dm(ctx->id, rq->principal.sub, ctx->other,
                    ctx->known || ctx->federation,
                    rq->view.exists ? &before : NULL, rq->now, rq->change);

    if (rq->change->code != ROOMS_OK) {
        return ngx_rooms_room_refuse(rq, rq->change);
    }

    if (rq->change->noop) {
        return NGX_OK;
    }

    if (rq->change->event == ROOMS_EV_CREATE) {
        rq->view.exists = 0;
        rq->change->room.federated = ctx->federation != NULL;

        if (ngx_rooms_create_commit(rq) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ctx->fresh) {
            ngx_rooms_apply_newcomer(&rq->commit, &rq->keys, &ctx->newcomer,
                                     ROOMS_NULL, rq->now);
        }

        if (ctx->federation && !ctx->known) {
            ctx->federation->keep(rq, &ctx->foreign);
        }

        return rq->commit.failed ? NGX_ERROR : NGX_OK;
    }

    return ngx_rooms_room_commit(rq, &before, rq->change);
}
