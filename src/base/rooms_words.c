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


#define ROOMS_MATCH_WORDS  64             /* words of a query that are looked
                                             for together */


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


/* How many of n sorted words are before this one. */
static unsigned
rooms_words_before(const rooms_str_t *words, unsigned n, rooms_str_t word)
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

    return low;
}


/*
 * Inserts a word into n sorted ones.  Returns 1, or 0 if it is there already.
 */
static unsigned
rooms_words_insert(rooms_str_t *words, unsigned n, rooms_str_t word)
{
    unsigned  at;

    at = rooms_words_before(words, n, word);

    if (at < n && rooms_str_eq(words[at], word)) {
        return 0;
    }

    memmove(&words[at + 1], &words[at], (n - at) * sizeof(rooms_str_t));
    words[at] = word;

    return 1;
}


unsigned
rooms_words_count(rooms_str_t folded)
{
    size_t    i;
    unsigned  n;

    for (i = 0, n = 0; i < folded.len; i++) {
        n += folded.data[i] == ' ' || folded.data[i] == '\t';
    }

    return n;
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


/* Takes the next word off a folded query; NULL: there are no more. */
static rooms_str_t
rooms_word_take(rooms_str_t *query)
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

    return word.len ? word : ROOMS_NULL;
}


rooms_str_t
rooms_words_next(rooms_str_t *query)
{
    rooms_str_t  word;

    word = rooms_word_take(query);

    return word.len ? rooms_word_cut(word) : word;
}


/*
 * Takes words off a query, sorted, without those that begin another one: who
 * finds the longer word finds the shorter one, too.  So of these words only
 * the last one that isn't behind a text can begin it.  Returns their number.
 */
static unsigned
rooms_match_take(rooms_str_t *query, rooms_str_t *words)
{
    unsigned     n, at;
    rooms_str_t  rest, word;

    n = 0;
    rest = *query;

    while ((word = rooms_word_take(&rest)).len) {
        at = rooms_words_before(words, n, word);

        if (at < n && rooms_has_prefix(words[at], word)) {
            /* void */

        } else if (at > 0 && rooms_has_prefix(word, words[at - 1])) {
            words[at - 1] = word;

        } else if (n < ROOMS_MATCH_WORDS) {
            n += rooms_words_insert(words, n, word);

        } else {
            break;
        }

        *query = rest;
    }

    return n;
}


int
rooms_fold_match(rooms_str_t text, rooms_str_t query)
{
    unsigned              n, at;
    rooms_str_t           rest, words[ROOMS_MATCH_WORDS];
    const unsigned char  *p, *end;

    end = text.data + text.len;

    while ((n = rooms_match_take(&query, words)) > 0) {

        for (p = text.data; p < end && n > 0; p++) {

            if (*p != ' ' && *p != '\t') {
                continue;
            }

            rest = (rooms_str_t) { end - p - 1, p + 1 };
            at = rooms_words_before(words, n, rest);

            if (at < n && rooms_str_eq(words[at], rest)) {
                at++;
            }

            if (at > 0 && rooms_has_prefix(rest, words[at - 1])) {
                n--;
                memmove(&words[at - 1], &words[at],
                        (n - at + 1) * sizeof(rooms_str_t));
            }
        }

        if (n > 0) {
            return 0;
        }
    }

    return 1;
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
