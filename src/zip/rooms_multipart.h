/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A streaming parser of multipart/form-data (RFC 7578; RFC 2046, section
 * 5.1).  The caller has the body in chunks of any size and asks for events:
 *
 *     rooms_multipart_init()               from the Content-Type
 *     for each chunk [p, end):
 *         while ((ev = rooms_multipart_next(mp, &p, end)) > 0) ...
 *         ev == ROOMS_MULTIPART_AGAIN: the chunk is used up
 *     rooms_multipart_finish()             is the body complete?
 *
 * Events contain offsets in the body.  So if the body is in a temporary file,
 * a file part can be read from there in place.
 *
 * Nothing is allocated: the parser takes 10 KiB in the caller's memory.
 * Lines end in CRLF.  A line that begins like a delimiter and goes on
 * differently is an error, never data.
 *
 * Errors: -1, and `err` has the reason with the offset in the body.
 */

#ifndef ROOMS_MULTIPART_H
#define ROOMS_MULTIPART_H

#include "rooms_str.h"
#include "rooms_zip_name.h"


#define ROOMS_MULTIPART_BOUNDARY_MAX   70      /* RFC 2046, 5.1.1; we accept
                                                  any visible ASCII */
#define ROOMS_MULTIPART_HEAD_MAX       8192    /* bytes of a part's headers */
#define ROOMS_MULTIPART_HEADERS_MAX    16      /* of a part */
#define ROOMS_MULTIPART_PARTS_MAX      32
#define ROOMS_MULTIPART_NAME_MAX       255
#define ROOMS_MULTIPART_TYPE_MAX       127


typedef enum {
    ROOMS_MULTIPART_ERROR = -1,
    ROOMS_MULTIPART_AGAIN = 0,        /* the chunk is used up */
    ROOMS_MULTIPART_PART,             /* name, filename, type, offset are set */
    ROOMS_MULTIPART_DATA,             /* a span: data, offset */
    ROOMS_MULTIPART_PART_END,         /* offset: end of its data; length */
    ROOMS_MULTIPART_END               /* the last delimiter was seen */
} rooms_multipart_event_e;


typedef struct {
    /* set by each event */
    uint64_t       offset;            /* bytes from the body's first */
    uint64_t       length;            /* of the part's data */
    rooms_str_t    data;              /* in the chunk or the parser */

    /* of the current part */
    rooms_str_t    name;              /* UTF-8, no control characters */
    rooms_str_t    filename;          /* cleaned; ROOMS_NULL: missing or "" */
    rooms_str_t    type;              /* Content-Type, or ROOMS_NULL */

    char           err[128];

    /* the rest is private */

    unsigned       state;
    unsigned       parts;
    uint64_t       pos;               /* in the body */
    uint64_t       start;             /* of the part's data */
    size_t         matched;           /* bytes of the delimiter matched so
                                         far */
    size_t         delimiter_len;
    u_char         delimiter[4 + ROOMS_MULTIPART_BOUNDARY_MAX];
    size_t         head_len;
    u_char         head[ROOMS_MULTIPART_HEAD_MAX];
    u_char         name_buf[ROOMS_MULTIPART_NAME_MAX];
    u_char         filename_buf[ROOMS_FILE_NAME_MAX];
    u_char         type_buf[ROOMS_MULTIPART_TYPE_MAX];
} rooms_multipart_t;


/* Takes the value of the request's Content-Type.  0 or -1. */
int rooms_multipart_init(rooms_multipart_t *mp, rooms_str_t content_type);

/* Advances *p.  Skips everything after ROOMS_MULTIPART_END. */
rooms_multipart_event_e rooms_multipart_next(rooms_multipart_t *mp,
    const u_char **p, const u_char *end);

/* 0 if the last delimiter was seen, else -1. */
int rooms_multipart_finish(rooms_multipart_t *mp);

#endif /* ROOMS_MULTIPART_H */
