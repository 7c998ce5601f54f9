/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What a worker remembers about rooms that it has read.
 *
 * Each Redis has one more connection, which reports the keys that change:
 * CLIENT TRACKING in broadcasting mode, redirected to the connection itself,
 * as RESP2 requires.  The cache is valid only while that connection is.
 *
 * - A reply is kept only if no key of the room was reported since the store was
 *   asked. Asking leaves an empty entry, and a change removes it. The store
 *   reports a change after making it; so either the reply contains the change,
 *   or the report arrives after the question.
 * - A cached answer is given only while the connection is known to be alive. A
 *   PONG proves that all changes before its PING were reported; it counts for
 *   one second. So even a connection that broke silently can't give an answer
 *   that is stale for longer.
 * - The connection must lead to the same address as the lane that reads, and
 *   the lane must not have reconnected. Otherwise the store may have moved, and
 *   the cache is emptied.
 * - An answer is kept with the replies that it was made of, and is dropped with
 *   them.
 * - What this worker commits, it forgets when the commit is answered. So a
 *   client reads its own writes on the same worker.
 */

#include "ngx_rooms_cache.h"
#include "ngx_rooms_pubsub.h"


#define NGX_ROOMS_CACHE_TRUST   1000   /* ms, that a PONG is trusted */
#define NGX_ROOMS_CACHE_PING     300   /* ms, between PINGs while the cache
                                          is used */
#define NGX_ROOMS_CACHE_ASKED   2000   /* ms, that an entry waits for its
                                          reply */

typedef struct ngx_rooms_cache_s  ngx_rooms_cache_t;

typedef struct {
    ngx_str_node_t       sn;           /* its name is the room's key */
    ngx_queue_t          entries;
} ngx_rooms_cache_room_t;

typedef struct {
    ngx_queue_t              queue;    /* in the room */
    ngx_queue_t              used;     /* in the worker, newest first */
    ngx_rooms_cache_t       *cache;
    ngx_rooms_cache_room_t  *room;
    uint64_t                 ticket;
    ngx_msec_t               asked;
    size_t                   size;
    u_char                  *data;     /* the replies; NULL: not here yet */
    redisReply             **replies;
    u_char                  *answer;   /* made of them; NULL: none */
    size_t                   nanswer;
    uintptr_t                form;     /* of the answer */
    size_t                   nviewer;
    u_char                   viewer[1];
} ngx_rooms_cache_entry_t;


static size_t       ngx_rooms_cache_size;
static size_t       ngx_rooms_cache_held;
static uint64_t     ngx_rooms_cache_tickets;
static ngx_queue_t  ngx_rooms_cache_used;


/* What a worker remembers from one Redis. */
struct ngx_rooms_cache_s {
    ngx_rooms_pubsub_t       track;    /* the connection that reports changes */
    ngx_rooms_server_t      *server;
    ngx_str_t                prefix;   /* of the keys that it reports */
    ngx_rbtree_t             rooms;
    ngx_rbtree_node_t        sentinel;
    ngx_uint_t               epoch;    /* of the lane that reads */
    ngx_msec_t               alive;    /* time of the last PING that was
                                          answered */

    enum {
        NGX_ROOMS_CACHE_DOWN = 0,
        NGX_ROOMS_CACHE_ID,
        NGX_ROOMS_CACHE_TRACKING,
        NGX_ROOMS_CACHE_SUBSCRIBING,
        NGX_ROOMS_CACHE_REPORTED           /* changes are reported */
    }                        round;

    unsigned                 placed:1; /* same address as the lane */
    unsigned                 wanted:1; /* used since the last PING */
};


static ngx_rooms_cache_t *ngx_rooms_cache_of(ngx_rooms_store_t *store,
    const ngx_rooms_keys_t *keys);
static ngx_uint_t ngx_rooms_cache_stands(ngx_rooms_cache_t *cache);
static void ngx_rooms_cache_drop(ngx_rooms_cache_entry_t *e);
static void ngx_rooms_cache_room_drop(ngx_rooms_cache_room_t *room);
static void ngx_rooms_cache_greet(void *data);
static ngx_int_t ngx_rooms_cache_take(void *data, redisReply *reply);
static void ngx_rooms_cache_empty(void *data);
static ngx_msec_t ngx_rooms_cache_ping(void *data);


static const ngx_rooms_pubsub_owner_t  ngx_rooms_cache_owner = {
    .ready = ngx_rooms_cache_greet,
    .lost = ngx_rooms_cache_empty,
    .push = ngx_rooms_cache_take,
    .ping = ngx_rooms_cache_ping
};


void
ngx_rooms_cache_init_worker(size_t size)
{
    ngx_rooms_cache_size = size;
    ngx_rooms_cache_held = 0;
    ngx_queue_init(&ngx_rooms_cache_used);
}


/* The cache of the Redis that has these keys; created when first needed. */
static ngx_rooms_cache_t *
ngx_rooms_cache_of(ngx_rooms_store_t *store, const ngx_rooms_keys_t *keys)
{
    u_char              *brace;
    ngx_rooms_cache_t   *cache;
    ngx_rooms_server_t  *server;

    server = ngx_rooms_store_at(store, keys->slot);

    if (server == store->nowhere) {
        return NULL;
    }

    cache = server->cache;

    if (cache) {
        /* a connection tracks only one prefix */
        return keys->prefix.len > cache->prefix.len
               && ngx_memcmp(keys->prefix.data, cache->prefix.data,
                             cache->prefix.len) == 0
               ? cache : NULL;
    }

    cache = ngx_pcalloc(store->pool, sizeof(ngx_rooms_cache_t));
    if (cache == NULL) {
        return NULL;
    }

    /* "sw:{tenant}:" */

    brace = ngx_strlchr((u_char *) keys->prefix.data,
                        (u_char *) keys->prefix.data + keys->prefix.len, '{');
    if (brace == NULL) {
        return NULL;
    }

    cache->prefix.len = brace + 1 - keys->prefix.data;
    cache->prefix.data = ngx_pnalloc(store->pool, cache->prefix.len);
    if (cache->prefix.data == NULL) {
        return NULL;
    }

    ngx_memcpy(cache->prefix.data, keys->prefix.data, cache->prefix.len);

    cache->server = server;
    ngx_rbtree_init(&cache->rooms, &cache->sentinel,
                    ngx_str_rbtree_insert_value);

    ngx_rooms_pubsub_init(&cache->track, store, store->log);
    cache->track.owner = &ngx_rooms_cache_owner;
    cache->track.data = cache;
    cache->track.fixed = &server->node;
    server->cache = cache;

    return cache;
}


/* Whether both connections lead to the same address. */
static ngx_uint_t
ngx_rooms_cache_same_peer(ngx_rooms_cache_t *cache)
{
    socklen_t                 n, m;
    ngx_rooms_lane_t         *lane;
    struct sockaddr_storage   a, b;

    lane = &cache->server->lanes[NGX_ROOMS_LANE_FAST];

    if (lane->connection == NULL || cache->track.connection == NULL) {
        return 0;
    }

    n = sizeof(a);
    m = sizeof(b);
    ngx_memzero(&a, n);
    ngx_memzero(&b, m);

    return getpeername(lane->connection->fd, (struct sockaddr *) &a, &n) == 0
           && getpeername(cache->track.connection->fd,
                          (struct sockaddr *) &b, &m) == 0
           && n == m && ngx_memcmp(&a, &b, n) == 0;
}


/* Whether the connection reports all changes of what the lane reads. */
static ngx_uint_t
ngx_rooms_cache_stands(ngx_rooms_cache_t *cache)
{
    ngx_rooms_lane_t    *lane;
    ngx_rooms_pubsub_t  *ps;

    ps = &cache->track;
    lane = &cache->server->lanes[NGX_ROOMS_LANE_FAST];

    if (ps->state == NGX_ROOMS_PUBSUB_DOWN) {
        ngx_rooms_pubsub_want(ps);
        return 0;
    }

    if (cache->round != NGX_ROOMS_CACHE_REPORTED
        || lane->state != NGX_ROOMS_LANE_READY || lane->dead)
    {
        return 0;
    }

    if (!cache->placed) {
        cache->epoch = lane->epoch;
        cache->placed = ngx_rooms_cache_same_peer(cache);
    }

    if (!cache->placed || cache->epoch != lane->epoch) {
        ngx_rooms_pubsub_close(ps, NULL);
        return 0;
    }

    return 1;
}


/* The key of the room, "prefix{tenant}:r:room", that this key begins with. */
static ngx_str_t
ngx_rooms_cache_key(const u_char *data, size_t len)
{
    u_char     *p, *last;
    ngx_str_t   key;

    ngx_str_null(&key);

    last = (u_char *) data + len;
    p = ngx_strlchr((u_char *) data, last, '}');

    if (p == NULL || last - p < 5 || ngx_memcmp(p, "}:r:", 4) != 0) {
        return key;
    }

    for (p += 4; p < last && *p != ':'; p++) { /* void */ }

    key.data = (u_char *) data;
    key.len = p - data;

    return key;
}


static ngx_rooms_cache_room_t *
ngx_rooms_cache_room(ngx_rooms_cache_t *cache, ngx_str_t *key)
{
    return (ngx_rooms_cache_room_t *)
           ngx_str_rbtree_lookup(&cache->rooms, key,
                                 ngx_crc32_short(key->data, key->len));
}


static ngx_rooms_cache_entry_t *
ngx_rooms_cache_entry(ngx_rooms_cache_room_t *room, rooms_str_t viewer)
{
    ngx_queue_t              *q;
    ngx_rooms_cache_entry_t  *e;

    for (q = room ? ngx_queue_head(&room->entries) : NULL;
         room && q != ngx_queue_sentinel(&room->entries);
         q = ngx_queue_next(q))
    {
        e = ngx_queue_data(q, ngx_rooms_cache_entry_t, queue);

        if (e->nviewer == viewer.len
            && ngx_memcmp(e->viewer, viewer.data, viewer.len) == 0)
        {
            return e;
        }
    }

    return NULL;
}


static void
ngx_rooms_cache_drop(ngx_rooms_cache_entry_t *e)
{
    ngx_rooms_cache_room_t  *room;

    room = e->room;

    ngx_queue_remove(&e->queue);
    ngx_queue_remove(&e->used);
    ngx_rooms_cache_held -= e->size;

    if (e->data) {
        ngx_free(e->data);
    }

    if (e->answer) {
        ngx_free(e->answer);
    }

    if (ngx_queue_empty(&room->entries)) {
        ngx_rbtree_delete(&e->cache->rooms, &room->sn.node);
        ngx_rooms_cache_held -= sizeof(*room) + room->sn.str.len;
        ngx_free(room);
    }

    ngx_free(e);
}


static void
ngx_rooms_cache_room_drop(ngx_rooms_cache_room_t *room)
{
    ngx_uint_t                last;
    ngx_queue_t              *q;
    ngx_rooms_cache_entry_t  *e;

    do {
        q = ngx_queue_head(&room->entries);
        last = ngx_queue_next(q) == ngx_queue_sentinel(&room->entries);
        e = ngx_queue_data(q, ngx_rooms_cache_entry_t, queue);
        ngx_rooms_cache_drop(e);
    } while (!last);
}


/*
 * A viewer's preferences are part of each of their entries.  If they change,
 * drops these entries.
 */
static void
ngx_rooms_cache_viewer(ngx_rooms_cache_t *cache, const u_char *data,
    size_t len)
{
    u_char                   *p, *last;
    size_t                    n;
    ngx_queue_t              *q, *next;
    ngx_rooms_cache_entry_t  *e;

    last = (u_char *) data + len;
    n = sizeof(":preferences") - 1;
    p = ngx_strlchr((u_char *) data, last, '}');

    if (p == NULL || (size_t) (last - p) < 4 + n
        || ngx_memcmp(p, "}:p:", 4) != 0
        || ngx_memcmp(last - n, ":preferences", n) != 0)
    {
        return;
    }

    p += 4;
    last -= n;

    for (q = ngx_queue_head(&ngx_rooms_cache_used);
         q != ngx_queue_sentinel(&ngx_rooms_cache_used);
         q = next)
    {
        next = ngx_queue_next(q);
        e = ngx_queue_data(q, ngx_rooms_cache_entry_t, used);

        if (e->cache == cache && e->nviewer == (size_t) (last - p)
            && ngx_memcmp(e->viewer, p, last - p) == 0)
        {
            ngx_rooms_cache_drop(e);
        }
    }
}


static void
ngx_rooms_cache_forget(ngx_rooms_cache_t *cache, const u_char *data,
    size_t len)
{
    ngx_str_t                key;
    ngx_rooms_cache_room_t  *room;

    ngx_rooms_cache_viewer(cache, data, len);

    key = ngx_rooms_cache_key(data, len);
    room = key.len ? ngx_rooms_cache_room(cache, &key) : NULL;

    if (room) {
        ngx_rooms_cache_room_drop(room);
    }
}


static void
ngx_rooms_cache_empty(void *data)
{
    ngx_rooms_cache_t *cache = data;

    ngx_rbtree_node_t  *root;

    cache->round = NGX_ROOMS_CACHE_DOWN;
    cache->placed = 0;

    for ( ;; ) {
        root = cache->rooms.root;

        if (root == cache->rooms.sentinel) {
            return;
        }

        ngx_rooms_cache_room_drop((ngx_rooms_cache_room_t *) root);
    }
}


/* Drops the oldest entries until `size` more bytes fit. */
static ngx_int_t
ngx_rooms_cache_room_for(size_t size)
{
    ngx_queue_t              *q;
    ngx_rooms_cache_entry_t  *e;

    if (size > ngx_rooms_cache_size) {
        return NGX_DECLINED;
    }

    while (ngx_rooms_cache_held + size > ngx_rooms_cache_size) {

        if (ngx_queue_empty(&ngx_rooms_cache_used)) {
            return NGX_DECLINED;
        }

        q = ngx_queue_last(&ngx_rooms_cache_used);
        e = ngx_queue_data(q, ngx_rooms_cache_entry_t, used);
        ngx_rooms_cache_drop(e);
    }

    return NGX_OK;
}


static ngx_rooms_cache_entry_t *
ngx_rooms_cache_add(ngx_rooms_cache_t *cache, ngx_str_t *key,
    rooms_str_t viewer)
{
    size_t                    size;
    u_char                   *p;
    ngx_rooms_cache_room_t   *room;
    ngx_rooms_cache_entry_t  *e;

    size = sizeof(ngx_rooms_cache_entry_t) + viewer.len;

    if (ngx_rooms_cache_room_for(size + sizeof(ngx_rooms_cache_room_t)
                                 + key->len) != NGX_OK)
    {
        return NULL;
    }

    e = ngx_calloc(size, cache->track.log);
    if (e == NULL) {
        return NULL;
    }

    room = ngx_rooms_cache_room(cache, key);

    if (room == NULL) {
        room = ngx_calloc(sizeof(ngx_rooms_cache_room_t) + key->len,
                          cache->track.log);
        if (room == NULL) {
            ngx_free(e);
            return NULL;
        }

        p = (u_char *) (room + 1);
        ngx_memcpy(p, key->data, key->len);
        room->sn.str.data = p;
        room->sn.str.len = key->len;
        room->sn.node.key = ngx_crc32_short(p, key->len);
        ngx_queue_init(&room->entries);
        ngx_rbtree_insert(&cache->rooms, &room->sn.node);
        ngx_rooms_cache_held += sizeof(*room) + key->len;
    }

    e->cache = cache;
    e->room = room;
    e->size = size;
    e->nviewer = viewer.len;
    ngx_memcpy(e->viewer, viewer.data, viewer.len);
    ngx_queue_insert_head(&room->entries, &e->queue);
    ngx_queue_insert_head(&ngx_rooms_cache_used, &e->used);
    ngx_rooms_cache_held += size;

    return e;
}


ngx_int_t
ngx_rooms_cache_get(ngx_rooms_store_t *store, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t viewer, uintptr_t form,
    ngx_rooms_cached_t *found)
{
    ngx_str_t                 key;
    rooms_str_t               name;
    ngx_rooms_cache_t        *cache;
    ngx_rooms_cache_entry_t  *e;

    ngx_memzero(found, sizeof(ngx_rooms_cached_t));

    if (ngx_rooms_cache_size == 0 || ngx_exiting) {
        return NGX_DECLINED;
    }

    cache = ngx_rooms_cache_of(store, keys);

    if (cache == NULL || !ngx_rooms_cache_stands(cache)) {
        return NGX_DECLINED;
    }

    cache->wanted = 1;

    name = ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM, room);
    if (name.data == NULL) {
        return NGX_DECLINED;
    }

    key = ngx_from_rooms(name);
    e = ngx_rooms_cache_entry(ngx_rooms_cache_room(cache, &key), viewer);

    if (ngx_current_msec - cache->alive > NGX_ROOMS_CACHE_TRUST) {
        /* the reply can be used once the PONG is here */
        ngx_rooms_pubsub_check(&cache->track);

        if (cache->round != NGX_ROOMS_CACHE_REPORTED) {
            return NGX_DECLINED;
        }

    } else if (e && e->data) {
        ngx_queue_remove(&e->used);
        ngx_queue_insert_head(&ngx_rooms_cache_used, &e->used);
        found->replies = e->replies;
        found->ticket = e->ticket;

        if (e->answer && e->form == form) {
            found->answer.data = e->answer;
            found->answer.len = e->nanswer;
        }

        return NGX_OK;
    }

    if (e && e->data == NULL
        && ngx_current_msec - e->asked < NGX_ROOMS_CACHE_ASKED)
    {
        /* another request has asked for it already */
        return NGX_DECLINED;
    }

    if (e) {
        ngx_rooms_cache_drop(e);
    }

    e = ngx_rooms_cache_add(cache, &key, viewer);

    if (e) {
        e->asked = ngx_current_msec;
        e->ticket = ++ngx_rooms_cache_tickets;
        found->ticket = e->ticket;
    }

    return NGX_DECLINED;
}


static size_t
ngx_rooms_cache_measure(const redisReply *reply)
{
    size_t      size, i;

    size = ngx_align(sizeof(redisReply), NGX_ALIGNMENT);

    if (reply->type == REDIS_REPLY_ARRAY) {
        size += reply->elements * sizeof(redisReply *);

        for (i = 0; i < reply->elements; i++) {
            size += ngx_rooms_cache_measure(reply->element[i]);
        }

    } else if (reply->str) {
        size += ngx_align(reply->len + 1, NGX_ALIGNMENT);
    }

    return size;
}


static redisReply *
ngx_rooms_cache_copy(u_char **p, const redisReply *reply)
{
    size_t       i;
    redisReply  *copy;

    copy = (redisReply *) *p;
    *p += ngx_align(sizeof(redisReply), NGX_ALIGNMENT);
    *copy = *reply;

    if (reply->type == REDIS_REPLY_ARRAY) {
        copy->element = (redisReply **) *p;
        *p += reply->elements * sizeof(redisReply *);

        for (i = 0; i < reply->elements; i++) {
            copy->element[i] = ngx_rooms_cache_copy(p, reply->element[i]);
        }

    } else if (reply->str) {
        copy->str = (char *) *p;
        ngx_memcpy(*p, reply->str, reply->len);
        (*p)[reply->len] = '\0';
        *p += ngx_align(reply->len + 1, NGX_ALIGNMENT);
    }

    return copy;
}


/* The entry that was asked for with this ticket, if it is still there. */
static ngx_rooms_cache_entry_t *
ngx_rooms_cache_asked(ngx_rooms_store_t *store, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t viewer, uint64_t ticket)
{
    ngx_str_t                 key;
    rooms_str_t               name;
    ngx_rooms_cache_t        *cache;
    ngx_rooms_cache_entry_t  *e;

    cache = ngx_rooms_cache_of(store, keys);
    name = ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM, room);

    if (cache == NULL || name.data == NULL || !ngx_rooms_cache_stands(cache)) {
        return NULL;
    }

    key = ngx_from_rooms(name);
    e = ngx_rooms_cache_entry(ngx_rooms_cache_room(cache, &key), viewer);

    /* otherwise something changed, or the cache was emptied */

    return e && e->ticket == ticket ? e : NULL;
}


/* Memory for an entry that grows; NULL: there is none, and it is dropped. */
static u_char *
ngx_rooms_cache_grow(ngx_rooms_cache_entry_t *e, size_t size)
{
    u_char  *p;

    /* it must not be dropped to make room for itself */

    ngx_queue_remove(&e->used);
    ngx_queue_init(&e->used);

    if (ngx_rooms_cache_room_for(size) != NGX_OK
        || (p = ngx_alloc(size, e->cache->track.log)) == NULL)
    {
        ngx_rooms_cache_drop(e);
        return NULL;
    }

    ngx_queue_insert_head(&ngx_rooms_cache_used, &e->used);

    e->size += size;
    ngx_rooms_cache_held += size;

    return p;
}


void
ngx_rooms_cache_put(ngx_rooms_store_t *store, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t viewer, uint64_t ticket,
    redisReply **replies, ngx_uint_t n)
{
    size_t                    size;
    u_char                   *p;
    ngx_uint_t                i;
    ngx_rooms_cache_entry_t  *e;

    e = ngx_rooms_cache_asked(store, keys, room, viewer, ticket);

    if (e == NULL || e->data) {
        return;
    }

    size = n * sizeof(redisReply *);

    for (i = 0; i < n; i++) {
        size += ngx_rooms_cache_measure(replies[i]);
    }

    p = ngx_rooms_cache_grow(e, size);
    if (p == NULL) {
        return;
    }

    e->data = p;
    e->replies = (redisReply **) p;
    p += n * sizeof(redisReply *);

    for (i = 0; i < n; i++) {
        e->replies[i] = ngx_rooms_cache_copy(&p, replies[i]);
    }
}


void
ngx_rooms_cache_answer(ngx_rooms_store_t *store, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t viewer, uint64_t ticket, uintptr_t form,
    rooms_str_t answer)
{
    u_char                   *p;
    ngx_rooms_cache_entry_t  *e;

    e = ngx_rooms_cache_asked(store, keys, room, viewer, ticket);

    if (e == NULL || e->data == NULL) {
        return;
    }

    if (e->answer) {
        ngx_free(e->answer);
        e->answer = NULL;
        e->size -= e->nanswer;
        ngx_rooms_cache_held -= e->nanswer;
    }

    p = ngx_rooms_cache_grow(e, answer.len);
    if (p == NULL) {
        return;
    }

    ngx_memcpy(p, answer.data, answer.len);

    e->answer = p;
    e->nanswer = answer.len;
    e->form = form;
}


void
ngx_rooms_cache_changed(ngx_rooms_store_t *store,
    const ngx_rooms_keys_t *keys, const ngx_array_t *changed)
{
    ngx_uint_t           i;
    rooms_str_t         *key;
    ngx_rooms_cache_t   *cache;

    if (ngx_rooms_cache_size == 0) {
        return;
    }

    cache = ngx_rooms_store_at(store, keys->slot)->cache;

    if (cache == NULL) {
        return;
    }

    key = changed->elts;

    for (i = 0; i < changed->nelts; i++) {
        ngx_rooms_cache_forget(cache, key[i].data, key[i].len);
    }
}


/* The connection: CLIENT ID, CLIENT TRACKING, SUBSCRIBE, then reports. */

static void
ngx_rooms_cache_greet(void *data)
{
    ngx_rooms_cache_t *cache = data;

    cache->round = NGX_ROOMS_CACHE_ID;

    ngx_rooms_pubsub_send(&cache->track,
                          (rooms_str_t[]) { ngx_rooms_s("CLIENT"),
                                            ngx_rooms_s("ID") }, 2);
}


static void
ngx_rooms_cache_follow(ngx_rooms_cache_t *cache, long long id)
{
    u_char  number[NGX_INT64_LEN];

    cache->round = NGX_ROOMS_CACHE_TRACKING;

    ngx_rooms_pubsub_send(&cache->track, (rooms_str_t[]) {
                          ngx_rooms_s("CLIENT"), ngx_rooms_s("TRACKING"),
                          ngx_rooms_s("ON"), ngx_rooms_s("REDIRECT"),
                          { ngx_sprintf(number, "%L", (int64_t) id) - number,
                            number },
                          ngx_rooms_s("BCAST"), ngx_rooms_s("PREFIX"),
                          rooms_from_ngx(cache->prefix) }, 8);
}


static void
ngx_rooms_cache_named(ngx_rooms_cache_t *cache, redisReply *keys)
{
    size_t       i;
    rooms_str_t  key;

    if (keys == NULL || keys->type != REDIS_REPLY_ARRAY) {
        /* FLUSHALL names no keys */
        ngx_rooms_cache_empty(cache);
        cache->round = NGX_ROOMS_CACHE_REPORTED;
        return;
    }

    for (i = 0; i < keys->elements; i++) {
        key = ngx_rooms_reply_str(keys->element[i]);
        ngx_rooms_cache_forget(cache, key.data, key.len);
    }
}


static ngx_int_t
ngx_rooms_cache_take(void *data, redisReply *reply)
{
    ngx_rooms_cache_t *cache = data;

    rooms_str_t  kind;

    switch (cache->round) {

    case NGX_ROOMS_CACHE_ID:

        if (reply->type != REDIS_REPLY_INTEGER) {
            return NGX_ERROR;
        }

        ngx_rooms_cache_follow(cache, reply->integer);

        return cache->track.connection ? NGX_OK : NGX_DONE;

    case NGX_ROOMS_CACHE_TRACKING:

        if (reply->type != REDIS_REPLY_STATUS) {
            return NGX_ERROR;
        }

        cache->round = NGX_ROOMS_CACHE_SUBSCRIBING;

        ngx_rooms_pubsub_send(&cache->track, (rooms_str_t[]) {
                              ngx_rooms_s("SUBSCRIBE"),
                              ngx_rooms_s("__redis__:invalidate") }, 2);

        return cache->track.connection ? NGX_OK : NGX_DONE;

    default:
        break;
    }

    kind = ngx_rooms_reply_str_at(reply, 0);

    if (rooms_str_eq(kind, ngx_rooms_s("message"))) {
        ngx_rooms_cache_named(cache, ngx_rooms_reply_element(reply, 2));

    } else if (rooms_str_eq(kind, ngx_rooms_s("subscribe"))) {
        cache->round = NGX_ROOMS_CACHE_REPORTED;
        cache->track.attempts = 0;
        cache->track.refused = 0;
        cache->alive = ngx_current_msec - 2 * NGX_ROOMS_CACHE_TRUST;
        ngx_rooms_pubsub_check(&cache->track);

        return cache->track.connection ? NGX_OK : NGX_DONE;

    } else if (rooms_str_eq(kind, ngx_rooms_s("pong"))) {
        cache->alive = cache->track.pinged;
    }

    return NGX_OK;
}


/* ms until the next PING. */
static ngx_msec_t
ngx_rooms_cache_ping(void *data)
{
    ngx_rooms_cache_t *cache = data;

    if (!cache->wanted) {
        return NGX_ROOMS_PUBSUB_PING;
    }

    cache->wanted = 0;

    return NGX_ROOMS_CACHE_PING;
}


void
ngx_rooms_cache_exit_worker(ngx_rooms_store_t *store)
{
    ngx_uint_t          i;
    ngx_rooms_cache_t  *cache;

    for (i = 0; i < store->nservers; i++) {
        cache = store->servers[i]->cache;

        if (cache) {
            ngx_rooms_cache_empty(cache);
            ngx_rooms_pubsub_leave(&cache->track);
        }
    }
}
