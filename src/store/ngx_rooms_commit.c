/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What a commit collects before it is sent: keys, guards, writes, an event.
 */

#include "ngx_rooms_commit_internal.h"


#define NGX_ROOMS_COMMIT_ANSWERS  86400000   /* ms, that a recorded answer is
                                                kept */
#define NGX_ROOMS_COMMIT_SHED   "64"   /* members that one SHED removes */

#define NGX_ROOMS_W_HSET      1
#define NGX_ROOMS_W_ZADD      2
#define NGX_ROOMS_W_ZREM      4
#define NGX_ROOMS_W_FORGET   16
#define NGX_ROOMS_W_UNCOUNT  17

#define NGX_ROOMS_WRITE_MAX  512       /* arguments that joined writes may
                                          have */


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

    key = ngx_array_push_n(&c->keys, 3);

    if (key == NULL || ngx_rooms_commit_record(c, keys) != NGX_OK) {
        return NGX_ERROR;
    }

    key[0] = c->id;
    key[1] = ngx_rooms_key(keys, NGX_ROOMS_KEY_POSITION, ROOMS_NULL);
    key[2] = ngx_rooms_key(keys, NGX_ROOMS_KEY_TENANT, ROOMS_NULL);

    if (key[1].data == NULL || key[2].data == NULL) {
        return NGX_ERROR;
    }

    ngx_rooms_commit_renew(c, keys);

    return NGX_OK;
}


void
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


ngx_uint_t
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


void
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
                                              - NGX_ROOMS_COMMIT_ANSWERS));
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


void
ngx_rooms_commit_mark(ngx_rooms_commit_t *c, ngx_uint_t write, ngx_uint_t arg,
    rooms_str_t s)
{
    size_t             i;
    ngx_rooms_mark_t  *mark;

    for (i = 0; i < s.len; i++) {

        if ((s.data[i] < 1 || s.data[i] > 4)
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
ngx_rooms_commit_append(ngx_rooms_commit_t *c, size_t marked,
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

        ngx_rooms_commit_mark(c, write, w->argc,
                              (rooms_str_t) { ngx_min(argv[i].len, marked),
                                              argv[i].data });

        w->argv[w->argc++] = argv[i];
    }
}


void
ngx_rooms_commit_command(ngx_rooms_commit_t *c, size_t marked,
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

    ngx_rooms_commit_append(c, marked, w, argv, argc);
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
        c->timed = 1;
        ngx_rooms_commit_count(c, room, 0);
    }

    c->time = ms;

    ngx_rooms_commit_write_at(c, "HSET", room, ngx_rooms_s("at"),
                              ngx_rooms_s(NGX_ROOMS_MS));
}


void
ngx_rooms_commit_count(ngx_rooms_commit_t *c, rooms_str_t room,
    ngx_uint_t more)
{
    c->counted = room;

    if (more) {
        c->counts = 1;
        ngx_rooms_commit_write_at(c, "HSET", room, ngx_rooms_s("messages"),
                                  ngx_rooms_s(NGX_ROOMS_MESSAGES));
    }
}


void
ngx_rooms_commit_positions(ngx_rooms_commit_t *c, int64_t n)
{
    c->takes = n;
}
