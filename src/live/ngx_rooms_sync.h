/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_SYNC_H
#define NGX_ROOMS_SYNC_H

#include "ngx_rooms_reader.h"


/* Reads where a reader begins: since, limit, epoch.  Sets the error. */
ngx_int_t ngx_rooms_sync_args(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s);

#endif /* NGX_ROOMS_SYNC_H */
