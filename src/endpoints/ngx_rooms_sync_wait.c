/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* A sync that waits, and what wakes it. */

#include "ngx_rooms_sync.h"


ngx_int_t
ngx_rooms_sync_wait(ngx_rooms_req_t *rq)
{
    ngx_msec_int_t       left;
    ngx_rooms_sync_t    *s;
    ngx_http_request_t  *r;

    s = rq->data;
    r = rq->r;

    left = (ngx_msec_int_t) (s->until - ngx_current_msec);

    if (!s->waits || s->late || left <= 0 || ngx_exiting
        || s->listener.channel == NULL)
    {
        return NGX_OK;
    }

    /* the replies go; what stays is small */

    s->look = NULL;
    ngx_rooms_forget(rq);

    if (r == r->main && r->connection->read->pending_eof) {
        /* it left before we began to look for that */
        ngx_http_test_reading(r);

        if (r->connection->error) {
            return NGX_AGAIN;
        }
    }

    s->waiting = 1;
    rq->round = NGX_ROOMS_S_WAIT;
    ngx_add_timer(&s->timer, left);

    return NGX_AGAIN;
}


ngx_int_t
ngx_rooms_sync_woken(ngx_rooms_req_t *rq)
{
    int64_t                position;
    rooms_str_t            room;
    ngx_rooms_sync_t      *s;
    ngx_rooms_keys_t       keys;
    ngx_rooms_batch_t     *b;
    ngx_rooms_listener_t  *l;

    s = rq->data;
    l = &s->listener;

    if (s->late || ngx_exiting) {
        return NGX_OK;
    }

    if (s->again) {
        return ngx_rooms_sync_look(rq);
    }

    position = l->position;

    if (position <= s->from) {
        /* late news of what was looked at */
        return ngx_rooms_sync_wait(rq);
    }

    /*
     * Everything up to s->from was looked at, and of what came then this is
     * the first that concerns us: it alone is the page.
     */

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    keys = rq->keys;
    keys.pool = b->pool;
    room = ngx_rooms_topic_room(l->topic);
    l->topic = NULL;

    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_EVENTS, room),
                             ngx_rooms_join(b->pool, ngx_rooms_s("("),
                                        ngx_rooms_number(b->pool, s->from)),
                             ngx_rooms_number(b->pool, position));
    (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_MEMBERS,
                                           room),
                             rq->principal.sub);

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_S_HINT;

    return ngx_rooms_send(rq);
}


void
ngx_rooms_sync_news(ngx_rooms_listener_t *l)
{
    ngx_rooms_sync_t *s = l->data;

    if (s->rq->sent) {
        ngx_rooms_listen_stop(l);
        return;
    }

    if (!s->waiting || l->full || l->topic == NULL) {
        s->again = 1;
        l->full = 0;
        l->topic = NULL;
    }

    if (!s->waiting) {
        return;
    }

    s->waiting = 0;
    ngx_del_timer(&s->timer);
    ngx_rooms_continue(s->rq);
}


void
ngx_rooms_sync_timeout(ngx_event_t *ev)
{
    ngx_rooms_sync_t *s = ev->data;

    s->late = 1;
    s->waiting = 0;
    ngx_rooms_continue(s->rq);
}


void
ngx_rooms_sync_cleanup(void *data)
{
    ngx_rooms_sync_t *s = data;

    ngx_rooms_listen_stop(&s->listener);

    if (s->timer.timer_set) {
        ngx_del_timer(&s->timer);
    }
}
