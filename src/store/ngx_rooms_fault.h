/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_FAULT_H
#define NGX_ROOMS_FAULT_H

#include "ngx_rooms_redis.h"


/*
 * What an error of the store or the disk means.  This is the only list of
 * such errors; any other error is our own fault.
 */

typedef enum {
    NGX_ROOMS_FAULT_NONE = 0,
    NGX_ROOMS_FAULT_PASSES,            /* nothing was done; ask again until
                                          the deadline, then 503 */
    NGX_ROOMS_FAULT_AWAY,              /* nothing was done: 503 */
    NGX_ROOMS_FAULT_OURS               /* 500 */
} ngx_rooms_fault_e;

/*
 * Classifies an answered batch by its worst reply. *reply becomes that error,
 * whose text the caller logs.
 */
ngx_rooms_fault_e ngx_rooms_fault_batch(ngx_rooms_batch_t *b,
    redisReply **reply);

/* The same, and logs it. */
ngx_rooms_fault_e ngx_rooms_fault_log(ngx_rooms_batch_t *b, ngx_log_t *log);

/* Classifies an errno; *after says in how many seconds to try again. */
ngx_rooms_fault_e ngx_rooms_fault_disk(ngx_err_t err, ngx_uint_t *after);

#endif /* NGX_ROOMS_FAULT_H */
