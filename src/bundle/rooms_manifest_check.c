/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_manifest_check.h"
#include "rooms_zip_name.h"
#include "rooms.h"
#include <stdio.h>
#include <string.h>


/* Where a fault is: "events[12]" and, below it, a member's name. */
typedef struct {
    rooms_manifest_check_t  *check;
    char                     path[40];
    unsigned                 bad;
} rooms_check_at_t;


static const char  *required[] = { "format", "version", "room" };

#define ROOMS_CHECK_ID_MAX     255    /* bytes of an id or a type */


static int rooms_check_time(const json_t *v);
static void rooms_check_room(rooms_check_at_t *at, json_t *room);
static const char *rooms_check_kind(json_t *room, const char *type);
static void rooms_check_text(rooms_check_at_t *at, json_t *o,
    const char *key);
static void rooms_check_type(rooms_check_at_t *at, json_t *event);
static void rooms_check_position(rooms_check_at_t *at, json_t *event);
static void rooms_check_times(rooms_check_at_t *at, json_t *event);
static void rooms_check_fault(rooms_check_at_t *at, const char *key,
    const char *problem);
static json_t *rooms_check_parse(rooms_check_at_t *at, rooms_str_t slice);
static json_t *rooms_check_done(rooms_check_at_t *at, json_t *o);
static void rooms_check_id(rooms_check_at_t *at, json_t *o, const char *key);


static void
rooms_check_fault(rooms_check_at_t *at, const char *key, const char *problem)
{
    char  field[64];

    at->bad = 1;

    snprintf(field, sizeof(field), "%s%s%.20s", at->path,
             at->path[0] && key[0] ? "." : "", key);
    rooms_faults_add(at->check->faults, field, "%s", problem);
}


void
rooms_check_init(rooms_manifest_check_t *c, rooms_faults_t *faults)
{
    memset(c, 0, sizeof(rooms_manifest_check_t));

    c->faults = faults;
}


void
rooms_check_cleanup(rooms_manifest_check_t *c)
{
    json_decref(c->room);
    c->room = NULL;
}


static json_t *
rooms_check_parse(rooms_check_at_t *at, rooms_str_t slice)
{
    char          text[192];
    json_t       *v;
    json_error_t  error;

    v = json_loadb((const char *) slice.data, slice.len,
                   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

    if (v == NULL) {
        snprintf(text, sizeof(text), "%s at its byte %d", error.text,
                 error.position);
        rooms_check_fault(at, "", text);
    }

    return v;
}


int
rooms_check_member(rooms_manifest_check_t *c, rooms_str_t key,
    rooms_str_t slice)
{
    size_t            i;
    json_t           *v;
    rooms_check_at_t  at;

    memset(&at, 0, sizeof(at));
    at.check = c;
    snprintf(at.path, sizeof(at.path), "%.*s", (int) key.len,
             (const char *) key.data);

    for (i = 0; i < 3; i++) {
        c->seen |= (unsigned) rooms_str_eq(key, rooms_cstr(required[i])) << i;
    }

    v = rooms_check_parse(&at, slice);

    if (v == NULL) {
        return -1;
    }

    if (rooms_str_eq(key, rooms_cstr("format"))) {
        if (!json_is_string(v)
            || strcmp(json_string_value(v), ROOMS_BUNDLE_FORMAT) != 0)
        {
            rooms_check_fault(&at, "", "is not " ROOMS_BUNDLE_FORMAT);
        }

    } else if (rooms_str_eq(key, rooms_cstr("version"))) {
        if (!json_is_integer(v)
            || json_integer_value(v) != ROOMS_BUNDLE_VERSION)
        {
            rooms_check_fault(&at, "", "is a version that this server does "
                                       "not know");
        }

    } else if (rooms_str_eq(key, rooms_cstr("room"))) {
        rooms_check_room(&at, v);

    } else if (rooms_str_eq(key, rooms_cstr("exported_at"))) {

        if (!rooms_check_time(v)) {
            rooms_check_fault(&at, "", "is no RFC 3339 time since 1970");
        }

    } else if (rooms_str_eq(key, rooms_cstr("exported_by"))
               || rooms_str_eq(key, rooms_cstr("server_name")))
    {
        if (!json_is_string(v)) {
            rooms_check_fault(&at, "", "is no string");
        }
    }

    json_decref(v);

    return at.bad ? -1 : 0;
}


static void
rooms_check_room(rooms_check_at_t *at, json_t *room)
{
    json_t                  *v;
    const char              *type;
    rooms_manifest_check_t  *c;

    c = at->check;

    if (!json_is_object(room)) {
        rooms_check_fault(at, "", "is no object");
        return;
    }

    v = json_object_get(room, "room_type");
    type = json_string_value(v);

    if (type == NULL) {
        rooms_check_fault(at, "room_type", "is missing or no string");
        return;
    }

    c->refused = rooms_check_kind(room, type);

    if (c->refused == NULL && strcmp(type, "group") != 0
        && strcmp(type, "public") != 0 && strcmp(type, "dm") != 0)
    {
        rooms_check_fault(at, "room_type", "is no kind of room");
    }

    v = json_object_get(room, "federated");

    if (v && !json_is_boolean(v) && !json_is_null(v)) {
        rooms_check_fault(at, "federated", "is no boolean");
    }

    v = json_object_get(room, "scope_kind");

    if (v && !json_is_null(v) && c->refused == NULL) {
        rooms_check_fault(at, "scope_kind", "is unknown");
    }

    rooms_check_text(at, room, "name");
    rooms_check_text(at, room, "topic");

    json_decref(c->room);
    c->room = json_incref(room);
}


/* The four kinds of section 6; NULL: none of them. */

static const char *
rooms_check_kind(json_t *room, const char *type)
{
    const char  *scope;

    scope = json_string_value(json_object_get(room, "scope_kind"));

    if (strcmp(type, "incognito") == 0
        || (scope && strcmp(scope, "incognito") == 0))
    {
        return "incognito";
    }

    if (strcmp(type, "sidekick") == 0) {
        return "sidekick";
    }

    if (strcmp(type, "bridge") == 0) {
        return "bridge";
    }

    return json_is_true(json_object_get(room, "federated")) ? "federated"
                                                            : NULL;
}


json_t *
rooms_check_medium(rooms_manifest_check_t *c, rooms_str_t key,
    rooms_str_t slice)
{
    json_t           *o, *v;
    rooms_str_t       sha;
    rooms_check_at_t  at;

    at.check = c;
    at.bad = 0;
    snprintf(at.path, sizeof(at.path), "media[%llu]",
             (unsigned long long) c->media++);

    o = rooms_check_parse(&at, slice);

    if (o == NULL || !json_is_object(o)) {
        if (o) {
            rooms_check_fault(&at, "", "is no object");
        }

        return rooms_check_done(&at, o);
    }

    v = json_object_get(o, "sha256");
    sha.data = (const u_char *) json_string_value(v);
    sha.len = json_string_length(v);

    if (v == NULL && key.data) {
        sha = key;
    }

    if (sha.data == NULL || !rooms_sha256_hex_valid(sha)
        || (key.data && !rooms_str_eq(key, sha)))
    {
        rooms_check_fault(&at, "sha256", "is no SHA-256 in lower case");
    }

    v = json_object_get(o, "size");

    if (!json_is_integer(v) || json_integer_value(v) < 0) {
        rooms_check_fault(&at, "size", "is missing or no number of bytes");
    }

    rooms_check_text(&at, o, "name");
    rooms_check_text(&at, o, "mime_type");

    return rooms_check_done(&at, o);
}


json_t *
rooms_check_participant(rooms_manifest_check_t *c, rooms_str_t key,
    rooms_str_t slice)
{
    json_t           *o;
    rooms_check_at_t  at;

    at.check = c;
    at.bad = 0;
    snprintf(at.path, sizeof(at.path), "participants.%.*s",
             key.len < 24 ? (int) key.len : 24,
             key.data ? (const char *) key.data : "");

    o = rooms_check_parse(&at, slice);

    if (o && !json_is_object(o)) {
        rooms_check_fault(&at, "", "is no object");

    } else if (o && key.data == NULL) {
        rooms_check_id(&at, o, "participant_id");
    }

    if (o && json_is_object(o)) {
        rooms_check_text(&at, o, "display_name");
        rooms_check_text(&at, o, "fqid");
    }

    return rooms_check_done(&at, o);
}


/* A text that may be missing or null. */

static void
rooms_check_text(rooms_check_at_t *at, json_t *o, const char *key)
{
    json_t  *v;

    v = json_object_get(o, key);

    if (v && !json_is_null(v) && !json_is_string(v)) {
        rooms_check_fault(at, key, "is no string");
    }
}


static json_t *
rooms_check_done(rooms_check_at_t *at, json_t *o)
{
    if (at->bad) {
        json_decref(o);
        return NULL;
    }

    return o;
}


rooms_check_e
rooms_check_finish(rooms_manifest_check_t *c, int events)
{
    size_t  i;

    for (i = 0; i < 3; i++) {
        if (!(c->seen >> i & 1)) {
            rooms_faults_add(c->faults, required[i], "is missing");
        }
    }

    if (!events) {
        rooms_faults_add(c->faults, "events", "is missing");
    }

    if (c->refused) {
        return ROOMS_CHECK_REFUSED;
    }

    return c->faults->total ? ROOMS_CHECK_INVALID : ROOMS_CHECK_OK;
}


json_t *
rooms_check_event(rooms_manifest_check_t *c, rooms_str_t slice)
{
    json_t           *event, *v;
    rooms_check_at_t  at;

    at.check = c;
    at.bad = 0;
    snprintf(at.path, sizeof(at.path), "events[%llu]",
             (unsigned long long) c->events++);

    event = rooms_check_parse(&at, slice);

    if (event == NULL || !json_is_object(event)) {
        if (event) {
            rooms_check_fault(&at, "", "is no object");
        }

        return rooms_check_done(&at, event);
    }

    if (json_is_true(json_object_get(event, "unreadable"))) {
        /* the store that it was exported from couldn't read it */
        return event;
    }

    rooms_check_id(&at, event, "id");
    rooms_check_id(&at, event, "sender_id");
    rooms_check_type(&at, event);

    if (!json_is_object(json_object_get(event, "content"))) {
        rooms_check_fault(&at, "content", "is missing or no object");
    }

    v = json_object_get(event, "do_not_index");

    if (v && !json_is_boolean(v)) {
        rooms_check_fault(&at, "do_not_index", "is no boolean");
    }

    rooms_check_position(&at, event);
    rooms_check_times(&at, event);

    return rooms_check_done(&at, event);
}


static void
rooms_check_id(rooms_check_at_t *at, json_t *o, const char *key)
{
    size_t       i, len;
    json_t      *v;
    const char  *s;

    v = json_object_get(o, key);
    s = json_string_value(v);

    if (s == NULL) {
        rooms_check_fault(at, key, "is missing or no string");
        return;
    }

    len = json_string_length(v);

    for (i = 0; i < len; i++) {
        if ((u_char) s[i] <= 0x20 || s[i] == 0x7f) {
            break;
        }
    }

    if (i != len || len == 0 || len > ROOMS_CHECK_ID_MAX) {
        rooms_check_fault(at, key, "is no id");
    }
}


static void
rooms_check_type(rooms_check_at_t *at, json_t *event)
{
    size_t       len;
    json_t      *v;
    const char  *s;

    v = json_object_get(event, "event_type");
    s = json_string_value(v);
    len = json_string_length(v);

    if (s == NULL) {
        rooms_check_fault(at, "event_type", "is missing or no string");
        return;
    }

    if (strncmp(s, "swp.room.", 9) != 0 || len == 9
        || len > ROOMS_CHECK_ID_MAX
        || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_.") != len)
    {
        rooms_check_fault(at, "event_type", "is no swp.room. type");
    }
}


static void
rooms_check_position(rooms_check_at_t *at, json_t *event)
{
    json_t  *v;

    v = json_object_get(event, "stream_position");

    if (!json_is_integer(v) || json_integer_value(v) < 0) {
        rooms_check_fault(at, "stream_position",
                          "is missing or no positive integer");

    } else if (at->check->events > 1
               && json_integer_value(v) <= at->check->position)
    {
        rooms_check_fault(at, "stream_position",
                          "is not above that of the event before");

    } else {
        at->check->position = json_integer_value(v);
    }
}


static int
rooms_check_time(const json_t *v)
{
    rooms_str_t  s;

    s.data = (const u_char *) json_string_value(v);
    s.len = json_string_length(v);

    return s.data && rooms_time_parse(s) >= 0;
}


static void
rooms_check_times(rooms_check_at_t *at, json_t *event)
{
    size_t   i;
    json_t  *v;

    static const char  *names[] = { "created_at", "edited_at", "redacted_at" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        v = json_object_get(event, names[i]);

        if (v && !json_is_null(v) && !rooms_check_time(v)) {
            rooms_check_fault(at, names[i], "is no RFC 3339 time since 1970");
        }
    }

    v = json_object_get(event, "origin_ts");

    if (v && !json_is_null(v)) {
        if (!json_is_integer(v) || json_integer_value(v) < 0) {
            rooms_check_fault(at, "origin_ts", "is no number of seconds");
        }

        return;
    }

    v = json_object_get(event, "created_at");

    if (v == NULL || json_is_null(v)) {
        rooms_check_fault(at, "created_at", "is missing, origin_ts too");
    }
}
