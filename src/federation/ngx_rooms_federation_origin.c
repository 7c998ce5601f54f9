/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* What a participant of another server does in a room of ours. */

#include "ngx_rooms_federation_send.h"
#include "ngx_rooms_endings.h"


static ngx_int_t ngx_rooms_origin_member(ngx_rooms_req_t *rq,
    ngx_rooms_fedsend_t *s);
static ngx_int_t ngx_rooms_origin_state(ngx_rooms_req_t *rq,
    ngx_rooms_fedsend_t *s);
static ngx_int_t ngx_rooms_origin_field(ngx_rooms_req_t *rq,
    ngx_rooms_fedsend_t *s, const char *field, const char *path);
static ngx_int_t ngx_rooms_origin_power(ngx_rooms_req_t *rq,
    ngx_rooms_fedsend_t *s);
static ngx_int_t ngx_rooms_origin_parting(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_origin_part(ngx_rooms_req_t *rq);


/* The server takes its participants out of the room. */
static const ngx_rooms_endpoint_t  ngx_rooms_origin_parting_row = {
    .method = NGX_HTTP_POST, .path = "(parting)",
    .part = NGX_ROOMS_PART_FEDERATION, .op = ROOMS_OP_READ,
    .load = ngx_rooms_origin_parting, .decide = ngx_rooms_origin_part
};


ngx_int_t
ngx_rooms_fedsend_origin(ngx_rooms_req_t *rq)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    if (!rooms_str_eq(s->told.sender.server, s->peer)) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY,
                              "a server speaks for its own participants");
    }

    /* a public room is seen by all that may federate */

    if (!rooms_peers_has(rq->view.room.peers, s->peer)
        && !rq->view.room.is_public)
    {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    if (!rq->view.room.federated) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY,
                              "the room is not federated");
    }

    s->changes = s->told.type != ROOMS_EV_MESSAGE
                 && s->told.type != ROOMS_EV_REDACTION
                 && s->told.type != ROOMS_EV_REACTION
                 && s->told.type != ROOMS_EV_FEDERATION;

    switch (s->told.type) {

    case ROOMS_EV_MESSAGE:
    case ROOMS_EV_REDACTION:
    case ROOMS_EV_REACTION:
        return ngx_rooms_fedsend_message(rq);

    case ROOMS_EV_MEMBER:
        return ngx_rooms_origin_member(rq, s);

    case ROOMS_EV_POWER_LEVEL:
        return ngx_rooms_origin_power(rq, s);

    case ROOMS_EV_NAME:
        return ngx_rooms_origin_field(rq, s, "name", "/v1/rooms/{room}/name");

    case ROOMS_EV_TOPIC:
        return ngx_rooms_origin_field(rq, s, "topic",
                                      "/v1/rooms/{room}/topic");

    case ROOMS_EV_STATE:
        return ngx_rooms_origin_state(rq, s);

    case ROOMS_EV_FEDERATION:

        if (json_is_false(json_object_get(s->told.content, "federated"))) {
            rq->endpoint = &ngx_rooms_origin_parting_row;
            rq->round = 0;
            return rq->endpoint->load(rq);
        }

        /* fall through */

    default:
        return ngx_rooms_fail(rq, ROOMS_E_FORBIDDEN,
                              "that is for the room's own server to say");
    }
}


static json_t *
ngx_rooms_origin_participant(rooms_str_t id, json_t *reason)
{
    json_t  *body;

    body = json_pack("{s:s%}", "participant_id", (const char *) id.data,
                     id.len);

    if (body && json_is_string(reason)) {
        (void) json_object_set(body, "reason", reason);
    }

    return body;
}


static ngx_int_t
ngx_rooms_origin_member(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    json_t       *reason;
    ngx_uint_t    self;
    const char   *path;
    rooms_str_t   membership;

    membership = rooms_told_str(s->told.content, "membership");
    reason = json_object_get(s->told.content, "reason");

    self = s->subject.fqid.data == NULL
           || rooms_str_eq(s->subject.fqid, s->told.sender.fqid);

    if (rooms_str_eq(membership, ngx_rooms_s("join")) && self) {
        return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST,
                                    "/v1/rooms/{room}/join", json_object());
    }

    if (rooms_str_eq(membership, ngx_rooms_s("leave")) && self) {
        return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST,
                                    "/v1/rooms/{room}/leave", json_object());
    }

    if (self) {
        return ngx_rooms_invalid(rq, "content.membership",
                                 "is none that one gives to oneself");
    }

    if (s->subject_id.data == NULL) {
        return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL);
    }

    if (rooms_str_eq(membership, ngx_rooms_s("invite"))) {

        if (!rooms_str_eq(s->subject.server, s->self)) {
            return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST,
                            "/v1/rooms/{room}/invitations",
                            json_pack("{s:s%}", "fqid",
                                      (char *) s->subject.fqid.data,
                                      s->subject.fqid.len));
        }

        path = "/v1/rooms/{room}/invite";

    } else if (rooms_str_eq(membership, ngx_rooms_s("ban"))) {
        path = "/v1/rooms/{room}/ban";

    } else if (rooms_str_eq(membership, ngx_rooms_s("leave"))) {
        path = rooms_str_eq(rooms_told_str(s->told.content, "previous"),
                            ngx_rooms_s("ban"))
               ? "/v1/rooms/{room}/unban" : "/v1/rooms/{room}/kick";

    } else {
        return ngx_rooms_invalid(rq, "content.membership",
                                 "is none that one gives to others");
    }

    return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST, path,
                            ngx_rooms_origin_participant(s->subject_id,
                                                         reason));
}


static ngx_int_t
ngx_rooms_origin_power(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    json_t  *power;

    power = json_object_get(s->told.content, "power_level");

    if (s->subject_id.data == NULL || !json_is_integer(power)) {
        return ngx_rooms_invalid(rq, "content.power_level",
                                 "must be an integer, with an fqid");
    }

    rq->param[NGX_ROOMS_P_PARTICIPANT] = ngx_rooms_dup(rq->pool,
                                                       s->subject_id);

    return ngx_rooms_fedsend_as(rq, NGX_HTTP_PUT,
                        "/v1/rooms/{room}/members/{participant}/power-level",
                        json_pack("{s:O}", "power_level", power));
}


static ngx_int_t
ngx_rooms_origin_field(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s,
    const char *field, const char *path)
{
    json_t  *value;

    value = json_object_get(s->told.content, field);

    if (!json_is_string(value)
        && !(json_is_null(value) && s->told.type == ROOMS_EV_TOPIC))
    {
        return ngx_rooms_invalid(rq, field, "must be a string");
    }

    return ngx_rooms_fedsend_as(rq, NGX_HTTP_PUT, path,
                                json_pack("{s:O}", field, value));
}


static ngx_int_t
ngx_rooms_origin_state(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    const char   *path;
    rooms_str_t   state;

    state = rooms_told_str(s->told.content, "state");

    if (rooms_str_eq(state, ngx_rooms_s("archived"))) {
        path = "/v1/rooms/{room}/archive";

    } else if (rooms_str_eq(state, ngx_rooms_s("closed"))) {
        path = "/v1/rooms/{room}/close";

    } else if (rooms_str_eq(state, ngx_rooms_s("open"))) {
        path = "/v1/rooms/{room}/rejoin";

    } else {
        return ngx_rooms_invalid(rq, "content.state", "is none");
    }

    return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST, path, json_object());
}


static ngx_int_t
ngx_rooms_origin_parting(ngx_rooms_req_t *rq)
{
    return NGX_OK;
}


static ngx_int_t
ngx_rooms_origin_part(ngx_rooms_req_t *rq)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the event's position is that of what follows */

    ngx_rooms_commit_positions(&rq->commit, 1);

    if (!rooms_peers_has(rq->view.room.peers, s->peer)) {
        return NGX_OK;
    }

    /*
     * One row, whoever there has ended it, and however often: others' endings
     * wait behind it.
     */

    ngx_rooms_endings_parted(&rq->commit, &rq->keys, s->told.room, s->peer,
                             -1);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}
