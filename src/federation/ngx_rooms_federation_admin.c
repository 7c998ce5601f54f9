/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * This server's identity and its policy: the public descriptor,
 * /v1/admin/federation/identity, and .../policy.  Also what administrators
 * see of peers.
 */

#include "ngx_rooms_federation_endpoints.h"
#include "ngx_rooms_endings.h"
#include "ngx_rooms_federation.h"
#include "ngx_rooms_fedpolicy.h"
#include "ngx_rooms_peer_call.h"
#include "rooms_remote.h"


#define NGX_ROOMS_PEERS_PAGE   200
#define NGX_ROOMS_PEERS_LIMIT 1000
#define NGX_ROOMS_PEERS_SIZE  (1024 * 1024)

/* Replies of the first round; a retry reads the peer's score instead. */
typedef enum {
    NGX_ROOMS_PEERS_POLICY = 0,
    NGX_ROOMS_PEERS_KNOWN
} ngx_rooms_peers_reply_e;

/* Replies of the second round: one per hash, then some for each name. */
typedef enum {
    NGX_ROOMS_PEERS_SEEN = 0,
    NGX_ROOMS_PEERS_ERRORS,
    NGX_ROOMS_PEERS_STATE,                 /* of the outboxes */
    NGX_ROOMS_PEERS_EACH
} ngx_rooms_peers_rows_e;

typedef enum {
    NGX_ROOMS_PEERS_NEXT = 0,              /* when its outbox is due */
    NGX_ROOMS_PEERS_PENDING,
    NGX_ROOMS_PEERS_INVITED,               /* number of our rooms it is in */
    NGX_ROOMS_PEERS_REPLIES
} ngx_rooms_peers_each_e;

typedef struct {
    rooms_policy_t     *policy;

    int64_t             limit;
    rooms_str_t         after;             /* NULL: from the start */
    rooms_str_t        *names;             /* of the page, sorted */
    ngx_uint_t          n;
    ngx_rooms_batch_t  *rows;
    unsigned            more:1;
    unsigned            now:1;             /* they are tried immediately */
} ngx_rooms_peers_t;

typedef enum {
    NGX_ROOMS_F_BEGIN = 0,
    NGX_ROOMS_F_PROFILE,                   /* read the stored profile */
    NGX_ROOMS_F_ANSWER                     /* handle its server's answer */
} ngx_rooms_refresh_round_e;


static ngx_int_t ngx_rooms_peers_ask(ngx_rooms_req_t *rq,
    ngx_rooms_peers_t *peers);
static ngx_int_t ngx_rooms_peers_page(ngx_rooms_req_t *rq,
    ngx_rooms_peers_t *peers);
static ngx_int_t ngx_rooms_peers_rows(ngx_rooms_req_t *rq,
    ngx_rooms_peers_t *peers);
static ngx_int_t ngx_rooms_refresh_ask(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_refresh_call(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_refresh_take(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_refresh_read(ngx_rooms_req_t *rq, json_t *data);


/* Writes this server's name and its keys with their ids. */
static rooms_buf_t *
ngx_rooms_identity(ngx_rooms_req_t *rq)
{
    char                  text[ROOMS_FEDKEY_TEXT];
    ngx_uint_t            i;
    rooms_buf_t          *b;
    ngx_array_t          *keys;
    rooms_fedkey_pair_t  *pair;

    keys = rq->conf->federation_keys;
    pair = keys->elts;

    b = ngx_rooms_out(&rq->out);

    rooms_json_lit(b, "{\"data\":{\"server_name\":");
    rooms_json_str(b, rooms_from_ngx(rq->conf->server_name));

    (void) rooms_fedkey_text(&pair[0].key, text);
    rooms_json_put(b, ",\"public_key\":%s,\"key_id\":%s,\"old_public_keys\":[",
                   rooms_cstr(text), rooms_cstr(pair[0].key.id));

    for (i = 1; i < keys->nelts; i++) {

        if (i > 1) {
            rooms_json_lit(b, ",");
        }

        (void) rooms_fedkey_text(&pair[i].key, text);
        rooms_json_str(b, rooms_cstr(text));
    }

    rooms_json_lit(b, "],\"old_key_ids\":[");

    for (i = 1; i < keys->nelts; i++) {

        if (i > 1) {
            rooms_json_lit(b, ",");
        }

        rooms_json_str(b, rooms_cstr(pair[i].key.id));
    }

    rooms_json_lit(b, "],\"protocol_versions\":[\"v1\"]");

    return b;
}


ngx_int_t
ngx_rooms_identity_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t  *b;

    b = ngx_rooms_identity(rq);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}


ngx_int_t
ngx_rooms_descriptor_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t  *b;

    b = ngx_rooms_identity(rq);

    rooms_json_lit(b, ",\"endpoints\":{"
        "\"send\":\"/_scaiwave/federation/v1/send\","
        "\"profile\":\"/_scaiwave/federation/v1/profile/{local_id}\","
        "\"members\":\"/_scaiwave/federation/v1/rooms/{room_id}/members\","
        "\"backfill\":\"/_scaiwave/federation/v1/rooms/{room_id}/backfill\""
        "}}}\n");

    return NGX_OK;
}


ngx_int_t
ngx_rooms_policy_load(ngx_rooms_req_t *rq)
{
    if (rq->round) {
        rq->data = ngx_rooms_fedpolicy_take(rq, ngx_rooms_reply(rq, 0));
        return rq->data ? NGX_OK : NGX_ERROR;
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_fedpolicy_ask(rq->batch, &rq->keys) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, 1);
}


static rooms_str_t
ngx_rooms_policy_format(ngx_rooms_req_t *rq, const rooms_policy_t *policy)
{
    size_t            i, n;
    json_t           *peer;
    rooms_buf_t      *b;
    ngx_rooms_json_t  text;

    n = json_array_size(policy->peers);
    b = ngx_rooms_json(&text, rq->pool);

    rooms_json_put(b, "{\"default_mode\":%s,\"allowed_peers\":[",
                   rooms_cstr(rooms_policy_mode_name(policy->mode)));

    for (i = 0; i < n; i++) {
        peer = json_array_get(policy->peers, i);

        if (i) {
            rooms_json_lit(b, ",");
        }

        rooms_json_str(b, rooms_cstr(json_string_value(peer)));
    }

    rooms_json_put(b, "],\"max_foreign_participants_per_room\":%d}",
                   (int64_t) policy->foreign);

    return ngx_rooms_json_end(&text);
}


/*
 * A server that is taken off the list leaves all rooms here, even if the
 * policy's mode would allow invited servers.
 */
static void
ngx_rooms_policy_end(ngx_rooms_req_t *rq, const rooms_policy_t *old,
    const rooms_policy_t *policy)
{
    size_t       i;
    rooms_str_t  server;

    for (i = 0; i < json_array_size(old->peers); i++) {
        server = rooms_cstr(json_string_value(json_array_get(old->peers, i)));

        if (!rooms_policy_allows(policy, server, 0)
            && !rooms_str_eq(server, rooms_from_ngx(rq->conf->server_name)))
        {
            ngx_rooms_endings_peer(&rq->commit, &rq->keys, server,
                                   rq->principal.sub, rq->now);
        }
    }
}


ngx_int_t
ngx_rooms_policy_decide(ngx_rooms_req_t *rq)
{
    rooms_str_t            key, had, text;
    rooms_policy_t        *policy, old;
    rooms_policy_fault_t   fault;

    policy = rq->data;
    old = *policy;
    had = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));

    if (rooms_policy_parse(rq->body, rooms_from_ngx(rq->conf->server_name),
                           policy, &fault) != 0)
    {
        return ngx_rooms_invalid(rq, fault.field, fault.problem);
    }

    text = ngx_rooms_policy_format(rq, policy);

    if (text.data == NULL || ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_FEDERATION, ROOMS_NULL);

    ngx_rooms_commit_guard_field(&rq->commit, key, ngx_rooms_s("policy"),
                                 had);
    ngx_rooms_commit_write(&rq->commit, "HSET", key, ngx_rooms_s("policy"),
                           text);

    /* the worker with the lease finds the peers that it no longer allows */

    ngx_rooms_endings_policy(&rq->commit, &rq->keys, rq->principal.sub);
    ngx_rooms_policy_end(rq, &old, policy);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_rooms_policy_show(ngx_rooms_req_t *rq)
{
    rooms_str_t  text;

    text = ngx_rooms_policy_format(rq, rq->data);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    rooms_json_lit(ngx_rooms_out(&rq->out), "{\"data\":");
    ngx_rooms_out_ref(&rq->out, text);
    rooms_json_lit(ngx_rooms_out(&rq->out), "}\n");

    return NGX_OK;
}


/* GET /v1/admin/federation/peers, and POST .../peers/{server}/retry. */


ngx_int_t
ngx_rooms_peers_load(ngx_rooms_req_t *rq)
{
    ngx_int_t           rc;
    ngx_rooms_peers_t  *peers;

    peers = rq->data;

    switch (rq->round) {

    case 0:
        peers = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_peers_t));
        if (peers == NULL) {
            return NGX_ERROR;
        }

        rq->data = peers;

        if (ngx_rooms_arg_int(rq, "limit", 1, NGX_ROOMS_PEERS_LIMIT,
                              NGX_ROOMS_PEERS_PAGE, &peers->limit) != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_rooms_arg_cursor(rq, "cursor", 's', &peers->after);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK && !rooms_peer_valid(peers->after)) {
            return ngx_rooms_invalid(rq, "cursor", "is not a cursor of this "
                                     "list");
        }

        return ngx_rooms_peers_ask(rq, peers);

    case 1:

        if (ngx_rooms_peers_page(rq, peers) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_rooms_peers_rows(rq, peers);

    default:
        peers->rows = rq->batch;
        return NGX_OK;
    }
}


/*
 * One name more than is shown tells whether there are more, and one may be
 * this server's own.
 */
static ngx_int_t
ngx_rooms_peers_ask(ngx_rooms_req_t *rq, ngx_rooms_peers_t *peers)
{
    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_fedpolicy_ask(rq->batch, &rq->keys) != NGX_OK
        || ngx_rooms_ask(rq->batch, &rq->keys,
                         "ZRANGEBYLEX %k %s%s + LIMIT 0 %d",
                         NGX_ROOMS_KEY_PEER_NAMES, ROOMS_NULL,
                         peers->after.data ? ngx_rooms_s("(")
                                           : ngx_rooms_s("-"),
                         peers->after, (int64_t) (peers->limit + 2))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, 1);
}


static int ngx_libc_cdecl
ngx_rooms_peers_order(const void *one, const void *two)
{
    const rooms_str_t *a = one;
    const rooms_str_t *b = two;

    return rooms_str_eq(*a, *b) ? 0 : rooms_str_before(*a, *b) ? -1 : 1;
}


/* Merges the known servers with those on the policy's list. */
static ngx_int_t
ngx_rooms_peers_page(ngx_rooms_req_t *rq, ngx_rooms_peers_t *peers)
{
    size_t        i, n;
    redisReply   *known;
    rooms_str_t   name, *names;

    peers->policy = ngx_rooms_fedpolicy_take(rq,
                            ngx_rooms_reply(rq, NGX_ROOMS_PEERS_POLICY));
    if (peers->policy == NULL) {
        return NGX_ERROR;
    }

    known = ngx_rooms_reply(rq, NGX_ROOMS_PEERS_KNOWN);

    names = ngx_palloc(rq->pool, (known->elements + 1
                                  + json_array_size(peers->policy->peers))
                                 * sizeof(rooms_str_t));
    if (names == NULL) {
        return NGX_ERROR;
    }

    for (n = 0; n < known->elements; n++) {
        names[n] = ngx_rooms_reply_str(known->element[n]);
    }

    for (i = 0; i < json_array_size(peers->policy->peers); i++) {
        names[n++] = rooms_cstr(json_string_value(
                                   json_array_get(peers->policy->peers, i)));
    }

    ngx_qsort(names, n, sizeof(rooms_str_t), ngx_rooms_peers_order);

    peers->names = names;

    for (i = 0; i < n; i++) {
        name = names[i];

        if (name.data == NULL
            || rooms_str_eq(name, rooms_from_ngx(rq->conf->server_name))
            || (peers->after.data && !rooms_str_before(peers->after, name))
            || (peers->n && rooms_str_eq(names[peers->n - 1], name)))
        {
            continue;
        }

        if ((int64_t) peers->n == peers->limit) {
            peers->more = 1;
            break;
        }

        names[peers->n++] = name;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_peers_rows(ngx_rooms_req_t *rq, ngx_rooms_peers_t *peers)
{
    ngx_uint_t          i;
    rooms_str_t         name;
    ngx_rooms_batch_t  *b;

    static const ngx_rooms_key_e  hashes[NGX_ROOMS_PEERS_EACH] = {
        [NGX_ROOMS_PEERS_SEEN] = NGX_ROOMS_KEY_PEERS,
        [NGX_ROOMS_PEERS_ERRORS] = NGX_ROOMS_KEY_PEER_ERRORS,
        [NGX_ROOMS_PEERS_STATE] = NGX_ROOMS_KEY_OUTBOX_STATE
    };

    if (peers->n == 0) {
        return NGX_OK;
    }

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_ROOMS_PEERS_EACH; i++) {
        (void) ngx_rooms_ask_many(b, &rq->keys, "HMGET", hashes[i],
                                  ROOMS_NULL, peers->names, peers->n);
    }

    for (i = 0; i < peers->n; i++) {
        name = peers->names[i];

        (void) ngx_rooms_ask(b, &rq->keys, "ZSCORE %k %s",
                             NGX_ROOMS_KEY_OUTBOXES, ROOMS_NULL, name);
        (void) ngx_rooms_ask(b, &rq->keys, "ZCARD %k", NGX_ROOMS_KEY_OUTBOX,
                             name);
        (void) ngx_rooms_fedpolicy_ask_invited(b, &rq->keys, name);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, 2);
}


/* A hash's value for the n-th name of the page; NULL: none. */
static rooms_str_t
ngx_rooms_peers_of(ngx_rooms_peers_t *peers, ngx_rooms_peers_rows_e hash,
    ngx_uint_t n)
{
    redisReply  *reply;

    reply = peers->rows->replies[hash];

    return n < reply->elements ? ngx_rooms_reply_str(reply->element[n])
                               : ROOMS_NULL;
}


static redisReply *
ngx_rooms_peers_each(ngx_rooms_peers_t *peers, ngx_uint_t n,
    ngx_rooms_peers_each_e which)
{
    return peers->rows->replies[NGX_ROOMS_PEERS_EACH
                                + n * NGX_ROOMS_PEERS_REPLIES + which];
}


/* Whether its outbox has items. */
static ngx_uint_t
ngx_rooms_peers_waits(ngx_rooms_peers_t *peers, ngx_uint_t n)
{
    return ngx_rooms_reply_str(ngx_rooms_peers_each(peers, n,
                                                    NGX_ROOMS_PEERS_NEXT))
           .data != NULL;
}


/* One number of "FAILURES DROPPED". */
static int64_t
ngx_rooms_peers_state(rooms_str_t state, ngx_uint_t second)
{
    off_t    n;
    u_char  *p, *last;

    if (state.data == NULL) {
        return 0;
    }

    last = (u_char *) state.data + state.len;
    p = ngx_strlchr((u_char *) state.data, last, ' ');

    if (p == NULL) {
        return 0;
    }

    n = second ? ngx_atoof(p + 1, last - p - 1)
               : ngx_atoof((u_char *) state.data, p - state.data);

    return n > 0 ? n : 0;
}


static void
ngx_rooms_peers_outbox(ngx_rooms_req_t *rq, rooms_buf_t *b, ngx_uint_t n)
{
    int64_t             next;
    ngx_uint_t          waits;
    rooms_str_t         state;
    ngx_rooms_peers_t  *peers;

    peers = rq->data;
    waits = ngx_rooms_peers_waits(peers, n);
    state = ngx_rooms_peers_of(peers, NGX_ROOMS_PEERS_STATE, n);

    rooms_json_lit(b, ",\"outbox\":{\"pending\":");
    rooms_json_int(b, waits ? ngx_rooms_reply_int(ngx_rooms_peers_each(peers,
                                            n, NGX_ROOMS_PEERS_PENDING), 0)
                            : 0);
    rooms_json_put(b, ",\"dropped\":%d,\"failures\":%d,\"next_attempt_at\":",
                   (int64_t) ngx_rooms_peers_state(state, 1),
                   (int64_t) ngx_rooms_peers_state(state, 0));

    if (waits) {
        next = peers->now ? 0
               : ngx_rooms_reply_int(ngx_rooms_peers_each(peers, n,
                                                   NGX_ROOMS_PEERS_NEXT), 0);
        rooms_json_time(b, ngx_max(next, rq->now));

    } else {
        rooms_json_lit(b, "null");
    }

    rooms_json_lit(b, "}");
}


/* Writes the n-th peer of the page. */
static void
ngx_rooms_peers_row(ngx_rooms_req_t *rq, ngx_uint_t n)
{
    rooms_str_t         name, seen, error;
    rooms_buf_t        *b;
    ngx_rooms_peers_t  *peers;

    peers = rq->data;
    name = peers->names[n];
    seen = ngx_rooms_peers_of(peers, NGX_ROOMS_PEERS_SEEN, n);
    error = ngx_rooms_peers_of(peers, NGX_ROOMS_PEERS_ERRORS, n);

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"server_name\":%s,\"allowed\":", name);
    rooms_json_bool(b, rooms_policy_allows(peers->policy, name,
                       ngx_rooms_reply_int(ngx_rooms_peers_each(peers, n,
                                              NGX_ROOMS_PEERS_INVITED), 0)
                       > 0));
    rooms_json_lit(b, ",\"last_seen\":");

    if (seen.data) {
        rooms_json_time(b, ngx_atoof((u_char *) seen.data, seen.len));

    } else {
        rooms_json_lit(b, "null");
    }

    rooms_json_lit(b, ",\"last_error\":");

    if (error.data && !rooms_json_valid(error)) {
        ngx_rooms_unreadable(rq->r->connection->log, "error of", name);
        error = ROOMS_NULL;
    }

    if (error.data) {
        rooms_json_raw(b, error.data, error.len);

    } else {
        rooms_json_lit(b, "null");
    }

    ngx_rooms_peers_outbox(rq, b, n);

    rooms_json_lit(b, "}");
}


ngx_int_t
ngx_rooms_peers_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t          i;
    ngx_rooms_peers_t  *peers;

    peers = rq->data;

    ngx_rooms_list_open(rq);

    for (i = 0; i < peers->n; i++) {

        if (ngx_rooms_out_size(&rq->out) >= NGX_ROOMS_PEERS_SIZE) {
            peers->more = 1;
            break;
        }

        rooms_json_raw(ngx_rooms_out(&rq->out), ",", i > 0);

        ngx_rooms_peers_row(rq, i);
    }

    ngx_rooms_list_close(rq, peers->more, peers->more
                         ? ngx_rooms_cursor(rq->pool, 's',
                                            peers->names[i - 1])
                         : ROOMS_NULL);

    return NGX_OK;
}


/* The page with one peer, if it is known. */
ngx_int_t
ngx_rooms_retry_load(ngx_rooms_req_t *rq)
{
    rooms_str_t         name;
    ngx_rooms_peers_t  *peers;

    name = rq->param[NGX_ROOMS_P_SERVER];
    peers = rq->data;

    switch (rq->round) {

    case 0:
        peers = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_peers_t));
        if (peers == NULL) {
            return NGX_ERROR;
        }

        rq->data = peers;

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_fedpolicy_ask(rq->batch, &rq->keys) != NGX_OK
            || ngx_rooms_ask(rq->batch, &rq->keys, "ZSCORE %k %s",
                             NGX_ROOMS_KEY_PEER_NAMES, ROOMS_NULL, name)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_rooms_send_round(rq, 1);

    case 1:
        peers->policy = ngx_rooms_fedpolicy_take(rq,
                            ngx_rooms_reply(rq, NGX_ROOMS_PEERS_POLICY));
        if (peers->policy == NULL) {
            return NGX_ERROR;
        }

        if (rooms_str_eq(name, rooms_from_ngx(rq->conf->server_name))
            || (ngx_rooms_reply_str(ngx_rooms_reply(rq,
                                           NGX_ROOMS_PEERS_KNOWN)).data
                == NULL
                && !rooms_policy_lists(peers->policy, name)))
        {
            return ngx_rooms_fail(rq, NGX_ROOMS_E_PATH,
                                  "there is no such peer");
        }

        peers->names = &rq->param[NGX_ROOMS_P_SERVER];
        peers->n = 1;

        return ngx_rooms_peers_rows(rq, peers);

    default:
        peers->rows = rq->batch;
        return NGX_OK;
    }
}


ngx_int_t
ngx_rooms_retry_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_peers_t  *peers;

    peers = rq->data;

    if (!ngx_rooms_peers_waits(peers, 0)) {
        return NGX_OK;
    }

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    peers->now = 1;
    rq->commit.posts = 1;

    ngx_rooms_commit_write(&rq->commit, "ZADD",
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_OUTBOXES,
                                         ROOMS_NULL),
                           ngx_rooms_s("XX"), ngx_rooms_s("0"),
                           rq->param[NGX_ROOMS_P_SERVER]);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_rooms_retry_show(ngx_rooms_req_t *rq)
{
    rooms_json_lit(ngx_rooms_out(&rq->out), "{\"data\":");
    ngx_rooms_peers_row(rq, 0);
    rooms_json_lit(ngx_rooms_out(&rq->out), "}\n");

    return NGX_OK;
}


/*
 * POST /v1/admin/federation/foreign/{participant_id}/refresh: asks a foreign
 * participant's server for the current name.
 */


ngx_int_t
ngx_rooms_refresh_load(ngx_rooms_req_t *rq)
{
    switch (rq->round) {

    case NGX_ROOMS_F_BEGIN:

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_fedpolicy_ask(rq->batch, &rq->keys) != NGX_OK
            || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL,
                             rq->param[NGX_ROOMS_P_PARTICIPANT]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_rooms_send_round(rq, NGX_ROOMS_F_PROFILE);

    case NGX_ROOMS_F_PROFILE:
        return ngx_rooms_refresh_ask(rq);

    default:
        return ngx_rooms_refresh_take(rq);
    }
}


/* Checks that the participant is foreign and that we may ask its server. */
static ngx_int_t
ngx_rooms_refresh_ask(ngx_rooms_req_t *rq)
{
    ngx_int_t             rc;
    rooms_str_t           fqid, local, server;
    rooms_policy_t       *policy;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;

    rc = ngx_rooms_parse_profile(rq->pool,
                                 ngx_rooms_reply_str(ngx_rooms_reply(rq, 1)),
                                 rq->param[NGX_ROOMS_P_PARTICIPANT], p);

    policy = ngx_rooms_fedpolicy_take(rq, ngx_rooms_reply(rq, 0));

    if (rc == NGX_ERROR || policy == NULL) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED || p->server.data == NULL) {
        return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT,
                              "there is no such foreign participant");
    }

    fqid = ngx_rooms_join(rq->pool, ngx_rooms_s("@"), p->local,
                          ngx_rooms_s(":"), p->server);

    if (fqid.data == NULL || rooms_fqid_parse(fqid, &local, &server) != 0) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNKNOWN, NULL);
    }

    /* foreign participants known here were invited from here */

    if (!rooms_policy_allows(policy, p->server, 1)
        || ngx_rooms_peer_forbidden(rq->conf, p->server))
    {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY, NULL);
    }

    return ngx_rooms_refresh_call(rq);
}


static ngx_int_t
ngx_rooms_refresh_call(ngx_rooms_req_t *rq)
{
    ngx_str_t              uri;
    ngx_rooms_peer_ask_t  *ask;

    ask = ngx_rooms_peer_ask_create(rq);
    uri = ngx_from_rooms(ngx_rooms_join(rq->pool,
                             ngx_rooms_s("/_scaiwave/federation/v1/profile/"),
                             rq->profile.local));

    if (ask == NULL || uri.data == NULL) {
        return NGX_ERROR;
    }

    rq->data = ask;

    return ngx_rooms_peer_ask(ask, rq->pool, rq->profile.server, &uri,
                              NGX_ROOMS_F_ANSWER);
}


static ngx_int_t
ngx_rooms_refresh_take(ngx_rooms_req_t *rq)
{
    json_t                *object;
    ngx_int_t              rc;
    ngx_rooms_peer_ask_t  *ask;

    ask = rq->data;

    if (ask->status == NGX_HTTP_NOT_FOUND) {
        return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT,
                              "the peer has no such participant");
    }

    if (ask->status != NGX_HTTP_OK || ask->answer.data == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNREACHABLE,
                              ask->status
                              ? "the peer did not give the profile" : NULL);
    }

    object = json_loadb((char *) ask->answer.data, ask->answer.len,
                        JSON_REJECT_DUPLICATES, NULL);

    rc = ngx_rooms_refresh_read(rq, json_object_get(object, "data"));

    json_decref(object);

    return rc == NGX_DECLINED
           ? ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNREACHABLE,
                            "the peer's answer is not that profile")
           : rc;
}


/* Checks that the answer is about this participant and fit to be shown. */
static ngx_int_t
ngx_rooms_refresh_read(ngx_rooms_req_t *rq, json_t *data)
{
    rooms_str_t           name, avatar;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;

    if (rooms_remote_answer(data, p->local, p->server, &name, &avatar) != 0) {
        return NGX_DECLINED;
    }

    p->name = ngx_rooms_dup(rq->pool, name);
    p->avatar = ngx_rooms_dup(rq->pool, avatar);

    return p->name.data ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_rooms_refresh_decide(ngx_rooms_req_t *rq)
{
    rooms_str_t         had;
    ngx_rooms_batch_t  *b;

    /* rq->batch is still the one of the first round */

    b = rq->batch;
    had = ngx_rooms_reply_str(b->replies[1]);

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_apply_person(&rq->commit, &rq->keys, had, &rq->profile,
                           rq->now);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_rooms_refresh_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t          *b;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"participant_id\":%s,\"fqid\":", p->id);
    ngx_rooms_fqid_json(b, p, &rq->conf->server_name);
    rooms_json_put(b, ",\"local_id\":%s,\"server_name\":%s,"
                   "\"display_name\":%s,\"participant_type\":%s,"
                   "\"avatar_url\":%s}}\n", p->local, p->server, p->name,
                   p->type, p->avatar);

    return NGX_OK;
}
