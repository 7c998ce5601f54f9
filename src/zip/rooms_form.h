/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The form of `POST /v1/rooms/import` and of `POST /v1/media/upload`: one
 * part `file`, told by its place in the body, and small fields.  Unknown
 * fields are ignored; a field that comes twice, a second file, or none, is
 * an error.  Nothing is allocated; the form is 12 KiB.
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
    rooms_str_t          type;        /* the client's word, or ROOMS_NULL */

    rooms_str_t          fields[ROOMS_FORM_FIELDS];   /* UTF-8, or NULL */

    const char          *err;         /* points into the form */

    /* the rest is private */

    int                  field;       /* under way; -1: none of ours */
    unsigned             in_file;
    u_char               filename_buf[ROOMS_FILE_NAME_MAX];
    u_char               type_buf[ROOMS_MULTIPART_TYPE_MAX];
    u_char               values[ROOMS_FORM_FIELDS][ROOMS_FORM_VALUE_MAX];
    rooms_multipart_t    mp;
} rooms_form_t;


/* Each returns 0, or -1: see err. */

int rooms_form_init(rooms_form_t *f, rooms_str_t content_type);

/*
 * The next chunk of the body.  `sink`, if not NULL, gets the bytes of the
 * file as they pass (an upload on its way to disk); it returns 0, or -1 to
 * stop.
 */
int rooms_form_feed(rooms_form_t *f, const u_char *p, size_t len,
    int (*sink)(void *ctx, const u_char *data, size_t len), void *ctx);
int rooms_form_finish(rooms_form_t *f);

#endif /* ROOMS_FORM_H */
