/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Packs an answer, so that the store can keep it in little memory.  It is
 * deflated with a dictionary: the words that our answers consist of, and a
 * hint, a text that the answer is likely to repeat, which whoever unpacks it
 * has, too.
 *
 * The dictionary belongs to the format: zlib refuses a text that was packed
 * with another one.
 */

#ifndef ROOMS_PACK_H
#define ROOMS_PACK_H

#include "rooms_str.h"
#include <zlib.h>


#define ROOMS_PACK_MAX    65536       /* bytes of a text */
#define ROOMS_PACK_HINT   2048        /* more bytes of a hint aren't used */
#define ROOMS_PACK_WORDS  1536        /* the most bytes of the words */

/* The bytes that a packed text of this length has at most. */
#define rooms_pack_size(len)  ((len) + (len) / 4 + 64)

/* Zeroed at first, and then used again and again: 50 KB. */
typedef struct {
    z_stream       pack;
    z_stream       unpack;
    unsigned char  dictionary[ROOMS_PACK_WORDS + ROOMS_PACK_HINT];
    unsigned       ready:1;
} rooms_packer_t;


/*
 * Packs into a buffer of rooms_pack_size(text.len) bytes.  Returns the
 * packed text's length, or 0: it is too long, or there is no memory.
 */
size_t rooms_pack(rooms_packer_t *p, rooms_str_t text, rooms_str_t hint,
    unsigned char *dst);

/* Unpacks exactly len bytes.  Returns 0 if that isn't what is packed. */
int rooms_unpack(rooms_packer_t *p, rooms_str_t packed, rooms_str_t hint,
    unsigned char *dst, size_t len);

void rooms_packer_free(rooms_packer_t *p);

#endif /* ROOMS_PACK_H */
