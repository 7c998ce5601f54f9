/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The parts of src/federation that need no network: canonical JSON, digests
 * and signatures with the RFCs' test vectors, names, addresses, policies.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

#include "rooms_canonical.h"
#include "rooms_fedevent.h"
#include "rooms_json.h"
#include "rooms_policy.h"
#include "rooms_signature.h"


#define nitems(a)  (sizeof(a) / sizeof((a)[0]))

#define COVERED  "(\"@method\" \"@authority\" \"@request-target\" "           \
                 "\"content-digest\")"
#define KEYID    "keyid=\"b.example#0123456789abcdef\""
#define SIG64    ":AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"   \
                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==:"

/* RFC 9421, B.1.4: test-key-ed25519 */
#define SEED     "n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU="
#define PUBLIC   "ed25519:JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="


static unsigned char  mem[65536];


static rooms_str_t
text_of(rooms_buf_t *b)
{
    return (rooms_str_t) { b->last - b->start, b->start };
}


static const char *
canonical(const char *json, char *out, size_t size)
{
    json_t       *value;
    const char   *problem;
    rooms_buf_t   b;

    value = json_loads(json, JSON_DECODE_ANY|JSON_REJECT_DUPLICATES, NULL);

    if (value == NULL) {
        return "refused";
    }

    rooms_buf_init(&b, (unsigned char *) out, size - 1);
    problem = rooms_canonical(&b, value, NULL);
    *b.last = '\0';

    assert_true(problem || !b.full);
    json_decref(value);

    return problem;
}


/* RFC 8785: 3.2.3 (sorting), 3.2.2 (literals, strings), appendix B */
static void
test_canonical(void **state)
{
    static const struct {
        const char  *json;
        const char  *expect;          /* NULL: refused */
    } cases[] = {
        { "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\","
          "\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
          "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\","
          "\"\\u0080\":\"Control\","
          "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}",
          "{\"\\r\":\"Carriage Return\",\"1\":\"One\","
          "\"\xc2\x80\":\"Control\","
          "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\","
          "\"\xe2\x82\xac\":\"Euro Sign\","
          "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
          "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}" },
        { "{\"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c"
          "\\\\\\\"\\/\", \"literals\": [null, true, false]}",
          "{\"literals\":[null,true,false],\"string\":\"\xe2\x82\xac$\\u000f"
          "\\nA'B\\\"\\\\\\\\\\\"/\"}" },
        { "[\"\\b\\t\\f\\u007f\\u001f\\u2028\"]",
          "[\"\\b\\t\\f\x7f\\u001f\xe2\x80\xa8\"]" },
        { "{\"aa\":1,\"a\":2,\"\":3,\"b\":{\"z\":[],\"y\":{}}}",
          "{\"\":3,\"a\":2,\"aa\":1,\"b\":{\"y\":{},\"z\":[]}}" },
        { "{\"\xee\x80\x80\":1,\"\xf0\x90\x80\x80\":2,\"\xed\x9f\xbf\":3,"
          "\"\xf0\x90\x80\x81\":4}",
          "{\"\xed\x9f\xbf\":3,\"\xf0\x90\x80\x80\":2,"
          "\"\xf0\x90\x80\x81\":4,\"\xee\x80\x80\":1}" },
        { "0", "0" },
        { "-0", "0" },
        { "9007199254740992", "9007199254740992" },
        { "-9007199254740992", "-9007199254740992" },
        { "9007199254740993", NULL },
        { "-9007199254740993", NULL },
        { "295147905179352830000", NULL },
        { "333333333.33333329", NULL },
        { "1E30", NULL },
        { "1.0", NULL },
        { "{\"a\":[{\"b\":0.5}]}", NULL },
        { "\"\\udead\"", NULL },
        { "{\"a\":1,\"a\":1}", NULL }
    };

    char    out[1024], deep[2 * ROOMS_CANONICAL_DEPTH + 8];
    size_t  i, n;

    for (i = 0; i < nitems(cases); i++) {

        if (cases[i].expect == NULL) {
            assert_non_null(canonical(cases[i].json, out, sizeof(out)));
            continue;
        }

        assert_null(canonical(cases[i].json, out, sizeof(out)));
        assert_string_equal(out, cases[i].expect);
    }

    /* in whichever order a sort compares them */

    assert_true(rooms_canonical_order("\xf0\x90\x80\x80", "\xee\x80\x80")
                < 0);
    assert_true(rooms_canonical_order("\xef\xbf\xbf", "\xf0\x90\x80\x80")
                > 0);
    assert_true(rooms_canonical_order("\xed\x9f\xbf", "\xf0\x90\x80\x80")
                < 0);

    n = ROOMS_CANONICAL_DEPTH + 2;
    memset(deep, '[', n);
    memset(deep + n, ']', n);
    deep[2 * n] = '\0';
    assert_non_null(canonical(deep, out, sizeof(out)));
    deep[2 * n - 1] = '\0';
    assert_null(canonical(deep + 1, out, sizeof(out)));
}


/* RFC 9421, B.2.6 */
static void
test_base(void **state)
{
    static const rooms_component_t  components[] = {
        { rooms_string("\"date\""),
          rooms_string("Tue, 20 Apr 2021 02:07:55 GMT") },
        { rooms_string("\"@method\""), rooms_string("POST") },
        { rooms_string("\"@path\""), rooms_string("/foo") },
        { rooms_string("\"@authority\""), rooms_string("example.com") },
        { rooms_string("\"content-type\""),
          rooms_string("application/json") },
        { rooms_string("\"content-length\""), rooms_string("18") }
    };

    char                  b64[ROOMS_FEDKEY_SIG_TEXT];
    rooms_buf_t           b;
    rooms_fedkey_t        key;
    unsigned char         sig[ROOMS_FEDKEY_SIGNATURE];
    rooms_fedkey_pair_t   pair;

    assert_int_equal(rooms_fedkey_read(rooms_cstr(" " SEED "\n"), &pair), 0);
    assert_int_equal(rooms_fedkey_parse(rooms_cstr(PUBLIC), &key), 0);
    assert_memory_equal(key.public, pair.key.public, sizeof(key.public));
    assert_string_equal(key.id, pair.key.id);

    rooms_buf_init(&b, mem, sizeof(mem));
    rooms_signature_base(&b, components, nitems(components),
                         rooms_cstr("(\"date\" \"@method\" \"@path\" "
                           "\"@authority\" \"content-type\" "
                           "\"content-length\");created=1618884473;"
                           "keyid=\"test-key-ed25519\""));

    rooms_fedkey_sign(&pair, text_of(&b), sig);
    sodium_bin2base64(b64, sizeof(b64), sig, sizeof(sig),
                      sodium_base64_VARIANT_ORIGINAL);
    assert_string_equal(b64,
                        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02"
                        "Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==");
    assert_int_equal(rooms_fedkey_verify(&key, text_of(&b), sig), 0);

    b.start[0] ^= 1;
    assert_int_not_equal(rooms_fedkey_verify(&key, text_of(&b), sig), 0);
}


/* RFC 9530, appendix B */
static void
test_digest(void **state)
{
    static const char  *const bad[] = {
        "", "sha-256", "sha-256=", "sha-256=::", "sha-512=:AAAA:",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE:",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPF=:",
        "sha-256=:Y48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:,",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=: x",
        ("sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:, "
         "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:")
    };

    char         field[ROOMS_DIGEST_LEN + 1];
    size_t       i;
    rooms_str_t  body;

    body = rooms_cstr("{\"hello\": \"world\"}");
    rooms_digest_field(body, field);
    assert_string_equal(field,
                "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
    assert_int_equal(strlen(field), ROOMS_DIGEST_LEN);
    assert_int_equal(rooms_digest_check(rooms_cstr(field), body), 0);
    assert_int_equal(rooms_digest_check(rooms_cstr(
                "sha-512=:AAAA: ,\tsha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWx"
                "Bf7kbu9DBPE=:"), body), 0);

    for (i = 0; i < nitems(bad); i++) {
        assert_int_not_equal(rooms_digest_check(rooms_cstr(bad[i]), body), 0);
    }

    rooms_digest_field(rooms_cstr(""), field);
    assert_string_equal(field,
                "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
}


static void
test_request(void **state)
{
    char                    digest[ROOMS_DIGEST_LEN + 1];
    char                    signature[ROOMS_SIGNED_LEN + 1];
    size_t                  i;
    rooms_buf_t             work, input;
    unsigned char           field[ROOMS_SIGNATURE_PARAMS], area[4096];
    rooms_signature_t       sig;
    rooms_fedkey_pair_t     pair, other;
    rooms_signed_request_t  request, changed;

    assert_int_equal(rooms_fedkey_read(rooms_cstr(SEED), &pair), 0);
    assert_int_equal(rooms_fedkey_read(rooms_cstr(
               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), &other), 0);

    rooms_digest_field(rooms_cstr("{}"), digest);
    request.method = rooms_cstr("POST");
    request.authority = rooms_cstr("a.example:8443");
    request.target = rooms_cstr("/_scaiwave/federation/v1/send?x=%2F");
    request.digest = rooms_cstr(digest);

    rooms_buf_init(&work, area, sizeof(area));
    rooms_buf_init(&input, field, sizeof(field));

    assert_int_equal(rooms_signature_make(&request, &pair,
                                          rooms_cstr("b.example"), 1000000,
                                          &work, &input, signature), 0);
    assert_int_equal(strlen(signature), ROOMS_SIGNED_LEN);
    assert_null(rooms_signature_parse(text_of(&input), rooms_cstr(signature),
                                      &sig));
    assert_true(rooms_str_eq(sig.server, rooms_cstr("b.example")));
    assert_true(rooms_str_eq(sig.key_id, rooms_cstr(pair.key.id)));
    assert_int_equal(rooms_signature_verify(&sig, &request, &pair.key, &work),
                     0);
    assert_int_not_equal(rooms_signature_verify(&sig, &request, &other.key,
                                                &work), 0);

    for (i = 0; i < 4; i++) {
        changed = request;
        (&changed.method)[i] = rooms_cstr("GET");
        assert_int_not_equal(rooms_signature_verify(&sig, &changed,
                                                    &pair.key, &work), 0);
    }

    assert_true(rooms_signature_fresh(&sig, 1000000));
    assert_true(rooms_signature_fresh(&sig, 1000060));
    assert_true(rooms_signature_fresh(&sig, 999940));
    assert_false(rooms_signature_fresh(&sig, 1000061));
    assert_false(rooms_signature_fresh(&sig, 999939));
    sig.expires = 1000010;
    assert_true(rooms_signature_fresh(&sig, 1000010));
    assert_false(rooms_signature_fresh(&sig, 1000011));

    /* both buffers are too small */

    rooms_buf_init(&input, field, 100);
    assert_int_equal(rooms_signature_make(&request, &pair,
                                          rooms_cstr("b.example"), 1000000,
                                          &work, &input, signature), -1);
    rooms_buf_init(&work, area, 100);
    assert_int_equal(rooms_signature_verify(&sig, &request, &pair.key, &work),
                     -1);
}


static void
test_signature_fields(void **state)
{
    static const struct {
        const char  *input;
        const char  *signature;
        int          good;
    } cases[] = {
        { "s=" COVERED ";created=5;" KEYID ";alg=\"ed25519\"", "s=" SIG64, 1 },
        { "s=(\"content-digest\" \"@request-target\" \"@authority\" "
          "\"@method\");alg=\"ed25519\";" KEYID ";created=0", "s=" SIG64, 1 },
        { "s=" COVERED ";created=5;" KEYID ";alg=\"ed25519\";nonce=\"a\""
          ";tag=\"t\";expires=7", "s=" SIG64, 1 },
        { "s=" COVERED ";created=5;" KEYID ";alg=\"ed25519\"", "t=" SIG64, 0 },
        { "s=" COVERED ";created=5;" KEYID ";alg=\"ed25519\"", "s=:AAAA:", 0 },
        { "s=" COVERED ";created=5;" KEYID ";alg=\"ed25519\"",
          "s=" SIG64 ", t=" SIG64, 0 },
        { "s=" COVERED ";created=5;" KEYID ";alg=\"ed25519\", t=()",
          "s=" SIG64, 0 },
        { "s=" COVERED ";created=5;" KEYID ";alg=\"hmac-sha256\"",
          "s=" SIG64, 0 },
        { "s=" COVERED ";created=5;" KEYID, "s=" SIG64, 0 },
        { "s=" COVERED ";" KEYID ";alg=\"ed25519\"", "s=" SIG64, 0 },
        { "s=" COVERED ";created=5;alg=\"ed25519\"", "s=" SIG64, 0 },
        { "s=" COVERED ";created=5;created=9;" KEYID ";alg=\"ed25519\"",
          "s=" SIG64, 0 },
        { "s=" COVERED ";created=-5;" KEYID ";alg=\"ed25519\"",
          "s=" SIG64, 0 },
        { "s=" COVERED ";created=05;" KEYID ";alg=\"ed25519\"",
          "s=" SIG64, 0 },
        { "s=" COVERED ";created=1000000000000000;" KEYID
          ";alg=\"ed25519\"", "s=" SIG64, 0 },
        { "s=" COVERED ";created=\"5\";" KEYID ";alg=\"ed25519\"",
          "s=" SIG64, 0 },
        { "s=" COVERED "; created=5;" KEYID ";alg=\"ed25519\"",
          "s=" SIG64, 0 },
        { "s=" COVERED ";created=5;" KEYID ";alg=\"ed25519\";x=1",
          "s=" SIG64, 0 },
        { "s=" COVERED ";created=5;keyid=\"b.example\";alg=\"ed25519\"",
          "s=" SIG64, 0 },
        { "s=" COVERED ";created=5;keyid=\"b.example#0123\";alg=\"ed25519\"",
          "s=" SIG64, 0 },
        { "s=" COVERED ";created=5;keyid=\"b@c.example#0123456789abcdef\""
          ";alg=\"ed25519\"", "s=" SIG64, 0 },
        { "s=(\"@method\" \"@authority\" \"@request-target\");created=5;"
          KEYID ";alg=\"ed25519\"", "s=" SIG64, 0 },
        { "s=(\"@method\" \"@authority\" \"@request-target\" \"@method\")"
          ";created=5;" KEYID ";alg=\"ed25519\"", "s=" SIG64, 0 },
        { "s=(\"@method\" \"@authority\" \"@path\" \"content-digest\")"
          ";created=5;" KEYID ";alg=\"ed25519\"", "s=" SIG64, 0 },
        { "s=(\"@method\";req \"@authority\" \"@request-target\" "
          "\"content-digest\");created=5;" KEYID ";alg=\"ed25519\"",
          "s=" SIG64, 0 },
        { "", "", 0 },
        { "s", "s", 0 },
        { "s=(", "s=:", 0 },
        { "=()", "=", 0 }
    };

    size_t             i;
    rooms_signature_t  sig;

    for (i = 0; i < nitems(cases); i++) {
        assert_int_equal(rooms_signature_parse(rooms_cstr(cases[i].input),
                                           rooms_cstr(cases[i].signature),
                                           &sig) == NULL,
                         cases[i].good);
    }
}


static void
test_keys(void **state)
{
    static const char  *const bad[] = {
        "", "\n", "AAAA", SEED "AAAA", "n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZY",
        "n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU",
        "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU=",
        "n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcV=", PUBLIC
    };

    int                  c;
    char                 text[ROOMS_FEDKEY_TEXT];
    size_t               i;
    rooms_fedkey_t       key;
    rooms_fedkey_pair_t  pair;

    for (i = 0; i < nitems(bad); i++) {
        assert_int_equal(rooms_fedkey_read(rooms_cstr(bad[i]), &pair), -1);
    }

    assert_int_equal(rooms_fedkey_read(rooms_cstr(SEED), &pair), 0);
    assert_int_equal(rooms_fedkey_text(&pair.key, text), strlen(PUBLIC));
    assert_string_equal(text, PUBLIC);
    assert_int_equal(strlen(pair.key.id), ROOMS_FEDKEY_ID);

    /* a byte that libsodium takes for a digit */

    memcpy(text, PUBLIC, sizeof(PUBLIC));

    for (c = 0x80; c <= 0xff; c++) {
        text[sizeof("ed25519:")] = (char) c;
        assert_int_equal(rooms_fedkey_parse(rooms_cstr(text), &key), -1);
    }

    assert_int_equal(rooms_fedkey_parse(rooms_cstr(SEED), &key), -1);
    assert_int_equal(rooms_fedkey_parse(rooms_cstr("rsa:" SEED), &key), -1);
    assert_int_equal(rooms_fedkey_parse(rooms_cstr("ed25519:AAAA"), &key),
                     -1);
}


static void
test_event(void **state)
{
    char                 *text;
    json_t               *event;
    rooms_buf_t           work;
    rooms_fedkey_t        keys[2];
    rooms_fedkey_pair_t   pair, other;

    assert_int_equal(rooms_fedkey_read(rooms_cstr(SEED), &pair), 0);
    assert_int_equal(rooms_fedkey_read(rooms_cstr(
               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), &other), 0);

    keys[0] = other.key;
    keys[1] = pair.key;

    rooms_buf_init(&work, mem, sizeof(mem));
    event = json_loads("{\"id\":\"evt-1\",\"content\":{\"a\":\"\\u20ac\"},"
                       "\"signatures\":\"old\"}", 0, NULL);

    assert_null(rooms_fedevent_sign(event, rooms_cstr("a.example"), &pair,
                                    &work));

    /* as another server may send it: other spacing, other order */

    text = json_dumps(event, JSON_INDENT(2)|JSON_ENSURE_ASCII
                             |JSON_SORT_KEYS);
    json_decref(event);
    event = json_loads(text, 0, NULL);
    free(text);

    assert_null(rooms_fedevent_verify(event, rooms_cstr("a.example"), keys, 2,
                                      &work));
    assert_non_null(rooms_fedevent_verify(event, rooms_cstr("a.example"),
                                          keys, 1, &work));
    assert_non_null(rooms_fedevent_verify(event, rooms_cstr("b.example"),
                                          keys, 2, &work));

    json_object_set_new(event, "id", json_string("evt-2"));
    assert_non_null(rooms_fedevent_verify(event, rooms_cstr("a.example"),
                                          keys, 2, &work));

    json_object_set_new(event, "n", json_real(0.5));
    assert_non_null(rooms_fedevent_sign(event, rooms_cstr("a.example"), &pair,
                                        &work));
    json_object_del(event, "n");

    rooms_buf_init(&work, mem, 10);
    assert_non_null(rooms_fedevent_sign(event, rooms_cstr("a.example"), &pair,
                                        &work));
    json_decref(event);
}


static void
test_names(void **state)
{
    static const char  *const good[] = {
        "a", "a.example", "a-b.example:1", "xn--bcher-kva.example:65535",
        "127.0.0.1", "192.0.2.1:8080", "[::1]", "[2001:db8::1]:443",
        "1.example", "0xff.example"
    };
    static const char  *const bad[] = {
        "", "A.example", "a.example.", ".a", "a..b", "-a", "a-", "a_b",
        ("b\xc3\xbc" "cher.example"), "u@a.example", "a.example/x", "a b",
        "a.example:", "a.example:0", "a.example:65536", "a.example:080",
        "a.example:8x", "a:1:2", "127.1", "2130706433", "0x7f000001",
        "127.0.0.0x1", "127.0.0.01", "256.1.1.1", "1.2.3.4.5", "::1",
        "[::1", "[]", "[::1]x", "[0::1]", "[fe80::1%eth0]", "a.123",
        "a.example#b", "a.example?b", "a\n.example",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    };
    static const char  *const locals[] = {
        "localhost", "localhost:8080", "a.localhost", "db.internal",
        "printer.local:631", "nas.home.arpa"
    };
    static const char  *const bad_fqids[] = {
        "", "@", "@a", "@a:", "@:b", "a:b", "@a:B", "@a/b:c.example",
        "@a b:c.example", "@a:b.example/c", "@a:b@c", "@a\xc3\xa9:b"
    };

    size_t       i;
    rooms_str_t  local, server;

    for (i = 0; i < nitems(good); i++) {
        assert_true(rooms_peer_valid(rooms_cstr(good[i])));
    }

    for (i = 0; i < nitems(bad); i++) {
        assert_false(rooms_peer_valid(rooms_cstr(bad[i])));
    }

    assert_false(rooms_peer_valid((rooms_str_t) { 9,
                                  (const unsigned char *) "a\0example" }));

    for (i = 0; i < nitems(locals); i++) {
        assert_true(rooms_peer_local(rooms_cstr(locals[i])));
    }

    assert_false(rooms_peer_local(rooms_cstr("notlocalhost")));
    assert_false(rooms_peer_local(rooms_cstr("local.example")));

    assert_int_equal(rooms_fqid_parse(rooms_cstr("@Al.i~c+e-_9:b.example:80"),
                                      &local, &server), 0);
    assert_true(rooms_str_eq(local, rooms_cstr("Al.i~c+e-_9")));
    assert_true(rooms_str_eq(server, rooms_cstr("b.example:80")));

    for (i = 0; i < nitems(bad_fqids); i++) {
        assert_int_equal(rooms_fqid_parse(rooms_cstr(bad_fqids[i]), &local,
                                          &server), -1);
    }
}


static void
test_addresses(void **state)
{
    static const struct {
        const char  *name;
        int          special;
    } cases[] = {
        { "1.1.1.1", 0 }, { "9.255.255.255", 0 }, { "11.0.0.0", 0 },
        { "0.0.0.0", 1 }, { "10.0.0.0", 1 }, { "10.255.255.255", 1 },
        { "100.63.255.255", 0 }, { "100.64.0.0", 1 },
        { "100.127.255.255", 1 }, { "100.128.0.0", 0 }, { "127.0.0.1", 1 },
        { "126.255.255.255", 0 }, { "128.0.0.0", 0 }, { "169.254.169.254", 1 },
        { "172.15.255.255", 0 }, { "172.16.0.0", 1 }, { "172.31.255.255", 1 },
        { "172.32.0.0", 0 }, { "192.0.0.8", 1 }, { "192.0.2.1", 1 },
        { "192.0.1.1", 0 }, { "192.88.99.1", 1 }, { "192.168.1.1", 1 },
        { "192.31.196.1", 1 }, { "192.52.193.1", 1 }, { "192.175.48.1", 1 },
        { "198.17.255.255", 0 }, { "198.18.0.0", 1 }, { "198.19.255.255", 1 },
        { "198.20.0.0", 0 }, { "198.51.100.9", 1 }, { "203.0.113.9", 1 },
        { "223.255.255.255", 0 }, { "224.0.0.1", 1 }, { "239.1.1.1", 1 },
        { "240.0.0.1", 1 }, { "255.255.255.255", 1 },
        { "[::]", 1 }, { "[::1]", 1 }, { "[::ffff:127.0.0.1]", 1 },
        { "[::ffff:1.1.1.1]", 0 }, { "[64:ff9b::7f00:1]", 1 },
        { "[64:ff9b::101:101]", 0 }, { "[64:ff9b:1::1]", 1 },
        { "[100::1]", 1 }, { "[2001::1]", 1 }, { "[2001:1ff::1]", 1 },
        { "[2001:200::1]", 0 }, { "[2001:db8::1]", 1 },
        { "[2001:db9::1]", 0 }, { "[2002:7f00:1::]", 1 },
        { "[2002:101:101::]", 0 }, { "[2606:4700::1111]", 0 },
        { "[2620:4f:8000::1]", 1 }, { "[3fff::1]", 1 },
        { "[3fff:1000::1]", 0 }, { "[5f00::1]", 1 }, { "[fc00::1]", 1 },
        { "[fd12::1]", 1 }, { "[fe80::1]", 1 }, { "[ff02::1]", 1 },
        { "[::127.0.0.1]", 1 }
    };

    int            len;
    size_t         i;
    unsigned char  address[16];

    for (i = 0; i < nitems(cases); i++) {
        assert_true(rooms_peer_valid(rooms_cstr(cases[i].name)));
        len = rooms_peer_address(rooms_cstr(cases[i].name), address);
        assert_int_equal(len, cases[i].name[0] == '[' ? 16 : 4);
        assert_int_equal(rooms_address_special(address, len),
                         cases[i].special);
    }

    assert_int_equal(rooms_peer_address(rooms_cstr("a.example"), address), 0);
    assert_int_equal(rooms_peer_address(rooms_cstr("1.2.3.4:80"), address),
                     4);
}


static void
test_policy(void **state)
{
    static const struct {
        const char  *json;
        const char  *field;           /* the invalid one; NULL: valid */
    } cases[] = {
        { "{}", NULL },
        { "{\"default_mode\":\"open\"}", NULL },
        { "{\"default_mode\":\"ajar\"}", "default_mode" },
        { "{\"default_mode\":null}", "default_mode" },
        { "{\"mode\":\"open\"}", NULL },
        { "{\"allowed_peers\":\"b\"}", "allowed_peers" },
        { "{\"allowed_peers\":[1]}", "allowed_peers" },
        { "{\"allowed_peers\":[\"B\"]}", "allowed_peers" },
        { "{\"allowed_peers\":[\"b/c\"]}", "allowed_peers" },
        { "{\"max_foreign_participants_per_room\":-1}",
          "max_foreign_participants_per_room" },
        { "{\"max_foreign_participants_per_room\":100001}",
          "max_foreign_participants_per_room" },
        { "{\"max_foreign_participants_per_room\":1.5}",
          "max_foreign_participants_per_room" },
        { "{\"default_mode\":\"closed\"}", NULL },
        { "{\"default_mode\":\"closed\",\"allowed_peers\":[\"b\"]}", NULL },
        { "{\"default_mode\":\"allowlist\"}", NULL },
        { "{\"default_mode\":\"allowlist\",\"allowed_peers\":[\"b\"]}",
          "allowed_peers" },
        { "{\"allowed_peers\":[\"b\"],\"default_mode\":\"allowlist\"}",
          "allowed_peers" },
        { "{\"default_mode\":\"allowlist\",\"allowed_peers\":[\"b\",\"a\"]}",
          NULL },
        { "{\"default_mode\":\"invite_only\",\"allowed_peers\":[\"b\"],"
          "\"max_foreign_participants_per_room\":7}", NULL },
        { "{\"default_mode\":\"open\",\"allowed_peers\":[\"b\"]}", NULL }
    };

    size_t                i;
    json_t               *object;
    rooms_policy_t        policy;
    rooms_policy_fault_t  fault;

    for (i = 0; i < nitems(cases); i++) {
        object = json_loads(cases[i].json, 0, NULL);

        assert_int_equal(rooms_policy_parse(object, rooms_cstr("a"), &policy,
                                            &fault),
                         cases[i].field ? -1 : 0);

        if (cases[i].field) {
            assert_string_equal(fault.field, cases[i].field);
        }

        json_decref(object);
    }

    rooms_policy_default(&policy);
    assert_int_equal(policy.foreign, 100);
    assert_true(rooms_policy_allows(&policy, rooms_cstr("b"), 1));
    assert_false(rooms_policy_allows(&policy, rooms_cstr("b"), 0));

    policy.peers = json_pack("[s]", "b");
    assert_true(rooms_policy_allows(&policy, rooms_cstr("b"), 0));
    assert_false(rooms_policy_allows(&policy, rooms_cstr("bb"), 0));

    policy.mode = ROOMS_POLICY_ALLOWLIST;
    assert_true(rooms_policy_allows(&policy, rooms_cstr("b"), 0));
    assert_false(rooms_policy_allows(&policy, rooms_cstr("c"), 1));

    policy.mode = ROOMS_POLICY_CLOSED;
    assert_false(rooms_policy_allows(&policy, rooms_cstr("b"), 0));
    assert_false(rooms_policy_allows(&policy, rooms_cstr("b"), 1));

    policy.mode = ROOMS_POLICY_OPEN;
    assert_true(rooms_policy_allows(&policy, rooms_cstr("c"), 0));
    json_decref(policy.peers);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_signature_fields),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_event),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_policy)
    };

    if (rooms_fedkey_init() != 0) {
        return 1;
    }

    return cmocka_run_group_tests(tests, NULL, NULL);
}
