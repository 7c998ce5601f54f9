/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What is said in a room, of ours or of a replica, as the request that its
 * sender would have made here.
 */

#include "ngx_rooms_federation_send.h"


ngx_int_t
ngx_rooms_fedsend_message(ngx_rooms_req_t *rq)
{
    json_t               *content;
    rooms_str_t           action;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    content = s->told.content;

    if (s->ref_id.data) {

        if (s->ref.data == NULL) {
            return ngx_rooms_fail(rq, ROOMS_E_EVENT, NULL);
        }

        rq->param[NGX_ROOMS_P_EVENT] = ngx_rooms_dup(rq->pool, s->ref);
    }

    switch (s->told.type) {

    case ROOMS_EV_MESSAGE:

        if (s->ref_id.data == NULL) {
            return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST,
                             "/v1/rooms/{room}/send",
                             json_pack("{s:O}", "content", content));
        }

        content = json_object_get(content, "content");

        if (!json_is_object(content)) {
            return ngx_rooms_invalid(rq, "content.content",
                                     "must be an object");
        }

        return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST,
                             "/v1/rooms/{room}/events/{event}/edit",
                             json_pack("{s:O}", "content", content));

    case ROOMS_EV_REDACTION:

        if (s->ref_id.data == NULL) {
            break;
        }

        content = json_object_get(content, "reason");

        return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST,
                             "/v1/rooms/{room}/events/{event}/redact",
                             json_is_string(content)
                             ? json_pack("{s:O}", "reason", content)
                             : json_object());

    default:
        action = rooms_told_str(content, "action");
        content = json_object_get(content, "emoji");

        if (s->ref_id.data == NULL || !json_is_string(content)) {
            break;
        }

        return ngx_rooms_fedsend_as(rq,
                             rooms_str_eq(action, ngx_rooms_s("remove"))
                             ? NGX_HTTP_DELETE : NGX_HTTP_POST,
                             "/v1/rooms/{room}/events/{event}/reaction",
                             json_pack("{s:O}", "emoji", content));
    }

    return ngx_rooms_invalid(rq, "content", "names no event");
}
