/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Batches: builds commands, and receives replies. */

#include "ngx_rooms_lane.h"
#include <ngx_sha1.h>


#define NGX_ROOMS_REPLY_MAX  1000000   /* elements; no command asks for as
                                          many */
#define NGX_ROOMS_REPLY_DEPTH      8   /* arrays in one another; so are no
                                          command's, and hiredis 1 has no
                                          limit */


#define NGX_ROOMS_BATCH_BLOCK     1024   /* for commands, at least */
#define NGX_ROOMS_BATCH_POOL      8192   /* a room's replies fit */
#define NGX_ROOMS_BATCH_SPARE       64

/* how a call of a script by its hash begins, behind the count */
#define NGX_ROOMS_EVALSHA  "$7\r\nEVALSHA\r\n$40\r\n"


/* Of this worker.  Under AddressSanitizer nothing is used twice. */
static ngx_pool_t  *ngx_rooms_batch_spare[NGX_ROOMS_BATCH_SPARE];
static ngx_uint_t   ngx_rooms_batch_nspare;


ngx_rooms_batch_t *
ngx_rooms_batch_create(ngx_log_t *log)
{
    ngx_pool_t         *pool;
    ngx_rooms_batch_t  *b;

    if (ngx_rooms_batch_nspare) {
        pool = ngx_rooms_batch_spare[--ngx_rooms_batch_nspare];
        pool->log = log;

    } else {
        pool = ngx_create_pool(NGX_ROOMS_BATCH_POOL, log);
        if (pool == NULL) {
            return NULL;
        }
    }

    b = ngx_pcalloc(pool, sizeof(ngx_rooms_batch_t));
    if (b == NULL
        || ngx_array_init(&b->commands, pool, 8, sizeof(ngx_str_t)) != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    b->pool = pool;
    b->slot = -1;

    return b;
}


/* Its pool is kept for the next batch, unless it has grown. */
void
ngx_rooms_batch_destroy(ngx_rooms_batch_t *b)
{
    ngx_pool_t  *pool;

    pool = b->pool;

#ifndef __SANITIZE_ADDRESS__

    if (ngx_rooms_batch_nspare < NGX_ROOMS_BATCH_SPARE
        && pool->d.next == NULL && pool->large == NULL
        && pool->cleanup == NULL)
    {
        ngx_reset_pool(pool);
        ngx_rooms_batch_spare[ngx_rooms_batch_nspare++] = pool;
        return;
    }

#endif

    ngx_destroy_pool(pool);
}


void
ngx_rooms_batch_exit_worker(void)
{
    ngx_pool_t  *pool;

    while (ngx_rooms_batch_nspare) {
        pool = ngx_rooms_batch_spare[--ngx_rooms_batch_nspare];
        pool->log = ngx_cycle->log;        /* its own may be gone */
        ngx_destroy_pool(pool);
    }
}


void
ngx_rooms_batch_free(ngx_rooms_batch_t *b)
{
    ngx_rooms_batch_t  *followed;

    b->handler = NULL;

    while (b->followed) {
        followed = b->followed;
        b->followed = followed->older;
        ngx_rooms_batch_free(followed);
    }

    if (b->lane != NULL) {

        if (b->sent) {
            /* replies are still arriving into its pool */
            return;
        }

        ngx_queue_remove(&b->queue);
        b->lane = NULL;
    }

    ngx_rooms_batch_destroy(b);
}


u_char *
ngx_rooms_resp_size(u_char *p, u_char kind, size_t n)
{
    u_char  digits[NGX_INT_T_LEN], *d;

    *p++ = kind;

    if (n < 10) {
        *p++ = '0' + n;

    } else {
        d = digits + sizeof(digits);

        do {
            *--d = '0' + n % 10;
            n /= 10;
        } while (n);

        while (d < digits + sizeof(digits)) {
            *p++ = *d++;
        }
    }

    *p++ = CR;
    *p++ = LF;

    return p;
}


/*
 * Commands are written one behind the other into blocks of the batch's pool.
 * One that doesn't fit any more moves to a new block.
 */


u_char *
ngx_rooms_batch_begin(ngx_rooms_batch_t *b, ngx_uint_t argc)
{
    u_char  *p;

    p = ngx_rooms_batch_room(b, b->last, NGX_ROOMS_RESP_SIZE);

    return p ? ngx_rooms_resp_size(p, '*', argc) : NULL;
}


u_char *
ngx_rooms_batch_room(ngx_rooms_batch_t *b, u_char *p, size_t size)
{
    size_t   begun;
    u_char  *block;

    if ((size_t) (b->end - p) >= size) {
        return p;
    }

    begun = p - b->last;
    size = ngx_max(2 * (begun + size), NGX_ROOMS_BATCH_BLOCK);

    block = ngx_pnalloc(b->pool, size);
    if (block == NULL) {
        return NULL;
    }

    if (begun) {
        ngx_memcpy(block, b->last, begun);
    }

    b->last = block;
    b->end = block + size;

    return block + begun;
}


ngx_int_t
ngx_rooms_batch_end(ngx_rooms_batch_t *b, u_char *p)
{
    ngx_str_t  *cmd;

    cmd = p ? ngx_array_push(&b->commands) : NULL;

    if (cmd == NULL) {
        b->failed = 1;
        return NGX_ERROR;
    }

    cmd->data = b->last;
    cmd->len = p - b->last;

    b->last = p;

    return NGX_OK;
}


u_char *
ngx_rooms_batch_args(ngx_rooms_batch_t *b, u_char *p, const rooms_str_t *argv,
    ngx_uint_t argc)
{
    ngx_uint_t  i;

    for (i = 0; p && i < argc; i++) {
        p = ngx_rooms_batch_room(b, p, NGX_ROOMS_RESP_SIZE + argv[i].len + 2);

        if (p) {
            p = ngx_rooms_resp_size(p, '$', argv[i].len);

            if (argv[i].len) {
                p = ngx_cpymem(p, argv[i].data, argv[i].len);
            }

            *p++ = CR;
            *p++ = LF;
        }
    }

    return p;
}


ngx_int_t
ngx_rooms_batch_add(ngx_rooms_batch_t *b, const rooms_str_t *argv,
    ngx_uint_t argc)
{
    u_char  *p;

    /* a key that couldn't be made is none, and not an empty one */

    p = argc > 1 && argv[1].data == NULL ? NULL
                                         : ngx_rooms_batch_begin(b, argc);

    return ngx_rooms_batch_end(b, ngx_rooms_batch_args(b, p, argv, argc));
}


void
ngx_rooms_batch_done(ngx_rooms_batch_t *b)
{
    b->lane = NULL;

    if (b->handler) {
        b->handler(b);
        return;
    }

    ngx_rooms_batch_destroy(b);
}


/*
 * Finds the pool for a reply: that of the first batch in flight.  This also
 * holds for a batch that was freed; its pool goes away with its last reply.
 */


static ngx_pool_t *
ngx_rooms_reply_pool(const redisReadTask *task)
{
    ngx_queue_t        *q;
    ngx_rooms_lane_t   *lane;
    ngx_rooms_batch_t  *b;

    lane = task->privdata;

    if (!ngx_queue_empty(&lane->inflight)) {
        q = ngx_queue_head(&lane->inflight);
        b = ngx_queue_data(q, ngx_rooms_batch_t, queue);
        return b->pool;
    }

    /* nothing was asked: a reply that can't be made ends the connection */

    ngx_log_error(NGX_LOG_ERR, lane->timer.log, 0,
                  "rooms: redis \"%V\" sent an unexpected reply",
                  &lane->node->name);

    return NULL;
}


/* An array's elements lie behind its pointers to them. */
static redisReply *
ngx_rooms_reply_create(const redisReadTask *task, ngx_pool_t *pool)
{
    redisReply  *reply, *parent;

    if (task->parent) {
        parent = task->parent->obj;
        reply = (redisReply *) (parent->element + parent->elements)
                + task->idx;
        parent->element[task->idx] = reply;

    } else {
        reply = ngx_pcalloc(pool, sizeof(redisReply));
        if (reply == NULL) {
            return NULL;
        }
    }

    reply->type = task->type;

    return reply;
}


static void *
ngx_rooms_reply_string(const redisReadTask *task, char *str, size_t len)
{
    ngx_pool_t  *pool;
    redisReply  *reply;

    pool = ngx_rooms_reply_pool(task);
    if (pool == NULL) {
        return NULL;
    }

    reply = ngx_rooms_reply_create(task, pool);
    if (reply == NULL) {
        return NULL;
    }

    reply->str = ngx_pnalloc(pool, len + 1);
    if (reply->str == NULL) {
        return NULL;
    }

    ngx_memcpy(reply->str, str, len);
    reply->str[len] = '\0';
    reply->len = len;

    return reply;
}


#if (HIREDIS_MAJOR >= 1)
static void *
ngx_rooms_reply_array(const redisReadTask *task, size_t elements)
#else
static void *
ngx_rooms_reply_array(const redisReadTask *task, int elements)
#endif
{
    ngx_uint_t            depth;
    ngx_pool_t           *pool;
    redisReply           *reply;
    const redisReadTask  *outer;

    /* maps and sets are RESP3's, which is never asked for */

    pool = ngx_rooms_reply_pool(task);
    if (pool == NULL || elements > NGX_ROOMS_REPLY_MAX
        || task->type != REDIS_REPLY_ARRAY)
    {
        return NULL;
    }

    for (depth = 0, outer = task->parent; outer; outer = outer->parent) {

        if (++depth == NGX_ROOMS_REPLY_DEPTH) {
            return NULL;
        }
    }

    reply = ngx_rooms_reply_create(task, pool);
    if (reply == NULL) {
        return NULL;
    }

    if (elements > 0) {
        reply->element = ngx_pcalloc(pool, elements * (sizeof(redisReply *)
                                                       + sizeof(redisReply)));
        if (reply->element == NULL) {
            return NULL;
        }
    }

    reply->elements = elements;

    return reply;
}


static void *
ngx_rooms_reply_integer(const redisReadTask *task, long long value)
{
    ngx_pool_t  *pool;
    redisReply  *reply;

    pool = ngx_rooms_reply_pool(task);
    if (pool == NULL) {
        return NULL;
    }

    reply = ngx_rooms_reply_create(task, pool);
    if (reply == NULL) {
        return NULL;
    }

    reply->integer = value;

    return reply;
}


static void *
ngx_rooms_reply_nil(const redisReadTask *task)
{
    redisReply  *reply;

    reply = ngx_rooms_reply_integer(task, 0);

    if (reply) {
        /* the task's type is that of the missing value */
        reply->type = REDIS_REPLY_NIL;
    }

    return reply;
}


#if (HIREDIS_MAJOR >= 1)

/*
 * What only RESP3 has, and is never asked for.  Without these hiredis would
 * give us a number in place of a reply.
 */

static void *
ngx_rooms_reply_double(const redisReadTask *task, double value, char *str,
    size_t len)
{
    return ngx_rooms_reply_string(task, str, len);
}


static void *
ngx_rooms_reply_bool(const redisReadTask *task, int value)
{
    return ngx_rooms_reply_integer(task, value);
}

#endif


static void
ngx_rooms_reply_free(void *reply)
{
    /* it belongs to a pool */
}


redisReplyObjectFunctions  ngx_rooms_reply_functions = {
    .createString = ngx_rooms_reply_string,
    .createArray = ngx_rooms_reply_array,
    .createInteger = ngx_rooms_reply_integer,
    .createNil = ngx_rooms_reply_nil,
#if (HIREDIS_MAJOR >= 1)
    .createDouble = ngx_rooms_reply_double,
    .createBool = ngx_rooms_reply_bool,
#endif
    .freeObject = ngx_rooms_reply_free
};


/* No key of Redis has more elements; sums of counts don't overflow. */
#define NGX_ROOMS_COUNT_MAX  UINT32_MAX

/* What Redis replies to a command, if it isn't an error. */
typedef enum {
    NGX_ROOMS_SHAPE_TEXT = 0,              /* or nil */
    NGX_ROOMS_SHAPE_COUNT,
    NGX_ROOMS_SHAPE_LIST,                  /* of texts */
    NGX_ROOMS_SHAPE_VALUES                 /* a text or nil for each argument
                                              behind the key */
} ngx_rooms_shape_e;

typedef struct {
    ngx_str_t           name;
    ngx_rooms_shape_e   shape;
} ngx_rooms_shape_t;

/* The commands whose replies are read; the most frequent ones come first. */
static const ngx_rooms_shape_t  ngx_rooms_shapes[] = {
    { ngx_string("HGET"), NGX_ROOMS_SHAPE_TEXT },
    { ngx_string("HMGET"), NGX_ROOMS_SHAPE_VALUES },
    { ngx_string("GET"), NGX_ROOMS_SHAPE_TEXT },
    { ngx_string("ZRANGEBYSCORE"), NGX_ROOMS_SHAPE_LIST },
    { ngx_string("HEXISTS"), NGX_ROOMS_SHAPE_COUNT },
    { ngx_string("HGETALL"), NGX_ROOMS_SHAPE_LIST },
    { ngx_string("ZCARD"), NGX_ROOMS_SHAPE_COUNT },
    { ngx_string("ZSCORE"), NGX_ROOMS_SHAPE_TEXT },
    { ngx_string("ZRANGE"), NGX_ROOMS_SHAPE_LIST },
    { ngx_string("ZRANGEBYLEX"), NGX_ROOMS_SHAPE_LIST },
    { ngx_string("ZREVRANGEBYLEX"), NGX_ROOMS_SHAPE_LIST },
    { ngx_string("ZREVRANGEBYSCORE"), NGX_ROOMS_SHAPE_LIST },
    { ngx_string("ZREVRANGE"), NGX_ROOMS_SHAPE_LIST },
    { ngx_string("ZLEXCOUNT"), NGX_ROOMS_SHAPE_COUNT },
    { ngx_string("ZMSCORE"), NGX_ROOMS_SHAPE_VALUES },
    { ngx_string("ZCOUNT"), NGX_ROOMS_SHAPE_COUNT },
    { ngx_string("EXISTS"), NGX_ROOMS_SHAPE_COUNT },
    { ngx_string("ZINTER"), NGX_ROOMS_SHAPE_LIST },
    { ngx_string("ZDIFF"), NGX_ROOMS_SHAPE_LIST },
    { ngx_null_string, 0 }
};


/* Reads a number of a command's RESP, and skips the CR LF behind it. */
static size_t
ngx_rooms_resp_number(u_char **p)
{
    size_t  n;

    for (n = 0; **p != CR; (*p)++) {
        n = n * 10 + (**p - '0');
    }

    *p += 2;

    return n;
}


static ngx_uint_t
ngx_rooms_reply_texts(const redisReply *reply, ngx_uint_t nils)
{
    size_t  i;

    if (reply->type != REDIS_REPLY_ARRAY) {
        return 0;
    }

    for (i = 0; i < reply->elements; i++) {

        if (reply->element[i]->type != REDIS_REPLY_STRING
            && (!nils || reply->element[i]->type != REDIS_REPLY_NIL))
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_rooms_reply_fits(const ngx_str_t *cmd, const redisReply *reply)
{
    u_char                   *p;
    size_t                    argc, len;
    const ngx_rooms_shape_t  *shape;

    if (reply->type == REDIS_REPLY_ERROR) {
        return 1;
    }

    p = cmd->data + 1;
    argc = ngx_rooms_resp_number(&p);
    p++;
    len = ngx_rooms_resp_number(&p);

    for (shape = ngx_rooms_shapes; shape->name.len; shape++) {

        if (shape->name.len == len
            && ngx_memcmp(shape->name.data, p, len) == 0)
        {
            break;
        }
    }

    if (shape->name.len == 0) {
        return 1;
    }

    switch (shape->shape) {

    case NGX_ROOMS_SHAPE_TEXT:
        return reply->type == REDIS_REPLY_STRING
               || reply->type == REDIS_REPLY_NIL;

    case NGX_ROOMS_SHAPE_COUNT:
        return reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0
               && reply->integer <= NGX_ROOMS_COUNT_MAX;

    case NGX_ROOMS_SHAPE_LIST:
        return ngx_rooms_reply_texts(reply, 0);

    default:
        return ngx_rooms_reply_texts(reply, 1) && reply->elements == argc - 2;
    }
}


rooms_str_t
ngx_rooms_reply_str(redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_STRING) {
        return ROOMS_NULL;
    }

    return (rooms_str_t) { reply->len, (u_char *) reply->str };
}


int64_t
ngx_rooms_reply_int(redisReply *reply, int64_t otherwise)
{
    off_t  n;

    if (reply == NULL) {
        return otherwise;
    }

    if (reply->type == REDIS_REPLY_INTEGER) {
        return reply->integer;
    }

    if (reply->type != REDIS_REPLY_STRING) {
        return otherwise;
    }

    n = ngx_atoof((u_char *) reply->str, reply->len);

    return n == NGX_ERROR ? otherwise : n;
}


redisReply *
ngx_rooms_reply_element(redisReply *reply, ngx_uint_t n)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || n >= reply->elements)
    {
        return NULL;
    }

    return reply->element[n];
}


rooms_str_t
ngx_rooms_reply_str_at(redisReply *reply, ngx_uint_t n)
{
    return ngx_rooms_reply_str(ngx_rooms_reply_element(reply, n));
}


int64_t
ngx_rooms_reply_int_at(redisReply *reply, ngx_uint_t n, int64_t otherwise)
{
    return ngx_rooms_reply_int(ngx_rooms_reply_element(reply, n), otherwise);
}


ngx_uint_t
ngx_rooms_reply_is_error(redisReply *reply, const char *prefix)
{
    return reply && reply->type == REDIS_REPLY_ERROR
           && ngx_strncmp(reply->str, prefix, ngx_strlen(prefix)) == 0;
}


rooms_str_t *
ngx_rooms_script_begin(ngx_rooms_script_t *script, ngx_rooms_batch_t *b,
    ngx_uint_t whole, rooms_str_t *argv)
{
    u_char      digest[20];
    ngx_sha1_t  sha1;

    if (whole) {
        *argv++ = ngx_rooms_s("EVAL");
        *argv++ = (rooms_str_t) { script->text.len, script->text.data };
        return argv;
    }

    if (script->hash[0] == '\0') {
        ngx_sha1_init(&sha1);
        ngx_sha1_update(&sha1, script->text.data, script->text.len);
        ngx_sha1_final(digest, &sha1);
        ngx_hex_dump(script->hash, digest, sizeof(digest));
    }

    b->script = script;

    *argv++ = ngx_rooms_s("EVALSHA");
    *argv++ = (rooms_str_t) { sizeof(script->hash), script->hash };

    return argv;
}


ngx_int_t
ngx_rooms_script_text(ngx_rooms_batch_t *b)
{
    u_char      *p, *args, *last;
    ngx_str_t   *cmd, *text;
    ngx_uint_t   i;

    if (b->script == NULL) {
        return NGX_DECLINED;
    }

    for (i = 0; i < b->commands.nelts; i++) {

        if (ngx_rooms_reply_is_error(b->replies[i], "NOSCRIPT ")) {
            break;
        }
    }

    if (i == b->commands.nelts) {
        return NGX_DECLINED;
    }

    cmd = b->commands.elts;
    cmd += i;
    text = &b->script->text;

    last = cmd->data + cmd->len;
    args = ngx_strlchr(cmd->data, last, LF) + 1;

    if (ngx_strncmp(args, NGX_ROOMS_EVALSHA, sizeof(NGX_ROOMS_EVALSHA) - 1)
        != 0)
    {
        /* it has the text already */
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(b->pool, cmd->len + NGX_ROOMS_RESP_SIZE + text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    /* the number of arguments stays */

    i = args - cmd->data;
    cmd->data = ngx_cpymem(p, cmd->data, i) - i;
    p += i;

    args += sizeof(NGX_ROOMS_EVALSHA) - 1 + sizeof(b->script->hash);

    p = ngx_cpymem(p, "$4\r\nEVAL\r\n", sizeof("$4\r\nEVAL\r\n") - 1);
    p = ngx_rooms_resp_size(p, '$', text->len);
    p = ngx_cpymem(p, text->data, text->len);
    p = ngx_cpymem(p, args, last - args);

    cmd->len = p - cmd->data;

    return NGX_OK;
}
