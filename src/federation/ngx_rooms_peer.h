/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Other servers, as one worker knows them: the key that each one signs its
 * requests with, from its descriptor, for a while.
 */

#ifndef NGX_ROOMS_PEER_H
#define NGX_ROOMS_PEER_H

#include "ngx_rooms_request.h"
#include "rooms_signature.h"


#define NGX_ROOMS_PEERS      1024          /* that are familiar */
#define NGX_ROOMS_STRANGERS    64          /* beside them */
#define NGX_ROOMS_PEER_TTL   3600          /* s, of a descriptor */
#define NGX_ROOMS_PEER_TRIES    3          /* fetches, of one peer, in: */
#define NGX_ROOMS_PEER_AGAIN   10          /* s */
#define NGX_ROOMS_PEER_WAIT 15000          /* ms, for a fetch */
#define NGX_ROOMS_PEER_SEEN    10          /* s between notes of last_seen */
#define NGX_ROOMS_PEER_OLD      4          /* keys that it signed with once */

typedef struct {
    ngx_queue_t            queue;          /* the one asked last is first */
    ngx_queue_t            waiters;
    ngx_http_conf_ctx_t   *ctx;
    size_t                 len;
    u_char                 name[ROOMS_PEER_MAX];

    /* the current one, which alone signs requests, and old ones of events */
    rooms_fedkey_t         key[1 + NGX_ROOMS_PEER_OLD];
    ngx_uint_t             nkeys;
    time_t                 fetched;
    time_t                 tried;
    ngx_uint_t             tries;
    ngx_uint_t             failure;        /* a code, of the last fetch */
    const char            *why;
    time_t                 seen;           /* noted in the store */
    unsigned               known:1;
    unsigned               fetching:1;
    unsigned               familiar:1;
} ngx_rooms_peer_t;

/* Who signed a request: rq->signer. */
struct ngx_rooms_signer_s {
    rooms_signature_t      signature;
    rooms_str_t            digest;         /* the field */
    rooms_fedkey_t         key;            /* that of the request: an entry may
                                              go to another name meanwhile */
    unsigned               familiar:1;     /* in a room, seen before, or on
                                              the policy's list */
};


/* At the worker's end. */
void ngx_rooms_peers_free(void);

/*
 * The entry of a name; NULL: no memory, or all are being fetched.  Strangers,
 * whose names anybody can make up, have few entries of their own.
 */
ngx_rooms_peer_t *ngx_rooms_peer_get(ngx_rooms_req_t *rq, rooms_str_t name,
    ngx_uint_t familiar);

/*
 * Whether the peer has signed events with this key, maybe some time ago.
 * NGX_AGAIN: it is asked, and the pipeline runs on when it has answered, or
 * not, with rq->round = to.  NGX_DECLINED: it hasn't, and why says what it is.
 */
ngx_int_t ngx_rooms_peer_event_key(ngx_rooms_req_t *rq,
    ngx_rooms_peer_t *peer, rooms_str_t key_id, ngx_uint_t to);

/* Steps: the signature of a request, and the digest of its body. */
ngx_int_t ngx_rooms_peer_authenticate(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_peer_digest(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_PEER_H */
