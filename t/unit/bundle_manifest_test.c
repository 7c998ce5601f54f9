/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "bundle_test.h"
#include "rooms_manifest.h"
#include "rooms_manifest_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>


/*
 * Reads a text in windows of `step` bytes into a list of its parts, or the
 * error.  Each slice must be the bytes at its offset.
 */

static void
split(const char *text, size_t len, size_t step, uint64_t max, bytes_t *out)
{
    int                n;
    char               line[64];
    size_t             at, take;
    const u_char      *p, *end;
    rooms_manifest_t   m;

    out->len = 0;
    rooms_manifest_init(&m, max);

    for (at = 0; at < len; at += take) {
        take = len - at < step ? len - at : step;
        p = memcpy(malloc(take), text + at, take);
        end = p + take;

        while ((n = rooms_manifest_next(&m, &p, end)) > 0) {
            assert_true(m.at + m.slice.len <= len);
            assert_memory_equal(m.slice.data, text + m.at, m.slice.len);

            n = snprintf(line, sizeof(line), "%d.%d:", n, (int) m.index);
            bytes_add(out, line, n);
            bytes_add(out, m.key.data, m.key.len);
            bytes_add(out, "=", 1);
            bytes_add(out, m.slice.data, m.slice.len);
            bytes_add(out, "\n", 1);
        }

        free((u_char *) end - take);

        if (n < 0) {
            break;
        }
    }

    if (rooms_manifest_finish(&m) != 0) {
        assert_true(m.err[0]);
        out->len = 0;
        bytes_add(out, "!", 1);
        bytes_add(out, m.err, strlen(m.err));
    }

    bytes_add(out, "", 1);
    rooms_manifest_cleanup(&m);
}


static void
check(const char *text, size_t len, const char *want)
{
    size_t   step;
    bytes_t  out = { 0 };

    for (step = len + 1; step > 0; step = step > 30 ? 30 : step - 1) {
        split(text, len, step, 3, &out);

        if (want[0] == '!' ? out.data[0] != '!'
                             || strstr((char *) out.data, want + 1) == NULL
                           : strcmp((char *) out.data, want) != 0)
        {
            fail_msg("%s: step %zu: wanted \"%s\", got \"%s\"", text, step,
                     want, (char *) out.data);
        }
    }

    bytes_free(&out);
}

#define CHECK(text, want)    check(text, sizeof(text) - 1, want)
#define VALUE(v, want)       CHECK("{\"a\":" v "}", want)
#define VALID(v)             VALUE(v, "1.0:a=" v "\n")


static void
test_split(void **state)
{
    (void) state;

    CHECK("{}", "");
    CHECK(" \r\n\t{ } \n", "");
    CHECK("{\"a\":1}", "1.0:a=1\n");
    CHECK("{ \"a\" : 1 , \"b\" : [ 1 , {\"events\": [2]} ] }",
          "1.0:a=1\n1.0:b=[ 1 , {\"events\": [2]} ]\n");
    CHECK("{\"events\":[]}", "");
    CHECK("{\"events\":[ ],\"format\":\"x\"}", "1.0:format=\"x\"\n");
    CHECK("{\"events\":[1, {\"a\":[]} ,\"x\",null,true,-1.5e+3 ]}",
          "2.1:=1\n2.2:={\"a\":[]}\n2.3:=\"x\"\n2.4:=null\n2.5:=true\n"
          "2.6:=-1.5e+3\n");
    CHECK("{\"participants\":{\"x\":{},\"\\u0079\\ud83d\\ude00\\n\":[1]},"
          "\"media\":[{}],\"missing_media\":[\"a\",\"b\"]}",
          "3.1:x={}\n3.2:y\xf0\x9f\x98\x80\n=[1]\n4.1:={}\n5.1:=\"a\"\n"
          "5.2:=\"b\"\n");
    CHECK("{\"participants\":{},\"media\":{\"s\":1},\"a\":{\"b\":{\"c\":1}}}",
          "4.1:s=1\n1.0:a={\"b\":{\"c\":1}}\n");

    /* a byte order mark */
    CHECK("\xef\xbb\xbf{\"a\":1}", "1.0:a=1\n");
    CHECK("\xef\xbb\xbf \n{}", "");
    CHECK("\xef\xbb\xbf\xef\xbb\xbf{}", "!byte 3");
    CHECK("\xef\xbb{}", "!byte 2: it is not JSON");
    CHECK("\xef\xbb\xbf", "!truncated");
    CHECK("\xef", "!truncated");
    CHECK(" \xef\xbb\xbf{}", "!byte 1");

    /* keys are compared after decoding */
    CHECK("{\"\\u0065vents\":[1]}", "2.1:=1\n");
    CHECK("{\"\\u00e9\\u20ac\\/\\\"\":1}", "1.0:\xc3\xa9\xe2\x82\xac/\"=1\n");
}


static void
test_json(void **state)
{
    (void) state;

    VALID("0");
    VALID("-0");
    VALID("10");
    VALID("0.5");
    VALID("1e5");
    VALID("1E-5");
    VALID("1.25e+10");
    VALID("\"\"");
    VALID("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u12aF\"");
    VALID("\"\\ud83d\\ude00\"");
    VALID("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80"
          "\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"");
    VALID("\"plain text that is longer than eight bytes \x7f ok\"");
    VALID("[]");
    VALID("[[],{},[1,2],{\"a\":1,\"b\":2}]");
    VALID("false");

    VALUE("01", "!leading zero");
    VALUE("-", "!digit");
    VALUE("-a", "!digit");
    VALUE("1.", "!digit");
    VALUE("1.e5", "!digit");
    VALUE(".5", "!value");
    VALUE("+1", "!value");
    VALUE("1e", "!digit");
    VALUE("1e+", "!digit");
    VALUE("0x1", "!comma");
    VALUE("1 2", "!comma");
    VALUE("truE", "!value");
    VALUE("nul", "!value");
    VALUE("NaN", "!value");
    VALUE("'a'", "!value");
    VALUE("", "!value");
    VALUE("\"\\x\"", "!escape");
    VALUE("\"\\\0\"", "!escape");
    VALUE("\"\\u12g4\"", "!hexadecimal");
    VALUE("\"\\u0000\"", "!NUL");
    VALUE("\"a\0b\"", "!control");
    VALUE("\"a\nb\"", "!control");
    VALUE("\"aaaaaaaaaaa\x1f\"", "!control");
    VALUE("\"\\ud800\"", "!surrogate");
    VALUE("\"\\ud800x\"", "!surrogate");
    VALUE("\"\\ud800\\n\"", "!surrogate");
    VALUE("\"\\ud800\\ud800\"", "!surrogate");
    VALUE("\"\\udc00\"", "!surrogate");
    VALUE("\"\xff\"", "!UTF-8");
    VALUE("\"\x80\"", "!UTF-8");
    VALUE("\"\xc0\x80\"", "!UTF-8");
    VALUE("\"\xc3\"", "!UTF-8");
    VALUE("\"\xe0\x80\x80\"", "!UTF-8");
    VALUE("\"\xed\xa0\x80\"", "!UTF-8");
    VALUE("\"\xf0\x80\x80\x80\"", "!UTF-8");
    VALUE("\"\xf4\x90\x80\x80\"", "!UTF-8");
    VALUE("\"\xf5\x80\x80\x80\"", "!UTF-8");
    VALUE("[1,]", "!value");
    VALUE("[,1]", "!value");
    VALUE("[1", "!comma or ]");
    VALUE("[1}", "!comma or ]");
    VALUE("{\"a\":1]", "!comma or }");
    VALUE("{\"a\":1,}", "!key");
    VALUE("{\"a\"}", "!colon");
    VALUE("{\"a\" 1}", "!colon");
    VALUE("{a:1}", "!key");
    VALUE("{1:1}", "!key");
    VALUE("/**/1", "!value");

    CHECK("", "!truncated");
    CHECK("   ", "!truncated");
    CHECK("{", "!truncated");
    CHECK("{\"a", "!truncated");
    CHECK("{\"a\":1", "!truncated");
    CHECK("[]", "!not an object");
    CHECK("1", "!not an object");
    CHECK("{}{}", "!follow");
    CHECK("{} x", "!follow");
    CHECK("{}\0", "!follow");

    /* the position of the error */
    CHECK("{\"a\":1,\"b\":x}", "!byte 11:");
    CHECK("{\"events\":[{},{\"a\":\"\x01\"}]}", "!byte 20:");
}


static void
test_structure(void **state)
{
    int    i;
    char   text[4000], want[4000];

    (void) state;

    CHECK("{\"a\":1,\"a\":1}", "!twice");
    CHECK("{\"events\":[],\"events\":[]}", "!twice");
    CHECK("{\"a\":1,\"\\u0061\":1}", "!twice");
    CHECK("{\"events\":{}}", "!not an array");
    CHECK("{\"events\":null}", "!not an array");
    CHECK("{\"media\":1}", "!not a list");
    CHECK("{\"participants\":\"x\"}", "!not a list");
    CHECK("{\"media\":[1,2,3,4]}", "!more participants or media");
    CHECK("{\"media\":[1,2,3],\"events\":[1,2,3,4]}",
          "4.1:=1\n4.2:=2\n4.3:=3\n2.1:=1\n2.2:=2\n2.3:=3\n2.4:=4\n");
    CHECK("{\"participants\":{\"a\":1,\"b\":1,\"c\":1,\"d\":1}}",
          "!more participants or media");

    /* depth: the object and 127 levels, then 128 */

    for (i = 0; i < 2; i++) {
        strcpy(text, "{\"a\":");
        memset(text + 5, '[', 127 + i);
        memset(text + 5 + 127 + i, ']', 127 + i);
        strcpy(text + 5 + 2 * (127 + i), "}");
        sprintf(want, "1.0:a=%.*s\n", 2 * 127, text + 5);
        check(text, strlen(text), i ? "!128 levels" : want);
    }

    strcpy(text, "{\"a0\":1");

    for (i = 1; i < 33; i++) {
        sprintf(text + strlen(text), ",\"a%d\":1", i);
    }

    strcat(text, "}");
    check(text, strlen(text), "!32 members");

    memset(text, 'k', sizeof(text));
    memcpy(text, "{\"", 2);
    strcpy(text + 2 + 65, "\":1}");
    check(text, strlen(text), "!64 bytes");
    memset(text, 'k', sizeof(text));
    memcpy(text, "{\"", 2);
    strcpy(text + 2 + 2000, "\":1}");
    check(text, strlen(text), "!than");
}


static void
expect_big(const char *member, size_t len, int ok)
{
    size_t             n, step;
    char              *text;
    bytes_t            out = { 0 };

    text = malloc(len + 100);

    for (step = 1000; step < 1000000; step += 300000) {
        n = sprintf(text, "{\"%s\":[\"", member);
        memset(text + n, 'x', len - 2);
        n += len - 2;
        n += sprintf(text + n, "\"]}");

        split(text, n, step, 3, &out);
        assert_int_equal(out.data[0] != '!', ok);
    }

    free(text);
    bytes_free(&out);
}


static void
test_slice_limits(void **state)
{
    (void) state;

    expect_big("events", ROOMS_MANIFEST_EVENT_MAX, 1);
    expect_big("events", ROOMS_MANIFEST_EVENT_MAX + 1, 0);
    expect_big("media", ROOMS_MANIFEST_SMALL_MAX, 1);
    expect_big("media", ROOMS_MANIFEST_SMALL_MAX + 1, 0);
    expect_big("a", ROOMS_MANIFEST_SMALL_MAX - 2, 1);
    expect_big("a", ROOMS_MANIFEST_SMALL_MAX - 1, 0);
}


/*
 * Accepts exactly what jansson accepts; tries the whole text and all its
 * prefixes.
 */

static void
test_against_jansson(void **state)
{
    int           ours, theirs;
    size_t        i, j, len;
    char          text[sizeof(bundle_manifest)];
    json_t       *v;
    bytes_t       out = { 0 };

    static const u_char  bytes[] = { ' ', '"', '\\', '{', '}', '[', ']',
                                     ',', ':', '0', '1', '-', '.', 'e', 'u',
                                     0x80, 0xc3, 0xff };

    (void) state;

    len = sizeof(bundle_manifest) - 1;

    for (i = 0; i < len; i++) {
        split(bundle_manifest, i, 50, 9, &out);
        assert_int_equal(out.data[0], '!');

        for (j = 0; j < sizeof(bytes); j++) {
            memcpy(text, bundle_manifest, len);
            text[i] = (char) bytes[j];

            split(text, len, 64, 9, &out);
            ours = out.data[0] != '!';

            v = json_loadb(text, len, 0, NULL);
            theirs = v != NULL;
            json_decref(v);

            if (ours != theirs
                && strstr((char *) out.data, "not a list") == NULL
                && strstr((char *) out.data, "not an array") == NULL
                && strstr((char *) out.data, "twice") == NULL)
            {
                fail_msg("byte %zu, 0x%02x: %d, jansson %d: %s", i, bytes[j],
                         ours, theirs, (char *) out.data);
            }
        }
    }

    bytes_free(&out);
}


/* Passes all slices of a text through the checks. */

static rooms_check_e
verify(const char *text, rooms_faults_t *faults)
{
    int                      n;
    json_t                  *v;
    const u_char            *p, *end;
    rooms_check_e            rc;
    rooms_manifest_t         m;
    rooms_check_event_t      e;
    rooms_manifest_check_t   c;

    memset(faults, 0, sizeof(rooms_faults_t));
    rooms_check_init(&c, faults);
    rooms_manifest_init(&m, 1000);
    p = (const u_char *) text;
    end = p + strlen(text);

    while ((n = rooms_manifest_next(&m, &p, end)) > 0) {
        v = NULL;

        switch (n) {
        case ROOMS_MANIFEST_MEMBER:
            (void) rooms_check_member(&c, m.key, m.slice);
            break;
        case ROOMS_MANIFEST_EVENT:
            (void) rooms_check_event(&c, m.slice, &e);
            break;
        case ROOMS_MANIFEST_PARTICIPANT:
            v = rooms_check_participant(&c, m.key, m.slice);
            break;
        case ROOMS_MANIFEST_MEDIUM:
            v = rooms_check_medium(&c, m.key, m.slice);
            break;
        }

        json_decref(v);
    }

    assert_int_equal(n, ROOMS_MANIFEST_AGAIN);
    assert_int_equal(rooms_manifest_finish(&m), 0);
    rc = rooms_check_finish(&c, rooms_manifest_seen(&m, "events"));
    rooms_manifest_cleanup(&m);
    rooms_check_cleanup(&c);

    return rc;
}


#define HEAD    "\"format\":\"scaiwave.room-export\",\"version\":1,"
#define ROOM    "\"room\":{\"room_type\":\"group\"},"
#define EVENT   "\"id\":\"e\",\"sender_id\":\"s\",\"event_type\":"           \
                "\"swp.room.message\",\"content\":{},"

static void
fault(const char *text, const char *field, const char *problem)
{
    rooms_faults_t  f;

    assert_int_equal(verify(text, &f), ROOMS_CHECK_INVALID);

    if (f.total != 1 || strcmp(f.list[0].field, field) != 0
        || strstr(f.list[0].problem, problem) == NULL)
    {
        fail_msg("%s: %d faults, %s: %s", text, (int) f.total,
                 f.count ? f.list[0].field : "",
                 f.count ? f.list[0].problem : "");
    }

    rooms_faults_free(&f);
}

#define IN_HEAD(s, field, problem)                                            \
    fault("{" s "\"events\":[]}", field, problem)
#define IN_EVENT(s, field, problem)                                           \
    fault("{" HEAD ROOM "\"events\":[" s "]}", "events[0]" field, problem)


static void
test_head(void **state)
{
    size_t          i;
    char            text[400];
    rooms_faults_t  f;

    static const struct {
        const char     *room;
        rooms_check_e   want;
    } rooms[] = {
        { "\"room_type\":\"group\"", ROOMS_CHECK_OK },
        { "\"room_type\":\"public\",\"scope_kind\":null,\"federated\":false",
          ROOMS_CHECK_OK },
        { "\"room_type\":\"dm\",\"name\":null", ROOMS_CHECK_OK },
        { "\"room_type\":\"incognito\"", ROOMS_CHECK_REFUSED },
        { "\"room_type\":\"group\",\"scope_kind\":\"incognito\"",
          ROOMS_CHECK_REFUSED },
        { "\"room_type\":\"sidekick\"", ROOMS_CHECK_REFUSED },
        { "\"room_type\":\"bridge\"", ROOMS_CHECK_REFUSED },
        { "\"room_type\":\"group\",\"federated\":true", ROOMS_CHECK_REFUSED },
    };

    (void) state;

    assert_int_equal(verify(bundle_manifest, &f), ROOMS_CHECK_OK);
    assert_int_equal(f.total, 0);

    /* in any order */
    assert_int_equal(verify("{\"events\":[]," ROOM "\"version\":1,"
                            "\"format\":\"scaiwave.room-export\"}", &f),
                     ROOMS_CHECK_OK);

    for (i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        sprintf(text, "{" HEAD "\"room\":{%s},\"events\":[]}", rooms[i].room);
        assert_int_equal(verify(text, &f), rooms[i].want);
        assert_int_equal(f.total, 0);
    }

    IN_HEAD(ROOM "\"version\":1,", "format", "missing");
    IN_HEAD(ROOM "\"format\":\"scaiwave.room-export\",", "version",
            "missing");
    IN_HEAD(HEAD, "room", "missing");
    fault("{" HEAD ROOM "\"x\":1}", "events", "missing");
    IN_HEAD(ROOM "\"version\":1,\"format\":\"x\",", "format", "is not");
    IN_HEAD(ROOM "\"version\":1,\"format\":1,", "format", "is not");
    IN_HEAD(ROOM "\"version\":2,\"format\":\"scaiwave.room-export\",",
            "version", "does not know");
    IN_HEAD(ROOM "\"version\":\"1\",\"format\":\"scaiwave.room-export\",",
            "version", "does not know");
    IN_HEAD(HEAD "\"room\":[],", "room", "not an object");
    IN_HEAD(HEAD "\"room\":{},", "room.room_type", "missing");
    IN_HEAD(HEAD "\"room\":{\"room_type\":\"x\"},", "room.room_type",
            "not a type");
    IN_HEAD(HEAD "\"room\":{\"room_type\":\"dm\",\"federated\":1},",
            "room.federated", "boolean");
    IN_HEAD(HEAD "\"room\":{\"room_type\":\"dm\",\"name\":1},",
            "room.name", "string");
    IN_HEAD(HEAD "\"room\":{\"room_type\":\"dm\",\"room_type\":\"dm\"},",
            "room", "duplicate");
    IN_HEAD(HEAD ROOM "\"exported_at\":\"yesterday\",", "exported_at",
            "RFC 3339");
    IN_HEAD(HEAD ROOM "\"exported_by\":1,", "exported_by", "string");
    IN_HEAD(HEAD ROOM "\"media\":[{\"sha256\":\"x\",\"size\":1}],",
            "media[0].sha256", "SHA-256");
    IN_HEAD(HEAD ROOM "\"media\":[1],", "media[0]", "object");
    IN_HEAD(HEAD ROOM "\"participants\":{\"a\":1},", "participants.a",
            "object");
    IN_HEAD(HEAD ROOM "\"participants\":[{}],", "participants"
            "..participant_id", "missing");
}


static void
test_events(void **state)
{
    int             i;
    char            text[50000];
    rooms_faults_t  f;

    (void) state;

    IN_EVENT("1", "", "not an object");
    IN_EVENT("{\"id\":\"e\",\"id\":\"e\"}", "", "duplicate");
    IN_EVENT("{\"sender_id\":\"s\",\"event_type\":\"swp.room.message\","
             "\"content\":{},\"stream_position\":1,\"origin_ts\":1}",
             ".id", "missing");
    IN_EVENT("{\"id\":\"\",\"sender_id\":\"s\",\"event_type\":\"swp.room.x\","
             "\"content\":{},\"stream_position\":1,\"origin_ts\":1}",
             ".id", "not an id");
    IN_EVENT("{\"id\":\"a b\",\"sender_id\":\"s\",\"event_type\":"
             "\"swp.room.x\",\"content\":{},\"stream_position\":1,"
             "\"origin_ts\":1}", ".id", "not an id");
    IN_EVENT("{\"id\":\"e\",\"sender_id\":1,\"event_type\":\"swp.room.x\","
             "\"content\":{},\"stream_position\":1,\"origin_ts\":1}",
             ".sender_id", "not a string");
    IN_EVENT("{\"id\":\"e\",\"sender_id\":\"s\",\"event_type\":\"m.room.x\","
             "\"content\":{},\"stream_position\":1,\"origin_ts\":1}",
             ".event_type", "swp.room");
    IN_EVENT("{\"id\":\"e\",\"sender_id\":\"s\",\"event_type\":\"swp.room.\","
             "\"content\":{},\"stream_position\":1,\"origin_ts\":1}",
             ".event_type", "swp.room");
    IN_EVENT("{\"id\":\"e\",\"sender_id\":\"s\",\"event_type\":\"swp.room.x\","
             "\"content\":\"x\",\"stream_position\":1,\"origin_ts\":1}",
             ".content", "not an object");
    IN_EVENT("{" EVENT "\"stream_position\":-1,\"origin_ts\":1}",
             ".stream_position", "integer");
    IN_EVENT("{" EVENT "\"stream_position\":1.5,\"origin_ts\":1}",
             ".stream_position", "integer");
    IN_EVENT("{" EVENT "\"stream_position\":1}", ".created_at", "missing");
    IN_EVENT("{" EVENT "\"stream_position\":1,\"origin_ts\":\"1\"}",
             ".origin_ts", "seconds");
    IN_EVENT("{" EVENT "\"stream_position\":1,\"created_at\":\"x\"}",
             ".created_at", "RFC 3339");
    IN_EVENT("{" EVENT "\"stream_position\":1,"
             "\"created_at\":\"1660-01-01T00:00:00Z\"}",
             ".created_at", "1970");
    IN_EVENT("{" EVENT "\"stream_position\":1,\"origin_ts\":1,"
             "\"redacted_at\":1}", ".redacted_at", "RFC 3339");
    IN_EVENT("{" EVENT "\"stream_position\":1,\"origin_ts\":1,"
             "\"do_not_index\":1}", ".do_not_index", "boolean");
    fault("{" HEAD ROOM "\"events\":[{" EVENT "\"stream_position\":5,"
          "\"origin_ts\":1},{" EVENT "\"stream_position\":5,\"origin_ts\":1}"
          "]}", "events[1].stream_position", "not above");

    /* all faults of an event are counted, but at most 1000 are kept */

    assert_int_equal(verify("{" HEAD ROOM "\"events\":[{}]}", &f),
                     ROOMS_CHECK_INVALID);
    assert_int_equal(f.total, 6);
    rooms_faults_free(&f);

    strcpy(text, "{" HEAD ROOM "\"events\":[0");

    for (i = 1; i < 1500; i++) {
        strcat(text, ",0");
    }

    strcat(text, "]}");
    assert_int_equal(verify(text, &f), ROOMS_CHECK_INVALID);
    assert_int_equal(f.total, 1500);
    assert_int_equal(f.count, 1000);
    rooms_faults_free(&f);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_slice_limits),
        cmocka_unit_test(test_against_jansson),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
