/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* A room as one caller sees it: read from the store, and written as JSON. */

#include "ngx_rooms_endpoints.h"


ngx_int_t
ngx_rooms_view_load(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t viewer)
{
    (void) ngx_rooms_load_room(b, keys, room);
    (void) ngx_rooms_ask(b, keys, "HGET %k %s", NGX_ROOMS_KEY_MEMBERS, room,
                         viewer);
    (void) ngx_rooms_ask(b, keys, "HMGET %k mode%_%s mute%_%s read%_%s",
                         NGX_ROOMS_KEY_OWN, room, viewer, viewer, viewer);

    return b->failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_rooms_view_parse(ngx_rooms_batch_t *b, ngx_uint_t at, rooms_str_t room,
    rooms_str_t viewer, ngx_rooms_view_t *view)
{
    int64_t       read;
    ngx_int_t     rc;
    redisReply  **r;

    ngx_memzero(view, sizeof(ngx_rooms_view_t));

    r = &b->replies[at];

    rc = ngx_rooms_parse_room(r[0], room, &view->room);

    if (rc == NGX_ERROR
        || ngx_rooms_parse_member(ngx_rooms_reply_str(r[1]), viewer,
                                  &view->me) != NGX_OK
        || ngx_rooms_parse_own(ngx_rooms_reply_str_at(r[2], 0),
                               ngx_rooms_reply_str_at(r[2], 1),
                               ngx_rooms_reply_str_at(r[2], 2),
                               &view->own) != NGX_OK)
    {
        return NGX_ERROR;
    }

    view->exists = rc == NGX_OK;
    view->name = view->room.name;

    /* messages before the join don't count */

    if (view->me.membership == ROOMS_JOIN) {
        read = ngx_max(view->own.number, view->me.number);
        view->unread = ngx_max(view->room.messages - read, 0);
    }

    return NGX_OK;
}


static int64_t
ngx_rooms_view_read_up_to(const ngx_rooms_view_t *view)
{
    return ngx_max(view->own.position, view->me.position);
}


ngx_uint_t
ngx_rooms_view_redacted(const ngx_rooms_view_t *view)
{
    return view->unread > 0
           && view->room.redacted > ngx_rooms_view_read_up_to(view);
}


ngx_int_t
ngx_rooms_view_ask_redacted(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys,
    const ngx_rooms_view_t *view)
{
    return ngx_rooms_ask(b, keys, "ZCOUNT %k (%d %d",
                         NGX_ROOMS_KEY_REDACTED, view->room.id,
                         ngx_rooms_view_read_up_to(view),
                         view->room.position);
}


void
ngx_rooms_view_take_redacted(ngx_rooms_view_t *view, redisReply *reply)
{
    view->unread -= ngx_min(ngx_max(ngx_rooms_reply_int(reply, 0), 0),
                            view->unread);
}


ngx_int_t
ngx_rooms_usual_load(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys,
    rooms_str_t viewer)
{
    return ngx_rooms_ask(b, keys, "HGET %k default_mode",
                         NGX_ROOMS_KEY_USER_PREFERENCES, viewer);
}


/* The stored value is a JSON string.  Anything else counts as the default. */
ngx_rooms_mode_e
ngx_rooms_usual_take(redisReply *reply)
{
    ngx_int_t    mode;
    rooms_str_t  s;

    s = ngx_rooms_reply_str(reply);

    if (s.len < 2) {
        return NGX_ROOMS_MODE_MENTIONS;
    }

    mode = ngx_rooms_mode_parse((rooms_str_t) { s.len - 2, s.data + 1 });

    return mode > NGX_ROOMS_MODE_INHERIT ? (ngx_rooms_mode_e) mode
                                         : NGX_ROOMS_MODE_MENTIONS;
}


rooms_str_t
ngx_rooms_view_other(const ngx_rooms_view_t *view, rooms_str_t viewer)
{
    if (view->room.type != ROOMS_DM) {
        return ROOMS_NULL;
    }

    return rooms_str_eq(view->room.peer[0], viewer) ? view->room.peer[1]
                                                    : view->room.peer[0];
}


static void
ngx_rooms_view_alias(rooms_buf_t *b, rooms_str_t alias,
    const ngx_str_t *server)
{
    if (alias.data == NULL) {
        rooms_json_lit(b, "null");
        return;
    }

    rooms_json_lit(b, "\"#");
    rooms_json_escape(b, alias);
    rooms_json_lit(b, ":");
    rooms_json_escape(b, rooms_from_ngx(*server));
    rooms_json_lit(b, "\"");
}


/* An expired mute is shown as null. */
void
ngx_rooms_view_muted(rooms_buf_t *b, const ngx_rooms_view_t *view,
    int64_t now)
{
    if (view->own.muted_until > now) {
        rooms_json_time(b, view->own.muted_until);

    } else {
        rooms_json_lit(b, "null");
    }
}


static void
ngx_rooms_view_me(rooms_buf_t *b, const ngx_rooms_view_t *view, int64_t now)
{
    if (view->me.membership == ROOMS_LEAVE) {
        rooms_json_lit(b, "null");
        return;
    }

    rooms_json_lit(b, "{\"membership\":");
    rooms_json_str(b, rooms_cstr(rooms_membership_name(view->me.membership)));
    rooms_json_lit(b, ",\"power_level\":");
    rooms_json_int(b, view->me.power);
    rooms_json_lit(b, ",\"notification_mode\":");
    rooms_json_str(b, rooms_cstr(ngx_rooms_mode_name(view->own.mode)));
    rooms_json_lit(b, ",\"effective_notification_mode\":");
    rooms_json_str(b, rooms_cstr(ngx_rooms_mode_name(
                         view->own.mode != NGX_ROOMS_MODE_INHERIT
                         ? view->own.mode
                         : view->usual != NGX_ROOMS_MODE_INHERIT
                         ? view->usual : NGX_ROOMS_MODE_MENTIONS)));
    rooms_json_lit(b, ",\"muted_until\":");
    ngx_rooms_view_muted(b, view, now);
    rooms_json_lit(b, ",\"last_read_event_id\":");
    rooms_json_str(b, view->own.event);
    rooms_json_lit(b, ",\"unread_count\":");
    rooms_json_int(b, view->unread);
    rooms_json_lit(b, "}");
}


void
ngx_rooms_view_room(rooms_buf_t *b, const ngx_rooms_view_t *view,
    const ngx_str_t *server)
{
    const rooms_room_t  *room;

    room = &view->room;

    rooms_json_lit(b, "{\"id\":");
    rooms_json_str(b, room->id);
    rooms_json_lit(b, ",\"room_alias\":");
    ngx_rooms_view_alias(b, room->alias, server);
    rooms_json_lit(b, ",\"room_type\":");
    rooms_json_str(b, rooms_cstr(rooms_type_name(room->type)));
    rooms_json_lit(b, ",\"scope_kind\":");
    rooms_json_str(b, room->incognito ? ngx_rooms_s("incognito")
                                      : ROOMS_NULL);
    rooms_json_lit(b, ",\"name\":");
    rooms_json_str(b, view->name);
    rooms_json_lit(b, ",\"topic\":");
    rooms_json_str(b, room->topic);
    rooms_json_lit(b, ",\"is_public\":");
    rooms_json_bool(b, room->is_public);
    rooms_json_lit(b, ",\"state\":");
    rooms_json_str(b, rooms_cstr(rooms_state_name(room->state)));
    rooms_json_lit(b, ",\"federated\":");
    rooms_json_bool(b, room->federated);
    rooms_json_lit(b, ",\"workspace_id\":");
    rooms_json_str(b, room->workspace);
    rooms_json_lit(b, ",\"creator_id\":");
    rooms_json_str(b, room->creator);
    rooms_json_lit(b, ",\"created_at\":");
    rooms_json_time(b, room->created_at);
    rooms_json_lit(b, ",\"updated_at\":");
    rooms_json_time(b, room->updated_at);
    rooms_json_lit(b, ",\"members_count\":");
    rooms_json_int(b, room->joined);
    rooms_json_lit(b, ",\"invited_count\":");
    rooms_json_int(b, room->invited);
    rooms_json_lit(b, ",\"last_event_position\":");
    ngx_rooms_put_position(b, room->position);
}


void
ngx_rooms_view_json(rooms_buf_t *b, const ngx_rooms_view_t *view,
    const ngx_str_t *server, int64_t now)
{
    ngx_rooms_view_room(b, view, server);
    rooms_json_lit(b, ",\"me\":");
    ngx_rooms_view_me(b, view, now);
    rooms_json_lit(b, "}");
}


uint64_t
ngx_rooms_view_version(const ngx_rooms_view_t *view)
{
    uint64_t             hash;
    const rooms_room_t  *room;

    room = &view->room;

    /*
     * updated_at moves with each write of metadata; the other fields are for
     * writes within one millisecond
     */

    hash = rooms_hash(0, &room->updated_at, sizeof(room->updated_at));
    hash = rooms_hash(hash, &room->state, sizeof(room->state));
    hash = rooms_hash(hash, room->name.data, room->name.len);
    hash = rooms_hash(hash, room->topic.data, room->topic.len);

    return rooms_hash(hash, room->workspace.data, room->workspace.len);
}


void
ngx_rooms_fqid_json(rooms_buf_t *b, const ngx_rooms_profile_t *p,
    const ngx_str_t *server)
{
    rooms_json_lit(b, "\"@");
    rooms_json_escape(b, p->local);
    rooms_json_lit(b, ":");
    rooms_json_escape(b, p->server.data ? p->server
                                        : rooms_from_ngx(*server));
    rooms_json_lit(b, "\"");
}


void
ngx_rooms_standing_json(rooms_buf_t *b, const rooms_member_t *m)
{
    rooms_json_lit(b, ",\"membership\":");
    rooms_json_str(b, rooms_cstr(rooms_membership_name(m->membership)));
    rooms_json_lit(b, ",\"power_level\":");
    rooms_json_int(b, m->power);
    rooms_json_lit(b, ",\"joined_at\":");

    if (m->membership == ROOMS_JOIN) {
        rooms_json_time(b, m->joined_at);

    } else {
        rooms_json_lit(b, "null");
    }
}


void
ngx_rooms_membership_json(rooms_buf_t *b, rooms_str_t room,
    const rooms_member_t *m, const ngx_rooms_profile_t *p,
    const ngx_str_t *server)
{
    rooms_json_lit(b, "{\"room_id\":");
    rooms_json_str(b, room);
    rooms_json_lit(b, ",\"participant_id\":");
    rooms_json_str(b, p->id);
    rooms_json_lit(b, ",\"fqid\":");
    ngx_rooms_fqid_json(b, p, server);
    ngx_rooms_standing_json(b, m);
    rooms_json_lit(b, "}");
}
