/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * POST /_scaiwave/federation/v1/send.
 *
 * Each event is judged by itself.  One of a room that is at home here becomes
 * a request of its sender, to the same row of the table that a participant of
 * ours would ask: so it passes the same invariants, in the same order.  One
 * of a replica is what its home has decided, and is written as it is told.
 */

#include "ngx_rooms_federation_send.h"
#include "ngx_rooms_federation_room.h"
#include "ngx_rooms_fedpolicy.h"
#include "ngx_rooms_profiles.h"


typedef enum {
    NGX_ROOMS_S_NEXT = 0,
    NGX_ROOMS_S_KNOWN                      /* what is known of the event */
} ngx_rooms_fedsend_round_e;

/* replies of the round above */
#define NGX_ROOMS_S_ROOM    0
#define NGX_ROOMS_S_TWICE   1
#define NGX_ROOMS_S_SENDER  2
#define NGX_ROOMS_S_POLICY  3
#define NGX_ROOMS_S_GUEST   4
#define NGX_ROOMS_S_ROOMS   5


static ngx_rooms_fedsend_t *ngx_rooms_fedsend_begin(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_fedsend_next(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_fedsend_judge(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_fedsend_allowed(ngx_rooms_req_t *rq,
    ngx_rooms_fedsend_t *s);


ngx_int_t
ngx_rooms_fedsend_load(ngx_rooms_req_t *rq)
{
    ngx_uint_t  races;

    if (rq->several == NULL && ngx_rooms_fedsend_begin(rq) == NULL) {
        return NGX_ERROR;
    }

    switch (rq->round) {

    case NGX_ROOMS_S_NEXT:

        if (rq->races) {
            /* a guard broke: whatever was known of this event is old */
            races = rq->races;
            ngx_rooms_fedsend_reset(rq);
            rq->races = races;
        }

        return ngx_rooms_fedsend_next(rq);

    default:
        return ngx_rooms_fedsend_judge(rq);
    }
}


static void
ngx_rooms_fedsend_free(void *data)
{
    ngx_rooms_fedsend_t *s = data;

    ngx_uint_t  i;

    for (i = 0; i < s->n; i++) {
        json_decref(s->events[i]);
    }
}


/* The events as texts: each is parsed alone, when it is its turn. */
static ngx_int_t
ngx_rooms_fedsend_split(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    int          rc;
    rooms_str_t  array, event, texts[ROOMS_TOLD_EVENTS];

    rc = rooms_told_find(rooms_from_ngx(rq->text), "events", &array);

    if (rc != 1) {
        return ngx_rooms_invalid(rq, rc == 0 ? "events" : "body",
                                 rc == 0 ? "is required"
                                         : "a JSON object is needed");
    }

    for ( ;; ) {
        rc = rooms_told_piece(&array, &event);

        if (rc == 0 && s->n) {
            break;
        }

        if (rc != 1 || s->n == ROOMS_TOLD_EVENTS) {
            return ngx_rooms_invalid(rq, "events", "must be 1 to 50");
        }

        texts[s->n++] = event;
    }

    s->texts = ngx_palloc(rq->pool, s->n * sizeof(rooms_str_t));
    s->events = ngx_pcalloc(rq->pool, s->n * sizeof(json_t *));

    if (s->texts == NULL || s->events == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(s->texts, texts, s->n * sizeof(rooms_str_t));

    return NGX_OK;
}


static ngx_rooms_fedsend_t *
ngx_rooms_fedsend_begin(ngx_rooms_req_t *rq)
{
    ngx_pool_cleanup_t   *cln;
    ngx_rooms_fedsend_t  *s;

    s = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_fedsend_t));
    cln = ngx_pool_cleanup_add(rq->pool, 0);

    if (s == NULL || cln == NULL) {
        return NULL;
    }

    if (ngx_rooms_fedsend_split(rq, s) != NGX_OK) {
        return NULL;
    }

    cln->handler = ngx_rooms_fedsend_free;
    cln->data = s;

    s->results = ngx_pcalloc(rq->pool, s->n * sizeof(ngx_rooms_fedresult_t));
    if (s->results == NULL) {
        return NULL;
    }

    s->peer = rq->signer->signature.server;
    s->self = rooms_from_ngx(rq->conf->server_name);
    s->key = rq->signer->key;
    s->size = rq->text.len;

    rq->several = s;
    rq->outer = rq->endpoint;
    rq->fails = ngx_rooms_fedsend_fails;
    rq->principal.tenant = rooms_from_ngx(rq->conf->tenant);

    return s;
}


static rooms_str_t
ngx_rooms_fedsend_name(ngx_rooms_req_t *rq, rooms_str_t server,
    rooms_str_t id)
{
    return ngx_rooms_join(rq->pool, ngx_rooms_s(" "), server,
                          ngx_rooms_s(" "), id);
}


/* The id that the room has here, as its own is another room's. */
static ngx_int_t
ngx_rooms_fedsend_other(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    u_char  *p;

    p = ngx_pnalloc(rq->pool, ROOMS_TOLD_ROOM);
    if (p == NULL) {
        return NGX_ERROR;
    }

    s->local.len = rooms_told_room_id(s->peer, s->room, p);
    s->local.data = p;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_fedsend_next(ngx_rooms_req_t *rq)
{
    rooms_str_t           room, uuids;
    ngx_rooms_batch_t    *b;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    if (ngx_rooms_fedsend_read(rq, s) != NGX_OK) {
        return NGX_ERROR;
    }

    s->room = s->told.room;

    if (rooms_told_room_made(s->room) && ngx_rooms_fedsend_other(rq, s)
                                         != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (s->local.data) {
        s->told.room = s->local;
    }

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    room = s->told.room;
    uuids = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_UUIDS, room);

    (void) ngx_rooms_load_room(b, &rq->keys, room);
    (void) ngx_rooms_command(b, ngx_rooms_s("HGET"), uuids,
                             ngx_rooms_fedsend_name(rq,
                                                    s->told.sender.server,
                                                    s->told.id));
    (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                             ngx_rooms_key(&rq->keys,
                                           NGX_ROOMS_KEY_PARTICIPANTS,
                                           ROOMS_NULL),
                             s->told.sender.fqid);
    (void) ngx_rooms_fedpolicy_ask(b, &rq->keys);
    (void) ngx_rooms_fedpolicy_ask_invited(b, &rq->keys, s->peer);
    (void) ngx_rooms_command(b, ngx_rooms_s("ZCARD"),
                             ngx_rooms_key(&rq->keys,
                                           NGX_ROOMS_KEY_PEER_ROOMS,
                                           s->peer));

    s->at_ref = b->commands.nelts;

    if (s->ref_id.data && s->ref.data == NULL) {
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"), uuids,
                                 ngx_rooms_fedsend_name(rq, s->ref_server,
                                                        s->ref_id));
    }

    s->at_subject = b->commands.nelts;

    if (s->subject.fqid.data && s->subject_id.data == NULL) {
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_LOCALS,
                                               ROOMS_NULL),
                                 s->subject.local);
    }

    ngx_rooms_peer_note(rq);

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_S_KNOWN;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_fedsend_sender(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    ngx_int_t             rc;
    ngx_rooms_profile_t  *p;

    p = &s->sender;

    s->sender_row = ngx_rooms_reply_str(ngx_rooms_reply(rq,
                                                        NGX_ROOMS_S_SENDER));
    rc = ngx_rooms_parse_profile(rq->pool, s->sender_row, s->told.sender.fqid,
                                 p);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK && p->server.data == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT,
                              "a participant of this server has that id");
    }

    if (rc == NGX_DECLINED) {
        ngx_memzero(p, sizeof(ngx_rooms_profile_t));
        p->id = s->told.sender.fqid;
        p->type = ngx_rooms_s("federated");
        p->local = s->told.sender.local;
        p->name = s->told.sender.local;
        p->server = s->told.sender.server;
    }

    return NGX_OK;
}


/*
 * The policy may have changed since the request was let in: its body can take
 * its time, and what was ended meanwhile must not begin again.
 */
static ngx_int_t
ngx_rooms_fedsend_allowed(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    redisReply   *reply;
    rooms_str_t   text;

    reply = ngx_rooms_reply(rq, NGX_ROOMS_S_POLICY);
    text = ngx_rooms_reply_str(reply);

    if (s->policy == NULL || !rooms_str_eq(s->policy_text, text)) {
        s->policy = ngx_rooms_fedpolicy_take(rq, reply);
        s->policy_text = ngx_rooms_dup(rq->pool, text);

        if (s->policy == NULL
            || (text.data && s->policy_text.data == NULL))
        {
            return NGX_ERROR;
        }
    }

    s->rooms = ngx_rooms_reply_int(ngx_rooms_reply(rq, NGX_ROOMS_S_ROOMS), 0);

    if (rooms_policy_allows(s->policy, s->peer,
                            ngx_rooms_reply_int(ngx_rooms_reply(rq,
                                                  NGX_ROOMS_S_GUEST), 0) > 0))
    {
        return NGX_OK;
    }

    s->ended = 1;

    return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY, NULL);
}


static ngx_int_t
ngx_rooms_fedsend_judge(ngx_rooms_req_t *rq)
{
    ngx_int_t             rc;
    rooms_room_t          room;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    rc = ngx_rooms_parse_room(ngx_rooms_reply(rq, NGX_ROOMS_S_ROOM),
                              s->told.room, &room);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (ngx_rooms_fedsend_allowed(rq, s) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_rooms_reply_str(ngx_rooms_reply(rq, NGX_ROOMS_S_TWICE)).data) {
        return ngx_rooms_fedsend_done(rq, "duplicate");
    }

    if (ngx_rooms_fedsend_sender(rq, s) != NGX_OK) {
        return NGX_ERROR;
    }

    if (s->at_ref < s->at_subject) {
        s->ref = ngx_rooms_reply_str(ngx_rooms_reply(rq, s->at_ref));
    }

    if (s->subject.fqid.data && s->subject_id.data == NULL) {
        s->subject_id = ngx_rooms_reply_str(ngx_rooms_reply(rq,
                                                            s->at_subject));
    }

    s->position = room.position;
    s->exists = rc == NGX_OK;
    s->federated = s->exists && room.federated;
    s->changes = 0;

    rq->param[NGX_ROOMS_P_ROOM] = s->told.room;
    rq->principal.sub = s->told.sender.fqid;
    rq->source_id = s->told.id;
    rq->source_server = s->told.sender.server;
    rq->source_at = s->told.created_at;
    rq->view.room = room;
    rq->view.exists = rc == NGX_OK;

    if (rc == NGX_OK && room.origin.data == NULL) {
        return ngx_rooms_fedsend_origin(rq);
    }

    if (rc == NGX_OK && !rooms_str_eq(room.origin, s->peer)) {

        /* another server's room of the same id */

        if (s->local.data == NULL) {
            return ngx_rooms_fedsend_other(rq, s) == NGX_OK
                   ? ngx_rooms_fedsend_next(rq) : NGX_ERROR;
        }

        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND,
                              "the room is at home elsewhere");
    }

    return ngx_rooms_fedsend_replica(rq);
}


ngx_int_t
ngx_rooms_fedsend_as(ngx_rooms_req_t *rq, ngx_uint_t method,
    const char *path, json_t *body)
{
    char                        *text;
    const ngx_rooms_endpoint_t  *e;

    for (e = ngx_rooms_endpoints; e->path; e++) {
        if (e->method == method && ngx_strcmp(e->path, path) == 0) {
            break;
        }
    }

    if (e->path == NULL || body == NULL) {
        json_decref(body);
        return NGX_ERROR;
    }

    rq->endpoint = e;
    rq->body = body;

    /* rows may look at the text, too */

    text = json_dumps(body, JSON_COMPACT);
    if (text == NULL) {
        return NGX_ERROR;
    }

    rq->text = ngx_from_rooms(ngx_rooms_dup(rq->pool, rooms_cstr(text)));
    free(text);

    rq->op = e->op;
    rq->round = 0;

    return rq->text.data ? e->load(rq) : NGX_ERROR;
}


/*
 * What the policy, and the room, said when the event was judged; they may say
 * less now.
 */
static void
ngx_rooms_fedsend_guard(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    ngx_rooms_commit_guard_field(&rq->commit,
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_FEDERATION,
                                               ROOMS_NULL),
                                 ngx_rooms_s("policy"), s->policy_text);

    if (s->exists) {
        ngx_rooms_commit_guard_field(&rq->commit,
                                     ngx_rooms_key(&rq->keys,
                                                   NGX_ROOMS_KEY_ROOM,
                                                   s->told.room),
                                     ngx_rooms_s("federated"),
                                     s->federated ? ngx_rooms_s("1")
                                                  : ROOMS_NULL);
    }

    if (!rooms_policy_allows(s->policy, s->peer, 0)) {

        /* by being in a room of ours alone: it may be about to leave it */

        ngx_rooms_commit_guard_count(&rq->commit, "ZCARD",
                                     ngx_rooms_key(&rq->keys,
                                                   NGX_ROOMS_KEY_PEER_ROOMS,
                                                   s->peer), s->rooms);
    }
}


/* That the event was, and who its sender is. */
static void
ngx_rooms_fedsend_note(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    rooms_str_t           key, name;
    ngx_rooms_profile_t  *p;

    p = &s->sender;

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_UUIDS, s->told.room);
    name = ngx_rooms_fedsend_name(rq, s->told.sender.server, s->told.id);

    ngx_rooms_commit_guard_field(&rq->commit, key, name, ROOMS_NULL);
    ngx_rooms_commit_write_at(&rq->commit, "HSET", key, name,
                              ngx_rooms_join(rq->pool,
                                      ngx_rooms_s("evt-" NGX_ROOMS_HEX),
                                      (rooms_str_t) { sizeof(rq->random),
                                                      rq->random }));

    if (s->told.sender.name.data) {

        if (s->sender_row.data && rooms_str_eq(p->name, s->told.sender.name)
            && rooms_str_eq(p->avatar, s->told.sender.avatar))
        {
            return;
        }

        p->name = s->told.sender.name;
        p->avatar = s->told.sender.avatar;

    } else if (s->sender_row.data) {
        return;

    } else {
        ngx_rooms_profiles_want(&rq->commit, &rq->keys, p->id, rq->now, 0);
    }

    ngx_rooms_apply_person(&rq->commit, &rq->keys, s->sender_row, p, rq->now);
}


/* Goes into the commit of every event. */
ngx_int_t
ngx_rooms_fedsend_decide(ngx_rooms_req_t *rq)
{
    ngx_uint_t            op;
    ngx_rooms_fedsend_t  *s;

    if (rq->endpoint == rq->outer) {
        /* the last event was a duplicate: nothing is to be committed */
        return NGX_OK;
    }

    s = rq->several;
    op = rq->endpoint->op;

    ngx_rooms_fedsend_guard(rq, s);

    if (!s->again) {
        ngx_rooms_fedsend_note(rq, s);
    }

    if ((op == ROOMS_OP_JOIN || op == ROOMS_OP_REJOIN)
        && rq->view.me.membership == ROOMS_LEAVE
        && ngx_rooms_foreign_seat(rq, s->policy, &rq->view.room) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /*
     * Who comes in wants to know who else is there; and what was decided
     * here meanwhile may have crossed what was decided there.
     */

    if (s->changes) {
        ngx_rooms_apply_snapshot(&rq->commit, &rq->keys, s->told.room,
                                 s->peer);
    }

    /* a guard that breaks has all of this read again, not the row's alone */

    rq->endpoint = rq->outer;

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}
