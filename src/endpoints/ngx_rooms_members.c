/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /v1/rooms/{room}/members: reads a page of ids from the index, and then
 * the rows and the profiles of that page with one command each.
 *
 * GET /v1/rooms/{room}/state: the room and its first page of members, in the
 * same rounds.
 */

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_pager.h"
#include "ngx_rooms_roster.h"


#define NGX_ROOMS_MEMBERS_LOOK  4096      /* rows looked at in one request
                                             with a filter */
#define NGX_ROOMS_MEMBERS_ASK   256       /* per round: a profile has up to 4
                                             KiB */
#define NGX_ROOMS_STATE_MEMBERS 200

typedef struct {
    int64_t                limit;
    rooms_str_t            after;
    ngx_int_t              membership;    /* -1: joined and invited */
    rooms_op_e             op;

    ngx_rooms_roster_t     roster;
    rooms_str_t            other;         /* the other participant of a DM,
                                             read with the rows */

    rooms_member_t        *members;
    ngx_rooms_profile_t   *profiles;
    ngx_uint_t             n;
    size_t                 size;          /* of the page in JSON */
    unsigned               more:1;
    unsigned               named:1;       /* the answer has the room's name,
                                             and how much is unread */
    unsigned               redacted:1;    /* of that, redactions are asked for */
} ngx_rooms_page_t;

typedef enum {
    NGX_ROOMS_M_BEGIN = 0,
    NGX_ROOMS_M_FIRST,                    /* the room and the first ids */
    NGX_ROOMS_M_NEXT,                     /* further ids */
    NGX_ROOMS_M_ROWS
} ngx_rooms_members_round_e;


static ngx_int_t ngx_rooms_members_arguments(ngx_rooms_req_t *rq,
    ngx_rooms_page_t *page);
static ngx_rooms_page_t *ngx_rooms_members_page(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_members_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_members_next(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_members_ids(ngx_rooms_req_t *rq, ngx_uint_t first);
static ngx_int_t ngx_rooms_members_rows(ngx_rooms_req_t *rq, redisReply *ids);
static ngx_int_t ngx_rooms_members_take(ngx_rooms_req_t *rq);


ngx_int_t
ngx_rooms_members_load(ngx_rooms_req_t *rq)
{
    ngx_rooms_page_t  *page;

    if (rq->round != NGX_ROOMS_M_BEGIN) {
        return ngx_rooms_members_next(rq);
    }

    page = ngx_rooms_members_page(rq);

    if (page == NULL || ngx_rooms_members_arguments(rq, page) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_members_begin(rq);
}


ngx_int_t
ngx_rooms_state_load(ngx_rooms_req_t *rq)
{
    ngx_rooms_page_t  *page;

    if (rq->round != NGX_ROOMS_M_BEGIN) {
        return ngx_rooms_members_next(rq);
    }

    page = ngx_rooms_members_page(rq);
    if (page == NULL) {
        return NGX_ERROR;
    }

    page->limit = NGX_ROOMS_STATE_MEMBERS;
    page->named = 1;

    return ngx_rooms_members_begin(rq);
}


static ngx_rooms_page_t *
ngx_rooms_members_page(ngx_rooms_req_t *rq)
{
    ngx_rooms_page_t  *page;

    page = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_page_t));
    if (page == NULL) {
        return NULL;
    }

    page->membership = -1;
    rq->data = page;

    return page;
}


static ngx_int_t
ngx_rooms_members_next(ngx_rooms_req_t *rq)
{
    ngx_rooms_page_t  *page;

    page = rq->data;

    switch (rq->round) {

    case NGX_ROOMS_M_FIRST:

        if (ngx_rooms_view_parse(rq->batch, 0, rq->param[NGX_ROOMS_P_ROOM],
                                 rq->principal.sub, &rq->view) != NGX_OK
            || ngx_rooms_room_permit(rq) != NGX_OK)
        {
            return NGX_ERROR;
        }

        rq->view.usual = ngx_rooms_usual_take(
                         ngx_rooms_reply(rq, NGX_ROOMS_VIEW_COMMANDS + 1));

        if (page->named) {
            page->other = ngx_rooms_view_other(&rq->view, rq->principal.sub);
            page->redacted = ngx_rooms_view_redacted(&rq->view);
        }

        return ngx_rooms_members_rows(rq,
                           ngx_rooms_reply(rq, NGX_ROOMS_VIEW_COMMANDS));

    case NGX_ROOMS_M_NEXT:
        return ngx_rooms_members_rows(rq, ngx_rooms_reply(rq, 0));

    default:
        return ngx_rooms_members_take(rq);
    }
}


static ngx_int_t
ngx_rooms_members_arguments(ngx_rooms_req_t *rq, ngx_rooms_page_t *page)
{
    ngx_int_t    rc;
    rooms_str_t  s;

    if (ngx_rooms_arg_int(rq, "limit", 1, 1000, 100, &page->limit) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_rooms_arg_cursor(rq, "cursor", 'm', &page->after);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK && !rooms_participant_valid(page->after)) {
        return ngx_rooms_invalid(rq, "cursor", "is not a cursor of this list");
    }

    rc = ngx_rooms_arg(rq, "membership", &s);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        page->membership = rooms_membership_parse(s);

        if (page->membership <= ROOMS_LEAVE) {
            return ngx_rooms_invalid(rq, "membership",
                              "must be \"join\", \"invite\" or \"ban\"");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_members_begin(ngx_rooms_req_t *rq)
{
    ngx_rooms_page_t  *page;

    page = rq->data;

    page->op = page->membership == ROOMS_BAN ? ROOMS_OP_BANS
                                             : ROOMS_OP_READ_MEMBER;

    page->members = ngx_palloc(rq->pool,
                               page->limit * sizeof(rooms_member_t));
    page->profiles = ngx_palloc(rq->pool,
                                page->limit * sizeof(ngx_rooms_profile_t));

    if (page->members == NULL || page->profiles == NULL) {
        return NGX_ERROR;
    }

    if (!rooms_id_valid(rq->param[NGX_ROOMS_P_ROOM], "room-")) {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    rq->op = page->op;

    ngx_rooms_roster_init(&page->roster, rq->pool, rq->r->connection->log,
                          &rq->keys, rq->param[NGX_ROOMS_P_ROOM]);

    page->roster.after = page->after;

    if (page->membership == ROOMS_BAN) {
        page->roster.index = NGX_ROOMS_KEY_BANS;
    }

    return ngx_rooms_members_ids(rq, 1);
}


/* Asks for one id more than fits, to learn whether there is another page. */
static ngx_int_t
ngx_rooms_members_ids(ngx_rooms_req_t *rq, ngx_uint_t first)
{
    rooms_str_t         room;
    ngx_rooms_page_t   *page;
    ngx_rooms_batch_t  *b;

    page = rq->data;
    room = rq->param[NGX_ROOMS_P_ROOM];

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (first) {
        (void) ngx_rooms_view_load(b, &rq->keys, room, rq->principal.sub);
    }

    (void) ngx_rooms_roster_ask(&page->roster, b,
                                ngx_min(page->limit + 1 - page->n,
                                        NGX_ROOMS_MEMBERS_ASK));

    if (first) {
        (void) ngx_rooms_usual_load(b, &rq->keys, rq->principal.sub);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, first ? NGX_ROOMS_M_FIRST
                                          : NGX_ROOMS_M_NEXT);
}


static ngx_int_t
ngx_rooms_members_rows(ngx_rooms_req_t *rq, redisReply *ids)
{
    ngx_rooms_page_t   *page;
    ngx_rooms_batch_t  *b;

    page = rq->data;

    if (ngx_rooms_roster_take(&page->roster, ids, ids->elements) != NGX_OK) {
        return NGX_ERROR;
    }

    if (page->roster.n == 0 && page->other.data == NULL && !page->redacted) {
        return NGX_OK;
    }

    b = ngx_rooms_batch(rq);

    if (b == NULL || ngx_rooms_roster_rows(&page->roster, b, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * the other participant gives the DM its name, even if their row isn't on
     * this page
     */

    if (page->other.data
        && ngx_rooms_ask(b, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL, page->other)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (page->redacted
        && ngx_rooms_view_ask_redacted(b, &rq->keys, &rq->view) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_M_ROWS);
}


/*
 * An upper bound in bytes of JSON.  Names have no control characters, so an
 * escape at most doubles them.
 */
static size_t
ngx_rooms_members_size(ngx_rooms_req_t *rq, const ngx_rooms_profile_t *p)
{
    return 512 + 2 * rq->conf->server_name.len
           + 2 * (2 * p->id.len + 2 * p->local.len + 2 * p->server.len
                  + p->name.len + p->type.len + p->avatar.len);
}


static ngx_int_t
ngx_rooms_members_take(ngx_rooms_req_t *rq)
{
    ngx_uint_t            i, n;
    rooms_str_t           id;
    redisReply           *rows, *names;
    rooms_member_t        m;
    ngx_rooms_page_t     *page;
    ngx_rooms_profile_t  *p, other;

    page = rq->data;
    n = rq->batch->commands.nelts;

    if (page->redacted) {
        ngx_rooms_view_take_redacted(&rq->view, ngx_rooms_reply(rq, --n));
        page->redacted = 0;
    }

    if (page->other.data) {
        (void) ngx_rooms_show_profile(rq->pool, rq->r->connection->log,
                  ngx_rooms_reply_str(ngx_rooms_reply(rq, --n)),
                  page->other, &other);

        rq->view.name = other.name;
        page->other = ROOMS_NULL;
    }

    if (page->roster.n == 0) {
        return NGX_OK;
    }

    rows = ngx_rooms_reply(rq, 0);
    names = ngx_rooms_reply(rq, 1);

    for (i = 0; i < page->roster.n; i++) {
        id = page->roster.ids[i];

        if (ngx_rooms_roster_member(&page->roster, rows, i, &m) != NGX_OK) {

            /* a cursor can't name what isn't a participant */

            if (rooms_participant_valid(id)) {
                page->after = id;
            }

            continue;
        }

        /* the row may have changed since the index was read */

        if (m.membership == ROOMS_LEAVE
            || (page->membership >= 0
                && (ngx_int_t) m.membership != page->membership))
        {
            page->after = id;
            continue;
        }

        if ((int64_t) page->n == page->limit) {
            page->more = 1;
            return NGX_OK;
        }

        p = &page->profiles[page->n];

        (void) ngx_rooms_show_profile(rq->pool, rq->r->connection->log,
                      ngx_rooms_reply_str_at(names, i),
                      id, p);

        page->size += ngx_rooms_members_size(rq, p);

        if (page->n && page->size > NGX_ROOMS_PAGE_SIZE) {
            page->more = 1;
            return NGX_OK;
        }

        page->members[page->n++] = m;
        page->after = id;
    }

    if (page->roster.last) {
        return NGX_OK;
    }

    if (page->roster.looked >= NGX_ROOMS_MEMBERS_LOOK) {
        page->more = 1;
        return NGX_OK;
    }

    return ngx_rooms_members_ids(rq, 0);
}


static void
ngx_rooms_members_row(rooms_buf_t *b, ngx_rooms_req_t *rq,
    const rooms_member_t *m, const ngx_rooms_profile_t *p)
{
    rooms_json_lit(b, "{\"participant_id\":");
    rooms_json_str(b, p->id);
    rooms_json_lit(b, ",\"fqid\":");
    ngx_rooms_fqid_json(b, p, &rq->conf->server_name);
    rooms_json_lit(b, ",\"participant\":{\"id\":");
    rooms_json_str(b, p->id);
    rooms_json_lit(b, ",\"local_id\":");
    rooms_json_str(b, p->local);
    rooms_json_lit(b, ",\"server_name\":");
    rooms_json_str(b, p->server.data ? p->server
                      : rooms_from_ngx(rq->conf->server_name));
    rooms_json_lit(b, ",\"display_name\":");
    rooms_json_str(b, p->name);
    rooms_json_lit(b, ",\"participant_type\":");
    rooms_json_str(b, p->type);
    rooms_json_lit(b, ",\"avatar_url\":");
    rooms_json_str(b, p->avatar);
    rooms_json_lit(b, "}");
    ngx_rooms_standing_json(b, m);

    /* only the caller sees their own settings */

    if (rooms_str_eq(p->id, rq->principal.sub)) {
        rooms_json_lit(b, ",\"notification_mode\":");
        rooms_json_str(b, rooms_cstr(ngx_rooms_mode_name(rq->view.own.mode)));
        rooms_json_lit(b, ",\"muted_until\":");
        ngx_rooms_view_muted(b, &rq->view, rq->now);
    }

    rooms_json_lit(b, "}");
}


static void
ngx_rooms_members_put(ngx_rooms_req_t *rq, const ngx_rooms_page_t *page)
{
    ngx_uint_t                  i;
    rooms_buf_t                *b;
    const ngx_rooms_profile_t  *p;

    b = ngx_rooms_out(&rq->out);

    for (i = 0; i < page->n; i++) {
        p = &page->profiles[i];

        rooms_json_raw(b, ",", i > 0);

        ngx_rooms_members_row(b, rq, &page->members[i], p);
    }
}


ngx_int_t
ngx_rooms_members_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_page_t  *page;

    page = rq->data;

    ngx_rooms_list_open(rq);
    ngx_rooms_members_put(rq, page);

    ngx_rooms_list_close(rq, page->more, page->more
                         ? ngx_rooms_cursor(rq->pool, 'm', page->after)
                         : ROOMS_NULL);

    return NGX_OK;
}


ngx_int_t
ngx_rooms_state_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t             *b;
    ngx_rooms_page_t        *page;
    const ngx_rooms_view_t  *view;

    page = rq->data;
    view = &rq->view;

    b = ngx_rooms_out(&rq->out);

    rooms_json_lit(b, "{\"data\":{\"room\":");
    ngx_rooms_view_json(b, view, &rq->conf->server_name, rq->now);
    rooms_json_lit(b, ",\"members\":[");

    ngx_rooms_members_put(rq, page);

    rooms_json_lit(b, "],\"members_truncated\":");
    rooms_json_bool(b, page->more);
    rooms_json_lit(b, ",\"unread_count\":");
    rooms_json_int(b, view->unread);
    rooms_json_lit(b, ",\"last_read_event_id\":");
    rooms_json_str(b, view->own.event);
    rooms_json_lit(b, ",\"muted_until\":");
    ngx_rooms_view_muted(b, view, rq->now);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
