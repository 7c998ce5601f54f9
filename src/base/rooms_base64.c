/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_base64.h"


/* As NGINX's own table: 77 is no digit; so is every byte from 128 on. */
static const unsigned char  rooms_base64url_digits[128] = {
    77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77,
    77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77,
    77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 62, 77, 77,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 77, 77, 77, 77, 77, 77,
    77,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 77, 77, 77, 77, 63,
    77, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 77, 77, 77, 77, 77,
};


static inline unsigned
rooms_base64url_digit(unsigned char c)
{
    return c < 128 ? rooms_base64url_digits[c] : 77;
}


/*
 * The last two or three characters of a text whose length is no multiple of
 * four: they carry 12 or 18 bits for one or two bytes, and what is left over
 * must be zero.  One character alone carries no byte and is refused.
 */
static long
rooms_base64url_tail(unsigned char *dst, const unsigned char *p, size_t left)
{
    unsigned  a, b, c;

    if (left == 0) {
        return 0;
    }

    if (left == 1) {
        return -1;
    }

    a = rooms_base64url_digit(p[0]);
    b = rooms_base64url_digit(p[1]);
    c = (left == 3) ? rooms_base64url_digit(p[2]) : 0;

    if ((a | b | c) > 63) {
        return -1;
    }

    if ((left == 2 && (b & 0x0f)) || (left == 3 && (c & 0x03))) {
        return -1;
    }

    dst[0] = (unsigned char) (a << 2 | b >> 4);

    if (left == 3) {
        dst[1] = (unsigned char) ((b & 0x0f) << 4 | c >> 2);
    }

    return (long) left - 1;
}


long
rooms_base64url_decode(unsigned char *dst, size_t cap, rooms_str_t src)
{
    long                  tail;
    size_t                n, left;
    unsigned              a, b, c, d;
    unsigned char        *start;
    const unsigned char  *p;

    left = src.len % 4;

    if (src.len / 4 * 3 + (left ? left - 1 : 0) > cap) {
        return -1;
    }

    start = dst;
    p = src.data;

    for (n = src.len / 4; n; n--, p += 4) {
        a = rooms_base64url_digit(p[0]);
        b = rooms_base64url_digit(p[1]);
        c = rooms_base64url_digit(p[2]);
        d = rooms_base64url_digit(p[3]);

        if ((a | b | c | d) > 63) {
            return -1;
        }

        *dst++ = (unsigned char) (a << 2 | b >> 4);
        *dst++ = (unsigned char) ((b & 0x0f) << 4 | c >> 2);
        *dst++ = (unsigned char) ((c & 0x03) << 6 | d);
    }

    tail = rooms_base64url_tail(dst, p, left);

    return tail < 0 ? -1 : (dst - start) + tail;
}
