/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_apply.h"
#include "rooms_json.h"


/* Above any position; powers weigh more than any length of membership. */
#define NGX_ROOMS_RANK  (INT64_C(1) << 44)


static void ngx_rooms_apply_guards(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a, rooms_str_t key);
static void ngx_rooms_apply_create(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a, rooms_str_t key);
static void ngx_rooms_apply_fields(ngx_rooms_commit_t *c,
    const ngx_rooms_apply_t *a, rooms_str_t key);
static void ngx_rooms_apply_state(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a, rooms_str_t key);
static void ngx_rooms_apply_heir(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a);
static void ngx_rooms_apply_members(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a, rooms_str_t key);
static void ngx_rooms_apply_member(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a,
    const rooms_transition_t *t);


/* All that holds, or tells of, what was said in a room. */
static const ngx_rooms_key_e  ngx_rooms_apply_wiped[] = {
    NGX_ROOMS_KEY_EVENTS, NGX_ROOMS_KEY_UNREAD, NGX_ROOMS_KEY_MARKERS,
    NGX_ROOMS_KEY_UUIDS, NGX_ROOMS_KEY_COPIES, NGX_ROOMS_KEY_REACTIONS,
    NGX_ROOMS_KEY_ANSWERS
};


static void
ngx_rooms_apply_wipe(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room)
{
    ngx_uint_t  i;

    for (i = 0; i < sizeof(ngx_rooms_apply_wiped) / sizeof(ngx_rooms_key_e);
         i++)
    {
        ngx_rooms_commit_delete(c, ngx_rooms_key(keys,
                                                 ngx_rooms_apply_wiped[i],
                                                 room));
    }
}


void
ngx_rooms_apply(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a)
{
    rooms_str_t      key;
    rooms_change_t  *change;

    change = a->change;
    key = ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM, change->room.id);

    ngx_rooms_apply_guards(c, keys, a, key);

    if (change->wipe) {
        ngx_rooms_apply_wipe(c, keys, change->room.id);
    }

    if (a->before == NULL) {
        ngx_rooms_apply_create(c, keys, a, key);

    } else {
        ngx_rooms_apply_fields(c, a, key);

        if (change->write & ROOMS_F_STATE) {
            ngx_rooms_apply_state(c, keys, a, key);
        }
    }

    ngx_rooms_apply_heir(c, keys, a);
    ngx_rooms_apply_members(c, keys, a, key);
    ngx_rooms_apply_peers(c, keys, a, key);
}


/*
 * A room that somebody else brought back is no longer in the index of who
 * left it last; if it was they, the row of their join adds it again.
 */
static void
ngx_rooms_apply_heir(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a)
{
    if (a->before == NULL || !(a->change->write & ROOMS_F_LAST_MEMBER)
        || a->before->last_member.data == NULL
        || rooms_str_eq(a->before->last_member, a->change->room.last_member))
    {
        return;
    }

    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_ROOMS,
                                         a->before->last_member),
                           a->change->room.id);
}


/* A room field's value as the store writes it. */
static rooms_str_t
ngx_rooms_apply_value(ngx_pool_t *pool, const rooms_room_t *room,
    ngx_uint_t field)
{
    switch (field) {

    case ROOMS_F_STATE:
        return rooms_cstr(rooms_state_name(room->state));

    case ROOMS_F_NAME:
        return room->name;

    case ROOMS_F_TOPIC:
        return room->topic;

    case ROOMS_F_WORKSPACE:
        return room->workspace;

    case ROOMS_F_FEDERATED:
        return room->federated ? ngx_rooms_s("1") : ROOMS_NULL;

    case ROOMS_F_LAST_MEMBER:
        return room->last_member;

    case ROOMS_F_JOINED:
        return ngx_rooms_number(pool, room->joined);

    case ROOMS_F_ADMINS:
        return ngx_rooms_number(pool, room->admins);

    case ROOMS_F_UPDATED:
        return ngx_rooms_number(pool, room->updated_at);
    }

    return ROOMS_NULL;
}


static const struct {
    ngx_uint_t   bit;
    rooms_str_t  name;
} ngx_rooms_apply_names[] = {
    { ROOMS_F_STATE, rooms_string("state") },
    { ROOMS_F_NAME, rooms_string("name") },
    { ROOMS_F_TOPIC, rooms_string("topic") },
    { ROOMS_F_WORKSPACE, rooms_string("workspace") },
    { ROOMS_F_FEDERATED, rooms_string("federated") },
    { ROOMS_F_LAST_MEMBER, rooms_string("last_member") },
    { ROOMS_F_JOINED, rooms_string("joined") },
    { ROOMS_F_ADMINS, rooms_string("admins") },
    { ROOMS_F_UPDATED, rooms_string("updated_at") },
    { 0, { 0, NULL } }
};


static void
ngx_rooms_apply_guards(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key)
{
    ngx_uint_t       i;
    rooms_str_t      top;
    rooms_change_t  *change;

    change = a->change;

    if (a->before) {

        for (i = 0; ngx_rooms_apply_names[i].bit; i++) {

            if (change->guard & ngx_rooms_apply_names[i].bit) {
                ngx_rooms_commit_guard_field(c, key,
                    ngx_rooms_apply_names[i].name,
                    ngx_rooms_apply_value(c->pool, a->before,
                                          ngx_rooms_apply_names[i].bit));
            }
        }
    }

    if (change->guard & ROOMS_F_TOP) {
        top = ngx_rooms_join(c->pool,
                             a->ntop > 0 ? a->top[0].participant : ROOMS_NULL,
                             a->ntop > 1 ? ngx_rooms_s(" ") : ROOMS_NULL,
                             a->ntop > 1 ? a->top[1].participant : ROOMS_NULL);

        ngx_rooms_commit_guard_top(c, ngx_rooms_key(keys, NGX_ROOMS_KEY_ORDER,
                                                    change->room.id), top);
    }

    if (change->capacity) {
        ngx_rooms_commit_guard_bound(c, key, ngx_rooms_field_joined,
                                     ngx_rooms_field_invited, change->seats,
                                     a->max_participants);
    }
}


static void
ngx_rooms_apply_create(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key)
{
    ngx_uint_t       closed;
    rooms_str_t      pair, tenant, aliases, dms;
    rooms_room_t    *room;

    room = &a->change->room;

    tenant = ngx_rooms_key(keys, NGX_ROOMS_KEY_TENANT, ROOMS_NULL);

    /* a replica may begin closed: as the DM that had to give way */

    closed = room->state == ROOMS_CLOSED;

    if (a->max_rooms >= 0 && !closed) {
        ngx_rooms_commit_guard_bound(c, tenant, ngx_rooms_s("rooms"),
                                     ngx_rooms_s("-"), 1, a->max_rooms);
    }

    if (!closed) {
        ngx_rooms_commit_write(c, "HINCRBY", tenant, ngx_rooms_s("rooms"),
                               ngx_rooms_s("1"));
    }

    ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("meta"),
                           ngx_rooms_format_meta(c->pool, room),
                           ngx_rooms_s("state"),
                           rooms_cstr(rooms_state_name(room->state)),
                           ngx_rooms_s("updated_at"),
                           ngx_rooms_number(c->pool, room->updated_at));

    if (room->name.data) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("name"),
                               room->name);
    }

    if (room->topic.data) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("topic"),
                               room->topic);
    }

    if (room->workspace.data) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("workspace"),
                               room->workspace);
    }

    if (room->origin.data) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("origin"),
                               room->origin);
    }

    if (room->federated) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("federated"),
                               ngx_rooms_s("1"));
    }

    if (room->alias.data) {
        aliases = ngx_rooms_key(keys, NGX_ROOMS_KEY_ALIASES, ROOMS_NULL);
        ngx_rooms_commit_guard_field(c, aliases, room->alias, ROOMS_NULL);
        ngx_rooms_commit_write(c, "HSET", aliases, room->alias, room->id);
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("alias"),
                               room->alias);
    }

    if (room->type == ROOMS_DM && !closed) {
        dms = ngx_rooms_key(keys, NGX_ROOMS_KEY_DMS, ROOMS_NULL);
        pair = ngx_rooms_join(c->pool, room->peer[0], ngx_rooms_s(" "),
                              room->peer[1]);
        ngx_rooms_commit_guard_field(c, dms, pair, ROOMS_NULL);
        ngx_rooms_commit_write(c, "HSET", dms, pair, room->id);
    }

    if (room->is_public && room->state == ROOMS_OPEN) {
        ngx_rooms_commit_write(c, "ZADD",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_PUBLIC,
                                             ROOMS_NULL),
                               ngx_rooms_s("0"), room->id);
    }
}


static void
ngx_rooms_apply_fields(ngx_rooms_commit_t *c, const ngx_rooms_apply_t *a,
    rooms_str_t key)
{
    ngx_uint_t   i;
    rooms_str_t  value;

    for (i = 0; ngx_rooms_apply_names[i].bit; i++) {

        if (!(a->change->write & ngx_rooms_apply_names[i].bit)) {
            continue;
        }

        value = ngx_rooms_apply_value(c->pool, &a->change->room,
                                      ngx_rooms_apply_names[i].bit);

        if (value.data) {
            ngx_rooms_commit_write(c, "HSET", key,
                                   ngx_rooms_apply_names[i].name, value);

        } else {
            ngx_rooms_commit_write(c, "HDEL", key,
                                   ngx_rooms_apply_names[i].name);
        }
    }
}


static void
ngx_rooms_apply_state(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key)
{
    rooms_str_t          public;
    const rooms_room_t  *room;

    room = &a->change->room;

    if (room->is_public) {
        public = ngx_rooms_key(keys, NGX_ROOMS_KEY_PUBLIC, ROOMS_NULL);

        if (room->state == ROOMS_OPEN) {
            ngx_rooms_commit_write(c, "ZADD", public, ngx_rooms_s("0"),
                                   room->id);

        } else {
            ngx_rooms_commit_write(c, "ZREM", public, room->id);
        }
    }

    if (room->state != ROOMS_CLOSED) {
        return;
    }

    /* a closed room frees its name, its pair and its place in the tenant */

    ngx_rooms_commit_write(c, "HINCRBY",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_TENANT,
                                         ROOMS_NULL),
                           ngx_rooms_s("rooms"), ngx_rooms_s("-1"));

    if (room->alias.data) {
        ngx_rooms_commit_write(c, "HDEL",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_ALIASES,
                                             ROOMS_NULL),
                               room->alias);
        ngx_rooms_commit_write(c, "HDEL", key, ngx_rooms_s("alias"));
    }

    if (room->type == ROOMS_DM) {
        ngx_rooms_commit_write(c, "HDEL",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_DMS,
                                             ROOMS_NULL),
                               ngx_rooms_join(c->pool, room->peer[0],
                                              ngx_rooms_s(" "),
                                              room->peer[1]));
    }
}


static ngx_uint_t
ngx_rooms_member_admin(const rooms_member_t *m)
{
    return m->membership == ROOMS_JOIN && m->power >= ROOMS_POWER_MAX;
}


/* Counters move with transitions, and in one write for all of them. */
static void
ngx_rooms_apply_members(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key)
{
    ngx_int_t                  joined, invited, admins;
    ngx_uint_t                 i;
    const rooms_transition_t  *t;

    joined = 0;
    invited = 0;
    admins = 0;

    for (i = 0; i < a->change->nmembers; i++) {
        t = &a->change->members[i];

        joined += (t->after.membership == ROOMS_JOIN)
                  - (t->before.membership == ROOMS_JOIN);
        invited += (t->after.membership == ROOMS_INVITE)
                   - (t->before.membership == ROOMS_INVITE);
        admins += (ngx_int_t) ngx_rooms_member_admin(&t->after)
                  - (ngx_int_t) ngx_rooms_member_admin(&t->before);

        ngx_rooms_apply_member(c, keys, a, t);
    }

    a->change->room.joined = (a->before ? a->before->joined : 0) + joined;
    a->change->room.invited = (a->before ? a->before->invited : 0) + invited;
    a->change->room.admins = (a->before ? a->before->admins : 0) + admins;

    if (joined) {
        ngx_rooms_commit_write(c, "HINCRBY", key, ngx_rooms_field_joined,
                               ngx_rooms_number(c->pool, joined));
    }

    if (invited) {
        ngx_rooms_commit_write(c, "HINCRBY", key, ngx_rooms_field_invited,
                               ngx_rooms_number(c->pool, invited));
    }

    if (admins) {
        ngx_rooms_commit_write(c, "HINCRBY", key, ngx_rooms_s("admins"),
                               ngx_rooms_number(c->pool, admins));
    }
}


/* The succession: power first, then who joined first. */
static void
ngx_rooms_apply_order(ngx_rooms_commit_t *c, rooms_str_t order,
    const rooms_member_t *m, ngx_uint_t joins)
{
    int64_t  rank;

    rank = (m->power + 1) * NGX_ROOMS_RANK;

    if (!joins) {
        ngx_rooms_commit_write(c, "ZADD", order,
                               ngx_rooms_number(c->pool, rank - m->position),
                               m->participant);
        return;
    }

    ngx_rooms_commit_write(c, "ZADD", order, ngx_rooms_number(c->pool, rank),
                           m->participant);
    ngx_rooms_commit_write_at(c, "ZINCRBY", order,
                              ngx_rooms_s("-" NGX_ROOMS_POS), m->participant);
}


/*
 * Unread messages are counted by rank.  One set holds messages and markers by
 * position, another the markers alone: how far a marker is from the end of
 * the first, less how far from the end of the second, is the number of
 * messages behind it.  Both are asked by name, so a room is read in one round.
 */
static void
ngx_rooms_apply_marker(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t participant, ngx_uint_t joins)
{
    rooms_str_t  unread, markers, name;

    unread = ngx_rooms_key(keys, NGX_ROOMS_KEY_UNREAD, room);
    markers = ngx_rooms_key(keys, NGX_ROOMS_KEY_MARKERS, room);
    name = ngx_rooms_join(c->pool, ngx_rooms_s("~"), participant);

    if (joins) {
        ngx_rooms_commit_write_at(c, "ZADD", unread,
                                  ngx_rooms_s(NGX_ROOMS_POS ".5"), name);
        ngx_rooms_commit_write_at(c, "ZADD", markers,
                                  ngx_rooms_s(NGX_ROOMS_POS ".5"), name);

    } else {
        ngx_rooms_commit_write(c, "ZREM", unread, name);
        ngx_rooms_commit_write(c, "ZREM", markers, name);
        ngx_rooms_commit_write(c, "HDEL",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_OWN, room),
                               participant);
    }
}


static ngx_uint_t
ngx_rooms_member_listed(const rooms_member_t *m)
{
    return m->membership == ROOMS_JOIN || m->membership == ROOMS_INVITE;
}


/*
 * A room stays in the index of whoever is in it, or may bring it back: the
 * last member of a room that emptied.
 */
static void
ngx_rooms_apply_index(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, const rooms_transition_t *t)
{
    rooms_str_t   who, rooms, list;
    rooms_str_t   id;

    id = a->change->room.id;
    who = t->after.participant;
    rooms = ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_ROOMS, who);
    list = ngx_rooms_key(keys, NGX_ROOMS_KEY_LIST, id);

    if (ngx_rooms_member_listed(&t->after)) {

        if (!ngx_rooms_member_listed(&t->before)) {
            ngx_rooms_commit_write(c, "ZADD", rooms, ngx_rooms_s("0"), id);
            ngx_rooms_commit_write(c, "ZADD", list, ngx_rooms_s("0"), who);
        }

        return;
    }

    if (ngx_rooms_member_listed(&t->before)) {
        ngx_rooms_commit_write(c, "ZREM", list, who);

        if (!rooms_str_eq(a->change->room.last_member, who)) {
            ngx_rooms_commit_write(c, "ZREM", rooms, id);
        }
    }
}


/*
 * Who isn't in a room can't find there what became of an invite, or who
 * removed them: each participant has a list of such rooms, by position.
 */
static void
ngx_rooms_apply_news(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t who, ngx_uint_t leaves)
{
    rooms_str_t  news;

    news = ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_NEWS, who);

    ngx_rooms_commit_write_at(c, "ZADD", news, ngx_rooms_s(NGX_ROOMS_POS),
                              ngx_rooms_join(c->pool, ngx_rooms_s("m "),
                                             room));

    if (leaves) {
        ngx_rooms_commit_write(c, "ZREM", news,
                               ngx_rooms_join(c->pool, ngx_rooms_s("r "),
                                              room));
        ngx_rooms_commit_write(c, "HDEL",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_MARKERS,
                                             who),
                               room);
    }

    c->concerned = ngx_rooms_join(c->pool, c->concerned, ngx_rooms_s(" "),
                                  who);

    if (c->concerned.data == NULL) {
        c->failed = 1;
    }
}


static void
ngx_rooms_apply_member(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, const rooms_transition_t *t)
{
    ngx_uint_t   joins, leaves;
    rooms_str_t  id, who, members, bans;

    id = a->change->room.id;
    who = t->after.participant;
    members = ngx_rooms_key(keys, NGX_ROOMS_KEY_MEMBERS, id);

    if (a->before) {
        ngx_rooms_commit_guard_field(c, members, who,
                          t->before.membership == ROOMS_LEAVE
                          ? ROOMS_NULL
                          : ngx_rooms_format_member(c->pool, &t->before, 0));
    }

    if (t->before.membership == t->after.membership
        && t->before.power == t->after.power)
    {
        return;
    }

    joins = t->after.membership == ROOMS_JOIN
            && t->before.membership != ROOMS_JOIN;
    leaves = t->before.membership == ROOMS_JOIN
             && t->after.membership != ROOMS_JOIN;

    if (t->after.membership == ROOMS_LEAVE) {
        ngx_rooms_commit_write(c, "HDEL", members, who);

    } else if (joins) {
        ngx_rooms_commit_write_at(c, "HSET", members, who,
                          ngx_rooms_format_member(c->pool, &t->after, 1));

    } else {
        ngx_rooms_commit_write(c, "HSET", members, who,
                          ngx_rooms_format_member(c->pool, &t->after, 0));
    }

    ngx_rooms_apply_index(c, keys, a, t);

    if (t->before.membership != t->after.membership) {
        ngx_rooms_apply_news(c, keys, id, who, leaves);
    }

    if (t->after.membership == ROOMS_JOIN) {
        ngx_rooms_apply_order(c, ngx_rooms_key(keys, NGX_ROOMS_KEY_ORDER, id),
                              &t->after, joins);
    }

    if (leaves) {
        ngx_rooms_commit_write(c, "ZREM",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_ORDER, id),
                               who);
    }

    if (joins || leaves) {
        ngx_rooms_apply_marker(c, keys, id, who, joins);
    }

    bans = ngx_rooms_key(keys, NGX_ROOMS_KEY_BANS, id);

    if (t->after.membership == ROOMS_BAN) {
        ngx_rooms_commit_write(c, "ZADD", bans, ngx_rooms_s("0"), who);

    } else if (t->before.membership == ROOMS_BAN) {
        ngx_rooms_commit_write(c, "ZREM", bans, who);
    }
}


void
ngx_rooms_apply_event(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_event_e type, rooms_str_t sender,
    rooms_str_t random, rooms_str_t content, int64_t now)
{
    ngx_rooms_apply_quiet(c, keys, room, type, sender, random, content, now);

    if (type == ROOMS_EV_MESSAGE) {
        ngx_rooms_commit_write_at(c, "ZADD",
                            ngx_rooms_key(keys, NGX_ROOMS_KEY_UNREAD,
                                          room->id),
                            ngx_rooms_s(NGX_ROOMS_POS),
                            ngx_rooms_join(c->pool,
                                           ngx_rooms_s("evt-" NGX_ROOMS_HEX),
                                           random));
    }
}


/* Wakes those who wait for news: on all workers, of all servers. */
static void
ngx_rooms_apply_publish(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t concerned)
{
    ngx_rooms_commit_write_at(c, "PUBLISH",
                              ngx_rooms_key(keys, NGX_ROOMS_KEY_CHANNEL,
                                            ROOMS_NULL),
                              ngx_rooms_join(c->pool,
                                             ngx_rooms_s(NGX_ROOMS_POS " "),
                                             room, concerned));
}


/* An event's JSON in two parts: only the head names the position. */
static ngx_int_t
ngx_rooms_apply_envelope(ngx_rooms_commit_t *c, const rooms_room_t *room,
    rooms_event_e type, rooms_str_t sender, rooms_str_t random,
    rooms_str_t content, int64_t now, rooms_str_t *head, rooms_str_t *tail)
{
    size_t        size;
    u_char       *start;
    rooms_buf_t   b;

    *head = ngx_rooms_join(c->pool,
                          ngx_rooms_s("{\"id\":\"evt-" NGX_ROOMS_HEX), random,
                          ngx_rooms_s("\",\"room_id\":\""), room->id,
                          ngx_rooms_s("\",\"stream_position\":" NGX_ROOMS_POS));

    size = 360 + ROOMS_JSON_STR(sender.len) + content.len
           + c->source_id.len + c->source_server.len;

    start = ngx_pnalloc(c->pool, size);
    if (start == NULL || head->data == NULL || content.data == NULL) {
        c->failed = 1;
        return NGX_ERROR;
    }

    if (c->source_id.data) {
        now = c->source_at;
    }

    rooms_buf_init(&b, start, size);

    rooms_json_lit(&b, ",\"sender_id\":");
    rooms_json_str(&b, sender);
    rooms_json_lit(&b, ",\"event_type\":");
    rooms_json_str(&b, rooms_cstr(rooms_event_name(type)));
    rooms_json_lit(&b, ",\"content\":");
    rooms_json_raw(&b, content.data, content.len);
    rooms_json_lit(&b, ",\"origin_ts\":");
    rooms_json_int(&b, now / 1000);
    rooms_json_lit(&b, ",\"created_at\":");
    rooms_json_time(&b, now);
    rooms_json_lit(&b, ",\"edited_at\":null,\"redacted_at\":null");

    if (c->source_id.data) {
        rooms_json_lit(&b, ",\"origin_id\":");
        rooms_json_str(&b, c->source_id);
        rooms_json_lit(&b, ",\"origin_server\":");
        rooms_json_str(&b, c->source_server);
    }

    if (room->incognito) {
        rooms_json_lit(&b, ",\"do_not_index\":true");
    }

    rooms_json_lit(&b, "}");

    *tail = (rooms_str_t) { b.last - b.start, b.start };

    return NGX_OK;
}


void
ngx_rooms_apply_quiet(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_event_e type, rooms_str_t sender,
    rooms_str_t random, rooms_str_t content, int64_t now)
{
    rooms_str_t  head, tail;

    if (ngx_rooms_apply_envelope(c, room, type, sender, random, content, now,
                                 &head, &tail) != NGX_OK)
    {
        return;
    }

    ngx_rooms_commit_event(c, ngx_rooms_key(keys, NGX_ROOMS_KEY_EVENTS,
                                            room->id),
                           head, tail);

    ngx_rooms_commit_write_at(c, "HSET",
                              ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM,
                                            room->id),
                              ngx_rooms_s("position"),
                              ngx_rooms_s(NGX_ROOMS_POS));

    ngx_rooms_apply_outbox(c, keys, room, random);
    ngx_rooms_apply_publish(c, keys, room->id, c->concerned);
}


/*
 * A read marker is no change of the room, and nobody else's business.  It
 * takes a position all the same, so that the reader's other devices meet it
 * in the order of everything else; the last one of each room is kept.
 */
void
ngx_rooms_apply_marker_event(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_str_t reader, rooms_str_t random,
    rooms_str_t content, int64_t now)
{
    rooms_str_t  head, tail;

    if (ngx_rooms_apply_envelope(c, room, ROOMS_EV_READ_MARKER, reader,
                                 random, content, now, &head, &tail)
        != NGX_OK)
    {
        return;
    }

    ngx_rooms_commit_position(c);

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


rooms_str_t
ngx_rooms_event_json(ngx_rooms_commit_t *c, int64_t position)
{
    u_char       *p, *start;
    ngx_uint_t    i;

    start = ngx_pnalloc(c->pool, c->head.len + c->tail.len + 32);
    if (start == NULL) {
        return ROOMS_NULL;
    }

    p = start;

    for (i = 0; i < c->head.len; i++) {

        switch (c->head.data[i]) {

        case 1:
            p = ngx_sprintf(p, "%013xL", position);
            break;

        case 2:
            p = ngx_sprintf(p, "%L", position);
            break;

        default:
            *p++ = c->head.data[i];
        }
    }

    p = ngx_cpymem(p, c->tail.data, c->tail.len);

    return (rooms_str_t) { p - start, start };
}
