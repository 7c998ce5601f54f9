/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Sends the waiting items to one server, in rounds of one request each:
 *
 *   items -> events, rooms -> names -> call -> commit -> (items ...)
 *        \-> excess -> commit        page of members for a snapshot
 *
 * Items leave the outbox once the peer has judged them, in the order of their
 * positions.  A failed round leaves them and sets the time of the next attempt.
 *
 * The oldest items of an outbox that is too long are dropped.  A snapshot
 * tells the peer the room's state, but not what has become of messages that
 * the peer has.  So an item "r ROOM" takes the place of each room's dropped
 * events, at the position of the first one.  It comes before the snapshot: it
 * reads the room's events from there up to the snapshot's position, in pages,
 * and sends those that the peer can't do without.  Its position moves along,
 * so another worker continues where this one has stopped.  An event that the
 * peer has received before is a duplicate there.
 */

#include "ngx_rooms_outbox.h"
#include "ngx_rooms_fedpolicy.h"
#include "rooms_peer.h"
#include "ngx_rooms_endings.h"


static ngx_int_t ngx_rooms_outbox_items(ngx_rooms_outbox_t *o,
    ngx_rooms_batch_t *b);
static void ngx_rooms_outbox_begin(ngx_rooms_outbox_t *o);
static void ngx_rooms_outbox_answered(ngx_rooms_round_t *store,
    ngx_rooms_batch_t *b);
static void ngx_rooms_outbox_late(ngx_event_t *ev);
static ngx_int_t ngx_rooms_outbox_commit(ngx_rooms_outbox_t *o);
static void ngx_rooms_outbox_next(ngx_rooms_outbox_t *o);
static ngx_int_t ngx_rooms_outbox_excess(ngx_rooms_outbox_t *o,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_outbox_committed(ngx_rooms_outbox_t *o,
    ngx_rooms_batch_t *b);


void
ngx_rooms_outbox_start(ngx_rooms_fedlink_t *link, rooms_str_t server,
    ngx_rooms_link_kind_e kind)
{
    ngx_pool_t          *pool;
    ngx_rooms_outbox_t  *o;

    pool = ngx_create_pool(1024, link->timer.log);
    if (pool == NULL) {
        return;
    }

    o = ngx_pcalloc(pool, sizeof(ngx_rooms_outbox_t));

    if (o == NULL || (server = ngx_rooms_dup(pool, server)).data == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    o->pool = pool;
    o->link = link;
    o->server = server;
    o->window = NGX_ROOMS_OUTBOX_ITEMS;

    ngx_rooms_round_init(&o->store, link->conf->store, link->timer.log);

    o->store.handler = ngx_rooms_outbox_answered;
    o->store.data = o;

    o->timer.handler = ngx_rooms_outbox_late;
    o->timer.data = o;
    o->timer.log = link->timer.log;

    ngx_queue_insert_tail(&link->sends, &o->queue);
    o->kind = kind;
    link->nsends[kind]++;

    ngx_rooms_outbox_begin(o);
}


/* Drops the state of a round; replies that are still to come are discarded. */
static void
ngx_rooms_outbox_clear(ngx_rooms_outbox_t *o)
{
    ngx_rooms_round_clear(&o->store);

    if (o->timer.timer_set) {
        ngx_del_timer(&o->timer);
    }

    if (o->round) {
        ngx_destroy_pool(o->round);
        o->round = NULL;
    }
}


void
ngx_rooms_outbox_stop(ngx_rooms_outbox_t *o)
{
    ngx_rooms_outbox_clear(o);

    ngx_queue_remove(&o->queue);
    o->link->nsends[o->kind]--;

    ngx_destroy_pool(o->pool);
}


static void
ngx_rooms_outbox_next(ngx_rooms_outbox_t *o)
{
    ngx_rooms_outbox_clear(o);
    ngx_rooms_outbox_begin(o);
}


ngx_int_t
ngx_rooms_outbox_ask(ngx_rooms_outbox_t *o, ngx_rooms_outbox_e state,
    ngx_uint_t lane)
{
    o->state = state;

    return ngx_rooms_round_send(&o->store, o->keys.slot, lane);
}


/* The call takes long. */
static void
ngx_rooms_outbox_late(ngx_event_t *ev)
{
    ngx_rooms_outbox_waited(ev->data);
}


static void
ngx_rooms_outbox_answered(ngx_rooms_round_t *store, ngx_rooms_batch_t *b)
{
    ngx_int_t            rc;
    ngx_rooms_outbox_t  *o;

    o = store->data;

    if (b == NULL || !ngx_rooms_lease_holds(&o->link->lease)) {
        ngx_rooms_outbox_stop(o);
        return;
    }

    switch (o->state) {

    case NGX_ROOMS_O_ITEMS:
        rc = ngx_rooms_outbox_items(o, b);
        break;

    case NGX_ROOMS_O_EXCESS:
        rc = ngx_rooms_outbox_excess(o, b);
        break;

    case NGX_ROOMS_O_EVENTS:
        rc = ngx_rooms_outbox_events(o, b);
        break;

    case NGX_ROOMS_O_REPEAT:
        rc = ngx_rooms_outbox_repeat(o, b);
        break;

    case NGX_ROOMS_O_PAGE:
        rc = ngx_rooms_outbox_page(o, b);
        break;

    case NGX_ROOMS_O_NAMES:
        rc = ngx_rooms_outbox_names(o, b);
        break;

    default:
        rc = ngx_rooms_outbox_committed(o, b);
    }

    if (rc == NGX_AGAIN) {
        ngx_rooms_outbox_next(o);

    } else if (rc != NGX_OK) {
        ngx_rooms_outbox_stop(o);
    }
}


static void
ngx_rooms_outbox_begin(ngx_rooms_outbox_t *o)
{
    rooms_str_t            key;
    ngx_rooms_batch_t     *b;
    ngx_rooms_loc_conf_t  *conf;

    conf = o->link->conf;

    o->items = NULL;
    o->nitems = 0;
    o->rooms = NULL;
    o->nrooms = 0;
    o->repeat.item = ROOMS_NULL;
    o->pdu = NULL;
    o->texts = NULL;
    o->ntexts = 0;
    o->judged = 0;
    o->done = 0;
    o->sent = 0;
    o->trouble = ROOMS_NULL;
    o->gone = NULL;
    o->ngone = 0;
    o->skipped = NULL;

    o->round = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, o->timer.log);

    if (o->round == NULL
        || ngx_rooms_keys_init(&o->keys, o->round, &conf->key_prefix,
                               rooms_from_ngx(conf->tenant)) != NGX_OK
        || (b = ngx_rooms_round_batch(&o->store)) == NULL)
    {
        ngx_rooms_outbox_stop(o);
        return;
    }

    key = ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_OUTBOX, o->server);

    (void) ngx_rooms_command(b, ngx_rooms_s("ZCARD"), key);
    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGE"), key, ngx_rooms_s("0"),
                             ngx_rooms_number(b->pool, o->window - 1),
                             ngx_rooms_s("WITHSCORES"));
    (void) ngx_rooms_ask(b, &o->keys, "HGET %k %s", NGX_ROOMS_KEY_OUTBOX_STATE,
                         ROOMS_NULL, o->server);
    (void) ngx_rooms_fedpolicy_ask(b, &o->keys);

    if (ngx_rooms_outbox_ask(o, NGX_ROOMS_O_ITEMS, NGX_ROOMS_LANE_BULK)
        != NGX_OK)
    {
        ngx_rooms_outbox_stop(o);
    }
}


/* "FAILURES DROPPED" */
static void
ngx_rooms_outbox_state(ngx_rooms_outbox_t *o, rooms_str_t row)
{
    off_t    n;
    u_char  *p, *last;

    o->failures = 0;
    o->dropped = 0;

    if (row.data == NULL) {
        return;
    }

    last = (u_char *) row.data + row.len;
    p = ngx_strlchr((u_char *) row.data, last, ' ');

    if (p) {
        n = ngx_atoof((u_char *) row.data, p - row.data);
        o->failures = n > 0 ? n : 0;
        n = ngx_atoof(p + 1, last - p - 1);
        o->dropped = n > 0 ? n : 0;
    }
}


static ngx_uint_t
ngx_rooms_outbox_room(ngx_rooms_outbox_t *o, rooms_str_t id)
{
    ngx_uint_t  i;

    for (i = 0; i < o->nrooms; i++) {
        if (rooms_str_eq(o->rooms[i].id, id)) {
            return i;
        }
    }

    o->rooms[i].id = id;
    o->nrooms++;

    return i;
}


/*
 * "e ROOM EVENT", "r ROOM" to repeat dropped events, "s ROOM", or
 * "s ROOM EVENT" to answer a refused event
 */
static void
ngx_rooms_outbox_item(ngx_rooms_outbox_t *o, ngx_rooms_outbox_item_t *item)
{
    u_char       *p, *last;
    rooms_str_t   room, event, s;

    event = ROOMS_NULL;
    s = item->item;
    last = (u_char *) s.data + s.len;

    if (s.len < 3 || s.data[1] != ' ') {
        return;
    }

    p = ngx_strlchr((u_char *) s.data + 2, last, ' ');

    room.data = s.data + 2;
    room.len = (p ? p : last) - room.data;

    if (!rooms_id_valid(room, "room-")) {
        return;
    }

    if (p) {
        event = (rooms_str_t) { last - p - 1, p + 1 };

        if (!rooms_id_valid(event, "evt-")) {
            return;
        }
    }

    if (s.data[0] == 'e' && p) {
        item->event = event;

        if (rooms_event_position(event) <= 0) {
            return;
        }

    } else if (s.data[0] == 's') {
        item->refused = event;

    } else if (s.data[0] == 'r' && p == NULL) {
        item->repeats = 1;

    } else {
        return;
    }

    item->room = ngx_rooms_outbox_room(o, room);
    item->valid = 1;
}


static ngx_int_t
ngx_rooms_outbox_read(ngx_rooms_outbox_t *o, redisReply *reply)
{
    ngx_uint_t                i, n;
    ngx_rooms_outbox_item_t  *item;

    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    n = reply->elements / 2;

    o->items = ngx_pcalloc(o->round, (n + 1)
                                     * sizeof(ngx_rooms_outbox_item_t));
    o->rooms = ngx_pcalloc(o->round, (n + 1)
                                     * sizeof(ngx_rooms_outbox_room_t));

    if (o->items == NULL || o->rooms == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        item = &o->items[i];
        item->item = ngx_rooms_reply_str(reply->element[2 * i]);
        item->position = ngx_rooms_reply_int(reply->element[2 * i + 1], 0);

        if (item->item.data == NULL) {
            return NGX_ERROR;
        }

        ngx_rooms_outbox_item(o, item);
    }

    o->nitems = n;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_outbox_items(ngx_rooms_outbox_t *o, ngx_rooms_batch_t *b)
{
    ngx_uint_t       i;
    rooms_str_t      key;
    rooms_policy_t  *policy;

    o->waiting = ngx_rooms_reply_int(b->replies[0], -1);
    ngx_rooms_outbox_state(o, ngx_rooms_reply_str(b->replies[2]));

    policy = ngx_rooms_fedpolicy_read(o->round, o->timer.log, o->link->conf,
                                      b->replies[3]);

    if (policy == NULL || o->waiting < 0
        || b->replies[3]->type == REDIS_REPLY_ERROR
        || ngx_rooms_outbox_read(o, b->replies[1]) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /*
     * an invited peer counts as allowed: it still has to learn that it was
     * removed
     */

    if (!rooms_policy_allows(policy, o->server, 1)
        || !rooms_peer_valid(o->server))
    {
        return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_REFUSED);
    }

    if (o->waiting > NGX_ROOMS_OUTBOX_MAX && !o->full) {
        b = ngx_rooms_round_batch(&o->store);
        if (b == NULL) {
            return NGX_ERROR;
        }

        key = ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_OUTBOX, o->server);

        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGE"), key,
                   ngx_rooms_s("0"),
                   ngx_rooms_number(b->pool,
                       ngx_min(o->waiting - NGX_ROOMS_OUTBOX_MAX
                               + NGX_ROOMS_OUTBOX_SPARE,
                               NGX_ROOMS_OUTBOX_DROP) - 1),
                   ngx_rooms_s("WITHSCORES"));

        return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_EXCESS,
                                    NGX_ROOMS_LANE_BULK);
    }

    /* a snapshot is sent alone, and so is what is repeated */

    for (i = 0; i < o->nitems; i++) {

        if (o->items[i].valid && o->items[i].event.data == NULL) {
            o->nitems = i ? i : 1;
            break;
        }
    }

    return ngx_rooms_outbox_ask_events(o);
}


static ngx_int_t
ngx_rooms_outbox_excess(ngx_rooms_outbox_t *o, ngx_rooms_batch_t *b)
{
    ngx_uint_t  i;

    o->nrooms = 0;

    if (ngx_rooms_outbox_read(o, b->replies[0]) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < o->nitems; i++) {

        if (!o->items[i].valid || o->items[i].event.data
            || o->items[i].refused.data)
        {
            return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_DROPPED);
        }
    }

    /* nothing can be replaced by something shorter */

    o->full = 1;

    return NGX_AGAIN;
}


ngx_int_t
ngx_rooms_outbox_finish(ngx_rooms_outbox_t *o, ngx_rooms_outbox_end_e end)
{
    o->end = end;
    o->empties = end == NGX_ROOMS_O_SENT && o->waiting == (int64_t) o->done;

    return ngx_rooms_outbox_commit(o);
}


/* Writes "FAILURES DROPPED"; deletes the row if both are 0. */
static void
ngx_rooms_outbox_put_state(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c)
{
    rooms_str_t  key;

    key = ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_OUTBOX_STATE, ROOMS_NULL);

    if (o->failures == 0 && o->dropped == 0) {
        ngx_rooms_commit_write(c, "HDEL", key, o->server);
        return;
    }

    ngx_rooms_commit_write(c, "HSET", key, o->server,
                           ngx_rooms_join(o->round,
                                   ngx_rooms_number(o->round, o->failures),
                                   ngx_rooms_s(" "),
                                   ngx_rooms_number(o->round, o->dropped)));
}


/* Removes the first `done` items from the outbox. */
static ngx_int_t
ngx_rooms_outbox_remove(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c,
    rooms_str_t outbox)
{
    ngx_uint_t    i;
    rooms_str_t  *argv;

    if (o->done == 0) {
        return NGX_OK;
    }

    argv = ngx_palloc(o->round, o->done * sizeof(rooms_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < o->done; i++) {
        argv[i] = o->items[i].item;
    }

    ngx_rooms_commit_command(c, 0, ngx_rooms_s("ZREM"), outbox, argv,
                             o->done);

    return NGX_OK;
}


/*
 * Queues a snapshot of each room whose items were dropped and, before it, the
 * repetition of its events.  The position of an earlier repetition, which is
 * among the dropped items, stays.
 */
static void
ngx_rooms_outbox_replace(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c,
    rooms_str_t outbox)
{
    ngx_uint_t                i;
    ngx_rooms_outbox_item_t  *item;
    ngx_rooms_outbox_room_t  *room;

    for (i = 0; i < o->nitems; i++) {
        item = &o->items[i];

        if (!item->valid) {
            continue;
        }

        room = &o->rooms[item->room];
        room->last = item->position;

        if (room->first == 0 && (item->event.data || item->repeats)) {
            room->first = item->position;
        }
    }

    for (i = 0; i < o->nrooms; i++) {
        room = &o->rooms[i];

        if (room->first) {
            ngx_rooms_commit_write(c, "ZADD", outbox,
                                   ngx_rooms_number(o->round, room->first),
                                   ngx_rooms_join(o->round, ngx_rooms_s("r "),
                                                  room->id));
        }

        ngx_rooms_commit_write(c, "ZADD", outbox,
                               ngx_rooms_number(o->round, room->last),
                               ngx_rooms_join(o->round, ngx_rooms_s("s "),
                                              room->id));
    }
}


static ngx_msec_t
ngx_rooms_outbox_backoff(ngx_rooms_outbox_t *o)
{
    ngx_msec_t  delay;

    delay = NGX_ROOMS_OUTBOX_MIN << ngx_min(o->failures, 6);
    delay = ngx_min(delay, NGX_ROOMS_OUTBOX_LONG);

    return delay * 3 / 4 + ngx_random() % (delay / 4 + 1);
}


/* Counts events of an erasure that the peer has refused. */
static void
ngx_rooms_outbox_write_skipped(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c)
{
    ngx_uint_t    i;
    rooms_str_t  *id;

    if (o->skipped == NULL) {
        return;
    }

    id = o->skipped->elts;

    for (i = 0; i < o->skipped->nelts; i++) {
        ngx_rooms_commit_write(c, "HINCRBY",
                               ngx_rooms_key(&o->keys,
                                             NGX_ROOMS_KEY_USER_OFFBOARD,
                                             id[i]),
                               ngx_rooms_s(NGX_ROOMS_OFF_SKIPPED),
                               ngx_rooms_s("1"));
    }
}


/*
 * Removes the items that were sent, and the outbox if nothing has come since.
 */
static ngx_int_t
ngx_rooms_outbox_write_sent(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c,
    rooms_str_t outbox, rooms_str_t outboxes)
{
    ngx_uint_t   i;

    /* a concurrent commit that adds an item must find the server listed */

    if (o->empties) {
        ngx_rooms_commit_guard_count(c, "ZCARD", outbox, o->waiting);
        ngx_rooms_commit_write(c, "ZREM", outboxes, o->server);
    }

    if (o->pdu && o->done) {
        /* the snapshot may have been queued again */
        ngx_rooms_commit_guard_score(c, outbox, o->items[0].item,
                                     o->items[0].position);
    }

    if (o->repeat.item.data) {
        ngx_rooms_commit_guard_score(c, outbox, o->repeat.item,
                                     o->repeat.position);

        if (o->next) {
            ngx_rooms_commit_write(c, "ZADD", outbox,
                                   ngx_rooms_number(o->round, o->next),
                                   o->repeat.item);

        } else {
            ngx_rooms_commit_write(c, "ZREM", outbox, o->repeat.item);
        }
    }

    if (o->sent) {
        o->failures = 0;
        o->dropped = 0;
        ngx_rooms_outbox_put_state(o, c);

        ngx_rooms_commit_write(c, "HSET",
                          ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_PEER_REACHED,
                                        ROOMS_NULL), o->server,
                          ngx_rooms_number(o->round,
                                           ngx_rooms_now()));
    }

    for (i = 0; i < o->ngone; i++) {
        ngx_rooms_endings_parted(c, &o->keys, o->gone[i].id, o->server,
                                 o->gone[i].position);
    }

    ngx_rooms_outbox_write_skipped(o, c);

    return ngx_rooms_outbox_remove(o, c, outbox);
}


/* Sets the time of the next attempt. */
static void
ngx_rooms_outbox_write_failed(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c,
    rooms_str_t outboxes)
{
    ngx_rooms_commit_write(c, "ZADD", outboxes, ngx_rooms_s("XX"),
                       ngx_rooms_number(o->round,
                                        ngx_rooms_now()
                                        + ngx_rooms_outbox_backoff(o)),
                       o->server);
    o->failures++;
    ngx_rooms_outbox_put_state(o, c);
}


/* Drops the oldest items beyond the bound, in favour of shorter ones. */
static ngx_int_t
ngx_rooms_outbox_write_dropped(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c,
    rooms_str_t outbox)
{
    ngx_uint_t  i;

    for (i = 0; i < o->nitems; i++) {
        o->dropped += o->items[i].event.data != NULL;
    }

    ngx_log_error(NGX_LOG_WARN, o->timer.log, 0,
                  "rooms: more than %d items wait for \"%*s\": the "
                  "oldest are dropped", NGX_ROOMS_OUTBOX_MAX,
                  o->server.len, o->server.data);

    o->done = o->nitems;
    ngx_rooms_outbox_put_state(o, c);

    if (ngx_rooms_outbox_remove(o, c, outbox) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_outbox_replace(o, c, outbox);

    return NGX_OK;
}


/* The policy doesn't allow the server: drops its whole outbox. */
static void
ngx_rooms_outbox_write_refused(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c,
    rooms_str_t outbox, rooms_str_t outboxes)
{
    ngx_log_error(NGX_LOG_NOTICE, o->timer.log, 0,
                  "rooms: %L items for \"%*s\", which the policy does not "
                  "allow, are dropped", o->waiting, o->server.len,
                  o->server.data);

    o->failures = 0;
    o->dropped = 0;

    ngx_rooms_commit_delete(c, outbox);
    ngx_rooms_commit_write(c, "ZREM", outboxes, o->server);
    ngx_rooms_outbox_put_state(o, c);
}


static ngx_int_t
ngx_rooms_outbox_writes(ngx_rooms_outbox_t *o)
{
    rooms_str_t          outbox, outboxes;
    ngx_rooms_commit_t  *c;

    c = &o->commit;

    if (ngx_rooms_lease_fence(&o->link->lease, c, o->round, &o->keys)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    outbox = ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_OUTBOX, o->server);
    outboxes = ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_OUTBOXES, ROOMS_NULL);

    if (o->trouble.data) {
        ngx_rooms_commit_write(c, "HSET",
                               ngx_rooms_key(&o->keys,
                                             NGX_ROOMS_KEY_PEER_ERRORS,
                                             ROOMS_NULL),
                               o->server, o->trouble);
        ngx_rooms_commit_write(c, "ZADD",
                               ngx_rooms_key(&o->keys,
                                             NGX_ROOMS_KEY_PEER_NAMES,
                                             ROOMS_NULL),
                               ngx_rooms_s("0"), o->server);
    }

    switch (o->end) {

    case NGX_ROOMS_O_SENT:
        return ngx_rooms_outbox_write_sent(o, c, outbox, outboxes);

    case NGX_ROOMS_O_FAILED:
        ngx_rooms_outbox_write_failed(o, c, outboxes);
        return NGX_OK;

    case NGX_ROOMS_O_DROPPED:
        return ngx_rooms_outbox_write_dropped(o, c, outbox);

    default:
        ngx_rooms_outbox_write_refused(o, c, outbox, outboxes);
        return NGX_OK;
    }
}


static ngx_int_t
ngx_rooms_outbox_commit(ngx_rooms_outbox_t *o)
{
    ngx_rooms_batch_t  *b;

    if (ngx_rooms_outbox_writes(o) != NGX_OK) {
        return NGX_ERROR;
    }

    b = ngx_rooms_round_batch(&o->store);

    if (b == NULL
        || ngx_rooms_commit_build(&o->commit, b, &o->keys, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_COMMIT, NGX_ROOMS_LANE_FAST);
}


/* NGX_AGAIN: start another round; NGX_DONE: stop. */
static ngx_int_t
ngx_rooms_outbox_committed(ngx_rooms_outbox_t *o, ngx_rooms_batch_t *b)
{
    int64_t  guard;

    switch (ngx_rooms_commit_result(b, &guard, o->timer.log)) {

    case NGX_ROOMS_COMMIT_DONE:

        if (o->end == NGX_ROOMS_O_DROPPED
            || (o->end == NGX_ROOMS_O_SENT && !o->empties))
        {
            return NGX_AGAIN;
        }

        return NGX_DONE;

    case NGX_ROOMS_COMMIT_CONFLICT:

        /* guard 1 is the lease */

        if (guard == 2 && o->empties) {
            o->empties = 0;
            return ngx_rooms_outbox_commit(o);
        }

        if (guard > 1) {
            ngx_memzero(&o->snapshot, sizeof(ngx_rooms_pdu_at_t));
            return NGX_AGAIN;
        }

        o->link->lease.until = 0;

        return NGX_DONE;

    default:
        return NGX_ERROR;
    }
}
