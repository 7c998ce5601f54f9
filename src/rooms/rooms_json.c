/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_json.h"
#include "rooms.h"


#define ROOMS_JSON_DEPTH  128


void
rooms_buf_init(rooms_buf_t *b, unsigned char *start, size_t size)
{
    b->start = start;
    b->last = start;
    b->end = start + size;
    b->full = 0;
}


void
rooms_json_raw(rooms_buf_t *b, const void *data, size_t len)
{
    if ((size_t) (b->end - b->last) < len) {
        b->full = 1;
        return;
    }

    if (len) {
        memcpy(b->last, data, len);
        b->last += len;
    }
}


void
rooms_json_escape(rooms_buf_t *b, rooms_str_t s)
{
    unsigned char         c, esc[6] = "\\u0000";
    const unsigned char  *p, *end, *from;

    static const char     hex[] = "0123456789abcdef";
    static const char     letter[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
    };

    end = s.data + s.len;

    for (p = s.data, from = p; p < end; p++) {
        c = *p;

        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }

        rooms_json_raw(b, from, p - from);
        from = p + 1;

        if (c >= 0x20 || letter[c]) {
            esc[1] = c >= 0x20 ? c : (unsigned char) letter[c];
            rooms_json_raw(b, esc, 2);
            continue;
        }

        esc[1] = 'u';
        esc[4] = hex[c >> 4];
        esc[5] = hex[c & 15];
        rooms_json_raw(b, esc, 6);
    }

    rooms_json_raw(b, from, end - from);
}


void
rooms_json_str(rooms_buf_t *b, rooms_str_t s)
{
    if (s.data == NULL) {
        rooms_json_lit(b, "null");
        return;
    }

    rooms_json_lit(b, "\"");
    rooms_json_escape(b, s);
    rooms_json_lit(b, "\"");
}


void
rooms_json_int(rooms_buf_t *b, int64_t n)
{
    uint64_t        u;
    unsigned char   digits[ROOMS_JSON_INT], *p;

    p = digits + ROOMS_JSON_INT;
    u = n < 0 ? - (uint64_t) n : (uint64_t) n;

    do {
        *--p = '0' + u % 10;
        u /= 10;
    } while (u);

    if (n < 0) {
        *--p = '-';
    }

    rooms_json_raw(b, p, digits + ROOMS_JSON_INT - p);
}


void
rooms_json_time(rooms_buf_t *b, int64_t ms)
{
    unsigned char  time[ROOMS_TIME_LEN + 2];

    time[0] = '"';
    rooms_time_format(time + 1, ms);
    time[ROOMS_TIME_LEN + 1] = '"';

    rooms_json_raw(b, time, sizeof(time));
}


void
rooms_json_bool(rooms_buf_t *b, int truth)
{
    if (truth) {
        rooms_json_lit(b, "true");

    } else {
        rooms_json_lit(b, "false");
    }
}


/* The scanner: each function takes a position and gives the one behind. */


static const unsigned char *
rooms_json_space(const unsigned char *p, const unsigned char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) {
        p++;
    }

    return p;
}


static const unsigned char *
rooms_json_hex4(const unsigned char *p, const unsigned char *end, unsigned *u)
{
    int       i;
    unsigned  c;

    if (end - p < 4) {
        return NULL;
    }

    for (*u = 0, i = 0; i < 4; i++) {
        c = *p++;

        if (c >= '0' && c <= '9') {
            c -= '0';

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            c = (c | 0x20) - 'a' + 10;

        } else {
            return NULL;
        }

        *u = *u << 4 | c;
    }

    return p;
}


/* An escape, behind its backslash; surrogates come in pairs. */
static const unsigned char *
rooms_json_scan_escape(const unsigned char *p, const unsigned char *end)
{
    unsigned  u;

    if (p == end) {
        return NULL;
    }

    if (*p != 'u') {
        return *p && strchr("\"\\/bfnrt", *p) ? p + 1 : NULL;
    }

    p = rooms_json_hex4(p + 1, end, &u);

    if (p == NULL || (u >= 0xdc00 && u <= 0xdfff)) {
        return NULL;
    }

    if (u < 0xd800 || u > 0xdbff) {
        return p;
    }

    if (end - p < 2 || p[0] != '\\' || p[1] != 'u') {
        return NULL;
    }

    p = rooms_json_hex4(p + 2, end, &u);

    return p && u >= 0xdc00 && u <= 0xdfff ? p : NULL;
}


static const unsigned char *
rooms_json_scan_string(const unsigned char *p, const unsigned char *end)
{
    int                   wide;
    const unsigned char  *start;

    if (p == end || *p++ != '"') {
        return NULL;
    }

    wide = 0;

    for (start = p; p < end; /* void */) {

        if (*p == '"') {
            if (wide
                && rooms_utf8_length((rooms_str_t) { p - start, start }) < 0)
            {
                return NULL;
            }

            return p + 1;
        }

        if (*p < 0x20) {
            return NULL;
        }

        wide |= *p & 0x80;

        if (*p++ == '\\') {
            p = rooms_json_scan_escape(p, end);

            if (p == NULL) {
                return NULL;
            }
        }
    }

    return NULL;
}


static const unsigned char *
rooms_json_digits(const unsigned char *p, const unsigned char *end)
{
    const unsigned char  *start;

    for (start = p; p < end && *p >= '0' && *p <= '9'; p++) { /* void */ }

    return p > start ? p : NULL;
}


static const unsigned char *
rooms_json_scan_number(const unsigned char *p, const unsigned char *end)
{
    if (p < end && *p == '-') {
        p++;
    }

    if (p < end && *p == '0') {
        p++;

    } else {
        p = rooms_json_digits(p, end);
    }

    if (p && p < end && *p == '.') {
        p = rooms_json_digits(p + 1, end);
    }

    if (p && p < end && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }

        p = rooms_json_digits(p, end);
    }

    return p;
}


static const unsigned char *
rooms_json_scan_word(const unsigned char *p, const unsigned char *end)
{
    size_t       i, len;
    const char  *words[] = { "true", "false", "null" };

    for (i = 0; i < 3; i++) {
        len = strlen(words[i]);

        if ((size_t) (end - p) >= len && memcmp(p, words[i], len) == 0) {
            return p + len;
        }
    }

    return NULL;
}


static const unsigned char *
rooms_json_scan_value(const unsigned char *p, const unsigned char *end,
    int depth)
{
    unsigned char  open;

    p = rooms_json_space(p, end);

    if (p == end) {
        return NULL;
    }

    if (*p == '"') {
        return rooms_json_scan_string(p, end);
    }

    if (*p == '-' || (*p >= '0' && *p <= '9')) {
        return rooms_json_scan_number(p, end);
    }

    if (*p != '{' && *p != '[') {
        return rooms_json_scan_word(p, end);
    }

    if (depth == 0) {
        return NULL;
    }

    open = *p;
    p = rooms_json_space(p + 1, end);

    if (p < end && *p == open + 2) {          /* '{' + 2 is '}', '[' + 2 ']' */
        return p + 1;
    }

    for ( ;; ) {

        if (open == '{') {
            p = rooms_json_scan_string(rooms_json_space(p, end), end);

            if (p == NULL) {
                return NULL;
            }

            p = rooms_json_space(p, end);

            if (p == end || *p++ != ':') {
                return NULL;
            }
        }

        p = rooms_json_scan_value(p, end, depth - 1);

        if (p == NULL) {
            return NULL;
        }

        p = rooms_json_space(p, end);

        if (p == end) {
            return NULL;
        }

        if (*p == open + 2) {
            return p + 1;
        }

        if (*p++ != ',') {
            return NULL;
        }
    }
}


int
rooms_json_valid(rooms_str_t s)
{
    const unsigned char  *p, *end;

    if (s.data == NULL) {
        return 0;
    }

    end = s.data + s.len;
    p = rooms_json_scan_value(s.data, end, ROOMS_JSON_DEPTH);

    return p && rooms_json_space(p, end) == end;
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
