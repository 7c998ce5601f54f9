/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "rooms_json.h"
#include "rooms_json_text.h"


static rooms_str_t
str(const char *s)
{
    return rooms_cstr(s);
}


static void
assert_is(rooms_str_t got, const char *want)
{
    if (want == NULL) {
        assert_null(got.data);
        return;
    }

    assert_non_null(got.data);
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.data, want, got.len);
}


static void
writes(void **state)
{
    unsigned char  mem[256];
    rooms_buf_t    b;

    rooms_buf_init(&b, mem, sizeof(mem));
    rooms_json_lit(&b, "{\"a\":");
    rooms_json_str(&b, (rooms_str_t) { 11, (const unsigned char *)
                                           "q\"\\\n\t\0\x1f\x7f\xc3\xa9/" });
    rooms_json_lit(&b, ",\"n\":");
    rooms_json_int(&b, INT64_MIN);
    rooms_json_lit(&b, ",\"z\":");
    rooms_json_int(&b, 0);
    rooms_json_lit(&b, ",\"t\":");
    rooms_json_time(&b, 0);
    rooms_json_lit(&b, ",\"x\":");
    rooms_json_str(&b, ROOMS_NULL);
    rooms_json_lit(&b, ",\"b\":");
    rooms_json_bool(&b, 1);
    rooms_json_lit(&b, "}");

    assert_false(b.full);
    assert_is((rooms_str_t) { b.last - b.start, mem },
              "{\"a\":\"q\\\"\\\\\\n\\t\\u0000\\u001f\x7f\xc3\xa9/\","
              "\"n\":-9223372036854775808,\"z\":0,"
              "\"t\":\"1970-01-01T00:00:00.000Z\",\"x\":null,\"b\":true}");
}


/* Every control character, read back by jansson. */
static void
writes_what_is_read(void **state)
{
    int            c;
    char           in[3];
    json_t        *v;
    unsigned char  mem[64];
    rooms_buf_t    b;

    for (c = 1; c < 0x80; c++) {
        in[0] = c;
        in[1] = 'x';
        in[2] = '\0';

        rooms_buf_init(&b, mem, sizeof(mem));
        rooms_json_str(&b, str(in));

        v = json_loadb((char *) mem, b.last - mem, JSON_DECODE_ANY, NULL);
        assert_non_null(v);
        assert_string_equal(json_string_value(v), in);
        json_decref(v);
    }
}


static void
never_passes_the_end(void **state)
{
    size_t         n;
    unsigned char  mem[64];
    rooms_buf_t    b;

    for (n = 0; n < 20; n++) {
        memset(mem, 0xaa, sizeof(mem));
        rooms_buf_init(&b, mem, n);
        rooms_json_str(&b, str("a\"b\x01" "cdefghijklmnop"));

        assert_true(b.full);
        assert_true(b.last <= b.end);
        assert_int_equal(mem[n], 0xaa);
    }
}


static const char  *good[] = {
    "{}", "[]", " [ 1 , -2.5e+10 , 0.1E-2, true,false ,null ] ",
    "{\"a\":{\"b\":[{}]},\"c\":\"\\u00e9\\ud83d\\ude00\\/\\b\"}",
    "\"\xf0\x9f\x98\x80\"", "0", "-0", "12345678901234567890123", NULL
};

static const char  *bad[] = {
    "", " ", "{", "}", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "01", "1.",
    ".5", "+1", "1e", "tru", "nul", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"",
    "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\n\"", "\"abc", "[1 2]", "1 1",
    "\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "[}", "{]", "--1", "-",
    "\"\\", "{\"a\":}", "\"\\uE04\x14\"", NULL
};


/* Pieces of 8 bytes, three of them; a longer string gets its own. */
static unsigned char  pieces[3][64];
static int            taken;


static int
takes_another(rooms_buf_t *b, size_t len)
{
    if (taken == 3 || len > sizeof(pieces[0])) {
        return 0;
    }

    b->start = pieces[taken++];
    b->last = b->start;
    b->end = b->start + (len > 8 ? len : 8);

    return 1;
}


static void
grows(void **state)
{
    rooms_buf_t  b;

    rooms_buf_init(&b, (unsigned char *) "", 0);
    b.grow = takes_another;
    taken = 0;

    rooms_json_lit(&b, "");
    assert_int_equal(taken, 0);

    rooms_json_lit(&b, "[1,2]");
    rooms_json_lit(&b, ",[3");
    assert_int_equal(taken, 1);

    /* what is written at once stays in one piece */
    rooms_json_lit(&b, "01234567890123456789");
    assert_int_equal(taken, 2);
    rooms_json_lit(&b, "]");
    assert_int_equal(taken, 3);
    assert_memory_equal(pieces[0], "[1,2],[3", 8);
    assert_memory_equal(pieces[1], "01234567890123456789", 20);
    assert_false(b.full);

    rooms_json_lit(&b, "1234567");
    assert_false(b.full);
    rooms_json_lit(&b, "8");
    assert_true(b.full);
    assert_memory_equal(pieces[2], "]1234567", 8);
}


static void
puts_values(void **state)
{
    rooms_buf_t    b;
    unsigned char  mem[128];

    rooms_buf_init(&b, mem, sizeof(mem));

    rooms_json_put(&b, "{\"a\":%s,\"b\":%s,\"c\":%d,\"d\":%t}", str("x\"y"),
                   ROOMS_NULL, (int64_t) -1, (int64_t) 0);
    rooms_json_put(&b, "%d%d", (int64_t) 1, (int64_t) 2);
    rooms_json_put(&b, "");

    assert_is((rooms_str_t) { b.last - mem, mem },
              "{\"a\":\"x\\\"y\",\"b\":null,\"c\":-1,"
              "\"d\":\"1970-01-01T00:00:00.000Z\"}12");
    assert_false(b.full);
}


static void
scans(void **state)
{
    int  i;

    for (i = 0; good[i]; i++) {
        assert_true(rooms_json_valid(str(good[i])));
    }

    for (i = 0; bad[i]; i++) {
        if (rooms_json_valid(str(bad[i]))) {
            fail_msg("took %s", bad[i]);
        }
    }

    assert_false(rooms_json_valid(ROOMS_NULL));
}


/* Exactly the values that jansson accepts, cut at every byte. */
static void
agrees_with_jansson(void **state)
{
    int      i;
    size_t   n;
    json_t  *v;

    for (i = 0; good[i]; i++) {
        for (n = 0; n < strlen(good[i]); n++) {
            v = json_loadb(good[i], n,
                           JSON_DECODE_ANY|JSON_ALLOW_NUL
                           |JSON_DECODE_INT_AS_REAL, NULL);
            assert_int_equal(v != NULL, rooms_json_valid((rooms_str_t) {
                                 n, (const unsigned char *) good[i] }));
            json_decref(v);
        }
    }
}


static void
bounds_depth(void **state)
{
    char  deep[1024];

    memset(deep, '[', 128);
    memset(deep + 128, ']', 128);
    assert_true(rooms_json_valid((rooms_str_t) {
                                 256, (unsigned char *) deep }));

    memset(deep, '[', 129);
    memset(deep + 129, ']', 129);
    assert_false(rooms_json_valid((rooms_str_t) {
                                  258, (unsigned char *) deep }));

    memset(deep, '[', sizeof(deep));
    assert_false(rooms_json_valid((rooms_str_t) {
                                  sizeof(deep), (unsigned char *) deep }));
}


static void
finds(void **state)
{
    rooms_str_t  o;

    o = str(" { \"x\" : {\"id\":\"no\"}, \"id\" : \"evt-1\" , \"n\": 42,"
            " \"e\":\"a\\nb\", \"neg\":-1, \"ida\":1 , \"f\":1.5}");

    assert_is(rooms_json_member(o, "x"), "{\"id\":\"no\"}");
    assert_is(rooms_json_member_str(o, "id"), "evt-1");
    assert_is(rooms_json_member(o, "n"), "42");
    assert_int_equal(rooms_json_member_int(o, "n", 7), 42);
    assert_int_equal(rooms_json_member_int(o, "neg", 7), 7);
    assert_int_equal(rooms_json_member_int(o, "f", 7), 7);
    assert_int_equal(rooms_json_member_int(o, "none", 7), 7);
    assert_is(rooms_json_member_str(o, "e"), NULL);
    assert_is(rooms_json_member_str(o, "n"), NULL);
    assert_is(rooms_json_member(o, "i"), NULL);
    assert_is(rooms_json_member(str("[1]"), "x"), NULL);
    assert_is(rooms_json_member(str("{}"), "x"), NULL);
    assert_is(rooms_json_member(str("{\"x\":"), "x"), NULL);
    assert_is(rooms_json_member(str(""), "x"), NULL);
}


static int
walked_to_the_end(const char *text)
{
    rooms_str_t  o, key, value;

    o = str(text);
    value = ROOMS_NULL;

    while (rooms_json_next(o, &key, &value)) { /* void */ }

    return rooms_json_ends(o, value);
}


/* A walk alone can't tell the end from an error. */
static void
ends(void **state)
{
    assert_true(walked_to_the_end("{}"));
    assert_true(walked_to_the_end(" { } "));
    assert_true(walked_to_the_end("{\"a\":1,\"b\":[{}]}"));
    assert_true(walked_to_the_end("{\"a\":\"}\" }\n"));
    assert_false(walked_to_the_end(""));
    assert_false(walked_to_the_end("[]"));
    assert_false(walked_to_the_end("{"));
    assert_false(walked_to_the_end("{\"a\":1"));
    assert_false(walked_to_the_end("{\"a\":1,}"));
    assert_false(walked_to_the_end("{\"a\":1}x"));
    assert_false(walked_to_the_end("{\"a\":1,\"b\":}"));
}


/* Examples of bodies that count as plain; fuzz_plain tests the rest. */
static void
plain(void **state)
{
    unsigned  i;
    char      deep[64];

    static const char  *are[] = {
        "{}", " { } ", "{\"a\":{\"b\":[1,-2,0,true,false,null,\"x\\n\"]}}",
        "{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}", "{\"\":\"\xc3\xa9\"}",
        "{\"n\":123456789012345}", NULL
    };
    static const char  *are_not[] = {
        "", "[]", "1", "{", "{\"a\":1", "{\"a\":1,}", "{\"a\":1}x",
        "{\"a\":1,\"a\":2}", "{\"x\":{\"a\":1,\"a\":1}}", "{\"a\":01}",
        "{\"a\":1.0}", "{\"a\":1e3}", "{\"a\":1234567890123456}",
        "{\"a\":\"\\u0041\"}", "{\"a\\n\":1}", "{\"a\":\"\xc0\x80\"}",
        "{\"a\":\"\x01\"}", "{\"a\":tru}", "{\"a\" 1}", "{a:1}",
        "{\"a\":-}", "{\"a\":\"\\x\"}", "\xef\xbb\xbf{}", NULL
    };

    for (i = 0; are[i]; i++) {
        assert_true(rooms_json_plain(str(are[i])));
        assert_true(rooms_json_valid(str(are[i])));
    }

    for (i = 0; are_not[i]; i++) {
        assert_false(rooms_json_plain(str(are_not[i])));
    }

    memcpy(deep, "{\"a\":", 5);
    memset(deep + 5, '[', 20);
    memset(deep + 25, ']', 20);
    strcpy(deep + 45, "}");
    assert_false(rooms_json_plain(str(deep)));
    assert_true(rooms_json_valid(str(deep)));
}


static void
minifies(void **state)
{
    unsigned char  dst[128];
    rooms_str_t    v;

    v = str(" { \"a b\" : [ 1.10 , \"x  y\\\" z\" ] ,\n\"c\":\ttrue } ");

    assert_is((rooms_str_t) { rooms_json_minify(v, dst), dst },
              "{\"a b\":[1.10,\"x  y\\\" z\"],\"c\":true}");
}


/* From the key behind the last one on, and around; escapes are read. */
static void
knows_keys(void **state)
{
    static const rooms_str_t  keys[] = {
        rooms_string("one"), rooms_string("two"), rooms_string("six")
    };

    assert_int_equal(rooms_json_key_of(rooms_cstr("one"), keys, 3, -1), 0);
    assert_int_equal(rooms_json_key_of(rooms_cstr("six"), keys, 3, 0), 2);
    assert_int_equal(rooms_json_key_of(rooms_cstr("two"), keys, 3, 2), 1);
    assert_int_equal(rooms_json_key_of(rooms_cstr("two"), keys, 3, 1), 1);
    assert_int_equal(rooms_json_key_of(rooms_cstr("tw\\u006f"), keys, 3, -1),
                     1);
    assert_int_equal(rooms_json_key_of(rooms_cstr("twp"), keys, 3, -1), -1);
    assert_int_equal(rooms_json_key_of(rooms_cstr("tw\\n"), keys, 3, -1), -1);
    assert_int_equal(rooms_json_key_of(rooms_cstr(""), keys, 3, -1), -1);
}


static void
names_the_key(void **state)
{
    const char  *t;

    t = "{\"name\": \"a\xff\", \"topic\": {\"x\": nope}, \"z\": [1, 2,, 3]}";

    assert_is(rooms_json_key_at(str(t), 12), "name");
    assert_is(rooms_json_key_at(str(t), strstr(t, "nope") - t), "topic");
    assert_is(rooms_json_key_at(str(t), strstr(t, ",,") + 2 - t), "z");
    assert_is(rooms_json_key_at(str(t), 1), NULL);
    assert_is(rooms_json_key_at(str("[\"a\"]"), 4), "a");
    assert_is(rooms_json_key_at(str("{\"abc"), 99), "abc");
}


/* Wherever it begins and ends, and whatever stands behind the end. */
static void
runs(void **state)
{
    u_char  text[64];
    size_t  start, len, i, k;

    static const u_char  stops[] = { '"', '\\', 0, 0x1f, 0x80, 0xff };
    static const u_char  others[] = { ' ', '!', '#', '[', ']', 0x7f, 'a' };

    (void) state;

    for (start = 0; start < 9; start++) {
        for (len = 0; len < 50; len++) {
            for (k = 0; k < sizeof(stops); k++) {
                for (i = 0; i <= len; i++) {
                    memset(text, stops[k], sizeof(text));
                    memset(text + start, others[(i + len) % sizeof(others)],
                           i);

                    assert_ptr_equal(rooms_json_run(text + start,
                                                    text + start + len),
                                     text + start + i);
                }
            }
        }
    }
}


/* What needs an escape, at any place of a string of any length. */
static void
escapes_anywhere(void **state)
{
    size_t         i, len;
    unsigned       k;
    rooms_buf_t    b;
    unsigned char  s[48], dst[64], wanted[64];

    static const struct {
        unsigned char  c;
        const char    *as;
    } odd[] = {
        { '"', "\\\"" }, { '\\', "\\\\" }, { '\n', "\\n" }, { 0, "\\u0000" },
        { 0x1f, "\\u001f" }, { ' ', " " }, { '~', "~" }, { 0x7f, "\x7f" }
    };

    for (len = 0; len <= sizeof(s); len++) {

        for (i = 0; i <= len; i++) {

            for (k = 0; k < sizeof(odd) / sizeof(odd[0]); k++) {

                memset(s, 'x', len);
                memset(wanted, 'x', sizeof(wanted));

                rooms_buf_init(&b, dst, sizeof(dst));

                if (i < len) {
                    s[i] = odd[k].c;
                    memcpy(wanted + i, odd[k].as, strlen(odd[k].as));
                }

                rooms_json_escape(&b, (rooms_str_t) { len, s });

                assert_false(b.full);
                assert_int_equal(b.last - dst, i < len
                                 ? len - 1 + strlen(odd[k].as) : len);
                assert_memory_equal(dst, wanted, b.last - dst);
            }
        }
    }
}


static void
integers(void **state)
{
    int            i, k, sign;
    int64_t        n;
    rooms_buf_t    b;
    unsigned char  dst[ROOMS_JSON_INT];
    char           wanted[ROOMS_JSON_INT + 1];

    for (i = 0, n = 1; i < 19; i++, n = i < 19 ? n * 10 : n) {

        for (k = -11; k <= 11; k++) {

            for (sign = -1; sign <= 1; sign += 2) {
                rooms_buf_init(&b, dst, sizeof(dst));
                rooms_json_int(&b, sign * (n + k));

                assert_int_equal(b.last - dst,
                                 snprintf(wanted, sizeof(wanted), "%lld",
                                          (long long) (sign * (n + k))));
                assert_memory_equal(dst, wanted, b.last - dst);
            }
        }
    }

    rooms_buf_init(&b, dst, sizeof(dst));
    rooms_json_int(&b, INT64_MIN);
    assert_memory_equal(dst, "-9223372036854775808", sizeof(dst));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(writes),
        cmocka_unit_test(writes_what_is_read),
        cmocka_unit_test(never_passes_the_end),
        cmocka_unit_test(grows),
        cmocka_unit_test(puts_values),
        cmocka_unit_test(scans),
        cmocka_unit_test(agrees_with_jansson),
        cmocka_unit_test(bounds_depth),
        cmocka_unit_test(finds),
        cmocka_unit_test(ends),
        cmocka_unit_test(plain),
        cmocka_unit_test(minifies),
        cmocka_unit_test(knows_keys),
        cmocka_unit_test(names_the_key),
        cmocka_unit_test(runs),
        cmocka_unit_test(escapes_anywhere),
        cmocka_unit_test(integers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
