/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* A User: what is stored, and which parts belong to the participant. */

#include "rooms_scim_internal.h"
#include <string.h>
#include <strings.h>


/* Names in the schemas' spelling. */
static const char *const  rooms_scim_names[] = {
    "userName", "externalId", "name", "displayName", "nickName",
    "profileUrl", "title", "userType", "preferredLanguage", "locale",
    "timezone", "active", "emails", "phoneNumbers", "ims", "photos",
    "addresses", "entitlements", "roles", "x509Certificates",
    ROOMS_SCIM_ENTERPRISE, NULL
};

/* Members that belong to the server, or are secret. */
static const char *const  rooms_scim_dropped[] = {
    "id", "meta", "schemas", "groups", "password", NULL
};


static int
rooms_scim_wrong(rooms_scim_fault_t *fault, const char *detail)
{
    fault->type = "invalidValue";
    fault->detail = detail;

    return -1;
}


static int
rooms_scim_spell(json_t *user, const char *name)
{
    json_t      *value;
    const char  *key;
    rooms_str_t  s;

    s = (rooms_str_t) { strlen(name), (const unsigned char *) name };
    value = rooms_scim_member(user, s, &key);

    if (value == NULL || strcmp(key, name) == 0) {
        return 0;
    }

    json_incref(value);
    (void) json_object_del(user, key);

    return json_object_set_new(user, name, value);
}


int
rooms_scim_normalize(json_t *user, rooms_scim_fault_t *fault)
{
    size_t       i;
    json_t      *value;
    const char  *s, *key;

    for (i = 0; rooms_scim_dropped[i]; i++) {

        while (rooms_scim_member(user, (rooms_str_t) {
                       strlen(rooms_scim_dropped[i]),
                       (const unsigned char *) rooms_scim_dropped[i] }, &key))
        {
            (void) json_object_del(user, key);
        }
    }

    for (i = 0; rooms_scim_names[i]; i++) {

        if (rooms_scim_spell(user, rooms_scim_names[i]) != 0) {
            return rooms_scim_wrong(fault, "no memory");
        }

        if (json_is_null(json_object_get(user, rooms_scim_names[i]))) {
            (void) json_object_del(user, rooms_scim_names[i]);
        }
    }

    value = json_object_get(user, "active");

    if (json_is_string(value)) {
        s = json_string_value(value);
        value = strcasecmp(s, "true") == 0 ? json_true()
                : strcasecmp(s, "false") == 0 ? json_false() : NULL;

        if (value == NULL) {
            return rooms_scim_wrong(fault, "active must be a boolean");
        }

        (void) json_object_set_new(user, "active", value);

    } else if (value && !json_is_boolean(value)) {
        return rooms_scim_wrong(fault, "active must be a boolean");

    } else if (value == NULL) {
        (void) json_object_set_new(user, "active", json_true());
    }

    return 0;
}


static rooms_str_t
rooms_scim_string(const json_t *value)
{
    if (!json_is_string(value) || json_string_length(value) == 0) {
        return ROOMS_NULL;
    }

    return (rooms_str_t) { json_string_length(value),
                           (const unsigned char *) json_string_value(value) };
}


/* The primary value, else one of the type, else the first. */
static rooms_str_t
rooms_scim_value_of(const json_t *array, const char *type)
{
    size_t         i;
    unsigned       rank, best;
    const char    *t;
    rooms_str_t    value, found;
    const json_t  *e;

    found = ROOMS_NULL;

    for (best = 0, i = 0; i < json_array_size(array); i++) {
        e = json_array_get(array, i);
        value = json_is_object(e) ? rooms_scim_string(rooms_scim_get(e,
                                                                  "value"))
                                  : rooms_scim_string(e);

        if (value.data == NULL) {
            continue;
        }

        t = json_is_object(e) ? json_string_value(rooms_scim_get(e, "type"))
                              : NULL;
        rank = json_is_object(e)
               && json_is_true(rooms_scim_get(e, "primary")) ? 3
               : t && strcasecmp(t, type) == 0 ? 2 : 1;

        if (rank > best) {
            best = rank;
            found = value;
        }
    }

    return found;
}


int
rooms_scim_user(const json_t *user, rooms_scim_user_t *u,
    rooms_scim_fault_t *fault)
{
    json_t  *name, *value;

    memset(u, 0, sizeof(rooms_scim_user_t));

    value = json_object_get(user, "userName");
    u->user_name = rooms_scim_string(value);

    if (u->user_name.data == NULL || u->user_name.len > ROOMS_SCIM_VALUE) {
        return rooms_scim_wrong(fault, "userName must be a string of 1 to "
                                "512 bytes");
    }

    value = json_object_get(user, "externalId");

    if (value && (!json_is_string(value)
                  || json_string_length(value) > ROOMS_SCIM_VALUE))
    {
        return rooms_scim_wrong(fault, "externalId must be a string of at "
                                "most 512 bytes");
    }

    u->external_id = rooms_scim_string(value);

    name = json_object_get(user, "name");

    if (name && !json_is_object(name)) {
        return rooms_scim_wrong(fault, "name must be an object");
    }

    value = json_object_get(user, "emails");

    if (value && !json_is_array(value)) {
        return rooms_scim_wrong(fault, "emails must be an array");
    }

    u->given = rooms_scim_string(rooms_scim_get(name, "givenName"));
    u->family = rooms_scim_string(rooms_scim_get(name, "familyName"));
    u->display_name = rooms_scim_string(json_object_get(user, "displayName"));

    if (u->display_name.data == NULL) {
        u->display_name = rooms_scim_string(rooms_scim_get(name,
                                                           "formatted"));
    }

    u->email = rooms_scim_value_of(value, "work");
    u->photo = rooms_scim_value_of(json_object_get(user, "photos"), "photo");
    u->active = !json_is_false(json_object_get(user, "active"));

    return 0;
}
