/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Loads keys from files, which are read again when they change, and from a
 * location that a subrequest asks.  The last good set stays in use while its
 * source fails.
 */

#include "ngx_rooms_jwks.h"


#define NGX_ROOMS_JWKS_FILE_MAX  (256 * 1024)
#define NGX_ROOMS_JWKS_WAIT      10000  /* ms, the longest that a request
                                           waits */
#define NGX_ROOMS_JWKS_GIVE_UP      60  /* s, after which a hanging fetch is
                                           given up */

static void
ngx_rooms_jwks_replace(ngx_rooms_auth_t *auth, ngx_uint_t set,
    rooms_jwks_t *jwks)
{
    rooms_jwks_free((rooms_jwks_t *) auth->sets[set]);
    auth->sets[set] = jwks;
    auth->generation++;
}


static ngx_int_t
ngx_rooms_jwks_read(ngx_rooms_jwks_file_t *file, u_char *buf, size_t *len,
    ngx_log_t *log, ngx_uint_t level)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    rc = NGX_ERROR;

    fd = ngx_open_file(file->path.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(level, log, ngx_errno, "rooms: can't open \"%V\"",
                      &file->path);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        ngx_log_error(level, log, 0, "rooms: \"%V\" is not a regular file",
                      &file->path);
        goto done;
    }

    file->mtime = ngx_file_mtime(&fi);
    file->nsec = fi.st_mtim.tv_nsec;
    file->size = ngx_file_size(&fi);
    file->uniq = ngx_file_uniq(&fi);

    n = ngx_read_fd(fd, buf, *len);

    if (n < 0 || (size_t) n == *len) {
        ngx_log_error(level, log, n < 0 ? ngx_errno : 0,
                      "rooms: can't read \"%V\", or it is too large",
                      &file->path);
        goto done;
    }

    *len = n;
    rc = NGX_OK;

done:

    ngx_close_file(fd);

    return rc;
}


ngx_int_t
ngx_rooms_jwks_load(ngx_rooms_auth_t *auth, ngx_uint_t set, ngx_log_t *log,
    ngx_uint_t level, char *passed)
{
    size_t                  len;
    u_char                 *buf;
    ngx_int_t               rc;
    rooms_jwks_t           *jwks;
    ngx_rooms_jwks_file_t  *file;

    file = &auth->files[set];
    *passed = '\0';

    len = NGX_ROOMS_JWKS_FILE_MAX + 1;
    buf = ngx_alloc(len, log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    jwks = NULL;
    rc = ngx_rooms_jwks_read(file, buf, &len, log, level);

    if (rc == NGX_OK) {
        jwks = set == NGX_ROOMS_SET_FILE
               ? rooms_jwks_parse(buf, len, passed, NGX_ROOMS_JWKS_TEXT)
               : rooms_jwks_secret(buf, len, passed, NGX_ROOMS_JWKS_TEXT);

        if (jwks == NULL) {
            ngx_log_error(level, log, 0, "rooms: no keys in \"%V\": %s",
                          &file->path, passed);
            rc = NGX_ERROR;
        }

        ngx_explicit_memzero(buf, len);
    }

    ngx_free(buf);

    if (rc == NGX_OK) {
        ngx_rooms_jwks_replace(auth, set, jwks);
    }

    return rc;
}


void
ngx_rooms_jwks_refresh_files(ngx_rooms_auth_t *auth, ngx_log_t *log)
{
    char                    passed[NGX_ROOMS_JWKS_TEXT];
    ngx_uint_t              i;
    ngx_file_info_t         fi;
    ngx_rooms_jwks_file_t  *file;

    for (i = 0; i < 2; i++) {
        file = &auth->files[i];

        if (file->path.len == 0 || file->checked == ngx_time()) {
            continue;
        }

        file->checked = ngx_time();

        if (ngx_file_info(file->path.data, &fi) == NGX_FILE_ERROR) {
            continue;
        }

        if (ngx_file_mtime(&fi) == file->mtime
            && fi.st_mtim.tv_nsec == file->nsec
            && ngx_file_size(&fi) == file->size
            && ngx_file_uniq(&fi) == file->uniq)
        {
            continue;
        }

        if (ngx_rooms_jwks_load(auth, i, log, NGX_LOG_ERR, passed) != NGX_OK)
        {
            continue;
        }

        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "rooms: keys in \"%V\" were read again", &file->path);

        if (*passed) {
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "rooms: unusable keys of \"%V\" are skipped: %s",
                          &file->path, passed);
        }
    }
}


/* Fetching */


static void
ngx_rooms_jwks_fetched(ngx_rooms_auth_t *auth)
{
    auth->fetching = NULL;

    ngx_rooms_wake_all(&auth->waiters);
}


static void
ngx_rooms_jwks_failed(ngx_rooms_auth_t *auth, ngx_rooms_fetch_t *fetch,
    const char *err)
{
    ngx_log_t  *log;

    log = fetch->r->connection->log;

    if (fetch->status == 0) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "rooms: no keys from \"%V\": no answer",
                      &auth->request);

    } else if (fetch->too_large) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "rooms: no keys from \"%V\": the answer is larger "
                      "than %uz bytes", &auth->request, fetch->max);

    } else {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "rooms: no keys from \"%V\": status %ui%s%s",
                      &auth->request, fetch->status, *err ? ", " : "", err);
    }
}


/*
 * The request that carried the fetch has gone.  The waiting ones start again,
 * and one of them carries the next fetch.
 */
static void
ngx_rooms_jwks_abandoned(ngx_rooms_auth_t *auth)
{
    auth->tried = 0;

    ngx_rooms_wait_anew(&auth->waiters);
}


/* Logs which keys were skipped, but only when that changes. */
static void
ngx_rooms_jwks_passed(ngx_rooms_auth_t *auth, ngx_log_t *log, char *passed)
{
    uint32_t  said;

    said = *passed ? ngx_crc32_short((u_char *) passed, ngx_strlen(passed))
                   : 0;

    if (said && said != auth->said) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "rooms: unusable keys of \"%V\" are skipped: %s",
                      &auth->request, passed);
    }

    auth->said = said;
}


static void
ngx_rooms_jwks_done(ngx_rooms_fetch_t *fetch)
{
    char               err[NGX_ROOMS_JWKS_TEXT];
    rooms_jwks_t      *jwks;
    ngx_rooms_auth_t  *auth;

    auth = fetch->data;

    if (auth->fetching != fetch) {
        /* it was given up before */
        return;
    }

    if (fetch->abandoned) {
        ngx_rooms_jwks_abandoned(auth);
        ngx_rooms_jwks_fetched(auth);
        return;
    }

    jwks = NULL;
    *err = '\0';

    if (fetch->status == NGX_HTTP_OK && !fetch->too_large) {
        jwks = rooms_jwks_parse(fetch->body.data, fetch->body.len, err,
                                sizeof(err));
    }

    if (jwks) {
        ngx_rooms_jwks_replace(auth, NGX_ROOMS_SET_REMOTE, jwks);
        auth->fetched = ngx_rooms_uptime();
        ngx_rooms_jwks_passed(auth, fetch->r->connection->log, err);

    } else {
        ngx_rooms_jwks_failed(auth, fetch, err);
    }

    ngx_rooms_jwks_fetched(auth);
}


ngx_int_t
ngx_rooms_jwks_fetch(ngx_rooms_auth_t *auth, ngx_http_request_t *r)
{
    time_t  since;

    since = ngx_rooms_uptime() - auth->tried;

    if (auth->fetching && since < NGX_ROOMS_JWKS_GIVE_UP) {
        return NGX_OK;
    }

    if (auth->tried && since < (auth->sets[NGX_ROOMS_SET_REMOTE]
                                ? NGX_ROOMS_JWKS_AGAIN
                                : NGX_ROOMS_JWKS_RETRY))
    {
        return NGX_DECLINED;
    }

    auth->fetching = ngx_rooms_fetch(r, &auth->request, ROOMS_JWKS_MAX_SIZE,
                                     ngx_rooms_jwks_done, auth);

    if (auth->fetching == NULL) {
        return NGX_ERROR;
    }

    auth->tried = ngx_rooms_uptime();

    return NGX_OK;
}


ngx_int_t
ngx_rooms_jwks_wait(ngx_rooms_auth_t *auth, ngx_rooms_req_t *rq)
{
    ngx_msec_t  waited;

    waited = ngx_current_msec - rq->started;
    waited = ngx_min(waited, NGX_ROOMS_JWKS_WAIT);

    return ngx_rooms_wait_in(rq, &auth->waiters,
                             NGX_ROOMS_JWKS_WAIT - waited);
}
