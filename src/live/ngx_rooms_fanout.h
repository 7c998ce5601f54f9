/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_FANOUT_H
#define NGX_ROOMS_FANOUT_H

#include "ngx_rooms_look.h"


/*
 * Readers of a worker who were told of the same room: its news are read once
 * for all of them, and their rows of membership by one command.
 */

/* Bytes on their way to one client or to many. */
typedef struct {
    ngx_uint_t                refs;
    rooms_str_t               bytes;
} ngx_rooms_text_t;

/* NULL: no memory; it has one reference. */
ngx_rooms_text_t *ngx_rooms_text_create(size_t len);
void ngx_rooms_text_release(ngx_rooms_text_t *text);


#define NGX_ROOMS_NEWS_TEXTS  3           /* one for each transport */

/* A room's events, as they were read for all; freed with the last reader. */
struct ngx_rooms_news_s {
    ngx_uint_t                refs;
    ngx_pool_t               *pool;
    ngx_rooms_reader_event_t *events;
    ngx_uint_t                nevents;
    int64_t                   at;         /* all up to there is here */
    ngx_rooms_text_t         *texts[NGX_ROOMS_NEWS_TEXTS];
};

void ngx_rooms_news_release(ngx_rooms_news_t *news);


/*
 * Joins those who wait for that room's events up to a position, behind
 * s->from.  The reader's step is called again when they are read: s->news is
 * NULL if that can't be done, and s->member says whether it may have them.
 */
ngx_int_t ngx_rooms_fanout_join(ngx_rooms_reader_t *s, rooms_str_t room,
    int64_t at);
/* The reader goes; it may have joined or not. */
void ngx_rooms_fanout_leave(ngx_rooms_reader_t *s);

#endif /* NGX_ROOMS_FANOUT_H */
