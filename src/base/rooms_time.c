/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_time.h"
#include "rooms_number.h"


#define ROOMS_DAY       86400
#define ROOMS_DAY_MS    86400000LL
#define ROOMS_CYCLE     146097        /* days of 400 years */
#define ROOMS_EPOCH     (719468LL + ROOMS_CYCLE)       /* since March -400 */

#define ROOMS_TIME_MIN  (-719528 * ROOMS_DAY_MS)       /* 0000-01-01 */
#define ROOMS_TIME_MAX  (2932897 * ROOMS_DAY_MS - 1)   /* 9999-12-31 */


typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
    int                   bad;
} rooms_scan_t;


static int rooms_scan_two(rooms_scan_t *s, int max);
static void rooms_scan_char(rooms_scan_t *s, unsigned char c);
static int rooms_scan_fraction(rooms_scan_t *s);
static int rooms_scan_offset(rooms_scan_t *s);
static int rooms_month_days(int year, int month);
static int64_t rooms_days(int year, int month, int day);


/*
 * Refuses leap seconds, since milliseconds since the epoch can't express
 * them, and times that their offset moves out of the years 0000 to 9999,
 * since these couldn't be written again.  The valid time that would read as
 * the error, -1, becomes -2.
 */

int64_t
rooms_time_parse(rooms_str_t str)
{
    int           year, month, day, hour, minute, second, ms, offset;
    int64_t       time;
    rooms_scan_t  s;

    if (str.len < sizeof("1985-04-12T23:20:50Z") - 1) {
        return -1;
    }

    s.p = str.data;
    s.end = s.p + str.len;
    s.bad = 0;

    year = rooms_scan_two(&s, 99) * 100;
    year += rooms_scan_two(&s, 99);
    rooms_scan_char(&s, '-');
    month = rooms_scan_two(&s, 12);
    rooms_scan_char(&s, '-');
    day = rooms_scan_two(&s, 31);
    rooms_scan_char(&s, 'T');
    hour = rooms_scan_two(&s, 23);
    rooms_scan_char(&s, ':');
    minute = rooms_scan_two(&s, 59);
    rooms_scan_char(&s, ':');
    second = rooms_scan_two(&s, 59);
    ms = rooms_scan_fraction(&s);
    offset = rooms_scan_offset(&s);

    if (s.bad || s.p != s.end || month < 1 || day < 1
        || day > rooms_month_days(year, month))
    {
        return -1;
    }

    time = rooms_days(year, month, day) * ROOMS_DAY
           + hour * 3600 + minute * 60 + second - offset;

    time = time * 1000 + ms;

    if (time < ROOMS_TIME_MIN || time > ROOMS_TIME_MAX) {
        return -1;
    }

    return (time == -1) ? -2 : time;
}


/* Two digits.  The caller has looked that there are two bytes. */

static int
rooms_scan_two(rooms_scan_t *s, int max)
{
    int       n;
    unsigned  tens, ones;

    tens = s->p[0] - (unsigned) '0';
    ones = s->p[1] - (unsigned) '0';
    n = (int) (tens * 10 + ones);

    s->bad |= tens > 9 || ones > 9 || n > max;
    s->p += 2;

    return n;
}


/* RFC 3339 also allows "t" and "z" in lower case. */

static void
rooms_scan_char(rooms_scan_t *s, unsigned char c)
{
    s->bad |= *s->p != c && (c != 'T' || *s->p != 't');
    s->p++;
}


/*
 * Milliseconds of a fraction of 1 to 9 digits, cut off and not rounded; 0
 * without one.
 */

static int
rooms_scan_fraction(rooms_scan_t *s)
{
    int  digits, ms, unit;

    if (s->p == s->end || *s->p != '.') {
        return 0;
    }

    s->p++;
    ms = 0;
    unit = 100;

    for (digits = 0; s->p != s->end; digits++) {

        if (*s->p < '0' || *s->p > '9') {
            break;
        }

        ms += (*s->p++ - '0') * unit;
        unit /= 10;
    }

    if (digits < 1 || digits > 9) {
        s->bad = 1;
    }

    return ms;
}


static int
rooms_scan_offset(rooms_scan_t *s)
{
    int  sign, hour, minute;

    if (s->p == s->end) {
        s->bad = 1;
        return 0;
    }

    if (*s->p == 'Z' || *s->p == 'z') {
        s->p++;
        return 0;
    }

    if (*s->p != '+' && *s->p != '-') {
        s->bad = 1;
        return 0;
    }

    sign = (*s->p++ == '+') ? 1 : -1;

    if (s->end - s->p < 5) {
        s->bad = 1;
        return 0;
    }

    hour = rooms_scan_two(s, 23);
    rooms_scan_char(s, ':');
    minute = rooms_scan_two(s, 59);

    return sign * (hour * 3600 + minute * 60);
}


static int
rooms_month_days(int year, int month)
{
    static const int  days[] = { 31, 28, 31, 30, 31, 30,
                                 31, 31, 30, 31, 30, 31 };

    if (month == 2
        && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
    {
        return 29;
    }

    return days[month - 1];
}


/*
 * Days since 1970-01-01.  Here years begin in March, so that the leap day is
 * the last of its year, and count from -400, so that none is negative.
 */

static int64_t
rooms_days(int year, int month, int day)
{
    int64_t  y, m;

    y = 400 + ((month > 2) ? year : year - 1);
    m = (month + 9) % 12;

    return 365 * y + y / 4 - y / 100 + y / 400
           + (153 * m + 2) / 5 + day - 1 - ROOMS_EPOCH;
}


/*
 * A time outside of the years 0000 to 9999 becomes the first or last of them.
 */

unsigned char *
rooms_time_format(unsigned char *dst, int64_t ms)
{
    int       year, month, day;
    unsigned  n, fraction;
    int64_t   days;

    if (ms < ROOMS_TIME_MIN) {
        ms = ROOMS_TIME_MIN;
    }

    if (ms > ROOMS_TIME_MAX) {
        ms = ROOMS_TIME_MAX;
    }

    ms += ROOMS_EPOCH * ROOMS_DAY_MS;

    days = ms / ROOMS_DAY_MS;
    n = (unsigned) (ms - days * ROOMS_DAY_MS);
    fraction = n % 1000;
    n /= 1000;

    rooms_time_date(days - ROOMS_EPOCH, &year, &month, &day);

    memcpy(dst, "0000-00-00T00:00:00.000Z", ROOMS_TIME_LEN);

    rooms_pair(dst, (unsigned) year / 100);
    rooms_pair(dst + 2, (unsigned) year % 100);
    rooms_pair(dst + 5, (unsigned) month);
    rooms_pair(dst + 8, (unsigned) day);
    rooms_pair(dst + 11, n / 3600);
    rooms_pair(dst + 14, n / 60 % 60);
    rooms_pair(dst + 17, n % 60);
    rooms_pair(dst + 20, fraction / 10);
    dst[22] = (unsigned char) ('0' + fraction % 10);

    return dst + ROOMS_TIME_LEN;
}


/*
 * First whole cycles of 400 years; then the year, after taking out the leap
 * days so far.
 */

void
rooms_time_date(int64_t days, int *year, int *month, int *day)
{
    int64_t  cycles, y, m, d;

    d = days + ROOMS_EPOCH;

    cycles = d / ROOMS_CYCLE;
    d = d % ROOMS_CYCLE;

    y = (d - d / 1460 + d / 36524 - d / (ROOMS_CYCLE - 1)) / 365;
    d -= 365 * y + y / 4 - y / 100;

    m = (5 * d + 2) / 153;
    d -= (153 * m + 2) / 5;

    *year = (int) (y + 400 * (cycles - 1) + ((m >= 10) ? 1 : 0));
    *month = (int) (m + ((m >= 10) ? -9 : 3));
    *day = (int) d + 1;
}
