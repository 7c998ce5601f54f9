/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_MEDIA_H
#define ROOMS_MEDIA_H

#include "rooms_str.h"


/* Names and types of media, and references to them.  Nothing here allocates. */

#define ROOMS_MEDIA_NAME_MAX  255      /* bytes of a file's name */
#define ROOMS_MEDIA_MIME_MAX  127
#define ROOMS_MEDIA_DIR_MAX    67      /* a tenant's folder name */

/* Whether a file's name may be shown and sent; otherwise it is "file". */
int rooms_media_name_valid(rooms_str_t name);

/*
 * Writes the "type/subtype" of a Content-Type (RFC 9110, section 8.3.1), in
 * lower case and without parameters, to dst, which has ROOMS_MEDIA_MIME_MAX
 * bytes.  Returns the length; 0: it isn't valid.
 */
size_t rooms_media_mime(rooms_str_t type, unsigned char *dst);

/*
 * Whether a page may show it inline: only images and videos that can't
 * contain a script. `mime` is in lower case.
 */
int rooms_media_in_page(rooms_str_t mime);

/*
 * Writes a Content-Disposition (RFC 6266) for a valid name: "inline" or
 * "attachment", the name in ASCII, and, if that loses something, the exact
 * name (RFC 8187) too.  Returns the length.
 */
#define ROOMS_MEDIA_DISPOSITION(len)  (sizeof("attachment; filename=\"\"; "   \
                                              "filename*=UTF-8''")            \
                                       + 4 * (len))
size_t rooms_media_disposition(rooms_str_t name, int in_page,
    unsigned char *dst);

/*
 * Writes the name of a tenant's folder.  It is never ".", ".." or a folder of
 * our own. dst has ROOMS_MEDIA_DIR_MAX bytes.  Returns the length.
 */
size_t rooms_media_dir(rooms_str_t tenant, unsigned char *dst);


/*
 * Iterates over the media that an event's content refers to: "media_id" and
 * "thumbnail_id", also in each of its "attachments".  The content is a valid
 * JSON object from the store.  A value that isn't an id, or has escapes, is
 * no reference.
 */
typedef struct {
    rooms_str_t  medium;              /* of the current object; NULL once */
    rooms_str_t  thumbnail;           /* it was returned */
    rooms_str_t  attachments;         /* the rest of the array */
} rooms_media_refs_t;

void rooms_media_refs_init(rooms_media_refs_t *refs, rooms_str_t content);
/* Returns the next reference, in the content's order; NULL: no more. */
rooms_str_t rooms_media_refs_next(rooms_media_refs_t *refs);

#endif /* ROOMS_MEDIA_H */
