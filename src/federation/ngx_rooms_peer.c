/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Authenticates requests of other servers, and caches the keys of these
 * servers.
 */

#include "ngx_rooms_peer.h"
#include "ngx_rooms_peer_call.h"
#include "rooms_remote.h"
#include "ngx_rooms_fedpolicy.h"



/* Unknown servers, and familiar ones. */
static struct {
    ngx_queue_t   queue;
    ngx_uint_t    n;
} ngx_rooms_peers[2];

typedef enum {
    NGX_ROOMS_A_FIELDS = 0,
    NGX_ROOMS_A_POLICY,
    NGX_ROOMS_A_KEY,                       /* the descriptor was fetched */
    NGX_ROOMS_A_NOTED                      /* the peer's error was recorded */
} ngx_rooms_peer_round_e;


static void ngx_rooms_peer_fetched(ngx_rooms_peer_call_t *call);
static void ngx_rooms_peer_read(ngx_rooms_peer_t *peer,
    ngx_rooms_peer_call_t *call);
static ngx_int_t ngx_rooms_peer_fields(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_peer_policy(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_peer_verify(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_peer_key(ngx_rooms_req_t *rq, ngx_rooms_peer_t *peer,
    rooms_str_t key_id, ngx_uint_t to);


static ngx_http_conf_ctx_t *
ngx_rooms_peer_ctx(ngx_rooms_req_t *rq)
{
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(rq->r, ngx_http_core_module);

    return cscf->ctx;
}


/*
 * Allocates an entry.  If there are enough of its kind, it reuses the least
 * recently used one that nobody waits for.
 */
static ngx_rooms_peer_t *
ngx_rooms_peer_new(ngx_uint_t familiar)
{
    ngx_queue_t       *q, *queue;
    ngx_rooms_peer_t  *peer;

    if (ngx_rooms_peers[familiar].n < (familiar ? NGX_ROOMS_PEERS
                                                : NGX_ROOMS_STRANGERS))
    {
        peer = ngx_alloc(sizeof(ngx_rooms_peer_t), ngx_cycle->log);

        if (peer) {
            ngx_rooms_peers[familiar].n++;
        }

        return peer;
    }

    queue = &ngx_rooms_peers[familiar].queue;

    for (q = ngx_queue_last(queue);
         q != ngx_queue_sentinel(queue);
         q = ngx_queue_prev(q))
    {
        peer = ngx_queue_data(q, ngx_rooms_peer_t, queue);

        if (!peer->fetching && ngx_queue_empty(&peer->waiters)) {
            ngx_queue_remove(q);
            return peer;
        }
    }

    return NULL;
}


void
ngx_rooms_peers_free(void)
{
    ngx_uint_t    i;
    ngx_queue_t  *q, *queue;

    for (i = 0; i < 2; i++) {
        queue = &ngx_rooms_peers[i].queue;

        while (queue->next && !ngx_queue_empty(queue)) {
            q = ngx_queue_head(queue);
            ngx_queue_remove(q);
            ngx_free(ngx_queue_data(q, ngx_rooms_peer_t, queue));
        }

        ngx_rooms_peers[i].n = 0;
    }
}


static ngx_rooms_peer_t *
ngx_rooms_peer_find_entry(ngx_http_conf_ctx_t *ctx, rooms_str_t name)
{
    ngx_uint_t         i;
    ngx_queue_t       *q, *queue;
    ngx_rooms_peer_t  *peer;

    for (i = 0; i < 2; i++) {
        queue = &ngx_rooms_peers[i].queue;

        if (queue->next == NULL) {
            ngx_queue_init(queue);
        }

        for (q = ngx_queue_head(queue);
             q != ngx_queue_sentinel(queue);
             q = ngx_queue_next(q))
        {
            peer = ngx_queue_data(q, ngx_rooms_peer_t, queue);

            if (peer->ctx == ctx && peer->len == name.len
                && ngx_memcmp(peer->name, name.data, name.len) == 0)
            {
                return peer;
            }
        }
    }

    return NULL;
}


/* Counts an entry as familiar from now on, if there is a place. */
static void
ngx_rooms_peer_meet(ngx_rooms_peer_t *peer)
{
    ngx_rooms_peer_t  *place;

    place = ngx_rooms_peer_new(1);

    if (place) {
        ngx_free(place);
        ngx_rooms_peers[0].n--;
        peer->familiar = 1;
    }
}


ngx_rooms_peer_t *
ngx_rooms_peer_get(ngx_rooms_req_t *rq, rooms_str_t name, ngx_uint_t familiar)
{
    ngx_rooms_peer_t     *peer;
    ngx_http_conf_ctx_t  *ctx;

    ctx = ngx_rooms_peer_ctx(rq);
    peer = ngx_rooms_peer_find_entry(ctx, name);

    if (peer) {
        ngx_queue_remove(&peer->queue);

        if (familiar && !peer->familiar) {
            ngx_rooms_peer_meet(peer);
        }

    } else {
        peer = ngx_rooms_peer_new(familiar);

        if (peer == NULL) {
            return NULL;
        }

        ngx_memzero(peer, sizeof(ngx_rooms_peer_t));
        ngx_queue_init(&peer->waiters);

        peer->familiar = familiar;
        peer->ctx = ctx;
        peer->len = name.len;
        ngx_memcpy(peer->name, name.data, name.len);
    }

    ngx_queue_insert_head(&ngx_rooms_peers[peer->familiar].queue,
                          &peer->queue);

    return peer;
}


static ngx_int_t
ngx_rooms_peer_fetch(ngx_rooms_req_t *rq, ngx_rooms_peer_t *peer)
{
    ngx_rooms_peer_call_t  *call;

    static ngx_str_t  uri = ngx_string("/.well-known/scaiwave/server");

    if (ngx_rooms_uptime() - peer->tried >= NGX_ROOMS_PEER_AGAIN) {
        peer->tried = ngx_rooms_uptime();
        peer->tries = 0;
    }

    if (peer->tries++ >= NGX_ROOMS_PEER_TRIES) {
        return NGX_DECLINED;
    }

    call = ngx_rooms_peer_call(peer->ctx, rq->conf,
                               (rooms_str_t) { peer->len, peer->name }, &uri,
                               ngx_rooms_peer_fetched, peer);
    if (call == NULL) {
        return NGX_ERROR;
    }

    peer->fetching = 1;

    ngx_rooms_peer_call_start(call);

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_peer_find(ngx_rooms_req_t *rq, ngx_rooms_peer_t *peer,
    rooms_str_t key_id, ngx_uint_t to, ngx_uint_t nkeys)
{
    ngx_int_t   rc;
    ngx_uint_t  i, fresh;

    fresh = peer->known
            && ngx_rooms_uptime() - peer->fetched < NGX_ROOMS_PEER_TTL;

    for (i = 0; fresh && i < ngx_min(peer->nkeys, nkeys); i++) {
        if (rooms_str_eq(key_id, rooms_cstr(peer->key[i].id))) {
            return NGX_OK;
        }
    }

    /* once per request, and once for all requests that wait together */

    if (rq->round != to) {
        rc = peer->fetching ? NGX_OK : ngx_rooms_peer_fetch(rq, peer);

        if (rc == NGX_OK) {
            rq->round = to;
            return ngx_rooms_wait_in(rq, &peer->waiters, NGX_ROOMS_PEER_WAIT);
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    if (fresh && !peer->failure) {
        return NGX_DECLINED;
    }

    return ngx_rooms_fail(rq, peer->failure ? peer->failure
                                            : NGX_ROOMS_E_FED_UNREACHABLE,
                          peer->failure ? peer->why : NULL);
}


static ngx_int_t
ngx_rooms_peer_key(ngx_rooms_req_t *rq, ngx_rooms_peer_t *peer,
    rooms_str_t key_id, ngx_uint_t to)
{
    return ngx_rooms_peer_find(rq, peer, key_id, to, 1);
}


ngx_int_t
ngx_rooms_peer_event_key(ngx_rooms_req_t *rq, ngx_rooms_peer_t *peer,
    rooms_str_t key_id, ngx_uint_t to)
{
    return ngx_rooms_peer_find(rq, peer, key_id, to, 1 + NGX_ROOMS_PEER_OLD);
}


static void
ngx_rooms_peer_fetched(ngx_rooms_peer_call_t *call)
{
    ngx_rooms_peer_t         *peer;

    peer = call->data;
    peer->fetching = 0;

    ngx_rooms_peer_read(peer, call);

    if (peer->failure) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "rooms: no descriptor of \"%V\": %s, status %ui",
                      &call->peer, call->error ? call->error : peer->why,
                      call->status);
    }

    ngx_rooms_wake_all(&peer->waiters);
}


static ngx_uint_t
ngx_rooms_peer_speaks(json_t *versions)
{
    size_t       i;
    json_t      *version;

    for (i = 0; i < json_array_size(versions); i++) {
        version = json_array_get(versions, i);

        if (json_is_string(version)
            && ngx_strcmp(json_string_value(version), "v1") == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* Invalid keys are skipped. */
static void
ngx_rooms_peer_old_keys(ngx_rooms_peer_t *peer, json_t *old)
{
    size_t       i;
    json_t      *key;
    rooms_str_t  text;

    for (i = 0; i < json_array_size(old)
                && peer->nkeys <= NGX_ROOMS_PEER_OLD; i++)
    {
        key = json_array_get(old, i);

        if (!json_is_string(key)) {
            continue;
        }

        text.data = (u_char *) json_string_value(key);
        text.len = json_string_length(key);

        if (rooms_fedkey_parse(text, &peer->key[peer->nkeys]) == 0) {
            peer->nkeys++;
        }
    }
}


static void
ngx_rooms_peer_describe(ngx_rooms_peer_t *peer, json_t *data)
{
    rooms_str_t     name;
    rooms_fedkey_t  key;

    name.len = peer->len;
    name.data = peer->name;

    if (!rooms_str_eq(rooms_remote_str(data, "server_name"), name)) {
        peer->failure = NGX_ROOMS_E_FED_UNKNOWN;
        peer->why = "the server at the peer's address has another name";
        return;
    }

    if (!ngx_rooms_peer_speaks(json_object_get(data, "protocol_versions"))) {
        peer->failure = NGX_ROOMS_E_FED_VERSION;
        peer->why = "the peer does not speak \"v1\"";
        return;
    }

    if (rooms_fedkey_parse(rooms_remote_str(data, "public_key"), &key)
        != 0)
    {
        peer->failure = NGX_ROOMS_E_FED_UNREACHABLE;
        peer->why = "the peer's descriptor has no valid public_key";
        return;
    }

    peer->key[0] = key;
    peer->nkeys = 1;
    ngx_rooms_peer_old_keys(peer, json_object_get(data, "old_public_keys"));

    peer->known = 1;
    peer->failure = 0;
    peer->fetched = ngx_rooms_uptime();
}


static void
ngx_rooms_peer_read(ngx_rooms_peer_t *peer, ngx_rooms_peer_call_t *call)
{
    json_t  *object, *data;

    peer->failure = NGX_ROOMS_E_FED_UNREACHABLE;
    peer->why = "the peer can't be reached";

    if (call->status != NGX_HTTP_OK) {
        return;
    }

    object = json_loadb((char *) call->answer.data, call->answer.len,
                        JSON_REJECT_DUPLICATES, NULL);
    data = json_object_get(object, "data");

    if (json_is_object(object)) {
        ngx_rooms_peer_describe(peer, json_is_object(data) ? data : object);

    } else {
        peer->why = "the peer's descriptor is not a JSON object";
    }

    json_decref(object);
}


/*
 * Authenticating a request: who has signed it, does the policy allow that
 * server, and is it the server's key?  A key is fetched only after the policy
 * has allowed the server.
 */


ngx_int_t
ngx_rooms_peer_authenticate(ngx_rooms_req_t *rq)
{
    switch (rq->round) {

    case NGX_ROOMS_A_FIELDS:
        return ngx_rooms_peer_fields(rq);

    case NGX_ROOMS_A_POLICY:

        if (ngx_rooms_peer_policy(rq) != NGX_OK) {
            return NGX_ERROR;
        }

        /* fall through */

    case NGX_ROOMS_A_KEY:
        return ngx_rooms_peer_verify(rq);

    default:
        /* rq->error is set */
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_rooms_peer_mismatch(ngx_rooms_req_t *rq, const char *field,
    const char *problem)
{
    rq->error_field = rooms_cstr(field);
    rq->error_problem = rooms_cstr(problem);

    return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_SIGNATURE, NULL);
}


/*
 * A wrong clock is the only cause that operators can recognise here, so the
 * message has both times.
 */
static ngx_int_t
ngx_rooms_peer_late(ngx_rooms_req_t *rq, int64_t created)
{
    u_char  *p;

    p = ngx_pnalloc(rq->pool, 128);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rq->error_field = ngx_rooms_s("Signature-Input");
    rq->error_problem.data = p;
    rq->error_problem.len = ngx_sprintf(p, "was created at %L, and here it "
                                        "is %T: more than %d s apart, or "
                                        "expired", created, ngx_time(),
                                        ROOMS_SIGNATURE_WINDOW) - p;

    return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_SIGNATURE, NULL);
}


static ngx_int_t
ngx_rooms_peer_fields(ngx_rooms_req_t *rq)
{
    const char          *problem;
    rooms_str_t          input, signature;
    rooms_signature_t   *sig;
    ngx_rooms_signer_t  *signer;

    signer = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_signer_t));
    if (signer == NULL) {
        return NGX_ERROR;
    }

    rq->signer = signer;
    sig = &signer->signature;

    input = ngx_rooms_header_in(rq->r, "Signature-Input");
    signature = ngx_rooms_header_in(rq->r, "Signature");
    signer->digest = ngx_rooms_header_in(rq->r, "Content-Digest");

    if (input.data == NULL || signature.data == NULL
        || signer->digest.data == NULL)
    {
        return ngx_rooms_peer_mismatch(rq, "Signature",
                                       "is required, with Signature-Input "
                                       "and Content-Digest");
    }

    problem = rooms_signature_parse(input, signature, sig);

    if (problem) {
        return ngx_rooms_peer_mismatch(rq, "Signature-Input", problem);
    }

    if (!rooms_signature_fresh(sig, ngx_time())) {
        return ngx_rooms_peer_late(rq, sig->created);
    }

    if (rooms_str_eq(sig->server, rooms_from_ngx(rq->conf->server_name))) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNKNOWN, NULL);
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_fedpolicy_ask(rq->batch, &rq->keys) != NGX_OK
        || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_PEERS, ROOMS_NULL, sig->server)
           != NGX_OK
        || ngx_rooms_fedpolicy_ask_invited(rq->batch, &rq->keys, sig->server)
           != NGX_OK
        || ngx_rooms_ask(rq->batch, &rq->keys, "EXISTS %k",
                         NGX_ROOMS_KEY_PEER_ROOMS, sig->server) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_A_POLICY);
}


static ngx_int_t
ngx_rooms_peer_policy(ngx_rooms_req_t *rq)
{
    rooms_str_t      server;
    rooms_policy_t  *policy;

    server = rq->signer->signature.server;

    policy = ngx_rooms_fedpolicy_take(rq, ngx_rooms_reply(rq, 0));
    if (policy == NULL) {
        return NGX_ERROR;
    }

    if (!rooms_policy_allows(policy, server,
                             ngx_rooms_reply_int(ngx_rooms_reply(rq, 2), 0)
                             > 0))
    {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY, NULL);
    }

    if (ngx_rooms_peer_forbidden(rq->conf, server)) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY,
                              "the peer's address is not public");
    }

    rq->signer->familiar = rooms_policy_lists(policy, server)
                 || ngx_rooms_reply_str(ngx_rooms_reply(rq, 1)).data != NULL
                 || ngx_rooms_reply_int(ngx_rooms_reply(rq, 3), 0) > 0;

    return NGX_OK;
}


/*
 * Records the error for administrators.  Unknown servers don't get a record,
 * so they can't fill the store with names.
 */
static ngx_int_t
ngx_rooms_peer_trouble(ngx_rooms_req_t *rq)
{
    rooms_buf_t              *b;
    const ngx_rooms_error_t  *e;
    ngx_rooms_json_t          text;

    if (rq->error == ROOMS_OK || !rq->signer->familiar) {
        return NGX_ERROR;
    }

    e = ngx_rooms_error(rq->error);
    b = ngx_rooms_json(&text, rq->pool);

    rooms_json_put(b, "{\"code\":%s,\"message\":%s,\"at\":%t}",
                   rooms_cstr(e->code),
                   ngx_rooms_error_message(rq, rq->pool),
                   (int64_t) rq->now);

    if (b->full || ngx_rooms_batch(rq) == NULL
        || ngx_rooms_ask(rq->batch, &rq->keys, "HSET %k %s %s",
                         NGX_ROOMS_KEY_PEER_ERRORS, ROOMS_NULL,
                         rq->signer->signature.server,
                         ngx_rooms_json_end(&text)) != NGX_OK
        || ngx_rooms_ask(rq->batch, &rq->keys, "ZADD %k 0 %s",
                         NGX_ROOMS_KEY_PEER_NAMES, ROOMS_NULL,
                         rq->signer->signature.server) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_A_NOTED);
}


static ngx_int_t
ngx_rooms_peer_verify(ngx_rooms_req_t *rq)
{
    u_char                  *p;
    size_t                   size;
    ngx_int_t                rc;
    rooms_buf_t              work;
    ngx_rooms_peer_t        *peer;
    rooms_signature_t       *sig;
    ngx_rooms_signer_t      *signer;
    rooms_signed_request_t   request;

    signer = rq->signer;
    sig = &signer->signature;

    /* the entry may have been reused while we waited */

    peer = ngx_rooms_peer_get(rq, sig->server, signer->familiar);
    if (peer == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_UNREACHABLE, NULL);
    }

    rc = ngx_rooms_peer_key(rq, peer, sig->key_id, NGX_ROOMS_A_KEY);

    if (rc == NGX_DECLINED) {
        return ngx_rooms_peer_mismatch(rq, "Signature-Input",
                                       "names a key that the peer does not "
                                       "sign with");
    }

    if (rc != NGX_OK) {
        return rc == NGX_ERROR ? ngx_rooms_peer_trouble(rq) : rc;
    }

    signer->key = peer->key[0];

    request.method = rooms_from_ngx(rq->r->method_name);
    request.authority = rooms_from_ngx(rq->conf->server_name);
    request.target = rooms_from_ngx(rq->r->unparsed_uri);
    request.digest = signer->digest;

    size = 256 + sig->params.len + request.method.len + request.authority.len
           + request.target.len + request.digest.len;

    p = ngx_pnalloc(rq->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rooms_buf_init(&work, p, size);

    if (rooms_signature_verify(sig, &request, &signer->key, &work) != 0) {
        return ngx_rooms_peer_mismatch(rq, "Signature",
                                       "does not match this request");
    }

    return NGX_OK;
}


/*
 * The signature covers the digest; this checks that the digest matches the
 * body.
 */
ngx_int_t
ngx_rooms_peer_digest(ngx_rooms_req_t *rq)
{
    rooms_str_t  body;

    body = rq->text.data ? rooms_from_ngx(rq->text) : ngx_rooms_s("");

    if (rooms_digest_check(rq->signer->digest, body) != 0) {
        return ngx_rooms_peer_mismatch(rq, "Content-Digest",
                                       "does not match this body");
    }

    return NGX_OK;
}
