/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What an import has to remember of a bundle, and how its events become
 * events of the new room.  A manifest is read twice:
 *
 *     first     rooms_import_event(), _participant(), _medium(), _missing()
 *               look at each element, add faults, and fill the tables;
 *               then rooms_import_finish()
 *     second    rooms_import_write() makes each event's new JSON,
 *               rooms_import_edits() lists what was edited by what,
 *               rooms_import_counts() how often it was reacted to
 *
 * so that members may come in any order, and references in any direction.
 *
 * Memory, by malloc(): 12 bytes an event in a table that is at most three
 * quarters full and doubles when it is, and a bit; 8 bytes an edit; 24 bytes
 * a reaction, and each emoji once; 100 bytes and its names a medium; an
 * author's names.  Each text table has 16 MiB at most.
 *
 * A new event id is made of its position and of a keyed hash of it, so it
 * can be told again without being remembered.
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

/* What an event takes in the store at least: a short row, and what Redis adds. */
#define ROOMS_IMPORT_EVENT_MIN     256

/* The new JSON of an event of `len` bytes has at most so many. */
#define ROOMS_IMPORT_JSON(len)     (4 * (len) + 2 * ROOMS_IMPORT_AUTHOR_MAX)


/* Ids to numbers; of an id only a keyed hash of 64 bits is kept. */
typedef struct {
    uint64_t      *hashes;            /* 0: free */
    uint32_t      *values;
    size_t         size;              /* a power of two */
    size_t         count;
    u_char         key[16];
} rooms_import_map_t;

void rooms_import_map_init(rooms_import_map_t *map);
void rooms_import_map_free(rooms_import_map_t *map);
/* 0; 1: it is there, and stays as it is; -1: no memory. */
int rooms_import_map_add(rooms_import_map_t *map, rooms_str_t id,
    uint32_t value);
int64_t rooms_import_map_get(const rooms_import_map_t *map, rooms_str_t id);
/* What may be looked up later, without its id. */
uint64_t rooms_import_map_hash(const rooms_import_map_t *map, rooms_str_t id);
int64_t rooms_import_map_get_hash(const rooms_import_map_t *map,
    uint64_t hash);


/* Strings one after the other, each told by its offset. */
typedef struct {
    u_char        *data;
    size_t         len;
    size_t         size;
} rooms_import_text_t;


typedef struct {
    u_char         sha256[64];        /* digits */
    uint64_t       size;
    uint32_t       crc;               /* once the content was read */
    uint32_t       width;             /* likewise; 0: no picture */
    uint32_t       height;
    uint32_t       name;              /* in `text` */
    uint32_t       mime;
    uint32_t       content;           /* the first medium of this sha256 */
    unsigned       found:1;           /* of the first: an entry has it */
    unsigned       kept:1;            /* likewise: it is on our disk */
    u_char         id[30];            /* "med-" and 26: the new one */
} rooms_import_medium_t;


typedef struct {
    uint32_t       message;           /* indexes of events */
    uint32_t       edit;
} rooms_import_edit_t;


/* One that was added or taken back; once all are known: a count. */
typedef struct {
    uint64_t       message;           /* hash of its id; then: its index */
    uint64_t       who;               /* likewise; then: how many */
    uint32_t       event;             /* index: the last one holds */
    uint32_t       emoji:31;          /* in `emojis` */
    uint32_t       active:1;
} rooms_import_reaction_t;


typedef struct {
    rooms_faults_t         *faults;
    const char             *failed;   /* no memory; a text table is full */
    const char             *problem;  /* of rooms_import_write() */
    const char             *problem_key;

    /* what the events will say, set before the second reading */
    rooms_str_t             room;
    rooms_str_t             sender;
    uint64_t                media_max;  /* ids of media, at most */
    int64_t                 position; /* of the first event */
    int64_t                 now;      /* ms, for the ids of media */

    uint64_t                events;   /* that are imported */
    uint64_t                stored;   /* bytes that they take, at least */
    size_t                  nmedia;

    /* the rest is private */

    u_char                  key[16];  /* of event ids */

    rooms_import_map_t      ids;      /* of events, to their indexes */
    rooms_import_map_t      people;   /* to offsets in `authors` */
    rooms_import_text_t     authors;  /* JSON of _imported_sender */
    rooms_import_map_t      numbers;  /* of that JSON, to its number */
    uint32_t               *numbered; /* and back: offsets in `authors` */
    size_t                  nauthors;
    size_t                  numbered_size;

    rooms_import_medium_t  *media;
    size_t                  media_size;
    rooms_import_map_t      media_ids;
    rooms_import_map_t      contents; /* sha256, to the first medium */
    rooms_import_map_t      missing;
    rooms_import_text_t     text;

    rooms_import_edit_t    *edits;
    size_t                  nedits;
    size_t                  edits_size;
    size_t                  edits_at; /* of rooms_import_edits() */

    u_char                 *messages; /* bits: events to be reacted to */
    size_t                  messages_size;
    rooms_import_reaction_t  *reactions;
    size_t                  nreactions;
    size_t                  reactions_size;
    size_t                  counts_at;  /* of rooms_import_counts() */
    rooms_import_text_t     emojis;
    rooms_import_map_t      emoji_ids;  /* to offsets in `emojis` */

    u_char                 *scratch;  /* of an event */
    u_char                 *decoded;  /* its strings */
} rooms_import_t;


/* -1: no memory. */
int rooms_import_init(rooms_import_t *im, rooms_faults_t *faults);
void rooms_import_cleanup(rooms_import_t *im);


/*
 * First reading.  `slice` is the element's text, and `o` or `e` what the checks
 * (rooms_manifest_check.h) made of it.  0, or -1 with im->failed set; what is
 * wrong with the element becomes a fault.
 */
int rooms_import_event(rooms_import_t *im, rooms_str_t slice,
    const rooms_check_event_t *e, uint64_t index);
int rooms_import_participant(rooms_import_t *im, rooms_str_t key, json_t *o);
int rooms_import_medium(rooms_import_t *im, rooms_str_t key, json_t *o,
    uint64_t index);
int rooms_import_missing(rooms_import_t *im, rooms_str_t slice);

/* A fault of a member of an event. */
void rooms_import_fault(rooms_import_t *im, uint64_t index, const char *key,
    const char *problem);

/* The medium of an entry "media/<sha256>/..."; NULL: none has it. */
rooms_import_medium_t *rooms_import_content(rooms_import_t *im,
    rooms_str_t sha256);

/* All was read: edits and media as a whole. */
void rooms_import_finish(rooms_import_t *im);

/* Whether a medium comes along: its content was found. */
int rooms_import_kept(const rooms_import_t *im, size_t i);

rooms_str_t rooms_import_string(const rooms_import_t *im, uint32_t at);


/*
 * The readings after that.  Writes the event's new JSON, and tells its
 * position; 1: an event that doesn't come along; -1: see im->problem.
 */
int rooms_import_write(rooms_import_t *im, rooms_str_t slice,
    rooms_buf_t *b, int64_t *position);

/* ROOMS_IMPORT_ID_LEN bytes. */
void rooms_import_event_id(const rooms_import_t *im, uint32_t index,
    u_char *dst);

/*
 * The next message that was edited: its id and its edits' ids, with a space
 * between each two, go into the buffer.  0: there is none.
 */
int rooms_import_edits(rooms_import_t *im, rooms_buf_t *b, rooms_str_t *id,
    rooms_str_t *edits);

/*
 * How many there are of the next emoji of a message, once the tables are
 * finished: "event emoji" and minus the number, as the store has them.
 */
int rooms_import_counts(rooms_import_t *im, rooms_buf_t *b, rooms_str_t *row,
    rooms_str_t *count);


/* The authors of what was written; n < im->nauthors. */
rooms_str_t rooms_import_author_json(const rooms_import_t *im, size_t n);


/* Between the import's files */

/* The number of an author; -1: the tables are full. */
int64_t rooms_import_author_number(rooms_import_t *im, rooms_str_t author);

int rooms_import_is_marker(rooms_str_t event_type);
int rooms_import_no_memory(rooms_import_t *im);
rooms_str_t rooms_import_value(json_t *o, const char *key);
/* Doubles the memory of an array when it is full. */
int rooms_import_room_for(rooms_import_t *im, void **array, size_t n,
    size_t *size, size_t each);

/* Reactions: the event of this index. */
int rooms_import_message(rooms_import_t *im, const rooms_check_event_t *e,
    uint32_t index);
int rooms_import_react(rooms_import_t *im, json_t *o, uint32_t index);
/* A string's value, into `buf` if it has escapes; NULL: none, or too long. */
rooms_str_t rooms_import_decode(rooms_str_t raw, u_char *buf, size_t size);
void rooms_import_count(rooms_import_t *im);

int64_t rooms_import_text_add(rooms_import_t *im, rooms_import_text_t *text,
    rooms_str_t s);
rooms_str_t rooms_import_text_get(const rooms_import_text_t *text,
    uint32_t at);

#endif /* ROOMS_IMPORT_H */
