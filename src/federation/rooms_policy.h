/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The policy: which servers we federate with.
 *
 *   open         every server
 *   invite_only  the servers on the list, and servers of participants that
 *                our members have invited; others can't start anything
 *   allowlist    only the servers on the list
 *   closed       no server
 *
 * An allowlist names the members of a federation, which includes this server.
 * So a list without it is invalid.
 */

#ifndef ROOMS_POLICY_H
#define ROOMS_POLICY_H

#include "rooms_peer.h"
#include <jansson.h>


#define ROOMS_POLICY_PEERS        1000
#define ROOMS_POLICY_FOREIGN       100      /* unless the policy sets a
                                               number */
#define ROOMS_POLICY_FOREIGN_MAX  100000

typedef enum {
    ROOMS_POLICY_OPEN = 0,
    ROOMS_POLICY_INVITE_ONLY,
    ROOMS_POLICY_ALLOWLIST,
    ROOMS_POLICY_CLOSED,
    ROOMS_POLICY_MODES
} rooms_policy_mode_e;

typedef struct {
    rooms_policy_mode_e   mode;
    json_t               *peers;            /* borrowed array, or NULL */
    uint32_t              foreign;          /* foreign participants in one
                                               room */
} rooms_policy_t;

typedef struct {
    const char           *field;            /* NUL terminated, in the input */
    const char           *problem;
} rooms_policy_fault_t;


/* The policy if none is set: invite_only with an empty list. */
void rooms_policy_default(rooms_policy_t *policy);

/*
 * Parses a policy from a request body.  Missing members get their defaults,
 * unknown ones are ignored.  The policy borrows from the object.  -1: see
 * fault.
 */
int rooms_policy_parse(json_t *object, rooms_str_t self,
    rooms_policy_t *policy, rooms_policy_fault_t *fault);

/* invited: one of our members has invited a participant of that server. */
int rooms_policy_allows(const rooms_policy_t *policy, rooms_str_t peer,
    int invited);

/* Whether the server is on the list. */
int rooms_policy_lists(const rooms_policy_t *policy, rooms_str_t peer);

const char *rooms_policy_mode_name(rooms_policy_mode_e mode);

#endif /* ROOMS_POLICY_H */
