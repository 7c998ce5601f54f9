/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_sfield.h"


void
rooms_sfield_init(rooms_sfield_t *f, rooms_str_t field)
{
    f->p = field.data;
    f->end = field.data + field.len;
    f->failed = field.len == 0;
}


int
rooms_sfield_take(rooms_sfield_t *f, unsigned char c)
{
    if (f->failed || f->p == f->end || *f->p != c) {
        return 0;
    }

    f->p++;

    return 1;
}


void
rooms_sfield_expect(rooms_sfield_t *f, unsigned char c)
{
    if (!rooms_sfield_take(f, c)) {
        f->failed = 1;
    }
}


static int
rooms_sfield_key_char(unsigned char c, int first)
{
    if ((c >= 'a' && c <= 'z') || c == '*') {
        return 1;
    }

    return !first && ((c >= '0' && c <= '9') || c == '_' || c == '-'
                      || c == '.');
}


rooms_str_t
rooms_sfield_key(rooms_sfield_t *f)
{
    rooms_str_t  key;

    key.data = f->p;

    while (!f->failed && f->p < f->end
           && rooms_sfield_key_char(*f->p, f->p == key.data))
    {
        f->p++;
    }

    key.len = f->p - key.data;

    if (key.len == 0) {
        f->failed = 1;
    }

    rooms_sfield_expect(f, '=');

    return f->failed ? ROOMS_NULL : key;
}


rooms_str_t
rooms_sfield_string(rooms_sfield_t *f)
{
    rooms_str_t  s;

    s.data = f->p;

    rooms_sfield_expect(f, '"');

    while (!f->failed && f->p < f->end && *f->p != '"') {

        if (*f->p < 0x20 || *f->p > 0x7e || *f->p == '\\') {
            f->failed = 1;
            break;
        }

        f->p++;
    }

    rooms_sfield_expect(f, '"');

    s.len = f->p - s.data;

    return f->failed ? ROOMS_NULL : s;
}


rooms_str_t
rooms_sfield_bytes(rooms_sfield_t *f)
{
    rooms_str_t  s;

    rooms_sfield_expect(f, ':');

    s.data = f->p;

    while (!f->failed && f->p < f->end && *f->p != ':') {
        f->p++;
    }

    s.len = f->p - s.data;

    rooms_sfield_expect(f, ':');

    return f->failed ? ROOMS_NULL : s;
}


/* Digits without a leading zero; times are not negative. */

int64_t
rooms_sfield_integer(rooms_sfield_t *f)
{
    int64_t               n;
    const unsigned char  *start;

    n = 0;
    start = f->p;

    while (!f->failed && f->p < f->end && *f->p >= '0' && *f->p <= '9') {
        n = n * 10 + (*f->p++ - '0');

        if (f->p - start > 15) {
            f->failed = 1;
        }
    }

    if (f->failed || f->p == start || (*start == '0' && f->p - start > 1)) {
        f->failed = 1;
        return 0;
    }

    return n;
}


static void
rooms_sfield_space(rooms_sfield_t *f)
{
    while (f->p < f->end && (*f->p == ' ' || *f->p == '\t')) {
        f->p++;
    }
}


int
rooms_sfield_comma(rooms_sfield_t *f)
{
    if (f->failed || f->p == f->end) {
        return 0;
    }

    rooms_sfield_space(f);
    rooms_sfield_expect(f, ',');

    if (f->failed) {
        return 0;
    }

    rooms_sfield_space(f);

    return 1;
}


int
rooms_sfield_end(const rooms_sfield_t *f)
{
    return !f->failed && f->p == f->end;
}
