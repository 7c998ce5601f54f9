/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Who is in a room, a page at a time, as its home tells it. */

#include "ngx_rooms_pdu.h"


/*
 * Those in the room, those banned, each behind the page before; and somebody
 * of ours, whose word a snapshot is if its creator is not of this server.
 * Ids of others all begin with "@".
 */
ngx_int_t
ngx_rooms_pdu_page(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b,
    const ngx_rooms_pdu_at_t *at)
{
    rooms_str_t  list, bans, first, last, after, limit;

    pdu->at = b->commands.nelts;
    pdu->snapshot = *at;

    list = ngx_rooms_key(pdu->keys, NGX_ROOMS_KEY_LIST, pdu->room->id);
    bans = ngx_rooms_key(pdu->keys, NGX_ROOMS_KEY_BANS, pdu->room->id);
    limit = ngx_rooms_number(b->pool, NGX_ROOMS_PDU_PAGE + 1);

    first = at->only.data ? ngx_rooms_s("[@") : ngx_rooms_s("-");
    last = at->only.data ? ngx_rooms_s("(A") : ngx_rooms_s("+");
    after = at->after.len ? ngx_rooms_join(b->pool, ngx_rooms_s("("),
                                           at->after)
                          : first;

    /* from "+" to "+" there is nothing */

    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYLEX"), list,
                             at->bans ? ngx_rooms_s("+") : after,
                             last, ngx_rooms_s("LIMIT"),
                             ngx_rooms_s("0"), limit);
    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYLEX"), bans,
                             at->bans ? after : first,
                             last, ngx_rooms_s("LIMIT"),
                             ngx_rooms_s("0"), limit);
    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYLEX"), list,
                             ngx_rooms_s("[A"), ngx_rooms_s("+"),
                             ngx_rooms_s("LIMIT"), ngx_rooms_s("0"),
                             ngx_rooms_s("1"));
    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYLEX"), list,
                             ngx_rooms_s("-"), ngx_rooms_s("(@"),
                             ngx_rooms_s("LIMIT"), ngx_rooms_s("0"),
                             ngx_rooms_s("1"));

    return b->failed ? NGX_ERROR : NGX_OK;
}


/* What of one of the two lists still fits into the page: 1, and all of it. */
static ngx_int_t
ngx_rooms_pdu_page_add(ngx_rooms_pdu_t *pdu, redisReply *list)
{
    size_t       i;
    rooms_str_t  id, server;

    if (list->type != REDIS_REPLY_ARRAY) {
        return 1;
    }

    for (i = 0; i < list->elements; i++) {

        if (pdu->nids == NGX_ROOMS_PDU_PAGE || i == NGX_ROOMS_PDU_PAGE) {
            return 0;
        }

        id = ngx_rooms_dup(pdu->pool, ngx_rooms_reply_str(list->element[i]));

        if (id.data == NULL) {
            return NGX_ERROR;
        }

        pdu->snapshot.after = id;

        if (pdu->snapshot.only.data
            && !(rooms_foreign(id, pdu->with.server, &server)
                 && rooms_str_eq(server, pdu->snapshot.only)))
        {
            continue;
        }

        if (rooms_pdu_mention(pdu->with.people, id) != 0) {
            return NGX_ERROR;
        }

        pdu->ids[pdu->nids++] = id;
    }

    return 1;
}


ngx_int_t
ngx_rooms_pdu_page_take(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b)
{
    ngx_int_t     all;
    redisReply  **r;
    rooms_str_t   id, server;

    r = b->replies + pdu->at;

    pdu->nids = 0;
    pdu->ids = ngx_palloc(pdu->pool,
                          NGX_ROOMS_PDU_PAGE * sizeof(rooms_str_t));
    if (pdu->ids == NULL) {
        return NGX_ERROR;
    }

    all = ngx_rooms_pdu_page_add(pdu, r[0]);

    if (all == 1) {

        if (!pdu->snapshot.bans) {
            pdu->snapshot.bans = 1;
            pdu->snapshot.after = ngx_rooms_s("");
        }

        all = ngx_rooms_pdu_page_add(pdu, r[1]);
    }

    if (all == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (all == 1) {
        pdu->snapshot.after = ROOMS_NULL;
    }

    pdu->sender = pdu->room->creator;

    if (!rooms_foreign(pdu->sender, pdu->with.server, &server)) {
        return NGX_OK;
    }

    id = ngx_rooms_reply_str(ngx_rooms_reply_element(r[2], 0));

    if (id.data == NULL) {
        id = ngx_rooms_reply_str(ngx_rooms_reply_element(r[3], 0));
    }

    pdu->sender = ngx_rooms_dup(pdu->pool, id);

    return rooms_pdu_mention(pdu->with.people, pdu->sender) == 0
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_pdu_part(ngx_rooms_pdu_t *pdu, json_t *members, ngx_uint_t last,
    int64_t position)
{
    u_char             *p, *id;
    json_t             *event;
    ngx_time_t         *tp;
    const char         *why;
    rooms_pdu_part_t    part;

    id = ngx_pnalloc(pdu->pool, sizeof("evt-") - 1 + 13 + 16);
    if (id == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(id, "evt-%013xL", position);
    ngx_rooms_random_hex(p, 16);

    tp = ngx_timeofday();

    ngx_memzero(&part, sizeof(rooms_pdu_part_t));

    part.room = pdu->room->id;
    part.id = (rooms_str_t) { p + 16 - id, id };
    part.sender = pdu->sender;
    part.members = members;
    part.complete = last && pdu->snapshot.after.data == NULL;
    part.refused = pdu->refused;
    part.now = (int64_t) tp->sec * 1000 + tp->msec;

    if (pdu->snapshot.part == 0) {
        pdu->snapshot.of = part.id;
    }

    if (pdu->snapshot.part || !part.complete) {
        part.of = pdu->snapshot.of;
        part.part = pdu->snapshot.part;
    }

    pdu->snapshot.part++;

    event = rooms_pdu_snapshot(&pdu->with, &part);
    why = "has nobody of this server to tell it";

    if (event) {
        why = ngx_rooms_pdu_text(pdu, event, &pdu->texts[pdu->n]);
    }

    if (why) {
        ngx_rooms_pdu_untold(pdu, event, why);

    } else {
        pdu->n++;
    }

    json_decref(event);

    return json_array_clear(members) == 0 ? NGX_OK : NGX_ERROR;
}


/* Names and avatars may be long: then a page is in several parts. */
ngx_int_t
ngx_rooms_pdu_snapshot(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b,
    int64_t position)
{
    size_t       size, len;
    json_t      *members, *person;
    ngx_int_t    rc;
    ngx_uint_t   i;

    if (ngx_rooms_pdu_found(pdu, b) != NGX_OK) {
        return NGX_ERROR;
    }

    pdu->n = 0;
    pdu->texts = ngx_pcalloc(pdu->pool,
                             (pdu->nids + 1) * sizeof(rooms_str_t));
    members = json_array();

    if (pdu->texts == NULL || members == NULL) {
        json_decref(members);
        return NGX_ERROR;
    }

    rc = NGX_OK;

    for (size = 0, i = 0; rc == NGX_OK && i < pdu->nids; i++) {
        person = json_object_get(pdu->with.people,
                                 (const char *) pdu->ids[i].data);

        if (!json_is_object(person)) {
            continue;
        }

        len = json_dumpb(person, NULL, 0, JSON_COMPACT) + 1;

        if (size && size + len > NGX_ROOMS_PDU_PART) {
            rc = ngx_rooms_pdu_part(pdu, members, 0, position);
            size = 0;
        }

        size += len;

        if (json_array_append(members, person) != 0) {
            rc = NGX_ERROR;
        }
    }

    if (rc == NGX_OK) {
        rc = ngx_rooms_pdu_part(pdu, members, 1, position);
    }

    json_decref(members);

    return rc;
}
