/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Finds the row of the table for a request's path.  Splits the raw path first
 * and decodes the segments afterwards, so that %2F in an id doesn't split it.
 */

#include "ngx_rooms_request.h"


#define NGX_ROOMS_SEGMENTS    8

typedef struct {
    ngx_uint_t    n;
    rooms_str_t   s[NGX_ROOMS_SEGMENTS];
} ngx_rooms_path_t;


/* The row after the last one has no path. */
static ngx_rooms_endpoint_t  ngx_rooms_rows[NGX_ROOMS_ROWS + 1];

/*
 * Of a row's template: how many segments, and of those that are words (a byte
 * of 255 each) how long they are.  Most rows are told from a path by that.
 */
typedef struct {
    uint64_t      lengths;
    uint64_t      words;
    ngx_uint_t    n;
} ngx_rooms_shape_t;

static ngx_rooms_shape_t  ngx_rooms_shapes[NGX_ROOMS_ROWS];

const ngx_rooms_endpoint_t  *ngx_rooms_endpoints = ngx_rooms_rows;

static const struct {
    const char         *name;
    ngx_rooms_param_e   param;
} ngx_rooms_params[] = {
    { "{room}", NGX_ROOMS_P_ROOM },
    { "{participant}", NGX_ROOMS_P_PARTICIPANT },
    { "{workspace}", NGX_ROOMS_P_WORKSPACE },
    { "{event}", NGX_ROOMS_P_EVENT },
    { "{media}", NGX_ROOMS_P_MEDIA },
    { "{local}", NGX_ROOMS_P_LOCAL },
    { "{server}", NGX_ROOMS_P_SERVER },
    { "{alias}", NGX_ROOMS_P_ALIAS },
    { NULL, 0 }
};


/* NGX_DECLINED: it has more segments than any of our paths. */
static ngx_int_t
ngx_rooms_path_split(ngx_rooms_path_t *path, rooms_str_t uri)
{
    const u_char  *p, *end, *from;

    path->n = 0;
    end = uri.data + uri.len;

    if (uri.len == 0 || uri.data[0] != '/') {
        return NGX_DECLINED;
    }

    for (p = uri.data + 1, from = p; /* void */ ; p++) {

        if (p < end && *p != '/') {
            continue;
        }

        if (path->n == NGX_ROOMS_SEGMENTS) {
            return NGX_DECLINED;
        }

        path->s[path->n].data = from;
        path->s[path->n++].len = p - from;

        if (p == end) {
            return NGX_OK;
        }

        from = p + 1;
    }
}


/* Segments' lengths, a byte for each, up to 255. */
static uint64_t
ngx_rooms_path_lengths(const ngx_rooms_path_t *path)
{
    uint64_t    lengths;
    ngx_uint_t  i;

    for (lengths = 0, i = 0; i < path->n; i++) {
        lengths |= (uint64_t) ngx_min(path->s[i].len, 255) << 8 * i;
    }

    return lengths;
}


static void
ngx_rooms_shape_init(ngx_rooms_shape_t *shape, const char *template)
{
    size_t       len;
    const char  *t;

    ngx_memzero(shape, sizeof(ngx_rooms_shape_t));

    for (t = template; *t == '/'; t += 1 + len) {
        len = strcspn(t + 1, "/");

        if (t[1] != '{') {
            shape->lengths |= (uint64_t) len << 8 * shape->n;
            shape->words |= (uint64_t) 255 << 8 * shape->n;
        }

        shape->n++;
    }
}


/* Both have the same number of segments. */
static ngx_uint_t
ngx_rooms_path_matches(const char *template, const ngx_rooms_path_t *path)
{
    size_t       len;
    ngx_uint_t   i;
    const char  *t;

    for (t = template + 1, i = 0; i < path->n; t += len + 1, i++) {

        for (len = 0; t[len] && t[len] != '/'; len++) { /* void */ }

        if (*t == '{') {
            if (path->s[i].len == 0) {
                return 0;
            }

        } else if (path->s[i].len != len
                   || ngx_memcmp(path->s[i].data, t, len) != 0)
        {
            return 0;
        }
    }

    return 1;
}


/* Fills rq->param from the segments that are parameters in the template. */
static ngx_int_t
ngx_rooms_path_params(ngx_rooms_req_t *rq, const ngx_rooms_path_t *path,
    ngx_uint_t raw)
{
    u_char       *src, *dst, *p;
    ngx_uint_t    i, k;
    const char   *t, *next;

    for (i = 0, t = rq->endpoint->path + 1; i < path->n; i++) {
        next = ngx_strchr(t, '/');

        for (k = 0; *t == '{' && ngx_rooms_params[k].name; k++) {

            if (ngx_strncmp(t, ngx_rooms_params[k].name,
                            ngx_strlen(ngx_rooms_params[k].name)) != 0)
            {
                continue;
            }

            p = ngx_pnalloc(rq->pool, path->s[i].len + 1);
            if (p == NULL) {
                return NGX_ERROR;
            }

            src = (u_char *) path->s[i].data;
            dst = p;

            if (raw) {
                ngx_unescape_uri(&dst, &src, path->s[i].len, 0);

            } else {
                dst = ngx_cpymem(dst, src, path->s[i].len);
            }

            rq->param[ngx_rooms_params[k].param] =
                                              (rooms_str_t) { dst - p, p };
        }

        t = next ? next + 1 : t;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_route_methods(ngx_rooms_req_t *rq, const char *template)
{
    u_char                      *p;
    ngx_uint_t                   methods;
    const ngx_rooms_endpoint_t  *e;

    methods = 0;

    for (e = ngx_rooms_endpoints; e->path; e++) {

        if ((e->part & rq->conf->serve) && ngx_strcmp(e->path, template) == 0)
        {
            methods |= e->method;
        }
    }

    p = ngx_pnalloc(rq->pool, sizeof("GET, HEAD, POST, PUT, PATCH, DELETE"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    rq->allow.data = p;

    p = ngx_sprintf(p, "%s%s%s%s%s",
                    methods & NGX_HTTP_GET ? "GET, HEAD, " : "",
                    methods & NGX_HTTP_POST ? "POST, " : "",
                    methods & NGX_HTTP_PUT ? "PUT, " : "",
                    methods & NGX_HTTP_PATCH ? "PATCH, " : "",
                    methods & NGX_HTTP_DELETE ? "DELETE, " : "");

    rq->allow.len = p - rq->allow.data - 2;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_route_allow(ngx_rooms_req_t *rq)
{
    if (rq->allow.len) {
        return NGX_OK;
    }

    return rq->endpoint ? ngx_rooms_route_methods(rq, rq->endpoint->path)
                        : NGX_DECLINED;
}


void
ngx_rooms_route(ngx_rooms_req_t *rq)
{
    size_t                       n;
    ngx_uint_t                   raw, method;
    rooms_str_t                  uri;
    const char                  *template;
    uint64_t                     lengths;
    ngx_rooms_path_t             path;
    ngx_rooms_shape_t           *shape;
    ngx_http_request_t          *r;
    const ngx_rooms_endpoint_t  *e;

    r = rq->r;

    /* a rewritten URI and a subrequest have no raw form */

    raw = r->valid_unparsed_uri && r == r->main;
    uri = rooms_from_ngx(raw ? r->unparsed_uri : r->uri);

    for (n = 0; raw && n < uri.len; n++) {
        if (uri.data[n] == '?' || uri.data[n] == '#') {
            uri.len = n;
        }
    }

    if (ngx_rooms_path_split(&path, uri) != NGX_OK) {
        return;
    }

    method = r->method == NGX_HTTP_HEAD ? NGX_HTTP_GET : r->method;
    template = NULL;

    lengths = ngx_rooms_path_lengths(&path);

    for (e = ngx_rooms_endpoints, shape = ngx_rooms_shapes; e->path;
         e++, shape++)
    {
        if (shape->n != path.n || (lengths & shape->words) != shape->lengths
            || !(e->part & rq->conf->serve))
        {
            continue;
        }

        if (template == NULL) {

            if (!ngx_rooms_path_matches(e->path, &path)) {
                continue;
            }

            /* rows with fixed words come before those with parameters */
            template = e->path;

        } else if (ngx_strcmp(e->path, template) != 0) {
            continue;
        }

        if (e->method & method) {
            rq->endpoint = e;

            if (ngx_rooms_path_params(rq, &path, raw) != NGX_OK) {
                rq->endpoint = NULL;
            }

            return;
        }
    }

    if (template) {
        (void) ngx_rooms_route_methods(rq, template);
    }
}


ngx_int_t
ngx_rooms_route_init(ngx_conf_t *cf)
{
    ngx_uint_t                   n;
    const ngx_rooms_endpoint_t  *e;
    const ngx_rooms_endpoint_t  *const  *family;

    n = 0;

    for (family = ngx_rooms_families; *family; family++) {

        for (e = *family; e->path; e++) {

            if (n == NGX_ROOMS_ROWS) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "rooms: more than %d endpoints",
                              NGX_ROOMS_ROWS);
                return NGX_ERROR;
            }

            ngx_rooms_shape_init(&ngx_rooms_shapes[n], e->path);
            ngx_rooms_rows[n++] = *e;
        }
    }

    return NGX_OK;
}


/*
 * Derived from what the row says.  Joining a room, also by accepting an
 * invite, is "join"; creating something is "create".
 */
const char *
ngx_rooms_endpoint_class(const ngx_rooms_endpoint_t *e)
{
    if (e == NULL) {
        return "none";
    }

    if (e->flags & NGX_ROOMS_PEER) {
        return "peer";
    }

    if (e->part == NGX_ROOMS_PART_SYNC) {
        return "stream";
    }

    if (e->method == NGX_HTTP_GET) {
        return e->op == ROOMS_OP_EXPORT ? "export" : "read";
    }

    if (e->flags & NGX_ROOMS_UPLOAD) {
        return "upload";
    }

    if (e->op == ROOMS_OP_JOIN) {
        return "join";
    }

    if (e->part == NGX_ROOMS_PART_MESSAGES) {
        return "send";
    }

    return e->flags & NGX_ROOMS_CREATES ? "create" : "change";
}


ngx_uint_t
ngx_rooms_endpoint_index(const ngx_rooms_endpoint_t *e)
{
    return e - ngx_rooms_endpoints;
}
