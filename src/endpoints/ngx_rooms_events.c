/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /v1/rooms/{room}/messages: a page of events, in their stored form.
 *
 *   the room -> events -> ...
 *                 ^        |
 *                 +--------+  until the page is full
 */

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_pager.h"


#define NGX_ROOMS_POSITION_DIGITS  16
#define NGX_ROOMS_EMOJIS           2000     /* for all messages of a page */


/* One emoji of a message: its count, and whether the caller gave it. */
typedef struct {
    rooms_str_t         event;
    rooms_str_t         emoji;
    int64_t             count;
    unsigned            me:1;
} ngx_rooms_reaction_t;


typedef struct {
    int64_t             limit;
    int64_t             from;            /* stream position */
    ngx_rooms_pager_t   pager;
    unsigned            forward:1;
    unsigned            one:1;           /* a request for one event */

    ngx_rooms_reaction_t  *reactions;    /* in the order of the page */
    ngx_uint_t          nreactions;
} ngx_rooms_messages_t;

typedef enum {
    NGX_ROOMS_H_BEGIN = 0,
    NGX_ROOMS_H_ROOM,
    NGX_ROOMS_H_PAGE,
    NGX_ROOMS_H_EMOJIS,
    NGX_ROOMS_H_COUNTS
} ngx_rooms_messages_round_e;


static ngx_int_t ngx_rooms_messages_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_messages_args(ngx_rooms_req_t *rq,
    ngx_rooms_messages_t *h);
static ngx_int_t ngx_rooms_messages_room(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_messages_ask(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_messages_emojis(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_messages_counts(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_messages_counted(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_event_room(ngx_rooms_req_t *rq);


ngx_int_t
ngx_rooms_messages_load(ngx_rooms_req_t *rq)
{
    ngx_int_t              rc;
    ngx_rooms_messages_t  *h;

    switch (rq->round) {

    case NGX_ROOMS_H_BEGIN:
        return ngx_rooms_messages_begin(rq);

    case NGX_ROOMS_H_ROOM:
        h = rq->data;
        return h->one ? ngx_rooms_event_room(rq)
                      : ngx_rooms_messages_room(rq);

    case NGX_ROOMS_H_PAGE:
        h = rq->data;
        rc = ngx_rooms_pager_take(&h->pager, ngx_rooms_reply(rq, 0));

        if (rc != NGX_OK) {
            return rc == NGX_AGAIN ? ngx_rooms_messages_ask(rq) : rc;
        }

        return ngx_rooms_messages_emojis(rq);

    case NGX_ROOMS_H_EMOJIS:
        return ngx_rooms_messages_counts(rq);

    default:
        return ngx_rooms_messages_counted(rq);
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

    return ngx_rooms_send_round(rq, NGX_ROOMS_H_ROOM);
}


/* "from" is a position.  There needn't be an event at it. */
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

    return ngx_rooms_send_round(rq, NGX_ROOMS_H_PAGE);
}


/*
 * Only original messages have reactions: edits are messages too, but nobody
 * reacts to them.
 */
static ngx_uint_t
ngx_rooms_messages_answered(const ngx_rooms_paged_t *e)
{
    return e->stored.message && !e->stored.edit;
}


/*
 * Ids sort by position, so the emojis of a page's messages are one range of
 * the room's set.
 */
static ngx_int_t
ngx_rooms_messages_emojis(ngx_rooms_req_t *rq)
{
    ngx_uint_t             i;
    rooms_str_t            first, last;
    ngx_rooms_paged_t     *e;
    ngx_rooms_messages_t  *h;

    h = rq->data;
    e = h->pager.page.elts;
    first = ROOMS_NULL;
    last = ROOMS_NULL;

    for (i = 0; i < h->pager.page.nelts; i++) {

        if (ngx_rooms_messages_answered(&e[i])) {
            last = e[i].stored.id;
            first = first.data ? first : last;
        }
    }

    if (first.data == NULL) {
        return NGX_OK;
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_ask(rq->batch, &rq->keys, h->pager.back
                         ? "ZREVRANGEBYLEX %k (%s! [%s%_ LIMIT 0 %d"
                         : "ZRANGEBYLEX %k [%s%_ (%s! LIMIT 0 %d",
                         NGX_ROOMS_KEY_TALLY, rq->view.room.id, first, last,
                         (int64_t) NGX_ROOMS_EMOJIS + 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_H_EMOJIS);
}


/*
 * The page ends where the emojis that were read end.  The rest is on the next
 * page.
 */
static void
ngx_rooms_messages_cut(ngx_rooms_messages_t *h, ngx_uint_t n)
{
    ngx_rooms_paged_t  *e;

    if (n == 0 || n >= h->pager.page.nelts) {
        return;
    }

    e = h->pager.page.elts;

    h->pager.page.nelts = n;
    h->pager.from = e[n - 1].stored.position;
    h->pager.more = 1;
}


static ngx_int_t
ngx_rooms_messages_counts(ngx_rooms_req_t *rq)
{
    u_char                *space;
    ngx_uint_t             i, n;
    redisReply            *rows;
    rooms_str_t            row, *emojis, *mine;
    ngx_rooms_paged_t     *e;
    ngx_rooms_messages_t  *h;
    ngx_rooms_reaction_t  *r;

    h = rq->data;
    rows = ngx_rooms_reply(rq, 0);

    if (rows->elements == 0) {
        return NGX_OK;
    }

    h->reactions = ngx_pcalloc(rq->pool, rows->elements
                                         * sizeof(ngx_rooms_reaction_t));
    emojis = ngx_palloc(rq->pool, 2 * rows->elements * sizeof(rooms_str_t));

    if (h->reactions == NULL || emojis == NULL || ngx_rooms_batch(rq) == NULL)
    {
        return NGX_ERROR;
    }

    mine = emojis + rows->elements;

    for (i = 0, n = 0; i < rows->elements; i++) {
        row = ngx_rooms_reply_str(rows->element[i]);
        space = ngx_strlchr((u_char *) row.data, (u_char *) row.data + row.len,
                            ' ');

        if (space == NULL || rooms_utf8_length(row) < 0) {
            continue;
        }

        r = &h->reactions[n];
        r->event = (rooms_str_t) { space - row.data, row.data };
        r->emoji = (rooms_str_t) { row.data + row.len - space - 1, space + 1 };

        emojis[n] = row;
        mine[n++] = ngx_rooms_join(rq->pool, r->event, ngx_rooms_s(" "),
                                   rq->principal.sub, ngx_rooms_s(" "),
                                   r->emoji);
    }

    if (rows->elements > NGX_ROOMS_EMOJIS && n) {
        /* the last message may have more emojis than were read */

        e = h->pager.page.elts;

        for (i = 0; i < h->pager.page.nelts; i++) {

            if (rooms_str_eq(e[i].stored.id, h->reactions[n - 1].event)) {
                ngx_rooms_messages_cut(h, i);
                break;
            }
        }
    }

    h->nreactions = n;

    if (n == 0) {
        return NGX_OK;
    }

    if (ngx_rooms_ask_many(rq->batch, &rq->keys, "HMGET",
                           NGX_ROOMS_KEY_COUNTS, rq->view.room.id, emojis, n)
           != NGX_OK
        || ngx_rooms_ask_many(rq->batch, &rq->keys, "ZMSCORE",
                              NGX_ROOMS_KEY_REACTIONS, rq->view.room.id, mine,
                              n)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_H_COUNTS);
}


/* Reactions count towards the size of the page, so they may end it earlier. */
static ngx_int_t
ngx_rooms_messages_counted(ngx_rooms_req_t *rq)
{
    size_t                 size;
    ngx_uint_t             i, k;
    redisReply            *counts, *mine;
    ngx_rooms_paged_t     *e;
    ngx_rooms_messages_t  *h;
    ngx_rooms_reaction_t  *r;

    h = rq->data;
    r = h->reactions;
    counts = ngx_rooms_reply(rq, 0);
    mine = ngx_rooms_reply(rq, 1);

    for (i = 0; i < h->nreactions; i++) {
        r[i].count = ngx_rooms_reply_down(ngx_rooms_reply_element(counts, i));
        r[i].me = ngx_rooms_reply_str_at(mine, i).data
                  != NULL;
    }

    e = h->pager.page.elts;

    for (i = 0, k = 0, size = 0; i < h->pager.page.nelts; i++) {
        size += e[i].stored.json.len;

        for ( /* void */ ; k < h->nreactions
                           && rooms_str_eq(r[k].event, e[i].stored.id); k++)
        {
            size += r[k].emoji.len + sizeof("{emoji:,count:12345,me:false},");
        }

        if (size > h->pager.bytes) {
            ngx_rooms_messages_cut(h, i);
            break;
        }
    }

    return NGX_OK;
}


/* The event, with "reactions" appended as its last member. */
static ngx_int_t
ngx_rooms_messages_put(ngx_rooms_req_t *rq, ngx_rooms_paged_t *e,
    ngx_uint_t *k)
{
    ngx_uint_t             i, n;
    rooms_buf_t           *b;
    rooms_str_t            json;
    const char            *comma;
    ngx_rooms_json_t       text;
    ngx_rooms_messages_t  *h;
    ngx_rooms_reaction_t  *one, *r;

    h = rq->data;
    r = h->reactions;
    json = e->stored.json;

    if (!ngx_rooms_messages_answered(e)) {
        ngx_rooms_out_event(&rq->out, json);
        return NGX_OK;
    }

    for (i = *k; i < h->nreactions && rooms_str_eq(r[i].event, e->stored.id);
         i++)
    {
        /* void */
    }

    /* an imported event is rewritten, and so has to be in one piece */

    b = e->stored.authored ? ngx_rooms_json(&text, rq->pool)
                           : ngx_rooms_out(&rq->out);

    rooms_json_raw(b, json.data, json.len - 1);
    rooms_json_lit(b, ",\"reactions\":[");

    for (comma = "", n = 0; n < i - *k; n++) {

        /* sorted by emoji, whichever way they were read */
        one = h->pager.back ? &r[i - 1 - n] : &r[*k + n];

        if (one->count <= 0) {
            continue;
        }

        rooms_json_raw(b, comma, ngx_strlen(comma));
        rooms_json_put(b, "{\"emoji\":%s,\"count\":%d,\"me\":", one->emoji,
                       (int64_t) one->count);
        rooms_json_bool(b, one->me);
        rooms_json_lit(b, "}");

        comma = ",";
    }

    *k = i;

    rooms_json_lit(b, "]}");

    if (!e->stored.authored) {
        return NGX_OK;
    }

    json = ngx_rooms_json_end(&text);
    if (json.data == NULL) {
        return NGX_ERROR;
    }

    ngx_rooms_out_event(&rq->out, json);

    return NGX_OK;
}


ngx_int_t
ngx_rooms_messages_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t             i, k, cursor;
    ngx_rooms_paged_t     *e;
    ngx_rooms_pager_t     *p;
    ngx_rooms_messages_t  *h;

    h = rq->data;
    p = &h->pager;
    e = p->page.elts;

    ngx_rooms_list_open(rq);

    for (i = 0, k = 0; i < p->page.nelts; i++) {

        rooms_json_raw(ngx_rooms_out(&rq->out), ",", i > 0);

        if (ngx_rooms_messages_put(rq, &e[i], &k) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    /* forward, the last page has a cursor too: newer events will follow */

    cursor = p->more || h->forward;

    ngx_rooms_list_close(rq, p->more,
                         cursor ? ngx_rooms_number(rq->pool, p->from)
                                : ROOMS_NULL);

    return NGX_OK;
}


/* One event, as a page of one: its id contains its position. */


ngx_int_t
ngx_rooms_event_load(ngx_rooms_req_t *rq)
{
    int64_t                position;
    rooms_str_t            room, at;
    ngx_rooms_messages_t  *h;

    if (rq->round != NGX_ROOMS_H_BEGIN) {
        return ngx_rooms_messages_load(rq);
    }

    h = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_messages_t));
    if (h == NULL) {
        return NGX_ERROR;
    }

    rq->data = h;
    h->one = 1;

    room = rq->param[NGX_ROOMS_P_ROOM];

    if (!rooms_id_valid(room, "room-")) {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    position = rooms_event_position(rq->param[NGX_ROOMS_P_EVENT]);
    at = ngx_rooms_number(rq->pool, position > 0 ? position : 0);

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_view_load(rq->batch, &rq->keys, room, rq->principal.sub)
           != NGX_OK
        || ngx_rooms_ask(rq->batch, &rq->keys, "ZRANGEBYSCORE %k %s %s",
                         NGX_ROOMS_KEY_EVENTS, room, at, at) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_H_ROOM);
}


static ngx_int_t
ngx_rooms_event_room(ngx_rooms_req_t *rq)
{
    int64_t                position;
    rooms_str_t            room, id, row;
    ngx_rooms_paged_t     *e;
    ngx_rooms_messages_t  *h;

    h = rq->data;
    room = rq->param[NGX_ROOMS_P_ROOM];
    id = rq->param[NGX_ROOMS_P_EVENT];
    position = rooms_event_position(id);

    if (ngx_rooms_view_parse(rq->batch, 0, room, rq->principal.sub, &rq->view)
        != NGX_OK
        || ngx_rooms_room_permit(rq) != NGX_OK
        || ngx_rooms_pager_init(&h->pager, rq->pool, rq->r->connection->log,
                                &rq->keys, &rq->view.room, 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    row = ngx_rooms_reply_str_at(ngx_rooms_reply(rq, NGX_ROOMS_VIEW_COMMANDS),
                                 0);

    if (row.data == NULL || position <= 0) {
        return ngx_rooms_fail(rq, ROOMS_E_EVENT, NULL);
    }

    e = ngx_array_push(&h->pager.page);

    if (e == NULL
        || ngx_rooms_parse_event(rq->pool, rq->r->connection->log, row, room,
                                 position, &e->stored) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* a damaged event has no id; its position identifies it */

    if (e->stored.id.data && !rooms_str_eq(e->stored.id, id)) {
        return ngx_rooms_fail(rq, ROOMS_E_EVENT, NULL);
    }

    return ngx_rooms_messages_emojis(rq);
}


ngx_int_t
ngx_rooms_event_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t             k;
    ngx_rooms_messages_t  *h;

    h = rq->data;
    k = 0;

    rooms_json_lit(ngx_rooms_out(&rq->out), "{\"data\":");

    if (ngx_rooms_messages_put(rq, h->pager.page.elts, &k) != NGX_OK) {
        return NGX_ERROR;
    }

    rooms_json_lit(ngx_rooms_out(&rq->out), "}\n");

    return NGX_OK;
}
