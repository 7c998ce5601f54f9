/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Applies what a room's home sends about its members and its metadata.  The
 * first such event, which invites a local participant, creates the replica.
 */

#include "ngx_rooms_inbox.h"
#include "ngx_rooms_endings.h"
#include "ngx_rooms_profiles.h"


/* Positions kept free below a replica's first event, for its history. */
#define NGX_ROOMS_HISTORY  10000

/* Members that one commit removes because a snapshot doesn't name them. */
#define NGX_ROOMS_REPLICA_GONE  100

typedef enum {
    NGX_ROOMS_L_BEGIN = 0,
    NGX_ROOMS_L_LOCALS,                    /* ids of local participants */
    NGX_ROOMS_L_ROOM,                      /* the room and the rows */
    NGX_ROOMS_L_OTHER,                     /* the participants' other DM */
    NGX_ROOMS_L_HEARD,                     /* whether the peer knows ours */
    NGX_ROOMS_L_GONE,                      /* rows that the snapshot doesn't
                                              name */
    NGX_ROOMS_L_UNHEARD,                   /* joins the home hasn't received */
    NGX_ROOMS_L_HISTORY                    /* reserve positions */
} ngx_rooms_replica_round_e;

typedef struct {
    ngx_uint_t             n;              /* named members that exist here */
    rooms_remote_member_t   *remote;
    rooms_str_t           *ids;            /* their ids here */
    rooms_mirror_row_t    *rows;
    ngx_rooms_profile_t   *profiles;
    rooms_str_t           *had;            /* stored profiles; NULL: none */
    u_char                *known;          /* the profile is unchanged */
    ngx_uint_t             nrows;          /* rows of removed members follow
                                              the n */
    rooms_room_t           room;           /* as it was */
    unsigned               fresh:1;        /* the room is new here */
    unsigned               closed:1;       /* it starts closed */
    unsigned               full:1;         /* too many rooms of that server
                                              wait to be accepted */

    ngx_uint_t             at_marker;      /* indexes of replies, 0: not
                                              asked */
    ngx_uint_t             at_gone;
    ngx_uint_t             at_refused;
    ngx_uint_t             at_rows;
    ngx_uint_t             at_dm;

    int64_t                history;        /* the last free position */
    rooms_str_t            peer[2];        /* of a DM; NULL: it isn't one of
                                              two */
    rooms_str_t            other;          /* their other DM, or NULL */
} ngx_rooms_replica_t;


/* The longest time between two parts of a snapshot, with all backoffs. */
#define NGX_ROOMS_SNAPSHOT_TTL  "180000"       /* ms */

/* A snapshot may be this much older than a join: it was under way. */
#define NGX_ROOMS_SNAPSHOT_AGE  (10 * 1000)    /* ms */


static ngx_int_t ngx_rooms_replica_load(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_replica_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_replica_ask(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static ngx_int_t ngx_rooms_replica_take(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static ngx_int_t ngx_rooms_replica_ask_unheard(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static ngx_uint_t ngx_rooms_replica_has(ngx_rooms_replica_t *replica,
    rooms_str_t id);
static ngx_int_t ngx_rooms_replica_ask_history(ngx_rooms_req_t *rq);
static rooms_str_t ngx_rooms_replica_key(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_replica_snapshot_ask(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica, int64_t marker);
static ngx_int_t ngx_rooms_replica_snapshot(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static ngx_int_t ngx_rooms_replica_gone(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static ngx_int_t ngx_rooms_replica_unheard(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static void ngx_rooms_replica_sides(ngx_rooms_replica_t *replica,
    rooms_str_t sender);
static ngx_int_t ngx_rooms_replica_other_ask(ngx_rooms_req_t *rq,
    rooms_str_t id);
static ngx_int_t ngx_rooms_replica_other(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static ngx_int_t ngx_rooms_replica_heard(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static ngx_int_t ngx_rooms_replica_decide(ngx_rooms_req_t *rq);


static const ngx_rooms_endpoint_t  ngx_rooms_replica_row = {
    .method = NGX_HTTP_POST,
    .path = "(replica)",
    .part = NGX_ROOMS_PART_FEDERATION,
    .op = ROOMS_OP_READ,
    .load = ngx_rooms_replica_load,
    .decide = ngx_rooms_replica_decide
};





/* Invites a local participant to a federated room.  DMs have no invites. */
static ngx_uint_t
ngx_rooms_replica_invites(ngx_rooms_fedsend_t *s)
{
    return s->remote.type == ROOMS_EV_MEMBER && s->remote.has_room
           && s->remote.federated && s->remote.room_type != ROOMS_DM
           && rooms_str_eq(s->subject.server, s->self)
           && rooms_str_eq(rooms_remote_str(s->remote.content, "membership"),
                           ngx_rooms_s("invite"));
}


ngx_int_t
ngx_rooms_fedsend_replica(ngx_rooms_req_t *rq)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;

    if (rq->view.exists && !rq->view.room.federated
        && !ngx_rooms_replica_invites(s))
    {
        /* the room is our own now: its former home gets 404 */

        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    if (rq->view.exists && s->remote.type == ROOMS_REMOTE_SNAPSHOT
        && s->remote.as_of && s->remote.as_of < rq->view.room.snapshot_at)
    {
        /* outdated: something newer was sent while it was under way */

        return ngx_rooms_fedsend_done(rq, "duplicate");
    }

    if (rq->view.exists) {

        if (s->remote.type == ROOMS_EV_MESSAGE
            || s->remote.type == ROOMS_EV_REDACTION
            || s->remote.type == ROOMS_EV_REACTION)
        {
            /* the home has checked that the edit was in time */

            rq->trusted = 1;
            rq->in.now = s->remote.created_at;

            return ngx_rooms_fedsend_message(rq);
        }

    } else if (!s->remote.has_room || !s->remote.federated
               || (s->remote.room_type == ROOMS_DM
                   ? !rooms_str_eq(s->remote.sender.server, s->peer)
                   : s->remote.state == ROOMS_CLOSED))
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

    s = rq->parts;

    replica = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_replica_t));
    if (replica == NULL) {
        return NGX_ERROR;
    }

    rq->data = replica;
    replica->n = json_array_size(s->remote.members);

    max = replica->n + NGX_ROOMS_REPLICA_GONE;

    replica->remote = ngx_pcalloc(rq->pool, (replica->n + 1)
                                          * sizeof(rooms_remote_member_t));
    replica->ids = ngx_pcalloc(rq->pool, max * sizeof(rooms_str_t));
    replica->rows = ngx_pcalloc(rq->pool, max * sizeof(rooms_mirror_row_t));
    replica->profiles = ngx_pcalloc(rq->pool, (replica->n + 1)
                                              * sizeof(ngx_rooms_profile_t));
    replica->had = ngx_pcalloc(rq->pool, (replica->n + 1)
                                         * sizeof(rooms_str_t));
    replica->known = ngx_pcalloc(rq->pool, replica->n + 1);

    if (replica->remote == NULL || replica->ids == NULL || replica->rows == NULL
        || replica->profiles == NULL || replica->had == NULL
        || replica->known == NULL)
    {
        return NGX_ERROR;
    }

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < replica->n; i++) {
        problem = rooms_remote_member(json_array_get(s->remote.members, i),
                                      &replica->remote[i]);

        if (problem) {
            return ngx_rooms_invalid(rq, "members", problem);
        }

        rooms_remote_own(s->peer, replica->remote[i].server,
                         &replica->remote[i].name, &replica->remote[i].avatar);

        if (!rooms_str_eq(replica->remote[i].server, s->self)) {
            replica->ids[i] = replica->remote[i].fqid;
        }

        (void) ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_LOCALS, ROOMS_NULL,
                             replica->remote[i].local);
    }

    replica->at_marker = replica->n;

    if (s->remote.of.data) {
        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("ZSCORE"),
                                 ngx_rooms_replica_key(rq),
                                 ngx_rooms_join(rq->pool, ngx_rooms_s(" "),
                                                s->remote.of));
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_L_LOCALS;

    return rq->batch->commands.nelts ? ngx_rooms_send(rq)
                                     : ngx_rooms_replica_ask(rq, replica);
}


/*
 * All ids are known: reads the room, and a row and a profile for each member.
 */
static ngx_int_t
ngx_rooms_replica_ask(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    int64_t               marker;
    ngx_uint_t            i, n;
    rooms_str_t           id, room;
    ngx_rooms_batch_t    *b, *locals;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;
    room = s->remote.room;
    locals = rq->batch;

    marker = s->remote.of.data
             ? ngx_rooms_reply_int(locals->replies[replica->at_marker], -1)
             : -1;

    /* unknown local participants are left out */

    for (i = 0, n = replica->n, replica->n = 0; i < n; i++) {
        id = replica->ids[i];
        replica->rows[replica->n].ours = id.data == NULL;

        if (id.data == NULL) {
            id = ngx_rooms_reply_str(locals->replies[i]);

            if (id.data == NULL) {
                continue;
            }
        }

        if (ngx_rooms_replica_has(replica, id)) {
            return ngx_rooms_invalid(rq, "members", "name a participant "
                                                    "twice");
        }

        replica->remote[replica->n] = replica->remote[i];
        replica->ids[replica->n++] = id;
    }

    n = replica->n;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_load_room(b, &rq->keys, room);
    (void) ngx_rooms_tenant_load(b, &rq->keys);
    (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s", NGX_ROOMS_KEY_UNACCEPTED,
                         ROOMS_NULL, s->peer);

    if (s->remote.type == ROOMS_REMOTE_SNAPSHOT
        && ngx_rooms_replica_snapshot_ask(rq, replica, marker) != NGX_OK)
    {
        return NGX_ERROR;
    }

    replica->at_rows = b->commands.nelts;

    for (i = 0; i < n; i++) {
        (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s", NGX_ROOMS_KEY_MEMBERS,
                             room, replica->ids[i]);
        (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL,
                             replica->ids[i]);
    }

    ngx_rooms_replica_sides(replica, s->remote.sender.fqid);

    if (s->remote.room_type == ROOMS_DM && replica->peer[0].data) {
        replica->at_dm = b->commands.nelts;
        (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s%_%s", NGX_ROOMS_KEY_DMS,
                             ROOMS_NULL, replica->peer[0], replica->peer[1]);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_L_ROOM);
}


/* Takes over the name and avatar from the event, unless they are unchanged. */
static ngx_int_t
ngx_rooms_replica_profile(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica,
    ngx_uint_t i, rooms_str_t json)
{
    ngx_int_t               rc;
    rooms_remote_member_t  *remote;
    ngx_rooms_profile_t    *p;

    p = &replica->profiles[i];
    remote = &replica->remote[i];
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
        p->id = remote->fqid;
        p->type = ngx_rooms_s("federated");
        p->local = remote->local;
        p->server = remote->server;
        p->name = remote->name.data ? remote->name : remote->local;
        p->avatar = remote->avatar;
        return NGX_OK;
    }

    if (p->server.data == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT,
                              "a participant of this server has that id");
    }

    if (remote->name.data == NULL
        || (rooms_str_eq(p->name, remote->name)
            && rooms_str_eq(p->avatar, remote->avatar)))
    {
        replica->known[i] = 1;
        return NGX_OK;
    }

    p->name = remote->name;
    p->avatar = remote->avatar;

    return NGX_OK;
}


/* Whether the event names this member. */
static ngx_uint_t
ngx_rooms_replica_has(ngx_rooms_replica_t *replica, rooms_str_t id)
{
    ngx_uint_t  i;

    for (i = 0; i < replica->n; i++) {
        if (rooms_str_eq(replica->ids[i], id)) {
            return 1;
        }
    }

    return 0;
}


/*
 * No local participant is in it or has ever accepted it, and one is invited.
 */
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
                          "too many rooms of that server wait to be accepted "
                          "here");
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

    s = rq->parts;
    r = rq->batch->replies;

    rc = ngx_rooms_parse_room(r[0], s->remote.room, &replica->room);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    replica->fresh = rc == NGX_DECLINED;

    /* another server may have created it first */

    if (!replica->fresh && !rooms_str_eq(replica->room.origin, s->peer)) {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND,
                              "the room's home is another server");
    }

    if (!replica->fresh && s->remote.has_room
        && s->remote.room_type != replica->room.type)
    {
        return ngx_rooms_invalid(rq, "room", "has another type than before");
    }

    ngx_rooms_tenant_take(rq, r[1]);

    replica->full = ngx_rooms_reply_int(r[2], 0) >= NGX_ROOMS_UNACCEPTED_MAX;

    r += replica->at_rows;

    for (i = 0; i < replica->n; i++) {
        row = &replica->rows[i];
        row->membership = replica->remote[i].membership;
        row->power = replica->remote[i].power;
        row->joined_at = ngx_min(replica->remote[i].joined_at, rq->now);

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

    replica->closed = s->remote.state == ROOMS_CLOSED;

    if (dm.data && !replica->closed) {
        return ngx_rooms_replica_other_ask(rq, dm);
    }

    if (replica->full && !replica->closed) {
        return ngx_rooms_replica_refuse(rq);
    }

    return ngx_rooms_replica_ask_history(rq);
}


/* Reserves positions; the last round for a new replica. */
static ngx_int_t
ngx_rooms_replica_ask_history(ngx_rooms_req_t *rq)
{
    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_commit_reserve(rq->batch, &rq->keys, NGX_ROOMS_HISTORY)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_L_HISTORY);
}


/*
 * A snapshot names all members, if necessary in several parts.  Members that
 * it doesn't name are gone.  A set beside the room collects the names from
 * the parts, and the number of the last part; if one is missing, the snapshot
 * is incomplete.
 *
 * Local actions are decided here before the home receives them.  So a
 * snapshot may be older than a local action, and then says nothing about it.
 * If it answers an event that the home has refused, it says so, and then it
 * decides.
 */


/* One set for each snapshot, as two may be under way. */
static rooms_str_t
ngx_rooms_replica_key(ngx_rooms_req_t *rq)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;

    return ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_NAMED,
                         ngx_rooms_join(rq->pool, s->remote.room,
                                        ngx_rooms_s(":"), s->remote.of));
}


/*
 * Adds the part's names.  No participant id starts with a space, so the entry
 * with the part's number can't collide.
 */
static ngx_int_t
ngx_rooms_replica_name(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica,
    rooms_str_t key)
{
    ngx_uint_t            i, n;
    rooms_str_t          *argv;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;

    argv = ngx_palloc(rq->pool, (4 + 2 * replica->n) * sizeof(rooms_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    argv[0] = ngx_rooms_s("ZADD");
    argv[1] = key;
    argv[2] = ngx_rooms_number(rq->pool, s->remote.part);
    argv[3] = ngx_rooms_join(rq->pool, ngx_rooms_s(" "), s->remote.of);

    for (n = 4, i = 0; i < replica->n; i++) {
        argv[n++] = ngx_rooms_s("0");
        argv[n++] = replica->ids[i];
    }

    return argv[2].data && argv[3].data
           ? ngx_rooms_batch_add(rq->batch, argv, n) : NGX_ERROR;
}


/* For a snapshot: adds commands to the batch that reads the room. */
static ngx_int_t
ngx_rooms_replica_snapshot_ask(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica, int64_t marker)
{
    ngx_uint_t            i;
    rooms_str_t           key, at, room;
    ngx_rooms_batch_t    *b;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;
    b = rq->batch;
    room = s->remote.room;

    if (s->remote.refused.data) {
        replica->at_refused = b->commands.nelts;

        at = ngx_rooms_number(rq->pool,
                              rooms_event_position(s->remote.refused));
        (void) ngx_rooms_ask(b, &rq->keys, "ZRANGEBYSCORE %k %s %s",
                             NGX_ROOMS_KEY_EVENTS, room, at, at);

        /* what has happened to each of them since */

        for (i = 0; i < replica->n; i++) {
            (void) ngx_rooms_ask(b, &rq->keys, "ZSCORE %k m%_%s",
                                 NGX_ROOMS_KEY_USER_NEWS, replica->ids[i],
                                 room);
        }
    }

    if (s->remote.of.data == NULL
        || (s->remote.part && marker + 1 < (int64_t) s->remote.part))
    {
        return NGX_OK;
    }

    key = ngx_rooms_replica_key(rq);

    if (s->remote.part == 0) {
        (void) ngx_rooms_command(b, ngx_rooms_s("DEL"), key);
    }

    if (ngx_rooms_replica_name(rq, replica, key) != NGX_OK) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_command(b, ngx_rooms_s("PEXPIRE"), key,
                             ngx_rooms_s(NGX_ROOMS_SNAPSHOT_TTL));

    if (!s->remote.complete) {
        return NGX_OK;
    }

    replica->at_gone = b->commands.nelts;

    (void) ngx_rooms_ask(b, &rq->keys, "ZDIFF 2 %k %s", NGX_ROOMS_KEY_LIST,
                         room, key);
    (void) ngx_rooms_ask(b, &rq->keys, "ZDIFF 2 %k %s", NGX_ROOMS_KEY_BANS,
                         room, key);

    return b->failed ? NGX_ERROR : NGX_OK;
}


/*
 * Collects the members to remove, sorted by id, as many as one commit takes.
 * It continues after the last one of the previous commit.
 */
static ngx_int_t
ngx_rooms_replica_missing(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica,
    redisReply *list, rooms_str_t *last)
{
    ngx_uint_t            i, n;
    rooms_str_t           id;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;
    n = replica->nrows;

    for (i = 0; i < list->elements; i++) {
        id = ngx_rooms_reply_str(list->element[i]);

        if (last->data && !rooms_str_before(*last, id)) {
            continue;
        }

        if (replica->nrows == replica->n + NGX_ROOMS_REPLICA_GONE) {
            s->again = 1;
            break;
        }

        replica->ids[replica->nrows++] = id;
    }

    if (replica->nrows == n) {
        return NGX_OK;
    }

    *last = ngx_rooms_dup(rq->pool, replica->ids[replica->nrows - 1]);

    return last->data ? NGX_OK : NGX_ERROR;
}


/*
 * A local member was removed by another local one, and the home has refused
 * that.  Then the home's "join" may bring the member back, unless they have
 * come and gone since.
 */
static ngx_int_t
ngx_rooms_replica_returns(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    json_t               *content;
    int64_t               at;
    ngx_uint_t            i;
    rooms_str_t           who, was;
    rooms_stored_t        e;
    rooms_mirror_row_t   *row;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;

    rooms_stored_read(ngx_rooms_reply_str_at(ngx_rooms_reply(rq,
                                             replica->at_refused), 0),
                      0, &e);

    if (!rooms_stored_is(&e, s->remote.refused) || !e.readable
        || e.origin_id.data || !rooms_str_eq(e.type, ngx_rooms_s("member")))
    {
        return NGX_OK;
    }

    content = json_loadb((const char *) e.content.data, e.content.len, 0,
                         NULL);
    who = rooms_remote_str(content, "participant_id");
    was = rooms_remote_str(content, "previous");
    at = rooms_event_position(s->remote.refused);

    if (who.data && !rooms_str_eq(who, e.sender)
        && rooms_str_eq(was, rooms_cstr(rooms_membership_name(ROOMS_JOIN))))
    {
        for (i = 0; i < replica->n; i++) {
            row = &replica->rows[i];

            if (rooms_str_eq(replica->ids[i], who)
                && ngx_rooms_reply_int(
                         ngx_rooms_reply(rq, replica->at_refused + 1 + i), 0)
                   == at
                && (row->before.membership == ROOMS_LEAVE
                    || row->before.membership == ROOMS_BAN))
            {
                row->ours = 0;
            }
        }
    }

    json_decref(content);

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_replica_snapshot(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_uint_t            i;
    redisReply          **r;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;
    s->again = 0;

    /* a failed commit's members are looked at again */

    s->comparing = s->compared;

    if (replica->at_refused
        && ngx_rooms_replica_returns(rq, replica) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (replica->at_gone) {
        r = rq->batch->replies + replica->at_gone;

        if (ngx_rooms_replica_missing(rq, replica, r[0], &s->comparing.gone)
            != NGX_OK
            || ngx_rooms_replica_missing(rq, replica, r[1],
                                         &s->comparing.unbanned)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (replica->nrows == replica->n) {
        return ngx_rooms_replica_ask_unheard(rq, replica);
    }

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    for (i = replica->n; i < replica->nrows; i++) {
        (void) ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_MEMBERS, s->remote.room,
                             replica->ids[i]);
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_L_GONE);
}


static ngx_int_t
ngx_rooms_replica_gone(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_uint_t            i;
    rooms_str_t           server;
    rooms_mirror_row_t   *row;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;

    for (i = replica->n; i < replica->nrows; i++) {
        row = &replica->rows[i];
        row->membership = ROOMS_LEAVE;
        row->ours = !rooms_foreign(replica->ids[i], s->self, &server);

        if (ngx_rooms_parse_member(
                   ngx_rooms_reply_str(ngx_rooms_reply(rq, i - replica->n)),
                   replica->ids[i], &row->before) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_rooms_replica_ask_unheard(rq, replica);
}


/* A local member has joined, but the home says otherwise. */
static ngx_uint_t
ngx_rooms_replica_doubt(ngx_rooms_replica_t *replica, ngx_uint_t i)
{
    rooms_mirror_row_t  *row;

    row = &replica->rows[i];

    return row->ours && row->before.membership == ROOMS_JOIN
           && (i >= replica->n || row->membership == ROOMS_INVITE);
}


/* Asks whether the join is still in the outbox. */
static ngx_int_t
ngx_rooms_replica_ask_unheard(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica)
{
    ngx_uint_t            i;
    rooms_str_t           outbox, at;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    outbox = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_OUTBOX, s->peer);

    for (i = 0; i < replica->nrows; i++) {

        if (ngx_rooms_replica_doubt(replica, i)) {
            at = ngx_rooms_number(rq->pool,
                                  replica->rows[i].before.position);
            (void) ngx_rooms_command(rq->batch, ngx_rooms_s("ZCOUNT"),
                                     outbox, at, at);
        }
    }

    if (rq->batch->commands.nelts == 0) {
        return NGX_OK;
    }

    /* what was dropped is told again from this position on */

    (void) ngx_rooms_ask(rq->batch, &rq->keys, "ZSCORE %k r%_%s",
                         NGX_ROOMS_KEY_OUTBOX, s->peer, s->remote.room);

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_L_UNHEARD);
}


/*
 * If the join is still in the outbox, or left it so recently that the
 * snapshot may be older, the local state stays.  Otherwise the home decides.
 * It also decides if it has refused that join, or if local members have left
 * because federation ended.
 */
static ngx_int_t
ngx_rooms_replica_unheard(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    int64_t               refused, repeats;
    ngx_uint_t            i, n, waits;
    rooms_mirror_row_t   *row;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;
    refused = s->remote.refused.data ? rooms_event_position(s->remote.refused)
                                   : -1;
    repeats = ngx_rooms_reply_int(
                  ngx_rooms_reply(rq, rq->batch->commands.nelts - 1),
                  INT64_MAX);

    for (i = 0, n = 0; i < replica->nrows; i++) {
        row = &replica->rows[i];

        if (!ngx_rooms_replica_doubt(replica, i)) {
            continue;
        }

        waits = ngx_rooms_reply_int(ngx_rooms_reply(rq, n++), 0) > 0
                || repeats <= row->before.position;

        if (row->before.position == refused || !replica->room.federated
            || (!waits && row->before.joined_at + NGX_ROOMS_SNAPSHOT_AGE
                          < rq->now))
        {
            row->ours = 0;

        } else {
            row->membership = row->before.membership;
            row->power = row->before.power;
        }
    }

    return NGX_OK;
}


/*
 * Both participants of a DM may create it at the same time, each at its own
 * server.  Both servers then learn of both rooms and keep the one with the
 * lower id, which is the older one.  The other is closed by its home; on the
 * other server it starts closed, so that both sides can read its messages.
 *
 * If a server creates a DM although it knows ours, it has closed or lost
 * ours.  It knows ours once the event has left our outbox.
 */


/*
 * A DM has exactly two participants, the sender and a local one, and both
 * have joined.
 */
static void
ngx_rooms_replica_sides(ngx_rooms_replica_t *replica, rooms_str_t sender)
{
    ngx_uint_t   first;
    rooms_str_t  ours;

    replica->peer[0] = ROOMS_NULL;

    if (replica->n != 2 || replica->rows[0].ours == replica->rows[1].ours
        || replica->remote[0].membership != ROOMS_JOIN
        || replica->remote[1].membership != ROOMS_JOIN
        || !ngx_rooms_replica_has(replica, sender))
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


static ngx_int_t
ngx_rooms_replica_other_ask(ngx_rooms_req_t *rq, rooms_str_t id)
{
    ngx_rooms_replica_t  *replica;

    replica = rq->data;
    replica->other = ngx_rooms_dup(rq->pool, id);

    if (replica->other.data == NULL || ngx_rooms_batch(rq) == NULL
        || ngx_rooms_load_room(rq->batch, &rq->keys, replica->other)
           != NGX_OK
        || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_MEMBERS, replica->other,
                         ngx_rooms_replica_ours(replica)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_L_OTHER);
}


/*
 * Closes the other DM in the name of the local participant; either may do
 * that.  Then the event for the new one is judged again.
 */
static ngx_int_t
ngx_rooms_replica_other_close(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;
    s->again = 1;

    rq->data = NULL;
    rq->param[NGX_ROOMS_P_ROOM] = replica->other;
    rq->principal.sub = ngx_rooms_replica_ours(replica);
    rq->source_id = ROOMS_NULL;
    rq->source_server = ROOMS_NULL;

    ngx_memzero(&rq->view, sizeof(ngx_rooms_view_t));

    /* the room that replaces it, for clients that have it open */

    rq->in.text = ngx_rooms_join(rq->pool, ngx_rooms_s("replaced by "),
                                 s->remote.room);

    return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST, "/v1/rooms/{room}/close",
                                json_object());
}


static ngx_int_t
ngx_rooms_replica_other(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_int_t             rc;
    rooms_str_t           at;
    rooms_room_t          other;
    rooms_member_t        ours;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;

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
                              "the two participants have another DM");
    }

    /* if both are at home there, that server knows which one is newer */

    if (other.origin.data || rooms_str_before(s->room, other.id)) {
        return ngx_rooms_replica_other_close(rq, replica);
    }

    /* the local participant joined with the event that created the room */

    at = ngx_rooms_number(rq->pool, ours.position);

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_ask(rq->batch, &rq->keys, "ZCOUNT %k %s %s",
                         NGX_ROOMS_KEY_OUTBOX, s->peer, at, at) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_L_HEARD);
}


static ngx_int_t
ngx_rooms_replica_heard(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    if (ngx_rooms_reply_int(ngx_rooms_reply(rq, 0), 0) == 0) {
        return ngx_rooms_replica_other_close(rq, replica);
    }

    replica->closed = 1;

    return ngx_rooms_replica_ask_history(rq);
}


/* Applying the home's event as a change of the replica. */


/* The room from the event, with local ids. */
static ngx_int_t
ngx_rooms_replica_room(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica,
    rooms_room_t *room)
{
    ngx_uint_t            i, ours;
    rooms_str_t           server;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;

    ngx_memzero(room, sizeof(rooms_room_t));

    room->id = s->remote.room;
    room->type = s->remote.room_type;
    room->is_public = s->remote.is_public;
    room->federated = s->remote.federated;
    room->state = s->remote.state;
    room->creator = s->remote.creator;
    room->created_at = s->remote.room_created_at;
    room->name = s->remote.name;
    room->topic = s->remote.topic;
    room->origin = s->peer;
    room->origin_id = s->local.data ? s->room : ROOMS_NULL;
    room->unaccepted = replica->fresh && !replica->closed
                       && s->remote.state != ROOMS_CLOSED;

    if (!replica->fresh && replica->room.federated) {
        return NGX_OK;
    }

    /* a new or renewed replica needs a local member */

    if (replica->closed) {
        room->state = ROOMS_CLOSED;
    }

    for (i = 0, ours = 0; i < replica->n; i++) {

        if (rooms_str_eq(replica->remote[i].server, s->self)
            && !replica->rows[i].gone)
        {
            ours += replica->remote[i].membership == ROOMS_INVITE
                    || (replica->remote[i].membership == ROOMS_JOIN
                        && room->type == ROOMS_DM);
        }
    }

    if (ours == 0) {
        /* the subject is unknown here, or nobody local is concerned */

        return ngx_rooms_fail(rq, rooms_str_eq(s->subject.server, s->self)
                                  ? ROOMS_E_PARTICIPANT : ROOMS_E_NOT_FOUND,
                              NULL);
    }

    if (!replica->fresh) {
        return NGX_OK;
    }

    if (!rooms_foreign(room->creator, s->self, &server)) {
        return ngx_rooms_invalid(rq, "room",
                                 "must be created by a participant of another "
                                 "server");
    }

    if (room->type != ROOMS_DM) {
        return NGX_OK;
    }

    if (ours != 1 || replica->peer[0].data == NULL) {
        return ngx_rooms_invalid(rq, "members", "must be the two participants "
                                                "of a DM");
    }

    room->peer[0] = replica->peer[0];
    room->peer[1] = replica->peer[1];

    return NGX_OK;
}


/* Puts the event's subject first, since the content is about the first row. */
static void
ngx_rooms_replica_subject(ngx_rooms_replica_t *replica, rooms_str_t id)
{
    ngx_uint_t          i;
    rooms_mirror_row_t  row;

    for (i = 1; i < replica->nrows; i++) {

        if (rooms_str_eq(replica->rows[i].before.participant, id)) {
            row = replica->rows[i];
            replica->rows[i] = replica->rows[0];
            replica->rows[0] = row;
        }
    }
}


/* A snapshot becomes one event that names all changed members. */
static rooms_str_t
ngx_rooms_replica_content(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica,
    const rooms_change_t *change)
{
    size_t                     size;
    ngx_uint_t                 i;
    rooms_buf_t               *b;
    ngx_rooms_json_t           text;
    ngx_rooms_fedsend_t       *s;
    const rooms_transition_t  *t;

    s = rq->parts;

    if (change->nmembers <= 1 || change->event != ROOMS_EV_MEMBER
        || s->remote.type != ROOMS_REMOTE_SNAPSHOT)
    {
        return ngx_rooms_content(rq, replica->fresh ? NULL : &replica->room,
                                 change);
    }

    for (i = 0, size = 64; i < change->nmembers; i++) {
        size += 128 + ROOMS_JSON_STR(change->members[i].after.participant.len);
    }

    b = ngx_rooms_json(&text, rq->pool);

    rooms_json_lit(b, "{\"members\":[");

    for (i = 0; i < change->nmembers; i++) {
        t = &change->members[i];

        rooms_json_raw(b, ",", i > 0);
        rooms_json_put(b, "{\"participant_id\":%s,\"membership\":%s,"
                       "\"power_level\":%d}", t->after.participant,
                       rooms_cstr( rooms_membership_name(t->after.membership)),
                       (int64_t) t->after.power);
    }

    rooms_json_lit(b, "]}");

    return ngx_rooms_json_end(&text);
}


/*
 * Updates the profiles of new members, and those that their own server has
 * changed.
 */
static void
ngx_rooms_replica_names(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_uint_t  i, wanted;

    for (i = 0, wanted = 0; i < replica->n; i++) {

        if (replica->known[i]) {
            continue;
        }

        if (replica->remote[i].name.data == NULL) {
            ngx_rooms_profiles_want(&rq->commit, &rq->keys, replica->ids[i],
                                    rq->now, wanted++);
        }

        ngx_rooms_apply_person(&rq->commit, &rq->keys, replica->had[i],
                               &replica->profiles[i], rq->now);
    }
}


/* Records how new this is, so that a late, older snapshot changes nothing. */
static void
ngx_rooms_replica_note(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    int64_t               had;
    rooms_str_t           key;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;
    had = replica->fresh ? 0 : replica->room.snapshot_at;

    if (s->remote.as_of == 0) {
        return;
    }

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_ROOM, s->remote.room);

    ngx_rooms_commit_guard_field(&rq->commit, key, ngx_rooms_s("snapshot_at"),
                                 had ? ngx_rooms_number(rq->pool, had)
                                     : ROOMS_NULL);

    if (s->remote.as_of > had) {
        ngx_rooms_commit_write(&rq->commit, "HSET", key,
                               ngx_rooms_s("snapshot_at"),
                               ngx_rooms_number(rq->pool, s->remote.as_of));
    }
}


/* The room is unchanged, but names or the record may have changed. */
static ngx_int_t
ngx_rooms_replica_renames(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_uint_t  i;

    ngx_rooms_fedsend_t  *s;

    s = rq->parts;

    for (i = 0; i < replica->n && replica->known[i]; i++) { /* void */ }

    if ((i == replica->n && s->remote.as_of <= replica->room.snapshot_at)
        || replica->fresh)
    {
        return NGX_OK;
    }

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the record of the event needs a position */

    ngx_rooms_commit_positions(&rq->commit, 1);
    ngx_rooms_replica_names(rq, replica);
    ngx_rooms_replica_note(rq, replica);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_rooms_replica_decide(ngx_rooms_req_t *rq)
{
    rooms_str_t           key, content;
    rooms_mirror_t        in;
    rooms_change_t       *change;
    ngx_rooms_fedsend_t  *s;
    ngx_rooms_replica_t  *replica;

    s = rq->parts;
    replica = rq->data;

    if (rq->change == NULL) {
        rq->change = ngx_palloc(rq->pool, sizeof(rooms_change_t));
        if (rq->change == NULL) {
            return NGX_ERROR;
        }
    }

    change = rq->change;

    ngx_memzero(&in, sizeof(rooms_mirror_t));

    if (ngx_rooms_replica_room(rq, replica, &in.remote) != NGX_OK) {
        return NGX_ERROR;
    }

    if (s->subject_id.data) {
        ngx_rooms_replica_subject(replica, s->subject_id);
    }

    in.room = replica->fresh ? NULL : &replica->room;
    in.has_room = s->remote.has_room;
    in.rows = replica->rows;
    in.nrows = replica->nrows;
    in.event = s->remote.type == ROOMS_REMOTE_SNAPSHOT ? ROOMS_EV_MEMBER
                                                   : s->remote.type;
    in.reason = rooms_remote_str(s->remote.content, "reason");
    in.max_participants = rq->max_participants;
    in.now = rq->now;

    if (in.reason.data && rooms_topic_check(&in.reason) != NULL) {
        in.reason = ROOMS_NULL;
    }

    rooms_mirror(&in, change);

    if (change->code != ROOMS_OK) {
        return ngx_rooms_fail(rq, change->code, change->message);
    }

    if (change->noop) {
        return ngx_rooms_replica_renames(rq, replica);
    }

    rq->view.room = replica->room;

    content = ngx_rooms_replica_content(rq, replica, change);

    if (content.data == NULL
        || ngx_rooms_room_commit_content(rq, in.room, change, content)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (replica->fresh) {
        key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_ROOM, s->remote.room);

        ngx_rooms_commit_guard_field(&rq->commit, key, ngx_rooms_s("meta"),
                                     ROOMS_NULL);
        ngx_rooms_commit_write(&rq->commit, "HSET", key,
                     ngx_rooms_s("history"),
                     ngx_rooms_join(rq->pool,
                                    ngx_rooms_number(rq->pool,
                                                     replica->history
                                                     - NGX_ROOMS_HISTORY + 1),
                                    ngx_rooms_s(" "),
                                    ngx_rooms_number(rq->pool,
                                                     replica->history)));
        ngx_rooms_apply_early(&rq->commit, &rq->keys, s->remote.room,
                              replica->history - NGX_ROOMS_HISTORY + 1);
    }

    if (!replica->fresh && (change->write & ROOMS_F_FEDERATED)
        && !change->room.federated)
    {
        /* the home has ended federation: its participants leave here, too */

        ngx_rooms_endings_add(&rq->commit, &rq->keys, &change->room,
                              s->remote.sender.fqid, rq->now);
    }

    ngx_rooms_replica_names(rq, replica);
    ngx_rooms_replica_note(rq, replica);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}
