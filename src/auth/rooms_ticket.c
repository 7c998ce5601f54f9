/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms.h"
#include "rooms_ticket.h"
#include "rooms_base64.h"

#include <sodium.h>
#include <strings.h>


#define ROOMS_TICKET_VERSION  1
#define ROOMS_TICKET_ADMIN    0x01     /* a flag */
#define ROOMS_TICKET_HEAD     11       /* bytes before the strings */
#define ROOMS_TICKET_MAC      crypto_auth_hmacsha256_BYTES


static void
rooms_ticket_mac(rooms_str_t secret, const unsigned char *p, size_t len,
    unsigned char *mac)
{
    crypto_auth_hmacsha256_state  state;

    crypto_auth_hmacsha256_init(&state, secret.data, secret.len);
    crypto_auth_hmacsha256_update(&state, p, len);
    crypto_auth_hmacsha256_final(&state, mac);

    sodium_memzero(&state, sizeof(state));
}


static unsigned char *
rooms_ticket_put(unsigned char *p, rooms_str_t s)
{
    *p++ = (unsigned char) s.len;

    if (s.len) {
        memcpy(p, s.data, s.len);
    }

    return p + s.len;
}


size_t
rooms_ticket_make(rooms_str_t secret, rooms_ticket_e purpose,
    const rooms_principal_t *who, int64_t exp, rooms_str_t object,
    unsigned char *dst)
{
    int             i;
    unsigned char  *p, raw[ROOMS_TICKET_RAW];
    char            text[ROOMS_TICKET_MAX + 1];

    if (who->sub.len > 255 || who->tenant.len > 64
        || object.len > ROOMS_TICKET_OBJECT_MAX
        || exp < 0 || exp > ROOMS_JWT_TIME_MAX)
    {
        return 0;
    }

    p = raw;
    *p++ = ROOMS_TICKET_VERSION;
    *p++ = purpose;
    *p++ = who->admin && purpose == ROOMS_TICKET_STREAM ? ROOMS_TICKET_ADMIN
                                                        : 0;

    for (i = 56; i >= 0; i -= 8) {
        *p++ = (unsigned char) (exp >> i);
    }

    p = rooms_ticket_put(p, who->tenant);
    p = rooms_ticket_put(p, who->sub);
    p = rooms_ticket_put(p, object);

    rooms_ticket_mac(secret, raw, p - raw, p);
    p += ROOMS_TICKET_MAC;

    sodium_bin2base64(text, sizeof(text), raw, p - raw,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);

    memcpy(dst, text, strlen(text));

    return strlen(text);
}


/*
 * Whether any of the secrets signed it.  Always tries all, so that the time
 * taken tells nothing.
 */
static int
rooms_ticket_signed(const rooms_str_t *secrets, unsigned nsecrets,
    const unsigned char *p, size_t len)
{
    int            found;
    unsigned       i;
    unsigned char  mac[ROOMS_TICKET_MAC];

    found = 0;

    for (i = 0; i < nsecrets; i++) {
        rooms_ticket_mac(secrets[i], p, len, mac);
        found |= sodium_memcmp(mac, p + len, sizeof(mac)) == 0;
    }

    return found;
}


static int
rooms_ticket_get(const unsigned char **p, const unsigned char *end,
    rooms_str_t *s)
{
    if (*p == end || (size_t) (end - *p) < (size_t) 1 + **p) {
        return -1;
    }

    s->len = *(*p)++;
    s->data = *p;
    *p += s->len;

    return 0;
}


/*
 * Parses a ticket whose signature is good.  Still checks everything: another
 * version may have signed it with the same secret.
 */
static int
rooms_ticket_parse(const unsigned char *p, const unsigned char *end,
    rooms_ticket_e purpose, rooms_str_t *object, rooms_principal_t *out)
{
    int       i;
    uint64_t  exp;

    if (end - p < ROOMS_TICKET_HEAD || p[0] != ROOMS_TICKET_VERSION
        || p[1] != (unsigned char) purpose || (p[2] & ~ROOMS_TICKET_ADMIN))
    {
        return -1;
    }

    out->admin = p[2] & ROOMS_TICKET_ADMIN;

    for (i = 3, exp = 0; i < ROOMS_TICKET_HEAD; i++) {
        exp = exp << 8 | p[i];
    }

    p += ROOMS_TICKET_HEAD;

    if (exp > ROOMS_JWT_TIME_MAX
        || rooms_ticket_get(&p, end, &out->tenant) != 0
        || rooms_ticket_get(&p, end, &out->sub) != 0
        || rooms_ticket_get(&p, end, object) != 0
        || p != end)
    {
        return -1;
    }

    out->exp = (int64_t) exp;

    return rooms_tenant_valid(out->tenant) && rooms_participant_valid(out->sub)
           ? 0 : -1;
}


rooms_jwt_e
rooms_ticket_verify(rooms_str_t text, const rooms_str_t *secrets,
    unsigned nsecrets, rooms_ticket_e purpose, rooms_str_t object,
    int64_t now, rooms_principal_t *out, unsigned char *buf,
    const char **why)
{
    long         n;
    rooms_str_t  opens;

    memset(out, 0, sizeof(rooms_principal_t));
    *why = "the ticket isn't signed by this server";

    if (text.len > ROOMS_TICKET_MAX) {
        return ROOMS_JWT_INVALID;
    }

    n = rooms_base64url_decode(buf, ROOMS_TICKET_RAW, text);

    if (n < ROOMS_TICKET_MAC
        || !rooms_ticket_signed(secrets, nsecrets, buf, n - ROOMS_TICKET_MAC))
    {
        return ROOMS_JWT_INVALID;
    }

    if (rooms_ticket_parse(buf, buf + n - ROOMS_TICKET_MAC, purpose, &opens,
                           out) != 0
        || opens.len != object.len
        || (object.len && memcmp(opens.data, object.data, object.len) != 0))
    {
        memset(out, 0, sizeof(rooms_principal_t));
        *why = "the ticket is for another purpose";
        return ROOMS_JWT_INVALID;
    }

    if (out->exp <= now) {
        memset(out, 0, sizeof(rooms_principal_t));
        *why = "the ticket has expired";
        return ROOMS_JWT_EXPIRED;
    }

    *why = NULL;

    return ROOMS_JWT_OK;
}


/* The length of "ticket=" or another secret argument's name at p; 0: none. */
static size_t
rooms_ticket_secret(const unsigned char *p, size_t len)
{
    unsigned  i;

    static const rooms_str_t  names[] = {
        rooms_string("ticket="), rooms_string("signature="),
        rooms_string("token=")
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        if (len > names[i].len
            && strncasecmp((const char *) p, (const char *) names[i].data,
                           names[i].len) == 0)
        {
            return names[i].len;
        }
    }

    return 0;
}


size_t
rooms_ticket_hide(rooms_str_t text, unsigned char *dst)
{
    size_t                n;
    unsigned char        *d;
    const unsigned char  *p, *end, *from;

    d = dst;
    end = text.data + text.len;
    from = text.data;

    for (p = from; p < end; p++) {

        if (*p != '?' && *p != '&') {
            continue;
        }

        n = rooms_ticket_secret(p + 1, end - p - 1);

        if (n == 0 || p[1 + n] == '&' || p[1 + n] == ' ' || p[1 + n] == '#') {
            continue;
        }

        p += 1 + n;

        memcpy(d, from, p - from);
        d += p - from;
        *d++ = '-';

        while (p < end && *p != '&' && *p != ' ' && *p != '#') {
            p++;
        }

        from = p--;
    }

    if (from == text.data) {
        return 0;
    }

    memcpy(d, from, end - from);

    return d - dst + (end - from);
}
