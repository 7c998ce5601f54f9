/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer: any bytes as a ZIP archive.  It is opened, also as in a dry run,
 * and all its entries are read.  An accepted archive must keep the reader's
 * promises.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rooms_faults.h"
#include "rooms_zip_name.h"
#include "rooms_zip_reader.h"


static void
must(int ok)
{
    if (!ok) {
        abort();
    }
}


static void
read_entries(rooms_zip_reader_t *rd, const rooms_zip_limits_t *limits)
{
    size_t       i;
    ssize_t      n;
    u_char       buf[5000];
    uint64_t     total, end;
    rooms_str_t  name, root, sha;

    n = rooms_zip_manifest(rd, &root);
    must(n < (ssize_t) rd->nitems);
    must(n < 0 || rooms_bundle_kind(rooms_zip_item_name(rd, n), root, &sha)
                  == ROOMS_BUNDLE_MANIFEST);
    end = 0;

    for (i = 0; i < rd->nitems; i++) {
        name = rooms_zip_item_name(rd, i);

        must(rooms_zip_name_fault(name) == NULL);
        must(rd->items[i].offset >= end);
        end = rd->items[i].data + rd->items[i].csize;
        must(end <= rd->size);
        (void) rooms_bundle_kind(name, root, &sha);

        total = 0;
        n = rooms_zip_entry_open(rd, i, ROOMS_ZIP_SHA256);
        must(n == 0);

        while ((n = rooms_zip_entry_read(rd, buf, sizeof(buf))) > 0) {
            total += n;
        }

        must(total <= rd->items[i].usize);
        must(n == -1 || total == rd->items[i].usize);
        must(n == -1 || rooms_zip_entry_sha256(rd) != NULL);
        must(rd->code == ROOMS_ZIP_TOO_LARGE || rd->out <= limits->unpacked);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int                 fd = -1;
    static rooms_zip_limits_t  limits = { 4 << 20, 1000, 200, 0 };

    rooms_faults_t      faults = { 0 };
    rooms_zip_error_e   code;
    rooms_zip_reader_t  rd;

    if (fd == -1) {
        fd = memfd_create("zip", 0);
    }

    must(ftruncate(fd, 0) == 0);
    must(pwrite(fd, data, size, 0) == (ssize_t) size);

    code = rooms_zip_reader_open(&rd, fd, 0, size, &limits, NULL, NULL);

    if (code == ROOMS_ZIP_OK) {
        read_entries(&rd, &limits);
    }

    rooms_zip_reader_close(&rd);

    must((rooms_zip_reader_open(&rd, fd, 0, size, &limits, rooms_faults_zip,
                                &faults) == ROOMS_ZIP_OK)
         == (code == ROOMS_ZIP_OK));

    rooms_zip_reader_close(&rd);
    rooms_faults_free(&faults);

    return 0;
}
