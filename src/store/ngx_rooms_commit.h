/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_COMMIT_H
#define NGX_ROOMS_COMMIT_H

#include "ngx_rooms_store.h"
#include "rooms_stored.h"


/*
 * A guarded commit: guards that must hold, writes, and at most one event, all
 * at once or not at all.  One generic script executes it.  What a room may do
 * was decided before, in src/rooms.
 *
 * In the arguments of ngx_rooms_commit_write_at(), and in an event's head,
 * these bytes are marks: byte 1 becomes the new position as 13 hexadecimal
 * digits, byte 2 the position in decimal.
 */
#define NGX_ROOMS_HEX  "\1"
#define NGX_ROOMS_POS  "\2"
/* ... and byte 3 the event's time, in ms. */
#define NGX_ROOMS_MS   "\3"
/*
 * Byte 4 becomes the room's number of messages, after ngx_rooms_commit_count().
 * No other mark follows it in the argument.
 */
#define NGX_ROOMS_MESSAGES  "\4"
/* As an argument's first byte: the number after it, minus the position. */
#define NGX_ROOMS_LESS  "\5"

/* The version of the tenant's keys and values (docs/data-model.md). */
#define NGX_ROOMS_SCHEMA  "1"

/*
 * Quotas of a tenant, set by a field of its hash or by a directive.  Rooms
 * have a guard of their own (ngx_rooms_apply.c).
 */
typedef enum {
    NGX_ROOMS_QUOTA_ROOMS = 0,
    NGX_ROOMS_QUOTA_PEOPLE,
    NGX_ROOMS_QUOTA_MEDIA,             /* bytes */
    NGX_ROOMS_QUOTA_KEYS,              /* idempotency keys */
    NGX_ROOMS_QUOTAS
} ngx_rooms_quota_e;

#define NGX_ROOMS_UNLIMITED  -2

typedef struct {
    ngx_pool_t         *pool;
    ngx_array_t         keys;          /* of rooms_str_t, each once */
    ngx_array_t         guards;        /* of ngx_rooms_guard_t */
    ngx_array_t         args;          /* of rooms_str_t: the guards'
                                          arguments */
    ngx_array_t         writes;        /* of ngx_rooms_write_t */
    ngx_array_t         marks;         /* of ngx_rooms_mark_t */
    ngx_uint_t          nguards;       /* guards.nelts */
    rooms_str_t         events;        /* its key; NULL: no event */
    rooms_stored_t      event;         /* digits contain a mark */
    rooms_str_t         room;          /* the event's */
    rooms_str_t         head;
    rooms_str_t         tail;
    rooms_str_t         counted;       /* key of the event's room, whose
                                          messages are counted; NULL: none */
    int64_t             time;          /* ms; the script may take a later one */
    int64_t             takes;         /* positions taken without an event */
    int64_t             least;         /* the lowest position to take */
    rooms_str_t         id;            /* key of the hash that records it */
    uint64_t            number;        /* the worker's number of the commit */
    rooms_str_t         place;         /* its field in that hash */
    ngx_array_t        *people;        /* participants whose rows it writes */
    rooms_str_t         concerned;     /* " participant" for each one whose
                                          membership changes */
    rooms_str_t         actor;         /* guarded to be active, or NULL */
    ngx_uint_t          active;        /* number of that guard */
    ngx_uint_t          entered;       /* number of the guard that the caller
                                          is a participant; 0: none */

    const ngx_int_t    *quotas;        /* of the directives, or
                                          NGX_ROOMS_UNLIMITED */
    int64_t             adds[NGX_ROOMS_QUOTAS];
    ngx_uint_t          quota[NGX_ROOMS_QUOTAS];  /* numbers of the guards */

    /* if the tenant federates */
    rooms_str_t         server;        /* our name; NULL: it doesn't */
    rooms_str_t         audience;      /* the servers to notify: peers before
                                          and after the change */
    rooms_str_t         source_id;     /* the event's id on its server */
    rooms_str_t         source_server;
    int64_t             source_at;     /* ms, when it was made there */
    uint32_t            big;           /* the size it writes for the room; 0:
                                          none */
    unsigned            timed:1;       /* it moves that room's time */
    unsigned            counts:1;      /* its event is one message more */
    unsigned            peers:1;       /* has a guard already */
    unsigned            guests:1;      /* likewise */

    unsigned            expires:1;     /* sets its hash's time to live */
    unsigned            guarded:1;     /* quotas are among the guards */
    unsigned            posts:1;       /* it writes to an outbox */
    unsigned            failed:1;      /* out of memory */
} ngx_rooms_commit_t;

typedef enum {
    NGX_ROOMS_COMMIT_DONE = 0,
    NGX_ROOMS_COMMIT_CONFLICT,         /* a guard didn't hold */
    NGX_ROOMS_COMMIT_ERROR
} ngx_rooms_commit_e;

ngx_int_t ngx_rooms_commit_init(ngx_rooms_commit_t *c, ngx_pool_t *pool,
    ngx_rooms_keys_t *keys);

/* Guards: a hash's field has this value (NULL: there is no such field) ... */
void ngx_rooms_commit_guard_field(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t field, rooms_str_t value);
/* ... a string key has this value (NULL: there is no such key) ... */
void ngx_rooms_commit_guard_string(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t value);
/* ... two integer fields of a hash plus `add` don't exceed the bound ... */
void ngx_rooms_commit_guard_bound(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t field1, rooms_str_t field2, int64_t add, int64_t bound);
/*
 * ... the number that a field begins with (no field: 0) is at least this ...
 */
void ngx_rooms_commit_guard_least(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t field, int64_t least);
/* ... or is below this ... */
void ngx_rooms_commit_guard_below(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t field, int64_t bound);
/* ... the first two members of a zset, by descending score, are "a b" ... */
void ngx_rooms_commit_guard_top(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t top);
/* ... a zset has this member, or doesn't have it ... */
void ngx_rooms_commit_guard_member(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t member);
void ngx_rooms_commit_guard_no_member(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t member);

/* ... has it with this score ... */
void ngx_rooms_commit_guard_score(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t member, int64_t score);
/* ...  ZCARD, HLEN or the like returns this. */
void ngx_rooms_commit_guard_count(ngx_rooms_commit_t *c, const char *command,
    rooms_str_t key, int64_t n);

/*
 * The commit adds this much to what the tenant uses; a quota may refuse it.
 * These guards come last, so if one fails, all others hold.
 */
void ngx_rooms_commit_adds(ngx_rooms_commit_t *c, ngx_rooms_quota_e quota,
    int64_t n);
/*
 * The quota that the guard with this number belongs to, or NGX_ROOMS_QUOTAS.
 */
ngx_rooms_quota_e ngx_rooms_commit_exceeds(const ngx_rooms_commit_t *c,
    int64_t guard);
/* The quota's name in the tenant's hash and in roomsctl. */
const char *ngx_rooms_quota_name(ngx_rooms_quota_e quota);

/*
 * A write: a Redis command on one key, with its other arguments.  Marks are in
 * the first `marked` bytes of each.
 */
void ngx_rooms_commit_command(ngx_rooms_commit_t *c, size_t marked,
    rooms_str_t command, rooms_str_t key, const rooms_str_t *argv,
    ngx_uint_t argc);

#define ngx_rooms_commit_write(c, command, key, ...)                          \
    ngx_rooms_commit_command(c, 0, ngx_rooms_s(command), key,                 \
                             (rooms_str_t[]) { __VA_ARGS__ },                 \
                             sizeof((rooms_str_t[]) { __VA_ARGS__ })          \
                             / sizeof(rooms_str_t))
#define ngx_rooms_commit_write_at(c, command, key, ...)                       \
    ngx_rooms_commit_command(c, NGX_MAX_SIZE_T_VALUE, ngx_rooms_s(command),   \
                             key,                                             \
                             (rooms_str_t[]) { __VA_ARGS__ },                 \
                             sizeof((rooms_str_t[]) { __VA_ARGS__ })          \
                             / sizeof(rooms_str_t))
#define ngx_rooms_commit_delete(c, key)                                       \
    ngx_rooms_commit_command(c, 0, ngx_rooms_s("UNLINK"), key, NULL, 0)

/*
 * Removes words from a zset: those that the hash's field lists at that
 * moment, separated by spaces, each with `end` appended.
 */
void ngx_rooms_commit_forget(ngx_rooms_commit_t *c, rooms_str_t index,
    rooms_str_t hash, rooms_str_t field, rooms_str_t end);

/*
 * Removes the members from `min` to `max` (as in ZRANGEBYLEX) from a zset,
 * and the fields of the same names from a hash.
 */
void ngx_rooms_commit_uncount(ngx_rooms_commit_t *c, rooms_str_t index,
    rooms_str_t hash, rooms_str_t min, rooms_str_t max);

/*
 * Removes some of a zset's members up to this score.  Each commit that adds
 * to an index of things that expire also removes a few old entries, so that
 * the index stays small.
 */
void ngx_rooms_commit_shed(ngx_rooms_commit_t *c, rooms_str_t index,
    int64_t score);

/*
 * Sets the commit's event: the head (with the marks) and the tail of its row.
 */
void ngx_rooms_commit_event(ngx_rooms_commit_t *c, rooms_str_t events,
    rooms_str_t head, rooms_str_t tail);

/*
 * Sets the event's time: the later of this one and the room's last one.  The
 * room keeps it in its field "at".  `first`: the room has no event yet.
 */
void ngx_rooms_commit_timed(ngx_rooms_commit_t *c, rooms_str_t room,
    int64_t ms, ngx_uint_t first);

/*
 * Reads the room's number of messages, for the mark; `more`: the event is one
 * more.  The room keeps it in its field "messages".
 */
void ngx_rooms_commit_count(ngx_rooms_commit_t *c, rooms_str_t room,
    ngx_uint_t more);

/* Takes n positions without an event; the last of them is answered. */
void ngx_rooms_commit_positions(ngx_rooms_commit_t *c, int64_t n);


/*
 * Adds the commit to a batch.  `whole`: with the script's text, as in
 * ngx_rooms_script_begin().
 */
ngx_int_t ngx_rooms_commit_build(ngx_rooms_commit_t *c, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys, ngx_uint_t whole);
/*
 * Whether this module knows the tenant's schema (NULL: the tenant has none
 * yet).  If not, it logs an error.
 */
ngx_uint_t ngx_rooms_schema_known(rooms_str_t prefix, rooms_str_t tenant,
    rooms_str_t schema, ngx_log_t *log);

/* Adds a complete commit that only takes n positions. */
ngx_int_t ngx_rooms_commit_reserve(ngx_rooms_batch_t *b,
    const ngx_rooms_keys_t *keys, int64_t n);
ngx_rooms_commit_e ngx_rooms_commit_result(ngx_rooms_batch_t *b,
    int64_t *position, ngx_log_t *log);

/*
 * After a commit is done or resolved: sets the event's time to the one taken.
 */
void ngx_rooms_commit_took(ngx_rooms_commit_t *c, ngx_rooms_batch_t *b);

/*
 * A reply was lost.  The batch asks what became of the commit and, if the
 * store hasn't seen it, bars it for good: afterwards the answer is certain.
 * NGX_DECLINED: it is too late to find out.
 */
ngx_int_t ngx_rooms_commit_build_resolve(ngx_rooms_commit_t *c,
    ngx_rooms_batch_t *b);
ngx_rooms_commit_e ngx_rooms_commit_resolved(ngx_rooms_batch_t *b,
    int64_t *position);

#endif /* NGX_ROOMS_COMMIT_H */
