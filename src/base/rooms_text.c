/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_text.h"


#define ROOMS_NAME_MAX   128
#define ROOMS_TOPIC_MAX  1024
#define ROOMS_SLUG_MAX   64
#define ROOMS_SLUG_NUM   11           /* "-4294967295" */


static int32_t rooms_utf8_next(const unsigned char **p,
    const unsigned char *end);
static void rooms_trim(rooms_str_t *s);
static int rooms_is_space(int32_t c);
static int rooms_is_control(int32_t c);
static int rooms_is_slug(unsigned char c);


const char *
rooms_name_check(rooms_str_t *name)
{
    long                  length;
    int32_t               c;
    const unsigned char  *p, *end;

    if (name->data == NULL) {
        return "The name is required.";
    }

    if (rooms_utf8_length(*name) < 0) {
        return "The name is not valid UTF-8.";
    }

    rooms_trim(name);

    length = rooms_utf8_length(*name);

    if (length < 1 || length > ROOMS_NAME_MAX) {
        return "The name must have 1 to 128 characters.";
    }

    p = name->data;
    end = p + name->len;

    while (p < end) {
        c = rooms_utf8_next(&p, end);

        if (rooms_is_control(c) || c == 0x2028 || c == 0x2029) {
            return "The name must not have control characters.";
        }
    }

    return NULL;
}


/* A topic may have lines and tabs; NULL is no topic. */

const char *
rooms_topic_check(rooms_str_t *topic)
{
    long                  length;
    int32_t               c;
    const unsigned char  *p, *end;

    if (topic->data == NULL) {
        return NULL;
    }

    length = rooms_utf8_length(*topic);

    if (length < 0) {
        return "The topic is not valid UTF-8.";
    }

    if (length > ROOMS_TOPIC_MAX) {
        return "The topic must have at most 1024 characters.";
    }

    p = topic->data;
    end = p + topic->len;

    while (p < end) {
        c = rooms_utf8_next(&p, end);

        if (rooms_is_control(c) && c != '\n' && c != '\r' && c != '\t') {
            return "The topic must not have control characters.";
        }
    }

    return NULL;
}


long
rooms_utf8_length(rooms_str_t s)
{
    long                  n;
    const unsigned char  *p, *end;

    if (s.len == 0) {
        return 0;
    }

    p = s.data;
    end = p + s.len;

    for (n = 0; p < end; n++) {
        if (rooms_utf8_next(&p, end) < 0) {
            return -1;
        }
    }

    return n;
}


/* The next code point of a string that isn't at its end, or -1. */

static int32_t
rooms_utf8_next(const unsigned char **p, const unsigned char *end)
{
    int                   i, more;
    int32_t               c, least;
    const unsigned char  *s;

    s = *p;
    c = *s++;

    if (c < 0x80) {
        *p = s;
        return c;
    }

    if (c >= 0xc0 && c < 0xe0) {
        c &= 0x1f;
        more = 1;
        least = 0x80;

    } else if (c >= 0xe0 && c < 0xf0) {
        c &= 0x0f;
        more = 2;
        least = 0x800;

    } else if (c >= 0xf0 && c < 0xf8) {
        c &= 0x07;
        more = 3;
        least = 0x10000;

    } else {
        return -1;
    }

    if (end - s < more) {
        return -1;
    }

    for (i = 0; i < more; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return -1;
        }

        c = (c << 6) | (s[i] & 0x3f);
    }

    if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return -1;
    }

    *p = s + more;

    return c;
}


static void
rooms_trim(rooms_str_t *s)
{
    int32_t               c;
    const unsigned char  *p, *end, *first, *last;

    p = s->data;
    end = p + s->len;
    first = NULL;
    last = p;

    while (p < end) {
        const unsigned char  *at = p;

        c = rooms_utf8_next(&p, end);

        if (rooms_is_space(c)) {
            continue;
        }

        if (first == NULL) {
            first = at;
        }

        last = p;
    }

    if (first == NULL) {
        first = last;
    }

    s->data = first;
    s->len = last - first;
}


static int
rooms_is_space(int32_t c)
{
    switch (c) {

    case ' ':
    case 0x85:
    case 0xa0:
    case 0x1680:
    case 0x2028:
    case 0x2029:
    case 0x202f:
    case 0x205f:
    case 0x3000:
    case 0xfeff:
        return 1;

    default:
        return (c >= '\t' && c <= '\r') || (c >= 0x2000 && c <= 0x200a);
    }
}


static int
rooms_is_control(int32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}


size_t
rooms_slug(rooms_str_t name, unsigned n, unsigned char *dst)
{
    size_t          i, len, digits;
    unsigned char   c, number[ROOMS_SLUG_NUM];

    len = 0;

    for (i = 0; i < name.len && len < ROOMS_SLUG_MAX; i++) {
        c = name.data[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (rooms_is_slug(c)) {
            dst[len++] = c;

        } else if (len > 0 && dst[len - 1] != '-') {
            dst[len++] = '-';
        }
    }

    if (len > 0 && dst[len - 1] == '-') {
        len--;
    }

    if (len == 0) {
        memcpy(dst, "room", 4);
        len = 4;
    }

    if (n < 2) {
        return len;
    }

    dst[len++] = '-';

    for (digits = 0; n > 0; n /= 10) {
        number[digits++] = '0' + n % 10;
    }

    while (digits > 0) {
        dst[len++] = number[--digits];
    }

    return len;
}


int
rooms_slug_valid(rooms_str_t slug)
{
    size_t  i;

    if (slug.len == 0 || slug.len > ROOMS_SLUG_MAX + ROOMS_SLUG_NUM) {
        return 0;
    }

    for (i = 0; i < slug.len; i++) {
        if (rooms_is_slug(slug.data[i])) {
            continue;
        }

        /* a hyphen stands alone, and between two others */

        if (slug.data[i] != '-' || i == 0 || i == slug.len - 1
            || slug.data[i - 1] == '-')
        {
            return 0;
        }
    }

    return 1;
}


static int
rooms_is_slug(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
