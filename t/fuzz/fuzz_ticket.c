/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer: tickets and links from clients, tickets with the input as
 * content and a valid signature, and what a log may show of a target.
 */

#include <stdlib.h>

#include <sodium.h>

#include "rooms.h"
#include "rooms_ticket.h"


#define check(cond)  do { if (!(cond)) abort(); } while (0)

static const rooms_str_t  secret =
    rooms_string("0123456789abcdef0123456789abcdef");


static void
fuzz_verify(rooms_str_t text, int ours)
{
    rooms_jwt_e        rc;
    const char        *why;
    rooms_principal_t  who;
    unsigned char      buf[ROOMS_TICKET_RAW];

    rc = rooms_ticket_verify(text, &secret, 1, ROOMS_TICKET_STREAM,
                             ROOMS_NULL, 1000, &who, buf, &why);

    if (rc != ROOMS_JWT_OK) {
        check(who.sub.data == NULL && why != NULL);
        return;
    }

    check(ours);
    check(rooms_participant_valid(who.sub));
    check(rooms_tenant_valid(who.tenant));
    check(who.exp > 1000);
}


static void
fuzz_signed(rooms_str_t s)
{
    unsigned char                 raw[ROOMS_TICKET_RAW];
    char                          text[ROOMS_TICKET_MAX + 1];
    crypto_auth_hmacsha256_state  h;

    if (s.len > sizeof(raw) - 32) {
        return;
    }

    memcpy(raw, s.data, s.len);
    crypto_auth_hmacsha256_init(&h, secret.data, secret.len);
    crypto_auth_hmacsha256_update(&h, raw, s.len);
    crypto_auth_hmacsha256_final(&h, raw + s.len);
    sodium_bin2base64(text, sizeof(text), raw, s.len + 32,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);

    fuzz_verify(rooms_cstr(text), 1);
}


/* After hiding, only dashes are left to hide. */
static void
fuzz_hide(rooms_str_t s)
{
    size_t          n, again;
    unsigned char  *dst, *more;

    dst = malloc(s.len + 1);
    more = malloc(s.len + 1);
    check(dst && more);

    n = rooms_ticket_hide(s, dst);
    check(n <= s.len);

    if (n) {
        again = rooms_ticket_hide((rooms_str_t) { n, dst }, more);
        check(again == n && memcmp(dst, more, n) == 0);
    }

    free(dst);
    free(more);
}


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    rooms_str_t  s;

    if (size == 0) {
        return 0;
    }

    s = (rooms_str_t) { size - 1, data + 1 };

    switch (data[0] % 3) {

    case 0:
        fuzz_verify(s, 0);
        break;

    case 1:
        fuzz_signed(s);
        break;

    default:
        fuzz_hide(s);
    }

    return 0;
}
