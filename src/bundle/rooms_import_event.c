/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The second reading: an event's new JSON.  Values go over as their authors
 * wrote them: numbers keep their digits, members their order; what is new is
 * who sent it, where it stands, and what the ids in it are called now.
 *
 * The scanner compares raw keys.  An object with escapes in its keys, which
 * none of our own has, is first written anew by jansson.
 */

#include "rooms_import.h"
#include "rooms_manifest.h"
#include "rooms.h"

#include <sodium.h>
#include <stdlib.h>


/* What is read of an event; raw JSON. */
typedef struct {
    rooms_str_t    id;
    rooms_str_t    sender;
    rooms_str_t    type;
    rooms_str_t    content;
    rooms_str_t    original;
    rooms_str_t    origin_ts;
    rooms_str_t    created_at;
    rooms_str_t    edited_at;
    rooms_str_t    redacted_at;
} rooms_import_event_t;

/* What a content's members mean depends on where it stands. */
#define ROOMS_IMPORT_EVENT_ID   1     /* "event_id" is a reference */
#define ROOMS_IMPORT_REPLACES   2     /* "replaces" is, "content" is one */
#define ROOMS_IMPORT_AUTHOR     4     /* the author stands in it */


static void rooms_import_parse(rooms_str_t json, rooms_import_event_t *e);
static int rooms_import_put_event(rooms_import_t *im,
    const rooms_import_event_t *e, uint32_t index, rooms_buf_t *b);
static void rooms_import_put_time(rooms_buf_t *b, const char *key,
    rooms_str_t raw);
static int rooms_import_put_content(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t content, unsigned flags, rooms_str_t sender);
static int rooms_import_put_members(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t content, unsigned flags, rooms_str_t sender);
static void rooms_import_put_author(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t sender);


int
rooms_import_escaped(rooms_str_t object, int values)
{
    rooms_str_t  key, value;

    if (memchr(object.data, '\\', object.len) == NULL) {
        return 0;
    }

    value = ROOMS_NULL;

    while (rooms_json_next(object, &key, &value)) {

        if (memchr(key.data, '\\', key.len)
            || (values && value.data[0] == '"'
                && memchr(value.data, '\\', value.len)))
        {
            return 1;
        }
    }

    return 0;
}


rooms_str_t
rooms_import_unquote(rooms_str_t raw, u_char *buf, size_t size)
{
    ssize_t  n;

    if (raw.len < 2 || raw.data[0] != '"') {
        return ROOMS_NULL;
    }

    if (memchr(raw.data, '\\', raw.len) == NULL) {
        return (rooms_str_t) { raw.len - 2, raw.data + 1 };
    }

    n = rooms_json_unescape(raw.data, raw.len, buf, size);

    return n == -1 ? ROOMS_NULL : (rooms_str_t) { (size_t) n, buf };
}


/* By jansson, into `buf` of ROOMS_MANIFEST_EVENT_MAX bytes; -1: no memory. */
static int
rooms_import_normalise(rooms_str_t *s, u_char *buf)
{
    json_t  *o;
    size_t   n;

    o = json_loadb((const char *) s->data, s->len, JSON_REJECT_DUPLICATES,
                   NULL);
    if (o == NULL) {
        return -1;
    }

    n = json_dumpb(o, (char *) buf, ROOMS_MANIFEST_EVENT_MAX, JSON_COMPACT);
    json_decref(o);

    if (n == 0 || n > ROOMS_MANIFEST_EVENT_MAX) {
        return -1;
    }

    s->data = buf;
    s->len = n;

    return 0;
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
    u_char                id[256];
    int64_t               index;
    rooms_str_t           json;
    rooms_import_event_t  e;

    json.len = rooms_json_minify(slice, im->scratch);
    json.data = im->scratch;

    if (rooms_import_escaped(json, 1)
        && rooms_import_normalise(&json, im->scratch) != 0)
    {
        return -1;
    }

    rooms_import_parse(json, &e);

    index = rooms_import_map_get(&im->ids,
                                 rooms_import_unquote(e.id, id, sizeof(id)));

    if (index == -1) {
        return 1;
    }

    *position = im->position + index;

    return rooms_import_put_event(im, &e, (uint32_t) index, b);
}


static void
rooms_import_parse(rooms_str_t json, rooms_import_event_t *e)
{
    size_t        i;
    rooms_str_t   key, value;

    const struct {
        const char   *key;
        rooms_str_t  *value;
    } members[] = {
        { "id", &e->id },
        { "sender_id", &e->sender },
        { "event_type", &e->type },
        { "content", &e->content },
        { "original_content", &e->original },
        { "origin_ts", &e->origin_ts },
        { "created_at", &e->created_at },
        { "edited_at", &e->edited_at },
        { "redacted_at", &e->redacted_at }
    };

    memset(e, 0, sizeof(rooms_import_event_t));

    value = ROOMS_NULL;

    while (rooms_json_next(json, &key, &value)) {

        for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {

            if (value.data[0] != 'n'
                && rooms_str_eq(key, rooms_cstr(members[i].key)))
            {
                *members[i].value = value;
            }
        }
    }
}


static unsigned
rooms_import_flags(rooms_str_t raw_type)
{
    rooms_str_t  type;

    type = rooms_import_unquote(raw_type, NULL, 0);

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
    u_char       id[ROOMS_IMPORT_ID_LEN];
    int64_t      created;
    unsigned     flags;

    rooms_import_event_id(im, index, id);
    flags = rooms_import_flags(e->type);

    rooms_json_lit(b, "{\"id\":\"");
    rooms_json_raw(b, id, sizeof(id));
    rooms_json_lit(b, "\",\"room_id\":");
    rooms_json_str(b, im->room);
    rooms_json_lit(b, ",\"stream_position\":");
    rooms_json_int(b, im->position + index);
    rooms_json_lit(b, ",\"sender_id\":");
    rooms_json_str(b, im->sender);
    rooms_json_lit(b, ",\"event_type\":");
    rooms_json_raw(b, e->type.data, e->type.len);
    rooms_json_lit(b, ",\"content\":");

    if (rooms_import_put_content(im, b, e->content,
                                 flags | ROOMS_IMPORT_AUTHOR, e->sender) != 0)
    {
        return -1;
    }

    created = rooms_time_parse(rooms_import_unquote(e->created_at, NULL, 0));

    rooms_json_lit(b, ",\"origin_ts\":");

    if (e->origin_ts.data) {
        rooms_json_raw(b, e->origin_ts.data, e->origin_ts.len);

    } else {
        rooms_json_int(b, created / 1000);
    }

    rooms_json_lit(b, ",\"created_at\":");
    rooms_json_time(b, e->created_at.data
                       ? created
                       : strtoll((const char *) e->origin_ts.data, NULL, 10)
                         * 1000);

    rooms_import_put_time(b, ",\"edited_at\":", e->edited_at);
    rooms_import_put_time(b, ",\"redacted_at\":", e->redacted_at);

    if (e->original.data && e->original.data[0] == '{') {
        rooms_json_lit(b, ",\"original_content\":");

        if (rooms_import_put_content(im, b, e->original, 0, ROOMS_NULL) != 0)
        {
            return -1;
        }
    }

    rooms_json_lit(b, ",\"do_not_index\":true}");

    return b->full ? -1 : 0;
}


static void
rooms_import_put_time(rooms_buf_t *b, const char *key, rooms_str_t raw)
{
    rooms_json_raw(b, key, strlen(key));

    if (raw.data) {
        rooms_json_time(b, rooms_time_parse(rooms_import_unquote(raw, NULL,
                                                                 0)));
    } else {
        rooms_json_lit(b, "null");
    }
}


static int
rooms_import_put_content(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t content, unsigned flags, rooms_str_t sender)
{
    if (rooms_import_escaped(content, 0)
        && rooms_import_normalise(&content, im->nested) != 0)
    {
        return -1;
    }

    return rooms_import_put_members(im, b, content, flags, sender);
}


static void
rooms_import_put_key(rooms_buf_t *b, rooms_str_t key)
{
    if (b->last[-1] != '{') {
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
                            rooms_import_unquote(value, id, sizeof(id)));

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
                             rooms_import_unquote(value, id, sizeof(id)));

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

            if (rooms_str_eq(key, rooms_cstr("media_id"))) {
                rooms_import_put_media_ref(im, b, value);

            } else {
                rooms_json_raw(b, value.data, value.len);
            }
        }

        rooms_json_lit(b, "}");
    }

    rooms_json_lit(b, "]");
}


/* An edit's content has the new body in a content of its own. */
static int
rooms_import_put_members(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t content, unsigned flags, rooms_str_t sender)
{
    rooms_str_t  key, value;

    if ((flags & ROOMS_IMPORT_REPLACES)
        && rooms_json_member(content, "replaces").data == NULL)
    {
        flags &= ~ROOMS_IMPORT_REPLACES;
    }

    rooms_json_lit(b, "{");
    value = ROOMS_NULL;

    while (rooms_json_next(content, &key, &value)) {

        if (flags & ROOMS_IMPORT_AUTHOR
            && rooms_str_eq(key, rooms_cstr("_imported_sender")))
        {
            if (value.data[0] != '{') {
                continue;
            }

            /* it came from somewhere else before */
            flags &= ~ROOMS_IMPORT_AUTHOR;
        }

        rooms_import_put_key(b, key);

        if (rooms_str_eq(key, rooms_cstr("media_id"))) {
            rooms_import_put_media_ref(im, b, value);

        } else if (value.data[0] == '['
                   && rooms_str_eq(key, rooms_cstr("attachments")))
        {
            rooms_import_put_attachments(im, b, value);

        } else if ((flags & ROOMS_IMPORT_EVENT_ID
                    && rooms_str_eq(key, rooms_cstr("event_id")))
                   || (flags & ROOMS_IMPORT_REPLACES
                       && rooms_str_eq(key, rooms_cstr("replaces"))))
        {
            rooms_import_put_event_ref(im, b, value);

        } else if (flags & ROOMS_IMPORT_REPLACES && value.data[0] == '{'
                   && rooms_str_eq(key, rooms_cstr("content")))
        {
            if (rooms_import_put_members(im, b, value, 0, ROOMS_NULL) != 0) {
                return -1;
            }

        } else {
            rooms_json_raw(b, value.data, value.len);
        }
    }

    if (flags & ROOMS_IMPORT_AUTHOR) {
        rooms_import_put_key(b, rooms_cstr("_imported_sender"));
        rooms_import_put_author(im, b, sender);
    }

    rooms_json_lit(b, "}");

    return b->full ? -1 : 0;
}


/* Who isn't among the participants is shown by the id alone. */
static void
rooms_import_put_author(rooms_import_t *im, rooms_buf_t *b,
    rooms_str_t sender)
{
    u_char       id[256];
    int64_t      at;
    rooms_str_t  author;

    at = rooms_import_map_get(&im->people,
                              rooms_import_unquote(sender, id, sizeof(id)));

    if (at != -1) {
        author = rooms_import_text_get(&im->authors, (uint32_t) at);
        rooms_json_raw(b, author.data, author.len);
        return;
    }

    rooms_json_lit(b, "{\"display_name\":");
    rooms_json_raw(b, sender.data, sender.len);
    rooms_json_lit(b, ",\"avatar_url\":null,\"fqid\":null}");
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
