/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_AUTH_H
#define NGX_ROOMS_AUTH_H

#include "ngx_rooms_request.h"


/*
 * Made for each set of rooms_auth_* values while the configuration is read;
 * loads the key files, and says what is wrong with them.  NULL: an error was
 * logged, with the directive's name.
 */
ngx_rooms_auth_t *ngx_rooms_auth_create(ngx_conf_t *cf,
    ngx_rooms_loc_conf_t *conf);

/*
 * Makes the path of a key file a full one and looks into it, while the line
 * that names it is known.
 */
char *ngx_rooms_auth_check_file(ngx_conf_t *cf, ngx_str_t *path,
    ngx_uint_t secret);

/* Of the worker: the caches. */
ngx_int_t ngx_rooms_auth_init_process(ngx_cycle_t *cycle);
ngx_int_t ngx_rooms_auth_init_module(void);

#endif /* NGX_ROOMS_AUTH_H */
