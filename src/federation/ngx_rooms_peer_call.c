/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_peer_call.h"
#include "ngx_rooms_hold.h"
#include "rooms_json.h"
#include "rooms_signature.h"
#include "rooms_peer.h"


/* version 00 has 55 bytes; later versions may have more (W3C Trace Context) */
#define NGX_ROOMS_TRACEPARENT  256


static ngx_int_t ngx_rooms_variable_peer(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_rooms_peer_answer(ngx_http_request_t *sr, void *data,
    ngx_int_t rc);
static void ngx_rooms_peer_end(ngx_http_request_t *r);
static void ngx_rooms_peer_done(ngx_event_t *ev);
static void ngx_rooms_peer_resolve(ngx_rooms_peer_call_t *call);
static void ngx_rooms_peer_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_rooms_peer_ask_gone(void *data);
static void ngx_rooms_peer_ask_answered(ngx_rooms_peer_call_t *call);
static ngx_rooms_peer_call_t *ngx_rooms_peer_call_of(ngx_http_request_t *r);
static void ngx_rooms_peer_call_send(ngx_rooms_peer_call_t *call);
static void ngx_rooms_peer_call_fail(ngx_rooms_peer_call_t *call,
    const char *error);


static ngx_http_variable_t  ngx_rooms_peer_variables[] = {

    { ngx_string("rooms_peer"), NULL, ngx_rooms_variable_peer,
      offsetof(ngx_rooms_peer_call_t, peer), 0, 0 },

    { ngx_string("rooms_peer_host"), NULL, ngx_rooms_variable_peer,
      offsetof(ngx_rooms_peer_call_t, host), 0, 0 },

    { ngx_string("rooms_peer_address"), NULL, ngx_rooms_variable_peer,
      offsetof(ngx_rooms_peer_call_t, address), 0, 0 },

    { ngx_string("rooms_peer_method"), NULL, ngx_rooms_variable_peer,
      offsetof(ngx_rooms_peer_call_t, method), 0, 0 },

    { ngx_string("rooms_peer_uri"), NULL, ngx_rooms_variable_peer,
      offsetof(ngx_rooms_peer_call_t, uri), 0, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_rooms_peer_add_variables(ngx_conf_t *cf)
{
    return ngx_rooms_variables_add(cf, ngx_rooms_peer_variables);
}


static ngx_str_t
ngx_rooms_peer_host(ngx_str_t *peer)
{
    u_char     *p;
    ngx_str_t   host;

    host = *peer;
    p = peer->data + peer->len;

    while (p > peer->data && p[-1] >= '0' && p[-1] <= '9') {
        p--;
    }

    if (p > peer->data && p[-1] == ':') {
        host.len = p - 1 - peer->data;
    }

    return host;
}


ngx_rooms_peer_call_t *
ngx_rooms_peer_call(ngx_http_conf_ctx_t *ctx, ngx_rooms_loc_conf_t *conf,
    rooms_str_t peer, ngx_str_t *uri, ngx_rooms_peer_call_pt handler,
    void *data)
{
    ngx_str_t               name;
    ngx_pool_t             *pool;
    ngx_rooms_peer_call_t  *call;

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    call = ngx_pcalloc(pool, sizeof(ngx_rooms_peer_call_t));
    if (call == NULL) {
        goto failed;
    }

    call->conf = conf;
    call->handler = handler;
    call->data = data;

    name = ngx_from_rooms(peer);
    call->peer.data = ngx_pstrdup(pool, &name);
    call->uri.data = ngx_pstrdup(pool, uri);

    if (call->peer.data == NULL || call->uri.data == NULL) {
        goto failed;
    }

    call->peer.len = name.len;
    call->uri.len = uri->len;
    call->host = ngx_rooms_peer_host(&call->peer);
    call->address = call->peer;
    ngx_str_set(&call->method, "GET");

    call->done.handler = ngx_rooms_peer_done;
    call->done.data = call;
    call->done.log = &call->detached.log;

    if (ngx_rooms_detached_open(&call->detached, pool, ctx, &call->method,
                                &call->uri)
        != NGX_OK)
    {
        return NULL;
    }

    call->request = call->detached.request;
    call->request->write_event_handler = ngx_rooms_peer_end;
    ngx_http_set_ctx(call->request, call, ngx_rooms_module);

    return call;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/* The call that the request belongs to; NULL: none. */
static ngx_rooms_peer_call_t *
ngx_rooms_peer_call_of(ngx_http_request_t *r)
{
    r = r->main;

    return ngx_rooms_detached(r) && r->write_event_handler == ngx_rooms_peer_end
           ? ngx_http_get_module_ctx(r, ngx_rooms_module) : NULL;
}


static void
ngx_rooms_peer_call_free(ngx_rooms_peer_call_t *call)
{
    if (call->done.posted) {
        ngx_delete_posted_event(&call->done);
    }

    ngx_rooms_detached_close(&call->detached);
}


/*
 * Closing the request runs its cleanups, which end the upstream as if a
 * client had gone.  If a thread works for the request, the call ends by
 * itself later.
 */
void
ngx_rooms_peer_call_cancel(ngx_rooms_peer_call_t *call)
{
    call->handler = NULL;

    if (call->request->blocked) {
        return;
    }

    if (call->resolving) {
        ngx_resolve_name_done(call->resolving);
        call->resolving = NULL;
    }

    ngx_rooms_peer_call_free(call);
}


static void
ngx_rooms_peer_call_send(ngx_rooms_peer_call_t *call)
{
    ngx_str_t                    args;
    ngx_http_request_t          *r, *sr;
    ngx_http_post_subrequest_t  *ps;

    r = call->request;
    ngx_str_null(&args);

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));

    if (ps == NULL) {
        ngx_rooms_peer_call_fail(call, "no memory");
        return;
    }

    ps->handler = ngx_rooms_peer_answer;
    ps->data = call;

    if (ngx_http_subrequest(r, &call->conf->federation_pass, &args, &sr, ps,
                            NGX_HTTP_SUBREQUEST_IN_MEMORY) != NGX_OK)
    {
        ngx_rooms_peer_call_fail(call, "no memory");
        return;
    }

    if (call->body.data) {
        sr->method = NGX_HTTP_POST;
        sr->method_name = call->method;
    }

    ngx_http_run_posted_requests(call->detached.connection);
}


static ngx_int_t
ngx_rooms_peer_answer(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_rooms_peer_call_t *call = data;

    ngx_buf_t  *b;

    call->error = "no answer";

    if (rc == NGX_OK && !sr->connection->error && sr->out) {
        b = sr->out->buf;

        /* a truncated answer ends with NGX_OK, too */

        if (sr->headers_out.content_length_n == -1
            || sr->headers_out.content_length_n == b->last - b->pos)
        {
            call->status = sr->headers_out.status;
            call->answer.data = b->pos;
            call->answer.len = b->last - b->pos;
            call->error = NULL;
        }
    }

    /*
     * hide failures from NGINX: it would close the connection, which has no
     * socket
     */

    sr->connection->error = 0;

    /* the rest of an answer that is too large would never be written */

    sr->buffered = 0;

    return NGX_OK;
}


/*
 * The subrequest has ended.  Its stack must unwind before the call is freed.
 */
static void
ngx_rooms_peer_end(ngx_http_request_t *r)
{
    ngx_rooms_peer_call_t  *call;

    call = ngx_http_get_module_ctx(r, ngx_rooms_module);

    if (!call->done.posted) {
        ngx_post_event(&call->done, &ngx_posted_events);
    }
}


static void
ngx_rooms_peer_call_fail(ngx_rooms_peer_call_t *call, const char *error)
{
    call->error = error;
    ngx_post_event(&call->done, &ngx_posted_events);
}


static void
ngx_rooms_peer_done(ngx_event_t *ev)
{
    ngx_rooms_peer_call_t *call = ev->data;

    if (call->handler) {
        call->handler(call);
    }

    ngx_rooms_peer_call_free(call);
}


/* Valid only in a request to another server. */
static ngx_int_t
ngx_rooms_variable_peer(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t              *value;
    ngx_rooms_peer_call_t  *call;

    call = ngx_rooms_peer_call_of(r);

    if (call == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    value = (ngx_str_t *) ((u_char *) call + data);

    v->len = value->len;
    v->data = value->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* Headers and body of the request to another server. */


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
 * The subrequest shares the headers and the body of its main request.
 * proxy_pass takes the length from content_length_n, and the body counts as
 * already read.
 */
static ngx_int_t
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


/* No client's request is behind the call: starts a new trace. */
static ngx_int_t
ngx_rooms_peer_call_own_trace(ngx_rooms_peer_call_t *call)
{
    u_char  id[32], span[16], *p, *trace;

    p = ngx_pnalloc(call->request->pool, sizeof(id));
    trace = ngx_pnalloc(call->request->pool, NGX_ROOMS_TRACEPARENT);

    if (p == NULL || trace == NULL) {
        return NGX_ERROR;
    }

    ngx_rooms_random_hex(id, sizeof(id));
    ngx_rooms_random_hex(span, sizeof(span));
    ngx_memcpy(p, id, sizeof(id));

    return ngx_rooms_peer_call_header(call, "x-request-id", p, sizeof(id))
           && ngx_rooms_peer_call_header(call, "traceparent", trace,
                  ngx_sprintf(trace, "00-%*s-%*s-00", sizeof(id), id,
                              sizeof(span), span) - trace)
           ? NGX_OK : NGX_ERROR;
}


/*
 * Passes on the X-Request-Id and traceparent of the request it is made for.
 * A call without such a request gets new ones, with the trace's id as request
 * id.
 */
static ngx_int_t
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


static ngx_int_t
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


ngx_int_t
ngx_rooms_peer_call_signed(ngx_rooms_peer_call_t *call, ngx_str_t *body,
    ngx_http_request_t *r)
{
    if ((body && ngx_rooms_peer_call_body(call, body) != NGX_OK)
        || (r ? ngx_rooms_peer_call_trace(call, r)
              : ngx_rooms_peer_call_own_trace(call)) != NGX_OK
        || ngx_rooms_peer_call_sign(call) != NGX_OK)
    {
        ngx_rooms_peer_call_free(call);
        return NGX_ERROR;
    }

    ngx_rooms_peer_call_start(call);

    return NGX_OK;
}


/* Choosing the address to connect to. */


void
ngx_rooms_peer_call_start(ngx_rooms_peer_call_t *call)
{
    u_char       address[16];
    rooms_str_t  peer;

    peer = rooms_from_ngx(call->peer);

    if (ngx_rooms_peer_forbidden(call->conf, peer)) {
        ngx_rooms_peer_call_fail(call, "the address is not public");
        return;
    }

    if (call->conf->federation_private || rooms_peer_address(peer, address)) {
        ngx_rooms_peer_call_send(call);
        return;
    }

    ngx_rooms_peer_resolve(call);
}


ngx_uint_t
ngx_rooms_peer_forbidden(ngx_rooms_loc_conf_t *conf, rooms_str_t peer)
{
    int     len;
    u_char  address[16];

    if (conf->federation_private) {
        return 0;
    }

    len = rooms_peer_address(peer, address);

    return len ? rooms_address_special(address, len) : rooms_peer_local(peer);
}


/*
 * A name may resolve to any address.  So we resolve it first and check the
 * result, and NGINX connects to the checked address.  No other answer can
 * come in between.
 */
static void
ngx_rooms_peer_resolve(ngx_rooms_peer_call_t *call)
{
    ngx_resolver_ctx_t        *ctx, name;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(call->request, ngx_http_core_module);

    ngx_memzero(&name, sizeof(ngx_resolver_ctx_t));
    name.name = call->host;

    ctx = ngx_resolve_start(clcf->resolver, &name);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_rooms_peer_call_fail(call, "the server has no \"resolver\"");
        return;
    }

    ctx->name = call->host;
    ctx->handler = ngx_rooms_peer_resolved;
    ctx->data = call;
    ctx->timeout = clcf->resolver_timeout;

    call->resolving = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        call->resolving = NULL;
        ngx_rooms_peer_call_fail(call, "the name can't be resolved");
    }
}


static ngx_uint_t
ngx_rooms_peer_public(struct sockaddr *sa)
{
    switch (sa->sa_family) {

    case AF_INET:
        return !rooms_address_special(
                      (u_char *) &((struct sockaddr_in *) sa)->sin_addr, 4);

#if (NGX_HAVE_INET6)
    case AF_INET6:
        return !rooms_address_special(
                      (u_char *) &((struct sockaddr_in6 *) sa)->sin6_addr, 16);
#endif
    }

    return 0;
}


/* Includes the resolver's reason, for example "Host not found". */
static const char *
ngx_rooms_peer_unresolved(ngx_rooms_peer_call_t *call, ngx_int_t state)
{
    size_t   size;
    char    *why, *text;

    why = ngx_resolver_strerror(state);
    size = sizeof("the name can't be resolved: ") + ngx_strlen(why);

    text = ngx_pnalloc(call->detached.connection->pool, size);
    if (text == NULL) {
        return "the name can't be resolved";
    }

    *ngx_snprintf((u_char *) text, size - 1, "the name can't be resolved: %s",
                  why) = '\0';

    return text;
}


static void
ngx_rooms_peer_resolved(ngx_resolver_ctx_t *ctx)
{
    u_char                 *p;
    ngx_str_t               port;
    ngx_uint_t              i;
    ngx_rooms_peer_call_t  *call;

    call = ctx->data;
    call->resolving = NULL;

    for (i = 0; ctx->state == NGX_OK && i < ctx->naddrs; i++) {
        if (ngx_rooms_peer_public(ctx->addrs[i].sockaddr)) {
            break;
        }
    }

    if (ctx->state != NGX_OK || i == ctx->naddrs) {
        ngx_rooms_peer_call_fail(call, ctx->state != NGX_OK
                                       ? ngx_rooms_peer_unresolved(call,
                                                                   ctx->state)
                                       : "the name has no public address");
        ngx_resolve_name_done(ctx);
        return;
    }

    port.data = call->host.data + call->host.len;
    port.len = call->peer.len - call->host.len;

    p = ngx_pnalloc(call->detached.connection->pool,
                    NGX_SOCKADDR_STRLEN + port.len);

    if (p) {
        call->address.data = p;
        call->address.len = ngx_sock_ntop(ctx->addrs[i].sockaddr,
                                          ctx->addrs[i].socklen, p,
                                          NGX_SOCKADDR_STRLEN, 0);

        if (ctx->addrs[i].sockaddr->sa_family != AF_INET) {
            ngx_memmove(p + 1, p, call->address.len);
            p[0] = '[';
            p[call->address.len + 1] = ']';
            call->address.len += 2;
        }

        ngx_memcpy(p + call->address.len, port.data, port.len);
        call->address.len += port.len;
    }

    ngx_resolve_name_done(ctx);

    if (p == NULL) {
        ngx_rooms_peer_call_fail(call, "no memory");
        return;
    }

    ngx_rooms_peer_call_send(call);
}


ngx_rooms_peer_ask_t *
ngx_rooms_peer_ask_create(ngx_rooms_req_t *rq)
{
    ngx_rooms_peer_ask_t  *ask;

    ask = ngx_rooms_owned(rq->pool, sizeof(ngx_rooms_peer_ask_t),
                          ngx_rooms_peer_ask_gone);
    if (ask) {
        ask->rq = rq;
    }

    return ask;
}


/* The call can't be stopped here: it ends by itself, without a receiver. */
static void
ngx_rooms_peer_ask_gone(void *data)
{
    ngx_rooms_peer_ask_t *ask = data;

    if (ask->call) {
        ask->call->data = NULL;
    }
}


ngx_int_t
ngx_rooms_peer_ask(ngx_rooms_peer_ask_t *ask, ngx_pool_t *pool,
    rooms_str_t peer, ngx_str_t *uri, ngx_uint_t to)
{
    ngx_rooms_req_t           *rq;
    ngx_rooms_peer_call_t     *call;
    ngx_http_core_srv_conf_t  *cscf;

    rq = ask->rq;
    cscf = ngx_http_get_module_srv_conf(rq->r, ngx_http_core_module);

    call = ngx_rooms_peer_call(cscf->ctx, rq->conf, peer, uri,
                               ngx_rooms_peer_ask_answered, ask);

    if (call == NULL
        || ngx_rooms_peer_call_signed(call, NULL, rq->r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ask->call = call;
    ask->pool = pool;
    rq->round = to;

    return NGX_AGAIN;
}


static void
ngx_rooms_peer_ask_answered(ngx_rooms_peer_call_t *call)
{
    ngx_rooms_peer_ask_t  *ask;

    ask = call->data;

    if (ask == NULL) {
        return;
    }

    ask->call = NULL;
    ask->status = call->status;
    ask->answer = ngx_rooms_dup(ask->pool, rooms_from_ngx(call->answer));

    if (call->error) {
        ngx_log_error(NGX_LOG_ERR, ask->rq->r->connection->log, 0,
                      "rooms: \"%V\" of \"%V\": %s", &call->uri, &call->peer,
                      call->error);
    }

    ngx_rooms_continue(ask->rq);
}
