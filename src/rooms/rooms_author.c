/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                   /* memmem() */
#endif

#include "rooms_author.h"


static const char  rooms_author_key[] = "_imported_sender";


static int
rooms_author_number(rooms_str_t content, rooms_str_t *number)
{
    size_t  i;

    *number = content.data ? rooms_json_member(content, rooms_author_key)
                           : ROOMS_NULL;

    for (i = 0; i < number->len; i++) {

        if (number->data[i] < '0' || number->data[i] > '9') {
            return 0;
        }
    }

    return i != 0;
}


int
rooms_authors_in(rooms_str_t text)
{
    static const char  name[] = "\"_imported_sender\":";

    /* the search has to prepare itself, and few texts have that byte */

    return text.len && memchr(text.data, '_', text.len) != NULL
           && memmem(text.data, text.len, name, sizeof(name) - 1) != NULL;
}


unsigned
rooms_authors_find(rooms_authors_t *a, rooms_str_t event)
{
    a->n = 0;
    a->in_content = 0;

    if (!rooms_authors_in(event)) {
        return 0;
    }

    if (rooms_author_number(rooms_json_member(event, "content"),
                            &a->numbers[0]))
    {
        a->in_content = 1;
        a->n = 1;
    }

    a->n += rooms_author_number(rooms_json_member(event, "original_content"),
                                &a->numbers[a->n]);

    a->authors[0] = ROOMS_NULL;
    a->authors[1] = ROOMS_NULL;

    return a->n;
}


/* Room for both contents, and then for the event with them. */

size_t
rooms_authors_size(const rooms_authors_t *a, rooms_str_t event)
{
    return 2 * (event.len + a->authors[0].len + a->authors[1].len + 64);
}


rooms_str_t
rooms_authors_put(const rooms_authors_t *a, rooms_str_t event,
    unsigned char *buf, size_t size)
{
    unsigned          i;
    rooms_buf_t       b;
    rooms_str_t       content;
    const char       *key;
    rooms_json_set_t  set[2];

    rooms_buf_init(&b, buf, size);

    for (i = 0; i < a->n; i++) {
        key = i == 0 && a->in_content ? "content" : "original_content";
        content = rooms_json_member(event, key);

        set[i].key = key;
        set[i].value.data = b.last;

        rooms_json_rewrite(&b, content, (rooms_json_set_t[]) {
                               { rooms_author_key, a->authors[i] } }, 1);

        set[i].value.len = b.last - set[i].value.data;
    }

    content.data = b.last;
    rooms_json_rewrite(&b, event, set, a->n);
    content.len = b.last - content.data;

    return b.full ? ROOMS_NULL : content;
}
