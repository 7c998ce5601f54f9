/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * How fast the bundle's parts are, on one core, in MB/s of unpacked bytes.
 * BUNDLE_BENCH_MB sets the size (16); below 64 nothing but correctness is
 * asserted, for a short time says little.
 */

#include "bundle_test.h"
#include "rooms_form.h"
#include "rooms_manifest.h"
#include "rooms_manifest_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <malloc.h>
#include <time.h>


static bytes_t   manifest;
static uint64_t  nevents;
static int       strict;


static double
now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);

    return t.tv_sec + t.tv_nsec / 1e9;
}


static int
setup(void **state)
{
    char         event[2000];
    int          n, words;
    size_t       size;
    uint32_t     seed;
    const char  *env;

    static const char  *text[] = {
        "the", "meeting", "is", "moved", "to", "tomorrow", "please", "see",
        "attached", "notes", "caf\xc3\xa9", "d\xc3\xa9j\xc3\xa0", "thanks",
        "budget", "release", "candidate", "\xf0\x9f\x98\x80", "who", "can",
        "review", "this", "branch", "\\\"quoted\\\"", "line\\nbreak",
    };

    (void) state;

    env = getenv("BUNDLE_BENCH_MB");
    size = (size_t) (env ? atoi(env) : 16) << 20;
    strict = size >= 64 << 20;
    seed = 1;

    bytes_add(&manifest, bundle_manifest,
              strstr(bundle_manifest, "{\"id\":\"evt-1") - bundle_manifest);

    while (manifest.len < size) {
        seed = seed * 1103515245 + 12345;
        n = snprintf(event, sizeof(event),
                     "%s{\"id\":\"evt-%08x%08x%08x\",\"room_id\":"
                     "\"room-018f3a2b7c6d\",\"sender_id\":\"user%u\","
                     "\"event_type\":\"swp.room.message\",\"content\":{"
                     "\"msgtype\":\"text\",\"body\":\"", nevents ? "," : "",
                     (unsigned) nevents, seed, seed * 2654435761u,
                     seed % 50);

        for (words = 5 + seed % 40; words > 0; words--) {
            seed = seed * 1103515245 + 12345;
            n += snprintf(event + n, sizeof(event) - n, "%s ",
                          text[(seed >> 16) % 24]);
        }

        n += snprintf(event + n, sizeof(event) - n,
                      "\"},\"stream_position\":%llu,\"origin_ts\":%llu,"
                      "\"created_at\":\"2023-11-14T22:%02u:%02u.%03uZ\","
                      "\"edited_at\":null,\"redacted_at\":null}",
                      (unsigned long long) nevents + 1,
                      (unsigned long long) nevents + 1700000000,
                      (unsigned) (nevents / 60 % 60),
                      (unsigned) (nevents % 60), seed % 1000);
        bytes_add(&manifest, event, n);
        nevents++;
    }

    bytes_add(&manifest, "]}", 2);
    printf("manifest: %.1f MB, %llu events\n", manifest.len / 1e6,
           (unsigned long long) nevents);

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    bytes_free(&manifest);

    return 0;
}


static double
plain(int level, uint64_t *made)
{
    double         t;
    size_t         at, n;
    u_char         out[65536];
    z_stream       z;

    memset(&z, 0, sizeof(z));
    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, -15, 8, 0), Z_OK);
    t = now();

    for (at = 0; at < manifest.len; at += n) {
        n = manifest.len - at < 32768 ? manifest.len - at : 32768;
        z.next_in = manifest.data + at;
        z.avail_in = n;

        do {
            z.next_out = out;
            z.avail_out = sizeof(out);
            (void) deflate(&z, at + n == manifest.len ? Z_FINISH
                                                      : Z_NO_FLUSH);
        } while (z.avail_out == 0);
    }

    t = now() - t;
    *made = z.total_out;
    deflateEnd(&z);

    return manifest.len / t / 1e6;
}


static double
ours(int level, uint64_t *made, bytes_t *zip)
{
    double               t;
    size_t               at, n, left;
    ssize_t              got;
    u_char               out[65536];
    arena_t             *arena = NULL;
    const u_char        *p;
    rooms_zip_entry_t    e = { .name = rooms_string("manifest.json"),
                               .method = ROOMS_ZIP_DEFLATE, .level = level,
                               .size = ROOMS_ZIP_UNBOUNDED };
    rooms_zip_writer_t   w;

    rooms_zip_writer_init(&w, arena_alloc, &arena);
    t = now();
    got = rooms_zip_begin(&w, &e, out, sizeof(out));

    if (zip) {
        bytes_add(zip, out, got);
    }

    for (at = 0; at < manifest.len; at += n) {
        n = manifest.len - at < 32768 ? manifest.len - at : 32768;
        p = manifest.data + at;
        left = n;

        do {
            got = rooms_zip_deflate(&w, &p, &left, out, sizeof(out),
                                    at + n == manifest.len);
            assert_true(got >= 0);

            if (zip) {
                bytes_add(zip, out, got);
            }

        } while (got == sizeof(out));
    }

    t = now() - t;
    *made = w.csize;
    got = rooms_zip_end(&w, out, sizeof(out));

    if (zip) {
        bytes_add(zip, out, got);
        assert_int_equal(zip_close(&w, zip, 4096), 0);
    }

    rooms_zip_writer_cleanup(&w);
    arena_free(&arena);

    return manifest.len / t / 1e6;
}


static void
test_deflate(void **state)
{
    int       level;
    double    a, b;
    uint64_t  x, y;

    (void) state;

    for (level = 0; level <= 9; level++) {
        a = plain(level, &x);
        b = ours(level, &y, NULL);
        assert_int_equal(x, y);
        printf("level %d: zlib %7.1f MB/s, writer %7.1f MB/s (%.2f), "
               "%5.1f %% of the bytes\n", level, a, b, b / a,
               100.0 * x / manifest.len);

        if (strict && level) {
            assert_true(b / a > 0.6);
        }
    }
}


static void
read_rate(const char *what, const bytes_t *zip, unsigned flags)
{
    int                  fd;
    double               t;
    ssize_t              n;
    u_char               buf[65536];
    uint64_t             total;
    rooms_zip_limits_t   limits = zip_limits;
    rooms_zip_reader_t   rd;

    fd = bytes_fd(zip->data, zip->len);
    t = now();
    limits.unpacked = 1ull << 40;
    assert_int_equal(rooms_zip_reader_open(&rd, fd, 0, zip->len, &limits,
                                           NULL, NULL), ROOMS_ZIP_OK);
    assert_int_equal(rooms_zip_entry_open(&rd, 0, flags), 0);
    total = 0;

    while ((n = rooms_zip_entry_read(&rd, buf, sizeof(buf))) > 0) {
        total += n;
    }

    assert_int_equal(n, 0);
    assert_int_equal(total, manifest.len);
    t = now() - t;
    printf("%s: %.1f MB/s\n", what, total / t / 1e6);
    rooms_zip_reader_close(&rd);
    close(fd);
}


static void
test_read(void **state)
{
    arena_t             *arena = NULL;
    bytes_t              zip = { 0 };
    uint64_t             made;
    rooms_zip_writer_t   w;

    (void) state;

    (void) ours(6, &made, &zip);
    read_rate("inflate + CRC", &zip, 0);
    read_rate("inflate + CRC + SHA-256", &zip, ROOMS_ZIP_SHA256);

    zip.len = 0;
    rooms_zip_writer_init(&w, arena_alloc, &arena);
    assert_int_equal(zip_add(&w, &zip, "a", ROOMS_ZIP_STORE, 0, 1,
                             manifest.data, manifest.len), 0);
    assert_int_equal(zip_close(&w, &zip, 4096), 0);
    read_rate("stored, CRC", &zip, 0);
    read_rate("stored, CRC + SHA-256", &zip, ROOMS_ZIP_SHA256);
    rooms_zip_writer_cleanup(&w);
    arena_free(&arena);
    bytes_free(&zip);
}


static void
scan(const char *what, int parse)
{
    int                      item;
    double                   t;
    size_t                   at, n, max;
    uint64_t                 events;
    const u_char            *p;
    rooms_faults_t           faults = { 0 };
    rooms_manifest_t         m;
    rooms_check_event_t      e;
    rooms_manifest_check_t   c;

    rooms_manifest_init(&m, 1000);
    rooms_check_init(&c, &faults);
    events = 0;
    max = 0;
    t = now();

    for (at = 0; at < manifest.len; at += n) {
        n = manifest.len - at < 65536 ? manifest.len - at : 65536;
        p = manifest.data + at;

        while ((item = rooms_manifest_next(&m, &p, manifest.data + at + n))
               > 0)
        {
            if (item != ROOMS_MANIFEST_EVENT) {
                continue;
            }

            events++;

            if (parse) {
                assert_int_equal(rooms_check_event(&c, m.slice, &e), 0);
            }
        }

        assert_int_equal(item, ROOMS_MANIFEST_AGAIN);
        max = m.size > max ? m.size : max;
    }

    assert_int_equal(rooms_manifest_finish(&m), 0);
    t = now() - t;
    assert_int_equal(events, nevents);
    printf("%s: %.1f MB/s, %.0f events/s, buffer %zu bytes\n", what,
           manifest.len / t / 1e6, events / t, max);
    rooms_manifest_cleanup(&m);
    rooms_check_cleanup(&c);
}


static void
test_manifest(void **state)
{
    (void) state;

    scan("manifest scanner", 0);
    scan("manifest scanner + checks", 1);
}


/* bytes without a pattern, as of a compressed file */

static void
test_multipart(void **state)
{
    double        t;
    size_t        at, n;
    bytes_t       body = { 0 };
    uint64_t      seed;
    rooms_form_t  f;

    static const char  head[] = "--XYZ\r\nContent-Disposition: form-data; "
                                "name=file; filename=x\r\n\r\n";

    (void) state;

    bytes_add(&body, head, sizeof(head) - 1);
    seed = 1;

    while (body.len < manifest.len) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        n = seed >> 32;
        bytes_add(&body, &n, 4);
    }

    bytes_add(&body, "\r\n--XYZ--", 9);
    t = now();
    assert_int_equal(rooms_form_init(&f, rooms_cstr("multipart/form-data; "
                                                    "boundary=XYZ"),
                                     ROOMS_FORM_FIELDS), 0);

    for (at = 0; at < body.len; at += n) {
        n = body.len - at < 65536 ? body.len - at : 65536;
        assert_int_equal(rooms_form_feed(&f, body.data + at, n, NULL, NULL),
                         0);
    }

    assert_int_equal(rooms_form_finish(&f), 0);
    printf("multipart: %.1f MB/s\n", body.len / (now() - t) / 1e6);
    bytes_free(&body);
}


/* The reader's memory and time for many entries. */

static void
test_directory(void **state)
{
    int                  fd, i;
    char                 name[128];
    double               t;
    size_t               before;
    bytes_t              zip = { 0 };
    arena_t             *arena = NULL;
    rooms_zip_writer_t   w;
    rooms_zip_reader_t   rd;

    (void) state;

    rooms_zip_writer_init(&w, arena_alloc, &arena);

    for (i = 0; i < 100000; i++) {
        snprintf(name, sizeof(name), "media/%064x/photo-%d.jpg", i * 7919, i);
        assert_int_equal(zip_add(&w, &zip, name, ROOMS_ZIP_STORE, 0, 1, name,
                                 50), 0);
    }

    assert_int_equal(zip_close(&w, &zip, 4096), 0);
    printf("writer, 100000 entries: %.1f MB of directory\n",
           w.directory / 1e6);

    fd = bytes_fd(zip.data, zip.len);
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    t = now();
    assert_int_equal(rooms_zip_reader_open(&rd, fd, 0, zip.len, &zip_limits,
                                           NULL, NULL), ROOMS_ZIP_OK);
    t = now() - t;
    printf("reader, 100000 entries: opened in %.0f ms, %.1f MB of memory\n",
           t * 1e3, (mallinfo2().uordblks + mallinfo2().hblkhd - before)
                    / 1e6);
    rooms_zip_reader_close(&rd);
    close(fd);
    rooms_zip_writer_cleanup(&w);
    arena_free(&arena);
    bytes_free(&zip);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_deflate),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_manifest),
        cmocka_unit_test(test_multipart),
        cmocka_unit_test(test_directory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
