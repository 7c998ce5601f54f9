/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_fault.h"


#define NGX_ROOMS_SOON    1            /* s */
#define NGX_ROOMS_LATER  60


/* An error that begins with this text. */
typedef struct {
    const char         *text;
    ngx_rooms_fault_e   fault;
} ngx_rooms_fault_reply_t;

static const ngx_rooms_fault_reply_t  ngx_rooms_fault_replies[] = {

    /* it is starting, failing over, moving slots, or running a long script */
    { "LOADING ", NGX_ROOMS_FAULT_PASSES },
    { "BUSY ", NGX_ROOMS_FAULT_PASSES },
    { "READONLY ", NGX_ROOMS_FAULT_PASSES },
    { "MASTERDOWN ", NGX_ROOMS_FAULT_PASSES },
    { "CLUSTERDOWN ", NGX_ROOMS_FAULT_PASSES },
    { "TRYAGAIN ", NGX_ROOMS_FAULT_PASSES },
    { "MOVED ", NGX_ROOMS_FAULT_PASSES },
    { "ASK ", NGX_ROOMS_FAULT_PASSES },

    /* it can't write now, or doesn't allow us to */
    { "OOM ", NGX_ROOMS_FAULT_AWAY },
    { "MISCONF ", NGX_ROOMS_FAULT_AWAY },
    { "NOREPLICAS ", NGX_ROOMS_FAULT_AWAY },
    { "NOAUTH ", NGX_ROOMS_FAULT_AWAY },
    { "NOPERM ", NGX_ROOMS_FAULT_AWAY },
    { "WRONGPASS ", NGX_ROOMS_FAULT_AWAY },
    { "EXECABORT ", NGX_ROOMS_FAULT_AWAY },
    { "ERR The user executing the script can't", NGX_ROOMS_FAULT_AWAY },
    { "ERR Script killed by user", NGX_ROOMS_FAULT_AWAY },
    { "ERR max number of clients", NGX_ROOMS_FAULT_AWAY },

    /* our own script's error: the store has another schema */
    { "SCHEMA ", NGX_ROOMS_FAULT_AWAY },

    /* the store holds something unexpected */
    { "WRONGTYPE ", NGX_ROOMS_FAULT_OURS },
    { "CROSSSLOT ", NGX_ROOMS_FAULT_OURS },

    { NULL, NGX_ROOMS_FAULT_OURS }
};


typedef struct {
    ngx_err_t           err;
    ngx_rooms_fault_e   fault;
    ngx_uint_t          after;
} ngx_rooms_fault_disk_t;

static const ngx_rooms_fault_disk_t  ngx_rooms_fault_errors[] = {

    /* an operator has to make room, or to repair something */
    { ENOSPC, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_LATER },
    { EDQUOT, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_LATER },
    { EROFS, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_LATER },
    { EIO, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_LATER },

    /* a file server is away */
    { ESTALE, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_LATER },
    { ETIMEDOUT, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_LATER },
    { EHOSTDOWN, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_LATER },
    { EHOSTUNREACH, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_LATER },
    { ENOTCONN, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_LATER },

    /* too much is open or in use right now */
    { EMFILE, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_SOON },
    { ENFILE, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_SOON },
    { ENOMEM, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_SOON },
    { ENOBUFS, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_SOON },
    { EAGAIN, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_SOON },
    { EBUSY, NGX_ROOMS_FAULT_AWAY, NGX_ROOMS_SOON },

    { 0, NGX_ROOMS_FAULT_OURS, 0 }
};


/*
 * Redis before 7 quotes the error that stopped a script: "ERR Error running
 * script (call to ...): @user_script:1: @user_script: 1: -OOM command not
 * ...".  Returns the inner error.
 */
static const char *
ngx_rooms_fault_quoted(const char *text)
{
    const char  *found, *next;

    static const char  script[] = "ERR Error running script";

    if (ngx_strncmp(text, script, sizeof(script) - 1) != 0) {
        return text;
    }

    found = NULL;

    for (next = text; (next = strstr(next, ": -")) != NULL; next++) {
        found = next;
    }

    return found ? found + 3 : text;
}


static ngx_rooms_fault_e
ngx_rooms_fault_reply(redisReply *reply)
{
    const char                     *text;
    const ngx_rooms_fault_reply_t  *row;

    if (reply == NULL || reply->type != REDIS_REPLY_ERROR) {
        return NGX_ROOMS_FAULT_NONE;
    }

    text = ngx_rooms_fault_quoted(reply->str);

    for (row = ngx_rooms_fault_replies; row->text; row++) {

        if (ngx_strncmp(text, row->text, ngx_strlen(row->text)) == 0) {
            break;
        }
    }

    return row->fault;
}


ngx_rooms_fault_e
ngx_rooms_fault_batch(ngx_rooms_batch_t *b, redisReply **reply)
{
    ngx_uint_t         i;
    ngx_rooms_fault_e  fault, worst;

    worst = NGX_ROOMS_FAULT_NONE;

    for (i = 0; i < b->commands.nelts; i++) {
        fault = ngx_rooms_fault_reply(b->replies[i]);

        if (fault > worst) {
            worst = fault;
            *reply = b->replies[i];
        }
    }

    return worst;
}


ngx_rooms_fault_e
ngx_rooms_fault_log(ngx_rooms_batch_t *b, ngx_log_t *log)
{
    redisReply         *reply;
    ngx_rooms_fault_e   fault;

    fault = ngx_rooms_fault_batch(b, &reply);

    if (fault != NGX_ROOMS_FAULT_NONE) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "rooms: redis answered: %s",
                      reply->str);
    }

    return fault;
}


ngx_rooms_fault_e
ngx_rooms_fault_disk(ngx_err_t err, ngx_uint_t *after)
{
    const ngx_rooms_fault_disk_t  *row;

    for (row = ngx_rooms_fault_errors; row->err && row->err != err; row++) {
        /* void */
    }

    *after = row->after;

    return row->fault;
}
