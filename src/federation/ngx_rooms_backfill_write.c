/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The commit of a part: events, and senders who aren't known here yet. */

#include "ngx_rooms_backfill.h"
#include "ngx_rooms_profiles.h"


static rooms_str_t ngx_rooms_backfill_json(ngx_rooms_backfill_t *bf,
    ngx_rooms_backfill_item_t *item);
static void ngx_rooms_backfill_sender(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf, ngx_uint_t i);
static ngx_int_t ngx_rooms_backfill_send(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);


ngx_int_t
ngx_rooms_backfill_commit(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i, n;
    rooms_str_t                 room, uuids, *events, *names;
    rooms_room_t                sizes;
    ngx_rooms_commit_t         *c;
    ngx_rooms_backfill_item_t  *item;

    c = &bf->commit;
    room = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_ROOM, bf->room);
    uuids = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_UUIDS, bf->room);

    events = ngx_palloc(bf->pool, 2 * (bf->end - bf->at)
                                  * sizeof(rooms_str_t));
    names = ngx_palloc(bf->pool, 2 * (bf->end - bf->at)
                                 * sizeof(rooms_str_t));

    if (events == NULL || names == NULL
        || ngx_rooms_commit_init(c, bf->pool, &rq->keys) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rooms_commit_guard_field(c, room, ngx_rooms_s("history"),
                                 bf->history);
    ngx_rooms_commit_guard_field(c, room, ngx_rooms_s("origin"), bf->origin);
    ngx_rooms_commit_guard_field(c, room, ngx_rooms_s("federated"),
                                 ngx_rooms_s("1"));

    ngx_memzero(&sizes, sizeof(rooms_room_t));
    sizes.id = bf->room;
    sizes.big = bf->big;

    for (i = bf->at, n = 0; i < bf->end; i++) {
        item = &bf->items[i];

        if (!ngx_rooms_backfill_imports(item)) {
            continue;
        }

        ngx_rooms_commit_guard_field(c, uuids, item->name, ROOMS_NULL);
        ngx_rooms_backfill_sender(rq, bf, i);
        ngx_rooms_backfill_note(rq, bf, item);

        events[n] = ngx_rooms_number(bf->pool, item->position);
        names[n++] = item->name;
        events[n] = ngx_rooms_backfill_json(bf, item);
        names[n++] = item->local;

        if (events[n - 1].data == NULL) {
            return NGX_ERROR;
        }

        ngx_rooms_apply_size(c, &rq->keys, &sizes, events[n - 1].len);
    }

    ngx_rooms_commit_command(c, 0, ngx_rooms_s("ZADD"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_EVENTS,
                                           bf->room),
                             events, n);
    ngx_rooms_commit_command(c, 0, ngx_rooms_s("HSET"), uuids, names, n);
    ngx_rooms_commit_write(c, "HSET", room, ngx_rooms_s("history"),
                           ngx_rooms_join(bf->pool,
                                          ngx_rooms_number(bf->pool, bf->low),
                                          ngx_rooms_s(" "),
                                          ngx_rooms_number(bf->pool,
                                                           bf->high)));

    return ngx_rooms_backfill_send(rq, bf);
}


static rooms_str_t
ngx_rooms_backfill_json(ngx_rooms_backfill_t *bf,
    ngx_rooms_backfill_item_t *item)
{
    char          *text;
    json_t        *content;
    size_t         size;
    u_char        *start;
    rooms_buf_t    b;
    rooms_past_t  *past;

    past = &item->past;

    content = rooms_past_content(past, bf->names, item->about);
    text = content ? json_dumps(content, JSON_COMPACT) : NULL;
    json_decref(content);

    if (text == NULL) {
        return ROOMS_NULL;
    }

    size = 512 + ngx_strlen(text) + bf->room.len
           + ROOMS_JSON_STR(past->sender.len) + ROOMS_JSON_STR(past->id.len)
           + ROOMS_JSON_STR(past->server.len);

    start = ngx_pnalloc(bf->pool, size);

    if (start == NULL) {
        free(text);
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, start, size);

    rooms_json_lit(&b, "{\"id\":");
    rooms_json_str(&b, item->local);
    rooms_json_lit(&b, ",\"room_id\":");
    rooms_json_str(&b, bf->room);
    rooms_json_lit(&b, ",\"stream_position\":");
    rooms_json_int(&b, item->position);
    rooms_json_lit(&b, ",\"sender_id\":");
    rooms_json_str(&b, past->sender);
    rooms_json_lit(&b, ",\"event_type\":");
    rooms_json_str(&b, rooms_cstr(rooms_event_name(past->type)));
    rooms_json_lit(&b, ",\"content\":");
    rooms_json_raw(&b, text, ngx_strlen(text));
    rooms_json_lit(&b, ",\"origin_ts\":");
    rooms_json_int(&b, past->origin_ts);
    rooms_json_lit(&b, ",\"created_at\":");
    rooms_json_time(&b, past->created_at);
    rooms_json_lit(&b, ",\"edited_at\":null,\"redacted_at\":");

    if (past->redacted_at) {
        rooms_json_time(&b, past->redacted_at);

    } else {
        rooms_json_lit(&b, "null");
    }

    rooms_json_lit(&b, ",\"origin_id\":");
    rooms_json_str(&b, past->id);
    rooms_json_lit(&b, ",\"origin_server\":");
    rooms_json_str(&b, past->server);
    rooms_json_lit(&b, "}");

    free(text);

    return b.full ? ROOMS_NULL
                  : (rooms_str_t) { b.last - start, start };
}


/* Senders who aren't known here become so. */
static void
ngx_rooms_backfill_sender(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf,
    ngx_uint_t i)
{
    ngx_uint_t            k;
    rooms_past_t         *past;
    ngx_rooms_profile_t   p;

    past = &bf->items[i].past;

    if (ngx_rooms_reply_str(ngx_rooms_reply_element(bf->profiles,
                                                    i - bf->at)).data)
    {
        return;
    }

    for (k = bf->at; k < i; k++) {

        if (ngx_rooms_backfill_imports(&bf->items[k])
            && rooms_str_eq(bf->items[k].past.sender, past->sender))
        {
            return;
        }
    }

    ngx_memzero(&p, sizeof(ngx_rooms_profile_t));

    p.id = past->sender;
    p.local = past->local;
    p.server = past->server;
    p.name = past->name.data ? past->name : past->local;
    p.avatar = past->avatar;
    p.type = ngx_rooms_s("federated");

    ngx_rooms_apply_person(&bf->commit, &rq->keys, ROOMS_NULL, &p, rq->now);

    if (past->name.data == NULL) {
        ngx_rooms_profiles_want(&bf->commit, &rq->keys, p.id, rq->now,
                                i - bf->at);
    }
}


static ngx_int_t
ngx_rooms_backfill_send(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_commit_build(&bf->commit, rq->batch, &rq->keys,
                                  bf->whole)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_B_COMMIT;
    rq->batch->once = 1;
    rq->partly = 1;

    return ngx_rooms_send(rq);
}


/*
 * A commit that was lost ends the request: asked again, it finds out by
 * itself what was imported.
 */
ngx_int_t
ngx_rooms_backfill_committed(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    int64_t  position;

    switch (ngx_rooms_commit_result(rq->batch, &position,
                                    rq->r->connection->log))
    {
    case NGX_ROOMS_COMMIT_DONE:
        return ngx_rooms_backfill_count(rq, bf);

    case NGX_ROOMS_COMMIT_NOSCRIPT:
        bf->whole = 1;
        return ngx_rooms_backfill_send(rq, bf);

    case NGX_ROOMS_COMMIT_CONFLICT:

        if (++bf->races >= NGX_ROOMS_RACES) {
            return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT, NULL);
        }

        return ngx_rooms_backfill_ask(rq, bf);

    default:
        return NGX_ERROR;
    }
}
