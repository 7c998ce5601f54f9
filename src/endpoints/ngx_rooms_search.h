/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_SEARCH_H
#define NGX_ROOMS_SEARCH_H

#include "ngx_rooms_request.h"


/*
 * Where the rooms are that the words of a query may find.  The result is a
 * list of rooms, from the indexes of words, and sorted sets of rooms that
 * have to be walked, since a word has too many entries there or since the
 * index lacks the rooms.  Each room still has to be read and compared with
 * the query.
 */

#define NGX_ROOMS_SEARCH_WORDS   16    /* words of a query that are counted */
#define NGX_ROOMS_SEARCH_SETS     5

/* A sorted set of rooms, or a part of it: `kind` stands before each id. */
typedef struct {
    rooms_str_t            key;
    rooms_str_t            kind;       /* or NULL */
} ngx_rooms_search_set_t;

typedef struct {
    rooms_str_t            q;          /* folded */
    ngx_rooms_search_set_t  own;       /* the rooms of the caller, or of a
                                          workspace */
    ngx_int_t              type;       /* -1: any */
    unsigned               public:1;   /* also public rooms outside of it */
    unsigned               dms:1;      /* `own` may have DMs */

    /* the result */
    rooms_str_t           *hits;       /* newest first, each once */
    ngx_uint_t             nhits;
    ngx_rooms_search_set_t  sets[NGX_ROOMS_SEARCH_SETS];
    ngx_uint_t             nsets;

    /* the rest is private */
    ngx_uint_t             step;
    rooms_str_t            words[NGX_ROOMS_SEARCH_WORDS];
    ngx_uint_t             nwords;
    rooms_str_t            listed;     /* prefix of the type's public rooms,
                                          or NULL */
    rooms_str_t            public_word;
    rooms_str_t            own_word;
    unsigned               read_public:1;
    unsigned               read_own:1;
    unsigned               read_people:1;
    rooms_str_t           *candidates; /* rooms that may be in `own` */
    ngx_uint_t             ncandidates;
} ngx_rooms_search_t;

/* Sends a round (NGX_AGAIN: call again with its replies), or ends (NGX_OK). */
ngx_int_t ngx_rooms_search(ngx_rooms_req_t *rq, ngx_rooms_search_t *s);

#endif /* NGX_ROOMS_SEARCH_H */
