/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Makes a participant's names of what an identity provider says.  No name
 * keeps anybody out; it is only made fit to be shown or typed.
 */

#include "rooms.h"


static size_t rooms_uncontrolled(rooms_str_t raw, unsigned char *dst);


rooms_str_t
rooms_display_name(rooms_str_t raw, unsigned char *dst)
{
    size_t  len;

    len = rooms_name_shape(raw, dst);

    return len ? (rooms_str_t) { len, dst } : ROOMS_NULL;
}


/*
 * Each run of characters that a local id can't have becomes one hyphen,
 * except at the ends.  A leading "@" is dropped too: it would look like an
 * fqid.
 */
rooms_str_t
rooms_local_id(rooms_str_t raw, unsigned char *dst)
{
    size_t         i, n;
    unsigned char  c;

    raw.len = rooms_uncontrolled(raw, dst);

    for (i = 0, n = 0; i < raw.len && n < ROOMS_LOCAL_CHARS; i++) {
        c = dst[i];

        if (!rooms_local_char(c)) {
            c = '-';
        }

        if ((c == '-' || c == '@') && (n == 0 || (c == '-'
                                                  && dst[n - 1] == '-')))
        {
            continue;
        }

        dst[n++] = c;
    }

    while (n && dst[n - 1] == '-') {
        n--;
    }

    return n ? (rooms_str_t) { n, dst } : ROOMS_NULL;
}


int
rooms_local_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
           || c == '.' || c == '_' || c == '~' || c == '+' || c == '-'
           || c == '@';
}


/*
 * Copies valid UTF-8 without C0, DEL and C1 (0xc2 0x80 to 0xc2 0x9f), and
 * without line and paragraph separators (0xe2 0x80 0xa8 and 0xa9).
 */
static size_t
rooms_uncontrolled(rooms_str_t raw, unsigned char *dst)
{
    size_t                i, n;
    const unsigned char  *p;

    p = raw.data;

    for (i = 0, n = 0; i < raw.len; i++) {

        if (p[i] < 0x20 || p[i] == 0x7f) {
            continue;
        }

        if (p[i] == 0xc2 && i + 1 < raw.len && p[i + 1] < 0xa0) {
            i++;
            continue;
        }

        if (p[i] == 0xe2 && i + 2 < raw.len && p[i + 1] == 0x80
            && (p[i + 2] == 0xa8 || p[i + 2] == 0xa9))
        {
            i += 2;
            continue;
        }

        dst[n++] = p[i];
    }

    return n;
}
