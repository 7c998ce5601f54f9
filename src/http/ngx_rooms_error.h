/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_ERROR_H
#define NGX_ROOMS_ERROR_H

#include <ngx_config.h>
#include <ngx_core.h>
#include "rooms.h"


/* Error codes: the core's (rooms_code_e), then those of the server. */
typedef enum {
    NGX_ROOMS_E_AUTH_INVALID = ROOMS_E_MAX,
    NGX_ROOMS_E_AUTH_EXPIRED,
    NGX_ROOMS_E_AUTH_TENANT,
    NGX_ROOMS_E_AUTH_PERMISSION,
    NGX_ROOMS_E_LINK,
    NGX_ROOMS_E_DEACTIVATED,
    NGX_ROOMS_E_ACTIVE,
    NGX_ROOMS_E_PATH,
    NGX_ROOMS_E_METHOD,
    NGX_ROOMS_E_BODY_TOO_LARGE,
    NGX_ROOMS_E_CONTENT_TOO_LARGE,
    NGX_ROOMS_E_LENGTH_REQUIRED,
    NGX_ROOMS_E_TENANT,
    NGX_ROOMS_E_CONFLICT,
    NGX_ROOMS_E_IDEMPOTENCY,
    NGX_ROOMS_E_PRECONDITION,
    NGX_ROOMS_E_RATE_LIMIT,
    NGX_ROOMS_E_UPGRADE,
    NGX_ROOMS_E_STORE,
    NGX_ROOMS_E_INTERNAL,
    NGX_ROOMS_E_GATEWAY,
    NGX_ROOMS_E_GATEWAY_TIMEOUT,
    NGX_ROOMS_E_FED_UNKNOWN,
    NGX_ROOMS_E_FED_POLICY,
    NGX_ROOMS_E_FED_SIGNATURE,
    NGX_ROOMS_E_FED_VERSION,
    NGX_ROOMS_E_FED_UNREACHABLE,
    NGX_ROOMS_E_BUNDLE_INVALID,
    NGX_ROOMS_E_BUNDLE_TOO_LARGE,
    NGX_ROOMS_E_IMPORT_REFUSED,
    NGX_ROOMS_E_PARTICIPANT_EXISTS,
    NGX_ROOMS_E_MAX
} ngx_rooms_error_e;

typedef struct {
    ngx_uint_t    status;
    const char   *code;
    const char   *message;
} ngx_rooms_error_t;

/* The status, code and message of a rooms_code_e or ngx_rooms_error_e. */
const ngx_rooms_error_t *ngx_rooms_error(ngx_uint_t code);

/* The code for a status that NGINX itself answers with. */
ngx_uint_t ngx_rooms_error_of_status(ngx_uint_t status);
/*
 * A message for a status that NGINX answers with, if the code's own message
 * would be wrong for it; else NULL.
 */
rooms_str_t ngx_rooms_error_said(ngx_uint_t status);

#endif /* NGX_ROOMS_ERROR_H */
