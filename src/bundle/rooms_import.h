/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What an import remembers of a bundle, and how its events become events of
 * the new room.  A manifest is read twice:
 *
 *     first     rooms_import_event(), _participant(), _medium(), _missing()
 *               look at each element, add faults, and fill the tables;
 *               then rooms_import_finish()
 *     second    rooms_import_write() makes each event's new row,
 *               rooms_import_edits() lists edited messages and their edits,
 *               rooms_import_counts() counts reactions
 *
 * So members may come in any order, and references may point in any
 * direction.
 *
 * Memory, from malloc(): for each event 12 bytes in a table that doubles when
 * it is three quarters full, and a bit; for each edit 8 bytes; for each
 * reaction 24 bytes, and each different emoji once; for each medium 100 bytes
 * and its names; authors' names.  Each text table has at most 16 MiB.
 *
 * A new event id is made of the event's position and a keyed hash of it.  So
 * it needn't be remembered.
 */

#ifndef ROOMS_IMPORT_H
#define ROOMS_IMPORT_H

#include <jansson.h>

#include "rooms_stored.h"
#include "rooms_author.h"
#include "rooms_faults.h"
#include "rooms_manifest_check.h"


#define ROOMS_IMPORT_TEXT_MAX      (16 * 1024 * 1024)
#define ROOMS_IMPORT_CONTENT_MAX   (72 * 1024)    /* without an author */
#define ROOMS_IMPORT_TOO_LONG      "is longer than 72 KiB"
#define ROOMS_IMPORT_AUTHOR_MAX    ROOMS_AUTHOR_MAX
#define ROOMS_IMPORT_EDITS_MAX     100            /* of one message */
#define ROOMS_IMPORT_ID_LEN        33             /* "evt-", 13, 16 */

/*
 * The least bytes that an event takes in the store: a short row, and Redis's
 * overhead.
 */
#define ROOMS_IMPORT_EVENT_MIN     256

/* The most bytes of the new row of an event of `len` bytes. */
#define ROOMS_IMPORT_JSON(len)     (4 * (len) + 2 * ROOMS_IMPORT_AUTHOR_MAX)


/*
 * A map from ids to numbers.  It only keeps a keyed hash of 64 bits of each
 * id.
 */
typedef struct {
    uint64_t      *hashes;            /* 0: free */
    uint32_t      *values;
    size_t         size;              /* a power of two */
    size_t         count;
    u_char         key[16];
} rooms_import_map_t;

void rooms_import_map_init(rooms_import_map_t *map);
void rooms_import_map_free(rooms_import_map_t *map);
/*
 * Returns 0; 1: the id is there already and isn't changed; -1: out of memory.
 */
int rooms_import_map_add(rooms_import_map_t *map, rooms_str_t id,
    uint32_t value);
int64_t rooms_import_map_get(const rooms_import_map_t *map, rooms_str_t id);
/* The same in two steps, to look an id up later without keeping it. */
uint64_t rooms_import_map_hash(const rooms_import_map_t *map, rooms_str_t id);
int64_t rooms_import_map_get_hash(const rooms_import_map_t *map,
    uint64_t hash);


/* Strings one after another, each known by its offset. */
typedef struct {
    u_char        *data;
    size_t         len;
    size_t         size;
} rooms_import_text_t;


typedef struct {
    u_char         sha256[64];        /* digits */
    uint64_t       size;
    uint32_t       crc;               /* set once the content was read */
    uint32_t       width;             /* likewise; 0: not a picture */
    uint32_t       height;
    uint32_t       name;              /* in `text` */
    uint32_t       mime;
    uint32_t       content;           /* the first medium of this sha256 */
    unsigned       found:1;           /* of that first one: an entry has it */
    unsigned       kept:1;            /* likewise: it is on our disk */
    u_char         id[30];            /* the new id: "med-" and 26 digits */
} rooms_import_medium_t;


typedef struct {
    uint32_t       message;           /* indexes of events */
    uint32_t       edit;
} rooms_import_edit_t;


/* A reaction that was added or removed.  In the end: an emoji's count. */
typedef struct {
    uint64_t       message;           /* hash of its id; in the end its index */
    uint64_t       who;               /* likewise; in the end the count */
    uint32_t       event;             /* index; the last one wins */
    uint32_t       emoji:31;          /* in `emojis` */
    uint32_t       active:1;
} rooms_import_reaction_t;


typedef struct {
    rooms_faults_t         *faults;
    const char             *failed;   /* out of memory, or a text table is
                                         full */
    const char             *problem;  /* from rooms_import_write() */
    const char             *problem_key;

    /* values for the events; set before the second reading */
    rooms_str_t             room;
    rooms_str_t             sender;
    uint64_t                media_max;  /* the most ids of media */
    int64_t                 position; /* of the first event */
    int64_t                 now;      /* ms, for media ids */

    uint64_t                events;   /* number of imported events */
    uint64_t                stored;   /* the least bytes that they take */
    size_t                  nmedia;

    /* the rest is private */

    u_char                  key[16];  /* for event ids */

    rooms_import_map_t      ids;      /* event ids -> their indexes */
    rooms_import_map_t      people;   /* participants -> offsets in `authors` */
    rooms_import_text_t     authors;  /* JSON of _imported_sender */
    rooms_import_map_t      numbers;  /* such JSON -> its number */
    uint32_t               *numbered; /* numbers -> offsets in `authors` */
    size_t                  nauthors;
    size_t                  numbered_size;

    rooms_import_medium_t  *media;
    size_t                  media_size;
    rooms_import_map_t      media_ids;
    rooms_import_map_t      contents; /* sha256 -> the first medium with it */
    rooms_import_map_t      missing;
    rooms_import_text_t     text;

    rooms_import_edit_t    *edits;
    size_t                  nedits;
    size_t                  edits_size;
    size_t                  edits_at; /* next of rooms_import_edits() */

    u_char                 *messages; /* bits: events that can have reactions */
    size_t                  messages_size;
    rooms_import_reaction_t  *reactions;
    size_t                  nreactions;
    size_t                  reactions_size;
    size_t                  counts_at;  /* next of rooms_import_counts() */
    rooms_import_text_t     emojis;
    rooms_import_map_t      emoji_ids;  /* emojis -> offsets in `emojis` */

    u_char                 *scratch;  /* the current event, minified */
    u_char                 *decoded;  /* the strings of the current event */
} rooms_import_t;


/* -1: out of memory. */
int rooms_import_init(rooms_import_t *im, rooms_faults_t *faults);
void rooms_import_cleanup(rooms_import_t *im);


/*
 * The first reading. `slice` is the element's text; `o` or `e` is what the
 * checks (rooms_manifest_check.h) made of it.  Returns 0, or -1 with
 * im->failed set.  Anything wrong with the element becomes a fault.
 */
int rooms_import_event(rooms_import_t *im, rooms_str_t slice,
    const rooms_check_event_t *e, uint64_t index);
int rooms_import_participant(rooms_import_t *im, rooms_str_t key, json_t *o);
int rooms_import_medium(rooms_import_t *im, rooms_str_t key, json_t *o,
    uint64_t index);
int rooms_import_missing(rooms_import_t *im, rooms_str_t slice);

/* Adds a fault of an event's member. */
void rooms_import_fault(rooms_import_t *im, uint64_t index, const char *key,
    const char *problem);

/*
 * The medium of an entry "media/<sha256>/..."; NULL: no medium has this
 * content.
 */
rooms_import_medium_t *rooms_import_content(rooms_import_t *im,
    rooms_str_t sha256);

/*
 * Call it when everything was read: checks edits and media as a whole, and
 * counts reactions.
 */
void rooms_import_finish(rooms_import_t *im);

/* Whether a medium is imported: its content was found. */
int rooms_import_kept(const rooms_import_t *im, size_t i);

/* Of all media that are imported. */
uint64_t rooms_import_bytes(const rooms_import_t *im);

rooms_str_t rooms_import_string(const rooms_import_t *im, uint32_t at);


/*
 * The later readings.  Writes an event's new row, and sets its position.  1:
 * the event isn't imported; -1: see im->problem.
 */
int rooms_import_write(rooms_import_t *im, rooms_str_t slice,
    rooms_buf_t *b, int64_t *position);

/* Writes ROOMS_IMPORT_ID_LEN bytes. */
void rooms_import_event_id(const rooms_import_t *im, uint32_t index,
    u_char *dst);

/*
 * The next edited message: writes its id, and its edits' ids with a space
 * between them, to the buffer.  0: there are no more.
 */
int rooms_import_edits(rooms_import_t *im, rooms_buf_t *b, rooms_str_t *id,
    rooms_str_t *edits);

/*
 * The next emoji of a message, after rooms_import_finish(): writes "event
 * emoji" and minus the count, as the store has them.  0: there are no more.
 */
int rooms_import_counts(rooms_import_t *im, rooms_buf_t *b, rooms_str_t *row,
    rooms_str_t *count);


/* The author with number n < im->nauthors. */
rooms_str_t rooms_import_author_json(const rooms_import_t *im, size_t n);


/* Shared by the import's files */

/* The number of an author; -1: the tables are full. */
int64_t rooms_import_author_number(rooms_import_t *im, rooms_str_t author);

int rooms_import_no_memory(rooms_import_t *im);
rooms_str_t rooms_import_value(json_t *o, const char *key);
/* Doubles the memory of an array when it is full. */
int rooms_import_room_for(rooms_import_t *im, void **array, size_t n,
    size_t *size, size_t each);

/* Notes for reactions whether the event of this index is a message. */
int rooms_import_message(rooms_import_t *im, const rooms_check_event_t *e,
    uint32_t index);
int rooms_import_react(rooms_import_t *im, json_t *o, uint32_t index);
/*
 * Decodes a string, into `buf` if it has escapes; NULL: not a string, or too
 * long.
 */
rooms_str_t rooms_import_decode(rooms_str_t raw, u_char *buf, size_t size);
void rooms_import_count(rooms_import_t *im);

int64_t rooms_import_text_add(rooms_import_t *im, rooms_import_text_t *text,
    rooms_str_t s);
rooms_str_t rooms_import_text_get(const rooms_import_text_t *text,
    uint32_t at);

#endif /* ROOMS_IMPORT_H */
