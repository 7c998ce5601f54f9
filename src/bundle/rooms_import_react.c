/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * How many reactions a message has after an import.  Of each message, author
 * and emoji the last event holds: it is there, or was taken back.  The author
 * is the sender together with _imported_sender, since all that was imported
 * once has one sender.
 *
 * Counts are all that the store gets: nobody in the new room is one of those
 * authors, so nobody can take such a reaction back, nor has it.
 */

#include "rooms_import.h"
#include "rooms.h"

#include <stdlib.h>


static int rooms_import_reaction_cmp(const void *one, const void *two);


/* Edits are messages, too, and nobody reacts to them, or to what is wiped. */
int
rooms_import_message(rooms_import_t *im, json_t *o, uint32_t index)
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

    if (!json_is_string(json_object_get(o, "redacted_at"))
        && json_object_get(json_object_get(o, "content"), "replaces") == NULL)
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


/* -1: no memory. */
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


/* The offset of an emoji; -1: see im->failed. */
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


/* What isn't one of ours stays an event, and doesn't count. */
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
 * All was read: reactions become counts, in their place.  Of a message's
 * emojis those count that the bundle has first, as many as there can be.
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
