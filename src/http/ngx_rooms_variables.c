/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_request.h"


static ngx_int_t ngx_rooms_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


typedef enum {
    NGX_ROOMS_V_TENANT = 0,
    NGX_ROOMS_V_PARTICIPANT,
    NGX_ROOMS_V_ENDPOINT,
    NGX_ROOMS_V_CLASS,
    NGX_ROOMS_V_ERROR,
    NGX_ROOMS_V_STORE_TIME
} ngx_rooms_variable_e;

static ngx_http_variable_t  ngx_rooms_variables[] = {

    { ngx_string("rooms_tenant"), NULL, ngx_rooms_variable,
      NGX_ROOMS_V_TENANT, 0, 0 },

    { ngx_string("rooms_participant"), NULL, ngx_rooms_variable,
      NGX_ROOMS_V_PARTICIPANT, 0, 0 },

    { ngx_string("rooms_endpoint"), NULL, ngx_rooms_variable,
      NGX_ROOMS_V_ENDPOINT, 0, 0 },

    { ngx_string("rooms_class"), NULL, ngx_rooms_variable,
      NGX_ROOMS_V_CLASS, 0, 0 },

    { ngx_string("rooms_error_code"), NULL, ngx_rooms_variable,
      NGX_ROOMS_V_ERROR, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rooms_store_time"), NULL, ngx_rooms_variable,
      NGX_ROOMS_V_STORE_TIME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_rooms_add_variables(ngx_conf_t *cf)
{
    return ngx_rooms_variables_add(cf, ngx_rooms_variables);
}


ngx_int_t
ngx_rooms_variables_add(ngx_conf_t *cf, ngx_http_variable_t *v)
{
    ngx_http_variable_t  *var;

    for ( /* void */ ; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static rooms_str_t
ngx_rooms_variable_endpoint(ngx_rooms_req_t *rq)
{
    return rq->endpoint ? rooms_cstr(rq->endpoint->path) : ROOMS_NULL;
}


static rooms_str_t
ngx_rooms_variable_time(ngx_rooms_req_t *rq)
{
    u_char  *p;

    if (rq->asked == 0) {
        return ROOMS_NULL;
    }

    p = ngx_pnalloc(rq->pool, NGX_TIME_T_LEN + 4);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    return (rooms_str_t) { ngx_sprintf(p, "%M.%03M", rq->store_time / 1000,
                                       rq->store_time % 1000) - p, p };
}


/*
 * The caller is known before our handler runs, since limit_req needs it in an
 * earlier phase.  A token that isn't verified names nobody.
 */
static ngx_int_t
ngx_rooms_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    rooms_str_t            value;
    ngx_rooms_req_t       *rq;
    ngx_rooms_loc_conf_t  *rlcf;

    v->not_found = 1;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_rooms_module);

    if (!rlcf->enable || r->pool == NULL) {
        return NGX_OK;
    }

    rq = ngx_rooms_req(r);
    if (rq == NULL) {
        return NGX_ERROR;
    }

    switch (data) {

    case NGX_ROOMS_V_ENDPOINT:
        value = ngx_rooms_variable_endpoint(rq);
        break;

    case NGX_ROOMS_V_CLASS:
        value = rooms_cstr(ngx_rooms_endpoint_class(rq->endpoint));
        break;

    case NGX_ROOMS_V_ERROR:
        value = rq->error ? rooms_cstr(ngx_rooms_error(rq->error)->code)
                          : ROOMS_NULL;
        break;

    case NGX_ROOMS_V_STORE_TIME:
        value = ngx_rooms_variable_time(rq);
        break;

    default:

        if (ngx_rooms_hooks.authenticate_now(rq) != NGX_OK) {
            return NGX_OK;
        }

        value = data == NGX_ROOMS_V_TENANT ? rq->principal.tenant
                                           : rq->principal.sub;
    }

    if (value.data == NULL) {
        return NGX_OK;
    }

    v->len = value.len;
    v->data = (u_char *) value.data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
