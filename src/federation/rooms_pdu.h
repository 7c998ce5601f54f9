/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Turns stored events into the events that other servers receive
 * (docs/federation-protocol.md).  First it collects the names an event
 * mentions; the caller looks them up; then it makes the event.
 */

#ifndef ROOMS_PDU_H
#define ROOMS_PDU_H

#include "rooms.h"
#include <jansson.h>


typedef struct {
    rooms_str_t   server;                  /* this server's name */
    rooms_str_t   room_id;                 /* id at its home; NULL: same as
                                              here */

    /*
     * Objects with a member for everything mentioned, null until it is looked
     * up: participants as in "members", and events as "<id>:<server>".
     */
    json_t       *people;
    json_t       *events;

    json_t       *room;                    /* sent with each event, or NULL */
    int64_t       as_of;                   /* the room's position at that
                                              time, or 0 */
    unsigned      members:1;               /* also send the members that
                                              events are about */
    rooms_str_t   sides[2];                /* a DM's participants, for its
                                              create event; mentioned, or
                                              NULL */
} rooms_pdu_t;


/* Collects what an event, or a room, mentions.  -1: no memory. */
int rooms_pdu_mentions(rooms_pdu_t *pdu, json_t *event);
int rooms_pdu_mention(json_t *set, rooms_str_t id);

/*
 * A participant that was looked up.  `local` is NULL for one of another
 * server, whose id is the fqid.  NULL: it has no fqid, or no memory.
 */
json_t *rooms_pdu_person(const rooms_pdu_t *pdu, const rooms_member_t *member,
    rooms_str_t local, rooms_str_t name, rooms_str_t avatar);

/* An event's name "<id>:<server>", from its JSON; NULL likewise. */
json_t *rooms_pdu_name(const rooms_pdu_t *pdu, json_t *event);

/* The value of "room". */
json_t *rooms_pdu_room(const rooms_pdu_t *pdu, const rooms_room_t *room);

/*
 * NULL: the event isn't sent, and `why` has the reason.  `why` is NULL too if
 * that is intended: workspaces and read markers stay local.
 */
json_t *rooms_pdu_make(const rooms_pdu_t *pdu, json_t *event,
    const char **why);

/* A part of a snapshot.  All parts have the same "of". */
typedef struct {
    rooms_str_t   room;
    rooms_str_t   id;
    rooms_str_t   sender;
    json_t       *members;                 /* made by rooms_pdu_person() */
    rooms_str_t   of;                      /* id of the first part; NULL: the
                                              only part */
    unsigned      part;                    /* from 0 */
    unsigned      complete:1;              /* the last one */
    rooms_str_t   refused;                 /* the receiver's event that the
                                              snapshot answers, or NULL */
    int64_t       now;                     /* ms */
} rooms_pdu_part_t;

/* NULL: no memory, or the sender has no name. */
json_t *rooms_pdu_snapshot(const rooms_pdu_t *pdu,
    const rooms_pdu_part_t *part);

#endif /* ROOMS_PDU_H */
