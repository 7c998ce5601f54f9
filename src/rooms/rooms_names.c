/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms.h"


#define rooms_nelts(a)  (sizeof(a) / sizeof((a)[0]))


static const char *rooms_name_of(const char *const *names, size_t n,
    unsigned value);
static int rooms_value_of(const char *const *names, size_t n, rooms_str_t s);


static const char *const  rooms_types[ROOMS_TYPE_MAX] = {
    [ROOMS_GROUP] = "group",
    [ROOMS_PUBLIC] = "public",
    [ROOMS_INCOGNITO] = "incognito",
    [ROOMS_DM] = "dm",
    [ROOMS_SIDEKICK] = "sidekick",
    [ROOMS_BRIDGE] = "bridge"
};

static const char *const  rooms_states[ROOMS_STATE_MAX] = {
    [ROOMS_OPEN] = "open",
    [ROOMS_ARCHIVED] = "archived",
    [ROOMS_CLOSED] = "closed"
};

static const char *const  rooms_memberships[ROOMS_MEMBERSHIP_MAX] = {
    [ROOMS_LEAVE] = "leave",
    [ROOMS_INVITE] = "invite",
    [ROOMS_JOIN] = "join",
    [ROOMS_BAN] = "ban"
};

static const char *const  rooms_events[ROOMS_EV_MAX] = {
    [ROOMS_EV_CREATE] = "swp.room.create",
    [ROOMS_EV_MEMBER] = "swp.room.member",
    [ROOMS_EV_NAME] = "swp.room.name",
    [ROOMS_EV_TOPIC] = "swp.room.topic",
    [ROOMS_EV_WORKSPACE] = "swp.room.workspace",
    [ROOMS_EV_STATE] = "swp.room.state",
    [ROOMS_EV_FEDERATION] = "swp.room.federation",
    [ROOMS_EV_POWER_LEVEL] = "swp.room.power_level",
    [ROOMS_EV_MESSAGE] = "swp.room.message",
    [ROOMS_EV_REACTION] = "swp.room.reaction",
    [ROOMS_EV_REDACTION] = "swp.room.redaction",
    [ROOMS_EV_READ_MARKER] = "swp.room.read_marker"
};

static const char *const  rooms_roles[] = {
    [ROOMS_ROLE_VIEWER] = "viewer",
    [ROOMS_ROLE_EDITOR] = "editor",
    [ROOMS_ROLE_OWNER] = "owner"
};


const char *
rooms_type_name(rooms_type_e type)
{
    return rooms_name_of(rooms_types, ROOMS_TYPE_MAX, type);
}


const char *
rooms_state_name(rooms_state_e state)
{
    return rooms_name_of(rooms_states, ROOMS_STATE_MAX, state);
}


const char *
rooms_membership_name(rooms_membership_e membership)
{
    return rooms_name_of(rooms_memberships, ROOMS_MEMBERSHIP_MAX, membership);
}


const char *
rooms_event_name(rooms_event_e event)
{
    return rooms_name_of(rooms_events, ROOMS_EV_MAX, event);
}


const char *
rooms_role_name(rooms_role_e role)
{
    return rooms_name_of(rooms_roles, rooms_nelts(rooms_roles), role);
}


int
rooms_type_parse(rooms_str_t s)
{
    return rooms_value_of(rooms_types, ROOMS_TYPE_MAX, s);
}


int
rooms_membership_parse(rooms_str_t s)
{
    return rooms_value_of(rooms_memberships, ROOMS_MEMBERSHIP_MAX, s);
}


int
rooms_role_parse(rooms_str_t s)
{
    return rooms_value_of(rooms_roles, rooms_nelts(rooms_roles), s);
}


static const char *
rooms_name_of(const char *const *names, size_t n, unsigned value)
{
    return (value < n) ? names[value] : NULL;
}


static int
rooms_value_of(const char *const *names, size_t n, rooms_str_t s)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (names[i] && rooms_str_eq(rooms_cstr(names[i]), s)) {
            return i;
        }
    }

    return -1;
}
