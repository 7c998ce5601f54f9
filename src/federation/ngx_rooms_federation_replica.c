/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What the home of a room tells of it: who is in it and how it is called.
 * The first such event, which invites one of ours, makes the replica.
 */

#include "ngx_rooms_federation_replica.h"


static ngx_int_t ngx_rooms_replica_load(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_replica_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_replica_ask(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static ngx_int_t ngx_rooms_replica_take(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);


static const ngx_rooms_endpoint_t  ngx_rooms_replica_row = {
    .method = NGX_HTTP_POST, .path = "(replica)",
    .part = NGX_ROOMS_PART_FEDERATION, .op = ROOMS_OP_READ,
    .load = ngx_rooms_replica_load, .decide = ngx_rooms_replica_decide
};


/* One of ours, into a room that is shared; a DM has no invites. */
static ngx_uint_t
ngx_rooms_replica_invites(ngx_rooms_fedsend_t *s)
{
    return s->told.type == ROOMS_EV_MEMBER && s->told.has_room
           && s->told.federated && s->told.room_type != ROOMS_DM
           && rooms_str_eq(s->subject.server, s->self)
           && rooms_str_eq(rooms_told_str(s->told.content, "membership"),
                           ngx_rooms_s("invite"));
}


ngx_int_t
ngx_rooms_fedsend_replica(ngx_rooms_req_t *rq)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    if (rq->view.exists && !rq->view.room.federated
        && !ngx_rooms_replica_invites(s))
    {
        /* it has become a room of ours: its home hears that there is none */

        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    if (rq->view.exists && s->told.type == ROOMS_TOLD_SNAPSHOT
        && s->told.as_of && s->told.as_of < rq->view.room.told_at)
    {
        /* it was under way while something newer was told */

        return ngx_rooms_fedsend_done(rq, "duplicate");
    }

    if (rq->view.exists) {

        if (s->told.type == ROOMS_EV_MESSAGE
            || s->told.type == ROOMS_EV_REDACTION
            || s->told.type == ROOMS_EV_REACTION)
        {
            /* an edit was in time if its own server says so */

            rq->trusted = 1;
            rq->in.now = s->told.created_at;

            return ngx_rooms_fedsend_message(rq);
        }

    } else if (!s->told.has_room || !s->told.federated
               || (s->told.room_type == ROOMS_DM
                   ? !rooms_str_eq(s->told.sender.server, s->peer)
                   : s->told.state == ROOMS_CLOSED))
    {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    rq->endpoint = &ngx_rooms_replica_row;
    rq->round = 0;

    return rq->endpoint->load(rq);
}


static ngx_int_t
ngx_rooms_replica_load(ngx_rooms_req_t *rq)
{
    ngx_rooms_replica_t  *replica;

    replica = rq->data;

    switch (rq->round) {

    case NGX_ROOMS_L_BEGIN:
        return ngx_rooms_replica_begin(rq);

    case NGX_ROOMS_L_LOCALS:
        return ngx_rooms_replica_ask(rq, replica);

    case NGX_ROOMS_L_ROOM:
        return ngx_rooms_replica_take(rq, replica);

    case NGX_ROOMS_L_OTHER:
        return ngx_rooms_replica_other(rq, replica);

    case NGX_ROOMS_L_HEARD:
        return ngx_rooms_replica_heard(rq, replica);

    case NGX_ROOMS_L_GONE:
        return ngx_rooms_replica_gone(rq, replica);

    case NGX_ROOMS_L_UNHEARD:
        return ngx_rooms_replica_unheard(rq, replica);

    default:
        return ngx_rooms_commit_result(rq->batch, &replica->history,
                                       rq->r->connection->log)
               == NGX_ROOMS_COMMIT_DONE ? NGX_OK : NGX_ERROR;
    }
}


static ngx_int_t
ngx_rooms_replica_begin(ngx_rooms_req_t *rq)
{
    ngx_uint_t            i, max;
    const char           *problem;
    ngx_rooms_fedsend_t  *s;
    ngx_rooms_replica_t  *replica;

    s = rq->several;

    replica = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_replica_t));
    if (replica == NULL) {
        return NGX_ERROR;
    }

    rq->data = replica;
    replica->n = json_array_size(s->told.members);

    max = replica->n + NGX_ROOMS_REPLICA_GONE;

    replica->told = ngx_pcalloc(rq->pool, (replica->n + 1)
                                          * sizeof(rooms_told_member_t));
    replica->ids = ngx_pcalloc(rq->pool, max * sizeof(rooms_str_t));
    replica->rows = ngx_pcalloc(rq->pool, max * sizeof(rooms_mirror_row_t));
    replica->profiles = ngx_pcalloc(rq->pool, (replica->n + 1)
                                              * sizeof(ngx_rooms_profile_t));
    replica->had = ngx_pcalloc(rq->pool, (replica->n + 1)
                                         * sizeof(rooms_str_t));
    replica->known = ngx_pcalloc(rq->pool, replica->n + 1);

    if (replica->told == NULL || replica->ids == NULL || replica->rows == NULL
        || replica->profiles == NULL || replica->had == NULL
        || replica->known == NULL)
    {
        return NGX_ERROR;
    }

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < replica->n; i++) {
        problem = rooms_told_member(json_array_get(s->told.members, i),
                                    &replica->told[i]);

        if (problem) {
            return ngx_rooms_invalid(rq, "members", problem);
        }

        rooms_told_own(s->peer, replica->told[i].server,
                       &replica->told[i].name, &replica->told[i].avatar);

        if (!rooms_str_eq(replica->told[i].server, s->self)) {
            replica->ids[i] = replica->told[i].fqid;
        }

        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_LOCALS,
                                               ROOMS_NULL),
                                 replica->told[i].local);
    }

    replica->at_marker = replica->n;

    if (s->told.of.data) {
        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("ZSCORE"),
                                 ngx_rooms_replica_key(rq),
                                 ngx_rooms_join(rq->pool, ngx_rooms_s(" "),
                                                s->told.of));
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_L_LOCALS;

    return rq->batch->commands.nelts ? ngx_rooms_send(rq)
                                     : ngx_rooms_replica_ask(rq, replica);
}


/* With ids in hand: the room, and a row and a profile of each. */
static ngx_int_t
ngx_rooms_replica_ask(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    int64_t               marker;
    ngx_uint_t            i, n;
    rooms_str_t           id, room;
    ngx_rooms_batch_t    *b, *locals;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    room = s->told.room;
    locals = rq->batch;

    marker = s->told.of.data
             ? ngx_rooms_reply_int(locals->replies[replica->at_marker], -1)
             : -1;

    /* who isn't there is left out */

    for (i = 0, n = replica->n, replica->n = 0; i < n; i++) {
        id = replica->ids[i];
        replica->rows[replica->n].ours = id.data == NULL;

        if (id.data == NULL) {
            id = ngx_rooms_reply_str(locals->replies[i]);

            if (id.data == NULL) {
                continue;
            }
        }

        if (ngx_rooms_replica_told(replica, id)) {
            return ngx_rooms_invalid(rq, "members", "name one twice");
        }

        replica->told[replica->n] = replica->told[i];
        replica->ids[replica->n++] = id;
    }

    n = replica->n;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_load_room(b, &rq->keys, room);
    (void) ngx_rooms_tenant_load(b, &rq->keys);
    (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                             ngx_rooms_key(&rq->keys,
                                           NGX_ROOMS_KEY_UNACCEPTED,
                                           ROOMS_NULL), s->peer);

    if (s->told.type == ROOMS_TOLD_SNAPSHOT
        && ngx_rooms_replica_snapshot_ask(rq, replica, marker) != NGX_OK)
    {
        return NGX_ERROR;
    }

    replica->at_rows = b->commands.nelts;

    for (i = 0; i < n; i++) {
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_MEMBERS, room),
                                 replica->ids[i]);
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_PARTICIPANTS,
                                               ROOMS_NULL),
                                 replica->ids[i]);
    }

    ngx_rooms_replica_sides(replica, s->told.sender.fqid);

    if (s->told.room_type == ROOMS_DM && replica->peer[0].data) {
        replica->at_dm = b->commands.nelts;
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_DMS,
                                               ROOMS_NULL),
                                 ngx_rooms_join(rq->pool, replica->peer[0],
                                                ngx_rooms_s(" "),
                                                replica->peer[1]));
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_L_ROOM;

    return ngx_rooms_send(rq);
}


/* A profile as it was told, unless it is as it was. */
static ngx_int_t
ngx_rooms_replica_profile(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica,
    ngx_uint_t i, rooms_str_t json)
{
    ngx_int_t             rc;
    rooms_told_member_t  *told;
    ngx_rooms_profile_t  *p;

    p = &replica->profiles[i];
    told = &replica->told[i];
    replica->had[i] = json;

    rc = ngx_rooms_parse_profile(rq->pool, json, replica->ids[i], p);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (replica->rows[i].ours) {
        replica->known[i] = 1;
        replica->rows[i].gone = p->deactivated != 0;
        return NGX_OK;
    }

    if (rc == NGX_DECLINED) {
        ngx_memzero(p, sizeof(ngx_rooms_profile_t));
        p->id = told->fqid;
        p->type = ngx_rooms_s("federated");
        p->local = told->local;
        p->server = told->server;
        p->name = told->name.data ? told->name : told->local;
        p->avatar = told->avatar;
        return NGX_OK;
    }

    if (p->server.data == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT,
                              "a participant of this server has that id");
    }

    if (told->name.data == NULL
        || (rooms_str_eq(p->name, told->name)
            && rooms_str_eq(p->avatar, told->avatar)))
    {
        replica->known[i] = 1;
        return NGX_OK;
    }

    p->name = told->name;
    p->avatar = told->avatar;

    return NGX_OK;
}


ngx_uint_t
ngx_rooms_replica_told(ngx_rooms_replica_t *replica, rooms_str_t id)
{
    ngx_uint_t  i;

    for (i = 0; i < replica->n; i++) {
        if (rooms_str_eq(replica->ids[i], id)) {
            return 1;
        }
    }

    return 0;
}


/* Nobody of ours is in it, has ever accepted it, and one is invited. */
static ngx_uint_t
ngx_rooms_replica_returning(ngx_rooms_replica_t *replica)
{
    ngx_uint_t     i;
    rooms_room_t  *room;

    room = &replica->room;

    if (!room->unaccepted || room->state == ROOMS_CLOSED
        || (uint64_t) room->joined + room->invited
           > rooms_peers_total(room->peers))
    {
        return 0;
    }

    for (i = 0; i < replica->n; i++) {

        if (replica->rows[i].ours
            && replica->rows[i].membership == ROOMS_INVITE)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_rooms_replica_refuse(ngx_rooms_req_t *rq)
{
    return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY,
                          "too many rooms of that server wait for somebody "
                          "here to accept them");
}


static ngx_int_t
ngx_rooms_replica_take(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    redisReply          **r;
    rooms_str_t           dm;
    rooms_mirror_row_t   *row;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    r = rq->batch->replies;

    rc = ngx_rooms_parse_room(r[0], s->told.room, &replica->room);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    replica->fresh = rc == NGX_DECLINED;

    /* another server may have been quicker */

    if (!replica->fresh && !rooms_str_eq(replica->room.origin, s->peer)) {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND,
                              "the room is at home elsewhere");
    }

    if (!replica->fresh && s->told.has_room
        && s->told.room_type != replica->room.type)
    {
        return ngx_rooms_invalid(rq, "room", "is of another type than it was");
    }

    ngx_rooms_tenant_take(rq, r[1]);

    replica->full = ngx_rooms_reply_int(r[2], 0) >= NGX_ROOMS_UNACCEPTED_MAX;

    r += replica->at_rows;

    for (i = 0; i < replica->n; i++) {
        row = &replica->rows[i];
        row->membership = replica->told[i].membership;
        row->power = replica->told[i].power;
        row->joined_at = ngx_min(replica->told[i].joined_at, rq->now);

        if (ngx_rooms_parse_member(ngx_rooms_reply_str(r[2 * i]),
                                   replica->ids[i], &row->before) != NGX_OK
            || ngx_rooms_replica_profile(rq, replica, i,
                                    ngx_rooms_reply_str(r[2 * i + 1]))
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    replica->nrows = replica->n;

    if (!replica->fresh) {
        return replica->full && ngx_rooms_replica_returning(replica)
               ? ngx_rooms_replica_refuse(rq)
               : ngx_rooms_replica_snapshot(rq, replica);
    }

    dm = replica->at_dm
         ? ngx_rooms_reply_str(ngx_rooms_reply(rq, replica->at_dm))
         : ROOMS_NULL;

    replica->closed = s->told.state == ROOMS_CLOSED;

    if (dm.data && !replica->closed) {
        return ngx_rooms_replica_other_ask(rq, dm);
    }

    if (replica->full && !replica->closed) {
        return ngx_rooms_replica_refuse(rq);
    }

    return ngx_rooms_replica_ask_history(rq);
}


ngx_int_t
ngx_rooms_replica_ask_history(ngx_rooms_req_t *rq)
{
    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_commit_reserve(rq->batch, &rq->keys, NGX_ROOMS_HISTORY)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_L_HISTORY;

    return ngx_rooms_send(rq);
}
