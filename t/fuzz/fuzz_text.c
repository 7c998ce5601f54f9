/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* libFuzzer: names, topics, aliases, search, times and ids. */

#include <stdlib.h>

#include <utf8proc.h>

#include "rooms.h"
#include "rooms_words.h"


#define check(cond)  do { if (!(cond)) abort(); } while (0)


static void
fuzz_name(rooms_str_t s)
{
    long           n;
    rooms_str_t    again, name;
    unsigned char  dst[ROOMS_NAME_SIZE], more[ROOMS_NAME_SIZE];

    name = s;

    if (rooms_name_make(&name, dst) == NULL) {
        n = rooms_utf8_length(name);
        check(n >= 1 && n <= 128);

        again = name;
        check(rooms_name_make(&again, more) == NULL);
        check(rooms_str_eq(again, name));
        check(rooms_name_check(&again) == NULL);
        check(rooms_str_eq(again, name));
    }

    name = (rooms_str_t) { rooms_name_shape(s, dst), dst };
    check(name.len <= sizeof(dst));

    if (name.len) {
        again = name;
        check(rooms_name_make(&again, more) == NULL);
        check(rooms_str_eq(again, name));
    }
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
    uint64_t       n;
    rooms_str_t    slug, again;
    unsigned char  dst[ROOMS_SLUG_SIZE], more[ROOMS_SLUG_SIZE];

    n = 0;
    memcpy(&n, s.data, s.len < sizeof(n) ? s.len : sizeof(n));

    slug = (rooms_str_t) { rooms_slug(s, n, dst), dst };
    check(slug.len > 0 && slug.len <= sizeof(dst));

    /* an alias in our own output must be read as the same slug */
    again = (rooms_str_t) { rooms_slug_read(slug, more), more };
    check(rooms_str_eq(again, slug));

    slug.len = rooms_slug_read(s, dst);
    check(slug.len <= sizeof(dst));
}


static rooms_str_t
fold(rooms_str_t s, unsigned char *dst, size_t size)
{
    rooms_buf_t  b = { dst, dst, dst + size, NULL, 0 };

    rooms_fold(&b, s);

    return (rooms_str_t) { b.last - dst, dst };
}


/* What begins a text, up to an ASCII character, finds the text. */
static void
fuzz_prefix(rooms_str_t s, rooms_str_t text)
{
    size_t                at;
    static unsigned char  dst[1 << 16];

    at = s.len ? s.data[0] * 256u % s.len : 0;

    while (at < s.len && s.data[at] >= 0x80) {
        at++;
    }

    check(rooms_fold_match(text, fold((rooms_str_t) { at, s.data }, dst,
                                      sizeof(dst))));
}


/* A name, an alias or an alias that is read is the same in any form. */
static void
fuzz_forms(rooms_str_t nfc, rooms_str_t nfd)
{
    rooms_str_t    a, b, c, d;
    unsigned char  one[ROOMS_SLUG_SIZE + ROOMS_NAME_SIZE];
    unsigned char  two[ROOMS_SLUG_SIZE + ROOMS_NAME_SIZE];

    a = nfc;
    b = nfd;

    if (rooms_name_make(&a, one) == NULL) {
        check(rooms_name_make(&b, two) == NULL);
        check(rooms_str_eq(a, b));

        c = (rooms_str_t) { rooms_slug(a, 0, one), one };
        d = (rooms_str_t) { rooms_slug(nfd, 0, two), two };
        check(rooms_utf8_length(nfd) > 128 || rooms_str_eq(c, d));

    } else {
        check(rooms_name_make(&b, two) != NULL);
    }

    a = (rooms_str_t) { rooms_slug_read(nfc, one), one };
    b = (rooms_str_t) { rooms_slug_read(nfd, two), two };
    check(rooms_str_eq(a, b));
}


static void
fuzz_fold(rooms_str_t s)
{
    uint8_t               *nfc, *nfd, *text;
    rooms_str_t            a, b, c;
    static unsigned char   one[1 << 16], two[1 << 16], three[1 << 16];

    a = fold(s, one, s.len < 16 ? 8 : sizeof(one));
    check(rooms_fold_match(a, a));

    if (s.len > 512 || rooms_utf8_length(s) < 0 || memchr(s.data, 0, s.len)) {
        return;
    }

    text = (uint8_t *) strndup((const char *) s.data, s.len);
    nfc = utf8proc_NFC(text);
    nfd = utf8proc_NFD(text);

    a = fold(rooms_cstr((char *) nfc), one, sizeof(one));
    b = fold(rooms_cstr((char *) nfd), two, sizeof(two));

    c = fold(s, three, sizeof(three));

    check(rooms_str_eq(a, b) && rooms_str_eq(a, c));

    fuzz_prefix(s, c);
    fuzz_forms(rooms_cstr((char *) nfc), rooms_cstr((char *) nfd));
    fuzz_forms(s, rooms_cstr((char *) nfd));

    free(text);
    free(nfc);
    free(nfd);
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
    fuzz_fold(s);
    fuzz_time(s);
    fuzz_id(s);

    return 0;
}
