/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_INBOX_H
#define NGX_ROOMS_INBOX_H

#include "ngx_rooms_federation_endpoints.h"
#include "rooms_remote.h"
#include "rooms_fedkey.h"
#include "rooms_policy.h"


/*
 * POST /_scaiwave/federation/v1/send handles the events of its body one after
 * the other.  The inbox judges each; ngx_rooms_replica.c applies those that a
 * room's home sends.
 */

typedef struct {
    const char             *status;        /* "applied", "rejected",
                                              "duplicate" */
    ngx_uint_t              code;
    rooms_str_t             reason;
    rooms_str_t             id;
    rooms_str_t             astray;        /* the room whose replica needs a
                                              correction */
    rooms_str_t             refused;       /* the refused member event, or
                                              NULL */
    int64_t                 position;      /* of that room */
} ngx_rooms_fedresult_t;

/* How far the room's members have been compared with a snapshot. */
typedef struct {
    rooms_str_t             gone;          /* members up to this id */
    rooms_str_t             unbanned;      /* banned ones up to this id */
} ngx_rooms_fedcompared_t;

typedef struct {
    rooms_str_t            *texts;         /* the body's events */
    json_t                **events;        /* NULL: not parsed yet */
    ngx_uint_t              n;
    ngx_uint_t              i;             /* the current event */
    ngx_rooms_fedresult_t  *results;

    rooms_remote_t          remote;          /* the current event; its room
                                              under its id here */
    rooms_str_t             room;          /* the room's id at its home */
    rooms_str_t             local;         /* its id here, if that differs */
    rooms_str_t             peer;          /* the server that sends */
    rooms_str_t             self;
    rooms_fedkey_t          key;           /* the peer's key */
    size_t                  size;          /* of the body */
    u_char                 *work;          /* `size` bytes of work space, or
                                              NULL */
    rooms_str_t             ref_id;        /* the event that it refers to */
    rooms_str_t             ref_server;
    rooms_str_t             ref;           /* its id here, or NULL */
    rooms_remote_member_t     subject;       /* the participant that it is
                                              about, or NULL */
    rooms_str_t             subject_id;    /* here, or NULL */
    ngx_rooms_profile_t     sender;        /* the profile stored here */
    rooms_str_t             sender_row;    /* the stored row; NULL: none */

    rooms_policy_t         *policy;        /* as read last */
    rooms_str_t             policy_text;   /* its stored text; NULL: none */
    int64_t                 rooms;         /* number of rooms the peer is in */
    unsigned                ended:1;       /* the policy no longer allows the
                                              peer */

    unsigned                exists:1;      /* the room exists */
    unsigned                federated:1;

    ngx_uint_t              changes;       /* it changes a room at home here */
    ngx_uint_t              again;         /* the commit did only a part:
                                              judge the event again */
    ngx_rooms_fedcompared_t compared;      /* by the commits so far */
    ngx_rooms_fedcompared_t comparing;     /* including the next commit */

    ngx_uint_t              at_ref;        /* indexes of replies */
    ngx_uint_t              at_subject;

    ngx_uint_t              astray;        /* some result needs a correction */
    int64_t                 position;      /* the room's */
} ngx_rooms_fedsend_t;


/*
 * Finishes the event and continues with the next one.  NGX_OK: there is none.
 * NGX_DECLINED: run the load step again.
 */
ngx_int_t ngx_rooms_fedsend_done(ngx_rooms_req_t *rq, const char *status);


/*
 * Fails the request if the room has no place for another foreign participant.
 */
ngx_int_t ngx_rooms_foreign_seat(ngx_rooms_req_t *rq,
    const rooms_policy_t *policy, const rooms_room_t *room);

/* Handles one event of a replica. */
ngx_int_t ngx_rooms_fedsend_replica(ngx_rooms_req_t *rq);

/*
 * Turns the event into a request for the row of this path.  Takes over
 * `body`.
 */
ngx_int_t ngx_rooms_fedsend_as(ngx_rooms_req_t *rq, ngx_uint_t method,
    const char *path, json_t *body);

/* Messages, edits, redactions and reactions, both at home and in a replica. */
ngx_int_t ngx_rooms_fedsend_message(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_INBOX_H */
