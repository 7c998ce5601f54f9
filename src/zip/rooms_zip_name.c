/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_zip_name.h"
#include "rooms_text.h"

#include <ctype.h>
#include <strings.h>


/* The upper half of IBM's code page 437, the default encoding of names. */
static const uint16_t  rooms_cp437[128] = {
    0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7,
    0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5,
    0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9,
    0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192,
    0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba,
    0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb,
    0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556,
    0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510,
    0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
    0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567,
    0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b,
    0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
    0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4,
    0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229,
    0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248,
    0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0
};


static size_t rooms_utf8_char(const u_char *p, size_t len);
static const char *rooms_zip_component_fault(const u_char *p, size_t len);
static int rooms_file_name_reserved(const u_char *p, size_t len);


/*
 * The length of a character, by the table of RFC 3629, section 4.  0: no
 * valid character.
 */

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


static u_char *
rooms_cp437_put(u_char *out, u_char ch)
{
    unsigned  c;

    if (ch < 0x80) {
        *out++ = ch;
        return out;
    }

    c = rooms_cp437[ch - 0x80];

    if (c < 0x800) {
        *out++ = (u_char) (0xc0 | c >> 6);

    } else {
        *out++ = (u_char) (0xe0 | c >> 12);
        *out++ = (u_char) (0x80 | (c >> 6 & 0x3f));
    }

    *out++ = (u_char) (0x80 | (c & 0x3f));

    return out;
}


size_t
rooms_zip_name_path(rooms_str_t raw, int utf8, u_char *out)
{
    size_t   i, n;
    u_char   ch, *p, *component;

    utf8 = utf8 || rooms_utf8_prefix(raw.data, raw.len) == raw.len;

    p = out;
    component = out;
    n = raw.len < ROOMS_ZIP_NAME_MAX ? raw.len : ROOMS_ZIP_NAME_MAX;

    for (i = 0; i < n; i++) {
        ch = raw.data[i];

        if (ch != '/' && ch != '\\') {

            if (utf8) {
                *p++ = ch;

            } else {
                p = rooms_cp437_put(p, ch);
            }

            continue;
        }

        if (p - component == 1 && component[0] == '.') {
            p = component;
            continue;
        }

        *p++ = '/';
        component = p;
    }

    if (p == out && n) {
        memcpy(p, "./", 2);
        p += 2;
    }

    return p - out;
}


const char *
rooms_zip_name_fault(rooms_str_t name)
{
    const char    *fault;
    const u_char  *p, *end, *slash;

    if (name.len == 0) {
        return "the name is empty";
    }

    p = name.data;

    if (name.len == 2 && p[0] == '.' && p[1] == '/') {
        return NULL;
    }

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
        return "the name leaves the folder with \"..\"";
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

        if (n == 0 || rooms_name_drops((rooms_str_t) { n, p + i })
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


/*
 * Names that Windows treats as devices, in any folder and with any extension.
 */

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
rooms_bundle_kind(rooms_str_t name, rooms_str_t root, rooms_str_t *sha)
{
    const u_char  *p, *end;

    if (name.len < root.len || memcmp(name.data, root.data, root.len) != 0) {
        return ROOMS_BUNDLE_OTHER;
    }

    name.data += root.len;
    name.len -= root.len;

    if (rooms_str_eq(name, rooms_cstr("manifest.json"))) {
        return ROOMS_BUNDLE_MANIFEST;
    }

    if (name.len < 6 + ROOMS_SHA256_HEX_LEN
        || memcmp(name.data, "media/", 6) != 0)
    {
        return ROOMS_BUNDLE_OTHER;
    }

    sha->data = name.data + 6;
    sha->len = ROOMS_SHA256_HEX_LEN;

    if (!rooms_sha256_hex_valid(*sha)) {
        return ROOMS_BUNDLE_OTHER;
    }

    p = sha->data + sha->len;
    end = name.data + name.len;

    if (p == end) {
        return ROOMS_BUNDLE_MEDIUM;
    }

    if ((*p != '/' && *p != '.') || ++p == end
        || (p[-1] == '/' && *p == '.') || memchr(p, '/', end - p))
    {
        return ROOMS_BUNDLE_OTHER;
    }

    return ROOMS_BUNDLE_MEDIUM;
}


int
rooms_bundle_manifest(rooms_str_t name, rooms_str_t *root)
{
    static const char  last[] = "manifest.json", mac[] = "__MACOSX/";

    if (name.len < sizeof(last) - 1
        || memcmp(name.data + name.len - (sizeof(last) - 1), last,
                  sizeof(last) - 1) != 0
        || (name.len >= sizeof(mac) - 1
            && memcmp(name.data, mac, sizeof(mac) - 1) == 0))
    {
        return 0;
    }

    root->data = name.data;
    root->len = name.len - (sizeof(last) - 1);

    return root->len == 0 || root->data[root->len - 1] == '/';
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
