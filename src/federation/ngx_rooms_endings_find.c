/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What has to end: what "endings" names, or else the rooms of a peer that the
 * policy doesn't allow; and taking it off, once nothing more ends there.
 */

#include "ngx_rooms_endings_step.h"


#define NGX_ROOMS_ENDINGS_PEERS  100       /* looked at together */


static ngx_int_t ngx_rooms_endings_ask_rooms(ngx_rooms_endings_t *e);


static rooms_str_t
ngx_rooms_endings_word(rooms_str_t *row)
{
    u_char       *p, *last;
    rooms_str_t   word;

    last = (u_char *) row->data + row->len;
    p = row->len ? ngx_strlchr((u_char *) row->data, last, ' ') : NULL;

    word.data = row->data;
    word.len = (p ? p : last) - row->data;

    row->data = p ? p + 1 : last;
    row->len = last - row->data;

    return word;
}


ngx_int_t
ngx_rooms_endings_ending(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b)
{
    uint32_t            crc;
    rooms_str_t         row, position;
    ngx_rooms_batch_t  *next;

    e->text = ngx_rooms_reply_str(ngx_rooms_reply_element(b->replies[1], 0));
    e->putter = ngx_rooms_reply_str(ngx_rooms_reply_element(b->replies[1],
                                                            1));

    e->policy = ngx_rooms_fedpolicy_read(e->pool, e->timer.log, e->link->conf,
                               ngx_rooms_reply_element(b->replies[1], 0));
    if (e->policy == NULL) {
        return NGX_ERROR;
    }

    e->ending = ngx_rooms_reply_str(ngx_rooms_reply_element(b->replies[0],
                                                            0));
    e->until = -1;

    if (e->ending.data) {
        row = e->ending;

        e->id = ngx_rooms_endings_word(&row);
        e->server = ngx_rooms_endings_word(&row);
        e->who = ngx_rooms_endings_word(&row);
        position = ngx_rooms_endings_word(&row);
        e->until = ngx_atoof((u_char *) position.data, position.len);

        if (!rooms_peer_valid(e->server) || !rooms_participant_valid(e->who)) {
            return ngx_rooms_endings_drop(e, 0);
        }

        if (rooms_str_eq(e->id, ngx_rooms_s("*"))) {

            if (rooms_policy_allows(e->policy, e->server, 0)) {
                /* by now it may be here again */
                return ngx_rooms_endings_drop(e, 0);
            }

            e->all = 1;
            return ngx_rooms_endings_ask_rooms(e);
        }

        return rooms_id_valid(e->id, "room-")
               ? ngx_rooms_endings_ask_room(e) : ngx_rooms_endings_drop(e, 0);
    }

    if (e->peer_len) {
        return ngx_rooms_endings_ask_rooms(e);
    }

    crc = e->text.data ? ngx_crc32_long((u_char *) e->text.data, e->text.len)
                       : 0;

    if (e->cursor_len == 0) {

        if (e->once && crc == e->passed
            && (ngx_msec_int_t) (ngx_current_msec - e->pass) < 0)
        {
            return NGX_DONE;
        }

        e->once = 1;
        e->passed = crc;
        e->pass = ngx_current_msec + NGX_ROOMS_ENDINGS_PASS;
    }

    next = ngx_rooms_endings_batch(e);
    if (next == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_command(next, ngx_rooms_s("ZRANGEBYLEX"),
                       ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_PEER_SERVERS,
                                     ROOMS_NULL),
                       e->cursor_len
                       ? ngx_rooms_join(e->pool, ngx_rooms_s("("),
                                        { e->cursor_len, e->cursor })
                       : ngx_rooms_s("-"),
                       ngx_rooms_s("+"), ngx_rooms_s("LIMIT"),
                       ngx_rooms_s("0"),
                       ngx_rooms_number(e->pool, NGX_ROOMS_ENDINGS_PEERS));

    return ngx_rooms_endings_ask(e, next, NGX_ROOMS_E_PEERS);
}


/* The next one that the policy doesn't allow. */
ngx_int_t
ngx_rooms_endings_peers(ngx_rooms_endings_t *e, redisReply *peers)
{
    ngx_uint_t   i;
    rooms_str_t  server;

    for (i = 0; i < peers->elements; i++) {
        server = ngx_rooms_reply_str(peers->element[i]);

        if (!rooms_peer_valid(server)) {
            continue;
        }

        ngx_memcpy(e->cursor, server.data, server.len);
        e->cursor_len = server.len;

        if (!rooms_policy_allows(e->policy, server, 0)) {
            ngx_memcpy(e->peer, server.data, server.len);
            e->peer_len = server.len;
            e->offset = 0;

            return ngx_rooms_endings_ask_rooms(e);
        }
    }

    if (peers->elements < NGX_ROOMS_ENDINGS_PEERS) {
        e->cursor_len = 0;
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_endings_ask_rooms(ngx_rooms_endings_t *e)
{
    rooms_str_t         at, rooms;
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_endings_batch(e);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (!e->all) {
        e->server = (rooms_str_t) { e->peer_len, e->peer };
    }

    rooms = ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_PEER_ROOMS, e->server);

    if (e->all) {
        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"), rooms,
                                 ngx_rooms_s("0"), ngx_rooms_s("0"),
                                 ngx_rooms_s("LIMIT"), ngx_rooms_s("0"),
                                 ngx_rooms_s("1"));

    } else {
        at = ngx_rooms_number(e->pool, e->offset);
        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGE"), rooms, at, at);
    }

    (void) ngx_rooms_fedpolicy_ask_invited(b, &e->keys, e->server);

    return ngx_rooms_endings_ask(e, b, NGX_ROOMS_E_ROOMS);
}


ngx_int_t
ngx_rooms_endings_rooms(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b)
{
    ngx_rooms_commit_t  *c;

    e->id = ngx_rooms_reply_str(ngx_rooms_reply_element(b->replies[0], 0));
    e->invited = ngx_rooms_reply_int(b->replies[1], 0) > 0;

    if (e->all) {
        return e->id.data ? ngx_rooms_endings_ask_room(e)
                          : ngx_rooms_endings_drop(e, 0);
    }

    if (e->id.data && !rooms_policy_allows(e->policy, e->server, e->invited))
    {
        e->who = e->putter;
        return ngx_rooms_endings_ask_room(e);
    }

    e->peer_len = 0;

    if (e->id.data || e->offset) {
        return NGX_OK;
    }

    /* it is in no room: no need to look at it again */

    c = &e->commit;

    if (ngx_rooms_lease_fence(&e->link->lease, c, e->pool, &e->keys)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rooms_commit_guard_count(c, "ZCARD",
                                 ngx_rooms_key(&e->keys,
                                               NGX_ROOMS_KEY_PEER_ROOMS,
                                               e->server), 0);
    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(&e->keys,
                                         NGX_ROOMS_KEY_PEER_SERVERS,
                                         ROOMS_NULL), e->server);
    ngx_rooms_commit_write(c, "HDEL",
                           ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_PEER_REACHED,
                                         ROOMS_NULL), e->server);

    return ngx_rooms_endings_send(e);
}


/* Nothing ends here, or nothing more does; as long as the room is so. */
ngx_int_t
ngx_rooms_endings_drop(ngx_rooms_endings_t *e, ngx_uint_t read)
{
    rooms_str_t          key;
    ngx_rooms_commit_t  *c;

    if (e->ending.data == NULL) {
        e->offset++;
        return NGX_OK;
    }

    c = &e->commit;

    if (ngx_rooms_lease_fence(&e->link->lease, c, e->pool, &e->keys)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (read) {
        key = ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_ROOM, e->id);

        ngx_rooms_commit_guard_field(c, key, ngx_rooms_field_peers,
                                     e->room.peers);
        ngx_rooms_commit_guard_field(c, key, ngx_rooms_s("federated"),
                                     e->room.federated ? ngx_rooms_s("1")
                                                       : ROOMS_NULL);
    }

    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_ENDINGS,
                                         ROOMS_NULL), e->ending);

    return ngx_rooms_endings_send(e);
}
