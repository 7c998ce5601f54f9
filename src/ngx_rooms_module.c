/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The module as NGINX sees it: its directives, and what it does when a worker
 * starts and ends.
 */

#include "ngx_rooms_conf.h"
#include "ngx_rooms_auth.h"
#include "ngx_rooms_cache.h"
#include "ngx_rooms_recent.h"
#include "ngx_rooms_commit.h"
#include "ngx_rooms_cors.h"
#include "ngx_rooms_federation.h"
#include "ngx_rooms_drain.h"
#include "ngx_rooms_offboard.h"
#include "ngx_rooms_scim.h"
#include "ngx_rooms_status.h"
#include "ngx_rooms_sweep.h"
#include "ngx_rooms_peer.h"
#include "ngx_rooms_pubsub.h"
#include "ngx_rooms_roomlist.h"
#include "ngx_rooms_peer_call.h"
#include "ngx_rooms_ticket.h"


static ngx_int_t ngx_rooms_preconfigure(ngx_conf_t *cf);
static ngx_int_t ngx_rooms_init(ngx_conf_t *cf);
static ngx_int_t ngx_rooms_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_rooms_init_process(ngx_cycle_t *cycle);
static void ngx_rooms_exit_process(ngx_cycle_t *cycle);


/* The families of endpoints.  Each adds its rows to the one table. */
extern const ngx_rooms_endpoint_t  ngx_rooms_endpoint_rows[];
extern const ngx_rooms_endpoint_t  ngx_rooms_offboard_rows[];
extern const ngx_rooms_endpoint_t  ngx_rooms_scim_rows[];
extern const ngx_rooms_endpoint_t  ngx_rooms_scim_user_rows[];
extern const ngx_rooms_endpoint_t  ngx_rooms_export_rows[];
extern const ngx_rooms_endpoint_t  ngx_rooms_import_rows[];
extern const ngx_rooms_endpoint_t  ngx_rooms_upload_rows[];
extern const ngx_rooms_endpoint_t  ngx_rooms_download_rows[];
extern const ngx_rooms_endpoint_t  ngx_rooms_people_rows[];
extern const ngx_rooms_endpoint_t  ngx_rooms_sync_rows[];
extern const ngx_rooms_endpoint_t  ngx_rooms_ws_rows[];
extern const ngx_rooms_endpoint_t  ngx_rooms_federation_rows[];
extern const ngx_rooms_endpoint_t  ngx_rooms_ticket_rows[];

/*
 * The first path that matches wins.  So a path with a fixed word stands
 * before one with a parameter in the same place: "/v1/rooms/import" before
 * "/v1/rooms/{room}".
 */
const ngx_rooms_endpoint_t  *const ngx_rooms_families[] = {
    ngx_rooms_import_rows,
    ngx_rooms_export_rows,
    ngx_rooms_endpoint_rows,
    ngx_rooms_people_rows,
    ngx_rooms_offboard_rows,
    ngx_rooms_scim_rows,
    ngx_rooms_scim_user_rows,
    ngx_rooms_sync_rows,
    ngx_rooms_ws_rows,
    ngx_rooms_upload_rows,
    ngx_rooms_download_rows,
    ngx_rooms_federation_rows,
    ngx_rooms_ticket_rows,
    NULL
};

const ngx_rooms_hooks_t  ngx_rooms_hooks = {
    .authenticate = ngx_rooms_authenticate,
    .authenticate_now = ngx_rooms_authenticate_now,
    .enter = ngx_rooms_register,
    .authenticate_peer = ngx_rooms_peer_authenticate,
    .enter_peer = ngx_rooms_peer_digest,
    .posted = ngx_rooms_outbox_poke
};


static ngx_conf_post_t  ngx_rooms_jwks_post = { ngx_rooms_check_jwks };
static ngx_conf_post_t  ngx_rooms_secret_post = { ngx_rooms_check_secret };
static ngx_conf_post_t  ngx_rooms_uri_post = { ngx_rooms_check_uri };
static ngx_conf_post_t  ngx_rooms_prefix_post = { ngx_rooms_check_prefix };
static ngx_conf_post_t  ngx_rooms_tenant_post = { ngx_rooms_check_tenant };
static ngx_conf_post_t  ngx_rooms_server_post = { ngx_rooms_check_server };

static ngx_conf_num_bounds_t  ngx_rooms_participants_bounds = {
    ngx_conf_check_num_bounds, 1, 10000000
};

static ngx_conf_num_bounds_t  ngx_rooms_streams_bounds = {
    ngx_conf_check_num_bounds, 1, 1000000
};

static ngx_conf_post_t  ngx_rooms_stream_post = { ngx_rooms_check_stream };

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

static ngx_conf_enum_t  ngx_rooms_people[] = {
    { ngx_string("all"), NGX_ROOMS_PEOPLE_ALL },
    { ngx_string("shared"), NGX_ROOMS_PEOPLE_SHARED },
    { ngx_string("off"), NGX_ROOMS_PEOPLE_OFF },
    { ngx_null_string, 0 }
};

static ngx_conf_num_bounds_t  ngx_rooms_level_bounds = {
    ngx_conf_check_num_bounds, 0, 9
};

static ngx_conf_bitmask_t  ngx_rooms_parts[] = {
    { ngx_string("rooms"), NGX_ROOMS_PART_ROOMS },
    { ngx_string("directory"), NGX_ROOMS_PART_DIRECTORY },
    { ngx_string("messages"), NGX_ROOMS_PART_MESSAGES },
    { ngx_string("workspaces"), NGX_ROOMS_PART_WORKSPACES },
    { ngx_string("auth"), NGX_ROOMS_PART_AUTH },
    { ngx_string("scim"), NGX_ROOMS_PART_SCIM },
    { ngx_string("sync"), NGX_ROOMS_PART_SYNC },
    { ngx_string("federation"), NGX_ROOMS_PART_FEDERATION },
    { ngx_string("people"), NGX_ROOMS_PART_PEOPLE },
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
      ngx_rooms_bitmask,
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

    { ngx_string("rooms_cache"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_rooms_cache,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_rooms_main_conf_t, cache),
      NULL },

    { ngx_string("rooms_redis_timeout"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, redis_timeout),
      NULL },

    { ngx_string("rooms_redis_wait"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE12,
      ngx_rooms_redis_wait,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
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
      ngx_rooms_enum,
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
      ngx_rooms_jwks_request,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, jwks_request),
      &ngx_rooms_uri_post },

    { ngx_string("rooms_auth_secret_file"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, secret_file),
      &ngx_rooms_secret_post },

    { ngx_string("rooms_auth_token"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_rooms_auth_token,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rooms_auth_query_token"),
      NGX_ROOMS_ANY|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, query_token),
      NULL },

    { ngx_string("rooms_scim_token_file"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_rooms_scim_token_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rooms_url_secret_file"),
      NGX_ROOMS_ANY|NGX_CONF_1MORE,
      ngx_rooms_url_secret_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

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

    { ngx_string("rooms_auth_claim"),
      NGX_ROOMS_ANY|NGX_CONF_2MORE,
      ngx_rooms_auth_claim,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rooms_auth_admin"),
      NGX_ROOMS_ANY|NGX_CONF_1MORE,
      ngx_rooms_auth_admin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rooms_tenant"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, tenant),
      &ngx_rooms_tenant_post },

    { ngx_string("rooms_tenants"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_rooms_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, strict),
      ngx_rooms_tenants_modes },

    { ngx_string("rooms_directory_participants"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_rooms_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, people),
      ngx_rooms_people },

    { ngx_string("rooms_invite_unknown"),
      NGX_ROOMS_ANY|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, invite_unknown),
      NULL },

    { ngx_string("rooms_server_name"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, server_name),
      &ngx_rooms_server_post },

    { ngx_string("rooms_cors_origin"),
      NGX_ROOMS_ANY|NGX_CONF_1MORE,
      ngx_rooms_cors_origin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rooms_cors_credentials"),
      NGX_ROOMS_ANY|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, cors_credentials),
      NULL },

    { ngx_string("rooms_max_participants"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, max_participants),
      &ngx_rooms_participants_bounds },

    { ngx_string("rooms_max_rooms"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_rooms_quota,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, quotas[NGX_ROOMS_QUOTA_ROOMS]),
      NULL },

    { ngx_string("rooms_max_people"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_rooms_quota,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, quotas[NGX_ROOMS_QUOTA_PEOPLE]),
      NULL },

    { ngx_string("rooms_max_media_bytes"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_rooms_quota,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, quotas[NGX_ROOMS_QUOTA_MEDIA]),
      NULL },

    { ngx_string("rooms_max_idempotency_keys"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_rooms_quota,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, quotas[NGX_ROOMS_QUOTA_KEYS]),
      NULL },

    { ngx_string("rooms_stream_heartbeat"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, stream_heartbeat),
      &ngx_rooms_stream_post },

    { ngx_string("rooms_stream_lifetime"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, stream_lifetime),
      &ngx_rooms_stream_post },

    { ngx_string("rooms_stream_connections"),
      NGX_ROOMS_ANY|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, stream_connections),
      &ngx_rooms_streams_bounds },

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
      ngx_rooms_federation_pass,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, federation_pass),
      &ngx_rooms_uri_post },

    { ngx_string("rooms_federation_allow_private"),
      NGX_ROOMS_ANY|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_rooms_loc_conf_t, federation_private),
      NULL },

    { ngx_string("rooms_health"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_rooms_health,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
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
    ngx_rooms_preconfigure,                /* preconfiguration */
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


static ngx_int_t
ngx_rooms_preconfigure(ngx_conf_t *cf)
{
    if (ngx_rooms_route_init(cf) != NGX_OK
        || ngx_rooms_add_variables(cf) != NGX_OK
        || ngx_rooms_ticket_add_variables(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_peer_add_variables(cf);
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
                      "rooms: rooms_auth is not \"jwt\": anybody can act as "
                      "any participant; use it for development only");
    }

    if (ngx_rooms_ticket_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_filter_init();
}


/*
 * Creates the folder and gives it to the workers' user, as NGINX does with
 * its own temporary folders.
 */
static ngx_int_t
ngx_rooms_make_folder(ngx_cycle_t *cycle, ngx_str_t *name)
{
    ngx_file_info_t   fi;
    ngx_core_conf_t  *ccf;

    if (ngx_create_dir(name->data, 0700) == NGX_FILE_ERROR
        && ngx_errno != NGX_EEXIST)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      ngx_create_dir_n " \"%V\" failed; rooms_media_path "
                      "names a folder for media", name);
        return NGX_ERROR;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT) {
        return NGX_OK;
    }

    if (ngx_file_info(name->data, &fi) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      ngx_file_info_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    if (fi.st_uid != ccf->user
        && chown((char *) name->data, ccf->user, -1) == -1)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "chown(\"%V\", %d) failed", name, ccf->user);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Creates the folders here, before the workers start. `nginx -t` must leave
 * nothing behind.
 */
static ngx_int_t
ngx_rooms_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t               i;
    ngx_path_t             **paths;
    ngx_rooms_main_conf_t   *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_rooms_module);

    if (rmcf == NULL || ngx_test_config) {
        return NGX_OK;
    }

    paths = rmcf->paths.elts;

    for (i = 0; i < rmcf->paths.nelts; i++) {

        if (ngx_rooms_make_folder(cycle, &paths[i]->name) != NGX_OK
            && paths[i]->conf_file && ngx_is_init_cycle(cycle->old_cycle))
        {
            /*
             * only fatal at a first start, and for a folder that the operator
             * named: otherwise all else still works
             */
            return NGX_ERROR;
        }
    }

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
        if (ngx_rooms_pubsub_init_worker(stores[i], cycle) != NGX_OK
            || ngx_rooms_store_init_worker(stores[i], cycle) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_rooms_cache_init_worker(rmcf->cache == NGX_CONF_UNSET_SIZE
                                ? 0 : rmcf->cache);
    ngx_rooms_status_init_worker();

    if (ngx_process != NGX_PROCESS_HELPER) {
        /* this is no manager of a cache: it has work without requests */
        ngx_rooms_sweep_init_worker(&rmcf->sweeps, cycle);
        ngx_rooms_link_init_worker(&rmcf->links, cycle);
        ngx_rooms_offboard_init_worker(&rmcf->offboards, cycle);
    }

    return ngx_rooms_auth_init_worker();
}


static void
ngx_rooms_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t               i;
    ngx_rooms_store_t      **stores;
    ngx_rooms_main_conf_t   *rmcf;

    ngx_rooms_peers_free();
    ngx_rooms_auth_exit_worker();
    ngx_rooms_roomlist_exit_worker();

    rmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_rooms_module);

    if (rmcf == NULL || rmcf->stores.nelts == 0) {
        return;
    }

    ngx_rooms_offboard_exit_worker(&rmcf->offboards);
    ngx_rooms_link_exit_worker(&rmcf->links);

    stores = rmcf->stores.elts;

    for (i = 0; i < rmcf->stores.nelts; i++) {
        ngx_rooms_store_exit_worker(stores[i]);
        ngx_rooms_cache_exit_worker(stores[i]);
        ngx_rooms_pubsub_leave(stores[i]->pubsub);
    }

    ngx_rooms_claim_exit_worker();
    ngx_rooms_batch_exit_worker();
    ngx_rooms_recent_exit_worker();
    ngx_rooms_status_exit_worker();
}
