/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_JSON_TEXT_H
#define ROOMS_JSON_TEXT_H

#include "rooms_json.h"


/*
 * Between the files of the reader.  Each takes a position in a text and
 * gives the one behind, or NULL where the text isn't JSON.
 */

#define ROOMS_JSON_DEPTH  128

#define ROOMS_JSON_ONES   UINT64_C(0x0101010101010101)
#define ROOMS_JSON_HIGHS  UINT64_C(0x8080808080808080)

/* non-zero if one of 8 bytes is 0 */
#define rooms_json_zero8(v)                                                   \
    (((v) - ROOMS_JSON_ONES) & ~(v) & ROOMS_JSON_HIGHS)


/* White space; never NULL. */
static inline const unsigned char *
rooms_json_space(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p <= ' '
           && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
    {
        p++;
    }

    return p;
}


/*
 * ASCII of a string that stands for itself: up to the quote, backslash,
 * control character or byte of UTF-8 that comes first.  Never NULL.
 *
 * Most bytes of a text are of that kind: eight at a time, with the usual
 * tests.  A test may take a byte behind the first hit for a hit, too.
 */
static inline const unsigned char *
rooms_json_run(const unsigned char *p, const unsigned char *end)
{
    uint64_t  v, hit;

    while (end - p >= 8) {
        memcpy(&v, p, 8);

        hit = (v | (v - 0x20 * ROOMS_JSON_ONES)) & ROOMS_JSON_HIGHS;
        hit |= rooms_json_zero8(v ^ ('"' * ROOMS_JSON_ONES));
        hit |= rooms_json_zero8(v ^ ('\\' * ROOMS_JSON_ONES));

        if (hit) {
#if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
            return p + __builtin_ctzll(hit) / 8;
#else
            break;
#endif
        }

        p += 8;
    }

    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


/* A string, with its quotes. */
const unsigned char *rooms_json_scan_string(const unsigned char *p,
    const unsigned char *end);
/* A value with white space before it, `depth` levels deep at most. */
const unsigned char *rooms_json_scan_value(const unsigned char *p,
    const unsigned char *end, int depth);

#endif /* ROOMS_JSON_TEXT_H */
