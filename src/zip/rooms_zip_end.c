/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The end of an archive: where it is, and what it says of the rest. */

#include "rooms_zip_reader.h"


static int rooms_zip_find_end(rooms_zip_reader_t *rd, uint64_t *end);
static int rooms_zip_read_end64(rooms_zip_reader_t *rd, uint64_t end,
    uint64_t *stop);


/*
 * The end record is the last thing of a file, but for a comment that can
 * hold anything, another end record too; programs disagree which one then
 * counts.  Ours is the last signature in the file, whose comment must
 * reach just to the end, and no earlier one may claim the same.  NULs may
 * follow, with which bsdtar fills its last block.
 */

static size_t
rooms_zip_unpadded(const u_char *p, size_t len)
{
    while (len && p[len - 1] == 0) {
        len--;
    }

    return len;
}


static int
rooms_zip_find_end(rooms_zip_reader_t *rd, uint64_t *end)
{
    size_t         len, least, i, found;
    uint64_t       start;
    const u_char  *p;

    if (rd->size < ROOMS_ZIP_END_LEN) {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, 0,
                              "this is no ZIP archive, it is too short");
    }

    len = ROOMS_ZIP_END_LEN + ROOMS_ZIP_MAX16;
    len = rd->size < len ? (size_t) rd->size : len;
    start = rd->size - len;

    p = rooms_zip_at(rd, start, len, len);

    if (p == NULL) {
        return -1;
    }

    found = len;
    least = rooms_zip_unpadded(p, len);

    for (i = len - 3; i-- > 0; /* void */) {

        if (rooms_zip_get32(p + i) != ROOMS_ZIP_END_SIG) {
            continue;
        }

        if (i + ROOMS_ZIP_END_LEN <= len
            && rooms_zip_get16(p + i + 20) <= len - i - ROOMS_ZIP_END_LEN
            && rooms_zip_get16(p + i + 20) + i + ROOMS_ZIP_END_LEN >= least)
        {
            if (found != len) {
                return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, start + i,
                                      "there are two end records");
            }

            found = i;
            continue;
        }

        if (found == len) {
            return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, start + i,
                                  "the end record is cut off, or bytes "
                                  "follow it");
        }
    }

    if (found == len) {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, rd->size,
                              "this is no whole ZIP archive, its end record "
                              "is missing");
    }

    *end = start + found;

    return 0;
}


int
rooms_zip_read_end(rooms_zip_reader_t *rd)
{
    uint64_t       end, stop;
    const u_char  *p;

    end = 0;

    if (rooms_zip_find_end(rd, &end) != 0) {
        return -1;
    }

    p = rooms_zip_at(rd, end, ROOMS_ZIP_END_LEN, 0);

    if (p == NULL) {
        return -1;
    }

    if (rooms_zip_get16(p + 4) != 0 || rooms_zip_get16(p + 6) != 0
        || rooms_zip_get16(p + 8) != rooms_zip_get16(p + 10))
    {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, end,
                              "the archive has several disks");
    }

    rd->declared = rooms_zip_get16(p + 10);
    rd->directory_len = rooms_zip_get32(p + 12);
    rd->directory = rooms_zip_get32(p + 16);
    stop = end;

    if (rooms_zip_read_end64(rd, end, &stop) != 0) {
        return -1;
    }

    if (rd->directory > stop || rd->directory_len != stop - rd->directory) {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, end,
                              "the central directory is not where the end "
                              "record says");
    }

    if (rd->declared > rd->limits.entries) {
        return rooms_zip_fail(rd, ROOMS_ZIP_TOO_LARGE, NULL, end,
                              "%llu entries, rooms_import_limits allows %llu",
                              (unsigned long long) rd->declared,
                              (unsigned long long) rd->limits.entries);
    }

    if (rd->declared > rd->directory_len / ROOMS_ZIP_CENTRAL_LEN) {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, end,
                              "the central directory is too short for its "
                              "%llu entries",
                              (unsigned long long) rd->declared);
    }

    return 0;
}


/*
 * 4.3.14, 4.3.15.  The record and its locator stand right before the end
 * record, and say the same wherever that one can hold it.
 */

static int
rooms_zip_read_end64(rooms_zip_reader_t *rd, uint64_t end, uint64_t *stop)
{
    uint64_t       offset, locator, entries, size, directory;
    const u_char  *p;

    if (end < ROOMS_ZIP_END64_LEN + ROOMS_ZIP_LOCATOR_LEN) {
        return 0;
    }

    locator = end - ROOMS_ZIP_LOCATOR_LEN;
    p = rooms_zip_at(rd, locator, ROOMS_ZIP_LOCATOR_LEN, 0);

    if (p == NULL) {
        return -1;
    }

    if (rooms_zip_get32(p) != ROOMS_ZIP_LOCATOR_SIG) {
        return 0;
    }

    offset = rooms_zip_get64(p + 8);

    if (rooms_zip_get32(p + 4) != 0 || rooms_zip_get32(p + 16) > 1) {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, locator,
                              "the archive has several disks");
    }

    if (offset > locator || locator - offset < ROOMS_ZIP_END64_LEN) {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, locator,
                              "the ZIP64 end record is not where its "
                              "locator says");
    }

    p = rooms_zip_at(rd, offset, ROOMS_ZIP_END64_LEN, 0);

    if (p == NULL) {
        return -1;
    }

    if (rooms_zip_get32(p) != ROOMS_ZIP_END64_SIG
        || rooms_zip_get64(p + 4) != locator - offset - 12)
    {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, offset,
                              "the ZIP64 end record is damaged");
    }

    entries = rooms_zip_get64(p + 32);
    size = rooms_zip_get64(p + 40);
    directory = rooms_zip_get64(p + 48);

    if (rooms_zip_get32(p + 16) != 0 || rooms_zip_get32(p + 20) != 0
        || rooms_zip_get64(p + 24) != entries)
    {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, offset,
                              "the archive has several disks");
    }

    if ((rd->declared != ROOMS_ZIP_MAX16 && rd->declared != entries)
        || (rd->directory_len != ROOMS_ZIP_MAX32 && rd->directory_len != size)
        || (rd->directory != ROOMS_ZIP_MAX32 && rd->directory != directory))
    {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, offset,
                              "the ZIP64 end record contradicts the end "
                              "record");
    }

    rd->declared = entries;
    rd->directory_len = size;
    rd->directory = directory;
    *stop = offset;

    return 0;
}
