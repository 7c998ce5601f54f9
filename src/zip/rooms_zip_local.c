/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Local headers and data descriptors against the central directory. */

#include "rooms_zip_reader.h"


/* flags that both headers must agree on */
#define ROOMS_ZIP_SAME_FLAGS                                                  \
    (ROOMS_ZIP_F_ENCRYPTED | ROOMS_ZIP_F_DESCRIPTOR | ROOMS_ZIP_F_PATCH       \
     | ROOMS_ZIP_F_STRONG | ROOMS_ZIP_F_UTF8 | ROOMS_ZIP_F_MASKED)

#define ROOMS_ZIP_AHEAD    4096


static int rooms_zip_check_local(rooms_zip_reader_t *rd,
    rooms_zip_item_t *item, uint64_t *end);
static int rooms_zip_no_gap(rooms_zip_reader_t *rd, uint64_t end,
    uint64_t next);
static const char *rooms_zip_local_sizes(const rooms_zip_item_t *item,
    const u_char *rec, rooms_str_t zip64);
static int rooms_zip_descriptor(rooms_zip_reader_t *rd,
    const rooms_zip_item_t *item, uint64_t *end);


/*
 * Items are in the order of their offsets here, so two of them overlap if
 * and only if two neighbours do.
 */

int
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
 * What the directory doesn't tell of, a program that reads from the front
 * would find all the same.  In a dry run, entries that were refused before
 * leave gaps of their own.
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
                              "its local header is damaged, or not the one "
                              "that the central directory tells of");
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
 * Where a data descriptor follows, the header's fields are zero; programs
 * that can seek write the values there too, and then they must be right.
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
 * 4.3.9: the signature is optional, and the sizes have 4 or 8 bytes; which
 * is nowhere said for sure.  One of the four forms must say what the
 * central directory says.
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
