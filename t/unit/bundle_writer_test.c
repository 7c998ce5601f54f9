/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "bundle_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>


static void
test_round_trip(void **state)
{
    int                  level;
    char                 err[256];
    bytes_t              zip = { 0 }, in = { 0 }, want = { 0 }, got = { 0 };
    size_t               i;
    arena_t             *arena = NULL;
    rooms_zip_writer_t   w;

    (void) state;

    for (i = 0; i < 50000; i++) {
        bytes_add(&in, &"abcdefgh"[rand() % 8], 1);
    }

    for (level = 0; level <= 9; level++) {
        rooms_zip_writer_init(&w, arena_alloc, &arena);

        assert_int_equal(zip_add(&w, &zip, "a", ROOMS_ZIP_DEFLATE, level, 0,
                                 in.data, in.len), 0);
        assert_int_equal(zip_add(&w, &zip, "b", ROOMS_ZIP_DEFLATE, level, 0,
                                 "", 0), 0);
        assert_int_equal(zip_add(&w, &zip, "c/d", ROOMS_ZIP_STORE, 0, 1,
                                 in.data, 777), 0);
        assert_int_equal(zip_add(&w, &zip, "\xc3\xa9", ROOMS_ZIP_STORE, 0, 0,
                                 in.data, 1000), 0);
        assert_int_equal(zip_add(&w, &zip, "\xc3\xa9mpty", ROOMS_ZIP_STORE,
                                 0, 1, "", 0), 0);
        assert_int_equal(zip_close(&w, &zip, 1 + level * 7), 0);
        rooms_zip_writer_cleanup(&w);
        arena_free(&arena);

        bytes_add(&want, "a\n", 2);
        bytes_add(&want, in.data, in.len);
        bytes_add(&want, "b\nc/d\n", 6);
        bytes_add(&want, in.data, 777);
        bytes_add(&want, "\xc3\xa9\n", 3);
        bytes_add(&want, in.data, 1000);
        bytes_add(&want, "\xc3\xa9mpty\n", 7);

        assert_int_equal(zip_read_all(zip.data, zip.len, &zip_limits, &got,
                                      err), ROOMS_ZIP_OK);
        assert_int_equal(got.len, want.len);
        assert_memory_equal(got.data, want.data, got.len);

        zip.len = want.len = got.len = 0;
    }

    bytes_free(&zip);
    bytes_free(&in);
    bytes_free(&want);
    bytes_free(&got);
}


static void
test_empty_archive(void **state)
{
    bytes_t             zip = { 0 };
    arena_t            *arena = NULL;
    rooms_zip_writer_t  w;

    (void) state;

    rooms_zip_writer_init(&w, arena_alloc, &arena);
    assert_int_equal(zip_close(&w, &zip, 5), 0);
    assert_int_equal(zip.len, ROOMS_ZIP_END_LEN);
    assert_int_equal(zip_read_all(zip.data, zip.len, &zip_limits, NULL, NULL),
                     ROOMS_ZIP_OK);
    rooms_zip_writer_cleanup(&w);
    bytes_free(&zip);
}


/* 2023-11-14T22:13:21.5Z, and times that don't fit */

static void
test_times(void **state)
{
    size_t              i;
    ssize_t             n;
    arena_t            *arena = NULL;
    u_char              buf[ROOMS_ZIP_HEADER_MAX];
    rooms_zip_entry_t   e = { .name = rooms_string("x"), .known = 1 };
    rooms_zip_writer_t  w;

    static const struct {
        int64_t         ms;
        uint32_t        dos;
        int             extra;
    } cases[] = {
        { 1700000001500, (2023u - 1980) << 25 | 11 << 21 | 14 << 16
                         | 22 << 11 | 13 << 5 | 10, 9 },
        { 951782399000,  (2000u - 1980) << 25 | 2 << 21 | 28 << 16
                         | 23 << 11 | 59 << 5 | 29, 9 },
        { 951782400000,  (2000u - 1980) << 25 | 2 << 21 | 29 << 16, 9 },
        { 0,             1 << 21 | 1 << 16, 9 },
        { -1,            1 << 21 | 1 << 16, 0 },
        { INT64_MAX,     127u << 25 | 12 << 21 | 31 << 16 | 23 << 11
                         | 59 << 5 | 29, 0 },
        { INT64_MIN,     1 << 21 | 1 << 16, 0 },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rooms_zip_writer_init(&w, arena_alloc, &arena);
        e.mtime = cases[i].ms;
        n = rooms_zip_begin(&w, &e, buf, sizeof(buf));
        assert_int_equal(n, ROOMS_ZIP_LOCAL_LEN + 1 + cases[i].extra);
        assert_int_equal(rooms_zip_get32(buf + 10), cases[i].dos);
        rooms_zip_writer_cleanup(&w);
    }
}


/*
 * An entry of 5 GiB that the writer never sees, and one at an offset above 4
 * GiB.
 */

static void
test_zip64_headers(void **state)
{
    ssize_t             n;
    u_char              buf[ROOMS_ZIP_HEADER_MAX], *p;
    arena_t            *arena = NULL;
    const uint64_t      five = 5368709120;
    rooms_zip_entry_t   e = { .name = rooms_string("big"), .known = 1,
                              .mtime = -1, .crc = 0x12345678, .size = five };
    rooms_zip_writer_t  w;

    (void) state;

    rooms_zip_writer_init(&w, arena_alloc, &arena);

    n = rooms_zip_begin(&w, &e, buf, sizeof(buf));
    assert_int_equal(n, 30 + 3 + 20);
    assert_int_equal(rooms_zip_get16(buf + 4), 45);
    assert_int_equal(rooms_zip_get16(buf + 6), ROOMS_ZIP_F_UTF8);
    assert_int_equal(rooms_zip_get32(buf + 14), 0x12345678);
    assert_int_equal(rooms_zip_get32(buf + 18), ROOMS_ZIP_MAX32);
    assert_int_equal(rooms_zip_get32(buf + 22), ROOMS_ZIP_MAX32);
    assert_int_equal(rooms_zip_get16(buf + 33), ROOMS_ZIP_X_ZIP64);
    assert_int_equal(rooms_zip_get16(buf + 35), 16);
    assert_int_equal(rooms_zip_get64(buf + 37), five);
    assert_int_equal(rooms_zip_get64(buf + 45), five);
    assert_int_equal(rooms_zip_end(&w, buf, sizeof(buf)), 0);

    e.name = rooms_cstr("far");
    e.size = 10;
    assert_int_equal(rooms_zip_begin(&w, &e, buf, sizeof(buf)), 33);
    assert_int_equal(rooms_zip_get16(buf + 4), 20);
    assert_int_equal(rooms_zip_end(&w, buf, sizeof(buf)), 0);
    assert_int_equal(w.offset, 53 + five + 33 + 10);

    n = rooms_zip_finish(&w, buf, sizeof(buf));
    assert_int_equal(n, (46 + 3 + 20) + (46 + 3 + 12) + 56 + 20 + 22);
    assert_int_equal(rooms_zip_finish(&w, buf + n, sizeof(buf) - n), 0);

    assert_int_equal(rooms_zip_get32(buf + 42), 0);
    assert_int_equal(rooms_zip_get64(buf + 53), five);

    p = buf + 69;
    assert_int_equal(rooms_zip_get16(p + 6), 45);
    assert_int_equal(rooms_zip_get32(p + 42), ROOMS_ZIP_MAX32);
    assert_int_equal(rooms_zip_get16(p + 51), 8);
    assert_int_equal(rooms_zip_get64(p + 53), 53 + five);

    p += 61;
    assert_int_equal(rooms_zip_get32(p), ROOMS_ZIP_END64_SIG);
    assert_int_equal(rooms_zip_get64(p + 4), 44);
    assert_int_equal(rooms_zip_get64(p + 24), 2);
    assert_int_equal(rooms_zip_get64(p + 32), 2);
    assert_int_equal(rooms_zip_get64(p + 40), 69 + 61);
    assert_int_equal(rooms_zip_get64(p + 48), 53 + five + 33 + 10);

    p += 56;
    assert_int_equal(rooms_zip_get32(p), ROOMS_ZIP_LOCATOR_SIG);
    assert_int_equal(rooms_zip_get64(p + 8), 53 + five + 43 + 69 + 61);

    p += 20;
    assert_int_equal(rooms_zip_get32(p), ROOMS_ZIP_END_SIG);
    assert_int_equal(rooms_zip_get16(p + 10), 2);
    assert_int_equal(rooms_zip_get32(p + 16), ROOMS_ZIP_MAX32);

    rooms_zip_writer_cleanup(&w);
    arena_free(&arena);
}


/* Unknown sizes: the bound decides the form of the descriptor. */

static void
test_descriptor_forms(void **state)
{
    size_t               i, len;
    ssize_t              n;
    u_char               buf[ROOMS_ZIP_HEADER_MAX];
    arena_t             *arena = NULL;
    const u_char        *p;
    rooms_zip_entry_t    e = { .name = rooms_string("m"), .level = 1,
                               .method = ROOMS_ZIP_DEFLATE };
    rooms_zip_writer_t   w;

    static const struct {
        uint64_t         bound;
        size_t           descriptor;
    } cases[] = {
        { 1000, 16 }, { 0xff000000, 16 }, { 0xff000001, 24 },
        { 4294967295u, 24 }, { ROOMS_ZIP_UNBOUNDED, 24 },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rooms_zip_writer_init(&w, arena_alloc, &arena);
        e.size = cases[i].bound;
        n = rooms_zip_begin(&w, &e, buf, sizeof(buf));
        assert_int_equal(rooms_zip_get16(buf + 6),
                         ROOMS_ZIP_F_UTF8 | ROOMS_ZIP_F_DESCRIPTOR);
        assert_int_equal(n, 30 + 1 + 9 + (cases[i].descriptor == 24) * 20);

        p = (const u_char *) "hello";
        len = 5;
        assert_true(rooms_zip_deflate(&w, &p, &len, buf, 100, 1) > 0);
        assert_true(rooms_zip_deflated(&w));
        assert_int_equal(rooms_zip_deflate(&w, &p, &len, buf, 100, 1), 0);
        assert_int_equal(rooms_zip_end(&w, buf, sizeof(buf)),
                         cases[i].descriptor);
        assert_int_equal(rooms_zip_get32(buf), ROOMS_ZIP_DESCRIPTOR_SIG);
        assert_int_equal(rooms_zip_get32(buf + 4), 0x3610a686);
        rooms_zip_writer_cleanup(&w);
        arena_free(&arena);
    }
}


static void
test_many_entries(void **state)
{
    char                 name[32];
    unsigned             i, n;
    bytes_t              zip = { 0 };
    arena_t             *arena;
    rooms_zip_writer_t   w;

    static const unsigned  counts[] = { 65534, 65535, 70000 };

    (void) state;

    for (n = 0; n < 3; n++) {
        arena = NULL;
        zip.len = 0;
        rooms_zip_writer_init(&w, arena_alloc, &arena);

        for (i = 0; i < counts[n]; i++) {
            snprintf(name, sizeof(name), "e%u", i);
            assert_int_equal(zip_add(&w, &zip, name, ROOMS_ZIP_STORE, 0, 1,
                                     name, i % 7), 0);
        }

        assert_int_equal(zip_close(&w, &zip, 4096), 0);
        assert_int_equal(rooms_zip_get16(zip.data + zip.len - 12),
                         n ? 65535 : 65534);
        assert_int_equal(rooms_zip_get32(zip.data + zip.len - 42)
                         == ROOMS_ZIP_LOCATOR_SIG, n > 0);
        assert_int_equal(zip_read_all(zip.data, zip.len, &zip_limits, NULL,
                                      NULL), ROOMS_ZIP_OK);

        rooms_zip_writer_cleanup(&w);
        arena_free(&arena);
    }

    bytes_free(&zip);
}


static void *
alloc_none(void *ctx, size_t size)
{
    (void) ctx;
    (void) size;

    return NULL;
}


static void
test_misuse(void **state)
{
    size_t              i, len;
    u_char              buf[ROOMS_ZIP_HEADER_MAX];
    arena_t            *arena = NULL;
    const u_char       *p;
    rooms_zip_entry_t   e = { .name = rooms_string("x"), .known = 1 };
    rooms_zip_writer_t  w;

    static const rooms_str_t  names[] = {
        rooms_string(""), rooms_string("/x"), rooms_string("a/../b"),
        rooms_string(".."), rooms_string("a\\b"), rooms_string("a\0b"),
        rooms_string("C:x"), rooms_string("a//b"), rooms_string("\xff"),
        rooms_string("./a"), rooms_string("a\nb"),
    };

    (void) state;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        rooms_zip_writer_init(&w, arena_alloc, &arena);
        e.name = names[i];
        assert_int_equal(rooms_zip_begin(&w, &e, buf, sizeof(buf)), -1);
        assert_non_null(w.error);

        /* a failed writer stays failed */
        assert_int_equal(rooms_zip_finish(&w, buf, sizeof(buf)), -1);
        rooms_zip_writer_cleanup(&w);
    }

    e.name = rooms_cstr("x");
    rooms_zip_writer_init(&w, arena_alloc, &arena);
    assert_int_equal(rooms_zip_begin(&w, &e, buf, 50), -1);

    rooms_zip_writer_init(&w, arena_alloc, &arena);
    assert_int_equal(rooms_zip_begin(&w, &e, buf, sizeof(buf)), 40);
    assert_int_equal(rooms_zip_begin(&w, &e, buf, sizeof(buf)), -1);

    rooms_zip_writer_init(&w, arena_alloc, &arena);
    assert_int_equal(rooms_zip_begin(&w, &e, buf, sizeof(buf)), 40);
    assert_int_equal(rooms_zip_finish(&w, buf, sizeof(buf)), -1);

    /* more than its bound */
    e.known = 0;
    e.size = 3;
    rooms_zip_writer_init(&w, arena_alloc, &arena);
    assert_int_equal(rooms_zip_begin(&w, &e, buf, sizeof(buf)), 40);
    assert_int_equal(rooms_zip_stored(&w, buf, 3), 0);
    assert_int_equal(rooms_zip_stored(&w, buf, 1), -1);

    e.method = ROOMS_ZIP_DEFLATE;
    rooms_zip_writer_init(&w, arena_alloc, &arena);
    assert_int_equal(rooms_zip_begin(&w, &e, buf, sizeof(buf)), 40);
    p = (u_char *) "hello";
    len = 5;
    assert_int_equal(rooms_zip_end(&w, buf, sizeof(buf)), -1);
    assert_int_equal(rooms_zip_deflate(&w, &p, &len, buf, 100, 1), -1);
    rooms_zip_writer_cleanup(&w);

    rooms_zip_writer_init(&w, arena_alloc, &arena);
    e.level = 10;
    assert_int_equal(rooms_zip_begin(&w, &e, buf, sizeof(buf)), -1);

    /* no memory for the directory */
    rooms_zip_writer_init(&w, alloc_none, NULL);
    e.method = ROOMS_ZIP_STORE;
    assert_int_equal(rooms_zip_begin(&w, &e, buf, sizeof(buf)), 40);
    assert_int_equal(rooms_zip_end(&w, buf, sizeof(buf)), -1);
}


static void
test_file_names(void **state)
{
    size_t       i, n;
    u_char       out[ROOMS_ZIP_NAME_MAX];
    char         longer[600];
    rooms_str_t  sha, s;

    static const struct {
        rooms_str_t   raw;
        const char   *clean;
    } cases[] = {
        { rooms_string("a.txt"), "a.txt" },
        { rooms_string("../../etc/passwd"), "passwd" },
        { rooms_string("C:\\Users\\x\\y.doc"), "y.doc" },
        { rooms_string("a\r\nSet-Cookie: x"), "a__Set-Cookie_ x" },
        { rooms_string("a\"b"), "a_b" },
        { rooms_string("caf\xc3\xa9.png"), "caf\xc3\xa9.png" },
        { rooms_string("caf\xe9.png"), "caf_.png" },
        { rooms_string(""), "file" },
        { rooms_string(".."), "file" },
        { rooms_string("..."), "file" },
        { rooms_string("dir/"), "file" },
        { rooms_string(".htaccess"), "htaccess" },
        { rooms_string("x. . "), "x" },
        { rooms_string("con.txt"), "_on.txt" },
        { rooms_string("LPT1"), "_PT1" },
        { rooms_string("console"), "console" },
        { rooms_string("a\0b"), "a_b" },
        { rooms_string("a\xc2\x85""b\xe2\x80\xa9"), "a_b_" },
        { rooms_string("a\xe2\x80\xaegpj.exe"), "a_gpj.exe" },
        { rooms_string("a\xe2\x80\x8f""b\xe2\x80"), "a\xe2\x80\x8f""b__" },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = rooms_file_name_clean(cases[i].raw, out);
        assert_int_equal(n, strlen(cases[i].clean));
        assert_memory_equal(out, cases[i].clean, n);
    }

    /* cut between code points */
    for (i = 0; i < sizeof(longer); i += 2) {
        memcpy(longer + i, "\xc3\xa9", 2);
    }

    longer[0] = 'a';
    memmove(longer + 1, longer + 2, sizeof(longer) - 2);
    n = rooms_file_name_clean((rooms_str_t) { 599, (u_char *) longer }, out);
    assert_int_equal(n, 199);
    assert_int_equal(rooms_utf8_prefix(out, n), n);

    s.data = out;
    s.len = rooms_bundle_media_name((const u_char *) BUNDLE_MEDIUM + 6,
                                    rooms_cstr("x/a b"), out);
    assert_int_equal(s.len, sizeof(BUNDLE_MEDIUM) - 1 + 3);
    assert_memory_equal(out, BUNDLE_MEDIUM "a b", s.len);
    assert_int_equal(rooms_bundle_kind(s, rooms_cstr(""), &sha),
                     ROOMS_BUNDLE_MEDIUM);
    assert_memory_equal(sha.data, out + 6, 64);
    out[10] = 'G';
    assert_int_equal(rooms_bundle_kind(s, rooms_cstr(""), &sha),
                     ROOMS_BUNDLE_OTHER);
}


/* Where tools that repack an archive put files, and which files they add. */
static void
test_bundle_kinds(void **state)
{
    size_t       i, n;
    char         name[300];
    rooms_str_t  sha, root;

    static const struct {
        const char           *root;
        const char           *name;          /* %s: the sha256 */
        rooms_bundle_kind_e   kind;
    } cases[] = {
        { "", "manifest.json", ROOMS_BUNDLE_MANIFEST },
        { "a b/", "a b/manifest.json", ROOMS_BUNDLE_MANIFEST },
        { "a/", "manifest.json", ROOMS_BUNDLE_OTHER },
        { "", "META-INF/MANIFEST.MF", ROOMS_BUNDLE_OTHER },
        { "", "media/%s", ROOMS_BUNDLE_MEDIUM },
        { "", "media/%s.png", ROOMS_BUNDLE_MEDIUM },
        { "", "media/%s.tar.gz", ROOMS_BUNDLE_MEDIUM },
        { "", "media/%s/any name", ROOMS_BUNDLE_MEDIUM },
        { "r/", "r/media/%s/any name", ROOMS_BUNDLE_MEDIUM },
        { "r/", "media/%s/any name", ROOMS_BUNDLE_OTHER },
        { "", "r/media/%s/any name", ROOMS_BUNDLE_OTHER },
        { "", "media/%s/", ROOMS_BUNDLE_OTHER },
        { "", "media/%s.", ROOMS_BUNDLE_OTHER },
        { "", "media/%s.a/b", ROOMS_BUNDLE_OTHER },
        { "", "media/%s/a/b", ROOMS_BUNDLE_OTHER },
        { "", "media/%sa", ROOMS_BUNDLE_OTHER },
        { "", "media/%s-1/a", ROOMS_BUNDLE_OTHER },
        { "", "media/%s/._name", ROOMS_BUNDLE_OTHER },
        { "", "media/%s/.DS_Store", ROOMS_BUNDLE_OTHER },
        { "", "media/._%s", ROOMS_BUNDLE_OTHER },
        { "", "__MACOSX/media/%s/._name", ROOMS_BUNDLE_OTHER }
    };

    static const struct {
        const char  *name;
        const char  *root;                   /* NULL: not a manifest */
    } manifests[] = {
        { "manifest.json", "" },
        { "a/b/manifest.json", "a/b/" },
        { "amanifest.json", NULL },
        { "a/manifest.json/b", NULL },
        { "Manifest.json", NULL },
        { "__MACOSX/manifest.json", NULL },
        { "a/._manifest.json", NULL }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = snprintf(name, sizeof(name), cases[i].name,
                     "dffd6021bb2bd5b0af676290809ec3a53191dd81c7f70a4b28688a36"
                     "2182986f");

        if (rooms_bundle_kind((rooms_str_t) { n, (u_char *) name },
                              rooms_cstr(cases[i].root), &sha)
            != cases[i].kind)
        {
            fail_msg("%s in \"%s\"", name, cases[i].root);
        }

        assert_true(cases[i].kind != ROOMS_BUNDLE_MEDIUM
                    || memcmp(sha.data, "dffd6021", 8) == 0);
    }

    for (i = 0; i < sizeof(manifests) / sizeof(manifests[0]); i++) {
        n = rooms_bundle_manifest(rooms_cstr(manifests[i].name), &root);

        if (n != (manifests[i].root != NULL)
            || (n && !rooms_str_eq(root, rooms_cstr(manifests[i].root))))
        {
            fail_msg("%s", manifests[i].name);
        }
    }
}


/* How the bytes of a name are decoded. */
static void
test_paths(void **state)
{
    size_t  i, n;
    u_char  out[ROOMS_ZIP_PATH_MAX];
    char    name[600];

    static const struct {
        const char  *raw;
        int          utf8;
        const char  *path;
    } cases[] = {
        { "a/b", 0, "a/b" },
        { "a\\b\\", 0, "a/b/" },
        { "./a", 0, "a" },
        { ".\\a/.\\./b", 1, "a/b" },
        { "./", 0, "./" },
        { ".//a", 0, "/a" },
        { ".", 0, "." },
        { "..", 0, ".." },
        { "./..\\a", 0, "../a" },
        { ".a/b.", 0, ".a/b." },
        { "", 0, "" },
        { "gr\x81n \xe1 \xff", 0, "gr\xc3\xbcn \xc3\x9f \xc2\xa0" },
        { "\x9e\xb0\xdb", 0, "\xe2\x82\xa7\xe2\x96\x91\xe2\x96\x88" },
        { "gr\x81n", 1, "gr\x81n" },
        { "gr\xc3\xbcn", 0, "gr\xc3\xbcn" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = rooms_zip_name_path(rooms_cstr(cases[i].raw), cases[i].utf8, out);

        if (!rooms_str_eq((rooms_str_t) { n, out },
                          rooms_cstr(cases[i].path)))
        {
            fail_msg("%s: became %.*s", cases[i].raw, (int) n, out);
        }
    }

    memset(name, 0xb0, sizeof(name));
    assert_int_equal(rooms_zip_name_path((rooms_str_t) { 600,
                                                         (u_char *) name },
                                         0, out), ROOMS_ZIP_PATH_MAX);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_empty_archive),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_zip64_headers),
        cmocka_unit_test(test_descriptor_forms),
        cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_file_names),
        cmocka_unit_test(test_bundle_kinds),
        cmocka_unit_test(test_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
