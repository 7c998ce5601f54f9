/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The reader: checks in one pass, without a tree, whether a text is JSON.
 *
 * The same pass reads plain texts (rooms_json_plain()).  Then it also keeps
 * the names of the open objects, and refuses what readers disagree about.
 */

#include "rooms_json_text.h"
#include "rooms_text.h"


#define ROOMS_PLAIN_DEPTH    16
#define ROOMS_PLAIN_KEYS     64          /* of all open objects together */
#define ROOMS_PLAIN_DIGITS   15          /* exact as a double */

/* What a string contains besides unescaped ASCII. */
#define ROOMS_JSON_WIDE      0x1         /* UTF-8 */
#define ROOMS_JSON_ESCAPED   0x2
#define ROOMS_JSON_UNICODE   0x4         /* \u */

typedef struct {
    unsigned      n;
    rooms_str_t   names[ROOMS_PLAIN_KEYS];
} rooms_json_names_t;

typedef struct {
    const unsigned char  *end;
    rooms_json_names_t   *plain;         /* NULL: any JSON will do */
} rooms_json_reader_t;


static const unsigned char *rooms_json_read_value(rooms_json_reader_t *r,
    const unsigned char *p, int depth);


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


/*
 * An escape, after its backslash.  Surrogates must come in pairs; NUL is
 * refused.
 */
static const unsigned char *
rooms_json_escape_end(const unsigned char *p, const unsigned char *end)
{
    unsigned  u;

    if (p == end) {
        return NULL;
    }

    if (*p != 'u') {
        return *p && strchr("\"\\/bfnrt", *p) ? p + 1 : NULL;
    }

    p = rooms_json_hex4(p + 1, end, &u);

    if (p == NULL || u == 0 || (u >= 0xdc00 && u <= 0xdfff)) {
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
rooms_json_read_string(const unsigned char *p, const unsigned char *end,
    unsigned *has)
{
    const unsigned char  *start;

    *has = 0;

    if (p == end || *p++ != '"') {
        return NULL;
    }

    for (start = p; /* void */ ; /* void */ ) {
        p = rooms_json_run(p, end);

        if (p == end) {
            return NULL;
        }

        if (*p == '"') {
            break;
        }

        if (*p >= 0x80) {
            *has |= ROOMS_JSON_WIDE;

            while (p < end && *p >= 0x80) {
                p++;
            }

            continue;
        }

        if (*p != '\\') {
            return NULL;
        }

        *has |= ROOMS_JSON_ESCAPED;
        p++;

        if (p < end && *p == 'u') {
            *has |= ROOMS_JSON_UNICODE;
        }

        p = rooms_json_escape_end(p, end);

        if (p == NULL) {
            return NULL;
        }
    }

    if ((*has & ROOMS_JSON_WIDE)
        && rooms_utf8_length((rooms_str_t) { p - start, start }) < 0)
    {
        return NULL;
    }

    return p + 1;
}


const unsigned char *
rooms_json_scan_string(const unsigned char *p, const unsigned char *end)
{
    unsigned  has;

    return rooms_json_read_string(p, end, &has);
}


static const unsigned char *
rooms_json_digits(const unsigned char *p, const unsigned char *end)
{
    const unsigned char  *start;

    for (start = p; p < end && *p >= '0' && *p <= '9'; p++) { /* void */ }

    return p > start ? p : NULL;
}


static const unsigned char *
rooms_json_read_number(rooms_json_reader_t *r, const unsigned char *p)
{
    const unsigned char  *end, *whole;

    end = r->end;

    if (p < end && *p == '-') {
        p++;
    }

    whole = p;

    if (p < end && *p == '0') {
        p++;

    } else {
        p = rooms_json_digits(p, end);
    }

    if (r->plain) {
        return p && p - whole <= ROOMS_PLAIN_DIGITS
               && (p == end || (*p != '.' && *p != 'e' && *p != 'E'))
               ? p : NULL;
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
rooms_json_read_word(rooms_json_reader_t *r, const unsigned char *p)
{
    size_t       i;

    static const rooms_str_t  words[] = {
        rooms_string("true"), rooms_string("false"), rooms_string("null")
    };

    for (i = 0; i < 3; i++) {

        if ((size_t) (r->end - p) >= words[i].len
            && memcmp(p, words[i].data, words[i].len) == 0)
        {
            return p + words[i].len;
        }
    }

    return NULL;
}


/*
 * Adds a name to its object, whose names begin at `first`.  0: it is there
 * already, or there are too many.
 */
static int
rooms_json_fresh(rooms_json_names_t *names, unsigned first, rooms_str_t name)
{
    unsigned  i;

    for (i = first; i < names->n; i++) {

        if (rooms_str_eq(names->names[i], name)) {
            return 0;
        }
    }

    if (names->n == ROOMS_PLAIN_KEYS) {
        return 0;
    }

    names->names[names->n++] = name;

    return 1;
}


/* A member's name and its colon.  A plain text has no escapes in names. */
static const unsigned char *
rooms_json_read_name(rooms_json_reader_t *r, const unsigned char *p,
    unsigned first)
{
    unsigned              has;
    const unsigned char  *after;

    p = rooms_json_space(p, r->end);
    after = rooms_json_read_string(p, r->end, &has);

    if (after == NULL) {
        return NULL;
    }

    if (r->plain
        && ((has & ROOMS_JSON_ESCAPED)
            || !rooms_json_fresh(r->plain, first,
                                 (rooms_str_t) { after - p - 2, p + 1 })))
    {
        return NULL;
    }

    p = rooms_json_space(after, r->end);

    return p < r->end && *p == ':' ? p + 1 : NULL;
}


/* An object or an array, from its opening bracket on. */
static const unsigned char *
rooms_json_read_container(rooms_json_reader_t *r, const unsigned char *p,
    int depth)
{
    unsigned       first;
    unsigned char  open;

    open = *p;
    first = r->plain ? r->plain->n : 0;

    p = rooms_json_space(p + 1, r->end);

    if (p < r->end && *p == open + 2) {       /* '{' + 2 is '}', '[' + 2 ']' */
        return p + 1;
    }

    for ( ;; ) {

        if (open == '{') {
            p = rooms_json_read_name(r, p, first);

            if (p == NULL) {
                return NULL;
            }
        }

        p = rooms_json_read_value(r, p, depth);

        if (p == NULL) {
            return NULL;
        }

        p = rooms_json_space(p, r->end);

        if (p == r->end) {
            return NULL;
        }

        if (*p == open + 2) {

            if (r->plain) {
                r->plain->n = first;
            }

            return p + 1;
        }

        if (*p++ != ',') {
            return NULL;
        }
    }
}


static const unsigned char *
rooms_json_read_value(rooms_json_reader_t *r, const unsigned char *p,
    int depth)
{
    unsigned              has;
    const unsigned char  *after;

    p = rooms_json_space(p, r->end);

    if (p == r->end) {
        return NULL;
    }

    switch (*p) {

    case '"':
        after = rooms_json_read_string(p, r->end, &has);
        return r->plain && (has & ROOMS_JSON_UNICODE) ? NULL : after;

    case '{':
    case '[':
        return depth ? rooms_json_read_container(r, p, depth - 1) : NULL;

    case 't':
    case 'f':
    case 'n':
        return rooms_json_read_word(r, p);

    default:
        return rooms_json_read_number(r, p);
    }
}


const unsigned char *
rooms_json_scan_value(const unsigned char *p, const unsigned char *end,
    int depth)
{
    rooms_json_reader_t  r;

    r.end = end;
    r.plain = NULL;

    return rooms_json_read_value(&r, p, depth);
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
rooms_json_plain(rooms_str_t text)
{
    rooms_json_names_t    names;
    rooms_json_reader_t   r;
    const unsigned char  *p;

    names.n = 0;
    r.end = text.data + text.len;
    r.plain = &names;

    p = rooms_json_space(text.data, r.end);

    if (p == r.end || *p != '{') {
        return 0;
    }

    p = rooms_json_read_value(&r, p, ROOMS_PLAIN_DEPTH);

    return p && rooms_json_space(p, r.end) == r.end;
}
