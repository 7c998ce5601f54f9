/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /v1/rooms/{room}/export: a room as a ZIP, streamed.
 *
 * The pipeline loads the room and asks the core, as for every row; what it
 * answers with is this machine, which one function advances:
 *
 *   begin -> ask page -> page -> edits -> refs -> events -+-> people -> media
 *              ^                                          |             |
 *              +------------------------------------------+             v
 *   directory <- file sent <- file <- ask file <- manifest end <- missing
 *                   |                    ^
 *                   +--------------------+
 */

#include "ngx_rooms_export.h"
#include "ngx_rooms_status.h"
#include "rooms_media.h"
#include "rooms_zip_name.h"


static ngx_int_t ngx_rooms_export_args(ngx_rooms_req_t *rq,
    ngx_rooms_export_t *x);
static ngx_int_t ngx_rooms_export_count(ngx_rooms_req_t *rq);
static void ngx_rooms_export_answer(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_export_headers(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_export_start(ngx_rooms_req_t *rq,
    ngx_rooms_export_t *x);
static void ngx_rooms_export_cleanup(void *data);
static void ngx_rooms_export_resume(ngx_rooms_req_t *rq, ngx_int_t rc);
static void ngx_rooms_export_run(ngx_rooms_export_t *x, size_t *budget);
static void ngx_rooms_export_turn(ngx_event_t *ev);


static const ngx_rooms_export_pt  ngx_rooms_export_steps[NGX_ROOMS_X_MAX] = {
    [NGX_ROOMS_X_BEGIN] = ngx_rooms_export_begin,
    [NGX_ROOMS_X_ASK_PAGE] = ngx_rooms_export_ask_page,
    [NGX_ROOMS_X_PAGE] = ngx_rooms_export_page,
    [NGX_ROOMS_X_EDITS] = ngx_rooms_export_edits,
    [NGX_ROOMS_X_REFS] = ngx_rooms_export_refs,
    [NGX_ROOMS_X_EVENTS] = ngx_rooms_export_events,
    [NGX_ROOMS_X_ASK_PEOPLE] = ngx_rooms_export_ask_people,
    [NGX_ROOMS_X_PEOPLE] = ngx_rooms_export_people,
    [NGX_ROOMS_X_MEDIA] = ngx_rooms_export_media,
    [NGX_ROOMS_X_MISSING] = ngx_rooms_export_missing,
    [NGX_ROOMS_X_MANIFEST_END] = ngx_rooms_export_manifest_end,
    [NGX_ROOMS_X_ASK_FILE] = ngx_rooms_export_ask_file,
    [NGX_ROOMS_X_FILE] = ngx_rooms_export_file,
    [NGX_ROOMS_X_FILE_SENT] = ngx_rooms_export_file_sent,
    [NGX_ROOMS_X_DIRECTORY] = ngx_rooms_export_directory
};


/* Exports of this worker that have something to do. */
static ngx_queue_t  ngx_rooms_exports;
static ngx_event_t  ngx_rooms_export_event;


ngx_int_t
ngx_rooms_export_load(ngx_rooms_req_t *rq)
{
    ngx_pool_cleanup_t  *cln;
    ngx_rooms_export_t  *x;

    if (rq->round == 0) {
        cln = ngx_pool_cleanup_add(rq->pool, sizeof(ngx_rooms_export_t));
        if (cln == NULL) {
            return NGX_ERROR;
        }

        x = cln->data;
        ngx_memzero(x, sizeof(ngx_rooms_export_t));

        x->rq = rq;
        x->zip.zlevel = -1;
        cln->handler = ngx_rooms_export_cleanup;

        rq->data = x;
        rq->ask = ngx_rooms_export_count;

        if (ngx_rooms_export_args(rq, x) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_rooms_room_load(rq);
}


static ngx_int_t
ngx_rooms_export_time(ngx_rooms_req_t *rq, const char *name, int64_t *ms)
{
    ngx_int_t    rc;
    rooms_str_t  s;

    rc = ngx_rooms_arg(rq, name, &s);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
    }

    *ms = rooms_time_parse(s);

    return *ms == -1 ? ngx_rooms_invalid(rq, name, "must be an RFC 3339 time")
                     : NGX_OK;
}


static ngx_int_t
ngx_rooms_export_args(ngx_rooms_req_t *rq, ngx_rooms_export_t *x)
{
    rooms_str_t  media;

    x->from = 0;
    x->to = INT64_MAX;
    x->with_media = 1;

    if (ngx_rooms_export_time(rq, "from", &x->from) != NGX_OK
        || ngx_rooms_export_time(rq, "to", &x->to) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (x->to < x->from) {
        return ngx_rooms_invalid(rq, "to", "must not be before \"from\"");
    }

    if (ngx_rooms_arg(rq, "media", &media) == NGX_OK) {

        if (rooms_str_eq(media, ngx_rooms_s("none"))) {
            x->with_media = 0;

        } else if (!rooms_str_eq(media, ngx_rooms_s("all"))) {
            return ngx_rooms_invalid(rq, "media",
                                     "must be \"all\" or \"none\"");
        }
    }

    return NGX_OK;
}


/* How many events there are decides the form of the manifest's entry. */
static ngx_int_t
ngx_rooms_export_count(ngx_rooms_req_t *rq)
{
    return ngx_rooms_command(rq->batch, ngx_rooms_s("ZCARD"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_EVENTS,
                                           rq->param[NGX_ROOMS_P_ROOM]));
}


ngx_int_t
ngx_rooms_export_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_export_t  *x;

    x = rq->data;

    x->upto = rq->view.room.position;
    x->total = ngx_rooms_reply_int(rq->asked_batch->replies[rq->at_own], 0);

    rq->answer = ngx_rooms_export_answer;

    return NGX_OK;
}


static void
ngx_rooms_export_answer(ngx_rooms_req_t *rq)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = rq->r;

    rq->state = NGX_ROOMS_DONE;

    rc = ngx_http_discard_request_body(r);

    if (rc == NGX_OK) {
        rc = ngx_rooms_export_headers(rq);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_send_header(r);
    }

    if (rc == NGX_ERROR || rc > NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    rq->sent = 1;

    ngx_rooms_status_request(rq->endpoint, NGX_HTTP_OK,
                             ngx_current_msec - rq->started);

    if (r->header_only) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    if (ngx_rooms_export_start(rq, rq->data) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_rooms_export_schedule(rq->data);
}


/* "<name of the room>.zip", which neither path nor header can be hurt by. */
static ngx_int_t
ngx_rooms_export_disposition(ngx_rooms_req_t *rq, rooms_str_t *value)
{
    u_char       name[ROOMS_FILE_NAME_MAX + sizeof(".zip")], *p;
    size_t       i;
    rooms_str_t  s;

    s = rq->view.name.len ? rq->view.name : ngx_rooms_s("room");

    p = ngx_pnalloc(rq->pool, s.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < s.len; i++) {
        p[i] = s.data[i] == '/' || s.data[i] == '\\' ? '-' : s.data[i];
    }

    s.data = p;
    s.len = rooms_file_name_clean(s, name);
    s.data = name;

    ngx_memcpy(name + s.len, ".zip", 4);
    s.len += 4;

    p = ngx_pnalloc(rq->pool, ROOMS_MEDIA_DISPOSITION(s.len));
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    value->len = rooms_media_disposition(s, p);

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_export_headers(ngx_rooms_req_t *rq)
{
    rooms_str_t          disposition;
    ngx_http_request_t  *r;

    r = rq->r;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = -1;
    ngx_str_set(&r->headers_out.content_type, "application/zip");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    /* it has no validators, and is compressed already */

    r->disable_not_modified = 1;
#if (NGX_HTTP_GZIP)
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif

    if (ngx_rooms_export_disposition(rq, &disposition) != NGX_OK
        || ngx_rooms_header(r, "Content-Disposition", disposition) != NGX_OK
        || ngx_rooms_header(r, "X-Content-Type-Options",
                            ngx_rooms_s("nosniff")) != NGX_OK
        || ngx_rooms_header(r, "Cache-Control",
                            ngx_rooms_s("private, no-store")) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void *
ngx_rooms_export_alloc(void *ctx, size_t size)
{
    return ngx_palloc(ctx, size);
}


static ngx_int_t
ngx_rooms_export_start(ngx_rooms_req_t *rq, ngx_rooms_export_t *x)
{
    u_char                 key[16], *aside;
    rooms_str_t            room;
    ngx_rooms_keys_t      *keys;
    ngx_http_request_t    *r;

    r = rq->r;
    keys = &rq->keys;
    room = rq->view.room.id;

    ngx_rooms_random_hex(key, sizeof(key));

    rooms_id_set_init(&x->people, key, ngx_rooms_export_alloc, rq->pool);
    rooms_id_set_init(&x->media, key, ngx_rooms_export_alloc, rq->pool);
    rooms_id_set_init(&x->contents, key, ngx_rooms_export_alloc, rq->pool);
    rooms_zip_writer_init(&x->zip, ngx_rooms_export_alloc, rq->pool);

    /* names that each page needs are made once */

    x->key_events = ngx_rooms_key(keys, NGX_ROOMS_KEY_EVENTS, room);
    x->key_copies = ngx_rooms_key(keys, NGX_ROOMS_KEY_COPIES, room);
    x->key_members = ngx_rooms_key(keys, NGX_ROOMS_KEY_MEMBERS, room);
    x->key_participants = ngx_rooms_key(keys, NGX_ROOMS_KEY_PARTICIPANTS,
                                        ROOMS_NULL);

    aside = ngx_pnalloc(rq->pool, NGX_ROOMS_EXPORT_ASIDE);

    if (x->key_events.data == NULL || x->key_copies.data == NULL
        || x->key_members.data == NULL || x->key_participants.data == NULL
        || aside == NULL)
    {
        return NGX_ERROR;
    }

    rooms_buf_init(&x->aside, aside, NGX_ROOMS_EXPORT_ASIDE);

    x->checked = ngx_current_msec;

    rq->resume = ngx_rooms_export_resume;

    r->write_event_handler = ngx_rooms_export_writer;
    r->read_event_handler = r->discard_body
                                ? ngx_http_discarded_request_body_handler
                                : ngx_http_test_reading;

    return NGX_OK;
}


static void
ngx_rooms_export_cleanup(void *data)
{
    ngx_rooms_export_t  *x = data;

    if (x->queued) {
        ngx_queue_remove(&x->queue);
    }

    if (x->page && x->page != x->rq->batch) {
        ngx_rooms_batch_free(x->page);
    }

    if (x->file_pool) {
        ngx_destroy_pool(x->file_pool);
    }

    rooms_zip_writer_cleanup(&x->zip);
    rooms_id_set_cleanup(&x->people);
    rooms_id_set_cleanup(&x->media);
    rooms_id_set_cleanup(&x->contents);
    rooms_id_set_cleanup(&x->fresh);
}


/* The store */


ngx_rooms_batch_t *
ngx_rooms_export_ask(ngx_rooms_export_t *x)
{
    ngx_rooms_req_t  *rq;

    rq = x->rq;

    /* that of before us holds the room's values, and stays */

    if (x->asking) {

        if (rq->batch && rq->batch != x->page) {
            ngx_rooms_batch_free(rq->batch);
        }

        rq->batch = NULL;
    }

    x->asking = 1;
    rq->moves = 0;

    return ngx_rooms_batch(rq);
}


ngx_int_t
ngx_rooms_export_asked(ngx_rooms_export_t *x)
{
    ngx_rooms_batch_t  *b;

    b = x->rq->batch;

    (void) ngx_rooms_command(b, ngx_rooms_s("HGET"), x->key_members,
                             x->rq->principal.sub);

    return b->failed ? ngx_rooms_export_fail(x, "no memory")
                     : ngx_rooms_send(x->rq);
}


/* Whoever is no member any more gets nothing any more. */
static ngx_int_t
ngx_rooms_export_still_in(ngx_rooms_export_t *x)
{
    rooms_member_t      member;
    ngx_rooms_batch_t  *b;

    b = x->rq->batch;

    if (ngx_rooms_parse_member(
                   ngx_rooms_reply_str(b->replies[b->commands.nelts - 1]),
                   x->rq->principal.sub, &member) != NGX_OK)
    {
        return ngx_rooms_export_fail(x, "the store holds no valid member");
    }

    if (member.membership != ROOMS_JOIN) {
        x->rq->error = ROOMS_E_FORBIDDEN;
        return ngx_rooms_export_fail(x, "the caller has left the room");
    }

    x->checked = ngx_current_msec;

    return NGX_OK;
}


static void
ngx_rooms_export_resume(ngx_rooms_req_t *rq, ngx_int_t rc)
{
    ngx_rooms_export_t  *x;

    x = rq->data;

    if (rc != NGX_OK) {
        (void) ngx_rooms_export_fail(x, "the store failed");
        ngx_rooms_export_end(x, NGX_ERROR);
        return;
    }

    if (ngx_rooms_export_still_in(x) != NGX_OK) {
        ngx_rooms_export_end(x, NGX_ERROR);
        return;
    }

    ngx_rooms_export_schedule(x);
}


/* Turns */


static void
ngx_rooms_export_run(ngx_rooms_export_t *x, size_t *budget)
{
    ngx_int_t  rc;

    for ( ;; ) {

        if (x->blocked) {
            return;
        }

        if (*budget == 0) {
            ngx_rooms_export_schedule(x);
            return;
        }

        if (x->nput) {
            rc = ngx_rooms_export_deflate(x, budget);

        } else {
            rc = ngx_rooms_export_steps[x->state](x);
            *budget -= ngx_min(*budget, NGX_ROOMS_EXPORT_STEP);
        }

        switch (rc) {

        case NGX_OK:
        case NGX_BUSY:
            break;

        case NGX_AGAIN:
            return;

        case NGX_DONE:
            ngx_rooms_export_end(x, ngx_rooms_export_send(x, NULL, 1));
            return;

        default:
            ngx_rooms_export_end(x, NGX_ERROR);
            return;
        }
    }
}


/*
 * However many exports run, all of them together deflate so much and no more
 * before the other events' turn.
 */
static void
ngx_rooms_export_turn(ngx_event_t *ev)
{
    size_t               budget;
    ngx_queue_t         *q;
    ngx_connection_t    *c;
    ngx_rooms_export_t  *x;

    budget = NGX_ROOMS_EXPORT_TURN;

    while (budget && !ngx_queue_empty(&ngx_rooms_exports)) {
        q = ngx_queue_head(&ngx_rooms_exports);
        ngx_queue_remove(q);

        x = ngx_queue_data(q, ngx_rooms_export_t, queue);
        x->queued = 0;

        c = x->rq->r->connection;

        ngx_http_set_log_request(c->log, x->rq->r);

        ngx_rooms_export_run(x, &budget);

        ngx_http_run_posted_requests(c);
    }

    if (!ngx_queue_empty(&ngx_rooms_exports)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


void
ngx_rooms_export_schedule(ngx_rooms_export_t *x)
{
    ngx_event_t  *ev;

    if (x->queued) {
        return;
    }

    ev = &ngx_rooms_export_event;

    if (ngx_rooms_exports.next == NULL) {
        ngx_queue_init(&ngx_rooms_exports);
        ev->handler = ngx_rooms_export_turn;
        ev->log = ngx_cycle->log;
    }

    x->queued = 1;
    ngx_queue_insert_tail(&ngx_rooms_exports, &x->queue);

    ngx_post_event(ev, &ngx_posted_next_events);
}


ngx_int_t
ngx_rooms_export_fail(ngx_rooms_export_t *x, const char *why)
{
    ngx_log_error(NGX_LOG_ERR, x->rq->r->connection->log, 0,
                  "rooms: the export of \"%*s\" is cut off: %s",
                  x->rq->view.room.id.len, x->rq->view.room.id.data, why);

    if (x->rq->error == ROOMS_OK) {
        x->rq->error = NGX_ROOMS_E_INTERNAL;
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_rooms_export_zip_fail(ngx_rooms_export_t *x)
{
    return ngx_rooms_export_fail(x, x->zip.error);
}


/*
 * An archive that isn't complete must not look so: the connection is closed,
 * or the stream reset, with neither a last chunk nor a directory.
 */
void
ngx_rooms_export_end(ngx_rooms_export_t *x, ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = x->rq->r;

    x->blocked = 1;

    if (x->queued) {
        ngx_queue_remove(&x->queue);
        x->queued = 0;
    }

    ngx_http_finalize_request(r, rc);
}
