/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_manifest_check.h"
#include "rooms.h"

#include <stdio.h>
#include <string.h>


#define ROOMS_CHECK_ID_MAX     255    /* bytes of an id or a type */


static void rooms_check_type(rooms_check_at_t *at, json_t *event);
static void rooms_check_position(rooms_check_at_t *at, json_t *event);
static void rooms_check_times(rooms_check_at_t *at, json_t *event);


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


void
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


int
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
