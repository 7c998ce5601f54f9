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
 * A joined member goes: leaves, is kicked or banned.  This keeps a room from
 * being without an admin, or open without members.  Two who go at the same
 * time must not each rely on the other staying; hence the guards.  Members
 * who are neither last nor admin need no guard, so many can leave at once.
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

    /*
     * a room made by others may have no admin, whose guards would catch this
     */

    if (in->room->admins == 0 && in->room->state != ROOMS_CLOSED) {
        out->guard |= ROOMS_F_JOINED;
    }
}


/*
 * The last member leaves: the room is archived, and that member may reopen
 * it.
 */

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


/*
 * The next in succession gets power 100: highest power, then longest joined.
 */

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
 * Whether the member is the only admin.  Either way the answer is guarded:
 * that another admin exists, however many, or that none does.
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
 * Nobody gives more power than they have, or takes it from an equal, except a
 * tenant admin.  But not even a tenant admin takes it from the last room
 * admin.
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


/*
 * The caller must have more power than the target.  Power is 0 unless joined.
 */

rooms_code_e
rooms_outranks(const rooms_input_t *in, rooms_change_t *out)
{
    if (in->actor.power > in->targets[0].member.power) {
        return ROOMS_OK;
    }

    return rooms_fail(out, ROOMS_E_FORBIDDEN, "participant_id",
                      "The participant has as much power as you.");
}
