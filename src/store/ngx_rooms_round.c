/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_round.h"
#include "ngx_rooms_fault.h"
#include "ngx_rooms_hold.h"


static void ngx_rooms_round_answered(ngx_rooms_batch_t *b);
static void ngx_rooms_round_timer(ngx_event_t *ev);
static void ngx_rooms_round_over(ngx_rooms_round_t *round);


void
ngx_rooms_round_init(ngx_rooms_round_t *round, ngx_rooms_store_t *store,
    ngx_log_t *log)
{
    round->store = store;

    ngx_queue_init(&round->kept);

    /* ngx_rooms_hold() keeps the worker */
    ngx_rooms_timer_init(&round->timer, ngx_rooms_round_timer, round, log);
}


ngx_rooms_batch_t *
ngx_rooms_round_batch(ngx_rooms_round_t *round)
{
    if (round->busy || round->nkept == NGX_ROOMS_ROUND_BATCHES) {
        return NULL;
    }

    if (round->batch) {
        /* a batch that was made and not sent */
        ngx_rooms_batch_free(round->batch);
    }

    round->batch = ngx_rooms_batch_create(round->timer.log);

    return round->batch;
}


ngx_int_t
ngx_rooms_round_send(ngx_rooms_round_t *round, ngx_uint_t slot,
    ngx_uint_t lane)
{
    ngx_rooms_batch_t  *b;

    b = round->batch;

    if (b->failed) {
        return NGX_ERROR;
    }

    b->handler = ngx_rooms_round_answered;
    b->data = round;

    round->lane = lane;
    round->busy = 1;

    ngx_rooms_hold();
    ngx_add_timer(&round->timer, round->store->node.timeout);
    ngx_rooms_store_send(round->store, slot, lane, b);

    return NGX_OK;
}


void
ngx_rooms_round_drop(ngx_rooms_round_t *round, ngx_uint_t n)
{
    ngx_queue_t        *q;
    ngx_rooms_batch_t  *b;

    while (n-- && round->nkept) {
        q = ngx_queue_last(&round->kept);
        b = ngx_queue_data(q, ngx_rooms_batch_t, queue);

        ngx_queue_remove(q);
        round->nkept--;

        ngx_rooms_batch_free(b);
    }
}


void
ngx_rooms_round_clear(ngx_rooms_round_t *round)
{
    ngx_rooms_round_over(round);

    if (round->batch) {
        ngx_rooms_batch_free(round->batch);
        round->batch = NULL;
    }

    ngx_rooms_round_drop(round, round->nkept);
}


static void
ngx_rooms_round_over(ngx_rooms_round_t *round)
{
    if (!round->busy) {
        return;
    }

    round->busy = 0;

    if (round->timer.timer_set) {
        ngx_del_timer(&round->timer);
    }

    ngx_rooms_release();
}


static void
ngx_rooms_round_answered(ngx_rooms_batch_t *b)
{
    ngx_rooms_round_t  *round;

    round = b->data;

    if (b->status == NGX_ROOMS_BATCH_OK
        && ngx_rooms_store_follow(round->store, b, round->lane) == NGX_AGAIN)
    {
        return;
    }

    ngx_rooms_round_over(round);

    round->batch = NULL;
    ngx_queue_insert_tail(&round->kept, &b->queue);
    round->nkept++;

    if (b->status != NGX_ROOMS_BATCH_OK || (ngx_exiting && !round->finishes)
        || ngx_rooms_fault_log(b, round->timer.log) != NGX_ROOMS_FAULT_NONE)
    {
        b = NULL;
    }

    round->handler(round, b);
}


static void
ngx_rooms_round_timer(ngx_event_t *ev)
{
    ngx_msec_t          left;
    ngx_rooms_lane_t   *lane;
    ngx_rooms_round_t  *round;

    round = ev->data;
    left = ngx_rooms_batch_left(round->batch, round->store->node.timeout);

    if (left) {
        ngx_add_timer(ev, left);
        return;
    }

    ngx_rooms_round_over(round);

    lane = round->batch->lane;
    ngx_rooms_batch_free(round->batch);
    round->batch = NULL;

    if (lane) {
        ngx_rooms_lane_late(lane);
    }

    round->handler(round, NULL);
}
