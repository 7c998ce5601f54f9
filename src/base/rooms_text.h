/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_TEXT_H
#define ROOMS_TEXT_H

#include "rooms_str.h"


/*
 * The number of code points of valid UTF-8 (no surrogates, no overlong
 * forms), or -1.
 */
long rooms_utf8_length(rooms_str_t s);


/*
 * Names of rooms, workspaces and participants: 1 to 128 code points in NFC;
 * no space at either end, no control characters, no bidirectional overrides,
 * and at least one visible character.
 */
#define ROOMS_NAME_MAX   128              /* code points */
#define ROOMS_NAME_SIZE  (4 * ROOMS_NAME_MAX)

/*
 * Makes a name of a client's text.  Returns NULL, and *name points into the
 * text or into dst; or returns a message that says what is wrong.
 */
const char *rooms_name_make(rooms_str_t *name,
    unsigned char dst[ROOMS_NAME_SIZE]);
/* The same check for a name from another server, which need not be in NFC. */
const char *rooms_name_check(rooms_str_t *name);
/*
 * Makes a name of any text from an identity provider: drops what a name may
 * not contain, and cuts it.  Returns the length in dst; 0: nothing visible is
 * left.
 */
size_t rooms_name_shape(rooms_str_t s, unsigned char dst[ROOMS_NAME_SIZE]);

/*
 * Whether valid UTF-8 begins with what no name may contain: a control
 * character, a line separator, a bidirectional override.
 */
int rooms_name_drops(rooms_str_t s);

/*
 * Checks and leaves a topic: 0 to 1024 code points; NULL is no topic.
 * Returns what is wrong, or NULL.
 */
const char *rooms_topic_check(rooms_str_t *topic);


/*
 * Makes an alias of a name: its letters and digits in lower case and in NFC,
 * Latin ones without accents, with a hyphen in place of anything else.  At
 * most 64 code points; "room" if nothing is left. n >= 2 appends "-n".
 * Returns the length in dst.
 */
#define ROOMS_SLUG_MAX   64               /* code points */
#define ROOMS_SLUG_SIZE  (4 * (ROOMS_SLUG_MAX + 21))
size_t rooms_slug(rooms_str_t name, uint64_t n,
    unsigned char dst[ROOMS_SLUG_SIZE]);
/*
 * Puts an alias that a client wrote into NFC.  Returns the length in dst; 0:
 * no alias can be like this.
 */
size_t rooms_slug_read(rooms_str_t alias, unsigned char dst[ROOMS_SLUG_SIZE]);


/*
 * Search: appends the words of a text to b, folded, each after a space.
 * Folding removes differences of case, accents and Unicode form.  In scripts
 * without spaces each letter begins a word.  What doesn't fit is cut off, and
 * what follows ROOMS_FOLD_WORDS words: as many as a topic has code points.
 * Only a text of characters that stand for several words has more.
 */
#define ROOMS_FOLD_WORDS  1024
void rooms_fold(rooms_buf_t *b, rooms_str_t s);
/* Bytes that are enough for n code points. */
#define ROOMS_FOLD_SIZE(n)  (72 * (n))

#endif /* ROOMS_TEXT_H */
