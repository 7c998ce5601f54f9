/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Names of ZIP entries and of files: which are refused, how one is made
 * harmless, and what an entry's name means in a bundle (api.md, section 6).
 * No function allocates.  Lengths are in bytes.
 */

#ifndef ROOMS_ZIP_NAME_H
#define ROOMS_ZIP_NAME_H

#include "rooms_str.h"
#include "rooms_zip.h"


#define ROOMS_FILE_NAME_MAX    200    /* of a medium, after cleaning */
#define ROOMS_SHA256_HEX_LEN   64


typedef enum {
    ROOMS_BUNDLE_MANIFEST = 0,        /* manifest.json */
    ROOMS_BUNDLE_MEDIUM,              /* a content */
    ROOMS_BUNDLE_OTHER                /* what a re-packer added: ignored */
} rooms_bundle_kind_e;


/*
 * Strict UTF-8 as of RFC 3629: no overlong forms, no surrogates, nothing
 * above U+10FFFF.  Returns the length of the longest valid prefix.
 */
size_t rooms_utf8_prefix(const u_char *p, size_t len);

/*
 * What a name in a header means, into `out` of ROOMS_ZIP_PATH_MAX bytes:
 * CP437 where it isn't UTF-8 and doesn't say that it is; a backslash, as
 * Windows PowerShell writes them, is a slash; components "." go, as bsdtar
 * and zip write them.  Returns the length.
 */
size_t rooms_zip_name_path(rooms_str_t raw, int utf8, u_char *out);

/*
 * NULL if an entry may bear this path; else why not, a static string.
 * A trailing slash (a directory) passes; "./" is the archive itself.
 */
const char *rooms_zip_name_fault(rooms_str_t name);

/*
 * Makes a file name of a client's: the last component of a path of either
 * slash, no control characters, none of `"*:<>?|`, no bad UTF-8, no leading
 * or trailing dots or spaces, none of the device names of Windows, at
 * most ROOMS_FILE_NAME_MAX bytes, cut between code points; "file" if nothing
 * is left.  `out` has room for ROOMS_FILE_NAME_MAX bytes.  Returns the length.
 */
size_t rooms_file_name_clean(rooms_str_t raw, u_char *out);

/*
 * "media/<sha256>/<cleaned name>" into `out`, which has room for
 * ROOMS_ZIP_NAME_MAX bytes.  `sha` is 64 hexadecimal digits.
 */
size_t rooms_bundle_media_name(const u_char *sha, rooms_str_t name,
    u_char *out);

/*
 * What an entry is in a bundle whose names begin with `root`: "", or the
 * folder that somebody put it into, with its slash.  A medium is
 * media/<sha256>, media/<sha256>.<extension> or media/<sha256>/<name>; `sha`
 * points at the 64 digits.  What macOS adds (__MACOSX/, ._<name>, .DS_Store)
 * and other hidden files are nothing to us.
 */
rooms_bundle_kind_e rooms_bundle_kind(rooms_str_t name, rooms_str_t root,
    rooms_str_t *sha);

/* Whether an entry is a manifest.json, and its folder, if so. */
int rooms_bundle_manifest(rooms_str_t name, rooms_str_t *root);

int rooms_sha256_hex_valid(rooms_str_t s);

#endif /* ROOMS_ZIP_NAME_H */
