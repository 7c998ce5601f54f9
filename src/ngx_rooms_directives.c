/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Handlers of directives that need more than one of NGINX's own slots, and
 * checks of values.
 */

#include "ngx_rooms_conf.h"
#include "ngx_rooms_auth.h"
#include "ngx_rooms_blob.h"
#include "ngx_rooms_health.h"
#include "ngx_rooms_status.h"


static void
ngx_rooms_place(ngx_conf_t *cf, ngx_rooms_place_t *at)
{
    at->file = cf->conf_file->file.name.data;
    at->line = cf->conf_file->line;
}


/* The error for a value that isn't one of the choices; it lists them. */
static char *
ngx_rooms_choices(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *choices,
    size_t stride)
{
    size_t      len;
    u_char     *problem, *p;
    ngx_str_t  *choice;

    len = sizeof("has the invalid value \"\": it takes ") + value->len;

    for (choice = choices; choice->len;
         choice = (ngx_str_t *) ((u_char *) choice + stride))
    {
        len += choice->len + sizeof("\"\", ");
    }

    problem = ngx_pnalloc(cf->pool, len);
    if (problem == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(problem, "has the invalid value \"%V\": it takes", value);

    for (choice = choices; choice->len;
         choice = (ngx_str_t *) ((u_char *) choice + stride))
    {
        p = ngx_sprintf(p, "%s \"%V\"", choice == choices ? "" : ",", choice);
    }

    *p = '\0';

    return (char *) problem;
}


char *
ngx_rooms_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t        *value;
    ngx_uint_t        i;
    ngx_conf_enum_t  *e;

    value = cf->args->elts;
    e = cmd->post;

    for (i = 0; e[i].name.len; i++) {

        if (e[i].name.len == value[1].len
            && ngx_strcasecmp(e[i].name.data, value[1].data) == 0)
        {
            return ngx_conf_set_enum_slot(cf, cmd, conf);
        }
    }

    return ngx_rooms_choices(cf, &value[1], &e->name, sizeof(ngx_conf_enum_t));
}


char *
ngx_rooms_bitmask(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t           *value;
    ngx_uint_t           i, n;
    ngx_conf_bitmask_t  *mask;

    value = cf->args->elts;
    mask = cmd->post;

    for (i = 1; i < cf->args->nelts; i++) {

        for (n = 0; mask[n].name.len; n++) {
            if (mask[n].name.len == value[i].len
                && ngx_strcasecmp(mask[n].name.data, value[i].data) == 0)
            {
                break;
            }
        }

        if (mask[n].name.len == 0) {
            return ngx_rooms_choices(cf, &value[i], &mask->name,
                                     sizeof(ngx_conf_bitmask_t));
        }
    }

    return ngx_conf_set_bitmask_slot(cf, cmd, conf);
}


/*
 * Takes the location.  Whether something behind the directive takes it away
 * is checked at the end (ngx_rooms_conf.c).
 */
static char *
ngx_rooms_own(ngx_conf_t *cf, ngx_rooms_loc_conf_t *rlcf,
    const char *directive, ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "conflicts with another handler in this location";
    }

    clcf->handler = handler;

    rlcf->own = directive;
    rlcf->handler = handler;
    ngx_rooms_place(cf, &rlcf->own_at);

    return NGX_CONF_OK;
}


char *
ngx_rooms_on(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_str_t             *value;
    ngx_uint_t             on;
    ngx_rooms_srv_conf_t  *rscf;

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

    return on ? ngx_rooms_own(cf, rlcf, "rooms on", ngx_rooms_handler)
              : NGX_CONF_OK;
}


char *
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
    ngx_rooms_place(cf, &rlcf->fallback_at);

    return NGX_CONF_OK;
}


/*
 * Sets *words to the arguments from `first` on.  They live as long as the
 * configuration.
 */
static char *
ngx_rooms_words(ngx_conf_t *cf, ngx_uint_t first, rooms_words_t *words)
{
    ngx_str_t    *value;
    ngx_uint_t    i, n;
    rooms_str_t  *word;

    if (words->n) {
        return "is duplicate";
    }

    value = cf->args->elts;
    n = cf->args->nelts - first;

    word = ngx_palloc(cf->pool, n * sizeof(rooms_str_t));
    if (word == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (value[first + i].len == 0) {
            return "has an empty word";
        }

        word[i] = rooms_from_ngx(value[first + i]);
    }

    words->word = word;
    words->n = n;

    return NGX_CONF_OK;
}


char *
ngx_rooms_auth_claim(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    static const char  *const claims[ROOMS_CLAIM_MAX] = {
        [ROOMS_CLAIM_PARTICIPANT] = "participant",
        [ROOMS_CLAIM_TENANT] = "tenant",
        [ROOMS_CLAIM_NAME] = "name",
        [ROOMS_CLAIM_LOCAL] = "local",
        [ROOMS_CLAIM_ROLES] = "roles"
    };

    value = cf->args->elts;

    for (i = 0; i < ROOMS_CLAIM_MAX; i++) {

        if (ngx_strcmp(value[1].data, claims[i]) == 0) {
            return ngx_rooms_words(cf, 2, &rlcf->claims[i]);
        }
    }

    return "must begin with \"participant\", \"tenant\", \"name\", "
           "\"local\" or \"roles\"";
}


char *
ngx_rooms_auth_admin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    return ngx_rooms_words(cf, 1, &rlcf->admins);
}


char *
ngx_rooms_jwks_request(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_rooms_place(cf, &rlcf->jwks_request_at);

    return ngx_conf_set_str_slot(cf, cmd, conf);
}


char *
ngx_rooms_federation_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_rooms_place(cf, &rlcf->federation_pass_at);

    return ngx_conf_set_str_slot(cf, cmd, conf);
}


char *
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


/* A size, or "off". */
char *
ngx_rooms_redis_wait(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t             *value;
    ngx_rooms_loc_conf_t  *rlcf = conf;

    if (rlcf->redis_wait != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0) {
        rlcf->redis_wait = 0;
        return cf->args->nelts == 2 ? NGX_CONF_OK : "must not have a time "
                                                    "after \"off\"";
    }

    rlcf->redis_wait = ngx_atoi(value[1].data, value[1].len);

    if (rlcf->redis_wait < 1 || rlcf->redis_wait > 100) {
        return "needs a number of replicas, 1 to 100, or \"off\"";
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    rlcf->redis_wait_timeout = ngx_parse_time(&value[2], 0);

    if (rlcf->redis_wait_timeout == (ngx_msec_t) NGX_ERROR
        || rlcf->redis_wait_timeout == 0)
    {
        return "needs a time, such as 500ms";
    }

    return NGX_CONF_OK;
}


char *
ngx_rooms_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char       *p = conf;
    size_t     *size;
    ngx_str_t  *value;

    size = (size_t *) (p + cmd->offset);

    if (*size != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0) {
        *size = 0;
        return NGX_CONF_OK;
    }

    return ngx_conf_set_size_slot(cf, cmd, conf);
}


/* A number or "unlimited".  A number of bytes may end in k, m or g. */
char *
ngx_rooms_quota(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    off_t       n;
    ngx_int_t  *quota;
    ngx_str_t  *value;

    quota = (ngx_int_t *) ((u_char *) conf + cmd->offset);

    if (*quota != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "unlimited") == 0) {
        *quota = NGX_ROOMS_UNLIMITED;
        return NGX_CONF_OK;
    }

    if (cmd->offset == offsetof(ngx_rooms_loc_conf_t,
                                quotas[NGX_ROOMS_QUOTA_MEDIA]))
    {
        n = ngx_parse_offset(&value[1]);

    } else {
        n = ngx_atoi(value[1].data, value[1].len);
    }

    if (n == (off_t) NGX_ERROR) {
        return "must be a number or \"unlimited\"";
    }

    *quota = n;

    return NGX_CONF_OK;
}


static ngx_str_t  ngx_rooms_limit_names[] = {
    ngx_string("unpacked=SIZE"),
    ngx_string("entries=N"),
    ngx_string("ratio=N"),
    ngx_string("stored=SIZE"),
    ngx_null_string
};


/* A limit that the directive doesn't name keeps its default. */
char *
ngx_rooms_import_limits(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    off_t                n;
    ngx_str_t           *value, s;
    ngx_uint_t           i;
    rooms_zip_limits_t  *limits;

    if (rlcf->import_limits) {
        return "is duplicate";
    }

    limits = ngx_palloc(cf->pool, sizeof(rooms_zip_limits_t));
    if (limits == NULL) {
        return NGX_CONF_ERROR;
    }

    *limits = ngx_rooms_limits;
    rlcf->import_limits = limits;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        s = value[i];

        if (ngx_strncmp(s.data, "unpacked=", 9) == 0) {
            s.data += 9;
            s.len -= 9;
            n = ngx_parse_offset(&s);
            limits->unpacked = n;

        } else if (ngx_strncmp(s.data, "stored=", 7) == 0) {
            s.data += 7;
            s.len -= 7;
            n = ngx_parse_offset(&s);
            limits->stored = n;

        } else if (ngx_strncmp(s.data, "entries=", 8) == 0) {
            n = ngx_atoi(s.data + 8, s.len - 8);
            limits->entries = n;

        } else if (ngx_strncmp(s.data, "ratio=", 6) == 0) {
            n = ngx_atoi(s.data + 6, s.len - 6);
            limits->ratio = n;

        } else {
            n = NGX_ERROR;
        }

        if (n <= 0) {
            return ngx_rooms_choices(cf, &value[i], ngx_rooms_limit_names,
                                     sizeof(ngx_str_t));
        }
    }

    return NGX_CONF_OK;
}


char *
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
        return "has a path that is too long";
    }

    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    rlcf->media_path = path;

    return NGX_CONF_OK;
}


char *
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


char *
ngx_rooms_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_rooms_module);

    if (rmcf->status_zone == NULL) {
        rmcf->status_zone = ngx_rooms_status_zone(cf);
    }

    return rmcf->status_zone ? ngx_rooms_own(cf, conf, "rooms_status",
                                             ngx_rooms_status_handler)
                             : NGX_CONF_ERROR;
}


char *
ngx_rooms_health(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->health) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "live") == 0) {
        rlcf->health = NGX_ROOMS_HEALTH_LIVE;
        return ngx_rooms_own(cf, rlcf, "rooms_health", ngx_rooms_health_live);
    }

    if (ngx_strcmp(value[1].data, "ready") == 0) {
        rlcf->health = NGX_ROOMS_HEALTH_READY;
        return ngx_rooms_own(cf, rlcf, "rooms_health", ngx_rooms_health_ready);
    }

    return "must be \"live\" or \"ready\"";
}


char *
ngx_rooms_check_jwks(ngx_conf_t *cf, void *post, void *data)
{
    return ngx_rooms_auth_check_file(cf, data, 0);
}


char *
ngx_rooms_check_secret(ngx_conf_t *cf, void *post, void *data)
{
    return ngx_rooms_auth_check_file(cf, data, 1);
}


char *
ngx_rooms_check_uri(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t  *uri = data;

    return uri->len && uri->data[0] == '/' ? NGX_CONF_OK
                                           : "must be a path, \"/name\"";
}


char *
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


char *
ngx_rooms_check_tenant(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t  *tenant = data;

    return rooms_tenant_valid(rooms_from_ngx(*tenant))
           ? NGX_CONF_OK : "must be 1 to 64 of A-Z a-z 0-9 . _ -";
}


char *
ngx_rooms_check_stream(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *time = data;

    /* NGINX's timers can't hold more */

    return *time >= 100 && *time <= 7 * 24 * 3600 * 1000
           ? NGX_CONF_OK : "must be from 100ms to 7d";
}


char *
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
