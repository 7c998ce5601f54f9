/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A reader: what is new for a participant after a position, in the order of
 * positions, in all of the participant's rooms.  If there is nothing, it
 * waits.
 *
 * Why no event is skipped: one script takes a position and writes its event,
 * and the store runs one script at a time.  So once the counter reads C, all
 * events up to C can be read, and none will be added among them.  Each look
 * reads the counter first, and no page goes beyond it.  The list of the
 * participant's rooms is read with the counter, or later, or was kept and is
 * found to be current then (ngx_rooms_roomlist.c): if it shows a join
 * too early, the participant may see these events; if it shows a leave too
 * early, the participant may no longer see the missing ones. `active` tells
 * which rooms have news: each room with an event after `from` is there after
 * `from`.  If more has happened in the tenant than the participant has rooms,
 * each of these rooms is asked.  The cursor of a page is the position up to
 * which all these rooms were read.
 *
 * (Imported and backfilled events get positions that others have passed.
 * They aren't news: an event of its own says that they came.)
 *
 * Why no news is missed while waiting: once the list of rooms is known, the
 * reader listens for these rooms and for its participant, and only then reads
 * `active` and the participant's own news.  That reading has whatever was
 * committed before it.  Whatever is committed later is found and reported by
 * a sweep (ngx_rooms_listen.c), whatever happens to messages.  A room that
 * was joined after the list was read and before the reader listened is in the
 * participant's own news.  What is beyond the counter doesn't belong to the
 * page; if the page is empty, the reader looks once more.
 *
 * Why the short way is right: a waiting reader has read everything up to
 * `from`.  If all that sweeps have reported since is that one room has its
 * last event at P, then nothing else between `from` and P is for this reader.
 * So the room's events up to P are read, and after them the membership rows
 * of this and all other readers here with the same report
 * (ngx_rooms_fanout.c).  The event at P must be among them.  If it is, this
 * is the store that the sweep has read, or one that took over from it with
 * all commits up to P.  If it isn't, or if there are too many events, the
 * reader looks from scratch.
 *
 *      BEGIN -> COUNTER [-> ROOMS] -> NEWS [-> ROOMS] [-> FIRSTS] -> EVENTS
 *                  ^                                                   |  |
 *                  |                                                   v  v
 *                  +------------------------ HINT <---------------- WAIT  page
 */

#include "ngx_rooms_fanout.h"
#include "ngx_rooms_look.h"
#include "ngx_rooms_status.h"


#define NGX_ROOMS_READER_SPARE    16       /* entries of `active` besides
                                              those of one's own rooms */


static ngx_int_t ngx_rooms_reader_look(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_counter(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_rooms(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_ask_rooms(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_ask_news(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_uint_t ngx_rooms_reader_keeps(ngx_rooms_look_t *look);
static void ngx_rooms_reader_keep(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s,
    redisReply *reply);
static ngx_int_t ngx_rooms_reader_draw(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_reader_news(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_wait(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_woken(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_hint(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static void ngx_rooms_reader_wake(ngx_rooms_listener_t *l);
static void ngx_rooms_reader_timeout(ngx_event_t *ev);
static void ngx_rooms_reader_cleanup(void *data);


ngx_rooms_reader_t *
ngx_rooms_reader_create(ngx_rooms_req_t *rq)
{
    ngx_rooms_reader_t  *s;

    s = ngx_rooms_owned(rq->pool, sizeof(ngx_rooms_reader_t),
                        ngx_rooms_reader_cleanup);
    if (s == NULL) {
        return NULL;
    }

    s->rq = rq;
    s->listener.handler = ngx_rooms_reader_wake;
    s->listener.data = s;
    s->timer.handler = ngx_rooms_reader_timeout;
    s->timer.data = s;
    s->timer.log = rq->r->connection->log;

    return s;
}


ngx_int_t
ngx_rooms_reader_step(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_int_t  rc;

    switch (rq->round) {

    case NGX_ROOMS_READER_BEGIN:
        return ngx_rooms_reader_look(rq, s);

    case NGX_ROOMS_READER_COUNTER:
        return ngx_rooms_reader_counter(rq, s);

    case NGX_ROOMS_READER_EPOCH:
        rc = NGX_DECLINED;
        break;

    case NGX_ROOMS_READER_ROOMS:
        rc = ngx_rooms_reader_rooms(rq, s);
        break;

    case NGX_ROOMS_READER_NEWS:
        rc = ngx_rooms_reader_news(rq, s);
        break;

    case NGX_ROOMS_READER_FIRSTS:
        rc = ngx_rooms_page_firsts(rq, s);
        break;

    case NGX_ROOMS_READER_EVENTS:
        rc = ngx_rooms_page_events(rq, s);
        break;

    case NGX_ROOMS_READER_HINT:
        rc = ngx_rooms_reader_hint(rq, s);
        break;

    default:
        rc = ngx_rooms_reader_woken(rq, s);
        break;
    }

    if (rc != NGX_DECLINED) {
        return rc;
    }

    /* what was found is beyond the counter, or gone */

    if (++s->looks < NGX_ROOMS_READER_LOOKS) {
        return ngx_rooms_reader_look(rq, s);
    }

    s->nevents = 0;
    s->cursor = s->from;
    s->more = 1;
    s->behind = 1;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_reader_next(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    s->from = s->cursor;
    s->events = NULL;
    s->nevents = 0;
    s->looks = 0;

    if (s->reset) {
        s->reset = NULL;
        s->expects = s->epoch;
        s->behind = 1;
    }

    if (!s->behind) {
        rq->round = NGX_ROOMS_READER_WAIT;
        return ngx_rooms_reader_step(rq, s);
    }

    return ngx_rooms_reader_look(rq, s);
}


/* Makes a batch, and keys that live as long as it. */
ngx_rooms_batch_t *
ngx_rooms_reader_batch(ngx_rooms_req_t *rq, ngx_rooms_keys_t *keys)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_batch(rq);

    if (b) {
        *keys = rq->keys;
        keys->pool = b->pool;
    }

    return b;
}


ngx_int_t
ngx_rooms_reader_send(ngx_rooms_req_t *rq, ngx_rooms_reader_round_e round)
{
    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, round);
}


rooms_str_t
ngx_rooms_reader_after(ngx_rooms_batch_t *b, int64_t position)
{
    return ngx_rooms_join(b->pool, ngx_rooms_s("("),
                          ngx_rooms_number(b->pool, position));
}


/* Asks which commit has changed the list of rooms last. */
static void
ngx_rooms_reader_ask_version(ngx_rooms_req_t *rq, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys)
{
    (void) ngx_rooms_ask(b, keys, "ZSCORE %k %s", NGX_ROOMS_KEY_USER_NEWS,
                         rq->principal.sub, ngx_rooms_s(NGX_ROOMS_NEWS_LIST));
}


/* Looks at everything from scratch. */
static ngx_int_t
ngx_rooms_reader_look(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_rooms_keys_t    keys;
    ngx_rooms_batch_t  *b;

    /* this look will find all that was reported until now */

    s->listener.full = 0;
    s->listener.topic = NULL;
    s->look = NULL;
    ngx_rooms_forget(rq);

    b = ngx_rooms_reader_batch(rq, &keys);
    if (b == NULL) {
        return NGX_ERROR;
    }

    s->look = ngx_pcalloc(b->pool, sizeof(ngx_rooms_look_t));
    if (s->look == NULL) {
        return NGX_ERROR;
    }

    /*
     * The epoch comes first.  If the store is emptied meanwhile, what is read
     * from the new store comes with the old epoch, and is refused with it;
     * never the other way round.
     */

    (void) ngx_rooms_ask(b, &keys, "HMGET %k schema epoch backfilled",
                         NGX_ROOMS_KEY_TENANT, ROOMS_NULL);
    (void) ngx_rooms_ask(b, &keys, "GET %k", NGX_ROOMS_KEY_POSITION,
                         ROOMS_NULL);
    (void) ngx_rooms_ask(b, &keys, "HEXISTS %k %s", NGX_ROOMS_KEY_DEACTIVATED,
                         ROOMS_NULL, rq->principal.sub);

    s->look->list = ngx_rooms_roomlist_get(rq, b->pool);

    if (s->look->list) {
        ngx_rooms_reader_ask_version(rq, b, &keys);
    }

    if (s->look->list || !s->waits) {
        (void) ngx_rooms_ask(b, &keys, "ZCARD %k", NGX_ROOMS_KEY_USER_ROOMS,
                             rq->principal.sub);

    } else {
        (void) ngx_rooms_ask(b, &keys, "ZRANGE %k 0 -1",
                             NGX_ROOMS_KEY_USER_ROOMS, rq->principal.sub);
    }

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_COUNTER);
}


/* Writes schema and epoch to a store that is new, or was just emptied. */
static ngx_int_t
ngx_rooms_reader_draw(ngx_rooms_req_t *rq)
{
    u_char              epoch[32];
    rooms_str_t         tenant;
    ngx_rooms_keys_t    keys;
    ngx_rooms_batch_t  *b;

    ngx_rooms_random_hex(epoch, sizeof(epoch));

    b = ngx_rooms_reader_batch(rq, &keys);
    if (b == NULL) {
        return NGX_ERROR;
    }

    tenant = ngx_rooms_key(&keys, NGX_ROOMS_KEY_TENANT, ROOMS_NULL);

    (void) ngx_rooms_command(b, ngx_rooms_s("HSETNX"), tenant,
                             ngx_rooms_s("schema"),
                             ngx_rooms_s(NGX_ROOMS_SCHEMA));
    (void) ngx_rooms_command(b, ngx_rooms_s("HSETNX"), tenant,
                             ngx_rooms_s("epoch"),
                             (rooms_str_t) { sizeof(epoch), epoch });

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_EPOCH);
}


/* NGX_DECLINED: there is none yet, write one. */
static ngx_int_t
ngx_rooms_reader_epoch(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s,
    redisReply *tenant)
{
    rooms_str_t  schema, epoch;

    schema = ngx_rooms_reply_str_at(tenant, 0);
    epoch = ngx_rooms_reply_str_at(tenant, 1);

    if (!ngx_rooms_schema_known(rooms_from_ngx(rq->conf->key_prefix),
                                rq->principal.tenant, schema,
                                rq->r->connection->log))
    {
        return ngx_rooms_fail_store(rq, NGX_ROOMS_BATCH_DOWN);
    }

    if (schema.data == NULL || epoch.data == NULL) {
        return NGX_DECLINED;
    }

    if (epoch.len > NGX_ROOMS_EPOCH_MAX || rooms_utf8_length(epoch) < 0) {
        ngx_log_error(NGX_LOG_ERR, rq->r->connection->log, 0,
                      "rooms: the tenant's epoch can't be read");
        return NGX_ERROR;
    }

    if (s->expects.data == NULL) {
        /* one answer belongs to one epoch, however long the request waits */
        s->expects = (rooms_str_t) { epoch.len, s->epoch_buf };
        ngx_memcpy(s->epoch_buf, epoch.data, epoch.len);
    }

    if (!rooms_str_eq(s->expects, epoch)) {
        s->reset = "epoch";
    }

    ngx_memcpy(s->epoch_buf, epoch.data, epoch.len);
    s->epoch = (rooms_str_t) { epoch.len, s->epoch_buf };

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_reader_listen(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_rooms_keys_t       keys;
    ngx_rooms_interest_t  *in;
    ngx_rooms_roomlist_t  *list;

    if (!s->waits || ngx_exiting) {
        return NGX_OK;
    }

    list = s->look->list;
    in = ngx_rooms_roomlist_interest(list);

    if (in) {
        ngx_rooms_listen(&s->listener, in, s->look->last);
        return NGX_OK;
    }

    keys = rq->keys;
    keys.pool = rq->batch->pool;

    in = ngx_rooms_interest_create(rq->conf->store->pubsub, &keys,
                                   rq->principal.sub, list->ids, list->n);
    if (in == NULL) {
        return NGX_ERROR;
    }

    ngx_rooms_listen(&s->listener, in, s->look->last);
    ngx_rooms_roomlist_keep(list, in);
    ngx_rooms_interest_release(in);

    return NGX_OK;
}


/*
 * If there are more, each room is asked instead.  That is likely at the
 * beginning, and after a page for which there were more: then it is enough to
 * find the end.
 */
static ngx_uint_t
ngx_rooms_reader_entries(ngx_rooms_reader_t *s)
{
    ngx_uint_t         n;
    ngx_rooms_look_t  *look;

    look = s->look;
    n = ngx_min(look->nlist + NGX_ROOMS_READER_SPARE, NGX_ROOMS_READER_ACTIVE);

    if (s->from == 0
        || (look->list && look->list->heads && look->list->next == s->from))
    {
        n = ngx_min(n, (ngx_uint_t) (2 * s->limit + NGX_ROOMS_READER_SPARE));
    }

    return n;
}


/*
 * What the first round says of the rooms: their list, or whether the kept one
 * is current, or only their number.
 */
static ngx_int_t
ngx_rooms_reader_listed(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    redisReply        *reply;
    ngx_rooms_look_t  *look;

    look = s->look;

    if (look->list) {
        reply = ngx_rooms_reply(rq, 4);
        look->nlist = ngx_rooms_reply_int(reply, 0);

        if (look->nlist == look->list->n
            && ngx_rooms_reply_int(ngx_rooms_reply(rq, 3), 0)
               == look->list->version)
        {
            look->kept = 1;

        } else {
            ngx_rooms_roomlist_drop(look->list);
            look->list = NULL;
        }

        return NGX_OK;
    }

    reply = ngx_rooms_reply(rq, 3);

    if (!s->waits) {
        look->nlist = ngx_rooms_reply_int(reply, 0);
        return NGX_OK;
    }

    look->list = ngx_rooms_roomlist_read(rq->batch->pool, reply);
    if (look->list == NULL) {
        return NGX_ERROR;
    }

    look->nlist = look->list->n;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_reader_counter(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_int_t          rc;
    ngx_rooms_look_t  *look;

    look = s->look;

    rc = ngx_rooms_reader_epoch(rq, s, ngx_rooms_reply(rq, 0));

    if (rc == NGX_DECLINED) {
        return ngx_rooms_reader_draw(rq);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    look->last = ngx_rooms_reply_int(ngx_rooms_reply(rq, 1), 0);
    look->past = ngx_rooms_reply_str_at(ngx_rooms_reply(rq, 0), 2);

    /* the deactivation has woken the reader */

    if (ngx_rooms_reply_int(ngx_rooms_reply(rq, 2), 0)) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_DEACTIVATED, NULL);
    }

    if (s->now) {
        s->from = look->last;
        s->now = 0;
    }

    if (s->reset == NULL && s->from > look->last) {
        s->reset = "ahead";
    }

    if (s->reset) {
        s->cursor = look->last;
        return NGX_OK;
    }

    if (ngx_rooms_reader_listed(rq, s) != NGX_OK) {
        return NGX_ERROR;
    }

    if (s->waits && look->list == NULL) {
        return ngx_rooms_reader_ask_rooms(rq, s);
    }

    return ngx_rooms_reader_ask_news(rq, s);
}


/*
 * Reads the list.  If the reader waits, that comes before `active`, since the
 * reader must listen first; else only if `active` has rooms.
 */
static ngx_int_t
ngx_rooms_reader_ask_rooms(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_rooms_keys_t    keys;
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_reader_batch(rq, &keys);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(b, &keys, "ZRANGE %k 0 -1", NGX_ROOMS_KEY_USER_ROOMS,
                         rq->principal.sub);

    if (s->look->active) {
        ngx_rooms_reader_ask_version(rq, b, &keys);
    }

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_ROOMS);
}


static ngx_int_t
ngx_rooms_reader_rooms(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_rooms_look_t  *look;

    look = s->look;

    look->list = ngx_rooms_roomlist_read(rq->batch->pool,
                                         ngx_rooms_reply(rq, 0));
    if (look->list == NULL) {
        return NGX_ERROR;
    }

    look->nlist = look->list->n;

    if (look->active == NULL) {
        return ngx_rooms_reader_ask_news(rq, s);
    }

    if (ngx_rooms_reader_keeps(look)) {
        ngx_rooms_reader_keep(rq, s, ngx_rooms_reply(rq, 1));
    }

    return ngx_rooms_page_begin(rq, s);
}


/* Whether the list was read just now, and is long enough to be kept. */
static ngx_uint_t
ngx_rooms_reader_keeps(ngx_rooms_look_t *look)
{
    return look->list && !look->kept
           && look->list->n >= NGX_ROOMS_ROOMLIST_LEAST;
}


/*
 * The version was read after the list, and the counter before.  If no commit
 * beyond the counter has changed the list, it is of this version.
 */
static void
ngx_rooms_reader_keep(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s,
    redisReply *reply)
{
    int64_t            version;
    ngx_rooms_look_t  *look;

    look = s->look;
    version = ngx_rooms_reply_int(reply, 0);

    if (version <= 0 || version > look->last) {
        return;
    }

    look->list = ngx_rooms_roomlist_put(rq, rq->batch->pool, look->list,
                                        version);

    if (s->listener.interest) {
        /* it began to listen in this look, to the rooms of this list */
        ngx_rooms_roomlist_keep(look->list, s->listener.interest);
    }
}


/* Listens, and then reads which rooms have news. */
static ngx_int_t
ngx_rooms_reader_ask_news(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    rooms_str_t         after;
    ngx_rooms_keys_t    keys;
    ngx_rooms_look_t   *look;
    ngx_rooms_batch_t  *b;

    look = s->look;

    if (ngx_rooms_reader_listen(rq, s) != NGX_OK) {
        return NGX_ERROR;
    }

    b = ngx_rooms_reader_batch(rq, &keys);
    if (b == NULL) {
        return NGX_ERROR;
    }

    after = ngx_rooms_reader_after(b, s->from);
    look->entries = ngx_rooms_reader_entries(s);

    (void) ngx_rooms_ask(b, &keys,
                         "ZRANGEBYSCORE %k %s +inf WITHSCORES LIMIT 0 %d",
                         NGX_ROOMS_KEY_ACTIVE, ROOMS_NULL, after,
                         (int64_t) look->entries);
    (void) ngx_rooms_ask(b, &keys,
                         "ZRANGEBYSCORE %k %s +inf WITHSCORES LIMIT 0 %d",
                         NGX_ROOMS_KEY_USER_NEWS, rq->principal.sub, after,
                         (int64_t) (2 * s->limit + 2));

    if (ngx_rooms_reader_keeps(look)) {
        ngx_rooms_reader_ask_version(rq, b, &keys);
    }

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_NEWS);
}


static ngx_int_t
ngx_rooms_reader_news(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    size_t             i;
    rooms_str_t        name;
    ngx_rooms_look_t  *look;

    look = s->look;
    look->active = ngx_rooms_reply(rq, 0);
    look->news = ngx_rooms_reply(rq, 1);

    if (ngx_rooms_reader_keeps(look)) {
        ngx_rooms_reader_keep(rq, s, ngx_rooms_reply(rq, 2));
    }

    /* then each room is asked for its own news */
    look->crowded = look->active->elements / 2 >= look->entries;

    for (i = 0; i < look->active->elements && look->list == NULL; i += 2) {
        name = ngx_rooms_reply_str(look->active->element[i]);

        if (look->crowded || (name.len && name.data[0] != ' ')) {
            return ngx_rooms_reader_ask_rooms(rq, s);
        }
    }

    return ngx_rooms_page_begin(rq, s);
}


/*
 * Waiting.
 */


/* Whether something was reported that the reader hasn't looked at yet. */
static ngx_uint_t
ngx_rooms_reader_called(ngx_rooms_reader_t *s)
{
    ngx_rooms_listener_t  *l;

    l = &s->listener;

    if (l->topic && !l->full && l->position <= s->from) {
        /* the reader looked after the sweep had found it */
        l->topic = NULL;
    }

    return l->full || l->topic;
}


ngx_int_t
ngx_rooms_reader_idle(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    s->from = s->look->last;
    s->nevents = 0;
    s->cursor = s->from;
    s->more = 0;
    s->behind = s->look->beyond;

    if (s->tells) {
        s->tells = 0;
        return NGX_OK;
    }

    if (s->behind && s->waits && !s->late && !ngx_exiting) {
        return NGX_DECLINED;
    }

    return ngx_rooms_reader_woken(rq, s);
}


static ngx_int_t
ngx_rooms_reader_wait(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_http_request_t  *r;

    r = rq->r;

    /* frees the replies, so that a waiting reader is small */

    s->look = NULL;
    s->looks = 0;
    ngx_rooms_forget(rq);

    if (r == r->main && r->connection->read->pending_eof) {
        /* the client left before we watched for it */
        ngx_http_test_reading(r);

        if (r->connection->error) {
            return NGX_AGAIN;
        }
    }

    s->waiting = 1;
    rq->round = NGX_ROOMS_READER_WAIT;

    if (!s->stream) {
        ngx_rooms_status_doing(rq, NGX_ROOMS_GAUGE_POLLS);
        ngx_add_timer(&s->timer, (ngx_msec_t) (s->until - ngx_current_msec));
    }

    return NGX_AGAIN;
}


/* Whether to wait, or to look at what was reported. */
static ngx_int_t
ngx_rooms_reader_woken(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_rooms_topic_t     *topic;
    ngx_rooms_listener_t  *l;

    l = &s->listener;

    if (!s->waits || s->late || ngx_exiting || l->interest == NULL
        || (!s->stream && (ngx_msec_int_t) (s->until - ngx_current_msec) <= 0))
    {
        return NGX_OK;
    }

    if (!ngx_rooms_reader_called(s)) {
        return ngx_rooms_reader_wait(rq, s);
    }

    if (l->full) {
        return NGX_DECLINED;
    }

    topic = l->topic;
    l->topic = NULL;

    if (ngx_rooms_fanout_join(s, ngx_rooms_topic_room(topic), l->position)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_READER_HINT;

    return NGX_AGAIN;
}


/* The room's news were read, for all readers here that wait for them. */
static ngx_int_t
ngx_rooms_reader_hint(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t         i;
    ngx_rooms_news_t  *news;

    news = s->news;

    if (news == NULL) {
        return NGX_DECLINED;
    }

    if (!s->member) {
        /* somebody who is only invited may not see what is said there */
        ngx_rooms_fanout_leave(s);
        return ngx_rooms_reader_woken(rq, s);
    }

    for (i = 0; i < news->nevents; i++) {

        if (news->events[i].position > s->from) {
            break;
        }
    }

    s->events = &news->events[i];
    s->nevents = news->nevents - i;

    if (ngx_rooms_page_fits(s) < s->nevents) {
        ngx_rooms_fanout_leave(s);
        return NGX_DECLINED;
    }

    s->cursor = news->at;
    s->more = 0;
    s->behind = 0;

    return NGX_OK;
}


/* The listener's handler: a sweep has found something. */
static void
ngx_rooms_reader_wake(ngx_rooms_listener_t *l)
{
    ngx_rooms_reader_t  *s;

    s = l->data;

    if (s->rq->sent && !s->stream) {
        ngx_rooms_listen_stop(l);
        return;
    }

    if (!s->waiting) {

        if (ngx_exiting && s->stream) {
            s->leave(s);
        }

        /* the step that is running will see it before it waits */
        return;
    }

    if (!ngx_rooms_reader_called(s)) {
        return;
    }

    s->waiting = 0;

    if (!s->stream) {
        ngx_rooms_status_doing(s->rq, NGX_ROOMS_GAUGE_NONE);
        ngx_del_timer(&s->timer);
    }

    ngx_rooms_continue(s->rq);
}


static void
ngx_rooms_reader_timeout(ngx_event_t *ev)
{
    ngx_rooms_reader_t  *s;

    s = ev->data;
    s->late = 1;
    s->waiting = 0;
    ngx_rooms_status_doing(s->rq, NGX_ROOMS_GAUGE_NONE);
    ngx_rooms_continue(s->rq);
}


void
ngx_rooms_reader_pause(ngx_rooms_reader_t *s)
{
    s->waiting = 0;
    s->cursor = s->from;
    s->behind = 0;
}


int64_t
ngx_rooms_reader_reached(ngx_rooms_reader_t *s)
{
    ngx_rooms_listener_t  *l;
    ngx_rooms_channel_t   *ch;

    l = &s->listener;

    if (s->waiting && !l->queued) {
        /* sweeps have found everything up to there, and none of it is ours */
        ch = l->interest->channel;
        s->from = ngx_max(s->from, ch->head);
    }

    return s->from;
}


void
ngx_rooms_reader_stop(ngx_rooms_reader_t *s)
{
    ngx_rooms_listen_stop(&s->listener);
}


static void
ngx_rooms_reader_cleanup(void *data)
{
    ngx_rooms_reader_t  *s;

    s = data;
    ngx_rooms_listen_stop(&s->listener);
    ngx_rooms_fanout_leave(s);

    if (s->timer.timer_set) {
        ngx_del_timer(&s->timer);
    }
}
