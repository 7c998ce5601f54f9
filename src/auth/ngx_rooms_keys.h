/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_KEYS_H
#define NGX_ROOMS_KEYS_H

#include "ngx_rooms_auth.h"
#include "ngx_rooms_fetch.h"


#define NGX_ROOMS_KEYS_TTL      300    /* s, a fetched set is fresh */
#define NGX_ROOMS_KEYS_AGAIN     10    /* s, between two fetches */
#define NGX_ROOMS_KEYS_RETRY      1    /* s, while there are none at all */

typedef enum {
    NGX_ROOMS_SET_FILE = 0,
    NGX_ROOMS_SET_SECRET,
    NGX_ROOMS_SET_REMOTE,
    NGX_ROOMS_SETS
} ngx_rooms_set_e;

typedef struct {
    ngx_str_t             path;
    time_t                checked;
    time_t                mtime;
    long                  nsec;            /* of mtime */
    off_t                 size;
    ngx_file_uniq_t       uniq;
} ngx_rooms_keys_file_t;

/* The settings of some locations, and what the worker knows for them. */
struct ngx_rooms_auth_s {
    ngx_uint_t             mode;
    ngx_str_t              issuer;
    ngx_str_t              audience;
    time_t                 leeway;

    const rooms_jwks_t    *sets[NGX_ROOMS_SETS];
    ngx_uint_t             generation;     /* grows when a set changes */

    ngx_rooms_keys_file_t  files[2];       /* JWKS, secret */

    ngx_str_t              request;        /* rooms_auth_jwks_request */
    time_t                 fetched;        /* last success */
    time_t                 tried;
    ngx_rooms_fetch_t     *fetching;       /* under way */
    ngx_queue_t            waiters;
};


/* Loads a file that is new or has changed; keeps the old set on errors. */
ngx_int_t ngx_rooms_keys_load(ngx_rooms_auth_t *auth, ngx_uint_t set,
    ngx_log_t *log, ngx_uint_t level);
/* Looks once a second whether the files have changed. */
void ngx_rooms_keys_refresh_files(ngx_rooms_auth_t *auth, ngx_log_t *log);

/*
 * Starts to fetch the keys by a subrequest of r, if that is due and nobody
 * does.  NGX_OK: under way (or just not possible so soon: NGX_DECLINED).
 */
ngx_int_t ngx_rooms_keys_fetch(ngx_rooms_auth_t *auth, ngx_http_request_t *r);

/* Runs rq again when the fetch has ended, well or not. */
ngx_int_t ngx_rooms_keys_wait(ngx_rooms_auth_t *auth, ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_KEYS_H */
