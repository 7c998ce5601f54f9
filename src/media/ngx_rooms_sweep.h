/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_SWEEP_H
#define NGX_ROOMS_SWEEP_H

#include "ngx_rooms.h"
#include "ngx_rooms_blob.h"
#include "ngx_rooms_round.h"
#include "ngx_rooms_work.h"
#include "rooms_media.h"
#include <dirent.h>


/*
 * The sweep removes what nobody refers to: media of imports that never came
 * to their end, contents whose commit never came, and files that were never
 * finished, when they are a day old.
 */

#define NGX_ROOMS_SWEEP_MAX  128       /* files that are judged together */


/*
 * A walk over a media path, in a thread.  Between its steps it stands in a
 * tenant's folder, with files that are old enough to be asked about.
 */
typedef enum {
    NGX_ROOMS_WALK_INCOMING = 0,       /* clears the folder of temporaries */
    NGX_ROOMS_WALK_TENANT,             /* finds the next tenant */
    NGX_ROOMS_WALK_FILES,              /* finds old files of the tenant */
    NGX_ROOMS_WALK_REMOVE              /* removes those that are marked */
} ngx_rooms_walk_e;

typedef struct {
    ngx_str_t           root;
    ngx_rooms_walk_e    doing;
    DIR                *top;
    DIR                *folder;        /* .incoming, or of two digits */
    ngx_uint_t          shard;         /* 0 to 255: the next one */
    time_t              old;           /* not younger files stay */

    u_char              tenant[ROOMS_MEDIA_DIR_MAX];
    size_t              tenant_len;    /* 0: there is no next one */
    u_char              files[NGX_ROOMS_SWEEP_MAX][NGX_ROOMS_SHA256];
    u_char              marked[NGX_ROOMS_SWEEP_MAX];
    ngx_uint_t          nfiles;
    ngx_uint_t          removed;       /* in all */
} ngx_rooms_walk_t;

ngx_int_t ngx_rooms_walk_step(ngx_rooms_work_t *w);
void ngx_rooms_walk_close(ngx_rooms_walk_t *walk);


/* Of each media path: who works on it, and how far it is. */
typedef struct {
    ngx_path_t         *path;
    ngx_rooms_store_t  *store;
    ngx_str_t           prefix;
    ngx_msec_t          interval;
    ngx_uint_t          shared;        /* by stores: can't be swept */

    ngx_event_t         timer;
    ngx_rooms_work_t   *work;
    ngx_rooms_walk_t   *walk;          /* NULL: between two sweeps */
    ngx_rooms_round_t   round;
    ngx_uint_t          asking;        /* for the lease, not of files */
} ngx_rooms_sweep_t;

/* A location with a media path. */
ngx_int_t ngx_rooms_sweep_add(ngx_conf_t *cf, ngx_array_t *sweeps,
    ngx_rooms_loc_conf_t *conf);
void ngx_rooms_sweep_init_worker(ngx_array_t *sweeps, ngx_cycle_t *cycle);

#endif /* NGX_ROOMS_SWEEP_H */
