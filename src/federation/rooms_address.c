/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_peer.h"


typedef struct {
    unsigned char  address[16];
    unsigned       bits;
} rooms_range_t;


/* IANA IPv4 Special-Purpose Address Registry, and multicast (224/4). */

static const rooms_range_t  rooms_ipv4_special[] = {
    { { 0 }, 8 },                          /* "this network" */
    { { 10 }, 8 },                         /* private */
    { { 100, 64 }, 10 },                   /* CGNAT */
    { { 127 }, 8 },                        /* loopback */
    { { 169, 254 }, 16 },                  /* link-local */
    { { 172, 16 }, 12 },                   /* private */
    { { 192, 0, 0 }, 24 },                 /* protocol assignments */
    { { 192, 0, 2 }, 24 },                 /* documentation */
    { { 192, 31, 196 }, 24 },              /* AS112 */
    { { 192, 52, 193 }, 24 },              /* AMT */
    { { 192, 88, 99 }, 24 },               /* 6to4 relay anycast */
    { { 192, 168 }, 16 },                  /* private */
    { { 192, 175, 48 }, 24 },              /* AS112 */
    { { 198, 18 }, 15 },                   /* benchmarking */
    { { 198, 51, 100 }, 24 },              /* documentation */
    { { 203, 0, 113 }, 24 },               /* documentation */
    { { 224 }, 4 },                        /* multicast */
    { { 240 }, 4 },                        /* reserved, broadcast */
};

/*
 * Global unicast is 2000::/3; these are the parts of it in IANA's registry.
 * Everything outside of 2000::/3 is special, except the two ranges that embed
 * an IPv4 address, which is then checked instead.
 */

static const rooms_range_t  rooms_ipv6_special[] = {
    { { 0x20, 0x01 }, 23 },                /* protocol assignments, Teredo,
                                              ORCHID, benchmarking */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 },    /* documentation */
    { { 0x26, 0x20, 0x00, 0x4f, 0x80 }, 48 },     /* AS112 */
    { { 0x3f, 0xff }, 20 },                /* documentation */
};

static const unsigned char  rooms_ipv6_mapped[12] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
};

static const unsigned char  rooms_ipv6_nat64[12] = {
    0x00, 0x64, 0xff, 0x9b
};


static int
rooms_range_has(const rooms_range_t *range, const unsigned char *address)
{
    unsigned  bytes, rest;

    bytes = range->bits / 8;
    rest = range->bits % 8;

    if (memcmp(range->address, address, bytes) != 0) {
        return 0;
    }

    return rest == 0
           || ((range->address[bytes] ^ address[bytes]) >> (8 - rest)) == 0;
}


static int
rooms_ipv4_is_special(const unsigned char *address)
{
    size_t  i;

    for (i = 0; i < sizeof(rooms_ipv4_special) / sizeof(rooms_range_t); i++) {
        if (rooms_range_has(&rooms_ipv4_special[i], address)) {
            return 1;
        }
    }

    return 0;
}


int
rooms_address_special(const unsigned char *address, size_t len)
{
    size_t  i;

    if (len == 4) {
        return rooms_ipv4_is_special(address);
    }

    if (memcmp(address, rooms_ipv6_mapped, 12) == 0
        || memcmp(address, rooms_ipv6_nat64, 12) == 0)
    {
        return rooms_ipv4_is_special(address + 12);
    }

    if (address[0] >> 5 != 1) {
        return 1;
    }

    if (address[0] == 0x20 && address[1] == 0x02) {
        return rooms_ipv4_is_special(address + 2);
    }

    for (i = 0; i < sizeof(rooms_ipv6_special) / sizeof(rooms_range_t); i++) {
        if (rooms_range_has(&rooms_ipv6_special[i], address)) {
            return 1;
        }
    }

    return 0;
}
