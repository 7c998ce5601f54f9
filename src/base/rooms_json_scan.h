/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An incremental scanner of one JSON text (RFC 8259), in windows of any size.
 * It checks the whole syntax, UTF-8 (RFC 3629), \u escapes (no lone
 * surrogate, no NUL) and the depth.  It stops where values and keys near the
 * top begin and end, so that the caller can cut them out.  Its state is small
 * and holds no bytes of the text.
 *
 * It doesn't look for duplicate keys; whoever parses the pieces does that.
 */

#ifndef ROOMS_JSON_SCAN_H
#define ROOMS_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>


/* nested containers; contents have a lower limit (rooms_json.h) */
#define ROOMS_JSON_DEPTH_MAX   128


typedef enum {
    ROOMS_JSON_ERROR = -1,            /* see s->error */
    ROOMS_JSON_AGAIN = 0,             /* the window is used up */
    ROOMS_JSON_VALUE,                 /* *p is at the first byte of a value */
    ROOMS_JSON_VALUE_END,             /* *p is past a value */
    ROOMS_JSON_KEY,                   /* *p is at the quote of a key */
    ROOMS_JSON_KEY_END                /* *p is past the closing quote */
} rooms_json_event_e;


typedef struct {
    const char    *error;             /* a static string */
    uint64_t       offset;            /* of *p; of the fault after an error */

    /*
     * Reports values and keys inside at most this many containers: 0 reports
     * the text itself, 1 its members too.  May change between calls.
     */
    unsigned       report;

    unsigned       depth;             /* containers around *p */

    /* the rest is private */

    unsigned       state;
    uint64_t       objects[2];        /* bit n: container n is an object */
    unsigned       announced;
    unsigned       in_key;
    const char    *literal;           /* what is still to come of one */
    unsigned       hex;               /* digits to come */
    unsigned       unit;              /* of an escape, UTF-16 */
    unsigned       high;              /* a low surrogate must come */
    unsigned       more;              /* bytes to come of a character */
    u_char         low_bound;         /* of the next such byte */
    u_char         high_bound;
} rooms_json_scan_t;


void rooms_json_scan_init(rooms_json_scan_t *s);

/*
 * Advances *p up to the next event.  After an error it returns the error
 * again.
 */
rooms_json_event_e rooms_json_scan(rooms_json_scan_t *s, const u_char **p,
    const u_char *end);

/* Whether the text is complete. */
int rooms_json_scan_done(const rooms_json_scan_t *s);

#endif /* ROOMS_JSON_SCAN_H */
