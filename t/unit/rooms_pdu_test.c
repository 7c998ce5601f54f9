/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Stored events in the form that other servers receive. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rooms_pdu.h"


#define nitems(a)  (sizeof(a) / sizeof((a)[0]))

#define ENVELOPE                                                              \
    "\"id\":\"evt-1\",\"room_id\":\"room-1\",\"stream_position\":1,"          \
    "\"origin_ts\":1700000000,\"created_at\":\"2026-01-01T00:00:00.000Z\","   \
    "\"edited_at\":null,"


static rooms_pdu_t  pdu;


static void
person(const char *id, const char *local, const char *name,
    rooms_membership_e membership, int power)
{
    json_t          *found;
    rooms_member_t   m;

    memset(&m, 0, sizeof(m));
    m.participant = rooms_cstr(id);
    m.membership = membership;
    m.power = power;
    m.joined_at = 1767225600000;

    found = rooms_pdu_person(&pdu, &m,
                             local ? rooms_cstr(local) : ROOMS_NULL,
                             rooms_cstr(name), ROOMS_NULL);

    json_object_set_new(pdu.people, id, found ? found : json_null());
}


static int
setup(void **state)
{
    memset(&pdu, 0, sizeof(pdu));
    pdu.server = rooms_cstr("a.example");
    pdu.people = json_object();
    pdu.events = json_object();

    person("u-ann", "ann", "Ann", ROOMS_JOIN, 100);
    person("@bob:b.example", NULL, "Bob", ROOMS_INVITE, 0);
    person("odd", "o/d", "Odd", ROOMS_JOIN, 0);
    json_object_set_new(pdu.events, "evt-7", json_string("evt-70:b.example"));
    json_object_set_new(pdu.events, "evt-8", json_null());

    return 0;
}


static int
teardown(void **state)
{
    json_decref(pdu.people);
    json_decref(pdu.events);
    json_decref(pdu.room);

    return 0;
}


static json_t *
load(const char *json)
{
    json_t  *value;

    value = json_loads(json, 0, NULL);
    assert_non_null(value);

    return value;
}


static void
assert_json(json_t *value, const char *expect)
{
    char    *text;
    json_t  *want;

    want = load(expect);

    if (!json_equal(value, want)) {
        text = json_dumps(value, JSON_COMPACT|JSON_ENCODE_ANY);
        print_error("is %s\nand not %s\n", text ? text : "NULL", expect);
        fail();
    }

    json_decref(want);
}


static void
test_event(void **state)
{
    json_t      *event, *out;
    const char  *why;

    event = load("{" ENVELOPE "\"sender_id\":\"u-ann\",\"event_type\":"
                 "\"swp.room.message\",\"content\":{\"body\":\"hi\","
                 "\"participant_id\":\"u-ann\",\"event_id\":\"evt-8\"},"
                 "\"redacted_at\":null,\"original_content\":{}}");
    out = rooms_pdu_make(&pdu, event, &why);

    assert_json(out, "{\"id\":\"evt-1\",\"room_id\":\"room-1\",\"sender\":"
                "\"@ann:a.example\",\"profile\":{\"display_name\":\"Ann\","
                "\"avatar_url\":null},\"event_type\":\"swp.room.message\","
                "\"content\":{\"body\":\"hi\",\"participant_id\":\"u-ann\","
                "\"event_id\":\"evt-8\"},\"origin_ts\":1700000000,"
                "\"created_at\":\"2026-01-01T00:00:00.000Z\"}");

    json_decref(out);
    json_decref(event);

    /* from another server, redacted; the room's home is here */

    pdu.members = 1;
    pdu.room = json_pack("{s:s}", "state", "open");

    event = load("{" ENVELOPE "\"sender_id\":\"@bob:b.example\","
                 "\"event_type\":\"swp.room.message\",\"content\":{},"
                 "\"redacted_at\":\"2026-01-02T00:00:00.000Z\","
                 "\"origin_id\":\"evt-9\",\"origin_server\":\"b.example\"}");
    out = rooms_pdu_make(&pdu, event, &why);

    assert_json(out, "{\"id\":\"evt-9\",\"room_id\":\"room-1\",\"sender\":"
                "\"@bob:b.example\",\"profile\":{\"display_name\":\"Bob\","
                "\"avatar_url\":null},\"event_type\":\"swp.room.message\","
                "\"content\":{},\"redacted_at\":"
                "\"2026-01-02T00:00:00.000Z\",\"origin_ts\":1700000000,"
                "\"created_at\":\"2026-01-01T00:00:00.000Z\","
                "\"room\":{\"state\":\"open\"}}");

    json_decref(out);
    json_decref(event);
}


static void
test_content(void **state)
{
    static const struct {
        const char  *type;
        const char  *content;
        const char  *told;            /* NULL: it isn't sent */
    } cases[] = {
        { "message", "{\"replaces\":\"evt-7\",\"content\":{\"body\":\"x\"}}",
          "{\"replaces\":\"evt-70:b.example\",\"content\":{\"body\":\"x\"}}" },
        { "message", "{\"replaces\":\"evt-8\",\"content\":{}}", NULL },
        { "redaction", "{\"event_id\":\"evt-7\",\"reason\":\"r\"}",
          "{\"event_id\":\"evt-70:b.example\",\"reason\":\"r\"}" },
        { "redaction", "{\"event_id\":\"evt-8\"}", NULL },
        { "reaction",
          "{\"event_id\":\"evt-7\",\"emoji\":\"x\",\"action\":\"add\"}",
          "{\"event_id\":\"evt-70:b.example\",\"emoji\":\"x\","
          "\"action\":\"add\"}" },
        { "member", "{\"participant_id\":\"@bob:b.example\","
          "\"membership\":\"leave\",\"previous\":\"join\","
          "\"successor\":{\"participant_id\":\"u-ann\",\"power_level\":100}}",
          "{\"fqid\":\"@bob:b.example\",\"membership\":\"leave\","
          "\"previous\":\"join\",\"successor\":{\"fqid\":\"@ann:a.example\","
          "\"power_level\":100}}" },
        { "member", "{\"membership\":\"invite\",\"participant_ids\":"
          "[\"u-ann\",\"odd\",\"@bob:b.example\"]}",
          "{\"membership\":\"invite\",\"fqids\":"
          "[\"@ann:a.example\",\"@bob:b.example\"]}" },
        { "member", "{\"participant_id\":\"odd\"}", NULL },
        { "power_level",
          "{\"participant_id\":\"u-ann\",\"power_level\":5,\"previous\":0}",
          "{\"fqid\":\"@ann:a.example\",\"power_level\":5,\"previous\":0}" },
        { "create", "{\"room_type\":\"group\",\"workspace_id\":\"ws-1\","
          "\"creator_id\":\"u-ann\",\"topic\":null}",
          "{\"room_type\":\"group\",\"creator\":\"@ann:a.example\","
          "\"topic\":null}" },
        { "name", "{\"name\":\"n\",\"previous\":\"o\"}",
          "{\"name\":\"n\",\"previous\":\"o\"}" },
        { "topic", "{\"topic\":null}", "{\"topic\":null}" },
        { "state", "{\"state\":\"archived\",\"previous\":\"open\"}",
          "{\"state\":\"archived\",\"previous\":\"open\"}" },
        { "federation", "{\"federated\":false}", "{\"federated\":false}" },
        { "workspace", "{\"workspace_id\":null}", NULL },
        { "read_marker", "{}", NULL },
        { "other", "{}", NULL }
    };

    char         json[1024];
    size_t       i;
    json_t      *event, *out;
    const char  *why;

    for (i = 0; i < nitems(cases); i++) {
        snprintf(json, sizeof(json), "{" ENVELOPE "\"sender_id\":\"u-ann\","
                 "\"event_type\":\"swp.room.%s\",\"content\":%s,"
                 "\"redacted_at\":null}", cases[i].type, cases[i].content);

        event = load(json);
        out = rooms_pdu_make(&pdu, event, &why);

        if (cases[i].told) {
            assert_json(json_object_get(out, "content"), cases[i].told);

        } else {
            assert_null(out);
        }

        json_decref(out);
        json_decref(event);
    }
}


static void
test_untold(void **state)
{
    static const struct {
        const char  *json;
        int          logged;
    } cases[] = {
        { "{" ENVELOPE "\"sender_id\":\"odd\",\"event_type\":"
          "\"swp.room.message\",\"content\":{}}", 1 },
        { "{" ENVELOPE "\"sender_id\":\"who\",\"event_type\":"
          "\"swp.room.message\",\"content\":{}}", 1 },
        { "{" ENVELOPE "\"sender_id\":\"u-ann\",\"event_type\":"
          "\"swp.room.message\"}", 1 },
        { "{" ENVELOPE "\"sender_id\":\"u-ann\",\"event_type\":"
          "\"swp.room.read_marker\",\"content\":{}}", 0 },
        { "[]", 1 }
    };

    size_t       i;
    json_t      *event;
    const char  *why;

    for (i = 0; i < nitems(cases); i++) {
        event = load(cases[i].json);
        why = "unset";

        assert_null(rooms_pdu_make(&pdu, event, &why));
        assert_int_equal(why != NULL, cases[i].logged);

        json_decref(event);
    }
}


static void
test_members(void **state)
{
    json_t      *event, *out;
    const char  *why;

    pdu.members = 1;

    event = load("{" ENVELOPE "\"sender_id\":\"u-ann\",\"event_type\":"
                 "\"swp.room.member\",\"content\":{\"participant_ids\":"
                 "[\"@bob:b.example\",\"odd\",\"u-ann\",\"u-ann\"]},"
                 "\"redacted_at\":null}");
    out = rooms_pdu_make(&pdu, event, &why);

    assert_json(json_object_get(out, "members"),
                "[{\"fqid\":\"@bob:b.example\",\"membership\":\"invite\","
                "\"power_level\":0,\"joined_at\":null,\"display_name\":"
                "\"Bob\",\"avatar_url\":null},{\"fqid\":\"@ann:a.example\","
                "\"membership\":\"join\",\"power_level\":100,\"joined_at\":"
                "\"2026-01-01T00:00:00.000Z\",\"display_name\":\"Ann\","
                "\"avatar_url\":null}]");

    json_decref(out);
    json_decref(event);

    /* a DM's create event names only its creator */

    pdu.sides[0] = rooms_cstr("@bob:b.example");
    pdu.sides[1] = rooms_cstr("u-ann");

    event = load("{" ENVELOPE "\"sender_id\":\"u-ann\",\"event_type\":"
                 "\"swp.room.create\",\"content\":{\"creator_id\":"
                 "\"u-ann\"},\"redacted_at\":null}");
    out = rooms_pdu_make(&pdu, event, &why);

    assert_int_equal(json_array_size(json_object_get(out, "members")), 2);

    json_decref(out);
    json_decref(event);
}


static void
test_mentions(void **state)
{
    size_t       i;
    json_t      *event;
    const char  *ids[] = { "u-1", "u-2", "u-3", "u-4" };

    event = load("{\"sender_id\":\"u-1\",\"event_type\":\"swp.room.member\","
                 "\"content\":{\"participant_id\":\"u-2\",\"participant_ids\""
                 ":[\"u-3\",5],\"successor\":{\"participant_id\":\"u-4\"},"
                 "\"event_id\":\"evt-1\"}}");

    assert_int_equal(rooms_pdu_mentions(&pdu, event), 0);
    json_decref(event);

    for (i = 0; i < nitems(ids); i++) {
        assert_true(json_is_null(json_object_get(pdu.people, ids[i])));
    }

    assert_null(json_object_get(pdu.events, "evt-1"));

    event = load("{\"sender_id\":\"u-ann\",\"event_type\":"
                 "\"swp.room.reaction\",\"content\":{\"participant_id\":"
                 "\"u-9\",\"event_id\":\"evt-1\"}}");

    assert_int_equal(rooms_pdu_mentions(&pdu, event), 0);
    json_decref(event);

    assert_true(json_is_null(json_object_get(pdu.events, "evt-1")));
    assert_null(json_object_get(pdu.people, "u-9"));
    assert_true(json_is_object(json_object_get(pdu.people, "u-ann")));

    event = load("{\"sender_id\":5,\"content\":[]}");
    assert_int_equal(rooms_pdu_mentions(&pdu, event), 0);
    json_decref(event);
}


static void
test_names(void **state)
{
    json_t  *event, *name;

    event = load("{\"id\":\"evt-1\"}");
    name = rooms_pdu_name(&pdu, event);
    assert_string_equal(json_string_value(name), "evt-1:a.example");
    json_decref(name);
    json_decref(event);

    event = load("{\"id\":\"evt-1\",\"origin_id\":\"evt-2\","
                 "\"origin_server\":\"b.example\"}");
    name = rooms_pdu_name(&pdu, event);
    assert_string_equal(json_string_value(name), "evt-2:b.example");
    json_decref(name);
    json_decref(event);

    event = load("{}");
    assert_null(rooms_pdu_name(&pdu, event));
    json_decref(event);
}


static void
test_snapshot(void **state)
{
    json_t            *out, *members;
    rooms_room_t       room;
    rooms_pdu_part_t   part;

    memset(&room, 0, sizeof(room));
    room.type = ROOMS_GROUP;
    room.federated = 1;
    room.creator = rooms_cstr("u-ann");
    room.name = rooms_cstr("Engineering");
    room.created_at = 1767225600000;

    pdu.room = rooms_pdu_room(&pdu, &room);
    members = json_pack("[O]", json_object_get(pdu.people, "@bob:b.example"));

    memset(&part, 0, sizeof(part));
    part.room = rooms_cstr("room-1");
    part.id = rooms_cstr("evt-5");
    part.sender = rooms_cstr("u-ann");
    part.members = members;
    part.complete = 1;
    part.now = 1767225600000;

    out = rooms_pdu_snapshot(&pdu, &part);

    assert_json(out, "{\"id\":\"evt-5\",\"room_id\":\"room-1\",\"sender\":"
                "\"@ann:a.example\",\"profile\":{\"display_name\":\"Ann\","
                "\"avatar_url\":null},\"event_type\":\"swp.room.members\","
                "\"content\":{},\"origin_ts\":1767225600,\"created_at\":"
                "\"2026-01-01T00:00:00.000Z\",\"room\":{\"room_type\":"
                "\"group\",\"name\":\"Engineering\",\"topic\":null,"
                "\"is_public\":false,\"state\":\"open\",\"federated\":true,"
                "\"creator\":\"@ann:a.example\",\"created_at\":"
                "\"2026-01-01T00:00:00.000Z\"},\"members\":[{\"fqid\":"
                "\"@bob:b.example\",\"membership\":\"invite\","
                "\"power_level\":0,\"joined_at\":null,\"display_name\":"
                "\"Bob\",\"avatar_url\":null}],\"complete\":true}");

    json_decref(out);

    /* one of several parts, which answers a refused event */

    json_decref(pdu.room);
    pdu.room = NULL;
    json_array_clear(members);
    part.complete = 0;
    part.of = rooms_cstr("evt-4");
    part.part = 3;
    part.refused = rooms_cstr("evt-9");

    out = rooms_pdu_snapshot(&pdu, &part);

    assert_json(out, "{\"id\":\"evt-5\",\"room_id\":\"room-1\",\"sender\":"
                "\"@ann:a.example\",\"profile\":{\"display_name\":\"Ann\","
                "\"avatar_url\":null},\"event_type\":\"swp.room.members\","
                "\"content\":{},\"origin_ts\":1767225600,\"created_at\":"
                "\"2026-01-01T00:00:00.000Z\",\"members\":[],\"part\":{\"of\":\"evt-4\","
                "\"n\":3},\"refused\":\"evt-9\"}");

    json_decref(out);

    part.sender = rooms_cstr("odd");
    assert_null(rooms_pdu_snapshot(&pdu, &part));

    json_decref(members);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_event, setup, teardown),
        cmocka_unit_test_setup_teardown(test_content, setup, teardown),
        cmocka_unit_test_setup_teardown(test_untold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_members, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mentions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
