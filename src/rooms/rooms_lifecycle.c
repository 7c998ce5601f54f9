/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_internal.h"


static void rooms_set_state(const rooms_input_t *in, rooms_change_t *out,
    rooms_state_e state);
static rooms_code_e rooms_create_body(rooms_create_t *in, rooms_type_e type,
    rooms_change_t *out);
static rooms_code_e rooms_create_type(const rooms_create_t *in,
    rooms_type_e type, rooms_change_t *out);
static void rooms_new_room(rooms_change_t *out, rooms_str_t id,
    rooms_type_e type, rooms_str_t creator, int64_t now);
static void rooms_seat(rooms_change_t *out, rooms_str_t participant,
    int64_t now);


void
rooms_close(const rooms_input_t *in, rooms_change_t *out)
{
    rooms_set_state(in, out, ROOMS_CLOSED);
    out->reason = in->text;
}


void
rooms_archive(const rooms_input_t *in, rooms_change_t *out)
{
    rooms_set_state(in, out, ROOMS_ARCHIVED);
}


static void
rooms_set_state(const rooms_input_t *in, rooms_change_t *out,
    rooms_state_e state)
{
    if (in->room->state == state) {
        rooms_noop(out);
        return;
    }

    out->room.state = state;
    out->event = ROOMS_EV_STATE;

    rooms_write(out, ROOMS_F_STATE, in->now);
}


/*
 * A member opens the room again.  If the room is empty, its last member or a
 * tenant admin joins again as its admin.
 */

void
rooms_rejoin(const rooms_input_t *in, rooms_change_t *out)
{
    if (in->room->state == ROOMS_ARCHIVED && in->other_gone) {
        rooms_no_participant(out);
        return;
    }

    rooms_set_state(in, out, ROOMS_OPEN);

    if (out->noop || in->actor.membership == ROOMS_JOIN) {
        return;
    }

    if (in->actor.membership != ROOMS_INVITE
        && rooms_take_seats(in, out, 1) != ROOMS_OK)
    {
        return;
    }

    rooms_move(out, &in->actor, ROOMS_JOIN, ROOMS_POWER_MAX, in->now);

    out->room.last_member = ROOMS_NULL;
    out->write |= ROOMS_F_LAST_MEMBER;
    out->guard |= ROOMS_F_JOINED|ROOMS_F_LAST_MEMBER;
}


void
rooms_decide_create(const rooms_create_t *in, rooms_change_t *out)
{
    int             type;
    rooms_create_t  input;

    rooms_undecided(out);

    input = *in;
    type = rooms_type_parse(in->type);

    if (type < 0) {
        rooms_fail(out, ROOMS_E_VALIDATION, "room_type",
                   (in->type.data == NULL) ? "is required"
                                           : "is not a type of room");
        return;
    }

    if (rooms_create_body(&input, type, out) != ROOMS_OK
        || rooms_create_type(&input, type, out) != ROOMS_OK)
    {
        return;
    }

    if (input.workspace.data
        && rooms_check_workspace(out, input.workspace_known,
                                 input.workspace_role)
           != ROOMS_OK)
    {
        return;
    }

    rooms_new_room(out, input.id, type, input.creator, input.now);

    out->room.name = input.name;
    out->room.topic = input.topic;
    out->room.workspace = input.workspace;
    out->room.is_public = (type == ROOMS_PUBLIC || input.is_public > 0);
    out->room.incognito = (type == ROOMS_INCOGNITO || input.scope.data);
    out->room.close_on_leave = (out->room.incognito
                                && input.close_on_leave != 0);

    rooms_seat(out, input.creator, input.now);
}


static rooms_code_e
rooms_create_body(rooms_create_t *in, rooms_type_e type, rooms_change_t *out)
{
    const char  *problem;

    if (in->scope.data
        && !rooms_str_eq(in->scope, rooms_cstr("incognito")))
    {
        return rooms_fail(out, ROOMS_E_VALIDATION, "scope_kind",
                          "must be null or \"incognito\"");
    }

    if (in->name.data || type == ROOMS_GROUP || type == ROOMS_PUBLIC) {
        problem = rooms_name_make(&in->name, out->text);

        if (problem) {
            return rooms_fail(out, ROOMS_E_VALIDATION, "name", problem);
        }
    }

    problem = rooms_topic_check(&in->topic);

    if (problem) {
        return rooms_fail(out, ROOMS_E_VALIDATION, "topic", problem);
    }

    return ROOMS_OK;
}


/* A room can't be both incognito and public. */

static rooms_code_e
rooms_create_type(const rooms_create_t *in, rooms_type_e type,
    rooms_change_t *out)
{
    const char  *problem;

    problem = NULL;

    switch (type) {

    case ROOMS_GROUP:
        if (in->scope.data && in->is_public > 0) {
            problem = "An incognito room can not be public.";
        }
        break;

    case ROOMS_PUBLIC:
        if (in->is_public == 0) {
            problem = "A public room can not be private.";

        } else if (in->scope.data) {
            problem = "A public room can not be incognito.";
        }
        break;

    case ROOMS_INCOGNITO:
        if (in->is_public > 0) {
            problem = "An incognito room can not be public.";
        }
        break;

    default:
        problem = "Rooms of this type can not be created here.";
    }

    if (problem) {
        return rooms_fail(out, ROOMS_E_INVARIANT, NULL, problem);
    }

    return ROOMS_OK;
}


/*
 * A pair has one DM.  If it is archived, either side's request restores it;
 * only after it was closed does the pair get a new one.  The store has a key
 * for the pair, so this also holds when both ask at the same time.
 */

void
rooms_decide_dm(rooms_str_t id, rooms_str_t caller, rooms_str_t other,
    int other_known, const rooms_room_t *existing, int64_t now,
    rooms_change_t *out)
{
    int  first;

    rooms_undecided(out);

    if (rooms_str_eq(caller, other)) {
        rooms_fail(out, ROOMS_E_INVARIANT, "participant_id",
                   "A direct message needs another participant.");
        return;
    }

    if (!other_known) {
        rooms_fail(out, ROOMS_E_PARTICIPANT, "participant_id",
                   "The participant does not exist.");
        return;
    }

    if (existing && existing->state != ROOMS_CLOSED) {
        out->room = *existing;

        if (existing->state == ROOMS_OPEN) {
            rooms_noop(out);
            return;
        }

        out->room.state = ROOMS_OPEN;
        out->guard = ROOMS_F_STATE;
        out->event = ROOMS_EV_STATE;

        rooms_write(out, ROOMS_F_STATE, now);
        return;
    }

    rooms_new_room(out, id, ROOMS_DM, caller, now);

    first = rooms_str_before(caller, other);

    out->room.peer[0] = first ? caller : other;
    out->room.peer[1] = first ? other : caller;

    rooms_seat(out, caller, now);
    rooms_seat(out, other, now);
}


/*
 * A creation writes the whole room, as its event says.  So its flags name no
 * single fields.
 */

static void
rooms_new_room(rooms_change_t *out, rooms_str_t id, rooms_type_e type,
    rooms_str_t creator, int64_t now)
{
    out->room.id = id;
    out->room.type = type;
    out->room.state = ROOMS_OPEN;
    out->room.creator = creator;
    out->room.created_at = now;
    out->event = ROOMS_EV_CREATE;

    rooms_write(out, 0, now);
}


static void
rooms_seat(rooms_change_t *out, rooms_str_t participant, int64_t now)
{
    rooms_member_t  row;

    memset(&row, 0, sizeof(rooms_member_t));
    row.participant = participant;

    rooms_move(out, &row, ROOMS_JOIN, ROOMS_POWER_MAX, now);
}
