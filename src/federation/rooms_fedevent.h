/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An event's own signature: detached, over the canonical JSON of the event
 * without "signatures", which is {"<server>": {"<key id>": "<base64>"}}.
 */

#ifndef ROOMS_FEDEVENT_H
#define ROOMS_FEDEVENT_H

#include "rooms_canonical.h"
#include "rooms_fedkey.h"


/*
 * Each takes work space for the canonical text, and returns NULL or what is
 * wrong, in words.  Signing replaces what stood in "signatures".
 */
const char *rooms_fedevent_sign(json_t *event, rooms_str_t server,
    const rooms_fedkey_pair_t *pair, rooms_buf_t *work);

/* One of the keys, nkeys of them, must have signed for the server. */
const char *rooms_fedevent_verify(json_t *event, rooms_str_t server,
    const rooms_fedkey_t *keys, unsigned nkeys, rooms_buf_t *work);

#endif /* ROOMS_FEDEVENT_H */
