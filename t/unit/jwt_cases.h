/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Tokens for jwt_test.c, each a test by its name, and claims that make an
 * administrator, or fit an issuer and an audience, or don't.
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


/* Who signs: the keys of the set, the secret file, a confused secret. */
typedef enum { RS, ES, ED, H, HF, HX } signer_e;

typedef struct {
    const char    *name;
    signer_e       signer;
    const char    *header;
    const char    *payload;
    rooms_jwt_e    expect;
} token_case_t;


static const token_case_t  token_cases[] = {

    /* what is accepted */

    { "RS256", RS, "{\"alg\":\"RS256\",\"kid\":\"r1\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "ES256", ES, "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"e1\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "EdDSA", ED, "{\"alg\":\"EdDSA\",\"kid\":\"d1\"}",
      "{" CLAIMS "}", ROOMS_JWT_OK },
    { "HS256", H, HS, "{" CLAIMS "}", ROOMS_JWT_OK },
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
    { "sub of 128, all punctuation", H, HS,
      "{\"sub\":\"" N64 "ccccccccccccccccccccccccccccccccccccccccccccccccccccc"
      "ccc0._~@:+-\",\"tenant_id\":\"a.b_c-9\"," UNTIL "}", ROOMS_JWT_OK },
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
    { "alg unknown", RS, "{\"alg\":\"RS512\",\"kid\":\"r1\"}",
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
    { "sub of 129", H, HS,
      "{\"sub\":\"" N128 "x\",\"tenant_id\":\"acme\"," UNTIL "}",
      ROOMS_JWT_INVALID },
    { "sub with a slash", H, HS,
      "{\"sub\":\"a/b\",\"tenant_id\":\"acme\"," UNTIL "}",
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

    { "name a number", H, HS, "{" CLAIMS ",\"name\":1}",
      ROOMS_JWT_INVALID },
    { "name with a tab", H, HS, "{" CLAIMS ",\"name\":\"a\\tb\"}",
      ROOMS_JWT_INVALID },
    { "name with DEL", H, HS, "{" CLAIMS ",\"name\":\"a\\u007f\"}",
      ROOMS_JWT_INVALID },
    { "name with C1", H, HS, "{" CLAIMS ",\"name\":\"\\u0085\"}",
      ROOMS_JWT_INVALID },
    { "name with the last of C1", H, HS,
      "{" CLAIMS ",\"name\":\"\\u009f\"}", ROOMS_JWT_INVALID },
    { "name with a space that doesn't break", H, HS,
      "{" CLAIMS ",\"name\":\"a\\u00a0b\"}", ROOMS_JWT_OK },
    { "name of 256", H, HS, "{" CLAIMS ",\"name\":\"" N128 N128 "\"}",
      ROOMS_JWT_OK },
    { "name of 257", H, HS, "{" CLAIMS ",\"name\":\"" N128 N128 "x\"}",
      ROOMS_JWT_INVALID }
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
