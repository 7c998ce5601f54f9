/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_request.h"
#include <sodium.h>


/*
 * Randomness for ids comes from libsodium in blocks, so that not every id is
 * a system call.
 */
static void
ngx_rooms_random(u_char *dst, size_t len)
{
    static u_char  block[1024];
    static size_t  left;

    if (left < len) {
        randombytes_buf(block, sizeof(block));
        left = sizeof(block);
    }

    left -= len;
    ngx_memcpy(dst, block + left, len);
    sodium_memzero(block + left, len);
}


void
ngx_rooms_random_hex(u_char *dst, size_t len)
{
    u_char  bytes[32];

    ngx_rooms_random(bytes, len / 2);
    ngx_hex_dump(dst, bytes, len / 2);
}


rooms_str_t
ngx_rooms_id(ngx_rooms_req_t *rq, const char *prefix)
{
    u_char        random[10], *p;
    rooms_str_t   id;

    p = ngx_pnalloc(rq->pool, ROOMS_ID_MAX);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    ngx_rooms_random(random, sizeof(random));

    id.data = p;
    id.len = rooms_id_make(prefix, rq->now, random, p);

    return id;
}
