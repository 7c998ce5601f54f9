/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A strict reader for the part of Structured Field Values (RFC 8941) that
 * signatures need.  It accepts only the canonical spelling, so the bytes in
 * the field are the bytes that were signed.  After a failure every function
 * returns nothing.
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

/* A key, and consumes the "=" behind it. */
rooms_str_t rooms_sfield_key(rooms_sfield_t *f);
/* A string with its quotes.  Escapes aren't decoded; none is needed. */
rooms_str_t rooms_sfield_string(rooms_sfield_t *f);
/* The content of a byte sequence, without the colons. */
rooms_str_t rooms_sfield_bytes(rooms_sfield_t *f);
int64_t rooms_sfield_integer(rooms_sfield_t *f);

void rooms_sfield_expect(rooms_sfield_t *f, unsigned char c);
/* Consumes c if it is next, and returns whether it was. */
int rooms_sfield_take(rooms_sfield_t *f, unsigned char c);
/* Whether another member follows; consumes the comma. */
int rooms_sfield_comma(rooms_sfield_t *f);
/* Whether the whole field was read without a failure. */
int rooms_sfield_end(const rooms_sfield_t *f);

#endif /* ROOMS_SFIELD_H */
