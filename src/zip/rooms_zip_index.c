/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The order of the entries in the file, and their names in order. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                   /* qsort_r() */
#endif

#include "rooms_zip_reader.h"
#include "rooms_zip_name.h"

#include <stdlib.h>


static int rooms_zip_cmp_offsets(const void *one, const void *two);
static int rooms_zip_cmp_names(const void *one, const void *two, void *ctx);
static size_t rooms_zip_lower_bound(const rooms_zip_reader_t *rd,
    rooms_str_t name);


/* Sorted, a double is the neighbour. */

int
rooms_zip_index_names(rooms_zip_reader_t *rd)
{
    size_t              i;
    rooms_str_t         a, b;
    rooms_zip_item_t   *item;

    /* reads go through the file once: items in its order, from now on */

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
rooms_zip_lower_bound(const rooms_zip_reader_t *rd, rooms_str_t name)
{
    int          rc;
    size_t       low, high, mid;
    rooms_str_t  s;

    low = 0;
    high = rd->nitems;

    while (low < high) {
        mid = low + (high - low) / 2;
        s = rooms_zip_item_name(rd, rd->by_name[mid]);

        rc = memcmp(s.data, name.data, s.len < name.len ? s.len : name.len);

        if (rc < 0 || (rc == 0 && s.len < name.len)) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return low;
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


ssize_t
rooms_zip_find(const rooms_zip_reader_t *rd, rooms_str_t name)
{
    size_t  i;

    i = rooms_zip_lower_bound(rd, name);

    return i < rd->nitems
           && rooms_str_eq(rooms_zip_item_name(rd, rd->by_name[i]), name)
           ? (ssize_t) rd->by_name[i] : -1;
}


ssize_t
rooms_zip_find_below(const rooms_zip_reader_t *rd, rooms_str_t prefix)
{
    size_t       i;
    rooms_str_t  s;

    for (i = rooms_zip_lower_bound(rd, prefix); i < rd->nitems; i++) {
        s = rooms_zip_item_name(rd, rd->by_name[i]);

        if (s.len < prefix.len || memcmp(s.data, prefix.data, prefix.len)) {
            break;
        }

        if (!rd->items[rd->by_name[i]].is_dir) {
            return (ssize_t) rd->by_name[i];
        }
    }

    return -1;
}
