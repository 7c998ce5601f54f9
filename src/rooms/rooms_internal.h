/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* What only the files of the core share. */

#ifndef ROOMS_INTERNAL_H
#define ROOMS_INTERNAL_H

#include "rooms.h"


/* rooms_change.c: build a verdict */

void rooms_undecided(rooms_change_t *out);
rooms_code_e rooms_fail(rooms_change_t *out, rooms_code_e code,
    const char *field, const char *message);
void rooms_noop(rooms_change_t *out);
void rooms_write(rooms_change_t *out, unsigned fields, int64_t now);
void rooms_guard_row(rooms_change_t *out, const rooms_member_t *row);
void rooms_move(rooms_change_t *out, const rooms_member_t *row,
    rooms_membership_e membership, int power, int64_t now);
rooms_code_e rooms_take_seats(const rooms_input_t *in, rooms_change_t *out,
    uint32_t seats);
rooms_code_e rooms_no_participant(rooms_change_t *out);
rooms_code_e rooms_check_workspace(rooms_change_t *out, unsigned known,
    rooms_role_e role);

/* Who passes the checks "seen" and "joined". */
typedef enum {
    ROOMS_WHO_SEES = 0,
    ROOMS_WHO_JOINED,
    ROOMS_WHO_MEMBER,                 /* joined, or invited */
    ROOMS_WHO_GUEST,                  /* invited, or the room is public */
    ROOMS_WHO_HEIR,                   /* joined; in an emptied room also its
                                         last member and tenant admins */
    ROOMS_WHO_ADMIN                   /* joined, or a tenant admin, who then
                                         sees every room */
} rooms_who_e;

/*
 * The states in which an operation is allowed; in others the room is frozen.
 */
#define ROOMS_IN_OPEN      (1 << ROOMS_OPEN)
#define ROOMS_IN_ARCHIVED  (1 << ROOMS_ARCHIVED)
#define ROOMS_IN_CLOSED    (1 << ROOMS_CLOSED)
#define ROOMS_UNCLOSED     (ROOMS_IN_OPEN|ROOMS_IN_ARCHIVED)
#define ROOMS_ALWAYS       (ROOMS_UNCLOSED|ROOMS_IN_CLOSED)

#define ROOMS_POWER_NOBODY  (ROOMS_POWER_MAX + 1)

/*
 * What is special to an operation, run after the checks that all share:
 * checks its target and the capacity, then makes the writes. rooms_decide()
 * adds what every change guards: the state, and the caller's row.
 */
typedef void (*rooms_apply_pt)(const rooms_input_t *in, rooms_change_t *out);

typedef struct {
    rooms_who_e     who;
    unsigned        states;
    int             power;
    rooms_apply_pt  apply;            /* NULL: a read */
} rooms_rule_t;


/* rooms_check.c: the checks that all operations share */

rooms_code_e rooms_check_seen(const rooms_rule_t *rule,
    const rooms_input_t *in, rooms_change_t *out);
rooms_code_e rooms_check_joined(const rooms_rule_t *rule,
    const rooms_input_t *in, rooms_change_t *out);
rooms_code_e rooms_check_type(const rooms_input_t *in, rooms_change_t *out);
rooms_code_e rooms_check_frozen(const rooms_rule_t *rule,
    const rooms_input_t *in, rooms_change_t *out);
rooms_code_e rooms_check_power(const rooms_rule_t *rule,
    const rooms_input_t *in, rooms_change_t *out);

int rooms_is_incognito(const rooms_room_t *room);

/* rooms_membership.c */

void rooms_join(const rooms_input_t *in, rooms_change_t *out);
void rooms_leave(const rooms_input_t *in, rooms_change_t *out);
void rooms_invite(const rooms_input_t *in, rooms_change_t *out);
void rooms_expel(const rooms_input_t *in, rooms_change_t *out);
void rooms_retire(const rooms_input_t *in, rooms_change_t *out);
void rooms_kick(const rooms_input_t *in, rooms_change_t *out);
void rooms_ban(const rooms_input_t *in, rooms_change_t *out);
void rooms_unban(const rooms_input_t *in, rooms_change_t *out);

/* rooms_power.c: power levels; no room loses its last admin */

void rooms_depart(const rooms_input_t *in, rooms_change_t *out,
    const rooms_member_t *member);
void rooms_power(const rooms_input_t *in, rooms_change_t *out);
rooms_code_e rooms_outranks(const rooms_input_t *in, rooms_change_t *out);

/* rooms_lifecycle.c */

void rooms_close(const rooms_input_t *in, rooms_change_t *out);
void rooms_archive(const rooms_input_t *in, rooms_change_t *out);
void rooms_rejoin(const rooms_input_t *in, rooms_change_t *out);

/* rooms_metadata.c */

void rooms_name(const rooms_input_t *in, rooms_change_t *out);
void rooms_topic(const rooms_input_t *in, rooms_change_t *out);
void rooms_workspace(const rooms_input_t *in, rooms_change_t *out);
void rooms_federate(const rooms_input_t *in, rooms_change_t *out);
void rooms_settings(const rooms_input_t *in, rooms_change_t *out);
void rooms_send(const rooms_input_t *in, rooms_change_t *out);

#endif /* ROOMS_INTERNAL_H */
