/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Strict base64 (RFC 4648): with padding, or base64url without it (section 5;
 * RFC 7515, section 2).  Each sequence of bytes has exactly one spelling: white
 * space, the other alphabet and leftover bits that aren't zero are refused.
 * So nobody can respell a token, or a signature, that stays valid.
 */

#ifndef ROOMS_BASE64_H
#define ROOMS_BASE64_H

#include "rooms_str.h"
#include <sodium.h>


/*
 * Decodes src into dst, which has room for cap bytes and must not overlap
 * src.  Returns the number of bytes written, or -1 if src isn't of this
 * variant (of libsodium) or the bytes don't fit; dst may then be partly
 * written.
 *
 * libsodium 1.0.18 is as strict, except that it takes some bytes from 128 on
 * for digits; so these are refused first.
 */
static inline long
rooms_base64_decode(unsigned char *dst, size_t cap, rooms_str_t src,
    int variant)
{
    size_t  i, n;

    for (i = 0; i < src.len; i++) {
        if (src.data[i] & 0x80) {
            return -1;
        }
    }

    return sodium_base642bin(dst, cap, (const char *) src.data, src.len, NULL,
                             &n, NULL, variant)
           == 0 ? (long) n : -1;
}


static inline long
rooms_base64url_decode(unsigned char *dst, size_t cap, rooms_str_t src)
{
    return rooms_base64_decode(dst, cap, src,
                               sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

#endif /* ROOMS_BASE64_H */
