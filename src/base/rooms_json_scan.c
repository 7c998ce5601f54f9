/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_json_scan.h"
#include "rooms_json_text.h"


typedef enum {
    ST_VALUE = 0,                     /* a value must come */
    ST_FIRST_ITEM,                    /* a value or `]` */
    ST_FIRST_KEY,                     /* a key or `}` */
    ST_KEY,                           /* a key must come */
    ST_COLON,
    ST_AFTER,                         /* `,` or the end of the container */
    ST_DONE,                          /* white space only */
    ST_STRING,
    ST_UTF8,
    ST_ESCAPE,
    ST_HEX,
    ST_LOW_ESCAPE,                    /* the `\` of a low surrogate */
    ST_LOW_U,
    ST_LITERAL,
    ST_MINUS,                         /* after `-` */
    ST_ZERO,                          /* after a leading 0 */
    ST_INT,
    ST_DOT,                           /* a digit must come */
    ST_FRACTION,
    ST_E,                             /* a sign or a digit must come */
    ST_E_SIGN,
    ST_EXPONENT,
    ST_ERROR
} rooms_json_state_e;


/* a step returns this besides rooms_json_event_e: go on */
#define ROOMS_JSON_GO       100

static int rooms_json_structure(rooms_json_scan_t *s, const u_char **p,
    const u_char *end);
static int rooms_json_value(rooms_json_scan_t *s, const u_char **p,
    const u_char *end);
static int rooms_json_close(rooms_json_scan_t *s, const u_char **p);
static int rooms_json_string_byte(rooms_json_scan_t *s, u_char ch);
static int rooms_json_hex(rooms_json_scan_t *s, u_char ch);
static int rooms_json_fail(rooms_json_scan_t *s, const char *error);
static int rooms_json_value_end(rooms_json_scan_t *s);
static int rooms_json_string(rooms_json_scan_t *s, const u_char **p,
    const u_char *end);
static int rooms_json_in_string(rooms_json_scan_t *s, u_char ch);
static int rooms_json_literal(rooms_json_scan_t *s, u_char ch);
static int rooms_json_number(rooms_json_scan_t *s, const u_char **p,
    const u_char *end);


static unsigned
rooms_json_in_object(const rooms_json_scan_t *s)
{
    unsigned  n;

    n = s->depth - 1;

    return s->objects[n / 64] >> (n % 64) & 1;
}


static int
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


/* Handles what stands outside of strings, numbers and literals. */

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
        return rooms_json_value(s, p, end);

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


/*
 * A value at the last reported level is read whole, which is fast, since
 * nothing inside it is reported.  If that fails, the window cuts the value
 * off, or it isn't JSON; reading byte by byte then finds out which, and
 * where.
 */

static int
rooms_json_value(rooms_json_scan_t *s, const u_char **p, const u_char *end)
{
    u_char         ch;
    uint64_t      *objects;
    const u_char  *after;

    if (s->depth <= s->report && !s->announced) {
        s->announced = 1;
        return ROOMS_JSON_VALUE;
    }

    s->announced = 0;
    ch = **p;

    if (s->depth == s->report && (ch == '{' || ch == '[' || ch == '"')) {
        after = rooms_json_scan_value(*p, end,
                                      ROOMS_JSON_DEPTH_MAX - (int) s->depth);
        if (after) {
            *p = after;
            return rooms_json_value_end(s);
        }
    }

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


static int
rooms_json_value_end(rooms_json_scan_t *s)
{
    s->state = s->depth ? ST_AFTER : ST_DONE;

    return s->depth <= s->report ? ROOMS_JSON_VALUE_END : ROOMS_JSON_GO;
}


static int
rooms_json_string(rooms_json_scan_t *s, const u_char **pp,
    const u_char *end)
{
    int            rc;
    const u_char  *p;

    p = *pp;

    do {
        p = rooms_json_run(p, end);
        rc = ROOMS_JSON_GO;

        if (p < end) {
            rc = rooms_json_string_byte(s, *p);
            p += (rc != ROOMS_JSON_ERROR);
        }

        /* the rest of a character, as far as the window has it */

        while (s->state == ST_UTF8 && p < end && rc == ROOMS_JSON_GO) {
            rc = rooms_json_in_string(s, *p);
            p += (rc != ROOMS_JSON_ERROR);
        }

    } while (p < end && s->state == ST_STRING);

    *pp = p;

    return rc;
}


/* The first byte of a character, by the table of RFC 3629, section 4. */

static int
rooms_json_string_byte(rooms_json_scan_t *s, u_char ch)
{
    if (ch == '"') {
        if (!s->in_key) {
            return rooms_json_value_end(s);
        }

        s->state = ST_COLON;

        return s->depth <= s->report ? ROOMS_JSON_KEY_END : ROOMS_JSON_GO;
    }

    if (ch == '\\') {
        s->state = ST_ESCAPE;
        return ROOMS_JSON_GO;
    }

    if (ch < 0x20) {
        return rooms_json_fail(s, "a control character in a string");
    }

    s->low_bound = 0x80;
    s->high_bound = 0xbf;

    if (ch >= 0xc2 && ch <= 0xdf) {
        s->more = 1;

    } else if (ch >= 0xe0 && ch <= 0xef) {
        s->more = 2;
        s->low_bound = (ch == 0xe0) ? 0xa0 : 0x80;
        s->high_bound = (ch == 0xed) ? 0x9f : 0xbf;

    } else if (ch >= 0xf0 && ch <= 0xf4) {
        s->more = 3;
        s->low_bound = (ch == 0xf0) ? 0x90 : 0x80;
        s->high_bound = (ch == 0xf4) ? 0x8f : 0xbf;

    } else {
        return rooms_json_fail(s, "invalid UTF-8");
    }

    s->state = ST_UTF8;

    return ROOMS_JSON_GO;
}


/* Inside a character or an escape. */

static int
rooms_json_in_string(rooms_json_scan_t *s, u_char ch)
{
    switch (s->state) {

    case ST_UTF8:
        if (ch < s->low_bound || ch > s->high_bound) {
            return rooms_json_fail(s, "invalid UTF-8");
        }

        s->low_bound = 0x80;
        s->high_bound = 0xbf;

        if (--s->more == 0) {
            s->state = ST_STRING;
        }

        return ROOMS_JSON_GO;

    case ST_ESCAPE:
        if (ch == 'u') {
            s->hex = 4;
            s->unit = 0;
            s->state = ST_HEX;
            return ROOMS_JSON_GO;
        }

        if (ch == '\0' || strchr("\"\\/bfnrt", ch) == NULL) {
            return rooms_json_fail(s, "an unknown escape");
        }

        s->state = ST_STRING;
        return ROOMS_JSON_GO;

    case ST_HEX:
        return rooms_json_hex(s, ch);

    case ST_LOW_ESCAPE:
        s->state = ST_LOW_U;

        return ch == '\\' ? ROOMS_JSON_GO
                          : rooms_json_fail(s, "a lone surrogate");

    default:                          /* ST_LOW_U */
        s->hex = 4;
        s->unit = 0;
        s->state = ST_HEX;

        return ch == 'u' ? ROOMS_JSON_GO
                         : rooms_json_fail(s, "a lone surrogate");
    }
}


static int
rooms_json_hex(rooms_json_scan_t *s, u_char ch)
{
    unsigned  low;

    if (ch >= '0' && ch <= '9') {
        ch -= '0';

    } else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f') {
        ch = (ch | 0x20) - 'a' + 10;

    } else {
        return rooms_json_fail(s, "a hexadecimal digit was expected");
    }

    s->unit = s->unit << 4 | ch;

    if (--s->hex) {
        return ROOMS_JSON_GO;
    }

    low = (s->unit >= 0xdc00 && s->unit <= 0xdfff);

    if (low != s->high) {
        return rooms_json_fail(s, "a lone surrogate");
    }

    if (s->unit == 0) {
        return rooms_json_fail(s, "a NUL in a string");
    }

    s->high = (s->unit >= 0xd800 && s->unit <= 0xdbff);
    s->state = s->high ? ST_LOW_ESCAPE : ST_STRING;

    return ROOMS_JSON_GO;
}


static int
rooms_json_literal(rooms_json_scan_t *s, u_char ch)
{
    if (ch != (u_char) *s->literal) {
        return rooms_json_fail(s, "a value was expected");
    }

    s->literal++;

    return *s->literal ? ROOMS_JSON_GO : rooms_json_value_end(s);
}


/*
 * A number has no end of its own, so the byte after it is left for the next
 * state.
 */

static int
rooms_json_number(rooms_json_scan_t *s, const u_char **p, const u_char *end)
{
    u_char    ch;
    unsigned  digit, e;

    while (*p < end) {
        ch = **p;
        digit = (ch >= '0' && ch <= '9');
        e = (ch == 'e' || ch == 'E');

        switch (s->state) {

        case ST_MINUS:
            s->state = ch == '0' ? ST_ZERO : ST_INT;
            break;

        case ST_ZERO:
        case ST_INT:
            if (!digit || s->state == ST_ZERO) {
                if (ch != '.' && !e) {
                    return digit ? rooms_json_fail(s, "a number with a "
                                                      "leading zero")
                                 : rooms_json_value_end(s);
                }

                s->state = e ? ST_E : ST_DOT;
            }

            digit = 1;
            break;

        case ST_DOT:
            s->state = ST_FRACTION;
            break;

        case ST_FRACTION:
            if (!digit && !e) {
                return rooms_json_value_end(s);
            }

            s->state = e ? ST_E : ST_FRACTION;
            digit = 1;
            break;

        case ST_E:
            s->state = digit ? ST_EXPONENT : ST_E_SIGN;
            digit |= (ch == '+' || ch == '-');
            break;

        case ST_E_SIGN:
            s->state = ST_EXPONENT;
            break;

        default:                      /* ST_EXPONENT */
            if (!digit) {
                return rooms_json_value_end(s);
            }
        }

        if (!digit) {
            return rooms_json_fail(s, "a digit was expected");
        }

        (*p)++;
    }

    return ROOMS_JSON_GO;
}
