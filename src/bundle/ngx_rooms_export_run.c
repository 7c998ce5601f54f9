/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The state machine that makes an archive.  One function advances it:
 *
 *   begin -> ask page -> page -> edits -> refs -> events -+-> people -> media
 *              ^                                          |             |
 *              +------------------------------------------+             v
 *   directory <- file sent <- file <- ask file <- manifest end <- missing
 *                   |                    ^
 *                   +--------------------+
 */

#include "ngx_rooms_export.h"


static const ngx_rooms_export_pt  ngx_rooms_export_steps[NGX_ROOMS_X_MAX] = {
    [NGX_ROOMS_X_BEGIN] = ngx_rooms_export_begin,
    [NGX_ROOMS_X_ASK_PAGE] = ngx_rooms_export_ask_page,
    [NGX_ROOMS_X_PAGE] = ngx_rooms_export_page,
    [NGX_ROOMS_X_EDITS] = ngx_rooms_export_edits,
    [NGX_ROOMS_X_REFS] = ngx_rooms_export_refs,
    [NGX_ROOMS_X_EVENTS] = ngx_rooms_export_events,
    [NGX_ROOMS_X_ASK_PEOPLE] = ngx_rooms_export_ask_people,
    [NGX_ROOMS_X_PEOPLE] = ngx_rooms_export_people,
    [NGX_ROOMS_X_MEDIA] = ngx_rooms_export_media,
    [NGX_ROOMS_X_MISSING] = ngx_rooms_export_missing,
    [NGX_ROOMS_X_MANIFEST_END] = ngx_rooms_export_manifest_end,
    [NGX_ROOMS_X_ASK_FILE] = ngx_rooms_export_ask_file,
    [NGX_ROOMS_X_FILE] = ngx_rooms_export_file,
    [NGX_ROOMS_X_FILE_SENT] = ngx_rooms_export_file_sent,
    [NGX_ROOMS_X_DIRECTORY] = ngx_rooms_export_directory
};


/* The exports of this worker that have work to do. */
static ngx_queue_t  ngx_rooms_exports;
static ngx_event_t  ngx_rooms_export_event;


/* The store */


static void ngx_rooms_export_run(ngx_rooms_export_t *x, size_t *budget);
static void ngx_rooms_export_turn(ngx_event_t *ev);
static ngx_int_t ngx_rooms_export_buffer(ngx_rooms_export_t *x);
static void ngx_rooms_export_taken(ngx_rooms_export_t *x, ngx_int_t rc,
    ngx_chain_t *out);
static ngx_int_t ngx_rooms_export_wait(ngx_rooms_export_t *x);
static void ngx_rooms_export_end(ngx_rooms_export_t *x, ngx_int_t rc);
static ngx_int_t ngx_rooms_export_deflate(ngx_rooms_export_t *x,
    size_t *budget);


ngx_rooms_batch_t *
ngx_rooms_export_ask(ngx_rooms_export_t *x)
{
    ngx_rooms_req_t  *rq;

    rq = x->rq;

    /* the batch that loaded the room is kept: values point into it */

    if (x->asking) {

        if (rq->batch && rq->batch != x->page) {
            ngx_rooms_batch_free(rq->batch);
        }

        rq->batch = NULL;
    }

    x->asking = 1;

    return ngx_rooms_batch(rq);
}


ngx_int_t
ngx_rooms_export_asked(ngx_rooms_export_t *x)
{
    ngx_rooms_batch_t  *b;

    b = x->rq->batch;

    (void) ngx_rooms_command(b, ngx_rooms_s("HGET"), x->key_members,
                             x->rq->principal.sub);

    return b->failed ? ngx_rooms_export_fail(x, "no memory")
                     : ngx_rooms_send(x->rq);
}


/* Stops if the caller has left. */
static ngx_int_t
ngx_rooms_export_still_in(ngx_rooms_export_t *x)
{
    rooms_member_t      member;
    ngx_rooms_batch_t  *b;

    b = x->rq->batch;

    if (ngx_rooms_parse_member(
                   ngx_rooms_reply_str(b->replies[b->commands.nelts - 1]),
                   x->rq->principal.sub, &member) != NGX_OK)
    {
        return ngx_rooms_export_fail(x, "the store holds no valid member");
    }

    if (member.membership != ROOMS_JOIN) {
        x->rq->error = ROOMS_E_FORBIDDEN;
        return ngx_rooms_export_fail(x, "the caller has left the room");
    }

    x->checked = ngx_current_msec;

    return NGX_OK;
}


void
ngx_rooms_export_resume(ngx_rooms_req_t *rq, ngx_int_t rc)
{
    ngx_rooms_export_t  *x;

    x = rq->data;

    if (rc != NGX_OK) {
        (void) ngx_rooms_export_fail(x, "the store failed");
        ngx_rooms_export_end(x, NGX_ERROR);
        return;
    }

    if (ngx_rooms_export_still_in(x) != NGX_OK) {
        ngx_rooms_export_end(x, NGX_ERROR);
        return;
    }

    ngx_rooms_export_schedule(x);
}


/* Turns */


static void
ngx_rooms_export_run(ngx_rooms_export_t *x, size_t *budget)
{
    ngx_int_t  rc;

    for ( ;; ) {

        if (x->blocked) {
            return;
        }

        if (*budget == 0) {
            ngx_rooms_export_schedule(x);
            return;
        }

        if (x->nput) {
            rc = ngx_rooms_export_deflate(x, budget);

        } else {
            rc = ngx_rooms_export_steps[x->state](x);
            *budget -= ngx_min(*budget, NGX_ROOMS_EXPORT_STEP);
        }

        switch (rc) {

        case NGX_OK:
        case NGX_BUSY:
            break;

        case NGX_AGAIN:
            return;

        case NGX_DONE:
            ngx_rooms_export_end(x, ngx_rooms_export_send(x, NULL, 1));
            return;

        default:
            ngx_rooms_export_end(x, NGX_ERROR);
            return;
        }
    }
}


/*
 * All exports together deflate this much before other events get a turn,
 * however many they are.
 */
static void
ngx_rooms_export_turn(ngx_event_t *ev)
{
    size_t               budget;
    ngx_queue_t         *q;
    ngx_connection_t    *c;
    ngx_rooms_export_t  *x;

    budget = NGX_ROOMS_EXPORT_TURN;

    while (budget && !ngx_queue_empty(&ngx_rooms_exports)) {
        q = ngx_queue_head(&ngx_rooms_exports);
        ngx_queue_remove(q);

        x = ngx_queue_data(q, ngx_rooms_export_t, queue);
        x->queued = 0;

        c = x->rq->r->connection;

        ngx_http_set_log_request(c->log, x->rq->r);

        ngx_rooms_export_run(x, &budget);

        ngx_http_run_posted_requests(c);
    }

    if (!ngx_queue_empty(&ngx_rooms_exports)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


void
ngx_rooms_export_schedule(ngx_rooms_export_t *x)
{
    ngx_event_t  *ev;

    if (x->queued) {
        return;
    }

    ev = &ngx_rooms_export_event;

    if (ngx_rooms_exports.next == NULL) {
        ngx_queue_init(&ngx_rooms_exports);
        ev->handler = ngx_rooms_export_turn;
        ev->log = ngx_cycle->log;
    }

    x->queued = 1;
    ngx_queue_insert_tail(&ngx_rooms_exports, &x->queue);

    ngx_post_event(ev, &ngx_posted_next_events);
}


ngx_int_t
ngx_rooms_export_fail(ngx_rooms_export_t *x, const char *why)
{
    ngx_log_error(NGX_LOG_ERR, x->rq->r->connection->log, 0,
                  "rooms: the export of \"%*s\" is cut off: %s",
                  x->rq->view.room.id.len, x->rq->view.room.id.data, why);

    if (x->rq->error == ROOMS_OK) {
        x->rq->error = NGX_ROOMS_E_INTERNAL;
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_rooms_export_zip_fail(ngx_rooms_export_t *x)
{
    return ngx_rooms_export_fail(x, x->zip.error);
}


/*
 * An incomplete archive must not look complete.  So the connection is closed,
 * or the stream reset, without a last chunk or a directory.
 */
static void
ngx_rooms_export_end(ngx_rooms_export_t *x, ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = x->rq->r;

    x->blocked = 1;

    if (x->queued) {
        ngx_queue_remove(&x->queue);
        x->queued = 0;
    }

    ngx_http_finalize_request(r, rc);
}


/*
 * The output: deflated into a buffer, which goes to the filters when it is
 * full, and comes back when the client has taken it.
 */


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


static ngx_int_t
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
        /* a filter holds all buffers without saying so */
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
 * Flushes everything: we wait for the client, who would never get what a
 * filter holds back until more comes.
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
        /* an empty buffer in memory can't end the response */
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
        /* most likely the client has gone, which NGINX has logged */
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


/* Waits for the client, with NGINX's own timeout. */
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
        return ngx_rooms_export_fail(x, "waiting for the client failed");
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
        /* limit_rate, or a file is being read */
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
