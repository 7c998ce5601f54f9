/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What became of each event, and what the sender is told of those that were
 * refused: the room as it is.
 */

#include "ngx_rooms_federation_send.h"


void
ngx_rooms_fedsend_reset(ngx_rooms_req_t *rq)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    s->again = 0;

    ngx_rooms_forget(rq);
    json_decref(rq->body);

    rq->endpoint = rq->outer;
    rq->body = NULL;
    rq->committing = 0;
    rq->resolving = 0;
    rq->races = 0;
    rq->round = 0;
    rq->status = 0;
    rq->data = NULL;
    rq->ask = NULL;
    rq->ntargets = 0;
    rq->trusted = 0;
    rq->error = ROOMS_OK;
    rq->message = ROOMS_NULL;
    rq->error_field = ROOMS_NULL;
    rq->error_problem = ROOMS_NULL;
    rq->source_id = ROOMS_NULL;
    rq->source_server = ROOMS_NULL;

    ngx_memzero(rq->param, sizeof(rq->param));
    ngx_memzero(&rq->view, sizeof(ngx_rooms_view_t));
    ngx_memzero(&rq->in, sizeof(rooms_input_t));

    rq->in.now = rq->now;
}


ngx_int_t
ngx_rooms_fedsend_done(ngx_rooms_req_t *rq, const char *status)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    s->results[s->i].status = status;

    s->local = ROOMS_NULL;

    ngx_memzero(&s->compared, sizeof(ngx_rooms_fedcompared_t));
    ngx_memzero(&s->comparing, sizeof(ngx_rooms_fedcompared_t));

    ngx_rooms_fedsend_reset(rq);

    if (++s->i < s->n) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* One that is refused doesn't stop the others; a fault of ours does. */
ngx_int_t
ngx_rooms_fedsend_fails(ngx_rooms_req_t *rq)
{
    ngx_rooms_fedsend_t    *s;
    ngx_rooms_fedresult_t  *result;

    s = rq->several;

    if (rq->error == ROOMS_OK || rq->error == NGX_ROOMS_E_STORE
        || rq->error == NGX_ROOMS_E_INTERNAL || s->i == s->n || s->ended
        || (rq->error == NGX_ROOMS_E_CONFLICT
            && rq->state == NGX_ROOMS_COMMIT))
    {
        return NGX_ERROR;
    }

    result = &s->results[s->i];
    result->code = rq->error;
    result->reason = rq->error_problem.data ? rq->error_problem : rq->message;
    result->reason = ngx_rooms_dup(rq->pool, result->reason);

    if (rq->view.exists && rq->view.room.origin.data == NULL
        && rooms_peers_has(rq->view.room.peers, s->peer))
    {
        result->astray = s->told.room;
        result->refused = s->told.type == ROOMS_EV_MEMBER ? s->told.id
                                                          : ROOMS_NULL;
        result->position = s->position;
        s->astray = 1;
    }

    /* the next one, or, if this was the last, what show() makes of it */

    if (ngx_rooms_fedsend_done(rq, "rejected") == NGX_OK) {
        rq->state = NGX_ROOMS_SHOW;
        return ngx_rooms_fedsend_show(rq);
    }

    return NGX_DECLINED;
}


static void
ngx_rooms_fedsend_results(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    ngx_uint_t                i;
    rooms_buf_t              *b;
    ngx_rooms_fedresult_t    *r;
    const ngx_rooms_error_t  *e;

    rooms_json_lit(ngx_rooms_out(&rq->out, 32), "{\"data\":{\"results\":[");

    for (i = 0; i < s->n; i++) {
        r = &s->results[i];
        e = ngx_rooms_error(r->code);

        b = ngx_rooms_out(&rq->out, 256 + ROOMS_JSON_STR(r->id.len)
                          + ROOMS_JSON_STR(r->reason.len)
                          + ROOMS_JSON_STR(ngx_strlen(e->message)));

        rooms_json_raw(b, ",", i > 0);
        rooms_json_lit(b, "{\"id\":");
        rooms_json_str(b, r->id);
        rooms_json_lit(b, ",\"status\":");
        rooms_json_str(b, rooms_cstr(r->status));

        if (r->code) {
            rooms_json_lit(b, ",\"code\":");
            rooms_json_str(b, rooms_cstr(e->code));
            rooms_json_lit(b, ",\"reason\":");
            rooms_json_str(b, r->reason.data ? r->reason
                                             : rooms_cstr(e->message));
        }

        rooms_json_lit(b, "}");
    }

    rooms_json_lit(ngx_rooms_out(&rq->out, 8), "]}}\n");
}


/* A replica that has taken what isn't so is told how it is. */
static ngx_int_t
ngx_rooms_fedsend_correct(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    ngx_uint_t              i;
    rooms_str_t             outbox;
    ngx_rooms_batch_t      *b;
    ngx_rooms_fedresult_t  *r;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    outbox = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_OUTBOX, s->peer);

    for (i = 0; i < s->n; i++) {
        r = &s->results[i];

        if (r->astray.data) {
            (void) ngx_rooms_command(b, ngx_rooms_s("ZADD"), outbox,
                                     ngx_rooms_number(rq->pool, r->position),
                                     ngx_rooms_join(rq->pool,
                                                    ngx_rooms_s("s "),
                                                    r->astray,
                                                    r->refused.data
                                                    ? ngx_rooms_s(" ")
                                                    : ROOMS_NULL,
                                                    r->refused));
        }
    }

    (void) ngx_rooms_command(b, ngx_rooms_s("ZADD"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_OUTBOXES,
                                           ROOMS_NULL),
                             ngx_rooms_s("NX"), ngx_rooms_s("0"), s->peer);

    if (b->failed) {
        return NGX_ERROR;
    }

    s->astray = 0;

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_fedsend_show(ngx_rooms_req_t *rq)
{
    ngx_int_t             rc;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    if (s->again) {
        s->compared = s->comparing;
        ngx_rooms_fedsend_reset(rq);
        return NGX_DECLINED;
    }

    if (s->i < s->n) {
        rc = ngx_rooms_fedsend_done(rq, "applied");

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (s->astray) {
        return ngx_rooms_fedsend_correct(rq, s);
    }

    ngx_rooms_fedsend_results(rq, s);

    return NGX_OK;
}
