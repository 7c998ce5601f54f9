/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Loads the input for a decision on one room, in as few rounds as possible. */

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_auth.h"
#include "ngx_rooms_cache.h"


typedef enum {
    NGX_ROOMS_R_BEGIN = 0,
    NGX_ROOMS_R_VIEW,                  /* room, caller's row, targets */
    NGX_ROOMS_R_MORE                   /* what depends on those */
} ngx_rooms_room_round_e;


static uintptr_t ngx_rooms_room_form(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_room_targets(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_room_ask(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_room_take(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_room_more(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_room_take_more(ngx_rooms_req_t *rq);


/* Operations that may leave the room without a member of power 100. */
static ngx_uint_t
ngx_rooms_room_succession(rooms_op_e op)
{
    return op == ROOMS_OP_LEAVE || op == ROOMS_OP_KICK || op == ROOMS_OP_BAN
           || op == ROOMS_OP_POWER || op == ROOMS_OP_RETIRE;
}


/* The tenant's limits and its number of rooms. */
ngx_int_t
ngx_rooms_tenant_load(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys)
{
    return ngx_rooms_ask(b, keys, "HMGET %k max_rooms rooms max_participants",
                         NGX_ROOMS_KEY_TENANT, ROOMS_NULL);
}


void
ngx_rooms_tenant_take(ngx_rooms_req_t *rq, redisReply *reply)
{
    rq->max_rooms = ngx_rooms_reply_int_at(reply, 0,
                                    rq->conf->quotas[NGX_ROOMS_QUOTA_ROOMS]);
    rq->tenant_full = rq->max_rooms >= 0
                      && ngx_rooms_reply_int_at(reply, 1, 0)
                         >= rq->max_rooms;
    rq->max_participants = ngx_rooms_reply_int_at(reply, 2,
                                                  rq->conf->max_participants);
}


static ngx_uint_t
ngx_rooms_room_seats(rooms_op_e op)
{
    return op == ROOMS_OP_JOIN || op == ROOMS_OP_INVITE
           || op == ROOMS_OP_FEDINVITE || op == ROOMS_OP_INVITATION
           || op == ROOMS_OP_REJOIN;
}


ngx_int_t
ngx_rooms_room_load(ngx_rooms_req_t *rq)
{
    switch (rq->round) {

    case NGX_ROOMS_R_BEGIN:

        if (ngx_rooms_room_targets(rq) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_rooms_room_ask(rq);

    case NGX_ROOMS_R_VIEW:

        if (ngx_rooms_room_take(rq) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_rooms_room_more(rq);

    default:
        return ngx_rooms_room_take_more(rq);
    }
}


/*
 * A request that only shows the room takes it from this worker's cache, or
 * reads it.  What takes a second round isn't cached: DMs, whose name is the
 * other participant's, who may be renamed; and rooms of which unread messages
 * were redacted.
 */
ngx_int_t
ngx_rooms_room_remember(ngx_rooms_req_t *rq)
{
    ngx_int_t             rc;
    redisReply          **replies;
    rooms_str_t           room;
    ngx_rooms_batch_t     remembered;
    ngx_rooms_cached_t    found;

    room = rq->param[NGX_ROOMS_P_ROOM];

    if (rq->round == NGX_ROOMS_R_BEGIN && rooms_id_valid(room, "room-")) {
        rc = ngx_rooms_cache_get(rq->conf->store, &rq->keys, room,
                                 rq->principal.sub,
                                 ngx_rooms_room_form(rq), &found);
        rq->cached = found.ticket;

        if (rc == NGX_OK) {
            rq->kept = found.answer;
            remembered.replies = found.replies;
            rq->usual = ngx_rooms_usual_take(
                                     found.replies[NGX_ROOMS_VIEW_COMMANDS]);

            return rq->kept.data
                   ? NGX_OK
                   : ngx_rooms_view_parse(&remembered, 0, room,
                                          rq->principal.sub, &rq->view);
        }
    }

    rc = rq->round == NGX_ROOMS_R_VIEW;

    if (rc && rq->cached) {
        replies = &rq->batch->replies[rq->at_view];
        rc = ngx_rooms_room_load(rq);

        if (rc == NGX_OK && rq->view.exists
            && rq->view.room.type != ROOMS_DM)
        {
            ngx_rooms_cache_put(rq->conf->store, &rq->keys, room,
                                rq->principal.sub, rq->cached, replies,
                                NGX_ROOMS_VIEW_COMMANDS + 1);
        }

        return rc;
    }

    return ngx_rooms_room_load(rq);
}


/*
 * What an answer depends on besides the cached replies: the location's
 * settings, such as the server's name, and whether the caller is an
 * administrator.
 */
static uintptr_t
ngx_rooms_room_form(ngx_rooms_req_t *rq)
{
    return (uintptr_t) rq->conf + rq->principal.admin;
}


/* A kept answer was permitted when it was made of the same replies. */
ngx_int_t
ngx_rooms_room_permit_kept(ngx_rooms_req_t *rq)
{
    return rq->kept.data ? NGX_OK : ngx_rooms_room_permit(rq);
}


/* A kept answer begins with its ETag.  The cache's copy ends with this turn. */
static ngx_int_t
ngx_rooms_room_recall(ngx_rooms_req_t *rq)
{
    size_t       len;
    rooms_str_t  kept;

    kept = rq->kept;

    rq->etag = ngx_rooms_dup(rq->pool, (rooms_str_t) { NGX_ROOMS_ROOM_ETAG,
                                                       kept.data });
    if (rq->etag.data == NULL) {
        return NGX_ERROR;
    }

    len = kept.len - NGX_ROOMS_ROOM_ETAG;
    rooms_json_raw(ngx_rooms_out_piece(&rq->out, len),
                   kept.data + NGX_ROOMS_ROOM_ETAG, len);

    return NGX_OK;
}


ngx_int_t
ngx_rooms_room_put_kept(ngx_rooms_req_t *rq)
{
    rooms_str_t  kept;

    if (rq->kept.data) {
        return ngx_rooms_room_recall(rq);
    }

    if (ngx_rooms_room_put(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    /* a mute ends without a change in the store */

    if (rq->cached == 0 || rq->view.own.muted_until > rq->now) {
        return NGX_OK;
    }

    kept = ngx_rooms_join(rq->pool, rq->etag, ngx_rooms_out_flat(&rq->out));

    if (kept.len > NGX_ROOMS_ROOM_ETAG) {
        ngx_rooms_cache_answer(rq->conf->store, &rq->keys,
                               rq->param[NGX_ROOMS_P_ROOM], rq->principal.sub,
                               rq->cached, ngx_rooms_room_form(rq), kept);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_room_add_target(ngx_rooms_req_t *rq, rooms_str_t id)
{
    if (id.len == 0) {
        return ngx_rooms_invalid(rq, "participant_id", "must not be empty");
    }

    rq->targets[rq->ntargets++].member.participant = id;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_room_many(ngx_rooms_req_t *rq, json_t *ids)
{
    size_t        i, n;
    json_t       *id;

    n = json_array_size(ids);

    if (n == 0 || n > ROOMS_BATCH_MAX) {
        return ngx_rooms_invalid(rq, "participant_ids",
                                 "must name 1 to 100 participants");
    }

    for (i = 0; i < n; i++) {
        id = json_array_get(ids, i);

        if (!json_is_string(id)) {
            return ngx_rooms_invalid(rq, "participant_ids",
                                     "must be an array of strings");
        }

        if (ngx_rooms_room_add_target(rq, (rooms_str_t) {
                           json_string_length(id),
                           (u_char *) json_string_value(id) }) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    rq->in.batch = 1;

    return NGX_OK;
}


/* The participants the operation is about.  For join and leave, the caller. */
static ngx_int_t
ngx_rooms_room_targets(ngx_rooms_req_t *rq)
{
    json_t      *ids;
    ngx_uint_t   n;
    rooms_str_t  id;

    rq->ntargets = 0;

    ids = ngx_rooms_body_get(rq, "participant_ids");
    n = ids ? ROOMS_BATCH_MAX : 1;

    rq->targets = ngx_pcalloc(rq->pool, n * sizeof(rooms_target_t));
    rq->profiles = ngx_pcalloc(rq->pool, n * sizeof(ngx_rooms_profile_t));

    if (rq->targets == NULL || rq->profiles == NULL) {
        return NGX_ERROR;
    }

    switch (rq->endpoint->op) {

    case ROOMS_OP_INVITE:

        if (ids) {
            return ngx_rooms_room_many(rq, ids);
        }

        /* fall through */

    case ROOMS_OP_KICK:
    case ROOMS_OP_BAN:
    case ROOMS_OP_UNBAN:
        id = ngx_rooms_body_str(rq, "participant_id");

        if (id.data == NULL) {
            return ngx_rooms_invalid(rq, "participant_id", "is required");
        }

        return ngx_rooms_room_add_target(rq, id);

    case ROOMS_OP_FEDINVITE:
    case ROOMS_OP_INVITATION:
        return ngx_rooms_room_add_target(rq, ngx_rooms_body_str(rq, "fqid"));

    case ROOMS_OP_POWER:
        return ngx_rooms_room_add_target(rq,
                                         rq->param[NGX_ROOMS_P_PARTICIPANT]);

    case ROOMS_OP_JOIN:
    case ROOMS_OP_LEAVE:
        return ngx_rooms_room_add_target(rq, rq->principal.sub);

    default:
        return NGX_OK;
    }
}


/* Asks for everything whose key is already known, in one round. */
static ngx_int_t
ngx_rooms_room_ask(ngx_rooms_req_t *rq)
{
    ngx_uint_t          i;
    rooms_op_e          op;
    rooms_str_t         id, ws, who;
    ngx_rooms_keys_t   *keys;
    ngx_rooms_batch_t  *b;

    id = rq->param[NGX_ROOMS_P_ROOM];
    op = rq->endpoint->op;
    keys = &rq->keys;

    if (!rooms_id_valid(id, "room-")) {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    rq->asked_batch = b;
    rq->at_view = 0;
    (void) ngx_rooms_view_load(b, keys, id, rq->principal.sub);
    (void) ngx_rooms_usual_load(b, keys, rq->principal.sub);

    rq->at_targets = b->commands.nelts;

    for (i = 0; i < rq->ntargets; i++) {
        who = rq->targets[i].member.participant;
        (void) ngx_rooms_ask(b, keys, "HGET %k %s", NGX_ROOMS_KEY_MEMBERS, id,
                             who);
        (void) ngx_rooms_ask(b, keys, "HGET %k %s", NGX_ROOMS_KEY_PARTICIPANTS,
                             ROOMS_NULL, who);
    }

    rq->at_locals = b->commands.nelts;

    for (i = 0; op == ROOMS_OP_INVITE && i < rq->ntargets; i++) {
        who = rq->targets[i].member.participant;

        if (ngx_rooms_unknown(rq, who)) {
            (void) ngx_rooms_ask(b, keys, "HGET %k %s", NGX_ROOMS_KEY_LOCALS,
                                 ROOMS_NULL, ngx_rooms_local_wish(rq, who));
        }
    }

    rq->at_top = b->commands.nelts;

    if (ngx_rooms_room_succession(op)) {
        (void) ngx_rooms_ask(b, keys, "ZREVRANGE %k 0 1", NGX_ROOMS_KEY_ORDER,
                             id);
    }

    rq->at_tenant = b->commands.nelts;

    if (ngx_rooms_room_seats(op)) {
        (void) ngx_rooms_tenant_load(b, keys);
    }

    rq->at_workspace = b->commands.nelts;

    if (op == ROOMS_OP_WORKSPACE) {
        ws = ngx_rooms_body_str(rq, "workspace_id");
        (void) ngx_rooms_ask(b, keys, "HGET %k %s",
                             NGX_ROOMS_KEY_WORKSPACE_MEMBERS, ws,
                             rq->principal.sub);
    }

    rq->at_own = b->commands.nelts;

    /* a row may append its own commands: read markers, events */

    if (rq->ask && rq->ask(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_R_VIEW);
}


/*
 * An invite may name participants who are new to the tenant; their rows are
 * created with it.  Two of them may derive the same local id, so an earlier
 * one counts as its owner.
 */
static ngx_int_t
ngx_rooms_room_newcomer(ngx_rooms_req_t *rq, ngx_uint_t i, ngx_uint_t is_new,
    ngx_uint_t *asked)
{
    ngx_uint_t   k;
    rooms_str_t  id, wish, owner;

    id = rq->targets[i].member.participant;
    owner = ngx_rooms_reply_str(ngx_rooms_reply(rq, rq->at_locals
                                                    + (*asked)++));

    if (!is_new) {
        return NGX_OK;
    }

    wish = ngx_rooms_local_wish(rq, id);

    for (k = 0; k < i; k++) {

        if (rooms_str_eq(rq->profiles[k].local, wish)
            && !rooms_str_eq(rq->profiles[k].id, id))
        {
            owner = rq->profiles[k].id;
        }
    }

    rq->targets[i].known = 1;

    return ngx_rooms_provision(rq, id, owner, &rq->profiles[i]);
}


void
ngx_rooms_room_newcomers(ngx_rooms_req_t *rq)
{
    ngx_uint_t            i, k;
    ngx_rooms_profile_t  *p;

    if (rq->endpoint->op != ROOMS_OP_INVITE || !rq->conf->invite_unknown) {
        return;
    }

    for (i = 0; i < rq->ntargets; i++) {
        p = &rq->profiles[i];

        /* a row that was read has its time of creation */

        if (!p->provisioned || p->created) {
            continue;
        }

        for (k = 0; k < i; k++) {
            if (rooms_str_eq(rq->profiles[k].id, p->id)) {
                break;
            }
        }

        if (k < i) {
            continue;
        }

        for (k = 0; k < rq->change->nmembers; k++) {

            if (rooms_str_eq(rq->change->members[k].after.participant, p->id)
                && rq->change->members[k].after.membership == ROOMS_INVITE)
            {
                ngx_rooms_apply_newcomer(&rq->commit, &rq->keys, p,
                                         ROOMS_NULL, rq->now);
                break;
            }
        }
    }
}


static ngx_int_t
ngx_rooms_room_take(ngx_rooms_req_t *rq)
{
    ngx_int_t        rc;
    ngx_uint_t       i, at, fresh;
    redisReply      *top;
    rooms_target_t  *t;

    fresh = 0;

    if (ngx_rooms_view_parse(rq->batch, rq->at_view,
                             rq->param[NGX_ROOMS_P_ROOM], rq->principal.sub,
                             &rq->view) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, rq->r->connection->log, 0,
                      "rooms: the store has invalid data for room \"%*s\"",
                      rq->param[NGX_ROOMS_P_ROOM].len,
                      rq->param[NGX_ROOMS_P_ROOM].data);
        return NGX_ERROR;
    }

    rq->usual = ngx_rooms_usual_take(ngx_rooms_reply(rq, rq->at_view
                                                + NGX_ROOMS_VIEW_COMMANDS));

    for (i = 0; i < rq->ntargets; i++) {
        t = &rq->targets[i];
        at = rq->at_targets + 2 * i;

        if (ngx_rooms_parse_member(
                             ngx_rooms_reply_str(ngx_rooms_reply(rq, at)),
                             t->member.participant, &t->member) != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_rooms_show_profile(rq->pool, rq->r->connection->log,
                             ngx_rooms_reply_str(ngx_rooms_reply(rq, at + 1)),
                             t->member.participant, &rq->profiles[i]);

        t->known = rc == NGX_OK;

        if (rq->endpoint->op == ROOMS_OP_INVITE
            && ngx_rooms_unknown(rq, t->member.participant)
            && ngx_rooms_room_newcomer(rq, i, rc == NGX_DECLINED, &fresh)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        t->gone = rq->profiles[i].deactivated != 0;
    }

    rq->view.ntop = 0;

    if (rq->at_top < rq->at_tenant) {
        top = ngx_rooms_reply(rq, rq->at_top);

        for (i = 0; i < NGX_ROOMS_TOP && i < top->elements; i++) {
            rq->view.top[i].participant = ngx_rooms_reply_str_at(top, i);
            rq->view.ntop++;
        }
    }

    rq->max_participants = rq->conf->max_participants;
    rq->max_rooms = -1;

    if (rq->at_tenant < rq->at_workspace) {
        ngx_rooms_tenant_take(rq, ngx_rooms_reply(rq, rq->at_tenant));
    }

    if (rq->at_workspace < rq->at_own) {
        rq->in.workspace_known = rooms_id_valid(
                                  ngx_rooms_body_str(rq, "workspace_id"),
                                  "ws-");
        rc = rooms_role_parse(ngx_rooms_reply_str(
                          ngx_rooms_reply(rq, rq->at_workspace)));
        rq->in.workspace_role = rc > 0 ? rc : ROOMS_ROLE_NONE;
    }

    return NGX_OK;
}


/*
 * A second round, only if needed: rows of the members in line for succession,
 * the other participant of a DM, for the room's name, and how many unread
 * messages were redacted.
 */
static ngx_int_t
ngx_rooms_room_more(ngx_rooms_req_t *rq)
{
    ngx_uint_t          i, heirs, redacted;
    rooms_str_t         other, who;
    ngx_rooms_batch_t  *b;

    if (!rq->view.exists) {
        return NGX_OK;
    }

    other = ngx_rooms_view_other(&rq->view, rq->principal.sub);
    heirs = rq->view.room.admins <= 1 ? rq->view.ntop : 0;

    redacted = ngx_rooms_view_redacted(&rq->view);

    if (other.data == NULL && heirs == 0 && !redacted) {
        return NGX_OK;
    }

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < heirs; i++) {
        who = rq->view.top[i].participant;
        (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s", NGX_ROOMS_KEY_MEMBERS,
                             rq->view.room.id, who);
    }

    if (other.data) {
        (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL, other);
    }

    if (redacted) {
        (void) ngx_rooms_view_ask_redacted(b, &rq->keys, &rq->view);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_R_MORE);
}


static ngx_int_t
ngx_rooms_room_take_more(ngx_rooms_req_t *rq)
{
    ngx_uint_t            i, heirs;
    rooms_str_t           other, who;
    ngx_rooms_profile_t   profile;

    heirs = rq->view.room.admins <= 1 ? rq->view.ntop : 0;

    for (i = 0; i < heirs; i++) {
        who = rq->view.top[i].participant;

        if (ngx_rooms_parse_member(
                              ngx_rooms_reply_str(ngx_rooms_reply(rq, i)),
                              who, &rq->view.top[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (rq->view.top[i].membership != ROOMS_JOIN) {
            /* left between the two rounds: the commit's guards will fail */
            rq->view.top[i].membership = ROOMS_JOIN;
        }
    }

    other = ngx_rooms_view_other(&rq->view, rq->principal.sub);

    if (other.data) {

        (void) ngx_rooms_show_profile(rq->pool, rq->r->connection->log,
                           ngx_rooms_reply_str(ngx_rooms_reply(rq, i++)),
                           other, &profile);

        rq->view.name = profile.name;
        rq->in.other_gone = profile.deactivated != 0;
    }

    if (ngx_rooms_view_redacted(&rq->view)) {
        ngx_rooms_view_take_redacted(&rq->view, ngx_rooms_reply(rq, i));
    }

    return NGX_OK;
}
