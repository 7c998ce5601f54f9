/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_WS_H
#define NGX_ROOMS_WS_H

#include "ngx_rooms_request.h"


/* GET /v1/stream, of the table of endpoints. */
ngx_int_t ngx_rooms_ws_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_ws_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_ws_refuse(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_WS_H */
