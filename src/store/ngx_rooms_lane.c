/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A lane: NGINX's connection carries the bytes, and hiredis parses them
 * (redisReader), as for a subscription.
 *
 * A batch that is answered runs its caller, who may send more, or find out
 * that the lane is silent.  So nothing here closes the connection while replies
 * are read: what goes wrong marks the lane, and the posted event `reap` acts.
 */

#include "ngx_rooms_lane.h"
#include "ngx_rooms_hold.h"
#include "ngx_rooms_inspect.h"
#include "ngx_rooms_tls.h"
#include <ngx_event_connect.h>


#define NGX_ROOMS_BACKOFF_MIN     50
#define NGX_ROOMS_BACKOFF_MAX   1000


#define NGX_ROOMS_PING  15000              /* ms, until an idle lane sends a
                                              PING */

#define NGX_ROOMS_LANE_READ     16384
#define NGX_ROOMS_LANE_SLICE     2048
#define NGX_ROOMS_LANE_VALUE (16 * 1024 * 1024)  /* bytes of one value in a
                                                    reply */
#define NGX_ROOMS_LANE_READS        4      /* in one turn of the loop */
#define NGX_ROOMS_LANE_TOGETHER     4      /* batches of one write */
#define NGX_ROOMS_LANE_OUT       4096
#define NGX_ROOMS_LANE_OUT_MAX  65536      /* kept once all has left */


static void ngx_rooms_lane_greeted(ngx_rooms_batch_t *b);
static void ngx_rooms_lane_up(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_others(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_write(ngx_rooms_lane_t *lane, ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_lane_append(ngx_rooms_lane_t *lane,
    ngx_rooms_batch_t *b);
static void ngx_rooms_lane_connected(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_shaken(ngx_connection_t *c);
static void ngx_rooms_lane_lost(ngx_rooms_lane_t *lane, ngx_err_t err,
    const char *why);
static void ngx_rooms_lane_close(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_parse(ngx_rooms_lane_t *lane, u_char *p,
    size_t len);
static void ngx_rooms_lane_reply(ngx_rooms_lane_t *lane, redisReply *reply);
static ngx_uint_t ngx_rooms_lane_outage(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_fail_waiting(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_read_handler(ngx_event_t *ev);
static void ngx_rooms_lane_read(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_write_handler(ngx_event_t *ev);
static void ngx_rooms_lane_close_idle(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_pinged(ngx_rooms_batch_t *b);
static ngx_uint_t ngx_rooms_lane_wanted(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_connect(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_greet(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_down(ngx_rooms_lane_t *lane);
static void ngx_rooms_lane_silent(ngx_rooms_lane_t *lane, const char *why);
static void ngx_rooms_lane_reap_handler(ngx_event_t *ev);
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

    ngx_rooms_timer_init(&lane->timer, ngx_rooms_lane_timer_handler,
                         lane, log);
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
    b->node = lane->node;
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


ngx_int_t
ngx_rooms_node_connect(ngx_rooms_node_t *node, ngx_uint_t attempts,
    ngx_log_t *log, ngx_connection_t **c)
{
    ngx_int_t               rc;
    ngx_addr_t             *addr;
    struct sockaddr_un      un;
    ngx_peer_connection_t   pc;

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    if (node->naddrs) {
        addr = &node->addrs[attempts % node->naddrs];
        pc.sockaddr = addr->sockaddr;
        pc.socklen = addr->socklen;

    } else if (node->path.len && node->path.len < sizeof(un.sun_path)) {
        ngx_memzero(&un, sizeof(struct sockaddr_un));
        un.sun_family = AF_UNIX;
        ngx_memcpy(un.sun_path, node->path.data, node->path.len);
        pc.sockaddr = (struct sockaddr *) &un;
        pc.socklen = sizeof(struct sockaddr_un);

    } else {
        /* sentinels haven't said yet where the primary is */
        return NGX_ERROR;
    }

    pc.name = &node->name;
    pc.get = ngx_event_get_peer;
    pc.log = log;
    pc.log_error = NGX_ERROR_ERR;

    rc = ngx_event_connect_peer(&pc);

    if (rc != NGX_OK && rc != NGX_AGAIN) {

        if (pc.connection) {
            ngx_close_connection(pc.connection);
        }

        return NGX_ERROR;
    }

    /* a worker that exits closes what is idle: its handler decides */

    pc.connection->idle = 1;
    *c = pc.connection;

    return rc;
}


ngx_err_t
ngx_rooms_node_refused(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    return err;
}


static void
ngx_rooms_lane_connect(ngx_rooms_lane_t *lane)
{
    ngx_int_t  rc;

    rc = NGX_ERROR;
    lane->last_read = ngx_current_msec;
    lane->reader = redisReaderCreate();

    if (lane->reader) {
        lane->reader->fn = &ngx_rooms_reply_functions;
        lane->reader->privdata = lane;

        rc = ngx_rooms_node_connect(lane->node, lane->attempts,
                                    lane->timer.log, &lane->connection);
    }

    if (rc == NGX_ERROR) {
        ngx_rooms_lane_close(lane);
        ngx_rooms_lane_down(lane);
        return;
    }

    lane->connection->data = lane;
    lane->connection->read->handler = ngx_rooms_lane_read_handler;
    lane->connection->write->handler = ngx_rooms_lane_write_handler;

    lane->state = NGX_ROOMS_LANE_CONNECTING;
    ngx_add_timer(&lane->timer, lane->node->connect_timeout);

    if (rc == NGX_OK) {
        ngx_rooms_lane_connected(lane);
    }
}


static void
ngx_rooms_lane_connected(ngx_rooms_lane_t *lane)
{
    switch (ngx_rooms_tls_handshake(lane->connection, lane->node,
                                    ngx_rooms_lane_shaken))
    {
    case NGX_OK:
        ngx_rooms_lane_shaken(lane->connection);
        return;

    case NGX_AGAIN:
        return;

    default:
        ngx_rooms_lane_drop(lane, "has no TLS");
    }
}


/* TLS, where it is asked for, is here or has failed. */
static void
ngx_rooms_lane_shaken(ngx_connection_t *c)
{
    ngx_rooms_lane_t  *lane;

    lane = c->data;

    if (!ngx_rooms_tls_stands(c)) {
        ngx_rooms_lane_drop(lane, "has no TLS");
        return;
    }

    c->read->handler = ngx_rooms_lane_read_handler;
    c->write->handler = ngx_rooms_lane_write_handler;

    ngx_rooms_lane_greet(lane);

    if (c->read->ready) {
        /* what came with the end of the handshake */
        ngx_post_event(c->read, &ngx_posted_events);
    }
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

    name = ngx_rooms_reply_str_at(role, 0);

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

    if (lane->node->up) {
        lane->node->up(lane->node);
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

    while (!ngx_queue_empty(&lane->waiting) && !lane->dead) {
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

    /* what waits now may be for another Redis */
    ngx_rooms_store_begins();

    if (lane->node->down) {
        lane->node->down(lane->node->data);
    }
}


void
ngx_rooms_lane_drop(ngx_rooms_lane_t *lane, const char *why)
{
    if (lane->dead || lane->connection == NULL) {
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

    if (lane->down_since) {
        lane->down_since = ngx_current_msec ? ngx_current_msec : 1;
    }

    if (lane->state == NGX_ROOMS_LANE_DOWN && lane->timer.timer_set) {
        ngx_del_timer(&lane->timer);
        ngx_add_timer(&lane->timer, 1);
    }
}


void
ngx_rooms_lane_strays(ngx_rooms_lane_t *lane, ngx_queue_t *strays,
    ngx_uint_t (*here)(ngx_rooms_node_t *node, ngx_uint_t slot))
{
    ngx_queue_t        *q, *next;
    ngx_rooms_batch_t  *b;

    for (q = ngx_queue_head(&lane->waiting);
         q != ngx_queue_sentinel(&lane->waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        b = ngx_queue_data(q, ngx_rooms_batch_t, queue);

        if (b->slot >= 0 && b->status == NGX_ROOMS_BATCH_OK
            && !here(lane->node, b->slot))
        {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(strays, q);
        }
    }
}


/*
 * Commands that arrive in one turn of the loop leave together, at its end.  But
 * after some batches they leave at once, so that the store works on them
 * while this worker reads the turn's other requests.
 */
static void
ngx_rooms_lane_write(ngx_rooms_lane_t *lane, ngx_rooms_batch_t *b)
{
    if (ngx_rooms_lane_append(lane, b) != NGX_OK) {
        b->status = NGX_ROOMS_BATCH_DOWN;
        ngx_queue_insert_tail(&lane->waiting, &b->queue);
        ngx_rooms_lane_drop(lane, "takes no command");
        return;
    }

    if (ngx_queue_empty(&lane->inflight)) {
        /* silence counts from the first command that awaits a reply */
        lane->last_read = ngx_current_msec;
    }

    ngx_queue_insert_tail(&lane->inflight, &b->queue);
    b->sent = 1;

    if (++lane->unsent == NGX_ROOMS_LANE_TOGETHER) {
        ngx_rooms_lane_flush_handler(&lane->flush);
        return;
    }

    ngx_post_event(&lane->flush, &ngx_posted_events);
}


static ngx_int_t
ngx_rooms_lane_append(ngx_rooms_lane_t *lane, ngx_rooms_batch_t *b)
{
    size_t       size, len;
    u_char      *p;
    ngx_str_t   *cmd;
    ngx_uint_t   i;

    cmd = b->commands.elts;
    len = 0;

    for (i = 0; i < b->commands.nelts; i++) {
        len += cmd[i].len;
    }

    if (lane->size - lane->nout < len) {
        size = ngx_max(2 * lane->size, NGX_ROOMS_LANE_OUT);
        size = ngx_max(size, lane->nout + len);

        p = ngx_alloc(size, lane->timer.log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (lane->out) {
            ngx_memcpy(p, lane->out, lane->nout);
            ngx_free(lane->out);
        }

        lane->out = p;
        lane->size = size;
    }

    p = lane->out + lane->nout;

    for (i = 0; i < b->commands.nelts; i++) {
        p = ngx_cpymem(p, cmd[i].data, cmd[i].len);
    }

    lane->nout += len;

    return NGX_OK;
}


/*
 * Replies come in the order of their commands.  If one can't be of its
 * command, all that follow may be of others, too.  Of a batch that was freed,
 * the commands may be gone.
 */
static void
ngx_rooms_lane_reply(ngx_rooms_lane_t *lane, redisReply *reply)
{
    ngx_str_t          *cmd;
    ngx_queue_t        *q;
    ngx_rooms_batch_t  *b;

    q = ngx_queue_head(&lane->inflight);
    b = ngx_queue_data(q, ngx_rooms_batch_t, queue);
    cmd = b->commands.elts;

    if (b->handler && !ngx_rooms_reply_fits(&cmd[b->received], reply)) {
        ngx_rooms_lane_lost(lane, 0, "a reply isn't one of its command");
        return;
    }

    b->replies[b->received++] = reply;

    if (b->received == b->commands.nelts) {
        ngx_queue_remove(&b->queue);
        ngx_rooms_batch_done(b);
    }
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

    if (lane->dead && lane->connection) {
        ngx_rooms_lane_close(lane);
        ngx_rooms_lane_down(lane);
    }

    if (lane->connection == NULL && !ngx_queue_empty(&lane->inflight)) {

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

    if (lane->state == NGX_ROOMS_LANE_CONNECTING) {
        /* what the write event will find out */
        return;
    }

    ngx_rooms_lane_read(lane);

    if (ngx_exiting) {
        ngx_rooms_lane_close_idle(lane);
    }
}


/* A long answer is read in several turns: others' events come in between. */
static void
ngx_rooms_lane_read(ngx_rooms_lane_t *lane)
{
    ssize_t            n;
    ngx_uint_t         i;
    ngx_event_t       *rev;
    ngx_connection_t  *c;
    u_char             buf[NGX_ROOMS_LANE_READ];

    for (i = 0; !lane->dead && lane->connection; i++) {
        c = lane->connection;
        rev = c->read;

        if (!rev->ready) {

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_rooms_lane_lost(lane, 0, "isn't watched");
            }

            return;
        }

        if (i == NGX_ROOMS_LANE_READS) {
            ngx_post_event(rev, &ngx_posted_next_events);
            return;
        }

        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            continue;
        }

        if (n <= 0) {
            ngx_rooms_lane_lost(lane, 0, "closed");
            return;
        }

        lane->last_read = ngx_current_msec;
        lane->heard = ngx_current_msec;

        ngx_rooms_lane_parse(lane, buf, n);
    }
}


/*
 * The reader moves what is left of its buffer after each reply, and frees it
 * when it was long: so it gets long answers in slices.
 */
static void
ngx_rooms_lane_parse(ngx_rooms_lane_t *lane, u_char *p, size_t len)
{
    void    *reply;
    size_t   n;

    for ( /* void */ ; len; p += n, len -= n) {
        n = ngx_min(len, NGX_ROOMS_LANE_SLICE);

        if (redisReaderFeed(lane->reader, (char *) p, n) != REDIS_OK) {
            ngx_rooms_lane_lost(lane, 0, "out of memory");
            return;
        }

        for ( ;; ) {

            if (redisReaderGetReply(lane->reader, &reply) != REDIS_OK) {
                ngx_rooms_lane_lost(lane, 0, lane->reader->errstr);
                return;
            }

            if (reply == NULL) {

                /* the reader holds what came of a value, until it is whole */

                if (lane->reader->len - lane->reader->pos
                    > NGX_ROOMS_LANE_VALUE)
                {
                    ngx_rooms_lane_lost(lane, 0, "a value in its reply is "
                                        "larger than 16 MiB");
                    return;
                }

                break;
            }

            ngx_rooms_lane_reply(lane, reply);

            if (lane->dead) {
                return;
            }
        }
    }
}


/* The connection is gone; whoever waits here is told by `reap`. */
static void
ngx_rooms_lane_lost(ngx_rooms_lane_t *lane, ngx_err_t err, const char *why)
{
    if (!lane->dead && !ngx_exiting) {
        ngx_log_error(NGX_LOG_ERR, lane->timer.log, err,
                      "rooms: lost redis \"%V\": %s", &lane->node->name, why);
    }

    lane->dead = 1;
    ngx_post_event(&lane->reap, &ngx_posted_events);
}


static void
ngx_rooms_lane_write_handler(ngx_event_t *ev)
{
    ngx_err_t          err;
    ngx_connection_t  *c;
    ngx_rooms_lane_t  *lane;

    c = ev->data;
    lane = c->data;

    if (lane->dead) {
        return;
    }

    if (lane->state != NGX_ROOMS_LANE_CONNECTING) {
        ngx_rooms_lane_flush_handler(&lane->flush);
        return;
    }

    err = ngx_rooms_node_refused(c);

    if (err) {
        ngx_rooms_lane_lost(lane, err, "not connected");
        return;
    }

    ngx_rooms_lane_connected(lane);
}


static void
ngx_rooms_lane_flush_handler(ngx_event_t *ev)
{
    size_t             sent;
    ssize_t            n;
    ngx_connection_t  *c;
    ngx_rooms_lane_t  *lane;

    lane = ev->data;
    c = lane->connection;

    if (lane->dead || c == NULL) {
        return;
    }

    lane->unsent = 0;

    for (sent = 0; sent < lane->nout && c->write->ready; sent += n) {
        n = c->send(c, lane->out + sent, lane->nout - sent);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n < 0) {
            ngx_rooms_lane_lost(lane, 0, "closed");
            return;
        }
    }

    lane->nout -= sent;

    if (lane->nout) {
        ngx_memmove(lane->out, lane->out + sent, lane->nout);

    } else if (lane->size > NGX_ROOMS_LANE_OUT_MAX) {
        ngx_free(lane->out);
        lane->out = NULL;
        lane->size = 0;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_rooms_lane_lost(lane, 0, "isn't watched");
    }
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
ngx_rooms_lane_close(ngx_rooms_lane_t *lane)
{
    if (lane->connection) {
        ngx_rooms_tls_close(lane->connection);
        lane->connection = NULL;
    }

    if (lane->reader) {
        redisReaderFree(lane->reader);
        lane->reader = NULL;
    }

    if (lane->flush.posted) {
        ngx_delete_posted_event(&lane->flush);
    }

    if (lane->out) {
        ngx_free(lane->out);
        lane->out = NULL;
    }

    lane->nout = 0;
    lane->unsent = 0;
    lane->size = 0;
}


void
ngx_rooms_lane_end(ngx_rooms_lane_t *lane)
{
    ngx_queue_t        *q;
    ngx_rooms_batch_t  *b;

    ngx_rooms_lane_close(lane);

    /* batches of the lane itself, and those that nobody waits for any more */

    while (!ngx_queue_empty(&lane->inflight)) {
        q = ngx_queue_head(&lane->inflight);
        b = ngx_queue_data(q, ngx_rooms_batch_t, queue);
        ngx_queue_remove(q);

        if (b->handler == NULL || b->data == lane) {
            ngx_rooms_batch_destroy(b);
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
            /* given up: what waits here fails */
            ngx_post_event(&lane->reap, &ngx_posted_events);
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
