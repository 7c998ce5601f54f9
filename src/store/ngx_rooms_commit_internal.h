/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Shared by the files of a commit: what it collects (ngx_rooms_commit.c), how
 * that becomes the script's arguments (_build.c), and the record that resolves
 * a lost reply (_record.c).
 */

#ifndef NGX_ROOMS_COMMIT_INTERNAL_H
#define NGX_ROOMS_COMMIT_INTERNAL_H

#include "ngx_rooms_commit.h"


/*
 * The commands that a write may use.  The script executes the last four
 * itself.
 */
#define NGX_ROOMS_COMMANDS                                                    \
    "'HSET','ZADD','HDEL','ZREM','HINCRBY','SET','ZINCRBY','UNLINK',"         \
    "'EXPIRE','PEXPIRE','PERSIST','ZREMRANGEBYLEX','ZREMRANGEBYRANK',"        \
    "'ZREMRANGEBYSCORE','PUBLISH','FORGET','UNCOUNT','SHED'"

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

typedef struct {
    ngx_rooms_guard_e   kind;
    ngx_uint_t          key;
    ngx_uint_t          first;         /* of its arguments */
    ngx_uint_t          argc;
} ngx_rooms_guard_t;

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


/* Appends an argument, if there is memory for it. */
void ngx_rooms_commit_arg(ngx_rooms_commit_t *c, ngx_array_t *args,
    rooms_str_t arg);
/* The key's number, from 1. */
ngx_uint_t ngx_rooms_commit_key(ngx_rooms_commit_t *c, rooms_str_t key);
/* Notes the marks in an argument. */
void ngx_rooms_commit_mark(ngx_rooms_commit_t *c, ngx_uint_t write,
    ngx_uint_t arg, rooms_str_t s);
void ngx_rooms_commit_guard_quotas(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys);

/*
 * Gives the commit its number and the place of its record.  NGX_ERROR: out of
 * memory.
 */
ngx_int_t ngx_rooms_commit_record(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys);
/* When due: renews the record's time to live, removes the oldest hash. */
void ngx_rooms_commit_renew(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys);
/*
 * The last of the n positions that a commit proposes to take, none of them
 * below `least`.
 */
int64_t ngx_rooms_commit_propose(int64_t n, int64_t least);

#endif /* NGX_ROOMS_COMMIT_INTERNAL_H */
