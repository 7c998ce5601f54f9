/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An event as the store holds it, and the limit on a content's depth.
 *
 * A row is words with one space between them, and then the content:
 *
 *     DIGITS TYPE SENDER CREATED [nN] [eMS] [rMS] [tS] [iID] [sSERVER] [x]
 *         CONTENT
 *
 * DIGITS is the id without its "evt-": 13 hexadecimal digits of the position
 * and 16 random ones.  TYPE is the type without its "swp.room.".  CREATED is
 * in ms.
 *
 * The optional words begin with a letter: the number of the room's messages up
 * to this event, itself included; when the event was edited and redacted
 * (ms); origin_ts (seconds), if it isn't CREATED; the event's id and
 * server at its origin, if these differ; and x for do_not_index.  If the
 * event was edited, a line feed and its original content follow the content.
 *
 * Readers see JSON, which is also written here.  An event that can't be read
 * is shown with what is known of it, so that it doesn't break a page.
 */

#ifndef ROOMS_STORED_H
#define ROOMS_STORED_H

#include "rooms_json.h"
#include <jansson.h>


#define ROOMS_CONTENT_DEEP   "must not nest more than 64 levels deep"

/*
 * Whether a content nests too deep; an edit's content may have one level
 * more.  One takes a valid text, the other a tree.
 */
int rooms_content_deep(rooms_str_t content);
int rooms_content_tree_deep(const json_t *content);


#define ROOMS_STORED_TYPE    "swp.room."

/* The event was never edited, or never redacted. */
#define ROOMS_STORED_NEVER   (-1)

/* Strings point into the row. */
typedef struct {
    rooms_str_t   digits;            /* NULL: not known */
    int64_t       position;          /* 0: not known */

    /* if it is readable */
    rooms_str_t   type;              /* without "swp.room." */
    rooms_str_t   sender;
    rooms_str_t   content;           /* an object */
    rooms_str_t   original;          /* NULL: never edited */
    rooms_str_t   origin_id;         /* or NULL */
    rooms_str_t   origin_server;     /* or NULL */
    int64_t       created_at;        /* ms */
    int64_t       number;            /* of messages up to it; 0: none, or
                                        not counted */
    int64_t       edited_at;         /* ms, or never */
    int64_t       redacted_at;       /* ms, or never */
    int64_t       origin_ts;         /* s */

    /* after rooms_stored_show(): as readers see it */
    rooms_str_t   json;
    rooms_str_t   id;                /* points into it; NULL: not known */

    unsigned      readable:1;
    unsigned      unlisted:1;        /* do_not_index */
    unsigned      message:1;         /* swp.room.message */
    unsigned      edit:1;            /* a message that edits another */
    unsigned      authored:1;        /* may have imported authors
                                        (rooms_author.h) */
} rooms_stored_t;


/*
 * Reads an event. `position` says where the row was found; 0: unknown.  An
 * event that can't be read gets that position, and an id if the row begins
 * with one that agrees with it.
 */
void rooms_stored_read(rooms_str_t row, int64_t position, rooms_stored_t *e);

/* Whether an event, readable or not, has this id. */
int rooms_stored_is(const rooms_stored_t *e, rooms_str_t id);

/*
 * Writes a row of at most rooms_stored_size() bytes, from those fields of `e`
 * that a row has. rooms_stored_words() writes only the words, with a space at
 * the end; rooms_stored_write() also the contents.
 */
size_t rooms_stored_size(const rooms_stored_t *e);
void rooms_stored_words(rooms_buf_t *b, const rooms_stored_t *e);
void rooms_stored_write(rooms_buf_t *b, const rooms_stored_t *e);

/*
 * Appends the event's JSON, at most rooms_stored_shown() bytes, and sets
 * e->json and e->id.  An event that can't be read becomes {"unreadable":true,
 * ...} with what is known of it. `position`, if not NULL, is written in place
 * of the event's own.
 */
size_t rooms_stored_shown(const rooms_stored_t *e, rooms_str_t room);
void rooms_stored_show(rooms_buf_t *b, rooms_stored_t *e, rooms_str_t room,
    rooms_str_t position);

/*
 * Hides the other participants of an event that names several (an invite of
 * many), for a recipient outside of the room.  It keeps one participant, or
 * those of one server.  Returns 0 if the event names no list, and so can be
 * sent as it is.  The event must have been shown.  The result is from
 * b->start to b->last, in a buffer of ROOMS_STORED_NARROW(len) bytes.
 */
#define ROOMS_STORED_NARROW(len)  (3 * (len) + 2048)
int rooms_stored_narrow(rooms_buf_t *b, const rooms_stored_t *e,
    rooms_str_t participant, rooms_str_t server);

#endif /* ROOMS_STORED_H */
