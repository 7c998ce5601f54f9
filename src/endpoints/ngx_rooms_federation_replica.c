/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What the home of a room tells of it: who is in it and how it is called.
 * The first such event, which invites one of ours, makes the replica.
 */

#include "ngx_rooms_federation_send.h"
#include "ngx_rooms_endings.h"


/* Positions kept free before a replica's first event, for its history. */
#define NGX_ROOMS_HISTORY  10000

/* Of the ids in a replica, for what a snapshot doesn't name. */
#define NGX_ROOMS_REPLICA_LIST  (ROOMS_TOLD_MEMBERS + 1)

/* A snapshot that was under way when somebody joined is older than that. */
#define NGX_ROOMS_REPLICA_AGE  (10 * 1000)     /* ms */

typedef enum {
    NGX_ROOMS_L_BEGIN = 0,
    NGX_ROOMS_L_LOCALS,                    /* ids of our participants */
    NGX_ROOMS_L_ROOM,                      /* the room and the rows */
    NGX_ROOMS_L_GONE,                      /* rows that weren't told */
    NGX_ROOMS_L_UNHEARD,                   /* joins that wait to be told */
    NGX_ROOMS_L_HISTORY                    /* free positions */
} ngx_rooms_replica_round_e;

typedef struct {
    ngx_uint_t             n;
    rooms_told_member_t   *told;
    rooms_str_t           *ids;            /* here */
    rooms_mirror_row_t    *rows;
    ngx_rooms_profile_t   *profiles;
    u_char                *known;          /* and unchanged */
    ngx_uint_t             nrows;
    ngx_uint_t             fresh;          /* no replica yet */
    int64_t                history;        /* the last free position */
    rooms_str_t            peer[2];        /* of a DM; NULL: no two sides */
    ngx_uint_t             at_dm;          /* reply: the room of those, or 0 */
    rooms_room_t           room;           /* as it was */
} ngx_rooms_replica_t;


static ngx_int_t ngx_rooms_replica_load(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_replica_decide(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_replica_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_replica_ask(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static ngx_int_t ngx_rooms_replica_take(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static ngx_int_t ngx_rooms_replica_gone(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static ngx_int_t ngx_rooms_replica_ask_unheard(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static ngx_int_t ngx_rooms_replica_unheard(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);
static ngx_uint_t ngx_rooms_replica_told(ngx_rooms_replica_t *replica,
    rooms_str_t id);
static void ngx_rooms_replica_sides(ngx_rooms_replica_t *replica,
    rooms_str_t sender);


static const ngx_rooms_endpoint_t  ngx_rooms_replica_row = {
    NGX_HTTP_POST, "(replica)", NGX_ROOMS_PART_FEDERATION, 0, ROOMS_OP_READ,
    ngx_rooms_replica_load, ngx_rooms_replica_decide, NULL, NULL, NULL
};


ngx_int_t
ngx_rooms_fedsend_replica(ngx_rooms_req_t *rq)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

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
               || s->told.state == ROOMS_CLOSED
               || (s->told.room_type == ROOMS_DM
                   && !rooms_str_eq(s->told.sender.server, s->peer)))
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

    case NGX_ROOMS_L_GONE:
        return ngx_rooms_replica_gone(rq, replica);

    case NGX_ROOMS_L_UNHEARD:
        return ngx_rooms_replica_unheard(rq, replica);

    default:
        replica->history = ngx_rooms_reply_int(ngx_rooms_reply(rq, 0), 0);
        return NGX_OK;
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

    max = replica->n + NGX_ROOMS_REPLICA_LIST;

    replica->told = ngx_pcalloc(rq->pool, (replica->n + 1)
                                          * sizeof(rooms_told_member_t));
    replica->ids = ngx_pcalloc(rq->pool, max * sizeof(rooms_str_t));
    replica->rows = ngx_pcalloc(rq->pool, max * sizeof(rooms_mirror_row_t));
    replica->profiles = ngx_pcalloc(rq->pool, (replica->n + 1)
                                              * sizeof(ngx_rooms_profile_t));
    replica->known = ngx_pcalloc(rq->pool, replica->n + 1);

    if (replica->told == NULL || replica->ids == NULL || replica->rows == NULL
        || replica->profiles == NULL || replica->known == NULL)
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

        if (!rooms_str_eq(replica->told[i].server, s->self)) {
            replica->ids[i] = replica->told[i].fqid;
        }

        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_LOCALS,
                                               ROOMS_NULL),
                                 replica->told[i].local);
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_L_LOCALS;

    return replica->n ? ngx_rooms_send(rq)
                      : ngx_rooms_replica_ask(rq, replica);
}


/* With ids in hand: the room, and a row and a profile of each. */
static ngx_int_t
ngx_rooms_replica_ask(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_uint_t            i, n;
    rooms_str_t           id, room, tenant;
    ngx_rooms_batch_t    *b, *locals;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    room = s->told.room;
    locals = rq->batch;

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

    tenant = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_TENANT, ROOMS_NULL);

    (void) ngx_rooms_load_room(b, &rq->keys, room);
    (void) ngx_rooms_command(b, ngx_rooms_s("HMGET"), tenant,
                             ngx_rooms_s("max_rooms"), ngx_rooms_s("rooms"),
                             ngx_rooms_s("max_participants"));
    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGE"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_LIST,
                                           room),
                             ngx_rooms_s("0"),
                             ngx_rooms_number(rq->pool,
                                              s->told.complete
                                              ? NGX_ROOMS_REPLICA_LIST : 0));

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

    replica->at_dm = 0;
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

    rc = ngx_rooms_parse_profile(rq->pool, json, replica->ids[i], p);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (replica->rows[i].ours) {
        replica->known[i] = 1;
        return NGX_OK;
    }

    if (rc == NGX_DECLINED) {
        ngx_memzero(p, sizeof(ngx_rooms_profile_t));
        p->id = told->fqid;
        p->type = ngx_rooms_s("user");
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


static ngx_uint_t
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


static ngx_int_t
ngx_rooms_replica_take(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    redisReply           *tenant, *list;
    rooms_str_t           id, room;
    ngx_rooms_batch_t    *had;
    rooms_mirror_row_t   *row;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    had = rq->batch;
    room = s->told.room;

    rc = ngx_rooms_parse_room(had->replies[0], room, &replica->room);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    replica->fresh = rc == NGX_DECLINED;

    /* another server may have been quicker */

    if (!replica->fresh && !rooms_str_eq(replica->room.origin, s->peer)) {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND,
                              "the room is at home elsewhere");
    }

    tenant = had->replies[1];
    rq->max_rooms = ngx_rooms_reply_int(ngx_rooms_reply_element(tenant, 0),
                                        rq->conf->max_rooms);
    rq->tenant_full = rq->max_rooms >= 0
                      && ngx_rooms_reply_int(ngx_rooms_reply_element(tenant,
                                                                     1), 0)
                         >= rq->max_rooms;
    rq->max_participants = ngx_rooms_reply_int(
                                       ngx_rooms_reply_element(tenant, 2),
                                       rq->conf->max_participants);

    for (i = 0; i < replica->n; i++) {
        row = &replica->rows[i];
        row->membership = replica->told[i].membership;
        row->power = replica->told[i].power;
        row->joined_at = replica->told[i].joined_at;

        if (ngx_rooms_parse_member(ngx_rooms_reply_str(
                                               had->replies[3 + 2 * i]),
                                   replica->ids[i], &row->before) != NGX_OK
            || ngx_rooms_replica_profile(rq, replica, i,
                         ngx_rooms_reply_str(had->replies[4 + 2 * i]))
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    replica->nrows = replica->n;
    list = had->replies[2];

    if (replica->fresh) {

        if (rq->tenant_full) {
            return ngx_rooms_fail(rq, ROOMS_E_TENANT_CAPACITY, NULL);
        }

        /* waiting would not make room for it */

        if (replica->at_dm
            && ngx_rooms_reply_str(had->replies[replica->at_dm]).data)
        {
            return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT,
                                  "the two have another DM");
        }

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_command(rq->batch, ngx_rooms_s("INCRBY"),
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_POSITION,
                                               ROOMS_NULL),
                                 ngx_rooms_number(rq->pool,
                                                  NGX_ROOMS_HISTORY))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        rq->round = NGX_ROOMS_L_HISTORY;

        return ngx_rooms_send(rq);
    }

    if (!s->told.complete || list->elements >= NGX_ROOMS_REPLICA_LIST) {
        return ngx_rooms_replica_ask_unheard(rq, replica);
    }

    /* who isn't told of is no longer there */

    for (i = 0; i < list->elements; i++) {
        id = ngx_rooms_reply_str(list->element[i]);

        if (!ngx_rooms_replica_told(replica, id)) {
            replica->ids[replica->nrows++] = id;
        }
    }

    if (replica->nrows == replica->n) {
        return ngx_rooms_replica_ask_unheard(rq, replica);
    }

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    for (i = replica->n; i < replica->nrows; i++) {
        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_MEMBERS, room),
                                 replica->ids[i]);
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_L_GONE;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_replica_gone(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_uint_t            i;
    rooms_str_t           server;
    rooms_mirror_row_t   *row;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

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


/* One of ours has joined, and a snapshot doesn't say so. */
static ngx_uint_t
ngx_rooms_replica_doubt(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica,
    ngx_uint_t i)
{
    rooms_mirror_row_t   *row;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    row = &replica->rows[i];

    if (!row->ours || row->before.membership != ROOMS_JOIN
        || s->told.type != ROOMS_TOLD_SNAPSHOT)
    {
        return 0;
    }

    return i >= replica->n
           || (row->membership == ROOMS_INVITE
               && row->before.joined_at + NGX_ROOMS_REPLICA_AGE < rq->now);
}


/* Whether the join still waits to be told. */
static ngx_int_t
ngx_rooms_replica_ask_unheard(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica)
{
    ngx_uint_t            i;
    rooms_str_t           outbox, at;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    outbox = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_OUTBOX, s->peer);

    for (i = 0; i < replica->nrows; i++) {

        if (ngx_rooms_replica_doubt(rq, replica, i)) {
            at = ngx_rooms_number(rq->pool,
                                  replica->rows[i].before.position);
            (void) ngx_rooms_command(rq->batch, ngx_rooms_s("ZCOUNT"),
                                     outbox, at, at);
        }
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_L_UNHEARD;

    return rq->batch->commands.nelts ? ngx_rooms_send(rq) : NGX_OK;
}


/* If so, the home says nothing of it; if not, it has the last word. */
static ngx_int_t
ngx_rooms_replica_unheard(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_uint_t           i, n;
    rooms_mirror_row_t  *row;

    for (i = 0, n = 0; i < replica->nrows; i++) {
        row = &replica->rows[i];

        if (!ngx_rooms_replica_doubt(rq, replica, i)) {
            continue;
        }

        if (ngx_rooms_reply_int(ngx_rooms_reply(rq, n++), 0) > 0) {
            row->membership = row->before.membership;
            row->power = row->before.power;

        } else {
            row->ours = 0;
        }
    }

    return NGX_OK;
}


/* A DM has two sides, of which one is the sender, and one is of ours. */
static void
ngx_rooms_replica_sides(ngx_rooms_replica_t *replica, rooms_str_t sender)
{
    size_t       n;
    ngx_int_t    rc;
    rooms_str_t  ours;

    replica->peer[0] = ROOMS_NULL;

    if (replica->n != 2 || replica->rows[0].ours == replica->rows[1].ours
        || !ngx_rooms_replica_told(replica, sender))
    {
        return;
    }

    ours = replica->ids[!replica->rows[0].ours];
    n = ngx_min(sender.len, ours.len);
    rc = ngx_memcmp(sender.data, ours.data, n);
    rc = rc < 0 || (rc == 0 && sender.len < ours.len);

    replica->peer[0] = rc ? sender : ours;
    replica->peer[1] = rc ? ours : sender;
}


/* The room as it is told, with names of here. */
static ngx_int_t
ngx_rooms_replica_room(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica,
    rooms_room_t *room)
{
    ngx_uint_t            i, ours;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    ngx_memzero(room, sizeof(rooms_room_t));

    room->id = s->told.room;
    room->type = s->told.room_type;
    room->is_public = s->told.is_public;
    room->federated = s->told.federated;
    room->state = s->told.state;
    room->creator = s->told.creator;
    room->created_at = s->told.room_created_at;
    room->name = s->told.name;
    room->topic = s->told.topic;
    room->origin = s->peer;

    if (!replica->fresh) {
        return NGX_OK;
    }

    for (i = 0, ours = 0; i < replica->n; i++) {

        if (replica->rows[i].ours) {
            ours += replica->rows[i].membership == ROOMS_INVITE
                    || (replica->rows[i].membership == ROOMS_JOIN
                        && room->type == ROOMS_DM);
        }
    }

    if (ours == 0) {
        return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL);
    }

    if (room->type != ROOMS_DM) {
        return NGX_OK;
    }

    if (ours != 1 || replica->peer[0].data == NULL) {
        return ngx_rooms_invalid(rq, "members", "are not the two of a DM");
    }

    room->peer[0] = replica->peer[0];
    room->peer[1] = replica->peer[1];

    return NGX_OK;
}


/* The one whom the event is about comes first: its content is of that one. */
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


/* A snapshot is told as one event that names all whom it changes. */
static rooms_str_t
ngx_rooms_replica_content(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica,
    const rooms_change_t *change)
{
    size_t                     size;
    u_char                    *start;
    ngx_uint_t                 i;
    rooms_buf_t                b;
    ngx_rooms_fedsend_t       *s;
    const rooms_transition_t  *t;

    s = rq->several;

    if (change->nmembers <= 1 || change->event != ROOMS_EV_MEMBER
        || s->told.type != ROOMS_TOLD_SNAPSHOT)
    {
        return ngx_rooms_content(rq, replica->fresh ? NULL : &replica->room,
                                 change);
    }

    for (i = 0, size = 64; i < change->nmembers; i++) {
        size += 128 + ROOMS_JSON_STR(change->members[i].after.participant.len);
    }

    start = ngx_pnalloc(rq->pool, size);
    if (start == NULL) {
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, start, size);
    rooms_json_lit(&b, "{\"members\":[");

    for (i = 0; i < change->nmembers; i++) {
        t = &change->members[i];

        rooms_json_raw(&b, ",", i > 0);
        rooms_json_lit(&b, "{\"participant_id\":");
        rooms_json_str(&b, t->after.participant);
        rooms_json_lit(&b, ",\"membership\":");
        rooms_json_str(&b, rooms_cstr(
                             rooms_membership_name(t->after.membership)));
        rooms_json_lit(&b, ",\"power_level\":");
        rooms_json_int(&b, t->after.power);
        rooms_json_lit(&b, "}");
    }

    rooms_json_lit(&b, "]}");

    return (rooms_str_t) { b.last - start, start };
}


static ngx_int_t
ngx_rooms_replica_decide(ngx_rooms_req_t *rq)
{
    ngx_uint_t            i;
    rooms_str_t           key, content;
    rooms_mirror_t        in;
    rooms_change_t       *change;
    ngx_rooms_fedsend_t  *s;
    ngx_rooms_replica_t  *replica;

    s = rq->several;
    replica = rq->data;

    if (rq->change == NULL) {
        rq->change = ngx_palloc(rq->pool, sizeof(rooms_change_t));
        if (rq->change == NULL) {
            return NGX_ERROR;
        }
    }

    change = rq->change;

    ngx_memzero(&in, sizeof(rooms_mirror_t));

    if (ngx_rooms_replica_room(rq, replica, &in.told) != NGX_OK) {
        return NGX_ERROR;
    }

    if (s->subject_id.data) {
        ngx_rooms_replica_subject(replica, s->subject_id);
    }

    in.room = replica->fresh ? NULL : &replica->room;
    in.has_room = s->told.has_room;
    in.rows = replica->rows;
    in.nrows = replica->nrows;
    in.event = s->told.type == ROOMS_TOLD_SNAPSHOT ? ROOMS_EV_MEMBER
                                                   : s->told.type;
    in.reason = rooms_told_str(s->told.content, "reason");
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
        return NGX_OK;
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
        key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_ROOM, s->told.room);

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
    }

    if (!replica->fresh && (change->write & ROOMS_F_FEDERATED)
        && !change->room.federated)
    {
        /* the home has ended it: so do we, and its participants leave */

        ngx_rooms_endings_add(&rq->commit, &rq->keys, &change->room,
                              s->told.sender.fqid, rq->now);
    }

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL);

    for (i = 0; i < replica->n; i++) {

        if (!replica->known[i]) {
            ngx_rooms_commit_write(&rq->commit, "HSET", key,
                            replica->ids[i],
                            ngx_rooms_format_profile(rq->pool,
                                                     &replica->profiles[i],
                                                     rq->now));
        }
    }

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}
