/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What the admin sees of other servers, GET /v1/admin/federation/peers, and
 * POST .../peers/{server}/retry.
 */

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_fedpolicy.h"


typedef enum {
    NGX_ROOMS_PEERS_POLICY = 0,
    NGX_ROOMS_PEERS_SEEN,
    NGX_ROOMS_PEERS_ERRORS,
    NGX_ROOMS_PEERS_STATE,
    NGX_ROOMS_PEERS_OUTBOXES
} ngx_rooms_peers_reply_e;

/* What the store knows of them: pairs of a name and its value. */
typedef struct {
    rooms_policy_t     *policy;
    redisReply         *seen;
    redisReply         *errors;
    redisReply         *state;             /* of outboxes: of all of them ... */
    redisReply         *outboxes;          /* ... and those that hold any */
    redisReply         *lists[3];          /* seen, errors, outboxes */
    ngx_rooms_batch_t  *more;              /* sizes of outboxes, and of each of
                                              the lists in how many rooms of
                                              ours; NULL: there's nothing */
    ngx_uint_t          asked;             /* the one that is retried */
    unsigned            now:1;             /* they are tried at once */
} ngx_rooms_peers_t;


static ngx_int_t ngx_rooms_peers_take(ngx_rooms_req_t *rq);


ngx_int_t
ngx_rooms_peers_load(ngx_rooms_req_t *rq)
{
    ngx_uint_t          i;
    rooms_str_t         key[4];
    ngx_rooms_peers_t  *peers;

    static const ngx_rooms_key_e  hashes[] = {
        NGX_ROOMS_KEY_PEERS, NGX_ROOMS_KEY_PEER_ERRORS,
        NGX_ROOMS_KEY_OUTBOX_STATE
    };

    if (rq->round == 1) {
        return ngx_rooms_peers_take(rq);
    }

    if (rq->round == 2) {
        peers = rq->data;
        peers->more = rq->batch;
        return NGX_OK;
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_fedpolicy_ask(rq->batch, &rq->keys) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < 3; i++) {
        key[i] = ngx_rooms_key(&rq->keys, hashes[i], ROOMS_NULL);
        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("HGETALL"), key[i]);
    }

    key[3] = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_OUTBOXES, ROOMS_NULL);
    (void) ngx_rooms_command(rq->batch, ngx_rooms_s("ZRANGE"), key[3],
                             ngx_rooms_s("0"), ngx_rooms_s("-1"),
                             ngx_rooms_s("WITHSCORES"));

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    rq->round = 1;

    return ngx_rooms_send(rq);
}


static ngx_int_t
ngx_rooms_peers_take(ngx_rooms_req_t *rq)
{
    ngx_uint_t          i, n;
    rooms_str_t         server;
    ngx_rooms_batch_t  *b;
    ngx_rooms_peers_t  *peers;

    peers = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_peers_t));
    if (peers == NULL) {
        return NGX_ERROR;
    }

    rq->data = peers;

    peers->policy = ngx_rooms_fedpolicy_take(rq,
                            ngx_rooms_reply(rq, NGX_ROOMS_PEERS_POLICY));
    peers->seen = ngx_rooms_reply(rq, NGX_ROOMS_PEERS_SEEN);
    peers->errors = ngx_rooms_reply(rq, NGX_ROOMS_PEERS_ERRORS);
    peers->state = ngx_rooms_reply(rq, NGX_ROOMS_PEERS_STATE);
    peers->outboxes = ngx_rooms_reply(rq, NGX_ROOMS_PEERS_OUTBOXES);

    if (peers->policy == NULL) {
        return NGX_ERROR;
    }

    peers->lists[0] = peers->seen;
    peers->lists[1] = peers->errors;
    peers->lists[2] = peers->outboxes;

    if (peers->seen->elements + peers->errors->elements
        + peers->outboxes->elements == 0)
    {
        return NGX_OK;
    }

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i + 1 < peers->outboxes->elements; i += 2) {
        server = ngx_rooms_reply_str(peers->outboxes->element[i]);

        (void) ngx_rooms_command(b, ngx_rooms_s("ZCARD"),
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_OUTBOX, server));
    }

    for (n = 0; n < 3; n++) {
        for (i = 0; i + 1 < peers->lists[n]->elements; i += 2) {
            server = ngx_rooms_reply_str(peers->lists[n]->element[i]);

            (void) ngx_rooms_fedpolicy_ask_invited(b, &rq->keys, server);
        }
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = 2;

    return ngx_rooms_send(rq);
}


/* Where a name's value is in a reply of pairs; 0: it isn't there. */
static ngx_uint_t
ngx_rooms_peers_at(redisReply *pairs, rooms_str_t name)
{
    ngx_uint_t  i;

    for (i = 0; i + 1 < pairs->elements; i += 2) {
        if (rooms_str_eq(ngx_rooms_reply_str(pairs->element[i]), name)) {
            return i + 1;
        }
    }

    return 0;
}


static rooms_str_t
ngx_rooms_peers_find(redisReply *pairs, rooms_str_t name)
{
    ngx_uint_t  i;

    i = ngx_rooms_peers_at(pairs, name);

    return i ? ngx_rooms_reply_str(pairs->element[i]) : ROOMS_NULL;
}


/* A number of "failures dropped". */
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
ngx_rooms_peers_outbox(ngx_rooms_req_t *rq, rooms_buf_t *b, rooms_str_t name)
{
    int64_t             next;
    ngx_uint_t          at;
    rooms_str_t         state;
    ngx_rooms_peers_t  *peers;

    peers = rq->data;
    at = ngx_rooms_peers_at(peers->outboxes, name);
    state = ngx_rooms_peers_find(peers->state, name);

    rooms_json_lit(b, ",\"outbox\":{\"pending\":");
    rooms_json_int(b, at ? ngx_rooms_reply_int(peers->more->replies[at / 2],
                                               0)
                         : 0);
    rooms_json_lit(b, ",\"dropped\":");
    rooms_json_int(b, ngx_rooms_peers_state(state, 1));
    rooms_json_lit(b, ",\"failures\":");
    rooms_json_int(b, ngx_rooms_peers_state(state, 0));
    rooms_json_lit(b, ",\"next_attempt_at\":");

    if (at) {
        next = peers->now ? 0
               : ngx_rooms_reply_int(peers->outboxes->element[at], 0);
        rooms_json_time(b, ngx_max(next, rq->now));

    } else {
        rooms_json_lit(b, "null");
    }

    rooms_json_lit(b, "}");
}


/* n: its place in the lists, or behind them. */
static void
ngx_rooms_peers_row(ngx_rooms_req_t *rq, rooms_str_t name, ngx_uint_t n)
{
    int64_t             rooms;
    rooms_str_t         seen, error;
    rooms_buf_t        *b;
    ngx_rooms_peers_t  *peers;

    peers = rq->data;
    n += peers->outboxes->elements / 2;
    rooms = peers->more && n < peers->more->commands.nelts
            ? ngx_rooms_reply_int(peers->more->replies[n], 0) : 0;
    seen = ngx_rooms_peers_find(peers->seen, name);
    error = ngx_rooms_peers_find(peers->errors, name);

    b = ngx_rooms_out(&rq->out, 384 + ROOMS_JSON_STR(name.len) + error.len);

    rooms_json_lit(b, "{\"server_name\":");
    rooms_json_str(b, name);
    rooms_json_lit(b, ",\"allowed\":");
    rooms_json_bool(b, rooms_policy_allows(peers->policy, name, rooms > 0));
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

    ngx_rooms_peers_outbox(rq, b, name);

    rooms_json_lit(b, "}");
}


/* Walks over all names, each once: NULL when there is no other. */
static rooms_str_t
ngx_rooms_peers_next(ngx_rooms_req_t *rq, ngx_uint_t *n)
{
    json_t             *peer;
    ngx_uint_t          i, at;
    redisReply        **lists;
    rooms_str_t         name;
    ngx_rooms_peers_t  *peers;

    peers = rq->data;
    lists = peers->lists;

    for (at = (*n)++; /* void */ ; at = (*n)++) {

        for (i = 0; i < 3; i++) {

            if (at < lists[i]->elements / 2) {
                break;
            }

            at -= lists[i]->elements / 2;
        }

        if (i < 3) {
            name = ngx_rooms_reply_str(lists[i]->element[2 * at]);

        } else {
            peer = json_array_get(peers->policy->peers, at);

            if (peer == NULL) {
                return ROOMS_NULL;
            }

            name = rooms_cstr(json_string_value(peer));
        }

        if (rooms_str_eq(name, rooms_from_ngx(rq->conf->server_name))) {
            continue;
        }

        /* of those that stand in several lists, the first counts */

        while (i > 0 && ngx_rooms_peers_at(lists[i - 1], name) == 0) {
            i--;
        }

        if (i == 0) {
            return name;
        }
    }
}


/* Peers that were here, that failed, that wait, and that the policy names. */
ngx_int_t
ngx_rooms_peers_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t   n;
    rooms_str_t  name;
    const char  *comma;

    ngx_rooms_list_open(rq);

    for (comma = "", n = 0; /* void */ ; comma = ",") {
        name = ngx_rooms_peers_next(rq, &n);

        if (name.data == NULL) {
            break;
        }

        rooms_json_raw(ngx_rooms_out(&rq->out, 1), comma, ngx_strlen(comma));
        ngx_rooms_peers_row(rq, name, n - 1);
    }

    ngx_rooms_list_close(rq, 0, ROOMS_NULL);

    return NGX_OK;
}


ngx_int_t
ngx_rooms_retry_load(ngx_rooms_req_t *rq)
{
    ngx_int_t    rc;
    ngx_uint_t   n;
    rooms_str_t  name;

    rc = ngx_rooms_peers_load(rq);

    if (rc != NGX_OK) {
        return rc;
    }

    for (n = 0; /* void */ ; /* void */) {
        name = ngx_rooms_peers_next(rq, &n);

        if (name.data == NULL) {
            return ngx_rooms_fail(rq, NGX_ROOMS_E_PATH,
                                  "there is no such peer");
        }

        if (rooms_str_eq(name, rq->param[NGX_ROOMS_P_SERVER])) {
            ((ngx_rooms_peers_t *) rq->data)->asked = n - 1;
            return NGX_OK;
        }
    }
}


ngx_int_t
ngx_rooms_retry_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_peers_t  *peers;

    peers = rq->data;

    if (ngx_rooms_peers_at(peers->outboxes, rq->param[NGX_ROOMS_P_SERVER])
        == 0)
    {
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
    ngx_rooms_peers_t  *peers;

    peers = rq->data;

    rooms_json_lit(ngx_rooms_out(&rq->out, 16), "{\"data\":");
    ngx_rooms_peers_row(rq, rq->param[NGX_ROOMS_P_SERVER], peers->asked);
    rooms_json_lit(ngx_rooms_out(&rq->out, 16), "}\n");

    return NGX_OK;
}
