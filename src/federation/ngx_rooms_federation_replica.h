/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What the home of a room tells of it, as one event:
 *
 *   ngx_rooms_federation_replica.c   what is read of the room, in rounds
 *   ngx_rooms_federation_snapshot.c  whom a snapshot names, and whom not
 *   ngx_rooms_federation_dm.c        of two DMs of the same two, one stays
 *   ngx_rooms_federation_mirror.c    what is written
 */

#ifndef NGX_ROOMS_FEDERATION_REPLICA_H
#define NGX_ROOMS_FEDERATION_REPLICA_H

#include "ngx_rooms_federation_send.h"


/* Positions kept free before a replica's first event, for its history. */
#define NGX_ROOMS_HISTORY  10000

/* Rows that end in one commit, as a snapshot doesn't name them. */
#define NGX_ROOMS_REPLICA_GONE  100

typedef enum {
    NGX_ROOMS_L_BEGIN = 0,
    NGX_ROOMS_L_LOCALS,                    /* ids of our participants */
    NGX_ROOMS_L_ROOM,                      /* the room and the rows */
    NGX_ROOMS_L_OTHER,                     /* the two's other DM */
    NGX_ROOMS_L_HEARD,                     /* whether they know of it */
    NGX_ROOMS_L_GONE,                      /* rows that weren't told */
    NGX_ROOMS_L_UNHEARD,                   /* joins that wait to be told */
    NGX_ROOMS_L_HISTORY                    /* free positions */
} ngx_rooms_replica_round_e;

typedef struct {
    ngx_uint_t             n;              /* told, and known here */
    rooms_told_member_t   *told;
    rooms_str_t           *ids;            /* here */
    rooms_mirror_row_t    *rows;
    ngx_rooms_profile_t   *profiles;
    rooms_str_t           *had;            /* their rows; NULL: none */
    u_char                *known;          /* and unchanged */
    ngx_uint_t             nrows;          /* those gone are behind n */
    rooms_room_t           room;           /* as it was, unless ... */
    unsigned               fresh:1;        /* ... there was none */
    unsigned               closed:1;       /* it begins so */
    unsigned               full:1;         /* of rooms of that server that
                                              nobody has accepted */

    ngx_uint_t             at_marker;      /* replies, 0: not asked */
    ngx_uint_t             at_gone;
    ngx_uint_t             at_refused;
    ngx_uint_t             at_rows;
    ngx_uint_t             at_dm;

    int64_t                history;        /* the last free position */
    rooms_str_t            peer[2];        /* of a DM; NULL: no two sides */
    rooms_str_t            other;          /* their other DM, or NULL */
} ngx_rooms_replica_t;


/* Whether the id is among those told. */
ngx_uint_t ngx_rooms_replica_told(ngx_rooms_replica_t *replica,
    rooms_str_t id);

/* Whom the parts of this snapshot have named so far. */
rooms_str_t ngx_rooms_replica_key(ngx_rooms_req_t *rq);

/* Free positions, the last thing that is asked for a new replica. */
ngx_int_t ngx_rooms_replica_ask_history(ngx_rooms_req_t *rq);


/* Of a snapshot: adds commands to the batch that reads the room. */
ngx_int_t ngx_rooms_replica_snapshot_ask(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica, int64_t marker);

/* Steps behind that; NGX_OK: nothing more is to be read. */
ngx_int_t ngx_rooms_replica_snapshot(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
ngx_int_t ngx_rooms_replica_gone(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
ngx_int_t ngx_rooms_replica_unheard(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);


/* The two sides of a DM, into "peer". */
void ngx_rooms_replica_sides(ngx_rooms_replica_t *replica,
    rooms_str_t sender);

/* Another DM of theirs has this id. */
ngx_int_t ngx_rooms_replica_other_ask(ngx_rooms_req_t *rq, rooms_str_t id);
ngx_int_t ngx_rooms_replica_other(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
ngx_int_t ngx_rooms_replica_heard(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);


ngx_int_t ngx_rooms_replica_decide(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_FEDERATION_REPLICA_H */
