/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The worker that holds the lease sends the items of all outboxes of a link.
 */

#ifndef NGX_ROOMS_DRAIN_H
#define NGX_ROOMS_DRAIN_H

#include "ngx_rooms_link.h"


/* Registers the link of a location's server, once per server. */
ngx_int_t ngx_rooms_link_add(ngx_conf_t *cf, ngx_array_t *links,
    ngx_rooms_loc_conf_t *conf);
void ngx_rooms_link_init_worker(ngx_array_t *links, ngx_cycle_t *cycle);
void ngx_rooms_link_exit_worker(ngx_array_t *links);

/*
 * Something was added to an outbox: this worker looks immediately if it holds
 * the lease.
 */
void ngx_rooms_outbox_poke(ngx_rooms_loc_conf_t *conf);

#endif /* NGX_ROOMS_DRAIN_H */
