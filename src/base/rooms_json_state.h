/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Between rooms_json_scan.c, which knows the structure of a text, and
 * rooms_json_lexeme.c, which knows strings, numbers and literals.
 */

#ifndef ROOMS_JSON_STATE_H
#define ROOMS_JSON_STATE_H

#include "rooms_json_scan.h"


typedef enum {
    ST_VALUE = 0,                     /* a value must come */
    ST_FIRST_ITEM,                    /* a value or `]` */
    ST_FIRST_KEY,                     /* a key or `}` */
    ST_KEY,                           /* a key must come */
    ST_COLON,
    ST_AFTER,                         /* `,` or the end of the container */
    ST_DONE,                          /* white space only */
    ST_STRING,
    ST_UTF8,
    ST_ESCAPE,
    ST_HEX,
    ST_LOW_ESCAPE,                    /* the `\` of a low surrogate */
    ST_LOW_U,
    ST_LITERAL,
    ST_MINUS,                         /* after `-` */
    ST_ZERO,                          /* after a leading 0 */
    ST_INT,
    ST_DOT,                           /* a digit must come */
    ST_FRACTION,
    ST_E,                             /* a sign or a digit must come */
    ST_E_SIGN,
    ST_EXPONENT,
    ST_ERROR
} rooms_json_state_e;


/* what a step of a state says besides rooms_json_event_e: go on */
#define ROOMS_JSON_GO       100


int rooms_json_fail(rooms_json_scan_t *s, const char *error);
int rooms_json_value_end(rooms_json_scan_t *s);

int rooms_json_string(rooms_json_scan_t *s, const u_char **p,
    const u_char *end);
int rooms_json_in_string(rooms_json_scan_t *s, u_char ch);
int rooms_json_literal(rooms_json_scan_t *s, u_char ch);
int rooms_json_number(rooms_json_scan_t *s, const u_char **p,
    const u_char *end);

#endif /* ROOMS_JSON_STATE_H */
