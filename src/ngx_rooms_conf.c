/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Creates, merges and checks the configurations, and finds what they share. */

#include "ngx_rooms_conf.h"
#include "ngx_rooms_auth.h"
#include "ngx_rooms_cors.h"
#include "ngx_rooms_ticket.h"
#include "ngx_rooms_health.h"
#include "ngx_rooms_status.h"
#include "ngx_rooms_federation.h"
#include "ngx_rooms_drain.h"
#include "ngx_rooms_scim.h"
#include "ngx_rooms_offboard.h"
#include "ngx_rooms_sweep.h"


const rooms_zip_limits_t  ngx_rooms_limits = {
    UINT64_C(4) * 1024 * 1024 * 1024, 100000, 200,
    UINT64_C(2) * 1024 * 1024 * 1024
};


void *
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
                          sizeof(ngx_rooms_fedlink_t)) != NGX_OK
        || ngx_array_init(&rmcf->offboards, cf->pool, 2,
                          ngx_rooms_offboard_size()) != NGX_OK
        || ngx_array_init(&rmcf->paths, cf->pool, 2,
                          sizeof(ngx_path_t *)) != NGX_OK)
    {
        return NULL;
    }

    rmcf->cache = NGX_CONF_UNSET_SIZE;

    if (ngx_rooms_auth_init_module() != NGX_OK) {
        return NULL;
    }

    return rmcf;
}


void *
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


char *
ngx_rooms_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_rooms_srv_conf_t  *conf = child;

    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_core_srv_conf_t  *cscf;

    if (conf->serve == 0) {
        conf->serve = NGX_ROOMS_PART_ALL;
    }

    if (conf->locations == NULL) {
        return NGX_CONF_OK;
    }

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    clcf = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];

    return ngx_rooms_locations_settle(cf, conf, clcf) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


void *
ngx_rooms_create_loc_conf(ngx_conf_t *cf)
{
    ngx_uint_t             i;
    ngx_rooms_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_rooms_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->enable = NGX_CONF_UNSET;
    conf->redis_timeout = NGX_CONF_UNSET_MSEC;
    conf->redis_wait = NGX_CONF_UNSET;
    conf->redis_wait_timeout = NGX_CONF_UNSET_MSEC;
    conf->redis_connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->auth_mode = NGX_CONF_UNSET_UINT;
    conf->leeway = NGX_CONF_UNSET;
    conf->url_secrets = NGX_CONF_UNSET_PTR;
    conf->scim_tokens = NGX_CONF_UNSET_PTR;
    conf->token = NGX_CONF_UNSET_PTR;
    conf->query_token = NGX_CONF_UNSET;
    conf->strict = NGX_CONF_UNSET_UINT;
    conf->people = NGX_CONF_UNSET_UINT;
    conf->invite_unknown = NGX_CONF_UNSET;
    conf->cors = NGX_CONF_UNSET_PTR;
    conf->cors_credentials = NGX_CONF_UNSET;
    conf->max_participants = NGX_CONF_UNSET;
    conf->federation = NGX_CONF_UNSET;
    conf->federation_private = NGX_CONF_UNSET;
    conf->federation_keys = NGX_CONF_UNSET_PTR;
    conf->media_sweep = NGX_CONF_UNSET_MSEC;
    conf->stream_heartbeat = NGX_CONF_UNSET_MSEC;
    conf->stream_lifetime = NGX_CONF_UNSET_MSEC;
    conf->stream_connections = NGX_CONF_UNSET;
    conf->export_level = NGX_CONF_UNSET;

    for (i = 0; i < NGX_ROOMS_QUOTAS; i++) {
        conf->quotas[i] = NGX_CONF_UNSET;
    }

    return conf;
}


/*
 * The default of rooms_media_path: "rooms_media", in the folder that holds
 * NGINX's client body temp folder.
 */
static ngx_path_t *
ngx_rooms_media_default(ngx_conf_t *cf)
{
    size_t       len;
    u_char      *p;
    ngx_path_t  *path;

    static const char  body[] = NGX_HTTP_CLIENT_TEMP_PATH;

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (path == NULL) {
        return NULL;
    }

    for (len = sizeof(body) - 1; len && body[len - 1] == '/'; len--) {
        /* void */
    }

    while (len && body[len - 1] != '/') {
        len--;
    }

    p = ngx_pnalloc(cf->pool, len + sizeof("rooms_media"));
    if (p == NULL) {
        return NULL;
    }

    path->name.data = p;
    p = ngx_cpymem(p, body, len);
    p = ngx_cpymem(p, "rooms_media", sizeof("rooms_media"));
    path->name.len = p - path->name.data - 1;

    return ngx_conf_full_name(cf->cycle, &path->name, 0) == NGX_OK ? path
                                                                   : NULL;
}


/*
 * Checks the folder without creating it, since `nginx -t` must create
 * nothing.
 */
static ngx_int_t
ngx_rooms_media_check(ngx_conf_t *cf, ngx_path_t *path)
{
    u_char           *p;
    ngx_str_t         parent;
    const char       *problem;
    ngx_file_info_t   fi;

    if (path->conf_file == NULL) {
        return NGX_OK;
    }

    problem = NULL;

    if (ngx_file_info(path->name.data, &fi) != NGX_FILE_ERROR) {

        if (!ngx_is_dir(&fi)) {
            problem = "is not a folder";
        }

    } else if (ngx_errno == NGX_ENOENT || ngx_errno == NGX_ENOTDIR) {
        parent.len = path->name.len;

        while (parent.len > 1 && path->name.data[parent.len - 1] != '/') {
            parent.len--;
        }

        parent.data = ngx_pnalloc(cf->temp_pool, parent.len + 1);
        if (parent.data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_cpymem(parent.data, path->name.data, parent.len);
        *p = '\0';

        if (ngx_file_info(parent.data, &fi) == NGX_FILE_ERROR
            || !ngx_is_dir(&fi))
        {
            problem = "can't be created: its parent folder is missing";
        }
    }

    if (problem == NULL) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "rooms_media_path \"%V\" %s in %s:%ui", &path->name, problem,
                  path->conf_file, path->line);

    return NGX_ERROR;
}


static ngx_int_t
ngx_rooms_media_init(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf)
{
    ngx_uint_t               i;
    ngx_path_t             **paths, **added;
    ngx_rooms_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_rooms_module);

    if (conf->media_path == NULL) {
        conf->media_path = ngx_rooms_media_default(cf);
    }

    if (conf->media_path == NULL || ngx_rooms_work_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    paths = rmcf->paths.elts;

    for (i = 0; i < rmcf->paths.nelts; i++) {

        if (paths[i]->name.len == conf->media_path->name.len
            && ngx_memcmp(paths[i]->name.data, conf->media_path->name.data,
                          conf->media_path->name.len) == 0)
        {
            break;
        }
    }

    if (i < rmcf->paths.nelts) {
        conf->media_path = paths[i];

    } else {
        added = ngx_array_push(&rmcf->paths);

        if (added == NULL
            || ngx_rooms_media_check(cf, conf->media_path) != NGX_OK)
        {
            return NGX_ERROR;
        }

        *added = conf->media_path;
    }

    return ngx_rooms_sweep_add(&rmcf->sweeps, conf);
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


/*
 * The directives of NGINX's rewrite module in the location, NULL if there are
 * none.  That module keeps them in the first field of its settings.
 */
static ngx_array_t *
ngx_rooms_rewrites(ngx_conf_t *cf, ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t      i;
    ngx_array_t   **rewrites;
    ngx_module_t   *module;

    for (i = 0; cf->cycle->modules[i]; i++) {
        module = cf->cycle->modules[i];

        if (ngx_strcmp(module->name, "ngx_http_rewrite_module") == 0) {
            rewrites = clcf->loc_conf[module->ctx_index];
            return *rewrites;
        }
    }

    return NULL;
}


/*
 * Whether a `return` of a success or a redirect comes first, so that nothing
 * else in the location counts.  An error is answered in the API's form.
 */
static ngx_uint_t
ngx_rooms_returns(ngx_array_t *rewrites)
{
    ngx_http_script_return_code_t  *code;

    code = rewrites->elts;

    return code->code == ngx_http_script_return_code
           && code->status < NGX_HTTP_BAD_REQUEST;
}


/* Why a location with this name serves nothing; NULL: it serves something. */
static const char *
ngx_rooms_serves_nothing(ngx_rooms_loc_conf_t *conf,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t  parts;

    if (clcf->named
#if (NGX_PCRE)
        || clcf->regex
#endif
       )
    {
        return NULL;
    }

    parts = ngx_rooms_location_parts(clcf);

    if (parts == 0) {
        return "serves nothing, since the API has no such paths,";
    }

    return parts & conf->serve
           ? NULL
           : "serves nothing, since \"rooms_serve\" leaves its part out,";
}


/*
 * A location that the operator gave us must be ours, and serve something.  If
 * it rewrites its requests it may serve any path.
 */
static ngx_int_t
ngx_rooms_own_check(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf,
    ngx_http_core_loc_conf_t *clcf)
{
    const char   *problem;
    ngx_array_t  *rewrites;

    rewrites = ngx_rooms_rewrites(cf, clcf);

    if (clcf->handler != conf->handler) {
        problem = "conflicts with another handler";

    } else if (rewrites) {
        problem = ngx_rooms_returns(rewrites) ? "conflicts with \"return\""
                                              : NULL;

    } else {
        problem = conf->enable == 1 ? ngx_rooms_serves_nothing(conf, clcf)
                                    : NULL;
    }

    if (problem == NULL) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%s\" %s in location \"%V\" in %s:%ui", conf->own,
                  problem, &clcf->name, conf->own_at.file, conf->own_at.line);

    return NGX_ERROR;
}


/*
 * Checks that the location which a directive names exists.  Without it each
 * request that needs the location would fail.
 */
static ngx_int_t
ngx_rooms_named_check(ngx_conf_t *cf, const char *directive, ngx_str_t *uri,
    ngx_rooms_place_t *at)
{
    ngx_rooms_srv_conf_t      *rscf;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_core_srv_conf_t  *cscf;

    if (uri->len == 0) {
        return NGX_OK;
    }

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    clcf = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];

    if (ngx_rooms_location_exists(clcf, uri)) {
        return NGX_OK;
    }

    if (at->file) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" names the location \"%V\", which the server in "
                      "%s:%ui does not have, in %s:%ui", directive, uri,
                      cscf->file_name, cscf->line, at->file, at->line);
        return NGX_ERROR;
    }

    /*
     * the directive has its default: only warn; requests that don't need the
     * location still work
     */

    rscf = ngx_http_conf_get_module_srv_conf(cf, ngx_rooms_module);

    if (!rscf->warned) {
        rscf->warned = 1;
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "rooms: the server in %s:%ui has no location \"%V\", "
                      "the default of \"%s\"", cscf->file_name,
                      cscf->line, uri, directive);
    }

    return NGX_OK;
}


/*
 * Whether the module serves the location, and who answers its errors.  The
 * server's error_page is for the operator's own pages.  In our locations
 * error_page only counts if the location itself has it.
 */
static ngx_int_t
ngx_rooms_merge_enable(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf,
    ngx_rooms_loc_conf_t *prev)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->enable == NGX_CONF_UNSET) {
        /* an "if" or "limit_except" block takes this from its location */
        conf->enable = clcf->noname && prev->enable == 1;

        if (conf->enable && clcf->lmt_excpt && clcf->handler == NULL) {
            clcf->handler = ngx_rooms_handler;
        }
    }

    if (conf->own && ngx_rooms_own_check(cf, conf, clcf) != NGX_OK) {
        return NGX_ERROR;
    }

    conf->error_pages = clcf->error_pages;

    if (conf->enable && !clcf->noname && clcf->error_pages
        && clcf->error_pages == prev->error_pages)
    {
        clcf->error_pages = NULL;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_merge_redis(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf,
    ngx_rooms_loc_conf_t *prev)
{
    if (conf->redis.data == NULL) {
        conf->parsed = prev->parsed;
    }

    ngx_conf_merge_str_value(conf->redis, prev->redis,
                             "redis://127.0.0.1:6379/0");
    ngx_conf_merge_msec_value(conf->redis_timeout, prev->redis_timeout, 2000);
    ngx_conf_merge_value(conf->redis_wait, prev->redis_wait, 0);
    ngx_conf_merge_msec_value(conf->redis_wait_timeout,
                              prev->redis_wait_timeout, 500);
    ngx_conf_merge_msec_value(conf->redis_connect_timeout,
                              prev->redis_connect_timeout, 1000);
    ngx_conf_merge_str_value(conf->key_prefix, prev->key_prefix, "sw");

    if (conf->redis_wait
        && conf->redis_wait_timeout >= conf->redis_timeout)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rooms_redis_wait\" waits %Mms, which must be less "
                           "than \"rooms_redis_timeout\", %Mms",
                           conf->redis_wait_timeout, conf->redis_timeout);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_rooms_merge_auth(ngx_rooms_loc_conf_t *conf, ngx_rooms_loc_conf_t *prev)
{
    ngx_uint_t  i;

    if (conf->jwks_request.data == NULL) {
        conf->jwks_request_at = prev->jwks_request_at;
    }

    ngx_conf_merge_uint_value(conf->auth_mode, prev->auth_mode,
                              NGX_ROOMS_AUTH_JWT);
    ngx_conf_merge_str_value(conf->jwks_file, prev->jwks_file, "");
    ngx_conf_merge_str_value(conf->jwks_request, prev->jwks_request, "");
    ngx_conf_merge_str_value(conf->secret_file, prev->secret_file, "");
    ngx_conf_merge_str_value(conf->issuer, prev->issuer, "");
    ngx_conf_merge_str_value(conf->audience, prev->audience, "");
    ngx_conf_merge_sec_value(conf->leeway, prev->leeway, 60);
    ngx_conf_merge_ptr_value(conf->url_secrets, prev->url_secrets, NULL);
    ngx_conf_merge_ptr_value(conf->scim_tokens, prev->scim_tokens, NULL);

    if (conf->scim_at.file == NULL) {
        conf->scim_at = prev->scim_at;
    }

    ngx_conf_merge_ptr_value(conf->token, prev->token, NULL);
    ngx_conf_merge_value(conf->query_token, prev->query_token, 0);

    for (i = 0; i < ROOMS_CLAIM_MAX; i++) {

        if (conf->claims[i].n == 0) {
            conf->claims[i] = prev->claims[i];
        }
    }

    if (conf->admins.n == 0) {
        conf->admins = prev->admins;
    }
}


static void
ngx_rooms_merge_rooms(ngx_rooms_loc_conf_t *conf, ngx_rooms_loc_conf_t *prev)
{
    ngx_uint_t  i;

    if (conf->fallback.data == NULL) {
        conf->fallback_at = prev->fallback_at;
    }

    ngx_conf_merge_str_value(conf->fallback, prev->fallback, "");
    ngx_conf_merge_str_value(conf->tenant, prev->tenant, "");
    ngx_conf_merge_uint_value(conf->strict, prev->strict, 0);
    ngx_conf_merge_uint_value(conf->people, prev->people,
                              NGX_ROOMS_PEOPLE_ALL);
    ngx_conf_merge_value(conf->invite_unknown, prev->invite_unknown, 0);
    ngx_conf_merge_str_value(conf->server_name, prev->server_name, "");
    ngx_conf_merge_ptr_value(conf->cors, prev->cors, NULL);
    ngx_conf_merge_value(conf->cors_credentials, prev->cors_credentials, 0);
    ngx_conf_merge_value(conf->max_participants, prev->max_participants,
                         1000);

    for (i = 0; i < NGX_ROOMS_QUOTAS; i++) {
        ngx_conf_merge_value(conf->quotas[i], prev->quotas[i],
                             NGX_ROOMS_UNLIMITED);
    }

    ngx_conf_merge_msec_value(conf->stream_heartbeat, prev->stream_heartbeat,
                              25000);
    ngx_conf_merge_msec_value(conf->stream_lifetime, prev->stream_lifetime,
                              3600000);
    ngx_conf_merge_value(conf->stream_connections, prev->stream_connections,
                         16);

    if (conf->media_path == NULL) {
        conf->media_path = prev->media_path;
    }

    ngx_conf_merge_value(conf->export_level, prev->export_level, 4);
    ngx_conf_merge_msec_value(conf->media_sweep, prev->media_sweep, 3600000);

    if (conf->import_limits == NULL) {
        conf->import_limits = prev->import_limits;
    }

    if (conf->import_limits == NULL) {
        conf->import_limits = &ngx_rooms_limits;
    }
}


static void
ngx_rooms_merge_federation(ngx_rooms_loc_conf_t *conf,
    ngx_rooms_loc_conf_t *prev)
{
    if (conf->federation_pass.data == NULL) {
        conf->federation_pass_at = prev->federation_pass_at;
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
}


/* Checks what a location of ours needs, and creates it. */
static ngx_int_t
ngx_rooms_merge_use(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf)
{
    ngx_rooms_srv_conf_t   *rscf;
    ngx_rooms_main_conf_t  *rmcf;

    rscf = ngx_http_conf_get_module_srv_conf(cf, ngx_rooms_module);
    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_rooms_module);

    if (ngx_rooms_scim_check(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    rscf->serves = 1;

    if (ngx_rooms_named_check(cf, "rooms_fallback", &conf->fallback,
                              &conf->fallback_at) != NGX_OK
        || ngx_rooms_named_check(cf, "rooms_auth_jwks_request",
                                 &conf->jwks_request, &conf->jwks_request_at)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->federation
        && (ngx_rooms_federation_check(cf, conf) != NGX_OK
            || ngx_rooms_named_check(cf, "rooms_federation_pass",
                                     &conf->federation_pass,
                                     &conf->federation_pass_at) != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (ngx_rooms_cors_check(cf, conf) != NGX_OK
        || ngx_rooms_ticket_check(cf, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    conf->store = ngx_rooms_store_of(cf, conf);
    if (conf->store == NULL) {
        return NGX_ERROR;
    }

    if (conf->federation
        && ngx_rooms_link_add(cf, &rmcf->links, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_rooms_offboard_add(cf, &rmcf->offboards, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_rooms_media_init(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    conf->auth = ngx_rooms_auth_create(cf, conf);
    if (conf->auth == NULL) {
        return NGX_ERROR;
    }

    if (conf->auth_mode != NGX_ROOMS_AUTH_JWT) {
        rmcf->mock = 1;
    }

    if (rmcf->status_zone == NULL) {
        rmcf->status_zone = ngx_rooms_status_zone(cf);

        if (rmcf->status_zone == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


char *
ngx_rooms_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_rooms_loc_conf_t  *prev = parent;
    ngx_rooms_loc_conf_t  *conf = child;

    ngx_rooms_srv_conf_t  *rscf;

    rscf = ngx_http_conf_get_module_srv_conf(cf, ngx_rooms_module);

    if (conf->from) {
        prev = conf->from;
    }

    conf->serve = rscf->serve;

    if (ngx_rooms_merge_enable(cf, conf, prev) != NGX_OK
        || ngx_rooms_merge_redis(cf, conf, prev) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_rooms_merge_auth(conf, prev);
    ngx_rooms_merge_rooms(conf, prev);
    ngx_rooms_merge_federation(conf, prev);

    if (conf->server_name.len == 0) {
        conf->server_name = cf->cycle->hostname;
    }

    if (conf->health == NGX_ROOMS_HEALTH_READY) {
        conf->store = ngx_rooms_store_of(cf, conf);
        if (conf->store == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (conf->scim_tokens == NULL) {
        conf->serve &= ~NGX_ROOMS_PART_SCIM;
    }

    if (conf->enable && ngx_rooms_merge_use(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
