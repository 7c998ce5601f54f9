/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The part of Structured Field Values (RFC 8941) that signatures need, read
 * strictly: what we take is written in the one canonical way, so the bytes
 * that stand in a field are the bytes that were signed.  After a failure
 * every function returns nothing.
 */

#ifndef ROOMS_SFIELD_H
#define ROOMS_SFIELD_H

#include "rooms_str.h"


typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
    int                   failed;
} rooms_sfield_t;


void rooms_sfield_init(rooms_sfield_t *f, rooms_str_t field);

/* A key, with the "=" behind it. */
rooms_str_t rooms_sfield_key(rooms_sfield_t *f);
/* A string, with its quotes; escapes in it are left, and none is needed. */
rooms_str_t rooms_sfield_string(rooms_sfield_t *f);
/* What stands between the colons of a byte sequence. */
rooms_str_t rooms_sfield_bytes(rooms_sfield_t *f);
int64_t rooms_sfield_integer(rooms_sfield_t *f);

void rooms_sfield_expect(rooms_sfield_t *f, unsigned char c);
/* Whether c stands here; it is passed over. */
int rooms_sfield_take(rooms_sfield_t *f, unsigned char c);
/* Whether there is another member; passes over the comma before it. */
int rooms_sfield_comma(rooms_sfield_t *f);
/* Whether all of it was read, and nothing failed. */
int rooms_sfield_end(const rooms_sfield_t *f);

#endif /* ROOMS_SFIELD_H */
