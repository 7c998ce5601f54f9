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

/* After the merge: what can't stand together is an error of nginx -t. */
ngx_int_t ngx_rooms_ticket_check(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf);

/* What hides tickets and links from logs: $rooms_uri, and a phase. */
ngx_int_t ngx_rooms_ticket_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_rooms_ticket_init(ngx_conf_t *cf);

/*
 * What an argument of the query stands for, on rows that take one: a ticket of
 * a stream, or the signature of a link.  NGX_DECLINED: the request has none.
 * NGX_OK: *result and *why are as of rooms_ticket_verify(), rq->principal is
 * filled in, and *link says which of the two it was.
 */
ngx_int_t ngx_rooms_ticket_take(ngx_rooms_req_t *rq, rooms_jwt_e *result,
    const char **why, ngx_uint_t *link);

/* A token by rooms_auth_token, or by rooms_auth_query_token; or NULL. */
rooms_str_t ngx_rooms_ticket_token(ngx_rooms_req_t *rq);
rooms_str_t ngx_rooms_ticket_query_token(ngx_rooms_req_t *rq);

/*
 * The answer of a row that gives out links: {url, expires_at}.  `path` stands
 * before the object's id, `more` behind the signature.  The caller must be
 * allowed, now, to ask for what the link leads to.
 */
ngx_int_t ngx_rooms_link_put(ngx_rooms_req_t *rq, rooms_ticket_e purpose,
    rooms_str_t object, const char *path, const char *more);

#endif /* NGX_ROOMS_TICKET_H */
