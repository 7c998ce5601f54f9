/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The form of `POST /v1/rooms/import` and `POST /v1/media/upload`: one part
 * `file`, reported by its place in the body, and an import's small fields.
 * Unknown fields are ignored.  A doubled field is an error, and so are a
 * second file or a missing one.  Nothing is allocated; the structure takes
 * 12 KiB.
 */

#ifndef ROOMS_FORM_H
#define ROOMS_FORM_H

#include "rooms_multipart.h"


#define ROOMS_FORM_VALUE_MAX   1024    /* bytes of a field */


typedef enum {
    ROOMS_FORM_WORKSPACE = 0,         /* workspace_id */
    ROOMS_FORM_NAME,                  /* name */
    ROOMS_FORM_DRY_RUN,               /* dry_run */
    ROOMS_FORM_FIELDS
} rooms_form_field_e;


typedef struct {
    uint64_t             file_offset; /* in the body */
    uint64_t             file_len;
    unsigned             files;
    rooms_str_t          filename;    /* cleaned, or ROOMS_NULL */
    rooms_str_t          type;        /* as the client sent it, or ROOMS_NULL */

    rooms_str_t          fields[ROOMS_FORM_FIELDS];   /* UTF-8, or NULL */

    const char          *err;         /* points into the form */
    const char          *where;       /* "file", a field, or "body" */

    /* the rest is private */

    int                  known;       /* the number of fields that count */
    int                  field;       /* the current one; -1: not one of ours */
    unsigned             in_file;
    u_char               filename_buf[ROOMS_FILE_NAME_MAX];
    u_char               type_buf[ROOMS_MULTIPART_TYPE_MAX];
    u_char               values[ROOMS_FORM_FIELDS][ROOMS_FORM_VALUE_MAX];
    rooms_multipart_t    mp;
} rooms_form_t;


/* Each returns 0, or -1: see err. */

/* `known`: ROOMS_FORM_FIELDS, or 0 if the file is all that counts. */
int rooms_form_init(rooms_form_t *f, rooms_str_t content_type, int known);

/*
 * Parses the next chunk of the body. `sink`, if not NULL, gets the file's
 * bytes as they come (an upload on its way to the disk).  It returns 0, or -1
 * to stop.
 */
int rooms_form_feed(rooms_form_t *f, const u_char *p, size_t len,
    int (*sink)(void *ctx, const u_char *data, size_t len), void *ctx);
int rooms_form_finish(rooms_form_t *f);

#endif /* ROOMS_FORM_H */
