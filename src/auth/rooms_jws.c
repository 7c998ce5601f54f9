/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <jansson.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <sodium.h>

#include "rooms_base64.h"
#include "rooms_jws.h"


#define ROOMS_JWS_SIGNATURE_MAX  (ROOMS_JWK_RSA_MAX / 8)
#define ROOMS_JWS_DER            160  /* of ES512: 3 + 2 * (2 + 67) */


typedef struct {
    rooms_str_t         header;       /* each still in base64url */
    rooms_str_t         payload;
    rooms_str_t         signature;
    rooms_str_t         input;        /* header "." payload: what the
                                         signature covers */
} rooms_jws_parts_t;

/* The keys that fit a header. n counts all, also those that aren't listed. */
typedef struct {
    const rooms_jwk_t  *keys[ROOMS_JWS_TRIES];
    rooms_alg_e         alg;
    unsigned            n;
    unsigned            named:1;      /* the header has a kid, and a key has
                                         it */
} rooms_jws_keys_t;


int
rooms_jwt_init(void)
{
    return sodium_init() < 0 ? -1 : 0;
}


static int
rooms_jws_split(rooms_str_t token, rooms_jws_parts_t *parts)
{
    const unsigned char  *p, *dot1, *dot2, *end;

    if (token.len == 0 || token.len > ROOMS_JWT_MAX) {
        return -1;
    }

    p = token.data;
    end = p + token.len;

    dot1 = memchr(p, '.', token.len);

    if (dot1 == NULL) {
        return -1;
    }

    dot2 = memchr(dot1 + 1, '.', (size_t) (end - dot1 - 1));

    if (dot2 == NULL) {
        return -1;
    }

    parts->header = (rooms_str_t) { (size_t) (dot1 - p), p };
    parts->payload = (rooms_str_t) { (size_t) (dot2 - dot1 - 1), dot1 + 1 };
    parts->signature = (rooms_str_t) { (size_t) (end - dot2 - 1), dot2 + 1 };
    parts->input = (rooms_str_t) { (size_t) (dot2 - p), p };

    /* A third dot isn't base64url, so decoding that part will fail. */

    return (parts->header.len && parts->payload.len) ? 0 : -1;
}


/* Parses the header.  The caller frees it; NULL: it isn't a JSON object. */
static json_t *
rooms_jws_header(rooms_str_t part, size_t flags, unsigned char *buf,
    size_t buflen)
{
    long     n;
    json_t  *header;

    n = rooms_base64url_decode(buf, buflen, part);

    if (n < 0) {
        return NULL;
    }

    header = json_loadb((char *) buf, (size_t) n, flags, NULL);

    if (!json_is_object(header)) {
        json_decref(header);
        return NULL;
    }

    return header;
}


/*
 * Collects the keys that may have signed.  If the header names a key, these
 * are the keys of that name; else all that serve its algorithm.
 */
static void
rooms_jws_fit(const rooms_jwks_t *const *sets, unsigned nsets,
    rooms_alg_e alg, rooms_str_t kid, rooms_jws_keys_t *fit)
{
    unsigned            i, k;
    const rooms_jwk_t  *key;

    fit->alg = alg;
    fit->n = 0;
    fit->named = 0;

    for (i = 0; i < nsets; i++) {
        for (k = 0; sets[i] && k < sets[i]->nkeys; k++) {
            key = &sets[i]->keys[k];

            if (kid.data) {
                if (!rooms_str_eq(kid, key->kid)) {
                    continue;
                }

                fit->named = 1;
            }

            if (!rooms_jwk_serves(key, alg)) {
                continue;
            }

            if (fit->n < ROOMS_JWS_TRIES) {
                fit->keys[fit->n] = key;
            }

            fit->n++;
        }
    }
}


static rooms_jwt_e
rooms_jws_choose(const json_t *header, const rooms_jwks_t *const *sets,
    unsigned nsets, rooms_jws_keys_t *fit, const char **why)
{
    rooms_alg_e    alg;
    rooms_str_t    kid;
    const json_t  *v;

    if (json_object_get(header, "crit")) {
        *why = "\"crit\" extensions are not supported";
        return ROOMS_JWT_INVALID;
    }

    v = json_object_get(header, "alg");
    alg = json_is_string(v) ? rooms_alg_parse(json_string_value(v),
                                              json_string_length(v))
                            : ROOMS_ALG_NONE;

    if (alg == ROOMS_ALG_NONE) {
        *why = "\"alg\" is missing or not accepted";
        return ROOMS_JWT_INVALID;
    }

    kid = ROOMS_NULL;
    v = json_object_get(header, "kid");

    if (v) {
        if (!json_is_string(v)) {
            *why = "\"kid\" is not a string";
            return ROOMS_JWT_INVALID;
        }

        kid.data = (const unsigned char *) json_string_value(v);
        kid.len = json_string_length(v);
    }

    rooms_jws_fit(sets, nsets, alg, kid, fit);

    if (kid.data && !fit->named) {
        *why = "no key has this \"kid\"";
        return ROOMS_JWT_UNKNOWN_KID;
    }

    if (fit->n == 0) {
        *why = kid.data ? "\"alg\" doesn't fit the key"
                        : "no key is for this \"alg\"";
        return ROOMS_JWT_INVALID;
    }

    return ROOMS_JWT_OK;
}


static const EVP_MD *
rooms_jws_md(rooms_alg_e alg)
{
    switch (alg) {

    case ROOMS_ALG_RS384:
    case ROOMS_ALG_PS384:
    case ROOMS_ALG_ES384:
    case ROOMS_ALG_HS384:
        return EVP_sha384();

    case ROOMS_ALG_RS512:
    case ROOMS_ALG_PS512:
    case ROOMS_ALG_ES512:
    case ROOMS_ALG_HS512:
        return EVP_sha512();

    default:
        return EVP_sha256();
    }
}


/*
 * RFC 7518, sections 3.3 and 3.5.  The salt of PSS is as long as the hash,
 * and OpenSSL uses the same hash for the mask.
 */
static int
rooms_jws_pkey(EVP_PKEY *pkey, rooms_alg_e alg, const unsigned char *sig,
    size_t siglen, rooms_str_t input)
{
    int            ok;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    ctx = EVP_MD_CTX_new();

    ok = ctx != NULL
         && EVP_DigestVerifyInit(ctx, &pctx, rooms_jws_md(alg), NULL, pkey)
            == 1;

    if (ok && alg >= ROOMS_ALG_PS256 && alg <= ROOMS_ALG_PS512) {
        ok = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1
             && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
                                                 RSA_PSS_SALTLEN_DIGEST) == 1;
    }

    ok = ok && EVP_DigestVerify(ctx, sig, siglen, input.data, input.len) == 1;

    EVP_MD_CTX_free(ctx);

    return ok;
}


/*
 * RFC 7518, section 3.4: the signature is r and s, each as long as the
 * curve's coordinates.  OpenSSL wants a DER sequence, and checks their range.
 */
static int
rooms_jws_ec(EVP_PKEY *pkey, rooms_alg_e alg, const unsigned char *sig,
    size_t siglen, rooms_str_t input)
{
    int             len, ok;
    size_t          n;
    BIGNUM         *r, *s;
    ECDSA_SIG      *rs;
    unsigned char   der[ROOMS_JWS_DER], *p;

    n = alg == ROOMS_ALG_ES256 ? 32 : alg == ROOMS_ALG_ES384 ? 48 : 66;

    if (siglen != 2 * n) {
        return 0;
    }

    r = BN_bin2bn(sig, (int) n, NULL);
    s = BN_bin2bn(sig + n, (int) n, NULL);
    rs = ECDSA_SIG_new();

    if (r == NULL || s == NULL || rs == NULL || !ECDSA_SIG_set0(rs, r, s)) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(rs);
        return 0;
    }

    p = der;
    len = i2d_ECDSA_SIG(rs, &p);
    ok = len > 0 && rooms_jws_pkey(pkey, alg, der, (size_t) len, input);

    ECDSA_SIG_free(rs);

    return ok;
}


static int
rooms_jws_hmac(const rooms_jwk_t *key, rooms_alg_e alg,
    const unsigned char *sig, size_t siglen, rooms_str_t input)
{
    unsigned       len;
    unsigned char  mac[EVP_MAX_MD_SIZE];

    return HMAC(rooms_jws_md(alg), key->secret, (int) key->secret_len,
                input.data, input.len, mac, &len) != NULL
           && siglen == len && sodium_memcmp(mac, sig, len) == 0;
}


static int
rooms_jws_check(const rooms_jwk_t *key, rooms_alg_e alg,
    const unsigned char *sig, size_t siglen, rooms_str_t input)
{
    switch (key->kind) {

    case ROOMS_KEY_RSA:
        return rooms_jws_pkey(key->pkey, alg, sig, siglen, input);

    case ROOMS_KEY_P256:
    case ROOMS_KEY_P384:
    case ROOMS_KEY_P521:
        return rooms_jws_ec(key->pkey, alg, sig, siglen, input);

    case ROOMS_KEY_ED25519:
        return siglen == crypto_sign_BYTES
               && crypto_sign_verify_detached(sig, input.data, input.len,
                                              key->ed25519) == 0;

    case ROOMS_KEY_OCT:
        return rooms_jws_hmac(key, alg, sig, siglen, input);
    }

    return 0;
}


static rooms_jwt_e
rooms_jws_try(const rooms_jws_parts_t *parts, const rooms_jws_keys_t *fit,
    const char **why)
{
    int            ok;
    long           siglen;
    unsigned       i;
    unsigned char  sig[ROOMS_JWS_SIGNATURE_MAX];

    siglen = rooms_base64url_decode(sig, sizeof(sig), parts->signature);

    if (siglen < 0) {
        *why = "the signature is not base64url, or too long";
        return ROOMS_JWT_INVALID;
    }

    /*
     * A bad signature leaves errors in the thread's queue.  NGINX would log
     * them as an alert of its next TLS connection.
     */
    (void) ERR_set_mark();

    ok = 0;

    for (i = 0; !ok && i < fit->n && i < ROOMS_JWS_TRIES; i++) {
        ok = rooms_jws_check(fit->keys[i], fit->alg, sig, (size_t) siglen,
                             parts->input);
    }

    (void) ERR_pop_to_mark();

    if (ok) {
        return ROOMS_JWT_OK;
    }

    *why = fit->n > ROOMS_JWS_TRIES
           ? "too many keys match, and none of the first ones has signed the "
             "token"
           : "the signature doesn't match";
    return ROOMS_JWT_INVALID;
}


rooms_jwt_e
rooms_jws_verify(rooms_str_t token, const rooms_jwks_t *const *sets,
    unsigned nsets, unsigned char *buf, size_t buflen, rooms_str_t *payload,
    const char **why)
{
    long                n;
    json_t             *header;
    const char         *unused;
    rooms_jwt_e         rc;
    rooms_jws_keys_t    fit;
    rooms_jws_parts_t   parts;

    why = why ? why : &unused;
    *payload = ROOMS_NULL;

    if (token.len > ROOMS_JWT_MAX) {
        *why = "the token is longer than 8192 bytes";
        return ROOMS_JWT_INVALID;
    }

    if (buflen < ROOMS_JWT_BUF || rooms_jws_split(token, &parts) != 0
        || parts.signature.len == 0)
    {
        *why = "the token does not have three parts separated by dots";
        return ROOMS_JWT_INVALID;
    }

    header = rooms_jws_header(parts.header, JSON_REJECT_DUPLICATES, buf,
                              buflen);

    if (header == NULL) {
        *why = "the header is not a JSON object in base64url";
        return ROOMS_JWT_INVALID;
    }

    rc = rooms_jws_choose(header, sets, nsets, &fit, why);

    json_decref(header);

    if (rc == ROOMS_JWT_OK) {
        rc = rooms_jws_try(&parts, &fit, why);
    }

    if (rc != ROOMS_JWT_OK) {
        return rc;
    }

    n = rooms_base64url_decode(buf, buflen, parts.payload);

    if (n < 0) {
        *why = "the payload is not base64url";
        return ROOMS_JWT_INVALID;
    }

    *payload = (rooms_str_t) { (size_t) n, buf };

    return ROOMS_JWT_OK;
}


/*
 * Deliberately less strict than verifying.  A header with a duplicate member
 * or any "alg", or the empty signature of "none" (RFC 7519, section 6), still
 * makes a JWT.  So hybrid mode refuses it, instead of taking it for a mock
 * token.
 */
int
rooms_jwt_looks_like(rooms_str_t token)
{
    int                 yes;
    json_t             *header;
    unsigned char       buf[ROOMS_JWT_BUF];
    rooms_jws_parts_t   parts;

    if (rooms_jws_split(token, &parts) != 0
        || rooms_base64url_decode(buf, sizeof(buf), parts.payload) < 0
        || rooms_base64url_decode(buf, sizeof(buf), parts.signature) < 0)
    {
        return 0;
    }

    header = rooms_jws_header(parts.header, 0, buf, sizeof(buf));
    yes = json_object_get(header, "alg") != NULL;

    json_decref(header);

    return yes;
}
