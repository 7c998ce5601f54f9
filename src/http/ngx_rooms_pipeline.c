/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The pipeline: one state machine for every endpoint.
 *
 *   auth -> body -> register -> take -> claim -> names
 *                                                  |
 *               +----------------------------------+
 *               v
 *              load -> decide -> commit -> show
 *               ^                  |
 *               +--- a guard broke +
 */

#include "ngx_rooms_request.h"
#include "ngx_rooms_cache.h"
#include "ngx_rooms_cors.h"
#include "ngx_rooms_status.h"


static ngx_int_t ngx_rooms_start(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_auth_step(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_enter_step(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_take(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_load(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_decide_step(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_commit_step(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_commit_send(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_show(ngx_rooms_req_t *rq);


static const ngx_rooms_step_pt  ngx_rooms_steps[] = {
    [NGX_ROOMS_START] = ngx_rooms_start,
    [NGX_ROOMS_AUTH] = ngx_rooms_auth_step,
    [NGX_ROOMS_READ_BODY] = ngx_rooms_body_read,
    [NGX_ROOMS_REGISTER] = ngx_rooms_enter_step,
    [NGX_ROOMS_TAKE] = ngx_rooms_take,
    [NGX_ROOMS_CLAIM] = ngx_rooms_claim,
    [NGX_ROOMS_NAMES] = ngx_rooms_names,
    [NGX_ROOMS_LOAD] = ngx_rooms_load,
    [NGX_ROOMS_DECIDE] = ngx_rooms_decide_step,
    [NGX_ROOMS_COMMIT] = ngx_rooms_commit_step,
    [NGX_ROOMS_SHOW] = ngx_rooms_show
};


/* The request begins again, as if it hadn't been refused. */
static void
ngx_rooms_forgive(ngx_rooms_req_t *rq)
{
    rq->error = ROOMS_OK;
    rq->message = ROOMS_NULL;
    rq->error_field = ROOMS_NULL;
    rq->error_problem = ROOMS_NULL;
    rq->retry_after = 0;
}


void
ngx_rooms_run(ngx_rooms_req_t *rq)
{
    ngx_int_t  rc;

    for ( ;; ) {
        rc = ngx_rooms_steps[rq->state](rq);

        if (rc == NGX_ERROR && rq->unclaimed && rq->state < NGX_ROOMS_COMMIT) {
            /* a refusal: unless the key has an answer */
            ngx_rooms_forgive(rq);
            rq->reclaim = 1;
            rc = NGX_DECLINED;
        }

        if (rc == NGX_ERROR && rq->on_error) {
            rc = rq->on_error(rq);
        }

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_rooms_respond_error(rq);
            return;
        }

        rq->round = 0;

        if (rc == NGX_DECLINED) {
            /* the decision is outdated: load and decide again */
            rq->state = rq->reenter ? NGX_ROOMS_REGISTER
                        : rq->reclaim ? NGX_ROOMS_CLAIM : NGX_ROOMS_LOAD;
            rq->reclaim = 0;
            continue;
        }

        if (++rq->state == NGX_ROOMS_DONE) {
            (rq->answer ? rq->answer : ngx_rooms_respond)(rq);
            return;
        }
    }
}


/*
 * Whether another server asks in an unknown version of the federation
 * protocol.
 */
static ngx_uint_t
ngx_rooms_start_version(ngx_rooms_req_t *rq)
{
    ngx_str_t  *uri;

    static ngx_str_t  any = ngx_string("/_scaiwave/federation/v");
    static ngx_str_t  ours = ngx_string("/_scaiwave/federation/v1/");

    uri = &rq->r->uri;

    return rq->endpoint == NULL && rq->conf->federation
           && uri->len > any.len
           && ngx_strncmp(uri->data, any.data, any.len) == 0
           && uri->data[any.len] >= '0' && uri->data[any.len] <= '9'
           && (uri->len < ours.len
               || ngx_strncmp(uri->data, ours.data, ours.len) != 0);
}


/* Unknown paths and methods are only reported after the token is checked. */
static ngx_int_t
ngx_rooms_start(ngx_rooms_req_t *rq)
{
    rq->in.now = rq->now;
    rq->error = ROOMS_OK;
    rq->op = rq->endpoint ? rq->endpoint->op : ROOMS_OP_READ;

    if (ngx_rooms_start_version(rq)) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_VERSION,
                              "this server speaks \"v1\"");
    }

    return rq->r->method == NGX_HTTP_OPTIONS ? ngx_rooms_cors_options(rq)
                                             : NGX_OK;
}


static ngx_int_t
ngx_rooms_auth_step(ngx_rooms_req_t *rq)
{
    if (rq->endpoint && rq->endpoint->envelope) {
        return rq->endpoint->envelope->authenticate(rq);
    }

    return ngx_rooms_hooks.authenticate(rq);
}


/* Entering again leads back to where that turned out to be necessary. */
static ngx_int_t
ngx_rooms_enter_step(ngx_rooms_req_t *rq)
{
    ngx_int_t  rc;

    rc = rq->endpoint->envelope ? NGX_OK : ngx_rooms_hooks.enter(rq);

    if (rc == NGX_OK && rq->reenter) {
        rq->reenter = 0;
        return NGX_DECLINED;
    }

    return rc;
}


static ngx_int_t
ngx_rooms_take(ngx_rooms_req_t *rq)
{
    return rq->endpoint->take ? rq->endpoint->take(rq) : NGX_OK;
}


static ngx_int_t
ngx_rooms_load(ngx_rooms_req_t *rq)
{
    if (rq->endpoint->load == NULL) {
        return NGX_OK;
    }

    return rq->endpoint->load(rq);
}


static ngx_int_t
ngx_rooms_decide_step(ngx_rooms_req_t *rq)
{
    ngx_int_t  rc;

    /* undo an earlier decision whose commit failed */

    rq->committing = 0;
    rq->status = 0;
    rq->location = ROOMS_NULL;

    rc = rq->endpoint->decide ? rq->endpoint->decide(rq) : NGX_OK;

    return rc == NGX_OK && rq->enclosing && rq->committing
           ? rq->enclosing->decide(rq) : rc;
}


ngx_int_t
ngx_rooms_begin(ngx_rooms_req_t *rq)
{
    rq->committing = 1;

    ngx_rooms_random_hex(rq->random, sizeof(rq->random));

    if (ngx_rooms_commit_init(&rq->commit, rq->pool, &rq->keys) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * Guards that the caller is active: what the worker knows about its
     * callers may be half a minute old.
     */

    if (rq->enclosing == NULL && rq->endpoint->envelope == NULL
        && !(rq->endpoint->flags & (NGX_ROOMS_OPEN|NGX_ROOMS_PEER)))
    {
        ngx_rooms_apply_active(&rq->commit, &rq->keys, rq->principal.sub);
        rq->commit.actor = rq->principal.sub;
        rq->commit.active = rq->commit.nguards;
    }

    if (rq->remembered && (rq->endpoint->flags & NGX_ROOMS_JOINS)) {
        ngx_rooms_apply_participant(&rq->commit, &rq->keys, rq->principal.sub);
        rq->commit.entered = rq->commit.nguards;
    }

    rq->commit.quotas = rq->conf->quotas;

    if (rq->conf->federation) {
        rq->commit.server = rooms_from_ngx(rq->conf->server_name);
        rq->commit.source_id = rq->source_id;
        rq->commit.source_server = rq->source_server;
        rq->commit.source_at = rq->source_at;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_commit_step(ngx_rooms_req_t *rq)
{
    ngx_rooms_quota_e   quota;
    ngx_rooms_commit_e  result;

    if (rq->paused) {
        rq->paused = 0;
        return NGX_DECLINED;
    }

    if (rq->round == 0) {

        if (rq->idem_claim.data && ngx_rooms_claim_record(rq) != NGX_OK) {
            return NGX_ERROR;
        }

        if (!rq->committing) {
            return NGX_OK;
        }

        rq->resolving = 0;
        rq->round = 1;

        return ngx_rooms_commit_send(rq);
    }

    if (rq->batch->status == NGX_ROOMS_BATCH_LOST) {

        if (rq->resolving) {
            return ngx_rooms_fail_store(rq, NGX_ROOMS_BATCH_LOST);
        }

        rq->resolving = 1;
        return ngx_rooms_commit_send(rq);
    }

    if (rq->resolving) {
        result = ngx_rooms_commit_resolved(rq->batch, &rq->position);
        rq->resolving = 0;

    } else {
        result = ngx_rooms_commit_result(rq->batch, &rq->position,
                                         rq->r->connection->log);
    }

    switch (result) {

    case NGX_ROOMS_COMMIT_DONE:
        rq->partly = 1;

        ngx_rooms_commit_took(&rq->commit, rq->batch);
        ngx_rooms_cache_changed(rq->conf->store, &rq->keys, &rq->commit.keys);

        if (rq->commit.posts) {
            ngx_rooms_hooks.posted(rq->conf);
        }

        /* the change is made, but too few replicas have it */

        return ngx_rooms_is_sure(rq) ? NGX_OK
               : ngx_rooms_fail_store(rq, NGX_ROOMS_BATCH_LOST);

    case NGX_ROOMS_COMMIT_CONFLICT:
        ngx_rooms_status_conflict();

        if (rq->commit.active
            && rq->position == (int64_t) rq->commit.active)
        {
            return ngx_rooms_fail(rq, NGX_ROOMS_E_DEACTIVATED, NULL);
        }

        if (rq->commit.entered
            && rq->position == (int64_t) rq->commit.entered)
        {
            rq->reenter = 1;
            return NGX_DECLINED;
        }

        quota = ngx_rooms_commit_exceeds(&rq->commit, rq->position);

        if (quota != NGX_ROOMS_QUOTAS) {
            return ngx_rooms_full(rq, quota);
        }

        rq->reclaim = rq->idem_claim.data
                      && rq->position == (int64_t) rq->idem_guard;

        if (++rq->races >= NGX_ROOMS_RACES) {
            return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT, NULL);
        }

        if (rq->races < NGX_ROOMS_RACES_HOT) {
            return NGX_DECLINED;
        }

        /* many want the same: wait for a random time */

        return ngx_rooms_pause(rq, 1 + ngx_random()
                               % ((ngx_uint_t) 1 << ngx_min(rq->races, 6)));

    default:
        return ngx_rooms_fail(rq, NGX_ROOMS_E_INTERNAL, NULL);
    }
}


static ngx_int_t
ngx_rooms_commit_send(ngx_rooms_req_t *rq)
{
    ngx_int_t           rc;
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (rq->resolving) {
        rc = ngx_rooms_commit_build_resolve(&rq->commit, b);

        if (rc == NGX_DECLINED) {
            return ngx_rooms_fail_store(rq, NGX_ROOMS_BATCH_LOST);
        }

    } else {
        rc = ngx_rooms_commit_build(&rq->commit, b, &rq->keys, 0);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_sure(rq);
}


static ngx_int_t
ngx_rooms_show(ngx_rooms_req_t *rq)
{
    ngx_int_t  rc;

    if (rq->round) {
        return ngx_rooms_authors_take(rq);
    }

    /* the commit has recorded the answer */

    if (rq->idem_claim.data) {
        return ngx_rooms_claim_answer(rq);
    }

    rc = rq->enclosing ? rq->enclosing->show(rq) : rq->endpoint->show(rq);

    if (rc != NGX_OK || rq->out.imported == NULL) {
        return rc;
    }

    rq->round = 1;

    return ngx_rooms_authors_ask(rq);
}
