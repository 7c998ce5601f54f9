/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_JSON_H
#define ROOMS_JSON_H

#include "rooms_str.h"


/*
 * The most levels of nesting in a content; {} has one.  An edit's event holds
 * the new content inside its own, one level deeper.  No reader may refuse
 * fewer than ROOMS_WRAPPED_DEPTH levels: what we wrap around contents
 * (events, bundles, requests to other servers) stays within the difference.
 */
#define ROOMS_CONTENT_DEPTH  64
#define ROOMS_WRAPPED_DEPTH  (ROOMS_CONTENT_DEPTH + 8)


/*
 * Writing JSON (RFC 8259).  Whoever writes into a buffer of fixed size counts
 * ROOMS_JSON_STR(len) bytes for a string.  Strings must be valid UTF-8.
 */
#define ROOMS_JSON_STR(len)  ((len) * 6 + 2)
#define ROOMS_JSON_INT       20

static inline void
rooms_buf_init(rooms_buf_t *b, unsigned char *start, size_t size)
{
    b->start = start;
    b->last = start;
    b->end = start + size;
    b->grow = NULL;
    b->full = 0;
}


/* What doesn't fit: once there is more room. */
void rooms_json_more(rooms_buf_t *b, const void *data, size_t len);


/* Here, so that a literal is copied by a few moves and no call. */
static inline void
rooms_json_raw(rooms_buf_t *b, const void *data, size_t len)
{
    if ((size_t) (b->end - b->last) < len) {
        rooms_json_more(b, data, len);
        return;
    }

    if (len) {
        memcpy(b->last, data, len);
        b->last += len;
    }
}

void rooms_json_str(rooms_buf_t *b, rooms_str_t s);    /* NULL data: null */
void rooms_json_int(rooms_buf_t *b, int64_t n);
void rooms_json_time(rooms_buf_t *b, int64_t ms);      /* quoted RFC 3339 */
void rooms_json_bool(rooms_buf_t *b, int truth);

#define rooms_json_lit(b, literal)                                            \
    rooms_json_raw(b, literal, sizeof(literal) - 1)

/*
 * Writes a text with values in it: %s for a rooms_str_t (NULL: null), %d for
 * an int64_t, %t for a time in ms, an int64_t, too.
 */
void rooms_json_put(rooms_buf_t *b, const char *text, ...);

/* The inside of a string, without its quotes. */
void rooms_json_escape(rooms_buf_t *b, rooms_str_t s);


/*
 * Reading: a scanner that checks a text and finds values in it as byte
 * ranges.  It is for texts that must keep their author's spelling.  It builds
 * no tree; jansson does that.
 */

/* Whether s is one JSON value and nothing else, at most 128 levels deep. */
int rooms_json_valid(rooms_str_t s);

/*
 * Whether a text is a valid object that is small and means the same to every
 * reader: no key twice, no number that some can't hold, no \\u escape.  For
 * such texts the functions below are enough.  0: a full parser has to look at
 * it.
 */
int rooms_json_plain(rooms_str_t text);

/*
 * Decodes the inside of a valid string (between its quotes) to UTF-8 in buf.
 * Returns the length, or -1 if it doesn't fit.
 */
ptrdiff_t rooms_json_unescape(rooms_str_t raw, unsigned char *buf,
    size_t size);

/* Whether a raw key, with or without escapes, equals the ASCII name `key`. */
int rooms_json_key_is(rooms_str_t raw, const char *key);
/*
 * Which of n keys a raw key is, or -1.  The search begins at the key behind
 * `last`, the one found before (-1: none): a writer's members have an order.
 */
int rooms_json_key_of(rooms_str_t raw, const rooms_str_t *keys, int n,
    int last);

/*
 * The raw value of a member of a valid object, or NULL.  The member's key may
 * contain escapes.
 */
rooms_str_t rooms_json_member(rooms_str_t object, const char *key);

/*
 * The inside of a string member that has no escapes, as ids, times and enums
 * have none; NULL otherwise.
 */
rooms_str_t rooms_json_member_str(rooms_str_t object, const char *key);
/* The same for a value: its inside if it is a string without escapes. */
rooms_str_t rooms_json_inside(rooms_str_t value);
int64_t rooms_json_member_int(rooms_str_t object, const char *key,
    int64_t otherwise);

/*
 * Walks over the members of a valid object.  Start with value->data == NULL,
 * then leave both unchanged between calls.  The key is raw, without its
 * quotes.  Returns 0 after the last member.
 */
int rooms_json_next(rooms_str_t object, rooms_str_t *key, rooms_str_t *value);

/*
 * Call it after such a walk, with the last value (NULL: there was none).
 * Whether the walk reached the object's end, which means that the object is
 * valid.
 */
int rooms_json_ends(rooms_str_t object, rooms_str_t value);

/*
 * The number if the value is 1 to 18 digits and nothing else; else
 * `otherwise`.
 */
int64_t rooms_json_whole(rooms_str_t value, int64_t otherwise);

/*
 * Writes a valid object with new values for some members.  Existing members
 * keep their place, new ones go to the end; a NULL value drops the member.
 */
typedef struct {
    const char   *key;
    rooms_str_t   value;                  /* JSON */
} rooms_json_set_t;

void rooms_json_rewrite(rooms_buf_t *b, rooms_str_t object,
    const rooms_json_set_t *set, unsigned n);

/*
 * Returns the next element of a valid array and cuts *array down to what
 * follows; NULL: there are no more, or it isn't an array.
 */
rooms_str_t rooms_json_element(rooms_str_t *array);

/* How deep objects and arrays of a valid value nest. */
int rooms_json_depth(rooms_str_t value);

/*
 * Copies a valid value without white space outside of strings.  Returns the
 * length; dst has room for value.len bytes.
 */
size_t rooms_json_minify(rooms_str_t value, unsigned char *dst);

/*
 * The raw key of the outermost object's member that byte `offset` lies in,
 * also in an invalid text; NULL: none.  It names the field in a syntax error.
 */
rooms_str_t rooms_json_key_at(rooms_str_t text, size_t offset);

#endif /* ROOMS_JSON_H */
