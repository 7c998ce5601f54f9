/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /v1/directory/rooms and GET /v1/rooms/archived.
 *
 * Walks down one or two sorted sets of room ids, newest first, and keeps the
 * rooms that pass the filters.  The cursor is the id of the last room shown.
 * A total covers the whole list, not the page, so it takes a walk through all
 * of it.
 *
 * The first set has the caller's rooms: all of them, those of a type, the
 * invites, or, instead, those of a workspace.  The second set has public
 * rooms: all of them, or those of a type.  A query's rooms are taken from the
 * indexes of words instead of a set, if that is shorter
 * (ngx_rooms_search.c).
 */

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_pager.h"
#include "ngx_rooms_search.h"
#include "rooms_words.h"


#define NGX_ROOMS_DIRECTORY_PAGE    100   /* rooms in one round, at most */
#define NGX_ROOMS_DIRECTORY_LEAST     8   /* after the first round */
#define NGX_ROOMS_DIRECTORY_MAX    2000   /* rooms in one request without a
                                             total */
#define NGX_ROOMS_DIRECTORY_ROOM    800   /* bytes, without name and topic */
#define NGX_ROOMS_DIRECTORY_QUERY   128   /* code points */
#define NGX_ROOMS_DIRECTORY_TEXT   1792   /* code points of a name (also one
                                             that is an address), an alias
                                             and a topic */
#define NGX_ROOMS_DIRECTORY_FOLD  16384   /* bytes of folded text, after which
                                             other requests run */

typedef struct {
    int64_t              limit;
    int64_t              offset;
    rooms_str_t          cursor;          /* show rooms below it; or NULL */
    rooms_state_e        state;
    ngx_int_t            type;            /* -1: any */
    ngx_int_t            membership;      /* -1: any */
    rooms_str_t          workspace;
    rooms_str_t          q;               /* folded */
    u_char              *text;            /* buffer for one room's folded
                                             text */
    unsigned             public:1;        /* also walk public rooms */
    unsigned             count:1;         /* walk to the end, for a total */

    rooms_str_t          own;             /* prefix of the ids in the caller's
                                             index, or NULL */
    ngx_rooms_search_t   found;           /* the rooms to look at */

    rooms_str_t          after;           /* the last id looked at, or NULL */
    u_char               after_text[ROOMS_ID_MAX];
    ngx_uint_t           page;            /* ids per round */
    rooms_str_t          ids[NGX_ROOMS_DIRECTORY_PAGE];
    u_char               sure[NGX_ROOMS_DIRECTORY_PAGE];
                                          /* 0: only if the search's list has
                                             the room */
    ngx_uint_t           nids;            /* of the ids that pass so far */
    rooms_str_t          last;            /* of all ids of the round */
    ngx_uint_t           looked;
    unsigned             end:1;           /* the lists are exhausted */
    ngx_queue_t         *kept;            /* the last batch of earlier
                                             rounds, which stays */
    ngx_rooms_batch_t   *rooms;           /* rows of the ids */
    ngx_uint_t           next;            /* the id to compare with q next */
    ngx_uint_t           nmatches;
    ngx_uint_t           ndms;            /* among those that were compared */
    size_t               folded;          /* bytes in this turn */

    ngx_rooms_view_t    *views;
    ngx_uint_t           nviews;
    ngx_uint_t           held;            /* views of earlier rounds */
    size_t               size;            /* of the views in JSON, estimated */
    ngx_uint_t          *short_of;        /* views that still need a name, or
                                             a count */
    ngx_uint_t           nshort;
    rooms_str_t          shown;           /* the last id shown */
    unsigned             more:1;
    int64_t              total;
} ngx_rooms_directory_t;

typedef enum {
    NGX_ROOMS_DIRECTORY_BEGIN = 0,
    NGX_ROOMS_DIRECTORY_FIND,             /* what the words of q find */
    NGX_ROOMS_DIRECTORY_IDS,
    NGX_ROOMS_DIRECTORY_OWN,              /* which of the ids the search's
                                             list has */
    NGX_ROOMS_DIRECTORY_TEXTS,            /* only the rooms, to search for q */
    NGX_ROOMS_DIRECTORY_SEARCH,           /* names of DMs, to search for q */
    NGX_ROOMS_DIRECTORY_ROOMS,
    NGX_ROOMS_DIRECTORY_NAMES
} ngx_rooms_directory_round_e;


static ngx_int_t ngx_rooms_directory_filters(ngx_rooms_req_t *rq,
    ngx_rooms_directory_t *d);
static ngx_int_t ngx_rooms_directory_query(ngx_rooms_req_t *rq,
    ngx_rooms_directory_t *d, rooms_str_t q);
static ngx_int_t ngx_rooms_directory_walk(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_directory_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_directory_find(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_directory_ids(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_directory_look(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_directory_ask_own(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_directory_take_own(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_directory_search(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_directory_found(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_directory_read(ngx_rooms_req_t *rq,
    ngx_rooms_directory_round_e round);
static ngx_int_t ngx_rooms_directory_on(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_directory_take(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_directory_names(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_directory_ask_names(ngx_rooms_req_t *rq);


static ngx_rooms_directory_t *
ngx_rooms_directory_create(ngx_rooms_req_t *rq, rooms_state_e state)
{
    ngx_int_t               rc;
    ngx_rooms_directory_t  *d;

    d = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_directory_t));
    if (d == NULL) {
        return NULL;
    }

    d->state = state;
    d->type = -1;
    d->membership = -1;

    if (ngx_rooms_arg_int(rq, "limit", 1, 200, 50, &d->limit) != NGX_OK) {
        return NULL;
    }

    rc = ngx_rooms_arg_cursor(rq, "cursor", 'r', &d->cursor);

    if (rc == NGX_ERROR) {
        return NULL;
    }

    if (rc == NGX_OK && !rooms_id_valid(d->cursor, "room-")) {
        (void) ngx_rooms_invalid(rq, "cursor", "is not a cursor of this list");
        return NULL;
    }

    d->views = ngx_palloc(rq->pool, d->limit * sizeof(ngx_rooms_view_t));
    d->short_of = ngx_palloc(rq->pool, d->limit * sizeof(ngx_uint_t));

    if (d->views == NULL || d->short_of == NULL) {
        return NULL;
    }

    d->after = d->cursor;
    /* without filters every room looked at is shown */

    d->page = ngx_min((ngx_uint_t) d->limit + 1, NGX_ROOMS_DIRECTORY_PAGE);
    rq->data = d;

    return d;
}


ngx_int_t
ngx_rooms_directory_load(ngx_rooms_req_t *rq)
{
    ngx_rooms_directory_t  *d;

    if (rq->round == NGX_ROOMS_DIRECTORY_BEGIN) {
        d = ngx_rooms_directory_create(rq, ROOMS_OPEN);
        if (d == NULL) {
            return NGX_ERROR;
        }

        d->public = 1;

        if (ngx_rooms_directory_filters(rq, d) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_rooms_directory_walk(rq);
}


ngx_int_t
ngx_rooms_archived_load(ngx_rooms_req_t *rq)
{
    if (rq->round == NGX_ROOMS_DIRECTORY_BEGIN
        && ngx_rooms_directory_create(rq, ROOMS_ARCHIVED) == NULL)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_directory_walk(rq);
}


static ngx_int_t
ngx_rooms_directory_filters(ngx_rooms_req_t *rq, ngx_rooms_directory_t *d)
{
    rooms_str_t  s;

    if (ngx_rooms_arg_int(rq, "offset", 0, 10000, 0, &d->offset) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_rooms_arg(rq, "room_type", &s) == NGX_OK) {
        d->type = rooms_type_parse(s);

        if (d->type < 0) {
            return ngx_rooms_invalid(rq, "room_type", "is not a type of room");
        }

        d->own = ngx_rooms_join(rq->pool, s, ngx_rooms_s(" "));
    }

    if (ngx_rooms_arg(rq, "membership", &s) == NGX_OK) {
        d->membership = rooms_membership_parse(s);

        if (d->membership != ROOMS_JOIN && d->membership != ROOMS_INVITE) {
            return ngx_rooms_invalid(rq, "membership",
                                     "must be \"join\" or \"invite\"");
        }

        d->public = 0;

        if (d->membership == ROOMS_INVITE) {
            d->own = ngx_rooms_s("invite ");
        }
    }

    if (ngx_rooms_arg(rq, "workspace_id", &s) == NGX_OK) {
        d->workspace = s;

        if (d->membership < 0) {
            /*
             * the workspace's list has all of its open rooms, of members and
             * non-members
             */
            d->public = 0;
            d->own = ROOMS_NULL;
        }
    }

    if (ngx_rooms_arg(rq, "count", &s) == NGX_OK) {

        if (rooms_str_eq(s, ngx_rooms_s("true"))) {
            /* a total counts all pages, so start above the cursor */
            d->count = 1;
            d->after = ROOMS_NULL;

        } else if (!rooms_str_eq(s, ngx_rooms_s("false"))) {
            return ngx_rooms_invalid(rq, "count", "must be true or false");
        }
    }

    if (ngx_rooms_arg(rq, "q", &s) == NGX_OK
        && ngx_rooms_directory_query(rq, d, s) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (d->count) {
        d->page = NGX_ROOMS_DIRECTORY_PAGE;
    }

    return rq->error == ROOMS_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_directory_query(ngx_rooms_req_t *rq, ngx_rooms_directory_t *d,
    rooms_str_t q)
{
    size_t        size;
    u_char       *p;
    rooms_buf_t   b;

    if (rooms_utf8_length(q) > NGX_ROOMS_DIRECTORY_QUERY) {
        return ngx_rooms_invalid(rq, "q", "must be at most 128 characters");
    }

    size = ROOMS_FOLD_SIZE(NGX_ROOMS_DIRECTORY_QUERY);

    p = ngx_palloc(rq->pool, size + ROOMS_FOLD_SIZE(NGX_ROOMS_DIRECTORY_TEXT));
    if (p == NULL) {
        return NGX_ERROR;
    }

    rooms_buf_init(&b, p, size);
    rooms_fold(&b, q);

    d->q = (rooms_str_t) { b.last - p, p };
    d->text = p + size;

    return NGX_OK;
}


/*
 * Each case handles the replies of one round, until the page is full or all
 * is counted.
 */
static ngx_int_t
ngx_rooms_directory_walk(ngx_rooms_req_t *rq)
{
    switch (rq->round) {

    case NGX_ROOMS_DIRECTORY_BEGIN:
        return ngx_rooms_directory_begin(rq);

    case NGX_ROOMS_DIRECTORY_FIND:
        return ngx_rooms_directory_find(rq);

    case NGX_ROOMS_DIRECTORY_IDS:
        return ngx_rooms_directory_look(rq);

    case NGX_ROOMS_DIRECTORY_OWN:
        return ngx_rooms_directory_take_own(rq);

    case NGX_ROOMS_DIRECTORY_TEXTS:
        return ngx_rooms_directory_search(rq);

    case NGX_ROOMS_DIRECTORY_SEARCH:
        return ngx_rooms_directory_found(rq);

    case NGX_ROOMS_DIRECTORY_ROOMS:
        return ngx_rooms_directory_take(rq);

    default:
        return ngx_rooms_directory_names(rq);
    }
}


/* Chooses the sets that are walked, or asks the search for them. */
static ngx_int_t
ngx_rooms_directory_begin(ngx_rooms_req_t *rq)
{
    ngx_rooms_search_t     *f;
    ngx_rooms_directory_t  *d;

    d = rq->data;
    f = &d->found;

    if (d->workspace.data && d->membership < 0) {
        f->own.key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_WORKSPACE_ROOMS,
                                   d->workspace);

    } else {
        f->own.key = ngx_rooms_key(&rq->keys,
                                   d->own.data ? NGX_ROOMS_KEY_USER_KINDS
                                               : NGX_ROOMS_KEY_USER_ROOMS,
                                   rq->principal.sub);

        /* both sides of a DM have joined it */
        f->dms = d->membership != ROOMS_INVITE;
    }

    f->own.kind = d->own;
    f->type = d->type;
    f->public = d->public;
    f->q = d->q;

    if (d->q.len) {
        rq->round = NGX_ROOMS_DIRECTORY_FIND;
        return ngx_rooms_directory_find(rq);
    }

    f->sets[f->nsets++] = f->own;

    if (d->public && d->type >= 0) {
        f->sets[f->nsets].key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_WORDS,
                                              ngx_rooms_s("rooms"));
        f->sets[f->nsets++].kind = ngx_rooms_join(rq->pool, ngx_rooms_s("*"),
                                                  d->own);

    } else if (d->public) {
        f->sets[f->nsets++].key = ngx_rooms_key(&rq->keys,
                                                NGX_ROOMS_KEY_PUBLIC,
                                                ROOMS_NULL);
    }

    return ngx_rooms_directory_ids(rq);
}


static ngx_int_t
ngx_rooms_directory_find(ngx_rooms_req_t *rq)
{
    ngx_int_t               rc;
    ngx_rooms_directory_t  *d;

    d = rq->data;
    rc = ngx_rooms_search(rq, &d->found);

    if (rc != NGX_OK) {
        return rc;
    }

    return d->found.nhits || d->found.nsets ? ngx_rooms_directory_ids(rq)
                                            : ngx_rooms_directory_names(rq);
}


/* A page of a set's ids, newest first. */
static void
ngx_rooms_directory_ask_ids(ngx_rooms_directory_t *d, ngx_rooms_batch_t *b,
    const ngx_rooms_search_set_t *set)
{
    rooms_str_t  from, to, kind;

    kind = set->kind;

    from = d->after.data
           ? ngx_rooms_join(b->pool, ngx_rooms_s("("), kind, d->after)
           : kind.data ? ngx_rooms_join(b->pool, ngx_rooms_s("("), kind,
                                        ngx_rooms_s("\xff"))
                       : ngx_rooms_s("+");
    to = kind.data ? ngx_rooms_join(b->pool, ngx_rooms_s("["), kind)
                   : ngx_rooms_s("-");

    (void) ngx_rooms_command(b, ngx_rooms_s("ZREVRANGEBYLEX"), set->key, from,
                             to, ngx_rooms_s("LIMIT"), ngx_rooms_s("0"),
                             ngx_rooms_number(b->pool, d->page));
}


static ngx_int_t
ngx_rooms_directory_ids(ngx_rooms_req_t *rq)
{
    ngx_uint_t              i;
    ngx_rooms_keys_t        keys;
    ngx_rooms_batch_t      *b;
    ngx_rooms_directory_t  *d;

    d = rq->data;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    /* from here on, what the rounds read can be dropped together */

    d->kept = ngx_queue_last(&rq->batches);

    keys = rq->keys;
    keys.pool = b->pool;

    for (i = 0; i < d->found.nsets; i++) {
        ngx_rooms_directory_ask_ids(d, b, &d->found.sets[i]);
    }

    rq->at_usual = b->commands.nelts;

    if (rq->usual == NGX_ROOMS_MODE_INHERIT) {
        (void) ngx_rooms_usual_load(b, &keys, rq->principal.sub);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_DIRECTORY_IDS;

    return b->commands.nelts ? ngx_rooms_send(rq)
                             : ngx_rooms_directory_look(rq);
}


static ngx_int_t
ngx_rooms_str_compare(rooms_str_t a, rooms_str_t b)
{
    ngx_int_t  rc;

    rc = ngx_memcmp(a.data, b.data, ngx_min(a.len, b.len));

    return rc ? rc : (ngx_int_t) a.len - (ngx_int_t) b.len;
}


/* Ids of one list, below those of the previous round. */
typedef struct {
    redisReply   *reply;                  /* NULL: a list of hits */
    size_t        kind;                   /* length of the prefix of each id */
    rooms_str_t  *hits;
    size_t        n;
    size_t        i;                      /* the next one */
    unsigned      unsure:1;
    unsigned      cut:1;                  /* the list may go on behind these */
} ngx_rooms_directory_list_t;


static void
ngx_rooms_directory_list(ngx_rooms_directory_t *d,
    ngx_rooms_directory_list_t *list, redisReply *reply,
    const ngx_rooms_search_set_t *set)
{
    ngx_memzero(list, sizeof(ngx_rooms_directory_list_t));

    list->reply = reply;
    list->kind = set->kind.len;
    list->unsure = set->unsure;
    list->n = reply->elements;
    list->cut = list->n == d->page;
}


/* The hits of a search below `after`.  They are all in memory. */
static void
ngx_rooms_directory_list_hits(ngx_rooms_directory_t *d,
    ngx_rooms_directory_list_t *list)
{
    ngx_uint_t           i;
    ngx_rooms_search_t  *f;

    ngx_memzero(list, sizeof(ngx_rooms_directory_list_t));
    f = &d->found;

    for (i = 0; i < f->nhits && d->after.data
                && ngx_rooms_str_compare(f->hits[i], d->after) >= 0; i++)
    {
        /* void */
    }

    list->hits = f->hits + i;
    list->n = f->nhits - i;
}


static rooms_str_t
ngx_rooms_directory_next(const ngx_rooms_directory_list_t *list)
{
    rooms_str_t  s;

    if (list->i >= list->n) {
        return ROOMS_NULL;
    }

    if (list->reply == NULL) {
        return list->hits[list->i];
    }

    s = ngx_rooms_reply_str(list->reply->element[list->i]);

    if (s.len < list->kind) {
        return s;
    }

    s.data += list->kind;
    s.len -= list->kind;

    if (s.len && s.data[s.len - 1] == '~') {
        s.len--;
    }

    return s;
}


/*
 * Merges the lists, newest first, each room once.  If a list was cut at the
 * page's size, the others may have ids that belong behind its unread ones, so
 * the merged page ends at its last id.
 */
static void
ngx_rooms_directory_merge(ngx_rooms_directory_t *d,
    ngx_rooms_directory_list_t *lists, ngx_uint_t n)
{
    ngx_uint_t   i;
    rooms_str_t  id, newest;

    d->nids = 0;

    for ( ;; ) {
        newest = ROOMS_NULL;

        for (i = 0; i < n; i++) {
            id = ngx_rooms_directory_next(&lists[i]);

            if (id.data == NULL && lists[i].cut) {
                return;
            }

            if (id.data && (newest.data == NULL
                            || ngx_rooms_str_compare(id, newest) > 0))
            {
                newest = id;
            }
        }

        if (newest.data == NULL) {
            d->end = 1;
            return;
        }

        if (d->nids == d->page) {
            return;
        }

        d->ids[d->nids] = newest;
        d->sure[d->nids] = 0;

        for (i = 0; i < n; i++) {
            while (rooms_str_eq(ngx_rooms_directory_next(&lists[i]), newest)) {
                d->sure[d->nids] |= !lists[i].unsure;
                lists[i].i++;
            }
        }

        d->nids++;
    }
}


static ngx_int_t
ngx_rooms_directory_look(ngx_rooms_req_t *rq)
{
    ngx_uint_t                   i, n;
    ngx_rooms_directory_t       *d;
    ngx_rooms_directory_list_t   lists[NGX_ROOMS_SEARCH_SETS + 1];

    d = rq->data;
    n = d->found.nsets;

    for (i = 0; i < n; i++) {
        ngx_rooms_directory_list(d, &lists[i], ngx_rooms_reply(rq, i),
                                 &d->found.sets[i]);
    }

    if (d->found.nhits) {
        ngx_rooms_directory_list_hits(d, &lists[n++]);
    }

    if (rq->usual == NGX_ROOMS_MODE_INHERIT && rq->batch->commands.nelts) {
        rq->usual = ngx_rooms_usual_take(ngx_rooms_reply(rq, rq->at_usual));
    }

    ngx_rooms_directory_merge(d, lists, n);

    if (d->nids == 0) {
        return ngx_rooms_directory_names(rq);
    }

    d->last = d->ids[d->nids - 1];
    d->looked += d->nids;

    return d->q.len ? ngx_rooms_directory_ask_own(rq)
                    : ngx_rooms_directory_read(rq, NGX_ROOMS_DIRECTORY_ROOMS);
}


/* An index has rooms of everybody: keeps those that the caller's list has. */
static ngx_int_t
ngx_rooms_directory_ask_own(ngx_rooms_req_t *rq)
{
    ngx_uint_t              i, n;
    rooms_str_t             ids[NGX_ROOMS_DIRECTORY_PAGE];
    rooms_str_t             argv[NGX_ROOMS_DIRECTORY_PAGE + 3];
    ngx_rooms_directory_t  *d;

    d = rq->data;

    for (i = 0, n = 0; i < d->nids; i++) {
        if (!d->sure[i]) {
            ids[n++] = d->ids[i];
        }
    }

    if (n == 0) {
        return ngx_rooms_directory_read(rq, NGX_ROOMS_DIRECTORY_TEXTS);
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_search_ask_own(rq->batch, &d->found, ids, n, argv)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_DIRECTORY_OWN;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_directory_take_own(ngx_rooms_req_t *rq)
{
    ngx_uint_t              i, n, asked;
    redisReply             *reply;
    ngx_rooms_directory_t  *d;

    d = rq->data;
    reply = ngx_rooms_reply(rq, 0);

    for (i = 0, n = 0, asked = 0; i < d->nids; i++) {

        if (!d->sure[i]
            && ngx_rooms_reply_str_at(reply, asked++)
               .data == NULL)
        {
            continue;
        }

        d->ids[n++] = d->ids[i];
    }

    d->nids = n;

    return n ? ngx_rooms_directory_read(rq, NGX_ROOMS_DIRECTORY_TEXTS)
             : ngx_rooms_directory_on(rq);
}


/*
 * Reads the rooms.  A search first reads only the row of each, without the
 * viewer's part.
 */
static ngx_int_t
ngx_rooms_directory_read(ngx_rooms_req_t *rq,
    ngx_rooms_directory_round_e round)
{
    ngx_uint_t              i;
    ngx_rooms_keys_t        keys;
    ngx_rooms_batch_t      *b;
    ngx_rooms_directory_t  *d;

    d = rq->data;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    keys = rq->keys;
    keys.pool = b->pool;

    for (i = 0; i < d->nids; i++) {

        if ((round == NGX_ROOMS_DIRECTORY_TEXTS
             ? ngx_rooms_load_room(b, &keys, d->ids[i])
             : ngx_rooms_view_load(b, &keys, d->ids[i], rq->principal.sub))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    d->rooms = b;

    return ngx_rooms_send_round(rq, round);
}


/* The filters that depend only on the room. */
static ngx_uint_t
ngx_rooms_directory_wanted(ngx_rooms_directory_t *d, const rooms_room_t *room)
{
    return room->state == d->state
           && (d->type < 0 || (ngx_int_t) room->type == d->type)
           && (d->workspace.data == NULL
               || rooms_str_eq(room->workspace, d->workspace));
}


/*
 * All filters except the search.  The ids were read before the rows, so a
 * viewer who was removed in between no longer sees the room.
 */
static ngx_uint_t
ngx_rooms_directory_passes(ngx_rooms_directory_t *d,
    const ngx_rooms_view_t *v)
{
    return v->exists && ngx_rooms_directory_wanted(d, &v->room)
           && rooms_sees(&v->room, &v->me, 0)
           && (d->membership < 0
               || (ngx_int_t) v->me.membership == d->membership);
}


static ngx_uint_t
ngx_rooms_directory_matches(ngx_rooms_directory_t *d,
    const ngx_rooms_view_t *v)
{
    rooms_buf_t  b;

    rooms_buf_init(&b, d->text, ROOMS_FOLD_SIZE(NGX_ROOMS_DIRECTORY_TEXT));

    rooms_fold(&b, v->name);
    rooms_fold(&b, v->room.alias);
    rooms_fold(&b, v->room.topic);

    d->folded += b.last - b.start;

    return rooms_fold_match((rooms_str_t) { b.last - b.start, b.start },
                            d->q);
}


/* One broken room must not hide the others. */
static void
ngx_rooms_directory_broken(ngx_rooms_req_t *rq, rooms_str_t id)
{
    ngx_log_error(NGX_LOG_ERR, rq->r->connection->log, 0,
                  "rooms: the store has invalid data for room \"%*s\"",
                  id.len, id.data);
}


/* A room for the search: its row only. */
static ngx_int_t
ngx_rooms_directory_text(ngx_rooms_req_t *rq, ngx_uint_t i,
    ngx_rooms_view_t *view)
{
    ngx_int_t               rc;
    ngx_rooms_directory_t  *d;

    d = rq->data;
    ngx_memzero(view, sizeof(ngx_rooms_view_t));

    rc = ngx_rooms_parse_room(d->rooms->replies[i], d->ids[i], &view->room);
    view->name = view->room.name;

    if (rc == NGX_ERROR) {
        ngx_rooms_directory_broken(rq, d->ids[i]);
    }

    return rc == NGX_OK && ngx_rooms_directory_wanted(d, &view->room)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_rooms_directory_view(ngx_rooms_req_t *rq, ngx_uint_t i,
    ngx_rooms_view_t *view)
{
    ngx_rooms_directory_t  *d;

    d = rq->data;

    if (ngx_rooms_view_parse(d->rooms, i * NGX_ROOMS_VIEW_COMMANDS, d->ids[i],
                             rq->principal.sub, view)
        != NGX_OK)
    {
        ngx_rooms_directory_broken(rq, d->ids[i]);
        return NGX_DECLINED;
    }

    return ngx_rooms_directory_passes(d, view) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_rooms_directory_ask_name(ngx_rooms_req_t *rq, const ngx_rooms_view_t *v)
{
    return ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL,
                         ngx_rooms_view_other(v, rq->principal.sub));
}


static ngx_int_t
ngx_rooms_directory_take_name(ngx_rooms_req_t *rq, ngx_uint_t i,
    ngx_rooms_view_t *v)
{
    ngx_rooms_profile_t  profile;

    (void) ngx_rooms_show_profile(rq->pool, rq->r->connection->log,
                                ngx_rooms_reply_str(ngx_rooms_reply(rq, i)),
                                ngx_rooms_view_other(v, rq->principal.sub),
                                &profile);

    v->name = profile.name;

    return NGX_OK;
}


/* A DM is searched by the name that the viewer sees. */
static ngx_int_t
ngx_rooms_directory_search(ngx_rooms_req_t *rq)
{
    ngx_uint_t              i;
    ngx_rooms_view_t        view;
    ngx_rooms_directory_t  *d;

    d = rq->data;

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < d->nids; i++) {

        if (ngx_rooms_directory_text(rq, i, &view) == NGX_OK
            && view.room.type == ROOMS_DM
            && ngx_rooms_directory_ask_name(rq, &view) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    d->next = 0;
    d->nmatches = 0;
    d->ndms = 0;

    rq->round = NGX_ROOMS_DIRECTORY_SEARCH;

    return rq->batch->commands.nelts ? ngx_rooms_send(rq)
                                     : ngx_rooms_directory_found(rq);
}


/* How many more rooms the page takes, with one that tells of the next. */
static ngx_uint_t
ngx_rooms_directory_left(const ngx_rooms_directory_t *d)
{
    return d->count ? NGX_ROOMS_DIRECTORY_PAGE
                    : d->limit - d->nviews + d->offset + 1;
}


/*
 * Reads the matching rooms in full, as many as the page takes.  Long texts are
 * compared in several turns.
 */
static ngx_int_t
ngx_rooms_directory_found(ngx_rooms_req_t *rq)
{
    ngx_uint_t              i, n, left;
    ngx_rooms_view_t        view;
    ngx_rooms_directory_t  *d;

    d = rq->data;
    d->folded = 0;
    rq->paused = 0;

    while (d->next < d->nids) {

        if (d->folded >= NGX_ROOMS_DIRECTORY_FOLD) {
            return ngx_rooms_pause(rq, 0);
        }

        i = d->next++;

        if (ngx_rooms_directory_text(rq, i, &view) != NGX_OK) {
            continue;
        }

        if (view.room.type == ROOMS_DM
            && ngx_rooms_directory_take_name(rq, d->ndms++, &view) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_rooms_directory_matches(d, &view)) {
            d->ids[d->nmatches++] = d->ids[i];
        }
    }

    n = d->nmatches;
    left = ngx_rooms_directory_left(d);

    if (n > left) {
        /* the others may be read if one of these doesn't pass */
        n = left;
        d->last = d->ids[n - 1];
        d->end = 0;
    }

    d->nids = n;

    return n ? ngx_rooms_directory_read(rq, NGX_ROOMS_DIRECTORY_ROOMS)
             : ngx_rooms_directory_on(rq);
}


/* NGX_DONE: the page is full, and no total is wanted. */
static ngx_int_t
ngx_rooms_directory_put(ngx_rooms_directory_t *d, rooms_str_t id,
    const ngx_rooms_view_t *view)
{
    d->total++;

    if (d->count && d->cursor.data
        && ngx_rooms_str_compare(id, d->cursor) >= 0)
    {
        return NGX_OK;
    }

    if (d->offset > 0) {
        d->offset--;
        return NGX_OK;
    }

    if ((int64_t) d->nviews == d->limit || d->size >= NGX_ROOMS_PAGE_SIZE) {
        d->more = 1;
        return d->count ? NGX_OK : NGX_DONE;
    }

    if (view->room.type == ROOMS_DM || ngx_rooms_view_redacted(view)) {
        d->short_of[d->nshort++] = d->nviews;
    }

    d->views[d->nviews++] = *view;

    /* an escape at most doubles them: they have no control characters */

    d->size += NGX_ROOMS_DIRECTORY_ROOM + 2 * view->name.len
               + 2 * view->room.topic.len;
    d->shown = id;

    return NGX_OK;
}


static void
ngx_rooms_directory_drop(ngx_rooms_req_t *rq, ngx_rooms_directory_t *d)
{
    ngx_queue_t        *q;
    ngx_rooms_batch_t  *b;

    ngx_rooms_batch_free(rq->batch);
    rq->batch = NULL;

    for (q = ngx_queue_last(&rq->batches); q != d->kept;
         q = ngx_queue_last(&rq->batches))
    {
        ngx_queue_remove(q);
        b = ngx_queue_data(q, ngx_rooms_batch_t, queue);
        ngx_rooms_batch_free(b);
    }
}


static ngx_int_t
ngx_rooms_directory_take(ngx_rooms_req_t *rq)
{
    ngx_uint_t              i;
    ngx_rooms_view_t        view;
    ngx_rooms_directory_t  *d;

    d = rq->data;

    for (i = 0; i < d->nids; i++) {

        if (ngx_rooms_directory_view(rq, i, &view) != NGX_OK) {
            continue;
        }

        if (ngx_rooms_directory_put(d, d->ids[i], &view) == NGX_DONE) {
            return ngx_rooms_directory_names(rq);
        }
    }

    return ngx_rooms_directory_on(rq);
}


/* Continues below the last room that was looked at, if necessary. */
static ngx_int_t
ngx_rooms_directory_on(ngx_rooms_req_t *rq)
{
    size_t                  len;
    ngx_uint_t              shown;
    ngx_rooms_directory_t  *d;

    d = rq->data;
    shown = d->nviews - d->held;

    /* an entry that is longer than an id is none: skips some of its kind */

    len = ngx_min(d->last.len, sizeof(d->after_text));
    ngx_memcpy(d->after_text, d->last.data, len);
    d->after = (rooms_str_t) { len, d->after_text };

    if (d->nviews == d->held) {
        /* a long walk keeps only the batches of the rooms it shows */
        ngx_rooms_directory_drop(rq, d);
    }

    d->held = d->nviews;

    if (d->end) {
        return ngx_rooms_directory_names(rq);
    }

    if (d->looked >= NGX_ROOMS_DIRECTORY_MAX && !d->count) {
        /* enough for one request: the next page continues from here */
        d->more = 1;
        d->shown = d->after;
        return ngx_rooms_directory_names(rq);
    }

    /* where most rooms are shown, the next ones fill the page */

    d->page = 2 * shown > d->page
              ? ngx_max(2 * ngx_rooms_directory_left(d),
                        NGX_ROOMS_DIRECTORY_LEAST)
              : 2 * d->page;
    d->page = ngx_min(d->page, NGX_ROOMS_DIRECTORY_PAGE);

    return ngx_rooms_directory_ids(rq);
}


/*
 * A DM is named after the other participant, and unread messages are counted
 * without those that were redacted.
 */
static ngx_int_t
ngx_rooms_directory_names(ngx_rooms_req_t *rq)
{
    ngx_uint_t              i, n;
    ngx_rooms_view_t       *v;
    ngx_rooms_directory_t  *d;

    d = rq->data;

    if (d->nshort == 0) {
        return NGX_OK;
    }

    if (rq->round != NGX_ROOMS_DIRECTORY_NAMES) {
        return ngx_rooms_directory_ask_names(rq);
    }

    for (i = 0, n = 0; i < d->nshort; i++) {
        v = &d->views[d->short_of[i]];

        if (v->room.type == ROOMS_DM
            && ngx_rooms_directory_take_name(rq, n++, v) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_rooms_view_redacted(v)) {
            ngx_rooms_view_take_redacted(v, ngx_rooms_reply(rq, n++));
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_directory_ask_names(ngx_rooms_req_t *rq)
{
    ngx_uint_t              i;
    ngx_rooms_view_t       *v;
    ngx_rooms_directory_t  *d;

    d = rq->data;

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < d->nshort; i++) {
        v = &d->views[d->short_of[i]];

        if (v->room.type == ROOMS_DM) {
            (void) ngx_rooms_directory_ask_name(rq, v);
        }

        if (ngx_rooms_view_redacted(v)) {
            (void) ngx_rooms_view_ask_redacted(rq->batch, &rq->keys, v);
        }
    }

    return rq->batch->failed ? NGX_ERROR
                             : ngx_rooms_send_round(rq,
                                                 NGX_ROOMS_DIRECTORY_NAMES);
}


ngx_int_t
ngx_rooms_directory_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t              i;
    rooms_buf_t            *b;
    ngx_rooms_directory_t  *d;

    d = rq->data;

    ngx_rooms_list_open(rq);

    b = ngx_rooms_out(&rq->out);

    for (i = 0; i < d->nviews; i++) {
        rooms_json_raw(b, ",", i > 0);

        d->views[i].usual = rq->usual;
        ngx_rooms_view_json(b, &d->views[i], &rq->conf->server_name, rq->now);
    }

    ngx_rooms_list_close_total(rq, d->more, d->more
                               ? ngx_rooms_cursor(rq->pool, 'r', d->shown)
                               : ROOMS_NULL, d->count ? d->total : -1);

    return NGX_OK;
}
