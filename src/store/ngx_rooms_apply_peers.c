/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_apply.h"


/*
 * A room's field "peers" counts its members of other servers.  Whoever writes
 * an event guards it; otherwise a server that joins meanwhile would miss the
 * event.
 */
static void
ngx_rooms_apply_peers_guard(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t peers)
{
    if (c->peers) {
        return;
    }

    c->peers = 1;

    ngx_rooms_commit_guard_field(c, key, ngx_rooms_field_peers, peers);
}


static rooms_str_t
ngx_rooms_apply_peers_move(ngx_rooms_commit_t *c, rooms_str_t peers,
    rooms_str_t server, ngx_int_t delta)
{
    u_char  *p;

    p = ngx_pnalloc(c->pool, peers.len + server.len + 17);
    if (p == NULL) {
        c->failed = 1;
        return ROOMS_NULL;
    }

    peers.len = rooms_peers_move(peers, server, delta, p);
    peers.data = p;

    return peers.len ? peers : ROOMS_NULL;
}


static void
ngx_rooms_apply_peers_write(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t field, rooms_str_t before, rooms_str_t after)
{
    if (rooms_str_eq(before, after)) {
        return;
    }

    if (after.data) {
        ngx_rooms_commit_write(c, "HSET", key, field, after);

    } else {
        ngx_rooms_commit_write(c, "HDEL", key, field);
    }
}


static void
ngx_rooms_apply_peers_list(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_str_t server)
{
    ngx_rooms_commit_write(c, "ZADD",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_PEER_ROOMS,
                                         server),
                           room->origin.data ? ngx_rooms_s("1")
                                             : ngx_rooms_s("0"),
                           room->id);
    ngx_rooms_commit_write(c, "ZADD",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_PEER_SERVERS,
                                         ROOMS_NULL),
                           ngx_rooms_s("0"), server);
    ngx_rooms_commit_write(c, "ZADD",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_PEER_NAMES,
                                         ROOMS_NULL),
                           ngx_rooms_s("0"), server);
}


static void
ngx_rooms_apply_peers_unlist(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_str_t server)
{
    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_PEER_ROOMS,
                                         server),
                           room->id);
}


/*
 * The home of a replica stays listed, even when none of its members is left.
 */
static ngx_uint_t
ngx_rooms_apply_peers_home(const rooms_room_t *room, rooms_str_t server)
{
    return room->federated && room->origin.data
           && rooms_str_eq(room->origin, server);
}


void
ngx_rooms_apply_peers(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key)
{
    ngx_int_t                  delta, invites;
    ngx_uint_t                 i;
    rooms_str_t                before, after, guests, server;
    const rooms_room_t        *room;
    const rooms_transition_t  *t;

    if (c->server.data == NULL) {
        return;
    }

    room = &a->change->room;
    before = a->before ? a->before->peers : ROOMS_NULL;
    after = before;
    guests = a->before ? a->before->guests : ROOMS_NULL;

    /* notify the servers that were in the room, and those that join */

    if (a->change->room.federated || (a->before && a->before->federated)) {
        c->audience = before.data ? before : ngx_rooms_s("");
    }

    for (i = 0; i < a->change->nmembers; i++) {
        t = &a->change->members[i];

        delta = (ngx_int_t) ngx_rooms_member_listed(&t->after)
                - (ngx_int_t) ngx_rooms_member_listed(&t->before);

        invites = (t->after.membership == ROOMS_INVITE)
                  - (t->before.membership == ROOMS_INVITE);

        if (!rooms_foreign(t->after.participant, c->server, &server)) {
            continue;
        }

        if (invites) {
            guests = ngx_rooms_apply_peers_move(c, guests, server, invites);
        }

        if (delta == 0) {
            continue;
        }

        if (delta > 0 && !rooms_peers_has(after, server)) {
            ngx_rooms_apply_peers_list(c, keys, room, server);

            if (c->audience.data && !rooms_peers_has(c->audience, server)) {
                c->audience = ngx_rooms_apply_peers_move(c, c->audience,
                                                         server, 1);
            }
        }

        after = ngx_rooms_apply_peers_move(c, after, server, delta);

        if (delta < 0 && !rooms_peers_has(after, server)
            && !ngx_rooms_apply_peers_home(room, server))
        {
            ngx_rooms_apply_peers_unlist(c, keys, room, server);
        }
    }

    if (room->origin.data
        && (a->before == NULL || (a->change->write & ROOMS_F_FEDERATED)))
    {
        if (room->federated) {
            ngx_rooms_apply_peers_list(c, keys, room, room->origin);

        } else if (!rooms_peers_has(after, room->origin)) {
            ngx_rooms_apply_peers_unlist(c, keys, room, room->origin);
        }
    }

    if (a->before) {
        ngx_rooms_apply_peers_guard(c, key, before);
    }

    c->peers = 1;

    ngx_rooms_apply_peers_write(c, key, ngx_rooms_field_peers, before, after);

    before = a->before ? a->before->guests : ROOMS_NULL;

    if (a->before && !rooms_str_eq(before, guests)) {
        ngx_rooms_commit_guard_field(c, key, ngx_rooms_field_guests, before);
        c->guests = 1;
    }

    ngx_rooms_apply_peers_write(c, key, ngx_rooms_field_guests, before,
                                guests);

    a->change->room.peers = after;
    a->change->room.guests = guests;
}


static void
ngx_rooms_apply_post(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t server, rooms_str_t item)
{
    c->posts = 1;

    ngx_rooms_commit_write_at(c, "ZADD",
                              ngx_rooms_key(keys, NGX_ROOMS_KEY_OUTBOX,
                                            server),
                              ngx_rooms_s(NGX_ROOMS_POS), item);

    /* a server that waits for its next try keeps waiting */

    ngx_rooms_commit_write(c, "ZADD",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_OUTBOXES,
                                         ROOMS_NULL),
                           ngx_rooms_s("NX"), ngx_rooms_s("0"), server);
}


/* Whether the change of membership concerns a participant of this server. */
static ngx_uint_t
ngx_rooms_apply_concerns(ngx_rooms_commit_t *c, rooms_str_t server)
{
    u_char       *p, *last, *next;
    rooms_str_t   its;

    p = (u_char *) c->concerned.data;
    last = p + c->concerned.len;

    /* each has a space before it */

    for ( /* void */ ; p < last; p = next) {
        next = ngx_strlchr(p + 1, last, ' ');

        if (next == NULL) {
            next = last;
        }

        if (rooms_foreign((rooms_str_t) { next - p - 1, p + 1 }, c->server,
                          &its)
            && rooms_str_eq(its, server))
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Somebody who is only invited may read neither the messages nor who joins
 * and leaves, and neither may their server.  Once one of them joins, a
 * snapshot tells who is there.
 */
void
ngx_rooms_apply_outbox(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_event_e type, rooms_str_t random)
{
    uint32_t     n;
    ngx_uint_t   foreign, said, members;
    rooms_str_t  from, key, peers, server, item;

    if (c->server.data == NULL) {
        return;
    }

    key = ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM, room->id);

    ngx_rooms_apply_peers_guard(c, key, room->peers);

    if (c->audience.data == NULL && !room->federated) {
        return;
    }

    foreign = c->source_server.data != NULL;
    from = c->source_server;

    item = ngx_rooms_join(c->pool, ngx_rooms_s("e "), room->id,
                          ngx_rooms_s(" evt-" NGX_ROOMS_HEX), random);

    if (room->origin.data) {

        /* the room's home tells the others */

        if (!foreign) {
            ngx_rooms_apply_post(c, keys, room->origin, item);
        }

        return;
    }

    peers = c->audience.data ? c->audience : room->peers;

    said = type == ROOMS_EV_MESSAGE || type == ROOMS_EV_REACTION
           || type == ROOMS_EV_REDACTION;

    members = type == ROOMS_EV_MEMBER || type == ROOMS_EV_POWER_LEVEL;

    if ((said || members) && peers.len && !c->guests) {
        ngx_rooms_commit_guard_field(c, key, ngx_rooms_field_guests,
                                     room->guests);
    }

    while (rooms_peers_next(&peers, &server, &n)) {

        if ((said || (members && !ngx_rooms_apply_concerns(c, server)))
            && rooms_peers_count(room->guests, server) >= n)
        {
            continue;
        }

        if (!foreign || !rooms_str_eq(server, from)) {
            ngx_rooms_apply_post(c, keys, server, item);
        }
    }
}


void
ngx_rooms_apply_snapshot(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t server)
{
    ngx_rooms_apply_post(c, keys, server,
                         ngx_rooms_join(c->pool, ngx_rooms_s("s "), room));
}
