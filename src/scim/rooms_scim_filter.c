/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A filter is evaluated while it is parsed, by recursive descent: "or" binds
 * weakest, then "and", then "not".  Without a resource it is only parsed, and
 * nothing matches.
 */

#include "rooms_scim_internal.h"
#include <string.h>
#include <strings.h>


static int rooms_scim_or(rooms_scim_parser_t *p, const json_t *at);


static void
rooms_scim_spaces(rooms_scim_parser_t *p)
{
    while (p->p < p->last && (*p->p == ' ' || *p->p == '\t')) {
        p->p++;
    }
}


/* Takes the word if it is next, as "and" and "eq" are. */
static int
rooms_scim_word(rooms_scim_parser_t *p, const char *word)
{
    size_t  len;

    len = strlen(word);

    if ((size_t) (p->last - p->p) < len
        || strncasecmp((const char *) p->p, word, len) != 0
        || (p->p + len < p->last && rooms_scim_name_char(p->p[len])))
    {
        return 0;
    }

    p->p += len;

    return 1;
}


int
rooms_scim_name_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '$';
}


/*
 * attrPath: [URI ":"] name ["." name].  The User's own URI is removed, since
 * these attributes are at the top level.
 */
int
rooms_scim_attribute(rooms_scim_parser_t *p, rooms_scim_attr_t *a)
{
    size_t                len;
    const unsigned char  *start, *colon;

    memset(a, 0, sizeof(rooms_scim_attr_t));

    start = p->p;
    colon = NULL;

    if (p->last - p->p > 4
        && strncasecmp((const char *) p->p, "urn:", 4) == 0)
    {
        while (p->p < p->last
               && (rooms_scim_name_char(*p->p) || *p->p == ':'
                   || *p->p == '.'))
        {
            if (*p->p == ':') {
                colon = p->p;
            }

            p->p++;
        }

        len = sizeof(ROOMS_SCIM_USER) - 1;

        if ((size_t) (p->p - start) >= len
            && strncasecmp((const char *) start, ROOMS_SCIM_USER, len) == 0)
        {
            start += len;
            start += start < p->p && *start == ':';

        } else {

            /* here the URI ends with "2.0:User", which contains a dot */

            len = sizeof(ROOMS_SCIM_ENTERPRISE) - 1;

            if ((size_t) (p->p - start) >= len
                && strncasecmp((const char *) start, ROOMS_SCIM_ENTERPRISE,
                               len) == 0)
            {
                colon = start + len;
            }

            if (colon == NULL || colon > p->p) {
                return -1;
            }

            a->uri.data = start;
            a->uri.len = colon - start;
            start = colon < p->p ? colon + 1 : colon;
        }

        p->p = start;
    }

    a->name.data = p->p;

    while (p->p < p->last && rooms_scim_name_char(*p->p)) {
        p->p++;
    }

    a->name.len = p->p - a->name.data;

    if (p->p < p->last && *p->p == '.') {
        a->sub.data = ++p->p;

        while (p->p < p->last && rooms_scim_name_char(*p->p)) {
            p->p++;
        }

        a->sub.len = p->p - a->sub.data;

        if (a->sub.len == 0) {
            return -1;
        }
    }

    return a->name.len || a->uri.len ? 0 : -1;
}


json_t *
rooms_scim_member(const json_t *object, rooms_str_t name, const char **key)
{
    void        *at;
    const char  *k;

    for (at = json_object_iter((json_t *) object); at;
         at = json_object_iter_next((json_t *) object, at))
    {
        k = json_object_iter_key(at);

        if (strlen(k) == name.len
            && strncasecmp(k, (const char *) name.data, name.len) == 0)
        {
            if (key) {
                *key = k;
            }

            return json_object_iter_value(at);
        }
    }

    return NULL;
}


json_t *
rooms_scim_get(const json_t *object, const char *name)
{
    return rooms_scim_member(object, (rooms_str_t) { strlen(name),
                                     (const unsigned char *) name }, NULL);
}


/* compValue: a JSON string, a number, or one of three words. */
static int
rooms_scim_value(rooms_scim_parser_t *p, json_t **value)
{
    size_t                len;
    json_error_t          error;
    const unsigned char  *start;

    start = p->p;

    if (p->p < p->last && *p->p == '"') {

        for (p->p++; p->p < p->last && *p->p != '"'; p->p++) {
            if (*p->p == '\\') {
                p->p++;
            }
        }

        if (p->p >= p->last) {
            return -1;
        }

        p->p++;

    } else {

        while (p->p < p->last && *p->p != ' ' && *p->p != ')'
               && *p->p != ']')
        {
            p->p++;
        }
    }

    len = p->p - start;

    /* some clients send "True" */

    if (len == 4 && strncasecmp((const char *) start, "true", 4) == 0) {
        *value = json_true();

    } else if (len == 5 && strncasecmp((const char *) start, "false", 5) == 0)
    {
        *value = json_false();

    } else {
        *value = json_loadb((const char *) start, len, JSON_DECODE_ANY,
                            &error);
    }

    return *value && !json_is_object(*value) && !json_is_array(*value)
           ? 0 : -1;
}


/* Names are compared ignoring case; ids exactly. */
static int
rooms_scim_exact(const rooms_scim_attr_t *a)
{
    return (a->name.len == 2
            && strncasecmp((const char *) a->name.data, "id", 2) == 0)
           || (a->name.len == 10
               && strncasecmp((const char *) a->name.data, "externalId", 10)
                  == 0);
}


static int
rooms_scim_text(const char *a, size_t na, const char *b, size_t nb, int exact)
{
    size_t  n;
    int     rc;

    n = na < nb ? na : nb;
    rc = exact ? memcmp(a, b, n) : strncasecmp(a, b, n);

    return rc ? rc : (na > nb) - (na < nb);
}


static int
rooms_scim_contains(const char *a, size_t na, const char *b, size_t nb,
    int exact)
{
    size_t  i;

    for (i = 0; i + nb <= na; i++) {
        if (rooms_scim_text(a + i, nb, b, nb, exact) == 0) {
            return 1;
        }
    }

    return 0;
}


static int
rooms_scim_compare(rooms_scim_op_e op, const json_t *is, const json_t *value,
    int exact)
{
    int          rc;
    size_t       na, nb;
    const char  *a, *b;

    if (json_is_string(is) && json_is_string(value)) {
        a = json_string_value(is);
        b = json_string_value(value);
        na = json_string_length(is);
        nb = json_string_length(value);

        switch (op) {

        case ROOMS_SCIM_CO:
            return rooms_scim_contains(a, na, b, nb, exact);

        case ROOMS_SCIM_SW:
            return na >= nb && rooms_scim_text(a, nb, b, nb, exact) == 0;

        case ROOMS_SCIM_EW:
            return na >= nb
                   && rooms_scim_text(a + na - nb, nb, b, nb, exact) == 0;

        default:
            rc = rooms_scim_text(a, na, b, nb, exact);
        }

    } else if (json_is_number(is) && json_is_number(value)) {
        rc = (json_number_value(is) > json_number_value(value))
             - (json_number_value(is) < json_number_value(value));

    } else {
        rc = json_equal((json_t *) is, (json_t *) value) ? 0 : 1;

        /* different types have no order */

        return op == ROOMS_SCIM_EQ ? rc == 0
               : op == ROOMS_SCIM_NE ? rc != 0 : 0;
    }

    switch (op) {

    case ROOMS_SCIM_EQ:
        return rc == 0;

    case ROOMS_SCIM_NE:
        return rc != 0;

    case ROOMS_SCIM_GT:
        return rc > 0;

    case ROOMS_SCIM_GE:
        return rc >= 0;

    case ROOMS_SCIM_LT:
        return rc < 0;

    case ROOMS_SCIM_LE:
        return rc <= 0;

    default:
        return 0;
    }
}


/* If an attribute has several values, one match is enough. */
static int
rooms_scim_holds(rooms_scim_op_e op, const json_t *is, rooms_str_t sub,
    const json_t *value, int exact)
{
    size_t  i;

    if (json_is_array(is)) {

        for (i = 0; i < json_array_size(is); i++) {
            if (rooms_scim_holds(op, json_array_get(is, i), sub, value,
                                 exact))
            {
                return 1;
            }
        }

        return 0;
    }

    if (json_is_object(is)) {

        if (sub.len == 0) {

            if (op == ROOMS_SCIM_PR) {
                return json_object_size(is) > 0;
            }

            sub = (rooms_str_t) { 5, (const unsigned char *) "value" };
        }

        is = rooms_scim_member(is, sub, NULL);
    }

    if (is == NULL || json_is_null(is)) {
        return op == ROOMS_SCIM_NE && value && !json_is_null(value);
    }

    return op == ROOMS_SCIM_PR ? 1 : rooms_scim_compare(op, is, value, exact);
}


static int
rooms_scim_named(rooms_str_t name, const char *is)
{
    return name.len == strlen(is)
           && strncasecmp((const char *) name.data, is, name.len) == 0;
}


/* Notes an equality that an index can search for. */
static void
rooms_scim_note(rooms_scim_parser_t *p, const rooms_scim_attr_t *a,
    rooms_scim_op_e op, const json_t *value)
{
    rooms_scim_by_e    by;
    rooms_scim_key_t  *key;

    key = p->key;

    if (key == NULL || key->by || op != ROOMS_SCIM_EQ || a->uri.len
        || !json_is_string(value)
        || json_string_length(value) > ROOMS_SCIM_VALUE)
    {
        return;
    }

    if (p->within.len) {
        by = rooms_scim_named(p->within, "emails")
             && rooms_scim_named(a->name, "value") && a->sub.len == 0
             ? ROOMS_SCIM_BY_EMAIL : ROOMS_SCIM_BY_NONE;

    } else if (rooms_scim_named(a->name, "emails")) {
        by = a->sub.len == 0 || rooms_scim_named(a->sub, "value")
             ? ROOMS_SCIM_BY_EMAIL : ROOMS_SCIM_BY_NONE;

    } else if (a->sub.len) {
        by = ROOMS_SCIM_BY_NONE;

    } else {
        by = rooms_scim_named(a->name, "userName") ? ROOMS_SCIM_BY_USER_NAME
             : rooms_scim_named(a->name, "externalId")
             ? ROOMS_SCIM_BY_EXTERNAL_ID
             : rooms_scim_named(a->name, "id") ? ROOMS_SCIM_BY_ID
             : ROOMS_SCIM_BY_NONE;
    }

    if (by) {
        key->by = by;
        key->len = json_string_length(value);
        memcpy(key->value, json_string_value(value), key->len);
    }
}


static int
rooms_scim_comparison(rooms_scim_parser_t *p, const rooms_scim_attr_t *a,
    const json_t *at)
{
    int                rc;
    unsigned           op;
    json_t            *value;
    const json_t      *is;

    static const char *const  ops[] = {
        "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr", NULL
    };

    rooms_scim_spaces(p);

    for (op = 0; ops[op] && !rooms_scim_word(p, ops[op]); op++) { /* void */ }

    if (ops[op] == NULL) {
        return -1;
    }

    value = NULL;

    if (op != ROOMS_SCIM_PR) {
        rooms_scim_spaces(p);

        if (rooms_scim_value(p, &value) != 0) {
            json_decref(value);
            return -1;
        }
    }

    is = at;

    if (at && a->uri.len) {
        is = rooms_scim_member(at, a->uri, NULL);
    }

    if (is && a->name.len) {
        is = json_is_object(is) ? rooms_scim_member(is, a->name, NULL)
             : rooms_scim_named(a->name, "value") ? is : NULL;
    }

    rc = at && rooms_scim_holds(op, is, a->sub, value, rooms_scim_exact(a));

    rooms_scim_note(p, a, op, value);
    json_decref(value);

    return rc;
}


/* attr "[" filter "]": matches if one element satisfies the whole filter. */
static int
rooms_scim_elements(rooms_scim_parser_t *p, const rooms_scim_attr_t *a,
    const json_t *at)
{
    int                    rc, any;
    size_t                 i, n;
    const json_t          *is;
    rooms_str_t            within;
    rooms_scim_parser_t    begin;

    if (p->within.len || a->sub.len) {
        return -1;
    }

    within = p->within;
    p->within = a->name;
    p->p++;
    begin = *p;

    rc = rooms_scim_or(p, NULL);

    if (rc < 0 || p->p >= p->last || *p->p != ']') {
        return -1;
    }

    p->p++;
    p->within = within;

    is = at ? rooms_scim_member(at, a->name, NULL) : NULL;
    n = json_is_array(is) ? json_array_size(is) : json_is_object(is);
    any = 0;

    for (i = 0; i < n && !any; i++) {
        begin.key = NULL;
        begin.depth = 0;

        rooms_scim_parser_t  again = begin;

        any = rooms_scim_or(&again, json_is_array(is) ? json_array_get(is, i)
                                                      : is) == 1;
    }

    return any;
}


static int
rooms_scim_factor(rooms_scim_parser_t *p, const json_t *at)
{
    int                rc, not;
    rooms_scim_attr_t  a;

    rooms_scim_spaces(p);

    not = rooms_scim_word(p, "not");

    if (not) {
        p->doubt = 1;
        rooms_scim_spaces(p);
    }

    if (p->p < p->last && *p->p == '(') {

        if (++p->depth > ROOMS_SCIM_DEPTH) {
            return -1;
        }

        p->p++;
        rc = rooms_scim_or(p, at);

        if (rc < 0 || p->p >= p->last || *p->p != ')') {
            return -1;
        }

        p->p++;
        p->depth--;

        return not ? at && !rc : rc;
    }

    if (not || rooms_scim_attribute(p, &a) != 0) {
        return -1;
    }

    return p->p < p->last && *p->p == '[' ? rooms_scim_elements(p, &a, at)
                                          : rooms_scim_comparison(p, &a, at);
}


static int
rooms_scim_and(rooms_scim_parser_t *p, const json_t *at)
{
    int  rc, all;

    for (all = 1; /* void */ ; /* void */) {
        rc = rooms_scim_factor(p, at);

        if (rc < 0) {
            return -1;
        }

        all = all && rc;
        rooms_scim_spaces(p);

        if (!rooms_scim_word(p, "and")) {
            return all;
        }
    }
}


static int
rooms_scim_or(rooms_scim_parser_t *p, const json_t *at)
{
    int  rc, any;

    for (any = 0; /* void */ ; /* void */) {
        rc = rooms_scim_and(p, at);

        if (rc < 0) {
            return -1;
        }

        any = any || rc;
        rooms_scim_spaces(p);

        if (!rooms_scim_word(p, "or")) {
            return any;
        }

        p->doubt = 1;
    }
}


int
rooms_scim_filter(rooms_scim_parser_t *p, const json_t *at)
{
    return rooms_scim_or(p, at);
}


int
rooms_scim_match(rooms_str_t filter, const json_t *resource)
{
    int                  rc;
    rooms_scim_parser_t  p;

    memset(&p, 0, sizeof(rooms_scim_parser_t));
    p.p = filter.data;
    p.last = filter.data + filter.len;

    rc = rooms_scim_or(&p, resource);

    return p.p == p.last ? rc : -1;
}


int
rooms_scim_key(rooms_str_t filter, rooms_scim_key_t *key)
{
    int                  rc;
    rooms_scim_parser_t  p;

    memset(&p, 0, sizeof(rooms_scim_parser_t));
    memset(key, 0, sizeof(rooms_scim_key_t));
    p.p = filter.data;
    p.last = filter.data + filter.len;
    p.key = key;

    rc = rooms_scim_or(&p, NULL);

    if (rc < 0 || p.p != p.last) {
        return -1;
    }

    if (p.doubt) {
        key->by = ROOMS_SCIM_BY_NONE;
    }

    return 0;
}
