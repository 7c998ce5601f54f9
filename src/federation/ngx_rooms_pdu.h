/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Events of one room as other servers are told them: made of stored events,
 * with names that one batch looks up, and signed.
 *
 *   pdu = ngx_rooms_pdu_create(...);
 *   ngx_rooms_pdu_ask(pdu, batch, stored, n);      and send the batch
 *   ngx_rooms_pdu_take(pdu, batch);                pdu->texts, pdu->n
 *
 * and a snapshot, a page of members at a time:
 *
 *   ngx_rooms_pdu_page(pdu, batch, &at);           and send the batch
 *   ngx_rooms_pdu_page_take(pdu, batch);
 *   ngx_rooms_pdu_ask(pdu, other, NULL, 0);        and send that one
 *   ngx_rooms_pdu_snapshot(pdu, other, position);  pdu->texts, pdu->n
 *
 * The pool holds all of it; replies need not outlive the call that reads
 * them, but the room and the stored texts must live as long as the object.
 */

#ifndef NGX_ROOMS_PDU_H
#define NGX_ROOMS_PDU_H

#include "ngx_rooms_request.h"
#include "rooms_fedkey.h"
#include "rooms_pdu.h"


#define NGX_ROOMS_PDU_MAX   (128 * 1024 - 256)  /* of one event's text */
#define NGX_ROOMS_PDU_PAGE  100                 /* members in a snapshot */
#define NGX_ROOMS_PDU_PART  (64 * 1024)         /* of their bytes */

/*
 * How far a snapshot is: those that are in the room come first, and then
 * those that are banned, each in the order of their ids.
 */
typedef struct {
    rooms_str_t                 after;     /* this one; NULL: it begins */
    unsigned                    bans:1;    /* who is one of those */
    rooms_str_t                 of;        /* its first part's id */
    unsigned                    part;      /* the next one's number */
    rooms_str_t                 only;      /* of this server, or NULL: all */
} ngx_rooms_pdu_at_t;

typedef struct {
    ngx_pool_t                 *pool;
    ngx_log_t                  *log;
    ngx_rooms_keys_t           *keys;
    const rooms_fedkey_pair_t  *pair;
    const rooms_room_t         *room;

    rooms_str_t                *texts;     /* NULL: it can't be told */
    ngx_uint_t                  n;
    ngx_rooms_pdu_at_t          snapshot;  /* where it goes on; its "after" is
                                              NULL if it is complete */
    rooms_str_t                 refused;   /* what it answers, or NULL */

    rooms_pdu_t                 with;
    json_t                     *stored;    /* array */
    ngx_uint_t                  at;        /* first reply */
    rooms_str_t                *ids;       /* of a page */
    ngx_uint_t                  nids;
    rooms_str_t                 sender;    /* of the snapshot */
    unsigned                    whole:1;
} ngx_rooms_pdu_t;


/* whole: the room, and whom an event is about, are told if it is our room. */
ngx_rooms_pdu_t *ngx_rooms_pdu_create(ngx_pool_t *pool, ngx_log_t *log,
    ngx_rooms_loc_conf_t *conf, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, ngx_uint_t whole);

/* Adds commands to a batch: at least one, whatever the events are. */
ngx_int_t ngx_rooms_pdu_ask(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b,
    const rooms_str_t *stored, ngx_uint_t n);
/* NGX_ERROR: no memory.  One that can't be told is logged. */
ngx_int_t ngx_rooms_pdu_take(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b);

ngx_int_t ngx_rooms_pdu_page(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b,
    const ngx_rooms_pdu_at_t *at);
ngx_int_t ngx_rooms_pdu_page_take(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b);
/* The position is for the ids that are made. */
ngx_int_t ngx_rooms_pdu_snapshot(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b,
    int64_t position);

#endif /* NGX_ROOMS_PDU_H */
