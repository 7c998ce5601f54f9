/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * CORS: a page of another origin may read an answer only if the answer allows
 * it, and its browser asks with OPTIONS before it sends a token ("CORS
 * protocol" of the Fetch standard).  The headers are on every answer of our
 * locations, also on NGINX's own errors: a page that can't read a 429 doesn't
 * know to wait.
 */

#include "ngx_rooms_cors.h"
#include "ngx_rooms_status.h"


#define NGX_ROOMS_CORS_MAX_AGE  "7200"     /* s, the most that browsers keep */

/* request headers that need permission */
#define NGX_ROOMS_CORS_REQUEST                                               \
    "Authorization, Content-Type, Idempotency-Key, If-Match, "               \
    "If-None-Match, If-Range, Last-Event-ID, Range, traceparent"

/* response headers that pages may read */
#define NGX_ROOMS_CORS_RESPONSE                                              \
    "ETag, Location, Retry-After, X-Request-Id, Idempotency-Replayed, "      \
    "Content-Disposition"


static ngx_uint_t ngx_rooms_cors_is_origin(ngx_str_t *s);
static void ngx_rooms_cors_answer(ngx_rooms_req_t *rq);


char *
ngx_rooms_cors_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_str_t         *value, *origin;
    ngx_uint_t         i;
    ngx_rooms_cors_t  *cors;

    if (rlcf->cors != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;
    rlcf->cors = NULL;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return cf->args->nelts == 2 ? NGX_CONF_OK
                                    : "must not have both \"off\" and an "
                                      "origin";
    }

    cors = ngx_pcalloc(cf->pool, sizeof(ngx_rooms_cors_t));
    if (cors == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_array_init(&cors->origins, cf->pool, cf->args->nelts,
                       sizeof(ngx_str_t)) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "*") == 0) {

            if (cf->args->nelts > 2) {
                return "must not have both \"*\" and an origin";
            }

            cors->any = 1;
            continue;
        }

        ngx_strlow(value[i].data, value[i].data, value[i].len);

        if (!ngx_rooms_cors_is_origin(&value[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "rooms_cors_origin: \"%V\" is not an origin, "
                               "which is \"https://host\" or "
                               "\"https://host:port\" without a path",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        origin = ngx_array_push(&cors->origins);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        *origin = value[i];
    }

    rlcf->cors = cors;

    return NGX_CONF_OK;
}


/*
 * scheme "://" host [":" port] (RFC 6454, section 6.2).  "null" isn't
 * allowed, since any page can have that origin.
 */
static ngx_uint_t
ngx_rooms_cors_is_origin(ngx_str_t *s)
{
    u_char      *p, *last;
    ngx_uint_t   n;

    p = s->data;
    last = p + s->len;

    for (n = 0; p < last && *p >= 'a' && *p <= 'z'; n++) {
        p++;
    }

    if (n == 0 || last - p < 4 || ngx_memcmp(p, "://", 3) != 0) {
        return 0;
    }

    p += 3;

    if (*p == '[') {

        for (p++; p < last && *p != ']'; p++) {

            if (!(*p >= '0' && *p <= '9') && !(*p >= 'a' && *p <= 'f')
                && *p != ':' && *p != '.')
            {
                return 0;
            }
        }

        if (p++ == last) {
            return 0;
        }

    } else {

        for (n = 0; p < last && *p != ':'; n++, p++) {

            if (!(*p >= '0' && *p <= '9') && !(*p >= 'a' && *p <= 'z')
                && *p != '.' && *p != '-' && *p != '_')
            {
                return 0;
            }
        }

        if (n == 0) {
            return 0;
        }
    }

    if (p == last) {
        return 1;
    }

    if (*p++ != ':') {
        return 0;
    }

    n = last - p;

    return n > 0 && n <= 5 && ngx_atoi(p, n) > 0 && ngx_atoi(p, n) < 65536;
}


ngx_int_t
ngx_rooms_cors_check(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf)
{
    if (conf->cors && conf->cors->any && conf->cors_credentials) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "rooms_cors_credentials needs a list of origins: "
                           "with \"rooms_cors_origin *\" every page could act "
                           "as its visitors");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_rooms_cors_listed(ngx_rooms_cors_t *cors, rooms_str_t origin)
{
    ngx_str_t   *s;
    ngx_uint_t   i;

    s = cors->origins.elts;

    for (i = 0; i < cors->origins.nelts; i++) {

        if (s[i].len == origin.len
            && ngx_strncasecmp(s[i].data, (u_char *) origin.data,
                               origin.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_rooms_cors_from_listed(ngx_rooms_req_t *rq)
{
    rooms_str_t  origin;

    origin = ngx_rooms_header_in(rq->r, "Origin");

    return rq->conf->cors && origin.data
           && ngx_rooms_cors_listed(rq->conf->cors, origin);
}


ngx_uint_t
ngx_rooms_cors_may_connect(ngx_rooms_req_t *rq)
{
    size_t       len;
    ngx_str_t   *host;
    rooms_str_t  origin;

    origin = ngx_rooms_header_in(rq->r, "Origin");

    if (origin.data == NULL || ngx_rooms_cors_from_listed(rq)
        || (rq->conf->cors && rq->conf->cors->any))
    {
        return 1;
    }

    if (rq->r->headers_in.host == NULL) {
        return 0;
    }

    /* a page of our own: scheme, "://", and the same host */

    host = &rq->r->headers_in.host->value;
    len = host->len + 3;

    return origin.len > len
           && ngx_strncmp(origin.data + origin.len - len, "://", 3) == 0
           && ngx_strncasecmp((u_char *) origin.data + origin.len - host->len,
                              host->data, host->len) == 0;
}


ngx_int_t
ngx_rooms_cors_headers(ngx_http_request_t *r, ngx_rooms_loc_conf_t *rlcf)
{
    rooms_str_t        origin;
    ngx_rooms_cors_t  *cors;

    cors = rlcf->cors;

    if (cors == NULL) {
        return NGX_OK;
    }

    if (cors->any) {
        origin = ngx_rooms_s("*");

    } else {

        /* caches must not give one origin's answer to another */

        if (ngx_rooms_header(r, "Vary", ngx_rooms_s("Origin")) != NGX_OK) {
            return NGX_ERROR;
        }

        origin = ngx_rooms_header_in(r, "Origin");

        if (origin.data == NULL || !ngx_rooms_cors_listed(cors, origin)) {
            return NGX_OK;
        }

        if (rlcf->cors_credentials
            && ngx_rooms_header(r, "Access-Control-Allow-Credentials",
                                ngx_rooms_s("true")) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_rooms_header(r, "Access-Control-Allow-Origin", origin) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_header(r, "Access-Control-Expose-Headers",
                            ngx_rooms_s(NGX_ROOMS_CORS_RESPONSE));
}


ngx_int_t
ngx_rooms_cors_options(ngx_rooms_req_t *rq)
{
    if (rq->allow.len == 0) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_PATH, NULL);
    }

    /* the list of methods is the answer, not an error */
    rq->answer = ngx_rooms_cors_answer;
    rq->state = NGX_ROOMS_SHOW;

    return NGX_OK;
}


static void
ngx_rooms_cors_answer(ngx_rooms_req_t *rq)
{
    ngx_int_t            rc;
    rooms_str_t          allow, origin;
    ngx_rooms_cors_t    *cors;
    ngx_http_request_t  *r;

    r = rq->r;
    cors = rq->conf->cors;
    allow = rooms_from_ngx(rq->allow);

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    rc = ngx_rooms_header(r, "Allow", allow);

    origin = cors ? ngx_rooms_header_in(r, "Origin") : ROOMS_NULL;

    if (rc == NGX_OK && origin.data
        && (cors->any || ngx_rooms_cors_listed(cors, origin)))
    {
        if (ngx_rooms_header(r, "Access-Control-Allow-Methods", allow)
            != NGX_OK
            || ngx_rooms_header(r, "Access-Control-Allow-Headers",
                                ngx_rooms_s(NGX_ROOMS_CORS_REQUEST))
               != NGX_OK)
        {
            rc = NGX_ERROR;

        } else {
            rc = ngx_rooms_header(r, "Access-Control-Max-Age",
                                  ngx_rooms_s(NGX_ROOMS_CORS_MAX_AGE));
        }
    }

    rq->sent = 1;

    ngx_rooms_status_request(rq, NGX_HTTP_NO_CONTENT);

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    ngx_http_finalize_request(r, rc == NGX_OK ? ngx_http_send_header(r)
                                              : NGX_ERROR);
}
