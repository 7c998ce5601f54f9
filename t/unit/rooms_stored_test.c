/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Stored events: what can be read, and what is shown of the rest. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rooms_stored.h"


#define ROOM  "room-01234567890123456789012345"
#define ID    "evt-00000000003e80123456789abcdef"   /* at 1000 */

#define HEAD  "{\"id\":\"" ID "\",\"room_id\":\"" ROOM "\","
#define WHO   "\"sender_id\":\"ann\",\"event_type\":\"swp.room.message\","
#define TAIL  ",\"origin_ts\":1,\"created_at\":\"2026-01-01T00:00:00.000Z\"," \
              "\"edited_at\":null,\"redacted_at\":null}"


static rooms_stored_t
read_at(const char *text, int64_t position)
{
    rooms_stored_t  e;

    rooms_stored_read(rooms_cstr(text), rooms_cstr(ROOM), position, &e);

    return e;
}


static const char *
shown(const rooms_stored_t *e)
{
    rooms_buf_t  b;

    static unsigned char  mem[ROOMS_STORED_UNREADABLE + 1];

    rooms_buf_init(&b, mem, ROOMS_STORED_UNREADABLE);
    rooms_stored_unreadable(&b, e, rooms_cstr(ROOM));

    assert_false(b.full);
    *b.last = '\0';

    return (const char *) mem;
}


/* content of so many levels, in an event; an edit's holds one more */

static char *
deep(unsigned levels, const char *before, const char *after)
{
    size_t       n;
    char        *text, *p;
    const char  *head = HEAD "\"stream_position\":1000," WHO "\"content\":";

    n = strlen(head) + strlen(before) + 2 * levels + strlen(after) + 500;
    text = malloc(n);
    assert_non_null(text);

    p = text + sprintf(text, "%s%s{\"a\":", head, before);

    memset(p, '[', levels - 1);
    p += levels - 1;
    memset(p, ']', levels - 1);
    p += levels - 1;

    sprintf(p, "}%s%s", after, TAIL);

    return text;
}


static void
test_readable(void **state)
{
    rooms_stored_t  e;

    (void) state;

    e = read_at(HEAD "\"stream_position\":1000," WHO "\"content\":{\"a\":1}"
                TAIL, 1000);

    assert_true(e.readable);
    assert_true(e.message);
    assert_false(e.edit);
    assert_int_equal(e.position, 1000);
    assert_memory_equal(e.id.data, ID, e.id.len);
    assert_memory_equal(e.sender.data, "ann", e.sender.len);
    assert_memory_equal(e.content.data, "{\"a\":1}", e.content.len);
    assert_null(e.original.data);
    assert_null(e.edited_at.data);

    e = read_at(HEAD "\"stream_position\":1000," WHO
                "\"content\":{\"replaces\":\"x\",\"content\":{}}" TAIL, 0);

    assert_true(e.readable);
    assert_true(e.edit);
}


static void
test_unreadable(void **state)
{
    size_t          i;
    rooms_stored_t  e;

    static const char  *texts[] = {
        "", "x", "[]", "{}", "null", "{\"id\":", "\"" ID "\"", "7",
        "{\"unreadable\":true}",
        HEAD,                                                /* cut off */
        HEAD "\"stream_position\":1000," WHO "\"content\":{}",
        HEAD "\"stream_position\":1000," WHO "\"content\":{}" TAIL "x",
        HEAD "\"stream_position\":1000," WHO "\"content\":5" TAIL,
        HEAD "\"stream_position\":1000," WHO "\"content\":[]" TAIL,
        HEAD "\"stream_position\":1000," WHO "\"no\":{}" TAIL,
        HEAD "\"stream_position\":1001," WHO "\"content\":{}" TAIL,
        HEAD "\"stream_position\":\"1000\"," WHO "\"content\":{}" TAIL,
        HEAD "\"stream_position\":0," WHO "\"content\":{}" TAIL,
        HEAD WHO "\"content\":{}" TAIL,
        HEAD "\"stream_position\":1000,\"sender_id\":7,"
             "\"event_type\":\"swp.room.message\",\"content\":{}" TAIL,
        HEAD "\"stream_position\":1000,\"sender_id\":\"\","
             "\"event_type\":\"swp.room.message\",\"content\":{}" TAIL,
        HEAD "\"stream_position\":1000,\"sender_id\":\"ann\","
             "\"event_type\":null,\"content\":{}" TAIL,
        HEAD "\"stream_position\":1000," WHO
             "\"content\":{\"a\":\"\xff\"}" TAIL,
        HEAD "\"stream_position\":1000," WHO "\"content\":{}," WHO
             "\"content\":{}" TAIL,
        "{\"id\":\"evt-00000000003e80123456789abcdef\",\"room_id\":\"room-x\","
             "\"stream_position\":1000," WHO "\"content\":{}" TAIL,
    };

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        e = read_at(texts[i], 1000);

        if (e.readable) {
            fail_msg("readable: %s", texts[i]);
        }

        assert_int_equal(e.position, 1000);
        assert_memory_equal(shown(&e), "{\"unreadable\":true", 18);
    }

    /* where it stands isn't known, and it contradicts itself */

    e = read_at(HEAD "\"stream_position\":1001," WHO "\"content\":{}" TAIL, 0);
    assert_false(e.readable);
    assert_int_equal(e.position, 0);

    /* what is known of it is shown */

    e = read_at(HEAD, 1000);
    assert_string_equal(shown(&e), "{\"unreadable\":true,\"id\":\"" ID
                        "\",\"room_id\":\"" ROOM "\","
                        "\"stream_position\":1000}");

    e = read_at("{\"id\":\"evt-0000000", 0);
    assert_string_equal(shown(&e), "{\"unreadable\":true,\"room_id\":\"" ROOM
                        "\"}");

    rooms_stored_read(ROOMS_NULL, rooms_cstr(ROOM), 0, &e);
    assert_false(e.readable);
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
        { 2, "", "", 1 },
        { 64, "", "", 1 },
        { 65, "", "", 0 },
        { 126, "", "", 0 },
        { 20000, "", "", 0 },
        { 64, "{\"replaces\":\"x\",\"content\":", "}", 1 },
        { 65, "{\"replaces\":\"x\",\"content\":", "}", 0 },
        { 64, "{\"content\":", "}", 0 },
        { 64, "{},\"original_content\":", "", 1 },
        { 65, "{},\"original_content\":", "", 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text = deep(cases[i].levels, cases[i].before, cases[i].after);
        e = read_at(text, 1000);

        if (e.readable != cases[i].readable) {
            fail_msg("%u levels in %s", cases[i].levels, cases[i].before);
        }

        assert_memory_equal(e.id.data, ID, e.id.len);

        free(text);
    }
}


/* An invite of many, as one of them or one server is told it. */

static void
test_narrow(void **state)
{
    unsigned         i;
    rooms_buf_t      b;
    rooms_stored_t   e;
    unsigned char    mem[ROOMS_STORED_NARROW(2048)];

    static const char  begin[] = HEAD "\"stream_position\":1000," WHO
        "\"content\":{\"membership\":\"invite\",\"participant_ids\":";

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
        char  text[2048], want[2048];

        snprintf(text, sizeof(text), "%s%s}" TAIL, begin, cases[i].all);
        snprintf(want, sizeof(want), "%s%s}" TAIL, begin, cases[i].left);

        e = read_at(text, 1000);
        assert_true(e.readable);

        rooms_buf_init(&b, mem, ROOMS_STORED_NARROW(strlen(text)));
        assert_true(rooms_stored_narrow(&b, &e,
                    cases[i].participant ? rooms_cstr(cases[i].participant)
                                         : ROOMS_NULL,
                    cases[i].server ? rooms_cstr(cases[i].server)
                                    : ROOMS_NULL));
        assert_false(b.full);
        assert_int_equal(b.last - b.start, strlen(want));
        assert_memory_equal(b.start, want, strlen(want));
    }

    /* what names nobody, or can't be read, is left alone */

    rooms_buf_init(&b, mem, sizeof(mem));
    e = read_at(HEAD "\"stream_position\":1000," WHO "\"content\":{}" TAIL, 1000);
    assert_true(e.readable);
    assert_false(rooms_stored_narrow(&b, &e, rooms_cstr("bob"), ROOMS_NULL));
    e = read_at("{\"content\":{\"participant_ids\":[]", 1000);
    assert_false(rooms_stored_narrow(&b, &e, rooms_cstr("bob"), ROOMS_NULL));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_readable),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_narrow)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
