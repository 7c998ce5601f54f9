/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Tokens for jwt_test.c, each a test of its own, named by its first field;
 * and claims that do or don't make an administrator, or match an issuer and
 * an audience.
 */

#ifndef JWT_CASES_H
#define JWT_CASES_H

#include "rooms_jwt.h"


#define NOW     1700000000
#define WHO     "\"sub\":\"alice\",\"tenant_id\":\"acme\""
#define UNTIL   "\"exp\":1700003600"
#define CLAIMS  WHO "," UNTIL
#define HS      "{\"alg\":\"HS256\",\"kid\":\"h1\"}"
#define N64   "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
#define N128  N64 N64


/* Signers: the keys of the set, the secret file, a confused secret. */
typedef enum {
    RS, ES, ED, H, HF, HX,
    RS384, RS512, PS256, PS384, PS512, ES384, ES512, H384, H512
} signer_e;

typedef struct {
    const char    *name;
    signer_e       signer;
    const char    *header;
    const char    *payload;
    rooms_jwt_e    expect;
} token_case_t;


static const token_case_t  token_cases[] = {

    /* accepted */

    { "RS256", RS, "{\"alg\":\"RS256\",\"kid\":\"r1\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "ES256", ES, "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"e1\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "EdDSA", ED, "{\"alg\":\"EdDSA\",\"kid\":\"d1\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "HS256", H, HS, "{" CLAIMS "}", ROOMS_JWT_OK },
    { "RS384", RS384, "{\"alg\":\"RS384\",\"kid\":\"r1\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "RS512", RS512, "{\"alg\":\"RS512\",\"kid\":\"r1\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "PS256", PS256, "{\"alg\":\"PS256\",\"kid\":\"r1\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "PS384", PS384, "{\"alg\":\"PS384\",\"kid\":\"r1\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "PS512", PS512, "{\"alg\":\"PS512\",\"kid\":\"r1\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "ES384", ES384, "{\"alg\":\"ES384\",\"kid\":\"e384\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "ES512", ES512, "{\"alg\":\"ES512\",\"kid\":\"e521\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "HS384", H384, "{\"alg\":\"HS384\",\"kid\":\"any\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "HS512", H512, "{\"alg\":\"HS512\",\"kid\":\"any\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "HS256 by a key without alg", H, "{\"alg\":\"HS256\",\"kid\":\"any\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "HS512 by a key of HS256 alone", H512,
      "{\"alg\":\"HS512\",\"kid\":\"h1\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "RS256 by a key of PS256 alone", RS,
      "{\"alg\":\"RS256\",\"kid\":\"ps\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "PS256 by a key of PS256 alone", PS256,
      "{\"alg\":\"PS256\",\"kid\":\"ps\"}", "{" CLAIMS "}", ROOMS_JWT_OK },
    { "RS256's signature, PS256 said", RS,
      "{\"alg\":\"PS256\",\"kid\":\"r1\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "PS256's signature, RS256 said", PS256,
      "{\"alg\":\"RS256\",\"kid\":\"r1\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "PS512's signature, PS256 said", PS512,
      "{\"alg\":\"PS256\",\"kid\":\"r1\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "RS256's signature, RS512 said", RS,
      "{\"alg\":\"RS512\",\"kid\":\"r1\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "ES384's signature, ES256 said", ES384,
      "{\"alg\":\"ES256\",\"kid\":\"e384\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "HS256's signature, HS512 said", H,
      "{\"alg\":\"HS512\",\"kid\":\"any\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "RS256 without kid", RS, "{\"alg\":\"RS256\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "ES256 without kid", ES, "{\"alg\":\"ES256\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "EdDSA without kid", ED, "{\"alg\":\"EdDSA\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "HS256 without kid, the first of two", H, "{\"alg\":\"HS256\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "HS256 by the secret file", HF, "{\"alg\":\"HS256\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "header members that are unknown", H,
      "{\"alg\":\"HS256\",\"kid\":\"h1\",\"jku\":\"http://x\",\"x\":{}}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "one kid for two kinds of key", ES,
      "{\"alg\":\"ES256\",\"kid\":\"both\"}", "{" CLAIMS "}", ROOMS_JWT_OK },
    { "sub of 255", H, HS,
      "{\"sub\":\"" N64 N64 N64 "ccccccccccccccccccccccccccccccccccccccccccccc"
      "cccccccccccccccccc\",\"tenant_id\":\"a.b_c-9\"," UNTIL "}",
      ROOMS_JWT_OK },
    { "sub of all punctuation", H, HS,
      "{\"sub\":\"!\\\"#$%&'()*+,-./:;<=>?@[\\\\]^_`{|}~\","
      "\"tenant_id\":\"a\"," UNTIL "}", ROOMS_JWT_OK },
    { "tenant of 64", H, HS,
      "{\"sub\":\"a\",\"tenant_id\":\"" N64 "\"," UNTIL "}", ROOMS_JWT_OK },
    { "exp with a fraction", H, HS,
      "{" WHO ",\"exp\":1700003600.25}", ROOMS_JWT_OK },
    { "exp past, within the leeway", H, HS,
      "{" WHO ",\"exp\":1699999941}", ROOMS_JWT_OK },
    { "nbf within the leeway", H, HS,
      "{" CLAIMS ",\"nbf\":1700000060}", ROOMS_JWT_OK },
    { "iat within the leeway", H, HS,
      "{" CLAIMS ",\"iat\":1700000060}", ROOMS_JWT_OK },
    { "iss and aud when neither is asked for", H, HS,
      "{" CLAIMS ",\"iss\":\"x\",\"aud\":3}", ROOMS_JWT_OK },
    { "white space in JSON", H, " {\"alg\" : \"HS256\"}\n",
      "\r\n{ " CLAIMS " } ", ROOMS_JWT_OK },

    /* headers */

    { "header no JSON", H, "{\"alg\":\"HS256\"", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "header an array", H, "[\"alg\",\"HS256\"]", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "header with text after it", H, HS "{}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "header with a member twice", H,
      "{\"alg\":\"HS256\",\"alg\":\"HS256\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "alg none", H, "{\"alg\":\"none\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "alg missing", H, "{\"kid\":\"h1\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "alg no string", H, "{\"alg\":[\"HS256\"]}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "alg unknown", RS, "{\"alg\":\"RS1\",\"kid\":\"r1\"}",
      "{" CLAIMS "}", ROOMS_JWT_INVALID },
    { "alg in lower case", H, "{\"alg\":\"hs256\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "alg with more after it", H, "{\"alg\":\"HS256 \"}",
      "{" CLAIMS "}", ROOMS_JWT_INVALID },
    { "crit", H, "{\"alg\":\"HS256\",\"kid\":\"h1\",\"crit\":[\"exp\"]}",
      "{" CLAIMS "}", ROOMS_JWT_INVALID },
    { "crit null", H, "{\"alg\":\"HS256\",\"kid\":\"h1\",\"crit\":null}",
      "{" CLAIMS "}", ROOMS_JWT_INVALID },
    { "kid unknown", H, "{\"alg\":\"HS256\",\"kid\":\"h2\"}",
      "{" CLAIMS "}", ROOMS_JWT_UNKNOWN_KID },
    { "kid empty", H, "{\"alg\":\"HS256\",\"kid\":\"\"}",
      "{" CLAIMS "}", ROOMS_JWT_UNKNOWN_KID },
    { "kid no string", H, "{\"alg\":\"HS256\",\"kid\":1}",
      "{" CLAIMS "}", ROOMS_JWT_INVALID },
    { "kid null", H, "{\"alg\":\"HS256\",\"kid\":null}",
      "{" CLAIMS "}", ROOMS_JWT_INVALID },
    { "kid of a key, secret file's signature", HF, HS,
      "{" CLAIMS "}", ROOMS_JWT_INVALID },
    { "kid never matches the secret file", HF,
      "{\"alg\":\"HS256\",\"kid\":\"f1\"}", "{" CLAIMS "}",
      ROOMS_JWT_UNKNOWN_KID },
    { "alg of another kind than the key's", ES,
      "{\"alg\":\"ES256\",\"kid\":\"d1\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },
    { "signature of another key", ED,
      "{\"alg\":\"ES256\",\"kid\":\"e1\"}", "{" CLAIMS "}",
      ROOMS_JWT_INVALID },

    /* payloads */

    { "payload no JSON", H, HS, "{" CLAIMS, ROOMS_JWT_INVALID },
    { "payload an array", H, HS, "[1]", ROOMS_JWT_INVALID },
    { "payload a string", H, HS, "\"x\"", ROOMS_JWT_INVALID },
    { "claim twice", H, HS, "{" CLAIMS ",\"sub\":\"alice\"}",
      ROOMS_JWT_INVALID },
    { "member twice, deep inside", H, HS,
      "{" CLAIMS ",\"x\":[{\"a\":1,\"a\":1}]}", ROOMS_JWT_INVALID },
    { "NUL in a string", H, HS, "{" CLAIMS ",\"x\":\"\\u0000\"}",
      ROOMS_JWT_INVALID },
    { "lone surrogate", H, HS, "{" CLAIMS ",\"x\":\"\\ud800\"}",
      ROOMS_JWT_INVALID },
    { "invalid UTF-8", H, HS, "{" CLAIMS ",\"name\":\"\xc3(\"}",
      ROOMS_JWT_INVALID },
    { "overlong UTF-8", H, HS, "{" CLAIMS ",\"name\":\"\xc0\xaf\"}",
      ROOMS_JWT_INVALID },

    { "sub missing", H, HS, "{\"tenant_id\":\"acme\"," UNTIL "}",
      ROOMS_JWT_INVALID },
    { "sub null", H, HS,
      "{\"sub\":null,\"tenant_id\":\"acme\"," UNTIL "}", ROOMS_JWT_INVALID },
    { "sub a number", H, HS,
      "{\"sub\":7,\"tenant_id\":\"acme\"," UNTIL "}", ROOMS_JWT_INVALID },
    { "sub empty", H, HS,
      "{\"sub\":\"\",\"tenant_id\":\"acme\"," UNTIL "}", ROOMS_JWT_INVALID },
    { "sub of 256", H, HS,
      "{\"sub\":\"" N128 N128 "\",\"tenant_id\":\"acme\"," UNTIL "}",
      ROOMS_JWT_INVALID },
    { "sub with DEL", H, HS,
      "{\"sub\":\"a\\u007f\",\"tenant_id\":\"acme\"," UNTIL "}",
      ROOMS_JWT_INVALID },
    { "sub with a letter that is not ASCII", H, HS,
      "{\"sub\":\"\xc3\xa9" "\",\"tenant_id\":\"acme\"," UNTIL "}",
      ROOMS_JWT_INVALID },
    { "sub with a space", H, HS,
      "{\"sub\":\"a b\",\"tenant_id\":\"acme\"," UNTIL "}",
      ROOMS_JWT_INVALID },

    { "tenant missing", H, HS, "{\"sub\":\"a\"," UNTIL "}",
      ROOMS_JWT_INVALID },
    { "tenant a number", H, HS,
      "{\"sub\":\"a\",\"tenant_id\":1," UNTIL "}", ROOMS_JWT_INVALID },
    { "tenant empty", H, HS,
      "{\"sub\":\"a\",\"tenant_id\":\"\"," UNTIL "}", ROOMS_JWT_INVALID },
    { "tenant of 65", H, HS,
      "{\"sub\":\"a\",\"tenant_id\":\"" N64 "x\"," UNTIL "}",
      ROOMS_JWT_INVALID },
    { "tenant with a brace", H, HS,
      "{\"sub\":\"a\",\"tenant_id\":\"a}b\"," UNTIL "}", ROOMS_JWT_INVALID },
    { "tenant with a colon", H, HS,
      "{\"sub\":\"a\",\"tenant_id\":\"a:b\"," UNTIL "}", ROOMS_JWT_INVALID },

    { "exp missing", H, HS, "{" WHO "}", ROOMS_JWT_INVALID },
    { "exp a string", H, HS, "{" WHO ",\"exp\":\"1700003600\"}",
      ROOMS_JWT_INVALID },
    { "exp null", H, HS, "{" WHO ",\"exp\":null}", ROOMS_JWT_INVALID },
    { "exp negative", H, HS, "{" WHO ",\"exp\":-1}", ROOMS_JWT_INVALID },
    { "exp negative real", H, HS, "{" WHO ",\"exp\":-0.5}",
      ROOMS_JWT_INVALID },
    { "exp in milliseconds", H, HS, "{" WHO ",\"exp\":1700003600000}",
      ROOMS_JWT_INVALID },
    { "exp of 64 bits", H, HS, "{" WHO ",\"exp\":9223372036854775807}",
      ROOMS_JWT_INVALID },
    { "exp past 64 bits", H, HS, "{" WHO ",\"exp\":9223372036854775808}",
      ROOMS_JWT_INVALID },
    { "exp 1e300", H, HS, "{" WHO ",\"exp\":1e300}", ROOMS_JWT_INVALID },
    { "exp 1e400", H, HS, "{" WHO ",\"exp\":1e400}", ROOMS_JWT_INVALID },
    { "exp NaN", H, HS, "{" WHO ",\"exp\":NaN}", ROOMS_JWT_INVALID },
    { "exp Infinity", H, HS, "{" WHO ",\"exp\":Infinity}",
      ROOMS_JWT_INVALID },
    { "expired", H, HS, "{" WHO ",\"exp\":1600000000}",
      ROOMS_JWT_EXPIRED },
    { "expired, just", H, HS, "{" WHO ",\"exp\":1699999940}",
      ROOMS_JWT_EXPIRED },
    { "expired real, just", H, HS, "{" WHO ",\"exp\":1699999940.9}",
      ROOMS_JWT_EXPIRED },
    { "exp 0", H, HS, "{" WHO ",\"exp\":0}", ROOMS_JWT_EXPIRED },
    { "expired, and of nobody", H, HS, "{\"exp\":1600000000}",
      ROOMS_JWT_INVALID },
    { "expired, and forged", ED, HS, "{" WHO ",\"exp\":1600000000}",
      ROOMS_JWT_INVALID },

    { "nbf in the future", H, HS, "{" CLAIMS ",\"nbf\":1700000061}",
      ROOMS_JWT_INVALID },
    { "nbf a string", H, HS, "{" CLAIMS ",\"nbf\":\"0\"}",
      ROOMS_JWT_INVALID },
    { "nbf huge", H, HS, "{" CLAIMS ",\"nbf\":1e300}",
      ROOMS_JWT_INVALID },
    { "iat in the future", H, HS, "{" CLAIMS ",\"iat\":1700000061}",
      ROOMS_JWT_INVALID },
    { "iat a boolean", H, HS, "{" CLAIMS ",\"iat\":true}",
      ROOMS_JWT_INVALID },
    { "iat negative", H, HS, "{" CLAIMS ",\"iat\":-5}",
      ROOMS_JWT_INVALID },
    { "iat and nbf with fractions", H, HS,
      "{" CLAIMS ",\"iat\":1699999999.5,\"nbf\":1.7e9}", ROOMS_JWT_OK },
    { "iat and nbf null", H, HS,
      "{" CLAIMS ",\"iat\":null,\"nbf\":null}", ROOMS_JWT_OK }
};


/* A claim "name" and the display name that results. */
static const struct { const char *claim; const char *name; }  names[] = {
    { "\"Al\"", "Al" },
    { "1", NULL },
    { "true", NULL },
    { "{\"first\":\"Al\"}", NULL },
    { "[\"Al\"]", NULL },
    { "null", NULL },
    { "\"\"", NULL },
    { "\"  \\t \"", NULL },
    { "\"\\u0007\"", NULL },
    { "\"a\\tb\"", "ab" },
    { "\"a\\r\\nb\\u007f\"", "ab" },
    { "\"\\u0080a\\u0085b\\u009f\"", "ab" },
    { "\"a\\u2028b\\u2029c\"", "abc" },
    { "\"a\\u00a0b\"", "a\xc2\xa0" "b" },
    { "\"a\\u20a8b\"", "a\xe2\x82\xa8" "b" },
    { "\" \\n Al  B \\t\"", "Al  B" },
    { "\"" N128 "\"", N128 },
    { "\"" N128 "x\"", N128 },
    { "\"  " N128 "xyz\"", N128 },
    { "\"" N128 " y\"", N128 },
};


/* A claim "preferred_username" and the local id that results. */
static const struct { const char *claim; const char *local; }  locals[] = {
    { "\"al.ice\"", "al.ice" },
    { "\"al@acme.example\"", "al@acme.example" },
    { "\"al ice\"", "al-ice" },
    { "\"  al  / ice \"", "al-ice" },
    { "\"a\\tb\"", "ab" },
    { "\"a:b|c%d\\\"e\\\\f\"", "a-b-c-d-e-f" },
    { "\"@al\"", "al" },
    { "\"-@-al-\"", "al" },
    { "\"J\xc3\xb6rg\"", "J-rg" },
    { "\"\xe0\xb8\x81\"", NULL },
    { "\"///\"", NULL },
    { "\"\"", NULL },
    { "7", NULL },
    { "{}", NULL },
    { "null", NULL },
    { "\"" N128 "x\"", N128 },
};


static const struct { const char *claims; unsigned admin; }  grants[] = {
    { "\"role\":\"tenant_admin\"", 1 },
    { "\"role\":\"partner_admin\"", 1 },
    { "\"role\":\"super_admin\"", 1 },
    { "\"role\":\"user tenant_admin\"", 1 },
    { "\"role\":[\"tenant_admin\"]", 1 },
    { "\"roles\":[1,null,\"user\",\"super_admin\"]", 1 },
    { "\"roles\":\"  a  partner_admin \"", 1 },
    { "\"permissions\":\"rooms:read admin:access\"", 1 },
    { "\"permissions\":[\"admin:access\"]", 1 },
    { "\"role\":\"user\",\"roles\":[],\"permissions\":\"admin:access\"", 1 },
    { "\"role\":\"\"", 0 },
    { "\"role\":\"   \"", 0 },
    { "\"role\":\"admin\"", 0 },
    { "\"role\":\"tenant_admins\"", 0 },
    { "\"role\":\"xtenant_admin\"", 0 },
    { "\"role\":\"tenant_admi\"", 0 },
    { "\"role\":\"Tenant_Admin\"", 0 },
    { "\"role\":\"user,tenant_admin\"", 0 },
    { "\"role\":{\"tenant_admin\":true}", 0 },
    { "\"role\":true", 0 },
    { "\"roles\":[\"user tenant_admin\"]", 0 },
    { "\"roles\":[[\"tenant_admin\"]]", 0 },
    { "\"roles\":null", 0 },
    { "\"permissions\":\"tenant_admin\"", 0 },
    { "\"permissions\":[\"admin:access:no\"]", 0 },
    { "\"role\":\"admin:access\"", 0 },
    { "\"scope\":\"admin:access\"", 0 },
    { "\"x\":{\"role\":\"tenant_admin\"}", 0 }
};


/*
 * Claims of other providers: their paths, what is pinned, who is an
 * administrator.  "a b" is a path of two words; "" is the default path.
 */
static const struct {
    const char  *paths[ROOMS_CLAIM_MAX];
    const char  *admins;
    const char  *pinned;
    const char  *claims;
    const char  *want;                /* "sub tenant name local admin" */
}  mapped[] = {
    { { "oid" }, "", NULL,
      WHO ",\"oid\":\"o1\"", "o1 acme - - 0" },
    { { "oid" }, "", NULL, WHO, NULL },
    { { "a b c" }, "", NULL,
      WHO ",\"a\":{\"b\":{\"c\":\"deep\"}}", "deep acme - - 0" },
    { { "a b c" }, "", NULL, WHO ",\"a\":{\"b\":\"c\"}", NULL },
    { { "a b" }, "", NULL, WHO ",\"a\":[{\"b\":\"x\"}]", NULL },
    { { "uid" }, "", NULL, WHO ",\"uid\":42", "42 acme - - 0" },
    { { "uid" }, "", NULL, WHO ",\"uid\":-9223372036854775808",
      "-9223372036854775808 acme - - 0" },
    { { "uid" }, "", NULL, WHO ",\"uid\":[\"one\"]", "one acme - - 0" },
    { { "uid" }, "", NULL, WHO ",\"uid\":[\"one\",\"two\"]", NULL },
    { { "uid" }, "", NULL, WHO ",\"uid\":[]", NULL },
    { { "uid" }, "", NULL, WHO ",\"uid\":1.5", NULL },
    { { "uid" }, "", NULL, WHO ",\"uid\":true", NULL },
    { { "" }, "", NULL, "\"sub\":7,\"tenant_id\":\"acme\"", NULL },

    { { "", "https://acme.example/tenant" }, "", NULL,
      "\"sub\":\"a\",\"https://acme.example/tenant\":\"t1\"", "a t1 - - 0" },
    { { "", "org" }, "", NULL, WHO, NULL },
    { { "", "org" }, "", "pin", WHO, "alice pin - - 0" },
    { { "", "org" }, "", "pin", WHO ",\"org\":null", "alice pin - - 0" },
    { { "", "org" }, "", "pin", WHO ",\"org\":\"other\"",
      "alice other - - 0" },
    { { "", "org" }, "", "pin", WHO ",\"org\":\"\"", NULL },
    { { "", "org" }, "", "pin", WHO ",\"org\":[\"x\",\"y\"]", NULL },
    { { "", "org" }, "", "pin", WHO ",\"org\":[\"x\"]", "alice x - - 0" },
    { { "" }, "", "pin", "\"sub\":\"a\"", "a pin - - 0" },
    { { "" }, "", "pin", "\"sub\":\"a\",\"tenant_id\":\"b}\"", NULL },

    { { "", "", "profile full" }, "", NULL,
      WHO ",\"name\":\"N\",\"profile\":{\"full\":\"F\"}",
      "alice acme F - 0" },
    { { "", "", "full" }, "", NULL, WHO ",\"name\":\"N\"",
      "alice acme - - 0" },
    { { "", "", "", "email" }, "", NULL,
      WHO ",\"preferred_username\":\"p\",\"email\":\"e@x\"",
      "alice acme - e@x 0" },

    { { "", "", "", "", "realm_access roles" }, "", NULL,
      WHO ",\"realm_access\":{\"roles\":[\"x\",\"tenant_admin\"]}",
      "alice acme - - 1" },
    { { "", "", "", "", "realm_access roles" }, "", NULL,
      WHO ",\"realm_access\":{\"roles\":\"x admin:access\"}",
      "alice acme - - 1" },
    { { "", "", "", "", "realm_access roles" }, "", NULL,
      WHO ",\"role\":\"tenant_admin\",\"permissions\":\"admin:access\"",
      "alice acme - - 0" },
    { { "", "", "", "", "realm_access roles" }, "boss chief", NULL,
      WHO ",\"realm_access\":{\"roles\":[\"chief\"]}", "alice acme - - 1" },
    { { "", "", "", "", "realm_access roles" }, "boss chief", NULL,
      WHO ",\"realm_access\":{\"roles\":[\"tenant_admin\"]}",
      "alice acme - - 0" },
    { { "" }, "boss", NULL, WHO ",\"role\":\"boss\"", "alice acme - - 1" },
    { { "" }, "boss", NULL, WHO ",\"roles\":[\"boss\"]",
      "alice acme - - 1" },
    { { "" }, "boss", NULL, WHO ",\"permissions\":\"boss\"",
      "alice acme - - 1" },
    { { "" }, "boss", NULL, WHO ",\"role\":\"tenant_admin\"",
      "alice acme - - 0" },
    { { "" }, "boss", NULL, WHO ",\"permissions\":\"admin:access\"",
      "alice acme - - 0" }
};


static const struct { const char *claims; int ok; }  parties[] = {
    { "\"iss\":\"https://id/\",\"aud\":\"rooms\"", 1 },
    { "\"iss\":\"https://id/\",\"aud\":[\"x\",\"rooms\"]", 1 },
    { "\"iss\":\"https://id/\",\"aud\":[1,\"rooms\"]", 1 },
    { "\"aud\":\"rooms\"", 0 },
    { "\"iss\":\"https://id\",\"aud\":\"rooms\"", 0 },
    { "\"iss\":\"https://ID/\",\"aud\":\"rooms\"", 0 },
    { "\"iss\":[\"https://id/\"],\"aud\":\"rooms\"", 0 },
    { "\"iss\":null,\"aud\":\"rooms\"", 0 },
    { "\"iss\":\"https://id/\"", 0 },
    { "\"iss\":\"https://id/\",\"aud\":null", 0 },
    { "\"iss\":\"https://id/\",\"aud\":\"\"", 0 },
    { "\"iss\":\"https://id/\",\"aud\":\"room\"", 0 },
    { "\"iss\":\"https://id/\",\"aud\":\"rooms x\"", 0 },
    { "\"iss\":\"https://id/\",\"aud\":[]", 0 },
    { "\"iss\":\"https://id/\",\"aud\":[[\"rooms\"]]", 0 },
    { "\"iss\":\"https://id/\",\"aud\":{\"rooms\":1}", 0 }
};

#endif /* JWT_CASES_H */
