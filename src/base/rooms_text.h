/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_TEXT_H
#define ROOMS_TEXT_H

#include "rooms_str.h"


/* Code points of valid UTF-8 (no surrogates, no overlong form), or -1. */
long rooms_utf8_length(rooms_str_t s);


/*
 * Names of rooms, workspaces and participants: 1 to 128 code points in NFC,
 * without space at either end, control characters or bidirectional overrides,
 * and with something in them that can be seen.
 */
#define ROOMS_NAME_MAX   128              /* code points */
#define ROOMS_NAME_SIZE  (4 * ROOMS_NAME_MAX)

/*
 * Makes a name of what a client wrote: NULL, and *name points into what was
 * given or into dst; or what is wrong with it, in words.
 */
const char *rooms_name_make(rooms_str_t *name,
    unsigned char dst[ROOMS_NAME_SIZE]);
/* The same for what another server says; it may have another form than NFC. */
const char *rooms_name_check(rooms_str_t *name);
/*
 * Makes a name of whatever an identity provider says: drops what a name may
 * not have, and cuts it.  Returns its length in dst; 0: nothing is left that
 * can be seen.
 */
size_t rooms_name_shape(rooms_str_t s, unsigned char dst[ROOMS_NAME_SIZE]);

/* 0 to 1024 code points; NULL is no topic. */
const char *rooms_topic_check(rooms_str_t *topic);


/*
 * The alias of a name: its letters and digits in lower case and in NFC,
 * without the accents of Latin ones, with a hyphen for whatever is between
 * them; at most 64 code points, and "room" when nothing is left.  n >= 2 adds
 * "-n".  Returns the length.
 */
#define ROOMS_SLUG_MAX   64               /* code points */
#define ROOMS_SLUG_SIZE  (4 * (ROOMS_SLUG_MAX + 21))
size_t rooms_slug(rooms_str_t name, uint64_t n,
    unsigned char dst[ROOMS_SLUG_SIZE]);
/* An alias as a client wrote it, in NFC; 0: it can't be one. */
size_t rooms_slug_read(rooms_str_t alias, unsigned char dst[ROOMS_SLUG_SIZE]);


/*
 * Search.  Appends the words of a text to b, each behind a space and folded,
 * so that neither case nor accents nor the form of Unicode make a difference.
 * A letter of a script that is written without spaces begins a word wherever
 * it stands.  What doesn't fit is cut off.
 */
void rooms_fold(rooms_buf_t *b, rooms_str_t s);
/* So many bytes are enough for n code points. */
#define ROOMS_FOLD_SIZE(n)  (72 * (n))
/* Whether each word of a folded query begins a word of a folded text. */
int rooms_fold_match(rooms_str_t text, rooms_str_t query);

#endif /* ROOMS_TEXT_H */
