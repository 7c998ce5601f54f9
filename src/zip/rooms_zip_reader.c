/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Opening and closing, the window, errors. */

#include "rooms_zip_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


static void rooms_zip_print_name(char *dst, size_t size, rooms_str_t name);


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


/* Exactly `len` bytes into `buf`; the file may have become shorter. */

int
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
 * `len` bytes at `offset`, in the window until the next call; a read takes
 * `ahead` bytes if it can.  Both are at most ROOMS_ZIP_WINDOW_MAX.
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


/* A name is a stranger's: into ASCII, its end rather than its beginning. */

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


/* In a dry run a fault of one entry doesn't end the walk. */

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
