/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Between the walk and the erasure: its state, and what a turn is made of. */

#ifndef NGX_ROOMS_OFFBOARD_WALK_H
#define NGX_ROOMS_OFFBOARD_WALK_H

#include "ngx_rooms_offboard.h"
#include "ngx_rooms_pager.h"
#include "ngx_rooms_round.h"


#define NGX_ROOMS_WALK_ROOMS      50       /* looked at together */
#define NGX_ROOMS_WALK_MEDIA      50       /* in one commit */


typedef enum {
    NGX_ROOMS_WALK_TENANT = 0,
    NGX_ROOMS_WALK_LEASE,
    NGX_ROOMS_WALK_DUE,
    NGX_ROOMS_WALK_DROP,                   /* the tenant has nobody */
    NGX_ROOMS_WALK_WHO,
    NGX_ROOMS_WALK_LEAVE,                  /* the next rooms */
    NGX_ROOMS_WALK_NEWS,                   /* the next room that it was in */
    NGX_ROOMS_WALK_ROOM,
    NGX_ROOMS_WALK_WAITING,                /* what its servers wait for */
    NGX_ROOMS_WALK_PAGE,
    NGX_ROOMS_WALK_ANSWERS,
    NGX_ROOMS_WALK_FILES,
    NGX_ROOMS_WALK_CONTENTS,
    NGX_ROOMS_WALK_OUTBOXES,
    NGX_ROOMS_WALK_COMMIT
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

/* All servers of one store and prefix. */
typedef struct {
    ngx_rooms_store_t      *store;
    ngx_str_t               prefix;
    ngx_array_t             places;        /* of ngx_rooms_offwalk_place_t */

    /* of this worker */
    ngx_event_t             timer;
    ngx_rooms_round_t       round;
    ngx_rooms_lease_t       lease;         /* of `tenant` */
    ngx_rooms_errand_t      errand;
    ngx_rooms_offwalk_e     state;
    ngx_uint_t              steps;
    unsigned                busy:1;
    unsigned                again:1;       /* poked meanwhile */
    unsigned                whole:1;

    ngx_rooms_offwalk_place_t  *place;     /* serves the tenant */
    u_char                  hint[80];      /* "tenant minute" */
    rooms_str_t             announced;
    rooms_str_t             tenant;

    u_char                  who[ROOMS_PARTICIPANT_MAX];
    rooms_str_t             id;
    u_char                  after[ROOMS_ID_MAX];   /* rooms that it left */
    size_t                  after_len;
    u_char                  cursor[24];    /* of HSCAN */
    size_t                  cursor_len;    /* 0: begins */

    /* of a step */
    ngx_pool_t             *pool;
    ngx_rooms_keys_t        keys;
    ngx_rooms_commit_t      commit;
    redisReply             *off;           /* pairs */
    rooms_str_t             at;
    rooms_str_t             had;           /* JSON of the participant */
    rooms_str_t             scim;          /* JSON of its SCIM User, or NULL */
    ngx_rooms_profile_t     profile;
    rooms_room_t            room;
    int64_t                 room_at;
    ngx_rooms_pager_t       pager;
    ngx_array_t             errands;       /* of the step's page */
    ngx_uint_t              next;
    ngx_uint_t              skipped;
    ngx_rooms_offwalk_medium_t  media[NGX_ROOMS_WALK_MEDIA];
    ngx_uint_t              nmedia;
    ngx_uint_t              more;          /* behind the page */
} ngx_rooms_offwalk_t;


/* The clock's, ms. */
int64_t ngx_rooms_offwalk_now(void);

/*
 * A turn is a chain of rounds and ends with a commit, or with another step.
 * Each of these gives NGX_AGAIN if it goes on; NGX_OK: the turn is over, and
 * another may follow at once; anything else: after a pause.
 */

/* Sends the round's batch; its answer is for this state. */
ngx_int_t ngx_rooms_offwalk_send(ngx_rooms_offwalk_t *w,
    ngx_rooms_offwalk_e state);
/* Whoever is due comes next; all that was read is freed. */
ngx_int_t ngx_rooms_offwalk_step(ngx_rooms_offwalk_t *w);
/* Does w->errands, and then goes on with what is behind the page. */
ngx_int_t ngx_rooms_offwalk_errands(ngx_rooms_offwalk_t *w);

/* Begins w->commit: the lease is ours, and the deactivation is as read. */
ngx_int_t ngx_rooms_offwalk_fence(ngx_rooms_offwalk_t *w);
ngx_int_t ngx_rooms_offwalk_commit(ngx_rooms_offwalk_t *w);
/* A commit that does nothing but set a field of the progress. */
ngx_int_t ngx_rooms_offwalk_set(ngx_rooms_offwalk_t *w, rooms_str_t name,
    rooms_str_t value);

/* The key of the progress, and a field of it; NULL, or 0: there is none. */
rooms_str_t ngx_rooms_offwalk_off(ngx_rooms_offwalk_t *w);
rooms_str_t ngx_rooms_offwalk_field(ngx_rooms_offwalk_t *w, rooms_str_t name);
int64_t ngx_rooms_offwalk_number(ngx_rooms_offwalk_t *w, rooms_str_t name);

#define ngx_rooms_offwalk_get(w, name)                                        \
    ngx_rooms_offwalk_field(w, ngx_rooms_s(name))

/* The erasure (ngx_rooms_erase.c): its turn, its answers, its pages. */
ngx_int_t ngx_rooms_erase_turn(ngx_rooms_offwalk_t *w);
ngx_int_t ngx_rooms_erase_advance(ngx_rooms_offwalk_t *w,
    ngx_rooms_batch_t *b);
ngx_int_t ngx_rooms_erase_paged(ngx_rooms_offwalk_t *w);

#endif /* NGX_ROOMS_OFFBOARD_WALK_H */
