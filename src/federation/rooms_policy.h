/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Whom we federate with.
 *
 *   open         every server
 *   invite_only  the servers on the list, and one that a member of ours has
 *                invited somebody of; others may begin nothing
 *   allowlist    the servers on the list alone
 *   closed       nobody
 *
 * An allowlist names the members of a federation, and we are one: a list that
 * leaves us out is a mistake, and refused.
 */

#ifndef ROOMS_POLICY_H
#define ROOMS_POLICY_H

#include "rooms_peer.h"
#include <jansson.h>


#define ROOMS_POLICY_PEERS        1000
#define ROOMS_POLICY_FOREIGN       100      /* unless the policy says so */
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
    uint32_t              foreign;          /* in one room */
} rooms_policy_t;

typedef struct {
    const char           *field;            /* NUL terminated, of the input */
    const char           *problem;
} rooms_policy_fault_t;


/* What holds where nobody has said anything: invite_only, an empty list. */
void rooms_policy_default(rooms_policy_t *policy);

/*
 * A policy of an admin's body: members that are absent have their defaults,
 * unknown ones are ignored.  The policy borrows from the object.  -1: fault.
 */
int rooms_policy_parse(json_t *object, rooms_str_t self,
    rooms_policy_t *policy, rooms_policy_fault_t *fault);

/* invited: somebody of that server was invited by us. */
int rooms_policy_allows(const rooms_policy_t *policy, rooms_str_t peer,
    int invited);

/* Whether the list names it. */
int rooms_policy_lists(const rooms_policy_t *policy, rooms_str_t peer);

const char *rooms_policy_mode_name(rooms_policy_mode_e mode);

#endif /* ROOMS_POLICY_H */
