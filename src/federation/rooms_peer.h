/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Names of servers and of participants on them, and which addresses no
 * stranger may make us dial.
 */

#ifndef ROOMS_PEER_H
#define ROOMS_PEER_H

#include "rooms_str.h"


#define ROOMS_PEER_MAX   255
#define ROOMS_LOCAL_MAX  128


/*
 * "host" or "host:port".  The host is a name of ASCII labels in lower case
 * (an internationalised one in its "xn--" form), an IPv4 address, or an IPv6
 * address in brackets.  Every name has one spelling: numbers that inet_aton()
 * would take for an address (127.1, 0x7f000001) are refused, and so are a
 * trailing dot, a port with a leading zero, a path, user information.
 */
int rooms_peer_valid(rooms_str_t name);

/*
 * The host's address, if the name is one: 4 or 16 (bytes in address), 0 for
 * a name to be resolved.  The name must be valid.
 */
int rooms_peer_address(rooms_str_t name, unsigned char address[16]);

/* "@local:server"; both parts point into it.  -1: isn't one. */
int rooms_fqid_parse(rooms_str_t fqid, rooms_str_t *local,
    rooms_str_t *server);

/*
 * Whether an address is none of the public Internet (IANA's special-purpose
 * registries, multicast, and what carries such an address inside: mapped,
 * NAT64, 6to4).  len is 4 or 16.
 */
int rooms_address_special(const unsigned char *address, size_t len);

/* Names that resolve to this host or a private network by definition. */
int rooms_peer_local(rooms_str_t name);

#endif /* ROOMS_PEER_H */
