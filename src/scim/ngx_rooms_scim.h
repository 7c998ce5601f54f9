/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * SCIM 2.0: an identity provider manages the participants of a tenant.
 *
 * A User is a participant.  Its id is the externalId, or the userName if
 * there is none, and must be the one that tokens contain.  "active": false
 * deactivates the participant.
 */

#ifndef NGX_ROOMS_SCIM_H
#define NGX_ROOMS_SCIM_H

#include "ngx_rooms_request.h"
#include "rooms_scim.h"


/*
 * Rows with this envelope answer as SCIM does, and take tokens from the file.
 */
extern const ngx_rooms_envelope_t  ngx_rooms_scim_envelope;

/* Sets an error with a scimType (or NULL); returns NGX_ERROR. */
ngx_int_t ngx_rooms_scim_fail(ngx_rooms_req_t *rq, ngx_uint_t code,
    const char *type, const char *detail);

/*
 * "https://host/scim/v2/Users/ID" and the like; data == NULL: out of memory.
 */
rooms_str_t ngx_rooms_scim_url(ngx_rooms_req_t *rq, const char *path,
    rooms_str_t id);

/* Writes a tree to the answer, and frees it. */
ngx_int_t ngx_rooms_scim_put(ngx_rooms_req_t *rq, json_t *tree);

/* rooms_scim_token_file */
char *ngx_rooms_scim_token_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* Checks that the location also has rooms_tenant. */
ngx_int_t ngx_rooms_scim_check(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf);

#endif /* NGX_ROOMS_SCIM_H */
