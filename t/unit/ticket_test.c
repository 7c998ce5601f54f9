/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Tickets and links: which are valid, which are refused, and what a log may
 * show.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sodium.h>

#include "rooms_ticket.h"


#define str(s)  ((rooms_str_t) rooms_string(s))
#define NOW     1700000000


static const rooms_str_t  secrets[] = {
    rooms_string("the first secret, which signs: 32+"),
    rooms_string("the second secret, an old one: 32+")
};

static rooms_principal_t   who = {
    .sub = rooms_string("auth0|64f0"), .tenant = rooms_string("acme"),
    .name = rooms_string("Ada"), .exp = NOW + 9000, .iat = NOW, .admin = 1
};

static rooms_principal_t   got;
static unsigned char       text[ROOMS_TICKET_MAX];
static unsigned char       work[ROOMS_TICKET_RAW];
static const char         *why;


static rooms_str_t
make(rooms_str_t secret, rooms_ticket_e purpose, int64_t exp,
    rooms_str_t object)
{
    size_t  n;

    n = rooms_ticket_make(secret, purpose, &who, exp, object, text);
    assert_true(n > 0 && n <= ROOMS_TICKET_MAX);

    return (rooms_str_t) { n, text };
}


static rooms_jwt_e
check(rooms_str_t ticket, rooms_ticket_e purpose, rooms_str_t object,
    int64_t now)
{
    rooms_jwt_e  rc;

    rc = rooms_ticket_verify(ticket, secrets, 2, purpose, object, now, &got,
                             work, &why);

    if (rc == ROOMS_JWT_OK) {
        assert_null(why);

    } else {
        assert_non_null(why);
        assert_null(got.sub.data);
        assert_int_equal(got.admin, 0);
        assert_int_equal(got.exp, 0);
    }

    return rc;
}


static void
good(void **state)
{
    rooms_str_t  t;

    t = make(secrets[0], ROOMS_TICKET_STREAM, NOW + 60, str(""));

    assert_int_equal(check(t, ROOMS_TICKET_STREAM, str(""), NOW),
                     ROOMS_JWT_OK);
    assert_true(rooms_str_eq(got.sub, who.sub));
    assert_true(rooms_str_eq(got.tenant, who.tenant));
    assert_null(got.name.data);
    assert_int_equal(got.exp, NOW + 60);
    assert_int_equal(got.admin, 1);

    /* exact to the second */

    assert_int_equal(check(t, ROOMS_TICKET_STREAM, str(""), NOW + 59),
                     ROOMS_JWT_OK);
    assert_int_equal(check(t, ROOMS_TICKET_STREAM, str(""), NOW + 60),
                     ROOMS_JWT_EXPIRED);

    /* a link carries no role */

    t = make(secrets[0], ROOMS_TICKET_EXPORT, NOW + 60, str("room-1"));
    assert_int_equal(check(t, ROOMS_TICKET_EXPORT, str("room-1"), NOW),
                     ROOMS_JWT_OK);
    assert_int_equal(got.admin, 0);
}


static void
rotated(void **state)
{
    rooms_str_t  t;

    t = make(secrets[1], ROOMS_TICKET_STREAM, NOW + 60, str(""));
    assert_int_equal(check(t, ROOMS_TICKET_STREAM, str(""), NOW),
                     ROOMS_JWT_OK);

    t = make(str("a secret that nobody lists: 32 bytes"), ROOMS_TICKET_STREAM,
             NOW + 60, str(""));
    assert_int_equal(check(t, ROOMS_TICKET_STREAM, str(""), NOW),
                     ROOMS_JWT_INVALID);

    t = make(secrets[0], ROOMS_TICKET_STREAM, NOW + 60, str(""));
    assert_int_equal(rooms_ticket_verify(t, secrets, 0, ROOMS_TICKET_STREAM,
                                         str(""), NOW, &got, work, &why),
                     ROOMS_JWT_INVALID);
}


static void
elsewhere(void **state)
{
    rooms_str_t  t;

    t = make(secrets[0], ROOMS_TICKET_MEDIUM, NOW + 60, str("med-1"));

    assert_int_equal(check(t, ROOMS_TICKET_MEDIUM, str("med-1"), NOW),
                     ROOMS_JWT_OK);
    assert_int_equal(check(t, ROOMS_TICKET_MEDIUM, str("med-2"), NOW),
                     ROOMS_JWT_INVALID);
    assert_int_equal(check(t, ROOMS_TICKET_MEDIUM, str("med-11"), NOW),
                     ROOMS_JWT_INVALID);
    assert_int_equal(check(t, ROOMS_TICKET_MEDIUM, str(""), NOW),
                     ROOMS_JWT_INVALID);
    assert_int_equal(check(t, ROOMS_TICKET_EXPORT, str("med-1"), NOW),
                     ROOMS_JWT_INVALID);
    assert_int_equal(check(t, ROOMS_TICKET_STREAM, str(""), NOW),
                     ROOMS_JWT_INVALID);

    /* an expired ticket is reported as expired only for its own purpose */
    assert_int_equal(check(t, ROOMS_TICKET_STREAM, str(""), NOW + 61),
                     ROOMS_JWT_INVALID);
    assert_int_equal(check(t, ROOMS_TICKET_MEDIUM, str("med-1"), NOW + 61),
                     ROOMS_JWT_EXPIRED);
}


/* Changing any character or the length invalidates it. */
static void
forged(void **state)
{
    size_t         i, n;
    rooms_str_t    t;
    unsigned char  c, copy[ROOMS_TICKET_MAX + 8];

    t = make(secrets[0], ROOMS_TICKET_STREAM, NOW + 60, str(""));
    n = t.len;
    memcpy(copy, t.data, n);
    memcpy(copy + n, "AAAAAAAA", 8);

    for (i = 0; i < n; i++) {
        c = copy[i];
        copy[i] = c == 'A' ? 'B' : 'A';
        assert_int_equal(check((rooms_str_t) { n, copy }, ROOMS_TICKET_STREAM,
                               str(""), NOW), ROOMS_JWT_INVALID);
        copy[i] = '%';
        assert_int_equal(check((rooms_str_t) { n, copy }, ROOMS_TICKET_STREAM,
                               str(""), NOW), ROOMS_JWT_INVALID);
        copy[i] = c;
    }

    for (i = 0; i < n + 8; i++) {
        assert_int_equal(check((rooms_str_t) { i, copy }, ROOMS_TICKET_STREAM,
                               str(""), NOW),
                         i == n ? ROOMS_JWT_OK : ROOMS_JWT_INVALID);
    }
}


/* Signed correctly, but with content that we never sign. */
static void
nonsense(void **state)
{
    size_t         i;
    char           b64[ROOMS_TICKET_MAX + 1];
    unsigned char  raw[64];
    rooms_str_t    t;

    static const struct {
        const char   *bytes;
        size_t        len;
        rooms_jwt_e   rc;
    } cases[] = {
        { "\1\1\0" "\0\0\0\0\x65\x53\xf1\x01" "\4acme\1a\0", 19,
          ROOMS_JWT_OK },
        { "\2\1\0" "\0\0\0\0\x65\x53\xf1\x01" "\4acme\1a\0", 19,
          ROOMS_JWT_INVALID },
        { "\1\1\2" "\0\0\0\0\x65\x53\xf1\x01" "\4acme\1a\0", 19,
          ROOMS_JWT_INVALID },
        { "\1\1\0" "\xff\0\0\0\x65\x53\xf1\x01" "\4acme\1a\0", 19,
          ROOMS_JWT_INVALID },
        { "\1\1\0" "\0\0\0\0\x65\x53\xf1\x01" "\4a/me\1a\0", 19,
          ROOMS_JWT_INVALID },
        { "\1\1\0" "\0\0\0\0\x65\x53\xf1\x01" "\4acme\0\0", 18,
          ROOMS_JWT_INVALID },
        { "\1\1\0" "\0\0\0\0\x65\x53\xf1\x01" "\4acme\1a\1", 19,
          ROOMS_JWT_INVALID },
        { "\1\1\0" "\0\0\0\0\x65\x53\xf1\x01" "\4acme\1a\0x", 20,
          ROOMS_JWT_INVALID },
        { "\1\1\0" "\0\0\0\0\x65\x53\xf1\x01" "\377acme", 16,
          ROOMS_JWT_INVALID },
        { "\1\1\0", 3, ROOMS_JWT_INVALID },
        { "", 0, ROOMS_JWT_INVALID }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        crypto_auth_hmacsha256_state  h;

        memcpy(raw, cases[i].bytes, cases[i].len);
        crypto_auth_hmacsha256_init(&h, secrets[0].data, secrets[0].len);
        crypto_auth_hmacsha256_update(&h, raw, cases[i].len);
        crypto_auth_hmacsha256_final(&h, raw + cases[i].len);
        sodium_bin2base64(b64, sizeof(b64), raw, cases[i].len + 32,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);

        t = rooms_cstr(b64);
        assert_int_equal(check(t, ROOMS_TICKET_STREAM, str(""), NOW),
                         cases[i].rc);
    }
}


static void
bounds(void **state)
{
    char               sub[300];
    rooms_principal_t  long_one;

    memset(sub, 'a', sizeof(sub));
    long_one = who;
    long_one.sub = (rooms_str_t) { 255, (unsigned char *) sub };

    assert_true(rooms_ticket_make(secrets[0], ROOMS_TICKET_STREAM, &long_one,
                                  NOW, str(""), text) > 0);
    long_one.sub.len = 256;
    assert_int_equal(rooms_ticket_make(secrets[0], ROOMS_TICKET_STREAM,
                                       &long_one, NOW, str(""), text), 0);
    assert_int_equal(rooms_ticket_make(secrets[0], ROOMS_TICKET_STREAM, &who,
                                       -1, str(""), text), 0);
    assert_int_equal(rooms_ticket_make(secrets[0], ROOMS_TICKET_STREAM, &who,
                                       ROOMS_JWT_TIME_MAX + 1, str(""), text),
                     0);
    assert_int_equal(rooms_ticket_make(secrets[0], ROOMS_TICKET_MEDIUM, &who,
                         NOW, (rooms_str_t) { 65, (unsigned char *) sub },
                         text), 0);
}


static void
hidden(void **state)
{
    size_t         i, n;
    unsigned char  dst[256];

    static const char  *const cases[][2] = {
        { "/v1/sync?ticket=abc", "/v1/sync?ticket=-" },
        { "/v1/sync?since=4&ticket=abc&limit=2",
          "/v1/sync?since=4&ticket=-&limit=2" },
        { "GET /v1/sync?ticket=abc HTTP/1.1", "GET /v1/sync?ticket=- HTTP/1.1" },
        { "/a?TICKET=abc&Signature=d&tOKen=e&q=1",
          "/a?TICKET=-&Signature=-&tOKen=-&q=1" },
        { "/a?ticket=a&ticket=b", "/a?ticket=-&ticket=-" },
        { "/a?ticket=a?token=b", "/a?ticket=-" },
        { "/a?x=1?token=b", "/a?x=1?token=-" },
        { "/a?ticket=a#b", "/a?ticket=-#b" },
        { "/a?ticket=", NULL }, { "/a?ticket=&x=1", NULL },
        { "/a?ticket= HTTP/1.1", NULL }, { "/a?ticket=#x", NULL },
        { "/a?tickets=abc", NULL }, { "/a?mytoken=abc", NULL },
        { "/ticket=abc", NULL }, { "/a", NULL }, { "", NULL }, { "?", NULL },
        { "?t", NULL }, { "?token", NULL }, { "?token=", NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = rooms_ticket_hide(rooms_cstr(cases[i][0]), dst);

        if (cases[i][1] == NULL) {
            assert_int_equal(n, 0);

        } else {
            assert_true(rooms_str_eq((rooms_str_t) { n, dst },
                                     rooms_cstr(cases[i][1])));
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(good),
        cmocka_unit_test(rotated),
        cmocka_unit_test(elsewhere),
        cmocka_unit_test(forged),
        cmocka_unit_test(nonsense),
        cmocka_unit_test(bounds),
        cmocka_unit_test(hidden)
    };

    if (rooms_jwt_init() != 0) {
        return 1;
    }

    return cmocka_run_group_tests(tests, NULL, NULL);
}
