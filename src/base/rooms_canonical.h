/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Canonical JSON (RFC 8785), which is what an event's signature covers.
 *
 * Of numbers only integers up to 2^53 either way are taken: servers whose
 * JSON library knows no other number than a double would sign other bytes
 * than they were sent.
 */

#ifndef ROOMS_CANONICAL_H
#define ROOMS_CANONICAL_H

#include "rooms_json.h"
#include <jansson.h>


#define ROOMS_CANONICAL_INT    (INT64_C(1) << 53)
#define ROOMS_CANONICAL_DEPTH  ROOMS_WRAPPED_DEPTH


/*
 * Writes a value; `skip`, if not NULL, names a member of the outermost
 * object that is left out.  Returns NULL, or what is wrong, in words; a
 * buffer that was too small says so in its `full`.  The text is never longer
 * than the one that was parsed.
 */
const char *rooms_canonical(rooms_buf_t *b, json_t *value, const char *skip);

/* The order of keys: by UTF-16 code units, of UTF-8 as it stands. */
int rooms_canonical_order(const char *a, const char *b);

#endif /* ROOMS_CANONICAL_H */
