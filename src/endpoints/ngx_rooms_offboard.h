/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Participants who go: deactivation and erasure.  The request marks the
 * participant and puts it on the tenant's list; one worker of the fleet walks
 * the rest in bounded steps (ngx_rooms_offboard_walk.c), each of which is a
 * request of the participant's own to a row that others use, too
 * (ngx_rooms_errand.c): so succession, events, and what other servers are told
 * are those of any leave and any redaction.
 *
 * Nothing comes behind the walk: a commit of a participant, and one by which a
 * participant comes into a room, guards that they aren't deactivated.
 */

#ifndef NGX_ROOMS_OFFBOARD_H
#define NGX_ROOMS_OFFBOARD_H

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_person.h"
#include "ngx_rooms_detached.h"
#include "ngx_rooms_lease.h"


/*
 * Fields of a participant's progress, p:<participant>:offboard; and
 * NGX_ROOMS_OFF_ERASE and _SKIPPED, which others know, too.
 */
#define NGX_ROOMS_OFF_AT         "at"          /* deactivated, ms */
#define NGX_ROOMS_OFF_BY         "by"
#define NGX_ROOMS_OFF_UNTIL      "until"       /* position of that */
#define NGX_ROOMS_OFF_LEFT       "left_at"     /* memberships have ended */
#define NGX_ROOMS_OFF_ERASER     "erase_by"
#define NGX_ROOMS_OFF_PHASE      "phase"
#define NGX_ROOMS_OFF_NAME       "name"        /* what it is called by then */
#define NGX_ROOMS_OFF_ROOM       "room_at"     /* cursor over its rooms */
#define NGX_ROOMS_OFF_EVENT      "event_at"    /* ... and in one of them */
#define NGX_ROOMS_OFF_ERASED     "erased_at"   /* all of it is done */
#define NGX_ROOMS_OFF_ROOMS      "rooms"       /* how many */
#define NGX_ROOMS_OFF_MESSAGES   "messages"
#define NGX_ROOMS_OFF_REACTIONS  "reactions"
#define NGX_ROOMS_OFF_MEDIA      "media"


/*
 * A deactivation, and taking it back, save for the participant's row; the
 * latter guards that `erase`, the progress's field, is as it was read.
 */
void ngx_rooms_offboard_begin(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant, rooms_str_t by, int64_t now);
void ngx_rooms_offboard_undo(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant, rooms_str_t erase);

/* The commit puts a participant on the list, or takes it off. */
void ngx_rooms_offboard_enlist(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant, int64_t now);
void ngx_rooms_offboard_delist(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant);

/*
 * Workers find the tenant by this, which is no part of it: added before the
 * commit that enlists somebody, and dropped minutes after the list is empty.
 */
#define NGX_ROOMS_OFFBOARD_MINUTES  3
ngx_int_t ngx_rooms_offboard_keys(ngx_rooms_keys_t *keys, ngx_pool_t *pool,
    ngx_str_t *prefix);
ngx_int_t ngx_rooms_offboard_announce(ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys, rooms_str_t tenant, int64_t now);


/*
 * One step on behalf of a participant: a row of the table, without a client.
 * Its commit is fenced by the lease, and by the deactivation that it is of.
 */
typedef struct ngx_rooms_errand_s  ngx_rooms_errand_t;

typedef void (*ngx_rooms_errand_pt)(ngx_rooms_errand_t *errand);

typedef enum {
    NGX_ROOMS_ERRAND_RETIRE = 0,           /* leaves a room */
    NGX_ROOMS_ERRAND_REDACT,               /* a message */
    NGX_ROOMS_ERRAND_UNREACT
} ngx_rooms_errand_e;

struct ngx_rooms_errand_s {
    /* what it is about; strings live as long as the errand */
    ngx_http_conf_ctx_t   *ctx;
    ngx_rooms_loc_conf_t  *conf;
    ngx_rooms_lease_t     *lease;
    rooms_str_t            tenant;
    rooms_str_t            participant;
    rooms_str_t            at;             /* when it was deactivated */
    ngx_rooms_errand_e     kind;
    rooms_str_t            room;
    rooms_str_t            event;
    rooms_str_t            emoji;

    /* called once, never at once */
    ngx_rooms_errand_pt    handler;
    void                  *data;

    /* what became of it: an error's code, or 0 */
    ngx_uint_t             error;
    unsigned               changed:1;

    ngx_rooms_detached_t   detached;
    ngx_event_t            done;
};

/* NGX_ERROR: no memory, or no connections left. */
ngx_int_t ngx_rooms_errand_run(ngx_rooms_errand_t *errand);


/* Of one of the configuration's walks. */
size_t ngx_rooms_offboard_size(void);
/* A location that is ours: its server walks, if its tenant has somebody. */
ngx_int_t ngx_rooms_offboard_add(ngx_conf_t *cf, ngx_array_t *walks,
    ngx_rooms_loc_conf_t *conf);
void ngx_rooms_offboard_init_worker(ngx_array_t *walks, ngx_cycle_t *cycle);
/* Somebody was enlisted: this worker looks at once. */
void ngx_rooms_offboard_poke(ngx_rooms_loc_conf_t *conf);

#endif /* NGX_ROOMS_OFFBOARD_H */
