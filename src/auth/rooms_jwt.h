/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * From a bearer token to a principal: who calls, of which tenant, and
 * whether as an administrator of it.  Source: docs/api, "Authentication";
 * RFC 7519, sections 4.1 and 7.2; RFC 8725.
 *
 * No state, no clock, no I/O: the same arguments give the same answer, from
 * any thread.  rooms_jwt_init() (rooms_jws.h) must have been called.
 */

#ifndef ROOMS_JWT_H
#define ROOMS_JWT_H

#include "rooms_jws.h"
#include "rooms_principal.h"


/*
 * Times of claims are seconds since the epoch from 0 to the end of the year
 * 9999.  A larger one is a fault of the issuer, most often milliseconds.
 */
#define ROOMS_JWT_TIME_MAX  253402300799


/*
 * What tokens are held against.  Everything is the caller's.
 *
 * `claims` are paths into nested objects; a claim with one is looked for there
 * alone.  `admins` are the roles and permissions that make an administrator;
 * none: "tenant_admin", "partner_admin", "super_admin", and the permission
 * "admin:access".
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
    rooms_str_t                 tenant;    /* of tokens that name none; NULL:
                                              they are refused */
} rooms_jwt_check_t;


/*
 * Verifies signature and claims.  On ROOMS_JWT_OK *out is the principal; on
 * anything else it is all zero, and *why (if why isn't NULL) is a static
 * text that says which check failed, to the log and to the client.  buflen is
 * ROOMS_JWT_BUF at least.
 *
 * ROOMS_JWT_EXPIRED is said only of a token that is right in everything
 * else.  After ROOMS_JWT_UNKNOWN_KID the caller may fetch the keys anew and
 * call once more; still unknown then means invalid.  A principal may be
 * cached as long as the caller compares exp + leeway with its clock.
 */
rooms_jwt_e rooms_jwt_verify(rooms_str_t token,
    const rooms_jwt_check_t *check, rooms_principal_t *out,
    unsigned char *buf, size_t buflen, const char **why);

/*
 * Development: "mock:<participant>@<tenant>[:admin]" is that participant
 * (who may have "@" and ":" in the name: the last "@" divides); any other
 * token that isn't empty is mock-user of mock-tenant.  exp is
 * ROOMS_JWT_TIME_MAX.  ROOMS_JWT_INVALID: empty, longer than ROOMS_JWT_MAX,
 * or begins with "mock:" and doesn't go on as it should.
 */
rooms_jwt_e rooms_mock_principal(rooms_str_t token, rooms_principal_t *out,
    unsigned char *buf, size_t buflen, const char **why);

#endif /* ROOMS_JWT_H */
