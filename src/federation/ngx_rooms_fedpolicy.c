/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_fedpolicy.h"


ngx_int_t
ngx_rooms_fedpolicy_ask(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys)
{
    return ngx_rooms_ask(b, keys, "HGET %k policy", NGX_ROOMS_KEY_FEDERATION,
                         ROOMS_NULL);
}


/* Counts the rooms at home here (score 0) that the server is in. */
ngx_int_t
ngx_rooms_fedpolicy_ask_invited(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys,
    rooms_str_t server)
{
    return ngx_rooms_ask(b, keys, "ZCOUNT %k 0 0", NGX_ROOMS_KEY_PEER_ROOMS,
                         server);
}


static void
ngx_rooms_fedpolicy_free(void *data)
{
    json_decref(data);
}


rooms_policy_t *
ngx_rooms_fedpolicy_read(ngx_pool_t *pool, ngx_log_t *log,
    ngx_rooms_loc_conf_t *conf, redisReply *reply)
{
    json_t                *object;
    rooms_str_t            text;
    rooms_policy_t        *policy;
    ngx_pool_cleanup_t    *cln;
    rooms_policy_fault_t   fault;

    policy = ngx_palloc(pool, sizeof(rooms_policy_t));
    cln = ngx_pool_cleanup_add(pool, 0);

    if (policy == NULL || cln == NULL) {
        return NULL;
    }

    rooms_policy_default(policy);
    text = ngx_rooms_reply_str(reply);

    if (text.data == NULL) {
        return policy;
    }

    object = json_loadb((const char *) text.data, text.len, 0, NULL);

    cln->handler = ngx_rooms_fedpolicy_free;
    cln->data = object;

    if (json_is_object(object)
        && rooms_policy_parse(object, rooms_from_ngx(conf->server_name),
                              policy, &fault) == 0)
    {
        return policy;
    }

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "rooms: the federation policy in the store is not valid "
                  "for \"%V\": no server is allowed", &conf->server_name);

    rooms_policy_default(policy);
    policy->mode = ROOMS_POLICY_CLOSED;

    return policy;
}


rooms_policy_t *
ngx_rooms_fedpolicy_take(ngx_rooms_req_t *rq, redisReply *reply)
{
    return ngx_rooms_fedpolicy_read(rq->pool, rq->r->connection->log,
                                    rq->conf, reply);
}
