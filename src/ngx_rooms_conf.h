/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_CONF_H
#define NGX_ROOMS_CONF_H

#include "ngx_rooms.h"
#include "rooms_zip_reader.h"


/* What the module's own files share. */

/* Create and merge the configurations (ngx_rooms_conf.c). */
void *ngx_rooms_create_main_conf(ngx_conf_t *cf);
void *ngx_rooms_create_srv_conf(ngx_conf_t *cf);
char *ngx_rooms_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child);
void *ngx_rooms_create_loc_conf(ngx_conf_t *cf);
char *ngx_rooms_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);

/* Defaults of rooms_import_limits. */
extern const rooms_zip_limits_t  ngx_rooms_limits;

/* Handlers of directives (ngx_rooms_directives.c) ... */
char *ngx_rooms_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_bitmask(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_on(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_jwks_request(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_federation_pass(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_rooms_redis_wait(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_fallback(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_auth_claim(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_auth_admin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_quota(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_import_limits(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_media_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_media_sweep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rooms_health(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* ... and checks that run once a value is set. */
char *ngx_rooms_check_jwks(ngx_conf_t *cf, void *post, void *data);
char *ngx_rooms_check_secret(ngx_conf_t *cf, void *post, void *data);
char *ngx_rooms_check_uri(ngx_conf_t *cf, void *post, void *data);
char *ngx_rooms_check_prefix(ngx_conf_t *cf, void *post, void *data);
char *ngx_rooms_check_tenant(ngx_conf_t *cf, void *post, void *data);
char *ngx_rooms_check_stream(ngx_conf_t *cf, void *post, void *data);
char *ngx_rooms_check_server(ngx_conf_t *cf, void *post, void *data);

#endif /* NGX_ROOMS_CONF_H */
