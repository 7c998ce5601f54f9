/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * `rooms on;` in a server registers the location tree there, as if the
 * operator had written each location.  The operator's own locations have
 * priority.
 *
 * Once the whole server is read, each of our locations is settled by what
 * NGINX would choose for its path without it:
 *
 *     a location that says `rooms on` or `off`        ours is removed
 *     a regular expression, or "= PATH"              ours is removed
 *     a prefix that covers all of ours               ours is removed
 *     a shorter prefix ("/", "/v1/"), or none        ours stays
 *
 * If ours is a prefix, and NGINX would search a shorter location for nested
 * ones, ours moves into that location as one more nested location.  So the
 * operator's nested locations still have priority, and a "^~" keeps its
 * effect.  Our location keeps the server's settings.
 */

#include "ngx_rooms.h"


/* Angie keeps what matches a location apart from the location's settings. */
#if (NGX_ROOMS_COMBINED_LOCATIONS)
typedef ngx_http_core_loc_t       ngx_rooms_matched_t;
#define ngx_rooms_settings(loc)   (loc)->conf
#else
typedef ngx_http_core_loc_conf_t  ngx_rooms_matched_t;
#define ngx_rooms_settings(loc)   (loc)
#endif


typedef struct {
    ngx_str_t                   name;
    ngx_uint_t                  exact;
    ngx_uint_t                  parts;
} ngx_rooms_location_t;

typedef struct {
    ngx_queue_t                *queue;
    ngx_rooms_loc_conf_t       *conf;
    const ngx_rooms_location_t *location;
} ngx_rooms_registered_t;


static const ngx_rooms_location_t  ngx_rooms_locations[] = {
    { ngx_string("/v1/rooms"), 1, NGX_ROOMS_PART_ROOMS },
    { ngx_string("/v1/rooms/"), 0,
      NGX_ROOMS_PART_ROOMS | NGX_ROOMS_PART_MESSAGES },
    { ngx_string("/v1/directory/"), 0, NGX_ROOMS_PART_DIRECTORY },
    { ngx_string("/v1/workspaces"), 1, NGX_ROOMS_PART_WORKSPACES },
    { ngx_string("/v1/workspaces/"), 0, NGX_ROOMS_PART_WORKSPACES },
    { ngx_string("/v1/auth/"), 0, NGX_ROOMS_PART_AUTH },
    { ngx_string("/v1/sync"), 1, NGX_ROOMS_PART_SYNC },
    { ngx_string("/v1/stream"), 1, NGX_ROOMS_PART_SYNC },
    { ngx_string("/v1/admin/"), 0,
      NGX_ROOMS_PART_FEDERATION | NGX_ROOMS_PART_PEOPLE },
    { ngx_string("/scim/v2/"), 0, NGX_ROOMS_PART_SCIM },
    { ngx_string("/v1/me"), 1, NGX_ROOMS_PART_PEOPLE },
    { ngx_string("/v1/me/"), 0, NGX_ROOMS_PART_PEOPLE },
    { ngx_string("/v1/participants/"), 0, NGX_ROOMS_PART_PEOPLE },
    { ngx_string("/v1/me/federated-dms"), 1, NGX_ROOMS_PART_FEDERATION },
    { ngx_string("/.well-known/scaiwave/"), 0, NGX_ROOMS_PART_FEDERATION },
    { ngx_string("/v1/media/"), 0, NGX_ROOMS_PART_MEDIA },
    { ngx_string("/_scaiwave/federation/"), 0, NGX_ROOMS_PART_FEDERATION },
    { ngx_null_string, 0, 0 }
};


static ngx_http_core_loc_conf_t *
ngx_rooms_location_conf(ngx_conf_t *cf, const ngx_rooms_location_t *location)
{
    ngx_uint_t                 i;
    ngx_http_module_t         *module;
    ngx_http_conf_ctx_t       *ctx, *pctx;
    ngx_rooms_loc_conf_t      *rlcf;
    ngx_http_core_loc_conf_t  *clcf;

    pctx = cf->ctx;

    ctx = ngx_pcalloc(cf->pool, sizeof(ngx_http_conf_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->main_conf = pctx->main_conf;
    ctx->srv_conf = pctx->srv_conf;

    ctx->loc_conf = ngx_pcalloc(cf->pool, sizeof(void *) * ngx_http_max_module);
    if (ctx->loc_conf == NULL) {
        return NULL;
    }

    for (i = 0; cf->cycle->modules[i]; i++) {

        if (cf->cycle->modules[i]->type != NGX_HTTP_MODULE) {
            continue;
        }

        module = cf->cycle->modules[i]->ctx;

        if (module->create_loc_conf == NULL) {
            continue;
        }

        ctx->loc_conf[cf->cycle->modules[i]->ctx_index] =
                                                 module->create_loc_conf(cf);

        if (ctx->loc_conf[cf->cycle->modules[i]->ctx_index] == NULL) {
            return NULL;
        }
    }

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    clcf->loc_conf = ctx->loc_conf;
    clcf->name = location->name;
    clcf->exact_match = location->exact;
    clcf->handler = ngx_rooms_handler;

    /* JSON bodies fit in memory; the server's error pages don't apply here */

    clcf->client_body_buffer_size = 128 * 1024 + 1024;
    clcf->error_pages = ngx_array_create(cf->pool, 1,
                                         sizeof(ngx_http_err_page_t));
    if (clcf->error_pages == NULL) {
        return NULL;
    }

    rlcf = ctx->loc_conf[ngx_rooms_module.ctx_index];
    rlcf->enable = 1;

    /* its settings are the server's, wherever it is moved to */
    rlcf->from = pctx->loc_conf[ngx_rooms_module.ctx_index];

    return clcf;
}


char *
ngx_rooms_locations_add(ngx_conf_t *cf, ngx_rooms_srv_conf_t *rscf)
{
    ngx_uint_t                   i;
    ngx_http_conf_ctx_t         *pctx;
    ngx_rooms_registered_t      *reg;
    const ngx_rooms_location_t  *location;
    ngx_http_core_loc_conf_t    *clcf, *pclcf;

    pctx = cf->ctx;
    pclcf = pctx->loc_conf[ngx_http_core_module.ctx_index];

    rscf->locations = ngx_array_create(cf->pool, 16,
                                       sizeof(ngx_rooms_registered_t));
    if (rscf->locations == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; ngx_rooms_locations[i].parts; i++) {
        location = &ngx_rooms_locations[i];

        clcf = ngx_rooms_location_conf(cf, location);
        reg = ngx_array_push(rscf->locations);

        if (clcf == NULL || reg == NULL
            || ngx_http_add_location(cf, &pclcf->locations, clcf) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        reg->location = location;
        reg->conf = clcf->loc_conf[ngx_rooms_module.ctx_index];
        reg->queue = ngx_queue_last(pclcf->locations);
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_rooms_begins_with(const ngx_str_t *s, const ngx_str_t *prefix)
{
    return s->len >= prefix->len
           && ngx_memcmp(s->data, prefix->data, prefix->len) == 0;
}


static ngx_rooms_matched_t *
ngx_rooms_matched(ngx_queue_t *q)
{
    ngx_http_location_queue_t  *lq;

    lq = (ngx_http_location_queue_t *) q;

    return lq->exact ? lq->exact : lq->inclusive;
}


#if (NGX_PCRE)

static ngx_rooms_matched_t *
ngx_rooms_find_regex(ngx_queue_t *locations, ngx_str_t *uri)
{
    ngx_queue_t          *q;
    ngx_rooms_matched_t  *loc;

    for (q = ngx_queue_head(locations);
         q != ngx_queue_sentinel(locations);
         q = ngx_queue_next(q))
    {
        loc = ngx_rooms_matched(q);

        if (loc->regex && ngx_regex_exec(loc->regex->regex, uri, NULL, 0) >= 0)
        {
            return loc;
        }
    }

    return NULL;
}

#endif


/* Of one level: the longest prefix that matches, and the exact match. */
static ngx_rooms_matched_t *
ngx_rooms_find_static(ngx_queue_t *locations, ngx_str_t *uri,
    ngx_rooms_matched_t **exact)
{
    ngx_queue_t          *q;
    ngx_rooms_matched_t  *loc, *longest;

    *exact = NULL;
    longest = NULL;

    for (q = ngx_queue_head(locations);
         q != ngx_queue_sentinel(locations);
         q = ngx_queue_next(q))
    {
        loc = ngx_rooms_matched(q);

        if (loc->named || ngx_rooms_settings(loc)->noname
#if (NGX_PCRE)
            || loc->regex
#endif
            || !ngx_rooms_begins_with(uri, &loc->name))
        {
            continue;
        }

        if (!loc->exact_match) {

            if (longest == NULL || loc->name.len > longest->name.len) {
                longest = loc;
            }

        } else if (loc->name.len == uri->len) {
            *exact = loc;
        }
    }

    return longest;
}


/*
 * The location that NGINX would choose for the path among those added so far,
 * or NULL.
 */
static ngx_rooms_matched_t *
ngx_rooms_find(ngx_queue_t *locations, ngx_str_t *uri)
{
    ngx_rooms_matched_t  *loc, *inner, *exact;

    if (locations == NULL) {
        return NULL;
    }

    loc = ngx_rooms_find_static(locations, uri, &exact);

    if (exact) {
        return exact;
    }

    inner = loc ? ngx_rooms_find(ngx_rooms_settings(loc)->locations, uri)
                : NULL;

#if (NGX_PCRE)

    if ((inner == NULL || (!inner->regex && !inner->exact_match))
        && (loc == NULL || !loc->noregex))
    {
        exact = ngx_rooms_find_regex(locations, uri);

        if (exact) {
            inner = ngx_rooms_find(ngx_rooms_settings(exact)->locations, uri);
            return inner ? inner : exact;
        }
    }

#endif

    return inner ? inner : loc;
}


ngx_uint_t
ngx_rooms_location_exists(ngx_http_core_loc_conf_t *server, ngx_str_t *uri)
{
    u_char               *p;
    ngx_str_t             path;
    ngx_queue_t          *q;
    ngx_rooms_matched_t  *loc;

    if (uri->data[0] != '@') {
        path = *uri;
        p = ngx_strlchr(path.data, path.data + path.len, '?');

        if (p) {
            path.len = p - path.data;
        }

        return ngx_rooms_find(server->locations, &path) != NULL;
    }

    if (server->locations == NULL) {
        return 0;
    }

    for (q = ngx_queue_head(server->locations);
         q != ngx_queue_sentinel(server->locations);
         q = ngx_queue_next(q))
    {
        loc = ngx_rooms_matched(q);

        if (loc->named && loc->name.len == uri->len
            && ngx_memcmp(loc->name.data, uri->data, uri->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Whether the location says `rooms on` or `rooms off` itself.  Then it
 * decides alone what it serves.
 */
static ngx_uint_t
ngx_rooms_location_says(ngx_rooms_matched_t *loc)
{
    ngx_rooms_loc_conf_t  *rlcf;

    rlcf = ngx_rooms_settings(loc)->loc_conf[ngx_rooms_module.ctx_index];

    return rlcf->enable != NGX_CONF_UNSET;
}


/* The location that ours is placed in; NULL: ours is removed. */
static ngx_http_core_loc_conf_t *
ngx_rooms_location_place(ngx_http_core_loc_conf_t *server,
    const ngx_rooms_location_t *location)
{
    size_t                     len;
    ngx_str_t                  uri;
    ngx_rooms_matched_t       *loc, *exact;
    ngx_http_core_loc_conf_t  *at, *place;

    uri = location->name;

    if (location->exact) {
        loc = ngx_rooms_find(server->locations, &uri);

        if (loc && (loc->exact_match
#if (NGX_PCRE)
                    || loc->regex
#endif
                   ))
        {
            return NULL;
        }
    }

    /* "/v1/media" covers what begins with "/v1/media/" */
    len = location->exact ? uri.len : uri.len - 1;

    at = server;
    place = server;

    while (at->locations) {
        loc = ngx_rooms_find_static(at->locations, &uri, &exact);

        if (loc == NULL) {
            break;
        }

        if (loc->name.len >= len || ngx_rooms_location_says(loc)) {
            return NULL;
        }

        at = ngx_rooms_settings(loc);

        if (!location->exact && (at->locations || loc->noregex)) {
            place = at;
        }
    }

    return place;
}


ngx_int_t
ngx_rooms_locations_settle(ngx_conf_t *cf, ngx_rooms_srv_conf_t *rscf,
    ngx_http_core_loc_conf_t *server)
{
    ngx_uint_t                 i;
    ngx_rooms_registered_t    *reg;
    ngx_http_core_loc_conf_t  *place;

    reg = rscf->locations->elts;

    for (i = 0; i < rscf->locations->nelts; i++) {
        ngx_queue_remove(reg[i].queue);
    }

    for (i = 0; i < rscf->locations->nelts; i++) {

        place = (reg[i].location->parts & rscf->serve)
                ? ngx_rooms_location_place(server, reg[i].location) : NULL;

        reg[i].conf->place = place;
    }

    /* first find the places of all, among the operator's locations only */

    for (i = 0; i < rscf->locations->nelts; i++) {
        place = reg[i].conf->place;

        if (place == NULL) {
            continue;
        }

        if (place->locations == NULL) {
            place->locations = ngx_palloc(cf->temp_pool,
                                          sizeof(ngx_http_location_queue_t));
            if (place->locations == NULL) {
                return NGX_ERROR;
            }

            ngx_queue_init(place->locations);
        }

        ngx_queue_insert_tail(place->locations, reg[i].queue);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_rooms_location_parts(ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t                   i, parts;
    const ngx_rooms_location_t  *l;

    parts = 0;

    for (i = 0; ngx_rooms_locations[i].parts; i++) {
        l = &ngx_rooms_locations[i];

        if ((!l->exact && ngx_rooms_begins_with(&clcf->name, &l->name))
            || (!clcf->exact_match
                && ngx_rooms_begins_with(&l->name, &clcf->name))
            || (clcf->name.len == l->name.len
                && ngx_rooms_begins_with(&clcf->name, &l->name)))
        {
            parts |= l->parts;
        }
    }

    return parts;
}


ngx_uint_t
ngx_rooms_location_of_target(ngx_uint_t serve, u_char *p, u_char *last)
{
    ngx_str_t                    target;
    ngx_uint_t                   i;
    const ngx_rooms_location_t  *l;

    target.data = p;
    target.len = last - p;

    for (i = 0; ngx_rooms_locations[i].parts; i++) {
        l = &ngx_rooms_locations[i];

        if (!(l->parts & serve) || !ngx_rooms_begins_with(&target, &l->name)) {
            continue;
        }

        if (!l->exact || target.len == l->name.len
            || target.data[l->name.len] == '?'
            || target.data[l->name.len] == ' ')
        {
            return 1;
        }
    }

    return 0;
}
