/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An EVENT of docs/federation-protocol.md, as read from another server's
 * JSON.  This checks only its form; nothing in it is trusted.
 */

#ifndef ROOMS_REMOTE_H
#define ROOMS_REMOTE_H

#include "rooms.h"
#include "rooms_peer.h"
#include <jansson.h>


#define ROOMS_REMOTE_EVENTS    50          /* in one request */
#define ROOMS_REMOTE_MEMBERS  100          /* in one event */
#define ROOMS_REMOTE_PARTS    (1 << 20)    /* of one snapshot */
#define ROOMS_REMOTE_SNAPSHOT ROOMS_EV_MAX /* swp.room.members */

typedef struct {
    rooms_str_t         fqid;
    rooms_str_t         local;
    rooms_str_t         server;
    rooms_membership_e  membership;
    int                 power;
    int64_t             joined_at;       /* ms; 0: not joined */
    rooms_str_t         name;            /* display name; NULL: not given */
    rooms_str_t         avatar;
} rooms_remote_member_t;

/* Strings point into the JSON. */
typedef struct {
    rooms_str_t         id;
    rooms_str_t         room;
    rooms_remote_member_t sender;
    int                 type;            /* rooms_event_e, or SNAPSHOT */
    json_t             *content;         /* an object */
    int64_t             created_at;      /* ms */

    unsigned            has_room:1;
    unsigned            complete:1;      /* together with the earlier parts,
                                            the member list is complete */
    unsigned            is_public:1;
    unsigned            federated:1;
    rooms_type_e        room_type;
    rooms_state_e       state;
    rooms_str_t         name;            /* or NULL */
    rooms_str_t         topic;
    rooms_str_t         creator;
    int64_t             room_created_at;

    int64_t             as_of;           /* the home's position when it wrote
                                            "room"; 0: not given */

    json_t             *members;         /* an array, or NULL */
    rooms_str_t         of;              /* of a snapshot: id of its first
                                            part; NULL: not in parts */
    unsigned            part;            /* number of the part, from 0 */
    rooms_str_t         refused;         /* the receiver's event that it
                                            answers, or NULL */
} rooms_remote_t;


/* Returns NULL or a problem in words.  `now` is in ms. */
const char *rooms_remote_read(json_t *event, int64_t now,
    rooms_remote_t *remote);
const char *rooms_remote_member(json_t *member, rooms_remote_member_t *m);

/*
 * Split a peer's text before it is parsed, so that one event with invalid
 * JSON doesn't spoil the others.  They find the end of a value only by its
 * brackets and quotes.  1: found; 0: there is none; -1: the container is
 * unterminated.  Each call of rooms_remote_piece() shortens the array.
 */
int rooms_remote_find(rooms_str_t object, const char *key, rooms_str_t *value);
int rooms_remote_piece(rooms_str_t *array, rooms_str_t *value);

/*
 * A room is identified by its id and its home together.  Here it keeps its
 * id, unless another room has it.  Then its id is derived from both and ends
 * with "_", which no id chosen by a server may do.  At most ROOMS_ID_MAX
 * bytes; returns the length.
 */
#define ROOMS_REMOTE_ROOM  (sizeof("room-") - 1 + 26 + 1)
size_t rooms_remote_room_id(rooms_str_t home, rooms_str_t id,
    unsigned char *dst);
int rooms_remote_room_made(rooms_str_t id);

/* The id of an event that can't be parsed, if it can be found; or NULL. */
rooms_str_t rooms_remote_id(rooms_str_t event);

/* Splits "<event id>:<server>": 0, or -1 if invalid. */
int rooms_remote_ref(rooms_str_t s, rooms_str_t *id, rooms_str_t *server);

/*
 * Reads a display name and an avatar.  Unfit values become NULL; the rest is
 * still used.
 */
void rooms_remote_profile(json_t *object, rooms_str_t *name,
    rooms_str_t *avatar);

/*
 * Only a participant's own server may give its name and avatar: drops them if
 * the speaker is another server.
 */
void rooms_remote_own(rooms_str_t speaker, rooms_str_t server,
    rooms_str_t *name, rooms_str_t *avatar);

/*
 * A server's answer to "profile/{local_id}": 0, or -1 if it isn't that
 * profile.
 */
int rooms_remote_answer(json_t *data, rooms_str_t local, rooms_str_t server,
    rooms_str_t *name, rooms_str_t *avatar);

/* A string member; NULL if it is missing or of another type. */
rooms_str_t rooms_remote_str(json_t *object, const char *key);

#endif /* ROOMS_REMOTE_H */
