/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_internal.h"


static void rooms_replace(const rooms_input_t *in, rooms_change_t *out,
    rooms_str_t *value, unsigned field, rooms_event_e event);


void
rooms_name(const rooms_input_t *in, rooms_change_t *out)
{
    rooms_replace(in, out, &out->room.name, ROOMS_F_NAME, ROOMS_EV_NAME);
}


void
rooms_topic(const rooms_input_t *in, rooms_change_t *out)
{
    rooms_replace(in, out, &out->room.topic, ROOMS_F_TOPIC, ROOMS_EV_TOPIC);
}


void
rooms_workspace(const rooms_input_t *in, rooms_change_t *out)
{
    if (rooms_check_workspace(out, in->workspace_known, in->workspace_role)
        != ROOMS_OK)
    {
        return;
    }

    rooms_replace(in, out, &out->room.workspace, ROOMS_F_WORKSPACE,
                  ROOMS_EV_WORKSPACE);
}


/*
 * Doesn't guard the old value, since it is only overwritten.  So a hundred
 * renames at once all succeed, one after another.
 */

static void
rooms_replace(const rooms_input_t *in, rooms_change_t *out,
    rooms_str_t *value, unsigned field, rooms_event_e event)
{
    if (rooms_str_eq(*value, in->text)) {
        rooms_noop(out);
        return;
    }

    *value = in->text;

    out->event = event;

    rooms_write(out, field, in->now);
}


void
rooms_federate(const rooms_input_t *in, rooms_change_t *out)
{
    if (in->room->federated == in->enabled) {
        rooms_noop(out);
        return;
    }

    out->room.federated = in->enabled;

    out->guard |= ROOMS_F_FEDERATED;
    out->event = ROOMS_EV_FEDERATION;

    rooms_write(out, ROOMS_F_FEDERATED, in->now);
}


/*
 * Notification mode, mute and read marker belong to the member, not to the
 * room.  The endpoint adds its own writes to this change, which guards the
 * membership.  No event tells other members.
 */

void
rooms_settings(const rooms_input_t *in, rooms_change_t *out)
{
    (void) in;

    out->event = ROOMS_EV_NONE;
}


void
rooms_send(const rooms_input_t *in, rooms_change_t *out)
{
    (void) in;

    out->event = ROOMS_EV_MESSAGE;
}
