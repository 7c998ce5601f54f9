/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Finds out where the keys are, when that can change: the slots of a Redis
 * Cluster, and the primary that sentinels elected.  Asks when the worker
 * first needs it, when a connection is lost, and when a reply says that
 * something has moved; at most twice a second.
 *
 * Of a cluster one node that is up is asked.  If none is, all are asked, and
 * so is each node that comes back.  Until the node of a slot is known, its
 * requests wait in the lanes of `nowhere`, which is never connected.
 *
 * A cluster node that has given a slot away says MOVED.  A primary that
 * sentinels have replaced says nothing: it accepts writes for many seconds,
 * which are lost when it becomes a replica.  So all sentinels are asked five
 * times a second while the worker lives.  The sentinel that leads a failover
 * names the new primary first, with a higher configuration epoch; the others
 * follow.  The answer with the highest epoch counts.  The leader names the
 * new primary a second after the promotion, but it says before that a
 * failover is in progress.  From then on nothing is sent to the old primary.
 */

#include "ngx_rooms_pubsub.h"
#include "ngx_rooms_hold.h"


#define NGX_ROOMS_DISCOVER_EVERY  500      /* ms */
#define NGX_ROOMS_SENTINEL_EVERY  200      /* ms */
#define NGX_ROOMS_SENTINEL_HOLD   10000    /* ms, the longest wait for a
                                              failover */
#define NGX_ROOMS_SENTINEL_FRESH  5000     /* ms, that an answer counts */
#define NGX_ROOMS_ADDRESS_POOL    512
#define NGX_ROOMS_HOST_MAX        255
#define NGX_ROOMS_MOVES           8        /* redirections of one batch */


#define ngx_rooms_server_of(n)                                                \
    ((ngx_rooms_server_t *)                                                   \
     ((u_char *) (n) - offsetof(ngx_rooms_server_t, node)))


static ngx_rooms_server_t *ngx_rooms_topology_server(
    ngx_rooms_store_t *store, ngx_addr_t *a);
static ngx_addr_t *ngx_rooms_topology_addr(ngx_pool_t *pool,
    ngx_addr_t *from);
static void ngx_rooms_topology_watch(ngx_event_t *ev);
static void ngx_rooms_discover_sentinels(ngx_rooms_store_t *store);
static void ngx_rooms_discover_ask(ngx_rooms_server_t *source);
static void ngx_rooms_discovered(ngx_rooms_batch_t *b);
static void ngx_rooms_discovered_slots(ngx_rooms_server_t *source,
    redisReply *reply);
static void ngx_rooms_topology_found(ngx_rooms_store_t *store);
static void ngx_rooms_discovered_primary(ngx_rooms_server_t *source,
    redisReply *address, redisReply *described);
static void ngx_rooms_sentinel_release(ngx_rooms_server_t *primary);


void
ngx_rooms_topology_init(ngx_rooms_store_t *store)
{
    ngx_memzero(&store->watch, sizeof(ngx_event_t));

    store->asked = 0;
    ngx_rooms_timer_init(&store->watch, ngx_rooms_topology_watch,
                         store, store->log);
}


/*
 * Finds a server by its address, or adds it; NULL: too many servers, or out
 * of memory.
 */
static ngx_rooms_server_t *
ngx_rooms_store_server(ngx_rooms_store_t *store, ngx_str_t *host,
    ngx_uint_t port)
{
    ngx_addr_t           a;
    ngx_pool_t          *temp;
    ngx_rooms_server_t  *server;

    if (port == 0 || port > 65535) {
        return NULL;
    }

    /* the worker's pool never shrinks, and this runs very often */

    temp = ngx_create_pool(NGX_ROOMS_ADDRESS_POOL, store->log);
    if (temp == NULL) {
        return NULL;
    }

    if (ngx_parse_addr(temp, &a, host->data, host->len) != NGX_OK) {
        ngx_destroy_pool(temp);
        return NULL;
    }

    ngx_inet_set_port(a.sockaddr, port);
    server = ngx_rooms_topology_server(store, &a);
    ngx_destroy_pool(temp);

    return server;
}


/* Keeps a server's host name, since MOVED and ASK may tell no address. */
static void
ngx_rooms_topology_name(ngx_rooms_server_t *server, rooms_str_t name)
{
    if (name.len > NGX_ROOMS_HOST_MAX || rooms_str_eq(name, ngx_rooms_s("?")))
    {
        server->host.len = 0;
        return;
    }

    if (server->host.data == NULL) {
        server->host.data = ngx_pnalloc(server->store->pool,
                                        NGX_ROOMS_HOST_MAX);
        if (server->host.data == NULL) {
            return;
        }
    }

    ngx_memcpy(server->host.data, name.data, name.len);
    server->host.len = name.len;
}


/* The server that CLUSTER SLOTS told by this name. */
static ngx_rooms_server_t *
ngx_rooms_topology_named(ngx_rooms_store_t *store, ngx_str_t *host,
    ngx_uint_t port)
{
    ngx_uint_t           i;
    ngx_rooms_server_t  *server;

    for (i = 0; i < store->nservers; i++) {
        server = store->servers[i];

        if (server->host.len == host->len && host->len
            && ngx_memcmp(server->host.data, host->data, host->len) == 0
            && server->node.naddrs
            && ngx_inet_get_port(server->node.addrs->sockaddr) == port)
        {
            return server;
        }
    }

    return NULL;
}


/* The server at the host of another one, and a port. */
static ngx_rooms_server_t *
ngx_rooms_topology_beside(ngx_rooms_server_t *source, ngx_uint_t port)
{
    ngx_addr_t      a;
    ngx_sockaddr_t  sa;

    if (source->node.naddrs == 0 || port == 0 || port > 65535) {
        return NULL;
    }

    a.socklen = source->node.addrs->socklen;
    a.sockaddr = &sa.sockaddr;

    ngx_memcpy(&sa, source->node.addrs->sockaddr, a.socklen);
    ngx_inet_set_port(a.sockaddr, port);

    return ngx_rooms_topology_server(source->store, &a);
}


static ngx_rooms_server_t *
ngx_rooms_topology_server(ngx_rooms_store_t *store, ngx_addr_t *a)
{
    ngx_addr_t          *addr;
    ngx_uint_t           i;
    ngx_rooms_server_t  *server;

    for (i = 0; i < store->nservers; i++) {
        server = store->servers[i];

        if (server->node.naddrs
            && ngx_cmp_sockaddr(server->node.addrs->sockaddr,
                                server->node.addrs->socklen, a->sockaddr,
                                a->socklen, 1) == NGX_OK)
        {
            return server;
        }
    }

    addr = ngx_rooms_topology_addr(store->pool, a);

    return addr ? ngx_rooms_store_add(store, addr) : NULL;
}


static ngx_addr_t *
ngx_rooms_topology_addr(ngx_pool_t *pool, ngx_addr_t *from)
{
    ngx_addr_t  *addr;

    addr = ngx_palloc(pool, sizeof(ngx_addr_t));
    if (addr == NULL) {
        return NULL;
    }

    addr->socklen = from->socklen;
    addr->sockaddr = ngx_palloc(pool, from->socklen);
    addr->name.data = ngx_pnalloc(pool, NGX_SOCKADDR_STRLEN);

    if (addr->sockaddr == NULL || addr->name.data == NULL) {
        return NULL;
    }

    ngx_memcpy(addr->sockaddr, from->sockaddr, from->socklen);
    addr->name.len = ngx_sock_ntop(from->sockaddr, from->socklen,
                                   addr->name.data, NGX_SOCKADDR_STRLEN, 1);

    return addr;
}


/*
 * Asks a node that is up; if there is none, all of them, since those that are
 * away may be so for ever.  A node that has left the cluster may still run, but
 * knows nothing.  It is asked only if all nodes have left.  One that named no
 * slots may have been too early, and is asked again.
 */
static void
ngx_rooms_discover_nodes(ngx_rooms_store_t *store)
{
    ngx_uint_t            i, n, in;
    ngx_rooms_server_t  **servers;

    servers = store->servers;
    n = store->nservers;
    in = 0;

    for (i = 0; i < n; i++) {

        if (servers[i]->node.out) {
            continue;
        }

        in = 1;

        if (servers[i]->lanes[0].state == NGX_ROOMS_LANE_READY
            && !servers[i]->lanes[0].dead)
        {
            ngx_rooms_discover_ask(servers[i]);
            return;
        }
    }

    store->lost = 1;

    for (i = 0; i < n; i++) {

        if (!in || !servers[i]->node.out || servers[i]->logged) {
            ngx_rooms_discover_ask(servers[i]);
        }
    }
}


void
ngx_rooms_store_discover(ngx_rooms_store_t *store)
{
    if (store->asked
        && ngx_current_msec - store->asked < NGX_ROOMS_DISCOVER_EVERY)
    {
        return;
    }

    store->asked = ngx_current_msec ? ngx_current_msec : 1;

    if (store->kind == NGX_ROOMS_STORE_CLUSTER) {
        ngx_rooms_discover_nodes(store);
        return;
    }

    ngx_rooms_discover_sentinels(store);

    if (!store->watch.timer_set && !ngx_exiting) {
        ngx_add_timer(&store->watch, NGX_ROOMS_SENTINEL_EVERY);
    }
}


static void
ngx_rooms_topology_watch(ngx_event_t *ev)
{
    ngx_rooms_store_t *store = ev->data;

    if (ngx_exiting) {
        return;
    }

    ngx_rooms_discover_sentinels(store);
    ngx_add_timer(ev, NGX_ROOMS_SENTINEL_EVERY);
}


static void
ngx_rooms_discover_sentinels(ngx_rooms_store_t *store)
{
    ngx_uint_t  i;

    for (i = 0; i < store->nsentinels; i++) {
        ngx_rooms_discover_ask(store->sentinels[i]);
    }
}


static void
ngx_rooms_discover_ask(ngx_rooms_server_t *source)
{
    ngx_rooms_batch_t  *b;
    ngx_rooms_store_t  *store;

    store = source->store;

    if (source->question) {

        if (ngx_current_msec - source->asked <= store->node.timeout) {
            return;
        }

        /* it doesn't answer: its lane finds out why */

        ngx_rooms_batch_free(source->question);
        source->question = NULL;
        ngx_rooms_lane_late(&source->lanes[0]);
    }

    b = ngx_rooms_batch_create(store->log);
    if (b == NULL) {
        return;
    }

    if (store->kind == NGX_ROOMS_STORE_CLUSTER) {
        (void) ngx_rooms_command(b, ngx_rooms_s("CLUSTER"),
                                 ngx_rooms_s("SLOTS"));

    } else {
        (void) ngx_rooms_command(b, ngx_rooms_s("SENTINEL"),
                                 ngx_rooms_s("get-master-addr-by-name"),
                                 rooms_from_ngx(store->primary));
        (void) ngx_rooms_command(b, ngx_rooms_s("SENTINEL"),
                                 ngx_rooms_s("master"),
                                 rooms_from_ngx(store->primary));
    }

    b->handler = ngx_rooms_discovered;
    b->data = source;

    source->question = b;
    source->asked = ngx_current_msec;

    ngx_rooms_lane_send(&source->lanes[0], b);
}


static void
ngx_rooms_discovered(ngx_rooms_batch_t *b)
{
    ngx_rooms_server_t *source = b->data;

    source->question = NULL;

    if (b->status == NGX_ROOMS_BATCH_OK) {

        if (source->store->kind == NGX_ROOMS_STORE_CLUSTER) {
            ngx_rooms_discovered_slots(source, b->replies[0]);

        } else {
            ngx_rooms_discovered_primary(source, b->replies[0],
                                         b->replies[1]);
        }
    }

    ngx_rooms_batch_free(b);
}


static ngx_uint_t
ngx_rooms_server_index(ngx_rooms_store_t *store, ngx_rooms_server_t *server)
{
    ngx_uint_t  i;

    for (i = 0; i < store->nservers && store->servers[i] != server; i++) {
        /* void */
    }

    return i;
}


/*
 * Finds the server of a node [endpoint, port, id, [key, value ...]].  Without
 * an endpoint it is at the host that was asked.  The endpoint may be a name, or
 * "?"; then one of the pairs has the address (Redis 7).
 */
static ngx_rooms_server_t *
ngx_rooms_slots_server(ngx_rooms_server_t *source, redisReply *node)
{
    int64_t              port;
    ngx_str_t            host;
    ngx_uint_t           i;
    redisReply          *pairs;
    ngx_rooms_store_t   *store;
    ngx_rooms_server_t  *server;

    if (node == NULL) {
        return NULL;
    }

    store = source->store;
    host = ngx_from_rooms(ngx_rooms_reply_str_at(node, 0));
    port = ngx_rooms_reply_int_at(node, 1, 0);

    if (host.len == 0) {
        return ngx_rooms_topology_beside(source, port);
    }

    server = ngx_rooms_store_server(store, &host, port);
    pairs = ngx_rooms_reply_element(node, 3);

    for (i = 0; server == NULL && pairs && i + 1 < pairs->elements; i += 2) {

        if (!rooms_str_eq(ngx_rooms_reply_str(pairs->element[i]),
                          ngx_rooms_s("ip")))
        {
            continue;
        }

        host = ngx_from_rooms(ngx_rooms_reply_str(pairs->element[i + 1]));
        server = ngx_rooms_store_server(store, &host, port);

        if (server) {
            ngx_rooms_topology_name(server, ngx_rooms_reply_str_at(node, 0));
        }
    }

    return server;
}


/*
 * Leaves a node that isn't in the cluster any more, since it delivers no
 * news.
 */
static void
ngx_rooms_topology_leave(ngx_rooms_store_t *store)
{
    ngx_rooms_pubsub_t  *ps;

    ps = store->pubsub;

    if (ps->connection && ps->node->out) {
        ngx_rooms_pubsub_close(ps, "is no longer on a cluster node");
    }
}


/*
 * Marks nodes that no range names, neither as primary nor as replica, as out
 * of the cluster.
 */
static void
ngx_rooms_discovered_nodes(ngx_rooms_server_t *source, redisReply *reply)
{
    ngx_uint_t           i, k, named;
    redisReply          *range;
    ngx_rooms_store_t   *store;
    ngx_rooms_server_t  *server;

    store = source->store;

    for (i = 0; i < store->nservers; i++) {
        store->servers[i]->node.out = 1;
    }

    named = 0;

    for (i = 0; i < reply->elements; i++) {
        range = reply->element[i];

        for (k = 2; range->type == REDIS_REPLY_ARRAY && k < range->elements;
             k++)
        {
            server = ngx_rooms_slots_server(source, range->element[k]);

            if (server) {
                server->node.out = 0;
                named = 1;
            }
        }
    }

    /* the cluster may use host names, which we don't resolve */

    for (i = 0; i < store->nservers && !named; i++) {
        store->servers[i]->node.out = 0;
    }

    ngx_rooms_topology_leave(store);
}


static void
ngx_rooms_discovered_slots(ngx_rooms_server_t *source, redisReply *reply)
{
    int64_t              from, to;
    ngx_uint_t           i, n, found;
    redisReply          *range;
    ngx_rooms_store_t   *store;
    ngx_rooms_server_t  *server;

    store = source->store;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        /* it is in no cluster; others are asked, and at last it again */

        if (!source->logged) {
            source->logged = 1;
            ngx_log_error(NGX_LOG_ERR, store->log, 0,
                          "rooms: no slots from \"%V\" of \"%V\": %s; if it is "
                          "not a cluster, use \"redis://\"",
                          &source->node.name, &store->name,
                          reply->type == REDIS_REPLY_ERROR ? reply->str
                          : reply->type == REDIS_REPLY_ARRAY
                          ? "it knows of none" : "unexpected reply");
        }

        source->node.out = 1;
        ngx_rooms_topology_leave(store);
        return;
    }

    found = 0;

    for (i = 0; i < reply->elements; i++) {
        range = reply->element[i];
        from = ngx_rooms_reply_int_at(range, 0, -1);
        to = ngx_rooms_reply_int_at(range, 1, -1);

        server = ngx_rooms_slots_server(source,
                                        ngx_rooms_reply_element(range, 2));

        if (server == NULL || from < 0 || from > to || to >= NGX_ROOMS_SLOTS) {
            continue;
        }

        found = 1;
        n = ngx_rooms_server_index(store, server);

        if (store->slots[from] != n) {
            ngx_rooms_store_begins();
        }

        for ( /* void */ ; from <= to; from++) {
            store->slots[from] = n;
        }
    }

    ngx_rooms_discovered_nodes(source, reply);

    if (found) {
        source->logged = 0;
        ngx_rooms_topology_found(store);

    } else if (!source->logged) {
        source->logged = 1;
        ngx_log_error(NGX_LOG_ERR, store->log, 0,
                      "rooms: \"%V\" of \"%V\" names no node by an address",
                      &source->node.name, &store->name);
    }
}


static ngx_uint_t
ngx_rooms_topology_here(ngx_rooms_node_t *node, ngx_uint_t slot)
{
    ngx_rooms_store_t *store = node->data;

    return &ngx_rooms_store_at(store, slot)->node == node;
}


/*
 * The nodes are known.  Batches that wait for another one go to that of their
 * slot.  If none was up before, requests wait for all nodes again, since they
 * may come back one after the other.
 */
static void
ngx_rooms_topology_found(ngx_rooms_store_t *store)
{
    ngx_uint_t           i, k;
    ngx_queue_t         *q, strays;
    ngx_rooms_batch_t   *b;
    ngx_rooms_server_t  *server;

    for (i = 0; i < NGX_ROOMS_LANES; i++) {
        ngx_queue_init(&strays);

        ngx_rooms_lane_strays(&store->nowhere->lanes[i], &strays,
                              ngx_rooms_topology_here);

        for (k = 0; k < store->nservers; k++) {
            server = store->servers[k];

            if (store->lost) {
                ngx_rooms_lane_hurry(&server->lanes[i]);
            }

            ngx_rooms_lane_strays(&server->lanes[i], &strays,
                                  ngx_rooms_topology_here);
        }

        /* sending may free other batches, so take them one at a time */

        while (!ngx_queue_empty(&strays)) {
            q = ngx_queue_head(&strays);
            b = ngx_queue_data(q, ngx_rooms_batch_t, queue);
            ngx_queue_remove(q);
            ngx_rooms_lane_send(&ngx_rooms_store_at(store, b->slot)->lanes[i],
                                b);
        }
    }

    /* not tried any more, unless a slot has no node */

    store->nowhere->node.out = 1;
    store->lost = 0;
}


/*
 * SENTINEL MASTER answers with names and values in turn.  Returns the value
 * of a field, or NULL.
 */
static rooms_str_t
ngx_rooms_sentinel_field(redisReply *described, rooms_str_t field)
{
    size_t       i;
    redisReply  *value;
    rooms_str_t  name;

    for (i = 0; /* void */; i += 2) {
        value = ngx_rooms_reply_element(described, i + 1);

        if (value == NULL) {
            return ROOMS_NULL;
        }

        name = ngx_rooms_reply_str_at(described, i);

        if (rooms_str_eq(name, field)) {
            return ngx_rooms_reply_str(value);
        }
    }
}


/*
 * While a sentinel leads a failover, writes that the old primary acknowledges
 * would be lost.  So commands wait until the new one is named, within their
 * deadline; but not for a failover that takes too long.
 */
static void
ngx_rooms_sentinel_hold(ngx_rooms_server_t *source, redisReply *described)
{
    ngx_uint_t           i;
    rooms_str_t          flags;
    ngx_rooms_store_t   *store;
    ngx_rooms_server_t  *primary;

    store = source->store;
    primary = store->servers[0];

    flags = ngx_rooms_sentinel_field(described, ngx_rooms_s("flags"));
    source->leads = flags.data
                    && ngx_strlcasestrn((u_char *) flags.data,
                                        (u_char *) flags.data + flags.len,
                                        (u_char *) "failover_in_progress",
                                        sizeof("failover_in_progress") - 2)
                       != NULL;

    if (source->leads && !primary->node.held && store->held == 0) {
        ngx_log_error(NGX_LOG_NOTICE, store->log, 0,
                      "rooms: sentinel \"%V\" leads a failover of \"%V\"",
                      &source->node.name, &store->name);

        store->held = ngx_current_msec ? ngx_current_msec : 1;
        primary->node.held = 1;

        /* what waits now is for the new primary */
        ngx_rooms_store_begins();
        return;
    }

    for (i = 0; i < store->nsentinels; i++) {
        if (store->sentinels[i]->leads
            && ngx_current_msec - store->sentinels[i]->said
               < NGX_ROOMS_SENTINEL_FRESH
            && ngx_current_msec - store->held < NGX_ROOMS_SENTINEL_HOLD)
        {
            return;
        }
    }

    if (!source->leads) {
        store->held = 0;
    }

    ngx_rooms_sentinel_release(primary);
}


static void
ngx_rooms_sentinel_release(ngx_rooms_server_t *primary)
{
    ngx_uint_t  i;

    if (primary->node.held) {
        primary->node.held = 0;

        for (i = 0; i < NGX_ROOMS_LANES; i++) {
            ngx_rooms_lane_release(&primary->lanes[i]);
        }
    }
}


/* Whether another sentinel has just named a later configuration. */
static ngx_uint_t
ngx_rooms_sentinel_behind(ngx_rooms_server_t *source)
{
    ngx_uint_t           i;
    ngx_rooms_store_t   *store;
    ngx_rooms_server_t  *other;

    store = source->store;

    for (i = 0; i < store->nsentinels; i++) {
        other = store->sentinels[i];

        if (other->said && other->epoch > source->epoch
            && ngx_current_msec - other->said < NGX_ROOMS_SENTINEL_FRESH)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_rooms_discovered_primary(ngx_rooms_server_t *source, redisReply *address,
    redisReply *described)
{
    ngx_str_t            host;
    ngx_uint_t           i, known;
    rooms_str_t          epoch;
    ngx_rooms_store_t   *store;
    ngx_rooms_server_t  *primary, *server;

    store = source->store;
    host = ngx_from_rooms(ngx_rooms_reply_str_at(address, 0));

    if (host.len == 0) {
        source->said = 0;

        if (!source->node.out) {
            /* log it once, not five times a second */
            source->node.out = 1;
            ngx_log_error(NGX_LOG_ERR, store->log, 0,
                          "rooms: sentinel \"%V\" of \"%V\" knows no such "
                          "primary", &source->node.name, &store->name);
        }

        return;
    }

    source->node.out = 0;
    source->said = ngx_current_msec ? ngx_current_msec : 1;
    epoch = ngx_rooms_sentinel_field(described, ngx_rooms_s("config-epoch"));
    source->epoch = ngx_max(ngx_atoof((u_char *) epoch.data, epoch.len), 0);

    if (ngx_rooms_sentinel_behind(source)) {
        return;
    }

    known = store->nservers;
    server = ngx_rooms_store_server(store, &host,
                            ngx_rooms_reply_int_at(address, 1, 6379));

    if (server == NULL) {
        ngx_log_error(NGX_LOG_ERR, store->log, 0,
                      "rooms: sentinels of \"%V\" name \"%V\", which is not "
                      "an address", &store->name, &host);
        return;
    }

    primary = store->servers[0];

    if (server == primary) {
        ngx_rooms_sentinel_hold(source, described);
        return;
    }

    /* only the address is needed, since all use servers[0] */

    store->nservers = known;

    ngx_log_error(NGX_LOG_NOTICE, store->log, 0,
                  "rooms: the primary of \"%V\" is %V", &store->name,
                  &server->node.name);

    primary->node.addrs = server->node.addrs;
    primary->node.naddrs = 1;
    primary->node.name = server->node.name;

    for (i = 0; i < NGX_ROOMS_LANES; i++) {
        ngx_rooms_lane_drop(&primary->lanes[i], "is no longer the primary");
        ngx_rooms_lane_hurry(&primary->lanes[i]);
    }

    primary->node.held = 0;

    /* the old node may never deliver what is published on the new one */

    if (store->pubsub->connection) {
        ngx_rooms_pubsub_close(store->pubsub, "is no longer on a primary");
    }
}


void
ngx_rooms_topology_down(void *data)
{
    ngx_rooms_store_t *store = data;

    ngx_rooms_store_discover(store);

    /* the subscription may be to the same node */

    ngx_rooms_pubsub_check(store->pubsub);
}


/* After an outage of all nodes the first that is back says who serves. */
void
ngx_rooms_topology_up(ngx_rooms_node_t *node)
{
    ngx_rooms_store_t *store = node->data;

    if (store->lost) {
        ngx_rooms_discover_ask(ngx_rooms_server_of(node));
    }
}


/*
 * "MOVED slot host:port" and "ASK slot host:port".  Without a host it is the
 * one that answered.  A host name is one of CLUSTER SLOTS; NULL: it isn't.
 */
static ngx_rooms_server_t *
ngx_rooms_moved_server(ngx_rooms_store_t *store, ngx_rooms_batch_t *b,
    redisReply *reply, ngx_uint_t *slot)
{
    u_char              *p, *last, *space, *colon;
    ngx_int_t            n, port;
    ngx_str_t            host;
    ngx_rooms_server_t  *source;

    p = (u_char *) reply->str;
    last = p + reply->len;

    p = ngx_strlchr(p, last, ' ');
    space = p ? ngx_strlchr(p + 1, last, ' ') : NULL;

    if (space == NULL) {
        return NULL;
    }

    n = ngx_atoi(p + 1, space - p - 1);

    for (colon = last - 1; colon > space && *colon != ':'; colon--) {
        /* the last colon: IPv6 addresses have more */
    }

    port = ngx_atoi(colon + 1, last - colon - 1);

    if (n == NGX_ERROR || n >= NGX_ROOMS_SLOTS || port == NGX_ERROR
        || colon == space)
    {
        return NULL;
    }

    host.data = space + 1;
    host.len = colon - host.data;
    *slot = n;

    if (host.len == 0) {
        source = ngx_rooms_server_of(b->node);

        return ngx_rooms_topology_beside(source, port);
    }

    source = ngx_rooms_store_server(store, &host, port);

    return source ? source : ngx_rooms_topology_named(store, &host, port);
}


/* Puts the other node's replies in the places of those that said ASK. */
static void
ngx_rooms_asked(ngx_rooms_batch_t *b)
{
    ngx_uint_t          i, k;
    ngx_rooms_batch_t  *first;

    first = b->data;

    if (b->status != NGX_ROOMS_BATCH_OK) {
        first->status = b->status;
        first->handler(first);
        return;
    }

    for (i = 0, k = 0; i < first->commands.nelts; i++) {

        if (ngx_rooms_reply_is_error(first->replies[i], "ASK ")) {
            first->replies[i] = b->replies[2 * k + 1];
            k++;
        }
    }

    first->handler(first);
}


/*
 * While a slot is being moved, keys that have moved, or never existed, must
 * be asked for on the new node, with ASKING before each command.
 */
static ngx_int_t
ngx_rooms_ask_other(ngx_rooms_store_t *store, ngx_rooms_batch_t *first,
    redisReply *reply, ngx_uint_t lane)
{
    ngx_str_t           *cmd, *copy;
    ngx_uint_t           i, slot;
    ngx_rooms_batch_t   *b;
    ngx_rooms_server_t  *server;

    server = ngx_rooms_moved_server(store, first, reply, &slot);

    if (server == NULL && !first->once) {
        /* a name that is new: all is asked again once the cluster told it */
        ngx_rooms_store_discover(store);
        ngx_rooms_lane_send(&store->nowhere->lanes[lane], first);
        return NGX_AGAIN;
    }

    b = server ? ngx_rooms_batch_create(store->log) : NULL;

    if (b == NULL) {
        return NGX_DECLINED;
    }

    cmd = first->commands.elts;

    for (i = 0; i < first->commands.nelts; i++) {

        if (!ngx_rooms_reply_is_error(first->replies[i], "ASK ")) {
            continue;
        }

        (void) ngx_rooms_command(b, ngx_rooms_s("ASKING"));

        copy = ngx_array_push(&b->commands);
        if (copy == NULL) {
            b->failed = 1;
            break;
        }

        /* the bytes belong to the first batch, which lives longer */
        *copy = cmd[i];
    }

    b->handler = ngx_rooms_asked;
    b->data = first;
    b->older = first->followed;
    first->followed = b;

    ngx_rooms_lane_send(&server->lanes[lane], b);

    return NGX_AGAIN;
}


ngx_int_t
ngx_rooms_store_follow(ngx_rooms_store_t *store, ngx_rooms_batch_t *b,
    ngx_uint_t lane)
{
    ngx_uint_t           i, slot;
    redisReply          *reply;
    ngx_rooms_server_t  *server;

    if (ngx_rooms_script_text(b) == NGX_OK) {
        ngx_rooms_store_send(store, b->slot, lane, b);
        return NGX_AGAIN;
    }

    reply = b->replies[0];

    if (store->kind == NGX_ROOMS_STORE_SENTINEL) {

        if (ngx_rooms_reply_is_error(reply, "READONLY ")) {
            ngx_rooms_store_discover(store);
        }

        return NGX_OK;
    }

    if (store->kind != NGX_ROOMS_STORE_CLUSTER
        || b->moves == NGX_ROOMS_MOVES)
    {
        return NGX_OK;
    }

    if (ngx_rooms_reply_is_error(reply, "MOVED ")) {
        b->moves++;
        ngx_rooms_store_discover(store);

        server = ngx_rooms_moved_server(store, b, reply, &slot);

        if (server == NULL) {
            /* a name that is new: it waits until the cluster has told it */
            ngx_rooms_lane_send(&store->nowhere->lanes[lane], b);
            return NGX_AGAIN;
        }

        store->slots[slot] = ngx_rooms_server_index(store, server);
        ngx_rooms_store_begins();
        ngx_rooms_lane_send(&server->lanes[lane], b);

        return NGX_AGAIN;
    }

    for (i = 0; i < b->commands.nelts; i++) {

        if (ngx_rooms_reply_is_error(b->replies[i], "ASK ")) {
            b->moves++;
            return ngx_rooms_ask_other(store, b, b->replies[i], lane);
        }
    }

    return NGX_OK;
}
