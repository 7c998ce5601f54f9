/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_internal.h"


static void rooms_invite_many(const rooms_input_t *in, rooms_change_t *out);
static rooms_code_e rooms_invitable(const rooms_target_t *target);
static int rooms_is_known(const rooms_target_t *target);


void
rooms_join(const rooms_input_t *in, rooms_change_t *out)
{
    if (in->actor.membership == ROOMS_JOIN) {
        rooms_noop(out);
        return;
    }

    /* an invite already holds a seat */

    if (in->actor.membership != ROOMS_INVITE
        && rooms_take_seats(in, out, 1) != ROOMS_OK)
    {
        return;
    }

    rooms_move(out, &in->actor, ROOMS_JOIN, 0, in->now);

    out->event = ROOMS_EV_MEMBER;
}


/*
 * When the creator of such an incognito room leaves, it closes and its events
 * are deleted.  There is no successor, since a closed room needs no admin,
 * and nobody can come back.
 */

void
rooms_leave(const rooms_input_t *in, rooms_change_t *out)
{
    const rooms_room_t  *room;

    room = in->room;

    out->event = ROOMS_EV_MEMBER;

    if (in->actor.membership == ROOMS_INVITE) {
        rooms_move(out, &in->actor, ROOMS_LEAVE, 0, in->now);
        return;
    }

    if (rooms_is_incognito(room) && room->close_on_leave
        && rooms_str_eq(room->creator, in->actor.participant))
    {
        out->wipe = 1;

        if (room->state != ROOMS_CLOSED) {
            out->room.state = ROOMS_CLOSED;
            out->event = ROOMS_EV_STATE;
            rooms_write(out, ROOMS_F_STATE, in->now);
        }

    } else {
        rooms_depart(in, out, &in->actor);
    }

    rooms_move(out, &in->actor, ROOMS_LEAVE, 0, in->now);
}


void
rooms_invite(const rooms_input_t *in, rooms_change_t *out)
{
    rooms_code_e           code;
    const rooms_target_t  *target;

    if (in->batch || in->ntargets > 1) {
        rooms_invite_many(in, out);
        return;
    }

    target = &in->targets[0];
    code = rooms_invitable(target);

    if (code == ROOMS_E_PARTICIPANT) {
        rooms_no_participant(out);
        return;
    }

    if (code == ROOMS_E_FORBIDDEN) {
        rooms_fail(out, code, "participant_id",
                   "The participant is banned from this room.");
        return;
    }

    if (target->member.membership != ROOMS_LEAVE) {
        rooms_noop(out);
        return;
    }

    if (rooms_take_seats(in, out, 1) != ROOMS_OK) {
        return;
    }

    rooms_move(out, &target->member, ROOMS_INVITE, 0, in->now);

    out->event = ROOMS_EV_MEMBER;
}


/* A participant may be named twice, and then takes only one seat. */

static void
rooms_invite_many(const rooms_input_t *in, rooms_change_t *out)
{
    unsigned               i, j;
    uint32_t               seats;
    const rooms_target_t  *target;

    seats = 0;

    for (i = 0; i < in->ntargets; i++) {
        target = &in->targets[i];
        out->results[i] = rooms_invitable(target);

        if (out->results[i] == ROOMS_E_PARTICIPANT) {
            continue;
        }

        if (target->member.membership != ROOMS_LEAVE) {
            rooms_guard_row(out, &target->member);
            continue;
        }

        for (j = 0; j < i; j++) {
            if (rooms_str_eq(in->targets[j].member.participant,
                             target->member.participant))
            {
                break;
            }
        }

        if (j == i) {
            rooms_move(out, &target->member, ROOMS_INVITE, 0, in->now);
            seats++;
        }
    }

    if (seats == 0) {
        rooms_noop(out);
        return;
    }

    out->event = ROOMS_EV_MEMBER;

    (void) rooms_take_seats(in, out, seats);
}


static rooms_code_e
rooms_invitable(const rooms_target_t *target)
{
    if (target->gone || !rooms_is_known(target)) {
        return ROOMS_E_PARTICIPANT;
    }

    if (target->member.membership == ROOMS_BAN) {
        return ROOMS_E_FORBIDDEN;
    }

    return ROOMS_OK;
}


/* Kicking a banned participant is refused: only unban lifts a ban. */

void
rooms_kick(const rooms_input_t *in, rooms_change_t *out)
{
    const rooms_member_t  *target;

    target = &in->targets[0].member;

    if (target->membership != ROOMS_JOIN
        && target->membership != ROOMS_INVITE)
    {
        rooms_no_participant(out);
        return;
    }

    if (rooms_outranks(in, out) != ROOMS_OK) {
        return;
    }

    if (target->membership == ROOMS_JOIN) {
        rooms_depart(in, out, target);
    }

    rooms_move(out, target, ROOMS_LEAVE, 0, in->now);

    out->reason = in->text;
    out->event = ROOMS_EV_MEMBER;
}


/*
 * Federation with the participant's server ended, so the participant leaves.
 * A DM with a side missing is closed; the two may start a new one once
 * federation is on again.
 */

void
rooms_expel(const rooms_input_t *in, rooms_change_t *out)
{
    const rooms_member_t  *target;

    target = &in->targets[0].member;

    if (target->membership != ROOMS_JOIN
        && target->membership != ROOMS_INVITE)
    {
        rooms_noop(out);
        return;
    }

    if (target->membership == ROOMS_JOIN) {
        rooms_depart(in, out, target);
    }

    rooms_move(out, target, ROOMS_LEAVE, 0, in->now);

    if (in->room->type == ROOMS_DM && in->room->state != ROOMS_CLOSED) {
        out->room.state = ROOMS_CLOSED;
        rooms_write(out, ROOMS_F_STATE, in->now);
    }

    out->reason = in->text;
    out->event = ROOMS_EV_MEMBER;
}


/*
 * A deactivated participant leaves, or declines the invite.  A DM keeps both
 * sides, and is archived instead.
 */

void
rooms_retire(const rooms_input_t *in, rooms_change_t *out)
{
    if (in->actor.membership != ROOMS_JOIN
        && in->actor.membership != ROOMS_INVITE)
    {
        rooms_noop(out);
        return;
    }

    if (in->room->type != ROOMS_DM) {
        rooms_leave(in, out);
        return;
    }

    if (in->room->state != ROOMS_OPEN) {
        rooms_noop(out);
        return;
    }

    rooms_archive(in, out);
}


/*
 * Somebody who isn't a member can be banned too.  A ban also withdraws an
 * invite.
 */

void
rooms_ban(const rooms_input_t *in, rooms_change_t *out)
{
    const rooms_member_t  *target;

    target = &in->targets[0].member;

    if (!rooms_is_known(&in->targets[0])) {
        rooms_no_participant(out);
        return;
    }

    if (rooms_outranks(in, out) != ROOMS_OK) {
        return;
    }

    if (target->membership == ROOMS_BAN) {
        rooms_noop(out);
        return;
    }

    if (target->membership == ROOMS_JOIN) {
        rooms_depart(in, out, target);
    }

    rooms_move(out, target, ROOMS_BAN, 0, in->now);

    out->reason = in->text;
    out->event = ROOMS_EV_MEMBER;
}


void
rooms_unban(const rooms_input_t *in, rooms_change_t *out)
{
    const rooms_member_t  *target;

    target = &in->targets[0].member;

    if (!rooms_is_known(&in->targets[0])) {
        rooms_no_participant(out);
        return;
    }

    if (target->membership != ROOMS_BAN) {
        rooms_noop(out);
        return;
    }

    rooms_move(out, target, ROOMS_LEAVE, 0, in->now);

    out->event = ROOMS_EV_MEMBER;
}


/*
 * Whoever has a row in the room counts as known, also a guest of another
 * server.
 */

static int
rooms_is_known(const rooms_target_t *target)
{
    return target->known || target->member.membership != ROOMS_LEAVE;
}
