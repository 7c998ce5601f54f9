/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A part of a page goes into the store: what of it is known there, and the
 * commit of what isn't.
 *
 * An edit comes before the message that it edits, as the past is told
 * backwards.  Until then the hash "copies" names it under the message's name
 * elsewhere, so that a redaction finds all that it has to wipe.
 */

#include "ngx_rooms_backfill.h"
#include "rooms_peer.h"


#define ngx_rooms_backfill_imports(item)                                      \
    ((item)->problem == NULL && (item)->refused == NULL && !(item)->known)


static ngx_int_t ngx_rooms_backfill_ask(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_ask_names(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_room(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_names(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_place(ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_ask_copies(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_commit(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_send(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_count(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);


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


static ngx_int_t
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
                             ngx_rooms_s("federated"));

    /* "/" names nothing, and keeps the replies in their places */

    argv[0] = ngx_rooms_s("HMGET");
    argv[1] = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_UUIDS, bf->room);

    for (i = 0; i < n; i++) {
        item = &bf->items[bf->at + i];

        argv[2 + 2 * i] = item->name.data ? item->name : ngx_rooms_s("/");
        argv[3 + 2 * i] = item->about_name.data ? item->about_name
                                                : ngx_rooms_s("/");
    }

    (void) ngx_rooms_batch_add(b, argv, 2 * n + 2);

    argv[1] = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PARTICIPANTS,
                            ROOMS_NULL);

    for (i = 0; i < n; i++) {
        item = &bf->items[bf->at + i];

        argv[2 + i] = item->past.sender.len ? item->past.sender
                                            : ngx_rooms_s("/");
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
    argv[2] = ngx_rooms_s("/");
    n = 3;

    json_object_foreach(bf->names, fqid, value) {

        argv[n++] = rooms_fqid_parse(rooms_cstr(fqid), &local, &server) == 0
                    && rooms_str_eq(server,
                                    rooms_from_ngx(rq->conf->server_name))
                    ? local : ngx_rooms_s("/");
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


/* Where an edit is written down, if that isn't in this part. */
static rooms_str_t
ngx_rooms_backfill_edited(ngx_rooms_backfill_item_t *item)
{
    if (!ngx_rooms_backfill_imports(item) || !item->past.edit) {
        return ROOMS_NULL;
    }

    return item->here ? item->about
                      : (item->about.data ? ROOMS_NULL : item->about_name);
}


static ngx_int_t
ngx_rooms_backfill_ask_copies(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i, n, found;
    rooms_str_t                *argv;
    ngx_rooms_backfill_item_t  *item;

    n = bf->end - bf->at;
    found = 0;

    argv = ngx_palloc(bf->pool, (n + 2) * sizeof(rooms_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    argv[0] = ngx_rooms_s("HMGET");
    argv[1] = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COPIES, bf->room);

    for (i = 0; i < n; i++) {
        item = &bf->items[bf->at + i];

        item->edits = ROOMS_NULL;
        item->before = ROOMS_NULL;
        argv[2 + i] = ngx_rooms_s("/");

        if (!ngx_rooms_backfill_imports(item)) {
            continue;
        }

        found++;

        if (item->past.edit) {

            if (ngx_rooms_backfill_edited(item).data) {
                argv[2 + i] = ngx_rooms_backfill_edited(item);
            }

        } else if (item->past.type == ROOMS_EV_MESSAGE) {
            argv[2 + i] = item->name;
        }
    }

    if (found == 0) {
        return ngx_rooms_backfill_count(rq, bf);
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_batch_add(rq->batch, argv, n + 2) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_B_COPIES;

    return ngx_rooms_send(rq);
}


/* Each edit is noted with the first one that is of the same message. */
ngx_int_t
ngx_rooms_backfill_copies(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i, k;
    rooms_str_t                 field;
    ngx_rooms_backfill_item_t  *item, *other;

    for (i = bf->at; i < bf->end; i++) {
        item = &bf->items[i];

        if (!ngx_rooms_backfill_imports(item)) {
            continue;
        }

        item->before = ngx_rooms_reply_str(
                             ngx_rooms_reply_element(ngx_rooms_reply(rq, 0),
                                                     i - bf->at));
        if (!item->past.edit) {
            continue;
        }

        field = ngx_rooms_backfill_edited(item);

        for (k = bf->at; k < bf->end; k++) {
            other = &bf->items[k];

            if (field.data
                ? rooms_str_eq(ngx_rooms_backfill_edited(other), field)
                : (ngx_rooms_backfill_imports(other)
                   && rooms_str_eq(other->local, item->about)))
            {
                other->edits = ngx_rooms_join(bf->pool, other->edits,
                                              ngx_rooms_s(" "), item->local);
                break;
            }
        }
    }

    return ngx_rooms_backfill_commit(rq, bf);
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
    rooms_str_t           key;
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
    p.type = ngx_rooms_s("user");

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL);

    ngx_rooms_commit_guard_field(&bf->commit, key, p.id, ROOMS_NULL);
    ngx_rooms_commit_write(&bf->commit, "HSET", key, p.id,
                           ngx_rooms_format_profile(bf->pool, &p, rq->now));
}


/* Where else the body of a message stands. */
static void
ngx_rooms_backfill_note(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf,
    ngx_rooms_backfill_item_t *item)
{
    rooms_str_t  key, field, value;

    if (item->edits.data == NULL && (item->before.data == NULL
                                     || item->past.edit))
    {
        return;
    }

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COPIES, bf->room);
    field = item->past.edit ? ngx_rooms_backfill_edited(item) : item->local;

    if (item->before.data) {
        value = ngx_rooms_join(bf->pool, item->before, item->edits);

    } else {
        value.data = item->edits.data + 1;
        value.len = item->edits.len - 1;
    }

    if (item->past.edit) {
        ngx_rooms_commit_guard_field(&bf->commit, key, field, item->before);

    } else if (item->before.data) {
        ngx_rooms_commit_write(&bf->commit, "HDEL", key, item->name);
    }

    ngx_rooms_commit_write(&bf->commit, "HSET", key, field, value);
}


static ngx_int_t
ngx_rooms_backfill_commit(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i, n;
    rooms_str_t                 room, uuids, *events, *names;
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


static ngx_int_t
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
