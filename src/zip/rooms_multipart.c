/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Parses multipart/form-data in chunks: finds the delimiters, then parses the
 * headers of each part.
 */

#include "rooms_multipart.h"
#include "rooms_base64.h"
#include <stdio.h>
#include <ctype.h>
#include <strings.h>


typedef enum {
    ROOMS_MP_PREAMBLE = 0,
    ROOMS_MP_TAIL,                    /* after a delimiter */
    ROOMS_MP_TAIL_DASH,
    ROOMS_MP_TAIL_PADDING,
    ROOMS_MP_TAIL_LF,
    ROOMS_MP_HEAD,
    ROOMS_MP_DATA,
    ROOMS_MP_EPILOGUE,
    ROOMS_MP_FAILED
} rooms_mp_state_e;

#define ROOMS_MP_TYPE_HEADER_MAX   1024


typedef struct {
    const u_char  *p;
    const u_char  *end;
} rooms_mp_cursor_t;


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
static int rooms_mp_header(rooms_multipart_t *mp, const u_char *line,
    size_t len);
static int rooms_mp_disposition(rooms_multipart_t *mp, rooms_str_t value);
static void rooms_mp_filename(rooms_multipart_t *mp, rooms_str_t raw);
static ssize_t rooms_mp_extended(rooms_str_t value, u_char *out, size_t max);
static ssize_t rooms_mp_words(rooms_str_t value, u_char *out, size_t max);
static int rooms_mp_param(rooms_mp_cursor_t *c, rooms_str_t *attr,
    u_char *out, size_t max, size_t *len);
static int rooms_mp_quoted(rooms_mp_cursor_t *c, u_char *out, size_t max,
    size_t *len);
static int rooms_multipart_fail(rooms_multipart_t *mp, const char *reason);
static int rooms_multipart_parse_head(rooms_multipart_t *mp);


static int
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
 * A delimiter contains CR only as its first byte.  So if a match that began
 * in an earlier chunk fails, all that was held back is data, and the byte
 * that broke it is looked at again.
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


/* Finds a delimiter, or a possible beginning of one before the end. */

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
        return rooms_multipart_fail(mp, "a part's headers exceed 8 KiB");
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


/*
 * The headers of a part (RFC 7578, section 4) and the boundary in a
 * Content-Type (RFC 2045, section 5.1): as they should be, and as clients
 * actually send them.
 */


static int
rooms_mp_is(rooms_str_t s, const char *name)
{
    return s.len == strlen(name)
           && strncasecmp((const char *) s.data, name, s.len) == 0;
}


static void
rooms_mp_skip_space(rooms_mp_cursor_t *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t')) {
        c->p++;
    }
}


/* RFC 2045, 5.1: no spaces, control characters or tspecials */

static rooms_str_t
rooms_mp_token(rooms_mp_cursor_t *c)
{
    rooms_str_t  s;

    s.data = c->p;

    while (c->p < c->end && *c->p > 0x20 && *c->p < 0x7f
           && strchr("()<>@,;:\\\"/[]?=", *c->p) == NULL)
    {
        c->p++;
    }

    s.len = c->p - s.data;

    return s;
}


int
rooms_multipart_init(rooms_multipart_t *mp, rooms_str_t content_type)
{
    int                rc;
    size_t             i, len;
    u_char             value[ROOMS_MULTIPART_BOUNDARY_MAX];
    rooms_str_t        attr;
    rooms_mp_cursor_t  c;

    memset(mp, 0, offsetof(rooms_multipart_t, head));

    if (content_type.len < 19
        || strncasecmp((const char *) content_type.data,
                       "multipart/form-data", 19)
           != 0)
    {
        return rooms_multipart_fail(mp, "the body is not multipart/form-data");
    }

    c.p = content_type.data + 19;
    c.end = content_type.data + content_type.len;

    if (content_type.len > ROOMS_MP_TYPE_HEADER_MAX) {
        return rooms_multipart_fail(mp, "the Content-Type is longer than "
                                        "1 KiB, a boundary has up to 70 "
                                        "bytes");
    }

    while ((rc = rooms_mp_param(&c, &attr, value, sizeof(value), &len)) > 0) {

        if (!rooms_mp_is(attr, "boundary")) {
            continue;
        }

        if (mp->delimiter_len) {
            return rooms_multipart_fail(mp, "there are two boundaries");
        }

        if (len == 0 || len > sizeof(value) || value[len - 1] == ' ') {
            return rooms_multipart_fail(mp, "the boundary must have 1 to 70 "
                                            "bytes and not end in a space");
        }

        /* more than RFC 2046, 5.1.1 allows: clients send "*****", or "&#~$" */

        for (i = 0; i < len; i++) {
            if (value[i] < 0x20 || value[i] > 0x7e) {
                return rooms_multipart_fail(mp, "the boundary has an invalid "
                                                "character");
            }
        }

        memcpy(mp->delimiter, "\r\n--", 4);
        memcpy(mp->delimiter + 4, value, len);
        mp->delimiter_len = 4 + len;
    }

    if (rc < 0 || mp->delimiter_len == 0) {
        return rooms_multipart_fail(mp, rc < 0 ? "the Content-Type is "
                                                 "malformed"
                                               : "there is no boundary");
    }

    mp->matched = 2;                  /* as if a line had just ended */

    return 0;
}


static int
rooms_multipart_parse_head(rooms_multipart_t *mp)
{
    unsigned       n;
    const u_char  *p, *end, *cr;

    mp->name = ROOMS_NULL;
    mp->filename = ROOMS_NULL;
    mp->type = ROOMS_NULL;

    p = mp->head;
    end = mp->head + mp->head_len - 2;

    for (n = 0; p < end; n++) {

        if (n == ROOMS_MULTIPART_HEADERS_MAX) {
            return rooms_multipart_fail(mp, "a part has more than 16 "
                                            "headers");
        }

        cr = memchr(p, '\r', mp->head + mp->head_len - p);

        if (cr[1] != '\n') {
            return rooms_multipart_fail(mp, "a part's header has a bare CR");
        }

        if (rooms_mp_header(mp, p, cr - p) != 0) {
            return -1;
        }

        p = cr + 2;
    }

    if (mp->name.data == NULL) {
        return rooms_multipart_fail(mp, "a part has no Content-Disposition "
                                        "with a name");
    }

    return 0;
}


static int
rooms_mp_header(rooms_multipart_t *mp, const u_char *line, size_t len)
{
    size_t             i;
    rooms_str_t        name, value;
    rooms_mp_cursor_t  c;

    for (i = 0; i < len; i++) {
        if ((line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f) {
            return rooms_multipart_fail(mp, "a part's header has a control "
                                            "character");
        }
    }

    c.p = line;
    c.end = line + len;
    name = rooms_mp_token(&c);

    if (name.len == 0 || c.p == c.end || *c.p != ':') {
        return rooms_multipart_fail(mp, "a part's header is malformed");
    }

    c.p++;
    rooms_mp_skip_space(&c);

    while (c.end > c.p && (c.end[-1] == ' ' || c.end[-1] == '\t')) {
        c.end--;
    }

    value.data = c.p;
    value.len = c.end - c.p;

    if (rooms_mp_is(name, "Content-Disposition")) {
        return rooms_mp_disposition(mp, value);
    }

    if (rooms_mp_is(name, "Content-Type")) {
        if (mp->type.data || value.len > ROOMS_MULTIPART_TYPE_MAX) {
            return rooms_multipart_fail(mp, "a part's Content-Type is too "
                                            "long, or not the only one");
        }

        memcpy(mp->type_buf, value.data, value.len);
        mp->type.data = mp->type_buf;
        mp->type.len = value.len;
    }

    if (rooms_mp_is(name, "Content-Transfer-Encoding")
        && !rooms_mp_is(value, "binary") && !rooms_mp_is(value, "8bit")
        && !rooms_mp_is(value, "7bit"))
    {
        return rooms_multipart_fail(mp, "a part has a transfer encoding");
    }

    return 0;
}


/*
 * RFC 7578, 4.2 doesn't allow `filename*`, but some clients send it, alone or
 * with `filename`.  If it is valid, it wins, in any order.
 */
static int
rooms_mp_disposition(rooms_multipart_t *mp, rooms_str_t value)
{
    int                rc, plain, extended;
    size_t             i, len;
    u_char             buf[ROOMS_MULTIPART_HEAD_MAX];
    u_char             text[ROOMS_MULTIPART_HEAD_MAX];
    ssize_t            n;
    rooms_str_t        attr, s;
    rooms_mp_cursor_t  c;

    c.p = value.data;
    c.end = c.p + value.len;

    if (mp->name.data || !rooms_mp_is(rooms_mp_token(&c), "form-data")) {
        return rooms_multipart_fail(mp, "a part's Content-Disposition is not "
                                        "form-data, or not the only one");
    }

    plain = 0;
    extended = 0;

    while ((rc = rooms_mp_param(&c, &attr, buf, sizeof(buf), &len)) > 0) {

        s = (rooms_str_t) { len, buf };

        if (rooms_mp_is(attr, "name")) {

            if (mp->name.data || len > ROOMS_MULTIPART_NAME_MAX) {
                return rooms_multipart_fail(mp, "a part's name is too long, "
                                                "or not the only one");
            }

            memcpy(mp->name_buf, buf, len);
            mp->name.data = mp->name_buf;
            mp->name.len = len;

        } else if (rooms_mp_is(attr, "filename")) {

            if (plain++) {
                return rooms_multipart_fail(mp, "a part has two file names");
            }

            if (!extended) {
                n = rooms_mp_words(s, text, sizeof(text));
                rooms_mp_filename(mp, n == -1
                                      ? s : (rooms_str_t) { n, text });
            }

        } else if (rooms_mp_is(attr, "filename*") && !extended) {
            n = rooms_mp_extended(s, text, sizeof(text));

            if (n > 0) {
                extended = 1;
                rooms_mp_filename(mp, (rooms_str_t) { n, text });
            }
        }
    }

    i = rooms_utf8_prefix(mp->name_buf, mp->name.len);

    if (rc < 0 || mp->name.len == 0 || i != mp->name.len) {
        return rooms_multipart_fail(mp, "a part's Content-Disposition is "
                                        "malformed");
    }

    return 0;
}


/* An empty name means that no file was chosen. */
static void
rooms_mp_filename(rooms_multipart_t *mp, rooms_str_t raw)
{
    mp->filename = ROOMS_NULL;

    if (raw.len) {
        mp->filename.data = mp->filename_buf;
        mp->filename.len = rooms_file_name_clean(raw, mp->filename_buf);
    }
}


static int
rooms_mp_hex(u_char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}


/* 1 for "utf-8" and what it includes, 2 for Latin-1, 0 for others. */
static int
rooms_mp_charset(rooms_str_t name)
{
    return rooms_mp_is(name, "utf-8") || rooms_mp_is(name, "utf8")
           || rooms_mp_is(name, "us-ascii")
           ? 1 : rooms_mp_is(name, "iso-8859-1") ? 2 : 0;
}


/* Appends a byte of such a charset as UTF-8; NULL: no room. */
static u_char *
rooms_mp_put(u_char *p, const u_char *end, int charset, u_char ch)
{
    if (end - p < 2) {
        return NULL;
    }

    if (charset == 2 && ch >= 0x80) {
        *p++ = (u_char) (0xc0 | ch >> 6);
        ch = (u_char) (0x80 | (ch & 0x3f));
    }

    *p++ = ch;

    return p;
}


/*
 * Decodes charset'language'text (RFC 8187, 3.2).  Returns the length; -1: it
 * isn't of that form.
 */
static ssize_t
rooms_mp_extended(rooms_str_t value, u_char *out, size_t max)
{
    int            charset, hi, lo;
    u_char        *p, ch;
    const u_char  *from, *end, *quote;

    end = value.data + value.len;
    quote = memchr(value.data, '\'', value.len);

    if (quote == NULL) {
        return -1;
    }

    charset = rooms_mp_charset((rooms_str_t) { quote - value.data,
                                               value.data });
    quote = memchr(quote + 1, '\'', end - quote - 1);

    if (charset == 0 || quote == NULL) {
        return -1;
    }

    for (p = out, from = quote + 1; from < end; /* void */) {
        ch = *from++;

        if (ch == '%') {
            hi = end - from < 2 ? -1 : rooms_mp_hex(from[0]);
            lo = hi == -1 ? -1 : rooms_mp_hex(from[1]);

            if (lo == -1) {
                return -1;
            }

            ch = (u_char) (hi << 4 | lo);
            from += 2;
        }

        p = rooms_mp_put(p, out + max, charset, ch);

        if (p == NULL) {
            return -1;
        }
    }

    return p - out;
}


/* Decodes the text of one encoded word; NULL: it is malformed. */
static u_char *
rooms_mp_word(rooms_str_t text, int charset, int base64, u_char *p,
    const u_char *end)
{
    int            hi, lo;
    long           len;
    u_char         buf[ROOMS_MULTIPART_HEAD_MAX], ch;
    size_t         i, n;

    n = 0;

    if (base64) {
        len = rooms_base64_decode(buf, sizeof(buf), text,
                                  sodium_base64_VARIANT_ORIGINAL);
        if (len < 0) {
            return NULL;
        }

        n = len;

    } else {
        for (i = 0; i < text.len; /* void */) {
            ch = text.data[i++];

            if (ch == '=') {
                hi = text.len - i < 2 ? -1 : rooms_mp_hex(text.data[i]);
                lo = hi == -1 ? -1 : rooms_mp_hex(text.data[i + 1]);

                if (lo == -1) {
                    return NULL;
                }

                ch = (u_char) (hi << 4 | lo);
                i += 2;

            } else if (ch == '_') {
                ch = ' ';
            }

            buf[n++] = ch;
        }
    }

    for (i = 0; i < n && p; i++) {
        p = rooms_mp_put(p, end, charset, buf[i]);
    }

    return p;
}


/*
 * Decodes a value that consists only of "=?charset?B?text?=" (RFC 2047, 2),
 * as .NET sends it, which splits long ones. -1: it isn't of that form.
 */
static ssize_t
rooms_mp_words(rooms_str_t value, u_char *out, size_t max)
{
    int            charset;
    u_char        *p;
    rooms_str_t    name, text;
    const u_char  *at, *end, *mark;

    at = value.data;
    end = at + value.len;
    p = out;

    while (at < end) {

        if (end - at < 8 || at[0] != '=' || at[1] != '?') {
            return -1;
        }

        at += 2;
        mark = memchr(at, '?', end - at);

        if (mark == NULL || end - mark < 3 || mark[2] != '?') {
            return -1;
        }

        name = (rooms_str_t) { mark - at, at };
        text.data = mark + 3;

        for (at = text.data; end - at >= 2 && (at[0] != '?' || at[1] != '=');
             at++)
        {
            /* void */
        }

        charset = rooms_mp_charset(name);

        if (end - at < 2 || charset == 0
            || (toupper(mark[1]) != 'B' && toupper(mark[1]) != 'Q'))
        {
            return -1;
        }

        text.len = at - text.data;
        p = rooms_mp_word(text, charset, toupper(mark[1]) == 'B', p,
                          out + max);

        if (p == NULL) {
            return -1;
        }

        /* space between two encoded words doesn't count */

        for (at += 2; at < end && (*at == ' ' || *at == '\t'); at++) {
            /* void */
        }
    }

    return value.len ? p - out : -1;
}


/*
 * Parses one `; attribute=value`.  1: `attr` points into the header, and the
 * value is in `out`; if *len exceeds `max`, it didn't fit.  0: there are no
 * more. -1: malformed.
 */

static int
rooms_mp_param(rooms_mp_cursor_t *c, rooms_str_t *attr, u_char *out,
    size_t max, size_t *len)
{
    rooms_str_t  value;

    rooms_mp_skip_space(c);

    if (c->p == c->end) {
        return 0;
    }

    if (*c->p++ != ';') {
        return -1;
    }

    rooms_mp_skip_space(c);

    if (c->p == c->end) {
        return 0;                     /* a trailing semicolon */
    }

    *attr = rooms_mp_token(c);

    if (attr->len == 0 || c->p == c->end || *c->p++ != '=') {
        return -1;
    }

    if (c->p < c->end && *c->p == '"') {
        c->p++;
        return rooms_mp_quoted(c, out, max, len);
    }

    /*
     * More than a token: clients send boundaries that contain "=" or "/", and
     * file names in UTF-8, without quotes.
     */

    value.data = c->p;

    while (c->p < c->end && *c->p > 0x20 && *c->p != 0x7f && *c->p != ';'
           && *c->p != '"')
    {
        c->p++;
    }

    value.len = c->p - value.data;
    *len = value.len;

    memcpy(out, value.data, value.len < max ? value.len : max);

    return 1;
}


/*
 * A backslash escapes a quote or a backslash, as curl writes them.  Before
 * other characters it is part of a Windows path.
 */

static int
rooms_mp_quoted(rooms_mp_cursor_t *c, u_char *out, size_t max, size_t *len)
{
    u_char  ch;

    *len = 0;

    while (c->p < c->end) {
        ch = *c->p++;

        if (ch == '"') {
            return 1;
        }

        if (ch == '\\' && c->p < c->end && (*c->p == '"' || *c->p == '\\')) {
            ch = *c->p++;
        }

        if (*len < max) {
            out[*len] = ch;
        }

        (*len)++;
    }

    return -1;
}
