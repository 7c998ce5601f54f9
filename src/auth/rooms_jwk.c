/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <stdlib.h>

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <sodium.h>

#include "rooms_base64.h"
#include "rooms_jwk.h"


#define ROOMS_JWK_KID_MAX  1024


typedef rooms_jwk_e (*rooms_jwk_read_pt)(const json_t *jwk, rooms_jwk_t *key,
    const char **why);

typedef struct {
    const char         *kty;
    const char         *crv;          /* NULL: the kind has no curves */
    rooms_alg_e         alg;
    rooms_jwk_read_pt   read;
} rooms_jwk_kind_t;


static rooms_jwk_e rooms_jwk_rsa(const json_t *jwk, rooms_jwk_t *key,
    const char **why);
static rooms_jwk_e rooms_jwk_ec(const json_t *jwk, rooms_jwk_t *key,
    const char **why);
static rooms_jwk_e rooms_jwk_ed25519(const json_t *jwk, rooms_jwk_t *key,
    const char **why);
static rooms_jwk_e rooms_jwk_oct(const json_t *jwk, rooms_jwk_t *key,
    const char **why);


static const rooms_jwk_kind_t  rooms_jwk_kinds[] = {
    { "RSA", NULL, ROOMS_ALG_RS256, rooms_jwk_rsa },
    { "EC", "P-256", ROOMS_ALG_ES256, rooms_jwk_ec },
    { "OKP", "Ed25519", ROOMS_ALG_EDDSA, rooms_jwk_ed25519 },
    { "oct", NULL, ROOMS_ALG_HS256, rooms_jwk_oct },
    { NULL, NULL, ROOMS_ALG_NONE, NULL }
};

static const char *const  rooms_alg_names[] = {
    [ROOMS_ALG_RS256] = "RS256",
    [ROOMS_ALG_ES256] = "ES256",
    [ROOMS_ALG_EDDSA] = "EdDSA",
    [ROOMS_ALG_HS256] = "HS256"
};


rooms_alg_e
rooms_alg_parse(const char *name, size_t len)
{
    unsigned  i;

    for (i = ROOMS_ALG_NONE + 1; i <= ROOMS_ALG_HS256; i++) {
        if (len == strlen(rooms_alg_names[i])
            && memcmp(name, rooms_alg_names[i], len) == 0)
        {
            return (rooms_alg_e) i;
        }
    }

    return ROOMS_ALG_NONE;
}


/*
 * Decodes the base64url member `name` into dst.  Returns the number of bytes,
 * or -1 with *why: missing, no string, no base64url, longer than cap.
 */
static long
rooms_jwk_bytes(const json_t *jwk, const char *name, unsigned char *dst,
    size_t cap, const char **why)
{
    long          n;
    const json_t *v;

    v = json_object_get(jwk, name);

    if (!json_is_string(v)) {
        *why = "a member that the key's kind requires is missing";
        return -1;
    }

    n = rooms_base64url_decode(dst, cap, (rooms_str_t) {
            json_string_length(v),
            (const unsigned char *) json_string_value(v) });

    if (n <= 0) {
        *why = "a member is no base64url or has a wrong length";
        return -1;
    }

    return n;
}


/* Takes bld over.  NULL if OpenSSL finds the numbers to be no such key. */
static EVP_PKEY *
rooms_jwk_build(const char *type, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY      *pkey;
    OSSL_PARAM    *params;
    EVP_PKEY_CTX  *ctx;

    pkey = NULL;
    params = OSSL_PARAM_BLD_to_param(bld);
    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

    if (params == NULL
        || ctx == NULL
        || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        pkey = NULL;
    }

    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);

    return pkey;
}


/*
 * RFC 7518, section 6.3.1.  OpenSSL takes any pair of numbers for an RSA
 * key, so what keeps a nonsensical one out is here: a modulus of a sane size
 * and odd, an exponent that is odd, not 1 and, as FIPS 186-5 and everybody
 * else has it, small.
 */
static rooms_jwk_e
rooms_jwk_rsa(const json_t *jwk, rooms_jwk_t *key, const char **why)
{
    int              bits;
    long             nlen, elen;
    BIGNUM          *n, *e;
    unsigned char    nbuf[ROOMS_JWK_RSA_MAX / 8 + 8], ebuf[8];
    OSSL_PARAM_BLD  *bld;

    nlen = rooms_jwk_bytes(jwk, "n", nbuf, sizeof(nbuf), why);
    elen = nlen < 0 ? -1 : rooms_jwk_bytes(jwk, "e", ebuf, sizeof(ebuf), why);

    if (elen < 0) {
        return ROOMS_JWK_BAD;
    }

    n = BN_bin2bn(nbuf, (int) nlen, NULL);
    e = BN_bin2bn(ebuf, (int) elen, NULL);
    bld = OSSL_PARAM_BLD_new();
    bits = n ? BN_num_bits(n) : 0;

    if (bits < ROOMS_JWK_RSA_MIN) {
        *why = "RSA key is shorter than 2048 bits";

    } else if (bits > ROOMS_JWK_RSA_MAX) {
        *why = "RSA key is longer than 8192 bits";

    } else if (e == NULL || !BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e)) {
        *why = "RSA modulus or exponent is impossible";

    } else if (bld != NULL
               && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n)
               && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e))
    {
        key->pkey = rooms_jwk_build("RSA", bld);
        bld = NULL;
        *why = "RSA key is refused by OpenSSL";
    }

    OSSL_PARAM_BLD_free(bld);
    BN_free(n);
    BN_free(e);

    return key->pkey ? ROOMS_JWK_OK : ROOMS_JWK_BAD;
}


/*
 * RFC 7518, section 6.2.1: coordinates of just 32 bytes.  That the point is
 * on the curve is checked by OpenSSL as it reads the point.
 */
static rooms_jwk_e
rooms_jwk_ec(const json_t *jwk, rooms_jwk_t *key, const char **why)
{
    long             xlen, ylen;
    unsigned char    point[65];
    OSSL_PARAM_BLD  *bld;

    point[0] = 0x04;                  /* uncompressed */
    xlen = rooms_jwk_bytes(jwk, "x", point + 1, 32, why);
    ylen = xlen < 0 ? -1 : rooms_jwk_bytes(jwk, "y", point + 33, 32, why);

    if (ylen < 0) {
        return ROOMS_JWK_BAD;
    }

    if (xlen != 32 || ylen != 32) {
        *why = "coordinates of a P-256 key are not 32 bytes";
        return ROOMS_JWK_BAD;
    }

    bld = OSSL_PARAM_BLD_new();

    if (bld != NULL
        && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                           "prime256v1", 0)
        && OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
                                            point, sizeof(point)))
    {
        key->pkey = rooms_jwk_build("EC", bld);
        bld = NULL;
    }

    OSSL_PARAM_BLD_free(bld);
    *why = "point is not on P-256";

    return key->pkey ? ROOMS_JWK_OK : ROOMS_JWK_BAD;
}


/* RFC 8037, section 2; the point must be of the prime-order group. */
static rooms_jwk_e
rooms_jwk_ed25519(const json_t *jwk, rooms_jwk_t *key, const char **why)
{
    long  n;

    n = rooms_jwk_bytes(jwk, "x", key->ed25519, sizeof(key->ed25519), why);

    if (n < 0) {
        return ROOMS_JWK_BAD;
    }

    if (n != 32 || !crypto_core_ed25519_is_valid_point(key->ed25519)) {
        *why = "x is no Ed25519 public key";
        return ROOMS_JWK_BAD;
    }

    return ROOMS_JWK_OK;
}


rooms_jwk_e
rooms_jwk_set_secret(rooms_jwk_t *key, const unsigned char *data, size_t len,
    const char **why)
{
    if (len < ROOMS_SECRET_MIN || len > ROOMS_SECRET_MAX) {
        *why = "secret is shorter than 16 or longer than 4096 bytes";
        return ROOMS_JWK_BAD;
    }

    key->alg = ROOMS_ALG_HS256;
    key->secret = malloc(len);

    if (key->secret == NULL) {
        *why = "no memory";
        return ROOMS_JWK_BAD;
    }

    memcpy(key->secret, data, len);
    key->secret_len = len;

    return ROOMS_JWK_OK;
}


/* RFC 7518, section 6.4.1 */
static rooms_jwk_e
rooms_jwk_oct(const json_t *jwk, rooms_jwk_t *key, const char **why)
{
    long           n;
    rooms_jwk_e    rc;
    unsigned char  buf[ROOMS_SECRET_MAX];

    n = rooms_jwk_bytes(jwk, "k", buf, sizeof(buf), why);
    rc = n < 0 ? ROOMS_JWK_BAD
               : rooms_jwk_set_secret(key, buf, (size_t) n, why);

    sodium_memzero(buf, sizeof(buf));

    return rc;
}


/*
 * RFC 7517, sections 4.2 and 4.3: whether the key is there to verify
 * signatures.  "use" may be any text, so one that we don't know skips.
 */
static rooms_jwk_e
rooms_jwk_purpose(const json_t *jwk, const char **why)
{
    size_t         i;
    const json_t  *v, *op;

    v = json_object_get(jwk, "use");

    if (v != NULL) {
        if (!json_is_string(v)) {
            *why = "\"use\" is not a string";
            return ROOMS_JWK_BAD;
        }

        if (strcmp(json_string_value(v), "sig") != 0) {
            return ROOMS_JWK_SKIP;
        }
    }

    v = json_object_get(jwk, "key_ops");

    if (v == NULL) {
        return ROOMS_JWK_OK;
    }

    if (!json_is_array(v)) {
        *why = "\"key_ops\" is not an array";
        return ROOMS_JWK_BAD;
    }

    json_array_foreach(v, i, op) {
        if (json_is_string(op)
            && strcmp(json_string_value(op), "verify") == 0)
        {
            return ROOMS_JWK_OK;
        }
    }

    return ROOMS_JWK_SKIP;
}


/* Finds the row of rooms_jwk_kinds, and holds the key's own "alg" to it. */
static rooms_jwk_e
rooms_jwk_kind(const json_t *jwk, const rooms_jwk_kind_t **kind,
    const char **why)
{
    rooms_alg_e              alg;
    const char              *kty, *crv;
    const json_t            *v;
    const rooms_jwk_kind_t  *k;

    kty = json_string_value(json_object_get(jwk, "kty"));
    crv = json_string_value(json_object_get(jwk, "crv"));

    if (kty == NULL) {
        *why = "\"kty\" is missing or not a string";
        return ROOMS_JWK_BAD;
    }

    for (k = rooms_jwk_kinds; k->kty && strcmp(k->kty, kty) != 0; k++);

    if (k->kty == NULL) {
        return ROOMS_JWK_SKIP;
    }

    if (k->crv && crv == NULL) {
        *why = "\"crv\" is missing or not a string";
        return ROOMS_JWK_BAD;
    }

    if (k->crv && strcmp(k->crv, crv) != 0) {
        return ROOMS_JWK_SKIP;
    }

    *kind = k;
    v = json_object_get(jwk, "alg");

    if (v == NULL) {
        return ROOMS_JWK_OK;
    }

    if (!json_is_string(v)) {
        *why = "\"alg\" is not a string";
        return ROOMS_JWK_BAD;
    }

    alg = rooms_alg_parse(json_string_value(v), json_string_length(v));

    if (alg != ROOMS_ALG_NONE && alg != k->alg) {
        *why = "\"alg\" doesn't fit \"kty\"";
        return ROOMS_JWK_BAD;
    }

    return alg == ROOMS_ALG_NONE ? ROOMS_JWK_SKIP : ROOMS_JWK_OK;
}


static rooms_jwk_e
rooms_jwk_kid(const json_t *jwk, rooms_jwk_t *key, const char **why)
{
    size_t          len;
    unsigned char  *p;
    const json_t   *v;

    v = json_object_get(jwk, "kid");

    if (v == NULL) {
        return ROOMS_JWK_OK;
    }

    len = json_string_length(v);

    if (!json_is_string(v) || len > ROOMS_JWK_KID_MAX) {
        *why = "\"kid\" is not a string, or too long";
        return ROOMS_JWK_BAD;
    }

    p = malloc(len + 1);

    if (p == NULL) {
        *why = "no memory";
        return ROOMS_JWK_BAD;
    }

    memcpy(p, json_string_value(v), len + 1);
    key->kid = (rooms_str_t) { len, p };

    return ROOMS_JWK_OK;
}


void
rooms_jwk_clear(rooms_jwk_t *key)
{
    if (key->secret) {
        sodium_memzero(key->secret, key->secret_len);
        free(key->secret);
    }

    EVP_PKEY_free(key->pkey);
    free((void *) key->kid.data);
    memset(key, 0, sizeof(rooms_jwk_t));
}


rooms_jwk_e
rooms_jwk_read(const json_t *jwk, rooms_jwk_t *key, const char **why)
{
    rooms_jwk_e              rc;
    const rooms_jwk_kind_t  *kind;

    if (!json_is_object(jwk)) {
        *why = "not an object";
        return ROOMS_JWK_BAD;
    }

    kind = NULL;
    rc = rooms_jwk_kind(jwk, &kind, why);

    if (rc == ROOMS_JWK_OK) {
        rc = rooms_jwk_purpose(jwk, why);
    }

    if (rc == ROOMS_JWK_OK) {
        key->alg = kind->alg;
        rc = kind->read(jwk, key, why);
    }

    if (rc == ROOMS_JWK_OK) {
        rc = rooms_jwk_kid(jwk, key, why);
    }

    if (rc != ROOMS_JWK_OK) {
        rooms_jwk_clear(key);
    }

    return rc;
}
