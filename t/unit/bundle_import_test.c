/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rooms_import.h"
#include "rooms.h"


static rooms_faults_t  faults;
static rooms_import_t  im;
static u_char          out[1 << 20];


static int
setup(void **state)
{
    memset(&faults, 0, sizeof(faults));
    assert_int_equal(rooms_import_init(&im, &faults), 0);

    im.room = rooms_cstr("room-new");
    im.sender = rooms_cstr("ina");
    im.position = 1000;

    return 0;
}


static int
teardown(void **state)
{
    rooms_import_cleanup(&im);
    rooms_faults_free(&faults);

    return 0;
}


static void
see(const char *text, uint64_t index)
{
    json_t  *o;

    o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    assert_int_equal(rooms_import_event(&im, rooms_cstr(text), o, index), 0);
    json_decref(o);
}


/* NUL ended; NULL: the event doesn't come along. */
static const char *
written(const char *text, size_t size, int64_t *position)
{
    int          rc;
    rooms_buf_t  b;

    rooms_buf_init(&b, out, size);
    rc = rooms_import_write(&im, rooms_cstr(text), &b, position);

    if (rc != 0) {
        return rc == 1 ? NULL : "";
    }

    *b.last = '\0';

    return (const char *) out;
}


#define TIME  ",\"created_at\":\"2024-01-01T00:00:00Z\"}"

static const char  message[] =
    "{\"id\":\"a\",\"sender_id\":\"s\",\"event_type\":\"swp.room.message\","
    "\"content\":{\"n\":1.10}" TIME;


/* Past several doublings each id is found; a second one changes nothing. */
static void
test_map(void **state)
{
    char                buf[32];
    uint32_t            i;
    rooms_import_map_t  map;

    rooms_import_map_init(&map);
    assert_int_equal(rooms_import_map_get(&map, rooms_cstr("x")), -1);

    for (i = 0; i < 20000; i++) {
        sprintf(buf, "id-%u", i);
        assert_int_equal(rooms_import_map_add(&map, rooms_cstr(buf), i), 0);
        assert_int_equal(rooms_import_map_add(&map, rooms_cstr(buf), 7), 1);
    }

    for (i = 0; i < 20000; i++) {
        sprintf(buf, "id-%u", i);
        assert_int_equal(rooms_import_map_get(&map, rooms_cstr(buf)), i);
    }

    assert_int_equal(rooms_import_map_get(&map, rooms_cstr("id-20000")), -1);
    assert_true(map.size <= 32768);

    rooms_import_map_free(&map);
}


static void
test_event(void **state)
{
    u_char       id[ROOMS_IMPORT_ID_LEN];
    int64_t      position;
    const char  *text;

    see(message, 0);
    text = written(message, sizeof(out) - 1, &position);

    assert_int_equal(position, 1000);
    assert_non_null(strstr(text, "\"stream_position\":1000,"));
    assert_non_null(strstr(text, "\"content\":{\"n\":1.10,\"_imported_sender\""
                                 ":{\"display_name\":\"s\","));
    assert_non_null(strstr(text, "\"origin_ts\":1704067200,"));
    assert_non_null(strstr(text, "\"do_not_index\":true}"));

    rooms_import_event_id(&im, 0, id);
    assert_memory_equal(text + 7, id, sizeof(id));
    assert_int_equal(rooms_event_position((rooms_str_t) { sizeof(id), id }),
                     1000);
}


/* Never past the end of the buffer, whatever its size. */
static void
test_event_fits(void **state)
{
    size_t       size, len;
    int64_t      position;

    see(message, 0);
    len = strlen(written(message, sizeof(out) - 1, &position));
    memset(out, 'x', sizeof(out));

    for (size = 0; size < len; size++) {
        assert_string_equal(written(message, size, &position), "");
        assert_int_equal(out[size], 'x');
    }
}


/* A key is the same however it is written. */
static void
test_event_escapes(void **state)
{
    int64_t      position;
    const char  *text;

    static const char  escaped[] =
        "{\"i\\u0064\":\"\\u0061\",\"sender_id\":\"s\","
        "\"event_type\":\"swp.room.m\\u0065ssage\",\"content\":"
        "{\"_imported\\u005fsender\":{\"fqid\":\"@f:f\"}}" TIME;

    see(escaped, 0);
    assert_int_equal(rooms_import_map_get(&im.ids, rooms_cstr("a")), 0);

    text = written(escaped, sizeof(out) - 1, &position);

    assert_non_null(strstr(text, "\"event_type\":\"swp.room.message\""));
    assert_non_null(strstr(text, "\"content\":{\"_imported_sender\":"
                                 "{\"fqid\":\"@f:f\"}}"));
    assert_null(strstr(text, "display_name"));
}


static void
test_doubles(void **state)
{
    see(message, 0);
    see(message, 1);

    assert_int_equal(im.events, 1);
    assert_int_equal(faults.total, 1);
    assert_string_equal(faults.list[0].field, "events[1].id");
}


static void
test_read_markers(void **state)
{
    int64_t  position;

    static const char  marker[] =
        "{\"id\":\"m\",\"sender_id\":\"s\",\"event_type\":"
        "\"swp.room.read_marker\",\"content\":{}" TIME;

    see(marker, 0);
    see(message, 1);

    assert_int_equal(im.events, 1);
    assert_null(written(marker, sizeof(out) - 1, &position));
    (void) written(message, sizeof(out) - 1, &position);
    assert_int_equal(position, 1000);
}


/* Edits of two messages, mixed, come out by message. */
static void
test_edits(void **state)
{
    int          i, n;
    char         text[256];
    rooms_buf_t  b;
    rooms_str_t  id, edits;

    for (i = 0; i < 8; i++) {
        sprintf(text, i < 2 ? "{\"id\":\"%d\",\"sender_id\":\"s\","
                "\"event_type\":\"swp.room.message\",\"content\":{}" TIME
                : "{\"id\":\"%d\",\"sender_id\":\"s\",\"event_type\":"
                "\"swp.room.message\",\"content\":{\"replaces\":\"%d\"}" TIME,
                i, i % 2);
        see(text, i);
    }

    rooms_import_finish(&im);
    assert_int_equal(faults.total, 0);

    rooms_buf_init(&b, out, sizeof(out));

    for (n = 0; rooms_import_edits(&im, &b, &id, &edits); n++) {
        assert_int_equal(rooms_event_position(id), 1000 + n);
        assert_int_equal(edits.len, 3 * ROOMS_IMPORT_ID_LEN + 2);

        for (i = 0; i < 3; i++) {
            assert_int_equal(rooms_event_position((rooms_str_t) {
                                 ROOMS_IMPORT_ID_LEN,
                                 edits.data + i * (ROOMS_IMPORT_ID_LEN + 1)
                             }), 1002 + n + 2 * i);
        }
    }

    assert_int_equal(n, 2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_map, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_escapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_doubles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_markers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_edits, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
