/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Shared by the files of SCIM's pure part. */

#ifndef ROOMS_SCIM_INTERNAL_H
#define ROOMS_SCIM_INTERNAL_H

#include "rooms_scim.h"


typedef enum {                           /* in the order of their names in
                                            the parser */
    ROOMS_SCIM_EQ = 0,
    ROOMS_SCIM_NE,
    ROOMS_SCIM_CO,
    ROOMS_SCIM_SW,
    ROOMS_SCIM_EW,
    ROOMS_SCIM_GT,
    ROOMS_SCIM_GE,
    ROOMS_SCIM_LT,
    ROOMS_SCIM_LE,
    ROOMS_SCIM_PR
} rooms_scim_op_e;

typedef struct {
    rooms_str_t            uri;          /* of an extension, or empty */
    rooms_str_t            name;
    rooms_str_t            sub;          /* or empty */
} rooms_scim_attr_t;

typedef struct {
    const unsigned char   *p;
    const unsigned char   *last;
    rooms_str_t            within;       /* the attribute before the brackets */
    unsigned               depth;
    unsigned               doubt:1;      /* contains "or" or "not": no key is
                                            enough */
    rooms_scim_key_t      *key;          /* or NULL */
} rooms_scim_parser_t;


int rooms_scim_name_char(unsigned char c);
/* Parses an attribute's path.  0; -1: there is none. */
int rooms_scim_attribute(rooms_scim_parser_t *p, rooms_scim_attr_t *a);
/* Parses the longest filter from here on: 1, 0, or -1. */
int rooms_scim_filter(rooms_scim_parser_t *p, const json_t *at);
/* A member by its name, ignoring case; *key is its actual spelling. */
json_t *rooms_scim_member(const json_t *object, rooms_str_t name,
    const char **key);

#endif /* ROOMS_SCIM_INTERNAL_H */
