/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The second reading: makes an event's new row.  Values stay as their authors
 * wrote them: numbers keep their digits, members their order, keys their
 * escapes.  New are only the sender, the position, and the ids.
 *
 * The row has an author as a number, since one author's JSON may be longer
 * than ten events, and the author may have written thousands.
 */

#include "rooms_import.h"
#include "rooms_manifest.h"
#include "rooms.h"
#include <sodium.h>
#include <stdlib.h>


/* An event's members: raw JSON, or decoded into im->decoded. */
typedef struct {
    rooms_str_t    id;
    rooms_str_t    sender;
    rooms_str_t    type;
    rooms_str_t    created_at;
    rooms_str_t    edited_at;
    rooms_str_t    redacted_at;
    rooms_str_t    origin_ts;         /* raw, from here on */
    rooms_str_t    content;
    rooms_str_t    original;
    rooms_str_t    unreadable;
} rooms_import_event_t;

/* What a content's members mean depends on where the content is. */
#define ROOMS_IMPORT_EVENT_ID   1     /* "event_id" is a reference */
#define ROOMS_IMPORT_REPLACES   2     /* "replaces" is one, "content" is a
                                         content */
#define ROOMS_IMPORT_AUTHOR     4     /* may contain an author */
#define ROOMS_IMPORT_SENDER     8     /* needs an author: else the sender */


static int rooms_import_parse(rooms_import_t *im, rooms_str_t json,
    rooms_import_event_t *e);
static int rooms_import_put_event(rooms_import_t *im,
    const rooms_import_event_t *e, uint32_t index, rooms_buf_t *b);
static int64_t rooms_import_time(rooms_str_t time);
static int rooms_import_put_content(rooms_import_t *im, rooms_buf_t *b,
    const char *key, rooms_str_t content, unsigned flags,
    rooms_str_t sender);
static size_t rooms_import_put_members(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t content, unsigned flags, rooms_str_t sender);
static int rooms_import_put_ref(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t key, rooms_str_t value, unsigned flags);
static void rooms_import_put_author(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t author);
static rooms_str_t rooms_import_author(rooms_import_t *im,
    rooms_str_t sender, u_char *buf);
static int rooms_import_reaction_cmp(const void *one, const void *two);


rooms_str_t
rooms_import_decode(rooms_str_t raw, u_char *buf, size_t size)
{
    ptrdiff_t  n;

    if (raw.len < 2 || raw.data[0] != '"') {
        return ROOMS_NULL;
    }

    raw.data++;
    raw.len -= 2;

    if (memchr(raw.data, '\\', raw.len) == NULL) {
        return raw;
    }

    n = rooms_json_unescape(raw, buf, size);

    return n == -1 ? ROOMS_NULL : (rooms_str_t) { (size_t) n, buf };
}


static int
rooms_import_problem(rooms_import_t *im, const char *key,
    const char *problem)
{
    im->problem_key = key;
    im->problem = problem;

    return -1;
}


void
rooms_import_event_id(const rooms_import_t *im, uint32_t index, u_char *dst)
{
    int        i;
    u_char     hash[crypto_shorthash_BYTES];
    uint64_t   position;

    static const char  hex[] = "0123456789abcdef";

    position = (uint64_t) im->position + index;

    crypto_shorthash(hash, (u_char *) &position, sizeof(position), im->key);

    memcpy(dst, "evt-", 4);

    for (i = 0; i < 13; i++) {
        dst[4 + i] = hex[position >> (4 * (12 - i)) & 0xf];
    }

    for (i = 0; i < 8; i++) {
        dst[17 + 2 * i] = hex[hash[i] >> 4];
        dst[18 + 2 * i] = hex[hash[i] & 0xf];
    }
}


int
rooms_import_write(rooms_import_t *im, rooms_str_t slice, rooms_buf_t *b,
    int64_t *position)
{
    int64_t               index;
    rooms_str_t           json;
    rooms_import_event_t  e;

    json.len = rooms_json_minify(slice, im->scratch);
    json.data = im->scratch;

    if (rooms_import_parse(im, json, &e) != 0) {
        return rooms_import_problem(im, "", "is not an event");
    }

    if (rooms_str_eq(e.unreadable, rooms_cstr("true"))) {
        return 1;
    }

    index = rooms_import_map_get(&im->ids, e.id);

    if (index == -1) {
        return 1;
    }

    *position = im->position + index;

    return rooms_import_put_event(im, &e, (uint32_t) index, b);
}


/*
 * All strings of an event together are no longer than the event, so they fit.
 * A key is compared by what it means, with or without escapes.
 */
static int
rooms_import_parse(rooms_import_t *im, rooms_str_t json,
    rooms_import_event_t *e)
{
    size_t        i, used;
    rooms_str_t   key, value;

    const struct {
        rooms_str_t   key;
        rooms_str_t  *value;
    } members[] = {
        { rooms_string("id"), &e->id },
        { rooms_string("sender_id"), &e->sender },
        { rooms_string("event_type"), &e->type },
        { rooms_string("created_at"), &e->created_at },
        { rooms_string("edited_at"), &e->edited_at },
        { rooms_string("redacted_at"), &e->redacted_at },
        { rooms_string("origin_ts"), &e->origin_ts },
        { rooms_string("content"), &e->content },
        { rooms_string("original_content"), &e->original },
        { rooms_string("unreadable"), &e->unreadable }
    };

    memset(e, 0, sizeof(rooms_import_event_t));

    value = ROOMS_NULL;

    while (rooms_json_next(json, &key, &value)) {

        if (value.data[0] == 'n') {
            continue;
        }

        for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {

            if (rooms_str_eq(key, members[i].key)
                || (key.len > members[i].key.len
                    && rooms_json_key_is(key,
                                         (const char *) members[i].key.data)))
            {
                *members[i].value = value;
                break;
            }
        }
    }

    if (rooms_str_eq(e->unreadable, rooms_cstr("true"))) {
        return 0;
    }

    for (used = 0, i = 0; members[i].value != &e->origin_ts; i++) {
        value = rooms_import_decode(*members[i].value, im->decoded + used,
                                    ROOMS_MANIFEST_EVENT_MAX - used);

        if (value.data == im->decoded + used) {
            used += value.len;
        }

        *members[i].value = value;
    }

    return e->id.data && e->sender.data && e->type.data
           && e->content.data && e->content.data[0] == '{'
           && (e->created_at.data || e->origin_ts.data) ? 0 : -1;
}


static unsigned
rooms_import_flags(rooms_str_t type)
{
    if (rooms_str_eq(type, rooms_cstr(rooms_event_name(ROOMS_EV_MESSAGE)))) {
        return ROOMS_IMPORT_REPLACES;
    }

    if (rooms_str_eq(type, rooms_cstr(rooms_event_name(ROOMS_EV_REACTION)))
        || rooms_str_eq(type,
                        rooms_cstr(rooms_event_name(ROOMS_EV_REDACTION))))
    {
        return ROOMS_IMPORT_EVENT_ID;
    }

    return 0;
}


static int
rooms_import_put_event(rooms_import_t *im, const rooms_import_event_t *e,
    uint32_t index, rooms_buf_t *b)
{
    u_char          id[ROOMS_IMPORT_ID_LEN];
    unsigned        flags;
    rooms_stored_t  row;

    rooms_import_event_id(im, index, id);
    flags = rooms_import_flags(e->type);

    memset(&row, 0, sizeof(rooms_stored_t));

    row.digits = (rooms_str_t) { ROOMS_EVENT_DIGITS, id + 4 };
    row.sender = im->sender;
    row.unlisted = 1;

    /* the check has seen the prefix of the type */

    row.type.len = e->type.len - (sizeof(ROOMS_STORED_TYPE) - 1);
    row.type.data = e->type.data + sizeof(ROOMS_STORED_TYPE) - 1;

    row.origin_ts = e->origin_ts.data
                    ? strtoll((const char *) e->origin_ts.data, NULL, 10) : 0;
    row.created_at = e->created_at.data ? rooms_time_parse(e->created_at)
                                        : row.origin_ts * 1000;

    if (e->origin_ts.data == NULL) {
        row.origin_ts = row.created_at / 1000;
    }

    row.edited_at = rooms_import_time(e->edited_at);
    row.redacted_at = rooms_import_time(e->redacted_at);

    rooms_stored_words(b, &row);

    if (rooms_import_put_content(im, b, "content", e->content,
                                 flags | ROOMS_IMPORT_AUTHOR
                                 | ROOMS_IMPORT_SENDER, e->sender) != 0)
    {
        return -1;
    }

    if (e->original.data && e->original.data[0] == '{') {
        rooms_json_lit(b, "\n");

        if (rooms_import_put_content(im, b, "original_content", e->original,
                                     ROOMS_IMPORT_AUTHOR, ROOMS_NULL) != 0)
        {
            return -1;
        }
    }

    return b->full ? rooms_import_problem(im, "", "is too long") : 0;
}


static int64_t
rooms_import_time(rooms_str_t time)
{
    return time.data ? rooms_time_parse(time) : ROOMS_STORED_NEVER;
}


/*
 * Applies the limit to what is written, since new ids may be longer than the
 * old ones.
 */
static int
rooms_import_put_content(rooms_import_t *im, rooms_buf_t *b,
    const char *key, rooms_str_t content, unsigned flags,
    rooms_str_t sender)
{
    u_char  *start;
    size_t   author;

    start = b->last;
    author = rooms_import_put_members(im, b, content, flags, sender);

    if (b->full) {
        return rooms_import_problem(im, key, "is too long");
    }

    return b->last - start - author > ROOMS_IMPORT_CONTENT_MAX
           ? rooms_import_problem(im, key, ROOMS_IMPORT_TOO_LONG) : 0;
}


static void
rooms_import_put_key(rooms_buf_t *b, rooms_str_t key)
{
    if (b->last > b->start && b->last[-1] != '{') {
        rooms_json_lit(b, ",");
    }

    rooms_json_lit(b, "\"");
    rooms_json_raw(b, key.data, key.len);
    rooms_json_lit(b, "\":");
}


static void
rooms_import_put_event_ref(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t value)
{
    u_char   id[256], new[ROOMS_IMPORT_ID_LEN];
    int64_t  index;

    index = rooms_import_map_get(&im->ids,
                                 rooms_import_decode(value, id, sizeof(id)));

    if (index == -1) {
        rooms_json_raw(b, value.data, value.len);
        return;
    }

    rooms_import_event_id(im, (uint32_t) index, new);
    rooms_json_str(b, (rooms_str_t) { sizeof(new), new });
}


static void
rooms_import_put_media_ref(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t value)
{
    u_char   id[256];
    int64_t  i;

    i = rooms_import_map_get(&im->media_ids,
                             rooms_import_decode(value, id, sizeof(id)));

    if (i == -1 || !rooms_import_kept(im, i)) {
        rooms_json_raw(b, value.data, value.len);
        return;
    }

    rooms_json_str(b, (rooms_str_t) { sizeof(im->media[i].id),
                                      im->media[i].id });
}


static void
rooms_import_put_attachments(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t list)
{
    rooms_str_t  element, key, value;
    const char  *comma;

    rooms_json_lit(b, "[");

    for (comma = ""; /* void */ ; comma = ",") {
        element = rooms_json_element(&list);

        if (element.data == NULL) {
            break;
        }

        rooms_json_raw(b, comma, strlen(comma));

        if (element.data[0] != '{') {
            rooms_json_raw(b, element.data, element.len);
            continue;
        }

        rooms_json_lit(b, "{");
        value = ROOMS_NULL;

        while (rooms_json_next(element, &key, &value)) {
            rooms_import_put_key(b, key);

            if (rooms_json_key_is(key, "media_id")
                || rooms_json_key_is(key, "thumbnail_id"))
            {
                rooms_import_put_media_ref(im, b, value);

            } else {
                rooms_json_raw(b, value.data, value.len);
            }
        }

        rooms_json_lit(b, "}");
    }

    rooms_json_lit(b, "]");
}


/*
 * An edit has its new body in a content of its own.  Returns the bytes of the
 * author, which don't count for the limit.
 */
static size_t
rooms_import_put_members(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t content, unsigned flags, rooms_str_t sender)
{
    u_char       buf[ROOMS_IMPORT_AUTHOR_MAX], *start;
    rooms_str_t  key, value, author;

    author = ROOMS_NULL;

    if ((flags & ROOMS_IMPORT_REPLACES)
        && rooms_json_member(content, "replaces").data == NULL)
    {
        flags &= ~ROOMS_IMPORT_REPLACES;
    }

    rooms_json_lit(b, "{");
    value = ROOMS_NULL;

    while (rooms_json_next(content, &key, &value)) {

        if ((flags & ROOMS_IMPORT_AUTHOR)
            && rooms_json_key_is(key, "_imported_sender"))
        {
            /* it was imported before, from somewhere else */

            if (value.data[0] == '{') {
                author = value;
            }

            continue;
        }

        rooms_import_put_key(b, key);

        if (!rooms_import_put_ref(im, b, key, value, flags)) {
            rooms_json_raw(b, value.data, value.len);
        }
    }

    if (author.data == NULL && (flags & ROOMS_IMPORT_SENDER)) {
        author = rooms_import_author(im, sender, buf);
    }

    start = b->last;

    if (author.data) {
        rooms_import_put_key(b, rooms_cstr("_imported_sender"));
        rooms_import_put_author(im, b, author);
    }

    author.len = b->last - start;

    rooms_json_lit(b, "}");

    return author.len;
}


/*
 * Writes a value that is a reference, with its new id.  0: it isn't a
 * reference.
 */
static int
rooms_import_put_ref(rooms_import_t *im, rooms_buf_t *b, rooms_str_t key,
    rooms_str_t value, unsigned flags)
{
    if (rooms_json_key_is(key, "media_id")
        || rooms_json_key_is(key, "thumbnail_id"))
    {
        rooms_import_put_media_ref(im, b, value);
        return 1;
    }

    if (rooms_json_key_is(key, "reply_to_event_id")
        || ((flags & ROOMS_IMPORT_EVENT_ID)
            && rooms_json_key_is(key, "event_id"))
        || ((flags & ROOMS_IMPORT_REPLACES)
            && rooms_json_key_is(key, "replaces")))
    {
        rooms_import_put_event_ref(im, b, value);
        return 1;
    }

    if (value.data[0] == '[' && rooms_json_key_is(key, "attachments")) {
        rooms_import_put_attachments(im, b, value);
        return 1;
    }

    if ((flags & ROOMS_IMPORT_REPLACES) && value.data[0] == '{'
        && rooms_json_key_is(key, "content"))
    {
        (void) rooms_import_put_members(im, b, value, 0, ROOMS_NULL);
        return 1;
    }

    return 0;
}


/* A sender who isn't among the participants is shown by the id alone. */
static rooms_str_t
rooms_import_author(rooms_import_t *im, rooms_str_t sender, u_char *buf)
{
    int64_t      at;
    rooms_buf_t  b;

    at = rooms_import_map_get(&im->people, sender);

    if (at != -1) {
        return rooms_import_text_get(&im->authors, (uint32_t) at);
    }

    rooms_buf_init(&b, buf, ROOMS_IMPORT_AUTHOR_MAX);
    rooms_json_put(&b, "{\"display_name\":%s,\"avatar_url\":null,"
                   "\"fqid\":null}", sender);

    return (rooms_str_t) { b.last - buf, buf };
}


/*
 * If the tables have no room for an author, the event contains the whole
 * author.  That is no longer than it was in the bundle.
 */
static void
rooms_import_put_author(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t author)
{
    int64_t  n;

    n = rooms_import_author_number(im, author);

    if (n == -1) {
        rooms_json_raw(b, author.data, author.len);
        return;
    }

    rooms_json_int(b, n);
}


int
rooms_import_edits(rooms_import_t *im, rooms_buf_t *b, rooms_str_t *id,
    rooms_str_t *edits)
{
    u_char    new[ROOMS_IMPORT_ID_LEN];
    uint32_t  message;

    if (im->edits_at == im->nedits) {
        return 0;
    }

    message = im->edits[im->edits_at].message;

    id->data = b->last;
    rooms_import_event_id(im, message, new);
    rooms_json_raw(b, new, sizeof(new));
    id->len = sizeof(new);

    edits->data = b->last;

    while (im->edits_at < im->nedits
           && im->edits[im->edits_at].message == message)
    {
        if (b->last != edits->data) {
            rooms_json_lit(b, " ");
        }

        rooms_import_event_id(im, im->edits[im->edits_at++].edit, new);
        rooms_json_raw(b, new, sizeof(new));
    }

    edits->len = b->last - edits->data;

    return 1;
}


/*
 * The counts of reactions after an import.  For each message, author and
 * emoji the last event decides: the reaction is there, or was removed.  The
 * author is the sender together with _imported_sender, since everything
 * imported before has the same sender.
 *
 * The store only gets the counts: none of these authors is in the new room,
 * so nobody can remove such a reaction, or owns it.
 */


/*
 * Edits are messages too, but nobody reacts to an edit, or to a redacted
 * message.
 */
int
rooms_import_message(rooms_import_t *im, const rooms_check_event_t *e,
    uint32_t index)
{
    size_t  old;

    old = im->messages_size;

    while (index / 8 >= im->messages_size) {

        if (rooms_import_room_for(im, (void **) &im->messages,
                                  im->messages_size, &im->messages_size, 1)
            != 0)
        {
            return -1;
        }

        memset(im->messages + old, 0, im->messages_size - old);
        old = im->messages_size;
    }

    if (!e->redacted && rooms_json_member(e->content, "replaces").data == NULL)
    {
        im->messages[index / 8] |= 1 << index % 8;
    }

    return 0;
}


static int
rooms_import_answerable(const rooms_import_t *im, uint64_t index)
{
    return index / 8 < im->messages_size
           && im->messages[index / 8] >> index % 8 & 1;
}


/* -1: out of memory. */
static int
rooms_import_who(rooms_import_t *im, json_t *o, uint64_t *who)
{
    char     *text;
    size_t    len;
    json_t   *author, *both;

    author = json_object_get(json_object_get(o, "content"),
                             "_imported_sender");

    both = json_pack("[O?, O?]", json_object_get(o, "sender_id"),
                     json_is_object(author) ? author : NULL);
    text = both ? json_dumps(both, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    json_decref(both);

    if (text == NULL) {
        return rooms_import_no_memory(im);
    }

    len = strlen(text);
    *who = rooms_import_map_hash(&im->ids,
                                 (rooms_str_t) { len, (u_char *) text });
    free(text);

    return 0;
}


/* The offset of an emoji in the table; -1: see im->failed. */
static int64_t
rooms_import_emoji(rooms_import_t *im, rooms_str_t emoji)
{
    int64_t  at;

    at = rooms_import_map_get(&im->emoji_ids, emoji);

    if (at != -1) {
        return at;
    }

    at = rooms_import_text_add(im, &im->emojis, emoji);

    if (at != -1
        && rooms_import_map_add(&im->emoji_ids, emoji, (uint32_t) at) == -1)
    {
        return rooms_import_no_memory(im);
    }

    return at;
}


/* A reaction in an unknown form stays an event, and isn't counted. */
int
rooms_import_react(rooms_import_t *im, json_t *o, uint32_t index)
{
    json_t                   *content;
    int64_t                   at;
    rooms_str_t               message, emoji, action;
    rooms_import_reaction_t  *r;

    content = json_object_get(o, "content");
    message = rooms_import_value(content, "event_id");
    emoji = rooms_import_value(content, "emoji");
    action = rooms_import_value(content, "action");

    if (message.data == NULL || emoji.data == NULL
        || rooms_emoji_check(emoji) != NULL)
    {
        return 0;
    }

    if (json_object_get(content, "action") != NULL
        && !rooms_str_eq(action, rooms_cstr("add"))
        && !rooms_str_eq(action, rooms_cstr("remove")))
    {
        return 0;
    }

    if (rooms_import_room_for(im, (void **) &im->reactions, im->nreactions,
                              &im->reactions_size,
                              sizeof(rooms_import_reaction_t)) != 0)
    {
        return -1;
    }

    r = &im->reactions[im->nreactions];

    if (rooms_import_who(im, o, &r->who) != 0) {
        return -1;
    }

    at = rooms_import_emoji(im, emoji);

    if (at == -1) {
        return -1;
    }

    r->message = rooms_import_map_hash(&im->ids, message);
    r->event = index;
    r->emoji = (uint32_t) at;
    r->active = !rooms_str_eq(action, rooms_cstr("remove"));

    im->nreactions++;

    return 0;
}


static int
rooms_import_reaction_cmp(const void *one, const void *two)
{
    const rooms_import_reaction_t  *a = one, *b = two;

    if (a->message != b->message) {
        return a->message < b->message ? -1 : 1;
    }

    if (a->emoji != b->emoji) {
        return a->emoji < b->emoji ? -1 : 1;
    }

    if (a->who != b->who) {
        return a->who < b->who ? -1 : 1;
    }

    return a->event < b->event ? -1 : 1;
}


/*
 * When all was read: turns reactions into counts, in place.  A message keeps
 * the emojis that come first in the bundle, up to the limit.
 */
void
rooms_import_count(rooms_import_t *im)
{
    size_t                    i, n, emojis;
    int64_t                   index;
    rooms_import_reaction_t  *r, *c;

    r = im->reactions;

    for (i = 0, n = 0; i < im->nreactions; i++) {
        index = rooms_import_map_get_hash(&im->ids, r[i].message);

        if (index != -1 && rooms_import_answerable(im, index)) {
            r[n] = r[i];
            r[n++].message = index;
        }
    }

    im->nreactions = n;

    if (n == 0) {
        return;
    }

    qsort(r, n, sizeof(rooms_import_reaction_t), rooms_import_reaction_cmp);

    for (i = 0, n = 0, emojis = 0; i < im->nreactions; i++) {

        if (!r[i].active
            || (i + 1 < im->nreactions && r[i].message == r[i + 1].message
                && r[i].emoji == r[i + 1].emoji && r[i].who == r[i + 1].who))
        {
            continue;
        }

        c = n ? &r[n - 1] : NULL;

        if (c && c->message == r[i].message && c->emoji == r[i].emoji) {
            c->who++;
            continue;
        }

        emojis = c && c->message == r[i].message ? emojis + 1 : 1;

        if (emojis <= ROOMS_EMOJIS_MAX) {
            r[n] = r[i];
            r[n++].who = 1;
        }
    }

    im->nreactions = n;
}


int
rooms_import_counts(rooms_import_t *im, rooms_buf_t *b, rooms_str_t *row,
    rooms_str_t *count)
{
    u_char                    id[ROOMS_IMPORT_ID_LEN];
    rooms_str_t               emoji;
    rooms_import_reaction_t  *c;

    if (im->counts_at == im->nreactions) {
        return 0;
    }

    c = &im->reactions[im->counts_at++];
    emoji = rooms_import_text_get(&im->emojis, c->emoji);

    row->data = b->last;
    rooms_import_event_id(im, (uint32_t) c->message, id);
    rooms_json_raw(b, id, sizeof(id));
    rooms_json_lit(b, " ");
    rooms_json_raw(b, emoji.data, emoji.len);
    row->len = b->last - row->data;

    count->data = b->last;
    rooms_json_int(b, -(int64_t) c->who);
    count->len = b->last - count->data;

    return 1;
}
