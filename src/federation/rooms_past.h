/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An event of a room's past, as the room's own server tells it: what must be
 * right with it by itself, and what it is called here.
 */

#ifndef ROOMS_PAST_H
#define ROOMS_PAST_H

#include "rooms.h"
#include <jansson.h>


#define ROOMS_PAST_CONTENT  (64 * 1024)
#define ROOMS_PAST_AHEAD    (INT64_C(300) * 1000)    /* ms, of its clock */

/* Strings point into the event's JSON. */
typedef struct {
    rooms_str_t     id;
    rooms_str_t     sender;               /* "@local:server" */
    rooms_str_t     local;
    rooms_str_t     server;
    rooms_str_t     name;                 /* displayed; NULL: none fit */
    rooms_str_t     avatar;               /* https, or NULL */
    rooms_event_e   type;
    json_t         *content;              /* borrowed object */
    int64_t         origin_ts;            /* s */
    int64_t         created_at;           /* ms */
    int64_t         redacted_at;          /* ms; 0: it isn't */

    rooms_str_t     about_id;             /* another event; NULL: none */
    rooms_str_t     about_server;
    unsigned        edit:1;               /* of that one */
} rooms_past_t;


/* NULL, or what is wrong with it, in words.  now is ms. */
const char *rooms_past_read(json_t *event, rooms_str_t room, int64_t now,
    rooms_past_t *past);

/* The id of an event, as far as it can be told; NULL: it has none. */
rooms_str_t rooms_past_id(json_t *event);

/*
 * Participants that its content names: a member for each in `names`, null
 * until it is known what they are called here.  -1: no memory.
 */
int rooms_past_mentions(const rooms_past_t *past, json_t *names);

/*
 * The content as it is kept here: participants by their ids, if `names` has
 * them, and the event that it is about by `about`, unless that is NULL.
 * NULL: no memory.
 */
json_t *rooms_past_content(const rooms_past_t *past, json_t *names,
    rooms_str_t about);

#endif /* ROOMS_PAST_H */
