/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * base64url without padding (RFC 4648, section 5, as RFC 7515, section 2
 * narrows it), strict: one text for each sequence of bytes.  Padding,
 * white space, the "+/" alphabet and bits that are left over and not zero
 * are all refused, so a token can't be respelled and still be the same one.
 */

#ifndef ROOMS_BASE64_H
#define ROOMS_BASE64_H

#include "rooms_str.h"
#include <sodium.h>


/* Bytes that the decoding of len characters needs at most. */
#define rooms_base64url_decoded_length(len)  ((len) / 4 * 3 + 2)


/*
 * Decodes src into dst, which has room for cap bytes and must not overlap
 * src.  Returns the number of bytes written, or -1 if src is no base64url
 * or the bytes don't fit; dst may be partly written then.
 *
 * libsodium is as strict, but for bytes from 128 on, which it takes for
 * digits (1.0.18).
 */
static inline long
rooms_base64url_decode(unsigned char *dst, size_t cap, rooms_str_t src)
{
    size_t  i, n;

    for (i = 0; i < src.len; i++) {
        if (src.data[i] & 0x80) {
            return -1;
        }
    }

    return sodium_base642bin(dst, cap, (const char *) src.data, src.len, NULL,
                             &n, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING)
           == 0 ? (long) n : -1;
}

#endif /* ROOMS_BASE64_H */
