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
 * The sweep removes what nothing refers to, once it is a day old: media of
 * unfinished imports, contents whose commit never happened, and unfinished
 * files.
 */

#define NGX_ROOMS_SWEEP_MAX  128       /* files that are checked together */


/*
 * A walk over a media path, in a thread.  When it pauses, it is in a tenant's
 * folder and has files that are old enough to be checked.
 */
typedef enum {
    NGX_ROOMS_SWEEP_INCOMING = 0,      /* clears the folder of temporary
                                          files */
    NGX_ROOMS_SWEEP_TENANT,            /* finds the next tenant */
    NGX_ROOMS_SWEEP_FILES,             /* finds old files of the tenant */
    NGX_ROOMS_SWEEP_REMOVE             /* removes the marked files */
} ngx_rooms_sweep_walk_e;

typedef struct {
    ngx_str_t                 root;
    ngx_rooms_sweep_walk_e    doing;
    DIR                      *top;
    DIR                      *folder;      /* .incoming, or a folder of two
                                              digits */
    ngx_uint_t                shard;       /* 0 to 255: the next one */
    time_t                    old;         /* files younger than this stay */

    u_char                    tenant[ROOMS_MEDIA_DIR_MAX];
    size_t                    tenant_len;  /* 0: no more tenants */
    u_char                    files[NGX_ROOMS_SWEEP_MAX][NGX_ROOMS_SHA256];
    u_char                    marked[NGX_ROOMS_SWEEP_MAX];
    ngx_uint_t                nfiles;
    ngx_uint_t                removed;     /* in all */
} ngx_rooms_sweep_walk_t;

ngx_int_t ngx_rooms_sweep_walk_step(ngx_rooms_work_t *w);
void ngx_rooms_sweep_walk_close(ngx_rooms_sweep_walk_t *walk);


/* The sweep of one media path: its settings and its progress. */
typedef struct {
    ngx_path_t               *path;
    ngx_rooms_store_t        *store;
    ngx_str_t                 prefix;
    ngx_msec_t                interval;
    ngx_uint_t                shared;      /* several stores use it: can't be
                                              swept */

    ngx_event_t               timer;
    ngx_rooms_work_t         *work;
    ngx_rooms_sweep_walk_t   *walk;        /* NULL: between two sweeps */
    ngx_rooms_round_t         round;
    ngx_uint_t                asking;      /* 1: asking for the lease; 0: about
                                              files */
} ngx_rooms_sweep_t;

/* Adds a location's media path. */
ngx_int_t ngx_rooms_sweep_add(ngx_array_t *sweeps,
    ngx_rooms_loc_conf_t *conf);
void ngx_rooms_sweep_init_worker(ngx_array_t *sweeps, ngx_cycle_t *cycle);

#endif /* NGX_ROOMS_SWEEP_H */
