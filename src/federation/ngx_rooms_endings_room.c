/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * One room: whether it ends there, still, and with whom of the peer's it goes
 * on; and the rows that say what becomes of the room without them.
 */

#include "ngx_rooms_endings_step.h"


ngx_int_t
ngx_rooms_endings_ask_room(ngx_rooms_endings_t *e)
{
    rooms_str_t         from;
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_endings_batch(e);
    if (b == NULL) {
        return NGX_ERROR;
    }

    from = e->after.data ? ngx_rooms_join(e->pool, ngx_rooms_s("("), e->after)
                         : ngx_rooms_s("[@");

    (void) ngx_rooms_load_room(b, &e->keys, e->id);
    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYLEX"),
                             ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_LIST,
                                           e->id),
                             from, ngx_rooms_s("(A"), ngx_rooms_s("LIMIT"),
                             ngx_rooms_s("0"),
                             ngx_rooms_number(e->pool,
                                              NGX_ROOMS_ENDINGS_PAGE));
    (void) ngx_rooms_fedpolicy_ask_invited(b, &e->keys, e->server);

    return ngx_rooms_endings_ask(e, b, NGX_ROOMS_E_ROOM);
}


/*
 * Whether it ends, still: the room may be federated again, or the policy may
 * allow the peer again.  In a room of another server only that one counts,
 * which has the say of who else is there; it may have left itself, too.
 */
static ngx_uint_t
ngx_rooms_endings_ends(ngx_rooms_endings_t *e)
{
    ngx_uint_t     home;
    rooms_str_t    server;
    rooms_room_t  *room;

    room = &e->room;

    home = room->federated && room->origin.data
           && rooms_str_eq(room->origin, e->server);

    if (!home && !rooms_peers_has(room->peers, e->server)) {
        return 0;
    }

    if (!room->federated || (e->all && room->origin.data == NULL)) {
        return 1;
    }

    if (room->origin.data) {
        return home && !rooms_policy_allows(e->policy, e->server, e->invited);
    }

    if (e->ending.data
        && rooms_foreign(e->who,
                         rooms_from_ngx(e->link->conf->server_name), &server)
        && rooms_str_eq(server, e->server))
    {
        return 1;
    }

    return !rooms_policy_allows(e->policy, e->server, e->invited);
}


/*
 * Of the page those of the server: the first one, or several if it depends on
 * when they came.
 */
static void
ngx_rooms_endings_candidates(ngx_rooms_endings_t *e, redisReply *ids)
{
    ngx_uint_t   i, max;
    rooms_str_t  id, server;

    max = e->until < 0 ? 1 : NGX_ROOMS_ENDINGS_ROWS;

    e->nfound = 0;

    for (i = 0; i < ids->elements && e->nfound < max; i++) {
        id = ngx_rooms_reply_str(ids->element[i]);

        if (rooms_foreign(id, rooms_from_ngx(e->link->conf->server_name),
                          &server)
            && rooms_str_eq(server, e->server))
        {
            e->found[e->nfound++] = id;
        }
    }

    e->more = i < ids->elements || i == NGX_ROOMS_ENDINGS_PAGE;
    e->after = i ? ngx_rooms_reply_str(ids->element[i - 1]) : ROOMS_NULL;
}


/* The next page has the room, too. */
static ngx_int_t
ngx_rooms_endings_turn(ngx_rooms_endings_t *e, ngx_uint_t batches)
{
    e->after = ngx_rooms_dup(e->pool, e->after);

    if (e->after.data == NULL) {
        return NGX_ERROR;
    }

    while (batches--) {
        ngx_rooms_batch_free(e->batches[--e->nbatches]);
    }

    return ngx_rooms_endings_ask_room(e);
}


ngx_int_t
ngx_rooms_endings_room(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b)
{
    ngx_int_t           rc;
    ngx_uint_t          i;
    rooms_str_t         members;
    ngx_rooms_batch_t  *next;

    rc = ngx_rooms_parse_room(b->replies[0], e->id, &e->room);
    e->invited = ngx_rooms_reply_int(b->replies[2], 0) > 0;

    if (rc != NGX_OK || !ngx_rooms_endings_ends(e)) {
        return ngx_rooms_endings_drop(e, rc == NGX_OK);
    }

    if (!rooms_participant_valid(e->who)) {
        e->who = ngx_rooms_dup(e->pool, e->room.creator);
    }

    if (e->room.federated && e->room.origin.data) {
        return ngx_rooms_endings_alone(e);
    }

    ngx_rooms_endings_candidates(e, b->replies[1]);

    if (e->nfound == 0) {

        if (e->more) {
            return ngx_rooms_endings_turn(e, 1);
        }

        if (e->until < 0) {
            ngx_log_error(NGX_LOG_ERR, e->timer.log, 0,
                          "rooms: nobody of \"%*s\" is found in \"%*s\"",
                          e->server.len, e->server.data,
                          e->id.len, e->id.data);
        }

        return ngx_rooms_endings_drop(e, 1);
    }

    next = ngx_rooms_endings_batch(e);
    if (next == NULL) {
        return NGX_ERROR;
    }

    members = ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_MEMBERS, e->id);

    (void) ngx_rooms_command(next, ngx_rooms_s("ZREVRANGE"),
                             ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_ORDER,
                                           e->id),
                             ngx_rooms_s("0"), ngx_rooms_s("1"));

    for (i = 0; i < e->nfound; i++) {
        (void) ngx_rooms_command(next, ngx_rooms_s("HGET"), members,
                                 e->found[i]);
    }

    return ngx_rooms_endings_ask(e, next, NGX_ROOMS_E_ROWS);
}


ngx_int_t
ngx_rooms_endings_rows(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b)
{
    ngx_uint_t          i;
    rooms_str_t         members;
    ngx_rooms_batch_t  *next;

    ngx_memzero(&e->target, sizeof(rooms_target_t));

    for (i = 0; i < e->nfound; i++) {

        if (ngx_rooms_parse_member(ngx_rooms_reply_str(b->replies[1 + i]),
                                   e->found[i], &e->target.member) != NGX_OK)
        {
            return ngx_rooms_endings_drop(e, 1);
        }

        if (e->until < 0 || e->target.member.position <= e->until) {
            break;
        }
    }

    if (i == e->nfound) {
        return e->more ? ngx_rooms_endings_turn(e, 2)
                       : ngx_rooms_endings_drop(e, 1);
    }

    e->target.known = 1;
    e->ntop = ngx_min(b->replies[0]->elements, 2);

    next = ngx_rooms_endings_batch(e);
    if (next == NULL) {
        return NGX_ERROR;
    }

    members = ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_MEMBERS, e->id);

    (void) ngx_rooms_command(next, ngx_rooms_s("EXISTS"), members);

    for (i = 0; i < e->ntop; i++) {
        e->top[i].participant = ngx_rooms_reply_str(
                                              b->replies[0]->element[i]);
        (void) ngx_rooms_command(next, ngx_rooms_s("HGET"), members,
                                 e->top[i].participant);
    }

    return ngx_rooms_endings_ask(e, next, NGX_ROOMS_E_HEIRS);
}
