/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Imports the history of a room whose home is another server, page by page:
 *
 *   call -> (keys) -> judge -> known? -> copies -> commit -> ... -> call
 *                                ^                   |
 *                                +--- a guard broke -+
 *
 * A replica keeps positions free below its first event, "LOW HIGH" in its field
 * "history".  A page lists the newest event first and takes positions from
 * the top.
 */

#ifndef NGX_ROOMS_BACKFILL_H
#define NGX_ROOMS_BACKFILL_H

#include "ngx_rooms_request.h"
#include "ngx_rooms_apply.h"
#include "ngx_rooms_peer_call.h"
#include "rooms_past.h"


#define NGX_ROOMS_BACKFILL_MAX   1000      /* new events in one request */
#define NGX_ROOMS_BACKFILL_PAGE   100      /* events in one answer */
#define NGX_ROOMS_BACKFILL_PART    50      /* events in one commit */
#define NGX_ROOMS_BACKFILL_PAGES  200      /* pages in one request */
#define NGX_ROOMS_BACKFILL_TIME 60000      /* ms for one request */
#define NGX_ROOMS_BACKFILL_CURSOR 512

#define NGX_ROOMS_BACKFILL_FIRST  100      /* rounds of its own start here */

typedef struct {
    json_t                 *event;         /* NULL: the text isn't valid JSON */
    rooms_str_t             text;
    const char             *problem;       /* why the event itself is
                                              invalid; NULL: it is valid */
    const char             *refused;       /* why it can't be imported here;
                                              NULL: it can */
    rooms_past_t            past;
    rooms_str_t             name;          /* "/SERVER ID"; NULL: the sender
                                              is local */

    rooms_str_t             about;         /* id here; NULL: unknown */
    rooms_str_t             about_name;    /* "/SERVER ID", or NULL */
    rooms_str_t             local;         /* new id here */
    rooms_str_t             edits;         /* " ID ID": its edits in this
                                              part */
    rooms_str_t             before;        /* "ID ID": its edits imported
                                              before */
    int64_t                 position;
    unsigned                known:1;       /* it is here, or the event that
                                              it refers to is */
} ngx_rooms_backfill_item_t;

typedef struct {
    rooms_str_t             id;            /* NULL: it has no id */
    const char             *reason;
} ngx_rooms_backfill_rejected_t;

typedef struct {
    ngx_rooms_req_t        *rq;
    ngx_rooms_peer_ask_t   *ask;

    rooms_str_t             room;
    rooms_str_t             origin;
    rooms_str_t             origin_id;     /* the room's id at its home */
    int64_t                 limit;
    ngx_msec_t              until;
    ngx_uint_t              pages;
    rooms_str_t             cursor;        /* for the next page, or NULL */

    ngx_pool_t             *pool;          /* for one page */
    ngx_str_t               uri;
    rooms_str_t             answer;
    ngx_rooms_backfill_item_t  *items;
    ngx_uint_t              nitems;
    ngx_uint_t              at;            /* first item of the current part */
    ngx_uint_t              end;           /* after its last item */

    /* the current part, with the room's stored state */
    uint32_t                big;           /* the room's field "big" */
    rooms_str_t             history;
    int64_t                 low;
    int64_t                 high;
    json_t                 *names;         /* fqid -> id */
    redisReply             *profiles;      /* of the senders */
    ngx_rooms_commit_t      commit;
    ngx_uint_t              races;

    int64_t                 imported;
    int64_t                 skipped;
    ngx_array_t             rejected;      /* ngx_rooms_backfill_rejected_t */
} ngx_rooms_backfill_t;

typedef enum {
    NGX_ROOMS_B_ANSWER = NGX_ROOMS_BACKFILL_FIRST,
    NGX_ROOMS_B_KEYS,
    NGX_ROOMS_B_KNOWN,
    NGX_ROOMS_B_COPIES,
    NGX_ROOMS_B_COMMIT
} ngx_rooms_backfill_round_e;


/* Allocates the state; it is freed with the request.  NULL: no memory. */
ngx_rooms_backfill_t *ngx_rooms_backfill_create(ngx_rooms_req_t *rq);

/*
 * Steps of a row: start and its rounds.  They return as other `load` steps
 * do.
 */
ngx_int_t ngx_rooms_backfill_start(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
ngx_int_t ngx_rooms_backfill_run(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);

#endif /* NGX_ROOMS_BACKFILL_H */
