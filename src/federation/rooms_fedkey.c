/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_fedkey.h"
#include "rooms_base64.h"


#define ROOMS_FEDKEY_PREFIX  "ed25519:"


int
rooms_fedkey_init(void)
{
    return sodium_init() < 0 ? -1 : 0;
}


static void
rooms_fedkey_name(rooms_fedkey_t *key)
{
    unsigned char  hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(hash, key->public, sizeof(key->public));
    sodium_bin2hex(key->id, sizeof(key->id), hash, ROOMS_FEDKEY_ID / 2);
}


int
rooms_fedkey_base64(rooms_str_t text, unsigned char *dst, size_t len)
{
    if (text.len != sodium_base64_ENCODED_LEN(len,
                                        sodium_base64_VARIANT_ORIGINAL) - 1)
    {
        return -1;
    }

    return rooms_base64_decode(dst, len, text, sodium_base64_VARIANT_ORIGINAL)
           == (long) len ? 0 : -1;
}


static int
rooms_fedkey_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


int
rooms_fedkey_read(rooms_str_t text, rooms_fedkey_pair_t *pair)
{
    int            rc;
    unsigned char  seed[ROOMS_FEDKEY_SEED];

    while (text.len && rooms_fedkey_space(text.data[0])) {
        text.data++;
        text.len--;
    }

    while (text.len && rooms_fedkey_space(text.data[text.len - 1])) {
        text.len--;
    }

    rc = rooms_fedkey_base64(text, seed, sizeof(seed));

    if (rc == 0) {
        crypto_sign_seed_keypair(pair->key.public, pair->secret, seed);
        rooms_fedkey_name(&pair->key);
    }

    sodium_memzero(seed, sizeof(seed));

    return rc;
}


size_t
rooms_fedkey_text(const rooms_fedkey_t *key, char text[ROOMS_FEDKEY_TEXT])
{
    size_t  len;

    len = sizeof(ROOMS_FEDKEY_PREFIX) - 1;
    memcpy(text, ROOMS_FEDKEY_PREFIX, len);

    sodium_bin2base64(text + len, ROOMS_FEDKEY_TEXT - len, key->public,
                      sizeof(key->public), sodium_base64_VARIANT_ORIGINAL);

    return ROOMS_FEDKEY_TEXT - 1;
}


int
rooms_fedkey_parse(rooms_str_t text, rooms_fedkey_t *key)
{
    size_t  len;

    len = sizeof(ROOMS_FEDKEY_PREFIX) - 1;

    if (text.len < len || memcmp(text.data, ROOMS_FEDKEY_PREFIX, len) != 0) {
        return -1;
    }

    text.data += len;
    text.len -= len;

    if (rooms_fedkey_base64(text, key->public, sizeof(key->public)) != 0) {
        return -1;
    }

    rooms_fedkey_name(key);

    return 0;
}


void
rooms_fedkey_sign(const rooms_fedkey_pair_t *pair, rooms_str_t message,
    unsigned char signature[ROOMS_FEDKEY_SIGNATURE])
{
    crypto_sign_detached(signature, NULL, message.data, message.len,
                         pair->secret);
}


/* libsodium rejects keys of small order and malleable signatures. */

int
rooms_fedkey_verify(const rooms_fedkey_t *key, rooms_str_t message,
    const unsigned char signature[ROOMS_FEDKEY_SIGNATURE])
{
    return crypto_sign_verify_detached(signature, message.data, message.len,
                                       key->public);
}
