/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <stdio.h>

#include "rooms.h"


int
rooms_foreign(rooms_str_t id, rooms_str_t self, rooms_str_t *server)
{
    const unsigned char  *colon;

    if (id.len < 4 || id.data[0] != '@') {
        return 0;
    }

    colon = memchr(id.data, ':', id.len);

    if (colon == NULL) {
        return 0;
    }

    server->data = colon + 1;
    server->len = id.data + id.len - server->data;

    return server->len > 0 && !rooms_str_eq(*server, self);
}


int
rooms_peers_next(rooms_str_t *peers, rooms_str_t *server, uint32_t *n)
{
    size_t    i;
    uint64_t  count;

    if (peers->len == 0) {
        return 0;
    }

    server->data = peers->data;

    for (i = 0; i < peers->len && peers->data[i] != '='; i++) { /* void */ }

    server->len = i;

    for (count = 0, i++; i < peers->len && peers->data[i] != ' '; i++) {

        if (peers->data[i] < '0' || peers->data[i] > '9') {
            return 0;
        }

        count = count * 10 + peers->data[i] - '0';

        if (count > UINT32_MAX) {
            return 0;
        }
    }

    *n = count;

    if (i < peers->len) {
        i++;
    }

    if (i > peers->len) {
        i = peers->len;
    }

    peers->data += i;
    peers->len -= i;

    return server->len > 0;
}


uint64_t
rooms_peers_total(rooms_str_t peers)
{
    uint32_t     n;
    uint64_t     total;
    rooms_str_t  server;

    for (total = 0; rooms_peers_next(&peers, &server, &n); /* void */ ) {
        total += n;
    }

    return total;
}


uint32_t
rooms_peers_count(rooms_str_t peers, rooms_str_t server)
{
    uint32_t     n;
    rooms_str_t  name;

    while (rooms_peers_next(&peers, &name, &n)) {

        if (rooms_str_eq(name, server)) {
            return n;
        }
    }

    return 0;
}


int
rooms_peers_has(rooms_str_t peers, rooms_str_t server)
{
    return rooms_peers_count(peers, server) > 0;
}


static unsigned char *
rooms_peers_put(unsigned char *dst, unsigned char *p, rooms_str_t server,
    int64_t count)
{
    if (p != dst) {
        *p++ = ' ';
    }

    memcpy(p, server.data, server.len);
    p += server.len;

    return p + sprintf((char *) p, "=%lld", (long long) count);
}


size_t
rooms_peers_move(rooms_str_t peers, rooms_str_t server, int delta,
    unsigned char *dst)
{
    int             found;
    int64_t         count;
    uint32_t        n;
    rooms_str_t     name;
    unsigned char  *p;

    p = dst;
    found = 0;

    while (rooms_peers_next(&peers, &name, &n)) {
        count = n;

        /* once, as a damaged list may name a server often */

        if (!found && rooms_str_eq(name, server)) {
            found = 1;
            count += delta;
        }

        if (count > 0) {
            p = rooms_peers_put(dst, p, name, count);
        }
    }

    if (!found && delta > 0) {
        p = rooms_peers_put(dst, p, server, delta);
    }

    return p - dst;
}
