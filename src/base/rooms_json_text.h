/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_JSON_TEXT_H
#define ROOMS_JSON_TEXT_H

#include "rooms_json.h"


/*
 * Between the files of the scanner.  Each takes a position in a text and
 * gives the one behind, or NULL where the text isn't JSON.
 */

#define ROOMS_JSON_DEPTH  128

/* White space; never NULL. */
const unsigned char *rooms_json_space(const unsigned char *p,
    const unsigned char *end);
/* A string, with its quotes. */
const unsigned char *rooms_json_scan_string(const unsigned char *p,
    const unsigned char *end);
/* A value with white space before it, `depth` levels deep at most. */
const unsigned char *rooms_json_scan_value(const unsigned char *p,
    const unsigned char *end, int depth);

#endif /* ROOMS_JSON_TEXT_H */
