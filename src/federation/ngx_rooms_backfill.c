/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Requests pages of a room's history, and judges and imports their events. */

#include "ngx_rooms_backfill.h"
#include "ngx_rooms_peer.h"
#include "rooms_fedevent.h"
#include "rooms_remote.h"
#include "rooms_peer.h"
#include "ngx_rooms_profiles.h"


/* Whether the event is valid and new here, so that it is imported. */
#define ngx_rooms_backfill_imports(item)                                      \
    ((item)->problem == NULL && (item)->refused == NULL && !(item)->known)


static ngx_int_t ngx_rooms_backfill_part(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_copies(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_call(ngx_rooms_backfill_t *bf);
static void ngx_rooms_backfill_gone(void *data);
static void ngx_rooms_backfill_forget(ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_answer(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_read(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_keys(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_judge(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_ask_names(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_room(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_names(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_place(ngx_rooms_backfill_t *bf);
static rooms_str_t ngx_rooms_backfill_row(ngx_rooms_backfill_t *bf,
    ngx_rooms_backfill_item_t *item);
static void ngx_rooms_backfill_sender(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf, ngx_uint_t i);
static ngx_int_t ngx_rooms_backfill_send(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static rooms_str_t ngx_rooms_backfill_edited(ngx_rooms_backfill_item_t *item);
static ngx_int_t ngx_rooms_backfill_next(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_reject(ngx_rooms_backfill_t *bf,
    ngx_rooms_backfill_item_t *item);
static ngx_int_t ngx_rooms_backfill_ask(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_known(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_count(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_commit(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_committed(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_ask_copies(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static void ngx_rooms_backfill_note(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf, ngx_rooms_backfill_item_t *item);


ngx_rooms_backfill_t *
ngx_rooms_backfill_create(ngx_rooms_req_t *rq)
{
    ngx_rooms_backfill_t  *bf;

    bf = ngx_rooms_owned(rq->pool, sizeof(ngx_rooms_backfill_t),
                         ngx_rooms_backfill_gone);
    if (bf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&bf->rejected, rq->pool, 4,
                       sizeof(ngx_rooms_backfill_rejected_t)) != NGX_OK)
    {
        return NULL;
    }

    bf->rq = rq;
    bf->ask = ngx_rooms_peer_ask_create(rq);
    bf->until = ngx_current_msec + NGX_ROOMS_BACKFILL_TIME;

    return bf->ask ? bf : NULL;
}


static void
ngx_rooms_backfill_gone(void *data)
{
    ngx_rooms_backfill_forget(data);
}


/* Frees all that belongs to the page. */
static void
ngx_rooms_backfill_forget(ngx_rooms_backfill_t *bf)
{
    ngx_uint_t  i;

    for (i = 0; i < bf->nitems; i++) {
        json_decref(bf->items[i].event);
    }

    json_decref(bf->names);

    bf->names = NULL;
    bf->nitems = 0;
    bf->at = 0;
    bf->end = 0;

    if (bf->pool) {
        ngx_destroy_pool(bf->pool);
        bf->pool = NULL;
    }
}


ngx_int_t
ngx_rooms_backfill_start(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    bf->room = ngx_rooms_dup(rq->pool, bf->room);
    bf->origin = ngx_rooms_dup(rq->pool, bf->origin);
    bf->origin_id = bf->origin_id.data
                    ? ngx_rooms_dup(rq->pool, bf->origin_id) : bf->room;

    if (bf->room.data == NULL || bf->origin.data == NULL
        || bf->origin_id.data == NULL)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_backfill_call(bf);
}


ngx_int_t
ngx_rooms_backfill_run(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    switch (rq->round) {

    case NGX_ROOMS_B_ANSWER:
        return ngx_rooms_backfill_answer(rq, bf);

    case NGX_ROOMS_B_KEYS:
        return ngx_rooms_backfill_keys(rq, bf);

    case NGX_ROOMS_B_KNOWN:
        return ngx_rooms_backfill_known(rq, bf);

    case NGX_ROOMS_B_COPIES:
        return ngx_rooms_backfill_copies(rq, bf);

    default:
        return ngx_rooms_backfill_committed(rq, bf);
    }
}


/*
 * Fetches another page if there is one.  Known events don't count towards the
 * limit, so a second request continues where the first one ended.  The bounds
 * on pages and time stop a peer whose history never ends.
 */
static ngx_int_t
ngx_rooms_backfill_next(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    if (bf->cursor.data == NULL
        || bf->imported + (int64_t) bf->rejected.nelts >= bf->limit
        || bf->pages >= NGX_ROOMS_BACKFILL_PAGES
        || (ngx_msec_int_t) (ngx_current_msec - bf->until) >= 0)
    {
        return NGX_OK;
    }

    return ngx_rooms_backfill_call(bf);
}


static ngx_int_t
ngx_rooms_backfill_uri(ngx_rooms_backfill_t *bf, ngx_str_t *uri)
{
    u_char  *p;
    size_t   size;

    size = sizeof("/_scaiwave/federation/v1/rooms//backfill?limit=&before=")
           + NGX_INT_T_LEN + bf->origin_id.len + 3 * bf->cursor.len;

    p = ngx_pnalloc(bf->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    uri->data = p;
    p = ngx_sprintf(p, "/_scaiwave/federation/v1/rooms/%*s/backfill?limit=%d",
                    bf->origin_id.len, bf->origin_id.data,
                    NGX_ROOMS_BACKFILL_PAGE);

    if (bf->cursor.data) {
        p = ngx_cpymem(p, "&before=", sizeof("&before=") - 1);
        p = (u_char *) ngx_escape_uri(p, (u_char *) bf->cursor.data,
                                      bf->cursor.len,
                                      NGX_ESCAPE_URI_COMPONENT);
    }

    uri->len = p - uri->data;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_backfill_call(ngx_rooms_backfill_t *bf)
{
    ngx_rooms_backfill_forget(bf);

    bf->pages++;
    bf->pool = ngx_create_pool(4096, ngx_cycle->log);

    if (bf->pool == NULL || ngx_rooms_backfill_uri(bf, &bf->uri) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_peer_ask(bf->ask, bf->pool, bf->origin, &bf->uri,
                              NGX_ROOMS_B_ANSWER);
}


static ngx_int_t
ngx_rooms_backfill_answer(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t  status;

    status = bf->ask->status;
    bf->answer = bf->ask->answer;

    if (status && status != NGX_HTTP_OK) {
        ngx_log_error(NGX_LOG_ERR, rq->r->connection->log, 0,
                      "rooms: \"%V\" of \"%*s\": no page, status %ui",
                      &bf->uri, bf->origin.len, bf->origin.data, status);
    }

    if (status != NGX_HTTP_OK || bf->answer.data == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNREACHABLE,
                              status ? "the room's home server did not send "
                                       "its history"
                                     : NULL);
    }

    switch (ngx_rooms_backfill_read(rq, bf)) {

    case NGX_OK:
        return ngx_rooms_backfill_keys(rq, bf);

    case NGX_DECLINED:
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNREACHABLE,
                              "the answer of the room's home server is not a "
                              "page of its history");

    default:
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_rooms_backfill_meta(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    rooms_str_t  meta, cursor;

    bf->cursor = ROOMS_NULL;

    if (rooms_remote_find(bf->answer, "meta", &meta) != 1
        || !rooms_json_valid(meta) || meta.data[0] != '{')
    {
        return NGX_DECLINED;
    }

    if (!rooms_str_eq(rooms_json_member(meta, "has_more"),
                      ngx_rooms_s("true")))
    {
        return NGX_OK;
    }

    cursor = rooms_json_member_str(meta, "next_cursor");

    if (cursor.len == 0 || cursor.len > NGX_ROOMS_BACKFILL_CURSOR) {
        return NGX_DECLINED;
    }

    bf->cursor = ngx_rooms_dup(rq->pool, cursor);

    return bf->cursor.data ? NGX_OK : NGX_ERROR;
}


/*
 * Each event is parsed separately, so that one with invalid JSON doesn't
 * spoil the others.
 */
static ngx_int_t
ngx_rooms_backfill_read(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_int_t                   rc;
    rooms_str_t                 data, text;
    ngx_rooms_backfill_item_t  *item;

    if (rooms_remote_find(bf->answer, "data", &data) != 1) {
        return NGX_DECLINED;
    }

    rc = ngx_rooms_backfill_meta(rq, bf);

    if (rc != NGX_OK) {
        return rc;
    }

    bf->items = ngx_pcalloc(bf->pool, NGX_ROOMS_BACKFILL_PAGE
                                      * sizeof(ngx_rooms_backfill_item_t));
    if (bf->items == NULL) {
        return NGX_ERROR;
    }

    for ( ;; ) {
        switch (rooms_remote_piece(&data, &text)) {

        case 0:
            return NGX_OK;

        case -1:
            return NGX_DECLINED;
        }

        if (bf->nitems == NGX_ROOMS_BACKFILL_PAGE) {
            return NGX_DECLINED;
        }

        item = &bf->items[bf->nitems++];
        item->event = json_loadb((const char *) text.data, text.len,
                                 JSON_REJECT_DUPLICATES, NULL);

        item->text = text;

        if (!json_is_object(item->event)) {
            item->problem = "is not a valid JSON object";
        }
    }
}


/* A key that has signed one of the events and isn't known yet. */
static rooms_str_t
ngx_rooms_backfill_key(ngx_rooms_backfill_t *bf, ngx_rooms_peer_t *peer)
{
    char         name[ROOMS_PEER_MAX + 1];
    json_t      *by, *value;
    ngx_uint_t   i, k;
    const char  *id;

    *ngx_cpymem(name, bf->origin.data, bf->origin.len) = '\0';

    for (i = 0; i < bf->nitems; i++) {
        by = json_object_get(json_object_get(bf->items[i].event,
                                             "signatures"), name);

        json_object_foreach(by, id, value) {

            for (k = 0; k < peer->nkeys; k++) {
                if (ngx_strcmp(id, peer->key[k].id) == 0) {
                    break;
                }
            }

            if (k == peer->nkeys) {
                return rooms_cstr(id);
            }
        }
    }

    return peer->known ? rooms_cstr(peer->key[0].id) : ROOMS_NULL;
}


static ngx_int_t
ngx_rooms_backfill_keys(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_int_t          rc;
    rooms_str_t        id;
    ngx_rooms_peer_t  *peer;

    peer = ngx_rooms_peer_get(rq, bf->origin, 1);
    if (peer == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNREACHABLE, NULL);
    }

    id = ngx_rooms_backfill_key(bf, peer);

    if (id.data) {
        rc = ngx_rooms_peer_event_key(rq, peer, id, NGX_ROOMS_B_KEYS);

        if (rc == NGX_AGAIN || rc == NGX_ERROR) {
            return rc;
        }
    }

    return ngx_rooms_backfill_judge(rq, bf);
}


static const char *
ngx_rooms_backfill_verify(ngx_rooms_backfill_t *bf, ngx_rooms_peer_t *peer,
    json_t *event)
{
    size_t        size;
    u_char       *p;
    ngx_pool_t   *pool;
    const char   *problem;
    rooms_buf_t   work;

    /* the canonical text is never longer than the parsed one */

    size = json_dumpb(event, NULL, 0, JSON_COMPACT) + 1;
    problem = "can not be held in memory";

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return problem;
    }

    p = ngx_pnalloc(pool, size);

    if (p) {
        rooms_buf_init(&work, p, size);
        problem = rooms_fedevent_verify(event, bf->origin, peer->key,
                                        peer->nkeys, &work);
    }

    ngx_destroy_pool(pool);

    return problem;
}


static ngx_int_t
ngx_rooms_backfill_judge(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i;
    rooms_past_t               *past;
    ngx_rooms_peer_t           *peer;
    ngx_rooms_backfill_item_t  *item;

    peer = ngx_rooms_peer_get(rq, bf->origin, 1);
    if (peer == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNREACHABLE, NULL);
    }

    for (i = 0; i < bf->nitems; i++) {
        item = &bf->items[i];
        past = &item->past;

        if (item->problem == NULL) {
            item->problem = rooms_past_read(item->event, bf->origin_id, rq->now,
                                            past);
        }

        if (item->problem == NULL) {
            item->problem = ngx_rooms_backfill_verify(bf, peer, item->event);
        }

        if (item->problem) {
            continue;
        }

        rooms_remote_own(bf->origin, past->server, &past->name, &past->avatar);

        if (!rooms_str_eq(past->server, rooms_from_ngx(rq->conf->server_name)))
        {
            item->name = ngx_rooms_join(bf->pool, ngx_rooms_s(" "),
                                        past->server, ngx_rooms_s(" "),
                                        past->id);
        }

        if (past->about_id.data) {
            item->about_name = ngx_rooms_join(bf->pool, ngx_rooms_s(" "),
                                              past->about_server,
                                              ngx_rooms_s(" "),
                                              past->about_id);
        }
    }

    return ngx_rooms_backfill_part(rq, bf);
}


static ngx_int_t
ngx_rooms_backfill_reject(ngx_rooms_backfill_t *bf,
    ngx_rooms_backfill_item_t *item)
{
    ngx_rooms_backfill_rejected_t  *r;

    r = ngx_array_push(&bf->rejected);
    if (r == NULL) {
        return NGX_ERROR;
    }

    r->id = ngx_rooms_dup(bf->rq->pool, item->event
                                        ? rooms_past_id(item->event)
                                        : rooms_remote_id(item->text));
    r->reason = item->problem;

    return NGX_OK;
}


/*
 * Parts of a page: what is in a part, which of its events are known, and
 * which positions the others get.
 */


/*
 * Starts the next part.  Invalid events are recorded as rejected and count
 * towards the limit.
 */
static ngx_int_t
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
    rooms_str_t                *names, at, events;
    ngx_rooms_batch_t          *b;
    ngx_rooms_backfill_item_t  *item;

    /* there may be hundreds of parts: don't keep their replies */

    ngx_rooms_forget(rq);

    b = ngx_rooms_batch(rq);
    n = bf->end - bf->at;
    names = ngx_palloc(bf->pool, 2 * n * sizeof(rooms_str_t));

    if (b == NULL || names == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(b, &rq->keys, "HMGET %k history origin federated %s",
                         NGX_ROOMS_KEY_ROOM, bf->room, ngx_rooms_field_big);

    /* a space is no key; it keeps the replies aligned */

    for (i = 0; i < n; i++) {
        item = &bf->items[bf->at + i];

        names[2 * i] = item->name.data ? item->name : ngx_rooms_s(" ");
        names[2 * i + 1] = item->about_name.data ? item->about_name
                                                 : ngx_rooms_s(" ");
    }

    (void) ngx_rooms_ask_many(b, &rq->keys, "HMGET", NGX_ROOMS_KEY_UUIDS,
                              bf->room, names, 2 * n);

    for (i = 0; i < n; i++) {
        item = &bf->items[bf->at + i];

        names[i] = item->past.sender.len ? item->past.sender
                                         : ngx_rooms_s(" ");
    }

    (void) ngx_rooms_ask_many(b, &rq->keys, "HMGET",
                              NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL, names,
                              n);

    if (ngx_rooms_backfill_ask_names(rq, bf) != NGX_OK) {
        return NGX_ERROR;
    }

    events = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_EVENTS, bf->room);

    for (i = bf->at; i < bf->end; i++) {
        item = &bf->items[i];

        if (item->problem || item->name.data) {
            continue;
        }

        /* a local sender: look at the position, which is in the id */

        at = ngx_rooms_number(bf->pool, rooms_event_position(item->past.id));
        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"), events, at,
                                 at);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_B_KNOWN);
}


/* Looks up the ids of local participants named in contents. */
static ngx_int_t
ngx_rooms_backfill_ask_names(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    json_t                     *value;
    ngx_uint_t                  i, n;
    const char                 *fqid;
    rooms_str_t                *locals, local, server;
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

    locals = ngx_palloc(bf->pool, (json_object_size(bf->names) + 1)
                                  * sizeof(rooms_str_t));
    if (locals == NULL) {
        return NGX_ERROR;
    }

    locals[0] = ngx_rooms_s(" ");
    n = 1;

    json_object_foreach(bf->names, fqid, value) {

        locals[n++] = rooms_fqid_parse(rooms_cstr(fqid), &local, &server) == 0
                      && rooms_str_eq(server,
                                      rooms_from_ngx(rq->conf->server_name))
                      ? local : ngx_rooms_s(" ");
    }

    return ngx_rooms_ask_many(rq->batch, &rq->keys, "HMGET",
                              NGX_ROOMS_KEY_LOCALS, ROOMS_NULL, locals, n);
}


static ngx_int_t
ngx_rooms_backfill_known(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i, k, own;
    redisReply                 *uuids;
    rooms_str_t                 id, row;
    rooms_stored_t              e;
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
        item->about = ROOMS_NULL;

        if (item->name.data) {
            item->known = ngx_rooms_reply_str_at(uuids, k).data != NULL;

        } else {
            row = ngx_rooms_reply_str_at(ngx_rooms_reply(rq, own++), 0);
            rooms_stored_read(row, 0, &e);

            item->known = rooms_stored_is(&e, item->past.id);

            if (!item->known) {
                item->refused = "is by a participant of this server, but "
                                "unknown here";
            }
        }

        if (!ngx_rooms_backfill_imports(item) || !item->about_name.data) {
            continue;
        }

        id = ngx_rooms_reply_str_at(uuids, k + 1);

        if (rooms_str_eq(item->past.about_server,
                         rooms_from_ngx(rq->conf->server_name)))
        {
            id = item->past.about_id;
        }

        /*
         * What is about an event that is here belongs behind it.  The home
         * sends it; as history it would be known then, and have no effect.
         */

        item->known = id.data && rooms_id_valid(id, "evt-");
    }

    if (ngx_rooms_backfill_place(bf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_backfill_ask_copies(rq, bf);
}


/* Checks that it is still the same room, and reads its free positions. */
static ngx_int_t
ngx_rooms_backfill_room(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    u_char       *space, *last;
    redisReply   *room;
    rooms_str_t   history;

    room = ngx_rooms_reply(rq, 0);
    history = ngx_rooms_reply_str_at(room, 0);

    if (!rooms_str_eq(ngx_rooms_reply_str_at(room, 1),
                      bf->origin)
        || ngx_rooms_reply_str_at(room, 2).data == NULL)
    {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY,
                              "the room is no longer federated");
    }

    bf->big = ngx_max(ngx_rooms_reply_int_at(room, 3, 0),
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
                      "rooms: the store has an invalid history for room "
                      "\"%*s\"",
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
        id = ngx_rooms_reply_str_at(ngx_rooms_reply(rq, 3), i);

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
 * Assigns positions from the top, and ids derived from them.  An event that
 * occurs twice in the part is known the second time.
 */
static ngx_int_t
ngx_rooms_backfill_place(ngx_rooms_backfill_t *bf)
{
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

        item->position = bf->high--;
        item->local = ngx_rooms_event_id(bf->pool, item->position);

        if (item->local.data == NULL) {
            return NGX_ERROR;
        }
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


/* The commit of a part: its events, and the senders that are new here. */


static ngx_int_t
ngx_rooms_backfill_commit(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i, n;
    rooms_str_t                 room, uuids, *events, *names;
    rooms_room_t                sizes;
    u_char                      word[NGX_ROOMS_PAST];
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
        events[n] = ngx_rooms_backfill_row(bf, item);
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

    /* readers forget where the news of rooms begin */
    ngx_rooms_random_hex(word, sizeof(word));
    ngx_rooms_commit_write(c, "HSET", ngx_rooms_key(&rq->keys,
                                                    NGX_ROOMS_KEY_TENANT,
                                                    ROOMS_NULL),
                           ngx_rooms_s("backfilled"),
                           ngx_rooms_dup(bf->pool,
                                         (rooms_str_t) { sizeof(word),
                                                         word }));

    ngx_rooms_commit_write(c, "HSET", room, ngx_rooms_s("history"),
                           ngx_rooms_join(bf->pool,
                                          ngx_rooms_number(bf->pool, bf->low),
                                          ngx_rooms_s(" "),
                                          ngx_rooms_number(bf->pool,
                                                           bf->high)));

    return ngx_rooms_backfill_send(rq, bf);
}


static rooms_str_t
ngx_rooms_backfill_row(ngx_rooms_backfill_t *bf,
    ngx_rooms_backfill_item_t *item)
{
    char            *text;
    json_t          *content;
    rooms_str_t      row;
    rooms_past_t    *past;
    rooms_stored_t   e;

    past = &item->past;

    content = rooms_past_content(past, bf->names, item->about);
    text = content ? json_dumps(content, JSON_COMPACT) : NULL;
    json_decref(content);

    if (text == NULL) {
        return ROOMS_NULL;
    }

    ngx_memzero(&e, sizeof(rooms_stored_t));

    e.digits = (rooms_str_t) { ROOMS_EVENT_DIGITS,
                               item->local.data + sizeof("evt-") - 1 };
    e.type = rooms_cstr(rooms_event_name(past->type)
                        + sizeof(ROOMS_STORED_TYPE) - 1);
    e.sender = past->sender;
    e.content = rooms_cstr(text);
    e.origin_id = past->id;
    e.origin_server = past->server;
    e.created_at = past->created_at;
    e.edited_at = ROOMS_STORED_NEVER;
    e.redacted_at = past->redacted_at ? past->redacted_at
                                      : ROOMS_STORED_NEVER;
    e.origin_ts = past->origin_ts;

    row = ngx_rooms_format_event(bf->pool, &e);

    free(text);

    return row;
}


/* Creates the sender's profile if it is new. */
static void
ngx_rooms_backfill_sender(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf,
    ngx_uint_t i)
{
    ngx_uint_t            k;
    rooms_past_t         *past;
    ngx_rooms_profile_t   p;

    past = &bf->items[i].past;

    if (ngx_rooms_reply_str_at(bf->profiles, i - bf->at).data) {
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
        || ngx_rooms_commit_build(&bf->commit, rq->batch, &rq->keys, 0)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->batch->once = 1;
    rq->partly = 1;

    return ngx_rooms_send_round(rq, NGX_ROOMS_B_COMMIT);
}


/*
 * If the commit's result is lost, the request fails.  When it is repeated, it
 * finds out what was imported.
 */
static ngx_int_t
ngx_rooms_backfill_committed(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    int64_t  position;

    switch (ngx_rooms_commit_result(rq->batch, &position,
                                    rq->r->connection->log))
    {
    case NGX_ROOMS_COMMIT_DONE:
        return ngx_rooms_backfill_count(rq, bf);

    case NGX_ROOMS_COMMIT_CONFLICT:

        if (++bf->races >= NGX_ROOMS_RACES) {
            return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT, NULL);
        }

        return ngx_rooms_backfill_ask(rq, bf);

    default:
        return NGX_ERROR;
    }
}


/*
 * Edits hold further copies of a message's content.
 *
 * History arrives newest first, so an edit comes before the message.  Until
 * the message arrives, the hash "copies" lists the edit under the message's
 * foreign name.  So a redaction finds all copies that it has to wipe.
 */


static ngx_int_t
ngx_rooms_backfill_ask_copies(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i, n, found;
    rooms_str_t                *names;
    ngx_rooms_backfill_item_t  *item;

    n = bf->end - bf->at;
    found = 0;

    names = ngx_palloc(bf->pool, n * sizeof(rooms_str_t));
    if (names == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        item = &bf->items[bf->at + i];

        item->edits = ROOMS_NULL;
        item->before = ROOMS_NULL;
        names[i] = ngx_rooms_s(" ");

        if (!ngx_rooms_backfill_imports(item)) {
            continue;
        }

        found++;

        if (item->past.edit) {

            if (ngx_rooms_backfill_edited(item).data) {
                names[i] = ngx_rooms_backfill_edited(item);
            }

        } else if (item->past.type == ROOMS_EV_MESSAGE) {
            names[i] = item->name;
        }
    }

    if (found == 0) {
        return ngx_rooms_backfill_count(rq, bf);
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_ask_many(rq->batch, &rq->keys, "HMGET",
                              NGX_ROOMS_KEY_COPIES, bf->room, names, n)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_B_COPIES);
}


/* Notes each edit with the first edit of the same message in this part. */
static ngx_int_t
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

        item->before = ngx_rooms_reply_str_at(ngx_rooms_reply(rq, 0),
                                              i - bf->at);
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


/* The field of "copies" for an edit; NULL if the message is in this part. */
static rooms_str_t
ngx_rooms_backfill_edited(ngx_rooms_backfill_item_t *item)
{
    if (!ngx_rooms_backfill_imports(item) || !item->past.edit) {
        return ROOMS_NULL;
    }

    return item->about.data ? ROOMS_NULL : item->about_name;
}


/* Writes the list of a message's copies. */
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
