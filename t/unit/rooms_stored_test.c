/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Stored events: which can be read, and what is shown of the others. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rooms_stored.h"


#define ROOM    "room-01234567890123456789012345"
#define DIGITS  "00000000003e80123456789abcdef"     /* position 1000 */
#define ID      "evt-" DIGITS

#define HEAD    DIGITS " message ann 1767225600000 "


static rooms_stored_t
read_at(const char *text, int64_t position)
{
    rooms_stored_t  e;

    rooms_stored_read(rooms_cstr(text), position, &e);

    return e;
}


/* What a reader sees; the size computed before must be enough. */

static const char *
shown(rooms_stored_t *e)
{
    size_t       size;
    rooms_buf_t  b;

    static unsigned char  mem[10000];

    size = rooms_stored_shown(e, rooms_cstr(ROOM));
    assert_true(size < sizeof(mem));

    rooms_buf_init(&b, mem, size);
    rooms_stored_show(&b, e, rooms_cstr(ROOM), ROOMS_NULL);

    assert_false(b.full);
    assert_ptr_equal(e->json.data, mem);
    assert_int_equal(e->json.len, b.last - mem);
    *b.last = '\0';

    return (const char *) mem;
}


static const char *
written(const rooms_stored_t *e)
{
    size_t       size;
    rooms_buf_t  b;

    static unsigned char  mem[10000];

    size = rooms_stored_size(e);
    assert_true(size < sizeof(mem));

    rooms_buf_init(&b, mem, size);
    rooms_stored_write(&b, e);

    assert_false(b.full);
    *b.last = '\0';

    return (const char *) mem;
}


/* an event whose content has this many levels; that of an edit has one more */

static char *
deep(unsigned levels, const char *before, const char *after)
{
    size_t   n;
    char    *text, *p;

    n = strlen(HEAD) + strlen(before) + 2 * levels + strlen(after) + 10;
    text = malloc(n);
    assert_non_null(text);

    p = text + sprintf(text, HEAD "%s{\"a\":", before);

    memset(p, '[', levels - 1);
    p += levels - 1;
    memset(p, ']', levels - 1);
    p += levels - 1;

    sprintf(p, "}%s", after);

    return text;
}


static void
test_readable(void **state)
{
    rooms_stored_t  e;

    (void) state;

    e = read_at(HEAD "{\"a\":1}", 1000);

    assert_true(e.readable);
    assert_true(e.message);
    assert_false(e.edit);
    assert_int_equal(e.position, 1000);
    assert_true(rooms_stored_is(&e, rooms_cstr(ID)));
    assert_false(rooms_stored_is(&e, rooms_cstr("evt-" DIGITS "0")));
    assert_false(rooms_stored_is(&e, rooms_cstr(DIGITS)));
    assert_false(rooms_stored_is(&e, ROOMS_NULL));
    assert_true(rooms_str_eq(e.sender, rooms_cstr("ann")));
    assert_true(rooms_str_eq(e.content, rooms_cstr("{\"a\":1}")));
    assert_null(e.original.data);
    assert_int_equal(e.edited_at, ROOMS_STORED_NEVER);

    assert_int_equal(e.number, 0);

    e = read_at(HEAD "n123456789012345678 {}", 1000);

    assert_true(e.readable);
    assert_true(e.number == INT64_C(123456789012345678));

    e = read_at(HEAD "{\"replaces\":\"x\",\"content\":{}}", 0);

    assert_true(e.readable);
    assert_true(e.edit);
}


/* A row, its JSON, and the same row written again. */

static void
test_shown(void **state)
{
    size_t          i;
    rooms_stored_t  e;

    static const struct {
        const char  *row;
        const char  *json;
    } cases[] = {
        { HEAD "{}",
          "\"sender_id\":\"ann\",\"event_type\":\"swp.room.message\","
          "\"content\":{},\"origin_ts\":1767225600,"
          "\"created_at\":\"2026-01-01T00:00:00.000Z\","
          "\"edited_at\":null,\"redacted_at\":null}" },
        { HEAD "e1767225600001 {\"a\":\"\\n\"}\n{\"b\":[]}",
          "\"sender_id\":\"ann\",\"event_type\":\"swp.room.message\","
          "\"content\":{\"a\":\"\\n\"},\"origin_ts\":1767225600,"
          "\"created_at\":\"2026-01-01T00:00:00.000Z\","
          "\"edited_at\":\"2026-01-01T00:00:00.001Z\",\"redacted_at\":null,"
          "\"original_content\":{\"b\":[]}}" },
        { DIGITS " a.b_1 \"\\ 0 n9 e0 r1 t7 i{\" s{x x {}",
          "\"sender_id\":\"\\\"\\\\\",\"event_type\":\"swp.room.a.b_1\","
          "\"content\":{},\"origin_ts\":7,"
          "\"created_at\":\"1970-01-01T00:00:00.000Z\","
          "\"edited_at\":\"1970-01-01T00:00:00.000Z\","
          "\"redacted_at\":\"1970-01-01T00:00:00.001Z\","
          "\"origin_id\":\"{\\\"\",\"origin_server\":\"{x\","
          "\"do_not_index\":true}" },
        { DIGITS " member x 1999 x {}",
          "\"sender_id\":\"x\",\"event_type\":\"swp.room.member\","
          "\"content\":{},\"origin_ts\":1,"
          "\"created_at\":\"1970-01-01T00:00:01.999Z\","
          "\"edited_at\":null,\"redacted_at\":null,\"do_not_index\":true}" }
    };

    static const char  head[] = "{\"id\":\"" ID "\",\"room_id\":\"" ROOM
                                "\",\"stream_position\":1000,";

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        e = read_at(cases[i].row, 1000);

        if (!e.readable) {
            fail_msg("unreadable: %s", cases[i].row);
        }

        assert_memory_equal(shown(&e), head, sizeof(head) - 1);
        assert_string_equal(shown(&e) + sizeof(head) - 1, cases[i].json);
        assert_true(rooms_json_valid(e.json));
        assert_true(rooms_str_eq(e.id, rooms_cstr(ID)));
        assert_string_equal(written(&e), cases[i].row);
    }
}


/*
 * Before the commit a mark stands for the position, both in the id and alone.
 */

static void
test_mark(void **state)
{
    rooms_buf_t     b;
    rooms_stored_t  e;
    unsigned char   mem[1000];

    (void) state;

    e = read_at(HEAD "{}", 0);
    e.digits = rooms_cstr("\1" "0123456789abcdef");
    e.position = 0;

    rooms_buf_init(&b, mem, sizeof(mem));
    rooms_stored_show(&b, &e, rooms_cstr("room-x"), rooms_cstr("\2"));
    *b.last = '\0';

    assert_memory_equal(mem, "{\"id\":\"evt-\0010123456789abcdef\",\"room_id\":"
                        "\"room-x\",\"stream_position\":\2,", 68);
}


static void
test_unreadable(void **state)
{
    size_t          i;
    rooms_stored_t  e;

    static const char  *texts[] = {
        "", "x", " ", "[]", "{}", "null", DIGITS, DIGITS " ", HEAD, HEAD " ",
        "{\"unreadable\":true}", " " HEAD "{}", "evt-" HEAD "{}",
        "00000000003E80123456789abcdef message ann 1 {}",
        "00000000003e80123456789abcde message ann 1 {}",
        "00000000003e90123456789abcdef message ann 1 {}",
        "00000000000000123456789abcdef message ann 1 {}",
        DIGITS "  ann 1 {}", DIGITS " message  1 {}", DIGITS " message ann {}",
        DIGITS " message ann -1 {}", DIGITS " message ann 1x {}",
        DIGITS " message ann 1234567890123456789 {}",
        DIGITS " m\tx ann 1 {}", DIGITS " message \xff 1 {}",
        HEAD " {}", HEAD "{} ", HEAD "{}\n", HEAD "{}\n5", HEAD "{}{}",
        HEAD "{}\n{}\n{}", HEAD "{}\n{} ", HEAD "[]", HEAD "5", HEAD "{",
        HEAD "{\"a\":\"\xff\"}", HEAD "{\"a\":\"\n\"}",
        HEAD "n {}", HEAD "nx {}", HEAD "n-1 {}", HEAD "n1 n2 {}",
        HEAD "e1 n2 {}", HEAD "n1234567890123456789 {}",
        HEAD "e {}", HEAD "ex {}", HEAD "e1", HEAD "i {}", HEAD "i\x01 {}",
        HEAD "y {}", HEAD "xx {}", HEAD "x x {}", HEAD "e1 e2 {}",
        HEAD "r1 e2 {}", HEAD "x r1 {}", HEAD "sx iy {}"
    };

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        e = read_at(texts[i], 1000);

        if (e.readable) {
            fail_msg("readable: %s", texts[i]);
        }

        assert_int_equal(e.position, 1000);
    }

    e = read_at("", 0);
    assert_string_equal(shown(&e), "{\"unreadable\":true,\"room_id\":\"" ROOM
                        "\"}");
    assert_null(e.id.data);

    e = read_at("rubbish", 7);
    assert_string_equal(shown(&e), "{\"unreadable\":true,\"room_id\":\"" ROOM
                        "\",\"stream_position\":7}");

    e = read_at(HEAD "{}", 1001);
    assert_false(e.readable);
    assert_int_equal(e.position, 1001);
    assert_null(e.digits.data);

    /* the id and the position are still known */

    e = read_at(HEAD "{", 1000);
    assert_string_equal(shown(&e), "{\"unreadable\":true,\"id\":\"" ID "\","
                        "\"room_id\":\"" ROOM "\",\"stream_position\":1000}");
    assert_true(rooms_str_eq(e.id, rooms_cstr(ID)));
    assert_true(rooms_stored_is(&e, rooms_cstr(ID)));
}


static void
test_depth(void **state)
{
    char            *text;
    unsigned         i;
    rooms_stored_t   e;

    static const struct {
        unsigned     levels;
        const char  *before;
        const char  *after;
        int          readable;
    } cases[] = {
        { 64, "", "", 1 },
        { 65, "", "", 0 },
        { 128, "", "", 0 },
        { 5000, "", "", 0 },
        { 64, "{\"replaces\":\"x\",\"content\":", "}", 1 },
        { 65, "{\"replaces\":\"x\",\"content\":", "}", 0 },
        { 64, "{\"content\":", "}", 0 },
        { 64, "{}\n", "", 1 },
        { 65, "{}\n", "", 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text = deep(cases[i].levels, cases[i].before, cases[i].after);
        e = read_at(text, 1000);

        if (e.readable != cases[i].readable) {
            fail_msg("%u levels in %s", cases[i].levels, cases[i].before);
        }

        assert_true(rooms_stored_is(&e, rooms_cstr(ID)));

        free(text);
    }
}


/* An invite of several, narrowed to one participant or one server. */

static void
test_narrow(void **state)
{
    unsigned         i;
    rooms_buf_t      b;
    rooms_stored_t   e;
    unsigned char    mem[ROOMS_STORED_NARROW(2048)];

    static const char  begin[] = HEAD
        "{\"membership\":\"invite\",\"participant_ids\":";

    static const struct {
        const char  *all;
        const char  *participant;
        const char  *server;
        const char  *left;
    } cases[] = {
        { "[\"ann\",\"bob\",\"cy\"]", "bob", NULL, "[\"bob\"]" },
        { "[\"bo\",\"bobby\",\"x bob\"]", "bob", NULL, "[]" },
        { "[\"a\\\"b\",\"ab\"]", "a\"b", NULL, "[\"a\\\"b\"]" },
        { "[]", "bob", NULL, "[]" },
        { "[1,null,[\"bob\"],\"bob\"]", "bob", NULL, "[\"bob\"]" },
        { "[\"@a:x.example\",\"ann\",\"@b:y.example\",\"@c:x.example\"]",
          NULL, "x.example", "[\"@a:x.example\",\"@c:x.example\"]" },
        { "[\"@a:x.example\",\"@a:ax.example\",\"x.example\",\":x.example\"]",
          NULL, "x.example", "[\"@a:x.example\"]" },
        { "{\"bob\":1}", "bob", NULL, "[]" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char            text[2048], want[2048];
        rooms_stored_t  left;

        snprintf(text, sizeof(text), "%s%s}", begin, cases[i].left);
        left = read_at(text, 1000);
        snprintf(want, sizeof(want), "%s", shown(&left));

        snprintf(text, sizeof(text), "%s%s}", begin, cases[i].all);
        e = read_at(text, 1000);
        assert_true(e.readable);
        (void) shown(&e);

        rooms_buf_init(&b, mem, ROOMS_STORED_NARROW(e.json.len));
        assert_true(rooms_stored_narrow(&b, &e,
                    cases[i].participant ? rooms_cstr(cases[i].participant)
                                         : ROOMS_NULL,
                    cases[i].server ? rooms_cstr(cases[i].server)
                                    : ROOMS_NULL));
        assert_false(b.full);
        assert_int_equal(b.last - b.start, strlen(want));
        assert_memory_equal(b.start, want, strlen(want));
    }

    /* an event that names nobody, or can't be read, is unchanged */

    rooms_buf_init(&b, mem, sizeof(mem));
    e = read_at(HEAD "{}", 1000);
    assert_true(e.readable);
    (void) shown(&e);
    assert_false(rooms_stored_narrow(&b, &e, rooms_cstr("bob"), ROOMS_NULL));
    e = read_at("{\"content\":{\"participant_ids\":[]", 1000);
    assert_false(rooms_stored_narrow(&b, &e, rooms_cstr("bob"), ROOMS_NULL));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_readable),
        cmocka_unit_test(test_shown),
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_narrow)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
