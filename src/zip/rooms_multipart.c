/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_multipart.h"

#include <stdio.h>


typedef enum {
    ROOMS_MP_PREAMBLE = 0,
    ROOMS_MP_TAIL,                    /* past a delimiter */
    ROOMS_MP_TAIL_DASH,
    ROOMS_MP_TAIL_PADDING,
    ROOMS_MP_TAIL_LF,
    ROOMS_MP_HEAD,
    ROOMS_MP_DATA,
    ROOMS_MP_EPILOGUE,
    ROOMS_MP_FAILED
} rooms_mp_state_e;


static rooms_multipart_event_e rooms_multipart_data(rooms_multipart_t *mp,
    const u_char **p, const u_char *end);
static const u_char *rooms_multipart_scan(rooms_multipart_t *mp,
    const u_char *p, const u_char *end);
static rooms_multipart_event_e rooms_multipart_delimited(
    rooms_multipart_t *mp);
static rooms_multipart_event_e rooms_multipart_tail(rooms_multipart_t *mp,
    u_char ch);
static rooms_multipart_event_e rooms_multipart_head(rooms_multipart_t *mp,
    u_char ch);


int
rooms_multipart_fail(rooms_multipart_t *mp, const char *reason)
{
    if (mp->state != ROOMS_MP_FAILED) {
        mp->state = ROOMS_MP_FAILED;

        snprintf(mp->err, sizeof(mp->err), "offset %llu: %s",
                 (unsigned long long) mp->pos, reason);
    }

    return ROOMS_MULTIPART_ERROR;
}


rooms_multipart_event_e
rooms_multipart_next(rooms_multipart_t *mp, const u_char **p,
    const u_char *end)
{
    u_char                   ch;
    rooms_multipart_event_e  ev;

    while (*p < end) {

        switch (mp->state) {

        case ROOMS_MP_FAILED:
            return ROOMS_MULTIPART_ERROR;

        case ROOMS_MP_EPILOGUE:
            mp->pos += end - *p;
            *p = end;
            return ROOMS_MULTIPART_AGAIN;

        case ROOMS_MP_PREAMBLE:
        case ROOMS_MP_DATA:
            ev = rooms_multipart_data(mp, p, end);
            break;

        case ROOMS_MP_HEAD:
            ch = *(*p)++;
            mp->pos++;
            ev = rooms_multipart_head(mp, ch);
            break;

        default:
            ch = *(*p)++;
            mp->pos++;
            ev = rooms_multipart_tail(mp, ch);
            break;
        }

        if (ev != ROOMS_MULTIPART_AGAIN) {
            return ev;
        }
    }

    return mp->state == ROOMS_MP_FAILED ? ROOMS_MULTIPART_ERROR
                                        : ROOMS_MULTIPART_AGAIN;
}


int
rooms_multipart_finish(rooms_multipart_t *mp)
{
    if (mp->state == ROOMS_MP_EPILOGUE) {
        return 0;
    }

    return rooms_multipart_fail(mp, "the multipart body is truncated, its "
                                    "last boundary is missing");
}


/*
 * A CR can only be the first byte of a delimiter.  So when a match that
 * began in an earlier chunk fails, all that was held back is data, and the
 * byte that broke it is looked at afresh.
 */

static rooms_multipart_event_e
rooms_multipart_data(rooms_multipart_t *mp, const u_char **p,
    const u_char *end)
{
    const u_char  *last;

    if (mp->matched == 0) {
        last = rooms_multipart_scan(mp, *p, end);

        if (last > *p) {
            mp->data.data = *p;
            mp->data.len = last - *p;
            mp->offset = mp->pos;
            mp->pos += last - *p;
            *p = last;

            return mp->state == ROOMS_MP_DATA ? ROOMS_MULTIPART_DATA
                                              : ROOMS_MULTIPART_AGAIN;
        }
    }

    while (*p < end && **p == mp->delimiter[mp->matched]) {
        (*p)++;
        mp->pos++;

        if (++mp->matched == mp->delimiter_len) {
            return rooms_multipart_delimited(mp);
        }
    }

    if (*p == end) {
        return ROOMS_MULTIPART_AGAIN;
    }

    mp->data.data = mp->delimiter;
    mp->data.len = mp->matched;
    mp->offset = mp->pos - mp->matched;
    mp->matched = 0;

    return mp->state == ROOMS_MP_DATA ? ROOMS_MULTIPART_DATA
                                      : ROOMS_MULTIPART_AGAIN;
}


/* The first place where a delimiter is, or may begin before the end. */

static const u_char *
rooms_multipart_scan(rooms_multipart_t *mp, const u_char *p,
    const u_char *end)
{
    size_t  n;

    while ((p = memchr(p, '\r', end - p)) != NULL) {
        n = end - p;
        n = n < mp->delimiter_len ? n : mp->delimiter_len;

        if (memcmp(p, mp->delimiter, n) == 0) {
            return p;
        }

        if (++p == end) {
            break;
        }
    }

    return end;
}


static rooms_multipart_event_e
rooms_multipart_delimited(rooms_multipart_t *mp)
{
    unsigned  in_part;

    in_part = (mp->state == ROOMS_MP_DATA);

    mp->state = ROOMS_MP_TAIL;
    mp->matched = 0;

    if (!in_part) {
        return ROOMS_MULTIPART_AGAIN;
    }

    mp->offset = mp->pos - mp->delimiter_len;
    mp->length = mp->offset - mp->start;
    mp->data = ROOMS_NULL;

    return ROOMS_MULTIPART_PART_END;
}


static rooms_multipart_event_e
rooms_multipart_tail(rooms_multipart_t *mp, u_char ch)
{
    if (mp->state == ROOMS_MP_TAIL && ch == '-') {
        mp->state = ROOMS_MP_TAIL_DASH;
        return ROOMS_MULTIPART_AGAIN;
    }

    if (mp->state == ROOMS_MP_TAIL_DASH && ch == '-') {
        mp->state = ROOMS_MP_EPILOGUE;
        mp->offset = mp->pos;
        return ROOMS_MULTIPART_END;
    }

    if (mp->state == ROOMS_MP_TAIL_LF && ch == '\n') {
        mp->state = ROOMS_MP_HEAD;
        mp->head_len = 0;

        return ++mp->parts > ROOMS_MULTIPART_PARTS_MAX
               ? rooms_multipart_fail(mp, "there are more than 32 parts")
               : ROOMS_MULTIPART_AGAIN;
    }

    if (mp->state == ROOMS_MP_TAIL || mp->state == ROOMS_MP_TAIL_PADDING) {

        if (ch == ' ' || ch == '\t') {
            mp->state = ROOMS_MP_TAIL_PADDING;
            return ROOMS_MULTIPART_AGAIN;
        }

        if (ch == '\r') {
            mp->state = ROOMS_MP_TAIL_LF;
            return ROOMS_MULTIPART_AGAIN;
        }
    }

    return rooms_multipart_fail(mp, "the line of a boundary is malformed");
}


static rooms_multipart_event_e
rooms_multipart_head(rooms_multipart_t *mp, u_char ch)
{
    size_t  n;

    if (mp->head_len == ROOMS_MULTIPART_HEAD_MAX) {
        return rooms_multipart_fail(mp, "a part's headers pass 8 KiB");
    }

    mp->head[mp->head_len++] = ch;
    n = mp->head_len;

    if (ch != '\n'
        || (n != 2 && (n < 4 || memcmp(mp->head + n - 4, "\r\n\r\n", 4))))
    {
        return ROOMS_MULTIPART_AGAIN;
    }

    if (rooms_multipart_parse_head(mp) != 0) {
        return ROOMS_MULTIPART_ERROR;
    }

    mp->state = ROOMS_MP_DATA;
    mp->start = mp->pos;
    mp->offset = mp->pos;
    mp->length = 0;
    mp->data = ROOMS_NULL;

    return ROOMS_MULTIPART_PART;
}
