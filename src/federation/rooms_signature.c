/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <sodium.h>

#include "rooms_json.h"
#include "rooms_signature.h"
#include "rooms_sfield.h"


#define ROOMS_SIGNATURE_INPUT                                                 \
    "(\"@method\" \"@authority\" \"@request-target\" \"content-digest\")"

#define ROOMS_SIGNATURE_HAS_CREATED  0x01
#define ROOMS_SIGNATURE_HAS_KEYID    0x02
#define ROOMS_SIGNATURE_HAS_ALG      0x04
#define ROOMS_SIGNATURE_HAS_ALL      0x07
#define ROOMS_SIGNATURE_HAS_EXPIRES  0x08
#define ROOMS_SIGNATURE_HAS_OTHER    0x10


static const rooms_str_t  rooms_signature_names[ROOMS_SIGNATURE_COMPONENTS] = {
    rooms_string("\"@method\""),
    rooms_string("\"@authority\""),
    rooms_string("\"@request-target\""),
    rooms_string("\"content-digest\"")
};


void
rooms_digest_field(rooms_str_t body, char field[ROOMS_DIGEST_LEN + 1])
{
    unsigned char  hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(hash, body.data, body.len);

    memcpy(field, "sha-256=:", 9);
    sodium_bin2base64(field + 9, 45, hash, sizeof(hash),
                      sodium_base64_VARIANT_ORIGINAL);
    memcpy(field + 9 + 44, ":", 2);
}


int
rooms_digest_check(rooms_str_t field, rooms_str_t body)
{
    int             found;
    rooms_str_t     key, value;
    unsigned char   hash[crypto_hash_sha256_BYTES];
    unsigned char   claimed[crypto_hash_sha256_BYTES];
    rooms_sfield_t  f;

    found = 0;
    rooms_sfield_init(&f, field);

    do {
        key = rooms_sfield_key(&f);
        value = rooms_sfield_bytes(&f);

        if (!f.failed && rooms_str_eq(key, rooms_cstr("sha-256"))) {

            if (found || rooms_fedkey_base64(value, claimed, sizeof(claimed))
                         != 0)
            {
                return -1;
            }

            found = 1;
        }

    } while (rooms_sfield_comma(&f));

    if (f.failed || !found) {
        return -1;
    }

    crypto_hash_sha256(hash, body.data, body.len);

    return sodium_memcmp(hash, claimed, sizeof(hash));
}


void
rooms_signature_base(rooms_buf_t *b, const rooms_component_t *components,
    unsigned n, rooms_str_t params)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        rooms_json_raw(b, components[i].name.data, components[i].name.len);
        rooms_json_lit(b, ": ");
        rooms_json_raw(b, components[i].value.data, components[i].value.len);
        rooms_json_lit(b, "\n");
    }

    rooms_json_lit(b, "\"@signature-params\": ");
    rooms_json_raw(b, params.data, params.len);
}


static const char *
rooms_signature_components(rooms_sfield_t *f, rooms_signature_t *sig)
{
    unsigned     i, k, seen;
    rooms_str_t  name;

    seen = 0;

    rooms_sfield_expect(f, '(');

    for (i = 0; i < ROOMS_SIGNATURE_COMPONENTS; i++) {

        if (i) {
            rooms_sfield_expect(f, ' ');
        }

        name = rooms_sfield_string(f);

        for (k = 0; k < ROOMS_SIGNATURE_COMPONENTS; k++) {
            if (!f->failed && rooms_str_eq(name, rooms_signature_names[k])) {
                seen |= 1 << k;
                break;
            }
        }

        sig->names[i] = name;
    }

    rooms_sfield_expect(f, ')');

    if (f->failed || seen != (1 << ROOMS_SIGNATURE_COMPONENTS) - 1) {
        return "Signature-Input must cover \"@method\" \"@authority\" "
               "\"@request-target\" \"content-digest\" and no more";
    }

    return NULL;
}


/* keyid="<server>#<key id>" */

static int
rooms_signature_keyid(rooms_str_t quoted, rooms_signature_t *sig)
{
    size_t       i;
    rooms_str_t  s;

    s = (rooms_str_t) { quoted.len - 2, quoted.data + 1 };

    for (i = 0; i < s.len && s.data[i] != '#'; i++) { /* void */ }

    if (i == s.len) {
        return -1;
    }

    sig->server = (rooms_str_t) { i, s.data };
    sig->key_id = (rooms_str_t) { s.len - i - 1, s.data + i + 1 };

    if (sig->key_id.len != ROOMS_FEDKEY_ID) {
        return -1;
    }

    for (i = 0; i < sig->key_id.len; i++) {
        if (memchr("0123456789abcdef", sig->key_id.data[i], 16) == NULL) {
            return -1;
        }
    }

    return rooms_peer_valid(sig->server) ? 0 : -1;
}


static unsigned
rooms_signature_param(rooms_sfield_t *f, rooms_str_t key,
    rooms_signature_t *sig)
{
    rooms_str_t  value;

    if (rooms_str_eq(key, rooms_cstr("created"))) {
        sig->created = rooms_sfield_integer(f);
        return ROOMS_SIGNATURE_HAS_CREATED;
    }

    if (rooms_str_eq(key, rooms_cstr("expires"))) {
        sig->expires = rooms_sfield_integer(f);
        return ROOMS_SIGNATURE_HAS_EXPIRES;
    }

    value = rooms_sfield_string(f);

    if (f->failed) {
        return 0;
    }

    if (rooms_str_eq(key, rooms_cstr("keyid"))) {
        f->failed |= rooms_signature_keyid(value, sig) != 0;
        return ROOMS_SIGNATURE_HAS_KEYID;
    }

    if (rooms_str_eq(key, rooms_cstr("alg"))) {
        f->failed |= !rooms_str_eq(value, rooms_cstr("\"ed25519\""));
        return ROOMS_SIGNATURE_HAS_ALG;
    }

    if (rooms_str_eq(key, rooms_cstr("nonce"))
        || rooms_str_eq(key, rooms_cstr("tag")))
    {
        return ROOMS_SIGNATURE_HAS_OTHER;
    }

    return 0;
}


static const char *
rooms_signature_params(rooms_sfield_t *f, rooms_signature_t *sig)
{
    unsigned     has, seen;
    rooms_str_t  key;

    seen = 0;

    while (!f->failed && rooms_sfield_take(f, ';')) {
        key = rooms_sfield_key(f);
        has = f->failed ? 0 : rooms_signature_param(f, key, sig);

        if (f->failed || has == 0
            || (has != ROOMS_SIGNATURE_HAS_OTHER && seen & has))
        {
            return "Signature-Input has a parameter that is unknown, "
                   "duplicate, or malformed";
        }

        seen |= has;
    }

    if ((seen & ROOMS_SIGNATURE_HAS_ALL) != ROOMS_SIGNATURE_HAS_ALL) {
        return "Signature-Input needs created, keyid and alg";
    }

    return NULL;
}


const char *
rooms_signature_parse(rooms_str_t input, rooms_str_t signature,
    rooms_signature_t *sig)
{
    const char      *problem;
    rooms_str_t      label, value;
    rooms_sfield_t   f, g;

    memset(sig, 0, sizeof(rooms_signature_t));

    if (input.len > ROOMS_SIGNATURE_PARAMS) {
        return "Signature-Input is too long";
    }

    rooms_sfield_init(&f, input);
    label = rooms_sfield_key(&f);
    sig->params.data = f.p;

    problem = rooms_signature_components(&f, sig);

    if (problem == NULL) {
        problem = rooms_signature_params(&f, sig);
    }

    if (problem) {
        return problem;
    }

    sig->params.len = f.p - sig->params.data;

    if (!rooms_sfield_end(&f)) {
        return "Signature-Input must hold one signature";
    }

    rooms_sfield_init(&g, signature);

    if (!rooms_str_eq(rooms_sfield_key(&g), label)) {
        return "Signature and Signature-Input have different labels";
    }

    value = rooms_sfield_bytes(&g);

    if (!rooms_sfield_end(&g)
        || rooms_fedkey_base64(value, sig->signature, sizeof(sig->signature))
           != 0)
    {
        return "Signature must be 64 bytes in base64";
    }

    return NULL;
}


int
rooms_signature_fresh(const rooms_signature_t *sig, int64_t now)
{
    return sig->created >= now - ROOMS_SIGNATURE_WINDOW
           && sig->created <= now + ROOMS_SIGNATURE_WINDOW
           && (sig->expires == 0 || sig->expires >= now);
}


static rooms_str_t
rooms_signature_value(const rooms_signed_request_t *request, rooms_str_t name)
{
    const rooms_str_t  values[ROOMS_SIGNATURE_COMPONENTS] = {
        request->method, request->authority, request->target, request->digest
    };

    unsigned  i;

    for (i = 0; i < ROOMS_SIGNATURE_COMPONENTS - 1; i++) {
        if (rooms_str_eq(name, rooms_signature_names[i])) {
            break;
        }
    }

    return values[i];
}


static rooms_str_t
rooms_signature_text(const rooms_signed_request_t *request,
    const rooms_str_t *names, rooms_str_t params, rooms_buf_t *work)
{
    unsigned           i;
    rooms_component_t  components[ROOMS_SIGNATURE_COMPONENTS];

    for (i = 0; i < ROOMS_SIGNATURE_COMPONENTS; i++) {
        components[i].name = names[i];
        components[i].value = rooms_signature_value(request, names[i]);
    }

    work->last = work->start;
    rooms_signature_base(work, components, ROOMS_SIGNATURE_COMPONENTS,
                         params);

    return (rooms_str_t) { work->last - work->start, work->start };
}


int
rooms_signature_verify(const rooms_signature_t *sig,
    const rooms_signed_request_t *request, const rooms_fedkey_t *key,
    rooms_buf_t *work)
{
    rooms_str_t  base;

    base = rooms_signature_text(request, sig->names, sig->params, work);

    return work->full ? -1 : rooms_fedkey_verify(key, base, sig->signature);
}


int
rooms_signature_make(const rooms_signed_request_t *request,
    const rooms_fedkey_pair_t *pair, rooms_str_t server, int64_t now,
    rooms_buf_t *work, rooms_buf_t *input,
    char signature[ROOMS_SIGNED_LEN + 1])
{
    rooms_str_t    params, base;
    unsigned char  raw[ROOMS_FEDKEY_SIGNATURE];

    rooms_json_lit(input, "rooms=");
    params.data = input->last;

    rooms_json_lit(input, ROOMS_SIGNATURE_INPUT ";created=");
    rooms_json_int(input, now);
    rooms_json_lit(input, ";keyid=\"");
    rooms_json_raw(input, server.data, server.len);
    rooms_json_lit(input, "#");
    rooms_json_raw(input, pair->key.id, ROOMS_FEDKEY_ID);
    rooms_json_lit(input, "\";alg=\"ed25519\"");

    params.len = input->last - params.data;
    base = rooms_signature_text(request, rooms_signature_names, params, work);

    if (input->full || work->full) {
        return -1;
    }

    rooms_fedkey_sign(pair, base, raw);

    memcpy(signature, "rooms=:", 7);
    sodium_bin2base64(signature + 7, 89, raw, sizeof(raw),
                      sodium_base64_VARIANT_ORIGINAL);
    memcpy(signature + 7 + 88, ":", 2);

    return 0;
}
