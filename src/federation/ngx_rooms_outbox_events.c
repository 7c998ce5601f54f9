/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What is made of the items: of each its stored event, or a page of who is in
 * a room, and then the names that others know.
 */

#include "ngx_rooms_outbox.h"


static ngx_int_t ngx_rooms_outbox_ask_names(ngx_rooms_outbox_t *o);


ngx_int_t
ngx_rooms_outbox_ask_events(ngx_rooms_outbox_t *o)
{
    ngx_uint_t                i;
    rooms_str_t               at;
    ngx_rooms_batch_t        *b;
    ngx_rooms_outbox_item_t  *item;

    b = ngx_rooms_outbox_batch(o);
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

            (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"),
                               ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_EVENTS,
                                             o->rooms[item->room].id),
                               at, at);
        }
    }

    if (b->commands.nelts == 0) {
        return ngx_rooms_outbox_send(o);
    }

    return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_EVENTS, NGX_ROOMS_LANE_BULK);
}


/* A server whose participants are merely invited: an invite of many, too. */
static rooms_str_t
ngx_rooms_outbox_narrow(ngx_rooms_outbox_t *o, ngx_rooms_outbox_room_t *room,
    rooms_str_t text)
{
    size_t           size;
    u_char          *p;
    uint32_t         n;
    rooms_buf_t      b;
    rooms_stored_t   e;

    n = rooms_peers_count(room->room.peers, o->server);

    if (n == 0 || rooms_peers_count(room->room.guests, o->server) < n) {
        return text;
    }

    size = ROOMS_STORED_NARROW(text.len);

    p = ngx_pnalloc(o->round, size);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, p, size);
    rooms_stored_read(text, room->id, 0, &e);

    if (!rooms_stored_narrow(&b, &e, ROOMS_NULL, o->server)) {
        return text;
    }

    return b.full ? ROOMS_NULL : (rooms_str_t) { b.last - b.start, b.start };
}


ngx_int_t
ngx_rooms_outbox_events(ngx_rooms_outbox_t *o, ngx_rooms_batch_t *b)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, n;
    rooms_str_t               text;
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
                          "rooms: the store holds no valid room \"%*s\"",
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

        if (item->event.data == NULL || !item->valid) {
            continue;
        }

        room = &o->rooms[item->room];

        if (b->replies[n]->type == REDIS_REPLY_ERROR) {
            return NGX_ERROR;
        }

        text = ngx_rooms_reply_str(ngx_rooms_reply_element(b->replies[n++],
                                                           0));

        /* a room that was wiped has taken its events along */

        if (text.data && room->exists) {
            item->there = 1;
            item->told = room->n;
            room->stored[room->n] = ngx_rooms_outbox_narrow(o, room, text);

            if (room->stored[room->n++].data == NULL) {
                return NGX_ERROR;
            }
        }
    }

    return ngx_rooms_outbox_ask_names(o);
}


static ngx_int_t
ngx_rooms_outbox_ask_page(ngx_rooms_outbox_t *o)
{
    ngx_uint_t          there;
    rooms_str_t         only;
    rooms_room_t       *room;
    ngx_rooms_batch_t  *b;

    room = &o->rooms[o->items[0].room].room;

    /* only the origin knows who is in a room */

    if (!o->rooms[o->items[0].room].exists || room->origin.data) {
        return ngx_rooms_outbox_send(o);
    }

    /* who has left learns that, and nothing else, not even of the room */

    there = rooms_peers_has(room->peers, o->server);

    /* and who is merely invited, of nobody else */

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
    b = ngx_rooms_outbox_batch(o);

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

    b = ngx_rooms_outbox_batch(o);

    if (b == NULL || ngx_rooms_pdu_ask(o->pdu, b, NULL, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_NAMES, NGX_ROOMS_LANE_BULK);
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

    b = ngx_rooms_outbox_batch(o);
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

    for (i = 0; i < o->nrooms; i++) {

        if (o->rooms[i].pdu
            && ngx_rooms_pdu_take(o->rooms[i].pdu, b) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_rooms_outbox_send(o);
}
