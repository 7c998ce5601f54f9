/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                   /* qsort_r() */
#endif

/*
 * Reads the end of an archive and the central directory, and checks the rules
 * for each entry.
 */

#include "rooms_zip_reader.h"
#include "rooms_zip_name.h"
#include <stdlib.h>


#define ROOMS_ZIP_MODE_TYPE     0170000
#define ROOMS_ZIP_MODE_DIR      0040000
#define ROOMS_ZIP_MODE_FILE     0100000
#define ROOMS_ZIP_DOS_DIR       0x10

#define ROOMS_ZIP_REFUSED_FLAGS                                               \
    (ROOMS_ZIP_F_ENCRYPTED | ROOMS_ZIP_F_PATCH | ROOMS_ZIP_F_STRONG           \
     | ROOMS_ZIP_F_MASKED)


static int rooms_zip_find_end(rooms_zip_reader_t *rd, uint64_t *end);
static int rooms_zip_read_end64(rooms_zip_reader_t *rd, uint64_t end,
    uint64_t *stop);
static int rooms_zip_read_item(rooms_zip_reader_t *rd, uint64_t *pos);
static const char *rooms_zip_item_path(rooms_zip_reader_t *rd,
    const u_char *rec, rooms_str_t *zip64, rooms_str_t *path);
static int rooms_zip_keep_name(rooms_zip_reader_t *rd, rooms_zip_item_t *item,
    rooms_str_t path);
static int rooms_zip_item_sizes(rooms_zip_reader_t *rd,
    rooms_zip_item_t *item, const u_char *rec, rooms_str_t zip64,
    uint64_t pos);
static int rooms_zip_item_rules(rooms_zip_reader_t *rd,
    rooms_zip_item_t *item, const u_char *rec, uint64_t pos);
static int rooms_zip_cmp_offsets(const void *one, const void *two);
static int rooms_zip_cmp_names(const void *one, const void *two, void *ctx);
static int rooms_zip_index_names(rooms_zip_reader_t *rd);


/*
 * The end record is the last record, but the comment after it may contain
 * anything, even another end record.  Programs disagree which one counts
 * then.  We take the last signature in the file.  Its comment must reach
 * exactly to the end, and no earlier signature may fit as well.  NULs may
 * follow, since bsdtar fills its last block with them.
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
                              "this is not a ZIP archive: it is too short");
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
                              "this is not a complete ZIP archive: its end "
                              "record is missing");
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
 * 4.3.14, 4.3.15.  The ZIP64 end record and its locator stand right before
 * the end record, and must agree with it in all that fits there.
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


/* Walks over the central directory and checks each entry. */


int
rooms_zip_read_directory(rooms_zip_reader_t *rd)
{
    size_t    n;
    uint64_t  i, pos;

    /* bounded by the limit, and by the bytes that are there */

    n = rd->declared ? (size_t) rd->declared : 1;

    rd->items = calloc(n, sizeof(rooms_zip_item_t));
    rd->by_name = calloc(n, sizeof(uint32_t));

    if (rd->items == NULL || rd->by_name == NULL || n > UINT32_MAX) {
        return rooms_zip_fail(rd, ROOMS_ZIP_NOMEM, NULL, rd->directory,
                              "no memory for the central directory");
    }

    pos = rd->directory;

    for (i = 0; i < rd->declared; i++) {
        if (rooms_zip_read_item(rd, &pos) != 0) {
            return -1;
        }
    }

    if (pos != rd->directory + rd->directory_len) {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, pos,
                              "the central directory has more than its %llu "
                              "entries", (unsigned long long) rd->declared);
    }

    return rooms_zip_index_names(rd);
}


static int
rooms_zip_read_item(rooms_zip_reader_t *rd, uint64_t *pos)
{
    size_t             name_len, extra_len, len;
    uint64_t           left, at;
    const char        *fault;
    rooms_str_t        zip64, path;
    const u_char      *p;
    rooms_zip_item_t  *item;

    at = *pos;
    left = rd->directory + rd->directory_len - at;

    p = left < ROOMS_ZIP_CENTRAL_LEN
        ? NULL : rooms_zip_at(rd, at, ROOMS_ZIP_CENTRAL_LEN,
                              ROOMS_ZIP_WINDOW);

    if (p == NULL || rooms_zip_get32(p) != ROOMS_ZIP_CENTRAL_SIG) {
        return rd->code == ROOMS_ZIP_IO ? -1
               : rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, at,
                                "the central directory is damaged");
    }

    name_len = rooms_zip_get16(p + 28);
    extra_len = rooms_zip_get16(p + 30);
    len = ROOMS_ZIP_CENTRAL_LEN + name_len + extra_len;

    if (left < len + rooms_zip_get16(p + 32)) {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, at,
                              "the central directory is cut off");
    }

    *pos = at + len + rooms_zip_get16(p + 32);

    if (name_len > ROOMS_ZIP_NAME_MAX || extra_len > ROOMS_ZIP_EXTRA_MAX) {
        (void) rooms_zip_fail(rd, ROOMS_ZIP_INVALID, NULL, at,
                              "an entry's %s is longer than %d bytes",
                              name_len > ROOMS_ZIP_NAME_MAX ? "name" : "extra",
                              name_len > ROOMS_ZIP_NAME_MAX
                              ? ROOMS_ZIP_NAME_MAX : ROOMS_ZIP_EXTRA_MAX);
        return rooms_zip_soft(rd);
    }

    p = rooms_zip_at(rd, at, len, ROOMS_ZIP_WINDOW);

    if (p == NULL) {
        return -1;
    }

    item = &rd->items[rd->nitems];

    fault = rooms_zip_item_path(rd, p, &zip64, &path);

    if (rooms_zip_keep_name(rd, item, path) != 0) {
        return -1;
    }

    if (fault) {
        (void) rooms_zip_fail(rd, ROOMS_ZIP_INVALID, item, at, "%s", fault);
        return rooms_zip_soft(rd);
    }

    if (rooms_zip_item_sizes(rd, item, p, zip64, at) != 0
        || rooms_zip_item_rules(rd, item, p, at) != 0)
    {
        return rooms_zip_soft(rd);
    }

    rd->nitems++;

    return 0;
}


/* If the extra fields are malformed, uses only the name. */
static const char *
rooms_zip_item_path(rooms_zip_reader_t *rd, const u_char *rec,
    rooms_str_t *zip64, rooms_str_t *path)
{
    const char   *fault, *other;
    rooms_str_t   name, unicode;

    name.data = rec + ROOMS_ZIP_CENTRAL_LEN;
    name.len = rooms_zip_get16(rec + 28);

    fault = rooms_zip_extra(name.data + name.len, rooms_zip_get16(rec + 30),
                            zip64, &unicode);

    other = rooms_zip_header_path(rd, rooms_zip_get16(rec + 8), name,
                                  fault ? ROOMS_NULL : unicode, path);

    return fault ? fault : other;
}


/*
 * A Unicode path (4.6.9) replaces the name, if its CRC is of this name.  If
 * the name is marked as UTF-8, both must be equal.
 */

const char *
rooms_zip_header_path(rooms_zip_reader_t *rd, uint32_t flags,
    rooms_str_t name, rooms_str_t unicode, rooms_str_t *path)
{
    const char  *fault;

    fault = NULL;
    flags &= ROOMS_ZIP_F_UTF8;

    if (unicode.data) {

        if (unicode.len < 5 || unicode.data[0] != 1
            || unicode.len - 5 > ROOMS_ZIP_NAME_MAX
            || rooms_zip_get32(unicode.data + 1)
               != crc32_z(0, name.data, name.len)
            || (flags
                && (unicode.len - 5 != name.len
                    || memcmp(unicode.data + 5, name.data, name.len) != 0)))
        {
            fault = "it has two different names";

        } else {
            flags = ROOMS_ZIP_F_UTF8;
            name.data = unicode.data + 5;
            name.len = unicode.len - 5;
        }
    }

    path->data = rd->path;
    path->len = rooms_zip_name_path(name, flags != 0, rd->path);

    return fault;
}


static int
rooms_zip_keep_name(rooms_zip_reader_t *rd, rooms_zip_item_t *item,
    rooms_str_t path)
{
    size_t   size;
    u_char  *names;

    if (rd->names_size - rd->names_len <= path.len) {
        size = rd->names_size ? rd->names_size * 2 : 16 * 1024;

        if (size > ROOMS_ZIP_NAMES_MAX) {
            return rooms_zip_fail(rd, ROOMS_ZIP_TOO_LARGE, NULL,
                                  rd->directory,
                                  "the names of the entries exceed 32 MiB");
        }

        names = realloc(rd->names, size);

        if (names == NULL) {
            return rooms_zip_fail(rd, ROOMS_ZIP_NOMEM, NULL, rd->directory,
                                  "no memory for the names of the entries");
        }

        rd->names = names;
        rd->names_size = size;
    }

    item->name = (uint32_t) rd->names_len;
    item->name_len = (uint16_t) path.len;

    memcpy(rd->names + rd->names_len, path.data, path.len);
    rd->names_len += path.len;

    return 0;
}


/*
 * 4.5.3: the ZIP64 field has only the values that are all ones in the header.
 * But some writers put all values there.
 */

const char *
rooms_zip64_fields(rooms_str_t zip64, uint64_t *fields[], size_t n,
    uint32_t *disk, int later)
{
    int            all, ones;
    size_t         i, needed;
    uint64_t       v;
    const u_char  *p, *end;

    for (needed = 0, i = 0; i < n; i++) {
        needed += *fields[i] == ROOMS_ZIP_MAX32;
    }

    if (zip64.len < 8 * needed) {
        return "its ZIP64 field is missing or too short";
    }

    if (zip64.len == 0) {
        return NULL;
    }

    ones = disk && *disk == ROOMS_ZIP_MAX16;
    all = zip64.len != 8 * needed && (!ones || zip64.len != 8 * needed + 4);

    p = zip64.data;
    end = p + zip64.len;

    for (i = 0; i < n && end - p >= 8; i++) {

        if (!all && *fields[i] != ROOMS_ZIP_MAX32) {
            continue;
        }

        v = rooms_zip_get64(p);
        p += 8;

        if (*fields[i] == ROOMS_ZIP_MAX32) {
            *fields[i] = v;
            needed--;

        } else if (later && *fields[i] == 0) {
            *fields[i] = v;

        } else if (*fields[i] != v && !(later && v == 0)) {
            return "its ZIP64 field contradicts its header";
        }
    }

    if (disk && end - p == 4 && (ones || *disk == rooms_zip_get32(p))) {
        *disk = rooms_zip_get32(p);
        p = end;
    }

    return p == end && needed == 0
           ? NULL : "its ZIP64 field contradicts its header";
}


static int
rooms_zip_item_sizes(rooms_zip_reader_t *rd, rooms_zip_item_t *item,
    const u_char *rec, rooms_str_t zip64, uint64_t pos)
{
    uint32_t     disk;
    const char  *fault;

    item->csize = rooms_zip_get32(rec + 20);
    item->usize = rooms_zip_get32(rec + 24);
    item->offset = rooms_zip_get32(rec + 42);
    disk = rooms_zip_get16(rec + 34);

    fault = rooms_zip64_fields(zip64, (uint64_t *[]) { &item->usize,
                                                       &item->csize,
                                                       &item->offset },
                               3, &disk, 0);

    if (fault == NULL && disk != 0) {
        fault = "it is on another disk";
    }

    return fault ? rooms_zip_fail(rd, ROOMS_ZIP_INVALID, item, pos, "%s",
                                  fault)
                 : 0;
}


static int
rooms_zip_item_rules(rooms_zip_reader_t *rd, rooms_zip_item_t *item,
    const u_char *rec, uint64_t pos)
{
    uint32_t      mode, attrs;
    const char   *fault;
    rooms_str_t   name;

    item->flags = (uint16_t) rooms_zip_get16(rec + 8);
    item->method = (uint16_t) rooms_zip_get16(rec + 10);
    item->crc = rooms_zip_get32(rec + 16);

    name.data = rd->names + item->name;
    name.len = item->name_len;
    fault = rooms_zip_name_fault(name);

    item->is_dir = name.len && name.data[name.len - 1] == '/';

    attrs = rooms_zip_get32(rec + 38);
    mode = (attrs >> 16) & ROOMS_ZIP_MODE_TYPE;

    if (fault) {
        /* void */

    } else if (item->flags & ROOMS_ZIP_REFUSED_FLAGS) {
        fault = "it is encrypted or a patch";

    } else if (item->method != ROOMS_ZIP_STORE
               && item->method != ROOMS_ZIP_DEFLATE)
    {
        fault = "its method is neither store nor deflate";

    } else if (mode != 0 && mode != ROOMS_ZIP_MODE_FILE
               && mode != ROOMS_ZIP_MODE_DIR)
    {
        fault = "it is a symbolic link or a special file";

    } else if (!item->is_dir
               && (mode == ROOMS_ZIP_MODE_DIR || attrs & ROOMS_ZIP_DOS_DIR))
    {
        fault = "it is a directory without a slash";

    } else if (item->is_dir
               && (item->usize != 0 || item->crc != 0 || item->csize > 2))
    {
        fault = "it is a directory with data";

    } else if (item->method == ROOMS_ZIP_STORE
               && item->csize != item->usize)
    {
        fault = "it is stored, but its sizes differ";
    }

    if (fault) {
        return rooms_zip_fail(rd, ROOMS_ZIP_INVALID, item, pos, "%s", fault);
    }

    if (item->usize > rd->limits.unpacked - rd->unpacked
        || item->usize > INT64_MAX)
    {
        return rooms_zip_fail(rd, ROOMS_ZIP_TOO_LARGE, item, pos,
                              "more than the %llu unpacked bytes that "
                              "rooms_import_limits allows",
                              (unsigned long long) rd->limits.unpacked);
    }

    rd->unpacked += item->usize;

    return 0;
}


/*
 * Extra fields (4.5.1): a sequence of id, length and data.  A rest shorter
 * than a header is padding.
 */

const char *
rooms_zip_extra(const u_char *p, size_t len, rooms_str_t *zip64,
    rooms_str_t *unicode)
{
    uint32_t      id, n;
    rooms_str_t  *field;

    *zip64 = ROOMS_NULL;
    *unicode = ROOMS_NULL;

    while (len >= 4) {
        id = rooms_zip_get16(p);
        n = rooms_zip_get16(p + 2);
        p += 4;
        len -= 4;

        if (n > len) {
            return "its extra fields are cut off";
        }

        field = id == ROOMS_ZIP_X_ZIP64 ? zip64
                : id == ROOMS_ZIP_X_UNICODE_PATH ? unicode : NULL;

        if (field) {

            if (field->data) {
                return "it has two ZIP64 fields, or two Unicode paths";
            }

            field->data = p;
            field->len = n;
        }

        p += n;
        len -= n;
    }

    return NULL;
}


/* Sorts the entries by offset, and their names. */


/* Once the names are sorted, equal ones are neighbours. */

static int
rooms_zip_index_names(rooms_zip_reader_t *rd)
{
    size_t              i;
    rooms_str_t         a, b;
    rooms_zip_item_t   *item;

    /*
     * from now on items are in the order of the file, so it is read only once
     */

    qsort(rd->items, rd->nitems, sizeof(rooms_zip_item_t),
          rooms_zip_cmp_offsets);

    for (i = 0; i < rd->nitems; i++) {
        rd->by_name[i] = (uint32_t) i;
    }

    qsort_r(rd->by_name, rd->nitems, sizeof(uint32_t), rooms_zip_cmp_names,
            rd);

    b = ROOMS_NULL;

    for (i = 0; i < rd->nitems; i++) {
        item = &rd->items[rd->by_name[i]];
        a = rooms_zip_item_name(rd, rd->by_name[i]);

        if (i && rooms_str_eq(a, b)) {
            (void) rooms_zip_fail(rd, ROOMS_ZIP_INVALID, item, item->offset,
                                  "another entry has this name");

            if (rooms_zip_soft(rd) != 0) {
                return -1;
            }
        }

        b = a;
    }

    return 0;
}


static int
rooms_zip_cmp_offsets(const void *one, const void *two)
{
    uint64_t  a, b;

    a = ((const rooms_zip_item_t *) one)->offset;
    b = ((const rooms_zip_item_t *) two)->offset;

    return (a > b) - (a < b);
}


static int
rooms_zip_cmp_names(const void *one, const void *two, void *ctx)
{
    int          rc;
    rooms_str_t  a, b;

    a = rooms_zip_item_name(ctx, *(const uint32_t *) one);
    b = rooms_zip_item_name(ctx, *(const uint32_t *) two);

    rc = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

    return rc ? rc : (a.len > b.len) - (a.len < b.len);
}


rooms_str_t
rooms_zip_item_name(const rooms_zip_reader_t *rd, size_t i)
{
    return (rooms_str_t) { rd->items[i].name_len,
                           rd->names + rd->items[i].name };
}


static size_t
rooms_zip_depth(rooms_str_t root)
{
    size_t  i, n;

    for (n = 0, i = 0; i < root.len; i++) {
        n += root.data[i] == '/';
    }

    return n;
}


ssize_t
rooms_zip_manifest(const rooms_zip_reader_t *rd, rooms_str_t *root)
{
    size_t       i, depth, least;
    ssize_t      found;
    rooms_str_t  folder;

    found = -1;
    least = SIZE_MAX;
    *root = rooms_cstr("");

    for (i = 0; i < rd->nitems; i++) {

        if (rd->items[i].is_dir
            || !rooms_bundle_manifest(rooms_zip_item_name(rd, i), &folder))
        {
            continue;
        }

        depth = rooms_zip_depth(folder);

        if (depth < least) {
            least = depth;
            found = i;
            *root = folder;

        } else if (depth == least) {
            found = -2;
        }
    }

    return found;
}
