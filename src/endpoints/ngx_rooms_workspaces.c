/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * /v1/workspaces: the caller's workspaces, one of them, and its members.
 * rooms_decide_workspace() decides what is allowed; this file loads its input
 * and writes the result.
 */

#include "ngx_rooms_endpoints.h"


#define NGX_ROOMS_WORKSPACE_PURGE  1000   /* members whose lists of
                                             workspaces a deletion updates */

typedef struct {
    rooms_str_t           id;
    rooms_str_t           name;
    rooms_str_t           description;    /* or NULL */
    rooms_str_t           kind;           /* "personal" or "shared" */
    rooms_str_t           owner;          /* who created it */
    int64_t               created_at;
    uint32_t              owners;
    rooms_role_e          role;           /* the caller's */
} ngx_rooms_workspace_t;

#define NGX_ROOMS_WORKSPACE_COMMANDS  2

typedef struct {
    /* a page of workspaces or members */
    int64_t               limit;
    rooms_str_t           after;
    redisReply           *ids;
    ngx_uint_t            n;
    unsigned              more:1;

    ngx_rooms_workspace_t  one;

    /* the operation on `one` */
    rooms_workspace_op_e  op;
    rooms_str_t           target;
    rooms_role_e          had;
    rooms_role_e          role;
    ngx_rooms_profile_t   profile;        /* the target's */
    ngx_uint_t            at_target;      /* first reply of each part */
    ngx_uint_t            at_rooms;
} ngx_rooms_workspaces_t;


static ngx_int_t
ngx_rooms_workspace_ask(ngx_rooms_req_t *rq, rooms_str_t id)
{
    (void) ngx_rooms_ask(rq->batch, &rq->keys,
                      "HMGET %k name description kind owner created_at owners",
                         NGX_ROOMS_KEY_WORKSPACE, id);
    (void) ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_WORKSPACE_MEMBERS, id,
                         rq->principal.sub);

    return rq->batch->failed ? NGX_ERROR : NGX_OK;
}


/* NGX_DECLINED: the workspace doesn't exist, or the caller isn't a member. */
static ngx_int_t
ngx_rooms_workspace_parse(redisReply *fields, redisReply *role,
    rooms_str_t id, ngx_rooms_workspace_t *w)
{
    ngx_int_t  n;

    w->id = id;
    w->name = ngx_rooms_reply_str_at(fields, 0);
    w->description = ngx_rooms_reply_str_at(fields, 1);
    w->kind = ngx_rooms_reply_str_at(fields, 2);
    w->owner = ngx_rooms_reply_str_at(fields, 3);
    w->created_at = ngx_rooms_reply_int_at(fields, 4, 0);
    w->owners = ngx_rooms_reply_int_at(fields, 5, 0);

    n = rooms_role_parse(ngx_rooms_reply_str(role));
    w->role = n > 0 ? n : ROOMS_ROLE_NONE;

    if (w->name.data == NULL || w->role == ROOMS_ROLE_NONE) {
        return NGX_DECLINED;
    }

    return rooms_utf8_length(w->name) < 0
           || rooms_utf8_length(w->description) < 0 ? NGX_ERROR : NGX_OK;
}


static void
ngx_rooms_workspace_json(ngx_rooms_req_t *rq, const ngx_rooms_workspace_t *w)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"id\":%s,\"name\":%s,\"description\":%s,\"kind\":%s,"
                   "\"owner_id\":%s,\"role\":%s,\"created_at\":%t}", w->id,
                   w->name, w->description, w->kind, w->owner,
                   rooms_cstr(rooms_role_name(w->role)),
                   (int64_t) w->created_at);
}


static void
ngx_rooms_workspace_member_json(ngx_rooms_req_t *rq,
    const ngx_rooms_profile_t *p, rooms_role_e role)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"participant_id\":%s,\"fqid\":", p->id);
    ngx_rooms_fqid_json(b, p, &rq->conf->server_name);
    rooms_json_lit(b, ",\"display_name\":");
    rooms_json_str(b, p->name);
    rooms_json_lit(b, ",\"role\":");
    rooms_json_str(b, role == ROOMS_ROLE_NONE
                      ? ROOMS_NULL : rooms_cstr(rooms_role_name(role)));
    rooms_json_lit(b, "}");
}


static ngx_rooms_workspaces_t *
ngx_rooms_workspaces_ctx(ngx_rooms_req_t *rq)
{
    if (rq->data == NULL) {
        rq->data = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_workspaces_t));
    }

    return rq->data;
}


/* Checks and normalizes the name and the description. */
static ngx_int_t
ngx_rooms_workspace_texts(ngx_rooms_req_t *rq, ngx_rooms_workspace_t *w)
{
    u_char       *p;
    const char   *problem;
    rooms_str_t   name;

    name = ngx_rooms_body_str(rq, "name");

    if (name.data) {
        p = ngx_pnalloc(rq->pool, ROOMS_NAME_SIZE);
        if (p == NULL) {
            return NGX_ERROR;
        }

        problem = rooms_name_make(&name, p);

        if (problem) {
            return ngx_rooms_invalid(rq, "name", problem);
        }

        w->name = name;
    }

    if (json_object_get(rq->body, "description") == NULL) {
        return NGX_OK;
    }

    w->description = ngx_rooms_body_str(rq, "description");
    problem = rooms_topic_check(&w->description);

    return problem ? ngx_rooms_invalid(rq, "description", problem) : NGX_OK;
}


static void
ngx_rooms_workspace_describe(ngx_rooms_req_t *rq, ngx_rooms_workspace_t *w)
{
    rooms_str_t  key;

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_WORKSPACE, w->id);

    if (w->description.data) {
        ngx_rooms_commit_write(&rq->commit, "HSET", key,
                               ngx_rooms_s("description"), w->description);

    } else {
        ngx_rooms_commit_write(&rq->commit, "HDEL", key,
                               ngx_rooms_s("description"));
    }
}


/* Pages: both lists are sorted by id. */


static ngx_int_t
ngx_rooms_workspaces_page(ngx_rooms_req_t *rq, ngx_rooms_workspaces_t *l,
    rooms_str_t key)
{
    rooms_str_t  from;

    from = l->after.data ? ngx_rooms_join(rq->pool, ngx_rooms_s("("),
                                          l->after)
                         : ngx_rooms_s("-");

    return ngx_rooms_command(rq->batch, ngx_rooms_s("ZRANGEBYLEX"), key, from,
                             ngx_rooms_s("+"), ngx_rooms_s("LIMIT"),
                             ngx_rooms_s("0"),
                             ngx_rooms_number(rq->pool, l->limit + 1));
}


static void
ngx_rooms_workspaces_taken(ngx_rooms_workspaces_t *l, redisReply *ids)
{
    l->ids = ids;
    l->more = (int64_t) ids->elements > l->limit;
    l->n = l->more ? (ngx_uint_t) l->limit : ids->elements;
}


static ngx_int_t
ngx_rooms_workspaces_close(ngx_rooms_req_t *rq, ngx_rooms_workspaces_t *l,
    u_char kind)
{
    ngx_rooms_list_close(rq, l->more, l->more
                 ? ngx_rooms_cursor(rq->pool, kind,
                           ngx_rooms_reply_str(l->ids->element[l->n - 1]))
                 : ROOMS_NULL);

    return NGX_OK;
}


/* GET /v1/workspaces: the workspaces the caller is a member of. */


ngx_int_t
ngx_rooms_workspaces_load(ngx_rooms_req_t *rq)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_rooms_workspaces_t  *l;

    l = ngx_rooms_workspaces_ctx(rq);
    if (l == NULL) {
        return NGX_ERROR;
    }

    switch (rq->round) {

    case 0:

        if (ngx_rooms_arg_int(rq, "limit", 1, 200, 50, &l->limit) != NGX_OK) {
            return NGX_ERROR;
        }

        rc = ngx_rooms_arg_cursor(rq, "cursor", 'w', &l->after);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK && !rooms_id_valid(l->after, "ws-")) {
            return ngx_rooms_invalid(rq, "cursor",
                                     "is not a cursor of this list");
        }

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_workspaces_page(rq, l,
                             ngx_rooms_key(&rq->keys,
                                           NGX_ROOMS_KEY_USER_WORKSPACES,
                                           rq->principal.sub))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_rooms_send_round(rq, 1);

    case 1:
        ngx_rooms_workspaces_taken(l, ngx_rooms_reply(rq, 0));

        if (l->n == 0) {
            return NGX_OK;
        }

        if (ngx_rooms_batch(rq) == NULL) {
            return NGX_ERROR;
        }

        for (i = 0; i < l->n; i++) {

            if (ngx_rooms_workspace_ask(rq,
                             ngx_rooms_reply_str(l->ids->element[i]))
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        return ngx_rooms_send_round(rq, 2);

    default:
        return NGX_OK;
    }
}


ngx_int_t
ngx_rooms_workspaces_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t               i, at, shown;
    ngx_rooms_workspace_t    w;
    ngx_rooms_workspaces_t  *l;

    l = rq->data;
    shown = 0;

    ngx_rooms_list_open(rq);

    for (i = 0; i < l->n; i++) {
        at = i * NGX_ROOMS_WORKSPACE_COMMANDS;

        /* it may have been deleted since the list was read */

        if (ngx_rooms_workspace_parse(ngx_rooms_reply(rq, at),
                                      ngx_rooms_reply(rq, at + 1),
                                      ngx_rooms_reply_str(l->ids->element[i]),
                                      &w) != NGX_OK)
        {
            continue;
        }

        rooms_json_raw(ngx_rooms_out(&rq->out), ",", shown++ > 0);

        ngx_rooms_workspace_json(rq, &w);
    }

    return ngx_rooms_workspaces_close(rq, l, 'w');
}


/* POST /v1/workspaces */


ngx_int_t
ngx_rooms_workspace_create_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_workspace_t   *w;
    ngx_rooms_workspaces_t  *l;

    l = ngx_rooms_workspaces_ctx(rq);
    if (l == NULL) {
        return NGX_ERROR;
    }

    w = &l->one;
    w->id = ngx_rooms_id(rq, "ws-");
    w->kind = ngx_rooms_s("shared");
    w->owner = rq->principal.sub;
    w->created_at = rq->now;
    w->role = ROOMS_ROLE_OWNER;

    if (ngx_rooms_workspace_texts(rq, w) != NGX_OK || w->id.data == NULL
        || ngx_rooms_begin(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rooms_apply_workspace(&rq->commit, &rq->keys, w->id, w->kind, w->name,
                              w->owner, w->created_at);

    if (w->description.data) {
        ngx_rooms_workspace_describe(rq, w);
    }

    rq->status = NGX_HTTP_CREATED;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_workspace_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_workspaces_t  *l;

    l = rq->data;

    rooms_json_lit(ngx_rooms_out(&rq->out), "{\"data\":");
    ngx_rooms_workspace_json(rq, &l->one);
    rooms_json_lit(ngx_rooms_out(&rq->out), "}\n");

    return NGX_OK;
}


/* One workspace: reading it, changing it, or changing a member's role. */


static ngx_int_t
ngx_rooms_workspace_load(ngx_rooms_req_t *rq, rooms_workspace_op_e op)
{
    rooms_str_t              id;
    ngx_rooms_workspaces_t  *l;

    if (rq->round) {
        return NGX_OK;
    }

    l = ngx_rooms_workspaces_ctx(rq);
    if (l == NULL) {
        return NGX_ERROR;
    }

    l->op = op;
    id = rq->param[NGX_ROOMS_P_WORKSPACE];

    if (!rooms_id_valid(id, "ws-")) {
        return ngx_rooms_fail(rq, ROOMS_E_WORKSPACE, NULL);
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_workspace_ask(rq, id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    l->at_target = rq->batch->commands.nelts;

    if (l->target.data) {
        (void) ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_WORKSPACE_MEMBERS, id, l->target);
        (void) ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL,
                             l->target);
    }

    l->at_rooms = rq->batch->commands.nelts;

    if (op == ROOMS_WORKSPACE_DELETE) {
        (void) ngx_rooms_ask(rq->batch, &rq->keys, "ZCARD %k",
                             NGX_ROOMS_KEY_WORKSPACE_ROOMS, id);
        (void) ngx_rooms_ask(rq->batch, &rq->keys, "ZRANGE %k 0 %d",
                             NGX_ROOMS_KEY_WORKSPACE_LIST, id,
                             (int64_t) (NGX_ROOMS_WORKSPACE_PURGE - 1));
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, 1);
}


/* The core's decision on what was loaded. */
static ngx_int_t
ngx_rooms_workspace_permit(ngx_rooms_req_t *rq, ngx_rooms_workspaces_t *l)
{
    ngx_int_t          rc;
    rooms_code_e       code;
    rooms_workspace_t  in;

    rc = ngx_rooms_workspace_parse(ngx_rooms_reply(rq, 0),
                                   ngx_rooms_reply(rq, 1),
                                   rq->param[NGX_ROOMS_P_WORKSPACE], &l->one);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    ngx_memzero(&in, sizeof(rooms_workspace_t));

    in.op = l->op;
    in.actor = rc == NGX_OK ? l->one.role : ROOMS_ROLE_NONE;
    in.personal = rooms_str_eq(l->one.kind, ngx_rooms_s("personal"));
    in.owners = l->one.owners;

    if (l->target.data) {
        rc = ngx_rooms_parse_profile(rq->pool,
                       ngx_rooms_reply_str(ngx_rooms_reply(rq,
                                                       l->at_target + 1)),
                       l->target, &l->profile);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        /* participants of other servers can't be members */

        in.known = rc == NGX_OK && l->profile.server.data == NULL
                   && (l->profile.deactivated == 0
                       || l->op == ROOMS_WORKSPACE_REMOVE);
        in.self = rooms_str_eq(l->target, rq->principal.sub);
        in.person = rooms_str_eq(l->target, l->one.owner);

        rc = rooms_role_parse(ngx_rooms_reply_str(
                                       ngx_rooms_reply(rq, l->at_target)));
        l->had = rc > 0 ? rc : ROOMS_ROLE_NONE;

        in.had = l->had;
        in.role = l->role;
    }

    if (l->op == ROOMS_WORKSPACE_DELETE) {
        in.used = ngx_rooms_reply_int(ngx_rooms_reply(rq, l->at_rooms), 0) > 0;
    }

    code = rooms_decide_workspace(&in);

    return code == ROOMS_OK ? NGX_OK : ngx_rooms_fail(rq, code, NULL);
}


/* The caller's role must still be the one the decision relied on. */
static ngx_int_t
ngx_rooms_workspace_begin(ngx_rooms_req_t *rq, ngx_rooms_workspaces_t *l)
{
    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_commit_guard_field(&rq->commit,
                         ngx_rooms_key(&rq->keys,
                                       NGX_ROOMS_KEY_WORKSPACE_MEMBERS,
                                       l->one.id),
                         rq->principal.sub,
                         rooms_cstr(rooms_role_name(l->one.role)));

    return NGX_OK;
}


/* GET /v1/workspaces/{workspace} */


ngx_int_t
ngx_rooms_workspace_get_load(ngx_rooms_req_t *rq)
{
    return ngx_rooms_workspace_load(rq, ROOMS_WORKSPACE_READ);
}


ngx_int_t
ngx_rooms_workspace_get_decide(ngx_rooms_req_t *rq)
{
    return ngx_rooms_workspace_permit(rq, rq->data);
}


/* PATCH /v1/workspaces/{workspace} */


ngx_int_t
ngx_rooms_workspace_change_load(ngx_rooms_req_t *rq)
{
    ngx_rooms_workspace_t  unused;

    if (rq->round == 0 && ngx_rooms_workspace_texts(rq, &unused) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_workspace_load(rq, ROOMS_WORKSPACE_CHANGE);
}


ngx_int_t
ngx_rooms_workspace_change_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_workspace_t    was;
    ngx_rooms_workspaces_t  *l;

    l = rq->data;

    if (ngx_rooms_workspace_permit(rq, l) != NGX_OK) {
        return NGX_ERROR;
    }

    was = l->one;

    if (ngx_rooms_workspace_texts(rq, &l->one) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rooms_str_eq(was.name, l->one.name)
        && rooms_str_eq(was.description, l->one.description))
    {
        return NGX_OK;
    }

    if (ngx_rooms_workspace_begin(rq, l) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!rooms_str_eq(was.name, l->one.name)) {
        ngx_rooms_commit_write(&rq->commit, "HSET",
                               ngx_rooms_key(&rq->keys,
                                             NGX_ROOMS_KEY_WORKSPACE,
                                             l->one.id),
                               ngx_rooms_s("name"), l->one.name);
    }

    if (!rooms_str_eq(was.description, l->one.description)) {
        ngx_rooms_workspace_describe(rq, &l->one);
    }

    return NGX_OK;
}


/* DELETE /v1/workspaces/{workspace} */


ngx_int_t
ngx_rooms_workspace_delete_load(ngx_rooms_req_t *rq)
{
    return ngx_rooms_workspace_load(rq, ROOMS_WORKSPACE_DELETE);
}


/*
 * Creating a room in a workspace guards the creator's role there.  So a room
 * created before the deletion is counted by the guard here, and a room
 * created after it fails its own guard.
 */
ngx_int_t
ngx_rooms_workspace_delete_decide(ngx_rooms_req_t *rq)
{
    size_t                   i;
    rooms_str_t              id;
    redisReply              *members;
    ngx_rooms_commit_t      *c;
    ngx_rooms_workspaces_t  *l;

    l = rq->data;

    if (ngx_rooms_workspace_permit(rq, l) != NGX_OK
        || ngx_rooms_workspace_begin(rq, l) != NGX_OK)
    {
        return NGX_ERROR;
    }

    c = &rq->commit;
    id = l->one.id;
    members = ngx_rooms_reply(rq, l->at_rooms + 1);

    ngx_rooms_commit_guard_count(c, "ZCARD",
                       ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_WORKSPACE_ROOMS,
                                     id), 0);

    ngx_rooms_commit_delete(c, ngx_rooms_key(&rq->keys,
                                             NGX_ROOMS_KEY_WORKSPACE, id));
    ngx_rooms_commit_delete(c, ngx_rooms_key(&rq->keys,
                                       NGX_ROOMS_KEY_WORKSPACE_MEMBERS, id));
    ngx_rooms_commit_delete(c, ngx_rooms_key(&rq->keys,
                                       NGX_ROOMS_KEY_WORKSPACE_LIST, id));

    /* entries left in other lists have no role, so they aren't shown */

    for (i = 0; i < members->elements; i++) {
        ngx_rooms_commit_write(c, "ZREM",
                       ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_USER_WORKSPACES,
                                     ngx_rooms_reply_str(members->element[i])),
                       id);
    }

    return NGX_OK;
}


/* GET /v1/workspaces/{workspace}/members */


ngx_int_t
ngx_rooms_workspace_members_load(ngx_rooms_req_t *rq)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    rooms_str_t             *ids, id;
    ngx_rooms_workspaces_t  *l;

    l = ngx_rooms_workspaces_ctx(rq);
    if (l == NULL) {
        return NGX_ERROR;
    }

    id = rq->param[NGX_ROOMS_P_WORKSPACE];

    switch (rq->round) {

    case 0:

        if (ngx_rooms_arg_int(rq, "limit", 1, 1000, 100, &l->limit)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_rooms_arg_cursor(rq, "cursor", 'o', &l->after);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK && !rooms_participant_valid(l->after)) {
            return ngx_rooms_invalid(rq, "cursor",
                                     "is not a cursor of this list");
        }

        if (!rooms_id_valid(id, "ws-")) {
            return ngx_rooms_fail(rq, ROOMS_E_WORKSPACE, NULL);
        }

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_workspace_ask(rq, id) != NGX_OK
            || ngx_rooms_workspaces_page(rq, l,
                             ngx_rooms_key(&rq->keys,
                                           NGX_ROOMS_KEY_WORKSPACE_LIST, id))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_rooms_send_round(rq, 1);

    case 1:

        l->op = ROOMS_WORKSPACE_READ;

        if (ngx_rooms_workspace_permit(rq, l) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_rooms_workspaces_taken(l, ngx_rooms_reply(rq,
                                               NGX_ROOMS_WORKSPACE_COMMANDS));

        if (l->n == 0) {
            return NGX_OK;
        }

        ids = ngx_palloc(rq->pool, l->n * sizeof(rooms_str_t));

        if (ids == NULL || ngx_rooms_batch(rq) == NULL) {
            return NGX_ERROR;
        }

        for (i = 0; i < l->n; i++) {
            ids[i] = ngx_rooms_reply_str(l->ids->element[i]);
        }

        if (ngx_rooms_ask_many(rq->batch, &rq->keys, "HMGET",
                               NGX_ROOMS_KEY_WORKSPACE_MEMBERS, id, ids, l->n)
               != NGX_OK
            || ngx_rooms_ask_many(rq->batch, &rq->keys, "HMGET",
                                  NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL, ids,
                                  l->n)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_rooms_send_round(rq, 2);

    default:
        return NGX_OK;
    }
}


ngx_int_t
ngx_rooms_workspace_members_show(ngx_rooms_req_t *rq)
{
    ngx_int_t                role;
    ngx_uint_t               i, shown;
    redisReply              *roles, *profiles;
    rooms_str_t              id, text;
    ngx_rooms_profile_t      p;
    ngx_rooms_workspaces_t  *l;

    l = rq->data;
    shown = 0;

    roles = l->n ? ngx_rooms_reply(rq, 0) : NULL;
    profiles = l->n ? ngx_rooms_reply(rq, 1) : NULL;

    ngx_rooms_list_open(rq);

    for (i = 0; i < l->n; i++) {
        id = ngx_rooms_reply_str(l->ids->element[i]);
        text = ngx_rooms_reply_str_at(roles, i);

        if (text.data == NULL) {
            /* removed since the list was read */
            continue;
        }

        role = rooms_role_parse(text);

        if (!rooms_participant_valid(id) || role <= 0) {
            ngx_rooms_unreadable(rq->r->connection->log, "member of",
                                 rq->param[NGX_ROOMS_P_WORKSPACE]);
            continue;
        }

        (void) ngx_rooms_show_profile(rq->pool, rq->r->connection->log,
                 ngx_rooms_reply_str_at(profiles, i),
                 id, &p);

        rooms_json_raw(ngx_rooms_out(&rq->out), ",", shown++ > 0);

        ngx_rooms_workspace_member_json(rq, &p, role);
    }

    return ngx_rooms_workspaces_close(rq, l, 'o');
}


/*
 * POST /v1/workspaces/{workspace}/members adds a member or changes their
 * role.  PATCH and DELETE …/members/{participant} are for existing members.
 */


static ngx_int_t
ngx_rooms_workspace_target(ngx_rooms_req_t *rq, rooms_workspace_op_e op,
    rooms_str_t target)
{
    ngx_int_t                role;
    ngx_rooms_workspaces_t  *l;

    l = ngx_rooms_workspaces_ctx(rq);
    if (l == NULL) {
        return NGX_ERROR;
    }

    if (rq->round) {
        return NGX_OK;
    }

    if (target.len == 0) {
        return ngx_rooms_invalid(rq, "participant_id", "must not be empty");
    }

    if (op != ROOMS_WORKSPACE_REMOVE) {
        role = rooms_role_parse(ngx_rooms_body_str(rq, "role"));

        if (role <= 0) {
            return ngx_rooms_invalid(rq, "role", "must be \"owner\", "
                                     "\"editor\" or \"viewer\"");
        }

        l->role = role;
    }

    l->target = target;

    return ngx_rooms_workspace_load(rq, op);
}


ngx_int_t
ngx_rooms_workspace_add_load(ngx_rooms_req_t *rq)
{
    return ngx_rooms_workspace_target(rq, ROOMS_WORKSPACE_ADD,
                                      ngx_rooms_body_str(rq,
                                                         "participant_id"));
}


ngx_int_t
ngx_rooms_workspace_role_load(ngx_rooms_req_t *rq)
{
    return ngx_rooms_workspace_target(rq, ROOMS_WORKSPACE_ROLE,
                                      rq->param[NGX_ROOMS_P_PARTICIPANT]);
}


ngx_int_t
ngx_rooms_workspace_remove_load(ngx_rooms_req_t *rq)
{
    return ngx_rooms_workspace_target(rq, ROOMS_WORKSPACE_REMOVE,
                                      rq->param[NGX_ROOMS_P_PARTICIPANT]);
}


ngx_int_t
ngx_rooms_workspace_role_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_workspaces_t  *l;

    l = rq->data;

    if (ngx_rooms_workspace_permit(rq, l) != NGX_OK) {
        return NGX_ERROR;
    }

    if (l->had == l->role) {
        return NGX_OK;
    }

    if (ngx_rooms_workspace_begin(rq, l) != NGX_OK) {
        return NGX_ERROR;
    }

    if (l->had == ROOMS_ROLE_OWNER) {
        /*
         * if two owners leave at the same time, the second one fails as the
         * last owner
         */
        ngx_rooms_commit_guard_field(&rq->commit,
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_WORKSPACE,
                                         l->one.id),
                           ngx_rooms_s("owners"),
                           ngx_rooms_number(rq->pool, l->one.owners));
    }

    ngx_rooms_apply_role(&rq->commit, &rq->keys, l->one.id, l->target, l->had,
                         l->role);

    return NGX_OK;
}


ngx_int_t
ngx_rooms_workspace_role_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_workspaces_t  *l;

    l = rq->data;

    rooms_json_lit(ngx_rooms_out(&rq->out), "{\"data\":");
    ngx_rooms_workspace_member_json(rq, &l->profile, l->role);
    rooms_json_lit(ngx_rooms_out(&rq->out), "}\n");

    return NGX_OK;
}
