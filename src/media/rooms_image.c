/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_image.h"

#include <string.h>


/* JPEG: ITU T.81, annex B */
#define ROOMS_IMAGE_SOI   0xd8
#define ROOMS_IMAGE_TEM   0x01


static uint32_t
rooms_image_be(const unsigned char *p, unsigned n)
{
    uint32_t  v;

    for (v = 0; n--; p++) {
        v = v << 8 | *p;
    }

    return v;
}


static uint32_t
rooms_image_le(const unsigned char *p, unsigned n)
{
    uint32_t  v;

    for (v = 0; n--; /* void */) {
        v = v << 8 | p[n];
    }

    return v;
}


/* A width or height of 0 means that the size isn't known. */
static void
rooms_image_done(rooms_image_t *im, uint32_t width, uint32_t height)
{
    im->state = ROOMS_IMAGE_DONE;

    if (width && height && width <= INT32_MAX && height <= INT32_MAX) {
        im->width = width;
        im->height = height;
    }
}


/* RFC 9649: a lossy frame, a lossless one, or an extended header. */
static void
rooms_image_webp(rooms_image_t *im)
{
    uint32_t              bits;
    const unsigned char  *p;

    p = im->head + 12;

    if (memcmp(p, "VP8 ", 4) == 0 && !(p[8] & 1)
        && memcmp(p + 11, "\x9d\x01\x2a", 3) == 0)
    {
        rooms_image_done(im, rooms_image_le(p + 14, 2) & 0x3fff,
                         rooms_image_le(p + 16, 2) & 0x3fff);
        return;
    }

    if (memcmp(p, "VP8L", 4) == 0 && p[8] == 0x2f) {
        bits = rooms_image_le(p + 9, 4);

        rooms_image_done(im, (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
        return;
    }

    if (memcmp(p, "VP8X", 4) == 0) {
        rooms_image_done(im, rooms_image_le(p + 12, 3) + 1,
                         rooms_image_le(p + 15, 3) + 1);
        return;
    }

    rooms_image_done(im, 0, 0);
}


static int
rooms_image_begins(const rooms_image_t *im, const char *with, unsigned len)
{
    return memcmp(im->head, with, im->have < len ? im->have : len) == 0;
}


/*
 * Returns how many bytes the header needs before it can be read; 0: it was
 * read.
 */
static unsigned
rooms_image_start(rooms_image_t *im)
{
    if (rooms_image_begins(im, "\xff\xd8", 2)) {

        if (im->have < 2) {
            return 2;
        }

        im->state = ROOMS_IMAGE_MARKER;
        im->have = 0;
        return 0;
    }

    if (rooms_image_begins(im, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16)) {

        if (im->have < 24) {
            return 24;
        }

        rooms_image_done(im, rooms_image_be(im->head + 16, 4),
                         rooms_image_be(im->head + 20, 4));
        return 0;
    }

    if (rooms_image_begins(im, "GIF87a", 6)
        || rooms_image_begins(im, "GIF89a", 6))
    {
        if (im->have < 10) {
            return 10;
        }

        rooms_image_done(im, rooms_image_le(im->head + 6, 2),
                         rooms_image_le(im->head + 8, 2));
        return 0;
    }

    if (rooms_image_begins(im, "RIFF", 4)
        && (im->have <= 8
            || memcmp(im->head + 8, "WEBP", im->have < 12 ? im->have - 8 : 4)
               == 0))
    {
        if (im->have < 30) {
            return im->have < 12 ? 12 : 30;
        }

        rooms_image_webp(im);
        return 0;
    }

    rooms_image_done(im, 0, 0);

    return 0;
}


/* Skips segments by their lengths, up to the first frame. */
static unsigned
rooms_image_marker(rooms_image_t *im)
{
    unsigned  marker, len;

    if (im->have < 2) {
        return 2;
    }

    if (im->head[0] != 0xff) {
        rooms_image_done(im, 0, 0);
        return 0;
    }

    marker = im->head[1];

    if (marker == 0xff) {
        /* any number of these may precede a marker */
        im->have = 1;
        return 2;
    }

    if (marker == ROOMS_IMAGE_TEM || (marker >= 0xd0 && marker <= 0xd7)) {
        im->have = 0;
        return 2;
    }

    if (marker < 0xc0 || (marker >= ROOMS_IMAGE_SOI && marker <= 0xda)) {
        rooms_image_done(im, 0, 0);
        return 0;
    }

    if (im->have < 4) {
        return 4;
    }

    len = rooms_image_be(im->head + 2, 2);

    if (len < 2) {
        rooms_image_done(im, 0, 0);
        return 0;
    }

    if (marker >= 0xc0 && marker <= 0xcf
        && marker != 0xc4 && marker != 0xc8 && marker != 0xcc)
    {
        im->state = ROOMS_IMAGE_FRAME;
        return len < 8 ? 4 : 9;
    }

    im->skip = len - 2;
    im->have = 0;

    return 2;
}


/* Reads height and width; JPEG has them in this order. */
static unsigned
rooms_image_frame(rooms_image_t *im)
{
    if (im->have < 9) {

        if (rooms_image_be(im->head + 2, 2) >= 8) {
            return 9;
        }

        rooms_image_done(im, 0, 0);
        return 0;
    }

    rooms_image_done(im, rooms_image_be(im->head + 7, 2),
                     rooms_image_be(im->head + 5, 2));

    return 0;
}


/* Runs one step; returns the number of bytes that the next one needs. */
static unsigned
rooms_image_step(rooms_image_t *im)
{
    switch (im->state) {

    case ROOMS_IMAGE_START:
        return rooms_image_start(im);

    case ROOMS_IMAGE_MARKER:
        return rooms_image_marker(im);

    case ROOMS_IMAGE_FRAME:
        return rooms_image_frame(im);

    default:
        return 0;
    }
}


void
rooms_image_feed(rooms_image_t *im, const unsigned char *p, size_t len)
{
    size_t    n;
    unsigned  want;

    while (len && im->state != ROOMS_IMAGE_DONE) {

        if (im->skip) {
            n = im->skip < len ? (size_t) im->skip : len;
            im->skip -= n;
            p += n;
            len -= n;
            continue;
        }

        /* byte by byte: headers have at most 30 bytes, and segments four */

        im->head[im->have++] = *p++;
        len--;

        do {
            want = rooms_image_step(im);
        } while (want && want <= im->have && !im->skip
                 && im->state != ROOMS_IMAGE_DONE);
    }
}
