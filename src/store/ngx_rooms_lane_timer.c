/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A lane's only timer: for the next try to connect, for an answer to that, and
 * for a PING once it is idle.
 */

#include "ngx_rooms_lane.h"


static void ngx_rooms_lane_pinged(ngx_rooms_batch_t *b);


void
ngx_rooms_lane_timer_handler(ngx_event_t *ev)
{
    ngx_rooms_lane_t   *lane;
    ngx_rooms_batch_t  *b;

    lane = ev->data;

    switch (lane->state) {

    case NGX_ROOMS_LANE_DOWN:

        if (ngx_exiting && !ngx_rooms_lane_wanted(lane)) {
            return;
        }

        if (lane->node->out && ngx_queue_empty(&lane->waiting)) {
            /* a node that has left its cluster isn't tried for ever */
            lane->attempts = 0;
            lane->down_since = 0;
            return;
        }

        ngx_rooms_lane_connect(lane);
        ngx_post_event(&lane->reap, &ngx_posted_events);
        return;

    case NGX_ROOMS_LANE_CONNECTING:
    case NGX_ROOMS_LANE_GREETING:
        ngx_rooms_lane_silent(lane, "doesn't answer");
        return;

    case NGX_ROOMS_LANE_READY:
        break;
    }

    if (lane->pinging) {
        ngx_rooms_lane_silent(lane, "doesn't answer PING");
        return;
    }

    ngx_add_timer(&lane->timer, NGX_ROOMS_PING);

    if (!ngx_queue_empty(&lane->inflight)) {
        return;
    }

    b = ngx_rooms_batch_create(lane->timer.log);
    if (b == NULL) {
        return;
    }

    (void) ngx_rooms_command(b, ngx_rooms_s("PING"));
    b->handler = ngx_rooms_lane_pinged;
    b->data = lane;

    lane->pinging = 1;
    ngx_add_timer(&lane->timer, lane->node->timeout);
    ngx_rooms_lane_send(lane, b);
}


static void
ngx_rooms_lane_pinged(ngx_rooms_batch_t *b)
{
    ngx_rooms_lane_t  *lane;

    lane = b->data;
    lane->pinging = 0;

    if (b->status == NGX_ROOMS_BATCH_OK
        && lane->state == NGX_ROOMS_LANE_READY)
    {
        ngx_add_timer(&lane->timer, NGX_ROOMS_PING);
    }

    ngx_rooms_batch_free(b);
}
