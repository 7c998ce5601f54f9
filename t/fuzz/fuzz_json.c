/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <stdint.h>
#include <stdlib.h>
#include <jansson.h>

#include "rooms_json.h"
#include "rooms_json_scan.h"


/* Whether the text is JSON for a reader that gets it in windows. */
static int
in_windows(const uint8_t *data, size_t size, size_t step, unsigned report)
{
    size_t              n;
    rooms_json_scan_t   s;
    const uint8_t      *p, *end, *last;

    rooms_json_scan_init(&s);
    s.report = report;

    last = data + size;

    for (p = data; p < last; /* void */) {
        n = (size_t) (last - p) < step ? (size_t) (last - p) : step;
        end = p + n;

        for ( ;; ) {

            switch (rooms_json_scan(&s, &p, end)) {

            case ROOMS_JSON_ERROR:
                return 0;

            case ROOMS_JSON_AGAIN:
                break;

            default:
                continue;
            }

            break;
        }

        if (p != end) {
            abort();
        }
    }

    /* a number ends only when something follows it */

    p = (const uint8_t *) " ";
    last = p + 1;

    while (p < last) {
        if (rooms_json_scan(&s, &p, last) == ROOMS_JSON_ERROR) {
            return 0;
        }
    }

    return rooms_json_scan_done(&s);
}


/*
 * The reader accepts no text that jansson refuses, and doesn't read past it.
 * In windows it accepts the same texts.
 */
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

    if (in_windows(data, size, size + 1, 0) != valid
        || in_windows(data, size, size ? 1 + data[size - 1] % 13 : 1,
                      size % 4) != valid)
    {
        abort();
    }

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
