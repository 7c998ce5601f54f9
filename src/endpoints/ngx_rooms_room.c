/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Steps for every operation on one room: load what the decision looks at,
 * let the core decide, turn its verdict into a commit, and show the outcome.
 */

#include "ngx_rooms_endpoints.h"
#include <sodium.h>


typedef enum {
    NGX_ROOMS_R_BEGIN = 0,
    NGX_ROOMS_R_ALIAS,                 /* the alias was looked up */
    NGX_ROOMS_R_VIEW,                  /* room, own row, targets */
    NGX_ROOMS_R_MORE                   /* what depends on those */
} ngx_rooms_room_round_e;


static ngx_int_t ngx_rooms_room_targets(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_room_ask(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_room_take(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_room_more(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_room_take_more(ngx_rooms_req_t *rq);


/* Operations after which the room may need another member at 100. */
static ngx_uint_t
ngx_rooms_room_succession(rooms_op_e op)
{
    return op == ROOMS_OP_LEAVE || op == ROOMS_OP_KICK || op == ROOMS_OP_BAN
           || op == ROOMS_OP_POWER;
}


static ngx_uint_t
ngx_rooms_room_seats(rooms_op_e op)
{
    return op == ROOMS_OP_JOIN || op == ROOMS_OP_INVITE
           || op == ROOMS_OP_REJOIN;
}


/* "#slug:server" or "#slug" */
static ngx_int_t
ngx_rooms_room_alias(ngx_rooms_req_t *rq, rooms_str_t param)
{
    u_char       *colon, *last;
    rooms_str_t   slug;

    last = (u_char *) param.data + param.len;
    colon = ngx_strlchr((u_char *) param.data, last, ':');

    slug.data = param.data + 1;
    slug.len = (colon ? colon : last) - slug.data;

    if (!rooms_slug_valid(slug)
        || (colon
            && !rooms_str_eq((rooms_str_t) { last - colon - 1, colon + 1 },
                             rooms_from_ngx(rq->conf->server_name))))
    {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_ALIASES,
                                           ROOMS_NULL),
                             slug) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_R_ALIAS;

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_room_load(ngx_rooms_req_t *rq)
{
    rooms_str_t  *id;

    id = &rq->param[NGX_ROOMS_P_ROOM];

    switch (rq->round) {

    case NGX_ROOMS_R_BEGIN:

        if (ngx_rooms_room_targets(rq) != NGX_OK) {
            return NGX_ERROR;
        }

        if (id->len && id->data[0] == '#') {
            return ngx_rooms_room_alias(rq, *id);
        }

        return ngx_rooms_room_ask(rq);

    case NGX_ROOMS_R_ALIAS:
        *id = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));
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


/* Whom the operation is about; for join and leave the caller. */
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


/* Everything whose name is known goes into one round. */
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

    rq->at_targets = b->commands.nelts;

    for (i = 0; i < rq->ntargets; i++) {
        who = rq->targets[i].member.participant;
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_MEMBERS, id),
                           who);
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_PARTICIPANTS,
                                         ROOMS_NULL),
                           who);
    }

    rq->at_top = b->commands.nelts;

    if (ngx_rooms_room_succession(op)) {
        (void) ngx_rooms_command(b, ngx_rooms_s("ZREVRANGE"),
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_ORDER, id),
                           ngx_rooms_s("0"), ngx_rooms_s("1"));
    }

    rq->at_tenant = b->commands.nelts;

    if (ngx_rooms_room_seats(op)) {
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_TENANT,
                                         ROOMS_NULL),
                           ngx_rooms_s("max_participants"));
    }

    rq->at_workspace = b->commands.nelts;

    if (op == ROOMS_OP_WORKSPACE) {
        ws = ngx_rooms_body_str(rq, "workspace_id");
        (void) ngx_rooms_command(b, ngx_rooms_s("EXISTS"),
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_WORKSPACE, ws));
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_WORKSPACE_MEMBERS,
                                         ws),
                           rq->principal.sub);
    }

    rq->at_own = b->commands.nelts;

    /* a row may add commands of its own: read markers, events */

    if (rq->ask && rq->ask(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_R_VIEW;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_room_take(ngx_rooms_req_t *rq)
{
    ngx_int_t        rc;
    ngx_uint_t       i, at;
    redisReply      *top;
    rooms_target_t  *t;

    if (ngx_rooms_view_parse(rq->batch, rq->at_view,
                             rq->param[NGX_ROOMS_P_ROOM], rq->principal.sub,
                             &rq->view) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, rq->r->connection->log, 0,
                      "rooms: the store holds no valid room in \"%*s\"",
                      rq->param[NGX_ROOMS_P_ROOM].len,
                      rq->param[NGX_ROOMS_P_ROOM].data);
        return NGX_ERROR;
    }

    for (i = 0; i < rq->ntargets; i++) {
        t = &rq->targets[i];
        at = rq->at_targets + 2 * i;

        if (ngx_rooms_parse_member(
                             ngx_rooms_reply_str(ngx_rooms_reply(rq, at)),
                             t->member.participant, &t->member) != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_rooms_parse_profile(rq->pool,
                             ngx_rooms_reply_str(ngx_rooms_reply(rq, at + 1)),
                             t->member.participant, &rq->profiles[i]);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        t->known = rc == NGX_OK;
    }

    rq->view.ntop = 0;

    if (rq->at_top < rq->at_tenant) {
        top = ngx_rooms_reply(rq, rq->at_top);

        for (i = 0; i < NGX_ROOMS_TOP && i < top->elements; i++) {
            rq->view.top[i].participant =
                      ngx_rooms_reply_str(ngx_rooms_reply_element(top, i));
            rq->view.ntop++;
        }
    }

    rq->max_participants = rq->conf->max_participants;

    if (rq->at_tenant < rq->at_workspace) {
        rq->max_participants = ngx_rooms_reply_int(
                                      ngx_rooms_reply(rq, rq->at_tenant),
                                      rq->max_participants);
    }

    if (rq->at_workspace < rq->at_own) {
        rq->in.workspace_known = rooms_id_valid(
                                  ngx_rooms_body_str(rq, "workspace_id"),
                                  "ws-")
                                 && ngx_rooms_reply_int(
                          ngx_rooms_reply(rq, rq->at_workspace), 0) == 1;
        rc = rooms_role_parse(ngx_rooms_reply_str(
                          ngx_rooms_reply(rq, rq->at_workspace + 1)));
        rq->in.workspace_role = rc > 0 ? rc : ROOMS_ROLE_NONE;
    }

    return NGX_OK;
}


/*
 * A second round, only where it is needed: rows of the members in line for
 * succession, and a DM's other side, whose name the viewer reads.
 */
static ngx_int_t
ngx_rooms_room_more(ngx_rooms_req_t *rq)
{
    ngx_uint_t          i, heirs;
    rooms_str_t         other, who;
    ngx_rooms_batch_t  *b;

    if (!rq->view.exists) {
        return NGX_OK;
    }

    other = ngx_rooms_view_other(&rq->view, rq->principal.sub);
    heirs = rq->view.room.admins <= 1 ? rq->view.ntop : 0;

    if (other.data == NULL && heirs == 0) {
        return NGX_OK;
    }

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < heirs; i++) {
        who = rq->view.top[i].participant;
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_MEMBERS,
                                         rq->view.room.id), who);
    }

    if (other.data) {
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                           ngx_rooms_key(&rq->keys,
                                         NGX_ROOMS_KEY_PARTICIPANTS,
                                         ROOMS_NULL), other);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_R_MORE;

    return ngx_rooms_send(rq);
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
            /* left between the two rounds: the guards will find out */
            rq->view.top[i].membership = ROOMS_JOIN;
        }
    }

    other = ngx_rooms_view_other(&rq->view, rq->principal.sub);

    if (other.data) {

        if (ngx_rooms_parse_profile(rq->pool,
                           ngx_rooms_reply_str(ngx_rooms_reply(rq, i)),
                           other, &profile) == NGX_ERROR)
        {
            return NGX_ERROR;
        }

        rq->view.name = profile.name;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_room_refuse(ngx_rooms_req_t *rq, const rooms_change_t *change)
{
    /* a room that isn't seen looks like one that isn't there, to the byte */

    if (change->code == ROOMS_E_NOT_FOUND) {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    if (change->field) {
        rq->error_field = rooms_cstr(change->field);
        rq->error_problem = rooms_cstr(change->message);

    } else {
        rq->error_field = ngx_rooms_s("membership");
        rq->error_problem = rooms_cstr(
                              rooms_membership_name(rq->view.me.membership));
    }

    return ngx_rooms_fail(rq, change->code, change->message);
}


ngx_int_t
ngx_rooms_room_input(ngx_rooms_req_t *rq)
{
    rooms_input_t  *in;

    if (rq->change == NULL) {
        rq->change = ngx_palloc(rq->pool, sizeof(rooms_change_t));
        if (rq->change == NULL) {
            return NGX_ERROR;
        }
    }

    in = &rq->in;

    in->op = rq->op;
    in->room = rq->view.exists ? &rq->view.room : NULL;
    in->actor = rq->view.me;
    in->targets = rq->targets;
    in->ntargets = rq->ntargets;
    in->top[0] = rq->view.top[0];
    in->top[1] = rq->view.top[1];
    in->ntop = rq->view.ntop;
    in->max_participants = rq->max_participants;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_room_permit(ngx_rooms_req_t *rq)
{
    if (ngx_rooms_room_input(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    rooms_decide(&rq->in, rq->change);

    return rq->change->code == ROOMS_OK
           ? NGX_OK : ngx_rooms_room_refuse(rq, rq->change);
}


static ngx_int_t
ngx_rooms_room_arguments(ngx_rooms_req_t *rq)
{
    json_t         *power;
    const char     *problem;
    rooms_input_t  *in;

    in = &rq->in;
    problem = NULL;

    switch (rq->endpoint->op) {

    case ROOMS_OP_NAME:
        in->text = ngx_rooms_body_str(rq, "name");
        problem = rooms_name_check(&in->text);
        break;

    case ROOMS_OP_TOPIC:
        in->text = ngx_rooms_body_str(rq, "topic");
        problem = in->text.data ? rooms_topic_check(&in->text) : NULL;
        break;

    case ROOMS_OP_WORKSPACE:
        in->text = ngx_rooms_body_str(rq, "workspace_id");
        break;

    case ROOMS_OP_KICK:
    case ROOMS_OP_BAN:
        in->text = ngx_rooms_body_str(rq, "reason");
        problem = in->text.data ? rooms_topic_check(&in->text) : NULL;
        break;

    case ROOMS_OP_POWER:
        power = ngx_rooms_body_get(rq, "power_level");

        if (json_integer_value(power) < 0
            || json_integer_value(power) > ROOMS_POWER_MAX)
        {
            problem = "must be from 0 to 100";
            break;
        }

        in->power = json_integer_value(power);
        break;

    case ROOMS_OP_FEDERATE:
        in->enabled = ngx_rooms_body_bool(rq, "enabled", 0);
        break;

    default:
        break;
    }

    return problem ? ngx_rooms_invalid(rq, rq->endpoint->fields[0].name,
                                       problem)
                   : NGX_OK;
}


/* If-Match on metadata: the room must still be as the caller has read it. */
static ngx_int_t
ngx_rooms_room_match(ngx_rooms_req_t *rq)
{
    u_char       version[18];
    rooms_str_t  match;

    match = ngx_rooms_header_in(rq->r, "If-Match");

    if (match.data == NULL || (rq->endpoint->op != ROOMS_OP_NAME
                               && rq->endpoint->op != ROOMS_OP_TOPIC
                               && rq->endpoint->op != ROOMS_OP_WORKSPACE))
    {
        return NGX_OK;
    }

    if (match.len == 1 && match.data[0] == '*') {
        return NGX_OK;
    }

    *ngx_sprintf(version, "%016xL-", ngx_rooms_view_version(&rq->view))
                                                                      = '\0';

    if (ngx_strnstr((u_char *) match.data, (char *) version, match.len)) {
        /* and must be so when it is written */
        rq->change->guard |= ROOMS_F_STATE | ROOMS_F_NAME | ROOMS_F_TOPIC
                             | ROOMS_F_WORKSPACE;
        return NGX_OK;
    }

    return ngx_rooms_fail(rq, NGX_ROOMS_E_PRECONDITION, NULL);
}


ngx_int_t
ngx_rooms_room_decide(ngx_rooms_req_t *rq)
{
    rooms_room_t  before;

    if (ngx_rooms_room_arguments(rq) != NGX_OK
        || ngx_rooms_room_permit(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (rq->endpoint->flags & NGX_ROOMS_BODY
        && ngx_rooms_room_match(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (rq->change->noop || rq->change->event == ROOMS_EV_NONE) {
        return NGX_OK;
    }

    before = rq->view.room;

    return ngx_rooms_room_commit(rq, &before, rq->change);
}


ngx_int_t
ngx_rooms_room_commit(ngx_rooms_req_t *rq, const rooms_room_t *before,
    rooms_change_t *change)
{
    rooms_str_t         content;
    ngx_rooms_apply_t   a;

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&a, sizeof(ngx_rooms_apply_t));

    a.before = before;
    a.change = change;
    a.top[0] = rq->view.top[0];
    a.top[1] = rq->view.top[1];
    a.ntop = rq->view.ntop;
    a.max_participants = rq->max_participants;
    a.max_rooms = rq->max_rooms;

    ngx_rooms_apply(&rq->commit, &rq->keys, &a);

    content = ngx_rooms_content(rq, before, change);

    if (content.data == NULL) {
        return NGX_ERROR;
    }

    ngx_rooms_apply_event(&rq->commit, &rq->keys, &change->room,
                          change->event, rq->principal.sub,
                          (rooms_str_t) { sizeof(rq->random), rq->random },
                          content, rq->now);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


/* The view as it is after the change, without asking again. */
static void
ngx_rooms_room_advance(ngx_rooms_req_t *rq)
{
    ngx_uint_t                 i;
    const rooms_transition_t  *t;

    if (!rq->committing) {
        return;
    }

    rq->view.room = rq->change->room;
    rq->view.room.position = rq->position;

    if (rq->view.room.state == ROOMS_CLOSED) {
        rq->view.room.alias = ROOMS_NULL;
    }

    if (rq->view.room.type != ROOMS_DM) {
        rq->view.name = rq->view.room.name;
    }

    for (i = 0; i < rq->change->nmembers; i++) {
        t = &rq->change->members[i];

        if (rooms_str_eq(t->after.participant, rq->principal.sub)) {
            rq->view.me = t->after;
        }
    }
}


ngx_int_t
ngx_rooms_room_put(ngx_rooms_req_t *rq)
{
    size_t                size;
    u_char               *p, *start;
    uint64_t              hash;
    rooms_buf_t          *b;
    static const u_char   key[crypto_shorthash_KEYBYTES];

    size = ngx_rooms_view_size(&rq->view, &rq->conf->server_name);
    b = ngx_rooms_out(&rq->out, size + 16);

    start = b->last;

    rooms_json_lit(b, "{\"data\":");
    ngx_rooms_view_json(b, &rq->view, &rq->conf->server_name, rq->now);
    rooms_json_lit(b, "}\n");

    /* of the metadata, for If-Match, and of all of it, for If-None-Match */

    (void) crypto_shorthash((u_char *) &hash, start, b->last - start, key);

    p = ngx_pnalloc(rq->pool, 40);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rq->etag.data = p;
    rq->etag.len = ngx_sprintf(p, "\"%016xL-%016xL\"",
                               ngx_rooms_view_version(&rq->view), hash) - p;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_room_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_room_advance(rq);

    return ngx_rooms_room_put(rq);
}


ngx_int_t
ngx_rooms_membership_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t                *b;
    const rooms_member_t       *m;
    const rooms_transition_t   *t;
    const ngx_rooms_profile_t  *p;

    p = &rq->profiles[0];
    m = &rq->targets[0].member;

    if (rq->committing) {
        t = ngx_rooms_subject(rq->change);
        m = &t->after;
    }

    b = ngx_rooms_out(&rq->out, 64 + ngx_rooms_membership_size(p,
                                                  &rq->conf->server_name));

    rooms_json_lit(b, "{\"data\":");
    ngx_rooms_membership_json(b, rq->view.room.id, m, p,
                              &rq->conf->server_name);
    rooms_json_lit(b, "}\n");

    return NGX_OK;
}


/* One target: its membership.  Many: a result for each, in their order. */
ngx_int_t
ngx_rooms_invite_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t                i;
    rooms_buf_t              *b;
    rooms_member_t            m;
    rooms_target_t           *t;
    const ngx_rooms_error_t  *e;

    if (!rq->in.batch) {
        return ngx_rooms_membership_show(rq);
    }

    rooms_json_lit(ngx_rooms_out(&rq->out, 32), "{\"data\":{\"results\":[");

    for (i = 0; i < rq->ntargets; i++) {
        t = &rq->targets[i];

        b = ngx_rooms_out(&rq->out, 512
                          + ROOMS_JSON_STR(t->member.participant.len)
                          + ngx_rooms_membership_size(&rq->profiles[i],
                                                  &rq->conf->server_name));

        if (i) {
            rooms_json_lit(b, ",");
        }

        if (rq->change->results[i] == ROOMS_OK) {
            m = t->member;

            if (m.membership == ROOMS_LEAVE) {
                m.membership = ROOMS_INVITE;
            }

            ngx_rooms_membership_json(b, rq->view.room.id, &m,
                                      &rq->profiles[i],
                                      &rq->conf->server_name);
            continue;
        }

        e = ngx_rooms_error(rq->change->results[i]);

        rooms_json_lit(b, "{\"participant_id\":");
        rooms_json_str(b, t->member.participant);
        rooms_json_lit(b, ",\"error\":{\"code\":");
        rooms_json_str(b, rooms_cstr(e->code));
        rooms_json_lit(b, ",\"message\":");
        rooms_json_str(b, rooms_cstr(e->message));
        rooms_json_lit(b, "}}");
    }

    rooms_json_lit(ngx_rooms_out(&rq->out, 8), "]}}\n");

    return NGX_OK;
}
