/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A page of the sync: the first events of many rooms, in one order.
 *
 * To merge rooms one would read as much of each as the page might need, and
 * throw nearly all of it away.  Instead the end of the page is searched for,
 * by counting: a position behind which lie at least as many events as the
 * page holds, and not twice as many.  Then just these are read.  When there
 * are no more than that at all, which is the rule, nothing is searched.
 */

#include "ngx_rooms_sync.h"


#define NGX_ROOMS_SYNC_TRIES  64


static ngx_int_t ngx_rooms_sync_count(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_sync_fetch(ngx_rooms_req_t *rq, int64_t at);


ngx_int_t
ngx_rooms_sync_choose(ngx_rooms_req_t *rq)
{
    ngx_rooms_sync_t  *s;
    ngx_rooms_look_t  *look;

    s = rq->data;
    look = s->look;

    look->low = s->from;
    look->below = look->total;

    if (look->total <= 2 * s->limit) {
        return ngx_rooms_sync_fetch(rq, look->high);
    }

    return ngx_rooms_sync_count(rq);
}


/* How many events lie up to a position between the two bounds? */
static ngx_int_t
ngx_rooms_sync_count(ngx_rooms_req_t *rq)
{
    int64_t             width;
    ngx_uint_t          i;
    rooms_str_t         after, at;
    ngx_rooms_sync_t   *s;
    ngx_rooms_keys_t    keys;
    ngx_rooms_look_t   *look;
    ngx_rooms_batch_t  *b;

    s = rq->data;
    look = s->look;
    width = look->high - look->low;

    if (width <= 1 || look->tries++ == NGX_ROOMS_SYNC_TRIES) {
        return ngx_rooms_sync_fetch(rq, look->high);
    }

    /* by proportion and by halves in turn: the one is fast, the other sure */

    if (look->tries % 2 && look->below > 3 * s->limit) {
        width = width * ((double) s->limit * 3 / 2 / look->below);
        look->at = look->low + ngx_max(width, 1);

    } else {
        look->at = look->low + width / 2;
    }

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    keys = rq->keys;
    keys.pool = b->pool;
    at = ngx_rooms_number(b->pool, look->at);
    after = ngx_rooms_join(b->pool, ngx_rooms_s("("),
                           ngx_rooms_number(b->pool, s->from));

    /* a batch is never empty */
    (void) ngx_rooms_command(b, ngx_rooms_s("PING"));

    for (i = 0; i < look->nrooms; i++) {

        if (look->rooms[i].count) {
            (void) ngx_rooms_command(b, ngx_rooms_s("ZCOUNT"),
                                     ngx_rooms_key(&keys,
                                                   NGX_ROOMS_KEY_EVENTS,
                                                   look->rooms[i].id),
                                     after, at);
        }
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_S_BOUND;

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_sync_bound(ngx_rooms_req_t *rq)
{
    int64_t            n;
    ngx_uint_t         i;
    ngx_rooms_sync_t  *s;
    ngx_rooms_look_t  *look;

    s = rq->data;
    look = s->look;

    for (n = 0, i = 1; i < rq->batch->commands.nelts; i++) {
        n += ngx_rooms_reply_int(ngx_rooms_reply(rq, i), 0);
    }

    for (i = 0; i < look->nown; i++) {
        n += look->own[i].position <= look->at;
    }

    if (n > 2 * s->limit) {
        look->high = look->at;
        look->below = n;

    } else if (n < s->limit) {
        look->low = look->at;

    } else {
        return ngx_rooms_sync_fetch(rq, look->at);
    }

    return ngx_rooms_sync_count(rq);
}


/* The caller's row is read behind the events: who was removed by then, gets
 * none of them. */
static ngx_int_t
ngx_rooms_sync_fetch(ngx_rooms_req_t *rq, int64_t position)
{
    ngx_uint_t             i;
    rooms_str_t            after, at, own;
    ngx_rooms_sync_t      *s;
    ngx_rooms_keys_t       keys;
    ngx_rooms_look_t      *look;
    ngx_rooms_batch_t     *b;
    ngx_rooms_sync_own_t  *o;

    s = rq->data;
    look = s->look;
    look->at = position;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    keys = rq->keys;
    keys.pool = b->pool;
    at = ngx_rooms_number(b->pool, position);
    after = ngx_rooms_join(b->pool, ngx_rooms_s("("),
                           ngx_rooms_number(b->pool, s->from));

    for (i = 0; i < look->nrooms; i++) {

        if (look->rooms[i].count == 0) {
            continue;
        }

        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"),
                                 ngx_rooms_key(&keys, NGX_ROOMS_KEY_EVENTS,
                                               look->rooms[i].id),
                                 after, at);
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&keys, NGX_ROOMS_KEY_MEMBERS,
                                               look->rooms[i].id),
                                 rq->principal.sub);
    }

    for (i = 0; i < look->nown; i++) {
        o = &look->own[i];

        if (o->marker) {
            (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&keys,
                                               NGX_ROOMS_KEY_USER_MARKERS,
                                               rq->principal.sub),
                                 o->room);
            continue;
        }

        own = ngx_rooms_number(b->pool, o->position);
        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"),
                                 ngx_rooms_key(&keys, NGX_ROOMS_KEY_EVENTS,
                                               o->room),
                                 own, own);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_S_EVENTS;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_sync_push(ngx_rooms_req_t *rq, ngx_array_t *a, redisReply *reply)
{
    rooms_str_t              json;
    ngx_rooms_sync_event_t  *e;

    json = ngx_rooms_reply_str(reply);

    if (json.data == NULL) {
        return NGX_OK;
    }

    if (!rooms_json_valid(json)) {
        ngx_log_error(NGX_LOG_ERR, rq->r->connection->log, 0,
                      "rooms: the store holds an event that is no JSON");
        return NGX_ERROR;
    }

    e = ngx_array_push(a);
    if (e == NULL) {
        return NGX_ERROR;
    }

    e->json = json;
    e->position = rooms_json_member_int(json, "stream_position", 0);

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_sync_room(ngx_rooms_req_t *rq, ngx_array_t *a, redisReply *events,
    redisReply *row)
{
    size_t          i;
    rooms_member_t  m;

    if (ngx_rooms_parse_member(ngx_rooms_reply_str(row), rq->principal.sub,
                               &m) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; m.membership == ROOMS_JOIN && i < events->elements; i++) {

        if (ngx_rooms_sync_push(rq, a, events->element[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_rooms_sync_order(const void *one, const void *two)
{
    const ngx_rooms_sync_event_t *a = one;
    const ngx_rooms_sync_event_t *b = two;

    return (a->position > b->position) - (a->position < b->position);
}


/*
 * Sorts, and leaves each once: what was an event of a room when it was
 * counted, and news of one's own when those were read, is here twice.  A read
 * marker that has moved meanwhile stands behind the end.
 */
static ngx_uint_t
ngx_rooms_sync_merge(ngx_array_t *a, int64_t from, int64_t at)
{
    ngx_uint_t               i, n;
    ngx_rooms_sync_event_t  *e;

    e = a->elts;

    qsort(e, a->nelts, sizeof(ngx_rooms_sync_event_t), ngx_rooms_sync_order);

    for (i = 0, n = 0; i < a->nelts; i++) {

        if (e[i].position > from && e[i].position <= at
            && (n == 0 || e[n - 1].position != e[i].position))
        {
            e[n++] = e[i];
        }
    }

    return n;
}


ngx_int_t
ngx_rooms_sync_events(ngx_rooms_req_t *rq)
{
    ngx_uint_t         i, n;
    ngx_int_t          rc;
    redisReply        *reply;
    ngx_array_t        a;
    ngx_rooms_sync_t  *s;
    ngx_rooms_look_t  *look;

    s = rq->data;
    look = s->look;

    if (ngx_array_init(&a, rq->batch->pool, 64,
                       sizeof(ngx_rooms_sync_event_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0, n = 0; i < look->nrooms; i++) {

        if (look->rooms[i].count == 0) {
            continue;
        }

        if (ngx_rooms_sync_room(rq, &a, ngx_rooms_reply(rq, n),
                                ngx_rooms_reply(rq, n + 1)) != NGX_OK)
        {
            return NGX_ERROR;
        }

        n += 2;
    }

    for (i = 0; i < look->nown; i++) {
        reply = ngx_rooms_reply(rq, n++);

        rc = ngx_rooms_sync_push(rq, &a, look->own[i].marker
                                 ? reply : ngx_rooms_reply_element(reply, 0));

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    s->events = a.elts;
    s->nevents = ngx_rooms_sync_merge(&a, s->from, look->at);

    if (s->nevents == 0) {
        s->from = look->at;
        return NGX_DECLINED;
    }

    s->cursor = look->at;

    if (s->nevents > (ngx_uint_t) s->limit) {
        s->nevents = s->limit;
        s->cursor = s->events[s->nevents - 1].position;
    }

    s->more = (int64_t) s->nevents < look->total;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_sync_hint(ngx_rooms_req_t *rq)
{
    ngx_array_t        a;
    ngx_rooms_sync_t  *s;

    s = rq->data;

    if (ngx_array_init(&a, rq->batch->pool, 4,
                       sizeof(ngx_rooms_sync_event_t)) != NGX_OK
        || ngx_rooms_sync_room(rq, &a, ngx_rooms_reply(rq, 0),
                               ngx_rooms_reply(rq, 1)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (a.nelts == 0) {
        return NGX_DECLINED;
    }

    s->events = a.elts;
    s->nevents = a.nelts;
    s->cursor = s->events[s->nevents - 1].position;

    return NGX_OK;
}
