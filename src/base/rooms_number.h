/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_NUMBER_H
#define ROOMS_NUMBER_H

#include "rooms_str.h"


/*
 * The largest integer up to which a double is exact, as JSON's numbers are
 * doubles in most languages.
 */
#define ROOMS_WHOLE_MAX  (INT64_C(1) << 53)

/*
 * Reads a whole number in any spelling: "5", "5.0", "50e-1".  Returns 0, or
 * -1 if it isn't whole or is beyond ROOMS_WHOLE_MAX either way.
 */
int rooms_whole(rooms_str_t s, int64_t *n);

#endif /* ROOMS_NUMBER_H */
