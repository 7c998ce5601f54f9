/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /v1/sync: what is new to the caller behind a position, in the order of
 * positions, over all rooms; if nothing is, the request waits for it.
 *
 * Why no event is skipped.  A position is given and its event is written by
 * one script, and the store runs one script at a time: once the counter reads
 * P, all events up to P can be read and no other will ever come to stand
 * among them.  So the counter is read first, and the page never goes beyond
 * it.  The list of rooms is read after the counter: a join that it shows too
 * early brings events that the caller may see, and a leave only such as he
 * may no longer see.
 *
 * Why no news is slept through.  Once the list of rooms is known, the request
 * listens for these rooms and for its participant, and only then counts what
 * is new.  What was committed before is counted, what is committed later is
 * heard of.  A room that was joined before the request listened, but after
 * the list was read, shows in the participant's own news, which are read
 * with the counts.  All this holds while the channel is subscribed; whenever
 * it comes to be, everything is looked at again.
 */

#include "ngx_rooms_sync.h"


#define NGX_ROOMS_SYNC_WAIT      30000       /* ms */
#define NGX_ROOMS_SYNC_WAIT_MAX  60000
#define NGX_ROOMS_SYNC_LOOKS        64       /* without a pause */


static ngx_int_t ngx_rooms_sync_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_sync_rooms(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_sync_counts(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_sync_idle(ngx_rooms_req_t *rq);


ngx_int_t
ngx_rooms_sync_load(ngx_rooms_req_t *rq)
{
    ngx_int_t          rc;
    ngx_rooms_sync_t  *s;

    switch (rq->round) {

    case NGX_ROOMS_S_BEGIN:
        return ngx_rooms_sync_begin(rq);

    case NGX_ROOMS_S_ROOMS:
        return ngx_rooms_sync_rooms(rq);

    case NGX_ROOMS_S_COUNTS:
        rc = ngx_rooms_sync_counts(rq);
        break;

    case NGX_ROOMS_S_BOUND:
        rc = ngx_rooms_sync_bound(rq);
        break;

    case NGX_ROOMS_S_EVENTS:
        rc = ngx_rooms_sync_events(rq);
        break;

    case NGX_ROOMS_S_HINT:
        rc = ngx_rooms_sync_hint(rq);
        break;

    default:
        return ngx_rooms_sync_woken(rq);
    }

    if (rc != NGX_DECLINED) {
        return rc;
    }

    /* what there was lies behind the counter, or is gone */

    s = rq->data;

    if (++s->looks < NGX_ROOMS_SYNC_LOOKS) {
        return ngx_rooms_sync_look(rq);
    }

    s->cursor = s->from;
    s->more = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_sync_begin(ngx_rooms_req_t *rq)
{
    int64_t              wait;
    ngx_rooms_sync_t    *s;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(rq->pool, sizeof(ngx_rooms_sync_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    s = cln->data;
    ngx_memzero(s, sizeof(ngx_rooms_sync_t));
    cln->handler = ngx_rooms_sync_cleanup;

    rq->data = s;
    s->rq = rq;

    s->listener.handler = ngx_rooms_sync_news;
    s->listener.data = s;
    s->timer.handler = ngx_rooms_sync_timeout;
    s->timer.data = s;
    s->timer.log = rq->r->connection->log;

    if (ngx_rooms_arg_int(rq, "since", 0, INT64_C(1) << 53, 0, &s->from)
        != NGX_OK
        || ngx_rooms_arg_int(rq, "limit", 1, 500, 100, &s->limit) != NGX_OK
        || ngx_rooms_arg_int(rq, "timeout", 0, INT32_MAX,
                             NGX_ROOMS_SYNC_WAIT, &wait) != NGX_OK)
    {
        return NGX_ERROR;
    }

    s->waits = wait > 0;
    s->until = ngx_current_msec + ngx_min(wait, NGX_ROOMS_SYNC_WAIT_MAX);

    if (rq->r == rq->r->main) {
        /* a client that leaves is noticed at once */
        rq->r->read_event_handler = ngx_http_test_reading;
    }

    return ngx_rooms_sync_look(rq);
}


/* Everything anew. */
ngx_int_t
ngx_rooms_sync_look(ngx_rooms_req_t *rq)
{
    ngx_rooms_sync_t   *s;
    ngx_rooms_keys_t    keys;
    ngx_rooms_batch_t  *b;

    s = rq->data;

    s->again = 0;
    s->look = NULL;
    ngx_rooms_forget(rq);

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    s->look = ngx_pcalloc(b->pool, sizeof(ngx_rooms_look_t));
    if (s->look == NULL) {
        return NGX_ERROR;
    }

    keys = rq->keys;
    keys.pool = b->pool;

    (void) ngx_rooms_command(b, ngx_rooms_s("GET"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_POSITION,
                                           ROOMS_NULL));
    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGE"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_USER_ROOMS,
                                           rq->principal.sub),
                             ngx_rooms_s("0"), ngx_rooms_s("-1"));

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_S_ROOMS;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_sync_listen(ngx_rooms_req_t *rq)
{
    ngx_uint_t         i;
    rooms_str_t       *ids;
    ngx_rooms_sync_t  *s;
    ngx_rooms_keys_t   keys;

    s = rq->data;

    if (!s->waits || ngx_exiting) {
        return NGX_OK;
    }

    keys = rq->keys;
    keys.pool = rq->batch->pool;

    ids = ngx_palloc(keys.pool, s->look->nrooms * sizeof(rooms_str_t) + 1);
    if (ids == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < s->look->nrooms; i++) {
        ids[i] = s->look->rooms[i].id;
    }

    return ngx_rooms_listen(&rq->conf->store->pubsub, &s->listener,
                            ngx_rooms_key(&keys, NGX_ROOMS_KEY_CHANNEL,
                                          ROOMS_NULL),
                            rq->principal.sub, ids, s->look->nrooms);
}


static ngx_int_t
ngx_rooms_sync_rooms(ngx_rooms_req_t *rq)
{
    ngx_uint_t          i;
    rooms_str_t         after, id;
    ngx_rooms_sync_t   *s;
    ngx_rooms_keys_t    keys;
    ngx_rooms_look_t   *look;
    ngx_rooms_batch_t  *b;

    s = rq->data;
    look = s->look;

    look->last = ngx_rooms_reply_int(ngx_rooms_reply(rq, 0), 0);
    look->ids = ngx_rooms_reply(rq, 1);

    if (s->from > look->last) {
        return ngx_rooms_invalid(rq, "since", "is a position to come");
    }

    look->rooms = ngx_pcalloc(rq->batch->pool, look->ids->elements
                              * sizeof(ngx_rooms_sync_room_t) + 1);
    if (look->rooms == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < look->ids->elements; i++) {
        look->rooms[i].id = ngx_rooms_reply_str(look->ids->element[i]);
    }

    look->nrooms = look->ids->elements;

    if (ngx_rooms_sync_listen(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    keys = rq->keys;
    keys.pool = b->pool;
    after = ngx_rooms_join(b->pool, ngx_rooms_s("("),
                           ngx_rooms_number(b->pool, s->from));

    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_USER_NEWS,
                                           rq->principal.sub),
                             after, ngx_rooms_s("+inf"),
                             ngx_rooms_s("WITHSCORES"), ngx_rooms_s("LIMIT"),
                             ngx_rooms_s("0"),
                             ngx_rooms_number(b->pool, 2 * s->limit + 1));

    for (i = 0; i < look->nrooms; i++) {
        id = look->rooms[i].id;

        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_MEMBERS, id),
                             rq->principal.sub);
        (void) ngx_rooms_command(b, ngx_rooms_s("ZCOUNT"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_EVENTS, id),
                             after, ngx_rooms_s("+inf"));
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_S_COUNTS;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_sync_compare(rooms_str_t a, rooms_str_t b)
{
    ngx_int_t  rc;

    rc = ngx_memcmp(a.data, b.data, ngx_min(a.len, b.len));

    return rc ? rc : (ngx_int_t) a.len - (ngx_int_t) b.len;
}


/* Rooms stay in the order of their ids. */
static ngx_uint_t
ngx_rooms_sync_joined(ngx_rooms_look_t *look, rooms_str_t id)
{
    ngx_int_t   rc;
    ngx_uint_t  low, high, mid;

    low = 0;
    high = look->nrooms;

    while (low < high) {
        mid = low + (high - low) / 2;
        rc = ngx_rooms_sync_compare(look->rooms[mid].id, id);

        if (rc == 0) {
            return 1;
        }

        if (rc < 0) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return 0;
}


/* "m room" and "r room", with their positions. */
static ngx_int_t
ngx_rooms_sync_own(ngx_rooms_req_t *rq, redisReply *news)
{
    ngx_uint_t             i;
    rooms_str_t            word;
    ngx_rooms_sync_t      *s;
    ngx_rooms_look_t      *look;
    ngx_rooms_sync_own_t  *own;

    s = rq->data;
    look = s->look;

    look->own = ngx_pcalloc(rq->batch->pool, news->elements / 2
                            * sizeof(ngx_rooms_sync_own_t) + 1);
    if (look->own == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i + 1 < news->elements; i += 2) {
        word = ngx_rooms_reply_str(news->element[i]);

        if (word.len < 3) {
            continue;
        }

        own = &look->own[look->nown];
        own->marker = word.data[0] == 'r';
        own->room = (rooms_str_t) { word.len - 2, word.data + 2 };
        own->position = ngx_rooms_reply_int(news->element[i + 1], 0);

        /* what happened in a room that one is in, is among its events */

        if (own->marker || !ngx_rooms_sync_joined(look, own->room)) {
            look->nown++;
        }
    }

    look->high = look->last;

    if (news->elements / 2 > (size_t) (2 * s->limit)) {
        /* there are more of them, behind the last of these */
        look->high = ngx_min(look->high, ngx_rooms_reply_int(
                                    news->element[news->elements - 1], 0));
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_sync_counts(ngx_rooms_req_t *rq)
{
    ngx_uint_t         i, n;
    rooms_member_t     m;
    ngx_rooms_sync_t  *s;
    ngx_rooms_look_t  *look;

    s = rq->data;
    look = s->look;

    for (i = 0, n = 0; i < look->nrooms; i++) {

        if (ngx_rooms_parse_member(
                      ngx_rooms_reply_str(ngx_rooms_reply(rq, 1 + 2 * i)),
                      rq->principal.sub, &m) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (m.membership != ROOMS_JOIN) {
            continue;
        }

        look->rooms[n].id = look->rooms[i].id;
        look->rooms[n].count = ngx_rooms_reply_int(
                                       ngx_rooms_reply(rq, 2 + 2 * i), 0);
        look->total += look->rooms[n++].count;
    }

    i = look->nrooms;
    look->nrooms = n;

    if (n < i && ngx_rooms_sync_listen(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_rooms_sync_own(rq, ngx_rooms_reply(rq, 0)) != NGX_OK) {
        return NGX_ERROR;
    }

    look->total += look->nown;

    return look->total ? ngx_rooms_sync_choose(rq) : ngx_rooms_sync_idle(rq);
}


/* Nothing up to the counter that was read. */
static ngx_int_t
ngx_rooms_sync_idle(ngx_rooms_req_t *rq)
{
    ngx_rooms_sync_t  *s;

    s = rq->data;

    s->from = ngx_max(s->from, s->look->last);
    s->cursor = s->from;
    s->looks = 0;

    if (s->again && s->waits && !s->late && !ngx_exiting) {
        return ngx_rooms_sync_look(rq);
    }

    return ngx_rooms_sync_wait(rq);
}


ngx_int_t
ngx_rooms_sync_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t         i;
    rooms_buf_t       *b;
    ngx_rooms_sync_t  *s;

    s = rq->data;

    ngx_rooms_listen_stop(&s->listener);

    rooms_json_lit(ngx_rooms_out(&rq->out, 32), "{\"data\":{\"events\":[");

    for (i = 0; i < s->nevents; i++) {

        if (i) {
            rooms_json_lit(ngx_rooms_out(&rq->out, 1), ",");
        }

        ngx_rooms_out_ref(&rq->out, s->events[i].json);
    }

    b = ngx_rooms_out(&rq->out, 128);

    rooms_json_lit(b, "],\"next_cursor\":\"");
    rooms_json_int(b, s->cursor);
    rooms_json_lit(b, "\",\"has_more\":");
    rooms_json_bool(b, s->more);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
