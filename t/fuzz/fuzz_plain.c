/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer: two readers of one body.  jansson must accept every body that
 * counts as plain, and read the same from it.
 */

#include <jansson.h>
#include <stdlib.h>
#include "rooms_json.h"


static void
same(int truth)
{
    if (!truth) {
        abort();
    }
}


static void
compare(rooms_str_t value, json_t *read)
{
    unsigned char  buf[4096];
    ptrdiff_t      n;
    rooms_str_t    inside;

    switch (value.data[0]) {

    case '"':
        same(json_is_string(read));
        inside = (rooms_str_t) { value.len - 2, value.data + 1 };
        n = rooms_json_unescape(inside, buf, sizeof(buf));
        same(n < 0 || ((size_t) n == json_string_length(read)
                       && memcmp(buf, json_string_value(read), n) == 0));
        break;

    case '{':
        same(json_is_object(read));
        break;

    case '[':
        same(json_is_array(read));
        break;

    case 't':
    case 'f':
        same(json_is_boolean(read) && json_is_true(read)
                                      == (value.data[0] == 't'));
        break;

    case 'n':
        same(json_is_null(read));
        break;

    default:
        same(json_is_integer(read));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        members;
    char          name[256];
    json_t       *read;
    rooms_str_t   text, key, value;

    text = (rooms_str_t) { size, data };

    if (!rooms_json_plain(text)) {
        return 0;
    }

    read = json_loadb((const char *) data, size, JSON_REJECT_DUPLICATES,
                      NULL);

    same(json_is_object(read));
    same(rooms_json_valid(text));

    members = 0;
    value = ROOMS_NULL;

    while (rooms_json_next(text, &key, &value)) {
        members++;

        if (key.len < sizeof(name)) {
            memcpy(name, key.data, key.len);
            name[key.len] = '\0';
            compare(value, json_object_get(read, name));
        }
    }

    same(rooms_json_ends(text, value));
    same(members == json_object_size(read));

    json_decref(read);

    return 0;
}
