/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_roster.h"


void
ngx_rooms_roster_init(ngx_rooms_roster_t *r, ngx_pool_t *pool,
    ngx_log_t *log, ngx_rooms_keys_t *keys, rooms_str_t room)
{
    ngx_memzero(r, sizeof(ngx_rooms_roster_t));

    r->pool = pool;
    r->log = log;
    r->keys = keys;
    r->room = room;
    r->index = NGX_ROOMS_KEY_LIST;
}


ngx_int_t
ngx_rooms_roster_ask(ngx_rooms_roster_t *r, ngx_rooms_batch_t *b,
    ngx_uint_t n)
{
    rooms_str_t  from, to;

    from = r->after.data ? ngx_rooms_s("(")
           : r->server.data ? ngx_rooms_s("[@") : ngx_rooms_s("-");
    to = r->server.data ? ngx_rooms_s("(A") : ngx_rooms_s("+");

    r->asked = n;

    return ngx_rooms_ask(b, r->keys, "ZRANGEBYLEX %k %s%s %s LIMIT 0 %d",
                         r->index, r->room, from, r->after, to, (int64_t) n);
}


ngx_int_t
ngx_rooms_roster_take(ngx_rooms_roster_t *r, redisReply *ids,
    ngx_uint_t most)
{
    ngx_uint_t   i;
    rooms_str_t  id, server;

    most = ngx_min(most, ids->elements);

    r->ids = ngx_palloc(r->pool, most * sizeof(rooms_str_t));
    if (r->ids == NULL) {
        return NGX_ERROR;
    }

    r->n = 0;

    for (i = 0; i < ids->elements && r->n < most; i++) {
        id = ngx_rooms_reply_str(ids->element[i]);

        if (r->server.data == NULL
            || (rooms_foreign(id, r->own, &server)
                && rooms_str_eq(server, r->server)))
        {
            r->ids[r->n++] = id;
        }

        r->after = id;
    }

    r->looked += i;
    r->last = i == ids->elements && i < r->asked;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_roster_rows(ngx_rooms_roster_t *r, ngx_rooms_batch_t *b,
    ngx_uint_t profiles)
{
    if (r->n == 0) {
        return NGX_OK;
    }

    if (ngx_rooms_ask_many(b, r->keys, "HMGET", NGX_ROOMS_KEY_MEMBERS,
                           r->room, r->ids, r->n) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return profiles ? ngx_rooms_ask_many(b, r->keys, "HMGET",
                                         NGX_ROOMS_KEY_PARTICIPANTS,
                                         ROOMS_NULL, r->ids, r->n)
                    : NGX_OK;
}


ngx_int_t
ngx_rooms_roster_member(ngx_rooms_roster_t *r, redisReply *rows,
    ngx_uint_t i, rooms_member_t *m)
{
    rooms_str_t  row;

    row = ngx_rooms_reply_str_at(rows, i);

    if (rooms_participant_valid(r->ids[i])
        && ngx_rooms_parse_member(row, r->ids[i], m) == NGX_OK)
    {
        return NGX_OK;
    }

    ngx_rooms_unreadable(r->log, "member of", r->room);

    return NGX_DECLINED;
}
