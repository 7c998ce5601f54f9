/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_hold.h"


#define NGX_ROOMS_HOLD_TIME  60000


static void ngx_rooms_hold_handler(ngx_event_t *ev);


/*
 * One timer for all.  It stays in the timer tree, and only its flag
 * `cancelable` changes, so holding costs a request nothing.
 */
static ngx_event_t  ngx_rooms_hold_event;
static ngx_uint_t   ngx_rooms_holds;


void
ngx_rooms_hold(void)
{
    ngx_event_t              *ev;
    static ngx_connection_t   dumb;

    ev = &ngx_rooms_hold_event;

    if (ngx_rooms_holds++) {
        return;
    }

    ev->cancelable = 0;

    if (!ev->timer_set) {
        dumb.fd = (ngx_socket_t) -1;

        ev->handler = ngx_rooms_hold_handler;
        ev->data = &dumb;
        ev->log = ngx_cycle->log;

        ngx_add_timer(ev, NGX_ROOMS_HOLD_TIME);
    }
}


void
ngx_rooms_release(void)
{
    if (--ngx_rooms_holds == 0) {
        ngx_rooms_hold_event.cancelable = 1;
    }
}


static void
ngx_rooms_hold_handler(ngx_event_t *ev)
{
    if (ngx_rooms_holds) {
        ngx_add_timer(ev, NGX_ROOMS_HOLD_TIME);
    }
}


void
ngx_rooms_timer_init(ngx_event_t *ev, ngx_event_handler_pt handler, void *data,
    ngx_log_t *log)
{
    ev->handler = handler;
    ev->data = data;
    ev->log = log;
    ev->cancelable = 1;
}
