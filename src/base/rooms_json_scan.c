/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_json_state.h"

#include <string.h>


static int rooms_json_structure(rooms_json_scan_t *s, const u_char **p,
    const u_char *end);
static int rooms_json_value(rooms_json_scan_t *s, const u_char **p);
static int rooms_json_close(rooms_json_scan_t *s, const u_char **p);


static unsigned
rooms_json_in_object(const rooms_json_scan_t *s)
{
    unsigned  n;

    n = s->depth - 1;

    return s->objects[n / 64] >> (n % 64) & 1;
}


int
rooms_json_fail(rooms_json_scan_t *s, const char *error)
{
    s->error = error;
    s->state = ST_ERROR;

    return ROOMS_JSON_ERROR;
}


void
rooms_json_scan_init(rooms_json_scan_t *s)
{
    memset(s, 0, sizeof(rooms_json_scan_t));
}


int
rooms_json_scan_done(const rooms_json_scan_t *s)
{
    return s->state == ST_DONE;
}


rooms_json_event_e
rooms_json_scan(rooms_json_scan_t *s, const u_char **p, const u_char *end)
{
    int            rc;
    const u_char  *start;

    start = *p;
    rc = ROOMS_JSON_GO;

    while (rc == ROOMS_JSON_GO) {

        if (*p == end && s->state != ST_ERROR) {
            rc = ROOMS_JSON_AGAIN;

        } else if (s->state <= ST_DONE) {
            rc = rooms_json_structure(s, p, end);

        } else if (s->state == ST_STRING) {
            rc = rooms_json_string(s, p, end);

        } else if (s->state < ST_LITERAL) {
            rc = rooms_json_in_string(s, **p);
            *p += (rc != ROOMS_JSON_ERROR);

        } else if (s->state == ST_LITERAL) {
            rc = rooms_json_literal(s, **p);
            *p += (rc != ROOMS_JSON_ERROR);

        } else if (s->state == ST_ERROR) {
            return ROOMS_JSON_ERROR;

        } else {
            rc = rooms_json_number(s, p, end);
        }
    }

    s->offset += *p - start;

    return rc;
}


/* Between strings, numbers and literals. */

static int
rooms_json_structure(rooms_json_scan_t *s, const u_char **p,
    const u_char *end)
{
    u_char  ch;

    while (**p == ' ' || **p == '\n' || **p == '\r' || **p == '\t') {
        if (++*p == end) {
            return ROOMS_JSON_AGAIN;
        }
    }

    ch = **p;

    switch (s->state) {

    case ST_FIRST_ITEM:
        if (ch == ']') {
            return rooms_json_close(s, p);
        }

        /* fall through */

    case ST_VALUE:
        return rooms_json_value(s, p);

    case ST_FIRST_KEY:
        if (ch == '}') {
            return rooms_json_close(s, p);
        }

        /* fall through */

    case ST_KEY:
        if (ch != '"') {
            return rooms_json_fail(s, "a key was expected");
        }

        if (s->depth <= s->report && !s->announced) {
            s->announced = 1;
            return ROOMS_JSON_KEY;
        }

        s->announced = 0;
        s->in_key = 1;
        s->state = ST_STRING;
        break;

    case ST_COLON:
        if (ch != ':') {
            return rooms_json_fail(s, "a colon was expected");
        }

        s->state = ST_VALUE;
        break;

    case ST_AFTER:
        if (ch != ',') {
            return rooms_json_close(s, p);
        }

        s->state = rooms_json_in_object(s) ? ST_KEY : ST_VALUE;
        break;

    default:                          /* ST_DONE */
        return rooms_json_fail(s, "bytes follow the end of the JSON text");
    }

    (*p)++;

    return ROOMS_JSON_GO;
}


static int
rooms_json_value(rooms_json_scan_t *s, const u_char **p)
{
    u_char     ch;
    uint64_t  *objects;

    if (s->depth <= s->report && !s->announced) {
        s->announced = 1;
        return ROOMS_JSON_VALUE;
    }

    s->announced = 0;
    ch = **p;

    switch (ch) {

    case '{':
    case '[':
        if (s->depth == ROOMS_JSON_DEPTH_MAX) {
            return rooms_json_fail(s, "more than 128 levels of nesting");
        }

        objects = &s->objects[s->depth / 64];
        *objects &= ~(1ull << s->depth % 64);
        *objects |= (uint64_t) (ch == '{') << s->depth % 64;
        s->depth++;
        s->state = ch == '{' ? ST_FIRST_KEY : ST_FIRST_ITEM;
        break;

    case '"':
        s->in_key = 0;
        s->state = ST_STRING;
        break;

    case 't':
    case 'f':
    case 'n':
        s->literal = ch == 't' ? "rue" : ch == 'f' ? "alse" : "ull";
        s->state = ST_LITERAL;
        break;

    case '-':
        s->state = ST_MINUS;
        break;

    default:
        if (ch < '0' || ch > '9') {
            return rooms_json_fail(s, "a value was expected");
        }

        s->state = ch == '0' ? ST_ZERO : ST_INT;
        break;
    }

    (*p)++;

    return ROOMS_JSON_GO;
}


static int
rooms_json_close(rooms_json_scan_t *s, const u_char **p)
{
    u_char  want;

    want = rooms_json_in_object(s) ? '}' : ']';

    if (**p != want) {
        return rooms_json_fail(s, want == '}' ? "a comma or } was expected"
                                              : "a comma or ] was expected");
    }

    (*p)++;
    s->depth--;

    return rooms_json_value_end(s);
}


int
rooms_json_value_end(rooms_json_scan_t *s)
{
    s->state = s->depth ? ST_AFTER : ST_DONE;

    return s->depth <= s->report ? ROOMS_JSON_VALUE_END : ROOMS_JSON_GO;
}
