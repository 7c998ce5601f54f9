/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The signature of an event.  It is detached and covers the canonical JSON of
 * the event without "signatures", an object {"<server>": {"<key id>":
 * "<base64>"}}.
 */

#ifndef ROOMS_FEDEVENT_H
#define ROOMS_FEDEVENT_H

#include "rooms_canonical.h"
#include "rooms_fedkey.h"


/*
 * Both take work space for the canonical text and return NULL or a problem in
 * words.  Signing replaces the event's "signatures".
 */
const char *rooms_fedevent_sign(json_t *event, rooms_str_t server,
    const rooms_fedkey_pair_t *pair, rooms_buf_t *work);

/* Succeeds if one of the `nkeys` keys has signed for the server. */
const char *rooms_fedevent_verify(json_t *event, rooms_str_t server,
    const rooms_fedkey_t *keys, unsigned nkeys, rooms_buf_t *work);

#endif /* ROOMS_FEDEVENT_H */
