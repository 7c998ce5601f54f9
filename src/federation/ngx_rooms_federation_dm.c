/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Both sides of a DM may make it at the same time, each at its own server.
 * Both servers then know of both rooms, and keep the one with the lower id,
 * which is the older one.  The other is closed by its home; elsewhere it
 * begins closed, so that what was said in it can be read on both sides.
 *
 * A server that makes one while it knows of ours has closed ours, or forgotten
 * it.  What it knows is what no longer waits to be told to it.
 */

#include "ngx_rooms_federation_replica.h"


/*
 * A DM has two sides, of which one is the sender, and one is of ours; both
 * are in it, always.
 */
void
ngx_rooms_replica_sides(ngx_rooms_replica_t *replica, rooms_str_t sender)
{
    ngx_uint_t   first;
    rooms_str_t  ours;

    replica->peer[0] = ROOMS_NULL;

    if (replica->n != 2 || replica->rows[0].ours == replica->rows[1].ours
        || replica->told[0].membership != ROOMS_JOIN
        || replica->told[1].membership != ROOMS_JOIN
        || !ngx_rooms_replica_told(replica, sender))
    {
        return;
    }

    ours = replica->ids[!replica->rows[0].ours];
    first = rooms_str_before(sender, ours);

    replica->peer[0] = first ? sender : ours;
    replica->peer[1] = first ? ours : sender;
}


static rooms_str_t
ngx_rooms_replica_ours(ngx_rooms_replica_t *replica)
{
    return replica->ids[!replica->rows[0].ours];
}


ngx_int_t
ngx_rooms_replica_other_ask(ngx_rooms_req_t *rq, rooms_str_t id)
{
    ngx_rooms_replica_t  *replica;

    replica = rq->data;
    replica->other = ngx_rooms_dup(rq->pool, id);

    if (replica->other.data == NULL || ngx_rooms_batch(rq) == NULL
        || ngx_rooms_load_room(rq->batch, &rq->keys, replica->other)
           != NGX_OK
        || ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_MEMBERS,
                                           replica->other),
                             ngx_rooms_replica_ours(replica))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_L_OTHER;

    return ngx_rooms_send(rq);
}


/*
 * Closes the other DM in the name of our side, as either side may; the event
 * that told of the new one is then judged again.
 */
static ngx_int_t
ngx_rooms_replica_other_close(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    s->again = 1;

    rq->data = NULL;
    rq->param[NGX_ROOMS_P_ROOM] = replica->other;
    rq->principal.sub = ngx_rooms_replica_ours(replica);
    rq->source_id = ROOMS_NULL;
    rq->source_server = ROOMS_NULL;

    ngx_memzero(&rq->view, sizeof(ngx_rooms_view_t));

    /* which one it is, for those who have it open */

    rq->in.text = ngx_rooms_join(rq->pool, ngx_rooms_s("replaced by "),
                                 s->told.room);

    return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST, "/v1/rooms/{room}/close",
                                json_object());
}


ngx_int_t
ngx_rooms_replica_other(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_int_t             rc;
    rooms_str_t           at;
    rooms_room_t          other;
    rooms_member_t        ours;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    rc = ngx_rooms_parse_room(ngx_rooms_reply(rq, 0), replica->other, &other);

    if (rc == NGX_ERROR
        || ngx_rooms_parse_member(ngx_rooms_reply_str(ngx_rooms_reply(rq, 1)),
                                  ngx_rooms_replica_ours(replica), &ours)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED || other.state == ROOMS_CLOSED
        || (other.origin.data && !rooms_str_eq(other.origin, s->peer)))
    {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT,
                              "the two have another DM");
    }

    /* of two that are at home there, it knows which one is the newer */

    if (other.origin.data || rooms_str_before(s->room, other.id)) {
        return ngx_rooms_replica_other_close(rq, replica);
    }

    /* our side has been in it since the event that made it */

    at = ngx_rooms_number(rq->pool, ours.position);

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_command(rq->batch, ngx_rooms_s("ZCOUNT"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_OUTBOX,
                                           s->peer), at, at) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_L_HEARD;

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_replica_heard(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    if (ngx_rooms_reply_int(ngx_rooms_reply(rq, 0), 0) == 0) {
        return ngx_rooms_replica_other_close(rq, replica);
    }

    replica->closed = 1;

    return ngx_rooms_replica_ask_history(rq);
}
