/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_WORDS_H
#define ROOMS_WORDS_H

#include "rooms_text.h"


/*
 * What an index keeps of a text: its folded words (rooms_fold()), each once
 * and cut to ROOMS_WORD_SIZE bytes.  A search cuts its words in the same way.
 * So the index never misses a match; it may give false ones only for longer
 * words.
 */
#define ROOMS_WORD_SIZE  32

/* Cuts a word to ROOMS_WORD_SIZE bytes, between code points. */
rooms_str_t rooms_word_cut(rooms_str_t word);

/* How many words a folded text has, if all are different. */
unsigned rooms_words_count(rooms_str_t folded);

/*
 * Writes the first `max` different words of a folded text, in bytewise order.
 * Returns their number.  They point into the text.
 */
unsigned rooms_words(rooms_str_t folded, rooms_str_t *words, unsigned max);

/* Takes the next word off a folded query, cut; NULL: there are no more. */
rooms_str_t rooms_words_next(rooms_str_t *query);

/*
 * Whether each word of the folded query is a prefix of a word of the folded
 * text.
 */
int rooms_fold_match(rooms_str_t text, rooms_str_t query);

int rooms_has_prefix(rooms_str_t s, rooms_str_t prefix);

/* The first of n sorted words that begins with the prefix, or NULL. */
rooms_str_t rooms_words_first(const rooms_str_t *words, unsigned n,
    rooms_str_t prefix);

#endif /* ROOMS_WORDS_H */
