/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A worker's cache of other servers: the keys that they sign with, taken from
 * their descriptors.
 */

#ifndef NGX_ROOMS_PEER_H
#define NGX_ROOMS_PEER_H

#include "ngx_rooms_request.h"
#include "rooms_signature.h"


#define NGX_ROOMS_PEERS      1024          /* entries for familiar servers */
#define NGX_ROOMS_STRANGERS    64          /* additional entries for unknown
                                              servers */
#define NGX_ROOMS_PEER_TTL   3600          /* s a descriptor is valid */
#define NGX_ROOMS_PEER_TRIES    3          /* fetches from one peer per
                                              period */
#define NGX_ROOMS_PEER_AGAIN   10          /* s of that period */
#define NGX_ROOMS_PEER_WAIT 15000          /* ms to wait for a fetch */
#define NGX_ROOMS_PEER_SEEN    10          /* s between two updates of
                                              last_seen */
#define NGX_ROOMS_PEER_OLD      4          /* old keys kept */

typedef struct {
    ngx_queue_t            queue;          /* most recently used first */
    ngx_queue_t            waiters;
    ngx_http_conf_ctx_t   *ctx;
    size_t                 len;
    u_char                 name[ROOMS_PEER_MAX];

    /* the current key, the only one for requests; then old ones, for events */
    rooms_fedkey_t         key[1 + NGX_ROOMS_PEER_OLD];
    ngx_uint_t             nkeys;
    time_t                 fetched;
    time_t                 tried;
    ngx_uint_t             tries;
    ngx_uint_t             failure;        /* error code of the last fetch */
    const char            *why;
    time_t                 seen;           /* last written to the store */
    unsigned               known:1;
    unsigned               fetching:1;
    unsigned               familiar:1;
} ngx_rooms_peer_t;

/* The signer of a request: rq->signer. */
struct ngx_rooms_signer_s {
    rooms_signature_t      signature;
    rooms_str_t            digest;         /* the Content-Digest field */
    rooms_fedkey_t         key;            /* the key that verified the
                                              request; a copy, as the cache
                                              entry may be reused */
    unsigned               familiar:1;     /* in a room, seen before, or on
                                              the policy's list */
};


/* Called when the worker exits. */
void ngx_rooms_peers_free(void);

/*
 * The entry for a name; NULL: no memory, or all entries are being fetched.
 * Anybody can invent names, so unknown servers share a small number of
 * entries.
 */
ngx_rooms_peer_t *ngx_rooms_peer_get(ngx_rooms_req_t *rq, rooms_str_t name,
    ngx_uint_t familiar);

/*
 * Checks that the peer has this key for events, current or old.  NGX_AGAIN:
 * its descriptor is being fetched; afterwards the pipeline continues with
 * rq->round = to, whether the fetch succeeded or not.  NGX_DECLINED: it has
 * no such key; peer->why has the reason.
 */
ngx_int_t ngx_rooms_peer_event_key(ngx_rooms_req_t *rq,
    ngx_rooms_peer_t *peer, rooms_str_t key_id, ngx_uint_t to);

/* Pipeline steps: verify a request's signature, and the digest of its body. */
ngx_int_t ngx_rooms_peer_authenticate(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_peer_digest(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_PEER_H */
