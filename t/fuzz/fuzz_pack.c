/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer: packed answers.  The first line is a hint.  The rest is packed
 * and unpacked; it is unpacked as it is, too, and with our dictionary's
 * checksum before it.
 */

#include <stdlib.h>

#include "rooms_pack.h"


#define check(cond)  do { if (!(cond)) abort(); } while (0)

#define TEXT  4096


static rooms_packer_t  packer;
static unsigned char   packed[rooms_pack_size(ROOMS_PACK_MAX)];


/* What is unpacked is packed again to the same text. */
static void
fuzz_unpack(rooms_str_t s, rooms_str_t hint, size_t len)
{
    size_t         n;
    unsigned char  *text, *again;

    text = malloc(len + 1);
    again = malloc(len + 1);
    check(text && again);

    if (rooms_unpack(&packer, s, hint, text, len)) {
        n = rooms_pack(&packer, (rooms_str_t) { len, text }, hint, packed);
        check(n > 0);
        check(rooms_unpack(&packer, (rooms_str_t) { n, packed }, hint, again,
                           len));
        check(memcmp(text, again, len) == 0);
    }

    free(text);
    free(again);
}


/* Deflated data of any kind, behind a header of our own. */
static void
fuzz_headed(rooms_str_t s, rooms_str_t hint)
{
    size_t          n;
    unsigned char  *own;

    own = malloc(s.len + 6);
    check(own);

    n = rooms_pack(&packer, hint, hint, packed);
    check(n >= 6);
    memcpy(own, packed, 6);
    memcpy(own + 6, s.data, s.len);

    for (n = 0; n <= TEXT; n += 1 + n) {
        fuzz_unpack((rooms_str_t) { s.len + 6, own }, hint, n);
    }

    free(own);
}


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t                n, at;
    rooms_str_t           hint, s;
    unsigned char        *text;
    const unsigned char  *line;

    line = size ? memchr(data, '\n', size) : NULL;
    at = line ? (size_t) (line - data) : 0;

    hint = (rooms_str_t) { at, data };
    s = line ? (rooms_str_t) { size - at - 1, line + 1 }
             : (rooms_str_t) { size, data };

    n = rooms_pack(&packer, s, hint, packed);
    check((n > 0) == (s.len <= ROOMS_PACK_MAX));
    check(n <= rooms_pack_size(s.len));

    if (n) {
        text = malloc(s.len + 1);
        check(text);
        check(rooms_unpack(&packer, (rooms_str_t) { n, packed }, hint, text,
                           s.len));
        check(memcmp(text, s.data, s.len) == 0);
        free(text);
    }

    fuzz_unpack(s, hint, TEXT);
    fuzz_headed(s, hint);

    return 0;
}
