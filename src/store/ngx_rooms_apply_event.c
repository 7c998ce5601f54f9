/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The event of a change, and whom it wakes. */

#include "ngx_rooms_apply.h"


/* How much longer a row gets when its marks are filled in. */
#define NGX_ROOMS_POSITION_LEN  40


static void ngx_rooms_apply_publish(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, rooms_str_t room, rooms_str_t concerned);
static void ngx_rooms_apply_row_marks(ngx_rooms_commit_t *c, rooms_str_t *head,
    rooms_str_t *tail);
static ngx_uint_t ngx_rooms_apply_first(const rooms_room_t *room);
static ngx_int_t ngx_rooms_apply_row(ngx_rooms_commit_t *c,
    const rooms_room_t *room, rooms_event_e type, rooms_str_t sender,
    rooms_str_t random, rooms_str_t content, int64_t now, rooms_str_t *head,
    rooms_str_t *tail);


void
ngx_rooms_apply_event(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_event_e type, rooms_str_t sender,
    rooms_str_t random, rooms_str_t content, int64_t now)
{
    if (type == ROOMS_EV_MESSAGE) {
        ngx_rooms_commit_count(c, ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM,
                                                room->id),
                               1);
    }

    ngx_rooms_apply_quiet(c, keys, room, type, sender, random, content, now);

    /* senders have read what they wrote; others read on another server */

    if (type == ROOMS_EV_MESSAGE && c->source_id.data == NULL) {
        ngx_rooms_commit_write_at(c, "HSET",
                              ngx_rooms_key(keys, NGX_ROOMS_KEY_OWN,
                                            room->id),
                              ngx_rooms_own_field(c->pool, NGX_ROOMS_OWN_READ,
                                                  sender),
                              ngx_rooms_join(c->pool,
                                             ngx_rooms_s(NGX_ROOMS_POS " evt-"
                                                         NGX_ROOMS_HEX),
                                             random,
                                             ngx_rooms_s(" "
                                                      NGX_ROOMS_MESSAGES)));
    }
}


void
ngx_rooms_apply_quiet(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_event_e type, rooms_str_t sender,
    rooms_str_t random, rooms_str_t content, int64_t now)
{
    rooms_str_t  head, tail, key;

    if (ngx_rooms_apply_row(c, room, type, sender, random, content, now,
                                 &head, &tail) != NGX_OK)
    {
        return;
    }

    key = ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM, room->id);

    /*
     * an event of another server keeps its time, and doesn't move the room's
     */

    if (c->source_id.data == NULL) {
        ngx_rooms_commit_timed(c, key, c->event.created_at,
                               ngx_rooms_apply_first(room));

    } else if (!ngx_rooms_apply_first(room)) {
        ngx_rooms_commit_count(c, key, 0);
    }

    ngx_rooms_apply_row_marks(c, &head, &tail);

    ngx_rooms_commit_event(c, ngx_rooms_key(keys, NGX_ROOMS_KEY_EVENTS,
                                            room->id),
                           head, tail);
    ngx_rooms_apply_size(c, keys, room, head.len + tail.len
                                        + NGX_ROOMS_POSITION_LEN);

    ngx_rooms_commit_write_at(c, "HSET", key, ngx_rooms_s("position"),
                              ngx_rooms_s(NGX_ROOMS_POS));

    ngx_rooms_apply_outbox(c, keys, room, type, random);
    ngx_rooms_apply_publish(c, keys, room->id, c->concerned);
}


/*
 * Whether the commit creates the room.  A room that another program has created
 * has no position yet either, but others may write its first event, too.
 */
static ngx_uint_t
ngx_rooms_apply_first(const rooms_room_t *room)
{
    return room->position == 0 && room->type != ROOMS_SIDEKICK
           && room->type != ROOMS_BRIDGE;
}


/* Sizes double, so a room writes this field at most eight times. */
void
ngx_rooms_apply_size(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, size_t size)
{
    uint32_t     big;
    rooms_str_t  key;

    big = NGX_ROOMS_EVENT_SMALL;

    while (big < size) {
        big *= 2;
    }

    if (big <= ngx_max(room->big, NGX_ROOMS_EVENT_SMALL) || big <= c->big) {
        return;
    }

    key = ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM, room->id);

    if (c->big == 0) {
        ngx_rooms_commit_guard_field(c, key, ngx_rooms_field_big,
                             room->big ? ngx_rooms_number(c->pool, room->big)
                                       : ROOMS_NULL);
    }

    ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_field_big,
                           ngx_rooms_number(c->pool, big));
    c->big = big;
}


/*
 * A read marker isn't an event of the room and concerns only its reader.  It
 * takes a position all the same, so that the reader's other devices see it in
 * order.  Only the last one of each room is kept.
 */
void
ngx_rooms_apply_marker_event(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_str_t reader, rooms_str_t random,
    rooms_str_t content, int64_t now)
{
    rooms_str_t  head, tail;

    if (ngx_rooms_apply_row(c, room, ROOMS_EV_READ_MARKER, reader,
                                 random, content, now, &head, &tail)
        != NGX_OK)
    {
        return;
    }

    ngx_rooms_commit_positions(c, 1);

    ngx_rooms_commit_write_at(c, "HSET",
                              ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_MARKERS,
                                            reader),
                              room->id, ngx_rooms_join(c->pool, head, tail));
    ngx_rooms_commit_write_at(c, "ZADD",
                              ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_NEWS,
                                            reader),
                              ngx_rooms_s(NGX_ROOMS_POS),
                              ngx_rooms_join(c->pool, ngx_rooms_s("r "),
                                             room->id));

    ngx_rooms_apply_publish(c, keys, ngx_rooms_s("-"),
                            ngx_rooms_join(c->pool, ngx_rooms_s(" "),
                                           reader));
}


/*
 * Moves the border between head and tail behind the time, since the script
 * decides the time, and knows the number of messages.
 */
static void
ngx_rooms_apply_row_marks(ngx_rooms_commit_t *c, rooms_str_t *head,
    rooms_str_t *tail)
{
    u_char       *row, *time, *rest;
    size_t        len;
    rooms_str_t   created;

    /* "DIGITS TYPE SENDER CREATED ", contiguous in memory */

    row = (u_char *) head->data;
    len = head->len + 1 + c->event.type.len + 1 + c->event.sender.len + 1;

    time = row + len;
    rest = ngx_strlchr(time, (u_char *) tail->data + tail->len, ' ');

    if (rest == NULL) {
        c->failed = 1;
        return;
    }

    *tail = (rooms_str_t) { (u_char *) tail->data + tail->len - rest, rest };

    created = c->source_id.data ? (rooms_str_t) { rest - time, time }
                                : ngx_rooms_s(NGX_ROOMS_MS);

    *head = ngx_rooms_join(c->pool, { len, row }, created,
                           c->counted.data
                           ? ngx_rooms_s(" n" NGX_ROOMS_MESSAGES)
                           : ROOMS_NULL);

    if (head->data == NULL) {
        c->failed = 1;
    }
}


/* Makes an event's row in two parts.  Only the head contains marks. */
static ngx_int_t
ngx_rooms_apply_row(ngx_rooms_commit_t *c, const rooms_room_t *room,
    rooms_event_e type, rooms_str_t sender, rooms_str_t random,
    rooms_str_t content, int64_t now, rooms_str_t *head, rooms_str_t *tail)
{
    rooms_str_t      row;
    rooms_stored_t  *e;

    e = &c->event;
    ngx_memzero(e, sizeof(rooms_stored_t));

    if (c->source_id.data) {
        now = c->source_at;
    }

    e->digits = ngx_rooms_join(c->pool, ngx_rooms_s(NGX_ROOMS_HEX), random);
    e->type = rooms_cstr(rooms_event_name(type)
                         + sizeof(ROOMS_STORED_TYPE) - 1);
    e->sender = sender;
    e->content = content;
    e->origin_id = c->source_id;
    e->origin_server = c->source_server;
    e->created_at = now;
    e->edited_at = ROOMS_STORED_NEVER;
    e->redacted_at = ROOMS_STORED_NEVER;
    e->origin_ts = now / 1000;
    e->readable = 1;
    e->unlisted = room->incognito;

    c->room = room->id;

    row = ROOMS_NULL;

    if (e->digits.data && content.data) {
        row = ngx_rooms_format_event(c->pool, e);
    }

    if (row.data == NULL) {
        c->failed = 1;
        return NGX_ERROR;
    }

    *head = (rooms_str_t) { e->digits.len, row.data };
    *tail = (rooms_str_t) { row.len - e->digits.len,
                            row.data + e->digits.len };

    return NGX_OK;
}


/*
 * Records in the store who has news since which position, and publishes a
 * message that makes waiting workers look there.  An entry of a participant
 * begins with a space.  If no room has news, it is "-".
 */
static void
ngx_rooms_apply_publish(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t concerned)
{
    u_char       *p, *last, *next;
    ngx_uint_t    n;
    rooms_str_t  *argv;

    p = (u_char *) concerned.data;
    last = p + concerned.len;

    for (n = 1; p < last; p++) {
        n += *p == ' ';
    }

    argv = ngx_palloc(c->pool, 2 * n * sizeof(rooms_str_t));
    if (argv == NULL) {
        c->failed = 1;
        return;
    }

    n = 0;

    if (!rooms_str_eq(room, ngx_rooms_s("-"))) {
        argv[n++] = ngx_rooms_s(NGX_ROOMS_POS);
        argv[n++] = room;
    }

    for (p = (u_char *) concerned.data; p < last; p = next) {
        next = ngx_strlchr(p + 1, last, ' ');

        if (next == NULL) {
            next = last;
        }

        argv[n++] = ngx_rooms_s(NGX_ROOMS_POS);
        argv[n++] = (rooms_str_t) { next - p, p };
    }

    ngx_rooms_commit_command(c, NGX_MAX_SIZE_T_VALUE, ngx_rooms_s("ZADD"),
                             ngx_rooms_key(keys, NGX_ROOMS_KEY_ACTIVE,
                                           ROOMS_NULL),
                             argv, n);

    ngx_rooms_commit_write_at(c, "PUBLISH",
                              ngx_rooms_key(keys, NGX_ROOMS_KEY_CHANNEL,
                                            ROOMS_NULL),
                              ngx_rooms_join(c->pool,
                                             ngx_rooms_s(NGX_ROOMS_POS " "),
                                             room, concerned));
}


void
ngx_rooms_apply_wake(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant)
{
    ngx_rooms_commit_positions(c, 1);
    ngx_rooms_apply_publish(c, keys, ngx_rooms_s("-"),
                            ngx_rooms_join(c->pool, ngx_rooms_s(" "),
                                           participant));
}


rooms_str_t
ngx_rooms_event_json(ngx_rooms_commit_t *c, int64_t position)
{
    size_t           size;
    u_char          *start;
    rooms_buf_t      b;
    rooms_stored_t   e;

    e = c->event;
    size = rooms_stored_shown(&e, c->room);

    start = ngx_pnalloc(c->pool, size + ROOMS_EVENT_DIGITS);
    if (start == NULL) {
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, start + ROOMS_EVENT_DIGITS, size);

    if (position < 0) {
        rooms_stored_show(&b, &e, c->room, ngx_rooms_s(NGX_ROOMS_POS));
        return e.json;
    }

    /* the digits of the position, then those after its mark */

    (void) ngx_cpymem(ngx_sprintf(start, "%013xL", position),
                      e.digits.data + 1, e.digits.len - 1);

    e.digits = (rooms_str_t) { ROOMS_EVENT_DIGITS, start };
    e.position = position;

    rooms_stored_show(&b, &e, c->room, ROOMS_NULL);

    return e.json;
}


rooms_str_t
ngx_rooms_event_again(ngx_pool_t *pool, const rooms_room_t *room,
    rooms_event_e type, rooms_str_t sender, rooms_str_t random,
    rooms_str_t content, int64_t now, int64_t position)
{
    ngx_rooms_commit_t  c;

    ngx_memzero(&c, sizeof(ngx_rooms_commit_t));
    c.pool = pool;

    if (ngx_rooms_apply_row(&c, room, type, sender, random, content, now,
                                 &c.head, &c.tail) != NGX_OK)
    {
        return ROOMS_NULL;
    }

    return ngx_rooms_event_json(&c, position);
}
