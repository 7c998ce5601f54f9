/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Edits, redactions and reactions.  They load the room and the event and ask
 * the core in the same way; then each writes its own changes.
 */

#include "ngx_rooms_endpoints.h"


typedef enum {
    NGX_ROOMS_REVISE_BEGIN = 0,
    NGX_ROOMS_REVISE_EVENT,               /* the room and the event */
    NGX_ROOMS_REVISE_COPIES
} ngx_rooms_revise_round_e;

typedef struct {
    rooms_message_op_e   op;
    rooms_str_t          id;              /* the event */
    rooms_str_t          at;              /* its position, as a decimal */
    rooms_str_t          content;
    rooms_str_t          reason;
    rooms_str_t          emoji;
    rooms_str_t          reaction;        /* "EVENT SENDER EMOJI" */
    rooms_str_t          counted;         /* "EVENT EMOJI" */
    int64_t              count;           /* number of reactions with that
                                             emoji */
    unsigned             listed:1;        /* the reaction exists */

    rooms_message_t      message;
    rooms_stored_t       stored;
    rooms_str_t          row;             /* the stored event; NULL: none */
    rooms_str_t          event;           /* the event as JSON for the answer */
    rooms_str_t          copies;
    redisReply         **replies;         /* of the copies, in the same order */
} ngx_rooms_revision_t;


static ngx_int_t ngx_rooms_revise_edit(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_revise_op(ngx_rooms_req_t *rq,
    rooms_message_op_e op);
static ngx_int_t ngx_rooms_revise_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_revise_body(ngx_rooms_req_t *rq,
    ngx_rooms_revision_t *v);
static ngx_int_t ngx_rooms_revise_take(ngx_rooms_req_t *rq);
static void ngx_rooms_revise_message(ngx_rooms_revision_t *v);
static ngx_int_t ngx_rooms_revise_wipe_copies(ngx_rooms_req_t *rq);
static rooms_str_t ngx_rooms_revise_reason(ngx_rooms_req_t *rq,
    ngx_rooms_revision_t *v);
static ngx_uint_t ngx_rooms_revise_copy(rooms_str_t *copies,
    rooms_str_t *edit);
static void ngx_rooms_revise_guard(ngx_rooms_req_t *rq,
    ngx_rooms_revision_t *v);
static ngx_int_t ngx_rooms_revise_replace(ngx_rooms_req_t *rq,
    const rooms_stored_t *e);
static ngx_int_t ngx_rooms_revise_append(ngx_rooms_req_t *rq,
    rooms_str_t content);
static ngx_int_t ngx_rooms_revise_ask_copies(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_revise_redact(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_revise_emoji(ngx_rooms_req_t *rq,
    ngx_rooms_revision_t *v);
static ngx_int_t ngx_rooms_revise_react(ngx_rooms_req_t *rq);


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


static ngx_int_t
ngx_rooms_revise_op(ngx_rooms_req_t *rq, rooms_message_op_e op)
{
    ngx_rooms_revision_t  *v;

    if (rq->round == NGX_ROOMS_REVISE_BEGIN) {
        v = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_revision_t));
        if (v == NULL) {
            return NGX_ERROR;
        }

        v->op = op;
        rq->data = v;

        return ngx_rooms_revise_begin(rq);
    }

    v = rq->data;

    if (rq->round == NGX_ROOMS_REVISE_COPIES) {
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

    /* no event has position 0, so a malformed id finds nothing */

    position = rooms_id_valid(v->id, "evt-") ? rooms_event_position(v->id)
                                             : 0;
    v->at = ngx_rooms_number(rq->pool, position > 0 ? position : 0);

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_load_room(rq->batch, &rq->keys, room) != NGX_OK
        || ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                       ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_MEMBERS, room),
                       rq->principal.sub) != NGX_OK
        || ngx_rooms_ask(rq->batch, &rq->keys, "ZRANGEBYSCORE %k %s %s",
                         NGX_ROOMS_KEY_EVENTS, room, v->at, v->at) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (v->emoji.data) {
        (void) ngx_rooms_ask(rq->batch, &rq->keys, "ZSCORE %k %s",
                             NGX_ROOMS_KEY_REACTIONS, room, v->reaction);
        (void) ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_COUNTS, room, v->counted);
        (void) ngx_rooms_ask(rq->batch, &rq->keys, "ZLEXCOUNT %k [%s%_ (%s!",
                             NGX_ROOMS_KEY_TALLY, room, v->id, v->id);

    } else {
        (void) ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_COPIES, room, v->id);
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_REVISE_EVENT);
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
ngx_rooms_revise_take(ngx_rooms_req_t *rq)
{
    rooms_str_t            own, row;
    ngx_rooms_revision_t  *v;

    v = rq->data;
    v->row = ROOMS_NULL;

    if (ngx_rooms_message_room(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    row = ngx_rooms_reply_str_at(ngx_rooms_reply(rq, 2), 0);
    if (row.data) {

        if (ngx_rooms_parse_event(rq->pool, rq->r->connection->log, row,
                                  rq->view.room.id,
                                  rooms_event_position(v->id), &v->stored)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        /* an unreadable event is no message */

        if (v->stored.readable && rooms_str_eq(v->stored.id, v->id)) {
            v->row = row;
            v->event = v->stored.json;
        }
    }

    own = ngx_rooms_reply_str(ngx_rooms_reply(rq, 3));

    if (v->emoji.data) {
        v->listed = own.data != NULL;
        v->count = ngx_rooms_reply_down(ngx_rooms_reply(rq, 4));

        v->message.reacted = v->listed;
        v->message.emojis = v->count > 0 ? 0
                            : ngx_rooms_reply_int(ngx_rooms_reply(rq, 5), 0);

        if (rq->trusted && v->op == ROOMS_MESSAGE_UNREACT) {
            /* a replica's history has reactions that aren't in the set */
            v->message.reacted = 1;
        }

    } else {
        v->copies = own;
    }

    if (v->row.data) {
        ngx_rooms_revise_message(v);
    }

    return NGX_OK;
}


/* The facts about the event that the core asks for. */
static void
ngx_rooms_revise_message(ngx_rooms_revision_t *v)
{
    rooms_str_t       copies, edit;
    rooms_message_t  *m;

    m = &v->message;

    m->sender = v->stored.sender;
    m->created_at = v->stored.created_at;
    m->is_message = v->stored.message && !v->stored.edit;
    m->redacted = v->stored.redacted_at != ROOMS_STORED_NEVER;
    m->edits = 0;

    copies = v->copies;

    while (ngx_rooms_revise_copy(&copies, &edit)) {
        m->edits++;
    }
}


/* Takes the next edit of those in "copies"; 0: none is left. */
static ngx_uint_t
ngx_rooms_revise_copy(rooms_str_t *copies, rooms_str_t *edit)
{
    u_char  *p, *last;

    while (copies->len) {
        last = (u_char *) copies->data + copies->len;
        p = ngx_strlchr((u_char *) copies->data, last, ' ');

        edit->data = copies->data;
        edit->len = (p ? p : last) - copies->data;

        copies->data = p ? p + 1 : last;
        copies->len = last - copies->data;

        if (rooms_id_valid(*edit, "evt-")) {
            return 1;
        }
    }

    return 0;
}


/*
 * Another server erases its own participant's messages and reactions.  By
 * then the participant may have left, or the room may be frozen, so the usual
 * checks don't apply.  The participant may also have another local id by then,
 * so only the server is compared.
 */
static ngx_uint_t
ngx_rooms_revise_erases(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v)
{
    rooms_str_t  server;

    if (rq->source_server.data == NULL || rq->trusted || v->event.data == NULL
        || (rq->view.me.membership == ROOMS_JOIN
            && rq->view.room.state == ROOMS_OPEN))
    {
        return 0;
    }

    return v->op == ROOMS_MESSAGE_UNREACT
           || (v->op == ROOMS_MESSAGE_REDACT
               && rooms_foreign(v->message.sender, ROOMS_NULL, &server)
               && rooms_str_eq(server, rq->source_server));
}


ngx_int_t
ngx_rooms_revise_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_revision_t  *v;

    v = rq->data;

    if (ngx_rooms_revise_erases(rq, v)) {
        rq->op = ROOMS_OP_ERASE;
        rq->in.tenant_admin = 1;
    }

    if (ngx_rooms_room_input(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    rooms_decide_message(&rq->in, v->op, v->row.data ? &v->message : NULL,
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


ngx_int_t
ngx_rooms_revise_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_revision_t  *v;

    v = rq->data;

    rooms_json_lit(ngx_rooms_out(&rq->out), "{\"data\":");
    ngx_rooms_out_event(&rq->out, v->event);
    rooms_json_lit(ngx_rooms_out(&rq->out), "}\n");

    return NGX_OK;
}


/*
 * An edit rewrites the stored event at its position, and appends an event
 * about the change.  Redactions do the same and more.
 */


static ngx_int_t
ngx_rooms_revise_edit(ngx_rooms_req_t *rq)
{
    rooms_str_t            copies;
    rooms_stored_t         e;
    ngx_rooms_revision_t  *v;

    v = rq->data;
    e = v->stored;

    /* the first content stays, however often the message is edited */

    if (e.original.data == NULL) {
        e.original = e.content;
    }

    e.content = v->content;
    e.edited_at = ngx_max(rq->now, e.created_at);

    ngx_rooms_revise_guard(rq, v);

    if (ngx_rooms_revise_replace(rq, &e) != NGX_OK
        || ngx_rooms_show_event(rq->pool, rq->r->connection->log,
                                rq->view.room.id, &e) != NGX_OK)
    {
        return NGX_ERROR;
    }

    copies = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COPIES, rq->view.room.id);

    ngx_rooms_commit_guard_field(&rq->commit, copies, v->id, v->copies);
    ngx_rooms_commit_write_at(&rq->commit, "HSET", copies, v->id,
                         ngx_rooms_join(rq->pool, v->copies,
                                        v->copies.data ? ngx_rooms_s(" ")
                                                       : ROOMS_NULL,
                                        ngx_rooms_s("evt-" NGX_ROOMS_HEX),
                                        { sizeof(rq->random), rq->random }));

    v->event = e.json;

    return ngx_rooms_revise_append(rq,
                         ngx_rooms_join(rq->pool,
                                        ngx_rooms_s("{\"replaces\":\""),
                                        v->id, ngx_rooms_s("\",\"content\":"),
                                        v->content, ngx_rooms_s("}")));
}


static void
ngx_rooms_revise_guard(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v)
{
    ngx_rooms_commit_guard_member(&rq->commit,
                         ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_EVENTS,
                                       rq->view.room.id),
                         v->row);
}


/* Each event has its own position, so this replaces only that event. */
static ngx_int_t
ngx_rooms_revise_replace(ngx_rooms_req_t *rq, const rooms_stored_t *e)
{
    rooms_str_t  events, at, row;

    events = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_EVENTS,
                           rq->view.room.id);
    at = ngx_rooms_number(rq->pool, e->position);
    row = ngx_rooms_format_event(rq->pool, e);

    if (row.data == NULL) {
        return NGX_ERROR;
    }

    ngx_rooms_commit_write(&rq->commit, "ZREMRANGEBYSCORE", events, at, at);
    ngx_rooms_commit_write(&rq->commit, "ZADD", events, at, row);
    ngx_rooms_apply_size(&rq->commit, &rq->keys, &rq->view.room, row.len);

    return NGX_OK;
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


/* A redaction removes the content, its copies, and the reactions. */


/* A copy is the event of an edit. */
static ngx_int_t
ngx_rooms_revise_ask_copies(ngx_rooms_req_t *rq)
{
    int64_t                at;
    rooms_str_t            copies, edit;
    ngx_rooms_batch_t     *b;
    ngx_rooms_revision_t  *v;

    v = rq->data;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    copies = v->copies;

    while (ngx_rooms_revise_copy(&copies, &edit)) {
        at = rooms_event_position(edit);
        (void) ngx_rooms_ask(b, &rq->keys, "ZRANGEBYSCORE %k %d %d",
                             NGX_ROOMS_KEY_EVENTS, rq->view.room.id, at, at);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_REVISE_COPIES;

    return b->commands.nelts ? ngx_rooms_send(rq) : NGX_OK;
}


/*
 * The message no longer counts as unread.  A reader who has read beyond the
 * last one that was redacted needs no count of them.
 */
static void
ngx_rooms_revise_unread(ngx_rooms_req_t *rq, const rooms_stored_t *e)
{
    rooms_str_t          key, at;
    ngx_rooms_commit_t  *c;
    const rooms_room_t  *room;

    c = &rq->commit;
    room = &rq->view.room;

    if (e->number == 0) {
        return;     /* from before the room was here: it never counted */
    }

    at = ngx_rooms_number(rq->pool, e->position);

    ngx_rooms_commit_write(c, "ZADD",
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_REDACTED,
                                         room->id),
                           at, (rooms_str_t) { ROOMS_POSITION_DIGITS,
                                               e->digits.data });

    if (e->position > room->redacted) {
        key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_ROOM, room->id);

        ngx_rooms_commit_guard_below(c, key, ngx_rooms_s("redacted"),
                                     e->position);
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("redacted"), at);
    }
}


static ngx_int_t
ngx_rooms_revise_redact(ngx_rooms_req_t *rq)
{
    rooms_str_t            room, copies, min, max;
    rooms_stored_t         e;
    ngx_rooms_keys_t      *keys;
    ngx_rooms_commit_t    *c;
    ngx_rooms_revision_t  *v;

    v = rq->data;
    c = &rq->commit;
    keys = &rq->keys;
    room = rq->view.room.id;

    e = v->stored;
    e.content = ngx_rooms_s("{}");
    e.original = ROOMS_NULL;
    e.redacted_at = ngx_max(rq->now, e.created_at);

    ngx_rooms_revise_guard(rq, v);

    if (ngx_rooms_revise_replace(rq, &e) != NGX_OK
        || ngx_rooms_show_event(rq->pool, rq->r->connection->log, room, &e)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    v->event = e.json;

    ngx_rooms_revise_unread(rq, &v->stored);

    /* no edit came in between */

    copies = ngx_rooms_key(keys, NGX_ROOMS_KEY_COPIES, room);

    ngx_rooms_commit_guard_field(c, copies, v->id, v->copies);
    ngx_rooms_commit_write(c, "HDEL", copies, v->id);

    /* all reactions, including those added since the message was read */

    min = ngx_rooms_join(rq->pool, ngx_rooms_s("["), v->id, ngx_rooms_s(" "));
    max = ngx_rooms_join(rq->pool, ngx_rooms_s("("), v->id, ngx_rooms_s("!"));

    ngx_rooms_commit_write(c, "ZREMRANGEBYLEX",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_REACTIONS, room),
                           min, max);
    ngx_rooms_commit_uncount(c,
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_TALLY, room),
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_COUNTS, room),
                           min, max);

    if (ngx_rooms_revise_wipe_copies(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_revise_append(rq, ngx_rooms_revise_reason(rq, v));
}


static ngx_int_t
ngx_rooms_revise_wipe_copies(ngx_rooms_req_t *rq)
{
    ngx_uint_t             i;
    rooms_str_t            copies, edit, row, kept;
    rooms_stored_t         stored;
    ngx_rooms_revision_t  *v;

    v = rq->data;

    kept = ngx_rooms_join(rq->pool, ngx_rooms_s("{\"replaces\":\""), v->id,
                          ngx_rooms_s("\"}"));

    if (kept.data == NULL) {
        return NGX_ERROR;
    }

    copies = v->copies;

    for (i = 0; v->replies && ngx_rooms_revise_copy(&copies, &edit); i++) {
        row = ngx_rooms_reply_str_at(v->replies[i], 0);

        if (row.data == NULL) {
            continue;
        }

        rooms_stored_read(row, rooms_event_position(edit), &stored);

        if (!stored.readable) {
            /* an unreadable copy is never shown, so it can stay */
            continue;
        }

        stored.content = kept;
        stored.redacted_at = ngx_max(rq->now, stored.created_at);

        if (ngx_rooms_revise_replace(rq, &stored) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static rooms_str_t
ngx_rooms_revise_reason(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v)
{
    rooms_buf_t      *b;
    ngx_rooms_json_t  text;

    b = ngx_rooms_json(&text, rq->pool);

    rooms_json_lit(b, "{\"event_id\":");
    rooms_json_str(b, v->id);

    if (v->reason.data) {
        rooms_json_lit(b, ",\"reason\":");
        rooms_json_str(b, v->reason);
    }

    rooms_json_lit(b, "}");

    return ngx_rooms_json_end(&text);
}


/* Reactions: who has reacted to which message with which emoji. */


/* A DELETE request often has no body, so the emoji may be in the query. */
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

    v->counted = ngx_rooms_join(rq->pool, v->id, ngx_rooms_s(" "), v->emoji);

    return v->reaction.data && v->counted.data ? NGX_OK : NGX_ERROR;
}


/*
 * Counts the reactions with each emoji of a message.  So the cost of a page
 * of messages depends on the number of emojis, not of reactions.
 *
 * The count goes downwards from 0 because a commit's bound guards against
 * values that are too high.  While two or more reactions remain, removing one
 * needs only this guard, so concurrent removals don't conflict.  Removing the
 * last one guards the exact value.
 */
static void
ngx_rooms_revise_count(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v)
{
    rooms_str_t  room;

    room = rq->view.room.id;

    ngx_rooms_commit_write(&rq->commit, "HINCRBY",
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COUNTS,
                                         room),
                           v->counted, ngx_rooms_s("-1"));
    ngx_rooms_commit_write(&rq->commit, "ZADD",
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_TALLY,
                                         room),
                           ngx_rooms_s("0"), v->counted);
}


static void
ngx_rooms_revise_discount(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v)
{
    rooms_str_t  room, counts;

    room = rq->view.room.id;
    counts = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COUNTS, room);

    if (v->count > 1) {
        ngx_rooms_commit_guard_bound(&rq->commit, counts, v->counted,
                                     ngx_rooms_s("/"), 1, -1);
        ngx_rooms_commit_write(&rq->commit, "HINCRBY", counts, v->counted,
                               ngx_rooms_s("1"));
        return;
    }

    ngx_rooms_commit_guard_field(&rq->commit, counts, v->counted,
                                 v->count ? ngx_rooms_s("-1") : ROOMS_NULL);
    ngx_rooms_commit_write(&rq->commit, "HDEL", counts, v->counted);
    ngx_rooms_commit_write(&rq->commit, "ZREM",
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_TALLY,
                                         room),
                           v->counted);
}


static ngx_int_t
ngx_rooms_revise_react(ngx_rooms_req_t *rq)
{
    rooms_buf_t           *b;
    rooms_str_t            key;
    ngx_rooms_json_t       text;
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
        ngx_rooms_revise_count(rq, v);

    } else if (v->listed) {
        ngx_rooms_commit_guard_member(c, key, v->reaction);
        ngx_rooms_commit_write(c, "ZREM", key, v->reaction);
        ngx_rooms_revise_discount(rq, v);

    } else {
        /* in a replica's history only */
        ngx_rooms_commit_guard_no_member(c, key, v->reaction);
    }

    b = ngx_rooms_json(&text, rq->pool);

    rooms_json_lit(b, "{\"event_id\":");
    rooms_json_str(b, v->id);
    rooms_json_lit(b, ",\"emoji\":");
    rooms_json_str(b, v->emoji);
    rooms_json_lit(b, ",\"action\":");
    rooms_json_str(b, v->op == ROOMS_MESSAGE_REACT ? ngx_rooms_s("add")
                                                    : ngx_rooms_s("remove"));
    rooms_json_lit(b, "}");

    return b->full ? NGX_ERROR
                   : ngx_rooms_revise_append(rq, ngx_rooms_json_end(&text));
}


ngx_int_t
ngx_rooms_react_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t           *b;
    ngx_rooms_revision_t  *v;

    v = rq->data;

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"event_id\":%s,\"emoji\":%s,"
                   "\"sender_id\":%s,\"active\":", v->id, v->emoji,
                   rq->principal.sub);
    rooms_json_bool(b, v->op == ROOMS_MESSAGE_REACT);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
