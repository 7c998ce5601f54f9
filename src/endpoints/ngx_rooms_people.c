/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The rows of people. */

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_person.h"


#define PEOPLE    NGX_ROOMS_PART_PEOPLE
#define NULLABLE  NGX_ROOMS_T_NULL


static const ngx_rooms_field_t  ngx_rooms_person_fields[] = {
    { "local_id", NGX_ROOMS_T_STRING|NULLABLE },
    { "display_name", NGX_ROOMS_T_STRING|NULLABLE },
    { "email", NGX_ROOMS_T_STRING|NULLABLE },
    { "avatar_url", NGX_ROOMS_T_STRING|NULLABLE },
    { "participant_type", NGX_ROOMS_T_STRING|NULLABLE },
    { NULL, 0 }
};


const ngx_rooms_endpoint_t  ngx_rooms_people_rows[] = {

    { .method = NGX_HTTP_GET, .path = "/v1/participants/{participant}",
      .part = PEOPLE, .op = ROOMS_OP_READ,
      .load = ngx_rooms_person_load, .show = ngx_rooms_person_show },

    { .method = NGX_HTTP_PUT, .path = "/v1/admin/participants/{participant}",
      .part = PEOPLE, .flags = NGX_ROOMS_ADMIN|NGX_ROOMS_BODY,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_person_put_load,
      .decide = ngx_rooms_person_put_decide,
      .show = ngx_rooms_person_put_show, .fields = ngx_rooms_person_fields },

    { .path = NULL }
};
