/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The content of an event, and those whom it is about: what they are called
 * here is noted, and once that was looked up, said as others know it.
 */

#include "rooms_pdu_content.h"


/* Members of a content that name somebody, and how others call them. */
static const struct {
    const char   *key;
    const char   *told;
} rooms_pdu_names[] = {
    { "participant_id", "fqid" },
    { "participant_ids", "fqids" },
    { "creator_id", "creator" },
    { "successor", "successor" }
};

#define ROOMS_PDU_NAMES                                                       \
    (sizeof(rooms_pdu_names) / sizeof(rooms_pdu_names[0]))


/* "<id>:<server>" of an event that this one is about, by its id here. */

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


/* Messages are their authors': whatever they hold names nobody to us. */

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


json_t *
rooms_pdu_found(json_t *set, json_t *id)
{
    json_t  *found;

    found = json_is_string(id) ? json_object_get(set, json_string_value(id))
                               : NULL;

    return json_is_null(found) ? NULL : found;
}


json_t *
rooms_pdu_fqid(const rooms_pdu_t *pdu, json_t *id)
{
    return json_object_get(rooms_pdu_found(pdu->people, id), "fqid");
}


/* Who can't be named to others is left out of a list of many. */

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
    json_t  *told;

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
        told = rooms_pdu_fqids(pdu, value);

    } else if (json_is_object(value)) {
        told = rooms_pdu_successor(pdu, value);

    } else {
        told = json_incref(rooms_pdu_fqid(pdu, value));
    }

    return told ? json_object_set_new(content, rooms_pdu_names[i].told, told)
                : -1;
}


static json_t *
rooms_pdu_about(const rooms_pdu_t *pdu, json_t *event, json_t *reference,
    const char **why)
{
    json_t  *name, *content;

    name = rooms_pdu_found(pdu->events, reference);

    if (name == NULL) {
        *why = "is about an event that is not there";
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


json_t *
rooms_pdu_content(const rooms_pdu_t *pdu, json_t *event, const char **why)
{
    json_t      *content, *value, *told;
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

    told = json_object();

    json_object_foreach(content, key, value) {

        if (rooms_pdu_member(pdu, told, key, value) != 0) {
            *why = "names somebody who has no name elsewhere";
            json_decref(told);
            return NULL;
        }
    }

    return told;
}


/* Those whom the event is about, each once. */

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


json_t *
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

    /* a DM has both in it from its first event, which names only one */

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
