/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <stdio.h>

#include <jansson.h>

#include "rooms.h"
#include "rooms_jwt.h"


static const rooms_str_t  rooms_admin_role_words[] = {
    rooms_string("tenant_admin"), rooms_string("partner_admin"),
    rooms_string("super_admin")
};

static const rooms_str_t  rooms_admin_permission_words[] = {
    rooms_string("admin:access")
};

static const rooms_words_t  rooms_admin_roles = { rooms_admin_role_words, 3 };
static const rooms_words_t  rooms_admin_permissions = {
    rooms_admin_permission_words, 1
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
 * Copies a string to *p, since the JSON tree that it points into will be
 * freed.
 */
static void
rooms_jwt_keep(rooms_str_t *s, unsigned char **p)
{
    if (s->data) {
        memcpy(*p, s->data, s->len);
        s->data = *p;
        *p += s->len;
    }
}


/*
 * The value at the end of a path, or under the usual name; NULL if it is
 * missing or null.
 */
static const json_t *
rooms_jwt_claim(const json_t *claims, const rooms_words_t *path,
    const char *usual)
{
    unsigned       i;
    const json_t  *v;

    if (path->n == 0) {
        v = json_object_get(claims, usual);

    } else {
        v = claims;

        for (i = 0; i < path->n; i++) {
            v = json_object_get(v, (const char *) path->word[i].data);
        }
    }

    return json_is_null(v) ? NULL : v;
}


/*
 * The text of a claim.  If the operator mapped the claim, it may also be a
 * whole number, or an array of just one value, as some providers send it.
 * Writes a number to *p.  NULL: it is none of these.
 */
static rooms_str_t
rooms_jwt_text(const json_t *v, const rooms_words_t *path, unsigned char **p)
{
    int          n;
    rooms_str_t  s;

    if (path->n && json_is_array(v) && json_array_size(v) == 1) {
        v = json_array_get(v, 0);
    }

    if (path->n && json_is_integer(v)) {
        n = sprintf((char *) *p, "%" JSON_INTEGER_FORMAT,
                    json_integer_value(v));
        s = (rooms_str_t) { (size_t) n, *p };
        *p += n + 1;
        return s;
    }

    return rooms_jwt_string(v);
}


/*
 * Reads who it is.  Odd names are made fit, and names that can't be are
 * ignored; only ids must be valid as they are.  Copies them to p, in order.
 */
static rooms_jwt_e
rooms_jwt_identity(const json_t *claims, const rooms_jwt_check_t *check,
    rooms_principal_t *out, unsigned char *p, const char **why)
{
    rooms_str_t           s;
    const json_t         *v;
    const rooms_words_t  *path;

    path = &check->claims[ROOMS_CLAIM_PARTICIPANT];
    v = rooms_jwt_claim(claims, path, "sub");
    out->sub = rooms_jwt_text(v, path, &p);

    if (out->sub.data == NULL || !rooms_participant_valid(out->sub)) {
        *why = path->n ? "the participant's claim is missing or not an id of "
                         "1 to 255 visible ASCII characters"
                       : "\"sub\" is missing or not an id of 1 to 255 visible "
                         "ASCII characters";
        return ROOMS_JWT_INVALID;
    }

    path = &check->claims[ROOMS_CLAIM_TENANT];
    v = rooms_jwt_claim(claims, path, "tenant_id");
    out->tenant = v ? rooms_jwt_text(v, path, &p) : check->tenant;

    if (out->tenant.data == NULL || !rooms_tenant_valid(out->tenant)) {
        *why = path->n ? "the tenant's claim is missing or not a tenant id"
                       : "\"tenant_id\" is missing or not a tenant id";
        return ROOMS_JWT_INVALID;
    }

    rooms_jwt_keep(&out->sub, &p);
    rooms_jwt_keep(&out->tenant, &p);

    path = &check->claims[ROOMS_CLAIM_LOCAL];
    s = rooms_jwt_text(rooms_jwt_claim(claims, path, "preferred_username"),
                       path, &p);

    if (s.data) {
        out->local = rooms_local_id(s, p);
        p += out->local.len;
    }

    path = &check->claims[ROOMS_CLAIM_NAME];
    s = rooms_jwt_text(rooms_jwt_claim(claims, path, "name"), path, &p);

    if (s.data) {
        out->name = rooms_display_name(s, p);
    }

    return ROOMS_JWT_OK;
}


static int
rooms_jwt_is_one_of(const char *p, size_t len, const rooms_words_t *words)
{
    unsigned  i;

    for (i = 0; i < words->n; i++) {
        if (words->word[i].len == len
            && memcmp(words->word[i].data, p, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Whether one of the words is among those of a string, separated by spaces,
 * or among the strings of an array.
 */
static int
rooms_jwt_grants(const json_t *v, const rooms_words_t *words)
{
    size_t         i, len;
    const char    *p;
    const json_t  *item;

    if (json_is_array(v)) {
        json_array_foreach(v, i, item) {
            if (json_is_string(item)
                && rooms_jwt_is_one_of(json_string_value(item),
                                       json_string_length(item), words))
            {
                return 1;
            }
        }

        return 0;
    }

    for (p = json_string_value(v); p && *p; p += len + (p[len] == ' ')) {
        len = strcspn(p, " ");

        if (rooms_jwt_is_one_of(p, len, words)) {
            return 1;
        }
    }

    return 0;
}


/*
 * The operator's words match both roles and permissions.  Our defaults
 * differ: some are roles, one is a permission.
 */
static int
rooms_jwt_admin(const json_t *claims, const rooms_jwt_check_t *check)
{
    const json_t         *v;
    const rooms_words_t  *roles, *permissions;

    roles = check->admins.n ? &check->admins : &rooms_admin_roles;
    permissions = check->admins.n ? &check->admins : &rooms_admin_permissions;

    if (check->claims[ROOMS_CLAIM_ROLES].n) {
        v = rooms_jwt_claim(claims, &check->claims[ROOMS_CLAIM_ROLES], NULL);

        return rooms_jwt_grants(v, roles) || rooms_jwt_grants(v, permissions);
    }

    return rooms_jwt_grants(json_object_get(claims, "role"), roles)
           || rooms_jwt_grants(json_object_get(claims, "roles"), roles)
           || rooms_jwt_grants(json_object_get(claims, "permissions"),
                               permissions);
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
 * Reads a NumericDate (RFC 7519, section 2); a fraction is cut off.  Returns
 * 1, 0 if it is missing, -1 if it isn't a valid time.  A NaN fails the
 * comparison, too.
 */
static int
rooms_jwt_time(const json_t *claims, const char *name, int64_t *t)
{
    double         d;
    json_int_t     n;
    const json_t  *v;

    v = json_object_get(claims, name);

    if (v == NULL || json_is_null(v)) {
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
 * RFC 7519, sections 4.1.4 to 4.1.6.  "exp" is checked last, so that
 * "expired" means that only a fresh token is needed.
 */
static rooms_jwt_e
rooms_jwt_times(const json_t *claims, const rooms_jwt_check_t *check,
    rooms_principal_t *out, const char **why)
{
    int      nbf_is, iat_is;
    int64_t  nbf, iat, leeway;

    leeway = check->leeway < 0 ? 0 : check->leeway;
    leeway = leeway > ROOMS_JWT_TIME_MAX ? ROOMS_JWT_TIME_MAX : leeway;

    nbf_is = rooms_jwt_time(claims, "nbf", &nbf);
    iat_is = rooms_jwt_time(claims, "iat", &iat);

    if (rooms_jwt_time(claims, "exp", &out->exp) != 1) {
        *why = "\"exp\" is missing or not a time in seconds";
        return ROOMS_JWT_INVALID;
    }

    if (nbf_is < 0 || iat_is < 0) {
        *why = "\"nbf\" or \"iat\" is not a time in seconds";
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

    if (out->exp + leeway <= check->now) {
        *why = "the token has expired";
        return ROOMS_JWT_EXPIRED;
    }

    out->iat = iat_is ? iat : 0;

    return ROOMS_JWT_OK;
}


static rooms_jwt_e
rooms_jwt_claims(const json_t *claims, const rooms_jwt_check_t *check,
    rooms_principal_t *out, unsigned char *buf, const char **why)
{
    rooms_jwt_e  rc;

    if (!json_is_object(claims)) {
        *why = "the payload is not a JSON object, or has a duplicate member";
        return ROOMS_JWT_INVALID;
    }

    /*
     * The names come from the payload, which has less than 3/4 of the token's
     * bytes.  So buf has room for them after the ids.
     */
    rc = rooms_jwt_identity(claims, check, out, buf, why);

    if (rc == ROOMS_JWT_OK) {
        rc = rooms_jwt_parties(claims, check, why);
    }

    if (rc == ROOMS_JWT_OK) {
        rc = rooms_jwt_times(claims, check, out, why);
    }

    if (rc != ROOMS_JWT_OK) {
        memset(out, 0, sizeof(rooms_principal_t));
        return rc;
    }

    out->admin = rooms_jwt_admin(claims, check) ? 1 : 0;

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
