/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Signed events and snapshots of one room: looks up the names that they
 * mention.
 */

#include "ngx_rooms_pdu.h"
#include "rooms_fedevent.h"
#include "rooms_peer.h"


static void ngx_rooms_pdu_free(void *data);
static ngx_int_t ngx_rooms_pdu_ask_people(ngx_rooms_pdu_t *pdu,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_pdu_ask_events(ngx_rooms_pdu_t *pdu,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_pdu_ask_authors(ngx_rooms_pdu_t *pdu,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_pdu_found_authors(ngx_rooms_pdu_t *pdu,
    redisReply **r);
static ngx_int_t ngx_rooms_pdu_found(ngx_rooms_pdu_t *pdu,
    ngx_rooms_batch_t *b);
static void ngx_rooms_pdu_unsent(ngx_rooms_pdu_t *pdu, json_t *event,
    const char *why);
static const char *ngx_rooms_pdu_text(ngx_rooms_pdu_t *pdu, json_t *event,
    rooms_str_t *text);


ngx_rooms_pdu_t *
ngx_rooms_pdu_create(ngx_pool_t *pool, ngx_log_t *log,
    ngx_rooms_loc_conf_t *conf, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, ngx_uint_t whole)
{
    ngx_rooms_pdu_t     *pdu;

    pdu = ngx_rooms_owned(pool, sizeof(ngx_rooms_pdu_t), ngx_rooms_pdu_free);
    if (pdu == NULL) {
        return NULL;
    }

    pdu->pool = pool;
    pdu->log = log;
    pdu->keys = keys;
    pdu->pair = conf->federation_keys->elts;
    pdu->room = room;
    pdu->whole = whole && room->origin.data == NULL;

    pdu->with.server = rooms_from_ngx(conf->server_name);
    pdu->with.room_id = room->origin_id;
    pdu->with.as_of = room->origin.data ? 0 : room->position;
    pdu->with.people = json_object();
    pdu->with.events = json_object();
    pdu->with.members = pdu->whole;
    pdu->with.sides[0] = room->type == ROOMS_DM ? room->peer[0] : ROOMS_NULL;
    pdu->with.sides[1] = room->type == ROOMS_DM ? room->peer[1] : ROOMS_NULL;
    pdu->stored = json_array();

    return pdu->with.people && pdu->with.events && pdu->stored ? pdu : NULL;
}


static void
ngx_rooms_pdu_free(void *data)
{
    ngx_rooms_pdu_t *pdu = data;

    json_decref(pdu->with.people);
    json_decref(pdu->with.events);
    json_decref(pdu->with.room);
    json_decref(pdu->stored);
}


/* NULL: it is unreadable and isn't sent. */
static json_t *
ngx_rooms_pdu_load(rooms_str_t json)
{
    return json.data ? json_loadb((const char *) json.data, json.len, 0, NULL)
                     : NULL;
}


ngx_int_t
ngx_rooms_pdu_ask(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b,
    const rooms_str_t *stored, ngx_uint_t n)
{
    json_t      *event;
    ngx_uint_t   i;

    pdu->at = b->commands.nelts;

    /* the room object names its creator */

    if (rooms_pdu_mention(pdu->with.people, pdu->room->creator) != 0
        || rooms_pdu_mention(pdu->with.people, pdu->with.sides[0]) != 0
        || rooms_pdu_mention(pdu->with.people, pdu->with.sides[1]) != 0)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        event = ngx_rooms_pdu_load(stored[i]);

        if (json_is_object(event)
            && rooms_pdu_mentions(&pdu->with, event) != 0)
        {
            json_decref(event);
            return NGX_ERROR;
        }

        if (json_array_append_new(pdu->stored, event ? event : json_null())
            != 0)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_rooms_pdu_ask_people(pdu, b) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_rooms_pdu_ask_events(pdu, b) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_pdu_ask_authors(pdu, b);
}


/*
 * The author of an imported event is stored as a number; NULL: it isn't
 * imported.
 */
static json_t *
ngx_rooms_pdu_author(json_t *event)
{
    json_t  *author;

    author = json_object_get(json_object_get(event, "content"),
                             "_imported_sender");

    return json_is_integer(author) && json_integer_value(author) >= 0
           ? author : NULL;
}


static ngx_int_t
ngx_rooms_pdu_ask_authors(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b)
{
    json_t       *author;
    ngx_uint_t    i;
    rooms_str_t   key;

    for (i = 0; i < json_array_size(pdu->stored); i++) {
        author = ngx_rooms_pdu_author(json_array_get(pdu->stored, i));

        if (author == NULL) {
            continue;
        }

        key = ngx_rooms_key(pdu->keys, NGX_ROOMS_KEY_AUTHORS, pdu->room->id);

        if (key.data == NULL
            || ngx_rooms_command(b, ngx_rooms_s("HGET"), key,
                                 ngx_rooms_number(b->pool,
                                                 json_integer_value(author)))
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* In the order of ngx_rooms_pdu_ask_authors(). */
static ngx_int_t
ngx_rooms_pdu_found_authors(ngx_rooms_pdu_t *pdu, redisReply **r)
{
    json_t       *event, *author;
    ngx_uint_t    i;
    rooms_str_t   text;

    for (i = 0; i < json_array_size(pdu->stored); i++) {
        event = json_array_get(pdu->stored, i);

        if (ngx_rooms_pdu_author(event) == NULL) {
            continue;
        }

        text = ngx_rooms_reply_str(*r++);
        author = text.data ? json_loadb((const char *) text.data, text.len, 0,
                                        NULL)
                           : NULL;

        if (json_object_set_new(json_object_get(event, "content"),
                                "_imported_sender",
                                author ? author : json_null()) != 0)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_pdu_ask_people(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b)
{
    json_t       *value;
    ngx_uint_t    n;
    const char   *id;
    rooms_str_t  *ids;

    n = 0;
    ids = ngx_palloc(b->pool, json_object_size(pdu->with.people)
                              * sizeof(rooms_str_t));
    if (ids == NULL) {
        return NGX_ERROR;
    }

    json_object_foreach(pdu->with.people, id, value) {
        ids[n++] = rooms_cstr(id);
    }

    (void) ngx_rooms_ask_many(b, pdu->keys, "HMGET",
                              NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL, ids, n);

    return ngx_rooms_ask_many(b, pdu->keys, "HMGET", NGX_ROOMS_KEY_MEMBERS,
                              pdu->room->id, ids, n);
}


static ngx_int_t
ngx_rooms_pdu_ask_events(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b)
{
    json_t       *value;
    const char   *id;
    rooms_str_t   key, at;

    key = ngx_rooms_key(pdu->keys, NGX_ROOMS_KEY_EVENTS, pdu->room->id);
    if (key.data == NULL) {
        return NGX_ERROR;
    }

    json_object_foreach(pdu->with.events, id, value) {

        /* no event has position -1, so a malformed id finds nothing */

        at = ngx_rooms_number(b->pool, rooms_event_position(rooms_cstr(id)));

        if (at.data == NULL
            || ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"), key, at, at)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_pdu_found_person(ngx_rooms_pdu_t *pdu, void *iter,
    redisReply *profile, redisReply *row)
{
    json_t               *person;
    rooms_str_t           id, server;
    rooms_member_t        m;
    ngx_rooms_profile_t   p;

    id = rooms_cstr(json_object_iter_key(iter));

    if (ngx_rooms_parse_profile(pdu->pool, ngx_rooms_reply_str(profile), id,
                                &p)
        == NGX_ERROR
        || ngx_rooms_parse_member(ngx_rooms_reply_str(row), id, &m) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, pdu->log, 0,
                      "rooms: the store has invalid data for participant "
                      "\"%*s\" of room "
                      "\"%*s\"", id.len, id.data, pdu->room->id.len,
                      pdu->room->id.data);
        return NGX_OK;
    }

    person = rooms_pdu_person(&pdu->with, &m,
                              rooms_foreign(id, pdu->with.server, &server)
                              || p.server.data ? ROOMS_NULL : p.local,
                              p.name, p.avatar);

    return person && json_object_iter_set_new(pdu->with.people, iter, person)
                     != 0
           ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_rooms_pdu_found_event(ngx_rooms_pdu_t *pdu, void *iter, redisReply *reply)
{
    json_t          *event, *name;
    rooms_str_t      row;
    rooms_stored_t   e;

    row = ngx_rooms_reply_str_at(reply, 0);

    if (row.data == NULL) {
        return NGX_OK;
    }

    if (ngx_rooms_parse_event(pdu->pool, pdu->log, row, pdu->room->id, 0, &e)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!e.readable
        || !rooms_str_eq(e.id, rooms_cstr(json_object_iter_key(iter))))
    {
        return NGX_OK;
    }

    event = ngx_rooms_pdu_load(e.json);
    name = rooms_pdu_name(&pdu->with, event);

    json_decref(event);

    return name && json_object_iter_set_new(pdu->with.events, iter, name) != 0
           ? NGX_ERROR : NGX_OK;
}


/* Fills in the names that the batch has found. */
static ngx_int_t
ngx_rooms_pdu_found(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b)
{
    void         *iter;
    ngx_uint_t    i;
    redisReply  **r;

    r = b->replies + pdu->at;

    iter = json_object_iter(pdu->with.people);

    for (i = 0; iter; i++) {

        if (ngx_rooms_pdu_found_person(pdu, iter,
                                       ngx_rooms_reply_element(r[0], i),
                                       ngx_rooms_reply_element(r[1], i))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        iter = json_object_iter_next(pdu->with.people, iter);
    }

    iter = json_object_iter(pdu->with.events);

    for (i = 2; iter; i++) {

        if (ngx_rooms_pdu_found_event(pdu, iter, r[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        iter = json_object_iter_next(pdu->with.events, iter);
    }

    if (ngx_rooms_pdu_found_authors(pdu, r + i) != NGX_OK) {
        return NGX_ERROR;
    }

    if (pdu->whole) {
        pdu->with.room = rooms_pdu_room(&pdu->with, pdu->room);

        if (pdu->with.room == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_rooms_pdu_unsent(ngx_rooms_pdu_t *pdu, json_t *event, const char *why)
{
    const char  *id;

    id = json_string_value(json_object_get(event, "id"));

    ngx_log_error(NGX_LOG_WARN, pdu->log, 0,
                  "rooms: event \"%s\" of \"%*s\" is not sent to other "
                  "servers: it %s", id ? id : "-", pdu->room->id.len,
                  pdu->room->id.data, why);
}


ngx_int_t
ngx_rooms_pdu_take(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b)
{
    json_t      *stored, *event;
    ngx_uint_t   i;
    const char  *why;

    if (ngx_rooms_pdu_found(pdu, b) != NGX_OK) {
        return NGX_ERROR;
    }

    pdu->n = json_array_size(pdu->stored);
    pdu->texts = ngx_pcalloc(pdu->pool, (pdu->n + 1) * sizeof(rooms_str_t));

    if (pdu->texts == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < pdu->n; i++) {
        stored = json_array_get(pdu->stored, i);
        event = rooms_pdu_make(&pdu->with, stored, &why);

        if (event) {
            why = ngx_rooms_pdu_text(pdu, event, &pdu->texts[i]);
        }

        json_decref(event);

        if (why) {
            ngx_rooms_pdu_unsent(pdu, stored, why);
        }
    }

    return NGX_OK;
}


/* Signs an event and sets its text; or returns the problem. */
static const char *
ngx_rooms_pdu_text(ngx_rooms_pdu_t *pdu, json_t *event, rooms_str_t *text)
{
    size_t        size;
    u_char       *p;
    ngx_pool_t   *pool;
    const char   *problem;
    rooms_buf_t   work;

    size = json_dumpb(event, NULL, 0, JSON_COMPACT);

    if (size == 0) {
        return "can't be held in memory";
    }

    if (size > NGX_ROOMS_PDU_MAX - ROOMS_FEDKEY_SIG_TEXT - ROOMS_PEER_MAX) {
        return "is too large";
    }

    /*
     * the signed form is no longer than the text, and isn't needed afterwards
     */

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, pdu->log);
    if (pool == NULL) {
        return "can't be held in memory";
    }

    problem = "can't be held in memory";
    p = ngx_pnalloc(pool, size + 1);

    if (p) {
        rooms_buf_init(&work, p, size + 1);
        problem = rooms_fedevent_sign(event, pdu->with.server, pdu->pair,
                                      &work);
    }

    ngx_destroy_pool(pool);

    if (problem) {
        return problem;
    }

    size = json_dumpb(event, NULL, 0, JSON_COMPACT);
    p = ngx_pnalloc(pdu->pool, size + 1);

    if (size == 0 || p == NULL) {
        return "can't be held in memory";
    }

    (void) json_dumpb(event, (char *) p, size, JSON_COMPACT);
    *text = (rooms_str_t) { size, p };

    return NULL;
}


/* Snapshots: the room's members, a page at a time. */


/*
 * Asks for a page of members and banned participants.  It also asks for a
 * local member: if the room's creator is foreign, that member is the
 * snapshot's sender.  Ids of foreign participants begin with "@".
 */
ngx_int_t
ngx_rooms_pdu_page(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b,
    const ngx_rooms_pdu_at_t *at)
{
    ngx_uint_t           k;
    rooms_str_t          room;
    ngx_rooms_roster_t  *roster;

    pdu->at = b->commands.nelts;
    pdu->snapshot = *at;

    room = pdu->room->id;

    (void) ngx_rooms_ask(b, pdu->keys, "ZRANGEBYLEX %k [A + LIMIT 0 1",
                         NGX_ROOMS_KEY_LIST, room);
    (void) ngx_rooms_ask(b, pdu->keys, "ZRANGEBYLEX %k - (@ LIMIT 0 1",
                         NGX_ROOMS_KEY_LIST, room);

    for (k = at->bans; k < 2; k++) {
        roster = &pdu->roster[k];

        ngx_rooms_roster_init(roster, pdu->pool, pdu->log, pdu->keys, room);

        roster->index = k ? NGX_ROOMS_KEY_BANS : NGX_ROOMS_KEY_LIST;
        roster->server = at->only;
        roster->own = pdu->with.server;

        if (k == at->bans && at->after.len) {
            roster->after = at->after;
        }

        (void) ngx_rooms_roster_ask(roster, b, NGX_ROOMS_PDU_PAGE + 1);
    }

    return b->failed ? NGX_ERROR : NGX_OK;
}


/* Adds what fits of a list to the page. */
static ngx_int_t
ngx_rooms_pdu_page_add(ngx_rooms_pdu_t *pdu, ngx_rooms_roster_t *roster,
    redisReply *list)
{
    ngx_uint_t   i;
    rooms_str_t  id;

    if (ngx_rooms_roster_take(roster, list, NGX_ROOMS_PDU_PAGE - pdu->nids)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < roster->n; i++) {
        id = ngx_rooms_dup(pdu->pool, roster->ids[i]);

        if (id.data == NULL || rooms_pdu_mention(pdu->with.people, id) != 0) {
            return NGX_ERROR;
        }

        pdu->ids[pdu->nids++] = id;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_pdu_page_take(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b)
{
    ngx_uint_t           k;
    redisReply         **r;
    rooms_str_t          id, server;
    ngx_rooms_roster_t  *roster;

    r = b->replies + pdu->at;

    pdu->nids = 0;
    pdu->ids = ngx_palloc(pdu->pool,
                          NGX_ROOMS_PDU_PAGE * sizeof(rooms_str_t));
    if (pdu->ids == NULL) {
        return NGX_ERROR;
    }

    for (k = pdu->snapshot.bans; k < 2; k++) {
        roster = &pdu->roster[k];

        if (ngx_rooms_pdu_page_add(pdu, roster,
                                   r[2 + k - pdu->snapshot.bans]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (!roster->last) {
            break;
        }
    }

    pdu->snapshot.after = ROOMS_NULL;

    if (k < 2) {
        pdu->snapshot.bans = k;
        pdu->snapshot.after = roster->after.data
                              ? ngx_rooms_dup(pdu->pool, roster->after)
                              : ngx_rooms_s("");

        if (pdu->snapshot.after.data == NULL) {
            return NGX_ERROR;
        }
    }

    pdu->sender = pdu->room->creator;

    if (!rooms_foreign(pdu->sender, pdu->with.server, &server)) {
        return NGX_OK;
    }

    id = ngx_rooms_reply_str_at(r[0], 0);

    if (id.data == NULL) {
        id = ngx_rooms_reply_str_at(r[1], 0);
    }

    pdu->sender = ngx_rooms_dup(pdu->pool, id);

    return rooms_pdu_mention(pdu->with.people, pdu->sender) == 0
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_pdu_part(ngx_rooms_pdu_t *pdu, json_t *members, ngx_uint_t last,
    int64_t position)
{
    json_t             *event;
    const char         *why;
    rooms_pdu_part_t    part;

    ngx_memzero(&part, sizeof(rooms_pdu_part_t));

    part.room = pdu->room->id;
    part.id = ngx_rooms_event_id(pdu->pool, position);

    if (part.id.data == NULL) {
        return NGX_ERROR;
    }

    part.sender = pdu->sender;
    part.members = members;
    part.complete = last && pdu->snapshot.after.data == NULL;
    part.refused = pdu->refused;
    part.now = ngx_rooms_now();

    if (pdu->snapshot.part == 0) {
        pdu->snapshot.of = part.id;
    }

    if (pdu->snapshot.part || !part.complete) {
        part.of = pdu->snapshot.of;
        part.part = pdu->snapshot.part;
    }

    pdu->snapshot.part++;

    event = rooms_pdu_snapshot(&pdu->with, &part);
    why = "has no participant of this server as its sender";

    if (event) {
        why = ngx_rooms_pdu_text(pdu, event, &pdu->texts[pdu->n]);
    }

    if (why) {
        ngx_rooms_pdu_unsent(pdu, event, why);

    } else {
        pdu->n++;
    }

    json_decref(event);

    return json_array_clear(members) == 0 ? NGX_OK : NGX_ERROR;
}


/* Long names and avatars may split a page into several parts. */
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
