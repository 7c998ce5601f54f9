/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_fetch.h"


#define NGX_ROOMS_FETCH_ROOM  4096     /* bytes; doubled when needed */


static void
ngx_rooms_fetch_end(ngx_rooms_fetch_t *fetch)
{
    ngx_rooms_fetch_pt  handler;

    handler = fetch->handler;
    fetch->handler = NULL;

    if (handler) {
        handler(fetch);
    }
}


/*
 * NGINX may call it again for an error page, which is ignored.  Always
 * returns NGX_OK: an error would end the client's request.
 */
static ngx_int_t
ngx_rooms_fetch_done(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_rooms_fetch_t *fetch = data;

    if (rc == NGX_OK) {
        fetch->status = sr->headers_out.status;

    } else if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        fetch->status = rc;
        fetch->body.len = 0;
    }

    ngx_rooms_fetch_end(fetch);

    return NGX_OK;
}


static void
ngx_rooms_fetch_cleanup(void *data)
{
    ngx_rooms_fetch_t *fetch = data;

    fetch->abandoned = 1;
    fetch->status = 0;

    ngx_rooms_fetch_end(fetch);
}


/*
 * A subrequest shares headers and body with the client's request.  Removes
 * them: the location must see neither the token nor an upload's length.
 */
static ngx_int_t
ngx_rooms_fetch_strip(ngx_http_request_t *sr)
{
    ngx_str_t               server;
    ngx_table_elt_t        *host, *h;
    ngx_http_headers_in_t  *in;

    in = &sr->headers_in;
    host = in->host;
    server = in->server;

    ngx_memzero(in, sizeof(ngx_http_headers_in_t));

    in->server = server;
    in->content_length_n = -1;
    in->keep_alive_n = -1;
    sr->request_body = NULL;
    sr->method = NGX_HTTP_GET;
    ngx_str_set(&sr->method_name, "GET");
    sr->header_only = 0;

    if (ngx_list_init(&in->headers, sr->pool, 4, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (host) {
        h = ngx_list_push(&in->headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = *host;
        in->host = h;
    }

    return NGX_OK;
}


ngx_rooms_fetch_t *
ngx_rooms_fetch(ngx_http_request_t *r, ngx_str_t *uri, size_t max,
    ngx_rooms_fetch_pt handler, void *data)
{
    ngx_str_t                    args;
    ngx_rooms_fetch_t           *fetch;
    ngx_http_request_t          *sr;
    ngx_http_post_subrequest_t  *ps;

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));
    fetch = ngx_rooms_owned(r->pool, sizeof(ngx_rooms_fetch_t),
                            ngx_rooms_fetch_cleanup);

    if (ps == NULL || fetch == NULL) {
        return NULL;
    }

    fetch->max = max;

    ps->handler = ngx_rooms_fetch_done;
    ps->data = fetch;

    ngx_str_null(&args);

    if (ngx_http_subrequest(r, uri, &args, &sr, ps,
                            NGX_HTTP_SUBREQUEST_BACKGROUND)
        != NGX_OK
        || ngx_rooms_fetch_strip(sr) != NGX_OK)
    {
        return NULL;
    }

    fetch->r = sr;
    fetch->handler = handler;
    fetch->data = data;

    return fetch;
}


/*
 * Recognises the subrequest by its post handler, which survives internal
 * redirects.
 */
ngx_rooms_fetch_t *
ngx_rooms_fetch_of(ngx_http_request_t *r)
{
    return (r != r->main && r->post_subrequest
            && r->post_subrequest->handler == ngx_rooms_fetch_done)
           ? r->post_subrequest->data : NULL;
}


/* Makes room for n more bytes. */
static ngx_int_t
ngx_rooms_fetch_grow(ngx_rooms_fetch_t *fetch, size_t n)
{
    u_char  *p;
    size_t   room;

    if (fetch->room - fetch->body.len >= n) {
        return NGX_OK;
    }

    for (room = ngx_max(fetch->room, NGX_ROOMS_FETCH_ROOM);
         room < fetch->body.len + n;
         room *= 2) { /* void */ }

    p = ngx_pnalloc(fetch->r->pool, room);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (fetch->body.len) {
        ngx_memcpy(p, fetch->body.data, fetch->body.len);
    }

    fetch->body.data = p;
    fetch->room = room;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_fetch_body(ngx_rooms_fetch_t *fetch, ngx_chain_t *in)
{
    size_t      n;
    u_char     *p;
    ngx_buf_t  *b;

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;
        n = ngx_buf_size(b);

        if (n > fetch->max - fetch->body.len) {
            fetch->too_large = 1;
        }

        if (n && !fetch->too_large && fetch->handler) {

            if (ngx_rooms_fetch_grow(fetch, n) != NGX_OK) {
                return NGX_ERROR;
            }

            p = fetch->body.data + fetch->body.len;

            if (ngx_buf_in_memory(b)) {
                ngx_memcpy(p, b->pos, n);

            } else if (ngx_read_file(b->file, p, n, b->file_pos)
                       != (ssize_t) n)
            {
                return NGX_ERROR;
            }

            fetch->body.len += n;
        }

        b->pos = b->last;
        b->file_pos = b->file_last;
    }

    return NGX_OK;
}
