/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /v1/rooms/{room}/messages: a page of events, as the store has them.
 *
 *   the room -> events -> ...
 *                 ^        |
 *                 +--------+  until the page is full
 */

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_pager.h"


#define NGX_ROOMS_POSITION_DIGITS  16


typedef struct {
    int64_t             limit;
    int64_t             from;            /* position */
    ngx_rooms_pager_t   pager;
    unsigned            forward:1;
} ngx_rooms_messages_t;

typedef enum {
    NGX_ROOMS_H_BEGIN = 0,
    NGX_ROOMS_H_ROOM,
    NGX_ROOMS_H_PAGE
} ngx_rooms_messages_round_e;


static ngx_int_t ngx_rooms_messages_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_messages_args(ngx_rooms_req_t *rq,
    ngx_rooms_messages_t *h);
static ngx_int_t ngx_rooms_messages_room(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_messages_ask(ngx_rooms_req_t *rq);


ngx_int_t
ngx_rooms_messages_load(ngx_rooms_req_t *rq)
{
    ngx_int_t              rc;
    ngx_rooms_messages_t  *h;

    switch (rq->round) {

    case NGX_ROOMS_H_BEGIN:
        return ngx_rooms_messages_begin(rq);

    case NGX_ROOMS_H_ROOM:
        return ngx_rooms_messages_room(rq);

    default:
        h = rq->data;
        rc = ngx_rooms_pager_take(&h->pager, ngx_rooms_reply(rq, 0));

        return rc == NGX_AGAIN ? ngx_rooms_messages_ask(rq) : rc;
    }
}


static ngx_int_t
ngx_rooms_messages_begin(ngx_rooms_req_t *rq)
{
    rooms_str_t            room;
    ngx_rooms_messages_t  *h;

    h = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_messages_t));
    if (h == NULL) {
        return NGX_ERROR;
    }

    rq->data = h;
    room = rq->param[NGX_ROOMS_P_ROOM];

    if (ngx_rooms_messages_args(rq, h) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!rooms_id_valid(room, "room-")) {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_view_load(rq->batch, &rq->keys, room, rq->principal.sub)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_H_ROOM;

    return ngx_rooms_send(rq);
}


/* "from" is a position: that of an event, or one where there is none. */
static ngx_int_t
ngx_rooms_messages_args(ngx_rooms_req_t *rq, ngx_rooms_messages_t *h)
{
    off_t        from;
    ngx_int_t    rc;
    rooms_str_t  s;

    if (ngx_rooms_arg_int(rq, "limit", 1, 200, 50, &h->limit) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_rooms_arg(rq, "direction", &s);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {

        if (rooms_str_eq(s, ngx_rooms_s("forward"))) {
            h->forward = 1;

        } else if (!rooms_str_eq(s, ngx_rooms_s("back"))) {
            return ngx_rooms_invalid(rq, "direction",
                                     "must be \"back\" or \"forward\"");
        }
    }

    h->from = h->forward ? 0 : INT64_MAX;

    rc = ngx_rooms_arg(rq, "from", &s);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED || s.len == 0) {
        return NGX_OK;
    }

    from = s.len <= NGX_ROOMS_POSITION_DIGITS
           ? ngx_atoof((u_char *) s.data, s.len) : NGX_ERROR;

    if (from == NGX_ERROR) {
        return ngx_rooms_invalid(rq, "from",
                                 "must be a stream position in digits");
    }

    h->from = from;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_messages_room(ngx_rooms_req_t *rq)
{
    ngx_rooms_messages_t  *h;

    h = rq->data;

    if (ngx_rooms_view_parse(rq->batch, 0, rq->param[NGX_ROOMS_P_ROOM],
                             rq->principal.sub, &rq->view) != NGX_OK
        || ngx_rooms_room_permit(rq) != NGX_OK
        || ngx_rooms_pager_init(&h->pager, rq->pool,
                                rq->r->connection->log, &rq->keys,
                                &rq->view.room, h->limit) != NGX_OK)
    {
        return NGX_ERROR;
    }

    h->pager.from = h->from;
    h->pager.back = !h->forward;

    return ngx_rooms_messages_ask(rq);
}


static ngx_int_t
ngx_rooms_messages_ask(ngx_rooms_req_t *rq)
{
    ngx_rooms_messages_t  *h;

    h = rq->data;

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_pager_ask(&h->pager, rq->batch) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_H_PAGE;

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_messages_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t             i, cursor;
    ngx_rooms_paged_t     *e;
    ngx_rooms_pager_t     *p;
    ngx_rooms_messages_t  *h;

    h = rq->data;
    p = &h->pager;
    e = p->page.elts;

    ngx_rooms_list_open(rq);

    for (i = 0; i < p->page.nelts; i++) {

        if (i) {
            rooms_json_lit(ngx_rooms_out(&rq->out, 1), ",");
        }

        ngx_rooms_out_ref(&rq->out, e[i].stored.json);
    }

    /* forward it goes on from the last page, too: there will be more */

    cursor = p->more || h->forward;

    ngx_rooms_list_close(rq, p->more,
                         cursor ? ngx_rooms_number(rq->pool, p->from)
                                : ROOMS_NULL);

    return NGX_OK;
}


/* One event: its id tells where it stands. */


ngx_int_t
ngx_rooms_event_load(ngx_rooms_req_t *rq)
{
    int64_t          position;
    rooms_str_t      room, id, at, json;
    rooms_stored_t  *e;

    room = rq->param[NGX_ROOMS_P_ROOM];
    id = rq->param[NGX_ROOMS_P_EVENT];
    position = rooms_event_position(id);

    if (rq->round == 0) {

        if (!rooms_id_valid(room, "room-")) {
            return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
        }

        at = ngx_rooms_number(rq->pool, position > 0 ? position : 0);

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_view_load(rq->batch, &rq->keys, room,
                                   rq->principal.sub) != NGX_OK
            || ngx_rooms_command(rq->batch, ngx_rooms_s("ZRANGEBYSCORE"),
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_EVENTS, room),
                                 at, at) != NGX_OK)
        {
            return NGX_ERROR;
        }

        rq->round = 1;

        return ngx_rooms_send(rq);
    }

    e = ngx_palloc(rq->pool, sizeof(rooms_stored_t));

    if (e == NULL
        || ngx_rooms_view_parse(rq->batch, 0, room, rq->principal.sub,
                                &rq->view) != NGX_OK
        || ngx_rooms_room_permit(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    json = ngx_rooms_reply_str(ngx_rooms_reply_element(
                          ngx_rooms_reply(rq, NGX_ROOMS_VIEW_COMMANDS), 0));

    if (json.data == NULL || position <= 0) {
        return ngx_rooms_fail(rq, ROOMS_E_EVENT, NULL);
    }

    if (ngx_rooms_parse_event(rq->pool, rq->r->connection->log, json, room,
                              position, e) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* one that has lost its id is known by its place alone */

    if (e->id.data ? !rooms_str_eq(e->id, id) : e->readable) {
        return ngx_rooms_fail(rq, ROOMS_E_EVENT, NULL);
    }

    rq->data = e;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_event_show(ngx_rooms_req_t *rq)
{
    rooms_stored_t  *e;

    e = rq->data;

    rooms_json_lit(ngx_rooms_out(&rq->out, 16), "{\"data\":");
    ngx_rooms_out_ref(&rq->out, e->json);
    rooms_json_lit(ngx_rooms_out(&rq->out, 4), "}\n");

    return NGX_OK;
}
