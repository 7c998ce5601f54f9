/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Events of a room's history, from a server that isn't trusted. */

#include "rooms_test.h"
#include "rooms_past.h"


#define bytes(s)  ((rooms_str_t) rooms_string(s))
#define ROOM      bytes("room-1")


static json_t *
good(void)
{
    json_t  *event;

    event = json_pack("{s:s,s:s,s:s,s:{s:s,s:n},s:s,s:{s:s},s:i,s:s,s:{}}",
                      "id", "evt-1", "room_id", "room-1",
                      "sender", "@bob:b.example",
                      "profile", "display_name", " Bob ", "avatar_url",
                      "event_type", "swp.room.message",
                      "content", "body", "hello",
                      "origin_ts", 1600000000,
                      "created_at", "2020-09-13T12:26:40.000Z",
                      "signatures");
    assert_non_null(event);

    return event;
}


static void
read_good(void **state)
{
    json_t        *event;
    rooms_past_t   past;

    (void) state;

    event = good();

    assert_null(rooms_past_read(event, ROOM, NOW, &past));
    assert_true(rooms_str_eq(past.id, bytes("evt-1")));
    assert_true(rooms_str_eq(past.sender, bytes("@bob:b.example")));
    assert_true(rooms_str_eq(past.local, bytes("bob")));
    assert_true(rooms_str_eq(past.server, bytes("b.example")));
    assert_true(rooms_str_eq(past.name, bytes("Bob")));
    assert_null(past.avatar.data);
    assert_int_equal(past.type, ROOMS_EV_MESSAGE);
    assert_int_equal(past.created_at, OLD);
    assert_int_equal(past.redacted_at, 0);
    assert_null(past.about_id.data);

    json_decref(event);
}


/* Replaces one member at a time by something else. */

static void
read_bad(void **state)
{
    size_t         i;
    json_t        *event, *value;
    const char    *problem;
    rooms_past_t   past;

    static const struct {
        const char  *key;
        const char  *value;
        const char  *says;
    } cases[] = {
        { "id", "7", "id" },
        { "id", "\"\"", "id" },
        { "id", "\"a b\"", "id" },
        { "id", "\"a:b\"", "id" },
        { "id", "\"\xc3\xa9\"", "id" },
        { "id", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                "aaaaaaaaaaaaaaaaa\"", "id" },
        { "room_id", "\"room-2\"", "another room" },
        { "room_id", "null", "another room" },
        { "sender", "\"bob\"", "sender" },
        { "sender", "\"@bob:B.example\"", "sender" },
        { "sender", "\"@bob:b/..\"", "sender" },
        { "sender", "[]", "sender" },
        { "event_type", "\"swp.room.members\"", "type" },
        { "event_type", "\"swp.room.read_marker\"", "type" },
        { "event_type", "\"swp.room.workspace\"", "type" },
        { "event_type", "{}", "type" },
        { "content", "[]", "content" },
        { "content", "null", "content" },
        { "content", "{\"replaces\":7}", "edit" },
        { "content", "{\"replaces\":\"evt-1:b\"}", "edit" },
        { "content", "{\"replaces\":\"evt-1\",\"content\":{}}", "edit" },
        { "content", "{\"replaces\":\":b\",\"content\":{}}", "edit" },
        { "content", "{\"replaces\":\"e 1:b\",\"content\":{}}", "edit" },
        { "content", "{\"replaces\":\"e:b b\",\"content\":{}}", "edit" },
        { "origin_ts", "-1", "origin_ts" },
        { "origin_ts", "1.5", "origin_ts" },
        { "origin_ts", "1700000301", "origin_ts" },
        { "origin_ts", "9223372036854775807", "origin_ts" },
        { "created_at", "\"2023-11-14T22:18:21.000Z\"", "created_at" },
        { "created_at", "7", "created_at" },
        { "created_at", "\"now\"", "created_at" },
        { "redacted_at", "7", "redacted_at" },
        { "redacted_at", "null", "redacted_at" },
        { "redacted_at", "\"2020-09-13T12:26:40.000Z\"", "redacted" },
        { "members", "[]", "field" },
        { "room", "{}", "field" },
        { "x", "1", "field" },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        event = good();
        value = json_loads(cases[i].value, JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        assert_int_equal(json_object_set_new(event, cases[i].key, value), 0);

        problem = rooms_past_read(event, ROOM, NOW, &past);

        if (problem == NULL || strstr(problem, cases[i].says) == NULL) {
            fail_msg("%s %s: %s", cases[i].key, cases[i].value,
                     problem ? problem : "good");
        }

        json_decref(event);
    }

    /* missing members; and values that aren't objects */

    for (i = 0; i < 7; i++) {
        static const char *const  keys[] = {
            "id", "room_id", "sender", "event_type", "content", "origin_ts",
            "created_at"
        };

        event = good();
        json_object_del(event, keys[i]);
        assert_non_null(rooms_past_read(event, ROOM, NOW, &past));
        json_decref(event);
    }

    assert_non_null(rooms_past_read(NULL, ROOM, NOW, &past));
    event = json_array();
    assert_non_null(rooms_past_read(event, ROOM, NOW, &past));
    assert_null(rooms_past_id(event).data);
    json_decref(event);
}


static void
large(void **state)
{
    char          *text;
    json_t        *event;
    rooms_past_t   past;

    (void) state;

    text = malloc(70000);
    assert_non_null(text);
    memset(text, 'x', 70000);

    event = good();
    json_object_set_new(event, "content",
                        json_pack("{s:s#}", "b", text, 65536 - 8));
    assert_null(rooms_past_read(event, ROOM, NOW, &past));
    json_object_set_new(event, "content",
                        json_pack("{s:s#}", "b", text, 65536 - 7));
    assert_non_null(rooms_past_read(event, ROOM, NOW, &past));

    json_decref(event);
    free(text);
}


static void
bodies(void **state)
{
    size_t         i;
    json_t        *event, *content;
    const char    *problem;
    rooms_past_t   past;

    static const struct {
        const char  *type;
        const char  *content;
        int          good;
    } cases[] = {
        { "reaction", "{\"event_id\":\"e:b\",\"emoji\":\"x\","
                      "\"action\":\"add\"}", 1 },
        { "reaction", "{\"event_id\":\"e:b\",\"emoji\":\"x\","
                      "\"action\":\"remove\"}", 1 },
        { "reaction", "{\"event_id\":\"e:b\",\"emoji\":\"x\","
                      "\"action\":\"eat\"}", 0 },
        { "reaction", "{\"event_id\":\"e:b\",\"action\":\"add\"}", 0 },
        { "reaction", "{\"emoji\":\"x\",\"action\":\"add\"}", 0 },
        { "redaction", "{\"event_id\":\"e:b\"}", 1 },
        { "redaction", "{}", 0 },
        { "member", "{\"membership\":\"join\"}", 1 },
        { "member", "{\"membership\":\"king\"}", 0 },
        { "power_level", "{\"power_level\":7}", 1 },
        { "power_level", "{\"power_level\":\"7\"}", 0 },
        { "name", "{}", 1 },
        { "state", "{}", 1 },
        { "message", "{\"replaces\":\"e:b\",\"content\":{}}", 1 },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        event = good();
        content = json_loads(cases[i].content, 0, NULL);
        json_object_set_new(event, "event_type",
                            json_sprintf("swp.room.%s", cases[i].type));
        json_object_set_new(event, "content", content);

        problem = rooms_past_read(event, ROOM, NOW, &past);

        if ((problem == NULL) != cases[i].good) {
            fail_msg("%s %s: %s", cases[i].type, cases[i].content, problem);
        }

        /* a redacted event has no content to check */

        json_object_set_new(event, "redacted_at",
                            json_string("2020-09-13T12:26:40.000Z"));
        json_object_set_new(event, "content", json_object());
        assert_null(rooms_past_read(event, ROOM, NOW, &past));
        assert_int_equal(past.redacted_at, OLD);
        assert_null(past.about_id.data);

        json_decref(event);
    }
}


static void
check_content(const char *type, const char *told, const char *about,
    const char *expected)
{
    char          *text;
    json_t        *event, *names, *content;
    rooms_past_t   past;

    event = good();
    json_object_set_new(event, "event_type", json_string(type));
    json_object_set_new(event, "content", json_loads(told, 0, NULL));
    assert_null(rooms_past_read(event, ROOM, NOW, &past));

    names = json_object();
    assert_int_equal(rooms_past_mentions(&past, names), 0);

    if (json_object_get(names, "@ann:a.example")) {
        json_object_set_new(names, "@ann:a.example", json_string("u-1"));
    }

    content = rooms_past_content(&past, names, about ? rooms_cstr(about)
                                                     : ROOMS_NULL);
    assert_non_null(content);

    text = json_dumps(content, JSON_COMPACT|JSON_SORT_KEYS);
    assert_string_equal(text, expected);

    free(text);
    json_decref(content);
    json_decref(names);
    json_decref(event);
}


static void
contents(void **state)
{
    (void) state;

    check_content("swp.room.member",
                  "{\"fqid\":\"@ann:a.example\",\"membership\":\"join\","
                  "\"participant_id\":\"root\",\"workspace_id\":\"ws-1\"}",
                  NULL,
                  "{\"membership\":\"join\",\"participant_id\":\"u-1\"}");
    check_content("swp.room.member",
                  "{\"fqids\":[\"@ann:a.example\",\"@x:b\",7],"
                  "\"membership\":\"invite\"}", NULL,
                  "{\"membership\":\"invite\","
                  "\"participant_ids\":[\"u-1\",\"@x:b\",null]}");
    check_content("swp.room.member",
                  "{\"fqid\":7,\"membership\":\"leave\","
                  "\"successor\":{\"fqid\":\"@ann:a.example\","
                  "\"power_level\":100}}", NULL,
                  "{\"membership\":\"leave\",\"participant_id\":null,"
                  "\"successor\":{\"participant_id\":\"u-1\","
                  "\"power_level\":100}}");
    check_content("swp.room.create",
                  "{\"creator\":\"@bob:b.example\",\"name\":\"n\"}", NULL,
                  "{\"creator_id\":\"@bob:b.example\",\"name\":\"n\"}");

    /* the content of a message isn't translated */

    check_content("swp.room.message",
                  "{\"fqid\":\"@ann:a.example\",\"creator\":1}", NULL,
                  "{\"creator\":1,\"fqid\":\"@ann:a.example\"}");
    check_content("swp.room.message",
                  "{\"content\":{\"b\":1},\"replaces\":\"e:b\"}", "evt-7",
                  "{\"content\":{\"b\":1},\"replaces\":\"evt-7\"}");
    check_content("swp.room.message",
                  "{\"content\":{\"b\":1},\"replaces\":\"e:b\"}", NULL,
                  "{\"content\":{\"b\":1},\"replaces\":\"e:b\"}");
    check_content("swp.room.redaction", "{\"event_id\":\"e:b\"}", "evt-7",
                  "{\"event_id\":\"evt-7\"}");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(read_good),
        cmocka_unit_test(read_bad),
        cmocka_unit_test(large),
        cmocka_unit_test(bodies),
        cmocka_unit_test(contents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
