/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What stands for a token in a URL, where headers can't be sent: tickets of
 * streams, and links to one medium or to one room's export.  A ticket names
 * its purpose, whom it stands for, what it opens and when it ends, and is
 * signed with HMAC-SHA256; nothing of it is kept anywhere.
 *
 * No state, no clock, no I/O: the same arguments give the same answer.
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


/* What a ticket is good for; the numbers are part of what is signed. */
typedef enum {
    ROOMS_TICKET_NONE = 0,
    ROOMS_TICKET_STREAM = 1,
    ROOMS_TICKET_MEDIUM = 2,
    ROOMS_TICKET_EXPORT = 3
} rooms_ticket_e;


/*
 * Signs a ticket of `who` for `object` (an id; empty for a stream) until
 * `exp`, in seconds.  dst has ROOMS_TICKET_MAX bytes and gets base64url.
 * Returns the length; 0: a string is too long, or exp isn't a time.
 *
 * A link is a permission to read one thing, whoever asks: no role goes into
 * it.
 */
size_t rooms_ticket_make(rooms_str_t secret, rooms_ticket_e purpose,
    const rooms_principal_t *who, int64_t exp, rooms_str_t object,
    unsigned char *dst);

/*
 * Whether one of the secrets has signed the ticket for this purpose and
 * object, and it hasn't ended.  On ROOMS_JWT_OK *out is the principal, whose
 * strings point into buf, of ROOMS_TICKET_RAW bytes; otherwise it is all zero
 * and *why is a static text.  ROOMS_JWT_EXPIRED is said only of a ticket that
 * is right in everything else.
 */
rooms_jwt_e rooms_ticket_verify(rooms_str_t text, const rooms_str_t *secrets,
    unsigned nsecrets, rooms_ticket_e purpose, rooms_str_t object,
    int64_t now, rooms_principal_t *out, unsigned char *buf,
    const char **why);


/*
 * A request's target, or a whole request line, for logs: the values of
 * "ticket", "signature" and "token" become "-".  dst has text.len bytes at
 * least.  Returns the length; 0: there is nothing to hide, and dst wasn't
 * written.
 *
 * Names are told apart as NGINX does it: without case, not percent-decoded.
 */
size_t rooms_ticket_hide(rooms_str_t text, unsigned char *dst);

#endif /* ROOMS_TICKET_H */
