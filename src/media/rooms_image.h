/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Finds a picture's width and height in its header: PNG, JPEG, GIF, WebP.  It
 * takes the bytes as they arrive, in pieces of any length, and keeps only a
 * few.  It decodes nothing and ignores all bytes after the header, so a size
 * doesn't prove that it is a picture.
 *
 * No allocation, no I/O.
 */

#ifndef ROOMS_IMAGE_H
#define ROOMS_IMAGE_H

#include <stdint.h>
#include "rooms_str.h"


#define ROOMS_IMAGE_HEAD  30           /* the longest header that is read */

typedef enum {
    ROOMS_IMAGE_START = 0,
    ROOMS_IMAGE_MARKER,                /* JPEG: between two segments */
    ROOMS_IMAGE_FRAME,                 /* JPEG: in the segment that has the
                                          size */
    ROOMS_IMAGE_DONE                   /* the size is known, or there is none */
} rooms_image_state_e;

/* Must be zeroed before the first piece. */
typedef struct {
    rooms_image_state_e  state;
    uint32_t             width;        /* 0: not known */
    uint32_t             height;
    uint64_t             skip;         /* bytes to skip */
    unsigned             have;
    unsigned char        head[ROOMS_IMAGE_HEAD];
} rooms_image_t;


/*
 * Takes the next piece.  Once the state is ROOMS_IMAGE_DONE, nothing changes
 * any more; width and height are then either both known or both 0.
 */
void rooms_image_feed(rooms_image_t *im, const unsigned char *p, size_t len);

#endif /* ROOMS_IMAGE_H */
