/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_stored.h"
#include "rooms_json_text.h"
#include "rooms.h"

#include <stddef.h>


typedef enum {
    ROOMS_STORED_ANY = 0,
    ROOMS_STORED_STRING,              /* required */
    ROOMS_STORED_NULLABLE,            /* a string, null, or missing */
    ROOMS_STORED_OBJECT               /* an object, or missing */
} rooms_stored_kind_e;

typedef struct {
    rooms_str_t            name;
    size_t                 offset;    /* of the value in rooms_stored_raw_t */
    rooms_stored_kind_e    kind;
} rooms_stored_member_t;

/* Values as they stand in the text. */
typedef struct {
    rooms_str_t   id;
    rooms_str_t   room;
    rooms_str_t   position;
    rooms_str_t   sender;
    rooms_str_t   type;
    rooms_str_t   content;
    rooms_str_t   original;
    rooms_str_t   created_at;
    rooms_str_t   edited_at;
    rooms_str_t   redacted_at;
} rooms_stored_raw_t;

#define rooms_stored_member(name, value, kind)                                \
    { rooms_string(name), offsetof(rooms_stored_raw_t, value), kind }

static const rooms_stored_member_t  rooms_stored_members[] = {
    rooms_stored_member("id", id, ROOMS_STORED_STRING),
    rooms_stored_member("room_id", room, ROOMS_STORED_STRING),
    rooms_stored_member("stream_position", position, ROOMS_STORED_ANY),
    rooms_stored_member("sender_id", sender, ROOMS_STORED_STRING),
    rooms_stored_member("event_type", type, ROOMS_STORED_STRING),
    rooms_stored_member("content", content, ROOMS_STORED_OBJECT),
    rooms_stored_member("original_content", original, ROOMS_STORED_OBJECT),
    rooms_stored_member("created_at", created_at, ROOMS_STORED_STRING),
    rooms_stored_member("edited_at", edited_at, ROOMS_STORED_NULLABLE),
    rooms_stored_member("redacted_at", redacted_at, ROOMS_STORED_NULLABLE)
};

#define ROOMS_STORED_MEMBERS                                                  \
    (sizeof(rooms_stored_members) / sizeof(rooms_stored_members[0]))


static int rooms_stored_walk(rooms_str_t json, rooms_stored_raw_t *raw);
static int rooms_stored_take(rooms_stored_raw_t *raw);
static int64_t rooms_stored_number(rooms_str_t s);
static rooms_str_t rooms_stored_begin(rooms_str_t json);


int
rooms_content_deep(rooms_str_t content)
{
    int  depth;

    /* a level takes two bytes */

    if (content.len <= 2 * ROOMS_CONTENT_DEPTH) {
        return 0;
    }

    depth = rooms_json_depth(content);

    return depth > ROOMS_CONTENT_DEPTH
           && (depth > ROOMS_CONTENT_DEPTH + 1
               || rooms_json_member(content, "replaces").data == NULL);
}


/* Whether there are more than `levels` of them. */

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

    /* an iterator changes nothing, though it takes no const */

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


void
rooms_stored_read(rooms_str_t json, rooms_str_t room, int64_t position,
    rooms_stored_t *e)
{
    int64_t             own;
    rooms_stored_raw_t  raw;

    memset(e, 0, sizeof(rooms_stored_t));

    e->json = json;
    e->position = position;

    if (json.data == NULL || rooms_stored_walk(json, &raw) != 0
        || rooms_stored_take(&raw) != 0
        || !rooms_id_valid(raw.id, "evt-") || !rooms_str_eq(raw.room, room)
        || rooms_content_deep(raw.content)
        || (raw.original.data && rooms_content_deep(raw.original)))
    {
        e->id = rooms_stored_begin(json);
        return;
    }

    e->id = raw.id;
    own = rooms_stored_number(raw.position);

    /* an id holds the position, too */

    if (own <= 0 || (position && position != own)
        || own != rooms_event_position(e->id))
    {
        return;
    }

    e->position = own;
    e->sender = raw.sender;
    e->type = raw.type;
    e->content = raw.content;
    e->original = raw.original;
    e->created_at = raw.created_at;
    e->edited_at = raw.edited_at;
    e->redacted_at = raw.redacted_at;

    e->readable = 1;
    e->message = rooms_str_eq(e->type,
                              rooms_cstr(rooms_event_name(ROOMS_EV_MESSAGE)));
    e->edit = e->message
              && rooms_json_member(e->content, "replaces").data != NULL;
}


/* The members of an object that is the whole of a valid text, or -1. */

static int
rooms_stored_walk(rooms_str_t json, rooms_stored_raw_t *raw)
{
    size_t                        i;
    rooms_str_t                   key, value, *slot;
    const unsigned char          *p, *end;
    const rooms_stored_member_t  *m;

    memset(raw, 0, sizeof(rooms_stored_raw_t));

    value = ROOMS_NULL;

    while (rooms_json_next(json, &key, &value)) {

        for (i = 0; i < ROOMS_STORED_MEMBERS; i++) {
            m = &rooms_stored_members[i];

            if (m->name.len == key.len
                && memcmp(m->name.data, key.data, key.len) == 0)
            {
                slot = (rooms_str_t *) ((char *) raw + m->offset);

                if (slot->data) {
                    return -1;
                }

                *slot = value;
                break;
            }
        }
    }

    /* the walk ends where the object does, or at what is no JSON */

    if (value.data == NULL) {
        return -1;
    }

    end = json.data + json.len;
    p = rooms_json_space(value.data + value.len, end);

    return p != end && *p == '}' && rooms_json_space(p + 1, end) == end
           ? 0 : -1;
}


/* Whether each value is what it has to be; strings lose their quotes. */

static int
rooms_stored_take(rooms_stored_raw_t *raw)
{
    size_t                        i;
    rooms_str_t                  *value;
    const rooms_stored_member_t  *m;

    for (i = 0; i < ROOMS_STORED_MEMBERS; i++) {
        m = &rooms_stored_members[i];
        value = (rooms_str_t *) ((char *) raw + m->offset);

        switch (m->kind) {

        case ROOMS_STORED_NULLABLE:

            if (value->data == NULL || value->data[0] == 'n') {
                *value = ROOMS_NULL;
                break;
            }

            /* fall through */

        case ROOMS_STORED_STRING:

            if (value->len <= 2 || value->data[0] != '"') {
                return -1;
            }

            value->data++;
            value->len -= 2;
            break;

        case ROOMS_STORED_OBJECT:

            if (value->data && value->data[0] != '{') {
                return -1;
            }

            break;

        default:
            break;
        }
    }

    return raw->content.data ? 0 : -1;
}


static int64_t
rooms_stored_number(rooms_str_t s)
{
    size_t   i;
    int64_t  n;

    if (s.len > 16) {
        return 0;
    }

    for (n = 0, i = 0; i < s.len; i++) {

        if (s.data[i] < '0' || s.data[i] > '9') {
            return 0;
        }

        n = n * 10 + (s.data[i] - '0');
    }

    return n;
}


/* The id that an event of ours begins with. */

static rooms_str_t
rooms_stored_begin(rooms_str_t json)
{
    rooms_str_t  id;

    static const char  begin[] = "{\"id\":\"";

    id.len = sizeof("evt-") - 1 + 13 + 16;
    id.data = json.data + sizeof(begin) - 1;

    if (json.len <= sizeof(begin) - 1 + id.len
        || memcmp(json.data, begin, sizeof(begin) - 1) != 0
        || id.data[id.len] != '"' || !rooms_id_valid(id, "evt-"))
    {
        return ROOMS_NULL;
    }

    return id;
}


void
rooms_stored_unreadable(rooms_buf_t *b, const rooms_stored_t *e,
    rooms_str_t room)
{
    rooms_json_lit(b, "{\"unreadable\":true");

    if (e->id.data) {
        rooms_json_lit(b, ",\"id\":");
        rooms_json_str(b, e->id);
    }

    rooms_json_lit(b, ",\"room_id\":");
    rooms_json_str(b, room);

    if (e->position) {
        rooms_json_lit(b, ",\"stream_position\":");
        rooms_json_int(b, e->position);
    }

    rooms_json_lit(b, "}");
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

    /* the id as it stands there, the new array, the content with it, and the
     * event around that */

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
