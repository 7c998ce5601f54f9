/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Foreign participants whose names aren't known yet.  They are shown by their
 * local ids until the worker with the lease has asked their server.
 */

#ifndef NGX_ROOMS_PROFILES_H
#define NGX_ROOMS_PROFILES_H

#include "ngx_rooms_link.h"


/*
 * Adds to a commit that the participant's server has to be asked.  nth: index
 * of the participant in the commit; later ones are asked later.
 */
void ngx_rooms_profiles_want(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t fqid, int64_t now, ngx_uint_t nth);

/* Appends the command whose reply ngx_rooms_profiles_due() takes. */
ngx_int_t ngx_rooms_profiles_ask_due(ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys);
void ngx_rooms_profiles_due(ngx_rooms_fedlink_t *link, redisReply *reply);

#endif /* NGX_ROOMS_PROFILES_H */
