/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_WORDS_H
#define ROOMS_WORDS_H

#include "rooms_text.h"


/*
 * What an index keeps of a text: its words, folded (rooms_fold()), each once
 * and cut to so many bytes.  A search cuts its own words in the same way, so
 * an index finds all that a text has, and more only behind the cut.
 */
#define ROOMS_WORD_SIZE  32

/* A word, at the end of a code point. */
rooms_str_t rooms_word_cut(rooms_str_t word);

/*
 * The first `max` different words of a folded text, in bytewise order.  They
 * point into the text.
 */
unsigned rooms_words(rooms_str_t folded, rooms_str_t *words, unsigned max);

/* The next word of a folded query, cut; NULL: there is none. */
rooms_str_t rooms_words_next(rooms_str_t *query);

int rooms_has_prefix(rooms_str_t s, rooms_str_t prefix);

/* The first of some words in order that begins so; NULL: none does. */
rooms_str_t rooms_words_first(const rooms_str_t *words, unsigned n,
    rooms_str_t prefix);

#endif /* ROOMS_WORDS_H */
