/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Replaces a token in URLs, where a client can't send headers: tickets for
 * streams, and links to one medium or one room's export.  A ticket contains
 * its purpose, the participant, what it opens and its expiry, signed with
 * HMAC-SHA256.  The server stores nothing for it.
 *
 * There is no state, clock or I/O: the same arguments give the same result.
 */

#ifndef ROOMS_TICKET_H
#define ROOMS_TICKET_H

#include "rooms_jwt.h"


#define ROOMS_TICKET_SECRET_MIN  32    /* bytes of a secret */
#define ROOMS_TICKET_SECRET_MAX  4096
#define ROOMS_TICKET_OBJECT_MAX  64    /* bytes of an id */

/* version, purpose, flags, expiry, and three strings with their lengths */
#define ROOMS_TICKET_RAW   (1 + 1 + 1 + 8 + 3 + 255 + 64                      \
                            + ROOMS_TICKET_OBJECT_MAX + 32)
/* characters of a ticket, at most */
#define ROOMS_TICKET_MAX   ((ROOMS_TICKET_RAW * 4 + 2) / 3)


/* What a ticket is good for.  The signature covers the number. */
typedef enum {
    ROOMS_TICKET_NONE = 0,
    ROOMS_TICKET_STREAM = 1,
    ROOMS_TICKET_MEDIUM = 2,
    ROOMS_TICKET_EXPORT = 3
} rooms_ticket_e;


/*
 * Signs a ticket of `who` for `object` (an id; empty for a stream) that
 * expires at `exp` (seconds).  Writes base64url to dst, which has
 * ROOMS_TICKET_MAX bytes.  Returns the length; 0: a string is too long, or
 * exp isn't a time.
 *
 * A link lets anybody who has it read one thing, so it contains no role.
 */
size_t rooms_ticket_make(rooms_str_t secret, rooms_ticket_e purpose,
    const rooms_principal_t *who, int64_t exp, rooms_str_t object,
    unsigned char *dst);

/*
 * Verifies that one of the secrets signed the ticket for this purpose and
 * object, and that it hasn't expired.  On ROOMS_JWT_OK *out is the principal;
 * its strings point into buf, which has ROOMS_TICKET_RAW bytes.  On anything
 * else *out is all zero and *why is a static text.  ROOMS_JWT_EXPIRED means
 * that all else is valid.
 */
rooms_jwt_e rooms_ticket_verify(rooms_str_t text, const rooms_str_t *secrets,
    unsigned nsecrets, rooms_ticket_e purpose, rooms_str_t object,
    int64_t now, rooms_principal_t *out, unsigned char *buf,
    const char **why);


/*
 * Makes a request target, or a whole request line, fit for logs: the values
 * of "ticket", "signature" and "token" become "-". dst has at least text.len
 * bytes.  Returns the length; 0: nothing had to be hidden, and dst wasn't
 * written.
 *
 * Names are compared as NGINX compares arguments: ignoring case, without
 * decoding percent escapes.
 */
size_t rooms_ticket_hide(rooms_str_t text, unsigned char *dst);

#endif /* ROOMS_TICKET_H */
