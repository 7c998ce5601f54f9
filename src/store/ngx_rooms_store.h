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
#define NGX_ROOMS_LANE_SURE  2         /* commits that wait for replicas */
#define NGX_ROOMS_LANES      3

typedef enum {
    NGX_ROOMS_STORE_SINGLE = 0,
    NGX_ROOMS_STORE_CLUSTER,
    NGX_ROOMS_STORE_SENTINEL
} ngx_rooms_store_kind_e;

#define NGX_ROOMS_SLOTS     16384      /* of a Redis Cluster */
#define NGX_ROOMS_NODES_MAX   256

/* One Redis or sentinel, and this worker's connections to it. */
typedef struct {
    ngx_rooms_node_t         node;
    ngx_rooms_lane_t         lanes[NGX_ROOMS_LANES];
    struct ngx_rooms_cache_s  *cache;  /* NULL: nothing was cached yet */

    struct ngx_rooms_store_s  *store;
    ngx_rooms_batch_t       *question; /* about the topology, in flight */
    ngx_msec_t               asked;    /* when */
    ngx_msec_t               said;     /* a sentinel's last answer, 0: none */
    int64_t                  epoch;    /* of the configuration it named */
    ngx_uint_t               leads;    /* 1: a failover */
} ngx_rooms_server_t;

/*
 * What rooms_redis names.  A single Redis and the primary that sentinels
 * name are servers[0]; a cluster has one for each node seen so far.
 */
typedef struct ngx_rooms_store_s {
    ngx_str_t                url;
    ngx_str_t                name;     /* without a password, for the log */
    ngx_rooms_store_kind_e   kind;
    ngx_rooms_node_t         node;     /* settings that all nodes share */
    ngx_array_t             *seeds;    /* of ngx_addr_t: cluster, sentinels */
    ngx_str_t                primary;  /* its name, of sentinels */

    /* of this worker */
    ngx_log_t               *log;
    ngx_pool_t              *pool;
    ngx_rooms_server_t      *servers[NGX_ROOMS_NODES_MAX];
    ngx_uint_t               nservers;
    uint16_t                *slots;    /* cluster: index into servers */
    ngx_rooms_server_t      *sentinels[NGX_ROOMS_NODES_MAX];
    ngx_uint_t               nsentinels;
    ngx_uint_t               asking;   /* which of them is next */
    ngx_msec_t               asked;    /* about the topology, 0: never */
    ngx_event_t              watch;    /* asks sentinels again and again */
    ngx_msec_t               held;     /* since when, for a failover; or 0 */
    struct ngx_rooms_pubsub_s  *pubsub;
} ngx_rooms_store_t;


typedef enum {
    NGX_ROOMS_KEY_TENANT = 0,          /* hash: limits, count of rooms */
    NGX_ROOMS_KEY_POSITION,            /* counter: the last event's */
    NGX_ROOMS_KEY_ACTIVE,              /* zset: rooms and " participant"s, by
                                          the last position that concerns
                                          them */
    NGX_ROOMS_KEY_PARTICIPANTS,        /* hash: id -> profile */
    NGX_ROOMS_KEY_LOCALS,              /* hash: local id -> id */
    NGX_ROOMS_KEY_SEEN,                /* hash: participant -> day */
    NGX_ROOMS_KEY_WORDS,               /* zset: index of "people", "rooms" */
    NGX_ROOMS_KEY_SCIM,                /* hash: id -> the resource */
    NGX_ROOMS_KEY_SCIM_NAMES,          /* hash: userName -> id */
    NGX_ROOMS_KEY_SCIM_EXTERNALS,      /* hash: externalId -> id */
    NGX_ROOMS_KEY_SCIM_LIST,           /* zset: ids, by their creation */
    NGX_ROOMS_KEY_DEACTIVATED,         /* hash: id -> when, ms */
    NGX_ROOMS_KEY_OFFBOARD,            /* zset: participants who are on their
                                          way out, by when to go on */
    NGX_ROOMS_KEY_TENANTS,             /* zset: "tenant minute" of those with
                                          such; of no tenant */
    NGX_ROOMS_KEY_ALIASES,             /* hash: slug -> room */
    NGX_ROOMS_KEY_PUBLIC,              /* zset: open public rooms, by id */
    NGX_ROOMS_KEY_DMS,                 /* hash: "a b" -> room */
    NGX_ROOMS_KEY_FEDERATION,          /* hash: policy */
    NGX_ROOMS_KEY_PEERS,               /* hash: server -> last seen */
    NGX_ROOMS_KEY_PEER_ERRORS,         /* hash: server -> last error */
    NGX_ROOMS_KEY_PEER_NAMES,          /* zset: all that are known here */
    NGX_ROOMS_KEY_PEER_REACHED,        /* hash: server -> last answer */
    NGX_ROOMS_KEY_PEER_ROOMS,          /* zset: rooms with its members */
    NGX_ROOMS_KEY_PEER_SERVERS,        /* zset: that are in any room */
    NGX_ROOMS_KEY_UNACCEPTED,          /* hash: server -> replicas in which
                                          nobody of ours has joined */
    NGX_ROOMS_KEY_OUTBOXES,            /* zset: server, by the next try */
    NGX_ROOMS_KEY_OUTBOX,              /* zset: "kind room ...", by position */
    NGX_ROOMS_KEY_OUTBOX_STATE,        /* hash: server -> failures, ... */
    NGX_ROOMS_KEY_ENDINGS,             /* zset: "room server admin" */
    NGX_ROOMS_KEY_PROFILES,            /* zset: foreign participants whose
                                          names are asked for, by when */

    NGX_ROOMS_KEY_USER_ROOMS,          /* zset: joined or invited, by id */
    NGX_ROOMS_KEY_USER_KINDS,          /* zset: "type room", "invite room" */
    NGX_ROOMS_KEY_USER_PREFERENCES,    /* hash: name -> JSON */
    NGX_ROOMS_KEY_USER_WORKSPACES,     /* zset, by id */
    NGX_ROOMS_KEY_USER_NEWS,           /* zset: "m room", "r room" by the
                                          position of the last change of
                                          membership, read marker */
    NGX_ROOMS_KEY_USER_MARKERS,        /* hash: room -> JSON of the marker */
    NGX_ROOMS_KEY_USER_ANSWERS,        /* zset: recorded answers of its requests
                                          or that name it, by when */
    NGX_ROOMS_KEY_USER_OFFBOARD,       /* hash: how far it is */
    NGX_ROOMS_KEY_WORKSPACE,           /* hash */
    NGX_ROOMS_KEY_WORKSPACE_MEMBERS,   /* hash: participant -> role */
    NGX_ROOMS_KEY_WORKSPACE_LIST,      /* zset: members, by id */
    NGX_ROOMS_KEY_WORKSPACE_ROOMS,     /* zset: its open rooms */

    NGX_ROOMS_KEY_ROOM,                /* hash */
    NGX_ROOMS_KEY_MEMBERS,             /* hash: participant -> row */
    NGX_ROOMS_KEY_OWN,                 /* hash: participant -> settings */
    NGX_ROOMS_KEY_ORDER,               /* zset: joined, by succession */
    NGX_ROOMS_KEY_LIST,                /* zset: joined and invited, by id */
    NGX_ROOMS_KEY_BANS,                /* zset: banned, by id */
    NGX_ROOMS_KEY_EVENTS,              /* zset: rows by position */
    NGX_ROOMS_KEY_UNREAD,              /* zset: messages and markers */
    NGX_ROOMS_KEY_MARKERS,             /* zset: the markers alone */
    NGX_ROOMS_KEY_ANSWERS,             /* hash: Idempotency-Key -> answer */
    NGX_ROOMS_KEY_UUIDS,               /* hash: "sender uuid" -> event id */
    NGX_ROOMS_KEY_COPIES,              /* hash: event id -> where more of its
                                          body is: its edits' ids */
    NGX_ROOMS_KEY_AUTHORS,             /* hash: number -> JSON of one who
                                          wrote imported events */
    NGX_ROOMS_KEY_REACTIONS,           /* zset: "event sender emoji" */
    NGX_ROOMS_KEY_TALLY,               /* zset: "event emoji" */
    NGX_ROOMS_KEY_COUNTS,              /* hash: "event emoji" -> minus how
                                          many */
    NGX_ROOMS_KEY_JOURNAL,             /* hash: media id -> sha256, of a room
                                          that isn't made yet */
    NGX_ROOMS_KEY_TOLD,                /* zset: whom a snapshot has named;
                                          "room:id of its first part" */

    NGX_ROOMS_KEY_MEDIA,               /* hash: media id -> metadata */
    NGX_ROOMS_KEY_BLOBS,               /* hash: sha256 -> references */
    NGX_ROOMS_KEY_IMPORTS,             /* zset: rooms with a journal, by the
                                          time of its last step */

    NGX_ROOMS_KEY_LEASE,               /* string: who does a chore */
    NGX_ROOMS_KEY_CHANNEL,             /* pub/sub: "position room who ..." */
    NGX_ROOMS_KEY_COMMIT,              /* string: result of a commit, 60 s */
    NGX_ROOMS_KEY_IDEMPOTENCY,         /* string: first answer, 24 h */
    NGX_ROOMS_KEY_KEPT,                /* zset: of all answers, by when */
    NGX_ROOMS_KEY_MAX
} ngx_rooms_key_e;


/* Keys of one tenant.  `prefix` is "sw:{tenant}:". */
typedef struct ngx_rooms_keys_s {
    ngx_pool_t         *pool;
    rooms_str_t         prefix;
    ngx_uint_t          slot;          /* of the tenant, in a cluster */
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
 * Appends a command that is written as one line: words with one space between,
 * each an argument.  In a word stands %k for a key (its kind, and an id as for
 * ngx_rooms_key()), %s for a rooms_str_t, %d for an int64_t, %_ for a space.
 * NGX_ERROR: out of memory.
 */
ngx_int_t ngx_rooms_ask(ngx_rooms_batch_t *b, const ngx_rooms_keys_t *keys,
    const char *line, ...);


/*
 * Parses a rooms_redis URL and resolves its hosts (ngx_rooms_url.c).  NULL,
 * or what is wrong with it.
 */
char *ngx_rooms_store_parse(ngx_conf_t *cf, ngx_str_t *url,
    ngx_rooms_store_t *store);
ngx_int_t ngx_rooms_store_init_worker(ngx_rooms_store_t *store,
    ngx_cycle_t *cycle);
void ngx_rooms_store_exit_worker(ngx_rooms_store_t *store);

/* The Redis, or the connection, that serves a slot's keys now. */
ngx_rooms_server_t *ngx_rooms_store_at(ngx_rooms_store_t *store,
    ngx_uint_t slot);
ngx_rooms_lane_t *ngx_rooms_store_lane(ngx_rooms_store_t *store,
    ngx_uint_t slot, ngx_uint_t lane);

/*
 * The store has moved (ngx_rooms_topology.c): MOVED and ASK of a cluster,
 * READONLY of what was a primary.  Looks at an answered batch.  NGX_AGAIN: it
 * goes elsewhere, and its handler is called again when that is answered.
 */
ngx_int_t ngx_rooms_store_moved(ngx_rooms_store_t *store,
    ngx_rooms_batch_t *b, ngx_uint_t lane);
/* Asks for the topology, unless that was done a moment ago. */
void ngx_rooms_store_discover(ngx_rooms_store_t *store);
/* A server by its address, which is added if it is new; NULL: no room. */
ngx_rooms_server_t *ngx_rooms_store_server(ngx_rooms_store_t *store,
    ngx_str_t *host, ngx_uint_t port);
ngx_rooms_server_t *ngx_rooms_store_add(ngx_rooms_store_t *store,
    ngx_addr_t *addr);
void ngx_rooms_topology_init(ngx_rooms_store_t *store);
/* A node's `down`. */
void ngx_rooms_topology_down(void *data);


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

/* Random bytes, and hexadecimal digits (at most 64, an even number). */
void ngx_rooms_random(u_char *dst, size_t len);
void ngx_rooms_random_hex(u_char *dst, size_t len);

#endif /* NGX_ROOMS_STORE_H */
