/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_told.h"
#include "rooms_stored.h"
#include <sodium.h>


#define ROOMS_TOLD_AVATAR  2048
#define ROOMS_TOLD_AHEAD   (INT64_C(5) * 60 * 1000)   /* ms between the
                                                         servers' clocks */


rooms_str_t
rooms_told_str(json_t *object, const char *key)
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
rooms_told_fqid(rooms_str_t fqid, rooms_told_member_t *m)
{
    m->fqid = fqid;

    return fqid.data && rooms_participant_valid(fqid)
           && rooms_fqid_parse(fqid, &m->local, &m->server) == 0;
}


void
rooms_told_profile(json_t *object, rooms_str_t *name, rooms_str_t *avatar)
{
    *name = rooms_told_str(object, "display_name");

    if (name->data && rooms_name_check(name) != NULL) {
        *name = ROOMS_NULL;
    }

    *avatar = rooms_told_str(object, "avatar_url");

    if (avatar->len < 8 || avatar->len > ROOMS_TOLD_AVATAR
        || memcmp(avatar->data, "https://", 8) != 0)
    {
        *avatar = ROOMS_NULL;
    }
}


void
rooms_told_own(rooms_str_t speaker, rooms_str_t server, rooms_str_t *name,
    rooms_str_t *avatar)
{
    if (!rooms_str_eq(speaker, server)) {
        *name = ROOMS_NULL;
        *avatar = ROOMS_NULL;
    }
}


int
rooms_told_answer(json_t *data, rooms_str_t local, rooms_str_t server,
    rooms_str_t *name, rooms_str_t *avatar)
{
    rooms_told_profile(data, name, avatar);

    return name->data
           && rooms_str_eq(rooms_told_str(data, "local_id"), local)
           && rooms_str_eq(rooms_told_str(data, "server_name"), server)
           ? 0 : -1;
}


const char *
rooms_told_member(json_t *member, rooms_told_member_t *m)
{
    int      membership;
    json_t  *power;

    memset(m, 0, sizeof(rooms_told_member_t));

    if (!rooms_told_fqid(rooms_told_str(member, "fqid"), m)) {
        return "has a member without a valid fqid";
    }

    membership = rooms_membership_parse(rooms_told_str(member,
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
        m->joined_at = rooms_time_parse(rooms_told_str(member, "joined_at"));

        if (m->joined_at < 0) {
            return "has a member without a valid joined_at";
        }
    }

    rooms_told_profile(member, &m->name, &m->avatar);

    return NULL;
}


static int
rooms_told_type(rooms_str_t name)
{
    int  i;

    if (rooms_str_eq(name, rooms_cstr("swp.room.members"))) {
        return ROOMS_TOLD_SNAPSHOT;
    }

    for (i = ROOMS_EV_CREATE; i < ROOMS_EV_READ_MARKER; i++) {

        if (rooms_str_eq(name, rooms_cstr(rooms_event_name(i)))) {
            return i;
        }
    }

    return -1;
}


static int
rooms_told_state(rooms_str_t name)
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
rooms_told_room(json_t *room, rooms_told_t *told)
{
    int  type, state;

    type = rooms_type_parse(rooms_told_str(room, "room_type"));
    state = rooms_told_state(rooms_told_str(room, "state"));

    if (type != ROOMS_GROUP && type != ROOMS_PUBLIC && type != ROOMS_DM) {
        return "has a room of a type that can't be federated";
    }

    if (state < 0) {
        return "has a room without a valid state";
    }

    told->has_room = 1;
    told->room_type = type;
    told->state = state;
    told->is_public = json_is_true(json_object_get(room, "is_public"));
    told->federated = json_is_true(json_object_get(room, "federated"));
    told->name = rooms_told_str(room, "name");
    told->topic = rooms_told_str(room, "topic");
    told->creator = rooms_told_str(room, "creator");
    told->room_created_at = rooms_time_parse(rooms_told_str(room,
                                                            "created_at"));

    if (type == ROOMS_PUBLIC && !told->is_public) {
        return "has a public room that is not public";
    }

    if (type == ROOMS_DM) {
        told->name = ROOMS_NULL;

    } else if (told->name.data == NULL
               || rooms_name_check(&told->name) != NULL)
    {
        return "has a room without a valid name";
    }

    if (told->topic.data && rooms_topic_check(&told->topic) != NULL) {
        return "has a room without a valid topic";
    }

    if (told->creator.data == NULL || !rooms_participant_valid(told->creator)
        || told->room_created_at < 0)
    {
        return "has a room without a valid creator or created_at";
    }

    return NULL;
}


/* A snapshot has one part, or several that are sent one after the other. */

static const char *
rooms_told_snapshot(json_t *event, rooms_told_t *told)
{
    json_t  *part, *n;

    told->complete = told->members
                     && json_is_true(json_object_get(event, "complete"));

    told->refused = rooms_told_str(event, "refused");

    if (told->refused.data && !rooms_id_valid(told->refused, "evt-")) {
        return "has a refused that is not an event";
    }

    part = json_object_get(event, "part");

    if (part == NULL) {
        told->of = told->complete ? told->id : ROOMS_NULL;
        return NULL;
    }

    told->of = rooms_told_str(part, "of");
    n = json_object_get(part, "n");

    if (told->of.data == NULL || !rooms_id_valid(told->of, "evt-")
        || !json_is_integer(n) || json_integer_value(n) < 0
        || json_integer_value(n) > ROOMS_TOLD_PARTS)
    {
        return "is not a valid part of a snapshot";
    }

    told->part = json_integer_value(n);

    return NULL;
}


const char *
rooms_told_read(json_t *event, int64_t now, rooms_told_t *told)
{
    json_t      *room;
    const char  *problem;

    memset(told, 0, sizeof(rooms_told_t));

    if (!json_is_object(event)) {
        return "is not an object";
    }

    told->id = rooms_told_str(event, "id");

    if (told->id.data == NULL || !rooms_id_valid(told->id, "evt-")) {
        told->id = ROOMS_NULL;
        return "has no valid id";
    }

    told->room = rooms_told_str(event, "room_id");

    if (told->room.data == NULL || !rooms_id_valid(told->room, "room-")) {
        return "has no valid room_id";
    }

    if (!rooms_told_fqid(rooms_told_str(event, "sender"), &told->sender)) {
        return "has no valid sender";
    }

    rooms_told_profile(json_object_get(event, "profile"), &told->sender.name,
                       &told->sender.avatar);

    told->type = rooms_told_type(rooms_told_str(event, "event_type"));

    if (told->type < 0) {
        return "has an event_type that can't be sent";
    }

    told->content = json_object_get(event, "content");

    if (!json_is_object(told->content)) {
        return "has no content";
    }

    if (rooms_content_tree_deep(told->content)) {
        return "has a content that nests more than 64 levels deep";
    }

    told->created_at = rooms_time_parse(rooms_told_str(event, "created_at"));

    if (told->created_at < 0) {
        return "has no valid created_at";
    }

    if (told->created_at > now + ROOMS_TOLD_AHEAD) {
        told->created_at = now;
    }

    told->members = json_object_get(event, "members");

    if (told->members
        && (!json_is_array(told->members)
            || json_array_size(told->members) > ROOMS_TOLD_MEMBERS))
    {
        return "has members that are not an array of at most 100";
    }

    problem = told->type == ROOMS_TOLD_SNAPSHOT
              ? rooms_told_snapshot(event, told) : NULL;

    if (problem) {
        return problem;
    }

    room = json_object_get(event, "as_of");

    if (json_is_integer(room) && json_integer_value(room) > 0) {
        told->as_of = json_integer_value(room);
    }

    room = json_object_get(event, "room");

    return room ? rooms_told_room(room, told) : NULL;
}


static const unsigned char *
rooms_told_space(const unsigned char *p, const unsigned char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) {
        p++;
    }

    return p;
}


/* The position after a string's closing quote; NULL: unterminated. */

static const unsigned char *
rooms_told_quoted(const unsigned char *p, const unsigned char *end)
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
rooms_told_skip(const unsigned char *p, const unsigned char *end)
{
    size_t  depth;

    for (depth = 0; p && p < end; /* void */) {

        switch (*p) {

        case '"':
            p = rooms_told_quoted(p, end);
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
rooms_told_find(rooms_str_t object, const char *key, rooms_str_t *value)
{
    rooms_str_t           name;
    const unsigned char  *p, *end, *after;

    end = object.data + object.len;
    p = object.data ? rooms_told_space(object.data, end) : end;

    if (p == end || *p != '{') {
        return -1;
    }

    for ( ;; ) {
        p = rooms_told_space(p + 1, end);

        if (p == end || *p != '"') {
            return p < end && *p == '}' ? 0 : -1;
        }

        after = rooms_told_quoted(p, end);

        if (after == NULL) {
            return -1;
        }

        name = (rooms_str_t) { after - p - 2, p + 1 };
        p = rooms_told_space(after, end);

        if (p == end || *p != ':') {
            return -1;
        }

        p = rooms_told_space(p + 1, end);
        after = rooms_told_skip(p, end);

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
rooms_told_piece(rooms_str_t *array, rooms_str_t *value)
{
    const unsigned char  *p, *end, *after;

    end = array->data + array->len;
    p = array->data ? rooms_told_space(array->data, end) : end;

    if (p == end || (*p != '[' && *p != ',')) {
        return p < end && *p == ']' ? 0 : -1;
    }

    p = rooms_told_space(p + 1, end);

    if (p < end && *p == ']') {
        return 0;
    }

    after = rooms_told_skip(p, end);

    if (after == NULL) {
        return -1;
    }

    *value = (rooms_str_t) { after - p, p };
    *array = (rooms_str_t) { end - after, after };

    return 1;
}


/* The time stays at its place in the id, since ids sort by it. */

size_t
rooms_told_room_id(rooms_str_t home, rooms_str_t id, unsigned char *dst)
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
rooms_told_room_made(rooms_str_t id)
{
    return id.len && id.data[id.len - 1] == '_';
}


rooms_str_t
rooms_told_id(rooms_str_t event)
{
    rooms_str_t  id;

    if (rooms_told_find(event, "id", &id) != 1) {
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
rooms_told_ref(rooms_str_t s, rooms_str_t *id, rooms_str_t *server)
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
