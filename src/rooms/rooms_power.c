/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_internal.h"


static void rooms_empty(const rooms_input_t *in, rooms_change_t *out,
    const rooms_member_t *member);
static void rooms_succeed(const rooms_input_t *in, rooms_change_t *out,
    const rooms_member_t *member);
static int rooms_sole_admin(const rooms_input_t *in, rooms_change_t *out,
    const rooms_member_t *member);


/*
 * A joined member goes, by leave, kick or ban.  This is where a room is kept
 * from being without an admin, or open without members.  Two who go at the
 * same time must not both believe that the other stays; hence the guards,
 * and hence none for the many who are neither last nor admins.
 */

void
rooms_depart(const rooms_input_t *in, rooms_change_t *out,
    const rooms_member_t *member)
{
    if (in->room->joined <= 1) {
        rooms_empty(in, out, member);
        return;
    }

    if (rooms_sole_admin(in, out, member)) {
        rooms_succeed(in, out, member);
    }

    /* rooms made by others may have no admin who would be the last to go */

    if (in->room->admins == 0 && in->room->state != ROOMS_CLOSED) {
        out->guard |= ROOMS_F_JOINED;
    }
}


/* The last member leaves: the room is archived, and theirs to bring back. */

static void
rooms_empty(const rooms_input_t *in, rooms_change_t *out,
    const rooms_member_t *member)
{
    out->guard |= ROOMS_F_JOINED|ROOMS_F_TOP;

    if (in->room->state == ROOMS_CLOSED) {
        return;
    }

    out->room.last_member = member->participant;
    out->write |= ROOMS_F_LAST_MEMBER;

    if (in->room->state == ROOMS_OPEN) {
        out->room.state = ROOMS_ARCHIVED;
        rooms_write(out, ROOMS_F_STATE, in->now);
    }
}


/* The highest-powered, longest-joined of the others comes to power 100. */

static void
rooms_succeed(const rooms_input_t *in, rooms_change_t *out,
    const rooms_member_t *member)
{
    unsigned               i;
    const rooms_member_t  *top;

    out->guard |= ROOMS_F_TOP;

    for (i = 0; i < in->ntop; i++) {
        top = &in->top[i];

        if (rooms_str_eq(top->participant, member->participant)) {
            continue;
        }

        rooms_move(out, top, ROOMS_JOIN, ROOMS_POWER_MAX, in->now);
        out->successor = out->members[out->nmembers - 1].after;
        return;
    }
}


/*
 * Whoever takes power 100 from a member relies on others' having it, however
 * many they are; or on there being none.
 */

static int
rooms_sole_admin(const rooms_input_t *in, rooms_change_t *out,
    const rooms_member_t *member)
{
    if (member->power < ROOMS_POWER_MAX) {
        return 0;
    }

    if (in->room->admins > 1) {
        out->guard |= ROOMS_F_OTHERS;
        return 0;
    }

    out->guard |= ROOMS_F_ADMINS;

    return 1;
}


/*
 * Nobody gives more power than they have, or takes it from a peer, save a
 * tenant admin; but not even that one takes it from the last who has it all.
 */

void
rooms_power(const rooms_input_t *in, rooms_change_t *out)
{
    const rooms_member_t  *target;

    target = &in->targets[0].member;

    if (!in->tenant_admin && in->power > in->actor.power) {
        rooms_fail(out, ROOMS_E_FORBIDDEN, "power_level",
                   "The power level is above your own.");
        return;
    }

    if (target->membership != ROOMS_JOIN) {
        rooms_no_participant(out);
        return;
    }

    if (!in->tenant_admin
        && !rooms_str_eq(target->participant, in->actor.participant)
        && rooms_outranks(in, out) != ROOMS_OK)
    {
        return;
    }

    if (in->power == target->power) {
        rooms_noop(out);
        return;
    }

    if (rooms_sole_admin(in, out, target)) {
        rooms_fail(out, ROOMS_E_LAST_ADMIN, "power_level",
                   "The room would have no member at power level 100.");
        return;
    }

    rooms_move(out, target, ROOMS_JOIN, in->power, in->now);

    out->event = ROOMS_EV_POWER_LEVEL;
}


/* Power is 0 unless joined, so this holds oneself and one's peers. */

rooms_code_e
rooms_outranks(const rooms_input_t *in, rooms_change_t *out)
{
    if (in->actor.power > in->targets[0].member.power) {
        return ROOMS_OK;
    }

    return rooms_fail(out, ROOMS_E_FORBIDDEN, "participant_id",
                      "The participant has as much power as you.");
}
