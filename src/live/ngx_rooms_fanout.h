/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_FANOUT_H
#define NGX_ROOMS_FANOUT_H

#include "ngx_rooms_look.h"


/*
 * For all readers of a worker who learn of the same room at the same time:
 * its news are read once, and their membership rows with few commands.
 */

/* Bytes that are sent to one client or to many. */
typedef struct {
    ngx_uint_t                refs;
    rooms_str_t               bytes;
} ngx_rooms_text_t;

/* Has one reference; NULL: out of memory. */
ngx_rooms_text_t *ngx_rooms_text_create(size_t len);
void ngx_rooms_text_release(ngx_rooms_text_t *text);


#define NGX_ROOMS_NEWS_TEXTS  3           /* one for each transport */

/* A room's events, read once for several readers; freed with the last one. */
struct ngx_rooms_news_s {
    ngx_uint_t                refs;
    ngx_pool_t               *pool;
    ngx_rooms_reader_event_t *events;
    ngx_uint_t                nevents;
    int64_t                   at;         /* all events up to here are
                                             included */
    ngx_rooms_text_t         *texts[NGX_ROOMS_NEWS_TEXTS];
};


/*
 * Joins those who wait for the room's events after s->from, up to `at`.  When
 * the events are read, the reader's step is called again.  Then s->news is
 * NULL if that failed, and s->member says whether the reader may have them.
 */
ngx_int_t ngx_rooms_fanout_join(ngx_rooms_reader_t *s, rooms_str_t room,
    int64_t at);
/* Call it when the reader goes, whether it has joined or not. */
void ngx_rooms_fanout_leave(ngx_rooms_reader_t *s);

#endif /* NGX_ROOMS_FANOUT_H */
