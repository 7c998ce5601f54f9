/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* SCIM's filters, paths and PATCH: examples of RFC 7644, and hostile ones. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "rooms_scim.h"


static const char  bjensen[] =
    "{\"schemas\":[\"" ROOMS_SCIM_USER "\"],\"id\":\"2819c223\","
    "\"userName\":\"bjensen@example.com\",\"externalId\":\"701984\","
    "\"title\":\"Tour Guide\",\"userType\":\"Employee\",\"active\":true,"
    "\"name\":{\"familyName\":\"O'Malley\",\"givenName\":\"Barbara\"},"
    "\"emails\":[{\"value\":\"bjensen@example.com\",\"type\":\"work\","
    "\"primary\":true},{\"value\":\"babs@jensen.org\",\"type\":\"home\"}],"
    "\"meta\":{\"resourceType\":\"User\","
    "\"lastModified\":\"2011-05-13T04:42:34Z\"},"
    "\"" ROOMS_SCIM_ENTERPRISE "\":{\"employeeNumber\":\"701984\","
    "\"manager\":{\"displayName\":\"John Smith\"}}}";


static rooms_str_t
str(const char *s)
{
    return (rooms_str_t) { strlen(s), (const unsigned char *) s };
}


static json_t *
load(const char *s)
{
    json_t        *j;
    json_error_t   error;

    j = json_loads(s, 0, &error);
    assert_non_null(j);

    return j;
}


static void
filters(void **state)
{
    size_t   i;
    json_t  *user;

    static const struct {
        const char  *filter;
        int          result;
    } cases[] = {

        /* RFC 7644, figure 2, with the results for the User above */

        { "userName Eq \"bjensen@example.com\"", 1 },
        { "userName eq \"john\"", 0 },
        { "name.familyName co \"O'Malley\"", 1 },
        { "userName sw \"J\"", 0 },
        { "urn:ietf:params:scim:schemas:core:2.0:User:userName sw \"b\"", 1 },
        { "title pr", 1 },
        { "nickName pr", 0 },
        { "meta.lastModified gt \"2011-05-13T04:42:33Z\"", 1 },
        { "meta.lastModified ge \"2011-05-13T04:42:34Z\"", 1 },
        { "meta.lastModified lt \"2011-05-13T04:42:34Z\"", 0 },
        { "meta.lastModified le \"2011-05-13T04:42:34Z\"", 1 },
        { "title pr and userType eq \"Employee\"", 1 },
        { "title pr or userType eq \"Intern\"", 1 },
        { "schemas eq \"" ROOMS_SCIM_USER "\"", 1 },
        { "userType eq \"Employee\" and (emails co \"example.com\" or "
          "emails.value co \"example.org\")", 1 },
        { "userType ne \"Employee\" and not (emails co \"example.com\" or "
          "emails.value co \"example.org\")", 0 },
        { "userType eq \"Employee\" and (emails.type eq \"work\")", 1 },
        { "userType eq \"Employee\" and emails[type eq \"work\" and "
          "value co \"@example.com\"]", 1 },
        { "emails[type eq \"work\" and value co \"@example.com\"] or "
          "ims[type eq \"xmpp\" and value co \"@foo.com\"]", 1 },

        /* all conditions must hold for the same element */

        { "emails[type eq \"home\" and value co \"@example.com\"]", 0 },
        { "emails.type eq \"home\" and emails.value co \"@example.com\"", 1 },

        { ROOMS_SCIM_ENTERPRISE ":employeeNumber eq \"701984\"", 1 },
        { ROOMS_SCIM_ENTERPRISE ":manager.displayName sw \"john\"", 1 },
        { "active eq true", 1 },
        { "active eq True", 1 },
        { "active ne true", 0 },
        { "not (active eq false)", 1 },
        { "externalId eq \"701984\"", 1 },
        { "  title   pr  ", 1 },

        /* "and" binds closer than "or" */

        { "title pr or title pr and nickName pr", 1 },
        { "(title pr or title pr) and nickName pr", 0 },

        /* invalid filters */

        { "", -1 },
        { "userName", -1 },
        { "userName eq", -1 },
        { "userName eq bjensen", -1 },
        { "userName eq \"bjensen", -1 },
        { "userName eq \"bjensen\\", -1 },
        { "userName equals \"x\"", -1 },
        { "userName eq \"x\" and", -1 },
        { "(userName eq \"x\"", -1 },
        { "userName eq \"x\")", -1 },
        { "not userName eq \"x\"", -1 },
        { "emails[type eq \"work\"", -1 },
        { "emails[type eq \"work\"].value eq \"x\"", -1 },
        { "emails[a[b eq 1] eq 1]", -1 },
        { "urn:x:y", -1 },
        { "userName eq [1]", -1 },
        { "userName eq {}", -1 },
        { "a. eq 1", -1 },
        { "((((((((((((((((((a pr))))))))))))))))))", -1 },
        { NULL, 0 }
    };

    (void) state;

    user = load(bjensen);

    for (i = 0; cases[i].filter; i++) {
        if (rooms_scim_match(str(cases[i].filter), user) != cases[i].result) {
            fail_msg("%s: not %d", cases[i].filter, cases[i].result);
        }
    }

    json_decref(user);
}


static void
keys(void **state)
{
    size_t            i;
    rooms_scim_key_t  key;

    static const struct {
        const char       *filter;
        rooms_scim_by_e   by;
        const char       *value;
    } cases[] = {
        { "userName eq \"a\"", ROOMS_SCIM_BY_USER_NAME, "a" },
        { "USERNAME EQ \"a\"", ROOMS_SCIM_BY_USER_NAME, "a" },
        { "externalId eq \"a\\u0062\"", ROOMS_SCIM_BY_EXTERNAL_ID, "ab" },
        { "id eq \"a\"", ROOMS_SCIM_BY_ID, "a" },
        { "emails eq \"a\"", ROOMS_SCIM_BY_EMAIL, "a" },
        { "emails.value eq \"a\"", ROOMS_SCIM_BY_EMAIL, "a" },
        { "emails[type eq \"work\" and value eq \"a\"]",
          ROOMS_SCIM_BY_EMAIL, "a" },
        { "title pr and userName eq \"a\"", ROOMS_SCIM_BY_USER_NAME, "a" },
        { "(userName eq \"a\")", ROOMS_SCIM_BY_USER_NAME, "a" },

        /* filters that may match more than the key finds */

        { "userName eq \"a\" or title pr", ROOMS_SCIM_BY_NONE, NULL },
        { "not (userName eq \"a\")", ROOMS_SCIM_BY_NONE, NULL },
        { "userName ne \"a\"", ROOMS_SCIM_BY_NONE, NULL },
        { "userName co \"a\"", ROOMS_SCIM_BY_NONE, NULL },
        { "emails.type eq \"a\"", ROOMS_SCIM_BY_NONE, NULL },
        { "name.id eq \"a\"", ROOMS_SCIM_BY_NONE, NULL },
        { "groups[id eq \"a\"]", ROOMS_SCIM_BY_NONE, NULL },
        { "userName eq 5", ROOMS_SCIM_BY_NONE, NULL },
        { ROOMS_SCIM_ENTERPRISE ":userName eq \"a\"", ROOMS_SCIM_BY_NONE,
          NULL },
        { NULL, ROOMS_SCIM_BY_NONE, NULL }
    };

    (void) state;

    for (i = 0; cases[i].filter; i++) {
        assert_int_equal(rooms_scim_key(str(cases[i].filter), &key), 0);

        if (key.by != cases[i].by) {
            fail_msg("%s: by %d", cases[i].filter, key.by);
        }

        if (key.by) {
            assert_int_equal(key.len, strlen(cases[i].value));
            assert_memory_equal(key.value, cases[i].value, key.len);
        }
    }

    assert_int_equal(rooms_scim_key(str("userName eq"), &key), -1);
}


static void
patches(void **state)
{
    int                  rc;
    size_t               i;
    json_t              *user, *body, *is;
    rooms_scim_fault_t   fault;

    static const struct {
        const char  *user;
        const char  *ops;
        const char  *is;            /* NULL: refused with `type` */
        const char  *type;
    } cases[] = {
        { "{}", "[{\"op\":\"add\",\"value\":{\"a\":1}}]", "{\"a\":1}", NULL },
        { "{\"a\":1}", "[{\"op\":\"Replace\",\"path\":\"A\",\"value\":2}]",
          "{\"a\":2}", NULL },
        { "{\"a\":1}", "[{\"op\":\"REMOVE\",\"path\":\"a\"}]", "{}", NULL },
        { "{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"a\",\"value\":null}]",
          "{}", NULL },
        { "{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":[1,2]}]",
          "{\"a\":[1,2]}", NULL },
        { "{\"a\":[1]}",
          "[{\"op\":\"replace\",\"path\":\"a\",\"value\":[2]}]",
          "{\"a\":[2]}", NULL },
        { "{\"n\":{\"x\":1,\"y\":2}}",
          "[{\"op\":\"replace\",\"path\":\"n\",\"value\":{\"x\":3}}]",
          "{\"n\":{\"x\":3,\"y\":2}}", NULL },
        { "{}", "[{\"op\":\"add\",\"path\":\"n.x\",\"value\":3}]",
          "{\"n\":{\"x\":3}}", NULL },
        { "{}", "[{\"op\":\"add\",\"value\":{\"n.x\":3}}]",
          "{\"n\":{\"x\":3}}", NULL },
        { "{}", "[{\"op\":\"add\",\"path\":\"" ROOMS_SCIM_ENTERPRISE
          ":d\",\"value\":3}]", "{\"" ROOMS_SCIM_ENTERPRISE "\":{\"d\":3}}",
          NULL },
        { "{}", "[{\"op\":\"add\",\"value\":{\"" ROOMS_SCIM_ENTERPRISE
          "\":{\"d\":3}}}]", "{\"" ROOMS_SCIM_ENTERPRISE "\":{\"d\":3}}",
          NULL },
        { "{}", "[{\"op\":\"add\",\"path\":\"" ROOMS_SCIM_USER
          ":d\",\"value\":3}]", "{\"d\":3}", NULL },
        { "{\"e\":[{\"t\":\"w\",\"v\":1},{\"t\":\"h\",\"v\":2}]}",
          "[{\"op\":\"replace\",\"path\":\"e[t eq \\\"w\\\"].v\","
          "\"value\":3}]",
          "{\"e\":[{\"t\":\"w\",\"v\":3},{\"t\":\"h\",\"v\":2}]}", NULL },
        { "{\"e\":[{\"t\":\"w\",\"v\":1},{\"t\":\"h\",\"v\":2}]}",
          "[{\"op\":\"remove\",\"path\":\"e[t eq \\\"w\\\"]\"}]",
          "{\"e\":[{\"t\":\"h\",\"v\":2}]}", NULL },
        { "{\"e\":[{\"t\":\"w\"}]}",
          "[{\"op\":\"remove\",\"path\":\"e[t eq \\\"w\\\"]\"}]", "{}", NULL },
        { "{\"e\":[{\"t\":\"w\",\"v\":1}]}",
          "[{\"op\":\"remove\",\"path\":\"e[t eq \\\"w\\\"].v\"}]",
          "{\"e\":[{\"t\":\"w\"}]}", NULL },
        { "{}", "[{\"op\":\"remove\",\"path\":\"e[t eq \\\"w\\\"].v\"}]",
          "{}", NULL },
        { "{}", "[{\"op\":\"Add\",\"path\":\"e[t eq \\\"w\\\"].v\","
          "\"value\":3}]", "{\"e\":[{\"t\":\"w\",\"v\":3}]}", NULL },
        { "{}", "[{\"op\":\"add\",\"path\":\"e[t ne \\\"w\\\"].v\","
          "\"value\":3}]", NULL, "noTarget" },
        { "{\"e\":1}", "[{\"op\":\"add\",\"path\":\"e[t eq 1].v\","
          "\"value\":3}]", NULL, "invalidPath" },
        { "{}", "[{\"op\":\"add\",\"path\":\"e[t eq 1]\",\"value\":3}]",
          NULL, "invalidValue" },
        { "{}", "[{\"op\":\"add\",\"path\":\"e]\",\"value\":3}]", NULL,
          "invalidPath" },
        { "{}", "[{\"op\":\"add\",\"path\":\"\",\"value\":3}]", NULL,
          "invalidPath" },
        { "{}", "[{\"op\":\"add\",\"path\":5,\"value\":3}]", NULL,
          "invalidPath" },
        { "{}", "[{\"op\":\"add\",\"path\":\"a.b.c\",\"value\":3}]", NULL,
          "invalidPath" },
        { "{}", "[{\"op\":\"add\",\"path\":\"a\"}]", NULL, "invalidValue" },
        { "{}", "[{\"op\":\"add\",\"value\":5}]", NULL, "invalidValue" },
        { "{}", "[{\"op\":\"remove\"}]", NULL, "noTarget" },
        { "{}", "[{\"op\":\"move\"}]", NULL, "invalidSyntax" },
        { "{}", "[5]", NULL, "invalidSyntax" },
        { "{}", "[]", NULL, "invalidSyntax" },
        { "{}", "{}", NULL, "invalidSyntax" },
        { NULL, NULL, NULL, NULL }
    };

    (void) state;

    for (i = 0; cases[i].user; i++) {
        user = load(cases[i].user);
        body = json_object();
        json_object_set_new(body, "operations", load(cases[i].ops));

        rc = rooms_scim_patch(user, body, &fault);

        if (cases[i].is) {
            is = load(cases[i].is);

            if (rc != 0 || !json_equal(user, is)) {
                fail_msg("%s: %s", cases[i].ops, json_dumps(user, 0));
            }

            json_decref(is);

        } else {

            if (rc == 0) {
                fail_msg("%s: not refused", cases[i].ops);
            }

            assert_string_equal(fault.type, cases[i].type);
            assert_non_null(fault.detail);
        }

        json_decref(body);
        json_decref(user);
    }
}


static void
users(void **state)
{
    json_t              *user;
    rooms_scim_user_t    u;
    rooms_scim_fault_t   fault;

    (void) state;

    user = load("{\"USERNAME\":\"Ada\",\"ID\":\"x\",\"password\":\"secret\","
                "\"meta\":{},\"groups\":[],\"schemas\":[],\"Active\":\"FALSE\","
                "\"title\":null,\"Emails\":[{\"value\":\"a@a\"},"
                "{\"value\":\"b@b\",\"type\":\"Work\"},{\"value\":\"\"}],"
                "\"name\":{\"GivenName\":\"A\",\"familyName\":\"L\"}}");

    assert_int_equal(rooms_scim_normalize(user, &fault), 0);
    assert_int_equal(rooms_scim_user(user, &u, &fault), 0);
    assert_int_equal(json_object_size(user), 4);
    assert_true(json_is_false(json_object_get(user, "active")));
    assert_int_equal(u.active, 0);
    assert_memory_equal(u.user_name.data, "Ada", 3);
    assert_memory_equal(u.email.data, "b@b", 3);
    assert_memory_equal(u.given.data, "A", 1);
    assert_null(u.display_name.data);
    assert_null(u.external_id.data);
    json_decref(user);

    /* the primary address precedes the one of type "work" */

    user = load("{\"userName\":\"a\",\"emails\":[{\"value\":\"b@b\","
                "\"type\":\"work\"},{\"value\":\"c@c\",\"primary\":true}],"
                "\"displayName\":\"D\"}");
    assert_int_equal(rooms_scim_normalize(user, &fault), 0);
    assert_int_equal(rooms_scim_user(user, &u, &fault), 0);
    assert_memory_equal(u.email.data, "c@c", 3);
    assert_memory_equal(u.display_name.data, "D", 1);
    assert_int_equal(u.active, 1);
    json_decref(user);

    static const char *const  bad[] = {
        "{}", "{\"userName\":5}", "{\"userName\":\"\"}",
        "{\"userName\":\"a\",\"active\":5}",
        "{\"userName\":\"a\",\"active\":\"no\"}",
        "{\"userName\":\"a\",\"externalId\":5}",
        "{\"userName\":\"a\",\"name\":\"b\"}",
        "{\"userName\":\"a\",\"emails\":{}}", NULL
    };

    for (size_t i = 0; bad[i]; i++) {
        user = load(bad[i]);

        if (rooms_scim_normalize(user, &fault) == 0
            && rooms_scim_user(user, &u, &fault) == 0)
        {
            fail_msg("%s: not refused", bad[i]);
        }

        assert_string_equal(fault.type, "invalidValue");
        json_decref(user);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(filters),
        cmocka_unit_test(keys),
        cmocka_unit_test(patches),
        cmocka_unit_test(users)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
