/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An event of a room's history, as the room's home sends it: checks its form,
 * and translates its ids.
 */

#ifndef ROOMS_PAST_H
#define ROOMS_PAST_H

#include "rooms.h"
#include <jansson.h>


#define ROOMS_PAST_CONTENT  (64 * 1024)
#define ROOMS_PAST_AHEAD    (INT64_C(300) * 1000)    /* ms its clock may be
                                                        ahead */

/* Strings point into the event's JSON. */
typedef struct {
    rooms_str_t     id;
    rooms_str_t     sender;               /* "@local:server" */
    rooms_str_t     local;
    rooms_str_t     server;
    rooms_str_t     name;                 /* display name; NULL: none, or
                                             unfit */
    rooms_str_t     avatar;               /* https, or NULL */
    rooms_event_e   type;
    json_t         *content;              /* borrowed object */
    int64_t         origin_ts;            /* s */
    int64_t         created_at;           /* ms */
    int64_t         redacted_at;          /* ms; 0: not redacted */

    rooms_str_t     about_id;             /* another event; NULL: none */
    rooms_str_t     about_server;
    unsigned        edit:1;               /* it edits that event */
} rooms_past_t;


/* Returns NULL or a problem in words.  `now` is in ms. */
const char *rooms_past_read(json_t *event, rooms_str_t room, int64_t now,
    rooms_past_t *past);

/* The id of an event, valid or not; NULL: none. */
rooms_str_t rooms_past_id(json_t *event);

/*
 * Adds each participant named in the content to `names`, with null as its id
 * here.  -1: no memory.
 */
int rooms_past_mentions(const rooms_past_t *past, json_t *names);

/*
 * The content in the form stored here: participants by their ids from
 * `names`, and the event it refers to as `about`, unless that is NULL.  NULL:
 * no memory.
 */
json_t *rooms_past_content(const rooms_past_t *past, json_t *names,
    rooms_str_t about);

#endif /* ROOMS_PAST_H */
