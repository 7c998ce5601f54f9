/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer: the first line is a Content-Type, the rest a body.  It is parsed
 * whole, and in chunks whose length the first byte of the body sets.  Both
 * must give the same result.
 */

#include <stdlib.h>
#include <string.h>

#include "rooms_form.h"


static void
must(int ok)
{
    if (!ok) {
        abort();
    }
}


/* A checksum of all events that doesn't depend on how the data are cut. */

static uint64_t
parse(rooms_str_t type, const uint8_t *body, size_t size, size_t step)
{
    int                       ev;
    size_t                    i, at, n;
    uint64_t                  sum, next;
    uint8_t                  *chunk;
    const uint8_t            *p;
    static rooms_multipart_t  mp;

    if (rooms_multipart_init(&mp, type) != 0) {
        return 1;
    }

    sum = 0;
    next = 0;

    for (at = 0; at < size; at += n) {
        n = size - at < step ? size - at : step;
        chunk = malloc(n);
        memcpy(chunk, body + at, n);
        p = chunk;

        while ((ev = rooms_multipart_next(&mp, &p, chunk + n)) > 0) {

            if (ev == ROOMS_MULTIPART_DATA) {
                must(mp.offset == next && mp.data.len > 0);
                must(memcmp(body + mp.offset, mp.data.data, mp.data.len)
                     == 0);
                next += mp.data.len;
                continue;
            }

            if (ev == ROOMS_MULTIPART_PART) {
                must(mp.name.len > 0);
                must(mp.filename.len <= ROOMS_FILE_NAME_MAX);
                next = mp.offset;
            }

            must(ev != ROOMS_MULTIPART_PART_END || mp.offset == next);

            sum = sum * 31 + ev + mp.offset;

            for (i = 0; i < mp.name.len; i++) {
                sum = sum * 31 + mp.name.data[i];
            }
        }

        must(ev == ROOMS_MULTIPART_ERROR || p == chunk + n);
        free(chunk);

        if (ev == ROOMS_MULTIPART_ERROR) {
            must(mp.err[0] != '\0');
            break;
        }
    }

    return sum * 2 + (rooms_multipart_finish(&mp) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t               step;
    rooms_str_t          type;
    const uint8_t       *body;
    static rooms_form_t  form;

    body = size ? memchr(data, '\n', size) : NULL;

    if (body == NULL) {
        return 0;
    }

    type.data = data;
    type.len = body - data;
    body++;
    size -= type.len + 1;
    step = size ? 1 + body[0] % 37 : 1;

    must(parse(type, body, size, step) == parse(type, body, size, size));

    if (rooms_form_init(&form, type, ROOMS_FORM_FIELDS) == 0
        && rooms_form_feed(&form, body, size, NULL, NULL) == 0
        && rooms_form_finish(&form) == 0)
    {
        must(form.file_offset + form.file_len <= size);
    }

    return 0;
}
