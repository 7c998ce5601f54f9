/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_spool.h"


static ngx_fd_t ngx_rooms_spool_dup(ngx_rooms_spool_t *s, ngx_file_t *file,
    ngx_pool_t *pool);


ngx_int_t
ngx_rooms_spool_take(ngx_rooms_spool_t *s, ngx_http_request_t *r,
    ngx_pool_t *pool)
{
    ngx_buf_t         *b;
    ngx_chain_t       *cl;
    ngx_rooms_span_t  *span;

    s->fd = NGX_INVALID_FILE;
    s->size = 0;
    s->err = NGX_ENOMEM;

    if (ngx_array_init(&s->spans, pool, 2, sizeof(ngx_rooms_span_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cl = r->request_body ? r->request_body->bufs : NULL;

    for ( /* void */ ; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_size(b) == 0) {
            continue;
        }

        span = ngx_array_push(&s->spans);
        if (span == NULL) {
            return NGX_ERROR;
        }

        span->start = s->size;
        span->size = ngx_buf_size(b);
        s->size += span->size;

        if (ngx_buf_in_memory(b)) {
            span->data = ngx_pnalloc(pool, span->size);
            if (span->data == NULL) {
                return NGX_ERROR;
            }

            ngx_memcpy(span->data, b->pos, span->size);
            continue;
        }

        /* the whole body has only one file */

        if (s->fd == NGX_INVALID_FILE) {
            s->fd = ngx_rooms_spool_dup(s, b->file, pool);

            if (s->fd == NGX_INVALID_FILE) {
                return NGX_ERROR;
            }
        }

        span->data = NULL;
        span->at = b->file_pos;
    }

    return NGX_OK;
}


static ngx_fd_t
ngx_rooms_spool_dup(ngx_rooms_spool_t *s, ngx_file_t *file, ngx_pool_t *pool)
{
    ngx_fd_t                  fd;
    ngx_pool_cleanup_t       *cln;
    ngx_pool_cleanup_file_t  *clnf;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_pool_cleanup_file_t));
    if (cln == NULL) {
        return NGX_INVALID_FILE;
    }

    fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);

    if (fd == NGX_INVALID_FILE) {
        s->err = ngx_errno;
        ngx_log_error(NGX_LOG_CRIT, pool->log, s->err,
                      "rooms: fcntl(F_DUPFD_CLOEXEC) \"%V\" failed",
                      &file->name);
        return fd;
    }

    clnf = cln->data;
    clnf->fd = fd;
    clnf->name = (u_char *) "a request body";
    clnf->log = pool->log;
    cln->handler = ngx_pool_cleanup_file;

    return fd;
}


ssize_t
ngx_rooms_spool_read(const ngx_rooms_spool_t *s, u_char *dst, size_t size,
    off_t from)
{
    off_t              skip;
    size_t             n, done;
    ssize_t            got;
    ngx_uint_t         i;
    ngx_rooms_span_t  *span;

    span = s->spans.elts;
    done = 0;

    for (i = 0; i < s->spans.nelts && done < size; i++) {
        skip = from + (off_t) done - span[i].start;

        if (skip < 0 || skip >= span[i].size) {
            continue;
        }

        n = ngx_min((off_t) (size - done), span[i].size - skip);

        if (span[i].data) {
            ngx_memcpy(dst + done, span[i].data + skip, n);
            done += n;
            continue;
        }

        while (n) {
            got = pread(s->fd, dst + done, n, span[i].at + skip);

            if (got == -1 && ngx_errno == NGX_EINTR) {
                continue;
            }

            if (got <= 0) {
                ngx_set_errno(got == 0 ? NGX_ENOENT : ngx_errno);
                return NGX_ERROR;
            }

            n -= got;
            done += got;
            skip += got;
        }
    }

    return done;
}
