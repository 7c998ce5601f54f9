/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The middle of a round.  Each item becomes its stored event, or a page of a
 * room's members.  Other servers know participants by names, which are looked
 * up.  One request carries as many events as fit.  Its answer decides about
 * each item.
 */

#include "ngx_rooms_outbox.h"


#define NGX_ROOMS_OUTBOX_SAID  200         /* bytes of a peer's message */


static ngx_int_t ngx_rooms_outbox_ask_repeat(ngx_rooms_outbox_t *o,
    redisReply *end);
static ngx_int_t ngx_rooms_outbox_ask_names(ngx_rooms_outbox_t *o);
static ngx_int_t ngx_rooms_outbox_send(ngx_rooms_outbox_t *o);
static void ngx_rooms_outbox_called(ngx_rooms_peer_call_t *call);
static ngx_int_t ngx_rooms_outbox_failed(ngx_rooms_outbox_t *o,
    rooms_str_t why);
static ngx_int_t ngx_rooms_outbox_judge(ngx_rooms_outbox_t *o,
    ngx_rooms_peer_call_t *call);


ngx_int_t
ngx_rooms_outbox_ask_events(ngx_rooms_outbox_t *o)
{
    ngx_uint_t                i;
    rooms_str_t               at;
    ngx_rooms_batch_t        *b;
    ngx_rooms_outbox_item_t  *item;

    b = ngx_rooms_round_batch(&o->store);
    if (b == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < o->nrooms; i++) {
        (void) ngx_rooms_load_room(b, &o->keys, o->rooms[i].id);
    }

    for (i = 0; i < o->nitems; i++) {
        item = &o->items[i];

        if (item->event.data && item->valid) {
            at = ngx_rooms_number(b->pool,
                                  rooms_event_position(item->event));

            (void) ngx_rooms_ask(b, &o->keys, "ZRANGEBYSCORE %k %s %s",
                                 NGX_ROOMS_KEY_EVENTS, o->rooms[item->room].id,
                                 at, at);

        } else if (item->repeats) {

            /* the snapshot that was queued with it tells where it ends */

            (void) ngx_rooms_ask(b, &o->keys, "ZSCORE %k s%_%s",
                                 NGX_ROOMS_KEY_OUTBOX, o->server,
                                 o->rooms[item->room].id);
        }
    }

    if (b->commands.nelts == 0) {
        return ngx_rooms_outbox_send(o);
    }

    return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_EVENTS, NGX_ROOMS_LANE_BULK);
}


/*
 * A server whose participants are only invited gets only their part of an
 * event, for example of an invite of many.
 */
static ngx_int_t
ngx_rooms_outbox_narrow(ngx_rooms_outbox_t *o, ngx_rooms_outbox_room_t *room,
    rooms_stored_t *e)
{
    size_t        size;
    u_char       *p;
    uint32_t      n;
    rooms_buf_t   b;

    n = rooms_peers_count(room->room.peers, o->server);

    if (n == 0 || rooms_peers_count(room->room.guests, o->server) < n) {
        return NGX_OK;
    }

    size = ROOMS_STORED_NARROW(e->json.len);

    p = ngx_pnalloc(o->round, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rooms_buf_init(&b, p, size);

    if (rooms_stored_narrow(&b, e, ROOMS_NULL, o->server)) {
        e->json = (rooms_str_t) { b.last - b.start, b.start };
    }

    return b.full ? NGX_ERROR : NGX_OK;
}


/* A redaction or a reaction may belong to the erasure of its sender. */
static ngx_int_t
ngx_rooms_outbox_eraser(ngx_rooms_outbox_t *o, ngx_rooms_outbox_item_t *item,
    const rooms_stored_t *e)
{
    rooms_str_t  server;

    if (!e->readable || rooms_foreign(e->sender, ROOMS_NULL, &server)
        || !(rooms_str_eq(e->type, ngx_rooms_s("redaction"))
             || rooms_str_eq(e->type, ngx_rooms_s("reaction"))))
    {
        return NGX_OK;
    }

    item->eraser = ngx_rooms_dup(o->round, e->sender);

    return item->eraser.data ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_rooms_outbox_events(ngx_rooms_outbox_t *o, ngx_rooms_batch_t *b)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, n;
    rooms_str_t               row;
    rooms_stored_t            e;
    ngx_rooms_outbox_item_t  *item;
    ngx_rooms_outbox_room_t  *room;

    for (i = 0; i < o->nrooms; i++) {
        room = &o->rooms[i];

        if (b->replies[i]->type == REDIS_REPLY_ERROR) {
            return NGX_ERROR;
        }

        rc = ngx_rooms_parse_room(b->replies[i], room->id, &room->room);

        if (rc == NGX_ERROR) {
            ngx_log_error(NGX_LOG_ERR, o->timer.log, 0,
                          "rooms: the store has invalid data for room \"%*s\"",
                          room->id.len, room->id.data);
        }

        room->exists = rc == NGX_OK;
        room->stored = ngx_palloc(o->round,
                                  (o->nitems + 1) * sizeof(rooms_str_t));
        if (room->stored == NULL) {
            return NGX_ERROR;
        }
    }

    for (n = o->nrooms, i = 0; i < o->nitems; i++) {
        item = &o->items[i];

        if (item->repeats) {
            return ngx_rooms_outbox_ask_repeat(o, b->replies[n]);
        }

        if (item->event.data == NULL || !item->valid) {
            continue;
        }

        room = &o->rooms[item->room];

        if (b->replies[n]->type == REDIS_REPLY_ERROR) {
            return NGX_ERROR;
        }

        row = ngx_rooms_reply_str_at(b->replies[n++], 0);

        /* the room was wiped, and its events with it */

        if (row.data == NULL || !room->exists) {
            continue;
        }

        if (ngx_rooms_parse_event(o->round, o->timer.log, row, room->id, 0, &e)
            != NGX_OK
            || ngx_rooms_outbox_narrow(o, room, &e) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_rooms_outbox_eraser(o, item, &e) != NGX_OK) {
            return NGX_ERROR;
        }

        item->there = 1;
        item->nth = room->n;
        room->stored[room->n++] = e.readable ? e.json : ROOMS_NULL;
    }

    return ngx_rooms_outbox_ask_names(o);
}


/* Repeats some of the events that were dropped; the item stands alone. */


static ngx_int_t
ngx_rooms_outbox_ask_events_page(ngx_rooms_outbox_t *o)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&o->store);

    if (b == NULL || ngx_rooms_pager_ask(&o->pager, b) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_REPEAT, NGX_ROOMS_LANE_BULK);
}


static ngx_int_t
ngx_rooms_outbox_ask_repeat(ngx_rooms_outbox_t *o, redisReply *end)
{
    uint32_t                  n;
    ngx_rooms_outbox_room_t  *room;

    o->repeat = o->items[0];
    o->next = 0;

    room = &o->rooms[o->repeat.room];
    n = rooms_peers_count(room->room.peers, o->server);

    /* who hasn't joined mayn't read the events */

    if (!room->exists
        || (room->room.origin.data == NULL
            && rooms_peers_count(room->room.guests, o->server) >= n))
    {
        return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_SENT);
    }

    if (ngx_rooms_pager_init(&o->pager, o->round, o->timer.log, &o->keys,
                             &room->room, NGX_ROOMS_OUTBOX_PAGE) != NGX_OK)
    {
        return NGX_ERROR;
    }

    o->pager.from = o->repeat.position - 1;
    o->pager.to = ngx_rooms_reply_int(end, room->room.position);

    return ngx_rooms_outbox_ask_events_page(o);
}


/*
 * A home is told all that was decided here, since it gets no snapshot.  A
 * replica is told what is about messages that it may have.
 */
static ngx_uint_t
ngx_rooms_outbox_repeats(ngx_rooms_outbox_t *o, const rooms_room_t *room,
    const rooms_stored_t *e)
{
    if (!e->readable || e->redacted_at != ROOMS_STORED_NEVER) {
        return 0;
    }

    if (room->origin.data) {
        return e->origin_server.data == NULL;
    }

    return !rooms_str_eq(e->origin_server, o->server)
           && (e->edit || rooms_str_eq(e->type, ngx_rooms_s("redaction"))
               || rooms_str_eq(e->type, ngx_rooms_s("reaction")));
}


ngx_int_t
ngx_rooms_outbox_repeat(ngx_rooms_outbox_t *o, ngx_rooms_batch_t *b)
{
    ngx_int_t                 rc;
    ngx_uint_t                i;
    ngx_rooms_paged_t        *e;
    ngx_rooms_outbox_item_t  *item;
    ngx_rooms_outbox_room_t  *room;

    rc = ngx_rooms_pager_take(&o->pager, b->replies[0]);

    if (rc == NGX_AGAIN) {
        return ngx_rooms_outbox_ask_events_page(o);
    }

    room = &o->rooms[o->repeat.room];
    room->stored = ngx_palloc(o->round, o->window * sizeof(rooms_str_t));

    o->nitems = 0;
    o->items = ngx_pcalloc(o->round,
                           o->window * sizeof(ngx_rooms_outbox_item_t));

    if (rc != NGX_OK || room->stored == NULL || o->items == NULL) {
        return NGX_ERROR;
    }

    e = o->pager.page.elts;

    for (i = 0; i < o->pager.page.nelts && o->nitems < o->window; i++) {
        o->next = e[i].stored.position + 1;

        if (!ngx_rooms_outbox_repeats(o, &room->room, &e[i].stored)) {
            continue;
        }

        item = &o->items[o->nitems++];
        item->position = e[i].stored.position;
        item->event = e[i].stored.id;
        item->room = o->repeat.room;
        item->nth = room->n;
        item->valid = 1;
        item->there = 1;

        if (ngx_rooms_outbox_eraser(o, item, &e[i].stored) != NGX_OK) {
            return NGX_ERROR;
        }

        room->stored[room->n++] = e[i].stored.json;
    }

    if (i == o->pager.page.nelts && !o->pager.more) {
        o->next = 0;
    }

    return o->nitems ? ngx_rooms_outbox_ask_names(o)
                     : ngx_rooms_outbox_finish(o, NGX_ROOMS_O_SENT);
}


static ngx_int_t
ngx_rooms_outbox_ask_page(ngx_rooms_outbox_t *o)
{
    ngx_uint_t          there;
    rooms_str_t         only;
    rooms_room_t       *room;
    ngx_rooms_batch_t  *b;

    room = &o->rooms[o->items[0].room].room;

    /* only the home knows the room's members */

    if (!o->rooms[o->items[0].room].exists || room->origin.data) {
        return ngx_rooms_outbox_send(o);
    }

    /* a server that has left learns that, and nothing about the room */

    there = rooms_peers_has(room->peers, o->server);

    /* an invited server's snapshot has only its own participants */

    only = rooms_peers_count(room->guests, o->server)
           < rooms_peers_count(room->peers, o->server)
           ? ROOMS_NULL : o->server;

    if (!there || !rooms_str_eq(o->paged, o->items[0].item)
        || !rooms_str_eq(o->snapshot.only, only))
    {
        ngx_memzero(&o->snapshot, sizeof(ngx_rooms_pdu_at_t));
    }

    o->snapshot.only = only;

    o->pdu = ngx_rooms_pdu_create(o->round, o->timer.log, o->link->conf,
                                  &o->keys, room, there);
    b = ngx_rooms_round_batch(&o->store);

    if (o->pdu == NULL || b == NULL
        || ngx_rooms_pdu_page(o->pdu, b, &o->snapshot) != NGX_OK)
    {
        return NGX_ERROR;
    }

    o->pdu->refused = o->items[0].refused;

    return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_PAGE, NGX_ROOMS_LANE_BULK);
}


ngx_int_t
ngx_rooms_outbox_page(ngx_rooms_outbox_t *o, ngx_rooms_batch_t *b)
{
    if (ngx_rooms_pdu_page_take(o->pdu, b) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!rooms_peers_has(o->rooms[o->items[0].room].room.peers, o->server)) {
        o->pdu->nids = 0;
        o->pdu->snapshot.after = ROOMS_NULL;
    }

    b = ngx_rooms_round_batch(&o->store);

    if (b == NULL || ngx_rooms_pdu_ask(o->pdu, b, NULL, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_NAMES, NGX_ROOMS_LANE_BULK);
}


static void
ngx_rooms_outbox_ask_erasers(ngx_rooms_outbox_t *o, ngx_rooms_batch_t *b)
{
    ngx_uint_t                i;
    ngx_rooms_outbox_item_t  *item;

    for (i = 0; i < o->nitems; i++) {
        item = &o->items[i];

        if (!item->there || item->eraser.data == NULL) {
            continue;
        }

        item->at_eraser = b->commands.nelts;

        (void) ngx_rooms_ask(b, &o->keys, "HEXISTS %k %s",
                             NGX_ROOMS_KEY_USER_OFFBOARD, item->eraser,
                             ngx_rooms_s(NGX_ROOMS_OFF_ERASE));
    }
}


static ngx_int_t
ngx_rooms_outbox_ask_names(ngx_rooms_outbox_t *o)
{
    ngx_uint_t                i;
    ngx_rooms_batch_t        *b;
    ngx_rooms_outbox_room_t  *room;

    if (o->nitems && o->items[0].valid && o->items[0].event.data == NULL) {
        return ngx_rooms_outbox_ask_page(o);
    }

    ngx_memzero(&o->snapshot, sizeof(ngx_rooms_pdu_at_t));

    b = ngx_rooms_round_batch(&o->store);
    if (b == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < o->nrooms; i++) {
        room = &o->rooms[i];

        if (room->n == 0) {
            continue;
        }

        room->pdu = ngx_rooms_pdu_create(o->round, o->timer.log,
                                         o->link->conf, &o->keys,
                                         &room->room, 1);

        if (room->pdu == NULL
            || ngx_rooms_pdu_ask(room->pdu, b, room->stored, room->n)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (b->commands.nelts == 0) {
        return ngx_rooms_outbox_send(o);
    }

    ngx_rooms_outbox_ask_erasers(o, b);

    return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_NAMES, NGX_ROOMS_LANE_BULK);
}


ngx_int_t
ngx_rooms_outbox_names(ngx_rooms_outbox_t *o, ngx_rooms_batch_t *b)
{
    ngx_uint_t  i;

    for (i = 0; i < b->commands.nelts; i++) {
        if (b->replies[i]->type == REDIS_REPLY_ERROR) {
            return NGX_ERROR;
        }
    }

    if (o->pdu) {
        if (ngx_rooms_pdu_snapshot(o->pdu, b, o->items[0].position)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        o->texts = o->pdu->texts;
        o->ntexts = o->pdu->n;

        return ngx_rooms_outbox_send(o);
    }

    for (i = 0; i < o->nitems; i++) {

        if (o->items[i].eraser.data
            && ngx_rooms_reply_int(b->replies[o->items[i].at_eraser], 0) == 0)
        {
            o->items[i].eraser = ROOMS_NULL;
        }
    }

    for (i = 0; i < o->nrooms; i++) {

        if (o->rooms[i].pdu
            && ngx_rooms_pdu_take(o->rooms[i].pdu, b) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_rooms_outbox_send(o);
}


/* Chooses the texts of the next request: in o->texts, from o->judged on. */
static ngx_int_t
ngx_rooms_outbox_fill(ngx_rooms_outbox_t *o)
{
    size_t                    size;
    ngx_uint_t                i;
    rooms_str_t               text;
    ngx_rooms_outbox_item_t  *item;

    if (o->pdu) {
        size = 0;

        for (i = o->judged; i < o->ntexts; i++) {
            size += o->texts[i].len + 1;

            if (i > o->judged && size > NGX_ROOMS_OUTBOX_BODY) {
                break;
            }
        }

        o->sent = i - o->judged;
        o->done = o->ntexts == 0
                  || (i == o->ntexts && o->pdu->snapshot.after.data == NULL);

        return NGX_OK;
    }

    o->texts = ngx_palloc(o->round, (o->nitems + 1) * sizeof(rooms_str_t));
    o->positions = ngx_palloc(o->round, (o->nitems + 1) * sizeof(int64_t));
    o->erasers = ngx_palloc(o->round, (o->nitems + 1) * sizeof(rooms_str_t));

    if (o->texts == NULL || o->positions == NULL || o->erasers == NULL) {
        return NGX_ERROR;
    }

    o->sent = 0;

    for (size = 0, i = 0; i < o->nitems; i++) {
        item = &o->items[i];

        if (!item->there) {
            continue;
        }

        text = o->rooms[item->room].pdu->texts[item->nth];

        if (text.data == NULL) {
            continue;
        }

        size += text.len + 1;

        if (o->sent && size > NGX_ROOMS_OUTBOX_BODY) {
            break;
        }

        o->positions[o->sent] = item->position;
        o->erasers[o->sent] = item->eraser;
        o->texts[o->sent++] = text;
    }

    o->done = i;
    o->ntexts = o->sent;

    if (o->repeat.item.data) {
        o->done = 0;
        o->next = i < o->nitems ? o->items[i].position : o->next;
    }

    /* don't read again what doesn't fit into a request */

    o->window = i < o->nitems ? i : ngx_min(2 * o->window,
                                            NGX_ROOMS_OUTBOX_ITEMS);

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_outbox_body(ngx_rooms_outbox_t *o, ngx_str_t *body)
{
    size_t       size;
    u_char      *p;
    ngx_uint_t   i;

    size = sizeof("{\"events\":[]}") - 1;

    for (i = 0; i < o->sent; i++) {
        size += o->texts[o->judged + i].len + 1;
    }

    p = ngx_pnalloc(o->round, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    p = ngx_cpymem(p, "{\"events\":[", sizeof("{\"events\":[") - 1);

    for (i = 0; i < o->sent; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, o->texts[o->judged + i].data,
                       o->texts[o->judged + i].len);
    }

    *p++ = ']';
    *p++ = '}';

    body->len = p - body->data;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_outbox_send(ngx_rooms_outbox_t *o)
{
    ngx_str_t               body;
    ngx_rooms_peer_call_t  *call;

    static ngx_str_t  uri = ngx_string("/_scaiwave/federation/v1/send");

    if (o->pdu == NULL && o->nitems == 1 && o->items[0].valid
        && o->items[0].event.data == NULL)
    {
        /* a snapshot of a room whose home is elsewhere */
        o->nitems = o->done = 1;
        return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_SENT);
    }

    if (ngx_rooms_outbox_fill(o) != NGX_OK) {
        return NGX_ERROR;
    }

    if (o->sent == 0) {
        return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_SENT);
    }

    if (ngx_rooms_outbox_body(o, &body) != NGX_OK) {
        return NGX_ERROR;
    }

    call = ngx_rooms_peer_call(o->link->ctx, o->link->conf, o->server, &uri,
                               ngx_rooms_outbox_called, o);

    if (call == NULL
        || ngx_rooms_peer_call_signed(call, &body, NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    o->call = call;
    o->state = NGX_ROOMS_O_CALL;

    o->called = ngx_current_msec;
    ngx_add_timer(&o->timer, NGX_ROOMS_OUTBOX_WAIT);

    return NGX_OK;
}


/*
 * If other servers of its kind wait, a server that doesn't answer gives up
 * its place until its backoff is over.  It gets more time after each failure,
 * as it may be slow.
 */
void
ngx_rooms_outbox_waited(ngx_rooms_outbox_t *o)
{
    ngx_msec_t  patience;

    patience = NGX_ROOMS_OUTBOX_WAIT << ngx_min(o->failures, 2);

    if (o->kind == NGX_ROOMS_LINK_ANSWERS) {
        patience *= 4;
    }

    if (ngx_exiting || o->link->nwait[o->kind] == 0
        || ngx_current_msec - o->called < patience)
    {
        ngx_add_timer(&o->timer, NGX_ROOMS_OUTBOX_WAIT);
        return;
    }

    ngx_rooms_peer_call_cancel(o->call);
    o->call = NULL;

    if (ngx_rooms_outbox_failed(o, ngx_rooms_s("no answer while others "
                                               "waited")) != NGX_OK)
    {
        ngx_rooms_outbox_stop(o);
    }
}


static void
ngx_rooms_outbox_called(ngx_rooms_peer_call_t *call)
{
    ngx_int_t            rc;
    ngx_rooms_outbox_t  *o;

    o = call->data;
    o->call = NULL;

    if (o->timer.timer_set) {
        ngx_del_timer(&o->timer);
    }

    rc = ngx_exiting ? NGX_ERROR : ngx_rooms_outbox_judge(o, call);

    if (rc != NGX_OK) {
        ngx_rooms_outbox_stop(o);
    }
}


/*
 * A peer's message, made fit for the log.  jansson has checked that it is
 * UTF-8.
 */
static rooms_str_t
ngx_rooms_outbox_said(ngx_rooms_outbox_t *o, json_t *value)
{
    size_t       i, len;
    u_char      *p;
    const char  *s;

    s = json_string_value(value);

    if (s == NULL) {
        return ngx_rooms_s("-");
    }

    len = ngx_min(json_string_length(value), NGX_ROOMS_OUTBOX_SAID);

    /* not in the middle of a character */

    while (len < json_string_length(value) && len
           && (s[len] & 0xc0) == 0x80)
    {
        len--;
    }

    p = ngx_pnalloc(o->round, len + 1);
    if (p == NULL) {
        return ngx_rooms_s("-");
    }

    for (i = 0; i < len; i++) {
        p[i] = (u_char) s[i] < 0x20 || s[i] == 0x7f ? '?' : s[i];
    }

    return (rooms_str_t) { len, p };
}


/*
 * The error that administrators see, in the form of the errors of peers'
 * requests.
 */
static void
ngx_rooms_outbox_trouble(ngx_rooms_outbox_t *o, rooms_str_t code,
    rooms_str_t message)
{
    rooms_buf_t      *b;
    ngx_rooms_json_t  text;

    b = ngx_rooms_json(&text, o->round);

    rooms_json_put(b, "{\"code\":%s,\"message\":%s,\"at\":%t}", code, message,
                   ngx_rooms_now());

    o->trouble = ngx_rooms_json_end(&text);
}


static ngx_int_t
ngx_rooms_outbox_failed(ngx_rooms_outbox_t *o, rooms_str_t why)
{
    if (why.data == NULL) {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_WARN, o->timer.log, 0,
                  "rooms: events for \"%*s\" are delayed: %*s", o->server.len,
                  o->server.data, why.len, why.data);

    ngx_rooms_outbox_trouble(o,
         rooms_cstr(ngx_rooms_error(NGX_ROOMS_E_FED_UNREACHABLE)->code), why);

    return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_FAILED);
}


/*
 * The room's home is here, but the peer says that it has no such room: it has
 * left, or has lost its store.  Its members who joined before that position
 * are gone; later invites still go out.
 */
static ngx_int_t
ngx_rooms_outbox_parted(ngx_rooms_outbox_t *o, ngx_uint_t n)
{
    int64_t                   position;
    ngx_uint_t                i;
    rooms_str_t               id;
    ngx_rooms_outbox_room_t  *room;

    id = rooms_json_member_str(o->texts[n], "room_id");
    position = o->pdu ? o->items[0].position : o->positions[n];

    if (o->gone == NULL) {
        o->gone = ngx_palloc(o->round, o->nrooms
                                       * sizeof(ngx_rooms_outbox_gone_t));
        if (o->gone == NULL) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < o->ngone; i++) {
        if (rooms_str_eq(o->gone[i].id, id)) {
            o->gone[i].position = position;
            return NGX_OK;
        }
    }

    for (i = 0; i < o->nrooms; i++) {
        room = &o->rooms[i];

        if (room->exists && rooms_str_eq(room->id, id)
            && room->room.origin.data == NULL
            && rooms_peers_has(room->room.peers, o->server))
        {
            o->gone[o->ngone].id = room->id;
            o->gone[o->ngone++].position = position;
            break;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_outbox_skip(ngx_rooms_outbox_t *o, rooms_str_t eraser)
{
    rooms_str_t  *id;

    if (o->skipped == NULL) {
        o->skipped = ngx_array_create(o->round, 4, sizeof(rooms_str_t));
        if (o->skipped == NULL) {
            return NGX_ERROR;
        }
    }

    id = ngx_array_push(o->skipped);
    if (id == NULL) {
        return NGX_ERROR;
    }

    *id = eraser;

    return NGX_OK;
}


/* NGX_DECLINED: the answer doesn't match these events. */
static ngx_int_t
ngx_rooms_outbox_result(ngx_rooms_outbox_t *o, ngx_uint_t n, json_t *result)
{
    json_t       *id;
    const char   *status;
    rooms_str_t   code, reason, sent;

    id = json_object_get(result, "id");
    status = json_string_value(json_object_get(result, "status"));
    sent = rooms_json_member_str(o->texts[o->judged + n], "id");

    if (status == NULL || !json_is_string(id)
        || !rooms_str_eq(sent, rooms_cstr(json_string_value(id))))
    {
        return NGX_DECLINED;
    }

    if (ngx_strcmp(status, "applied") == 0
        || ngx_strcmp(status, "duplicate") == 0)
    {
        return NGX_OK;
    }

    if (ngx_strcmp(status, "rejected") != 0) {
        return NGX_DECLINED;
    }

    code = ngx_rooms_outbox_said(o, json_object_get(result, "code"));
    reason = ngx_rooms_outbox_said(o, json_object_get(result, "reason"));

    if (o->repeat.item.data
        && (rooms_str_eq(code, rooms_cstr(ngx_rooms_error(ROOMS_E_EVENT)
                                          ->code))
            || rooms_str_eq(code, rooms_cstr(ngx_rooms_error(ROOMS_E_NOT_FOUND)
                                             ->code))))
    {
        /* it never had the message, or doesn't have the room yet */
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_WARN, o->timer.log, 0,
                  "rooms: \"%*s\" rejected event \"%*s\": %*s, %*s",
                  o->server.len, o->server.data, sent.len, sent.data,
                  code.len, code.data, reason.len, reason.data);

    ngx_rooms_outbox_trouble(o, code,
                             ngx_rooms_join(o->round,
                                            ngx_rooms_s("event \""), sent,
                                            ngx_rooms_s("\" was rejected: "),
                                            reason));

    if (o->pdu == NULL && o->erasers[n].data
        && ngx_rooms_outbox_skip(o, o->erasers[n]) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return rooms_str_eq(code,
                        rooms_cstr(ngx_rooms_error(ROOMS_E_NOT_FOUND)->code))
           ? ngx_rooms_outbox_parted(o, o->judged + n) : NGX_OK;
}


static ngx_int_t
ngx_rooms_outbox_results(ngx_rooms_outbox_t *o, json_t *answer)
{
    size_t      i;
    json_t     *results;
    ngx_int_t   rc;

    results = json_object_get(json_object_get(answer, "data"), "results");

    if (json_array_size(results) != o->sent) {
        return NGX_DECLINED;
    }

    for (i = 0; i < o->sent; i++) {
        rc = ngx_rooms_outbox_result(o, i, json_array_get(results, i));

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* Sends the rest of the texts, or ends the round. */
static ngx_int_t
ngx_rooms_outbox_judge(ngx_rooms_outbox_t *o, ngx_rooms_peer_call_t *call)
{
    u_char       number[NGX_INT_T_LEN];
    json_t      *answer;
    ngx_int_t    rc;
    rooms_str_t  why;

    if (call->status == 0) {
        return ngx_rooms_outbox_failed(o, rooms_cstr(call->error
                                                     ? call->error
                                                     : "no answer"));
    }

    answer = json_loadb((char *) call->answer.data, call->answer.len,
                        JSON_REJECT_DUPLICATES, NULL);

    if (call->status != NGX_HTTP_OK) {
        why.data = number;
        why.len = ngx_sprintf(number, "%ui", call->status) - number;

        why = ngx_rooms_join(o->round, ngx_rooms_s("the peer answered "), why,
                    ngx_rooms_s(" "),
                    ngx_rooms_outbox_said(o, json_object_get(
                        json_object_get(answer, "error"), "code")));

        json_decref(answer);

        return ngx_rooms_outbox_failed(o, why);
    }

    rc = ngx_rooms_outbox_results(o, answer);

    json_decref(answer);

    if (rc != NGX_OK) {
        return ngx_rooms_outbox_failed(o,
                   ngx_rooms_s("the peer's answer does not match what was "
                               "sent"));
    }

    if (o->pdu) {
        o->judged += o->sent;

        if (o->judged < o->ntexts) {
            return ngx_rooms_outbox_send(o);
        }

        o->paged = ngx_rooms_dup(o->pool, o->items[0].item);
        o->snapshot = o->pdu->snapshot;
        o->snapshot.after = ngx_rooms_dup(o->pool, o->snapshot.after);
        o->snapshot.of = ngx_rooms_dup(o->pool, o->snapshot.of);
    }

    return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_SENT);
}
