/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Where keys come from: files, which are read again when they change, and a
 * location that is asked by a subrequest.  The last good set is kept through
 * any trouble of its source.
 */

#include "ngx_rooms_keys.h"


#define NGX_ROOMS_KEYS_FILE_MAX  (256 * 1024)
#define NGX_ROOMS_KEYS_WAIT      10000

typedef struct {
    ngx_rooms_auth_t     *auth;
    ngx_http_request_t   *r;
} ngx_rooms_keys_carrier_t;

typedef struct {
    ngx_queue_t           queue;
    ngx_rooms_auth_t     *auth;
    ngx_rooms_req_t      *rq;
    ngx_event_t           event;
} ngx_rooms_keys_waiter_t;


static void
ngx_rooms_keys_replace(ngx_rooms_auth_t *auth, ngx_uint_t set,
    rooms_jwks_t *jwks)
{
    rooms_jwks_free((rooms_jwks_t *) auth->sets[set]);
    auth->sets[set] = jwks;
    auth->generation++;
}


static ngx_int_t
ngx_rooms_keys_read(ngx_rooms_keys_file_t *file, u_char *buf, size_t *len,
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
        ngx_log_error(level, log, 0, "rooms: \"%V\" is no file",
                      &file->path);
        goto done;
    }

    file->mtime = ngx_file_mtime(&fi);
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
ngx_rooms_keys_load(ngx_rooms_auth_t *auth, ngx_uint_t set, ngx_log_t *log,
    ngx_uint_t level)
{
    char                    err[256];
    size_t                  len;
    u_char                 *buf;
    ngx_int_t               rc;
    rooms_jwks_t           *jwks;
    ngx_rooms_keys_file_t  *file;

    file = &auth->files[set];

    len = NGX_ROOMS_KEYS_FILE_MAX + 1;
    buf = ngx_alloc(len, log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    jwks = NULL;
    rc = ngx_rooms_keys_read(file, buf, &len, log, level);

    if (rc == NGX_OK) {
        jwks = set == NGX_ROOMS_SET_FILE
               ? rooms_jwks_parse(buf, len, err, sizeof(err))
               : rooms_jwks_secret(buf, len, err, sizeof(err));

        if (jwks == NULL) {
            ngx_log_error(level, log, 0, "rooms: keys in \"%V\": %s",
                          &file->path, err);
            rc = NGX_ERROR;
        }

        ngx_explicit_memzero(buf, len);
    }

    ngx_free(buf);

    if (rc == NGX_OK) {
        ngx_rooms_keys_replace(auth, set, jwks);
    }

    return rc;
}


void
ngx_rooms_keys_refresh_files(ngx_rooms_auth_t *auth, ngx_log_t *log)
{
    ngx_uint_t              i;
    ngx_file_info_t         fi;
    ngx_rooms_keys_file_t  *file;

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
            && ngx_file_size(&fi) == file->size
            && ngx_file_uniq(&fi) == file->uniq)
        {
            continue;
        }

        if (ngx_rooms_keys_load(auth, i, log, NGX_LOG_ERR) == NGX_OK) {
            ngx_log_error(NGX_LOG_NOTICE, log, 0,
                          "rooms: keys in \"%V\" were read again",
                          &file->path);
        }
    }
}


/* Fetching */


static void
ngx_rooms_keys_fetched(ngx_rooms_auth_t *auth)
{
    ngx_queue_t              *q;
    ngx_rooms_keys_waiter_t  *w;

    auth->fetching = NULL;

    while (!ngx_queue_empty(&auth->waiters)) {
        q = ngx_queue_head(&auth->waiters);
        w = ngx_queue_data(q, ngx_rooms_keys_waiter_t, queue);
        ngx_queue_remove(q);
        w->auth = NULL;
        ngx_post_event(&w->event, &ngx_posted_events);
    }
}


static ngx_int_t
ngx_rooms_keys_done(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_rooms_auth_t *auth = data;

    char           err[256];
    ngx_buf_t     *b;
    rooms_jwks_t  *jwks;

    /* NGINX calls once more for the page of an error that we don't want */

    if (auth->fetching != sr->main) {
        return NGX_OK;
    }

    jwks = NULL;
    *err = '\0';

    if (rc == NGX_OK && sr->headers_out.status == NGX_HTTP_OK && sr->out) {
        b = sr->out->buf;
        jwks = rooms_jwks_parse(b->pos, b->last - b->pos, err, sizeof(err));
    }

    if (jwks) {
        ngx_rooms_keys_replace(auth, NGX_ROOMS_SET_REMOTE, jwks);
        auth->fetched = ngx_time();

    } else {
        ngx_log_error(NGX_LOG_ERR, sr->connection->log, 0,
                      "rooms: no keys from \"%V\": status %ui, %s",
                      &auth->request, sr->headers_out.status,
                      *err ? err : "no answer (if it is long, see "
                                   "subrequest_output_buffer_size)");
    }

    ngx_rooms_keys_fetched(auth);

    /* a failure is ours to tell: NGX_ERROR would end the client's request */

    return NGX_OK;
}


/* The request that carried the fetch is gone, with or without an answer. */
static void
ngx_rooms_keys_abandoned(void *data)
{
    ngx_rooms_keys_carrier_t *carrier = data;

    if (carrier->auth->fetching == carrier->r) {
        carrier->auth->tried = 0;
        ngx_rooms_keys_fetched(carrier->auth);
    }
}


/*
 * The subrequest shares the client's headers and body unless told not to: a
 * key server must see neither the token nor an upload's length.
 */
static ngx_int_t
ngx_rooms_keys_strip(ngx_http_request_t *sr)
{
    ngx_table_elt_t     *host, *h;
    ngx_http_headers_in_t  *in;

    host = sr->headers_in.host;
    in = &sr->headers_in;

    ngx_memzero(in, sizeof(ngx_http_headers_in_t));

    in->content_length_n = -1;
    in->keep_alive_n = -1;
    sr->request_body = NULL;
    sr->method = NGX_HTTP_GET;
    ngx_str_set(&sr->method_name, "GET");
    sr->header_only = 0;

    if (ngx_list_init(&in->headers, sr->pool, 4, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (host) {
        h = ngx_list_push(&in->headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = *host;
        in->host = h;
        in->server = sr->main->headers_in.server;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_keys_fetch(ngx_rooms_auth_t *auth, ngx_http_request_t *r)
{
    ngx_str_t                    args;
    ngx_http_request_t          *sr;
    ngx_pool_cleanup_t          *cln;
    ngx_rooms_keys_carrier_t    *carrier;
    ngx_http_post_subrequest_t  *ps;

    if (auth->fetching) {
        return NGX_OK;
    }

    if (auth->tried && ngx_time() - auth->tried < NGX_ROOMS_KEYS_AGAIN) {
        return NGX_DECLINED;
    }

    /* NGINX refuses in-memory subrequests of such; another will come */

    if (r != r->main) {
        return NGX_DECLINED;
    }

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));
    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_rooms_keys_carrier_t));

    if (ps == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    ps->handler = ngx_rooms_keys_done;
    ps->data = auth;

    carrier = cln->data;
    carrier->auth = auth;
    carrier->r = r;

    ngx_str_null(&args);

    if (ngx_http_subrequest(r, &auth->request, &args, &sr, ps,
                            NGX_HTTP_SUBREQUEST_IN_MEMORY
                            |NGX_HTTP_SUBREQUEST_BACKGROUND)
        != NGX_OK
        || ngx_rooms_keys_strip(sr) != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln->handler = ngx_rooms_keys_abandoned;
    auth->fetching = r;
    auth->tried = ngx_time();

    return NGX_OK;
}


static void
ngx_rooms_keys_wake(ngx_event_t *ev)
{
    ngx_rooms_keys_waiter_t *w = ev->data;

    ngx_rooms_req_t   *rq;
    ngx_connection_t  *c;

    rq = w->rq;
    c = rq->r->connection;

    if (w->auth) {
        /* the wait took too long */
        ngx_queue_remove(&w->queue);
        w->auth = NULL;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    ngx_http_set_log_request(c->log, rq->r);
    ngx_rooms_run(rq);
    ngx_http_run_posted_requests(c);
}


static void
ngx_rooms_keys_unwait(void *data)
{
    ngx_rooms_keys_waiter_t *w = data;

    if (w->auth) {
        ngx_queue_remove(&w->queue);
    }

    if (w->event.posted) {
        ngx_delete_posted_event(&w->event);
    }

    if (w->event.timer_set) {
        ngx_del_timer(&w->event);
    }
}


ngx_int_t
ngx_rooms_keys_wait(ngx_rooms_auth_t *auth, ngx_rooms_req_t *rq)
{
    ngx_pool_cleanup_t       *cln;
    ngx_rooms_keys_waiter_t  *w;

    cln = ngx_pool_cleanup_add(rq->pool, sizeof(ngx_rooms_keys_waiter_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    w = cln->data;
    ngx_memzero(w, sizeof(ngx_rooms_keys_waiter_t));
    cln->handler = ngx_rooms_keys_unwait;

    w->auth = auth;
    w->rq = rq;
    w->event.handler = ngx_rooms_keys_wake;
    w->event.data = w;
    w->event.log = rq->r->connection->log;

    ngx_queue_insert_tail(&auth->waiters, &w->queue);
    ngx_add_timer(&w->event, NGX_ROOMS_KEYS_WAIT);

    return NGX_AGAIN;
}
