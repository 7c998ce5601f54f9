/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Read requests of other servers: profiles, members, and history. */

#include "ngx_rooms_federation_endpoints.h"
#include "ngx_rooms_peer.h"
#include "ngx_rooms_pager.h"
#include "ngx_rooms_roster.h"
#include "ngx_rooms_pdu.h"


#define NGX_ROOMS_PEER_ROOM_IDS  500       /* ids looked at together */

typedef struct {
    rooms_room_t       room;
    rooms_str_t        server;             /* the requesting server */
    unsigned           joined:1;           /* one of its participants has
                                              joined */

    ngx_rooms_roster_t roster;
    uint32_t           left;               /* of its participants, still to
                                              be checked */
} ngx_rooms_peer_room_t;

typedef enum {
    NGX_ROOMS_READS_BEGIN = 0,
    NGX_ROOMS_READS_ROOM,
    NGX_ROOMS_READS_IDS,
    NGX_ROOMS_READS_ROWS,
    NGX_ROOMS_READS_MAX                    /* first round of the endpoint
                                              itself */
} ngx_rooms_peer_room_round_e;


#define NGX_ROOMS_PEER_MEMBERS       100
#define NGX_ROOMS_PEER_MEMBERS_MAX   500
#define NGX_ROOMS_PEER_MEMBERS_SIZE (1000 * 1024)   /* of rows, estimated */
#define NGX_ROOMS_PEER_MEMBERS_LOOK 4096   /* ids in one request */

typedef struct {
    ngx_rooms_peer_room_t  pr;
    int64_t                limit;
    rooms_str_t            after;

    ngx_rooms_roster_t     roster;
    rooms_member_t        *members;
    ngx_rooms_profile_t   *profiles;
    ngx_uint_t             n;
    size_t                 size;
    unsigned               more:1;
} ngx_rooms_peer_page_t;

typedef enum {
    NGX_ROOMS_READS_MEMBER_IDS = NGX_ROOMS_READS_MAX,
    NGX_ROOMS_READS_MEMBER_ROWS
} ngx_rooms_peer_members_round_e;

#define NGX_ROOMS_HISTORY         50
#define NGX_ROOMS_HISTORY_MAX    100
#define NGX_ROOMS_HISTORY_SIZE   (512 * 1024)
#define NGX_ROOMS_HISTORY_CHUNK  16        /* stored events per round */
#define NGX_ROOMS_HISTORY_LOOK   (4 * 1024 * 1024)

typedef struct {
    ngx_rooms_peer_room_t  pr;
    int64_t                limit;
    rooms_str_t            before;         /* a position; NULL: newest */
    rooms_str_t            event;          /* "before", if it is an event's
                                              name */

    ngx_rooms_pdu_t       *pdu;
    ngx_rooms_pager_t      pager;
    size_t                 looked;         /* bytes of stored events */

    rooms_str_t            texts[NGX_ROOMS_HISTORY_MAX];
    size_t                 size;
    int64_t                n;
    unsigned               more:1;
} ngx_rooms_history_out_t;

typedef enum {
    NGX_ROOMS_READS_NAMED = NGX_ROOMS_READS_MAX,
    NGX_ROOMS_READS_STORED,
    NGX_ROOMS_READS_NAMES
} ngx_rooms_history_round_e;

static ngx_int_t ngx_rooms_peer_room_take(ngx_rooms_req_t *rq,
    ngx_rooms_peer_room_t *pr);
static ngx_int_t ngx_rooms_peer_room_ids(ngx_rooms_req_t *rq,
    ngx_rooms_peer_room_t *pr, ngx_uint_t first);
static ngx_int_t ngx_rooms_peer_room_rows(ngx_rooms_req_t *rq,
    ngx_rooms_peer_room_t *pr, redisReply *ids);
static ngx_int_t ngx_rooms_peer_room_judge(ngx_rooms_req_t *rq,
    ngx_rooms_peer_room_t *pr);
static ngx_int_t ngx_rooms_peer_members_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_peer_members_ids(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_peer_members_rows(ngx_rooms_req_t *rq,
    redisReply *ids);
static ngx_int_t ngx_rooms_peer_members_take(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_history_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_history_name(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_history_named(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_history_ask(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_history_ask_stored(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_history_stored(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_history_take(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_peer_room(ngx_rooms_req_t *rq,
    ngx_rooms_peer_room_t *pr);


/*
 * The first rounds of these rows: the room, and whether a participant of the
 * signer has joined it.  Other servers get 404.
 */
static ngx_int_t
ngx_rooms_peer_room(ngx_rooms_req_t *rq, ngx_rooms_peer_room_t *pr)
{
    switch (rq->round) {

    case NGX_ROOMS_READS_BEGIN:

        if (!rooms_id_valid(rq->param[NGX_ROOMS_P_ROOM], "room-")) {
            return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
        }

        ngx_rooms_roster_init(&pr->roster, rq->pool, rq->r->connection->log,
                              &rq->keys, rq->param[NGX_ROOMS_P_ROOM]);

        pr->server = rq->signer->signature.server;
        pr->roster.server = pr->server;
        pr->roster.own = rooms_from_ngx(rq->conf->server_name);

        return ngx_rooms_peer_room_ids(rq, pr, 1);

    case NGX_ROOMS_READS_ROOM:

        if (ngx_rooms_peer_room_take(rq, pr) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_rooms_peer_room_rows(rq, pr, ngx_rooms_reply(rq, 1));

    case NGX_ROOMS_READS_IDS:
        return ngx_rooms_peer_room_rows(rq, pr, ngx_rooms_reply(rq, 0));

    default:
        return ngx_rooms_peer_room_judge(rq, pr);
    }
}


static ngx_int_t
ngx_rooms_peer_room_take(ngx_rooms_req_t *rq, ngx_rooms_peer_room_t *pr)
{
    uint32_t       n;
    ngx_int_t      rc;
    rooms_str_t    peers, server;
    rooms_room_t  *room;

    room = &pr->room;

    rc = ngx_rooms_parse_room(ngx_rooms_reply(rq, 0),
                              rq->param[NGX_ROOMS_P_ROOM], room);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK || room->origin.data || !room->federated
        || room->incognito || room->type == ROOMS_INCOGNITO)
    {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    peers = room->peers;

    while (rooms_peers_next(&peers, &server, &n)) {

        if (rooms_str_eq(server, pr->server)) {
            pr->left = n;
            return NGX_OK;
        }
    }

    return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
}


static ngx_int_t
ngx_rooms_peer_room_ids(ngx_rooms_req_t *rq, ngx_rooms_peer_room_t *pr,
    ngx_uint_t first)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (first) {
        (void) ngx_rooms_load_room(b, &rq->keys, pr->roster.room);
    }

    (void) ngx_rooms_roster_ask(&pr->roster, b, NGX_ROOMS_PEER_ROOM_IDS);

    if (first) {
        ngx_rooms_peer_note(rq);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, first ? NGX_ROOMS_READS_ROOM
                                          : NGX_ROOMS_READS_IDS);
}


static ngx_int_t
ngx_rooms_peer_room_rows(ngx_rooms_req_t *rq, ngx_rooms_peer_room_t *pr,
    redisReply *ids)
{
    ngx_rooms_batch_t  *b;

    if (ngx_rooms_roster_take(&pr->roster, ids, ids->elements) != NGX_OK) {
        return NGX_ERROR;
    }

    if (pr->roster.n == 0) {
        return pr->roster.last ? NGX_OK : ngx_rooms_peer_room_ids(rq, pr, 0);
    }

    b = ngx_rooms_batch(rq);

    if (b == NULL || ngx_rooms_roster_rows(&pr->roster, b, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_READS_ROWS);
}


static ngx_int_t
ngx_rooms_peer_room_judge(ngx_rooms_req_t *rq, ngx_rooms_peer_room_t *pr)
{
    ngx_uint_t      i;
    rooms_member_t  m;

    for (i = 0; i < pr->roster.n; i++) {

        if (ngx_rooms_roster_member(&pr->roster, ngx_rooms_reply(rq, 0), i,
                                    &m) == NGX_OK
            && m.membership == ROOMS_JOIN)
        {
            pr->joined = 1;
            return NGX_OK;
        }
    }

    if (pr->roster.last || pr->left <= pr->roster.n) {
        return NGX_OK;
    }

    pr->left -= pr->roster.n;

    return ngx_rooms_peer_room_ids(rq, pr, 0);
}


/* GET .../profile/{local_id} */


void
ngx_rooms_peer_note(ngx_rooms_req_t *rq)
{
    ngx_rooms_peer_t  *peer;

    /* don't let unknown servers fill the store with names */

    if (!rq->signer->familiar) {
        return;
    }

    peer = ngx_rooms_peer_get(rq, rq->signer->signature.server, 1);

    if (peer == NULL || ngx_time() - peer->seen < NGX_ROOMS_PEER_SEEN) {
        return;
    }

    peer->seen = ngx_time();

    (void) ngx_rooms_ask(rq->batch, &rq->keys, "HSET %k %s %d",
                         NGX_ROOMS_KEY_PEERS, ROOMS_NULL,
                         rq->signer->signature.server, (int64_t) rq->now);
    (void) ngx_rooms_ask(rq->batch, &rq->keys, "ZADD %k 0 %s",
                         NGX_ROOMS_KEY_PEER_NAMES, ROOMS_NULL,
                         rq->signer->signature.server);

    /* an active peer can be sent its items now */

    (void) ngx_rooms_ask(rq->batch, &rq->keys, "ZADD %k XX 0 %s",
                         NGX_ROOMS_KEY_OUTBOXES, ROOMS_NULL,
                         rq->signer->signature.server);
}


/*
 * Looks up a participant's id by its local id, then its profile.  Only for
 * servers with a participant in a common room; others get 404.
 */
ngx_int_t
ngx_rooms_foreign_profile_load(ngx_rooms_req_t *rq)
{
    ngx_int_t    rc;
    rooms_str_t  id;

    switch (rq->round) {

    case 0:
        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_LOCALS, ROOMS_NULL,
                             rq->param[NGX_ROOMS_P_LOCAL]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_rooms_peer_note(rq);
        break;

    case 1:
        id = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));

        if (id.data == NULL) {
            return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL);
        }

        rq->profile.id = id;

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL, id)
               != NGX_OK
            || ngx_rooms_ask(rq->batch, &rq->keys, "ZINTER 2 %k %k",
                             NGX_ROOMS_KEY_PEER_ROOMS,
                             rq->signer->signature.server,
                             NGX_ROOMS_KEY_USER_ROOMS, id) != NGX_OK)
        {
            return NGX_ERROR;
        }

        break;

    default:
        rc = ngx_rooms_parse_profile(rq->pool,
                            ngx_rooms_reply_str(ngx_rooms_reply(rq, 0)),
                            rq->profile.id, &rq->profile);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        /* only their own servers may give profiles of others */

        return rc == NGX_OK && rq->profile.server.data == NULL
               && ngx_rooms_reply(rq, 1)->elements > 0
               ? NGX_OK : ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL);
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, rq->round + 1);
}


ngx_int_t
ngx_rooms_foreign_profile_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t          *b;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"local_id\":%s,\"server_name\":%s,"
                   "\"fqid\":", p->local,
                   rooms_from_ngx(rq->conf->server_name));
    ngx_rooms_fqid_json(b, p, &rq->conf->server_name);
    rooms_json_put(b, ",\"display_name\":%s,\"participant_type\":%s,"
                   "\"avatar_url\":%s}}\n", p->name, p->type, p->avatar);

    return NGX_OK;
}


/*
 * GET /_scaiwave/federation/v1/rooms/{room_id}/members: the members of a room
 * at home here, for a server with a participant in it.  If its participants
 * are only invited, it gets just their rows.
 */


ngx_int_t
ngx_rooms_peer_members_load(ngx_rooms_req_t *rq)
{
    ngx_int_t               rc;
    ngx_rooms_peer_page_t  *page;

    if (rq->round == NGX_ROOMS_READS_BEGIN
        && ngx_rooms_peer_members_begin(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    page = rq->data;

    switch (rq->round) {

    case NGX_ROOMS_READS_MEMBER_IDS:
        return ngx_rooms_peer_members_rows(rq, ngx_rooms_reply(rq, 0));

    case NGX_ROOMS_READS_MEMBER_ROWS:
        return ngx_rooms_peer_members_take(rq);

    default:
        rc = ngx_rooms_peer_room(rq, &page->pr);

        if (rc != NGX_OK) {
            return rc;
        }

        ngx_rooms_roster_init(&page->roster, rq->pool,
                              rq->r->connection->log, &rq->keys,
                              page->pr.room.id);

        page->roster.after = page->after;

        if (!page->pr.joined) {
            page->roster.server = page->pr.server;
            page->roster.own = rooms_from_ngx(rq->conf->server_name);
        }

        return ngx_rooms_peer_members_ids(rq);
    }
}


static ngx_int_t
ngx_rooms_peer_members_begin(ngx_rooms_req_t *rq)
{
    ngx_int_t               rc;
    ngx_rooms_peer_page_t  *page;

    page = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_peer_page_t));
    if (page == NULL) {
        return NGX_ERROR;
    }

    rq->data = page;

    if (ngx_rooms_arg_int(rq, "limit", 1, NGX_ROOMS_PEER_MEMBERS_MAX,
                          NGX_ROOMS_PEER_MEMBERS, &page->limit) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_rooms_arg_cursor(rq, "cursor", 'p', &page->after);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK && !rooms_participant_valid(page->after)) {
        return ngx_rooms_invalid(rq, "cursor", "is not a cursor of this list");
    }

    page->members = ngx_palloc(rq->pool,
                               page->limit * sizeof(rooms_member_t));
    page->profiles = ngx_palloc(rq->pool,
                                page->limit * sizeof(ngx_rooms_profile_t));

    return page->members && page->profiles ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_peer_members_ids(ngx_rooms_req_t *rq)
{
    ngx_rooms_peer_page_t  *page;

    page = rq->data;

    /* one id more than the page holds tells whether there is another page */

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_roster_ask(&page->roster, rq->batch, page->pr.joined
                                ? (ngx_uint_t) page->limit + 1
                                : NGX_ROOMS_PEER_ROOM_IDS) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_READS_MEMBER_IDS);
}


static ngx_int_t
ngx_rooms_peer_members_rows(ngx_rooms_req_t *rq, redisReply *ids)
{
    ngx_rooms_batch_t      *b;
    ngx_rooms_peer_page_t  *page;

    page = rq->data;

    if (ngx_rooms_roster_take(&page->roster, ids, ids->elements) != NGX_OK) {
        return NGX_ERROR;
    }

    if (page->roster.n == 0) {
        return ngx_rooms_peer_members_take(rq);
    }

    b = ngx_rooms_batch(rq);

    if (b == NULL || ngx_rooms_roster_rows(&page->roster, b, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_READS_MEMBER_ROWS);
}


static ngx_int_t
ngx_rooms_peer_members_take(ngx_rooms_req_t *rq)
{
    ngx_uint_t              i;
    rooms_member_t          m;
    ngx_rooms_profile_t    *p;
    ngx_rooms_peer_page_t  *page;

    page = rq->data;

    for (i = 0; i < page->roster.n; i++) {

        if (ngx_rooms_roster_member(&page->roster, ngx_rooms_reply(rq, 0), i,
                                    &m) != NGX_OK)
        {
            continue;
        }

        /* the row may have changed since the index was read */

        if (m.membership != ROOMS_JOIN && m.membership != ROOMS_INVITE) {
            continue;
        }

        if ((int64_t) page->n == page->limit
            || page->size >= NGX_ROOMS_PEER_MEMBERS_SIZE)
        {
            page->more = 1;
            return NGX_OK;
        }

        (void) ngx_rooms_show_profile(rq->pool, rq->r->connection->log,
                  ngx_rooms_reply_str_at(ngx_rooms_reply(rq, 1), i),
                  page->roster.ids[i], &page->profiles[page->n]);

        p = &page->profiles[page->n];
        /* an escape at most doubles a name: it has no control characters */

        page->size += 160 + p->id.len + 2 * p->name.len + 2 * p->avatar.len;
        page->members[page->n++] = m;
        page->after = page->roster.ids[i];
    }

    /* a cursor can't name what isn't a participant */

    if (rooms_participant_valid(page->roster.after)) {
        page->after = page->roster.after;
    }

    if (page->roster.last) {
        return NGX_OK;
    }

    if (page->roster.looked >= NGX_ROOMS_PEER_MEMBERS_LOOK) {
        page->more = 1;
        return NGX_OK;
    }

    return ngx_rooms_peer_members_ids(rq);
}


static void
ngx_rooms_peer_members_row(rooms_buf_t *b, ngx_rooms_req_t *rq,
    const rooms_member_t *m, const ngx_rooms_profile_t *p)
{
    rooms_str_t  server;

    rooms_json_lit(b, "{\"fqid\":");

    if (rooms_foreign(p->id, rooms_from_ngx(rq->conf->server_name), &server)) {
        rooms_json_str(b, p->id);

    } else {
        ngx_rooms_fqid_json(b, p, &rq->conf->server_name);
    }

    ngx_rooms_standing_json(b, m);
    rooms_json_put(b, ",\"display_name\":%s,\"avatar_url\":%s}", p->name,
                   p->avatar);
}


ngx_int_t
ngx_rooms_peer_members_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t              i;
    rooms_buf_t            *b;
    ngx_rooms_profile_t    *p;
    ngx_rooms_peer_page_t  *page;

    page = rq->data;

    ngx_rooms_list_open(rq);

    b = ngx_rooms_out(&rq->out);

    for (i = 0; i < page->n; i++) {
        p = &page->profiles[i];

        rooms_json_raw(b, ",", i > 0);

        ngx_rooms_peer_members_row(b, rq, &page->members[i], p);
    }

    ngx_rooms_list_close(rq, page->more, page->more
                         ? ngx_rooms_cursor(rq->pool, 'p', page->after)
                         : ROOMS_NULL);

    return NGX_OK;
}


/*
 * GET /_scaiwave/federation/v1/rooms/{room_id}/backfill: the history of a
 * room
 * at home here, newest first, for a server whose participant has joined it.
 *
 *   room -> (position of "before") -> stored events -> their names -> ...
 *                                            ^                           |
 *                                            +----- until it is full ----+
 */


ngx_int_t
ngx_rooms_history_load(ngx_rooms_req_t *rq)
{
    ngx_int_t                 rc;
    ngx_rooms_history_out_t  *h;

    if (rq->round == NGX_ROOMS_READS_BEGIN
        && ngx_rooms_history_begin(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    h = rq->data;

    switch (rq->round) {

    case NGX_ROOMS_READS_NAMED:
        return ngx_rooms_history_named(rq);

    case NGX_ROOMS_READS_STORED:
        return ngx_rooms_history_stored(rq);

    case NGX_ROOMS_READS_NAMES:
        return ngx_rooms_history_take(rq);

    default:
        rc = ngx_rooms_peer_room(rq, &h->pr);

        if (rc != NGX_OK) {
            return rc;
        }

        /* invited participants can't read the history */

        if (!h->pr.joined) {
            return NGX_OK;
        }

        return h->event.data ? ngx_rooms_history_name(rq)
                             : ngx_rooms_history_ask(rq);
    }
}


/* An event's name has a colon; our cursors have none. */
static ngx_int_t
ngx_rooms_history_begin(ngx_rooms_req_t *rq)
{
    size_t                    i;
    ngx_int_t                 rc;
    rooms_str_t               s;
    ngx_rooms_history_out_t  *h;

    h = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_history_out_t));
    if (h == NULL) {
        return NGX_ERROR;
    }

    rq->data = h;

    if (ngx_rooms_arg_int(rq, "limit", 1, NGX_ROOMS_HISTORY_MAX,
                          NGX_ROOMS_HISTORY, &h->limit) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_rooms_arg(rq, "before", &s);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
    }

    if (ngx_strlchr((u_char *) s.data, (u_char *) s.data + s.len, ':')) {
        h->event = s;
        return NGX_OK;
    }

    if (ngx_rooms_arg_cursor(rq, "before", 'h', &h->before) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < h->before.len; i++) {

        if (h->before.data[i] < '0' || h->before.data[i] > '9'
            || h->before.len > 16)
        {
            return ngx_rooms_invalid(rq, "before",
                                     "is not a cursor of this list");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_history_name(ngx_rooms_req_t *rq)
{
    u_char                   *colon;
    int64_t                   position;
    rooms_str_t               id, server;
    ngx_rooms_history_out_t  *h;

    h = rq->data;
    id = h->event;

    colon = ngx_strlchr((u_char *) id.data, (u_char *) id.data + id.len, ':');

    id.len = colon - id.data;
    server.data = colon + 1;
    server.len = h->event.len - id.len - 1;

    if (!rooms_peer_valid(server)) {
        return ngx_rooms_invalid(rq, "before", "is not an event's name");
    }

    if (rooms_str_eq(server, rooms_from_ngx(rq->conf->server_name))) {

        position = rooms_event_position(id);

        if (position <= 0) {
            return ngx_rooms_fail(rq, ROOMS_E_EVENT, NULL);
        }

        h->before = ngx_rooms_number(rq->pool, position);

        return ngx_rooms_history_ask(rq);
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %_%s%_%s",
                         NGX_ROOMS_KEY_UUIDS, h->pr.room.id, server, id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_READS_NAMED);
}


static ngx_int_t
ngx_rooms_history_named(ngx_rooms_req_t *rq)
{
    rooms_str_t               id;
    ngx_rooms_history_out_t  *h;

    h = rq->data;
    id = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));

    if (id.data == NULL || !rooms_id_valid(id, "evt-")) {
        return ngx_rooms_fail(rq, ROOMS_E_EVENT, NULL);
    }

    h->before = ngx_rooms_number(rq->pool, rooms_event_position(id));

    return ngx_rooms_history_ask(rq);
}


/* Reads the next chunk of events. */
static ngx_int_t
ngx_rooms_history_ask(ngx_rooms_req_t *rq)
{
    ngx_rooms_history_out_t  *h;

    h = rq->data;

    if (h->pager.page.elts == NULL) {

        if (ngx_rooms_pager_init(&h->pager, rq->pool,
                                 rq->r->connection->log, &rq->keys,
                                 &h->pr.room, NGX_ROOMS_HISTORY_CHUNK)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        h->pager.back = 1;
        h->pager.from = h->before.data
                        ? ngx_atoof((u_char *) h->before.data, h->before.len)
                        : INT64_MAX;

    } else if (ngx_rooms_pager_next(&h->pager, rq->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_history_ask_stored(rq);
}


static ngx_int_t
ngx_rooms_history_ask_stored(ngx_rooms_req_t *rq)
{
    ngx_rooms_history_out_t  *h;

    h = rq->data;

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_pager_ask(&h->pager, rq->batch) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_READS_STORED);
}


static ngx_int_t
ngx_rooms_history_stored(ngx_rooms_req_t *rq)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, n;
    rooms_str_t               stored[NGX_ROOMS_HISTORY_CHUNK];
    ngx_rooms_paged_t        *e;
    ngx_rooms_history_out_t  *h;

    h = rq->data;
    rc = ngx_rooms_pager_take(&h->pager, ngx_rooms_reply(rq, 0));

    if (rc != NGX_OK) {
        return rc == NGX_AGAIN ? ngx_rooms_history_ask_stored(rq) : rc;
    }

    n = h->pager.page.nelts;
    e = h->pager.page.elts;

    if (n == 0) {
        return NGX_OK;
    }

    if (h->n == h->limit || h->looked >= NGX_ROOMS_HISTORY_LOOK) {
        h->more = 1;
        return NGX_OK;
    }

    for (i = 0; i < n; i++) {
        stored[i] = e[i].stored.readable ? e[i].stored.json : ROOMS_NULL;
        h->looked += e[i].stored.json.len;
    }

    h->pdu = ngx_rooms_pdu_create(rq->pool, rq->r->connection->log, rq->conf,
                                  &rq->keys, &h->pr.room, 0);

    if (h->pdu == NULL || ngx_rooms_batch(rq) == NULL
        || ngx_rooms_pdu_ask(h->pdu, rq->batch, stored, n) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_READS_NAMES);
}


/* Events that can't be sent are skipped; the cursor moves past them. */
static ngx_int_t
ngx_rooms_history_take(ngx_rooms_req_t *rq)
{
    ngx_uint_t                i;
    rooms_str_t               text;
    ngx_rooms_paged_t        *e;
    ngx_rooms_history_out_t  *h;

    h = rq->data;

    if (ngx_rooms_pdu_take(h->pdu, rq->batch) != NGX_OK) {
        return NGX_ERROR;
    }

    e = h->pager.page.elts;

    for (i = 0; i < h->pdu->n; i++) {
        text = h->pdu->texts[i];

        if (text.data && (h->n == h->limit
                          || h->size + text.len > NGX_ROOMS_HISTORY_SIZE))
        {
            h->more = 1;
            return NGX_OK;
        }

        h->before = ngx_rooms_number(rq->pool, e[i].stored.position);

        if (text.data) {
            h->texts[h->n++] = text;
            h->size += text.len + 1;
        }
    }

    return h->pager.more ? ngx_rooms_history_ask(rq) : NGX_OK;
}


ngx_int_t
ngx_rooms_history_show(ngx_rooms_req_t *rq)
{
    int64_t                   i;
    ngx_rooms_history_out_t  *h;

    h = rq->data;

    ngx_rooms_list_open(rq);

    for (i = 0; i < h->n; i++) {

        rooms_json_raw(ngx_rooms_out(&rq->out), ",", i > 0);

        ngx_rooms_out_ref(&rq->out, h->texts[i]);
    }

    ngx_rooms_list_close(rq, h->more, h->more
                         ? ngx_rooms_cursor(rq->pool, 'h', h->before)
                         : ROOMS_NULL);

    return NGX_OK;
}
