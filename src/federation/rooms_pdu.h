/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Events as other servers are told them (docs/federation-protocol.md), made
 * of events as the store holds them.  Names are looked up in between: first
 * what an event mentions is collected, then it is made with what was found.
 */

#ifndef ROOMS_PDU_H
#define ROOMS_PDU_H

#include "rooms.h"
#include <jansson.h>


typedef struct {
    rooms_str_t   server;                  /* our name */
    rooms_str_t   room_id;                 /* at its home; NULL: as here */

    /*
     * Objects with a member for each that is mentioned, null until it is
     * found: participants as in "members", and events as "<id>:<server>".
     */
    json_t       *people;
    json_t       *events;

    json_t       *room;                    /* told with each, or NULL */
    int64_t       as_of;                   /* the room's position then, or 0 */
    unsigned      members:1;               /* so are those it is about */
    rooms_str_t   sides[2];                /* of a DM, whom its beginning is
                                              about; mentioned, or NULL */
} rooms_pdu_t;


/* Notes what an event, or a room, mentions.  -1: no memory. */
int rooms_pdu_mentions(rooms_pdu_t *pdu, json_t *event);
int rooms_pdu_mention(json_t *set, rooms_str_t id);

/*
 * A participant that was looked up; local is NULL for one of another server,
 * whose id is its name.  NULL: has none that others know, or no memory.
 */
json_t *rooms_pdu_person(const rooms_pdu_t *pdu, const rooms_member_t *member,
    rooms_str_t local, rooms_str_t name, rooms_str_t avatar);

/* An event's name, of its JSON; NULL likewise. */
json_t *rooms_pdu_name(const rooms_pdu_t *pdu, json_t *event);

/* What "room" says. */
json_t *rooms_pdu_room(const rooms_pdu_t *pdu, const rooms_room_t *room);

/*
 * NULL: it isn't told, and why says what it is; why is NULL, too, where that
 * is as it should be: workspaces and read markers are nobody else's business.
 */
json_t *rooms_pdu_make(const rooms_pdu_t *pdu, json_t *event,
    const char **why);

/* A part of a snapshot; those that go on behind it have the same "of". */
typedef struct {
    rooms_str_t   room;
    rooms_str_t   id;
    rooms_str_t   sender;
    json_t       *members;                 /* of rooms_pdu_person() */
    rooms_str_t   of;                      /* the first part's id; NULL: there
                                              is but one */
    unsigned      part;                    /* from 0 */
    unsigned      complete:1;              /* the last one */
    rooms_str_t   refused;                 /* the receiver's event that it
                                              answers, or NULL */
    int64_t       now;                     /* ms */
} rooms_pdu_part_t;

/* NULL: no memory, or the sender has no name. */
json_t *rooms_pdu_snapshot(const rooms_pdu_t *pdu,
    const rooms_pdu_part_t *part);

#endif /* ROOMS_PDU_H */
