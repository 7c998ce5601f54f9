/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer: headers of images.  The first byte is the length of the pieces
 * in which the rest is fed; the result must not depend on it.
 */

#include <stdlib.h>
#include <string.h>

#include "rooms_image.h"


#define check(cond)  do { if (!(cond)) abort(); } while (0)


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t          n, step, left;
    unsigned char  *piece;
    rooms_image_t   whole, parts;

    if (size == 0) {
        return 0;
    }

    step = data[0] + 1;
    data++;
    size--;

    memset(&whole, 0, sizeof(whole));
    memset(&parts, 0, sizeof(parts));

    rooms_image_feed(&whole, data, size);

    for (left = size; left; left -= n, data += n) {
        n = left < step ? left : step;

        /* a separate allocation, so that ASan detects overreads */
        piece = malloc(n);
        check(piece);
        memcpy(piece, data, n);
        rooms_image_feed(&parts, piece, n);
        free(piece);
    }

    check(whole.width == parts.width && whole.height == parts.height);
    check(!whole.width == !whole.height);
    check(whole.have <= ROOMS_IMAGE_HEAD);

    return 0;
}
