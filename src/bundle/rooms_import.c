/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The first reading: fills the tables. */

#include "rooms_import.h"
#include "rooms_manifest.h"
#include "rooms_media.h"
#include "rooms.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>


#define ROOMS_IMPORT_DISPLAY_MAX  1024    /* bytes */
#define ROOMS_IMPORT_FQID_MAX      512
#define ROOMS_IMPORT_AVATAR_MAX   2048
#define ROOMS_IMPORT_TS_MAX       INT64_C(253402300799)    /* 9999-12-31 */


static int rooms_import_edit(rooms_import_t *im, rooms_str_t content,
    uint32_t index);
static int rooms_import_reaction(rooms_import_t *im, rooms_str_t slice,
    uint32_t index);
static int rooms_import_media_ids(rooms_import_t *im, json_t *o,
    uint32_t index, uint64_t at);


int
rooms_import_init(rooms_import_t *im, rooms_faults_t *faults)
{
    memset(im, 0, sizeof(rooms_import_t));

    im->faults = faults;

    randombytes_buf(im->key, sizeof(im->key));

    rooms_import_map_init(&im->ids);
    rooms_import_map_init(&im->people);
    rooms_import_map_init(&im->numbers);
    rooms_import_map_init(&im->media_ids);
    rooms_import_map_init(&im->contents);
    rooms_import_map_init(&im->missing);
    rooms_import_map_init(&im->emoji_ids);

    im->scratch = malloc(ROOMS_MANIFEST_EVENT_MAX);
    im->decoded = malloc(ROOMS_MANIFEST_EVENT_MAX);

    return im->scratch && im->decoded ? 0 : -1;
}


void
rooms_import_cleanup(rooms_import_t *im)
{
    rooms_import_map_free(&im->ids);
    rooms_import_map_free(&im->people);
    rooms_import_map_free(&im->numbers);
    rooms_import_map_free(&im->media_ids);
    rooms_import_map_free(&im->contents);
    rooms_import_map_free(&im->missing);
    rooms_import_map_free(&im->emoji_ids);

    free(im->authors.data);
    free(im->numbered);
    free(im->media);
    free(im->text.data);
    free(im->edits);
    free(im->messages);
    free(im->reactions);
    free(im->emojis.data);
    free(im->scratch);
    free(im->decoded);
}


int
rooms_import_no_memory(rooms_import_t *im)
{
    im->failed = "no memory";
    return -1;
}


rooms_str_t
rooms_import_value(json_t *o, const char *key)
{
    json_t  *v;

    v = json_object_get(o, key);

    return json_is_string(v)
           ? (rooms_str_t) { json_string_length(v),
                             (const u_char *) json_string_value(v) }
           : ROOMS_NULL;
}


int
rooms_import_room_for(rooms_import_t *im, void **array, size_t n,
    size_t *size, size_t each)
{
    void    *p;
    size_t   more;

    if (n < *size) {
        return 0;
    }

    more = *size ? *size * 2 : 64;
    p = realloc(*array, more * each);

    if (p == NULL) {
        return rooms_import_no_memory(im);
    }

    *array = p;
    *size = more;

    return 0;
}


static int
rooms_import_is_marker(rooms_str_t event_type)
{
    return rooms_str_eq(event_type,
                        rooms_cstr(rooms_event_name(ROOMS_EV_READ_MARKER)));
}


void
rooms_import_fault(rooms_import_t *im, uint64_t index, const char *key,
    const char *problem)
{
    char  field[64];

    snprintf(field, sizeof(field), "events[%llu]%s%s",
             (unsigned long long) index, key[0] ? "." : "", key);
    rooms_faults_add(im->faults, field, "%s", problem);
}


/*
 * The minified text is about as long as what will be stored, except that ids
 * change.  An author doesn't count, since an export adds it.
 */
static void
rooms_import_content_sizes(rooms_import_t *im, rooms_str_t content,
    const char *key, uint64_t index, int edit)
{
    size_t       len, author, member;
    rooms_str_t  name, value;

    if (content.data == NULL || content.data[0] != '{') {
        return;
    }

    /* a level takes two bytes, and no other limit is lower than this */

    if (content.len <= 2 * ROOMS_CONTENT_DEPTH) {
        return;
    }

    if (rooms_json_depth(content) > ROOMS_CONTENT_DEPTH + edit) {
        rooms_import_fault(im, index, key, "nests more than 64 levels deep");
    }

    if (content.len <= ROOMS_IMPORT_AUTHOR_MAX) {
        return;
    }

    len = rooms_json_minify(content, im->scratch);
    author = 0;
    member = 0;
    value = ROOMS_NULL;

    while (rooms_json_next(content, &name, &value)) {

        if (value.data[0] == '{'
            && rooms_json_key_is(name, "_imported_sender"))
        {
            author = rooms_json_minify(value, im->scratch);
            member = author + name.len + sizeof(",\"\":") - 1;
        }
    }

    if (len > member + ROOMS_IMPORT_CONTENT_MAX) {
        rooms_import_fault(im, index, key, ROOMS_IMPORT_TOO_LONG);
    }

    if (author > ROOMS_IMPORT_AUTHOR_MAX) {
        rooms_import_fault(im, index, key, "has an _imported_sender of more "
                                           "than 4 KiB");
    }
}


/*
 * Checks what the other checks leave open: sizes, and a time that can be
 * written.
 */
static void
rooms_import_event_sizes(rooms_import_t *im, const rooms_check_event_t *e,
    uint64_t index)
{
    int  edit;

    /* an edit has its body one level deeper */

    edit = rooms_json_member(e->content, "replaces").data != NULL;

    rooms_import_content_sizes(im, e->content, "content", index, edit);
    rooms_import_content_sizes(im, e->original, "original_content", index, 0);

    if (e->origin_ts > ROOMS_IMPORT_TS_MAX) {
        rooms_import_fault(im, index, "origin_ts", "is after the year 9999");
    }
}


int
rooms_import_event(rooms_import_t *im, rooms_str_t slice,
    const rooms_check_event_t *e, uint64_t index)
{
    uint32_t  n;

    if (e->unreadable) {
        return 0;
    }

    rooms_import_event_sizes(im, e, index);

    if (rooms_import_is_marker(e->type)) {
        return 0;
    }

    if (im->events == UINT32_MAX) {
        im->failed = "there are more than 4294967295 events";
        return -1;
    }

    n = (uint32_t) im->events;

    switch (rooms_import_map_add(&im->ids, e->id, n)) {

    case 0:
        break;

    case 1:
        rooms_import_fault(im, index, "id", "is that of an earlier event");
        return 0;

    default:
        return rooms_import_no_memory(im);
    }

    im->events++;

    if (rooms_str_eq(e->type,
                     rooms_cstr(rooms_event_name(ROOMS_EV_MESSAGE))))
    {
        return rooms_import_message(im, e, n) == 0
               ? rooms_import_edit(im, e->content, n) : -1;
    }

    return rooms_str_eq(e->type,
                        rooms_cstr(rooms_event_name(ROOMS_EV_REACTION)))
           ? rooms_import_reaction(im, slice, n) : 0;
}


/*
 * Parses a tree, since two authors are equal whatever the order of their
 * members.
 */
static int
rooms_import_reaction(rooms_import_t *im, rooms_str_t slice, uint32_t index)
{
    int      rc;
    json_t  *o;

    o = json_loadb((const char *) slice.data, slice.len, 0, NULL);
    rc = o ? rooms_import_react(im, o, index) : rooms_import_no_memory(im);

    json_decref(o);

    return rc;
}


/*
 * An edit has a copy of a body, so a redaction has to find it.  An edit of a
 * message that isn't in the bundle stays an event of its own.
 */
static int
rooms_import_edit(rooms_import_t *im, rooms_str_t content, uint32_t index)
{
    int64_t      message;
    rooms_str_t  replaces;

    replaces = rooms_import_decode(rooms_json_member(content, "replaces"),
                                   im->decoded, ROOMS_MANIFEST_EVENT_MAX);

    if (replaces.data == NULL) {
        return 0;
    }

    message = rooms_import_map_get(&im->ids, replaces);

    if (message == -1 || message == (int64_t) index) {
        return 0;
    }

    if (rooms_import_room_for(im, (void **) &im->edits, im->nedits,
                              &im->edits_size, sizeof(rooms_import_edit_t))
        != 0)
    {
        return -1;
    }

    im->edits[im->nedits].message = (uint32_t) message;
    im->edits[im->nedits].edit = index;
    im->nedits++;

    return 0;
}


int
rooms_import_participant(rooms_import_t *im, rooms_str_t key, json_t *o)
{
    int          rc;
    u_char       json[ROOMS_IMPORT_AUTHOR_MAX];
    int64_t      at;
    rooms_buf_t  b;
    rooms_str_t  name, fqid, avatar;

    if (key.data == NULL) {
        key = rooms_import_value(o, "participant_id");
    }

    name = rooms_import_value(o, "display_name");
    fqid = rooms_import_value(o, "fqid");
    avatar = rooms_import_value(o, "avatar_url");

    rooms_buf_init(&b, json, sizeof(json));
    rooms_json_put(&b, "{\"display_name\":%s,\"avatar_url\":%s,\"fqid\":%s}",
                   name, avatar, fqid);

    if (name.len > ROOMS_IMPORT_DISPLAY_MAX || fqid.len > ROOMS_IMPORT_FQID_MAX
        || avatar.len > ROOMS_IMPORT_AVATAR_MAX || b.full)
    {
        rooms_faults_add(im->faults, "participants",
                         "%.*s: a name is longer than 1 KiB, an fqid than "
                         "512 bytes, an avatar_url than 2 KiB, or all of "
                         "them, written as JSON, than 4 KiB",
                         key.len < 64 ? (int) key.len : 64, key.data);
        return 0;
    }

    at = rooms_import_text_add(im, &im->authors,
                               (rooms_str_t) { b.last - json, json });
    if (at == -1) {
        return -1;
    }

    rc = rooms_import_map_add(&im->people, key, (uint32_t) at);

    if (rc == 1) {
        rooms_faults_add(im->faults, "participants", "%.*s occurs twice",
                         key.len < 64 ? (int) key.len : 64, key.data);
    }

    return rc == -1 ? rooms_import_no_memory(im) : 0;
}


/*
 * Authors are numbered in the order in which they appear.  An author from
 * `participants` is in the text already; another one is added.
 */
int64_t
rooms_import_author_number(rooms_import_t *im, rooms_str_t author)
{
    int64_t  n, at;

    n = rooms_import_map_get(&im->numbers, author);

    if (n != -1) {
        return n;
    }

    if (im->authors.len && author.data >= im->authors.data
        && author.data < im->authors.data + im->authors.len)
    {
        at = author.data - im->authors.data - sizeof(uint32_t);

    } else if (ROOMS_IMPORT_TEXT_MAX - im->authors.len
               < author.len + sizeof(uint32_t))
    {
        return -1;

    } else {
        at = rooms_import_text_add(im, &im->authors, author);
    }

    if (at == -1
        || rooms_import_room_for(im, (void **) &im->numbered, im->nauthors,
                                 &im->numbered_size, sizeof(uint32_t)) != 0
        || rooms_import_map_add(&im->numbers,
                                rooms_import_text_get(&im->authors, at),
                                (uint32_t) im->nauthors) != 0)
    {
        return -1;
    }

    im->numbered[im->nauthors] = (uint32_t) at;

    return im->nauthors++;
}


rooms_str_t
rooms_import_author_json(const rooms_import_t *im, size_t n)
{
    return rooms_import_text_get(&im->authors, im->numbered[n]);
}


int
rooms_import_medium(rooms_import_t *im, rooms_str_t key, json_t *o,
    uint64_t index)
{
    size_t                  len;
    u_char                  mime[ROOMS_MEDIA_MIME_MAX], random[10];
    int64_t                 at;
    uint32_t                n;
    rooms_str_t             sha, name;
    rooms_import_medium_t  *m;

    if (rooms_import_room_for(im, (void **) &im->media, im->nmedia,
                              &im->media_size, sizeof(rooms_import_medium_t))
        != 0)
    {
        return -1;
    }

    n = (uint32_t) im->nmedia;
    m = &im->media[n];
    memset(m, 0, sizeof(rooms_import_medium_t));

    sha = rooms_import_value(o, "sha256");
    memcpy(m->sha256, sha.data ? sha.data : key.data, sizeof(m->sha256));
    m->size = json_integer_value(json_object_get(o, "size"));

    name = rooms_import_value(o, "name");
    at = rooms_import_text_add(im, &im->text, rooms_media_name_valid(name)
                                              ? name : rooms_cstr("file"));
    m->name = (uint32_t) at;

    len = rooms_media_mime(rooms_import_value(o, "mime_type"), mime);

    if (at != -1) {
        at = rooms_import_text_add(im, &im->text,
                         len ? (rooms_str_t) { len, mime }
                             : rooms_cstr("application/octet-stream"));
        m->mime = (uint32_t) at;
    }

    if (at == -1) {
        return -1;
    }

    randombytes_buf(random, sizeof(random));
    (void) rooms_id_make("med-", im->now, random, m->id);

    sha = (rooms_str_t) { sizeof(m->sha256), m->sha256 };
    m->content = n;

    switch (rooms_import_map_add(&im->contents, sha, n)) {

    case -1:
        return rooms_import_no_memory(im);

    case 1:
        m->content = (uint32_t) rooms_import_map_get(&im->contents, sha);
        break;
    }

    im->nmedia++;

    if (im->media[m->content].size != m->size) {
        rooms_faults_add(im->faults, "media", "%.64s has two sizes",
                         m->sha256);
    }

    return rooms_import_media_ids(im, o, n, index);
}


/* The ids by which contents refer to a medium: "media_id" or "media_ids". */
static int
rooms_import_media_ids(rooms_import_t *im, json_t *o, uint32_t index,
    uint64_t at)
{
    size_t   i, n;
    json_t  *v, *list;

    list = json_object_get(o, "media_ids");
    n = json_array_size(list);

    for (i = 0; i <= n; i++) {
        v = i < n ? json_array_get(list, i) : json_object_get(o, "media_id");

        if (!json_is_string(v)) {
            continue;
        }

        if (im->media_ids.count == im->media_max) {
            im->failed = "media have more ids than rooms_import_limits "
                         "allows entries";
            return -1;
        }

        switch (rooms_import_map_add(&im->media_ids,
                       (rooms_str_t) { json_string_length(v),
                                       (u_char *) json_string_value(v) },
                       index))
        {

        case -1:
            return rooms_import_no_memory(im);

        case 1:
            rooms_faults_add(im->faults, "media", "media[%llu]: the media_id "
                             "is that of an earlier medium",
                             (unsigned long long) at);
        }
    }

    return 0;
}


/* A sha256, an id, or an object with one or both. */
int
rooms_import_missing(rooms_import_t *im, rooms_str_t slice)
{
    size_t        i;
    json_t       *o;
    rooms_str_t   s;

    static const char  *names[] = { "sha256", "media_id" };

    o = json_loadb((const char *) slice.data, slice.len,
                   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);

    for (i = 0; o && i < 2; i++) {
        s = json_is_object(o) ? rooms_import_value(o, names[i])
                              : (rooms_str_t) { json_string_length(o),
                                       (u_char *) json_string_value(o) };

        if (s.data && rooms_import_map_add(&im->missing, s, 0) == -1) {
            json_decref(o);
            return rooms_import_no_memory(im);
        }
    }

    if (!json_is_object(o) && !json_is_string(o)) {
        rooms_faults_add(im->faults, "missing_media",
                         "an element is neither a string nor an object");
    }

    json_decref(o);

    return 0;
}


rooms_import_medium_t *
rooms_import_content(rooms_import_t *im, rooms_str_t sha256)
{
    int64_t  i;

    i = rooms_import_map_get(&im->contents, sha256);

    return i == -1 ? NULL : &im->media[i];
}


int
rooms_import_kept(const rooms_import_t *im, size_t i)
{
    return im->media[im->media[i].content].found;
}


uint64_t
rooms_import_bytes(const rooms_import_t *im)
{
    size_t    i;
    uint64_t  bytes;

    for (bytes = 0, i = 0; i < im->nmedia; i++) {
        if (rooms_import_kept(im, i)) {
            bytes += im->media[i].size;
        }
    }

    return bytes;
}


rooms_str_t
rooms_import_string(const rooms_import_t *im, uint32_t at)
{
    return rooms_import_text_get(&im->text, at);
}


static int
rooms_import_edit_cmp(const void *one, const void *two)
{
    const rooms_import_edit_t  *a = one, *b = two;

    if (a->message != b->message) {
        return a->message < b->message ? -1 : 1;
    }

    return a->edit < b->edit ? -1 : 1;
}


void
rooms_import_finish(rooms_import_t *im)
{
    size_t       i, first;
    rooms_str_t  sha;

    for (i = 0; i < im->nmedia; i++) {
        sha = (rooms_str_t) { sizeof(im->media[i].sha256),
                              im->media[i].sha256 };

        if (!rooms_import_kept(im, i)
            && rooms_import_map_get(&im->missing, sha) == -1)
        {
            rooms_faults_add(im->faults, "media", "%.64s is not in the "
                             "archive, nor in missing_media", sha.data);
        }
    }

    rooms_import_count(im);

    if (im->nedits) {
        qsort(im->edits, im->nedits, sizeof(rooms_import_edit_t),
              rooms_import_edit_cmp);
    }

    for (first = 0, i = 1; i <= im->nedits; i++) {

        if (i == im->nedits || im->edits[i].message != im->edits[first].message)
        {
            if (i - first > ROOMS_IMPORT_EDITS_MAX) {
                rooms_faults_add(im->faults, "events",
                                 "a message was edited %zu times; it can be "
                                 "100 times", i - first);
            }

            first = i;
        }
    }
}
