/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_media.h"
#include "rooms_json.h"
#include "rooms.h"


#define ROOMS_ALNUM  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"                   \
                     "abcdefghijklmnopqrstuvwxyz"

/* tchar of RFC 9110, section 5.6.2; attr-char of RFC 8187, section 3.2.1 */
static const char  rooms_token_chars[] = ROOMS_ALNUM "!#$%&'*+-.^_`|~";
static const char  rooms_attr_chars[] = ROOMS_ALNUM "!#$&+-.^_`|~";


static int
rooms_char_in(unsigned char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}


int
rooms_media_name_valid(rooms_str_t name)
{
    size_t         i;
    unsigned char  c;

    if (name.len == 0 || name.len > ROOMS_MEDIA_NAME_MAX
        || rooms_utf8_length(name) < 0)
    {
        return 0;
    }

    for (i = 0; i < name.len; i++) {
        c = name.data[i];

        if (c < 0x20 || c == 0x7f || c == '/' || c == '\\') {
            return 0;
        }

        /* U+0080 to U+009F are control characters too */

        if (c == 0xc2 && name.data[i + 1] < 0xa0) {
            return 0;
        }
    }

    return !(name.data[0] == '.'
             && (name.len == 1 || (name.len == 2 && name.data[1] == '.')));
}


size_t
rooms_media_mime(rooms_str_t type, unsigned char *dst)
{
    size_t         i, slash;
    unsigned char  c;

    slash = 0;

    for (i = 0; i < type.len && i < ROOMS_MEDIA_MIME_MAX; i++) {
        c = type.data[i];

        if (c == '/' && i > 0 && slash == 0) {
            slash = i;

        } else if (!rooms_char_in(c, rooms_token_chars)) {
            break;
        }

        dst[i] = (c >= 'A' && c <= 'Z') ? c | 0x20 : c;
    }

    if (slash == 0 || i == slash + 1) {
        return 0;
    }

    /* only parameters may follow */

    for (slash = i; slash < type.len; slash++) {
        c = type.data[slash];

        if (c == ';') {
            break;
        }

        if (c != ' ' && c != '\t') {
            return 0;
        }
    }

    return i;
}


int
rooms_media_in_page(rooms_str_t mime)
{
    size_t  i;

    static const rooms_str_t  types[] = {
        rooms_string("image/png"), rooms_string("image/jpeg"),
        rooms_string("image/gif"), rooms_string("image/webp"),
        rooms_string("video/mp4")
    };

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (rooms_str_eq(mime, types[i])) {
            return 1;
        }
    }

    return 0;
}


size_t
rooms_media_disposition(rooms_str_t name, int in_page, unsigned char *dst)
{
    int            exact;
    size_t         i;
    unsigned char  c, *p;

    static const char  attachment[] = "attachment; filename=\"";
    static const char  inlined[] = "inline; filename=\"";
    static const char  tail[] = "; filename*=UTF-8''";
    static const char  hex[] = "0123456789ABCDEF";

    p = dst;
    exact = 1;

    if (in_page) {
        memcpy(p, inlined, sizeof(inlined) - 1);
        p += sizeof(inlined) - 1;

    } else {
        memcpy(p, attachment, sizeof(attachment) - 1);
        p += sizeof(attachment) - 1;
    }

    /* some clients decode "%", or handle a backslash wrongly */

    for (i = 0; i < name.len; i++) {
        c = name.data[i];

        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '%') {
            *p++ = c;
            continue;
        }

        exact = 0;

        if (c < 0x80 || c >= 0xc0) {
            *p++ = '_';
        }
    }

    *p++ = '"';

    if (exact) {
        return p - dst;
    }

    memcpy(p, tail, sizeof(tail) - 1);
    p += sizeof(tail) - 1;

    for (i = 0; i < name.len; i++) {
        c = name.data[i];

        if (rooms_char_in(c, rooms_attr_chars)) {
            *p++ = c;
            continue;
        }

        *p++ = '%';
        *p++ = hex[c >> 4];
        *p++ = hex[c & 15];
    }

    return p - dst;
}


/* No tenant's id contains "%", so no two tenants share a folder. */

size_t
rooms_media_dir(rooms_str_t tenant, unsigned char *dst)
{
    size_t  dot;

    dot = tenant.len && tenant.data[0] == '.';

    if (dot) {
        memcpy(dst, "%2E", 3);
        dst += 3;
    }

    memcpy(dst, tenant.data + dot, tenant.len - dot);

    return tenant.len + 2 * dot;
}


/* Walks over the object only once, since nearly all have none of the three. */

static void
rooms_media_refs_look(rooms_media_refs_t *refs, rooms_str_t object,
    rooms_str_t *attachments)
{
    rooms_str_t  key, value;

    refs->medium = ROOMS_NULL;
    refs->thumbnail = ROOMS_NULL;

    value = ROOMS_NULL;

    while (rooms_json_next(object, &key, &value)) {

        if (refs->medium.data == NULL && rooms_json_key_is(key, "media_id")) {
            refs->medium = value;

        } else if (refs->thumbnail.data == NULL
                   && rooms_json_key_is(key, "thumbnail_id"))
        {
            refs->thumbnail = value;

        } else if (attachments && attachments->data == NULL
                   && rooms_json_key_is(key, "attachments"))
        {
            *attachments = value;
        }
    }
}


void
rooms_media_refs_init(rooms_media_refs_t *refs, rooms_str_t content)
{
    refs->attachments = ROOMS_NULL;

    rooms_media_refs_look(refs, content, &refs->attachments);
}


static rooms_str_t
rooms_media_refs_take(rooms_str_t *value)
{
    rooms_str_t  id;

    id = rooms_json_inside(*value);
    *value = ROOMS_NULL;

    return id.data && rooms_id_valid(id, "med-") ? id : ROOMS_NULL;
}


rooms_str_t
rooms_media_refs_next(rooms_media_refs_t *refs)
{
    rooms_str_t  object, id;

    for ( ;; ) {
        id = rooms_media_refs_take(&refs->medium);

        if (id.data == NULL) {
            id = rooms_media_refs_take(&refs->thumbnail);
        }

        if (id.data) {
            return id;
        }

        object = rooms_json_element(&refs->attachments);

        if (object.data == NULL) {
            return ROOMS_NULL;
        }

        rooms_media_refs_look(refs, object, NULL);
    }
}
