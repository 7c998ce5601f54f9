/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_STATUS_H
#define NGX_ROOMS_STATUS_H

#include "ngx_rooms_request.h"


/*
 * Counters of all workers, in shared memory: atomic numbers and nothing else,
 * so a worker that is killed leaves nothing locked.  Times are milliseconds.
 */

void ngx_rooms_status_request(const ngx_rooms_endpoint_t *e,
    ngx_uint_t status, ngx_msec_t took);
void ngx_rooms_status_store(ngx_msec_t took, ngx_uint_t ok);
void ngx_rooms_status_conflict(void);

ngx_shm_zone_t *ngx_rooms_status_zone(ngx_conf_t *cf);
ngx_int_t ngx_rooms_status_handler(ngx_http_request_t *r);

#endif /* NGX_ROOMS_STATUS_H */
