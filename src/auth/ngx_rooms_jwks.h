/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_JWKS_H
#define NGX_ROOMS_JWKS_H

#include "ngx_rooms_fetch.h"
#include "ngx_rooms_request.h"
#include "rooms_jwt.h"


#define NGX_ROOMS_JWKS_TTL      300    /* s, a fetched set is fresh for */
#define NGX_ROOMS_JWKS_AGAIN     10    /* s, least time between two fetches */
#define NGX_ROOMS_JWKS_RETRY      1    /* s, the same while there is no set */

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
} ngx_rooms_jwks_file_t;

/*
 * The settings that some locations of one server{} share, and the worker's
 * keys for them.  Two servers never share one: the same
 * rooms_auth_jwks_request leads to another location in each.
 */
struct ngx_rooms_auth_s {
    void                  *server;         /* identifies the server{} */
    ngx_uint_t             mode;
    ngx_str_t              issuer;
    ngx_str_t              audience;
    time_t                 leeway;
    rooms_words_t          claims[ROOMS_CLAIM_MAX];
    rooms_words_t          admins;
    ngx_str_t              tenant;         /* rooms_tenant */

    const rooms_jwks_t    *sets[NGX_ROOMS_SETS];
    ngx_uint_t             generation;     /* grows when a set changes */

    ngx_rooms_jwks_file_t  files[2];       /* JWKS, secret */

    ngx_str_t              request;        /* rooms_auth_jwks_request */
    time_t                 fetched;        /* last success */
    time_t                 tried;
    uint32_t               said;           /* CRC of the last warning logged */
    ngx_rooms_fetch_t     *fetching;       /* a fetch under way, or NULL */
    ngx_queue_t            waiters;
};


/*
 * Loads a file that is new or has changed; keeps the old set on errors.
 * `passed` (NGX_ROOMS_JWKS_TEXT bytes) gets a list of the keys that are
 * unusable, or "".
 */
#define NGX_ROOMS_JWKS_TEXT  512
ngx_int_t ngx_rooms_jwks_load(ngx_rooms_auth_t *auth, ngx_uint_t set,
    ngx_log_t *log, ngx_uint_t level, char *passed);
/* Checks at most once a second whether the files have changed. */
void ngx_rooms_jwks_refresh_files(ngx_rooms_auth_t *auth, ngx_log_t *log);

/*
 * Starts a subrequest of r that fetches the keys, if they are due.  NGX_OK: a
 * fetch is under way.  NGX_DECLINED: the last one was too recent.
 */
ngx_int_t ngx_rooms_jwks_fetch(ngx_rooms_auth_t *auth, ngx_http_request_t *r);

/* Runs rq again when the fetch has ended, successful or not. */
ngx_int_t ngx_rooms_jwks_wait(ngx_rooms_auth_t *auth, ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_JWKS_H */
