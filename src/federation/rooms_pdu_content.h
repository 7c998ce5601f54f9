/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Between rooms_pdu.c and rooms_pdu_content.c. */

#ifndef ROOMS_PDU_CONTENT_H
#define ROOMS_PDU_CONTENT_H

#include "rooms_pdu.h"
#include "rooms_peer.h"


#define ROOMS_PDU_FQID  (1 + ROOMS_LOCAL_MAX + 1 + ROOMS_PEER_MAX)


/* ROOMS_NULL is null in JSON; what is no string is ROOMS_NULL. */
rooms_str_t rooms_pdu_str(json_t *value);
json_t *rooms_pdu_json(rooms_str_t s);

int rooms_pdu_is(json_t *event, rooms_event_e type);

/* What was found of one that is mentioned, borrowed; NULL: nothing. */
json_t *rooms_pdu_found(json_t *set, json_t *id);
json_t *rooms_pdu_fqid(const rooms_pdu_t *pdu, json_t *id);

/* NULL: it can't be had, and why may be set, which says more. */
json_t *rooms_pdu_content(const rooms_pdu_t *pdu, json_t *event,
    const char **why);

/* Those whom an event is about; NULL: no memory. */
json_t *rooms_pdu_members(const rooms_pdu_t *pdu, json_t *event);

#endif /* ROOMS_PDU_CONTENT_H */
