/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_zip_writer.h"
#include "rooms_zip_name.h"
#include "rooms_time.h"


/*
 * An entry of unknown size that may exceed this takes the ZIP64 form.  It is
 * 4 GiB minus 1/256: deflate adds 5 bytes to each block of 16 KiB or more of
 * incompressible data, and the size must still fit into 32 bits.
 */
#define ROOMS_ZIP_SMALL     0xff000000u

#define ROOMS_ZIP_UNIX      3               /* 4.4.2: made by */
#define ROOMS_ZIP_ATTRS     (0100644u << 16)


static int rooms_zip_central(rooms_zip_writer_t *w);
static int rooms_zip_begin_fault(rooms_zip_writer_t *w,
    const rooms_zip_entry_t *e, size_t size);
static int rooms_zip_deflate_start(rooms_zip_writer_t *w, int level);
static u_char *rooms_zip_local(rooms_zip_writer_t *w, u_char *p);
static void rooms_zip_time(rooms_zip_writer_t *w, int64_t ms);
static int rooms_zip_append(rooms_zip_writer_t *w, const u_char *p,
    size_t len);
static void rooms_zip_end_records(rooms_zip_writer_t *w);
static int rooms_zip_failed(rooms_zip_writer_t *w, const char *error);
static u_char *rooms_zip_time_extra(rooms_zip_writer_t *w, u_char *p);


static int
rooms_zip_failed(rooms_zip_writer_t *w, const char *error)
{
    w->state = ROOMS_ZIP_FAILED;

    if (w->error == NULL) {
        w->error = error;
    }

    return -1;
}


void
rooms_zip_writer_init(rooms_zip_writer_t *w, rooms_zip_alloc_pt alloc,
    void *ctx)
{
    memset(w, 0, sizeof(rooms_zip_writer_t));

    w->alloc = alloc;
    w->alloc_ctx = ctx;
    w->zlevel = -1;
}


void
rooms_zip_writer_cleanup(rooms_zip_writer_t *w)
{
    if (w->zlevel != -1) {
        deflateEnd(&w->zstream);
        w->zlevel = -1;
    }

    (void) rooms_zip_failed(w, "the writer was cleaned up");
}


ssize_t
rooms_zip_begin(rooms_zip_writer_t *w, const rooms_zip_entry_t *e,
    u_char *buf, size_t size)
{
    u_char  *p;

    if (rooms_zip_begin_fault(w, e, size) != 0) {
        return -1;
    }

    w->local = w->offset;
    w->method = (uint16_t) e->method;
    w->flags = ROOMS_ZIP_F_UTF8 | (e->known ? 0 : ROOMS_ZIP_F_DESCRIPTOR);
    w->crc = e->known ? e->crc : 0;
    w->usize = e->known ? e->size : 0;
    w->csize = w->usize;
    w->bound = e->size;
    w->zip64 = e->known ? e->size >= ROOMS_ZIP_MAX32
                        : e->size > ROOMS_ZIP_SMALL;
    w->name_len = e->name.len;
    memcpy(w->name, e->name.data, e->name.len);
    rooms_zip_time(w, e->mtime);

    if (e->method == ROOMS_ZIP_DEFLATE
        && rooms_zip_deflate_start(w, e->level) != 0)
    {
        return rooms_zip_failed(w, "deflate could not be initialised");
    }

    p = rooms_zip_local(w, buf);

    w->offset += p - buf;

    if (e->known) {
        w->offset += e->size;
        w->state = ROOMS_ZIP_IN_KNOWN;

    } else {
        w->state = e->method == ROOMS_ZIP_STORE ? ROOMS_ZIP_IN_STORED
                                                : ROOMS_ZIP_IN_DEFLATE;
    }

    return p - buf;
}


static int
rooms_zip_begin_fault(rooms_zip_writer_t *w, const rooms_zip_entry_t *e,
    size_t size)
{
    const char  *fault;

    if (w->state != ROOMS_ZIP_IDLE) {
        return rooms_zip_failed(w, "an entry begins out of turn");
    }

    if (size < ROOMS_ZIP_HEADER_MAX) {
        return rooms_zip_failed(w, "the buffer is too small for a header");
    }

    if (e->method != ROOMS_ZIP_STORE
        && (e->method != ROOMS_ZIP_DEFLATE || e->known))
    {
        return rooms_zip_failed(w, "the method can't be written");
    }

    fault = e->name.len > ROOMS_ZIP_NAME_MAX
            ? "the name is longer than 512 bytes"
            : rooms_zip_name_fault(e->name);

    return fault ? rooms_zip_failed(w, fault) : 0;
}


static int
rooms_zip_deflate_start(rooms_zip_writer_t *w, int level)
{
    if (w->zlevel == level) {
        return deflateReset(&w->zstream) == Z_OK ? 0 : -1;
    }

    if (w->zlevel != -1) {
        deflateEnd(&w->zstream);
        w->zlevel = -1;
    }

    if (level < 0
        || deflateInit2(&w->zstream, level, Z_DEFLATED, -MAX_WBITS,
                        MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY)
           != Z_OK)
    {
        return -1;
    }

    w->zlevel = level;

    return 0;
}


/* 4.3.7; the ZIP64 field of a local header must have both sizes (4.5.3) */

static u_char *
rooms_zip_local(rooms_zip_writer_t *w, u_char *p)
{
    size_t  extra;

    extra = (w->zip64 ? 20 : 0) + (w->unix_time != -1 ? 9 : 0);

    p = rooms_zip_put32(p, ROOMS_ZIP_LOCAL_SIG);
    p = rooms_zip_put16(p, w->zip64 ? 45 : 20);
    p = rooms_zip_put16(p, w->flags);
    p = rooms_zip_put16(p, w->method);
    p = rooms_zip_put32(p, w->dos);
    p = rooms_zip_put32(p, w->crc);
    p = rooms_zip_put32(p, w->zip64 ? ROOMS_ZIP_MAX32 : (uint32_t) w->csize);
    p = rooms_zip_put32(p, w->zip64 ? ROOMS_ZIP_MAX32 : (uint32_t) w->usize);
    p = rooms_zip_put16(p, (uint32_t) w->name_len);
    p = rooms_zip_put16(p, (uint32_t) extra);

    memcpy(p, w->name, w->name_len);
    p += w->name_len;

    if (w->zip64) {
        p = rooms_zip_put16(p, ROOMS_ZIP_X_ZIP64);
        p = rooms_zip_put16(p, 16);
        p = rooms_zip_put64(p, w->usize);
        p = rooms_zip_put64(p, w->csize);
    }

    return rooms_zip_time_extra(w, p);
}


static u_char *
rooms_zip_time_extra(rooms_zip_writer_t *w, u_char *p)
{
    if (w->unix_time == -1) {
        return p;
    }

    p = rooms_zip_put16(p, ROOMS_ZIP_X_TIME);
    p = rooms_zip_put16(p, 5);
    *p++ = 1;

    return rooms_zip_put32(p, (uint32_t) w->unix_time);
}


/*
 * DOS times have no zone and steps of 2 s.  We write UTC, and the exact
 * second in an extra field, if it fits into 31 bits; Info-ZIP, 7-Zip and Java
 * prefer that.
 */

static void
rooms_zip_time(rooms_zip_writer_t *w, int64_t ms)
{
    int      year, month, day;
    int64_t  sec;

    sec = ms / 1000 - (ms % 1000 < 0);
    w->unix_time = (sec >= 0 && sec <= INT32_MAX) ? sec : -1;

    /* 1980-01-01T00:00:00Z to 2107-12-31T23:59:58Z */

    sec = sec < 315532800 ? 315532800 : sec;
    sec = sec > 4354819198 ? 4354819198 : sec;

    rooms_time_date(sec / 86400, &year, &month, &day);
    sec %= 86400;

    w->dos = (uint32_t) (year - 1980) << 25 | (uint32_t) month << 21
             | (uint32_t) day << 16
             | (uint32_t) ((sec / 3600) << 11 | (sec / 60 % 60) << 5
                           | (sec % 60) / 2);
}


int
rooms_zip_stored(rooms_zip_writer_t *w, const u_char *data, size_t len)
{
    if (w->state != ROOMS_ZIP_IN_STORED) {
        return rooms_zip_failed(w, "stored bytes come out of turn");
    }

    w->crc = (uint32_t) crc32_z(w->crc, data, len);
    w->usize += len;
    w->csize += len;
    w->offset += len;

    if (w->usize > w->bound) {
        return rooms_zip_failed(w, "the entry is longer than its bound");
    }

    return 0;
}


ssize_t
rooms_zip_deflate(rooms_zip_writer_t *w, const u_char **in, size_t *len,
    u_char *out, size_t size, int finish)
{
    int        rc;
    size_t     taken, made;
    z_stream  *z;

    if (w->state == ROOMS_ZIP_DEFLATED && *len == 0) {
        return 0;
    }

    if (w->state != ROOMS_ZIP_IN_DEFLATE || size > UINT32_MAX
        || *len > UINT32_MAX)
    {
        return rooms_zip_failed(w, "bytes to deflate come out of turn");
    }

    z = &w->zstream;
    z->next_in = (u_char *) *in;
    z->avail_in = (uInt) *len;
    z->next_out = out;
    z->avail_out = (uInt) size;

    rc = deflate(z, finish ? Z_FINISH : Z_NO_FLUSH);

    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
        return rooms_zip_failed(w, "deflate failed");
    }

    taken = *len - z->avail_in;
    made = size - z->avail_out;

    if (taken) {
        w->crc = (uint32_t) crc32_z(w->crc, *in, taken);
    }

    *in += taken;
    *len -= taken;

    w->usize += taken;
    w->csize += made;
    w->offset += made;

    if (w->usize > w->bound) {
        return rooms_zip_failed(w, "the entry is longer than its bound");
    }

    if (rc == Z_STREAM_END) {
        w->state = ROOMS_ZIP_DEFLATED;
    }

    return (ssize_t) made;
}


ssize_t
rooms_zip_end(rooms_zip_writer_t *w, u_char *buf, size_t size)
{
    u_char  *p;

    if (w->state != ROOMS_ZIP_IN_KNOWN && w->state != ROOMS_ZIP_IN_STORED
        && w->state != ROOMS_ZIP_DEFLATED)
    {
        return rooms_zip_failed(w, "an entry ends out of turn");
    }

    if (size < ROOMS_ZIP_DESCRIPTOR_LEN) {
        return rooms_zip_failed(w, "the buffer is too small for a trailer");
    }

    if (rooms_zip_central(w) != 0) {
        return rooms_zip_failed(w, "no memory for the central directory");
    }

    p = buf;

    if (w->state != ROOMS_ZIP_IN_KNOWN) {
        p = rooms_zip_put32(p, ROOMS_ZIP_DESCRIPTOR_SIG);
        p = rooms_zip_put32(p, w->crc);

        if (w->zip64) {
            p = rooms_zip_put64(p, w->csize);
            p = rooms_zip_put64(p, w->usize);

        } else {
            p = rooms_zip_put32(p, (uint32_t) w->csize);
            p = rooms_zip_put32(p, (uint32_t) w->usize);
        }
    }

    w->offset += p - buf;
    w->entries++;
    w->state = ROOMS_ZIP_IDLE;

    return p - buf;
}


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


/* 4.3.12; here the ZIP64 field has only what doesn't fit (4.5.3) */

static int
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
