/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Finds values in a text that the scanner has found valid. */

#include <string.h>

#include "rooms_json_text.h"
#include "rooms_number.h"


static unsigned
rooms_json_unit(const unsigned char *p)
{
    int       i;
    unsigned  u;

    for (u = 0, i = 0; i < 4; i++) {
        u = u << 4 | ((p[i] & 0xf) + (p[i] > '9' ? 9 : 0));
    }

    return u;
}


static size_t
rooms_json_utf8(unsigned c, unsigned char *dst)
{
    size_t  i, n;

    n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (i = n; i-- > 1; c >>= 6) {
        dst[i] = (unsigned char) (0x80 | (c & 0x3f));
    }

    dst[0] = (unsigned char) (n == 1 ? c : ((0xf00u >> n) & 0xff) | c);

    return n;
}


ptrdiff_t
rooms_json_unescape(rooms_str_t raw, unsigned char *buf, size_t size)
{
    size_t                n;
    unsigned              c;
    unsigned char        *out, tmp[4];
    const unsigned char  *p, *end;

    static const char  from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

    out = buf;
    end = raw.data + raw.len;

    for (p = raw.data; p < end; /* void */) {
        n = 1;
        tmp[0] = *p++;

        if (tmp[0] == '\\' && *p != 'u') {
            tmp[0] = (unsigned char) to[strchr(from, *p++) - from];

        } else if (tmp[0] == '\\') {
            c = rooms_json_unit(p + 1);
            p += 5;

            if ((c & 0xfc00) == 0xd800) {
                c = 0x10000 + ((c & 0x3ff) << 10)
                    + (rooms_json_unit(p + 2) & 0x3ff);
                p += 6;
            }

            n = rooms_json_utf8(c, tmp);
        }

        if ((size_t) (buf + size - out) < n) {
            return -1;
        }

        memcpy(out, tmp, n);
        out += n;
    }

    return out - buf;
}


/* Escapes make a key at most six times as long. */
int
rooms_json_key_is(rooms_str_t raw, const char *key)
{
    size_t         len;
    unsigned char  buf[64];

    if (raw.len && raw.data[0] != (unsigned char) key[0]
        && raw.data[0] != '\\')
    {
        return 0;
    }

    len = strlen(key);

    if (raw.len <= len) {
        return raw.len == len && memcmp(raw.data, key, len) == 0;
    }

    return raw.len <= 6 * len && memchr(raw.data, '\\', raw.len)
           && rooms_json_unescape(raw, buf, sizeof(buf)) == (ptrdiff_t) len
           && memcmp(buf, key, len) == 0;
}


int
rooms_json_key_of(rooms_str_t raw, const rooms_str_t *keys, int n, int last)
{
    int            i;
    ptrdiff_t      len;
    unsigned char  buf[64];

    i = rooms_str_which(raw, keys, n, last);

    if (i >= 0 || raw.len > 6 * sizeof(buf)
        || memchr(raw.data, '\\', raw.len) == NULL)
    {
        return i;
    }

    len = rooms_json_unescape(raw, buf, sizeof(buf));

    if (len < 0) {
        return -1;
    }

    return rooms_str_which((rooms_str_t) { (size_t) len, buf }, keys, n, last);
}


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
    p = value->data < end && *value->data == '"'
        ? rooms_json_scan_string(value->data, end)
        : rooms_json_scan_value(value->data, end, ROOMS_JSON_DEPTH);

    if (p == NULL) {
        return 0;
    }

    value->len = p - value->data;

    return 1;
}


int
rooms_json_ends(rooms_str_t object, rooms_str_t value)
{
    const unsigned char  *p, *end;

    end = object.data + object.len;

    if (value.data) {
        p = rooms_json_space(value.data + value.len, end);

    } else {
        p = rooms_json_space(object.data, end);

        if (p == end || *p != '{') {
            return 0;
        }

        p = rooms_json_space(p + 1, end);
    }

    return p < end && *p == '}' && rooms_json_space(p + 1, end) == end;
}


rooms_str_t
rooms_json_member(rooms_str_t object, const char *key)
{
    rooms_str_t  name, value;

    value = ROOMS_NULL;

    while (rooms_json_next(object, &name, &value)) {

        if (rooms_json_key_is(name, key)) {
            return value;
        }
    }

    return ROOMS_NULL;
}


rooms_str_t
rooms_json_member_str(rooms_str_t object, const char *key)
{
    return rooms_json_inside(rooms_json_member(object, key));
}


rooms_str_t
rooms_json_inside(rooms_str_t value)
{
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
    return rooms_json_whole(rooms_json_member(object, key), otherwise);
}


int64_t
rooms_json_whole(rooms_str_t value, int64_t otherwise)
{
    uint64_t              n;
    const unsigned char  *end;

    if (value.len == 0 || value.len > 18) {
        return otherwise;
    }

    end = value.data + value.len;

    return rooms_digits(value.data, end, &n) == end ? (int64_t) n : otherwise;
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


int
rooms_json_depth(rooms_str_t value)
{
    int                   depth, deepest;
    const unsigned char  *p, *end;

    depth = 0;
    deepest = 0;
    end = value.data + value.len;

    for (p = value.data; p < end; p++) {

        switch (*p) {

        case '{':
        case '[':
            depth++;
            deepest = depth > deepest ? depth : deepest;
            break;

        case '}':
        case ']':
            depth--;
            break;

        case '"':
            p = rooms_json_run(p + 1, end);

            while (p < end && *p != '"') {
                p = rooms_json_run(p + 1 + (*p == '\\' && p + 1 < end), end);
            }

            break;

        default:
            break;
        }
    }

    return deepest;
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
