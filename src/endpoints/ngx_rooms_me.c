/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The caller's own profile: GET and PUT /v1/me, GET and PUT
 * /v1/me/preferences.
 *
 * Preferences are a hash of JSON values, one field each, so that devices that
 * set different preferences don't overwrite each other.
 */

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_person.h"
#include "ngx_rooms_media.h"


#define NGX_ROOMS_BIO_MAX            500   /* code points */
#define NGX_ROOMS_PREFERENCES_MAX     64
#define NGX_ROOMS_PREFERENCE_NAME     64   /* bytes */
#define NGX_ROOMS_PREFERENCE_SIZE  16384   /* bytes of JSON */


typedef struct {
    rooms_str_t         medium;            /* avatar_media_id, or NULL */
    ngx_rooms_medium_t  found;
    rooms_str_t         had;               /* the stored row */
} ngx_rooms_me_t;

typedef struct {
    rooms_str_t         name;
    rooms_str_t         value;             /* JSON; NULL: remove it */
} ngx_rooms_preference_t;


static ngx_int_t
ngx_rooms_me_ask(ngx_rooms_req_t *rq)
{
    ngx_rooms_me_t  *me;

    me = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_me_t));
    if (me == NULL) {
        return NGX_ERROR;
    }

    rq->data = me;
    me->medium = ngx_rooms_body_str(rq, "avatar_media_id");

    if (me->medium.data && !rooms_id_valid(me->medium, "med-")) {
        return ngx_rooms_invalid(rq, "avatar_media_id", "is not a medium's "
                                                        "id");
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL,
                         rq->principal.sub) != NGX_OK
        || (me->medium.data
            && ngx_rooms_media_load(rq->batch, &rq->keys, &me->medium, 1)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, 1);
}


ngx_int_t
ngx_rooms_me_load(ngx_rooms_req_t *rq)
{
    ngx_int_t        rc;
    redisReply      *media;
    ngx_rooms_me_t  *me;

    if (rq->round == 0) {
        return ngx_rooms_me_ask(rq);
    }

    me = rq->data;
    me->had = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));

    if (ngx_rooms_parse_profile(rq->pool, me->had, rq->principal.sub,
                                &rq->profile) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (me->medium.data == NULL) {
        return NGX_OK;
    }

    media = ngx_rooms_reply(rq, 1);

    rc = ngx_rooms_media_parse(rq->pool,
                        ngx_rooms_reply_str_at(media, 0),
                        me->medium, &me->found);

    if (rc == NGX_DECLINED
        || (rc == NGX_OK && !rooms_str_eq(me->found.owner, rq->principal.sub)))
    {
        /* another participant's medium can't be the caller's avatar */
        return ngx_rooms_invalid(rq, "avatar_media_id",
                                 "must be a medium that you have uploaded");
    }

    return rc;
}


static ngx_int_t
ngx_rooms_me_bio(ngx_rooms_req_t *rq, ngx_rooms_profile_t *p)
{
    size_t       i;
    rooms_str_t  bio;

    if (json_object_get(rq->body, "bio") == NULL) {
        return NGX_OK;
    }

    bio = ngx_rooms_body_str(rq, "bio");

    for (i = 0; i < bio.len && (bio.data[i] >= 0x20 || bio.data[i] == '\n'
                                || bio.data[i] == '\t'); i++)
    {
        /* void */
    }

    if (i < bio.len || rooms_utf8_length(bio) > NGX_ROOMS_BIO_MAX) {
        return ngx_rooms_invalid(rq, "bio", "must be at most 500 characters, "
                                 "without control characters");
    }

    p->bio = bio.len ? bio : ROOMS_NULL;

    return NGX_OK;
}


/*
 * The avatar must be a medium of the caller, in a format that browsers show.
 */
static ngx_int_t
ngx_rooms_me_picture(ngx_rooms_req_t *rq, ngx_rooms_me_t *me,
    ngx_rooms_profile_t *p)
{
    size_t  i;

    static const char *const  types[] = {
        "image/png", "image/jpeg", "image/gif", "image/webp"
    };

    if (me->medium.data == NULL) {
        return NGX_OK;
    }

    if (ngx_rooms_body_str(rq, "avatar_url").data) {
        return ngx_rooms_invalid(rq, "avatar_media_id",
                                 "must not be given together with avatar_url");
    }

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {

        if (rooms_str_eq(me->found.mime, rooms_cstr(types[i]))) {
            p->avatar = ngx_rooms_join(rq->pool,
                                       ngx_rooms_s("/v1/media/download/"),
                                       me->medium);
            return p->avatar.data ? NGX_OK : NGX_ERROR;
        }
    }

    return ngx_rooms_invalid(rq, "avatar_media_id",
                             "must be a PNG, JPEG, GIF or WebP");
}


ngx_int_t
ngx_rooms_me_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_me_t       *me;
    ngx_rooms_profile_t  *p;

    me = rq->data;
    p = &rq->profile;

    if (ngx_rooms_person_name(rq, p) != NGX_OK
        || ngx_rooms_person_avatar(rq, p) != NGX_OK
        || ngx_rooms_me_picture(rq, me, p) != NGX_OK
        || ngx_rooms_me_bio(rq, p) != NGX_OK
        || ngx_rooms_begin(rq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rooms_apply_person(&rq->commit, &rq->keys, me->had, p, rq->now);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_rooms_me_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t          *b;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;
    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"participant_id\":%s,\"local_id\":%s,"
                   "\"fqid\":", p->id, p->local);
    ngx_rooms_fqid_json(b, p, &rq->conf->server_name);
    rooms_json_put(b, ",\"display_name\":%s,\"email\":%s,\"avatar_url\":%s,"
                   "\"bio\":%s,\"personal_workspace_id\":%s,\"roles\":[",
                   p->name, p->email, p->avatar, p->bio, p->workspace);

    if (rq->principal.admin) {
        rooms_json_lit(b, "\"tenant_admin\"");
    }

    rooms_json_lit(b, "]}}\n");

    return NGX_OK;
}


/* Preferences */


ngx_int_t
ngx_rooms_preferences_load(ngx_rooms_req_t *rq)
{
    if (rq->round) {
        return NGX_OK;
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_ask(rq->batch, &rq->keys, "HGETALL %k",
                         NGX_ROOMS_KEY_USER_PREFERENCES, rq->principal.sub)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->asked_batch = rq->batch;
    return ngx_rooms_send_round(rq, 1);
}


/* The value in its stored form; null removes the preference. */
static ngx_int_t
ngx_rooms_preference_value(ngx_rooms_req_t *rq, json_t *value,
    rooms_str_t *json)
{
    size_t   len;
    u_char  *p;

    *json = ROOMS_NULL;

    if (json_is_null(value)) {
        return NGX_OK;
    }

    len = json_dumpb(value, NULL, 0, JSON_COMPACT|JSON_ENCODE_ANY);

    if (len == 0 || len > NGX_ROOMS_PREFERENCE_SIZE) {
        return ngx_rooms_invalid(rq, "body", "has a value of more than "
                                 "16384 bytes");
    }

    p = ngx_pnalloc(rq->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) json_dumpb(value, (char *) p, len, JSON_COMPACT|JSON_ENCODE_ANY);
    *json = (rooms_str_t) { len, p };

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_preference_check(ngx_rooms_req_t *rq, const char *name,
    json_t *value)
{
    ngx_int_t    mode;
    rooms_str_t  s;

    if (name[0] == '\0' || ngx_strlen(name) > NGX_ROOMS_PREFERENCE_NAME) {
        return ngx_rooms_invalid(rq, "body", "names must have 1 to 64 bytes");
    }

    if (ngx_strcmp(name, "default_mode") != 0 || json_is_null(value)) {
        return NGX_OK;
    }

    mode = -1;

    if (json_is_string(value)) {
        s = (rooms_str_t) { json_string_length(value),
                            (u_char *) json_string_value(value) };
        mode = ngx_rooms_mode_parse(s);
    }

    return mode > NGX_ROOMS_MODE_INHERIT
           ? NGX_OK
           : ngx_rooms_invalid(rq, "default_mode", "must be \"all\", "
                               "\"mentions\" or \"none\"");
}


/*
 * The number of preferences after this request.  The commit guards the number
 * before it.
 */
static ngx_int_t
ngx_rooms_preferences_count(ngx_rooms_req_t *rq, redisReply *had)
{
    size_t       i;
    json_t      *value;
    ngx_int_t    n;
    const char  *name;

    n = had->elements / 2;

    json_object_foreach(rq->body, name, value) {

        for (i = 0; i + 1 < had->elements; i += 2) {
            if (rooms_str_eq(ngx_rooms_reply_str(had->element[i]),
                             rooms_cstr(name)))
            {
                break;
            }
        }

        if (i + 1 < had->elements) {
            n -= json_is_null(value);

        } else {
            n += !json_is_null(value);
        }
    }

    return n;
}


ngx_int_t
ngx_rooms_preferences_decide(ngx_rooms_req_t *rq)
{
    json_t               *value;
    const char           *name;
    redisReply           *had;
    rooms_str_t           key, json;
    ngx_rooms_commit_t   *c;

    had = rq->asked_batch->replies[0];

    json_object_foreach(rq->body, name, value) {
        if (ngx_rooms_preference_check(rq, name, value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_rooms_preferences_count(rq, had) > NGX_ROOMS_PREFERENCES_MAX) {
        return ngx_rooms_invalid(rq, "body", "would make more than 64 "
                                             "preferences");
    }

    if (json_object_size(rq->body) == 0) {
        return NGX_OK;
    }

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    c = &rq->commit;
    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_USER_PREFERENCES,
                        rq->principal.sub);

    ngx_rooms_commit_guard_count(c, "HLEN", key, had->elements / 2);

    json_object_foreach(rq->body, name, value) {

        if (ngx_rooms_preference_value(rq, value, &json) != NGX_OK) {
            return NGX_ERROR;
        }

        if (json.data) {
            ngx_rooms_commit_write(c, "HSET", key, rooms_cstr(name), json);

        } else {
            ngx_rooms_commit_write(c, "HDEL", key, rooms_cstr(name));
        }
    }

    return c->failed ? NGX_ERROR : NGX_OK;
}


static void
ngx_rooms_preference_put(ngx_rooms_req_t *rq, rooms_str_t name,
    rooms_str_t value)
{
    rooms_buf_t  *b;

    if (rooms_utf8_length(name) < 0 || !rooms_json_valid(value)) {
        ngx_rooms_unreadable(rq->r->connection->log, "preference", name);
        return;
    }

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, ",%s:", name);
    rooms_json_raw(b, value.data, value.len);
}


/* The stored preferences, overlaid with those of the request. */
ngx_int_t
ngx_rooms_preferences_show(ngx_rooms_req_t *rq)
{
    size_t        i;
    json_t       *value;
    const char   *name;
    redisReply   *had;
    rooms_buf_t  *b;
    rooms_str_t   mode, field, json;

    had = rq->asked_batch->replies[0];
    mode = ngx_rooms_s("\"mentions\"");

    for (i = 0; i + 1 < had->elements; i += 2) {
        field = ngx_rooms_reply_str(had->element[i]);

        if (rooms_str_eq(field, ngx_rooms_s("default_mode"))) {
            mode = ngx_rooms_reply_str(had->element[i + 1]);
        }
    }

    if (!rooms_json_valid(mode)) {
        mode = ngx_rooms_s("\"mentions\"");
    }

    value = rq->body ? json_object_get(rq->body, "default_mode") : NULL;

    if (value) {
        mode = ngx_rooms_s("\"mentions\"");

        if (json_is_string(value)
            && ngx_rooms_preference_value(rq, value, &mode) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    b = ngx_rooms_out(&rq->out);
    rooms_json_lit(b, "{\"data\":{\"default_mode\":");
    rooms_json_raw(b, mode.data, mode.len);

    for (i = 0; i + 1 < had->elements; i += 2) {
        field = ngx_rooms_reply_str(had->element[i]);

        if (!rooms_str_eq(field, ngx_rooms_s("default_mode"))
            && (rq->body == NULL
                || json_object_get(rq->body, (char *) ngx_rooms_dup(rq->pool,
                                                     field).data) == NULL))
        {
            ngx_rooms_preference_put(rq, field,
                              ngx_rooms_reply_str(had->element[i + 1]));
        }
    }

    json_object_foreach(rq->body, name, value) {

        if (json_is_null(value) || ngx_strcmp(name, "default_mode") == 0) {
            continue;
        }

        if (ngx_rooms_preference_value(rq, value, &json) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_rooms_preference_put(rq, rooms_cstr(name), json);
    }

    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
