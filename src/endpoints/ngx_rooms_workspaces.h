/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_WORKSPACES_H
#define NGX_ROOMS_WORKSPACES_H

#include "ngx_rooms_endpoints.h"


typedef struct {
    rooms_str_t             id;
    rooms_str_t             name;
    rooms_str_t             kind;         /* "personal" or "shared" */
    rooms_str_t             owner;
    int64_t                 created_at;
    rooms_role_e            role;         /* the caller's */
} ngx_rooms_workspace_t;

typedef struct {
    int64_t                 limit;
    rooms_str_t             after;
    redisReply             *ids;
    ngx_uint_t              n;
    unsigned                more:1;

    ngx_rooms_workspace_t   one;
    rooms_str_t             target;
    ngx_rooms_profile_t     profile;
    rooms_role_e            had;
    rooms_role_e            role;
    redisReply             *roles;        /* of all members */
    redisReply             *profiles;
} ngx_rooms_workspaces_t;


/* Between the two files: a workspace, and the caller's role in it. */
ngx_int_t ngx_rooms_workspace_ask(ngx_rooms_req_t *rq, rooms_str_t id);
/* NGX_DECLINED: there is none. */
ngx_int_t ngx_rooms_workspace_parse(redisReply *fields, redisReply *role,
    rooms_str_t id, ngx_rooms_workspace_t *w);
ngx_rooms_workspaces_t *ngx_rooms_workspaces_ctx(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_WORKSPACES_H */
