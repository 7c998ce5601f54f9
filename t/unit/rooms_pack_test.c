/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rooms_pack.h"


#define SIZE  rooms_pack_size(ROOMS_PACK_MAX)

static rooms_packer_t  packer;
static unsigned char   packed[SIZE], text[ROOMS_PACK_MAX + 1];

static const char  room[] =
    "201 room-01m8kba3w70rj65y6k9y647kc5\n{\"data\":{\"id\":\"room-01m8kba3w7"
    "0rj65y6k9y647kc5\",\"room_alias\":\"#review-96:rooms.test\",\"room_type"
    "\":\"group\",\"scope_kind\":null,\"name\":\"Review 96\",\"topic\":null,"
    "\"is_public\":false,\"state\":\"open\",\"federated\":false,"
    "\"workspace_id\":\"ws-01m8kba3sg3qnbw4yty5hykkd7\",\"creator_id\":"
    "\"ann\",\"created_at\":\"2026-11-29T09:48:49.927Z\",\"updated_at\":"
    "\"2026-11-29T09:48:49.927Z\",\"members_count\":1,\"invited_count\":0,"
    "\"last_event_position\":\2,\"me\":{\"membership\":\"join\","
    "\"power_level\":100,\"notification_mode\":\"inherit\","
    "\"effective_notification_mode\":\"mentions\",\"muted_until\":null,"
    "\"last_read_event_id\":null,\"unread_count\":0}}}\n";


static rooms_str_t
pack(rooms_str_t s, rooms_str_t hint)
{
    return (rooms_str_t) { rooms_pack(&packer, s, hint, packed), packed };
}


static void
assert_packs(rooms_str_t s, rooms_str_t hint)
{
    rooms_str_t  p;

    p = pack(s, hint);

    assert_in_range(p.len, 1, rooms_pack_size(s.len));
    memset(text, 0xff, s.len);
    assert_true(rooms_unpack(&packer, p, hint, text, s.len));
    assert_memory_equal(text, s.data, s.len);
}


static void
test_text(void **state)
{
    size_t         i, len;
    unsigned char  random[5000];

    static const rooms_str_t  hint = rooms_string("{\"name\":\"Review 96\"}");

    assert_packs(rooms_cstr(room), hint);
    assert_packs(rooms_cstr(room), ROOMS_NULL);
    assert_packs(rooms_cstr(""), hint);
    assert_packs(rooms_cstr("x"), ROOMS_NULL);

    srand(1);

    for (i = 0; i < sizeof(random); i++) {
        random[i] = rand();
    }

    /* what doesn't become shorter, and a hint that is too long */

    for (len = 0; len <= sizeof(random); len += 250) {
        assert_packs((rooms_str_t) { len, random },
                     (rooms_str_t) { sizeof(random) - len, random + len });
        assert_packs((rooms_str_t) { len, random },
                     (rooms_str_t) { sizeof(random), random });
    }
}


static void
test_small(void **state)
{
    size_t  with, without;

    with = pack(rooms_cstr(room), rooms_cstr("{\"name\":\"Review 96\"}")).len;
    without = pack(rooms_cstr(room), ROOMS_NULL).len;

    assert_in_range(with, 1, without - 1);
    assert_in_range(without, 1, sizeof(room) / 4);
}


static void
test_long(void **state)
{
    unsigned char  *s, *dst;

    s = calloc(1, ROOMS_PACK_MAX + 1);
    dst = malloc(rooms_pack_size(ROOMS_PACK_MAX + 1));
    assert_true(s && dst);

    assert_packs((rooms_str_t) { ROOMS_PACK_MAX, s }, ROOMS_NULL);
    assert_int_equal(rooms_pack(&packer, (rooms_str_t) { ROOMS_PACK_MAX + 1,
                                                         s },
                                ROOMS_NULL, dst), 0);
    free(s);
    free(dst);
}


/* Nothing but exactly what was packed is unpacked, and never more bytes. */
static void
test_damaged(void **state)
{
    size_t         i, len;
    rooms_str_t    p, hint;
    unsigned char  was, *copy;

    len = sizeof(room) - 1;
    hint = rooms_cstr("{\"name\":\"Review 96\"}");
    p = pack(rooms_cstr(room), hint);

    copy = malloc(p.len + 1);
    assert_non_null(copy);
    memcpy(copy, p.data, p.len);
    copy[p.len] = 0;

    for (i = 0; i < p.len; i++) {
        assert_false(rooms_unpack(&packer, (rooms_str_t) { i, copy }, hint,
                                  text, len));

        was = copy[i];
        copy[i] ^= 1 << i % 8;
        text[len] = 0x5a;
        (void) rooms_unpack(&packer, (rooms_str_t) { p.len, copy }, hint,
                            text, len);
        assert_int_equal(text[len], 0x5a);
        copy[i] = was;
    }

    p.data = copy;

    assert_true(rooms_unpack(&packer, p, hint, text, len));
    assert_false(rooms_unpack(&packer, p, hint, text, len - 1));
    assert_false(rooms_unpack(&packer, p, hint, text, len + 1));
    assert_false(rooms_unpack(&packer, p, hint, text, 0));
    assert_false(rooms_unpack(&packer, p, ROOMS_NULL, text, len));
    assert_false(rooms_unpack(&packer, p, rooms_cstr("x"), text, len));
    assert_false(rooms_unpack(&packer, p, hint, text, ROOMS_PACK_MAX + 1));

    p.len++;
    assert_false(rooms_unpack(&packer, p, hint, text, len));

    free(copy);
}


/* zlib's own, without our dictionary */
static void
test_foreign(void **state)
{
    uLongf       len;
    rooms_str_t  s;

    s = rooms_cstr(room);
    len = sizeof(packed);

    assert_int_equal(compress(packed, &len, s.data, s.len), Z_OK);
    assert_false(rooms_unpack(&packer, (rooms_str_t) { len, packed },
                              ROOMS_NULL, text, s.len));
    assert_packs(s, ROOMS_NULL);
}


/*
 * The words are a part of the format: the checksum of them stands in each
 * packed text.  Other words need another letter of the record.
 */
static void
test_words(void **state)
{
    rooms_str_t  p;

    p = pack(rooms_cstr("x"), ROOMS_NULL);

    assert_in_range(p.len, 6, 100);
    assert_int_equal((uint32_t) p.data[2] << 24 | p.data[3] << 16
                     | p.data[4] << 8 | p.data[5], 0xcc20e7fe);
}


int
main(void)
{
    int                      rc;
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_words),
    };

    rc = cmocka_run_group_tests(tests, NULL, NULL);
    rooms_packer_free(&packer);

    return rc;
}
