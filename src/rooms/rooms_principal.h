/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Who acts, and the claims of a token that tell it. */

#ifndef ROOMS_PRINCIPAL_H
#define ROOMS_PRINCIPAL_H

#include "rooms.h"


/* Strings that end in NUL. */
typedef struct {
    const rooms_str_t          *word;
    unsigned                    n;
} rooms_words_t;

/* Claims whose names can be configured, with their defaults. */
typedef enum {
    ROOMS_CLAIM_PARTICIPANT = 0,           /* "sub" */
    ROOMS_CLAIM_TENANT,                    /* "tenant_id" */
    ROOMS_CLAIM_NAME,                      /* "name" */
    ROOMS_CLAIM_LOCAL,                     /* "preferred_username" */
    ROOMS_CLAIM_ROLES,                     /* "role", "roles", "permissions" */
    ROOMS_CLAIM_MAX
} rooms_claim_e;

/*
 * Who acts.  The strings point into a buffer that the caller owns
 * (rooms_jwt.h).
 */
typedef struct {
    rooms_str_t                 sub;       /* rooms_participant_valid() */
    rooms_str_t                 tenant;    /* rooms_tenant_valid() */
    rooms_str_t                 name;      /* or NULL; rooms_display_name() */
    rooms_str_t                 local;     /* or NULL; rooms_local_id() */
    int64_t                     exp;       /* seconds, without leeway */
    int64_t                     iat;       /* seconds; 0: the token has none */
    unsigned                    admin:1;
} rooms_principal_t;

#endif /* ROOMS_PRINCIPAL_H */
