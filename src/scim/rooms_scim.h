/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * SCIM 2.0 without NGINX: filters and paths (RFC 7644, sections 3.4.2.2 and
 * 3.5.2), PATCH of a resource, and the parts of a User that matter here (RFC
 * 7643).  Resources are trees of jansson.  Names of attributes are compared
 * ignoring case.
 */

#ifndef ROOMS_SCIM_H
#define ROOMS_SCIM_H

#include "rooms_str.h"
#include <jansson.h>


#define ROOMS_SCIM_USER  "urn:ietf:params:scim:schemas:core:2.0:User"
#define ROOMS_SCIM_ENTERPRISE                                                 \
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
#define ROOMS_SCIM_DEPTH   16            /* of nested parentheses and
                                            brackets */
#define ROOMS_SCIM_VALUE  512            /* bytes of a compared string */

/* Why a request is refused: scimType (or NULL) and a sentence. */
typedef struct {
    const char  *type;
    const char  *detail;
} rooms_scim_fault_t;

/*
 * An equality in a filter by which an index finds everything that the filter
 * can match: its only comparison, or one of those joined by "and".
 */
typedef enum {
    ROOMS_SCIM_BY_NONE = 0,              /* none: only a full scan would do */
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

/* Whether a resource matches: 1 or 0; -1: the filter is malformed. */
int rooms_scim_match(rooms_str_t filter, const json_t *resource);
/* Finds the equality to search by; -1: the filter is malformed. */
int rooms_scim_key(rooms_str_t filter, rooms_scim_key_t *key);

/*
 * PATCH: applies the operations of a body to `user`, in order.  0, or -1 and
 * the fault; the tree may then be partly changed.
 */
int rooms_scim_patch(json_t *user, const json_t *body,
    rooms_scim_fault_t *fault);

/*
 * Turns what a client sent into a resource to store, in place.  Known names
 * get the schema's spelling; what belongs to the server (id, meta, schemas,
 * groups), and passwords, are dropped; "active" becomes a boolean.
 */
int rooms_scim_normalize(json_t *user, rooms_scim_fault_t *fault);

/* A member by its name, ignoring case; NULL: there is none. */
json_t *rooms_scim_get(const json_t *object, const char *name);

/*
 * The values of a normalized User.  Strings live as long as the User; NULL:
 * missing.
 */
typedef struct {
    rooms_str_t      user_name;
    rooms_str_t      external_id;
    rooms_str_t      display_name;       /* displayName, name.formatted, ... */
    rooms_str_t      given;
    rooms_str_t      family;
    rooms_str_t      email;              /* the primary one, or for work, or
                                            the first */
    rooms_str_t      photo;
    unsigned         active:1;
} rooms_scim_user_t;

int rooms_scim_user(const json_t *user, rooms_scim_user_t *u,
    rooms_scim_fault_t *fault);

#endif /* ROOMS_SCIM_H */
