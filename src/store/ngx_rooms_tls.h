/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_TLS_H
#define NGX_ROOMS_TLS_H

#include "ngx_rooms_store.h"


/*
 * rediss://, where NGINX has TLS (NGX_ROOMS_TLS, which `config` finds out).
 * The store proves that it is the host of the URL, by a certificate of an
 * authority that the URL's "ca" names, or the system knows.
 */

/*
 * Prepares TLS for a node from "ca=FILE&cert=FILE&key=FILE".  NULL, or a text
 * that says what is wrong.
 */
char *ngx_rooms_tls_parse(ngx_conf_t *cf, u_char *p, u_char *last,
    ngx_str_t *host, ngx_rooms_node_t *node);

/*
 * On a connection that stands, before anything is sent.  NGX_AGAIN: `done` will
 * be called; ngx_rooms_tls_stands() says whether it went well.
 */
ngx_int_t ngx_rooms_tls_handshake(ngx_connection_t *c, ngx_rooms_node_t *node,
    void (*done)(ngx_connection_t *c));
ngx_uint_t ngx_rooms_tls_stands(ngx_connection_t *c);
void ngx_rooms_tls_close(ngx_connection_t *c);

#endif /* NGX_ROOMS_TLS_H */
