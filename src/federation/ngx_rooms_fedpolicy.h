/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The tenant's federation policy in the store. */

#ifndef NGX_ROOMS_FEDPOLICY_H
#define NGX_ROOMS_FEDPOLICY_H

#include "ngx_rooms_request.h"
#include "rooms_policy.h"


/* Appends the command whose reply ngx_rooms_fedpolicy_take() reads. */
ngx_int_t ngx_rooms_fedpolicy_ask(ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys);

/* Appends a command that counts the rooms at home here that a server is in. */
ngx_int_t ngx_rooms_fedpolicy_ask_invited(ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys, rooms_str_t server);

/*
 * If none is stored, this returns the default policy.  If the stored one is
 * invalid, it allows no server; that includes a list without our own name,
 * after the server was renamed.  NULL: out of memory.
 */
rooms_policy_t *ngx_rooms_fedpolicy_take(ngx_rooms_req_t *rq,
    redisReply *reply);

/* The same without a request; the result is allocated from the pool. */
rooms_policy_t *ngx_rooms_fedpolicy_read(ngx_pool_t *pool, ngx_log_t *log,
    ngx_rooms_loc_conf_t *conf, redisReply *reply);

#endif /* NGX_ROOMS_FEDPOLICY_H */
