/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_PERSON_H
#define NGX_ROOMS_PERSON_H

#include "ngx_rooms_request.h"


/*
 * Until it is reactivated, requests that would name the participant again are
 * refused.
 */
#define NGX_ROOMS_OFFBOARD_ERASED_TEXT                                        \
    "the participant was erased: reactivate it first"


/*
 * A participant as JSON: what other participants see, without the closing
 * brace; and what administrators see, complete.
 */
void ngx_rooms_person_json(ngx_rooms_req_t *rq, rooms_buf_t *b,
    const ngx_rooms_profile_t *p);
void ngx_rooms_person_admin_json(ngx_rooms_req_t *rq, rooms_buf_t *b,
    const ngx_rooms_profile_t *p, redisReply *seen, redisReply *rooms);

/*
 * Appends to rq->batch: the row, the day of the last request, the number of
 * rooms.
 */
#define NGX_ROOMS_PERSON_COMMANDS  3
ngx_int_t ngx_rooms_person_ask(ngx_rooms_req_t *rq, rooms_str_t id);

/*
 * Asks which of them share a room with the caller.  The reply has one number
 * each, 0 or 1.  It may cover fewer than `n`, but at least one.
 */
ngx_int_t ngx_rooms_people_shares_ask(ngx_rooms_req_t *rq,
    const ngx_rooms_profile_t *people, ngx_uint_t n);

/* The static string of a participant type, or NULL if unknown. */
rooms_str_t ngx_rooms_person_type(rooms_str_t s);

/* Copies a field of the body into the profile, if the body has it. */
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
