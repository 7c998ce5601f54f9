/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Credentials for when a client can't send the Authorization header: stream
 * tickets and signed links, and tokens in a cookie or in the query.  Issues
 * them: POST /v1/auth/ticket, and the links that some rows return.  And hides
 * them from logs, since NGINX logs the request line with every error.
 */

#include "ngx_rooms_ticket.h"
#include "ngx_rooms_cors.h"
#include <sodium.h>


#define NGX_ROOMS_TICKET_LIFE    3600      /* s, at most */

#define NGX_ROOMS_LINK_LIFE       300      /* s */
#define NGX_ROOMS_LINK_LIFE_MIN    30
#define NGX_ROOMS_LINK_LIFE_MAX  3600


static ngx_int_t ngx_rooms_ticket_decide(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_ticket_show(ngx_rooms_req_t *rq);


static const ngx_rooms_field_t  ngx_rooms_ticket_fields[] = {
    { "purpose", NGX_ROOMS_T_STRING|NGX_ROOMS_T_REQUIRED },
    { NULL, 0 }
};


const ngx_rooms_endpoint_t  ngx_rooms_ticket_rows[] = {

    { .method = NGX_HTTP_POST, .path = "/v1/auth/ticket",
      .part = NGX_ROOMS_PART_AUTH, .flags = NGX_ROOMS_BODY,
      .op = ROOMS_OP_READ,
      .decide = ngx_rooms_ticket_decide, .show = ngx_rooms_ticket_show,
      .fields = ngx_rooms_ticket_fields },

    { .path = NULL }
};


/* The directives */


static void
ngx_rooms_url_secret_wipe(void *data)
{
    rooms_str_t *secret = data;

    ngx_explicit_memzero((u_char *) secret->data, secret->len);
}


/* Drops one newline at the end of the file, which editors add. */
static const char *
ngx_rooms_url_secret_read(ngx_conf_t *cf, ngx_str_t *path,
    rooms_str_t *secret)
{
    u_char              *p;
    ssize_t              n;
    ngx_fd_t             fd;
    ngx_file_info_t      fi;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(rooms_str_t));
    p = ngx_pnalloc(cf->pool, ROOMS_TICKET_SECRET_MAX + 3);

    if (cln == NULL || p == NULL) {
        return "can't be kept: no memory";
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return "can't be opened";
    }

    n = -1;

    if (ngx_fd_info(fd, &fi) != NGX_FILE_ERROR && ngx_is_file(&fi)
        && !(ngx_file_access(&fi) & (S_IROTH|S_IWOTH)))
    {
        n = ngx_read_fd(fd, p, ROOMS_TICKET_SECRET_MAX + 3);
    }

    ngx_close_file(fd);

    if (n < 0) {
        return "must be a regular file that is not readable or writable by "
               "everybody (chmod o-rw)";
    }

    secret->data = p;
    secret->len = n;

    *(rooms_str_t *) cln->data = *secret;
    cln->handler = ngx_rooms_url_secret_wipe;

    if (n && p[n - 1] == '\n') {
        secret->len--;

        if (n > 1 && p[n - 2] == '\r') {
            secret->len--;
        }
    }

    return secret->len < ROOMS_TICKET_SECRET_MIN
           || secret->len > ROOMS_TICKET_SECRET_MAX
           ? "must hold a secret of 32 to 4096 bytes" : NULL;
}


char *
ngx_rooms_url_secret_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_str_t    *value;
    ngx_uint_t    i;
    rooms_str_t  *secret;
    const char   *problem;

    if (rlcf->url_secrets != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    rlcf->url_secrets = ngx_array_create(cf->pool, 2, sizeof(rooms_str_t));
    if (rlcf->url_secrets == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (i == 2 && cf->args->nelts > 3
            && ngx_strcmp(value[i].data, "old") == 0)
        {
            continue;
        }

        secret = ngx_array_push(rlcf->url_secrets);

        if (secret == NULL
            || ngx_conf_full_name(cf->cycle, &value[i], 1) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        problem = ngx_rooms_url_secret_read(cf, &value[i], secret);

        if (problem) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "rooms_url_secret_file: \"%V\" %s", &value[i],
                               problem);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_rooms_auth_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_str_t                         *value;
    ngx_http_compile_complex_value_t   ccv;

    if (rlcf->token != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;
    rlcf->token = NULL;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_http_script_variables_count(&value[1]) == 0) {
        return "must contain a variable, such as \"$cookie_name\", or be "
               "\"off\"";
    }

    rlcf->token = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (rlcf->token == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = rlcf->token;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}


ngx_int_t
ngx_rooms_ticket_check(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf)
{
    if (conf->token && (conf->cors == NULL || conf->cors->any)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "rooms_auth_token needs a list of origins in "
                           "rooms_cors_origin, since browsers send cookies "
                           "with requests from any page");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Who calls */


/* An argument of the query, undecoded: our tickets need no escapes. */
static rooms_str_t
ngx_rooms_ticket_arg(ngx_http_request_t *r, const char *name)
{
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value) != NGX_OK
        || value.len == 0)
    {
        return ROOMS_NULL;
    }

    return rooms_from_ngx(value);
}


ngx_int_t
ngx_rooms_ticket_take(ngx_rooms_req_t *rq, rooms_jwt_e *result,
    const char **why, ngx_uint_t *link)
{
    u_char          *buf;
    ngx_uint_t       flags;
    rooms_str_t      text, object;
    ngx_array_t     *secrets;
    rooms_ticket_e   purpose;

    flags = rq->endpoint ? rq->endpoint->flags : 0;
    *link = flags & NGX_ROOMS_LINK ? 1 : 0;

    if (flags & NGX_ROOMS_LINK) {
        text = ngx_rooms_ticket_arg(rq->r, "signature");

        if (rq->param[NGX_ROOMS_P_MEDIA].data) {
            purpose = ROOMS_TICKET_MEDIUM;
            object = rq->param[NGX_ROOMS_P_MEDIA];

        } else {
            purpose = ROOMS_TICKET_EXPORT;
            object = rq->param[NGX_ROOMS_P_ROOM];
        }

    } else if (flags & NGX_ROOMS_STREAM) {
        text = ngx_rooms_ticket_arg(rq->r, "ticket");
        purpose = ROOMS_TICKET_STREAM;
        object = ROOMS_NULL;

    } else {
        return NGX_DECLINED;
    }

    if (text.data == NULL) {
        return NGX_DECLINED;
    }

    buf = ngx_palloc(rq->pool, ROOMS_TICKET_RAW);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    secrets = rq->conf->url_secrets;

    *result = rooms_ticket_verify(text, secrets ? secrets->elts : NULL,
                                  secrets ? secrets->nelts : 0, purpose,
                                  object, ngx_time(), &rq->principal, buf,
                                  why);

    return NGX_OK;
}


rooms_str_t
ngx_rooms_ticket_token(ngx_rooms_req_t *rq)
{
    ngx_str_t  value;

    if (rq->conf->token == NULL
        || ngx_http_complex_value(rq->r, rq->conf->token, &value) != NGX_OK
        || value.len == 0)
    {
        return ROOMS_NULL;
    }

    return rooms_from_ngx(value);
}


/* Only for reads: robots follow links, so a link must not change anything. */
rooms_str_t
ngx_rooms_ticket_query_token(ngx_rooms_req_t *rq)
{
    u_char       *src, *dst, *p;
    rooms_str_t   raw;

    if (!rq->conf->query_token
        || !(rq->r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)))
    {
        return ROOMS_NULL;
    }

    raw = ngx_rooms_ticket_arg(rq->r, "token");

    if (raw.data == NULL) {
        return ROOMS_NULL;
    }

    p = ngx_pnalloc(rq->pool, raw.len);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    src = (u_char *) raw.data;
    dst = p;
    ngx_unescape_uri(&dst, &src, raw.len, 0);

    return (rooms_str_t) { dst - p, p };
}


/* Issuing tickets and links */


/* NULL: the answer is set.  It is 404 if the server has no secret. */
static rooms_str_t
ngx_rooms_ticket_make(ngx_rooms_req_t *rq, rooms_ticket_e purpose,
    int64_t exp, rooms_str_t object)
{
    u_char       *p;
    rooms_str_t   text, *secrets;

    if (rq->conf->url_secrets == NULL) {
        (void) ngx_rooms_fail(rq, NGX_ROOMS_E_PATH,
                              "this server has no rooms_url_secret_file");
        return ROOMS_NULL;
    }

    p = ngx_pnalloc(rq->pool, ROOMS_TICKET_MAX);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    secrets = rq->conf->url_secrets->elts;

    text.data = p;
    text.len = rooms_ticket_make(secrets[0], purpose, &rq->principal, exp,
                                 object, p);

    return text.len ? text : ROOMS_NULL;
}


static ngx_int_t
ngx_rooms_ticket_decide(ngx_rooms_req_t *rq)
{
    return rooms_str_eq(ngx_rooms_body_str(rq, "purpose"),
                        ngx_rooms_s("stream"))
           ? NGX_OK : ngx_rooms_invalid(rq, "purpose", "must be \"stream\"");
}


/* The ticket expires no later than the token. */
static ngx_int_t
ngx_rooms_ticket_show(ngx_rooms_req_t *rq)
{
    int64_t       exp;
    rooms_buf_t  *b;
    rooms_str_t   ticket;

    exp = ngx_min(rq->principal.exp, rq->now / 1000 + NGX_ROOMS_TICKET_LIFE);

    ticket = ngx_rooms_ticket_make(rq, ROOMS_TICKET_STREAM, exp, ROOMS_NULL);
    if (ticket.data == NULL) {
        return NGX_ERROR;
    }

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"ticket\":%s,\"expires_at\":%t}}\n", ticket,
                   (int64_t) (exp * 1000));

    return NGX_OK;
}


/* "expires_in", from the body if there is one, else from the query. */
static ngx_int_t
ngx_rooms_link_life(ngx_rooms_req_t *rq, int64_t *life)
{
    json_t  *value;

    value = ngx_rooms_body_get(rq, "expires_in");

    if (value == NULL) {
        return ngx_rooms_arg_int(rq, "expires_in", NGX_ROOMS_LINK_LIFE_MIN,
                                 NGX_ROOMS_LINK_LIFE_MAX, NGX_ROOMS_LINK_LIFE,
                                 life);
    }

    *life = json_integer_value(value);

    return *life >= NGX_ROOMS_LINK_LIFE_MIN && *life <= NGX_ROOMS_LINK_LIFE_MAX
           ? NGX_OK
           : ngx_rooms_invalid(rq, "expires_in",
                               "must be an integer from 30 to 3600");
}


ngx_int_t
ngx_rooms_link_put(ngx_rooms_req_t *rq, rooms_ticket_e purpose,
    rooms_str_t object, const char *path, const char *more)
{
    int64_t       life, exp;
    rooms_buf_t  *b;
    rooms_str_t   ticket, url;

    if (ngx_rooms_link_life(rq, &life) != NGX_OK) {
        return NGX_ERROR;
    }

    exp = rq->now / 1000 + life;

    ticket = ngx_rooms_ticket_make(rq, purpose, exp, object);
    if (ticket.data == NULL) {
        return NGX_ERROR;
    }

    url = ngx_rooms_join(rq->pool, rooms_cstr(path), object,
                         purpose == ROOMS_TICKET_EXPORT
                         ? ngx_rooms_s("/export") : ngx_rooms_s(""),
                         ngx_rooms_s("?signature="), ticket,
                         rooms_cstr(more));
    if (url.data == NULL) {
        return NGX_ERROR;
    }

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"url\":%s,\"expires_at\":%t}}\n", url,
                   (int64_t) (exp * 1000));

    return NGX_OK;
}


/* What logs may show */


static rooms_str_t
ngx_rooms_ticket_hidden(ngx_http_request_t *r, ngx_str_t *text)
{
    u_char  *p;
    size_t   len;

    p = ngx_pnalloc(r->pool, text->len + 1);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    len = rooms_ticket_hide(rooms_from_ngx(*text), p);

    return len ? (rooms_str_t) { len, p } : rooms_from_ngx(*text);
}


/*
 * $rooms_uri works for any request: a server has one log for all its
 * locations.
 */
static ngx_int_t
ngx_rooms_variable_uri(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    rooms_str_t  uri;

    v->not_found = 1;

    if (r->unparsed_uri.len == 0) {
        return NGX_OK;
    }

    uri = ngx_rooms_ticket_hidden(r, &r->unparsed_uri);

    if (uri.data == NULL) {
        return NGX_ERROR;
    }

    v->len = uri.len;
    v->data = (u_char *) uri.data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_ticket_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var;

    static ngx_str_t  name = ngx_string("rooms_uri");

    var = ngx_http_add_variable(cf, &name, 0);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_rooms_variable_uri;

    return NGX_OK;
}


/*
 * Runs in the first phase.  From then on NGINX logs the request line without
 * secrets, in $request and with its errors.  The target itself is unchanged.
 */
static ngx_int_t
ngx_rooms_ticket_hide_line(ngx_http_request_t *r)
{
    rooms_str_t            line;
    ngx_rooms_srv_conf_t  *rscf;

    if (r->args.len == 0 || r->request_line.len == 0) {
        return NGX_DECLINED;
    }

    rscf = ngx_http_get_module_srv_conf(r, ngx_rooms_module);

    if (!rscf->serves
        || !ngx_rooms_location_of_target(NGX_ROOMS_PART_ALL, r->uri.data,
                                         r->uri.data + r->uri.len))
    {
        return NGX_DECLINED;
    }

    line = ngx_rooms_ticket_hidden(r, &r->request_line);

    if (line.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->request_line = ngx_from_rooms(line);

    return NGX_DECLINED;
}


ngx_int_t
ngx_rooms_ticket_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_rooms_ticket_hide_line;

    return NGX_OK;
}
