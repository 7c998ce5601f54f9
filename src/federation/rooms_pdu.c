/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Makes events and snapshots, and the names of participants, events and rooms
 * in them.
 */

#include "rooms_pdu.h"
#include "rooms_peer.h"


#define ROOMS_PDU_FQID  (1 + ROOMS_LOCAL_MAX + 1 + ROOMS_PEER_MAX)


/* Other event types stay local. */
static const rooms_event_e  rooms_pdu_sent[] = {
    ROOMS_EV_CREATE, ROOMS_EV_MEMBER, ROOMS_EV_NAME, ROOMS_EV_TOPIC,
    ROOMS_EV_STATE, ROOMS_EV_FEDERATION, ROOMS_EV_POWER_LEVEL,
    ROOMS_EV_MESSAGE, ROOMS_EV_REACTION, ROOMS_EV_REDACTION
};

/* Members of a content that name participants: as stored, and as sent. */
static const struct {
    const char   *key;
    const char   *sent;
} rooms_pdu_names[] = {
    { "participant_id", "fqid" },
    { "participant_ids", "fqids" },
    { "creator_id", "creator" },
    { "successor", "successor" }
};

#define ROOMS_PDU_NAMES                                                       \
    (sizeof(rooms_pdu_names) / sizeof(rooms_pdu_names[0]))


static json_t *rooms_pdu_content(const rooms_pdu_t *pdu, json_t *event,
    const char **why);
static rooms_str_t rooms_pdu_str(json_t *value);
static json_t *rooms_pdu_json(rooms_str_t s);
static int rooms_pdu_is(json_t *event, rooms_event_e type);
static json_t *rooms_pdu_found(json_t *set, json_t *id);
static json_t *rooms_pdu_fqid(const rooms_pdu_t *pdu, json_t *id);
static json_t *rooms_pdu_members(const rooms_pdu_t *pdu, json_t *event);


static rooms_str_t
rooms_pdu_str(json_t *value)
{
    if (!json_is_string(value)) {
        return ROOMS_NULL;
    }

    return (rooms_str_t) { json_string_length(value),
                           (const unsigned char *) json_string_value(value) };
}


/* ROOMS_NULL becomes null. */
static json_t *
rooms_pdu_json(rooms_str_t s)
{
    return s.data ? json_stringn((const char *) s.data, s.len) : json_null();
}


static json_t *
rooms_pdu_time(int64_t ms)
{
    unsigned char  text[ROOMS_TIME_LEN];

    rooms_time_format(text, ms);

    return json_stringn((const char *) text, sizeof(text));
}


static int
rooms_pdu_is(json_t *event, rooms_event_e type)
{
    return rooms_str_eq(rooms_pdu_str(json_object_get(event, "event_type")),
                        rooms_cstr(rooms_event_name(type)));
}


json_t *
rooms_pdu_person(const rooms_pdu_t *pdu, const rooms_member_t *member,
    rooms_str_t local, rooms_str_t name, rooms_str_t avatar)
{
    char            text[ROOMS_PDU_FQID];
    json_t         *joined;
    rooms_str_t     fqid, part, server;
    unsigned char  *p;

    fqid = member->participant;

    if (local.data) {

        if (local.len > ROOMS_LOCAL_MAX || pdu->server.len > ROOMS_PEER_MAX) {
            return NULL;
        }

        p = (unsigned char *) text;
        fqid.data = p;
        *p++ = '@';
        memcpy(p, local.data, local.len);
        p += local.len;
        *p++ = ':';
        memcpy(p, pdu->server.data, pdu->server.len);
        fqid.len = p + pdu->server.len - fqid.data;
    }

    if (rooms_fqid_parse(fqid, &part, &server) != 0) {
        return NULL;
    }

    joined = member->membership == ROOMS_JOIN
             ? rooms_pdu_time(member->joined_at) : json_null();

    return json_pack("{s:o,s:s,s:i,s:o,s:o,s:o}",
                     "fqid", rooms_pdu_json(fqid), "membership",
                     rooms_membership_name(member->membership),
                     "power_level", member->power, "joined_at", joined,
                     "display_name", rooms_pdu_json(name), "avatar_url",
                     rooms_pdu_json(avatar));
}


static json_t *
rooms_pdu_named(rooms_str_t id, rooms_str_t server)
{
    char  text[ROOMS_ID_MAX + 1 + ROOMS_PEER_MAX];

    if (id.data == NULL || id.len > ROOMS_ID_MAX
        || server.len > ROOMS_PEER_MAX)
    {
        return NULL;
    }

    memcpy(text, id.data, id.len);
    text[id.len] = ':';
    memcpy(text + id.len + 1, server.data, server.len);

    return json_stringn(text, id.len + 1 + server.len);
}


json_t *
rooms_pdu_name(const rooms_pdu_t *pdu, json_t *event)
{
    rooms_str_t  id, server;

    id = rooms_pdu_str(json_object_get(event, "origin_id"));
    server = rooms_pdu_str(json_object_get(event, "origin_server"));

    if (id.data && server.data) {
        return rooms_pdu_named(id, server);
    }

    return rooms_pdu_named(rooms_pdu_str(json_object_get(event, "id")),
                           pdu->server);
}


json_t *
rooms_pdu_room(const rooms_pdu_t *pdu, const rooms_room_t *room)
{
    json_t  *id, *creator, *object;

    id = rooms_pdu_json(room->creator);
    creator = rooms_pdu_fqid(pdu, id);

    object = json_pack("{s:s,s:o,s:o,s:b,s:s,s:b,s:O?,s:o}",
                       "room_type", rooms_type_name(room->type),
                       "name", rooms_pdu_json(room->name),
                       "topic", rooms_pdu_json(room->topic),
                       "is_public", (int) room->is_public,
                       "state", rooms_state_name(room->state),
                       "federated", (int) room->federated,
                       "creator", creator,
                       "created_at", rooms_pdu_time(room->created_at));

    json_decref(id);

    return object;
}


static json_t *
rooms_pdu_profile(json_t *person)
{
    return json_pack("{s:O,s:O}", "display_name",
                     json_object_get(person, "display_name"), "avatar_url",
                     json_object_get(person, "avatar_url"));
}


/* Adds the members that aren't NULL; `room` and `members` are borrowed. */

static int
rooms_pdu_finish(json_t *pdu, json_t *room, int64_t as_of, json_t *members)
{
    if (pdu == NULL
        || (room && json_object_set(pdu, "room", room) != 0)
        || (as_of && json_object_set_new(pdu, "as_of", json_integer(as_of))
                     != 0)
        || (members && json_object_set(pdu, "members", members) != 0))
    {
        return -1;
    }

    return 0;
}


json_t *
rooms_pdu_make(const rooms_pdu_t *pdu, json_t *event, const char **why)
{
    int      rc;
    size_t   i;
    json_t  *out, *sender, *content, *members, *redacted, *id;

    *why = NULL;

    for (i = 0; i < sizeof(rooms_pdu_sent) / sizeof(rooms_pdu_sent[0]); i++) {

        if (rooms_pdu_is(event, rooms_pdu_sent[i])) {
            break;
        }
    }

    if (i == sizeof(rooms_pdu_sent) / sizeof(rooms_pdu_sent[0])) {

        if (!json_is_object(event)) {
            *why = "is not a JSON object";
        }

        return NULL;
    }

    sender = rooms_pdu_found(pdu->people, json_object_get(event, "sender_id"));

    if (sender == NULL) {
        *why = "has a sender without an fqid";
        return NULL;
    }

    if (!json_is_object(json_object_get(event, "content"))) {
        *why = "has no content";
        return NULL;
    }

    *why = "can't be held in memory";
    content = rooms_pdu_content(pdu, event, why);

    if (content == NULL) {
        return NULL;
    }

    id = json_object_get(event, "origin_id");

    out = json_pack("{s:O,s:o,s:O,s:o,s:O,s:o,s:O,s:O}",
                    "id", id ? id : json_object_get(event, "id"),
                    "room_id", pdu->room_id.data
                               ? rooms_pdu_json(pdu->room_id)
                               : json_incref(json_object_get(event,
                                                             "room_id")),
                    "sender", json_object_get(sender, "fqid"),
                    "profile", rooms_pdu_profile(sender),
                    "event_type", json_object_get(event, "event_type"),
                    "content", content,
                    "origin_ts", json_object_get(event, "origin_ts"),
                    "created_at", json_object_get(event, "created_at"));

    redacted = json_object_get(event, "redacted_at");
    members = pdu->members ? rooms_pdu_members(pdu, event) : NULL;

    rc = rooms_pdu_finish(out, pdu->room, pdu->room ? pdu->as_of : 0,
                          json_array_size(members) ? members : NULL);

    if (rc == 0 && json_is_string(redacted)) {
        rc = json_object_set(out, "redacted_at", redacted);
    }

    json_decref(members);

    if (rc != 0) {
        json_decref(out);
        return NULL;
    }

    return out;
}


json_t *
rooms_pdu_snapshot(const rooms_pdu_t *pdu, const rooms_pdu_part_t *part)
{
    int      rc;
    json_t  *out, *name, *person;

    name = rooms_pdu_json(part->sender);
    person = rooms_pdu_found(pdu->people, name);
    json_decref(name);

    if (person == NULL) {
        return NULL;
    }

    out = json_pack("{s:o,s:o,s:O,s:o,s:s,s:{},s:I,s:o}",
                    "id", rooms_pdu_json(part->id),
                    "room_id", rooms_pdu_json(part->room),
                    "sender", json_object_get(person, "fqid"),
                    "profile", rooms_pdu_profile(person),
                    "event_type", "swp.room.members", "content",
                    "origin_ts", (json_int_t) (part->now / 1000),
                    "created_at", rooms_pdu_time(part->now));

    rc = rooms_pdu_finish(out, pdu->room, pdu->as_of, part->members);

    if (rc == 0 && part->complete) {
        rc = json_object_set_new(out, "complete", json_true());
    }

    if (rc == 0 && part->of.data) {
        rc = json_object_set_new(out, "part",
                                 json_pack("{s:o,s:i}",
                                           "of", rooms_pdu_json(part->of),
                                           "n", (int) part->part));
    }

    if (rc == 0 && part->refused.data) {
        rc = json_object_set_new(out, "refused",
                                 rooms_pdu_json(part->refused));
    }

    if (rc != 0) {
        json_decref(out);
        return NULL;
    }

    return out;
}


/*
 * The content of an event and the participants it is about.  Their ids are
 * collected first; after the look-up they are replaced by names.
 */


/* The event that this one refers to, by its id here. */

static json_t *
rooms_pdu_reference(json_t *event)
{
    json_t  *content;

    content = json_object_get(event, "content");

    if (rooms_pdu_is(event, ROOMS_EV_MESSAGE)) {
        return json_object_get(content, "replaces");
    }

    if (rooms_pdu_is(event, ROOMS_EV_REACTION)
        || rooms_pdu_is(event, ROOMS_EV_REDACTION))
    {
        return json_object_get(content, "event_id");
    }

    return NULL;
}


/*
 * The content of messages belongs to their authors; names in it aren't
 * translated.
 */

static json_t *
rooms_pdu_naming(json_t *event)
{
    json_t  *content;

    content = json_object_get(event, "content");

    return json_is_object(content) && !rooms_pdu_is(event, ROOMS_EV_MESSAGE)
           && !rooms_pdu_is(event, ROOMS_EV_REACTION)
           && !rooms_pdu_is(event, ROOMS_EV_REDACTION) ? content : NULL;
}


int
rooms_pdu_mention(json_t *set, rooms_str_t id)
{
    char  key[ROOMS_ID_MAX + ROOMS_PDU_FQID + 1];

    if (id.data == NULL || id.len >= sizeof(key)) {
        return 0;
    }

    memcpy(key, id.data, id.len);
    key[id.len] = '\0';

    return json_object_get(set, key) ? 0 : json_object_set_new(set, key,
                                                               json_null());
}


static int
rooms_pdu_mention_all(rooms_pdu_t *pdu, json_t *value)
{
    size_t  i;

    if (json_is_string(value)) {
        return rooms_pdu_mention(pdu->people, rooms_pdu_str(value));
    }

    if (json_is_object(value)) {
        return rooms_pdu_mention(pdu->people, rooms_pdu_str(
                                  json_object_get(value, "participant_id")));
    }

    for (i = 0; i < json_array_size(value); i++) {

        if (rooms_pdu_mention(pdu->people,
                              rooms_pdu_str(json_array_get(value, i))) != 0)
        {
            return -1;
        }
    }

    return 0;
}


int
rooms_pdu_mentions(rooms_pdu_t *pdu, json_t *event)
{
    size_t   i;
    json_t  *content;

    if (rooms_pdu_mention(pdu->people, rooms_pdu_str(
                              json_object_get(event, "sender_id"))) != 0
        || rooms_pdu_mention(pdu->events, rooms_pdu_str(
                                 rooms_pdu_reference(event))) != 0)
    {
        return -1;
    }

    content = rooms_pdu_naming(event);

    for (i = 0; content && i < ROOMS_PDU_NAMES; i++) {

        if (rooms_pdu_mention_all(pdu, json_object_get(content,
                                                  rooms_pdu_names[i].key))
            != 0)
        {
            return -1;
        }
    }

    return 0;
}


static json_t *
rooms_pdu_found(json_t *set, json_t *id)
{
    json_t  *found;

    found = json_is_string(id) ? json_object_get(set, json_string_value(id))
                               : NULL;

    return json_is_null(found) ? NULL : found;
}


/* The fqid that was looked up, borrowed; NULL: none. */
static json_t *
rooms_pdu_fqid(const rooms_pdu_t *pdu, json_t *id)
{
    return json_object_get(rooms_pdu_found(pdu->people, id), "fqid");
}


/* A list leaves out participants that have no fqid. */

static json_t *
rooms_pdu_fqids(const rooms_pdu_t *pdu, json_t *ids)
{
    size_t   i;
    json_t  *array, *fqid;

    array = json_array();

    for (i = 0; i < json_array_size(ids); i++) {
        fqid = rooms_pdu_fqid(pdu, json_array_get(ids, i));

        if (fqid && json_array_append(array, fqid) != 0) {
            json_decref(array);
            return NULL;
        }
    }

    return array;
}


static json_t *
rooms_pdu_successor(const rooms_pdu_t *pdu, json_t *value)
{
    json_t  *fqid;

    fqid = rooms_pdu_fqid(pdu, json_object_get(value, "participant_id"));

    if (fqid == NULL) {
        return json_null();
    }

    return json_pack("{s:O,s:O?}", "fqid", fqid, "power_level",
                     json_object_get(value, "power_level"));
}


static int
rooms_pdu_member(const rooms_pdu_t *pdu, json_t *content, const char *key,
    json_t *value)
{
    size_t   i;
    json_t  *sent;

    for (i = 0; i < ROOMS_PDU_NAMES; i++) {

        if (strcmp(key, rooms_pdu_names[i].key) == 0) {
            break;
        }
    }

    if (i == ROOMS_PDU_NAMES) {
        return strcmp(key, "workspace_id") == 0
               ? 0 : json_object_set(content, key, value);
    }

    if (json_is_array(value)) {
        sent = rooms_pdu_fqids(pdu, value);

    } else if (json_is_object(value)) {
        sent = rooms_pdu_successor(pdu, value);

    } else {
        sent = json_incref(rooms_pdu_fqid(pdu, value));
    }

    return sent ? json_object_set_new(content, rooms_pdu_names[i].sent, sent)
                : -1;
}


static json_t *
rooms_pdu_about(const rooms_pdu_t *pdu, json_t *event, json_t *reference,
    const char **why)
{
    json_t  *name, *content;

    name = rooms_pdu_found(pdu->events, reference);

    if (name == NULL) {
        *why = "refers to an event that does not exist";
        return NULL;
    }

    content = json_object_get(event, "content");

    if (rooms_pdu_is(event, ROOMS_EV_MESSAGE)) {
        return json_pack("{s:O,s:O?}", "replaces", name, "content",
                         json_object_get(content, "content"));
    }

    content = json_copy(content);

    if (content && json_object_set(content, "event_id", name) != 0) {
        json_decref(content);
        return NULL;
    }

    return content;
}


static json_t *
rooms_pdu_content(const rooms_pdu_t *pdu, json_t *event, const char **why)
{
    json_t      *content, *value, *sent;
    const char  *key;

    if (json_is_string(json_object_get(event, "redacted_at"))) {
        return json_object();
    }

    value = rooms_pdu_reference(event);

    if (value) {
        return rooms_pdu_about(pdu, event, value, why);
    }

    content = rooms_pdu_naming(event);

    if (content == NULL) {
        content = json_object_get(event, "content");
        return json_is_object(content) ? json_incref(content) : NULL;
    }

    sent = json_object();

    json_object_foreach(content, key, value) {

        if (rooms_pdu_member(pdu, sent, key, value) != 0) {
            *why = "names a participant without an fqid";
            json_decref(sent);
            return NULL;
        }
    }

    return sent;
}


/* Adds a participant to `members` once. */

static int
rooms_pdu_member_add(const rooms_pdu_t *pdu, json_t *members, json_t *id)
{
    size_t   i;
    json_t  *person;

    person = rooms_pdu_found(pdu->people, id);

    for (i = 0; i < json_array_size(members); i++) {

        if (json_array_get(members, i) == person) {
            return 0;
        }
    }

    return person ? json_array_append(members, person) : 0;
}


static int
rooms_pdu_begins(json_t *event)
{
    return rooms_pdu_is(event, ROOMS_EV_CREATE)
           || rooms_pdu_is(event, ROOMS_EV_STATE);
}


/* The participants that an event is about; NULL: no memory. */
static json_t *
rooms_pdu_members(const rooms_pdu_t *pdu, json_t *event)
{
    int      rc;
    size_t   i, j;
    json_t  *content, *value, *members;

    members = json_array();
    content = rooms_pdu_naming(event);

    for (i = 0; content && i < ROOMS_PDU_NAMES; i++) {
        value = json_object_get(content, rooms_pdu_names[i].key);

        if (json_is_array(value)) {

            for (rc = 0, j = 0; rc == 0 && j < json_array_size(value); j++) {
                rc = rooms_pdu_member_add(pdu, members,
                                          json_array_get(value, j));
            }

        } else {
            rc = rooms_pdu_member_add(pdu, members, json_is_object(value)
                                  ? json_object_get(value, "participant_id")
                                  : value);
        }

        if (rc != 0) {
            json_decref(members);
            return NULL;
        }
    }

    /* a DM's first event names only one of its two members */

    for (i = 0; i < 2 && rooms_pdu_begins(event); i++) {
        value = rooms_pdu_json(pdu->sides[i]);
        rc = rooms_pdu_member_add(pdu, members, value);
        json_decref(value);

        if (rc != 0) {
            json_decref(members);
            return NULL;
        }
    }

    return members;
}
