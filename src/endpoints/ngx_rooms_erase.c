/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The phases of an erasure: the name, the events of each room, recorded
 * answers, media, and at last the local id.
 *
 * The `news` of a participant have an entry for every change of its
 * membership and are never trimmed.  So they list every room the participant
 * was ever in.  The events of each of these rooms are read in pages, up to
 * the position of the deactivation.
 */

#include "ngx_rooms_media.h"
#include "ngx_rooms_offboard_walk.h"


#define NGX_ROOMS_ERASE_EVENTS    200      /* in a page */
#define NGX_ROOMS_ERASE_PATIENCE  (INT64_C(24) * 3600 * 1000)
                                           /* ms to wait for other servers */
#define NGX_ROOMS_ERASE_LATER   15000      /* ms until it looks again */


/* Writes a row without personal data, under the new name. */
static void
ngx_rooms_erase_rewrite(ngx_rooms_offwalk_t *w, rooms_str_t local,
    rooms_str_t name)
{
    ngx_rooms_profile_t  p;

    ngx_memzero(&p, sizeof(ngx_rooms_profile_t));

    p.id = w->id;
    p.local = local;
    p.name = name;
    p.workspace = w->profile.workspace;
    p.type = w->profile.type;
    p.created = w->profile.created;
    p.deactivated = 1;

    ngx_rooms_apply_person(&w->commit, &w->keys, w->had, &p,
                           ngx_rooms_now());
}


/* The text of a JSON string.  "": it is no string.  NULL: no memory. */
static rooms_str_t
ngx_rooms_erase_text(ngx_rooms_offwalk_t *w, rooms_str_t json)
{
    u_char     *p;
    ptrdiff_t   len;

    if (json.len < 2 || json.data[0] != '"') {
        return ngx_rooms_s("");
    }

    p = ngx_pnalloc(w->pool, json.len);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    len = rooms_json_unescape((rooms_str_t) { json.len - 2, json.data + 1 },
                              p, json.len);

    return (rooms_str_t) { ngx_max(len, 0), p };
}


/* Removes the SCIM User that an identity provider sent (src/scim). */
static void
ngx_rooms_erase_scim(ngx_rooms_offwalk_t *w)
{
    rooms_str_t          key, user, name, external;
    ngx_rooms_commit_t  *c;

    if (w->scim.data == NULL) {
        return;
    }

    c = &w->commit;
    user = rooms_json_member(w->scim, "user");
    name = ngx_rooms_erase_text(w, rooms_json_member(user, "userName"));
    external = ngx_rooms_erase_text(w, rooms_json_member(user, "externalId"));

    key = ngx_rooms_key(&w->keys, NGX_ROOMS_KEY_SCIM, ROOMS_NULL);

    ngx_rooms_commit_guard_field(c, key, w->id, w->scim);
    ngx_rooms_commit_write(c, "HDEL", key, w->id);
    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(&w->keys, NGX_ROOMS_KEY_SCIM_LIST,
                                         ROOMS_NULL), w->id);

    ngx_strlow((u_char *) name.data, (u_char *) name.data, name.len);

    ngx_rooms_commit_write(c, "HDEL",
                           ngx_rooms_key(&w->keys, NGX_ROOMS_KEY_SCIM_NAMES,
                                         ROOMS_NULL), name);
    ngx_rooms_commit_write(c, "HDEL",
                           ngx_rooms_key(&w->keys,
                                         NGX_ROOMS_KEY_SCIM_EXTERNALS,
                                         ROOMS_NULL), external);
}


/*
 * The name goes first, since everybody sees it.  The local id stays to the
 * end: other servers know the participant by it, and redactions are sent
 * under it.
 */
static ngx_int_t
ngx_rooms_erase_names(ngx_rooms_offwalk_t *w)
{
    u_char       *p;
    rooms_str_t   name, key;

    name.len = sizeof("erased-") - 1 + 10;

    p = ngx_pnalloc(w->pool, name.len);

    if (p == NULL || ngx_rooms_offwalk_fence(w) != NGX_OK) {
        return NGX_ERROR;
    }

    name.data = p;
    ngx_rooms_random_hex(ngx_cpymem(p, "erased-", sizeof("erased-") - 1), 10);

    ngx_rooms_erase_rewrite(w, w->profile.local, name);
    ngx_rooms_erase_scim(w);

    if (w->profile.workspace.data) {
        key = ngx_rooms_key(&w->keys, NGX_ROOMS_KEY_WORKSPACE,
                            w->profile.workspace);

        ngx_rooms_commit_write(&w->commit, "HSET", key, ngx_rooms_s("name"),
                               name);
        ngx_rooms_commit_write(&w->commit, "HDEL", key,
                               ngx_rooms_s("description"));
    }

    ngx_rooms_commit_write(&w->commit, "HSET", ngx_rooms_offwalk_off(w),
                           ngx_rooms_s(NGX_ROOMS_OFF_PHASE),
                           ngx_rooms_s("rooms"),
                           ngx_rooms_s(NGX_ROOMS_OFF_NAME), name);

    return ngx_rooms_offwalk_commit(w);
}


static ngx_int_t
ngx_rooms_erase_ask_news(ngx_rooms_offwalk_t *w)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&w->round);
    if (b == NULL) {
        return NGX_ERROR;
    }

    w->room_at = ngx_rooms_offwalk_number(w,
                                          ngx_rooms_s(NGX_ROOMS_OFF_ROOM));

    (void) ngx_rooms_ask(b, &w->keys,
                         "ZRANGEBYSCORE %k (%d +inf WITHSCORES LIMIT 0 %d",
                         NGX_ROOMS_KEY_USER_NEWS, w->id, (int64_t) w->room_at,
                         (int64_t) NGX_ROOMS_OFFWALK_ROOMS);

    return ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_NEWS);
}


/* "m ROOM" records a change of membership; other entries are read markers. */
static ngx_int_t
ngx_rooms_erase_news(ngx_rooms_offwalk_t *w, redisReply *news)
{
    ngx_uint_t          i;
    rooms_str_t         entry, room;
    ngx_rooms_batch_t  *b;

    room = ROOMS_NULL;

    for (i = 0; i + 1 < news->elements; i += 2) {
        entry = ngx_rooms_reply_str(news->element[i]);
        w->room_at = ngx_rooms_reply_int(news->element[i + 1], w->room_at);

        if (entry.len < 2 || entry.data[0] != 'm') {
            continue;
        }

        room = (rooms_str_t) { entry.len - 2, entry.data + 2 };

        if (rooms_id_valid(room, "room-")) {
            break;
        }

        room = ROOMS_NULL;
    }

    if (room.data == NULL) {

        return news->elements
               ? ngx_rooms_offwalk_set(w, ngx_rooms_s(NGX_ROOMS_OFF_ROOM),
                                       ngx_rooms_number(w->pool, w->room_at))
               : ngx_rooms_offwalk_set(w, ngx_rooms_s(NGX_ROOMS_OFF_PHASE),
                                       ngx_rooms_s("answers"));
    }

    w->room.id = room;

    b = ngx_rooms_round_batch(&w->round);

    if (b == NULL || ngx_rooms_load_room(b, &w->keys, room) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_ROOM);
}


static ngx_int_t
ngx_rooms_erase_ask_page(ngx_rooms_offwalk_t *w)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&w->round);

    if (b == NULL || ngx_rooms_pager_ask(&w->pager, b) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_PAGE);
}


static ngx_int_t
ngx_rooms_erase_room(ngx_rooms_offwalk_t *w, redisReply *reply)
{
    ngx_int_t  rc;

    rc = ngx_rooms_parse_room(reply, w->room.id, &w->room);

    if (rc != NGX_OK) {
        /* the room is gone or unreadable: skip it */
        w->more = 0;
        return ngx_rooms_erase_paged(w);
    }

    if (ngx_rooms_pager_init(&w->pager, w->pool, w->timer.log, &w->keys,
                             &w->room, NGX_ROOMS_ERASE_EVENTS) != NGX_OK)
    {
        return NGX_ERROR;
    }

    w->pager.from = ngx_rooms_offwalk_number(w,
                                            ngx_rooms_s(NGX_ROOMS_OFF_EVENT));
    w->pager.to = ngx_rooms_offwalk_number(w,
                                           ngx_rooms_s(NGX_ROOMS_OFF_UNTIL));

    return ngx_rooms_erase_ask_page(w);
}


/*
 * Queues an errand if the event is a message the participant sent, or a
 * reaction it gave.  Imported messages stay: the importer is their sender,
 * but others wrote them.
 */
static ngx_int_t
ngx_rooms_erase_event(ngx_rooms_offwalk_t *w, const rooms_stored_t *e)
{
    ngx_rooms_offwalk_errand_t  *errand;

    if (!e->readable || !rooms_str_eq(e->sender, w->id)) {
        return NGX_OK;
    }

    if (e->message) {

        if (e->edit || e->redacted_at != ROOMS_STORED_NEVER
            || rooms_json_member(e->content, "_imported_sender").data)
        {
            return NGX_OK;
        }

    } else if (!rooms_str_eq(e->type, ngx_rooms_s("reaction"))
               || !rooms_str_eq(rooms_json_member_str(e->content, "action"),
                                ngx_rooms_s("add")))
    {
        return NGX_OK;
    }

    errand = ngx_array_push(&w->errands);
    if (errand == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(errand, sizeof(ngx_rooms_offwalk_errand_t));
    errand->room = w->room.id;

    if (e->message) {
        errand->kind = NGX_ROOMS_ERRAND_REDACT;
        errand->event = e->id;
        return NGX_OK;
    }

    errand->kind = NGX_ROOMS_ERRAND_UNREACT;
    errand->event = rooms_json_member_str(e->content, "event_id");
    errand->emoji = ngx_rooms_erase_text(w,
                                  rooms_json_member(e->content, "emoji"));

    return errand->emoji.data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_erase_page(ngx_rooms_offwalk_t *w, redisReply *reply)
{
    ngx_int_t           rc;
    ngx_uint_t          i;
    ngx_rooms_paged_t  *e;

    rc = ngx_rooms_pager_take(&w->pager, reply);

    if (rc == NGX_AGAIN) {
        return ngx_rooms_erase_ask_page(w);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    w->more = w->pager.more;
    e = w->pager.page.elts;

    for (i = 0; i < w->pager.page.nelts; i++) {
        if (ngx_rooms_erase_event(w, &e[i].stored) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_rooms_offwalk_errands(w);
}


/* Moves the cursor behind a page of a room's events, or behind the room. */
ngx_int_t
ngx_rooms_erase_paged(ngx_rooms_offwalk_t *w)
{
    rooms_str_t          off;
    ngx_rooms_commit_t  *c;

    c = &w->commit;
    off = ngx_rooms_offwalk_off(w);

    if (ngx_rooms_offwalk_fence(w) != NGX_OK) {
        return NGX_ERROR;
    }

    if (w->more) {
        ngx_rooms_commit_write(c, "HSET", off,
                               ngx_rooms_s(NGX_ROOMS_OFF_EVENT),
                               ngx_rooms_number(w->pool, w->pager.from));

    } else {
        ngx_rooms_commit_write(c, "HSET", off,
                               ngx_rooms_s(NGX_ROOMS_OFF_ROOM),
                               ngx_rooms_number(w->pool, w->room_at));
        ngx_rooms_commit_write(c, "HDEL", off,
                               ngx_rooms_s(NGX_ROOMS_OFF_EVENT));
        ngx_rooms_commit_write(c, "HINCRBY", off,
                               ngx_rooms_s(NGX_ROOMS_OFF_ROOMS),
                               ngx_rooms_s("1"));
    }

    return ngx_rooms_offwalk_commit(w);
}


/* Recorded answers to its requests, and those that name it. */
static ngx_int_t
ngx_rooms_erase_ask_answers(ngx_rooms_offwalk_t *w)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&w->round);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(b, &w->keys, "ZRANGE %k 0 %d",
                         NGX_ROOMS_KEY_USER_ANSWERS, w->id,
                         (int64_t) (NGX_ROOMS_OFFWALK_ROOMS - 1));

    return ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_ANSWERS);
}


static ngx_int_t
ngx_rooms_erase_answers(ngx_rooms_offwalk_t *w, redisReply *answers)
{
    ngx_uint_t   i;
    rooms_str_t  id, key, kept;

    if (answers->elements == 0) {
        w->cursor_len = 0;
        return ngx_rooms_offwalk_set(w, ngx_rooms_s(NGX_ROOMS_OFF_PHASE),
                                     ngx_rooms_s("media"));
    }

    if (ngx_rooms_offwalk_fence(w) != NGX_OK) {
        return NGX_ERROR;
    }

    key = ngx_rooms_key(&w->keys, NGX_ROOMS_KEY_USER_ANSWERS, w->id);
    kept = ngx_rooms_key(&w->keys, NGX_ROOMS_KEY_KEPT, ROOMS_NULL);

    for (i = 0; i < answers->elements; i++) {
        id = ngx_rooms_reply_str(answers->element[i]);

        ngx_rooms_commit_delete(&w->commit,
                                ngx_rooms_key(&w->keys,
                                              NGX_ROOMS_KEY_IDEMPOTENCY, id));
        ngx_rooms_commit_write(&w->commit, "ZREM", key, id);
        ngx_rooms_commit_write(&w->commit, "ZREM", kept, id);
    }

    return ngx_rooms_offwalk_commit(w);
}


/* No index has media by owner, so the walk scans all media of the tenant. */
static ngx_int_t
ngx_rooms_erase_ask_files(ngx_rooms_offwalk_t *w)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&w->round);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(b, &w->keys, "HSCAN %k %s COUNT 500",
                         NGX_ROOMS_KEY_MEDIA, ROOMS_NULL,
                         w->cursor_len
                         ? (rooms_str_t) { w->cursor_len, w->cursor }
                         : ngx_rooms_s("0"));

    return ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_FILES);
}


static ngx_int_t
ngx_rooms_erase_files(ngx_rooms_offwalk_t *w, redisReply *reply)
{
    ngx_uint_t                   i;
    redisReply                  *page;
    rooms_str_t                  cursor, row, contents[NGX_ROOMS_OFFWALK_MEDIA];
    ngx_rooms_batch_t           *b;
    ngx_rooms_offwalk_medium_t  *m;

    cursor = ngx_rooms_reply_str_at(reply, 0);
    page = ngx_rooms_reply_element(reply, 1);

    if (page == NULL || cursor.len == 0 || cursor.len > sizeof(w->cursor)) {
        return NGX_ERROR;
    }

    for (i = 0; i + 1 < page->elements && w->nmedia < NGX_ROOMS_OFFWALK_MEDIA;
         i += 2)
    {
        row = ngx_rooms_reply_str(page->element[i + 1]);

        if (!rooms_str_eq(ngx_rooms_json_id(w->pool,
                                  rooms_json_member(row, "owner_id")), w->id))
        {
            continue;
        }

        m = &w->media[w->nmedia];
        m->id = ngx_rooms_reply_str(page->element[i]);
        m->row = row;
        m->sha256 = rooms_json_member_str(row, "sha256");
        contents[w->nmedia++] = m->sha256;
    }

    if (w->nmedia == 0) {

        if (cursor.len == 1 && cursor.data[0] == '0') {
            return ngx_rooms_offwalk_set(w, ngx_rooms_s(NGX_ROOMS_OFF_PHASE),
                                         ngx_rooms_s("local"));
        }

        ngx_memcpy(w->cursor, cursor.data, cursor.len);
        w->cursor_len = cursor.len;

        return ngx_rooms_offwalk_step(w);
    }

    /* the cursor stays: the same page is read again once these are gone */

    b = ngx_rooms_round_batch(&w->round);

    if (b == NULL
        || ngx_rooms_ask_many(b, &w->keys, "HMGET", NGX_ROOMS_KEY_BLOBS,
                              ROOMS_NULL, contents, w->nmedia) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_CONTENTS);
}


/*
 * Removes the rows of the media.  The sweep deletes contents without
 * references.
 */
static ngx_int_t
ngx_rooms_erase_contents(ngx_rooms_offwalk_t *w, redisReply *counts)
{
    int64_t                      n, bytes;
    ngx_uint_t                   i, k;
    rooms_str_t                  media, blobs, had;
    ngx_rooms_commit_t          *c;
    ngx_rooms_offwalk_medium_t  *m;

    c = &w->commit;
    m = w->media;

    if (ngx_rooms_offwalk_fence(w) != NGX_OK) {
        return NGX_ERROR;
    }

    media = ngx_rooms_key(&w->keys, NGX_ROOMS_KEY_MEDIA, ROOMS_NULL);
    blobs = ngx_rooms_key(&w->keys, NGX_ROOMS_KEY_BLOBS, ROOMS_NULL);

    for (i = 0, bytes = 0; i < w->nmedia; i++) {
        bytes += rooms_json_member_int(m[i].row, "size", 0);

        ngx_rooms_commit_guard_field(c, media, m[i].id, m[i].row);
        ngx_rooms_commit_write(c, "HDEL", media, m[i].id);

        for (k = 0; k < i && !rooms_str_eq(m[k].sha256, m[i].sha256); k++) {
            /* void */
        }

        if (k < i || m[i].sha256.data == NULL) {
            /* counted with the first one of that content */
            continue;
        }

        had = ngx_rooms_reply_str_at(counts, i);
        n = had.data ? ngx_atoof((u_char *) had.data, had.len) : 0;

        for (k = i; k < w->nmedia; k++) {
            n -= rooms_str_eq(m[k].sha256, m[i].sha256);
        }

        ngx_rooms_commit_guard_field(c, blobs, m[i].sha256, had);

        if (n > 0) {
            ngx_rooms_commit_write(c, "HSET", blobs, m[i].sha256,
                                   ngx_rooms_number(w->pool, n));

        } else {
            ngx_rooms_commit_write(c, "HDEL", blobs, m[i].sha256);
        }
    }

    ngx_rooms_media_count(c, &w->keys, -bytes);
    ngx_rooms_commit_write(c, "HINCRBY", ngx_rooms_offwalk_off(w),
                           ngx_rooms_s(NGX_ROOMS_OFF_MEDIA),
                           ngx_rooms_number(w->pool, w->nmedia));

    return ngx_rooms_offwalk_commit(w);
}


static ngx_int_t
ngx_rooms_erase_ask_outboxes(ngx_rooms_offwalk_t *w)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&w->round);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(b, &w->keys, "ZCARD %k", NGX_ROOMS_KEY_OUTBOXES,
                         ROOMS_NULL);

    return ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_OUTBOXES);
}


/*
 * Other servers know the participant by its local id, so it is replaced only
 * once the outboxes are empty.
 */
static ngx_int_t
ngx_rooms_erase_local(ngx_rooms_offwalk_t *w, redisReply *outboxes)
{
    int64_t              now;
    rooms_str_t          name, locals;
    ngx_rooms_commit_t  *c;

    c = &w->commit;
    now = ngx_rooms_now();
    name = ngx_rooms_offwalk_get(w, NGX_ROOMS_OFF_NAME);

    if (name.data == NULL || ngx_rooms_offwalk_fence(w) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_rooms_reply_int(outboxes, 0) > 0
        && now - ngx_rooms_offwalk_number(w,
                                          ngx_rooms_s(NGX_ROOMS_OFF_ERASE))
           < NGX_ROOMS_ERASE_PATIENCE)
    {
        ngx_rooms_offboard_enlist(c, &w->keys, w->id,
                                  now + NGX_ROOMS_ERASE_LATER);
        return ngx_rooms_offwalk_commit(w);
    }

    locals = ngx_rooms_key(&w->keys, NGX_ROOMS_KEY_LOCALS, ROOMS_NULL);

    ngx_rooms_commit_guard_field(c, locals, name, ROOMS_NULL);
    ngx_rooms_commit_guard_field(c, locals, w->profile.local, w->id);
    ngx_rooms_commit_write(c, "HDEL", locals, w->profile.local);
    ngx_rooms_commit_write(c, "HSET", locals, name, w->id);

    ngx_rooms_erase_rewrite(w, name, name);

    ngx_rooms_commit_write(c, "HSET", ngx_rooms_offwalk_off(w),
                           ngx_rooms_s(NGX_ROOMS_OFF_ERASED),
                           ngx_rooms_number(w->pool, now));

    return ngx_rooms_offwalk_commit(w);
}


ngx_int_t
ngx_rooms_erase_turn(ngx_rooms_offwalk_t *w)
{
    rooms_str_t  phase;

    if (ngx_rooms_parse_profile(w->pool, w->had, w->id, &w->profile)
        != NGX_OK)
    {
        ngx_rooms_unreadable(w->timer.log, "profile of", w->id);
        return NGX_ERROR;
    }

    phase = ngx_rooms_offwalk_get(w, NGX_ROOMS_OFF_PHASE);

    if (phase.data == NULL) {
        return ngx_rooms_erase_names(w);
    }

    if (rooms_str_eq(phase, ngx_rooms_s("rooms"))) {
        return ngx_rooms_erase_ask_news(w);
    }

    if (rooms_str_eq(phase, ngx_rooms_s("answers"))) {
        return ngx_rooms_erase_ask_answers(w);
    }

    if (rooms_str_eq(phase, ngx_rooms_s("media"))) {
        return ngx_rooms_erase_ask_files(w);
    }

    return ngx_rooms_erase_ask_outboxes(w);
}


ngx_int_t
ngx_rooms_erase_advance(ngx_rooms_offwalk_t *w, ngx_rooms_batch_t *b)
{
    switch (w->state) {

    case NGX_ROOMS_OFFWALK_NEWS:
        return ngx_rooms_erase_news(w, b->replies[0]);

    case NGX_ROOMS_OFFWALK_ROOM:
        return ngx_rooms_erase_room(w, b->replies[0]);

    case NGX_ROOMS_OFFWALK_PAGE:
        return ngx_rooms_erase_page(w, b->replies[0]);

    case NGX_ROOMS_OFFWALK_ANSWERS:
        return ngx_rooms_erase_answers(w, b->replies[0]);

    case NGX_ROOMS_OFFWALK_FILES:
        return ngx_rooms_erase_files(w, b->replies[0]);

    case NGX_ROOMS_OFFWALK_CONTENTS:
        return ngx_rooms_erase_contents(w, b->replies[0]);

    case NGX_ROOMS_OFFWALK_OUTBOXES:
        return ngx_rooms_erase_local(w, b->replies[0]);

    default:
        return NGX_ERROR;
    }
}
