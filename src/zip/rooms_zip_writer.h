/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An incremental ZIP encoder (APPNOTE.TXT 6.3.9).  It writes headers and
 * trailers, which are short, into the caller's buffers, and deflates.  The
 * caller sends these bytes, and a stored file's own data, in order.  A file
 * whose CRC-32 and size are known is never read here, so it can be sent by
 * sendfile.
 *
 *     rooms_zip_writer_init()
 *     for each entry:
 *         rooms_zip_begin()            -> local header
 *         known:    send e.size bytes of the file
 *         STORE:    rooms_zip_stored() for each span that is sent
 *         DEFLATE:  rooms_zip_deflate() until rooms_zip_deflated()
 *         rooms_zip_end()              -> data descriptor, or nothing
 *     rooms_zip_finish() until it returns 0 -> central directory and end
 *     rooms_zip_writer_cleanup()       at any time: frees zlib's state
 *
 * Memory: the writer (1 KiB); zlib's state (268 KB) from the first deflated
 * entry until the cleanup; and for each entry its record in the central
 * directory (55 to 83 bytes and the name).  These records are in chunks of 8
 * KiB from the caller's allocator, for example a pool; the writer never frees
 * them, and doesn't write to them once rooms_zip_finish() began.
 *
 * Errors: -1, and `error` is a static string.  They are mistakes of the
 * caller (wrong order, wrong name, a size beyond its bound), lack of memory,
 * or a buffer that is too small.  An archive with an error must not be
 * completed.
 */

#ifndef ROOMS_ZIP_WRITER_H
#define ROOMS_ZIP_WRITER_H

#include <zlib.h>

#include "rooms_str.h"
#include "rooms_zip.h"


#define ROOMS_ZIP_HEADER_MAX                                                  \
    (ROOMS_ZIP_LOCAL_LEN + ROOMS_ZIP_NAME_MAX + 20 + 9)
#define ROOMS_ZIP_CHUNK_LEN        (8192 - 2 * sizeof(void *))
#define ROOMS_ZIP_UNBOUNDED        UINT64_MAX


/* Returns memory that lives as long as the writer; NULL: out of memory. */
typedef void *(*rooms_zip_alloc_pt)(void *ctx, size_t size);


typedef struct {
    rooms_str_t                 name;       /* UTF-8; copied */
    int64_t                     mtime;      /* ms since the epoch, UTC */
    int                         method;     /* ROOMS_ZIP_STORE, _DEFLATE */
    int                         level;      /* 0-9, for ROOMS_ZIP_DEFLATE */

    /*
     * Known in advance, for ROOMS_ZIP_STORE only: crc and size are set, and
     * no data descriptor follows.  Otherwise size is an upper bound of the
     * bytes to come, or ROOMS_ZIP_UNBOUNDED.  The ZIP64 form is only used if
     * an entry could reach 4 GiB, since readers that stream, such as Java's
     * ZipInputStream, don't understand its descriptor.  Nor do they
     * understand a stored entry of unknown size.  Programs that read the
     * directory understand all of these.
     */
    unsigned                    known;
    uint32_t                    crc;
    uint64_t                    size;       /* bytes */
} rooms_zip_entry_t;


typedef struct rooms_zip_chunk_s  rooms_zip_chunk_t;

struct rooms_zip_chunk_s {
    rooms_zip_chunk_t          *next;
    size_t                      len;
    u_char                      data[ROOMS_ZIP_CHUNK_LEN];
};


typedef enum {
    ROOMS_ZIP_IDLE = 0,
    ROOMS_ZIP_IN_KNOWN,
    ROOMS_ZIP_IN_STORED,
    ROOMS_ZIP_IN_DEFLATE,
    ROOMS_ZIP_DEFLATED,
    ROOMS_ZIP_DIRECTORY,
    ROOMS_ZIP_FAILED
} rooms_zip_writer_state_e;


typedef struct {
    rooms_zip_writer_state_e    state;
    const char                 *error;

    uint64_t                    offset;     /* bytes of the archive so far */
    uint64_t                    entries;

    rooms_zip_alloc_pt          alloc;
    void                       *alloc_ctx;
    rooms_zip_chunk_t          *first;
    rooms_zip_chunk_t          *last;
    uint64_t                    directory;  /* bytes in the chunks */

    /* the current entry */
    uint64_t                    local;      /* offset of its header */
    uint64_t                    csize;
    uint64_t                    usize;
    uint64_t                    bound;
    uint32_t                    crc;
    uint32_t                    dos;        /* date << 16 | time */
    int64_t                     unix_time;  /* s; -1: out of range */
    uint16_t                    flags;
    uint16_t                    method;
    unsigned                    zip64;      /* of the local header */
    size_t                      name_len;
    u_char                      name[ROOMS_ZIP_NAME_MAX];

    z_stream                    zstream;
    int                         zlevel;     /* -1: not initialised */

    /* the directory while it is sent */
    rooms_zip_chunk_t          *out;
    size_t                      out_pos;
    size_t                      end_len;
    u_char                      end[ROOMS_ZIP_END64_LEN
                                    + ROOMS_ZIP_LOCATOR_LEN
                                    + ROOMS_ZIP_END_LEN];
} rooms_zip_writer_t;


void rooms_zip_writer_init(rooms_zip_writer_t *w, rooms_zip_alloc_pt alloc,
    void *ctx);
void rooms_zip_writer_cleanup(rooms_zip_writer_t *w);

/*
 * `size` of the buffer must be at least ROOMS_ZIP_HEADER_MAX.  Returns the
 * number of bytes written.
 */
ssize_t rooms_zip_begin(rooms_zip_writer_t *w, const rooms_zip_entry_t *e,
    u_char *buf, size_t size);

/* Counts bytes that the caller sends unchanged, and adds them to the CRC. */
int rooms_zip_stored(rooms_zip_writer_t *w, const u_char *data, size_t len);

/*
 * Deflates from *in, advancing *in and *len, into `out`.  Returns the number
 * of bytes written.  If that is `size`, call again.  If it is less, all input
 * was taken; with `finish` the stream is then complete, and
 * rooms_zip_deflated() is true.
 */
ssize_t rooms_zip_deflate(rooms_zip_writer_t *w, const u_char **in,
    size_t *len, u_char *out, size_t size, int finish);

static inline int
rooms_zip_deflated(rooms_zip_writer_t *w)
{
    return w->state == ROOMS_ZIP_DEFLATED;
}

/* `size` must be at least ROOMS_ZIP_DESCRIPTOR_LEN.  May return 0: no bytes. */
ssize_t rooms_zip_end(rooms_zip_writer_t *w, u_char *buf, size_t size);

/* Writes up to `size` bytes of the rest of the archive; 0: it is complete. */
ssize_t rooms_zip_finish(rooms_zip_writer_t *w, u_char *buf, size_t size);

#endif /* ROOMS_ZIP_WRITER_H */
