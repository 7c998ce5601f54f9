/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms.h"


#define ROOMS_TENANT_MAX       64


static int rooms_all_of(rooms_str_t s, size_t max, const char *others);


/*
 * The values of digits, 16 added.  Lower case only, so that an id has one
 * spelling.
 */
static const unsigned char  rooms_hex[256] = {
    ['0'] = 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
    ['a'] = 26, 27, 28, 29, 30, 31
};


/*
 * Our own ids have 26 digits after the prefix, but rooms from other servers
 * may have other ids.  What matters is that no byte has a meaning in a key or
 * a path.
 */

int
rooms_id_valid(rooms_str_t id, const char *prefix)
{
    size_t  len;

    len = strlen(prefix);

    if (id.len <= len || id.len > ROOMS_ID_MAX
        || memcmp(id.data, prefix, len) != 0)
    {
        return 0;
    }

    id.data += len;
    id.len -= len;

    return rooms_all_of(id, ROOMS_ID_MAX, "-_");
}


/* As in ULID: the bits of the time, then the random bits, five to a digit. */

size_t
rooms_id_make(const char *prefix, int64_t ms, const unsigned char random[10],
    unsigned char *dst)
{
    int             i, bits;
    size_t          len;
    unsigned        acc;
    unsigned char   bytes[16];

    static const char  digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

    for (i = 0; i < 6; i++) {
        bytes[i] = (unsigned char) ((uint64_t) ms >> (40 - 8 * i));
    }

    memcpy(&bytes[6], random, 10);

    len = strlen(prefix);
    memcpy(dst, prefix, len);

    /* 26 digits hold 130 bits: two zero bits come before our 128 */

    acc = 0;
    bits = 2;

    for (i = 0; i < 16; i++) {
        acc = (acc << 8) | bytes[i];
        bits += 8;

        while (bits >= 5) {
            bits -= 5;
            dst[len++] = digits[(acc >> bits) & 0x1f];
        }
    }

    return len;
}


int64_t
rooms_position_at(int64_t ms)
{
    ms -= ROOMS_POSITIONS_FROM;

    if (ms < 0) {
        return 0;
    }

    if (ms > ROOMS_POSITIONS_MAX / ROOMS_POSITIONS_MS) {
        return ROOMS_POSITIONS_MAX;
    }

    return ms * ROOMS_POSITIONS_MS;
}


/* The first ten digits are the time: two zero bits, and 48 of it. */

int64_t
rooms_id_position(rooms_str_t room)
{
    size_t         i, prefix;
    int64_t        ms;
    unsigned char  value;

    static const unsigned char  digits[256] = {
        ['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
        ['a'] = 11, 12, 13, 14, 15, 16, 17, 18, 0, 19, 20, 0, 21, 22, 0,
                23, 24, 25, 26, 27, 0, 28, 29, 30, 31, 32
    };

    prefix = sizeof("room-") - 1;

    if (room.len < prefix + 10 || memcmp(room.data, "room-", prefix) != 0) {
        return 0;
    }

    ms = 0;

    for (i = prefix; i < prefix + 10; i++) {
        value = digits[room.data[i]];

        if (value == 0) {
            return 0;
        }

        ms = (ms << 5) | (value - 1);
    }

    return rooms_position_at(ms);
}


int64_t
rooms_event_position(rooms_str_t event_id)
{
    if (event_id.len <= 4 || memcmp(event_id.data, "evt-", 4) != 0) {
        return -1;
    }

    return rooms_event_digits((rooms_str_t) { event_id.len - 4,
                                              event_id.data + 4 });
}


int64_t
rooms_event_digits(rooms_str_t digits)
{
    size_t    i;
    int64_t   position;
    unsigned  value, valid;

    if (digits.len != ROOMS_EVENT_DIGITS) {
        return -1;
    }

    position = 0;
    valid = 16;

    for (i = 0; i < ROOMS_POSITION_DIGITS; i++) {
        value = rooms_hex[digits.data[i]];
        position = (position << 4) | (value & 15);
        valid &= value;
    }

    for ( /* void */ ; i < ROOMS_EVENT_DIGITS; i++) {
        valid &= rooms_hex[digits.data[i]];
    }

    return valid ? position : -1;
}


int
rooms_participant_valid(rooms_str_t id)
{
    size_t  i;

    if (id.len == 0 || id.len > ROOMS_PARTICIPANT_MAX) {
        return 0;
    }

    for (i = 0; i < id.len; i++) {
        if (id.data[i] <= ' ' || id.data[i] > '~') {
            return 0;
        }
    }

    return 1;
}


int
rooms_tenant_valid(rooms_str_t id)
{
    return rooms_all_of(id, ROOMS_TENANT_MAX, "._-");
}


/* 1 to max bytes, each an ASCII letter, a digit, or one of `others`. */

static int
rooms_all_of(rooms_str_t s, size_t max, const char *others)
{
    size_t         i;
    unsigned char  c;

    static const unsigned char  alnum[256] = {
        ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1
    };

    if (s.len == 0 || s.len > max) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (alnum[c]) {
            continue;
        }

        if (c == '\0' || strchr(others, c) == NULL) {
            return 0;
        }
    }

    return 1;
}
