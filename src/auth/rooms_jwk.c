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


#define ROOMS_JWK_KID_MAX     1024
#define ROOMS_JWK_COORDINATE    66


typedef int (*rooms_jwk_read_pt)(const json_t *jwk, rooms_jwk_t *key,
    const char **why);

typedef struct {
    const char         *kty;
    const char         *crv;          /* NULL: the kind has no curves */
    rooms_key_e         kind;
    rooms_jwk_read_pt   read;
} rooms_jwk_kind_t;

typedef struct {
    const char         *name;
    const char         *problem;
    size_t              bytes;        /* of a coordinate */
} rooms_jwk_curve_t;


static int rooms_jwk_rsa(const json_t *jwk, rooms_jwk_t *key,
    const char **why);
static int rooms_jwk_ec(const json_t *jwk, rooms_jwk_t *key,
    const char **why);
static int rooms_jwk_ed25519(const json_t *jwk, rooms_jwk_t *key,
    const char **why);
static int rooms_jwk_oct(const json_t *jwk, rooms_jwk_t *key,
    const char **why);


static const rooms_jwk_kind_t  rooms_jwk_kinds[] = {
    { "RSA", NULL, ROOMS_KEY_RSA, rooms_jwk_rsa },
    { "EC", "P-256", ROOMS_KEY_P256, rooms_jwk_ec },
    { "EC", "P-384", ROOMS_KEY_P384, rooms_jwk_ec },
    { "EC", "P-521", ROOMS_KEY_P521, rooms_jwk_ec },
    { "OKP", "Ed25519", ROOMS_KEY_ED25519, rooms_jwk_ed25519 },
    { "oct", NULL, ROOMS_KEY_OCT, rooms_jwk_oct },
    { NULL, NULL, 0, NULL }
};

static const rooms_jwk_curve_t  rooms_jwk_curves[] = {
    [ROOMS_KEY_P256] = { "prime256v1",
                         "coordinates of a P-256 key are not 32 bytes", 32 },
    [ROOMS_KEY_P384] = { "secp384r1",
                         "coordinates of a P-384 key are not 48 bytes", 48 },
    [ROOMS_KEY_P521] = { "secp521r1",
                         "coordinates of a P-521 key are not 66 bytes", 66 }
};

static const struct {
    const char   *name;
    rooms_key_e   kind;
} rooms_algs[ROOMS_ALG_MAX] = {
    [ROOMS_ALG_RS256] = { "RS256", ROOMS_KEY_RSA },
    [ROOMS_ALG_RS384] = { "RS384", ROOMS_KEY_RSA },
    [ROOMS_ALG_RS512] = { "RS512", ROOMS_KEY_RSA },
    [ROOMS_ALG_PS256] = { "PS256", ROOMS_KEY_RSA },
    [ROOMS_ALG_PS384] = { "PS384", ROOMS_KEY_RSA },
    [ROOMS_ALG_PS512] = { "PS512", ROOMS_KEY_RSA },
    [ROOMS_ALG_ES256] = { "ES256", ROOMS_KEY_P256 },
    [ROOMS_ALG_ES384] = { "ES384", ROOMS_KEY_P384 },
    [ROOMS_ALG_ES512] = { "ES512", ROOMS_KEY_P521 },
    [ROOMS_ALG_HS256] = { "HS256", ROOMS_KEY_OCT },
    [ROOMS_ALG_HS384] = { "HS384", ROOMS_KEY_OCT },
    [ROOMS_ALG_HS512] = { "HS512", ROOMS_KEY_OCT },
    [ROOMS_ALG_EDDSA] = { "EdDSA", ROOMS_KEY_ED25519 }
};


rooms_alg_e
rooms_alg_parse(const char *name, size_t len)
{
    unsigned  i;

    for (i = ROOMS_ALG_NONE + 1; i < ROOMS_ALG_MAX; i++) {
        if (len == strlen(rooms_algs[i].name)
            && memcmp(name, rooms_algs[i].name, len) == 0)
        {
            return (rooms_alg_e) i;
        }
    }

    return ROOMS_ALG_NONE;
}


int
rooms_jwk_serves(const rooms_jwk_t *key, rooms_alg_e alg)
{
    return rooms_algs[alg].kind == key->kind
           && (key->alg == ROOMS_ALG_NONE || key->alg == alg);
}


/* A member that is null counts as missing. */
static const json_t *
rooms_jwk_member(const json_t *jwk, const char *name)
{
    const json_t  *v;

    v = json_object_get(jwk, name);

    return json_is_null(v) ? NULL : v;
}


/*
 * Decodes the base64url member `name` into dst.  Returns the number of bytes,
 * or -1 with *why: missing, not a string, not base64url, longer than cap.
 */
static long
rooms_jwk_bytes(const json_t *jwk, const char *name, unsigned char *dst,
    size_t cap, const char **why)
{
    long           n;
    const json_t  *v;

    v = json_object_get(jwk, name);

    if (!json_is_string(v)) {
        *why = "a member that this kind of key requires is missing";
        return -1;
    }

    n = rooms_base64url_decode(dst, cap, (rooms_str_t) {
            json_string_length(v),
            (const unsigned char *) json_string_value(v) });

    if (n <= 0) {
        *why = "a member is not base64url or has a wrong length";
        return -1;
    }

    return n;
}


/* Frees bld.  Returns NULL if OpenSSL refuses the numbers. */
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
 * RFC 7518, section 6.3.1.  OpenSSL accepts any pair of numbers as an RSA
 * key, so we check them: the modulus is odd and of a sane size; the exponent
 * is odd, not 1 and small, as FIPS 186-5 requires.
 */
static int
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
        return -1;
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

    return key->pkey ? 0 : -1;
}


/*
 * RFC 7518, section 6.2.1: the coordinates have exactly the curve's size.
 * OpenSSL checks that the point is on the curve.
 */
static int
rooms_jwk_ec(const json_t *jwk, rooms_jwk_t *key, const char **why)
{
    long                      xlen, ylen;
    size_t                    n;
    unsigned char             point[1 + 2 * ROOMS_JWK_COORDINATE];
    OSSL_PARAM_BLD           *bld;
    const rooms_jwk_curve_t  *curve;

    curve = &rooms_jwk_curves[key->kind];
    n = curve->bytes;

    point[0] = 0x04;                  /* uncompressed */
    xlen = rooms_jwk_bytes(jwk, "x", point + 1, n, why);
    ylen = xlen < 0 ? -1 : rooms_jwk_bytes(jwk, "y", point + 1 + n, n, why);

    if (ylen < 0) {
        return -1;
    }

    if ((size_t) xlen != n || (size_t) ylen != n) {
        *why = curve->problem;
        return -1;
    }

    bld = OSSL_PARAM_BLD_new();

    if (bld != NULL
        && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                           curve->name, 0)
        && OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
                                            point, 1 + 2 * n))
    {
        key->pkey = rooms_jwk_build("EC", bld);
        bld = NULL;
    }

    OSSL_PARAM_BLD_free(bld);
    *why = "point is not on the curve";

    return key->pkey ? 0 : -1;
}


/* RFC 8037, section 2.  The point must be in the prime-order group. */
static int
rooms_jwk_ed25519(const json_t *jwk, rooms_jwk_t *key, const char **why)
{
    long  n;

    n = rooms_jwk_bytes(jwk, "x", key->ed25519, sizeof(key->ed25519), why);

    if (n < 0) {
        return -1;
    }

    if (n != 32 || !crypto_core_ed25519_is_valid_point(key->ed25519)) {
        *why = "x is not an Ed25519 public key";
        return -1;
    }

    return 0;
}


int
rooms_jwk_set_secret(rooms_jwk_t *key, const unsigned char *data, size_t len,
    const char **why)
{
    if (len < ROOMS_SECRET_MIN || len > ROOMS_SECRET_MAX) {
        *why = "secret is shorter than 16 or longer than 4096 bytes";
        return -1;
    }

    key->kind = ROOMS_KEY_OCT;
    key->secret = malloc(len);

    if (key->secret == NULL) {
        *why = "no memory";
        return -1;
    }

    memcpy(key->secret, data, len);
    key->secret_len = len;

    return 0;
}


/* RFC 7518, section 6.4.1 */
static int
rooms_jwk_oct(const json_t *jwk, rooms_jwk_t *key, const char **why)
{
    int            rc;
    long           n;
    unsigned char  buf[ROOMS_SECRET_MAX];

    n = rooms_jwk_bytes(jwk, "k", buf, sizeof(buf), why);
    rc = n < 0 ? -1
               : rooms_jwk_set_secret(key, buf, (size_t) n, why);

    sodium_memzero(buf, sizeof(buf));

    return rc;
}


/* RFC 7517, sections 4.2 and 4.3: whether the key may verify signatures. */
static int
rooms_jwk_purpose(const json_t *jwk, const char **why)
{
    size_t         i;
    const json_t  *v, *op;

    v = rooms_jwk_member(jwk, "use");

    if (v && (!json_is_string(v) || strcmp(json_string_value(v), "sig") != 0))
    {
        *why = "\"use\" is not \"sig\"";
        return -1;
    }

    v = rooms_jwk_member(jwk, "key_ops");

    if (v == NULL) {
        return 0;
    }

    json_array_foreach(v, i, op) {
        if (json_is_string(op)
            && strcmp(json_string_value(op), "verify") == 0)
        {
            return 0;
        }
    }

    *why = "\"key_ops\" has no \"verify\"";

    return -1;
}


/* Finds the row of rooms_jwk_kinds for the key. */
static int
rooms_jwk_kind(const json_t *jwk, const rooms_jwk_kind_t **kind,
    const char **why)
{
    const char              *kty, *crv;
    const rooms_jwk_kind_t  *k;

    kty = json_string_value(json_object_get(jwk, "kty"));
    crv = json_string_value(json_object_get(jwk, "crv"));

    *why = kty ? "this \"kty\" is not supported"
               : "\"kty\" is missing or not a string";

    for (k = rooms_jwk_kinds; kty && k->kty; k++) {

        if (strcmp(k->kty, kty) != 0) {
            continue;
        }

        if (k->crv == NULL || (crv && strcmp(k->crv, crv) == 0)) {
            *kind = k;
            return 0;
        }

        *why = crv ? "this \"crv\" is not supported"
                   : "\"crv\" is missing or not a string";
    }

    return -1;
}


/* RFC 7517, section 4.4 */
static int
rooms_jwk_alg(const json_t *jwk, rooms_jwk_t *key, const char **why)
{
    rooms_alg_e    alg;
    const json_t  *v;

    v = rooms_jwk_member(jwk, "alg");

    if (v == NULL) {
        return 0;
    }

    alg = json_is_string(v) ? rooms_alg_parse(json_string_value(v),
                                              json_string_length(v))
                            : ROOMS_ALG_NONE;

    if (alg == ROOMS_ALG_NONE) {
        *why = "this \"alg\" is not supported";
        return -1;
    }

    if (!rooms_jwk_serves(key, alg)) {
        *why = "\"alg\" doesn't fit \"kty\"";
        return -1;
    }

    key->alg = alg;

    return 0;
}


static int
rooms_jwk_kid(const json_t *jwk, rooms_jwk_t *key, const char **why)
{
    size_t          len;
    unsigned char  *p;
    const json_t   *v;

    v = rooms_jwk_member(jwk, "kid");

    if (v == NULL) {
        return 0;
    }

    len = json_string_length(v);

    if (!json_is_string(v) || len > ROOMS_JWK_KID_MAX) {
        *why = "\"kid\" is not a string, or too long";
        return -1;
    }

    p = malloc(len + 1);

    if (p == NULL) {
        *why = "no memory";
        return -1;
    }

    memcpy(p, json_string_value(v), len + 1);
    key->kid = (rooms_str_t) { len, p };

    return 0;
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


int
rooms_jwk_read(const json_t *jwk, rooms_jwk_t *key, const char **why)
{
    const rooms_jwk_kind_t  *kind;

    if (!json_is_object(jwk)) {
        *why = "not an object";
        return -1;
    }

    if (rooms_jwk_kind(jwk, &kind, why) != 0) {
        return -1;
    }

    key->kind = kind->kind;

    if (rooms_jwk_purpose(jwk, why) != 0
        || rooms_jwk_alg(jwk, key, why) != 0
        || kind->read(jwk, key, why) != 0
        || rooms_jwk_kid(jwk, key, why) != 0)
    {
        rooms_jwk_clear(key);
        return -1;
    }

    return 0;
}
