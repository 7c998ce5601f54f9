/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* A redaction: the body goes, and so do its copies and its reactions. */

#include "ngx_rooms_revise.h"


static ngx_int_t ngx_rooms_revise_wipe_copies(ngx_rooms_req_t *rq,
    rooms_str_t now);
static void ngx_rooms_revise_record(ngx_rooms_req_t *rq, rooms_str_t word,
    rooms_str_t record, rooms_str_t event);
static rooms_str_t ngx_rooms_revise_reason(ngx_rooms_req_t *rq,
    ngx_rooms_revision_t *v);


/* A copy is an edit's event, or the record of an Idempotency-Key. */
ngx_int_t
ngx_rooms_revise_ask_copies(ngx_rooms_req_t *rq)
{
    rooms_str_t            copies, word, events, at;
    ngx_rooms_batch_t     *b;
    ngx_rooms_revision_t  *v;

    v = rq->data;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    events = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_EVENTS,
                           rq->view.room.id);

    for (copies = v->copies; /* void */ ; /* void */) {
        word = ngx_rooms_revise_word(&copies);

        if (word.data == NULL) {
            break;
        }

        if (rooms_id_valid(word, "evt-")) {
            at = ngx_rooms_number(b->pool, rooms_event_position(word));
            (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"), events,
                                     at, at);
            continue;
        }

        if (rq->view.room.incognito) {
            (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_ANSWERS,
                                               rq->view.room.id), word);
            continue;
        }

        (void) ngx_rooms_command(b, ngx_rooms_s("GET"),
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_IDEMPOTENCY,
                                               word));
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_V_COPIES;

    return b->commands.nelts ? ngx_rooms_send(rq) : NGX_OK;
}


ngx_int_t
ngx_rooms_revise_redact(ngx_rooms_req_t *rq)
{
    ngx_uint_t             i;
    rooms_str_t            room, now, event, copies;
    ngx_rooms_keys_t      *keys;
    ngx_rooms_commit_t    *c;
    ngx_rooms_revision_t  *v;

    v = rq->data;
    c = &rq->commit;
    keys = &rq->keys;
    room = rq->view.room.id;

    now = ngx_rooms_revise_now(rq);
    event = ngx_rooms_revise_json(rq, v->event, (rooms_json_set_t[]) {
                                      { "content", ngx_rooms_s("{}") },
                                      { "redacted_at", now },
                                      { "original_content", ROOMS_NULL } }, 3);

    ngx_rooms_revise_guard(rq, v);
    ngx_rooms_revise_replace(rq, v->at, event);

    v->event = event;

    /* no edit came between, and the message counts as unread no more */

    copies = ngx_rooms_key(keys, NGX_ROOMS_KEY_COPIES, room);

    ngx_rooms_commit_guard_field(c, copies, v->id, v->copies);
    ngx_rooms_commit_write(c, "HDEL", copies, v->id);
    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_UNREAD, room),
                           v->id);
    ngx_rooms_commit_write(c, "ZREMRANGEBYLEX",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_REACTIONS, room),
                           ngx_rooms_join(rq->pool, ngx_rooms_s("["), v->id,
                                          ngx_rooms_s(" ")),
                           ngx_rooms_join(rq->pool, ngx_rooms_s("("), v->id,
                                          ngx_rooms_s("!")));

    for (i = 0; i < v->tally->elements; i++) {
        ngx_rooms_commit_write(c, "HDEL",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_COUNTS, room),
                           ngx_rooms_reply_str(v->tally->element[i]));
        ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_TALLY, room),
                           ngx_rooms_reply_str(v->tally->element[i]));
    }

    if (ngx_rooms_revise_wipe_copies(rq, now) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_revise_append(rq, ngx_rooms_revise_reason(rq, v));
}


static ngx_int_t
ngx_rooms_revise_wipe_copies(ngx_rooms_req_t *rq, rooms_str_t now)
{
    ngx_uint_t             i;
    rooms_str_t            copies, word, edit, kept;
    rooms_stored_t         stored;
    ngx_rooms_revision_t  *v;

    v = rq->data;

    kept = ngx_rooms_join(rq->pool, ngx_rooms_s("{\"replaces\":\""), v->id,
                          ngx_rooms_s("\"}"));

    if (kept.data == NULL) {
        return NGX_ERROR;
    }

    for (copies = v->copies, i = 0; v->replies; i++) {
        word = ngx_rooms_revise_word(&copies);

        if (word.data == NULL) {
            break;
        }

        if (!rooms_id_valid(word, "evt-")) {
            ngx_rooms_revise_record(rq, word,
                                    ngx_rooms_reply_str(v->replies[i]),
                                    v->event);
            continue;
        }

        edit = ngx_rooms_reply_str(ngx_rooms_reply_element(v->replies[i], 0));

        if (edit.data == NULL) {
            continue;
        }

        if (ngx_rooms_parse_event(rq->pool, rq->r->connection->log, edit,
                                  rq->view.room.id, rooms_event_position(word),
                                  &stored) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (!stored.readable) {
            /* whatever it holds of the body, nobody is shown it */
            continue;
        }

        ngx_rooms_revise_replace(rq,
                   ngx_rooms_number(rq->pool, rooms_event_position(word)),
                   ngx_rooms_revise_json(rq, edit, (rooms_json_set_t[]) {
                                             { "content", kept },
                                             { "redacted_at", now } }, 2));
    }

    return NGX_OK;
}


/* The answer that an Idempotency-Key would give again, as it is now. */
static void
ngx_rooms_revise_record(ngx_rooms_req_t *rq, rooms_str_t word,
    rooms_str_t record, rooms_str_t event)
{
    u_char                *line;
    rooms_str_t            key, body, now;
    ngx_rooms_revision_t  *v;

    v = rq->data;

    line = ngx_strlchr((u_char *) record.data,
                       (u_char *) record.data + record.len, LF);

    if (record.len == 0 || record.data[0] != 'd' || line == NULL) {
        return;
    }

    body.data = line + 1;
    body.len = record.data + record.len - body.data;

    /* the record may have expired, and the key been used again */

    if (!rooms_str_eq(rooms_json_member_str(rooms_json_member(body, "data"),
                                            "id"), v->id))
    {
        return;
    }

    now = ngx_rooms_join(rq->pool, { line + 1 - record.data, record.data },
                         ngx_rooms_s("{\"data\":"), event,
                         ngx_rooms_s("}\n"));

    if (rq->view.room.incognito) {
        key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_ANSWERS,
                            rq->view.room.id);
        ngx_rooms_commit_guard_field(&rq->commit, key, word, record);
        ngx_rooms_commit_write(&rq->commit, "HSET", key, word, now);
        return;
    }

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_IDEMPOTENCY, word);

    ngx_rooms_commit_guard_string(&rq->commit, key, record);
    ngx_rooms_commit_write(&rq->commit, "SET", key, now,
                           ngx_rooms_s("KEEPTTL"));
}


static rooms_str_t
ngx_rooms_revise_reason(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v)
{
    size_t        size;
    u_char       *start;
    rooms_buf_t   b;

    size = 64 + v->id.len + ROOMS_JSON_STR(v->reason.len);

    start = ngx_pnalloc(rq->pool, size);
    if (start == NULL) {
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, start, size);
    rooms_json_lit(&b, "{\"event_id\":");
    rooms_json_str(&b, v->id);

    if (v->reason.data) {
        rooms_json_lit(&b, ",\"reason\":");
        rooms_json_str(&b, v->reason);
    }

    rooms_json_lit(&b, "}");

    return (rooms_str_t) { b.last - start, start };
}
