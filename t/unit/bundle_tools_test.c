/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Other programs must open our archives, and we must read what they pack:
 * Info-ZIP's unzip and zip, 7-Zip, Python's zipfile, Java's jar.  Tools that
 * aren't installed are skipped.
 */

#include "bundle_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>


static char  dir[] = "/tmp/bundle_tools.XXXXXX";


static int
run(const char *command)
{
    char  line[2048];

    snprintf(line, sizeof(line), "cd %s && LC_ALL=C.UTF-8 && export LC_ALL "
             "&& { %s; } >out.txt 2>&1 </dev/null", dir, command);

    return system(line);
}


static void
must_run(const char *command)
{
    if (run(command) != 0) {
        run("cat out.txt >&2");
        fail_msg("failed: %s", command);
    }
}


static int
has(const char *tool)
{
    char  line[200];

    snprintf(line, sizeof(line), "command -v %s", tool);

    return run(line) == 0;
}


static const char *
path_of(const char *name)
{
    static char  path[200];

    snprintf(path, sizeof(path), "%s/%s", dir, name);

    return path;
}


static void
save(const char *name, const void *data, size_t len)
{
    FILE  *f;

    f = fopen(path_of(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    fclose(f);
}


static void
load(const char *name, bytes_t *b)
{
    size_t  n;
    char    buf[65536];
    FILE   *f;

    b->len = 0;
    f = fopen(path_of(name), "rb");
    assert_non_null(f);

    while ((n = fread(buf, 1, sizeof(buf), f)) > 0) {
        bytes_add(b, buf, n);
    }

    fclose(f);
}


/*
 * The manifest and three media: one with every byte and a UTF-8 name, one
 * empty, one of unknown size.
 */

static void
make(bytes_t *zip, uint64_t bound, int late)
{
    size_t               i, len;
    ssize_t              n;
    u_char               all[70000], buf[4096];
    arena_t             *arena = NULL;
    const u_char        *p;
    rooms_zip_entry_t    e = { .name = rooms_string("manifest.json"),
                               .mtime = 1700000000000, .level = 6,
                               .method = ROOMS_ZIP_DEFLATE, .size = bound };
    rooms_zip_writer_t   w;

    for (i = 0; i < sizeof(all); i++) {
        all[i] = (u_char) (i * i >> 5);
    }

    zip->len = 0;
    rooms_zip_writer_init(&w, arena_alloc, &arena);

    n = rooms_zip_begin(&w, &e, buf, sizeof(buf));
    bytes_add(zip, buf, n);
    p = (const u_char *) bundle_manifest;
    len = sizeof(bundle_manifest) - 1;

    do {
        n = rooms_zip_deflate(&w, &p, &len, buf, sizeof(buf), 1);
        bytes_add(zip, buf, n);
    } while (!rooms_zip_deflated(&w));

    n = rooms_zip_end(&w, buf, sizeof(buf));
    bytes_add(zip, buf, n);

    assert_int_equal(zip_add(&w, zip, BUNDLE_MEDIUM "caf\xc3\xa9 \xe2\x82\xac"
                             ".bin", ROOMS_ZIP_STORE, 0, 1, all, sizeof(all)),
                     0);
    assert_int_equal(zip_add(&w, zip, "media/"
                             "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934"
                             "ca495991b7852b855/empty", ROOMS_ZIP_STORE, 0, 1,
                             "", 0), 0);
    if (late) {
        assert_int_equal(zip_add(&w, zip, "media/00", ROOMS_ZIP_STORE, 0, 0,
                                 "late", 4), 0);
    }

    assert_int_equal(zip_close(&w, zip, 4096), 0);
    rooms_zip_writer_cleanup(&w);
    arena_free(&arena);
}


static void
opens(const char *name)
{
    char  line[600];

    if (has("unzip")) {
        snprintf(line, sizeof(line), "unzip -tq %s && rm -rf x && mkdir x && "
                 "unzip -q %s -d x && diff -r x want && zipinfo -v %s",
                 name, name, name);
        must_run(line);
    }

    if (has("7z")) {
        snprintf(line, sizeof(line), "7z t %s && rm -rf x && 7z x -ox %s && "
                 "diff -r x want && ! 7z t %s | grep -iE 'warning|error:'",
                 name, name, name);
        must_run(line);
    }

    if (has("python3")) {
        snprintf(line, sizeof(line), "rm -rf x && python3 -c \"import zipfile"
                 "; z = zipfile.ZipFile('%s'); assert z.testzip() is None; "
                 "z.extractall('x')\" && diff -r x want", name);
        must_run(line);
    }

    if (has("jar")) {
        snprintf(line, sizeof(line), "jar tf %s && rm -rf x && mkdir x && "
                 "(cd x && jar xf ../%s) && diff -r x want", name, name);
        must_run(line);
    }

    if (has("bsdtar")) {
        snprintf(line, sizeof(line), "rm -rf x && mkdir x && "
                 "cat %s | bsdtar -xf - -C x && diff -r x want", name);
        must_run(line);
    }
}


static void
test_they_open_ours(void **state)
{
    bytes_t  zip = { 0 };

    (void) state;

    if (!has("unzip")) {
        bytes_free(&zip);
        skip();
    }

    make(&zip, 100000, 1);
    save("small.zip", zip.data, zip.len);
    must_run("rm -rf want && unzip -q small.zip -d want");
    opens("small.zip");

    /*
     * Java's ZipInputStream too, which accepts neither stored entries of
     * unknown size nor ZIP64 descriptors.  An export of a small room has
     * neither.
     */

    if (has("jar")) {
        make(&zip, 100000, 0);
        save("stream.zip", zip.data, zip.len);
        must_run("rm -rf x && mkdir x && (cd x && jar x < ../stream.zip) && "
                 "rm -rf y && unzip -q stream.zip -d y && diff -r x y");
    }

    make(&zip, ROOMS_ZIP_UNBOUNDED, 1);
    save("zip64.zip", zip.data, zip.len);
    opens("zip64.zip");
    bytes_free(&zip);
}


/*
 * Their archive must contain `want`; directories and a META-INF that a packer
 * adds are ignored.
 */

static void
reads(const char *name, const bytes_t *want, int extra)
{
    char     err[256];
    bytes_t  zip = { 0 }, got = { 0 };

    load(name, &zip);

    if (zip_read_all(zip.data, zip.len, &zip_limits, &got, err)
        != ROOMS_ZIP_OK)
    {
        fail_msg("%s: %s", name, err);
    }

    if (extra) {
        assert_non_null(memmem(got.data, got.len, want->data, want->len));

    } else {
        assert_int_equal(got.len, want->len);
        assert_memory_equal(got.data, want->data, got.len);
    }

    bytes_free(&zip);
    bytes_free(&got);
}


/* Its manifest and both of its media are found and complete. */
static void
bundle(const char *name, const char *folder)
{
    int                  fd, media;
    size_t               i, n;
    ssize_t              manifest, len;
    u_char               buf[4096];
    char                 hex[65];
    rooms_str_t          root, sha;
    rooms_zip_reader_t   rd;

    fd = open(path_of(name), O_RDONLY);
    assert_true(fd != -1);

    if (rooms_zip_reader_open(&rd, fd, 0, lseek(fd, 0, SEEK_END), &zip_limits,
                              NULL, NULL) != ROOMS_ZIP_OK)
    {
        fail_msg("%s: %s", name, rd.err);
    }

    manifest = rooms_zip_manifest(&rd, &root);

    if (manifest < 0 || !rooms_str_eq(root, rooms_cstr(folder))) {
        fail_msg("%s: manifest %d in \"%.*s\"", name, (int) manifest,
                 (int) root.len, root.data);
    }

    media = 0;

    for (i = 0; i < rd.nitems; i++) {

        if (rd.items[i].is_dir
            || rooms_bundle_kind(rooms_zip_item_name(&rd, i), root, &sha)
               == ROOMS_BUNDLE_OTHER)
        {
            continue;
        }

        assert_int_equal(rooms_zip_entry_open(&rd, i, ROOMS_ZIP_SHA256), 0);

        do {
            len = rooms_zip_entry_read(&rd, buf, sizeof(buf));
        } while (len > 0);

        if (len != 0) {
            fail_msg("%s: %s", name, rd.err);
        }

        if ((ssize_t) i == manifest) {
            continue;
        }

        for (n = 0; n < 32; n++) {
            sprintf(hex + 2 * n, "%02x", rooms_zip_entry_sha256(&rd)[n]);
        }

        media += memcmp(hex, sha.data, 64) == 0;
    }

    assert_int_equal(media, 1);
    rooms_zip_reader_close(&rd);
    close(fd);
}


static void
test_we_open_theirs(void **state)
{
    bytes_t  zip = { 0 }, want = { 0 };

    (void) state;

    make(&zip, 100000, 1);
    assert_int_equal(zip_read_all(zip.data, zip.len, &zip_limits, &want,
                                  NULL), ROOMS_ZIP_OK);

    if (run("test -d want") != 0) {
        bytes_free(&zip);
        bytes_free(&want);
        skip();
    }

    if (has("zip")) {
        must_run("cd want && zip -qr ../i1.zip . && zip -qrD ../i2.zip . && "
                 "zip -qr0 ../i3.zip manifest.json media && zip -qr - . | "
                 "cat > ../i4.zip && zip -qr -fz ../i5.zip . && "
                 "zip -qr -fd ../i6.zip . && echo hello | "
                 "zip -qz ../i1.zip");
        reads("i1.zip", &want, 0);
        reads("i2.zip", &want, 0);
        reads("i3.zip", &want, 0);
        reads("i4.zip", &want, 0);
        reads("i5.zip", &want, 0);
        reads("i6.zip", &want, 0);
    }

    /*
     * as macOS and Linux pack a folder: everything, with the files beside it
     */

    if (has("zip")) {
        must_run("mkdir -p mac/__MACOSX/want/media && cp -r want mac && "
                 "echo x > mac/want/.DS_Store && "
                 "echo x > mac/__MACOSX/want/._manifest.json && cd mac && "
                 "zip -qr ../m1.zip want __MACOSX && zip -qr9 ../m2.zip ./want"
                 " && zip -qr -fz ../m3.zip . && zip -qr - . | cat > "
                 "../m4.zip");
        bundle("m1.zip", "want/");
        bundle("m2.zip", "want/");
        bundle("m3.zip", "want/");
        bundle("m4.zip", "want/");
        bundle("i1.zip", "");
    }

    if (has("bsdtar")) {
        must_run("cd want && bsdtar -a -cf ../b1.zip . && "
                 "bsdtar -a -cf ../b2.zip manifest.json media && "
                 "bsdtar --format zip -cf - . | cat > ../b3.zip && "
                 "bsdtar -a --options zip:compression=store -cf ../b4.zip . "
                 "&& cd .. && bsdtar -a -cf b5.zip want && bsdtar --options "
                 "zip:zip64 --format zip -cf b6.zip ./want && "
                 "bsdtar -a --options zip:hdrcharset=CP437 -cf b7.zip want");
        bundle("b1.zip", "");
        bundle("b2.zip", "");
        bundle("b3.zip", "");
        bundle("b4.zip", "");
        bundle("b5.zip", "want/");
        bundle("b6.zip", "want/");
        bundle("b7.zip", "want/");
    }

    if (has("7zz")) {
        must_run("cd want && 7zz a ../z1.zip . && 7zz a -mx=0 ../z2.zip . && "
                 "7zz a -mx=9 ../z3.zip manifest.json media && "
                 "7zz a -mcl ../z4.zip . && cd .. && 7zz a z5.zip want");
        bundle("z1.zip", "");
        bundle("z2.zip", "");
        bundle("z3.zip", "");
        bundle("z4.zip", "");
        bundle("z5.zip", "want/");
    }

    if (has("7z")) {
        must_run("cd want && 7z a ../s1.zip . && 7z a -mx=0 ../s2.zip . && "
                 "7z a -mx=9 ../s3.zip manifest.json media");
        reads("s1.zip", &want, 0);
        reads("s2.zip", &want, 0);
        reads("s3.zip", &want, 0);
    }

    if (has("python3")) {
        must_run("cd want && python3 -m zipfile -c ../p1.zip manifest.json "
                 "media && python3 -c \"import shutil; "
                 "shutil.make_archive('../p2', 'zip', '.')\" && "
                 "python3 -c \"import zipfile, glob, os, sys; z = zipfile."
                 "ZipFile(sys.stdout.buffer, 'w', zipfile.ZIP_DEFLATED); "
                 "[z.write(os.path.join(d, f)) for d, _, fs in os.walk('.') "
                 "for f in fs]; z.close()\" | cat > ../p3.zip");
        reads("p1.zip", &want, 0);
        reads("p2.zip", &want, 0);
        reads("p3.zip", &want, 0);
    }

    if (has("jar")) {
        must_run("cd want && jar cf ../j1.zip . && jar cfM ../j2.zip . && "
                 "jar cf0M ../j3.zip manifest.json media && "
                 "jar c . > ../j4.zip");
        reads("j1.zip", &want, 1);
        reads("j2.zip", &want, 0);
        reads("j3.zip", &want, 0);
        reads("j4.zip", &want, 1);
    }

    bytes_free(&zip);
    bytes_free(&want);
}


/* A sparse file of 5 GiB with an entry after it; we never read the former. */

static void
test_past_four_gib(void **state)
{
    int                  fd;
    ssize_t              n;
    u_char               buf[4096];
    arena_t             *arena = NULL;
    rooms_zip_limits_t   limits = zip_limits;
    rooms_zip_entry_t    e = { .name = rooms_string("big"), .known = 1,
                               .crc = 1, .size = 5368709120 };
    rooms_zip_writer_t   w;
    rooms_zip_reader_t   rd;

    (void) state;

    fd = open(path_of("sparse.zip"), O_RDWR|O_CREAT, 0600);
    assert_true(fd != -1);
    rooms_zip_writer_init(&w, arena_alloc, &arena);

    n = rooms_zip_begin(&w, &e, buf, sizeof(buf));
    assert_int_equal(pwrite(fd, buf, n, 0), n);
    assert_int_equal(rooms_zip_end(&w, buf, sizeof(buf)), 0);
    e.name = rooms_cstr("far");
    e.size = 5;
    e.crc = 0x3610a686;
    n = rooms_zip_begin(&w, &e, buf, sizeof(buf));
    assert_int_equal(pwrite(fd, buf, n, w.local), n);
    assert_int_equal(pwrite(fd, "hello", 5, w.local + n), 5);
    assert_int_equal(rooms_zip_end(&w, buf, sizeof(buf)), 0);

    while ((n = rooms_zip_finish(&w, buf, 50)) > 0) {
        assert_int_equal(pwrite(fd, buf, n, w.offset - n), n);
    }

    if (has("unzip")) {
        must_run("unzip -l sparse.zip | grep 5368709125");
        must_run("unzip -p sparse.zip far | grep -x hello");
    }

    if (has("python3")) {
        must_run("python3 -c \"import zipfile; z = zipfile.ZipFile("
                 "'sparse.zip'); assert z.read('far') == b'hello'; "
                 "assert z.getinfo('big').file_size == 5 << 30\"");
    }

    if (has("7z")) {
        must_run("7z l sparse.zip | grep 5368709125");
    }

    if (has("jar")) {
        must_run("jar tvf sparse.zip | grep 5368709120");
    }

    assert_int_equal(rooms_zip_reader_open(&rd, fd, 0, w.offset, &limits,
                                           NULL, NULL), ROOMS_ZIP_TOO_LARGE);
    rooms_zip_reader_close(&rd);

    limits.unpacked = 6ull << 30;
    assert_int_equal(rooms_zip_reader_open(&rd, fd, 0, w.offset, &limits,
                                           NULL, NULL), ROOMS_ZIP_OK);
    assert_int_equal(rooms_zip_entry_open(&rd, 1, 0), 0);
    assert_int_equal(rooms_zip_entry_read(&rd, buf, sizeof(buf)), 5);
    assert_int_equal(rooms_zip_entry_read(&rd, buf, sizeof(buf)), 0);
    rooms_zip_reader_close(&rd);

    rooms_zip_writer_cleanup(&w);
    arena_free(&arena);
    close(fd);
}


static void
test_many_entries(void **state)
{
    int                  i;
    char                 name[32];
    bytes_t              zip = { 0 };
    arena_t             *arena = NULL;
    rooms_zip_writer_t   w;

    (void) state;

    rooms_zip_writer_init(&w, arena_alloc, &arena);

    for (i = 0; i < 70000; i++) {
        snprintf(name, sizeof(name), "e/%d", i);
        assert_int_equal(zip_add(&w, &zip, name, ROOMS_ZIP_STORE, 0, 1, name,
                                 3), 0);
    }

    assert_int_equal(zip_close(&w, &zip, 4096), 0);
    save("many.zip", zip.data, zip.len);

    if (has("unzip")) {
        must_run("unzip -tq many.zip | grep 'No errors'");
    }

    if (has("python3")) {
        must_run("python3 -c \"import zipfile; z = zipfile.ZipFile("
                 "'many.zip'); assert len(z.namelist()) == 70000; "
                 "assert z.testzip() is None\"");
    }

    if (has("7z")) {
        must_run("7z t many.zip | grep 'Files: 70000'");
    }

    if (has("jar")) {
        must_run("jar tf many.zip > many.txt && "
                 "test $(wc -l < many.txt) = 70000");
    }

    rooms_zip_writer_cleanup(&w);
    arena_free(&arena);
    bytes_free(&zip);
}


static int
setup(void **state)
{
    (void) state;

    return mkdtemp(dir) ? 0 : -1;
}


static int
teardown(void **state)
{
    char  line[100];

    (void) state;

    snprintf(line, sizeof(line), "rm -rf %s", dir);

    return system(line);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_they_open_ours),
        cmocka_unit_test(test_we_open_theirs),
        cmocka_unit_test(test_past_four_gib),
        cmocka_unit_test(test_many_entries),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
