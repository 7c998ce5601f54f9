/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_NUMBER_H
#define ROOMS_NUMBER_H

#include "rooms_str.h"


/* What a double holds exactly, as JSON's numbers are in most languages. */
#define ROOMS_WHOLE_MAX  (INT64_C(1) << 53)

/*
 * A whole number, however it is written: "5", "5.0", "50e-1".  0: it is one
 * of at most ROOMS_WHOLE_MAX either way; -1: it is none.
 */
int rooms_whole(rooms_str_t s, int64_t *n);

#endif /* ROOMS_NUMBER_H */
