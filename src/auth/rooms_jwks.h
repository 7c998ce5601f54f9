/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Key sets: the keys that verify tokens, from a JWK Set (RFC 7517; RFC 7518,
 * section 6; RFC 8037, section 2) or from the bytes of a secret file.
 *
 * A set never changes once it is built, so many threads may verify with it at
 * the same time.  It owns everything that it points to.  The caller owns the
 * set, and frees it when no verification runs.
 */

#ifndef ROOMS_JWKS_H
#define ROOMS_JWKS_H

#include "rooms_jwk.h"


#define ROOMS_JWKS_MAX_KEYS   64
#define ROOMS_JWKS_MAX_SIZE   (256 * 1024)    /* bytes of JSON */


typedef struct rooms_jwks_s  rooms_jwks_t;

struct rooms_jwks_s {
    unsigned             nkeys;
    rooms_jwk_t          keys[];
};


/*
 * Parses a JWK Set: {"keys": [...]}.  Returns a set with at least one key,
 * which the caller frees with rooms_jwks_free(), or NULL.
 *
 * Unusable keys are skipped (RFC 7517, section 5): a "use" other than "sig";
 * "key_ops" without "verify"; an unknown "kty", "crv" or "alg"; missing,
 * malformed or contradictory members; a key that is too short.  It is an
 * error if no key is left.
 *
 * err (NUL terminated, at most errlen bytes) says what is wrong, or which
 * keys were skipped; otherwise it is empty.
 *
 * The set keeps no pointer into json, which may be wiped afterwards.
 */
rooms_jwks_t *rooms_jwks_parse(const unsigned char *json, size_t len,
    char *err, size_t errlen);

/*
 * Makes a set of one "oct" key without "kid" from the bytes of a secret file.
 * One newline at the end ("\n" or "\r\n") isn't part of the secret.  NULL and
 * err are as above.  A token that names a "kid" never matches this key.
 */
rooms_jwks_t *rooms_jwks_secret(const unsigned char *secret, size_t len,
    char *err, size_t errlen);

/* Wipes secrets, frees the set; NULL is allowed. */
void rooms_jwks_free(rooms_jwks_t *set);

#endif /* ROOMS_JWKS_H */
