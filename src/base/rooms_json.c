/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Writes JSON. */

#include <stdarg.h>

#include "rooms_json.h"
#include "rooms_json_text.h"
#include "rooms_number.h"
#include "rooms_time.h"


void
rooms_json_more(rooms_buf_t *b, const void *data, size_t len)
{
    if (b->grow == NULL || !b->grow(b, len)) {
        b->full = 1;
        return;
    }

    memcpy(b->last, data, len);
    b->last += len;
}


/*
 * Up to the first byte that can't stand for itself in a string.  Bytes of UTF-8
 * can, but end a run.
 */
static const unsigned char *
rooms_json_plain_run(const unsigned char *p, const unsigned char *end)
{
    for ( ;; ) {
        p = rooms_json_run(p, end);

        if (p == end || *p < 0x80) {
            return p;
        }

        while (p < end && *p >= 0x80) {
            p++;
        }
    }
}


/*
 * Whether all of a string stands for itself and is ASCII.  The last bytes that
 * are tested overlap with those before.
 */
static int
rooms_json_is_plain(rooms_str_t s)
{
    uint32_t              head, tail;
    uint64_t              v;
    const unsigned char  *p, *end;

    p = s.data;
    end = p + s.len;

#ifdef __SSE2__
    if (s.len >= 16) {

        for ( /* void */ ; end - p > 16; p += 16) {
            if (rooms_json_hits16(p)) {
                return 0;
            }
        }

        return rooms_json_hits16(end - 16) == 0;
    }
#endif

    if (s.len >= 8) {

        for ( /* void */ ; end - p > 8; p += 8) {
            memcpy(&v, p, 8);

            if (rooms_json_hits8(v)) {
                return 0;
            }
        }

        memcpy(&v, end - 8, 8);

        return rooms_json_hits8(v) == 0;
    }

    if (s.len >= 4) {
        memcpy(&head, p, 4);
        memcpy(&tail, end - 4, 4);

        return rooms_json_hits8((uint64_t) head << 32 | tail) == 0;
    }

    return rooms_json_run(p, end) == end;
}


static void
rooms_json_escape_some(rooms_buf_t *b, rooms_str_t s)
{
    unsigned char         c, esc[6] = "\\u0000";
    const unsigned char  *p, *end, *from;

    static const char     hex[] = "0123456789abcdef";
    static const char     letter[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
    };

    from = s.data;
    end = s.data + s.len;

    for ( ;; ) {
        p = rooms_json_plain_run(from, end);

        rooms_json_raw(b, from, p - from);

        if (p == end) {
            return;
        }

        c = *p;
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
}


void
rooms_json_escape(rooms_buf_t *b, rooms_str_t s)
{
    if (!rooms_json_is_plain(s)) {
        rooms_json_escape_some(b, s);
        return;
    }

    rooms_json_raw(b, s.data, s.len);
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

    for ( /* void */ ; u >= 10; u /= 100) {
        p -= 2;
        rooms_pair(p, u % 100);
    }

    if (u || p == digits + ROOMS_JSON_INT) {
        *--p = '0' + u;
    }

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


void
rooms_json_put(rooms_buf_t *b, const char *text, ...)
{
    va_list      args;
    const char  *p;

    va_start(args, text);

    while ((p = strchr(text, '%')) != NULL) {
        rooms_json_raw(b, text, p - text);

        switch (p[1]) {

        case 's':
            rooms_json_str(b, va_arg(args, rooms_str_t));
            break;

        case 'd':
            rooms_json_int(b, va_arg(args, int64_t));
            break;

        default:
            rooms_json_time(b, va_arg(args, int64_t));
        }

        text = p + 2;
    }

    va_end(args);

    rooms_json_raw(b, text, strlen(text));
}
