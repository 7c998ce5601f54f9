/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The tenant's policy, as the store keeps it. */

#ifndef NGX_ROOMS_FEDPOLICY_H
#define NGX_ROOMS_FEDPOLICY_H

#include "ngx_rooms_request.h"
#include "rooms_policy.h"


/* Appends the command whose reply ngx_rooms_fedpolicy_take() reads. */
ngx_int_t ngx_rooms_fedpolicy_ask(ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys);

/* Appends one whose integer says in how many rooms of ours a server is. */
ngx_int_t ngx_rooms_fedpolicy_ask_invited(ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys, rooms_str_t server);

/*
 * No value is the default; one that can't be read, or that shuts us out
 * since we were renamed, lets nobody in.  NULL: out of memory.
 */
rooms_policy_t *ngx_rooms_fedpolicy_take(ngx_rooms_req_t *rq,
    redisReply *reply);

/* The same without a request; the pool holds it. */
rooms_policy_t *ngx_rooms_fedpolicy_read(ngx_pool_t *pool, ngx_log_t *log,
    ngx_rooms_loc_conf_t *conf, redisReply *reply);

#endif /* NGX_ROOMS_FEDPOLICY_H */
