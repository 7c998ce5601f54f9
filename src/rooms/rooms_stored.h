/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An event as the store holds it, and how deep a content may be.
 *
 * A row is words with one space between, and then the content:
 *
 *     DIGITS TYPE SENDER CREATED [eMS] [rMS] [tS] [iID] [sSERVER] [x] CONTENT
 *
 * DIGITS is the id without its "evt-": 13 hexadecimal digits of the position
 * and 16 random ones.  TYPE is the type without its "swp.room.", CREATED is
 * ms.  Words that are left out most often begin with a letter: when the event
 * was edited and redacted (ms), origin_ts where it isn't CREATED in seconds,
 * the event's id and server where those are others, and do_not_index.  Behind
 * the content of an edited event follow a line feed and its first content.
 *
 * What a reader sees is JSON, and that is made here, too: of one that can't be
 * read, what is known of it, so that no event ends a page.
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


#define ROOMS_STORED_TYPE    "swp.room."

/* A time that an event doesn't have. */
#define ROOMS_STORED_NEVER   (-1)

/* Strings point into the row. */
typedef struct {
    rooms_str_t   digits;            /* NULL: not known */
    int64_t       position;          /* 0: not known */

    /* of a readable event */
    rooms_str_t   type;              /* without "swp.room." */
    rooms_str_t   sender;
    rooms_str_t   content;           /* an object */
    rooms_str_t   original;          /* NULL: it wasn't edited */
    rooms_str_t   origin_id;         /* or NULL */
    rooms_str_t   origin_server;     /* or NULL */
    int64_t       created_at;        /* ms */
    int64_t       edited_at;         /* ms, or never */
    int64_t       redacted_at;       /* ms, or never */
    int64_t       origin_ts;         /* s */

    /* of one that was shown: as the reader sees it */
    rooms_str_t   json;
    rooms_str_t   id;                /* in it; NULL: not known */

    unsigned      readable:1;
    unsigned      unlisted:1;        /* do_not_index */
    unsigned      message:1;         /* swp.room.message */
    unsigned      edit:1;            /* such a one, of another message */
} rooms_stored_t;


/*
 * Reads an event.  `position` is where it was found, 0 if that is not known.
 * What can't be read has an id, if one stands where ours begin, and the
 * position that was given.
 */
void rooms_stored_read(rooms_str_t row, int64_t position, rooms_stored_t *e);

/* Whether an event, readable or not, has this id. */
int rooms_stored_is(const rooms_stored_t *e, rooms_str_t id);

/*
 * Writes a row, of at most so many bytes; of `e` those fields count that a row
 * has.  The words alone, with a space behind them, and then the contents.
 */
size_t rooms_stored_size(const rooms_stored_t *e);
void rooms_stored_words(rooms_buf_t *b, const rooms_stored_t *e);
void rooms_stored_write(rooms_buf_t *b, const rooms_stored_t *e);

/*
 * Shows an event: appends its JSON, of at most so many bytes, and sets e->json
 * and e->id.  One that can't be read is {"unreadable":true, ...} with what is
 * known of it.  `position` is written in place of a number, unless it is NULL.
 */
size_t rooms_stored_shown(const rooms_stored_t *e, rooms_str_t room);
void rooms_stored_show(rooms_buf_t *b, rooms_stored_t *e, rooms_str_t room,
    rooms_str_t position);

/*
 * An event that names several participants (an invite of many), as somebody is
 * told it who isn't in the room: of them all it names one, or those of one
 * server.  0: it names no several, and is told as it is.  The event, which was
 * shown, is from b->start to b->last, in a buffer of so many bytes.
 */
#define ROOMS_STORED_NARROW(len)  (3 * (len) + 2048)
int rooms_stored_narrow(rooms_buf_t *b, const rooms_stored_t *e,
    rooms_str_t participant, rooms_str_t server);

#endif /* ROOMS_STORED_H */
