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
 * An export under way.  It holds one page of events, one buffer of the
 * archive on its way to the client, zlib's state, and what it has to
 * remember of who spoke and which media were named; never a list of events
 * or a content of a medium.
 *
 * Three things make it wait: the store, the client, and other requests, to
 * which it leaves the worker after each bit of work.
 */

#define NGX_ROOMS_EXPORT_BUF    (32768 - 32)    /* with a chunk's frame: two
                                                   records of TLS */
#define NGX_ROOMS_EXPORT_BUFS   4               /* filters may hold some */
#define NGX_ROOMS_EXPORT_PAGE   (128 * 1024)    /* of events, in bytes */
#define NGX_ROOMS_EXPORT_PLAIN  (256 * 1024)    /* likewise, if all of them
                                                   were as long as one was */
#define NGX_ROOMS_EXPORT_EVENTS 512
#define NGX_ROOMS_EXPORT_FEW    16              /* too few for a page */
#define NGX_ROOMS_EXPORT_TURN   (40 * 1024)     /* bytes deflated before other
                                                   requests' turn */
#define NGX_ROOMS_EXPORT_STEP   512             /* what a step counts for */
#define NGX_ROOMS_EXPORT_PUT    4
#define NGX_ROOMS_EXPORT_ASIDE  8192
#define NGX_ROOMS_EXPORT_LOST   10000           /* media in missing_media */


typedef enum {
    NGX_ROOMS_X_BEGIN = 0,
    NGX_ROOMS_X_ASK_PAGE,
    NGX_ROOMS_X_PAGE,
    NGX_ROOMS_X_EDITS,                 /* older bodies of it are here */
    NGX_ROOMS_X_REFS,                  /* its senders and media are here */
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
    rooms_str_t                  json;       /* what is written */
    rooms_str_t                  copies;     /* its edits, or NULL */
    rooms_str_t                  edit;       /* id of that of its body */
    rooms_authors_t              authors;    /* of an import's */
    ngx_uint_t                   ready;      /* json is what is written */
} ngx_rooms_export_event_t;


typedef struct {
    ngx_rooms_req_t             *rq;
    ngx_rooms_export_state_e     state;

    int64_t                      from;       /* ms */
    int64_t                      to;         /* and no more */
    ngx_uint_t                   with_media;

    /* events, in pages */
    int64_t                      upto;       /* position: the snapshot */
    int64_t                      after;      /* position: read so far */
    uint64_t                     total;      /* about so many in the room */
    uint64_t                     written;
    ngx_rooms_pager_t            pager;
    rooms_str_t                  key_room;
    rooms_str_t                  key_events;
    rooms_str_t                  key_members;
    rooms_str_t                  key_participants;
    ngx_rooms_batch_t           *page;
    ngx_rooms_export_event_t    *events;
    ngx_uint_t                   nevents;
    ngx_uint_t                   event;      /* the next one */
    ngx_array_t                  strangers;  /* people new with this page */
    rooms_id_set_t               fresh;      /* media new with this page */
    rooms_id_set_t               numbers;    /* authors of it -> reply */

    /* what was met */
    rooms_id_set_t               people;     /* -> who is not of here */
    rooms_id_set_t               media;      /* -> ngx_rooms_medium_t */
    rooms_id_set_t               contents;   /* by sha256; -> medium */
    rooms_id_t                  *next;       /* of the set being written */
    ngx_uint_t                   npeople;    /* asked for */
    ngx_uint_t                   person;
    uint64_t                     lost;       /* media, in the set */
    uint64_t                     unlisted;   /* and not in it */

    /* the archive */
    rooms_zip_writer_t           zip;
    rooms_str_t                  put[NGX_ROOMS_EXPORT_PUT];
    ngx_uint_t                   nput;
    rooms_buf_t                  aside;      /* short texts to put */
    ngx_pool_t                  *file_pool;  /* of the one open file */
    ngx_file_t                   file;
    ngx_buf_t                    file_buf;

    /* its way to the client */
    ngx_buf_t                   *buf;        /* being filled */
    ngx_uint_t                   nbufs;
    ngx_chain_t                 *free;
    ngx_chain_t                 *busy;
    ngx_msec_t                   checked;    /* that the caller is in */
    ngx_queue_t                  queue;      /* of those who have work */

    unsigned                     queued:1;
    unsigned                     blocked:1;  /* by the client */
    unsigned                     exact:1;    /* by the pager's script */
    unsigned                     any:1;      /* of the list being written */
    unsigned                     asking:1;   /* a batch of our own was sent */
} ngx_rooms_export_t;


/*
 * A step: NGX_OK, go on; NGX_AGAIN, the store was asked; NGX_BUSY, the client
 * must take something first, then call me again; NGX_DONE, that was all;
 * NGX_ERROR, the connection has to go, and it was said why.
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

/* Of a page's events: who spoke, and which media were named. */
ngx_int_t ngx_rooms_export_collect(ngx_rooms_export_t *x);


/* A fresh batch; the one before is freed, unless it is the page's. */
ngx_rooms_batch_t *ngx_rooms_export_ask(ngx_rooms_export_t *x);
/* Sends it, with the question whether the caller is still in. */
ngx_int_t ngx_rooms_export_asked(ngx_rooms_export_t *x);

/* Logs why the archive is cut off: NGX_ERROR. */
ngx_int_t ngx_rooms_export_fail(ngx_rooms_export_t *x, const char *why);
ngx_int_t ngx_rooms_export_zip_fail(ngx_rooms_export_t *x);

/* Text of the manifest, to be deflated before the next step. */
void ngx_rooms_export_put(ngx_rooms_export_t *x, rooms_str_t text);
/* The same of x->aside, which the step has written. */
void ngx_rooms_export_put_aside(ngx_rooms_export_t *x);

/* Room in x->buf: NGX_OK, NGX_BUSY or NGX_ERROR. */
ngx_int_t ngx_rooms_export_room(ngx_rooms_export_t *x, size_t size);
/* Sends x->buf, and a file behind it; sets x->blocked. */
ngx_int_t ngx_rooms_export_send(ngx_rooms_export_t *x, ngx_buf_t *file,
    ngx_uint_t last);
void ngx_rooms_export_writer(ngx_http_request_t *r);

/* What it asked for has come (ngx_rooms_export_run.c). */
void ngx_rooms_export_resume(ngx_rooms_req_t *rq, ngx_int_t rc);
/* It has work for the worker; its turn comes. */
void ngx_rooms_export_schedule(ngx_rooms_export_t *x);

#endif /* NGX_ROOMS_EXPORT_H */
