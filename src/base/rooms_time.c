/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_time.h"


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


static int rooms_scan_number(rooms_scan_t *s, int digits, int min, int max);
static void rooms_scan_char(rooms_scan_t *s, unsigned char c);
static int rooms_scan_fraction(rooms_scan_t *s);
static int rooms_scan_offset(rooms_scan_t *s);
static int rooms_month_days(int year, int month);
static int64_t rooms_days(int year, int month, int day);
static unsigned char *rooms_put_number(unsigned char *dst, int digits,
    int64_t n, unsigned char after);


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

    if (str.data == NULL) {
        return -1;
    }

    s.p = str.data;
    s.end = s.p + str.len;
    s.bad = 0;

    year = rooms_scan_number(&s, 4, 0, 9999);
    rooms_scan_char(&s, '-');
    month = rooms_scan_number(&s, 2, 1, 12);
    rooms_scan_char(&s, '-');
    day = rooms_scan_number(&s, 2, 1, rooms_month_days(year, month));
    rooms_scan_char(&s, 'T');
    hour = rooms_scan_number(&s, 2, 0, 23);
    rooms_scan_char(&s, ':');
    minute = rooms_scan_number(&s, 2, 0, 59);
    rooms_scan_char(&s, ':');
    second = rooms_scan_number(&s, 2, 0, 59);
    ms = rooms_scan_fraction(&s);
    offset = rooms_scan_offset(&s);

    if (s.bad || s.p != s.end) {
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


static int
rooms_scan_number(rooms_scan_t *s, int digits, int min, int max)
{
    int  n;

    for (n = 0; digits > 0; digits--) {

        if (s->p == s->end || *s->p < '0' || *s->p > '9') {
            s->bad = 1;
            return min;
        }

        n = n * 10 + (*s->p++ - '0');
    }

    if (n < min || n > max) {
        s->bad = 1;
        return min;
    }

    return n;
}


/* RFC 3339 also allows "t" and "z" in lower case. */

static void
rooms_scan_char(rooms_scan_t *s, unsigned char c)
{
    if (s->p == s->end
        || (*s->p != c && (c != 'T' || *s->p != 't')))
    {
        s->bad = 1;
        return;
    }

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
    hour = rooms_scan_number(s, 2, 0, 23);
    rooms_scan_char(s, ':');
    minute = rooms_scan_number(s, 2, 0, 59);

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
    int      year, month, day;
    int64_t  n, days;

    if (ms < ROOMS_TIME_MIN) {
        ms = ROOMS_TIME_MIN;
    }

    if (ms > ROOMS_TIME_MAX) {
        ms = ROOMS_TIME_MAX;
    }

    ms += ROOMS_EPOCH * ROOMS_DAY_MS;

    days = ms / ROOMS_DAY_MS - ROOMS_EPOCH;
    ms = ms % ROOMS_DAY_MS;
    n = ms / 1000;

    rooms_time_date(days, &year, &month, &day);

    dst = rooms_put_number(dst, 4, year, '-');
    dst = rooms_put_number(dst, 2, month, '-');
    dst = rooms_put_number(dst, 2, day, 'T');
    dst = rooms_put_number(dst, 2, n / 3600, ':');
    dst = rooms_put_number(dst, 2, n / 60 % 60, ':');
    dst = rooms_put_number(dst, 2, n % 60, '.');

    return rooms_put_number(dst, 3, ms % 1000, 'Z');
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


static unsigned char *
rooms_put_number(unsigned char *dst, int digits, int64_t n,
    unsigned char after)
{
    int  i;

    for (i = digits - 1; i >= 0; i--) {
        dst[i] = '0' + n % 10;
        n /= 10;
    }

    dst[digits] = after;

    return dst + digits + 1;
}
