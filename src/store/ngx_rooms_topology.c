/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Where the keys are, when that can change: slots of a Redis Cluster, and the
 * primary that sentinels have elected.  Both are asked when the worker first
 * needs them, when a connection is lost, and when a reply says that things
 * have moved; never more often than twice a second.
 */

#include "ngx_rooms_store.h"


#define NGX_ROOMS_DISCOVER_EVERY  500      /* ms */


static void ngx_rooms_discovered(ngx_rooms_batch_t *b);
static void ngx_rooms_discovered_slots(ngx_rooms_store_t *store,
    redisReply *reply);
static void ngx_rooms_discovered_primary(ngx_rooms_store_t *store,
    redisReply *reply);


ngx_rooms_server_t *
ngx_rooms_store_server(ngx_rooms_store_t *store, ngx_str_t *host,
    ngx_uint_t port)
{
    ngx_uint_t           i;
    ngx_addr_t           a, *addr;
    ngx_rooms_server_t  *server;

    if (ngx_parse_addr(store->pool, &a, host->data, host->len) != NGX_OK) {
        return NULL;
    }

    ngx_inet_set_port(a.sockaddr, port);

    for (i = 0; i < store->nservers; i++) {
        server = store->servers[i];

        if (server->node.naddrs
            && ngx_cmp_sockaddr(server->node.addrs->sockaddr,
                                server->node.addrs->socklen, a.sockaddr,
                                a.socklen, 1) == NGX_OK)
        {
            return server;
        }
    }

    addr = ngx_palloc(store->pool, sizeof(ngx_addr_t));
    if (addr == NULL) {
        return NULL;
    }

    *addr = a;
    addr->name.data = ngx_pnalloc(store->pool, NGX_SOCKADDR_STRLEN);
    if (addr->name.data == NULL) {
        return NULL;
    }

    addr->name.len = ngx_sock_ntop(a.sockaddr, a.socklen, addr->name.data,
                                   NGX_SOCKADDR_STRLEN, 1);

    return ngx_rooms_store_add(store, addr);
}


/*
 * A node that can be asked: the first that is up, or the next in turn.  One
 * that was taken out of the cluster may live on, and knows nothing.
 */
static ngx_rooms_server_t *
ngx_rooms_discover_source(ngx_rooms_store_t *store)
{
    ngx_uint_t            i, n;
    ngx_rooms_server_t  **servers;

    if (store->kind == NGX_ROOMS_STORE_SENTINEL) {
        servers = store->sentinels;
        n = store->nsentinels;

    } else {
        servers = store->servers;
        n = store->nservers;
    }

    if (n == 0) {
        return NULL;
    }

    for (i = 0; i < n; i++) {
        if (servers[i]->lanes[0].state == NGX_ROOMS_LANE_READY
            && !servers[i]->lanes[0].dead && !servers[i]->node.out)
        {
            return servers[i];
        }
    }

    for (i = 0; i < n; i++) {
        if (!servers[store->asking++ % n]->node.out) {
            break;
        }
    }

    return servers[(store->asking - 1) % n];
}


void
ngx_rooms_store_discover(ngx_rooms_store_t *store)
{
    ngx_rooms_batch_t   *b;
    ngx_rooms_server_t  *source;

    if (store->topology && store->asked
        && ngx_current_msec - store->asked > store->node.timeout)
    {
        /* whom we asked doesn't answer: forget it and ask another */
        ngx_rooms_batch_free(store->topology);
        store->topology = NULL;
    }

    if (store->topology
        || (store->asked && ngx_current_msec - store->asked
                            < NGX_ROOMS_DISCOVER_EVERY))
    {
        return;
    }

    store->asked = ngx_current_msec ? ngx_current_msec : 1;

    source = ngx_rooms_discover_source(store);
    b = source ? ngx_rooms_batch_create(store->log) : NULL;

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
    }

    b->handler = ngx_rooms_discovered;
    b->data = store;
    store->topology = b;
    store->source = source;

    ngx_rooms_lane_send(&source->lanes[0], b);
}


static void
ngx_rooms_discovered(ngx_rooms_batch_t *b)
{
    ngx_rooms_store_t *store = b->data;

    store->topology = NULL;

    if (b->status == NGX_ROOMS_BATCH_OK) {

        if (store->kind == NGX_ROOMS_STORE_CLUSTER) {
            ngx_rooms_discovered_slots(store, b->replies[0]);

        } else {
            ngx_rooms_discovered_primary(store, b->replies[0]);
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
 * A node is [endpoint, port, id, [key, value ...]]; the endpoint may be a
 * name, or missing, and then the address is among the pairs (Redis 7).
 */
static ngx_rooms_server_t *
ngx_rooms_slots_server(ngx_rooms_store_t *store, redisReply *node)
{
    ngx_str_t            host;
    ngx_uint_t           i;
    redisReply          *pairs;
    ngx_rooms_server_t  *server;

    host = ngx_from_rooms(ngx_rooms_reply_str(
                                        ngx_rooms_reply_element(node, 0)));

    server = host.len ? ngx_rooms_store_server(store, &host,
                            ngx_rooms_reply_int(
                                   ngx_rooms_reply_element(node, 1), 6379))
                      : NULL;

    pairs = ngx_rooms_reply_element(node, 3);

    for (i = 0; server == NULL && pairs && i + 1 < pairs->elements; i += 2) {

        if (!rooms_str_eq(ngx_rooms_reply_str(pairs->element[i]),
                          ngx_rooms_s("ip")))
        {
            continue;
        }

        host = ngx_from_rooms(ngx_rooms_reply_str(pairs->element[i + 1]));
        server = ngx_rooms_store_server(store, &host,
                            ngx_rooms_reply_int(
                                   ngx_rooms_reply_element(node, 1), 6379));
    }

    return server;
}


/* News don't come to a node that isn't in the cluster. */
static void
ngx_rooms_topology_leave(ngx_rooms_store_t *store)
{
    ngx_rooms_pubsub_t  *ps;

    ps = &store->pubsub;

    if (ps->connection && ps->node->out) {
        ngx_rooms_pubsub_close(ps, "is to no node of the cluster");
    }
}


/* Nodes that no range names, primary or replica, are none any longer. */
static void
ngx_rooms_discovered_nodes(ngx_rooms_store_t *store, redisReply *reply)
{
    ngx_uint_t           i, k, named;
    redisReply          *range;
    ngx_rooms_server_t  *server;

    for (i = 0; i < store->nservers; i++) {
        store->servers[i]->node.out = 1;
    }

    named = 0;

    for (i = 0; i < reply->elements; i++) {
        range = reply->element[i];

        for (k = 2; range->type == REDIS_REPLY_ARRAY && k < range->elements;
             k++)
        {
            server = ngx_rooms_slots_server(store, range->element[k]);

            if (server) {
                server->node.out = 0;
                named = 1;
            }
        }
    }

    /* by names that we don't resolve, perhaps */

    for (i = 0; i < store->nservers && !named; i++) {
        store->servers[i]->node.out = 0;
    }

    ngx_rooms_topology_leave(store);
}


static void
ngx_rooms_discovered_slots(ngx_rooms_store_t *store, redisReply *reply)
{
    int64_t              from, to;
    ngx_uint_t           i, n;
    redisReply          *range;
    ngx_rooms_server_t  *server;

    if (reply->type != REDIS_REPLY_ARRAY) {
        ngx_log_error(NGX_LOG_ERR, store->log, 0,
                      "rooms: no slots from \"%V\": %s", &store->url,
                      reply->type == REDIS_REPLY_ERROR ? reply->str
                                                       : "odd reply");
        return;
    }

    if (reply->elements == 0) {
        /* it is in no cluster: another one is asked the next time */
        store->source->node.out = 1;
        ngx_rooms_topology_leave(store);
        return;
    }

    for (i = 0; i < reply->elements; i++) {
        range = reply->element[i];
        from = ngx_rooms_reply_int(ngx_rooms_reply_element(range, 0), -1);
        to = ngx_rooms_reply_int(ngx_rooms_reply_element(range, 1), -1);

        server = ngx_rooms_slots_server(store,
                                        ngx_rooms_reply_element(range, 2));

        if (server == NULL || from < 0 || to >= NGX_ROOMS_SLOTS) {
            continue;
        }

        n = ngx_rooms_server_index(store, server);

        for ( /* void */ ; from <= to; from++) {
            store->slots[from] = n;
        }
    }

    ngx_rooms_discovered_nodes(store, reply);
}


static void
ngx_rooms_discovered_primary(ngx_rooms_store_t *store, redisReply *reply)
{
    ngx_str_t            host;
    ngx_uint_t           i, known;
    ngx_rooms_server_t  *primary, *server;

    host = ngx_from_rooms(ngx_rooms_reply_str(
                                         ngx_rooms_reply_element(reply, 0)));

    if (host.len == 0) {
        ngx_log_error(NGX_LOG_ERR, store->log, 0,
                      "rooms: sentinels of \"%V\" know no such primary",
                      &store->url);
        return;
    }

    known = store->nservers;
    server = ngx_rooms_store_server(store, &host,
                            ngx_rooms_reply_int(
                                ngx_rooms_reply_element(reply, 1), 6379));

    if (server == NULL) {
        ngx_log_error(NGX_LOG_ERR, store->log, 0,
                      "rooms: sentinels of \"%V\" name \"%V\", which is no "
                      "address", &store->url, &host);
        return;
    }

    primary = store->servers[0];

    if (server == primary) {
        return;
    }

    /* only its address is wanted: servers[0] is where everybody looks */

    store->nservers = known;

    ngx_log_error(NGX_LOG_NOTICE, store->log, 0,
                  "rooms: the primary of \"%V\" is %V", &store->url,
                  &server->node.name);

    primary->node.addrs = server->node.addrs;
    primary->node.naddrs = 1;
    primary->node.name = server->node.name;

    for (i = 0; i < NGX_ROOMS_LANES; i++) {
        ngx_rooms_lane_drop(&primary->lanes[i], "is no longer the primary");
        ngx_rooms_lane_hurry(&primary->lanes[i]);
    }

    /* what is published at the new one may never be heard at the old one */

    if (store->pubsub.connection) {
        ngx_rooms_pubsub_close(&store->pubsub, "is to no primary any longer");
    }
}


void
ngx_rooms_topology_down(void *data)
{
    ngx_rooms_store_t *store = data;

    ngx_rooms_store_discover(store);

    /* it may be the same node that is subscribed at */

    ngx_rooms_pubsub_check(&store->pubsub);
}


/* "MOVED slot host:port" and "ASK slot host:port" */
static ngx_rooms_server_t *
ngx_rooms_moved_server(ngx_rooms_store_t *store, redisReply *reply,
    ngx_uint_t *slot)
{
    u_char      *p, *last, *space, *colon;
    ngx_int_t    n, port;
    ngx_str_t    host;

    p = (u_char *) reply->str;
    last = p + reply->len;

    p = ngx_strlchr(p, last, ' ');
    space = p ? ngx_strlchr(p + 1, last, ' ') : NULL;

    if (space == NULL) {
        return NULL;
    }

    n = ngx_atoi(p + 1, space - p - 1);

    for (colon = last - 1; colon > space && *colon != ':'; colon--) {
        /* the last one: addresses of IPv6 have more */
    }

    port = ngx_atoi(colon + 1, last - colon - 1);

    if (n == NGX_ERROR || n >= NGX_ROOMS_SLOTS || port == NGX_ERROR) {
        return NULL;
    }

    host.data = space + 1;
    host.len = colon - host.data;
    *slot = n;

    return ngx_rooms_store_server(store, &host, port);
}


/* Answers of the other node take the places of those that said ASK. */
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
 * While a slot is being moved, keys that have gone, or were never there, are
 * to be asked for at its new node, each command behind an ASKING.
 */
static ngx_int_t
ngx_rooms_ask_other(ngx_rooms_store_t *store, ngx_rooms_batch_t *first,
    redisReply *reply, ngx_uint_t lane)
{
    ngx_str_t           *cmd, *copy;
    ngx_uint_t           i, slot;
    ngx_rooms_batch_t   *b;
    ngx_rooms_server_t  *server;

    server = ngx_rooms_moved_server(store, reply, &slot);
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

        /* the bytes stay the first batch's, which lives longer */
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
ngx_rooms_store_moved(ngx_rooms_store_t *store, ngx_rooms_batch_t *b,
    ngx_uint_t lane)
{
    ngx_uint_t           i, slot;
    redisReply          *reply;
    ngx_rooms_server_t  *server;

    reply = b->replies[0];

    if (store->kind == NGX_ROOMS_STORE_SENTINEL) {

        if (ngx_rooms_reply_is_error(reply, "READONLY ")) {
            ngx_rooms_store_discover(store);
        }

        return NGX_OK;
    }

    if (store->kind != NGX_ROOMS_STORE_CLUSTER) {
        return NGX_OK;
    }

    if (ngx_rooms_reply_is_error(reply, "MOVED ")) {
        ngx_rooms_store_discover(store);

        server = ngx_rooms_moved_server(store, reply, &slot);

        if (server == NULL) {
            return NGX_OK;
        }

        store->slots[slot] = ngx_rooms_server_index(store, server);
        ngx_rooms_lane_send(&server->lanes[lane], b);

        return NGX_AGAIN;
    }

    for (i = 0; i < b->commands.nelts; i++) {

        if (ngx_rooms_reply_is_error(b->replies[i], "ASK ")) {
            return ngx_rooms_ask_other(store, b, b->replies[i], lane);
        }
    }

    return NGX_OK;
}
