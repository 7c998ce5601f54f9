/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_SYNC_H
#define NGX_ROOMS_SYNC_H

#include "ngx_rooms_request.h"


/* GET /v1/sync, of the table of endpoints. */
ngx_int_t ngx_rooms_sync_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_sync_show(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_SYNC_H */
