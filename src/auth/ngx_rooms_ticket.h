/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_TICKET_H
#define NGX_ROOMS_TICKET_H

#include "ngx_rooms_request.h"
#include "rooms_ticket.h"


/* Directives: rooms_url_secret_file FILE [old FILE...]; rooms_auth_token. */
char *ngx_rooms_url_secret_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_rooms_auth_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* Called after the merge: reports settings that contradict each other. */
ngx_int_t ngx_rooms_ticket_check(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf);

/*
 * Hide tickets and links from logs: the variable $rooms_uri, and a phase
 * handler.
 */
ngx_int_t ngx_rooms_ticket_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_rooms_ticket_init(ngx_conf_t *cf);

/*
 * Reads a ticket of a stream, or the signature of a link, from the query, on
 * rows that accept one.  NGX_DECLINED: there is none.  NGX_OK: *result and
 * *why are as rooms_ticket_verify() sets them, rq->principal is set if it is
 * valid, and *link says that it is a link.
 */
ngx_int_t ngx_rooms_ticket_take(ngx_rooms_req_t *rq, rooms_jwt_e *result,
    const char **why, ngx_uint_t *link);

/*
 * The token that rooms_auth_token, or rooms_auth_query_token, finds; or NULL.
 */
rooms_str_t ngx_rooms_ticket_token(ngx_rooms_req_t *rq);
rooms_str_t ngx_rooms_ticket_query_token(ngx_rooms_req_t *rq);

/*
 * Shows a signed link: {url, expires_at}.  The URL is `path`, the object's
 * id, the signature and `more`.  The caller must have checked that this
 * participant may read what the link opens.
 */
ngx_int_t ngx_rooms_link_put(ngx_rooms_req_t *rq, rooms_ticket_e purpose,
    rooms_str_t object, const char *path, const char *more);

#endif /* NGX_ROOMS_TICKET_H */
