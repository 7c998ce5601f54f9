/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * POST /v1/admin/federation/foreign/{participant_id}/refresh: asks a foreign
 * participant's server how it is called now.
 */

#include "ngx_rooms_federation_endpoints.h"
#include "ngx_rooms_fedpolicy.h"
#include "ngx_rooms_peer_ask.h"
#include "rooms_told.h"


typedef enum {
    NGX_ROOMS_F_BEGIN = 0,
    NGX_ROOMS_F_PROFILE,                   /* as the store has it */
    NGX_ROOMS_F_ANSWER                     /* of its server */
} ngx_rooms_refresh_round_e;


static ngx_int_t ngx_rooms_refresh_ask(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_refresh_call(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_refresh_take(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_refresh_read(ngx_rooms_req_t *rq, json_t *data);


ngx_int_t
ngx_rooms_refresh_load(ngx_rooms_req_t *rq)
{
    switch (rq->round) {

    case NGX_ROOMS_F_BEGIN:

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_fedpolicy_ask(rq->batch, &rq->keys) != NGX_OK
            || ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                           ngx_rooms_key(&rq->keys,
                                         NGX_ROOMS_KEY_PARTICIPANTS,
                                         ROOMS_NULL),
                           rq->param[NGX_ROOMS_P_PARTICIPANT]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        rq->round = NGX_ROOMS_F_PROFILE;

        return ngx_rooms_send(rq);

    case NGX_ROOMS_F_PROFILE:
        return ngx_rooms_refresh_ask(rq);

    default:
        return ngx_rooms_refresh_take(rq);
    }
}


/* Whether there is somebody to be asked, and whether we may ask. */
static ngx_int_t
ngx_rooms_refresh_ask(ngx_rooms_req_t *rq)
{
    ngx_int_t             rc;
    rooms_str_t           fqid, local, server;
    rooms_policy_t       *policy;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;

    rc = ngx_rooms_parse_profile(rq->pool,
                                 ngx_rooms_reply_str(ngx_rooms_reply(rq, 1)),
                                 rq->param[NGX_ROOMS_P_PARTICIPANT], p);

    policy = ngx_rooms_fedpolicy_take(rq, ngx_rooms_reply(rq, 0));

    if (rc == NGX_ERROR || policy == NULL) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED || p->server.data == NULL) {
        return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT,
                              "there is no such foreign participant");
    }

    fqid = ngx_rooms_join(rq->pool, ngx_rooms_s("@"), p->local,
                          ngx_rooms_s(":"), p->server);

    if (fqid.data == NULL || rooms_fqid_parse(fqid, &local, &server) != 0) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNKNOWN, NULL);
    }

    /* who is known here was invited from here */

    if (!rooms_policy_allows(policy, p->server, 1)
        || ngx_rooms_peer_forbidden(rq->conf, p->server))
    {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY, NULL);
    }

    return ngx_rooms_refresh_call(rq);
}


static ngx_int_t
ngx_rooms_refresh_call(ngx_rooms_req_t *rq)
{
    ngx_str_t              uri;
    ngx_rooms_peer_ask_t  *ask;

    ask = ngx_rooms_peer_ask_create(rq);
    uri = ngx_from_rooms(ngx_rooms_join(rq->pool,
                             ngx_rooms_s("/_scaiwave/federation/v1/profile/"),
                             rq->profile.local));

    if (ask == NULL || uri.data == NULL) {
        return NGX_ERROR;
    }

    rq->data = ask;

    return ngx_rooms_peer_ask(ask, rq->pool, rq->profile.server, &uri,
                              NGX_ROOMS_F_ANSWER);
}


static ngx_int_t
ngx_rooms_refresh_take(ngx_rooms_req_t *rq)
{
    json_t                *object;
    ngx_int_t              rc;
    ngx_rooms_peer_ask_t  *ask;

    ask = rq->data;

    if (ask->status == NGX_HTTP_NOT_FOUND) {
        return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT,
                              "the peer has no such participant");
    }

    if (ask->status != NGX_HTTP_OK || ask->answer.data == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNREACHABLE,
                              ask->status
                              ? "the peer did not give the profile" : NULL);
    }

    object = json_loadb((char *) ask->answer.data, ask->answer.len,
                        JSON_REJECT_DUPLICATES, NULL);

    rc = ngx_rooms_refresh_read(rq, json_object_get(object, "data"));

    json_decref(object);

    return rc == NGX_DECLINED
           ? ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNREACHABLE,
                            "the peer's answer is not that profile")
           : rc;
}


/* A peer's word: it has to be of whom was asked for, and fit to be shown. */
static ngx_int_t
ngx_rooms_refresh_read(ngx_rooms_req_t *rq, json_t *data)
{
    rooms_str_t           name, avatar;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;

    if (rooms_told_answer(data, p->local, p->server, &name, &avatar) != 0) {
        return NGX_DECLINED;
    }

    p->name = ngx_rooms_dup(rq->pool, name);
    p->avatar = ngx_rooms_dup(rq->pool, avatar);

    return p->name.data ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_rooms_refresh_decide(ngx_rooms_req_t *rq)
{
    rooms_str_t         had;
    ngx_rooms_batch_t  *b;

    /* the last batch was the first round's */

    b = rq->batch;
    had = ngx_rooms_reply_str(b->replies[1]);

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_apply_person(&rq->commit, &rq->keys, had, &rq->profile,
                           rq->now);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_rooms_refresh_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t          *b;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;

    b = ngx_rooms_out(&rq->out, 256 + 6 * (p->id.len + 2 * p->local.len
                                           + 2 * p->server.len + p->name.len
                                           + p->type.len + p->avatar.len));

    rooms_json_lit(b, "{\"data\":{\"participant_id\":");
    rooms_json_str(b, p->id);
    rooms_json_lit(b, ",\"fqid\":");
    ngx_rooms_fqid_json(b, p, &rq->conf->server_name);
    rooms_json_lit(b, ",\"local_id\":");
    rooms_json_str(b, p->local);
    rooms_json_lit(b, ",\"server_name\":");
    rooms_json_str(b, p->server);
    rooms_json_lit(b, ",\"display_name\":");
    rooms_json_str(b, p->name);
    rooms_json_lit(b, ",\"participant_type\":");
    rooms_json_str(b, p->type);
    rooms_json_lit(b, ",\"avatar_url\":");
    rooms_json_str(b, p->avatar);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
