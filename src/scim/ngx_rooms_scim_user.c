/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * /scim/v2/Users.  A User is stored as it was sent, beside the participant's
 * row, and can be found by userName, externalId and address.  Each change is
 * one commit of both.  A deactivation continues like any other.
 *
 *   POST, PUT, PATCH, DELETE:  ANNOUNCED -> READ -> KEYS -> commit
 *   GET of one:                READ
 *   GET of a list:             FOUND -> LIST
 */

#include "ngx_rooms_scim.h"
#include "ngx_rooms_auth.h"
#include "ngx_rooms_offboard.h"


#define NGX_ROOMS_SCIM_PAGE   200
#define NGX_ROOMS_SCIM_SIZE   (32 * 1024)  /* of a stored resource, bytes */
#define NGX_ROOMS_SCIM_EMAIL  254
#define NGX_ROOMS_SCIM_PHOTO  2048


typedef enum {
    NGX_ROOMS_SCIM_BEGIN = 0,
    NGX_ROOMS_SCIM_ANNOUNCED,
    NGX_ROOMS_SCIM_READ,
    NGX_ROOMS_SCIM_KEYS,
    NGX_ROOMS_SCIM_FOUND,                  /* the ids of a list */
    NGX_ROOMS_SCIM_LIST
} ngx_rooms_scim_round_e;

typedef struct {
    rooms_str_t           id;
    ngx_uint_t            slot;            /* of the tenant's keys */

    /* as it is stored */
    rooms_str_t           row;             /* NULL: there is none */
    json_t               *kept;
    int64_t               created;         /* ms */
    int64_t               modified;
    rooms_str_t           name;            /* keys that find it, or NULL */
    rooms_str_t           external;

    /* as it will be stored */
    json_t               *user;
    rooms_scim_user_t     u;
    rooms_str_t           new_name;
    rooms_str_t           new_external;

    /* the participant */
    rooms_str_t           had;
    ngx_rooms_profile_t   profile;
    unsigned              exists:1;
    rooms_str_t           erase;
    rooms_str_t           erased;
    rooms_str_t           wish;            /* local id */
    rooms_str_t           owner;

    /* a list */
    rooms_str_t           filter;
    rooms_scim_key_t      key;
    int64_t               start;
    int64_t               count;
    int64_t               total;
    rooms_str_t          *ids;             /* start with the third element */
    json_t               *resources;
} ngx_rooms_scim_ctx_t;


static ngx_int_t ngx_rooms_scim_load(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_scim_create_decide(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_scim_change_decide(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_scim_delete_decide(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_scim_user_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_scim_gone_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_scim_list_load(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_scim_list_show(ngx_rooms_req_t *rq);


const ngx_rooms_endpoint_t  ngx_rooms_scim_user_rows[] = {

    { .method = NGX_HTTP_GET, .path = "/scim/v2/Users",
      .part = NGX_ROOMS_PART_SCIM, .flags = NGX_ROOMS_BULK,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_scim_list_load, .show = ngx_rooms_scim_list_show,
      .envelope = &ngx_rooms_scim_envelope },

    { .method = NGX_HTTP_POST, .path = "/scim/v2/Users",
      .part = NGX_ROOMS_PART_SCIM, .flags = NGX_ROOMS_BODY,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_scim_load, .decide = ngx_rooms_scim_create_decide,
      .show = ngx_rooms_scim_user_show,
      .envelope = &ngx_rooms_scim_envelope },

    { .method = NGX_HTTP_GET, .path = "/scim/v2/Users/{local}",
      .part = NGX_ROOMS_PART_SCIM, .op = ROOMS_OP_READ,
      .load = ngx_rooms_scim_load, .show = ngx_rooms_scim_user_show,
      .envelope = &ngx_rooms_scim_envelope },

    { .method = NGX_HTTP_PUT, .path = "/scim/v2/Users/{local}",
      .part = NGX_ROOMS_PART_SCIM, .flags = NGX_ROOMS_BODY,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_scim_load, .decide = ngx_rooms_scim_change_decide,
      .show = ngx_rooms_scim_user_show,
      .envelope = &ngx_rooms_scim_envelope },

    { .method = NGX_HTTP_PATCH, .path = "/scim/v2/Users/{local}",
      .part = NGX_ROOMS_PART_SCIM, .flags = NGX_ROOMS_BODY,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_scim_load, .decide = ngx_rooms_scim_change_decide,
      .show = ngx_rooms_scim_user_show,
      .envelope = &ngx_rooms_scim_envelope },

    { .method = NGX_HTTP_DELETE, .path = "/scim/v2/Users/{local}",
      .part = NGX_ROOMS_PART_SCIM, .op = ROOMS_OP_READ,
      .load = ngx_rooms_scim_load, .decide = ngx_rooms_scim_delete_decide,
      .show = ngx_rooms_scim_gone_show,
      .envelope = &ngx_rooms_scim_envelope },

    { .path = NULL }
};


static void
ngx_rooms_scim_free(void *data)
{
    ngx_rooms_scim_ctx_t *ctx = data;

    json_decref(ctx->kept);
    json_decref(ctx->user);
    json_decref(ctx->resources);
}


static ngx_rooms_scim_ctx_t *
ngx_rooms_scim_ctx(ngx_rooms_req_t *rq)
{
    ngx_rooms_scim_ctx_t  *ctx;

    ctx = ngx_rooms_owned(rq->pool, sizeof(ngx_rooms_scim_ctx_t),
                          ngx_rooms_scim_free);
    if (ctx == NULL) {
        return NULL;
    }
    rq->data = ctx;

    return ctx;
}


static ngx_int_t
ngx_rooms_scim_refuse(ngx_rooms_req_t *rq, const rooms_scim_fault_t *fault)
{
    rq->error_problem = ROOMS_NULL;

    return ngx_rooms_scim_fail(rq, ROOMS_E_VALIDATION, fault->type,
                               fault->detail);
}


/* userName is compared ignoring case. */
static rooms_str_t
ngx_rooms_scim_fold(ngx_pool_t *pool, rooms_str_t s)
{
    u_char  *p;

    if (s.data == NULL) {
        return ROOMS_NULL;
    }

    p = ngx_pnalloc(pool, s.len + 1);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    ngx_strlow(p, (u_char *) s.data, s.len);

    return (rooms_str_t) { s.len, p };
}


/*
 * Parses {"created": ms, "modified": ms, "user": {...}}; NULL: it is invalid.
 */
static json_t *
ngx_rooms_scim_parse(rooms_str_t row, int64_t *created, int64_t *modified)
{
    json_t  *tree, *user;

    tree = json_loadb((const char *) row.data, row.len, 0, NULL);
    user = json_object_get(tree, "user");

    if (!json_is_object(user)) {
        json_decref(tree);
        return NULL;
    }

    *created = json_integer_value(json_object_get(tree, "created"));
    *modified = json_integer_value(json_object_get(tree, "modified"));

    json_incref(user);
    json_decref(tree);

    return user;
}


static ngx_int_t
ngx_rooms_scim_ask(ngx_rooms_req_t *rq)
{
    ngx_rooms_batch_t     *b;
    ngx_rooms_scim_ctx_t  *ctx;

    ctx = rq->data;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s", NGX_ROOMS_KEY_SCIM,
                         ROOMS_NULL, ctx->id);
    (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL, ctx->id);
    (void) ngx_rooms_ask(b, &rq->keys, "HMGET %k %s %s",
                         NGX_ROOMS_KEY_USER_OFFBOARD, ctx->id,
                         ngx_rooms_s(NGX_ROOMS_OFF_ERASE),
                         ngx_rooms_s(NGX_ROOMS_OFF_ERASED));

    if (b->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_SCIM_READ);
}


/* Makes the new User: what was sent, or the stored one with the update. */
static ngx_int_t
ngx_rooms_scim_make(ngx_rooms_req_t *rq, ngx_rooms_scim_ctx_t *ctx)
{
    rooms_scim_fault_t  fault;

    json_decref(ctx->user);

    ctx->user = rq->endpoint->method == NGX_HTTP_PATCH
                ? json_deep_copy(ctx->kept) : json_deep_copy(rq->body);

    if (ctx->user == NULL) {
        return NGX_ERROR;
    }

    if (rq->endpoint->method == NGX_HTTP_PATCH
        && rooms_scim_patch(ctx->user, rq->body, &fault) != 0)
    {
        return ngx_rooms_scim_refuse(rq, &fault);
    }

    if (rooms_scim_normalize(ctx->user, &fault) != 0
        || rooms_scim_user(ctx->user, &ctx->u, &fault) != 0)
    {
        return ngx_rooms_scim_refuse(rq, &fault);
    }

    ctx->new_name = ngx_rooms_scim_fold(rq->pool, ctx->u.user_name);
    ctx->new_external = ctx->u.external_id;

    return ctx->new_name.data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_scim_begin(ngx_rooms_req_t *rq, ngx_rooms_scim_ctx_t *ctx)
{
    rooms_str_t         server;
    rooms_scim_fault_t  fault;

    ctx->slot = rq->keys.slot;

    if (rq->endpoint->method == NGX_HTTP_POST) {

        if (ngx_rooms_scim_make(rq, ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        ctx->id = ctx->u.external_id.data ? ctx->u.external_id
                                          : ctx->u.user_name;

        if (!rooms_participant_valid(ctx->id)
            || rooms_foreign(ctx->id, ROOMS_NULL, &server))
        {
            fault.type = "invalidValue";
            fault.detail = "externalId, or userName without one, becomes the "
                           "participant's id: 1 to 255 visible ASCII "
                           "characters, not in the form @local:server";
            return ngx_rooms_scim_refuse(rq, &fault);
        }

    } else {
        ctx->id = rq->param[NGX_ROOMS_P_LOCAL];

        if (!rooms_participant_valid(ctx->id)) {
            return ngx_rooms_scim_fail(rq, ROOMS_E_PARTICIPANT, NULL,
                                       "there is no such User");
        }
    }

    if (rq->endpoint->method == NGX_HTTP_GET) {
        return ngx_rooms_scim_ask(rq);
    }

    /*
     * a deactivation may follow, which must be announced first
     * (ngx_rooms_offboard.c)
     */

    return ngx_rooms_offboard_announce(rq, NGX_ROOMS_SCIM_ANNOUNCED);
}


/* A resource's version, for If-Match (RFC 7644, section 3.14). */
static rooms_str_t
ngx_rooms_scim_version(ngx_pool_t *pool, rooms_str_t row)
{
    u_char    *p;
    uint32_t   a, b;

    p = ngx_pnalloc(pool, 24);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    a = ngx_crc32_long((u_char *) row.data, row.len);
    b = ngx_murmur_hash2((u_char *) row.data, row.len);

    return (rooms_str_t) { ngx_sprintf(p, "W/\"%08xD%08xD\"", a, b) - p, p };
}


/*
 * All versions are weak tags, which RFC 7644 allows in If-Match.  A proxy may
 * have left out the "W/".
 */
static ngx_uint_t
ngx_rooms_scim_listed(rooms_str_t list, rooms_str_t version)
{
    size_t       weak;
    rooms_str_t  tag;

    for ( ;; ) {
        tag = ngx_rooms_etag_next(&list);

        if (tag.data == NULL) {
            return 0;
        }

        weak = tag.data[0] == 'W' ? 0 : sizeof("W/") - 1;

        if (tag.len == version.len - weak
            && ngx_memcmp(tag.data, version.data + weak, tag.len) == 0)
        {
            return 1;
        }
    }
}


static ngx_int_t
ngx_rooms_scim_matches(ngx_rooms_req_t *rq, ngx_rooms_scim_ctx_t *ctx)
{
    rooms_str_t  match, version;

    match = ngx_rooms_header_in(rq->r, "If-Match");

    if (match.data == NULL || (match.len == 1 && match.data[0] == '*')
        || ctx->kept == NULL)
    {
        return NGX_OK;
    }

    version = ngx_rooms_scim_version(rq->pool, ctx->row);

    return version.data && ngx_rooms_scim_listed(match, version)
           ? NGX_OK
           : ngx_rooms_scim_fail(rq, NGX_ROOMS_E_PRECONDITION, NULL,
                                 "the User has changed since it was read");
}


static ngx_int_t
ngx_rooms_scim_take(ngx_rooms_req_t *rq, ngx_rooms_scim_ctx_t *ctx)
{
    ngx_int_t           rc;
    rooms_scim_user_t   was;
    rooms_scim_fault_t  fault;

    ctx->row = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));
    ctx->had = ngx_rooms_reply_str(ngx_rooms_reply(rq, 1));
    ctx->erase = ngx_rooms_reply_str_at(ngx_rooms_reply(rq, 2), 0);
    ctx->erased = ngx_rooms_reply_str_at(ngx_rooms_reply(rq, 2), 1);

    rc = ngx_rooms_parse_profile(rq->pool, ctx->had, ctx->id, &ctx->profile);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    ctx->exists = rc == NGX_OK;

    json_decref(ctx->kept);
    ctx->kept = ctx->row.data ? ngx_rooms_scim_parse(ctx->row, &ctx->created,
                                                     &ctx->modified)
                              : NULL;

    if (ctx->row.data && (ctx->kept == NULL
                          || rooms_scim_user(ctx->kept, &was, &fault) != 0))
    {
        ngx_rooms_unreadable(rq->r->connection->log, "SCIM user", ctx->id);
        return NGX_ERROR;
    }

    if (rq->endpoint->method == NGX_HTTP_POST) {

        if (ctx->kept) {
            return ngx_rooms_scim_fail(rq, NGX_ROOMS_E_PARTICIPANT_EXISTS,
                                       "uniqueness",
                                       "the User exists already");
        }

    } else if (ctx->kept == NULL) {
        return ngx_rooms_scim_fail(rq, ROOMS_E_PARTICIPANT, NULL,
                                   "there is no such User");
    }

    if (ctx->kept) {
        ctx->name = ngx_rooms_scim_fold(rq->pool, was.user_name);
        ctx->external = was.external_id;
    }

    return ngx_rooms_scim_matches(rq, ctx);
}


/* Asks who has the names that this User wants. */
static ngx_int_t
ngx_rooms_scim_ask_keys(ngx_rooms_req_t *rq, ngx_rooms_scim_ctx_t *ctx)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    ctx->wish = ngx_rooms_local_wish(rq, ctx->id);

    if (ctx->wish.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s", NGX_ROOMS_KEY_SCIM_NAMES,
                         ROOMS_NULL, ctx->new_name);
    (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_SCIM_EXTERNALS, ROOMS_NULL,
                         ctx->new_external);
    (void) ngx_rooms_ask(b, &rq->keys, "HGET %k %s", NGX_ROOMS_KEY_LOCALS,
                         ROOMS_NULL, ctx->wish);

    if (b->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_SCIM_KEYS);
}


static ngx_int_t
ngx_rooms_scim_load(ngx_rooms_req_t *rq)
{
    ngx_uint_t             i;
    rooms_str_t            owner;
    ngx_rooms_scim_ctx_t  *ctx;

    ctx = rq->data;

    switch (rq->round) {

    case NGX_ROOMS_SCIM_BEGIN:

        ctx = ngx_rooms_scim_ctx(rq);

        return ctx ? ngx_rooms_scim_begin(rq, ctx) : NGX_ERROR;

    case NGX_ROOMS_SCIM_ANNOUNCED:
        rq->keys.slot = ctx->slot;
        return ngx_rooms_scim_ask(rq);

    case NGX_ROOMS_SCIM_READ:

        if (ngx_rooms_scim_take(rq, ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        if (rq->endpoint->method & (NGX_HTTP_GET|NGX_HTTP_DELETE)) {
            return NGX_OK;
        }

        if (rq->endpoint->method != NGX_HTTP_POST
            && ngx_rooms_scim_make(rq, ctx) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_rooms_scim_ask_keys(rq, ctx);

    default:

        for (i = 0; i < 2; i++) {
            owner = ngx_rooms_reply_str(ngx_rooms_reply(rq, i));

            if (owner.data && !rooms_str_eq(owner, ctx->id)) {
                return ngx_rooms_scim_fail(rq, NGX_ROOMS_E_PARTICIPANT_EXISTS,
                                           "uniqueness", i == 0
                                           ? "the userName is another User's"
                                           : "the externalId is another "
                                             "User's");
            }
        }

        ctx->owner = ngx_rooms_reply_str(ngx_rooms_reply(rq, 2));

        return NGX_OK;
    }
}


/*
 * Updates an index that finds the User: removes the old key, adds the new
 * one, and guards that the new one was free.
 */
static void
ngx_rooms_scim_index(ngx_rooms_req_t *rq, ngx_rooms_key_e kind,
    rooms_str_t was, rooms_str_t is)
{
    rooms_str_t            key;
    ngx_rooms_scim_ctx_t  *ctx;

    ctx = rq->data;

    if (rooms_str_eq(was, is)) {
        return;
    }

    key = ngx_rooms_key(&rq->keys, kind, ROOMS_NULL);

    if (was.data) {
        ngx_rooms_commit_write(&rq->commit, "HDEL", key, was);
    }

    if (is.data) {
        ngx_rooms_commit_guard_field(&rq->commit, key, is, ROOMS_NULL);
        ngx_rooms_commit_write(&rq->commit, "HSET", key, is, ctx->id);
    }
}


static ngx_int_t
ngx_rooms_scim_keep(ngx_rooms_req_t *rq, ngx_rooms_scim_ctx_t *ctx)
{
    char         *text;
    json_t       *tree;
    rooms_str_t   key, row;

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_SCIM, ROOMS_NULL);

    ctx->created = ctx->kept ? ctx->created : rq->now;
    ctx->modified = rq->now;

    tree = json_pack("{s:I, s:I, s:O}", "created", (json_int_t) ctx->created,
                     "modified", (json_int_t) ctx->modified, "user",
                     ctx->user);
    text = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);

    if (text == NULL) {
        return NGX_ERROR;
    }

    row = ngx_rooms_dup(rq->pool, rooms_cstr(text));
    free(text);

    if (row.len > NGX_ROOMS_SCIM_SIZE) {
        return ngx_rooms_scim_fail(rq, NGX_ROOMS_E_BODY_TOO_LARGE, NULL,
                                   "a User has at most 32768 bytes");
    }

    ngx_rooms_commit_guard_field(&rq->commit, key, ctx->id, ctx->row);
    ngx_rooms_commit_write(&rq->commit, "HSET", key, ctx->id, row);

    if (ctx->kept == NULL) {
        ngx_rooms_commit_write(&rq->commit, "ZADD",
                               ngx_rooms_key(&rq->keys,
                                             NGX_ROOMS_KEY_SCIM_LIST,
                                             ROOMS_NULL),
                               ngx_rooms_number(rq->pool, ctx->created),
                               ctx->id);
    }

    ngx_rooms_scim_index(rq, NGX_ROOMS_KEY_SCIM_NAMES, ctx->name,
                         ctx->new_name);
    ngx_rooms_scim_index(rq, NGX_ROOMS_KEY_SCIM_EXTERNALS, ctx->external,
                         ctx->new_external);

    ctx->row = row;

    return row.data ? NGX_OK : NGX_ERROR;
}


/* Copies the User's attributes to the participant. */
static ngx_int_t
ngx_rooms_scim_person(ngx_rooms_req_t *rq, ngx_rooms_scim_ctx_t *ctx)
{
    u_char                   *p;
    size_t                    i;
    rooms_str_t               raw, name, s;
    ngx_rooms_profile_t      *person;
    const rooms_scim_user_t  *u;

    u = &ctx->u;
    person = &ctx->profile;
    raw = u->display_name;

    if (raw.data == NULL && (u->given.data || u->family.data)) {
        raw = ngx_rooms_join(rq->pool, u->given,
                             u->given.data && u->family.data
                             ? ngx_rooms_s(" ") : ROOMS_NULL, u->family);
    }

    if (raw.data == NULL) {
        raw = u->user_name;
    }

    p = ngx_pnalloc(rq->pool, ROOMS_NAME_SIZE);
    if (p == NULL) {
        return NGX_ERROR;
    }

    name = rooms_display_name(raw, p);

    if (name.data) {
        /* so later tokens don't change it */
        person->name = name;
        person->own_name = !person->provisioned;
    }

    s = u->email;

    for (i = 0; i < s.len && s.data[i] > 0x20 && s.data[i] != 0x7f; i++) {
        /* void */
    }

    person->email = s.data && i == s.len && s.len <= NGX_ROOMS_SCIM_EMAIL
                    && ngx_strlchr((u_char *) s.data + 1,
                                   (u_char *) s.data + s.len - 1, '@')
                    ? s : ROOMS_NULL;

    s = u->photo;

    for (i = 0; i < s.len && s.data[i] > 0x20 && s.data[i] < 0x7f
                && s.data[i] != '"' && s.data[i] != '<' && s.data[i] != '>'
                && s.data[i] != '\\'; i++) { /* void */ }

    if (s.data && i == s.len && s.len <= NGX_ROOMS_SCIM_PHOTO
        && s.len > sizeof("https://") - 1
        && ngx_strncasecmp((u_char *) s.data, (u_char *) "https://",
                           sizeof("https://") - 1) == 0)
    {
        person->avatar = s;

    } else if (s.data == NULL) {
        person->avatar = ROOMS_NULL;
    }

    return NGX_OK;
}


/* Writes the participant's row, and begins or ends a deactivation. */
static ngx_int_t
ngx_rooms_scim_apply(ngx_rooms_req_t *rq, ngx_rooms_scim_ctx_t *ctx)
{
    ngx_uint_t            was;
    ngx_rooms_commit_t   *c;
    ngx_rooms_profile_t  *p;

    c = &rq->commit;
    p = &ctx->profile;
    was = ctx->exists && p->deactivated;

    if (was && ctx->erase.data && ctx->erased.data == NULL) {
        rq->error_field = ROOMS_NULL;
        return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT,
                              "the participant is being erased");
    }

    p->deactivated = !ctx->u.active;

    if (was && ctx->erase.data && p->deactivated) {
        rq->error_field = ROOMS_NULL;
        return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT,
                              NGX_ROOMS_OFFBOARD_ERASED_TEXT);
    }

    if (ctx->exists) {
        ngx_rooms_apply_person(c, &rq->keys, ctx->had, p, rq->now);

    } else {
        p->local = ngx_rooms_local_free(rq, ctx->wish, ctx->id, ctx->owner);

        if (p->local.data == NULL) {
            return NGX_ERROR;
        }

        if (!rooms_str_eq(p->local, ctx->wish)) {
            ctx->owner = ROOMS_NULL;
        }

        ngx_rooms_apply_newcomer(c, &rq->keys, p, ctx->owner, rq->now);
    }

    if (p->deactivated && !was) {
        ngx_rooms_offboard_begin(c, &rq->keys, ctx->id, rq->principal.sub,
                                 rq->now);

    } else if (was && !p->deactivated) {
        ngx_rooms_offboard_undo(c, &rq->keys, ctx->id, ctx->erase);
    }

    return c->failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_rooms_scim_write(ngx_rooms_req_t *rq)
{
    ngx_rooms_scim_ctx_t  *ctx;

    ctx = rq->data;

    if (ctx->exists && ctx->profile.server.data) {
        return ngx_rooms_scim_fail(rq, NGX_ROOMS_E_PARTICIPANT_EXISTS,
                                   "uniqueness",
                                   "the id belongs to a participant of "
                                   "another server");
    }

    if (!ctx->exists) {
        ngx_memzero(&ctx->profile, sizeof(ngx_rooms_profile_t));
        ctx->profile.id = ctx->id;
        ctx->profile.type = ngx_rooms_s("human");
        ctx->profile.provisioned = 1;
        ctx->profile.name = ngx_rooms_local_name(rq, ctx->id);
        ctx->profile.workspace = ngx_rooms_id(rq, "ws-");

        if (ctx->profile.workspace.data == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_rooms_scim_person(rq, ctx) != NGX_OK
        || ngx_rooms_begin(rq) != NGX_OK
        || ngx_rooms_scim_keep(rq, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_scim_apply(rq, ctx);
}


static ngx_int_t
ngx_rooms_scim_create_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_scim_ctx_t  *ctx;

    ctx = rq->data;

    if (ngx_rooms_scim_write(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    rq->status = NGX_HTTP_CREATED;
    rq->location = ngx_rooms_scim_url(rq, "/scim/v2/Users/", ctx->id);

    return rq->location.data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_scim_change_decide(ngx_rooms_req_t *rq)
{
    return ngx_rooms_scim_write(rq);
}


/* Removes the User and deactivates the participant. */
static ngx_int_t
ngx_rooms_scim_delete_decide(ngx_rooms_req_t *rq)
{
    rooms_str_t            key;
    ngx_rooms_commit_t    *c;
    ngx_rooms_scim_ctx_t  *ctx;

    ctx = rq->data;
    c = &rq->commit;

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_SCIM, ROOMS_NULL);

    ngx_rooms_commit_guard_field(c, key, ctx->id, ctx->row);
    ngx_rooms_commit_write(c, "HDEL", key, ctx->id);
    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_SCIM_LIST,
                                         ROOMS_NULL), ctx->id);
    ngx_rooms_scim_index(rq, NGX_ROOMS_KEY_SCIM_NAMES, ctx->name, ROOMS_NULL);
    ngx_rooms_scim_index(rq, NGX_ROOMS_KEY_SCIM_EXTERNALS, ctx->external,
                         ROOMS_NULL);

    if (ctx->exists && !ctx->profile.deactivated
        && ctx->profile.server.data == NULL)
    {
        ctx->profile.deactivated = 1;
        ngx_rooms_apply_person(c, &rq->keys, ctx->had, &ctx->profile,
                               rq->now);
        ngx_rooms_offboard_begin(c, &rq->keys, ctx->id, rq->principal.sub,
                                 rq->now);
    }

    return c->failed ? NGX_ERROR : NGX_OK;
}


static json_t *
ngx_rooms_scim_time(int64_t ms)
{
    u_char  text[ROOMS_TIME_LEN];

    (void) rooms_time_format(text, ms);

    return json_stringn((char *) text, sizeof(text));
}


/* Makes the resource that is shown; doesn't change `user`. */
static json_t *
ngx_rooms_scim_resource(ngx_rooms_req_t *rq, rooms_str_t id,
    const json_t *user, rooms_str_t row, int64_t created, int64_t modified)
{
    json_t       *tree, *schemas;
    rooms_str_t   url, version;

    url = ngx_rooms_scim_url(rq, "/scim/v2/Users/", id);
    version = ngx_rooms_scim_version(rq->pool, row);
    tree = json_copy((json_t *) user);
    schemas = json_pack("[s]", ROOMS_SCIM_USER);

    if (url.data == NULL || version.data == NULL || tree == NULL
        || schemas == NULL)
    {
        json_decref(tree);
        json_decref(schemas);
        return NULL;
    }

    if (json_object_get(tree, ROOMS_SCIM_ENTERPRISE)) {
        (void) json_array_append_new(schemas,
                                     json_string(ROOMS_SCIM_ENTERPRISE));
    }

    (void) json_object_set_new(tree, "schemas", schemas);
    (void) json_object_set_new(tree, "id",
                               json_stringn((const char *) id.data, id.len));
    (void) json_object_set_new(tree, "meta",
        json_pack("{s:s, s:o, s:o, s:s%, s:s%}", "resourceType", "User",
                  "created", ngx_rooms_scim_time(created),
                  "lastModified", ngx_rooms_scim_time(modified),
                  "location", (const char *) url.data, url.len,
                  "version", (const char *) version.data, version.len));

    return tree;
}


static ngx_int_t
ngx_rooms_scim_user_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_scim_ctx_t  *ctx;

    ctx = rq->data;

    if (rq->committing) {
        ngx_rooms_offboard_poke(rq->conf);
    }

    rq->etag = ngx_rooms_scim_version(rq->pool, ctx->row);

    return ngx_rooms_scim_put(rq, ngx_rooms_scim_resource(rq, ctx->id,
                              ctx->user ? ctx->user : ctx->kept, ctx->row,
                              ctx->created, ctx->modified));
}


static ngx_int_t
ngx_rooms_scim_gone_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_offboard_poke(rq->conf);
    rq->status = NGX_HTTP_NO_CONTENT;

    return NGX_OK;
}


/* A list */


/*
 * Reads a whole number; one out of range becomes the nearest allowed one (RFC
 * 7644, section 3.4.2.4).
 */
static ngx_int_t
ngx_rooms_scim_number(ngx_rooms_req_t *rq, const char *name, int64_t least,
    int64_t most, int64_t otherwise, int64_t *value)
{
    ngx_int_t    rc, n;
    ngx_uint_t   minus;
    rooms_str_t  s;

    rc = ngx_rooms_arg(rq, name, &s);

    if (rc != NGX_OK) {
        *value = otherwise;
        return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
    }

    minus = s.len > 1 && s.data[0] == '-';
    n = ngx_atoi((u_char *) s.data + minus, s.len - minus);

    if (n == NGX_ERROR) {
        rq->error_problem = ROOMS_NULL;
        return ngx_rooms_scim_fail(rq, ROOMS_E_VALIDATION, "invalidValue",
                                   "startIndex and count are whole numbers");
    }

    *value = ngx_max(minus ? least : ngx_min(n, most), least);

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_scim_arguments(ngx_rooms_req_t *rq, ngx_rooms_scim_ctx_t *ctx)
{
    ngx_int_t           rc;
    rooms_scim_fault_t  fault;

    if (ngx_rooms_scim_number(rq, "startIndex", 1, INT32_MAX, 1, &ctx->start)
        != NGX_OK
        || ngx_rooms_scim_number(rq, "count", 0, NGX_ROOMS_SCIM_PAGE, 100,
                                 &ctx->count) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_rooms_arg(rq, "filter", &ctx->filter);

    if (rc != NGX_OK) {
        ctx->filter = ROOMS_NULL;
        return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
    }

    fault.type = "invalidFilter";

    if (rooms_scim_key(ctx->filter, &ctx->key) != 0) {
        fault.detail = "the filter can't be read";
        return ngx_rooms_scim_refuse(rq, &fault);
    }

    if (ctx->key.by == ROOMS_SCIM_BY_NONE) {
        fault.detail = "a filter needs userName, externalId, id or "
                       "emails.value with eq";
        return ngx_rooms_scim_refuse(rq, &fault);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_scim_list_ask(ngx_rooms_req_t *rq, ngx_rooms_scim_ctx_t *ctx)
{
    rooms_str_t         value, list;
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_batch(rq);
    if (b == NULL) {
        return NGX_ERROR;
    }

    value = (rooms_str_t) { ctx->key.len, ctx->key.value };

    switch (ctx->key.by) {

    case ROOMS_SCIM_BY_USER_NAME:
        (void) ngx_rooms_ask(b, &rq->keys, "HMGET %k %s",
                             NGX_ROOMS_KEY_SCIM_NAMES, ROOMS_NULL,
                             ngx_rooms_scim_fold(rq->pool, value));
        break;

    case ROOMS_SCIM_BY_EXTERNAL_ID:
        (void) ngx_rooms_ask(b, &rq->keys, "HMGET %k %s",
                             NGX_ROOMS_KEY_SCIM_EXTERNALS, ROOMS_NULL, value);
        break;

    case ROOMS_SCIM_BY_EMAIL:
        value = ngx_rooms_person_email(rq->pool, value);
        (void) ngx_rooms_ask(b, &rq->keys,
                             "ZRANGEBYLEX %k [=%s%_ (=%s! LIMIT 0 %d",
                             NGX_ROOMS_KEY_WORDS, ngx_rooms_s("people"), value,
                             value, (int64_t) NGX_ROOMS_SCIM_PAGE);
        break;

    case ROOMS_SCIM_BY_ID:
        /* the id is the key itself: nothing to search */
        break;

    default:
        list = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_SCIM_LIST, ROOMS_NULL);

        if (ctx->count) {
            (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGE"), list,
                             ngx_rooms_number(rq->pool, ctx->start - 1),
                             ngx_rooms_number(rq->pool,
                                              ctx->start - 2 + ctx->count));
        }

        (void) ngx_rooms_command(b, ngx_rooms_s("ZCARD"), list);
    }

    if (b->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_SCIM_FOUND;

    return b->commands.nelts ? ngx_rooms_send(rq)
                             : ngx_rooms_scim_list_load(rq);
}


/* Reads the resources of the ids that were found. */
static ngx_int_t
ngx_rooms_scim_list_found(ngx_rooms_req_t *rq, ngx_rooms_scim_ctx_t *ctx)
{
    u_char       *space;
    ngx_uint_t    i, n, max;
    redisReply   *reply;
    rooms_str_t  *ids, id;

    reply = rq->batch->commands.nelts ? ngx_rooms_reply(rq, 0) : NULL;
    max = 1;

    if (ctx->key.by == ROOMS_SCIM_BY_NONE) {
        i = rq->batch->commands.nelts - 1;
        ctx->total = ngx_rooms_reply_int(ngx_rooms_reply(rq, i), 0);
        reply = i ? reply : NULL;
    }

    if (reply && reply->type == REDIS_REPLY_ARRAY) {
        max = reply->elements;
    }

    ids = ngx_palloc(rq->pool, max * sizeof(rooms_str_t));
    if (ids == NULL) {
        return NGX_ERROR;
    }

    n = 0;

    if (ctx->key.by == ROOMS_SCIM_BY_ID) {
        ids[n++] = ngx_rooms_dup(rq->pool, (rooms_str_t) { ctx->key.len,
                                                           ctx->key.value });
    }

    for (i = 0; reply && i < reply->elements; i++) {
        id = ngx_rooms_reply_str(reply->element[i]);

        if (ctx->key.by == ROOMS_SCIM_BY_EMAIL && id.data) {

            /* "=EMAIL ID" */

            for (space = (u_char *) id.data + id.len;
                 space > id.data && space[-1] != ' '; space--) { /* void */ }

            id.len -= space - id.data;
            id.data = space;
        }

        if (id.data) {
            ids[n++] = id;
        }
    }

    ctx->resources = json_array();

    if (ctx->resources == NULL) {
        return NGX_ERROR;
    }

    if (n == 0) {
        return NGX_OK;
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_ask_many(rq->batch, &rq->keys, "HMGET",
                              NGX_ROOMS_KEY_SCIM, ROOMS_NULL, ids, n)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->ids = ids;
    return ngx_rooms_send_round(rq, NGX_ROOMS_SCIM_LIST);
}


static ngx_int_t
ngx_rooms_scim_list_take(ngx_rooms_req_t *rq, ngx_rooms_scim_ctx_t *ctx)
{
    json_t       *user, *resource;
    int64_t       created, modified, at;
    ngx_uint_t    i;
    redisReply   *rows;
    rooms_str_t   row, *ids;

    rows = ngx_rooms_reply(rq, 0);
    ids = ctx->ids;
    at = 0;

    for (i = 0; i < rows->elements; i++) {
        row = ngx_rooms_reply_str_at(rows, i);

        if (row.data == NULL) {
            continue;
        }

        user = ngx_rooms_scim_parse(row, &created, &modified);

        if (user == NULL) {
            ngx_rooms_unreadable(rq->r->connection->log, "SCIM user", ids[i]);
            continue;
        }

        resource = ngx_rooms_scim_resource(rq, ids[i], user, row, created,
                                           modified);
        json_decref(user);

        if (resource == NULL) {
            return NGX_ERROR;
        }

        if (ctx->filter.data) {

            if (rooms_scim_match(ctx->filter, resource) != 1) {
                json_decref(resource);
                continue;
            }

            ctx->total++;

            if (++at < ctx->start || at >= ctx->start + ctx->count) {
                json_decref(resource);
                continue;
            }
        }

        if (json_array_append_new(ctx->resources, resource) != 0) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_scim_list_load(ngx_rooms_req_t *rq)
{
    ngx_rooms_scim_ctx_t  *ctx;

    switch (rq->round) {

    case NGX_ROOMS_SCIM_BEGIN:

        ctx = ngx_rooms_scim_ctx(rq);

        return ctx && ngx_rooms_scim_arguments(rq, ctx) == NGX_OK
               ? ngx_rooms_scim_list_ask(rq, ctx) : NGX_ERROR;

    case NGX_ROOMS_SCIM_FOUND:
        return ngx_rooms_scim_list_found(rq, rq->data);

    default:
        return ngx_rooms_scim_list_take(rq, rq->data);
    }
}


static ngx_int_t
ngx_rooms_scim_list_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_scim_ctx_t  *ctx;

    ctx = rq->data;

    return ngx_rooms_scim_put(rq, json_pack("{s:[s], s:I, s:I, s:I, s:O}",
                     "schemas",
                     "urn:ietf:params:scim:api:messages:2.0:ListResponse",
                     "totalResults", (json_int_t) ctx->total,
                     "startIndex", (json_int_t) ctx->start,
                     "itemsPerPage",
                     (json_int_t) json_array_size(ctx->resources),
                     "Resources", ctx->resources));
}
