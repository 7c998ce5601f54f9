/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Times of RFC 3339, and milliseconds since 1970-01-01 UTC.  Parsing accepts
 * any offset and 1 to 9 digits of a fraction; -1 on anything else.
 * Formatting writes UTC with milliseconds and Z: 24 bytes, without NUL;
 * returns the end.
 */

#ifndef ROOMS_TIME_H
#define ROOMS_TIME_H

#include "rooms_str.h"


#define ROOMS_TIME_LEN  24

int64_t rooms_time_parse(rooms_str_t s);               /* ms */
unsigned char *rooms_time_format(unsigned char *dst, int64_t ms);

/* The date of a number of days since 1970-01-01, for years from -400 on. */
void rooms_time_date(int64_t days, int *year, int *month, int *day);

#endif /* ROOMS_TIME_H */
