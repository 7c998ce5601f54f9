/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_internal.h"


static void rooms_drop(rooms_change_t *out);
static void rooms_count(rooms_room_t *room, const rooms_member_t *row,
    int delta);
static int rooms_has_row(const rooms_change_t *out, rooms_str_t participant);


/*
 * Clears a change, except for its rows from the second on.  Few changes have
 * many rows, and each row is written before it is counted.  The first row is
 * read even where a change has none.
 */

void
rooms_undecided(rooms_change_t *out)
{
    memset(out, 0, offsetof(rooms_change_t, members[1]));
}


rooms_code_e
rooms_fail(rooms_change_t *out, rooms_code_e code, const char *field,
    const char *message)
{
    rooms_drop(out);

    out->code = code;
    out->field = field;
    out->message = message;

    return code;
}


void
rooms_noop(rooms_change_t *out)
{
    rooms_drop(out);

    out->noop = 1;
}


/* An error and a no-op write nothing. */

static void
rooms_drop(rooms_change_t *out)
{
    out->nmembers = 0;
    out->guard = 0;
    out->write = 0;
    out->event = ROOMS_EV_NONE;
}


void
rooms_write(rooms_change_t *out, unsigned fields, int64_t now)
{
    out->write |= fields | ROOMS_F_UPDATED;
    out->room.updated_at = now;
}


/* Guards a row that the decision read and doesn't change. */

void
rooms_guard_row(rooms_change_t *out, const rooms_member_t *row)
{
    rooms_transition_t  *t;

    if (rooms_has_row(out, row->participant)) {
        return;
    }

    t = &out->members[out->nmembers++];

    t->before = *row;
    t->after = *row;
}


/*
 * The only function that changes a row.  It also updates the counters in
 * out->room, for the answer; the store moves its own counters by the
 * transition.
 */

void
rooms_move(rooms_change_t *out, const rooms_member_t *row,
    rooms_membership_e membership, int power, int64_t now)
{
    rooms_transition_t  *t;

    t = &out->members[out->nmembers++];

    t->before = *row;
    t->after = *row;
    t->after.membership = membership;
    t->after.power = power;

    if (membership != ROOMS_JOIN || row->membership != ROOMS_JOIN) {
        t->after.joined_at = (membership == ROOMS_JOIN) ? now : 0;
        t->after.position = 0;
    }

    rooms_count(&out->room, &t->before, -1);
    rooms_count(&out->room, &t->after, 1);
}


static void
rooms_count(rooms_room_t *room, const rooms_member_t *row, int delta)
{
    if (row->membership == ROOMS_INVITE) {
        room->invited += delta;
    }

    if (row->membership == ROOMS_JOIN) {
        room->joined += delta;

        if (row->power == ROOMS_POWER_MAX) {
            room->admins += delta;
        }
    }
}


static int
rooms_has_row(const rooms_change_t *out, rooms_str_t participant)
{
    unsigned  i;

    for (i = 0; i < out->nmembers; i++) {
        if (rooms_str_eq(out->members[i].before.participant, participant)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Checks joined + invited <= max_participants.  This check only answers
 * early: the store guards the same bound, which holds when many join at once.
 */

rooms_code_e
rooms_take_seats(const rooms_input_t *in, rooms_change_t *out, uint32_t seats)
{
    uint64_t  taken;

    taken = (uint64_t) in->room->joined + in->room->invited;

    if (taken + seats > in->max_participants) {
        return rooms_fail(out, ROOMS_E_CAPACITY, NULL, "The room is full.");
    }

    out->capacity = 1;
    out->seats = seats;

    return ROOMS_OK;
}


/*
 * Only an editor of a workspace may create a room in it, or move one there.
 * To others it doesn't exist.
 */

rooms_code_e
rooms_check_workspace(rooms_change_t *out, unsigned known, rooms_role_e role)
{
    if (!known || role == ROOMS_ROLE_NONE) {
        return rooms_fail(out, ROOMS_E_WORKSPACE, "workspace_id",
                          "The workspace does not exist.");
    }

    if (role < ROOMS_ROLE_EDITOR) {
        return rooms_fail(out, ROOMS_E_WORKSPACE_FORBIDDEN, "workspace_id",
                          "You are not an editor of the workspace.");
    }

    return ROOMS_OK;
}


rooms_code_e
rooms_no_participant(rooms_change_t *out)
{
    return rooms_fail(out, ROOMS_E_PARTICIPANT, "participant_id",
                      "The participant does not exist.");
}
