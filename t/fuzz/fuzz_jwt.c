/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer target for src/auth.  The first byte of the input says what the
 * rest is: a token as it stands, a token to be made of "header\npayload"
 * and signed (so that claims are reached, which no mutation of a signed token
 * does), a key set, a secret file, a mock token, or "paths\nheader\npayload":
 * where claims are looked for, and a token to be signed.
 *
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc/base -Isrc/rooms -Isrc/auth
 *     t/fuzz/fuzz_jwt.c src/auth/rooms_*.c src/rooms/rooms_*.c src/base/rooms_*.c
 *     -ljansson -lsodium -lcrypto
 */

#include <stdlib.h>

#include <openssl/err.h>
#include <sodium.h>

#include "rooms.h"
#include "rooms_jwt.h"


#define NOW  1700000000


static const unsigned char  secret[] = "0123456789abcdef0123456789abcdef";
static const char           keys[] = "{\"keys\":["
    "{\"kty\":\"oct\",\"kid\":\"h\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZg\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"d\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

static rooms_jwks_t       *sets[2];
static rooms_jwt_check_t   check;


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char  err[128];

    (void) argc;
    (void) argv;

    if (rooms_jwt_init() != 0) {
        abort();
    }

    sets[0] = rooms_jwks_parse((const unsigned char *) keys, strlen(keys),
                               err, sizeof(err));
    sets[1] = rooms_jwks_secret(secret, sizeof(secret) - 1, err, sizeof(err));

    if (sets[0] == NULL || sets[1] == NULL) {
        abort();
    }

    check.sets = (const rooms_jwks_t *const *) sets;
    check.nsets = 2;
    check.leeway = 60;
    check.now = NOW;

    return 0;
}


/* Invariants of every result. */
static void
judge(rooms_jwt_e rc, const rooms_principal_t *p, const unsigned char *buf,
    const char *why)
{
    size_t       i, k;
    rooms_str_t  s[4] = { p->sub, p->tenant, p->name, p->local };

    if (ERR_peek_error() != 0) {
        abort();
    }

    if (rc != ROOMS_JWT_OK) {
        if (why == NULL || p->sub.data || p->admin || p->exp) {
            abort();
        }

        return;
    }

    if (s[0].len < 1 || s[0].len > ROOMS_PARTICIPANT_MAX
        || s[1].len < 1 || s[1].len > 64
        || s[2].len > ROOMS_NAME_SIZE || s[3].len > ROOMS_LOCAL_CHARS
        || !rooms_participant_valid(s[0]) || !rooms_tenant_valid(s[1])
        || (s[2].data && rooms_name_check(&s[2]) != NULL)
        || (s[3].data && s[3].len == 0)
        || p->exp <= NOW - 60 || p->exp > ROOMS_JWT_TIME_MAX)
    {
        abort();
    }

    for (i = 0; i < 4; i++) {
        for (k = 0; k < s[i].len; k++) {
            if (s[i].data < buf || s[i].data[k] < 0x20) {
                abort();
            }
        }
    }
}


static void
token(const unsigned char *data, size_t len)
{
    const char         *why = NULL;
    rooms_jwt_e         rc;
    rooms_str_t         s = { len, data };
    unsigned char      *buf;
    rooms_principal_t   p;

    buf = malloc(ROOMS_JWT_BUF);
    rc = rooms_jwt_verify(s, &check, &p, buf, ROOMS_JWT_BUF, &why);
    judge(rc, &p, buf, why);

    if (rc == ROOMS_JWT_OK && !rooms_jwt_looks_like(s)) {
        abort();
    }

    (void) rooms_jwt_looks_like(s);
    free(buf);
}


/* Signed with the secret file's key: "alg" decides whether it is accepted. */
static void
signed_token(const unsigned char *data, size_t len)
{
    char                         *t;
    size_t                        n, cap, head;
    unsigned char                 mac[32];
    const unsigned char          *lf;
    crypto_auth_hmacsha256_state  st;

    lf = len ? memchr(data, '\n', len) : NULL;

    if (lf == NULL) {
        return;
    }

    head = (size_t) (lf - data);
    cap = len * 2 + 128;
    t = malloc(cap);

    sodium_bin2base64(t, cap, data, head,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    n = strlen(t);
    t[n++] = '.';
    sodium_bin2base64(t + n, cap - n, lf + 1, len - head - 1,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    n = strlen(t);

    crypto_auth_hmacsha256_init(&st, secret, sizeof(secret) - 1);
    crypto_auth_hmacsha256_update(&st, (unsigned char *) t, n);
    crypto_auth_hmacsha256_final(&st, mac);

    t[n++] = '.';
    sodium_bin2base64(t + n, cap - n, mac, sizeof(mac),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);

    token((unsigned char *) t, strlen(t));
    free(t);
}


/*
 * "a b,c" has the paths of the first claim (two words) and of the second; the
 * sixth list has the words that make an administrator.
 */
static void
mapped_token(const unsigned char *data, size_t len)
{
    char                 *paths, *p, *word, *path, *outer, *inner;
    unsigned              kind;
    rooms_str_t           words[ROOMS_CLAIM_MAX + 1][16];
    rooms_words_t        *w;
    const unsigned char  *lf;

    lf = len ? memchr(data, '\n', len) : NULL;

    if (lf == NULL) {
        return;
    }

    paths = strndup((const char *) data, (size_t) (lf - data));
    p = paths;

    for (kind = 0; kind <= ROOMS_CLAIM_MAX; kind++) {
        path = strtok_r(p, ",", &outer);
        w = kind < ROOMS_CLAIM_MAX ? &check.claims[kind] : &check.admins;
        w->word = words[kind];
        w->n = 0;
        p = NULL;

        for (word = path ? strtok_r(path, " ", &inner) : NULL;
             word && w->n < 16;
             word = strtok_r(NULL, " ", &inner))
        {
            words[kind][w->n++] = rooms_cstr(word);
        }
    }

    check.tenant = rooms_cstr("pinned");

    signed_token(lf + 1, len - (size_t) (lf + 1 - data));

    memset(check.claims, 0, sizeof(check.claims));
    check.admins.n = 0;
    check.tenant = ROOMS_NULL;
    free(paths);
}


static void
key_set(const unsigned char *data, size_t len, int is_secret)
{
    char           err[96];
    rooms_jwks_t  *set;

    set = is_secret ? rooms_jwks_secret(data, len, err, sizeof(err))
                    : rooms_jwks_parse(data, len, err, sizeof(err));

    if (ERR_peek_error() != 0 || (set == NULL && err[0] == '\0')
        || (set && (set->nkeys == 0 || set->nkeys > ROOMS_JWKS_MAX_KEYS)))
    {
        abort();
    }

    rooms_jwks_free(set);
}


static void
mock(const unsigned char *data, size_t len)
{
    const char         *why = NULL;
    rooms_jwt_e         rc;
    unsigned char      *buf;
    rooms_principal_t   p;

    buf = malloc(ROOMS_JWT_BUF);
    rc = rooms_mock_principal((rooms_str_t) { len, data }, &p, buf,
                              ROOMS_JWT_BUF, &why);
    judge(rc, &p, buf, why);
    free(buf);
}


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
    if (len == 0) {
        return 0;
    }

    switch (data[0] % 6) {

    case 0:
        token(data + 1, len - 1);
        break;

    case 1:
        signed_token(data + 1, len - 1);
        break;

    case 2:
        key_set(data + 1, len - 1, 0);
        break;

    case 3:
        key_set(data + 1, len - 1, 1);
        break;

    case 4:
        mock(data + 1, len - 1);
        break;

    default:
        mapped_token(data + 1, len - 1);
    }

    return 0;
}
