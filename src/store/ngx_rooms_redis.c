/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A lane: hiredis's asynchronous context on NGINX's event loop.
 *
 * hiredis frees its context from inside its own handlers when a connection
 * breaks, and calls back from there.  So nothing here frees, reconnects or
 * answers from a callback: callbacks mark, and the posted event `reap` acts.
 */

#include "ngx_rooms_redis.h"


#define NGX_ROOMS_BACKOFF_MIN     50
#define NGX_ROOMS_BACKOFF_MAX   1000
#define NGX_ROOMS_PING         15000


static void ngx_rooms_lane_connect(ngx_rooms_lane_t *lane);
static ngx_int_t ngx_rooms_lane_attach(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_greet(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_greeted(ngx_rooms_batch_t *b);
static void ngx_rooms_lane_pinged(ngx_rooms_batch_t *b);
static void ngx_rooms_lane_up(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_down(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_write(ngx_rooms_lane_t *lane, ngx_rooms_batch_t *b);
static void ngx_rooms_lane_reply(redisAsyncContext *ac, void *reply,
    void *data);
static void ngx_rooms_lane_fail_waiting(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_close_idle(ngx_rooms_lane_t *lane);

static void ngx_rooms_lane_read_handler(ngx_event_t *ev);
static void ngx_rooms_lane_write_handler(ngx_event_t *ev);
static void ngx_rooms_lane_flush_handler(ngx_event_t *ev);
static void ngx_rooms_lane_reap_handler(ngx_event_t *ev);
static void ngx_rooms_lane_timer_handler(ngx_event_t *ev);

static void ngx_rooms_lane_add_read(void *data);
static void ngx_rooms_lane_del_read(void *data);
static void ngx_rooms_lane_add_write(void *data);
static void ngx_rooms_lane_del_write(void *data);
static void ngx_rooms_lane_cleanup(void *data);

static redisReplyObjectFunctions  ngx_rooms_reply_functions;


/* Batches */


ngx_rooms_batch_t *
ngx_rooms_batch_create(ngx_log_t *log)
{
    ngx_pool_t         *pool;
    ngx_rooms_batch_t  *b;

    pool = ngx_create_pool(4096, log);
    if (pool == NULL) {
        return NULL;
    }

    b = ngx_pcalloc(pool, sizeof(ngx_rooms_batch_t));
    if (b == NULL
        || ngx_array_init(&b->commands, pool, 8, sizeof(ngx_str_t)) != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    b->pool = pool;

    return b;
}


void
ngx_rooms_batch_free(ngx_rooms_batch_t *b)
{
    ngx_rooms_batch_t  *followed;

    b->handler = NULL;

    while (b->followed) {
        followed = b->followed;
        b->followed = followed->older;
        ngx_rooms_batch_free(followed);
    }

    if (b->lane != NULL) {

        if (b->sent) {
            /* its replies are still to come, into its pool */
            return;
        }

        ngx_queue_remove(&b->queue);
        b->lane = NULL;
    }

    ngx_destroy_pool(b->pool);
}


ngx_int_t
ngx_rooms_batch_add(ngx_rooms_batch_t *b, const rooms_str_t *argv,
    ngx_uint_t argc)
{
    size_t       len;
    u_char      *p;
    ngx_str_t   *cmd;
    ngx_uint_t   i;

    len = sizeof("*\r\n") - 1 + NGX_INT_T_LEN;

    for (i = 0; i < argc; i++) {
        len += sizeof("$\r\n\r\n") - 1 + NGX_INT_T_LEN + argv[i].len;
    }

    p = ngx_pnalloc(b->pool, len);
    cmd = ngx_array_push(&b->commands);

    if (p == NULL || cmd == NULL) {
        b->failed = 1;
        return NGX_ERROR;
    }

    cmd->data = p;
    p = ngx_sprintf(p, "*%ui\r\n", argc);

    for (i = 0; i < argc; i++) {
        p = ngx_sprintf(p, "$%uz\r\n", argv[i].len);
        p = ngx_cpymem(p, argv[i].data, argv[i].len);
        *p++ = CR;
        *p++ = LF;
    }

    cmd->len = p - cmd->data;

    return NGX_OK;
}


static void
ngx_rooms_batch_done(ngx_rooms_batch_t *b)
{
    b->lane = NULL;

    if (b->handler) {
        b->handler(b);
        return;
    }

    ngx_destroy_pool(b->pool);
}


/* Lanes */


void
ngx_rooms_lane_init(ngx_rooms_lane_t *lane, ngx_rooms_node_t *node,
    ngx_log_t *log)
{
    ngx_memzero(lane, sizeof(ngx_rooms_lane_t));

    lane->node = node;
    ngx_queue_init(&lane->waiting);
    ngx_queue_init(&lane->inflight);

    lane->flush.handler = ngx_rooms_lane_flush_handler;
    lane->flush.data = lane;
    lane->flush.log = log;

    lane->reap.handler = ngx_rooms_lane_reap_handler;
    lane->reap.data = lane;
    lane->reap.log = log;

    lane->timer.handler = ngx_rooms_lane_timer_handler;
    lane->timer.data = lane;
    lane->timer.log = log;
    lane->timer.cancelable = 1;
}


void
ngx_rooms_lane_send(ngx_rooms_lane_t *lane, ngx_rooms_batch_t *b)
{
    b->lane = lane;
    b->sent = 0;
    b->received = 0;
    b->status = NGX_ROOMS_BATCH_OK;

    b->replies = ngx_pcalloc(b->pool,
                             b->commands.nelts * sizeof(redisReply *));
    if (b->replies == NULL) {
        b->failed = 1;
    }

    if (b->failed) {
        b->status = NGX_ROOMS_BATCH_DOWN;
        ngx_queue_insert_tail(&lane->waiting, &b->queue);
        ngx_post_event(&lane->reap, &ngx_posted_events);
        return;
    }

    if (lane->state == NGX_ROOMS_LANE_READY && !lane->dead) {
        ngx_rooms_lane_write(lane, b);
        return;
    }

    ngx_queue_insert_tail(&lane->waiting, &b->queue);

    if (lane->down_since
        && ngx_current_msec - lane->down_since > lane->node->timeout)
    {
        /* an outage, not a blip: don't make everybody wait */
        ngx_post_event(&lane->reap, &ngx_posted_events);
    }

    if (lane->state == NGX_ROOMS_LANE_DOWN && !lane->dead
        && !lane->timer.timer_set)
    {
        ngx_rooms_lane_connect(lane);
    }
}


void
ngx_rooms_lane_late(ngx_rooms_lane_t *lane)
{
    if (lane->state == NGX_ROOMS_LANE_READY
        && ngx_current_msec - lane->last_read >= lane->node->timeout)
    {
        ngx_rooms_lane_drop(lane, "is silent");
    }
}


static void
ngx_rooms_lane_connect(ngx_rooms_lane_t *lane)
{
    char                ip[NGX_SOCKADDR_STRLEN + 1];
    size_t              len;
    ngx_addr_t         *addr;
    ngx_rooms_node_t   *node;
    redisAsyncContext  *ac;

    node = lane->node;

    if (node->naddrs) {
        addr = &node->addrs[lane->attempts % node->naddrs];
        len = ngx_sock_ntop(addr->sockaddr, addr->socklen, (u_char *) ip,
                            NGX_SOCKADDR_STRLEN, 0);
        ip[len] = '\0';
        ac = redisAsyncConnect(ip, ngx_inet_get_port(addr->sockaddr));

    } else if (node->path.len) {
        ac = redisAsyncConnectUnix((char *) node->path.data);

    } else {
        /* sentinels haven't said yet where the primary is */
        ac = NULL;
    }

    if (ac == NULL) {
        ngx_rooms_lane_down(lane);
        return;
    }

    lane->ac = ac;
    lane->state = NGX_ROOMS_LANE_CONNECTING;

    if (ac->err) {
        ngx_log_error(NGX_LOG_ERR, lane->timer.log, 0,
                      "rooms: can't connect to redis \"%V\": %s",
                      &node->name, ac->errstr);

    } else if (ngx_rooms_lane_attach(lane) == NGX_OK) {
        ngx_add_timer(&lane->timer, node->connect_timeout);
        return;
    }

    redisAsyncFree(ac);
    lane->ac = NULL;
    ngx_rooms_lane_down(lane);
}


/*
 * Events are level-triggered here: hiredis reads 16 KB at a time and doesn't
 * say whether the socket has more.
 */
static ngx_int_t
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
ngx_rooms_lane_greet(ngx_rooms_lane_t *lane)
{
    u_char              db[NGX_INT_T_LEN];
    ngx_rooms_node_t   *node;
    ngx_rooms_batch_t  *b;

    node = lane->node;
    lane->state = NGX_ROOMS_LANE_GREETING;

    b = ngx_rooms_batch_create(lane->timer.log);
    if (b == NULL) {
        ngx_rooms_lane_drop(lane, "can't be greeted");
        return;
    }

    if (node->user.len) {
        (void) ngx_rooms_command(b, ngx_rooms_s("AUTH"),
                                 { node->user.len, node->user.data },
                                 { node->password.len, node->password.data });

    } else if (node->password.len) {
        (void) ngx_rooms_command(b, ngx_rooms_s("AUTH"),
                                 { node->password.len, node->password.data });
    }

    if (node->db) {
        (void) ngx_rooms_command(b, ngx_rooms_s("SELECT"),
                           { ngx_sprintf(db, "%i", node->db) - db, db });
    }

    /* PING finds out LOADING and MASTERDOWN before anybody depends on it */

    (void) ngx_rooms_command(b, ngx_rooms_s("PING"));

    b->replies = ngx_pcalloc(b->pool,
                             b->commands.nelts * sizeof(redisReply *));

    if (b->failed || b->replies == NULL) {
        ngx_rooms_batch_free(b);
        ngx_rooms_lane_drop(lane, "can't be greeted");
        return;
    }

    b->handler = ngx_rooms_lane_greeted;
    b->data = lane;
    b->lane = lane;

    ngx_rooms_lane_write(lane, b);
}


static void
ngx_rooms_lane_greeted(ngx_rooms_batch_t *b)
{
    redisReply        *reply;
    ngx_uint_t         i;
    ngx_rooms_lane_t  *lane;

    lane = b->data;

    if (b->status == NGX_ROOMS_BATCH_OK) {

        for (i = 0; i < b->commands.nelts; i++) {
            reply = b->replies[i];

            if (reply->type == REDIS_REPLY_ERROR) {
                ngx_log_error(NGX_LOG_ERR, lane->timer.log, 0,
                              "rooms: redis \"%V\" refused: %s",
                              &lane->node->name, reply->str);
                ngx_rooms_lane_drop(lane, NULL);
                break;
            }
        }

        if (i == b->commands.nelts) {
            ngx_rooms_lane_up(lane);
        }
    }

    ngx_rooms_batch_free(b);
}


static void
ngx_rooms_lane_up(ngx_rooms_lane_t *lane)
{
    ngx_queue_t        *q;
    ngx_rooms_batch_t  *b;

    if (lane->down_since) {
        ngx_log_error(NGX_LOG_NOTICE, lane->timer.log, 0,
                      "rooms: redis \"%V\" is back", &lane->node->name);
    }

    lane->state = NGX_ROOMS_LANE_READY;
    lane->attempts = 0;
    lane->down_since = 0;
    lane->last_read = ngx_current_msec;
    lane->epoch++;

    ngx_add_timer(&lane->timer, NGX_ROOMS_PING);

    while (!ngx_queue_empty(&lane->waiting)) {
        q = ngx_queue_head(&lane->waiting);
        b = ngx_queue_data(q, ngx_rooms_batch_t, queue);
        ngx_queue_remove(q);

        if (b->status == NGX_ROOMS_BATCH_DOWN) {
            ngx_rooms_batch_done(b);
            continue;
        }

        ngx_rooms_lane_write(lane, b);
    }
}


/* The context is gone.  Tries again after a while, as long as it takes. */
static void
ngx_rooms_lane_down(ngx_rooms_lane_t *lane)
{
    ngx_msec_t  delay;

    lane->state = NGX_ROOMS_LANE_DOWN;
    lane->pinging = 0;
    lane->dead = 0;

    if (lane->timer.timer_set) {
        ngx_del_timer(&lane->timer);
    }

    if (ngx_exiting && ngx_queue_empty(&lane->waiting)) {
        return;
    }

    if (lane->down_since == 0) {
        lane->down_since = ngx_current_msec ? ngx_current_msec : 1;
    }

    delay = NGX_ROOMS_BACKOFF_MIN << ngx_min(lane->attempts, 5);
    delay = ngx_min(delay, NGX_ROOMS_BACKOFF_MAX);
    delay = delay / 2 + ngx_random() % (delay / 2 + 1);

    if (lane->attempts == 0) {
        delay = 1 + ngx_random() % 10;
    }

    lane->attempts++;

    ngx_add_timer(&lane->timer, delay);

    if (lane->node->down) {
        lane->node->down(lane->node->data);
    }
}


void
ngx_rooms_lane_drop(ngx_rooms_lane_t *lane, const char *why)
{
    if (lane->dead || lane->ac == NULL) {
        return;
    }

    if (why) {
        ngx_log_error(NGX_LOG_ERR, lane->timer.log, 0,
                      "rooms: redis \"%V\" %s, reconnecting",
                      &lane->node->name, why);
    }

    lane->dead = 1;
    ngx_post_event(&lane->reap, &ngx_posted_events);
}


void
ngx_rooms_lane_hurry(ngx_rooms_lane_t *lane)
{
    lane->attempts = 0;

    if (lane->state == NGX_ROOMS_LANE_DOWN && lane->timer.timer_set) {
        ngx_del_timer(&lane->timer);
        ngx_add_timer(&lane->timer, 1);
    }
}


static void
ngx_rooms_lane_write(ngx_rooms_lane_t *lane, ngx_rooms_batch_t *b)
{
    ngx_str_t   *cmd;
    ngx_uint_t   i;

    if (ngx_queue_empty(&lane->inflight)) {
        /* silence counts from the first command that waits for an answer */
        lane->last_read = ngx_current_msec;
    }

    ngx_queue_insert_tail(&lane->inflight, &b->queue);
    b->sent = 1;

    cmd = b->commands.elts;

    for (i = 0; i < b->commands.nelts; i++) {

        if (redisAsyncFormattedCommand(lane->ac, ngx_rooms_lane_reply, b,
                                       (char *) cmd[i].data, cmd[i].len)
            != REDIS_OK)
        {
            /* what was queued is answered when the context is freed */
            b->commands.nelts = i;
            b->failed = 1;

            if (i == 0) {
                b->status = NGX_ROOMS_BATCH_DOWN;
                ngx_queue_remove(&b->queue);
                ngx_queue_insert_tail(&lane->waiting, &b->queue);
                b->sent = 0;
            }

            ngx_rooms_lane_drop(lane, "takes no command");
            return;
        }
    }
}


/*
 * Called by hiredis for each reply, in order, and with NULL for what will
 * never be answered, while the context is being freed.
 */
static void
ngx_rooms_lane_reply(redisAsyncContext *ac, void *reply, void *data)
{
    ngx_rooms_lane_t   *lane;
    ngx_rooms_batch_t  *b;

    b = data;
    lane = b->lane;

    if (reply == NULL) {
        b->failed = 1;

    } else {
        b->replies[b->received] = reply;
    }

    if (++b->received < b->commands.nelts) {
        return;
    }

    if (b->failed) {
        b->status = NGX_ROOMS_BATCH_LOST;
        ngx_post_event(&lane->reap, &ngx_posted_events);
        return;
    }

    ngx_queue_remove(&b->queue);
    ngx_rooms_batch_done(b);

    if (lane->scratch) {
        ngx_reset_pool(lane->scratch);
    }
}


static void
ngx_rooms_lane_fail_waiting(ngx_rooms_lane_t *lane)
{
    ngx_queue_t        *q, *next;
    ngx_rooms_batch_t  *b;
    ngx_uint_t          outage;
    ngx_queue_t         failed;

    outage = lane->down_since
             && ngx_current_msec - lane->down_since > lane->node->timeout;

    ngx_queue_init(&failed);

    for (q = ngx_queue_head(&lane->waiting);
         q != ngx_queue_sentinel(&lane->waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        b = ngx_queue_data(q, ngx_rooms_batch_t, queue);

        if (outage || b->status == NGX_ROOMS_BATCH_DOWN) {
            b->status = NGX_ROOMS_BATCH_DOWN;
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&failed, q);
        }
    }

    /* a handler may free any other batch: take them one at a time */

    while (!ngx_queue_empty(&failed)) {
        q = ngx_queue_head(&failed);
        b = ngx_queue_data(q, ngx_rooms_batch_t, queue);
        ngx_queue_remove(q);
        ngx_rooms_batch_done(b);
    }
}


static void
ngx_rooms_lane_reap_handler(ngx_event_t *ev)
{
    ngx_queue_t        *q, lost;
    ngx_rooms_lane_t   *lane;
    ngx_rooms_batch_t  *b;

    lane = ev->data;

    if (lane->dead && lane->ac) {
        /* ngx_rooms_lane_cleanup() takes it from here */
        redisAsyncFree(lane->ac);
    }

    if (lane->ac == NULL && !ngx_queue_empty(&lane->inflight)) {

        ngx_queue_init(&lost);
        ngx_queue_add(&lost, &lane->inflight);
        ngx_queue_init(&lane->inflight);

        while (!ngx_queue_empty(&lost)) {
            q = ngx_queue_head(&lost);
            b = ngx_queue_data(q, ngx_rooms_batch_t, queue);
            ngx_queue_remove(q);
            b->status = NGX_ROOMS_BATCH_LOST;
            ngx_rooms_batch_done(b);
        }
    }

    ngx_rooms_lane_fail_waiting(lane);
}


static void
ngx_rooms_lane_timer_handler(ngx_event_t *ev)
{
    ngx_rooms_lane_t   *lane;
    ngx_rooms_batch_t  *b;

    lane = ev->data;

    switch (lane->state) {

    case NGX_ROOMS_LANE_DOWN:
        ngx_rooms_lane_connect(lane);
        ngx_post_event(&lane->reap, &ngx_posted_events);
        return;

    case NGX_ROOMS_LANE_CONNECTING:
    case NGX_ROOMS_LANE_GREETING:
        ngx_rooms_lane_drop(lane, "doesn't answer");
        return;

    case NGX_ROOMS_LANE_READY:
        break;
    }

    if (lane->pinging) {
        ngx_rooms_lane_drop(lane, "doesn't answer PING");
        return;
    }

    ngx_add_timer(&lane->timer, NGX_ROOMS_PING);

    if (!ngx_queue_empty(&lane->inflight)) {
        return;
    }

    b = ngx_rooms_batch_create(lane->timer.log);
    if (b == NULL) {
        return;
    }

    (void) ngx_rooms_command(b, ngx_rooms_s("PING"));
    b->handler = ngx_rooms_lane_pinged;
    b->data = lane;

    lane->pinging = 1;
    ngx_add_timer(&lane->timer, lane->node->timeout);
    ngx_rooms_lane_send(lane, b);
}


static void
ngx_rooms_lane_pinged(ngx_rooms_batch_t *b)
{
    ngx_rooms_lane_t  *lane;

    lane = b->data;
    lane->pinging = 0;

    if (b->status == NGX_ROOMS_BATCH_OK
        && lane->state == NGX_ROOMS_LANE_READY)
    {
        ngx_add_timer(&lane->timer, NGX_ROOMS_PING);
    }

    ngx_rooms_batch_free(b);
}


/* Events */


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


static void
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


/* A worker that is about to exit gives up lanes nobody waits for. */
static void
ngx_rooms_lane_close_idle(ngx_rooms_lane_t *lane)
{
    if (ngx_queue_empty(&lane->inflight) && ngx_queue_empty(&lane->waiting)) {
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


/* hiredis is freeing the context, and closes the socket itself. */
static void
ngx_rooms_lane_cleanup(void *data)
{
    ngx_connection_t  *c;
    ngx_rooms_lane_t  *lane = data;

    if (!lane->dead && !ngx_exiting) {
        ngx_log_error(NGX_LOG_ERR, lane->timer.log, 0,
                      "rooms: lost redis \"%V\": %s", &lane->node->name,
                      lane->ac->errstr ? lane->ac->errstr : "closed");
    }

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

    ngx_rooms_lane_down(lane);
    ngx_post_event(&lane->reap, &ngx_posted_events);
}


/*
 * Replies are built straight into the pool of the batch that they answer:
 * the first in flight.  Replies of a batch that was freed go there too, and
 * the pool goes with the last of them.
 */


static ngx_pool_t *
ngx_rooms_reply_pool(const redisReadTask *task)
{
    ngx_queue_t        *q;
    ngx_rooms_lane_t   *lane;
    ngx_rooms_batch_t  *b;

    lane = task->privdata;

    if (!ngx_queue_empty(&lane->inflight)) {
        q = ngx_queue_head(&lane->inflight);
        b = ngx_queue_data(q, ngx_rooms_batch_t, queue);
        return b->pool;
    }

    if (lane->scratch == NULL) {
        lane->scratch = ngx_create_pool(1024, lane->timer.log);
    }

    return lane->scratch;
}


static redisReply *
ngx_rooms_reply_create(const redisReadTask *task, ngx_pool_t *pool)
{
    redisReply  *reply, *parent;

    reply = ngx_pcalloc(pool, sizeof(redisReply));
    if (reply == NULL) {
        return NULL;
    }

    reply->type = task->type;

    if (task->parent) {
        parent = task->parent->obj;
        parent->element[task->idx] = reply;
    }

    return reply;
}


static void *
ngx_rooms_reply_string(const redisReadTask *task, char *str, size_t len)
{
    ngx_pool_t  *pool;
    redisReply  *reply;

    pool = ngx_rooms_reply_pool(task);
    if (pool == NULL) {
        return NULL;
    }

    reply = ngx_rooms_reply_create(task, pool);
    if (reply == NULL) {
        return NULL;
    }

    reply->str = ngx_pnalloc(pool, len + 1);
    if (reply->str == NULL) {
        return NULL;
    }

    ngx_memcpy(reply->str, str, len);
    reply->str[len] = '\0';
    reply->len = len;

    return reply;
}


#if (HIREDIS_MAJOR >= 1)
static void *
ngx_rooms_reply_array(const redisReadTask *task, size_t elements)
#else
static void *
ngx_rooms_reply_array(const redisReadTask *task, int elements)
#endif
{
    ngx_pool_t  *pool;
    redisReply  *reply;

    pool = ngx_rooms_reply_pool(task);
    if (pool == NULL) {
        return NULL;
    }

    reply = ngx_rooms_reply_create(task, pool);
    if (reply == NULL) {
        return NULL;
    }

    if (elements > 0) {
        reply->element = ngx_pcalloc(pool, elements * sizeof(redisReply *));
        if (reply->element == NULL) {
            return NULL;
        }
    }

    reply->elements = elements;

    return reply;
}


static void *
ngx_rooms_reply_integer(const redisReadTask *task, long long value)
{
    ngx_pool_t  *pool;
    redisReply  *reply;

    pool = ngx_rooms_reply_pool(task);
    if (pool == NULL) {
        return NULL;
    }

    reply = ngx_rooms_reply_create(task, pool);
    if (reply == NULL) {
        return NULL;
    }

    reply->integer = value;

    return reply;
}


static void *
ngx_rooms_reply_nil(const redisReadTask *task)
{
    redisReply  *reply;

    reply = ngx_rooms_reply_integer(task, 0);

    if (reply) {
        /* the task's type is of what could have been here */
        reply->type = REDIS_REPLY_NIL;
    }

    return reply;
}


static void
ngx_rooms_reply_free(void *reply)
{
    /* it belongs to a pool */
}


static redisReplyObjectFunctions  ngx_rooms_reply_functions = {
    .createString = ngx_rooms_reply_string,
    .createArray = ngx_rooms_reply_array,
    .createInteger = ngx_rooms_reply_integer,
    .createNil = ngx_rooms_reply_nil,
    .freeObject = ngx_rooms_reply_free
};


rooms_str_t
ngx_rooms_reply_str(redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_STRING) {
        return ROOMS_NULL;
    }

    return (rooms_str_t) { reply->len, (u_char *) reply->str };
}


int64_t
ngx_rooms_reply_int(redisReply *reply, int64_t otherwise)
{
    off_t  n;

    if (reply == NULL) {
        return otherwise;
    }

    if (reply->type == REDIS_REPLY_INTEGER) {
        return reply->integer;
    }

    if (reply->type != REDIS_REPLY_STRING) {
        return otherwise;
    }

    n = ngx_atoof((u_char *) reply->str, reply->len);

    return n == NGX_ERROR ? otherwise : n;
}


redisReply *
ngx_rooms_reply_element(redisReply *reply, ngx_uint_t n)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || n >= reply->elements)
    {
        return NULL;
    }

    return reply->element[n];
}


ngx_uint_t
ngx_rooms_reply_is_error(redisReply *reply, const char *prefix)
{
    return reply && reply->type == REDIS_REPLY_ERROR
           && ngx_strncmp(reply->str, prefix, ngx_strlen(prefix)) == 0;
}


ngx_uint_t
ngx_rooms_reply_transient(redisReply *reply)
{
    ngx_uint_t          i;
    static const char  *transient[] = {
        "LOADING ", "READONLY ", "MASTERDOWN ", "TRYAGAIN ", "CLUSTERDOWN ",
        "ASK ", "MOVED ", NULL
    };

    for (i = 0; transient[i]; i++) {
        if (ngx_rooms_reply_is_error(reply, transient[i])) {
            return 1;
        }
    }

    return 0;
}
