/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_TEXT_H
#define ROOMS_TEXT_H

#include "rooms_str.h"


/*
 * Text rules.  rooms_name_check trims *name in place (it only narrows the
 * string) and returns NULL, or what is wrong with it, in words.
 */
const char *rooms_name_check(rooms_str_t *name);   /* 1-128 code points */
const char *rooms_topic_check(rooms_str_t *topic); /* 0-1024 */
/* Code points of valid UTF-8 (no surrogates, no overlong form), or -1. */
long rooms_utf8_length(rooms_str_t s);
/* The alias of a name: lower case ASCII letters, digits and single hyphens,
 * at most 64 bytes, never empty ("room" when nothing is left); n >= 2 adds
 * "-n".  Returns the length written to dst (at least 80 bytes). */
size_t rooms_slug(rooms_str_t name, unsigned n, unsigned char *dst);
int rooms_slug_valid(rooms_str_t slug);

#endif /* ROOMS_TEXT_H */
