/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * JSON bodies and query arguments: reads and decodes them, and checks them
 * against the row, before anything is loaded.
 */

#include "ngx_rooms_request.h"
#include "rooms_number.h"


#define NGX_ROOMS_BODY_COPIED  (256 * 1024)
#define NGX_ROOMS_BODY_NONE    -1          /* beside jansson's types */


static void ngx_rooms_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_rooms_body_too_large(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_body_parse(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_body_collect(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_body_fault(ngx_rooms_req_t *rq,
    json_error_t *error);
static ngx_int_t ngx_rooms_body_wholes(json_t *body);
static ngx_int_t ngx_rooms_body_fields(ngx_rooms_req_t *rq);


/*
 * A row without fields still checks a body that was sent: a body that isn't
 * an object is refused everywhere.  A subrequest shows the body of the main
 * request, and ignores it.
 */
static ngx_uint_t
ngx_rooms_body_expected(ngx_rooms_req_t *rq)
{
    ngx_http_request_t  *r;

    r = rq->r;

    return rq->endpoint->flags & (NGX_ROOMS_UPLOAD|NGX_ROOMS_BODY)
           || (r == r->main
               && (r->headers_in.content_length_n > 0 || r->headers_in.chunked
                   || r->request_body));
}


ngx_int_t
ngx_rooms_body_read(ngx_rooms_req_t *rq)
{
    off_t                size;
    ngx_int_t            rc;
    ngx_uint_t           upload;
    ngx_http_request_t  *r;

    r = rq->r;
    upload = rq->endpoint->flags & NGX_ROOMS_UPLOAD;

    if (rq->round == 0 && !ngx_rooms_body_expected(rq)) {
        return NGX_OK;
    }

    if (rq->round == 2) {
        return upload ? NGX_OK : ngx_rooms_body_parse(rq);
    }

    size = r->headers_in.content_length_n;

    if (upload) {

        /* the part in memory is copied later, so it has to be small */

        if (size < 0 || size > NGX_ROOMS_BODY_COPIED
            || rq->endpoint->flags & NGX_ROOMS_IN_FILE)
        {
            r->request_body_in_file_only = 1;
        }

    } else {

        if (size > NGX_ROOMS_BODY_MAX) {
            return ngx_rooms_body_too_large(rq);
        }

        r->request_body_in_single_buf = 1;
    }

    /*
     * If NGINX can't read the body, it finalizes the request and drops one
     * reference.  So we hand ours over, and get it back with the handler.
     */

    rq->round = 1;
    r->main->count--;

    rq->running = 1;
    rc = ngx_http_read_client_request_body(r, ngx_rooms_body_handler);
    rq->running = 0;

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        r->main->count++;

        if (rc == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
            rq->error_field = ngx_rooms_s("body");
            rq->error_problem = ngx_rooms_s("more than client_max_body_size");
        }

        return rc == NGX_HTTP_INTERNAL_SERVER_ERROR
               ? ngx_rooms_fail_body(rq)
               : ngx_rooms_fail(rq, ngx_rooms_error_of_status(rc), NULL);
    }

    if (rq->round == 2) {
        return upload ? NGX_OK : ngx_rooms_body_parse(rq);
    }

    return NGX_AGAIN;
}


static void
ngx_rooms_body_handler(ngx_http_request_t *r)
{
    ngx_rooms_req_t  *rq;

    rq = ngx_http_get_module_ctx(r, ngx_rooms_module);

    if (rq->running) {
        /* called from within ngx_http_read_client_request_body() */
        rq->round = 2;
        return;
    }

    rq->round = 2;
    ngx_rooms_run(rq);
}


static ngx_int_t
ngx_rooms_body_too_large(ngx_rooms_req_t *rq)
{
    rq->error_field = ngx_rooms_s("body");
    rq->error_problem = ngx_rooms_s("a JSON body has at most 131072 bytes");

    return ngx_rooms_fail(rq, NGX_ROOMS_E_BODY_TOO_LARGE, NULL);
}


/*
 * Makes the text one piece.  It may be in memory, in a file, or both;
 * request_body may be NULL.
 */
static ngx_int_t
ngx_rooms_body_collect(ngx_rooms_req_t *rq)
{
    off_t         size;
    size_t        n;
    u_char       *p;
    ssize_t       got;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    rq->text.len = 0;
    rq->text.data = (u_char *) "";

    if (rq->r->request_body == NULL || rq->r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    for (size = 0, cl = rq->r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size > NGX_ROOMS_BODY_MAX) {
        return ngx_rooms_body_too_large(rq);
    }

    if (size == 0) {
        /*
         * a buffer that only marks the end is neither in memory nor in a file
         */
        return NGX_OK;
    }

    cl = rq->r->request_body->bufs;

    if (cl->next == NULL && ngx_buf_in_memory(cl->buf)) {
        rq->text.data = cl->buf->pos;
        rq->text.len = size;
        return NGX_OK;
    }

    p = ngx_pnalloc(rq->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rq->text.data = p;

    for ( /* void */ ; cl; cl = cl->next) {
        b = cl->buf;
        n = ngx_buf_size(b);

        if (n == 0) {
            continue;
        }

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, n);
            continue;
        }

        /* at most 128 KB, just written: the read comes from the page cache */

        got = ngx_read_file(b->file, p, n, b->file_pos);

        if (got != (ssize_t) n) {
            return NGX_ERROR;
        }

        p += n;
    }

    rq->text.len = p - rq->text.data;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_body_parse(ngx_rooms_req_t *rq)
{
    json_error_t  error;

    if (ngx_rooms_body_collect(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rq->endpoint->flags & NGX_ROOMS_TEXT) {
        return NGX_OK;
    }

    if (rq->text.len >= 3 && !(rq->endpoint->flags & NGX_ROOMS_PEER)
        && ngx_memcmp(rq->text.data, "\xEF\xBB\xBF", 3) == 0)
    {
        /*
         * a byte order mark, as Windows writes; a signed body is left as it
         * is
         */
        rq->text.data += 3;
        rq->text.len -= 3;
    }

    if (rq->text.len == 0) {

        if ((rq->endpoint->flags & NGX_ROOMS_BODY)
            && !(rq->endpoint->flags & NGX_ROOMS_OPTIONAL))
        {
            return ngx_rooms_invalid(rq, "body", "a JSON object is needed");
        }

        rq->body = json_object();
        return rq->body ? ngx_rooms_body_fields(rq) : NGX_ERROR;
    }

    if ((rq->endpoint->flags & NGX_ROOMS_PLAIN)
        && rooms_json_plain(rooms_from_ngx(rq->text)))
    {
        rq->plain = 1;
        return ngx_rooms_body_fields(rq);
    }

    rq->body = json_loadb((char *) rq->text.data, rq->text.len,
                          JSON_REJECT_DUPLICATES, &error);

    if (rq->body == NULL) {
        return ngx_rooms_body_fault(rq, &error);
    }

    if (!json_is_object(rq->body)) {
        return ngx_rooms_invalid(rq, "body", "a JSON object is needed");
    }

    if (ngx_rooms_body_wholes(rq->body) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_body_fields(rq);
}


/* Turns whole numbers in any spelling, such as 5.0 and 1e3, into integers. */
static ngx_int_t
ngx_rooms_body_wholes(json_t *body)
{
    void    *at;
    double   n;
    json_t  *value;

    for (at = json_object_iter(body); at; at = json_object_iter_next(body, at))
    {
        value = json_object_iter_value(at);
        n = json_real_value(value);

        if (!json_is_real(value) || n < -(double) ROOMS_WHOLE_MAX
            || n > (double) ROOMS_WHOLE_MAX || n != (double) (int64_t) n)
        {
            continue;
        }

        if (json_object_iter_set_new(body, at, json_integer((int64_t) n))
            != 0)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Reports a syntax error, naming the field of the client's document. */
static ngx_int_t
ngx_rooms_body_fault(ngx_rooms_req_t *rq, json_error_t *error)
{
    rooms_str_t  key;
    const char  *problem;

    key = rooms_json_key_at(rooms_from_ngx(rq->text),
                            error->position > 0 ? error->position : 0);

    switch (json_error_code(error)) {

    case json_error_duplicate_key:
        problem = "is given twice, or has a duplicate member";
        break;

    case json_error_null_character:
    case json_error_null_byte_in_key:
        problem = "contains NUL";
        break;

    case json_error_invalid_utf8:
        problem = "is not valid UTF-8";
        break;

    case json_error_numeric_overflow:
        problem = "is a number out of range";
        break;

    case json_error_stack_overflow:
        problem = "is nested too deeply";
        break;

    case json_error_out_of_memory:
        return NGX_ERROR;

    case json_error_end_of_input_expected:
        return ngx_rooms_invalid(rq, "body", "continues after the object");

    default:
        problem = "is not valid JSON";
    }

    if (key.len == 0 || key.len > 64 || rooms_utf8_length(key) < 0) {
        return ngx_rooms_invalid(rq, "body", problem);
    }

    rq->error_field = key;
    rq->error_problem = rooms_cstr(problem);

    return ngx_rooms_fail(rq, ROOMS_E_VALIDATION, NULL);
}


/* The type of a body's member: one of jansson's, or NGX_ROOMS_BODY_NONE. */
static int
ngx_rooms_body_type(ngx_rooms_req_t *rq, const char *name)
{
    json_t       *value;
    rooms_str_t   text;

    if (!rq->plain) {
        value = json_object_get(rq->body, name);
        return value ? (int) json_typeof(value) : NGX_ROOMS_BODY_NONE;
    }

    text = rooms_json_member(rooms_from_ngx(rq->text), name);

    switch (text.data ? *text.data : '\0') {

    case '\0':
        return NGX_ROOMS_BODY_NONE;

    case '"':
        return JSON_STRING;

    case '{':
        return JSON_OBJECT;

    case '[':
        return JSON_ARRAY;

    case 't':
        return JSON_TRUE;

    case 'f':
        return JSON_FALSE;

    case 'n':
        return JSON_NULL;

    default:
        return JSON_INTEGER;
    }
}


static ngx_int_t
ngx_rooms_body_fields(ngx_rooms_req_t *rq)
{
    int                       type;
    ngx_uint_t                ok;
    const ngx_rooms_field_t  *f;

    static const char  *types[] = {
        "", "must be a string", "must be true or false", "must be an integer",
        "must be an object", "must be an array", "is not supported here"
    };

    for (f = rq->endpoint->fields; f && f->name; f++) {
        type = ngx_rooms_body_type(rq, f->name);

        if (type == NGX_ROOMS_BODY_NONE
            || (type == JSON_NULL && (f->type & NGX_ROOMS_T_NULL)))
        {
            if (type == NGX_ROOMS_BODY_NONE
                && (f->type & NGX_ROOMS_T_REQUIRED))
            {
                return ngx_rooms_invalid(rq, f->name, "is required");
            }

            continue;
        }

        switch (f->type & NGX_ROOMS_T_MASK) {

        case NGX_ROOMS_T_STRING:
            ok = type == JSON_STRING;
            break;

        case NGX_ROOMS_T_BOOL:
            ok = type == JSON_TRUE || type == JSON_FALSE;
            break;

        case NGX_ROOMS_T_INT:
            ok = type == JSON_INTEGER;
            break;

        case NGX_ROOMS_T_OBJECT:
            ok = type == JSON_OBJECT;
            break;

        case NGX_ROOMS_T_REFUSED:
            ok = 0;
            break;

        default:
            ok = type == JSON_ARRAY;
        }

        if (!ok) {
            return ngx_rooms_invalid(rq, f->name,
                                     types[f->type & NGX_ROOMS_T_MASK]);
        }
    }

    return NGX_OK;
}


json_t *
ngx_rooms_body_get(ngx_rooms_req_t *rq, const char *name)
{
    json_t  *value;

    if (rq->plain && rq->body == NULL) {
        /* some function needs the tree after all */
        rq->body = json_loadb((char *) rq->text.data, rq->text.len, 0, NULL);
    }

    value = rq->body ? json_object_get(rq->body, name) : NULL;

    return json_is_null(value) ? NULL : value;
}


rooms_str_t
ngx_rooms_body_str(ngx_rooms_req_t *rq, const char *name)
{
    json_t       *value;
    u_char       *p;
    rooms_str_t   text;

    if (rq->plain) {
        text = rooms_json_member(rooms_from_ngx(rq->text), name);

        if (text.len < 2 || text.data[0] != '"') {
            return ROOMS_NULL;
        }

        text.data++;
        text.len -= 2;

        if (memchr(text.data, '\\', text.len) == NULL) {
            return text;
        }

        p = ngx_pnalloc(rq->pool, text.len);
        if (p == NULL) {
            return ROOMS_NULL;
        }

        return (rooms_str_t) { rooms_json_unescape(text, p, text.len), p };
    }

    value = ngx_rooms_body_get(rq, name);

    if (!json_is_string(value)) {
        return ROOMS_NULL;
    }

    return (rooms_str_t) { json_string_length(value),
                           (u_char *) json_string_value(value) };
}


ngx_int_t
ngx_rooms_body_bool(ngx_rooms_req_t *rq, const char *name, ngx_int_t otherwise)
{
    int  type;

    type = ngx_rooms_body_type(rq, name);

    return type == NGX_ROOMS_BODY_NONE || type == JSON_NULL
           ? otherwise : type == JSON_TRUE;
}


/* Query arguments */


ngx_int_t
ngx_rooms_arg(ngx_rooms_req_t *rq, const char *name, rooms_str_t *value)
{
    size_t      i;
    u_char     *src, *dst, *p;
    ngx_str_t   raw;

    if (ngx_http_arg(rq->r, (u_char *) name, ngx_strlen(name), &raw)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (raw.len == 0) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(rq->pool, raw.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < raw.len; i++) {
        p[i] = raw.data[i] == '+' ? ' ' : raw.data[i];
    }

    src = p;
    dst = p;
    ngx_unescape_uri(&dst, &src, raw.len, 0);

    value->data = p;
    value->len = dst - p;

    if (rooms_utf8_length(*value) < 0 || memchr(p, '\0', value->len)) {
        return ngx_rooms_invalid(rq, name, "is not valid UTF-8");
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_arg_int(ngx_rooms_req_t *rq, const char *name, int64_t min,
    int64_t max, int64_t otherwise, int64_t *value)
{
    int64_t      n;
    u_char       problem[64];
    ngx_int_t    rc;
    rooms_str_t  s;

    rc = ngx_rooms_arg(rq, name, &s);

    if (rc == NGX_DECLINED) {
        *value = otherwise;
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (rooms_whole(s, &n) != 0 || n < min || n > max) {
        *ngx_snprintf(problem, sizeof(problem) - 1,
                      "must be an integer from %L to %L", min, max) = '\0';
        return ngx_rooms_invalid(rq, name, (char *) problem);
    }

    *value = n;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_arg_time(ngx_rooms_req_t *rq, const char *name, int64_t *ms)
{
    u_char       *plus;
    ngx_int_t     rc;
    rooms_str_t   s;

    rc = ngx_rooms_arg(rq, name, &s);

    if (rc != NGX_OK) {
        return rc;
    }

    /* "+02:00" whose plus wasn't escaped */

    if (s.len > sizeof("+00:00") - 1) {
        plus = (u_char *) s.data + s.len - (sizeof("+00:00") - 1);

        if (*plus == ' ') {
            *plus = '+';
        }
    }

    *ms = rooms_time_parse(s);

    return *ms == -1 ? ngx_rooms_invalid(rq, name, "must be an RFC 3339 time")
                     : NGX_OK;
}


/*
 * A cursor names its list and the whole sort key of the last row shown.  So
 * it stays valid whatever changes meanwhile.
 */
rooms_str_t
ngx_rooms_cursor(ngx_pool_t *pool, u_char kind, rooms_str_t value)
{
    u_char     *p;
    ngx_str_t   src, dst;

    src.len = value.len + 2;
    src.data = ngx_pnalloc(pool, src.len);
    dst.data = ngx_pnalloc(pool, ngx_base64_encoded_length(src.len));

    if (src.data == NULL || dst.data == NULL) {
        return ROOMS_NULL;
    }

    p = src.data;
    *p++ = '1';
    *p++ = kind;
    ngx_memcpy(p, value.data, value.len);

    ngx_encode_base64url(&dst, &src);

    return rooms_from_ngx(dst);
}


ngx_int_t
ngx_rooms_arg_cursor(ngx_rooms_req_t *rq, const char *name, u_char kind,
    rooms_str_t *value)
{
    ngx_int_t    rc;
    ngx_str_t    src, dst;
    rooms_str_t  s;

    rc = ngx_rooms_arg(rq, name, &s);

    if (rc != NGX_OK) {
        return rc;
    }

    src = ngx_from_rooms(s);
    dst.data = ngx_pnalloc(rq->pool, ngx_base64_decoded_length(src.len));

    if (dst.data == NULL) {
        return NGX_ERROR;
    }

    if (s.len > 512 || ngx_decode_base64url(&dst, &src) != NGX_OK
        || dst.len < 3 || dst.data[0] != '1' || dst.data[1] != kind)
    {
        return ngx_rooms_invalid(rq, name, "is not a cursor of this list");
    }

    value->data = dst.data + 2;
    value->len = dst.len - 2;

    return NGX_OK;
}
