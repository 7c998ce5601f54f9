/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer: any bytes as a manifest.json, whole and in windows.  Both
 * readings must agree, jansson must accept each slice, and a complete
 * manifest must be an object for jansson.
 */

#include <stdlib.h>
#include <string.h>

#include "rooms_manifest.h"
#include "rooms_manifest_check.h"


static void
must(int ok)
{
    if (!ok) {
        abort();
    }
}


static void
check(rooms_manifest_check_t *c, const rooms_manifest_t *m, int item)
{
    json_t               *v;
    json_error_t          error;
    rooms_check_event_t   e;

    v = json_loadb((const char *) m->slice.data, m->slice.len,
                   JSON_DECODE_ANY, &error);

    /* it may refuse only numbers that it can't represent */

    must(v != NULL || strstr(error.text, "too big") != NULL
         || strstr(error.text, "real number overflow") != NULL);
    json_decref(v);
    v = NULL;

    switch (item) {
    case ROOMS_MANIFEST_MEMBER:
        (void) rooms_check_member(c, m->key, m->slice);
        break;
    case ROOMS_MANIFEST_EVENT:
        (void) rooms_check_event(c, m->slice, &e);
        break;
    case ROOMS_MANIFEST_PARTICIPANT:
        v = rooms_check_participant(c, m->key, m->slice);
        break;
    default:
        v = rooms_check_medium(c, m->key, m->slice);
        break;
    }

    json_decref(v);
}


static uint64_t
split(const uint8_t *data, size_t size, size_t step, int *complete)
{
    int                      item;
    size_t                   i, at, n;
    uint64_t                 sum;
    uint8_t                 *window;
    const uint8_t           *p;
    rooms_faults_t           faults = { 0 };
    rooms_manifest_t         m;
    rooms_manifest_check_t   c;

    rooms_manifest_init(&m, 100);
    rooms_check_init(&c, &faults);
    sum = 0;
    item = 0;

    for (at = 0; at < size && item >= 0; at += n) {
        n = size - at < step ? size - at : step;
        window = malloc(n);
        memcpy(window, data + at, n);
        p = window;

        while ((item = rooms_manifest_next(&m, &p, window + n)) > 0) {
            must(m.at + m.slice.len <= size);
            must(memcmp(data + m.at, m.slice.data, m.slice.len) == 0);

            sum = sum * 31 + item * 7 + m.at + m.index;

            for (i = 0; i < m.key.len; i++) {
                sum = sum * 31 + m.key.data[i];
            }

            check(&c, &m, item);
        }

        must(item < 0 || p == window + n);
        free(window);
    }

    *complete = rooms_manifest_finish(&m) == 0;

    /* in windows, text that is too long is found before its end */

    if (*complete) {
        must(m.scan.offset == size);
    }

    sum = sum * 31 + rooms_check_finish(&c, rooms_manifest_seen(&m, "events"));

    rooms_check_cleanup(&c);
    rooms_manifest_cleanup(&m);
    rooms_faults_free(&faults);

    return sum;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int           one, two;
    json_t       *v;
    uint64_t      a, b;
    json_error_t  error;

    a = split(data, size, size + 1, &one);
    b = split(data, size, size ? 1 + data[size - 1] % 61 : 1, &two);

    must(a == b && one == two);

    if (one) {
        v = json_loadb((const char *) data, size, 0, &error);
        must(v ? json_is_object(v)
               : strstr(error.text, "too big") != NULL
                 || strstr(error.text, "real number overflow") != NULL);
        json_decref(v);
    }

    return 0;
}
