/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_JSON_TEXT_H
#define ROOMS_JSON_TEXT_H

#include "rooms_json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif


/*
 * What the files of the reader share.  Each function takes a position in a
 * text and returns the position after what it read, or NULL if that isn't
 * JSON.
 */

#define ROOMS_JSON_DEPTH  128

#define ROOMS_JSON_ONES   UINT64_C(0x0101010101010101)
#define ROOMS_JSON_HIGHS  UINT64_C(0x8080808080808080)

/* non-zero if one of 8 bytes is 0 */
#define rooms_json_zero8(v)                                                   \
    (((v) - ROOMS_JSON_ONES) & ~(v) & ROOMS_JSON_HIGHS)


/*
 * Which of some bytes need a look: quotes, backslashes, control characters and
 * what is not ASCII.  Most bytes of a text need none, so sixteen are tested at
 * a time where the processor has instructions for that, and eight with the
 * usual bit tricks.  These may also flag a byte after a real hit, never before
 * one, so the lowest hit is right.
 */
#ifdef __SSE2__
static inline int
rooms_json_hits16(const unsigned char *p)
{
    __m128i  v;

    v = _mm_loadu_si128((const __m128i *) p);

    /* bytes are signed here, so what is not ASCII is below a space, too */

    return _mm_movemask_epi8(
               _mm_or_si128(
                   _mm_cmplt_epi8(v, _mm_set1_epi8(' ')),
                   _mm_or_si128(
                       _mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                       _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')))));
}
#endif


static inline uint64_t
rooms_json_hits8(uint64_t v)
{
    return ((v | (v - 0x20 * ROOMS_JSON_ONES)) & ROOMS_JSON_HIGHS)
           | rooms_json_zero8(v ^ ('"' * ROOMS_JSON_ONES))
           | rooms_json_zero8(v ^ ('\\' * ROOMS_JSON_ONES));
}


/* Skips white space; never NULL. */
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
 * Skips the characters of a string that need no further look; never NULL.
 */
static inline const unsigned char *
rooms_json_run(const unsigned char *p, const unsigned char *end)
{
    uint64_t  v, hit;

#ifdef __SSE2__
    int       hits;

    while (end - p >= 16) {
        hits = rooms_json_hits16(p);

        if (hits) {
            return p + __builtin_ctz(hits);
        }

        p += 16;
    }
#endif

    while (end - p >= 8) {
        memcpy(&v, p, 8);

        hit = rooms_json_hits8(v);

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
/* A value of at most `depth` levels, with white space before it. */
const unsigned char *rooms_json_scan_value(const unsigned char *p,
    const unsigned char *end, int depth);

#endif /* ROOMS_JSON_TEXT_H */
