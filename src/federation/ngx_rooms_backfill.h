/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The past of a room that is at home elsewhere, page by page:
 *
 *   call -> (keys) -> judge -> known? -> copies -> commit -> ... -> call
 *                                ^                   |
 *                                +--- a guard broke -+
 *
 * A replica keeps positions free below its first event, "low high" in its
 * field "history".  A page is newest first, and takes them from above.
 */

#ifndef NGX_ROOMS_BACKFILL_H
#define NGX_ROOMS_BACKFILL_H

#include "ngx_rooms_request.h"
#include "ngx_rooms_apply.h"
#include "ngx_rooms_peer_call.h"
#include "rooms_past.h"


#define NGX_ROOMS_BACKFILL_MAX   1000      /* events that aren't known yet */
#define NGX_ROOMS_BACKFILL_PAGE   100      /* of one answer */
#define NGX_ROOMS_BACKFILL_PART    50      /* of one commit */
#define NGX_ROOMS_BACKFILL_PAGES  200      /* of one request */
#define NGX_ROOMS_BACKFILL_TIME 60000      /* ms, likewise */
#define NGX_ROOMS_BACKFILL_CURSOR 512

#define NGX_ROOMS_BACKFILL_FIRST  100      /* rounds of its own */

typedef struct {
    json_t                 *event;         /* NULL: the text is none */
    rooms_str_t             text;
    const char             *problem;       /* NULL: it is good by itself */
    const char             *refused;       /* and NULL: so here, too */
    rooms_past_t            past;
    rooms_str_t             name;          /* "/server id"; NULL: is ours */

    rooms_str_t             about;         /* id here; NULL: isn't known */
    rooms_str_t             about_name;    /* "/server id", or NULL */
    rooms_str_t             local;         /* id here */
    rooms_str_t             edits;         /* " id id", that came now */
    rooms_str_t             before;        /* "id id", that came before */
    int64_t                 position;
    unsigned                known:1;
    unsigned                here:1;        /* what it is about is stored */
} ngx_rooms_backfill_item_t;

typedef struct {
    rooms_str_t             id;            /* NULL: it has none */
    const char             *reason;
} ngx_rooms_backfill_rejected_t;

typedef struct {
    ngx_rooms_req_t        *rq;
    ngx_rooms_peer_ask_t   *ask;

    rooms_str_t             room;
    rooms_str_t             origin;
    rooms_str_t             origin_id;     /* of the room there */
    int64_t                 limit;
    ngx_msec_t              until;
    ngx_uint_t              pages;
    rooms_str_t             cursor;        /* of the next page, or NULL */

    ngx_pool_t             *pool;          /* of a page */
    ngx_str_t               uri;
    rooms_str_t             answer;
    ngx_rooms_backfill_item_t  *items;
    ngx_uint_t              nitems;
    ngx_uint_t              at;            /* first of the part at work */
    ngx_uint_t              end;           /* behind its last */

    /* of that part, as the store has it */
    uint32_t                big;           /* of the room */
    rooms_str_t             history;
    int64_t                 low;
    int64_t                 high;
    json_t                 *names;         /* fqid -> id */
    redisReply             *profiles;      /* of senders */
    ngx_rooms_commit_t      commit;
    ngx_uint_t              races;

    int64_t                 imported;
    int64_t                 skipped;
    ngx_array_t             rejected;      /* ngx_rooms_backfill_rejected_t */
    unsigned                whole:1;       /* the script's text is sent */
} ngx_rooms_backfill_t;

typedef enum {
    NGX_ROOMS_B_ANSWER = NGX_ROOMS_BACKFILL_FIRST,
    NGX_ROOMS_B_KEYS,
    NGX_ROOMS_B_KNOWN,
    NGX_ROOMS_B_COPIES,
    NGX_ROOMS_B_COMMIT
} ngx_rooms_backfill_round_e;


/* The state, freed with the request; NULL: no memory. */
ngx_rooms_backfill_t *ngx_rooms_backfill_create(ngx_rooms_req_t *rq);

/* A step: begins, and goes on in rounds of its own. */
ngx_int_t ngx_rooms_backfill_start(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
ngx_int_t ngx_rooms_backfill_run(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);

#endif /* NGX_ROOMS_BACKFILL_H */
