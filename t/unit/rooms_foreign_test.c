/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Participants of other servers, the list of a room's servers, and expulsion.
 */

#include "rooms_test.h"


#define bytes(s)  ((rooms_str_t) rooms_string(s))


static void
foreign(void **state)
{
    unsigned     i;
    rooms_str_t  server;

    static const struct {
        rooms_str_t  id;
        const char  *server;          /* NULL: not foreign */
    } cases[] = {
        { rooms_string("@bob:b.example"), "b.example" },
        { rooms_string("@bob:b.example:8448"), "b.example:8448" },
        { rooms_string("@bob:[::1]:8448"), "[::1]:8448" },
        { rooms_string("@b:c"), "c" },
        { rooms_string("@ann:a.example"), NULL },
        { rooms_string("bob"), NULL },
        { rooms_string("bob:b.example"), NULL },
        { rooms_string("@bob"), NULL },
        { rooms_string("@bob:"), NULL },
        { rooms_string("@b:"), NULL },
        { rooms_string("@"), NULL },
        { rooms_string(""), NULL },
        { rooms_string("@\0\0:b\0"), "b" },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        server = ROOMS_NULL;

        assert_int_equal(rooms_foreign(cases[i].id, bytes("a.example"),
                                       &server), cases[i].server != NULL);

        if (cases[i].server) {
            assert_memory_equal(server.data, cases[i].server,
                                strlen(cases[i].server));
        }
    }

    assert_int_equal(rooms_foreign(ROOMS_NULL, bytes("a.example"), &server),
                     0);
}


static void
walk(void **state)
{
    uint32_t     n;
    rooms_str_t  peers, server;

    (void) state;

    peers = bytes("b.example=2 [::1]:80=4294967295 c=0");

    assert_true(rooms_peers_next(&peers, &server, &n));
    assert_true(rooms_str_eq(server, bytes("b.example")));
    assert_int_equal(n, 2);
    assert_true(rooms_peers_next(&peers, &server, &n));
    assert_true(rooms_str_eq(server, bytes("[::1]:80")));
    assert_int_equal(n, UINT32_MAX);
    assert_true(rooms_peers_next(&peers, &server, &n));
    assert_int_equal(n, 0);
    assert_false(rooms_peers_next(&peers, &server, &n));
    assert_false(rooms_peers_next(&peers, &server, &n));

    assert_int_equal(rooms_peers_total(bytes("a=3 b=4 c=4294967295")),
                     INT64_C(4294967302));
    assert_int_equal(rooms_peers_total(ROOMS_NULL), 0);

    assert_int_equal(rooms_peers_count(bytes("a=3 b=4"), bytes("b")), 4);
    assert_int_equal(rooms_peers_count(bytes("a=3 b=4"), bytes("c")), 0);
    assert_true(rooms_peers_has(bytes("a=3 b=4"), bytes("b")));
    assert_false(rooms_peers_has(bytes("ab=3 b=4"), bytes("a")));
    assert_false(rooms_peers_has(bytes("ab=3"), bytes("b")));
    assert_false(rooms_peers_has(bytes("a=3"), bytes("")));
    assert_false(rooms_peers_has(bytes("a=3"), bytes("a=3")));
    assert_false(rooms_peers_has(ROOMS_NULL, bytes("a")));
}


/*
 * With exactly the memory that the header asks for, so that ASan detects
 * overruns.
 */

static void
check_move(rooms_str_t peers, rooms_str_t server, int delta,
    const char *expected)
{
    size_t          len;
    unsigned char  *dst, *in;

    in = malloc(peers.len + 1);
    dst = malloc(peers.len + server.len + 17);
    assert_non_null(in);
    assert_non_null(dst);

    memcpy(in, peers.data, peers.len);

    len = rooms_peers_move((rooms_str_t) { peers.len, in }, server, delta,
                           dst);

    assert_true(len <= peers.len + server.len + 16);

    if (expected) {
        assert_int_equal(len, strlen(expected));
        assert_memory_equal(dst, expected, len);
    }

    free(in);
    free(dst);
}


static void
move(void **state)
{
    (void) state;

    check_move(bytes(""), bytes("b"), 1, "b=1");
    check_move(bytes(""), bytes("b"), -1, "");
    check_move(bytes("b=1"), bytes("b"), -1, "");
    check_move(bytes("b=1"), bytes("b"), -2, "");
    check_move(bytes("a=1 b=9 c=2"), bytes("b"), 1, "a=1 b=10 c=2");
    check_move(bytes("a=1 b=1 c=2"), bytes("b"), -1, "a=1 c=2");
    check_move(bytes("a=1 b=1"), bytes("a"), -1, "b=1");
    check_move(bytes("a=1"), bytes("b"), 1, "a=1 b=1");
    check_move(bytes("a=4294967295"), bytes("a"), 1, "a=4294967296");
    check_move(bytes("a=1"), bytes("a"), 0, "a=1");

    /* a damaged list */
    check_move(bytes("a=9 a=9 b=9 a=9 a=9 a=9 a=9 a=9 a=9 a=9 a=9 a=9 a=9 a=9 "
                     "a=9 a=9 a=9 a=9 a=9 a=9 a=9"), bytes("a"), 1, NULL);
    check_move(bytes("a=9 b=1 a=9 a"), bytes("a"), 1, "a=10 b=1 a=9");
    check_move(bytes("a=1 a=1"), bytes("a"), -1, "a=1");
}


/* Values that others may have written to the store. */

static void
hostile(void **state)
{
    unsigned       i, k;
    uint32_t       n;
    uint64_t       seed;
    rooms_str_t    peers, server;
    unsigned char  junk[24], *exact;

    static const rooms_str_t  cases[] = {
        rooms_string("="), rooms_string(" "), rooms_string("=1"),
        rooms_string("a"), rooms_string("a="), rooms_string("a=x"),
        rooms_string("a=-1"), rooms_string("a=1x b=1"),
        rooms_string("a=4294967296"), rooms_string("a= b=1"),
        rooms_string("a=99999999999999999999999999 b=1"),
        rooms_string("a=1  b=1"), rooms_string("a=1 "),
        rooms_string("\0=1"), rooms_string("a\0b=1 c=2"),
        rooms_string("a=1\0"),
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        peers = cases[i];

        for (k = 0; rooms_peers_next(&peers, &server, &n); k++) {
            assert_true(k <= cases[i].len);
            assert_true(server.len > 0);
        }

        check_move(cases[i], bytes("a"), 1, NULL);
        check_move(cases[i], bytes("z"), 1, NULL);
        check_move(cases[i], bytes("a"), -1, NULL);
    }

    assert_int_equal(rooms_peers_total(bytes("a=4294967296 b=1")), 0);
    assert_false(rooms_peers_has(bytes("a=x b=1"), bytes("a")));

    seed = 88172645463325252ULL;

    for (i = 0; i < 100000; i++) {

        for (k = 0; k < sizeof(junk); k++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            junk[k] = "ab= 1290\0x"[(seed >> 20) % 10];
        }

        k = (seed >> 40) % (sizeof(junk) + 1);
        exact = malloc(k + 1);
        assert_non_null(exact);
        memcpy(exact, junk, k);

        check_move((rooms_str_t) { k, exact }, bytes("a"), 1, NULL);
        (void) rooms_peers_total((rooms_str_t) { k, exact });
        (void) rooms_foreign((rooms_str_t) { k, exact }, bytes("a"),
                             &server);
        free(exact);
    }
}


static rooms_input_t
expelling(const rooms_room_t *room, const rooms_target_t *target)
{
    rooms_input_t  in;

    in = input_of(ROOMS_OP_EXPEL, room, row("root", ROOMS_LEAVE, 0));
    in.tenant_admin = 1;
    in.targets = target;
    in.ntargets = 1;

    return in;
}


static void
expel(void **state)
{
    int             type, s;
    rooms_room_t    room;
    rooms_input_t   in;
    rooms_target_t  t;
    rooms_change_t  c;

    (void) state;

    for (type = 0; type < ROOMS_TYPE_MAX; type++) {
        for (s = 0; s < ROOMS_STATE_MAX; s++) {
            room = room_of(type);
            room.state = s;
            room.joined = 3;

            t = target("@bob:b", ROOMS_JOIN, 0);
            in = expelling(&room, &t);
            rooms_decide(&in, &c);

            assert_int_equal(c.code, ROOMS_OK);
            assert_int_equal(c.event, ROOMS_EV_MEMBER);
            assert_int_equal(c.nmembers, 1);
            assert_int_equal(c.members[0].after.membership, ROOMS_LEAVE);
            assert_true(rooms_str_eq(c.reason, bytes("new")));
            assert_int_equal(c.room.state,
                             type == ROOMS_DM ? ROOMS_CLOSED : s);
            assert_int_equal(c.write & ROOMS_F_STATE,
                             c.room.state == room.state ? 0 : ROOMS_F_STATE);
        }
    }

    /* an invite is withdrawn; a ban stays; a former member is unchanged */

    room = room_of(ROOMS_GROUP);
    t = target("@bob:b", ROOMS_INVITE, 0);
    in = expelling(&room, &t);
    rooms_decide(&in, &c);
    assert_int_equal(c.event, ROOMS_EV_MEMBER);
    assert_int_equal(c.members[0].before.membership, ROOMS_INVITE);
    assert_int_equal(c.members[0].after.membership, ROOMS_LEAVE);

    t = target("@bob:b", ROOMS_BAN, 0);
    rooms_decide(&in, &c);
    assert_int_equal(c.noop, 1);
    t = target("@bob:b", ROOMS_LEAVE, 0);
    rooms_decide(&in, &c);
    assert_int_equal(c.noop, 1);

    /* only for administrators */

    t = target("@bob:b", ROOMS_JOIN, 0);
    in.tenant_admin = 0;
    in.actor = row("olga", ROOMS_JOIN, 100);
    rooms_decide(&in, &c);
    assert_int_equal(c.code, ROOMS_E_FORBIDDEN);
}


/* The last administrator, or the last member, was of the other server. */

static void
expel_heirs(void **state)
{
    rooms_room_t    room;
    rooms_input_t   in;
    rooms_target_t  t;
    rooms_change_t  c;

    (void) state;

    room = room_of(ROOMS_GROUP);
    t = target("@bob:b", ROOMS_JOIN, 100);
    in = expelling(&room, &t);
    in.top[0] = t.member;
    in.top[1] = row("tom", ROOMS_JOIN, 0);
    rooms_decide(&in, &c);

    assert_int_equal(c.code, ROOMS_OK);
    assert_int_equal(c.guard, ROOMS_F_STATE|ROOMS_F_ADMINS|ROOMS_F_TOP);
    assert_true(rooms_str_eq(c.successor.participant, bytes("tom")));
    assert_int_equal(transition(&c, "tom")->after.power, 100);

    room.joined = 1;
    in.ntop = 1;
    rooms_decide(&in, &c);

    assert_int_equal(c.code, ROOMS_OK);
    assert_int_equal(c.room.state, ROOMS_ARCHIVED);
    assert_true(rooms_str_eq(c.room.last_member, bytes("@bob:b")));

    /* two concurrent expulsions: the second sees the result of the first */

    room.joined = 3;
    room.admins = 2;
    in.top[1] = row("@eve:b", ROOMS_JOIN, 100);
    in.ntop = 2;
    rooms_decide(&in, &c);
    assert_int_equal(c.guard, ROOMS_F_STATE|ROOMS_F_OTHERS);
    assert_null(c.successor.participant.data);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(foreign),
        cmocka_unit_test(walk),
        cmocka_unit_test(move),
        cmocka_unit_test(hostile),
        cmocka_unit_test(expel),
        cmocka_unit_test(expel_heirs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
