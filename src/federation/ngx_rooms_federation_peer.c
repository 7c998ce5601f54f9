/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* What other servers ask: GET .../profile/{local_id}. */

#include "ngx_rooms_federation_endpoints.h"
#include "ngx_rooms_peer.h"


void
ngx_rooms_peer_note(ngx_rooms_req_t *rq)
{
    ngx_rooms_peer_t  *peer;

    /* names that strangers make up don't fill the store */

    if (!rq->signer->familiar) {
        return;
    }

    peer = ngx_rooms_peer_get(rq, rq->signer->signature.server, 1);

    if (peer == NULL || ngx_time() - peer->seen < NGX_ROOMS_PEER_SEEN) {
        return;
    }

    peer->seen = ngx_time();

    (void) ngx_rooms_command(rq->batch, ngx_rooms_s("HSET"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PEERS,
                                           ROOMS_NULL),
                             rq->signer->signature.server,
                             ngx_rooms_number(rq->pool, rq->now));

    /* who is here can be told what waits for it */

    (void) ngx_rooms_command(rq->batch, ngx_rooms_s("ZADD"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_OUTBOXES,
                                           ROOMS_NULL),
                             ngx_rooms_s("XX"), ngx_rooms_s("0"),
                             rq->signer->signature.server);
}


/*
 * A participant by its local id: its id, and then its profile, for a server
 * that has somebody in a room with it.  For all others there is no such one.
 */
ngx_int_t
ngx_rooms_foreign_profile_load(ngx_rooms_req_t *rq)
{
    ngx_int_t    rc;
    rooms_str_t  id;

    switch (rq->round) {

    case 0:
        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_LOCALS,
                                         ROOMS_NULL),
                           rq->param[NGX_ROOMS_P_LOCAL]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_rooms_peer_note(rq);
        break;

    case 1:
        id = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));

        if (id.data == NULL) {
            return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL);
        }

        rq->profile.id = id;

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                           ngx_rooms_key(&rq->keys,
                                         NGX_ROOMS_KEY_PARTICIPANTS,
                                         ROOMS_NULL), id) != NGX_OK
            || ngx_rooms_command(rq->batch, ngx_rooms_s("ZINTER"),
                           ngx_rooms_s("2"),
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PEER_ROOMS,
                                         rq->signer->signature.server),
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_USER_ROOMS,
                                         id)) != NGX_OK)
        {
            return NGX_ERROR;
        }

        break;

    default:
        rc = ngx_rooms_parse_profile(rq->pool,
                            ngx_rooms_reply_str(ngx_rooms_reply(rq, 0)),
                            rq->profile.id, &rq->profile);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        /* for others, only their own server speaks */

        return rc == NGX_OK && rq->profile.server.data == NULL
               && ngx_rooms_reply(rq, 1)->elements > 0
               ? NGX_OK : ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL);
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    rq->round++;

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_foreign_profile_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t          *b;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;

    b = ngx_rooms_out(&rq->out, 256 + 6 * (2 * rq->conf->server_name.len
                                           + 2 * p->local.len + p->name.len
                                           + p->type.len + p->avatar.len));

    rooms_json_lit(b, "{\"data\":{\"local_id\":");
    rooms_json_str(b, p->local);
    rooms_json_lit(b, ",\"server_name\":");
    rooms_json_str(b, rooms_from_ngx(rq->conf->server_name));
    rooms_json_lit(b, ",\"fqid\":");
    ngx_rooms_fqid_json(b, p, &rq->conf->server_name);
    rooms_json_lit(b, ",\"display_name\":");
    rooms_json_str(b, p->name);
    rooms_json_lit(b, ",\"participant_type\":");
    rooms_json_str(b, p->type);
    rooms_json_lit(b, ",\"avatar_url\":");
    rooms_json_str(b, p->avatar);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
