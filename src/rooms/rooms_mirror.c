/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_internal.h"


static void rooms_mirror_room(const rooms_mirror_t *in, rooms_change_t *out);
static int rooms_mirror_row(const rooms_mirror_t *in,
    const rooms_mirror_row_t *row, rooms_change_t *out);
static void rooms_mirror_dm(const rooms_mirror_t *in, rooms_change_t *out);
static rooms_event_e rooms_mirror_event(const rooms_mirror_t *in,
    const rooms_change_t *out);


/*
 * Applies to a replica what the room's home says.  The home can't make our
 * participants join; only a DM has both sides from its first event on.
 */

void
rooms_mirror(const rooms_mirror_t *in, rooms_change_t *out)
{
    int       seats;
    unsigned  i;
    uint64_t  taken;

    rooms_undecided(out);

    if (in->room) {
        out->room = *in->room;
        rooms_mirror_room(in, out);

    } else {
        out->room = in->remote;
        out->room.updated_at = in->now;
    }

    seats = 0;

    for (i = 0; i < in->nrows && out->nmembers < 2 * ROOMS_BATCH_MAX; i++) {
        seats += rooms_mirror_row(in, &in->rows[i], out);
    }

    if (in->room && in->room->type == ROOMS_DM) {
        rooms_mirror_dm(in, out);
    }

    /* those who leave make room for those who come */

    if (seats > 0) {
        out->seats = seats;
        taken = in->room ? (uint64_t) in->room->joined + in->room->invited
                         : 0;

        if (taken + out->seats > in->max_participants) {
            rooms_fail(out, ROOMS_E_CAPACITY, NULL, "The room is full.");
            return;
        }

        out->capacity = 1;
    }

    if (in->room && out->nmembers == 0 && out->write == 0) {
        rooms_noop(out);
        return;
    }

    out->reason = in->reason;
    out->event = rooms_mirror_event(in, out);
}


/* A closed room stays closed, whatever its home says. */

static void
rooms_mirror_room(const rooms_mirror_t *in, rooms_change_t *out)
{
    unsigned             write;
    const rooms_room_t  *remote;

    if (!in->has_room) {
        return;
    }

    remote = &in->remote;
    write = 0;

    if (remote->state != in->room->state && in->room->state != ROOMS_CLOSED) {
        out->room.state = remote->state;
        write |= ROOMS_F_STATE;
    }

    if (in->room->type != ROOMS_DM
        && !rooms_str_eq(remote->name, in->room->name))
    {
        out->room.name = remote->name;
        write |= ROOMS_F_NAME;
    }

    if (!rooms_str_eq(remote->topic, in->room->topic)) {
        out->room.topic = remote->topic;
        write |= ROOMS_F_TOPIC;
    }

    if (remote->federated != in->room->federated) {
        out->room.federated = remote->federated;
        write |= ROOMS_F_FEDERATED;
    }

    if (write) {
        out->guard |= write;
        rooms_write(out, write, in->now);
    }
}


/* Closes a DM that lost one of its sides, as rooms_expel() does. */

static void
rooms_mirror_dm(const rooms_mirror_t *in, rooms_change_t *out)
{
    unsigned  i;

    for (i = 0; i < out->nmembers; i++) {

        if (out->members[i].after.membership != ROOMS_JOIN
            && out->room.state != ROOMS_CLOSED)
        {
            out->room.state = ROOMS_CLOSED;
            out->guard |= ROOMS_F_STATE;
            rooms_write(out, ROOMS_F_STATE, in->now);
        }
    }
}


/* Returns the seats taken (negative: freed). */

static int
rooms_mirror_row(const rooms_mirror_t *in, const rooms_mirror_row_t *row,
    rooms_change_t *out)
{
    int                    power, was, is;
    rooms_membership_e     membership;
    const rooms_member_t  *before;

    before = &row->before;
    membership = row->membership;
    power = membership == ROOMS_JOIN ? row->power : 0;

    /* a DM has only its two sides, no invites and no bans */

    if (in->room && in->room->type == ROOMS_DM) {

        if (membership == ROOMS_INVITE
            || !(rooms_str_eq(before->participant, in->room->peer[0])
                 || rooms_str_eq(before->participant, in->room->peer[1])))
        {
            return 0;
        }

        if (membership == ROOMS_BAN) {
            membership = ROOMS_LEAVE;
        }
    }

    if (row->ours) {

        /* the home can't bring back a participant whom we deactivated */

        if (row->gone
            && (membership == ROOMS_JOIN || membership == ROOMS_INVITE))
        {
            return 0;
        }

        if (membership == ROOMS_JOIN && before->membership != ROOMS_JOIN
            && !(in->room == NULL && in->remote.type == ROOMS_DM))
        {
            return 0;
        }

        /* the participant has accepted that invite meanwhile */

        if (membership == ROOMS_INVITE
            && before->membership == ROOMS_JOIN)
        {
            return 0;
        }
    }

    if (membership == before->membership && power == before->power) {
        return 0;
    }

    was = before->membership == ROOMS_JOIN
          || before->membership == ROOMS_INVITE;
    is = membership == ROOMS_JOIN || membership == ROOMS_INVITE;

    rooms_move(out, before, membership, power, row->joined_at);

    return is - was;
}


/*
 * The event must describe what changed.  If the home's event doesn't, another
 * one is chosen.
 */

static rooms_event_e
rooms_mirror_event(const rooms_mirror_t *in, const rooms_change_t *out)
{
    static const struct {
        unsigned       bit;
        rooms_event_e  event;
    } fields[] = {
        { ROOMS_F_STATE, ROOMS_EV_STATE },
        { ROOMS_F_FEDERATED, ROOMS_EV_FEDERATION },
        { ROOMS_F_NAME, ROOMS_EV_NAME },
        { ROOMS_F_TOPIC, ROOMS_EV_TOPIC }
    };

    unsigned       i;
    rooms_event_e  event;

    event = in->event;

    /* a new replica hasn't changed: it was created, or somebody invited */

    if (in->room == NULL) {
        return event == ROOMS_EV_MEMBER ? event : ROOMS_EV_CREATE;
    }

    if (out->nmembers
        && (event == ROOMS_EV_MEMBER || event == ROOMS_EV_POWER_LEVEL))
    {
        return event;
    }

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if ((out->write & fields[i].bit) && event == fields[i].event) {
            return event;
        }
    }

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (out->write & fields[i].bit) {
            return fields[i].event;
        }
    }

    return ROOMS_EV_MEMBER;
}
