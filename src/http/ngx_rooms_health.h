/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_HEALTH_H
#define NGX_ROOMS_HEALTH_H

#include "ngx_rooms_request.h"


#define NGX_ROOMS_HEALTH_LIVE   1
#define NGX_ROOMS_HEALTH_READY  2

/*
 * The directive: rooms_health live | ready.  "live" answers while the worker
 * runs and asks nobody, since an outage of the store is no reason to restart
 * NGINX.  "ready" asks the store.
 */
char *ngx_rooms_health(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

#endif /* NGX_ROOMS_HEALTH_H */
