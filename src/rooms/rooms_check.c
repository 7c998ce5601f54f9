/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_internal.h"


/* What a room's type allows. */
typedef enum {
    ROOMS_MAY = 0,
    ROOMS_MAY_NOT,
    ROOMS_IF_INVITED,
    ROOMS_NO_EXPORT
} rooms_invariant_e;


static int rooms_passes(const rooms_rule_t *rule, const rooms_input_t *in);
static int rooms_power_waived(const rooms_input_t *in);
static rooms_type_e rooms_kind(const rooms_room_t *room);


/* y: allowed; n: not allowed; i: only if invited; x: no export */

#define y  ROOMS_MAY
#define n  ROOMS_MAY_NOT
#define i  ROOMS_IF_INVITED
#define x  ROOMS_NO_EXPORT

static const unsigned char  rooms_invariants[ROOMS_OP_MAX][ROOMS_TYPE_MAX] = {
                               /* group public incognito dm sidekick bridge */
    [ROOMS_OP_READ]        =    { y,    y,     y,        y, y,       y },
    [ROOMS_OP_READ_MEMBER] =    { y,    y,     y,        y, y,       y },
    [ROOMS_OP_BANS]        =    { y,    y,     y,        y, y,       y },
    [ROOMS_OP_JOIN]        =    { y,    y,     i,        n, y,       y },
    [ROOMS_OP_LEAVE]       =    { y,    y,     y,        n, y,       y },
    [ROOMS_OP_CLOSE]       =    { y,    y,     y,        y, y,       y },
    [ROOMS_OP_ARCHIVE]     =    { y,    y,     y,        y, y,       y },
    [ROOMS_OP_REJOIN]      =    { y,    y,     y,        y, y,       y },
    [ROOMS_OP_INVITE]      =    { y,    y,     y,        n, y,       y },
    [ROOMS_OP_KICK]        =    { y,    y,     y,        n, y,       y },
    [ROOMS_OP_BAN]         =    { y,    y,     y,        n, y,       y },
    [ROOMS_OP_UNBAN]       =    { y,    y,     y,        n, y,       y },
    [ROOMS_OP_POWER]       =    { y,    y,     y,        n, y,       y },
    [ROOMS_OP_NAME]        =    { y,    y,     y,        n, y,       y },
    [ROOMS_OP_TOPIC]       =    { y,    y,     y,        y, y,       y },
    [ROOMS_OP_WORKSPACE]   =    { y,    y,     y,        n, y,       y },
    [ROOMS_OP_SETTINGS]    =    { y,    y,     y,        y, y,       y },
    [ROOMS_OP_SEND]        =    { y,    y,     y,        y, y,       y },
    [ROOMS_OP_EXPORT]      =    { y,    y,     x,        y, x,       x },
    [ROOMS_OP_FEDERATE]    =    { y,    y,     n,        n, n,       n },
    [ROOMS_OP_BACKFILL]    =    { y,    y,     n,        n, n,       n },
    [ROOMS_OP_FEDINVITE]   =    { y,    y,     n,        n, n,       n },
    [ROOMS_OP_INVITATION]  =    { y,    y,     n,        n, n,       n },
    [ROOMS_OP_EXPEL]       =    { y,    y,     y,        y, y,       y },
    [ROOMS_OP_RETIRE]      =    { y,    y,     y,        y, y,       y },
    [ROOMS_OP_ERASE]       =    { y,    y,     y,        y, y,       y },
};

#undef y
#undef n
#undef i
#undef x


rooms_code_e
rooms_check_seen(const rooms_rule_t *rule, const rooms_input_t *in,
    rooms_change_t *out)
{
    if (in->room
        && (rooms_sees(in->room, &in->actor, in->tenant_admin)
            || (rule->who == ROOMS_WHO_ADMIN && in->tenant_admin)))
    {
        return ROOMS_OK;
    }

    return rooms_fail(out, ROOMS_E_NOT_FOUND, NULL,
                      "The room does not exist.");
}


/* The last member of an emptied room may come back to it. */
static int
rooms_is_heir(const rooms_room_t *room, const rooms_member_t *actor)
{
    return room->joined == 0
           && room->last_member.data
           && rooms_str_eq(room->last_member, actor->participant);
}


int
rooms_sees(const rooms_room_t *room, const rooms_member_t *actor,
    int tenant_admin)
{
    if (actor->membership == ROOMS_JOIN
        || actor->membership == ROOMS_INVITE)
    {
        return 1;
    }

    if (room->is_public && room->state == ROOMS_OPEN) {
        return 1;
    }

    if (actor->membership == ROOMS_BAN) {
        return 0;
    }

    return rooms_is_heir(room, actor)
           || (tenant_admin
               && room->joined == 0 && room->state == ROOMS_ARCHIVED);
}


rooms_code_e
rooms_check_joined(const rooms_rule_t *rule, const rooms_input_t *in,
    rooms_change_t *out)
{
    if (rooms_passes(rule, in)) {
        return ROOMS_OK;
    }

    if (in->actor.membership == ROOMS_BAN) {
        return rooms_fail(out, ROOMS_E_FORBIDDEN, NULL,
                          "You are banned from this room.");
    }

    return rooms_fail(out, ROOMS_E_FORBIDDEN, NULL,
                      "You are not a member of this room.");
}


static int
rooms_passes(const rooms_rule_t *rule, const rooms_input_t *in)
{
    rooms_membership_e  membership;

    membership = in->actor.membership;

    if (rule->who == ROOMS_WHO_SEES || membership == ROOMS_JOIN) {
        return 1;
    }

    switch (rule->who) {

    case ROOMS_WHO_MEMBER:
        return membership == ROOMS_INVITE;

    case ROOMS_WHO_GUEST:

        if (membership == ROOMS_BAN) {
            return 0;
        }

        /*
         * the check of the type refuses an incognito room with a clearer
         * error
         */

        return membership == ROOMS_INVITE || in->room->is_public
               || rooms_is_incognito(in->room);

    case ROOMS_WHO_HEIR:
        return rooms_is_heir(in->room, &in->actor)
               || (in->tenant_admin && in->room->joined == 0);

    case ROOMS_WHO_ADMIN:
        return in->tenant_admin;

    default:
        return 0;
    }
}


rooms_code_e
rooms_check_type(const rooms_input_t *in, rooms_change_t *out)
{
    rooms_invariant_e  invariant;

    invariant = rooms_invariants[in->op][rooms_kind(in->room)];

    if (in->op == ROOMS_OP_EXPORT && in->room->federated) {
        invariant = ROOMS_NO_EXPORT;
    }

    if ((in->op == ROOMS_OP_FEDINVITE || in->op == ROOMS_OP_INVITATION
         || in->op == ROOMS_OP_BACKFILL)
        && invariant == ROOMS_MAY && !in->room->federated)
    {
        return rooms_fail(out, ROOMS_E_INVARIANT, NULL,
                          "The room is not federated.");
    }

    switch (invariant) {

    case ROOMS_MAY_NOT:
        return rooms_fail(out, ROOMS_E_INVARIANT, NULL,
                          "A room of this type does not allow that.");

    case ROOMS_IF_INVITED:
        if (in->actor.membership == ROOMS_LEAVE) {
            return rooms_fail(out, ROOMS_E_INVARIANT, NULL,
                              "Rooms of this type can only be joined by "
                              "invite.");
        }

        return ROOMS_OK;

    case ROOMS_NO_EXPORT:
        return rooms_fail(out, ROOMS_E_EXPORT_REFUSED, NULL,
                          "Rooms of this type can not be exported.");

    default:
        return ROOMS_OK;
    }
}


/* A group with the incognito scope obeys the rules of the incognito type. */

static rooms_type_e
rooms_kind(const rooms_room_t *room)
{
    if (room->type == ROOMS_GROUP && room->incognito) {
        return ROOMS_INCOGNITO;
    }

    return room->type;
}


int
rooms_is_incognito(const rooms_room_t *room)
{
    return rooms_kind(room) == ROOMS_INCOGNITO;
}


rooms_code_e
rooms_check_frozen(const rooms_rule_t *rule, const rooms_input_t *in,
    rooms_change_t *out)
{
    if (rule->states & (1 << in->room->state)) {
        return ROOMS_OK;
    }

    return rooms_fail(out, ROOMS_E_FROZEN, NULL,
                      (in->room->state == ROOMS_CLOSED)
                      ? "The room is closed." : "The room is archived.");
}


rooms_code_e
rooms_check_power(const rooms_rule_t *rule, const rooms_input_t *in,
    rooms_change_t *out)
{
    if (in->actor.power >= rule->power || rooms_power_waived(in)) {
        return ROOMS_OK;
    }

    return rooms_fail(out, ROOMS_E_FORBIDDEN, NULL,
                      "Your power level in this room is too low.");
}


static int
rooms_power_waived(const rooms_input_t *in)
{
    switch (in->op) {

    case ROOMS_OP_CLOSE:
        return rooms_str_eq(in->room->creator, in->actor.participant);

    case ROOMS_OP_ARCHIVE:
        return in->room->type == ROOMS_DM;

    case ROOMS_OP_REJOIN:
        return in->room->type == ROOMS_DM
               || in->actor.membership != ROOMS_JOIN;

    case ROOMS_OP_POWER:
    case ROOMS_OP_FEDERATE:
    case ROOMS_OP_BACKFILL:
    case ROOMS_OP_EXPEL:
    case ROOMS_OP_RETIRE:
    case ROOMS_OP_ERASE:
        return in->tenant_admin;

    default:
        return 0;
    }
}
