/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * In the thread: the bundle, which was found good, once more.  First events
 * are written to nowhere, and their bytes are counted.  Then contents go into
 * the media path, and events become parcels, which the event loop takes to
 * the store.
 */

#include "ngx_rooms_import.h"
#include "ngx_rooms_media.h"


/* The longest that there is: rooms_event_position() is below 2^44. */
#define NGX_ROOMS_IMPORT_POSITION  INT64_C(10000000000000)
#define NGX_ROOMS_IMPORT_DIGITS    14

#define NGX_ROOMS_IMPORT_BUF                                                  \
    (NGX_ROOMS_IMPORT_PARCEL + ROOMS_IMPORT_JSON(ROOMS_MANIFEST_EVENT_MAX))


static ngx_int_t ngx_rooms_import_reread(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_measured(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_extract_next(ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_extract_end(ngx_rooms_import_t *im);
static void ngx_rooms_import_parcel(ngx_rooms_import_t *im,
    ngx_rooms_parcel_e kind);
static void ngx_rooms_import_row(ngx_rooms_import_t *im,
    const rooms_import_medium_t *medium);


/* It was good a moment ago, and nobody else has the file. */
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
 * The next event of the manifest: NGX_OK; NGX_AGAIN: a window was read;
 * NGX_DONE: there is none.
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


ngx_int_t
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

        /* one that doesn't come along has written nothing */

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


/* Besides the events: names of edits, authors, reactions, media. */
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

            /* the row; its id and sha256, twice: in the journal, too */

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


ngx_int_t
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


ngx_int_t
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


/* For each message that was edited: the events that have its bodies. */
ngx_int_t
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


/* Each once; they stand in the tables until the end. */
ngx_int_t
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


/* Reactions, twice: which emojis a message has, and how many of each. */
ngx_int_t
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


ngx_int_t
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


/* The parcel has room for the largest event beyond its bound. */
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
    row->json = (rooms_str_t) { im->parcel.b.last - p, p };
}


/* When nobody uses it any more; in the thread, if that finds it out. */
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
