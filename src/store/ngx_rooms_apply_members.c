/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Members of a room: their rows, and the counters and lists that follow from
 * these.
 */

#include "ngx_rooms_apply.h"


/* Above any position, so that power outweighs any length of membership. */
#define NGX_ROOMS_RANK  (INT64_C(1) << 44)


static void ngx_rooms_apply_member(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a,
    const rooms_transition_t *t);
static void ngx_rooms_apply_index(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a,
    const rooms_transition_t *t);
static void ngx_rooms_apply_news(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, rooms_str_t room, rooms_str_t who,
    ngx_uint_t leaves);
static void ngx_rooms_apply_order(ngx_rooms_commit_t *c, rooms_str_t order,
    const rooms_member_t *m, ngx_uint_t joins);
static void ngx_rooms_apply_leave(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, rooms_str_t room, rooms_str_t who);


static ngx_uint_t
ngx_rooms_member_admin(const rooms_member_t *m)
{
    return m->membership == ROOMS_JOIN && m->power >= ROOMS_POWER_MAX;
}


/* A new room: its counters are written with its other fields. */
static void
ngx_rooms_apply_first_counts(ngx_rooms_commit_t *c, rooms_str_t key,
    ngx_int_t joined, ngx_int_t invited, ngx_int_t admins)
{
    if (joined) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_field_joined,
                               ngx_rooms_number(c->pool, joined));
    }

    if (invited) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_field_invited,
                               ngx_rooms_number(c->pool, invited));
    }

    if (admins) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("admins"),
                               ngx_rooms_number(c->pool, admins));
    }
}


/* Counts all transitions first, so that each counter is written once. */
void
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

    if (a->before == NULL) {
        ngx_rooms_apply_first_counts(c, key, joined, invited, admins);
        return;
    }

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


static void
ngx_rooms_apply_member(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, const rooms_transition_t *t)
{
    ngx_uint_t   joins, leaves, begins;
    rooms_str_t  id, who, members, bans;

    id = a->change->room.id;
    who = t->after.participant;
    members = ngx_rooms_key(keys, NGX_ROOMS_KEY_MEMBERS, id);

    if (a->before) {
        ngx_rooms_commit_guard_field(c, members, who,
                          t->before.membership == ROOMS_LEAVE
                          ? ROOMS_NULL
                          : ngx_rooms_format_member(c->pool, &t->before));
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
    begins = ngx_rooms_member_listed(&t->after)
             && t->before.membership != t->after.membership;

    if (t->after.membership == ROOMS_LEAVE) {
        ngx_rooms_commit_write(c, "HDEL", members, who);

    } else if (begins) {
        ngx_rooms_commit_write_at(c, "HSET", members, who,
                          ngx_rooms_format_begin(c->pool, &t->after,
                                                 a->before == NULL));

    } else {
        ngx_rooms_commit_write(c, "HSET", members, who,
                          ngx_rooms_format_member(c->pool, &t->after));
    }

    if (begins) {
        ngx_rooms_apply_active(c, keys, who);

        if (a->before) {
            ngx_rooms_commit_count(c, ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM,
                                                    id), 0);
        }
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
        ngx_rooms_apply_leave(c, keys, id, who);
    }

    bans = ngx_rooms_key(keys, NGX_ROOMS_KEY_BANS, id);

    if (t->after.membership == ROOMS_BAN) {
        ngx_rooms_commit_write(c, "ZADD", bans, ngx_rooms_s("0"), who);

    } else if (t->before.membership == ROOMS_BAN) {
        ngx_rooms_commit_write(c, "ZREM", bans, who);
    }
}


void
ngx_rooms_apply_participant(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t who)
{
    ngx_rooms_commit_guard_least(c, ngx_rooms_key(keys, NGX_ROOMS_KEY_SEEN,
                                                  ROOMS_NULL),
                                 who, 1);
}


void
ngx_rooms_apply_active(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t who)
{
    rooms_str_t  server;

    if (rooms_str_eq(who, c->actor)
        || (c->server.data && rooms_foreign(who, c->server, &server)))
    {
        return;
    }

    ngx_rooms_commit_guard_field(c, ngx_rooms_key(keys,
                                                  NGX_ROOMS_KEY_DEACTIVATED,
                                                  ROOMS_NULL),
                                 who, ROOMS_NULL);
}


ngx_uint_t
ngx_rooms_member_listed(const rooms_member_t *m)
{
    return m->membership == ROOMS_JOIN || m->membership == ROOMS_INVITE;
}


/*
 * A room is in the index of its joined and invited members, and of the last
 * member of an emptied room, who may reopen it.
 */
static void
ngx_rooms_apply_index(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, const rooms_transition_t *t)
{
    rooms_str_t   who, rooms, list, kinds, kind, invite;
    rooms_str_t   id;

    id = a->change->room.id;
    who = t->after.participant;
    kinds = ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_KINDS, who);
    kind = ngx_rooms_join(c->pool,
                          rooms_cstr(rooms_type_name(a->change->room.type)),
                          ngx_rooms_s(" "), id);
    invite = ngx_rooms_join(c->pool, ngx_rooms_s("invite "), id);
    rooms = ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_ROOMS, who);
    list = ngx_rooms_key(keys, NGX_ROOMS_KEY_LIST, id);

    if (ngx_rooms_member_listed(&t->after)) {

        if (!ngx_rooms_member_listed(&t->before)) {
            ngx_rooms_commit_write(c, "ZADD", rooms, ngx_rooms_s("0"), id);
            ngx_rooms_commit_write(c, "ZADD", list, ngx_rooms_s("0"), who);
            ngx_rooms_commit_write(c, "ZADD", kinds, ngx_rooms_s("0"), kind);
        }

        if (t->after.membership == ROOMS_INVITE) {
            ngx_rooms_commit_write(c, "ZADD", kinds, ngx_rooms_s("0"), invite);

        } else if (t->before.membership == ROOMS_INVITE) {
            ngx_rooms_commit_write(c, "ZREM", kinds, invite);
        }

        return;
    }

    if (ngx_rooms_member_listed(&t->before)) {
        ngx_rooms_commit_write(c, "ZREM", kinds, kind, invite);
        ngx_rooms_commit_write(c, "ZREM", list, who);

        if (!rooms_str_eq(a->change->room.last_member, who)) {
            ngx_rooms_commit_write(c, "ZREM", rooms, id);
        }
    }
}


/*
 * Somebody who isn't in a room can't read there what became of their invite,
 * or that they were removed.  So each participant has a list of such rooms,
 * by position.
 */
static void
ngx_rooms_apply_news(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t who, ngx_uint_t leaves)
{
    rooms_str_t  news;

    news = ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_NEWS, who);

    ngx_rooms_commit_write_at(c, "ZADD", news, ngx_rooms_s(NGX_ROOMS_POS),
                              ngx_rooms_join(c->pool, ngx_rooms_s("m "),
                                             room),
                              ngx_rooms_s(NGX_ROOMS_POS),
                              ngx_rooms_s(NGX_ROOMS_NEWS_LIST));

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


/* The order of succession: highest power first, then longest joined. */
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

    ngx_rooms_commit_write_at(c, "ZADD", order,
                              ngx_rooms_join(c->pool,
                                             ngx_rooms_s(NGX_ROOMS_LESS),
                                             ngx_rooms_number(c->pool, rank)),
                              m->participant);
}


/* The settings of who leaves end. */
static void
ngx_rooms_apply_leave(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t who)
{
    ngx_rooms_commit_write(c, "HDEL",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_OWN, room),
                           ngx_rooms_own_field(c->pool, NGX_ROOMS_OWN_MODE,
                                               who),
                           ngx_rooms_own_field(c->pool, NGX_ROOMS_OWN_MUTE,
                                               who),
                           ngx_rooms_own_field(c->pool, NGX_ROOMS_OWN_READ,
                                               who));
}
