/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <jansson.h>

#include "rooms.h"
#include "rooms_jwt.h"


static const char *const  rooms_admin_roles[] = {
    "tenant_admin", "partner_admin", "super_admin", NULL
};

static const char *const  rooms_admin_permissions[] = {
    "admin:access", NULL
};


static rooms_str_t
rooms_jwt_string(const json_t *v)
{
    if (!json_is_string(v)) {
        return ROOMS_NULL;
    }

    return (rooms_str_t) { json_string_length(v),
                           (const unsigned char *) json_string_value(v) };
}


/*
 * jansson lets only valid UTF-8 through, without NUL, so that what is left
 * to find is C0, DEL, and C1, which is 0xc2 0x80 to 0xc2 0x9f.
 */
static int
rooms_jwt_name_valid(rooms_str_t s)
{
    size_t  i;

    if (s.data == NULL || s.len > ROOMS_JWT_NAME_MAX) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < 0x20 || s.data[i] == 0x7f) {
            return 0;
        }

        if (s.data[i] == 0xc2 && i + 1 < s.len && s.data[i + 1] < 0xa0) {
            return 0;
        }
    }

    return 1;
}


/*
 * Who it is.  A wrong "name" spoils the token, since cutting or cleaning it
 * would show others a name that nobody gave; a "preferred_username" that
 * can't be a local id is common (it may hold spaces) and merely isn't one.
 */
static rooms_jwt_e
rooms_jwt_identity(const json_t *claims, rooms_principal_t *out,
    const char **why)
{
    const json_t  *v;

    out->sub = rooms_jwt_string(json_object_get(claims, "sub"));

    if (out->sub.data == NULL || !rooms_participant_valid(out->sub)) {
        *why = "\"sub\" is missing or no participant id";
        return ROOMS_JWT_INVALID;
    }

    out->tenant = rooms_jwt_string(json_object_get(claims, "tenant_id"));

    if (out->tenant.data == NULL || !rooms_tenant_valid(out->tenant)) {
        *why = "\"tenant_id\" is missing or no tenant id";
        return ROOMS_JWT_INVALID;
    }

    v = json_object_get(claims, "name");

    if (v && !json_is_null(v)) {
        out->name = rooms_jwt_string(v);

        if (!rooms_jwt_name_valid(out->name)) {
            *why = "\"name\" is no string, too long, or has control "
                   "characters";
            return ROOMS_JWT_INVALID;
        }

        if (out->name.len == 0) {
            out->name = ROOMS_NULL;
        }
    }

    out->local = rooms_jwt_string(json_object_get(claims,
                                                  "preferred_username"));

    if (out->local.data && !rooms_participant_valid(out->local)) {
        out->local = ROOMS_NULL;
    }

    return ROOMS_JWT_OK;
}


static int
rooms_jwt_is_one_of(const char *p, size_t len, const char *const *names)
{
    for ( /* void */ ; *names; names++) {
        if (strlen(*names) == len && memcmp(*names, p, len) == 0) {
            return 1;
        }
    }

    return 0;
}


/* Words of a string divided by spaces, or the strings of an array. */
static int
rooms_jwt_grants(const json_t *v, const char *const *names)
{
    size_t         i, len;
    const char    *p;
    const json_t  *item;

    if (json_is_array(v)) {
        json_array_foreach(v, i, item) {
            if (json_is_string(item)
                && rooms_jwt_is_one_of(json_string_value(item),
                                       json_string_length(item), names))
            {
                return 1;
            }
        }

        return 0;
    }

    for (p = json_string_value(v); p && *p; p += len + (p[len] == ' ')) {
        len = strcspn(p, " ");

        if (rooms_jwt_is_one_of(p, len, names)) {
            return 1;
        }
    }

    return 0;
}


static int
rooms_jwt_admin(const json_t *claims)
{
    return rooms_jwt_grants(json_object_get(claims, "role"),
                            rooms_admin_roles)
           || rooms_jwt_grants(json_object_get(claims, "roles"),
                               rooms_admin_roles)
           || rooms_jwt_grants(json_object_get(claims, "permissions"),
                               rooms_admin_permissions);
}


/* RFC 7519, sections 4.1.1 and 4.1.3 */
static rooms_jwt_e
rooms_jwt_parties(const json_t *claims, const rooms_jwt_check_t *check,
    const char **why)
{
    size_t         i;
    const json_t  *aud, *item;

    if (check->issuer.data
        && !rooms_str_eq(check->issuer,
                         rooms_jwt_string(json_object_get(claims, "iss"))))
    {
        *why = "\"iss\" is missing or another issuer";
        return ROOMS_JWT_INVALID;
    }

    if (check->audience.data == NULL) {
        return ROOMS_JWT_OK;
    }

    aud = json_object_get(claims, "aud");

    if (rooms_str_eq(check->audience, rooms_jwt_string(aud))) {
        return ROOMS_JWT_OK;
    }

    json_array_foreach(aud, i, item) {
        if (rooms_str_eq(check->audience, rooms_jwt_string(item))) {
            return ROOMS_JWT_OK;
        }
    }

    *why = "\"aud\" is missing or another audience";
    return ROOMS_JWT_INVALID;
}


/*
 * A NumericDate (RFC 7519, section 2), which may have a fraction; it's cut.
 * Returns 1, 0 if there is none, -1 if it's no time.  The comparison is
 * written so that a NaN would fail it.
 */
static int
rooms_jwt_time(const json_t *claims, const char *name, int64_t *t)
{
    double         d;
    json_int_t     n;
    const json_t  *v;

    v = json_object_get(claims, name);

    if (v == NULL) {
        return 0;
    }

    if (json_is_integer(v)) {
        n = json_integer_value(v);

        if (n >= 0 && n <= ROOMS_JWT_TIME_MAX) {
            *t = n;
            return 1;
        }
    }

    if (json_is_real(v)) {
        d = json_real_value(v);

        if (d >= 0 && d <= (double) ROOMS_JWT_TIME_MAX) {
            *t = (int64_t) d;
            return 1;
        }
    }

    return -1;
}


/*
 * RFC 7519, sections 4.1.4 to 4.1.6.  "exp" is the last thing that is looked
 * at: who is told "expired" needs a new token, and nothing else.
 */
static rooms_jwt_e
rooms_jwt_times(const json_t *claims, const rooms_jwt_check_t *check,
    int64_t *exp, const char **why)
{
    int      nbf_is, iat_is;
    int64_t  nbf, iat, leeway;

    leeway = check->leeway < 0 ? 0 : check->leeway;
    leeway = leeway > ROOMS_JWT_TIME_MAX ? ROOMS_JWT_TIME_MAX : leeway;

    nbf_is = rooms_jwt_time(claims, "nbf", &nbf);
    iat_is = rooms_jwt_time(claims, "iat", &iat);

    if (rooms_jwt_time(claims, "exp", exp) != 1 || nbf_is < 0 || iat_is < 0) {
        *why = "\"exp\" is missing, or a time is no number or absurd";
        return ROOMS_JWT_INVALID;
    }

    if (nbf_is && nbf - leeway > check->now) {
        *why = "\"nbf\" is in the future";
        return ROOMS_JWT_INVALID;
    }

    if (iat_is && iat - leeway > check->now) {
        *why = "\"iat\" is in the future";
        return ROOMS_JWT_INVALID;
    }

    if (*exp + leeway <= check->now) {
        *why = "expired";
        return ROOMS_JWT_EXPIRED;
    }

    return ROOMS_JWT_OK;
}


/* Moves a string to *p; the JSON value that it is in goes away. */
static void
rooms_jwt_keep(rooms_str_t *s, unsigned char **p)
{
    if (s->data) {
        memcpy(*p, s->data, s->len);
        s->data = *p;
        *p += s->len;
    }
}


static rooms_jwt_e
rooms_jwt_claims(const json_t *claims, const rooms_jwt_check_t *check,
    rooms_principal_t *out, unsigned char *buf, const char **why)
{
    rooms_jwt_e     rc;
    unsigned char  *p;

    if (!json_is_object(claims)) {
        *why = "payload is no JSON object, or has a member twice";
        return ROOMS_JWT_INVALID;
    }

    rc = rooms_jwt_identity(claims, out, why);

    if (rc == ROOMS_JWT_OK) {
        rc = rooms_jwt_parties(claims, check, why);
    }

    if (rc == ROOMS_JWT_OK) {
        rc = rooms_jwt_times(claims, check, &out->exp, why);
    }

    if (rc != ROOMS_JWT_OK) {
        memset(out, 0, sizeof(rooms_principal_t));
        return rc;
    }

    out->admin = rooms_jwt_admin(claims) ? 1 : 0;

    p = buf;                          /* 128 + 64 + 256 + 128 at most */
    rooms_jwt_keep(&out->sub, &p);
    rooms_jwt_keep(&out->tenant, &p);
    rooms_jwt_keep(&out->name, &p);
    rooms_jwt_keep(&out->local, &p);

    return ROOMS_JWT_OK;
}


rooms_jwt_e
rooms_jwt_verify(rooms_str_t token, const rooms_jwt_check_t *check,
    rooms_principal_t *out, unsigned char *buf, size_t buflen,
    const char **why)
{
    json_t       *claims;
    const char   *unused;
    rooms_jwt_e   rc;
    rooms_str_t   payload;

    why = why ? why : &unused;
    memset(out, 0, sizeof(rooms_principal_t));

    rc = rooms_jws_verify(token, check->sets, check->nsets, buf, buflen,
                          &payload, why);

    if (rc != ROOMS_JWT_OK) {
        return rc;
    }

    claims = json_loadb((const char *) payload.data, payload.len,
                        JSON_REJECT_DUPLICATES, NULL);

    rc = rooms_jwt_claims(claims, check, out, buf, why);

    json_decref(claims);

    return rc;
}
