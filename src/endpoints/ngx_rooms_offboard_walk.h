/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Shared by the walk and the erasure: the walk's state, and the parts of a
 * turn.
 */

#ifndef NGX_ROOMS_OFFBOARD_WALK_H
#define NGX_ROOMS_OFFBOARD_WALK_H

#include "ngx_rooms_offboard.h"
#include "ngx_rooms_pager.h"
#include "ngx_rooms_round.h"


#define NGX_ROOMS_OFFWALK_ROOMS    50      /* of one page */
#define NGX_ROOMS_OFFWALK_MEDIA    50      /* of one commit */


typedef enum {
    NGX_ROOMS_OFFWALK_TENANT = 0,
    NGX_ROOMS_OFFWALK_LEASE,
    NGX_ROOMS_OFFWALK_DUE,
    NGX_ROOMS_OFFWALK_DROP,                /* drop the hint of a tenant
                                              without participants to walk */
    NGX_ROOMS_OFFWALK_WHO,
    NGX_ROOMS_OFFWALK_LEAVE,               /* a page of rooms to leave */
    NGX_ROOMS_OFFWALK_NEWS,                /* the next room the participant
                                              was ever in */
    NGX_ROOMS_OFFWALK_ROOM,
    NGX_ROOMS_OFFWALK_PAGE,
    NGX_ROOMS_OFFWALK_ANSWERS,
    NGX_ROOMS_OFFWALK_FILES,
    NGX_ROOMS_OFFWALK_CONTENTS,
    NGX_ROOMS_OFFWALK_OUTBOXES,
    NGX_ROOMS_OFFWALK_COMMIT
} ngx_rooms_offwalk_e;

typedef struct {
    ngx_http_conf_ctx_t    *ctx;
    ngx_rooms_loc_conf_t   *conf;
} ngx_rooms_offwalk_place_t;

typedef struct {
    ngx_rooms_errand_e      kind;
    rooms_str_t             room;
    rooms_str_t             event;
    rooms_str_t             emoji;
} ngx_rooms_offwalk_errand_t;

typedef struct {
    rooms_str_t             id;
    rooms_str_t             row;
    rooms_str_t             sha256;
} ngx_rooms_offwalk_medium_t;

/* One walk for all servers that share a store and a key prefix. */
typedef struct {
    ngx_rooms_store_t      *store;
    ngx_str_t               prefix;
    ngx_array_t             places;        /* of ngx_rooms_offwalk_place_t */

    /* this worker's */
    ngx_event_t             timer;
    ngx_rooms_round_t       round;
    ngx_rooms_lease_t       lease;         /* for `tenant` */
    ngx_rooms_errand_t      errand;
    ngx_rooms_offwalk_e     state;
    ngx_uint_t              steps;
    unsigned                busy:1;
    unsigned                again:1;       /* poked while busy */

    ngx_rooms_offwalk_place_t  *place;     /* the server that acts for the
                                              tenant */
    u_char                  hint[80];      /* "tenant minute" */
    rooms_str_t             announced;
    rooms_str_t             tenant;

    u_char                  who[ROOMS_PARTICIPANT_MAX];
    rooms_str_t             id;
    u_char                  after[ROOMS_ID_MAX];   /* the last room that was
                                                      left */
    size_t                  after_len;
    u_char                  cursor[24];    /* HSCAN cursor */
    size_t                  cursor_len;    /* 0: start */

    /* of the current step */
    ngx_pool_t             *pool;
    ngx_rooms_keys_t        keys;
    ngx_rooms_commit_t      commit;
    redisReply             *off;           /* the progress, as field-value
                                              pairs */
    rooms_str_t             at;
    rooms_str_t             had;           /* the participant's row, JSON */
    rooms_str_t             scim;          /* the row of its SCIM User, JSON,
                                              or NULL */
    ngx_rooms_profile_t     profile;
    rooms_room_t            room;
    int64_t                 room_at;
    ngx_rooms_pager_t       pager;
    ngx_array_t             errands;       /* of the current page */
    ngx_uint_t              next;
    ngx_uint_t              skipped;
    ngx_rooms_offwalk_medium_t  media[NGX_ROOMS_OFFWALK_MEDIA];
    ngx_uint_t              nmedia;
    ngx_uint_t              more;          /* there are further pages */
} ngx_rooms_offwalk_t;


/*
 * A turn is a chain of rounds that ends with a commit or with another step.
 * Each of these functions returns NGX_AGAIN while the chain goes on, NGX_OK
 * when the turn is over and another may follow immediately, and anything else
 * when the walk has to pause first.
 */

/* Sends the round's batch; its replies are handled in `state`. */
ngx_int_t ngx_rooms_offwalk_send(ngx_rooms_offwalk_t *w,
    ngx_rooms_offwalk_e state);
/*
 * Frees all that was read, and continues with the next participant that is
 * due.
 */
ngx_int_t ngx_rooms_offwalk_step(ngx_rooms_offwalk_t *w);
/* Runs w->errands, then continues behind the page. */
ngx_int_t ngx_rooms_offwalk_errands(ngx_rooms_offwalk_t *w);

/*
 * Begins w->commit with two guards: this worker holds the lease, and the
 * deactivation is the one that was read.
 */
ngx_int_t ngx_rooms_offwalk_fence(ngx_rooms_offwalk_t *w);
ngx_int_t ngx_rooms_offwalk_commit(ngx_rooms_offwalk_t *w);
/* A commit that only sets one field of the progress. */
ngx_int_t ngx_rooms_offwalk_set(ngx_rooms_offwalk_t *w, rooms_str_t name,
    rooms_str_t value);

/*
 * The key of the progress, and one of its fields; NULL or 0 if it is missing.
 */
rooms_str_t ngx_rooms_offwalk_off(ngx_rooms_offwalk_t *w);
rooms_str_t ngx_rooms_offwalk_field(ngx_rooms_offwalk_t *w, rooms_str_t name);
int64_t ngx_rooms_offwalk_number(ngx_rooms_offwalk_t *w, rooms_str_t name);

#define ngx_rooms_offwalk_get(w, name)                                        \
    ngx_rooms_offwalk_field(w, ngx_rooms_s(name))

/*
 * The erasure (ngx_rooms_erase.c): starts a turn, takes replies, finishes a
 * page.
 */
ngx_int_t ngx_rooms_erase_turn(ngx_rooms_offwalk_t *w);
ngx_int_t ngx_rooms_erase_advance(ngx_rooms_offwalk_t *w,
    ngx_rooms_batch_t *b);
ngx_int_t ngx_rooms_erase_paged(ngx_rooms_offwalk_t *w);

#endif /* NGX_ROOMS_OFFBOARD_WALK_H */
