/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Names, topics, aliases, ids, and the enums as the contract spells them. */

#include "rooms_test.h"


#define bytes(s)  ((rooms_str_t) rooms_string(s))


static void
utf8(void **state)
{
    unsigned  i;

    static const struct {
        rooms_str_t  s;
        long         length;
    } cases[] = {
        { rooms_string(""), 0 },
        { rooms_string("abc"), 3 },
        { rooms_string("a\0b"), 3 },
        { rooms_string("\x7f"), 1 },
        { rooms_string("\xc2\x80"), 1 },
        { rooms_string("\xdf\xbf"), 1 },
        { rooms_string("\xe0\xa0\x80"), 1 },
        { rooms_string("\xed\x9f\xbf"), 1 },
        { rooms_string("\xee\x80\x80"), 1 },
        { rooms_string("\xef\xbf\xbf"), 1 },
        { rooms_string("\xf0\x90\x80\x80"), 1 },
        { rooms_string("\xf4\x8f\xbf\xbf"), 1 },
        { rooms_string("\xf0\x9f\x98\x80\xc3\xa9z"), 3 },
        /* a byte that leads nothing */
        { rooms_string("\x80"), -1 },
        { rooms_string("\xbf"), -1 },
        { rooms_string("\xf8\x88\x80\x80\x80"), -1 },
        { rooms_string("\xfe"), -1 },
        { rooms_string("\x81\x80\x80\x80"), -1 },
        { rooms_string("\xf9\x80\x80\x80"), -1 },
        { rooms_string("\xff"), -1 },
        /* overlong */
        { rooms_string("\xc0\x80"), -1 },
        { rooms_string("\xc1\xbf"), -1 },
        { rooms_string("\xe0\x9f\xbf"), -1 },
        { rooms_string("\xf0\x8f\xbf\xbf"), -1 },
        /* surrogates, and past the end of Unicode */
        { rooms_string("\xed\xa0\x80"), -1 },
        { rooms_string("\xed\xbf\xbf"), -1 },
        { rooms_string("\xf4\x90\x80\x80"), -1 },
        { rooms_string("\xf7\xbf\xbf\xbf"), -1 },
        /* cut, or broken off */
        { rooms_string("\xc3"), -1 },
        { rooms_string("\xe2\x82"), -1 },
        { rooms_string("\xf0\x9f\x98"), -1 },
        { rooms_string("\xe2\x82z"), -1 },
        { rooms_string("\xc3\xc3"), -1 },
        { rooms_string("\xe2z\x82"), -1 },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (rooms_utf8_length(cases[i].s) != cases[i].length) {
            fail_msg("case %u", i);
        }
    }

    assert_int_equal(rooms_utf8_length(ROOMS_NULL), 0);
}


static void
check_name(rooms_str_t s, const char *expected)
{
    const char  *problem;

    problem = rooms_name_check(&s);

    if (expected == NULL) {
        assert_non_null(problem);
        return;
    }

    assert_null(problem);
    assert_str(s, expected);
}


static void
names(void **state)
{
    char  text[1024];
    int   i;

    (void) state;

    check_name(bytes("a"), "a");
    check_name(bytes("  a b  "), "a b");
    check_name(bytes("\t\n\v\f\r a \r\f\v\n\t"), "a");
    check_name(bytes("\xc2\x85""a\xc2\xa0"), "a");
    check_name(bytes("\xe1\x9a\x80""a\xe1\x9a\x80"), "a");
    check_name(bytes("\xe2\x80\x80""a\xe2\x80\x8a"), "a");
    check_name(bytes("\xe2\x80\xa8""a\xe2\x80\xa9"), "a");
    check_name(bytes("\xe2\x80\xa9""a\xe2\x80\xa8"), "a");
    check_name(bytes("\xe2\x80\xaf""a\xe2\x81\x9f"), "a");
    check_name(bytes("\xe3\x80\x80""a\xef\xbb\xbf"), "a");
    check_name(bytes("a\xc2\xa0z"), "a\xc2\xa0z");
    check_name(bytes("\xe2\x80\x8b"), "\xe2\x80\x8b");
    check_name(bytes("\xe2\x80\xae""a"), "\xe2\x80\xae""a");
    check_name(bytes("\xc3\xa9t\xc3\xa9"), "\xc3\xa9t\xc3\xa9");
    check_name(bytes("~\xc2\xa1"), "~\xc2\xa1");

    check_name(ROOMS_NULL, NULL);
    check_name(bytes(""), NULL);
    check_name(bytes(" \t\xe3\x80\x80"), NULL);
    check_name(bytes("a\xff"), NULL);

    {
        rooms_str_t  s = bytes("");

        assert_string_equal(rooms_name_check(&s),
                            "The name must have 1 to 128 characters.");
    }

    check_name(bytes("a\nb"), NULL);
    check_name(bytes("a\tb"), NULL);
    check_name(bytes("a\0b"), NULL);
    check_name(bytes("a\0"), NULL);
    check_name(bytes("a\x1f""b"), NULL);
    check_name(bytes("a\x7f""b"), NULL);
    check_name(bytes("a\xc2\x80""b"), NULL);
    check_name(bytes("a\xc2\x9f""b"), NULL);
    check_name(bytes("a\xe2\x80\xa8""b"), NULL);
    check_name(bytes("a\xe2\x80\xa9""b"), NULL);

    /* 128 code points, whatever bytes they take, not counting the trimmed */

    for (i = 0; i < 129; i++) {
        memcpy(&text[i * 4], "\xf0\x9f\x98\x80", 4);
    }

    text[0] = text[1] = text[2] = text[3] = ' ';
    text[516] = ' ';
    text[517] = '\0';

    {
        rooms_str_t  s = { 517, (unsigned char *) text };

        assert_null(rooms_name_check(&s));
        assert_int_equal(s.len, 512);

        text[3] = 'a';
        s = (rooms_str_t) { 517, (unsigned char *) text };
        assert_non_null(rooms_name_check(&s));
    }
}


static void
topics(void **state)
{
    int          i;
    char         text[2050];
    rooms_str_t  s;

    (void) state;

    s = ROOMS_NULL;
    assert_null(rooms_topic_check(&s));
    assert_null(s.data);

    s = bytes("");
    assert_null(rooms_topic_check(&s));
    assert_non_null(s.data);

    s = bytes(" one\r\n\ttwo\xe2\x80\xa8 ");
    assert_null(rooms_topic_check(&s));
    assert_int_equal(s.len, 14);

    s = bytes("a\0b");
    assert_non_null(rooms_topic_check(&s));
    s = bytes("a\x0b");
    assert_non_null(rooms_topic_check(&s));
    s = bytes("a\x1b[m");
    assert_non_null(rooms_topic_check(&s));
    s = bytes("a\xc2\x85");
    assert_non_null(rooms_topic_check(&s));
    s = bytes("a\xc3");
    assert_non_null(rooms_topic_check(&s));

    for (i = 0; i < 1025; i++) {
        memcpy(&text[i * 2], "\xc3\xa9", 2);
    }

    s = (rooms_str_t) { 2048, (unsigned char *) text };
    assert_null(rooms_topic_check(&s));
    assert_int_equal(s.len, 2048);
    s.len = 2050;
    assert_non_null(rooms_topic_check(&s));
}


static void
check_slug(rooms_str_t name, unsigned n, const char *expected)
{
    rooms_str_t    slug;
    unsigned char  dst[80];

    slug.data = dst;
    slug.len = rooms_slug(name, n, dst);

    assert_str(slug, expected);
    assert_true(rooms_slug_valid(slug));
}


static void
slugs(void **state)
{
    char         name[200];
    rooms_str_t  s;

    (void) state;

    check_slug(bytes("Engineering"), 0, "engineering");
    check_slug(bytes("Engineering"), 1, "engineering");
    check_slug(bytes("Engineering"), 2, "engineering-2");
    check_slug(bytes("Engineering"), 10, "engineering-10");
    check_slug(bytes("Engineering"), 4294967295u, "engineering-4294967295");
    check_slug(bytes("  All -- things / 2024!  "), 0, "all-things-2024");
    check_slug(bytes("AZaz09@[`{/:"), 0, "azaz09");
    check_slug(bytes("Caf\xc3\xa9 Noir"), 0, "caf-noir");
    check_slug(bytes("\xe6\x97\xa5\xe6\x9c\xac"), 0, "room");
    check_slug(bytes("\xe6\x97\xa5\xe6\x9c\xac"), 3, "room-3");
    check_slug(bytes("---"), 0, "room");
    check_slug(bytes("a b"), 0, "a-b");
    check_slug(bytes("a\x11""b"), 0, "a-b");
    check_slug(bytes(""), 0, "room");
    check_slug(ROOMS_NULL, 0, "room");

    memset(name, 'x', sizeof(name));
    name[63] = '-';
    s = (rooms_str_t) { sizeof(name), (unsigned char *) name };

    /* the cut leaves no hyphen at the end */
    check_slug(s, 0, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                     "xxxxxxxxxxxxx");
    name[63] = 'y';
    check_slug(s, 7, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                     "xxxxxxxxxxxxxy-7");
}


static void
slug_valid(void **state)
{
    unsigned char  text[80];
    rooms_str_t    s = { 75, text };

    (void) state;

    assert_true(rooms_slug_valid(bytes("a")));
    assert_true(rooms_slug_valid(bytes("0-z-9")));

    assert_false(rooms_slug_valid(ROOMS_NULL));
    assert_false(rooms_slug_valid(bytes("")));
    assert_false(rooms_slug_valid(bytes("-")));
    assert_false(rooms_slug_valid(bytes("-a")));
    assert_false(rooms_slug_valid(bytes("a-")));
    assert_false(rooms_slug_valid(bytes("a--b")));
    assert_false(rooms_slug_valid(bytes("A")));
    assert_false(rooms_slug_valid(bytes("a b")));
    assert_false(rooms_slug_valid(bytes("a:b")));
    assert_false(rooms_slug_valid(bytes("a\0")));
    assert_false(rooms_slug_valid(bytes("\xc3\xa9")));

    memset(text, 'a', sizeof(text));
    assert_true(rooms_slug_valid(s));
    s.len = 76;
    assert_false(rooms_slug_valid(s));
}


static void
ids(void **state)
{
    rooms_str_t    id;
    unsigned char  dst[ROOMS_ID_MAX];

    static const unsigned char  zero[10];
    static const unsigned char  full[10] = "\xff\xff\xff\xff\xff"
                                           "\xff\xff\xff\xff\xff";
    static const unsigned char  low[10] = "\0\0\0\0\0\0\0\0\x04\x21";

    (void) state;

    id.data = dst;

    id.len = rooms_id_make("room-", 0, zero, dst);
    assert_str(id, "room-00000000000000000000000000");
    assert_true(rooms_id_valid(id, "room-"));
    assert_false(rooms_id_valid(id, "ws-"));

    id.len = rooms_id_make("ws-", 0xffffffffffffLL, full, dst);
    assert_str(id, "ws-7zzzzzzzzzzzzzzzzzzzzzzzzz");

    id.len = rooms_id_make("med-", 1, low, dst);
    assert_str(id, "med-00000000010000000000000111");

    /* the time of the ULID specification's example */
    id.len = rooms_id_make("room-", 1469918176385LL, zero, dst);
    assert_str(id, "room-01aryz6s410000000000000000");

    assert_true(rooms_id_valid(bytes("room-x"), "room-"));
    assert_true(rooms_id_valid(bytes("room-a_B-9"), "room-"));
    assert_false(rooms_id_valid(bytes("room-"), "room-"));
    assert_false(rooms_id_valid(bytes("room"), "room-"));
    assert_false(rooms_id_valid(ROOMS_NULL, "room-"));
    assert_false(rooms_id_valid(bytes("ROOM-x"), "room-"));
    assert_false(rooms_id_valid(bytes("room-a:b"), "room-"));
    assert_false(rooms_id_valid(bytes("room-a}b"), "room-"));
    assert_false(rooms_id_valid(bytes("room-a/b"), "room-"));
    assert_false(rooms_id_valid(bytes("room-a\0"), "room-"));
    assert_false(rooms_id_valid(bytes("room-\xc3\xa9"), "room-"));

    memset(dst, 'a', sizeof(dst));
    memcpy(dst, "room-", 5);
    id.len = 64;
    assert_true(rooms_id_valid(id, "room-"));
    {
        unsigned char  more[65];

        memset(more, 'a', sizeof(more));
        memcpy(more, "room-", 5);
        id = (rooms_str_t) { 65, more };
        assert_false(rooms_id_valid(id, "room-"));
    }
}


static void
ids_sort_by_time(void **state)
{
    int64_t        ms;
    size_t         len;
    unsigned char  a[ROOMS_ID_MAX], b[ROOMS_ID_MAX];

    static const unsigned char  zero[10];
    static const unsigned char  full[10] = "\xff\xff\xff\xff\xff"
                                           "\xff\xff\xff\xff\xff";

    (void) state;

    for (ms = 1; ms < 0x800000000000LL; ms = ms * 3 + 1) {
        len = rooms_id_make("room-", ms, full, a);
        assert_int_equal(len, 31);
        assert_int_equal(rooms_id_make("room-", ms + 1, zero, b), 31);
        assert_true(memcmp(a, b, 31) < 0);
    }
}


static void
event_ids(void **state)
{
    (void) state;

    assert_int_equal(rooms_event_position(
                         bytes("evt-00000000000000123456789abcdef")), 0);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002a0123456789abcdef")), 42);
    assert_int_equal(rooms_event_position(
                         bytes("evt-fffffffffffff0123456789abcdef")),
                     0xfffffffffffffLL);

    assert_int_equal(rooms_event_position(ROOMS_NULL), -1);
    assert_int_equal(rooms_event_position(bytes("evt-")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002a0123456789abcde")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002a0123456789abcdef0")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt_000000000002a0123456789abcdef")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002A0123456789abcdef")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002g0123456789abcdef")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002a0123456789abcde/")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002a0123456789abcde:")), -1);
    assert_int_equal(rooms_event_position(
                         bytes("evt-000000000002a0123456789abcde`")), -1);

    assert_true(rooms_id_valid(bytes("evt-000000000002a0123456789abcdef"),
                               "evt-"));
}


static void
participants_and_tenants(void **state)
{
    int            c;
    unsigned char  text[256];
    rooms_str_t    s = { 255, text };

    (void) state;

    memset(text, 'a', sizeof(text));

    assert_true(rooms_participant_valid(bytes("@Ann.B_9~x:host+1-2")));
    assert_true(rooms_participant_valid(bytes("auth0|64f0")));
    assert_true(rooms_participant_valid(bytes("https://id.example/u?1#2")));
    assert_true(rooms_participant_valid(s));
    s.len = 256;
    assert_false(rooms_participant_valid(s));

    for (c = 0, s.len = 3; c < 256; c++) {
        text[1] = (unsigned char) c;
        assert_int_equal(rooms_participant_valid(s), c > ' ' && c < 0x7f);
    }

    text[1] = 'a';

    assert_false(rooms_participant_valid(ROOMS_NULL));
    assert_false(rooms_participant_valid(bytes("")));
    assert_false(rooms_participant_valid(bytes("a b")));
    assert_false(rooms_participant_valid(bytes("a\0b")));
    assert_false(rooms_participant_valid(bytes("\xc3\xa9")));

    assert_true(rooms_tenant_valid(bytes("Acme-1.x_y")));
    s.len = 64;
    assert_true(rooms_tenant_valid(s));
    s.len = 65;
    assert_false(rooms_tenant_valid(s));
    assert_false(rooms_tenant_valid(bytes("a:b")));
    assert_false(rooms_tenant_valid(bytes("a}b")));
    assert_false(rooms_tenant_valid(bytes("a@b")));
    assert_false(rooms_tenant_valid(bytes("")));
    assert_false(rooms_tenant_valid(bytes("@[`{/")));
}


static void
enum_names(void **state)
{
    int  i;

    static const char *const  types[] = {
        "group", "public", "incognito", "dm", "sidekick", "bridge"
    };
    static const char *const  memberships[] = {
        "leave", "invite", "join", "ban"
    };
    static const char *const  states[] = { "open", "archived", "closed" };
    static const char *const  roles[] = { NULL, "viewer", "editor", "owner" };
    static const char *const  suffixes[] = {
        NULL, "create", "member", "name", "topic", "workspace", "state",
        "federation", "power_level", "message", "reaction", "redaction",
        "read_marker"
    };

    (void) state;

    for (i = 0; i < ROOMS_TYPE_MAX; i++) {
        assert_string_equal(rooms_type_name(i), types[i]);
        assert_int_equal(rooms_type_parse(rooms_cstr(types[i])), i);
    }

    for (i = 0; i < ROOMS_MEMBERSHIP_MAX; i++) {
        assert_string_equal(rooms_membership_name(i), memberships[i]);
        assert_int_equal(rooms_membership_parse(rooms_cstr(memberships[i])),
                         i);
    }

    for (i = 0; i < ROOMS_STATE_MAX; i++) {
        assert_string_equal(rooms_state_name(i), states[i]);
    }

    for (i = 1; i <= ROOMS_ROLE_OWNER; i++) {
        assert_string_equal(rooms_role_name(i), roles[i]);
        assert_int_equal(rooms_role_parse(rooms_cstr(roles[i])), i);
    }

    for (i = 1; i < ROOMS_EV_MAX; i++) {
        assert_memory_equal(rooms_event_name(i), "swp.room.", 9);
        assert_string_equal(rooms_event_name(i) + 9, suffixes[i]);
    }

    assert_null(rooms_type_name(ROOMS_TYPE_MAX));
    assert_null(rooms_type_name(-1));
    assert_null(rooms_state_name(ROOMS_STATE_MAX));
    assert_null(rooms_membership_name(ROOMS_MEMBERSHIP_MAX));
    assert_null(rooms_role_name(ROOMS_ROLE_NONE));
    assert_null(rooms_role_name(ROOMS_ROLE_OWNER + 1));
    assert_null(rooms_event_name(ROOMS_EV_NONE));
    assert_null(rooms_event_name(ROOMS_EV_MAX));

    assert_int_equal(rooms_type_parse(bytes("Group")), -1);
    assert_int_equal(rooms_type_parse(bytes("grou")), -1);
    assert_int_equal(rooms_type_parse(bytes("groups")), -1);
    assert_int_equal(rooms_type_parse(bytes("")), -1);
    assert_int_equal(rooms_type_parse(ROOMS_NULL), -1);
    assert_int_equal(rooms_membership_parse(bytes("kick")), -1);
    assert_int_equal(rooms_role_parse(bytes("none")), -1);
    assert_int_equal(rooms_role_parse(ROOMS_NULL), -1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(utf8),
        cmocka_unit_test(names),
        cmocka_unit_test(topics),
        cmocka_unit_test(slugs),
        cmocka_unit_test(slug_valid),
        cmocka_unit_test(ids),
        cmocka_unit_test(ids_sort_by_time),
        cmocka_unit_test(event_ids),
        cmocka_unit_test(participants_and_tenants),
        cmocka_unit_test(enum_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
