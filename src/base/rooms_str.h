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
