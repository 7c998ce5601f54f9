/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Parses the URL of rooms_redis. */

#include "ngx_rooms_store.h"
#include "ngx_rooms_tls.h"


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


/*
 * Parses "user:password@" or ":password@", percent-encoded, before the host.
 */
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
            return "supports only the query \"?db=N\"";
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


static char *
ngx_rooms_store_db(u_char *p, u_char *last, ngx_rooms_node_t *node)
{
    node->db = ngx_atoi(p, last - p);

    return node->db == NGX_ERROR ? "has an invalid database number" : NULL;
}


/* Resolves "host:port" now, as NGINX does with addresses. */
static char *
ngx_rooms_store_host(ngx_conf_t *cf, u_char *p, u_char *last,
    ngx_uint_t port, ngx_url_t *u)
{
    ngx_memzero(u, sizeof(ngx_url_t));

    u->url.data = p;
    u->url.len = last - p;
    u->default_port = port;

    if (u->url.len == 0) {
        return "has no host";
    }

    if (ngx_parse_url(cf->pool, u) != NGX_OK) {
        return u->err ? u->err : "has an invalid address";
    }

    return NULL;
}


/* Parses "a:p,b:p" and so on: the first nodes or sentinels to ask. */
static char *
ngx_rooms_store_seeds(ngx_conf_t *cf, u_char *p, u_char *last,
    ngx_uint_t port, ngx_rooms_store_t *store)
{
    char        *err;
    u_char      *comma;
    ngx_url_t    u;
    ngx_uint_t   i;
    ngx_addr_t  *addr;

    store->seeds = ngx_array_create(cf->pool, 4, sizeof(ngx_addr_t));
    if (store->seeds == NULL) {
        return "is out of memory";
    }

    do {
        comma = ngx_strlchr(p, last, ',');

        err = ngx_rooms_store_host(cf, p, comma ? comma : last, port, &u);

        if (err) {
            return err;
        }

        for (i = 0; i < u.naddrs; i++) {
            addr = ngx_array_push(store->seeds);
            if (addr == NULL) {
                return "is out of memory";
            }

            *addr = u.addrs[i];
        }

        p = comma ? comma + 1 : last;

    } while (comma);

    store->node.name = store->name;

    return NULL;
}


/* Makes the URL for logs: without user and password. */
static ngx_int_t
ngx_rooms_store_name(ngx_conf_t *cf, ngx_rooms_store_t *store, size_t scheme,
    u_char *hosts, u_char *last)
{
    u_char  *p;

    p = ngx_pnalloc(cf->pool, scheme + (last - hosts));
    if (p == NULL) {
        return NGX_ERROR;
    }

    store->name.data = p;
    p = ngx_cpymem(p, store->url.data, scheme);
    p = ngx_cpymem(p, hosts, last - hosts);
    store->name.len = p - store->name.data;

    return NGX_OK;
}


char *
ngx_rooms_store_parse(ngx_conf_t *cf, ngx_str_t *url, ngx_rooms_store_t *store)
{
    char              *err;
    size_t             len;
    u_char            *p, *last, *slash, *begin, *query;
    ngx_url_t          u;
    ngx_rooms_node_t  *node;

    node = &store->node;
    store->url = *url;
    store->name = *url;

    p = url->data;
    last = p + url->len;
    query = NULL;

    if (ngx_strncasecmp(p, (u_char *) "redis+unix://", 13) == 0) {
        node->name = *url;
        return ngx_rooms_store_unix(cf, p + 13, last, node);
    }

    if (ngx_strncasecmp(p, (u_char *) "redis-cluster://", 16) == 0) {
        store->kind = NGX_ROOMS_STORE_CLUSTER;
        len = 16;

    } else if (ngx_strncasecmp(p, (u_char *) "redis-sentinel://", 17) == 0) {
        store->kind = NGX_ROOMS_STORE_SENTINEL;
        len = 17;

    } else if (ngx_strncasecmp(p, (u_char *) "redis://", 8) == 0) {
        len = 8;

    } else if (ngx_strncasecmp(p, (u_char *) "rediss://", 9) == 0) {
        len = 9;
        query = ngx_strlchr(p, last, '?');
        last = query ? query : last;

    } else {
        return "must begin with \"redis://\", \"rediss://\", "
               "\"redis+unix://\", \"redis-cluster://\" or "
               "\"redis-sentinel://\"";
    }

    begin = p + len;
    p = ngx_rooms_store_userinfo(cf, begin, last, node);

    if (p == NULL) {
        return "must have \"user:password\" before \"@\"";
    }

    if (p != begin
        && ngx_rooms_store_name(cf, store, len, p, last) != NGX_OK)
    {
        return "is out of memory";
    }

    slash = ngx_strlchr(p, last, '/');

    if (store->kind == NGX_ROOMS_STORE_SENTINEL) {

        if (slash == NULL || slash + 1 == last) {
            return "must end in \"/name\" of the primary";
        }

        store->primary.data = slash + 1;
        store->primary.len = last - slash - 1;

        return ngx_rooms_store_seeds(cf, p, slash, 26379, store);
    }

    if (slash && slash + 1 < last) {
        err = ngx_rooms_store_db(slash + 1, last, node);

        if (err) {
            return err;
        }
    }

    if (store->kind == NGX_ROOMS_STORE_CLUSTER) {
        return node->db ? "names a database, but a cluster has only database 0"
                        : ngx_rooms_store_seeds(cf, p, slash ? slash : last,
                                                6379, store);
    }

    err = ngx_rooms_store_host(cf, p, slash ? slash : last, 6379, &u);

    if (err == NULL) {
        node->addrs = u.addrs;
        node->naddrs = u.naddrs;
        node->name = u.url;
    }

    if (err == NULL && len == 9) {
        err = ngx_rooms_tls_parse(cf, query ? query + 1 : last,
                                  url->data + url->len, &u.host, node);
    }

    return err;
}
