/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Signatures: compact JWS (RFC 7515, section 7.1) with the RS, PS, ES and HS
 * algorithms (RFC 7518, section 3) and EdDSA over Ed25519 (RFC 8037).
 * rooms_jwt.h looks at the payload.
 */

#ifndef ROOMS_JWS_H
#define ROOMS_JWS_H

#include "rooms_jwks.h"


#define ROOMS_JWT_MAX    8192          /* bytes of a token */
#define ROOMS_JWT_BUF    8192          /* least size of the work buffer */

/* Keys tried for one token; limits what a forged token costs. */
#define ROOMS_JWS_TRIES  4


typedef enum {
    ROOMS_JWT_OK = 0,
    ROOMS_JWT_INVALID,
    ROOMS_JWT_EXPIRED,                 /* all else is valid */
    ROOMS_JWT_UNKNOWN_KID              /* no set has it: fetch keys, once */
} rooms_jwt_e;


/*
 * Call it once per process, before any function below and before sets are
 * made.  Returns 0, or -1 if libsodium can't start.
 */
int rooms_jwt_init(void);

/*
 * Verifies the signature of a compact JWS.  NULL entries of sets are skipped.
 * Keys come only from the sets: "jwk", "jku", "x5c" and "x5u" in the header
 * are ignored, and a header with "crit" is refused.
 *
 * On ROOMS_JWT_OK *payload is the decoded payload in buf, which has at least
 * ROOMS_JWT_BUF bytes.  On anything else *why, if why isn't NULL, is a static
 * text. buf may be written to either way.  Never returns ROOMS_JWT_EXPIRED.
 */
rooms_jwt_e rooms_jws_verify(rooms_str_t token,
    const rooms_jwks_t *const *sets, unsigned nsets, unsigned char *buf,
    size_t buflen, rooms_str_t *payload, const char **why);

/*
 * Whether the token has the form of a JWT, valid or not: three parts of
 * base64url, of which only the signature may be empty, and the first is a
 * JSON object with a member "alg".  Hybrid mode verifies such tokens, and
 * takes all others for mock tokens.
 */
int rooms_jwt_looks_like(rooms_str_t token);

#endif /* ROOMS_JWS_H */
