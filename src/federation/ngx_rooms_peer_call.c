/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_peer_call.h"
#include "rooms_json.h"
#include "rooms_signature.h"


static ngx_int_t ngx_rooms_peer_connect(ngx_rooms_peer_call_t *call);
static ngx_int_t ngx_rooms_peer_request(ngx_rooms_peer_call_t *call);
static void ngx_rooms_peer_resolve(ngx_rooms_peer_call_t *call);
static void ngx_rooms_peer_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_rooms_peer_send(ngx_rooms_peer_call_t *call);
static ngx_int_t ngx_rooms_peer_answer(ngx_http_request_t *sr, void *data,
    ngx_int_t rc);
static void ngx_rooms_peer_end(ngx_http_request_t *r);
static void ngx_rooms_peer_done(ngx_event_t *ev);


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
    ngx_str_t *peer, ngx_str_t *uri)
{
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

    call->ctx = ctx;
    call->conf = conf;
    call->hc.conf_ctx = ctx;
    call->log = *ngx_cycle->log;
    call->log.data = &call->log_ctx;
    call->log.handler = NULL;
    call->log.action = NULL;

    call->peer.data = ngx_pstrdup(pool, peer);
    call->uri.data = ngx_pstrdup(pool, uri);

    if (call->peer.data == NULL || call->uri.data == NULL) {
        goto failed;
    }

    call->peer.len = peer->len;
    call->uri.len = uri->len;
    call->host = ngx_rooms_peer_host(&call->peer);
    call->address = call->peer;
    ngx_str_set(&call->method, "GET");

    call->done.handler = ngx_rooms_peer_done;
    call->done.data = call;
    call->done.log = &call->log;

    if (ngx_rooms_peer_connect(call) != NGX_OK) {
        goto failed;
    }

    call->connection->pool = pool;

    if (ngx_rooms_peer_request(call) != NGX_OK) {
        ngx_rooms_peer_call_free(call);
        return NULL;
    }

    return call;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/*
 * Both events are marked as active, so that NGINX never gives this
 * connection, which has no socket, to the event method.
 */
static ngx_int_t
ngx_rooms_peer_connect(ngx_rooms_peer_call_t *call)
{
    ngx_connection_t  *c, *kept;
    ngx_sockaddr_t    *sa;

    static ngx_sockaddr_t  unspecified;

    kept = ngx_cycle->files ? ngx_cycle->files[0] : NULL;

    c = ngx_get_connection(0, &call->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    if (ngx_cycle->files) {
        ngx_cycle->files[0] = kept;
    }

    sa = &unspecified;
    sa->sockaddr.sa_family = AF_UNIX;

    c->fd = (ngx_socket_t) -1;
    c->read->active = 1;
    c->write->active = 1;
    c->read->log = &call->log;
    c->write->log = &call->log;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->sockaddr = &sa->sockaddr;
    c->socklen = sizeof(ngx_sockaddr_t);
    c->local_sockaddr = &sa->sockaddr;
    c->local_socklen = sizeof(ngx_sockaddr_t);
    ngx_str_set(&c->addr_text, "rooms");
    c->requests = 1;

    call->connection = c;
    call->log_ctx.connection = c;
    call->log.connection = c->number;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_peer_request(ngx_rooms_peer_call_t *call)
{
    ngx_pool_t                 *pool;
    ngx_time_t                 *tp;
    ngx_http_request_t         *r;
    ngx_http_core_main_conf_t  *cmcf;

    pool = ngx_create_pool(4096, &call->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    r = ngx_pcalloc(pool, sizeof(ngx_http_request_t));
    if (r == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    call->request = r;
    call->connection->data = r;
    call->log_ctx.request = r;
    call->log_ctx.current_request = r;

    r->pool = pool;
    r->signature = NGX_HTTP_MODULE;
    r->http_connection = &call->hc;
    r->connection = call->connection;
    r->main_conf = call->ctx->main_conf;
    r->srv_conf = call->ctx->srv_conf;
    r->loc_conf = call->ctx->loc_conf;
    r->main = r;
    r->count = 1;
    r->logged = 1;
    r->internal = 1;

    r->method = NGX_HTTP_GET;
    r->method_name = call->method;
    r->http_version = NGX_HTTP_VERSION_11;
    ngx_str_set(&r->http_protocol, "HTTP/1.1");
    r->uri = call->uri;
    r->unparsed_uri = call->uri;

    r->headers_in.content_length_n = -1;
    r->headers_in.keep_alive_n = -1;
    r->headers_out.content_length_n = -1;
    r->headers_out.last_modified_time = -1;

    tp = ngx_timeofday();
    r->start_sec = tp->sec;
    r->start_msec = tp->msec;

    r->uri_changes = NGX_HTTP_MAX_URI_CHANGES + 1;
    r->subrequests = NGX_HTTP_MAX_SUBREQUESTS + 1;
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_rooms_peer_end;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    r->ctx = ngx_pcalloc(pool, sizeof(void *) * ngx_http_max_module);
    r->variables = ngx_pcalloc(pool, cmcf->variables.nelts
                                     * sizeof(ngx_http_variable_value_t));
    r->header_in = ngx_create_temp_buf(pool, 64);

    if (r->ctx == NULL || r->variables == NULL || r->header_in == NULL
        || ngx_list_init(&r->headers_in.headers, pool, 4,
                         sizeof(ngx_table_elt_t)) != NGX_OK
        || ngx_list_init(&r->headers_out.headers, pool, 4,
                         sizeof(ngx_table_elt_t)) != NGX_OK
        || ngx_list_init(&r->headers_out.trailers, pool, 1,
                         sizeof(ngx_table_elt_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_set_ctx(r, call, ngx_rooms_module);

    return NGX_OK;
}


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


ngx_rooms_peer_call_t *
ngx_rooms_peer_call_of(ngx_http_request_t *r)
{
    r = r->main;

    /* no request of a client is on a connection without a socket */

    return r->connection->fd == (ngx_socket_t) -1
           ? ngx_http_get_module_ctx(r, ngx_rooms_module) : NULL;
}


void
ngx_rooms_peer_call_free(ngx_rooms_peer_call_t *call)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    c = call->connection;

    if (call->done.posted) {
        ngx_delete_posted_event(&call->done);
    }

    if (call->request) {
        ngx_http_free_request(call->request, 0);
    }

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    c->read->closed = 1;
    c->write->closed = 1;
    c->read->active = 0;
    c->write->active = 0;
    c->destroyed = 1;

    pool = c->pool;

    /* a table of descriptors, where there is one, is asked for ours */

    c->fd = 0;
    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    ngx_destroy_pool(pool);
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


static void
ngx_rooms_peer_fail(ngx_rooms_peer_call_t *call, const char *error)
{
    call->error = error;
    ngx_post_event(&call->done, &ngx_posted_events);
}


void
ngx_rooms_peer_call_start(ngx_rooms_peer_call_t *call)
{
    u_char       address[16];
    rooms_str_t  peer;

    peer = rooms_from_ngx(call->peer);

    if (ngx_rooms_peer_forbidden(call->conf, peer)) {
        ngx_rooms_peer_fail(call, "the address is not a public one");
        return;
    }

    if (call->conf->federation_private || rooms_peer_address(peer, address)) {
        ngx_rooms_peer_send(call);
        return;
    }

    ngx_rooms_peer_resolve(call);
}


/*
 * A name may resolve to any address.  We look at it before NGINX does, and
 * have it dial what we have seen: another answer can't slip in between.
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
        ngx_rooms_peer_fail(call, "the server has no \"resolver\"");
        return;
    }

    ctx->name = call->host;
    ctx->handler = ngx_rooms_peer_resolved;
    ctx->data = call;
    ctx->timeout = clcf->resolver_timeout;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        ngx_rooms_peer_fail(call, "the name can't be resolved");
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


static void
ngx_rooms_peer_resolved(ngx_resolver_ctx_t *ctx)
{
    u_char                 *p;
    ngx_str_t               port;
    ngx_uint_t              i;
    ngx_rooms_peer_call_t  *call;

    call = ctx->data;

    for (i = 0; ctx->state == NGX_OK && i < ctx->naddrs; i++) {
        if (ngx_rooms_peer_public(ctx->addrs[i].sockaddr)) {
            break;
        }
    }

    if (ctx->state != NGX_OK || i == ctx->naddrs) {
        ngx_rooms_peer_fail(call, ctx->state != NGX_OK
                                  ? "the name can't be resolved"
                                  : "the name has no public address");
        ngx_resolve_name_done(ctx);
        return;
    }

    port.data = call->host.data + call->host.len;
    port.len = call->peer.len - call->host.len;

    p = ngx_pnalloc(call->connection->pool, NGX_SOCKADDR_STRLEN + port.len);

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
        ngx_rooms_peer_fail(call, "no memory");
        return;
    }

    ngx_rooms_peer_send(call);
}


static void
ngx_rooms_peer_send(ngx_rooms_peer_call_t *call)
{
    ngx_str_t                    args;
    ngx_http_request_t          *r, *sr;
    ngx_http_post_subrequest_t  *ps;

    r = call->request;
    ngx_str_null(&args);

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));

    if (ps == NULL) {
        ngx_rooms_peer_fail(call, "no memory");
        return;
    }

    ps->handler = ngx_rooms_peer_answer;
    ps->data = call;

    if (ngx_http_subrequest(r, &call->conf->federation_pass, &args, &sr, ps,
                            NGX_HTTP_SUBREQUEST_IN_MEMORY) != NGX_OK)
    {
        ngx_rooms_peer_fail(call, "no memory");
        return;
    }

    if (call->body.data) {
        sr->method = NGX_HTTP_POST;
        sr->method_name = call->method;
    }

    ngx_http_run_posted_requests(call->connection);
}


static ngx_int_t
ngx_rooms_peer_answer(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_rooms_peer_call_t *call = data;

    ngx_buf_t  *b;

    call->error = "no answer";

    if (rc == NGX_OK && !sr->connection->error && sr->out) {
        b = sr->out->buf;

        /* one that was cut off ends with NGX_OK, too */

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
     * Any failure is ours to tell: NGINX would close the connection, which
     * has no socket to be closed.
     */

    sr->connection->error = 0;

    /* nor would it ever be written, what is left of an answer too large */

    sr->buffered = 0;

    return NGX_OK;
}


/* The subrequest has ended.  Its stack has to unwind before all is freed. */
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
ngx_rooms_peer_done(ngx_event_t *ev)
{
    ngx_rooms_peer_call_t *call = ev->data;

    call->handler(call);
}
