/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Key sets: the keys that tokens are verified with, made from a JWK Set
 * (RFC 7517, RFC 7518 section 6, RFC 8037 section 2) or from the bytes of
 * a secret file.
 *
 * A set is built once and never changes, so that any number of workers and
 * threads may verify with it at the same time.  It owns everything that it
 * points to; its caller owns it, and frees it when no verification runs.
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
 * Parses a JWK Set: {"keys": [...]}.  Returns a set of at least one key, to be
 * freed with rooms_jwks_free(), or NULL.
 *
 * Keys that can't be used are passed over (RFC 7517, section 5): a "use" other
 * than "sig", "key_ops" without "verify", a "kty", "crv" or "alg" that we
 * don't know, members that are missing, malformed or in conflict, a key that
 * is too short.  Only a set without a key that can be used is an error.
 *
 * err (NUL terminated, at most errlen bytes) says what is wrong, or names the
 * keys that were passed over; it is empty if there is nothing to say.
 *
 * The caller's json isn't kept and may be wiped afterwards.
 */
rooms_jwks_t *rooms_jwks_parse(const unsigned char *json, size_t len,
    char *err, size_t errlen);

/*
 * A set of one "oct" key without "kid" from the bytes of a secret file; one
 * newline at the end ("\n" or "\r\n") is no part of it.  NULL and err as
 * above.  Tokens that do name a "kid" never match such a key.
 */
rooms_jwks_t *rooms_jwks_secret(const unsigned char *secret, size_t len,
    char *err, size_t errlen);

/* Wipes secrets, frees the set; NULL is allowed. */
void rooms_jwks_free(rooms_jwks_t *set);

#endif /* ROOMS_JWKS_H */
