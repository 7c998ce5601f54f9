/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Names, topics, aliases, ids, and the enums' spelling in the contract. */

#include "rooms_test.h"
#include "rooms_json.h"
#include "rooms_words.h"


#define bytes(s)  ((rooms_str_t) rooms_string(s))


static void
utf8(void **state)
{
    unsigned  i;

    static const struct {
        rooms_str_t  s;
        long         length;
    } cases[] = {
        { rooms_string(""), 0 },
        { rooms_string("abc"), 3 },
        { rooms_string("a\0b"), 3 },
        { rooms_string("\x7f"), 1 },
        { rooms_string("\xc2\x80"), 1 },
        { rooms_string("\xdf\xbf"), 1 },
        { rooms_string("\xe0\xa0\x80"), 1 },
        { rooms_string("\xed\x9f\xbf"), 1 },
        { rooms_string("\xee\x80\x80"), 1 },
        { rooms_string("\xef\xbf\xbf"), 1 },
        { rooms_string("\xf0\x90\x80\x80"), 1 },
        { rooms_string("\xf4\x8f\xbf\xbf"), 1 },
        { rooms_string("\xf0\x9f\x98\x80\xc3\xa9z"), 3 },
        /* a byte that can't start a character */
        { rooms_string("\x80"), -1 },
        { rooms_string("\xbf"), -1 },
        { rooms_string("\xf8\x88\x80\x80\x80"), -1 },
        { rooms_string("\xfe"), -1 },
        { rooms_string("\x81\x80\x80\x80"), -1 },
        { rooms_string("\xf9\x80\x80\x80"), -1 },
        { rooms_string("\xff"), -1 },
        /* overlong */
        { rooms_string("\xc0\x80"), -1 },
        { rooms_string("\xc1\xbf"), -1 },
        { rooms_string("\xe0\x9f\xbf"), -1 },
        { rooms_string("\xf0\x8f\xbf\xbf"), -1 },
        /* surrogates, and past the end of Unicode */
        { rooms_string("\xed\xa0\x80"), -1 },
        { rooms_string("\xed\xbf\xbf"), -1 },
        { rooms_string("\xf4\x90\x80\x80"), -1 },
        { rooms_string("\xf7\xbf\xbf\xbf"), -1 },
        /* truncated or interrupted */
        { rooms_string("\xc3"), -1 },
        { rooms_string("\xe2\x82"), -1 },
        { rooms_string("\xf0\x9f\x98"), -1 },
        { rooms_string("\xe2\x82z"), -1 },
        { rooms_string("\xc3\xc3"), -1 },
        { rooms_string("\xe2z\x82"), -1 },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (rooms_utf8_length(cases[i].s) != cases[i].length) {
            fail_msg("case %u", i);
        }
    }

    assert_int_equal(rooms_utf8_length(ROOMS_NULL), 0);
}


static void
check_name(rooms_str_t s, const char *expected)
{
    const char     *problem;
    unsigned char   dst[ROOMS_NAME_SIZE];

    problem = rooms_name_make(&s, dst);

    if (expected == NULL) {
        assert_non_null(problem);
        return;
    }

    if (problem) {
        fail_msg("%s: %s", expected, problem);
    }

    assert_str(s, expected);
}


static void
names(void **state)
{
    char           text[1024];
    int            i;
    unsigned char  dst[ROOMS_NAME_SIZE];

    (void) state;

    check_name(bytes("a"), "a");
    check_name(bytes("  a b  "), "a b");
    check_name(bytes("\t\n\v\f\r a \r\f\v\n\t"), "a");
    check_name(bytes("\xc2\x85""a\xc2\xa0"), "a");
    check_name(bytes("\xe1\x9a\x80""a\xe1\x9a\x80"), "a");
    check_name(bytes("\xe2\x80\x80""a\xe2\x80\x8a"), "a");
    check_name(bytes("\xe2\x80\xa8""a\xe2\x80\xa9"), "a");
    check_name(bytes("\xe2\x80\xa9""a\xe2\x80\xa8"), "a");
    check_name(bytes("\xe2\x80\xaf""a\xe2\x81\x9f"), "a");
    check_name(bytes("\xe3\x80\x80""a\xef\xbb\xbf"), "a");
    check_name(bytes("a\xc2\xa0z"), "a\xc2\xa0z");
    check_name(bytes("\xc3\xa9t\xc3\xa9"), "\xc3\xa9t\xc3\xa9");
    check_name(bytes("~\xc2\xa1"), "~\xc2\xa1");

    check_name(ROOMS_NULL, NULL);
    check_name(bytes(""), NULL);
    check_name(bytes(" \t\xe3\x80\x80"), NULL);
    check_name(bytes("a\xff"), NULL);
    check_name(bytes("\xff"), NULL);

    {
        rooms_str_t  s = bytes("");

        assert_string_equal(rooms_name_make(&s, dst),
                            "must have 1 to 128 characters");
    }

    check_name(bytes("a\nb"), NULL);
    check_name(bytes("a\tb"), NULL);
    check_name(bytes("a\0b"), NULL);
    check_name(bytes("a\0"), NULL);
    check_name(bytes("a\x1f""b"), NULL);
    check_name(bytes("a\x7f""b"), NULL);
    check_name(bytes("a\xc2\x80""b"), NULL);
    check_name(bytes("a\xc2\x9f""b"), NULL);
    check_name(bytes("a\xe2\x80\xa8""b"), NULL);
    check_name(bytes("a\xe2\x80\xa9""b"), NULL);

    /* 128 code points, in any number of bytes, without the trimmed ones */

    for (i = 0; i < 129; i++) {
        memcpy(&text[i * 4], "\xf0\x9f\x98\x80", 4);
    }

    text[0] = text[1] = text[2] = text[3] = ' ';
    text[516] = ' ';
    text[517] = '\0';

    {
        rooms_str_t  s = { 517, (unsigned char *) text };

        assert_null(rooms_name_make(&s, dst));
        assert_int_equal(s.len, 512);

        text[3] = 'a';
        s = (rooms_str_t) { 517, (unsigned char *) text };
        assert_non_null(rooms_name_make(&s, dst));
    }
}


/* Names are in NFC, and counted in NFC. */

static void
names_nfc(void **state)
{
    int            i;
    char           text[1024];
    rooms_str_t    s;
    unsigned char  dst[ROOMS_NAME_SIZE];

    (void) state;

    check_name(bytes("e\u0301te\u0301"), "été");
    check_name(bytes("  U\u0308ber\u3000"), "Über");
    check_name(bytes("\u1112\u1161\u11ab"), "한");
    check_name(bytes("\u212b"), "Å");
    /* two code points in NFC, one before */
    check_name(bytes("\u0958"), "\u0915\u093c");
    /* marks in another order */
    check_name(bytes("q\u0307\u0323"), "q\u0323\u0307");

    for (i = 0; i < 128; i++) {
        memcpy(&text[3 * i], "e\u0301", 3);
    }

    s = (rooms_str_t) { 384, (unsigned char *) text };
    assert_null(rooms_name_make(&s, dst));
    assert_int_equal(rooms_utf8_length(s), 128);

    memcpy(&text[384], "!", 1);
    s = (rooms_str_t) { 385, (unsigned char *) text };
    assert_non_null(rooms_name_make(&s, dst));

    /* 128 before, 129 in NFC */
    memset(text, 'a', 128);
    memcpy(&text[127], "\u0958", 3);
    s = (rooms_str_t) { 130, (unsigned char *) text };
    assert_int_equal(rooms_utf8_length(s), 128);
    assert_non_null(rooms_name_make(&s, dst));

    /* much more than fits */
    for (i = 0; i < 300; i++) {
        memcpy(&text[3 * i], "\u0958", 3);
    }

    s = (rooms_str_t) { 900, (unsigned char *) text };
    assert_non_null(rooms_name_make(&s, dst));

    /* the longest run of marks in the worst order; equal ones stay in theirs */
    text[0] = 'q';

    for (i = 1; i < 128; i++) {
        memcpy(&text[1 + 2 * (i - 1)], i < 43 ? "\u0308" : i < 86 ? "\u0327"
                                              : i % 2 ? "\u0323" : "\u0331",
               2);
    }

    s = (rooms_str_t) { 255, (unsigned char *) text };
    assert_null(rooms_name_make(&s, dst));
    assert_int_equal(rooms_utf8_length(s), 128);
    assert_memory_equal(s.data, "q\u0327", 3);
    assert_memory_equal(s.data + 1 + 2 * 43, "\u0331\u0323\u0331\u0323", 8);
    assert_memory_equal(s.data + s.len - 4, "\u0308\u0308", 4);

    /* names from other servers needn't be in NFC */
    s = bytes("e\u0301");
    assert_null(rooms_name_check(&s));
    assert_str(s, "e\u0301");
}


/* A name has something visible, and nothing that reverses its direction. */

static void
names_seen(void **state)
{
    unsigned  i;

    static const char *const  unseen[] = {
        "\u200b", "\u200b\u200d", "\u2060", "\u3164", "\u115f\u1160",
        "\uffa0", "\u2800\u2800", "\u00ad", "\u034f", "\u061c", "\u180e",
        "\ufe0f", "\u2063", "\U0001d159", "\U000e0041", "\u200e", "\u0301",
        "\u2800 \u3164", "\u17b4", "\ufff0", "\U0001fffe"
    };
    static const char *const  seen[] = {
        "-", "!", "1", "é", "中", "한", "ا", "🎉", "👩\u200d🚀", "€",
        "a\u200b", "\ufffd", "م\u200cی", "\u093f\u0915", "\ue000",
        "\U0001faff", "\U00013430\U00013000"
    };
    static const char *const  turned[] = {
        "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066",
        "\u2067", "\u2068", "\u2069"
    };

    (void) state;

    for (i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++) {
        rooms_str_t  s = rooms_cstr(unseen[i]);

        if (rooms_name_check(&s) == NULL) {
            fail_msg("unseen %u", i);
        }
    }

    for (i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
        check_name(rooms_cstr(seen[i]), seen[i]);
    }

    for (i = 0; i < sizeof(turned) / sizeof(turned[0]); i++) {
        char         text[16];
        rooms_str_t  s;

        strcat(strcpy(text, "a"), turned[i]);
        s = rooms_cstr(strcat(text, "b"));

        if (rooms_name_check(&s) == NULL) {
            fail_msg("turned %u", i);
        }
    }
}


static void
check_shape(rooms_str_t s, const char *expected)
{
    rooms_str_t    name, again;
    unsigned char  dst[ROOMS_NAME_SIZE], more[ROOMS_NAME_SIZE];

    name = (rooms_str_t) { rooms_name_shape(s, dst), dst };

    assert_str(name, expected);

    if (name.len) {
        again = name;
        assert_null(rooms_name_make(&again, more));
        assert_str(again, expected);
    }
}


static void
shapes(void **state)
{
    int   i;
    char  text[4096], want[600];

    (void) state;

    check_shape(bytes("Ann"), "Ann");
    check_shape(bytes(" \tAnn\r\nB.\n"), "AnnB.");
    check_shape(bytes("\u202eAnn\u2069"), "Ann");
    check_shape(bytes("\x01\x02 \xc2\x85 x"), "x");
    check_shape(bytes("A\u030angstro\u0308m"), "Ångström");
    check_shape(bytes("a\xff\x80z\xc3"), "az");
    check_shape(bytes(""), "");
    check_shape(ROOMS_NULL, "");
    check_shape(bytes(" \t "), "");
    check_shape(bytes("\u200b"), "");
    check_shape(bytes("\n"), "");

    /* cut at 128, and trimmed once more */

    for (i = 0; i < 1000; i++) {
        memcpy(&text[3 * i], "ก", 3);
    }

    memcpy(want, text, 384);
    want[384] = '\0';
    check_shape((rooms_str_t) { 3000, (unsigned char *) text }, want);

    memcpy(&text[3 * 127], "   ", 3);
    want[381] = '\0';
    check_shape((rooms_str_t) { 3000, (unsigned char *) text }, want);

    for (i = 0; i < 1000; i++) {
        memcpy(&text[3 * i], "\u0958", 3);
        memcpy(&want[6 * (i % 64)], "\u0915\u093c", 6);
    }

    want[384] = '\0';
    check_shape((rooms_str_t) { 3000, (unsigned char *) text }, want);
}


static void
topics(void **state)
{
    int          i;
    char         text[2050];
    rooms_str_t  s;

    (void) state;

    s = ROOMS_NULL;
    assert_null(rooms_topic_check(&s));
    assert_null(s.data);

    s = bytes("");
    assert_null(rooms_topic_check(&s));
    assert_non_null(s.data);

    s = bytes(" one\r\n\ttwo\xe2\x80\xa8 ");
    assert_null(rooms_topic_check(&s));
    assert_int_equal(s.len, 14);

    s = bytes("a\0b");
    assert_non_null(rooms_topic_check(&s));
    s = bytes("a\x0b");
    assert_non_null(rooms_topic_check(&s));
    s = bytes("a\x1b[m");
    assert_non_null(rooms_topic_check(&s));
    s = bytes("a\xc2\x85");
    assert_non_null(rooms_topic_check(&s));
    s = bytes("a\xc3");
    assert_non_null(rooms_topic_check(&s));

    for (i = 0; i < 1025; i++) {
        memcpy(&text[i * 2], "\xc3\xa9", 2);
    }

    s = (rooms_str_t) { 2048, (unsigned char *) text };
    assert_null(rooms_topic_check(&s));
    assert_int_equal(s.len, 2048);
    s.len = 2050;
    assert_non_null(rooms_topic_check(&s));
}


static void
check_slug(rooms_str_t name, uint64_t n, const char *expected)
{
    rooms_str_t    slug, again;
    unsigned char  dst[ROOMS_SLUG_SIZE], more[ROOMS_SLUG_SIZE];

    slug = (rooms_str_t) { rooms_slug(name, n, dst), dst };

    assert_str(slug, expected);

    again = (rooms_str_t) { rooms_slug_read(slug, more), more };
    assert_str(again, expected);
}


static void
slugs(void **state)
{
    int          i;
    char         name[600];
    rooms_str_t  s;

    (void) state;

    check_slug(bytes("Engineering"), 0, "engineering");
    check_slug(bytes("Engineering"), 1, "engineering");
    check_slug(bytes("Engineering"), 2, "engineering-2");
    check_slug(bytes("Engineering"), 10, "engineering-10");
    check_slug(bytes("Engineering"), UINT64_MAX,
               "engineering-18446744073709551615");
    check_slug(bytes("  All -- things / 2024!  "), 0, "all-things-2024");
    check_slug(bytes("AZaz09@[`{/:"), 0, "azaz09");
    check_slug(bytes("---"), 0, "room");
    check_slug(bytes("a b"), 0, "a-b");
    check_slug(bytes("a\x11""b"), 0, "a-b");
    check_slug(bytes(""), 0, "room");
    check_slug(bytes("\xff"), 0, "room");
    check_slug(bytes("!?"), 3, "room-3");
    check_slug(bytes("\xf0\x9f\x8e\x89"), 0, "room");
    check_slug(ROOMS_NULL, 0, "room");

    /* accents of Latin letters are removed, everything else stays */
    check_slug(bytes("Über uns"), 0, "uber-uns");
    check_slug(bytes("U\u0308ber uns"), 0, "uber-uns");
    check_slug(bytes("Café Noir"), 0, "cafe-noir");
    check_slug(bytes("Łódź, Ørsta, Đà Nẵng"), 0, "lodz-orsta-da-nang");
    check_slug(bytes("Straße"), 0, "straße");
    check_slug(bytes("İSTANBUL Işık"), 0, "istanbul-isik");
    check_slug(bytes("ＦＵＬＬ　Ｗｉｄｔｈ"), 0, "full-width");
    check_slug(bytes("中文频道"), 0, "中文频道");
    check_slug(bytes("中文频道"), 2, "中文频道-2");
    check_slug(bytes("日本語：ガイド"), 0, "日本語-ガイド");
    check_slug(bytes("Общий ЧАТ"), 0, "общий-чат");
    check_slug(bytes("Και\u0301 ΟΔΟΣ"), 0, "καί-οδοσ");
    check_slug(bytes("הַשָּׁלוֹם"), 0, "הַשָּׁלוֹם");
    check_slug(bytes("किताब"), 0, "किताब");
    check_slug(bytes("ที่นี่"), 0, "ที่นี่");
    check_slug(bytes("한국 \u1112\u1161\u11ab"), 0, "한국-한");
    check_slug(bytes("٣ ملفات"), 0, "٣-ملفات");
    check_slug(bytes("می\u200cخواهم"), 0, "میخواهم");
    check_slug(bytes("\u0301a"), 0, "a");
    check_slug(bytes("1️⃣ H₂O"), 0, "1-h2o");

    memset(name, 'x', sizeof(name));
    name[63] = '-';
    s = (rooms_str_t) { 128, (unsigned char *) name };

    /* the cut leaves no hyphen at the end */
    check_slug(s, 0, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                     "xxxxxxxxxxxxx");
    name[63] = 'y';
    check_slug(s, 7, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                     "xxxxxxxxxxxxxy-7");

    /* code points, not bytes, and in NFC */
    for (i = 0; i < 128; i++) {
        memcpy(&name[3 * i], "한", 3);
    }

    {
        unsigned char  dst[ROOMS_SLUG_SIZE];

        s = (rooms_str_t) { 384, (unsigned char *) name };
        assert_int_equal(rooms_slug(s, 2, dst), 64 * 3 + 2);
        assert_memory_equal(dst, name, 64 * 3);
    }
}


static void
slug_read(void **state)
{
    char           text[600];
    rooms_str_t    s = { 85, (unsigned char *) text };
    unsigned char  dst[ROOMS_SLUG_SIZE];

    (void) state;

    s.data = dst;
    s.len = rooms_slug_read(bytes("u\u0308ber"), dst);
    assert_str(s, "über");

    assert_int_equal(rooms_slug_read(ROOMS_NULL, dst), 0);
    assert_int_equal(rooms_slug_read(bytes(""), dst), 0);
    assert_int_equal(rooms_slug_read(bytes("a\xff"), dst), 0);

    s.data = (unsigned char *) text;
    memset(text, 'a', sizeof(text));
    s.len = 85;
    assert_int_equal(rooms_slug_read(s, dst), 85);
    s.len = 86;
    assert_int_equal(rooms_slug_read(s, dst), 0);
    s.len = 600;
    assert_int_equal(rooms_slug_read(s, dst), 0);
}


static int
found(rooms_str_t text, rooms_str_t query)
{
    rooms_buf_t    b, q;
    unsigned char  there[4096], asked[4096];

    rooms_buf_init(&b, there, sizeof(there));
    rooms_buf_init(&q, asked, sizeof(asked));

    rooms_fold(&b, text);
    rooms_fold(&q, query);

    assert_false(b.full || q.full);

    return rooms_fold_match((rooms_str_t) { b.last - b.start, there },
                            (rooms_str_t) { q.last - q.start, asked });
}


static void
search(void **state)
{
    unsigned  i;

    static const struct {
        const char  *text;
        const char  *query;
        int          found;
    } cases[] = {
        /* words that begin words of the text, in any order */
        { "Town Square", "square", 1 },
        { "Town Square", "SQ to", 1 },
        { "Town Square", "quare", 0 },
        { "Town Square", "town hall", 0 },
        { "Town Square", "", 1 },
        { "Town Square", " -- ", 1 },
        { "", "a", 0 },
        { "a", "ab", 0 },
        { "town-square_2", "square", 1 },
        { "town-square_2", "2", 1 },
        { "Town.Square", "town/square", 1 },
        { "l'église", "eglise", 1 },
        { "C++", "c", 1 },
        { "a\tb", "b", 1 },
        { "ab", "a\tb", 0 },
        /* case */
        { "Общий чат", "общий", 1 },
        { "общий чат", "ОБЩИЙ ЧА", 1 },
        { "Schöne Aussicht", "SCHÖNE", 1 },
        { "Schöne Aussicht", "schone", 1 },
        { "schone", "Schöne", 1 },
        { "Straße", "STRASSE", 1 },
        { "STRASSE", "straße", 1 },
        { "STRAẞE", "strass", 1 },
        { "İstanbul", "istanbul", 1 },
        { "İstanbul", "ISTANBUL", 1 },
        { "istanbul", "İSTANBUL", 1 },
        { "Işık", "isik", 1 },
        { "IŞIK", "ışık", 1 },
        { "ΟΔΟΣ", "οδος", 1 },
        { "οδος", "ΟΔΟΣ", 1 },
        { "Ὀδυσσεύς", "οδυσσευσ", 1 },
        { "ᾳ", "ᾼ", 1 },
        /* accents and similar marks */
        { "Łódź", "lodz", 1 },
        { "lodz", "Łódź", 1 },
        { "Ørsta", "orsta", 1 },
        { "Đà Nẵng", "da nang", 1 },
        { "Tiếng Việt", "tieng viet", 1 },
        { "Ёлка", "елка", 1 },
        { "שָׁלוֹם", "שלום", 1 },
        { "كِتَاب", "كتاب", 1 },
        { "كـــتاب", "كتاب", 1 },
        /* Unicode forms */
        { "e\u0301te\u0301", "été", 1 },
        { "été", "e\u0301te\u0301", 1 },
        { "ｆｕｌｌ　ｗｉｄｔｈ", "FULL width", 1 },
        { "full width", "ＷＩＤＴＨ", 1 },
        { "ﬁnance", "fin", 1 },
        { "\u1112\u1161\u11ab국", "한국", 1 },
        { "한국", "하", 1 },
        { "ｶﾞｲﾄﾞ", "ガイド", 1 },
        { "Ⅳ", "iv", 1 },
        { "so\u00adft\u200bware", "software", 1 },
        { "می\u200cخواهم", "میخواهم", 1 },
        { "①", "1", 1 },
        /* without spaces, a word begins anywhere */
        { "中文频道", "频道", 1 },
        { "中文频道", "文道", 0 },
        { "QA频道", "qa频", 1 },
        { "频道QA", "qa", 1 },
        { "频道QA", "a", 0 },
        { "全社のガイド", "ガイド", 1 },
        { "全社のガイド", "かいと", 0 },
        { "ห้องประชุม", "ประชุม", 1 },
        { "🎉 party", "🎉", 1 },
        { "party🎉", "🎉", 1 },
        { "party", "🎉", 0 },
        { "❤\ufe0f", "❤", 1 },
        /* signs that aren't accents */
        { "किताब", "कताब", 0 },
        { "किताब", "कि", 1 },
        /* marks in any order, and between them what is no accent */
        { "\u30c0\u0335", "\u30bf\u0335\u3099", 1 },
        { "\u0929\u094d", "\u0928\u094d\u093c", 1 },
        { "\u0928\u094d\u093c", "\u0929\u094d", 1 },
        { "\u0e01\u0e48\u0e38", "\u0e01\u0e38\u0e48", 1 },
        { "\u0928\u094d\u034f\u093c", "\u0929\u094d", 1 },
        { "\u0928\u094d\u093c", "\u0928\u094d\u200d", 0 },
        { "\u1fb3\u3099", "\u03b1\u3099\u0345", 1 },
        { "\u1004\u103a\u1039", "\u1004\u103a\u1039", 1 },
        { "\u1004\u103a", "\u1004\u103a\u1039", 0 },
        { "s\u0336t\u0336ruck", "struck", 1 },
        { "ᾳ", "α", 1 },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        if (found(rooms_cstr(cases[i].text), rooms_cstr(cases[i].query))
            != cases[i].found)
        {
            fail_msg("%u: \"%s\" in \"%s\"", i, cases[i].query,
                     cases[i].text);
        }
    }
}


/* Texts of several parts, and texts that don't fit. */

static void
folds(void **state)
{
    rooms_buf_t    b;
    rooms_str_t    s;
    unsigned char  dst[ROOMS_FOLD_SIZE(4)];

    (void) state;

    rooms_buf_init(&b, dst, sizeof(dst));
    rooms_fold(&b, bytes("Qa中文 x"));
    rooms_fold(&b, bytes("é"));
    rooms_fold(&b, ROOMS_NULL);
    s = (rooms_str_t) { b.last - dst, dst };
    assert_str(s, " qa\t中\t文 x e");

    rooms_buf_init(&b, dst, 4);
    rooms_fold(&b, bytes("abcdef"));
    s = (rooms_str_t) { b.last - dst, dst };
    assert_str(s, " ab");
    assert_true(b.full);

    /* the longest result */
    rooms_buf_init(&b, dst, sizeof(dst));
    rooms_fold(&b, bytes("\ufdfa\ufdfa\ufdfa\ufdfa"));
    assert_false(b.full);
    assert_int_equal(b.last - dst, 4 * (15 * 2 + 3) + 1);

    rooms_buf_init(&b, dst, sizeof(dst));
    rooms_fold(&b, bytes("a\xff\x80z\xc3"));
    s = (rooms_str_t) { b.last - dst, dst };
    assert_str(s, " az");

    /* 1,024 words; then not even the rest of one */
    {
        int                   i, n;
        char                  text[8192] = "";
        static unsigned char  large[65536];

        for (i = 0; i < 300; i++) {
            strcat(text, "\ufdfa ");
        }

        rooms_buf_init(&b, large, sizeof(large));
        rooms_fold(&b, rooms_cstr(text));
        assert_false(b.full);

        for (n = 0, s.len = 0; s.len < (size_t) (b.last - large); s.len++) {
            n += large[s.len] == ' ';
        }

        assert_int_equal(n, ROOMS_FOLD_WORDS);

        rooms_fold(&b, bytes("another"));
        assert_memory_equal(b.last - 8, " another", 8);
    }

    /* of the marks of one class, two */
    rooms_buf_init(&b, dst, sizeof(dst));
    rooms_fold(&b, bytes("\u0928\u094d\u094d\u093c\u094d\u093c\u093c"
                         "\u094d\u0928\u094d"));
    s = (rooms_str_t) { b.last - dst, dst };
    assert_str(s, " \u0928\u093c\u093c\u094d\u094d\u0928\u094d");
}


static void
ids(void **state)
{
    rooms_str_t    id;
    unsigned char  dst[ROOMS_ID_MAX];

    static const unsigned char  zero[10];
    static const unsigned char  full[10] = "\xff\xff\xff\xff\xff"
                                           "\xff\xff\xff\xff\xff";
    static const unsigned char  low[10] = "\0\0\0\0\0\0\0\0\x04\x21";

    (void) state;

    id.data = dst;

    id.len = rooms_id_make("room-", 0, zero, dst);
    assert_str(id, "room-00000000000000000000000000");
    assert_true(rooms_id_valid(id, "room-"));
    assert_false(rooms_id_valid(id, "ws-"));

    id.len = rooms_id_make("ws-", 0xffffffffffffLL, full, dst);
    assert_str(id, "ws-7zzzzzzzzzzzzzzzzzzzzzzzzz");

    id.len = rooms_id_make("med-", 1, low, dst);
    assert_str(id, "med-00000000010000000000000111");

    /* the time of the ULID specification's example */
    id.len = rooms_id_make("room-", 1469918176385LL, zero, dst);
    assert_str(id, "room-01aryz6s410000000000000000");

    /* and as a position */
    assert_int_equal(rooms_id_position(id), 0);
    id.len = rooms_id_make("room-", 1577836800000LL + 1000, full, dst);
    assert_int_equal(rooms_id_position(id), 8000);
    id.len = rooms_id_make("room-", 1795899840953LL, zero, dst);
    assert_int_equal(rooms_id_position(id), (1795899840953LL
                                             - 1577836800000LL) * 8);
    id.len = rooms_id_make("room-", 0xffffffffffffLL, zero, dst);
    assert_int_equal(rooms_id_position(id),
                     (INT64_C(1) << 44) - (INT64_C(1) << 41));
    assert_int_equal(rooms_position_at(0), 0);
    assert_int_equal(rooms_id_position(bytes("room-0zzzzzzzzu")), 0);
    assert_int_equal(rooms_id_position(bytes("room-0ZZZZZZZZZ")), 0);
    assert_int_equal(rooms_id_position(bytes("room-0zzzzzzz")), 0);
    assert_int_equal(rooms_id_position(bytes("ws-0zzzzzzzzzzzz")), 0);
    assert_int_equal(rooms_id_position(bytes("rubbish")), 0);
    assert_int_equal(rooms_id_position(ROOMS_NULL), 0);

    assert_true(rooms_id_valid(bytes("room-x"), "room-"));
    assert_true(rooms_id_valid(bytes("room-a_B-9"), "room-"));
    assert_false(rooms_id_valid(bytes("room-"), "room-"));
    assert_false(rooms_id_valid(bytes("room"), "room-"));
    assert_false(rooms_id_valid(ROOMS_NULL, "room-"));
    assert_false(rooms_id_valid(bytes("ROOM-x"), "room-"));
    assert_false(rooms_id_valid(bytes("room-a:b"), "room-"));
    assert_false(rooms_id_valid(bytes("room-a}b"), "room-"));
    assert_false(rooms_id_valid(bytes("room-a/b"), "room-"));
    assert_false(rooms_id_valid(bytes("room-a\0"), "room-"));
    assert_false(rooms_id_valid(bytes("room-\xc3\xa9"), "room-"));

    memset(dst, 'a', sizeof(dst));
    memcpy(dst, "room-", 5);
    id.len = 64;
    assert_true(rooms_id_valid(id, "room-"));
    {
        unsigned char  more[65];

        memset(more, 'a', sizeof(more));
        memcpy(more, "room-", 5);
        id = (rooms_str_t) { 65, more };
        assert_false(rooms_id_valid(id, "room-"));
    }
}


static void
ids_sort_by_time(void **state)
{
    int64_t        ms;
    size_t         len;
    unsigned char  a[ROOMS_ID_MAX], b[ROOMS_ID_MAX];

    static const unsigned char  zero[10];
    static const unsigned char  full[10] = "\xff\xff\xff\xff\xff"
                                           "\xff\xff\xff\xff\xff";

    (void) state;

    for (ms = 1; ms < 0x800000000000LL; ms = ms * 3 + 1) {
        len = rooms_id_make("room-", ms, full, a);
        assert_int_equal(len, 31);
        assert_int_equal(rooms_id_make("room-", ms + 1, zero, b), 31);
        assert_true(memcmp(a, b, 31) < 0);
    }
}


static void
event_ids(void **state)
{
    int            c, valid;
    size_t         i;
    unsigned char  digits[ROOMS_EVENT_DIGITS];

    (void) state;

    assert_int_equal(rooms_event_position(
                         bytes("evt-00000000000000123456789abcdef")), 0);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002a0123456789abcdef")), 42);
    assert_int_equal(rooms_event_position(
                         bytes("evt-fffffffffffff0123456789abcdef")),
                     0xfffffffffffffLL);

    assert_int_equal(rooms_event_position(ROOMS_NULL), -1);
    assert_int_equal(rooms_event_position(bytes("evt-")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002a0123456789abcde")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002a0123456789abcdef0")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt_000000000002a0123456789abcdef")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002A0123456789abcdef")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002g0123456789abcdef")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002a0123456789abcde/")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002a0123456789abcde:")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002a0123456789abcde`")), -1);

    assert_true(rooms_id_valid(bytes("evt-000000000002a0123456789abcdef"),
                               "evt-"));

    for (i = 0; i < ROOMS_EVENT_DIGITS; i++) {

        for (c = 0; c < 256; c++) {
            memcpy(digits, "000000000002a0123456789abcdef", sizeof(digits));
            digits[i] = (unsigned char) c;

            valid = c && strchr("0123456789abcdef", c) != NULL;
            assert_int_equal(rooms_event_digits((rooms_str_t) {
                                 sizeof(digits), digits }) >= 0, valid);
        }
    }
}


static void
participants_and_tenants(void **state)
{
    int            c;
    unsigned char  text[256];
    rooms_str_t    s = { 255, text };

    (void) state;

    memset(text, 'a', sizeof(text));

    assert_true(rooms_participant_valid(bytes("@Ann.B_9~x:host+1-2")));
    assert_true(rooms_participant_valid(bytes("auth0|64f0")));
    assert_true(rooms_participant_valid(bytes("https://id.example/u?1#2")));
    assert_true(rooms_participant_valid(s));
    s.len = 256;
    assert_false(rooms_participant_valid(s));

    for (c = 0, s.len = 3; c < 256; c++) {
        text[1] = (unsigned char) c;
        assert_int_equal(rooms_participant_valid(s), c > ' ' && c < 0x7f);
    }

    text[1] = 'a';

    assert_false(rooms_participant_valid(ROOMS_NULL));
    assert_false(rooms_participant_valid(bytes("")));
    assert_false(rooms_participant_valid(bytes("a b")));
    assert_false(rooms_participant_valid(bytes("a\0b")));
    assert_false(rooms_participant_valid(bytes("\xc3\xa9")));

    assert_true(rooms_tenant_valid(bytes("Acme-1.x_y")));
    s.len = 64;
    assert_true(rooms_tenant_valid(s));
    s.len = 65;
    assert_false(rooms_tenant_valid(s));
    assert_false(rooms_tenant_valid(bytes("a:b")));
    assert_false(rooms_tenant_valid(bytes("a}b")));
    assert_false(rooms_tenant_valid(bytes("a@b")));
    assert_false(rooms_tenant_valid(bytes("")));
    assert_false(rooms_tenant_valid(bytes("@[`{/")));
}


static void
enum_names(void **state)
{
    int  i;

    static const char *const  types[] = {
        "group", "public", "incognito", "dm", "sidekick", "bridge"
    };
    static const char *const  memberships[] = {
        "leave", "invite", "join", "ban"
    };
    static const char *const  states[] = { "open", "archived", "closed" };
    static const char *const  roles[] = { NULL, "viewer", "editor", "owner" };
    static const char *const  suffixes[] = {
        NULL, "create", "member", "name", "topic", "workspace", "state",
        "federation", "power_level", "message", "reaction", "redaction",
        "read_marker"
    };

    (void) state;

    for (i = 0; i < ROOMS_TYPE_MAX; i++) {
        assert_string_equal(rooms_type_name(i), types[i]);
        assert_int_equal(rooms_type_parse(rooms_cstr(types[i])), i);
    }

    for (i = 0; i < ROOMS_MEMBERSHIP_MAX; i++) {
        assert_string_equal(rooms_membership_name(i), memberships[i]);
        assert_int_equal(rooms_membership_parse(rooms_cstr(memberships[i])),
                         i);
    }

    for (i = 0; i < ROOMS_STATE_MAX; i++) {
        assert_string_equal(rooms_state_name(i), states[i]);
    }

    for (i = 1; i <= ROOMS_ROLE_OWNER; i++) {
        assert_string_equal(rooms_role_name(i), roles[i]);
        assert_int_equal(rooms_role_parse(rooms_cstr(roles[i])), i);
    }

    for (i = 1; i < ROOMS_EV_MAX; i++) {
        assert_memory_equal(rooms_event_name(i), "swp.room.", 9);
        assert_string_equal(rooms_event_name(i) + 9, suffixes[i]);
    }

    assert_null(rooms_type_name(ROOMS_TYPE_MAX));
    assert_null(rooms_type_name(-1));
    assert_null(rooms_state_name(ROOMS_STATE_MAX));
    assert_null(rooms_membership_name(ROOMS_MEMBERSHIP_MAX));
    assert_null(rooms_role_name(ROOMS_ROLE_NONE));
    assert_null(rooms_role_name(ROOMS_ROLE_OWNER + 1));
    assert_null(rooms_event_name(ROOMS_EV_NONE));
    assert_null(rooms_event_name(ROOMS_EV_MAX));

    assert_int_equal(rooms_type_parse(bytes("Group")), -1);
    assert_int_equal(rooms_type_parse(bytes("grou")), -1);
    assert_int_equal(rooms_type_parse(bytes("groups")), -1);
    assert_int_equal(rooms_type_parse(bytes("")), -1);
    assert_int_equal(rooms_type_parse(ROOMS_NULL), -1);
    assert_int_equal(rooms_membership_parse(bytes("kick")), -1);
    assert_int_equal(rooms_role_parse(bytes("none")), -1);
    assert_int_equal(rooms_role_parse(ROOMS_NULL), -1);
}


/* Text that moves from one field to the next is another version. */
static void
hashes_of_fields(void **state)
{
    uint64_t  first, second;

    first = rooms_hash(rooms_hash(0, "topic", 5), NULL, 0);
    second = rooms_hash(rooms_hash(0, NULL, 0), "topic", 5);

    assert_true(first != second);
    assert_true(rooms_hash(0, "ab", 2) != rooms_hash(0, "ab\0", 3));
    assert_true(rooms_hash(7, "12345678", 8) == rooms_hash(7, "12345678", 8));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(hashes_of_fields),
        cmocka_unit_test(utf8),
        cmocka_unit_test(names),
        cmocka_unit_test(names_nfc),
        cmocka_unit_test(names_seen),
        cmocka_unit_test(shapes),
        cmocka_unit_test(topics),
        cmocka_unit_test(slugs),
        cmocka_unit_test(slug_read),
        cmocka_unit_test(search),
        cmocka_unit_test(folds),
        cmocka_unit_test(ids),
        cmocka_unit_test(ids_sort_by_time),
        cmocka_unit_test(event_ids),
        cmocka_unit_test(participants_and_tenants),
        cmocka_unit_test(enum_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
