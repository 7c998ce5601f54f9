/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_IMPORT_H
#define NGX_ROOMS_IMPORT_H

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_blob.h"
#include "ngx_rooms_journal.h"
#include "ngx_rooms_spool.h"
#include "rooms_form.h"
#include "rooms_import.h"
#include "rooms_manifest.h"
#include "rooms_manifest_check.h"
#include "rooms_zip_reader.h"


/*
 * POST /v1/rooms/import.  A thread reads the bundle where it is, in the
 * temporary file of the body.  The event loop talks to the store:
 *
 *     thread                            event loop
 *     ------                            ----------
 *     the form, a hash of the file      claims the Idempotency-Key
 *     the archive's directory,
 *     manifest.json, every medium,
 *     what would be written             refuses; or checks workspace, name
 *                                       and number of rooms; reserves
 *                                       positions
 *     media into the media path
 *     events, a parcel at a time        writes the previous parcel
 *     edits, reactions, media: likewise
 *                                       the commit
 *
 * Nothing is written before everything was found good.  That includes
 * converting the events once without storing them.  So a dry run and an
 * import, which are the same up to here, can't give different answers, and
 * the bytes for the store are counted.
 *
 * Then these are written: the new room's own keys, which expire, and which
 * nobody can reach while there is no room; contents that no medium refers to,
 * which the sweep removes; and media whose ids nobody knows, with a journal
 * to remove them again (ngx_rooms_journal.h).  The commit creates the room,
 * makes its keys permanent, and removes the journal.
 */

#define NGX_ROOMS_IMPORT_WINDOW   (64 * 1024)
#define NGX_ROOMS_IMPORT_PARCEL   (512 * 1024)
#define NGX_ROOMS_IMPORT_EVENTS   400     /* of one parcel */
#define NGX_ROOMS_IMPORT_TTL      "600"   /* s, life of keys without a room */


/* What the thread does, in this order. */
typedef enum {
    NGX_ROOMS_IMPORT_FORM = 0,
    NGX_ROOMS_IMPORT_OPEN,
    NGX_ROOMS_IMPORT_SCAN,             /* manifest.json */
    NGX_ROOMS_IMPORT_VERIFY,           /* everything in media/ */
    NGX_ROOMS_IMPORT_JUDGE,
    NGX_ROOMS_IMPORT_MEASURE,          /* counts what would be written */

    NGX_ROOMS_IMPORT_EXTRACT,
    NGX_ROOMS_IMPORT_REWRITE,          /* manifest.json again */
    NGX_ROOMS_IMPORT_COPIES,
    NGX_ROOMS_IMPORT_AUTHORS,
    NGX_ROOMS_IMPORT_TALLY,
    NGX_ROOMS_IMPORT_COUNTS,
    NGX_ROOMS_IMPORT_MEDIA,
    NGX_ROOMS_IMPORT_DONE
} ngx_rooms_import_state_e;


/* Why it failed. */
typedef enum {
    NGX_ROOMS_IMPORT_OK = 0,
    NGX_ROOMS_IMPORT_FORM_FAULT,       /* the form is invalid */
    NGX_ROOMS_IMPORT_INVALID,          /* the bundle is invalid: see faults */
    NGX_ROOMS_IMPORT_TOO_LARGE,        /* likewise */
    NGX_ROOMS_IMPORT_REFUSED,          /* likewise */
    NGX_ROOMS_IMPORT_SYSTEM            /* see `what` and `err` */
} ngx_rooms_import_failure_e;


typedef enum {
    NGX_ROOMS_PARCEL_EVENTS = 0,       /* first: row; positions */
    NGX_ROOMS_PARCEL_COPIES,           /* first: id of a message; second: ids
                                          of its edits */
    NGX_ROOMS_PARCEL_AUTHORS,          /* first: number; second: JSON */
    NGX_ROOMS_PARCEL_TALLY,            /* first: "event emoji" */
    NGX_ROOMS_PARCEL_COUNTS,           /* first: the same; second: minus the
                                          count */
    NGX_ROOMS_PARCEL_MEDIA             /* rows */
} ngx_rooms_parcel_e;


/* What goes to the store in one round. */
typedef struct {
    ngx_rooms_parcel_e          kind;
    u_char                     *start;
    rooms_buf_t                 b;
    ngx_uint_t                  n;
    rooms_str_t                 first[NGX_ROOMS_IMPORT_EVENTS];
    rooms_str_t                 second[NGX_ROOMS_IMPORT_EVENTS];
    int64_t                     positions[NGX_ROOMS_IMPORT_EVENTS];
    ngx_rooms_journal_row_t     rows[NGX_ROOMS_JOURNAL_MAX];
} ngx_rooms_import_parcel_t;


/* The work's data.  It belongs to the thread while that runs. */
typedef struct {
    ngx_rooms_import_state_e    state;
    ngx_rooms_import_failure_e  failure;
    const char                 *what;
    ngx_err_t                   err;

    /* input */
    ngx_str_t                   root;      /* of media */
    rooms_str_t                 tenant;
    rooms_str_t                 importer;
    rooms_zip_limits_t          limits;
    ngx_rooms_spool_t           body;
    int64_t                     now;       /* ms */
    ngx_uint_t                  dry;

    /* from the form */
    rooms_form_t                form;
    off_t                       at;
    EVP_MD_CTX                 *md;
    u_char                      sha256[64];

    /* from the bundle */
    u_char                     *window;
    u_char                     *pos;       /* in it */
    u_char                     *last;
    rooms_faults_t              faults;
    rooms_zip_reader_t          zip;
    ngx_int_t                   entry;     /* manifest.json; < 0: none */
    rooms_str_t                 folder;    /* the folder that has it */
    rooms_manifest_t            manifest;
    rooms_manifest_check_t      check;
    rooms_import_t              tables;
    size_t                      item;      /* the next entry */
    ngx_uint_t                  unreadable;  /* the manifest can't be read */
    ngx_rooms_blob_t            blob;

    ngx_rooms_import_parcel_t   parcel;
    size_t                      longest;     /* bytes of the largest event's
                                                row */
    uint64_t                    ncopies;   /* edited messages */
    size_t                      author;    /* the next one */
    size_t                      medium;    /* likewise */

    /* for the event loop */
    ngx_uint_t                  phase;
    rooms_str_t                 events_key;
    rooms_str_t                 copies_key;
    rooms_str_t                 authors_key;
    rooms_str_t                 tally_key;
    rooms_str_t                 counts_key;
    ngx_uint_t                  races;     /* of the commit so far */
    ngx_uint_t                  media;     /* registered so far */
    ngx_uint_t                  quota[NGX_ROOMS_QUOTAS];  /* numbers of the
                                                             guards; 0: none */
    ngx_uint_t                  sent;      /* items of the parcel in flight */
    ngx_rooms_parcel_e          sent_kind;
    rooms_str_t                 name;      /* from the form */
    rooms_str_t                 workspace;
    unsigned                    staged:1;  /* everything is in the store */
    unsigned                    leftovers:1;  /* something may be in the
                                                 store */
    unsigned                    registering:1;  /* media may be registered */

    unsigned                    zip_open:1;
    unsigned                    manifest_open:1;
    unsigned                    entry_open:1;
    unsigned                    tables_open:1;
    unsigned                    blob_open:1;
} ngx_rooms_import_t;


/*
 * The thread's step (ngx_rooms_import_thread.c), and the function that frees
 * what it holds.
 */
ngx_int_t ngx_rooms_import_step(ngx_rooms_work_t *w);
void ngx_rooms_import_close(void *data);


/* Answers (ngx_rooms_import_answer.c). */
ngx_int_t ngx_rooms_import_refuse(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im);
ngx_int_t ngx_rooms_import_report(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im);
ngx_int_t ngx_rooms_import_made(ngx_rooms_req_t *rq, ngx_rooms_import_t *im);

/* The store's side (ngx_rooms_import_store.c). */
ngx_int_t ngx_rooms_import_reserve(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im);
ngx_int_t ngx_rooms_import_reserved(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im);
ngx_int_t ngx_rooms_import_send(ngx_rooms_req_t *rq, ngx_rooms_import_t *im);
ngx_int_t ngx_rooms_import_sent(ngx_rooms_req_t *rq, ngx_rooms_import_t *im);
void ngx_rooms_import_commit(ngx_rooms_req_t *rq, ngx_rooms_import_t *im);
void ngx_rooms_import_abandon(ngx_rooms_req_t *rq, ngx_rooms_import_t *im);

#endif /* NGX_ROOMS_IMPORT_H */
