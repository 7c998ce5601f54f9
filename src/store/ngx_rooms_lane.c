/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A lane: hiredis's asynchronous context on NGINX's event loop.
 *
 * When a connection breaks, hiredis frees its context inside its own
 * handlers, and calls back from there.  So nothing here frees, reconnects or
 * answers from a callback.  Callbacks only set marks, and the posted event
 * `reap` acts on them.
 */

#include "ngx_rooms_lane.h"
#include "ngx_rooms_inspect.h"
#include "ngx_rooms_tls.h"


#define NGX_ROOMS_BACKOFF_MIN     50
#define NGX_ROOMS_BACKOFF_MAX   1000


#define NGX_ROOMS_PING  15000              /* ms, until an idle lane sends a
                                              PING */


static void ngx_rooms_lane_greeted(ngx_rooms_batch_t *b);
static void ngx_rooms_lane_up(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_others(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_write(ngx_rooms_lane_t *lane, ngx_rooms_batch_t *b);
static void ngx_rooms_lane_reply(redisAsyncContext *ac, void *reply,
    void *data);
static ngx_uint_t ngx_rooms_lane_outage(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_fail_waiting(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_read_handler(ngx_event_t *ev);
static void ngx_rooms_lane_write_handler(ngx_event_t *ev);
static void ngx_rooms_lane_close_idle(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_add_read(void *data);
static void ngx_rooms_lane_del_read(void *data);
static void ngx_rooms_lane_add_write(void *data);
static void ngx_rooms_lane_del_write(void *data);
static void ngx_rooms_lane_cleanup(void *data);
static void ngx_rooms_lane_pinged(ngx_rooms_batch_t *b);
static ngx_uint_t ngx_rooms_lane_wanted(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_connect(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_greet(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_down(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_silent(ngx_rooms_lane_t *lane, const char *why);
static void ngx_rooms_lane_reap_handler(ngx_event_t *ev);
static ngx_int_t ngx_rooms_lane_attach(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_flush_handler(ngx_event_t *ev);
static void ngx_rooms_lane_timer_handler(ngx_event_t *ev);


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


static ngx_uint_t
ngx_rooms_lane_wants(ngx_queue_t *batches)
{
    ngx_queue_t        *q;
    ngx_rooms_batch_t  *b;

    for (q = ngx_queue_head(batches);
         q != ngx_queue_sentinel(batches);
         q = ngx_queue_next(q))
    {
        b = ngx_queue_data(q, ngx_rooms_batch_t, queue);

        if (b->wanted) {
            return 1;
        }
    }

    return 0;
}


/* Whether a request waits for a batch of this lane. */
static ngx_uint_t
ngx_rooms_lane_wanted(ngx_rooms_lane_t *lane)
{
    return ngx_rooms_lane_wants(&lane->inflight)
           || ngx_rooms_lane_wants(&lane->waiting);
}


void
ngx_rooms_lane_send(ngx_rooms_lane_t *lane, ngx_rooms_batch_t *b)
{
    b->lane = lane;
    b->sent = 0;
    b->lost = 0;
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

    if (lane->state == NGX_ROOMS_LANE_READY && lane->node->silent
        && (ngx_msec_int_t) (lane->heard - lane->node->silent) <= 0)
    {
        /*
         * Another lane has found the node silent, and nothing has arrived
         * here since.  Even if only a PING is in flight, this lane is no
         * better.
         */
        ngx_rooms_lane_silent(lane, NULL);
    }

    if (lane->state == NGX_ROOMS_LANE_READY && !lane->dead
        && !lane->node->held)
    {
        ngx_rooms_lane_write(lane, b);
        return;
    }

    ngx_queue_insert_tail(&lane->waiting, &b->queue);

    if (lane->state == NGX_ROOMS_LANE_DOWN && !lane->dead
        && !lane->timer.timer_set && (b->wanted || !ngx_exiting))
    {
        ngx_rooms_lane_connect(lane);
    }

    if (ngx_rooms_lane_outage(lane)) {
        ngx_post_event(&lane->reap, &ngx_posted_events);
    }
}


void
ngx_rooms_lane_late(ngx_rooms_lane_t *lane)
{
    ngx_msec_t  silence;

    silence = ngx_current_msec - lane->last_read;

    /*
     * A deadline may begin some milliseconds before its batch is written,
     * which moves last_read.  Allow for that, so that the next request
     * doesn't have to wait as well.
     */
    if (lane->state == NGX_ROOMS_LANE_READY
        && silence >= lane->node->timeout - lane->node->timeout / 8)
    {
        ngx_rooms_lane_silent(lane, "is silent");
    }
}


ngx_msec_t
ngx_rooms_batch_left(ngx_rooms_batch_t *b, ngx_msec_t timeout)
{
    ngx_msec_t         silence;
    ngx_rooms_lane_t  *lane;

    lane = b->lane;

    if (lane == NULL || !lane->bulk || !b->sent || lane->dead
        || lane->state != NGX_ROOMS_LANE_READY)
    {
        return 0;
    }

    silence = ngx_current_msec - lane->last_read;

    return silence < timeout ? timeout - silence : 0;
}


/*
 * Whether the outage has lasted longer than a request would wait.  Then
 * nobody waits for its end.
 */
static ngx_uint_t
ngx_rooms_lane_outage(ngx_rooms_lane_t *lane)
{
    if (ngx_exiting && lane->state == NGX_ROOMS_LANE_DOWN
        && !lane->timer.timer_set)
    {
        /* a worker that exits has given the lane up: nothing connects it */
        return 1;
    }

    return lane->down_since
           && ngx_current_msec - lane->down_since >= lane->node->timeout;
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
    lane->last_read = ngx_current_msec;

    if (node->naddrs) {
        addr = &node->addrs[lane->attempts % node->naddrs];
        len = ngx_sock_ntop(addr->sockaddr, addr->socklen, (u_char *) ip,
                            NGX_SOCKADDR_STRLEN, 0);
        ip[len] = '\0';
        ac = redisAsyncConnect(ip, ngx_inet_get_port(addr->sockaddr));

    } else if (node->path.len) {
        ac = redisAsyncConnectUnix((char *) node->path.data);

    } else {
        /* sentinels haven't named the primary yet */
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

    } else if (ngx_rooms_tls_lane(lane) == NGX_OK
               && ngx_rooms_lane_attach(lane) == NGX_OK)
    {
        ngx_add_timer(&lane->timer, node->connect_timeout);
        return;
    }

    redisAsyncFree(ac);
    lane->ac = NULL;
    ngx_rooms_lane_down(lane);
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

    /*
     * PING reveals LOADING and MASTERDOWN before a request depends on the
     * lane
     */

    (void) ngx_rooms_command(b, ngx_rooms_s("PING"));

    if (node->primary) {
        (void) ngx_rooms_command(b, ngx_rooms_s("ROLE"));
    }

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


/*
 * If we may not ask for the ROLE, the reply is an error, and the server is
 * accepted.
 */
static ngx_uint_t
ngx_rooms_lane_replica(redisReply *role)
{
    rooms_str_t  name;

    name = ngx_rooms_reply_str(ngx_rooms_reply_element(role, 0));

    return name.data && !rooms_str_eq(name, ngx_rooms_s("master"));
}


static void
ngx_rooms_lane_greeted(ngx_rooms_batch_t *b)
{
    redisReply        *reply;
    ngx_uint_t         i, n;
    ngx_rooms_lane_t  *lane;

    lane = b->data;

    if (b->status == NGX_ROOMS_BATCH_OK) {

        n = b->commands.nelts - lane->node->primary;

        for (i = 0; i < n; i++) {
            reply = b->replies[i];

            if (reply->type == REDIS_REPLY_ERROR) {
                ngx_log_error(NGX_LOG_ERR, lane->timer.log, 0,
                              "rooms: redis \"%V\" refused: %s",
                              &lane->node->name, reply->str);
                ngx_rooms_lane_drop(lane, NULL);
                break;
            }
        }

        if (i < n) {
            /* void */

        } else if (lane->node->primary
                   && ngx_rooms_lane_replica(b->replies[n]))
        {
            /* down() asks the sentinels again */
            ngx_rooms_lane_drop(lane, "is a replica");

        } else {
            ngx_rooms_lane_up(lane);
        }
    }

    ngx_rooms_batch_free(b);
}


static void
ngx_rooms_lane_up(ngx_rooms_lane_t *lane)
{
    if (lane->down_since) {
        ngx_log_error(NGX_LOG_NOTICE, lane->timer.log, 0,
                      "rooms: redis \"%V\" is back", &lane->node->name);
    }

    lane->state = NGX_ROOMS_LANE_READY;
    lane->attempts = 0;
    lane->down_since = 0;
    lane->node->silent = 0;
    lane->last_read = ngx_current_msec;
    lane->heard = ngx_current_msec;
    lane->epoch++;

    ngx_rooms_lane_others(lane);

    ngx_add_timer(&lane->timer, NGX_ROOMS_PING);

    ngx_rooms_store_begins();

    if (!lane->node->held) {
        ngx_rooms_lane_release(lane);
    }
}


void
ngx_rooms_lane_release(ngx_rooms_lane_t *lane)
{
    ngx_queue_t        *q;
    ngx_rooms_batch_t  *b;

    if (lane->state != NGX_ROOMS_LANE_READY || lane->dead) {
        return;
    }

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

    ngx_rooms_inspect(lane);
}


/* This lane is up again, so the other lanes to the node try again at once. */
static void
ngx_rooms_lane_others(ngx_rooms_lane_t *lane)
{
    ngx_uint_t         i;
    ngx_rooms_lane_t  *other;

    for (i = 0; i < lane->node->nlanes; i++) {
        other = &lane->node->lanes[i];

        if (other != lane && other->down_since) {
            other->down_since = ngx_current_msec ? ngx_current_msec : 1;
            ngx_rooms_lane_hurry(other);
        }
    }
}


/* The context is gone.  Tries again later, for as long as it takes. */
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

    if (ngx_exiting && !ngx_rooms_lane_wanted(lane)) {
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


/*
 * The node hangs.  Its outage began with its last byte, as that of a lost
 * connection begins when it is closed.  So no other request waits for it.
 */
static void
ngx_rooms_lane_silent(ngx_rooms_lane_t *lane, const char *why)
{
    ngx_rooms_node_t  *node;

    node = lane->node;

    if (node->silent == 0) {
        node->silent = lane->last_read ? lane->last_read : 1;
    }

    if (lane->down_since == 0) {
        lane->down_since = node->silent;
    }

    ngx_rooms_lane_drop(lane, why);
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
        /* silence counts from the first command that awaits a reply */
        lane->last_read = ngx_current_msec;
    }

    ngx_queue_insert_tail(&lane->inflight, &b->queue);
    b->sent = 1;
    b->queued = b->commands.nelts;

    cmd = b->commands.elts;

    for (i = 0; i < b->commands.nelts; i++) {

        if (redisAsyncFormattedCommand(lane->ac, ngx_rooms_lane_reply, b,
                                       (char *) cmd[i].data, cmd[i].len)
            != REDIS_OK)
        {
            /* queued commands get their callback when the context is freed */
            b->queued = i;
            b->lost = 1;

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
 * hiredis calls this for each reply, in order; and with NULL for each command
 * without one, while it frees the context.
 */
static void
ngx_rooms_lane_reply(redisAsyncContext *ac, void *reply, void *data)
{
    ngx_rooms_lane_t   *lane;
    ngx_rooms_batch_t  *b;

    b = data;
    lane = b->lane;

    if (reply == NULL) {
        b->lost = 1;

    } else {
        b->replies[b->received] = reply;
    }

    if (++b->received < b->queued) {
        return;
    }

    if (b->lost) {
        b->status = NGX_ROOMS_BATCH_LOST;
        ngx_post_event(&lane->reap, &ngx_posted_events);
        return;
    }

    ngx_queue_remove(&b->queue);
    ngx_rooms_batch_done(b);
}


static void
ngx_rooms_lane_fail_waiting(ngx_rooms_lane_t *lane)
{
    ngx_queue_t        *q, *next;
    ngx_rooms_batch_t  *b;
    ngx_uint_t          outage;
    ngx_queue_t         failed;

    outage = ngx_rooms_lane_outage(lane);

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

    /* a handler may free any other batch, so take them one at a time */

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
        /* this calls ngx_rooms_lane_cleanup() */
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


/*
 * Puts a lane's socket on NGINX's event loop.  Events are level-triggered:
 * hiredis reads 16 KB at a time and doesn't say whether there is more.
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
ngx_rooms_lane_read_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;
    ngx_rooms_lane_t  *lane;

    c = ev->data;
    lane = c->data;

    if (c->close) {
        c->close = 0;

        if (c->error) {
            /* worker_shutdown_timeout: requests that wait here end, too */
            ngx_rooms_lane_drop(lane, NULL);
            return;
        }

        ngx_rooms_lane_close_idle(lane);

        if (lane->dead) {
            /* now: a worker without timers doesn't run its loop again */
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

    /* hiredis finds out itself whether it is connected */

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


/* An exiting worker closes lanes that no request waits for. */
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
 * A command was queued.  It is written at the end of this turn of the event
 * loop, with all others of the turn.  Only when the socket is full do we wait
 * for a write event.
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


/* Takes the lane off the event loop. hiredis closes the socket. */
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


/* Called by hiredis while it frees the context. */
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

    /* batches of the lane itself, and those that nobody waits for any more */

    while (!ngx_queue_empty(&lane->inflight)) {
        q = ngx_queue_head(&lane->inflight);
        b = ngx_queue_data(q, ngx_rooms_batch_t, queue);
        ngx_queue_remove(q);

        if (b->handler == NULL || b->data == lane) {
            ngx_destroy_pool(b->pool);
        }
    }
}


/*
 * A lane's only timer: for the next try to connect, the connection's timeout,
 * and the PING of an idle lane.
 */


static void
ngx_rooms_lane_timer_handler(ngx_event_t *ev)
{
    ngx_rooms_lane_t   *lane;
    ngx_rooms_batch_t  *b;

    lane = ev->data;

    switch (lane->state) {

    case NGX_ROOMS_LANE_DOWN:

        if (ngx_exiting && !ngx_rooms_lane_wanted(lane)) {
            return;
        }

        if (lane->node->out && ngx_queue_empty(&lane->waiting)) {
            /* don't try a node that has left its cluster for ever */
            lane->attempts = 0;
            lane->down_since = 0;
            return;
        }

        ngx_rooms_lane_connect(lane);
        ngx_post_event(&lane->reap, &ngx_posted_events);
        return;

    case NGX_ROOMS_LANE_CONNECTING:
    case NGX_ROOMS_LANE_GREETING:
        ngx_rooms_lane_silent(lane, "doesn't answer");
        return;

    case NGX_ROOMS_LANE_READY:
        break;
    }

    if (lane->pinging) {
        ngx_rooms_lane_silent(lane, "doesn't answer PING");
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
