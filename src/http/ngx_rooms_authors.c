/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The authors of imported events in an answer.  Such an event has its author
 * by number.  When the whole answer is written, all authors are read from the
 * store in one batch, each once, and inserted.  An answer without such events
 * asks for nothing.
 */

#include "ngx_rooms_request.h"
#include "rooms_author.h"


typedef struct {
    ngx_buf_t         *buf;
    rooms_authors_t    authors;
    ngx_uint_t         asked[2];       /* index of its question */
} ngx_rooms_shown_t;

typedef struct {
    rooms_str_t        room;
    rooms_str_t        number;
} ngx_rooms_question_t;


static ngx_int_t ngx_rooms_authors_fill(ngx_rooms_req_t *rq,
    ngx_uint_t answered);


/* NGX_DECLINED: it is none. */
ngx_int_t
ngx_rooms_out_imported(ngx_rooms_out_t *out, rooms_str_t event)
{
    ngx_buf_t          *b;
    rooms_authors_t     a;
    ngx_rooms_shown_t  *shown;

    if (rooms_authors_find(&a, event) == 0) {
        return NGX_DECLINED;
    }

    b = ngx_rooms_out_place(out, event);

    if (out->imported == NULL) {
        out->imported = ngx_array_create(out->pool, 16,
                                         sizeof(ngx_rooms_shown_t));
    }

    shown = out->imported ? ngx_array_push(out->imported) : NULL;

    if (b == NULL || shown == NULL) {
        out->failed = 1;
        return NGX_OK;
    }

    shown->buf = b;
    shown->authors = a;

    return NGX_OK;
}


static rooms_str_t
ngx_rooms_shown_event(const ngx_rooms_shown_t *shown)
{
    return (rooms_str_t) { shown->buf->last - shown->buf->pos,
                           shown->buf->pos };
}


/*
 * Finds or adds the question for an author.  A page has few authors, so it
 * compares them one by one.
 */
static ngx_int_t
ngx_rooms_authors_question(ngx_array_t *questions, rooms_str_t room,
    rooms_str_t number, ngx_uint_t *which)
{
    ngx_uint_t             i;
    ngx_rooms_question_t  *q;

    q = questions->elts;

    for (i = questions->nelts; i-- > 0; /* void */) {

        if (rooms_str_eq(q[i].number, number)
            && rooms_str_eq(q[i].room, room))
        {
            *which = i;
            return NGX_OK;
        }
    }

    *which = questions->nelts;

    q = ngx_array_push(questions);
    if (q == NULL) {
        return NGX_ERROR;
    }

    q->room = room;
    q->number = number;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_authors_ask(ngx_rooms_req_t *rq)
{
    ngx_uint_t             i, n;
    rooms_str_t            room;
    ngx_array_t            questions;
    ngx_rooms_batch_t     *b;
    ngx_rooms_shown_t     *shown;
    ngx_rooms_question_t  *q;

    if (rq->out.failed) {
        return NGX_ERROR;
    }

    if (rq->committing) {
        /* the change was made: a failing question must not make it an error */
        return ngx_rooms_authors_fill(rq, 0);
    }

    b = ngx_rooms_batch(rq);

    if (b == NULL
        || ngx_array_init(&questions, rq->out.pool, 16,
                          sizeof(ngx_rooms_question_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    shown = rq->out.imported->elts;

    for (i = 0; i < rq->out.imported->nelts; i++) {
        room = rooms_json_member_str(ngx_rooms_shown_event(&shown[i]),
                                     "room_id");

        for (n = 0; n < shown[i].authors.n; n++) {

            if (ngx_rooms_authors_question(&questions, room,
                                           shown[i].authors.numbers[n],
                                           &shown[i].asked[n]) != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    q = questions.elts;

    for (i = 0; i < questions.nelts; i++) {

        if (ngx_rooms_ask(b, &rq->keys, "HGET %k %s", NGX_ROOMS_KEY_AUTHORS,
                          q[i].room, q[i].number) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_authors_take(ngx_rooms_req_t *rq)
{
    return ngx_rooms_authors_fill(rq, 1);
}


static ngx_int_t
ngx_rooms_authors_fill(ngx_rooms_req_t *rq, ngx_uint_t answered)
{
    size_t              size;
    u_char             *p;
    ngx_uint_t          i, n;
    rooms_str_t         event, json;
    ngx_rooms_shown_t  *shown;

    shown = rq->out.imported->elts;

    for (i = 0; i < rq->out.imported->nelts; i++) {

        for (n = 0; answered && n < shown[i].authors.n; n++) {
            shown[i].authors.authors[n] = ngx_rooms_reply_str(
                                       ngx_rooms_reply(rq,
                                                       shown[i].asked[n]));
        }

        event = ngx_rooms_shown_event(&shown[i]);

        size = rooms_authors_size(&shown[i].authors, event);

        p = ngx_pnalloc(rq->out.pool, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        json = rooms_authors_put(&shown[i].authors, event, p, size);
        if (json.data == NULL) {
            return NGX_ERROR;
        }

        rq->out.size += json.len;
        rq->out.size -= event.len;

        shown[i].buf->pos = (u_char *) json.data;
        shown[i].buf->last = shown[i].buf->pos + json.len;
    }

    rq->out.imported = NULL;

    return NGX_OK;
}
