/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* What is told of a replica, as a change of it. */

#include "ngx_rooms_federation_replica.h"
#include "ngx_rooms_endings.h"
#include "ngx_rooms_profiles.h"


/* The room as it is told, with names of here. */
static ngx_int_t
ngx_rooms_replica_room(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica,
    rooms_room_t *room)
{
    ngx_uint_t            i, ours;
    rooms_str_t           server;
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
    room->origin_id = s->local.data ? s->room : ROOMS_NULL;
    room->unaccepted = replica->fresh && !replica->closed
                       && s->told.state != ROOMS_CLOSED;

    if (!replica->fresh && replica->room.federated) {
        return NGX_OK;
    }

    /* what makes a replica, of nothing or again, has somebody of ours in it */

    if (replica->closed) {
        room->state = ROOMS_CLOSED;
    }

    for (i = 0, ours = 0; i < replica->n; i++) {

        if (rooms_str_eq(replica->told[i].server, s->self)
            && !replica->rows[i].gone)
        {
            ours += replica->told[i].membership == ROOMS_INVITE
                    || (replica->told[i].membership == ROOMS_JOIN
                        && room->type == ROOMS_DM);
        }
    }

    if (ours == 0) {
        /* of whom it is about nobody is here; or it isn't about any of ours */

        return ngx_rooms_fail(rq, rooms_str_eq(s->subject.server, s->self)
                                  ? ROOMS_E_PARTICIPANT : ROOMS_E_NOT_FOUND,
                              NULL);
    }

    if (!replica->fresh) {
        return NGX_OK;
    }

    if (!rooms_foreign(room->creator, s->self, &server)) {
        return ngx_rooms_invalid(rq, "room",
                                 "is made by nobody of another server");
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


/* How those are called who are new, or whose own server says so anew. */
static void
ngx_rooms_replica_names(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_uint_t  i, wanted;

    for (i = 0, wanted = 0; i < replica->n; i++) {

        if (replica->known[i]) {
            continue;
        }

        if (replica->told[i].name.data == NULL) {
            ngx_rooms_profiles_want(&rq->commit, &rq->keys, replica->ids[i],
                                    rq->now, wanted++);
        }

        ngx_rooms_apply_person(&rq->commit, &rq->keys, replica->had[i],
                               &replica->profiles[i], rq->now);
    }
}


/* How new this is: an older snapshot that comes later undoes nothing. */
static void
ngx_rooms_replica_note(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    int64_t               had;
    rooms_str_t           key;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    had = replica->fresh ? 0 : replica->room.told_at;

    if (s->told.as_of == 0) {
        return;
    }

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_ROOM, s->told.room);

    ngx_rooms_commit_guard_field(&rq->commit, key, ngx_rooms_s("told_at"),
                                 had ? ngx_rooms_number(rq->pool, had)
                                     : ROOMS_NULL);

    if (s->told.as_of > had) {
        ngx_rooms_commit_write(&rq->commit, "HSET", key,
                               ngx_rooms_s("told_at"),
                               ngx_rooms_number(rq->pool, s->told.as_of));
    }
}


/* Nothing of the room changes: it may be told for the names alone. */
static ngx_int_t
ngx_rooms_replica_renames(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_uint_t  i;

    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    for (i = 0; i < replica->n && replica->known[i]; i++) { /* void */ }

    if ((i == replica->n && s->told.as_of <= replica->room.told_at)
        || replica->fresh)
    {
        return NGX_OK;
    }

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the note that the event was here has a position in it */

    ngx_rooms_commit_positions(&rq->commit, 1);
    ngx_rooms_replica_names(rq, replica);
    ngx_rooms_replica_note(rq, replica);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_rooms_replica_decide(ngx_rooms_req_t *rq)
{
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

    ngx_rooms_replica_names(rq, replica);
    ngx_rooms_replica_note(rq, replica);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}
