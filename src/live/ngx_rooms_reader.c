/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A reader: what is new to a participant behind a position, in the order of
 * positions, over all rooms; if nothing is, it waits.
 *
 * Why no event is skipped.  A position is given and its event is written by
 * one script, and the store runs one script at a time: once the counter reads
 * C, all events up to C can be read, and no other will ever come to stand
 * among them.  So a look reads the counter first, and no page goes beyond it.
 * It reads the list of the participant's rooms with the counter or later: a
 * join that the list shows too early brings events that the participant may
 * see, and a leave takes only such as it may no longer see.  Which of these
 * rooms have news says `active`: each room whose events were added to behind
 * `from` stands there behind `from`.  The cursor of a page is the position up
 * to which all these rooms were read.
 *
 * (What is imported or backfilled goes below positions that others have
 * passed, and isn't news: an event of its own tells that it came.)
 *
 * Why no news is slept through.  Once the list of rooms is known, the reader
 * listens for them and for its participant, and only then reads `active` and
 * the participant's own news.  What was committed before that reading, the
 * reading shows; what is committed later, a sweep finds and tells
 * (ngx_rooms_listen.c), whatever becomes of messages.  A room that was joined
 * before the reader listened and after the list was read shows in the
 * participant's own news.  What lies behind the counter doesn't belong to the
 * page; when the page is empty, the reader looks once more.
 *
 * Why the short way is right.  A reader that waits has read all up to `from`.
 * If all that sweeps have told it since is that one room has its last event at
 * P, then behind `from` and up to P there is nothing for it but what is in
 * that room.  It reads the room's events up to P, and its row of membership
 * behind them: two commands.  The event at P has to be among them.  If it is,
 * this is the store that the sweep has read, or one that has taken over from
 * it with all commits up to P.  If it isn't, or there are too many, the reader
 * looks as if it knew nothing.
 *
 *      BEGIN -> ROOMS -> NEWS [-> LASTS] -> COUNTS [-> BOUND ...] -> SIZES
 *                 ^                            |                       |
 *                 |                            v                       v
 *                 +------------ HINT <------ WAIT           page <- EVENTS
 */

#include "ngx_rooms_reader.h"
#include "ngx_rooms_status.h"
#include <ngx_sha1.h>


#define NGX_ROOMS_READER_LOOKS    64       /* without a pause */
#define NGX_ROOMS_READER_TRIES    64       /* to find a page's end */
#define NGX_ROOMS_READER_ACTIVE  512       /* entries; else by room */
#define NGX_ROOMS_READER_FEW      16       /* events, however large */
#define NGX_ROOMS_READER_PAGE    (1024 * 1024)


typedef enum {
    NGX_ROOMS_READER_BEGIN = 0,
    NGX_ROOMS_READER_ROOMS,              /* the counter, and the rooms */
    NGX_ROOMS_READER_EPOCH,              /* it was drawn */
    NGX_ROOMS_READER_NEWS,               /* which of them have news */
    NGX_ROOMS_READER_LASTS,              /* the same, room by room */
    NGX_ROOMS_READER_COUNTS,             /* how many */
    NGX_ROOMS_READER_BOUND,              /* where the page ends */
    NGX_ROOMS_READER_SIZES,              /* where it would be too long */
    NGX_ROOMS_READER_EVENTS,
    NGX_ROOMS_READER_WAIT,
    NGX_ROOMS_READER_HINT                /* the room that woke us */
} ngx_rooms_reader_round_e;


typedef struct {
    rooms_str_t               id;
    int64_t                   count;     /* of events that are new */
    unsigned                  news:1;
    unsigned                  joined:1;
} ngx_rooms_reader_room_t;

/* A change of the participant's own membership, or a read marker. */
typedef struct {
    rooms_str_t               room;
    int64_t                   position;
    unsigned                  marker:1;
} ngx_rooms_reader_own_t;

/* One look at everything; lives in the pool of its first batch. */
struct ngx_rooms_look_s {
    int64_t                   last;      /* the counter when it began */
    ngx_rooms_reader_room_t  *rooms;     /* sorted; then those with news */
    ngx_uint_t                nrooms;
    redisReply               *news;
    ngx_rooms_reader_own_t   *own;
    ngx_uint_t                nown;
    int64_t                   total;
    unsigned                  beyond:1;  /* something is behind `last` */
    unsigned                  whole:1;   /* send the script's text */

    int64_t                   low;       /* the page ends between them */
    int64_t                   high;
    int64_t                   below;     /* events up to high */
    int64_t                   at;        /* where it is to end */
    ngx_uint_t                tries;
};

typedef struct {
    int64_t                   position;
    int64_t                   len;
} ngx_rooms_reader_size_t;


static ngx_int_t ngx_rooms_reader_look(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_rooms(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_draw(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_reader_news(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_lasts(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_ask_counts(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_counts(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_count(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_bound(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_ask_sizes(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s, int64_t at);
static ngx_int_t ngx_rooms_reader_sizes(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_fetch(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s, int64_t at);
static ngx_int_t ngx_rooms_reader_events(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_idle(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_wait(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_woken(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_reader_hint(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static void ngx_rooms_reader_told(ngx_rooms_listener_t *l);
static void ngx_rooms_reader_timeout(ngx_event_t *ev);
static void ngx_rooms_reader_cleanup(void *data);


/*
 * Positions and lengths of a room's events in a range: until there are so many
 * of them, or so many bytes.  Only these go over the connection, so a page's
 * end is known before anything large is asked for.
 *
 * KEYS: events.  ARGV: from, to, events, bytes.
 */
static ngx_str_t  ngx_rooms_reader_script = ngx_string(
"local from, out, size = ARGV[1], {}, 0\n"
"while #out < 2 * tonumber(ARGV[3]) do\n"
"  local page = redis.call('ZRANGEBYSCORE', KEYS[1], from, ARGV[2],\n"
"                          'WITHSCORES', 'LIMIT', 0, 16)\n"
"  for i = 1, #page, 2 do\n"
"    out[#out + 1] = page[i + 1]\n"
"    out[#out + 1] = #page[i]\n"
"    size = size + #page[i]\n"
"    if size > tonumber(ARGV[4]) then return out end\n"
"  end\n"
"  if #page < 32 then break end\n"
"  from = '(' .. page[32]\n"
"end\n"
"return out\n");

static u_char  ngx_rooms_reader_sha[40];


ngx_rooms_reader_t *
ngx_rooms_reader_create(ngx_rooms_req_t *rq)
{
    u_char               digest[20];
    ngx_sha1_t           sha1;
    ngx_rooms_reader_t  *s;
    ngx_pool_cleanup_t  *cln;

    if (ngx_rooms_reader_sha[0] == '\0') {
        ngx_sha1_init(&sha1);
        ngx_sha1_update(&sha1, ngx_rooms_reader_script.data,
                        ngx_rooms_reader_script.len);
        ngx_sha1_final(digest, &sha1);
        ngx_hex_dump(ngx_rooms_reader_sha, digest, 20);
    }

    cln = ngx_pool_cleanup_add(rq->pool, sizeof(ngx_rooms_reader_t));
    if (cln == NULL) {
        return NULL;
    }

    s = cln->data;
    ngx_memzero(s, sizeof(ngx_rooms_reader_t));
    cln->handler = ngx_rooms_reader_cleanup;

    s->rq = rq;
    s->listener.handler = ngx_rooms_reader_told;
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

    case NGX_ROOMS_READER_ROOMS:
        return ngx_rooms_reader_rooms(rq, s);

    case NGX_ROOMS_READER_EPOCH:
        rc = NGX_DECLINED;
        break;

    case NGX_ROOMS_READER_NEWS:
        rc = ngx_rooms_reader_news(rq, s);
        break;

    case NGX_ROOMS_READER_LASTS:
        rc = ngx_rooms_reader_lasts(rq, s);
        break;

    case NGX_ROOMS_READER_COUNTS:
        rc = ngx_rooms_reader_counts(rq, s);
        break;

    case NGX_ROOMS_READER_BOUND:
        rc = ngx_rooms_reader_bound(rq, s);
        break;

    case NGX_ROOMS_READER_SIZES:
        rc = ngx_rooms_reader_sizes(rq, s);
        break;

    case NGX_ROOMS_READER_EVENTS:
        rc = ngx_rooms_reader_events(rq, s);
        break;

    case NGX_ROOMS_READER_HINT:
        rc = ngx_rooms_reader_hint(rq, s);
        break;

    default:
        return ngx_rooms_reader_woken(rq, s);
    }

    if (rc != NGX_DECLINED) {
        return rc;
    }

    /* what there was lies behind the counter, or is gone */

    if (++s->looks < NGX_ROOMS_READER_LOOKS) {
        return ngx_rooms_reader_look(rq, s);
    }

    s->nevents = 0;
    s->cursor = s->from;
    s->more = 1;

    return NGX_OK;
}


/* A batch, and keys that live as long as it. */
static ngx_rooms_batch_t *
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


static ngx_int_t
ngx_rooms_reader_send(ngx_rooms_req_t *rq, ngx_rooms_reader_round_e round)
{
    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    rq->round = round;

    return ngx_rooms_send(rq);
}


static rooms_str_t
ngx_rooms_reader_after(ngx_rooms_batch_t *b, int64_t position)
{
    return ngx_rooms_join(b->pool, ngx_rooms_s("("),
                          ngx_rooms_number(b->pool, position));
}


/* Everything anew. */
static ngx_int_t
ngx_rooms_reader_look(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_rooms_keys_t    keys;
    ngx_rooms_batch_t  *b;

    s->again = 0;
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
     * The epoch first: if the store is emptied meanwhile, what is read of the
     * new one goes by the old epoch, and is refused with it; not the reverse.
     */

    (void) ngx_rooms_command(b, ngx_rooms_s("HMGET"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_TENANT,
                                           ROOMS_NULL),
                             ngx_rooms_s("schema"), ngx_rooms_s("epoch"));
    (void) ngx_rooms_command(b, ngx_rooms_s("GET"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_POSITION,
                                           ROOMS_NULL));
    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGE"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_USER_ROOMS,
                                           rq->principal.sub),
                             ngx_rooms_s("0"), ngx_rooms_s("-1"));

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_ROOMS);
}


/* A store that nothing was written to yet, or that was emptied just now. */
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


/* NGX_DECLINED: draw one. */
static ngx_int_t
ngx_rooms_reader_epoch(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s,
    redisReply *tenant)
{
    rooms_str_t  schema, epoch;

    schema = ngx_rooms_reply_str(ngx_rooms_reply_element(tenant, 0));
    epoch = ngx_rooms_reply_str(ngx_rooms_reply_element(tenant, 1));

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
        /* an answer is of one epoch, however long it is waited for */
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
    ngx_uint_t         i;
    rooms_str_t       *ids;
    ngx_rooms_keys_t   keys;

    if (!s->waits || ngx_exiting) {
        return NGX_OK;
    }

    keys = rq->keys;
    keys.pool = rq->batch->pool;

    ids = ngx_palloc(keys.pool, s->look->nrooms * sizeof(rooms_str_t) + 1);
    if (ids == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < s->look->nrooms; i++) {
        ids[i] = s->look->rooms[i].id;
    }

    return ngx_rooms_listen(&rq->conf->store->pubsub, &s->listener, &keys,
                            rq->principal.sub, ids, s->look->nrooms,
                            s->look->last);
}


static ngx_int_t
ngx_rooms_reader_rooms(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_int_t           rc;
    ngx_uint_t          i;
    redisReply         *ids;
    rooms_str_t         after;
    ngx_rooms_keys_t    keys;
    ngx_rooms_look_t   *look;
    ngx_rooms_batch_t  *b;

    look = s->look;

    rc = ngx_rooms_reader_epoch(rq, s, ngx_rooms_reply(rq, 0));

    if (rc == NGX_DECLINED) {
        return ngx_rooms_reader_draw(rq);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    look->last = ngx_rooms_reply_int(ngx_rooms_reply(rq, 1), 0);
    ids = ngx_rooms_reply(rq, 2);

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

    look->rooms = ngx_pcalloc(rq->batch->pool, ids->elements
                              * sizeof(ngx_rooms_reader_room_t) + 1);
    if (look->rooms == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < ids->elements; i++) {
        look->rooms[i].id = ngx_rooms_reply_str(ids->element[i]);
    }

    look->nrooms = ids->elements;

    if (ngx_rooms_reader_listen(rq, s) != NGX_OK) {
        return NGX_ERROR;
    }

    b = ngx_rooms_reader_batch(rq, &keys);
    if (b == NULL) {
        return NGX_ERROR;
    }

    after = ngx_rooms_reader_after(b, s->from);

    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_ACTIVE,
                                           ROOMS_NULL),
                             after, ngx_rooms_s("+inf"),
                             ngx_rooms_s("WITHSCORES"), ngx_rooms_s("LIMIT"),
                             ngx_rooms_s("0"),
                             ngx_rooms_number(b->pool,
                                              NGX_ROOMS_READER_ACTIVE));
    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_USER_NEWS,
                                           rq->principal.sub),
                             after, ngx_rooms_s("+inf"),
                             ngx_rooms_s("WITHSCORES"), ngx_rooms_s("LIMIT"),
                             ngx_rooms_s("0"),
                             ngx_rooms_number(b->pool, 2 * s->limit + 1));

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_NEWS);
}


static ngx_int_t
ngx_rooms_reader_compare(rooms_str_t a, rooms_str_t b)
{
    ngx_int_t  rc;

    rc = ngx_memcmp(a.data, b.data, ngx_min(a.len, b.len));

    return rc ? rc : (ngx_int_t) a.len - (ngx_int_t) b.len;
}


/* Rooms are in the order of their ids. */
static ngx_rooms_reader_room_t *
ngx_rooms_reader_room(ngx_rooms_look_t *look, rooms_str_t id)
{
    ngx_int_t   rc;
    ngx_uint_t  low, high, mid;

    low = 0;
    high = look->nrooms;

    while (low < high) {
        mid = low + (high - low) / 2;
        rc = ngx_rooms_reader_compare(look->rooms[mid].id, id);

        if (rc == 0) {
            return &look->rooms[mid];
        }

        if (rc < 0) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_rooms_reader_news(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t                i;
    redisReply               *active;
    ngx_rooms_keys_t          keys;
    ngx_rooms_look_t         *look;
    ngx_rooms_batch_t        *b;
    ngx_rooms_reader_room_t  *room;

    look = s->look;
    active = ngx_rooms_reply(rq, 0);
    look->news = ngx_rooms_reply(rq, 1);

    if (active->elements < 2 * NGX_ROOMS_READER_ACTIVE) {

        for (i = 0; i + 1 < active->elements; i += 2) {
            room = ngx_rooms_reader_room(look,
                                 ngx_rooms_reply_str(active->element[i]));

            if (room) {
                room->news = 1;
                look->beyond |= ngx_rooms_reply_int(active->element[i + 1], 0)
                                > look->last;
            }
        }

        return ngx_rooms_reader_ask_counts(rq, s);
    }

    /* too much has happened in the tenant: each room knows its own */

    b = ngx_rooms_reader_batch(rq, &keys);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_command(b, ngx_rooms_s("GET"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_POSITION,
                                           ROOMS_NULL));

    for (i = 0; i < look->nrooms; i++) {
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&keys, NGX_ROOMS_KEY_ROOM,
                                               look->rooms[i].id),
                                 ngx_rooms_s("position"));
    }

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_LASTS);
}


static ngx_int_t
ngx_rooms_reader_lasts(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    int64_t            last;
    ngx_uint_t         i;
    ngx_rooms_look_t  *look;

    look = s->look;

    for (i = 0; i < look->nrooms; i++) {
        last = ngx_rooms_reply_int(ngx_rooms_reply(rq, i + 1), 0);

        look->rooms[i].news = last > s->from;
        look->beyond |= last > look->last;
    }

    return ngx_rooms_reader_ask_counts(rq, s);
}


/* From here on only rooms with news are of interest. */
static ngx_int_t
ngx_rooms_reader_ask_counts(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t          i, n;
    rooms_str_t         after, last;
    ngx_rooms_keys_t    keys;
    ngx_rooms_look_t   *look;
    ngx_rooms_batch_t  *b;

    look = s->look;

    for (i = 0, n = 0; i < look->nrooms; i++) {

        if (look->rooms[i].news) {
            look->rooms[n++] = look->rooms[i];
        }
    }

    look->nrooms = n;

    if (n == 0 && look->news->elements == 0) {
        return ngx_rooms_reader_idle(rq, s);
    }

    b = ngx_rooms_reader_batch(rq, &keys);
    if (b == NULL) {
        return NGX_ERROR;
    }

    after = ngx_rooms_reader_after(b, s->from);
    last = ngx_rooms_number(b->pool, look->last);

    /* a batch is never empty, and its first command names a key */
    (void) ngx_rooms_command(b, ngx_rooms_s("GET"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_POSITION,
                                           ROOMS_NULL));

    for (i = 0; i < n; i++) {
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_MEMBERS,
                                           look->rooms[i].id),
                             rq->principal.sub);
        (void) ngx_rooms_command(b, ngx_rooms_s("ZCOUNT"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_EVENTS,
                                           look->rooms[i].id),
                             after, last);
    }

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_COUNTS);
}


/* A row that can't be read lets nobody in, and stops nobody else. */
static ngx_uint_t
ngx_rooms_reader_joined(ngx_rooms_req_t *rq, rooms_str_t room, redisReply *row)
{
    rooms_member_t  m;

    if (ngx_rooms_parse_member(ngx_rooms_reply_str(row), rq->principal.sub,
                               &m) == NGX_OK)
    {
        return m.membership == ROOMS_JOIN;
    }

    ngx_rooms_unreadable(rq->r->connection->log, "row of a member of", room);

    return 0;
}


/* "m room" and "r room", with their positions. */
static ngx_int_t
ngx_rooms_reader_own(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t                i;
    redisReply               *news;
    rooms_str_t               word;
    ngx_rooms_look_t         *look;
    ngx_rooms_reader_own_t   *own;
    ngx_rooms_reader_room_t  *room;

    look = s->look;
    news = look->news;

    look->own = ngx_pcalloc(rq->batch->pool, news->elements / 2
                            * sizeof(ngx_rooms_reader_own_t) + 1);
    if (look->own == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i + 1 < news->elements; i += 2) {
        word = ngx_rooms_reply_str(news->element[i]);

        if (word.len < 3) {
            continue;
        }

        own = &look->own[look->nown];
        own->marker = word.data[0] == 'r';
        own->room = (rooms_str_t) { word.len - 2, word.data + 2 };
        own->position = ngx_rooms_reply_int(news->element[i + 1], 0);

        if (own->position > look->last) {
            look->beyond = 1;
            continue;
        }

        /* what happened in a room that one is in, is among its events */

        room = ngx_rooms_reader_room(look, own->room);

        if (own->marker || room == NULL || !room->joined) {
            look->nown++;
        }
    }

    look->high = look->last;

    if (news->elements / 2 > (size_t) (2 * s->limit)) {
        /* there are more of them, behind the last of these */
        look->high = ngx_min(look->high, ngx_rooms_reply_int(
                                    news->element[news->elements - 1], 0));
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_reader_counts(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t                i;
    ngx_rooms_look_t         *look;
    ngx_rooms_reader_room_t  *room;

    look = s->look;

    for (i = 0; i < look->nrooms; i++) {
        room = &look->rooms[i];

        room->joined = ngx_rooms_reader_joined(rq, room->id,
                                           ngx_rooms_reply(rq, 1 + 2 * i));
        if (room->joined) {
            room->count = ngx_rooms_reply_int(ngx_rooms_reply(rq, 2 + 2 * i),
                                              0);
            look->total += room->count;
        }
    }

    if (ngx_rooms_reader_own(rq, s) != NGX_OK) {
        return NGX_ERROR;
    }

    look->total += look->nown;

    if (look->total == 0) {
        return ngx_rooms_reader_idle(rq, s);
    }

    look->low = s->from;
    look->below = look->total;

    if (look->total <= NGX_ROOMS_READER_FEW) {
        return ngx_rooms_reader_fetch(rq, s, look->high);
    }

    if (look->total <= 2 * s->limit) {
        return ngx_rooms_reader_ask_sizes(rq, s, look->high);
    }

    return ngx_rooms_reader_count(rq, s);
}


/*
 * The end of a page.  To merge rooms one would read as much of each as the
 * page might need, and throw nearly all of it away.  Instead it is searched
 * for, by counting: a position behind which lie at least as many events as the
 * page holds, and not twice as many.  Then their lengths are asked for, and
 * just what fits into the page is read.  When there are few of them, which is
 * the rule, they are read at once.
 */


/* How many events lie up to a position between the two bounds? */
static ngx_int_t
ngx_rooms_reader_count(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    int64_t             width;
    ngx_uint_t          i;
    rooms_str_t         after, at;
    ngx_rooms_keys_t    keys;
    ngx_rooms_look_t   *look;
    ngx_rooms_batch_t  *b;

    look = s->look;
    width = look->high - look->low;

    if (width <= 1 || look->tries++ == NGX_ROOMS_READER_TRIES) {
        return ngx_rooms_reader_ask_sizes(rq, s, look->high);
    }

    /* by proportion and by halves in turn: the one is fast, the other sure */

    if (look->tries % 2 && look->below > 3 * s->limit) {
        width = width * ((double) s->limit * 3 / 2 / look->below);
        look->at = look->low + ngx_max(width, 1);

    } else {
        look->at = look->low + width / 2;
    }

    b = ngx_rooms_reader_batch(rq, &keys);
    if (b == NULL) {
        return NGX_ERROR;
    }

    at = ngx_rooms_number(b->pool, look->at);
    after = ngx_rooms_reader_after(b, s->from);

    (void) ngx_rooms_command(b, ngx_rooms_s("GET"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_POSITION,
                                           ROOMS_NULL));

    for (i = 0; i < look->nrooms; i++) {

        if (look->rooms[i].count) {
            (void) ngx_rooms_command(b, ngx_rooms_s("ZCOUNT"),
                                     ngx_rooms_key(&keys,
                                                   NGX_ROOMS_KEY_EVENTS,
                                                   look->rooms[i].id),
                                     after, at);
        }
    }

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_BOUND);
}


static ngx_int_t
ngx_rooms_reader_bound(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    int64_t            n;
    ngx_uint_t         i;
    ngx_rooms_look_t  *look;

    look = s->look;

    for (n = 0, i = 1; i < rq->batch->commands.nelts; i++) {
        n += ngx_rooms_reply_int(ngx_rooms_reply(rq, i), 0);
    }

    for (i = 0; i < look->nown; i++) {
        n += look->own[i].position <= look->at;
    }

    if (n > 2 * s->limit) {
        look->high = look->at;
        look->below = n;

    } else if (n < s->limit) {
        look->low = look->at;

    } else {
        return ngx_rooms_reader_ask_sizes(rq, s, look->at);
    }

    return ngx_rooms_reader_count(rq, s);
}


static void
ngx_rooms_reader_size(ngx_rooms_reader_t *s, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys, rooms_str_t room, int64_t from, int64_t to)
{
    ngx_uint_t  text;

    /* the text makes the script known to the commands behind it */

    text = s->look->whole || b->commands.nelts == 1;

    (void) ngx_rooms_command(b, text ? ngx_rooms_s("EVAL")
                                     : ngx_rooms_s("EVALSHA"),
                             text ? rooms_from_ngx(ngx_rooms_reader_script)
                                  : (rooms_str_t) { 40, ngx_rooms_reader_sha },
                             ngx_rooms_s("1"),
                             ngx_rooms_key(keys, NGX_ROOMS_KEY_EVENTS, room),
                             ngx_rooms_reader_after(b, from),
                             ngx_rooms_number(b->pool, to),
                             ngx_rooms_number(b->pool, s->limit),
                             ngx_rooms_number(b->pool,
                                              NGX_ROOMS_READER_PAGE));
}


static ngx_int_t
ngx_rooms_reader_ask_sizes(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s,
    int64_t at)
{
    ngx_uint_t               i;
    ngx_rooms_keys_t         keys;
    ngx_rooms_look_t        *look;
    ngx_rooms_batch_t       *b;
    ngx_rooms_reader_own_t  *own;

    look = s->look;
    look->at = at;

    b = ngx_rooms_reader_batch(rq, &keys);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_command(b, ngx_rooms_s("GET"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_POSITION,
                                           ROOMS_NULL));

    for (i = 0; i < look->nrooms; i++) {

        if (look->rooms[i].count) {
            ngx_rooms_reader_size(s, b, &keys, look->rooms[i].id, s->from, at);
        }
    }

    for (i = 0; i < look->nown; i++) {
        own = &look->own[i];

        if (own->marker) {
            (void) ngx_rooms_command(b, ngx_rooms_s("HSTRLEN"),
                                 ngx_rooms_key(&keys,
                                               NGX_ROOMS_KEY_USER_MARKERS,
                                               rq->principal.sub),
                                 own->room);

        } else {
            ngx_rooms_reader_size(s, b, &keys, own->room, own->position - 1,
                                  own->position);
        }
    }

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_SIZES);
}


static int ngx_libc_cdecl
ngx_rooms_reader_by_size(const void *one, const void *two)
{
    const ngx_rooms_reader_size_t *a = one;
    const ngx_rooms_reader_size_t *b = two;

    return (a->position > b->position) - (a->position < b->position);
}


/* Up to here the page has no more than is allowed; one event at least. */
static int64_t
ngx_rooms_reader_end(ngx_rooms_reader_t *s, ngx_array_t *a)
{
    size_t                    total;
    int64_t                   n;
    ngx_uint_t                i;
    ngx_rooms_reader_size_t  *e;

    e = a->elts;
    total = 0;
    n = 0;

    qsort(e, a->nelts, sizeof(ngx_rooms_reader_size_t),
          ngx_rooms_reader_by_size);

    for (i = 0; i < a->nelts; i++) {

        if (e[i].position > s->look->at) {
            break;
        }

        total += e[i].len;
        n++;

        if (n == s->limit) {
            return e[i].position;
        }

        if (total > NGX_ROOMS_READER_PAGE) {
            return n == 1 ? e[i].position : e[i - 1].position;
        }
    }

    return s->look->at;
}


static ngx_int_t
ngx_rooms_reader_sizes(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t                i, k, n;
    redisReply               *reply;
    ngx_array_t               a;
    ngx_rooms_look_t         *look;
    ngx_rooms_reader_own_t   *own;
    ngx_rooms_reader_size_t  *e;

    look = s->look;

    if (ngx_array_init(&a, rq->batch->pool, 256,
                       sizeof(ngx_rooms_reader_size_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    n = rq->batch->commands.nelts;

    for (i = 1; i < n; i++) {
        reply = ngx_rooms_reply(rq, i);

        if (ngx_rooms_reply_is_error(reply, "NOSCRIPT") && !look->whole) {
            look->whole = 1;
            return ngx_rooms_reader_ask_sizes(rq, s, look->at);
        }

        if (reply->type == REDIS_REPLY_INTEGER) {
            /* a marker: these are the last */
            own = &look->own[look->nown - (n - i)];

            e = ngx_array_push(&a);
            if (e == NULL) {
                return NGX_ERROR;
            }

            e->position = own->position;
            e->len = reply->integer;
            continue;
        }

        for (k = 0; k + 1 < reply->elements; k += 2) {
            e = ngx_array_push(&a);
            if (e == NULL) {
                return NGX_ERROR;
            }

            e->position = ngx_rooms_reply_int(reply->element[k], 0);
            e->len = ngx_rooms_reply_int(reply->element[k + 1], 0);
        }
    }

    return ngx_rooms_reader_fetch(rq, s, ngx_rooms_reader_end(s, &a));
}


/* The participant's row is read behind the events: who was removed by then,
 * gets none of them. */
static ngx_int_t
ngx_rooms_reader_fetch(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s, int64_t at)
{
    ngx_uint_t               i;
    rooms_str_t              after, upto, own;
    ngx_rooms_keys_t         keys;
    ngx_rooms_look_t        *look;
    ngx_rooms_batch_t       *b;
    ngx_rooms_reader_own_t  *o;

    look = s->look;
    look->at = at;

    b = ngx_rooms_reader_batch(rq, &keys);
    if (b == NULL) {
        return NGX_ERROR;
    }

    upto = ngx_rooms_number(b->pool, at);
    after = ngx_rooms_reader_after(b, s->from);

    (void) ngx_rooms_command(b, ngx_rooms_s("GET"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_POSITION,
                                           ROOMS_NULL));

    for (i = 0; i < look->nrooms; i++) {

        if (look->rooms[i].count == 0) {
            continue;
        }

        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"),
                                 ngx_rooms_key(&keys, NGX_ROOMS_KEY_EVENTS,
                                               look->rooms[i].id),
                                 after, upto, ngx_rooms_s("WITHSCORES"));
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&keys, NGX_ROOMS_KEY_MEMBERS,
                                               look->rooms[i].id),
                                 rq->principal.sub);
    }

    for (i = 0; i < look->nown && look->own[i].position <= at; i++) {
        o = &look->own[i];

        if (o->marker) {
            (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&keys,
                                               NGX_ROOMS_KEY_USER_MARKERS,
                                               rq->principal.sub),
                                 o->room);
            continue;
        }

        own = ngx_rooms_number(b->pool, o->position);
        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"),
                                 ngx_rooms_key(&keys, NGX_ROOMS_KEY_EVENTS,
                                               o->room),
                                 own, own, ngx_rooms_s("WITHSCORES"));
    }

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_EVENTS);
}


static ngx_int_t
ngx_rooms_reader_push(ngx_rooms_req_t *rq, ngx_array_t *a, rooms_str_t json,
    int64_t position)
{
    ngx_rooms_reader_event_t  *e;

    e = ngx_array_push(a);
    if (e == NULL || json.data == NULL) {
        return NGX_ERROR;
    }

    e->json = json;
    e->position = position;

    return NGX_OK;
}


/* Events and their scores; the last score, 0: there is none. */
static ngx_int_t
ngx_rooms_reader_take(ngx_rooms_req_t *rq, ngx_array_t *a, rooms_str_t room,
    redisReply *events, int64_t *last)
{
    size_t          i;
    rooms_stored_t  e;

    *last = 0;

    for (i = 0; i + 1 < events->elements; i += 2) {
        *last = ngx_rooms_reply_int(events->element[i + 1], 0);

        if (ngx_rooms_parse_event(rq->batch->pool, rq->r->connection->log,
                                  ngx_rooms_reply_str(events->element[i]),
                                  room, *last, &e) != NGX_OK
            || ngx_rooms_reader_push(rq, a, e.json, *last) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Who isn't in a room learns what became of itself there, and of nobody else
 * whom the same event names: an invite may be one of many.
 */
static rooms_str_t
ngx_rooms_reader_personal(ngx_rooms_req_t *rq, const rooms_stored_t *e)
{
    u_char       *p;
    size_t        size;
    rooms_buf_t   b;

    size = ROOMS_STORED_NARROW(e->json.len);

    p = ngx_pnalloc(rq->batch->pool, size);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, p, size);

    if (!rooms_stored_narrow(&b, e, rq->principal.sub, ROOMS_NULL)) {
        return e->json;
    }

    return b.full ? ROOMS_NULL : (rooms_str_t) { b.last - b.start, b.start };
}


static ngx_int_t
ngx_rooms_reader_take_own(ngx_rooms_req_t *rq, ngx_array_t *a,
    ngx_rooms_reader_own_t *own, redisReply *reply)
{
    rooms_str_t     json;
    rooms_stored_t  e;

    /* a marker that has moved meanwhile stands where it says */

    json = ngx_rooms_reply_str(own->marker ? reply
                               : ngx_rooms_reply_element(reply, 0));

    if (json.data == NULL) {
        return NGX_OK;
    }

    if (ngx_rooms_parse_event(rq->batch->pool, rq->r->connection->log, json,
                              own->room, own->marker ? 0 : own->position, &e)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_reader_push(rq, a, ngx_rooms_reader_personal(rq, &e),
                                 e.position ? e.position : own->position);
}


static int ngx_libc_cdecl
ngx_rooms_reader_order(const void *one, const void *two)
{
    const ngx_rooms_reader_event_t *a = one;
    const ngx_rooms_reader_event_t *b = two;

    return (a->position > b->position) - (a->position < b->position);
}


/* Sorts, and leaves each once. */
static ngx_uint_t
ngx_rooms_reader_merge(ngx_array_t *a, int64_t from, int64_t at)
{
    ngx_uint_t                 i, n;
    ngx_rooms_reader_event_t  *e;

    e = a->elts;

    qsort(e, a->nelts, sizeof(ngx_rooms_reader_event_t),
          ngx_rooms_reader_order);

    for (i = 0, n = 0; i < a->nelts; i++) {

        if (e[i].position > from && e[i].position <= at
            && (n == 0 || e[n - 1].position != e[i].position))
        {
            e[n++] = e[i];
        }
    }

    return n;
}


/* How many of the events make a page; one at least, however large. */
static ngx_uint_t
ngx_rooms_reader_fits(ngx_rooms_reader_t *s)
{
    size_t      size;
    ngx_uint_t  n;

    size = 0;

    for (n = 0; n < s->nevents && n < (ngx_uint_t) s->limit; n++) {
        size += s->events[n].json.len;

        if (n && size > NGX_ROOMS_READER_PAGE) {
            break;
        }
    }

    return n;
}


static ngx_int_t
ngx_rooms_reader_events(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    int64_t                   last;
    ngx_uint_t                i, n, fits;
    ngx_array_t               a;
    ngx_rooms_look_t         *look;
    ngx_rooms_reader_room_t  *room;

    look = s->look;

    if (ngx_array_init(&a, rq->batch->pool, 64,
                       sizeof(ngx_rooms_reader_event_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0, n = 1; i < look->nrooms; i++) {
        room = &look->rooms[i];

        if (room->count == 0) {
            continue;
        }

        if (ngx_rooms_reader_joined(rq, room->id, ngx_rooms_reply(rq, n + 1))
            && ngx_rooms_reader_take(rq, &a, room->id, ngx_rooms_reply(rq, n),
                                     &last) != NGX_OK)
        {
            return NGX_ERROR;
        }

        n += 2;
    }

    for (i = 0; i < look->nown && look->own[i].position <= look->at; i++) {

        if (ngx_rooms_reader_take_own(rq, &a, &look->own[i],
                                      ngx_rooms_reply(rq, n++)) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    s->events = a.elts;
    s->nevents = ngx_rooms_reader_merge(&a, s->from, look->at);

    if (s->nevents == 0) {
        s->from = look->at;
        return NGX_DECLINED;
    }

    s->cursor = look->at;
    fits = ngx_rooms_reader_fits(s);

    if (fits < s->nevents) {
        s->nevents = fits;
        s->cursor = s->events[fits - 1].position;
    }

    s->more = (int64_t) s->nevents < look->total;

    return NGX_OK;
}


/*
 * Waiting.
 */


/* Nothing up to the counter that was read. */
static ngx_int_t
ngx_rooms_reader_idle(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    s->from = s->look->last;
    s->nevents = 0;
    s->cursor = s->from;
    s->more = 0;

    if ((s->again || s->look->beyond) && s->waits && !s->late && !ngx_exiting)
    {
        return NGX_DECLINED;
    }

    return ngx_rooms_reader_wait(rq, s);
}


static ngx_int_t
ngx_rooms_reader_wait(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_msec_int_t       left;
    ngx_http_request_t  *r;

    r = rq->r;
    left = (ngx_msec_int_t) (s->until - ngx_current_msec);

    if (!s->waits || s->late || left <= 0 || ngx_exiting
        || s->listener.channel == NULL)
    {
        return NGX_OK;
    }

    /* the replies go; what stays is small */

    s->look = NULL;
    s->looks = 0;
    ngx_rooms_forget(rq);

    if (r == r->main && r->connection->read->pending_eof) {
        /* it left before we began to look for that */
        ngx_http_test_reading(r);

        if (r->connection->error) {
            return NGX_AGAIN;
        }
    }

    s->waiting = 1;
    ngx_rooms_status_doing(rq, NGX_ROOMS_GAUGE_POLLS);
    rq->round = NGX_ROOMS_READER_WAIT;
    ngx_add_timer(&s->timer, left);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_rooms_reader_woken(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    rooms_str_t            room;
    ngx_rooms_keys_t       keys;
    ngx_rooms_batch_t     *b;
    ngx_rooms_listener_t  *l;

    l = &s->listener;

    if (s->late || ngx_exiting) {
        return NGX_OK;
    }

    if (s->again) {
        return ngx_rooms_reader_look(rq, s);
    }

    if (l->position <= s->from) {
        /* it was looked at when the sweep found it */
        l->topic = NULL;
        return ngx_rooms_reader_wait(rq, s);
    }

    b = ngx_rooms_reader_batch(rq, &keys);
    if (b == NULL) {
        return NGX_ERROR;
    }

    s->look = ngx_pcalloc(b->pool, sizeof(ngx_rooms_look_t)
                                   + sizeof(ngx_rooms_reader_room_t));
    if (s->look == NULL) {
        return NGX_ERROR;
    }

    room = ngx_rooms_dup(b->pool, ngx_rooms_topic_room(l->topic));
    l->topic = NULL;

    s->look->at = l->position;
    s->look->rooms = (ngx_rooms_reader_room_t *) &s->look[1];
    s->look->rooms[0].id = room;

    (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_EVENTS, room),
                             ngx_rooms_reader_after(b, s->from),
                             ngx_rooms_number(b->pool, s->look->at),
                             ngx_rooms_s("WITHSCORES"), ngx_rooms_s("LIMIT"),
                             ngx_rooms_s("0"),
                             ngx_rooms_number(b->pool,
                                              NGX_ROOMS_READER_FEW + 1));
    (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                             ngx_rooms_key(&keys, NGX_ROOMS_KEY_MEMBERS,
                                           room),
                             rq->principal.sub);

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_HINT);
}


static ngx_int_t
ngx_rooms_reader_hint(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    int64_t       last;
    ngx_array_t   a;
    rooms_str_t   room;

    room = s->look->rooms[0].id;

    if (!ngx_rooms_reader_joined(rq, room, ngx_rooms_reply(rq, 1))) {
        /* an invite alone shows nothing of what is said there */
        return s->again ? NGX_DECLINED : ngx_rooms_reader_wait(rq, s);
    }

    if (ngx_array_init(&a, rq->batch->pool, 4,
                       sizeof(ngx_rooms_reader_event_t)) != NGX_OK
        || ngx_rooms_reader_take(rq, &a, room, ngx_rooms_reply(rq, 0), &last)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    s->events = a.elts;
    s->nevents = a.nelts;

    if (last != s->look->at || ngx_rooms_reader_fits(s) < s->nevents) {
        return NGX_DECLINED;
    }

    s->cursor = last;
    s->more = 0;

    return NGX_OK;
}


/* A listener's handler: what a sweep has found. */
static void
ngx_rooms_reader_told(ngx_rooms_listener_t *l)
{
    ngx_rooms_reader_t  *s;

    s = l->data;

    if (s->rq->sent) {
        ngx_rooms_listen_stop(l);
        return;
    }

    if (!s->waiting || l->full || l->topic == NULL) {
        s->again = 1;
        l->full = 0;
        l->topic = NULL;
    }

    if (!s->waiting) {
        return;
    }

    s->waiting = 0;
    ngx_rooms_status_doing(s->rq, NGX_ROOMS_GAUGE_NONE);
    ngx_del_timer(&s->timer);
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

    if (s->timer.timer_set) {
        ngx_del_timer(&s->timer);
    }
}
