/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_COMMIT_H
#define NGX_ROOMS_COMMIT_H

#include "ngx_rooms_store.h"
#include "rooms_stored.h"


/*
 * A guarded commit: guards that must hold, writes, and at most one event,
 * all at once or nothing.  The one script that does it is generic; what a
 * room may do is decided before, in src/rooms.
 *
 * In the arguments of ngx_rooms_commit_write_at(), and in an event's head,
 * byte 1 stands for the new position as 13 hexadecimal digits and byte 2 for
 * the same in decimal.
 */
#define NGX_ROOMS_HEX  "\1"
#define NGX_ROOMS_POS  "\2"
/* ... and byte 3 for the event's time, in ms. */
#define NGX_ROOMS_MS   "\3"

/* Of the keys and values of a tenant, as docs/data-model.md has them. */
#define NGX_ROOMS_SCHEMA  "1"

/*
 * What a tenant may have at most: a field of its hash, or a directive.  Rooms
 * are guarded with a bound of their own (ngx_rooms_apply.c).
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
    ngx_array_t         guards;        /* of u_char: see the script */
    ngx_array_t         args;          /* of rooms_str_t: the guards' */
    ngx_array_t         writes;        /* of ngx_rooms_write_t */
    ngx_array_t         marks;         /* of ngx_rooms_mark_t */
    ngx_uint_t          nguards;
    rooms_str_t         events;        /* key; NULL: no event */
    rooms_stored_t      event;         /* with a mark of its position */
    rooms_str_t         room;          /* the event's */
    rooms_str_t         head;
    rooms_str_t         tail;
    rooms_str_t         timed;         /* key of its room; NULL: no time */
    int64_t             time;          /* ms; a later one may be taken */
    int64_t             takes;         /* positions, without an event */
    rooms_str_t         id;            /* key of the ring that it is kept in */
    rooms_str_t         number;        /* among the worker's */
    rooms_str_t         place;         /* in the ring */
    ngx_array_t        *people;        /* whose rows are written */
    rooms_str_t         concerned;     /* " participant" of each whose
                                          membership changes */
    rooms_str_t         actor;         /* is guarded to be active, or NULL */
    ngx_uint_t          active;        /* number of that guard */

    const ngx_int_t    *quotas;        /* the directives', -1: unlimited */
    int64_t             adds[NGX_ROOMS_QUOTAS];
    ngx_uint_t          quota[NGX_ROOMS_QUOTAS];  /* numbers of the guards */

    /* where the tenant federates */
    rooms_str_t         server;        /* our own name; NULL: it doesn't */
    rooms_str_t         audience;      /* the room's peers, those that a
                                          change removes, too */
    rooms_str_t         source_id;     /* the event's id on its server */
    rooms_str_t         source_server;
    int64_t             source_at;     /* ms, when it was made there */
    uint32_t            big;           /* written as the room's; or 0 */
    unsigned            peers:1;       /* guarded already */
    unsigned            guests:1;      /* likewise */

    unsigned            guarded:1;     /* quotas are among the guards */
    unsigned            posts:1;       /* into an outbox */
    unsigned            failed:1;      /* out of memory */
} ngx_rooms_commit_t;

typedef enum {
    NGX_ROOMS_COMMIT_DONE = 0,
    NGX_ROOMS_COMMIT_CONFLICT,         /* a guard didn't hold */
    NGX_ROOMS_COMMIT_NOSCRIPT,         /* send it again, whole */
    NGX_ROOMS_COMMIT_UNKNOWN,          /* too late to find out */
    NGX_ROOMS_COMMIT_ERROR
} ngx_rooms_commit_e;

ngx_int_t ngx_rooms_commit_init(ngx_rooms_commit_t *c, ngx_pool_t *pool,
    ngx_rooms_keys_t *keys);

/* Guards: a hash's field has this value (NULL: is absent) ... */
void ngx_rooms_commit_guard_field(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t field, rooms_str_t value);
/* ... a string key has this value (NULL: is absent) ... */
void ngx_rooms_commit_guard_string(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t value);
/* ... integers in two fields of a hash, and what is added, stay in a bound */
void ngx_rooms_commit_guard_bound(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t field1, rooms_str_t field2, int64_t add, int64_t bound);
/* ... the number that a field begins with (none: 0) is so large, at least */
void ngx_rooms_commit_guard_least(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t field, int64_t least);
/* ... or is smaller than that ... */
void ngx_rooms_commit_guard_below(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t field, int64_t bound);
/* ... a zset's first two members by score, descending, are "a b" */
void ngx_rooms_commit_guard_top(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t top);
/* ... a zset has this member, or hasn't. */
void ngx_rooms_commit_guard_member(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t member);
void ngx_rooms_commit_guard_no_member(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t member);

/* ... it has it at this score. */
void ngx_rooms_commit_guard_score(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t member, int64_t score);
/* ... ZCARD, HLEN and the like say so many. */
void ngx_rooms_commit_guard_count(ngx_rooms_commit_t *c, const char *command,
    rooms_str_t key, int64_t n);

/*
 * The commit adds so much to what the tenant has: refused if that is more than
 * its quota.  These are the last guards, so nothing else is wrong then.
 */
void ngx_rooms_commit_adds(ngx_rooms_commit_t *c, ngx_rooms_quota_e quota,
    int64_t n);
/* The quota that the guard of a number is of, or NGX_ROOMS_QUOTAS. */
ngx_rooms_quota_e ngx_rooms_commit_exceeds(const ngx_rooms_commit_t *c,
    int64_t guard);
/* The quota's name, as the tenant's hash has it, and roomsctl. */
const char *ngx_rooms_quota_name(ngx_rooms_quota_e quota);

/* A write: a Redis command on one key, with the rest of its arguments. */
void ngx_rooms_commit_command(ngx_rooms_commit_t *c, ngx_uint_t at,
    rooms_str_t command, rooms_str_t key, const rooms_str_t *argv,
    ngx_uint_t argc);

#define ngx_rooms_commit_write(c, command, key, ...)                          \
    ngx_rooms_commit_command(c, 0, ngx_rooms_s(command), key,                 \
                             (rooms_str_t[]) { __VA_ARGS__ },                 \
                             sizeof((rooms_str_t[]) { __VA_ARGS__ })          \
                             / sizeof(rooms_str_t))
#define ngx_rooms_commit_write_at(c, command, key, ...)                       \
    ngx_rooms_commit_command(c, 1, ngx_rooms_s(command), key,                 \
                             (rooms_str_t[]) { __VA_ARGS__ },                 \
                             sizeof((rooms_str_t[]) { __VA_ARGS__ })          \
                             / sizeof(rooms_str_t))
#define ngx_rooms_commit_delete(c, key)                                       \
    ngx_rooms_commit_command(c, 0, ngx_rooms_s("UNLINK"), key, NULL, 0)

/*
 * Removes from a zset the words that a field lists at that moment, with spaces
 * between them, each with `end` behind it.
 */
void ngx_rooms_commit_forget(ngx_rooms_commit_t *c, rooms_str_t index,
    rooms_str_t hash, rooms_str_t field, rooms_str_t end);

/*
 * Removes from a zset the members from `min` to `max`, as ZRANGEBYLEX knows
 * them, and from a hash the fields of the same names.
 */
void ngx_rooms_commit_uncount(ngx_rooms_commit_t *c, rooms_str_t index,
    rooms_str_t hash, rooms_str_t min, rooms_str_t max);

/*
 * Removes from a zset members up to a score, some of them: an index of what
 * expires by itself is kept small by who adds to it.
 */
void ngx_rooms_commit_shed(ngx_rooms_commit_t *c, rooms_str_t index,
    int64_t score);

/* The one event of the change: head (with its position) and tail of its row. */
void ngx_rooms_commit_event(ngx_rooms_commit_t *c, rooms_str_t events,
    rooms_str_t head, rooms_str_t tail);

/*
 * The time of the event: the later of this one and that of the room's last
 * event, which the room has in `at`, and then has anew.
 */
void ngx_rooms_commit_timed(ngx_rooms_commit_t *c, rooms_str_t room,
    int64_t ms);

/* No event, but positions all the same: so many, up to the one answered. */
void ngx_rooms_commit_positions(ngx_rooms_commit_t *c, int64_t n);


/* Puts the commit into a batch, by the script's hash or with its text. */
ngx_int_t ngx_rooms_commit_build(ngx_rooms_commit_t *c, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys, ngx_uint_t whole);
/*
 * Whether a tenant's schema, NULL if it has none yet, is the one that this
 * module reads and writes; if not, the log says so.
 */
ngx_uint_t ngx_rooms_schema_known(rooms_str_t prefix, rooms_str_t tenant,
    rooms_str_t schema, ngx_log_t *log);

/* A whole commit that does nothing but take n positions. */
ngx_int_t ngx_rooms_commit_reserve(ngx_rooms_batch_t *b,
    const ngx_rooms_keys_t *keys, int64_t n);
ngx_rooms_commit_e ngx_rooms_commit_result(ngx_rooms_batch_t *b,
    int64_t *position, ngx_log_t *log);

/* Of one that is done, or was resolved: which time has been taken. */
void ngx_rooms_commit_took(ngx_rooms_commit_t *c, ngx_rooms_batch_t *b);

/*
 * A reply was lost.  The batch asks what became of the commit and, if the
 * store hasn't seen it, bars it for good: afterwards the answer is certain.
 */
ngx_int_t ngx_rooms_commit_build_resolve(ngx_rooms_commit_t *c,
    ngx_rooms_batch_t *b);
ngx_rooms_commit_e ngx_rooms_commit_resolved(ngx_rooms_batch_t *b,
    int64_t *position);

#endif /* NGX_ROOMS_COMMIT_H */
