/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The form of an event from another server. */

#include "rooms_test.h"
#include "rooms_remote.h"


#define EVENT                                                                 \
    "{\"id\":\"evt-1\",\"room_id\":\"room-1\",\"sender\":\"@bob:b.example\"," \
    "\"event_type\":\"swp.room.message\",\"content\":{},"                     \
    "\"created_at\":\"2023-11-14T22:13:20Z\"}"

#define ROOM                                                                  \
    "{\"room_type\":\"group\",\"name\":\"N\",\"state\":\"open\","             \
    "\"federated\":true,\"creator\":\"@bob:b.example\","                      \
    "\"created_at\":\"2023-11-14T22:13:20Z\"}"


static const char *
remote_with(const char *change, rooms_remote_t *remote)
{
    json_t      *event, *more;
    const char  *problem;

    event = json_loads(EVENT, 0, NULL);
    more = json_loads(change, 0, NULL);

    assert_non_null(event);
    assert_non_null(more);
    json_object_update(event, more);
    json_decref(more);

    problem = rooms_remote_read(event, NOW, remote);

    json_decref(event);

    return problem;
}


static void
good(void **state)
{
    json_t         *event;
    rooms_remote_t  remote;

    (void) state;

    event = json_loads(EVENT, 0, NULL);

    assert_null(rooms_remote_read(event, NOW, &remote));
    assert_true(rooms_str_eq(remote.id, rooms_cstr("evt-1")));
    assert_true(rooms_str_eq(remote.sender.server, rooms_cstr("b.example")));
    assert_true(rooms_str_eq(remote.sender.local, rooms_cstr("bob")));
    assert_int_equal(remote.type, ROOMS_EV_MESSAGE);
    assert_int_equal(remote.has_room, 0);
    assert_int_equal(remote.created_at, INT64_C(1700000000000));

    json_decref(event);

    assert_null(remote_with("{\"room\":" ROOM "}", &remote));
    assert_int_equal(remote.has_room, 1);
    assert_int_equal(remote.room_type, ROOMS_GROUP);
    assert_null(remote_with("{\"event_type\":\"swp.room.members\","
                            "\"complete\":true,\"members\":[]}", &remote));
    assert_int_equal(remote.type, ROOMS_REMOTE_SNAPSHOT);
    assert_int_equal(remote.complete, 1);
    assert_non_null(remote.of.data);
    assert_int_equal(remote.part, 0);
    assert_null(remote.refused.data);
    assert_null(remote_with("{\"event_type\":\"swp.room.members\","
                            "\"part\":{\"of\":\"evt-0\",\"n\":7},"
                            "\"refused\":\"evt-3\",\"members\":[]}", &remote));
    assert_int_equal(remote.complete, 0);
    assert_non_null(remote.of.data);
    assert_int_equal(remote.part, 7);
    assert_non_null(remote.refused.data);
    assert_null(remote_with("{\"event_type\":\"swp.room.members\","
                            "\"members\":[]}", &remote));
    assert_null(remote.of.data);

    /* a clock that is ahead by years */

    assert_null(remote_with("{\"created_at\":\"2099-01-01T00:00:00Z\"}",
                            &remote));
    assert_int_equal(remote.created_at, NOW);

    /* only a snapshot can be complete */

    assert_null(remote_with("{\"complete\":true,\"members\":[]}", &remote));
    assert_int_equal(remote.complete, 0);
}


static void
bad(void **state)
{
    size_t          i;
    rooms_remote_t  remote;

    static const char *const  changes[] = {
        "{\"id\":1}", "{\"id\":\"room-1\"}", "{\"id\":\"evt-a b\"}",
        "{\"room_id\":null}", "{\"room_id\":\"room-\"}",
        "{\"sender\":\"bob\"}", "{\"sender\":\"@bob:\"}",
        "{\"sender\":\"@bob:B.example\"}", "{\"sender\":\"@bob:[::1\"}",
        "{\"event_type\":\"swp.room.read_marker\"}",
        "{\"event_type\":\"swp.room.\"}", "{\"event_type\":7}",
        "{\"content\":[]}", "{\"content\":null}",
        "{\"created_at\":\"now\"}", "{\"created_at\":1}",
        "{\"members\":{}}", "{\"members\":\"all\"}",
        "{\"event_type\":\"swp.room.members\",\"part\":1}",
        "{\"event_type\":\"swp.room.members\",\"part\":{\"n\":1}}",
        "{\"event_type\":\"swp.room.members\",\"part\":{\"of\":\"evt-1\"}}",
        "{\"event_type\":\"swp.room.members\",\"part\":{\"of\":\"x\","
            "\"n\":0}}",
        "{\"event_type\":\"swp.room.members\",\"part\":{\"of\":\"evt-1\","
            "\"n\":-1}}",
        "{\"event_type\":\"swp.room.members\",\"part\":{\"of\":\"evt-1\","
            "\"n\":1048577}}",
        "{\"event_type\":\"swp.room.members\",\"refused\":\"room-1\"}",
        "{\"room\":1}", "{\"room\":{}}",
        "{\"room\":{\"room_type\":\"incognito\",\"name\":\"N\","
            "\"state\":\"open\",\"creator\":\"@b:c\","
            "\"created_at\":\"2023-11-14T22:13:20Z\"}}",
        "{\"room\":{\"room_type\":\"public\",\"name\":\"N\","
            "\"state\":\"open\",\"creator\":\"@b:c\","
            "\"created_at\":\"2023-11-14T22:13:20Z\"}}",
        "{\"room\":{\"room_type\":\"group\",\"name\":\" \","
            "\"state\":\"open\",\"creator\":\"@b:c\","
            "\"created_at\":\"2023-11-14T22:13:20Z\"}}",
        "{\"room\":{\"room_type\":\"group\",\"name\":\"N\","
            "\"state\":\"open\",\"creator\":\"a b\","
            "\"created_at\":\"2023-11-14T22:13:20Z\"}}",
        "{\"room\":{\"room_type\":\"group\",\"name\":\"N\","
            "\"state\":\"ajar\",\"creator\":\"@b:c\","
            "\"created_at\":\"2023-11-14T22:13:20Z\"}}",
    };

    (void) state;

    for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {

        if (remote_with(changes[i], &remote) == NULL) {
            fail_msg("taken: %s", changes[i]);
        }
    }

    assert_non_null(rooms_remote_read(NULL, NOW, &remote));
}


static void
members(void **state)
{
    size_t                 i;
    json_t                *member;
    rooms_remote_member_t  m;

    static const char *const  wrong[] = {
        "7", "{}", "{\"fqid\":\"@a:b.c\"}",
        "{\"fqid\":\"a\",\"membership\":\"invite\"}",
        "{\"fqid\":\"@a:b.c\",\"membership\":\"join\"}",
        "{\"fqid\":\"@a:b.c\",\"membership\":\"join\",\"power_level\":101,"
            "\"joined_at\":\"2023-11-14T22:13:20Z\"}",
        "{\"fqid\":\"@a:b.c\",\"membership\":\"join\",\"power_level\":-1,"
            "\"joined_at\":\"2023-11-14T22:13:20Z\"}",
        "{\"fqid\":\"@a:b.c\",\"membership\":\"join\",\"power_level\":1.5,"
            "\"joined_at\":\"2023-11-14T22:13:20Z\"}",
        "{\"fqid\":\"@a:b.c\",\"membership\":\"join\",\"power_level\":1,"
            "\"joined_at\":null}"
    };

    (void) state;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        member = json_loads(wrong[i], JSON_DECODE_ANY, NULL);

        if (rooms_remote_member(member, &m) == NULL) {
            fail_msg("taken: %s", wrong[i]);
        }

        json_decref(member);
    }

    member = json_loads("{\"fqid\":\"@a:b.c\",\"membership\":\"invite\","
                        "\"power_level\":100,\"display_name\":\"a\\nb\","
                        "\"avatar_url\":\"http://x\"}", 0, NULL);

    assert_null(rooms_remote_member(member, &m));
    assert_int_equal(m.membership, ROOMS_INVITE);
    assert_int_equal(m.power, 0);
    assert_null(m.name.data);
    assert_null(m.avatar.data);

    json_decref(member);
}


static void
references(void **state)
{
    rooms_str_t  id, server;

    (void) state;

    assert_int_equal(rooms_remote_ref(rooms_cstr("evt-1:b.example:8448"), &id,
                                      &server), 0);
    assert_true(rooms_str_eq(id, rooms_cstr("evt-1")));
    assert_true(rooms_str_eq(server, rooms_cstr("b.example:8448")));

    assert_int_equal(rooms_remote_ref(rooms_cstr("evt-1"), &id, &server), -1);
    assert_int_equal(rooms_remote_ref(rooms_cstr("evt-1:"), &id, &server), -1);
    assert_int_equal(rooms_remote_ref(rooms_cstr(":b.example"), &id, &server),
                     -1);
    assert_int_equal(rooms_remote_ref(rooms_cstr("evt-1:/etc"), &id, &server),
                     -1);
    assert_int_equal(rooms_remote_ref(ROOMS_NULL, &id, &server), -1);
}


/* Splitting texts without parsing them. */

static void
pieces(void **state)
{
    rooms_str_t  array, value;

    (void) state;

    assert_int_equal(rooms_remote_find(rooms_cstr(" { \"a\" : [1,{\"b\":\"]\"}]"
                                                  " , \"b\" : \"\\\"}\" } "),
                                       "b", &value), 1);
    assert_true(rooms_str_eq(value, rooms_cstr("\"\\\"}\" ")));
    assert_int_equal(rooms_remote_find(rooms_cstr("{\"a\":1}"), "b", &value),
                     0);
    assert_int_equal(rooms_remote_find(rooms_cstr("{}"), "b", &value), 0);
    assert_int_equal(rooms_remote_find(rooms_cstr("{\"a\":1]"), "b", &value),
                     -1);
    assert_int_equal(rooms_remote_find(rooms_cstr("{\"a\":[1"), "b", &value),
                     -1);
    assert_int_equal(rooms_remote_find(rooms_cstr("{\"a\":\"\\\""), "b",
                                       &value), -1);
    assert_int_equal(rooms_remote_find(rooms_cstr("[]"), "b", &value), -1);
    assert_int_equal(rooms_remote_find(rooms_cstr(""), "b", &value), -1);
    assert_int_equal(rooms_remote_find(ROOMS_NULL, "b", &value), -1);

    array = rooms_cstr("[ {\"a\":[1,2]} ,nothing, \"],\"]");
    assert_int_equal(rooms_remote_piece(&array, &value), 1);
    assert_true(rooms_str_eq(value, rooms_cstr("{\"a\":[1,2]} ")));
    assert_int_equal(rooms_remote_piece(&array, &value), 1);
    assert_true(rooms_str_eq(value, rooms_cstr("nothing")));
    assert_int_equal(rooms_remote_piece(&array, &value), 1);
    assert_true(rooms_str_eq(value, rooms_cstr("\"],\"")));
    assert_int_equal(rooms_remote_piece(&array, &value), 0);

    array = rooms_cstr("[]");
    assert_int_equal(rooms_remote_piece(&array, &value), 0);
    array = rooms_cstr("[1");
    assert_int_equal(rooms_remote_piece(&array, &value), -1);
    array = rooms_cstr("{}");
    assert_int_equal(rooms_remote_piece(&array, &value), -1);

    assert_true(rooms_str_eq(rooms_remote_id(rooms_cstr(
                                 "{\"x\":[[],\"id\":1],\"id\": \"evt-1\" }")),
                             rooms_cstr("evt-1")));
    assert_null(rooms_remote_id(rooms_cstr("{\"id\":\"evt-/\"}")).data);
    assert_null(rooms_remote_id(rooms_cstr("{\"id\":1}")).data);
}


/* The id for a room here whose own id is taken. */

static void
rooms(void **state)
{
    size_t         len;
    unsigned char  one[ROOMS_REMOTE_ROOM], two[ROOMS_REMOTE_ROOM];
    rooms_str_t    id;

    (void) state;

    id = rooms_cstr("room-01m8764sm32vxf8t6eezfa7ss0");

    len = rooms_remote_room_id(rooms_cstr("b"), id, one);
    assert_int_equal(len, ROOMS_REMOTE_ROOM);
    assert_memory_equal(one, id.data, 15);
    assert_memory_not_equal(one, id.data, 31);
    assert_true(rooms_id_valid((rooms_str_t) { len, one }, "room-"));
    assert_true(rooms_remote_room_made((rooms_str_t) { len, one }));
    assert_false(rooms_remote_room_made(id));

    (void) rooms_remote_room_id(rooms_cstr("b"), id, two);
    assert_memory_equal(one, two, len);
    (void) rooms_remote_room_id(rooms_cstr("c"), id, two);
    assert_memory_not_equal(one, two, len);

    /* an id of another form has no time to keep */

    assert_int_equal(rooms_remote_room_id(rooms_cstr("b"), rooms_cstr("room-1"),
                                          one), ROOMS_REMOTE_ROOM);
    assert_memory_equal(one, "room-0000000000", 15);
}


/* Only a participant's own server may give its name. */

static void
own(void **state)
{
    json_t       *answer;
    rooms_str_t   name, avatar;

    (void) state;

    name = rooms_cstr("Carl");
    avatar = rooms_cstr("https://c/a");
    rooms_remote_own(rooms_cstr("c"), rooms_cstr("c"), &name, &avatar);
    assert_true(rooms_str_eq(name, rooms_cstr("Carl")));
    rooms_remote_own(rooms_cstr("b"), rooms_cstr("c"), &name, &avatar);
    assert_null(name.data);
    assert_null(avatar.data);

    answer = json_pack("{s:s,s:s,s:s}", "local_id", "carl", "server_name",
                       "c", "display_name", "Carl");
    assert_int_equal(rooms_remote_answer(answer, rooms_cstr("carl"),
                                         rooms_cstr("c"), &name, &avatar), 0);
    assert_int_equal(rooms_remote_answer(answer, rooms_cstr("cid"),
                                         rooms_cstr("c"), &name, &avatar), -1);
    assert_int_equal(rooms_remote_answer(answer, rooms_cstr("carl"),
                                         rooms_cstr("b"), &name, &avatar), -1);
    json_decref(answer);
    assert_int_equal(rooms_remote_answer(NULL, rooms_cstr("carl"),
                                         rooms_cstr("c"), &name, &avatar), -1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(good),
        cmocka_unit_test(bad),
        cmocka_unit_test(members),
        cmocka_unit_test(references),
        cmocka_unit_test(pieces),
        cmocka_unit_test(own),
        cmocka_unit_test(rooms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
