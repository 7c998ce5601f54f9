/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_number.h"


#define ROOMS_WHOLE_DIGITS    16      /* digits of ROOMS_WHOLE_MAX */
#define ROOMS_WHOLE_EXPONENT  10000   /* larger ones are cut to it */

typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
} rooms_digits_t;


const char  rooms_pairs[200] __attribute__((nonstring)) =
    "0001020304050607080910111213141516171819"
    "2021222324252627282930313233343536373839"
    "4041424344454647484950515253545556575859"
    "6061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";


static int
rooms_digit(const rooms_digits_t *d)
{
    return d->p != d->end && *d->p >= '0' && *d->p <= '9';
}


static int
rooms_sign(rooms_digits_t *d)
{
    if (d->p != d->end && (*d->p == '-' || *d->p == '+')) {
        return *d->p++ == '-' ? -1 : 1;
    }

    return 1;
}


/*
 * Reads an exponent such as "e+3"; no exponent is 0.  Cuts its size to
 * ROOMS_WHOLE_EXPONENT.
 */
static int
rooms_exponent(rooms_digits_t *d, int *exponent)
{
    int  n, sign;

    *exponent = 0;

    if (d->p == d->end) {
        return 0;
    }

    if (*d->p != 'e' && *d->p != 'E') {
        return -1;
    }

    d->p++;
    sign = rooms_sign(d);

    if (!rooms_digit(d)) {
        return -1;
    }

    for (n = 0; rooms_digit(d); d->p++) {
        n = n * 10 + (*d->p - '0');

        if (n > ROOMS_WHOLE_EXPONENT) {
            n = ROOMS_WHOLE_EXPONENT;
        }
    }

    *exponent = sign * n;

    return d->p == d->end ? 0 : -1;
}


/*
 * The number is kept as digits without trailing zeros, and a power of ten.
 * It is whole if that power isn't negative.
 */
int
rooms_whole(rooms_str_t s, int64_t *n)
{
    int              sign, exponent, digits, zeros, places, point;
    int64_t          value;
    rooms_digits_t   d;

    d.p = s.data;
    d.end = s.data + s.len;

    sign = s.len ? rooms_sign(&d) : 1;

    value = 0;
    digits = 0;
    zeros = 0;
    places = 0;
    point = 0;

    if (s.len == 0 || !rooms_digit(&d)) {
        return -1;
    }

    for ( /* void */ ; d.p != d.end; d.p++) {

        if (*d.p == '.' && !point) {
            point = 1;
            d.p++;

            if (!rooms_digit(&d)) {
                return -1;
            }
        }

        if (!rooms_digit(&d)) {
            break;
        }

        places += point;

        if (*d.p == '0') {
            zeros += value != 0;
            continue;
        }

        digits += zeros + 1;

        if (digits > ROOMS_WHOLE_DIGITS) {
            return -1;
        }

        for ( /* void */ ; zeros; zeros--) {
            value *= 10;
        }

        value = value * 10 + (*d.p - '0');
    }

    if (rooms_exponent(&d, &exponent) != 0) {
        return -1;
    }

    if (value == 0) {
        *n = 0;
        return 0;
    }

    exponent += zeros - places;

    if (exponent < 0 || digits + exponent > ROOMS_WHOLE_DIGITS) {
        return -1;
    }

    while (exponent--) {
        value *= 10;
    }

    if (value > ROOMS_WHOLE_MAX) {
        return -1;
    }

    *n = sign * value;

    return 0;
}
