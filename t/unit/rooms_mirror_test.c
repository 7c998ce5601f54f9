/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Applying a room's state as its home sends it. */

#include "rooms_test.h"


static rooms_mirror_row_t
told(rooms_member_t before, rooms_membership_e membership, int power,
    int ours)
{
    rooms_mirror_row_t  r;

    memset(&r, 0, sizeof(r));

    r.before = before;
    r.membership = membership;
    r.power = power;
    r.joined_at = membership == ROOMS_JOIN ? NOW : 0;
    r.ours = ours;

    return r;
}


static rooms_mirror_t
mirror_of(const rooms_room_t *room)
{
    rooms_mirror_t  in;

    memset(&in, 0, sizeof(in));

    in.room = room;
    in.remote = *room;
    in.has_room = 1;
    in.event = ROOMS_EV_MEMBER;
    in.max_participants = 100;
    in.now = NOW;

    return in;
}


static void
rows(void **state)
{
    size_t              i;
    rooms_room_t        room;
    rooms_change_t      c;
    rooms_mirror_t      in;
    rooms_mirror_row_t  r;

    static const struct {
        rooms_membership_e  before;
        rooms_membership_e  told;
        int                 ours;
        int                 changes;
    } cases[] = {
        { ROOMS_LEAVE, ROOMS_INVITE, 1, 1 },
        { ROOMS_LEAVE, ROOMS_JOIN, 1, 0 },      /* only a local participant's
                                                   own join counts */
        { ROOMS_INVITE, ROOMS_JOIN, 1, 0 },
        { ROOMS_JOIN, ROOMS_INVITE, 1, 0 },     /* accepted here meanwhile */
        { ROOMS_JOIN, ROOMS_LEAVE, 1, 1 },
        { ROOMS_JOIN, ROOMS_BAN, 1, 1 },
        { ROOMS_BAN, ROOMS_LEAVE, 1, 1 },
        { ROOMS_BAN, ROOMS_JOIN, 1, 0 },
        { ROOMS_LEAVE, ROOMS_LEAVE, 1, 0 },
        { ROOMS_LEAVE, ROOMS_JOIN, 0, 1 },
        { ROOMS_INVITE, ROOMS_JOIN, 0, 1 },
        { ROOMS_JOIN, ROOMS_INVITE, 0, 1 },
        { ROOMS_JOIN, ROOMS_LEAVE, 0, 1 },
        { ROOMS_LEAVE, ROOMS_BAN, 0, 1 },
        { ROOMS_JOIN, ROOMS_JOIN, 0, 0 },
    };

    (void) state;

    room = room_of(ROOMS_GROUP);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        in = mirror_of(&room);
        r = told(row("bob", cases[i].before, 0), cases[i].told, 0,
                 cases[i].ours);
        in.rows = &r;
        in.nrows = 1;

        rooms_mirror(&in, &c);

        assert_int_equal(c.code, ROOMS_OK);

        if (c.nmembers != (unsigned) cases[i].changes
            || c.noop == (unsigned) cases[i].changes)
        {
            fail_msg("case %d: %u changes", (int) i, c.nmembers);
        }
    }
}


static void
power(void **state)
{
    rooms_room_t        room;
    rooms_change_t      c;
    rooms_mirror_t      in;
    rooms_mirror_row_t  r;

    (void) state;

    room = room_of(ROOMS_GROUP);
    in = mirror_of(&room);
    in.event = ROOMS_EV_POWER_LEVEL;
    r = told(row("tom", ROOMS_JOIN, 0), ROOMS_JOIN, 60, 1);
    in.rows = &r;
    in.nrows = 1;

    rooms_mirror(&in, &c);

    assert_int_equal(c.event, ROOMS_EV_POWER_LEVEL);
    assert_int_equal(c.members[0].after.power, 60);
    assert_int_equal(c.members[0].after.joined_at, OLD);
    assert_int_equal(c.seats, 0);
}


static void
fields(void **state)
{
    rooms_room_t    room;
    rooms_change_t  c;
    rooms_mirror_t  in;

    (void) state;

    room = room_of(ROOMS_GROUP);
    room.federated = 1;
    in = mirror_of(&room);
    in.event = ROOMS_EV_NAME;
    in.remote.name = rooms_cstr("new");

    rooms_mirror(&in, &c);
    assert_int_equal(c.event, ROOMS_EV_NAME);
    assert_int_equal(c.write, ROOMS_F_NAME|ROOMS_F_UPDATED);

    /* the event follows from the change, not from the event it came with */

    in.event = ROOMS_EV_MEMBER;
    rooms_mirror(&in, &c);
    assert_int_equal(c.event, ROOMS_EV_NAME);

    in.remote.state = ROOMS_ARCHIVED;
    rooms_mirror(&in, &c);
    assert_int_equal(c.event, ROOMS_EV_STATE);

    /* a closed room stays closed */

    room.state = ROOMS_CLOSED;
    in.remote = room;
    in.remote.state = ROOMS_OPEN;
    rooms_mirror(&in, &c);
    assert_int_equal(c.noop, 1);

    /* without "room" its fields are ignored */

    room.state = ROOMS_OPEN;
    in.remote.name = rooms_cstr("x");
    in.has_room = 0;
    rooms_mirror(&in, &c);
    assert_int_equal(c.noop, 1);

    /* fields that never change */

    in = mirror_of(&room);
    in.remote.is_public = 1;
    in.remote.type = ROOMS_PUBLIC;
    rooms_mirror(&in, &c);
    assert_int_equal(c.noop, 1);
}


static void
capacity(void **state)
{
    unsigned            i;
    char                names[50][4];
    rooms_room_t        room;
    rooms_change_t      c;
    rooms_mirror_t      in;
    rooms_mirror_row_t  r[50];

    (void) state;

    room = room_of(ROOMS_GROUP);
    in = mirror_of(&room);

    for (i = 0; i < 50; i++) {
        snprintf(names[i], sizeof(names[i]), "m%u", i);
        r[i] = told(row(names[i], ROOMS_LEAVE, 0), ROOMS_JOIN, 0, 0);
    }

    in.rows = r;
    in.nrows = 50;
    in.max_participants = 52;

    rooms_mirror(&in, &c);
    assert_int_equal(c.code, ROOMS_OK);
    assert_int_equal(c.capacity, 1);
    assert_int_equal(c.seats, 50);

    in.max_participants = 51;
    rooms_mirror(&in, &c);
    assert_int_equal(c.code, ROOMS_E_CAPACITY);
    assert_int_equal(c.nmembers, 0);

    /* members that leave make room for new ones */

    r[49] = told(row("m49", ROOMS_JOIN, 0), ROOMS_LEAVE, 0, 0);
    rooms_mirror(&in, &c);
    assert_int_equal(c.code, ROOMS_OK);
    assert_int_equal(c.seats, 48);
    assert_int_equal(c.nmembers, 50);

    in.max_participants = 49;
    rooms_mirror(&in, &c);
    assert_int_equal(c.code, ROOMS_E_CAPACITY);

    /* a full room doesn't get fuller */

    r[48] = r[49];
    r[48].before.participant = rooms_cstr("m48");
    in.rows = r + 47;
    in.nrows = 3;
    in.max_participants = 2;
    rooms_mirror(&in, &c);
    assert_int_equal(c.code, ROOMS_OK);
    assert_int_equal(c.seats, 0);
    assert_int_equal(c.capacity, 0);
}


static void
fresh(void **state)
{
    rooms_room_t        room;
    rooms_change_t      c;
    rooms_mirror_t      in;
    rooms_mirror_row_t  r[2];

    (void) state;

    room = room_of(ROOMS_DM);
    in = mirror_of(&room);
    in.room = NULL;
    in.event = ROOMS_EV_CREATE;
    r[0] = told(row("ann", ROOMS_LEAVE, 0), ROOMS_JOIN, 100, 1);
    r[1] = told(row("bob", ROOMS_LEAVE, 0), ROOMS_JOIN, 100, 0);
    in.rows = r;
    in.nrows = 2;

    /* a DM's first event adds both participants */

    rooms_mirror(&in, &c);
    assert_int_equal(c.nmembers, 2);
    assert_int_equal(c.event, ROOMS_EV_CREATE);

    in.remote.type = ROOMS_GROUP;
    rooms_mirror(&in, &c);
    assert_int_equal(c.nmembers, 1);
    assert_true(rooms_str_eq(c.members[0].after.participant,
                             rooms_cstr("bob")));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(rows),
        cmocka_unit_test(power),
        cmocka_unit_test(fields),
        cmocka_unit_test(capacity),
        cmocka_unit_test(fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
