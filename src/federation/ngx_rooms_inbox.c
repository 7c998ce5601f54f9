/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * POST /_scaiwave/federation/v1/send.
 *
 * Each event is judged separately.  If the room's home is here, the event
 * becomes a request by its sender, to the same row of the table that a local
 * participant's request uses.  So the same invariants are checked in the same
 * order.  In a replica, the event is what the home has decided, and is
 * applied as it is.
 */

#include "ngx_rooms_inbox.h"
#include "ngx_rooms_peer.h"
#include "ngx_rooms_fedpolicy.h"
#include "ngx_rooms_profiles.h"
#include "rooms_fedevent.h"
#include "ngx_rooms_endings.h"


typedef enum {
    NGX_ROOMS_S_NEXT = 0,
    NGX_ROOMS_S_KNOWN                      /* what is known of the event */
} ngx_rooms_fedsend_round_e;

/* replies of that round */
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
static ngx_int_t ngx_rooms_origin_member(ngx_rooms_req_t *rq,
    ngx_rooms_fedsend_t *s);
static ngx_int_t ngx_rooms_origin_state(ngx_rooms_req_t *rq,
    ngx_rooms_fedsend_t *s);
static ngx_int_t ngx_rooms_origin_field(ngx_rooms_req_t *rq,
    ngx_rooms_fedsend_t *s, const char *field, const char *path);
static ngx_int_t ngx_rooms_origin_power(ngx_rooms_req_t *rq,
    ngx_rooms_fedsend_t *s);
static ngx_int_t ngx_rooms_origin_parting(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_origin_part(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_fedsend_read(ngx_rooms_req_t *rq,
    ngx_rooms_fedsend_t *s);
static ngx_int_t ngx_rooms_fedsend_origin(ngx_rooms_req_t *rq);
static void ngx_rooms_fedsend_reset(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_fedsend_fails(ngx_rooms_req_t *rq);


/* A server takes its participants out of the room. */
static const ngx_rooms_endpoint_t  ngx_rooms_origin_parting_row = {
    .method = NGX_HTTP_POST,
    .path = "(parting)",
    .part = NGX_ROOMS_PART_FEDERATION,
    .op = ROOMS_OP_READ,
    .load = ngx_rooms_origin_parting,
    .decide = ngx_rooms_origin_part
};


ngx_int_t
ngx_rooms_fedsend_load(ngx_rooms_req_t *rq)
{
    ngx_uint_t  races;

    if (rq->parts == NULL && ngx_rooms_fedsend_begin(rq) == NULL) {
        return NGX_ERROR;
    }

    switch (rq->round) {

    case NGX_ROOMS_S_NEXT:

        if (rq->races) {
            /* a guard failed: what was read for this event is outdated */
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


/*
 * Splits the body into texts of events.  Each is parsed when its turn comes.
 */
static ngx_int_t
ngx_rooms_fedsend_split(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    int          rc;
    rooms_str_t  array, event, texts[ROOMS_REMOTE_EVENTS];

    rc = rooms_remote_find(rooms_from_ngx(rq->text), "events", &array);

    if (rc != 1) {
        return ngx_rooms_invalid(rq, rc == 0 ? "events" : "body",
                                 rc == 0 ? "is required"
                                         : "a JSON object is needed");
    }

    for ( ;; ) {
        rc = rooms_remote_piece(&array, &event);

        if (rc == 0 && s->n) {
            break;
        }

        if (rc != 1 || s->n == ROOMS_REMOTE_EVENTS) {
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

    rq->parts = s;
    rq->enclosing = rq->endpoint;
    rq->on_error = ngx_rooms_fedsend_fails;
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


/* Derives the room's id here, if another room has its id. */
static ngx_int_t
ngx_rooms_fedsend_other(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    u_char  *p;

    p = ngx_pnalloc(rq->pool, ROOMS_REMOTE_ROOM);
    if (p == NULL) {
        return NGX_ERROR;
    }

    s->local.len = rooms_remote_room_id(s->peer, s->room, p);
    s->local.data = p;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_fedsend_next(ngx_rooms_req_t *rq)
{
    rooms_str_t           room, uuids;
    ngx_rooms_batch_t    *b;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;

    if (ngx_rooms_fedsend_read(rq, s) != NGX_OK) {
        return NGX_ERROR;
    }

    s->room = s->remote.room;

    if (rooms_remote_room_made(s->room) && ngx_rooms_fedsend_other(rq, s)
                                         != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (s->local.data) {
        s->remote.room = s->local;
    }

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    room = s->remote.room;
    uuids = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_UUIDS, room);

    (void) ngx_rooms_load_room(b, &rq->keys, room);
    (void) ngx_rooms_command(b, ngx_rooms_s("HGET"), uuids,
                             ngx_rooms_fedsend_name(rq,
                                                    s->remote.sender.server,
                                                    s->remote.id));
    (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL,
                         s->remote.sender.fqid);
    (void) ngx_rooms_fedpolicy_ask(b, &rq->keys);
    (void) ngx_rooms_fedpolicy_ask_invited(b, &rq->keys, s->peer);
    (void) ngx_rooms_ask(b, &rq->keys, "ZCARD %k", NGX_ROOMS_KEY_PEER_ROOMS,
                         s->peer);

    s->at_ref = b->commands.nelts;

    if (s->ref_id.data && s->ref.data == NULL) {
        (void) ngx_rooms_command(b, ngx_rooms_s("HGET"), uuids,
                                 ngx_rooms_fedsend_name(rq, s->ref_server,
                                                        s->ref_id));
    }

    s->at_subject = b->commands.nelts;

    if (s->subject.fqid.data && s->subject_id.data == NULL) {
        (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s", NGX_ROOMS_KEY_LOCALS,
                             ROOMS_NULL, s->subject.local);
    }

    ngx_rooms_peer_note(rq);

    if (b->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_S_KNOWN);
}


static ngx_int_t
ngx_rooms_fedsend_sender(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    ngx_int_t             rc;
    ngx_rooms_profile_t  *p;

    p = &s->sender;

    s->sender_row = ngx_rooms_reply_str(ngx_rooms_reply(rq,
                                                        NGX_ROOMS_S_SENDER));
    rc = ngx_rooms_parse_profile(rq->pool, s->sender_row, s->remote.sender.fqid,
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
        p->id = s->remote.sender.fqid;
        p->type = ngx_rooms_s("federated");
        p->local = s->remote.sender.local;
        p->name = s->remote.sender.local;
        p->server = s->remote.sender.server;
    }

    return NGX_OK;
}


/*
 * The policy may have changed while the body arrived.  An ended peer must not
 * start again.
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

    s = rq->parts;

    rc = ngx_rooms_parse_room(ngx_rooms_reply(rq, NGX_ROOMS_S_ROOM),
                              s->remote.room, &room);

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

    rq->param[NGX_ROOMS_P_ROOM] = s->remote.room;
    rq->principal.sub = s->remote.sender.fqid;
    rq->source_id = s->remote.id;
    rq->source_server = s->remote.sender.server;
    rq->source_at = s->remote.created_at;
    rq->view.room = room;
    rq->view.exists = rc == NGX_OK;

    if (rc == NGX_OK && room.origin.data == NULL) {
        return ngx_rooms_fedsend_origin(rq);
    }

    if (rc == NGX_OK && !rooms_str_eq(room.origin, s->peer)) {

        /* another server's room has the same id */

        if (s->local.data == NULL) {
            return ngx_rooms_fedsend_other(rq, s) == NGX_OK
                   ? ngx_rooms_fedsend_next(rq) : NGX_ERROR;
        }

        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND,
                              "the room's home is another server");
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

    /* some rows read the text, too */

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


/* Guards the policy and the room's state that the decision relied on. */
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
                                                   s->remote.room),
                                     ngx_rooms_s("federated"),
                                     s->federated ? ngx_rooms_s("1")
                                                  : ROOMS_NULL);
    }

    if (!rooms_policy_allows(s->policy, s->peer, 0)) {

        /* it is allowed only by being in our rooms, and might leave them */

        ngx_rooms_commit_guard_count(&rq->commit, "ZCARD",
                                     ngx_rooms_key(&rq->keys,
                                                   NGX_ROOMS_KEY_PEER_ROOMS,
                                                   s->peer), s->rooms);
    }
}


/* Records the event as seen, and updates its sender's profile. */
static void
ngx_rooms_fedsend_note(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    rooms_str_t           key, name;
    ngx_rooms_profile_t  *p;

    p = &s->sender;

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_UUIDS, s->remote.room);
    name = ngx_rooms_fedsend_name(rq, s->remote.sender.server, s->remote.id);

    ngx_rooms_commit_guard_field(&rq->commit, key, name, ROOMS_NULL);
    ngx_rooms_commit_write_at(&rq->commit, "HSET", key, name,
                              ngx_rooms_join(rq->pool,
                                      ngx_rooms_s("evt-" NGX_ROOMS_HEX),
                                      (rooms_str_t) { sizeof(rq->random),
                                                      rq->random }));

    if (s->remote.sender.name.data) {

        if (s->sender_row.data && rooms_str_eq(p->name, s->remote.sender.name)
            && rooms_str_eq(p->avatar, s->remote.sender.avatar))
        {
            return;
        }

        p->name = s->remote.sender.name;
        p->avatar = s->remote.sender.avatar;

    } else if (s->sender_row.data) {
        return;

    } else {
        ngx_rooms_profiles_want(&rq->commit, &rq->keys, p->id, rq->now, 0);
    }

    ngx_rooms_apply_person(&rq->commit, &rq->keys, s->sender_row, p, rq->now);
}


/* Adds the federation guards to each event's commit. */
ngx_int_t
ngx_rooms_fedsend_decide(ngx_rooms_req_t *rq)
{
    ngx_uint_t            op;
    ngx_rooms_fedsend_t  *s;

    if (rq->endpoint == rq->enclosing) {
        /* the last event was a duplicate: there is nothing to commit */
        return NGX_OK;
    }

    s = rq->parts;
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
     * a newcomer's server needs to know who else is in the room; and changes
     * made here meanwhile may have crossed those made there
     */

    if (s->changes) {
        ngx_rooms_apply_snapshot(&rq->commit, &rq->keys, s->remote.room,
                                 s->peer);
    }

    /* if a guard fails, repeat everything for this event, not only the row */

    rq->endpoint = rq->enclosing;

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


/* Reading an event of another server: form, signature, participants. */


/* Finds the participant and the event that the content refers to. */
static ngx_int_t
ngx_rooms_fedsend_mentions(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    rooms_str_t  fqid, ref;

    s->ref_id = ROOMS_NULL;
    s->ref = ROOMS_NULL;
    s->subject_id = ROOMS_NULL;
    ngx_memzero(&s->subject, sizeof(rooms_remote_member_t));

    fqid = rooms_remote_str(s->remote.content, "fqid");

    if (fqid.data) {

        if (!rooms_participant_valid(fqid)
            || rooms_fqid_parse(fqid, &s->subject.local, &s->subject.server)
               != 0)
        {
            return ngx_rooms_invalid(rq, "content.fqid",
                                     "must be \"@local:server\"");
        }

        s->subject.fqid = fqid;

        if (!rooms_str_eq(s->subject.server, s->self)) {
            s->subject_id = fqid;
        }
    }

    ref = rooms_remote_str(s->remote.content,
                           s->remote.type == ROOMS_EV_MESSAGE ? "replaces"
                                                            : "event_id");

    if (ref.data) {

        if (rooms_remote_ref(ref, &s->ref_id, &s->ref_server) != 0) {
            return ngx_rooms_invalid(rq, "content.event_id",
                                     "must be \"<event id>:<server>\"");
        }

        if (rooms_str_eq(s->ref_server, s->self)) {
            s->ref = s->ref_id;
        }
    }

    return NGX_OK;
}


/* Checks form and signature, and that the peer may speak for the sender. */
static ngx_int_t
ngx_rooms_fedsend_read(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    json_t       *event;
    rooms_buf_t   work;
    const char   *problem;

    if (s->events[s->i] == NULL) {
        s->events[s->i] = json_loadb((const char *) s->texts[s->i].data,
                                     s->texts[s->i].len,
                                     JSON_REJECT_DUPLICATES, NULL);
    }

    event = s->events[s->i];

    if (event == NULL) {
        ngx_memzero(&s->remote, sizeof(rooms_remote_t));
        s->results[s->i].id = rooms_remote_id(s->texts[s->i]);

        return ngx_rooms_invalid(rq, "events", "is not a valid JSON object");
    }

    problem = rooms_remote_read(event, rq->now, &s->remote);

    s->results[s->i].id = s->remote.id;

    if (problem) {
        return ngx_rooms_invalid(rq, "events", problem);
    }

    rooms_remote_own(s->peer, s->remote.sender.server, &s->remote.sender.name,
                     &s->remote.sender.avatar);

    /* the canonical text is never longer than the parsed one */

    if (s->work == NULL) {
        s->work = ngx_palloc(rq->pool, s->size);
        if (s->work == NULL) {
            return NGX_ERROR;
        }
    }

    rooms_buf_init(&work, s->work, s->size);

    problem = rooms_fedevent_verify(event, s->peer, &s->key, 1, &work);

    if (problem) {
        rq->error_field = ngx_rooms_s("signatures");
        rq->error_problem = rooms_cstr(problem);
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_SIGNATURE, problem);
    }

    if (rooms_str_eq(s->remote.sender.server, s->self)) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY,
                              "other servers can not send events of this "
                              "server's participants");
    }

    return ngx_rooms_fedsend_mentions(rq, s);
}


/* Handles an event by a foreign participant in a room at home here. */


static ngx_int_t
ngx_rooms_fedsend_origin(ngx_rooms_req_t *rq)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;

    if (!rooms_str_eq(s->remote.sender.server, s->peer)) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY,
                              "a server can only send events of its own "
                              "participants");
    }

    /*
     * Servers that may federate see public rooms.  A server may also redact
     * its participants' messages after they have left; that shows it nothing
     * new.
     */

    if (!rooms_peers_has(rq->view.room.peers, s->peer)
        && !rq->view.room.is_public
        && !(s->remote.type == ROOMS_EV_REDACTION && s->ref.data
             && rooms_str_eq(s->ref_server, s->peer)))
    {
        return ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    if (!rq->view.room.federated) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY,
                              "the room is not federated");
    }

    s->changes = s->remote.type != ROOMS_EV_MESSAGE
                 && s->remote.type != ROOMS_EV_REDACTION
                 && s->remote.type != ROOMS_EV_REACTION
                 && s->remote.type != ROOMS_EV_FEDERATION;

    switch (s->remote.type) {

    case ROOMS_EV_MESSAGE:
    case ROOMS_EV_REDACTION:
    case ROOMS_EV_REACTION:
        return ngx_rooms_fedsend_message(rq);

    case ROOMS_EV_MEMBER:
        return ngx_rooms_origin_member(rq, s);

    case ROOMS_EV_POWER_LEVEL:
        return ngx_rooms_origin_power(rq, s);

    case ROOMS_EV_NAME:
        return ngx_rooms_origin_field(rq, s, "name", "/v1/rooms/{room}/name");

    case ROOMS_EV_TOPIC:
        return ngx_rooms_origin_field(rq, s, "topic",
                                      "/v1/rooms/{room}/topic");

    case ROOMS_EV_STATE:
        return ngx_rooms_origin_state(rq, s);

    case ROOMS_EV_FEDERATION:

        if (json_is_false(json_object_get(s->remote.content, "federated"))) {
            rq->endpoint = &ngx_rooms_origin_parting_row;
            rq->round = 0;
            return rq->endpoint->load(rq);
        }

        /* fall through */

    default:
        return ngx_rooms_fail(rq, ROOMS_E_FORBIDDEN,
                              "only the room's home server can send this "
                              "event");
    }
}


static json_t *
ngx_rooms_origin_participant(rooms_str_t id, json_t *reason)
{
    json_t  *body;

    body = json_pack("{s:s%}", "participant_id", (const char *) id.data,
                     id.len);

    if (body && json_is_string(reason)) {
        (void) json_object_set(body, "reason", reason);
    }

    return body;
}


static ngx_int_t
ngx_rooms_origin_member(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    json_t       *reason;
    ngx_uint_t    self;
    const char   *path;
    rooms_str_t   membership;

    membership = rooms_remote_str(s->remote.content, "membership");
    reason = json_object_get(s->remote.content, "reason");

    self = s->subject.fqid.data == NULL
           || rooms_str_eq(s->subject.fqid, s->remote.sender.fqid);

    if (rooms_str_eq(membership, ngx_rooms_s("join")) && self) {
        return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST,
                                    "/v1/rooms/{room}/join", json_object());
    }

    if (rooms_str_eq(membership, ngx_rooms_s("leave")) && self) {
        return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST,
                                    "/v1/rooms/{room}/leave", json_object());
    }

    if (self) {
        return ngx_rooms_invalid(rq, "content.membership",
                                 "is not a membership that participants can "
                                 "give themselves");
    }

    if (s->subject_id.data == NULL) {
        return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL);
    }

    if (rooms_str_eq(membership, ngx_rooms_s("invite"))) {

        if (!rooms_str_eq(s->subject.server, s->self)) {
            return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST,
                            "/v1/rooms/{room}/invitations",
                            json_pack("{s:s%}", "fqid",
                                      (char *) s->subject.fqid.data,
                                      s->subject.fqid.len));
        }

        path = "/v1/rooms/{room}/invite";

    } else if (rooms_str_eq(membership, ngx_rooms_s("ban"))) {
        path = "/v1/rooms/{room}/ban";

    } else if (rooms_str_eq(membership, ngx_rooms_s("leave"))) {
        path = rooms_str_eq(rooms_remote_str(s->remote.content, "previous"),
                            ngx_rooms_s("ban"))
               ? "/v1/rooms/{room}/unban" : "/v1/rooms/{room}/kick";

    } else {
        return ngx_rooms_invalid(rq, "content.membership",
                                 "is not a membership that participants can "
                                 "give others");
    }

    return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST, path,
                            ngx_rooms_origin_participant(s->subject_id,
                                                         reason));
}


static ngx_int_t
ngx_rooms_origin_power(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    json_t  *power;

    power = json_object_get(s->remote.content, "power_level");

    if (s->subject_id.data == NULL || !json_is_integer(power)) {
        return ngx_rooms_invalid(rq, "content.power_level",
                                 "must be an integer, with an fqid");
    }

    rq->param[NGX_ROOMS_P_PARTICIPANT] = ngx_rooms_dup(rq->pool,
                                                       s->subject_id);

    return ngx_rooms_fedsend_as(rq, NGX_HTTP_PUT,
                        "/v1/rooms/{room}/members/{participant}/power-level",
                        json_pack("{s:O}", "power_level", power));
}


static ngx_int_t
ngx_rooms_origin_field(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s,
    const char *field, const char *path)
{
    json_t  *value;

    value = json_object_get(s->remote.content, field);

    if (!json_is_string(value)
        && !(json_is_null(value) && s->remote.type == ROOMS_EV_TOPIC))
    {
        return ngx_rooms_invalid(rq, field, "must be a string");
    }

    return ngx_rooms_fedsend_as(rq, NGX_HTTP_PUT, path,
                                json_pack("{s:O}", field, value));
}


static ngx_int_t
ngx_rooms_origin_state(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    const char   *path;
    rooms_str_t   state;

    state = rooms_remote_str(s->remote.content, "state");

    if (rooms_str_eq(state, ngx_rooms_s("archived"))) {
        path = "/v1/rooms/{room}/archive";

    } else if (rooms_str_eq(state, ngx_rooms_s("closed"))) {
        path = "/v1/rooms/{room}/close";

    } else if (rooms_str_eq(state, ngx_rooms_s("open"))) {
        path = "/v1/rooms/{room}/rejoin";

    } else {
        return ngx_rooms_invalid(rq, "content.state", "is none");
    }

    return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST, path, json_object());
}


static ngx_int_t
ngx_rooms_origin_parting(ngx_rooms_req_t *rq)
{
    return NGX_OK;
}


static ngx_int_t
ngx_rooms_origin_part(ngx_rooms_req_t *rq)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    /* takes one position, for the changes that follow */

    ngx_rooms_commit_positions(&rq->commit, 1);

    if (!rooms_peers_has(rq->view.room.peers, s->peer)) {
        return NGX_OK;
    }

    /* one row for the server, however often it says so */

    ngx_rooms_endings_parted(&rq->commit, &rq->keys, s->remote.room, s->peer,
                             -1);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


/* Messages, edits, redactions and reactions, as requests of their sender. */


ngx_int_t
ngx_rooms_fedsend_message(ngx_rooms_req_t *rq)
{
    json_t               *content;
    rooms_str_t           action;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;
    content = s->remote.content;

    if (s->ref_id.data) {

        if (s->ref.data == NULL) {
            return ngx_rooms_fail(rq, ROOMS_E_EVENT, NULL);
        }

        rq->param[NGX_ROOMS_P_EVENT] = ngx_rooms_dup(rq->pool, s->ref);
    }

    switch (s->remote.type) {

    case ROOMS_EV_MESSAGE:

        if (s->ref_id.data == NULL) {
            return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST,
                             "/v1/rooms/{room}/send",
                             json_pack("{s:O}", "content", content));
        }

        content = json_object_get(content, "content");

        if (!json_is_object(content)) {
            return ngx_rooms_invalid(rq, "content.content",
                                     "must be an object");
        }

        return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST,
                             "/v1/rooms/{room}/events/{event}/edit",
                             json_pack("{s:O}", "content", content));

    case ROOMS_EV_REDACTION:

        if (s->ref_id.data == NULL) {
            break;
        }

        content = json_object_get(content, "reason");

        return ngx_rooms_fedsend_as(rq, NGX_HTTP_POST,
                             "/v1/rooms/{room}/events/{event}/redact",
                             json_is_string(content)
                             ? json_pack("{s:O}", "reason", content)
                             : json_object());

    default:
        action = rooms_remote_str(content, "action");
        content = json_object_get(content, "emoji");

        if (s->ref_id.data == NULL || !json_is_string(content)) {
            break;
        }

        return ngx_rooms_fedsend_as(rq,
                             rooms_str_eq(action, ngx_rooms_s("remove"))
                             ? NGX_HTTP_DELETE : NGX_HTTP_POST,
                             "/v1/rooms/{room}/events/{event}/reaction",
                             json_pack("{s:O}", "emoji", content));
    }

    return ngx_rooms_invalid(rq, "content", "must name an event");
}


/* The results of the events, and corrections for refused ones. */


/* Clears all state of the previous event. */
static void
ngx_rooms_fedsend_reset(ngx_rooms_req_t *rq)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;
    s->again = 0;

    ngx_rooms_forget(rq);
    json_decref(rq->body);

    rq->endpoint = rq->enclosing;
    rq->body = NULL;
    rq->committing = 0;
    rq->resolving = 0;
    rq->races = 0;
    rq->round = 0;
    rq->status = 0;
    rq->data = NULL;
    rq->ask = NULL;
    rq->ntargets = 0;
    rq->trusted = 0;
    rq->error = ROOMS_OK;
    rq->message = ROOMS_NULL;
    rq->error_field = ROOMS_NULL;
    rq->error_problem = ROOMS_NULL;
    rq->source_id = ROOMS_NULL;
    rq->source_server = ROOMS_NULL;

    ngx_memzero(rq->param, sizeof(rq->param));
    ngx_memzero(&rq->view, sizeof(ngx_rooms_view_t));
    ngx_memzero(&rq->in, sizeof(rooms_input_t));

    rq->in.now = rq->now;
}


ngx_int_t
ngx_rooms_fedsend_done(ngx_rooms_req_t *rq, const char *status)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;
    s->results[s->i].status = status;

    s->local = ROOMS_NULL;

    ngx_memzero(&s->compared, sizeof(ngx_rooms_fedcompared_t));
    ngx_memzero(&s->comparing, sizeof(ngx_rooms_fedcompared_t));

    ngx_rooms_fedsend_reset(rq);

    if (++s->i < s->n) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* A refused event doesn't stop the others; an internal error does. */
static ngx_int_t
ngx_rooms_fedsend_fails(ngx_rooms_req_t *rq)
{
    ngx_rooms_fedsend_t    *s;
    ngx_rooms_fedresult_t  *result;

    s = rq->parts;

    if (rq->error == ROOMS_OK || rq->error == NGX_ROOMS_E_STORE
        || rq->error == NGX_ROOMS_E_INTERNAL || s->i == s->n || s->ended
        || (rq->error == NGX_ROOMS_E_CONFLICT
            && rq->state == NGX_ROOMS_COMMIT))
    {
        return NGX_ERROR;
    }

    result = &s->results[s->i];
    result->code = rq->error;
    result->reason = ngx_rooms_dup(rq->pool,
                                   ngx_rooms_error_message(rq, rq->pool));

    if (s->remote.type == ROOMS_EV_MEMBER) {
        result->refused = s->remote.id;
    }

    /* who has left may have members there whose join was refused */

    if (rq->view.exists && rq->view.room.origin.data == NULL
        && (rooms_peers_has(rq->view.room.peers, s->peer)
            || (rq->view.room.federated && result->refused.data)))
    {
        result->astray = s->remote.room;
        result->position = s->position;
        s->astray = 1;
    }

    /* continue with the next event, or show the results after the last one */

    if (ngx_rooms_fedsend_done(rq, "rejected") == NGX_OK) {
        rq->state = NGX_ROOMS_SHOW;
        return ngx_rooms_fedsend_show(rq);
    }

    return NGX_DECLINED;
}


static void
ngx_rooms_fedsend_results(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    ngx_uint_t                i;
    rooms_buf_t              *b;
    ngx_rooms_fedresult_t    *r;
    const ngx_rooms_error_t  *e;

    rooms_json_lit(ngx_rooms_out(&rq->out), "{\"data\":{\"results\":[");

    b = ngx_rooms_out(&rq->out);

    for (i = 0; i < s->n; i++) {
        r = &s->results[i];
        e = ngx_rooms_error(r->code);

        rooms_json_raw(b, ",", i > 0);
        rooms_json_put(b, "{\"id\":%s,\"status\":%s", r->id,
                       rooms_cstr(r->status));

        if (r->code) {
            rooms_json_put(b, ",\"code\":%s,\"reason\":%s",
                           rooms_cstr(e->code),
                          r->reason.data ? r->reason : rooms_cstr(e->message));
        }

        rooms_json_lit(b, "}");
    }

    rooms_json_lit(ngx_rooms_out(&rq->out), "]}}\n");
}


/*
 * Queues a snapshot of each room whose replica applied something that was
 * refused here.
 */
static ngx_int_t
ngx_rooms_fedsend_correct(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    ngx_uint_t              i;
    rooms_str_t             outbox;
    ngx_rooms_batch_t      *b;
    ngx_rooms_fedresult_t  *r;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    outbox = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_OUTBOX, s->peer);

    for (i = 0; i < s->n; i++) {
        r = &s->results[i];

        if (r->astray.data) {
            (void) ngx_rooms_command(b, ngx_rooms_s("ZADD"), outbox,
                                     ngx_rooms_number(rq->pool, r->position),
                                     ngx_rooms_join(rq->pool,
                                                    ngx_rooms_s("s "),
                                                    r->astray,
                                                    r->refused.data
                                                    ? ngx_rooms_s(" ")
                                                    : ROOMS_NULL,
                                                    r->refused));
        }
    }

    (void) ngx_rooms_ask(b, &rq->keys, "ZADD %k NX 0 %s",
                         NGX_ROOMS_KEY_OUTBOXES, ROOMS_NULL, s->peer);
    (void) ngx_rooms_ask(b, &rq->keys, "ZADD %k 0 %s",
                         NGX_ROOMS_KEY_PEER_NAMES, ROOMS_NULL, s->peer);

    if (b->failed) {
        return NGX_ERROR;
    }

    s->astray = 0;

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_fedsend_show(ngx_rooms_req_t *rq)
{
    ngx_int_t             rc;
    ngx_rooms_fedsend_t  *s;

    s = rq->parts;

    if (s->again) {
        s->compared = s->comparing;
        ngx_rooms_fedsend_reset(rq);
        return NGX_DECLINED;
    }

    if (s->i < s->n) {
        rc = ngx_rooms_fedsend_done(rq, "applied");

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (s->astray) {
        return ngx_rooms_fedsend_correct(rq, s);
    }

    ngx_rooms_fedsend_results(rq, s);

    return NGX_OK;
}
