/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rooms_author.h"


/* Authors 1 and 2 are known. */
static void
shown(const char *event, const char *want)
{
    size_t            size;
    unsigned          i;
    rooms_str_t       json;
    unsigned char    *buf;
    rooms_authors_t   a;

    if (rooms_authors_find(&a, rooms_cstr(event)) == 0) {
        assert_null(want);
        return;
    }

    assert_non_null(want);

    for (i = 0; i < a.n; i++) {
        a.authors[i] = rooms_str_eq(a.numbers[i], rooms_cstr("1"))
                       ? rooms_cstr("{\"fqid\":\"@a:b\"}")
                       : rooms_str_eq(a.numbers[i], rooms_cstr("22"))
                       ? rooms_cstr("{\"fqid\":\"@c:d\"}") : ROOMS_NULL;
    }

    size = rooms_authors_size(&a, rooms_cstr(event));
    buf = malloc(size);
    json = rooms_authors_put(&a, rooms_cstr(event), buf, size);

    assert_true(rooms_str_eq(json, rooms_cstr(want)));
    free(buf);
}


static void
test_authors(void **state)
{
    (void) state;

    shown("{\"id\":\"e\",\"content\":{\"n\":1.10,\"_imported_sender\":1},"
          "\"edited_at\":null}",
          "{\"id\":\"e\",\"content\":{\"n\":1.10,\"_imported_sender\":"
          "{\"fqid\":\"@a:b\"}},\"edited_at\":null}");

    /* edited after the import */
    shown("{\"content\":{},\"original_content\":{\"_imported_sender\":22}}",
          "{\"content\":{},\"original_content\":{\"_imported_sender\":"
          "{\"fqid\":\"@c:d\"}}}");

    /* edited before the import */
    shown("{\"content\":{\"_imported_sender\":22},\"original_content\":"
          "{\"_imported_sender\":1,\"a\":2}}",
          "{\"content\":{\"_imported_sender\":{\"fqid\":\"@c:d\"}},"
          "\"original_content\":{\"_imported_sender\":{\"fqid\":\"@a:b\"},"
          "\"a\":2}}");

    /* the author is missing */
    shown("{\"content\":{\"_imported_sender\":7,\"a\":1}}",
          "{\"content\":{\"a\":1}}");
    shown("{\"content\":{\"_imported_sender\":7}}", "{\"content\":{}}");
}


/* Values that only look like author numbers. */
static void
test_none(void **state)
{
    (void) state;

    shown("{}", NULL);
    shown("{\"content\":{\"_imported_sender\":{\"fqid\":\"1\"}}}", NULL);
    shown("{\"content\":{\"_imported_sender\":\"1\"}}", NULL);
    shown("{\"content\":{\"_imported_sender\":1.5}}", NULL);
    shown("{\"content\":{\"_imported_sender\":-1}}", NULL);
    shown("{\"content\":{\"a\":{\"_imported_sender\":1}}}", NULL);
    shown("{\"content\":{\"replaces\":\"e\",\"content\":"
          "{\"_imported_sender\":1}}}", NULL);
    shown("{\"content\":{\"body\":\"\\\"_imported_sender\\\":1\"}}", NULL);
    shown("{\"_imported_sender\":1}", NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_authors),
        cmocka_unit_test(test_none)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
