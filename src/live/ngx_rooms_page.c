/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Makes a page: from the rooms that may have news to the events that fit.
 *
 * A script merges the sources, which are the rooms and the participant's own
 * news, in the order of positions (ngx_rooms_page.lua).  It must know where
 * each source begins.  With few rooms it finds that out itself.  With more,
 * rooms are asked first, some in each script, so that other commands can
 * run in between.  Then the page's script only gets the sources that the page
 * can reach: one more than it has events.  Of a room that the page can't reach
 * it is enough to know that its news don't begin earlier: by the time in its
 * id, or from the page before (ngx_rooms_roomlist.c).
 *
 * Nothing is seen of a room that the participant isn't in, such as one they
 * are invited to.  If such rooms end a page early, it is made again without
 * them: a page with more behind it is full.
 */

#include "ngx_rooms_look.h"
#include "ngx_rooms_firsts_lua.h"
#include "ngx_rooms_page_lua.h"


#define NGX_ROOMS_PAGE_ROOMS    32         /* more than these are asked first */
#define NGX_ROOMS_PAGE_STEP     64         /* rooms that one script asks */
#define NGX_ROOMS_PAGE_HEAD      5         /* arguments before the sources */


static ngx_int_t ngx_rooms_page_own(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_page_pick(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_page_ask_firsts(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);
static ngx_int_t ngx_rooms_page_ask(ngx_rooms_req_t *rq,
    ngx_rooms_reader_t *s);


static ngx_rooms_script_t  ngx_rooms_firsts = {
    ngx_string(NGX_ROOMS_FIRSTS_LUA), { 0 }
};

static ngx_rooms_script_t  ngx_rooms_page = {
    ngx_string(NGX_ROOMS_PAGE_LUA), { 0 }
};


/* Finds the rooms that may have news: in a crowded tenant, all. */
static ngx_int_t
ngx_rooms_page_rooms(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_int_t                 found;
    ngx_uint_t                i, n;
    redisReply               *active;
    ngx_rooms_look_t         *look;
    ngx_rooms_reader_room_t  *room;

    look = s->look;
    active = look->active;
    n = look->crowded ? look->list->n : active->elements / 2;

    look->rooms = ngx_palloc(rq->batch->pool,
                             n * sizeof(ngx_rooms_reader_room_t) + 1);
    if (look->rooms == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n && look->list; i++) {
        found = i;

        if (!look->crowded) {
            found = ngx_rooms_roomlist_find(look->list,
                               ngx_rooms_reply_str(active->element[2 * i]));

            if (found == NGX_ERROR) {
                continue;
            }

            look->beyond |= ngx_rooms_reply_int(active->element[2 * i + 1], 0)
                            > look->last;
        }

        room = &look->rooms[look->nrooms++];
        room->id = look->list->ids[found];
        room->room = found;
        room->first = s->from + 1;
        room->exact = 0;
    }

    return NGX_OK;
}


/*
 * What is known of many rooms before they are asked: from the pages before,
 * or from the times of their ids.
 */
static void
ngx_rooms_page_heads(ngx_rooms_reader_t *s)
{
    int64_t                   at;
    ngx_uint_t                i;
    ngx_rooms_look_t         *look;
    ngx_rooms_roomlist_t     *list;
    ngx_rooms_reader_room_t  *room;

    look = s->look;
    list = look->list;

    if (list->heads) {
        ngx_rooms_roomlist_begin(list, s->from, look->past);
    }

    for (i = 0; i < look->nrooms; i++) {
        room = &look->rooms[i];

        at = list->heads ? (int64_t) list->heads[room->room].at
                         : rooms_id_position(room->id);

        if (at > s->from) {
            room->first = at;
            room->exact = list->heads && list->heads[room->room].exact;
        }
    }
}


ngx_int_t
ngx_rooms_page_begin(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    if (ngx_rooms_page_rooms(rq, s) != NGX_OK
        || ngx_rooms_page_own(rq, s) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (s->look->nrooms <= NGX_ROOMS_PAGE_ROOMS) {
        s->look->npicked = s->look->nrooms;
        return ngx_rooms_page_ask(rq, s);
    }

    ngx_rooms_page_heads(s);

    return ngx_rooms_page_pick(rq, s);
}


/*
 * Reads the participant's own news: "m room" and "r room", with positions, and
 * once `list`, which is nothing to show.
 */
static ngx_int_t
ngx_rooms_page_own(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t              i;
    redisReply             *news;
    rooms_str_t             word;
    ngx_rooms_look_t       *look;
    ngx_rooms_page_from_t  *own;

    look = s->look;
    news = look->news;

    look->own = ngx_palloc(rq->batch->pool, news->elements / 2
                           * sizeof(ngx_rooms_page_from_t) + 1);
    if (look->own == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i + 1 < news->elements; i += 2) {
        word = ngx_rooms_reply_str(news->element[i]);

        if (word.len < 3 || word.data[1] != ' ') {
            continue;
        }

        own = &look->own[look->nown];
        own->kind = word.data[0] == 'r' ? NGX_ROOMS_PAGE_MARKER
                                        : NGX_ROOMS_PAGE_MEMBERSHIP;
        own->room = (rooms_str_t) { word.len - 2, word.data + 2 };
        own->first = ngx_rooms_reply_int(news->element[i + 1], 0);

        if (own->first > look->last) {
            look->beyond = 1;

        } else {
            look->nown++;
        }
    }

    look->end = look->last;

    if (look->nown && news->elements / 2 > (size_t) (2 * s->limit + 1)) {
        /*
         * There are more after the last of these.  If they are all beyond the
         * counter, none of the others is below it.
         */
        look->end = look->own[look->nown - 1].first;
    }

    return NGX_OK;
}


/* Moves a room down the heap of rooms by `first`. */
static void
ngx_rooms_page_down(ngx_rooms_reader_room_t *rooms, ngx_uint_t n,
    ngx_uint_t i)
{
    ngx_uint_t               child;
    ngx_rooms_reader_room_t  room;

    room = rooms[i];

    for ( ;; ) {
        child = 2 * i + 1;

        if (child + 1 < n && rooms[child + 1].first < rooms[child].first) {
            child++;
        }

        if (child >= n || rooms[child].first >= room.first) {
            break;
        }

        rooms[i] = rooms[child];
        i = child;
    }

    rooms[i] = room;
}


/*
 * Picks the rooms that come first, as many as the page can reach.  If only a
 * bound is known of some, it asks these, and then picks again, since others
 * may come first then.  Each time it asks twice as many.
 */
static ngx_int_t
ngx_rooms_page_pick(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t                i, n, most, inexact;
    ngx_rooms_look_t         *look;
    ngx_rooms_reader_room_t  *rooms, room;

    look = s->look;
    rooms = look->rooms;
    n = look->nrooms;
    most = 2 * (s->limit + 1);

    for (i = n / 2; i > 0; i--) {
        ngx_rooms_page_down(rooms, n, i - 1);
    }

    for (inexact = 0; n && rooms[0].first <= look->end; /* void */) {
        i = look->nrooms - n;

        if (i >= most && (inexact == 0
                          || (i >= most << ngx_min(look->picks, 16)
                              && rooms[0].first > s->from + 1)))
        {
            break;
        }

        inexact += !rooms[0].exact;
        room = rooms[0];
        rooms[0] = rooms[--n];
        rooms[n] = room;
        ngx_rooms_page_down(rooms, n, 0);
    }

    look->npicked = look->nrooms - n;

    if (look->asked == NULL) {
        look->asked = ngx_palloc(rq->batch->pool, look->nrooms
                                 * sizeof(ngx_rooms_reader_room_t *));
        if (look->asked == NULL) {
            return NGX_ERROR;
        }
    }

    look->nasked = 0;

    for (i = n; i < look->nrooms; i++) {

        if (!rooms[i].exact) {
            look->asked[look->nasked++] = &rooms[i];
        }
    }

    if (look->nasked || !look->early) {
        return ngx_rooms_page_ask_firsts(rq, s);
    }

    return ngx_rooms_page_ask(rq, s);
}


/*
 * The first time it also asks which of the participant's rooms begin before
 * the time of their id.
 */
static ngx_int_t
ngx_rooms_page_ask_firsts(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t          i, n;
    rooms_str_t        *argv, *a;
    ngx_rooms_keys_t    keys;
    ngx_rooms_look_t   *look;
    ngx_rooms_batch_t  *b;

    look = s->look;

    b = ngx_rooms_reader_batch(rq, &keys);
    if (b == NULL) {
        return NGX_ERROR;
    }

    argv = ngx_palloc(b->pool,
                      (NGX_ROOMS_PAGE_STEP + 4) * sizeof(rooms_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < look->nasked; /* void */) {
        n = ngx_min(look->nasked - i, NGX_ROOMS_PAGE_STEP);

        a = ngx_rooms_script_begin(&ngx_rooms_firsts, b, 0, argv);
        *a++ = ngx_rooms_number(b->pool, n);

        while (n--) {
            *a++ = ngx_rooms_key(&keys, NGX_ROOMS_KEY_EVENTS,
                                 look->asked[i++]->id);
        }

        *a++ = ngx_rooms_reader_after(b, s->from);

        if (ngx_rooms_batch_add(b, argv, a - argv) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (!look->early) {
        (void) ngx_rooms_ask(b, &keys, "ZINTER 2 %k %k",
                             NGX_ROOMS_KEY_USER_ROOMS, rq->principal.sub,
                             NGX_ROOMS_KEY_EARLY, ROOMS_NULL);
    }

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_FIRSTS);
}


/* Of these rooms nothing was known. */
static ngx_int_t
ngx_rooms_page_early(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s,
    redisReply *ids)
{
    u_char                   *early;
    size_t                    i;
    ngx_int_t                 n;
    ngx_rooms_look_t         *look;
    ngx_rooms_reader_room_t  *room;

    look = s->look;
    look->early = 1;

    if (ids->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    if (ids->elements == 0) {
        return NGX_OK;
    }

    early = ngx_pcalloc(rq->batch->pool, look->list->n);
    if (early == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < ids->elements; i++) {
        n = ngx_rooms_roomlist_find(look->list,
                                    ngx_rooms_reply_str(ids->element[i]));
        if (n != NGX_ERROR) {
            early[n] = 1;
        }
    }

    for (i = 0; i < look->nrooms; i++) {
        room = &look->rooms[i];

        if (early[room->room] && !room->exact) {
            room->first = s->from + 1;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_page_firsts(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t                i;
    redisReply               *reply;
    ngx_rooms_look_t         *look;
    ngx_rooms_reader_room_t  *room;

    look = s->look;

    for (i = 0; i < look->nasked; i++) {
        reply = ngx_rooms_reply(rq, i / NGX_ROOMS_PAGE_STEP);

        if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
            return ngx_rooms_fail_store(rq, NGX_ROOMS_BATCH_DOWN);
        }

        /* no events: they were removed, or read */
        room = look->asked[i];
        room->exact = 1;
        room->first = ngx_rooms_reply_int_at(reply, i % NGX_ROOMS_PAGE_STEP,
                                             INT64_MAX);

        if (look->list->heads) {
            ngx_rooms_roomlist_learn(look->list, room->room, s->from,
                                     ngx_min(room->first, look->last + 1),
                                     room->first <= look->last, look->past);
        }
    }

    if (!look->early) {
        i = (look->nasked + NGX_ROOMS_PAGE_STEP - 1) / NGX_ROOMS_PAGE_STEP;

        if (ngx_rooms_page_early(rq, s, ngx_rooms_reply(rq, i)) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    look->picks++;

    return ngx_rooms_page_pick(rq, s);
}


static int ngx_libc_cdecl
ngx_rooms_page_compare(const void *one, const void *two)
{
    const ngx_rooms_page_from_t *a = one;
    const ngx_rooms_page_from_t *b = two;

    return (a->first > b->first) - (a->first < b->first);
}


/*
 * Chooses the sources that the page can reach.  At most two of them begin
 * with the same event.
 */
static ngx_int_t
ngx_rooms_page_sources(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t              i, n, most;
    ngx_rooms_look_t       *look;
    ngx_rooms_page_from_t  *from;

    look = s->look;

    from = ngx_palloc(rq->batch->pool, (look->nown + look->npicked)
                      * sizeof(ngx_rooms_page_from_t) + 1);
    if (from == NULL) {
        return NGX_ERROR;
    }

    i = look->nrooms - look->npicked;
    look->at = look->end;
    look->cut = look->end < look->last;

    if (i && look->rooms[0].first <= look->at) {
        /* the first one that wasn't picked */
        look->at = look->rooms[0].first - 1;
        look->cut = 1;
    }

    for (n = 0; n < look->nown && look->own[n].first <= look->at; n++) {
        from[n] = look->own[n];
    }

    for ( /* void */ ; i < look->nrooms; i++) {

        if (look->rooms[i].first <= look->at) {
            from[n].kind = NGX_ROOMS_PAGE_ROOM;
            from[n].room = look->rooms[i].id;
            from[n].place = i;
            from[n++].first = look->rooms[i].first;
        }
    }

    qsort(from, n, sizeof(ngx_rooms_page_from_t), ngx_rooms_page_compare);

    most = 2 * (s->limit + 1);

    if (look->nrooms > NGX_ROOMS_PAGE_ROOMS && n > most) {
        look->at = from[most].first - 1;
        look->cut = 1;
        n = most;
    }

    look->from = from;
    look->nfrom = n;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_page_ask(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t              i, n;
    rooms_str_t            *argv, *a;
    ngx_rooms_keys_t        keys;
    ngx_rooms_look_t       *look;
    ngx_rooms_batch_t      *b;
    ngx_rooms_page_from_t  *from;

    look = s->look;

    if (look->from == NULL && ngx_rooms_page_sources(rq, s) != NGX_OK) {
        return NGX_ERROR;
    }

    if (look->nfrom == 0 && !look->crowded) {
        return ngx_rooms_reader_idle(rq, s);
    }

    b = ngx_rooms_reader_batch(rq, &keys);
    if (b == NULL) {
        return NGX_ERROR;
    }

    /* entries beyond the counter tell whether to look once more */

    if (look->crowded) {
        (void) ngx_rooms_ask(b, &keys, "ZRANGEBYSCORE %k %s +inf LIMIT 0 %d",
                             NGX_ROOMS_KEY_ACTIVE, ROOMS_NULL,
                             ngx_rooms_reader_after(b, look->last),
                             (int64_t) NGX_ROOMS_READER_ACTIVE);
    }

    argv = ngx_palloc(b->pool, (3 + NGX_ROOMS_PAGE_HEAD + 5 * look->nfrom)
                               * sizeof(rooms_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    from = look->from;
    a = ngx_rooms_script_begin(&ngx_rooms_page, b, 0, argv);

    for (i = 0, n = look->nfrom; i < look->nfrom; i++) {
        n += from[i].kind == NGX_ROOMS_PAGE_ROOM;
    }

    *a++ = ngx_rooms_number(b->pool, n);

    for (i = 0; i < look->nfrom; i++) {

        switch (from[i].kind) {

        case NGX_ROOMS_PAGE_ROOM:
            *a++ = ngx_rooms_key(&keys, NGX_ROOMS_KEY_EVENTS, from[i].room);
            *a++ = ngx_rooms_key(&keys, NGX_ROOMS_KEY_MEMBERS, from[i].room);
            break;

        case NGX_ROOMS_PAGE_MEMBERSHIP:
            *a++ = ngx_rooms_key(&keys, NGX_ROOMS_KEY_EVENTS, from[i].room);
            break;

        default:
            *a++ = ngx_rooms_key(&keys, NGX_ROOMS_KEY_USER_MARKERS,
                                 rq->principal.sub);
        }
    }

    *a++ = ngx_rooms_reader_after(b, s->from);
    *a++ = ngx_rooms_number(b->pool, look->at);
    *a++ = ngx_rooms_number(b->pool, s->limit);
    *a++ = ngx_rooms_number(b->pool, NGX_ROOMS_READER_PAGE);
    *a++ = ngx_rooms_s(NGX_ROOMS_ROW_JOINED);

    for (i = 0; i < look->nfrom; i++) {
        *a++ = (rooms_str_t) { 1, (u_char *) &"emr"[from[i].kind] };
        *a++ = ngx_rooms_number(b->pool, from[i].first);
        *a++ = from[i].kind == NGX_ROOMS_PAGE_ROOM ? rq->principal.sub
                                                   : from[i].room;
    }

    if (ngx_rooms_batch_add(b, argv, a - argv) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_reader_send(rq, NGX_ROOMS_READER_EVENTS);
}


/* Whether a row of the room says that the participant is a member. */
ngx_uint_t
ngx_rooms_page_joined(ngx_rooms_req_t *rq, rooms_str_t room, redisReply *row)
{
    rooms_member_t  m;

    /* an unreadable row lets nobody in, and doesn't stop others */

    if (ngx_rooms_parse_member(ngx_rooms_reply_str(row), rq->principal.sub,
                               &m) == NGX_OK)
    {
        return m.membership == ROOMS_JOIN;
    }

    ngx_rooms_unreadable(rq->r->connection->log, "row of a member of", room);

    return 0;
}


/*
 * An event for a participant who isn't in the room.  If it names several, as
 * an invite of many does, the others are removed from it.
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
ngx_rooms_page_take(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s,
    const ngx_rooms_page_from_t *from, int64_t position, rooms_str_t json)
{
    ngx_uint_t                 marker;
    rooms_stored_t             e;
    ngx_rooms_reader_event_t  *event;

    event = &s->events[s->nevents];

    if (s->nevents && event[-1].position == position) {

        if (from->kind != NGX_ROOMS_PAGE_ROOM) {
            return NGX_OK;
        }

        /* the room's version of the event has more */
        event--;
        s->nevents--;
    }

    marker = from->kind == NGX_ROOMS_PAGE_MARKER;

    if (ngx_rooms_parse_event(rq->batch->pool, rq->r->connection->log, json,
                              from->room, marker ? 0 : position, &e)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (marker && e.position > position) {
        /* the marker has moved meanwhile, beyond all that is read */
        return NGX_OK;
    }

    event->position = position;
    event->authored = e.authored;
    event->json = from->kind == NGX_ROOMS_PAGE_ROOM
                  ? e.json : ngx_rooms_page_personal(rq, &e);

    if (event->json.data == NULL) {
        return NGX_ERROR;
    }

    s->nevents++;

    return NGX_OK;
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


/* Takes the script's answer. */
static ngx_int_t
ngx_rooms_page_merged(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s,
    redisReply *rows, redisReply *events)
{
    u_char                   *in;
    size_t                    i;
    ngx_uint_t                n;
    ngx_rooms_look_t         *look;
    ngx_rooms_page_from_t    *from;
    ngx_rooms_reader_room_t  *room;

    look = s->look;
    look->hidden = 0;
    from = look->from;

    in = ngx_pcalloc(rq->batch->pool, look->nfrom + 1);
    s->nevents = 0;
    s->events = ngx_pcalloc(rq->batch->pool, events->elements / 3
                            * sizeof(ngx_rooms_reader_event_t) + 1);

    if (in == NULL || s->events == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i + 1 < rows->elements; i += 2) {
        n = ngx_rooms_reply_int(rows->element[i], 0);

        if (n < look->nfrom && from[n].kind == NGX_ROOMS_PAGE_ROOM) {
            in[n] = ngx_rooms_page_joined(rq, from[n].room,
                                          rows->element[i + 1]);

            if (!in[n]) {
                /* nothing of it is seen */
                room = &look->rooms[from[n].place];
                room->exact = 1;
                room->first = INT64_MAX;
                look->hidden = 1;
            }
        }
    }

    for (i = 0; i + 2 < events->elements; i += 3) {
        n = ngx_rooms_reply_int(events->element[i], 0);

        if (n >= look->nfrom || (from[n].kind == NGX_ROOMS_PAGE_ROOM && !in[n]))
        {
            continue;
        }

        if (ngx_rooms_page_take(rq, s, &from[n],
                           ngx_rooms_reply_int(events->element[i + 1], 0),
                           ngx_rooms_reply_str(events->element[i + 2]))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * In a crowded tenant: whether one of our rooms has news beyond the counter.
 */
static void
ngx_rooms_page_beyond(ngx_rooms_look_t *look, redisReply *active)
{
    size_t  i;

    look->beyond |= active->elements == NGX_ROOMS_READER_ACTIVE;

    for (i = 0; i < active->elements && !look->beyond; i++) {
        look->beyond = ngx_rooms_roomlist_find(look->list,
                                  ngx_rooms_reply_str(active->element[i]))
                       != NGX_ERROR;
    }
}


ngx_int_t
ngx_rooms_page_events(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    ngx_uint_t         fits;
    redisReply        *reply, *rows, *events;
    ngx_rooms_look_t  *look;

    look = s->look;
    reply = ngx_rooms_reply(rq, look->crowded);

    rows = ngx_rooms_reply_element(reply, 2);
    events = ngx_rooms_reply_element(reply, 3);

    if (rows == NULL || events == NULL) {
        return NGX_ERROR;
    }

    if (look->crowded) {
        ngx_rooms_page_beyond(look, ngx_rooms_reply(rq, 0));
    }

    if (ngx_rooms_page_merged(rq, s, rows, events) != NGX_OK) {
        return NGX_ERROR;
    }

    s->cursor = look->at;
    s->more = look->cut;

    if (ngx_rooms_reply_int_at(reply, 0, 0)) {
        s->cursor = ngx_rooms_reply_int_at(reply, 1, 0);
        s->more = 1;
    }

    fits = ngx_rooms_page_fits(s);

    if (fits < s->nevents) {
        s->nevents = fits;
        s->cursor = s->events[fits - 1].position;
        s->more = 1;
    }

    if (s->cursor == look->at && look->at < look->end && look->hidden
        && ++s->looks < NGX_ROOMS_READER_LOOKS)
    {
        /*
         * Rooms that the participant isn't in have taken the places of
         * others.  Without them the page reaches further, maybe to the end.
         */
        look->from = NULL;
        return ngx_rooms_page_pick(rq, s);
    }

    if (s->nevents == 0 && !s->more) {
        return ngx_rooms_reader_idle(rq, s);
    }

    if (s->nevents == 0) {
        s->from = s->cursor;
        return NGX_DECLINED;
    }

    if (look->crowded && s->more && look->list->heads) {
        look->list->next = s->cursor;
    }

    s->behind = s->more || look->beyond || s->cursor < look->last;

    return NGX_OK;
}
