/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Pages of a room's past: asking for them, and judging what is in them. */

#include "ngx_rooms_backfill.h"
#include "ngx_rooms_peer.h"
#include "rooms_fedevent.h"
#include "rooms_told.h"


static ngx_int_t ngx_rooms_backfill_call(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static void ngx_rooms_backfill_gone(void *data);
static void ngx_rooms_backfill_forget(ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_answer(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_read(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_keys(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);
static ngx_int_t ngx_rooms_backfill_judge(ngx_rooms_req_t *rq,
    ngx_rooms_backfill_t *bf);


ngx_rooms_backfill_t *
ngx_rooms_backfill_create(ngx_rooms_req_t *rq)
{
    ngx_pool_cleanup_t    *cln;
    ngx_rooms_backfill_t  *bf;

    cln = ngx_pool_cleanup_add(rq->pool, sizeof(ngx_rooms_backfill_t));
    if (cln == NULL) {
        return NULL;
    }

    bf = cln->data;
    ngx_memzero(bf, sizeof(ngx_rooms_backfill_t));

    if (ngx_array_init(&bf->rejected, rq->pool, 4,
                       sizeof(ngx_rooms_backfill_rejected_t)) != NGX_OK)
    {
        return NULL;
    }

    bf->rq = rq;
    bf->ask = ngx_rooms_peer_ask_create(rq);
    bf->until = ngx_current_msec + NGX_ROOMS_BACKFILL_TIME;

    cln->handler = ngx_rooms_backfill_gone;

    return bf->ask ? bf : NULL;
}


static void
ngx_rooms_backfill_gone(void *data)
{
    ngx_rooms_backfill_forget(data);
}


/* Of a page nothing is kept. */
static void
ngx_rooms_backfill_forget(ngx_rooms_backfill_t *bf)
{
    ngx_uint_t  i;

    for (i = 0; i < bf->nitems; i++) {
        json_decref(bf->items[i].event);
    }

    json_decref(bf->names);

    bf->names = NULL;
    bf->nitems = 0;
    bf->at = 0;
    bf->end = 0;

    if (bf->pool) {
        ngx_destroy_pool(bf->pool);
        bf->pool = NULL;
    }
}


ngx_int_t
ngx_rooms_backfill_start(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    bf->room = ngx_rooms_dup(rq->pool, bf->room);
    bf->origin = ngx_rooms_dup(rq->pool, bf->origin);
    bf->origin_id = bf->origin_id.data
                    ? ngx_rooms_dup(rq->pool, bf->origin_id) : bf->room;

    if (bf->room.data == NULL || bf->origin.data == NULL
        || bf->origin_id.data == NULL)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_backfill_call(rq, bf);
}


ngx_int_t
ngx_rooms_backfill_run(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    switch (rq->round) {

    case NGX_ROOMS_B_ANSWER:
        return ngx_rooms_backfill_answer(rq, bf);

    case NGX_ROOMS_B_KEYS:
        return ngx_rooms_backfill_keys(rq, bf);

    case NGX_ROOMS_B_KNOWN:
        return ngx_rooms_backfill_known(rq, bf);

    case NGX_ROOMS_B_COPIES:
        return ngx_rooms_backfill_copies(rq, bf);

    default:
        return ngx_rooms_backfill_committed(rq, bf);
    }
}


/*
 * Another page, if there is one: what is known already doesn't count, so
 * that a second request goes on where the first one ended; hence the bounds
 * on pages and time, for a peer that never comes to an end.
 */
ngx_int_t
ngx_rooms_backfill_next(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    if (bf->cursor.data == NULL
        || bf->imported + (int64_t) bf->rejected.nelts >= bf->limit
        || bf->pages >= NGX_ROOMS_BACKFILL_PAGES
        || (ngx_msec_int_t) (ngx_current_msec - bf->until) >= 0)
    {
        return NGX_OK;
    }

    return ngx_rooms_backfill_call(rq, bf);
}


static ngx_int_t
ngx_rooms_backfill_uri(ngx_rooms_backfill_t *bf, ngx_str_t *uri)
{
    u_char  *p;
    size_t   size;

    size = sizeof("/_scaiwave/federation/v1/rooms//backfill?limit=&before=")
           + NGX_INT_T_LEN + bf->origin_id.len + 3 * bf->cursor.len;

    p = ngx_pnalloc(bf->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    uri->data = p;
    p = ngx_sprintf(p, "/_scaiwave/federation/v1/rooms/%*s/backfill?limit=%d",
                    bf->origin_id.len, bf->origin_id.data,
                    NGX_ROOMS_BACKFILL_PAGE);

    if (bf->cursor.data) {
        p = ngx_cpymem(p, "&before=", sizeof("&before=") - 1);
        p = (u_char *) ngx_escape_uri(p, (u_char *) bf->cursor.data,
                                      bf->cursor.len,
                                      NGX_ESCAPE_URI_COMPONENT);
    }

    uri->len = p - uri->data;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_backfill_call(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_rooms_backfill_forget(bf);

    bf->pages++;
    bf->pool = ngx_create_pool(4096, ngx_cycle->log);

    if (bf->pool == NULL || ngx_rooms_backfill_uri(bf, &bf->uri) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_peer_ask(bf->ask, bf->pool, bf->origin, &bf->uri,
                              NGX_ROOMS_B_ANSWER);
}


static ngx_int_t
ngx_rooms_backfill_answer(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t  status;

    status = bf->ask->status;
    bf->answer = bf->ask->answer;

    if (status && status != NGX_HTTP_OK) {
        ngx_log_error(NGX_LOG_ERR, rq->r->connection->log, 0,
                      "rooms: \"%V\" of \"%*s\": no page, status %ui",
                      &bf->uri, bf->origin.len, bf->origin.data, status);
    }

    if (status != NGX_HTTP_OK || bf->answer.data == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNREACHABLE,
                              status ? "the room's server did not give its "
                                       "past"
                                     : NULL);
    }

    switch (ngx_rooms_backfill_read(rq, bf)) {

    case NGX_OK:
        return ngx_rooms_backfill_keys(rq, bf);

    case NGX_DECLINED:
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNREACHABLE,
                              "the answer of the room's server is no page "
                              "of its past");

    default:
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_rooms_backfill_meta(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    rooms_str_t  meta, cursor;

    bf->cursor = ROOMS_NULL;

    if (rooms_told_find(bf->answer, "meta", &meta) != 1
        || !rooms_json_valid(meta) || meta.data[0] != '{')
    {
        return NGX_DECLINED;
    }

    if (!rooms_str_eq(rooms_json_member(meta, "has_more"),
                      ngx_rooms_s("true")))
    {
        return NGX_OK;
    }

    cursor = rooms_json_member_str(meta, "next_cursor");

    if (cursor.len == 0 || cursor.len > NGX_ROOMS_BACKFILL_CURSOR) {
        return NGX_DECLINED;
    }

    bf->cursor = ngx_rooms_dup(rq->pool, cursor);

    return bf->cursor.data ? NGX_OK : NGX_ERROR;
}


/* Each event is parsed alone: one that is no JSON to us spoils no other. */
static ngx_int_t
ngx_rooms_backfill_read(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_int_t                   rc;
    rooms_str_t                 data, text;
    ngx_rooms_backfill_item_t  *item;

    if (rooms_told_find(bf->answer, "data", &data) != 1) {
        return NGX_DECLINED;
    }

    rc = ngx_rooms_backfill_meta(rq, bf);

    if (rc != NGX_OK) {
        return rc;
    }

    bf->items = ngx_pcalloc(bf->pool, NGX_ROOMS_BACKFILL_PAGE
                                      * sizeof(ngx_rooms_backfill_item_t));
    if (bf->items == NULL) {
        return NGX_ERROR;
    }

    for ( ;; ) {
        switch (rooms_told_piece(&data, &text)) {

        case 0:
            return NGX_OK;

        case -1:
            return NGX_DECLINED;
        }

        if (bf->nitems == NGX_ROOMS_BACKFILL_PAGE) {
            return NGX_DECLINED;
        }

        item = &bf->items[bf->nitems++];
        item->event = json_loadb((const char *) text.data, text.len,
                                 JSON_REJECT_DUPLICATES, NULL);

        item->text = text;

        if (!json_is_object(item->event)) {
            item->problem = "is no valid JSON object";
        }
    }
}


/* A key that signed one of the events, and that isn't among those known. */
static rooms_str_t
ngx_rooms_backfill_key(ngx_rooms_backfill_t *bf, ngx_rooms_peer_t *peer)
{
    char         name[ROOMS_PEER_MAX + 1];
    json_t      *by, *value;
    ngx_uint_t   i, k;
    const char  *id;

    *ngx_cpymem(name, bf->origin.data, bf->origin.len) = '\0';

    for (i = 0; i < bf->nitems; i++) {
        by = json_object_get(json_object_get(bf->items[i].event,
                                             "signatures"), name);

        json_object_foreach(by, id, value) {

            for (k = 0; k < peer->nkeys; k++) {
                if (ngx_strcmp(id, peer->key[k].id) == 0) {
                    break;
                }
            }

            if (k == peer->nkeys) {
                return rooms_cstr(id);
            }
        }
    }

    return peer->known ? rooms_cstr(peer->key[0].id) : ROOMS_NULL;
}


static ngx_int_t
ngx_rooms_backfill_keys(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_int_t          rc;
    rooms_str_t        id;
    ngx_rooms_peer_t  *peer;

    peer = ngx_rooms_peer_get(rq, bf->origin, 1);
    if (peer == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNREACHABLE, NULL);
    }

    id = ngx_rooms_backfill_key(bf, peer);

    if (id.data) {
        rc = ngx_rooms_peer_event_key(rq, peer, id, NGX_ROOMS_B_KEYS);

        if (rc == NGX_AGAIN || rc == NGX_ERROR) {
            return rc;
        }
    }

    return ngx_rooms_backfill_judge(rq, bf);
}


static const char *
ngx_rooms_backfill_verify(ngx_rooms_backfill_t *bf, ngx_rooms_peer_t *peer,
    json_t *event)
{
    size_t        size;
    u_char       *p;
    ngx_pool_t   *pool;
    const char   *problem;
    rooms_buf_t   work;

    /* the canonical text is never longer than the one that was parsed */

    size = json_dumpb(event, NULL, 0, JSON_COMPACT) + 1;
    problem = "can not be held in memory";

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return problem;
    }

    p = ngx_pnalloc(pool, size);

    if (p) {
        rooms_buf_init(&work, p, size);
        problem = rooms_fedevent_verify(event, bf->origin, peer->key,
                                        peer->nkeys, &work);
    }

    ngx_destroy_pool(pool);

    return problem;
}


static ngx_int_t
ngx_rooms_backfill_judge(ngx_rooms_req_t *rq, ngx_rooms_backfill_t *bf)
{
    ngx_uint_t                  i;
    rooms_past_t               *past;
    ngx_rooms_peer_t           *peer;
    ngx_rooms_backfill_item_t  *item;

    peer = ngx_rooms_peer_get(rq, bf->origin, 1);
    if (peer == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNREACHABLE, NULL);
    }

    for (i = 0; i < bf->nitems; i++) {
        item = &bf->items[i];
        past = &item->past;

        if (item->problem == NULL) {
            item->problem = rooms_past_read(item->event, bf->origin_id, rq->now,
                                            past);
        }

        if (item->problem == NULL) {
            item->problem = ngx_rooms_backfill_verify(bf, peer, item->event);
        }

        if (item->problem) {
            continue;
        }

        rooms_told_own(bf->origin, past->server, &past->name, &past->avatar);

        if (!rooms_str_eq(past->server, rooms_from_ngx(rq->conf->server_name)))
        {
            item->name = ngx_rooms_join(bf->pool, ngx_rooms_s(" "),
                                        past->server, ngx_rooms_s(" "),
                                        past->id);
        }

        if (past->about_id.data) {
            item->about_name = ngx_rooms_join(bf->pool, ngx_rooms_s(" "),
                                              past->about_server,
                                              ngx_rooms_s(" "),
                                              past->about_id);
        }
    }

    return ngx_rooms_backfill_part(rq, bf);
}


ngx_int_t
ngx_rooms_backfill_reject(ngx_rooms_backfill_t *bf,
    ngx_rooms_backfill_item_t *item)
{
    ngx_rooms_backfill_rejected_t  *r;

    r = ngx_array_push(&bf->rejected);
    if (r == NULL) {
        return NGX_ERROR;
    }

    r->id = ngx_rooms_dup(bf->rq->pool, item->event
                                        ? rooms_past_id(item->event)
                                        : rooms_told_id(item->text));
    r->reason = item->problem;

    return NGX_OK;
}
