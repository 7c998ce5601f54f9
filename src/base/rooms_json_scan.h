/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An incremental scanner of one JSON text (RFC 8259) in windows of any size.
 * It checks the whole of the syntax, UTF-8 (RFC 3629), \u escapes (no lone
 * surrogate, no NUL) and the depth, and stops where values and keys near the
 * top begin and end, so that a caller can cut them out.  It keeps a few
 * words of state and no bytes.
 *
 * Duplicate keys are the business of who parses the slices.
 */

#ifndef ROOMS_JSON_SCAN_H
#define ROOMS_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>


/* containers inside each other; contents have a limit of their own */
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
    uint64_t       offset;            /* of *p; of the fault on an error */

    /*
     * Values and keys in at most that many containers are told: 0 only the
     * text itself, 1 its members too.  May be changed between two calls.
     */
    unsigned       report;

    unsigned       depth;             /* containers around *p */

    /* the rest is private */

    unsigned       state;
    uint64_t       objects[2];        /* bit n: container n is an object */
    unsigned       announced;
    unsigned       in_key;
    const char    *literal;           /* what is to come of one */
    unsigned       hex;               /* digits to come */
    unsigned       unit;              /* of an escape, UTF-16 */
    unsigned       high;              /* a low surrogate must come */
    unsigned       more;              /* bytes to come of a character */
    u_char         low_bound;         /* of the next of them */
    u_char         high_bound;
} rooms_json_scan_t;


void rooms_json_scan_init(rooms_json_scan_t *s);

/* Advances *p.  After an error it returns the error again. */
rooms_json_event_e rooms_json_scan(rooms_json_scan_t *s, const u_char **p,
    const u_char *end);

/* Whether the text is complete. */
int rooms_json_scan_done(const rooms_json_scan_t *s);

#endif /* ROOMS_JSON_SCAN_H */
