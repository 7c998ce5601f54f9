/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* POST /v1/rooms/{room}/send */

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_recent.h"
#include "rooms_canonical.h"


#define NGX_ROOMS_UUID_MAX  128

typedef struct {
    rooms_str_t    content;               /* JSON, without white space */
    rooms_str_t    uuid;                  /* "SENDER UUID", or NULL */
    rooms_str_t    first;                 /* id of the event that already has
                                             the uuid */
    rooms_str_t    event;                 /* its JSON */
} ngx_rooms_message_t;


static ngx_uint_t
ngx_rooms_message_has(ngx_rooms_req_t *rq, const char *name)
{
    if (rq->plain) {
        return rooms_json_member(rooms_json_member(rooms_from_ngx(rq->text),
                                                   "content"), name).data
               != NULL;
    }

    return json_object_get(ngx_rooms_body_get(rq, "content"), name) != NULL;
}


/*
 * The content is stored as its author wrote it: numbers keep their digits,
 * and members their order.  Only white space between tokens is removed.
 */
ngx_int_t
ngx_rooms_message_content(ngx_rooms_req_t *rq, rooms_str_t *content)
{
    char         *dump;
    u_char       *p;
    rooms_str_t   raw;

    /*
     * clients can't forge the members that mark an edit or an imported
     * message
     */

    if (ngx_rooms_message_has(rq, "replaces")) {
        return ngx_rooms_invalid(rq, "content.replaces",
                                 "is reserved for edits");
    }

    if (ngx_rooms_message_has(rq, "_imported_sender")) {
        return ngx_rooms_invalid(rq, "content._imported_sender",
                                 "is reserved for imported events");
    }

    raw = rooms_json_member(rooms_from_ngx(rq->text), "content");

    if (raw.data == NULL) {
        /* the raw text has the key with escapes; use the parsed value */
        dump = json_dumps(ngx_rooms_body_get(rq, "content"), JSON_COMPACT);

        if (dump == NULL) {
            return NGX_ERROR;
        }

        raw = ngx_rooms_dup(rq->pool, rooms_cstr(dump));
        free(dump);

        if (raw.data == NULL) {
            return NGX_ERROR;
        }
    }

    if (rooms_content_deep(raw)) {
        return ngx_rooms_invalid(rq, "content", ROOMS_CONTENT_DEEP);
    }

    p = ngx_pnalloc(rq->pool, raw.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    content->len = rooms_json_minify(raw, p);
    content->data = p;

    if (content->len > NGX_ROOMS_CONTENT_MAX) {
        rq->error_field = ngx_rooms_s("content");
        rq->error_problem = ngx_rooms_s("must be at most 65536 bytes");
        return ngx_rooms_fail(rq, NGX_ROOMS_E_CONTENT_TOO_LARGE, NULL);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_send_uuid(ngx_rooms_req_t *rq, ngx_rooms_message_t *m)
{
    size_t       i;
    rooms_str_t  uuid;

    uuid = ngx_rooms_body_str(rq, "event_uuid");

    if (uuid.data == NULL) {
        return NGX_OK;
    }

    for (i = 0; i < uuid.len && uuid.data[i] > 0x20 && uuid.data[i] < 0x7f;
         i++)
    {
        /* void */
    }

    if (i == 0 || i != uuid.len || i > NGX_ROOMS_UUID_MAX) {
        return ngx_rooms_invalid(rq, "event_uuid",
                                 "must be 1 to 128 visible characters");
    }

    m->uuid = ngx_rooms_join(rq->pool, rq->principal.sub, ngx_rooms_s(" "),
                             uuid);

    return m->uuid.data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_send_ask(ngx_rooms_req_t *rq)
{
    ngx_rooms_message_t  *m;

    m = rq->data;

    if (m->uuid.data == NULL) {
        return NGX_OK;
    }

    return ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_UUIDS, rq->param[NGX_ROOMS_P_ROOM],
                         m->uuid);
}


/* Rounds of its own, after those of the room. */
#define NGX_ROOMS_SEND_FIRST   100
#define NGX_ROOMS_SEND_TENANT  101


/*
 * Takes the room and the sender's row from what was read lately.  Not a second
 * time: then a guard didn't hold.  A repeated event_uuid has to be read.
 */
ngx_uint_t
ngx_rooms_send_proposes(ngx_rooms_req_t *rq)
{
    rooms_str_t  room;

    room = rq->param[NGX_ROOMS_P_ROOM];

    rq->view.exists = rq->races == 0 && !rq->trusted && rq->enclosing == NULL
                      && rooms_id_valid(room, "room-")
                      && ngx_rooms_body_str(rq, "event_uuid").data == NULL
                      && ngx_rooms_recent_get(rq->conf->store, &rq->keys, room,
                                              rq->principal.sub,
                                              &rq->view.room, &rq->view.me)
                         == NGX_OK;

    return rq->view.exists;
}


/*
 * Sending needs neither the unread count nor the room's name, so it reads
 * less than a view.
 */
static ngx_int_t
ngx_rooms_send_begin(ngx_rooms_req_t *rq)
{
    rooms_str_t           room;
    ngx_rooms_message_t  *m;

    room = rq->param[NGX_ROOMS_P_ROOM];

    m = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_message_t));
    if (m == NULL) {
        return NGX_ERROR;
    }

    rq->data = m;

    if (ngx_rooms_message_content(rq, &m->content) != NGX_OK
        || ngx_rooms_send_uuid(rq, m) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!rooms_id_valid(room, "room-")) {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    if (ngx_rooms_send_proposes(rq)) {
        return NGX_OK;
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_load_room(rq->batch, &rq->keys, room) != NGX_OK
        || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_MEMBERS, room, rq->principal.sub)
           != NGX_OK
        || ngx_rooms_send_ask(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, 1);
}


/* A repeated event_uuid is answered with the event of the first request. */
static ngx_int_t
ngx_rooms_send_first(ngx_rooms_req_t *rq, rooms_str_t id)
{
    rooms_str_t           at;
    ngx_rooms_message_t  *m;

    if (rooms_event_position(id) < 0) {
        ngx_rooms_unreadable(rq->r->connection->log, "event_uuid in",
                             rq->view.room.id);
        return NGX_ERROR;
    }

    m = rq->data;
    m->first = id;
    at = ngx_rooms_number(rq->pool, rooms_event_position(id));

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_ask(rq->batch, &rq->keys, "ZRANGEBYSCORE %k %s %s",
                         NGX_ROOMS_KEY_EVENTS, rq->view.room.id, at, at)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_SEND_FIRST);
}


static ngx_int_t
ngx_rooms_send_replay(ngx_rooms_req_t *rq)
{
    rooms_str_t           row;
    rooms_stored_t        e;
    ngx_rooms_message_t  *m;

    m = rq->data;

    row = ngx_rooms_reply_str_at(ngx_rooms_reply(rq, 0), 0);
    if (row.data == NULL) {
        return NGX_OK;
    }

    if (ngx_rooms_parse_event(rq->pool, rq->r->connection->log, row,
                              rq->view.room.id,
                              rooms_event_position(m->first), &e) != NGX_OK)
    {
        return NGX_ERROR;
    }

    m->event = e.json;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_message_room(ngx_rooms_req_t *rq)
{
    ngx_int_t  rc;

    ngx_memzero(&rq->view, sizeof(ngx_rooms_view_t));

    rc = ngx_rooms_parse_room(ngx_rooms_reply(rq, 0),
                              rq->param[NGX_ROOMS_P_ROOM], &rq->view.room);

    if (rc == NGX_ERROR
        || ngx_rooms_parse_member(
                              ngx_rooms_reply_str(ngx_rooms_reply(rq, 1)),
                              rq->principal.sub, &rq->view.me) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->view.exists = rc == NGX_OK;

    if (rq->trusted) {
        /* the room's home server has already allowed the message */
        rq->view.me.membership = ROOMS_JOIN;
        rq->view.me.power = ROOMS_POWER_MAX;
        rq->view.room.state = ROOMS_OPEN;
    }

    return NGX_OK;
}


/*
 * Content that can't be signed could be read here but not on the other
 * servers.  The canonical form is never longer than the text that was parsed.
 */
ngx_int_t
ngx_rooms_message_tellable(ngx_rooms_req_t *rq)
{
    u_char       *p;
    const char   *problem;
    rooms_buf_t   b;

    if (!rq->view.room.federated) {
        return NGX_OK;
    }

    p = ngx_pnalloc(rq->pool, rq->text.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rooms_buf_init(&b, p, rq->text.len);

    problem = rooms_canonical(&b, ngx_rooms_body_get(rq, "content"), NULL);

    return problem ? ngx_rooms_invalid(rq, "content", problem) : NGX_OK;
}


void
ngx_rooms_message_guards(ngx_rooms_req_t *rq)
{
    rooms_str_t  room;

    if (rq->trusted || rq->op == ROOMS_OP_ERASE) {
        return;
    }

    ngx_rooms_commit_guard_field(&rq->commit,
                       ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_MEMBERS,
                                     rq->view.room.id),
                       rq->principal.sub,
                       ngx_rooms_format_member(rq->pool, &rq->view.me));

    room = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_ROOM, rq->view.room.id);

    ngx_rooms_commit_guard_field(&rq->commit, room, ngx_rooms_field_state,
                                 ngx_rooms_s("open"));

    if (rq->conf->federation) {
        /* the content was checked for it, or not */
        ngx_rooms_commit_guard_field(&rq->commit, room,
                                     ngx_rooms_s("federated"),
                                     rq->view.room.federated
                                     ? ngx_rooms_s("1") : ROOMS_NULL);
    }
}


static ngx_uint_t ngx_rooms_send_accepts(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_send_tenant(ngx_rooms_req_t *rq);


ngx_int_t
ngx_rooms_send_load(ngx_rooms_req_t *rq)
{
    rooms_str_t           first;
    ngx_rooms_message_t  *m;

    m = rq->data;

    if (rq->round == 0) {
        return ngx_rooms_send_begin(rq);
    }

    if (rq->round == NGX_ROOMS_SEND_FIRST) {
        return ngx_rooms_send_replay(rq);
    }

    if (rq->round == NGX_ROOMS_SEND_TENANT) {
        ngx_rooms_tenant_take(rq, ngx_rooms_reply(rq, 0));
        return NGX_OK;
    }

    if (ngx_rooms_message_room(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rq->view.exists && !rq->trusted) {
        ngx_rooms_recent_put(rq->conf->store, &rq->keys, &rq->view.room,
                             &rq->view.me);
    }

    if (m->uuid.data) {
        first = ngx_rooms_reply_str(ngx_rooms_reply(rq, 2));

        if (first.data && rq->view.me.membership == ROOMS_JOIN) {
            return ngx_rooms_send_first(rq, first);
        }
    }

    return ngx_rooms_send_accepts(rq) ? ngx_rooms_send_tenant(rq) : NGX_OK;
}


/* An answer accepts a DM that another server has created. */
static ngx_uint_t
ngx_rooms_send_accepts(ngx_rooms_req_t *rq)
{
    return rq->view.exists && rq->view.room.unaccepted && rq->enclosing == NULL;
}


static ngx_int_t
ngx_rooms_send_tenant(ngx_rooms_req_t *rq)
{
    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_tenant_load(rq->batch, &rq->keys) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_SEND_TENANT);
}


ngx_int_t
ngx_rooms_send_decide(ngx_rooms_req_t *rq)
{
    rooms_str_t           key, random;
    ngx_rooms_message_t  *m;

    m = rq->data;
    rq->status = NGX_HTTP_CREATED;

    if (m->event.data) {
        return NGX_OK;
    }

    if (ngx_rooms_room_permit(rq) != NGX_OK
        || ngx_rooms_message_tellable(rq) != NGX_OK
        || ngx_rooms_begin(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    random = (rooms_str_t) { sizeof(rq->random), rq->random };

    ngx_rooms_message_guards(rq);

    if (ngx_rooms_send_accepts(rq)) {

        if (rq->tenant_full) {
            return ngx_rooms_full(rq, NGX_ROOMS_QUOTA_ROOMS);
        }

        ngx_rooms_apply_accept(&rq->commit, &rq->keys, &rq->view.room,
                               rq->max_rooms);
    }

    ngx_rooms_apply_event(&rq->commit, &rq->keys, &rq->view.room,
                          ROOMS_EV_MESSAGE, rq->principal.sub, random,
                          m->content, rq->now);

    if (m->uuid.data) {
        key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_UUIDS, rq->view.room.id);
        ngx_rooms_commit_guard_field(&rq->commit, key, m->uuid, ROOMS_NULL);
        ngx_rooms_commit_write_at(&rq->commit, "HSET", key, m->uuid,
                          ngx_rooms_join(rq->pool,
                                         ngx_rooms_s("evt-" NGX_ROOMS_HEX),
                                         random));
    }

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_rooms_send_show(ngx_rooms_req_t *rq)
{
    rooms_str_t           event;
    ngx_rooms_message_t  *m;

    m = rq->data;

    event = m->event.data ? m->event
                          : ngx_rooms_event_json(&rq->commit, rq->position);

    if (event.data == NULL) {
        return NGX_ERROR;
    }

    rooms_json_lit(ngx_rooms_out(&rq->out), "{\"data\":");
    ngx_rooms_out_event(&rq->out, event);
    rooms_json_lit(ngx_rooms_out(&rq->out), "}\n");

    return NGX_OK;
}


/*
 * What is kept for a replay.  The answer follows from the request, except for
 * the event's id and time, so only these are kept: "DIGITS MS ROOM", and an
 * "x" if the room is incognito.  MS is 0 if the event was there before: then
 * the request needn't have its content.
 */
rooms_str_t
ngx_rooms_send_keep(ngx_rooms_req_t *rq)
{
    ngx_rooms_message_t  *m;

    m = rq->data;

    if (m->event.data) {
        return ngx_rooms_join(rq->pool,
                              { m->first.len - (sizeof("evt-") - 1),
                                m->first.data + sizeof("evt-") - 1 },
                              ngx_rooms_s(" 0 "), rq->view.room.id,
                              rq->view.room.incognito ? ngx_rooms_s(" x")
                                                      : ngx_rooms_s(""));
    }

    return ngx_rooms_join(rq->pool, ngx_rooms_s(NGX_ROOMS_HEX),
                          { sizeof(rq->random), rq->random },
                          ngx_rooms_s(" " NGX_ROOMS_MS " "), rq->view.room.id,
                          rq->view.room.incognito ? ngx_rooms_s(" x")
                                                  : ngx_rooms_s(""));
}


/*
 * Repeats the first answer.  If the message was redacted since, the answer
 * shows what is left of it.  If another request has sent it, the answer shows
 * the message as it is now.
 */
ngx_int_t
ngx_rooms_send_recall(ngx_rooms_req_t *rq)
{
    int64_t         now, position;
    rooms_str_t     kept, digits, id, at, event, content;
    rooms_room_t    room;
    rooms_stored_t  e;

    ngx_memzero(&room, sizeof(rooms_room_t));

    kept = rq->idem_kept;
    digits = ngx_rooms_word(&kept);

    if (ngx_rooms_word_int(&kept, INT64_MAX, &now) != NGX_OK
        || digits.len < sizeof(rq->random))
    {
        return NGX_ERROR;
    }

    room.id = ngx_rooms_word(&kept);
    room.incognito = kept.len != 0;

    id = ngx_rooms_join(rq->pool, ngx_rooms_s("evt-"), digits);
    position = rooms_event_position(id);

    if (rq->round != NGX_ROOMS_RECALL) {
        at = ngx_rooms_number(rq->pool, position);

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_ask(rq->batch, &rq->keys, "ZRANGEBYSCORE %k %s %s",
                             NGX_ROOMS_KEY_EVENTS, room.id, at, at) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_rooms_send_round(rq, NGX_ROOMS_RECALL);
    }

    event = ngx_rooms_reply_str_at(ngx_rooms_reply(rq, 0), 0);
    if (event.data == NULL) {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    if (ngx_rooms_parse_event(rq->pool, rq->r->connection->log, event, room.id,
                              position, &e) != NGX_OK
        || ngx_rooms_message_content(rq, &content) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (now == 0 || e.redacted_at != ROOMS_STORED_NEVER) {
        event = e.json;

    } else {
        event = ngx_rooms_event_again(rq->pool, &room, ROOMS_EV_MESSAGE,
                       rq->principal.sub,
                       (rooms_str_t) { sizeof(rq->random),
                                       digits.data + digits.len
                                       - sizeof(rq->random) },
                       content, now, position);
    }

    if (event.data == NULL) {
        return NGX_ERROR;
    }

    rq->status = NGX_HTTP_CREATED;

    return ngx_rooms_claim_again(rq, ngx_rooms_join(rq->pool,
                                                    ngx_rooms_s("{\"data\":"),
                                                    event,
                                                    ngx_rooms_s("}\n")));
}
