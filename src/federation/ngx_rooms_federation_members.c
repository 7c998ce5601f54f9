/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /_scaiwave/federation/v1/rooms/{room_id}/members: who is in a room of
 * ours, for a server that has somebody there.  While its participants are
 * merely invited it sees their rows alone, as they would.
 */

#include "ngx_rooms_federation_room.h"


#define NGX_ROOMS_PEER_MEMBERS       100
#define NGX_ROOMS_PEER_MEMBERS_MAX   500
#define NGX_ROOMS_PEER_MEMBERS_SIZE (1000 * 1024)   /* of rows, about */
#define NGX_ROOMS_PEER_MEMBERS_LOOK 4096   /* ids, in one request */

typedef struct {
    ngx_rooms_peer_room_t  pr;
    int64_t                limit;
    rooms_str_t            after;

    rooms_str_t           *ids;
    ngx_uint_t             nids;
    ngx_uint_t             wanted;         /* ids asked for */
    ngx_uint_t             looked;
    ngx_uint_t             got;
    rooms_str_t            tail;           /* the last one that was got */

    rooms_member_t        *members;
    ngx_rooms_profile_t   *profiles;
    ngx_uint_t             n;
    size_t                 size;
    unsigned               more:1;
} ngx_rooms_peer_page_t;

typedef enum {
    NGX_ROOMS_Y_IDS = NGX_ROOMS_W_MAX,
    NGX_ROOMS_Y_ROWS
} ngx_rooms_peer_members_round_e;


static ngx_int_t ngx_rooms_peer_members_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_peer_members_ids(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_peer_members_rows(ngx_rooms_req_t *rq,
    redisReply *ids);
static ngx_int_t ngx_rooms_peer_members_take(ngx_rooms_req_t *rq);


ngx_int_t
ngx_rooms_peer_members_load(ngx_rooms_req_t *rq)
{
    ngx_int_t               rc;
    ngx_rooms_peer_page_t  *page;

    if (rq->round == NGX_ROOMS_W_BEGIN
        && ngx_rooms_peer_members_begin(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    page = rq->data;

    switch (rq->round) {

    case NGX_ROOMS_Y_IDS:
        return ngx_rooms_peer_members_rows(rq, ngx_rooms_reply(rq, 0));

    case NGX_ROOMS_Y_ROWS:
        return ngx_rooms_peer_members_take(rq);

    default:
        rc = ngx_rooms_peer_room(rq, &page->pr);

        return rc == NGX_OK ? ngx_rooms_peer_members_ids(rq) : rc;
    }
}


static ngx_int_t
ngx_rooms_peer_members_begin(ngx_rooms_req_t *rq)
{
    ngx_int_t               rc;
    ngx_rooms_peer_page_t  *page;

    page = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_peer_page_t));
    if (page == NULL) {
        return NGX_ERROR;
    }

    rq->data = page;

    if (ngx_rooms_arg_int(rq, "limit", 1, NGX_ROOMS_PEER_MEMBERS_MAX,
                          NGX_ROOMS_PEER_MEMBERS, &page->limit) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_rooms_arg_cursor(rq, "cursor", 'p', &page->after);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK && !rooms_participant_valid(page->after)) {
        return ngx_rooms_invalid(rq, "cursor", "is no cursor of this list");
    }

    page->members = ngx_palloc(rq->pool,
                               page->limit * sizeof(rooms_member_t));
    page->profiles = ngx_palloc(rq->pool,
                                page->limit * sizeof(ngx_rooms_profile_t));

    return page->members && page->profiles ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_peer_members_ids(ngx_rooms_req_t *rq)
{
    rooms_str_t             from;
    ngx_rooms_peer_page_t  *page;

    page = rq->data;

    /* one more than the page holds tells whether there is another page */

    page->wanted = page->pr.joined ? (ngx_uint_t) page->limit + 1
                                   : NGX_ROOMS_PEER_ROOM_IDS;

    from = page->after.data ? ngx_rooms_join(rq->pool, ngx_rooms_s("("),
                                             page->after)
                            : (page->pr.joined ? ngx_rooms_s("-")
                                               : ngx_rooms_s("[@"));

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_command(rq->batch, ngx_rooms_s("ZRANGEBYLEX"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_LIST,
                                           page->pr.room.id),
                             from, page->pr.joined ? ngx_rooms_s("+")
                                                   : ngx_rooms_s("(A"),
                             ngx_rooms_s("LIMIT"), ngx_rooms_s("0"),
                             ngx_rooms_number(rq->pool, page->wanted))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_Y_IDS;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_peer_members_rows(ngx_rooms_req_t *rq, redisReply *ids)
{
    ngx_uint_t              i, k;
    rooms_str_t             id, server, *argv;
    ngx_rooms_batch_t      *b;
    ngx_rooms_peer_page_t  *page;

    page = rq->data;
    page->got = ids->elements;
    page->nids = 0;

    argv = ngx_palloc(rq->pool, (ids->elements + 2) * sizeof(rooms_str_t));
    b = ngx_rooms_batch(rq);

    if (argv == NULL || b == NULL) {
        return NGX_ERROR;
    }

    page->ids = argv + 2;

    for (i = 0; i < ids->elements; i++) {
        id = ngx_rooms_reply_str(ids->element[i]);

        if (page->pr.joined
            || (rooms_foreign(id, rooms_from_ngx(rq->conf->server_name),
                              &server)
                && rooms_str_eq(server, page->pr.server)))
        {
            page->ids[page->nids++] = id;
        }

        page->tail = id;
    }

    if (page->nids == 0) {
        return ngx_rooms_peer_members_take(rq);
    }

    for (k = 0; k < 2; k++) {
        argv[0] = ngx_rooms_s("HMGET");
        argv[1] = ngx_rooms_key(&rq->keys, k ? NGX_ROOMS_KEY_PARTICIPANTS
                                             : NGX_ROOMS_KEY_MEMBERS,
                                k ? ROOMS_NULL : page->pr.room.id);

        if (ngx_rooms_batch_add(b, argv, page->nids + 2) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    rq->round = NGX_ROOMS_Y_ROWS;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_peer_members_take(ngx_rooms_req_t *rq)
{
    ngx_uint_t              i;
    rooms_member_t          m;
    ngx_rooms_profile_t    *p;
    ngx_rooms_peer_page_t  *page;

    page = rq->data;

    for (i = 0; i < page->nids; i++) {

        if (ngx_rooms_parse_member(
                  ngx_rooms_reply_str(
                          ngx_rooms_reply_element(ngx_rooms_reply(rq, 0), i)),
                  page->ids[i], &m) != NGX_OK)
        {
            ngx_rooms_unreadable(rq->r->connection->log, "member of",
                                 page->pr.room.id);
            continue;
        }

        /* a row may have gone since the index was read */

        if (m.membership != ROOMS_JOIN && m.membership != ROOMS_INVITE) {
            continue;
        }

        if ((int64_t) page->n == page->limit
            || page->size >= NGX_ROOMS_PEER_MEMBERS_SIZE)
        {
            page->more = 1;
            return NGX_OK;
        }

        (void) ngx_rooms_show_profile(rq->pool, rq->r->connection->log,
                  ngx_rooms_reply_str(
                          ngx_rooms_reply_element(ngx_rooms_reply(rq, 1), i)),
                  page->ids[i], &page->profiles[page->n]);

        p = &page->profiles[page->n];
        page->size += 160 + p->id.len + p->name.len + p->avatar.len;
        page->members[page->n++] = m;
        page->after = page->ids[i];
    }

    page->looked += page->got;
    page->after = page->tail;

    if (page->got < page->wanted) {
        return NGX_OK;
    }

    if (page->looked >= NGX_ROOMS_PEER_MEMBERS_LOOK) {
        page->more = 1;
        return NGX_OK;
    }

    return ngx_rooms_peer_members_ids(rq);
}


static void
ngx_rooms_peer_members_row(rooms_buf_t *b, ngx_rooms_req_t *rq,
    const rooms_member_t *m, const ngx_rooms_profile_t *p)
{
    rooms_str_t  server;

    rooms_json_lit(b, "{\"fqid\":");

    if (rooms_foreign(p->id, rooms_from_ngx(rq->conf->server_name), &server))
    {
        rooms_json_str(b, p->id);

    } else {
        ngx_rooms_fqid_json(b, p, &rq->conf->server_name);
    }

    rooms_json_lit(b, ",\"membership\":");
    rooms_json_str(b, rooms_cstr(rooms_membership_name(m->membership)));
    rooms_json_lit(b, ",\"power_level\":");
    rooms_json_int(b, m->power);
    rooms_json_lit(b, ",\"joined_at\":");

    if (m->membership == ROOMS_JOIN) {
        rooms_json_time(b, m->joined_at);

    } else {
        rooms_json_lit(b, "null");
    }

    rooms_json_lit(b, ",\"display_name\":");
    rooms_json_str(b, p->name);
    rooms_json_lit(b, ",\"avatar_url\":");
    rooms_json_str(b, p->avatar);
    rooms_json_lit(b, "}");
}


ngx_int_t
ngx_rooms_peer_members_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t              i;
    rooms_buf_t            *b;
    ngx_rooms_profile_t    *p;
    ngx_rooms_peer_page_t  *page;

    page = rq->data;

    ngx_rooms_list_open(rq);

    for (i = 0; i < page->n; i++) {
        p = &page->profiles[i];

        b = ngx_rooms_out(&rq->out, 256 + rq->conf->server_name.len
                          + 6 * (p->id.len + p->local.len + p->server.len
                                 + p->name.len + p->avatar.len));

        if (i) {
            rooms_json_lit(b, ",");
        }

        ngx_rooms_peer_members_row(b, rq, &page->members[i], p);
    }

    ngx_rooms_list_close(rq, page->more, page->more
                         ? ngx_rooms_cursor(rq->pool, 'p', page->after)
                         : ROOMS_NULL);

    return NGX_OK;
}
