/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_request.h"
#include "ngx_rooms_status.h"


static ngx_str_t  ngx_rooms_json_type = ngx_string("application/json");


rooms_str_t
ngx_rooms_request_id(ngx_http_request_t *r)
{
    u_char                     *id;
    ngx_rooms_main_conf_t      *rmcf;
    ngx_http_variable_value_t  *vv;

    rmcf = ngx_http_get_module_main_conf(r, ngx_rooms_module);

    /* NGINX would ask the system for random bytes for each request */

    vv = &r->main->variables[rmcf->request_id];

    if (!vv->valid && !vv->not_found) {
        id = ngx_pnalloc(r->main->pool, 32);
        if (id == NULL) {
            return ngx_rooms_s("");
        }

        ngx_rooms_random_hex(id, 32);

        vv->valid = 1;
        vv->no_cacheable = 0;
        vv->not_found = 0;
        vv->len = 32;
        vv->data = id;
    }

    vv = ngx_http_get_indexed_variable(r->main, rmcf->request_id);

    if (vv == NULL || vv->not_found) {
        return ngx_rooms_s("");
    }

    return (rooms_str_t) { vv->len, vv->data };
}


ngx_int_t
ngx_rooms_header(ngx_http_request_t *r, const char *key, rooms_str_t value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) key;
    h->key.len = ngx_strlen(key);
    h->value = ngx_from_rooms(value);

    return NGX_OK;
}


ngx_int_t
ngx_rooms_no_store(ngx_http_request_t *r)
{
    return ngx_rooms_header(r, "Cache-Control", ngx_rooms_s("no-store"));
}


rooms_str_t
ngx_rooms_header_in(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);
    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return ROOMS_NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == len
            && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
        {
            return rooms_from_ngx(h[i].value);
        }
    }
}


rooms_str_t
ngx_rooms_etag_next(rooms_str_t *list)
{
    u_char       *p, *last, *open, *end;
    rooms_str_t   tag;

    p = (u_char *) list->data;
    last = p + list->len;

    while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
        p++;
    }

    open = last - p > 2 && p[0] == 'W' && p[1] == '/' ? p + 2 : p;
    end = open < last && *open == '"' ? ngx_strlchr(open + 1, last, '"')
                                      : NULL;

    if (end == NULL) {
        return ROOMS_NULL;
    }

    tag = (rooms_str_t) { end + 1 - p, p };
    *list = (rooms_str_t) { last - end - 1, end + 1 };

    return tag;
}


ngx_int_t
ngx_rooms_etag(ngx_rooms_req_t *rq)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&rq->r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    ngx_str_set(&h->key, "ETag");
    h->value = ngx_from_rooms(rq->etag);

    /* NGINX's not-modified filter compares it with If-None-Match */
    rq->r->headers_out.etag = h;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_send_chain(ngx_rooms_req_t *rq, ngx_chain_t *chain)
{
    ngx_int_t            rc;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    r = rq->r;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only || chain == NULL) {
        return rc;
    }

    for (cl = chain; cl->next; cl = cl->next) { /* void */ }

    cl->buf->last_buf = (r == r->main) ? 1 : 0;
    cl->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, chain);
}


static void
ngx_rooms_finish(ngx_rooms_req_t *rq, ngx_uint_t status, ngx_chain_t *chain,
    size_t size)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = rq->r;
    rq->state = NGX_ROOMS_DONE;

    /* an unread body must not be taken for the next request */

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        /* NGINX's own answer, which our filter replaces */
        ngx_http_finalize_request(r, rc);
        return;
    }

    /* the answer to a change is always sent whole */

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        r->disable_not_modified = 1;
    }

    if (ngx_rooms_no_store(r) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    rq->sent = 1;

    ngx_rooms_status_request(rq, status);

    r->headers_out.status = status;
    r->headers_out.content_length_n = size;
    r->headers_out.content_type = rq->endpoint && rq->endpoint->envelope
                                  ? rq->endpoint->envelope->type
                                  : ngx_rooms_json_type;
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    ngx_http_finalize_request(r, ngx_rooms_send_chain(rq, chain));
}


void
ngx_rooms_respond(ngx_rooms_req_t *rq)
{
    ngx_rooms_out_close(&rq->out);

    if (rq->out.failed || (rq->out.first == NULL
                           && rq->status != NGX_HTTP_NO_CONTENT))
    {
        rq->error = NGX_ROOMS_E_INTERNAL;
        ngx_rooms_respond_error(rq);
        return;
    }

    if (rq->etag.data && ngx_rooms_etag(rq) != NGX_OK) {
        ngx_http_finalize_request(rq->r, NGX_ERROR);
        return;
    }

    if (rq->location.data
        && ngx_rooms_header(rq->r, "Location",
                            ngx_rooms_join(rq->pool,
                                           rq->endpoint->envelope
                                           ? rooms_cstr(
                                               rq->endpoint->envelope->location)
                                           : ngx_rooms_s("/v1/rooms/"),
                                           rq->location))
           != NGX_OK)
    {
        ngx_http_finalize_request(rq->r, NGX_ERROR);
        return;
    }

    if (rq->replayed) {
        (void) ngx_rooms_header(rq->r, "Idempotency-Replayed",
                                ngx_rooms_s("true"));
    }

    ngx_rooms_finish(rq, rq->status ? rq->status : NGX_HTTP_OK, rq->out.first,
                     rq->out.size);
}


rooms_str_t
ngx_rooms_error_message(ngx_rooms_req_t *rq, ngx_pool_t *pool)
{
    rooms_str_t  message, detailed;

    if (rq->message.data) {
        return rq->message;
    }

    message = rooms_cstr(ngx_rooms_error(rq->error)->message);

    if (rq->error != ROOMS_E_VALIDATION || rq->error_field.data == NULL) {
        return message;
    }

    detailed = ngx_rooms_join(pool, message, ngx_rooms_s(": "),
                              rq->error_field, ngx_rooms_s(": "),
                              rq->error_problem);

    return detailed.data ? detailed : message;
}


rooms_str_t
ngx_rooms_error_body(ngx_rooms_req_t *rq, ngx_pool_t *pool,
    rooms_str_t request_id)
{
    rooms_buf_t              *b;
    const ngx_rooms_error_t  *e;
    ngx_rooms_json_t          text;

    if (rq->endpoint && rq->endpoint->envelope) {
        return rq->endpoint->envelope->error(rq, pool);
    }

    e = ngx_rooms_error(rq->error);
    b = ngx_rooms_json(&text, pool);

    rooms_json_lit(b, "{\"error\":{\"code\":");
    rooms_json_str(b, rooms_cstr(e->code));
    rooms_json_lit(b, ",\"message\":");
    rooms_json_str(b, ngx_rooms_error_message(rq, pool));
    rooms_json_lit(b, ",\"request_id\":");
    rooms_json_str(b, request_id);

    if (rq->error_field.data) {
        rooms_json_lit(b, ",\"details\":[{\"field\":");
        rooms_json_str(b, rq->error_field);
        rooms_json_lit(b, ",\"problem\":");
        rooms_json_str(b, rq->error_problem);
        rooms_json_lit(b, "}]");
    }

    rooms_json_lit(b, "}}\n");

    return ngx_rooms_json_end(&text);
}


/*
 * RFC 6750, section 3: a request without a token gets no error in the
 * challenge.  The description may contain neither quotes nor backslashes.
 */
static rooms_str_t
ngx_rooms_challenge(ngx_rooms_req_t *rq)
{
    u_char       *p;
    size_t        i;
    rooms_str_t   value;

    if (rq->refusal_why == NULL || rq->error != rq->refusal) {
        return ngx_rooms_s("Bearer");
    }

    value = ngx_rooms_join(rq->pool,
                           ngx_rooms_s("Bearer error=\"invalid_token\", "
                                       "error_description=\""),
                           rooms_cstr(rq->refusal_why), ngx_rooms_s("\""));

    if (value.data == NULL) {
        return ngx_rooms_s("Bearer");
    }

    p = (u_char *) value.data + value.len - 1 - ngx_strlen(rq->refusal_why);

    for (i = 0; p[i + 1]; i++) {

        if (p[i] == '"' || p[i] == '\\') {
            p[i] = '\'';
        }
    }

    return value;
}


void
ngx_rooms_error_complete(ngx_rooms_req_t *rq)
{
    if (rq->error != NGX_ROOMS_E_STORE && rq->error != NGX_ROOMS_E_CONFLICT) {
        return;
    }

    if (rq->retry_after == 0) {
        rq->retry_after = 1;
    }

    if (rq->error == NGX_ROOMS_E_STORE && rq->error_field.data == NULL
        && !(rq->r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)))
    {
        rq->error_field = ngx_rooms_s("outcome");
        rq->error_problem = rq->partly ? ngx_rooms_s("unknown")
                                       : ngx_rooms_s("not_applied");
    }
}


void
ngx_rooms_retry_after(ngx_rooms_req_t *rq)
{
    u_char  *p;

    if (rq->retry_after == 0) {
        return;
    }

    p = ngx_pnalloc(rq->pool, NGX_INT_T_LEN);

    if (p) {
        (void) ngx_rooms_header(rq->r, "Retry-After", (rooms_str_t) {
                          ngx_sprintf(p, "%ui", rq->retry_after) - p, p });
    }
}


static void
ngx_rooms_error_headers(ngx_rooms_req_t *rq, ngx_uint_t status)
{
    if (status == NGX_HTTP_UNAUTHORIZED) {
        (void) ngx_rooms_header(rq->r, "WWW-Authenticate",
                                ngx_rooms_challenge(rq));
    }

    if (status == NGX_HTTP_NOT_ALLOWED && rq->allow.len) {
        (void) ngx_rooms_header(rq->r, "Allow", rooms_from_ngx(rq->allow));
    }

    ngx_rooms_retry_after(rq);
}


void
ngx_rooms_respond_error(ngx_rooms_req_t *rq)
{
    ngx_uint_t           status;
    rooms_str_t          body;
    ngx_rooms_out_t      out;
    ngx_http_request_t  *r;

    r = rq->r;

    if (rq->error == ROOMS_OK) {
        rq->error = NGX_ROOMS_E_INTERNAL;
    }

    if (rq->enclosing) {
        rq->endpoint = rq->enclosing;
    }

    if (rq->endpoint && rq->endpoint->refuse
        && rq->endpoint->refuse(rq) == NGX_OK)
    {
        return;
    }

    ngx_rooms_claim_release(rq);
    ngx_rooms_error_complete(rq);

    status = ngx_rooms_error(rq->error)->status;
    body = ngx_rooms_error_body(rq, rq->pool, ngx_rooms_request_id(r));

    ngx_rooms_out_init(&out, rq->pool);

    if (body.data == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    rooms_json_raw(ngx_rooms_out(&out), body.data, body.len);
    ngx_rooms_out_close(&out);

    if (out.failed) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_rooms_error_headers(rq, status);
    ngx_rooms_finish(rq, status, out.first, out.size);
}
