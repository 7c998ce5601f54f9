/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Edits, redaction and reactions are one request: the room and the event are
 * read, and the core is asked.  What each of them writes is in its own file.
 */

#include "ngx_rooms_revise.h"


static ngx_int_t ngx_rooms_revise_op(ngx_rooms_req_t *rq,
    rooms_message_op_e op);
static ngx_int_t ngx_rooms_revise_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_revise_body(ngx_rooms_req_t *rq,
    ngx_rooms_revision_t *v);
static ngx_int_t ngx_rooms_revise_take(ngx_rooms_req_t *rq);
static void ngx_rooms_revise_message(ngx_pool_t *pool,
    ngx_rooms_revision_t *v);


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
        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                       ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COUNTS, room),
                       v->counted);
        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("ZLEXCOUNT"),
                       ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_TALLY, room),
                       ngx_rooms_join(rq->pool, ngx_rooms_s("["), v->id,
                                      ngx_rooms_s(" ")),
                       ngx_rooms_join(rq->pool, ngx_rooms_s("("), v->id,
                                      ngx_rooms_s("!")));

    } else {
        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                       ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COPIES, room),
                       v->id);
        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("ZRANGEBYLEX"),
                       ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_TALLY, room),
                       ngx_rooms_join(rq->pool, ngx_rooms_s("["), v->id,
                                      ngx_rooms_s(" ")),
                       ngx_rooms_join(rq->pool, ngx_rooms_s("("), v->id,
                                      ngx_rooms_s("!")));
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_V_EVENT;

    return ngx_rooms_send(rq);
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
    rooms_str_t            own, json;
    ngx_rooms_revision_t  *v;

    v = rq->data;
    v->event = ROOMS_NULL;

    if (ngx_rooms_message_room(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    json = ngx_rooms_reply_str(ngx_rooms_reply_element(ngx_rooms_reply(rq, 2),
                                                       0));
    if (json.data) {

        if (ngx_rooms_parse_event(rq->pool, rq->r->connection->log, json,
                                  rq->view.room.id,
                                  rooms_event_position(v->id), &v->stored) != NGX_OK)
        {
            return NGX_ERROR;
        }

        /* what can't be read is no message */

        if (v->stored.readable && rooms_str_eq(v->stored.id, v->id)) {
            v->event = json;
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
            /* the past of a replica has reactions, but they aren't listed */
            v->message.reacted = 1;
        }

    } else {
        v->copies = own;
        v->tally = ngx_rooms_reply(rq, 4);
    }

    if (v->event.data) {
        ngx_rooms_revise_message(rq->pool, v);
    }

    return NGX_OK;
}


/* What the core asks about an event. */
static void
ngx_rooms_revise_message(ngx_pool_t *pool, ngx_rooms_revision_t *v)
{
    rooms_str_t       copies, word;
    rooms_message_t  *m;

    m = &v->message;

    m->sender = ngx_rooms_json_id(pool, v->stored.sender);
    m->created_at = rooms_time_parse(v->stored.created_at);
    m->is_message = v->stored.message && !v->stored.edit;
    m->redacted = v->stored.redacted_at.data != NULL;
    m->edits = 0;

    for (copies = v->copies; /* void */ ; /* void */) {
        word = ngx_rooms_revise_word(&copies);

        if (word.data == NULL) {
            break;
        }

        m->edits += rooms_id_valid(word, "evt-");
    }
}


rooms_str_t
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
