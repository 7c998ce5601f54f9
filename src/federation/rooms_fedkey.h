/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Ed25519 keys of a server.  A key's id is derived from its public half, so
 * an id always means the same key, for every server.
 */

#ifndef ROOMS_FEDKEY_H
#define ROOMS_FEDKEY_H

#include "rooms_str.h"


#define ROOMS_FEDKEY_SEED       32
#define ROOMS_FEDKEY_PUBLIC     32
#define ROOMS_FEDKEY_SECRET     64
#define ROOMS_FEDKEY_SIGNATURE  64
#define ROOMS_FEDKEY_ID         16     /* hexadecimal digits */

/* "ed25519:" and 32 bytes in base64; a signature in base64; both with NUL */
#define ROOMS_FEDKEY_TEXT       (8 + 44 + 1)
#define ROOMS_FEDKEY_SIG_TEXT   (88 + 1)
#define ROOMS_FEDKEY_FILE_MAX   128

typedef struct {
    unsigned char  public[ROOMS_FEDKEY_PUBLIC];
    char           id[ROOMS_FEDKEY_ID + 1];
} rooms_fedkey_t;

typedef struct {
    rooms_fedkey_t  key;
    unsigned char   secret[ROOMS_FEDKEY_SECRET];
} rooms_fedkey_pair_t;


/* Call once per process: 0, or -1 if libsodium can't start. */
int rooms_fedkey_init(void);

/*
 * A key file's text: base64 of the seed, possibly with white space around it.
 * -1: invalid.
 */
int rooms_fedkey_read(rooms_str_t text, rooms_fedkey_pair_t *pair);

/* "ed25519:<base64>", NUL terminated.  Returns its length. */
size_t rooms_fedkey_text(const rooms_fedkey_t *key,
    char text[ROOMS_FEDKEY_TEXT]);
int rooms_fedkey_parse(rooms_str_t text, rooms_fedkey_t *key);

void rooms_fedkey_sign(const rooms_fedkey_pair_t *pair, rooms_str_t message,
    unsigned char signature[ROOMS_FEDKEY_SIGNATURE]);
int rooms_fedkey_verify(const rooms_fedkey_t *key, rooms_str_t message,
    const unsigned char signature[ROOMS_FEDKEY_SIGNATURE]);

/*
 * Strict base64 with padding (RFC 4648, section 4): -1 unless the text is the
 * canonical encoding of exactly `len` bytes.
 */
int rooms_fedkey_base64(rooms_str_t text, unsigned char *dst, size_t len);

#endif /* ROOMS_FEDKEY_H */
