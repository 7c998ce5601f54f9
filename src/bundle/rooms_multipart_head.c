/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The headers of a part (RFC 7578, section 4) and the boundary in a
 * Content-Type (RFC 2045, section 5.1).
 */

#include "rooms_multipart.h"

#include <strings.h>


#define ROOMS_MP_TYPE_HEADER_MAX   1024

/* RFC 2046, 5.1.1: bchars */
#define ROOMS_MP_BCHARS                                                       \
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"          \
    "'()+_,-./:=? "


typedef struct {
    const u_char  *p;
    const u_char  *end;
} rooms_mp_cursor_t;


static int rooms_mp_header(rooms_multipart_t *mp, const u_char *line,
    size_t len);
static int rooms_mp_disposition(rooms_multipart_t *mp, rooms_str_t value);
static int rooms_mp_param(rooms_mp_cursor_t *c, rooms_str_t *attr,
    u_char *out, size_t max, size_t *len);
static int rooms_mp_quoted(rooms_mp_cursor_t *c, u_char *out, size_t max,
    size_t *len);


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


/* RFC 2045, 5.1: no space, control character or tspecial */

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
        return rooms_multipart_fail(mp, "the body is no multipart/form-data");
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
            return rooms_multipart_fail(mp, "the boundary has not 1 to 70 "
                                            "bytes, or ends in a space");
        }

        for (i = 0; i < len; i++) {
            if (value[i] == '\0' || !strchr(ROOMS_MP_BCHARS, value[i])) {
                return rooms_multipart_fail(mp, "the boundary has a "
                                                "character that it may not");
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

    mp->matched = 2;                  /* as if a line had ended before */

    return 0;
}


int
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


/* RFC 7578, 4.2; `filename*` is not for forms, and ignored. */

static int
rooms_mp_disposition(rooms_multipart_t *mp, rooms_str_t value)
{
    int                rc;
    size_t             i, len;
    u_char             buf[ROOMS_MULTIPART_HEAD_MAX];
    rooms_str_t        attr, s;
    rooms_mp_cursor_t  c;

    c.p = value.data;
    c.end = c.p + value.len;

    if (mp->name.data || !rooms_mp_is(rooms_mp_token(&c), "form-data")) {
        return rooms_multipart_fail(mp, "a part's Content-Disposition is no "
                                        "form-data, or not the only one");
    }

    while ((rc = rooms_mp_param(&c, &attr, buf, sizeof(buf), &len)) > 0) {

        if (rooms_mp_is(attr, "name")) {

            if (mp->name.data || len > ROOMS_MULTIPART_NAME_MAX) {
                return rooms_multipart_fail(mp, "a part's name is too long, "
                                                "or not the only one");
            }

            memcpy(mp->name_buf, buf, len);
            mp->name.data = mp->name_buf;
            mp->name.len = len;

        } else if (rooms_mp_is(attr, "filename")) {

            if (mp->filename.data) {
                return rooms_multipart_fail(mp, "a part has two file names");
            }

            s.data = buf;
            s.len = len;
            mp->filename.data = mp->filename_buf;
            mp->filename.len = rooms_file_name_clean(s, mp->filename_buf);
        }
    }

    i = rooms_utf8_prefix(mp->name_buf, mp->name.len);

    if (rc < 0 || mp->name.len == 0 || i != mp->name.len) {
        return rooms_multipart_fail(mp, "a part's Content-Disposition is "
                                        "malformed");
    }

    return 0;
}


/*
 * One `; attribute=value`.  1: `attr` points into the header, the value is
 * in `out`; *len past `max` tells that it didn't fit.  0: no more.  -1: bad.
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
     * Not a token in earnest: clients send boundaries with "=" or "/" and
     * file names in UTF-8 without quotes.
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

    return value.len ? 1 : -1;
}


/*
 * A backslash escapes a quote and itself, as curl writes them; before any
 * other character it is one of a Windows path.
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
