/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_AUTH_H
#define NGX_ROOMS_AUTH_H

#include "ngx_rooms_request.h"


/*
 * Made for each set of rooms_auth_* values while the configuration is read;
 * loads the key files, and says what is wrong with them.  NULL: an error was
 * logged, with the directive's name.
 */
ngx_rooms_auth_t *ngx_rooms_auth_create(ngx_conf_t *cf,
    ngx_rooms_loc_conf_t *conf);

/*
 * Makes the path of a key file a full one and looks into it, while the line
 * that names it is known.
 */
char *ngx_rooms_auth_check_file(ngx_conf_t *cf, ngx_str_t *path,
    ngx_uint_t secret);

/*
 * Hooks of the pipeline: a step, and its synchronous half, which sets no
 * error.  NGX_AGAIN: with the keys that are here, nothing can be said.
 * NGX_DECLINED: refused; rq->refusal says what to answer.
 */
ngx_int_t ngx_rooms_authenticate(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_authenticate_now(ngx_rooms_req_t *rq);
/*
 * Another token of the same participant, for a request that goes on: until
 * when it is good, in seconds.  0: it isn't; *why is the code of an error.
 */
int64_t ngx_rooms_auth_again(ngx_rooms_req_t *rq, rooms_str_t token,
    const char **why);
/* Answers with rq->refusal, or with an invalid token when why isn't NULL. */
ngx_int_t ngx_rooms_auth_refused(ngx_rooms_req_t *rq, const char *why);
ngx_int_t ngx_rooms_register(ngx_rooms_req_t *rq);

/*
 * What somebody is called of whom only the id is known: the local id that it
 * makes; that one or, when it is another's, one with a drawn suffix; and a
 * display name.  NULL: no memory.
 */
rooms_str_t ngx_rooms_local_wish(ngx_rooms_req_t *rq, rooms_str_t id);
rooms_str_t ngx_rooms_local_free(ngx_rooms_req_t *rq, rooms_str_t wish,
    rooms_str_t id, rooms_str_t owner);
rooms_str_t ngx_rooms_local_name(ngx_rooms_req_t *rq, rooms_str_t id);

/*
 * Somebody of whom only the id is known, whose first token is still to come;
 * `owner` has the local id that the id makes, or NULL.  ngx_rooms_unknown()
 * says whether an invite may name such a one: rooms_invite_unknown.
 */
ngx_int_t ngx_rooms_provision(ngx_rooms_req_t *rq, rooms_str_t id,
    rooms_str_t owner, ngx_rooms_profile_t *p);
ngx_uint_t ngx_rooms_unknown(ngx_rooms_req_t *rq, rooms_str_t id);

/* Of the worker: the caches. */
ngx_int_t ngx_rooms_auth_init_process(ngx_cycle_t *cycle);
ngx_int_t ngx_rooms_auth_init_module(void);

#endif /* NGX_ROOMS_AUTH_H */
