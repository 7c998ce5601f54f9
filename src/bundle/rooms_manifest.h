/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Cuts a manifest.json, which comes in windows of any size, into slices of
 * raw JSON: each small member of the top object, and each element of
 * `events`, `participants`, `media` and `missing_media`.  It checks the
 * syntax of the whole text (rooms_json_scan.h), which may begin with a byte
 * order mark: editors write one.  The caller parses each slice with
 * JSON_REJECT_DUPLICATES.
 *
 *     rooms_manifest_init()
 *     for each window [p, end):
 *         while ((rc = rooms_manifest_next(m, &p, end)) > 0) ... m->slice
 *         rc == ROOMS_MANIFEST_AGAIN: the window is used up
 *     rooms_manifest_finish()          is the text complete?
 *     rooms_manifest_cleanup()         always
 *
 * The caller may pause between two elements, as long as the rest of the
 * window stays in place.  Members come in the order of the text.
 *
 * A slice points into the window; if it began in an earlier one, it is in a
 * buffer (from malloc()) that never holds more than one slice.  The slice and
 * the key are valid until the next call.
 *
 * Errors: -1; `err` has the reason, `scan.offset` the byte.
 */

#ifndef ROOMS_MANIFEST_H
#define ROOMS_MANIFEST_H

#include "rooms_str.h"
#include "rooms_json_scan.h"


#define ROOMS_MANIFEST_SMALL_MAX     (64 * 1024)     /* bytes of a slice */
#define ROOMS_MANIFEST_EVENT_MAX     (256 * 1024)    /* likewise */
#define ROOMS_MANIFEST_KEY_MAX       256             /* bytes, decoded */
#define ROOMS_MANIFEST_MEMBERS_MAX   32              /* of the top object */


typedef enum {
    ROOMS_MANIFEST_ERROR = -1,
    ROOMS_MANIFEST_AGAIN = 0,
    ROOMS_MANIFEST_MEMBER,            /* key and value of the top object */
    ROOMS_MANIFEST_EVENT,
    ROOMS_MANIFEST_PARTICIPANT,       /* with a key, if in an object */
    ROOMS_MANIFEST_MEDIUM,            /* likewise */
    ROOMS_MANIFEST_MISSING            /* of missing_media; likewise */
} rooms_manifest_item_e;


typedef struct {
    rooms_str_t          slice;       /* raw JSON of the value */
    rooms_str_t          key;         /* decoded; ROOMS_NULL in an array */
    uint64_t             index;       /* of the element, from 0 */
    uint64_t             at;          /* offset of the slice in the whole
                                         text */

    char                 err[192];

    rooms_json_scan_t    scan;

    /* the rest is private */

    unsigned             failed;
    unsigned             begun;       /* behind a byte order mark, if any */
    unsigned             mark;        /* its bytes so far */
    uint64_t             elements_max;
    rooms_manifest_item_e  section;   /* the kind of the current member */
    unsigned             listing;     /* inside one of the long members */
    unsigned             slicing;     /* inside a slice */
    size_t               limit;       /* of the slice, bytes */
    const u_char        *begin;       /* its beginning in the window */

    u_char              *buf;         /* its bytes from earlier windows */
    size_t               len;
    size_t               size;

    u_char               key_buf[ROOMS_MANIFEST_KEY_MAX];

    unsigned             members;     /* number seen, to find duplicates */
    uint16_t             seen_len[ROOMS_MANIFEST_MEMBERS_MAX];
    u_char               seen[ROOMS_MANIFEST_MEMBERS_MAX][64];
} rooms_manifest_t;


/*
 * `elements_max` bounds participants, media and missing_media each.  Events
 * are bounded by the unpacked bytes.
 */
void rooms_manifest_init(rooms_manifest_t *m, uint64_t elements_max);
void rooms_manifest_cleanup(rooms_manifest_t *m);

/* Advances *p. */
rooms_manifest_item_e rooms_manifest_next(rooms_manifest_t *m,
    const u_char **p, const u_char *end);

int rooms_manifest_finish(rooms_manifest_t *m);

/* Whether the top object has had that key so far; finds empty lists, too. */
int rooms_manifest_seen(const rooms_manifest_t *m, const char *key);

#endif /* ROOMS_MANIFEST_H */
