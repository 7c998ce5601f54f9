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

#ifndef NGX_ROOMS_REVISE_H
#define NGX_ROOMS_REVISE_H

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
    rooms_str_t          counted;         /* "event emoji" */
    int64_t              count;           /* of those */
    unsigned             listed:1;        /* the reaction is */
    redisReply          *tally;           /* of the message: "event emoji" */

    rooms_message_t      message;
    rooms_stored_t       stored;
    rooms_str_t          event;           /* JSON; NULL: there is none */
    rooms_str_t          copies;
    redisReply         **replies;         /* of the copies, in their order */
} ngx_rooms_revision_t;


/* The next word of "copies"; data == NULL: there is none. */
rooms_str_t ngx_rooms_revise_word(rooms_str_t *row);

/* What a change writes, once it is allowed. */
ngx_int_t ngx_rooms_revise_edit(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_revise_redact(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_revise_react(ngx_rooms_req_t *rq);

/*
 * Its parts (ngx_rooms_revise_edit.c): the stored event is still the one that
 * was read, another one takes its place, the change's own is appended.
 */
void ngx_rooms_revise_guard(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v);
void ngx_rooms_revise_replace(ngx_rooms_req_t *rq, rooms_str_t at,
    rooms_str_t event);
ngx_int_t ngx_rooms_revise_append(ngx_rooms_req_t *rq, rooms_str_t content);
/* An event with other members, and the time as a member has it. */
rooms_str_t ngx_rooms_revise_json(ngx_rooms_req_t *rq, rooms_str_t event,
    const rooms_json_set_t *set, ngx_uint_t n);
rooms_str_t ngx_rooms_revise_now(ngx_rooms_req_t *rq);

/* Redaction: reads the copies (ngx_rooms_revise_redact.c). */
ngx_int_t ngx_rooms_revise_ask_copies(ngx_rooms_req_t *rq);

/* Reactions: the emoji that is asked for (ngx_rooms_revise_react.c). */
ngx_int_t ngx_rooms_revise_emoji(ngx_rooms_req_t *rq,
    ngx_rooms_revision_t *v);

#endif /* NGX_ROOMS_REVISE_H */
