/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Turns a commit into the script's arguments, which the first comment of
 * ngx_rooms_commit.lua describes, and reads its answer.
 */

#include "ngx_rooms_commit_internal.h"
#include "ngx_rooms_commit_lua.h"


/* Arguments before those of guards and writes: see the script. */
#define NGX_ROOMS_COMMIT_ARGS   7
#define NGX_ROOMS_COMMIT_ROW    7      /* the event's, of these */

#define NGX_ROOMS_COMMIT_BEGIN  5      /* bytes before the guards */
#define NGX_ROOMS_COMMIT_STEP   5      /* bytes of a guard, a write */
#define NGX_ROOMS_COMMIT_MARK   6      /* bytes of a mark */
#define NGX_ROOMS_COMMIT_COUNT  5      /* bytes of a place of the number of
                                          messages */
#define NGX_ROOMS_COMMIT_READ   3      /* bytes of a field that is read */

#define NGX_ROOMS_TENANT_KEY    3      /* its number in each commit */


/* What the script does with a field that it reads. */
typedef enum {
    NGX_ROOMS_FIELD_ABSENT = 0,
    NGX_ROOMS_FIELD_EQUAL,
    NGX_ROOMS_FIELD_TIME,
    NGX_ROOMS_FIELD_LIMIT,
    NGX_ROOMS_FIELD_COUNT,
    NGX_ROOMS_FIELD_NEXT
} ngx_rooms_field_e;

/* Fields of one hash, and what they are compared with. */
typedef struct {
    ngx_array_t         plan;          /* of u_char: see the script */
    ngx_array_t         args;          /* of rooms_str_t: of all */
    ngx_array_t         values;        /* of the group */
    ngx_uint_t          count;         /* of the group's fields */
    size_t              at;            /* where that stands in the plan */
} ngx_rooms_reads_t;

/*
 * The texts that replace the marks.  The position is a proposal: the script
 * replaces them again if another commit took it.
 */
typedef struct {
    u_char              hex[16];
    u_char              pos[NGX_INT64_LEN];
    u_char              time[NGX_INT64_LEN];
    int64_t             position;
    rooms_str_t         text[5];       /* of bytes 1, 2 and 3; the script
                                          alone knows that of 4 */
} ngx_rooms_given_t;

/* What the script fills in. */
typedef struct {
    ngx_array_t         counts;        /* of u_char: see the script */
    ngx_array_t         marks;         /* of u_char */
} ngx_rooms_places_t;


static ngx_rooms_script_t  ngx_rooms_script = {
    ngx_string(NGX_ROOMS_COMMIT_LUA), { 0 }
};


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
    ngx_rooms_field_e what, rooms_str_t field, ngx_uint_t number)
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
            ngx_rooms_commit_read(c, g, NGX_ROOMS_FIELD_ABSENT,
                                  args[guard[i].first], i + 1);

        } else {
            ngx_rooms_commit_read(c, g, NGX_ROOMS_FIELD_EQUAL,
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
            ngx_rooms_commit_read(c, g, NGX_ROOMS_FIELD_LIMIT,
                                  rooms_cstr(ngx_rooms_quota_name(i)), 0);
        }
    }

    ngx_rooms_commit_group_end(c, g);
}


static void
ngx_rooms_commit_read_hash(ngx_rooms_commit_t *c, ngx_rooms_reads_t *g,
    ngx_uint_t key, ngx_uint_t room)
{
    ngx_rooms_commit_group(c, g, NGX_ROOMS_G_FIELD, key);
    ngx_rooms_commit_read_guards(c, g, key);

    if (room) {

        if (c->timed) {
            ngx_rooms_commit_read(c, g, NGX_ROOMS_FIELD_TIME,
                                  ngx_rooms_s("at"), 0);
        }

        ngx_rooms_commit_read(c, g, c->counts ? NGX_ROOMS_FIELD_NEXT
                                              : NGX_ROOMS_FIELD_COUNT,
                              ngx_rooms_s("messages"), 0);
    }

    ngx_rooms_commit_group_end(c, g);
}


/*
 * The guards' plan and arguments.  All fields of one hash are read at once:
 * those of the tenant first, then those of the event's room.
 */
static ngx_int_t
ngx_rooms_commit_put_guards(ngx_rooms_commit_t *c, ngx_rooms_reads_t *g)
{
    u_char             *done;
    ngx_uint_t          i, k, room;
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

    room = c->counted.data ? ngx_rooms_commit_key(c, c->counted) : 0;

    if (room) {
        ngx_rooms_commit_read_hash(c, g, room, 1);
        done[room] = 1;
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
    g->text[4] = ngx_rooms_s("");
}


/* `at` is the text's offset, from 1; of a number what is behind it. */
static void
ngx_rooms_commit_put_mark(ngx_rooms_commit_t *c, ngx_rooms_places_t *places,
    ngx_uint_t arg, size_t at, u_char kind)
{
    u_char  *p;

    p = kind == *NGX_ROOMS_MESSAGES
        ? ngx_array_push_n(&places->counts, NGX_ROOMS_COMMIT_COUNT)
        : ngx_array_push_n(&places->marks, NGX_ROOMS_COMMIT_MARK);

    if (p == NULL || at > 0xffffff) {
        c->failed = 1;
        return;
    }

    p = ngx_rooms_commit_two(c, p, arg);
    *p++ = at >> 16;
    p = ngx_rooms_commit_two(c, p, at & 0xffff);

    if (kind != *NGX_ROOMS_MESSAGES) {
        *p = kind;
    }
}


/*
 * Replaces the n marks of one argument, which begin at mark[0], and records
 * for the script where the texts are, the last one first.
 */
static rooms_str_t
ngx_rooms_commit_fill(ngx_rooms_commit_t *c, ngx_rooms_places_t *places,
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
        ngx_rooms_commit_put_mark(c, places, arg, 1, *NGX_ROOMS_LESS);

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
        kind = s.data[mark[i - 1].at - 1];

        ngx_rooms_commit_put_mark(c, places, arg,
                                  kind == *NGX_ROOMS_MESSAGES
                                  ? mark[i - 1].back
                                  : last - p - mark[i - 1].back + 1,
                                  kind);
    }

    return (rooms_str_t) { last - p, p };
}


/* Fills all arguments that have marks; marks of one argument are adjacent. */
static ngx_int_t
ngx_rooms_commit_put_marks(ngx_rooms_commit_t *c, ngx_rooms_places_t *places,
    rooms_str_t *argv, const ngx_uint_t *first,
    const ngx_rooms_given_t *given)
{
    ngx_uint_t         i, n, arg;
    ngx_rooms_mark_t  *mark;

    if (ngx_array_init(&places->counts, c->pool, 4 * NGX_ROOMS_COMMIT_COUNT, 1)
           != NGX_OK
        || ngx_array_init(&places->marks, c->pool, 16 * NGX_ROOMS_COMMIT_MARK,
                          1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

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

        argv[arg - 1] = ngx_rooms_commit_fill(c, places, &mark[i], n, arg,
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


ngx_int_t
ngx_rooms_commit_build(ngx_rooms_commit_t *c, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys, ngx_uint_t whole)
{
    u_char              counts;
    ngx_uint_t          i, n, marked, *first;
    rooms_str_t        *all, *argv, *a;
    ngx_rooms_write_t  *w;
    ngx_rooms_reads_t   reads;
    ngx_rooms_given_t   given;
    ngx_rooms_places_t  places;

    ngx_rooms_commit_guard_quotas(c, keys);

    if (c->events.data) {
        (void) ngx_rooms_commit_key(c, c->events);
    }

    if (c->counted.data) {
        (void) ngx_rooms_commit_key(c, c->counted);
    }

    ngx_rooms_commit_count_args(c);

    if (ngx_rooms_commit_put_guards(c, &reads) != NGX_OK) {
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

    a = ngx_rooms_script_begin(&ngx_rooms_script, b, whole, all);
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
    ngx_rooms_commit_given(&given, ngx_rooms_commit_propose(i, c->least),
                           c->time);

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

    if (ngx_rooms_commit_put_marks(c, &places, argv, first, &given) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (places.counts.nelts > 0xff * NGX_ROOMS_COMMIT_COUNT) {
        return NGX_ERROR;
    }

    counts = places.counts.nelts / NGX_ROOMS_COMMIT_COUNT;

    argv[3] = ngx_rooms_join(b->pool, { 1, &counts },
                             { places.counts.nelts, places.counts.elts },
                             { places.marks.nelts, places.marks.elts });

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

    *position = ngx_rooms_reply_int(ngx_rooms_reply_element(reply, 1), -1);

    if (*position < 0 || *position > ROOMS_POSITION_MASK) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "rooms: commit failed: %s",
                      reply->type == REDIS_REPLY_ERROR ? reply->str
                                                       : "unexpected reply");
        return NGX_ROOMS_COMMIT_ERROR;
    }

    return ngx_rooms_reply_int(reply->element[0], 0) == 1
           ? NGX_ROOMS_COMMIT_DONE : NGX_ROOMS_COMMIT_CONFLICT;
}
