/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An export's bytes on their way out: deflated into one buffer, which goes to
 * the filters when it is full and comes back when the client has taken it.
 */

#include "ngx_rooms_export.h"


static ngx_int_t ngx_rooms_export_buffer(ngx_rooms_export_t *x);
static void ngx_rooms_export_taken(ngx_rooms_export_t *x, ngx_int_t rc,
    ngx_chain_t *out);
static ngx_int_t ngx_rooms_export_wait(ngx_rooms_export_t *x);


void
ngx_rooms_export_put(ngx_rooms_export_t *x, rooms_str_t text)
{
    if (text.len) {
        x->put[x->nput++] = text;
    }
}


void
ngx_rooms_export_put_aside(ngx_rooms_export_t *x)
{
    ngx_rooms_export_put(x, (rooms_str_t) { x->aside.last - x->aside.start,
                                            x->aside.start });
}


ngx_int_t
ngx_rooms_export_deflate(ngx_rooms_export_t *x, size_t *budget)
{
    size_t         len, left;
    ssize_t        n;
    ngx_int_t      rc;
    const u_char  *p;

    rc = ngx_rooms_export_room(x, 1);

    if (rc != NGX_OK) {
        return rc;
    }

    p = x->put[0].data;
    len = ngx_min(x->put[0].len, *budget);
    left = len;

    n = rooms_zip_deflate(&x->zip, &p, &left, x->buf->last,
                          x->buf->end - x->buf->last, 0);
    if (n == -1) {
        return ngx_rooms_export_zip_fail(x);
    }

    x->buf->last += n;
    len -= left;

    *budget -= ngx_min(*budget, len);

    x->put[0].data += len;
    x->put[0].len -= len;

    if (x->put[0].len == 0) {
        x->nput--;
        ngx_memmove(x->put, x->put + 1, x->nput * sizeof(rooms_str_t));
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_export_room(ngx_rooms_export_t *x, size_t size)
{
    if (x->buf && (size_t) (x->buf->end - x->buf->last) < size
        && ngx_rooms_export_send(x, NULL, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (x->blocked) {
        return NGX_BUSY;
    }

    return x->buf ? NGX_OK : ngx_rooms_export_buffer(x);
}


static ngx_int_t
ngx_rooms_export_buffer(ngx_rooms_export_t *x)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (x->free) {
        cl = x->free;
        x->free = cl->next;
        x->buf = cl->buf;
        ngx_free_chain(x->rq->pool, cl);

        return NGX_OK;
    }

    if (x->nbufs == NGX_ROOMS_EXPORT_BUFS) {
        /* a filter has them all, and says nothing */
        x->blocked = 1;
        return ngx_rooms_export_wait(x) == NGX_OK ? NGX_BUSY : NGX_ERROR;
    }

    b = ngx_create_temp_buf(x->rq->pool, NGX_ROOMS_EXPORT_BUF);
    if (b == NULL) {
        return ngx_rooms_export_fail(x, "no memory");
    }

    b->tag = (ngx_buf_tag_t) &ngx_rooms_module;

    x->nbufs++;
    x->buf = b;

    return NGX_OK;
}


/*
 * Everything is flushed: what a filter holds back until more comes would
 * never be taken by the client, for whom we wait.
 */
ngx_int_t
ngx_rooms_export_send(ngx_rooms_export_t *x, ngx_buf_t *file, ngx_uint_t last)
{
    ngx_int_t             rc;
    ngx_buf_t            *b, *bufs[2];
    ngx_uint_t            i;
    ngx_chain_t          *out, **ll, *cl;
    ngx_http_request_t   *r;

    r = x->rq->r;

    if (last && x->buf->pos == x->buf->last) {
        /* what ends it must be no buffer of memory when it is empty */
        return ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    bufs[0] = x->buf;
    bufs[1] = file;

    out = NULL;
    ll = &out;
    b = NULL;

    for (i = 0; i < 2; i++) {

        if (bufs[i] == NULL) {
            continue;
        }

        cl = ngx_alloc_chain_link(x->rq->pool);
        if (cl == NULL) {
            return ngx_rooms_export_fail(x, "no memory");
        }

        b = bufs[i];
        b->flush = 0;
        b->last_buf = 0;
        b->last_in_chain = 0;

        cl->buf = b;
        cl->next = NULL;
        *ll = cl;
        ll = &cl->next;
    }

    if (b == NULL) {
        return NGX_OK;
    }

    b->flush = 1;
    b->last_buf = last && r == r->main;
    b->last_in_chain = last ? 1 : 0;

    x->buf = NULL;

    rc = ngx_http_output_filter(r, out);

    ngx_rooms_export_taken(x, rc, out);

    if (rc == NGX_ERROR) {
        /* the client has gone, most likely, and NGINX has said so */
        return NGX_ERROR;
    }

    if (last) {
        return rc;
    }

    return x->blocked ? ngx_rooms_export_wait(x) : NGX_OK;
}


static void
ngx_rooms_export_taken(ngx_rooms_export_t *x, ngx_int_t rc, ngx_chain_t *out)
{
    ngx_http_request_t  *r;

    r = x->rq->r;

    ngx_chain_update_chains(r->pool, &x->free, &x->busy, &out,
                            (ngx_buf_tag_t) &ngx_rooms_module);

    x->blocked = rc == NGX_AGAIN || r->buffered || r->postponed
                 || (r == r->main && r->connection->buffered);
}


/* As NGINX's own writer does, with its timeout. */
static ngx_int_t
ngx_rooms_export_wait(ngx_rooms_export_t *x)
{
    ngx_event_t               *wev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = x->rq->r;
    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        return ngx_rooms_export_fail(x, "the client can't be waited for");
    }

    return NGX_OK;
}


void
ngx_rooms_export_writer(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_event_t         *wev;
    ngx_connection_t    *c;
    ngx_rooms_req_t     *rq;
    ngx_rooms_export_t  *x;

    c = r->connection;
    wev = c->write;
    rq = ngx_http_get_module_ctx(r, ngx_rooms_module);
    x = rq->data;

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;
        ngx_rooms_export_end(x, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (!x->blocked) {
        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_rooms_export_end(x, NGX_ERROR);
        }

        return;
    }

    if (wev->delayed || r->aio) {
        /* limit_rate, or a file that is being read */
        rc = NGX_AGAIN;

    } else {
        rc = ngx_http_output_filter(r, NULL);
        ngx_rooms_export_taken(x, rc, NULL);
    }

    if (rc == NGX_ERROR) {
        ngx_rooms_export_end(x, NGX_ERROR);
        return;
    }

    if (x->blocked) {
        if (ngx_rooms_export_wait(x) != NGX_OK) {
            ngx_rooms_export_end(x, NGX_ERROR);
        }

        return;
    }

    if (wev->timer_set && !wev->delayed) {
        ngx_del_timer(wev);
    }

    ngx_rooms_export_schedule(x);
}
