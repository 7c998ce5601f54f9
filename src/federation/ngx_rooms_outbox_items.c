/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What waits for a server: the first items of its outbox, whether it may be
 * told at all, and whether there is more than may wait.
 */

#include "ngx_rooms_outbox.h"
#include "ngx_rooms_fedpolicy.h"
#include "rooms_peer.h"


/* "failures dropped" */
static void
ngx_rooms_outbox_state(ngx_rooms_outbox_t *o, rooms_str_t row)
{
    off_t    n;
    u_char  *p, *last;

    o->failures = 0;
    o->dropped = 0;

    if (row.data == NULL) {
        return;
    }

    last = (u_char *) row.data + row.len;
    p = ngx_strlchr((u_char *) row.data, last, ' ');

    if (p) {
        n = ngx_atoof((u_char *) row.data, p - row.data);
        o->failures = n > 0 ? n : 0;
        n = ngx_atoof(p + 1, last - p - 1);
        o->dropped = n > 0 ? n : 0;
    }
}


static ngx_uint_t
ngx_rooms_outbox_room(ngx_rooms_outbox_t *o, rooms_str_t id)
{
    ngx_uint_t  i;

    for (i = 0; i < o->nrooms; i++) {
        if (rooms_str_eq(o->rooms[i].id, id)) {
            return i;
        }
    }

    o->rooms[i].id = id;
    o->nrooms++;

    return i;
}


/* "e ROOM EVENT", "s ROOM", or "s ROOM EVENT" of what was refused */
static void
ngx_rooms_outbox_item(ngx_rooms_outbox_t *o, ngx_rooms_outbox_item_t *item)
{
    u_char       *p, *last;
    rooms_str_t   room, event, s;

    event = ROOMS_NULL;
    s = item->item;
    last = (u_char *) s.data + s.len;

    if (s.len < 3 || s.data[1] != ' ') {
        return;
    }

    p = ngx_strlchr((u_char *) s.data + 2, last, ' ');

    room.data = s.data + 2;
    room.len = (p ? p : last) - room.data;

    if (!rooms_id_valid(room, "room-")) {
        return;
    }

    if (p) {
        event = (rooms_str_t) { last - p - 1, p + 1 };

        if (!rooms_id_valid(event, "evt-")) {
            return;
        }
    }

    if (s.data[0] == 'e' && p) {
        item->event = event;

        if (rooms_event_position(event) <= 0) {
            return;
        }

    } else if (s.data[0] == 's') {
        item->refused = event;

    } else {
        return;
    }

    item->room = ngx_rooms_outbox_room(o, room);
    item->valid = 1;
}


static ngx_int_t
ngx_rooms_outbox_read(ngx_rooms_outbox_t *o, redisReply *reply)
{
    ngx_uint_t                i, n;
    ngx_rooms_outbox_item_t  *item;

    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    n = reply->elements / 2;

    o->items = ngx_pcalloc(o->round, (n + 1)
                                     * sizeof(ngx_rooms_outbox_item_t));
    o->rooms = ngx_pcalloc(o->round, (n + 1)
                                     * sizeof(ngx_rooms_outbox_room_t));

    if (o->items == NULL || o->rooms == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        item = &o->items[i];
        item->item = ngx_rooms_reply_str(reply->element[2 * i]);
        item->position = ngx_rooms_reply_int(reply->element[2 * i + 1], 0);

        if (item->item.data == NULL) {
            return NGX_ERROR;
        }

        ngx_rooms_outbox_item(o, item);
    }

    o->nitems = n;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_outbox_items(ngx_rooms_outbox_t *o, ngx_rooms_batch_t *b)
{
    ngx_uint_t       i;
    rooms_str_t      key;
    rooms_policy_t  *policy;

    o->waiting = ngx_rooms_reply_int(b->replies[0], -1);
    ngx_rooms_outbox_state(o, ngx_rooms_reply_str(b->replies[2]));

    policy = ngx_rooms_fedpolicy_read(o->round, o->timer.log, o->link->conf,
                                      b->replies[3]);

    if (policy == NULL || o->waiting < 0
        || b->replies[3]->type == REDIS_REPLY_ERROR
        || ngx_rooms_outbox_read(o, b->replies[1]) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* one that was here: it is told that it is no longer, too */

    if (!rooms_policy_allows(policy, o->server, 1)
        || !rooms_peer_valid(o->server))
    {
        return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_REFUSED);
    }

    if (o->waiting > NGX_ROOMS_OUTBOX_MAX && !o->full) {
        b = ngx_rooms_outbox_batch(o);
        if (b == NULL) {
            return NGX_ERROR;
        }

        key = ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_OUTBOX, o->server);

        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGE"), key,
                   ngx_rooms_s("0"),
                   ngx_rooms_number(b->pool,
                       ngx_min(o->waiting - NGX_ROOMS_OUTBOX_MAX
                               + NGX_ROOMS_OUTBOX_SPARE,
                               NGX_ROOMS_OUTBOX_DROP) - 1),
                   ngx_rooms_s("WITHSCORES"));

        return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_EXCESS,
                                    NGX_ROOMS_LANE_BULK);
    }

    /* a snapshot is told by itself */

    for (i = 0; i < o->nitems; i++) {

        if (o->items[i].valid && o->items[i].event.data == NULL) {
            o->nitems = i ? i : 1;
            break;
        }
    }

    return ngx_rooms_outbox_ask_events(o);
}


ngx_int_t
ngx_rooms_outbox_excess(ngx_rooms_outbox_t *o, ngx_rooms_batch_t *b)
{
    ngx_uint_t  i;

    o->nrooms = 0;

    if (ngx_rooms_outbox_read(o, b->replies[0]) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < o->nitems; i++) {

        if (!o->items[i].valid || o->items[i].event.data
            || o->items[i].refused.data)
        {
            return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_DROPPED);
        }
    }

    /* snapshots of that many rooms: there is nothing shorter */

    o->full = 1;

    return NGX_AGAIN;
}
