/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_lease.h"


void
ngx_rooms_lease_init(ngx_rooms_lease_t *lease, rooms_str_t chore)
{
    ngx_memzero(lease, sizeof(ngx_rooms_lease_t));

    lease->chore = chore;
    ngx_rooms_random_hex(lease->token, NGX_ROOMS_LEASE_TOKEN);
}


ngx_uint_t
ngx_rooms_lease_holds(ngx_rooms_lease_t *lease)
{
    return lease->until
           && (ngx_msec_int_t) (lease->until - ngx_current_msec) > 0;
}


ngx_uint_t
ngx_rooms_lease_due(ngx_rooms_lease_t *lease)
{
    return !ngx_rooms_lease_holds(lease)
           || ngx_current_msec - (lease->until - NGX_ROOMS_LEASE_TIME)
              >= NGX_ROOMS_LEASE_RENEW;
}


static rooms_str_t
ngx_rooms_lease_token(ngx_rooms_lease_t *lease)
{
    return (rooms_str_t) { NGX_ROOMS_LEASE_TOKEN, lease->token };
}


void
ngx_rooms_lease_guard(ngx_rooms_lease_t *lease, ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys)
{
    ngx_rooms_commit_guard_string(c, ngx_rooms_key(keys, NGX_ROOMS_KEY_LEASE,
                                                   lease->chore),
                                  ngx_rooms_lease_token(lease));
}


ngx_int_t
ngx_rooms_lease_fence(ngx_rooms_lease_t *lease, ngx_rooms_commit_t *c,
    ngx_pool_t *pool, ngx_rooms_keys_t *keys)
{
    if (ngx_rooms_commit_init(c, pool, keys) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_lease_guard(lease, c, keys);

    return NGX_OK;
}


ngx_int_t
ngx_rooms_lease_ask(ngx_rooms_lease_t *lease, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys)
{
    rooms_str_t         key, time;
    ngx_rooms_commit_t  c;

    key = ngx_rooms_key(keys, NGX_ROOMS_KEY_LEASE, lease->chore);
    time = ngx_rooms_number(b->pool, NGX_ROOMS_LEASE_TIME);

    if (key.data == NULL || time.data == NULL) {
        return NGX_ERROR;
    }

    lease->asked = ngx_current_msec;
    lease->taking = !ngx_rooms_lease_holds(lease);

    if (lease->taking) {
        lease->until = 0;

        return ngx_rooms_command(b, ngx_rooms_s("SET"), key,
                                 ngx_rooms_lease_token(lease),
                                 ngx_rooms_s("NX"), ngx_rooms_s("PX"), time);
    }

    if (ngx_rooms_lease_fence(lease, &c, b->pool, keys) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_commit_write(&c, "PEXPIRE", key, time);

    return ngx_rooms_commit_build(&c, b, keys, 0);
}


ngx_int_t
ngx_rooms_lease_answered(ngx_rooms_lease_t *lease, ngx_rooms_batch_t *b,
    ngx_log_t *log)
{
    int64_t  guard;

    if (lease->taking) {

        if (b->replies[0]->type != REDIS_REPLY_STATUS) {
            return NGX_DECLINED;
        }

        lease->until = lease->asked + NGX_ROOMS_LEASE_TIME;

        return NGX_OK;
    }

    switch (ngx_rooms_commit_result(b, &guard, log)) {

    case NGX_ROOMS_COMMIT_DONE:
        lease->until = lease->asked + NGX_ROOMS_LEASE_TIME;
        return NGX_OK;

    case NGX_ROOMS_COMMIT_CONFLICT:
        lease->until = 0;
        return NGX_DECLINED;

    default:
        return NGX_DECLINED;
    }
}


ngx_msec_t
ngx_rooms_lease_pause(void)
{
    return NGX_ROOMS_LEASE_TRY + ngx_random() % NGX_ROOMS_LEASE_TRY;
}
