/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "rooms_words.h"
#include "rooms_json.h"


#define WORDS  16


typedef struct {
    unsigned char  text[8192];
    rooms_str_t    folded;
    rooms_str_t    words[WORDS];
    unsigned       n;
} index_t;


static rooms_str_t
fold(rooms_str_t s, unsigned char *dst, size_t size)
{
    rooms_buf_t  b;

    rooms_buf_init(&b, dst, size);
    rooms_fold(&b, s);

    return (rooms_str_t) { b.last - dst, dst };
}


static void
make(index_t *x, const char *text, unsigned max)
{
    x->folded = fold(rooms_cstr(text), x->text, sizeof(x->text));
    x->n = rooms_words(x->folded, x->words, max);
}


/* Searches like the index: each word must begin one of the indexed words. */
static int
finds(index_t *x, const char *query)
{
    rooms_str_t    q, word;
    unsigned char  text[4096];

    q = fold(rooms_cstr(query), text, sizeof(text));

    for ( ;; ) {
        word = rooms_words_next(&q);

        if (word.data == NULL) {
            return 1;
        }

        if (rooms_words_first(x->words, x->n, word).data == NULL) {
            return 0;
        }
    }
}


/* Which queries find which names, in many scripts. */
static void
scripts(void **state)
{
    unsigned   i, k;
    index_t    x;

    static const struct {
        const char  *name;
        const char  *found[6];
        const char  *missed[4];
    } cases[] = {
        { "Ada Lovelace", { "ada", "LOVE", "l a", "Ada Lovelace", "" },
          { "da", "ada b", "lovelaces" } },
        { "Zoë Müller-Åström", { "zoe", "Zoë", "muller", "MÜLL", "astrom" },
          { "ller", "strom" } },
        { "Zoe\xcc\x88", { "zoë", "zoe" }, { "oe" } },
        { "Łukasz Żółć", { "żół", "zo" }, { "olc" } },
        { "Straße", { "strasse", "STRASSE", "stra" }, { "asse" } },
        { "Ольга Ёлкина", { "ольга", "ОЛЬ", "елк", "ёлк" },
          { "льга", "olga" } },
        { "Γιώργος Σίσυφος", { "γιωρ", "ΣΊΣ", "σισυφοσ", "σίσυφος" },
          { "ωργος" } },
        { "محمّد علي", { "محم", "محمد", "علي" }, { "لي" } },
        { "שָׁלוֹם", { "שלום", "של" }, { "לום" } },
        { "अर्जुन", { "अर्जुन" }, { "जून्" } },
        { "สมชาย ใจดี", { "สมชาย", "ชาย", "ใจ" }, { "แดง" } },
        { "山田太郎", { "山田", "太郎", "田太", "郎" }, { "太山" } },
        { "カタカナ ひらがな", { "カタ", "タカ", "らが" }, { "ナカ" } },
        { "김철수", { "김철수", "김" }, { "박" } },
        { "🎉 party 🎉", { "party", "par" }, { "arty" } },
        { "a\xff\x80z \xc3 b", { "a", "az", "b" }, { "z" } },
        { "x1 2y", { "x1", "2" }, { "1", "y" } }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make(&x, cases[i].name, WORDS);

        for (k = 0; k < 6 && cases[i].found[k]; k++) {
            print_message("%s: %s\n", cases[i].name, cases[i].found[k]);
            assert_true(finds(&x, cases[i].found[k]));
        }

        for (k = 0; k < 4 && cases[i].missed[k]; k++) {
            print_message("%s: not %s\n", cases[i].name, cases[i].missed[k]);
            assert_false(finds(&x, cases[i].missed[k]));
        }
    }
}


/* Each word once, in byte order, and no more than asked for. */
static void
order(void **state)
{
    unsigned  i;
    index_t   x;

    (void) state;

    make(&x, "b a c b B a ab", WORDS);

    assert_int_equal(x.n, 4);
    assert_memory_equal(x.words[0].data, "a", 1);
    assert_int_equal(x.words[0].len, 1);
    assert_memory_equal(x.words[1].data, "ab", 2);
    assert_memory_equal(x.words[2].data, "b", 1);
    assert_memory_equal(x.words[3].data, "c", 1);

    for (i = 0; i < x.n; i++) {
        assert_true(x.words[i].data >= x.folded.data);
        assert_true(x.words[i].data + x.words[i].len
                    <= x.folded.data + x.folded.len);
    }

    make(&x, "d c b a", 2);
    assert_int_equal(x.n, 2);
    assert_memory_equal(x.words[0].data, "c", 1);
    assert_memory_equal(x.words[1].data, "d", 1);

    make(&x, "d c b a", 0);
    assert_int_equal(x.n, 0);

    make(&x, "", WORDS);
    assert_int_equal(x.n, 0);
    assert_true(finds(&x, ""));
    assert_false(finds(&x, "a"));
}


/*
 * A long word is cut at the end of a code point, and the query in the same
 * way.
 */
static void
cuts(void **state)
{
    unsigned     i, len;
    index_t      x;
    char         text[128];
    rooms_str_t  word;

    (void) state;

    for (i = 25; i < 40; i++) {
        memset(text, 'a', i);
        memcpy(text + i, "\xd0\xb6zz", 5);

        make(&x, text, WORDS);
        assert_int_equal(x.n, 1);

        /* "ж" has two bytes and isn't cut in half */
        len = i + 2 <= ROOMS_WORD_SIZE
              ? (i + 4 < ROOMS_WORD_SIZE ? i + 4 : ROOMS_WORD_SIZE)
              : (i < ROOMS_WORD_SIZE ? i : ROOMS_WORD_SIZE);

        assert_int_equal(x.words[0].len, len);
        assert_true(finds(&x, text));
    }

    word = rooms_word_cut(rooms_cstr("abc\t\t"));
    assert_int_equal(word.len, 3);
    assert_int_equal(rooms_word_cut(rooms_cstr("\t\t")).len, 0);
    assert_int_equal(rooms_word_cut(ROOMS_NULL).len, 0);

    /* only continuation bytes: everything is cut */
    memset(text, 0x80, 40);
    assert_int_equal(rooms_word_cut((rooms_str_t)
                     { 40, (const unsigned char *) text }).len, 0);
}


static void
prefixes(void **state)
{
    rooms_str_t  words[3], q;

    (void) state;

    words[0] = rooms_cstr("ab");
    words[1] = rooms_cstr("abc");
    words[2] = rooms_cstr("b");

    assert_true(rooms_has_prefix(words[1], words[0]));
    assert_false(rooms_has_prefix(words[0], words[1]));
    assert_true(rooms_has_prefix(words[0], ROOMS_NULL));
    assert_ptr_equal(rooms_words_first(words, 3, rooms_cstr("a")).data,
                     words[0].data);
    assert_ptr_equal(rooms_words_first(words, 3, rooms_cstr("abc")).data,
                     words[1].data);
    assert_null(rooms_words_first(words, 3, rooms_cstr("c")).data);
    assert_null(rooms_words_first(words, 0, rooms_cstr("a")).data);

    q = rooms_cstr("  ab   c ");
    assert_true(rooms_str_eq(rooms_words_next(&q), rooms_cstr("ab")));
    assert_true(rooms_str_eq(rooms_words_next(&q), rooms_cstr("c")));
    assert_null(rooms_words_next(&q).data);
    assert_null(rooms_words_next(&q).data);
}


/* A query of more words than are looked for together. */
static void
many(void **state)
{
    unsigned       i;
    char           text[8192], query[8192];
    unsigned char  one[32768], two[32768];
    rooms_str_t    t, q;

    (void) state;

    text[0] = '\0';
    query[0] = '\0';

    for (i = 0; i < 300; i++) {
        sprintf(text + strlen(text), "w%ux ", 1000 + i);
        sprintf(query + strlen(query), "w%u w%u ", 1299 - i, 1000 + i);
    }

    t = fold(rooms_cstr(text), one, sizeof(one));
    q = fold(rooms_cstr(query), two, sizeof(two));

    assert_int_equal(rooms_words_count(t), 300);
    assert_true(rooms_fold_match(t, q));
    assert_true(rooms_fold_match(t, t));

    for (i = 0; i < 300; i += 7) {
        sprintf(query, "w1299x w%ux w%uxx w1000", 1000 + i, 1000 + i);
        q = fold(rooms_cstr(query), two, sizeof(two));
        assert_false(rooms_fold_match(t, q));
    }

    t = fold(rooms_cstr(""), one, sizeof(one));
    assert_false(rooms_fold_match(t, q));
    assert_true(rooms_fold_match(t, t));
    assert_int_equal(rooms_words_count(t), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(scripts),
        cmocka_unit_test(order),
        cmocka_unit_test(cuts),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(many)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
