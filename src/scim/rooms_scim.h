/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * SCIM 2.0 without NGINX: filters and paths (RFC 7644, sections 3.4.2.2 and
 * 3.5.2), PATCH on a resource, and what of a User is of interest here
 * (RFC 7643).  Resources are trees of jansson; names of attributes are
 * compared without regard to case.
 */

#ifndef ROOMS_SCIM_H
#define ROOMS_SCIM_H

#include "rooms_str.h"
#include <jansson.h>


#define ROOMS_SCIM_USER  "urn:ietf:params:scim:schemas:core:2.0:User"
#define ROOMS_SCIM_ENTERPRISE                                                 \
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
#define ROOMS_SCIM_DEPTH   16            /* of parentheses and brackets */
#define ROOMS_SCIM_VALUE  512            /* bytes of a compared string */

/* Why something is refused: scimType (or NULL) and a sentence. */
typedef struct {
    const char  *type;
    const char  *detail;
} rooms_scim_fault_t;

/*
 * The equality that a filter asks for, when one is enough to find all that it
 * can match: the only comparison, or one of those that "and" joins.
 */
typedef enum {
    ROOMS_SCIM_BY_NONE = 0,              /* only by looking at all */
    ROOMS_SCIM_BY_USER_NAME,
    ROOMS_SCIM_BY_EXTERNAL_ID,
    ROOMS_SCIM_BY_ID,
    ROOMS_SCIM_BY_EMAIL
} rooms_scim_by_e;

typedef struct {
    rooms_scim_by_e  by;
    size_t           len;
    unsigned char    value[ROOMS_SCIM_VALUE];
} rooms_scim_key_t;

/* Whether a resource matches: 1, 0; -1: it is no filter. */
int rooms_scim_match(rooms_str_t filter, const json_t *resource);
/* By what a filter finds; -1: it is no filter. */
int rooms_scim_key(rooms_str_t filter, rooms_scim_key_t *key);

/*
 * PATCH: the operations of a body change `user` in their order.  0, or -1 and
 * the fault; then the tree may be half changed.
 */
int rooms_scim_patch(json_t *user, const json_t *body,
    rooms_scim_fault_t *fault);

/*
 * What a client has sent becomes a resource to keep: known names are spelt as
 * the schema has them, what is the server's own (id, meta, schemas, groups)
 * and passwords are dropped, "active" is a boolean.  In place.
 */
int rooms_scim_normalize(json_t *user, rooms_scim_fault_t *fault);

/* A member by its name, whatever its case; and with its dictionary's key. */
json_t *rooms_scim_get(const json_t *object, const char *name);

/* Of a normalized User; strings live as long as it; NULL: there is none. */
typedef struct {
    rooms_str_t      user_name;
    rooms_str_t      external_id;
    rooms_str_t      display_name;       /* displayName, name.formatted, ... */
    rooms_str_t      given;
    rooms_str_t      family;
    rooms_str_t      email;              /* the primary, or work, or first */
    rooms_str_t      photo;
    unsigned         active:1;
} rooms_scim_user_t;

int rooms_scim_user(const json_t *user, rooms_scim_user_t *u,
    rooms_scim_fault_t *fault);

#endif /* ROOMS_SCIM_H */
