/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * One verification key, read from a JWK (RFC 7517, section 4).  Only
 * rooms_jwks.c and rooms_jws.c use it; all others use sets of keys.
 */

#ifndef ROOMS_JWK_H
#define ROOMS_JWK_H

#include <jansson.h>

#include "rooms_str.h"


#define ROOMS_JWK_RSA_MIN    2048            /* bits */
#define ROOMS_JWK_RSA_MAX    8192

/*
 * RFC 7518, section 3.2 asks for at least 32 bytes of secret.  We accept 16,
 * which still can't be guessed if they are random; fewer is an error.
 */
#define ROOMS_SECRET_MIN      16              /* bytes */
#define ROOMS_SECRET_MAX      4096


/* Algorithms of RFC 7518, section 3.1, and RFC 8037. */
typedef enum {
    ROOMS_ALG_NONE = 0,
    ROOMS_ALG_RS256,
    ROOMS_ALG_RS384,
    ROOMS_ALG_RS512,
    ROOMS_ALG_PS256,
    ROOMS_ALG_PS384,
    ROOMS_ALG_PS512,
    ROOMS_ALG_ES256,
    ROOMS_ALG_ES384,
    ROOMS_ALG_ES512,
    ROOMS_ALG_HS256,
    ROOMS_ALG_HS384,
    ROOMS_ALG_HS512,
    ROOMS_ALG_EDDSA,
    ROOMS_ALG_MAX
} rooms_alg_e;

/* The algorithm of that name, or ROOMS_ALG_NONE if we don't support it. */
rooms_alg_e rooms_alg_parse(const char *name, size_t len);


typedef enum {
    ROOMS_KEY_RSA = 1,
    ROOMS_KEY_P256,
    ROOMS_KEY_P384,
    ROOMS_KEY_P521,
    ROOMS_KEY_ED25519,
    ROOMS_KEY_OCT
} rooms_key_e;

struct evp_pkey_st;

/* Owns what it points to.  Only rooms_jws.c reads the fields. */
typedef struct {
    rooms_key_e          kind;
    rooms_alg_e          alg;              /* the key's "alg"; NONE: it has
                                              none */
    rooms_str_t          kid;              /* NULL: the key has none */
    struct evp_pkey_st  *pkey;             /* RSA, EC */
    unsigned char       *secret;           /* oct */
    size_t               secret_len;
    unsigned char        ed25519[32];      /* the public key */
} rooms_jwk_t;


/*
 * Whether the key can verify the algorithm.  Each algorithm has one kind of
 * key, and a key that names an algorithm serves no other.  So nobody can pass
 * an HS256 token that is signed with the public bytes of an RSA key.
 */
int rooms_jwk_serves(const rooms_jwk_t *key, rooms_alg_e alg);


/*
 * Both fill in a zeroed key, which the caller frees with rooms_jwk_clear(),
 * and return 0.  On failure they return -1, *why is a static text that says
 * why, and there is nothing to free.
 */
int rooms_jwk_read(const json_t *jwk, rooms_jwk_t *key, const char **why);
int rooms_jwk_set_secret(rooms_jwk_t *key, const unsigned char *data,
    size_t len, const char **why);

/* Wipes the secret, frees what the key owns, and zeroes the key. */
void rooms_jwk_clear(rooms_jwk_t *key);

#endif /* ROOMS_JWK_H */
