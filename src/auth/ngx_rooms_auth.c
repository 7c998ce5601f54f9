/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Turns a request into a principal.  Verified tokens are cached, so that a
 * signature is checked once and not with each request.
 */

#include "ngx_rooms_auth.h"
#include "ngx_rooms_jwks.h"
#include "ngx_rooms_ticket.h"
#include "ngx_rooms_cors.h"
#include <sodium.h>


/*
 * 8192 sets of 4: even 10,000 active callers seldom displace each other.  A
 * cached token takes about 200 bytes, at most about 1 KiB.
 */
#define NGX_ROOMS_TOKENS    8192
#define NGX_ROOMS_WAYS         4

typedef struct {
    u_char              hash[32];
    ngx_rooms_auth_t   *auth;              /* NULL: empty */
    ngx_uint_t          generation;
    time_t              used;
    int64_t             exp;
    int64_t             iat;
    unsigned            admin:1;
    uint16_t            sub;               /* lengths in data, in order */
    uint16_t            tenant;
    uint16_t            name;
    uint16_t            local;
    u_char             *data;
} ngx_rooms_token_t;

static ngx_rooms_token_t  ngx_rooms_tokens[NGX_ROOMS_TOKENS * NGX_ROOMS_WAYS];


ngx_int_t
ngx_rooms_auth_init_module(void)
{
    return rooms_jwt_init() == 0 ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_rooms_auth_init_worker(void)
{
    ngx_uint_t  i;

    /*
     * a process without a master may still hold those of the old
     * configuration
     */

    for (i = 0; i < NGX_ROOMS_TOKENS * NGX_ROOMS_WAYS; i++) {
        if (ngx_rooms_tokens[i].auth) {
            ngx_rooms_tokens[i].auth = NULL;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_rooms_str_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}


static void
ngx_rooms_auth_cleanup(void *data)
{
    ngx_rooms_auth_t *auth = data;

    ngx_uint_t  i;

    for (i = 0; i < NGX_ROOMS_SETS; i++) {
        rooms_jwks_free((rooms_jwks_t *) auth->sets[i]);
    }
}


char *
ngx_rooms_auth_check_file(ngx_conf_t *cf, ngx_str_t *path, ngx_uint_t secret)
{
    char              passed[NGX_ROOMS_JWKS_TEXT];
    ngx_uint_t        set;
    ngx_rooms_auth_t  auth;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&auth, sizeof(ngx_rooms_auth_t));

    set = secret ? NGX_ROOMS_SET_SECRET : NGX_ROOMS_SET_FILE;
    auth.files[set].path = *path;

    if (ngx_rooms_jwks_load(&auth, set, cf->log, NGX_LOG_EMERG, passed)
        != NGX_OK)
    {
        return "names a file without usable keys";
    }

    if (*passed) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "unusable keys of \"%V\" are skipped: "
                           "%s", path, passed);
    }

    ngx_rooms_auth_cleanup(&auth);

    return NGX_CONF_OK;
}


/* Locations of one server{} with the same settings share their keys. */
static ngx_rooms_auth_t *
ngx_rooms_auth_find(ngx_array_t *all, void *server,
    ngx_rooms_loc_conf_t *conf)
{
    ngx_uint_t          i;
    ngx_rooms_auth_t   *auth, **auths;

    auths = all->elts;

    for (i = 0; i < all->nelts; i++) {
        auth = auths[i];

        if (auth->server == server
            && auth->mode == conf->auth_mode && auth->leeway == conf->leeway
            && ngx_rooms_str_same(&auth->issuer, &conf->issuer)
            && ngx_rooms_str_same(&auth->audience, &conf->audience)
            && ngx_rooms_str_same(&auth->tenant, &conf->tenant)
            && ngx_rooms_str_same(&auth->request, &conf->jwks_request)
            && ngx_rooms_str_same(&auth->files[0].path, &conf->jwks_file)
            && ngx_rooms_str_same(&auth->files[1].path, &conf->secret_file)
            && auth->admins.word == conf->admins.word
            && ngx_memcmp(auth->claims, conf->claims, sizeof(conf->claims))
               == 0)
        {
            return auth;
        }
    }

    return NULL;
}


ngx_rooms_auth_t *
ngx_rooms_auth_create(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf)
{
    char                     passed[NGX_ROOMS_JWKS_TEXT];
    void                    *server;
    ngx_uint_t               i;
    ngx_rooms_auth_t        *auth, **added;
    ngx_pool_cleanup_t      *cln;
    ngx_rooms_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_rooms_module);
    server = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    auth = ngx_rooms_auth_find(&rmcf->auths, server, conf);
    if (auth) {
        return auth;
    }

    if (conf->auth_mode != NGX_ROOMS_AUTH_MOCK
        && conf->jwks_file.len + conf->jwks_request.len
           + conf->secret_file.len == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "rooms_auth \"%s\" needs rooms_auth_jwks_file, "
                           "rooms_auth_jwks_request or "
                           "rooms_auth_secret_file",
                           conf->auth_mode == NGX_ROOMS_AUTH_JWT ? "jwt"
                                                                 : "hybrid");
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_rooms_auth_t));
    if (cln == NULL) {
        return NULL;
    }

    auth = cln->data;
    ngx_memzero(auth, sizeof(ngx_rooms_auth_t));
    cln->handler = ngx_rooms_auth_cleanup;

    added = ngx_array_push(&rmcf->auths);
    if (added == NULL) {
        return NULL;
    }

    *added = auth;

    auth->server = server;
    auth->mode = conf->auth_mode;
    auth->tenant = conf->tenant;
    auth->admins = conf->admins;
    ngx_memcpy(auth->claims, conf->claims, sizeof(conf->claims));
    auth->issuer = conf->issuer;
    auth->audience = conf->audience;
    auth->leeway = conf->leeway;
    auth->request = conf->jwks_request;
    auth->files[NGX_ROOMS_SET_FILE].path = conf->jwks_file;
    auth->files[NGX_ROOMS_SET_SECRET].path = conf->secret_file;
    ngx_queue_init(&auth->waiters);

    if (auth->mode == NGX_ROOMS_AUTH_MOCK) {
        return auth;
    }

    for (i = 0; i < 2; i++) {

        if (auth->files[i].path.len
            && ngx_rooms_jwks_load(auth, i, cf->log, NGX_LOG_EMERG, passed)
               != NGX_OK)
        {
            return NULL;
        }
    }

    return auth;
}


/* The token cache */


static ngx_rooms_token_t *
ngx_rooms_token_set(const u_char *hash)
{
    return &ngx_rooms_tokens[((hash[0] << 8 | hash[1]) % NGX_ROOMS_TOKENS)
                             * NGX_ROOMS_WAYS];
}


static ngx_int_t
ngx_rooms_token_find(ngx_rooms_req_t *rq, const u_char *hash)
{
    u_char             *p;
    size_t              len;
    ngx_uint_t          i;
    rooms_principal_t  *who;
    ngx_rooms_auth_t   *auth;
    ngx_rooms_token_t  *t;

    t = ngx_rooms_token_set(hash);
    auth = rq->conf->auth;

    for (i = 0; i < NGX_ROOMS_WAYS; i++, t++) {

        if (t->auth != auth || ngx_memcmp(t->hash, hash, 32) != 0) {
            continue;
        }

        if (t->generation != auth->generation || t->exp <= ngx_time()) {
            t->auth = NULL;
            return NGX_DECLINED;
        }

        len = t->sub + t->tenant + t->name + t->local;

        p = ngx_pnalloc(rq->pool, len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, t->data, len);

        who = &rq->principal;
        who->sub = (rooms_str_t) { t->sub, p };
        who->tenant = (rooms_str_t) { t->tenant, p += t->sub };
        p += t->tenant;
        who->name = t->name ? (rooms_str_t) { t->name, p } : ROOMS_NULL;
        p += t->name;
        who->local = t->local ? (rooms_str_t) { t->local, p } : ROOMS_NULL;
        who->admin = t->admin;
        who->exp = t->exp;
        who->iat = t->iat;

        t->used = ngx_rooms_uptime();

        return NGX_OK;
    }

    return NGX_DECLINED;
}


void
ngx_rooms_auth_exit_worker(void)
{
    ngx_uint_t          i;
    ngx_rooms_token_t  *t;

    for (i = 0; i < NGX_ROOMS_TOKENS * NGX_ROOMS_WAYS; i++) {
        t = &ngx_rooms_tokens[i];

        if (t->data) {
            ngx_free(t->data);
            t->data = NULL;
            t->auth = NULL;
        }
    }
}


static void
ngx_rooms_token_keep(ngx_rooms_req_t *rq, const u_char *hash)
{
    u_char             *p, *data;
    ngx_uint_t          i;
    rooms_principal_t  *who;
    ngx_rooms_token_t  *t, *set;

    who = &rq->principal;
    t = ngx_rooms_token_set(hash);

    data = ngx_alloc(who->sub.len + who->tenant.len + who->name.len
                     + who->local.len, rq->r->connection->log);
    if (data == NULL) {
        return;
    }

    /* replaces the token that was used longest ago */

    for (set = t, i = 1; i < NGX_ROOMS_WAYS; i++) {

        if (t->auth && (set[i].auth == NULL || set[i].used < t->used)) {
            t = &set[i];
        }
    }

    ngx_memcpy(t->hash, hash, 32);
    t->auth = rq->conf->auth;
    t->generation = t->auth->generation;
    t->used = ngx_rooms_uptime();
    t->exp = who->exp;
    t->iat = who->iat;
    t->admin = who->admin;
    t->sub = who->sub.len;
    t->tenant = who->tenant.len;
    t->name = who->name.len;
    t->local = who->local.len;

    if (t->data) {
        ngx_free(t->data);
    }

    t->data = data;

    p = ngx_cpymem(data, who->sub.data, t->sub);
    p = ngx_cpymem(p, who->tenant.data, t->tenant);

    if (t->name) {
        p = ngx_cpymem(p, who->name.data, t->name);
    }

    if (t->local) {
        ngx_memcpy(p, who->local.data, t->local);
    }
}


/* "Bearer" and a token, RFC 6750, section 2.1 */
static rooms_str_t
ngx_rooms_bearer(ngx_http_request_t *r)
{
    rooms_str_t   token;
    ngx_str_t     value;

    if (r->headers_in.authorization == NULL) {
        return ROOMS_NULL;
    }

    value = r->headers_in.authorization->value;

    if (value.len < sizeof("Bearer ")
        || ngx_strncasecmp(value.data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1) != 0)
    {
        return ROOMS_NULL;
    }

    token.data = value.data + sizeof("Bearer ") - 1;
    token.len = value.len - (sizeof("Bearer ") - 1);

    while (token.len && *token.data == ' ') {
        token.data++;
        token.len--;
    }

    return token.len ? token : ROOMS_NULL;
}


/* Stores the refusal, so that it is logged only once. */
static ngx_int_t
ngx_rooms_auth_refuse(ngx_rooms_req_t *rq, ngx_uint_t error, const char *why)
{
    rq->refusal = error;
    rq->refusal_why = why;

    if (why && error != NGX_ROOMS_E_AUTH_EXPIRED) {
        ngx_log_error(NGX_LOG_INFO, rq->r->connection->log, 0,
                      "rooms: token refused: %s", why);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_rooms_auth_result(ngx_rooms_req_t *rq, rooms_jwt_e result,
    const char *why)
{
    ngx_str_t  *pinned;

    switch (result) {

    case ROOMS_JWT_OK:
        break;

    case ROOMS_JWT_EXPIRED:
        return ngx_rooms_auth_refuse(rq, NGX_ROOMS_E_AUTH_EXPIRED, why);

    default:
        return ngx_rooms_auth_refuse(rq, NGX_ROOMS_E_AUTH_INVALID,
                                     why ? why : "invalid");
    }

    pinned = &rq->conf->tenant;

    if (pinned->len
        && !rooms_str_eq(rooms_from_ngx(*pinned), rq->principal.tenant))
    {
        return ngx_rooms_auth_refuse(rq, NGX_ROOMS_E_AUTH_TENANT, NULL);
    }

    rq->authenticated = 1;

    return NGX_OK;
}


/* Undecided until the keys change. */
static ngx_int_t
ngx_rooms_auth_undecided(ngx_rooms_req_t *rq, const char *why)
{
    rq->undecided = rq->conf->auth->generation + 1;
    rq->refusal_why = why;

    return NGX_AGAIN;
}


/*
 * Copies the principal's few strings out of the large work buffer and frees
 * it, so that a request that waits long doesn't hold it.
 */
static ngx_int_t
ngx_rooms_auth_settle(ngx_rooms_req_t *rq, u_char *buf)
{
    u_char        *p;
    ngx_uint_t     i;
    rooms_str_t   *strings[4];

    strings[0] = &rq->principal.sub;
    strings[1] = &rq->principal.tenant;
    strings[2] = &rq->principal.name;
    strings[3] = &rq->principal.local;

    p = ngx_pnalloc(rq->pool, strings[0]->len + strings[1]->len
                              + strings[2]->len + strings[3]->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < 4; i++) {

        if (strings[i]->data) {
            ngx_memcpy(p, strings[i]->data, strings[i]->len);
            strings[i]->data = p;
            p += strings[i]->len;
        }
    }

    (void) ngx_pfree(rq->pool, buf);

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_auth_jwt(ngx_rooms_req_t *rq, rooms_str_t token)
{
    u_char              hash[32], *buf;
    ngx_int_t           rc;
    rooms_jwt_e         result;
    const char         *why;
    ngx_rooms_auth_t   *auth;
    rooms_jwt_check_t   check;

    auth = rq->conf->auth;
    why = NULL;

    ngx_rooms_jwks_refresh_files(auth, rq->r->connection->log);

    (void) crypto_generichash(hash, sizeof(hash), token.data, token.len,
                              (u_char *) &auth, sizeof(auth));

    rc = ngx_rooms_token_find(rq, hash);

    if (rc != NGX_DECLINED) {
        return rc == NGX_OK ? ngx_rooms_auth_result(rq, ROOMS_JWT_OK, NULL)
                            : NGX_ERROR;
    }

    buf = ngx_palloc(rq->pool, ROOMS_JWT_BUF);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&check, sizeof(check));
    check.sets = auth->sets;
    check.nsets = NGX_ROOMS_SETS;
    check.issuer = auth->issuer.len ? rooms_from_ngx(auth->issuer)
                                    : ROOMS_NULL;
    check.audience = auth->audience.len ? rooms_from_ngx(auth->audience)
                                        : ROOMS_NULL;
    check.leeway = auth->leeway;
    check.now = ngx_time();
    check.admins = auth->admins;
    check.tenant = auth->tenant.len ? rooms_from_ngx(auth->tenant)
                                    : ROOMS_NULL;
    ngx_memcpy(check.claims, auth->claims, sizeof(check.claims));

    result = rooms_jwt_verify(token, &check, &rq->principal, buf,
                              ROOMS_JWT_BUF, &why);

    if (result == ROOMS_JWT_OK) {
        ngx_rooms_token_keep(rq, hash);

        if (ngx_rooms_auth_settle(rq, buf) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (result == ROOMS_JWT_UNKNOWN_KID
               || (auth->request.len
                   && auth->sets[NGX_ROOMS_SET_REMOTE] == NULL
                   && rooms_jwt_looks_like(token)))
    {
        /* the key may be in the remote set, which we don't have yet */
        return ngx_rooms_auth_undecided(rq, why);
    }

    return ngx_rooms_auth_result(rq, result, why);
}


/*
 * Finds the credential: the header; else a ticket or link in the query, if
 * the row accepts one; else the token where the operator says it is.  NGX_OK:
 * *token is the token, or NULL if a ticket or link has already set the
 * principal.
 */
static ngx_int_t
ngx_rooms_credential(ngx_rooms_req_t *rq, rooms_str_t *token)
{
    ngx_int_t     rc;
    ngx_uint_t    link;
    rooms_jwt_e   result;
    const char   *why;

    *token = ngx_rooms_bearer(rq->r);

    if (token->data) {
        return NGX_OK;
    }

    rc = ngx_rooms_ticket_take(rq, &result, &why, &link);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        return link && result != ROOMS_JWT_OK
               ? ngx_rooms_auth_refuse(rq, NGX_ROOMS_E_LINK, why)
               : ngx_rooms_auth_result(rq, result, why);
    }

    *token = ngx_rooms_ticket_token(rq);

    if (token->data) {

        /* a browser sends cookies whichever page makes the request */

        return rq->r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_OPTIONS)
               || ngx_rooms_cors_from_listed(rq)
               ? NGX_OK
               : ngx_rooms_auth_refuse(rq, NGX_ROOMS_E_AUTH_PERMISSION,
                                       "with a token from rooms_auth_token, "
                                       "only pages of an origin in "
                                       "rooms_cors_origin can change "
                                       "anything");
    }

    *token = ngx_rooms_ticket_query_token(rq);

    return token->data ? NGX_OK
                       : ngx_rooms_auth_refuse(rq, NGX_ROOMS_E_AUTH_INVALID,
                                               NULL);
}


static ngx_int_t
ngx_rooms_auth_verify(ngx_rooms_req_t *rq, rooms_str_t token)
{
    u_char       *buf;
    rooms_jwt_e   result;
    const char   *why;

    if (token.len > ROOMS_JWT_MAX) {
        return ngx_rooms_auth_result(rq, ROOMS_JWT_INVALID,
                                     "the token is longer than 8192 bytes");
    }

    if (rq->conf->auth_mode == NGX_ROOMS_AUTH_JWT
        || (rq->conf->auth_mode == NGX_ROOMS_AUTH_HYBRID
            && rooms_jwt_looks_like(token)))
    {
        return ngx_rooms_auth_jwt(rq, token);
    }

    buf = ngx_palloc(rq->pool, ROOMS_JWT_BUF);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    why = NULL;
    result = rooms_mock_principal(token, &rq->principal, buf, ROOMS_JWT_BUF,
                                  &why);

    if (result == ROOMS_JWT_OK && ngx_rooms_auth_settle(rq, buf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_auth_result(rq, result, why);
}


int64_t
ngx_rooms_auth_again(ngx_rooms_req_t *rq, rooms_str_t token, const char **why)
{
    int64_t             exp;
    ngx_int_t           rc;
    ngx_pool_t         *pool;
    rooms_principal_t   before;

    /* this may happen often: use a pool of its own, freed below */

    pool = rq->pool;
    before = rq->principal;
    exp = 0;

    rq->pool = ngx_create_pool(4096, ngx_cycle->log);

    if (rq->pool == NULL) {
        rq->pool = pool;
        *why = "SW_INTERNAL";
        return 0;
    }

    rc = ngx_rooms_auth_verify(rq, token);

    if (rc == NGX_DECLINED) {
        *why = ngx_rooms_error(rq->refusal)->code;

    } else if (rc == NGX_OK && rooms_str_eq(rq->principal.sub, before.sub)
               && rooms_str_eq(rq->principal.tenant, before.tenant))
    {
        exp = rq->principal.exp;

    } else {
        /* another participant, or the keys at hand can't decide it */
        *why = ngx_rooms_error(NGX_ROOMS_E_AUTH_INVALID)->code;
    }

    ngx_destroy_pool(rq->pool);

    rq->pool = pool;
    rq->principal = before;
    rq->refusal = 0;
    rq->undecided = 0;

    return exp;
}


ngx_int_t
ngx_rooms_authenticate_now(ngx_rooms_req_t *rq)
{
    ngx_int_t     rc;
    rooms_str_t   token;

    if (rq->authenticated) {
        return NGX_OK;
    }

    if (rq->refusal) {
        return NGX_DECLINED;
    }

    if (rq->undecided && rq->undecided == rq->conf->auth->generation + 1) {
        return NGX_AGAIN;
    }

    rc = ngx_rooms_credential(rq, &token);

    if (rc != NGX_OK || token.data == NULL) {
        return rc;
    }

    return ngx_rooms_auth_verify(rq, token);
}


ngx_int_t
ngx_rooms_auth_refused(ngx_rooms_req_t *rq, const char *why)
{
    rooms_str_t  message;

    if (why) {
        (void) ngx_rooms_auth_refuse(rq, NGX_ROOMS_E_AUTH_INVALID, why);
    }

    (void) ngx_rooms_fail(rq, rq->refusal, NULL);

    if (rq->refusal == NGX_ROOMS_E_AUTH_INVALID && rq->refusal_why) {
        message = ngx_rooms_join(rq->pool,
                                 ngx_rooms_s("the token is refused: "),
                                 rooms_cstr(rq->refusal_why));
        rq->message = message;
    }

    if (rq->refusal == NGX_ROOMS_E_AUTH_PERMISSION && rq->refusal_why) {
        rq->message = rooms_cstr(rq->refusal_why);
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_rooms_auth_keys(ngx_rooms_req_t *rq)
{
    ngx_int_t          rc;
    ngx_rooms_auth_t  *auth;

    auth = rq->conf->auth;

    /*
     * only once for each request, so that a token can't cause endless fetches
     */

    if (auth->request.len == 0 || rq->round) {
        rc = NGX_DECLINED;

    } else {
        rc = ngx_rooms_jwks_fetch(auth, rq->r);
    }

    if (rc == NGX_OK) {
        rq->round = 1;
        return ngx_rooms_jwks_wait(auth, rq);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (auth->request.len && auth->sets[NGX_ROOMS_SET_REMOTE] == NULL) {
        rq->retry_after = NGX_ROOMS_JWKS_RETRY;
        return ngx_rooms_fail(rq, NGX_ROOMS_E_STORE,
                              "the keys that verify tokens can't be fetched");
    }

    return ngx_rooms_auth_refused(rq, rq->refusal_why);
}


/* The pipeline's step: who calls, and may they use this row? */
ngx_int_t
ngx_rooms_authenticate(ngx_rooms_req_t *rq)
{
    ngx_int_t          rc;
    ngx_rooms_auth_t  *auth;

    if (rq->endpoint
        && rq->endpoint->flags & (NGX_ROOMS_OPEN|NGX_ROOMS_PEER))
    {
        /* there is no token that names the tenant; the configuration does */

        if (ngx_rooms_keys_init(&rq->keys, rq->pool, &rq->conf->key_prefix,
                                rooms_from_ngx(rq->conf->tenant)) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return rq->endpoint->flags & NGX_ROOMS_PEER
               ? ngx_rooms_hooks.authenticate_peer(rq) : NGX_OK;
    }

    auth = rq->conf->auth;
    rq->error = ROOMS_OK;

    rc = ngx_rooms_authenticate_now(rq);

    if (rc == NGX_AGAIN) {
        return ngx_rooms_auth_keys(rq);
    }

    if (rc == NGX_DECLINED) {
        return ngx_rooms_auth_refused(rq, NULL);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (auth->sets[NGX_ROOMS_SET_REMOTE]
        && ngx_rooms_uptime() - auth->fetched > NGX_ROOMS_JWKS_TTL)
    {
        /* stale keys are still used while fresh ones are fetched */
        (void) ngx_rooms_jwks_fetch(auth, rq->r);
    }

    if (rq->endpoint == NULL) {
        return ngx_rooms_fail(rq, rq->allow.len ? NGX_ROOMS_E_METHOD
                                                : NGX_ROOMS_E_PATH, NULL);
    }

    if ((rq->endpoint->flags & NGX_ROOMS_ADMIN) && !rq->principal.admin) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_AUTH_PERMISSION, NULL);
    }

    rq->in.tenant_admin = rq->principal.admin;

    return ngx_rooms_keys_init(&rq->keys, rq->pool, &rq->conf->key_prefix,
                               rq->principal.tenant);
}
