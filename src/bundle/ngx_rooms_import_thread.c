/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The thread's part.  A step handles one window of 64 KiB.  First the form,
 * and why an import fails.
 */

#include "ngx_rooms_import.h"
#include "ngx_rooms_media.h"


/* The longest position: rooms_event_position() is below 2^44. */
#define NGX_ROOMS_IMPORT_POSITION  INT64_C(10000000000000)
#define NGX_ROOMS_IMPORT_DIGITS    14

#define NGX_ROOMS_IMPORT_BUF                                                  \
    (NGX_ROOMS_IMPORT_PARCEL + ROOMS_IMPORT_JSON(ROOMS_MANIFEST_EVENT_MAX))


static ngx_int_t ngx_rooms_import_form(ngx_rooms_import_t *im);
static int ngx_rooms_import_hash(void *ctx, const u_char *data, size_t len);
static ngx_int_t ngx_rooms_import_scan_end(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_element(ngx_rooms_import_t *im,
    rooms_manifest_item_e kind);
static ngx_int_t ngx_rooms_import_verify_next(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_verify_end(ngx_rooms_import_t *im);
static void ngx_rooms_import_check_names(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_reread(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_measured(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_extract_next(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_extract_end(ngx_rooms_import_t *im);
static void ngx_rooms_import_parcel(ngx_rooms_import_t *im,
    ngx_rooms_parcel_e kind);
static void ngx_rooms_import_row(ngx_rooms_import_t *im,
    const rooms_import_medium_t *medium);
static ngx_int_t ngx_rooms_import_system(ngx_rooms_import_t *im,
    const char *what, ngx_err_t err);
static ngx_int_t ngx_rooms_import_fail(ngx_rooms_import_t *im,
    ngx_rooms_import_failure_e failure);
static ngx_int_t ngx_rooms_import_table_failed(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_zip_fault(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_bounded(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_faulty(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_open(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_fill(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_scan(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_verify(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_judge(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_measure(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_extract(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_rewrite(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_copies(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_authors(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_counts(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_media(ngx_rooms_import_t *im);


/* Runs one step of the state machine. */
ngx_int_t
ngx_rooms_import_step(ngx_rooms_work_t *w)
{
    ngx_rooms_import_t  *im;

    im = w->data;

    if (ngx_rooms_work_abandoned(w)) {
        ngx_rooms_import_close(im);
        return NGX_ERROR;
    }

    switch (im->state) {

    case NGX_ROOMS_IMPORT_FORM:
        return ngx_rooms_import_form(im);

    case NGX_ROOMS_IMPORT_OPEN:
        return ngx_rooms_import_open(im);

    case NGX_ROOMS_IMPORT_SCAN:
        return ngx_rooms_import_scan(im);

    case NGX_ROOMS_IMPORT_VERIFY:
        return ngx_rooms_import_verify(im);

    case NGX_ROOMS_IMPORT_JUDGE:
        return ngx_rooms_import_judge(im);

    case NGX_ROOMS_IMPORT_MEASURE:
        return ngx_rooms_import_measure(im);

    case NGX_ROOMS_IMPORT_EXTRACT:
        return ngx_rooms_import_extract(im);

    case NGX_ROOMS_IMPORT_REWRITE:
        return ngx_rooms_import_rewrite(im);

    case NGX_ROOMS_IMPORT_COPIES:
        return ngx_rooms_import_copies(im);

    case NGX_ROOMS_IMPORT_AUTHORS:
        return ngx_rooms_import_authors(im);

    case NGX_ROOMS_IMPORT_TALLY:
    case NGX_ROOMS_IMPORT_COUNTS:
        return ngx_rooms_import_counts(im);

    case NGX_ROOMS_IMPORT_MEDIA:
        return ngx_rooms_import_media(im);

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_rooms_import_system(ngx_rooms_import_t *im, const char *what,
    ngx_err_t err)
{
    im->failure = NGX_ROOMS_IMPORT_SYSTEM;
    im->what = what;
    im->err = err;

    return NGX_ERROR;
}


/* Sets the failure; returns NGX_ERROR. */
static ngx_int_t
ngx_rooms_import_fail(ngx_rooms_import_t *im,
    ngx_rooms_import_failure_e failure)
{
    im->failure = failure;

    return NGX_ERROR;
}


/* Sets the failure after one of the tables' functions has failed. */
static ngx_int_t
ngx_rooms_import_table_failed(ngx_rooms_import_t *im)
{
    if (ngx_strcmp(im->tables.failed, "no memory") == 0) {
        return ngx_rooms_import_system(im, "malloc()", NGX_ENOMEM);
    }

    rooms_faults_add(&im->faults, "manifest.json", "%s", im->tables.failed);

    return ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_INVALID);
}


/* Handles a fault of the archive.  NGX_OK: a dry run goes on. */
static ngx_int_t
ngx_rooms_import_zip_fault(ngx_rooms_import_t *im)
{
    switch (im->zip.code) {

    case ROOMS_ZIP_INVALID:
        rooms_faults_add(&im->faults, "file", "%s", im->zip.err);

        return im->dry ? NGX_OK
                       : ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_INVALID);

    case ROOMS_ZIP_TOO_LARGE:
        rooms_faults_add(&im->faults, "file", "%s; see rooms_import_limits",
                         im->zip.err);

        return ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_TOO_LARGE);

    case ROOMS_ZIP_NOMEM:
        return ngx_rooms_import_system(im, "malloc()", NGX_ENOMEM);

    default:
        return ngx_rooms_import_system(im, "pread()", ngx_errno);
    }
}


/* Checks the limit of bytes for the store: NGX_OK or NGX_ERROR. */
static ngx_int_t
ngx_rooms_import_bounded(ngx_rooms_import_t *im)
{
    if (im->tables.stored <= im->limits.stored) {
        return NGX_OK;
    }

    rooms_faults_add(&im->faults, "file", "the import would write more into "
                     "the store than the %llu bytes that rooms_import_limits "
                     "allows",
                     (unsigned long long) im->limits.stored);

    return ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_TOO_LARGE);
}


/* After faults a dry run goes on (NGX_OK), and an import ends (NGX_ERROR). */
static ngx_int_t
ngx_rooms_import_faulty(ngx_rooms_import_t *im)
{
    if (im->faults.total == 0 || im->dry) {
        return NGX_OK;
    }

    return ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_INVALID);
}


/* The form */


static ngx_int_t
ngx_rooms_import_form(ngx_rooms_import_t *im)
{
    u_char   digest[32];
    ssize_t  n;

    if (im->md == NULL) {
        im->md = EVP_MD_CTX_new();

        if (im->md == NULL
            || EVP_DigestInit_ex(im->md, EVP_sha256(), NULL) != 1)
        {
            return ngx_rooms_import_system(im, "EVP_DigestInit_ex()",
                                           NGX_ENOMEM);
        }
    }

    n = ngx_rooms_spool_read(&im->body, im->window, NGX_ROOMS_IMPORT_WINDOW,
                             im->at);

    if (n == NGX_ERROR) {
        return ngx_rooms_import_system(im, "pread()", ngx_errno);
    }

    if (n) {
        im->at += n;

        return rooms_form_feed(&im->form, im->window, n,
                               ngx_rooms_import_hash, im) == 0
               ? NGX_AGAIN
               : ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_FORM_FAULT);
    }

    if (rooms_form_finish(&im->form) != 0) {
        return ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_FORM_FAULT);
    }

    if (EVP_DigestFinal_ex(im->md, digest, NULL) != 1) {
        return ngx_rooms_import_system(im, "EVP_DigestFinal_ex()",
                                       NGX_ENOMEM);
    }

    ngx_hex_dump(im->sha256, digest, sizeof(digest));

    im->state = NGX_ROOMS_IMPORT_OPEN;

    return NGX_OK;
}


static int
ngx_rooms_import_hash(void *ctx, const u_char *data, size_t len)
{
    ngx_rooms_import_t  *im = ctx;

    return EVP_DigestUpdate(im->md, data, len) == 1 ? 0 : -1;
}


/*
 * Checks the bundle without writing anything.  An import ends at the first
 * fault; a dry run goes on as far as that makes sense.
 */


static ngx_int_t
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

    /* NGINX was told to put the whole body into one file */

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
            /* each was reported */
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


/*
 * Reads the next bytes of the open entry into pos and last.  NGX_DONE: there
 * are no more; NGX_DECLINED: see im->zip.
 */
static ngx_int_t
ngx_rooms_import_fill(ngx_rooms_import_t *im)
{
    ssize_t  n;

    n = rooms_zip_entry_read(&im->zip, im->window, NGX_ROOMS_IMPORT_WINDOW);

    im->pos = im->window;
    im->last = im->window + (n > 0 ? n : 0);

    return n > 0 ? NGX_OK : n == 0 ? NGX_DONE : NGX_DECLINED;
}


/* manifest.json */


static ngx_int_t
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
        /* what it says about media isn't known */
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
    int                   rc;
    json_t               *o;
    rooms_manifest_t     *m;
    rooms_check_event_t   e;

    m = &im->manifest;
    rc = 0;
    o = NULL;

    switch (kind) {

    case ROOMS_MANIFEST_EVENT:

        if (rooms_check_event(&im->check, m->slice, &e) == 0) {
            rc = rooms_import_event(&im->tables, m->slice, &e, m->index - 1);
        }

        /* bounds the tables, which grow with each event */

        im->tables.stored = im->tables.events * ROOMS_IMPORT_EVENT_MIN;

        if (ngx_rooms_import_bounded(im) != NGX_OK) {
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


/* Checks the room's name and topic, which the new room will get. */
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


/* Media: reads every entry completely, to check its CRC and sha256. */


static ngx_int_t
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


/* Skips directories, and files that somebody added when repacking. */
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


static ngx_int_t
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


/*
 * Reads the bundle, which was found good, a second time.  First converts
 * events without storing them, and counts their bytes.  Then puts contents
 * into the media path, and makes parcels of events, which the event loop
 * writes to the store.
 */


/*
 * It was good a moment ago, and nobody else can write the file: an error of
 * the disk.
 */
static ngx_int_t
ngx_rooms_import_changed(ngx_rooms_import_t *im)
{
    if (im->zip.code == ROOMS_ZIP_IO) {
        return ngx_rooms_import_system(im, "pread()", ngx_errno);
    }

    return ngx_rooms_import_system(im, "reading the bundle again", 0);
}


static ngx_int_t
ngx_rooms_import_blob_failed(ngx_rooms_import_t *im)
{
    return ngx_rooms_import_system(im, im->blob.failed, im->blob.err);
}


/*
 * The next event of the manifest.  NGX_OK: here it is; NGX_AGAIN: a window
 * was read; NGX_DONE: there are no more.
 */
static ngx_int_t
ngx_rooms_import_reread(ngx_rooms_import_t *im)
{
    rooms_manifest_item_e  kind;

    if (!im->manifest_open) {
        rooms_manifest_init(&im->manifest, im->limits.entries);
        im->manifest_open = 1;
        im->pos = im->last;

        if (rooms_zip_entry_open(&im->zip, im->entry, 0) != 0) {
            return ngx_rooms_import_changed(im);
        }
    }

    do {
        kind = rooms_manifest_next(&im->manifest,
                                   (const u_char **) &im->pos, im->last);

        if (kind == ROOMS_MANIFEST_EVENT) {
            return NGX_OK;
        }

        if (kind == ROOMS_MANIFEST_ERROR) {
            return ngx_rooms_import_changed(im);
        }

    } while (kind != ROOMS_MANIFEST_AGAIN);

    switch (ngx_rooms_import_fill(im)) {

    case NGX_OK:
        return NGX_AGAIN;

    case NGX_DONE:
        rooms_manifest_cleanup(&im->manifest);
        im->manifest_open = 0;
        return NGX_DONE;

    default:
        return ngx_rooms_import_changed(im);
    }
}


static ngx_int_t
ngx_rooms_import_measure(ngx_rooms_import_t *im)
{
    int64_t          position;
    ngx_int_t        rc;
    rooms_import_t  *t;

    t = &im->tables;

    if (im->parcel.start == NULL) {
        im->parcel.start = ngx_alloc(NGX_ROOMS_IMPORT_BUF, ngx_cycle->log);

        if (im->parcel.start == NULL) {
            return ngx_rooms_import_system(im, "malloc()", NGX_ENOMEM);
        }

        t->room = ngx_rooms_s("room-00000000000000000000000000");
        t->position = NGX_ROOMS_IMPORT_POSITION;
        t->stored = 0;

        rooms_zip_reader_rewind(&im->zip);
    }

    for ( ;; ) {
        rc = ngx_rooms_import_reread(im);

        if (rc != NGX_OK) {
            break;
        }

        ngx_rooms_import_parcel(im, NGX_ROOMS_PARCEL_EVENTS);

        if (rooms_import_write(t, im->manifest.slice, &im->parcel.b,
                               &position) == -1)
        {
            rooms_import_fault(t, im->manifest.index - 1, t->problem_key,
                               t->problem);

            if (ngx_rooms_import_faulty(im) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        /* an event that isn't imported has written nothing */

        if (im->parcel.b.last != im->parcel.start) {
            t->stored += im->parcel.b.last - im->parcel.start
                         + NGX_ROOMS_IMPORT_DIGITS;
        }
    }

    if (rc == NGX_ERROR || ngx_rooms_import_bounded(im) != NGX_OK) {
        return NGX_ERROR;
    }

    return rc == NGX_DONE ? ngx_rooms_import_measured(im) : rc;
}


/* Counts what else is written: edits, authors, reactions, media. */
static ngx_int_t
ngx_rooms_import_measured(ngx_rooms_import_t *im)
{
    size_t           i;
    rooms_str_t      id, edits, count;
    rooms_import_t  *t;

    t = &im->tables;

    for ( ;; ) {
        ngx_rooms_import_parcel(im, NGX_ROOMS_PARCEL_COPIES);

        if (!rooms_import_edits(t, &im->parcel.b, &id, &edits)) {
            break;
        }

        t->stored += im->parcel.b.last - im->parcel.start;
    }

    t->edits_at = 0;

    for (i = 0; i < t->nauthors; i++) {
        t->stored += rooms_import_author_json(t, i).len
                     + NGX_ROOMS_IMPORT_DIGITS;
    }

    for ( ;; ) {
        ngx_rooms_import_parcel(im, NGX_ROOMS_PARCEL_COUNTS);

        if (!rooms_import_counts(t, &im->parcel.b, &id, &count)) {
            break;
        }

        t->stored += 2 * id.len + count.len;
    }

    t->counts_at = 0;

    for (i = 0; i < t->nmedia; i++) {

        if (rooms_import_kept(t, i)) {
            ngx_rooms_import_parcel(im, NGX_ROOMS_PARCEL_MEDIA);
            ngx_rooms_import_row(im, &t->media[i]);

            /* the row; id and sha256 twice, since the journal has them too */

            t->stored += im->parcel.b.last - im->parcel.start
                         + 2 * (sizeof(t->media[i].id)
                                + sizeof(t->media[i].sha256));
        }
    }

    im->parcel.n = 0;

    if (im->faults.total) {
        return ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_INVALID);
    }

    if (ngx_rooms_import_bounded(im) != NGX_OK) {
        return NGX_ERROR;
    }

    im->item = 0;
    im->state = NGX_ROOMS_IMPORT_EXTRACT;

    rooms_zip_reader_rewind(&im->zip);

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_import_extract(ngx_rooms_import_t *im)
{
    if (!im->entry_open) {
        return ngx_rooms_import_extract_next(im);
    }

    switch (ngx_rooms_import_fill(im)) {

    case NGX_OK:
        return ngx_rooms_blob_append(&im->blob, im->pos, im->last - im->pos)
               == NGX_OK
               ? NGX_AGAIN : ngx_rooms_import_blob_failed(im);

    case NGX_DONE:
        return ngx_rooms_import_extract_end(im);

    default:
        return ngx_rooms_import_changed(im);
    }
}


/* Each content once, and only those that the manifest lists. */
static ngx_int_t
ngx_rooms_import_extract_next(ngx_rooms_import_t *im)
{
    rooms_str_t             sha;
    rooms_import_medium_t  *m;

    for ( /* void */ ; im->item < im->zip.nitems; im->item++) {

        if (im->zip.items[im->item].is_dir
            || rooms_bundle_kind(rooms_zip_item_name(&im->zip, im->item),
                                 im->folder, &sha)
               != ROOMS_BUNDLE_MEDIUM)
        {
            continue;
        }

        m = rooms_import_content(&im->tables, sha);

        if (m && !m->kept) {
            break;
        }
    }

    if (im->item == im->zip.nitems) {
        im->state = NGX_ROOMS_IMPORT_REWRITE;
        return NGX_AGAIN;
    }

    im->blob_open = 1;
    im->entry_open = 1;

    if (rooms_zip_entry_open(&im->zip, im->item, 0) != 0) {
        return ngx_rooms_import_changed(im);
    }

    return ngx_rooms_blob_create(&im->blob, im->root, im->tenant) == NGX_OK
           ? NGX_AGAIN : ngx_rooms_import_blob_failed(im);
}


static ngx_int_t
ngx_rooms_import_extract_end(ngx_rooms_import_t *im)
{
    rooms_str_t             sha;
    rooms_import_medium_t  *m;

    (void) rooms_bundle_kind(rooms_zip_item_name(&im->zip, im->item),
                             im->folder, &sha);

    m = rooms_import_content(&im->tables, sha);

    if (ngx_rooms_blob_seal(&im->blob) != NGX_OK) {
        return ngx_rooms_import_blob_failed(im);
    }

    if (ngx_memcmp(im->blob.sha256, m->sha256, sizeof(m->sha256)) != 0) {
        return ngx_rooms_import_changed(im);
    }

    if (ngx_rooms_blob_keep(&im->blob) != NGX_OK) {
        return ngx_rooms_import_blob_failed(im);
    }

    m->width = im->blob.image.width;
    m->height = im->blob.image.height;

    ngx_rooms_blob_discard(&im->blob);

    m->kept = 1;

    im->blob_open = 0;
    im->entry_open = 0;
    im->item++;

    return NGX_AGAIN;
}


/* Events */


static void
ngx_rooms_import_parcel(ngx_rooms_import_t *im, ngx_rooms_parcel_e kind)
{
    rooms_buf_init(&im->parcel.b, im->parcel.start, NGX_ROOMS_IMPORT_BUF);

    im->parcel.n = 0;
    im->parcel.kind = kind;
}


static ngx_uint_t
ngx_rooms_import_full(ngx_rooms_import_t *im)
{
    return im->parcel.n == (im->parcel.kind == NGX_ROOMS_PARCEL_MEDIA
                            ? NGX_ROOMS_JOURNAL_MAX
                            : NGX_ROOMS_IMPORT_EVENTS)
           || im->parcel.b.last - im->parcel.start
              >= NGX_ROOMS_IMPORT_PARCEL;
}


static ngx_int_t
ngx_rooms_import_put(ngx_rooms_import_t *im)
{
    u_char                     *p;
    rooms_str_t                *s;
    ngx_rooms_import_parcel_t  *parcel;

    parcel = &im->parcel;
    p = parcel->b.last;

    switch (rooms_import_write(&im->tables, im->manifest.slice, &parcel->b,
                               &parcel->positions[parcel->n]))
    {

    case 0:
        s = &parcel->first[parcel->n++];
        s->data = p;
        s->len = parcel->b.last - p;
        im->longest = ngx_max(im->longest, s->len);
        return NGX_OK;

    case 1:
        return NGX_OK;

    default:
        return ngx_rooms_import_changed(im);
    }
}


static ngx_int_t
ngx_rooms_import_rewrite(ngx_rooms_import_t *im)
{
    ngx_int_t  rc;

    if (im->parcel.n == 0) {
        ngx_rooms_import_parcel(im, NGX_ROOMS_PARCEL_EVENTS);
    }

    for ( ;; ) {

        if (ngx_rooms_import_full(im)) {
            return NGX_OK;
        }

        rc = ngx_rooms_import_reread(im);

        if (rc != NGX_OK) {
            break;
        }

        if (ngx_rooms_import_put(im) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (rc == NGX_DONE) {
        im->state = NGX_ROOMS_IMPORT_COPIES;
        rc = im->parcel.n ? NGX_OK : NGX_AGAIN;
    }

    return rc;
}


/* Lists edited messages, each with the events that have its bodies. */
static ngx_int_t
ngx_rooms_import_copies(ngx_rooms_import_t *im)
{
    ngx_rooms_import_parcel_t  *parcel;

    parcel = &im->parcel;

    ngx_rooms_import_parcel(im, NGX_ROOMS_PARCEL_COPIES);

    while (!ngx_rooms_import_full(im)) {

        if (!rooms_import_edits(&im->tables, &parcel->b,
                                &parcel->first[parcel->n],
                                &parcel->second[parcel->n]))
        {
            im->state = NGX_ROOMS_IMPORT_AUTHORS;
            break;
        }

        parcel->n++;
        im->ncopies++;
    }

    return parcel->n ? NGX_OK : NGX_AGAIN;
}


/* Each author once.  The tables keep their texts until the end. */
static ngx_int_t
ngx_rooms_import_authors(ngx_rooms_import_t *im)
{
    rooms_str_t                *number;
    ngx_rooms_import_parcel_t  *parcel;

    parcel = &im->parcel;

    ngx_rooms_import_parcel(im, NGX_ROOMS_PARCEL_AUTHORS);

    while (!ngx_rooms_import_full(im)) {

        if (im->author == im->tables.nauthors) {
            im->state = NGX_ROOMS_IMPORT_TALLY;
            break;
        }

        number = &parcel->first[parcel->n];
        number->data = parcel->b.last;
        rooms_json_int(&parcel->b, im->author);
        number->len = parcel->b.last - number->data;

        parcel->second[parcel->n] =
                        rooms_import_author_json(&im->tables, im->author++);
        parcel->n++;
    }

    return parcel->n ? NGX_OK : NGX_AGAIN;
}


/* Reactions in two passes: first a message's emojis, then their counts. */
static ngx_int_t
ngx_rooms_import_counts(ngx_rooms_import_t *im)
{
    ngx_uint_t                  tally;
    ngx_rooms_import_parcel_t  *parcel;

    parcel = &im->parcel;
    tally = im->state == NGX_ROOMS_IMPORT_TALLY;

    ngx_rooms_import_parcel(im, tally ? NGX_ROOMS_PARCEL_TALLY
                                      : NGX_ROOMS_PARCEL_COUNTS);

    while (!ngx_rooms_import_full(im)) {

        if (!rooms_import_counts(&im->tables, &parcel->b,
                                 &parcel->first[parcel->n],
                                 &parcel->second[parcel->n]))
        {
            im->tables.counts_at = 0;
            im->state = tally ? NGX_ROOMS_IMPORT_COUNTS
                              : NGX_ROOMS_IMPORT_MEDIA;
            break;
        }

        parcel->n++;
    }

    return parcel->n ? NGX_OK : NGX_AGAIN;
}


/* Media */


static ngx_int_t
ngx_rooms_import_media(ngx_rooms_import_t *im)
{
    ngx_rooms_import_parcel(im, NGX_ROOMS_PARCEL_MEDIA);

    for ( /* void */ ; im->medium < im->tables.nmedia; im->medium++) {

        if (ngx_rooms_import_full(im)) {
            return NGX_OK;
        }

        if (rooms_import_kept(&im->tables, im->medium)) {
            ngx_rooms_import_row(im, &im->tables.media[im->medium]);
        }
    }

    im->state = NGX_ROOMS_IMPORT_DONE;

    return NGX_OK;
}


/* The parcel's memory has room for the largest event beyond its bound. */
static void
ngx_rooms_import_row(ngx_rooms_import_t *im,
    const rooms_import_medium_t *medium)
{
    u_char                   *p;
    ngx_rooms_medium_t        m;
    ngx_rooms_journal_row_t  *row;

    m.id = (rooms_str_t) { sizeof(medium->id), medium->id };
    m.sha256 = (rooms_str_t) { sizeof(medium->sha256), medium->sha256 };
    m.size = medium->size;
    m.crc32 = im->tables.media[medium->content].crc;
    m.width = im->tables.media[medium->content].width;
    m.height = im->tables.media[medium->content].height;
    m.mime = rooms_import_string(&im->tables, medium->mime);
    m.name = rooms_import_string(&im->tables, medium->name);
    m.owner = im->tables.sender;
    m.created_at = im->now;

    p = im->parcel.b.last;
    ngx_rooms_media_put(&im->parcel.b, &m);

    row = &im->parcel.rows[im->parcel.n++];
    row->id = m.id;
    row->sha256 = m.sha256;
    row->size = m.size;
    row->json = (rooms_str_t) { im->parcel.b.last - p, p };
}


/*
 * Called when nobody uses it any more; by the thread, if it finds the work
 * abandoned.
 */
void
ngx_rooms_import_close(void *data)
{
    ngx_rooms_import_t  *im = data;

    if (im->blob_open) {
        ngx_rooms_blob_discard(&im->blob);
    }

    if (im->zip_open) {
        rooms_zip_reader_close(&im->zip);
    }

    if (im->manifest_open) {
        rooms_manifest_cleanup(&im->manifest);
    }

    if (im->tables_open) {
        rooms_check_cleanup(&im->check);
        rooms_import_cleanup(&im->tables);
    }

    EVP_MD_CTX_free(im->md);
    ngx_free(im->parcel.start);
    rooms_faults_free(&im->faults);

    im->blob_open = 0;
    im->zip_open = 0;
    im->manifest_open = 0;
    im->tables_open = 0;
    im->md = NULL;
    im->parcel.start = NULL;
}
