/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The content of the events that a change causes: who, the old value, the new
 * one.
 */

#include "ngx_rooms_endpoints.h"


const rooms_transition_t *
ngx_rooms_subject(const rooms_change_t *change)
{
    ngx_uint_t                 i;
    const rooms_transition_t  *t;

    for (i = 0; i < change->nmembers; i++) {
        t = &change->members[i];

        if (rooms_str_eq(t->after.participant,
                         change->successor.participant))
        {
            continue;
        }

        if (t->before.membership != t->after.membership
            || t->before.power != t->after.power)
        {
            return t;
        }
    }

    return &change->members[0];
}


void
ngx_rooms_content_key(rooms_buf_t *b, const char *key, rooms_str_t value)
{
    /* out of memory, not even the brace may be there */

    if (b->last > b->start && b->last[-1] != '{') {
        rooms_json_lit(b, ",");
    }

    rooms_json_lit(b, "\"");
    rooms_json_raw(b, key, ngx_strlen(key));
    rooms_json_lit(b, "\":");
    rooms_json_str(b, value);
}


static void
ngx_rooms_content_int(rooms_buf_t *b, const char *key, int64_t value)
{
    rooms_json_lit(b, ",\"");
    rooms_json_raw(b, key, ngx_strlen(key));
    rooms_json_lit(b, "\":");
    rooms_json_int(b, value);
}


static void
ngx_rooms_content_create(rooms_buf_t *b, const rooms_room_t *room,
    ngx_uint_t imported)
{
    ngx_rooms_content_key(b, "room_type",
                          rooms_cstr(rooms_type_name(room->type)));
    ngx_rooms_content_key(b, "scope_kind", room->incognito
                          ? ngx_rooms_s("incognito") : ROOMS_NULL);
    ngx_rooms_content_key(b, "name", room->name);
    ngx_rooms_content_key(b, "topic", room->topic);
    rooms_json_lit(b, ",\"is_public\":");
    rooms_json_bool(b, room->is_public);
    ngx_rooms_content_key(b, "workspace_id", room->workspace);
    ngx_rooms_content_key(b, "creator_id", room->creator);

    if (imported) {
        rooms_json_lit(b, ",\"imported\":true");
    }
}


/* An invite of several participants is one event that names all of them. */
static void
ngx_rooms_content_many(rooms_buf_t *b, const rooms_change_t *change)
{
    ngx_uint_t                 i;
    const char                *comma;
    const rooms_transition_t  *t;

    rooms_json_lit(b, "\"membership\":\"invite\",\"participant_ids\":[");
    comma = "";

    for (i = 0; i < change->nmembers; i++) {
        t = &change->members[i];

        if (t->before.membership != t->after.membership) {
            rooms_json_raw(b, comma, ngx_strlen(comma));
            rooms_json_str(b, t->after.participant);
            comma = ",";
        }
    }

    rooms_json_lit(b, "]");
}


static void
ngx_rooms_content_member(rooms_buf_t *b, const rooms_change_t *change)
{
    const rooms_transition_t  *t;

    t = ngx_rooms_subject(change);

    ngx_rooms_content_key(b, "participant_id", t->after.participant);
    ngx_rooms_content_key(b, "membership",
                      rooms_cstr(rooms_membership_name(t->after.membership)));
    ngx_rooms_content_key(b, "previous",
                      rooms_cstr(rooms_membership_name(t->before.membership)));

    if (change->reason.data) {
        ngx_rooms_content_key(b, "reason", change->reason);
    }

    if (change->write & ROOMS_F_STATE) {
        ngx_rooms_content_key(b, "state",
                              rooms_cstr(rooms_state_name(
                                                       change->room.state)));
    }
}


/*
 * When a member's move also changes the room's state, the event names that
 * member: they left as the last one, or came back to an empty room.
 */
static void
ngx_rooms_content_state(rooms_buf_t *b, const rooms_room_t *before,
    const rooms_change_t *change)
{
    const rooms_transition_t  *t;

    ngx_rooms_content_key(b, "state",
                          rooms_cstr(rooms_state_name(change->room.state)));
    ngx_rooms_content_key(b, "previous",
                          rooms_cstr(rooms_state_name(before->state)));

    if (change->reason.data) {
        ngx_rooms_content_key(b, "reason", change->reason);
    }

    if (change->nmembers == 0) {
        return;
    }

    t = ngx_rooms_subject(change);

    if (t->before.membership != t->after.membership) {
        ngx_rooms_content_key(b, "participant_id", t->after.participant);
        ngx_rooms_content_key(b, "membership",
                      rooms_cstr(rooms_membership_name(t->after.membership)));
    }
}


static void
ngx_rooms_content_power(rooms_buf_t *b, const rooms_change_t *change)
{
    const rooms_transition_t  *t;

    t = ngx_rooms_subject(change);

    ngx_rooms_content_key(b, "participant_id", t->after.participant);
    ngx_rooms_content_int(b, "power_level", t->after.power);
    ngx_rooms_content_int(b, "previous", t->before.power);
}


rooms_str_t
ngx_rooms_content(ngx_rooms_req_t *rq, const rooms_room_t *before,
    const rooms_change_t *change)
{
    rooms_buf_t         *b;
    ngx_rooms_json_t     text;
    const rooms_room_t  *room;

    room = &change->room;
    b = ngx_rooms_json(&text, rq->pool);

    rooms_json_lit(b, "{");

    switch (change->event) {

    case ROOMS_EV_CREATE:
        ngx_rooms_content_create(b, room, rq->imported);
        break;

    case ROOMS_EV_MEMBER:

        if (rq->in.batch) {
            ngx_rooms_content_many(b, change);

        } else {
            ngx_rooms_content_member(b, change);
        }

        break;

    case ROOMS_EV_NAME:
        ngx_rooms_content_key(b, "name", room->name);
        break;

    case ROOMS_EV_TOPIC:
        ngx_rooms_content_key(b, "topic", room->topic);
        break;

    case ROOMS_EV_WORKSPACE:
        ngx_rooms_content_key(b, "workspace_id", room->workspace);
        break;

    case ROOMS_EV_STATE:
        ngx_rooms_content_state(b, before, change);
        break;

    case ROOMS_EV_POWER_LEVEL:
        ngx_rooms_content_power(b, change);
        break;

    case ROOMS_EV_FEDERATION:
        rooms_json_lit(b, "\"federated\":");
        rooms_json_bool(b, room->federated);
        break;

    default:
        break;
    }

    if (change->successor.participant.data) {
        rooms_json_lit(b, ",\"successor\":{");
        ngx_rooms_content_key(b, "participant_id",
                              change->successor.participant);
        ngx_rooms_content_int(b, "power_level", ROOMS_POWER_MAX);
        rooms_json_lit(b, "}");
    }

    rooms_json_lit(b, "}");

    return ngx_rooms_json_end(&text);
}
