/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * `rooms on;` in a server registers the location tree there, just as if the
 * operator had written each location.  One that the operator did write wins.
 */

#include "ngx_rooms.h"


typedef struct {
    ngx_str_t                   name;
    ngx_uint_t                  exact;
    ngx_uint_t                  parts;
} ngx_rooms_location_t;

typedef struct {
    ngx_queue_t                *queue;
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
    { ngx_string("/v1/admin/"), 0, NGX_ROOMS_PART_FEDERATION },
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

    /* JSON bodies stay in memory; an operator's error pages stay outside */

    clcf->client_body_buffer_size = 128 * 1024 + 1024;
    clcf->error_pages = ngx_array_create(cf->pool, 1,
                                         sizeof(ngx_http_err_page_t));
    if (clcf->error_pages == NULL) {
        return NULL;
    }

    rlcf = ctx->loc_conf[ngx_rooms_module.ctx_index];
    rlcf->enable = 1;

    return clcf;
}


static ngx_uint_t
ngx_rooms_location_taken(ngx_queue_t *locations,
    const ngx_rooms_location_t *location)
{
    ngx_queue_t                *q;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_location_queue_t  *lq;

    if (locations == NULL) {
        return 0;
    }

    for (q = ngx_queue_head(locations);
         q != ngx_queue_sentinel(locations);
         q = ngx_queue_next(q))
    {
        lq = (ngx_http_location_queue_t *) q;
        clcf = lq->exact ? lq->exact : lq->inclusive;

        if (clcf->exact_match == location->exact
            && clcf->name.len == location->name.len
            && ngx_memcmp(clcf->name.data, location->name.data,
                          location->name.len) == 0)
        {
            return 1;
        }
    }

    return 0;
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

    rscf->locations = ngx_array_create(cf->pool, 8,
                                       sizeof(ngx_rooms_registered_t));
    if (rscf->locations == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; ngx_rooms_locations[i].parts; i++) {
        location = &ngx_rooms_locations[i];

        if (ngx_rooms_location_taken(pclcf->locations, location)) {
            continue;
        }

        clcf = ngx_rooms_location_conf(cf, location);
        reg = ngx_array_push(rscf->locations);

        if (clcf == NULL || reg == NULL
            || ngx_http_add_location(cf, &pclcf->locations, clcf) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        reg->location = location;
        reg->queue = ngx_queue_last(pclcf->locations);
    }

    return NGX_CONF_OK;
}


/*
 * The whole server has been read: what rooms_serve leaves out goes, and where
 * the operator wrote a location of the same name, whatever is in it, ours
 * gives way.
 */
void
ngx_rooms_locations_settle(ngx_rooms_srv_conf_t *rscf, ngx_queue_t *locations,
    ngx_uint_t serve)
{
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_rooms_registered_t  *reg;

    reg = rscf->locations->elts;

    for (i = 0; i < rscf->locations->nelts; i++) {
        q = reg[i].queue;

        if (q == NULL) {
            continue;
        }

        ngx_queue_remove(q);

        if (!(reg[i].location->parts & serve)
            || ngx_rooms_location_taken(locations, reg[i].location))
        {
            reg[i].queue = NULL;
            continue;
        }

        ngx_queue_insert_tail(locations, q);
    }
}


/* The same for one that stands inside another location. */
void
ngx_rooms_locations_yield(ngx_conf_t *cf, ngx_rooms_srv_conf_t *rscf,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t               i;
    ngx_rooms_registered_t  *reg;

    if (rscf->locations == NULL) {
        return;
    }

    reg = rscf->locations->elts;

    for (i = 0; i < rscf->locations->nelts; i++) {

        if (reg[i].queue
            && reg[i].location->exact == clcf->exact_match
            && reg[i].location->name.len == clcf->name.len
            && ngx_memcmp(reg[i].location->name.data, clcf->name.data,
                          clcf->name.len) == 0)
        {
            ngx_queue_remove(reg[i].queue);
            reg[i].queue = NULL;
        }
    }
}
