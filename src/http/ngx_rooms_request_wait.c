/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What a step waits for: a batch to be answered by the store in time, or work
 * in a thread.  Then the pipeline goes on.
 */

#include "ngx_rooms_request.h"
#include "ngx_rooms_fault.h"
#include "ngx_rooms_status.h"


#define NGX_ROOMS_RETRY_DELAY  100    /* ms, while the store is loading */
#define NGX_ROOMS_BODY_LATER    60    /* s, after which its folder may have
                                         room */


/* A request that waits in a queue of others. */
typedef struct {
    ngx_queue_t        queue;
    ngx_rooms_req_t   *rq;
    ngx_event_t        event;          /* posted when woken; its timer ends
                                          the wait */
    unsigned           queued:1;
} ngx_rooms_waiter_t;


static void ngx_rooms_waiter_wake(ngx_event_t *ev);
static void ngx_rooms_waiter_cleanup(void *data);
static void ngx_rooms_answered(ngx_rooms_batch_t *b);
static ngx_uint_t ngx_rooms_ask_again(ngx_rooms_req_t *rq,
    ngx_rooms_batch_t *b);
static void ngx_rooms_send_again(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_check_replies(ngx_rooms_req_t *rq);
static void ngx_rooms_worked(ngx_rooms_work_t *w);
static void ngx_rooms_resume(ngx_rooms_req_t *rq, ngx_int_t rc);


ngx_rooms_batch_t *
ngx_rooms_batch(ngx_rooms_req_t *rq)
{
    rq->sure = 0;

    if (rq->batch) {
        /* values that were read point into the old batch */
        ngx_queue_insert_tail(&rq->batches, &rq->batch->queue);
    }

    /* a batch may outlive the request, its connection and their log */

    rq->batch = ngx_rooms_batch_create(ngx_cycle->log);

    return rq->batch;
}


static ngx_uint_t
ngx_rooms_lane_of(ngx_rooms_req_t *rq)
{
    if (rq->sure) {
        return NGX_ROOMS_LANE_SURE;
    }

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

    ngx_rooms_store_send(rq->conf->store, rq->keys.slot,
                         ngx_rooms_lane_of(rq), b);

    return NGX_AGAIN;
}


ngx_int_t
ngx_rooms_send_round(ngx_rooms_req_t *rq, ngx_uint_t round)
{
    rq->round = round;

    return ngx_rooms_send(rq);
}


/*
 * WAIT counts the replicas that have all earlier writes, and blocks its
 * connection meanwhile.  So these batches have a lane of their own.  Whatever
 * such a batch reads or writes is as safe as its WAIT says.
 */
ngx_int_t
ngx_rooms_send_sure(ngx_rooms_req_t *rq)
{
    if (rq->conf->redis_wait) {
        rq->sure = 1;

        if (ngx_rooms_command(rq->batch, ngx_rooms_s("WAIT"),
                  ngx_rooms_number(rq->batch->pool, rq->conf->redis_wait),
                  ngx_rooms_number(rq->batch->pool,
                                   rq->conf->redis_wait_timeout))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_rooms_send(rq);
}


ngx_uint_t
ngx_rooms_is_sure(ngx_rooms_req_t *rq)
{
    ngx_rooms_batch_t  *b;

    b = rq->batch;

    return !rq->sure
           || ngx_rooms_reply_int(b->replies[b->commands.nelts - 1], 0)
              >= rq->conf->redis_wait;
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
        && ngx_rooms_store_follow(rq->conf->store, b, ngx_rooms_lane_of(rq))
           == NGX_AGAIN)
    {
        /* it was sent again; the deadline stays */
        return;
    }

    if (rq->timer.timer_set && ngx_rooms_ask_again(rq, b)) {
        return;
    }

    rq->waiting = 0;
    rq->store_time += ngx_current_msec - rq->asked;
    ngx_rooms_status_store(rq->asked_at, b->status == NGX_ROOMS_BATCH_OK);

    if (rq->timer.timer_set) {
        ngx_del_timer(&rq->timer);
    }

    ngx_rooms_resume(rq, ngx_rooms_check_replies(rq));
}


/*
 * Sends the same batch again if the deadline allows: after a moment, if the
 * store can't answer now; immediately, if replies were lost.  That does no
 * harm, since the batch only reads, or writes the same again.  A commit isn't
 * sent again; its step finds out what became of it.
 */
static ngx_uint_t
ngx_rooms_ask_again(ngx_rooms_req_t *rq, ngx_rooms_batch_t *b)
{
    redisReply      *reply;
    ngx_msec_int_t   left;

    left = rq->timer.timer.key - ngx_current_msec;

    if (b->status == NGX_ROOMS_BATCH_LOST) {

        if (left <= 0 || b->once
            || (rq->state == NGX_ROOMS_COMMIT && !rq->resolving))
        {
            return 0;
        }

        ngx_rooms_send_again(rq);
        return 1;
    }

    if (b->status != NGX_ROOMS_BATCH_OK || left <= NGX_ROOMS_RETRY_DELAY
        || ngx_rooms_fault_batch(b, &reply) != NGX_ROOMS_FAULT_PASSES)
    {
        return 0;
    }

    rq->waiting = 0;
    rq->deadline = rq->timer.timer.key;
    ngx_del_timer(&rq->timer);
    ngx_add_timer(&rq->timer, NGX_ROOMS_RETRY_DELAY);

    return 1;
}


static void
ngx_rooms_send_again(ngx_rooms_req_t *rq)
{
    ngx_rooms_store_send(rq->conf->store, rq->keys.slot,
                         ngx_rooms_lane_of(rq), rq->batch);
}


/* Handles errors that no step needs to know about. */
static ngx_int_t
ngx_rooms_check_replies(ngx_rooms_req_t *rq)
{
    ngx_rooms_batch_t  *b;

    b = rq->batch;

    if (b->status == NGX_ROOMS_BATCH_LOST && rq->state == NGX_ROOMS_COMMIT) {
        /* the step finds out what became of it */
        return NGX_OK;
    }

    if (b->status != NGX_ROOMS_BATCH_OK) {
        return ngx_rooms_fail_store(rq, b->status);
    }

    switch (ngx_rooms_fault_log(b, rq->r->connection->log)) {

    case NGX_ROOMS_FAULT_NONE:
        return NGX_OK;

    case NGX_ROOMS_FAULT_OURS:
        return ngx_rooms_fail(rq, NGX_ROOMS_E_INTERNAL, NULL);

    default:
        return ngx_rooms_fail_store(rq, NGX_ROOMS_BATCH_DOWN);
    }
}


/*
 * Sets a 503 that is honest about an interrupted change: whether it was made
 * isn't always known.
 */
ngx_int_t
ngx_rooms_fail_store(ngx_rooms_req_t *rq, ngx_rooms_batch_status_e status)
{
    if (rq->resolving || rq->partly || (status == NGX_ROOMS_BATCH_LOST
                                        && rq->state == NGX_ROOMS_COMMIT))
    {
        rq->error_field = ngx_rooms_s("outcome");
        rq->error_problem = ngx_rooms_s("unknown");
        return ngx_rooms_fail(rq, NGX_ROOMS_E_STORE,
                              "the store was lost during the change, which "
                              "may or may not have been made; a retry is "
                              "safe");
    }

    return ngx_rooms_fail(rq, NGX_ROOMS_E_STORE, NULL);
}


ngx_int_t
ngx_rooms_fail_body(ngx_rooms_req_t *rq)
{
    rq->retry_after = NGX_ROOMS_BODY_LATER;

    return ngx_rooms_fail(rq, NGX_ROOMS_E_STORE,
                          "the body can't be stored now");
}


ngx_int_t
ngx_rooms_fail_disk(ngx_rooms_req_t *rq, ngx_err_t err)
{
    if (ngx_rooms_fault_disk(err, &rq->retry_after) == NGX_ROOMS_FAULT_OURS) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_INTERNAL, NULL);
    }

    return ngx_rooms_fail(rq, NGX_ROOMS_E_STORE,
                          "the disk can't be used now");
}


void
ngx_rooms_send_timeout(ngx_event_t *ev)
{
    ngx_msec_t          left;
    ngx_uint_t          sent;
    ngx_rooms_req_t    *rq;
    ngx_rooms_lane_t   *lane;
    ngx_rooms_batch_t  *b;

    rq = ev->data;
    b = rq->batch;

    if (rq->pausing) {
        rq->pausing = 0;
        rq->paused = 1;
        ngx_rooms_resume(rq, NGX_OK);
        return;
    }

    if (!rq->waiting) {
        /*
         * the moment has passed: send again, within the rest of the deadline
         */
        rq->waiting = 1;
        left = ngx_max((ngx_msec_int_t) (rq->deadline - ngx_current_msec), 1);
        ngx_add_timer(&rq->timer, left);
        ngx_rooms_send_again(rq);
        return;
    }

    left = ngx_rooms_batch_left(b, rq->conf->redis_timeout);

    if (left) {
        ngx_add_timer(&rq->timer, left);
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
ngx_rooms_pause(ngx_rooms_req_t *rq, ngx_msec_t delay)
{
    rq->pausing = 1;

    if (delay) {
        ngx_add_timer(&rq->timer, delay);

    } else {
        /* a timer of 0 ms would expire again before other events are seen */
        ngx_post_event(&rq->timer, &ngx_posted_next_events);
    }

    return NGX_AGAIN;
}


ngx_int_t
ngx_rooms_wait_in(ngx_rooms_req_t *rq, ngx_queue_t *waiters, ngx_msec_t wait)
{
    ngx_rooms_waiter_t  *w;

    w = ngx_rooms_owned(rq->pool, sizeof(ngx_rooms_waiter_t),
                        ngx_rooms_waiter_cleanup);
    if (w == NULL) {
        return NGX_ERROR;
    }

    w->rq = rq;
    w->queued = 1;
    w->event.handler = ngx_rooms_waiter_wake;
    w->event.data = w;
    w->event.log = rq->r->connection->log;

    ngx_queue_insert_tail(waiters, &w->queue);
    ngx_add_timer(&w->event, wait);

    return NGX_AGAIN;
}


void
ngx_rooms_wake_all(ngx_queue_t *waiters)
{
    ngx_queue_t         *q;
    ngx_rooms_waiter_t  *w;

    while (!ngx_queue_empty(waiters)) {
        q = ngx_queue_head(waiters);
        w = ngx_queue_data(q, ngx_rooms_waiter_t, queue);

        ngx_queue_remove(q);
        w->queued = 0;

        ngx_post_event(&w->event, &ngx_posted_events);
    }
}


void
ngx_rooms_wait_anew(ngx_queue_t *waiters)
{
    ngx_queue_t         *q;
    ngx_rooms_waiter_t  *w;

    for (q = ngx_queue_head(waiters);
         q != ngx_queue_sentinel(waiters);
         q = ngx_queue_next(q))
    {
        w = ngx_queue_data(q, ngx_rooms_waiter_t, queue);
        w->rq->round = 0;
    }
}


/* The queue was woken, or the wait took too long. */
static void
ngx_rooms_waiter_wake(ngx_event_t *ev)
{
    ngx_rooms_waiter_t *w = ev->data;

    ngx_rooms_req_t   *rq;
    ngx_connection_t  *c;

    rq = w->rq;
    c = rq->r->connection;

    ngx_rooms_waiter_cleanup(w);

    ngx_http_set_log_request(c->log, rq->r);
    ngx_rooms_run(rq);
    ngx_http_run_posted_requests(c);
}


static void
ngx_rooms_waiter_cleanup(void *data)
{
    ngx_rooms_waiter_t *w = data;

    if (w->queued) {
        ngx_queue_remove(&w->queue);
        w->queued = 0;
    }

    if (w->event.posted) {
        ngx_delete_posted_event(&w->event);
    }

    if (w->event.timer_set) {
        ngx_del_timer(&w->event);
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

    if (ngx_rooms_work_start(w) != NGX_OK) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_STORE,
                              "too many requests are in progress");
    }

    return NGX_AGAIN;
}


static void
ngx_rooms_worked(ngx_rooms_work_t *w)
{
    ngx_rooms_req_t  *rq;

    rq = w->owner;

    /* it may have been answered meanwhile, as the store was lost */

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
