/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_commit.h"


/* 2020-01-01T00:00:00Z in ms; positions per ms; the highest floor. */
#define NGX_ROOMS_POSITIONS_FROM   INT64_C(1577836800000)
#define NGX_ROOMS_POSITIONS_MS     8
#define NGX_ROOMS_POSITIONS_LEAD   30000   /* ms */
#define NGX_ROOMS_POSITIONS_FLOOR  ((INT64_C(1) << 44) - (INT64_C(1) << 41))


/*
 * A lost reply.  The script identifies a commit by its number, and records
 * the position under it.  A worker that lost the reply looks there, and bars
 * the commit if it isn't there: if the script arrives later, it changes
 * nothing.  16 numbers share a hash.  When 8,192 more numbers were given, a
 * commit removes the hash; when 4,096 were, the worker doesn't ask any more.
 * A hash in which a commit may be barred stays until it expires, since that
 * commit may still be on its way, and nothing else refuses it.
 *
 * A hash expires after three minutes.  Once a minute one of its commits sets
 * this.  The worker knows that from the answer, so until an answer is here
 * each commit does it.
 *
 * A position is higher than the last one, and not below a floor that follows
 * the clock.  So a store that lost its last writes (FLUSHALL, a backup, a
 * replica that was behind) never gives out the same positions again.
 */
#define NGX_ROOMS_COMMIT_KEPT     "180"    /* s */
#define NGX_ROOMS_COMMIT_RENEWED 60000     /* ms */
#define NGX_ROOMS_COMMIT_RING     4096
#define NGX_ROOMS_COMMIT_PART       16     /* numbers in one hash, since
                                              Redis scans small hashes */
#define NGX_ROOMS_COMMIT_KEY       512     /* bytes of a remembered key */

#define NGX_ROOMS_COMMIT_KEYS  86400000    /* ms, that a recorded answer is
                                              kept */
#define NGX_ROOMS_COMMIT_SHED  "64"        /* members that one SHED removes */

/*
 * The commands that a write may use.  The script executes the last four
 * itself.
 */
#define NGX_ROOMS_COMMANDS                                                    \
    "'HSET','ZADD','HDEL','ZREM','HINCRBY','SET','ZINCRBY','UNLINK',"         \
    "'EXPIRE','PEXPIRE','PERSIST','ZREMRANGEBYLEX','ZREMRANGEBYRANK',"        \
    "'ZREMRANGEBYSCORE','PUBLISH','FORGET','UNCOUNT','SHED'"

#define NGX_ROOMS_W_HSET      1
#define NGX_ROOMS_W_ZADD      2
#define NGX_ROOMS_W_ZREM      4
#define NGX_ROOMS_W_FORGET   16
#define NGX_ROOMS_W_UNCOUNT  17

/*
 * Kinds of guards, numbered as in the script.  Guards of fields are sent in
 * groups, one for each key.
 */
typedef enum {
    NGX_ROOMS_G_FIELD = 1,
    NGX_ROOMS_G_NO_FIELD,
    NGX_ROOMS_G_TENANT = NGX_ROOMS_G_NO_FIELD,
    NGX_ROOMS_G_BOUND,
    NGX_ROOMS_G_LEAST,
    NGX_ROOMS_G_BELOW,
    NGX_ROOMS_G_TOP,
    NGX_ROOMS_G_STRING,
    NGX_ROOMS_G_NO_KEY,
    NGX_ROOMS_G_MEMBER,
    NGX_ROOMS_G_SCORE,
    NGX_ROOMS_G_NO_MEMBER,
    NGX_ROOMS_G_COUNT,
    NGX_ROOMS_G_QUOTA
} ngx_rooms_guard_e;

#define NGX_ROOMS_WRITE_MAX  512       /* arguments that joined writes may
                                          have */

typedef struct {
    ngx_rooms_guard_e   kind;
    ngx_uint_t          key;
    ngx_uint_t          first;         /* of its arguments */
    ngx_uint_t          argc;
} ngx_rooms_guard_t;

/* What the script does with a field that it reads. */
typedef enum {
    NGX_ROOMS_READ_ABSENT = 0,
    NGX_ROOMS_READ_EQUAL,
    NGX_ROOMS_READ_TIME,
    NGX_ROOMS_READ_LIMIT
} ngx_rooms_read_e;

/* Fields of one hash, and what they are compared with. */
typedef struct {
    ngx_array_t         plan;          /* of u_char: see the script */
    ngx_array_t         args;          /* of rooms_str_t: of all */
    ngx_array_t         values;        /* of the group */
    ngx_uint_t          count;         /* of the group's fields */
    size_t              at;            /* where that stands in the plan */
} ngx_rooms_reads_t;

/* A write.  Consecutive writes of one kind to one key are joined. */
typedef struct {
    ngx_uint_t          command;
    ngx_uint_t          key;
    ngx_uint_t          also;          /* number of another key that it
                                          touches */
    rooms_str_t        *argv;
    ngx_uint_t          argc;
    ngx_uint_t          size;
} ngx_rooms_write_t;

/* A mark: which write, which argument, and where in it. */
typedef struct {
    ngx_uint_t          write;
    ngx_uint_t          arg;
    size_t              at;
    size_t              back;          /* from the end of what is sent */
} ngx_rooms_mark_t;

#include "ngx_rooms_commit_lua.h"
#include "ngx_rooms_resolve_lua.h"

static ngx_rooms_script_t  ngx_rooms_script = {
    ngx_string(NGX_ROOMS_COMMIT_LUA), { 0 }
};


/* The hash whose time to live this worker knows to be set, and when. */
static struct {
    u_char      key[NGX_ROOMS_COMMIT_KEY];
    size_t      len;
    ngx_msec_t  at;                    /* no clock that may be set back */
} ngx_rooms_commit_kept;

static uint64_t  ngx_rooms_commit_numbers;

/* Hashes that aren't removed: those of the last 8,192 numbers have a place. */
#define NGX_ROOMS_COMMIT_PARTS                                                \
    (2 * NGX_ROOMS_COMMIT_RING / NGX_ROOMS_COMMIT_PART)

static u_char  ngx_rooms_commit_bars[NGX_ROOMS_COMMIT_PARTS];


static u_char *
ngx_rooms_commit_bar(uint64_t number)
{
    return &ngx_rooms_commit_bars[number / NGX_ROOMS_COMMIT_PART
                                  % NGX_ROOMS_COMMIT_PARTS];
}


/* The key of the hash that records the commit with this number. */
static rooms_str_t
ngx_rooms_commit_part(ngx_rooms_keys_t *keys, uint64_t number)
{
    u_char           part[64], *p;
    static u_char    worker[16];
    static ngx_pid_t pid;

    if (pid != ngx_pid) {
        pid = ngx_pid;
        ngx_rooms_random_hex(worker, sizeof(worker));
    }

    p = ngx_cpymem(part, worker, sizeof(worker));
    *p++ = ':';
    p = ngx_sprintf(p, "%uL", number / NGX_ROOMS_COMMIT_PART);

    return ngx_rooms_key(keys, NGX_ROOMS_KEY_COMMIT,
                         (rooms_str_t) { p - part, part });
}


/* When due: renews this hash's time to live, removes the oldest hash. */
static void
ngx_rooms_commit_keep(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys)
{
    u_char  *bar;

    if (c->id.len != ngx_rooms_commit_kept.len
        || ngx_memcmp(c->id.data, ngx_rooms_commit_kept.key, c->id.len) != 0
        || ngx_current_msec - ngx_rooms_commit_kept.at
           >= NGX_ROOMS_COMMIT_RENEWED)
    {
        c->expires = 1;
        ngx_rooms_commit_write(c, "EXPIRE", c->id,
                               ngx_rooms_s(NGX_ROOMS_COMMIT_KEPT));
    }

    if (c->number % NGX_ROOMS_COMMIT_PART == 0
        && c->number >= 2 * NGX_ROOMS_COMMIT_RING)
    {
        /* the hash of 8,192 numbers ago has the same place */

        bar = ngx_rooms_commit_bar(c->number);

        if (*bar) {
            *bar = 0;
            return;
        }

        ngx_rooms_commit_delete(c, ngx_rooms_commit_part(keys,
                                        c->number
                                        - 2 * NGX_ROOMS_COMMIT_RING));
    }
}


ngx_int_t
ngx_rooms_commit_init(ngx_rooms_commit_t *c, ngx_pool_t *pool,
    ngx_rooms_keys_t *keys)
{
    rooms_str_t  *key;

    ngx_memzero(c, sizeof(ngx_rooms_commit_t));

    c->pool = pool;

    if (ngx_array_init(&c->keys, pool, 12, sizeof(rooms_str_t)) != NGX_OK
        || ngx_array_init(&c->guards, pool, 8, sizeof(ngx_rooms_guard_t))
           != NGX_OK
        || ngx_array_init(&c->args, pool, 16, sizeof(rooms_str_t)) != NGX_OK
        || ngx_array_init(&c->writes, pool, 12, sizeof(ngx_rooms_write_t))
           != NGX_OK
        || ngx_array_init(&c->marks, pool, 12, sizeof(ngx_rooms_mark_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    c->number = ++ngx_rooms_commit_numbers;
    c->id = ngx_rooms_commit_part(keys, c->number);
    c->place = ngx_rooms_number(pool, c->number % NGX_ROOMS_COMMIT_PART);

    key = ngx_array_push_n(&c->keys, 3);
    if (key == NULL || c->id.data == NULL || c->place.data == NULL) {
        return NGX_ERROR;
    }

    key[0] = c->id;
    key[1] = ngx_rooms_key(keys, NGX_ROOMS_KEY_POSITION, ROOMS_NULL);
    key[2] = ngx_rooms_key(keys, NGX_ROOMS_KEY_TENANT, ROOMS_NULL);

    if (key[1].data == NULL || key[2].data == NULL) {
        return NGX_ERROR;
    }

    ngx_rooms_commit_keep(c, keys);

    return NGX_OK;
}


static void
ngx_rooms_commit_arg(ngx_rooms_commit_t *c, ngx_array_t *args, rooms_str_t arg)
{
    rooms_str_t  *s;

    s = ngx_array_push(args);

    if (s == NULL || arg.data == NULL) {
        c->failed = 1;
        return;
    }

    *s = arg;
}


static ngx_uint_t
ngx_rooms_commit_key(ngx_rooms_commit_t *c, rooms_str_t key)
{
    ngx_uint_t    i;
    rooms_str_t  *k;

    k = c->keys.elts;

    for (i = 0; i < c->keys.nelts; i++) {

        if (k[i].data == key.data || rooms_str_eq(k[i], key)) {
            return i + 1;
        }
    }

    ngx_rooms_commit_arg(c, &c->keys, key);

    return i + 1;
}


/* Appends a number of a plan, in two bytes. */
static u_char *
ngx_rooms_commit_two(ngx_rooms_commit_t *c, u_char *p, ngx_uint_t n)
{
    if (n > 0xffff) {
        c->failed = 1;
    }

    *p++ = n >> 8;
    *p++ = n;

    return p;
}


/* Its arguments follow. */
static void
ngx_rooms_commit_guard(ngx_rooms_commit_t *c, ngx_rooms_guard_e kind,
    rooms_str_t key)
{
    ngx_rooms_guard_t  *guard;

    guard = ngx_array_push(&c->guards);

    if (guard == NULL) {
        c->failed = 1;
        return;
    }

    guard->kind = kind;
    guard->key = ngx_rooms_commit_key(c, key);
    guard->first = c->args.nelts;

    c->nguards = c->guards.nelts;
}


void
ngx_rooms_commit_guard_field(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t field, rooms_str_t value)
{
    ngx_rooms_commit_guard(c, value.data ? NGX_ROOMS_G_FIELD
                                         : NGX_ROOMS_G_NO_FIELD, key);
    ngx_rooms_commit_arg(c, &c->args, field);

    if (value.data) {
        ngx_rooms_commit_arg(c, &c->args, value);
    }
}


void
ngx_rooms_commit_guard_string(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t value)
{
    ngx_rooms_commit_guard(c, value.data ? NGX_ROOMS_G_STRING
                                         : NGX_ROOMS_G_NO_KEY, key);

    if (value.data) {
        ngx_rooms_commit_arg(c, &c->args, value);
    }
}


void
ngx_rooms_commit_guard_bound(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t field1, rooms_str_t field2, int64_t add, int64_t bound)
{
    ngx_rooms_commit_guard(c, NGX_ROOMS_G_BOUND, key);
    ngx_rooms_commit_arg(c, &c->args, field1);
    ngx_rooms_commit_arg(c, &c->args, field2);
    ngx_rooms_commit_arg(c, &c->args, ngx_rooms_number(c->pool, add));
    ngx_rooms_commit_arg(c, &c->args, ngx_rooms_number(c->pool, bound));
}


static void
ngx_rooms_commit_guard_number(ngx_rooms_commit_t *c, ngx_rooms_guard_e kind,
    rooms_str_t key, rooms_str_t name, int64_t n)
{
    ngx_rooms_commit_guard(c, kind, key);
    ngx_rooms_commit_arg(c, &c->args, name);
    ngx_rooms_commit_arg(c, &c->args, ngx_rooms_number(c->pool, n));
}


void
ngx_rooms_commit_guard_least(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t field, int64_t least)
{
    ngx_rooms_commit_guard_number(c, NGX_ROOMS_G_LEAST, key, field, least);
}


void
ngx_rooms_commit_guard_below(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t field, int64_t bound)
{
    ngx_rooms_commit_guard_number(c, NGX_ROOMS_G_BELOW, key, field, bound);
}


void
ngx_rooms_commit_guard_top(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t top)
{
    ngx_rooms_commit_guard(c, NGX_ROOMS_G_TOP, key);
    ngx_rooms_commit_arg(c, &c->args, top);
}


void
ngx_rooms_commit_guard_member(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t member)
{
    ngx_rooms_commit_guard(c, NGX_ROOMS_G_MEMBER, key);
    ngx_rooms_commit_arg(c, &c->args, member);
}


void
ngx_rooms_commit_guard_no_member(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t member)
{
    ngx_rooms_commit_guard(c, NGX_ROOMS_G_NO_MEMBER, key);
    ngx_rooms_commit_arg(c, &c->args, member);
}


void
ngx_rooms_commit_guard_score(ngx_rooms_commit_t *c, rooms_str_t key,
    rooms_str_t member, int64_t score)
{
    ngx_rooms_commit_guard_number(c, NGX_ROOMS_G_SCORE, key, member, score);
}


void
ngx_rooms_commit_guard_count(ngx_rooms_commit_t *c, const char *command,
    rooms_str_t key, int64_t n)
{
    ngx_rooms_commit_guard_number(c, NGX_ROOMS_G_COUNT, key,
                                  rooms_cstr(command), n);
}


void
ngx_rooms_commit_adds(ngx_rooms_commit_t *c, ngx_rooms_quota_e quota,
    int64_t n)
{
    c->adds[quota] += n;
}


/* Which command on which key tells how much of a quota is used. */
static const struct {
    const char       *name;
    const char       *command;
    ngx_rooms_key_e   key;
    const char       *field;
} ngx_rooms_quotas[NGX_ROOMS_QUOTAS] = {
    [NGX_ROOMS_QUOTA_ROOMS] =
        { "max_rooms", "HGET", NGX_ROOMS_KEY_TENANT, "rooms" },
    [NGX_ROOMS_QUOTA_PEOPLE] =
        { "max_people", "HLEN", NGX_ROOMS_KEY_LOCALS, NULL },
    [NGX_ROOMS_QUOTA_MEDIA] =
        { "max_media_bytes", "HGET", NGX_ROOMS_KEY_TENANT, "media_bytes" },
    [NGX_ROOMS_QUOTA_KEYS] =
        { "max_idempotency_keys", "ZCOUNT", NGX_ROOMS_KEY_KEPT, NULL }
};


const char *
ngx_rooms_quota_name(ngx_rooms_quota_e quota)
{
    return ngx_rooms_quotas[quota].name;
}


ngx_rooms_quota_e
ngx_rooms_commit_exceeds(const ngx_rooms_commit_t *c, int64_t guard)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_ROOMS_QUOTAS; i++) {
        if (c->quota[i] && (int64_t) c->quota[i] == guard) {
            break;
        }
    }

    return i;
}


static void
ngx_rooms_commit_guard_quotas(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys)
{
    ngx_uint_t   i;
    ngx_time_t  *tp;

    for (i = 0; c->quotas && !c->guarded && i < NGX_ROOMS_QUOTAS; i++) {

        if (c->adds[i] <= 0) {
            continue;
        }

        ngx_rooms_commit_guard(c, NGX_ROOMS_G_QUOTA,
                               ngx_rooms_key(keys, ngx_rooms_quotas[i].key,
                                             ROOMS_NULL));
        c->quota[i] = c->nguards;

        ngx_rooms_commit_arg(c, &c->args,
                             rooms_cstr(ngx_rooms_quotas[i].name));
        ngx_rooms_commit_arg(c, &c->args,
                             ngx_rooms_number(c->pool, c->quotas[i]));
        ngx_rooms_commit_arg(c, &c->args,
                             ngx_rooms_number(c->pool, c->adds[i]));
        ngx_rooms_commit_arg(c, &c->args,
                             rooms_cstr(ngx_rooms_quotas[i].command));

        if (i == NGX_ROOMS_QUOTA_KEYS) {
            /* older ones have expired */
            tp = ngx_timeofday();
            ngx_rooms_commit_arg(c, &c->args, ngx_rooms_s("2"));
            ngx_rooms_commit_arg(c, &c->args,
                             ngx_rooms_number(c->pool,
                                              (int64_t) tp->sec * 1000
                                              - NGX_ROOMS_COMMIT_KEYS));
            ngx_rooms_commit_arg(c, &c->args, ngx_rooms_s("+inf"));

        } else if (ngx_rooms_quotas[i].field) {
            ngx_rooms_commit_arg(c, &c->args, ngx_rooms_s("1"));
            ngx_rooms_commit_arg(c, &c->args,
                                 rooms_cstr(ngx_rooms_quotas[i].field));

        } else {
            ngx_rooms_commit_arg(c, &c->args, ngx_rooms_s("0"));
        }
    }

    c->guarded = 1;
}


/* The script's number for a command. */
static ngx_uint_t
ngx_rooms_commit_number(rooms_str_t command)
{
    ngx_uint_t   n;
    const char  *p;

    n = 1;

    for (p = NGX_ROOMS_COMMANDS; *p; p++) {

        if (*p == ',') {
            n++;
        }

        if (*p == '\'' && ngx_strncmp(p + 1, command.data, command.len) == 0
            && p[1 + command.len] == '\'')
        {
            return n;
        }
    }

    return 0;
}


/*
 * The last write to this key, if another one can be joined to it.  ZADD's
 * scores are numbers; if its first argument is a word, it has a condition,
 * and can't be joined.
 */
static ngx_rooms_write_t *
ngx_rooms_commit_joinable(ngx_rooms_commit_t *c, ngx_uint_t command,
    ngx_uint_t key, const rooms_str_t *argv)
{
    ngx_uint_t          i;
    ngx_rooms_write_t  *w;

    if (command < NGX_ROOMS_W_HSET || command > NGX_ROOMS_W_ZREM) {
        return NULL;
    }

    w = c->writes.elts;

    for (i = c->writes.nelts; i > 0; i--) {

        if (w[i - 1].key == key || w[i - 1].also == key) {
            break;
        }
    }

    if (i-- == 0 || w[i].command != command || w[i].key != key
        || w[i].argc >= NGX_ROOMS_WRITE_MAX)
    {
        return NULL;
    }

    if (command == NGX_ROOMS_W_ZADD
        && (w[i].argv[0].data[0] >= 'A' || argv[0].data[0] >= 'A'))
    {
        return NULL;
    }

    return &w[i];
}


static ngx_rooms_write_t *
ngx_rooms_commit_push(ngx_rooms_commit_t *c, ngx_uint_t command,
    ngx_uint_t key)
{
    ngx_rooms_write_t  *w;

    w = ngx_array_push(&c->writes);

    if (w == NULL) {
        return NULL;
    }

    ngx_memzero(w, sizeof(ngx_rooms_write_t));
    w->command = command;
    w->key = key;

    return w;
}


/* Notes the marks in an argument. */
static void
ngx_rooms_commit_mark(ngx_rooms_commit_t *c, ngx_uint_t write, ngx_uint_t arg,
    rooms_str_t s)
{
    size_t             i;
    ngx_rooms_mark_t  *mark;

    for (i = 0; i < s.len; i++) {

        if ((s.data[i] < 1 || s.data[i] > 3)
            && (i > 0 || s.data[i] != *NGX_ROOMS_LESS))
        {
            continue;
        }

        mark = ngx_array_push(&c->marks);

        if (mark == NULL) {
            c->failed = 1;
            return;
        }

        mark->write = write;
        mark->arg = arg;
        mark->at = i + 1;
    }
}


static void
ngx_rooms_commit_append(ngx_rooms_commit_t *c, ngx_uint_t at,
    ngx_rooms_write_t *w, const rooms_str_t *argv, ngx_uint_t argc)
{
    ngx_uint_t    i, write;
    rooms_str_t  *grown;

    if (w->argc + argc > w->size) {
        w->size = 2 * w->argc + argc;
        grown = ngx_palloc(c->pool, w->size * sizeof(rooms_str_t));

        if (grown == NULL) {
            c->failed = 1;
            return;
        }

        if (w->argc) {
            ngx_memcpy(grown, w->argv, w->argc * sizeof(rooms_str_t));
        }

        w->argv = grown;
    }

    write = w - (ngx_rooms_write_t *) c->writes.elts;

    for (i = 0; i < argc; i++) {

        if (argv[i].data == NULL) {
            c->failed = 1;
            return;
        }

        if (at) {
            ngx_rooms_commit_mark(c, write, w->argc, argv[i]);
        }

        w->argv[w->argc++] = argv[i];
    }
}


void
ngx_rooms_commit_command(ngx_rooms_commit_t *c, ngx_uint_t at,
    rooms_str_t command, rooms_str_t key, const rooms_str_t *argv,
    ngx_uint_t argc)
{
    ngx_uint_t          kind, number;
    ngx_rooms_write_t  *w;

    kind = ngx_rooms_commit_number(command);
    number = ngx_rooms_commit_key(c, key);
    w = NULL;

    if (argc && argv[0].data) {
        w = ngx_rooms_commit_joinable(c, kind, number, argv);
    }

    if (w == NULL) {
        w = ngx_rooms_commit_push(c, kind, number);
    }

    if (w == NULL || kind == 0) {
        c->failed = 1;
        return;
    }

    ngx_rooms_commit_append(c, at, w, argv, argc);
}


/*
 * Adds a write that isn't a Redis command.  It names a second key, by its
 * number.
 */
static void
ngx_rooms_commit_special(ngx_rooms_commit_t *c, ngx_uint_t command,
    rooms_str_t index, rooms_str_t hash, rooms_str_t first, rooms_str_t second)
{
    ngx_uint_t          key;
    ngx_rooms_write_t  *w;

    key = ngx_rooms_commit_key(c, index);
    w = ngx_rooms_commit_push(c, command, key);

    if (w == NULL) {
        c->failed = 1;
        return;
    }

    w->also = ngx_rooms_commit_key(c, hash);

    ngx_rooms_commit_append(c, 0, w, (rooms_str_t[]) {
                                ngx_rooms_number(c->pool, w->also),
                                first, second }, 3);
}


void
ngx_rooms_commit_forget(ngx_rooms_commit_t *c, rooms_str_t index,
    rooms_str_t hash, rooms_str_t field, rooms_str_t end)
{
    ngx_rooms_commit_special(c, NGX_ROOMS_W_FORGET, index, hash, field, end);
}


void
ngx_rooms_commit_uncount(ngx_rooms_commit_t *c, rooms_str_t index,
    rooms_str_t hash, rooms_str_t min, rooms_str_t max)
{
    ngx_rooms_commit_special(c, NGX_ROOMS_W_UNCOUNT, index, hash, min, max);
}


void
ngx_rooms_commit_shed(ngx_rooms_commit_t *c, rooms_str_t index, int64_t score)
{
    ngx_rooms_commit_write(c, "SHED", index, ngx_rooms_number(c->pool, score),
                           ngx_rooms_s(NGX_ROOMS_COMMIT_SHED));
}


void
ngx_rooms_commit_event(ngx_rooms_commit_t *c, rooms_str_t events,
    rooms_str_t head, rooms_str_t tail)
{
    c->events = events;
    c->head = head;
    c->tail = tail;

    if (events.data == NULL || head.data == NULL || tail.data == NULL) {
        c->failed = 1;
    }
}


void
ngx_rooms_commit_timed(ngx_rooms_commit_t *c, rooms_str_t room, int64_t ms,
    ngx_uint_t first)
{
    if (!first) {
        c->timed = room;
    }

    c->time = ms;

    ngx_rooms_commit_write_at(c, "HSET", room, ngx_rooms_s("at"),
                              ngx_rooms_s(NGX_ROOMS_MS));
}


void
ngx_rooms_commit_positions(ngx_rooms_commit_t *c, int64_t n)
{
    c->takes = n;
}


/* when this worker last expected to write to another Redis; 0: not yet */
static ngx_msec_t  ngx_rooms_commit_began;


void
ngx_rooms_store_begins(void)
{
    ngx_rooms_commit_began = ngx_current_msec ? ngx_current_msec : 1;
}


/*
 * The lowest position that a commit may get.  A millisecond has 8 positions.
 * If more are needed, positions run ahead of the clock, until fewer are
 * needed again.  A clock that is far off moves all positions, but never
 * beyond 44 bits.
 *
 * For some seconds after a failover, workers that haven't noticed it may
 * still write to the old primary, and followers read there.  What the new
 * primary gets must come after those followers' cursors.  So for that time a
 * worker that has just connected uses positions some seconds ahead; the old
 * primary never gets that far.  A commit may wait for the new primary, and
 * proposes its position before that: so they are ahead from the moment that
 * the connection is lost, or a sentinel leads a failover.
 */
static int64_t
ngx_rooms_commit_floor(void)
{
    int64_t      ms;
    ngx_time_t  *tp;

    tp = ngx_timeofday();
    ms = (int64_t) tp->sec * 1000 + tp->msec - NGX_ROOMS_POSITIONS_FROM;

    if (ngx_rooms_commit_began
        && ngx_current_msec - ngx_rooms_commit_began
           < NGX_ROOMS_POSITIONS_LEAD)
    {
        ms += NGX_ROOMS_POSITIONS_LEAD;
    }

    if (ms < 0) {
        return 0;
    }

    return ngx_min(ms * NGX_ROOMS_POSITIONS_MS, NGX_ROOMS_POSITIONS_FLOOR);
}


/* Arguments before those of guards and writes: see the script. */
#define NGX_ROOMS_COMMIT_ARGS   7
#define NGX_ROOMS_COMMIT_ROW    7      /* the event's, of these */

#define NGX_ROOMS_COMMIT_BEGIN  5      /* bytes before the guards */
#define NGX_ROOMS_COMMIT_STEP   5      /* bytes of a guard, a write */
#define NGX_ROOMS_COMMIT_MARK   6      /* bytes of a mark */
#define NGX_ROOMS_COMMIT_READ   3      /* bytes of a field that is read */

#define NGX_ROOMS_TENANT_KEY    3      /* its number in each commit */


static void
ngx_rooms_commit_plan(ngx_rooms_commit_t *c, ngx_rooms_reads_t *g,
    ngx_uint_t kind, ngx_uint_t key, ngx_uint_t number)
{
    u_char  *p;

    p = ngx_array_push_n(&g->plan, NGX_ROOMS_COMMIT_STEP);

    if (p == NULL) {
        c->failed = 1;
        return;
    }

    *p++ = kind;
    p = ngx_rooms_commit_two(c, p, key);
    (void) ngx_rooms_commit_two(c, p, number);
}


static void
ngx_rooms_commit_read(ngx_rooms_commit_t *c, ngx_rooms_reads_t *g,
    ngx_rooms_read_e what, rooms_str_t field, ngx_uint_t number)
{
    u_char  *p;

    p = ngx_array_push_n(&g->plan, NGX_ROOMS_COMMIT_READ);

    if (p == NULL) {
        c->failed = 1;
        return;
    }

    *p++ = what;
    (void) ngx_rooms_commit_two(c, p, number);

    g->count++;
    ngx_rooms_commit_arg(c, &g->args, field);
}


/* What was guarded of a hash: the guards' order is that of their numbers. */
static void
ngx_rooms_commit_read_guards(ngx_rooms_commit_t *c, ngx_rooms_reads_t *g,
    ngx_uint_t key)
{
    ngx_uint_t          i;
    rooms_str_t        *args;
    ngx_rooms_guard_t  *guard;

    guard = c->guards.elts;
    args = c->args.elts;

    for (i = 0; i < c->guards.nelts; i++) {

        if (guard[i].key != key || guard[i].kind > NGX_ROOMS_G_NO_FIELD) {
            continue;
        }

        if (guard[i].kind == NGX_ROOMS_G_NO_FIELD) {
            ngx_rooms_commit_read(c, g, NGX_ROOMS_READ_ABSENT,
                                  args[guard[i].first], i + 1);

        } else {
            ngx_rooms_commit_read(c, g, NGX_ROOMS_READ_EQUAL,
                                  args[guard[i].first], i + 1);
            ngx_rooms_commit_arg(c, &g->values, args[guard[i].first + 1]);
        }
    }
}


static void
ngx_rooms_commit_group(ngx_rooms_commit_t *c, ngx_rooms_reads_t *g,
    ngx_uint_t kind, ngx_uint_t key)
{
    g->count = 0;
    g->values.nelts = 0;
    g->at = g->plan.nelts;

    ngx_rooms_commit_plan(c, g, kind, key, 0);
}


static void
ngx_rooms_commit_group_end(ngx_rooms_commit_t *c, ngx_rooms_reads_t *g)
{
    ngx_uint_t    i;
    rooms_str_t  *value;

    if (c->failed) {
        return;
    }

    (void) ngx_rooms_commit_two(c, (u_char *) g->plan.elts + g->at + 3,
                                g->count);

    value = g->values.elts;

    for (i = 0; i < g->values.nelts; i++) {
        ngx_rooms_commit_arg(c, &g->args, value[i]);
    }
}


/* The tenant's hash is read by each commit, and once: its schema, too. */
static void
ngx_rooms_commit_read_tenant(ngx_rooms_commit_t *c, ngx_rooms_reads_t *g)
{
    ngx_uint_t  i;

    ngx_rooms_commit_group(c, g, NGX_ROOMS_G_TENANT, NGX_ROOMS_TENANT_KEY);
    ngx_rooms_commit_read_guards(c, g, NGX_ROOMS_TENANT_KEY);

    for (i = 0; i < NGX_ROOMS_QUOTAS; i++) {

        if (c->quota[i]) {
            ngx_rooms_commit_read(c, g, NGX_ROOMS_READ_LIMIT,
                                  rooms_cstr(ngx_rooms_quotas[i].name), 0);
        }
    }

    ngx_rooms_commit_group_end(c, g);
}


static void
ngx_rooms_commit_read_hash(ngx_rooms_commit_t *c, ngx_rooms_reads_t *g,
    ngx_uint_t key, ngx_uint_t timed)
{
    ngx_rooms_commit_group(c, g, NGX_ROOMS_G_FIELD, key);
    ngx_rooms_commit_read_guards(c, g, key);

    if (timed) {
        ngx_rooms_commit_read(c, g, NGX_ROOMS_READ_TIME, ngx_rooms_s("at"),
                              0);
    }

    ngx_rooms_commit_group_end(c, g);
}


/*
 * The guards' plan and arguments.  All fields of one hash are read at once:
 * those of the tenant first, then those of the room whose time moves.
 */
static ngx_int_t
ngx_rooms_commit_put_guards(ngx_rooms_commit_t *c, ngx_rooms_reads_t *g)
{
    u_char             *done;
    ngx_uint_t          i, k, timed;
    rooms_str_t        *args;
    ngx_rooms_guard_t  *guard;

    ngx_memzero(g, sizeof(ngx_rooms_reads_t));

    done = ngx_pcalloc(c->pool, c->keys.nelts + 2);

    if (done == NULL
        || ngx_array_init(&g->plan, c->pool, 160, 1) != NGX_OK
        || ngx_array_init(&g->args, c->pool, 16, sizeof(rooms_str_t))
           != NGX_OK
        || ngx_array_init(&g->values, c->pool, 4, sizeof(rooms_str_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_array_push_n(&g->plan, NGX_ROOMS_COMMIT_BEGIN) == NULL) {
        return NGX_ERROR;
    }

    ngx_rooms_commit_read_tenant(c, g);
    done[NGX_ROOMS_TENANT_KEY] = 1;

    timed = c->timed.data ? ngx_rooms_commit_key(c, c->timed) : 0;

    if (timed) {
        ngx_rooms_commit_read_hash(c, g, timed, 1);
        done[timed] = 1;
    }

    guard = c->guards.elts;

    for (i = 0; i < c->guards.nelts; i++) {

        if (guard[i].kind <= NGX_ROOMS_G_NO_FIELD) {

            if (!done[guard[i].key]) {
                ngx_rooms_commit_read_hash(c, g, guard[i].key, 0);
                done[guard[i].key] = 1;
            }

            continue;
        }

        ngx_rooms_commit_plan(c, g, guard[i].kind, guard[i].key, i + 1);

        args = c->args.elts;

        for (k = 0; k < guard[i].argc; k++) {
            ngx_rooms_commit_arg(c, &g->args, args[guard[i].first + k]);
        }
    }

    return c->failed ? NGX_ERROR : NGX_OK;
}


/*
 * The texts that replace the marks.  The position is a proposal: the script
 * replaces them again if another commit took it.
 */
typedef struct {
    u_char              hex[16];
    u_char              pos[NGX_INT64_LEN];
    u_char              time[NGX_INT64_LEN];
    int64_t             position;
    rooms_str_t         text[4];       /* of bytes 1, 2 and 3 */
} ngx_rooms_given_t;


static void
ngx_rooms_commit_given(ngx_rooms_given_t *g, int64_t position, int64_t time)
{
    g->position = position;
    g->text[1] = (rooms_str_t) { ngx_sprintf(g->hex, "%013xL", position)
                                 - g->hex, g->hex };
    g->text[2] = (rooms_str_t) { ngx_sprintf(g->pos, "%L", position)
                                 - g->pos, g->pos };
    g->text[3] = (rooms_str_t) { ngx_sprintf(g->time, "%L", time)
                                 - g->time, g->time };
}


static void
ngx_rooms_commit_put_mark(ngx_rooms_commit_t *c, ngx_array_t *marks,
    ngx_uint_t arg, size_t at, u_char kind)
{
    u_char  *p;

    p = ngx_array_push_n(marks, NGX_ROOMS_COMMIT_MARK);

    if (p == NULL || at > 0xffffff) {
        c->failed = 1;
        return;
    }

    p = ngx_rooms_commit_two(c, p, arg);
    *p++ = at >> 16;
    p = ngx_rooms_commit_two(c, p, at & 0xffff);
    *p = kind;
}


/*
 * Replaces the n marks of one argument, which begin at mark[0], and records
 * for the script where the texts are, the last one first.
 */
static rooms_str_t
ngx_rooms_commit_fill(ngx_rooms_commit_t *c, ngx_array_t *marks,
    ngx_rooms_mark_t *mark, ngx_uint_t n, ngx_uint_t arg, rooms_str_t s,
    const ngx_rooms_given_t *given)
{
    size_t       len;
    u_char      *start, *p, *last, kind;
    off_t        number;
    ngx_uint_t   i;

    len = s.len + n * NGX_INT64_LEN;
    start = ngx_pnalloc(c->pool, len);

    if (start == NULL) {
        c->failed = 1;
        return s;
    }

    if (s.data[0] == *NGX_ROOMS_LESS) {
        number = ngx_atoof((u_char *) s.data + 1, s.len - 1);
        ngx_rooms_commit_put_mark(c, marks, arg, 1, *NGX_ROOMS_LESS);

        return (rooms_str_t) { ngx_sprintf(start, "%O", number
                                           - (off_t) given->position)
                               - start, start };
    }

    /* from the end, so that the last mark comes first */

    last = start + len;
    p = last;

    for (i = n; i > 0; i--) {
        kind = s.data[mark[i - 1].at - 1];

        len = s.len - mark[i - 1].at;
        p -= len;
        ngx_memcpy(p, s.data + mark[i - 1].at, len);

        p -= given->text[kind].len;
        ngx_memcpy(p, given->text[kind].data, given->text[kind].len);

        s.len = mark[i - 1].at - 1;
        mark[i - 1].back = last - p;
    }

    p -= s.len;
    ngx_memcpy(p, s.data, s.len);

    for (i = n; i > 0; i--) {
        ngx_rooms_commit_put_mark(c, marks, arg,
                                  last - p - mark[i - 1].back + 1,
                                  s.data[mark[i - 1].at - 1]);
    }

    return (rooms_str_t) { last - p, p };
}


/* Fills all arguments that have marks; marks of one argument are adjacent. */
static ngx_int_t
ngx_rooms_commit_put_marks(ngx_rooms_commit_t *c, ngx_array_t *marks,
    rooms_str_t *argv, const ngx_uint_t *first,
    const ngx_rooms_given_t *given)
{
    ngx_uint_t         i, n, arg;
    ngx_rooms_mark_t  *mark;

    mark = c->marks.elts;

    for (i = 0; i < c->marks.nelts; i += n) {

        for (n = 1; i + n < c->marks.nelts
                    && mark[i + n].write == mark[i].write
                    && mark[i + n].arg == mark[i].arg; n++)
        {
            /* void */
        }

        arg = mark[i].write == c->writes.nelts
              ? NGX_ROOMS_COMMIT_ROW : first[mark[i].write] + mark[i].arg;

        argv[arg - 1] = ngx_rooms_commit_fill(c, marks, &mark[i], n, arg,
                                              argv[arg - 1], given);
    }

    return c->failed ? NGX_ERROR : NGX_OK;
}


/* Each guard's arguments end where those of the next one begin. */
static void
ngx_rooms_commit_count_args(ngx_rooms_commit_t *c)
{
    ngx_uint_t          i, last;
    ngx_rooms_guard_t  *guard;

    guard = c->guards.elts;
    last = c->args.nelts;

    for (i = c->guards.nelts; i > 0; i--) {
        guard[i - 1].argc = last - guard[i - 1].first;
        last = guard[i - 1].first;
    }
}


/* The writes behind the guards of the plan, and their arguments. */
static rooms_str_t *
ngx_rooms_commit_put_writes(ngx_rooms_commit_t *c, ngx_array_t *plan,
    ngx_uint_t *first, rooms_str_t *argv, rooms_str_t *a)
{
    u_char             *p;
    ngx_uint_t          i, begin;
    ngx_rooms_write_t  *w;

    w = c->writes.elts;
    begin = plan->nelts + 1;

    p = ngx_array_push_n(plan, NGX_ROOMS_COMMIT_STEP * c->writes.nelts);
    if (p == NULL) {
        return NULL;
    }

    for (i = 0; i < c->writes.nelts; i++) {
        *p++ = w[i].command;
        p = ngx_rooms_commit_two(c, p, w[i].key);
        p = ngx_rooms_commit_two(c, p, w[i].argc);

        first[i] = a - argv + 1;

        if (w[i].argc) {
            ngx_memcpy(a, w[i].argv, w[i].argc * sizeof(rooms_str_t));
            a += w[i].argc;
        }
    }

    p = plan->elts;
    *p++ = begin >> 16;
    p = ngx_rooms_commit_two(c, p, begin & 0xffff);
    (void) ngx_rooms_commit_two(c, p, c->events.data
                                ? ngx_rooms_commit_key(c, c->events) : 0);

    return a;
}


/* The last of the n positions that this commit proposes to take. */
static int64_t
ngx_rooms_commit_wish(int64_t n)
{
    int64_t         floor;
    static int64_t  last;

    floor = ngx_max(ngx_rooms_commit_floor(), 1);

    if (n != 1) {
        return floor - 1 + n;
    }

    /*
     * This worker has proposed that position already: it sends commits faster
     * than the floor rises.  A gap does no harm, so one counter serves all
     * tenants.  It is at most ten seconds ahead of the clock, a third of the
     * lead that positions get after a failover.
     */

    if (floor <= last && last - floor < NGX_ROOMS_POSITIONS_MS * 10000) {
        floor = last + 1;
    }

    last = floor;

    return floor;
}


/*
 * A batch may be built again if the store doesn't know the script.  So this
 * changes nothing in the commit that a second call would add to.
 */
ngx_int_t
ngx_rooms_commit_build(ngx_rooms_commit_t *c, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys, ngx_uint_t whole)
{
    ngx_uint_t          i, n, marked, *first;
    rooms_str_t        *all, *argv, *a;
    ngx_array_t         marks;
    ngx_rooms_write_t  *w;
    ngx_rooms_reads_t   reads;
    ngx_rooms_given_t   given;

    ngx_rooms_commit_guard_quotas(c, keys);

    if (c->events.data) {
        (void) ngx_rooms_commit_key(c, c->events);
    }

    if (c->timed.data) {
        (void) ngx_rooms_commit_key(c, c->timed);
    }

    ngx_rooms_commit_count_args(c);

    if (ngx_rooms_commit_put_guards(c, &reads) != NGX_OK
        || ngx_array_init(&marks, b->pool, 16 * NGX_ROOMS_COMMIT_MARK, 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    w = c->writes.elts;
    n = 3 + c->keys.nelts + NGX_ROOMS_COMMIT_ARGS + reads.args.nelts;

    for (i = 0; i < c->writes.nelts; i++) {
        n += w[i].argc;
    }

    all = ngx_palloc(b->pool, n * sizeof(rooms_str_t));
    first = ngx_palloc(b->pool, (c->writes.nelts + 1) * sizeof(ngx_uint_t));

    if (all == NULL || first == NULL || c->failed) {
        return NGX_ERROR;
    }

    a = ngx_rooms_script_begin(&ngx_rooms_script, whole, all);
    *a++ = ngx_rooms_number(b->pool, c->keys.nelts);
    ngx_memcpy(a, c->keys.elts, c->keys.nelts * sizeof(rooms_str_t));
    a += c->keys.nelts;

    argv = a;
    a += NGX_ROOMS_COMMIT_ARGS;
    ngx_memcpy(a, reads.args.elts, reads.args.nelts * sizeof(rooms_str_t));
    a += reads.args.nelts;

    a = ngx_rooms_commit_put_writes(c, &reads.plan, first, argv, a);

    if (a == NULL) {
        return NGX_ERROR;
    }

    i = c->events.data ? 1 : c->takes;
    ngx_rooms_commit_given(&given, ngx_rooms_commit_wish(i), c->time);

    argv[0] = ngx_rooms_dup(b->pool, given.text[2]);
    argv[1] = i ? ngx_rooms_number(b->pool, i) : ngx_rooms_s("");
    argv[2] = (rooms_str_t) { reads.plan.nelts, reads.plan.elts };
    argv[4] = ngx_rooms_dup(b->pool, given.text[3]);
    argv[5] = c->place;
    argv[6] = c->events.data ? ngx_rooms_join(b->pool, c->head, c->tail)
                             : ngx_rooms_s("");

    marked = c->marks.nelts;

    if (c->events.data) {
        ngx_rooms_commit_mark(c, c->writes.nelts, 0, c->head);
    }

    if (ngx_rooms_commit_put_marks(c, &marks, argv, first, &given) != NGX_OK)
    {
        return NGX_ERROR;
    }

    argv[3] = (rooms_str_t) { marks.nelts, marks.elts };

    c->marks.nelts = marked;

    return ngx_rooms_batch_add(b, all, n);
}


ngx_uint_t
ngx_rooms_schema_known(rooms_str_t prefix, rooms_str_t tenant,
    rooms_str_t schema, ngx_log_t *log)
{
    ngx_str_t  p, t, s;

    if (schema.data == NULL
        || rooms_str_eq(schema, ngx_rooms_s(NGX_ROOMS_SCHEMA)))
    {
        return 1;
    }

    p = ngx_from_rooms(prefix);
    t = ngx_from_rooms(tenant);
    s = ngx_from_rooms(schema);

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "rooms: \"%V:{%V}:tenant\" has schema \"%V\", this module "
                  "supports only schema " NGX_ROOMS_SCHEMA ": the tenant is "
                  "neither read nor written", &p, &t, &s);

    return 0;
}


ngx_int_t
ngx_rooms_commit_reserve(ngx_rooms_batch_t *b, const ngx_rooms_keys_t *keys,
    int64_t n)
{
    ngx_rooms_keys_t    own;
    ngx_rooms_commit_t  c;

    own = *keys;
    own.pool = b->pool;

    if (ngx_rooms_commit_init(&c, b->pool, &own) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_commit_positions(&c, n);

    /* a second run has the same number, and would do nothing */
    b->once = 1;

    return ngx_rooms_commit_build(&c, b, &own, 1);
}


ngx_rooms_commit_e
ngx_rooms_commit_result(ngx_rooms_batch_t *b, int64_t *position,
    ngx_log_t *log)
{
    redisReply  *reply;

    reply = b->replies[0];

    if (ngx_rooms_reply_is_error(reply, "NOSCRIPT")) {
        return NGX_ROOMS_COMMIT_NOSCRIPT;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "rooms: commit failed: %s",
                      reply->type == REDIS_REPLY_ERROR ? reply->str
                                                       : "unexpected reply");
        return NGX_ROOMS_COMMIT_ERROR;
    }

    *position = ngx_rooms_reply_int(reply->element[1], 0);

    return ngx_rooms_reply_int(reply->element[0], 0) == 1
           ? NGX_ROOMS_COMMIT_DONE : NGX_ROOMS_COMMIT_CONFLICT;
}


ngx_int_t
ngx_rooms_commit_build_resolve(ngx_rooms_commit_t *c, ngx_rooms_batch_t *b)
{
    /* too late: its hash may be gone though its change was made */

    if (ngx_rooms_commit_numbers - c->number >= NGX_ROOMS_COMMIT_RING) {
        return NGX_DECLINED;
    }

    *ngx_rooms_commit_bar(c->number) = 1;

    return ngx_rooms_command(b, ngx_rooms_s("EVAL"),
                             ngx_rooms_s(NGX_ROOMS_RESOLVE_LUA),
                             ngx_rooms_s("1"), c->id, c->place);
}


/* The length of the first word. */
static size_t
ngx_rooms_commit_first(rooms_str_t s)
{
    u_char  *p, *last;

    last = (u_char *) s.data + s.len;
    p = ngx_strlchr((u_char *) s.data, last, ' ');

    return (p ? p : last) - s.data;
}


void
ngx_rooms_commit_took(ngx_rooms_commit_t *c, ngx_rooms_batch_t *b)
{
    off_t        ms;
    size_t       n;
    rooms_str_t  time;

    if (c->expires && c->id.len <= NGX_ROOMS_COMMIT_KEY) {
        ngx_memcpy(ngx_rooms_commit_kept.key, c->id.data, c->id.len);
        ngx_rooms_commit_kept.len = c->id.len;
        ngx_rooms_commit_kept.at = ngx_current_msec;
    }

    if (b->replies[0]->type == REDIS_REPLY_ARRAY) {
        time = ngx_rooms_reply_str(ngx_rooms_reply_element(b->replies[0], 2));

    } else {
        time = ngx_rooms_reply_str(b->replies[0]);
        n = ngx_min(ngx_rooms_commit_first(time) + 1, time.len);
        time.data += n;
        time.len -= n;
    }

    ms = time.len ? ngx_atoof((u_char *) time.data, time.len) : NGX_ERROR;

    /* an event of another server keeps its own time */

    if (ms != NGX_ERROR && c->source_id.data == NULL) {
        c->event.created_at = ms;
        c->event.origin_ts = ms / 1000;
    }
}


ngx_rooms_commit_e
ngx_rooms_commit_resolved(ngx_rooms_batch_t *b, int64_t *position)
{
    rooms_str_t  value;

    value = ngx_rooms_reply_str(b->replies[0]);

    if (value.data == NULL) {
        return NGX_ROOMS_COMMIT_ERROR;
    }

    /* a time may follow the position */

    *position = ngx_atoof((u_char *) value.data,
                          ngx_rooms_commit_first(value));

    return *position >= 0 ? NGX_ROOMS_COMMIT_DONE : NGX_ROOMS_COMMIT_CONFLICT;
}
