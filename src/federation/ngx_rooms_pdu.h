/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Events of one room in the form that other servers receive: made of stored
 * events, with names that one batch looks up, and signed.
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
 * The pool holds all results.  Replies needn't outlive the call that reads
 * them, but the room and the stored texts must live as long as the object.
 */

#ifndef NGX_ROOMS_PDU_H
#define NGX_ROOMS_PDU_H

#include "ngx_rooms_request.h"
#include "ngx_rooms_roster.h"
#include "rooms_fedkey.h"
#include "rooms_pdu.h"


#define NGX_ROOMS_PDU_MAX   (128 * 1024 - 256)  /* bytes of one event's text */
#define NGX_ROOMS_PDU_PAGE  100                 /* members in one part of a
                                                   snapshot */
#define NGX_ROOMS_PDU_PART  (64 * 1024)         /* bytes of these members */

/*
 * The progress of a snapshot.  Members come first, then banned participants,
 * each sorted by id.
 */
typedef struct {
    rooms_str_t                 after;     /* continue after this id; NULL:
                                              from the start */
    unsigned                    bans:1;    /* the id is of a banned
                                              participant */
    rooms_str_t                 of;        /* id of the first part */
    unsigned                    part;      /* number of the next part */
    rooms_str_t                 only;      /* only participants of this
                                              server; NULL: all */
} ngx_rooms_pdu_at_t;

typedef struct {
    ngx_pool_t                 *pool;
    ngx_log_t                  *log;
    ngx_rooms_keys_t           *keys;
    const rooms_fedkey_pair_t  *pair;
    const rooms_room_t         *room;

    rooms_str_t                *texts;     /* an entry is NULL if the event
                                              can't be sent */
    ngx_uint_t                  n;
    ngx_rooms_pdu_at_t          snapshot;  /* where to continue; its "after"
                                              is NULL at the end */
    rooms_str_t                 refused;   /* the event that the snapshot
                                              answers, or NULL */

    rooms_pdu_t                 with;
    json_t                     *stored;    /* array */
    ngx_uint_t                  at;        /* index of the first reply */
    ngx_rooms_roster_t          roster[2]; /* of members; of the banned */
    rooms_str_t                *ids;       /* of a page */
    ngx_uint_t                  nids;
    rooms_str_t                 sender;    /* of the snapshot's events */
    unsigned                    whole:1;
} ngx_rooms_pdu_t;


/*
 * whole: events of rooms at home here also carry the room, and the members
 * that they are about.
 */
ngx_rooms_pdu_t *ngx_rooms_pdu_create(ngx_pool_t *pool, ngx_log_t *log,
    ngx_rooms_loc_conf_t *conf, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, ngx_uint_t whole);

/* Appends at least one command to the batch, whatever the events are. */
ngx_int_t ngx_rooms_pdu_ask(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b,
    const rooms_str_t *stored, ngx_uint_t n);
/* NGX_ERROR: no memory.  Events that can't be sent are logged. */
ngx_int_t ngx_rooms_pdu_take(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b);

ngx_int_t ngx_rooms_pdu_page(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b,
    const ngx_rooms_pdu_at_t *at);
ngx_int_t ngx_rooms_pdu_page_take(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b);
/* `position` goes into the ids of the snapshot's parts. */
ngx_int_t ngx_rooms_pdu_snapshot(ngx_rooms_pdu_t *pdu, ngx_rooms_batch_t *b,
    int64_t position);

#endif /* NGX_ROOMS_PDU_H */
