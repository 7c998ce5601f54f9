/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * One verification key, read from a JWK (RFC 7517, section 4).  For the use
 * of rooms_jwks.c and rooms_jws.c; everybody else deals with sets.
 */

#ifndef ROOMS_JWK_H
#define ROOMS_JWK_H

#include <jansson.h>

#include "rooms_str.h"


#define ROOMS_JWK_RSA_MIN    2048            /* bits */
#define ROOMS_JWK_RSA_MAX    8192

/*
 * RFC 7518, section 3.2 wants 32 bytes of secret at least.  The 16 that we
 * ask for still can't be guessed if they are random; below, it's an error.
 */
#define ROOMS_SECRET_MIN      16              /* bytes */
#define ROOMS_SECRET_MAX      4096


/*
 * Every kind of key that we know serves exactly one algorithm, so a key
 * stores that, and not its kind: a token's "alg" must be equal to the key's.
 * This is what closes the confusion of HS256 with an RSA key's public bytes.
 */
typedef enum {
    ROOMS_ALG_NONE = 0,
    ROOMS_ALG_RS256,
    ROOMS_ALG_ES256,
    ROOMS_ALG_EDDSA,
    ROOMS_ALG_HS256
} rooms_alg_e;

/* The algorithm of that name, or ROOMS_ALG_NONE for any that isn't ours. */
rooms_alg_e rooms_alg_parse(const char *name, size_t len);


struct evp_pkey_st;

/* Owns what it points to.  rooms_jws.c alone looks inside. */
typedef struct {
    rooms_alg_e          alg;
    rooms_str_t          kid;              /* NULL: the key has none */
    struct evp_pkey_st  *pkey;             /* RS256, ES256 */
    unsigned char       *secret;           /* HS256 */
    size_t               secret_len;
    unsigned char        ed25519[32];      /* EdDSA: the public key */
} rooms_jwk_t;


typedef enum {
    ROOMS_JWK_OK = 0,
    ROOMS_JWK_SKIP,                        /* not for us */
    ROOMS_JWK_BAD                          /* *why says what is wrong */
} rooms_jwk_e;

/*
 * Both fill in a zeroed key, to be given back by rooms_jwk_clear(); on
 * anything but ROOMS_JWK_OK there is nothing to give back.  *why is static.
 */
rooms_jwk_e rooms_jwk_read(const json_t *jwk, rooms_jwk_t *key,
    const char **why);
rooms_jwk_e rooms_jwk_set_secret(rooms_jwk_t *key, const unsigned char *data,
    size_t len, const char **why);

/* Wipes the secret, frees, and leaves the key zeroed. */
void rooms_jwk_clear(rooms_jwk_t *key);

#endif /* ROOMS_JWK_H */
