/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Between the files of endings: the state of a link's, and of a step of it. */

#ifndef NGX_ROOMS_ENDINGS_STEP_H
#define NGX_ROOMS_ENDINGS_STEP_H

#include "ngx_rooms_endings.h"
#include "ngx_rooms_fedpolicy.h"


#define NGX_ROOMS_ENDINGS_BATCHES  8       /* of a step */
#define NGX_ROOMS_ENDINGS_ROWS    50       /* looked at together */

typedef enum {
    NGX_ROOMS_E_ENDING = 0,
    NGX_ROOMS_E_PEERS,
    NGX_ROOMS_E_ROOMS,                     /* of a peer */
    NGX_ROOMS_E_ROOM,
    NGX_ROOMS_E_ROWS,
    NGX_ROOMS_E_HEIRS,
    NGX_ROOMS_E_COMMIT
} ngx_rooms_endings_e;

struct ngx_rooms_endings_s {
    ngx_rooms_fedlink_t    *link;
    ngx_event_t             timer;         /* the store's deadline */
    ngx_uint_t              busy;
    ngx_uint_t              steps;         /* of this tick */
    ngx_msec_t              next;          /* look, once nothing was found */

    /* of all peers: how far it is */
    u_char                  cursor[ROOMS_PEER_MAX];
    size_t                  cursor_len;
    u_char                  peer[ROOMS_PEER_MAX];
    size_t                  peer_len;      /* 0: between two of them */
    ngx_uint_t              offset;        /* of its rooms, that stay */
    uint32_t                passed;        /* CRC of the policy then */
    ngx_msec_t              pass;          /* when there is another one */
    unsigned                once:1;        /* there was one */

    /* of a step */
    ngx_pool_t             *pool;
    ngx_rooms_keys_t        keys;
    ngx_rooms_batch_t      *batches[NGX_ROOMS_ENDINGS_BATCHES];
    ngx_uint_t              nbatches;
    ngx_rooms_endings_e     state;
    rooms_str_t             text;          /* of the policy, or NULL */
    rooms_policy_t         *policy;
    rooms_str_t             putter;        /* of the policy, or NULL */
    rooms_str_t             ending;        /* NULL: it is the policy's */
    rooms_str_t             id;
    rooms_str_t             server;
    rooms_str_t             who;
    int64_t                 until;         /* who came later stays; or -1 */
    rooms_str_t             after;         /* of the room's list */
    rooms_room_t            room;
    rooms_str_t             found[NGX_ROOMS_ENDINGS_ROWS];
    ngx_uint_t              nfound;
    unsigned                more:1;        /* of the list, behind those */
    rooms_target_t          target;
    rooms_member_t          top[2];
    ngx_uint_t              ntop;
    ngx_rooms_commit_t      commit;
    u_char                  random[16];
    unsigned                whole:1;
    unsigned                all:1;         /* rooms of ours, of a peer */
    unsigned                invited:1;     /* it is in a room of ours */
};


/* ngx_rooms_endings.c; NULL: no memory, or a step has had too many. */
ngx_rooms_batch_t *ngx_rooms_endings_batch(ngx_rooms_endings_t *e);
ngx_int_t ngx_rooms_endings_ask(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b,
    ngx_rooms_endings_e state);
/* The commit, which is the last of a step. */
ngx_int_t ngx_rooms_endings_send(ngx_rooms_endings_t *e);

/*
 * What a state does with its answers.  NGX_AGAIN: asked; NGX_OK: the step is
 * done; else the tick is.
 */

/* ngx_rooms_endings_find.c */
ngx_int_t ngx_rooms_endings_ending(ngx_rooms_endings_t *e,
    ngx_rooms_batch_t *b);
ngx_int_t ngx_rooms_endings_peers(ngx_rooms_endings_t *e, redisReply *peers);
ngx_int_t ngx_rooms_endings_rooms(ngx_rooms_endings_t *e,
    ngx_rooms_batch_t *b);
/* Nothing (more) ends here; read: as long as e->room is as it was read. */
ngx_int_t ngx_rooms_endings_drop(ngx_rooms_endings_t *e, ngx_uint_t read);

/* ngx_rooms_endings_room.c: e->id, and in it e->server */
ngx_int_t ngx_rooms_endings_ask_room(ngx_rooms_endings_t *e);
ngx_int_t ngx_rooms_endings_room(ngx_rooms_endings_t *e,
    ngx_rooms_batch_t *b);
ngx_int_t ngx_rooms_endings_rows(ngx_rooms_endings_t *e,
    ngx_rooms_batch_t *b);

/* ngx_rooms_endings_leave.c: e->target from e->room; or all do, at once */
ngx_int_t ngx_rooms_endings_heirs(ngx_rooms_endings_t *e,
    ngx_rooms_batch_t *b);
ngx_int_t ngx_rooms_endings_alone(ngx_rooms_endings_t *e);

#endif /* NGX_ROOMS_ENDINGS_STEP_H */
