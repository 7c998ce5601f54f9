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

#endif /* ROOMS_TIME_H */
