/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A lane's socket on NGINX's event loop.  Events are level-triggered here:
 * hiredis reads 16 KB at a time and doesn't say whether the socket has more.
 */

#include "ngx_rooms_lane.h"


static void ngx_rooms_lane_read_handler(ngx_event_t *ev);
static void ngx_rooms_lane_write_handler(ngx_event_t *ev);
static void ngx_rooms_lane_close_idle(ngx_rooms_lane_t *lane);

static void ngx_rooms_lane_add_read(void *data);
static void ngx_rooms_lane_del_read(void *data);
static void ngx_rooms_lane_add_write(void *data);
static void ngx_rooms_lane_del_write(void *data);
static void ngx_rooms_lane_cleanup(void *data);


ngx_int_t
ngx_rooms_lane_attach(ngx_rooms_lane_t *lane)
{
    ngx_connection_t   *c;
    redisAsyncContext  *ac;

    ac = lane->ac;

    c = ngx_get_connection(ac->c.fd, lane->timer.log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = lane;
    c->log = lane->timer.log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_rooms_lane_read_handler;
    c->write->handler = ngx_rooms_lane_write_handler;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->idle = 1;

    lane->connection = c;

    ac->data = lane;
    ac->ev.data = lane;
    ac->ev.addRead = ngx_rooms_lane_add_read;
    ac->ev.delRead = ngx_rooms_lane_del_read;
    ac->ev.addWrite = ngx_rooms_lane_add_write;
    ac->ev.delWrite = ngx_rooms_lane_del_write;
    ac->ev.cleanup = ngx_rooms_lane_cleanup;

    ac->c.reader->fn = &ngx_rooms_reply_functions;
    ac->c.reader->privdata = lane;

    if (ngx_add_event(c->read, NGX_READ_EVENT, 0) != NGX_OK
        || ngx_add_event(c->write, NGX_WRITE_EVENT, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_rooms_lane_read_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;
    ngx_rooms_lane_t  *lane;

    c = ev->data;
    lane = c->data;

    if (c->close) {
        c->close = 0;

        if (c->error) {
            /* worker_shutdown_timeout: whoever waits here is ended, too */
            ngx_rooms_lane_drop(lane, NULL);
            return;
        }

        ngx_rooms_lane_close_idle(lane);

        if (lane->dead) {
            /* at once: a worker without timers doesn't turn its loop again */
            ngx_rooms_lane_reap_handler(&lane->reap);
        }

        return;
    }

    if (lane->dead || lane->ac == NULL) {
        return;
    }

    lane->last_read = ngx_current_msec;
    lane->heard = ngx_current_msec;

    redisAsyncHandleRead(lane->ac);

    if (ngx_exiting) {
        ngx_rooms_lane_close_idle(lane);
    }
}


static void
ngx_rooms_lane_write_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;
    ngx_rooms_lane_t  *lane;

    c = ev->data;
    lane = c->data;

    if (lane->dead || lane->ac == NULL) {
        return;
    }

    if (lane->state != NGX_ROOMS_LANE_CONNECTING) {
        ngx_rooms_lane_flush_handler(&lane->flush);
        return;
    }

    /* hiredis finds out by itself whether the connection stands */

    redisAsyncHandleWrite(lane->ac);

    if (lane->ac && (lane->ac->c.flags & REDIS_CONNECTED)) {
        ngx_rooms_lane_greet(lane);
    }
}


void
ngx_rooms_lane_flush_handler(ngx_event_t *ev)
{
    ngx_rooms_lane_t  *lane;

    lane = ev->data;

    if (lane->dead || lane->ac == NULL) {
        return;
    }

    lane->flushing = 1;
    redisAsyncHandleWrite(lane->ac);
    lane->flushing = 0;
}


/* A worker that is about to exit gives up lanes no request waits for. */
static void
ngx_rooms_lane_close_idle(ngx_rooms_lane_t *lane)
{
    if (!ngx_rooms_lane_wanted(lane)) {
        ngx_rooms_lane_drop(lane, NULL);
    }
}


static void
ngx_rooms_lane_add_read(void *data)
{
    ngx_event_t       *rev;
    ngx_rooms_lane_t  *lane = data;

    rev = lane->connection->read;

    if (!rev->active) {
        (void) ngx_add_event(rev, NGX_READ_EVENT, 0);
    }
}


static void
ngx_rooms_lane_del_read(void *data)
{
    ngx_event_t       *rev;
    ngx_rooms_lane_t  *lane = data;

    rev = lane->connection->read;

    if (rev->active) {
        (void) ngx_del_event(rev, NGX_READ_EVENT, 0);
    }
}


/*
 * A command was queued: it leaves at the end of this turn of the loop, with
 * all others of the turn.  Only when the socket takes no more do we ask to
 * be told.
 */
static void
ngx_rooms_lane_add_write(void *data)
{
    ngx_event_t       *wev;
    ngx_rooms_lane_t  *lane = data;

    if (!lane->flushing) {
        ngx_post_event(&lane->flush, &ngx_posted_events);
        return;
    }

    wev = lane->connection->write;

    if (!wev->active) {
        (void) ngx_add_event(wev, NGX_WRITE_EVENT, 0);
    }
}


static void
ngx_rooms_lane_del_write(void *data)
{
    ngx_event_t       *wev;
    ngx_rooms_lane_t  *lane = data;

    wev = lane->connection->write;

    if (wev->active) {
        (void) ngx_del_event(wev, NGX_WRITE_EVENT, 0);
    }
}


/* Off the event loop.  hiredis closes the socket itself. */
static void
ngx_rooms_lane_detach(ngx_rooms_lane_t *lane)
{
    ngx_connection_t  *c;

    lane->ac = NULL;

    c = lane->connection;
    lane->connection = NULL;

    if (ngx_del_conn) {
        ngx_del_conn(c, 0);

    } else {
        if (c->read->active) {
            ngx_del_event(c->read, NGX_READ_EVENT, 0);
        }

        if (c->write->active) {
            ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
        }
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    c->read->closed = 1;
    c->write->closed = 1;

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    if (lane->flush.posted) {
        ngx_delete_posted_event(&lane->flush);
    }
}


/* hiredis is freeing the context. */
static void
ngx_rooms_lane_cleanup(void *data)
{
    ngx_rooms_lane_t  *lane = data;

    if (!lane->dead && !ngx_exiting) {
        ngx_log_error(NGX_LOG_ERR, lane->timer.log, 0,
                      "rooms: lost redis \"%V\": %s", &lane->node->name,
                      lane->ac->errstr ? lane->ac->errstr : "closed");
    }

    ngx_rooms_lane_detach(lane);
    ngx_rooms_lane_down(lane);
    ngx_post_event(&lane->reap, &ngx_posted_events);
}


void
ngx_rooms_lane_end(ngx_rooms_lane_t *lane)
{
    ngx_queue_t        *q;
    ngx_rooms_batch_t  *b;
    redisAsyncContext  *ac;

    ac = lane->ac;

    if (ac) {
        ngx_rooms_lane_detach(lane);
        ngx_memzero(&ac->ev, sizeof(ac->ev));
        redisAsyncFree(ac);
    }

    /* those of the lane itself, and those that nobody waits for any more */

    while (!ngx_queue_empty(&lane->inflight)) {
        q = ngx_queue_head(&lane->inflight);
        b = ngx_queue_data(q, ngx_rooms_batch_t, queue);
        ngx_queue_remove(q);

        if (b->handler == NULL || b->data == lane) {
            ngx_destroy_pool(b->pool);
        }
    }
}
