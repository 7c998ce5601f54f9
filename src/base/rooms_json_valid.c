/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The scanner: what is JSON and what isn't. */

#include "rooms_json_text.h"
#include "rooms_text.h"


const unsigned char *
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


const unsigned char *
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


const unsigned char *
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
