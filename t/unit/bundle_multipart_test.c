/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "bundle_test.h"
#include "rooms_form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>


#define TYPE   "multipart/form-data; boundary=XYZ"


/*
 * Parses a body in chunks of `step` bytes into a text: each part as
 * name|filename|type|offset|length|data, and the problem if any.
 */

static void
parse(const char *type, const char *body, size_t len, size_t step,
    bytes_t *out)
{
    int                  n;
    char                 line[1024];
    size_t               take, at;
    uint64_t             sum;
    bytes_t              data = { 0 };
    const u_char        *p, *end;
    rooms_multipart_t    mp;

    out->len = 0;
    sum = 0;

    if (rooms_multipart_init(&mp, rooms_cstr(type)) != 0) {
        goto failed;
    }

    for (at = 0; at < len; at += take) {
        take = len - at < step ? len - at : step;

        /* on the heap, so that a sanitizer detects overreads */
        p = memcpy(malloc(take), body + at, take);
        end = p + take;

        while ((n = rooms_multipart_next(&mp, &p, end)) > 0) {

            switch (n) {

            case ROOMS_MULTIPART_PART:
                sum = mp.offset;
                data.len = 0;
                n = snprintf(line, sizeof(line), "%.*s|%.*s|%.*s|",
                             (int) mp.name.len, mp.name.data,
                             (int) mp.filename.len,
                             mp.filename.data ? (char *) mp.filename.data
                                              : "",
                             (int) mp.type.len,
                             mp.type.data ? (char *) mp.type.data : "");
                bytes_add(out, line, n);
                break;

            case ROOMS_MULTIPART_DATA:
                assert_int_equal(mp.offset, sum);
                assert_true(mp.data.len > 0);
                assert_memory_equal(mp.data.data, body + mp.offset,
                                    mp.data.len);
                bytes_add(&data, mp.data.data, mp.data.len);
                sum += mp.data.len;
                break;

            case ROOMS_MULTIPART_PART_END:
                assert_int_equal(mp.offset, sum);
                assert_int_equal(mp.length, data.len);
                bytes_add(out, data.data, data.len);
                bytes_add(out, "\n", 1);
                break;

            default:
                bytes_add(out, "end", 3);
            }
        }

        free((u_char *) end - take);

        if (n < 0) {
            goto failed;
        }

        assert_ptr_equal(p, end);
    }

    bytes_free(&data);

    if (rooms_multipart_finish(&mp) == 0) {
        bytes_add(out, "", 1);
        return;
    }

failed:

    bytes_free(&data);
    assert_true(mp.err[0]);
    bytes_add(out, "!", 1);
    bytes_add(out, mp.err, strlen(mp.err) + 1);
}


static void
check(const char *type, const char *body, size_t len, const char *want)
{
    size_t   step;
    bytes_t  out = { 0 };

    for (step = len + 1; step > 0; step = step > 40 ? 40 : step - 1) {
        parse(type, body, len, step, &out);

        if (want[0] == '!' ? strstr((char *) out.data, want + 1) == NULL
                             || strchr((char *) out.data, '!') == NULL
                           : strcmp((char *) out.data, want) != 0)
        {
            fail_msg("step %zu: wanted \"%s\", got \"%s\"", step, want,
                     (char *) out.data);
        }
    }

    bytes_free(&out);
}

#define CHECK(body, want)   check(TYPE, body, sizeof(body) - 1, want)
#define DISP(s)             "Content-Disposition: form-data; " s "\r\n"
#define PART(s, data)       "--XYZ\r\n" DISP(s) "\r\n" data "\r\n"


static void
test_parts(void **state)
{
    (void) state;

    CHECK("--XYZ--\r\n", "end");
    CHECK("--XYZ--", "end");
    CHECK(PART("name=\"a\"", "x") "--XYZ--\r\n", "a|||x\nend");
    CHECK(PART("name=a", "") "--XYZ--\r\n", "a|||\nend");
    CHECK("preamble\r\n" PART("name=\"a\"", "x") "--XYZ--\r\nepilogue\r\n"
          "--XYZ\r\n", "a|||x\nend");
    CHECK("--XY\r\n--XYZ \t \r\n" DISP("name=a") "\r\n1\r\n--XYZ--", "a|||1\n"
          "end");
    CHECK("--XYZ\r\n" DISP("name=\"file\"; filename=\"b.zip\"")
          "Content-Type: application/zip\r\n\r\nPK\r\n--XYZ--\r\n",
          "file|b.zip|application/zip|PK\nend");
    CHECK("--XYZ\r\ncontent-TYPE:text/plain\r\ncontent-disposition: "
          "FORM-DATA ; NAME=a;filename=\r\n\r\n\r\n--XYZ--",
          "a||text/plain|\nend");
    CHECK(PART("name=a", "1") PART("name=b", "2") PART("name=c", "3")
          "--XYZ--", "a|||1\nb|||2\nc|||3\nend");

    /* almost a delimiter */
    CHECK(PART("name=a", "\r\r\n\r\n-\r\n--\r\n--X\r\n--XY\r\r\n--XY\n--XYZ"
                         "\r--XYZ--\r")
          "--XYZ--", "a|||\r\r\n\r\n-\r\n--\r\n--X\r\n--XY\r\r\n--XY\n--XYZ"
                     "\r--XYZ--\r\nend");
    CHECK("--XYZ\r\n" DISP("name=\"\xc3\xa9\"; filename=\"C:\\dir\\\xc3\xa9"
                           "\\\"x\\\".txt\"")
          "\r\n\r\n--XYZ--", "\xc3\xa9|\xc3\xa9_x_.txt||\nend");
    CHECK(PART("name=a; filename=\"../../x\"", "1") "--XYZ--",
          "a|x||1\nend");
    CHECK(PART("name=a; filename=\"\"", "1") "--XYZ--", "a|||1\nend");
    CHECK("--XYZ\r\n" DISP("name=a") "Content-Transfer-Encoding: binary\r\n"
          "X-Y: z\r\n\r\n1\r\n--XYZ--", "a|||1\nend");
}


/* How clients encode a name that isn't ASCII, and which parameter wins. */
static void
test_filenames(void **state)
{
    size_t  i;
    char    body[400], want[400];

    static const struct {
        const char  *params;
        const char  *name;
    } cases[] = {
        { "filename*=UTF-8''x", "x" },
        { "filename*=utf-8'en'%e2%82%ac%20rates.txt", "\xe2\x82\xac rates.txt" },
        { "filename*=iso-8859-1''%A3.txt", "\xc2\xa3.txt" },
        { "filename*=\"UTF-8''%C3%A4\"", "\xc3\xa4" },
        { "filename=a; filename*=UTF-8''b", "b" },
        { "filename*=UTF-8''b; filename=a", "b" },
        { "filename*=UTF-8''b; filename=\"\"", "b" },
        { "filename*=UTF-8''b; filename*=UTF-8''c", "b" },
        { "filename*=UTF-8''..%2F..%5Cb%00c", "b_c" },

        /* malformed, or in an unknown charset */
        { "filename=a; filename*=b", "a" },
        { "filename=a; filename*=UTF-8'b", "a" },
        { "filename=a; filename*=UTF-8''%4", "a" },
        { "filename=a; filename*=UTF-8''%zz", "a" },
        { "filename*=koi8-r''%C1; filename=a", "a" },
        { "filename=a; filename*=UTF-8''", "a" },

        /* .NET */
        { "filename=\"=?utf-8?B?w7xiZXIudHh0?=\"", "\xc3\xbc" "ber.txt" },
        { "filename==?utf-8?B?w7xiZXIudHh0?=", "\xc3\xbc" "ber.txt" },
        { "filename=\"=?utf-8?B?w7x0?=\"; filename*=utf-8''%C3%BCt2",
          "\xc3\xbct2" },
        { "filename=\"=?UTF-8?q?=C3=BC_b.txt?=\"", "\xc3\xbc b.txt" },
        { "filename=\"=?iso-8859-1?Q?=FC?=\"", "\xc3\xbc" },
        { "filename=\"=?utf-8?B?YWI=?= =?utf-8?B?Y2Q=?=\"", "abcd" },
        { "filename=\"=?utf-8?B?Li4vYS9i?=\"", "b" },
        { "filename=\"=?utf-8?B?YWI=?=x\"", "=_utf-8_B_YWI=_=x" },
        { "filename=\"=?utf-8?B?*?=\"", "=_utf-8_B___=" },
        { "filename=\"=?utf-8?X?a?=\"", "=_utf-8_X_a_=" },
        { "filename=\"=?utf-8?Q?a\"", "=_utf-8_Q_a" },
        { "filename=\"=?utf-8?Q?=4?=\"", "=_utf-8_Q_=4_=" },
        { "filename=\"=?koi8-r?Q?a?=\"", "=_koi8-r_Q_a_=" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sprintf(body, "--XYZ\r\n" DISP("name=a; %s; foo=bar;") "\r\n1\r\n"
                "--XYZ--", cases[i].params);
        sprintf(want, "a|%s||1\nend", cases[i].name);
        check(TYPE, body, strlen(body), want);
    }
}


static void
test_bad_parts(void **state)
{
    size_t   i;
    bytes_t  body = { 0 };

    (void) state;

    CHECK("", "!truncated");
    CHECK("x", "!truncated");
    CHECK("--XYZ", "!truncated");
    CHECK("--XYZ-", "!truncated");
    CHECK("--XYZ\r\n" DISP("name=a") "\r\n1", "!truncated");
    CHECK(PART("name=a", "1"), "!truncated");
    CHECK(PART("name=a", "1") "--XYZ\r\n", "!truncated");
    CHECK("--XYZQ\r\n", "!line of a boundary");
    CHECK("--XYZ-\r\n", "!line of a boundary");
    CHECK("--XYZ\n", "!line of a boundary");
    CHECK("--XYZ\rx", "!line of a boundary");
    CHECK(PART("name=a", "1\r\n--XYZ1"), "!line of a boundary");
    CHECK("--XYZ\r\n\r\n1\r\n--XYZ--", "!no Content-Disposition");
    CHECK("--XYZ\r\nContent-Type: a\r\n\r\n1\r\n--XYZ--",
          "!no Content-Disposition");
    CHECK("--XYZ\r\n" DISP("filename=a") "\r\n1\r\n--XYZ--", "!malformed");
    CHECK("--XYZ\r\n" DISP("name=\"\"") "\r\n1\r\n--XYZ--", "!malformed");
    CHECK("--XYZ\r\n" DISP("name=\"a") "\r\n1\r\n--XYZ--", "!malformed");
    CHECK("--XYZ\r\n" DISP("name=\"\xff\"") "\r\n1\r\n--XYZ--",
          "!malformed");
    CHECK("--XYZ\r\n" DISP("name=\"a\0b\"") "\r\n1\r\n--XYZ--",
          "!control");
    CHECK("--XYZ\r\n" DISP("name=a; name=b") "\r\n1\r\n--XYZ--",
          "!not the only");
    CHECK("--XYZ\r\n" DISP("name=a") DISP("name=b") "\r\n1\r\n--XYZ--",
          "!not the only");
    CHECK("--XYZ\r\n" DISP("name=a; filename=a; filename=b")
          "\r\n1\r\n--XYZ--", "!two file names");
    CHECK("--XYZ\r\nContent-Disposition: attachment; name=a\r\n\r\n",
          "!not form-data");
    CHECK("--XYZ\r\n" DISP("name=a") " folded\r\n\r\n1\r\n--XYZ--",
          "!header is malformed");
    CHECK("--XYZ\r\n" DISP("name=a") "X : y\r\n\r\n1\r\n--XYZ--",
          "!header is malformed");
    CHECK("--XYZ\r\n" DISP("name=a") "X\r\n\r\n1\r\n--XYZ--",
          "!header is malformed");
    CHECK("--XYZ\r\n" DISP("name=a") "X: a\rb\r\n\r\n1\r\n--XYZ--",
          "!bare CR");
    CHECK("--XYZ\r\n" DISP("name=a") "X: a\nb\r\n\r\n1\r\n--XYZ--",
          "!control");
    CHECK("--XYZ\r\n" DISP("name=a") "Content-Transfer-Encoding: base64"
          "\r\n\r\n1\r\n--XYZ--", "!transfer encoding");

    bytes_add(&body, "--XYZ\r\n" DISP("name=a"), 7 + 40);

    for (i = 0; i < 16; i++) {
        bytes_add(&body, "X: y\r\n", 6);
    }

    bytes_add(&body, "\r\n", 2);
    check(TYPE, (char *) body.data, body.len, "!more than 16");

    body.len = 7;

    for (i = 0; i < 8192; i++) {
        bytes_add(&body, "x", 1);
    }

    bytes_add(&body, "x", 1);
    check(TYPE, (char *) body.data, body.len, "!exceed 8 KiB");

    body.len = 0;

    for (i = 0; i < 33; i++) {
        bytes_add(&body, PART("name=a", "1"), 7 + 40 + 2 + 3);
    }

    check(TYPE, (char *) body.data, body.len, "!more than 32 parts");
    bytes_free(&body);
}


static void
test_boundaries(void **state)
{
    char               type[12000];
    size_t             i, len;
    rooms_multipart_t  mp;

    static const struct {
        const char    *type;
        int            rc;
    } cases[] = {
        { "multipart/form-data; boundary=a", 0 },
        { "Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b'()+_,-./:=?\"",
          0 },
        { "multipart/form-data; boundary=\"a\\\"b\"", 0 },
        { "multipart/form-data; boundary=*****", 0 },
        { "multipart/form-data; boundary=\"*****\"", 0 },
        { "multipart/form-data; boundary=---&#~$|[x]{y}<z>@!%^`", 0 },
        { "multipart/form-data; boundary=\"&#~$;,\"; charset=utf-8", 0 },
        { "multipart/form-data; boundary=\"a\tb\"", -1 },
        { "multipart/form-data; boundary=\xc3\xa9", -1 },
        { "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTr",
          0 },
        { "multipart/form-data; boundary==_a/b", 0 },
        { "multipart/form-data", -1 },
        { "multipart/form-data; boundary=", -1 },
        { "multipart/form-data; boundary=\"\"", -1 },
        { "multipart/form-data; boundary=\"a ", -1 },
        { "multipart/form-data; boundary=\"a \"", -1 },
        { "multipart/form-data; boundary=a; boundary=b", -1 },
        { "multipart/form-data; boundary=a\r\nb", -1 },
        { "multipart/form-datax; boundary=a", -1 },
        { "multipart/mixed; boundary=a", -1 },
        { "application/zip", -1 },
        { "", -1 },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(rooms_multipart_init(&mp, rooms_cstr(cases[i].type)),
                         cases[i].rc);
        assert_int_equal(mp.err[0] != '\0', cases[i].rc != 0);
    }

    assert_int_equal(rooms_multipart_init(&mp, ROOMS_NULL), -1);

    for (len = 1; len <= 10240; len += len < 100 ? 1 : 10140) {
        i = sprintf(type, "multipart/form-data; boundary=");
        memset(type + i, 'b', len);
        type[i + len] = '\0';
        assert_int_equal(rooms_multipart_init(&mp, rooms_cstr(type)),
                         len <= 70 ? 0 : -1);
    }
}


static int
form(const char *body, rooms_form_t *f, size_t step)
{
    size_t  at, len, take;

    len = strlen(body);

    if (rooms_form_init(f, rooms_cstr(TYPE), ROOMS_FORM_FIELDS) != 0) {
        return -1;
    }

    for (at = 0; at < len; at += take) {
        take = len - at < step ? len - at : step;

        if (rooms_form_feed(f, (u_char *) body + at, take, NULL, NULL) != 0) {
            return -1;
        }
    }

    return rooms_form_finish(f);
}


static void
test_form(void **state)
{
    char          body[3000];
    size_t        step;
    rooms_form_t  f;

    static const char  good[] =
        PART("name=name", "My room") PART("name=other", "zzz")
        PART("name=file; filename=\"x.zip\"", "PK\r\n--XY-data")
        PART("name=dry_run", "true") PART("name=workspace_id", "ws-1")
        "--XYZ--\r\n";

    (void) state;

    for (step = 1; step < sizeof(good); step++) {
        assert_int_equal(form(good, &f, step), 0);
        assert_memory_equal(good + f.file_offset, "PK\r\n--XY-data",
                            f.file_len);
        assert_int_equal(f.file_len, 13);
        assert_true(rooms_str_eq(f.filename, rooms_cstr("x.zip")));
        assert_null(f.type.data);
        assert_true(rooms_str_eq(f.fields[ROOMS_FORM_NAME],
                                 rooms_cstr("My room")));
        assert_true(rooms_str_eq(f.fields[ROOMS_FORM_WORKSPACE],
                                 rooms_cstr("ws-1")));
        assert_true(rooms_str_eq(f.fields[ROOMS_FORM_DRY_RUN],
                                 rooms_cstr("true")));
    }

    assert_int_equal(form("--XYZ--", &f, 100), -1);
    assert_non_null(strstr(f.err, "no part \"file\""));
    assert_int_equal(form(PART("name=name", "x") "--XYZ--", &f, 7), -1);
    assert_non_null(strstr(f.err, "no part \"file\""));
    assert_int_equal(form(PART("name=file", "x") PART("name=file", "y")
                          "--XYZ--", &f, 7), -1);
    assert_non_null(strstr(f.err, "two parts"));
    assert_int_equal(form(PART("name=file", "x") PART("name=name", "y")
                          PART("name=name", "y") "--XYZ--", &f, 7), -1);
    assert_non_null(strstr(f.err, "twice"));
    assert_int_equal(form(PART("name=file", "x") PART("name=name", "\xff")
                          "--XYZ--", &f, 7), -1);
    assert_non_null(strstr(f.err, "UTF-8"));
    assert_int_equal(form(PART("name=file", "x"), &f, 7), -1);
    assert_non_null(strstr(f.err, "truncated"));
    assert_int_equal(form(PART("name=file; filename=a", "") "--XYZ--", &f, 7),
                     0);
    assert_int_equal(f.file_len, 0);
    assert_int_equal(form(PART("name=file; filename=\"\"", "x") "--XYZ--", &f,
                          7), 0);
    assert_int_equal(f.file_len, 1);

    /* a form without a chosen file */

    assert_int_equal(form(PART("name=file; filename=\"\"", "") "--XYZ--", &f,
                          7), -1);
    assert_non_null(strstr(f.err, "no file was chosen"));
    assert_int_equal(form(PART("name=file", "") "--XYZ--", &f, 7), -1);
    assert_non_null(strstr(f.err, "no file was chosen"));

    strcpy(body, "--XYZ\r\n" DISP("name=name") "\r\n");
    step = strlen(body);
    memset(body + step, 'x', 1025);
    body[step + 1025] = '\0';
    assert_int_equal(form(body, &f, 7), -1);
    assert_non_null(strstr(f.err, "1 KiB"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_filenames),
        cmocka_unit_test(test_bad_parts),
        cmocka_unit_test(test_boundaries),
        cmocka_unit_test(test_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
