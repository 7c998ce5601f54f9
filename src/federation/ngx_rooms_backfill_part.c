/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A part of a page: how much of it there is, what of that is known here, and
 * at which positions the rest goes in; what became of it is counted.
 */

#include "ngx_rooms_backfill.h"
#include "rooms_peer.h"


static ngx_int_t ngx_rooms_backfill_ask_names(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_room(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_names(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_place(ngx_rooms_backfill_t *bf);


/* What can't be imported is told at once, and counts. */
ngx_int_t
ngx_rooms_backfill_part(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    int64_t                     done;
    ngx_uint_t                  good;
    ngx_rooms_backfill_item_t  *item;

    bf->at = bf->end;
    good = 0;

    while (bf->end < bf->nitems && good < NGX_ROOMS_BACKFILL_PART) {
        done = bf->imported + bf->rejected.nelts + good;

        if (done >= bf->limit) {
            break;
        }

        item = &bf->items[bf->end++];

        if (item->problem == NULL) {
            good++;
            continue;
        }

        if (ngx_rooms_backfill_reject(bf, item) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    bf->races = 0;

    return good ? ngx_rooms_backfill_ask(rq, bf)
                : ngx_rooms_backfill_next(rq, bf);
}


ngx_int_t
ngx_rooms_backfill_ask(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i, n;
    rooms_str_t                *argv, at, events;
    ngx_rooms_batch_t          *b;
    ngx_rooms_backfill_item_t  *item;

    /* hundreds of parts may follow each other: of none a reply is kept */

    ngx_rooms_forget(rq);

    b = ngx_rooms_batch(rq);
    n = bf->end - bf->at;
    argv = ngx_palloc(bf->pool, (2 * n + 3) * sizeof(rooms_str_t));

    if (b == NULL || argv == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_command(b, ngx_rooms_s("HMGET"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_ROOM,
                                           bf->room),
                             ngx_rooms_s("history"), ngx_rooms_s("origin"),
                             ngx_rooms_s("federated"),
                             ngx_rooms_field_big);

    /* a space names nothing, and keeps the replies in their places */

    argv[0] = ngx_rooms_s("HMGET");
    argv[1] = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_UUIDS, bf->room);

    for (i = 0; i < n; i++) {
        item = &bf->items[bf->at + i];

        argv[2 + 2 * i] = item->name.data ? item->name : ngx_rooms_s(" ");
        argv[3 + 2 * i] = item->about_name.data ? item->about_name
                                                : ngx_rooms_s(" ");
    }

    (void) ngx_rooms_batch_add(b, argv, 2 * n + 2);

    argv[1] = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PARTICIPANTS,
                            ROOMS_NULL);

    for (i = 0; i < n; i++) {
        item = &bf->items[bf->at + i];

        argv[2 + i] = item->past.sender.len ? item->past.sender
                                            : ngx_rooms_s(" ");
    }

    (void) ngx_rooms_batch_add(b, argv, n + 2);

    if (ngx_rooms_backfill_ask_names(rq, bf) != NGX_OK) {
        return NGX_ERROR;
    }

    events = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_EVENTS, bf->room);

    for (i = bf->at; i < bf->end; i++) {
        item = &bf->items[i];

        if (item->problem || item->name.data) {
            continue;
        }

        /* of a sender of ours: by its position, which is in its id */

        at = ngx_rooms_number(bf->pool, rooms_event_position(item->past.id));
        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"), events, at,
                                 at);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_B_KNOWN;

    return ngx_rooms_send(rq);
}


/* What our own participants, whom contents name, are called here. */
static ngx_int_t
ngx_rooms_backfill_ask_names(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    json_t                     *value;
    ngx_uint_t                  i, n;
    const char                 *fqid;
    rooms_str_t                *argv, local, server;
    ngx_rooms_backfill_item_t  *item;

    json_decref(bf->names);
    bf->names = json_object();

    for (i = bf->at; i < bf->end; i++) {
        item = &bf->items[i];

        if (item->problem == NULL && item->past.redacted_at == 0
            && rooms_past_mentions(&item->past, bf->names) != 0)
        {
            return NGX_ERROR;
        }
    }

    argv = ngx_palloc(bf->pool, (json_object_size(bf->names) + 3)
                                * sizeof(rooms_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    argv[0] = ngx_rooms_s("HMGET");
    argv[1] = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_LOCALS, ROOMS_NULL);
    argv[2] = ngx_rooms_s(" ");
    n = 3;

    json_object_foreach(bf->names, fqid, value) {

        argv[n++] = rooms_fqid_parse(rooms_cstr(fqid), &local, &server) == 0
                    && rooms_str_eq(server,
                                    rooms_from_ngx(rq->conf->server_name))
                    ? local : ngx_rooms_s(" ");
    }

    return ngx_rooms_batch_add(rq->batch, argv, n);
}


ngx_int_t
ngx_rooms_backfill_known(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i, k, own;
    redisReply                 *uuids;
    rooms_str_t                 id;
    ngx_rooms_backfill_item_t  *item;

    if (ngx_rooms_backfill_room(rq, bf) != NGX_OK
        || ngx_rooms_backfill_names(rq, bf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    uuids = ngx_rooms_reply(rq, 1);
    bf->profiles = ngx_rooms_reply(rq, 2);
    own = 4;

    for (i = bf->at; i < bf->end; i++) {
        item = &bf->items[i];
        k = 2 * (i - bf->at);

        if (item->problem) {
            continue;
        }

        item->refused = NULL;
        item->here = 0;
        item->about = ROOMS_NULL;

        if (item->name.data) {
            item->known = ngx_rooms_reply_str(
                             ngx_rooms_reply_element(uuids, k)).data != NULL;

        } else {
            id = ngx_rooms_reply_str(
                       ngx_rooms_reply_element(ngx_rooms_reply(rq, own++),
                                               0));

            item->known = rooms_json_valid(id)
                          && rooms_str_eq(rooms_json_member_str(id, "id"),
                                          item->past.id);

            if (!item->known) {
                item->refused = "is of a sender of this server, and is not "
                                "known here";
            }
        }

        if (!ngx_rooms_backfill_imports(item) || !item->about_name.data) {
            continue;
        }

        id = ngx_rooms_reply_str(ngx_rooms_reply_element(uuids, k + 1));

        if (rooms_str_eq(item->past.about_server,
                         rooms_from_ngx(rq->conf->server_name)))
        {
            id = item->past.about_id;
        }

        if (id.data && rooms_id_valid(id, "evt-")) {
            item->about = id;
            item->here = 1;
        }
    }

    if (ngx_rooms_backfill_place(bf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_backfill_ask_copies(rq, bf);
}


/* Still the room that it was; and where its past goes. */
static ngx_int_t
ngx_rooms_backfill_room(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    u_char       *space, *last;
    redisReply   *room;
    rooms_str_t   history;

    room = ngx_rooms_reply(rq, 0);
    history = ngx_rooms_reply_str(ngx_rooms_reply_element(room, 0));

    if (!rooms_str_eq(ngx_rooms_reply_str(ngx_rooms_reply_element(room, 1)),
                      bf->origin)
        || ngx_rooms_reply_str(ngx_rooms_reply_element(room, 2)).data == NULL)
    {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY,
                              "the room is no longer federated");
    }

    bf->big = ngx_max(ngx_rooms_reply_int(ngx_rooms_reply_element(room, 3), 0),
                      0);
    bf->history = history;
    bf->low = 1;
    bf->high = 0;

    if (history.data == NULL) {
        return NGX_OK;
    }

    last = (u_char *) history.data + history.len;
    space = ngx_strlchr((u_char *) history.data, last, ' ');

    if (space) {
        bf->low = ngx_atoof((u_char *) history.data, space - history.data);
        bf->high = ngx_atoof(space + 1, last - space - 1);
    }

    if (space == NULL || bf->low < 1 || bf->high < 0) {
        ngx_log_error(NGX_LOG_ERR, rq->r->connection->log, 0,
                      "rooms: the store holds no valid history in \"%*s\"",
                      bf->room.len, bf->room.data);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_backfill_names(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    void         *iter;
    json_t       *name;
    ngx_uint_t    i;
    rooms_str_t   id;

    iter = json_object_iter(bf->names);

    for (i = 1; iter; i++) {
        id = ngx_rooms_reply_str(
                         ngx_rooms_reply_element(ngx_rooms_reply(rq, 3), i));

        if (id.data) {
            name = json_stringn((const char *) id.data, id.len);

            if (name == NULL
                || json_object_iter_set_new(bf->names, iter, name) != 0)
            {
                return NGX_ERROR;
            }
        }

        iter = json_object_iter_next(bf->names, iter);
    }

    return NGX_OK;
}


/*
 * Positions from above, and the ids that are made of them; an event that a
 * page has twice is known once it was there.
 */
static ngx_int_t
ngx_rooms_backfill_place(ngx_rooms_backfill_t *bf)
{
    u_char                     *p;
    ngx_uint_t                  i, k;
    ngx_rooms_backfill_item_t  *item, *other;

    for (i = bf->at; i < bf->end; i++) {
        item = &bf->items[i];

        if (!ngx_rooms_backfill_imports(item)) {
            continue;
        }

        for (k = bf->at; k < i; k++) {
            other = &bf->items[k];

            if (other->problem == NULL
                && rooms_str_eq(other->name, item->name))
            {
                item->known = 1;
                break;
            }
        }

        if (item->known) {
            continue;
        }

        if (bf->high < bf->low) {
            item->refused = "no room for more history";
            continue;
        }

        p = ngx_pnalloc(bf->pool, sizeof("evt-") - 1 + 13 + 16);
        if (p == NULL) {
            return NGX_ERROR;
        }

        item->position = bf->high--;
        item->local.data = p;
        item->local.len = sizeof("evt-") - 1 + 13 + 16;

        p = ngx_sprintf(p, "evt-%013xL", item->position);
        ngx_rooms_random_hex(p, 16);
    }

    for (i = bf->at; i < bf->end; i++) {
        item = &bf->items[i];

        if (!ngx_rooms_backfill_imports(item) || item->about.data
            || item->about_name.data == NULL)
        {
            continue;
        }

        for (k = bf->at; k < bf->end; k++) {
            other = &bf->items[k];

            if (ngx_rooms_backfill_imports(other)
                && rooms_str_eq(other->name, item->about_name))
            {
                item->about = other->local;
                break;
            }
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_backfill_count(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i;
    ngx_rooms_backfill_item_t  *item;

    for (i = bf->at; i < bf->end; i++) {
        item = &bf->items[i];

        if (item->problem) {
            continue;
        }

        if (item->refused) {
            item->problem = item->refused;

            if (ngx_rooms_backfill_reject(bf, item) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (item->known) {
            bf->skipped++;

        } else {
            bf->imported++;
        }
    }

    return ngx_rooms_backfill_part(rq, bf);
}
