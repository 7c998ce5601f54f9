/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Sizes of images, fed whole and in pieces. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rooms_image.h"


#define bytes(s)  s, sizeof(s) - 1

#define PNG   "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
#define APP   "\xff\xe0\0\x06" "JFIF"
#define SOF   "\xff\xc0\0\x11\x08"


typedef struct {
    const char  *name;
    const char  *data;
    size_t       len;
    uint32_t     width;
    uint32_t     height;
} image_case_t;


static const image_case_t  cases[] = {
    { "PNG", bytes(PNG "\0\0\x02\x80\0\0\x01\xe0\x08\x06\0\0\0"), 640, 480 },
    { "the largest PNG", bytes(PNG "\x7f\xff\xff\xff\x7f\xff\xff\xff"),
      INT32_MAX, INT32_MAX },
    { "too large", bytes(PNG "\x80\0\0\0\0\0\0\x01"), 0, 0 },
    { "no width", bytes(PNG "\0\0\0\0\0\0\0\x01"), 0, 0 },
    { "no height", bytes(PNG "\0\0\0\x01\0\0\0\0"), 0, 0 },
    { "cut PNG", bytes(PNG "\0\0\x02\x80\0\0\x01"), 0, 0 },
    { "PNG without IHDR first",
      bytes("\x89PNG\r\n\x1a\n\0\0\0\rtEXt\0\0\0\1\0\0\0\1"), 0, 0 },
    { "GIF87a", bytes("GIF87a\x20\x03\x58\x02\0\0\0"), 800, 600 },
    { "GIF89a", bytes("GIF89a\1\0\xff\xff\0\0\0"), 1, 65535 },
    { "GIF of another kind", bytes("GIF90a\1\0\1\0\0\0\0"), 0, 0 },
    { "lossy WebP", bytes("RIFF\x24\0\0\0WEBPVP8 \x18\0\0\0\x30\1\0\x9d\1\x2a"
                          "\x90\1\x2c\1\0\0"), 400, 300 },
    { "scaled WebP", bytes("RIFF\x24\0\0\0WEBPVP8 \x18\0\0\0\x30\1\0\x9d\1\x2a"
                           "\x90\x41\x2c\x81\0\0"), 400, 300 },
    { "WebP that is no key frame",
      bytes("RIFF\x24\0\0\0WEBPVP8 \x18\0\0\0\x31\1\0\x9d\1\x2a\1\0\1\0\0\0"),
      0, 0 },
    { "lossless WebP", bytes("RIFF\x24\0\0\0WEBPVP8L\x18\0\0\0\x2f\x8f\xc1\x4a"
                             "\0\0\0\0\0\0"), 400, 300 },
    { "extended WebP", bytes("RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0"
                             "\x8f\1\0\x2b\1\0"), 400, 300 },
    { "WebP of a future kind", bytes("RIFF\x24\0\0\0WEBPVP9 \x0a\0\0\0\x10\0\0"
                                     "\0\x8f\1\0\x2b\1\0"), 0, 0 },
    { "RIFF, but sound", bytes("RIFF\x24\0\0\0WAVEfmt \x0a\0\0\0\x10\0\0\0\0\0"
                               "\0\0\0\0"), 0, 0 },
    { "JPEG", bytes("\xff\xd8" APP SOF "\1\x2c\1\x90\3\1\x22\0"), 400, 300 },
    { "progressive JPEG",
      bytes("\xff\xd8" APP "\xff\xc2\0\x11\x08\1\x2c\1\x90\3"), 400, 300 },
    { "tables before the frame",
      bytes("\xff\xd8\xff\xdb\0\x03\0\xff\xc4\0\x02\xff\xff\xff\xff\xc1\0\x11"
            "\x08\0\1\0\2\1"), 2, 1 },
    { "a comment that looks like a frame",
      bytes("\xff\xd8\xff\xfe\0\x0b\xff\xc0\0\x11\x08\0\1\0\1" SOF
            "\0\2\0\3\3"), 3, 2 },
    { "a segment that is no frame, though its number is among theirs",
      bytes("\xff\xd8\xff\xc8\0\x0b\x08\0\x09\0\x09\x09\x09\x09\x09" SOF
            "\0\2\0\3\3"), 3, 2 },
    { "a height that comes later", bytes("\xff\xd8" SOF "\0\0\1\x90\3"), 0, 0 },
    { "a frame that is too short", bytes("\xff\xd8\xff\xc0\0\x07\x08\0\1\0\1"),
      0, 0 },
    { "a segment without a length", bytes("\xff\xd8\xff\xe0\0\1" SOF
                                          "\0\2\0\3"), 0, 0 },
    { "pixels before a frame", bytes("\xff\xd8\xff\xda\0\x02" SOF "\0\2\0\3"),
      0, 0 },
    { "no marker", bytes("\xff\xd8" "abc"), 0, 0 },
    { "a JPEG that ends", bytes("\xff\xd8\xff\xd9" SOF "\0\2\0\3"), 0, 0 },
    { "restart markers are passed over",
      bytes("\xff\xd8\xff\x01\xff\xd0" SOF "\0\2\0\3\3"), 3, 2 },
    { "text", bytes("<svg width='4' height='4'/> and some more text"), 0, 0 },
    { "nothing", bytes(""), 0, 0 },
    { "one byte", bytes("\xff"), 0, 0 },
    { "almost a PNG", bytes("\x89PNG\r\n\x1a\r\0\0\0\rIHDR\0\0\0\1\0\0\0\1"),
      0, 0 }
};


static void
sizes(void **state)
{
    size_t         i, step, at, n;
    rooms_image_t  im;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        for (step = 1; step <= cases[i].len + 1; step++) {
            memset(&im, 0, sizeof(im));

            for (at = 0; at < cases[i].len; at += n) {
                n = cases[i].len - at < step ? cases[i].len - at : step;
                rooms_image_feed(&im, (const unsigned char *) cases[i].data
                                      + at, n);
            }

            if (im.width != cases[i].width || im.height != cases[i].height) {
                fail_msg("%s, by %zu: %u x %u", cases[i].name, step, im.width,
                         im.height);
            }
        }
    }
}


/* An image from a camera: half a megabyte of other segments comes first. */
static void
far(void **state)
{
    size_t                i;
    rooms_image_t         im;
    static unsigned char  segment[65537];

    memset(&im, 0, sizeof(im));
    memcpy(segment, "\xff\xe1\xff\xff", 4);
    memset(segment + 4, 0xff, sizeof(segment) - 4);

    rooms_image_feed(&im, (const unsigned char *) "\xff\xd8", 2);

    for (i = 0; i < 8; i++) {
        rooms_image_feed(&im, segment, sizeof(segment));
        assert_int_equal(im.state, ROOMS_IMAGE_MARKER);
    }

    rooms_image_feed(&im, (const unsigned char *) SOF "\x0f\xc0\x0b\xd0\3", 10);
    assert_int_equal(im.width, 3024);
    assert_int_equal(im.height, 4032);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(far)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
