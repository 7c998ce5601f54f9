/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The parts of src/auth that need no signature: base64url, key sets, mock and
 * hybrid mode.  Tokens are in jwt_test.c.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <sodium.h>

#include "jwt_vectors.h"
#include "rooms_base64.h"
#include "rooms_jwt.h"


#define N64   "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
#define N128  N64 N64

#define nitems(a)  (sizeof(a) / sizeof((a)[0]))


typedef struct {
    const char    *name;
    const char    *json;
    const char    *error;             /* a part of it; NULL: accepted */
    unsigned       nkeys;
} jwks_case_t;


static rooms_principal_t   who;
static unsigned char       work[ROOMS_JWT_BUF];
static const char         *why;


static char *
b64(char *dst, size_t cap, const void *src, size_t len)
{
    return sodium_bin2base64(dst, cap, src, len,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}


static void
assert_str(rooms_str_t s, const char *expect)
{
    assert_true(rooms_str_eq(s, expect ? rooms_cstr(expect) : ROOMS_NULL));
}


static void
test_base64(void **state)
{
    int            i, rc;
    long           n;
    size_t         k, len, want;
    char           text[64];
    unsigned char  a[64], b[64];

    (void) state;

    /*
     * Must agree with libsodium's decoder on any input, except for bytes of
     * 128 and more: version 1.0.18 reads these as digits where char is
     * signed.
     */

    for (i = 0; i < 300000; i++) {
        len = randombytes_uniform(14);
        randombytes_buf(a, sizeof(a));
        b64(text, sizeof(text), a, len);
        len = strlen(text);

        if (len && i % 3) {
            text[randombytes_uniform((uint32_t) len)] = (char) a[40];
        }

        if (len && i % 7 == 0) {
            len--;
        }

        for (rc = 0, k = 0; k < len; k++) {
            rc |= (text[k] & 0x80);
        }

        rc = rc ? -1
                : sodium_base642bin(a, sizeof(a), text, len, NULL, &want,
                                    NULL,
                                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        n = rooms_base64url_decode(b, sizeof(b), (rooms_str_t) {
                                       len, (unsigned char *) text });

        assert_int_equal(n, rc == 0 ? (long) want : -1);
        assert_true(n < 0 || memcmp(a, b, (size_t) n) == 0);
    }

    assert_int_equal(rooms_base64url_decode(b, 2, rooms_cstr("AAAA")), -1);
    assert_int_equal(rooms_base64url_decode(b, 3, rooms_cstr("AAAA")), 3);
    assert_int_equal(rooms_base64url_decode(b, 3, rooms_cstr("AAAAAA")), -1);
    assert_int_equal(rooms_base64url_decode(b, 4, rooms_cstr("AAAAAA")), 4);
    assert_int_equal(rooms_base64url_decode(b, 0, rooms_cstr("")), 0);
}


/* ------------------------------------------------------------ key sets */

#define KEYS(k)  "{\"keys\":[" k "]}"
#define OCT(m)   "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAA\"" m "}"
#define EC(m)    "{\"kty\":\"EC\",\"crv\":\"P-256\"," m "}"
#define RSA_(m)  "{\"kty\":\"RSA\"," m "}"
#define A2       "\"n\":\"" RFC7515_A2_N "\",\"e\":\"AQAB\""
#define A3       "\"x\":\"" RFC7515_A3_X "\",\"y\":\"" RFC7515_A3_Y "\""
#define Z32      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

#define A1368    N128 N128 N128 N128 N128 N128 N128 N128 N128 N128            \
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"   \
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const jwks_case_t  jwks_cases[] = {
    { "empty set", KEYS(""), "is empty", 0 },
    { "unknown members", "{\"x\":1,\"keys\":[" OCT(",\"y\":2") "]}", NULL, 1 },
    { "all kinds", KEYS(RSA_(A2) "," EC(A3) "," OCT("")
      ",{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_A4_X "\"}"),
      NULL, 4 },
    { "alg that fits", KEYS(RSA_(A2 ",\"alg\":\"RS256\"") ","
      EC(A3 ",\"alg\":\"ES256\"") "," OCT(",\"alg\":\"HS256\"")), NULL, 3 },
    { "every alg of a kind", KEYS(RSA_(A2 ",\"alg\":\"RS384\"") ","
      RSA_(A2 ",\"alg\":\"RS512\"") "," RSA_(A2 ",\"alg\":\"PS256\"") ","
      RSA_(A2 ",\"alg\":\"PS384\"") "," RSA_(A2 ",\"alg\":\"PS512\"") ","
      OCT(",\"alg\":\"HS384\"") "," OCT(",\"alg\":\"HS512\"")), NULL, 7 },
    { "members that are null", KEYS(OCT(",\"use\":null,\"alg\":null,"
      "\"kid\":null,\"key_ops\":null,\"x5t\":null")), NULL, 1 },
    { "private members ignored", KEYS(RSA_(A2 ",\"d\":1,\"x5c\":[]")),
      NULL, 1 },
    { "a byte order mark", "\xef\xbb\xbf" KEYS(OCT("")), NULL, 1 },
    { "two of them", "\xef\xbb\xbf\xef\xbb\xbf" KEYS(OCT("")), "not JSON", 0 },
    { "use sig, key_ops verify",
      KEYS(OCT(",\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"]")),
      NULL, 1 },

    { "use enc", KEYS(OCT(",\"use\":\"enc\"")),
      "keys[0]: \"use\" is not \"sig\"", 0 },
    { "use enc, and malformed", KEYS(RSA_("\"use\":\"enc\"")), "\"use\"", 0 },
    { "key_ops without verify", KEYS(OCT(",\"key_ops\":[\"sign\"]")),
      "\"key_ops\" has no", 0 },
    { "kty unknown", KEYS("{\"kty\":\"AKP\"}"), "\"kty\" is not supported", 0 },
    { "crv unknown", KEYS("{\"kty\":\"EC\",\"crv\":\"secp256k1\"},"
      "{\"kty\":\"OKP\",\"crv\":\"X25519\"}"),
      "keys[0]: this \"crv\" is not supported, keys[1]: this \"crv\"", 0 },
    { "alg unknown", KEYS(RSA_(A2 ",\"alg\":\"RSA-OAEP\"")),
      "\"alg\" is not supported", 0 },

    { "nothing", "", "not JSON", 0 },
    { "no JSON", "{\"keys\":[", "not JSON", 0 },
    { "array", "[]", "\"keys\"", 0 },
    { "keys missing", "{}", "\"keys\"", 0 },
    { "keys an object", "{\"keys\":{}}", "\"keys\"", 0 },
    { "member twice", "{\"keys\":[],\"keys\":[]}", "duplicate", 0 },
    { "key a string", KEYS("1,\"x\""), "keys[1]: not an object", 0 },
    { "key null", KEYS("null"), "keys[0]: not an object", 0 },
    { "kty missing", KEYS("[],[],{}"), "keys[2]: \"kty\"", 0 },
    { "kty a number", KEYS("{\"kty\":1}"), "keys[0]: \"kty\"", 0 },
    { "use a number", KEYS(OCT(",\"use\":1")), "\"use\"", 0 },
    { "key_ops a string", KEYS(OCT(",\"key_ops\":\"verify\"")),
      "\"key_ops\"", 0 },
    { "alg of another curve", KEYS(EC(A3 ",\"alg\":\"ES512\"")),
      "\"alg\" doesn't fit", 0 },
    { "alg a number", KEYS(OCT(",\"alg\":1")), "\"alg\"", 0 },
    { "alg of another kind", KEYS(RSA_(A2 ",\"alg\":\"HS256\"")),
      "\"alg\" doesn't fit", 0 },
    { "kid a number", KEYS(OCT(",\"kid\":1")), "\"kid\"", 0 },
    { "kid too long", KEYS(OCT(",\"kid\":\"" N128 N128 N128 N128 N128 N128
      N128 N128 "x\"")), "\"kid\"", 0 },

    { "oct without k", KEYS("{\"kty\":\"oct\"}"), "missing", 0 },
    { "oct k too short", KEYS("{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAA"
      "\"}"), "shorter than 16", 0 },
    { "oct k empty", KEYS("{\"kty\":\"oct\",\"k\":\"\"}"), "base64url", 0 },
    { "oct k padded", KEYS("{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAA=="
      "\"}"), "base64url", 0 },

    { "RSA without e", KEYS(RSA_("\"n\":\"" RFC7515_A2_N "\"")), "missing",
      0 },
    { "RSA n in plain base64", KEYS(RSA_("\"n\":\"+/+/\",\"e\":\"AQAB\"")),
      "base64url", 0 },
    { "RSA n short", KEYS(RSA_("\"n\":\"" Z32 "\",\"e\":\"AQAB\"")),
      "shorter than 2048", 0 },
    { "RSA n even", KEYS(RSA_("\"n\":\"" RFC7515_A2_N "A\",\"e\":\"AQAB\"")),
      "impossible", 0 },
    { "RSA e 1", KEYS(RSA_("\"n\":\"" RFC7515_A2_N "\",\"e\":\"AQ\"")),
      "impossible", 0 },
    { "RSA e even", KEYS(RSA_("\"n\":\"" RFC7515_A2_N "\",\"e\":\"Ag\"")),
      "impossible", 0 },
    { "RSA e 0", KEYS(RSA_("\"n\":\"" RFC7515_A2_N "\",\"e\":\"AA\"")),
      "impossible", 0 },
    { "RSA n of 8200 bits", KEYS(RSA_("\"n\":\"" A1368 "\",\"e\":\"AQAB\"")),
      "longer than 8192", 0 },
    { "RSA n longer than any", KEYS(RSA_("\"n\":\"" A1368 A1368
      "\",\"e\":\"AQAB\"")), "length", 0 },
    { "RSA e of 9 bytes", KEYS(RSA_("\"n\":\"" RFC7515_A2_N
      "\",\"e\":\"AQAAAAAAAAAB\"")), "length", 0 },

    { "EC without crv", KEYS("{\"kty\":\"EC\"," A3 "}"), "\"crv\"", 0 },
    { "EC without y", KEYS(EC("\"x\":\"" RFC7515_A3_X "\"")), "missing", 0 },
    { "EC x short", KEYS(EC("\"x\":\"AAAA\",\"y\":\"" RFC7515_A3_Y "\"")),
      "32 bytes", 0 },
    { "EC x long", KEYS(EC("\"x\":\"" Z32 "A\",\"y\":\"" RFC7515_A3_Y "\"")),
      "length", 0 },
    { "EC off the curve", KEYS(EC("\"x\":\"" RFC7515_A3_Y "\",\"y\":\""
      RFC7515_A3_X "\"")), "not on the curve", 0 },
    { "EC zero", KEYS(EC("\"x\":\"" Z32 "\",\"y\":\"" Z32 "\"")),
      "not on the curve", 0 },

    { "P-384 of 32 bytes", KEYS("{\"kty\":\"EC\",\"crv\":\"P-384\"," A3 "}"),
      "48 bytes", 0 },
    { "P-521 of 32 bytes", KEYS("{\"kty\":\"EC\",\"crv\":\"P-521\"," A3 "}"),
      "66 bytes", 0 },

    { "Ed25519 x too long", KEYS("{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
      "\"x\":\"" Z32 "AA\"}"), "length", 0 },
    { "Ed25519 x short", KEYS("{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
      "\"x\":\"AAAA\"}"), "not an Ed25519", 0 },
    { "Ed25519 of small order", KEYS("{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
      "\"x\":\"" Z32 "\"}"), "not an Ed25519", 0 }
};


static void
jwks_test(void **state)
{
    char                err[256];
    size_t              len;
    unsigned char      *p;
    rooms_jwks_t       *set;
    const jwks_case_t  *c = *state;

    err[0] = '\0';
    len = strlen(c->json);
    p = malloc(len ? len : 1);
    memcpy(p, c->json, len);

    set = rooms_jwks_parse(p, len, err, sizeof(err));
    free(p);

    assert_int_equal(ERR_peek_error(), 0);

    if (c->error) {
        assert_null(set);

        if (strstr(err, c->error) == NULL) {
            fail_msg("%s", err);
        }

        return;
    }

    if (set == NULL) {
        fail_msg("%s", err);
    }

    assert_int_equal(set->nkeys, c->nkeys);
    assert_string_equal(err, "");
    rooms_jwks_free(set);
}


/*
 * An unusable key is skipped, whatever is wrong with it: beside a good key,
 * each set above that can be parsed works.
 */
static void
test_jwks_passed_over(void **state)
{
    char           json[16384], err[256];
    size_t         i, n;
    unsigned       passed;
    rooms_jwks_t  *set;

    (void) state;

    for (i = 0, passed = 0; i < nitems(jwks_cases); i++) {
        n = strlen(jwks_cases[i].json);

        if (strncmp(jwks_cases[i].json, "{\"keys\":[", 9) != 0
            || jwks_cases[i].nkeys || n < 13
            || strcmp(jwks_cases[i].json + n - 2, "]}") != 0
            || strstr(jwks_cases[i].json, "\"keys\":[],\"keys\""))
        {
            continue;
        }

        snprintf(json, sizeof(json), "%.*s," OCT(",\"kid\":\"good\"") "]}",
                 (int) n - 2, jwks_cases[i].json);

        set = rooms_jwks_parse((void *) json, strlen(json), err, sizeof(err));

        if (set == NULL || set->nkeys != 1
            || !rooms_str_eq(set->keys[0].kid, rooms_cstr("good"))
            || strstr(err, jwks_cases[i].error) == NULL)
        {
            fail_msg("%s: %s", jwks_cases[i].name, err);
        }

        rooms_jwks_free(set);
        passed++;
    }

    assert_in_range(passed, 30, 100);
    assert_int_equal(ERR_peek_error(), 0);
}


static void
test_jwks_limits(void **state)
{
    int            i, n;
    char          *json, err[128];
    rooms_jwks_t  *set;

    (void) state;

    json = malloc(ROOMS_JWKS_MAX_SIZE + 2);

    for (n = 64; n <= 65; n++) {
        strcpy(json, "{\"keys\":[");

        for (i = 0; i < n; i++) {
            strcat(json, i ? "," OCT("") : OCT(""));
        }

        strcat(json, "]}");
        set = rooms_jwks_parse((void *) json, strlen(json), err, 128);
        assert_int_equal(set->nkeys, 64);
        assert_true((strstr(err, "keys[64]: only") != NULL) == (n == 65));
        rooms_jwks_free(set);
    }

    memset(json, ' ', ROOMS_JWKS_MAX_SIZE + 1);
    memcpy(json, KEYS(OCT("")), sizeof(KEYS(OCT(""))) - 1);

    set = rooms_jwks_parse((void *) json, ROOMS_JWKS_MAX_SIZE, err, 128);
    assert_non_null(set);
    rooms_jwks_free(set);

    assert_null(rooms_jwks_parse((void *) json, ROOMS_JWKS_MAX_SIZE + 1, err,
                                 128));
    assert_non_null(strstr(err, "larger than"));

    assert_null(rooms_jwks_parse((void *) "{}", 2, NULL, 0));
    assert_null(rooms_jwks_parse((void *) "{}", 2, err, 4));
    assert_int_equal(strlen(err), 3);

    /* a secret beside an error must not reach the log */

    assert_null(rooms_jwks_parse((void *) "{\"k\":\"TOPSECRET\" x", 18, err,
                                 128));
    assert_null(strstr(err, "TOPSECRET"));

    rooms_jwks_free(NULL);
    free(json);
}


static void
test_secret(void **state)
{
    size_t         i;
    char           err[128];
    rooms_jwks_t  *set;
    struct { const char *bytes; size_t len, expect; }  c[] = {
        { "", 0, 0 }, { "\n", 1, 0 }, { "\r\n", 2, 0 },
        { "0123456789abcde\n", 16, 0 }, { "0123456789abcdef", 16, 16 },
        { "0123456789abcdef\n", 17, 16 }, { "0123456789abcdef\r\n", 18, 16 },
        { "0123456789abcdef\n\n", 18, 17 }, { "0123456789abcdef\r", 17, 17 },
        { "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\n\0", 18, 18 }
    };

    (void) state;

    for (i = 0; i < nitems(c); i++) {
        set = rooms_jwks_secret((const void *) c[i].bytes, c[i].len, err,
                                sizeof(err));

        if (c[i].expect == 0) {
            assert_null(set);
            assert_non_null(strstr(err, "shorter"));
            continue;
        }

        assert_non_null(set);
        assert_int_equal(set->nkeys, 1);
        assert_int_equal(set->keys[0].secret_len, c[i].expect);
        assert_null(set->keys[0].kid.data);
        rooms_jwks_free(set);
    }
}


/* ------------------------------------------------------------ mock, hybrid */

static void
test_looks_like(void **state)
{
    size_t       i;
    char         h[128], t[256];
    const char  *is[] = {
        "{\"alg\":\"HS256\"}", "{\"alg\":\"none\"}", "{\"alg\":1}",
        "{\"alg\":\"HS256\",\"alg\":\"none\"}", "{\"alg\":\"\",\"crit\":[]}"
    };
    const char  *isnt[] = { "{}", "[]", "\"alg\"", "{\"Alg\":1}", "x", "" };
    const char  *tails[] = { "", ".", "..", ".e30", "..e30", ".=.a",
                             ".e30.e30.e30", ".e30.e3", ".e30.ab c" };

    (void) state;

    for (i = 0; i < nitems(is); i++) {
        snprintf(t, sizeof(t), "%s.e30.AAAA",
                 b64(h, sizeof(h), is[i], strlen(is[i])));
        assert_int_equal(rooms_jwt_looks_like(rooms_cstr(t)), 1);
    }

    /* an unsecured token isn't a mock token either */

    snprintf(t, sizeof(t), "%s.e30.", b64(h, sizeof(h), is[1],
             strlen(is[1])));
    assert_int_equal(rooms_jwt_looks_like(rooms_cstr(t)), 1);

    for (i = 0; i < nitems(isnt); i++) {
        snprintf(t, sizeof(t), "%s.e30.AAAA",
                 b64(h, sizeof(h), isnt[i], strlen(isnt[i])));
        assert_int_equal(rooms_jwt_looks_like(rooms_cstr(t)), 0);
    }

    for (i = 0; i < nitems(tails); i++) {
        snprintf(t, sizeof(t), "%s%s", b64(h, sizeof(h), is[0],
                 strlen(is[0])), tails[i]);
        assert_int_equal(rooms_jwt_looks_like(rooms_cstr(t)), 0);
    }

    assert_int_equal(rooms_jwt_looks_like(rooms_cstr("mock:a@b")), 0);
    assert_int_equal(rooms_jwt_looks_like(ROOMS_NULL), 0);
}


static const struct {
    const char  *token, *sub, *tenant;
    unsigned     admin;
} mocks[] = {
    { "mock:alice@acme", "alice", "acme", 0 },
    { "mock:alice@acme:admin", "alice", "acme", 1 },
    { "mock:@alice:here@acme", "@alice:here", "acme", 0 },
    { "mock:a@b@c:admin", "a@b", "c", 1 },
    { "mock::admin@c", ":admin", "c", 0 },
    { "mock:mock:a@b", "mock:a", "b", 0 },
    { "mock:a@admin", "a", "admin", 0 },
    { "mock:@@t", "@", "t", 0 },
    { "mock:" N128 N64 "@" N64 ":admin", N128 N64, N64, 1 },
    { "mock:auth0|64\"\\/%@acme", "auth0|64\"\\/%", "acme", 0 },
    { "x", "mock-user", "mock-tenant", 0 },
    { "mock", "mock-user", "mock-tenant", 0 },
    { "Mock:a@b:admin", "mock-user", "mock-tenant", 0 },
    { "alice@acme:admin", "mock-user", "mock-tenant", 0 },
    { "\xff\xfe", "mock-user", "mock-tenant", 0 },
    { "", NULL, NULL, 0 },
    { "mock:", NULL, NULL, 0 },
    { "mock:alice", NULL, NULL, 0 },
    { "mock:@acme", NULL, NULL, 0 },
    { "mock:alice@", NULL, NULL, 0 },
    { "mock:@", NULL, NULL, 0 },
    { "mock::admin", NULL, NULL, 0 },
    { "mock:alice@:admin", NULL, NULL, 0 },
    { "mock:alice@acme:", NULL, NULL, 0 },
    { "mock:alice@acme:root", NULL, NULL, 0 },
    { "mock:alice@acme:ADMIN", NULL, NULL, 0 },
    { "mock:alice@acme:admin:admin", NULL, NULL, 0 },
    { "mock:al ice@acme", NULL, NULL, 0 },
    { "mock:alice@ac/me", NULL, NULL, 0 },
    { "mock:" N128 N128 "@acme", NULL, NULL, 0 },
    { "mock:\xc3\xa9@acme", NULL, NULL, 0 },
    { "mock:a@" N64 "x", NULL, NULL, 0 }
};


static void
test_mock(void **state)
{
    size_t          i, len;
    rooms_jwt_e     rc;
    unsigned char  *p, *big;

    (void) state;

    for (i = 0; i < nitems(mocks); i++) {
        len = strlen(mocks[i].token);
        p = malloc(len ? len : 1);
        memcpy(p, mocks[i].token, len);

        rc = rooms_mock_principal((rooms_str_t) { len, p }, &who, work,
                                  sizeof(work), &why);
        free(p);

        if ((rc == ROOMS_JWT_OK) != (mocks[i].sub != NULL)) {
            fail_msg("%s", mocks[i].token);
        }

        assert_str(who.sub, mocks[i].sub);
        assert_str(who.tenant, mocks[i].tenant);
        assert_str(who.name, NULL);
        assert_str(who.local, NULL);
        assert_int_equal(who.admin, mocks[i].admin);
        assert_int_equal(who.exp, mocks[i].sub ? ROOMS_JWT_TIME_MAX : 0);
    }

    big = malloc(ROOMS_JWT_MAX + 1);
    memset(big, 'a', ROOMS_JWT_MAX + 1);
    assert_int_equal(rooms_mock_principal((rooms_str_t) { ROOMS_JWT_MAX, big },
                     &who, work, sizeof(work), NULL), ROOMS_JWT_OK);
    assert_int_equal(rooms_mock_principal((rooms_str_t) { ROOMS_JWT_MAX + 1,
                     big }, &who, work, sizeof(work), NULL),
                     ROOMS_JWT_INVALID);
    free(big);
}


static const struct CMUnitTest  fixed[] = {
    cmocka_unit_test(test_jwks_passed_over),
    cmocka_unit_test(test_base64),
    cmocka_unit_test(test_jwks_limits),
    cmocka_unit_test(test_secret),
    cmocka_unit_test(test_looks_like),
    cmocka_unit_test(test_mock)
};

static struct CMUnitTest  tests[nitems(fixed) + nitems(jwks_cases)];


int
main(void)
{
    size_t  i, n;

    if (rooms_jwt_init() != 0) {
        return 1;
    }

    memcpy(tests, fixed, sizeof(fixed));
    n = nitems(fixed);

    for (i = 0; i < nitems(jwks_cases); i++) {
        tests[n++] = (struct CMUnitTest) { jwks_cases[i].name, jwks_test,
                         NULL, NULL, (void *) &jwks_cases[i] };
    }

    return cmocka_run_group_tests(tests, NULL, NULL);
}
