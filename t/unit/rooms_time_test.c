/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#define _GNU_SOURCE

#include "rooms_test.h"
#include <time.h>


static void
parse(void **state)
{
    size_t          len;
    int64_t         got;
    unsigned        i;
    unsigned char  *copy;

    static const struct {
        const char  *s;
        int64_t      ms;
    } cases[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01T00:00:00.001Z", 1 },
        { "1970-01-01t00:00:01z", 1000 },
        { "2024-02-29T23:59:59.999Z", 1709251199999LL },
        { "2000-02-29T00:00:00Z", 951782400000LL },
        { "2024-03-01T00:00:00Z", 1709251200000LL },
        { "2024-12-31T23:59:59Z", 1735689599000LL },
        { "1900-03-01T00:00:00Z", -2203891200000LL },
        { "0000-01-01T00:00:00Z", -62167219200000LL },
        { "0000-02-29T00:00:00Z", -62162121600000LL },
        { "9999-12-31T23:59:59.999Z", 253402300799999LL },
        { "9999-12-31T23:59:59.9999Z", 253402300799999LL },

        /* offsets */
        { "1970-01-01T01:30:00+01:30", 0 },
        { "1969-12-31T22:30:00-01:30", 0 },
        { "1970-01-01T23:59:00+23:59", 0 },
        { "1970-01-01T00:00:00-00:00", 0 },
        { "2024-03-01T01:00:00.5+02:00", 1709247600500LL },
        { "9999-12-31T23:59:59-00:00", 253402300799000LL },

        /* fractions */
        { "1970-01-01T00:00:00.1Z", 100 },
        { "1970-01-01T00:00:00.12Z", 120 },
        { "1970-01-01T00:00:00.1234Z", 123 },
        { "1970-01-01T00:00:00.123999999Z", 123 },
        { "1970-01-01T00:00:00.000000001Z", 0 },

        /* the millisecond whose value is the error's */
        { "1969-12-31T23:59:59.999Z", -2 },
        { "1969-12-31T23:59:59.998Z", -2 },
        { "1969-12-31T23:59:59.997Z", -3 },

        /* refused */
        { "", -1 },
        { "1970-01-01", -1 },
        { "1970-01-01T00:00Z", -1 },
        { "197", -1 },
        { "1970-01-01T00:00:0", -1 },
        { "1970-01-01T00:00:00+01:0", -1 },
        { "197:-01-01T00:00:00Z", -1 },
        { "1971-1/-01T00:00:00Z", -1 },
        { "1970-01-01T00:00:00", -1 },
        { "1970-01-01T00:00:00 ", -1 },
        { "1970-01-01 00:00:00Z", -1 },
        { "1970-01-01T00:00:00ZZ", -1 },
        { "1970-01-01T00:00:00Z ", -1 },
        { " 1970-01-01T00:00:00Z", -1 },
        { "+970-01-01T00:00:00Z", -1 },
        { "-001-01-01T00:00:00Z", -1 },
        { "19700-01-01T00:00:00Z", -1 },
        { "1970-1-01T00:00:00Z", -1 },
        { "1970/01/01T00:00:00Z", -1 },
        { "1970-00-01T00:00:00Z", -1 },
        { "1970-13-01T00:00:00Z", -1 },
        { "1970-01-00T00:00:00Z", -1 },
        { "1970-01-32T00:00:00Z", -1 },
        { "1970-04-31T00:00:00Z", -1 },
        { "2023-02-29T00:00:00Z", -1 },
        { "1900-02-29T00:00:00Z", -1 },
        { "2024-02-30T00:00:00Z", -1 },
        { "1970-01-01T24:00:00Z", -1 },
        { "1970-01-01T00:60:00Z", -1 },
        { "1970-01-01T00:00:60Z", -1 },
        { "2016-12-31T23:59:60Z", -1 },
        { "1970-01-01T00:00:00.Z", -1 },
        { "1970-01-01T00:00:00.", -1 },
        { "1970-01-01T00:00:00.1234567890Z", -1 },
        { "1970-01-01T00:00:00.12a4Z", -1 },
        { "1970-01-01T00:00:00,5Z", -1 },
        { "1970-01-01T00:00:00.5", -1 },
        { "1970-01-01T00:00:00+0100", -1 },
        { "1970-01-01T00:00:00+01", -1 },
        { "1970-01-01T00:00:00+24:00", -1 },
        { "1970-01-01T00:00:00+00:60", -1 },
        { "1970-01-01T00:00:00+1:00", -1 },
        { "1970-01-01T00:00:00+01:000", -1 },
        { "1970-01-01T00:00:00*01:00", -1 },
        { "1970-01-01z00:00:00Z", -1 },

        /* moved out of the years that can be written */
        { "0000-01-01T00:00:00+00:01", -1 },
        { "9999-12-31T23:59:59-00:01", -1 },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        /* a copy of exactly these bytes, so that ASan detects overreads */

        len = strlen(cases[i].s);
        copy = malloc(len ? len : 1);
        assert_non_null(copy);
        memcpy(copy, cases[i].s, len);
        got = rooms_time_parse((rooms_str_t) { len, copy });
        free(copy);

        if (got != cases[i].ms) {
            fail_msg("%s: %lld", cases[i].s, (long long) got);
        }
    }

    assert_int_equal(rooms_time_parse(ROOMS_NULL), -1);
    assert_int_equal(rooms_time_parse(
                         (rooms_str_t) rooms_string("1970-01-01T00:00:00\0")),
                     -1);
}


static void
check_format(int64_t ms, const char *expected)
{
    unsigned char  dst[ROOMS_TIME_LEN + 1];

    dst[ROOMS_TIME_LEN] = '\0';

    assert_ptr_equal(rooms_time_format(dst, ms), dst + ROOMS_TIME_LEN);
    assert_int_equal(dst[ROOMS_TIME_LEN], '\0');
    assert_string_equal((char *) dst, expected);
}


static void
format(void **state)
{
    (void) state;

    check_format(0, "1970-01-01T00:00:00.000Z");
    check_format(-1, "1969-12-31T23:59:59.999Z");
    check_format(1709251199999LL, "2024-02-29T23:59:59.999Z");
    check_format(1709251200000LL, "2024-03-01T00:00:00.000Z");
    check_format(-62167219200000LL, "0000-01-01T00:00:00.000Z");
    check_format(253402300799999LL, "9999-12-31T23:59:59.999Z");

    check_format(-62167219200001LL, "0000-01-01T00:00:00.000Z");
    check_format(INT64_MIN, "0000-01-01T00:00:00.000Z");
    check_format(253402300800000LL, "9999-12-31T23:59:59.999Z");
    check_format(INT64_MAX, "9999-12-31T23:59:59.999Z");
}


/*
 * Every day of ten thousand years, in both directions, and compared with
 * libc.
 */

static void
every_day(void **state)
{
    char           expected[64];
    int64_t        ms, day;
    time_t         t;
    struct tm      tm;
    unsigned char  dst[ROOMS_TIME_LEN];

    (void) state;

    for (day = -719528; day < 2932897; day++) {
        ms = day * 86400000 + (day % 86400 + 86400) % 86400 * 1000 + 7;

        rooms_time_format(dst, ms);

        assert_int_equal(rooms_time_parse(
                             (rooms_str_t) { ROOMS_TIME_LEN, dst }), ms);

        t = (ms - 7) / 1000;
        gmtime_r(&t, &tm);
        snprintf(expected, sizeof(expected),
                 "%04d-%02d-%02dT%02d:%02d:%02d.007Z", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                 tm.tm_sec);

        if (memcmp(dst, expected, ROOMS_TIME_LEN) != 0) {
            fail_msg("%.24s, not %s", (char *) dst, expected);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(parse),
        cmocka_unit_test(format),
        cmocka_unit_test(every_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
