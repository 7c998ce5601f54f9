/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Canonical JSON (RFC 8785).  An event's signature covers this form.
 *
 * The only numbers allowed are integers up to 2^53 either way.  A server
 * whose JSON library knows only doubles would change others, and so sign
 * other bytes than it received.
 */

#ifndef ROOMS_CANONICAL_H
#define ROOMS_CANONICAL_H

#include "rooms_json.h"
#include <jansson.h>


#define ROOMS_CANONICAL_INT    (INT64_C(1) << 53)
#define ROOMS_CANONICAL_DEPTH  ROOMS_WRAPPED_DEPTH


/*
 * Writes a value in canonical form. `skip`, if not NULL, names a member of
 * the outermost object that is left out.  Returns NULL, or a text that says
 * what is wrong; if the buffer is too small, only its `full` is set.  The
 * result is never longer than the text that was parsed.
 */
const char *rooms_canonical(rooms_buf_t *b, json_t *value, const char *skip);

/* Compares two UTF-8 keys by their UTF-16 code units, as strcmp() does. */
int rooms_canonical_order(const char *a, const char *b);

#endif /* ROOMS_CANONICAL_H */
