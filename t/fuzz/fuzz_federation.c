/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <stdint.h>
#include <stdlib.h>

#include "rooms_canonical.h"
#include "rooms_json.h"
#include "rooms_policy.h"
#include "rooms_signature.h"


static void
inside(rooms_str_t s, rooms_str_t of)
{
    if (s.data < of.data || s.data + s.len > of.data + of.len) {
        abort();
    }
}


/* The canonical form is no longer than its source, and canonical itself. */
static void
canonical(rooms_str_t s)
{
    json_t         *value;
    rooms_buf_t     first, second;
    unsigned char  *dst;

    value = json_loadb((const char *) s.data, s.len, JSON_REJECT_DUPLICATES,
                       NULL);

    if (value == NULL) {
        return;
    }

    dst = malloc(2 * s.len);
    rooms_buf_init(&first, dst, s.len);
    rooms_buf_init(&second, dst + s.len, s.len);

    if (rooms_canonical(&first, value, NULL) == NULL) {

        if (first.full) {
            abort();
        }

        json_decref(value);
        value = json_loadb((const char *) first.start,
                           first.last - first.start, 0, NULL);

        if (value == NULL || rooms_canonical(&second, value, NULL) != NULL
            || second.last - second.start != first.last - first.start
            || memcmp(first.start, second.start, first.last - first.start))
        {
            abort();
        }
    }

    free(dst);
    json_decref(value);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                 i;
    json_t                *object;
    rooms_str_t            all, head, tail, local, server;
    unsigned char          address[16];
    rooms_policy_t         policy;
    rooms_signature_t      sig;
    rooms_policy_fault_t   fault;

    all.len = size;
    all.data = data;

    /* a newline separates Signature-Input and Signature, or field and body */

    for (i = 0; i < size && data[i] != '\n'; i++) { /* void */ }

    head = (rooms_str_t) { i, data };
    tail = (rooms_str_t) { size - i, data + i };

    if (tail.len) {
        tail.data++;
        tail.len--;
    }

    if (rooms_signature_parse(head, tail, &sig) == NULL) {
        inside(sig.params, head);
        inside(sig.server, head);
        inside(sig.key_id, head);
    }

    (void) rooms_digest_check(head, tail);

    if (rooms_fqid_parse(all, &local, &server) == 0) {
        inside(local, all);
        inside(server, all);
    }

    if (rooms_peer_valid(all)) {
        (void) rooms_peer_local(all);
        i = rooms_peer_address(all, address);

        if (i) {
            (void) rooms_address_special(address, i);
        }
    }

    canonical(all);

    object = json_loadb((const char *) data, size, 0, NULL);

    if (json_is_object(object)) {
        (void) rooms_policy_parse(object, rooms_cstr("a.example"), &policy,
                                  &fault);
    }

    json_decref(object);

    return 0;
}
