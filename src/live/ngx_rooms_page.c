/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A page of a look: from the rooms that have news to the events that fit.
 *
 * To merge rooms one would read as much of each as the page might need, and
 * throw nearly all of it away.  Instead its end is searched for, by counting:
 * a position behind which lie at least as many events as the page holds, and
 * not twice as many.  Then their lengths are asked for, and just what fits
 * into the page is read.  When there are few of them, which is the rule, they
 * are read at once.
 */

#include "ngx_rooms_look.h"
#include <ngx_sha1.h>


#define NGX_ROOMS_PAGE_TRIES    64         /* to find its end */


typedef struct {
    int64_t                   position;
    int64_t                   len;
} ngx_rooms_page_size_t;


static ngx_int_t ngx_rooms_page_count(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_page_ask_sizes(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s, int64_t at);
static ngx_int_t ngx_rooms_page_fetch(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s, int64_t at);



/*
 * Positions and lengths of a room's events in a range: until there are so many
 * of them, or so many bytes.  Only these go over the connection, so a page's
 * end is known before anything large is asked for.
 *
 * KEYS: events.  ARGV: from, to, events, bytes.
 */
static ngx_str_t  ngx_rooms_page_script = ngx_string(
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

static u_char  ngx_rooms_page_sha[40];


/* From here on only rooms with news are of interest. */
ngx_int_t
ngx_rooms_page_begin(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
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
ngx_uint_t
ngx_rooms_page_joined(ngx_rooms_req_t *rq, rooms_str_t room, redisReply *row)
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
ngx_rooms_page_own(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
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


ngx_int_t
ngx_rooms_page_counts(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t                i;
    ngx_rooms_look_t         *look;
    ngx_rooms_reader_room_t  *room;

    look = s->look;

    for (i = 0; i < look->nrooms; i++) {
        room = &look->rooms[i];

        room->joined = ngx_rooms_page_joined(rq, room->id,
                                           ngx_rooms_reply(rq, 1 + 2 * i));
        if (room->joined) {
            room->count = ngx_rooms_reply_int(ngx_rooms_reply(rq, 2 + 2 * i),
                                              0);
            look->total += room->count;
        }
    }

    if (ngx_rooms_page_own(rq, s) != NGX_OK) {
        return NGX_ERROR;
    }

    look->total += look->nown;

    if (look->total == 0) {
        return ngx_rooms_reader_idle(rq, s);
    }

    look->low = s->from;
    look->below = look->total;

    if (look->total <= NGX_ROOMS_READER_FEW) {
        return ngx_rooms_page_fetch(rq, s, look->high);
    }

    if (look->total <= 2 * s->limit) {
        return ngx_rooms_page_ask_sizes(rq, s, look->high);
    }

    return ngx_rooms_page_count(rq, s);
}


/* How many events lie up to a position between the two bounds? */
static ngx_int_t
ngx_rooms_page_count(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    int64_t             width;
    ngx_uint_t          i;
    rooms_str_t         after, at;
    ngx_rooms_keys_t    keys;
    ngx_rooms_look_t   *look;
    ngx_rooms_batch_t  *b;

    look = s->look;
    width = look->high - look->low;

    if (width <= 1 || look->tries++ == NGX_ROOMS_PAGE_TRIES) {
        return ngx_rooms_page_ask_sizes(rq, s, look->high);
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


ngx_int_t
ngx_rooms_page_bound(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
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
        return ngx_rooms_page_ask_sizes(rq, s, look->at);
    }

    return ngx_rooms_page_count(rq, s);
}


static void
ngx_rooms_page_size(ngx_rooms_reader_t *s, ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys, rooms_str_t room, int64_t from, int64_t to)
{
    u_char      digest[20];
    ngx_uint_t  text;
    ngx_sha1_t  sha1;

    if (ngx_rooms_page_sha[0] == '\0') {
        ngx_sha1_init(&sha1);
        ngx_sha1_update(&sha1, ngx_rooms_page_script.data,
                        ngx_rooms_page_script.len);
        ngx_sha1_final(digest, &sha1);
        ngx_hex_dump(ngx_rooms_page_sha, digest, 20);
    }

    /* the text makes the script known to the commands behind it */

    text = s->look->whole || b->commands.nelts == 1;

    (void) ngx_rooms_command(b, text ? ngx_rooms_s("EVAL")
                                     : ngx_rooms_s("EVALSHA"),
                             text ? rooms_from_ngx(ngx_rooms_page_script)
                                  : (rooms_str_t) { 40, ngx_rooms_page_sha },
                             ngx_rooms_s("1"),
                             ngx_rooms_key(keys, NGX_ROOMS_KEY_EVENTS, room),
                             ngx_rooms_reader_after(b, from),
                             ngx_rooms_number(b->pool, to),
                             ngx_rooms_number(b->pool, s->limit),
                             ngx_rooms_number(b->pool,
                                              NGX_ROOMS_READER_PAGE));
}


static ngx_int_t
ngx_rooms_page_ask_sizes(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s,
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
            ngx_rooms_page_size(s, b, &keys, look->rooms[i].id, s->from, at);
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
            ngx_rooms_page_size(s, b, &keys, own->room, own->position - 1,
                                  own->position);
        }
    }

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_SIZES);
}


static int ngx_libc_cdecl
ngx_rooms_page_by_size(const void *one, const void *two)
{
    const ngx_rooms_page_size_t *a = one;
    const ngx_rooms_page_size_t *b = two;

    return (a->position > b->position) - (a->position < b->position);
}


/* Up to here the page has no more than is allowed; one event at least. */
static int64_t
ngx_rooms_page_end(ngx_rooms_reader_t *s, ngx_array_t *a)
{
    size_t                    total;
    int64_t                   n;
    ngx_uint_t                i;
    ngx_rooms_page_size_t  *e;

    e = a->elts;
    total = 0;
    n = 0;

    qsort(e, a->nelts, sizeof(ngx_rooms_page_size_t),
          ngx_rooms_page_by_size);

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


ngx_int_t
ngx_rooms_page_sizes(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t                i, k, n;
    redisReply               *reply;
    ngx_array_t               a;
    ngx_rooms_look_t         *look;
    ngx_rooms_reader_own_t   *own;
    ngx_rooms_page_size_t  *e;

    look = s->look;

    if (ngx_array_init(&a, rq->batch->pool, 256,
                       sizeof(ngx_rooms_page_size_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    n = rq->batch->commands.nelts;

    for (i = 1; i < n; i++) {
        reply = ngx_rooms_reply(rq, i);

        if (ngx_rooms_reply_is_error(reply, "NOSCRIPT") && !look->whole) {
            look->whole = 1;
            return ngx_rooms_page_ask_sizes(rq, s, look->at);
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

    return ngx_rooms_page_fetch(rq, s, ngx_rooms_page_end(s, &a));
}


/* The participant's row is read behind the events: who was removed by then,
 * gets none of them. */
static ngx_int_t
ngx_rooms_page_fetch(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s, int64_t at)
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
ngx_rooms_page_push(ngx_rooms_req_t *rq, ngx_array_t *a, rooms_str_t json,
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


ngx_int_t
ngx_rooms_page_take(ngx_rooms_req_t *rq, ngx_array_t *a, rooms_str_t room,
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
            || ngx_rooms_page_push(rq, a, e.json, *last) != NGX_OK)
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
ngx_rooms_page_personal(ngx_rooms_req_t *rq, const rooms_stored_t *e)
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
ngx_rooms_page_take_own(ngx_rooms_req_t *rq, ngx_array_t *a,
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

    return ngx_rooms_page_push(rq, a, ngx_rooms_page_personal(rq, &e),
                                 e.position ? e.position : own->position);
}


static int ngx_libc_cdecl
ngx_rooms_page_order(const void *one, const void *two)
{
    const ngx_rooms_reader_event_t *a = one;
    const ngx_rooms_reader_event_t *b = two;

    return (a->position > b->position) - (a->position < b->position);
}


/* Sorts, and leaves each once. */
static ngx_uint_t
ngx_rooms_page_merge(ngx_array_t *a, int64_t from, int64_t at)
{
    ngx_uint_t                 i, n;
    ngx_rooms_reader_event_t  *e;

    e = a->elts;

    qsort(e, a->nelts, sizeof(ngx_rooms_reader_event_t),
          ngx_rooms_page_order);

    for (i = 0, n = 0; i < a->nelts; i++) {

        if (e[i].position > from && e[i].position <= at
            && (n == 0 || e[n - 1].position != e[i].position))
        {
            e[n++] = e[i];
        }
    }

    return n;
}


ngx_uint_t
ngx_rooms_page_fits(ngx_rooms_reader_t *s)
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


ngx_int_t
ngx_rooms_page_events(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
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

        if (ngx_rooms_page_joined(rq, room->id, ngx_rooms_reply(rq, n + 1))
            && ngx_rooms_page_take(rq, &a, room->id, ngx_rooms_reply(rq, n),
                                     &last) != NGX_OK)
        {
            return NGX_ERROR;
        }

        n += 2;
    }

    for (i = 0; i < look->nown && look->own[i].position <= look->at; i++) {

        if (ngx_rooms_page_take_own(rq, &a, &look->own[i],
                                      ngx_rooms_reply(rq, n++)) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    s->events = a.elts;
    s->nevents = ngx_rooms_page_merge(&a, s->from, look->at);

    if (s->nevents == 0) {
        s->from = look->at;
        return NGX_DECLINED;
    }

    s->cursor = look->at;
    fits = ngx_rooms_page_fits(s);

    if (fits < s->nevents) {
        s->nevents = fits;
        s->cursor = s->events[fits - 1].position;
    }

    s->more = (int64_t) s->nevents < look->total;
    s->behind = s->more || look->beyond || s->cursor < look->last;

    return NGX_OK;
}
