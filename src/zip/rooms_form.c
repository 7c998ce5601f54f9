/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_form.h"


static int rooms_form_fail_at(rooms_form_t *f, const char *where,
    const char *err);
static int rooms_form_part(rooms_form_t *f);
static int rooms_form_data(rooms_form_t *f);
static int rooms_form_part_end(rooms_form_t *f);


static const char *rooms_form_names[] = { "workspace_id", "name", "dry_run" };


static int
rooms_form_fail(rooms_form_t *f, const char *err)
{
    return rooms_form_fail_at(f, "body", err);
}


static int
rooms_form_fail_at(rooms_form_t *f, const char *where, const char *err)
{
    f->where = where;
    f->err = err;

    return -1;
}


int
rooms_form_init(rooms_form_t *f, rooms_str_t content_type, int known)
{
    memset(f, 0, offsetof(rooms_form_t, filename_buf));

    f->known = known;
    f->field = -1;

    return rooms_multipart_init(&f->mp, content_type) == 0
           ? 0 : rooms_form_fail(f, f->mp.err);
}


int
rooms_form_feed(rooms_form_t *f, const u_char *p, size_t len,
    int (*sink)(void *ctx, const u_char *data, size_t len), void *ctx)
{
    int            rc;
    const u_char  *end;

    if (f->err) {
        return -1;
    }

    end = p + len;

    for ( ;; ) {
        rc = 0;

        switch (rooms_multipart_next(&f->mp, &p, end)) {

        case ROOMS_MULTIPART_AGAIN:
            return 0;

        case ROOMS_MULTIPART_ERROR:
            return rooms_form_fail(f, f->mp.err);

        case ROOMS_MULTIPART_PART:
            rc = rooms_form_part(f);
            break;

        case ROOMS_MULTIPART_DATA:
            rc = (f->in_file && sink)
                 ? sink(ctx, f->mp.data.data, f->mp.data.len)
                 : rooms_form_data(f);
            break;

        case ROOMS_MULTIPART_PART_END:
            rc = rooms_form_part_end(f);
            break;

        case ROOMS_MULTIPART_END:
            break;
        }

        if (rc != 0) {
            return f->err ? -1 : rooms_form_fail(f, "the file can't be kept");
        }
    }
}


static int
rooms_form_part(rooms_form_t *f)
{
    int  i;

    f->field = -1;
    f->in_file = rooms_str_eq(f->mp.name, rooms_cstr("file"));

    if (f->in_file) {
        if (f->files++) {
            return rooms_form_fail_at(f, "file",
                                      "there are two parts \"file\"");
        }

        f->file_offset = f->mp.offset;

        if (f->mp.filename.data) {
            memcpy(f->filename_buf, f->mp.filename.data, f->mp.filename.len);
            f->filename.data = f->filename_buf;
            f->filename.len = f->mp.filename.len;
        }

        if (f->mp.type.data) {
            memcpy(f->type_buf, f->mp.type.data, f->mp.type.len);
            f->type.data = f->type_buf;
            f->type.len = f->mp.type.len;
        }

        return 0;
    }

    for (i = 0; i < f->known; i++) {

        if (!rooms_str_eq(f->mp.name, rooms_cstr(rooms_form_names[i]))) {
            continue;
        }

        if (f->fields[i].data) {
            return rooms_form_fail_at(f, rooms_form_names[i],
                                      "the field occurs twice");
        }

        f->field = i;
        f->fields[i].data = f->values[i];
        f->fields[i].len = 0;
    }

    return 0;
}


static int
rooms_form_data(rooms_form_t *f)
{
    rooms_str_t  *v;

    if (f->field == -1) {
        return 0;
    }

    v = &f->fields[f->field];

    if (f->mp.data.len > ROOMS_FORM_VALUE_MAX - v->len) {
        return rooms_form_fail_at(f, rooms_form_names[f->field],
                                  "the field is longer than 1 KiB");
    }

    memcpy(f->values[f->field] + v->len, f->mp.data.data, f->mp.data.len);
    v->len += f->mp.data.len;

    return 0;
}


static int
rooms_form_part_end(rooms_form_t *f)
{
    rooms_str_t  *v;

    if (f->in_file) {
        f->file_len = f->mp.length;

        return f->file_len || f->filename.data
               ? 0 : rooms_form_fail_at(f, "file", "no file was chosen for "
                                                   "the part \"file\"");
    }

    if (f->field == -1) {
        return 0;
    }

    v = &f->fields[f->field];

    if (rooms_utf8_prefix(v->data, v->len) != v->len
        || memchr(v->data, '\0', v->len))
    {
        return rooms_form_fail_at(f, rooms_form_names[f->field],
                                  "the field is not UTF-8 text");
    }

    return 0;
}


int
rooms_form_finish(rooms_form_t *f)
{
    if (f->err) {
        return -1;
    }

    if (rooms_multipart_finish(&f->mp) != 0) {
        return rooms_form_fail(f, f->mp.err);
    }

    return f->files ? 0 : rooms_form_fail_at(f, "file",
                                             "there is no part \"file\"");
}
