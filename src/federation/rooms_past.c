/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_past.h"
#include "rooms_remote.h"
#include "rooms_stored.h"


/* The fields that an event of the history may have. */
static const char *const  rooms_past_fields[] = {
    "id", "room_id", "sender", "profile", "event_type", "content",
    "origin_ts", "created_at", "redacted_at", "signatures"
};

static const rooms_event_e  rooms_past_types[] = {
    ROOMS_EV_CREATE, ROOMS_EV_MEMBER, ROOMS_EV_NAME, ROOMS_EV_TOPIC,
    ROOMS_EV_STATE, ROOMS_EV_FEDERATION, ROOMS_EV_POWER_LEVEL,
    ROOMS_EV_MESSAGE, ROOMS_EV_REACTION, ROOMS_EV_REDACTION
};

/* Members of a content that name participants: as sent, and as stored. */
static const struct {
    const char  *sent;
    const char  *kept;
} rooms_past_names[] = {
    { "fqid", "participant_id" },
    { "fqids", "participant_ids" },
    { "creator", "creator_id" },
    { "successor", "successor" }
};

#define ROOMS_PAST_N(a)  (sizeof(a) / sizeof((a)[0]))


/* A foreign id becomes a word in the store's fields, so it has no spaces. */

rooms_str_t
rooms_past_id(json_t *event)
{
    size_t       i;
    rooms_str_t  id;

    id = rooms_remote_str(event, "id");

    for (i = 0; i < id.len; i++) {
        if (id.data[i] <= 0x20 || id.data[i] >= 0x7f || id.data[i] == ':') {
            return ROOMS_NULL;
        }
    }

    return i && i <= ROOMS_ID_MAX ? id : ROOMS_NULL;
}


static const char *
rooms_past_known(json_t *event)
{
    size_t       i;
    json_t      *value;
    const char  *key;

    json_object_foreach(event, key, value) {

        for (i = 0; i < ROOMS_PAST_N(rooms_past_fields); i++) {

            if (strcmp(key, rooms_past_fields[i]) == 0) {
                break;
            }
        }

        if (i == ROOMS_PAST_N(rooms_past_fields)) {
            return "has an unknown field";
        }
    }

    return NULL;
}


static int
rooms_past_type(rooms_str_t name, rooms_event_e *type)
{
    size_t  i;

    for (i = 0; i < ROOMS_PAST_N(rooms_past_types); i++) {

        if (rooms_str_eq(name,
                         rooms_cstr(rooms_event_name(rooms_past_types[i]))))
        {
            *type = rooms_past_types[i];
            return 0;
        }
    }

    return -1;
}


static const char *
rooms_past_times(json_t *event, int64_t now, rooms_past_t *past)
{
    json_t  *ts;

    past->created_at = rooms_time_parse(rooms_remote_str(event, "created_at"));

    if (past->created_at < 0 || past->created_at > now + ROOMS_PAST_AHEAD) {
        return "has no created_at in the past";
    }

    ts = json_object_get(event, "origin_ts");
    past->origin_ts = json_integer_value(ts);

    if (!json_is_integer(ts) || past->origin_ts < 0
        || past->origin_ts > (now + ROOMS_PAST_AHEAD) / 1000)
    {
        return "has no origin_ts in the past";
    }

    if (json_object_get(event, "redacted_at")) {
        past->redacted_at = rooms_time_parse(rooms_remote_str(event,
                                                              "redacted_at"));

        if (past->redacted_at <= 0) {
            return "has no valid redacted_at";
        }

        if (json_object_size(past->content) != 0) {
            return "is redacted, but has content";
        }
    }

    return NULL;
}


/* "<event id>:<server>" */

static int
rooms_past_about(rooms_past_t *past, const char *key)
{
    size_t       i;
    rooms_str_t  s;

    s = rooms_remote_str(past->content, key);

    for (i = 0; i < s.len && s.data[i] != ':'; i++) {
        if (s.data[i] <= 0x20 || s.data[i] >= 0x7f) {
            return -1;
        }
    }

    if (i == 0 || i > ROOMS_ID_MAX || i == s.len) {
        return -1;
    }

    past->about_id = (rooms_str_t) { i, s.data };
    past->about_server = (rooms_str_t) { s.len - i - 1, s.data + i + 1 };

    return rooms_peer_valid(past->about_server) ? 0 : -1;
}


static const char *
rooms_past_body(rooms_past_t *past)
{
    rooms_str_t  s;

    switch (past->type) {

    case ROOMS_EV_MESSAGE:

        if (json_object_get(past->content, "replaces") == NULL) {
            return NULL;
        }

        past->edit = 1;

        return rooms_past_about(past, "replaces") == 0
               && json_is_object(json_object_get(past->content, "content"))
               ? NULL : "is an edit without a valid event";

    case ROOMS_EV_REACTION:
        s = rooms_remote_str(past->content, "action");

        return rooms_past_about(past, "event_id") == 0
               && (rooms_str_eq(s, rooms_cstr("add"))
                   || rooms_str_eq(s, rooms_cstr("remove")))
               && rooms_emoji_check(rooms_remote_str(past->content, "emoji"))
                  == NULL
               ? NULL : "is not a valid reaction";

    case ROOMS_EV_REDACTION:
        return rooms_past_about(past, "event_id") == 0
               ? NULL : "is a redaction without a valid event";

    case ROOMS_EV_MEMBER:
        return rooms_membership_parse(rooms_remote_str(past->content,
                                                       "membership")) >= 0
               ? NULL : "has no valid membership";

    case ROOMS_EV_POWER_LEVEL:
        return json_is_integer(json_object_get(past->content, "power_level"))
               ? NULL : "has no valid power_level";

    default:
        return NULL;
    }
}


const char *
rooms_past_read(json_t *event, rooms_str_t room, int64_t now,
    rooms_past_t *past)
{
    size_t       size;
    const char  *problem;

    memset(past, 0, sizeof(rooms_past_t));

    if (!json_is_object(event)) {
        return "is not a JSON object";
    }

    past->id = rooms_past_id(event);

    if (past->id.data == NULL) {
        return "has no valid id";
    }

    problem = rooms_past_known(event);

    if (problem) {
        return problem;
    }

    if (!rooms_str_eq(rooms_remote_str(event, "room_id"), room)) {
        return "belongs to another room";
    }

    past->sender = rooms_remote_str(event, "sender");

    if (past->sender.data == NULL || !rooms_participant_valid(past->sender)
        || rooms_fqid_parse(past->sender, &past->local, &past->server) != 0)
    {
        return "has no valid sender";
    }

    rooms_remote_profile(json_object_get(event, "profile"), &past->name,
                         &past->avatar);

    if (rooms_past_type(rooms_remote_str(event, "event_type"), &past->type)
        != 0)
    {
        return "has a type that is not sent";
    }

    past->content = json_object_get(event, "content");

    if (!json_is_object(past->content)) {
        return "has no content";
    }

    if (rooms_content_tree_deep(past->content)) {
        return "has a content that nests more than 64 levels deep";
    }

    size = json_dumpb(past->content, NULL, 0, JSON_COMPACT);

    if (size == 0 || size > ROOMS_PAST_CONTENT) {
        return "has a content of more than 65536 bytes";
    }

    problem = rooms_past_times(event, now, past);

    if (problem) {
        return problem;
    }

    return past->redacted_at ? NULL : rooms_past_body(past);
}


/*
 * The content of messages belongs to their authors; names in it aren't
 * translated.
 */

static int
rooms_past_naming(const rooms_past_t *past)
{
    return past->type != ROOMS_EV_MESSAGE && past->type != ROOMS_EV_REACTION
           && past->type != ROOMS_EV_REDACTION;
}


static int
rooms_past_mention(json_t *names, json_t *fqid)
{
    const char  *key;

    if (!json_is_string(fqid)) {
        return 0;
    }

    key = json_string_value(fqid);

    return json_object_get(names, key) ? 0 : json_object_set_new(names, key,
                                                               json_null());
}


int
rooms_past_mentions(const rooms_past_t *past, json_t *names)
{
    size_t   i, j;
    json_t  *value;

    for (i = 0; rooms_past_naming(past) && i < ROOMS_PAST_N(rooms_past_names);
         i++)
    {
        value = json_object_get(past->content, rooms_past_names[i].sent);

        if (json_is_object(value)) {
            value = json_object_get(value, "fqid");
        }

        if (rooms_past_mention(names, value) != 0) {
            return -1;
        }

        for (j = 0; j < json_array_size(value); j++) {

            if (rooms_past_mention(names, json_array_get(value, j)) != 0) {
                return -1;
            }
        }
    }

    return 0;
}


static json_t *
rooms_past_called(json_t *names, json_t *fqid)
{
    json_t  *name;

    if (!json_is_string(fqid)) {
        return json_null();
    }

    name = json_object_get(names, json_string_value(fqid));

    return json_incref(json_is_string(name) ? name : fqid);
}


static json_t *
rooms_past_name(json_t *names, json_t *value)
{
    size_t   i;
    json_t  *array;

    if (json_is_object(value)) {
        return json_pack("{s:o,s:O?}", "participant_id",
                         rooms_past_called(names,
                                           json_object_get(value, "fqid")),
                         "power_level",
                         json_object_get(value, "power_level"));
    }

    if (!json_is_array(value)) {
        return rooms_past_called(names, value);
    }

    array = json_array();

    for (i = 0; i < json_array_size(value); i++) {

        if (json_array_append_new(array,
                          rooms_past_called(names, json_array_get(value, i)))
            != 0)
        {
            json_decref(array);
            return NULL;
        }
    }

    return array;
}


/* Members that have a meaning only in the stored form aren't taken over. */

static int
rooms_past_foreign(const char *key)
{
    size_t  i;

    for (i = 0; i < ROOMS_PAST_N(rooms_past_names); i++) {

        if (strcmp(key, rooms_past_names[i].sent) == 0
            || strcmp(key, rooms_past_names[i].kept) == 0)
        {
            return 1;
        }
    }

    return strcmp(key, "workspace_id") == 0;
}


json_t *
rooms_past_content(const rooms_past_t *past, json_t *names, rooms_str_t about)
{
    int          rc;
    size_t       i;
    json_t      *content, *value;
    const char  *key;

    if (!rooms_past_naming(past)) {
        content = json_copy(past->content);

        if (content && about.data && past->about_id.data
            && json_object_set_new(content, past->edit ? "replaces"
                                                       : "event_id",
                        json_stringn((const char *) about.data, about.len))
               != 0)
        {
            json_decref(content);
            return NULL;
        }

        return content;
    }

    content = json_object();
    rc = 0;

    json_object_foreach(past->content, key, value) {

        if (rc == 0 && !rooms_past_foreign(key)) {
            rc = json_object_set(content, key, value);
        }
    }

    for (i = 0; rc == 0 && i < ROOMS_PAST_N(rooms_past_names); i++) {
        value = json_object_get(past->content, rooms_past_names[i].sent);

        if (value) {
            rc = json_object_set_new(content, rooms_past_names[i].kept,
                                     rooms_past_name(names, value));
        }
    }

    if (rc != 0) {
        json_decref(content);
        return NULL;
    }

    return content;
}
