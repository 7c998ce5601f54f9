/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* What a request to another server carries: a body, and its signature. */

#include "ngx_rooms_peer_call.h"
#include "ngx_rooms_request.h"
#include "rooms_json.h"
#include "rooms_signature.h"


/* version 00 has 55 bytes; later ones may have more (W3C Trace Context) */
#define NGX_ROOMS_TRACEPARENT  256


static ngx_table_elt_t *
ngx_rooms_peer_call_header(ngx_rooms_peer_call_t *call, const char *name,
    u_char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&call->request->headers_in.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = value;
    h->value.len = len;
    h->lowcase_key = h->key.data;
    h->hash = ngx_hash_key(h->key.data, h->key.len);

    return h;
}


/*
 * The subrequest has the headers and the body of the request; proxy_pass
 * takes the length from content_length_n, and what is read of a client's body
 * is here already.
 */
ngx_int_t
ngx_rooms_peer_call_body(ngx_rooms_peer_call_t *call, ngx_str_t *body)
{
    u_char                   *p;
    ngx_buf_t                *b;
    ngx_http_request_t       *r;
    ngx_http_headers_in_t    *in;
    ngx_http_request_body_t  *rb;

    static u_char  type[] = "application/json";

    r = call->request;
    in = &r->headers_in;

    rb = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    b = ngx_create_temp_buf(r->pool, body->len);
    p = ngx_pnalloc(r->pool, NGX_SIZE_T_LEN);

    if (rb == NULL || b == NULL || p == NULL) {
        return NGX_ERROR;
    }

    rb->bufs = ngx_alloc_chain_link(r->pool);
    if (rb->bufs == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->pos, body->data, body->len);
    b->temporary = 0;
    b->memory = 1;

    rb->bufs->buf = b;
    rb->bufs->next = NULL;
    rb->buf = b;

    in->content_type = ngx_rooms_peer_call_header(call, "content-type", type,
                                                  sizeof(type) - 1);
    in->content_length = ngx_rooms_peer_call_header(call, "content-length", p,
                                    ngx_sprintf(p, "%uz", body->len) - p);

    if (in->content_type == NULL || in->content_length == NULL) {
        return NGX_ERROR;
    }

    in->content_length_n = body->len;
    r->request_body = rb;

    ngx_str_set(&call->method, "POST");
    r->method = NGX_HTTP_POST;
    r->method_name = call->method;

    call->body.data = b->pos;
    call->body.len = body->len;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_peer_call_trace(ngx_rooms_peer_call_t *call, ngx_http_request_t *r)
{
    rooms_str_t  id, trace;

    id = ngx_rooms_dup(call->request->pool, ngx_rooms_request_id(r));
    trace = ngx_rooms_header_in(r, "traceparent");

    if (trace.len > NGX_ROOMS_TRACEPARENT) {
        trace = ROOMS_NULL;
    }

    trace = ngx_rooms_dup(call->request->pool, trace);

    if (id.data
        && ngx_rooms_peer_call_header(call, "x-request-id",
                                      (u_char *) id.data, id.len) == NULL)
    {
        return NGX_ERROR;
    }

    return trace.data == NULL
           || ngx_rooms_peer_call_header(call, "traceparent",
                                         (u_char *) trace.data, trace.len)
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_rooms_peer_call_sign(ngx_rooms_peer_call_t *call)
{
    char                    *digest, *signature;
    size_t                   size;
    u_char                  *p, *input;
    ngx_pool_t              *pool;
    rooms_buf_t              work, in;
    rooms_signed_request_t   request;

    pool = call->request->pool;
    size = 1024 + call->peer.len + call->uri.len;

    digest = ngx_pnalloc(pool, ROOMS_DIGEST_LEN + 1);
    signature = ngx_pnalloc(pool, ROOMS_SIGNED_LEN + 1);
    input = ngx_pnalloc(pool, ROOMS_SIGNATURE_PARAMS);
    p = ngx_pnalloc(pool, size);

    if (digest == NULL || signature == NULL || input == NULL || p == NULL) {
        return NGX_ERROR;
    }

    rooms_digest_field(call->body.data ? rooms_from_ngx(call->body)
                                       : ngx_rooms_s(""), digest);

    request.method = rooms_from_ngx(call->method);
    request.authority = rooms_from_ngx(call->peer);
    request.target = rooms_from_ngx(call->uri);
    request.digest = (rooms_str_t) { ROOMS_DIGEST_LEN, (u_char *) digest };

    rooms_buf_init(&work, p, size);
    rooms_buf_init(&in, input, ROOMS_SIGNATURE_PARAMS);

    if (rooms_signature_make(&request, call->conf->federation_keys->elts,
                             rooms_from_ngx(call->conf->server_name),
                             ngx_time(), &work, &in, signature) != 0)
    {
        return NGX_ERROR;
    }

    if (ngx_rooms_peer_call_header(call, "content-digest", (u_char *) digest,
                                   ROOMS_DIGEST_LEN) == NULL
        || ngx_rooms_peer_call_header(call, "signature-input", input,
                                      in.last - input) == NULL
        || ngx_rooms_peer_call_header(call, "signature",
                                      (u_char *) signature, ROOMS_SIGNED_LEN)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
