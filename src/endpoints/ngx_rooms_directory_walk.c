/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Walks down one or two sorted sets of room ids, which are in the order of
 * creation, and keeps what passes the filters.  The cursor is the id of the
 * last room shown.
 */

#include "ngx_rooms_directory.h"


#define NGX_ROOMS_WALK_MAX   20000        /* in one request */


static ngx_int_t ngx_rooms_walk_ids(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_walk_rooms(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_walk_search(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_walk_take(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_walk_names(ngx_rooms_req_t *rq);


ngx_int_t
ngx_rooms_walk(ngx_rooms_req_t *rq)
{
    switch (rq->round) {

    case NGX_ROOMS_W_BEGIN:
        return ngx_rooms_walk_ids(rq);

    case NGX_ROOMS_W_IDS:
        return ngx_rooms_walk_rooms(rq);

    case NGX_ROOMS_W_ROOMS:
        return ngx_rooms_walk_search(rq);

    case NGX_ROOMS_W_SEARCH:
        return ngx_rooms_walk_take(rq);

    default:
        return ngx_rooms_walk_names(rq);
    }
}


static ngx_int_t
ngx_rooms_walk_ids(ngx_rooms_req_t *rq)
{
    rooms_str_t         from, count;
    ngx_rooms_walk_t   *w;
    ngx_rooms_batch_t  *b;

    w = rq->data;

    from = w->after.data ? ngx_rooms_join(rq->pool, ngx_rooms_s("("),
                                          w->after)
                         : ngx_rooms_s("+");
    count = ngx_rooms_number(rq->pool, NGX_ROOMS_WALK_PAGE);

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_command(b, ngx_rooms_s("ZREVRANGEBYLEX"),
                             ngx_rooms_key(&rq->keys,
                                           NGX_ROOMS_KEY_USER_ROOMS,
                                           rq->principal.sub),
                             from, ngx_rooms_s("-"), ngx_rooms_s("LIMIT"),
                             ngx_rooms_s("0"), count);

    if (w->public) {
        (void) ngx_rooms_command(b, ngx_rooms_s("ZREVRANGEBYLEX"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PUBLIC,
                                           ROOMS_NULL),
                             from, ngx_rooms_s("-"), ngx_rooms_s("LIMIT"),
                             ngx_rooms_s("0"), count);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_W_IDS;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_str_compare(rooms_str_t a, rooms_str_t b)
{
    ngx_int_t  rc;

    rc = ngx_memcmp(a.data, b.data, ngx_min(a.len, b.len));

    return rc ? rc : (ngx_int_t) a.len - (ngx_int_t) b.len;
}


/*
 * Merges the two lists, newest first, each room once.  Where one list was cut
 * off at the page's size, nothing below its last id is certain, so the merged
 * page ends there.
 */
static void
ngx_rooms_walk_merge(ngx_rooms_walk_t *w, redisReply *a, redisReply *b)
{
    size_t       i, j;
    ngx_int_t    rc;
    rooms_str_t  x, y;

    w->nids = 0;
    i = 0;
    j = 0;

    w->end = a->elements < NGX_ROOMS_WALK_PAGE
             && (b == NULL || b->elements < NGX_ROOMS_WALK_PAGE);

    while (w->nids < NGX_ROOMS_WALK_PAGE) {

        x = ngx_rooms_reply_str(ngx_rooms_reply_element(a, i));
        y = ngx_rooms_reply_str(ngx_rooms_reply_element(b, j));

        if ((x.data == NULL && a->elements == NGX_ROOMS_WALK_PAGE)
            || (y.data == NULL && b && b->elements == NGX_ROOMS_WALK_PAGE))
        {
            return;
        }

        if (x.data == NULL && y.data == NULL) {
            return;
        }

        rc = x.data == NULL ? -1
             : y.data == NULL ? 1 : ngx_rooms_str_compare(x, y);

        w->ids[w->nids++] = rc >= 0 ? x : y;
        i += rc >= 0;
        j += rc <= 0;
    }

    w->end = w->end && i >= a->elements && (b == NULL || j >= b->elements);
}


static ngx_int_t
ngx_rooms_walk_rooms(ngx_rooms_req_t *rq)
{
    ngx_uint_t          i;
    redisReply         *public;
    ngx_rooms_walk_t   *w;
    ngx_rooms_batch_t  *b;

    w = rq->data;

    public = w->public ? ngx_rooms_reply(rq, 1) : NULL;
    ngx_rooms_walk_merge(w, ngx_rooms_reply(rq, 0), public);

    if (w->nids == 0) {
        return ngx_rooms_walk_names(rq);
    }

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < w->nids; i++) {
        if (ngx_rooms_view_load(b, &rq->keys, w->ids[i], rq->principal.sub)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    w->rooms = b;
    rq->round = NGX_ROOMS_W_ROOMS;

    return ngx_rooms_send(rq);
}


/* ASCII case is ignored; other letters are compared as they are. */
static ngx_uint_t
ngx_rooms_walk_contains(rooms_str_t text, rooms_str_t q)
{
    size_t  i, j;

    for (i = 0; i + q.len <= text.len; i++) {

        for (j = 0; j < q.len
                    && ngx_tolower(text.data[i + j]) == q.data[j]; j++)
        {
            /* void */
        }

        if (j == q.len) {
            return 1;
        }
    }

    return 0;
}


/* All filters but the search. */
static ngx_uint_t
ngx_rooms_walk_passes(ngx_rooms_walk_t *w, const ngx_rooms_view_t *v)
{
    if (!v->exists || v->room.state != w->state
        || !rooms_sees(&v->room, &v->me, 0))
    {
        return 0;
    }

    return (w->type < 0 || (ngx_int_t) v->room.type == w->type)
           && (w->membership < 0
               || (ngx_int_t) v->me.membership == w->membership)
           && (w->workspace.data == NULL
               || rooms_str_eq(v->room.workspace, w->workspace));
}


static ngx_uint_t
ngx_rooms_walk_matches(ngx_rooms_walk_t *w, const ngx_rooms_view_t *v)
{
    return w->q.data == NULL
           || ngx_rooms_walk_contains(v->name, w->q)
           || ngx_rooms_walk_contains(v->room.topic, w->q)
           || ngx_rooms_walk_contains(v->room.alias, w->q);
}


static ngx_int_t
ngx_rooms_walk_view(ngx_rooms_req_t *rq, ngx_uint_t i, ngx_rooms_view_t *view)
{
    ngx_rooms_walk_t  *w;

    w = rq->data;

    if (ngx_rooms_view_parse(w->rooms, i * NGX_ROOMS_VIEW_COMMANDS, w->ids[i],
                             rq->principal.sub, view)
        != NGX_OK)
    {
        /* one broken room must not hide all others */
        ngx_log_error(NGX_LOG_ERR, rq->r->connection->log, 0,
                      "rooms: the store holds no valid room in \"%*s\"",
                      w->ids[i].len, w->ids[i].data);
        return NGX_DECLINED;
    }

    return ngx_rooms_walk_passes(w, view) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_rooms_walk_name(ngx_rooms_req_t *rq, const ngx_rooms_view_t *v)
{
    return ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                     ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PARTICIPANTS,
                                   ROOMS_NULL),
                     ngx_rooms_view_other(v, rq->principal.sub));
}


static ngx_int_t
ngx_rooms_walk_take_name(ngx_rooms_req_t *rq, ngx_uint_t i,
    ngx_rooms_view_t *v)
{
    ngx_rooms_profile_t  profile;

    if (ngx_rooms_parse_profile(rq->pool,
                                ngx_rooms_reply_str(ngx_rooms_reply(rq, i)),
                                ngx_rooms_view_other(v, rq->principal.sub),
                                &profile) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    v->name = profile.name;

    return NGX_OK;
}


/* A DM is found by the name that its viewer reads. */
static ngx_int_t
ngx_rooms_walk_search(ngx_rooms_req_t *rq)
{
    ngx_uint_t         i;
    ngx_rooms_walk_t  *w;
    ngx_rooms_view_t   view;

    w = rq->data;

    if (w->q.data == NULL) {
        return ngx_rooms_walk_take(rq);
    }

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < w->nids; i++) {

        if (ngx_rooms_walk_view(rq, i, &view) == NGX_OK
            && view.room.type == ROOMS_DM
            && ngx_rooms_walk_name(rq, &view) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (rq->batch->commands.nelts == 0) {
        return ngx_rooms_walk_take(rq);
    }

    rq->round = NGX_ROOMS_W_SEARCH;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_walk_take(ngx_rooms_req_t *rq)
{
    ngx_uint_t         i, dms;
    ngx_rooms_walk_t  *w;
    ngx_rooms_view_t   view;

    w = rq->data;
    dms = 0;

    for (i = 0; i < w->nids; i++) {

        if (ngx_rooms_walk_view(rq, i, &view) != NGX_OK) {
            continue;
        }

        if (view.room.type == ROOMS_DM && w->q.data
            && ngx_rooms_walk_take_name(rq, dms++, &view) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (!ngx_rooms_walk_matches(w, &view)) {
            continue;
        }

        if (w->offset > 0) {
            w->offset--;
            continue;
        }

        if ((int64_t) w->nviews == w->limit) {
            w->more = 1;
            return ngx_rooms_walk_names(rq);
        }

        if (view.room.type == ROOMS_DM && w->q.data == NULL) {
            w->dms[w->ndms++] = w->nviews;
        }

        w->views[w->nviews++] = view;
        w->shown = w->ids[i];
    }

    w->looked += w->nids;
    w->after = w->ids[w->nids - 1];

    if (w->end) {
        return ngx_rooms_walk_names(rq);
    }

    if (w->looked >= NGX_ROOMS_WALK_MAX) {
        /* far enough for one request: the cursor goes on from here */
        w->more = 1;
        w->shown = w->after;
        return ngx_rooms_walk_names(rq);
    }

    return ngx_rooms_walk_ids(rq);
}


/* DMs are called after their other side. */
static ngx_int_t
ngx_rooms_walk_names(ngx_rooms_req_t *rq)
{
    ngx_uint_t         i;
    ngx_rooms_walk_t  *w;

    w = rq->data;

    if (w->ndms == 0) {
        return NGX_OK;
    }

    if (rq->round != NGX_ROOMS_W_NAMES) {

        if (ngx_rooms_batch(rq) == NULL) {
            return NGX_ERROR;
        }

        for (i = 0; i < w->ndms; i++) {
            if (ngx_rooms_walk_name(rq, &w->views[w->dms[i]]) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        rq->round = NGX_ROOMS_W_NAMES;

        return ngx_rooms_send(rq);
    }

    for (i = 0; i < w->ndms; i++) {
        if (ngx_rooms_walk_take_name(rq, i, &w->views[w->dms[i]]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
