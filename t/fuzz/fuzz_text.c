/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* libFuzzer: the parsers of names, topics, aliases, times and ids. */

#include <stdlib.h>

#include "rooms.h"


#define check(cond)  do { if (!(cond)) abort(); } while (0)


static void
fuzz_name(rooms_str_t s)
{
    rooms_str_t  again, name;

    name = s;

    if (rooms_name_check(&name) != NULL) {
        return;
    }

    check(name.data >= s.data && name.data + name.len <= s.data + s.len);
    check(rooms_utf8_length(name) >= 1 && rooms_utf8_length(name) <= 128);

    again = name;
    check(rooms_name_check(&again) == NULL);
    check(again.data == name.data && again.len == name.len);
}


static void
fuzz_topic(rooms_str_t s)
{
    rooms_str_t  topic;

    topic = s;

    if (rooms_topic_check(&topic) == NULL) {
        check(topic.data == s.data && topic.len == s.len);
        check(rooms_utf8_length(topic) >= 0);
        check(rooms_utf8_length(topic) <= 1024);
    }
}


static void
fuzz_slug(rooms_str_t s)
{
    rooms_str_t    slug;
    unsigned       n;
    unsigned char  dst[80];

    n = 0;
    memcpy(&n, s.data, s.len < sizeof(n) ? s.len : sizeof(n));

    slug.data = dst;
    slug.len = rooms_slug(s, n, dst);

    check(slug.len <= sizeof(dst));
    check(rooms_slug_valid(slug));

    (void) rooms_slug_valid(s);
}


static void
fuzz_time(rooms_str_t s)
{
    int64_t        ms;
    unsigned char  dst[ROOMS_TIME_LEN];

    ms = rooms_time_parse(s);

    if (ms != -1) {
        rooms_time_format(dst, ms);
        check(rooms_time_parse((rooms_str_t) { sizeof(dst), dst }) == ms);
    }

    memcpy(&ms, s.data, s.len < sizeof(ms) ? s.len : sizeof(ms));
    rooms_time_format(dst, ms);
    check(rooms_time_parse((rooms_str_t) { sizeof(dst), dst }) != -1);
}


static void
fuzz_id(rooms_str_t s)
{
    int64_t        ms;
    rooms_str_t    id;
    unsigned char  dst[ROOMS_ID_MAX];

    (void) rooms_id_valid(s, "room-");
    (void) rooms_participant_valid(s);
    (void) rooms_tenant_valid(s);
    (void) rooms_type_parse(s);
    (void) rooms_membership_parse(s);
    (void) rooms_role_parse(s);

    if (rooms_event_position(s) >= 0) {
        check(rooms_id_valid(s, "evt-"));
    }

    if (s.len >= 18) {
        memcpy(&ms, s.data, 8);
        id.data = dst;
        id.len = rooms_id_make("room-", ms, s.data + 8, dst);
        check(id.len == 31 && rooms_id_valid(id, "room-"));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rooms_str_t           s;
    static const uint8_t  empty[1];

    s.data = (size == 0) ? empty : data;
    s.len = size;

    fuzz_name(s);
    fuzz_topic(s);
    fuzz_slug(s);
    fuzz_time(s);
    fuzz_id(s);

    return 0;
}
