/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Reads an untrusted ZIP archive (APPNOTE.TXT 6.3.9) from a part of a file,
 * with pread() and windows of 64 KiB.  It blocks, so it runs in a thread.
 *
 *     rooms_zip_reader_open()      checks everything but the data
 *     for each i < rd->nitems:     in the order of the file
 *         rooms_zip_entry_open()
 *         rooms_zip_entry_read() until it returns 0
 *     rooms_zip_reader_close()     always, also after an error
 *
 * docs/export-import.md lists what is refused, and so never is in `items`.
 * The rule: an archive that two programs could read differently is not read
 * at all.  So each byte must belong to exactly one entry, the directory or
 * the end.
 *
 * Memory from malloc(): the reader (1 KiB), a window of 72 KiB, zlib's state
 * (40 KiB), and for each entry 64 bytes and the name; at most 32 MiB of
 * names.
 *
 * Errors: ROOMS_ZIP_INVALID becomes 400, ROOMS_ZIP_TOO_LARGE 413; the other
 * two are the server's own. `err` has the entry, the offset in the archive
 * and the reason, in printable UTF-8.
 */

#ifndef ROOMS_ZIP_READER_H
#define ROOMS_ZIP_READER_H

#include <openssl/evp.h>
#include <zlib.h>

#include "rooms_str.h"
#include "rooms_zip.h"


#define ROOMS_ZIP_WINDOW        (64 * 1024)
#define ROOMS_ZIP_WINDOW_MAX    (72 * 1024)      /* holds the end record and
                                                    a comment */
#define ROOMS_ZIP_NAMES_MAX     (32 * 1024 * 1024)
#define ROOMS_ZIP_EXTRA_MAX     (16 * 1024)

/*
 * The ratio is only checked beyond this many unpacked bytes: a small picture
 * of one colour is no zip bomb.
 */
#define ROOMS_ZIP_RATIO_FROM    (1024 * 1024)

#define ROOMS_ZIP_SHA256        1                /* flag of
                                                    rooms_zip_entry_open() */


typedef enum {
    ROOMS_ZIP_OK = 0,
    ROOMS_ZIP_INVALID,                /* SW_BUNDLE_INVALID */
    ROOMS_ZIP_TOO_LARGE,              /* SW_BUNDLE_TOO_LARGE */
    ROOMS_ZIP_IO,                     /* pread() failed */
    ROOMS_ZIP_NOMEM
} rooms_zip_error_e;


/* rooms_import_limits */
typedef struct rooms_zip_limits_s {
    uint64_t             unpacked;    /* bytes of all entries together */
    uint64_t             entries;
    uint64_t             ratio;       /* unpacked to packed; 200 means 200:1 */
    uint64_t             stored;      /* bytes written to the store; not
                                         checked here */
} rooms_zip_limits_t;


typedef struct {
    uint64_t             offset;      /* of the local header */
    uint64_t             data;        /* of the packed data */
    uint64_t             csize;       /* bytes, packed */
    uint64_t             usize;       /* bytes, unpacked */
    uint32_t             crc;
    uint32_t             name;        /* in rd->names */
    uint16_t             name_len;
    uint16_t             flags;
    uint16_t             method;
    uint16_t             is_dir;      /* empty, and its name ends in a slash */
} rooms_zip_item_t;


/*
 * For a dry run, which lists all faults: called for each entry whose headers
 * are refused, with a text like `err`. rooms_zip_reader_open() then goes on,
 * and fails at the end.
 */
typedef void (*rooms_zip_fault_pt)(void *ctx, const char *err);


typedef struct {
    rooms_zip_error_e    code;
    char                 err[256];

    rooms_zip_item_t    *items;       /* in the order of the file */
    size_t               nitems;

    /*
     * bytes actually read and unpacked so far; see rooms_zip_reader_rewind()
     */
    uint64_t             in;
    uint64_t             out;

    /* the rest is private */

    int                  fd;
    uint64_t             base;        /* of the archive in the file */
    uint64_t             size;
    rooms_zip_limits_t   limits;
    rooms_zip_fault_pt   fault;
    void                *fault_ctx;
    uint64_t             nfaults;

    uint64_t             directory;   /* offset of the central directory */
    uint64_t             directory_len;
    uint64_t             declared;    /* number of entries in the end record */
    uint64_t             unpacked;    /* bytes, according to the directory */

    uint32_t            *by_name;     /* the items in the order of names */
    u_char              *names;
    size_t               names_len;
    size_t               names_size;

    u_char               path[ROOMS_ZIP_PATH_MAX];

    u_char              *window;
    uint64_t             window_off;
    size_t               window_len;

    rooms_zip_item_t    *item;        /* being read */
    uint64_t             item_in;
    uint64_t             item_out;
    uint32_t             item_crc;
    unsigned             item_end;
    unsigned             inflate;     /* zstream is initialised */
    z_stream             zstream;
    EVP_MD_CTX          *md;
    unsigned             hash;
    u_char               digest[32];
} rooms_zip_reader_t;


/*
 * Opens the archive of `size` bytes at `offset` of the file.  The reader
 * neither closes the file nor moves its position. `fault` may be NULL.
 * Returns rd->code.
 */
rooms_zip_error_e rooms_zip_reader_open(rooms_zip_reader_t *rd, int fd,
    uint64_t offset, uint64_t size, const rooms_zip_limits_t *limits,
    rooms_zip_fault_pt fault, void *ctx);
void rooms_zip_reader_close(rooms_zip_reader_t *rd);

/*
 * Call it before reading the entries a second time: resets the counts of
 * bytes.
 */
void rooms_zip_reader_rewind(rooms_zip_reader_t *rd);

/* The item's path (rooms_zip_name_path()); it points into the reader. */
rooms_str_t rooms_zip_item_name(const rooms_zip_reader_t *rd, size_t i);

/*
 * The bundle's manifest: the manifest.json that is highest in the tree; *root
 * becomes its folder. -1: there is none; -2: two are equally high.
 */
ssize_t rooms_zip_manifest(const rooms_zip_reader_t *rd, rooms_str_t *root);

/*
 * Opens an entry.  Only one is open at a time; opening another abandons it.
 * After an error in one entry others may still be opened.  0, or -1: see
 * rd->code.
 */
int rooms_zip_entry_open(rooms_zip_reader_t *rd, size_t i, unsigned flags);

/*
 * Reads up to `size` (not 0) unpacked bytes.  0: the end, with correct CRC
 * and size; don't trust the bytes before that. -1: see rd->code.
 */
ssize_t rooms_zip_entry_read(rooms_zip_reader_t *rd, u_char *buf,
    size_t size);

/*
 * 32 bytes, after the end of an entry that was opened with ROOMS_ZIP_SHA256.
 */
const u_char *rooms_zip_entry_sha256(const rooms_zip_reader_t *rd);


/* Shared by the reader's files */

int rooms_zip_fail(rooms_zip_reader_t *rd, rooms_zip_error_e code,
    const rooms_zip_item_t *item, uint64_t offset, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
const u_char *rooms_zip_at(rooms_zip_reader_t *rd, uint64_t offset,
    size_t len, size_t ahead);
int rooms_zip_read_end(rooms_zip_reader_t *rd);
int rooms_zip_read_directory(rooms_zip_reader_t *rd);
/* Decodes a header's path into rd->path. */
const char *rooms_zip_header_path(rooms_zip_reader_t *rd, uint32_t flags,
    rooms_str_t name, rooms_str_t unicode, rooms_str_t *path);
const char *rooms_zip_extra(const u_char *p, size_t len,
    rooms_str_t *zip64, rooms_str_t *unicode);
/*
 * Reads the 64-bit values of those fields that refer to ZIP64.  Writers may
 * put the other values there too; these must agree with the header.
 */
const char *rooms_zip64_fields(rooms_str_t zip64, uint64_t *fields[],
    size_t n, uint32_t *disk, int later);
int rooms_zip_soft(rooms_zip_reader_t *rd);

#endif /* ROOMS_ZIP_READER_H */
