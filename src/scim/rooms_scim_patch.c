/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * PATCH (RFC 7644, section 3.5.2), also in the forms that large identity
 * providers send: operations in any case; values without a path; paths as
 * keys of such a value; and "emails[type eq \"work\"].value" for an address
 * that doesn't exist yet, and is added.
 */

#include "rooms_scim_internal.h"
#include <string.h>
#include <strings.h>


typedef enum {
    ROOMS_SCIM_ADD = 0,
    ROOMS_SCIM_REPLACE,
    ROOMS_SCIM_REMOVE
} rooms_scim_verb_e;

typedef struct {
    rooms_scim_attr_t   attr;
    rooms_str_t         filter;          /* between the brackets, or empty */
} rooms_scim_path_t;


static int rooms_scim_whole(json_t *user, rooms_scim_verb_e verb,
    const json_t *value, rooms_scim_fault_t *fault);


static int
rooms_scim_refuse(rooms_scim_fault_t *fault, const char *type,
    const char *detail)
{
    fault->type = type;
    fault->detail = detail;

    return -1;
}


/* attrPath / attr "[" filter "]" ["." name] */
static int
rooms_scim_path(const char *text, size_t len, rooms_scim_path_t *path)
{
    rooms_scim_parser_t   p;
    const unsigned char  *from;

    memset(path, 0, sizeof(rooms_scim_path_t));
    memset(&p, 0, sizeof(rooms_scim_parser_t));

    p.p = (const unsigned char *) text;
    p.last = p.p + len;

    if (rooms_scim_attribute(&p, &path->attr) != 0) {
        return -1;
    }

    if (p.p < p.last && *p.p == '[' && path->attr.sub.len == 0) {
        from = ++p.p;
        p.within = path->attr.name;

        if (rooms_scim_filter(&p, NULL) < 0 || p.p >= p.last || *p.p != ']') {
            return -1;
        }

        path->filter.data = from;
        path->filter.len = p.p - from;

        if (++p.p < p.last && *p.p == '.') {
            path->attr.sub.data = ++p.p;

            while (p.p < p.last && rooms_scim_name_char(*p.p)) {
                p.p++;
            }

            path->attr.sub.len = p.p - path->attr.sub.data;

            if (path->attr.sub.len == 0) {
                return -1;
            }
        }
    }

    return p.p == p.last ? 0 : -1;
}


static int
rooms_scim_put(json_t *object, rooms_str_t name, json_t *value)
{
    char         key[128];
    const char  *is;

    if (name.len >= sizeof(key) || value == NULL) {
        json_decref(value);
        return -1;
    }

    /* an existing member keeps its spelling */

    if (rooms_scim_member(object, name, &is)) {
        name.data = (const unsigned char *) is;
    }

    memcpy(key, name.data, name.len);
    key[name.len] = '\0';

    return json_object_set_new(object, key, value);
}


static void
rooms_scim_drop(json_t *object, rooms_str_t name)
{
    const char  *key;

    if (rooms_scim_member(object, name, &key)) {
        (void) json_object_del(object, key);
    }
}


/* Adds one value, or several, to a list; skips those that are there. */
static int
rooms_scim_append(json_t *array, const json_t *value)
{
    size_t   i, k, n;
    json_t  *v;

    n = json_is_array(value) ? json_array_size(value) : 1;

    for (i = 0; i < n; i++) {
        v = json_is_array(value) ? json_array_get(value, i)
                                 : (json_t *) value;

        for (k = 0; k < json_array_size(array); k++) {
            if (json_equal(json_array_get(array, k), v)) {
                break;
            }
        }

        if (k == json_array_size(array)
            && json_array_append_new(array, json_deep_copy(v)) != 0)
        {
            return -1;
        }
    }

    return 0;
}


static int
rooms_scim_set(json_t *object, rooms_scim_verb_e verb, rooms_str_t name,
    const json_t *value, rooms_scim_fault_t *fault)
{
    void        *at;
    json_t      *is;
    const char  *key;

    if (verb == ROOMS_SCIM_REMOVE || json_is_null(value)) {
        rooms_scim_drop(object, name);
        return 0;
    }

    is = rooms_scim_member(object, name, NULL);

    if (verb == ROOMS_SCIM_ADD && json_is_array(is)) {
        return rooms_scim_append(is, value);
    }

    /* of a complex attribute only the named members change */

    if (json_is_object(is) && json_is_object(value)) {

        for (at = json_object_iter((json_t *) value); at;
             at = json_object_iter_next((json_t *) value, at))
        {
            key = json_object_iter_key(at);

            if (rooms_scim_set(is, verb,
                               (rooms_str_t) { strlen(key),
                                               (const unsigned char *) key },
                               json_object_iter_value(at), fault) != 0)
            {
                return -1;
            }
        }

        return 0;
    }

    return rooms_scim_put(object, name, json_deep_copy(value)) == 0
           ? 0 : rooms_scim_refuse(fault, "invalidValue",
                                   "an attribute can't be set");
}


/* Makes the missing element that the filter describes. */
static json_t *
rooms_scim_element(const rooms_scim_path_t *path)
{
    json_t               *element, *value;
    json_error_t          error;
    rooms_scim_attr_t     a;
    rooms_scim_parser_t   p;

    memset(&p, 0, sizeof(rooms_scim_parser_t));
    p.p = path->filter.data;
    p.last = p.p + path->filter.len;

    if (rooms_scim_attribute(&p, &a) != 0 || a.sub.len || a.uri.len
        || p.last - p.p < 4 || strncasecmp((const char *) p.p, " eq ", 4) != 0)
    {
        return NULL;
    }

    p.p += 4;

    value = json_loadb((const char *) p.p, p.last - p.p, JSON_DECODE_ANY,
                       &error);
    element = json_object();

    if (value == NULL || element == NULL
        || rooms_scim_put(element, a.name, json_incref(value)) != 0)
    {
        json_decref(element);
        element = NULL;
    }

    json_decref(value);

    return element;
}


static int
rooms_scim_selected(json_t *object, rooms_scim_verb_e verb,
    const rooms_scim_path_t *path, const json_t *value,
    rooms_scim_fault_t *fault)
{
    size_t   i, n;
    json_t  *array, *element;

    array = rooms_scim_member(object, path->attr.name, NULL);

    if (array && !json_is_array(array)) {
        return rooms_scim_refuse(fault, "invalidPath",
                                 "the attribute is not multi-valued");
    }

    for (n = 0, i = 0; i < json_array_size(array); /* void */) {
        element = json_array_get(array, i);

        if (!json_is_object(element)
            || rooms_scim_match(path->filter, element) != 1)
        {
            i++;
            continue;
        }

        n++;

        if (verb == ROOMS_SCIM_REMOVE && path->attr.sub.len == 0) {
            (void) json_array_remove(array, i);
            continue;
        }

        i++;

        if (path->attr.sub.len) {

            if (rooms_scim_set(element, verb, path->attr.sub, value, fault)
                != 0)
            {
                return -1;
            }

        } else if (!json_is_object(value)
                   || rooms_scim_whole(element, verb, value, fault) != 0)
        {
            return rooms_scim_refuse(fault, "invalidValue",
                                     "the value must be an object");
        }
    }

    if (array && json_array_size(array) == 0) {
        rooms_scim_drop(object, path->attr.name);
        array = NULL;
    }

    if (n || verb == ROOMS_SCIM_REMOVE) {
        return 0;
    }

    element = rooms_scim_element(path);

    if (element == NULL) {
        return rooms_scim_refuse(fault, "noTarget",
                                 "no value matches the path's filter");
    }

    if (array == NULL) {
        array = json_array();

        if (rooms_scim_put(object, path->attr.name, array) != 0) {
            json_decref(element);
            return rooms_scim_refuse(fault, NULL, "no memory");
        }
    }

    if (json_array_append_new(array, element) != 0) {
        return rooms_scim_refuse(fault, NULL, "no memory");
    }

    return path->attr.sub.len
           ? rooms_scim_set(element, verb, path->attr.sub, value, fault)
           : json_is_object(value)
           ? rooms_scim_whole(element, verb, value, fault)
           : rooms_scim_refuse(fault, "invalidValue",
                               "the value must be an object");
}


/* The object in member `name`; creates it if it is missing. */
static json_t *
rooms_scim_inside(json_t *object, rooms_str_t name)
{
    json_t  *is;

    is = rooms_scim_member(object, name, NULL);

    if (json_is_object(is)) {
        return is;
    }

    is = json_object();

    return rooms_scim_put(object, name, is) == 0 ? is : NULL;
}


static int
rooms_scim_at(json_t *user, rooms_scim_verb_e verb, const char *text,
    size_t len, const json_t *value, rooms_scim_fault_t *fault)
{
    json_t             *object;
    rooms_scim_path_t   path;

    if (rooms_scim_path(text, len, &path) != 0) {
        return rooms_scim_refuse(fault, "invalidPath", "the path is invalid");
    }

    object = user;

    if (path.attr.uri.len && path.attr.name.len == 0) {
        return rooms_scim_set(user, verb, path.attr.uri, value, fault);
    }

    if (path.attr.uri.len) {
        object = verb == ROOMS_SCIM_REMOVE
                 ? rooms_scim_member(user, path.attr.uri, NULL)
                 : rooms_scim_inside(user, path.attr.uri);

        if (!json_is_object(object)) {
            return verb == ROOMS_SCIM_REMOVE
                   ? 0 : rooms_scim_refuse(fault, NULL, "no memory");
        }
    }

    if (path.filter.len) {
        return rooms_scim_selected(object, verb, &path, value, fault);
    }

    if (path.attr.sub.len == 0) {
        return rooms_scim_set(object, verb, path.attr.name, value, fault);
    }

    if (verb == ROOMS_SCIM_REMOVE || json_is_null(value)) {
        object = rooms_scim_member(object, path.attr.name, NULL);

        if (json_is_object(object)) {
            rooms_scim_drop(object, path.attr.sub);
        }

        return 0;
    }

    object = rooms_scim_inside(object, path.attr.name);

    return object ? rooms_scim_set(object, verb, path.attr.sub, value, fault)
                  : rooms_scim_refuse(fault, NULL, "no memory");
}


/* Without a path: each member's name is an attribute or a path. */
static int
rooms_scim_whole(json_t *user, rooms_scim_verb_e verb, const json_t *value,
    rooms_scim_fault_t *fault)
{
    void        *at;
    const char  *key;

    for (at = json_object_iter((json_t *) value); at;
         at = json_object_iter_next((json_t *) value, at))
    {
        key = json_object_iter_key(at);

        if (rooms_scim_at(user, verb, key, strlen(key),
                          json_object_iter_value(at), fault) != 0)
        {
            return -1;
        }
    }

    return 0;
}


static int
rooms_scim_verb(const json_t *op)
{
    size_t             i;
    const char        *s;

    static const char *const  verbs[] = { "add", "replace", "remove" };

    s = json_string_value(rooms_scim_get(op, "op"));

    for (i = 0; s && i < 3; i++) {
        if (strcasecmp(s, verbs[i]) == 0) {
            return i;
        }
    }

    return -1;
}


int
rooms_scim_patch(json_t *user, const json_t *body, rooms_scim_fault_t *fault)
{
    int            verb, rc;
    size_t         i;
    json_t        *ops, *op, *path, *value;

    ops = rooms_scim_get(body, "Operations");

    if (!json_is_array(ops) || json_array_size(ops) == 0
        || json_array_size(ops) > 100)
    {
        return rooms_scim_refuse(fault, "invalidSyntax",
                                 "Operations must be an array of 1 to 100");
    }

    for (i = 0; i < json_array_size(ops); i++) {
        op = json_array_get(ops, i);
        verb = json_is_object(op) ? rooms_scim_verb(op) : -1;

        if (verb < 0) {
            return rooms_scim_refuse(fault, "invalidSyntax",
                                     "op must be add, replace or remove");
        }

        path = rooms_scim_get(op, "path");
        value = rooms_scim_get(op, "value");

        if (path && !json_is_null(path)
            && (!json_is_string(path) || json_string_length(path) == 0))
        {
            return rooms_scim_refuse(fault, "invalidPath",
                                     "path must be a string");
        }

        if (value == NULL && verb != ROOMS_SCIM_REMOVE) {
            return rooms_scim_refuse(fault, "invalidValue",
                                     "value is required");
        }

        if (json_is_string(path)) {
            rc = rooms_scim_at(user, verb, json_string_value(path),
                               json_string_length(path), value, fault);

        } else if (verb == ROOMS_SCIM_REMOVE) {
            rc = rooms_scim_refuse(fault, "noTarget",
                                   "remove needs a path");

        } else if (!json_is_object(value)) {
            rc = rooms_scim_refuse(fault, "invalidValue",
                                   "without a path the value is an object");

        } else {
            rc = rooms_scim_whole(user, verb, value, fault);
        }

        if (rc != 0) {
            return -1;
        }
    }

    return 0;
}
