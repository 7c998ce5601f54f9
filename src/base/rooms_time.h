/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * RFC 3339.  Parsing takes any offset and 1-9 digits of a second; -1 on
 * anything else.  Formatting gives UTC with milliseconds and Z, 24 bytes.
 */

#ifndef ROOMS_TIME_H
#define ROOMS_TIME_H

#include "rooms_str.h"


#define ROOMS_TIME_LEN  24

int64_t rooms_time_parse(rooms_str_t s);               /* ms */
unsigned char *rooms_time_format(unsigned char *dst, int64_t ms);

/* The day of a number of days since 1970-01-01; years -400 and later. */
void rooms_time_date(int64_t days, int *year, int *month, int *day);

#endif /* ROOMS_TIME_H */
