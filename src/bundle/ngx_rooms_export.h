/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_EXPORT_H
#define NGX_ROOMS_EXPORT_H

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_media.h"
#include "ngx_rooms_pager.h"
#include "rooms_author.h"
#include "rooms_id_set.h"
#include "rooms_zip_writer.h"


/*
 * A running export.  It holds one page of events, one buffer of the archive
 * that is being filled, zlib's state, and the people and media seen so far;
 * never a list of all events, or a medium's content.
 *
 * It waits for three things: the store, the client, and other requests, which
 * get a turn after each bit of its work.
 */

#define NGX_ROOMS_EXPORT_BUF    (32768 - 32)    /* with a chunk's frame: two
                                                   TLS records */
#define NGX_ROOMS_EXPORT_BUFS   4               /* filters may keep some */
#define NGX_ROOMS_EXPORT_PAGE   (128 * 1024)    /* bytes of events */
#define NGX_ROOMS_EXPORT_PLAIN  (256 * 1024)    /* the same, if all had the
                                                   room's largest size */
#define NGX_ROOMS_EXPORT_EVENTS 512
#define NGX_ROOMS_EXPORT_FEW    16              /* fewer aren't worth a page */
#define NGX_ROOMS_EXPORT_TURN   (40 * 1024)     /* bytes deflated before
                                                   others get a turn */
#define NGX_ROOMS_EXPORT_STEP   512             /* how much of that one step
                                                   counts for */
#define NGX_ROOMS_EXPORT_PUT    4
#define NGX_ROOMS_EXPORT_ASIDE  8192
#define NGX_ROOMS_EXPORT_LOST   10000           /* the most media listed in
                                                   missing_media */


typedef enum {
    NGX_ROOMS_X_BEGIN = 0,
    NGX_ROOMS_X_ASK_PAGE,
    NGX_ROOMS_X_PAGE,
    NGX_ROOMS_X_EDITS,                 /* the page's older bodies are here */
    NGX_ROOMS_X_REFS,                  /* the page's senders and media are
                                          here */
    NGX_ROOMS_X_EVENTS,
    NGX_ROOMS_X_ASK_PEOPLE,
    NGX_ROOMS_X_PEOPLE,
    NGX_ROOMS_X_MEDIA,
    NGX_ROOMS_X_MISSING,
    NGX_ROOMS_X_MANIFEST_END,
    NGX_ROOMS_X_ASK_FILE,
    NGX_ROOMS_X_FILE,
    NGX_ROOMS_X_FILE_SENT,
    NGX_ROOMS_X_DIRECTORY,
    NGX_ROOMS_X_MAX
} ngx_rooms_export_state_e;


typedef struct {
    rooms_stored_t               stored;
    rooms_str_t                  json;       /* as it is written */
    rooms_str_t                  copies;     /* ids of its edits, or NULL */
    rooms_str_t                  edit;       /* id of the edit that has its
                                                body */
    rooms_authors_t              authors;    /* authors of an imported event */
    ngx_uint_t                   ready;      /* json is final */
} ngx_rooms_export_event_t;


typedef struct {
    ngx_rooms_req_t             *rq;
    ngx_rooms_export_state_e     state;

    int64_t                      from;       /* ms; 0: from the start */
    int64_t                      to;         /* exclusive */
    ngx_uint_t                   with_media;

    /* events, in pages */
    int64_t                      upto;       /* position of the snapshot */
    int64_t                      after;      /* position read so far */
    uint64_t                     total;      /* about as many are in the room */
    uint64_t                     written;
    ngx_rooms_pager_t            pager;
    rooms_str_t                  key_room;
    rooms_str_t                  key_events;
    rooms_str_t                  key_members;
    ngx_rooms_batch_t           *page;
    ngx_rooms_export_event_t    *events;
    ngx_uint_t                   nevents;
    ngx_uint_t                   event;      /* the next one */
    ngx_array_t                  strangers;  /* people first seen in this
                                                page */
    rooms_id_set_t               fresh;      /* media first seen in this page */
    rooms_id_set_t               numbers;    /* the page's authors -> reply */

    /* seen so far */
    rooms_id_set_t               people;     /* -> JSON if of another server */
    rooms_id_set_t               media;      /* -> ngx_rooms_medium_t */
    rooms_id_set_t               contents;   /* by sha256 -> medium */
    rooms_id_t                  *next;       /* in the set that is being
                                                written */
    ngx_uint_t                   npeople;    /* people in the batch */
    ngx_uint_t                   person;
    uint64_t                     lost;       /* unknown media, listed */
    uint64_t                     unlisted;   /* ... and beyond that, not
                                                listed */

    /* the archive */
    rooms_zip_writer_t           zip;
    rooms_str_t                  put[NGX_ROOMS_EXPORT_PUT];
    ngx_uint_t                   nput;
    rooms_buf_t                  aside;      /* short texts to be put */
    ngx_pool_t                  *file_pool;  /* the pool of the one open file */
    ngx_file_t                   file;
    ngx_buf_t                    file_buf;

    /* its way to the client */
    ngx_buf_t                   *buf;        /* being filled */
    ngx_uint_t                   nbufs;
    ngx_chain_t                 *free;
    ngx_chain_t                 *busy;
    ngx_msec_t                   checked;    /* when membership was last
                                                checked */
    ngx_queue_t                  queue;      /* in the list of exports with
                                                work */

    unsigned                     queued:1;
    unsigned                     blocked:1;  /* waits for the client */
    unsigned                     exact:1;    /* the next page needs the
                                                script */
    unsigned                     any:1;      /* the list being written isn't
                                                empty */
    unsigned                     asking:1;   /* rq->batch is the export's own */
} ngx_rooms_export_t;


/*
 * A step.  NGX_OK: go on; NGX_AGAIN: the store was asked; NGX_BUSY: the
 * client must take something first, then call it again; NGX_DONE: complete;
 * NGX_ERROR: close the connection; the reason was logged.
 */
typedef ngx_int_t (*ngx_rooms_export_pt)(ngx_rooms_export_t *x);

ngx_int_t ngx_rooms_export_ask_page(ngx_rooms_export_t *x);
ngx_int_t ngx_rooms_export_page(ngx_rooms_export_t *x);
ngx_int_t ngx_rooms_export_edits(ngx_rooms_export_t *x);
ngx_int_t ngx_rooms_export_refs(ngx_rooms_export_t *x);
ngx_int_t ngx_rooms_export_events(ngx_rooms_export_t *x);

ngx_int_t ngx_rooms_export_begin(ngx_rooms_export_t *x);
ngx_int_t ngx_rooms_export_ask_people(ngx_rooms_export_t *x);
ngx_int_t ngx_rooms_export_people(ngx_rooms_export_t *x);
ngx_int_t ngx_rooms_export_media(ngx_rooms_export_t *x);
ngx_int_t ngx_rooms_export_missing(ngx_rooms_export_t *x);
ngx_int_t ngx_rooms_export_manifest_end(ngx_rooms_export_t *x);
ngx_int_t ngx_rooms_export_ask_file(ngx_rooms_export_t *x);
ngx_int_t ngx_rooms_export_file(ngx_rooms_export_t *x);
ngx_int_t ngx_rooms_export_file_sent(ngx_rooms_export_t *x);
ngx_int_t ngx_rooms_export_directory(ngx_rooms_export_t *x);

/* Collects the people and the media that a page's events name. */
ngx_int_t ngx_rooms_export_collect(ngx_rooms_export_t *x);


/* Makes a new batch; frees the previous one, unless it is the page's. */
ngx_rooms_batch_t *ngx_rooms_export_ask(ngx_rooms_export_t *x);
/* Sends it, and also asks whether the caller is still a member. */
ngx_int_t ngx_rooms_export_asked(ngx_rooms_export_t *x);

/* Allocates for sets of ids and for the archive. */
void *ngx_rooms_export_alloc(void *pool, size_t size);

/* Logs why the archive is cut off; returns NGX_ERROR. */
ngx_int_t ngx_rooms_export_fail(ngx_rooms_export_t *x, const char *why);
ngx_int_t ngx_rooms_export_zip_fail(ngx_rooms_export_t *x);

/* Adds text of the manifest, which is deflated before the next step. */
void ngx_rooms_export_put(ngx_rooms_export_t *x, rooms_str_t text);
/* The same with what the step has written to x->aside. */
void ngx_rooms_export_put_aside(ngx_rooms_export_t *x);

/* Makes room in x->buf: NGX_OK, NGX_BUSY or NGX_ERROR. */
ngx_int_t ngx_rooms_export_room(ngx_rooms_export_t *x, size_t size);
/* Sends x->buf, and a file after it; may set x->blocked. */
ngx_int_t ngx_rooms_export_send(ngx_rooms_export_t *x, ngx_buf_t *file,
    ngx_uint_t last);
void ngx_rooms_export_writer(ngx_http_request_t *r);

/* Goes on when the store has answered (ngx_rooms_export_run.c). */
void ngx_rooms_export_resume(ngx_rooms_req_t *rq, ngx_int_t rc);
/* Queues an export that has work to do. */
void ngx_rooms_export_schedule(ngx_rooms_export_t *x);

#endif /* NGX_ROOMS_EXPORT_H */
