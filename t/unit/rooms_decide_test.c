/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The contract, section 3, sentence by sentence: members and power. */

#include "rooms_test.h"


static rooms_room_t    room;
static rooms_target_t  targets[ROOMS_BATCH_MAX + 1];
static rooms_change_t  c;


static int
setup(void **state)
{
    (void) state;

    room = room_of(ROOMS_GROUP);
    memset(targets, 0, sizeof(targets));
    memset(&c, 0xa5, sizeof(c));

    return 0;
}


static rooms_input_t
by(rooms_op_e op, const char *who, rooms_membership_e membership, int power)
{
    return input_of(op, &room, row(who, membership, power));
}


static rooms_input_t
at(rooms_op_e op, const char *who, int power, rooms_target_t t)
{
    rooms_input_t  in;

    in = by(op, who, ROOMS_JOIN, power);
    targets[0] = t;
    in.targets = targets;
    in.ntargets = 1;

    return in;
}


static void
sees(void **state)
{
    rooms_member_t  nobody, none;

    (void) state;

    nobody = row("ann", ROOMS_LEAVE, 0);
    none = row("ann", ROOMS_LEAVE, 0);
    none.participant = ROOMS_NULL;

    assert_false(rooms_sees(&room, &nobody, 0));
    assert_false(rooms_sees(&room, &nobody, 1));

    room.joined = 0;
    assert_false(rooms_sees(&room, &none, 0));
    assert_false(rooms_sees(&room, &nobody, 1));

    room.state = ROOMS_ARCHIVED;
    assert_false(rooms_sees(&room, &nobody, 0));
    assert_true(rooms_sees(&room, &nobody, 1));

    room.last_member = rooms_cstr("ann");
    assert_true(rooms_sees(&room, &nobody, 0));

    nobody.membership = ROOMS_BAN;
    assert_false(rooms_sees(&room, &nobody, 0));
    assert_false(rooms_sees(&room, &nobody, 1));
    nobody.membership = ROOMS_LEAVE;

    room.joined = 1;
    assert_false(rooms_sees(&room, &nobody, 0));
    assert_false(rooms_sees(&room, &nobody, 1));

    room.is_public = 1;
    assert_false(rooms_sees(&room, &nobody, 0));
    room.state = ROOMS_OPEN;
    assert_true(rooms_sees(&room, &nobody, 0));
    nobody.membership = ROOMS_BAN;
    assert_true(rooms_sees(&room, &nobody, 0));
}


static void
unknown_room(void **state)
{
    int             op;
    rooms_input_t   in;
    rooms_change_t  unseen;

    (void) state;

    for (op = 0; op < ROOMS_OP_MAX; op++) {
        in = at(op, "ann", 0, target("tom", ROOMS_JOIN, 0));
        in.actor = row("ann", ROOMS_LEAVE, 0);
        rooms_decide(&in, &unseen);
        assert_refused(&unseen, ROOMS_E_NOT_FOUND, NULL);

        in.room = NULL;
        in.tenant_admin = 1;
        rooms_decide(&in, &c);
        assert_refused(&c, ROOMS_E_NOT_FOUND, NULL);

        /* exactly the same answer */
        assert_string_equal(c.message, unseen.message);
    }
}


/* A wrong body is reported before anything about the room. */

static void
body_first(void **state)
{
    rooms_input_t  in;

    (void) state;

    in = by(ROOMS_OP_NAME, "ann", ROOMS_LEAVE, 0);
    in.room = NULL;

    in.text = rooms_cstr(" ");
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "name");

    in.text = ROOMS_NULL;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "name");

    in.op = ROOMS_OP_WORKSPACE;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "workspace_id");

    in.op = ROOMS_OP_TOPIC;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_NOT_FOUND, NULL);

    in.text = rooms_cstr("\x01");
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "topic");

    in = at(ROOMS_OP_POWER, "ann", 0, target("tom", ROOMS_JOIN, 0));
    in.room = NULL;
    in.power = -1;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "power_level");
    in.power = 101;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "power_level");
    in.power = 0;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_NOT_FOUND, NULL);
    in.power = 100;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_NOT_FOUND, NULL);
}


static void
number_of_targets(void **state)
{
    unsigned       i;
    rooms_input_t  in;

    static const rooms_op_e  ops[] = {
        ROOMS_OP_KICK, ROOMS_OP_BAN, ROOMS_OP_UNBAN, ROOMS_OP_POWER
    };

    (void) state;

    for (i = 0; i < 4; i++) {
        in = at(ops[i], "olga", 100, target("tom", ROOMS_JOIN, 0));
        in.ntargets = 0;
        rooms_decide(&in, &c);
        assert_refused(&c, ROOMS_E_VALIDATION, "participant_id");
        in.ntargets = 2;
        rooms_decide(&in, &c);
        assert_refused(&c, ROOMS_E_VALIDATION, "participant_id");
    }

    in = at(ROOMS_OP_INVITE, "olga", 100, target("zoe", ROOMS_LEAVE, 0));
    in.ntargets = 0;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "participant_ids");
    in.ntargets = ROOMS_BATCH_MAX + 1;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "participant_ids");
}


static void
join_of_an_invite_takes_no_seat(void **state)
{
    rooms_input_t  in;

    (void) state;

    in = by(ROOMS_OP_JOIN, "ann", ROOMS_INVITE, 0);
    in.max_participants = 3;
    room.invited = 1;

    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_moved(&c, "ann", ROOMS_INVITE, ROOMS_JOIN, 0);
    assert_int_equal(c.nmembers, 1);
    assert_int_equal(c.members[0].after.joined_at, NOW);
    assert_int_equal(c.members[0].after.position, 0);
    assert_int_equal(c.capacity, 0);
    assert_int_equal(c.seats, 0);
    assert_int_equal(c.room.joined, 3);
    assert_int_equal(c.room.invited, 0);
    assert_int_equal(c.guard, ROOMS_F_STATE);

    /* not even in a room whose limit was lowered */
    in.max_participants = 1;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
}


static void
join_of_a_public_room_takes_one(void **state)
{
    rooms_input_t  in;

    (void) state;

    room = room_of(ROOMS_PUBLIC);
    room.invited = 4;

    in = by(ROOMS_OP_JOIN, "ann", ROOMS_LEAVE, 0);
    in.max_participants = 7;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_moved(&c, "ann", ROOMS_LEAVE, ROOMS_JOIN, 0);
    assert_int_equal(c.nmembers, 1);
    assert_int_equal(c.capacity, 1);
    assert_int_equal(c.seats, 1);
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_int_equal(c.write, 0);

    in.max_participants = 6;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_CAPACITY, NULL);

    room.joined = UINT32_MAX;
    room.invited = UINT32_MAX;
    in.max_participants = UINT32_MAX;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_CAPACITY, NULL);
}


static void
ban_outlasts_every_way_in(void **state)
{
    rooms_input_t  in;

    (void) state;

    in = at(ROOMS_OP_INVITE, "olga", 100, target("tom", ROOMS_BAN, 0));
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FORBIDDEN, "participant_id");

    /* a kick doesn't lift a ban */
    in.op = ROOMS_OP_KICK;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_PARTICIPANT, "participant_id");

    in.op = ROOMS_OP_BAN;
    rooms_decide(&in, &c);
    assert_noop(&c);

    in.op = ROOMS_OP_UNBAN;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_moved(&c, "tom", ROOMS_BAN, ROOMS_LEAVE, 0);
    assert_guarded(&c, "olga");
    assert_null(c.reason.data);

    room = room_of(ROOMS_PUBLIC);
    in = by(ROOMS_OP_JOIN, "tom", ROOMS_BAN, 0);
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FORBIDDEN, NULL);

    /* nor may a banned tenant administrator reopen a room */
    room.state = ROOMS_ARCHIVED;
    room.joined = 0;
    in = by(ROOMS_OP_REJOIN, "tom", ROOMS_BAN, 0);
    in.tenant_admin = 1;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_NOT_FOUND, NULL);
}


static void
ban_of_everyone(void **state)
{
    rooms_input_t  in;

    (void) state;

    /* without a membership before */
    in = at(ROOMS_OP_BAN, "ann", 50, target("zoe", ROOMS_LEAVE, 0));
    in.text = rooms_cstr("spam");
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_moved(&c, "zoe", ROOMS_LEAVE, ROOMS_BAN, 0);
    assert_guarded(&c, "ann");
    assert_str(c.reason, "spam");
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_int_equal(c.room.joined, 2);

    /* of an invited participant: the seat is free again */
    room.invited = 1;
    in = at(ROOMS_OP_BAN, "ann", 50, target("zoe", ROOMS_INVITE, 0));
    rooms_decide(&in, &c);
    assert_moved(&c, "zoe", ROOMS_INVITE, ROOMS_BAN, 0);
    assert_int_equal(c.room.invited, 0);

    /* of a member */
    in = at(ROOMS_OP_BAN, "ann", 50, target("tom", ROOMS_JOIN, 49));
    rooms_decide(&in, &c);
    assert_moved(&c, "tom", ROOMS_JOIN, ROOMS_BAN, 0);
    assert_int_equal(transition(&c, "tom")->after.joined_at, 0);
    assert_int_equal(transition(&c, "tom")->after.position, 0);
    assert_int_equal(c.guard, ROOMS_F_STATE);

    /* of a participant unknown to the tenant */
    in = at(ROOMS_OP_BAN, "ann", 50, target("zoe", ROOMS_LEAVE, 0));
    targets[0].known = 0;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_PARTICIPANT, "participant_id");

    /* a participant with a row counts as known */
    targets[0].member.membership = ROOMS_INVITE;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
}


static void
kick(void **state)
{
    rooms_input_t  in;

    (void) state;

    in = at(ROOMS_OP_KICK, "ann", 50, target("tom", ROOMS_JOIN, 49));
    in.text = rooms_cstr("noise");
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_moved(&c, "tom", ROOMS_JOIN, ROOMS_LEAVE, 0);
    assert_guarded(&c, "ann");
    assert_int_equal(c.nmembers, 2);
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_int_equal(c.write, 0);
    assert_str(c.reason, "noise");
    assert_null(c.successor.participant.data);

    room.invited = 1;
    in = at(ROOMS_OP_KICK, "ann", 50, target("zoe", ROOMS_INVITE, 0));
    rooms_decide(&in, &c);
    assert_moved(&c, "zoe", ROOMS_INVITE, ROOMS_LEAVE, 0);

    in = at(ROOMS_OP_KICK, "ann", 50, target("zoe", ROOMS_LEAVE, 0));
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_PARTICIPANT, "participant_id");
}


static void
peers_and_oneself(void **state)
{
    unsigned       i;
    rooms_input_t  in;

    static const rooms_op_e  ops[] = { ROOMS_OP_KICK, ROOMS_OP_BAN };

    (void) state;

    room.admins = 2;

    for (i = 0; i < 2; i++) {
        in = at(ops[i], "ann", 100, target("olga", ROOMS_JOIN, 100));
        rooms_decide(&in, &c);
        assert_refused(&c, ROOMS_E_FORBIDDEN, "participant_id");

        in = at(ops[i], "ann", 50, target("tom", ROOMS_JOIN, 50));
        rooms_decide(&in, &c);
        assert_refused(&c, ROOMS_E_FORBIDDEN, "participant_id");

        in = at(ops[i], "ann", 100, target("ann", ROOMS_JOIN, 100));
        rooms_decide(&in, &c);
        assert_refused(&c, ROOMS_E_FORBIDDEN, "participant_id");

        in = at(ops[i], "ann", 49, target("tom", ROOMS_JOIN, 0));
        rooms_decide(&in, &c);
        assert_refused(&c, ROOMS_E_FORBIDDEN, NULL);
    }
}


/*
 * Currently nobody outranks a member with power 100.  But the rule that no
 * room is left without an administrator doesn't depend on that.
 */

static void
removal_of_an_admin(void **state)
{
    unsigned       i;
    rooms_input_t  in;

    static const rooms_op_e  ops[] = { ROOMS_OP_KICK, ROOMS_OP_BAN };

    (void) state;

    room.joined = 3;

    for (i = 0; i < 2; i++) {
        in = at(ops[i], "ann", 101, target("olga", ROOMS_JOIN, 100));
        rooms_decide(&in, &c);
        assert_change(&c, ROOMS_EV_MEMBER);
        assert_str(c.successor.participant, "tom");
        assert_moved(&c, "tom", ROOMS_JOIN, ROOMS_JOIN, 100);
        assert_guarded(&c, "ann");
        assert_int_equal(c.guard,
                         ROOMS_F_STATE|ROOMS_F_ADMINS|ROOMS_F_TOP);
    }
}


/* The message says which check has failed. */

static void
messages(void **state)
{
    rooms_input_t  in;

    (void) state;

    room = room_of(ROOMS_PUBLIC);

    in = by(ROOMS_OP_JOIN, "ann", ROOMS_BAN, 0);
    rooms_decide(&in, &c);
    assert_string_equal(c.message, "You are banned from this room.");

    in = by(ROOMS_OP_BANS, "ann", ROOMS_INVITE, 0);
    rooms_decide(&in, &c);
    assert_string_equal(c.message, "You are not a member of this room.");

    in = by(ROOMS_OP_BANS, "ann", ROOMS_JOIN, 0);
    rooms_decide(&in, &c);
    assert_string_equal(c.message,
                        "Your power level in this room is too low.");
}


static void
unban_of_others(void **state)
{
    rooms_input_t  in;

    (void) state;

    in = at(ROOMS_OP_UNBAN, "ann", 50, target("zoe", ROOMS_LEAVE, 0));
    rooms_decide(&in, &c);
    assert_noop(&c);

    targets[0].known = 0;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_PARTICIPANT, "participant_id");

    in = at(ROOMS_OP_UNBAN, "ann", 50, target("olga", ROOMS_JOIN, 100));
    rooms_decide(&in, &c);
    assert_noop(&c);
}


static void
invite_of_one(void **state)
{
    rooms_input_t  in;

    (void) state;

    in = at(ROOMS_OP_INVITE, "tom", 0, target("zoe", ROOMS_LEAVE, 0));
    in.max_participants = 3;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_moved(&c, "zoe", ROOMS_LEAVE, ROOMS_INVITE, 0);
    assert_int_equal(transition(&c, "zoe")->after.joined_at, 0);
    assert_guarded(&c, "tom");
    assert_int_equal(c.nmembers, 2);
    assert_int_equal(c.capacity, 1);
    assert_int_equal(c.seats, 1);
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_int_equal(c.room.invited, 1);

    in.max_participants = 2;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_CAPACITY, NULL);

    /* the target is checked before the capacity */
    targets[0].known = 0;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_PARTICIPANT, "participant_id");

    targets[0] = target("zoe", ROOMS_INVITE, 0);
    rooms_decide(&in, &c);
    assert_noop(&c);

    targets[0] = target("olga", ROOMS_JOIN, 100);
    rooms_decide(&in, &c);
    assert_noop(&c);
}


static void
invite_of_many(void **state)
{
    rooms_input_t  in;

    (void) state;

    room.invited = 1;

    in = at(ROOMS_OP_INVITE, "tom", 0, target("zoe", ROOMS_LEAVE, 0));
    targets[1] = target("nobody", ROOMS_LEAVE, 0);
    targets[1].known = 0;
    targets[2] = target("bad", ROOMS_BAN, 0);
    targets[3] = target("olga", ROOMS_JOIN, 100);
    targets[4] = target("ian", ROOMS_INVITE, 0);
    targets[5] = target("yan", ROOMS_LEAVE, 0);
    targets[6] = target("tom", ROOMS_JOIN, 0);
    targets[7] = target("zoe", ROOMS_LEAVE, 0);
    targets[8] = target("bad", ROOMS_BAN, 0);
    targets[9] = target("nobody", ROOMS_LEAVE, 0);
    targets[9].known = 0;
    in.ntargets = 10;
    in.max_participants = 5;

    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_int_equal(c.seats, 2);
    assert_int_equal(c.capacity, 1);
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_moved(&c, "zoe", ROOMS_LEAVE, ROOMS_INVITE, 0);
    assert_moved(&c, "yan", ROOMS_LEAVE, ROOMS_INVITE, 0);
    assert_guarded(&c, "bad");
    assert_guarded(&c, "olga");
    assert_guarded(&c, "ian");
    assert_guarded(&c, "tom");
    assert_null(transition(&c, "nobody"));
    assert_int_equal(c.nmembers, 6);
    assert_int_equal(c.room.invited, 3);

    assert_int_equal(c.results[0], ROOMS_OK);
    assert_int_equal(c.results[1], ROOMS_E_PARTICIPANT);
    assert_int_equal(c.results[2], ROOMS_E_FORBIDDEN);
    assert_int_equal(c.results[3], ROOMS_OK);
    assert_int_equal(c.results[4], ROOMS_OK);
    assert_int_equal(c.results[5], ROOMS_OK);
    assert_int_equal(c.results[6], ROOMS_OK);
    assert_int_equal(c.results[7], ROOMS_OK);
    assert_int_equal(c.results[8], ROOMS_E_FORBIDDEN);
    assert_int_equal(c.results[9], ROOMS_E_PARTICIPANT);
    assert_int_equal(c.results[10], ROOMS_OK);

    /* all of them or none */
    in.max_participants = 4;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_CAPACITY, NULL);
}


static void
invite_of_many_old_ones(void **state)
{
    rooms_input_t  in;

    (void) state;

    in = at(ROOMS_OP_INVITE, "tom", 0, target("bad", ROOMS_BAN, 0));
    in.max_participants = 0;
    targets[1] = target("olga", ROOMS_JOIN, 100);
    in.ntargets = 2;

    rooms_decide(&in, &c);
    assert_noop(&c);
    assert_int_equal(c.results[0], ROOMS_E_FORBIDDEN);
    assert_int_equal(c.results[1], ROOMS_OK);

    /* a list with one entry is still a list */
    in.ntargets = 1;
    in.batch = 1;
    rooms_decide(&in, &c);
    assert_noop(&c);
    assert_int_equal(c.results[0], ROOMS_E_FORBIDDEN);
}


static void
invite_of_a_hundred(void **state)
{
    unsigned       i;
    char           names[ROOMS_BATCH_MAX][8];
    rooms_input_t  in;

    (void) state;

    in = by(ROOMS_OP_INVITE, "tom", ROOMS_JOIN, 0);
    in.targets = targets;
    in.ntargets = ROOMS_BATCH_MAX;
    in.max_participants = 102;

    for (i = 0; i < ROOMS_BATCH_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "p%u", i);
        targets[i] = target(names[i], ROOMS_LEAVE, 0);
    }

    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_int_equal(c.nmembers, ROOMS_BATCH_MAX + 1);
    assert_int_equal(c.seats, ROOMS_BATCH_MAX);

    in.max_participants = 101;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_CAPACITY, NULL);
}


static void
power_rules(void **state)
{
    rooms_input_t  in;

    (void) state;

    room.joined = 3;

    in = at(ROOMS_OP_POWER, "ann", 50, target("tom", ROOMS_JOIN, 49));
    in.power = 50;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_POWER_LEVEL);
    assert_moved(&c, "tom", ROOMS_JOIN, ROOMS_JOIN, 50);
    assert_int_equal(transition(&c, "tom")->after.joined_at, OLD);
    assert_int_equal(transition(&c, "tom")->after.position, 7);
    assert_guarded(&c, "ann");
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_int_equal(c.write, 0);

    /* never above one's own */
    in.power = 51;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FORBIDDEN, "power_level");

    /* never that of an equal */
    targets[0] = target("tom", ROOMS_JOIN, 50);
    in.power = 10;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FORBIDDEN, "participant_id");

    /* one's own, downwards */
    targets[0] = target("ann", ROOMS_JOIN, 50);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_POWER_LEVEL);
    assert_moved(&c, "ann", ROOMS_JOIN, ROOMS_JOIN, 10);
    assert_int_equal(c.nmembers, 1);

    /* but not upwards */
    in.power = 60;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FORBIDDEN, "power_level");

    /* the same value again */
    in.power = 50;
    rooms_decide(&in, &c);
    assert_noop(&c);

    /* only that of a member */
    targets[0] = target("zoe", ROOMS_INVITE, 0);
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_PARTICIPANT, "participant_id");

    /* with enough power */
    in = at(ROOMS_OP_POWER, "ann", 49, target("tom", ROOMS_JOIN, 0));
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FORBIDDEN, NULL);
}


static void
last_admin(void **state)
{
    rooms_input_t  in;

    (void) state;

    in = at(ROOMS_OP_POWER, "olga", 100, target("olga", ROOMS_JOIN, 100));
    in.power = 99;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_LAST_ADMIN, "power_level");

    in.power = 100;
    rooms_decide(&in, &c);
    assert_noop(&c);

    room.admins = 2;
    in.power = 99;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_POWER_LEVEL);
    assert_int_equal(c.guard, ROOMS_F_STATE|ROOMS_F_OTHERS);
    assert_int_equal(c.room.admins, 1);

    /* making an administrator conflicts with nothing */
    in = at(ROOMS_OP_POWER, "olga", 100, target("tom", ROOMS_JOIN, 0));
    in.power = 100;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_POWER_LEVEL);
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_int_equal(c.room.admins, 3);
}


static void
power_by_tenant_admin(void **state)
{
    rooms_input_t  in;

    (void) state;

    room.type = ROOMS_INCOGNITO;
    room.incognito = 1;
    room.admins = 2;

    in = at(ROOMS_OP_POWER, "ann", 0, target("olga", ROOMS_JOIN, 100));
    in.actor = row("ann", ROOMS_LEAVE, 0);
    in.tenant_admin = 1;
    in.power = 10;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_POWER_LEVEL);
    assert_moved(&c, "olga", ROOMS_JOIN, ROOMS_JOIN, 10);
    assert_int_equal(c.nmembers, 1);
    assert_int_equal(c.guard, ROOMS_F_STATE|ROOMS_F_OTHERS);

    room.admins = 1;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_LAST_ADMIN, "power_level");

    /* above everybody, by an actor without power, or banned */
    targets[0] = target("tom", ROOMS_JOIN, 0);
    in.power = 100;
    in.actor = row("ann", ROOMS_JOIN, 0);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_POWER_LEVEL);
    in.actor = row("ann", ROOMS_BAN, 0);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_POWER_LEVEL);

    /* one's own, too */
    in.actor = row("tom", ROOMS_JOIN, 0);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_POWER_LEVEL);
    assert_int_equal(c.nmembers, 1);

    targets[0] = target("zoe", ROOMS_LEAVE, 0);
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_PARTICIPANT, "participant_id");
}


static void
leave_of_many(void **state)
{
    rooms_input_t  in;

    (void) state;

    in = by(ROOMS_OP_LEAVE, "tom", ROOMS_JOIN, 99);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_moved(&c, "tom", ROOMS_JOIN, ROOMS_LEAVE, 0);
    assert_int_equal(transition(&c, "tom")->after.joined_at, 0);
    assert_int_equal(transition(&c, "tom")->after.position, 0);
    assert_int_equal(c.nmembers, 1);
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_int_equal(c.write, 0);
    assert_int_equal(c.room.joined, 1);

    /* one of two admins */
    room.admins = 2;
    in = by(ROOMS_OP_LEAVE, "olga", ROOMS_JOIN, 100);
    rooms_decide(&in, &c);
    assert_int_equal(c.nmembers, 1);
    assert_int_equal(c.guard, ROOMS_F_STATE|ROOMS_F_OTHERS);
    assert_null(c.successor.participant.data);
    assert_int_equal(c.room.admins, 1);
}


static void
succession(void **state)
{
    unsigned       i;
    rooms_input_t  in;

    (void) state;

    room.joined = 4;

    /* the first in the order except for the leaver, wherever that is */

    for (i = 0; i < 2; i++) {
        in = by(ROOMS_OP_LEAVE, "olga", ROOMS_JOIN, 100);
        in.top[i] = row("olga", ROOMS_JOIN, 100);
        in.top[1 - i] = row("tom", ROOMS_JOIN, 30);

        rooms_decide(&in, &c);
        assert_change(&c, ROOMS_EV_MEMBER);
        assert_moved(&c, "olga", ROOMS_JOIN, ROOMS_LEAVE, 0);
        assert_moved(&c, "tom", ROOMS_JOIN, ROOMS_JOIN, 100);
        assert_int_equal(c.nmembers, 2);
        assert_int_equal(transition(&c, "tom")->before.power, 30);
        assert_int_equal(transition(&c, "tom")->after.joined_at, OLD);
        assert_int_equal(transition(&c, "tom")->after.position, 7);
        assert_str(c.successor.participant, "tom");
        assert_int_equal(c.successor.power, 100);
        assert_int_equal(c.guard,
                         ROOMS_F_STATE|ROOMS_F_ADMINS|ROOMS_F_TOP);
        assert_int_equal(c.write, 0);
        assert_int_equal(c.room.admins, 1);
        assert_int_equal(c.room.joined, 3);
    }

    /* neither of the two is leaving: the first */
    in.top[0] = row("tom", ROOMS_JOIN, 30);
    in.top[1] = row("yan", ROOMS_JOIN, 30);
    rooms_decide(&in, &c);
    assert_str(c.successor.participant, "tom");

    /* the order was read too late: the guards will fail */
    in.ntop = 0;
    rooms_decide(&in, &c);
    assert_null(c.successor.participant.data);
    assert_int_equal(c.guard, ROOMS_F_STATE|ROOMS_F_ADMINS|ROOMS_F_TOP);

    /* also in a frozen room */
    in.ntop = 2;
    room.state = ROOMS_ARCHIVED;
    rooms_decide(&in, &c);
    assert_str(c.successor.participant, "tom");
}


/* A room without an administrator stays open when a member leaves. */

static void
room_without_admin(void **state)
{
    rooms_input_t  in;

    (void) state;

    room.type = ROOMS_SIDEKICK;
    room.admins = 0;

    in = by(ROOMS_OP_LEAVE, "tom", ROOMS_JOIN, 0);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_int_equal(c.guard, ROOMS_F_STATE|ROOMS_F_JOINED);
    assert_int_equal(c.nmembers, 1);

    room.state = ROOMS_CLOSED;
    rooms_decide(&in, &c);
    assert_int_equal(c.guard, ROOMS_F_STATE);
}


static void
last_member_leaves(void **state)
{
    rooms_input_t  in;

    (void) state;

    room.joined = 1;
    room.invited = 1;

    in = by(ROOMS_OP_LEAVE, "olga", ROOMS_JOIN, 100);
    in.ntop = 1;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_moved(&c, "olga", ROOMS_JOIN, ROOMS_LEAVE, 0);
    assert_int_equal(c.nmembers, 1);
    assert_int_equal(c.room.state, ROOMS_ARCHIVED);
    assert_str(c.room.last_member, "olga");
    assert_int_equal(c.room.updated_at, NOW);
    assert_int_equal(c.write,
                     ROOMS_F_STATE|ROOMS_F_LAST_MEMBER|ROOMS_F_UPDATED);
    assert_int_equal(c.guard, ROOMS_F_STATE|ROOMS_F_JOINED|ROOMS_F_TOP);
    assert_int_equal(c.room.joined, 0);
    assert_int_equal(c.room.admins, 0);

    /* whatever the power */
    in.actor.power = 0;
    room.admins = 0;
    rooms_decide(&in, &c);
    assert_int_equal(c.room.state, ROOMS_ARCHIVED);
    assert_int_equal(c.guard, ROOMS_F_STATE|ROOMS_F_JOINED|ROOMS_F_TOP);

    room.state = ROOMS_ARCHIVED;
    rooms_decide(&in, &c);
    assert_int_equal(c.room.state, ROOMS_ARCHIVED);
    assert_str(c.room.last_member, "olga");
    assert_int_equal(c.write, ROOMS_F_LAST_MEMBER);
    assert_int_equal(c.room.updated_at, OLD);

    room.state = ROOMS_CLOSED;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_int_equal(c.room.state, ROOMS_CLOSED);
    assert_null(c.room.last_member.data);
    assert_int_equal(c.write, 0);
}


static void
declining_archives_nothing(void **state)
{
    rooms_input_t  in;

    (void) state;

    room.joined = 1;
    room.invited = 1;

    in = by(ROOMS_OP_LEAVE, "ann", ROOMS_INVITE, 0);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_moved(&c, "ann", ROOMS_INVITE, ROOMS_LEAVE, 0);
    assert_int_equal(c.write, 0);
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_int_equal(c.room.state, ROOMS_OPEN);
    assert_int_equal(c.room.joined, 1);
    assert_int_equal(c.room.invited, 0);

    /* nor does it close if the creator was invited back */
    room.type = ROOMS_INCOGNITO;
    room.incognito = 1;
    room.close_on_leave = 1;
    room.creator = rooms_cstr("ann");
    rooms_decide(&in, &c);
    assert_int_equal(c.room.state, ROOMS_OPEN);
    assert_int_equal(c.wipe, 0);
}


static void
incognito_creator_leaves(void **state)
{
    rooms_input_t  in;

    (void) state;

    room.incognito = 1;
    room.close_on_leave = 1;

    in = by(ROOMS_OP_LEAVE, "olga", ROOMS_JOIN, 100);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_STATE);
    assert_int_equal(c.wipe, 1);
    assert_int_equal(c.room.state, ROOMS_CLOSED);
    assert_int_equal(c.write, ROOMS_F_STATE|ROOMS_F_UPDATED);
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_moved(&c, "olga", ROOMS_JOIN, ROOMS_LEAVE, 0);
    assert_int_equal(c.nmembers, 1);
    assert_null(c.successor.participant.data);
    assert_null(c.room.last_member.data);

    /* the only member: closed, not archived */
    room.joined = 1;
    rooms_decide(&in, &c);
    assert_int_equal(c.room.state, ROOMS_CLOSED);
    assert_int_equal(c.wipe, 1);

    /* already closed: the events are still wiped */
    room.state = ROOMS_CLOSED;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_int_equal(c.wipe, 1);
    assert_int_equal(c.write, 0);

    /* another participant */
    room.state = ROOMS_OPEN;
    room.joined = 2;
    in = by(ROOMS_OP_LEAVE, "tom", ROOMS_JOIN, 0);
    rooms_decide(&in, &c);
    assert_int_equal(c.wipe, 0);
    assert_int_equal(c.room.state, ROOMS_OPEN);

    /* created with close_on_leave: false */
    room.close_on_leave = 0;
    in = by(ROOMS_OP_LEAVE, "olga", ROOMS_JOIN, 100);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_int_equal(c.wipe, 0);
    assert_str(c.successor.participant, "tom");

    /* the flag has no meaning in other types */
    room = room_of(ROOMS_PUBLIC);
    room.close_on_leave = 1;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_int_equal(c.wipe, 0);
}


static void
incognito_creator_removed(void **state)
{
    rooms_input_t  in;

    (void) state;

    room.incognito = 1;
    room.close_on_leave = 1;

    in = at(ROOMS_OP_KICK, "ann", 100, target("olga", ROOMS_JOIN, 0));
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MEMBER);
    assert_int_equal(c.wipe, 0);
    assert_int_equal(c.room.state, ROOMS_OPEN);
}


/* A thousand joins or sends in one room guard nothing that they change. */

static void
nothing_in_the_way(void **state)
{
    rooms_input_t  in;

    (void) state;

    room = room_of(ROOMS_PUBLIC);

    in = by(ROOMS_OP_SEND, "tom", ROOMS_JOIN, 0);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_MESSAGE);
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_int_equal(c.write, 0);
    assert_guarded(&c, "tom");
    assert_int_equal(c.nmembers, 1);

    in = by(ROOMS_OP_SETTINGS, "tom", ROOMS_JOIN, 0);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_NONE);
    assert_int_equal(c.guard, 0);
    assert_int_equal(c.write, 0);
    assert_guarded(&c, "tom");
    assert_int_equal(c.nmembers, 1);
}


#define test(f)  cmocka_unit_test_setup(f, setup)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(sees),
        test(unknown_room),
        test(body_first),
        test(number_of_targets),
        test(join_of_an_invite_takes_no_seat),
        test(join_of_a_public_room_takes_one),
        test(ban_outlasts_every_way_in),
        test(ban_of_everyone),
        test(kick),
        test(peers_and_oneself),
        test(removal_of_an_admin),
        test(messages),
        test(unban_of_others),
        test(invite_of_one),
        test(invite_of_many),
        test(invite_of_many_old_ones),
        test(invite_of_a_hundred),
        test(power_rules),
        test(last_admin),
        test(power_by_tenant_admin),
        test(leave_of_many),
        test(succession),
        test(room_without_admin),
        test(last_member_leaves),
        test(declining_archives_nothing),
        test(incognito_creator_leaves),
        test(incognito_creator_removed),
        test(nothing_in_the_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
