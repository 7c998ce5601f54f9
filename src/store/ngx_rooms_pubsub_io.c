/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* What goes over the connection that is subscribed. */

#include "ngx_rooms_store.h"
#include "ngx_rooms_cache.h"


#define NGX_ROOMS_PUBSUB_READ  8192


static ngx_int_t
ngx_rooms_pubsub_room(ngx_rooms_pubsub_t *ps, size_t len)
{
    size_t   size;
    u_char  *p;

    if (ps->size - ps->nout >= len) {
        return NGX_OK;
    }

    size = ngx_max(2 * ps->size, ps->nout + len);
    size = ngx_max(size, 512);

    p = ngx_alloc(size, ps->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ps->out) {
        ngx_memcpy(p, ps->out, ps->nout);
        ngx_free(ps->out);
    }

    ps->out = p;
    ps->size = size;

    return NGX_OK;
}


void
ngx_rooms_pubsub_send(ngx_rooms_pubsub_t *ps, const rooms_str_t *argv,
    ngx_uint_t argc)
{
    size_t       len;
    u_char      *p;
    ngx_uint_t   i;

    for (len = 32, i = 0; i < argc; i++) {
        len += 32 + argv[i].len;
    }

    if (ngx_rooms_pubsub_room(ps, len) != NGX_OK) {
        ngx_rooms_pubsub_close(ps, "is out of memory");
        return;
    }

    p = ngx_rooms_resp_size(ps->out + ps->nout, '*', argc);

    for (i = 0; i < argc; i++) {
        p = ngx_rooms_resp_size(p, '$', argv[i].len);
        p = ngx_cpymem(p, argv[i].data, argv[i].len);
        *p++ = CR;
        *p++ = LF;
    }

    ps->nout = p - ps->out;

    if (ngx_rooms_pubsub_flush(ps) != NGX_OK) {
        ngx_rooms_pubsub_close(ps, "was lost");
    }
}


ngx_int_t
ngx_rooms_pubsub_flush(ngx_rooms_pubsub_t *ps)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = ps->connection;

    while (ps->nout) {
        n = c->send(c, ps->out, ps->nout);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            return NGX_ERROR;
        }

        ps->nout -= n;
        ngx_memmove(ps->out, ps->out + n, ps->nout);
    }

    return ngx_handle_write_event(c->write, 0);
}


static rooms_str_t
ngx_rooms_pubsub_str(redisReply *reply, ngx_uint_t n)
{
    return ngx_rooms_reply_str(ngx_rooms_reply_element(reply, n));
}


/* NGX_ERROR: the connection is of no use. */
static ngx_int_t
ngx_rooms_pubsub_take(ngx_rooms_pubsub_t *ps, redisReply *reply)
{
    rooms_str_t           kind;
    ngx_rooms_channel_t  *ch;

    if (reply->type == REDIS_REPLY_ERROR) {

        if (!ps->refused) {
            ngx_log_error(NGX_LOG_ERR, ps->log, 0,
                          "rooms: redis \"%V\" refused a subscription: %s",
                          &ps->store->name, reply->str);
        }

        ps->refused = 1;
        return NGX_ERROR;
    }

    if (ps->state == NGX_ROOMS_PUBSUB_GREETING) {
        ngx_rooms_pubsub_ready(ps);
        return ps->connection ? NGX_OK : NGX_DONE;
    }

    if (ps->cache) {
        return ngx_rooms_cache_take(ps->cache, reply);
    }

    kind = ngx_rooms_pubsub_str(reply, 0);
    ch = ngx_rooms_channel_find(ps, ngx_rooms_pubsub_str(reply, 1));

    if (ch == NULL) {
        /* a PONG, or nobody listens there any more */
        return NGX_OK;
    }

    if (rooms_str_eq(kind, ngx_rooms_s("message"))) {
        ngx_rooms_channel_news(ch, ngx_rooms_pubsub_str(reply, 2));

    } else if (rooms_str_eq(kind, ngx_rooms_s("subscribe"))) {
        ch->subscribed = 1;
        ps->attempts = 0;
        ps->refused = 0;
        ngx_rooms_channel_sweep(ch);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_pubsub_parse(ngx_rooms_pubsub_t *ps)
{
    void       *reply;
    ngx_int_t   rc;

    for ( ;; ) {

        if (redisReaderGetReply(ps->reader, &reply) != REDIS_OK) {
            return NGX_ERROR;
        }

        if (reply == NULL) {
            return NGX_OK;
        }

        rc = ngx_rooms_pubsub_take(ps, reply);
        freeReplyObject(reply);

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


void
ngx_rooms_pubsub_read_handler(ngx_event_t *rev)
{
    ssize_t              n;
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_rooms_pubsub_t  *ps;
    u_char               buf[NGX_ROOMS_PUBSUB_READ];

    c = rev->data;
    ps = c->data;

    if (c->close) {
        ngx_rooms_pubsub_leave(ps);
        return;
    }

    if (ps->state == NGX_ROOMS_PUBSUB_CONNECTING) {
        /* what the write event will find out */
        return;
    }

    for ( ;; ) {
        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            ngx_rooms_pubsub_close(ps, "was lost");
            return;
        }

        if (ps->pinging) {
            ps->pinging = 0;
            ngx_add_timer(&ps->timer,
                          ps->cache ? ngx_rooms_cache_ping(ps->cache)
                                    : NGX_ROOMS_PUBSUB_PING);
        }

        rc = redisReaderFeed(ps->reader, (char *) buf, n) == REDIS_OK
             ? ngx_rooms_pubsub_parse(ps) : NGX_ERROR;

        if (rc == NGX_DONE) {
            return;
        }

        if (rc != NGX_OK) {
            ngx_rooms_pubsub_close(ps, ps->refused ? NULL : "went wrong");
            return;
        }
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_rooms_pubsub_close(ps, "was lost");
    }
}


void
ngx_rooms_pubsub_write_handler(ngx_event_t *wev)
{
    int                  err;
    socklen_t            len;
    ngx_connection_t    *c;
    ngx_rooms_pubsub_t  *ps;

    c = wev->data;
    ps = c->data;

    if (ps->state == NGX_ROOMS_PUBSUB_CONNECTING) {
        err = 0;
        len = sizeof(int);

        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1
            || err)
        {
            ngx_rooms_pubsub_close(ps, NULL);
            return;
        }

        ngx_rooms_pubsub_connected(ps);

        if (ps->connection && c->read->ready) {
            ngx_post_event(c->read, &ngx_posted_events);
        }

        return;
    }

    if (ngx_rooms_pubsub_flush(ps) != NGX_OK) {
        ngx_rooms_pubsub_close(ps, "was lost");
    }
}
