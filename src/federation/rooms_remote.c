/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_remote.h"
#include "rooms_stored.h"
#include <sodium.h>


#define ROOMS_REMOTE_AVATAR  2048
#define ROOMS_REMOTE_AHEAD   (INT64_C(5) * 60 * 1000)   /* ms between the
                                                         servers' clocks */


rooms_str_t
rooms_remote_str(json_t *object, const char *key)
{
    json_t  *value;

    value = json_object_get(object, key);

    if (!json_is_string(value)) {
        return ROOMS_NULL;
    }

    return (rooms_str_t) { json_string_length(value),
                           (const unsigned char *) json_string_value(value) };
}


/* A foreign participant's id here is its fqid, so that must be a valid id. */

static int
rooms_remote_fqid(rooms_str_t fqid, rooms_remote_member_t *m)
{
    m->fqid = fqid;

    return fqid.data && rooms_participant_valid(fqid)
           && rooms_fqid_parse(fqid, &m->local, &m->server) == 0;
}


void
rooms_remote_profile(json_t *object, rooms_str_t *name, rooms_str_t *avatar)
{
    *name = rooms_remote_str(object, "display_name");

    if (name->data && rooms_name_check(name) != NULL) {
        *name = ROOMS_NULL;
    }

    *avatar = rooms_remote_str(object, "avatar_url");

    if (avatar->len < 8 || avatar->len > ROOMS_REMOTE_AVATAR
        || memcmp(avatar->data, "https://", 8) != 0)
    {
        *avatar = ROOMS_NULL;
    }
}


void
rooms_remote_own(rooms_str_t speaker, rooms_str_t server, rooms_str_t *name,
    rooms_str_t *avatar)
{
    if (!rooms_str_eq(speaker, server)) {
        *name = ROOMS_NULL;
        *avatar = ROOMS_NULL;
    }
}


int
rooms_remote_answer(json_t *data, rooms_str_t local, rooms_str_t server,
    rooms_str_t *name, rooms_str_t *avatar)
{
    rooms_remote_profile(data, name, avatar);

    return name->data
           && rooms_str_eq(rooms_remote_str(data, "local_id"), local)
           && rooms_str_eq(rooms_remote_str(data, "server_name"), server)
           ? 0 : -1;
}


const char *
rooms_remote_member(json_t *member, rooms_remote_member_t *m)
{
    int      membership;
    json_t  *power;

    memset(m, 0, sizeof(rooms_remote_member_t));

    if (!rooms_remote_fqid(rooms_remote_str(member, "fqid"), m)) {
        return "has a member without a valid fqid";
    }

    membership = rooms_membership_parse(rooms_remote_str(member,
                                                         "membership"));

    if (membership < 0) {
        return "has a member without a valid membership";
    }

    m->membership = membership;

    if (membership == ROOMS_JOIN) {
        power = json_object_get(member, "power_level");

        if (!json_is_integer(power) || json_integer_value(power) < 0
            || json_integer_value(power) > ROOMS_POWER_MAX)
        {
            return "has a member without a valid power_level";
        }

        m->power = json_integer_value(power);
        m->joined_at = rooms_time_parse(rooms_remote_str(member, "joined_at"));

        if (m->joined_at < 0) {
            return "has a member without a valid joined_at";
        }
    }

    rooms_remote_profile(member, &m->name, &m->avatar);

    return NULL;
}


static int
rooms_remote_type(rooms_str_t name)
{
    int  i;

    if (rooms_str_eq(name, rooms_cstr("swp.room.members"))) {
        return ROOMS_REMOTE_SNAPSHOT;
    }

    for (i = ROOMS_EV_CREATE; i < ROOMS_EV_READ_MARKER; i++) {

        if (rooms_str_eq(name, rooms_cstr(rooms_event_name(i)))) {
            return i;
        }
    }

    return -1;
}


static int
rooms_remote_state(rooms_str_t name)
{
    int  i;

    for (i = 0; i < ROOMS_STATE_MAX; i++) {

        if (rooms_str_eq(name, rooms_cstr(rooms_state_name(i)))) {
            return i;
        }
    }

    return -1;
}


static const char *
rooms_remote_room(json_t *room, rooms_remote_t *remote)
{
    int  type, state;

    type = rooms_type_parse(rooms_remote_str(room, "room_type"));
    state = rooms_remote_state(rooms_remote_str(room, "state"));

    if (type != ROOMS_GROUP && type != ROOMS_PUBLIC && type != ROOMS_DM) {
        return "has a room of a type that can't be federated";
    }

    if (state < 0) {
        return "has a room without a valid state";
    }

    remote->has_room = 1;
    remote->room_type = type;
    remote->state = state;
    remote->is_public = json_is_true(json_object_get(room, "is_public"));
    remote->federated = json_is_true(json_object_get(room, "federated"));
    remote->name = rooms_remote_str(room, "name");
    remote->topic = rooms_remote_str(room, "topic");
    remote->creator = rooms_remote_str(room, "creator");
    remote->room_created_at = rooms_time_parse(rooms_remote_str(room,
                                                                "created_at"));

    if (type == ROOMS_PUBLIC && !remote->is_public) {
        return "has a public room that is not public";
    }

    if (type == ROOMS_DM) {
        remote->name = ROOMS_NULL;

    } else if (remote->name.data == NULL
               || rooms_name_check(&remote->name) != NULL)
    {
        return "has a room without a valid name";
    }

    if (remote->topic.data && rooms_topic_check(&remote->topic) != NULL) {
        return "has a room without a valid topic";
    }

    if (remote->creator.data == NULL
        || !rooms_participant_valid(remote->creator)
        || remote->room_created_at < 0)
    {
        return "has a room without a valid creator or created_at";
    }

    return NULL;
}


/* A snapshot has one part, or several that are sent one after the other. */

static const char *
rooms_remote_snapshot(json_t *event, rooms_remote_t *remote)
{
    json_t  *part, *n;

    remote->complete = remote->members
                     && json_is_true(json_object_get(event, "complete"));

    remote->refused = rooms_remote_str(event, "refused");

    if (remote->refused.data && !rooms_id_valid(remote->refused, "evt-")) {
        return "has a refused that is not an event";
    }

    part = json_object_get(event, "part");

    if (part == NULL) {
        remote->of = remote->complete ? remote->id : ROOMS_NULL;
        return NULL;
    }

    remote->of = rooms_remote_str(part, "of");
    n = json_object_get(part, "n");

    if (remote->of.data == NULL || !rooms_id_valid(remote->of, "evt-")
        || !json_is_integer(n) || json_integer_value(n) < 0
        || json_integer_value(n) > ROOMS_REMOTE_PARTS)
    {
        return "is not a valid part of a snapshot";
    }

    remote->part = json_integer_value(n);

    return NULL;
}


const char *
rooms_remote_read(json_t *event, int64_t now, rooms_remote_t *remote)
{
    json_t      *room;
    const char  *problem;

    memset(remote, 0, sizeof(rooms_remote_t));

    if (!json_is_object(event)) {
        return "is not an object";
    }

    remote->id = rooms_remote_str(event, "id");

    if (remote->id.data == NULL || !rooms_id_valid(remote->id, "evt-")) {
        remote->id = ROOMS_NULL;
        return "has no valid id";
    }

    remote->room = rooms_remote_str(event, "room_id");

    if (remote->room.data == NULL || !rooms_id_valid(remote->room, "room-")) {
        return "has no valid room_id";
    }

    if (!rooms_remote_fqid(rooms_remote_str(event, "sender"),
                           &remote->sender))
    {
        return "has no valid sender";
    }

    rooms_remote_profile(json_object_get(event, "profile"),
                         &remote->sender.name, &remote->sender.avatar);

    remote->type = rooms_remote_type(rooms_remote_str(event, "event_type"));

    if (remote->type < 0) {
        return "has an event_type that can't be sent";
    }

    remote->content = json_object_get(event, "content");

    if (!json_is_object(remote->content)) {
        return "has no content";
    }

    if (rooms_content_tree_deep(remote->content)) {
        return "has a content that nests more than 64 levels deep";
    }

    remote->created_at = rooms_time_parse(rooms_remote_str(event,
                                                           "created_at"));

    if (remote->created_at < 0) {
        return "has no valid created_at";
    }

    if (remote->created_at > now + ROOMS_REMOTE_AHEAD) {
        remote->created_at = now;
    }

    remote->members = json_object_get(event, "members");

    if (remote->members
        && (!json_is_array(remote->members)
            || json_array_size(remote->members) > ROOMS_REMOTE_MEMBERS))
    {
        return "has members that are not an array of at most 100";
    }

    problem = remote->type == ROOMS_REMOTE_SNAPSHOT
              ? rooms_remote_snapshot(event, remote) : NULL;

    if (problem) {
        return problem;
    }

    room = json_object_get(event, "as_of");

    if (json_is_integer(room) && json_integer_value(room) > 0) {
        remote->as_of = json_integer_value(room);
    }

    room = json_object_get(event, "room");

    return room ? rooms_remote_room(room, remote) : NULL;
}


static const unsigned char *
rooms_remote_space(const unsigned char *p, const unsigned char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) {
        p++;
    }

    return p;
}


/* The position after a string's closing quote; NULL: unterminated. */

static const unsigned char *
rooms_remote_quoted(const unsigned char *p, const unsigned char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\') {
            p++;
        }
    }

    return p < end ? p + 1 : NULL;
}


/*
 * The position after a value: at a comma, or at the closing bracket around
 * it.
 */

static const unsigned char *
rooms_remote_skip(const unsigned char *p, const unsigned char *end)
{
    size_t  depth;

    for (depth = 0; p && p < end; /* void */) {

        switch (*p) {

        case '"':
            p = rooms_remote_quoted(p, end);
            continue;

        case '{':
        case '[':
            depth++;
            break;

        case '}':
        case ']':
            if (depth-- == 0) {
                return p;
            }

            break;

        case ',':
            if (depth == 0) {
                return p;
            }

            break;
        }

        p++;
    }

    return NULL;
}


int
rooms_remote_find(rooms_str_t object, const char *key, rooms_str_t *value)
{
    rooms_str_t           name;
    const unsigned char  *p, *end, *after;

    end = object.data + object.len;
    p = object.data ? rooms_remote_space(object.data, end) : end;

    if (p == end || *p != '{') {
        return -1;
    }

    for ( ;; ) {
        p = rooms_remote_space(p + 1, end);

        if (p == end || *p != '"') {
            return p < end && *p == '}' ? 0 : -1;
        }

        after = rooms_remote_quoted(p, end);

        if (after == NULL) {
            return -1;
        }

        name = (rooms_str_t) { after - p - 2, p + 1 };
        p = rooms_remote_space(after, end);

        if (p == end || *p != ':') {
            return -1;
        }

        p = rooms_remote_space(p + 1, end);
        after = rooms_remote_skip(p, end);

        if (after == NULL) {
            return -1;
        }

        if (rooms_str_eq(name, rooms_cstr(key))) {
            *value = (rooms_str_t) { after - p, p };
            return 1;
        }

        if (*after != ',') {
            return *after == '}' ? 0 : -1;
        }

        p = after;
    }
}


int
rooms_remote_piece(rooms_str_t *array, rooms_str_t *value)
{
    const unsigned char  *p, *end, *after;

    end = array->data + array->len;
    p = array->data ? rooms_remote_space(array->data, end) : end;

    if (p == end || (*p != '[' && *p != ',')) {
        return p < end && *p == ']' ? 0 : -1;
    }

    p = rooms_remote_space(p + 1, end);

    if (p < end && *p == ']') {
        return 0;
    }

    after = rooms_remote_skip(p, end);

    if (after == NULL) {
        return -1;
    }

    *value = (rooms_str_t) { after - p, p };
    *array = (rooms_str_t) { end - after, after };

    return 1;
}


/* The time stays at its place in the id, since ids sort by it. */

size_t
rooms_remote_room_id(rooms_str_t home, rooms_str_t id, unsigned char *dst)
{
    size_t                    len, prefix;
    unsigned char             hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state  state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, home.data, home.len);
    crypto_hash_sha256_update(&state, (const unsigned char *) " ", 1);
    crypto_hash_sha256_update(&state, id.data, id.len);
    crypto_hash_sha256_final(&state, hash);

    len = rooms_id_make("room-", 0, hash, dst);
    prefix = sizeof("room-") - 1 + 10;

    if (id.len == len) {
        memcpy(dst, id.data, prefix);
    }

    dst[len] = '_';

    return len + 1;
}


int
rooms_remote_room_made(rooms_str_t id)
{
    return id.len && id.data[id.len - 1] == '_';
}


rooms_str_t
rooms_remote_id(rooms_str_t event)
{
    rooms_str_t  id;

    if (rooms_remote_find(event, "id", &id) != 1) {
        return ROOMS_NULL;
    }

    while (id.len && id.data[id.len - 1] <= ' ') {
        id.len--;
    }

    if (id.len < 2 || id.data[0] != '"' || id.data[id.len - 1] != '"') {
        return ROOMS_NULL;
    }

    id.data++;
    id.len -= 2;

    return rooms_id_valid(id, "evt-") ? id : ROOMS_NULL;
}


int
rooms_remote_ref(rooms_str_t s, rooms_str_t *id, rooms_str_t *server)
{
    const unsigned char  *colon;

    colon = s.data ? memchr(s.data, ':', s.len) : NULL;

    if (colon == NULL) {
        return -1;
    }

    *id = (rooms_str_t) { colon - s.data, s.data };
    *server = (rooms_str_t) { s.len - id->len - 1, colon + 1 };

    return rooms_id_valid(*id, "evt-") && rooms_peer_valid(*server) ? 0 : -1;
}
