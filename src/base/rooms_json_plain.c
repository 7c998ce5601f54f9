/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Plain JSON: an object that is certainly valid, and means the same to every
 * reader.  One walk over the text says so, without a tree.  What is not plain
 * isn't wrong; somebody else has to look.
 */

#include "rooms_json_text.h"
#include "rooms_text.h"


#define ROOMS_PLAIN_DEPTH    16
#define ROOMS_PLAIN_KEYS     64          /* in objects around each other */
#define ROOMS_PLAIN_DIGITS   15          /* exact in every reader */

typedef struct {
    const unsigned char  *end;
    unsigned              depth;
    unsigned              nkeys;
    rooms_str_t           keys[ROOMS_PLAIN_KEYS];
} rooms_plain_t;


static const unsigned char *rooms_plain_value(rooms_plain_t *s,
    const unsigned char *p);


/* Escapes of one character alone; a key has none. */
static const unsigned char *
rooms_plain_string(rooms_plain_t *s, const unsigned char *p, int key)
{
    int                   ascii;
    rooms_str_t           inside;
    const unsigned char  *end;

    end = s->end;

    if (p == end || *p != '"') {
        return NULL;
    }

    ascii = 1;
    inside.data = ++p;

    for ( /* void */ ; p < end && *p != '"'; p++) {

        if (*p < 0x20) {
            return NULL;
        }

        if (*p == '\\') {

            if (key || ++p == end || strchr("\"\\/bfnrt", *p) == NULL
                || *p == '\0')
            {
                return NULL;
            }

        } else if (*p >= 0x80) {
            ascii = 0;
        }
    }

    if (p == end) {
        return NULL;
    }

    inside.len = p - inside.data;

    return ascii || rooms_utf8_length(inside) >= 0 ? p + 1 : NULL;
}


static const unsigned char *
rooms_plain_number(rooms_plain_t *s, const unsigned char *p)
{
    const unsigned char  *from;

    p += *p == '-';

    for (from = p; p < s->end && *p >= '0' && *p <= '9'; p++) { /* void */ }

    if (p == from || p - from > ROOMS_PLAIN_DIGITS
        || (*from == '0' && p - from > 1)
        || (p < s->end && (*p == '.' || *p == 'e' || *p == 'E')))
    {
        return NULL;
    }

    return p;
}


static const unsigned char *
rooms_plain_word(rooms_plain_t *s, const unsigned char *p, const char *word,
    size_t len)
{
    return (size_t) (s->end - p) >= len && memcmp(p, word, len) == 0
           ? p + len : NULL;
}


static int
rooms_plain_key(rooms_plain_t *s, unsigned first, rooms_str_t key)
{
    unsigned  i;

    for (i = first; i < s->nkeys; i++) {

        if (rooms_str_eq(s->keys[i], key)) {
            return 0;
        }
    }

    if (s->nkeys == ROOMS_PLAIN_KEYS) {
        return 0;
    }

    s->keys[s->nkeys++] = key;

    return 1;
}


/* A member's name and its colon. */
static const unsigned char *
rooms_plain_name(rooms_plain_t *s, const unsigned char *p, unsigned first)
{
    rooms_str_t           key;
    const unsigned char  *after;

    after = rooms_plain_string(s, p, 1);

    if (after == NULL) {
        return NULL;
    }

    key.data = p + 1;
    key.len = after - p - 2;

    p = rooms_json_space(after, s->end);

    if (p == s->end || *p != ':' || !rooms_plain_key(s, first, key)) {
        return NULL;
    }

    return rooms_json_space(p + 1, s->end);
}


/* An object or an array, from its first byte. */
static const unsigned char *
rooms_plain_container(rooms_plain_t *s, const unsigned char *p)
{
    int            object;
    unsigned       first;
    unsigned char  close;

    object = *p == '{';
    close = object ? '}' : ']';
    first = s->nkeys;

    if (++s->depth > ROOMS_PLAIN_DEPTH) {
        return NULL;
    }

    p = rooms_json_space(p + 1, s->end);

    if (p < s->end && *p == close) {
        s->depth--;
        return p + 1;
    }

    for ( ;; ) {

        if (object) {
            p = rooms_plain_name(s, p, first);
        }

        p = p ? rooms_plain_value(s, p) : NULL;

        if (p == NULL) {
            return NULL;
        }

        p = rooms_json_space(p, s->end);

        if (p == s->end) {
            return NULL;
        }

        if (*p == close) {
            s->nkeys = first;
            s->depth--;
            return p + 1;
        }

        if (*p != ',') {
            return NULL;
        }

        p = rooms_json_space(p + 1, s->end);
    }
}


static const unsigned char *
rooms_plain_value(rooms_plain_t *s, const unsigned char *p)
{
    if (p == s->end) {
        return NULL;
    }

    switch (*p) {

    case '{':
    case '[':
        return rooms_plain_container(s, p);

    case '"':
        return rooms_plain_string(s, p, 0);

    case 't':
        return rooms_plain_word(s, p, "true", 4);

    case 'f':
        return rooms_plain_word(s, p, "false", 5);

    case 'n':
        return rooms_plain_word(s, p, "null", 4);

    default:
        return rooms_plain_number(s, p);
    }
}


int
rooms_json_plain(rooms_str_t text)
{
    rooms_plain_t         s;
    const unsigned char  *p;

    s.end = text.data + text.len;
    s.depth = 0;
    s.nkeys = 0;

    p = rooms_json_space(text.data, s.end);

    if (p == s.end || *p != '{') {
        return 0;
    }

    p = rooms_plain_container(&s, p);

    return p && rooms_json_space(p, s.end) == s.end;
}
