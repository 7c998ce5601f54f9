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
#define NGX_ROOMS_SEARCH_OTHERS   2    /* types of rooms that other programs
                                          make, and that no index has */

/*
 * A sorted set of rooms, or a part of it: `kind` stands before each id, and a
 * "~" may follow it.
 */
typedef struct {
    rooms_str_t            key;
    rooms_str_t            kind;       /* or NULL */
    unsigned               unsure:1;   /* only its rooms that are in `own`
                                          count */
} ngx_rooms_search_set_t;

/* What the first round has counted. */
typedef struct {
    int64_t                own;
    int64_t                others[NGX_ROOMS_SEARCH_OTHERS];
    int64_t                dms;
    int64_t                listed;
    int64_t                rooms;      /* entries of the rarest word */
    int64_t                private;    /* of the word that is rarest in the
                                          caller's rooms */
    int64_t                people;     /* of the same one */
} ngx_rooms_search_counts_t;

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
    ngx_rooms_search_counts_t  counts;
    unsigned               use_public:1;  /* the index is searched */
    unsigned               use_own:1;
    unsigned               ends_public:1; /* asked for the first and the
                                             last entry */
    unsigned               ends_own:1;
    unsigned               asked_own:1;
    unsigned               read_public:1;
    unsigned               read_own:1;
    unsigned               read_people:1;
    rooms_str_t           *candidates; /* rooms that may be in `own` */
    ngx_uint_t             ncandidates;
} ngx_rooms_search_t;

/* Sends a round (NGX_AGAIN: call again with its replies), or ends (NGX_OK). */
ngx_int_t ngx_rooms_search(ngx_rooms_req_t *rq, ngx_rooms_search_t *s);

/* Asks which rooms `own` has; the reply has a score or nil for each. */
ngx_int_t ngx_rooms_search_ask_own(ngx_rooms_batch_t *b,
    const ngx_rooms_search_t *s, const rooms_str_t *ids, ngx_uint_t n,
    rooms_str_t *argv);

#endif /* NGX_ROOMS_SEARCH_H */
