/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Steps of every operation on one room, after ngx_rooms_room_load.c has
 * loaded its input: let the core decide, turn the verdict into a commit, and
 * show the result.
 */

#include "ngx_rooms_endpoints.h"


ngx_int_t
ngx_rooms_room_refuse(ngx_rooms_req_t *rq, const rooms_change_t *change)
{
    /* a hidden room must look exactly like a missing one */

    if (change->code == ROOMS_E_NOT_FOUND) {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    if (change->field) {
        rq->error_field = rooms_cstr(change->field);
        rq->error_problem = rooms_cstr(change->message);

    } else if (change->code == ROOMS_E_FORBIDDEN
               && rq->view.me.membership != ROOMS_JOIN)
    {
        /* the reason is the membership, not a lack of power */
        rq->error_field = ngx_rooms_s("membership");
        rq->error_problem = rooms_cstr(
                              rooms_membership_name(rq->view.me.membership));
    }

    return ngx_rooms_fail(rq, change->code, change->code == ROOMS_E_VALIDATION
                                            ? NULL : change->message);
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


/*
 * Whether the list has a tag of the room with that version of its metadata.
 * Weak tags, W/"...", never match: RFC 9110, section 8.8.3.2.
 */
static ngx_uint_t
ngx_rooms_room_listed(rooms_str_t list, rooms_str_t version)
{
    rooms_str_t  tag;

    for ( ;; ) {
        tag = ngx_rooms_etag_next(&list);

        if (tag.data == NULL) {
            return 0;
        }

        if (tag.len == NGX_ROOMS_ROOM_ETAG
            && ngx_memcmp(tag.data, version.data, version.len) == 0)
        {
            return 1;
        }
    }
}


/*
 * If-Match on metadata: the room must be unchanged since the caller read it.
 */
static ngx_int_t
ngx_rooms_room_match(ngx_rooms_req_t *rq)
{
    u_char       version[18];
    uint64_t     hash;
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

    version[0] = '"';
    hash = ngx_rooms_view_version(&rq->view);
    *ngx_hex_dump(version + 1, (u_char *) &hash, sizeof(hash)) = '-';

    if (ngx_rooms_room_listed(match, (rooms_str_t) { sizeof(version),
                                                     version }))
    {
        /* and must still be unchanged at the commit */
        rq->change->guard |= ROOMS_F_STATE | ROOMS_F_NAME | ROOMS_F_TOPIC
                             | ROOMS_F_WORKSPACE | ROOMS_F_FEDERATED
                             | ROOMS_F_UPDATED;
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

    /*
     * a replica counts against the tenant's limit once a local participant
     * joins
     */

    if (rq->view.room.unaccepted && rq->tenant_full
        && (rq->op == ROOMS_OP_JOIN || rq->op == ROOMS_OP_REJOIN))
    {
        return ngx_rooms_full(rq, NGX_ROOMS_QUOTA_ROOMS);
    }

    before = rq->view.room;

    if (ngx_rooms_room_commit(rq, &before, rq->change) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_room_newcomers(rq);

    if (rq->endpoint->op == ROOMS_OP_WORKSPACE) {
        /* the caller's role in the workspace must still hold */
        ngx_rooms_commit_guard_field(&rq->commit,
                       ngx_rooms_key(&rq->keys,
                                     NGX_ROOMS_KEY_WORKSPACE_MEMBERS,
                                     rq->change->room.workspace),
                       rq->principal.sub,
                       rooms_cstr(rooms_role_name(rq->in.workspace_role)));
    }

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_rooms_room_commit(ngx_rooms_req_t *rq, const rooms_room_t *before,
    rooms_change_t *change)
{
    rooms_str_t  content;

    content = ngx_rooms_content(rq, before, change);

    if (content.data == NULL) {
        return NGX_ERROR;
    }

    return ngx_rooms_room_commit_content(rq, before, change, content);
}


ngx_int_t
ngx_rooms_room_commit_content(ngx_rooms_req_t *rq,
    const rooms_room_t *before, rooms_change_t *change, rooms_str_t content)
{
    ngx_rooms_apply_t  a;

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

    ngx_rooms_apply_event(&rq->commit, &rq->keys, &change->room,
                          change->event, rq->principal.sub,
                          (rooms_str_t) { sizeof(rq->random), rq->random },
                          content, rq->now);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


/* Updates the view with the change, instead of reading it again. */
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
    u_char       *p;
    uint64_t      hash;
    rooms_buf_t  *b;
    ngx_chain_t  *cl;

    rq->view.usual = rq->usual;
    b = ngx_rooms_out(&rq->out);

    rooms_json_lit(b, "{\"data\":");
    ngx_rooms_view_json(b, &rq->view, &rq->conf->server_name, rq->now);
    rooms_json_lit(b, "}\n");

    /*
     * first a hash of the metadata for If-Match, then of everything for
     * If-None-Match
     */

    ngx_rooms_out_close(&rq->out);

    p = ngx_pnalloc(rq->pool, NGX_ROOMS_ROOM_ETAG);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rq->etag.data = p;

    *p++ = '"';
    hash = ngx_rooms_view_version(&rq->view);
    p = ngx_hex_dump(p, (u_char *) &hash, sizeof(hash));

    *p++ = '-';

    for (hash = 0, cl = rq->out.first; cl; cl = cl->next) {
        hash = rooms_hash(hash, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    p = ngx_hex_dump(p, (u_char *) &hash, sizeof(hash));

    *p++ = '"';
    rq->etag.len = p - rq->etag.data;

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

    b = ngx_rooms_out(&rq->out);

    rooms_json_lit(b, "{\"data\":");
    ngx_rooms_membership_json(b, rq->view.room.id, m, p,
                              &rq->conf->server_name);
    rooms_json_lit(b, "}\n");

    return NGX_OK;
}


/*
 * For one target: its membership.  For several: one result each, in the order
 * of the request.
 */
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

    rooms_json_lit(ngx_rooms_out(&rq->out), "{\"data\":{\"results\":[");

    b = ngx_rooms_out(&rq->out);

    for (i = 0; i < rq->ntargets; i++) {
        t = &rq->targets[i];

        rooms_json_raw(b, ",", i > 0);

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

        rooms_json_put(b, "{\"participant_id\":%s,\"error\":{\"code\":%s,"
                       "\"message\":%s}}", t->member.participant,
                       rooms_cstr(e->code), rooms_cstr(e->message));
    }

    rooms_json_lit(ngx_rooms_out(&rq->out), "]}}\n");

    return NGX_OK;
}
