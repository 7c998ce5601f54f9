/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * HTTP Message Signatures (RFC 9421) of requests, over a fixed set of
 * components.  The body is covered by its digest (RFC 9530).
 */

#ifndef ROOMS_SIGNATURE_H
#define ROOMS_SIGNATURE_H

#include "rooms_fedkey.h"
#include "rooms_peer.h"


#define ROOMS_SIGNATURE_WINDOW      60      /* s, before or after now */
#define ROOMS_SIGNATURE_COMPONENTS   4
#define ROOMS_SIGNATURE_PARAMS     600      /* bytes of Signature-Input */

/* "sha-256=:<base64>:" */
#define ROOMS_DIGEST_LEN   (9 + 44 + 1)
/* "rooms=:<base64>:" */
#define ROOMS_SIGNED_LEN   (7 + 88 + 1)

typedef struct {
    rooms_str_t     method;
    rooms_str_t     authority;             /* the receiver's server name */
    rooms_str_t     target;                /* raw, with the query */
    rooms_str_t     digest;                /* the Content-Digest field */
} rooms_signed_request_t;

typedef struct {
    rooms_str_t     name;                  /* with its quotes */
    rooms_str_t     value;
} rooms_component_t;

/* The two fields, parsed but not yet verified. */
typedef struct {
    rooms_str_t     names[ROOMS_SIGNATURE_COMPONENTS];
    rooms_str_t     params;                /* the value of @signature-params */
    int64_t         created;               /* s */
    int64_t         expires;               /* 0: missing */
    rooms_str_t     server;                /* from the keyid */
    rooms_str_t     key_id;
    unsigned char   signature[ROOMS_FEDKEY_SIGNATURE];
} rooms_signature_t;


void rooms_digest_field(rooms_str_t body, char field[ROOMS_DIGEST_LEN + 1]);
/* 0: the field has a sha-256 digest that matches the body. */
int rooms_digest_check(rooms_str_t field, rooms_str_t body);

/* The signature base, RFC 9421, section 2.5. */
void rooms_signature_base(rooms_buf_t *b, const rooms_component_t *components,
    unsigned n, rooms_str_t params);

/*
 * Strict: one signature in each field, under one label; exactly our four
 * components, each once and without parameters; created, keyid and alg, each
 * once, and optionally expires, nonce and tag.  Returns NULL or a problem in
 * words.  All strings point into the fields.
 */
const char *rooms_signature_parse(rooms_str_t input, rooms_str_t signature,
    rooms_signature_t *sig);

/*
 * Whether `created` is within the window around now (s), and `expires` isn't
 * over.
 */
int rooms_signature_fresh(const rooms_signature_t *sig, int64_t now);

/* 0: the key has signed this request. */
int rooms_signature_verify(const rooms_signature_t *sig,
    const rooms_signed_request_t *request, const rooms_fedkey_t *key,
    rooms_buf_t *work);

/*
 * The two fields for a request from `server`, which is us.  `input` needs
 * ROOMS_SIGNATURE_PARAMS bytes; -1: something doesn't fit.
 */
int rooms_signature_make(const rooms_signed_request_t *request,
    const rooms_fedkey_pair_t *pair, rooms_str_t server, int64_t now,
    rooms_buf_t *work, rooms_buf_t *input,
    char signature[ROOMS_SIGNED_LEN + 1]);

#endif /* ROOMS_SIGNATURE_H */
