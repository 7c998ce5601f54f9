/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Who wrote an imported event.  Readers get content._imported_sender, an
 * object.  The store has a number in its place, and keeps the object once,
 * under that number, in the room's hash of authors.  An edited event may have
 * two: one in its content and one in its original content.
 */

#ifndef ROOMS_AUTHOR_H
#define ROOMS_AUTHOR_H

#include "rooms_json.h"


#define ROOMS_AUTHOR_MAX  4096            /* bytes of the object */

typedef struct {
    rooms_str_t  numbers[2];              /* digits; n of them */
    rooms_str_t  authors[2];              /* objects; NULL: the store has
                                             none */
    unsigned     n;

    unsigned     in_content:1;            /* the first belongs to the content */
} rooms_authors_t;


/*
 * Whether a text has the name of that member in it.  If not, the text has no
 * author, as nearly all.
 */
int rooms_authors_in(rooms_str_t text);

/* Finds the authors' numbers in an event.  Returns how many there are. */
unsigned rooms_authors_find(rooms_authors_t *a, rooms_str_t event);

/*
 * Writes the event as readers see it, into a buffer of rooms_authors_size()
 * bytes.  An author that wasn't found is left out.
 */
size_t rooms_authors_size(const rooms_authors_t *a, rooms_str_t event);
rooms_str_t rooms_authors_put(const rooms_authors_t *a, rooms_str_t event,
    unsigned char *buf, size_t size);

#endif /* ROOMS_AUTHOR_H */
