/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bundle_import.h"
#include "rooms.h"


static rooms_faults_t  faults;
static rooms_import_t  im;
static u_char          out[1 << 20];


static int
setup(void **state)
{
    memset(&faults, 0, sizeof(faults));
    assert_int_equal(rooms_import_init(&im, &faults), 0);

    im.media_max = 100;
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
    rooms_check_event_t  e;

    assert_true(rooms_json_valid(rooms_cstr(text)));
    rooms_check_read(rooms_cstr(text), &e);
    assert_int_equal(rooms_import_event(&im, rooms_cstr(text), &e, index), 0);
}


/* NUL terminated; NULL: the event isn't imported. */
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


/* What a reader sees of the last row written. */
static const char *
shown(const char *row)
{
    rooms_buf_t     b;
    rooms_stored_t  e;

    static u_char  mem[4096];

    rooms_stored_read(rooms_cstr(row), 0, &e);
    assert_true(e.readable);
    assert_true(rooms_stored_shown(&e, im.room) < sizeof(mem));

    rooms_buf_init(&b, mem, sizeof(mem));
    rooms_stored_show(&b, &e, im.room, ROOMS_NULL);
    *b.last = '\0';

    return (const char *) mem;
}


#define TIME  ",\"created_at\":\"2024-01-01T00:00:00Z\"}"

static const char  message[] =
    "{\"id\":\"a\",\"sender_id\":\"s\",\"event_type\":\"swp.room.message\","
    "\"content\":{\"n\":1.10}" TIME;


/*
 * After several doublings each id is still found; adding it again changes
 * nothing.
 */
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
    text = shown(written(message, sizeof(out) - 1, &position));

    assert_int_equal(position, 1000);
    assert_non_null(strstr(text, "\"stream_position\":1000,"));
    assert_non_null(strstr(text, "\"content\":{\"n\":1.10,\"_imported_sender\""
                                 ":0}"));
    assert_true(rooms_str_eq(rooms_import_author_json(&im, 0),
                             rooms_cstr("{\"display_name\":\"s\","
                                        "\"avatar_url\":null,"
                                        "\"fqid\":null}")));
    assert_non_null(strstr(text, "\"origin_ts\":1704067200,"));
    assert_non_null(strstr(text, "\"do_not_index\":true}"));

    rooms_import_event_id(&im, 0, id);
    assert_memory_equal(text + 7, id, sizeof(id));
    assert_int_equal(rooms_event_position((rooms_str_t) { sizeof(id), id }),
                     1000);
}


/* Never writes past the end of the buffer, whatever its size. */
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


/* A key is recognised in every spelling. */
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

    text = shown(written(escaped, sizeof(out) - 1, &position));

    assert_non_null(strstr(text, "\"event_type\":\"swp.room.message\""));
    assert_non_null(strstr(text, "\"content\":{\"_imported_sender\":0}"));
    assert_true(rooms_str_eq(rooms_import_author_json(&im, 0),
                             rooms_cstr("{\"fqid\":\"@f:f\"}")));
    assert_null(strstr(text, "display_name"));
}


/* An author is stored once, however often and however long. */
static void
test_authors(void **state)
{
    int       i;
    char      name[1000], text[400];
    json_t   *o;
    int64_t   position;

    memset(name, 'n', sizeof(name));
    o = json_pack("{s:s#}", "display_name", name, sizeof(name));
    assert_int_equal(rooms_import_participant(&im, rooms_cstr("s"), o), 0);
    assert_int_equal(rooms_import_participant(&im, rooms_cstr("t"), o), 0);
    json_decref(o);

    for (i = 0; i < 1000; i++) {
        sprintf(text, "{\"id\":\"%d\",\"sender_id\":\"%c\",\"event_type\":"
                "\"swp.room.message\",\"content\":%s" TIME, i, "stu"[i % 3],
                i % 5 ? "{}" : "{\"_imported_sender\":{\"fqid\":\"@x:y\"}}");
        see(text, i);
        assert_true(strlen(written(text, sizeof(out) - 1, &position)) < 400);
    }

    /* s and t have the same author; u and the one from elsewhere differ */

    assert_int_equal(im.nauthors, 3);
    assert_true(im.authors.len < 4000);

    /* the tables are full: this author is stored in its event */

    im.authors.len = ROOMS_IMPORT_TEXT_MAX - 10;
    strcpy(text, "{\"id\":\"v\",\"sender_id\":\"v\",\"event_type\":"
                 "\"swp.room.message\",\"content\":{}" TIME);
    see(text, 1000);
    assert_non_null(strstr(written(text, sizeof(out) - 1, &position),
                           "\"_imported_sender\":{\"display_name\":\"v\","));
    assert_null(im.failed);
    im.authors.len = 0;
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


/* Edits of two messages, mixed, are sorted by message. */
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


/* A manifest with this event, through all readings. */
static void
run(import_t *t, const char *event)
{
    int    n;
    char  *text;

    n = asprintf(&text, "{\"format\":\"scaiwave.room-export\",\"version\":1,"
                 "\"room\":{\"room_type\":\"group\"},\"participants\":"
                 "{\"s\":{\"display_name\":\"S\"}},\"media\":[{\"media_id\":"
                 "\"m\",\"size\":0,\"sha256\":\"%064d\"}],\"events\":[%s]}",
                 0, event);
    assert_true(n > 0);

    import_twice(t, (u_char *) text, n);
    free(text);

    if (t->broken) {
        fail_msg("%s: %s", t->broken, event);
    }
}


static const char  rich[] =
    "{\"id\":\"a\",\"sender_id\":\"s\",\"stream_position\":1,"
    "\"event_type\":\"swp.room.message\",\"content\":{\"body\":\"b\","
    "\"media_id\":\"m\",\"thumbnail_id\":\"m\",\"n\":1e15,"
    "\"attachments\":[{\"media_id\":\"m\",\"thumbnail_id\":\"m\"},7]},"
    "\"original_content\":{\"media_id\":\"m\",\"_imported_sender\":"
    "{\"fqid\":\"@o:o\"}},\"created_at\":\"2024-01-01T00:00:00Z\","
    "\"edited_at\":\"2024-01-02T00:00:00Z\"},"
    "{\"id\":\"b\",\"sender_id\":\"t\",\"stream_position\":2,"
    "\"event_type\":\"swp.room.message\",\"content\":{\"replaces\":\"a\","
    "\"content\":{\"body\":\"b\",\"media_id\":\"m\",\"reply_to_event_id\":"
    "\"a\"}},\"redacted_at\":\"2024-01-02T00:00:00Z\","
    "\"origin_ts\":1704067200},"
    "{\"id\":\"c\",\"sender_id\":\"t\",\"stream_position\":3,"
    "\"event_type\":\"swp.room.reaction\",\"content\":{\"event_id\":\"a\","
    "\"reply_to_event_id\":\"a\",\"_imported_sender\":{\"fqid\":\"@f:f\"}},"
    "\"origin_ts\":1704067200}";


static void
react(const char *id, const char *message, const char *sender,
    const char *author, const char *emoji, const char *action)
{
    char  text[1000];

    sprintf(text, "{\"id\":\"%s\",\"sender_id\":\"%s\",\"event_type\":"
            "\"swp.room.reaction\",\"content\":{\"event_id\":\"%s\","
            "\"emoji\":\"%s\"%s%s%s%s%s}" TIME, id, sender, message, emoji,
            action ? ",\"action\":\"" : "", action ? action : "",
            action ? "\"" : "",
            author ? ",\"_imported_sender\":" : "", author ? author : "");
    see(text, 0);
}


/* All rows without their events' ids: "INDEX EMOJI=COUNT". */
static char *
counts(void)
{
    int          i;
    u_char       id[ROOMS_IMPORT_ID_LEN];
    rooms_buf_t  b;
    rooms_str_t  row, count;
    static char  text[10000];

    text[0] = '\0';
    im.counts_at = 0;

    for ( ;; ) {
        rooms_buf_init(&b, out, sizeof(out));

        if (!rooms_import_counts(&im, &b, &row, &count)) {
            return text;
        }

        for (i = 0, id[0] = '\0'; memcmp(id, row.data, sizeof(id)) != 0; i++) {
            assert_true(i < 200);
            rooms_import_event_id(&im, i, id);
        }

        sprintf(text + strlen(text), "%s%d%.*s=%.*s", text[0] ? ", " : "",
                i - 1, (int) (row.len - sizeof(id)), row.data + sizeof(id),
                (int) count.len, count.data);
    }
}


/* One reaction per message, author and emoji, unless it was taken back. */
static void
test_reactions(void **state)
{
    react("0", "a", "s", NULL, "early", "add");
    see(message, 0);
    react("2", "a", "s", NULL, "x y", "add");
    react("3", "a", "s", NULL, "x y", "add");
    react("4", "a", "t", NULL, "x y", NULL);
    react("5", "a", "t", NULL, "z", "add");
    react("6", "a", "t", NULL, "z", "remove");
    react("7", "a", "s", NULL, "w", "remove");
    react("8", "a", "s", NULL, "w", "add");
    react("9", "a", "u", NULL, "w", "remove");

    /* no valid emoji, no valid action, no message */
    react("10", "a", "s", NULL, "", "add");
    react("11", "a", "s", NULL, "x\\n", "add");
    react("12", "a", "s", NULL, "v", "look");
    react("13", "12", "s", NULL, "v", "add");
    react("14", "b", "s", NULL, "v", "add");

    rooms_import_finish(&im);
    assert_string_equal(counts(), "1 early=-1, 1 x y=-2, 1 w=-1");
}


/* After an earlier import all events have one sender, and authors. */
static void
test_reactions_authors(void **state)
{
    see(message, 0);
    react("1", "a", "ina", "{\"fqid\":\"@a:o\",\"x\":1}", "x", "add");
    react("2", "a", "ina", "{\"x\":1, \"fqid\":\"@a:o\"}", "x", "add");
    react("3", "a", "ina", "{\"fqid\":\"@b:o\"}", "x", "add");
    react("4", "a", "ina", NULL, "x", "add");
    react("5", "a", "ina", "{\"fqid\":\"@b:o\"}", "y", "add");
    react("6", "a", "ina", NULL, "y", "remove");

    rooms_import_finish(&im);
    assert_string_equal(counts(), "0 x=-3, 0 y=-1");
}


/* Edits and redacted messages have no reactions; at most 50 emojis count. */
static void
test_reactions_messages(void **state)
{
    int   i;
    char  text[1000], id[10], emoji[10];

    see(message, 0);
    see("{\"id\":\"b\",\"sender_id\":\"s\",\"event_type\":"
        "\"swp.room.message\",\"content\":{},\"redacted_at\":"
        "\"2024-01-02T00:00:00Z\"" TIME, 1);
    see("{\"id\":\"c\",\"sender_id\":\"s\",\"event_type\":"
        "\"swp.room.message\",\"content\":{\"replaces\":\"a\"}" TIME, 2);
    react("3", "b", "s", NULL, "x", "add");
    react("4", "c", "s", NULL, "x", "add");

    for (i = 5; i < 100; i++) {
        sprintf(id, "%d", i);
        sprintf(text, "{\"id\":\"%d\",\"sender_id\":\"s\",\"event_type\":"
                "\"swp.room.message\",\"content\":{},\"redacted_at\":null"
                TIME, i);
        see(text, i);
    }

    react("100", "99", "s", NULL, "last", "add");

    for (i = 101; i < 160; i++) {
        sprintf(id, "%d", i);
        sprintf(emoji, "e%d", i);
        react(id, "98", "s", NULL, emoji, "add");
    }

    rooms_import_finish(&im);
    assert_int_equal(im.nreactions, 51);
    assert_non_null(strstr(counts(), "98 e101=-1, 98 e102=-1"));
    assert_non_null(strstr(counts(), "98 e150=-1, 99 last=-1"));
    assert_null(strstr(counts(), "e151"));
    assert_null(strstr(counts(), "x="));
}


/*
 * Each character of each string is written as an escape, one at a time.  The
 * stored row must mean the same, and must be the same byte by byte except in
 * content.
 */
static void
test_written_with_escapes(void **state)
{
    char     *text;
    size_t    i;
    int       inside;
    json_t   *a, *b;
    import_t  plain, t;

    run(&plain, rich);
    assert_true(plain.good);

    a = json_loadb((char *) plain.out, plain.len, 0, NULL);
    inside = 0;

    for (i = 0; rich[i]; i++) {

        if (rich[i] == '"') {
            inside = !inside;
            continue;
        }

        if (!inside) {
            continue;
        }

        assert_true(asprintf(&text, "%.*s\\u%04x%s", (int) i, rich, rich[i],
                             rich + i + 1) > 0);
        run(&t, text);
        assert_true(t.good);

        b = json_loadb((char *) t.out, t.len, 0, NULL);

        if (!json_equal(a, b)) {
            fail_msg("%s: became %.*s", text, (int) t.len, t.out);
        }

        free(text);
        json_decref(b);
        import_cleanup(&t);
    }

    json_decref(a);
    import_cleanup(&plain);
}


/* Replies and thumbnails refer to what was imported. */
static void
test_references(void **state)
{
    u_char    id[ROOMS_IMPORT_ID_LEN + 1] = "";
    char      want[100];
    import_t  t;

    run(&t, rich);

    t.im.position = INT64_C(1700000000000);
    rooms_import_event_id(&t.im, 0, id);

    sprintf(want, "\"reply_to_event_id\":\"%s\"", id);
    assert_non_null(strstr((char *) t.out, want));
    sprintf(want, "\"thumbnail_id\":\"%.30s\"", t.im.media[0].id);
    assert_non_null(strstr((char *) t.out, want));
    assert_null(strstr((char *) t.out, "_id\":\"a\""));
    assert_null(strstr((char *) t.out, "_id\":\"m\""));

    import_cleanup(&t);
}


/* The limit of a content is the same in every spelling of its key. */
static void
test_content_limit(void **state)
{
    int       i, len;
    char     *text;
    import_t  t;

    static const struct {
        const char  *format;
        int          len;       /* without the filling */
    } forms[] = {
        { "\"content\":{\"a\":\"%s\"}", 8 },
        { "\"conten\\u0074\":{\"a\":\"%s\"}", 8 },
        { "\"content\":{\"a\":\"%s\",\"_imported_sende\\u0072\":{}}", 8 },
        { "\"content\":{},\"\\u006friginal_content\":{\"a\":\"%s\"}", 8 },
        { "\"content\":{ \"a\" : \"%s\" }", 8 },
        /* the length after the rewriting */
        { "\"content\":{\"reply_to_event_id\":\"a\",\"a\":\"%s\"}",
          8 + 21 + 35 }
    };

    for (i = 0; i < 2 * (int) (sizeof(forms) / sizeof(forms[0])); i++) {
        char  fill[80000] = "", content[90000];

        len = ROOMS_IMPORT_CONTENT_MAX - forms[i / 2].len + i % 2;
        memset(fill, 'x', len);
        sprintf(content, forms[i / 2].format, fill);

        assert_true(asprintf(&text, "{\"id\":\"a\",\"sender_id\":\"s\","
                             "\"event_type\":\"swp.room.message\","
                             "\"stream_position\":1,%s" TIME, content) > 0);
        run(&t, text);

        if (t.good != (i % 2 == 0)) {
            fail_msg("form %d: good %d: %s", i, t.good,
                     t.faults.count ? t.faults.list[0].problem : "no fault");
        }

        free(text);
        import_cleanup(&t);
    }
}


static void
nest(char *dst, int levels)
{
    int  i;

    for (i = 1, *dst = '\0'; i < levels; i++) {
        strcat(dst, "{\"a\":");
    }

    strcat(dst, "{}");

    for (i = 1; i < levels; i++) {
        strcat(dst, "}");
    }
}


/* 64 levels, in an edit too; 65 are refused. */
static void
test_depth(void **state)
{
    int       i;
    char      deep[1000], text[2000];
    import_t  t;

    static const char  *forms[] = {
        "\"content\":%s",
        "\"content\":{},\"original_content\":%s",
        "\"content\":{\"replaces\":\"a\",\"content\":%s}"
    };

    for (i = 0; i < 6; i++) {
        nest(deep, 64 + i % 2);
        strcpy(text, "{\"id\":\"a\",\"sender_id\":\"s\",\"event_type\":"
                     "\"swp.room.message\",\"stream_position\":1,");
        sprintf(text + strlen(text), forms[i / 2], deep);
        strcat(text, TIME);
        run(&t, text);

        if (t.good != (i % 2 == 0)) {
            fail_msg("form %d: good %d", i, t.good);
        }

        import_cleanup(&t);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_map, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_escapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_authors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_doubles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_markers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_edits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reactions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reactions_authors, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reactions_messages, setup,
                                        teardown),
        cmocka_unit_test(test_written_with_escapes),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_content_limit),
        cmocka_unit_test(test_depth)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
