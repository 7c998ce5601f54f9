/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_peer_call.h"
#include "ngx_rooms_hold.h"


static ngx_int_t ngx_rooms_variable_peer(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_rooms_peer_connect(ngx_rooms_peer_call_t *call);
static ngx_int_t ngx_rooms_peer_request(ngx_rooms_peer_call_t *call);
static ngx_int_t ngx_rooms_peer_answer(ngx_http_request_t *sr, void *data,
    ngx_int_t rc);
static void ngx_rooms_peer_end(ngx_http_request_t *r);
static void ngx_rooms_peer_done(ngx_event_t *ev);


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

    ngx_rooms_hold();

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
    ngx_rooms_release();
}


/*
 * NGINX ends an upstream by the request's cleanups, as it does for a client
 * that has gone.  A thread that works for the request is waited for.
 */
void
ngx_rooms_peer_call_cancel(ngx_rooms_peer_call_t *call)
{
    call->handler = ngx_rooms_peer_call_free;

    if (call->request->blocked) {
        return;
    }

    if (call->resolving) {
        ngx_resolve_name_done(call->resolving);
        call->resolving = NULL;
    }

    ngx_rooms_peer_call_free(call);
}


void
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


void
ngx_rooms_peer_call_fail(ngx_rooms_peer_call_t *call, const char *error)
{
    call->error = error;
    ngx_post_event(&call->done, &ngx_posted_events);
}


static void
ngx_rooms_peer_done(ngx_event_t *ev)
{
    ngx_rooms_peer_call_t *call = ev->data;

    call->handler(call);
}


/* Of a request to another server; elsewhere there is no such thing. */
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
