/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <arpa/inet.h>

#include "rooms.h"
#include "rooms_peer.h"


#define ROOMS_PEER_LABEL  63
#define ROOMS_PEER_HOST   253


static int
rooms_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}


static int
rooms_letter(unsigned char c)
{
    return c >= 'a' && c <= 'z';
}


/* Splits "host:port" at the last colon outside of brackets. */

static rooms_str_t
rooms_peer_host(rooms_str_t name, rooms_str_t *port)
{
    size_t       i;
    rooms_str_t  host;

    host = name;
    *port = ROOMS_NULL;

    for (i = name.len; i > 0; i--) {

        if (name.data[i - 1] == ']') {
            break;
        }

        if (name.data[i - 1] == ':') {
            host.len = i - 1;
            port->data = name.data + i;
            port->len = name.len - i;
            break;
        }
    }

    return host;
}


static int
rooms_port_valid(rooms_str_t port)
{
    size_t    i;
    unsigned  n;

    if (port.len == 0 || port.len > 5 || port.data[0] == '0') {
        return 0;
    }

    for (n = 0, i = 0; i < port.len; i++) {

        if (!rooms_digit(port.data[i])) {
            return 0;
        }

        n = n * 10 + port.data[i] - '0';
    }

    return n <= 65535;
}


static int
rooms_ipv4_parse(rooms_str_t s, unsigned char address[4])
{
    char  text[16];

    if (s.len == 0 || s.len >= sizeof(text)) {
        return 0;
    }

    memcpy(text, s.data, s.len);
    text[s.len] = '\0';

    /* unlike inet_aton(): exactly four decimal parts without leading zeros */

    return inet_pton(AF_INET, text, address) == 1;
}


static int
rooms_ipv6_parse(rooms_str_t s, unsigned char address[16])
{
    size_t  i;
    char    text[INET6_ADDRSTRLEN], again[INET6_ADDRSTRLEN];

    if (s.len < 4 || s.len - 2 >= sizeof(text) || s.data[0] != '['
        || s.data[s.len - 1] != ']')
    {
        return 0;
    }

    memcpy(text, s.data + 1, s.len - 2);
    text[s.len - 2] = '\0';

    for (i = 0; text[i]; i++) {
        if (text[i] == '%') {
            return 0;
        }
    }

    if (inet_pton(AF_INET6, text, address) != 1) {
        return 0;
    }

    return inet_ntop(AF_INET6, address, again, sizeof(again))
           && strcmp(text, again) == 0;
}


/* A label that inet_aton() could read as a number. */

static int
rooms_label_number(rooms_str_t label)
{
    size_t  i;

    if (label.len >= 2 && label.data[0] == '0' && label.data[1] == 'x') {
        return 1;
    }

    for (i = 0; i < label.len; i++) {
        if (!rooms_digit(label.data[i])) {
            return 0;
        }
    }

    return 1;
}


static int
rooms_label_valid(rooms_str_t label)
{
    size_t         i;
    unsigned char  c;

    if (label.len == 0 || label.len > ROOMS_PEER_LABEL
        || label.data[0] == '-' || label.data[label.len - 1] == '-')
    {
        return 0;
    }

    for (i = 0; i < label.len; i++) {
        c = label.data[i];

        if (!rooms_letter(c) && !rooms_digit(c) && c != '-') {
            return 0;
        }
    }

    return 1;
}


static int
rooms_host_valid(rooms_str_t host)
{
    size_t       i;
    rooms_str_t  label;

    if (host.len == 0 || host.len > ROOMS_PEER_HOST) {
        return 0;
    }

    label.data = host.data;

    for (i = 0; i <= host.len; i++) {

        if (i < host.len && host.data[i] != '.') {
            continue;
        }

        label.len = host.data + i - label.data;

        if (!rooms_label_valid(label)) {
            return 0;
        }

        if (i < host.len) {
            label.data = host.data + i + 1;
        }
    }

    return !rooms_label_number(label);
}


int
rooms_peer_address(rooms_str_t name, unsigned char address[16])
{
    rooms_str_t  host, port;

    host = rooms_peer_host(name, &port);

    if (rooms_ipv4_parse(host, address)) {
        return 4;
    }

    return rooms_ipv6_parse(host, address) ? 16 : 0;
}


int
rooms_peer_valid(rooms_str_t name)
{
    rooms_str_t    host, port;
    unsigned char  address[16];

    if (name.data == NULL || name.len == 0 || name.len > ROOMS_PEER_MAX) {
        return 0;
    }

    host = rooms_peer_host(name, &port);

    if (port.data && !rooms_port_valid(port)) {
        return 0;
    }

    return rooms_ipv4_parse(host, address)
           || rooms_ipv6_parse(host, address)
           || rooms_host_valid(host);
}


static int
rooms_host_ends(rooms_str_t host, const char *suffix)
{
    size_t  len;

    len = strlen(suffix);

    if (host.len < len
        || memcmp(host.data + host.len - len, suffix, len) != 0)
    {
        return 0;
    }

    return host.len == len || host.data[host.len - len - 1] == '.';
}


int
rooms_peer_local(rooms_str_t name)
{
    static const char  *const locals[] = {
        "localhost", "local", "internal", "localdomain", "home.arpa"
    };

    size_t       i;
    rooms_str_t  host, port;

    host = rooms_peer_host(name, &port);

    for (i = 0; i < sizeof(locals) / sizeof(locals[0]); i++) {
        if (rooms_host_ends(host, locals[i])) {
            return 1;
        }
    }

    return 0;
}


int
rooms_fqid_parse(rooms_str_t fqid, rooms_str_t *local, rooms_str_t *server)
{
    size_t  i;

    if (fqid.len < 4 || fqid.data[0] != '@' || fqid.data[1] == '@') {
        return -1;
    }

    for (i = 1; i < fqid.len && fqid.data[i] != ':'; i++) {
        if (!rooms_local_char(fqid.data[i])) {
            return -1;
        }
    }

    if (i == 1 || i > ROOMS_LOCAL_MAX + 1 || i == fqid.len) {
        return -1;
    }

    *local = (rooms_str_t) { i - 1, fqid.data + 1 };
    *server = (rooms_str_t) { fqid.len - i - 1, fqid.data + i + 1 };

    return rooms_peer_valid(*server) ? 0 : -1;
}
