/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /v1/directory/rooms and GET /v1/rooms/archived: what is asked for, and
 * the answer.
 */

#include "ngx_rooms_directory.h"


static ngx_rooms_walk_t *
ngx_rooms_walk_create(ngx_rooms_req_t *rq)
{
    ngx_int_t          rc;
    ngx_rooms_walk_t  *w;

    w = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_walk_t));
    if (w == NULL) {
        return NULL;
    }

    w->type = -1;
    w->membership = -1;

    if (ngx_rooms_arg_int(rq, "limit", 1, 200, 50, &w->limit) != NGX_OK) {
        return NULL;
    }

    rc = ngx_rooms_arg_cursor(rq, "cursor", 'r', &w->after);

    if (rc == NGX_ERROR) {
        return NULL;
    }

    if (rc == NGX_OK && !rooms_id_valid(w->after, "room-")) {
        (void) ngx_rooms_invalid(rq, "cursor", "is no cursor of this list");
        return NULL;
    }

    w->views = ngx_palloc(rq->pool,
                          w->limit * sizeof(ngx_rooms_view_t));
    w->dms = ngx_palloc(rq->pool, w->limit * sizeof(ngx_uint_t));

    if (w->views == NULL || w->dms == NULL) {
        return NULL;
    }

    rq->data = w;

    return w;
}


static ngx_int_t
ngx_rooms_walk_filters(ngx_rooms_req_t *rq, ngx_rooms_walk_t *w)
{
    size_t        i;
    u_char       *p;
    rooms_str_t   s;

    if (ngx_rooms_arg_int(rq, "offset", 0, 10000, 0, &w->offset) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_rooms_arg(rq, "room_type", &s) == NGX_OK) {
        w->type = rooms_type_parse(s);

        if (w->type < 0) {
            return ngx_rooms_invalid(rq, "room_type", "is no type of room");
        }
    }

    if (ngx_rooms_arg(rq, "membership", &s) == NGX_OK) {
        w->membership = rooms_membership_parse(s);

        if (w->membership != ROOMS_JOIN && w->membership != ROOMS_INVITE) {
            return ngx_rooms_invalid(rq, "membership",
                                     "must be \"join\" or \"invite\"");
        }

        w->public = 0;
    }

    if (ngx_rooms_arg(rq, "workspace_id", &s) == NGX_OK) {
        w->workspace = s;
    }

    if (ngx_rooms_arg(rq, "q", &s) == NGX_OK && s.len) {

        if (rooms_utf8_length(s) > 128) {
            return ngx_rooms_invalid(rq, "q",
                                     "must be at most 128 characters");
        }

        p = (u_char *) s.data;

        for (i = 0; i < s.len; i++) {
            p[i] = ngx_tolower(p[i]);
        }

        w->q = s;
    }

    return rq->error == ROOMS_OK ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_rooms_directory_load(ngx_rooms_req_t *rq)
{
    ngx_rooms_walk_t  *w;

    if (rq->round == NGX_ROOMS_W_BEGIN) {
        w = ngx_rooms_walk_create(rq);
        if (w == NULL) {
            return NGX_ERROR;
        }

        w->state = ROOMS_OPEN;
        w->public = 1;

        if (ngx_rooms_walk_filters(rq, w) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_rooms_walk(rq);
}


ngx_int_t
ngx_rooms_archived_load(ngx_rooms_req_t *rq)
{
    ngx_rooms_walk_t  *w;

    if (rq->round == NGX_ROOMS_W_BEGIN) {
        w = ngx_rooms_walk_create(rq);
        if (w == NULL) {
            return NGX_ERROR;
        }

        w->state = ROOMS_ARCHIVED;
    }

    return ngx_rooms_walk(rq);
}


ngx_int_t
ngx_rooms_directory_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t         i;
    rooms_buf_t       *b;
    ngx_rooms_walk_t  *w;

    w = rq->data;

    ngx_rooms_list_open(rq);

    for (i = 0; i < w->nviews; i++) {
        b = ngx_rooms_out(&rq->out, 1 + ngx_rooms_view_size(&w->views[i],
                                                 &rq->conf->server_name));
        if (i) {
            rooms_json_lit(b, ",");
        }

        ngx_rooms_view_json(b, &w->views[i], &rq->conf->server_name, rq->now);
    }

    ngx_rooms_list_close(rq, w->more, w->more
                         ? ngx_rooms_cursor(rq->pool, 'r', w->shown)
                         : ROOMS_NULL);

    return NGX_OK;
}
