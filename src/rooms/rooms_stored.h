/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An event as the store holds it, and how deep a content may be.  Whoever
 * reads events reads them with rooms_stored_read(), and shows one that can't
 * be read with rooms_stored_unreadable(): no event ends a page.
 */

#ifndef ROOMS_STORED_H
#define ROOMS_STORED_H

#include "rooms_json.h"
#include <jansson.h>


#define ROOMS_CONTENT_DEEP   "must not nest more than 64 levels deep"

/*
 * Whether a content nests too deep; an edit's may have one level more.  Of a
 * valid text, and of a tree.
 */
int rooms_content_deep(rooms_str_t content);
int rooms_content_tree_deep(const json_t *content);


typedef struct {
    rooms_str_t   json;
    rooms_str_t   id;                /* NULL: not known */
    int64_t       position;          /* 0: not known */

    /* of a readable event; strings without quotes, escapes as they stand */
    rooms_str_t   sender;
    rooms_str_t   type;
    rooms_str_t   content;           /* an object */
    rooms_str_t   original;          /* NULL: it wasn't edited */
    rooms_str_t   created_at;
    rooms_str_t   edited_at;         /* or NULL */
    rooms_str_t   redacted_at;       /* or NULL */

    unsigned      readable:1;
    unsigned      message:1;         /* swp.room.message */
    unsigned      edit:1;            /* such a one, of another message */
} rooms_stored_t;


/*
 * Reads an event of a room.  `position` is where it was found, 0 if that is
 * not known.  What can't be read has an id, if one stands where ours begin,
 * and the position that was given.
 */
void rooms_stored_read(rooms_str_t json, rooms_str_t room, int64_t position,
    rooms_stored_t *e);

/*
 * An event that names several participants (an invite of many), as somebody is
 * told it who isn't in the room: of them all it names one, or those of one
 * server.  0: it names no several, and is told as it is.  The event is from
 * b->start to b->last, in a buffer of so many bytes.
 */
#define ROOMS_STORED_NARROW(len)  (3 * (len) + 2048)
int rooms_stored_narrow(rooms_buf_t *b, const rooms_stored_t *e,
    rooms_str_t participant, rooms_str_t server);

/* {"unreadable":true, ...} with what is known of it. */
#define ROOMS_STORED_UNREADABLE  192
void rooms_stored_unreadable(rooms_buf_t *b, const rooms_stored_t *e,
    rooms_str_t room);

#endif /* ROOMS_STORED_H */
