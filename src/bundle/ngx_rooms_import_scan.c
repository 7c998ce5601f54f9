/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * In the thread: the bundle is looked at, and nothing is written.  An import
 * in earnest ends with the first fault; a dry run goes on as far as there is
 * sense in it.
 */

#include "ngx_rooms_import.h"


static ngx_int_t ngx_rooms_import_scan_end(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_element(ngx_rooms_import_t *im,
    rooms_manifest_item_e kind);
static ngx_int_t ngx_rooms_import_verify_next(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_verify_end(ngx_rooms_import_t *im);
static void ngx_rooms_import_check_names(ngx_rooms_import_t *im);


ngx_int_t
ngx_rooms_import_open(ngx_rooms_import_t *im)
{
    ngx_rooms_span_t  *span;

    if (rooms_import_init(&im->tables, &im->faults) != 0) {
        im->tables_open = 1;
        return ngx_rooms_import_system(im, "malloc()", NGX_ENOMEM);
    }

    im->tables_open = 1;
    im->tables.now = im->now;
    im->tables.sender = im->importer;
    im->tables.media_max = im->limits.entries;
    im->zip_open = 1;
    im->manifest_open = 1;

    rooms_check_init(&im->check, &im->faults);
    rooms_manifest_init(&im->manifest, im->limits.entries);

    /* NGINX was told to put all of the body into one file */

    span = im->body.spans.elts;

    if (im->body.spans.nelts != 1 || im->body.fd == NGX_INVALID_FILE) {
        return ngx_rooms_import_system(im, "the body's file", 0);
    }

    if (rooms_zip_reader_open(&im->zip, im->body.fd,
                              span->at + im->form.file_offset,
                              im->form.file_len, &im->limits,
                              im->dry ? rooms_faults_zip : NULL, &im->faults)
        != ROOMS_ZIP_OK)
    {
        if (im->dry && im->faults.total
            && im->zip.code == ROOMS_ZIP_INVALID)
        {
            /* each was told */
            return ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_INVALID);
        }

        return ngx_rooms_import_zip_fault(im) == NGX_OK
               ? ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_INVALID)
               : NGX_ERROR;
    }

    im->state = NGX_ROOMS_IMPORT_SCAN;
    im->entry = rooms_zip_manifest(&im->zip, &im->folder);

    if (im->entry < 0) {
        rooms_faults_add(&im->faults, "manifest.json", "%s",
                         im->entry == -1 ? "is not in the archive"
                                         : "is in two folders");
        im->state = NGX_ROOMS_IMPORT_VERIFY;
        return ngx_rooms_import_faulty(im) == NGX_OK ? NGX_AGAIN : NGX_ERROR;
    }

    return NGX_AGAIN;
}


ngx_int_t
ngx_rooms_import_fill(ngx_rooms_import_t *im)
{
    ssize_t  n;

    n = rooms_zip_entry_read(&im->zip, im->window, NGX_ROOMS_IMPORT_WINDOW);

    im->pos = im->window;
    im->last = im->window + (n > 0 ? n : 0);

    return n > 0 ? NGX_OK : n == 0 ? NGX_DONE : NGX_DECLINED;
}


/* manifest.json */


ngx_int_t
ngx_rooms_import_scan(ngx_rooms_import_t *im)
{
    rooms_manifest_item_e  kind;

    if (!im->entry_open) {
        im->entry_open = 1;

        if (rooms_zip_entry_open(&im->zip, im->entry, 0) != 0) {
            return ngx_rooms_import_scan_end(im);
        }
    }

    switch (ngx_rooms_import_fill(im)) {

    case NGX_OK:
        break;

    case NGX_DONE:

        if (rooms_manifest_finish(&im->manifest) != 0) {
            rooms_faults_add(&im->faults, "manifest.json", "%s",
                             im->manifest.err);
        }

        return ngx_rooms_import_scan_end(im);

    default:
        return ngx_rooms_import_scan_end(im);
    }

    for ( ;; ) {
        kind = rooms_manifest_next(&im->manifest,
                                   (const u_char **) &im->pos, im->last);

        if (kind == ROOMS_MANIFEST_AGAIN) {
            return NGX_AGAIN;
        }

        if (kind == ROOMS_MANIFEST_ERROR) {
            rooms_faults_add(&im->faults, "manifest.json", "%s",
                             im->manifest.err);
            im->unreadable = 1;
            return ngx_rooms_import_scan_end(im);
        }

        if (ngx_rooms_import_element(im, kind) != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
ngx_rooms_import_scan_end(ngx_rooms_import_t *im)
{
    im->entry_open = 0;
    im->state = NGX_ROOMS_IMPORT_VERIFY;

    if (im->zip.code != ROOMS_ZIP_OK) {
        im->unreadable = 1;

        if (ngx_rooms_import_zip_fault(im) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_rooms_import_faulty(im) != NGX_OK) {
        return NGX_ERROR;
    }

    if (im->unreadable) {
        /* what it says of media isn't known */
        return NGX_AGAIN;
    }

    switch (rooms_check_finish(&im->check,
                               rooms_manifest_seen(&im->manifest, "events")))
    {

    case ROOMS_CHECK_REFUSED:
        rooms_faults_add(&im->faults, "room", "%s rooms can't be imported",
                         im->check.refused);

        if (!im->dry) {
            return ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_REFUSED);
        }

        break;

    default:
        break;
    }

    ngx_rooms_import_check_names(im);

    return ngx_rooms_import_faulty(im) == NGX_OK ? NGX_AGAIN : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_import_element(ngx_rooms_import_t *im, rooms_manifest_item_e kind)
{
    int                rc;
    json_t            *o;
    rooms_manifest_t  *m;

    m = &im->manifest;
    rc = 0;
    o = NULL;

    switch (kind) {

    case ROOMS_MANIFEST_EVENT:
        o = rooms_check_event(&im->check, m->slice);

        if (o) {
            rc = rooms_import_event(&im->tables, m->slice, o, m->index - 1);
        }

        /* tables of events that are too many would grow without bound */

        im->tables.stored = im->tables.events * ROOMS_IMPORT_EVENT_MIN;

        if (ngx_rooms_import_bounded(im) != NGX_OK) {
            json_decref(o);
            return NGX_ERROR;
        }

        break;

    case ROOMS_MANIFEST_PARTICIPANT:
        o = rooms_check_participant(&im->check, m->key, m->slice);

        if (o) {
            rc = rooms_import_participant(&im->tables, m->key, o);
        }

        break;

    case ROOMS_MANIFEST_MEDIUM:
        o = rooms_check_medium(&im->check, m->key, m->slice);

        if (o) {
            rc = rooms_import_medium(&im->tables, m->key, o, m->index - 1);
        }

        break;

    case ROOMS_MANIFEST_MISSING:
        rc = rooms_import_missing(&im->tables, m->slice);
        break;

    default:
        (void) rooms_check_member(&im->check, m->key, m->slice);
        break;
    }

    json_decref(o);

    return rc == 0 ? ngx_rooms_import_faulty(im)
                   : ngx_rooms_import_table_failed(im);
}


/* The room's name and topic become those of the new one. */
static void
ngx_rooms_import_check_names(ngx_rooms_import_t *im)
{
    u_char        name[ROOMS_NAME_SIZE];
    json_t       *v;
    const char   *problem;
    rooms_str_t   text;

    v = json_object_get(im->check.room, "name");

    if (json_is_string(v) && im->form.fields[ROOMS_FORM_NAME].len == 0) {
        text.len = json_string_length(v);
        text.data = (u_char *) json_string_value(v);
        problem = rooms_name_make(&text, name);

        if (problem) {
            rooms_faults_add(&im->faults, "room.name", "%s", problem);
        }
    }

    v = json_object_get(im->check.room, "topic");

    if (json_is_string(v)) {
        text.len = json_string_length(v);
        text.data = (u_char *) json_string_value(v);
        problem = rooms_topic_check(&text);

        if (problem) {
            rooms_faults_add(&im->faults, "room.topic", "%s", problem);
        }
    }
}


/* Media: every entry's bytes are read, so that CRC and sha256 are known. */


ngx_int_t
ngx_rooms_import_verify(ngx_rooms_import_t *im)
{
    if (!im->entry_open) {
        return ngx_rooms_import_verify_next(im);
    }

    switch (ngx_rooms_import_fill(im)) {

    case NGX_OK:
        return NGX_AGAIN;

    case NGX_DONE:
        return ngx_rooms_import_verify_end(im);

    default:
        im->entry_open = 0;
        im->item++;

        return ngx_rooms_import_zip_fault(im) == NGX_OK ? NGX_AGAIN
                                                        : NGX_ERROR;
    }
}


/* Directories and what a re-packer added are nothing to us. */
static ngx_int_t
ngx_rooms_import_verify_next(ngx_rooms_import_t *im)
{
    rooms_str_t  name, sha;

    for ( /* void */ ; im->item < im->zip.nitems; im->item++) {
        name = rooms_zip_item_name(&im->zip, im->item);

        if (!im->zip.items[im->item].is_dir
            && rooms_bundle_kind(name, im->folder, &sha)
               == ROOMS_BUNDLE_MEDIUM)
        {
            break;
        }
    }

    if (im->item == im->zip.nitems) {
        im->state = NGX_ROOMS_IMPORT_JUDGE;
        return NGX_AGAIN;
    }

    if (rooms_zip_entry_open(&im->zip, im->item, ROOMS_ZIP_SHA256) != 0) {
        im->item++;

        return ngx_rooms_import_zip_fault(im) == NGX_OK ? NGX_AGAIN
                                                        : NGX_ERROR;
    }

    im->entry_open = 1;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_rooms_import_verify_end(ngx_rooms_import_t *im)
{
    u_char                  hex[64];
    rooms_str_t             name, sha;
    rooms_zip_item_t       *item;
    rooms_import_medium_t  *m;

    item = &im->zip.items[im->item];
    name = rooms_zip_item_name(&im->zip, im->item++);

    im->entry_open = 0;

    (void) rooms_bundle_kind(name, im->folder, &sha);
    ngx_hex_dump(hex, (u_char *) rooms_zip_entry_sha256(&im->zip), 32);

    if (ngx_memcmp(hex, sha.data, sizeof(hex)) != 0) {
        rooms_faults_add(&im->faults, "file", "entry \"%.*s\" at offset %llu: "
                         "the sha256 of its content is %.16s...",
                         name.len < 90 ? (int) name.len : 90, name.data,
                         (unsigned long long) item->offset, hex);

        return ngx_rooms_import_faulty(im) == NGX_OK ? NGX_AGAIN : NGX_ERROR;
    }

    m = rooms_import_content(&im->tables, sha);

    if (m == NULL) {
        return NGX_AGAIN;
    }

    if (m->size != item->usize) {
        rooms_faults_add(&im->faults, "file", "entry \"%.*s\" at offset %llu: "
                         "it has %llu bytes, and the manifest says %llu",
                         name.len < 90 ? (int) name.len : 90, name.data,
                         (unsigned long long) item->offset,
                         (unsigned long long) item->usize,
                         (unsigned long long) m->size);
    }

    m->found = 1;
    m->crc = item->crc;

    return ngx_rooms_import_faulty(im) == NGX_OK ? NGX_AGAIN : NGX_ERROR;
}


ngx_int_t
ngx_rooms_import_judge(ngx_rooms_import_t *im)
{
    if (!im->unreadable && im->entry >= 0) {
        rooms_import_finish(&im->tables);
    }

    if (im->faults.total) {
        return ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_INVALID);
    }

    rooms_manifest_cleanup(&im->manifest);
    im->manifest_open = 0;
    im->state = NGX_ROOMS_IMPORT_MEASURE;

    return NGX_AGAIN;
}
