/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /_scaiwave/federation/v1/rooms/{room_id}/backfill: the past of a room
 * of ours, newest first, for a server of which somebody has joined it.
 *
 *   room -> (whose event is "before") -> stored events -> their names -> ...
 *                                            ^                            |
 *                                            +----- until it is full -----+
 */

#include "ngx_rooms_federation_room.h"
#include "ngx_rooms_pager.h"
#include "ngx_rooms_pdu.h"


#define NGX_ROOMS_HISTORY         50
#define NGX_ROOMS_HISTORY_MAX    100
#define NGX_ROOMS_HISTORY_SIZE   (512 * 1024)
#define NGX_ROOMS_HISTORY_CHUNK  16        /* stored events, read together */
#define NGX_ROOMS_HISTORY_LOOK   (4 * 1024 * 1024)

typedef struct {
    ngx_rooms_peer_room_t  pr;
    int64_t                limit;
    rooms_str_t            before;         /* a position; NULL: the newest */
    rooms_str_t            event;          /* "before" as an event's name */

    ngx_rooms_pdu_t       *pdu;
    ngx_rooms_pager_t      pager;
    size_t                 looked;         /* bytes of stored events */

    rooms_str_t            texts[NGX_ROOMS_HISTORY_MAX];
    size_t                 size;
    int64_t                n;
    unsigned               more:1;
} ngx_rooms_history_out_t;

typedef enum {
    NGX_ROOMS_X_NAMED = NGX_ROOMS_W_MAX,
    NGX_ROOMS_X_STORED,
    NGX_ROOMS_X_NAMES
} ngx_rooms_history_round_e;


static ngx_int_t ngx_rooms_history_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_history_name(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_history_named(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_history_ask(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_history_ask_stored(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_history_stored(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_history_take(ngx_rooms_req_t *rq);


ngx_int_t
ngx_rooms_history_load(ngx_rooms_req_t *rq)
{
    ngx_int_t                 rc;
    ngx_rooms_history_out_t  *h;

    if (rq->round == NGX_ROOMS_W_BEGIN
        && ngx_rooms_history_begin(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    h = rq->data;

    switch (rq->round) {

    case NGX_ROOMS_X_NAMED:
        return ngx_rooms_history_named(rq);

    case NGX_ROOMS_X_STORED:
        return ngx_rooms_history_stored(rq);

    case NGX_ROOMS_X_NAMES:
        return ngx_rooms_history_take(rq);

    default:
        rc = ngx_rooms_peer_room(rq, &h->pr);

        if (rc != NGX_OK) {
            return rc;
        }

        /* who is merely invited reads nothing */

        if (!h->pr.joined) {
            return NGX_OK;
        }

        return h->event.data ? ngx_rooms_history_name(rq)
                             : ngx_rooms_history_ask(rq);
    }
}


/* A cursor of ours has no colon, and an event's name has one. */
static ngx_int_t
ngx_rooms_history_begin(ngx_rooms_req_t *rq)
{
    size_t                    i;
    ngx_int_t                 rc;
    rooms_str_t               s;
    ngx_rooms_history_out_t  *h;

    h = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_history_out_t));
    if (h == NULL) {
        return NGX_ERROR;
    }

    rq->data = h;

    if (ngx_rooms_arg_int(rq, "limit", 1, NGX_ROOMS_HISTORY_MAX,
                          NGX_ROOMS_HISTORY, &h->limit) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_rooms_arg(rq, "before", &s);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
    }

    if (ngx_strlchr((u_char *) s.data, (u_char *) s.data + s.len, ':')) {
        h->event = s;
        return NGX_OK;
    }

    if (ngx_rooms_arg_cursor(rq, "before", 'h', &h->before) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < h->before.len; i++) {

        if (h->before.data[i] < '0' || h->before.data[i] > '9'
            || h->before.len > 16)
        {
            return ngx_rooms_invalid(rq, "before",
                                     "is no cursor of this list");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_history_name(ngx_rooms_req_t *rq)
{
    u_char                   *colon;
    int64_t                   position;
    rooms_str_t               id, server;
    ngx_rooms_history_out_t  *h;

    h = rq->data;
    id = h->event;

    colon = ngx_strlchr((u_char *) id.data, (u_char *) id.data + id.len, ':');

    id.len = colon - id.data;
    server.data = colon + 1;
    server.len = h->event.len - id.len - 1;

    if (!rooms_peer_valid(server)) {
        return ngx_rooms_invalid(rq, "before", "is no event's name");
    }

    if (rooms_str_eq(server, rooms_from_ngx(rq->conf->server_name))) {

        position = rooms_event_position(id);

        if (position <= 0) {
            return ngx_rooms_fail(rq, ROOMS_E_EVENT, NULL);
        }

        h->before = ngx_rooms_number(rq->pool, position);

        return ngx_rooms_history_ask(rq);
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_UUIDS,
                                           h->pr.room.id),
                             ngx_rooms_join(rq->pool, ngx_rooms_s(" "),
                                            server, ngx_rooms_s(" "), id))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_X_NAMED;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_history_named(ngx_rooms_req_t *rq)
{
    rooms_str_t               id;
    ngx_rooms_history_out_t  *h;

    h = rq->data;
    id = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));

    if (id.data == NULL || !rooms_id_valid(id, "evt-")) {
        return ngx_rooms_fail(rq, ROOMS_E_EVENT, NULL);
    }

    h->before = ngx_rooms_number(rq->pool, rooms_event_position(id));

    return ngx_rooms_history_ask(rq);
}


/* Some events at a time, each time a page of its own. */
static ngx_int_t
ngx_rooms_history_ask(ngx_rooms_req_t *rq)
{
    ngx_rooms_history_out_t  *h;

    h = rq->data;

    if (h->pager.page.elts == NULL) {

        if (ngx_rooms_pager_init(&h->pager, rq->pool,
                                 rq->r->connection->log, &rq->keys,
                                 &h->pr.room, NGX_ROOMS_HISTORY_CHUNK)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        h->pager.back = 1;
        h->pager.from = h->before.data
                        ? ngx_atoof((u_char *) h->before.data, h->before.len)
                        : INT64_MAX;

    } else if (ngx_rooms_pager_next(&h->pager, rq->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_history_ask_stored(rq);
}


static ngx_int_t
ngx_rooms_history_ask_stored(ngx_rooms_req_t *rq)
{
    ngx_rooms_history_out_t  *h;

    h = rq->data;

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_pager_ask(&h->pager, rq->batch) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_X_STORED;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_history_stored(ngx_rooms_req_t *rq)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, n;
    rooms_str_t               stored[NGX_ROOMS_HISTORY_CHUNK];
    ngx_rooms_paged_t        *e;
    ngx_rooms_history_out_t  *h;

    h = rq->data;
    rc = ngx_rooms_pager_take(&h->pager, ngx_rooms_reply(rq, 0));

    if (rc != NGX_OK) {
        return rc == NGX_AGAIN ? ngx_rooms_history_ask_stored(rq) : rc;
    }

    n = h->pager.page.nelts;
    e = h->pager.page.elts;

    if (n == 0) {
        return NGX_OK;
    }

    if (h->n == h->limit || h->looked >= NGX_ROOMS_HISTORY_LOOK) {
        h->more = 1;
        return NGX_OK;
    }

    for (i = 0; i < n; i++) {
        stored[i] = e[i].stored.json;
        h->looked += stored[i].len;
    }

    h->pdu = ngx_rooms_pdu_create(rq->pool, rq->r->connection->log, rq->conf,
                                  &rq->keys, &h->pr.room, 0);

    if (h->pdu == NULL || ngx_rooms_batch(rq) == NULL
        || ngx_rooms_pdu_ask(h->pdu, rq->batch, stored, n) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_X_NAMES;

    return ngx_rooms_send(rq);
}


/* One that can't be told is passed over; the cursor goes past it. */
static ngx_int_t
ngx_rooms_history_take(ngx_rooms_req_t *rq)
{
    ngx_uint_t                i;
    rooms_str_t               text;
    ngx_rooms_paged_t        *e;
    ngx_rooms_history_out_t  *h;

    h = rq->data;

    if (ngx_rooms_pdu_take(h->pdu, rq->batch) != NGX_OK) {
        return NGX_ERROR;
    }

    e = h->pager.page.elts;

    for (i = 0; i < h->pdu->n; i++) {
        text = h->pdu->texts[i];

        if (text.data && (h->n == h->limit
                          || h->size + text.len > NGX_ROOMS_HISTORY_SIZE))
        {
            h->more = 1;
            return NGX_OK;
        }

        h->before = ngx_rooms_number(rq->pool, e[i].stored.position);

        if (text.data) {
            h->texts[h->n++] = text;
            h->size += text.len + 1;
        }
    }

    return h->pager.more ? ngx_rooms_history_ask(rq) : NGX_OK;
}


ngx_int_t
ngx_rooms_history_show(ngx_rooms_req_t *rq)
{
    int64_t                   i;
    ngx_rooms_history_out_t  *h;

    h = rq->data;

    ngx_rooms_list_open(rq);

    for (i = 0; i < h->n; i++) {

        if (i) {
            rooms_json_lit(ngx_rooms_out(&rq->out, 1), ",");
        }

        ngx_rooms_out_ref(&rq->out, h->texts[i]);
    }

    ngx_rooms_list_close(rq, h->more, h->more
                         ? ngx_rooms_cursor(rq->pool, 'h', h->before)
                         : ROOMS_NULL);

    return NGX_OK;
}
