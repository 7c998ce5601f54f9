/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A request of another server: who signed it, may that server ask here, and
 * is it its key.  Only what the policy allows makes us ask anybody.
 */

#include "ngx_rooms_peer.h"
#include "ngx_rooms_federation.h"
#include "ngx_rooms_fedpolicy.h"
#include "ngx_rooms_peer_call.h"


typedef enum {
    NGX_ROOMS_A_FIELDS = 0,
    NGX_ROOMS_A_POLICY,
    NGX_ROOMS_A_KEY,                       /* the peer was asked for it */
    NGX_ROOMS_A_NOTED                      /* that it didn't answer well */
} ngx_rooms_peer_round_e;


static ngx_int_t ngx_rooms_peer_fields(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_peer_policy(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_peer_verify(ngx_rooms_req_t *rq);


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
        /* the error is set */
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


/* A clock that is off is the one fault that an operator can see from here. */
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
        || ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PEERS,
                                           ROOMS_NULL),
                             sig->server) != NGX_OK
        || ngx_rooms_fedpolicy_ask_invited(rq->batch, &rq->keys, sig->server)
           != NGX_OK
        || ngx_rooms_command(rq->batch, ngx_rooms_s("EXISTS"),
                             ngx_rooms_key(&rq->keys,
                                           NGX_ROOMS_KEY_PEER_ROOMS,
                                           sig->server)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_A_POLICY;

    return ngx_rooms_send(rq);
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
                              "the peer's address is not a public one");
    }

    rq->signer->familiar = rooms_policy_lists(policy, server)
                 || ngx_rooms_reply_str(ngx_rooms_reply(rq, 1)).data != NULL
                 || ngx_rooms_reply_int(ngx_rooms_reply(rq, 3), 0) > 0;

    return NGX_OK;
}


/*
 * The admin wants to know of a peer's trouble; names that a stranger makes up
 * don't fill the store.
 */
static ngx_int_t
ngx_rooms_peer_trouble(ngx_rooms_req_t *rq)
{
    u_char                   *p;
    size_t                    size;
    rooms_buf_t               b;
    const ngx_rooms_error_t  *e;

    if (rq->error == ROOMS_OK || !rq->signer->familiar) {
        return NGX_ERROR;
    }

    e = ngx_rooms_error(rq->error);
    size = 128 + ROOMS_JSON_STR(rq->message.len + ngx_strlen(e->message));

    p = ngx_pnalloc(rq->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rooms_buf_init(&b, p, size);
    rooms_json_lit(&b, "{\"code\":");
    rooms_json_str(&b, rooms_cstr(e->code));
    rooms_json_lit(&b, ",\"message\":");
    rooms_json_str(&b, rq->message.data ? rq->message
                                        : rooms_cstr(e->message));
    rooms_json_lit(&b, ",\"at\":");
    rooms_json_time(&b, rq->now);
    rooms_json_lit(&b, "}");

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_command(rq->batch, ngx_rooms_s("HSET"),
                             ngx_rooms_key(&rq->keys,
                                           NGX_ROOMS_KEY_PEER_ERRORS,
                                           ROOMS_NULL),
                             rq->signer->signature.server,
                             (rooms_str_t) { b.last - p, p }) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_A_NOTED;

    return ngx_rooms_send(rq);
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

    /* an entry may have gone to another name while we waited */

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
                                       "is not of this request");
    }

    return NGX_OK;
}


/* The signature holds for the digest; this ties the body to it. */
ngx_int_t
ngx_rooms_peer_digest(ngx_rooms_req_t *rq)
{
    rooms_str_t  body;

    body = rq->text.data ? rooms_from_ngx(rq->text) : ngx_rooms_s("");

    if (rooms_digest_check(rq->signer->digest, body) != 0) {
        return ngx_rooms_peer_mismatch(rq, "Content-Digest",
                                       "is not of this body");
    }

    return NGX_OK;
}
