/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Shared by the bundle's tests, its fuzz seeds and its benchmark. */

#ifndef BUNDLE_TEST_H
#define BUNDLE_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                   /* memfd_create() */
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rooms_zip_name.h"
#include "rooms_zip_reader.h"
#include "rooms_zip_writer.h"


/* a growing buffer */
typedef struct {
    u_char  *data;
    size_t   len;
    size_t   size;
} bytes_t;


static inline void
bytes_add(bytes_t *b, const void *p, size_t len)
{
    if (b->size < b->len + len) {
        b->size = (b->len + len) * 2;
        b->data = realloc(b->data, b->size);

        if (b->data == NULL) {
            abort();
        }
    }

    if (len) {
        memcpy(b->data + b->len, p, len);
        b->len += len;
    }
}


static inline void
bytes_free(bytes_t *b)
{
    free(b->data);
    memset(b, 0, sizeof(bytes_t));
}


/* a pool that is freed as a whole */
typedef struct arena_s  arena_t;

struct arena_s {
    arena_t  *next;
};


static inline void *
arena_alloc(void *ctx, size_t size)
{
    arena_t  **a = ctx, *block;

    block = malloc(sizeof(arena_t) + size);

    if (block) {
        block->next = *a;
        *a = block;
        block++;
    }

    return block;
}


static inline void
arena_free(arena_t **a)
{
    arena_t  *next;

    for ( /* void */ ; *a; *a = next) {
        next = (*a)->next;
        free(*a);
    }
}


/* Adds a whole entry to `out`, through small buffers. */

static inline int
zip_add(rooms_zip_writer_t *w, bytes_t *out, const char *name, int method,
    int level, int known, const void *data, size_t len)
{
    ssize_t            n;
    size_t             take;
    u_char             buf[ROOMS_ZIP_HEADER_MAX];
    const u_char      *p;
    rooms_zip_entry_t  e;

    memset(&e, 0, sizeof(e));
    e.name = rooms_cstr(name);
    e.mtime = 1700000001500;
    e.method = method;
    e.level = level;
    e.known = known;
    e.crc = (uint32_t) crc32_z(0, data, len);
    e.size = len;

    n = rooms_zip_begin(w, &e, buf, sizeof(buf));

    if (n < 0) {
        return -1;
    }

    bytes_add(out, buf, n);

    if (method == ROOMS_ZIP_STORE) {
        if (!known && rooms_zip_stored(w, data, len) != 0) {
            return -1;
        }

        bytes_add(out, data, len);
    }

    p = data;

    while (method == ROOMS_ZIP_DEFLATE && !rooms_zip_deflated(w)) {
        take = len < 1000 ? len : 1000;
        len -= take;

        do {
            n = rooms_zip_deflate(w, &p, &take, buf, 64, len == 0);

            if (n < 0) {
                return -1;
            }

            bytes_add(out, buf, n);

        } while (n == 64);
    }

    n = rooms_zip_end(w, buf, sizeof(buf));

    if (n < 0) {
        return -1;
    }

    bytes_add(out, buf, n);

    return 0;
}


static inline int
zip_close(rooms_zip_writer_t *w, bytes_t *out, size_t window)
{
    ssize_t  n;
    u_char   buf[4096];

    while ((n = rooms_zip_finish(w, buf, window)) > 0) {
        bytes_add(out, buf, n);
    }

    return n == 0 && w->offset == out->len ? 0 : -1;
}


static const char  bundle_manifest[] =
    "{\"format\":\"scaiwave.room-export\",\"version\":1,"
    "\"exported_at\":\"2024-01-02T03:04:05Z\",\"exported_by\":\"alice\","
    "\"server_name\":\"a.example\",\"room\":{\"id\":\"room-1\","
    "\"room_type\":\"group\",\"name\":\"Caf\xc3\xa9\"},"
    "\"participants\":{\"alice\":{\"display_name\":\"A\"}},"
    "\"media\":[{\"sha256\":\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e"
    "73043362938b9824\",\"size\":5,\"name\":\"a.txt\",\"mime_type\":"
    "\"text/plain\"}],\"events\":["
    "{\"id\":\"evt-1\",\"room_id\":\"room-1\",\"sender_id\":\"alice\","
    "\"event_type\":\"swp.room.create\",\"content\":{},"
    "\"stream_position\":1,\"origin_ts\":1700000000,"
    "\"created_at\":\"2023-11-14T22:13:20Z\",\"edited_at\":null,"
    "\"redacted_at\":null},"
    "{\"id\":\"evt-2\",\"room_id\":\"room-1\",\"sender_id\":\"alice\","
    "\"event_type\":\"swp.room.message\",\"content\":{\"body\":"
    "\"hi \\ud83d\\ude00 \xf0\x9f\x98\x80\"},\"stream_position\":7,"
    "\"origin_ts\":1700000001,\"created_at\":\"2023-11-14T22:13:21.5Z\"}]}";

#define BUNDLE_MEDIUM                                                         \
    "media/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824/"


/* The smallest bundle with every form of entry that an export writes. */

static inline void
bundle_build(bytes_t *out)
{
    arena_t             *arena = NULL;
    rooms_zip_writer_t   w;

    rooms_zip_writer_init(&w, arena_alloc, &arena);

    if (zip_add(&w, out, "manifest.json", ROOMS_ZIP_DEFLATE, 6, 0,
                bundle_manifest, sizeof(bundle_manifest) - 1)
        || zip_add(&w, out, BUNDLE_MEDIUM "a.txt", ROOMS_ZIP_STORE, 0, 1,
                   "hello", 5)
        || zip_close(&w, out, 100))
    {
        abort();
    }

    rooms_zip_writer_cleanup(&w);
    arena_free(&arena);
}


static inline int
bytes_fd(const u_char *data, size_t len)
{
    int  fd;

    fd = memfd_create("bundle", 0);

    if (fd == -1 || write(fd, data, len) != (ssize_t) len) {
        abort();
    }

    return fd;
}


static const rooms_zip_limits_t  zip_limits = { 1u << 30, 100000, 200,
                                                1u << 30 };


/*
 * Opens an archive and reads all of it.  `content`, if not NULL, gets the
 * names and the bytes of all files, sorted by name.
 */

static inline rooms_zip_error_e
zip_read_all(const u_char *data, size_t len, const rooms_zip_limits_t *limits,
    bytes_t *content, char *err)
{
    int                  fd;
    size_t               i, j;
    ssize_t              n;
    u_char               buf[700];
    rooms_str_t          name;
    rooms_zip_error_e    code;
    rooms_zip_reader_t   rd;

    fd = bytes_fd(data, len);

    code = rooms_zip_reader_open(&rd, fd, 0, len, limits, NULL, NULL);

    for (i = 0; code == ROOMS_ZIP_OK && i < rd.nitems; i++) {
        j = rd.by_name[i];

        if (rd.items[j].is_dir) {
            continue;
        }

        name = rooms_zip_item_name(&rd, j);

        if (content) {
            bytes_add(content, name.data, name.len);
            bytes_add(content, "\n", 1);
        }

        n = rooms_zip_entry_open(&rd, j, ROOMS_ZIP_SHA256);

        while (n == 0
               && (n = rooms_zip_entry_read(&rd, buf, sizeof(buf))) > 0)
        {
            if (content) {
                bytes_add(content, buf, n);
            }

            n = 0;
        }

        code = rd.code;
    }

    if (err) {
        memcpy(err, rd.err, sizeof(rd.err));
    }

    rooms_zip_reader_close(&rd);
    close(fd);

    return code;
}

#endif /* BUNDLE_TEST_H */
