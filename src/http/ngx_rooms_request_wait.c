/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What a step waits for: a batch that the store answers, within its deadline,
 * or work in a thread.  Then the pipeline runs on.
 */

#include "ngx_rooms_request.h"
#include "ngx_rooms_status.h"


#define NGX_ROOMS_RETRY_DELAY  100    /* ms, while the store is loading */
#define NGX_ROOMS_MOVES          8    /* of a request's batches, in all */


static void ngx_rooms_answered(ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_check_replies(ngx_rooms_req_t *rq);
static void ngx_rooms_worked(ngx_rooms_work_t *w);
static void ngx_rooms_resume(ngx_rooms_req_t *rq, ngx_int_t rc);


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
    rq->asked_at = ngx_rooms_usec();
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
    ngx_rooms_status_store(rq->asked_at, b->status == NGX_ROOMS_BATCH_OK);

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
        return ngx_rooms_fail_store(rq, b->status);
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
            || ngx_rooms_reply_is_error(reply, "NOREPLICAS ")
            || ngx_rooms_reply_is_error(reply, "SCHEMA "))
        {
            return ngx_rooms_fail_store(rq, NGX_ROOMS_BATCH_DOWN);
        }

        return ngx_rooms_fail(rq, NGX_ROOMS_E_INTERNAL, NULL);
    }

    return NGX_OK;
}


/*
 * 503, and the truth about a change that was cut off: either nothing was
 * written, or that can't be known from here.
 */
ngx_int_t
ngx_rooms_fail_store(ngx_rooms_req_t *rq, ngx_rooms_batch_status_e status)
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


void
ngx_rooms_send_timeout(ngx_event_t *ev)
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
    ngx_rooms_status_store(rq->asked_at, 0);

    ngx_rooms_resume(rq, ngx_rooms_fail_store(rq,
                                   sent ? NGX_ROOMS_BATCH_LOST
                                        : NGX_ROOMS_BATCH_DOWN));
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
ngx_rooms_worked(ngx_rooms_work_t *w)
{
    ngx_rooms_req_t  *rq;

    rq = w->owner;

    /* it may have been answered meanwhile: the store was lost */

    if (rq->state != NGX_ROOMS_DONE) {
        ngx_rooms_resume(rq, NGX_OK);
    }
}


void
ngx_rooms_continue(ngx_rooms_req_t *rq)
{
    ngx_rooms_resume(rq, NGX_OK);
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
