/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_TLS_H
#define NGX_ROOMS_TLS_H

#include "ngx_rooms_store.h"


/*
 * TLS for rediss://, if hiredis has it (NGX_ROOMS_TLS, set by `config`).  The
 * store must present a certificate for the URL's host, from an authority that
 * the URL's "ca" names, or that the system trusts.
 */

/*
 * Prepares TLS for a node from "ca=FILE&cert=FILE&key=FILE".  NULL, or a text
 * that says what is wrong.
 */
char *ngx_rooms_tls_parse(ngx_conf_t *cf, u_char *p, u_char *last,
    ngx_str_t *host, ngx_rooms_node_t *node);

/* Sets up TLS on a connecting lane, before anything is sent. */
ngx_int_t ngx_rooms_tls_lane(ngx_rooms_lane_t *lane);

/*
 * The same for the subscription's connection.  NGX_AGAIN: `done` will be
 * called.
 */
ngx_int_t ngx_rooms_tls_handshake(ngx_connection_t *c, ngx_rooms_node_t *node,
    void (*done)(ngx_connection_t *c));
void ngx_rooms_tls_close(ngx_connection_t *c);

#endif /* NGX_ROOMS_TLS_H */
