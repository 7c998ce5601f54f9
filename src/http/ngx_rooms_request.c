/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A request's state, created on first use and freed with its pool; and its
 * errors.
 */

#include "ngx_rooms_request.h"
#include "ngx_rooms_hold.h"
#include "ngx_rooms_status.h"


static u_char *ngx_rooms_req_log(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len);
#if (NGX_ROOMS_LOG_EXT)
static u_char *ngx_rooms_req_log_ext(ngx_log_t *log, u_char *buf,
    u_char *last, void *data);
#endif
static void ngx_rooms_req_again(ngx_http_request_t *r);
static void ngx_rooms_req_cleanup(void *data);


ngx_int_t
ngx_rooms_handler(ngx_http_request_t *r)
{
    ngx_rooms_req_t  *rq;

    if (ngx_http_get_module_ctx(r, ngx_rooms_module)) {
        ngx_rooms_req_again(r);
    }

    rq = ngx_rooms_req(r);
    if (rq == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rq->endpoint == NULL && rq->allow.len == 0
        && rq->conf->fallback.len)
    {
        return ngx_http_named_location(r, &rq->conf->fallback);
    }

    /* a reference of ours, until the answer is finalized */

    r->main->count++;

    ngx_rooms_run(rq);

    return NGX_DONE;
}


ngx_rooms_req_t *
ngx_rooms_req(ngx_http_request_t *r)
{
    ngx_time_t          *tp;
    ngx_rooms_req_t     *rq;
    ngx_pool_cleanup_t  *cln;

    rq = ngx_http_get_module_ctx(r, ngx_rooms_module);
    if (rq) {
        return rq;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    /*
     * not from the pool: it would take a new block, and leave most of it
     * empty
     */

    rq = ngx_calloc(sizeof(ngx_rooms_req_t), r->connection->log);
    if (rq == NULL) {
        return NULL;
    }

    cln->data = rq;
    cln->handler = ngx_rooms_req_cleanup;
    ngx_rooms_hold();

    rq->r = r;
    rq->pool = r->pool;
    rq->conf = ngx_http_get_module_loc_conf(r, ngx_rooms_module);
    ngx_queue_init(&rq->batches);

    rq->timer.handler = ngx_rooms_send_timeout;
    rq->timer.data = rq;
    rq->timer.log = r->connection->log;

    tp = ngx_timeofday();
    rq->now = (int64_t) tp->sec * 1000 + tp->msec;
    rq->started = ngx_current_msec;
    rq->began = ngx_rooms_usec();

    ngx_rooms_out_init(&rq->out, r->pool);

    ngx_http_set_ctx(r, rq, ngx_rooms_module);

    /* each answer and each log line has the id */

    (void) ngx_rooms_request_id(r);

    if (r == r->main) {
#if (NGX_ROOMS_LOG_EXT)
        r->log_handler = ngx_rooms_req_log_ext;
#else
        r->log_handler = ngx_rooms_req_log;
#endif
    }

    ngx_rooms_route(rq);

    return rq;
}


/* Whether `size` bytes fit into the pool without a new block. */
static ngx_uint_t
ngx_rooms_pool_has(ngx_pool_t *pool, size_t size)
{
    u_char      *m;
    ngx_pool_t  *p;

    if (size > pool->max) {
        return 0;
    }

    for (p = pool->current; p; p = p->d.next) {
        m = ngx_align_ptr(p->d.last, NGX_ALIGNMENT);

        if (m < p->d.end && (size_t) (p->d.end - m) >= size) {
            return 1;
        }
    }

    return 0;
}


ngx_rooms_req_t *
ngx_rooms_req_trim(ngx_rooms_req_t *rq)
{
    size_t               size;
    ngx_uint_t           pooled;
    ngx_rooms_req_t     *trimmed;
    ngx_pool_cleanup_t  *cln;

    for (cln = rq->r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_rooms_req_cleanup && cln->data == rq) {
            break;
        }
    }

    if (cln == NULL || rq->batch || !ngx_queue_empty(&rq->batches)
        || rq->timer.timer_set || rq->work || rq->idem_timer.timer_set)
    {
        return rq;
    }

    /* a block of NGINX's usual size still has room for this */

    size = offsetof(ngx_rooms_req_t, profile);
    pooled = ngx_rooms_pool_has(rq->r->pool, size);

    trimmed = pooled ? ngx_palloc(rq->r->pool, size)
                     : ngx_alloc(size, ngx_cycle->log);
    if (trimmed == NULL) {
        return rq;
    }

    ngx_memcpy(trimmed, rq, size);
    trimmed->pooled = pooled;
    ngx_queue_init(&trimmed->batches);
    trimmed->timer.data = trimmed;
    ngx_rooms_out_init(&trimmed->out, trimmed->pool);

    cln->data = trimmed;
    ngx_http_set_ctx(trimmed->r, trimmed, ngx_rooms_module);
    ngx_free(rq);

    return trimmed;
}


/*
 * What the error log says about a request: as NGINX does it, but without the
 * query, which may hold a ticket or a link's signature, and with the request
 * id that the client gets.
 */
static u_char *
ngx_rooms_req_log(ngx_http_request_t *r, ngx_http_request_t *sr, u_char *buf,
    size_t len)
{
    u_char                     *p, *query;
    ngx_str_t                   uri;
    ngx_http_core_srv_conf_t   *cscf;
    ngx_rooms_main_conf_t      *rmcf;
    ngx_http_variable_value_t  *id;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    rmcf = ngx_http_get_module_main_conf(r, ngx_rooms_module);

    uri = r->unparsed_uri;
    query = uri.len ? ngx_strlchr(uri.data, uri.data + uri.len, '?') : NULL;

    if (query) {
        uri.len = query - uri.data;
    }

    p = ngx_snprintf(buf, len, ", server: %V, request: \"%V %V\"",
                     &cscf->server_name, &r->method_name, &uri);
    len -= p - buf;
    buf = p;

    if (r != sr) {
        p = ngx_snprintf(buf, len, ", subrequest: \"%V\"", &sr->uri);
        len -= p - buf;
        buf = p;
    }

    if (r->headers_in.host) {
        p = ngx_snprintf(buf, len, ", host: \"%V\"",
                         &r->headers_in.host->value);
        len -= p - buf;
        buf = p;
    }

    id = r->variables ? &r->variables[rmcf->request_id] : NULL;

    return id && id->valid ? ngx_snprintf(buf, len, ", request_id: %*s",
                                          (size_t) id->len, id->data)
                           : buf;
}


#if (NGX_ROOMS_LOG_EXT)

static u_char *
ngx_rooms_req_log_ext(ngx_log_t *log, u_char *buf, u_char *last, void *data)
{
    ngx_http_log_ctx_t *ctx = data;

    return ngx_rooms_req_log(ctx->request, ctx->current_request, buf,
                             last - buf);
}

#endif


/*
 * A variable created the state in an earlier phase.  Since then a rewrite may
 * have changed the path, or the location.
 */
static void
ngx_rooms_req_again(ngx_http_request_t *r)
{
    ngx_rooms_req_t       *rq;
    ngx_rooms_loc_conf_t  *rlcf;

    rq = ngx_http_get_module_ctx(r, ngx_rooms_module);
    rlcf = ngx_http_get_module_loc_conf(r, ngx_rooms_module);

    if (rq->conf != rlcf) {
        rq->conf = rlcf;
        rq->authenticated = 0;
        rq->refusal = 0;
        rq->undecided = 0;
    }

    rq->endpoint = NULL;
    rq->allow.len = 0;

    ngx_rooms_route(rq);
}


static void
ngx_rooms_req_cleanup(void *data)
{
    ngx_rooms_req_t  *rq = data;

    if (rq->timer.timer_set) {
        ngx_del_timer(&rq->timer);
    }

    if (rq->timer.posted) {
        ngx_delete_posted_event(&rq->timer);
    }

    /* if the request was cut off */
    ngx_rooms_claim_release(rq);

    ngx_rooms_forget(rq);

    if (rq->work) {
        ngx_rooms_work_free(rq->work);
    }

    json_decref(rq->body);
    ngx_rooms_status_doing(rq, NGX_ROOMS_GAUGE_NONE);
    ngx_rooms_release();

    if (!rq->pooled) {
        ngx_free(rq);
    }
}


ngx_int_t
ngx_rooms_fail(ngx_rooms_req_t *rq, ngx_uint_t code, const char *message)
{
    rq->error = code;
    rq->message = message ? rooms_cstr(message) : ROOMS_NULL;

    return NGX_ERROR;
}


ngx_int_t
ngx_rooms_full(ngx_rooms_req_t *rq, ngx_rooms_quota_e quota)
{
    static const char  *messages[NGX_ROOMS_QUOTAS] = {
        [NGX_ROOMS_QUOTA_ROOMS] = "the tenant can't have more rooms",
        [NGX_ROOMS_QUOTA_PEOPLE] = "the tenant can't have more participants",
        [NGX_ROOMS_QUOTA_MEDIA] = "the tenant can't have more media",
        [NGX_ROOMS_QUOTA_KEYS] =
            "the tenant has used too many Idempotency-Keys within a day"
    };

    /* the field's name means something only in our own envelope */

    if (rq->endpoint->envelope == NULL) {
        rq->error_field = rooms_cstr(ngx_rooms_quota_name(quota));
        rq->error_problem = ngx_rooms_s("is reached");
    }

    return ngx_rooms_fail(rq, ROOMS_E_TENANT_CAPACITY, messages[quota]);
}


ngx_int_t
ngx_rooms_invalid(ngx_rooms_req_t *rq, const char *field, const char *problem)
{
    rq->error_field = ngx_rooms_dup(rq->pool, rooms_cstr(field));
    rq->error_problem = ngx_rooms_dup(rq->pool, rooms_cstr(problem));

    return ngx_rooms_fail(rq, ROOMS_E_VALIDATION, NULL);
}


/*
 * Ids that a worker makes in one millisecond are in order, too: the first two
 * random bytes count on from the id before.  Eight stay random.  The count
 * begins in the lower half, so 32,768 ids fit into a millisecond.
 */

rooms_str_t
ngx_rooms_id(ngx_rooms_req_t *rq, const char *prefix)
{
    u_char        random[10], *p;
    rooms_str_t   id;

    static int64_t   ms;
    static unsigned  count;

    p = ngx_pnalloc(rq->pool, ROOMS_ID_MAX);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    ngx_rooms_random(random, sizeof(random));

    count = (rq->now == ms) ? count + 1
                            : (random[0] & 0x7fu) << 8 | random[1];
    ms = rq->now;

    random[0] = (u_char) (count >> 8);
    random[1] = (u_char) count;

    id.data = p;
    id.len = rooms_id_make(prefix, rq->now, random, p);

    return id;
}
