/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_PERSON_H
#define NGX_ROOMS_PERSON_H

#include "ngx_rooms_request.h"


/* Until a reactivation nothing is taken that would name it again. */
#define NGX_ROOMS_OFFBOARD_ERASED_TEXT                                        \
    "the participant is erased: it has to be reactivated first"


/*
 * A participant as others see them: an object without its closing brace; and
 * as an administrator does: the whole object.  At most so many bytes.
 */
size_t ngx_rooms_person_size(ngx_rooms_req_t *rq,
    const ngx_rooms_profile_t *p);
void ngx_rooms_person_json(ngx_rooms_req_t *rq, rooms_buf_t *b,
    const ngx_rooms_profile_t *p);
void ngx_rooms_person_admin_json(ngx_rooms_req_t *rq, rooms_buf_t *b,
    const ngx_rooms_profile_t *p, redisReply *seen, redisReply *rooms);

/* Adds to rq->batch: the row, the last day, the number of rooms. */
#define NGX_ROOMS_PERSON_COMMANDS  3
ngx_int_t ngx_rooms_person_ask(ngx_rooms_req_t *rq, rooms_str_t id);

/*
 * Asks who of them is in a room that the caller is in: one number each, 0 or
 * not; maybe not of all, but of one at least.
 */
ngx_int_t ngx_rooms_people_shares_ask(ngx_rooms_req_t *rq,
    const ngx_rooms_profile_t *people, ngx_uint_t n);

/* A type's own name, or NULL. */
rooms_str_t ngx_rooms_person_type(rooms_str_t s);

/* What a body says: into the profile, unless the field isn't there. */
ngx_int_t ngx_rooms_person_name(ngx_rooms_req_t *rq, ngx_rooms_profile_t *p);
ngx_int_t ngx_rooms_person_avatar(ngx_rooms_req_t *rq, ngx_rooms_profile_t *p);

/* Steps of rows. */
ngx_int_t ngx_rooms_me_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_me_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_me_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_preferences_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_preferences_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_preferences_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_person_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_person_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_person_put_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_person_put_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_person_put_show(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_PERSON_H */
