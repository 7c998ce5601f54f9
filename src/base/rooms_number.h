/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_NUMBER_H
#define ROOMS_NUMBER_H

#include "rooms_str.h"


/*
 * The largest integer up to which a double is exact, as JSON's numbers are
 * doubles in most languages.
 */
#define ROOMS_WHOLE_MAX  (INT64_C(1) << 53)

/*
 * Reads a whole number in any spelling: "5", "5.0", "50e-1".  Returns 0, or
 * -1 if it isn't whole or is beyond ROOMS_WHOLE_MAX either way.
 */
int rooms_whole(rooms_str_t s, int64_t *n);

/*
 * Reads digits; returns where they end.  More than 19 may be more than fit:
 * the caller counts them.
 */
static inline const unsigned char *
rooms_digits(const unsigned char *p, const unsigned char *end, uint64_t *n)
{
    uint64_t  v, value;

    value = 0;

#if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

    /* eight at a time: pairs, fours, and both of them are added up in place */

    while (end - p >= 8) {
        memcpy(&v, p, 8);

        v ^= UINT64_C(0x3030303030303030);

        if ((v | (v + UINT64_C(0x0606060606060606)))
            & UINT64_C(0xf0f0f0f0f0f0f0f0))
        {
            break;
        }

        v = (v * 10 + (v >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
        v = (v * 100 + (v >> 16)) & UINT64_C(0x0000ffff0000ffff);
        v = (v * 10000 + (v >> 32)) & UINT64_C(0x00000000ffffffff);

        value = value * 100000000 + v;
        p += 8;
    }

#endif

    for ( /* void */ ; p < end && *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (*p - '0');
    }

    *n = value;

    return p;
}

/* "00" to "99", for writers of numbers. */
extern const char  rooms_pairs[200];

/* Writes two digits; n < 100. */
static inline void
rooms_pair(unsigned char *dst, unsigned n)
{
    memcpy(dst, rooms_pairs + 2 * n, 2);
}

#endif /* ROOMS_NUMBER_H */
