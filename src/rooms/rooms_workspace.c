/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms.h"


static rooms_code_e rooms_workspace_member(const rooms_workspace_t *in);


/*
 * To non-members a workspace doesn't exist.  Owners change it and give roles;
 * any member may leave.
 */

rooms_code_e
rooms_decide_workspace(const rooms_workspace_t *in)
{
    if (in->actor == ROOMS_ROLE_NONE) {
        return ROOMS_E_WORKSPACE;
    }

    if (in->op == ROOMS_WORKSPACE_READ) {
        return ROOMS_OK;
    }

    if (in->actor != ROOMS_ROLE_OWNER
        && !(in->op == ROOMS_WORKSPACE_REMOVE && in->self))
    {
        return ROOMS_E_WORKSPACE_FORBIDDEN;
    }

    switch (in->op) {

    case ROOMS_WORKSPACE_CHANGE:
        return ROOMS_OK;

    case ROOMS_WORKSPACE_DELETE:

        if (in->personal) {
            return ROOMS_E_WORKSPACE_PERSONAL;
        }

        return in->used ? ROOMS_E_WORKSPACE_IN_USE : ROOMS_OK;

    default:
        return rooms_workspace_member(in);
    }
}


static rooms_code_e
rooms_workspace_member(const rooms_workspace_t *in)
{
    if (!in->known
        || (in->op != ROOMS_WORKSPACE_ADD && in->had == ROOMS_ROLE_NONE))
    {
        return ROOMS_E_PARTICIPANT;
    }

    if (in->had != ROOMS_ROLE_OWNER || in->role == ROOMS_ROLE_OWNER) {
        return ROOMS_OK;
    }

    if (in->owners <= 1) {
        return ROOMS_E_WORKSPACE_NEEDS_OWNER;
    }

    /* the owner's new rooms are created there by default */

    return in->personal && in->person ? ROOMS_E_WORKSPACE_PERSONAL : ROOMS_OK;
}
