/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Turns a bearer token into a principal: the participant, the tenant, and
 * whether the participant administers it.  Source: docs/api.md,
 * "Authentication"; RFC 7519, sections 4.1 and 7.2; RFC 8725.
 *
 * There is no state, clock or I/O: the same arguments give the same result,
 * in any thread.  Call rooms_jwt_init() (rooms_jws.h) first.
 */

#ifndef ROOMS_JWT_H
#define ROOMS_JWT_H

#include "rooms_jws.h"
#include "rooms_principal.h"


/*
 * Times in claims are seconds from 1970 to the end of the year 9999.  A
 * larger one is the issuer's mistake, most often milliseconds.
 */
#define ROOMS_JWT_TIME_MAX  253402300799


/*
 * What a token must satisfy.  The caller owns all of it.
 *
 * `claims` are paths into nested objects; a claim that has a path is only
 * read there. `admins` are the roles and permissions that make an
 * administrator.  If it is empty, these are the roles "tenant_admin",
 * "partner_admin", "super_admin", and the permission "admin:access".
 */
typedef struct {
    const rooms_jwks_t *const  *sets;
    unsigned                    nsets;
    rooms_str_t                 issuer;    /* NULL: "iss" isn't checked */
    rooms_str_t                 audience;  /* NULL: "aud" isn't checked */
    int64_t                     leeway;    /* seconds, for exp, nbf, iat */
    int64_t                     now;       /* seconds */
    rooms_words_t               claims[ROOMS_CLAIM_MAX];
    rooms_words_t               admins;
    rooms_str_t                 tenant;    /* for tokens without one; NULL:
                                              refuse these */
} rooms_jwt_check_t;


/*
 * Verifies signature and claims.  On ROOMS_JWT_OK *out is the principal.  On
 * anything else *out is all zero, and *why (if why isn't NULL) is a static
 * text that says which check failed; it goes to the log and to the client.
 * buflen is at least ROOMS_JWT_BUF.
 *
 * ROOMS_JWT_EXPIRED means that all else is valid.  After
 * ROOMS_JWT_UNKNOWN_KID the caller may fetch the keys again and call once
 * more; if the key is still unknown, the token is invalid.  A principal may
 * be cached while exp + leeway is in the future.
 */
rooms_jwt_e rooms_jwt_verify(rooms_str_t token,
    const rooms_jwt_check_t *check, rooms_principal_t *out,
    unsigned char *buf, size_t buflen, const char **why);

/*
 * For development: "mock:<participant>@<tenant>[:admin]" is that participant
 * (whose name may contain "@" and ":", since the last "@" counts).  Any other
 * token that isn't empty is mock-user of mock-tenant. exp is
 * ROOMS_JWT_TIME_MAX.  Returns ROOMS_JWT_INVALID if the token is empty,
 * longer than ROOMS_JWT_MAX, or begins with "mock:" and is malformed.
 */
rooms_jwt_e rooms_mock_principal(rooms_str_t token, rooms_principal_t *out,
    unsigned char *buf, size_t buflen, const char **why);

#endif /* ROOMS_JWT_H */
