/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer: the words of an index.  The first line is a text, the rest a
 * query.
 */

#include <stdlib.h>

#include "rooms_words.h"


#define check(cond)  do { if (!(cond)) abort(); } while (0)

#define WORDS  64


static rooms_str_t
fold(rooms_str_t s, unsigned char *dst, size_t size)
{
    rooms_buf_t  b = { dst, dst, dst + size, NULL, 0 };

    rooms_fold(&b, s);

    return (rooms_str_t) { b.last - dst, dst };
}


/* The words of a text are distinct, sorted, none too long or badly cut. */
static void
fuzz_index(rooms_str_t folded, const rooms_str_t *words, unsigned n,
    int valid)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        check(words[i].len > 0 && words[i].len <= ROOMS_WORD_SIZE);
        check(words[i].data >= folded.data);
        check(words[i].data + words[i].len <= folded.data + folded.len);
        check(memchr(words[i].data, ' ', words[i].len) == NULL);
        check(!valid || rooms_utf8_length(words[i]) > 0);
        check(i == 0 || rooms_str_before(words[i - 1], words[i]));
    }
}


/* The index finds what the text contains; more only for words that are cut. */
static void
fuzz_search(rooms_str_t text, rooms_str_t query, const rooms_str_t *words,
    unsigned n)
{
    int                   cut, found;
    rooms_str_t           word, rest;
    const unsigned char  *end;

    cut = 0;
    found = 1;
    rest = query;

    while ((word = rooms_words_next(&rest)).data) {
        check(word.len <= ROOMS_WORD_SIZE);
        end = word.data + word.len;
        cut |= end < rest.data;
        found &= rooms_words_first(words, n, word).data != NULL;
    }

    if (n < WORDS) {
        check(found || !rooms_fold_match(text, query));
        check(!found || cut || rooms_fold_match(text, query));
    }
}


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t                at;
    unsigned              n;
    rooms_str_t           s, q, text, query, words[WORDS];
    const unsigned char  *line;
    static unsigned char  one[1 << 16], two[1 << 16];

    line = size ? memchr(data, '\n', size) : NULL;
    at = line ? (size_t) (line - data) : size;

    s = (rooms_str_t) { at, data };
    q = line ? (rooms_str_t) { size - at - 1, line + 1 } : s;

    text = fold(s, one, sizeof(one));
    query = fold(q, two, sizeof(two));

    n = rooms_words(text, words, WORDS);
    check(n <= WORDS);

    fuzz_index(text, words, n,
               rooms_utf8_length(s) >= 0 && text.len < sizeof(one) - 4);
    fuzz_search(text, query, words, n);
    fuzz_search(text, text, words, n);

    /* texts that weren't folded */
    n = rooms_words(s, words, WORDS);
    check(n <= WORDS);
    (void) rooms_word_cut(s);

    while (rooms_words_next(&q).data) {
        /* void */
    }

    return 0;
}
