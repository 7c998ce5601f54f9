/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms.h"
#include "ngx_rooms_auth.h"
#include "ngx_rooms_status.h"
#include "ngx_rooms_commit.h"
#include "ngx_rooms_federation.h"
#include "ngx_rooms_link.h"
#include "ngx_rooms_sweep.h"
#include "ngx_rooms_peer.h"


static void *ngx_rooms_create_main_conf(ngx_conf_t *cf);
static void *ngx_rooms_create_srv_conf(ngx_conf_t *cf);
static char *ngx_rooms_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void *ngx_rooms_create_loc_conf(ngx_conf_t *cf);
static char *ngx_rooms_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_rooms_init(ngx_conf_t *cf);
static ngx_int_t ngx_rooms_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_rooms_init_process(ngx_cycle_t *cycle);
static void ngx_rooms_exit_process(ngx_cycle_t *cycle);

static char *ngx_rooms_on(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_rooms_fallback(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_rooms_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_rooms_max_rooms(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_rooms_import_limits(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_rooms_media_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_rooms_media_sweep(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_rooms_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

static char *ngx_rooms_check_jwks(ngx_conf_t *cf, void *post, void *data);
static char *ngx_rooms_check_secret(ngx_conf_t *cf, void *post, void *data);
static char *ngx_rooms_check_uri(ngx_conf_t *cf, void *post, void *data);
static char *ngx_rooms_check_prefix(ngx_conf_t *cf, void *post, void *data);
static char *ngx_rooms_check_tenant(ngx_conf_t *cf, void *post, void *data);
static char *ngx_rooms_check_server(ngx_conf_t *cf, void *post, void *data);


static ngx_conf_post_t  ngx_rooms_jwks_post = { ngx_rooms_check_jwks };
static ngx_conf_post_t  ngx_rooms_secret_post = { ngx_rooms_check_secret };
static ngx_conf_post_t  ngx_rooms_uri_post = { ngx_rooms_check_uri };
static ngx_conf_post_t  ngx_rooms_prefix_post = { ngx_rooms_check_prefix };
static ngx_conf_post_t  ngx_rooms_tenant_post = { ngx_rooms_check_tenant };
static ngx_conf_post_t  ngx_rooms_server_post = { ngx_rooms_check_server };

static ngx_conf_num_bounds_t  ngx_rooms_participants_bounds = {
    ngx_conf_check_num_bounds, 1, 10000000
};

static ngx_conf_enum_t  ngx_rooms_auth_modes[] = {
    { ngx_string("jwt"), NGX_ROOMS_AUTH_JWT },
    { ngx_string("mock"), NGX_ROOMS_AUTH_MOCK },
    { ngx_string("hybrid"), NGX_ROOMS_AUTH_HYBRID },
    { ngx_null_string, 0 }
};

static ngx_conf_enum_t  ngx_rooms_tenants_modes[] = {
    { ngx_string("open"), 0 },
    { ngx_string("strict"), 1 },
    { ngx_null_string, 0 }
};

static ngx_conf_num_bounds_t  ngx_rooms_level_bounds = {
    ngx_conf_check_num_bounds, 0, 9
};

/* of rooms_import_limits */
static const rooms_zip_limits_t  ngx_rooms_limits = {
    UINT64_C(4) * 1024 * 1024 * 1024, 100000, 200
};

static ngx_conf_bitmask_t  ngx_rooms_parts[] = {
    { ngx_string("rooms"), NGX_ROOMS_PART_ROOMS },
    { ngx_string("directory"), NGX_ROOMS_PART_DIRECTORY },
    { ngx_string("messages"), NGX_ROOMS_PART_MESSAGES },
    { ngx_string("workspaces"), NGX_ROOMS_PART_WORKSPACES },
    { ngx_string("auth"), NGX_ROOMS_PART_AUTH },
    { ngx_string("sync"), NGX_ROOMS_PART_SYNC },
    { ngx_string("federation"), NGX_ROOMS_PART_FEDERATION },
    { ngx_string("media"), NGX_ROOMS_PART_MEDIA },
    { ngx_null_string, 0 }
};

#define NGX_ROOMS_ANY  NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF

static ngx_command_t  ngx_rooms_commands[] = {

    { ngx_string("rooms"),
      NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_rooms_on,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rooms_serve"),
      NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_conf_set_bitmask_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_rooms_srv_conf_t, serve),
      ngx_rooms_parts },

    { ngx_string("rooms_fallback"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_rooms_fallback,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rooms_redis"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_rooms_redis,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rooms_redis_timeout"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, redis_timeout),
      NULL },

    { ngx_string("rooms_redis_connect_timeout"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, redis_connect_timeout),
      NULL },

    { ngx_string("rooms_key_prefix"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, key_prefix),
      &ngx_rooms_prefix_post },

    { ngx_string("rooms_auth"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, auth_mode),
      ngx_rooms_auth_modes },

    { ngx_string("rooms_auth_jwks_file"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, jwks_file),
      &ngx_rooms_jwks_post },

    { ngx_string("rooms_auth_jwks_request"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, jwks_request),
      &ngx_rooms_uri_post },

    { ngx_string("rooms_auth_secret_file"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, secret_file),
      &ngx_rooms_secret_post },

    { ngx_string("rooms_auth_issuer"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, issuer),
      NULL },

    { ngx_string("rooms_auth_audience"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, audience),
      NULL },

    { ngx_string("rooms_auth_leeway"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, leeway),
      NULL },

    { ngx_string("rooms_tenant"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, tenant),
      &ngx_rooms_tenant_post },

    { ngx_string("rooms_tenants"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, strict),
      ngx_rooms_tenants_modes },

    { ngx_string("rooms_server_name"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, server_name),
      &ngx_rooms_server_post },

    { ngx_string("rooms_max_participants"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, max_participants),
      &ngx_rooms_participants_bounds },

    { ngx_string("rooms_max_rooms"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_rooms_max_rooms,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rooms_federation"),
      NGX_ROOMS_ANY|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, federation),
      NULL },

    { ngx_string("rooms_federation_key"),
      NGX_ROOMS_ANY|NGX_CONF_1MORE,
      ngx_rooms_federation_key,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, federation_keys),
      NULL },

    { ngx_string("rooms_export_level"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, export_level),
      &ngx_rooms_level_bounds },

    { ngx_string("rooms_import_limits"),
      NGX_ROOMS_ANY|NGX_CONF_1MORE,
      ngx_rooms_import_limits,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rooms_media_path"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_rooms_media_path,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rooms_media_sweep"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_rooms_media_sweep,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rooms_federation_pass"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, federation_pass),
      &ngx_rooms_uri_post },

    { ngx_string("rooms_federation_allow_private"),
      NGX_ROOMS_ANY|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, federation_private),
      NULL },

    { ngx_string("rooms_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_rooms_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_rooms_module_ctx = {
    ngx_rooms_add_variables,               /* preconfiguration */
    ngx_rooms_init,                        /* postconfiguration */

    ngx_rooms_create_main_conf,            /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_rooms_create_srv_conf,             /* create server configuration */
    ngx_rooms_merge_srv_conf,              /* merge server configuration */

    ngx_rooms_create_loc_conf,             /* create location configuration */
    ngx_rooms_merge_loc_conf               /* merge location configuration */
};


ngx_module_t  ngx_rooms_module = {
    NGX_MODULE_V1,
    &ngx_rooms_module_ctx,                 /* module context */
    ngx_rooms_commands,                    /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_rooms_init_module,                 /* init module */
    ngx_rooms_init_process,                /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_rooms_exit_process,                /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_rooms_create_main_conf(ngx_conf_t *cf)
{
    ngx_rooms_main_conf_t  *rmcf;

    rmcf = ngx_pcalloc(cf->pool, sizeof(ngx_rooms_main_conf_t));
    if (rmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&rmcf->stores, cf->pool, 2,
                       sizeof(ngx_rooms_store_t *)) != NGX_OK
        || ngx_array_init(&rmcf->auths, cf->pool, 2,
                          sizeof(ngx_rooms_auth_t *)) != NGX_OK
        || ngx_array_init(&rmcf->sweeps, cf->pool, 2,
                          sizeof(ngx_rooms_sweep_t)) != NGX_OK
        || ngx_array_init(&rmcf->links, cf->pool, 2,
                          sizeof(ngx_rooms_fedlink_t)) != NGX_OK)
    {
        return NULL;
    }

    if (ngx_rooms_auth_init_module() != NGX_OK) {
        return NULL;
    }

    return rmcf;
}


static void *
ngx_rooms_create_srv_conf(ngx_conf_t *cf)
{
    ngx_rooms_srv_conf_t  *rscf;

    rscf = ngx_pcalloc(cf->pool, sizeof(ngx_rooms_srv_conf_t));
    if (rscf == NULL) {
        return NULL;
    }

    rscf->enable = NGX_CONF_UNSET;

    return rscf;
}


static char *
ngx_rooms_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_rooms_srv_conf_t  *conf = child;

    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_core_srv_conf_t  *cscf;

    if (conf->serve == 0) {
        conf->serve = NGX_ROOMS_PART_ALL;
    }

    if (conf->locations) {
        cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
        clcf = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];

        ngx_rooms_locations_settle(conf, clcf->locations,
                                   ngx_rooms_federation_on(cf, cscf)
                                   ? conf->serve
                                   : conf->serve & ~NGX_ROOMS_PART_FEDERATION);
    }

    return NGX_CONF_OK;
}


static void *
ngx_rooms_create_loc_conf(ngx_conf_t *cf)
{
    ngx_rooms_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_rooms_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->enable = NGX_CONF_UNSET;
    conf->redis_timeout = NGX_CONF_UNSET_MSEC;
    conf->redis_connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->auth_mode = NGX_CONF_UNSET_UINT;
    conf->leeway = NGX_CONF_UNSET;
    conf->strict = NGX_CONF_UNSET_UINT;
    conf->max_participants = NGX_CONF_UNSET;
    conf->max_rooms = NGX_CONF_UNSET;
    conf->federation = NGX_CONF_UNSET;
    conf->federation_private = NGX_CONF_UNSET;
    conf->federation_keys = NGX_CONF_UNSET_PTR;
    conf->media_sweep = NGX_CONF_UNSET_MSEC;
    conf->export_level = NGX_CONF_UNSET;

    return conf;
}


/* The folder is made and given to the workers as NGINX's own temporary are. */
static ngx_int_t
ngx_rooms_media_init(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf)
{
    ngx_rooms_main_conf_t  *rmcf;

    static ngx_path_init_t  init = {
        ngx_string("rooms_media"), { 0, 0, 0 }
    };

    if (conf->media_path) {
        if (ngx_add_path(cf, &conf->media_path) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (ngx_conf_merge_path_value(cf, &conf->media_path, NULL, &init)
               != NGX_CONF_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_rooms_work_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_rooms_module);

    return ngx_rooms_sweep_add(cf, &rmcf->sweeps, conf);
}


/* Locations with the same URL and timeouts share their connections. */
static ngx_rooms_store_t *
ngx_rooms_store_of(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf)
{
    char                    *err;
    ngx_uint_t               i;
    ngx_rooms_node_t        *node;
    ngx_rooms_store_t      **stores, **added, *store;
    ngx_rooms_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_rooms_module);
    stores = rmcf->stores.elts;

    for (i = 0; i < rmcf->stores.nelts; i++) {
        node = &stores[i]->node;

        if (stores[i]->url.len == conf->redis.len
            && ngx_memcmp(stores[i]->url.data, conf->redis.data,
                          conf->redis.len) == 0
            && node->timeout == conf->redis_timeout
            && node->connect_timeout == conf->redis_connect_timeout)
        {
            return stores[i];
        }
    }

    store = ngx_pcalloc(cf->pool, sizeof(ngx_rooms_store_t));
    added = ngx_array_push(&rmcf->stores);

    if (store == NULL || added == NULL) {
        return NULL;
    }

    *added = store;

    if (conf->parsed) {
        *store = *conf->parsed;

    } else {
        err = ngx_rooms_store_parse(cf, &conf->redis, store);

        if (err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "rooms_redis \"%V\" %s",
                               &conf->redis, err);
            return NULL;
        }
    }

    store->node.timeout = conf->redis_timeout;
    store->node.connect_timeout = conf->redis_connect_timeout;

    return store;
}


static char *
ngx_rooms_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_rooms_loc_conf_t  *prev = parent;
    ngx_rooms_loc_conf_t  *conf = child;

    ngx_rooms_auth_t          **auth;
    ngx_rooms_main_conf_t      *rmcf;
    ngx_rooms_srv_conf_t       *rscf;
    ngx_http_core_loc_conf_t   *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    rscf = ngx_http_conf_get_module_srv_conf(cf, ngx_rooms_module);
    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_rooms_module);

    if (conf->enable == NGX_CONF_UNSET) {
        /* "if" and "limit_except" are of the location that they stand in */
        conf->enable = clcf->noname && prev->enable == 1;
    }

    conf->serve = rscf->serve;

    /*
     * error_page of a server is for its pages: in our locations it counts
     * only where the location itself has it.
     */

    conf->error_pages = clcf->error_pages;

    if (conf->enable && !clcf->noname && clcf->error_pages
        && clcf->error_pages == prev->error_pages)
    {
        clcf->error_pages = NULL;
    }

    if (conf->redis.data == NULL) {
        conf->parsed = prev->parsed;
    }

    ngx_conf_merge_str_value(conf->fallback, prev->fallback, "");
    ngx_conf_merge_str_value(conf->redis, prev->redis,
                             "redis://127.0.0.1:6379/0");
    ngx_conf_merge_msec_value(conf->redis_timeout, prev->redis_timeout, 2000);
    ngx_conf_merge_msec_value(conf->redis_connect_timeout,
                              prev->redis_connect_timeout, 1000);
    ngx_conf_merge_str_value(conf->key_prefix, prev->key_prefix, "sw");

    ngx_conf_merge_uint_value(conf->auth_mode, prev->auth_mode,
                              NGX_ROOMS_AUTH_JWT);
    ngx_conf_merge_str_value(conf->jwks_file, prev->jwks_file, "");
    ngx_conf_merge_str_value(conf->jwks_request, prev->jwks_request, "");
    ngx_conf_merge_str_value(conf->secret_file, prev->secret_file, "");
    ngx_conf_merge_str_value(conf->issuer, prev->issuer, "");
    ngx_conf_merge_str_value(conf->audience, prev->audience, "");
    ngx_conf_merge_sec_value(conf->leeway, prev->leeway, 60);

    ngx_conf_merge_str_value(conf->tenant, prev->tenant, "");
    ngx_conf_merge_uint_value(conf->strict, prev->strict, 0);
    ngx_conf_merge_str_value(conf->server_name, prev->server_name, "");
    ngx_conf_merge_value(conf->max_participants, prev->max_participants,
                         1000);
    ngx_conf_merge_value(conf->max_rooms, prev->max_rooms, -1);

    if (conf->media_path == NULL) {
        conf->media_path = prev->media_path;
    }

    ngx_conf_merge_value(conf->export_level, prev->export_level, 4);
    ngx_conf_merge_msec_value(conf->media_sweep, prev->media_sweep, 3600000);

    if (conf->import_limits.entries == 0) {
        conf->import_limits = prev->import_limits;
    }

    if (conf->import_limits.entries == 0) {
        conf->import_limits = ngx_rooms_limits;
    }

    ngx_conf_merge_value(conf->federation, prev->federation, 0);
    ngx_conf_merge_ptr_value(conf->federation_keys, prev->federation_keys,
                             NULL);
    ngx_conf_merge_str_value(conf->federation_pass, prev->federation_pass,
                             "/_rooms_peer");
    ngx_conf_merge_value(conf->federation_private, prev->federation_private,
                         0);

    if (!conf->federation) {
        conf->serve &= ~NGX_ROOMS_PART_FEDERATION;
    }

    if (conf->server_name.len == 0) {
        conf->server_name = cf->cycle->hostname;
    }

    if (!conf->enable) {
        return NGX_CONF_OK;
    }

    if (conf->federation && ngx_rooms_federation_check(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    conf->store = ngx_rooms_store_of(cf, conf);
    if (conf->store == NULL) {
        return NGX_CONF_ERROR;
    }

    if (conf->federation
        && ngx_rooms_link_add(cf, &rmcf->links, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_rooms_media_init(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    conf->auth = ngx_rooms_auth_create(cf, conf);
    if (conf->auth == NULL) {
        return NGX_CONF_ERROR;
    }

    auth = ngx_array_push(&rmcf->auths);
    if (auth == NULL) {
        return NGX_CONF_ERROR;
    }

    *auth = conf->auth;

    if (conf->auth_mode != NGX_ROOMS_AUTH_JWT) {
        rmcf->mock = 1;
    }

    if (rmcf->status_zone == NULL) {
        rmcf->status_zone = ngx_rooms_status_zone(cf);

        if (rmcf->status_zone == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_rooms_init(ngx_conf_t *cf)
{
    ngx_str_t               name = ngx_string("request_id");
    ngx_rooms_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_rooms_module);

    rmcf->request_id = ngx_http_get_variable_index(cf, &name);
    if (rmcf->request_id == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rmcf->mock) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "rooms: rooms_auth is not \"jwt\": whoever names a "
                      "participant is that participant; for development only");
    }

    ngx_rooms_commit_init_script();

    return ngx_rooms_filter_init(cf);
}


static ngx_int_t
ngx_rooms_init_module(ngx_cycle_t *cycle)
{
    return NGX_OK;
}


static ngx_int_t
ngx_rooms_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t               i;
    ngx_rooms_store_t      **stores;
    ngx_rooms_main_conf_t   *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_rooms_module);

    if (rmcf == NULL || rmcf->stores.nelts == 0) {
        return NGX_OK;
    }

    stores = rmcf->stores.elts;

    for (i = 0; i < rmcf->stores.nelts; i++) {
        ngx_rooms_store_init_worker(stores[i], cycle);
    }

    ngx_rooms_sweep_init_worker(&rmcf->sweeps, cycle);
    ngx_rooms_link_init_worker(&rmcf->links, cycle);

    return ngx_rooms_auth_init_process(cycle);
}


static void
ngx_rooms_exit_process(ngx_cycle_t *cycle)
{
    ngx_rooms_peers_free();
}


/* Directives */


static char *
ngx_rooms_on(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 on;
    ngx_rooms_srv_conf_t      *rscf;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;
    rscf = ngx_http_conf_get_module_srv_conf(cf, ngx_rooms_module);

    if (ngx_strcasecmp(value[1].data, (u_char *) "on") == 0) {
        on = 1;

    } else if (ngx_strcasecmp(value[1].data, (u_char *) "off") == 0) {
        on = 0;

    } else {
        return "must be \"on\" or \"off\"";
    }

    if (cf->cmd_type == NGX_HTTP_SRV_CONF) {

        if (rscf->enable != NGX_CONF_UNSET) {
            return "is duplicate";
        }

        rscf->enable = on;

        return on ? ngx_rooms_locations_add(cf, rscf) : NGX_CONF_OK;
    }

    if (rlcf->enable != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    rlcf->enable = on;

    if (on) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

        if (clcf->handler) {
            return "has another handler beside it in this location";
        }

        clcf->handler = ngx_rooms_handler;
        ngx_rooms_locations_yield(cf, rscf, clcf);
    }

    return NGX_CONF_OK;
}


static char *
ngx_rooms_fallback(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->fallback.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len < 2 || value[1].data[0] != '@') {
        return "must name a location, \"@name\"";
    }

    rlcf->fallback = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_rooms_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    char       *err;
    ngx_str_t  *value;

    if (rlcf->redis.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    rlcf->redis = value[1];

    rlcf->parsed = ngx_pcalloc(cf->pool, sizeof(ngx_rooms_store_t));
    if (rlcf->parsed == NULL) {
        return NGX_CONF_ERROR;
    }

    err = ngx_rooms_store_parse(cf, &rlcf->redis, rlcf->parsed);

    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "rooms_redis \"%V\" %s",
                           &rlcf->redis, err);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_rooms_max_rooms(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->max_rooms != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "unlimited") == 0) {
        rlcf->max_rooms = -1;
        return NGX_CONF_OK;
    }

    rlcf->max_rooms = ngx_atoi(value[1].data, value[1].len);

    if (rlcf->max_rooms == NGX_ERROR) {
        return "must be a number or \"unlimited\"";
    }

    return NGX_CONF_OK;
}


/* "unpacked=SIZE", "entries=N", "ratio=N"; what isn't named has its default. */
static char *
ngx_rooms_import_limits(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    off_t        n;
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    if (rlcf->import_limits.entries) {
        return "is duplicate";
    }

    value = cf->args->elts;
    rlcf->import_limits = ngx_rooms_limits;

    for (i = 1; i < cf->args->nelts; i++) {
        s = value[i];

        if (ngx_strncmp(s.data, "unpacked=", 9) == 0) {
            s.data += 9;
            s.len -= 9;
            n = ngx_parse_offset(&s);
            rlcf->import_limits.unpacked = n;

        } else if (ngx_strncmp(s.data, "entries=", 8) == 0) {
            n = ngx_atoi(s.data + 8, s.len - 8);
            rlcf->import_limits.entries = n;

        } else if (ngx_strncmp(s.data, "ratio=", 6) == 0) {
            n = ngx_atoi(s.data + 6, s.len - 6);
            rlcf->import_limits.ratio = n;

        } else {
            n = NGX_ERROR;
        }

        if (n <= 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_rooms_media_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_str_t   *value;
    ngx_path_t  *path;

    if (rlcf->media_path) {
        return "is duplicate";
    }

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (path == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    path->name = value[1];

    while (path->name.len > 1 && path->name.data[path->name.len - 1] == '/') {
        path->name.data[--path->name.len] = '\0';
    }

    if (path->name.len == 0
        || ngx_conf_full_name(cf->cycle, &path->name, 0) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (path->name.len > NGX_ROOMS_MEDIA_ROOT) {
        return "is too long a path";
    }

    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    rlcf->media_path = path;

    return NGX_CONF_OK;
}


static char *
ngx_rooms_media_sweep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_int_t   time;
    ngx_str_t  *value;

    if (rlcf->media_sweep != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        rlcf->media_sweep = 0;
        return NGX_CONF_OK;
    }

    time = ngx_parse_time(&value[1], 0);

    if (time == NGX_ERROR || time == 0) {
        return "must be a time or \"off\"";
    }

    rlcf->media_sweep = time;

    return NGX_CONF_OK;
}


static char *
ngx_rooms_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_main_conf_t     *rmcf;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "has another handler beside it in this location";
    }

    clcf->handler = ngx_rooms_status_handler;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_rooms_module);

    if (rmcf->status_zone == NULL) {
        rmcf->status_zone = ngx_rooms_status_zone(cf);
    }

    return rmcf->status_zone ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_rooms_check_jwks(ngx_conf_t *cf, void *post, void *data)
{
    return ngx_rooms_auth_check_file(cf, data, 0);
}


static char *
ngx_rooms_check_secret(ngx_conf_t *cf, void *post, void *data)
{
    return ngx_rooms_auth_check_file(cf, data, 1);
}


static char *
ngx_rooms_check_uri(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t  *uri = data;

    return uri->len && uri->data[0] == '/' ? NGX_CONF_OK
                                           : "must be a path, \"/name\"";
}


static char *
ngx_rooms_check_prefix(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t  *prefix = data;

    if (prefix->len == 0 || prefix->len > 64
        || ngx_strlchr(prefix->data, prefix->data + prefix->len, '{')
        || ngx_strlchr(prefix->data, prefix->data + prefix->len, '}'))
    {
        return "must be 1 to 64 bytes without braces";
    }

    return NGX_CONF_OK;
}


static char *
ngx_rooms_check_tenant(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t  *tenant = data;

    return rooms_tenant_valid(rooms_from_ngx(*tenant))
           ? NGX_CONF_OK : "must be 1 to 64 of A-Z a-z 0-9 . _ -";
}


static char *
ngx_rooms_check_server(ngx_conf_t *cf, void *post, void *data)
{
    size_t      i;
    u_char      c;
    ngx_str_t  *name = data;

    for (i = 0; i < name->len; i++) {
        c = name->data[i] | 0x20;

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')
            && name->data[i] != '.' && name->data[i] != '-'
            && name->data[i] != ':')
        {
            break;
        }
    }

    return i == name->len && i > 0 && i < 256
           ? NGX_CONF_OK : "must be a host name, with or without a port";
}
