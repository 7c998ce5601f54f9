/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_AUTH_H
#define NGX_ROOMS_AUTH_H

#include "ngx_rooms_request.h"


/*
 * Creates the state for one set of rooms_auth_* values while the
 * configuration is read.  Loads the key files and logs what is wrong with
 * them.  NULL: an error was logged, with the directive's name.
 */
ngx_rooms_auth_t *ngx_rooms_auth_create(ngx_conf_t *cf,
    ngx_rooms_loc_conf_t *conf);

/*
 * Makes a key file's path absolute and checks the file, so that an error
 * names the directive's line.
 */
char *ngx_rooms_auth_check_file(ngx_conf_t *cf, ngx_str_t *path,
    ngx_uint_t secret);

/*
 * Hooks of the pipeline: the step, and its synchronous half, which sets no
 * error.  NGX_AGAIN: the keys at hand can't decide it.  NGX_DECLINED:
 * refused; rq->refusal says what to answer.
 */
ngx_int_t ngx_rooms_authenticate(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_authenticate_now(ngx_rooms_req_t *rq);
/*
 * Checks a new token of the same participant, for a request that goes on.
 * Returns its expiry in seconds; 0: refused, and *why is an error code.
 */
int64_t ngx_rooms_auth_again(ngx_rooms_req_t *rq, rooms_str_t token,
    const char **why);
/* Answers with rq->refusal; if why isn't NULL, as an invalid token. */
ngx_int_t ngx_rooms_auth_refused(ngx_rooms_req_t *rq, const char *why);
ngx_int_t ngx_rooms_register(ngx_rooms_req_t *rq);

/*
 * Names for a participant of whom only the id is known: the local id made of
 * the id; that local id, or one with a random suffix if another participant
 * (`owner`) has it; and a display name.  NULL: out of memory.
 */
rooms_str_t ngx_rooms_local_wish(ngx_rooms_req_t *rq, rooms_str_t id);
rooms_str_t ngx_rooms_local_free(ngx_rooms_req_t *rq, rooms_str_t wish,
    rooms_str_t id, rooms_str_t owner);
rooms_str_t ngx_rooms_local_name(ngx_rooms_req_t *rq, rooms_str_t id);

/*
 * Fills in *p for a participant of whom only the id is known, and whose first
 * token is still to come. `owner` is who has the local id that is made of the
 * id, or NULL. ngx_rooms_unknown() says whether an invite may name such a
 * participant (rooms_invite_unknown).
 */
ngx_int_t ngx_rooms_provision(ngx_rooms_req_t *rq, rooms_str_t id,
    rooms_str_t owner, ngx_rooms_profile_t *p);
ngx_uint_t ngx_rooms_unknown(ngx_rooms_req_t *rq, rooms_str_t id);

/* Start the worker's token cache, and free it. */
ngx_int_t ngx_rooms_auth_init_worker(void);
void ngx_rooms_auth_exit_worker(void);
ngx_int_t ngx_rooms_auth_init_module(void);

#endif /* NGX_ROOMS_AUTH_H */
