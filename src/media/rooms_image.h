/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Width and height of a picture, from its header bytes: PNG, JPEG, GIF, WebP.
 * Bytes come as they arrive, in pieces of any length; nothing is kept but a
 * few of them.  Nothing is decoded, and what the bytes behind the header are
 * is not looked at: a size is no proof of a picture.
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
    ROOMS_IMAGE_FRAME,                 /* JPEG: the one that has the size */
    ROOMS_IMAGE_DONE                   /* known, or never to be */
} rooms_image_state_e;

/* All zero before the first piece. */
typedef struct {
    rooms_image_state_e  state;
    uint32_t             width;        /* 0: not known */
    uint32_t             height;
    uint64_t             skip;         /* bytes that aren't looked at */
    unsigned             have;
    unsigned char        head[ROOMS_IMAGE_HEAD];
} rooms_image_t;


/*
 * Takes the next piece.  Once the state is ROOMS_IMAGE_DONE it changes nothing
 * more; width and height are then both known, or both 0.
 */
void rooms_image_feed(rooms_image_t *im, const unsigned char *p, size_t len);

#endif /* ROOMS_IMAGE_H */
