/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_zip_name.h"

#include <ctype.h>
#include <strings.h>


static size_t rooms_utf8_char(const u_char *p, size_t len);
static const char *rooms_zip_component_fault(const u_char *p, size_t len);
static int rooms_file_name_reserved(const u_char *p, size_t len);


/* The table of RFC 3629, section 4.  0: not the start of a character. */

static size_t
rooms_utf8_char(const u_char *p, size_t len)
{
    size_t  i, n;
    u_char  lo, hi;

    lo = 0x80;
    hi = 0xbf;

    if (p[0] < 0x80) {
        return 1;
    }

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        lo = (p[0] == 0xe0) ? 0xa0 : 0x80;
        hi = (p[0] == 0xed) ? 0x9f : 0xbf;

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        lo = (p[0] == 0xf0) ? 0x90 : 0x80;
        hi = (p[0] == 0xf4) ? 0x8f : 0xbf;

    } else {
        return 0;
    }

    if (len < n || p[1] < lo || p[1] > hi) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


size_t
rooms_utf8_prefix(const u_char *p, size_t len)
{
    size_t  i, n;

    for (i = 0; i < len; i += n) {
        n = rooms_utf8_char(p + i, len - i);

        if (n == 0) {
            break;
        }
    }

    return i;
}


const char *
rooms_zip_name_fault(rooms_str_t name)
{
    const char    *fault;
    const u_char  *p, *end, *slash;

    if (name.len == 0) {
        return "the name is empty";
    }

    if (name.len > ROOMS_ZIP_NAME_MAX) {
        return "the name is longer than 512 bytes";
    }

    p = name.data;
    end = p + name.len;

    if (p[0] == '/') {
        return "the name is absolute";
    }

    if (name.len > 1 && p[1] == ':' && isalpha(p[0])) {
        return "the name begins with a drive letter";
    }

    while (p < end) {
        slash = memchr(p, '/', end - p);

        if (slash == NULL) {
            slash = end;
        }

        fault = rooms_zip_component_fault(p, slash - p);

        if (fault) {
            return fault;
        }

        p = slash + 1;
    }

    if (rooms_utf8_prefix(name.data, name.len) != name.len) {
        return "the name is not UTF-8";
    }

    return NULL;
}


static const char *
rooms_zip_component_fault(const u_char *p, size_t len)
{
    size_t  i;

    if (len == 0) {
        return "the name has an empty component";
    }

    if (len == 1 && p[0] == '.') {
        return "the name has a component \".\"";
    }

    if (len == 2 && p[0] == '.' && p[1] == '.') {
        return "the name climbs out with \"..\"";
    }

    for (i = 0; i < len; i++) {
        if (p[i] == '\0') {
            return "the name has a NUL";
        }

        if (p[i] == '\\') {
            return "the name has a backslash";
        }

        if (p[i] < 0x20 || p[i] == 0x7f) {
            return "the name has a control character";
        }
    }

    return NULL;
}


size_t
rooms_file_name_clean(rooms_str_t raw, u_char *out)
{
    size_t         i, n, len;
    const u_char  *p;

    p = raw.data;
    len = raw.len;

    for (i = len; i > 0; i--) {
        if (p[i - 1] == '/' || p[i - 1] == '\\') {
            p += i;
            len -= i;
            break;
        }
    }

    while (len && (p[0] == '.' || p[0] == ' ')) {
        p++;
        len--;
    }

    for (i = 0, raw.len = 0; i < len; i += n ? n : 1) {
        n = rooms_utf8_char(p + i, len - i);

        if (raw.len + (n ? n : 1) > ROOMS_FILE_NAME_MAX) {
            break;
        }

        if (n == 0 || p[i] < 0x20 || p[i] == 0x7f
            || (p[i] < 0x80 && strchr("\"*:<>?|", p[i])))
        {
            out[raw.len++] = '_';
            continue;
        }

        memcpy(out + raw.len, p + i, n);
        raw.len += n;
    }

    while (raw.len && (out[raw.len - 1] == '.' || out[raw.len - 1] == ' ')) {
        raw.len--;
    }

    if (rooms_file_name_reserved(out, raw.len)) {
        out[0] = '_';
    }

    if (raw.len == 0) {
        memcpy(out, "file", 4);
        raw.len = 4;
    }

    return raw.len;
}


/* The devices that Windows opens whatever the extension and the folder. */

static int
rooms_file_name_reserved(const u_char *p, size_t len)
{
    size_t              i, n;
    const u_char       *dot;
    static const char  *names[] = { "con", "prn", "aux", "nul" };

    dot = len ? memchr(p, '.', len) : NULL;
    n = dot ? (size_t) (dot - p) : len;

    if (n == 4 && p[3] >= '0' && p[3] <= '9') {
        return strncasecmp((const char *) p, "com", 3) == 0
               || strncasecmp((const char *) p, "lpt", 3) == 0;
    }

    for (i = 0; n == 3 && i < 4; i++) {
        if (strncasecmp((const char *) p, names[i], 3) == 0) {
            return 1;
        }
    }

    return 0;
}


size_t
rooms_bundle_media_name(const u_char *sha, rooms_str_t name, u_char *out)
{
    memcpy(out, "media/", 6);
    memcpy(out + 6, sha, ROOMS_SHA256_HEX_LEN);
    out[6 + ROOMS_SHA256_HEX_LEN] = '/';

    return 7 + ROOMS_SHA256_HEX_LEN
           + rooms_file_name_clean(name, out + 7 + ROOMS_SHA256_HEX_LEN);
}


rooms_bundle_kind_e
rooms_bundle_kind(rooms_str_t name, rooms_str_t *sha)
{
    const u_char  *p;

    if (name.len == 13 && memcmp(name.data, "manifest.json", 13) == 0) {
        return ROOMS_BUNDLE_MANIFEST;
    }

    p = name.data;

    if (name.len <= 7 + ROOMS_SHA256_HEX_LEN
        || memcmp(p, "media/", 6) != 0
        || p[6 + ROOMS_SHA256_HEX_LEN] != '/'
        || memchr(p + 7 + ROOMS_SHA256_HEX_LEN, '/',
                  name.len - 7 - ROOMS_SHA256_HEX_LEN))
    {
        return ROOMS_BUNDLE_OTHER;
    }

    sha->data = p + 6;
    sha->len = ROOMS_SHA256_HEX_LEN;

    return rooms_sha256_hex_valid(*sha) ? ROOMS_BUNDLE_MEDIUM
                                        : ROOMS_BUNDLE_OTHER;
}


int
rooms_sha256_hex_valid(rooms_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (!(s.data[i] >= '0' && s.data[i] <= '9')
            && !(s.data[i] >= 'a' && s.data[i] <= 'f'))
        {
            return 0;
        }
    }

    return s.len == ROOMS_SHA256_HEX_LEN;
}
