/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Works off what has to end.  Explicit endings are in the list "endings".
 * The others follow from the policy: a peer it doesn't allow must leave all
 * rooms at home here, and we leave the rooms whose home it is.  A pass over all
 * servers in rooms finds these, when the policy has changed, and at intervals.
 *
 *   ending? --+--> room -> rows -> heirs -> commit --+
 *     |  none |                                      |
 *     v       |                                      |
 *   peers -> its rooms                               |
 *     ^                                              |
 *     +----------------------------------------------+
 *
 * Every step begins with the state in the store and is fenced by the lease.  So
 * it may stop anywhere, and another worker may continue.
 */

#include "ngx_rooms_endings.h"
#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_fedpolicy.h"
#include "ngx_rooms_hold.h"
#include "ngx_rooms_roster.h"


#define NGX_ROOMS_ENDINGS_ROWS    50       /* rows looked at together */

typedef enum {
    NGX_ROOMS_ENDINGS_GET_ENDING = 0,
    NGX_ROOMS_ENDINGS_GET_PEERS,
    NGX_ROOMS_ENDINGS_GET_ROOMS,           /* of a peer */
    NGX_ROOMS_ENDINGS_GET_ROOM,
    NGX_ROOMS_ENDINGS_GET_ROWS,
    NGX_ROOMS_ENDINGS_GET_HEIRS,
    NGX_ROOMS_ENDINGS_COMMIT
} ngx_rooms_endings_e;

struct ngx_rooms_endings_s {
    ngx_rooms_fedlink_t    *link;
    ngx_rooms_round_t       store;
    ngx_uint_t              busy;
    ngx_uint_t              steps;         /* in this tick */
    ngx_msec_t              next;          /* next look, after nothing was
                                              found */

    /* the pass over all peers: its progress */
    u_char                  cursor[ROOMS_PEER_MAX];
    size_t                  cursor_len;
    u_char                  peer[ROOMS_PEER_MAX];
    size_t                  peer_len;      /* 0: between two peers */
    ngx_uint_t              offset;        /* rooms of the peer that stay */
    uint32_t                passed;        /* CRC of the policy at the last
                                              pass */
    ngx_msec_t              pass;          /* time of the next pass */
    unsigned                once:1;        /* a pass has been made */

    /* of one step */
    ngx_pool_t             *pool;
    ngx_rooms_keys_t        keys;
    ngx_rooms_endings_e     state;
    rooms_str_t             text;          /* the policy's text, or NULL */
    rooms_policy_t         *policy;
    rooms_str_t             putter;        /* who set the policy, or NULL */
    rooms_str_t             ending;        /* NULL: it follows from the
                                              policy */
    rooms_str_t             id;
    rooms_str_t             server;
    rooms_str_t             who;
    int64_t                 until;         /* later members stay; -1: all
                                              leave */
    ngx_rooms_roster_t      roster;        /* the peer's members */
    rooms_room_t            room;
    rooms_target_t          target;
    rooms_member_t          top[2];
    ngx_uint_t              ntop;
    ngx_rooms_commit_t      commit;
    u_char                  random[16];
    unsigned                all:1;         /* all rooms at home here that the
                                              peer is in */
    unsigned                invited:1;     /* the peer is in a room at home
                                              here */
};


#define NGX_ROOMS_ENDINGS_IDLE  1000       /* ms */

#define NGX_ROOMS_ENDINGS_PEERS  100       /* peers looked at together */


static void ngx_rooms_endings_begin(ngx_rooms_endings_t *e);
static void ngx_rooms_endings_end(ngx_rooms_endings_t *e);
static void ngx_rooms_endings_answered(ngx_rooms_round_t *store,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_endings_advance(ngx_rooms_endings_t *e,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_endings_ask_rooms(ngx_rooms_endings_t *e);
static ngx_int_t ngx_rooms_endings_ask(ngx_rooms_endings_t *e,
    ngx_rooms_endings_e state);
static ngx_int_t ngx_rooms_endings_send(ngx_rooms_endings_t *e);
static ngx_int_t ngx_rooms_endings_ending(ngx_rooms_endings_t *e,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_endings_peers(ngx_rooms_endings_t *e,
    redisReply *peers);
static ngx_int_t ngx_rooms_endings_rooms(ngx_rooms_endings_t *e,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_endings_drop(ngx_rooms_endings_t *e,
    ngx_uint_t read);
static ngx_int_t ngx_rooms_endings_ask_room(ngx_rooms_endings_t *e);
static ngx_int_t ngx_rooms_endings_room(ngx_rooms_endings_t *e,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_endings_rows(ngx_rooms_endings_t *e,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_endings_heirs(ngx_rooms_endings_t *e,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_endings_alone(ngx_rooms_endings_t *e);


void
ngx_rooms_endings_add(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_str_t who, int64_t now)
{
    uint32_t     n;
    rooms_str_t  peers, server;

    peers = room->peers;

    while (rooms_peers_next(&peers, &server, &n)) {
        ngx_rooms_commit_write(c, "ZADD",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_ENDINGS,
                                             ROOMS_NULL),
                               ngx_rooms_number(c->pool, now),
                               ngx_rooms_join(c->pool, room->id,
                                              ngx_rooms_s(" "), server,
                                              ngx_rooms_s(" "), who));
    }
}


void
ngx_rooms_endings_peer(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t server, rooms_str_t who, int64_t now)
{
    ngx_rooms_commit_write(c, "ZADD",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_ENDINGS,
                                         ROOMS_NULL),
                           ngx_rooms_number(c->pool, now),
                           ngx_rooms_join(c->pool, ngx_rooms_s("* "), server,
                                          ngx_rooms_s(" "), who));
}


/*
 * "@:SERVER" stands for that server itself: its participants leave on their
 * own account.
 */
void
ngx_rooms_endings_parted(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t server, int64_t position)
{
    ngx_rooms_commit_write(c, "ZADD",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_ENDINGS,
                                         ROOMS_NULL),
                           ngx_rooms_s("NX"),
                           ngx_rooms_number(c->pool, ngx_rooms_now()),
                           ngx_rooms_join(c->pool, room, ngx_rooms_s(" "),
                                          server, ngx_rooms_s(" @:"), server,
                                          position < 0
                                          ? ROOMS_NULL : ngx_rooms_s(" "),
                                          position < 0
                                          ? ROOMS_NULL
                                          : ngx_rooms_number(c->pool,
                                                             position)));
}


void
ngx_rooms_endings_policy(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t who)
{
    ngx_rooms_commit_write(c, "HSET",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_FEDERATION,
                                         ROOMS_NULL),
                           ngx_rooms_s("admin"), who);
}


void
ngx_rooms_endings_run(ngx_rooms_fedlink_t *link)
{
    ngx_rooms_endings_t  *e;

    e = link->endings;

    if (e == NULL) {
        e = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_rooms_endings_t));
        if (e == NULL) {
            return;
        }

        e->link = link;

        ngx_rooms_round_init(&e->store, link->conf->store, link->timer.log);

        e->store.handler = ngx_rooms_endings_answered;
        e->store.data = e;
        e->next = ngx_current_msec;

        link->endings = e;
    }

    if (e->busy || ngx_exiting
        || (ngx_msec_int_t) (ngx_current_msec - e->next) < 0)
    {
        return;
    }

    e->busy = 1;
    e->steps = 0;
    ngx_rooms_hold();

    ngx_rooms_endings_begin(e);
}


static void
ngx_rooms_endings_clear(ngx_rooms_endings_t *e)
{
    ngx_rooms_round_clear(&e->store);

    if (e->pool) {
        ngx_destroy_pool(e->pool);
        e->pool = NULL;
    }
}


static void
ngx_rooms_endings_end(ngx_rooms_endings_t *e)
{
    ngx_rooms_endings_clear(e);

    e->busy = 0;
    ngx_rooms_release();
}


void
ngx_rooms_endings_exit_worker(ngx_rooms_fedlink_t *link)
{
    ngx_rooms_endings_t  *e;

    e = link->endings;

    if (e && e->busy) {
        ngx_rooms_endings_end(e);
    }
}


static ngx_int_t
ngx_rooms_endings_ask(ngx_rooms_endings_t *e, ngx_rooms_endings_e state)
{
    e->state = state;

    return ngx_rooms_round_send(&e->store, e->keys.slot, NGX_ROOMS_LANE_BULK)
           == NGX_OK ? NGX_AGAIN : NGX_ERROR;
}


/* Begins a step: reads the next ending and the policy. */
static void
ngx_rooms_endings_begin(ngx_rooms_endings_t *e)
{
    ngx_rooms_batch_t     *b;
    ngx_rooms_loc_conf_t  *conf;

    ngx_rooms_endings_clear(e);

    conf = e->link->conf;
    e->pool = ngx_create_pool(4096, e->link->timer.log);

    if (e->steps >= NGX_ROOMS_ENDINGS_STEPS || ngx_exiting || e->pool == NULL
        || !ngx_rooms_lease_holds(&e->link->lease)
        || ngx_rooms_keys_init(&e->keys, e->pool, &conf->key_prefix,
                               rooms_from_ngx(conf->tenant)) != NGX_OK)
    {
        ngx_rooms_endings_end(e);
        return;
    }

    e->steps++;
    e->all = 0;
    e->ending = ROOMS_NULL;
    ngx_memzero(&e->roster, sizeof(ngx_rooms_roster_t));

    b = ngx_rooms_round_batch(&e->store);

    if (b) {
        (void) ngx_rooms_ask(b, &e->keys, "ZRANGE %k 0 0",
                             NGX_ROOMS_KEY_ENDINGS, ROOMS_NULL);
        (void) ngx_rooms_ask(b, &e->keys, "HMGET %k policy admin",
                             NGX_ROOMS_KEY_FEDERATION, ROOMS_NULL);
    }

    if (b == NULL
        || ngx_rooms_endings_ask(e, NGX_ROOMS_ENDINGS_GET_ENDING) != NGX_AGAIN)
    {
        ngx_rooms_endings_end(e);
    }
}


static void
ngx_rooms_endings_answered(ngx_rooms_round_t *store, ngx_rooms_batch_t *b)
{
    ngx_int_t             rc;
    ngx_rooms_endings_t  *e;

    e = store->data;

    if (b == NULL) {
        e->next = ngx_current_msec + NGX_ROOMS_ENDINGS_IDLE;
        ngx_rooms_endings_end(e);
        return;
    }

    rc = ngx_rooms_endings_advance(e, b);

    if (rc == NGX_OK) {
        ngx_rooms_endings_begin(e);

    } else if (rc != NGX_AGAIN) {
        e->next = ngx_current_msec + NGX_ROOMS_ENDINGS_IDLE;
        ngx_rooms_endings_end(e);
    }
}


/*
 * NGX_AGAIN: a round is under way; NGX_OK: the step is done; otherwise the
 * tick is.
 */
static ngx_int_t
ngx_rooms_endings_advance(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b)
{
    int64_t  position;

    switch (e->state) {

    case NGX_ROOMS_ENDINGS_GET_ENDING:
        return ngx_rooms_endings_ending(e, b);

    case NGX_ROOMS_ENDINGS_GET_PEERS:
        return ngx_rooms_endings_peers(e, b->replies[0]);

    case NGX_ROOMS_ENDINGS_GET_ROOMS:
        return ngx_rooms_endings_rooms(e, b);

    case NGX_ROOMS_ENDINGS_GET_ROOM:
        return ngx_rooms_endings_room(e, b);

    case NGX_ROOMS_ENDINGS_GET_ROWS:
        return ngx_rooms_endings_rows(e, b);

    case NGX_ROOMS_ENDINGS_GET_HEIRS:
        return ngx_rooms_endings_heirs(e, b);

    default:

        switch (ngx_rooms_commit_result(b, &position, e->link->timer.log)) {

        case NGX_ROOMS_COMMIT_DONE:
        case NGX_ROOMS_COMMIT_CONFLICT:
            /* done or not, the next step reads the new state */
            return NGX_OK;

        default:
            return NGX_ERROR;
        }
    }
}


/* Sends the commit, the last round of a step. */
static ngx_int_t
ngx_rooms_endings_send(ngx_rooms_endings_t *e)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&e->store);

    if (b == NULL
        || ngx_rooms_commit_build(&e->commit, b, &e->keys, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_endings_ask(e, NGX_ROOMS_ENDINGS_COMMIT);
}


static rooms_str_t
ngx_rooms_endings_word(rooms_str_t *row)
{
    u_char       *p, *last;
    rooms_str_t   word;

    last = (u_char *) row->data + row->len;
    p = row->len ? ngx_strlchr((u_char *) row->data, last, ' ') : NULL;

    word.data = row->data;
    word.len = (p ? p : last) - row->data;

    row->data = p ? p + 1 : last;
    row->len = last - row->data;

    return word;
}


static ngx_int_t
ngx_rooms_endings_ending(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b)
{
    uint32_t            crc;
    rooms_str_t         row, position;
    ngx_rooms_batch_t  *next;

    e->text = ngx_rooms_reply_str_at(b->replies[1], 0);
    e->putter = ngx_rooms_reply_str_at(b->replies[1], 1);

    e->policy = ngx_rooms_fedpolicy_read(e->pool, e->link->timer.log,
                               e->link->conf,
                               ngx_rooms_reply_element(b->replies[1], 0));
    if (e->policy == NULL) {
        return NGX_ERROR;
    }

    e->ending = ngx_rooms_reply_str_at(b->replies[0], 0);
    e->until = -1;

    if (e->ending.data) {
        row = e->ending;

        e->id = ngx_rooms_endings_word(&row);
        e->server = ngx_rooms_endings_word(&row);
        e->who = ngx_rooms_endings_word(&row);
        position = ngx_rooms_endings_word(&row);
        e->until = ngx_atoof((u_char *) position.data, position.len);

        if (!rooms_peer_valid(e->server) || !rooms_participant_valid(e->who)) {
            return ngx_rooms_endings_drop(e, 0);
        }

        if (rooms_str_eq(e->id, ngx_rooms_s("*"))) {

            if (rooms_policy_allows(e->policy, e->server, 0)) {
                /* the server is allowed again */
                return ngx_rooms_endings_drop(e, 0);
            }

            e->all = 1;
            return ngx_rooms_endings_ask_rooms(e);
        }

        return rooms_id_valid(e->id, "room-")
               ? ngx_rooms_endings_ask_room(e) : ngx_rooms_endings_drop(e, 0);
    }

    if (e->peer_len) {
        return ngx_rooms_endings_ask_rooms(e);
    }

    crc = e->text.data ? ngx_crc32_long((u_char *) e->text.data, e->text.len)
                       : 0;

    if (e->cursor_len == 0) {

        if (e->once && crc == e->passed
            && (ngx_msec_int_t) (ngx_current_msec - e->pass) < 0)
        {
            return NGX_DONE;
        }

        e->once = 1;
        e->passed = crc;
        e->pass = ngx_current_msec + NGX_ROOMS_ENDINGS_PASS;
    }

    next = ngx_rooms_round_batch(&e->store);
    if (next == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(next, &e->keys, "ZRANGEBYLEX %k %s%s + LIMIT 0 %d",
                         NGX_ROOMS_KEY_PEER_SERVERS, ROOMS_NULL,
                         e->cursor_len ? ngx_rooms_s("(") : ngx_rooms_s("-"),
                         (rooms_str_t) { e->cursor_len, e->cursor },
                         (int64_t) NGX_ROOMS_ENDINGS_PEERS);

    return ngx_rooms_endings_ask(e, NGX_ROOMS_ENDINGS_GET_PEERS);
}


/* Looks for the next peer that the policy doesn't allow. */
static ngx_int_t
ngx_rooms_endings_peers(ngx_rooms_endings_t *e, redisReply *peers)
{
    ngx_uint_t   i;
    rooms_str_t  server;

    for (i = 0; i < peers->elements; i++) {
        server = ngx_rooms_reply_str(peers->element[i]);

        if (!rooms_peer_valid(server)) {
            continue;
        }

        ngx_memcpy(e->cursor, server.data, server.len);
        e->cursor_len = server.len;

        if (!rooms_policy_allows(e->policy, server, 0)) {
            ngx_memcpy(e->peer, server.data, server.len);
            e->peer_len = server.len;
            e->offset = 0;

            return ngx_rooms_endings_ask_rooms(e);
        }
    }

    if (peers->elements < NGX_ROOMS_ENDINGS_PEERS) {
        e->cursor_len = 0;
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_endings_ask_rooms(ngx_rooms_endings_t *e)
{
    rooms_str_t         at, rooms;
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&e->store);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (!e->all) {
        e->server = (rooms_str_t) { e->peer_len, e->peer };
    }

    rooms = ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_PEER_ROOMS, e->server);

    if (e->all) {
        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"), rooms,
                                 ngx_rooms_s("0"), ngx_rooms_s("0"),
                                 ngx_rooms_s("LIMIT"), ngx_rooms_s("0"),
                                 ngx_rooms_s("1"));

    } else {
        at = ngx_rooms_number(e->pool, e->offset);
        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGE"), rooms, at, at);
    }

    (void) ngx_rooms_fedpolicy_ask_invited(b, &e->keys, e->server);

    return ngx_rooms_endings_ask(e, NGX_ROOMS_ENDINGS_GET_ROOMS);
}


static ngx_int_t
ngx_rooms_endings_rooms(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b)
{
    ngx_rooms_commit_t  *c;

    e->id = ngx_rooms_reply_str_at(b->replies[0], 0);
    e->invited = ngx_rooms_reply_int(b->replies[1], 0) > 0;

    if (e->all) {
        return e->id.data ? ngx_rooms_endings_ask_room(e)
                          : ngx_rooms_endings_drop(e, 0);
    }

    if (e->id.data && !rooms_policy_allows(e->policy, e->server, e->invited)) {
        e->who = e->putter;
        return ngx_rooms_endings_ask_room(e);
    }

    e->peer_len = 0;

    if (e->id.data || e->offset) {
        return NGX_OK;
    }

    /* the peer is in no room: forget it */

    c = &e->commit;

    if (ngx_rooms_lease_fence(&e->link->lease, c, e->pool, &e->keys)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rooms_commit_guard_count(c, "ZCARD",
                                 ngx_rooms_key(&e->keys,
                                               NGX_ROOMS_KEY_PEER_ROOMS,
                                               e->server), 0);
    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(&e->keys,
                                         NGX_ROOMS_KEY_PEER_SERVERS,
                                         ROOMS_NULL), e->server);
    ngx_rooms_commit_write(c, "HDEL",
                           ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_PEER_REACHED,
                                         ROOMS_NULL), e->server);

    return ngx_rooms_endings_send(e);
}


/* Nothing (more) ends here: removes the row if the room is unchanged. */
static ngx_int_t
ngx_rooms_endings_drop(ngx_rooms_endings_t *e, ngx_uint_t read)
{
    rooms_str_t          key;
    ngx_rooms_commit_t  *c;

    if (e->ending.data == NULL) {
        e->offset++;
        return NGX_OK;
    }

    c = &e->commit;

    if (ngx_rooms_lease_fence(&e->link->lease, c, e->pool, &e->keys)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (read) {
        key = ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_ROOM, e->id);

        ngx_rooms_commit_guard_field(c, key, ngx_rooms_field_peers,
                                     e->room.peers);
        ngx_rooms_commit_guard_field(c, key, ngx_rooms_s("federated"),
                                     e->room.federated ? ngx_rooms_s("1")
                                                       : ROOMS_NULL);
    }

    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_ENDINGS,
                                         ROOMS_NULL), e->ending);

    return ngx_rooms_endings_send(e);
}


static ngx_int_t
ngx_rooms_endings_ask_room(ngx_rooms_endings_t *e)
{
    rooms_str_t         after;
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&e->store);
    if (b == NULL) {
        return NGX_ERROR;
    }

    after = e->roster.after;

    ngx_rooms_roster_init(&e->roster, e->pool, e->link->timer.log, &e->keys,
                          e->id);

    e->roster.server = e->server;
    e->roster.own = rooms_from_ngx(e->link->conf->server_name);
    e->roster.after = after;

    (void) ngx_rooms_load_room(b, &e->keys, e->id);
    (void) ngx_rooms_roster_ask(&e->roster, b, NGX_ROOMS_ENDINGS_PAGE);
    (void) ngx_rooms_fedpolicy_ask_invited(b, &e->keys, e->server);

    return ngx_rooms_endings_ask(e, NGX_ROOMS_ENDINGS_GET_ROOM);
}


/*
 * Whether the ending still applies.  The room may be federated again, or the
 * policy may allow the peer again.  In a room whose home is elsewhere, only
 * the home counts, since it decides who else is in the room.
 */
static ngx_uint_t
ngx_rooms_endings_ends(ngx_rooms_endings_t *e)
{
    ngx_uint_t     home;
    rooms_str_t    server;
    rooms_room_t  *room;

    room = &e->room;

    home = room->federated && room->origin.data
           && rooms_str_eq(room->origin, e->server);

    if (!home && !rooms_peers_has(room->peers, e->server)) {
        return 0;
    }

    if (!room->federated || (e->all && room->origin.data == NULL)) {
        return 1;
    }

    if (room->origin.data) {
        return home && !rooms_policy_allows(e->policy, e->server, e->invited);
    }

    if (e->ending.data
        && rooms_foreign(e->who,
                         rooms_from_ngx(e->link->conf->server_name), &server)
        && rooms_str_eq(server, e->server))
    {
        return 1;
    }

    return !rooms_policy_allows(e->policy, e->server, e->invited);
}


/* Reads the next page, with the room again. */
static ngx_int_t
ngx_rooms_endings_turn(ngx_rooms_endings_t *e, ngx_uint_t batches)
{
    e->roster.after = ngx_rooms_dup(e->pool, e->roster.after);

    if (e->roster.after.data == NULL) {
        return NGX_ERROR;
    }

    ngx_rooms_round_drop(&e->store, batches);

    return ngx_rooms_endings_ask_room(e);
}


static ngx_int_t
ngx_rooms_endings_room(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b)
{
    ngx_int_t           rc;
    ngx_rooms_batch_t  *next;

    rc = ngx_rooms_parse_room(b->replies[0], e->id, &e->room);
    e->invited = ngx_rooms_reply_int(b->replies[2], 0) > 0;

    if (rc != NGX_OK || !ngx_rooms_endings_ends(e)) {
        return ngx_rooms_endings_drop(e, rc == NGX_OK);
    }

    if (!rooms_participant_valid(e->who)) {
        e->who = ngx_rooms_dup(e->pool, e->room.creator);
    }

    if (e->room.federated && e->room.origin.data) {
        return ngx_rooms_endings_alone(e);
    }

    /* the first one, or several if it depends on when they joined */

    if (ngx_rooms_roster_take(&e->roster, b->replies[1], e->until < 0
                              ? 1 : NGX_ROOMS_ENDINGS_ROWS) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (e->roster.n == 0) {

        if (!e->roster.last) {
            return ngx_rooms_endings_turn(e, 1);
        }

        if (e->until < 0) {
            ngx_log_error(NGX_LOG_ERR, e->link->timer.log, 0,
                          "rooms: no participant of \"%*s\" is found in "
                          "\"%*s\"",
                          e->server.len, e->server.data,
                          e->id.len, e->id.data);
        }

        return ngx_rooms_endings_drop(e, 1);
    }

    next = ngx_rooms_round_batch(&e->store);
    if (next == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(next, &e->keys, "ZREVRANGE %k 0 1",
                         NGX_ROOMS_KEY_ORDER, e->id);

    (void) ngx_rooms_roster_rows(&e->roster, next, 0);

    return ngx_rooms_endings_ask(e, NGX_ROOMS_ENDINGS_GET_ROWS);
}


static ngx_int_t
ngx_rooms_endings_rows(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b)
{
    ngx_uint_t          i;
    rooms_str_t         members;
    ngx_rooms_batch_t  *next;

    ngx_memzero(&e->target, sizeof(rooms_target_t));

    for (i = 0; i < e->roster.n; i++) {

        /* a row that is missing or can't be read keeps nobody else here */

        if (ngx_rooms_roster_member(&e->roster, b->replies[1], i,
                                    &e->target.member) != NGX_OK
            || e->target.member.membership == ROOMS_LEAVE)
        {
            continue;
        }

        if (e->until < 0 || e->target.member.position <= e->until) {
            break;
        }
    }

    if (i == e->roster.n) {
        return e->roster.last ? ngx_rooms_endings_drop(e, 1)
                              : ngx_rooms_endings_turn(e, 2);
    }

    e->target.known = 1;
    e->ntop = ngx_min(b->replies[0]->elements, 2);

    next = ngx_rooms_round_batch(&e->store);
    if (next == NULL) {
        return NGX_ERROR;
    }

    members = ngx_rooms_key(&e->keys, NGX_ROOMS_KEY_MEMBERS, e->id);

    (void) ngx_rooms_command(next, ngx_rooms_s("EXISTS"), members);

    for (i = 0; i < e->ntop; i++) {
        e->top[i].participant = ngx_rooms_reply_str(
                                              b->replies[0]->element[i]);
        (void) ngx_rooms_command(next, ngx_rooms_s("HGET"), members,
                                 e->top[i].participant);
    }

    return ngx_rooms_endings_ask(e, NGX_ROOMS_ENDINGS_GET_HEIRS);
}


/* The content of the event, like that of a kick. */
static rooms_str_t
ngx_rooms_endings_content(ngx_rooms_endings_t *e,
    const rooms_change_t *change)
{
    rooms_buf_t      *b;
    ngx_rooms_json_t  text;

    b = ngx_rooms_json(&text, e->pool);

    rooms_json_lit(b, "{");
    ngx_rooms_content_key(b, "participant_id",
                          e->target.member.participant);
    ngx_rooms_content_key(b, "membership", ngx_rooms_s("leave"));
    ngx_rooms_content_key(b, "previous",
                 rooms_cstr(rooms_membership_name(
                                             e->target.member.membership)));
    ngx_rooms_content_key(b, "reason", change->reason);

    if (change->write & ROOMS_F_STATE) {
        ngx_rooms_content_key(b, "state",
                              rooms_cstr(rooms_state_name(
                                                       change->room.state)));
    }

    if (change->successor.participant.data) {
        rooms_json_lit(b, ",\"successor\":{");
        ngx_rooms_content_key(b, "participant_id",
                              change->successor.participant);
        rooms_json_put(b, ",\"power_level\":%d}", (int64_t) ROOMS_POWER_MAX);
    }

    rooms_json_lit(b, "}");

    return ngx_rooms_json_end(&text);
}


/* Turns a change into a commit that is fenced by the lease. */
static ngx_int_t
ngx_rooms_endings_change(ngx_rooms_endings_t *e, rooms_change_t *change,
    rooms_str_t content)
{
    rooms_str_t          who;
    ngx_rooms_apply_t    a;
    ngx_rooms_commit_t  *c;

    c = &e->commit;

    if (content.data == NULL
        || ngx_rooms_lease_fence(&e->link->lease, c, e->pool, &e->keys)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    c->server = rooms_from_ngx(e->link->conf->server_name);

    /* the reason for the ending must still hold: the room, or the policy */

    ngx_rooms_commit_guard_field(c, ngx_rooms_key(&e->keys,
                                                  NGX_ROOMS_KEY_ROOM, e->id),
                                 ngx_rooms_s("federated"),
                                 e->room.federated ? ngx_rooms_s("1")
                                                   : ROOMS_NULL);
    ngx_rooms_commit_guard_field(c, ngx_rooms_key(&e->keys,
                                                  NGX_ROOMS_KEY_FEDERATION,
                                                  ROOMS_NULL),
                                 ngx_rooms_s("policy"), e->text);

    ngx_memzero(&a, sizeof(ngx_rooms_apply_t));

    a.before = &e->room;
    a.change = change;
    a.top[0] = e->top[0];
    a.top[1] = e->top[1];
    a.ntop = e->ntop;
    a.max_rooms = -1;

    ngx_rooms_apply(c, &e->keys, &a);

    ngx_rooms_random_hex(e->random, sizeof(e->random));
    who = e->who;

    /*
     * "@:SERVER": that server has ended it, so its own participant is the
     * sender
     */

    if (who.len > 1 && who.data[0] == '@' && who.data[1] == ':') {
        who = e->target.member.participant;
    }

    ngx_rooms_apply_event(c, &e->keys, &change->room, change->event, who,
                          (rooms_str_t) { sizeof(e->random), e->random },
                          content, ngx_rooms_now());

    return c->failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_rooms_endings_heirs(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b)
{
    ngx_uint_t       i;
    rooms_input_t    in;
    rooms_change_t  *change;

    for (i = 0; i < e->ntop; i++) {

        if (ngx_rooms_parse_member(ngx_rooms_reply_str(b->replies[1 + i]),
                                   e->top[i].participant, &e->top[i])
            != NGX_OK)
        {
            return ngx_rooms_endings_drop(e, 1);
        }

        /* left between two rounds: the commit's guards will fail */

        e->top[i].membership = ROOMS_JOIN;
    }

    change = ngx_palloc(e->pool, sizeof(rooms_change_t));
    if (change == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&in, sizeof(rooms_input_t));

    in.op = ROOMS_OP_EXPEL;
    in.room = &e->room;
    in.actor.participant = e->who;
    in.tenant_admin = 1;
    in.targets = &e->target;
    in.ntargets = 1;
    in.top[0] = e->top[0];
    in.top[1] = e->top[1];
    in.ntop = e->ntop;
    in.text = ngx_rooms_s("federation has ended");
    in.now = ngx_rooms_now();

    rooms_decide(&in, change);

    if (change->code != ROOMS_OK) {
        ngx_log_error(NGX_LOG_ERR, e->link->timer.log, 0,
                      "rooms: \"%*s\" can't be expelled from \"%*s\": %s",
                      e->target.member.participant.len,
                      e->target.member.participant.data, e->id.len,
                      e->id.data, change->message);
        return ngx_rooms_endings_drop(e, 1);
    }

    if (change->noop) {
        /* the member has left since and the room has changed */
        return ngx_rooms_endings_drop(e, 1);
    }

    if (ngx_rooms_endings_change(e, change,
                                 ngx_rooms_endings_content(e, change))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_endings_send(e);
}


/*
 * The room's home is a peer that the policy no longer allows.  The replica
 * becomes a room of our own, because we know the other servers' members only
 * through that peer.  The room may be archived or closed; that changes
 * nothing here.
 */
static ngx_int_t
ngx_rooms_endings_alone(ngx_rooms_endings_t *e)
{
    rooms_change_t  *change;

    change = ngx_pcalloc(e->pool, sizeof(rooms_change_t));
    if (change == NULL) {
        return NGX_ERROR;
    }

    change->room = e->room;
    change->room.federated = 0;
    change->room.updated_at = ngx_rooms_now();
    change->guard = ROOMS_F_FEDERATED|ROOMS_F_STATE;
    change->write = ROOMS_F_FEDERATED|ROOMS_F_UPDATED;
    change->event = ROOMS_EV_FEDERATION;

    e->ntop = 0;

    if (ngx_rooms_endings_change(e, change,
                                 ngx_rooms_s("{\"federated\":false}"))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rooms_endings_add(&e->commit, &e->keys, &e->room, e->who,
                          change->room.updated_at);

    return ngx_rooms_endings_send(e);
}
