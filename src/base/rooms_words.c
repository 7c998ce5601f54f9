/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The words of a text, as an index by prefix keeps them.  A folded text has a
 * space before each word, and a tab inside a word where another word may
 * begin: "a b<tab>c" has the words "a", "b<tab>c" and "c".
 */

#include "rooms_words.h"


rooms_str_t
rooms_word_cut(rooms_str_t word)
{
    if (word.len > ROOMS_WORD_SIZE) {
        word.len = ROOMS_WORD_SIZE;

        while (word.len > 0 && (word.data[word.len] & 0xc0) == 0x80) {
            word.len--;
        }
    }

    while (word.len > 0 && word.data[word.len - 1] == '\t') {
        word.len--;
    }

    return word;
}


/*
 * Inserts a word into n sorted ones.  Returns 1, or 0 if it is there already.
 */
static unsigned
rooms_words_insert(rooms_str_t *words, unsigned n, rooms_str_t word)
{
    unsigned  low, high, middle;

    low = 0;
    high = n;

    while (low < high) {
        middle = (low + high) / 2;

        if (rooms_str_before(words[middle], word)) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    if (low < n && rooms_str_eq(words[low], word)) {
        return 0;
    }

    memmove(&words[low + 1], &words[low], (n - low) * sizeof(rooms_str_t));
    words[low] = word;

    return 1;
}


unsigned
rooms_words(rooms_str_t folded, rooms_str_t *words, unsigned max)
{
    unsigned              n;
    rooms_str_t           word;
    const unsigned char  *p, *q, *end;

    p = folded.data;
    end = p + folded.len;

    for (n = 0; p < end && n < max; p++) {

        if (*p != ' ' && *p != '\t') {
            continue;
        }

        q = p + 1;

        while (q < end && *q != ' ' && q - p <= ROOMS_WORD_SIZE + 1) {
            q++;
        }

        word = rooms_word_cut((rooms_str_t) { q - p - 1, p + 1 });

        if (word.len) {
            n += rooms_words_insert(words, n, word);
        }
    }

    return n;
}


rooms_str_t
rooms_words_next(rooms_str_t *query)
{
    rooms_str_t           word;
    const unsigned char  *p, *end;

    p = query->data;
    end = p + query->len;

    while (p < end && *p == ' ') {
        p++;
    }

    word.data = p;

    while (p < end && *p != ' ') {
        p++;
    }

    word.len = p - word.data;
    *query = (rooms_str_t) { end - p, p };

    return word.len ? rooms_word_cut(word) : ROOMS_NULL;
}


int
rooms_has_prefix(rooms_str_t s, rooms_str_t prefix)
{
    return s.len >= prefix.len
           && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len)
                                  == 0);
}


rooms_str_t
rooms_words_first(const rooms_str_t *words, unsigned n, rooms_str_t prefix)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        if (rooms_has_prefix(words[i], prefix)) {
            return words[i];
        }
    }

    return ROOMS_NULL;
}
