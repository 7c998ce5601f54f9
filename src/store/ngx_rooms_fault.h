/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_FAULT_H
#define NGX_ROOMS_FAULT_H

#include "ngx_rooms_redis.h"


/*
 * What an error of the store or of the disk means for whoever met it.  This
 * is the only list of such errors; what isn't in it is a fault of ours.
 */

typedef enum {
    NGX_ROOMS_FAULT_NONE = 0,
    NGX_ROOMS_FAULT_PASSES,            /* nothing was done; ask again in a
                                          moment, until the deadline: 503 */
    NGX_ROOMS_FAULT_AWAY,              /* nothing was done: 503 */
    NGX_ROOMS_FAULT_OURS               /* 500 */
} ngx_rooms_fault_e;

/* Of a reply; NOSCRIPT, which its caller expects, is none. */
ngx_rooms_fault_e ngx_rooms_fault_reply(redisReply *reply);

/*
 * Of a batch that was answered: the worst one.  `reply` becomes the error,
 * whose text the caller logs.
 */
ngx_rooms_fault_e ngx_rooms_fault_batch(ngx_rooms_batch_t *b,
    redisReply **reply);

/* The same, and logs it. */
ngx_rooms_fault_e ngx_rooms_fault_log(ngx_rooms_batch_t *b, ngx_log_t *log);

/* Of an errno; `after`: when to try again, in seconds. */
ngx_rooms_fault_e ngx_rooms_fault_disk(ngx_err_t err, ngx_uint_t *after);

#endif /* NGX_ROOMS_FAULT_H */
