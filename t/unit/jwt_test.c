/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Tokens of src/auth.  Keys are generated on each run.  Most cases are rows
 * of a table in jwt_cases.h; each is a test of its own.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sodium.h>

#include "jwt_cases.h"
#include "jwt_vectors.h"
#include "rooms_jwt.h"


#define nitems(a)  (sizeof(a) / sizeof((a)[0]))


static EVP_PKEY           *rsa, *ec, *ec384, *ec521;
static unsigned char       ed_pk[32], ed_sk[64];
static unsigned char       hs[32], file_secret[40];
static unsigned char      *confused;          /* a public key as a secret */
static size_t              confused_len;
static char                rsa_n[1024], ec_x[64], ec_y[64], ed_x[64];
static rooms_jwks_t       *sets_own[2];
static const rooms_jwks_t *const  *sets;
static rooms_jwt_check_t   check;
static rooms_principal_t   who;
static unsigned char       work[ROOMS_JWT_BUF];
static const char         *why;


static char *
b64(char *dst, size_t cap, const void *src, size_t len)
{
    return sodium_bin2base64(dst, cap, src, len,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}


/* raw: r and s with this many bytes each, instead of DER */
static size_t
sign_with(EVP_PKEY *pkey, const EVP_MD *md, int pss, const char *in,
    unsigned char *sig, int raw)
{
    size_t                len;
    ECDSA_SIG            *rs;
    EVP_MD_CTX           *ctx;
    EVP_PKEY_CTX         *pctx;
    unsigned char         der[1024];
    const unsigned char  *p;

    len = sizeof(der);
    ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, md, NULL, pkey), 1);

    if (pss) {
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
    }

    assert_int_equal(EVP_DigestSign(ctx, der, &len, (const void *) in,
                                    strlen(in)), 1);
    EVP_MD_CTX_free(ctx);

    if (!raw) {
        memcpy(sig, der, len);
        return len;
    }

    p = der;
    rs = d2i_ECDSA_SIG(NULL, &p, (long) len);
    BN_bn2binpad(ECDSA_SIG_get0_r(rs), sig, raw);
    BN_bn2binpad(ECDSA_SIG_get0_s(rs), sig + raw, raw);
    ECDSA_SIG_free(rs);

    return 2 * raw;
}


static size_t
sign_pkey(EVP_PKEY *pkey, const char *in, unsigned char *sig, int raw)
{
    return sign_with(pkey, EVP_sha256(), 0, in, sig, raw);
}


static size_t
sign_long_hmac(const EVP_MD *md, const char *in, unsigned char *sig)
{
    unsigned  len;

    assert_non_null(HMAC(md, hs, sizeof(hs), (const void *) in, strlen(in),
                         sig, &len));

    return len;
}


static size_t
sign_hmac(const void *key, size_t keylen, const char *in, unsigned char *sig)
{
    crypto_auth_hmacsha256_state  st;

    crypto_auth_hmacsha256_init(&st, key, keylen);
    crypto_auth_hmacsha256_update(&st, (const void *) in, strlen(in));
    crypto_auth_hmacsha256_final(&st, sig);

    return 32;
}


static size_t
sign(signer_e signer, const char *in, unsigned char *sig)
{
    switch (signer) {

    case RS:
        return sign_pkey(rsa, in, sig, 0);

    case ES:
        return sign_pkey(ec, in, sig, 32);

    case ED:
        crypto_sign_detached(sig, NULL, (const void *) in, strlen(in), ed_sk);
        return 64;

    case H:
        return sign_hmac(hs, sizeof(hs), in, sig);

    case HF:
        return sign_hmac(file_secret, sizeof(file_secret), in, sig);

    case RS384:
        return sign_with(rsa, EVP_sha384(), 0, in, sig, 0);

    case RS512:
        return sign_with(rsa, EVP_sha512(), 0, in, sig, 0);

    case PS256:
        return sign_with(rsa, EVP_sha256(), 1, in, sig, 0);

    case PS384:
        return sign_with(rsa, EVP_sha384(), 1, in, sig, 0);

    case PS512:
        return sign_with(rsa, EVP_sha512(), 1, in, sig, 0);

    case ES384:
        return sign_with(ec384, EVP_sha384(), 0, in, sig, 48);

    case ES512:
        return sign_with(ec521, EVP_sha512(), 0, in, sig, 66);

    case H384:
        return sign_long_hmac(EVP_sha384(), in, sig);

    case H512:
        return sign_long_hmac(EVP_sha512(), in, sig);

    default:
        return sign_hmac(confused, confused_len, in, sig);
    }
}


/* header.payload.signature; the next call reuses the buffer */
static char *
make(signer_e signer, const char *header, const char *payload)
{
    size_t         n;
    unsigned char  sig[1024];
    static char    token[32768];

    b64(token, sizeof(token), header, strlen(header));
    strcat(token, ".");
    n = strlen(token);
    b64(token + n, sizeof(token) - n, payload, strlen(payload));

    n = sign(signer, token, sig);
    strcat(token, ".");
    b64(token + strlen(token), sizeof(token) - strlen(token), sig, n);

    return token;
}


/*
 * From a buffer of exactly that size, so that AddressSanitizer detects
 * overreads.
 */
static rooms_jwt_e
verify_len(const char *token, size_t len)
{
    rooms_jwt_e     rc;
    unsigned char  *p, *buf;

    p = malloc(len ? len : 1);
    buf = malloc(ROOMS_JWT_BUF);
    memcpy(p, token, len);
    why = NULL;

    rc = rooms_jwt_verify((rooms_str_t) { len, p }, &check, &who, buf,
                          ROOMS_JWT_BUF, &why);

    assert_int_equal(ERR_peek_error(), 0);

    if (rc == ROOMS_JWT_OK) {
        assert_true(who.sub.data >= buf && who.sub.data < buf + 1024);
        memcpy(work, buf, sizeof(work));
        who.sub.data = work + (who.sub.data - buf);
        who.tenant.data = work + (who.tenant.data - buf);
        who.name.data = who.name.data ? work + (who.name.data - buf) : NULL;
        who.local.data = who.local.data ? work + (who.local.data - buf)
                                        : NULL;
    } else {
        assert_non_null(why);
        assert_null(who.sub.data);
        assert_false(who.admin);
    }

    free(buf);
    free(p);

    return rc;
}


static rooms_jwt_e
verify(const char *token)
{
    return verify_len(token, strlen(token));
}


static void
assert_str(rooms_str_t s, const char *expect)
{
    assert_true(rooms_str_eq(s, expect ? rooms_cstr(expect) : ROOMS_NULL));
}


/* ------------------------------------------------------------ tokens */

static void
token_test(void **state)
{
    const token_case_t  *c = *state;

    assert_int_equal(verify(make(c->signer, c->header, c->payload)),
                     c->expect);

    if (c->expect == ROOMS_JWT_OK) {
        assert_true(who.sub.len >= 1 && who.exp > NOW - 60);
        assert_false(who.admin);
    }
}


static void
test_admin(void **state)
{
    size_t  i;
    char    payload[512];

    (void) state;

    for (i = 0; i < nitems(grants); i++) {
        snprintf(payload, sizeof(payload), "{" CLAIMS ",%s}",
                 grants[i].claims);
        assert_int_equal(verify(make(H, HS, payload)), ROOMS_JWT_OK);

        if (who.admin != grants[i].admin) {
            fail_msg("%s", grants[i].claims);
        }
    }
}


static void
test_principal(void **state)
{
    (void) state;

    assert_int_equal(verify(make(RS, "{\"alg\":\"RS256\"}", "{" CLAIMS
                     ",\"name\":\"Al \\u00e9\xf0\x9f\x98\x80\""
                     ",\"preferred_username\":\"al.ice\"}")), ROOMS_JWT_OK);
    assert_str(who.sub, "alice");
    assert_str(who.tenant, "acme");
    assert_str(who.name, "Al \xc3\xa9\xf0\x9f\x98\x80");
    assert_str(who.local, "al.ice");
    assert_int_equal(who.exp, 1700003600);

    assert_int_equal(verify(make(H, HS,
                     "{" WHO ",\"exp\":1700003600.99}")), ROOMS_JWT_OK);
    assert_int_equal(who.exp, 1700003600);
    assert_int_equal(who.iat, 0);

    assert_int_equal(verify(make(H, HS, "{" CLAIMS ",\"iat\":1699999000.9}")),
                     ROOMS_JWT_OK);
    assert_int_equal(who.iat, 1699999000);
}


static void
test_names(void **state)
{
    size_t  i;
    char    payload[1024];

    (void) state;

    for (i = 0; i < nitems(names); i++) {
        snprintf(payload, sizeof(payload), "{" CLAIMS ",\"name\":%s}",
                 names[i].claim);
        assert_int_equal(verify(make(H, HS, payload)), ROOMS_JWT_OK);

        if (!rooms_str_eq(who.name, names[i].name ? rooms_cstr(names[i].name)
                                                  : ROOMS_NULL))
        {
            fail_msg("%s: %.*s", names[i].claim, (int) who.name.len,
                     who.name.data);
        }
    }

    for (i = 0; i < nitems(locals); i++) {
        snprintf(payload, sizeof(payload),
                 "{" CLAIMS ",\"preferred_username\":%s}", locals[i].claim);
        assert_int_equal(verify(make(H, HS, payload)), ROOMS_JWT_OK);

        if (!rooms_str_eq(who.local, locals[i].local
                                     ? rooms_cstr(locals[i].local)
                                     : ROOMS_NULL))
        {
            fail_msg("%s: %.*s", locals[i].claim, (int) who.local.len,
                     who.local.data);
        }
    }
}


/* 100 and 300 letters of three bytes: a name is cut between letters. */
static void
test_long_names(void **state)
{
    int     i, n;
    char    thai[1000], payload[4096];

    (void) state;

    for (n = 100; n <= 300; n += 200) {
        for (i = 0; i < n; i++) {
            memcpy(thai + 3 * i, "\xe0\xb8\x81", 4);
        }

        snprintf(payload, sizeof(payload),
                 "{" CLAIMS ",\"name\":\"%s\",\"preferred_username\":\"%s\"}",
                 thai, thai);
        assert_int_equal(verify(make(H, HS, payload)), ROOMS_JWT_OK);
        assert_int_equal(who.name.len, 3 * (n < 128 ? n : 128));
        assert_memory_equal(who.name.data, thai, who.name.len);
        assert_null(who.local.data);
    }

    /* a token that is almost only a name and a local id */

    snprintf(payload, sizeof(payload), "{" CLAIMS ",\"name\":\"%02500d\","
             "\"preferred_username\":\"%01400d\"}", 7, 7);
    assert_int_equal(verify(make(H, HS, payload)), ROOMS_JWT_OK);
    assert_int_equal(who.name.len, 128);
    assert_int_equal(who.local.len, 128);
}


static rooms_words_t
words_of(const char *path, rooms_str_t *word, char *copy)
{
    char           *p, *save;
    rooms_words_t   words;

    words = (rooms_words_t) { word, 0 };
    strcpy(copy, path ? path : "");

    for (p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
        word[words.n++] = rooms_cstr(p);
    }

    return words;
}


static void
test_mapped(void **state)
{
    char         payload[1024], got[1024];
    char         copies[ROOMS_CLAIM_MAX + 1][128];
    size_t       i, k;
    rooms_str_t  words[ROOMS_CLAIM_MAX + 1][8];

    (void) state;

    for (i = 0; i < nitems(mapped); i++) {
        for (k = 0; k < ROOMS_CLAIM_MAX; k++) {
            check.claims[k] = words_of(mapped[i].paths[k], words[k],
                                       copies[k]);
        }

        check.admins = words_of(mapped[i].admins, words[k], copies[k]);
        check.tenant = mapped[i].pinned ? rooms_cstr(mapped[i].pinned)
                                        : ROOMS_NULL;

        snprintf(payload, sizeof(payload), "{%s," UNTIL "}",
                 mapped[i].claims);
        strcpy(got, "refused");

        if (verify(make(H, HS, payload)) == ROOMS_JWT_OK) {
            snprintf(got, sizeof(got), "%.*s %.*s %.*s %.*s %d",
                     (int) who.sub.len, who.sub.data, (int) who.tenant.len,
                     who.tenant.data, (int) (who.name.data ? who.name.len : 1),
                     who.name.data ? (char *) who.name.data : "-",
                     (int) (who.local.data ? who.local.len : 1),
                     who.local.data ? (char *) who.local.data : "-",
                     who.admin);
        }

        if (strcmp(got, mapped[i].want ? mapped[i].want : "refused") != 0) {
            fail_msg("%zu: %s: %s", i, mapped[i].claims, got);
        }
    }

    memset(check.claims, 0, sizeof(check.claims));
    check.admins.n = 0;
    check.tenant = ROOMS_NULL;
}


static void
test_parties(void **state)
{
    size_t  i;
    char    payload[512];

    (void) state;

    check.issuer = rooms_cstr("https://id/");
    check.audience = rooms_cstr("rooms");

    for (i = 0; i < nitems(parties); i++) {
        snprintf(payload, sizeof(payload), "{" CLAIMS ",%s}",
                 parties[i].claims);

        if ((verify(make(H, HS, payload)) == ROOMS_JWT_OK)
            != parties[i].ok)
        {
            fail_msg("%s", parties[i].claims);
        }
    }

    check.issuer = rooms_cstr("");    /* "" must match, it doesn't mean "any" */
    check.audience = ROOMS_NULL;
    assert_int_equal(verify(make(H, HS, "{" CLAIMS "}")),
                     ROOMS_JWT_INVALID);

    check.issuer = ROOMS_NULL;
}


static void
test_leeway(void **state)
{
    char  *t;

    (void) state;

    t = make(H, HS, "{" WHO ",\"exp\":1700000000}");

    check.leeway = 0;
    check.now = 1699999999;
    assert_int_equal(verify(t), ROOMS_JWT_OK);
    check.now = 1700000000;           /* RFC 7519: "on or after" */
    assert_int_equal(verify(t), ROOMS_JWT_EXPIRED);

    check.leeway = INT64_MAX;
    assert_int_equal(verify(t), ROOMS_JWT_OK);
    check.leeway = INT64_MIN;
    assert_int_equal(verify(t), ROOMS_JWT_EXPIRED);

    check.leeway = 60;
    check.now = NOW;
}


/* ------------------------------------------------------------ spelling */

static void
test_parts(void **state)
{
    size_t       i;
    char         t[4096], *good;
    const char  *bad[] = {
        "", ".", "..", "...", "a", "a.b", "a..b", ".a.b", "a.b.", "a.b.c",
        "e30.e30.e30", "e30.e30", "Bearer x", "mock:alice@acme"
    };

    (void) state;

    for (i = 0; i < nitems(bad); i++) {
        assert_int_equal(verify(bad[i]), ROOMS_JWT_INVALID);
    }

    good = make(H, HS, "{" CLAIMS "}");

    snprintf(t, sizeof(t), "%s.", good);
    assert_int_equal(verify(t), ROOMS_JWT_INVALID);
    snprintf(t, sizeof(t), "%s.e30", good);
    assert_int_equal(verify(t), ROOMS_JWT_INVALID);
    snprintf(t, sizeof(t), ".%s", good);
    assert_int_equal(verify(t), ROOMS_JWT_INVALID);
    snprintf(t, sizeof(t), "%s=", good);
    assert_int_equal(verify(t), ROOMS_JWT_INVALID);
    snprintf(t, sizeof(t), "%s ", good);
    assert_int_equal(verify(t), ROOMS_JWT_INVALID);
    snprintf(t, sizeof(t), " %s", good);
    assert_int_equal(verify(t), ROOMS_JWT_INVALID);
    assert_int_equal(verify_len(good, strlen(good) + 1), ROOMS_JWT_INVALID);

    assert_int_equal(verify(good), ROOMS_JWT_OK);
    *strrchr(good, '.') = '\0';
    assert_int_equal(verify(good), ROOMS_JWT_INVALID);
}


/*
 * A MAC of 32 bytes ends in a character that carries 4 bits.  Three other
 * characters decode to the same bytes and must be refused.
 */
static void
test_trailing_bits(void **state)
{
    char  *t, *last;
    int    c, ok;

    (void) state;

    t = make(H, HS, "{" CLAIMS "}");
    last = t + strlen(t) - 1;
    ok = 0;

    for (c = 1; c < 256; c++) {
        *last = (char) c;
        ok += (verify(t) == ROOMS_JWT_OK);
    }

    assert_int_equal(ok, 1);
}


static const struct { signer_e signer; const char *header; }  algs[] = {
    { RS, "{\"alg\":\"RS256\",\"kid\":\"r1\"}" },
    { ES, "{\"alg\":\"ES256\",\"kid\":\"e1\"}" },
    { ED, "{\"alg\":\"EdDSA\",\"kid\":\"d1\"}" },
    { H, "{\"alg\":\"HS256\",\"kid\":\"h1\"}" },
    { HF, "{\"alg\":\"HS256\"}" },
    { PS256, "{\"alg\":\"PS256\",\"kid\":\"r1\"}" },
    { ES512, "{\"alg\":\"ES512\",\"kid\":\"e521\"}" },
    { H512, "{\"alg\":\"HS512\",\"kid\":\"any\"}" }
};


static void
test_truncated(void **state)
{
    char    *t;
    size_t   i, n, len;

    (void) state;

    for (i = 0; i < nitems(algs); i++) {
        t = make(algs[i].signer, algs[i].header, "{" CLAIMS "}");
        len = strlen(t);
        assert_int_equal(verify(t), ROOMS_JWT_OK);

        for (n = 0; n < len; n++) {
            assert_int_not_equal(verify_len(t, n), ROOMS_JWT_OK);
            assert_int_not_equal(verify_len(t + len - n, n), ROOMS_JWT_OK);
        }
    }
}


static void
test_flipped(void **state)
{
    char     *t;
    size_t    i, n;
    unsigned  bit;

    (void) state;

    for (i = 0; i < nitems(algs); i++) {
        t = make(algs[i].signer, algs[i].header, "{" CLAIMS "}");

        for (n = 0; t[n]; n++) {
            for (bit = 0; bit < 8; bit++) {
                t[n] = (char) (t[n] ^ (1 << bit));
                assert_int_not_equal(verify_len(t, strlen(t)), ROOMS_JWT_OK);
                t[n] = (char) (t[n] ^ (1 << bit));
            }
        }

        assert_int_equal(verify(t), ROOMS_JWT_OK);
    }
}


/*
 * A token of exactly `size` bytes; the header fills gaps that base64 can't
 * produce.
 */
static char *
make_sized(size_t i, size_t size)
{
    char        *t;
    size_t       pad, q;
    static char  header[128], payload[16384];

    for (q = 0; q < 4; q++) {
        snprintf(header, sizeof(header), "%.*s,\"x\":\"%.*s\"}",
                 (int) strlen(algs[i].header) - 1, algs[i].header, (int) q,
                 "xxxx");

        for (pad = size / 4 * 3 - 700; pad < size / 4 * 3; pad++) {
            snprintf(payload, sizeof(payload), "{" CLAIMS ",\"pad\":\"%0*d\"}",
                     (int) pad, 0);
            t = make(H, header, payload);

            /* the lengths of all signatures are known */

            t = strlen(t) + 600 < size ? t
                : make(algs[i].signer, header, payload);

            if (strlen(t) == size) {
                return t;
            }
        }
    }

    fail();
    return NULL;
}


static void
test_sizes(void **state)
{
    char    *t;
    size_t   i, s;
    size_t   sizes[] = { 1024, 2048, 4096, 8191, 8192, 8193, 8194, 16384 };

    (void) state;

    for (i = 2; i < nitems(algs); i++) {
        for (s = 0; s < nitems(sizes); s++) {
            t = make_sized(i, sizes[s]);
            assert_int_equal(verify(t), sizes[s] <= ROOMS_JWT_MAX
                                        ? ROOMS_JWT_OK : ROOMS_JWT_INVALID);
        }
    }

    t = make(RS, algs[0].header, "{" CLAIMS ",\"name\":\"" N128 N128
             "\",\"preferred_username\":\"" N128 "\",\"x\":\"" N128 N128 N128
             N128 N128 N128 N128 N128 N128 N128 N128 N128 N128 "\"}");
    assert_in_range(strlen(t), 3072, ROOMS_JWT_MAX);
    assert_int_equal(verify(t), ROOMS_JWT_OK);
    assert_str(who.name, N128);
    assert_str(who.local, N128);
}


static void
test_nested(void **state)
{
    char  payload[8192];

    (void) state;

    memset(payload, '[', 5000);
    payload[5000] = '\0';
    assert_int_equal(verify(make(H, HS, payload)), ROOMS_JWT_INVALID);
    assert_int_equal(verify(make(H, payload, "{}")), ROOMS_JWT_INVALID);
}


/* ------------------------------------------------------------ signatures */

static void
jws_vector(const char *jwks, const char *jws, const char *expect)
{
    char                 err[256], *copy;
    rooms_str_t          payload;
    rooms_jwks_t        *set;
    const rooms_jwks_t  *one[1];

    set = rooms_jwks_parse((const void *) jwks, strlen(jwks), err,
                           sizeof(err));
    assert_non_null(set);
    one[0] = set;

    assert_int_equal(rooms_jws_verify(rooms_cstr(jws), one, 1, work,
                                      sizeof(work), &payload, NULL),
                     ROOMS_JWT_OK);
    assert_str(payload, expect);

    copy = strdup(jws);
    copy[strlen(copy) - 20] ^= 1;
    assert_int_equal(rooms_jws_verify(rooms_cstr(copy), one, 1, work,
                                      sizeof(work), &payload, NULL),
                     ROOMS_JWT_INVALID);
    assert_null(payload.data);

    free(copy);
    rooms_jwks_free(set);
}


static void
test_rfc7515_a1(void **state)
{
    (void) state;
    jws_vector("{\"keys\":[{\"kty\":\"oct\",\"k\":\"" RFC7515_A1_KEY "\"}]}",
               RFC7515_A1_JWS, RFC7515_PAYLOAD);
}


static void
test_rfc7515_a2(void **state)
{
    (void) state;
    jws_vector("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RFC7515_A2_N "\","
               "\"e\":\"AQAB\"}]}", RFC7515_A2_JWS, RFC7515_PAYLOAD);
}


static void
test_rfc7515_a3(void **state)
{
    (void) state;
    jws_vector("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\""
               RFC7515_A3_X "\",\"y\":\"" RFC7515_A3_Y "\"}]}",
               RFC7515_A3_JWS, RFC7515_PAYLOAD);
}


static void
test_rfc8037_a4(void **state)
{
    (void) state;
    jws_vector("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\""
               RFC8037_A4_X "\"}]}", RFC8037_A4_JWS, RFC8037_PAYLOAD);
}


/*
 * Everybody knows the public key.  A token signed with its bytes as an HMAC
 * secret must be refused, in whichever form a library might pass the key.
 */
static void
test_confusion(void **state)
{
    int          form;
    size_t       i;
    char        *pem;
    BIO         *bio;
    const char  *headers[] = {
        "{\"alg\":\"HS256\",\"kid\":\"r1\"}", "{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"kid\":\"e1\"}",
        "{\"alg\":\"HS256\",\"kid\":\"d1\"}"
    };

    (void) state;

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, rsa);
    (void) BIO_write(bio, "", 1);
    BIO_get_mem_data(bio, &pem);

    for (form = 0; form < 5; form++) {
        switch (form) {
        case 0:
            confused = NULL;
            confused_len = (size_t) i2d_PUBKEY(rsa, &confused);
            break;
        case 1:
            confused = (unsigned char *) strdup(pem);
            confused_len = strlen(pem);
            break;
        case 2:
            confused = (unsigned char *) strdup(rsa_n);
            confused_len = strlen(rsa_n);
            break;
        case 3:
            confused = malloc(32);
            memcpy(confused, ed_pk, 32);
            confused_len = 32;
            break;
        default:
            confused = malloc(1);
            confused_len = 0;         /* an empty secret */
        }

        for (i = 0; i < nitems(headers); i++) {
            assert_int_equal(verify(make(HX, headers[i],
                                         "{" CLAIMS "}")),
                             ROOMS_JWT_INVALID);
        }

        if (form == 0) {
            OPENSSL_free(confused);
        } else {
            free(confused);
        }
    }

    BIO_free(bio);
}


/* A payload that is signed correctly but isn't base64url. */
static void
test_payload_spelling(void **state)
{
    size_t         n, i;
    char           t[512], head[64];
    unsigned char  mac[32];
    const char    *bad[] = { "e", "e3", "e30=", "e30 ", "e+0", "\xe5\xe5\xe5" };

    (void) state;

    for (i = 0; i < nitems(bad); i++) {
        snprintf(t, sizeof(t), "%s.%s", b64(head, sizeof(head), HS,
                 strlen(HS)), bad[i]);
        sign(H, t, mac);
        n = strlen(t);
        t[n++] = '.';
        b64(t + n, sizeof(t) - n, mac, sizeof(mac));
        assert_int_equal(verify(t), ROOMS_JWT_INVALID);
        assert_string_equal(why, "the payload is not base64url");
    }
}


/* Signatures of a wrong form under a correct header. */
static void
test_shapes(void **state)
{
    char           t[8192], sig64[4096];
    size_t         n, i, k;
    unsigned char  sig[2048];

    (void) state;

    for (i = 0; i < nitems(algs); i++) {
        strcpy(t, make(algs[i].signer, algs[i].header, "{" CLAIMS "}"));
        *strrchr(t, '.') = '\0';
        n = strlen(t);

        memset(sig, 0, sizeof(sig));

        for (k = 1; k < 1040; k = k < 70 ? k + 1 : k * 2) {
            snprintf(t + n, sizeof(t) - n, ".%s",
                     b64(sig64, sizeof(sig64), sig, k));
            assert_int_equal(verify(t), ROOMS_JWT_INVALID);
        }

        t[n] = '\0';

        if (algs[i].signer == ES) {
            k = sign_pkey(ec, t, sig, 0);         /* DER */
            snprintf(t + n, sizeof(t) - n, ".%s",
                     b64(sig64, sizeof(sig64), sig, k));
            assert_int_equal(verify(t), ROOMS_JWT_INVALID);
        }

        t[n] = '\0';
        memset(sig, 0, sizeof(sig));
        k = sign(algs[i].signer, t, sig);         /* one zero byte too many */
        snprintf(t + n, sizeof(t) - n, ".%s",
                 b64(sig64, sizeof(sig64), sig, k + 1));
        assert_int_equal(verify(t), ROOMS_JWT_INVALID);
    }
}


static void
test_many_keys(void **state)
{
    int                  i, n;
    char                 json[2048], k[64], *t, err[128];
    rooms_jwks_t        *set;
    const rooms_jwks_t  *two[3];

    (void) state;

    t = make(H, "{\"alg\":\"HS256\"}", "{" CLAIMS "}");

    for (n = 1; n <= 6; n++) {        /* the correct key is the last of n */
        strcpy(json, "{\"keys\":[");

        for (i = 1; i < n; i++) {
            sprintf(json + strlen(json), "{\"kty\":\"oct\",\"k\":\"%s\"},",
                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        }

        sprintf(json + strlen(json), "{\"kty\":\"oct\",\"k\":\"%s\"}]}",
                b64(k, sizeof(k), hs, sizeof(hs)));
        set = rooms_jwks_parse((void *) json, strlen(json), err, 128);
        assert_non_null(set);

        two[0] = NULL;
        two[1] = set;
        two[2] = NULL;
        check.sets = two;
        check.nsets = 3;

        assert_int_equal(verify(t), n <= ROOMS_JWS_TRIES ? ROOMS_JWT_OK
                                                         : ROOMS_JWT_INVALID);
        rooms_jwks_free(set);
    }

    check.nsets = 0;
    assert_int_equal(verify(t), ROOMS_JWT_INVALID);
    assert_int_equal(verify(make(H, HS, "{" CLAIMS "}")),
                     ROOMS_JWT_UNKNOWN_KID);

    check.sets = sets;
    check.nsets = 2;
}


static void
test_arguments(void **state)
{
    char        *t;
    rooms_str_t  s;

    (void) state;

    t = make(H, HS, "{" CLAIMS "}");
    s = rooms_cstr(t);

    assert_int_equal(rooms_jwt_verify(s, &check, &who, work,
                                      ROOMS_JWT_BUF - 1, NULL),
                     ROOMS_JWT_INVALID);
    assert_int_equal(rooms_jwt_verify(s, &check, &who, work, ROOMS_JWT_BUF,
                                      NULL), ROOMS_JWT_OK);
    assert_int_equal(rooms_jwt_verify(ROOMS_NULL, &check, &who, work,
                                      ROOMS_JWT_BUF, NULL),
                     ROOMS_JWT_INVALID);
}


/* ------------------------------------------------------------ the frame */

static void
bn64(EVP_PKEY *pkey, const char *param, int len, char *dst, size_t cap)
{
    BIGNUM        *bn = NULL;
    unsigned char  bin[512];

    assert_int_equal(EVP_PKEY_get_bn_param(pkey, param, &bn), 1);
    assert_int_equal(BN_bn2binpad(bn, bin, len), len);
    b64(dst, cap, bin, (size_t) len);
    BN_free(bn);
}


static int
setup(void **state)
{
    char         json[8192], err[256], k[64], x384[70], y384[70];
    char         x521[100], y521[100];
    static char  file[64];

    (void) state;

    rsa = EVP_RSA_gen(2048);
    ec = EVP_EC_gen("P-256");
    ec384 = EVP_EC_gen("P-384");
    ec521 = EVP_EC_gen("P-521");
    crypto_sign_keypair(ed_pk, ed_sk);
    randombytes_buf(hs, sizeof(hs));
    randombytes_buf(file_secret, sizeof(file_secret));
    file_secret[sizeof(file_secret) - 1] = 'x';

    bn64(rsa, OSSL_PKEY_PARAM_RSA_N, 256, rsa_n, sizeof(rsa_n));
    bn64(ec, OSSL_PKEY_PARAM_EC_PUB_X, 32, ec_x, sizeof(ec_x));
    bn64(ec, OSSL_PKEY_PARAM_EC_PUB_Y, 32, ec_y, sizeof(ec_y));
    bn64(ec384, OSSL_PKEY_PARAM_EC_PUB_X, 48, x384, sizeof(x384));
    bn64(ec384, OSSL_PKEY_PARAM_EC_PUB_Y, 48, y384, sizeof(y384));
    bn64(ec521, OSSL_PKEY_PARAM_EC_PUB_X, 66, x521, sizeof(x521));
    bn64(ec521, OSSL_PKEY_PARAM_EC_PUB_Y, 66, y521, sizeof(y521));
    b64(ed_x, sizeof(ed_x), ed_pk, 32);

    snprintf(json, sizeof(json), "{\"keys\":["
             "{\"kty\":\"RSA\",\"kid\":\"r1\",\"n\":\"%s\",\"e\":\"AQAB\"},"
             "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"d1\","
             "\"x\":\"%s\"},"
             "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"both\","
             "\"x\":\"%s\"},"
             "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e1\","
             "\"x\":\"%s\",\"y\":\"%s\"},"
             "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"both\","
             "\"x\":\"%s\",\"y\":\"%s\"},"
             "{\"kty\":\"EC\",\"crv\":\"P-384\",\"kid\":\"e384\","
             "\"x\":\"%s\",\"y\":\"%s\"},"
             "{\"kty\":\"EC\",\"crv\":\"P-521\",\"kid\":\"e521\","
             "\"x\":\"%s\",\"y\":\"%s\"},"
             "{\"kty\":\"RSA\",\"kid\":\"ps\",\"alg\":\"PS256\",\"n\":\"%s\","
             "\"e\":\"AQAB\"},"
             "{\"kty\":\"oct\",\"kid\":\"h1\",\"alg\":\"HS256\","
             "\"k\":\"%s\"},"
             "{\"kty\":\"oct\",\"kid\":\"any\",\"k\":\"%s\"}]}", rsa_n, ed_x,
             ed_x, ec_x, ec_y, ec_x, ec_y, x384, y384, x521, y521, rsa_n,
             b64(k, sizeof(k), hs, sizeof(hs)), k);

    sets_own[0] = rooms_jwks_parse((void *) json, strlen(json), err,
                                   sizeof(err));

    memcpy(file, file_secret, sizeof(file_secret));
    file[sizeof(file_secret)] = '\n';
    sets_own[1] = rooms_jwks_secret((void *) file, sizeof(file_secret) + 1,
                                    err, sizeof(err));

    sets = (const rooms_jwks_t *const *) sets_own;
    check = (rooms_jwt_check_t) { .sets = sets, .nsets = 2, .leeway = 60,
                                  .now = NOW };

    return sets_own[0] && sets_own[1] ? 0 : -1;
}


static int
teardown(void **state)
{
    (void) state;

    rooms_jwks_free(sets_own[0]);
    rooms_jwks_free(sets_own[1]);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ec384);
    EVP_PKEY_free(ec521);

    return 0;
}


static const struct CMUnitTest  fixed[] = {
    cmocka_unit_test(test_rfc7515_a1),
    cmocka_unit_test(test_rfc7515_a2),
    cmocka_unit_test(test_rfc7515_a3),
    cmocka_unit_test(test_rfc8037_a4),
    cmocka_unit_test(test_principal),
    cmocka_unit_test(test_names),
    cmocka_unit_test(test_long_names),
    cmocka_unit_test(test_mapped),
    cmocka_unit_test(test_admin),
    cmocka_unit_test(test_parties),
    cmocka_unit_test(test_leeway),
    cmocka_unit_test(test_parts),
    cmocka_unit_test(test_trailing_bits),
    cmocka_unit_test(test_truncated),
    cmocka_unit_test(test_flipped),
    cmocka_unit_test(test_sizes),
    cmocka_unit_test(test_nested),
    cmocka_unit_test(test_confusion),
    cmocka_unit_test(test_payload_spelling),
    cmocka_unit_test(test_shapes),
    cmocka_unit_test(test_many_keys),
    cmocka_unit_test(test_arguments)
};

static struct CMUnitTest  tests[nitems(fixed) + nitems(token_cases)];


int
main(void)
{
    size_t  i, n;

    if (rooms_jwt_init() != 0) {
        return 1;
    }

    memcpy(tests, fixed, sizeof(fixed));
    n = nitems(fixed);

    for (i = 0; i < nitems(token_cases); i++) {
        tests[n++] = (struct CMUnitTest) { token_cases[i].name, token_test,
                         NULL, NULL, (void *) &token_cases[i] };
    }

    return cmocka_run_group_tests(tests, setup, teardown);
}
