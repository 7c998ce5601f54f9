/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /v1/directory/alias/{alias}: resolves "#slug:server" or
 * "@local:server".  What the caller can't see answers 404.
 */

#include "ngx_rooms_endpoints.h"


static ngx_uint_t
ngx_rooms_alias_of_room(ngx_rooms_req_t *rq)
{
    return rq->param[NGX_ROOMS_P_ALIAS].data[0] == '#';
}


/*
 * Passes the alias on as the room or the participant of the path, which may
 * be given by alias too.
 */
ngx_int_t
ngx_rooms_alias_take(ngx_rooms_req_t *rq)
{
    rooms_str_t  *alias;

    alias = &rq->param[NGX_ROOMS_P_ALIAS];

    if (ngx_rooms_alias_of_room(rq)) {
        rq->param[NGX_ROOMS_P_ROOM] = *alias;
        return NGX_OK;
    }

    if (alias->data[0] == '@' && memchr(alias->data, ':', alias->len)) {
        rq->param[NGX_ROOMS_P_PARTICIPANT] = *alias;
        return NGX_OK;
    }

    return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
}


ngx_int_t
ngx_rooms_alias_load(ngx_rooms_req_t *rq)
{
    ngx_int_t             rc;
    rooms_str_t           id;
    ngx_rooms_profile_t  *p;

    if (ngx_rooms_alias_of_room(rq)) {
        return ngx_rooms_room_load(rq);
    }

    id = rq->param[NGX_ROOMS_P_PARTICIPANT];

    if (rq->round == 0) {

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL, id)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_rooms_send_round(rq, 1);
    }

    p = ngx_palloc(rq->pool, sizeof(ngx_rooms_profile_t));
    if (p == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_rooms_parse_profile(rq->pool,
                                 ngx_rooms_reply_str(ngx_rooms_reply(rq, 0)),
                                 id, p);

    if (rc == NGX_DECLINED) {
        return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL);
    }

    rq->profiles = p;

    return rc;
}


ngx_int_t
ngx_rooms_alias_decide(ngx_rooms_req_t *rq)
{
    return ngx_rooms_alias_of_room(rq) ? ngx_rooms_room_permit(rq) : NGX_OK;
}


ngx_int_t
ngx_rooms_alias_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t          *b;
    ngx_rooms_profile_t  *p;

    if (ngx_rooms_alias_of_room(rq)) {
        b = ngx_rooms_out(&rq->out);

        rooms_json_put(b, "{\"data\":{\"type\":\"room\",\"id\":%s}}\n",
                       rq->view.room.id);

        return NGX_OK;
    }

    p = rq->profiles;
    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"type\":\"participant\",\"id\":%s,"
                   "\"fqid\":", p->id);
    ngx_rooms_fqid_json(b, p, &rq->conf->server_name);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
