/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_peer_call.h"
#include "ngx_rooms_hold.h"


static ngx_int_t ngx_rooms_variable_peer(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
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

    call->conf = conf;

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


ngx_rooms_peer_call_t *
ngx_rooms_peer_call_of(ngx_http_request_t *r)
{
    r = r->main;

    return ngx_rooms_detached(r) && r->write_event_handler == ngx_rooms_peer_end
           ? ngx_http_get_module_ctx(r, ngx_rooms_module) : NULL;
}


void
ngx_rooms_peer_call_free(ngx_rooms_peer_call_t *call)
{
    if (call->done.posted) {
        ngx_delete_posted_event(&call->done);
    }

    ngx_rooms_detached_close(&call->detached);
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
