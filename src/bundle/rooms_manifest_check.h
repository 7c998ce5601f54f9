/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Checks a manifest's slices (rooms_manifest.h): format and version, the
 * room's type, each event, each medium (docs/export-import.md).  Each
 * function adds all faults that it finds to the list and goes on, so that a
 * dry run can report them all.  A real import stops at the first one.
 *
 * jansson parses slices with JSON_REJECT_DUPLICATES.  The caller owns a
 * returned json_t (json_decref()).
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

    json_t          *room;            /* freed by rooms_check_cleanup() */
    const char      *refused;         /* the type of room that is refused */

    uint64_t         events;          /* checked so far, good or not */
    uint64_t         media;
    int64_t          position;        /* of the last event */
    unsigned         seen;            /* bits: required members */
} rooms_manifest_check_t;


/*
 * An event of a manifest, read without a tree.  Missing or null members are
 * NULL.  Strings are decoded; contents are raw.
 */
#define ROOMS_CHECK_ID_MAX     255    /* bytes of an id or a type */

typedef struct {
    rooms_str_t      id;
    rooms_str_t      sender;
    rooms_str_t      type;
    rooms_str_t      content;         /* raw, of any type */
    rooms_str_t      original;
    rooms_str_t      raw[8];          /* see rooms_manifest_check.c */
    int64_t          origin_ts;       /* -1: it has none */
    unsigned         unreadable:1;
    unsigned         redacted:1;
    u_char           buf[3][ROOMS_CHECK_ID_MAX + 1];
} rooms_check_event_t;


void rooms_check_init(rooms_manifest_check_t *c, rooms_faults_t *faults);
void rooms_check_cleanup(rooms_manifest_check_t *c);

/* Checks a member of the top object.  0, or -1 with faults added. */
int rooms_check_member(rooms_manifest_check_t *c, rooms_str_t key,
    rooms_str_t slice);

/*
 * Checks the next event: an object with id, sender_id, event_type, content, a
 * stream_position above the previous one, and a time; or an event marked as
 * unreadable, which isn't imported. -1: faults were added.
 */
int rooms_check_event(rooms_manifest_check_t *c, rooms_str_t slice,
    rooms_check_event_t *e);
/* Reads an event that was checked before. */
void rooms_check_read(rooms_str_t slice, rooms_check_event_t *e);

/* Checks {sha256, size, name, mime_type}; `key`, if any, is the sha256. */
json_t *rooms_check_medium(rooms_manifest_check_t *c, rooms_str_t key,
    rooms_str_t slice);

/*
 * Checks an object; `key` is the participant's id, or the object has
 * participant_id.
 */
json_t *rooms_check_participant(rooms_manifest_check_t *c, rooms_str_t key,
    rooms_str_t slice);

/*
 * Call it at the end: checks that all required members were there. `events`:
 * there was a list of events, maybe empty.  A refused type comes before other
 * faults.
 */
rooms_check_e rooms_check_finish(rooms_manifest_check_t *c, int events);

#endif /* ROOMS_MANIFEST_CHECK_H */
