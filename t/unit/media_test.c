/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Names, types and folders of media, and references to media. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rooms_json.h"
#include "rooms_media.h"


#define bytes(s)  ((rooms_str_t) rooms_string(s))


static void
assert_is(rooms_str_t got, const char *want)
{
    if (want == NULL) {
        assert_null(got.data);
        return;
    }

    assert_non_null(got.data);
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.data, want, got.len);
}


static void
names(void **state)
{
    size_t         i;
    unsigned char  longest[ROOMS_MEDIA_NAME_MAX + 1];

    static const rooms_str_t  good[] = {
        rooms_string("a"), rooms_string("a b.txt"), rooms_string(".x"),
        rooms_string("..."), rooms_string("r\xc3\xa9sum\xc3\xa9"),
        rooms_string("\xc2\xa0"), rooms_string("\"%;"),
        rooms_string("\xf0\x9f\x98\x80"),
    };

    static const rooms_str_t  bad[] = {
        rooms_string(""), rooms_string("."), rooms_string(".."),
        rooms_string("a/b"), rooms_string("a\\b"), rooms_string("a\0b"),
        rooms_string("a\nb"), rooms_string("a\x1f"), rooms_string("a\x7f"),
        rooms_string("\xc2\x85"), rooms_string("\xc2\x9f"),
        rooms_string("\xff"), rooms_string("\xc3"),
        rooms_string("\xed\xa0\x80"),
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(rooms_media_name_valid(good[i]));
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(rooms_media_name_valid(bad[i]));
    }

    assert_false(rooms_media_name_valid(ROOMS_NULL));

    memset(longest, 'n', sizeof(longest));
    assert_true(rooms_media_name_valid((rooms_str_t) { 255, longest }));
    assert_false(rooms_media_name_valid((rooms_str_t) { 256, longest }));
}


static void
types(void **state)
{
    size_t         i, len;
    rooms_str_t    s;
    unsigned char  mime[ROOMS_MEDIA_MIME_MAX], *whole;

    static const char  *cases[][2] = {
        { "text/plain", "text/plain" },
        { "Text/HTML", "text/html" },
        { "text/plain;charset=utf-8", "text/plain" },
        { "text/plain \t ; charset", "text/plain" },
        { "text/plain  ", "text/plain" },
        { "a/b", "a/b" },
        { "application/vnd.a+b.c-d", "application/vnd.a+b.c-d" },
        { "!#$%&'*+-.^_`|~/!#$%&'*+-.^_`|~",
          "!#$%&'*+-.^_`|~/!#$%&'*+-.^_`|~" },
        { "", "" },
        { "/", "" },
        { "text", "" },
        { "text/", "" },
        { "/plain", "" },
        { "text /plain", "" },
        { "text/ plain", "" },
        { " text/plain", "" },
        { "text/plain/x", "" },
        { "text/plain x", "" },
        { "text/plain,", "" },
        { "text/pl\xc3\xa4in", "" },
        { "text/\"x\"", "" },
        { "text/a\r\nX: y", "" },
        { "text/<b>", "" },
        { "te(xt/x", "" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = rooms_media_mime(rooms_cstr(cases[i][0]), mime);
        assert_is((rooms_str_t) { len, mime }, cases[i][1]);
    }

    assert_int_equal(rooms_media_mime(ROOMS_NULL, mime), 0);
    assert_int_equal(rooms_media_mime(bytes("text/a\0b"), mime), 0);

    /* not one byte beyond the buffer or the text */

    for (s.len = 126; s.len < 130; s.len++) {
        whole = malloc(s.len);
        memset(whole, 'x', s.len);
        whole[4] = '/';
        s.data = whole;

        assert_int_equal(rooms_media_mime(s, mime),
                         s.len <= ROOMS_MEDIA_MIME_MAX ? s.len : 0);
        free(whole);
    }
}


static void
disposition(const char *name, const char *want)
{
    size_t          len, room;
    unsigned char  *dst;

    room = ROOMS_MEDIA_DISPOSITION(strlen(name));
    dst = malloc(room);
    len = rooms_media_disposition(rooms_cstr(name), 0, dst);

    assert_true(len <= room);
    assert_is((rooms_str_t) { len, dst }, want);
    free(dst);
}


static void
dispositions(void **state)
{
    char  name[ROOMS_MEDIA_NAME_MAX + 1];

    disposition("a b.txt", "attachment; filename=\"a b.txt\"");
    disposition("a;b='c'.txt", "attachment; filename=\"a;b='c'.txt\"");
    disposition("r\xc3\xa9s.pdf", "attachment; filename=\"r_s.pdf\"; "
                                  "filename*=UTF-8''r%C3%A9s.pdf");
    disposition("\xf0\x9f\x98\x80", "attachment; filename=\"_\"; "
                                    "filename*=UTF-8''%F0%9F%98%80");
    disposition("a\"b", "attachment; filename=\"a_b\"; "
                        "filename*=UTF-8''a%22b");
    disposition("100%", "attachment; filename=\"100_\"; "
                        "filename*=UTF-8''100%25");
    disposition("\xc3\xa9 '(1)*,;=@!#$&+-.^_`|~",
                "attachment; filename=\"_ '(1)*,;=@!#$&+-.^_`|~\"; "
                "filename*=UTF-8''%C3%A9%20%27%281%29%2A%2C%3B%3D%40!#$&+-.^"
                "_`|~");

    /* no valid name has these; they are escaped anyway */

    disposition("a\r\nb", "attachment; filename=\"a__b\"; "
                          "filename*=UTF-8''a%0D%0Ab");

    memset(name, '%', ROOMS_MEDIA_NAME_MAX);
    name[ROOMS_MEDIA_NAME_MAX] = '\0';
    assert_int_equal(strlen(name), 255);
    {
        unsigned char  dst[ROOMS_MEDIA_DISPOSITION(255)];

        assert_int_equal(rooms_media_disposition(rooms_cstr(name), 0, dst),
                         sizeof(dst) - 1);
    }
}


static void
folders(void **state)
{
    size_t         i, len;
    unsigned char  dir[ROOMS_MEDIA_DIR_MAX], longest[64];

    static const char  *cases[][2] = {
        { "acme", "acme" },
        { "a.b-c_D9", "a.b-c_D9" },
        { ".", "%2E" },
        { "..", "%2E." },
        { ".incoming", "%2Eincoming" },
        { "a..", "a.." },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = rooms_media_dir(rooms_cstr(cases[i][0]), dir);
        assert_is((rooms_str_t) { len, dir }, cases[i][1]);
    }

    memset(longest, '.', sizeof(longest));
    assert_int_equal(rooms_media_dir((rooms_str_t) { 64, longest }, dir), 66);
}


/* The ids that a content refers to, with a space after each. */
static void
refs(const char *content, const char *want)
{
    size_t              len;
    char               *got;
    rooms_str_t         id, s;
    unsigned char      *text;
    rooms_media_refs_t  it;

    /* nothing is read past the end */

    s.len = strlen(content);
    text = malloc(s.len);
    memcpy(text, content, s.len);
    s.data = text;

    got = calloc(1, s.len + 100);
    len = 0;

    rooms_media_refs_init(&it, s);

    for (id = rooms_media_refs_next(&it);
         id.data;
         id = rooms_media_refs_next(&it))
    {
        memcpy(got + len, id.data, id.len);
        len += id.len;
        got[len++] = ' ';
    }

    assert_string_equal(got, want);
    assert_null(rooms_media_refs_next(&it).data);

    free(got);
    free(text);
}


static void
references(void **state)
{
    refs("{}", "");
    refs("{\"body\":\"med-a\"}", "");
    refs("{\"media_id\":\"med-a\"}", "med-a ");
    refs("{ \"x\" : 1 , \"media_id\" : \"med-a\" }", "med-a ");
    refs("{\"attachments\":[{\"media_id\":\"med-b\"}]}", "med-b ");
    refs("{\"attachments\" : [ { \"media_id\" : \"med-b\" } , "
         "{\"name\":\"x\",\"media_id\":\"med-c\"} ],\"media_id\":\"med-a\"}",
         "med-a med-b med-c ");
    refs("{\"thumbnail_id\":\"med-t\"}", "med-t ");
    refs("{\"thumbnail_id\":\"med-t\",\"media_id\":\"med-a\",\"attachments\":["
         "{\"thumbnail_id\":\"med-u\"},{\"thumbnail_id\":\"x\","
         "\"media_id\":\"med-b\"}]}", "med-a med-t med-u med-b ");
    refs("{\"attachments\":[]}", "");
    refs("{\"attachments\":[ ]}", "");
    refs("{\"attachments\":[1,\"med-x\",null,[{\"media_id\":\"med-y\"}],{},"
         "{\"media_id\":7},{\"media_id\":null},{\"media_id\":\"med-z\"}]}",
         "med-z ");
    refs("{\"attachments\":{\"media_id\":\"med-b\"}}", "");
    refs("{\"attachments\":\"[{}]\"}", "");
    refs("{\"media_id\":[\"med-a\"]}", "");

    /* repeated ids are reported twice: callers keep a set anyway */

    refs("{\"media_id\":\"med-a\",\"attachments\":[{\"media_id\":\"med-a\"}]}",
         "med-a med-a ");

    /* invalid ids can't become a key, or a part of one */

    refs("{\"media_id\":\"room-a\"}", "");
    refs("{\"media_id\":\"med-\"}", "");
    refs("{\"media_id\":\"med-a b\"}", "");
    refs("{\"media_id\":\"med-../x\"}", "");
    refs("{\"media_id\":\"med-\\u0061\"}", "");
    refs("{\"media_id\":\"med-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaa\"}", "");

    /* references at deeper levels don't count */

    refs("{\"quoted\":{\"media_id\":\"med-q\"}}", "");

    /* invalid JSON ends the walk */

    refs("", "");
    refs("{", "");
    refs("{\"attachments\":[{\"media_id\":\"med-b\"}", "");
    refs("[{\"media_id\":\"med-b\"}]", "");
}


static void
elements(void **state)
{
    rooms_str_t  a;

    a = bytes("[1, [2,3] ,\"x,]\"  ]");
    assert_is(rooms_json_element(&a), "1");
    assert_is(rooms_json_element(&a), "[2,3]");
    assert_is(rooms_json_element(&a), "\"x,]\"");
    assert_is(rooms_json_element(&a), NULL);
    assert_is(rooms_json_element(&a), NULL);

    a = bytes("[]");
    assert_is(rooms_json_element(&a), NULL);
    a = bytes("{\"a\":1}");
    assert_is(rooms_json_element(&a), NULL);
    a = ROOMS_NULL;
    assert_is(rooms_json_element(&a), NULL);
    a = bytes("[1 2]");
    assert_is(rooms_json_element(&a), "1");
    assert_is(rooms_json_element(&a), NULL);
}


static void
in_page(void **state)
{
    size_t         len;
    unsigned char  dst[ROOMS_MEDIA_DISPOSITION(16)];

    assert_true(rooms_media_in_page(bytes("image/png")));
    assert_true(rooms_media_in_page(bytes("image/jpeg")));
    assert_true(rooms_media_in_page(bytes("image/gif")));
    assert_true(rooms_media_in_page(bytes("image/webp")));
    assert_true(rooms_media_in_page(bytes("video/mp4")));
    assert_false(rooms_media_in_page(bytes("image/svg+xml")));
    assert_false(rooms_media_in_page(bytes("text/html")));
    assert_false(rooms_media_in_page(bytes("image/pngx")));
    assert_false(rooms_media_in_page(bytes("image/pn")));
    assert_false(rooms_media_in_page(bytes("")));

    len = rooms_media_disposition(bytes("a\"b.png"), 1, dst);
    assert_is((rooms_str_t) { len, dst },
              "inline; filename=\"a_b.png\"; filename*=UTF-8''a%22b.png");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(in_page),
        cmocka_unit_test(types),
        cmocka_unit_test(dispositions),
        cmocka_unit_test(folders),
        cmocka_unit_test(references),
        cmocka_unit_test(elements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
