/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Names of servers and of their participants, and addresses that peers must
 * not make us connect to.
 */

#ifndef ROOMS_PEER_H
#define ROOMS_PEER_H

#include "rooms_str.h"


#define ROOMS_PEER_MAX   255
#define ROOMS_LOCAL_MAX  128


/*
 * "host" or "host:port".  The host is a name of lower case ASCII labels
 * (internationalised names in their "xn--" form), an IPv4 address, or an IPv6
 * address in brackets.  Every name has exactly one spelling.  So numbers that
 * inet_aton() reads as an address (127.1, 0x7f000001), a trailing dot, a port
 * with a leading zero, a path and user information are invalid.
 */
int rooms_peer_valid(rooms_str_t name);

/*
 * The address that a valid name contains: its length, 4 or 16, or 0 for a
 * name that has to be resolved.
 */
int rooms_peer_address(rooms_str_t name, unsigned char address[16]);

/* Splits "@local:server"; both parts point into it.  -1: invalid. */
int rooms_fqid_parse(rooms_str_t fqid, rooms_str_t *local,
    rooms_str_t *server);

/*
 * Whether an address isn't part of the public Internet: IANA's
 * special-purpose registries, multicast, and addresses that embed one of
 * these (mapped, NAT64, 6to4).  len is 4 or 16.
 */
int rooms_address_special(const unsigned char *address, size_t len);

/* Names that mean this host or a private network by definition. */
int rooms_peer_local(rooms_str_t name);

#endif /* ROOMS_PEER_H */
