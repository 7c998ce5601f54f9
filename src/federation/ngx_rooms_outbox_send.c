/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The request of a round: as many events as go into one. */

#include "ngx_rooms_outbox.h"


static void ngx_rooms_outbox_called(ngx_rooms_peer_call_t *call);


/* Which texts go into the request: in o->texts, from o->told on. */
static ngx_int_t
ngx_rooms_outbox_fill(ngx_rooms_outbox_t *o)
{
    size_t                    size;
    ngx_uint_t                i;
    rooms_str_t               text;
    ngx_rooms_outbox_item_t  *item;

    if (o->pdu) {
        size = 0;

        for (i = o->told; i < o->ntexts; i++) {
            size += o->texts[i].len + 1;

            if (i > o->told && size > NGX_ROOMS_OUTBOX_BODY) {
                break;
            }
        }

        o->sent = i - o->told;
        o->done = o->ntexts == 0
                  || (i == o->ntexts && o->pdu->snapshot.after.data == NULL);

        return NGX_OK;
    }

    o->texts = ngx_palloc(o->round, (o->nitems + 1) * sizeof(rooms_str_t));
    o->positions = ngx_palloc(o->round, (o->nitems + 1) * sizeof(int64_t));

    if (o->texts == NULL || o->positions == NULL) {
        return NGX_ERROR;
    }

    o->sent = 0;

    for (size = 0, i = 0; i < o->nitems; i++) {
        item = &o->items[i];

        if (!item->there) {
            continue;
        }

        text = o->rooms[item->room].pdu->texts[item->told];

        if (text.data == NULL) {
            continue;
        }

        size += text.len + 1;

        if (o->sent && size > NGX_ROOMS_OUTBOX_BODY) {
            break;
        }

        o->positions[o->sent] = item->position;
        o->texts[o->sent++] = text;
    }

    o->done = i;
    o->ntexts = o->sent;

    /* don't read again and again what doesn't fit */

    o->window = i < o->nitems ? i : ngx_min(2 * o->window,
                                            NGX_ROOMS_OUTBOX_ITEMS);

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_outbox_body(ngx_rooms_outbox_t *o, ngx_str_t *body)
{
    size_t       size;
    u_char      *p;
    ngx_uint_t   i;

    size = sizeof("{\"events\":[]}") - 1;

    for (i = 0; i < o->sent; i++) {
        size += o->texts[o->told + i].len + 1;
    }

    p = ngx_pnalloc(o->round, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    p = ngx_cpymem(p, "{\"events\":[", sizeof("{\"events\":[") - 1);

    for (i = 0; i < o->sent; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, o->texts[o->told + i].data,
                       o->texts[o->told + i].len);
    }

    *p++ = ']';
    *p++ = '}';

    body->len = p - body->data;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_outbox_send(ngx_rooms_outbox_t *o)
{
    ngx_str_t               peer, body;
    ngx_rooms_fedlink_t       *link;
    ngx_rooms_peer_call_t  *call;

    static ngx_str_t  uri = ngx_string("/_scaiwave/federation/v1/send");

    link = o->link;

    if (o->pdu == NULL && o->nitems == 1 && o->items[0].valid
        && o->items[0].event.data == NULL)
    {
        /* a snapshot of what isn't ours */
        o->nitems = o->done = 1;
        return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_SENT);
    }

    if (ngx_rooms_outbox_fill(o) != NGX_OK) {
        return NGX_ERROR;
    }

    if (o->sent == 0) {
        return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_SENT);
    }

    if (ngx_rooms_outbox_body(o, &body) != NGX_OK) {
        return NGX_ERROR;
    }

    peer = ngx_from_rooms(o->server);

    call = ngx_rooms_peer_call(link->ctx, link->conf, &peer, &uri);
    if (call == NULL) {
        return NGX_ERROR;
    }

    if (ngx_rooms_peer_call_body(call, &body) != NGX_OK
        || ngx_rooms_peer_call_sign(call) != NGX_OK)
    {
        ngx_rooms_peer_call_free(call);
        return NGX_ERROR;
    }

    call->handler = ngx_rooms_outbox_called;
    call->data = o;

    o->call = call;
    o->state = NGX_ROOMS_O_CALL;

    o->called = ngx_current_msec;
    ngx_add_timer(&o->timer, NGX_ROOMS_OUTBOX_WAIT);

    ngx_rooms_peer_call_start(call);

    return NGX_OK;
}


/*
 * A server that doesn't answer gives its place to others of its kind, and is
 * asked again when its backoff is over: longer each time, as it may be slow.
 */
void
ngx_rooms_outbox_waited(ngx_rooms_outbox_t *o)
{
    ngx_msec_t  patience;

    patience = NGX_ROOMS_OUTBOX_WAIT << ngx_min(o->failures, 2);

    if (o->kind == NGX_ROOMS_LINK_ANSWERS) {
        patience *= 4;
    }

    if (ngx_exiting || o->link->nwait[o->kind] == 0
        || ngx_current_msec - o->called < patience)
    {
        ngx_add_timer(&o->timer, NGX_ROOMS_OUTBOX_WAIT);
        return;
    }

    ngx_rooms_peer_call_cancel(o->call);
    o->call = NULL;

    if (ngx_rooms_outbox_failed(o, ngx_rooms_s("no answer while others "
                                               "waited")) != NGX_OK)
    {
        ngx_rooms_outbox_stop(o);
    }
}


static void
ngx_rooms_outbox_called(ngx_rooms_peer_call_t *call)
{
    ngx_int_t            rc;
    ngx_rooms_outbox_t  *o;

    o = call->data;
    o->call = NULL;

    if (o->timer.timer_set) {
        ngx_del_timer(&o->timer);
    }

    rc = ngx_exiting ? NGX_ERROR : ngx_rooms_outbox_judge(o, call);

    ngx_rooms_peer_call_free(call);

    if (rc != NGX_OK) {
        ngx_rooms_outbox_stop(o);
    }
}
