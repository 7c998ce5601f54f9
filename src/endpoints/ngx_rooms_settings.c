/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The caller's own settings in a room: notification mode, mute, read marker.
 * They don't change the room, so the room's timeline gets no event, and they
 * work in frozen rooms.
 */

#include "ngx_rooms_endpoints.h"


static ngx_int_t ngx_rooms_settings_change(ngx_rooms_req_t *rq,
    ngx_rooms_own_t before);


#define NGX_ROOMS_MUTE_MAX  (INT64_C(10) * 366 * 86400)     /* s */


static ngx_int_t
ngx_rooms_settings_mode(ngx_rooms_req_t *rq, ngx_rooms_own_t *own)
{
    ngx_int_t    mode;
    rooms_str_t  s;
    const char  *field;

    field = "notification_mode";
    s = ngx_rooms_body_str(rq, field);

    if (s.data == NULL) {
        field = "mode";
        s = ngx_rooms_body_str(rq, field);
    }

    if (s.data == NULL) {
        return ngx_rooms_invalid(rq, "notification_mode", "is required");
    }

    mode = ngx_rooms_mode_parse(s);

    if (mode < 0) {
        return ngx_rooms_invalid(rq, field,
                          "must be \"all\", \"mentions\", \"none\" or "
                          "\"inherit\"");
    }

    own->mode = mode;

    return NGX_OK;
}


/*
 * Takes a time, a number of seconds, or true or false.  A time in the past
 * unmutes.
 */
static ngx_int_t
ngx_rooms_settings_mute(ngx_rooms_req_t *rq, ngx_rooms_own_t *own)
{
    json_t       *muted, *duration;
    int64_t       seconds;
    rooms_str_t   until;

    muted = ngx_rooms_body_get(rq, "muted");
    duration = ngx_rooms_body_get(rq, "duration");
    until = ngx_rooms_body_str(rq, "muted_until");

    if (until.data && duration) {
        return ngx_rooms_invalid(rq, "duration",
                                 "must not be given together with "
                                 "muted_until");
    }

    if (muted && !json_is_true(muted) && (until.data || duration)) {
        return ngx_rooms_invalid(rq, "muted",
                                 "must not be false together with a time");
    }

    if (until.data) {
        own->muted_until = rooms_time_parse(until);

        if (own->muted_until == -1) {
            return ngx_rooms_invalid(rq, "muted_until",
                                     "must be an RFC 3339 time");
        }

        /* don't store a mute that is over */

        if (own->muted_until <= rq->now) {
            own->muted_until = 0;
        }

        return NGX_OK;
    }

    if (duration) {
        seconds = json_integer_value(duration);

        if (seconds < 1 || seconds > NGX_ROOMS_MUTE_MAX) {
            return ngx_rooms_invalid(rq, "duration",
                                     "must be 1 to 316224000 seconds");
        }

        own->muted_until = rq->now + seconds * 1000;
        return NGX_OK;
    }

    if (muted == NULL) {
        return ngx_rooms_invalid(rq, "muted_until",
                                 "is required, unless duration or muted is "
                                 "given");
    }

    own->muted_until = json_is_true(muted) ? NGX_ROOMS_MUTED_FOREVER : 0;

    return NGX_OK;
}


/* Begins a commit that guards the caller's membership. */
static ngx_int_t
ngx_rooms_settings_begin(ngx_rooms_req_t *rq)
{
    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_commit_guard_field(&rq->commit,
                            ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_MEMBERS,
                                          rq->view.room.id),
                            rq->principal.sub,
                            ngx_rooms_format_member(rq->pool, &rq->view.me));
    return NGX_OK;
}


/* A field with its default value is deleted. */
static void
ngx_rooms_settings_write(ngx_rooms_req_t *rq, rooms_str_t field,
    rooms_str_t value, ngx_uint_t is_default)
{
    rooms_str_t  key;

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_OWN, rq->view.room.id);

    if (is_default) {
        ngx_rooms_commit_write(&rq->commit, "HDEL", key, field);

    } else {
        ngx_rooms_commit_write(&rq->commit, "HSET", key, field, value);
    }
}


/* Overwrites the changed fields, whatever they are by then. */
static ngx_int_t
ngx_rooms_settings_commit(ngx_rooms_req_t *rq, const ngx_rooms_own_t *before,
    const ngx_rooms_own_t *after)
{
    rooms_str_t  who;

    if (ngx_rooms_settings_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    who = rq->principal.sub;

    if (after->mode != before->mode) {
        ngx_rooms_settings_write(rq,
                 ngx_rooms_own_field(rq->pool, NGX_ROOMS_OWN_MODE, who),
                 rooms_cstr(ngx_rooms_mode_name(after->mode)),
                 after->mode == 0);
    }

    if (after->muted_until != before->muted_until) {
        ngx_rooms_settings_write(rq,
                 ngx_rooms_own_field(rq->pool, NGX_ROOMS_OWN_MUTE, who),
                 ngx_rooms_number(rq->pool, after->muted_until),
                 after->muted_until == 0);
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_mode_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_own_t  before;

    before = rq->view.own;

    return ngx_rooms_settings_mode(rq, &rq->view.own) == NGX_OK
           ? ngx_rooms_settings_change(rq, before) : NGX_ERROR;
}


ngx_int_t
ngx_rooms_mute_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_own_t  before;

    before = rq->view.own;

    return ngx_rooms_settings_mute(rq, &rq->view.own) == NGX_OK
           ? ngx_rooms_settings_change(rq, before) : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_settings_change(ngx_rooms_req_t *rq, ngx_rooms_own_t before)
{
    if (ngx_rooms_room_permit(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rq->view.own.mode == before.mode
        && rq->view.own.muted_until == before.muted_until)
    {
        return NGX_OK;
    }

    return ngx_rooms_settings_commit(rq, &before, &rq->view.own);
}


ngx_int_t
ngx_rooms_settings_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"room_id\":%s,\"notification_mode\":%s,"
                   "\"muted_until\":", rq->view.room.id,
                   rooms_cstr(ngx_rooms_mode_name(rq->view.own.mode)));
    ngx_rooms_view_muted(b, &rq->view, rq->now);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}


/* The read marker */


/*
 * The event's id contains its position, so the event and the count of redacted
 * messages behind it can be read in the same round as the room.
 */
static ngx_int_t
ngx_rooms_read_ask(ngx_rooms_req_t *rq)
{
    int64_t      at;
    rooms_str_t  room;

    room = rq->param[NGX_ROOMS_P_ROOM];
    at = rooms_event_position(ngx_rooms_body_str(rq, "event_id"));
    at = ngx_max(at, 0);

    (void) ngx_rooms_ask(rq->batch, &rq->keys, "ZRANGEBYSCORE %k %d %d",
                         NGX_ROOMS_KEY_EVENTS, room, at, at);
    (void) ngx_rooms_ask(rq->batch, &rq->keys, "ZCOUNT %k (%d +inf",
                         NGX_ROOMS_KEY_REDACTED, room, at);

    return rq->batch->failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_rooms_read_load(ngx_rooms_req_t *rq)
{
    rq->ask = ngx_rooms_read_ask;

    return ngx_rooms_room_load(rq);
}


typedef struct {
    int64_t       position;
    rooms_str_t   event;
    int64_t       unread;
    unsigned      advanced:1;
} ngx_rooms_read_t;


/* The stored form of a marker; NULL: none. */
static rooms_str_t
ngx_rooms_read_marker(ngx_rooms_req_t *rq, const ngx_rooms_own_t *own)
{
    if (own->event.data == NULL) {
        return ROOMS_NULL;
    }

    return ngx_rooms_join(rq->pool, ngx_rooms_number(rq->pool, own->position),
                          ngx_rooms_s(" "), own->event, ngx_rooms_s(" "),
                          ngx_rooms_number(rq->pool, own->number));
}


ngx_int_t
ngx_rooms_read_decide(ngx_rooms_req_t *rq)
{
    rooms_str_t           id, row, key, name;
    redisReply           *found;
    rooms_stored_t        e;
    ngx_rooms_own_t       before;
    ngx_rooms_read_t     *read;
    ngx_rooms_batch_t    *b;

    b = rq->asked_batch;

    if (ngx_rooms_room_permit(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    id = ngx_rooms_body_str(rq, "event_id");
    found = b->replies[rq->at_own];
    row = ngx_rooms_reply_str_at(found, 0);

    rooms_stored_read(row, 0, &e);

    if (!rooms_stored_is(&e, id)) {
        return ngx_rooms_fail(rq, ROOMS_E_EVENT, NULL);
    }

    read = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_read_t));
    if (read == NULL) {
        return NGX_ERROR;
    }

    rq->data = read;
    before = rq->view.own;

    read->position = rooms_event_position(id);
    read->event = id;
    read->unread = rq->view.unread;

    if (before.event.data && before.position >= read->position) {
        /* a marker never moves back */
        read->position = before.position;
        read->event = before.event;
        return NGX_OK;
    }

    read->advanced = 1;

    rq->view.own.event = id;
    rq->view.own.position = read->position;

    rq->view.own.number = ngx_max(e.number, before.number);

    /* what precedes the join doesn't count */

    if (read->position > rq->view.me.position) {
        read->unread = rq->view.room.messages
                       - ngx_max(rq->view.own.number, rq->view.me.number)
                       - ngx_rooms_reply_int(b->replies[rq->at_own + 1], 0);
        read->unread = ngx_max(read->unread, 0);
    }

    if (ngx_rooms_settings_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_OWN, rq->view.room.id);
    name = ngx_rooms_own_field(rq->pool, NGX_ROOMS_OWN_READ,
                               rq->principal.sub);

    /* the commit fails if the marker is already further */

    ngx_rooms_commit_guard_below(&rq->commit, key, name, read->position);
    ngx_rooms_commit_write(&rq->commit, "HSET", key, name,
                           ngx_rooms_read_marker(rq, &rq->view.own));

    ngx_rooms_apply_marker_event(&rq->commit, &rq->keys, &rq->view.room,
                   rq->principal.sub,
                   (rooms_str_t) { sizeof(rq->random), rq->random },
                   ngx_rooms_join(rq->pool, ngx_rooms_s("{\"event_id\":\""),
                                  id,
                                  ngx_rooms_s("\",\"stream_position\":"),
                                  ngx_rooms_number(rq->pool, read->position),
                                  ngx_rooms_s("}")),
                   rq->now);

    return NGX_OK;
}


ngx_int_t
ngx_rooms_read_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t       *b;
    ngx_rooms_read_t  *read;

    read = rq->data;

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"event_id\":%s,\"stream_position\":%d,"
                   "\"unread_count\":%d,\"advanced\":", read->event,
                   (int64_t) read->position, (int64_t) read->unread);
    rooms_json_bool(b, read->advanced);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
