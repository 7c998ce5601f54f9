/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Searching rooms by words.
 *
 * A room that matches has an entry of each word of the query, so the entries
 * of one word suffice: those of the rarest.  Public rooms have an index of
 * their own.  The other index has the rooms of everybody, so the caller's
 * list is asked which of them it has.  A DM is named after its other side,
 * so the index of participants finds it.
 *
 * Entries that begin with a word aren't sorted by room, so all of them are
 * read.  If there are many, and all are of one word, they are sorted: then
 * they are walked, page by page.  If there are too many, or more than the list
 * has rooms, the list is walked instead: many of its rooms match, or else the
 * walk is as long as it would be without an index.
 *
 * Whether rooms of others have a word must not show in the time an answer
 * takes.  So the index is read and the list is asked also for a word without
 * entries, and a caller with few rooms doesn't use the index.
 */

#include "ngx_rooms_search.h"
#include "rooms_words.h"


#define NGX_ROOMS_SEARCH_FEW     16    /* rooms that are walked in any case */
#define NGX_ROOMS_SEARCH_HITS  1000    /* entries that are read together */
#define NGX_ROOMS_SEARCH_PAGE   128    /* entries that are read in any case */

typedef enum {
    NGX_ROOMS_SEARCH_COUNT = 0,
    NGX_ROOMS_SEARCH_CHOOSE,
    NGX_ROOMS_SEARCH_READ,
    NGX_ROOMS_SEARCH_CHECK,
    NGX_ROOMS_SEARCH_TAKE
} ngx_rooms_search_step_e;

static const rooms_type_e  ngx_rooms_search_others[NGX_ROOMS_SEARCH_OTHERS]
    = { ROOMS_SIDEKICK, ROOMS_BRIDGE };


static ngx_int_t ngx_rooms_search_count(ngx_rooms_req_t *rq,
    ngx_rooms_search_t *s);
static ngx_int_t ngx_rooms_search_choose(ngx_rooms_req_t *rq,
    ngx_rooms_search_t *s);
static ngx_int_t ngx_rooms_search_read(ngx_rooms_req_t *rq,
    ngx_rooms_search_t *s);
static ngx_int_t ngx_rooms_search_check(ngx_rooms_req_t *rq,
    ngx_rooms_search_t *s);
static ngx_int_t ngx_rooms_search_take(ngx_rooms_req_t *rq,
    ngx_rooms_search_t *s);


ngx_int_t
ngx_rooms_search(ngx_rooms_req_t *rq, ngx_rooms_search_t *s)
{
    switch (s->step++) {

    case NGX_ROOMS_SEARCH_COUNT:
        return ngx_rooms_search_count(rq, s);

    case NGX_ROOMS_SEARCH_CHOOSE:
        return ngx_rooms_search_choose(rq, s);

    case NGX_ROOMS_SEARCH_READ:
        return ngx_rooms_search_read(rq, s);

    case NGX_ROOMS_SEARCH_CHECK:
        return ngx_rooms_search_check(rq, s);

    default:
        return ngx_rooms_search_take(rq, s);
    }
}


static rooms_str_t
ngx_rooms_search_key(ngx_rooms_req_t *rq, ngx_rooms_key_e kind,
    const char *which)
{
    return ngx_rooms_key(&rq->keys, kind, rooms_cstr(which));
}


static rooms_str_t
ngx_rooms_search_kind(ngx_rooms_req_t *rq, rooms_type_e type)
{
    return ngx_rooms_join(rq->pool, rooms_cstr(rooms_type_name(type)),
                          ngx_rooms_s(" "));
}


static void
ngx_rooms_search_ask(ngx_rooms_req_t *rq, rooms_str_t key, rooms_str_t prefix)
{
    if (prefix.data == NULL) {
        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("ZCARD"), key);
        return;
    }

    (void) ngx_rooms_ask(rq->batch, &rq->keys, "ZLEXCOUNT %s [%s (%s\xff",
                         key, prefix, prefix);
}


/* Whether the search is for rooms of this type, among others. */
static ngx_uint_t
ngx_rooms_search_for(const ngx_rooms_search_t *s, rooms_type_e type)
{
    return s->type < 0 || s->type == (ngx_int_t) type;
}


/*
 * Asks how many rooms each list has, and how many entries each word.  The
 * replies come in the order in which ngx_rooms_search_counted() takes them.
 */
static ngx_int_t
ngx_rooms_search_count(ngx_rooms_req_t *rq, ngx_rooms_search_t *s)
{
    ngx_uint_t    i;
    rooms_str_t   rest, word, kinds, rooms, private, people;

    rest = s->q;

    while (s->nwords < NGX_ROOMS_SEARCH_WORDS) {
        word = rooms_words_next(&rest);

        if (word.data == NULL) {
            break;
        }

        s->words[s->nwords++] = word;
    }

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    kinds = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_USER_KINDS,
                          rq->principal.sub);
    rooms = ngx_rooms_search_key(rq, NGX_ROOMS_KEY_WORDS, "rooms");
    private = ngx_rooms_search_key(rq, NGX_ROOMS_KEY_WORDS, "private");
    people = ngx_rooms_search_key(rq, NGX_ROOMS_KEY_WORDS, "people");

    s->dms = s->dms && ngx_rooms_search_for(s, ROOMS_DM);

    ngx_rooms_search_ask(rq, s->own.key, s->own.kind);

    for (i = 0; i < NGX_ROOMS_SEARCH_OTHERS; i++) {
        ngx_rooms_search_ask(rq, kinds, ngx_rooms_search_kind(rq,
                                              ngx_rooms_search_others[i]));
    }

    if (s->dms) {
        ngx_rooms_search_ask(rq, kinds, ngx_rooms_search_kind(rq, ROOMS_DM));
    }

    if (s->public && s->type >= 0) {
        s->listed = ngx_rooms_join(rq->pool, ngx_rooms_s("*"),
                                   ngx_rooms_search_kind(rq, s->type));
        ngx_rooms_search_ask(rq, rooms, s->listed);
    }

    for (i = 0; i < s->nwords; i++) {
        ngx_rooms_search_ask(rq, rooms, s->words[i]);
        ngx_rooms_search_ask(rq, private, s->words[i]);

        if (s->dms) {
            ngx_rooms_search_ask(rq, people, s->words[i]);
        }
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send(rq);
}


static ngx_rooms_search_set_t *
ngx_rooms_search_walk(ngx_rooms_search_t *s, rooms_str_t key,
    rooms_str_t kind)
{
    ngx_rooms_search_set_t  *set;

    set = &s->sets[s->nsets++];
    set->key = key;
    set->kind = kind;

    return set;
}


static int64_t
ngx_rooms_search_next(ngx_rooms_req_t *rq, ngx_uint_t *n)
{
    return ngx_rooms_reply_int(ngx_rooms_reply(rq, (*n)++), 0);
}


static void
ngx_rooms_search_counted(ngx_rooms_req_t *rq, ngx_rooms_search_t *s)
{
    int64_t     rooms, private, people, least;
    ngx_uint_t  i, n;

    ngx_rooms_search_counts_t  *c;

    n = 0;
    c = &s->counts;
    c->own = ngx_rooms_search_next(rq, &n);

    for (i = 0; i < NGX_ROOMS_SEARCH_OTHERS; i++) {
        c->others[i] = ngx_rooms_search_next(rq, &n);
    }

    c->dms = s->dms ? ngx_rooms_search_next(rq, &n) : 0;
    c->listed = s->listed.data ? ngx_rooms_search_next(rq, &n) : INT64_MAX;
    c->rooms = INT64_MAX;
    c->private = 0;
    c->people = 0;
    least = INT64_MAX;

    for (i = 0; i < s->nwords; i++) {
        rooms = ngx_rooms_search_next(rq, &n);
        private = ngx_rooms_search_next(rq, &n);
        people = s->dms ? ngx_rooms_search_next(rq, &n) : 0;

        if (rooms < c->rooms) {
            c->rooms = rooms;
            s->public_word = s->words[i];
        }

        /* all DMs may be walked instead of those of the people */

        if (private + ngx_min(people, c->dms) < least) {
            least = private + ngx_min(people, c->dms);
            c->private = private;
            c->people = people;
            s->own_word = s->words[i];
        }
    }
}


/* The first and the last entry of a word. */
static void
ngx_rooms_search_ask_ends(ngx_rooms_req_t *rq, const char *index,
    rooms_str_t word)
{
    (void) ngx_rooms_ask(rq->batch, &rq->keys,
                         "ZRANGEBYLEX %k [%s (%s\xff LIMIT 0 1",
                         NGX_ROOMS_KEY_WORDS, rooms_cstr(index), word, word);
    (void) ngx_rooms_ask(rq->batch, &rq->keys,
                         "ZREVRANGEBYLEX %k (%s\xff [%s LIMIT 0 1",
                         NGX_ROOMS_KEY_WORDS, rooms_cstr(index), word, word);
}


/*
 * Chooses between an index and a walk through a list.  Public rooms needn't
 * be in the list; but if only those of the list are wanted, their index and
 * the other one are compared with it.
 */
static ngx_int_t
ngx_rooms_search_choose(ngx_rooms_req_t *rq, ngx_rooms_search_t *s)
{
    int64_t                     entries;
    ngx_rooms_search_counts_t  *c;

    ngx_rooms_search_counted(rq, s);

    c = &s->counts;

    if (!s->public || c->rooms == 0 || c->listed == 0) {
        /* void */

    } else if (c->listed < c->rooms) {
        (void) ngx_rooms_search_walk(s, ngx_rooms_search_key(rq,
                                                NGX_ROOMS_KEY_WORDS, "rooms"),
                                     s->listed);

    } else {
        s->use_public = 1;
    }

    entries = c->private + (s->public ? 0 : c->rooms);

    if (c->own == 0) {
        /* void */

    } else if (c->own <= NGX_ROOMS_SEARCH_FEW || s->own_word.len == 0
               || entries > c->own
               || s->type == ROOMS_SIDEKICK || s->type == ROOMS_BRIDGE)
    {
        (void) ngx_rooms_search_walk(s, s->own.key, s->own.kind);

    } else {
        s->use_own = 1;
        s->use_public |= !s->public && c->rooms > 0;
    }

    s->ends_public = s->use_public && c->rooms > NGX_ROOMS_SEARCH_PAGE;
    s->ends_own = s->use_own && c->private > NGX_ROOMS_SEARCH_PAGE;

    if (!s->ends_public && !s->ends_own) {
        s->step++;
        return ngx_rooms_search_read(rq, s);
    }

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    if (s->ends_public) {
        ngx_rooms_search_ask_ends(rq, "rooms", s->public_word);
    }

    if (s->ends_own) {
        ngx_rooms_search_ask_ends(rq, "private", s->own_word);
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send(rq);
}


/* "WORD " of an entry "WORD ID". */
static rooms_str_t
ngx_rooms_search_word(redisReply *reply)
{
    rooms_str_t  entry;

    entry = ngx_rooms_reply_str_at(reply, 0);

    while (entry.len && entry.data[entry.len - 1] != ' ') {
        entry.len--;
    }

    return entry.len ? entry : ROOMS_NULL;
}


/*
 * Entries of one word are sorted by room, so a word that all of them have is
 * a set that can be walked.  Returns its prefix, or NULL.
 */
static rooms_str_t
ngx_rooms_search_single(ngx_rooms_req_t *rq, ngx_uint_t n)
{
    rooms_str_t  first;

    first = ngx_rooms_search_word(ngx_rooms_reply(rq, n));

    return rooms_str_eq(first, ngx_rooms_search_word(ngx_rooms_reply(rq,
                                                                     n + 1)))
           ? first : ROOMS_NULL;
}


/* Public rooms that needn't be in the list. */
static void
ngx_rooms_search_public(ngx_rooms_req_t *rq, ngx_rooms_search_t *s,
    rooms_str_t single)
{
    if (single.data) {
        (void) ngx_rooms_search_walk(s, ngx_rooms_search_key(rq,
                                                NGX_ROOMS_KEY_WORDS, "rooms"),
                                     single);

    } else if (s->counts.rooms > NGX_ROOMS_SEARCH_HITS) {
        (void) ngx_rooms_search_walk(s, ngx_rooms_search_key(rq,
                                                NGX_ROOMS_KEY_PUBLIC, ""),
                                     ROOMS_NULL);

    } else {
        s->read_public = 1;
    }
}


/* DMs, and rooms of other programs, which the index of rooms hasn't. */
static void
ngx_rooms_search_rest(ngx_rooms_req_t *rq, ngx_rooms_search_t *s)
{
    ngx_uint_t                  i;
    rooms_str_t                 kinds;
    ngx_rooms_search_counts_t  *c;

    c = &s->counts;
    kinds = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_USER_KINDS,
                          rq->principal.sub);

    for (i = 0; i < NGX_ROOMS_SEARCH_OTHERS; i++) {
        if (c->others[i]
            && ngx_rooms_search_for(s, ngx_rooms_search_others[i]))
        {
            (void) ngx_rooms_search_walk(s, kinds,
                     ngx_rooms_search_kind(rq, ngx_rooms_search_others[i]));
        }
    }

    if (ngx_min(c->people, c->dms) == 0) {
        return;
    }

    if (c->people > ngx_min(c->dms, NGX_ROOMS_SEARCH_HITS)) {
        (void) ngx_rooms_search_walk(s, kinds,
                                     ngx_rooms_search_kind(rq, ROOMS_DM));
        return;
    }

    s->read_people = 1;
}


/* The list's rooms, by the indexes. */
static void
ngx_rooms_search_own(ngx_rooms_req_t *rq, ngx_rooms_search_t *s,
    rooms_str_t private, rooms_str_t public)
{
    ngx_uint_t  also;

    also = !s->public && s->use_public;

    if ((private.data ? 0 : s->counts.private)
        + (!also || public.data ? 0 : s->counts.rooms)
        > NGX_ROOMS_SEARCH_HITS)
    {
        (void) ngx_rooms_search_walk(s, s->own.key, s->own.kind);
        return;
    }

    if (private.data) {
        ngx_rooms_search_walk(s, ngx_rooms_search_key(rq, NGX_ROOMS_KEY_WORDS,
                                                      "private"),
                              private)->unsure = 1;

    } else {
        s->read_own = 1;
    }

    if (also && public.data) {
        ngx_rooms_search_walk(s, ngx_rooms_search_key(rq, NGX_ROOMS_KEY_WORDS,
                                                      "rooms"),
                              public)->unsure = 1;

    } else if (also) {
        s->read_public = 1;
    }

    ngx_rooms_search_rest(rq, s);
}


/* There may be more entries by now; a search misses what is that new. */
static void
ngx_rooms_search_range(ngx_rooms_req_t *rq, const char *index,
    rooms_str_t word)
{
    (void) ngx_rooms_ask(rq->batch, &rq->keys,
                         "ZRANGEBYLEX %k [%s (%s\xff LIMIT 0 %d",
                         NGX_ROOMS_KEY_WORDS, rooms_cstr(index), word, word,
                         (int64_t) 2 * NGX_ROOMS_SEARCH_HITS);
}


static ngx_int_t
ngx_rooms_search_read(ngx_rooms_req_t *rq, ngx_rooms_search_t *s)
{
    rooms_str_t  public, private;

    public = s->ends_public ? ngx_rooms_search_single(rq, 0) : ROOMS_NULL;
    private = s->ends_own
              ? ngx_rooms_search_single(rq, s->ends_public ? 2 : 0)
              : ROOMS_NULL;

    if (s->public && s->use_public) {
        ngx_rooms_search_public(rq, s, public);
    }

    if (s->use_own) {
        ngx_rooms_search_own(rq, s, private, public);
    }

    if (!s->read_public && !s->read_own && !s->read_people) {
        return NGX_OK;
    }

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    if (s->read_public) {
        ngx_rooms_search_range(rq, "rooms", s->public_word);
    }

    if (s->read_own) {
        ngx_rooms_search_range(rq, "private", s->own_word);
    }

    if (s->read_people) {
        ngx_rooms_search_range(rq, "people", s->own_word);
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send(rq);
}


static int ngx_libc_cdecl
ngx_rooms_search_newest(const void *one, const void *two)
{
    const rooms_str_t  *a, *b;

    a = one;
    b = two;

    return rooms_str_before(*a, *b) ? 1 : rooms_str_before(*b, *a) ? -1 : 0;
}


/* Sorts ids, newest first, and keeps each once.  Returns their number. */
static ngx_uint_t
ngx_rooms_search_sort(rooms_str_t *ids, ngx_uint_t n)
{
    ngx_uint_t  i, kept;

    ngx_qsort(ids, n, sizeof(rooms_str_t), ngx_rooms_search_newest);

    for (i = 0, kept = 0; i < n; i++) {
        if (kept == 0 || !rooms_str_eq(ids[i], ids[kept - 1])) {
            ids[kept++] = ids[i];
        }
    }

    return kept;
}


/*
 * Appends the ids of entries "WORD ID", with `mark` behind those of a topic.
 * They point into the reply, which lives as long as the request.
 */
static ngx_uint_t
ngx_rooms_search_ids(redisReply *reply, u_char mark, rooms_str_t *ids,
    ngx_uint_t n)
{
    size_t        at;
    ngx_uint_t    i;
    rooms_str_t   entry;

    for (i = 0; i < reply->elements; i++) {
        entry = ngx_rooms_reply_str(reply->element[i]);

        for (at = entry.len; at && entry.data[at - 1] != ' '; at--) {
            /* void */
        }

        entry.data += at;
        entry.len -= at;

        if (entry.len && mark && entry.data[entry.len - 1] == mark) {
            entry.len--;
        }

        if (entry.len) {
            ids[n++] = entry;
        }
    }

    return n;
}


ngx_int_t
ngx_rooms_search_ask_own(ngx_rooms_batch_t *b, const ngx_rooms_search_t *s,
    const rooms_str_t *ids, ngx_uint_t n, rooms_str_t *argv)
{
    ngx_uint_t  i;

    argv[0] = ngx_rooms_s("ZMSCORE");
    argv[1] = s->own.key;
    argv[2] = ngx_rooms_s("-");

    for (i = 0; i < n; i++) {
        argv[2 + i] = ngx_rooms_join(b->pool, s->own.kind, ids[i]);
    }

    return ngx_rooms_batch_add(b, argv, 2 + ngx_max(n, 1));
}


static void
ngx_rooms_search_ask_dms(ngx_rooms_req_t *rq, redisReply *reply,
    rooms_str_t *pairs)
{
    ngx_uint_t   i, n, first;
    rooms_str_t  me;

    me = rq->principal.sub;

    n = ngx_rooms_search_ids(reply, '\0', pairs, 0);
    n = ngx_rooms_search_sort(pairs, n);

    for (i = 0; i < n; i++) {
        first = rooms_str_before(pairs[i], me);
        pairs[i] = ngx_rooms_join(rq->batch->pool, first ? pairs[i] : me,
                                  ngx_rooms_s(" "), first ? me : pairs[i]);
    }

    pairs[0] = n ? pairs[0] : ngx_rooms_s("-");

    (void) ngx_rooms_ask_many(rq->batch, &rq->keys, "HMGET", NGX_ROOMS_KEY_DMS,
                              ROOMS_NULL, pairs, ngx_max(n, 1));
}


/* Asks which of the rooms are in the list, and for the DMs with people. */
static ngx_int_t
ngx_rooms_search_check(ngx_rooms_req_t *rq, ngx_rooms_search_t *s)
{
    size_t        size;
    ngx_uint_t    n;
    redisReply   *public, *own, *people;
    rooms_str_t  *argv;

    n = 0;
    public = s->read_public ? ngx_rooms_reply(rq, n++) : NULL;
    own = s->read_own ? ngx_rooms_reply(rq, n++) : NULL;
    people = s->read_people ? ngx_rooms_reply(rq, n++) : NULL;

    size = 3 + (public ? public->elements : 0) + (own ? own->elements : 0)
           + (people ? people->elements : 0);

    s->hits = ngx_palloc(rq->pool, 3 * size * sizeof(rooms_str_t));
    if (s->hits == NULL) {
        return NGX_ERROR;
    }

    s->candidates = s->hits + size;
    argv = s->candidates + size;

    if (public && s->public) {
        s->nhits = ngx_rooms_search_ids(public, '~', s->hits, 0);

    } else if (public) {
        s->ncandidates = ngx_rooms_search_ids(public, '~', s->candidates, 0);
    }

    if (own) {
        s->ncandidates = ngx_rooms_search_ids(own, '~', s->candidates,
                                              s->ncandidates);
    }

    s->asked_own = own || (public && !s->public);

    if (!s->asked_own && people == NULL) {
        s->nhits = ngx_rooms_search_sort(s->hits, s->nhits);
        return NGX_OK;
    }

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    if (s->asked_own) {
        s->ncandidates = ngx_rooms_search_sort(s->candidates, s->ncandidates);
        (void) ngx_rooms_search_ask_own(rq->batch, s, s->candidates,
                                        s->ncandidates, argv);
    }

    if (people) {
        ngx_rooms_search_ask_dms(rq, people, argv);
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_search_take(ngx_rooms_req_t *rq, ngx_rooms_search_t *s)
{
    ngx_uint_t    i, n;
    redisReply   *reply;
    rooms_str_t   id;

    n = 0;

    if (s->asked_own) {
        reply = ngx_rooms_reply(rq, n++);

        for (i = 0; i < s->ncandidates && i < reply->elements; i++) {
            if (reply->element[i]->type != REDIS_REPLY_NIL) {
                s->hits[s->nhits++] = s->candidates[i];
            }
        }
    }

    if (s->read_people) {
        reply = ngx_rooms_reply(rq, n);

        for (i = 0; i < reply->elements; i++) {
            id = ngx_rooms_reply_str(reply->element[i]);

            if (id.data) {
                s->hits[s->nhits++] = id;
            }
        }
    }

    s->nhits = ngx_rooms_search_sort(s->hits, s->nhits);

    return NGX_OK;
}
