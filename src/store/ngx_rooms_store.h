/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_STORE_H
#define NGX_ROOMS_STORE_H

#include "ngx_rooms_redis.h"
#include "rooms.h"


/*
 * The store: one Redis, and the keys in it.  docs/data-model.md describes
 * every key; ngx_rooms_keys in ngx_rooms_store.c is their only list.
 */

#define NGX_ROOMS_LANE_FAST  0         /* requests and commits */
#define NGX_ROOMS_LANE_BULK  1         /* long pages */
#define NGX_ROOMS_LANES      2

typedef struct {
    ngx_rooms_node_t    node;
    ngx_str_t           url;
    ngx_rooms_lane_t    lanes[NGX_ROOMS_LANES];   /* of this worker */
} ngx_rooms_store_t;


typedef enum {
    NGX_ROOMS_KEY_TENANT = 0,          /* hash: limits, count of rooms */
    NGX_ROOMS_KEY_POSITION,            /* counter: the last event's */
    NGX_ROOMS_KEY_PARTICIPANTS,        /* hash: id -> profile */
    NGX_ROOMS_KEY_LOCALS,              /* hash: local id -> id */
    NGX_ROOMS_KEY_ALIASES,             /* hash: slug -> room */
    NGX_ROOMS_KEY_PUBLIC,              /* zset: open public rooms, by id */
    NGX_ROOMS_KEY_DMS,                 /* hash: "a b" -> room */

    NGX_ROOMS_KEY_USER_ROOMS,          /* zset: joined or invited, by id */
    NGX_ROOMS_KEY_USER_WORKSPACES,     /* zset, by id */
    NGX_ROOMS_KEY_WORKSPACE,           /* hash */
    NGX_ROOMS_KEY_WORKSPACE_MEMBERS,   /* hash: participant -> role */

    NGX_ROOMS_KEY_ROOM,                /* hash */
    NGX_ROOMS_KEY_MEMBERS,             /* hash: participant -> row */
    NGX_ROOMS_KEY_OWN,                 /* hash: participant -> settings */
    NGX_ROOMS_KEY_ORDER,               /* zset: joined, by succession */
    NGX_ROOMS_KEY_LIST,                /* zset: joined and invited, by id */
    NGX_ROOMS_KEY_BANS,                /* zset: banned, by id */
    NGX_ROOMS_KEY_EVENTS,              /* zset: event JSON by position */
    NGX_ROOMS_KEY_UNREAD,              /* zset: messages and markers */
    NGX_ROOMS_KEY_MARKERS,             /* zset: the markers alone */
    NGX_ROOMS_KEY_UUIDS,               /* hash: "sender uuid" -> event id */

    NGX_ROOMS_KEY_COMMIT,              /* string: result of a commit, 60 s */
    NGX_ROOMS_KEY_IDEMPOTENCY,         /* string: first answer, 24 h */
    NGX_ROOMS_KEY_MAX
} ngx_rooms_key_e;


/* Keys of one tenant.  `prefix` is "sw:{tenant}:". */
typedef struct {
    ngx_pool_t         *pool;
    rooms_str_t         prefix;
} ngx_rooms_keys_t;

ngx_int_t ngx_rooms_keys_init(ngx_rooms_keys_t *keys, ngx_pool_t *pool,
    ngx_str_t *prefix, rooms_str_t tenant);

/*
 * The key of a kind; id is what its name holds (room, participant, ...), or
 * ROOMS_NULL.  data == NULL: out of memory.
 */
rooms_str_t ngx_rooms_key(ngx_rooms_keys_t *keys, ngx_rooms_key_e kind,
    rooms_str_t id);


/*
 * Parses a rooms_redis URL and resolves its host.  NULL, or what is wrong
 * with it.
 */
char *ngx_rooms_store_parse(ngx_conf_t *cf, ngx_str_t *url,
    ngx_rooms_node_t *node);
void ngx_rooms_store_init_worker(ngx_rooms_store_t *store, ngx_log_t *log);


static inline rooms_str_t
rooms_from_ngx(ngx_str_t s)
{
    return (rooms_str_t) { s.len, s.data };
}

static inline ngx_str_t
ngx_from_rooms(rooms_str_t s)
{
    return (ngx_str_t) { s.len, (u_char *) s.data };
}

/* Copies and concatenation into a pool; data == NULL: out of memory. */
rooms_str_t ngx_rooms_dup(ngx_pool_t *pool, rooms_str_t s);
rooms_str_t ngx_rooms_concat(ngx_pool_t *pool, const rooms_str_t *parts,
    ngx_uint_t n);
#define ngx_rooms_join(pool, ...)                                             \
    ngx_rooms_concat(pool, (rooms_str_t[]) { __VA_ARGS__ },                   \
                     sizeof((rooms_str_t[]) { __VA_ARGS__ })                  \
                     / sizeof(rooms_str_t))
rooms_str_t ngx_rooms_number(ngx_pool_t *pool, int64_t n);

#endif /* NGX_ROOMS_STORE_H */
