/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* A room of ours as a server sees it that has somebody there. */

#ifndef NGX_ROOMS_FEDERATION_ROOM_H
#define NGX_ROOMS_FEDERATION_ROOM_H

#include "ngx_rooms_federation_endpoints.h"
#include "ngx_rooms_peer.h"


#define NGX_ROOMS_PEER_ROOM_IDS  500       /* looked at together */

typedef struct {
    rooms_room_t       room;
    rooms_str_t        server;             /* who asks */
    unsigned           joined:1;           /* and not merely invited */

    rooms_str_t       *ids;                /* theirs, of one page */
    ngx_uint_t         nids;
    uint32_t           left;               /* theirs, not looked at yet */
    rooms_str_t        after;
    unsigned           last:1;             /* page of the list */
} ngx_rooms_peer_room_t;

typedef enum {
    NGX_ROOMS_W_BEGIN = 0,
    NGX_ROOMS_W_ROOM,
    NGX_ROOMS_W_IDS,
    NGX_ROOMS_W_ROWS,
    NGX_ROOMS_W_MAX                        /* rounds of the endpoint's own */
} ngx_rooms_peer_room_round_e;


/*
 * A step's first rounds: the room, and whether one of the signer's
 * participants has joined.  For all others there is no such room.
 */
ngx_int_t ngx_rooms_peer_room(ngx_rooms_req_t *rq, ngx_rooms_peer_room_t *pr);

#endif /* NGX_ROOMS_FEDERATION_ROOM_H */
