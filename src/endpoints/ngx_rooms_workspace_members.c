/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET and POST /v1/workspaces/{id}/members: a hash that is read whole, since
 * a workspace is a team and not a crowd.
 */

#include "ngx_rooms_workspaces.h"


static ngx_int_t
ngx_rooms_workspace_permit(ngx_rooms_req_t *rq, ngx_rooms_workspaces_t *l,
    rooms_role_e needed)
{
    ngx_int_t  rc;

    rc = ngx_rooms_workspace_parse(ngx_rooms_reply(rq, 0),
                                   ngx_rooms_reply(rq, 1),
                                   rq->param[NGX_ROOMS_P_WORKSPACE], &l->one);

    if (rc == NGX_DECLINED) {
        return ngx_rooms_fail(rq, ROOMS_E_WORKSPACE, NULL);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (l->one.role < needed) {
        return ngx_rooms_fail(rq, ROOMS_E_WORKSPACE_FORBIDDEN, NULL);
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_workspace_members_load(ngx_rooms_req_t *rq)
{
    ngx_uint_t               i;
    rooms_str_t             *argv, id;
    ngx_rooms_workspaces_t  *l;

    l = ngx_rooms_workspaces_ctx(rq);
    if (l == NULL) {
        return NGX_ERROR;
    }

    id = rq->param[NGX_ROOMS_P_WORKSPACE];

    switch (rq->round) {

    case 0:

        if (!rooms_id_valid(id, "ws-")) {
            return ngx_rooms_fail(rq, ROOMS_E_WORKSPACE, NULL);
        }

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_workspace_ask(rq, id) != NGX_OK
            || ngx_rooms_command(rq->batch, ngx_rooms_s("HGETALL"),
                           ngx_rooms_key(&rq->keys,
                                         NGX_ROOMS_KEY_WORKSPACE_MEMBERS, id))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        rq->round = 1;
        return ngx_rooms_send(rq);

    case 1:

        if (ngx_rooms_workspace_permit(rq, l, ROOMS_ROLE_VIEWER) != NGX_OK) {
            return NGX_ERROR;
        }

        l->roles = ngx_rooms_reply(rq, 2);

        argv = ngx_palloc(rq->pool, (l->roles->elements / 2 + 2)
                                    * sizeof(rooms_str_t));
        if (argv == NULL) {
            return NGX_ERROR;
        }

        argv[0] = ngx_rooms_s("HMGET");
        argv[1] = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PARTICIPANTS,
                                ROOMS_NULL);

        for (i = 0; i < l->roles->elements / 2; i++) {
            argv[i + 2] = ngx_rooms_reply_str(l->roles->element[2 * i]);
        }

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_batch_add(rq->batch, argv, i + 2) != NGX_OK)
        {
            return NGX_ERROR;
        }

        rq->round = 2;
        return ngx_rooms_send(rq);

    default:
        l->profiles = ngx_rooms_reply(rq, 0);
        return NGX_OK;
    }
}


static void
ngx_rooms_workspace_member_json(ngx_rooms_req_t *rq,
    const ngx_rooms_profile_t *p, rooms_str_t role)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out(&rq->out, 256 + rq->conf->server_name.len
                      + 6 * (p->id.len + p->local.len + p->server.len
                             + p->name.len + role.len));

    rooms_json_lit(b, "{\"participant_id\":");
    rooms_json_str(b, p->id);
    rooms_json_lit(b, ",\"fqid\":");
    ngx_rooms_fqid_json(b, p, &rq->conf->server_name);
    rooms_json_lit(b, ",\"display_name\":");
    rooms_json_str(b, p->name);
    rooms_json_lit(b, ",\"role\":");
    rooms_json_str(b, role);
    rooms_json_lit(b, "}");
}


ngx_int_t
ngx_rooms_workspace_members_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t               i, shown;
    rooms_str_t              id, role;
    ngx_rooms_profile_t      p;
    ngx_rooms_workspaces_t  *l;

    l = rq->data;
    shown = 0;

    ngx_rooms_list_open(rq);

    for (i = 0; i < l->roles->elements / 2; i++) {

        id = ngx_rooms_reply_str(l->roles->element[2 * i]);
        role = ngx_rooms_reply_str(l->roles->element[2 * i + 1]);

        if (!rooms_participant_valid(id) || rooms_role_parse(role) < 0) {
            ngx_rooms_unreadable(rq->r->connection->log, "member of",
                                 rq->param[NGX_ROOMS_P_WORKSPACE]);
            continue;
        }

        (void) ngx_rooms_show_profile(rq->pool, rq->r->connection->log,
                 ngx_rooms_reply_str(ngx_rooms_reply_element(l->profiles, i)),
                 id, &p);

        rooms_json_raw(ngx_rooms_out(&rq->out, 1), ",", shown++ ? 1 : 0);

        ngx_rooms_workspace_member_json(rq, &p, role);
    }

    ngx_rooms_list_close(rq, 0, ROOMS_NULL);

    return NGX_OK;
}


/* POST /v1/workspaces/{id}/members: an owner gives a role, or changes one. */


ngx_int_t
ngx_rooms_workspace_add_load(ngx_rooms_req_t *rq)
{
    ngx_int_t                role;
    rooms_str_t              id;
    ngx_rooms_workspaces_t  *l;

    l = ngx_rooms_workspaces_ctx(rq);
    if (l == NULL) {
        return NGX_ERROR;
    }

    if (rq->round) {
        return NGX_OK;
    }

    id = rq->param[NGX_ROOMS_P_WORKSPACE];
    l->target = ngx_rooms_body_str(rq, "participant_id");
    role = rooms_role_parse(ngx_rooms_body_str(rq, "role"));

    if (l->target.len == 0) {
        return ngx_rooms_invalid(rq, "participant_id", "must not be empty");
    }

    if (role <= 0) {
        return ngx_rooms_invalid(rq, "role", "must be \"owner\", \"editor\" "
                                 "or \"viewer\"");
    }

    l->role = role;

    if (!rooms_id_valid(id, "ws-")) {
        return ngx_rooms_fail(rq, ROOMS_E_WORKSPACE, NULL);
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_workspace_ask(rq, id) != NGX_OK
        || ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                       ngx_rooms_key(&rq->keys,
                                     NGX_ROOMS_KEY_WORKSPACE_MEMBERS, id),
                       l->target) != NGX_OK
        || ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                       ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PARTICIPANTS,
                                     ROOMS_NULL), l->target) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = 1;

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_workspace_add_decide(ngx_rooms_req_t *rq)
{
    ngx_int_t                rc;
    rooms_str_t              key, had;
    ngx_rooms_workspaces_t  *l;

    l = rq->data;

    if (ngx_rooms_workspace_permit(rq, l, ROOMS_ROLE_OWNER) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_rooms_parse_profile(rq->pool,
                                 ngx_rooms_reply_str(ngx_rooms_reply(rq, 3)),
                                 l->target, &l->profile);

    if (rc != NGX_OK) {
        return rc == NGX_ERROR ? rc
                               : ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT,
                                                NULL);
    }

    had = ngx_rooms_reply_str(ngx_rooms_reply(rq, 2));

    /* who made it stays its owner, so it always has one */

    if (rooms_str_eq(l->target, l->one.owner)
        && l->role != ROOMS_ROLE_OWNER)
    {
        return ngx_rooms_fail(rq, ROOMS_E_WORKSPACE_FORBIDDEN,
                              "who made a workspace stays its owner");
    }

    if (rooms_str_eq(had, rooms_cstr(rooms_role_name(l->role)))) {
        return NGX_OK;
    }

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_WORKSPACE_MEMBERS,
                        l->one.id);

    ngx_rooms_commit_guard_field(&rq->commit, key, rq->principal.sub,
                                 ngx_rooms_s("owner"));
    ngx_rooms_commit_guard_field(&rq->commit, key, l->target, had);
    ngx_rooms_commit_write(&rq->commit, "HSET", key, l->target,
                           rooms_cstr(rooms_role_name(l->role)));
    ngx_rooms_commit_write(&rq->commit, "ZADD",
                           ngx_rooms_key(&rq->keys,
                                         NGX_ROOMS_KEY_USER_WORKSPACES,
                                         l->target),
                           ngx_rooms_s("0"), l->one.id);

    return NGX_OK;
}


ngx_int_t
ngx_rooms_workspace_add_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_workspaces_t  *l;

    l = rq->data;

    rooms_json_lit(ngx_rooms_out(&rq->out, 16), "{\"data\":");
    ngx_rooms_workspace_member_json(rq, &l->profile,
                                    rooms_cstr(rooms_role_name(l->role)));
    rooms_json_lit(ngx_rooms_out(&rq->out, 4), "}\n");

    return NGX_OK;
}
