/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_store.h"
#include "rooms_json.h"


/* All keys, as "prefix{tenant}:" + before + id + after. */
static const struct {
    ngx_str_t  before;
    ngx_str_t  after;
} ngx_rooms_keys[NGX_ROOMS_KEY_MAX] = {
    [NGX_ROOMS_KEY_TENANT] = { ngx_string("tenant"), ngx_null_string },
    [NGX_ROOMS_KEY_POSITION] = { ngx_string("position"), ngx_null_string },
    [NGX_ROOMS_KEY_PARTICIPANTS] =
        { ngx_string("participants"), ngx_null_string },
    [NGX_ROOMS_KEY_LOCALS] = { ngx_string("locals"), ngx_null_string },
    [NGX_ROOMS_KEY_ALIASES] = { ngx_string("aliases"), ngx_null_string },
    [NGX_ROOMS_KEY_PUBLIC] = { ngx_string("public"), ngx_null_string },
    [NGX_ROOMS_KEY_DMS] = { ngx_string("dms"), ngx_null_string },

    [NGX_ROOMS_KEY_USER_ROOMS] = { ngx_string("p:"), ngx_string(":rooms") },
    [NGX_ROOMS_KEY_USER_WORKSPACES] =
        { ngx_string("p:"), ngx_string(":workspaces") },
    [NGX_ROOMS_KEY_WORKSPACE] = { ngx_string("w:"), ngx_null_string },
    [NGX_ROOMS_KEY_WORKSPACE_MEMBERS] =
        { ngx_string("w:"), ngx_string(":members") },

    [NGX_ROOMS_KEY_ROOM] = { ngx_string("r:"), ngx_null_string },
    [NGX_ROOMS_KEY_MEMBERS] = { ngx_string("r:"), ngx_string(":members") },
    [NGX_ROOMS_KEY_OWN] = { ngx_string("r:"), ngx_string(":own") },
    [NGX_ROOMS_KEY_ORDER] = { ngx_string("r:"), ngx_string(":order") },
    [NGX_ROOMS_KEY_LIST] = { ngx_string("r:"), ngx_string(":list") },
    [NGX_ROOMS_KEY_BANS] = { ngx_string("r:"), ngx_string(":bans") },
    [NGX_ROOMS_KEY_EVENTS] = { ngx_string("r:"), ngx_string(":events") },
    [NGX_ROOMS_KEY_UNREAD] = { ngx_string("r:"), ngx_string(":unread") },
    [NGX_ROOMS_KEY_MARKERS] = { ngx_string("r:"), ngx_string(":markers") },
    [NGX_ROOMS_KEY_UUIDS] = { ngx_string("r:"), ngx_string(":uuids") },

    [NGX_ROOMS_KEY_COMMIT] = { ngx_string("commit:"), ngx_null_string },
    [NGX_ROOMS_KEY_IDEMPOTENCY] = { ngx_string("idem:"), ngx_null_string },
};


ngx_int_t
ngx_rooms_keys_init(ngx_rooms_keys_t *keys, ngx_pool_t *pool,
    ngx_str_t *prefix, rooms_str_t tenant)
{
    keys->pool = pool;
    keys->prefix = ngx_rooms_join(pool, rooms_from_ngx(*prefix),
                                  ngx_rooms_s(":{"), tenant,
                                  ngx_rooms_s("}:"));

    return keys->prefix.data ? NGX_OK : NGX_ERROR;
}


rooms_str_t
ngx_rooms_key(ngx_rooms_keys_t *keys, ngx_rooms_key_e kind, rooms_str_t id)
{
    return ngx_rooms_join(keys->pool, keys->prefix,
                          rooms_from_ngx(ngx_rooms_keys[kind].before), id,
                          rooms_from_ngx(ngx_rooms_keys[kind].after));
}


rooms_str_t
ngx_rooms_dup(ngx_pool_t *pool, rooms_str_t s)
{
    return s.data ? ngx_rooms_concat(pool, &s, 1) : s;
}


rooms_str_t
ngx_rooms_concat(ngx_pool_t *pool, const rooms_str_t *parts, ngx_uint_t n)
{
    u_char       *p;
    rooms_str_t   s;
    ngx_uint_t    i;

    for (s.len = 0, i = 0; i < n; i++) {
        s.len += parts[i].len;
    }

    p = ngx_pnalloc(pool, s.len + 1);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    s.data = p;

    for (i = 0; i < n; i++) {

        if (parts[i].len) {
            p = ngx_cpymem(p, parts[i].data, parts[i].len);
        }
    }

    *p = '\0';

    return s;
}


rooms_str_t
ngx_rooms_number(ngx_pool_t *pool, int64_t n)
{
    u_char       *p;
    rooms_buf_t   b;

    p = ngx_pnalloc(pool, ROOMS_JSON_INT);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, p, ROOMS_JSON_INT);
    rooms_json_int(&b, n);

    return (rooms_str_t) { b.last - b.start, p };
}


static ngx_int_t
ngx_rooms_store_unescape(ngx_conf_t *cf, ngx_str_t *s)
{
    u_char  *src, *dst;

    dst = ngx_pnalloc(cf->pool, s->len + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    src = s->data;
    s->data = dst;
    ngx_unescape_uri(&dst, &src, s->len, 0);
    s->len = dst - s->data;
    *dst = '\0';

    return NGX_OK;
}


/* "user:password@" or ":password@", percent-encoded, in front of a host. */
static u_char *
ngx_rooms_store_userinfo(ngx_conf_t *cf, u_char *p, u_char *last,
    ngx_rooms_node_t *node)
{
    u_char  *at, *colon;

    at = ngx_strlchr(p, last, '@');

    if (at == NULL) {
        return p;
    }

    colon = ngx_strlchr(p, at, ':');

    if (colon == NULL) {
        return NULL;
    }

    node->user.data = p;
    node->user.len = colon - p;
    node->password.data = colon + 1;
    node->password.len = at - colon - 1;

    if (ngx_rooms_store_unescape(cf, &node->user) != NGX_OK
        || ngx_rooms_store_unescape(cf, &node->password) != NGX_OK)
    {
        return NULL;
    }

    return at + 1;
}


static char *
ngx_rooms_store_unix(ngx_conf_t *cf, u_char *p, u_char *last,
    ngx_rooms_node_t *node)
{
    u_char     *query;
    ngx_str_t   path;

    query = ngx_strlchr(p, last, '?');

    if (query) {
        if (last - query < 5 || ngx_strncmp(query, "?db=", 4) != 0) {
            return "knows no query but \"?db=N\"";
        }

        node->db = ngx_atoi(query + 4, last - query - 4);

        if (node->db == NGX_ERROR) {
            return "has an invalid database number";
        }

        last = query;
    }

    path.data = p;
    path.len = last - p;

    if (path.len < 2 || path.data[0] != '/') {
        return "needs an absolute path of a socket";
    }

    if (ngx_rooms_store_unescape(cf, &path) != NGX_OK) {
        return "is out of memory";
    }

    if (path.len >= 108) {
        return "has too long a path for a socket";
    }

    node->path = path;

    return NULL;
}


char *
ngx_rooms_store_parse(ngx_conf_t *cf, ngx_str_t *url, ngx_rooms_node_t *node)
{
    u_char     *p, *last, *slash;
    ngx_url_t   u;

    ngx_memzero(node, sizeof(ngx_rooms_node_t));

    p = url->data;
    last = p + url->len;

    if (ngx_strncasecmp(p, (u_char *) "redis+unix://", 13) == 0) {
        node->name = *url;
        return ngx_rooms_store_unix(cf, p + 13, last, node);
    }

    if (ngx_strncasecmp(p, (u_char *) "rediss://", 9) == 0) {
        return "needs TLS, which this build of hiredis doesn't have";
    }

    if (ngx_strncasecmp(p, (u_char *) "redis-cluster://", 16) == 0
        || ngx_strncasecmp(p, (u_char *) "redis-sentinel://", 17) == 0)
    {
        return "names a cluster or sentinel, which this version can't follow";
    }

    if (ngx_strncasecmp(p, (u_char *) "redis://", 8) != 0) {
        return "must begin with \"redis://\" or \"redis+unix://\"";
    }

    p = ngx_rooms_store_userinfo(cf, p + 8, last, node);

    if (p == NULL) {
        return "must have \"user:password\" before \"@\"";
    }

    slash = ngx_strlchr(p, last, '/');

    if (slash && slash + 1 < last) {
        node->db = ngx_atoi(slash + 1, last - slash - 1);

        if (node->db == NGX_ERROR) {
            return "has an invalid database number";
        }
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url.data = p;
    u.url.len = (slash ? slash : last) - p;
    u.default_port = 6379;

    if (u.url.len == 0) {
        return "has no host";
    }

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        return u.err ? u.err : "has an invalid address";
    }

    node->addrs = u.addrs;
    node->naddrs = u.naddrs;
    node->name = u.url;

    return NULL;
}


void
ngx_rooms_store_init_worker(ngx_rooms_store_t *store, ngx_log_t *log)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_ROOMS_LANES; i++) {
        ngx_rooms_lane_init(&store->lanes[i], &store->node, log);
    }
}
