/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The pipeline: one state machine for every endpoint.
 *
 *   auth -> body -> register -> take -> claim
 *                                         |
 *               +-------------------------+
 *               v
 *              load -> decide -> commit -> show
 *               ^                  |
 *               +--- a guard broke +
 */

#include "ngx_rooms_request.h"
#include "ngx_rooms_status.h"
#include "ngx_rooms_link.h"
#include <sodium.h>


#define NGX_ROOMS_RETRY_DELAY  100    /* ms, while the store is loading */
#define NGX_ROOMS_MOVES          8    /* of a request's batches, in all */


static ngx_int_t ngx_rooms_start(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_take(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_load(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_decide_step(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_commit_step(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_show(ngx_rooms_req_t *rq);
static void ngx_rooms_req_again(ngx_http_request_t *r);
static void ngx_rooms_req_cleanup(void *data);
static void ngx_rooms_answered(ngx_rooms_batch_t *b);
static void ngx_rooms_timer_handler(ngx_event_t *ev);
static ngx_int_t ngx_rooms_check_replies(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_store_failed(ngx_rooms_req_t *rq,
    ngx_rooms_batch_status_e status);
static void ngx_rooms_resume(ngx_rooms_req_t *rq, ngx_int_t rc);


static const ngx_rooms_step_pt  ngx_rooms_steps[] = {
    [NGX_ROOMS_START] = ngx_rooms_start,
    [NGX_ROOMS_AUTH] = ngx_rooms_authenticate,
    [NGX_ROOMS_READ_BODY] = ngx_rooms_body_read,
    [NGX_ROOMS_REGISTER] = ngx_rooms_register,
    [NGX_ROOMS_TAKE] = ngx_rooms_take,
    [NGX_ROOMS_CLAIM] = ngx_rooms_claim,
    [NGX_ROOMS_LOAD] = ngx_rooms_load,
    [NGX_ROOMS_DECIDE] = ngx_rooms_decide_step,
    [NGX_ROOMS_COMMIT] = ngx_rooms_commit_step,
    [NGX_ROOMS_SHOW] = ngx_rooms_show
};


ngx_int_t
ngx_rooms_handler(ngx_http_request_t *r)
{
    ngx_rooms_req_t  *rq;

    if (ngx_http_get_module_ctx(r, ngx_rooms_module)) {
        ngx_rooms_req_again(r);
    }

    rq = ngx_rooms_req(r);
    if (rq == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rq->endpoint == NULL && rq->allow.len == 0
        && rq->conf->fallback.len)
    {
        return ngx_http_named_location(r, &rq->conf->fallback);
    }

    /* ours until the answer is finalized */

    r->main->count++;

    ngx_rooms_run(rq);

    return NGX_DONE;
}


ngx_rooms_req_t *
ngx_rooms_req(ngx_http_request_t *r)
{
    ngx_time_t          *tp;
    ngx_rooms_req_t     *rq;
    ngx_pool_cleanup_t  *cln;

    rq = ngx_http_get_module_ctx(r, ngx_rooms_module);
    if (rq) {
        return rq;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_rooms_req_t));
    if (cln == NULL) {
        return NULL;
    }

    rq = cln->data;
    ngx_memzero(rq, sizeof(ngx_rooms_req_t));
    cln->handler = ngx_rooms_req_cleanup;

    rq->r = r;
    rq->pool = r->pool;
    rq->conf = ngx_http_get_module_loc_conf(r, ngx_rooms_module);
    ngx_queue_init(&rq->batches);

    rq->timer.handler = ngx_rooms_timer_handler;
    rq->timer.data = rq;
    rq->timer.log = r->connection->log;

    tp = ngx_timeofday();
    rq->now = (int64_t) tp->sec * 1000 + tp->msec;
    rq->started = ngx_current_msec;

    ngx_rooms_out_init(&rq->out, r->pool);

    ngx_http_set_ctx(r, rq, ngx_rooms_module);

    ngx_rooms_route(rq);

    return rq;
}


/*
 * A variable asked in an earlier phase, and a rewrite may have come since:
 * another path, and another location's settings.
 */
static void
ngx_rooms_req_again(ngx_http_request_t *r)
{
    ngx_rooms_req_t       *rq;
    ngx_rooms_loc_conf_t  *rlcf;

    rq = ngx_http_get_module_ctx(r, ngx_rooms_module);
    rlcf = ngx_http_get_module_loc_conf(r, ngx_rooms_module);

    if (rq->conf != rlcf) {
        rq->conf = rlcf;
        rq->authenticated = 0;
    }

    rq->endpoint = NULL;
    rq->allow.len = 0;

    ngx_rooms_route(rq);
}


static void
ngx_rooms_req_cleanup(void *data)
{
    ngx_rooms_req_t  *rq = data;

    if (rq->timer.timer_set) {
        ngx_del_timer(&rq->timer);
    }

    ngx_rooms_forget(rq);

    if (rq->work) {
        ngx_rooms_work_free(rq->work);
    }

    json_decref(rq->body);
}


void
ngx_rooms_forget(ngx_rooms_req_t *rq)
{
    ngx_queue_t        *q;
    ngx_rooms_batch_t  *b;

    if (rq->batch) {
        ngx_rooms_batch_free(rq->batch);
        rq->batch = NULL;
    }

    while (!ngx_queue_empty(&rq->batches)) {
        q = ngx_queue_head(&rq->batches);
        b = ngx_queue_data(q, ngx_rooms_batch_t, queue);
        ngx_queue_remove(q);
        ngx_rooms_batch_free(b);
    }
}


void
ngx_rooms_run(ngx_rooms_req_t *rq)
{
    ngx_int_t  rc;

    for ( ;; ) {
        rc = ngx_rooms_steps[rq->state](rq);

        if (rc == NGX_ERROR && rq->fails) {
            rc = rq->fails(rq);
        }

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_rooms_respond_error(rq);
            return;
        }

        rq->round = 0;

        if (rc == NGX_DECLINED) {
            /* what was decided is no longer true: look again */
            rq->state = NGX_ROOMS_LOAD;
            continue;
        }

        if (++rq->state == NGX_ROOMS_DONE) {
            (rq->answer ? rq->answer : ngx_rooms_respond)(rq);
            return;
        }
    }
}


/* Path and method are told only to those who have a token. */
static ngx_int_t
ngx_rooms_start(ngx_rooms_req_t *rq)
{
    rq->in.now = rq->now;
    rq->error = ROOMS_OK;
    rq->op = rq->endpoint ? rq->endpoint->op : ROOMS_OP_READ;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_take(ngx_rooms_req_t *rq)
{
    return rq->endpoint->take ? rq->endpoint->take(rq) : NGX_OK;
}


static ngx_int_t
ngx_rooms_load(ngx_rooms_req_t *rq)
{
    if (rq->endpoint->load == NULL) {
        return NGX_OK;
    }

    return rq->endpoint->load(rq);
}


static ngx_int_t
ngx_rooms_decide_step(ngx_rooms_req_t *rq)
{
    ngx_int_t  rc;

    /* an earlier decision whose commit was lost leaves nothing behind */

    rq->committing = 0;
    rq->status = 0;
    rq->location = ROOMS_NULL;

    rc = rq->endpoint->decide ? rq->endpoint->decide(rq) : NGX_OK;

    return rc == NGX_OK && rq->outer && rq->committing
           ? rq->outer->decide(rq) : rc;
}


ngx_int_t
ngx_rooms_begin(ngx_rooms_req_t *rq)
{
    rq->committing = 1;

    ngx_rooms_random_hex(rq->random, sizeof(rq->random));

    if (ngx_rooms_commit_init(&rq->commit, rq->pool, &rq->keys) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rq->conf->federation) {
        rq->commit.server = rooms_from_ngx(rq->conf->server_name);
        rq->commit.source_id = rq->source_id;
        rq->commit.source_server = rq->source_server;
        rq->commit.source_at = rq->source_at;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_commit_send(ngx_rooms_req_t *rq)
{
    ngx_int_t           rc;
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (rq->resolving) {
        rc = ngx_rooms_commit_build_resolve(&rq->commit, b);

    } else {
        rc = ngx_rooms_commit_build(&rq->commit, b, &rq->keys, rq->whole);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_commit_step(ngx_rooms_req_t *rq)
{
    ngx_rooms_commit_e  result;

    if (rq->round == 0) {

        if (rq->idem_claim.data && ngx_rooms_claim_record(rq) != NGX_OK) {
            return NGX_ERROR;
        }

        if (!rq->committing) {
            return NGX_OK;
        }

        rq->resolving = 0;
        rq->round = 1;

        return ngx_rooms_commit_send(rq);
    }

    if (rq->batch->status == NGX_ROOMS_BATCH_LOST) {

        if (rq->resolving) {
            return ngx_rooms_store_failed(rq, NGX_ROOMS_BATCH_LOST);
        }

        rq->resolving = 1;
        return ngx_rooms_commit_send(rq);
    }

    if (rq->resolving) {
        result = ngx_rooms_commit_resolved(rq->batch, &rq->position);
        rq->resolving = 0;

    } else {
        result = ngx_rooms_commit_result(rq->batch, &rq->position,
                                         rq->r->connection->log);
    }

    switch (result) {

    case NGX_ROOMS_COMMIT_DONE:

        if (rq->commit.posts) {
            ngx_rooms_outbox_poke(rq->conf);
        }

        return NGX_OK;

    case NGX_ROOMS_COMMIT_NOSCRIPT:
        rq->whole = 1;
        return ngx_rooms_commit_send(rq);

    case NGX_ROOMS_COMMIT_CONFLICT:
        ngx_rooms_status_conflict();

        if (++rq->races >= NGX_ROOMS_RACES) {
            return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT, NULL);
        }

        return NGX_DECLINED;

    default:
        return ngx_rooms_fail(rq, NGX_ROOMS_E_INTERNAL, NULL);
    }
}


static ngx_int_t
ngx_rooms_show(ngx_rooms_req_t *rq)
{
    /* an answer that was recorded with the commit is there already */

    if (rq->idem_claim.data) {
        return ngx_rooms_claim_answer(rq);
    }

    return rq->outer ? rq->outer->show(rq) : rq->endpoint->show(rq);
}


/* The store */


ngx_rooms_batch_t *
ngx_rooms_batch(ngx_rooms_req_t *rq)
{
    if (rq->batch) {
        /* values that were read point into it */
        ngx_queue_insert_tail(&rq->batches, &rq->batch->queue);
    }

    /* it may outlive the request, and so the connection and its log */

    rq->batch = ngx_rooms_batch_create(ngx_cycle->log);

    return rq->batch;
}


static ngx_uint_t
ngx_rooms_lane_of(ngx_rooms_req_t *rq)
{
    return (rq->endpoint && rq->endpoint->flags & NGX_ROOMS_BULK)
           ? NGX_ROOMS_LANE_BULK : NGX_ROOMS_LANE_FAST;
}


ngx_int_t
ngx_rooms_send(ngx_rooms_req_t *rq)
{
    ngx_rooms_batch_t  *b;

    b = rq->batch;

    b->handler = ngx_rooms_answered;
    b->data = rq;
    b->wanted = 1;

    rq->waiting = 1;
    rq->asked = ngx_current_msec;
    ngx_add_timer(&rq->timer, rq->conf->redis_timeout);

    ngx_rooms_lane_send(ngx_rooms_store_lane(rq->conf->store, rq->keys.slot,
                                             ngx_rooms_lane_of(rq)), b);

    return NGX_AGAIN;
}


redisReply *
ngx_rooms_reply(ngx_rooms_req_t *rq, ngx_uint_t n)
{
    return rq->batch->replies[n];
}


static void
ngx_rooms_worked(ngx_rooms_work_t *w)
{
    ngx_rooms_req_t  *rq;

    rq = w->owner;

    /* it may have been answered meanwhile: the store was lost */

    if (rq->state != NGX_ROOMS_DONE) {
        ngx_rooms_resume(rq, NGX_OK);
    }
}


ngx_int_t
ngx_rooms_wait_work(ngx_rooms_req_t *rq, ngx_rooms_work_t *w)
{
    if (rq->work && rq->work != w) {
        ngx_rooms_work_free(rq->work);
    }

    rq->work = w;

    w->done = ngx_rooms_worked;
    w->owner = rq;

    return ngx_rooms_work_start(w) == NGX_OK ? NGX_AGAIN : NGX_ERROR;
}


static void
ngx_rooms_answered(ngx_rooms_batch_t *b)
{
    ngx_rooms_req_t  *rq;

    rq = b->data;

    if (b->status == NGX_ROOMS_BATCH_OK && rq->timer.timer_set
        && rq->moves < NGX_ROOMS_MOVES
        && ngx_rooms_store_moved(rq->conf->store, b, ngx_rooms_lane_of(rq))
           == NGX_AGAIN)
    {
        /* the keys are elsewhere; the deadline stands */
        rq->moves++;
        return;
    }

    if (b->status == NGX_ROOMS_BATCH_OK
        && ngx_rooms_reply_transient(b->replies[0])
        && rq->timer.timer_set)
    {
        /* the deadline stands; the same batch goes again after a moment */

        if (rq->asked + rq->conf->redis_timeout
            > ngx_current_msec + NGX_ROOMS_RETRY_DELAY)
        {
            rq->waiting = 0;
            ngx_del_timer(&rq->timer);
            ngx_add_timer(&rq->timer, NGX_ROOMS_RETRY_DELAY);
            return;
        }
    }

    rq->waiting = 0;
    rq->store_time += ngx_current_msec - rq->asked;
    ngx_rooms_status_store(ngx_current_msec - rq->asked,
                           b->status == NGX_ROOMS_BATCH_OK);

    if (rq->timer.timer_set) {
        ngx_del_timer(&rq->timer);
    }

    ngx_rooms_resume(rq, ngx_rooms_check_replies(rq));
}


/* Errors that no step has to know of. */
static ngx_int_t
ngx_rooms_check_replies(ngx_rooms_req_t *rq)
{
    ngx_uint_t          i;
    redisReply         *reply;
    ngx_rooms_batch_t  *b;

    b = rq->batch;

    if (b->status == NGX_ROOMS_BATCH_LOST && rq->state == NGX_ROOMS_COMMIT) {
        /* the step finds out what became of it */
        return NGX_OK;
    }

    if (b->status != NGX_ROOMS_BATCH_OK) {
        return ngx_rooms_store_failed(rq, b->status);
    }

    for (i = 0; i < b->commands.nelts; i++) {
        reply = b->replies[i];

        if (reply->type != REDIS_REPLY_ERROR
            || ngx_rooms_reply_is_error(reply, "NOSCRIPT"))
        {
            continue;
        }

        ngx_log_error(NGX_LOG_ERR, rq->r->connection->log, 0,
                      "rooms: redis answered: %s", reply->str);

        if (ngx_rooms_reply_transient(reply)
            || ngx_rooms_reply_is_error(reply, "OOM ")
            || ngx_rooms_reply_is_error(reply, "MISCONF ")
            || ngx_rooms_reply_is_error(reply, "NOREPLICAS "))
        {
            return ngx_rooms_store_failed(rq, NGX_ROOMS_BATCH_DOWN);
        }

        return ngx_rooms_fail(rq, NGX_ROOMS_E_INTERNAL, NULL);
    }

    return NGX_OK;
}


/*
 * 503, and the truth about a change that was cut off: either nothing was
 * written, or that can't be known from here.
 */
static ngx_int_t
ngx_rooms_store_failed(ngx_rooms_req_t *rq, ngx_rooms_batch_status_e status)
{
    rq->retry_after = 1;

    if (rq->state == NGX_ROOMS_COMMIT) {
        rq->error_field = ngx_rooms_s("outcome");

        if (status == NGX_ROOMS_BATCH_DOWN && !rq->resolving) {
            rq->error_problem = ngx_rooms_s("not_applied");

        } else {
            rq->error_problem = ngx_rooms_s("unknown");
            return ngx_rooms_fail(rq, NGX_ROOMS_E_STORE,
                       "the store was lost during the change, which may "
                       "or may not have been made; a retry is safe");
        }
    }

    return ngx_rooms_fail(rq, NGX_ROOMS_E_STORE, NULL);
}


static void
ngx_rooms_timer_handler(ngx_event_t *ev)
{
    ngx_uint_t          sent;
    ngx_rooms_req_t    *rq;
    ngx_rooms_lane_t   *lane;
    ngx_rooms_batch_t  *b;

    rq = ev->data;
    b = rq->batch;

    if (!rq->waiting) {
        /* a moment has passed: again, within what is left of the deadline */
        rq->waiting = 1;
        ngx_add_timer(&rq->timer, rq->asked + rq->conf->redis_timeout
                                  - ngx_current_msec);
        ngx_rooms_lane_send(ngx_rooms_store_lane(rq->conf->store,
                                                 rq->keys.slot,
                                                 ngx_rooms_lane_of(rq)), b);
        return;
    }

    lane = b->lane;
    sent = b->sent;

    rq->waiting = 0;
    rq->batch = NULL;
    ngx_rooms_batch_free(b);

    if (lane) {
        ngx_rooms_lane_late(lane);
    }

    rq->store_time += ngx_current_msec - rq->asked;
    ngx_rooms_status_store(ngx_current_msec - rq->asked, 0);

    ngx_rooms_resume(rq, ngx_rooms_store_failed(rq,
                                   sent ? NGX_ROOMS_BATCH_LOST
                                        : NGX_ROOMS_BATCH_DOWN));
}


static void
ngx_rooms_resume(ngx_rooms_req_t *rq, ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = rq->r;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (rq->resume) {
        rq->resume(rq, rc);

    } else if (rc == NGX_ERROR) {
        ngx_rooms_respond_error(rq);

    } else {
        ngx_rooms_run(rq);
    }

    ngx_http_run_posted_requests(c);
}


void
ngx_rooms_continue(ngx_rooms_req_t *rq)
{
    ngx_rooms_resume(rq, NGX_OK);
}


ngx_int_t
ngx_rooms_fail(ngx_rooms_req_t *rq, ngx_uint_t code, const char *message)
{
    rq->error = code;
    rq->message = message ? rooms_cstr(message) : ROOMS_NULL;

    return NGX_ERROR;
}


ngx_int_t
ngx_rooms_invalid(ngx_rooms_req_t *rq, const char *field, const char *problem)
{
    rq->error_field = ngx_rooms_dup(rq->pool, rooms_cstr(field));
    rq->error_problem = ngx_rooms_dup(rq->pool, rooms_cstr(problem));

    return ngx_rooms_fail(rq, ROOMS_E_VALIDATION, NULL);
}


/*
 * Randomness for ids comes from libsodium in blocks, so that not every id is
 * a system call.
 */
static void
ngx_rooms_random(u_char *dst, size_t len)
{
    static u_char  block[1024];
    static size_t  left;

    if (left < len) {
        randombytes_buf(block, sizeof(block));
        left = sizeof(block);
    }

    left -= len;
    ngx_memcpy(dst, block + left, len);
    sodium_memzero(block + left, len);
}


void
ngx_rooms_random_hex(u_char *dst, size_t len)
{
    u_char  bytes[32];

    ngx_rooms_random(bytes, len / 2);
    ngx_hex_dump(dst, bytes, len / 2);
}


rooms_str_t
ngx_rooms_id(ngx_rooms_req_t *rq, const char *prefix)
{
    u_char        random[10], *p;
    rooms_str_t   id;

    p = ngx_pnalloc(rq->pool, ROOMS_ID_MAX);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    ngx_rooms_random(random, sizeof(random));

    id.data = p;
    id.len = rooms_id_make(prefix, rq->now, random, p);

    return id;
}
