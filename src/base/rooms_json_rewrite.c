/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_json.h"


static void rooms_json_member_put(rooms_buf_t *b, rooms_str_t key,
    rooms_str_t value);
static int rooms_json_has(rooms_str_t object, const char *key);


void
rooms_json_rewrite(rooms_buf_t *b, rooms_str_t object,
    const rooms_json_set_t *set, unsigned n)
{
    unsigned     i;
    rooms_str_t  key, value;

    rooms_json_lit(b, "{");

    value = ROOMS_NULL;

    while (rooms_json_next(object, &key, &value)) {

        for (i = 0; i < n && !rooms_json_key_is(key, set[i].key); i++) {
            /* void */
        }

        if (i < n) {
            rooms_json_member_put(b, rooms_cstr(set[i].key), set[i].value);

        } else {
            rooms_json_member_put(b, key, value);
        }
    }

    for (i = 0; i < n; i++) {

        if (!rooms_json_has(object, set[i].key)) {
            rooms_json_member_put(b, rooms_cstr(set[i].key), set[i].value);
        }
    }

    rooms_json_lit(b, "}");
}


static void
rooms_json_member_put(rooms_buf_t *b, rooms_str_t key, rooms_str_t value)
{
    if (value.data == NULL) {
        return;
    }

    if (b->last > b->start && b->last[-1] != '{') {
        rooms_json_lit(b, ",");
    }

    rooms_json_lit(b, "\"");
    rooms_json_raw(b, key.data, key.len);
    rooms_json_lit(b, "\":");
    rooms_json_raw(b, value.data, value.len);
}


static int
rooms_json_has(rooms_str_t object, const char *key)
{
    return rooms_json_member(object, key).data != NULL;
}
