/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <stdint.h>
#include <stdlib.h>
#include <jansson.h>

#include "rooms_json.h"


/* The scanner takes no text that jansson refuses, and stays inside of it. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             valid;
    size_t          n;
    json_t         *v;
    json_error_t    e;
    rooms_str_t     s, m;
    unsigned char  *dst;

    s.len = size;
    s.data = data;

    valid = size ? rooms_json_valid(s) : 0;

    (void) rooms_json_key_at(s, size / 2);
    (void) rooms_json_member_int(s, "n", 0);
    m = rooms_json_member(s, "content");

    if (m.data && (m.data < data || m.data + m.len > data + size)) {
        abort();
    }

    if (!valid) {
        return 0;
    }

    v = json_loadb((const char *) data, size,
                   JSON_DECODE_ANY|JSON_ALLOW_NUL, &e);

    if (v == NULL && json_error_code(&e) != json_error_numeric_overflow) {
        abort();
    }

    json_decref(v);

    dst = malloc(size);
    n = rooms_json_minify(s, dst);

    if (n > size || !rooms_json_valid((rooms_str_t) { n, dst })) {
        abort();
    }

    free(dst);

    return 0;
}
