/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "rooms_number.h"


static void
whole(void **state)
{
    size_t   i;
    int64_t  n;

    static const struct {
        const char  *text;
        int64_t      n;
    } good[] = {
        { "0", 0 }, { "5", 5 }, { "5.0", 5 }, { "5.000", 5 }, { "+5", 5 },
        { "-5", -5 }, { "-0", 0 }, { "0.0", 0 }, { "0e5", 0 }, { "0e-5", 0 },
        { "007", 7 }, { "1e3", 1000 }, { "1E+3", 1000 }, { "1.5e1", 15 },
        { "50e-1", 5 }, { "1200.00e-2", 12 }, { "0.05e2", 5 },
        { "100200300", 100200300 }, { "1.0020e3", 1002 },
        { "9007199254740992", INT64_C(9007199254740992) },
        { "-9007199254740992", -INT64_C(9007199254740992) },
        { "9.007199254740992e15", INT64_C(9007199254740992) },
        { "00000000000000000000000000001", 1 },
        { "1000000000000000000000e-20", 10 },
        { "1.00000000000000000000000000000000000", 1 },
        { "0.00000000000000000000000000000000001e35", 1 },
        { "0e99999999999999999999", 0 }
    };

    static const char  *const bad[] = {
        "", "+", "-", "a", ".", ".5", "5.", "5.e1", "1e", "1e+", "1e1.0",
        "1 ", " 1", "1x", "1.5", "15e-1x", "15e-1", "0.1", "1e-1", "--1",
        "0x10", "1_000", "1,0", "1.0.0", "NaN", "Infinity", "1e99",
        "9007199254740993", "90071992547409920", "1e99999999999999999999",
        "1e-99999999999999999999", "12345678901234567", "\xd9\xa1"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        n = -1;
        print_message("%s\n", good[i].text);
        assert_int_equal(rooms_whole(rooms_cstr(good[i].text), &n), 0);
        assert_int_equal(n, good[i].n);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        print_message("%s\n", bad[i]);
        assert_int_equal(rooms_whole(rooms_cstr(bad[i]), &n), -1);
    }

    assert_int_equal(rooms_whole(ROOMS_NULL, &n), -1);
    assert_int_equal(rooms_whole((rooms_str_t) { 1,
                                 (const unsigned char *) "12" }, &n), 0);
    assert_int_equal(n, 1);
}


/* As many digits as there are, behind and before any byte. */
static void
digits(void **state)
{
    int                   c;
    size_t                i, len;
    uint64_t              n, all;
    unsigned char         text[24];
    const unsigned char  *end;

    static const char     some[] = "9081726354091827364";

    for (len = 0; len < sizeof(some); len++) {

        memcpy(text, some, len);

        for (all = 0, i = 0; i < len; i++) {
            all = all * 10 + (some[i] - '0');
        }

        assert_ptr_equal(rooms_digits(text, text + len, &n), text + len);
        assert_true(n == all);

        for (i = 0, all = 0; i < len; i++) {

            for (c = 0; c < 256; c++) {

                if (c >= '0' && c <= '9') {
                    continue;
                }

                text[i] = (unsigned char) c;
                end = rooms_digits(text, text + len, &n);

                assert_ptr_equal(end, text + i);
                assert_true(n == all);
            }

            text[i] = (unsigned char) some[i];
            all = all * 10 + (some[i] - '0');
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(digits)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
