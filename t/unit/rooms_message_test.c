/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Edits, redactions and reactions, and the JSON they rewrite. */

#include "rooms_test.h"
#include "rooms_json.h"


static rooms_message_t
message_of(const char *sender)
{
    rooms_message_t  m;

    memset(&m, 0, sizeof(m));

    m.sender = rooms_cstr(sender);
    m.created_at = NOW - 1000;
    m.is_message = 1;

    return m;
}


static rooms_change_t
decide(rooms_message_op_e op, const rooms_room_t *room, rooms_member_t actor,
    const rooms_message_t *m)
{
    rooms_input_t          in;
    static rooms_change_t  out;

    in = input_of(ROOMS_OP_SEND, room, actor);
    rooms_decide_message(&in, op, m, &out);

    return out;
}


static const rooms_message_op_e  ops[] = {
    ROOMS_MESSAGE_EDIT, ROOMS_MESSAGE_REDACT, ROOMS_MESSAGE_REACT,
    ROOMS_MESSAGE_UNREACT
};


/*
 * the room is visible, joined, frozen: checked before anything about the
 * event
 */

static void
test_room_first(void **state)
{
    unsigned        i;
    rooms_room_t    room;
    rooms_change_t  c;

    (void) state;

    for (i = 0; i < 4; i++) {
        room = room_of(ROOMS_GROUP);

        c = decide(ops[i], NULL, row("tom", ROOMS_LEAVE, 0), NULL);
        assert_refused(&c, ROOMS_E_NOT_FOUND, NULL);

        c = decide(ops[i], &room, row("eve", ROOMS_LEAVE, 0), NULL);
        assert_refused(&c, ROOMS_E_NOT_FOUND, NULL);

        c = decide(ops[i], &room, row("eve", ROOMS_INVITE, 0), NULL);
        assert_refused(&c, ROOMS_E_FORBIDDEN, NULL);

        room.state = ROOMS_ARCHIVED;
        c = decide(ops[i], &room, row("tom", ROOMS_JOIN, 0), NULL);
        assert_refused(&c, ROOMS_E_FROZEN, NULL);

        room.state = ROOMS_OPEN;
        c = decide(ops[i], &room, row("tom", ROOMS_JOIN, 0), NULL);
        assert_refused(&c, ROOMS_E_EVENT, NULL);
    }
}


static void
test_edit(void **state)
{
    rooms_room_t     room;
    rooms_change_t   c;
    rooms_message_t  m;

    (void) state;

    room = room_of(ROOMS_GROUP);
    m = message_of("tom");

    c = decide(ROOMS_MESSAGE_EDIT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_change(&c, ROOMS_EV_MESSAGE);
    assert_guarded(&c, "tom");
    assert_int_equal(c.guard, ROOMS_F_STATE);

    /* no power allows editing another's message */

    c = decide(ROOMS_MESSAGE_EDIT, &room, row("olga", ROOMS_JOIN, 100), &m);
    assert_refused(&c, ROOMS_E_FORBIDDEN, NULL);

    m.edits = ROOMS_EDITS_MAX - 1;
    c = decide(ROOMS_MESSAGE_EDIT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_change(&c, ROOMS_EV_MESSAGE);

    m.edits++;
    c = decide(ROOMS_MESSAGE_EDIT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_refused(&c, ROOMS_E_FORBIDDEN, NULL);
}


static void
test_edit_window(void **state)
{
    rooms_room_t     room;
    rooms_change_t   c;
    rooms_message_t  m;

    (void) state;

    room = room_of(ROOMS_DM);
    m = message_of("tom");

    m.created_at = NOW - INT64_C(86400000);
    c = decide(ROOMS_MESSAGE_EDIT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_change(&c, ROOMS_EV_MESSAGE);

    m.created_at--;
    c = decide(ROOMS_MESSAGE_EDIT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_refused(&c, ROOMS_E_TOO_OLD, NULL);
}


static void
test_edit_target(void **state)
{
    rooms_room_t     room;
    rooms_change_t   c;
    rooms_message_t  m;

    (void) state;

    room = room_of(ROOMS_GROUP);
    m = message_of("tom");

    m.redacted = 1;
    c = decide(ROOMS_MESSAGE_EDIT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_refused(&c, ROOMS_E_VALIDATION, "event_id");

    m.redacted = 0;
    m.is_message = 0;
    c = decide(ROOMS_MESSAGE_EDIT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_refused(&c, ROOMS_E_VALIDATION, "event_id");
}


static void
test_redact(void **state)
{
    rooms_room_t     room;
    rooms_change_t   c;
    rooms_message_t  m;

    (void) state;

    room = room_of(ROOMS_GROUP);
    m = message_of("tom");
    m.created_at = OLD;
    m.edits = ROOMS_EDITS_MAX;

    c = decide(ROOMS_MESSAGE_REDACT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_change(&c, ROOMS_EV_REDACTION);
    assert_guarded(&c, "tom");

    c = decide(ROOMS_MESSAGE_REDACT, &room, row("ann", ROOMS_JOIN, 49), &m);
    assert_refused(&c, ROOMS_E_REDACT, NULL);

    c = decide(ROOMS_MESSAGE_REDACT, &room, row("ann", ROOMS_JOIN, 50), &m);
    assert_change(&c, ROOMS_EV_REDACTION);

    m.redacted = 1;
    c = decide(ROOMS_MESSAGE_REDACT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_noop(&c);

    c = decide(ROOMS_MESSAGE_REDACT, &room, row("ann", ROOMS_JOIN, 49), &m);
    assert_refused(&c, ROOMS_E_REDACT, NULL);

    m = message_of("tom");
    m.is_message = 0;
    c = decide(ROOMS_MESSAGE_REDACT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_refused(&c, ROOMS_E_VALIDATION, "event_id");
}


static void
test_react(void **state)
{
    rooms_room_t     room;
    rooms_change_t   c;
    rooms_message_t  m;

    (void) state;

    room = room_of(ROOMS_PUBLIC);
    m = message_of("olga");

    c = decide(ROOMS_MESSAGE_REACT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_change(&c, ROOMS_EV_REACTION);
    assert_guarded(&c, "tom");

    c = decide(ROOMS_MESSAGE_UNREACT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_noop(&c);

    m.redacted = 1;
    c = decide(ROOMS_MESSAGE_REACT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_refused(&c, ROOMS_E_VALIDATION, "event_id");

    m.reacted = 1;
    c = decide(ROOMS_MESSAGE_REACT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_noop(&c);

    c = decide(ROOMS_MESSAGE_UNREACT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_change(&c, ROOMS_EV_REACTION);

    m = message_of("olga");
    m.is_message = 0;
    c = decide(ROOMS_MESSAGE_REACT, &room, row("tom", ROOMS_JOIN, 0), &m);
    assert_refused(&c, ROOMS_E_VALIDATION, "event_id");
}


static void
test_emoji(void **state)
{
    char      text[200];
    unsigned  i;

    (void) state;

    assert_null(rooms_emoji_check(rooms_cstr("+")));
    assert_null(rooms_emoji_check(rooms_cstr("\xf0\x9f\x91\x8d")));
    assert_null(rooms_emoji_check(rooms_cstr("two words")));
    assert_null(rooms_emoji_check(rooms_cstr("\xc2\xa0")));

    assert_non_null(rooms_emoji_check(ROOMS_NULL));
    assert_non_null(rooms_emoji_check(rooms_cstr("")));
    assert_non_null(rooms_emoji_check(rooms_cstr("\xff")));
    assert_non_null(rooms_emoji_check(rooms_cstr("a\n")));
    assert_non_null(rooms_emoji_check(rooms_cstr("a\x7f")));
    assert_non_null(rooms_emoji_check(rooms_cstr("\xc2\x80")));
    assert_non_null(rooms_emoji_check((rooms_str_t) rooms_string("a\0b")));

    for (text[0] = '\0', i = 0; i < 32; i++) {
        strcat(text, "\xf0\x9f\x91\x8d");
    }

    assert_null(rooms_emoji_check(rooms_cstr(text)));
    strcat(text, "+");
    assert_non_null(rooms_emoji_check(rooms_cstr(text)));
}


static void
rewritten(const char *object, const rooms_json_set_t *set, unsigned n,
    const char *expected)
{
    rooms_buf_t    b;
    unsigned char  text[256];

    rooms_buf_init(&b, text, sizeof(text));
    rooms_json_rewrite(&b, rooms_cstr(object), set, n);

    assert_int_equal(b.full, 0);
    assert_int_equal(b.last - b.start, strlen(expected));
    assert_memory_equal(b.start, expected, strlen(expected));
}


static void
test_rewrite(void **state)
{
    rooms_json_set_t  set[] = {
        { "b", rooms_string("{}") },
        { "n", rooms_string("[1]") }
    };
    rooms_json_set_t  drop[] = { { "b", { 0, NULL } } };

    (void) state;

    rewritten("{}", set, 0, "{}");
    rewritten("{\"a\":1,\"b\":\"x,}\",\"c\":{\"b\":2}}", set, 0,
              "{\"a\":1,\"b\":\"x,}\",\"c\":{\"b\":2}}");
    rewritten("{\"a\":1,\"b\":\"x,}\",\"c\":{\"b\":2}}", set, 2,
              "{\"a\":1,\"b\":{},\"c\":{\"b\":2},\"n\":[1]}");
    rewritten("{}", set, 2, "{\"b\":{},\"n\":[1]}");

    rewritten("{\"b\":1}", drop, 1, "{}");
    rewritten("{\"b\":1,\"c\":2}", drop, 1, "{\"c\":2}");
    rewritten("{\"a\":1,\"b\":2}", drop, 1, "{\"a\":1}");
    rewritten("{\"a\":1}", drop, 1, "{\"a\":1}");

    /*
     * other members keep their spelling, escapes included; the named member
     * is found in any spelling
     */

    rewritten("{ \"\\u0063\" : 1.50 , \"b\" : 2 }", set, 1,
              "{\"\\u0063\":1.50,\"b\":{}}");
    rewritten("{\"\\u0062\":1.50,\"c\":2}", set, 1, "{\"b\":{},\"c\":2}");
    rewritten("{\"\\u0062\":1.50,\"c\":2}", drop, 1, "{\"c\":2}");
}


static void
test_rewrite_full(void **state)
{
    size_t           size;
    rooms_buf_t      b;
    unsigned char    text[32];
    rooms_json_set_t set[] = { { "n", rooms_string("\"long enough\"") } };

    (void) state;

    for (size = 0; size < 25; size++) {
        memset(text, 'x', sizeof(text));
        rooms_buf_init(&b, text, size);
        rooms_json_rewrite(&b, rooms_cstr("{\"a\":1}"), set, 1);
        assert_int_equal(b.full, 1);
        assert_int_equal(text[size], 'x');
    }

    rooms_buf_init(&b, text, 25);
    rooms_json_rewrite(&b, rooms_cstr("{\"a\":1}"), set, 1);
    assert_int_equal(b.full, 0);
}


static void
test_next(void **state)
{
    unsigned     i, n;
    rooms_str_t  key, value;
    const char  *bad[] = {
        "", "[", "{", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":}", "{,\"a\":1}",
        "{a:1}", "[1]", NULL
    };

    (void) state;

    for (i = 0; bad[i]; i++) {
        value = ROOMS_NULL;
        assert_int_equal(rooms_json_next(rooms_cstr(bad[i]), &key, &value), 0);
    }

    value = ROOMS_NULL;

    for (n = 0; rooms_json_next(rooms_cstr("{\"a\":[1,2] , \"b\":{}}"), &key,
                                &value); n++)
    {
        assert_str(key, n ? "b" : "a");
        assert_str(value, n ? "{}" : "[1,2]");
    }

    assert_int_equal(n, 2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_room_first),
        cmocka_unit_test(test_edit),
        cmocka_unit_test(test_edit_window),
        cmocka_unit_test(test_edit_target),
        cmocka_unit_test(test_redact),
        cmocka_unit_test(test_react),
        cmocka_unit_test(test_emoji),
        cmocka_unit_test(test_rewrite),
        cmocka_unit_test(test_rewrite_full),
        cmocka_unit_test(test_next)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
