/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * POST /v1/admin/participants/{id}/deactivate, /reactivate and /erase, and
 * GET .../erasure.
 *
 * A deactivation is one commit: after it the participant can write nothing
 * more, and their waiting requests end.  The rest may take long and is left
 * to the walk.
 */

#include "ngx_rooms_offboard.h"
#include "ngx_rooms_person.h"


/* The fields that are read, in the order of ngx_rooms_offboard_field_e. */
static const char  *ngx_rooms_offboard_fields[] = {
    NGX_ROOMS_OFF_AT, NGX_ROOMS_OFF_LEFT, NGX_ROOMS_OFF_ERASE,
    NGX_ROOMS_OFF_ERASER, NGX_ROOMS_OFF_PHASE, NGX_ROOMS_OFF_ERASED,
    NGX_ROOMS_OFF_ROOMS, NGX_ROOMS_OFF_MESSAGES, NGX_ROOMS_OFF_REACTIONS,
    NGX_ROOMS_OFF_MEDIA, NGX_ROOMS_OFF_SKIPPED
};

typedef enum {
    NGX_ROOMS_OFFBOARD_AT = 0,
    NGX_ROOMS_OFFBOARD_LEFT,
    NGX_ROOMS_OFFBOARD_ERASE,
    NGX_ROOMS_OFFBOARD_ERASER,
    NGX_ROOMS_OFFBOARD_PHASE,
    NGX_ROOMS_OFFBOARD_ERASED,
    NGX_ROOMS_OFFBOARD_ROOMS,
    NGX_ROOMS_OFFBOARD_MESSAGES,
    NGX_ROOMS_OFFBOARD_REACTIONS,
    NGX_ROOMS_OFFBOARD_MEDIA,
    NGX_ROOMS_OFFBOARD_SKIPPED,
    NGX_ROOMS_OFFBOARD_FIELDS
} ngx_rooms_offboard_field_e;

typedef enum {
    NGX_ROOMS_OFFBOARD_BEGIN = 0,
    NGX_ROOMS_OFFBOARD_ANNOUNCED,
    NGX_ROOMS_OFFBOARD_LOADED
} ngx_rooms_offboard_round_e;

typedef struct {
    rooms_str_t             id;
    ngx_uint_t              slot;          /* slot of the tenant's keys */
    rooms_str_t             had;           /* the stored row, JSON */
    ngx_rooms_profile_t     profile;
    rooms_str_t             off[NGX_ROOMS_OFFBOARD_FIELDS];
} ngx_rooms_offboard_ctx_t;


static ngx_int_t ngx_rooms_offboard_load(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_deactivate_decide(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_reactivate_decide(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_erase_decide(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_offboard_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_erasure_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_offboard_ask(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_offboard_take(ngx_rooms_req_t *rq);


const ngx_rooms_endpoint_t  ngx_rooms_offboard_rows[] = {

    { .method = NGX_HTTP_POST,
      .path = "/v1/admin/participants/{participant}/deactivate",
      .part = NGX_ROOMS_PART_PEOPLE, .flags = NGX_ROOMS_ADMIN,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_offboard_load, .decide = ngx_rooms_deactivate_decide,
      .show = ngx_rooms_offboard_show },

    { .method = NGX_HTTP_POST,
      .path = "/v1/admin/participants/{participant}/reactivate",
      .part = NGX_ROOMS_PART_PEOPLE, .flags = NGX_ROOMS_ADMIN,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_offboard_load, .decide = ngx_rooms_reactivate_decide,
      .show = ngx_rooms_offboard_show },

    { .method = NGX_HTTP_POST,
      .path = "/v1/admin/participants/{participant}/erase",
      .part = NGX_ROOMS_PART_PEOPLE, .flags = NGX_ROOMS_ADMIN,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_offboard_load, .decide = ngx_rooms_erase_decide,
      .show = ngx_rooms_erasure_show },

    { .method = NGX_HTTP_GET,
      .path = "/v1/admin/participants/{participant}/erasure",
      .part = NGX_ROOMS_PART_PEOPLE, .flags = NGX_ROOMS_ADMIN,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_offboard_load, .show = ngx_rooms_erasure_show },

    { .path = NULL }
};


ngx_int_t
ngx_rooms_offboard_keys(ngx_rooms_keys_t *keys, ngx_pool_t *pool,
    ngx_str_t *prefix)
{
    /* "*" is no valid name of a tenant */

    return ngx_rooms_keys_init(keys, pool, prefix, ngx_rooms_s("*"));
}


ngx_int_t
ngx_rooms_offboard_announce(ngx_rooms_req_t *rq, ngx_uint_t round)
{
    rooms_str_t       minute;
    ngx_rooms_keys_t  keys;

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_offboard_keys(&keys, rq->pool, &rq->conf->key_prefix)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    minute = ngx_rooms_number(rq->pool, rq->now / 60000);

    if (ngx_rooms_ask(rq->batch, &keys, "ZADD %k %s %s%_%s",
                      NGX_ROOMS_KEY_TENANTS, ROOMS_NULL, minute,
                      rq->principal.tenant, minute) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->keys.slot = keys.slot;
    return ngx_rooms_send_round(rq, round);
}


void
ngx_rooms_offboard_enlist(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant, int64_t now)
{
    ngx_rooms_commit_write(c, "ZADD",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_OFFBOARD,
                                         ROOMS_NULL),
                           ngx_rooms_number(c->pool, now), participant);
}


void
ngx_rooms_offboard_delist(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant)
{
    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_OFFBOARD,
                                         ROOMS_NULL), participant);
}


void
ngx_rooms_offboard_begin(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant, rooms_str_t by, int64_t now)
{
    rooms_str_t  at, off;

    at = ngx_rooms_number(c->pool, now);
    off = ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_OFFBOARD, participant);

    ngx_rooms_commit_write(c, "HSET",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_DEACTIVATED,
                                         ROOMS_NULL), participant, at);

    /* remove the progress of an earlier deactivation */

    ngx_rooms_commit_delete(c, off);
    ngx_rooms_commit_write_at(c, "HSET", off,
                              ngx_rooms_s(NGX_ROOMS_OFF_AT), at,
                              ngx_rooms_s(NGX_ROOMS_OFF_BY), by,
                              ngx_rooms_s(NGX_ROOMS_OFF_UNTIL),
                              ngx_rooms_s(NGX_ROOMS_POS));
    ngx_rooms_offboard_enlist(c, keys, participant, now);
    ngx_rooms_apply_wake(c, keys, participant);
}


void
ngx_rooms_offboard_undo(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant, rooms_str_t erase)
{
    rooms_str_t  off;

    off = ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_OFFBOARD, participant);

    ngx_rooms_commit_guard_field(c, off, ngx_rooms_s(NGX_ROOMS_OFF_ERASE),
                                 erase);
    ngx_rooms_commit_write(c, "HDEL",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_DEACTIVATED,
                                         ROOMS_NULL), participant);
    ngx_rooms_commit_delete(c, off);
    ngx_rooms_offboard_delist(c, keys, participant);
}


/*
 * The hint for the tenant is written before its list changes.  If the worker
 * dies in between, there is a hint too many, which is harmless, and never one
 * too few.
 */
static ngx_int_t
ngx_rooms_offboard_load(ngx_rooms_req_t *rq)
{
    ngx_rooms_offboard_ctx_t  *ctx;

    if (rq->round != NGX_ROOMS_OFFBOARD_BEGIN) {
        return ngx_rooms_offboard_take(rq);
    }

    ctx = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_offboard_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rq->data = ctx;
    ctx->id = rq->param[NGX_ROOMS_P_PARTICIPANT];
    ctx->slot = rq->keys.slot;

    if (!rooms_participant_valid(ctx->id)) {
        return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL);
    }

    if (rq->endpoint->method == NGX_HTTP_GET) {
        return ngx_rooms_offboard_ask(rq);
    }

    return ngx_rooms_offboard_announce(rq, NGX_ROOMS_OFFBOARD_ANNOUNCED);
}


static ngx_int_t
ngx_rooms_offboard_ask(ngx_rooms_req_t *rq)
{
    ngx_uint_t                 i;
    rooms_str_t                fields[NGX_ROOMS_OFFBOARD_FIELDS];
    ngx_rooms_batch_t         *b;
    ngx_rooms_offboard_ctx_t  *ctx;

    ctx = rq->data;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_ROOMS_OFFBOARD_FIELDS; i++) {
        fields[i] = rooms_cstr(ngx_rooms_offboard_fields[i]);
    }

    (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL, ctx->id);
    (void) ngx_rooms_ask_many(b, &rq->keys, "HMGET",
                              NGX_ROOMS_KEY_USER_OFFBOARD, ctx->id, fields,
                              NGX_ROOMS_OFFBOARD_FIELDS);

    if (b->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_OFFBOARD_LOADED);
}


static ngx_int_t
ngx_rooms_offboard_take(ngx_rooms_req_t *rq)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_rooms_offboard_ctx_t  *ctx;

    ctx = rq->data;

    if (rq->round == NGX_ROOMS_OFFBOARD_ANNOUNCED) {
        rq->keys.slot = ctx->slot;
        return ngx_rooms_offboard_ask(rq);
    }

    ctx->had = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));

    rc = ngx_rooms_parse_profile(rq->pool, ctx->had, ctx->id, &ctx->profile);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED || ctx->profile.server.data) {
        /* participants of other servers are deactivated there */
        return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL);
    }

    for (i = 0; i < NGX_ROOMS_OFFBOARD_FIELDS; i++) {
        ctx->off[i] = ngx_rooms_reply_str_at(ngx_rooms_reply(rq, 1), i);
    }

    return NGX_OK;
}


static void
ngx_rooms_offboard_mark(ngx_rooms_req_t *rq, ngx_uint_t deactivated)
{
    ngx_rooms_offboard_ctx_t  *ctx;

    ctx = rq->data;
    ctx->profile.deactivated = deactivated;

    ngx_rooms_apply_person(&rq->commit, &rq->keys, ctx->had, &ctx->profile,
                           rq->now);
}


static ngx_int_t
ngx_rooms_deactivate_decide(ngx_rooms_req_t *rq)
{
    rooms_str_t                at;
    ngx_rooms_commit_t        *c;
    ngx_rooms_offboard_ctx_t  *ctx;

    ctx = rq->data;
    c = &rq->commit;

    if (ctx->profile.deactivated) {
        return NGX_OK;
    }

    at = ngx_rooms_number(rq->pool, rq->now);

    if (at.data == NULL || ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_offboard_mark(rq, 1);
    ngx_rooms_offboard_begin(c, &rq->keys, ctx->id, rq->principal.sub, rq->now);

    ctx->off[NGX_ROOMS_OFFBOARD_AT] = at;
    ctx->off[NGX_ROOMS_OFFBOARD_LEFT] = ROOMS_NULL;

    return c->failed ? NGX_ERROR : NGX_OK;
}


/* Memberships that have ended stay ended; the others continue. */
static ngx_int_t
ngx_rooms_reactivate_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_commit_t        *c;
    ngx_rooms_offboard_ctx_t  *ctx;

    ctx = rq->data;
    c = &rq->commit;

    if (ctx->profile.deactivated == 0) {
        return NGX_OK;
    }

    if (ctx->off[NGX_ROOMS_OFFBOARD_ERASE].data
        && ctx->off[NGX_ROOMS_OFFBOARD_ERASED].data == NULL)
    {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT,
                              "the participant is being erased");
    }

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_offboard_mark(rq, 0);
    ngx_rooms_offboard_undo(c, &rq->keys, ctx->id,
                            ctx->off[NGX_ROOMS_OFFBOARD_ERASE]);

    ctx->off[NGX_ROOMS_OFFBOARD_AT] = ROOMS_NULL;
    ctx->off[NGX_ROOMS_OFFBOARD_LEFT] = ROOMS_NULL;

    return c->failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_rooms_erase_decide(ngx_rooms_req_t *rq)
{
    rooms_str_t                off, at;
    ngx_rooms_commit_t        *c;
    ngx_rooms_offboard_ctx_t  *ctx;

    ctx = rq->data;
    c = &rq->commit;

    rq->status = NGX_HTTP_ACCEPTED;

    if (ctx->profile.deactivated == 0) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_ACTIVE, NULL);
    }

    if (ctx->off[NGX_ROOMS_OFFBOARD_ERASE].data) {
        return NGX_OK;
    }

    at = ngx_rooms_number(rq->pool, rq->now);

    if (at.data == NULL || ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    off = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_USER_OFFBOARD, ctx->id);

    /* the same deactivation that was read, and no other erasure */

    ngx_rooms_commit_guard_field(c, off, ngx_rooms_s(NGX_ROOMS_OFF_AT),
                                 ctx->off[NGX_ROOMS_OFFBOARD_AT]);
    ngx_rooms_commit_guard_field(c, off, ngx_rooms_s(NGX_ROOMS_OFF_ERASE),
                                 ROOMS_NULL);
    ngx_rooms_commit_write(c, "HSET", off,
                           ngx_rooms_s(NGX_ROOMS_OFF_ERASE), at,
                           ngx_rooms_s(NGX_ROOMS_OFF_ERASER),
                           rq->principal.sub);
    ngx_rooms_offboard_enlist(c, &rq->keys, ctx->id, rq->now);

    ctx->off[NGX_ROOMS_OFFBOARD_ERASE] = at;
    ctx->off[NGX_ROOMS_OFFBOARD_ERASER] = rq->principal.sub;

    return c->failed ? NGX_ERROR : NGX_OK;
}


static void
ngx_rooms_offboard_time(rooms_buf_t *b, rooms_str_t ms)
{
    ngx_int_t  n;

    n = ngx_atoof((u_char *) ms.data, ms.len);

    if (ms.data && n > 0) {
        rooms_json_time(b, n);

    } else {
        rooms_json_lit(b, "null");
    }
}


static void
ngx_rooms_offboard_count(rooms_buf_t *b, rooms_str_t n)
{
    rooms_json_int(b, ngx_max(ngx_atoof((u_char *) n.data, n.len), 0));
}


static ngx_int_t
ngx_rooms_offboard_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t               *b;
    ngx_rooms_offboard_ctx_t  *ctx;

    ctx = rq->data;

    if (rq->committing) {
        ngx_rooms_offboard_poke(rq->conf);
    }

    b = ngx_rooms_out(&rq->out);

    rooms_json_lit(b, "{\"data\":");
    ngx_rooms_person_json(rq, b, &ctx->profile);
    rooms_json_lit(b, ",\"deactivated_at\":");
    ngx_rooms_offboard_time(b, ctx->off[NGX_ROOMS_OFFBOARD_AT]);
    rooms_json_lit(b, ",\"memberships_ended_at\":");
    ngx_rooms_offboard_time(b, ctx->off[NGX_ROOMS_OFFBOARD_LEFT]);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}


static rooms_str_t
ngx_rooms_erasure_state(const ngx_rooms_offboard_ctx_t *ctx)
{
    if (ctx->off[NGX_ROOMS_OFFBOARD_ERASE].data == NULL) {
        return ngx_rooms_s("none");
    }

    if (ctx->off[NGX_ROOMS_OFFBOARD_ERASED].data) {
        return ngx_rooms_s("done");
    }

    return ctx->off[NGX_ROOMS_OFFBOARD_PHASE].data ? ngx_rooms_s("running")
                                                   : ngx_rooms_s("waiting");
}


static ngx_int_t
ngx_rooms_erasure_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t               *b;
    const rooms_str_t         *off;
    ngx_rooms_offboard_ctx_t  *ctx;

    ctx = rq->data;
    off = ctx->off;

    if (rq->committing) {
        ngx_rooms_offboard_poke(rq->conf);
    }

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"participant_id\":%s,\"state\":%s,"
                   "\"requested_at\":", ctx->id, ngx_rooms_erasure_state(ctx));
    ngx_rooms_offboard_time(b, off[NGX_ROOMS_OFFBOARD_ERASE]);
    rooms_json_put(b, ",\"requested_by\":%s,\"finished_at\":",
                   off[NGX_ROOMS_OFFBOARD_ERASER]);
    ngx_rooms_offboard_time(b, off[NGX_ROOMS_OFFBOARD_ERASED]);
    rooms_json_lit(b, ",\"rooms\":");
    ngx_rooms_offboard_count(b, off[NGX_ROOMS_OFFBOARD_ROOMS]);
    rooms_json_lit(b, ",\"messages\":");
    ngx_rooms_offboard_count(b, off[NGX_ROOMS_OFFBOARD_MESSAGES]);
    rooms_json_lit(b, ",\"reactions\":");
    ngx_rooms_offboard_count(b, off[NGX_ROOMS_OFFBOARD_REACTIONS]);
    rooms_json_lit(b, ",\"media\":");
    ngx_rooms_offboard_count(b, off[NGX_ROOMS_OFFBOARD_MEDIA]);
    rooms_json_lit(b, ",\"skipped\":");
    ngx_rooms_offboard_count(b, off[NGX_ROOMS_OFFBOARD_SKIPPED]);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
