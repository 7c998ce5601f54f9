/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Replaces names in a request by ids, before anything is loaded: an alias in
 * the path, and "@local:server" of this server in the path and in bodies.  A
 * name that isn't found stays.  It isn't a valid id, so the row says what is
 * missing.
 */

#include "ngx_rooms_request.h"


/*
 * The first pass asks for the ids of all names; the second replaces the
 * names.
 */
typedef struct {
    ngx_rooms_req_t   *rq;
    ngx_rooms_batch_t *asked;        /* NULL: the first pass */
    ngx_uint_t         n;            /* names so far */
} ngx_rooms_names_t;


/* "#slug:server" or "#slug" */
static ngx_uint_t
ngx_rooms_name_alias(ngx_rooms_req_t *rq, rooms_str_t name, rooms_str_t *slug)
{
    u_char  *colon, *last, *p;

    if (name.len == 0 || name.data[0] != '#') {
        return 0;
    }

    last = (u_char *) name.data + name.len;
    colon = ngx_strlchr((u_char *) name.data, last, ':');

    slug->data = name.data + 1;
    slug->len = (colon ? colon : last) - slug->data;

    p = ngx_pnalloc(rq->pool, ROOMS_SLUG_SIZE);
    if (p == NULL) {
        return 0;
    }

    slug->len = rooms_slug_read(*slug, p);
    slug->data = p;

    return slug->len
           && (colon == NULL
               || rooms_str_eq((rooms_str_t) { last - colon - 1, colon + 1 },
                               rooms_from_ngx(rq->conf->server_name)));
}


/* "@local:server" of this server; those of other servers are ids already */
static ngx_uint_t
ngx_rooms_name_local(ngx_rooms_req_t *rq, rooms_str_t name, rooms_str_t *local)
{
    const u_char  *colon;
    ngx_str_t     *server;

    server = &rq->conf->server_name;

    if (name.len < server->len + sizeof("@x:") - 1 || name.data[0] != '@') {
        return 0;
    }

    colon = name.data + name.len - server->len - 1;

    local->data = name.data + 1;
    local->len = colon - local->data;

    return *colon == ':'
           && ngx_memcmp(colon + 1, server->data, server->len) == 0;
}


static ngx_int_t
ngx_rooms_name(ngx_rooms_names_t *names, rooms_str_t *name)
{
    rooms_str_t       key;
    ngx_rooms_key_e   kind;
    ngx_rooms_req_t  *rq;

    rq = names->rq;

    if (ngx_rooms_name_alias(rq, *name, &key)) {
        kind = NGX_ROOMS_KEY_ALIASES;

    } else if (ngx_rooms_name_local(rq, *name, &key)) {
        kind = NGX_ROOMS_KEY_LOCALS;

    } else {
        return NGX_DECLINED;
    }

    if (names->asked == NULL) {

        if (names->n++ == 0 && ngx_rooms_batch(rq) == NULL) {
            return NGX_ERROR;
        }

        return ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s", kind,
                             ROOMS_NULL, key);
    }

    key = ngx_rooms_reply_str(names->asked->replies[names->n++]);

    if (key.data == NULL) {
        return NGX_DECLINED;
    }

    /* the reply is freed with its batch */

    *name = ngx_rooms_dup(rq->pool, key);

    return name->data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_name_json(ngx_rooms_names_t *names, json_t *value, json_t **id)
{
    ngx_int_t    rc;
    rooms_str_t  name;

    *id = NULL;

    if (!json_is_string(value)) {
        return NGX_DECLINED;
    }

    name.data = (u_char *) json_string_value(value);
    name.len = json_string_length(value);

    rc = ngx_rooms_name(names, &name);

    if (rc == NGX_OK && names->asked) {
        *id = json_stringn((const char *) name.data, name.len);
    }

    return rc;
}


static ngx_int_t
ngx_rooms_names_body(ngx_rooms_names_t *names)
{
    size_t                    i, n;
    json_t                   *body, *value, *id;
    const ngx_rooms_field_t  *f;

    body = names->rq->body;

    for (f = names->rq->endpoint->fields; body && f && f->name; f++) {

        if (ngx_strncmp(f->name, "participant_id",
                        sizeof("participant_id") - 1) != 0)
        {
            continue;
        }

        value = json_object_get(body, f->name);
        n = json_array_size(value);

        /* setting the id frees the name */

        if (ngx_rooms_name_json(names, value, &id) == NGX_ERROR
            || (id && json_object_set_new(body, f->name, id) != 0))
        {
            return NGX_ERROR;
        }

        if (n > ROOMS_BATCH_MAX) {
            /* the row refuses that many */
            continue;
        }

        for (i = 0; i < n; i++) {

            if (ngx_rooms_name_json(names, json_array_get(value, i), &id)
                == NGX_ERROR
                || (id && json_array_set_new(value, i, id) != 0))
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_names_all(ngx_rooms_names_t *names)
{
    rooms_str_t  *param;

    param = names->rq->param;

    if (ngx_rooms_name(names, &param[NGX_ROOMS_P_ROOM]) == NGX_ERROR
        || ngx_rooms_name(names, &param[NGX_ROOMS_P_PARTICIPANT]) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_names_body(names);
}


ngx_int_t
ngx_rooms_names(ngx_rooms_req_t *rq)
{
    ngx_rooms_names_t  names;

    if (rq->endpoint->flags & (NGX_ROOMS_PEER|NGX_ROOMS_OPEN)) {
        return NGX_OK;
    }

    names.rq = rq;
    names.n = 0;
    names.asked = rq->round ? rq->batch : NULL;

    if (ngx_rooms_names_all(&names) != NGX_OK) {
        return NGX_ERROR;
    }

    if (names.asked || names.n == 0) {
        return NGX_OK;
    }

    return ngx_rooms_send_round(rq, 1);
}
