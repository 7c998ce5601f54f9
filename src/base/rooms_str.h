/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_STR_H
#define ROOMS_STR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>


/*
 * A counted string.  It doesn't own its bytes, and they don't end in NUL.
 * data == NULL means "no value" (JSON null); len == 0 with data != NULL is
 * the empty string.
 */
typedef struct {
    size_t                len;
    const unsigned char  *data;
} rooms_str_t;

#define rooms_string(s)                                                       \
    { sizeof(s) - 1, (const unsigned char *) (s) }

#define ROOMS_NULL  ((rooms_str_t) { 0, NULL })


static inline rooms_str_t
rooms_cstr(const char *s)
{
    return (rooms_str_t) { strlen(s), (const unsigned char *) s };
}


static inline int
rooms_str_eq(rooms_str_t a, rooms_str_t b)
{
    return a.len == b.len && (a.data == NULL) == (b.data == NULL)
           && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


/*
 * Which of n strings s is, or -1.  The search begins at the one behind `last`,
 * which was found before (-1: none): what one writer writes has an order.
 */
static inline int
rooms_str_which(rooms_str_t s, const rooms_str_t *strings, int n, int last)
{
    int  i, k;

    for (k = n, i = last; k > 0; k--) {
        i = i + 1 < n ? i + 1 : 0;

        if (s.len == strings[i].len
            && memcmp(s.data, strings[i].data, s.len) == 0)
        {
            return i;
        }
    }

    return -1;
}


/*
 * A hash of h and some bytes, for telling versions apart, the same on each
 * node.  Nobody gains by two that are equal, so it has no key.
 */
static inline uint64_t
rooms_hash(uint64_t h, const void *data, size_t len)
{
    size_t                n;
    uint64_t              word;
    const unsigned char  *p;

    p = data;

    /* an empty field counts, too: what moves to the next one is a change */
    h = (h + len + 1) * UINT64_C(0x9e3779b97f4a7c15);

    while (len) {
        n = len < 8 ? len : 8;
        word = 0;

        if (n == 8) {
            memcpy(&word, p, 8);

        } else {
            memcpy(&word, p, n);
        }

        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;

        p += n;
        len -= n;
    }

    return h;
}


/* Compares by bytes, as Redis orders members of equal score. */
static inline int
rooms_str_before(rooms_str_t a, rooms_str_t b)
{
    int     rc;
    size_t  n;

    n = a.len < b.len ? a.len : b.len;
    rc = n ? memcmp(a.data, b.data, n) : 0;

    return rc < 0 || (rc == 0 && a.len < b.len);
}


/*
 * An output buffer.  Writers append at `last` and never pass `end`.  If
 * something doesn't fit, `grow` makes room for it, in this buffer or in another
 * one, or returns 0.  A buffer without it has a fixed size.  If there is no
 * room in the end, `full` is set, and the caller checks it once at the end.
 */
typedef struct rooms_buf_s  rooms_buf_t;

struct rooms_buf_s {
    unsigned char  *start;
    unsigned char  *last;
    unsigned char  *end;
    int           (*grow)(rooms_buf_t *b, size_t len);
    int             full;
};

#endif /* ROOMS_STR_H */
