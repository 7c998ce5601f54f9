/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Offboarding of participants: deactivation and erasure.  The request marks
 * the participant and adds it to the tenant's list.  One worker of the fleet
 * then walks the list in bounded steps (ngx_rooms_offboard_walk.c).  Each
 * step runs a request on the participant's behalf, through the same code as a
 * client's request (ngx_rooms_errand.c).  So succession, events, and what
 * other servers receive are the same as for any leave or redaction.
 *
 * Nothing new can appear behind the walk: every commit by a participant, and
 * every commit that brings one into a room, guards that the participant isn't
 * deactivated.
 */

#ifndef NGX_ROOMS_OFFBOARD_H
#define NGX_ROOMS_OFFBOARD_H

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_person.h"
#include "ngx_rooms_detached.h"
#include "ngx_rooms_lease.h"


/*
 * Fields of a participant's progress, p:<participant>:offboard.  Two more,
 * NGX_ROOMS_OFF_ERASE and NGX_ROOMS_OFF_SKIPPED, are defined where others can
 * use them.
 */
#define NGX_ROOMS_OFF_AT         "at"          /* deactivated, ms */
#define NGX_ROOMS_OFF_BY         "by"
#define NGX_ROOMS_OFF_UNTIL      "until"       /* stream position of the
                                                  deactivation */
#define NGX_ROOMS_OFF_LEFT       "left_at"     /* all memberships have ended,
                                                  ms */
#define NGX_ROOMS_OFF_ERASER     "erase_by"
#define NGX_ROOMS_OFF_PHASE      "phase"
#define NGX_ROOMS_OFF_NAME       "name"        /* the name that replaces the
                                                  old one */
#define NGX_ROOMS_OFF_ROOM       "room_at"     /* cursor over the rooms */
#define NGX_ROOMS_OFF_EVENT      "event_at"    /* cursor over the events of
                                                  that room */
#define NGX_ROOMS_OFF_ERASED     "erased_at"   /* the erasure is complete, ms */
#define NGX_ROOMS_OFF_ROOMS      "rooms"       /* counts */
#define NGX_ROOMS_OFF_MESSAGES   "messages"
#define NGX_ROOMS_OFF_REACTIONS  "reactions"
#define NGX_ROOMS_OFF_MEDIA      "media"


/*
 * A deactivation and its reversal, except for the participant's own row.  The
 * reversal guards that `erase`, a field of the progress, is unchanged since
 * it was read.
 */
void ngx_rooms_offboard_begin(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant, rooms_str_t by, int64_t now);
void ngx_rooms_offboard_undo(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant, rooms_str_t erase);

/* Adds a participant to the tenant's list in the commit, or removes it. */
void ngx_rooms_offboard_enlist(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant, int64_t now);
void ngx_rooms_offboard_delist(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant);

/*
 * Workers find tenants by a list of hints.  A hint is not part of the commit:
 * it is added before the commit that enlists a participant, and dropped
 * minutes after the tenant's list is empty.
 */
#define NGX_ROOMS_OFFBOARD_MINUTES  3
ngx_int_t ngx_rooms_offboard_keys(ngx_rooms_keys_t *keys, ngx_pool_t *pool,
    ngx_str_t *prefix);
/* Adds the hint of the caller's tenant; the next round is this one. */
ngx_int_t ngx_rooms_offboard_announce(ngx_rooms_req_t *rq, ngx_uint_t round);


/*
 * One step on behalf of a participant: a row of the table, run without a
 * client.  Its commit is fenced by the lease and by the deactivation it
 * belongs to.
 */
typedef struct ngx_rooms_errand_s  ngx_rooms_errand_t;

typedef void (*ngx_rooms_errand_pt)(ngx_rooms_errand_t *errand);

typedef enum {
    NGX_ROOMS_ERRAND_RETIRE = 0,           /* leave a room */
    NGX_ROOMS_ERRAND_REDACT,               /* redact a message */
    NGX_ROOMS_ERRAND_UNREACT
} ngx_rooms_errand_e;

struct ngx_rooms_errand_s {
    /* input; the strings must outlive the errand */
    ngx_http_conf_ctx_t   *ctx;
    ngx_rooms_loc_conf_t  *conf;
    ngx_rooms_lease_t     *lease;
    rooms_str_t            tenant;
    rooms_str_t            participant;
    rooms_str_t            at;             /* time of the deactivation, as
                                              stored */
    ngx_rooms_errand_e     kind;
    rooms_str_t            room;
    rooms_str_t            event;
    rooms_str_t            emoji;

    /* called once, never from ngx_rooms_errand_run() itself */
    ngx_rooms_errand_pt    handler;
    void                  *data;

    /* result: an error's code, or 0 */
    ngx_uint_t             error;
    unsigned               changed:1;

    ngx_rooms_detached_t   detached;
    ngx_event_t            done;
};

/*
 * NGX_ERROR: no memory, or no connections left.  Then the handler isn't
 * called.
 */
ngx_int_t ngx_rooms_errand_run(ngx_rooms_errand_t *errand);


/* Size of one element of the configuration's `walks`. */
size_t ngx_rooms_offboard_size(void);
/* Registers a location: its server runs walks for its tenants. */
ngx_int_t ngx_rooms_offboard_add(ngx_conf_t *cf, ngx_array_t *walks,
    ngx_rooms_loc_conf_t *conf);
void ngx_rooms_offboard_init_worker(ngx_array_t *walks, ngx_cycle_t *cycle);
/* Frees what a step in progress holds.  Call it before the stores end. */
void ngx_rooms_offboard_exit_worker(ngx_array_t *walks);
/* Somebody was enlisted: this worker looks at the list immediately. */
void ngx_rooms_offboard_poke(ngx_rooms_loc_conf_t *conf);

#endif /* NGX_ROOMS_OFFBOARD_H */
