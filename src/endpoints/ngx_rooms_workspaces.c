/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* GET and POST /v1/workspaces */

#include "ngx_rooms_workspaces.h"


#define NGX_ROOMS_WORKSPACE_FIELDS  4


ngx_int_t
ngx_rooms_workspace_ask(ngx_rooms_req_t *rq, rooms_str_t id)
{
    (void) ngx_rooms_command(rq->batch, ngx_rooms_s("HMGET"),
                        ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_WORKSPACE, id),
                        ngx_rooms_s("name"), ngx_rooms_s("kind"),
                        ngx_rooms_s("owner"), ngx_rooms_s("created_at"));
    (void) ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                        ngx_rooms_key(&rq->keys,
                                      NGX_ROOMS_KEY_WORKSPACE_MEMBERS, id),
                        rq->principal.sub);

    return rq->batch->failed ? NGX_ERROR : NGX_OK;
}


/* NGX_DECLINED: there is none. */
ngx_int_t
ngx_rooms_workspace_parse(redisReply *fields, redisReply *role,
    rooms_str_t id, ngx_rooms_workspace_t *w)
{
    ngx_int_t  n;

    w->id = id;
    w->name = ngx_rooms_reply_str(ngx_rooms_reply_element(fields, 0));
    w->kind = ngx_rooms_reply_str(ngx_rooms_reply_element(fields, 1));
    w->owner = ngx_rooms_reply_str(ngx_rooms_reply_element(fields, 2));
    w->created_at = ngx_rooms_reply_int(ngx_rooms_reply_element(fields, 3),
                                        0);

    n = rooms_role_parse(ngx_rooms_reply_str(role));
    w->role = n > 0 ? n : ROOMS_ROLE_NONE;

    if (w->name.data == NULL) {
        return NGX_DECLINED;
    }

    return rooms_utf8_length(w->name) < 0 ? NGX_ERROR : NGX_OK;
}


static void
ngx_rooms_workspace_json(ngx_rooms_req_t *rq, const ngx_rooms_workspace_t *w)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out(&rq->out, 256 + 6 * (w->id.len + w->name.len
                                           + w->owner.len + w->kind.len));

    rooms_json_lit(b, "{\"id\":");
    rooms_json_str(b, w->id);
    rooms_json_lit(b, ",\"name\":");
    rooms_json_str(b, w->name);
    rooms_json_lit(b, ",\"kind\":");
    rooms_json_str(b, w->kind);
    rooms_json_lit(b, ",\"owner_id\":");
    rooms_json_str(b, w->owner);
    rooms_json_lit(b, ",\"role\":");
    rooms_json_str(b, rooms_cstr(rooms_role_name(w->role)));
    rooms_json_lit(b, ",\"created_at\":");
    rooms_json_time(b, w->created_at);
    rooms_json_lit(b, "}");
}


ngx_rooms_workspaces_t *
ngx_rooms_workspaces_ctx(ngx_rooms_req_t *rq)
{
    if (rq->data == NULL) {
        rq->data = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_workspaces_t));
    }

    return rq->data;
}


/* GET /v1/workspaces: the caller's own, in the order of their ids. */


ngx_int_t
ngx_rooms_workspaces_load(ngx_rooms_req_t *rq)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    rooms_str_t              from;
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
                                     "is no cursor of this list");
        }

        from = rc == NGX_OK ? ngx_rooms_join(rq->pool, ngx_rooms_s("("),
                                             l->after)
                            : ngx_rooms_s("-");

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_command(rq->batch, ngx_rooms_s("ZRANGEBYLEX"),
                           ngx_rooms_key(&rq->keys,
                                         NGX_ROOMS_KEY_USER_WORKSPACES,
                                         rq->principal.sub),
                           from, ngx_rooms_s("+"), ngx_rooms_s("LIMIT"),
                           ngx_rooms_s("0"),
                           ngx_rooms_number(rq->pool, l->limit + 1))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        rq->round = 1;
        return ngx_rooms_send(rq);

    case 1:
        l->ids = ngx_rooms_reply(rq, 0);
        l->more = (int64_t) l->ids->elements > l->limit;
        l->n = l->more ? (ngx_uint_t) l->limit : l->ids->elements;

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

        rq->round = 2;
        return ngx_rooms_send(rq);

    default:
        return NGX_OK;
    }
}


ngx_int_t
ngx_rooms_workspaces_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t               i, shown;
    rooms_str_t              last;
    ngx_rooms_workspace_t    w;
    ngx_rooms_workspaces_t  *l;

    l = rq->data;
    last = ROOMS_NULL;
    shown = 0;

    ngx_rooms_list_open(rq);

    for (i = 0; i < l->n; i++) {
        last = ngx_rooms_reply_str(l->ids->element[i]);

        if (ngx_rooms_workspace_parse(ngx_rooms_reply(rq, 2 * i),
                                      ngx_rooms_reply(rq, 2 * i + 1), last,
                                      &w) != NGX_OK
            || w.role == ROOMS_ROLE_NONE)
        {
            continue;
        }

        if (shown++) {
            rooms_json_lit(ngx_rooms_out(&rq->out, 1), ",");
        }

        ngx_rooms_workspace_json(rq, &w);
    }

    ngx_rooms_list_close(rq, l->more, l->more
                         ? ngx_rooms_cursor(rq->pool, 'w', last)
                         : ROOMS_NULL);

    return NGX_OK;
}


/* POST /v1/workspaces */


ngx_int_t
ngx_rooms_workspace_create_decide(ngx_rooms_req_t *rq)
{
    u_char                  *text;
    rooms_str_t              key;
    const char              *problem;
    ngx_rooms_workspace_t   *w;
    ngx_rooms_workspaces_t  *l;

    l = ngx_rooms_workspaces_ctx(rq);
    if (l == NULL) {
        return NGX_ERROR;
    }

    w = &l->one;
    w->name = ngx_rooms_body_str(rq, "name");

    text = ngx_pnalloc(rq->pool, ROOMS_NAME_SIZE);
    if (text == NULL) {
        return NGX_ERROR;
    }

    problem = rooms_name_make(&w->name, text);

    if (problem) {
        return ngx_rooms_invalid(rq, "name", problem);
    }

    w->id = ngx_rooms_id(rq, "ws-");
    w->kind = ngx_rooms_s("shared");
    w->owner = rq->principal.sub;
    w->created_at = rq->now;
    w->role = ROOMS_ROLE_OWNER;

    if (w->id.data == NULL || ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_WORKSPACE, w->id);

    ngx_rooms_commit_write(&rq->commit, "HSET", key, ngx_rooms_s("name"),
                           w->name, ngx_rooms_s("kind"), w->kind,
                           ngx_rooms_s("owner"), w->owner,
                           ngx_rooms_s("created_at"),
                           ngx_rooms_number(rq->pool, w->created_at));
    ngx_rooms_commit_write(&rq->commit, "HSET",
                           ngx_rooms_key(&rq->keys,
                                         NGX_ROOMS_KEY_WORKSPACE_MEMBERS,
                                         w->id),
                           w->owner, ngx_rooms_s("owner"));
    ngx_rooms_commit_write(&rq->commit, "ZADD",
                           ngx_rooms_key(&rq->keys,
                                         NGX_ROOMS_KEY_USER_WORKSPACES,
                                         w->owner),
                           ngx_rooms_s("0"), w->id);

    rq->status = NGX_HTTP_CREATED;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_workspace_create_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_workspaces_t  *l;

    l = rq->data;

    rooms_json_lit(ngx_rooms_out(&rq->out, 16), "{\"data\":");
    ngx_rooms_workspace_json(rq, &l->one);
    rooms_json_lit(ngx_rooms_out(&rq->out, 4), "}\n");

    return NGX_OK;
}
