/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * One participant, as other participants and as administrators see them.
 *
 * PUT /v1/admin/participants/{participant} creates one before their first
 * token arrives, or changes an existing one.  GET
 * /v1/participants/{participant} shows one.
 */

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_person.h"
#include "ngx_rooms_auth.h"


#define NGX_ROOMS_URL_MAX    2048
#define NGX_ROOMS_EMAIL_MAX  254


typedef struct {
    rooms_str_t  had;                  /* the stored row, or NULL */
    rooms_str_t  wish;                 /* the wanted local id */
    rooms_str_t  owner;                /* the participant who has it, or NULL */
    rooms_str_t  erase;                /* time of an erasure, running or
                                          done; or NULL */
    unsigned     exists:1;
} ngx_rooms_person_put_t;


/*
 * Finds who shares a room with the caller.  A read-only script.  For each
 * participant it walks the shorter of the two lists of rooms until it finds a
 * room that both have joined.  It stops after about 2000 rooms and answers
 * for the participants it has reached, at least one.
 *
 * KEYS: the caller's rooms, and the rooms of each participant.  ARGV: the
 * prefix of rooms' keys, the caller, and each participant.
 */
static ngx_rooms_script_t  ngx_rooms_shares_script = { ngx_string(
"local call = redis.call\n"
"local mine, out, steps = KEYS[1], {}, 0\n"
"local n = call('ZCARD', mine)\n"
"for i = 2, #KEYS do\n"
"  if steps > 2000 then break end\n"
"  local walk, look, found, at = mine, KEYS[i], 0, 0\n"
"  local other = ARGV[i + 1]\n"
"  if call('ZCARD', look) < n then walk, look = look, walk end\n"
"  if other == ARGV[2] then found = 1 end\n"
"  while found == 0 do\n"
"    local rooms = call('ZRANGE', walk, at, at + 99)\n"
"    if #rooms == 0 then break end\n"
"    at = at + 100\n"
"    for _, room in ipairs(rooms) do\n"
"      steps = steps + 1\n"
"      if call('ZSCORE', look, room) then\n"
"        local r = call('HMGET', ARGV[1] .. room .. ':members', ARGV[2],\n"
"                       other)\n"
"        if r[1] and r[2] and string.sub(r[1], 1, 5) == 'join '\n"
"           and string.sub(r[2], 1, 5) == 'join '\n"
"        then found = 1 break end\n"
"      end\n"
"    end\n"
"  end\n"
"  out[i - 1] = found\n"
"end\n"
"return out\n"), { 0 } };


static const char *const  ngx_rooms_person_types[] = {
    "human", "model", "agent", "helper", "bridge", "federated"
};


rooms_str_t
ngx_rooms_person_type(rooms_str_t s)
{
    size_t  i;

    for (i = 0; i < sizeof(ngx_rooms_person_types) / sizeof(char *); i++) {

        if (rooms_str_eq(s, rooms_cstr(ngx_rooms_person_types[i]))) {
            return rooms_cstr(ngx_rooms_person_types[i]);
        }
    }

    return ROOMS_NULL;
}


void
ngx_rooms_person_json(ngx_rooms_req_t *rq, rooms_buf_t *b,
    const ngx_rooms_profile_t *p)
{
    rooms_json_put(b, "{\"id\":%s,\"local_id\":%s,\"server_name\":%s,"
                   "\"fqid\":", p->id, p->local,
           p->server.data ? p->server : rooms_from_ngx(rq->conf->server_name));
    ngx_rooms_fqid_json(b, p, &rq->conf->server_name);
    rooms_json_put(b, ",\"display_name\":%s,\"participant_type\":%s,"
                   "\"avatar_url\":%s,\"deactivated\":", p->name, p->type,
                   p->avatar);
    rooms_json_bool(b, p->deactivated);
}


void
ngx_rooms_person_admin_json(ngx_rooms_req_t *rq, rooms_buf_t *b,
    const ngx_rooms_profile_t *p, redisReply *seen, redisReply *rooms)
{
    int64_t  day;

    day = ngx_rooms_reply_int(seen, 0);

    ngx_rooms_person_json(rq, b, p);
    rooms_json_put(b, ",\"email\":%s,\"created_at\":%t,\"last_seen_at\":",
                   p->email, (int64_t) (p->created ? p->created : rq->now));

    if (day > 0) {
        rooms_json_time(b, day * NGX_ROOMS_DAY);

    } else {
        rooms_json_lit(b, "null");
    }

    rooms_json_put(b, ",\"rooms\":%d}",
                   (int64_t) ngx_rooms_reply_int(rooms, 0));
}


ngx_int_t
ngx_rooms_person_ask(ngx_rooms_req_t *rq, rooms_str_t id)
{
    if (ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                      NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL, id) != NGX_OK
        || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_SEEN, ROOMS_NULL, id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_ask(rq->batch, &rq->keys, "ZCARD %k",
                         NGX_ROOMS_KEY_USER_ROOMS, id);
}


ngx_int_t
ngx_rooms_people_shares_ask(ngx_rooms_req_t *rq,
    const ngx_rooms_profile_t *people, ngx_uint_t n)
{
    ngx_uint_t    i;
    rooms_str_t  *argv, *a;

    argv = ngx_palloc(rq->pool, (2 * n + 6) * sizeof(rooms_str_t));

    if (argv == NULL || ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    a = ngx_rooms_script_begin(&ngx_rooms_shares_script, rq->batch, 0, argv);
    *a++ = ngx_rooms_number(rq->pool, n + 1);
    *a++ = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_USER_ROOMS,
                         rq->principal.sub);

    for (i = 0; i < n; i++) {
        *a++ = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_USER_ROOMS,
                             people[i].id);
    }

    *a++ = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_ROOM, ROOMS_NULL);
    *a++ = rq->principal.sub;

    for (i = 0; i < n; i++) {
        *a++ = people[i].id;
    }

    if (ngx_rooms_batch_add(rq->batch, argv, a - argv) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_send(rq);
}


/* Fields of the body */


/* Whether the body has the field, and its value; a null gives NULL. */
static ngx_uint_t
ngx_rooms_person_given(ngx_rooms_req_t *rq, const char *name,
    rooms_str_t *value)
{
    *value = ngx_rooms_body_str(rq, name);

    return rq->body && json_object_get(rq->body, name) != NULL;
}


ngx_int_t
ngx_rooms_person_name(ngx_rooms_req_t *rq, ngx_rooms_profile_t *p)
{
    u_char       *buf;
    const char   *problem;
    rooms_str_t   name;

    if (!ngx_rooms_person_given(rq, "display_name", &name)) {
        return NGX_OK;
    }

    if (name.data == NULL) {
        /* null: use the token's name again */
        p->own_name = 0;
        p->named = 0;
        return NGX_OK;
    }

    buf = ngx_pnalloc(rq->pool, ROOMS_NAME_SIZE);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    problem = rooms_name_make(&name, buf);

    if (problem) {
        return ngx_rooms_invalid(rq, "display_name", problem);
    }

    p->name = name;
    p->own_name = !p->provisioned;

    return NGX_OK;
}


/*
 * An https URL that is safe to put into an attribute: no quotes, brackets,
 * backslashes or spaces.
 */
ngx_int_t
ngx_rooms_person_avatar(ngx_rooms_req_t *rq, ngx_rooms_profile_t *p)
{
    size_t       i;
    rooms_str_t  url;

    if (!ngx_rooms_person_given(rq, "avatar_url", &url)) {
        return NGX_OK;
    }

    for (i = 0; i < url.len; i++) {

        if (url.data[i] <= 0x20 || url.data[i] >= 0x7f || url.data[i] == '"'
            || url.data[i] == '<' || url.data[i] == '>'
            || url.data[i] == '\\')
        {
            break;
        }
    }

    if (url.data
        && (i < url.len || url.len > NGX_ROOMS_URL_MAX
            || url.len <= sizeof("https://") - 1
            || ngx_strncasecmp((u_char *) url.data, (u_char *) "https://",
                               sizeof("https://") - 1) != 0
            || url.data[sizeof("https://") - 1] == '/'))
    {
        return ngx_rooms_invalid(rq, "avatar_url", "must be an https URL of "
                                 "at most 2048 characters");
    }

    p->avatar = url;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_person_mail(ngx_rooms_req_t *rq, ngx_rooms_profile_t *p)
{
    size_t       i, at;
    rooms_str_t  s;

    if (!ngx_rooms_person_given(rq, "email", &s)) {
        return NGX_OK;
    }

    for (i = 0, at = 0; i < s.len && s.data[i] > 0x20 && s.data[i] != 0x7f;
         i++)
    {
        if (s.data[i] == '@') {
            at = i;
        }
    }

    if (s.data && (i < s.len || s.len > NGX_ROOMS_EMAIL_MAX || at == 0
                   || at + 1 == s.len))
    {
        return ngx_rooms_invalid(rq, "email", "must be an address, at most "
                                 "254 bytes");
    }

    p->email = s;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_person_kind(ngx_rooms_req_t *rq, ngx_rooms_profile_t *p)
{
    rooms_str_t  s;

    if (!ngx_rooms_person_given(rq, "participant_type", &s)
        || s.data == NULL)
    {
        return NGX_OK;
    }

    p->type = ngx_rooms_person_type(s);

    if (p->type.data == NULL
        || rooms_str_eq(p->type, ngx_rooms_s("federated")))
    {
        return ngx_rooms_invalid(rq, "participant_type",
                                 "must be \"human\", \"model\", \"agent\", "
                                 "\"helper\" or \"bridge\"");
    }

    return NGX_OK;
}


/* PUT /v1/admin/participants/{participant} */


/*
 * The given local id; for a new participant without one, derived from the
 * participant id.
 */
static ngx_int_t
ngx_rooms_person_wish(ngx_rooms_req_t *rq, ngx_rooms_person_put_t *put)
{
    u_char       *p;
    rooms_str_t   given, local;

    p = ngx_pnalloc(rq->pool, ROOMS_PARTICIPANT_MAX + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    given = ngx_rooms_body_str(rq, "local_id");

    if (given.data == NULL) {
        put->wish = ngx_rooms_local_wish(rq,
                                         rq->param[NGX_ROOMS_P_PARTICIPANT]);
        return put->wish.data ? NGX_OK : NGX_ERROR;
    }

    local = ROOMS_NULL;

    if (given.len <= ROOMS_LOCAL_CHARS) {
        local = rooms_local_id(given, p);
    }

    if (!rooms_str_eq(local, given)) {
        return ngx_rooms_invalid(rq, "local_id", "must be 1 to 128 of A-Z, "
                                 "a-z, 0-9 and ._~+-@, and neither begin nor "
                                 "end with a hyphen");
    }

    put->wish = given;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_person_put_load(ngx_rooms_req_t *rq)
{
    ngx_int_t                rc;
    rooms_str_t              id, server;
    ngx_rooms_person_put_t  *put;

    id = rq->param[NGX_ROOMS_P_PARTICIPANT];

    if (rq->round == 0) {

        if (!rooms_participant_valid(id) || rooms_foreign(id, ROOMS_NULL,
                                                          &server))
        {
            return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL);
        }

        put = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_person_put_t));
        if (put == NULL) {
            return NGX_ERROR;
        }

        rq->data = put;

        if (ngx_rooms_person_wish(rq, put) != NGX_OK
            || ngx_rooms_batch(rq) == NULL
            || ngx_rooms_person_ask(rq, id) != NGX_OK
            || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_LOCALS, ROOMS_NULL, put->wish)
               != NGX_OK
            || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                             NGX_ROOMS_KEY_USER_OFFBOARD, id,
                             ngx_rooms_s(NGX_ROOMS_OFF_ERASE)) != NGX_OK)
        {
            return NGX_ERROR;
        }

        rq->asked_batch = rq->batch;
        return ngx_rooms_send_round(rq, 1);
    }

    put = rq->data;
    put->had = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));
    put->owner = ngx_rooms_reply_str(ngx_rooms_reply(rq, 3));
    put->erase = ngx_rooms_reply_str(ngx_rooms_reply(rq, 4));

    rc = ngx_rooms_parse_profile(rq->pool, put->had, id, &rq->profile);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    put->exists = rc == NGX_OK;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_person_put_new(ngx_rooms_req_t *rq, ngx_rooms_person_put_t *put)
{
    ngx_rooms_profile_t  *p;

    p = &rq->profile;

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_apply_newcomer(&rq->commit, &rq->keys, p, put->owner, rq->now);

    p->created = rq->now;
    rq->status = NGX_HTTP_CREATED;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_person_put_old(ngx_rooms_req_t *rq, ngx_rooms_person_put_t *put,
    rooms_str_t local)
{
    rooms_str_t           locals;
    ngx_rooms_profile_t  *p;

    p = &rq->profile;

    if (ngx_rooms_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_apply_person(&rq->commit, &rq->keys, put->had, p, rq->now);

    if (!rooms_str_eq(p->local, local)) {
        locals = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_LOCALS, ROOMS_NULL);

        ngx_rooms_commit_guard_field(&rq->commit, locals, local, p->id);
        ngx_rooms_commit_write(&rq->commit, "HDEL", locals, local);
        ngx_rooms_apply_local(&rq->commit, &rq->keys, p, put->owner);
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_person_put_decide(ngx_rooms_req_t *rq)
{
    ngx_int_t                rc;
    rooms_str_t              local, given;
    ngx_rooms_profile_t     *p;
    ngx_rooms_person_put_t  *put;

    put = rq->data;
    p = &rq->profile;
    local = p->local;

    if (put->exists && p->server.data) {
        return ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL);
    }

    if (put->erase.data) {
        /* an erasure that starts later removes what this writes */
        return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT,
                              NGX_ROOMS_OFFBOARD_ERASED_TEXT);
    }

    if (!put->exists) {
        if (ngx_rooms_provision(rq, rq->param[NGX_ROOMS_P_PARTICIPANT],
                                put->owner, p) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    given = ngx_rooms_body_str(rq, "local_id");

    if (given.data) {

        if (put->owner.data && !rooms_str_eq(put->owner, p->id)) {
            return ngx_rooms_fail(rq, NGX_ROOMS_E_PARTICIPANT_EXISTS, NULL);
        }

        p->local = given;
        p->own_local = p->provisioned;
    }

    if (ngx_rooms_person_name(rq, p) != NGX_OK
        || ngx_rooms_person_mail(rq, p) != NGX_OK
        || ngx_rooms_person_avatar(rq, p) != NGX_OK
        || ngx_rooms_person_kind(rq, p) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = put->exists ? ngx_rooms_person_put_old(rq, put, local)
                     : ngx_rooms_person_put_new(rq, put);

    return rc == NGX_OK && !rq->commit.failed ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_rooms_person_put_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t         *b;
    ngx_rooms_batch_t   *asked;

    asked = rq->asked_batch;

    b = ngx_rooms_out(&rq->out);

    rooms_json_lit(b, "{\"data\":");
    ngx_rooms_person_admin_json(rq, b, &rq->profile, asked->replies[1],
                                asked->replies[2]);
    rooms_json_lit(b, "}\n");

    return NGX_OK;
}


/* GET /v1/participants/{participant} */


ngx_int_t
ngx_rooms_person_load(ngx_rooms_req_t *rq)
{
    int64_t    shared;
    ngx_int_t  rc;

    if (rq->conf->people == NGX_ROOMS_PEOPLE_OFF) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_PATH, NULL);
    }

    if (rq->round == 0) {

        if (ngx_rooms_batch(rq) == NULL
            || ngx_rooms_person_ask(rq, rq->param[NGX_ROOMS_P_PARTICIPANT])
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_rooms_send_round(rq, 1);
    }

    if (rq->round == 2) {
        shared = ngx_rooms_reply_int_at(ngx_rooms_reply(rq, 0), 0, 0);

        return shared ? NGX_OK : ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL);
    }

    rc = ngx_rooms_parse_profile(rq->pool,
                                 ngx_rooms_reply_str(ngx_rooms_reply(rq, 0)),
                                 rq->param[NGX_ROOMS_P_PARTICIPANT],
                                 &rq->profile);

    if (rc == NGX_OK && rq->conf->people == NGX_ROOMS_PEOPLE_SHARED) {
        rq->round = 2;
        return ngx_rooms_people_shares_ask(rq, &rq->profile, 1);
    }

    return rc == NGX_DECLINED ? ngx_rooms_fail(rq, ROOMS_E_PARTICIPANT, NULL)
                              : rc;
}


ngx_int_t
ngx_rooms_person_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out(&rq->out);

    rooms_json_lit(b, "{\"data\":");
    ngx_rooms_person_json(rq, b, &rq->profile);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
