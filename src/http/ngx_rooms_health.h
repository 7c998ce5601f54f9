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
 * What rooms_health live | ready answers with.  "live" answers while the
 * worker runs and asks nobody, since an outage of the store is no reason to
 * restart NGINX.  "ready" asks the store.
 */
ngx_int_t ngx_rooms_health_live(ngx_http_request_t *r);
ngx_int_t ngx_rooms_health_ready(ngx_http_request_t *r);

#endif /* NGX_ROOMS_HEALTH_H */
