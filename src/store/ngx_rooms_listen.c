/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Who listens to what, and how listeners learn of news.
 *
 * Listeners are found by the room or the participant that a commit names, so
 * news reach nobody else.  They are called a few at a time, so that news of a
 * large room don't hold up the worker.
 *
 *      channel (tenant) --> topic (room, or participant) --> link
 *                                                              |
 *                            listeners <-- interest <----------+
 *
 * An interest is linked to its topics once.  Listeners come to it and leave it
 * without touching the links.  So a poll whose interest was kept since the one
 * before costs the same in any number of rooms.  A topic exists while it has
 * links.  An interest that nobody listens to ends with the channel, at the
 * latest.
 *
 * A sweep reads from the store what has news, for all listeners of a tenant
 * at once.  The script of each commit with news writes its position into
 * `active`, under its room and under each participant concerned.  A sweep
 * reads the counter, and then all entries of `active` above `head`.
 *
 * Why no commit is missed: positions grow, and the store runs one script at a
 * time.  When a sweep reads the counter C, every commit up to C is complete,
 * and `active` has its topics at its own position, or at a higher one if the
 * topic has had news since.  So for each commit above `head` all its topics
 * are above `head`.  The sweep finds each topic with news in (head, C], and
 * `head` becomes C.  Later commits have positions above C, so the next sweep
 * finds their topics.  By induction, the first sweep after a commit finds all
 * its topics.
 *
 * Nothing here relies on messages.  A message only makes the next sweep start
 * now, if it names a topic of a listener here and a position above `head`.
 * Otherwise the next tick starts it.  So a late or doubled message costs
 * nothing, and a lost or overtaken one costs time.  It doesn't matter which
 * node of a cluster delivers it: a sweep asks the node that has the tenant's
 * keys.
 *
 * A listener that begins between sweeps misses nothing either, if it reads
 * the store after it began to listen.  That reading has every commit up to
 * then, and a later sweep finds each later one, since `head` is never above
 * the counter's value at the last sweep.
 *
 * A store that has lost writes (it was emptied, or a replica took over that
 * was behind) has a counter below `head`.  Then all listeners look.  Its next
 * positions are above the lost ones, since they follow the clock.
 */

#include "ngx_rooms_pubsub.h"
#include "ngx_rooms_hold.h"


#define NGX_ROOMS_LISTEN_LINGER  60000    /* ms, until a channel without
                                             listeners ends */
#define NGX_ROOMS_LISTEN_TURN      128    /* listeners called in one turn of
                                             the loop */
#define NGX_ROOMS_LISTEN_TICK     5000    /* ms, the longest time between
                                             sweeps ... */
#define NGX_ROOMS_LISTEN_DEAF     1000    /* ... without a subscription */
#define NGX_ROOMS_LISTEN_SWEEP    1000    /* topics that one sweep reads */


static void ngx_rooms_channel_idle(ngx_event_t *ev);
static void ngx_rooms_channel_tick(ngx_event_t *ev);
static void ngx_rooms_channel_late(ngx_event_t *ev);
static void ngx_rooms_channel_swept(ngx_rooms_batch_t *b);
static void ngx_rooms_channel_quiet(ngx_rooms_channel_t *ch);
static ngx_msec_t ngx_rooms_channel_pause(ngx_rooms_channel_t *ch);
static void ngx_rooms_interest_end(ngx_rooms_interest_t *in);
static void ngx_rooms_listen_wake(ngx_rooms_listener_t *l,
    ngx_rooms_topic_t *topic, int64_t position);


ngx_rooms_channel_t *
ngx_rooms_channel_find(ngx_rooms_pubsub_t *ps, rooms_str_t name)
{
    ngx_str_t  s;

    s = ngx_from_rooms(name);

    return (ngx_rooms_channel_t *) ngx_str_rbtree_lookup(&ps->names, &s,
                                            ngx_crc32_short(s.data, s.len));
}


static ngx_rooms_channel_t *
ngx_rooms_channel_create(ngx_rooms_pubsub_t *ps, ngx_rooms_keys_t *keys,
    rooms_str_t name)
{
    u_char               *p;
    ngx_rooms_channel_t  *ch;

    ch = ngx_calloc(sizeof(ngx_rooms_channel_t) + name.len, ps->log);
    if (ch == NULL) {
        return NULL;
    }

    p = (u_char *) (ch + 1);
    ngx_memcpy(p, name.data, name.len);

    ch->sn.str.data = p;
    ch->sn.str.len = name.len;
    ch->sn.node.key = ngx_crc32_short(p, name.len);
    ch->pubsub = ps;
    ch->prefix = (rooms_str_t) { keys->prefix.len, p };
    ch->slot = keys->slot;
    ngx_queue_init(&ch->listeners);
    ngx_rbtree_init(&ch->topics, &ch->sentinel, ngx_str_rbtree_insert_value);

    ngx_rooms_timer_init(&ch->timer, ngx_rooms_channel_idle, ch, ps->log);

    ngx_rooms_timer_init(&ch->tick, ngx_rooms_channel_tick, ch, ps->log);

    ngx_rooms_timer_init(&ch->late, ngx_rooms_channel_late, ch, ps->log);

    ngx_rbtree_insert(&ps->names, &ch->sn.node);
    ngx_queue_insert_tail(&ps->channels, &ch->queue);
    ngx_add_timer(&ch->timer, NGX_ROOMS_LISTEN_LINGER);
    ngx_rooms_pubsub_subscribe(ps, ch);

    return ch;
}


/* Ends one of the interests.  NGX_DONE: there is none. */
static ngx_int_t
ngx_rooms_channel_end(ngx_rooms_channel_t *ch)
{
    ngx_rooms_link_t   *link;
    ngx_rooms_topic_t  *topic;

    if (ch->topics.root == ch->topics.sentinel) {
        return NGX_DONE;
    }

    topic = (ngx_rooms_topic_t *) ch->topics.root;
    link = ngx_queue_data(ngx_queue_head(&topic->links), ngx_rooms_link_t,
                          queue);
    ngx_rooms_interest_end(link->interest);

    return NGX_OK;
}


/* Ends one interest in each turn, since others wait for the worker too. */
static void
ngx_rooms_channel_idle(ngx_event_t *ev)
{
    ngx_rooms_channel_t *ch = ev->data;

    if (ngx_rooms_channel_end(ch) == NGX_OK) {
        ngx_add_timer(&ch->timer, 1);
        return;
    }

    ngx_rooms_pubsub_unsubscribe(ch->pubsub, ch);
    ngx_rooms_channel_free(ch);
}


/* Nobody listens: stops the sweeps. */
static void
ngx_rooms_channel_quiet(ngx_rooms_channel_t *ch)
{
    if (ch->sweep) {
        ngx_rooms_batch_free(ch->sweep);
        ch->sweep = NULL;
    }

    if (ch->late.timer_set) {
        ngx_del_timer(&ch->late);
    }

    if (ch->tick.timer_set) {
        ngx_del_timer(&ch->tick);
    }

    ch->again = 0;
}


void
ngx_rooms_channel_free(ngx_rooms_channel_t *ch)
{
    ngx_rooms_channel_quiet(ch);

    if (ch->timer.timer_set) {
        ngx_del_timer(&ch->timer);
    }

    while (ngx_rooms_channel_end(ch) == NGX_OK) { /* void */ }

    ngx_rbtree_delete(&ch->pubsub->names, &ch->sn.node);
    ngx_queue_remove(&ch->queue);
    ngx_free(ch);
}


static ngx_rooms_topic_t *
ngx_rooms_topic_find(ngx_rooms_channel_t *ch, u_char kind, rooms_str_t id)
{
    ngx_str_t  name;
    u_char     text[1 + ROOMS_PARTICIPANT_MAX];

    if (id.len + 1 > sizeof(text)) {
        return NULL;
    }

    text[0] = kind;
    ngx_memcpy(text + 1, id.data, id.len);
    name.data = text;
    name.len = id.len + 1;

    return (ngx_rooms_topic_t *) ngx_str_rbtree_lookup(&ch->topics, &name,
                                    ngx_crc32_short(name.data, name.len));
}


static ngx_rooms_topic_t *
ngx_rooms_topic_get(ngx_rooms_channel_t *ch, u_char kind, rooms_str_t id)
{
    u_char             *p;
    ngx_rooms_topic_t  *topic;

    topic = ngx_rooms_topic_find(ch, kind, id);

    if (topic || id.len > ROOMS_PARTICIPANT_MAX) {
        return topic;
    }

    topic = ngx_alloc(sizeof(ngx_rooms_topic_t) + 1 + id.len,
                      ch->pubsub->log);
    if (topic == NULL) {
        return NULL;
    }

    p = (u_char *) (topic + 1);
    p[0] = kind;
    ngx_memcpy(p + 1, id.data, id.len);

    topic->sn.str.data = p;
    topic->sn.str.len = 1 + id.len;
    topic->sn.node.key = ngx_crc32_short(p, 1 + id.len);
    ngx_queue_init(&topic->links);
    ngx_rbtree_insert(&ch->topics, &topic->sn.node);

    return topic;
}


rooms_str_t
ngx_rooms_topic_room(ngx_rooms_topic_t *topic)
{
    return (rooms_str_t) { topic->sn.str.len - 1, topic->sn.str.data + 1 };
}


static ngx_int_t
ngx_rooms_interest_link(ngx_rooms_interest_t *in, u_char kind, rooms_str_t id)
{
    ngx_rooms_link_t   *link;
    ngx_rooms_topic_t  *topic;

    topic = ngx_rooms_topic_get(in->channel, kind, id);
    if (topic == NULL) {
        return NGX_ERROR;
    }

    link = &in->links[in->nlinks++];
    link->interest = in;
    ngx_queue_insert_tail(&topic->links, &link->queue);

    return NGX_OK;
}


ngx_rooms_interest_t *
ngx_rooms_interest_create(ngx_rooms_pubsub_t *ps, ngx_rooms_keys_t *keys,
    rooms_str_t participant, const rooms_str_t *rooms, ngx_uint_t n)
{
    ngx_int_t              rc;
    ngx_uint_t             i;
    rooms_str_t            channel;
    ngx_rooms_channel_t   *ch;
    ngx_rooms_interest_t  *in;

    channel = ngx_rooms_key(keys, NGX_ROOMS_KEY_CHANNEL, ROOMS_NULL);
    if (channel.data == NULL) {
        return NULL;
    }

    ch = ngx_rooms_channel_find(ps, channel);

    if (ch == NULL) {
        ch = ngx_rooms_channel_create(ps, keys, channel);
        if (ch == NULL) {
            return NULL;
        }
    }

    in = ngx_alloc(sizeof(ngx_rooms_interest_t)
                   + (n + 1) * sizeof(ngx_rooms_link_t), ps->log);
    if (in == NULL) {
        return NULL;
    }

    in->channel = ch;
    in->refs = 1;
    in->nlinks = 0;
    ngx_queue_init(&in->listeners);

    rc = ngx_rooms_interest_link(in, 'p', participant);

    for (i = 0; rc == NGX_OK && i < n; i++) {

        /* a damaged list may have what is no room's id */

        if (rooms[i].len <= ROOMS_ID_MAX) {
            rc = ngx_rooms_interest_link(in, 'r', rooms[i]);
        }
    }

    if (rc != NGX_OK) {
        ngx_rooms_interest_release(in);
        return NULL;
    }

    return in;
}


/* Nobody listens.  What keeps it finds that it has ended. */
static void
ngx_rooms_interest_end(ngx_rooms_interest_t *in)
{
    ngx_uint_t          i;
    ngx_queue_t        *next;
    ngx_rooms_topic_t  *topic;

    for (i = 0; i < in->nlinks; i++) {
        next = ngx_queue_next(&in->links[i].queue);
        ngx_queue_remove(&in->links[i].queue);

        if (ngx_queue_empty(next)) {
            /* the queue's head: this was the topic's last link */
            topic = ngx_queue_data(next, ngx_rooms_topic_t, links);
            ngx_rbtree_delete(&in->channel->topics, &topic->sn.node);
            ngx_free(topic);
        }
    }

    in->nlinks = 0;
    in->channel = NULL;
}


void
ngx_rooms_interest_release(ngx_rooms_interest_t *in)
{
    if (--in->refs) {
        return;
    }

    if (in->channel) {
        ngx_rooms_interest_end(in);
    }

    ngx_free(in);
}


size_t
ngx_rooms_interest_size(ngx_rooms_interest_t *in)
{
    size_t              size;
    ngx_uint_t          i;
    ngx_queue_t        *next;
    ngx_rooms_topic_t  *topic;

    size = sizeof(ngx_rooms_interest_t)
           + in->nlinks * sizeof(ngx_rooms_link_t);

    for (i = 0; i < in->nlinks; i++) {
        next = ngx_queue_next(&in->links[i].queue);

        if (next == ngx_queue_prev(&in->links[i].queue)) {
            /* the queue's head: this is the topic's only link */
            topic = ngx_queue_data(next, ngx_rooms_topic_t, links);
            size += sizeof(ngx_rooms_topic_t) + topic->sn.str.len;
        }
    }

    return size;
}


/* Leaves the interest. */
static void
ngx_rooms_listen_leave(ngx_rooms_listener_t *l)
{
    ngx_queue_remove(&l->queue);
    ngx_queue_remove(&l->beside);
    ngx_rooms_interest_release(l->interest);
    l->interest = NULL;

    if (l->topic) {
        /* the topic may be freed now, so look at everything */
        l->topic = NULL;
        l->full = 1;
    }
}


void
ngx_rooms_listen(ngx_rooms_listener_t *l, ngx_rooms_interest_t *in,
    int64_t counter)
{
    ngx_rooms_channel_t  *ch;

    if (l->interest == in) {
        return;
    }

    ch = in->channel;

    if (ngx_queue_empty(&ch->listeners)) {
        ngx_del_timer(&ch->timer);
        ch->head = counter;
        ngx_add_timer(&ch->tick, ngx_rooms_channel_pause(ch));
    }

    if (l->interest) {
        ngx_rooms_listen_leave(l);
    }

    in->refs++;
    l->interest = in;
    ngx_queue_insert_tail(&in->listeners, &l->beside);
    ngx_queue_insert_tail(&ch->listeners, &l->queue);
}


void
ngx_rooms_listen_stop(ngx_rooms_listener_t *l)
{
    ngx_rooms_channel_t  *ch;

    if (l->interest == NULL) {
        return;
    }

    if (l->queued) {
        ngx_queue_remove(&l->woken);
        l->queued = 0;
    }

    ch = l->interest->channel;
    ngx_rooms_listen_leave(l);
    l->full = 0;

    if (!ngx_queue_empty(&ch->listeners)) {
        return;
    }

    if (ngx_exiting) {
        ngx_rooms_channel_free(ch);
        return;
    }

    ngx_rooms_channel_quiet(ch);
    ngx_add_timer(&ch->timer, NGX_ROOMS_LISTEN_LINGER);
}


static void
ngx_rooms_listen_wake(ngx_rooms_listener_t *l, ngx_rooms_topic_t *topic,
    int64_t position)
{
    ngx_rooms_pubsub_t  *ps;

    ps = l->interest->channel->pubsub;

    if (topic == NULL || (l->topic && l->topic != topic)) {
        l->full = 1;
    }

    l->topic = topic;
    l->position = position;

    if (l->queued) {
        return;
    }

    l->queued = 1;

    ngx_queue_insert_tail(&ps->woken, &l->woken);

    /* an exiting worker still runs these events before it sleeps */
    ngx_post_event(&ps->wake, &ngx_posted_next_events);
}


/* Makes all listeners look. */
void
ngx_rooms_channel_wake(ngx_rooms_channel_t *ch)
{
    ngx_queue_t           *q;
    ngx_rooms_listener_t  *l;

    for (q = ngx_queue_head(&ch->listeners);
         q != ngx_queue_sentinel(&ch->listeners);
         q = ngx_queue_next(q))
    {
        l = ngx_queue_data(q, ngx_rooms_listener_t, queue);
        ngx_rooms_listen_wake(l, NULL, 0);
    }
}


static void
ngx_rooms_interest_wake(ngx_rooms_interest_t *in, ngx_rooms_topic_t *topic,
    int64_t position)
{
    ngx_queue_t           *q;
    ngx_rooms_listener_t  *l;

    for (q = ngx_queue_head(&in->listeners);
         q != ngx_queue_sentinel(&in->listeners);
         q = ngx_queue_next(q))
    {
        l = ngx_queue_data(q, ngx_rooms_listener_t, beside);
        ngx_rooms_listen_wake(l, topic, position);
    }
}


static void
ngx_rooms_topic_wake(ngx_rooms_topic_t *topic, ngx_uint_t full,
    int64_t position)
{
    ngx_queue_t       *q;
    ngx_rooms_link_t  *link;

    for (q = ngx_queue_head(&topic->links);
         q != ngx_queue_sentinel(&topic->links);
         q = ngx_queue_next(q))
    {
        link = ngx_queue_data(q, ngx_rooms_link_t, queue);
        ngx_rooms_interest_wake(link->interest, full ? NULL : topic, position);
    }
}


/* Whether somebody listens. */
static ngx_uint_t
ngx_rooms_topic_awaited(ngx_rooms_topic_t *topic)
{
    ngx_queue_t       *q;
    ngx_rooms_link_t  *link;

    for (q = ngx_queue_head(&topic->links);
         q != ngx_queue_sentinel(&topic->links);
         q = ngx_queue_next(q))
    {
        link = ngx_queue_data(q, ngx_rooms_link_t, queue);

        if (!ngx_queue_empty(&link->interest->listeners)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Handles a message: "position room participant ..."; the room is "-" if
 * there is none.  News that nobody here listens for wait for the next sweep.
 */
void
ngx_rooms_channel_news(ngx_rooms_channel_t *ch, rooms_str_t payload)
{
    u_char             *p, *last, *space;
    ngx_uint_t          n;
    rooms_str_t         word;
    ngx_rooms_topic_t  *topic;

    p = (u_char *) payload.data;
    last = p + payload.len;

    for (n = 0; p < last; n++) {
        space = ngx_strlchr(p, last, ' ');

        if (space == NULL) {
            space = last;
        }

        word = (rooms_str_t) { space - p, p };
        p = space + 1;

        if (n == 0) {

            if (ngx_atoof((u_char *) word.data, word.len) <= ch->head) {
                return;
            }

            continue;
        }

        topic = ngx_rooms_topic_find(ch, n == 1 ? 'r' : 'p', word);

        if (topic && ngx_rooms_topic_awaited(topic)) {
            ngx_rooms_channel_sweep(ch);
            return;
        }
    }
}


static ngx_msec_t
ngx_rooms_channel_pause(ngx_rooms_channel_t *ch)
{
    ngx_msec_t  pause;

    pause = ch->subscribed ? NGX_ROOMS_LISTEN_TICK : NGX_ROOMS_LISTEN_DEAF;

    return pause / 2 + ngx_random() % (pause / 2);
}


static void
ngx_rooms_channel_tick(ngx_event_t *ev)
{
    ngx_rooms_channel_sweep(ev->data);
}


void
ngx_rooms_channel_sweep(ngx_rooms_channel_t *ch)
{
    ngx_rooms_keys_t    keys;
    ngx_rooms_batch_t  *b;

    if (ch->sweep) {
        ch->again = 1;
        return;
    }

    if (ngx_queue_empty(&ch->listeners) || ngx_exiting) {
        return;
    }

    /* if this sweep fails, there will be another */

    ngx_add_timer(&ch->tick, ngx_rooms_channel_pause(ch));

    b = ngx_rooms_batch_create(ngx_cycle->log);
    if (b == NULL) {
        return;
    }

    keys.pool = b->pool;
    keys.prefix = ch->prefix;
    keys.slot = ch->slot;

    (void) ngx_rooms_ask(b, &keys, "GET %k", NGX_ROOMS_KEY_POSITION,
                         ROOMS_NULL);
    (void) ngx_rooms_ask(b, &keys,
                         "ZRANGEBYSCORE %k (%d +inf WITHSCORES LIMIT 0 %d",
                         NGX_ROOMS_KEY_ACTIVE, ROOMS_NULL, (int64_t) ch->head,
                         (int64_t) NGX_ROOMS_LISTEN_SWEEP);

    if (b->failed) {
        ngx_rooms_batch_free(b);
        return;
    }

    b->handler = ngx_rooms_channel_swept;
    b->data = ch;

    ch->again = 0;
    ch->sweep = b;

    ngx_add_timer(&ch->late, ch->pubsub->store->node.timeout);
    ngx_rooms_store_send(ch->pubsub->store, ch->slot, NGX_ROOMS_LANE_FAST, b);
}


/* The store doesn't answer.  Listeners look, and so find out as well. */
static void
ngx_rooms_channel_late(ngx_event_t *ev)
{
    ngx_rooms_lane_t     *lane;
    ngx_rooms_batch_t    *b;
    ngx_rooms_channel_t  *ch;

    ch = ev->data;
    b = ch->sweep;
    lane = b->lane;

    ch->sweep = NULL;
    ngx_rooms_batch_free(b);

    if (lane) {
        ngx_rooms_lane_late(lane);
    }

    ngx_rooms_channel_wake(ch);
}


static ngx_uint_t
ngx_rooms_channel_notify(ngx_rooms_channel_t *ch, redisReply *topics)
{
    size_t              i;
    int64_t             position;
    ngx_uint_t          person;
    rooms_str_t         name;
    ngx_rooms_topic_t  *topic;

    for (i = 0; i + 1 < topics->elements; i += 2) {
        name = ngx_rooms_reply_str(topics->element[i]);
        position = ngx_rooms_reply_int(topics->element[i + 1], 0);
        person = name.len && name.data[0] == ' ';

        topic = ngx_rooms_topic_find(ch, person ? 'p' : 'r',
                                     (rooms_str_t) { name.len - person,
                                                     name.data + person });
        if (topic) {
            ngx_rooms_topic_wake(topic, person, position);
        }
    }

    return i / 2 >= NGX_ROOMS_LISTEN_SWEEP;
}


static void
ngx_rooms_channel_swept(ngx_rooms_batch_t *b)
{
    int64_t               counter, last;
    redisReply           *topics;
    ngx_rooms_channel_t  *ch;

    ch = b->data;

    if (b->status == NGX_ROOMS_BATCH_OK
        && ngx_rooms_store_follow(ch->pubsub->store, b, NGX_ROOMS_LANE_FAST)
           == NGX_AGAIN)
    {
        return;
    }

    ch->sweep = NULL;
    ngx_del_timer(&ch->late);

    if (b->status != NGX_ROOMS_BATCH_OK) {
        ngx_rooms_batch_free(b);
        ngx_rooms_channel_wake(ch);
        return;
    }

    topics = b->replies[1];

    if (b->replies[0]->type == REDIS_REPLY_ERROR
        || topics->type != REDIS_REPLY_ARRAY)
    {
        /* it is loading, or about to move: `head` stays */
        ngx_rooms_batch_free(b);
        ngx_add_timer(&ch->tick, NGX_ROOMS_LISTEN_DEAF);
        return;
    }

    counter = ngx_rooms_reply_int(b->replies[0], 0);

    if (counter < ch->head) {
        /* writes were lost, so news told before may no longer be true */
        ch->head = counter;
        ngx_rooms_channel_wake(ch);

    } else if (ngx_rooms_channel_notify(ch, topics)) {
        /* there are more; some entries of the last position may be missing */
        last = ngx_rooms_reply_int(topics->element[topics->elements - 1], 0);
        ch->again = 1;

        if (last - 1 > ch->head) {
            ch->head = last - 1;

        } else {
            ch->head = counter;
            ngx_rooms_channel_wake(ch);
        }

    } else {
        ch->head = counter;
    }

    ngx_rooms_batch_free(b);

    if (ch->again) {
        ngx_rooms_channel_sweep(ch);
    }
}


void
ngx_rooms_listen_wake_handler(ngx_event_t *ev)
{
    ngx_uint_t             n;
    ngx_queue_t           *q;
    ngx_rooms_pubsub_t    *ps;
    ngx_rooms_listener_t  *l;

    ps = ev->data;

    for (n = 0; n < NGX_ROOMS_LISTEN_TURN && !ngx_queue_empty(&ps->woken);
         n++)
    {
        q = ngx_queue_head(&ps->woken);
        l = ngx_queue_data(q, ngx_rooms_listener_t, woken);

        ngx_queue_remove(q);
        l->queued = 0;

        /* the handler may stop listening, and free itself and others */

        l->handler(l);
    }

    if (!ngx_queue_empty(&ps->woken)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}
