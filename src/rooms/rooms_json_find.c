/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* What stands where in a text that the scanner has found valid. */

#include <string.h>

#include "rooms_json_text.h"


int
rooms_json_next(rooms_str_t object, rooms_str_t *key, rooms_str_t *value)
{
    const unsigned char  *p, *end, *name, *after;

    end = object.data + object.len;

    p = rooms_json_space(value->data ? value->data + value->len : object.data,
                         end);

    if (p == end || *p != (value->data ? ',' : '{')) {
        return 0;
    }

    name = rooms_json_space(p + 1, end);
    after = rooms_json_scan_string(name, end);

    if (after == NULL) {
        return 0;
    }

    p = rooms_json_space(after, end);

    if (p == end || *p != ':') {
        return 0;
    }

    key->data = name + 1;
    key->len = after - name - 2;

    value->data = rooms_json_space(p + 1, end);
    p = rooms_json_scan_value(value->data, end, ROOMS_JSON_DEPTH);

    if (p == NULL) {
        return 0;
    }

    value->len = p - value->data;

    return 1;
}


rooms_str_t
rooms_json_member(rooms_str_t object, const char *key)
{
    rooms_str_t  name, value;

    value = ROOMS_NULL;

    while (rooms_json_next(object, &name, &value)) {

        if (rooms_str_eq(name, rooms_cstr(key))) {
            return value;
        }
    }

    return ROOMS_NULL;
}


rooms_str_t
rooms_json_member_str(rooms_str_t object, const char *key)
{
    rooms_str_t  value;

    value = rooms_json_member(object, key);

    if (value.len < 2 || value.data[0] != '"'
        || memchr(value.data, '\\', value.len))
    {
        return ROOMS_NULL;
    }

    value.data++;
    value.len -= 2;

    return value;
}


int64_t
rooms_json_member_int(rooms_str_t object, const char *key, int64_t otherwise)
{
    int64_t      n;
    size_t       i;
    rooms_str_t  value;

    value = rooms_json_member(object, key);

    if (value.len == 0 || value.len > 18) {
        return otherwise;
    }

    for (n = 0, i = 0; i < value.len; i++) {

        if (value.data[i] < '0' || value.data[i] > '9') {
            return otherwise;
        }

        n = n * 10 + (value.data[i] - '0');
    }

    return n;
}


rooms_str_t
rooms_json_element(rooms_str_t *array)
{
    rooms_str_t           value;
    const unsigned char  *p, *end, *after;

    end = array->data + array->len;
    p = array->data ? rooms_json_space(array->data, end) : end;

    *array = ROOMS_NULL;

    if (p == end || (*p != '[' && *p != ',')) {
        return ROOMS_NULL;
    }

    p = rooms_json_space(p + 1, end);
    after = rooms_json_scan_value(p, end, ROOMS_JSON_DEPTH);

    if (after == NULL) {
        return ROOMS_NULL;
    }

    value.data = p;
    value.len = after - p;

    array->data = after;
    array->len = end - after;

    return value;
}


size_t
rooms_json_minify(rooms_str_t value, unsigned char *dst)
{
    unsigned char        *to;
    const unsigned char  *p, *end, *after;

    to = dst;
    end = value.data + value.len;

    for (p = value.data; p < end; /* void */) {

        after = p + 1;

        if (*p == '"') {
            after = rooms_json_scan_string(p, end);

            if (after == NULL) {
                after = end;
            }

        } else if (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') {
            p++;
            continue;
        }

        memcpy(to, p, after - p);
        to += after - p;
        p = after;
    }

    return to - dst;
}


rooms_str_t
rooms_json_key_at(rooms_str_t text, size_t offset)
{
    int                   depth, iskey;
    rooms_str_t           key, last;
    const unsigned char  *p, *end;

    depth = 0;
    iskey = 0;
    key = ROOMS_NULL;

    if (offset > text.len) {
        offset = text.len;
    }

    end = text.data + offset;

    for (p = text.data; p < end; p++) {

        switch (*p) {

        case '{':
        case '[':
            iskey = (++depth == 1);
            break;

        case '}':
        case ']':
            depth--;
            break;

        case ',':
            if (depth == 1) {
                iskey = 1;
            }

            break;

        case '"':
            last.data = ++p;

            while (p < end && *p != '"') {
                p += (*p == '\\' && p + 1 < end) ? 2 : 1;
            }

            last.len = (p < end ? p : end) - last.data;

            if (depth == 1 && iskey) {
                key = last;
                iskey = 0;
            }

            break;

        default:
            break;
        }
    }

    return key;
}
