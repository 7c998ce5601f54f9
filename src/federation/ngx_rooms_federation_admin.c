/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Who we are to other servers, and which of them we deal with: the public
 * descriptor, /v1/admin/federation/identity, and .../policy.
 */

#include "ngx_rooms_federation_endpoints.h"
#include "ngx_rooms_endings.h"
#include "ngx_rooms_federation.h"
#include "ngx_rooms_fedpolicy.h"


/* Our name, and our keys, each with its id. */
static rooms_buf_t *
ngx_rooms_identity(ngx_rooms_req_t *rq)
{
    char                  text[ROOMS_FEDKEY_TEXT];
    ngx_uint_t            i;
    rooms_buf_t          *b;
    ngx_array_t          *keys;
    rooms_fedkey_pair_t  *pair;

    keys = rq->conf->federation_keys;
    pair = keys->elts;

    b = ngx_rooms_out(&rq->out, 1024 + ROOMS_JSON_STR(
                                             rq->conf->server_name.len)
                                + keys->nelts * (ROOMS_FEDKEY_TEXT + 128));

    rooms_json_lit(b, "{\"data\":{\"server_name\":");
    rooms_json_str(b, rooms_from_ngx(rq->conf->server_name));

    (void) rooms_fedkey_text(&pair[0].key, text);
    rooms_json_lit(b, ",\"public_key\":");
    rooms_json_str(b, rooms_cstr(text));
    rooms_json_lit(b, ",\"key_id\":");
    rooms_json_str(b, rooms_cstr(pair[0].key.id));
    rooms_json_lit(b, ",\"old_public_keys\":[");

    for (i = 1; i < keys->nelts; i++) {

        if (i > 1) {
            rooms_json_lit(b, ",");
        }

        (void) rooms_fedkey_text(&pair[i].key, text);
        rooms_json_str(b, rooms_cstr(text));
    }

    rooms_json_lit(b, "],\"old_key_ids\":[");

    for (i = 1; i < keys->nelts; i++) {

        if (i > 1) {
            rooms_json_lit(b, ",");
        }

        rooms_json_str(b, rooms_cstr(pair[i].key.id));
    }

    rooms_json_lit(b, "],\"protocol_versions\":[\"v1\"]");

    return b;
}


ngx_int_t
ngx_rooms_identity_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t  *b;

    b = ngx_rooms_identity(rq);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}


ngx_int_t
ngx_rooms_descriptor_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t  *b;

    b = ngx_rooms_identity(rq);

    rooms_json_lit(b, ",\"endpoints\":{"
        "\"send\":\"/_scaiwave/federation/v1/send\","
        "\"profile\":\"/_scaiwave/federation/v1/profile/{local_id}\","
        "\"members\":\"/_scaiwave/federation/v1/rooms/{room_id}/members\","
        "\"backfill\":\"/_scaiwave/federation/v1/rooms/{room_id}/backfill\""
        "}}}\n");

    return NGX_OK;
}


ngx_int_t
ngx_rooms_policy_load(ngx_rooms_req_t *rq)
{
    if (rq->round) {
        rq->data = ngx_rooms_fedpolicy_take(rq, ngx_rooms_reply(rq, 0));
        return rq->data ? NGX_OK : NGX_ERROR;
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_fedpolicy_ask(rq->batch, &rq->keys) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = 1;

    return ngx_rooms_send(rq);
}


static rooms_str_t
ngx_rooms_policy_format(ngx_rooms_req_t *rq, const rooms_policy_t *policy)
{
    size_t         i, n, size;
    u_char        *start;
    json_t        *peer;
    rooms_buf_t    b;

    n = json_array_size(policy->peers);
    size = 256 + n * (ROOMS_PEER_MAX + 3);

    start = ngx_pnalloc(rq->pool, size);
    if (start == NULL) {
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, start, size);

    rooms_json_lit(&b, "{\"default_mode\":");
    rooms_json_str(&b, rooms_cstr(rooms_policy_mode_name(policy->mode)));
    rooms_json_lit(&b, ",\"allowed_peers\":[");

    for (i = 0; i < n; i++) {
        peer = json_array_get(policy->peers, i);

        if (i) {
            rooms_json_lit(&b, ",");
        }

        rooms_json_str(&b, rooms_cstr(json_string_value(peer)));
    }

    rooms_json_lit(&b, "],\"max_foreign_participants_per_room\":");
    rooms_json_int(&b, policy->foreign);
    rooms_json_lit(&b, "}");

    return (rooms_str_t) { b.last - start, start };
}


/*
 * Who is taken off the list has nobody here any more, also where those who
 * were invited are allowed by that.
 */
static void
ngx_rooms_policy_end(ngx_rooms_req_t *rq, const rooms_policy_t *old,
    const rooms_policy_t *policy)
{
    size_t       i;
    rooms_str_t  server;

    for (i = 0; i < json_array_size(old->peers); i++) {
        server = rooms_cstr(json_string_value(json_array_get(old->peers, i)));

        if (!rooms_policy_allows(policy, server, 0)
            && !rooms_str_eq(server, rooms_from_ngx(rq->conf->server_name)))
        {
            ngx_rooms_endings_peer(&rq->commit, &rq->keys, server,
                                   rq->principal.sub, rq->now);
        }
    }
}


ngx_int_t
ngx_rooms_policy_decide(ngx_rooms_req_t *rq)
{
    rooms_str_t            key, had, text;
    rooms_policy_t        *policy, old;
    rooms_policy_fault_t   fault;

    policy = rq->data;
    old = *policy;
    had = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));

    if (rooms_policy_parse(rq->body, rooms_from_ngx(rq->conf->server_name),
                           policy, &fault) != 0)
    {
        return ngx_rooms_invalid(rq, fault.field, fault.problem);
    }

    text = ngx_rooms_policy_format(rq, policy);

    if (text.data == NULL || ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_FEDERATION, ROOMS_NULL);

    ngx_rooms_commit_guard_field(&rq->commit, key, ngx_rooms_s("policy"),
                                 had);
    ngx_rooms_commit_write(&rq->commit, "HSET", key, ngx_rooms_s("policy"),
                           text);

    /* peers that it doesn't allow are found by whoever drains the outboxes */

    ngx_rooms_endings_policy(&rq->commit, &rq->keys, rq->principal.sub);
    ngx_rooms_policy_end(rq, &old, policy);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_rooms_policy_show(ngx_rooms_req_t *rq)
{
    rooms_str_t  text;

    text = ngx_rooms_policy_format(rq, rq->data);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    rooms_json_lit(ngx_rooms_out(&rq->out, 16), "{\"data\":");
    ngx_rooms_out_ref(&rq->out, text);
    rooms_json_lit(ngx_rooms_out(&rq->out, 16), "}\n");

    return NGX_OK;
}
