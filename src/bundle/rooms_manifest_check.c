/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_manifest_check.h"
#include "rooms_zip_name.h"
#include "rooms_json.h"
#include "rooms.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* The place of a fault: "events[12]", and a member's name below it. */
typedef struct {
    rooms_manifest_check_t  *check;
    char                     path[40];
    unsigned                 bad;
} rooms_check_at_t;


static const char  *required[] = { "format", "version", "room" };

/* Members of an event that are kept raw. */
enum {
    ROOMS_CHECK_POSITION = 0,
    ROOMS_CHECK_ORIGIN_TS,
    ROOMS_CHECK_CREATED,
    ROOMS_CHECK_EDITED,
    ROOMS_CHECK_REDACTED,
    ROOMS_CHECK_UNINDEXED,
    ROOMS_CHECK_UNREADABLE
};


static int rooms_check_time(rooms_str_t raw);
static void rooms_check_room(rooms_check_at_t *at, json_t *room);
static const char *rooms_check_kind(json_t *room, const char *type);
static void rooms_check_text(rooms_check_at_t *at, json_t *o,
    const char *key);
static int rooms_check_object(rooms_check_at_t *at, rooms_str_t slice);
static void rooms_check_type(rooms_check_at_t *at,
    const rooms_check_event_t *e);
static void rooms_check_position(rooms_check_at_t *at,
    const rooms_check_event_t *e);
static void rooms_check_times(rooms_check_at_t *at,
    const rooms_check_event_t *e);
static void rooms_check_fault(rooms_check_at_t *at, const char *key,
    const char *problem);
static json_t *rooms_check_parse(rooms_check_at_t *at, rooms_str_t slice);
static json_t *rooms_check_done(rooms_check_at_t *at, json_t *o);
static void rooms_check_id(rooms_check_at_t *at, rooms_str_t id,
    const char *key);


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

        if (!rooms_check_time(slice)) {
            rooms_check_fault(&at, "", "is not an RFC 3339 time since 1970");
        }

    } else if (rooms_str_eq(key, rooms_cstr("exported_by"))
               || rooms_str_eq(key, rooms_cstr("server_name")))
    {
        if (!json_is_string(v)) {
            rooms_check_fault(&at, "", "is not a string");
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
        rooms_check_fault(at, "", "is not an object");
        return;
    }

    v = json_object_get(room, "room_type");
    type = json_string_value(v);

    if (type == NULL) {
        rooms_check_fault(at, "room_type", "is missing or not a string");
        return;
    }

    c->refused = rooms_check_kind(room, type);

    if (c->refused == NULL && strcmp(type, "group") != 0
        && strcmp(type, "public") != 0 && strcmp(type, "dm") != 0)
    {
        rooms_check_fault(at, "room_type", "is not a type of room");
    }

    v = json_object_get(room, "federated");

    if (v && !json_is_boolean(v) && !json_is_null(v)) {
        rooms_check_fault(at, "federated", "is not a boolean");
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


/* The four types that can't be imported; NULL: none of them. */

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
            rooms_check_fault(&at, "", "is not an object");
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
        rooms_check_fault(&at, "sha256", "is not a SHA-256 in lower case");
    }

    v = json_object_get(o, "size");

    if (!json_is_integer(v) || json_integer_value(v) < 0) {
        rooms_check_fault(&at, "size", "is missing or not a number of bytes");
    }

    rooms_check_text(&at, o, "name");
    rooms_check_text(&at, o, "mime_type");

    return rooms_check_done(&at, o);
}


json_t *
rooms_check_participant(rooms_manifest_check_t *c, rooms_str_t key,
    rooms_str_t slice)
{
    json_t           *o, *v;
    rooms_check_at_t  at;

    at.check = c;
    at.bad = 0;
    snprintf(at.path, sizeof(at.path), "participants.%.*s",
             key.len < 24 ? (int) key.len : 24,
             key.data ? (const char *) key.data : "");

    o = rooms_check_parse(&at, slice);

    if (o && !json_is_object(o)) {
        rooms_check_fault(&at, "", "is not an object");

    } else if (o && key.data == NULL) {
        v = json_object_get(o, "participant_id");
        rooms_check_id(&at, (rooms_str_t) { json_string_length(v),
                                            (const u_char *)
                                            json_string_value(v) },
                       "participant_id");
    }

    if (o && json_is_object(o)) {
        rooms_check_text(&at, o, "display_name");
        rooms_check_text(&at, o, "fqid");
    }

    return rooms_check_done(&at, o);
}


/* Checks a text that may be missing or null. */

static void
rooms_check_text(rooms_check_at_t *at, json_t *o, const char *key)
{
    json_t  *v;

    v = json_object_get(o, key);

    if (v && !json_is_null(v) && !json_is_string(v)) {
        rooms_check_fault(at, key, "is not a string");
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


/*
 * Decodes a string.  NULL: it isn't a string.  One that is too long gets a
 * length that every check refuses.
 */

static rooms_str_t
rooms_check_string(rooms_str_t raw, u_char *buf)
{
    ptrdiff_t  n;

    if (raw.len < 2 || raw.data[0] != '"') {
        return ROOMS_NULL;
    }

    raw.data++;
    raw.len -= 2;

    if (memchr(raw.data, '\\', raw.len) == NULL) {
        return raw;
    }

    n = rooms_json_unescape(raw, buf, ROOMS_CHECK_ID_MAX + 1);

    return n < 0 ? (rooms_str_t) { ROOMS_CHECK_ID_MAX + 1, buf }
                 : (rooms_str_t) { (size_t) n, buf };
}


/* Reads an integer that isn't negative into *n; else returns -1. */

static int
rooms_check_integer(rooms_str_t raw, int64_t *n)
{
    size_t  i;
    char    text[24];

    if (raw.len == 0 || raw.len >= sizeof(text)) {
        return -1;
    }

    for (i = 0; i < raw.len; i++) {

        if ((raw.data[i] < '0' || raw.data[i] > '9')
            && (i || raw.data[i] != '-'))
        {
            return -1;
        }

        text[i] = (char) raw.data[i];
    }

    text[i] = '\0';
    *n = strtoll(text, NULL, 10);

    return *n < 0 ? -1 : 0;
}


void
rooms_check_read(rooms_str_t slice, rooms_check_event_t *e)
{
    size_t       i;
    rooms_str_t  key, value, raw[3];

    const struct {
        rooms_str_t   key;
        rooms_str_t  *value;
    } members[] = {
        { rooms_string("id"), &raw[0] },
        { rooms_string("sender_id"), &raw[1] },
        { rooms_string("event_type"), &raw[2] },
        { rooms_string("content"), &e->content },
        { rooms_string("original_content"), &e->original },
        { rooms_string("stream_position"), &e->raw[ROOMS_CHECK_POSITION] },
        { rooms_string("origin_ts"), &e->raw[ROOMS_CHECK_ORIGIN_TS] },
        { rooms_string("created_at"), &e->raw[ROOMS_CHECK_CREATED] },
        { rooms_string("edited_at"), &e->raw[ROOMS_CHECK_EDITED] },
        { rooms_string("redacted_at"), &e->raw[ROOMS_CHECK_REDACTED] },
        { rooms_string("do_not_index"), &e->raw[ROOMS_CHECK_UNINDEXED] },
        { rooms_string("unreadable"), &e->raw[ROOMS_CHECK_UNREADABLE] },
    };

    memset(e, 0, offsetof(rooms_check_event_t, buf));
    memset(raw, 0, sizeof(raw));

    value = ROOMS_NULL;

    while (rooms_json_next(slice, &key, &value)) {

        for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {

            if (rooms_str_eq(key, members[i].key)
                || (key.len > members[i].key.len
                    && rooms_json_key_is(key,
                                         (const char *) members[i].key.data)))
            {
                if (value.data[0] != 'n'
                    || members[i].value == &e->raw[ROOMS_CHECK_UNINDEXED])
                {
                    *members[i].value = value;
                }

                break;
            }
        }
    }

    e->id = rooms_check_string(raw[0], e->buf[0]);
    e->sender = rooms_check_string(raw[1], e->buf[1]);
    e->type = rooms_check_string(raw[2], e->buf[2]);

    e->unreadable = rooms_str_eq(e->raw[ROOMS_CHECK_UNREADABLE],
                                 rooms_cstr("true"));
    e->redacted = e->raw[ROOMS_CHECK_REDACTED].len
                  && e->raw[ROOMS_CHECK_REDACTED].data[0] == '"';

    if (rooms_check_integer(e->raw[ROOMS_CHECK_ORIGIN_TS], &e->origin_ts)
        != 0)
    {
        e->origin_ts = -1;
    }
}


/*
 * Whether an element is an object that means the same to every reader.
 * Nearly all are plain JSON; jansson checks the others, and says what is
 * wrong.
 */

static int
rooms_check_object(rooms_check_at_t *at, rooms_str_t slice)
{
    int      is;
    json_t  *o;

    if (rooms_json_plain(slice)) {
        return 1;
    }

    o = rooms_check_parse(at, slice);
    is = json_is_object(o);

    if (o && !is) {
        rooms_check_fault(at, "", "is not an object");
    }

    json_decref(o);

    return is;
}


int
rooms_check_event(rooms_manifest_check_t *c, rooms_str_t slice,
    rooms_check_event_t *e)
{
    rooms_str_t       v;
    rooms_check_at_t  at;

    at.check = c;
    at.bad = 0;
    snprintf(at.path, sizeof(at.path), "events[%llu]",
             (unsigned long long) c->events++);

    if (!rooms_check_object(&at, slice)) {
        return -1;
    }

    rooms_check_read(slice, e);

    if (e->unreadable) {
        /* the server that exported it couldn't read it */
        return 0;
    }

    rooms_check_id(&at, e->id, "id");
    rooms_check_id(&at, e->sender, "sender_id");
    rooms_check_type(&at, e);

    if (e->content.len == 0 || e->content.data[0] != '{') {
        rooms_check_fault(&at, "content", "is missing or not an object");
    }

    v = e->raw[ROOMS_CHECK_UNINDEXED];

    if (v.data && v.data[0] != 't' && v.data[0] != 'f') {
        rooms_check_fault(&at, "do_not_index", "is not a boolean");
    }

    rooms_check_position(&at, e);
    rooms_check_times(&at, e);

    return at.bad ? -1 : 0;
}


static void
rooms_check_id(rooms_check_at_t *at, rooms_str_t id, const char *key)
{
    size_t  i;

    if (id.data == NULL) {
        rooms_check_fault(at, key, "is missing or not a string");
        return;
    }

    for (i = 0; i < id.len; i++) {
        if (id.data[i] <= 0x20 || id.data[i] == 0x7f) {
            break;
        }
    }

    if (i != id.len || id.len == 0 || id.len > ROOMS_CHECK_ID_MAX) {
        rooms_check_fault(at, key, "is not an id");
    }
}


static void
rooms_check_type(rooms_check_at_t *at, const rooms_check_event_t *e)
{
    u_char  c;
    size_t  i;

    if (e->type.data == NULL) {
        rooms_check_fault(at, "event_type", "is missing or not a string");
        return;
    }

    for (i = 9; i < e->type.len; i++) {
        c = e->type.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_'
            && c != '.')
        {
            break;
        }
    }

    if (e->type.len <= 9 || e->type.len > ROOMS_CHECK_ID_MAX
        || i != e->type.len || memcmp(e->type.data, "swp.room.", 9) != 0)
    {
        rooms_check_fault(at, "event_type", "is not a swp.room. type");
    }
}


static void
rooms_check_position(rooms_check_at_t *at, const rooms_check_event_t *e)
{
    int64_t  position;

    if (rooms_check_integer(e->raw[ROOMS_CHECK_POSITION], &position) != 0) {
        rooms_check_fault(at, "stream_position",
                          "is missing or not a positive integer");

    } else if (at->check->events > 1 && position <= at->check->position) {
        rooms_check_fault(at, "stream_position",
                          "is not above that of the previous event");

    } else {
        at->check->position = position;
    }
}


static int
rooms_check_time(rooms_str_t raw)
{
    rooms_str_t  s;
    u_char       buf[ROOMS_CHECK_ID_MAX + 1];

    s = rooms_check_string(raw, buf);

    return s.data && s.len <= ROOMS_CHECK_ID_MAX && rooms_time_parse(s) >= 0;
}


static void
rooms_check_times(rooms_check_at_t *at, const rooms_check_event_t *e)
{
    size_t       i;
    rooms_str_t  v;

    static const struct {
        unsigned     member;
        const char  *name;
    } times[] = {
        { ROOMS_CHECK_CREATED, "created_at" },
        { ROOMS_CHECK_EDITED, "edited_at" },
        { ROOMS_CHECK_REDACTED, "redacted_at" }
    };

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        v = e->raw[times[i].member];

        if (v.data && !rooms_check_time(v)) {
            rooms_check_fault(at, times[i].name,
                              "is not an RFC 3339 time since 1970");
        }
    }

    if (e->raw[ROOMS_CHECK_ORIGIN_TS].data) {

        if (e->origin_ts == -1) {
            rooms_check_fault(at, "origin_ts", "is not a number of seconds");
        }

    } else if (e->raw[ROOMS_CHECK_CREATED].data == NULL) {
        rooms_check_fault(at, "created_at", "is missing, and so is origin_ts");
    }
}
