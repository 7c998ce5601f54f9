/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Who wrote an imported event.  Readers see content._imported_sender, an
 * object; in the store it is a number, by which the room's hash of authors
 * has the object once.  An event may have two: that of its content, and of
 * the original of one that was edited since.
 */

#ifndef ROOMS_AUTHOR_H
#define ROOMS_AUTHOR_H

#include "rooms_json.h"


#define ROOMS_AUTHOR_MAX  4096            /* bytes of the object */

typedef struct {
    rooms_str_t  numbers[2];              /* digits; those that there are */
    rooms_str_t  authors[2];              /* objects; NULL: not found */
    unsigned     n;

    unsigned     in_content:1;            /* the first is its content's */
} rooms_authors_t;


/* Looks for numbers in an event; 0: there are none. */
unsigned rooms_authors_find(rooms_authors_t *a, rooms_str_t event);

/*
 * The event as readers see it, into a buffer of so many bytes.  An author
 * that wasn't found is left out.
 */
size_t rooms_authors_size(const rooms_authors_t *a, rooms_str_t event);
rooms_str_t rooms_authors_put(const rooms_authors_t *a, rooms_str_t event,
    unsigned char *buf, size_t size);

#endif /* ROOMS_AUTHOR_H */
