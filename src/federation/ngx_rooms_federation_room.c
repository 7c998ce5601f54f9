/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_federation_room.h"


static ngx_int_t ngx_rooms_peer_room_take(ngx_rooms_req_t *rq,
    ngx_rooms_peer_room_t *pr);
static ngx_int_t ngx_rooms_peer_room_ids(ngx_rooms_req_t *rq,
    ngx_rooms_peer_room_t *pr, ngx_uint_t first);
static ngx_int_t ngx_rooms_peer_room_rows(ngx_rooms_req_t *rq,
    ngx_rooms_peer_room_t *pr, redisReply *ids);
static ngx_int_t ngx_rooms_peer_room_judge(ngx_rooms_req_t *rq,
    ngx_rooms_peer_room_t *pr);


ngx_int_t
ngx_rooms_peer_room(ngx_rooms_req_t *rq, ngx_rooms_peer_room_t *pr)
{
    switch (rq->round) {

    case NGX_ROOMS_W_BEGIN:

        if (!rooms_id_valid(rq->param[NGX_ROOMS_P_ROOM], "room-")) {
            return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
        }

        return ngx_rooms_peer_room_ids(rq, pr, 1);

    case NGX_ROOMS_W_ROOM:

        if (ngx_rooms_peer_room_take(rq, pr) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_rooms_peer_room_rows(rq, pr, ngx_rooms_reply(rq, 1));

    case NGX_ROOMS_W_IDS:
        return ngx_rooms_peer_room_rows(rq, pr, ngx_rooms_reply(rq, 0));

    default:
        return ngx_rooms_peer_room_judge(rq, pr);
    }
}


static ngx_int_t
ngx_rooms_peer_room_take(ngx_rooms_req_t *rq, ngx_rooms_peer_room_t *pr)
{
    uint32_t       n;
    ngx_int_t      rc;
    rooms_str_t    peers, server;
    rooms_room_t  *room;

    room = &pr->room;
    pr->server = rq->signer->signature.server;

    rc = ngx_rooms_parse_room(ngx_rooms_reply(rq, 0),
                              rq->param[NGX_ROOMS_P_ROOM], room);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK || room->origin.data || !room->federated
        || room->incognito || room->type == ROOMS_INCOGNITO)
    {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    peers = room->peers;

    while (rooms_peers_next(&peers, &server, &n)) {

        if (rooms_str_eq(server, pr->server)) {
            pr->left = n;
            return NGX_OK;
        }
    }

    return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
}


/* Those of other servers stand together in the list: '@' is first in all. */
static ngx_int_t
ngx_rooms_peer_room_ids(ngx_rooms_req_t *rq, ngx_rooms_peer_room_t *pr,
    ngx_uint_t first)
{
    rooms_str_t         room, from;
    ngx_rooms_batch_t  *b;

    room = rq->param[NGX_ROOMS_P_ROOM];

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (first) {
        (void) ngx_rooms_load_room(b, &rq->keys, room);
    }

    from = first ? ngx_rooms_s("[@")
                 : ngx_rooms_join(rq->pool, ngx_rooms_s("("), pr->after);

    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYLEX"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_LIST,
                                           room),
                             from, ngx_rooms_s("(A"), ngx_rooms_s("LIMIT"),
                             ngx_rooms_s("0"),
                             ngx_rooms_number(rq->pool,
                                              NGX_ROOMS_PEER_ROOM_IDS));

    if (first) {
        ngx_rooms_peer_note(rq);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = first ? NGX_ROOMS_W_ROOM : NGX_ROOMS_W_IDS;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_peer_room_rows(ngx_rooms_req_t *rq, ngx_rooms_peer_room_t *pr,
    redisReply *ids)
{
    ngx_uint_t          i;
    rooms_str_t         id, server, *argv;
    ngx_rooms_batch_t  *b;

    pr->last = ids->elements < NGX_ROOMS_PEER_ROOM_IDS;
    pr->nids = 0;

    argv = ngx_palloc(rq->pool, (ids->elements + 2) * sizeof(rooms_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    argv[0] = ngx_rooms_s("HMGET");
    argv[1] = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_MEMBERS, pr->room.id);

    for (i = 0; i < ids->elements; i++) {
        id = ngx_rooms_reply_str(ids->element[i]);
        pr->after = id;

        if (rooms_foreign(id, rooms_from_ngx(rq->conf->server_name), &server)
            && rooms_str_eq(server, pr->server))
        {
            argv[2 + pr->nids++] = id;
        }
    }

    if (pr->nids == 0) {
        return pr->last ? NGX_OK : ngx_rooms_peer_room_ids(rq, pr, 0);
    }

    b = ngx_rooms_batch(rq);

    if (b == NULL || ngx_rooms_batch_add(b, argv, pr->nids + 2) != NGX_OK) {
        return NGX_ERROR;
    }

    pr->ids = argv + 2;
    rq->round = NGX_ROOMS_W_ROWS;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_peer_room_judge(ngx_rooms_req_t *rq, ngx_rooms_peer_room_t *pr)
{
    ngx_uint_t      i;
    rooms_member_t  m;

    for (i = 0; i < pr->nids; i++) {

        if (ngx_rooms_parse_member(
                  ngx_rooms_reply_str(
                          ngx_rooms_reply_element(ngx_rooms_reply(rq, 0), i)),
                  pr->ids[i], &m) != NGX_OK)
        {
            ngx_rooms_unreadable(rq->r->connection->log, "member of",
                                 pr->room.id);
            continue;
        }

        if (m.membership == ROOMS_JOIN) {
            pr->joined = 1;
            return NGX_OK;
        }
    }

    if (pr->last || pr->left <= pr->nids) {
        return NGX_OK;
    }

    pr->left -= pr->nids;

    return ngx_rooms_peer_room_ids(rq, pr, 0);
}
