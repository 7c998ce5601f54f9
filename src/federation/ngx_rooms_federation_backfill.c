/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * POST /v1/admin/rooms/{room_id}/federation/backfill: imports the history of
 * a room from its home server.
 */

#include "ngx_rooms_federation_endpoints.h"
#include "ngx_rooms_backfill.h"
#include "ngx_rooms_fedpolicy.h"


static ngx_int_t
ngx_rooms_fedbackfill_begin(ngx_rooms_req_t *rq)
{
    json_t                *limit;
    rooms_str_t            server;
    ngx_rooms_backfill_t  *bf;

    bf = ngx_rooms_backfill_create(rq);
    if (bf == NULL) {
        return NGX_ERROR;
    }

    rq->data = bf;
    bf->limit = NGX_ROOMS_BACKFILL_MAX;

    server = ngx_rooms_body_str(rq, "server");

    if (server.data && !rooms_peer_valid(server)) {
        return ngx_rooms_invalid(rq, "server", "is not a server's name");
    }

    limit = ngx_rooms_body_get(rq, "limit");

    if (limit) {
        bf->limit = json_integer_value(limit);

        if (bf->limit < 1 || bf->limit > NGX_ROOMS_BACKFILL_MAX) {
            return ngx_rooms_invalid(rq, "limit", "must be from 1 to 1000");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_fedbackfill_ask(ngx_rooms_req_t *rq)
{
    return ngx_rooms_fedpolicy_ask(rq->batch, &rq->keys);
}


/* Checks that the room has a foreign home and that we may ask it. */
static ngx_int_t
ngx_rooms_fedbackfill_source(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    rooms_str_t      server;
    rooms_room_t    *room;
    rooms_policy_t  *policy;

    if (ngx_rooms_room_permit(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    room = &rq->view.room;
    server = ngx_rooms_body_str(rq, "server");

    if (room->origin.data == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY,
                              "the room's home is this server: no other "
                              "server has more of its history");
    }

    if (server.data && !rooms_str_eq(server, room->origin)) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY,
                              "only the room's home server sends its history");
    }

    policy = ngx_rooms_fedpolicy_take(rq,
                                      rq->asked_batch->replies[rq->at_own]);
    if (policy == NULL) {
        return NGX_ERROR;
    }

    if (!rooms_policy_allows(policy, room->origin, 1)
        || ngx_rooms_peer_forbidden(rq->conf, room->origin))
    {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY, NULL);
    }

    bf->room = room->id;
    bf->origin = room->origin;
    bf->origin_id = room->origin_id;

    return ngx_rooms_backfill_start(rq, bf);
}


ngx_int_t
ngx_rooms_fedbackfill_load(ngx_rooms_req_t *rq)
{
    ngx_int_t  rc;

    if (rq->round >= NGX_ROOMS_BACKFILL_FIRST) {
        return ngx_rooms_backfill_run(rq, rq->data);
    }

    if (rq->round == 0 && ngx_rooms_fedbackfill_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    rq->ask = ngx_rooms_fedbackfill_ask;

    rc = ngx_rooms_room_load(rq);

    return rc == NGX_OK ? ngx_rooms_fedbackfill_source(rq, rq->data) : rc;
}


ngx_int_t
ngx_rooms_fedbackfill_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t                    *b;
    ngx_uint_t                      i;
    ngx_rooms_backfill_t           *bf;
    ngx_rooms_backfill_rejected_t  *r;

    bf = rq->data;
    r = bf->rejected.elts;

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"imported\":%d,\"skipped\":%d,"
                   "\"rejected\":[", (int64_t) bf->imported,
                   (int64_t) bf->skipped);

    for (i = 0; i < bf->rejected.nelts; i++) {
        rooms_json_raw(b, ",", i > 0);

        rooms_json_put(b, "{\"id\":%s,\"reason\":%s}", r[i].id,
                       rooms_cstr(r[i].reason));
    }

    rooms_json_lit(b, "]}}\n");

    return NGX_OK;
}
