/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_STORE_H
#define NGX_ROOMS_STORE_H

#include "ngx_rooms_redis.h"
#include "rooms.h"


/*
 * The store: Redis, and the keys in it. docs/data-model.md describes every
 * key; the table in ngx_rooms_store.c is the only list of their names.
 */

#define NGX_ROOMS_LANE_FAST  0         /* requests and commits */
#define NGX_ROOMS_LANE_BULK  1         /* long replies */
#define NGX_ROOMS_LANE_SURE  2         /* commits that wait for replicas */
#define NGX_ROOMS_LANES      3

typedef enum {
    NGX_ROOMS_STORE_SINGLE = 0,
    NGX_ROOMS_STORE_CLUSTER,
    NGX_ROOMS_STORE_SENTINEL
} ngx_rooms_store_kind_e;

#define NGX_ROOMS_SLOTS     16384      /* of a Redis Cluster */
#define NGX_ROOMS_NODES_MAX   256
#define NGX_ROOMS_NOWHERE     NGX_ROOMS_NODES_MAX

/* One Redis or sentinel, and this worker's connections to it. */
typedef struct {
    ngx_rooms_node_t         node;
    ngx_rooms_lane_t         lanes[NGX_ROOMS_LANES];
    struct ngx_rooms_cache_s  *cache;  /* NULL: nothing cached yet */

    struct ngx_rooms_store_s  *store;
    ngx_rooms_batch_t       *question; /* asks for the topology, in flight */
    ngx_msec_t               asked;    /* when that was */
    ngx_msec_t               said;     /* time of a sentinel's last answer,
                                          0: none */
    ngx_str_t                host;     /* its name, if the cluster tells it
                                          by one */
    int64_t                  epoch;    /* of the configuration that it named */
    ngx_uint_t               leads;    /* 1: it leads a failover */
    ngx_uint_t               logged;   /* 1: the log has what is wrong with
                                          its answer */
} ngx_rooms_server_t;

/*
 * The store that rooms_redis names.  A single Redis, or the primary that
 * sentinels name, is servers[0].  A cluster has a server for each node seen
 * so far.
 */
typedef struct ngx_rooms_store_s {
    ngx_str_t                url;
    ngx_str_t                name;     /* the URL without a password, for
                                          logs */
    ngx_rooms_store_kind_e   kind;
    ngx_rooms_node_t         node;     /* settings that all nodes share */
    ngx_array_t             *seeds;    /* of ngx_addr_t: nodes of a cluster,
                                          or sentinels */
    ngx_str_t                primary;  /* sentinels' name for it */

    /* from here on set in each worker */
    ngx_log_t               *log;
    ngx_pool_t              *pool;
    ngx_rooms_server_t      *servers[NGX_ROOMS_NODES_MAX];
    ngx_uint_t               nservers;
    uint16_t                *slots;    /* cluster: index into servers, or
                                          NGX_ROOMS_NOWHERE */
    ngx_rooms_server_t      *nowhere;  /* no server: requests wait here until
                                          their slot's node is known */
    ngx_uint_t               lost;     /* no node is known to be up */
    ngx_rooms_server_t      *sentinels[NGX_ROOMS_NODES_MAX];
    ngx_uint_t               nsentinels;
    ngx_msec_t               asked;    /* when the topology was last asked
                                          for, 0: never */
    ngx_event_t              watch;    /* timer that asks sentinels */
    ngx_msec_t               held;     /* since when commands wait for a
                                          failover; 0: they don't */
    struct ngx_rooms_pubsub_s  *pubsub;
} ngx_rooms_store_t;


typedef enum {
    NGX_ROOMS_KEY_TENANT = 0,          /* hash: limits, count of rooms */
    NGX_ROOMS_KEY_POSITION,            /* counter: position of the last event */
    NGX_ROOMS_KEY_ACTIVE,              /* zset: rooms and " participant"s, by
                                          the last position that concerns
                                          them */
    NGX_ROOMS_KEY_EARLY,               /* zset: rooms whose events may begin
                                          before their id's time */
    NGX_ROOMS_KEY_PARTICIPANTS,        /* hash: id -> profile */
    NGX_ROOMS_KEY_LOCALS,              /* hash: local id -> id */
    NGX_ROOMS_KEY_SEEN,                /* hash: participant -> day */
    NGX_ROOMS_KEY_WORDS,               /* zset: index of "people", "rooms",
                                          "private" */
    NGX_ROOMS_KEY_SCIM,                /* hash: id -> the resource */
    NGX_ROOMS_KEY_SCIM_NAMES,          /* hash: userName -> id */
    NGX_ROOMS_KEY_SCIM_EXTERNALS,      /* hash: externalId -> id */
    NGX_ROOMS_KEY_SCIM_LIST,           /* zset: ids, by their creation */
    NGX_ROOMS_KEY_DEACTIVATED,         /* hash: id -> when, ms */
    NGX_ROOMS_KEY_OFFBOARD,            /* zset: participants being
                                          offboarded, by the time of the next
                                          step */
    NGX_ROOMS_KEY_TENANTS,             /* zset: "tenant minute" of tenants
                                          with such; it belongs to no tenant */
    NGX_ROOMS_KEY_ALIASES,             /* hash: slug -> room */
    NGX_ROOMS_KEY_PUBLIC,              /* zset: open public rooms, by id */
    NGX_ROOMS_KEY_DMS,                 /* hash: "a b" -> room */
    NGX_ROOMS_KEY_FEDERATION,          /* hash: policy */
    NGX_ROOMS_KEY_PEERS,               /* hash: server -> last seen */
    NGX_ROOMS_KEY_PEER_ERRORS,         /* hash: server -> last error */
    NGX_ROOMS_KEY_PEER_NAMES,          /* zset: all that are known here */
    NGX_ROOMS_KEY_PEER_REACHED,        /* hash: server -> last answer */
    NGX_ROOMS_KEY_PEER_ROOMS,          /* zset: rooms with members of a
                                          server */
    NGX_ROOMS_KEY_PEER_SERVERS,        /* zset: servers that are in any room */
    NGX_ROOMS_KEY_UNACCEPTED,          /* hash: server -> number of replicas
                                          that none of ours has joined */
    NGX_ROOMS_KEY_OUTBOXES,            /* zset: server, by the time of the
                                          next try */
    NGX_ROOMS_KEY_OUTBOX,              /* zset: "kind room ...", by position */
    NGX_ROOMS_KEY_OUTBOX_STATE,        /* hash: server -> failures, ... */
    NGX_ROOMS_KEY_ENDINGS,             /* zset: "room server admin" */
    NGX_ROOMS_KEY_PROFILES,            /* zset: foreign participants whose
                                          names are due, by when */

    NGX_ROOMS_KEY_USER_ROOMS,          /* zset: joined or invited, by id */
    NGX_ROOMS_KEY_USER_KINDS,          /* zset: "type room", "invite room" */
    NGX_ROOMS_KEY_USER_PREFERENCES,    /* hash: name -> JSON */
    NGX_ROOMS_KEY_USER_WORKSPACES,     /* zset, by id */
    NGX_ROOMS_KEY_USER_NEWS,           /* zset: "m room", "r room" by the
                                          position of the last change of
                                          membership, read marker; and
                                          NGX_ROOMS_NEWS_LIST, of the last
                                          change of USER_ROOMS */
    NGX_ROOMS_KEY_USER_MARKERS,        /* hash: room -> JSON of the marker */
    NGX_ROOMS_KEY_USER_ANSWERS,        /* zset: recorded answers to it, or
                                          that name it, by time */
    NGX_ROOMS_KEY_USER_OFFBOARD,       /* hash: progress of a deactivation */
    NGX_ROOMS_KEY_WORKSPACE,           /* hash */
    NGX_ROOMS_KEY_WORKSPACE_MEMBERS,   /* hash: participant -> role */
    NGX_ROOMS_KEY_WORKSPACE_LIST,      /* zset: members, by id */
    NGX_ROOMS_KEY_WORKSPACE_ROOMS,     /* zset: its open rooms */

    NGX_ROOMS_KEY_ROOM,                /* hash */
    NGX_ROOMS_KEY_MEMBERS,             /* hash: participant -> row */
    NGX_ROOMS_KEY_OWN,                 /* hash: settings of participants */
    NGX_ROOMS_KEY_ORDER,               /* zset: joined, by succession */
    NGX_ROOMS_KEY_LIST,                /* zset: joined and invited, by id */
    NGX_ROOMS_KEY_BANS,                /* zset: banned, by id */
    NGX_ROOMS_KEY_EVENTS,              /* zset: rows by position */
    NGX_ROOMS_KEY_REDACTED,            /* zset: redacted messages */
    NGX_ROOMS_KEY_ANSWERS,             /* hash: Idempotency-Key -> answer */
    NGX_ROOMS_KEY_UUIDS,               /* hash: "sender uuid" -> event id */
    NGX_ROOMS_KEY_COPIES,              /* hash: event id -> ids of its edits,
                                          which hold its body too */
    NGX_ROOMS_KEY_AUTHORS,             /* hash: number -> JSON of one who
                                          wrote imported events */
    NGX_ROOMS_KEY_REACTIONS,           /* zset: "event sender emoji" */
    NGX_ROOMS_KEY_TALLY,               /* zset: "event emoji" */
    NGX_ROOMS_KEY_COUNTS,              /* hash: "event emoji" -> minus the
                                          count */
    NGX_ROOMS_KEY_JOURNAL,             /* hash: media id -> sha256, while the
                                          room is imported */
    NGX_ROOMS_KEY_NAMED,               /* zset: whom a snapshot has named;
                                          key "room:id of its first part" */

    NGX_ROOMS_KEY_MEDIA,               /* hash: media id -> metadata */
    NGX_ROOMS_KEY_BLOBS,               /* hash: sha256 -> references */
    NGX_ROOMS_KEY_IMPORTS,             /* zset: rooms with a journal, by time
                                          of the last step */

    NGX_ROOMS_KEY_LEASE,               /* string: the worker that does a
                                          chore */
    NGX_ROOMS_KEY_CHANNEL,             /* pub/sub: "position room who ..." */
    NGX_ROOMS_KEY_COMMIT,              /* hash: ring of a worker's commits,
                                          180 s */
    NGX_ROOMS_KEY_IDEMPOTENCY,         /* string: first answer, 24 h */
    NGX_ROOMS_KEY_KEPT,                /* zset: all recorded answers, by time */
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
 * The key of a kind. id is part of its name (a room, a participant, ...), or
 * ROOMS_NULL. data == NULL: out of memory.
 */
rooms_str_t ngx_rooms_key(ngx_rooms_keys_t *keys, ngx_rooms_key_e kind,
    rooms_str_t id);


/*
 * Appends a command that is written as one line: its arguments, with one
 * space between them.  An argument may contain %k for a key (its kind, and an
 * id as in ngx_rooms_key()), %s for a rooms_str_t, %d for an int64_t, %_ for
 * a space.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_rooms_ask(ngx_rooms_batch_t *b, const ngx_rooms_keys_t *keys,
    const char *line, ...);

/*
 * Appends a command on one key with any number of arguments, such as HMGET
 * with its fields.
 */
ngx_int_t ngx_rooms_ask_many(ngx_rooms_batch_t *b,
    const ngx_rooms_keys_t *keys, const char *command, ngx_rooms_key_e kind,
    rooms_str_t id, const rooms_str_t *argv, ngx_uint_t argc);


/*
 * Parses a rooms_redis URL and resolves its hosts (ngx_rooms_url.c).  NULL,
 * or a text that says what is wrong.
 */
char *ngx_rooms_store_parse(ngx_conf_t *cf, ngx_str_t *url,
    ngx_rooms_store_t *store);
ngx_int_t ngx_rooms_store_init_worker(ngx_rooms_store_t *store,
    ngx_cycle_t *cycle);
void ngx_rooms_store_exit_worker(ngx_rooms_store_t *store);

/* Sends a batch to the node that serves a slot, by the lane with a number. */
void ngx_rooms_store_send(ngx_rooms_store_t *store, ngx_uint_t slot,
    ngx_uint_t lane, ngx_rooms_batch_t *b);

/* The server, or the lane to it, that now serves a slot's keys. */
ngx_rooms_server_t *ngx_rooms_store_at(ngx_rooms_store_t *store,
    ngx_uint_t slot);
ngx_rooms_lane_t *ngx_rooms_store_lane(ngx_rooms_store_t *store,
    ngx_uint_t slot, ngx_uint_t lane);

/*
 * Does what an answered batch asks for (ngx_rooms_topology.c): NOSCRIPT wants
 * a script's text; MOVED and ASK of a cluster, READONLY of a former primary,
 * another node.  NGX_AGAIN: it was sent again, and its handler will be called
 * again.
 */
ngx_int_t ngx_rooms_store_follow(ngx_rooms_store_t *store,
    ngx_rooms_batch_t *b, ngx_uint_t lane);
/* Asks for the topology, unless that happened a moment ago. */
void ngx_rooms_store_discover(ngx_rooms_store_t *store);
ngx_rooms_server_t *ngx_rooms_store_add(ngx_rooms_store_t *store,
    ngx_addr_t *addr);
void ngx_rooms_topology_init(ngx_rooms_store_t *store);
/* The callbacks of a node. */
void ngx_rooms_topology_down(void *data);
void ngx_rooms_topology_up(ngx_rooms_node_t *node);


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

/* Copy and concatenate in a pool; data == NULL: out of memory. */
rooms_str_t ngx_rooms_dup(ngx_pool_t *pool, rooms_str_t s);
rooms_str_t ngx_rooms_concat(ngx_pool_t *pool, const rooms_str_t *parts,
    ngx_uint_t n);
#define ngx_rooms_join(pool, ...)                                             \
    ngx_rooms_concat(pool, (rooms_str_t[]) { __VA_ARGS__ },                   \
                     sizeof((rooms_str_t[]) { __VA_ARGS__ })                  \
                     / sizeof(rooms_str_t))

/*
 * Zeroed memory of the pool.  Before it is freed, the handler, whose argument
 * it is, frees what it refers to.  NULL: out of memory.
 */
void *ngx_rooms_owned(ngx_pool_t *pool, size_t size,
    ngx_pool_cleanup_pt handler);

rooms_str_t ngx_rooms_number(ngx_pool_t *pool, int64_t n);

#define NGX_ROOMS_NEWS_LIST  "list"

/* Digits of the tenant's field that changes with each backfill. */
#define NGX_ROOMS_PAST  16

/*
 * A JSON text in a pool, which grows as it is written.  The end returns it;
 * data == NULL: out of memory.
 */
typedef struct {
    rooms_buf_t                 b;
    ngx_pool_t                 *pool;
} ngx_rooms_json_t;

rooms_buf_t *ngx_rooms_json(ngx_rooms_json_t *json, ngx_pool_t *pool);
rooms_str_t ngx_rooms_json_end(ngx_rooms_json_t *json);

/* The time of this turn of the event loop, in ms. */
static inline int64_t
ngx_rooms_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}

/*
 * Seconds of a clock that nobody sets, never 0: for what lasts a while.  The
 * time of day may be set back, and then it would last longer.
 */
static inline time_t
ngx_rooms_uptime(void)
{
    return ngx_current_msec / 1000 + 1;
}

/* Random bytes; or random hexadecimal digits (an even number, at most 64). */
void ngx_rooms_random(u_char *dst, size_t len);
void ngx_rooms_random_hex(u_char *dst, size_t len);

/* A new event's id.  NULL: no memory. */
#define NGX_ROOMS_EVENT_ID  (sizeof("evt-") - 1 + ROOMS_EVENT_DIGITS)
rooms_str_t ngx_rooms_event_id(ngx_pool_t *pool, int64_t position);

#endif /* NGX_ROOMS_STORE_H */
