/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_JSON_H
#define ROOMS_JSON_H

#include "rooms_str.h"


/*
 * Levels of a content, counted on the content itself: {} has one.  An edit's
 * event holds the new content in a content of its own, one level deeper.  No
 * reader may give up before ROOMS_WRAPPED_DEPTH: what is put around contents
 * (events, bundles, requests to other servers) has fewer levels than that.
 */
#define ROOMS_CONTENT_DEPTH  64
#define ROOMS_WRAPPED_DEPTH  (ROOMS_CONTENT_DEPTH + 8)


/*
 * Writing JSON (RFC 8259) into a buffer of fixed size.  A string takes at
 * most ROOMS_JSON_STR(len) bytes.  Strings must be valid UTF-8.
 */
#define ROOMS_JSON_STR(len)  ((len) * 6 + 2)
#define ROOMS_JSON_INT       20

void rooms_buf_init(rooms_buf_t *b, unsigned char *start, size_t size);
void rooms_json_raw(rooms_buf_t *b, const void *data, size_t len);
void rooms_json_str(rooms_buf_t *b, rooms_str_t s);    /* NULL: null */
void rooms_json_int(rooms_buf_t *b, int64_t n);
void rooms_json_time(rooms_buf_t *b, int64_t ms);      /* quoted RFC 3339 */
void rooms_json_bool(rooms_buf_t *b, int truth);

#define rooms_json_lit(b, literal)                                            \
    rooms_json_raw(b, literal, sizeof(literal) - 1)

/* The inside of a string, without its quotes. */
void rooms_json_escape(rooms_buf_t *b, rooms_str_t s);


/*
 * Reading: a scanner that checks a text and finds bytes in it, for what must
 * stay as its author wrote it.  It builds no tree; jansson does that.
 */

/* Whether s is one JSON value and nothing else; depth is at most 128. */
int rooms_json_valid(rooms_str_t s);

/*
 * Whether a text is an object that is valid, means the same to every reader
 * (no key twice, numbers that all can hold, no \\u), and is small: for those
 * the functions below do instead of a tree.  0: somebody else has to look.
 */
int rooms_json_plain(rooms_str_t text);

/*
 * Of a valid string, what stands between its quotes: as UTF-8 into a buffer.
 * The length, or -1: it doesn't fit.
 */
ptrdiff_t rooms_json_unescape(rooms_str_t raw, unsigned char *buf,
    size_t size);

/* Whether a raw key, with escapes or without, is that one (of ASCII). */
int rooms_json_key_is(rooms_str_t raw, const char *key);

/*
 * The value of a member of a valid object, as it stands there, or NULL; the
 * key may be written with escapes there.
 */
rooms_str_t rooms_json_member(rooms_str_t object, const char *key);

/*
 * The value of a string member, when it holds no escape (ids, times, enums
 * and whatever else we wrote); NULL otherwise.
 */
rooms_str_t rooms_json_member_str(rooms_str_t object, const char *key);
/* The same of a value. */
rooms_str_t rooms_json_inside(rooms_str_t value);
int64_t rooms_json_member_int(rooms_str_t object, const char *key,
    int64_t otherwise);

/*
 * Walks over the members of a valid object: value->data == NULL asks for the
 * first, afterwards both are left as they are.  The key is raw, between its
 * quotes.  0: there is no other.
 */
int rooms_json_next(rooms_str_t object, rooms_str_t *key, rooms_str_t *value);

/*
 * After such a walk, its last value (NULL: there was none): whether it has
 * come to the object's end, and so the object was valid.
 */
int rooms_json_ends(rooms_str_t object, rooms_str_t value);

/* A value that is digits, at most 18 of them, and nothing else. */
int64_t rooms_json_whole(rooms_str_t value, int64_t otherwise);

/*
 * A valid object anew, with other values for some members: in their place,
 * or at the end; a value of NULL drops the member.
 */
typedef struct {
    const char   *key;
    rooms_str_t   value;                  /* JSON */
} rooms_json_set_t;

void rooms_json_rewrite(rooms_buf_t *b, rooms_str_t object,
    const rooms_json_set_t *set, unsigned n);

/*
 * The next element of a valid array, which is cut down to what is behind it;
 * NULL: there is none, or it is no array.
 */
rooms_str_t rooms_json_element(rooms_str_t *array);

/* How many objects and arrays of a valid value stand inside each other. */
int rooms_json_depth(rooms_str_t value);

/* Copies a valid value without white space outside of strings. */
size_t rooms_json_minify(rooms_str_t value, unsigned char *dst);

/*
 * The outermost object's member in which byte `offset` of a text, valid or
 * not, lies: its raw key; NULL: none.  To name the field of a syntax error.
 */
rooms_str_t rooms_json_key_at(rooms_str_t text, size_t offset);

#endif /* ROOMS_JSON_H */
