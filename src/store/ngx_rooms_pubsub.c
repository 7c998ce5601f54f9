/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The subscribed connection.  It only receives pushes, which are read as they
 * come.  So hiredis only parses (redisReader) and NGINX does the rest;
 * hiredis's asynchronous context would keep a second table of channels.
 *
 * A message is only a hint to look into the store: it may be late, doubled,
 * out of order or lost. ngx_rooms_listen.c does the looking; also when a
 * channel was subscribed or can't be, and from time to time without any
 * message.
 */

#include "ngx_rooms_pubsub.h"
#include "ngx_rooms_hold.h"
#include "ngx_rooms_tls.h"


#define NGX_ROOMS_PUBSUB_BACKOFF_MIN    50
#define NGX_ROOMS_PUBSUB_BACKOFF_MAX  1000

#define NGX_ROOMS_PUBSUB_READ   8192
#define NGX_ROOMS_PUBSUB_READS     8       /* in one turn of the loop */

#define NGX_ROOMS_PUBSUB_WORDS    16       /* of a push; most have 3 */
#define NGX_ROOMS_PUBSUB_KEYS  1000000     /* in one of them */


static void ngx_rooms_pubsub_connect(ngx_rooms_pubsub_t *ps);
static void ngx_rooms_pubsub_greet(ngx_rooms_pubsub_t *ps);
static void ngx_rooms_pubsub_timer_handler(ngx_event_t *ev);
static void ngx_rooms_pubsub_connected(ngx_rooms_pubsub_t *ps);
static void ngx_rooms_pubsub_ready(ngx_rooms_pubsub_t *ps);
static ngx_int_t ngx_rooms_pubsub_flush(ngx_rooms_pubsub_t *ps);
static void ngx_rooms_pubsub_read_handler(ngx_event_t *rev);
static void ngx_rooms_pubsub_write_handler(ngx_event_t *wev);


ngx_int_t
ngx_rooms_pubsub_init_worker(ngx_rooms_store_t *store, ngx_cycle_t *cycle)
{
    store->pubsub = ngx_palloc(cycle->pool, sizeof(ngx_rooms_pubsub_t));

    if (store->pubsub == NULL) {
        return NGX_ERROR;
    }

    ngx_rooms_pubsub_init(store->pubsub, store, cycle->log);

    return NGX_OK;
}


void
ngx_rooms_pubsub_init(ngx_rooms_pubsub_t *ps, ngx_rooms_store_t *store,
    ngx_log_t *log)
{
    ngx_memzero(ps, sizeof(ngx_rooms_pubsub_t));

    ps->store = store;
    ps->log = log;
    ngx_rbtree_init(&ps->names, &ps->sentinel, ngx_str_rbtree_insert_value);
    ngx_queue_init(&ps->channels);
    ngx_queue_init(&ps->woken);

    ngx_rooms_timer_init(&ps->timer, ngx_rooms_pubsub_timer_handler, ps, log);

    ps->wake.handler = ngx_rooms_listen_wake_handler;
    ps->wake.data = ps;
    ps->wake.log = log;
}


void
ngx_rooms_pubsub_subscribe(ngx_rooms_pubsub_t *ps, ngx_rooms_channel_t *ch)
{
    if (ps->state == NGX_ROOMS_PUBSUB_READY) {
        ngx_rooms_pubsub_send(ps, (rooms_str_t[]) { ngx_rooms_s("SUBSCRIBE"),
                                       rooms_from_ngx(ch->sn.str) }, 2);
        return;
    }

    ngx_rooms_pubsub_want(ps);
}


void
ngx_rooms_pubsub_want(ngx_rooms_pubsub_t *ps)
{
    if (ps->state == NGX_ROOMS_PUBSUB_DOWN && !ps->timer.timer_set) {
        ngx_rooms_pubsub_connect(ps);
    }
}


void
ngx_rooms_pubsub_unsubscribe(ngx_rooms_pubsub_t *ps, ngx_rooms_channel_t *ch)
{
    if (ps->state == NGX_ROOMS_PUBSUB_READY) {
        ngx_rooms_pubsub_send(ps,
                              (rooms_str_t[]) { ngx_rooms_s("UNSUBSCRIBE"),
                                       rooms_from_ngx(ch->sn.str) }, 2);
    }
}


/* In a cluster any node delivers what is published on another. */
static ngx_rooms_node_t *
ngx_rooms_pubsub_node(ngx_rooms_pubsub_t *ps)
{
    ngx_uint_t           i, n;
    ngx_rooms_store_t   *store;
    ngx_rooms_server_t  *server;

    if (ps->fixed) {
        return ps->fixed;
    }

    store = ps->store;
    n = store->kind == NGX_ROOMS_STORE_CLUSTER ? store->nservers : 1;

    for (i = 0; i < n; i++) {
        server = store->servers[(ps->attempts + i) % n];

        if (!server->node.out) {
            return &server->node;
        }
    }

    return &store->servers[ps->attempts % n]->node;
}


/* What makes replies: hiredis's, and the same for arrays that a push has. */
static redisReplyObjectFunctions  ngx_rooms_pubsub_any;
static redisReplyObjectFunctions  ngx_rooms_pubsub_known;


/*
 * A push is a few words, of which one may be a list of keys.  A longer array
 * would take memory for what may never come, and swallow all that does.
 */
#if (HIREDIS_MAJOR >= 1)
static void *
ngx_rooms_pubsub_array(const redisReadTask *task, size_t elements)
#else
static void *
ngx_rooms_pubsub_array(const redisReadTask *task, int elements)
#endif
{
    if (elements > (task->parent ? NGX_ROOMS_PUBSUB_KEYS
                                 : NGX_ROOMS_PUBSUB_WORDS)
        || (task->parent && task->parent->parent))
    {
        return NULL;
    }

    return ngx_rooms_pubsub_any.createArray(task, elements);
}


static void
ngx_rooms_pubsub_connect(ngx_rooms_pubsub_t *ps)
{
    ngx_int_t  rc;

    rc = NGX_ERROR;
    ps->reader = redisReaderCreate();

    ps->node = ngx_rooms_pubsub_node(ps);

    if (ps->reader) {
        ngx_rooms_pubsub_any = *ps->reader->fn;
        ngx_rooms_pubsub_known = ngx_rooms_pubsub_any;
        ngx_rooms_pubsub_known.createArray = ngx_rooms_pubsub_array;
        ps->reader->fn = &ngx_rooms_pubsub_known;

        rc = ngx_rooms_node_connect(ps->node, ps->attempts, ps->log,
                                    &ps->connection);
    }

    if (rc == NGX_ERROR) {
        ngx_rooms_pubsub_close(ps, NULL);
        return;
    }

    ps->connection->data = ps;
    ps->connection->read->handler = ngx_rooms_pubsub_read_handler;
    ps->connection->write->handler = ngx_rooms_pubsub_write_handler;

    ps->state = NGX_ROOMS_PUBSUB_CONNECTING;
    ngx_add_timer(&ps->timer, ps->store->node.connect_timeout);

    if (rc == NGX_OK) {
        ngx_rooms_pubsub_connected(ps);
    }
}


/* The TLS handshake, if there is one, has succeeded or failed. */
static void
ngx_rooms_pubsub_shaken(ngx_connection_t *c)
{
    ngx_rooms_pubsub_t  *ps;

    ps = c->data;

    if (!ngx_rooms_tls_stands(c)) {
        ngx_rooms_pubsub_close(ps, "has no TLS");
        return;
    }

    c->read->handler = ngx_rooms_pubsub_read_handler;
    c->write->handler = ngx_rooms_pubsub_write_handler;

    ngx_rooms_pubsub_greet(ps);
}


static void
ngx_rooms_pubsub_connected(ngx_rooms_pubsub_t *ps)
{
    switch (ngx_rooms_tls_handshake(ps->connection, ps->node,
                                    ngx_rooms_pubsub_shaken))
    {
    case NGX_OK:
        ngx_rooms_pubsub_shaken(ps->connection);
        return;

    case NGX_AGAIN:
        return;

    default:
        ngx_rooms_pubsub_close(ps, "has no TLS");
    }
}


static void
ngx_rooms_pubsub_greet(ngx_rooms_pubsub_t *ps)
{
    rooms_str_t        user, password;
    ngx_rooms_node_t  *node;

    node = ps->node;
    user = rooms_from_ngx(node->user);
    password = rooms_from_ngx(node->password);

    if (password.len == 0) {
        ngx_rooms_pubsub_ready(ps);
        return;
    }

    ps->state = NGX_ROOMS_PUBSUB_GREETING;

    if (user.len) {
        ngx_rooms_pubsub_send(ps, (rooms_str_t[]) { ngx_rooms_s("AUTH"), user,
                                                    password }, 3);

    } else {
        ngx_rooms_pubsub_send(ps, (rooms_str_t[]) { ngx_rooms_s("AUTH"),
                                                    password }, 2);
    }
}


static void
ngx_rooms_pubsub_ready(ngx_rooms_pubsub_t *ps)
{
    ngx_queue_t          *q;
    ngx_rooms_channel_t  *ch;

    ps->state = NGX_ROOMS_PUBSUB_READY;
    ngx_add_timer(&ps->timer, NGX_ROOMS_PUBSUB_PING);

    if (ps->owner) {
        ps->owner->ready(ps->data);
        return;
    }

    for (q = ngx_queue_head(&ps->channels);
         q != ngx_queue_sentinel(&ps->channels);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_rooms_channel_t, queue);
        ngx_rooms_pubsub_subscribe(ps, ch);

        if (ps->state != NGX_ROOMS_PUBSUB_READY) {
            return;
        }
    }
}


static void
ngx_rooms_pubsub_again(ngx_rooms_pubsub_t *ps)
{
    ngx_msec_t            delay;
    ngx_queue_t          *q;
    ngx_rooms_channel_t  *ch;

    if (ps->timer.timer_set) {
        ngx_del_timer(&ps->timer);
    }

    if (ngx_queue_empty(&ps->channels) && ps->owner == NULL) {
        return;
    }

    delay = NGX_ROOMS_PUBSUB_BACKOFF_MIN << ngx_min(ps->attempts, 5);
    delay = ngx_min(delay, NGX_ROOMS_PUBSUB_BACKOFF_MAX);
    delay = delay / 2 + ngx_random() % (delay / 2 + 1);

    if (ps->attempts == 0) {
        delay = 1 + ngx_random() % 10;
    }

    ngx_add_timer(&ps->timer, delay);

    /*
     * the first loss may be a blip; the second may mean that the store is
     * lost
     */

    if (ps->attempts++ == 0) {
        return;
    }

    for (q = ngx_queue_head(&ps->channels);
         q != ngx_queue_sentinel(&ps->channels);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_rooms_channel_t, queue);
        ngx_rooms_channel_sweep(ch);
    }
}


void
ngx_rooms_pubsub_close(ngx_rooms_pubsub_t *ps, const char *why)
{
    ngx_queue_t          *q;
    ngx_rooms_channel_t  *ch;

    if (why && !ngx_exiting) {
        ngx_log_error(NGX_LOG_ERR, ps->log, 0,
                      "rooms: subscription to \"%V\" %s, reconnecting",
                      &ps->store->name, why);
    }

    if (ps->connection) {
        ngx_rooms_tls_close(ps->connection);
        ps->connection = NULL;
    }

    if (ps->reader) {
        redisReaderFree(ps->reader);
        ps->reader = NULL;
    }

    ps->state = NGX_ROOMS_PUBSUB_DOWN;
    ps->nout = 0;
    ps->pinging = 0;

    if (ps->owner) {
        ps->owner->lost(ps->data);
    }

    for (q = ngx_queue_head(&ps->channels);
         q != ngx_queue_sentinel(&ps->channels);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_rooms_channel_t, queue);
        ch->subscribed = 0;
    }

    ngx_rooms_pubsub_again(ps);
}


/* The worker is about to exit: ends all waiting. */
void
ngx_rooms_pubsub_leave(ngx_rooms_pubsub_t *ps)
{
    ngx_queue_t          *q, *next;
    ngx_rooms_channel_t  *ch;

    for (q = ngx_queue_head(&ps->channels);
         q != ngx_queue_sentinel(&ps->channels);
         q = next)
    {
        next = ngx_queue_next(q);
        ch = ngx_queue_data(q, ngx_rooms_channel_t, queue);

        if (ngx_queue_empty(&ch->listeners)) {
            ngx_rooms_channel_free(ch);

        } else {
            ngx_rooms_channel_wake(ch);
        }
    }

    if (ps->connection) {
        ngx_rooms_tls_close(ps->connection);
        ps->connection = NULL;
    }

    if (ps->reader) {
        redisReaderFree(ps->reader);
        ps->reader = NULL;
    }

    if (ps->out) {
        ngx_free(ps->out);
        ps->out = NULL;
        ps->size = 0;
        ps->nout = 0;
    }

    ps->state = NGX_ROOMS_PUBSUB_DOWN;

    if (ps->timer.timer_set) {
        ngx_del_timer(&ps->timer);
    }
}


static void
ngx_rooms_pubsub_timer_handler(ngx_event_t *ev)
{
    ngx_rooms_pubsub_t  *ps;

    ps = ev->data;

    if (ngx_exiting) {
        ngx_rooms_pubsub_leave(ps);
        return;
    }

    switch (ps->state) {

    case NGX_ROOMS_PUBSUB_DOWN:
        ngx_rooms_pubsub_connect(ps);
        return;

    case NGX_ROOMS_PUBSUB_CONNECTING:
    case NGX_ROOMS_PUBSUB_GREETING:
        ngx_rooms_pubsub_close(ps, "isn't answered");
        return;

    case NGX_ROOMS_PUBSUB_READY:
        break;
    }

    if (ps->pinging) {
        ngx_rooms_pubsub_close(ps, "is silent");
        return;
    }

    /* a node that has left its cluster still answers, but delivers no news */

    if (ps->store->kind == NGX_ROOMS_STORE_CLUSTER) {
        ngx_rooms_store_discover(ps->store);
    }

    ngx_rooms_pubsub_check(ps);
}


void
ngx_rooms_pubsub_check(ngx_rooms_pubsub_t *ps)
{
    if (ps->state != NGX_ROOMS_PUBSUB_READY || ps->pinging) {
        return;
    }

    ps->pinging = 1;
    ps->pinged = ngx_current_msec;
    ngx_add_timer(&ps->timer, ps->store->node.timeout);
    ngx_rooms_pubsub_send(ps, (rooms_str_t[]) { ngx_rooms_s("PING") }, 1);
}


/* Makes room for output. */


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


static ngx_int_t
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
    return ngx_rooms_reply_str_at(reply, n);
}


/*
 * Handles a push.  NGX_ERROR: the connection can't be used.  NGX_DONE: it was
 * closed.
 */
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

    if (ps->owner) {
        return ps->owner->push(ps->data, reply);
    }

    kind = ngx_rooms_pubsub_str(reply, 0);
    ch = ngx_rooms_channel_find(ps, ngx_rooms_pubsub_str(reply, 1));

    if (ch == NULL) {
        /* a PONG, or nobody listens to it any more */
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

        if (ps->connection == NULL) {
            /* a lane that went down has sent a PING, which failed */
            return NGX_DONE;
        }
    }
}


static void
ngx_rooms_pubsub_read_handler(ngx_event_t *rev)
{
    ssize_t              n;
    ngx_int_t            rc;
    ngx_uint_t           i;
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
        /* the write event will tell whether it is connected */
        return;
    }

    for (i = 0; /* void */ ; i++) {

        if (i == NGX_ROOMS_PUBSUB_READS) {
            /* others' events come in between */
            ngx_post_event(rev, &ngx_posted_next_events);
            return;
        }

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
                          ps->owner ? ps->owner->ping(ps->data)
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


static void
ngx_rooms_pubsub_write_handler(ngx_event_t *wev)
{
    ngx_connection_t    *c;
    ngx_rooms_pubsub_t  *ps;

    c = wev->data;
    ps = c->data;

    if (ps->state == NGX_ROOMS_PUBSUB_CONNECTING) {

        if (ngx_rooms_node_refused(c)) {
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
