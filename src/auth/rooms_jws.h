/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The signature layer: compact JWS (RFC 7515, section 7.1) with the RS, PS, ES
 * and HS algorithms (RFC 7518, section 3) and EdDSA over Ed25519 (RFC 8037).
 * What the payload says is none of its business: that is rooms_jwt.h.
 */

#ifndef ROOMS_JWS_H
#define ROOMS_JWS_H

#include "rooms_jwks.h"


#define ROOMS_JWT_MAX    8192          /* bytes of a token */
#define ROOMS_JWT_BUF    8192          /* bytes of work space, at least */

/* Keys that are tried for one token: bounds what a forged one costs. */
#define ROOMS_JWS_TRIES  4


typedef enum {
    ROOMS_JWT_OK = 0,
    ROOMS_JWT_INVALID,
    ROOMS_JWT_EXPIRED,                 /* good in all other respects */
    ROOMS_JWT_UNKNOWN_KID              /* no set has it: fetch keys, once */
} rooms_jwt_e;


/*
 * Once per process, before any of the functions below and before the sets
 * are made.  Returns 0, or -1 if libsodium can't start.
 */
int rooms_jwt_init(void);

/*
 * Verifies the signature of a compact JWS.  NULL entries of sets are passed
 * over.  Keys come from the sets alone: "jwk", "jku", "x5c" and "x5u" of
 * the header are never looked at, and a header with "crit" is refused.
 *
 * On ROOMS_JWT_OK *payload is the decoded payload, in buf (buflen is
 * ROOMS_JWT_BUF at least; anything may be left in it).  Otherwise *why, if
 * why isn't NULL, is a static text.
 * Never returns ROOMS_JWT_EXPIRED.
 */
rooms_jwt_e rooms_jws_verify(rooms_str_t token,
    const rooms_jwks_t *const *sets, unsigned nsets, unsigned char *buf,
    size_t buflen, rooms_str_t *payload, const char **why);

/*
 * Whether this is a JWT, be it a bad one: three parts of base64url, of which
 * only the signature may be empty, the first a JSON object with a member "alg".  Hybrid mode
 * verifies what is one and takes anything else for a mock token.
 */
int rooms_jwt_looks_like(rooms_str_t token);

#endif /* ROOMS_JWS_H */
