/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The stored event is rewritten at its position, and an event of the change's
 * own is appended: that is all of an edit, and a part of the others.
 */

#include "ngx_rooms_revise.h"


ngx_int_t
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


void
ngx_rooms_revise_guard(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v)
{
    ngx_rooms_commit_guard_member(&rq->commit,
                         ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_EVENTS,
                                       rq->view.room.id),
                         v->event);
}


/* One event has one position, so this replaces it and nothing else. */
void
ngx_rooms_revise_replace(ngx_rooms_req_t *rq, rooms_str_t at,
    rooms_str_t event)
{
    rooms_str_t  events;

    events = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_EVENTS,
                           rq->view.room.id);

    ngx_rooms_commit_write(&rq->commit, "ZREMRANGEBYSCORE", events, at, at);
    ngx_rooms_commit_write(&rq->commit, "ZADD", events, at, event);
    ngx_rooms_apply_size(&rq->commit, &rq->keys, &rq->view.room, event.len);
}


ngx_int_t
ngx_rooms_revise_append(ngx_rooms_req_t *rq, rooms_str_t content)
{
    ngx_rooms_apply_quiet(&rq->commit, &rq->keys, &rq->view.room,
                          rq->change->event, rq->principal.sub,
                          (rooms_str_t) { sizeof(rq->random), rq->random },
                          content, rq->now);

    return rq->commit.failed || content.data == NULL ? NGX_ERROR : NGX_OK;
}


rooms_str_t
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


rooms_str_t
ngx_rooms_revise_now(ngx_rooms_req_t *rq)
{
    u_char       *p;
    rooms_buf_t   b;

    p = ngx_pnalloc(rq->pool, ROOMS_TIME_LEN + 2);

    if (p == NULL) {
        /* a NULL would take the member out of the event */
        rq->commit.failed = 1;
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, p, ROOMS_TIME_LEN + 2);
    rooms_json_time(&b, rq->now);

    return (rooms_str_t) { b.last - p, p };
}
