/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_zip_writer.h"


#define ROOMS_ZIP_UNIX      3               /* 4.4.2: made by */
#define ROOMS_ZIP_ATTRS     (0100644u << 16)


static int rooms_zip_append(rooms_zip_writer_t *w, const u_char *p,
    size_t len);
static void rooms_zip_end_records(rooms_zip_writer_t *w);


static uint32_t
rooms_zip_cap16(uint64_t v)
{
    return v < ROOMS_ZIP_MAX16 ? (uint32_t) v : ROOMS_ZIP_MAX16;
}


static uint32_t
rooms_zip_cap32(uint64_t v)
{
    return v < ROOMS_ZIP_MAX32 ? (uint32_t) v : ROOMS_ZIP_MAX32;
}


/* 4.3.12; here a ZIP64 field holds just what doesn't fit (4.5.3) */

int
rooms_zip_central(rooms_zip_writer_t *w)
{
    size_t   extra, len;
    u_char  *p, rec[ROOMS_ZIP_CENTRAL_LEN], tail[28 + 9];

    extra = 8 * ((w->usize >= ROOMS_ZIP_MAX32) + (w->csize >= ROOMS_ZIP_MAX32)
                 + (w->local >= ROOMS_ZIP_MAX32));
    p = tail;

    if (extra) {
        p = rooms_zip_put16(p, ROOMS_ZIP_X_ZIP64);
        p = rooms_zip_put16(p, (uint32_t) extra);

        if (w->usize >= ROOMS_ZIP_MAX32) {
            p = rooms_zip_put64(p, w->usize);
        }

        if (w->csize >= ROOMS_ZIP_MAX32) {
            p = rooms_zip_put64(p, w->csize);
        }

        if (w->local >= ROOMS_ZIP_MAX32) {
            p = rooms_zip_put64(p, w->local);
        }
    }

    len = rooms_zip_time_extra(w, p) - tail;

    p = rooms_zip_put32(rec, ROOMS_ZIP_CENTRAL_SIG);
    p = rooms_zip_put16(p, ROOMS_ZIP_UNIX << 8 | 45);
    p = rooms_zip_put16(p, (w->zip64 || extra) ? 45 : 20);
    p = rooms_zip_put16(p, w->flags);
    p = rooms_zip_put16(p, w->method);
    p = rooms_zip_put32(p, w->dos);
    p = rooms_zip_put32(p, w->crc);
    p = rooms_zip_put32(p, rooms_zip_cap32(w->csize));
    p = rooms_zip_put32(p, rooms_zip_cap32(w->usize));
    p = rooms_zip_put16(p, (uint32_t) w->name_len);
    p = rooms_zip_put16(p, (uint32_t) len);
    p = rooms_zip_put16(p, 0);              /* comment */
    p = rooms_zip_put16(p, 0);              /* disk */
    p = rooms_zip_put16(p, 0);              /* internal attributes */
    p = rooms_zip_put32(p, ROOMS_ZIP_ATTRS);
    (void) rooms_zip_put32(p, rooms_zip_cap32(w->local));

    return rooms_zip_append(w, rec, sizeof(rec))
           || rooms_zip_append(w, w->name, w->name_len)
           || rooms_zip_append(w, tail, len);
}


static int
rooms_zip_append(rooms_zip_writer_t *w, const u_char *p, size_t len)
{
    size_t              n;
    rooms_zip_chunk_t  *c;

    while (len) {
        c = w->last;

        if (c == NULL || c->len == ROOMS_ZIP_CHUNK_LEN) {
            c = w->alloc(w->alloc_ctx, sizeof(rooms_zip_chunk_t));

            if (c == NULL) {
                return -1;
            }

            c->next = NULL;
            c->len = 0;

            *(w->last ? &w->last->next : &w->first) = c;
            w->last = c;
        }

        n = ROOMS_ZIP_CHUNK_LEN - c->len;
        n = n < len ? n : len;

        memcpy(c->data + c->len, p, n);
        c->len += n;
        w->directory += n;
        p += n;
        len -= n;
    }

    return 0;
}


ssize_t
rooms_zip_finish(rooms_zip_writer_t *w, u_char *buf, size_t size)
{
    size_t  n, left;

    if (w->state == ROOMS_ZIP_IDLE) {
        rooms_zip_end_records(w);
        w->out = w->first;
        w->state = ROOMS_ZIP_DIRECTORY;
    }

    if (w->state != ROOMS_ZIP_DIRECTORY) {
        return rooms_zip_failed(w, "the archive ends inside an entry");
    }

    left = size;

    while (w->out && left) {
        n = w->out->len - w->out_pos;
        n = n < left ? n : left;

        memcpy(buf, w->out->data + w->out_pos, n);
        buf += n;
        left -= n;
        w->out_pos += n;

        if (w->out_pos == w->out->len) {
            w->out = w->out->next;
            w->out_pos = 0;
        }
    }

    if (w->out == NULL && left) {
        n = w->end_len - w->out_pos;
        n = n < left ? n : left;

        memcpy(buf, w->end + w->out_pos, n);
        left -= n;
        w->out_pos += n;
    }

    w->offset += size - left;

    return (ssize_t) (size - left);
}


/* 4.3.14 to 4.3.16 */

static void
rooms_zip_end_records(rooms_zip_writer_t *w)
{
    u_char  *p;

    p = w->end;

    if (w->entries >= ROOMS_ZIP_MAX16 || w->offset >= ROOMS_ZIP_MAX32
        || w->directory >= ROOMS_ZIP_MAX32)
    {
        p = rooms_zip_put32(p, ROOMS_ZIP_END64_SIG);
        p = rooms_zip_put64(p, ROOMS_ZIP_END64_LEN - 12);
        p = rooms_zip_put16(p, ROOMS_ZIP_UNIX << 8 | 45);
        p = rooms_zip_put16(p, 45);
        p = rooms_zip_put32(p, 0);
        p = rooms_zip_put32(p, 0);
        p = rooms_zip_put64(p, w->entries);
        p = rooms_zip_put64(p, w->entries);
        p = rooms_zip_put64(p, w->directory);
        p = rooms_zip_put64(p, w->offset);

        p = rooms_zip_put32(p, ROOMS_ZIP_LOCATOR_SIG);
        p = rooms_zip_put32(p, 0);
        p = rooms_zip_put64(p, w->offset + w->directory);
        p = rooms_zip_put32(p, 1);
    }

    p = rooms_zip_put32(p, ROOMS_ZIP_END_SIG);
    p = rooms_zip_put32(p, 0);              /* both disk numbers */
    p = rooms_zip_put16(p, rooms_zip_cap16(w->entries));
    p = rooms_zip_put16(p, rooms_zip_cap16(w->entries));
    p = rooms_zip_put32(p, rooms_zip_cap32(w->directory));
    p = rooms_zip_put32(p, rooms_zip_cap32(w->offset));
    p = rooms_zip_put16(p, 0);

    w->end_len = p - w->end;
}
