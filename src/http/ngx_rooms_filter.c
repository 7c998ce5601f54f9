/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Turns errors that NGINX itself answers in our locations (limit_req's 429,
 * 413, 502 and so on) into JSON with a code, and adds X-Request-Id to every
 * answer.
 */

#include "ngx_rooms_request.h"
#include "ngx_rooms_cors.h"
#include "ngx_rooms_status.h"
#include "ngx_rooms_fetch.h"


/* from ngx_http_limit_req_module.c and ngx_http_limit_conn_module.c */
#define NGX_ROOMS_LIMIT_REQ_REJECTED   3
#define NGX_ROOMS_LIMIT_CONN_REJECTED  2


static ngx_int_t ngx_rooms_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_rooms_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);

static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


/*
 * NGINX may refuse a request before it looks for a location, because of
 * headers that are too large or a missing certificate.  Then the raw target
 * tells whether the request was for one of our locations.  It may be cut off.
 */
static ngx_uint_t
ngx_rooms_filter_early(ngx_http_request_t *r)
{
    u_char                    *last;
    ngx_buf_t                 *b;
    ngx_rooms_loc_conf_t      *rlcf;
    ngx_rooms_srv_conf_t      *rscf;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    rscf = ngx_http_get_module_srv_conf(r, ngx_rooms_module);
    rlcf = ngx_http_get_module_loc_conf(r, ngx_rooms_module);

    if (rscf->enable != 1 || r->loc_conf != cscf->ctx->loc_conf
        || r->headers_out.status < NGX_HTTP_BAD_REQUEST
        || r->uri_start == NULL)
    {
        return 0;
    }

    b = r->header_in;
    last = r->uri_end;

    if (b && r->uri_start >= b->start && r->uri_start < b->last
        && (last < r->uri_start || last > b->last))
    {
        /* without an end of line, NGINX's uri_end is no use */
        last = b->last;
    }

    return last > r->uri_start
           && ngx_rooms_location_of_target(rlcf->serve, r->uri_start, last);
}


/* Whether an answer is NGINX's own, and has to become ours. */
static ngx_uint_t
ngx_rooms_filter_foreign(ngx_http_request_t *r, ngx_rooms_req_t *rq)
{
    return r == r->main && !rq->sent && r->upstream == NULL
           && r->headers_out.status >= NGX_HTTP_BAD_REQUEST;
}


/* limit_req and limit_conn answer 503 unless configured otherwise. */
static ngx_uint_t
ngx_rooms_filter_limited(ngx_http_request_t *r)
{
    return r->main->limit_req_status == NGX_ROOMS_LIMIT_REQ_REJECTED
           || r->main->limit_conn_status == NGX_ROOMS_LIMIT_CONN_REJECTED;
}


static ngx_int_t
ngx_rooms_filter_replace(ngx_http_request_t *r, ngx_rooms_req_t *rq)
{
    rooms_str_t  body;

    rq->error = ngx_rooms_error_of_status(r->headers_out.status);
    rq->message = ngx_rooms_error_said(r->headers_out.status);

    if (r->headers_out.status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_rooms_filter_limited(r))
    {
        rq->error = NGX_ROOMS_E_RATE_LIMIT;
        r->headers_out.status = NGX_HTTP_TOO_MANY_REQUESTS;
    }

    if (r->headers_out.status == NGX_HTTP_INTERNAL_SERVER_ERROR
        && rq->state == NGX_ROOMS_READ_BODY)
    {
        /* NGINX can't store the body, and has logged why */
        (void) ngx_rooms_fail_body(rq);
        r->headers_out.status = NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (r->headers_out.status == NGX_HTTP_UNAUTHORIZED
        && r->headers_out.www_authenticate == NULL)
    {
        (void) ngx_rooms_header(r, "WWW-Authenticate", ngx_rooms_s("Bearer"));
    }

    if (r->headers_out.status == NGX_HTTP_NOT_ALLOWED
        && ngx_rooms_route_allow(rq) == NGX_OK)
    {
        (void) ngx_rooms_header(r, "Allow", rooms_from_ngx(rq->allow));
    }

    if (rq->error == NGX_ROOMS_E_RATE_LIMIT) {
        rq->retry_after = 1;
    }

    if (rq->error == NGX_ROOMS_E_RATE_LIMIT && ngx_rooms_filter_limited(r)) {
        rq->error_field = ngx_rooms_s("limit");
        rq->error_problem = rooms_cstr(ngx_rooms_endpoint_class(rq->endpoint));
    }

    ngx_rooms_error_complete(rq);
    ngx_rooms_retry_after(rq);

    ngx_rooms_status_request(rq, r->headers_out.status);

    if (r->headers_out.status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        rq->error_field = ngx_rooms_s("body");
        rq->error_problem = ngx_rooms_s("more than client_max_body_size");
    }

    if (ngx_rooms_filter_early(r)
        && (r->headers_out.status == NGX_HTTP_REQUEST_URI_TOO_LARGE
            || (r->headers_out.status == NGX_HTTP_BAD_REQUEST
                && r->lingering_close)))
    {
        /* NGINX shows its 494 as 400; no other 400 sets lingering_close */
        rq->error_field = ngx_rooms_s("headers");
        rq->error_problem = ngx_rooms_s("more than "
                                        "large_client_header_buffers");
    }

    body = ngx_rooms_error_body(rq, r->pool, ngx_rooms_request_id(r));

    if (body.data == NULL) {
        return NGX_ERROR;
    }

    rooms_json_raw(ngx_rooms_out(&rq->out), body.data, body.len);
    ngx_rooms_out_close(&rq->out);

    r->headers_out.status_line.len = 0;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.charset.len = 0;

    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = body.len;
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);

    rq->replaced = 1;

    return rq->out.failed ? NGX_ERROR : ngx_rooms_no_store(r);
}


static ngx_int_t
ngx_rooms_header_filter(ngx_http_request_t *r)
{
    ngx_rooms_req_t       *rq;
    ngx_rooms_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_rooms_module);

    if (ngx_rooms_fetch_of(r)) {
        r->header_sent = 1;
        return NGX_OK;
    }

    if (r != r->main || (!rlcf->enable && !ngx_rooms_filter_early(r))) {
        return ngx_http_next_header_filter(r);
    }

    rq = ngx_rooms_req(r);
    if (rq == NULL) {
        return NGX_ERROR;
    }

    if (ngx_rooms_header(r, "X-Request-Id", ngx_rooms_request_id(r))
        != NGX_OK
        || ngx_rooms_cors_headers(r, rlcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_rooms_filter_foreign(r, rq)
        && ngx_rooms_filter_replace(r, rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_rooms_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t          *b;
    ngx_chain_t        *cl;
    ngx_rooms_req_t    *rq;
    ngx_rooms_fetch_t  *fetch;

    fetch = ngx_rooms_fetch_of(r);
    if (fetch) {
        return ngx_rooms_fetch_body(fetch, in);
    }

    rq = ngx_http_get_module_ctx(r, ngx_rooms_module);

    if (rq == NULL || !rq->replaced || in == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    /* drops NGINX's page; ours goes out with its last buffer */

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;
        b->pos = b->last;
        b->file_pos = b->file_last;

        if (!b->last_buf) {
            continue;
        }

        rq->replaced = 0;
        rq->out.first->buf->last_buf = 1;
        rq->out.first->buf->last_in_chain = 1;

        return ngx_http_next_body_filter(r, rq->out.first);
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_filter_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_rooms_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_rooms_body_filter;

    return NGX_OK;
}
