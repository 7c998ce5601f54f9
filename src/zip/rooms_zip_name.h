/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Names of ZIP entries and files: which are refused, how a name is made
 * harmless, and what an entry's name means in a bundle
 * (docs/export-import.md).  No function allocates.  Lengths are in bytes.
 */

#ifndef ROOMS_ZIP_NAME_H
#define ROOMS_ZIP_NAME_H

#include "rooms_str.h"
#include "rooms_zip.h"


#define ROOMS_FILE_NAME_MAX    200    /* of a medium's name, after cleaning */
#define ROOMS_SHA256_HEX_LEN   64


typedef enum {
    ROOMS_BUNDLE_MANIFEST = 0,        /* manifest.json */
    ROOMS_BUNDLE_MEDIUM,              /* the content of a medium */
    ROOMS_BUNDLE_OTHER                /* added by whoever repacked it:
                                         ignored */
} rooms_bundle_kind_e;


/*
 * Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above
 * U+10FFFF.  Returns the length of the longest valid prefix.
 */
size_t rooms_utf8_prefix(const u_char *p, size_t len);

/*
 * Decodes a name from a header into `out`, which has ROOMS_ZIP_PATH_MAX
 * bytes.  A name that is neither valid UTF-8 nor marked as UTF-8 is CP437.  A
 * backslash becomes a slash (Windows PowerShell writes these).  Components
 * "." are dropped (bsdtar and zip write these).  Returns the length.
 */
size_t rooms_zip_name_path(rooms_str_t raw, int utf8, u_char *out);

/*
 * NULL if an entry may have this path; otherwise the reason, a static string.
 * A trailing slash (a directory) is allowed; "./" is the archive itself.
 */
const char *rooms_zip_name_fault(rooms_str_t name);

/*
 * Makes a safe file name of a client's: takes the last component after a
 * slash of either kind; replaces what no name may contain
 * (rooms_name_drops()), `"*:<>?|` and invalid UTF-8; drops dots and spaces at
 * both ends; avoids Windows device names; and cuts it between code points to
 * ROOMS_FILE_NAME_MAX bytes, which `out` has.  "file" if nothing is left.
 * Returns the length.
 */
size_t rooms_file_name_clean(rooms_str_t raw, u_char *out);

/*
 * Writes "media/<sha256>/<cleaned name>" to `out`, which has
 * ROOMS_ZIP_NAME_MAX bytes. `sha` is 64 hexadecimal digits.  Returns the
 * length.
 */
size_t rooms_bundle_media_name(const u_char *sha, rooms_str_t name,
    u_char *out);

/*
 * What an entry is in a bundle whose names begin with `root`: "", or the
 * folder that somebody put it into, with a slash.  A medium is
 * media/<sha256>, media/<sha256>.<extension> or media/<sha256>/<name>; `sha`
 * points to its 64 digits.  Files that macOS adds (__MACOSX/, ._<name>,
 * .DS_Store) and other hidden files are ignored.
 */
rooms_bundle_kind_e rooms_bundle_kind(rooms_str_t name, rooms_str_t root,
    rooms_str_t *sha);

/* Whether an entry is a manifest.json; if so, sets *root to its folder. */
int rooms_bundle_manifest(rooms_str_t name, rooms_str_t *root);

int rooms_sha256_hex_valid(rooms_str_t s);

#endif /* ROOMS_ZIP_NAME_H */
