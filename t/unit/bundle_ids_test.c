/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rooms_id_set.h"


static const unsigned char  key[16] = "0123456789abcdef";

static char    arena[1 << 20];
static size_t  used, limit;


static void *
alloc(void *ctx, size_t size)
{
    void  *p;

    size = (size + 15) & ~(size_t) 15;

    if (used + size > limit) {
        return NULL;
    }

    p = arena + used;
    used += size;
    ++*(size_t *) ctx;

    return p;
}


static int
setup(void **state)
{
    used = 0;
    limit = sizeof(arena);

    return 0;
}


static rooms_str_t
number(char *buf, size_t n)
{
    return (rooms_str_t) { (size_t) sprintf(buf, "med-%zu", n),
                           (unsigned char *) buf };
}


/* After several doublings each id is still found once, in order. */
static void
test_many(void **state)
{
    char             buf[32];
    size_t           i, calls;
    rooms_id_t      *id, *again;
    rooms_id_set_t   set;

    calls = 0;
    rooms_id_set_init(&set, key, alloc, &calls);

    for (i = 0; i < 5000; i++) {
        assert_null(rooms_id_set_find(&set, number(buf, i)));

        id = rooms_id_set_add(&set, number(buf, i));
        assert_non_null(id);
        assert_null(id->data);
        id->data = id;

        again = rooms_id_set_add(&set, number(buf, i / 2));
        assert_ptr_equal(again->data, again);
    }

    assert_int_equal(set.n, 5000);
    assert_int_equal(calls, 5000);

    for (i = 0, id = set.first; id; id = id->next, i++) {
        assert_true(rooms_str_eq(rooms_id_str(id), number(buf, i)));
        assert_ptr_equal(rooms_id_set_find(&set, number(buf, i)), id);
    }

    assert_int_equal(i, 5000);
    assert_null(rooms_id_set_find(&set, rooms_cstr("med-5000")));

    rooms_id_set_cleanup(&set);
}


/* Ids are bytes: a prefix, an empty id and an id with a NUL differ. */
static void
test_bytes(void **state)
{
    size_t           i, calls;
    rooms_id_set_t   set;

    static const rooms_str_t  ids[] = {
        rooms_string(""), rooms_string("a"), rooms_string("a\0"),
        rooms_string("a\0b"), rooms_string("ab")
    };

    calls = 0;
    rooms_id_set_init(&set, key, alloc, &calls);

    for (i = 0; i < 5; i++) {
        assert_non_null(rooms_id_set_add(&set, ids[i]));
    }

    for (i = 0; i < 5; i++) {
        assert_true(rooms_str_eq(rooms_id_str(rooms_id_set_find(&set,
                                                                ids[i])),
                                 ids[i]));
    }

    assert_int_equal(set.n, 5);

    rooms_id_set_cleanup(&set);
}


/* Without memory nothing is added, and the old ids stay. */
static void
test_no_memory(void **state)
{
    char             buf[32];
    size_t           i, calls;
    rooms_id_set_t   set;

    calls = 0;
    limit = 4096;
    rooms_id_set_init(&set, key, alloc, &calls);

    for (i = 0; rooms_id_set_add(&set, number(buf, i)); i++) { /* void */ }

    assert_in_range(i, 1, 200);
    assert_int_equal(set.n, i);
    assert_null(rooms_id_set_find(&set, number(buf, i)));
    assert_non_null(rooms_id_set_find(&set, number(buf, i - 1)));
    assert_null(*set.last);

    rooms_id_set_cleanup(&set);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_many, setup),
        cmocka_unit_test_setup(test_bytes, setup),
        cmocka_unit_test_setup(test_no_memory, setup)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
