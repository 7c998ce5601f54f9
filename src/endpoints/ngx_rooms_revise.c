/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What becomes of a message after it was sent: edits, redaction, reactions.
 *
 * The stored event is replaced at its position, under the guard that it is
 * still the one that was read; and as every change does, this one appends an
 * event of its own.  An edit's event holds the new body once more, and the
 * record of an Idempotency-Key holds the first one: the hash "copies" says
 * where, so that a redaction leaves none.
 */

#include "ngx_rooms_endpoints.h"


typedef enum {
    NGX_ROOMS_V_BEGIN = 0,
    NGX_ROOMS_V_EVENT,                    /* the room and the event */
    NGX_ROOMS_V_COPIES
} ngx_rooms_revise_round_e;

typedef struct {
    rooms_message_op_e   op;
    rooms_str_t          id;              /* of the event */
    rooms_str_t          at;              /* its position */
    rooms_str_t          content;
    rooms_str_t          reason;
    rooms_str_t          emoji;
    rooms_str_t          reaction;        /* "event sender emoji" */

    rooms_message_t      message;
    rooms_str_t          event;           /* JSON; NULL: there is none */
    rooms_str_t          copies;
    redisReply         **replies;         /* of the copies, in their order */
} ngx_rooms_revision_t;


static ngx_int_t ngx_rooms_revise_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_revise_take(ngx_rooms_req_t *rq);
static void ngx_rooms_revise_message(ngx_rooms_revision_t *v);
static ngx_int_t ngx_rooms_revise_ask_copies(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_revise_edit(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_revise_redact(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_revise_react(ngx_rooms_req_t *rq);


static ngx_int_t
ngx_rooms_revise_op(ngx_rooms_req_t *rq, rooms_message_op_e op)
{
    ngx_rooms_revision_t  *v;

    if (rq->round == NGX_ROOMS_V_BEGIN) {
        v = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_revision_t));
        if (v == NULL) {
            return NGX_ERROR;
        }

        v->op = op;
        rq->data = v;

        return ngx_rooms_revise_begin(rq);
    }

    v = rq->data;

    if (rq->round == NGX_ROOMS_V_COPIES) {
        v->replies = rq->batch->replies;
        return NGX_OK;
    }

    if (ngx_rooms_revise_take(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    if (op == ROOMS_MESSAGE_REDACT && v->copies.data) {
        return ngx_rooms_revise_ask_copies(rq);
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_edit_load(ngx_rooms_req_t *rq)
{
    return ngx_rooms_revise_op(rq, ROOMS_MESSAGE_EDIT);
}


ngx_int_t
ngx_rooms_redact_load(ngx_rooms_req_t *rq)
{
    return ngx_rooms_revise_op(rq, ROOMS_MESSAGE_REDACT);
}


ngx_int_t
ngx_rooms_react_load(ngx_rooms_req_t *rq)
{
    return ngx_rooms_revise_op(rq, ROOMS_MESSAGE_REACT);
}


ngx_int_t
ngx_rooms_unreact_load(ngx_rooms_req_t *rq)
{
    return ngx_rooms_revise_op(rq, ROOMS_MESSAGE_UNREACT);
}


/* A DELETE may have no body, so its emoji may stand in the query. */
static ngx_int_t
ngx_rooms_revise_emoji(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v)
{
    ngx_int_t    rc;
    const char  *problem;

    v->emoji = ngx_rooms_body_str(rq, "emoji");

    if (v->emoji.data == NULL) {
        rc = ngx_rooms_arg(rq, "emoji", &v->emoji);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            return ngx_rooms_invalid(rq, "emoji", "is required");
        }
    }

    problem = rooms_emoji_check(v->emoji);

    if (problem) {
        return ngx_rooms_invalid(rq, "emoji", problem);
    }

    v->reaction = ngx_rooms_join(rq->pool, v->id, ngx_rooms_s(" "),
                                 rq->principal.sub, ngx_rooms_s(" "),
                                 v->emoji);

    return v->reaction.data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_revise_body(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v)
{
    const char  *problem;

    switch (v->op) {

    case ROOMS_MESSAGE_EDIT:
        return ngx_rooms_message_content(rq, &v->content);

    case ROOMS_MESSAGE_REDACT:
        v->reason = ngx_rooms_body_str(rq, "reason");
        problem = rooms_topic_check(&v->reason);

        return problem ? ngx_rooms_invalid(rq, "reason", problem) : NGX_OK;

    default:
        return ngx_rooms_revise_emoji(rq, v);
    }
}


static ngx_int_t
ngx_rooms_revise_begin(ngx_rooms_req_t *rq)
{
    int64_t                position;
    rooms_str_t            room;
    ngx_rooms_revision_t  *v;

    v = rq->data;
    room = rq->param[NGX_ROOMS_P_ROOM];
    v->id = rq->param[NGX_ROOMS_P_EVENT];

    if (ngx_rooms_revise_body(rq, v) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!rooms_id_valid(room, "room-")) {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    /* no event has position 0: an id that can't be one finds nothing */

    position = rooms_id_valid(v->id, "evt-") ? rooms_event_position(v->id)
                                             : 0;
    v->at = ngx_rooms_number(rq->pool, position > 0 ? position : 0);

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_load_room(rq->batch, &rq->keys, room) != NGX_OK
        || ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                       ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_MEMBERS, room),
                       rq->principal.sub) != NGX_OK
        || ngx_rooms_command(rq->batch, ngx_rooms_s("ZRANGEBYSCORE"),
                       ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_EVENTS, room),
                       v->at, v->at) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (v->emoji.data) {
        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("ZSCORE"),
                       ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_REACTIONS,
                                     room),
                       v->reaction);

    } else {
        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                       ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COPIES, room),
                       v->id);
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_V_EVENT;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_revise_take(ngx_rooms_req_t *rq)
{
    rooms_str_t            own;
    ngx_rooms_revision_t  *v;

    v = rq->data;

    if (ngx_rooms_message_room(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    v->event = ngx_rooms_reply_str(
                         ngx_rooms_reply_element(ngx_rooms_reply(rq, 2), 0));

    if (v->event.data
        && !rooms_str_eq(rooms_json_member_str(v->event, "id"), v->id))
    {
        v->event = ROOMS_NULL;
    }

    own = ngx_rooms_reply_str(ngx_rooms_reply(rq, 3));

    if (v->emoji.data) {
        v->message.reacted = own.data != NULL;

    } else {
        v->copies = own;
    }

    if (v->event.data == NULL) {
        return NGX_OK;
    }

    if (!rooms_json_valid(v->event)) {
        ngx_log_error(NGX_LOG_ERR, rq->r->connection->log, 0,
                      "rooms: the store holds an event that is no JSON");
        return NGX_ERROR;
    }

    ngx_rooms_revise_message(v);

    return NGX_OK;
}


/* The next word of "copies"; data == NULL: there is none. */
static rooms_str_t
ngx_rooms_revise_word(rooms_str_t *row)
{
    u_char       *p, *last;
    rooms_str_t   word;

    if (row->len == 0) {
        return ROOMS_NULL;
    }

    last = (u_char *) row->data + row->len;
    p = ngx_strlchr((u_char *) row->data, last, ' ');

    word.data = row->data;
    word.len = (p ? p : last) - row->data;

    row->data = p ? p + 1 : last;
    row->len = last - row->data;

    return word;
}


/* What the core asks about an event. */
static void
ngx_rooms_revise_message(ngx_rooms_revision_t *v)
{
    rooms_str_t       copies, word;
    rooms_message_t  *m;

    m = &v->message;

    m->sender = rooms_json_member_str(v->event, "sender_id");
    m->created_at = rooms_time_parse(rooms_json_member_str(v->event,
                                                           "created_at"));
    m->is_message = rooms_str_eq(rooms_json_member_str(v->event,
                                                       "event_type"),
                       rooms_cstr(rooms_event_name(ROOMS_EV_MESSAGE)))
                    && rooms_json_member(rooms_json_member(v->event,
                                                           "content"),
                                         "replaces").data == NULL;
    m->redacted = rooms_json_member_str(v->event, "redacted_at").data != NULL;

    for (copies = v->copies; /* void */ ; /* void */) {
        word = ngx_rooms_revise_word(&copies);

        if (word.data == NULL) {
            break;
        }

        m->edits += rooms_id_valid(word, "evt-");
    }
}


/* A copy is an edit's event, or the record of an Idempotency-Key. */
static ngx_int_t
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
ngx_rooms_revise_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_revision_t  *v;

    v = rq->data;

    if (ngx_rooms_room_input(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    rooms_decide_message(&rq->in, v->op, v->event.data ? &v->message : NULL,
                         rq->change);

    if (rq->change->code != ROOMS_OK) {
        return ngx_rooms_room_refuse(rq, rq->change);
    }

    if (rq->change->noop) {
        return NGX_OK;
    }

    if (v->op == ROOMS_MESSAGE_EDIT
        && ngx_rooms_message_tellable(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_message_guards(rq);

    switch (v->op) {

    case ROOMS_MESSAGE_EDIT:
        return ngx_rooms_revise_edit(rq);

    case ROOMS_MESSAGE_REDACT:
        return ngx_rooms_revise_redact(rq);

    default:
        return ngx_rooms_revise_react(rq);
    }
}


static rooms_str_t
ngx_rooms_revise_json(ngx_rooms_req_t *rq, rooms_str_t event,
    const rooms_json_set_t *set, ngx_uint_t n)
{
    size_t        size;
    u_char       *start;
    ngx_uint_t    i;
    rooms_buf_t   b;

    for (size = event.len + 64, i = 0; i < n; i++) {
        size += set[i].value.len + 32;
    }

    start = ngx_pnalloc(rq->pool, size);
    if (start == NULL) {
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, start, size);
    rooms_json_rewrite(&b, event, set, n);

    if (b.full) {
        return ROOMS_NULL;
    }

    return (rooms_str_t) { b.last - start, start };
}


/* One event has one position, so this replaces it and nothing else. */
static void
ngx_rooms_revise_replace(ngx_rooms_req_t *rq, rooms_str_t at,
    rooms_str_t event)
{
    rooms_str_t  events;

    events = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_EVENTS,
                           rq->view.room.id);

    ngx_rooms_commit_write(&rq->commit, "ZREMRANGEBYSCORE", events, at, at);
    ngx_rooms_commit_write(&rq->commit, "ZADD", events, at, event);
}


static void
ngx_rooms_revise_guard(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v)
{
    ngx_rooms_commit_guard_member(&rq->commit,
                         ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_EVENTS,
                                       rq->view.room.id),
                         v->event);
}


static rooms_str_t
ngx_rooms_revise_now(ngx_rooms_req_t *rq)
{
    u_char       *p;
    rooms_buf_t   b;

    p = ngx_pnalloc(rq->pool, ROOMS_TIME_LEN + 2);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, p, ROOMS_TIME_LEN + 2);
    rooms_json_time(&b, rq->now);

    return (rooms_str_t) { b.last - p, p };
}


static ngx_int_t
ngx_rooms_revise_append(ngx_rooms_req_t *rq, rooms_str_t content)
{
    ngx_rooms_apply_quiet(&rq->commit, &rq->keys, &rq->view.room,
                          rq->change->event, rq->principal.sub,
                          (rooms_str_t) { sizeof(rq->random), rq->random },
                          content, rq->now);

    return rq->commit.failed || content.data == NULL ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_rooms_revise_edit(ngx_rooms_req_t *rq)
{
    rooms_str_t            original, copies, event;
    ngx_rooms_revision_t  *v;

    v = rq->data;

    /* the first one stays, however often it is edited */

    original = rooms_json_member(v->event, "original_content");

    if (original.data == NULL) {
        original = rooms_json_member(v->event, "content");
    }

    event = ngx_rooms_revise_json(rq, v->event, (rooms_json_set_t[]) {
                                      { "content", v->content },
                                      { "edited_at", ngx_rooms_revise_now(rq) },
                                      { "original_content", original } }, 3);

    ngx_rooms_revise_guard(rq, v);
    ngx_rooms_revise_replace(rq, v->at, event);

    copies = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COPIES, rq->view.room.id);

    ngx_rooms_commit_guard_field(&rq->commit, copies, v->id, v->copies);
    ngx_rooms_commit_write_at(&rq->commit, "HSET", copies, v->id,
                         ngx_rooms_join(rq->pool, v->copies,
                                        v->copies.data ? ngx_rooms_s(" ")
                                                       : ROOMS_NULL,
                                        ngx_rooms_s("evt-" NGX_ROOMS_HEX),
                                        { sizeof(rq->random), rq->random }));

    v->event = event;

    return ngx_rooms_revise_append(rq,
                         ngx_rooms_join(rq->pool,
                                        ngx_rooms_s("{\"replaces\":\""),
                                        v->id, ngx_rooms_s("\",\"content\":"),
                                        v->content, ngx_rooms_s("}")));
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


static ngx_int_t
ngx_rooms_revise_wipe_copies(ngx_rooms_req_t *rq, rooms_str_t now)
{
    ngx_uint_t             i;
    rooms_str_t            copies, word, edit, kept;
    ngx_rooms_revision_t  *v;

    v = rq->data;

    kept = ngx_rooms_join(rq->pool, ngx_rooms_s("{\"replaces\":\""), v->id,
                          ngx_rooms_s("\"}"));

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

        if (!rooms_json_valid(edit)) {
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


static ngx_int_t
ngx_rooms_revise_redact(ngx_rooms_req_t *rq)
{
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

    if (ngx_rooms_revise_wipe_copies(rq, now) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_revise_append(rq, ngx_rooms_revise_reason(rq, v));
}


ngx_int_t
ngx_rooms_revise_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_revision_t  *v;

    v = rq->data;

    rooms_json_lit(ngx_rooms_out(&rq->out, 16), "{\"data\":");
    ngx_rooms_out_ref(&rq->out, v->event);
    rooms_json_lit(ngx_rooms_out(&rq->out, 4), "}\n");

    return NGX_OK;
}


/* Reactions */


static ngx_int_t
ngx_rooms_revise_react(ngx_rooms_req_t *rq)
{
    size_t                 size;
    u_char                *start;
    rooms_buf_t            b;
    rooms_str_t            key;
    ngx_rooms_commit_t    *c;
    ngx_rooms_revision_t  *v;

    v = rq->data;
    c = &rq->commit;
    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_REACTIONS,
                        rq->view.room.id);

    if (v->op == ROOMS_MESSAGE_REACT) {
        ngx_rooms_revise_guard(rq, v);
        ngx_rooms_commit_guard_no_member(c, key, v->reaction);
        ngx_rooms_commit_write(c, "ZADD", key, ngx_rooms_s("0"), v->reaction);

    } else {
        ngx_rooms_commit_guard_member(c, key, v->reaction);
        ngx_rooms_commit_write(c, "ZREM", key, v->reaction);
    }

    size = 128 + v->id.len + ROOMS_JSON_STR(v->emoji.len);

    start = ngx_pnalloc(rq->pool, size);
    if (start == NULL) {
        return NGX_ERROR;
    }

    rooms_buf_init(&b, start, size);
    rooms_json_lit(&b, "{\"event_id\":");
    rooms_json_str(&b, v->id);
    rooms_json_lit(&b, ",\"emoji\":");
    rooms_json_str(&b, v->emoji);
    rooms_json_lit(&b, ",\"action\":");
    rooms_json_str(&b, v->op == ROOMS_MESSAGE_REACT ? ngx_rooms_s("add")
                                                    : ngx_rooms_s("remove"));
    rooms_json_lit(&b, "}");

    return ngx_rooms_revise_append(rq,
                                   (rooms_str_t) { b.last - start, start });
}


ngx_int_t
ngx_rooms_react_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t           *b;
    ngx_rooms_revision_t  *v;

    v = rq->data;

    b = ngx_rooms_out(&rq->out, 128 + v->id.len
                      + ROOMS_JSON_STR(v->emoji.len)
                      + ROOMS_JSON_STR(rq->principal.sub.len));

    rooms_json_lit(b, "{\"data\":{\"event_id\":");
    rooms_json_str(b, v->id);
    rooms_json_lit(b, ",\"emoji\":");
    rooms_json_str(b, v->emoji);
    rooms_json_lit(b, ",\"sender_id\":");
    rooms_json_str(b, rq->principal.sub);
    rooms_json_lit(b, ",\"active\":");
    rooms_json_bool(b, v->op == ROOMS_MESSAGE_REACT);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
