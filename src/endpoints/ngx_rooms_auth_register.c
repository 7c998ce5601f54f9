/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * POST /v1/auth/register.  By now the pipeline has registered the caller, or
 * has updated their name from the token.  This only shows the result.
 */

#include "ngx_rooms_endpoints.h"


ngx_int_t
ngx_rooms_register_load(ngx_rooms_req_t *rq)
{
    if (rq->round) {
        return NGX_OK;
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL,
                         rq->principal.sub) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, 1);
}


ngx_int_t
ngx_rooms_register_decide(ngx_rooms_req_t *rq)
{
    return ngx_rooms_parse_profile(rq->pool,
                                   ngx_rooms_reply_str(ngx_rooms_reply(rq, 0)),
                                   rq->principal.sub, &rq->profile)
           == NGX_OK ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_rooms_register_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t          *b;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"participant_id\":%s,\"tenant_id\":%s,"
                   "\"local_id\":%s,\"display_name\":%s,\"fqid\":", p->id,
                   rq->principal.tenant, p->local, p->name);
    ngx_rooms_fqid_json(b, p, &rq->conf->server_name);
    rooms_json_put(b, ",\"workspace_id\":%s}}\n", p->workspace);

    return NGX_OK;
}
