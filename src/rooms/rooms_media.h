/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_MEDIA_H
#define ROOMS_MEDIA_H

#include "rooms_str.h"


/* What is known of a medium by its names alone; nothing here allocates. */

#define ROOMS_MEDIA_NAME_MAX  255      /* bytes of a displayed name */
#define ROOMS_MEDIA_MIME_MAX  127
#define ROOMS_MEDIA_DIR_MAX    67      /* a tenant's folder */

/* Whether a name may be displayed and sent: else it is "file". */
int rooms_media_name_valid(rooms_str_t name);

/*
 * "type/subtype" of a Content-Type (RFC 9110, 8.3.1), in lower case and
 * without parameters, into dst, of ROOMS_MEDIA_MIME_MAX bytes.  Returns the
 * length; 0: it is none.
 */
size_t rooms_media_mime(rooms_str_t type, unsigned char *dst);

/*
 * Whether a page may show it in place: the pictures and films that no script
 * can be in.  `mime` is in lower case.
 */
int rooms_media_in_page(rooms_str_t mime);

/*
 * Content-Disposition (RFC 6266) of a valid name: once in ASCII, and exactly
 * (RFC 8187) where that isn't the same; "inline" or an attachment.
 */
#define ROOMS_MEDIA_DISPOSITION(len)  (sizeof("attachment; filename=\"\"; "   \
                                              "filename*=UTF-8''")            \
                                       + 4 * (len))
size_t rooms_media_disposition(rooms_str_t name, int in_page,
    unsigned char *dst);

/*
 * A valid tenant id as the name of a folder, which is neither "." nor ".."
 * nor one of our own; dst has ROOMS_MEDIA_DIR_MAX bytes.
 */
size_t rooms_media_dir(rooms_str_t tenant, unsigned char *dst);


/*
 * The media that an event's content refers to: its "media_id" and
 * "thumbnail_id", and those of each of its "attachments".  Content is a valid
 * JSON object as the store has it; what is no id, or is written with escapes,
 * is no reference.
 */
typedef struct {
    rooms_str_t  medium;              /* of what was looked at last, until */
    rooms_str_t  thumbnail;           /* it is told */
    rooms_str_t  attachments;         /* those left, with a bracket or comma */
} rooms_media_refs_t;

void rooms_media_refs_init(rooms_media_refs_t *refs, rooms_str_t content);
/* The next one, in the content's order; NULL: no more. */
rooms_str_t rooms_media_refs_next(rooms_media_refs_t *refs);

#endif /* ROOMS_MEDIA_H */
