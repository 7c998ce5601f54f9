/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_stored.h"
#include "rooms_author.h"
#include "rooms_json_text.h"
#include "rooms.h"


/* The most bytes of a row's words, apart from its strings. */
#define ROOMS_STORED_WORDS  (ROOMS_EVENT_DIGITS + 5 * (ROOMS_JSON_INT + 2) + 16)

/* The same for the JSON, with the names of its members. */
#define ROOMS_STORED_FRAME  420


static int rooms_stored_parse(rooms_str_t row, rooms_stored_t *e);
static int rooms_stored_contents(rooms_str_t text, rooms_stored_t *e);
static rooms_str_t rooms_stored_word(rooms_str_t *row);
static int rooms_stored_option(rooms_str_t *word, rooms_str_t *row,
    unsigned char letter, rooms_str_t *value);
static int rooms_stored_number(rooms_str_t *word, rooms_str_t *row,
    unsigned char letter, int64_t *n);
static void rooms_stored_put(rooms_buf_t *b, const char *letter, int64_t n);
static void rooms_stored_show_time(rooms_buf_t *b, int64_t ms);
static void rooms_stored_show_id(rooms_buf_t *b, const rooms_stored_t *e);
static void rooms_stored_show_rest(rooms_buf_t *b, const rooms_stored_t *e);


int
rooms_content_deep(rooms_str_t content)
{
    int  depth;

    /* each level takes two bytes */

    if (content.len <= 2 * ROOMS_CONTENT_DEPTH) {
        return 0;
    }

    depth = rooms_json_depth(content);

    return depth > ROOMS_CONTENT_DEPTH
           && (depth > ROOMS_CONTENT_DEPTH + 1
               || rooms_json_member(content, "replaces").data == NULL);
}


/* Whether the value nests deeper than `levels`. */

static int
rooms_tree_deep(const json_t *value, unsigned levels)
{
    void    *iter;
    size_t   i;
    json_t  *o;

    if (!json_is_object(value) && !json_is_array(value)) {
        return 0;
    }

    if (levels == 0) {
        return 1;
    }

    for (i = 0; i < json_array_size(value); i++) {

        if (rooms_tree_deep(json_array_get(value, i), levels - 1)) {
            return 1;
        }
    }

    /* the iterator takes no const, but changes nothing */

    o = (json_t *) value;

    for (iter = json_object_iter(o); iter;
         iter = json_object_iter_next(o, iter))
    {
        if (rooms_tree_deep(json_object_iter_value(iter), levels - 1)) {
            return 1;
        }
    }

    return 0;
}


int
rooms_content_tree_deep(const json_t *content)
{
    return rooms_tree_deep(content, ROOMS_CONTENT_DEPTH)
           && (json_object_get(content, "replaces") == NULL
               || rooms_tree_deep(content, ROOMS_CONTENT_DEPTH + 1));
}


/* If the row can't be read, only its position and id are kept. */

void
rooms_stored_read(rooms_str_t row, int64_t position, rooms_stored_t *e)
{
    rooms_str_t  digits;

    memset(e, 0, sizeof(rooms_stored_t));

    e->edited_at = ROOMS_STORED_NEVER;
    e->redacted_at = ROOMS_STORED_NEVER;

    e->readable = rooms_stored_parse(row, e) == 0
                  && (position == 0 || position == e->position);

    if (!e->readable) {
        digits = e->digits;

        memset(e, 0, sizeof(rooms_stored_t));

        e->edited_at = ROOMS_STORED_NEVER;
        e->redacted_at = ROOMS_STORED_NEVER;
        e->position = position;

        /* keep the id unless it names another position */

        if (position == 0 || rooms_event_digits(digits) == position) {
            e->digits = digits;
        }

        return;
    }

    e->message = rooms_str_eq(e->type, rooms_cstr("message"));
    e->edit = e->message
              && rooms_json_member(e->content, "replaces").data != NULL;
    e->authored = rooms_authors_in(e->content)
                  || rooms_authors_in(e->original);
}


static int
rooms_stored_parse(rooms_str_t row, rooms_stored_t *e)
{
    int64_t      position;
    rooms_str_t  word;

    word = rooms_stored_word(&row);
    position = rooms_event_digits(word);

    if (position < 0) {
        return -1;
    }

    e->digits = word;

    /* positions begin at 1 */

    if (position == 0) {
        return -1;
    }

    e->position = position;
    e->type = rooms_stored_word(&row);
    e->sender = rooms_stored_word(&row);

    word = rooms_stored_word(&row);
    e->created_at = rooms_json_whole(word, -1);

    if (!rooms_participant_valid(e->type)
        || !rooms_participant_valid(e->sender) || e->created_at < 0)
    {
        return -1;
    }

    e->origin_ts = e->created_at / 1000;

    /* in this order, each at most once */

    word = rooms_stored_word(&row);

    if (rooms_stored_number(&word, &row, 'n', &e->number) != 0
        || rooms_stored_number(&word, &row, 'e', &e->edited_at) != 0
        || rooms_stored_number(&word, &row, 'r', &e->redacted_at) != 0
        || rooms_stored_number(&word, &row, 't', &e->origin_ts) != 0
        || rooms_stored_option(&word, &row, 'i', &e->origin_id) != 0
        || rooms_stored_option(&word, &row, 's', &e->origin_server) != 0)
    {
        return -1;
    }

    if (rooms_str_eq(word, rooms_cstr("x"))) {
        e->unlisted = 1;
        word = rooms_stored_word(&row);
    }

    if (word.data == NULL) {
        return -1;
    }

    /* the content begins with the word just read */

    return rooms_stored_contents((rooms_str_t) {
                                     row.data + row.len - word.data,
                                     word.data }, e);
}


static int
rooms_stored_contents(rooms_str_t text, rooms_stored_t *e)
{
    const unsigned char  *p, *end;

    end = text.data + text.len;
    p = *text.data == '{'
        ? rooms_json_scan_value(text.data, end, ROOMS_JSON_DEPTH) : NULL;

    if (p == NULL) {
        return -1;
    }

    e->content = (rooms_str_t) { p - text.data, text.data };

    if (p != end) {

        if (*p++ != '\n' || p == end || *p != '{'
            || rooms_json_scan_value(p, end, ROOMS_JSON_DEPTH) != end)
        {
            return -1;
        }

        e->original = (rooms_str_t) { end - p, p };
    }

    return rooms_content_deep(e->content)
           || (e->original.data && rooms_content_deep(e->original)) ? -1 : 0;
}


/* Takes the next word off the row; NULL: there are no more. */

static rooms_str_t
rooms_stored_word(rooms_str_t *row)
{
    rooms_str_t           word;
    const unsigned char  *space;

    if (row->len == 0) {
        return ROOMS_NULL;
    }

    space = memchr(row->data, ' ', row->len);

    word.data = row->data;
    word.len = space ? (size_t) (space - row->data) : row->len;

    row->data += word.len + (space != NULL);
    row->len -= word.len + (space != NULL);

    return word;
}


/*
 * If the word begins with this letter, takes its value and reads the next
 * word.  Returns 0, or -1 if the value is invalid.
 */

static int
rooms_stored_option(rooms_str_t *word, rooms_str_t *row, unsigned char letter,
    rooms_str_t *value)
{
    if (word->len == 0 || word->data[0] != letter) {
        return 0;
    }

    *value = (rooms_str_t) { word->len - 1, word->data + 1 };
    *word = rooms_stored_word(row);

    return rooms_participant_valid(*value) ? 0 : -1;
}


static int
rooms_stored_number(rooms_str_t *word, rooms_str_t *row, unsigned char letter,
    int64_t *n)
{
    rooms_str_t  value;

    value = ROOMS_NULL;

    if (rooms_stored_option(word, row, letter, &value) != 0) {
        return -1;
    }

    if (value.data == NULL) {
        return 0;
    }

    *n = rooms_json_whole(value, -1);

    return *n < 0 ? -1 : 0;
}


int
rooms_stored_is(const rooms_stored_t *e, rooms_str_t id)
{
    return e->digits.data && id.len == 4 + e->digits.len
           && memcmp(id.data, "evt-", 4) == 0
           && memcmp(id.data + 4, e->digits.data, e->digits.len) == 0;
}


size_t
rooms_stored_size(const rooms_stored_t *e)
{
    return ROOMS_STORED_WORDS + e->type.len + e->sender.len
           + e->origin_id.len + e->origin_server.len + e->content.len
           + e->original.len;
}


void
rooms_stored_words(rooms_buf_t *b, const rooms_stored_t *e)
{
    rooms_json_raw(b, e->digits.data, e->digits.len);
    rooms_json_lit(b, " ");
    rooms_json_raw(b, e->type.data, e->type.len);
    rooms_json_lit(b, " ");
    rooms_json_raw(b, e->sender.data, e->sender.len);

    rooms_stored_put(b, " ", e->created_at);

    if (e->number) {
        rooms_stored_put(b, " n", e->number);
    }

    if (e->edited_at != ROOMS_STORED_NEVER) {
        rooms_stored_put(b, " e", e->edited_at);
    }

    if (e->redacted_at != ROOMS_STORED_NEVER) {
        rooms_stored_put(b, " r", e->redacted_at);
    }

    if (e->origin_ts != e->created_at / 1000) {
        rooms_stored_put(b, " t", e->origin_ts);
    }

    if (e->origin_id.data) {
        rooms_json_lit(b, " i");
        rooms_json_raw(b, e->origin_id.data, e->origin_id.len);
    }

    if (e->origin_server.data) {
        rooms_json_lit(b, " s");
        rooms_json_raw(b, e->origin_server.data, e->origin_server.len);
    }

    if (e->unlisted) {
        rooms_json_lit(b, " x");
    }

    rooms_json_lit(b, " ");
}


static void
rooms_stored_put(rooms_buf_t *b, const char *letter, int64_t n)
{
    rooms_json_raw(b, letter, strlen(letter));
    rooms_json_int(b, n);
}


void
rooms_stored_write(rooms_buf_t *b, const rooms_stored_t *e)
{
    rooms_stored_words(b, e);
    rooms_json_raw(b, e->content.data, e->content.len);

    if (e->original.data) {
        rooms_json_lit(b, "\n");
        rooms_json_raw(b, e->original.data, e->original.len);
    }
}


/* The words are visible ASCII, so an escape takes two bytes. */

size_t
rooms_stored_shown(const rooms_stored_t *e, rooms_str_t room)
{
    return ROOMS_STORED_FRAME + room.len
           + 2 * (e->type.len + e->sender.len + e->origin_id.len
                  + e->origin_server.len)
           + e->content.len + e->original.len;
}


void
rooms_stored_show(rooms_buf_t *b, rooms_stored_t *e, rooms_str_t room,
    rooms_str_t position)
{
    unsigned char  *start;

    start = b->last;

    if (e->readable) {
        rooms_json_lit(b, "{");

    } else {
        rooms_json_lit(b, "{\"unreadable\":true");

        if (e->digits.data) {
            rooms_json_lit(b, ",");
        }
    }

    if (e->digits.data) {
        rooms_stored_show_id(b, e);
        e->id = (rooms_str_t) { 4 + e->digits.len,
                                b->last - 1 - e->digits.len - 4 };
    }

    rooms_json_lit(b, ",\"room_id\":\"");
    rooms_json_raw(b, room.data, room.len);
    rooms_json_lit(b, "\"");

    if (e->position || position.data) {
        rooms_json_lit(b, ",\"stream_position\":");

        if (position.data) {
            rooms_json_raw(b, position.data, position.len);

        } else {
            rooms_json_int(b, e->position);
        }
    }

    if (e->readable) {
        rooms_stored_show_rest(b, e);
    }

    rooms_json_lit(b, "}");

    e->json = (rooms_str_t) { b->last - start, start };
}


static void
rooms_stored_show_id(rooms_buf_t *b, const rooms_stored_t *e)
{
    rooms_json_lit(b, "\"id\":\"evt-");
    rooms_json_raw(b, e->digits.data, e->digits.len);
    rooms_json_lit(b, "\"");
}


static void
rooms_stored_show_rest(rooms_buf_t *b, const rooms_stored_t *e)
{
    rooms_json_lit(b, ",\"sender_id\":");
    rooms_json_str(b, e->sender);
    rooms_json_lit(b, ",\"event_type\":\"" ROOMS_STORED_TYPE);
    rooms_json_escape(b, e->type);
    rooms_json_lit(b, "\",\"content\":");
    rooms_json_raw(b, e->content.data, e->content.len);
    rooms_json_lit(b, ",\"origin_ts\":");
    rooms_json_int(b, e->origin_ts);
    rooms_json_lit(b, ",\"created_at\":");
    rooms_json_time(b, e->created_at);
    rooms_json_lit(b, ",\"edited_at\":");
    rooms_stored_show_time(b, e->edited_at);
    rooms_json_lit(b, ",\"redacted_at\":");
    rooms_stored_show_time(b, e->redacted_at);

    if (e->original.data) {
        rooms_json_lit(b, ",\"original_content\":");
        rooms_json_raw(b, e->original.data, e->original.len);
    }

    if (e->origin_id.data) {
        rooms_json_lit(b, ",\"origin_id\":");
        rooms_json_str(b, e->origin_id);
    }

    if (e->origin_server.data) {
        rooms_json_lit(b, ",\"origin_server\":");
        rooms_json_str(b, e->origin_server);
    }

    if (e->unlisted) {
        rooms_json_lit(b, ",\"do_not_index\":true");
    }
}


static void
rooms_stored_show_time(rooms_buf_t *b, int64_t ms)
{
    if (ms == ROOMS_STORED_NEVER) {
        rooms_json_lit(b, "null");

    } else {
        rooms_json_time(b, ms);
    }
}


int
rooms_stored_narrow(rooms_buf_t *b, const rooms_stored_t *e,
    rooms_str_t participant, rooms_str_t server)
{
    size_t             at;
    rooms_str_t        all, id, own;
    rooms_json_set_t   set;
    unsigned char     *start;

    all = e->readable ? rooms_json_member(e->content, "participant_ids")
                      : ROOMS_NULL;

    if (all.data == NULL) {
        return 0;
    }

    /*
     * in turn: the participant's id as JSON, the new array, the content with
     * it, and the event around that
     */

    start = b->last;
    rooms_json_str(b, participant);
    own = (rooms_str_t) { b->last - start, start };

    start = b->last;
    rooms_json_lit(b, "[");

    for (id = rooms_json_element(&all); id.data;
         id = rooms_json_element(&all))
    {
        if (id.len <= 2 || id.data[0] != '"') {
            continue;
        }

        at = id.len - 1 - server.len;

        if (server.data
            ? id.len > server.len + 3 && id.data[1] == '@'
              && id.data[at - 1] == ':'
              && memcmp(id.data + at, server.data, server.len) == 0
            : rooms_str_eq(id, own))
        {
            if (b->last != start + 1) {
                rooms_json_lit(b, ",");
            }

            rooms_json_raw(b, id.data, id.len);
        }
    }

    rooms_json_lit(b, "]");

    set.key = "participant_ids";
    set.value = (rooms_str_t) { b->last - start, start };

    start = b->last;
    rooms_json_rewrite(b, e->content, &set, 1);

    set.key = "content";
    set.value = (rooms_str_t) { b->last - start, start };

    b->start = b->last;
    rooms_json_rewrite(b, e->json, &set, 1);

    return 1;
}
