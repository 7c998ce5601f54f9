/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Who listens to what.  Listeners are found by the room or the participant
 * that a commit names, so that news touch nobody else; they are called some
 * at a time, so that news of a great room don't hold up the worker.
 */

#include "ngx_rooms_store.h"


#define NGX_ROOMS_LISTEN_LINGER  60000    /* ms, a channel without listeners */
#define NGX_ROOMS_LISTEN_TURN      128    /* called in one turn of the loop */


static void ngx_rooms_channel_idle(ngx_event_t *ev);
static void ngx_rooms_listen_unlink(ngx_rooms_listener_t *l);
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
ngx_rooms_channel_create(ngx_rooms_pubsub_t *ps, rooms_str_t name)
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
    ngx_queue_init(&ch->listeners);
    ngx_rbtree_init(&ch->topics, &ch->sentinel, ngx_str_rbtree_insert_value);

    ch->timer.handler = ngx_rooms_channel_idle;
    ch->timer.data = ch;
    ch->timer.log = ps->log;
    ch->timer.cancelable = 1;

    ngx_rbtree_insert(&ps->names, &ch->sn.node);
    ngx_queue_insert_tail(&ps->channels, &ch->queue);
    ngx_rooms_pubsub_subscribe(ps, ch);

    return ch;
}


static void
ngx_rooms_channel_idle(ngx_event_t *ev)
{
    ngx_rooms_channel_t *ch = ev->data;

    ngx_rooms_pubsub_unsubscribe(ch->pubsub, ch);
    ngx_rooms_channel_free(ch);
}


void
ngx_rooms_channel_free(ngx_rooms_channel_t *ch)
{
    if (ch->timer.timer_set) {
        ngx_del_timer(&ch->timer);
    }

    ngx_rbtree_delete(&ch->pubsub->names, &ch->sn.node);
    ngx_queue_remove(&ch->queue);
    ngx_free(ch);
}


static ngx_rooms_topic_t *
ngx_rooms_topic_get(ngx_rooms_channel_t *ch, u_char kind, rooms_str_t id)
{
    u_char              *p;
    uint32_t             hash;
    ngx_str_t            name;
    ngx_rooms_topic_t   *topic;
    u_char               text[1 + ROOMS_PARTICIPANT_MAX];

    if (id.len + 1 > sizeof(text)) {
        return NULL;
    }

    text[0] = kind;
    ngx_memcpy(text + 1, id.data, id.len);
    name.data = text;
    name.len = id.len + 1;

    hash = ngx_crc32_short(name.data, name.len);

    topic = (ngx_rooms_topic_t *) ngx_str_rbtree_lookup(&ch->topics, &name,
                                                        hash);
    if (topic) {
        return topic;
    }

    topic = ngx_alloc(sizeof(ngx_rooms_topic_t) + name.len,
                      ch->pubsub->log);
    if (topic == NULL) {
        return NULL;
    }

    p = (u_char *) (topic + 1);
    ngx_memcpy(p, name.data, name.len);

    topic->sn.str.data = p;
    topic->sn.str.len = name.len;
    topic->sn.node.key = hash;
    ngx_queue_init(&topic->links);
    ngx_rbtree_insert(&ch->topics, &topic->sn.node);

    return topic;
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


rooms_str_t
ngx_rooms_topic_room(ngx_rooms_topic_t *topic)
{
    return (rooms_str_t) { topic->sn.str.len - 1, topic->sn.str.data + 1 };
}


static ngx_int_t
ngx_rooms_listen_link(ngx_rooms_listener_t *l, u_char kind, rooms_str_t id)
{
    ngx_rooms_link_t   *link;
    ngx_rooms_topic_t  *topic;

    topic = ngx_rooms_topic_get(l->channel, kind, id);
    if (topic == NULL) {
        return NGX_ERROR;
    }

    link = &l->links[l->nlinks++];
    link->topic = topic;
    link->listener = l;
    ngx_queue_insert_tail(&topic->links, &link->queue);

    return NGX_OK;
}


ngx_int_t
ngx_rooms_listen(ngx_rooms_pubsub_t *ps, ngx_rooms_listener_t *l,
    rooms_str_t channel, rooms_str_t participant, const rooms_str_t *rooms,
    ngx_uint_t n)
{
    ngx_uint_t            i;
    ngx_rooms_link_t     *links;
    ngx_rooms_channel_t  *ch;

    ch = l->channel;

    if (ch == NULL) {
        ch = ngx_rooms_channel_find(ps, channel);

        if (ch == NULL) {
            ch = ngx_rooms_channel_create(ps, channel);
            if (ch == NULL) {
                return NGX_ERROR;
            }
        }

        if (ch->timer.timer_set) {
            ngx_del_timer(&ch->timer);
        }

        l->channel = ch;
        ngx_queue_insert_tail(&ch->listeners, &l->queue);
    }

    links = ngx_alloc((n + 1) * sizeof(ngx_rooms_link_t), ps->log);
    if (links == NULL) {
        return NGX_ERROR;
    }

    ngx_rooms_listen_unlink(l);
    l->links = links;

    if (ngx_rooms_listen_link(l, 'p', participant) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (ngx_rooms_listen_link(l, 'r', rooms[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* A topic lives as long as somebody is interested. */
static void
ngx_rooms_listen_unlink(ngx_rooms_listener_t *l)
{
    ngx_uint_t          i;
    ngx_rooms_topic_t  *topic;

    for (i = 0; i < l->nlinks; i++) {
        topic = l->links[i].topic;
        ngx_queue_remove(&l->links[i].queue);

        if (ngx_queue_empty(&topic->links)) {
            ngx_rbtree_delete(&l->channel->topics, &topic->sn.node);
            ngx_free(topic);
        }
    }

    if (l->links) {
        ngx_free(l->links);
    }

    l->links = NULL;
    l->nlinks = 0;

    if (l->topic) {
        /* it may be gone: what it stood for has to be looked for */
        l->topic = NULL;
        l->full = 1;
    }
}


void
ngx_rooms_listen_stop(ngx_rooms_listener_t *l)
{
    ngx_rooms_channel_t  *ch;

    ch = l->channel;

    if (ch == NULL) {
        return;
    }

    ngx_rooms_listen_unlink(l);

    if (l->queued) {
        ngx_queue_remove(&l->woken);
        l->queued = 0;
    }

    ngx_queue_remove(&l->queue);
    l->channel = NULL;
    l->full = 0;

    if (!ngx_queue_empty(&ch->listeners)) {
        return;
    }

    if (ngx_exiting) {
        ngx_rooms_channel_free(ch);
        return;
    }

    ngx_add_timer(&ch->timer, NGX_ROOMS_LISTEN_LINGER);
}


ngx_uint_t
ngx_rooms_listening(ngx_rooms_listener_t *l)
{
    return l->channel && l->channel->subscribed;
}


static void
ngx_rooms_listen_wake(ngx_rooms_listener_t *l, ngx_rooms_topic_t *topic,
    int64_t position)
{
    ngx_rooms_pubsub_t  *ps;

    ps = l->channel->pubsub;

    if (topic == NULL) {
        l->full = 1;
    }

    if (l->queued) {
        /* the first event of several is what matters, or all of them */
        return;
    }

    l->topic = topic;
    l->position = position;
    l->queued = 1;

    ngx_queue_insert_tail(&ps->woken, &l->woken);

    /* a worker that begins to exit looks at these alone before it sleeps */
    ngx_post_event(&ps->wake, &ngx_posted_next_events);
}


/* All have to look: we are subscribed now, or can't be. */
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
        ngx_rooms_listen_wake(link->listener, full ? NULL : topic, position);
    }
}


/* "position room participant ..."; the room is "-" for what is no event. */
void
ngx_rooms_channel_news(ngx_rooms_channel_t *ch, rooms_str_t payload)
{
    u_char             *p, *last, *space;
    off_t               position;
    ngx_uint_t          n;
    rooms_str_t         word, room;
    ngx_rooms_topic_t  *topic;

    p = (u_char *) payload.data;
    last = p + payload.len;
    position = 0;
    room = ROOMS_NULL;

    for (n = 0; p < last; n++) {
        space = ngx_strlchr(p, last, ' ');

        if (space == NULL) {
            space = last;
        }

        word = (rooms_str_t) { space - p, p };
        p = space + 1;

        switch (n) {

        case 0:
            position = ngx_atoof((u_char *) word.data, word.len);

            if (position == NGX_ERROR) {
                return;
            }

            break;

        case 1:
            room = word;
            break;

        default:
            topic = ngx_rooms_topic_find(ch, 'p', word);

            if (topic) {
                ngx_rooms_topic_wake(topic, 1, position);
            }
        }
    }

    topic = ngx_rooms_topic_find(ch, 'r', room);

    if (topic) {
        ngx_rooms_topic_wake(topic, 0, position);
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

        /* it may stop listening, or free itself and others */

        l->handler(l);
    }

    if (!ngx_queue_empty(&ps->woken)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}
