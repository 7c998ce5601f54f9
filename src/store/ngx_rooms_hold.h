/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_HOLD_H
#define NGX_ROOMS_HOLD_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/*
 * Keeps an exiting worker alive while work is unfinished.  Such a worker
 * leaves its loop when only cancelable timers are left; it doesn't consider
 * posted events or threads.  So all that must finish holds the worker:
 * requests, work in a thread, requests to other servers, and rounds to the
 * store without a request.
 */

void ngx_rooms_hold(void);
void ngx_rooms_release(void);

/* Sets up a timer that no exiting worker waits for. */
void ngx_rooms_timer_init(ngx_event_t *ev, ngx_event_handler_pt handler,
    void *data, ngx_log_t *log);

#endif /* NGX_ROOMS_HOLD_H */
