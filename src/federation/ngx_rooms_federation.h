/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_FEDERATION_H
#define NGX_ROOMS_FEDERATION_H

#include "ngx_rooms.h"
#include "rooms_fedkey.h"


/* rooms_federation_key FILE [old] FILE... */
char *ngx_rooms_federation_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Checks what `rooms_federation on` requires. */
ngx_int_t ngx_rooms_federation_check(ngx_conf_t *cf,
    ngx_rooms_loc_conf_t *conf);

#endif /* NGX_ROOMS_FEDERATION_H */
