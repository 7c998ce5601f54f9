/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What another server tells: an EVENT of docs/federation-protocol.md, read
 * from its JSON.  Nothing of it is trusted; what is read here has its form,
 * and no more than that.
 */

#ifndef ROOMS_TOLD_H
#define ROOMS_TOLD_H

#include "rooms.h"
#include "rooms_peer.h"
#include <jansson.h>


#define ROOMS_TOLD_EVENTS    50          /* in one request */
#define ROOMS_TOLD_MEMBERS  100          /* of one event */
#define ROOMS_TOLD_PARTS    (1 << 20)    /* of one snapshot */
#define ROOMS_TOLD_SNAPSHOT ROOMS_EV_MAX /* swp.room.members */

typedef struct {
    rooms_str_t         fqid;
    rooms_str_t         local;
    rooms_str_t         server;
    rooms_membership_e  membership;
    int                 power;
    int64_t             joined_at;       /* ms, 0: isn't joined */
    rooms_str_t         name;            /* displayed; NULL: isn't told */
    rooms_str_t         avatar;
} rooms_told_member_t;

/* Strings point into the JSON. */
typedef struct {
    rooms_str_t         id;
    rooms_str_t         room;
    rooms_told_member_t sender;
    int                 type;            /* rooms_event_e, or SNAPSHOT */
    json_t             *content;         /* an object */
    int64_t             created_at;      /* ms */

    unsigned            has_room:1;
    unsigned            complete:1;      /* with the parts before it, members
                                            is everybody */
    unsigned            is_public:1;
    unsigned            federated:1;
    rooms_type_e        room_type;
    rooms_state_e       state;
    rooms_str_t         name;            /* or NULL */
    rooms_str_t         topic;
    rooms_str_t         creator;
    int64_t             room_created_at;

    int64_t             as_of;           /* the home's position when it said
                                            how the room is, or 0 */

    json_t             *members;         /* an array, or NULL */
    rooms_str_t         of;              /* a snapshot: its first part's id,
                                            or NULL: it is of none */
    unsigned            part;            /* which one it is, from 0 */
    rooms_str_t         refused;         /* the receiver's event that it is
                                            the answer to, or NULL */
} rooms_told_t;


/* NULL, or what is wrong, in words; now is in ms. */
const char *rooms_told_read(json_t *event, int64_t now, rooms_told_t *told);
const char *rooms_told_member(json_t *member, rooms_told_member_t *m);

/*
 * A text of a peer's is taken apart before it is parsed, so that one event
 * that isn't JSON to us spoils no other.  Where a value ends is seen by its
 * brackets and quotes alone: 1, and the value; 0: there is none; -1: what
 * holds it has no end.  An array is what is left of it after each call.
 */
int rooms_told_find(rooms_str_t object, const char *key, rooms_str_t *value);
int rooms_told_piece(rooms_str_t *array, rooms_str_t *value);

/*
 * A room is known by its id and its home together.  It has the same id here,
 * unless another one has it already: then it has one that is made of both, and
 * ends with "_", as no id does that anybody may claim.  At most ROOMS_ID_MAX
 * bytes; returns the length.
 */
#define ROOMS_TOLD_ROOM  (sizeof("room-") - 1 + 26 + 1)
size_t rooms_told_room_id(rooms_str_t home, rooms_str_t id,
    unsigned char *dst);
int rooms_told_room_made(rooms_str_t id);

/* The id of an event that can't be parsed, if one is to be seen, or NULL. */
rooms_str_t rooms_told_id(rooms_str_t event);

/* "<event id>:<server>": 0, and both parts; -1: isn't one. */
int rooms_told_ref(rooms_str_t s, rooms_str_t *id, rooms_str_t *server);

/*
 * How somebody is called, and looks.  What isn't fit to be shown is NULL: it
 * is no reason to refuse more.
 */
void rooms_told_profile(json_t *object, rooms_str_t *name,
    rooms_str_t *avatar);

/*
 * Of its participants only a server itself says how they are called, and look:
 * what a speaker says of others is dropped.
 */
void rooms_told_own(rooms_str_t speaker, rooms_str_t server,
    rooms_str_t *name, rooms_str_t *avatar);

/* A server's answer to "profile/{local_id}": 0; -1: isn't that profile. */
int rooms_told_answer(json_t *data, rooms_str_t local, rooms_str_t server,
    rooms_str_t *name, rooms_str_t *avatar);

/* A string member; NULL if it is absent or another thing. */
rooms_str_t rooms_told_str(json_t *object, const char *key);

#endif /* ROOMS_TOLD_H */
