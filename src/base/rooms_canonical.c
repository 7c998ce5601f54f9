/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <stdlib.h>

#include "rooms_canonical.h"
#include "rooms_json.h"


static const char *rooms_canonical_value(rooms_buf_t *b, json_t *value,
    const char *skip, unsigned depth);


/*
 * RFC 8785 orders keys by UTF-16 code units.  The order of UTF-8 bytes is
 * that of code points, which differs in one place: in UTF-16 all above U+FFFF
 * is written with surrogates, so it comes before U+E000 to U+FFFF.
 */

int
rooms_canonical_order(const char *a, const char *b)
{
    int                   high;
    const unsigned char  *p, *q;

    p = (const unsigned char *) a;
    q = (const unsigned char *) b;

    while (*p && *p == *q) {
        p++;
        q++;
    }

    high = (*p >= 0xf0) - (*q >= 0xf0);

    if (high > 0 && *q >= 0xee) {
        return -1;
    }

    if (high < 0 && *p >= 0xee) {
        return 1;
    }

    return (int) *p - (int) *q;
}


static int
rooms_canonical_compare(const void *a, const void *b)
{
    return rooms_canonical_order(*(const char *const *) a,
                                 *(const char *const *) b);
}


static void
rooms_canonical_string(rooms_buf_t *b, const char *s, size_t len)
{
    static const unsigned char  hex[] = "0123456789abcdef";

    size_t         i;
    unsigned char  c, escape[6] = { '\\', 'u', '0', '0' };

    rooms_json_lit(b, "\"");

    for (i = 0; i < len; i++) {
        c = (unsigned char) s[i];

        switch (c) {

        case '"':
            rooms_json_lit(b, "\\\"");
            break;

        case '\\':
            rooms_json_lit(b, "\\\\");
            break;

        case '\b':
            rooms_json_lit(b, "\\b");
            break;

        case '\t':
            rooms_json_lit(b, "\\t");
            break;

        case '\n':
            rooms_json_lit(b, "\\n");
            break;

        case '\f':
            rooms_json_lit(b, "\\f");
            break;

        case '\r':
            rooms_json_lit(b, "\\r");
            break;

        default:
            if (c >= 0x20) {
                rooms_json_raw(b, &s[i], 1);
                break;
            }

            escape[4] = hex[c >> 4];
            escape[5] = hex[c & 0xf];
            rooms_json_raw(b, escape, sizeof(escape));
        }
    }

    rooms_json_lit(b, "\"");
}


static const char *
rooms_canonical_object(rooms_buf_t *b, json_t *object, const char *skip,
    unsigned depth)
{
    void         *iter;
    size_t        i, n;
    const char  **keys, *problem;

    keys = malloc((json_object_size(object) + 1) * sizeof(char *));

    if (keys == NULL) {
        return "can't be held in memory";
    }

    n = 0;
    problem = NULL;

    for (iter = json_object_iter(object); iter;
         iter = json_object_iter_next(object, iter))
    {
        keys[n] = json_object_iter_key(iter);

        if (skip == NULL || strcmp(keys[n], skip) != 0) {
            n++;
        }
    }

    qsort(keys, n, sizeof(char *), rooms_canonical_compare);

    rooms_json_lit(b, "{");

    for (i = 0; i < n && problem == NULL; i++) {

        rooms_json_raw(b, ",", i > 0);

        rooms_canonical_string(b, keys[i], strlen(keys[i]));
        rooms_json_lit(b, ":");

        problem = rooms_canonical_value(b, json_object_get(object, keys[i]),
                                        NULL, depth + 1);
    }

    rooms_json_lit(b, "}");

    free(keys);

    return problem;
}


static const char *
rooms_canonical_array(rooms_buf_t *b, json_t *array, unsigned depth)
{
    size_t       i;
    const char  *problem;

    problem = NULL;

    rooms_json_lit(b, "[");

    for (i = 0; i < json_array_size(array) && problem == NULL; i++) {

        rooms_json_raw(b, ",", i > 0);

        problem = rooms_canonical_value(b, json_array_get(array, i), NULL,
                                        depth + 1);
    }

    rooms_json_lit(b, "]");

    return problem;
}


static const char *
rooms_canonical_integer(rooms_buf_t *b, json_int_t n)
{
    if (n > ROOMS_CANONICAL_INT || n < -ROOMS_CANONICAL_INT) {
        return "has an integer beyond 2^53";
    }

    rooms_json_int(b, n);

    return NULL;
}


static const char *
rooms_canonical_value(rooms_buf_t *b, json_t *value, const char *skip,
    unsigned depth)
{
    if (depth > ROOMS_CANONICAL_DEPTH) {
        return "is nested too deeply";
    }

    switch (json_typeof(value)) {

    case JSON_OBJECT:
        return rooms_canonical_object(b, value, skip, depth);

    case JSON_ARRAY:
        return rooms_canonical_array(b, value, depth);

    case JSON_STRING:
        rooms_canonical_string(b, json_string_value(value),
                               json_string_length(value));
        return NULL;

    case JSON_INTEGER:
        return rooms_canonical_integer(b, json_integer_value(value));

    case JSON_REAL:
        return "has a number that is not an integer";

    case JSON_NULL:
        rooms_json_lit(b, "null");
        return NULL;

    default:
        rooms_json_bool(b, json_is_true(value));
        return NULL;
    }
}


const char *
rooms_canonical(rooms_buf_t *b, json_t *value, const char *skip)
{
    return rooms_canonical_value(b, value, skip, 0);
}
