/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Reads a ZIP archive that nobody vouches for (APPNOTE.TXT 6.3.9) from a
 * span of a file, by pread() in windows of 64 KiB: for a thread pool.
 *
 *     rooms_zip_reader_open()      everything but the data is checked
 *     for each i < rd->nitems:     in the order of the file
 *         rooms_zip_entry_open()
 *         rooms_zip_entry_read() until it returns 0
 *     rooms_zip_reader_close()     in any case, after any error
 *
 * What is refused, and thus can't be seen in `items`: see
 * docs/export-import.md; the rule is that an archive which two programs
 * could read differently is not read at all.  So each byte must belong to
 * one entry, the directory or the end.
 *
 * Memory, by malloc(): the reader (1 KiB), a window of 72 KiB, zlib's state
 * (40 KiB), 64 bytes and the name for each entry, at most 32 MiB of names.
 *
 * Errors: ROOMS_ZIP_INVALID answers 400, ROOMS_ZIP_TOO_LARGE 413; the other
 * two are the server's.  `err` names the entry, the offset in the archive
 * and the reason; it is printable UTF-8.
 */

#ifndef ROOMS_ZIP_READER_H
#define ROOMS_ZIP_READER_H

#include <openssl/evp.h>
#include <zlib.h>

#include "rooms_str.h"
#include "rooms_zip.h"


#define ROOMS_ZIP_WINDOW        (64 * 1024)
#define ROOMS_ZIP_WINDOW_MAX    (72 * 1024)      /* the end and a comment */
#define ROOMS_ZIP_NAMES_MAX     (32 * 1024 * 1024)
#define ROOMS_ZIP_EXTRA_MAX     (16 * 1024)

/*
 * The ratio is not looked at below this many unpacked bytes: a small picture
 * of one colour is no bomb.
 */
#define ROOMS_ZIP_RATIO_FROM    (1024 * 1024)

#define ROOMS_ZIP_SHA256        1                /* rooms_zip_entry_open() */


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
    uint64_t             ratio;       /* unpacked to packed, 200 is 200:1 */
    uint64_t             stored;      /* bytes written to the store; not of
                                         the archive */
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
    uint16_t             is_dir;      /* empty, its name ends in a slash */
} rooms_zip_item_t;


/*
 * For a dry run, which lists all faults: called for each entry whose headers
 * are refused, with a text like `err`.  rooms_zip_reader_open() goes on then
 * and fails in the end.
 */
typedef void (*rooms_zip_fault_pt)(void *ctx, const char *err);


typedef struct {
    rooms_zip_error_e    code;
    char                 err[256];

    rooms_zip_item_t    *items;       /* in the order of the file */
    size_t               nitems;

    /* bytes really read and unpacked so far; see rooms_zip_reader_rewind() */
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
    uint64_t             declared;    /* entries, by the end record */
    uint64_t             unpacked;    /* bytes, by the directory */

    uint32_t            *by_name;
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
 * The archive is `size` bytes at `offset` of the file, which the reader
 * neither closes nor moves in.  `fault` may be NULL.  Returns rd->code.
 */
rooms_zip_error_e rooms_zip_reader_open(rooms_zip_reader_t *rd, int fd,
    uint64_t offset, uint64_t size, const rooms_zip_limits_t *limits,
    rooms_zip_fault_pt fault, void *ctx);
void rooms_zip_reader_close(rooms_zip_reader_t *rd);

/* Before the entries are read a second time: counts real bytes from 0. */
void rooms_zip_reader_rewind(rooms_zip_reader_t *rd);

/* Its path (rooms_zip_name_path()), in the reader. */
rooms_str_t rooms_zip_item_name(const rooms_zip_reader_t *rd, size_t i);

/*
 * The manifest of a bundle: the entry manifest.json that stands highest, and
 * its folder, if it was put into one.  -1: there is none; -2: two are equal.
 */
ssize_t rooms_zip_manifest(const rooms_zip_reader_t *rd, rooms_str_t *root);

/* The entry of that path, or the first file below that prefix; -1: none. */
ssize_t rooms_zip_find(const rooms_zip_reader_t *rd, rooms_str_t name);

/*
 * One entry at a time; a second open abandons the first.  After an error of
 * one entry others may still be opened.  0, or -1: see rd->code.
 */
int rooms_zip_entry_open(rooms_zip_reader_t *rd, size_t i, unsigned flags);

/*
 * Up to `size` (not 0) unpacked bytes.  0: the end, and CRC and size are
 * right; what came before is to be trusted only then.  -1: see rd->code.
 */
ssize_t rooms_zip_entry_read(rooms_zip_reader_t *rd, u_char *buf,
    size_t size);

/* After the end of an entry opened with ROOMS_ZIP_SHA256: 32 bytes. */
const u_char *rooms_zip_entry_sha256(const rooms_zip_reader_t *rd);


/* Among the reader's files */

int rooms_zip_fail(rooms_zip_reader_t *rd, rooms_zip_error_e code,
    const rooms_zip_item_t *item, uint64_t offset, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
const u_char *rooms_zip_at(rooms_zip_reader_t *rd, uint64_t offset,
    size_t len, size_t ahead);
int rooms_zip_read_end(rooms_zip_reader_t *rd);
int rooms_zip_read_directory(rooms_zip_reader_t *rd);
/* A header's path, into rd->path. */
const char *rooms_zip_header_path(rooms_zip_reader_t *rd, uint32_t flags,
    rooms_str_t name, rooms_str_t unicode, rooms_str_t *path);
const char *rooms_zip_extra(const u_char *p, size_t len,
    rooms_str_t *zip64, rooms_str_t *unicode);
/*
 * The 64-bit forms of those fields of a header that say so; the others, where
 * a writer has put them there all the same, must say the same twice.
 */
const char *rooms_zip64_fields(rooms_str_t zip64, uint64_t *fields[],
    size_t n, uint32_t *disk, int later);
int rooms_zip_soft(rooms_zip_reader_t *rd);

#endif /* ROOMS_ZIP_READER_H */
