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
 * A worker that was told to exit leaves its loop when no timer is left but
 * cancelable ones.  It looks neither at events that are posted for the next
 * turn nor at threads.  So whatever must come to its end holds the worker: a
 * request of ours for as long as it lives, work in a thread, a request to
 * another server, a round to the store that nobody else waits for.
 */

void ngx_rooms_hold(void);
void ngx_rooms_release(void);

#endif /* NGX_ROOMS_HOLD_H */
