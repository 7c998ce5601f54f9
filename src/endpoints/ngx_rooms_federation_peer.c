/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What other servers ask, GET .../profile/{local_id}, and what the admin
 * sees of them, GET /v1/admin/federation/peers.
 */

#include "ngx_rooms_federation_room.h"
#include "ngx_rooms_fedpolicy.h"


void
ngx_rooms_peer_note(ngx_rooms_req_t *rq)
{
    ngx_rooms_peer_t  *peer;

    peer = rq->signer->peer;

    if (ngx_time() - peer->seen < NGX_ROOMS_PEER_SEEN) {
        return;
    }

    peer->seen = ngx_time();

    (void) ngx_rooms_command(rq->batch, ngx_rooms_s("HSET"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PEERS,
                                           ROOMS_NULL),
                             rq->signer->signature.server,
                             ngx_rooms_number(rq->pool, rq->now));
}


/* A participant by its local id: its id, and then its profile. */
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
                                         ROOMS_NULL), id) != NGX_OK)
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


ngx_int_t
ngx_rooms_peers_load(ngx_rooms_req_t *rq)
{
    if (rq->round) {
        rq->data = ngx_rooms_fedpolicy_take(rq, ngx_rooms_reply(rq, 0));
        return rq->data ? NGX_OK : NGX_ERROR;
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_fedpolicy_ask(rq->batch, &rq->keys) != NGX_OK
        || ngx_rooms_command(rq->batch, ngx_rooms_s("HGETALL"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PEERS,
                                           ROOMS_NULL)) != NGX_OK
        || ngx_rooms_command(rq->batch, ngx_rooms_s("HGETALL"),
                             ngx_rooms_key(&rq->keys,
                                           NGX_ROOMS_KEY_PEER_ERRORS,
                                           ROOMS_NULL)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = 1;

    return ngx_rooms_send(rq);
}


static rooms_str_t
ngx_rooms_peers_find(redisReply *pairs, rooms_str_t name)
{
    ngx_uint_t  i;

    for (i = 0; i + 1 < pairs->elements; i += 2) {
        if (rooms_str_eq(ngx_rooms_reply_str(pairs->element[i]), name)) {
            return ngx_rooms_reply_str(pairs->element[i + 1]);
        }
    }

    return ROOMS_NULL;
}


static void
ngx_rooms_peers_row(ngx_rooms_req_t *rq, ngx_uint_t *n, rooms_str_t name,
    rooms_str_t seen, rooms_str_t error)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out(&rq->out, 160 + ROOMS_JSON_STR(name.len) + error.len);

    if ((*n)++) {
        rooms_json_lit(b, ",");
    }

    rooms_json_lit(b, "{\"server_name\":");
    rooms_json_str(b, name);
    rooms_json_lit(b, ",\"allowed\":");
    rooms_json_bool(b, rooms_policy_allows(rq->data, name, 0));
    rooms_json_lit(b, ",\"last_seen\":");

    if (seen.data) {
        rooms_json_time(b, ngx_atoof((u_char *) seen.data, seen.len));

    } else {
        rooms_json_lit(b, "null");
    }

    rooms_json_lit(b, ",\"last_error\":");

    if (error.data) {
        rooms_json_raw(b, error.data, error.len);

    } else {
        rooms_json_lit(b, "null");
    }

    rooms_json_lit(b, "}");
}


/* Peers that were here, that failed, and that the policy names. */
ngx_int_t
ngx_rooms_peers_show(ngx_rooms_req_t *rq)
{
    size_t           i;
    json_t          *peer;
    ngx_uint_t       n;
    redisReply      *seen, *errors;
    rooms_str_t      name;
    rooms_policy_t  *policy;

    policy = rq->data;
    seen = ngx_rooms_reply(rq, 1);
    errors = ngx_rooms_reply(rq, 2);
    n = 0;

    ngx_rooms_list_open(rq);

    for (i = 0; i + 1 < seen->elements; i += 2) {
        name = ngx_rooms_reply_str(seen->element[i]);
        ngx_rooms_peers_row(rq, &n, name,
                            ngx_rooms_reply_str(seen->element[i + 1]),
                            ngx_rooms_peers_find(errors, name));
    }

    for (i = 0; i + 1 < errors->elements; i += 2) {
        name = ngx_rooms_reply_str(errors->element[i]);

        if (ngx_rooms_peers_find(seen, name).data == NULL) {
            ngx_rooms_peers_row(rq, &n, name, ROOMS_NULL,
                                ngx_rooms_reply_str(errors->element[i + 1]));
        }
    }

    for (i = 0; i < json_array_size(policy->peers); i++) {
        peer = json_array_get(policy->peers, i);
        name = rooms_cstr(json_string_value(peer));

        if (!rooms_str_eq(name, rooms_from_ngx(rq->conf->server_name))
            && ngx_rooms_peers_find(seen, name).data == NULL
            && ngx_rooms_peers_find(errors, name).data == NULL)
        {
            ngx_rooms_peers_row(rq, &n, name, ROOMS_NULL, ROOMS_NULL);
        }
    }

    ngx_rooms_list_close(rq, 0, ROOMS_NULL);

    return NGX_OK;
}
