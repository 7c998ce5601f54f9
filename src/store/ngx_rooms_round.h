/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * One round to the store for work without a request: a batch, its deadline,
 * and what to do when the store has moved, is late or is away.  An exiting
 * worker waits for it.
 *
 *   b = ngx_rooms_round_batch(&round);
 *   ... commands ...
 *   ngx_rooms_round_send(&round, slot, lane)  ->  round.handler
 *
 * The handler may send the next one.  Answered batches, and so the values
 * read from them, are kept until ngx_rooms_round_clear().
 */

#ifndef NGX_ROOMS_ROUND_H
#define NGX_ROOMS_ROUND_H

#include "ngx_rooms_store.h"


#define NGX_ROOMS_ROUND_BATCHES  10        /* the most that are kept */

typedef struct ngx_rooms_round_s  ngx_rooms_round_t;

/*
 * b: its replies are here, and none is an error of the store.  NULL: the
 * store has failed, which was logged, or the worker exits (unless `finishes`
 * is set).  The handler may free the memory that contains the round, after
 * ngx_rooms_round_clear().
 */
typedef void (*ngx_rooms_round_pt)(ngx_rooms_round_t *round,
    ngx_rooms_batch_t *b);

struct ngx_rooms_round_s {
    ngx_rooms_store_t    *store;
    ngx_rooms_round_pt    handler;
    void                 *data;            /* the owner's */

    ngx_rooms_batch_t    *batch;           /* being filled, or in flight */
    ngx_queue_t           kept;            /* answered batches */
    ngx_uint_t            nkept;
    ngx_uint_t            lane;
    ngx_event_t           timer;           /* the batch's deadline */
    unsigned              busy:1;          /* one is in flight */
    unsigned              finishes:1;      /* goes on when the worker exits */
};


void ngx_rooms_round_init(ngx_rooms_round_t *round, ngx_rooms_store_t *store,
    ngx_log_t *log);

/*
 * Makes the next batch; frees one that was made and not sent.  NULL: out of
 * memory, or too many are kept.
 */
ngx_rooms_batch_t *ngx_rooms_round_batch(ngx_rooms_round_t *round);

/* Sends the batch.  NGX_ERROR: out of memory; the handler isn't called. */
ngx_int_t ngx_rooms_round_send(ngx_rooms_round_t *round, ngx_uint_t slot,
    ngx_uint_t lane);

/* Frees the newest n answered batches. */
void ngx_rooms_round_drop(ngx_rooms_round_t *round, ngx_uint_t n);

/* Frees all batches.  If one is in flight, the handler isn't called. */
void ngx_rooms_round_clear(ngx_rooms_round_t *round);

#endif /* NGX_ROOMS_ROUND_H */
