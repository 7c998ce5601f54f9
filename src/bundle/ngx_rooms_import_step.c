/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * In the thread: its steps, one of which takes a window of 64 KiB; the form;
 * and why an import fails.
 */

#include "ngx_rooms_import.h"


static ngx_int_t ngx_rooms_import_form(ngx_rooms_import_t *im);
static int ngx_rooms_import_hash(void *ctx, const u_char *data, size_t len);


/* Ten seconds at most; then the event loop has a look at its claim. */
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


ngx_int_t
ngx_rooms_import_system(ngx_rooms_import_t *im, const char *what,
    ngx_err_t err)
{
    im->failure = NGX_ROOMS_IMPORT_SYSTEM;
    im->what = what;
    im->err = err;

    return NGX_ERROR;
}


ngx_int_t
ngx_rooms_import_fail(ngx_rooms_import_t *im,
    ngx_rooms_import_failure_e failure)
{
    im->failure = failure;

    return NGX_ERROR;
}


ngx_int_t
ngx_rooms_import_table_failed(ngx_rooms_import_t *im)
{
    if (ngx_strcmp(im->tables.failed, "no memory") == 0) {
        return ngx_rooms_import_system(im, "malloc()", NGX_ENOMEM);
    }

    rooms_faults_add(&im->faults, "manifest.json", "%s", im->tables.failed);

    return ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_INVALID);
}


ngx_int_t
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


ngx_int_t
ngx_rooms_import_bounded(ngx_rooms_import_t *im)
{
    if (im->tables.stored <= im->limits.stored) {
        return NGX_OK;
    }

    rooms_faults_add(&im->faults, "file", "what would be written into the "
                     "store has more than the %llu bytes that "
                     "rooms_import_limits allows",
                     (unsigned long long) im->limits.stored);

    return ngx_rooms_import_fail(im, NGX_ROOMS_IMPORT_TOO_LARGE);
}


/* After a fault: NGX_OK, or NGX_ERROR when one is enough. */
ngx_int_t
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
