/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Fan-out: from one commit to all streams of a worker that wait for it.
 *
 *      joining --> asked --> news: handed on, some in each turn of the loop
 *         ^                    |
 *         +--- told again -----+
 *
 * A sweep tells all listeners of a room, some in each turn.  They gather here
 * until the last one was told.  Then the room's events are read once, and
 * after them the membership rows of all these readers; so a participant who
 * was removed before gets nothing.  While news are handed on, those who are
 * told of more gather for the next reading.  So the more news come, the more
 * are read at once.
 *
 * It is only a short cut.  If anything goes wrong, each reader looks on its
 * own, with the deadline and the retries of a request.
 */

#include "ngx_rooms_fanout.h"
#include "ngx_rooms_round.h"
#include "rooms_author.h"


#define NGX_ROOMS_FANOUT_TURN   128        /* readers handled in one turn */
#define NGX_ROOMS_FANOUT_ROWS   128        /* rows of one command */


typedef enum {
    NGX_ROOMS_FANOUT_JOINING = 0,
    NGX_ROOMS_FANOUT_ASKED,
    NGX_ROOMS_FANOUT_HANDS_ON
} ngx_rooms_fanout_state_e;

/* The fan-out of a room; it exists while somebody waits for it. */
struct ngx_rooms_fanout_s {
    ngx_str_node_t            sn;         /* its name is the key of the
                                             room's events */
    ngx_pool_t               *pool;
    ngx_rooms_store_t        *store;
    ngx_uint_t                slot;
    rooms_str_t               room;
    rooms_str_t               events;     /* keys */
    rooms_str_t               members;

    ngx_rooms_fanout_state_e  state;
    ngx_queue_t               joining;    /* readers for the next reading */
    ngx_queue_t               asked;      /* readers in the order of their
                                             rows */
    int64_t                   from;       /* the range of those who join */
    int64_t                   at;
    int64_t                   asked_at;
    ngx_rooms_round_t         round;
    ngx_rooms_batch_t        *batch;      /* answered; NULL: it failed */
    ngx_rooms_news_t         *news;
    ngx_event_t               turn;       /* posted */
};


static ngx_rooms_fanout_t *ngx_rooms_fanout_get(ngx_rooms_req_t *rq,
    rooms_str_t room);
static void ngx_rooms_fanout_turn(ngx_event_t *ev);
static void ngx_rooms_fanout_ask(ngx_rooms_fanout_t *f);
static void ngx_rooms_fanout_read(ngx_rooms_round_t *round,
    ngx_rooms_batch_t *b);
static ngx_rooms_news_t *ngx_rooms_fanout_news(ngx_rooms_fanout_t *f);
static void ngx_rooms_fanout_hand_on(ngx_rooms_fanout_t *f);
static void ngx_rooms_news_release(ngx_rooms_news_t *news);


static ngx_rbtree_t       ngx_rooms_fanouts;
static ngx_rbtree_node_t  ngx_rooms_fanouts_sentinel;

/* the last one used: usually many readers join the same one */
static ngx_rooms_fanout_t  *ngx_rooms_fanout_recent;


ngx_int_t
ngx_rooms_fanout_join(ngx_rooms_reader_t *s, rooms_str_t room, int64_t at)
{
    ngx_rooms_fanout_t  *f;

    f = ngx_rooms_fanout_get(s->rq, room);
    if (f == NULL) {
        return NGX_ERROR;
    }

    if (ngx_queue_empty(&f->joining)) {
        f->from = s->from;
        f->at = at;

    } else {
        f->from = ngx_min(f->from, s->from);
        f->at = ngx_max(f->at, at);
    }

    ngx_queue_insert_tail(&f->joining, &s->fan);
    s->fanout = f;

    if (f->state == NGX_ROOMS_FANOUT_JOINING) {
        ngx_post_event(&f->turn, &ngx_posted_next_events);
    }

    return NGX_OK;
}


void
ngx_rooms_fanout_leave(ngx_rooms_reader_t *s)
{
    if (s->fanout) {
        /* if nobody is left, the next turn finds out */
        ngx_queue_remove(&s->fan);
        s->fanout = NULL;
    }

    ngx_rooms_news_release(s->news);
    s->news = NULL;
}


static ngx_rooms_fanout_t *
ngx_rooms_fanout_get(ngx_rooms_req_t *rq, rooms_str_t room)
{
    uint32_t             hash;
    ngx_str_t            name;
    ngx_pool_t          *pool;
    rooms_str_t          key;
    ngx_rooms_keys_t     keys;
    ngx_rooms_fanout_t  *f;

    f = ngx_rooms_fanout_recent;

    if (f && f->store == rq->conf->store && rooms_str_eq(f->room, room)
        && f->events.len > rq->keys.prefix.len
        && ngx_memcmp(f->events.data, rq->keys.prefix.data,
                      rq->keys.prefix.len) == 0)
    {
        return f;
    }

    if (ngx_rooms_fanouts.root == NULL) {
        ngx_rbtree_init(&ngx_rooms_fanouts, &ngx_rooms_fanouts_sentinel,
                        ngx_str_rbtree_insert_value);
    }

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    keys = rq->keys;
    keys.pool = pool;

    /* two stores may have rooms with the same names */

    key = ngx_rooms_join(pool, (rooms_str_t) { sizeof(rq->conf->store),
                                         (u_char *) &rq->conf->store },
                         ngx_rooms_key(&keys, NGX_ROOMS_KEY_EVENTS, room));

    name = ngx_from_rooms(key);
    hash = key.data ? ngx_crc32_short(name.data, name.len) : 0;

    f = key.data ? (ngx_rooms_fanout_t *)
                   ngx_str_rbtree_lookup(&ngx_rooms_fanouts, &name, hash)
                 : NULL;

    if (f || key.data == NULL) {
        ngx_destroy_pool(pool);
        ngx_rooms_fanout_recent = f;
        return f;
    }

    f = ngx_pcalloc(pool, sizeof(ngx_rooms_fanout_t));

    if (f) {
        f->room = ngx_rooms_dup(pool, room);
        f->members = ngx_rooms_key(&keys, NGX_ROOMS_KEY_MEMBERS, room);
    }

    if (f == NULL || f->room.data == NULL || f->members.data == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    f->pool = pool;
    f->store = rq->conf->store;
    f->slot = rq->keys.slot;
    f->events = (rooms_str_t) { key.len - sizeof(f->store),
                                key.data + sizeof(f->store) };
    f->sn.str = name;
    f->sn.node.key = hash;

    ngx_queue_init(&f->joining);
    ngx_queue_init(&f->asked);

    f->turn.handler = ngx_rooms_fanout_turn;
    f->turn.data = f;
    f->turn.log = ngx_cycle->log;

    ngx_rooms_round_init(&f->round, f->store, ngx_cycle->log);

    f->round.handler = ngx_rooms_fanout_read;
    f->round.data = f;
    f->round.finishes = 1;

    ngx_rbtree_insert(&ngx_rooms_fanouts, &f->sn.node);
    ngx_rooms_fanout_recent = f;

    return f;
}


static void
ngx_rooms_fanout_turn(ngx_event_t *ev)
{
    ngx_rooms_fanout_t  *f;

    f = ev->data;

    if (f->state == NGX_ROOMS_FANOUT_HANDS_ON) {
        ngx_rooms_fanout_hand_on(f);
        return;
    }

    if (f->state == NGX_ROOMS_FANOUT_ASKED) {
        return;
    }

    if (ngx_queue_empty(&f->joining)) {

        if (ngx_rooms_fanout_recent == f) {
            ngx_rooms_fanout_recent = NULL;
        }

        ngx_rbtree_delete(&ngx_rooms_fanouts, &f->sn.node);
        ngx_destroy_pool(f->pool);
        return;
    }

    if (!ngx_queue_empty(&f->store->pubsub->woken)) {
        /* some listeners are still to be told */
        ngx_post_event(&f->turn, &ngx_posted_next_events);
        return;
    }

    ngx_rooms_fanout_ask(f);
}


static ngx_int_t
ngx_rooms_fanout_ask_rows(ngx_rooms_fanout_t *f, ngx_rooms_batch_t *b)
{
    ngx_uint_t           n;
    ngx_queue_t         *q;
    rooms_str_t          argv[2 + NGX_ROOMS_FANOUT_ROWS];
    ngx_rooms_reader_t  *s;

    argv[0] = ngx_rooms_s("HMGET");
    argv[1] = f->members;
    n = 2;

    for (q = ngx_queue_head(&f->asked); q != ngx_queue_sentinel(&f->asked);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_rooms_reader_t, fan);

        argv[n++] = s->rq->principal.sub;

        if (n == 2 + NGX_ROOMS_FANOUT_ROWS) {

            if (ngx_rooms_batch_add(b, argv, n) != NGX_OK) {
                return NGX_ERROR;
            }

            n = 2;
        }
    }

    return n > 2 ? ngx_rooms_batch_add(b, argv, n) : NGX_OK;
}


/*
 * Reads the rows after the events, so that a participant who was removed
 * before gets none.
 */
static void
ngx_rooms_fanout_ask(ngx_rooms_fanout_t *f)
{
    ngx_uint_t           i;
    ngx_queue_t         *q;
    ngx_rooms_batch_t   *b;
    ngx_rooms_reader_t  *s;

    ngx_queue_add(&f->asked, &f->joining);
    ngx_queue_init(&f->joining);

    i = 0;

    for (q = ngx_queue_head(&f->asked); q != ngx_queue_sentinel(&f->asked);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_rooms_reader_t, fan);
        s->row = i++;
    }

    f->asked_at = f->at;
    f->state = NGX_ROOMS_FANOUT_ASKED;

    b = ngx_rooms_round_batch(&f->round);

    if (b) {
        b->wanted = 1;
    }

    if (b == NULL
        || ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"), f->events,
                             ngx_rooms_reader_after(b, f->from),
                             ngx_rooms_number(b->pool, f->at),
                             ngx_rooms_s("WITHSCORES"), ngx_rooms_s("LIMIT"),
                             ngx_rooms_s("0"),
                             ngx_rooms_number(b->pool,
                                              NGX_ROOMS_READER_FEW + 1))
           != NGX_OK
        || ngx_rooms_fanout_ask_rows(f, b) != NGX_OK
        || ngx_rooms_round_send(&f->round, f->slot, NGX_ROOMS_LANE_BULK)
           != NGX_OK)
    {
        f->state = NGX_ROOMS_FANOUT_HANDS_ON;
        ngx_post_event(&f->turn, &ngx_posted_next_events);
    }
}


static void
ngx_rooms_fanout_read(ngx_rooms_round_t *round, ngx_rooms_batch_t *b)
{
    ngx_rooms_fanout_t  *f;

    f = round->data;
    f->batch = b;

    if (b) {
        f->news = ngx_rooms_fanout_news(f);
    }

    f->state = NGX_ROOMS_FANOUT_HANDS_ON;
    ngx_rooms_fanout_hand_on(f);
}


/* NULL: something is unexpected; then each reader looks on its own. */
static ngx_rooms_news_t *
ngx_rooms_fanout_news(ngx_rooms_fanout_t *f)
{
    size_t                     i;
    ngx_uint_t                 n;
    redisReply                *events;
    rooms_stored_t             e;
    rooms_authors_t            authors;
    ngx_rooms_news_t          *news;
    ngx_rooms_reader_event_t  *event;

    for (n = 0; n < f->batch->commands.nelts; n++) {
        if (f->batch->replies[n]->type != REDIS_REPLY_ARRAY) {
            return NULL;
        }
    }

    events = f->batch->replies[0];
    n = events->elements / 2;

    if (n == 0 || n > NGX_ROOMS_READER_FEW
        || ngx_rooms_reply_int(events->element[2 * n - 1], 0) != f->asked_at)
    {
        /* too many, or the event that caused this is missing */
        return NULL;
    }

    news = ngx_calloc(sizeof(ngx_rooms_news_t), ngx_cycle->log);
    if (news == NULL) {
        return NULL;
    }

    news->refs = 1;
    news->at = f->asked_at;
    news->pool = ngx_create_pool(1024, ngx_cycle->log);

    if (news->pool) {
        news->events = ngx_pcalloc(news->pool,
                                   n * sizeof(ngx_rooms_reader_event_t));
    }

    if (news->events == NULL) {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        event = &news->events[i];
        event->position = ngx_rooms_reply_int(events->element[2 * i + 1], 0);

        if (ngx_rooms_parse_event(news->pool, ngx_cycle->log,
                                  ngx_rooms_reply_str(events->element[2 * i]),
                                  f->room, event->position, &e) != NGX_OK
            || (e.authored && rooms_authors_find(&authors, e.json)))
        {
            goto failed;
        }

        event->json = e.json;
    }

    news->nevents = n;

    return news;

failed:

    ngx_rooms_news_release(news);

    return NULL;
}


/* Hands on some in each turn, since others wait for the worker too. */
static void
ngx_rooms_fanout_hand_on(ngx_rooms_fanout_t *f)
{
    ngx_uint_t           n;
    ngx_queue_t         *q;
    redisReply          *row;
    ngx_rooms_reader_t  *s;

    for (n = 0; n < NGX_ROOMS_FANOUT_TURN && !ngx_queue_empty(&f->asked);
         n++)
    {
        q = ngx_queue_head(&f->asked);
        s = ngx_queue_data(q, ngx_rooms_reader_t, fan);

        ngx_queue_remove(q);
        s->fanout = NULL;
        s->news = f->news;

        if (f->news) {
            f->news->refs++;

            row = ngx_rooms_reply_element(
                       f->batch->replies[1 + s->row / NGX_ROOMS_FANOUT_ROWS],
                       s->row % NGX_ROOMS_FANOUT_ROWS);
            s->member = ngx_rooms_page_joined(s->rq, f->room, row);
        }

        /* it may join again, or be freed together with others */
        ngx_rooms_continue(s->rq);
    }

    if (ngx_queue_empty(&f->asked)) {
        ngx_rooms_news_release(f->news);
        f->news = NULL;

        ngx_rooms_round_clear(&f->round);
        f->batch = NULL;

        f->state = NGX_ROOMS_FANOUT_JOINING;
    }

    ngx_post_event(&f->turn, &ngx_posted_next_events);
}


static void
ngx_rooms_news_release(ngx_rooms_news_t *news)
{
    ngx_uint_t  i;

    if (news == NULL || --news->refs) {
        return;
    }

    for (i = 0; i < NGX_ROOMS_NEWS_TEXTS; i++) {
        ngx_rooms_text_release(news->texts[i]);
    }

    if (news->pool) {
        ngx_destroy_pool(news->pool);
    }

    ngx_free(news);
}


ngx_rooms_text_t *
ngx_rooms_text_create(size_t len)
{
    ngx_rooms_text_t  *text;

    text = ngx_alloc(sizeof(ngx_rooms_text_t) + len, ngx_cycle->log);
    if (text == NULL) {
        return NULL;
    }

    text->refs = 1;
    text->bytes = (rooms_str_t) { len, (u_char *) (text + 1) };

    return text;
}


void
ngx_rooms_text_release(ngx_rooms_text_t *text)
{
    if (text && --text->refs == 0) {
        ngx_free(text);
    }
}
