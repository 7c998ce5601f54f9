/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_internal.h"


static rooms_code_e rooms_check_body(rooms_input_t *in, rooms_change_t *out);
static rooms_code_e rooms_check_targets(const rooms_input_t *in,
    rooms_change_t *out);


static const rooms_rule_t  rooms_rules[ROOMS_OP_MAX] = {

    [ROOMS_OP_READ] =
        { ROOMS_WHO_SEES, ROOMS_ALWAYS, 0, NULL },

    [ROOMS_OP_READ_MEMBER] =
        { ROOMS_WHO_JOINED, ROOMS_ALWAYS, 0, NULL },

    [ROOMS_OP_BANS] =
        { ROOMS_WHO_JOINED, ROOMS_ALWAYS, ROOMS_POWER_MODERATE, NULL },

    [ROOMS_OP_JOIN] =
        { ROOMS_WHO_GUEST, ROOMS_IN_OPEN, 0, rooms_join },

    [ROOMS_OP_LEAVE] =
        { ROOMS_WHO_MEMBER, ROOMS_ALWAYS, 0, rooms_leave },

    [ROOMS_OP_CLOSE] =
        { ROOMS_WHO_JOINED, ROOMS_ALWAYS, ROOMS_POWER_MAX, rooms_close },

    [ROOMS_OP_ARCHIVE] =
        { ROOMS_WHO_JOINED, ROOMS_UNCLOSED, ROOMS_POWER_MODERATE,
          rooms_archive },

    [ROOMS_OP_REJOIN] =
        { ROOMS_WHO_HEIR, ROOMS_UNCLOSED, ROOMS_POWER_MODERATE,
          rooms_rejoin },

    [ROOMS_OP_INVITE] =
        { ROOMS_WHO_JOINED, ROOMS_IN_OPEN, 0, rooms_invite },

    [ROOMS_OP_KICK] =
        { ROOMS_WHO_JOINED, ROOMS_IN_OPEN, ROOMS_POWER_MODERATE, rooms_kick },

    [ROOMS_OP_BAN] =
        { ROOMS_WHO_JOINED, ROOMS_IN_OPEN, ROOMS_POWER_MODERATE, rooms_ban },

    [ROOMS_OP_UNBAN] =
        { ROOMS_WHO_JOINED, ROOMS_IN_OPEN, ROOMS_POWER_MODERATE,
          rooms_unban },

    [ROOMS_OP_POWER] =
        { ROOMS_WHO_ADMIN, ROOMS_IN_OPEN, ROOMS_POWER_MODERATE, rooms_power },

    [ROOMS_OP_NAME] =
        { ROOMS_WHO_JOINED, ROOMS_IN_OPEN, ROOMS_POWER_MODERATE, rooms_name },

    [ROOMS_OP_TOPIC] =
        { ROOMS_WHO_JOINED, ROOMS_IN_OPEN, ROOMS_POWER_MODERATE,
          rooms_topic },

    [ROOMS_OP_WORKSPACE] =
        { ROOMS_WHO_JOINED, ROOMS_IN_OPEN, ROOMS_POWER_MODERATE,
          rooms_workspace },

    [ROOMS_OP_SETTINGS] =
        { ROOMS_WHO_JOINED, ROOMS_ALWAYS, 0, rooms_settings },

    [ROOMS_OP_SEND] =
        { ROOMS_WHO_JOINED, ROOMS_IN_OPEN, 0, rooms_send },

    [ROOMS_OP_EXPORT] =
        { ROOMS_WHO_JOINED, ROOMS_ALWAYS, 0, NULL },

    [ROOMS_OP_FEDERATE] =
        { ROOMS_WHO_ADMIN, ROOMS_IN_OPEN, ROOMS_POWER_NOBODY,
          rooms_federate },

    [ROOMS_OP_BACKFILL] =
        { ROOMS_WHO_ADMIN, ROOMS_IN_OPEN, ROOMS_POWER_NOBODY, NULL },

    [ROOMS_OP_FEDINVITE] =
        { ROOMS_WHO_ADMIN, ROOMS_IN_OPEN, 0, rooms_invite },

    [ROOMS_OP_INVITATION] =
        { ROOMS_WHO_JOINED, ROOMS_IN_OPEN, 0, rooms_invite },

    [ROOMS_OP_EXPEL] =
        { ROOMS_WHO_ADMIN, ROOMS_ALWAYS, ROOMS_POWER_NOBODY, rooms_expel },

    [ROOMS_OP_RETIRE] =
        { ROOMS_WHO_ADMIN, ROOMS_ALWAYS, ROOMS_POWER_NOBODY, rooms_retire },

    [ROOMS_OP_ERASE] =
        { ROOMS_WHO_ADMIN, ROOMS_ALWAYS, ROOMS_POWER_NOBODY, rooms_send },
};


/*
 * The contract fixes the order of the checks: body, seen, joined, type,
 * frozen, power, then the operation's own target and capacity.
 */

void
rooms_decide(const rooms_input_t *in, rooms_change_t *out)
{
    rooms_input_t        input;
    const rooms_rule_t  *rule;

    rooms_undecided(out);

    input = *in;
    rule = &rooms_rules[in->op];

    if (rooms_check_body(&input, out) != ROOMS_OK
        || rooms_check_seen(rule, &input, out) != ROOMS_OK
        || rooms_check_joined(rule, &input, out) != ROOMS_OK
        || rooms_check_type(&input, out) != ROOMS_OK
        || rooms_check_frozen(rule, &input, out) != ROOMS_OK
        || rooms_check_power(rule, &input, out) != ROOMS_OK)
    {
        return;
    }

    out->room = *in->room;

    if (rule->apply == NULL) {
        rooms_noop(out);
        return;
    }

    rule->apply(&input, out);

    if (out->code != ROOMS_OK || out->noop) {
        return;
    }

    /* a member's own settings don't depend on the state */

    if (in->op != ROOMS_OP_SETTINGS) {
        out->guard |= ROOMS_F_STATE;
    }

    if (in->op == ROOMS_OP_FEDINVITE || in->op == ROOMS_OP_INVITATION) {
        out->guard |= ROOMS_F_FEDERATED;
    }

    if (rule->who != ROOMS_WHO_ADMIN || !in->tenant_admin) {
        rooms_guard_row(out, &in->actor);
    }
}


/*
 * Checks what doesn't depend on the room.  It comes first, so its errors
 * reveal nothing about the room.
 */

static rooms_code_e
rooms_check_body(rooms_input_t *in, rooms_change_t *out)
{
    const char  *field, *problem;

    field = NULL;
    problem = NULL;

    switch (in->op) {

    case ROOMS_OP_NAME:
        field = "name";
        problem = rooms_name_make(&in->text, out->text);
        break;

    case ROOMS_OP_TOPIC:
        field = "topic";
        problem = rooms_topic_check(&in->text);
        break;

    case ROOMS_OP_WORKSPACE:
        if (in->text.data == NULL) {
            field = "workspace_id";
            problem = "is required";
        }
        break;

    case ROOMS_OP_POWER:
        if (in->power < 0 || in->power > ROOMS_POWER_MAX) {
            field = "power_level";
            problem = "must be from 0 to 100";
        }
        break;

    default:
        break;
    }

    if (problem) {
        return rooms_fail(out, ROOMS_E_VALIDATION, field, problem);
    }

    return rooms_check_targets(in, out);
}


static rooms_code_e
rooms_check_targets(const rooms_input_t *in, rooms_change_t *out)
{
    switch (in->op) {

    case ROOMS_OP_INVITE:
        if (in->ntargets >= 1 && in->ntargets <= ROOMS_BATCH_MAX) {
            return ROOMS_OK;
        }

        return rooms_fail(out, ROOMS_E_VALIDATION, "participant_ids",
                          "must name 1 to 100 participants");

    case ROOMS_OP_KICK:
    case ROOMS_OP_BAN:
    case ROOMS_OP_UNBAN:
    case ROOMS_OP_POWER:
    case ROOMS_OP_EXPEL:
    case ROOMS_OP_FEDINVITE:
    case ROOMS_OP_INVITATION:
        if (in->ntargets == 1) {
            return ROOMS_OK;
        }

        return rooms_fail(out, ROOMS_E_VALIDATION, "participant_id",
                          "must name one participant");

    default:
        return ROOMS_OK;
    }
}
