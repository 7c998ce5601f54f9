/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An errand is a request on behalf of a participant that no client has sent.
 * It enters the pipeline at the loading step and leaves it where an answer
 * would be sent.
 */

#include "ngx_rooms_offboard.h"


static ngx_int_t ngx_rooms_errand_fence(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_errand_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_errand_fails(ngx_rooms_req_t *rq);
static void ngx_rooms_errand_resume(ngx_rooms_req_t *rq, ngx_int_t rc);
static void ngx_rooms_errand_answer(ngx_rooms_req_t *rq);
static void ngx_rooms_errand_over(ngx_rooms_req_t *rq);
static void ngx_rooms_errand_done(ngx_event_t *ev);


/* The row that encloses each of the rows below. */
static const ngx_rooms_endpoint_t  ngx_rooms_errand_row = {
    .method = NGX_HTTP_POST,
    .path = "(errand)",
    .part = NGX_ROOMS_PART_ROOMS,
    .flags = NGX_ROOMS_BULK,
    .op = ROOMS_OP_READ,
    .decide = ngx_rooms_errand_fence,
    .show = ngx_rooms_errand_show
};

static const ngx_rooms_endpoint_t  ngx_rooms_errand_rows[] = {
    [NGX_ROOMS_ERRAND_RETIRE] = {
        .method = NGX_HTTP_POST,
        .path = "(retire)",
        .part = NGX_ROOMS_PART_ROOMS,
        .flags = NGX_ROOMS_BULK,
        .op = ROOMS_OP_RETIRE,
        .load = ngx_rooms_room_load,
        .decide = ngx_rooms_room_decide
    },
    [NGX_ROOMS_ERRAND_REDACT] = {
        .method = NGX_HTTP_POST,
        .path = "(redact)",
        .part = NGX_ROOMS_PART_MESSAGES,
        .flags = NGX_ROOMS_BULK,
        .op = ROOMS_OP_ERASE,
        .load = ngx_rooms_redact_load,
        .decide = ngx_rooms_revise_decide
    },
    [NGX_ROOMS_ERRAND_UNREACT] = {
        .method = NGX_HTTP_DELETE,
        .path = "(unreact)",
        .part = NGX_ROOMS_PART_MESSAGES,
        .flags = NGX_ROOMS_BULK,
        .op = ROOMS_OP_ERASE,
        .load = ngx_rooms_unreact_load,
        .decide = ngx_rooms_revise_decide
    }
};

/* The counter that an errand increments when it has changed something. */
static const rooms_str_t  ngx_rooms_errand_counts[] = {
    [NGX_ROOMS_ERRAND_RETIRE] = rooms_string("memberships"),
    [NGX_ROOMS_ERRAND_REDACT] = rooms_string(NGX_ROOMS_OFF_MESSAGES),
    [NGX_ROOMS_ERRAND_UNREACT] = rooms_string(NGX_ROOMS_OFF_REACTIONS)
};


static ngx_int_t
ngx_rooms_errand_begin(ngx_rooms_errand_t *errand, ngx_rooms_req_t *rq)
{
    rq->conf = errand->conf;
    rq->parts = errand;
    rq->enclosing = &ngx_rooms_errand_row;
    rq->endpoint = &ngx_rooms_errand_rows[errand->kind];
    rq->op = rq->endpoint->op;
    rq->on_error = ngx_rooms_errand_fails;
    rq->resume = ngx_rooms_errand_resume;
    rq->answer = ngx_rooms_errand_answer;

    rq->principal.sub = errand->participant;
    rq->principal.tenant = errand->tenant;
    rq->in.tenant_admin = 1;
    rq->in.now = rq->now;

    rq->param[NGX_ROOMS_P_ROOM] = errand->room;
    rq->param[NGX_ROOMS_P_EVENT] = errand->event;

    if (errand->kind == NGX_ROOMS_ERRAND_UNREACT) {
        rq->body = json_pack("{s:s%}", "emoji",
                             (const char *) errand->emoji.data,
                             errand->emoji.len);

        if (rq->body == NULL) {
            return NGX_ERROR;
        }
    }

    rq->state = NGX_ROOMS_LOAD;

    return ngx_rooms_keys_init(&rq->keys, rq->pool, &rq->conf->key_prefix,
                               errand->tenant);
}


ngx_int_t
ngx_rooms_errand_run(ngx_rooms_errand_t *errand)
{
    ngx_pool_t       *pool;
    ngx_rooms_req_t  *rq;

    static ngx_str_t  method = ngx_string("POST");
    static ngx_str_t  uri = ngx_string("/");

    errand->error = 0;
    errand->changed = 0;

    errand->done.handler = ngx_rooms_errand_done;
    errand->done.data = errand;
    errand->done.log = ngx_cycle->log;

    pool = ngx_create_pool(1024, ngx_cycle->log);

    if (pool == NULL
        || ngx_rooms_detached_open(&errand->detached, pool, errand->ctx,
                                   &method, &uri)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq = ngx_rooms_req(errand->detached.request);

    if (rq == NULL || ngx_rooms_errand_begin(errand, rq) != NGX_OK) {
        ngx_rooms_detached_close(&errand->detached);
        return NGX_ERROR;
    }

    ngx_rooms_run(rq);

    return NGX_OK;
}


/*
 * The commit fails if this worker has lost the lease, or if the deactivation
 * was reversed.
 */
static ngx_int_t
ngx_rooms_errand_fence(ngx_rooms_req_t *rq)
{
    ngx_rooms_commit_t  *c;
    ngx_rooms_errand_t  *errand;

    c = &rq->commit;
    errand = rq->parts;

    ngx_rooms_lease_guard(errand->lease, c, &rq->keys);
    ngx_rooms_commit_guard_field(c, ngx_rooms_key(&rq->keys,
                                                  NGX_ROOMS_KEY_DEACTIVATED,
                                                  ROOMS_NULL),
                                 errand->participant, errand->at);
    ngx_rooms_commit_write(c, "HINCRBY",
                           ngx_rooms_key(&rq->keys,
                                         NGX_ROOMS_KEY_USER_OFFBOARD,
                                         errand->participant),
                           ngx_rooms_errand_counts[errand->kind],
                           ngx_rooms_s("1"));

    return c->failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_rooms_errand_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_errand_t  *errand;

    errand = rq->parts;
    errand->changed = rq->committing;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_errand_fails(ngx_rooms_req_t *rq)
{
    ngx_rooms_errand_over(rq);

    return NGX_AGAIN;
}


static void
ngx_rooms_errand_resume(ngx_rooms_req_t *rq, ngx_int_t rc)
{
    if (rc == NGX_ERROR) {
        ngx_rooms_errand_over(rq);

    } else {
        ngx_rooms_run(rq);
    }
}


static void
ngx_rooms_errand_answer(ngx_rooms_req_t *rq)
{
    rq->error = ROOMS_OK;
    rq->state = NGX_ROOMS_DONE;

    ngx_post_event(&((ngx_rooms_errand_t *) rq->parts)->done,
                   &ngx_posted_events);
}


/* The caller's stack must unwind before the request is freed. */
static void
ngx_rooms_errand_over(ngx_rooms_req_t *rq)
{
    ngx_rooms_errand_t  *errand;

    errand = rq->parts;
    errand->error = rq->error ? rq->error : NGX_ROOMS_E_INTERNAL;
    rq->state = NGX_ROOMS_DONE;

    ngx_post_event(&errand->done, &ngx_posted_events);
}


static void
ngx_rooms_errand_done(ngx_event_t *ev)
{
    ngx_rooms_errand_t *errand = ev->data;

    ngx_rooms_detached_close(&errand->detached);

    errand->handler(errand);
}
