/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The data of an entry: inflated, counted, summed. */

#include "rooms_zip_reader.h"


static ssize_t rooms_zip_read_stored(rooms_zip_reader_t *rd, u_char *buf,
    size_t size);
static ssize_t rooms_zip_read_deflated(rooms_zip_reader_t *rd, u_char *buf,
    size_t size);
static int rooms_zip_account(rooms_zip_reader_t *rd, const u_char *buf,
    size_t n, uint64_t in);
static int rooms_zip_entry_end(rooms_zip_reader_t *rd);


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
 * Never asks for more than one byte past the declared size, so that a lie
 * about it costs nothing.
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

            /* with none left, zlib may still hold output back */

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


/* The limits, by bytes that are really there. */

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
        fault = "it has less bytes than declared";

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
