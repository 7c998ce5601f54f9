/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_store.h"
#include "rooms_json.h"
#include <sodium.h>


#define NGX_ROOMS_JSON_MIN   256           /* bytes to begin with */
#define NGX_ROOMS_ASK_PIECES  12           /* of one word, with four to
                                              spare */


/* All keys: "prefix{tenant}:" + before + id + after. */
static const struct {
    ngx_str_t  before;
    ngx_str_t  after;
} ngx_rooms_keys[NGX_ROOMS_KEY_MAX] = {
    [NGX_ROOMS_KEY_TENANT] = { ngx_string("tenant"), ngx_null_string },
    [NGX_ROOMS_KEY_POSITION] = { ngx_string("position"), ngx_null_string },
    [NGX_ROOMS_KEY_ACTIVE] = { ngx_string("active"), ngx_null_string },
    [NGX_ROOMS_KEY_EARLY] = { ngx_string("early"), ngx_null_string },
    [NGX_ROOMS_KEY_PARTICIPANTS] =
        { ngx_string("participants"), ngx_null_string },
    [NGX_ROOMS_KEY_LOCALS] = { ngx_string("locals"), ngx_null_string },
    [NGX_ROOMS_KEY_SEEN] = { ngx_string("seen"), ngx_null_string },
    [NGX_ROOMS_KEY_WORDS] = { ngx_string("words:"), ngx_null_string },
    [NGX_ROOMS_KEY_SCIM] = { ngx_string("scim"), ngx_null_string },
    [NGX_ROOMS_KEY_SCIM_NAMES] =
        { ngx_string("scim:names"), ngx_null_string },
    [NGX_ROOMS_KEY_SCIM_EXTERNALS] =
        { ngx_string("scim:externals"), ngx_null_string },
    [NGX_ROOMS_KEY_SCIM_LIST] = { ngx_string("scim:list"), ngx_null_string },
    [NGX_ROOMS_KEY_DEACTIVATED] =
        { ngx_string("deactivated"), ngx_null_string },
    [NGX_ROOMS_KEY_OFFBOARD] = { ngx_string("offboard"), ngx_null_string },
    [NGX_ROOMS_KEY_TENANTS] = { ngx_string("tenants"), ngx_null_string },
    [NGX_ROOMS_KEY_ALIASES] = { ngx_string("aliases"), ngx_null_string },
    [NGX_ROOMS_KEY_PUBLIC] = { ngx_string("public"), ngx_null_string },
    [NGX_ROOMS_KEY_DMS] = { ngx_string("dms"), ngx_null_string },
    [NGX_ROOMS_KEY_FEDERATION] =
        { ngx_string("federation"), ngx_null_string },
    [NGX_ROOMS_KEY_PEERS] = { ngx_string("peers"), ngx_null_string },
    [NGX_ROOMS_KEY_PEER_ERRORS] =
        { ngx_string("peers:errors"), ngx_null_string },
    [NGX_ROOMS_KEY_PEER_NAMES] =
        { ngx_string("peers:names"), ngx_null_string },
    [NGX_ROOMS_KEY_PEER_REACHED] =
        { ngx_string("peers:reached"), ngx_null_string },
    [NGX_ROOMS_KEY_PEER_ROOMS] =
        { ngx_string("peers:"), ngx_string(":rooms") },
    [NGX_ROOMS_KEY_PEER_SERVERS] =
        { ngx_string("peers:servers"), ngx_null_string },
    [NGX_ROOMS_KEY_UNACCEPTED] =
        { ngx_string("peers:unaccepted"), ngx_null_string },
    [NGX_ROOMS_KEY_OUTBOXES] = { ngx_string("outboxes"), ngx_null_string },
    [NGX_ROOMS_KEY_OUTBOX] = { ngx_string("outbox:"), ngx_null_string },
    [NGX_ROOMS_KEY_OUTBOX_STATE] =
        { ngx_string("outboxes:state"), ngx_null_string },
    [NGX_ROOMS_KEY_ENDINGS] = { ngx_string("endings"), ngx_null_string },
    [NGX_ROOMS_KEY_PROFILES] = { ngx_string("profiles"), ngx_null_string },

    [NGX_ROOMS_KEY_USER_ROOMS] = { ngx_string("p:"), ngx_string(":rooms") },
    [NGX_ROOMS_KEY_USER_KINDS] = { ngx_string("p:"), ngx_string(":kinds") },
    [NGX_ROOMS_KEY_USER_PREFERENCES] =
        { ngx_string("p:"), ngx_string(":preferences") },
    [NGX_ROOMS_KEY_USER_WORKSPACES] =
        { ngx_string("p:"), ngx_string(":workspaces") },
    [NGX_ROOMS_KEY_USER_NEWS] = { ngx_string("p:"), ngx_string(":news") },
    [NGX_ROOMS_KEY_USER_MARKERS] =
        { ngx_string("p:"), ngx_string(":markers") },
    [NGX_ROOMS_KEY_USER_ANSWERS] =
        { ngx_string("p:"), ngx_string(":answers") },
    [NGX_ROOMS_KEY_USER_OFFBOARD] =
        { ngx_string("p:"), ngx_string(":offboard") },
    [NGX_ROOMS_KEY_WORKSPACE] = { ngx_string("w:"), ngx_null_string },
    [NGX_ROOMS_KEY_WORKSPACE_MEMBERS] =
        { ngx_string("w:"), ngx_string(":members") },
    [NGX_ROOMS_KEY_WORKSPACE_LIST] =
        { ngx_string("w:"), ngx_string(":list") },
    [NGX_ROOMS_KEY_WORKSPACE_ROOMS] =
        { ngx_string("w:"), ngx_string(":rooms") },

    [NGX_ROOMS_KEY_ROOM] = { ngx_string("r:"), ngx_null_string },
    [NGX_ROOMS_KEY_MEMBERS] = { ngx_string("r:"), ngx_string(":members") },
    [NGX_ROOMS_KEY_OWN] = { ngx_string("r:"), ngx_string(":own") },
    [NGX_ROOMS_KEY_ORDER] = { ngx_string("r:"), ngx_string(":order") },
    [NGX_ROOMS_KEY_LIST] = { ngx_string("r:"), ngx_string(":list") },
    [NGX_ROOMS_KEY_BANS] = { ngx_string("r:"), ngx_string(":bans") },
    [NGX_ROOMS_KEY_EVENTS] = { ngx_string("r:"), ngx_string(":events") },
    [NGX_ROOMS_KEY_REDACTED] = { ngx_string("r:"), ngx_string(":redacted") },
    [NGX_ROOMS_KEY_ANSWERS] = { ngx_string("r:"), ngx_string(":answers") },
    [NGX_ROOMS_KEY_UUIDS] = { ngx_string("r:"), ngx_string(":uuids") },
    [NGX_ROOMS_KEY_COPIES] = { ngx_string("r:"), ngx_string(":copies") },
    [NGX_ROOMS_KEY_AUTHORS] = { ngx_string("r:"), ngx_string(":authors") },
    [NGX_ROOMS_KEY_REACTIONS] =
        { ngx_string("r:"), ngx_string(":reactions") },
    [NGX_ROOMS_KEY_TALLY] = { ngx_string("r:"), ngx_string(":tally") },
    [NGX_ROOMS_KEY_COUNTS] = { ngx_string("r:"), ngx_string(":counts") },
    [NGX_ROOMS_KEY_JOURNAL] = { ngx_string("r:"), ngx_string(":media") },
    [NGX_ROOMS_KEY_NAMED] = { ngx_string("named:"), ngx_null_string },

    [NGX_ROOMS_KEY_MEDIA] = { ngx_string("media"), ngx_null_string },
    [NGX_ROOMS_KEY_BLOBS] = { ngx_string("blobs"), ngx_null_string },
    [NGX_ROOMS_KEY_IMPORTS] = { ngx_string("imports"), ngx_null_string },

    [NGX_ROOMS_KEY_LEASE] = { ngx_string("lease:"), ngx_null_string },
    [NGX_ROOMS_KEY_CHANNEL] = { ngx_string("events"), ngx_null_string },
    [NGX_ROOMS_KEY_COMMIT] = { ngx_string("commit:"), ngx_null_string },
    [NGX_ROOMS_KEY_IDEMPOTENCY] = { ngx_string("idem:"), ngx_null_string },
    [NGX_ROOMS_KEY_KEPT] = { ngx_string("answers"), ngx_null_string },
};


/* CRC-16 (XMODEM) of the hash tag, as the cluster specification requires. */
static ngx_uint_t
ngx_rooms_slot(rooms_str_t tag)
{
    size_t      i;
    uint32_t    crc;
    ngx_uint_t  bit;

    for (crc = 0, i = 0; i < tag.len; i++) {
        crc ^= tag.data[i] << 8;

        for (bit = 0; bit < 8; bit++) {
            crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
        }

        crc &= 0xffff;
    }

    return crc % NGX_ROOMS_SLOTS;
}


ngx_int_t
ngx_rooms_keys_init(ngx_rooms_keys_t *keys, ngx_pool_t *pool,
    ngx_str_t *prefix, rooms_str_t tenant)
{
    keys->pool = pool;
    keys->prefix = ngx_rooms_join(pool, rooms_from_ngx(*prefix),
                                  ngx_rooms_s(":{"), tenant,
                                  ngx_rooms_s("}:"));

    keys->slot = ngx_rooms_slot(tenant);

    return keys->prefix.data ? NGX_OK : NGX_ERROR;
}


rooms_str_t
ngx_rooms_key(ngx_rooms_keys_t *keys, ngx_rooms_key_e kind, rooms_str_t id)
{
    return ngx_rooms_join(keys->pool, keys->prefix,
                          rooms_from_ngx(ngx_rooms_keys[kind].before), id,
                          rooms_from_ngx(ngx_rooms_keys[kind].after));
}


/* Puts pieces of one argument together, behind a number of its bytes. */
static u_char *
ngx_rooms_ask_word(ngx_rooms_batch_t *b, u_char *p, const rooms_str_t *pieces,
    ngx_uint_t n)
{
    size_t       len;
    ngx_uint_t   i;

    for (len = 0, i = 0; i < n; i++) {
        len += pieces[i].len;
    }

    p = ngx_rooms_batch_room(b, p, NGX_ROOMS_RESP_SIZE + len + 2);
    if (p == NULL) {
        return NULL;
    }

    p = ngx_rooms_resp_size(p, '$', len);

    for (i = 0; i < n; i++) {

        if (pieces[i].len) {
            p = ngx_cpymem(p, pieces[i].data, pieces[i].len);
        }
    }

    *p++ = CR;
    *p++ = LF;

    return p;
}


ngx_int_t
ngx_rooms_ask(ngx_rooms_batch_t *b, const ngx_rooms_keys_t *keys,
    const char *line, ...)
{
    u_char       *p, digits[NGX_ROOMS_ASK_PIECES][ROOMS_JSON_INT];
    va_list       args;
    rooms_buf_t   d;
    ngx_uint_t    n, kind;
    const char   *l, *from;
    rooms_str_t   pieces[NGX_ROOMS_ASK_PIECES];

    for (n = 1, l = line; *l; l++) {
        n += *l == ' ';
    }

    p = ngx_rooms_batch_begin(b, n);
    n = 0;

    va_start(args, line);

    for (l = line; p; /* void */) {

        if (n + 4 > NGX_ROOMS_ASK_PIECES) {
            p = NULL;
            break;
        }

        if (*l == ' ' || *l == '\0') {
            p = ngx_rooms_ask_word(b, p, pieces, n);
            n = 0;

            if (*l != ' ') {
                break;
            }

            l++;
            continue;
        }

        if (*l != '%') {

            for (from = l; *l && *l != ' ' && *l != '%'; l++) { /* void */ }

            pieces[n++] = (rooms_str_t) { l - from, (const u_char *) from };
            continue;
        }

        switch (l[1]) {

        case 'k':
            kind = va_arg(args, ngx_rooms_key_e);
            pieces[n++] = keys->prefix;
            pieces[n++] = rooms_from_ngx(ngx_rooms_keys[kind].before);
            pieces[n++] = va_arg(args, rooms_str_t);
            pieces[n++] = rooms_from_ngx(ngx_rooms_keys[kind].after);
            break;

        case 's':
            pieces[n++] = va_arg(args, rooms_str_t);
            break;

        case 'd':
            rooms_buf_init(&d, digits[n], ROOMS_JSON_INT);
            rooms_json_int(&d, va_arg(args, int64_t));
            pieces[n++] = (rooms_str_t) { d.last - d.start, d.start };
            break;

        default:
            pieces[n++] = ngx_rooms_s(" ");
        }

        l += 2;
    }

    va_end(args);

    return ngx_rooms_batch_end(b, p);
}


ngx_int_t
ngx_rooms_ask_many(ngx_rooms_batch_t *b, const ngx_rooms_keys_t *keys,
    const char *command, ngx_rooms_key_e kind, rooms_str_t id,
    const rooms_str_t *argv, ngx_uint_t argc)
{
    u_char            *p;
    rooms_str_t        begin[2];
    ngx_rooms_keys_t   own;

    own = *keys;
    own.pool = b->pool;

    begin[0] = rooms_cstr(command);
    begin[1] = ngx_rooms_key(&own, kind, id);

    p = begin[1].data ? ngx_rooms_batch_begin(b, 2 + argc) : NULL;
    p = ngx_rooms_batch_args(b, p, begin, 2);

    return ngx_rooms_batch_end(b, ngx_rooms_batch_args(b, p, argv, argc));
}


rooms_str_t
ngx_rooms_dup(ngx_pool_t *pool, rooms_str_t s)
{
    return s.data ? ngx_rooms_concat(pool, &s, 1) : s;
}


void *
ngx_rooms_owned(ngx_pool_t *pool, size_t size, ngx_pool_cleanup_pt handler)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, size);
    if (cln == NULL) {
        return NULL;
    }

    ngx_memzero(cln->data, size);
    cln->handler = handler;

    return cln->data;
}


rooms_str_t
ngx_rooms_concat(ngx_pool_t *pool, const rooms_str_t *parts, ngx_uint_t n)
{
    u_char       *p;
    rooms_str_t   s;
    ngx_uint_t    i;

    for (s.len = 0, i = 0; i < n; i++) {
        s.len += parts[i].len;
    }

    p = ngx_pnalloc(pool, s.len + 1);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    s.data = p;

    for (i = 0; i < n; i++) {

        if (parts[i].len) {
            p = ngx_cpymem(p, parts[i].data, parts[i].len);
        }
    }

    *p = '\0';

    return s;
}


rooms_str_t
ngx_rooms_number(ngx_pool_t *pool, int64_t n)
{
    u_char       *p;
    rooms_buf_t   b;

    p = ngx_pnalloc(pool, ROOMS_JSON_INT);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, p, ROOMS_JSON_INT);
    rooms_json_int(&b, n);

    return (rooms_str_t) { b.last - b.start, p };
}


static int
ngx_rooms_json_grow(rooms_buf_t *b, size_t len)
{
    size_t             size, used;
    u_char            *start;
    ngx_rooms_json_t  *json;

    json = (ngx_rooms_json_t *) ((u_char *) b - offsetof(ngx_rooms_json_t, b));

    used = b->last - b->start;
    size = ngx_max(used + len, 2 * used);
    size = ngx_max(size, NGX_ROOMS_JSON_MIN);

    start = ngx_pnalloc(json->pool, size);
    if (start == NULL) {
        return 0;
    }

    if (used) {
        ngx_memcpy(start, b->start, used);
        (void) ngx_pfree(json->pool, b->start);
    }

    b->start = start;
    b->last = start + used;
    b->end = start + size;

    return 1;
}


rooms_buf_t *
ngx_rooms_json(ngx_rooms_json_t *json, ngx_pool_t *pool)
{
    rooms_buf_init(&json->b, (u_char *) "", 0);

    json->b.grow = ngx_rooms_json_grow;
    json->pool = pool;

    return &json->b;
}


rooms_str_t
ngx_rooms_json_end(ngx_rooms_json_t *json)
{
    if (json->b.full) {
        return ROOMS_NULL;
    }

    return (rooms_str_t) { json->b.last - json->b.start, json->b.start };
}


/*
 * Takes random bytes from libsodium in blocks, so that not each id costs a
 * system call.
 */
void
ngx_rooms_random(u_char *dst, size_t len)
{
    static u_char  block[1024];
    static size_t  left;

    if (left < len) {
        randombytes_buf(block, sizeof(block));
        left = sizeof(block);
    }

    left -= len;
    ngx_memcpy(dst, block + left, len);
    sodium_memzero(block + left, len);
}


void
ngx_rooms_random_hex(u_char *dst, size_t len)
{
    u_char  bytes[32];

    ngx_rooms_random(bytes, len / 2);
    ngx_hex_dump(dst, bytes, len / 2);
}


rooms_str_t
ngx_rooms_event_id(ngx_pool_t *pool, int64_t position)
{
    u_char  *id;

    id = ngx_pnalloc(pool, NGX_ROOMS_EVENT_ID);
    if (id == NULL) {
        return ROOMS_NULL;
    }

    ngx_rooms_random_hex(ngx_sprintf(id, "evt-%013xL",
                                     position & ROOMS_POSITION_MASK), 16);

    return (rooms_str_t) { NGX_ROOMS_EVENT_ID, id };
}


static ngx_rooms_server_t *
ngx_rooms_store_create(ngx_rooms_store_t *store, ngx_addr_t *addr)
{
    ngx_uint_t           i;
    ngx_rooms_server_t  *server;

    server = ngx_pcalloc(store->pool, sizeof(ngx_rooms_server_t));
    if (server == NULL) {
        return NULL;
    }

    server->node = store->node;

    if (addr) {
        server->node.addrs = addr;
        server->node.naddrs = 1;
        server->node.name = addr->name;
    }

    server->store = store;
    server->node.inspected = 1;
    server->node.lanes = server->lanes;
    server->node.nlanes = NGX_ROOMS_LANES;

    for (i = 0; i < NGX_ROOMS_LANES; i++) {
        ngx_rooms_lane_init(&server->lanes[i], &server->node, store->log);
        server->lanes[i].bulk = (i == NGX_ROOMS_LANE_BULK);
    }

    return server;
}


ngx_rooms_server_t *
ngx_rooms_store_add(ngx_rooms_store_t *store, ngx_addr_t *addr)
{
    ngx_rooms_server_t  *server;

    if (store->nservers == NGX_ROOMS_NODES_MAX) {
        return NULL;
    }

    server = ngx_rooms_store_create(store, addr);

    if (server) {
        store->servers[store->nservers++] = server;
    }

    return server;
}


ngx_int_t
ngx_rooms_store_init_worker(ngx_rooms_store_t *store, ngx_cycle_t *cycle)
{
    ngx_uint_t           i;
    ngx_addr_t          *seeds;
    ngx_rooms_server_t  *server;

    store->log = cycle->log;
    store->pool = cycle->pool;
    store->nservers = 0;
    store->nsentinels = 0;
    store->node.data = store;

    if (store->kind == NGX_ROOMS_STORE_SINGLE) {
        return ngx_rooms_store_add(store, NULL) ? NGX_OK : NGX_ERROR;
    }

    seeds = store->seeds->elts;
    store->node.down = ngx_rooms_topology_down;
    store->node.primary = (store->kind == NGX_ROOMS_STORE_SENTINEL);
    ngx_rooms_topology_init(store);

    if (store->kind == NGX_ROOMS_STORE_CLUSTER) {
        store->node.up = ngx_rooms_topology_up;
        store->lost = 1;
        store->nowhere = ngx_rooms_store_create(store, NULL);
        store->slots = ngx_palloc(cycle->pool,
                                  NGX_ROOMS_SLOTS * sizeof(uint16_t));

        if (store->nowhere == NULL || store->slots == NULL) {
            return NGX_ERROR;
        }

        for (i = 0; i < NGX_ROOMS_SLOTS; i++) {
            store->slots[i] = NGX_ROOMS_NOWHERE;
        }

        for (i = 0; i < store->seeds->nelts; i++) {
            (void) ngx_rooms_store_add(store, &seeds[i]);
        }

        /* without any of them nobody can name the others */

        return store->nservers ? NGX_OK : NGX_ERROR;
    }

    /* sentinels are servers too, without password and database */

    for (i = 0; i < store->seeds->nelts && i < NGX_ROOMS_NODES_MAX; i++) {
        server = ngx_rooms_store_add(store, &seeds[i]);

        if (server) {
            ngx_str_null(&server->node.user);
            ngx_str_null(&server->node.password);
            server->node.db = 0;
            server->node.down = NULL;
            server->node.primary = 0;
            server->node.inspected = 0;
            store->sentinels[store->nsentinels++] = server;
        }
    }

    /* the sentinels will name the primary's address */

    if (store->nsentinels == 0) {
        return NGX_ERROR;
    }

    store->nservers = 0;

    return ngx_rooms_store_add(store, NULL) ? NGX_OK : NGX_ERROR;
}


/* Connections that are still open, since the process ends at once. */
void
ngx_rooms_store_exit_worker(ngx_rooms_store_t *store)
{
    ngx_uint_t  i, lane;

    for (lane = 0; lane < NGX_ROOMS_LANES; lane++) {

        for (i = 0; i < store->nservers; i++) {
            ngx_rooms_lane_end(&store->servers[i]->lanes[lane]);
        }

        for (i = 0; i < store->nsentinels; i++) {
            ngx_rooms_lane_end(&store->sentinels[i]->lanes[lane]);
        }

        if (store->nowhere) {
            ngx_rooms_lane_end(&store->nowhere->lanes[lane]);
        }
    }

    if (store->watch.timer_set) {
        ngx_del_timer(&store->watch);
    }
}


ngx_rooms_server_t *
ngx_rooms_store_at(ngx_rooms_store_t *store, ngx_uint_t slot)
{
    ngx_uint_t  n;

    n = store->kind == NGX_ROOMS_STORE_CLUSTER ? store->slots[slot] : 0;

    if (store->kind != NGX_ROOMS_STORE_SINGLE && store->asked == 0) {
        ngx_rooms_store_discover(store);
    }

    return n == NGX_ROOMS_NOWHERE ? store->nowhere : store->servers[n];
}


ngx_rooms_lane_t *
ngx_rooms_store_lane(ngx_rooms_store_t *store, ngx_uint_t slot,
    ngx_uint_t lane)
{
    return &ngx_rooms_store_at(store, slot)->lanes[lane];
}


void
ngx_rooms_store_send(ngx_rooms_store_t *store, ngx_uint_t slot,
    ngx_uint_t lane, ngx_rooms_batch_t *b)
{
    b->slot = slot;
    ngx_rooms_lane_send(ngx_rooms_store_lane(store, slot, lane), b);
}
