/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_INBOX_H
#define NGX_ROOMS_INBOX_H

#include "ngx_rooms_federation_endpoints.h"
#include "rooms_told.h"
#include "rooms_fedkey.h"
#include "rooms_policy.h"


/*
 * POST /_scaiwave/federation/v1/send: its events, one after the other.  The
 * inbox judges each; ngx_rooms_replica.c writes what a room's home tells of it.
 */

typedef struct {
    const char             *status;        /* "applied", ... */
    ngx_uint_t              code;
    rooms_str_t             reason;
    rooms_str_t             id;
    rooms_str_t             astray;        /* a room of which it was wrong */
    rooms_str_t             refused;       /* in who is in it: the event */
    int64_t                 position;      /* that room's */
} ngx_rooms_fedresult_t;

/* How far a snapshot has been compared with who is in the room. */
typedef struct {
    rooms_str_t             gone;          /* members up to this id ... */
    rooms_str_t             unbanned;      /* ... and those banned */
} ngx_rooms_fedcompared_t;

typedef struct {
    rooms_str_t            *texts;         /* of the body's events */
    json_t                **events;        /* NULL: not parsed yet */
    ngx_uint_t              n;
    ngx_uint_t              i;             /* the one that is judged */
    ngx_rooms_fedresult_t  *results;

    rooms_told_t            told;          /* that one; its room as it is
                                              called here */
    rooms_str_t             room;          /* as its home calls it */
    rooms_str_t             local;         /* here, if that is another id */
    rooms_str_t             peer;          /* who sends */
    rooms_str_t             self;
    rooms_fedkey_t          key;           /* the peer's */
    size_t                  size;          /* of the body */
    u_char                 *work;          /* as much, or NULL */
    rooms_str_t             ref_id;        /* the event it refers to */
    rooms_str_t             ref_server;
    rooms_str_t             ref;           /* its id here, or NULL */
    rooms_told_member_t     subject;       /* whom it is about, or NULL */
    rooms_str_t             subject_id;    /* here, or NULL */
    ngx_rooms_profile_t     sender;        /* as it is known here */
    rooms_str_t             sender_row;    /* NULL: it isn't */

    rooms_policy_t         *policy;        /* as it was read last */
    rooms_str_t             policy_text;   /* NULL: there is none */
    int64_t                 rooms;         /* the peer is in that many */
    unsigned                ended:1;       /* it is not allowed any longer */

    unsigned                exists:1;      /* the room, as it was judged */
    unsigned                federated:1;

    ngx_uint_t              changes;       /* a room of ours, that is */
    ngx_uint_t              again;         /* what is done now is not all of
                                              it: then it is judged anew */
    ngx_rooms_fedcompared_t compared;      /* by commits that were made ... */
    ngx_rooms_fedcompared_t comparing;     /* ... and with the next one */

    ngx_uint_t              at_ref;        /* replies */
    ngx_uint_t              at_subject;

    ngx_uint_t              astray;        /* some result has such a room */
    int64_t                 position;      /* of the room */
} ngx_rooms_fedsend_t;


/* Goes on to the next event; NGX_OK: there is none.  NGX_DECLINED: load. */
ngx_int_t ngx_rooms_fedsend_done(ngx_rooms_req_t *rq, const char *status);


/* Whether the room has a place for one more of other servers. */
ngx_int_t ngx_rooms_foreign_seat(ngx_rooms_req_t *rq,
    const rooms_policy_t *policy, const rooms_room_t *room);

/* Rows for one event: of a room of ours; of a replica. */
ngx_int_t ngx_rooms_fedsend_replica(ngx_rooms_req_t *rq);

/* The row of a path in the table, which the event is then a request of. */
ngx_int_t ngx_rooms_fedsend_as(ngx_rooms_req_t *rq, ngx_uint_t method,
    const char *path, json_t *body);

/* Message, edit, redaction, reaction: the same at home and in a replica. */
ngx_int_t ngx_rooms_fedsend_message(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_INBOX_H */
