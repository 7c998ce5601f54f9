/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Whether a manifest's slices (rooms_manifest.h) are what api.md, section 6,
 * says: format and version, the room's kind, each event, each medium.
 * Every function that checks adds all the faults that it finds to the list
 * and goes on, so that a dry run can tell them all; who imports in earnest
 * stops at the first.
 *
 * Slices are parsed by jansson with JSON_REJECT_DUPLICATES.  A json_t that
 * is returned belongs to the caller (json_decref()).
 */

#ifndef ROOMS_MANIFEST_CHECK_H
#define ROOMS_MANIFEST_CHECK_H

#include <jansson.h>

#include "rooms_str.h"
#include "rooms_faults.h"


#define ROOMS_BUNDLE_FORMAT     "scaiwave.room-export"
#define ROOMS_BUNDLE_VERSION    1


typedef enum {
    ROOMS_CHECK_OK = 0,
    ROOMS_CHECK_INVALID,              /* SW_BUNDLE_INVALID */
    ROOMS_CHECK_REFUSED               /* SW_ROOM_IMPORT_REFUSED */
} rooms_check_e;


typedef struct {
    rooms_faults_t  *faults;

    json_t          *room;            /* ours until rooms_check_cleanup() */
    const char      *refused;         /* the kind of room that is refused */

    uint64_t         events;          /* checked, good or not */
    uint64_t         media;
    int64_t          position;        /* of the last event */
    unsigned         seen;            /* bits: required members */
} rooms_manifest_check_t;


/*
 * An event of a manifest, read without a tree.  What is missing or null is
 * NULL.  Strings are as they are read, contents as they stand in the text.
 */
#define ROOMS_CHECK_ID_MAX     255    /* bytes of an id or a type */

typedef struct {
    rooms_str_t      id;
    rooms_str_t      sender;
    rooms_str_t      type;
    rooms_str_t      content;         /* whatever it is */
    rooms_str_t      original;
    rooms_str_t      raw[8];          /* see rooms_manifest_check.c */
    int64_t          origin_ts;       /* -1: it has none */
    unsigned         unreadable:1;
    unsigned         redacted:1;
    u_char           buf[3][ROOMS_CHECK_ID_MAX + 1];
} rooms_check_event_t;


void rooms_check_init(rooms_manifest_check_t *c, rooms_faults_t *faults);
void rooms_check_cleanup(rooms_manifest_check_t *c);

/* A member of the top object.  0, or -1 with faults added. */
int rooms_check_member(rooms_manifest_check_t *c, rooms_str_t key,
    rooms_str_t slice);

/*
 * The next event: an object with id, sender_id, event_type, content,
 * a stream_position above the last one's, and a time; or one that says that
 * it is unreadable, and doesn't come along.  -1: faults added.
 */
int rooms_check_event(rooms_manifest_check_t *c, rooms_str_t slice,
    rooms_check_event_t *e);
/* The same of a valid object, without a check. */
void rooms_check_read(rooms_str_t slice, rooms_check_event_t *e);

/* {sha256, size, name, mime_type}; `key`, if any, is the sha256. */
json_t *rooms_check_medium(rooms_manifest_check_t *c, rooms_str_t key,
    rooms_str_t slice);

/* An object; `key` is the participant's id, or it has a participant_id. */
json_t *rooms_check_participant(rooms_manifest_check_t *c, rooms_str_t key,
    rooms_str_t slice);

/*
 * At the end: whether all that must be there was.  `events`: the list was
 * there, however short.  A kind that is refused comes before faults.
 */
rooms_check_e rooms_check_finish(rooms_manifest_check_t *c, int events);

#endif /* ROOMS_MANIFEST_CHECK_H */
