/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_detached.h"
#include "ngx_rooms_hold.h"


static ngx_int_t ngx_rooms_detached_connect(ngx_rooms_detached_t *d);
static ngx_int_t ngx_rooms_detached_request(ngx_rooms_detached_t *d,
    ngx_str_t *method, ngx_str_t *uri);


ngx_int_t
ngx_rooms_detached_open(ngx_rooms_detached_t *d, ngx_pool_t *pool,
    ngx_http_conf_ctx_t *ctx, ngx_str_t *method, ngx_str_t *uri)
{
    d->ctx = ctx;
    d->hc.conf_ctx = ctx;
    d->log = *ngx_cycle->log;
    d->log.data = &d->log_ctx;
    d->log.handler = NULL;
    d->log.action = NULL;

    if (ngx_rooms_detached_connect(d) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    d->connection->pool = pool;

    ngx_rooms_hold();

    if (ngx_rooms_detached_request(d, method, uri) != NGX_OK) {
        ngx_rooms_detached_close(d);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Both events are marked as active, so that NGINX never passes this
 * connection, which has no socket, to the event module.
 */
static ngx_int_t
ngx_rooms_detached_connect(ngx_rooms_detached_t *d)
{
    ngx_connection_t  *c, *kept;
    ngx_sockaddr_t    *sa;

    static ngx_sockaddr_t  unspecified;

    kept = ngx_cycle->files ? ngx_cycle->files[0] : NULL;

    c = ngx_get_connection(0, &d->log);
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
    c->read->log = &d->log;
    c->write->log = &d->log;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->sockaddr = &sa->sockaddr;
    c->socklen = sizeof(ngx_sockaddr_t);
    c->local_sockaddr = &sa->sockaddr;
    c->local_socklen = sizeof(ngx_sockaddr_t);
    ngx_str_set(&c->addr_text, "rooms");
    c->requests = 1;

    d->connection = c;
    d->log_ctx.connection = c;
    d->log.connection = c->number;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_detached_request(ngx_rooms_detached_t *d, ngx_str_t *method,
    ngx_str_t *uri)
{
    ngx_pool_t                 *pool;
    ngx_time_t                 *tp;
    ngx_http_request_t         *r;
    ngx_http_core_main_conf_t  *cmcf;

    pool = ngx_create_pool(4096, &d->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    r = ngx_pcalloc(pool, sizeof(ngx_http_request_t));
    if (r == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    d->request = r;
    d->connection->data = r;
    d->log_ctx.request = r;
    d->log_ctx.current_request = r;

    r->pool = pool;
    r->signature = NGX_HTTP_MODULE;
    r->http_connection = &d->hc;
    r->connection = d->connection;
    r->main_conf = d->ctx->main_conf;
    r->srv_conf = d->ctx->srv_conf;
    r->loc_conf = d->ctx->loc_conf;
    r->main = r;
    r->count = 1;
    r->logged = 1;
    r->internal = 1;

    r->method = NGX_HTTP_GET;
    r->method_name = *method;
    r->http_version = NGX_HTTP_VERSION_11;
    ngx_str_set(&r->http_protocol, "HTTP/1.1");
    r->uri = *uri;
    r->unparsed_uri = *uri;

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
    r->write_event_handler = ngx_http_request_empty_handler;

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

    return NGX_OK;
}


void
ngx_rooms_detached_close(ngx_rooms_detached_t *d)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    c = d->connection;

    if (d->request) {
        ngx_http_free_request(d->request, 0);
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

    /* ngx_free_connection() may look the descriptor up in a table */

    c->fd = 0;
    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    ngx_destroy_pool(pool);
    ngx_rooms_release();
}


ngx_uint_t
ngx_rooms_detached(ngx_http_request_t *r)
{
    /* only our connections have no socket */

    return r->main->connection->fd == (ngx_socket_t) -1;
}
