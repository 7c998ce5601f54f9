/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Opens and closes an archive, reads it by windows, and reads entries. */

#include "rooms_zip_reader.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


/* flags that both headers must have in common */
#define ROOMS_ZIP_SAME_FLAGS                                                  \
    (ROOMS_ZIP_F_ENCRYPTED | ROOMS_ZIP_F_DESCRIPTOR | ROOMS_ZIP_F_PATCH       \
     | ROOMS_ZIP_F_STRONG | ROOMS_ZIP_F_UTF8 | ROOMS_ZIP_F_MASKED)

#define ROOMS_ZIP_AHEAD    4096


static void rooms_zip_print_name(char *dst, size_t size, rooms_str_t name);
static int rooms_zip_check_local(rooms_zip_reader_t *rd,
    rooms_zip_item_t *item, uint64_t *end);
static int rooms_zip_no_gap(rooms_zip_reader_t *rd, uint64_t end,
    uint64_t next);
static const char *rooms_zip_local_sizes(const rooms_zip_item_t *item,
    const u_char *rec, rooms_str_t zip64);
static int rooms_zip_descriptor(rooms_zip_reader_t *rd,
    const rooms_zip_item_t *item, uint64_t *end);
static ssize_t rooms_zip_read_stored(rooms_zip_reader_t *rd, u_char *buf,
    size_t size);
static ssize_t rooms_zip_read_deflated(rooms_zip_reader_t *rd, u_char *buf,
    size_t size);
static int rooms_zip_account(rooms_zip_reader_t *rd, const u_char *buf,
    size_t n, uint64_t in);
static int rooms_zip_entry_end(rooms_zip_reader_t *rd);
static int rooms_zip_pread(rooms_zip_reader_t *rd, u_char *buf, size_t len,
    uint64_t offset);
static int rooms_zip_check_locals(rooms_zip_reader_t *rd);


rooms_zip_error_e
rooms_zip_reader_open(rooms_zip_reader_t *rd, int fd, uint64_t offset,
    uint64_t size, const rooms_zip_limits_t *limits,
    rooms_zip_fault_pt fault, void *ctx)
{
    memset(rd, 0, sizeof(rooms_zip_reader_t));

    rd->fd = fd;
    rd->base = offset;
    rd->size = size;
    rd->limits = *limits;
    rd->limits.ratio += (limits->ratio == 0);
    rd->fault = fault;
    rd->fault_ctx = ctx;

    rd->window = malloc(ROOMS_ZIP_WINDOW_MAX);

    if (rd->window == NULL) {
        rooms_zip_fail(rd, ROOMS_ZIP_NOMEM, NULL, 0, "no memory");
        return rd->code;
    }

    if (rooms_zip_read_end(rd) != 0
        || rooms_zip_read_directory(rd) != 0
        || rooms_zip_check_locals(rd) != 0)
    {
        return rd->code;
    }

    if (rd->nfaults) {
        rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, rd->directory,
                       "%llu entries are refused",
                       (unsigned long long) rd->nfaults);
    }

    return rd->code;
}


void
rooms_zip_reader_close(rooms_zip_reader_t *rd)
{
    if (rd->inflate) {
        inflateEnd(&rd->zstream);
    }

    EVP_MD_CTX_free(rd->md);
    free(rd->window);
    free(rd->items);
    free(rd->by_name);
    free(rd->names);

    rd->inflate = 0;
    rd->md = NULL;
    rd->window = NULL;
    rd->items = NULL;
    rd->by_name = NULL;
    rd->names = NULL;
    rd->nitems = 0;
    rd->item = NULL;
}


void
rooms_zip_reader_rewind(rooms_zip_reader_t *rd)
{
    rd->in = 0;
    rd->out = 0;
    rd->item = NULL;
}


/* Reads exactly `len` bytes; fails if the file has become shorter. */

static int
rooms_zip_pread(rooms_zip_reader_t *rd, u_char *buf, size_t len,
    uint64_t offset)
{
    ssize_t  n;

    while (len) {
        n = pread(rd->fd, buf, len, (off_t) (rd->base + offset));

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            return rooms_zip_fail(rd, ROOMS_ZIP_IO, NULL, offset,
                                  "reading failed: error %d", errno);
        }

        if (n == 0) {
            return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, offset,
                                  "the archive is truncated");
        }

        buf += n;
        len -= n;
        offset += n;
    }

    return 0;
}


/*
 * Returns `len` bytes at `offset`, which stay in the window until the next
 * call.  Reads `ahead` bytes if possible.  Both are at most
 * ROOMS_ZIP_WINDOW_MAX.
 */

const u_char *
rooms_zip_at(rooms_zip_reader_t *rd, uint64_t offset, size_t len,
    size_t ahead)
{
    if (offset > rd->size || len > rd->size - offset) {
        (void) rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, offset,
                              "the archive is truncated");
        return NULL;
    }

    if (offset >= rd->window_off
        && offset - rd->window_off <= rd->window_len
        && len <= rd->window_len - (offset - rd->window_off))
    {
        return rd->window + (offset - rd->window_off);
    }

    ahead = ahead < len ? len : ahead;
    ahead = rd->size - offset < ahead ? (size_t) (rd->size - offset) : ahead;

    rd->window_len = 0;

    if (rooms_zip_pread(rd, rd->window, ahead, offset) != 0) {
        return NULL;
    }

    rd->window_off = offset;
    rd->window_len = ahead;

    return rd->window;
}


int
rooms_zip_fail(rooms_zip_reader_t *rd, rooms_zip_error_e code,
    const rooms_zip_item_t *item, uint64_t offset, const char *fmt, ...)
{
    int          n;
    char         name[100];
    va_list      args;
    rooms_str_t  s;

    rd->code = code;

    if (item) {
        s.data = rd->names + item->name;
        s.len = item->name_len;
        rooms_zip_print_name(name, sizeof(name), s);

        n = snprintf(rd->err, sizeof(rd->err), "entry \"%s\" at offset %llu: ",
                     name, (unsigned long long) offset);
    } else {
        n = snprintf(rd->err, sizeof(rd->err), "offset %llu: ",
                     (unsigned long long) offset);
    }

    va_start(args, fmt);
    vsnprintf(rd->err + n, sizeof(rd->err) - n, fmt, args);
    va_end(args);

    return -1;
}


/* Makes an untrusted name printable ASCII; of a long one it keeps the end. */

static void
rooms_zip_print_name(char *dst, size_t size, rooms_str_t name)
{
    size_t  i;

    if (name.len >= size) {
        memcpy(dst, "...", 3);
        dst += 3;
        size -= 3;
        name.data += name.len - (size - 1);
        name.len = size - 1;
    }

    for (i = 0; i < name.len; i++) {
        dst[i] = (name.data[i] < 0x20 || name.data[i] > 0x7e
                  || name.data[i] == '"' || name.data[i] == '\\')
                 ? '?' : (char) name.data[i];
    }

    dst[i] = '\0';
}


/* In a dry run, reports the fault of one entry and goes on. */

int
rooms_zip_soft(rooms_zip_reader_t *rd)
{
    if (rd->fault == NULL || rd->code != ROOMS_ZIP_INVALID) {
        return -1;
    }

    rd->fault(rd->fault_ctx, rd->err);
    rd->nfaults++;
    rd->code = ROOMS_ZIP_OK;

    return 0;
}


/* Compares local headers and data descriptors with the central directory. */


/*
 * Items are ordered by offset here.  So if any two overlap, two neighbours
 * do.
 */

static int
rooms_zip_check_locals(rooms_zip_reader_t *rd)
{
    size_t             i;
    uint64_t           end, stop;
    rooms_zip_item_t  *item;

    end = 0;
    stop = 0;

    for (i = 0; i < rd->nitems; i++) {
        item = &rd->items[i];

        if (item->offset < end) {
            (void) rooms_zip_fail(rd, ROOMS_ZIP_INVALID, item, item->offset,
                                  "it overlaps the entry before it");

        } else if (rooms_zip_check_local(rd, item, &stop) == 0
                   && rooms_zip_no_gap(rd, end, item->offset) == 0)
        {
            end = stop;
            continue;
        }

        if (rooms_zip_soft(rd) != 0) {
            return -1;
        }
    }

    return rooms_zip_no_gap(rd, end, rd->directory);
}


/*
 * Bytes that the directory doesn't mention could still be read by a program
 * that starts at the front.  In a dry run, entries that were refused before
 * leave gaps.
 */

static int
rooms_zip_no_gap(rooms_zip_reader_t *rd, uint64_t end, uint64_t next)
{
    if (end == next || rd->nfaults) {
        return 0;
    }

    return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, end,
                          "%llu bytes belong to no entry",
                          (unsigned long long) (next - end));
}


static int
rooms_zip_check_local(rooms_zip_reader_t *rd, rooms_zip_item_t *item,
    uint64_t *end)
{
    size_t         len;
    const char    *fault, *other;
    rooms_str_t    name, path, zip64, unicode;
    const u_char  *p;

    if (item->offset > rd->directory
        || rd->directory - item->offset < ROOMS_ZIP_LOCAL_LEN)
    {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, item, item->offset,
                              "its local header is not among the entries");
    }

    p = rooms_zip_at(rd, item->offset, ROOMS_ZIP_LOCAL_LEN, ROOMS_ZIP_AHEAD);

    if (p == NULL) {
        return -1;
    }

    len = ROOMS_ZIP_LOCAL_LEN + rooms_zip_get16(p + 26)
          + rooms_zip_get16(p + 28);

    if (rooms_zip_get32(p) != ROOMS_ZIP_LOCAL_SIG
        || rooms_zip_get16(p + 26) > ROOMS_ZIP_NAME_MAX
        || rooms_zip_get16(p + 28) > ROOMS_ZIP_EXTRA_MAX
        || rd->directory - item->offset < len
        || rd->directory - item->offset - len < item->csize)
    {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, item, item->offset,
                              "its local header is damaged, or does not match "
                              "the central directory");
    }

    p = rooms_zip_at(rd, item->offset, len, ROOMS_ZIP_AHEAD);

    if (p == NULL) {
        return -1;
    }

    name.data = p + ROOMS_ZIP_LOCAL_LEN;
    name.len = rooms_zip_get16(p + 26);

    fault = rooms_zip_extra(name.data + name.len, rooms_zip_get16(p + 28),
                            &zip64, &unicode);
    other = rooms_zip_header_path(rd, rooms_zip_get16(p + 6), name,
                                  fault ? ROOMS_NULL : unicode, &path);

    if (fault || other) {
        fault = fault ? fault : other;

    } else if (path.len != item->name_len
               || memcmp(path.data, rd->names + item->name, path.len) != 0)
    {
        fault = "its local header has another name";

    } else if ((rooms_zip_get16(p + 6) ^ item->flags) & ROOMS_ZIP_SAME_FLAGS) {
        fault = "its local header has other flags";

    } else if (rooms_zip_get16(p + 8) != item->method) {
        fault = "its local header has another method";

    } else {
        fault = rooms_zip_local_sizes(item, p, zip64);
    }

    if (fault) {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, item, item->offset,
                              "%s", fault);
    }

    item->data = item->offset + len;
    *end = item->data + item->csize;

    return rooms_zip_descriptor(rd, item, end);
}


/*
 * If a data descriptor follows, these fields of the header are zero.
 * Programs that can seek fill them in as well; then they must be right.
 */

static const char *
rooms_zip_local_sizes(const rooms_zip_item_t *item, const u_char *rec,
    rooms_str_t zip64)
{
    int          later;
    uint32_t     crc;
    uint64_t     usize, csize;
    const char  *fault;

    later = item->flags & ROOMS_ZIP_F_DESCRIPTOR;

    crc = rooms_zip_get32(rec + 14);
    csize = rooms_zip_get32(rec + 18);
    usize = rooms_zip_get32(rec + 22);

    if (crc != item->crc && !(later && crc == 0)) {
        return "its local header has another CRC";
    }

    fault = rooms_zip64_fields(zip64, (uint64_t *[]) { &usize, &csize }, 2,
                               NULL, later);
    if (fault) {
        return fault;
    }

    if ((usize != item->usize && !(later && usize == 0))
        || (csize != item->csize && !(later && csize == 0)))
    {
        return "its local header has other sizes";
    }

    return NULL;
}


/*
 * 4.3.9: the signature is optional, and sizes have 4 or 8 bytes, but nothing
 * says which.  One of the four forms must agree with the central directory.
 */

static int
rooms_zip_descriptor(rooms_zip_reader_t *rd, const rooms_zip_item_t *item,
    uint64_t *end)
{
    u_char         want[ROOMS_ZIP_DESCRIPTOR_LEN], *last;
    size_t         i, skip, len;
    const u_char  *p;

    if (!(item->flags & ROOMS_ZIP_F_DESCRIPTOR)) {
        return 0;
    }

    for (i = 0; i < 4; i++) {
        last = rooms_zip_put32(want, ROOMS_ZIP_DESCRIPTOR_SIG);
        last = rooms_zip_put32(last, item->crc);

        if (i & 1) {
            last = rooms_zip_put32(last, (uint32_t) item->csize);
            last = rooms_zip_put32(last, (uint32_t) item->usize);

        } else {
            last = rooms_zip_put64(last, item->csize);
            last = rooms_zip_put64(last, item->usize);
        }

        skip = (i & 2) ? 4 : 0;
        len = last - want - skip;

        if (rd->directory - *end < len) {
            continue;
        }

        p = rooms_zip_at(rd, *end, len, ROOMS_ZIP_AHEAD);

        if (p == NULL) {
            return -1;
        }

        if (memcmp(p, want + skip, len) == 0) {
            *end += len;
            return 0;
        }
    }

    return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, item, *end,
                          "its data descriptor is missing or differs from "
                          "the central directory");
}


/* Reads the data of an entry: inflates it, counts it, computes its CRC. */


int
rooms_zip_entry_open(rooms_zip_reader_t *rd, size_t i, unsigned flags)
{
    rd->code = ROOMS_ZIP_OK;
    rd->item = &rd->items[i];
    rd->item_in = 0;
    rd->item_out = 0;
    rd->item_crc = 0;
    rd->item_end = 0;
    rd->window_len = 0;
    rd->hash = flags & ROOMS_ZIP_SHA256;

    if (rd->hash) {
        if (rd->md == NULL) {
            rd->md = EVP_MD_CTX_new();
        }

        if (rd->md == NULL || !EVP_DigestInit_ex(rd->md, EVP_sha256(), NULL)) {
            return rooms_zip_fail(rd, ROOMS_ZIP_NOMEM, rd->item,
                                  rd->item->data, "no memory for its hash");
        }
    }

    if (rd->item->method == ROOMS_ZIP_STORE) {
        return 0;
    }

    rd->zstream.avail_in = 0;

    if (rd->inflate) {
        (void) inflateReset(&rd->zstream);

    } else if (inflateInit2(&rd->zstream, -MAX_WBITS) != Z_OK) {
        return rooms_zip_fail(rd, ROOMS_ZIP_NOMEM, rd->item, rd->item->data,
                              "no memory to inflate it");
    }

    rd->inflate = 1;

    return 0;
}


ssize_t
rooms_zip_entry_read(rooms_zip_reader_t *rd, u_char *buf, size_t size)
{
    ssize_t  n;

    if (rd->item == NULL || rd->code != ROOMS_ZIP_OK) {
        return -1;
    }

    if (rd->item_end) {
        return 0;
    }

    n = rd->item->method == ROOMS_ZIP_STORE
        ? rooms_zip_read_stored(rd, buf, size)
        : rooms_zip_read_deflated(rd, buf, size);

    if (n == 0 && rooms_zip_entry_end(rd) != 0) {
        return -1;
    }

    return n;
}


static ssize_t
rooms_zip_read_stored(rooms_zip_reader_t *rd, u_char *buf, size_t size)
{
    uint64_t  left;

    left = rd->item->csize - rd->item_in;
    size = left < size ? (size_t) left : size;

    if (rooms_zip_pread(rd, buf, size, rd->item->data + rd->item_in) != 0
        || rooms_zip_account(rd, buf, size, size) != 0)
    {
        return -1;
    }

    return (ssize_t) size;
}


/*
 * Never asks for more than one byte beyond the declared size, so that a false
 * size costs nothing.
 */

static ssize_t
rooms_zip_read_deflated(rooms_zip_reader_t *rd, u_char *buf, size_t size)
{
    int        rc;
    size_t     n, had;
    uint64_t   left, pos;
    z_stream  *z;

    z = &rd->zstream;
    left = rd->item->usize - rd->item_out + 1;
    size = left < size ? (size_t) left : size;
    size = size < INT32_MAX ? size : INT32_MAX;

    for ( ;; ) {
        pos = rd->item->data + rd->item_in;

        if (z->avail_in == 0) {
            left = rd->item->csize - rd->item_in;
            n = left < ROOMS_ZIP_WINDOW ? (size_t) left : ROOMS_ZIP_WINDOW;

            /* even without more input zlib may still hold output back */

            if (rooms_zip_pread(rd, rd->window, n, pos) != 0) {
                return -1;
            }

            z->next_in = rd->window;
            z->avail_in = (uInt) n;
        }

        z->next_out = buf;
        z->avail_out = (uInt) size;
        had = z->avail_in;

        rc = inflate(z, Z_NO_FLUSH);

        n = size - z->avail_out;

        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
            return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, rd->item, pos,
                                  "its deflated data are damaged: %s",
                                  z->msg ? z->msg : "unknown error");
        }

        if (rooms_zip_account(rd, buf, n, had - z->avail_in) != 0) {
            return -1;
        }

        if (n) {
            return (ssize_t) n;
        }

        if (rc == Z_STREAM_END) {
            return 0;
        }

        if (had == 0) {
            return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, rd->item, pos,
                                  "its deflated data are truncated");
        }
    }
}


/* Checks the limits against bytes that were actually read. */

static int
rooms_zip_account(rooms_zip_reader_t *rd, const u_char *buf, size_t n,
    uint64_t in)
{
    rd->item_in += in;
    rd->in += in;
    rd->item_out += n;
    rd->out += n;

    if (rd->item_out > rd->item->usize) {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, rd->item, rd->item->data,
                              "it has more bytes than the %llu declared",
                              (unsigned long long) rd->item->usize);
    }

    if (rd->out > rd->limits.unpacked) {
        return rooms_zip_fail(rd, ROOMS_ZIP_TOO_LARGE, rd->item,
                              rd->item->data,
                              "more than the %llu unpacked bytes that "
                              "rooms_import_limits allows",
                              (unsigned long long) rd->limits.unpacked);
    }

    if ((rd->item_out > ROOMS_ZIP_RATIO_FROM
         && rd->item_out / rd->limits.ratio > rd->item_in)
        || (rd->out > ROOMS_ZIP_RATIO_FROM
            && rd->out / rd->limits.ratio > rd->in))
    {
        return rooms_zip_fail(rd, ROOMS_ZIP_TOO_LARGE, rd->item,
                              rd->item->data,
                              "it unpacks by more than the ratio of %llu "
                              "that rooms_import_limits allows",
                              (unsigned long long) rd->limits.ratio);
    }

    if (n == 0) {
        return 0;
    }

    rd->item_crc = (uint32_t) crc32_z(rd->item_crc, buf, n);

    if (rd->hash && !EVP_DigestUpdate(rd->md, buf, n)) {
        return rooms_zip_fail(rd, ROOMS_ZIP_NOMEM, rd->item, rd->item->data,
                              "its hash failed");
    }

    return 0;
}


static int
rooms_zip_entry_end(rooms_zip_reader_t *rd)
{
    const char  *fault;

    if (rd->item_in != rd->item->csize) {
        fault = "bytes follow its deflated data";

    } else if (rd->item_out != rd->item->usize) {
        fault = "it has fewer bytes than declared";

    } else if (rd->item_crc != rd->item->crc) {
        fault = "its CRC is wrong";

    } else if (rd->hash && !EVP_DigestFinal_ex(rd->md, rd->digest, NULL)) {
        return rooms_zip_fail(rd, ROOMS_ZIP_NOMEM, rd->item, rd->item->data,
                              "its hash failed");

    } else {
        rd->item_end = 1;
        return 0;
    }

    return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, rd->item, rd->item->data,
                          "%s", fault);
}


const u_char *
rooms_zip_entry_sha256(const rooms_zip_reader_t *rd)
{
    return rd->item && rd->item_end && rd->hash ? rd->digest : NULL;
}
