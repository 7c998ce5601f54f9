/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Writes seed corpora: `fuzz_seeds DIR` fills DIR/zip, DIR/multipart and
 * DIR/manifest with the output of our own writer, and other folders with the
 * texts below.
 */

#include "../unit/bundle_test.h"      /* first: _GNU_SOURCE */

#include <sys/stat.h>


static const char  *root;


static void
save(const char *target, const char *name, const void *data, size_t len)
{
    char   path[1000];
    FILE  *f;

    snprintf(path, sizeof(path), "%s/%s", root, target);
    mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s/%s", root, target, name);
    f = fopen(path, "wb");

    if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}


static void
save_zip(const char *name, int method, int level, int known, uint64_t bound)
{
    size_t               len;
    ssize_t              n;
    u_char               buf[4096];
    bytes_t              zip = { 0 };
    arena_t             *arena = NULL;
    const u_char        *p;
    rooms_zip_entry_t    e = { .name = rooms_string("b/\xc3\xa9"),
                               .mtime = 1700000000000, .method = method,
                               .level = level, .known = known,
                               .crc = 0x3610a686, .size = bound };
    rooms_zip_writer_t   w;

    rooms_zip_writer_init(&w, arena_alloc, &arena);
    zip_add(&w, &zip, "a", ROOMS_ZIP_STORE, 0, 1, "x", 1);
    n = rooms_zip_begin(&w, &e, buf, sizeof(buf));
    bytes_add(&zip, buf, n);
    p = (const u_char *) "hello";
    len = 5;

    if (method == ROOMS_ZIP_DEFLATE) {
        n = rooms_zip_deflate(&w, &p, &len, buf, sizeof(buf), 1);
        bytes_add(&zip, buf, n);

    } else {
        if (!known) {
            rooms_zip_stored(&w, p, len);
        }

        bytes_add(&zip, p, len);
    }

    n = rooms_zip_end(&w, buf, sizeof(buf));
    bytes_add(&zip, buf, n);
    zip_close(&w, &zip, 100);
    save("zip", name, zip.data, zip.len);
    rooms_zip_writer_cleanup(&w);
    arena_free(&arena);
    bytes_free(&zip);
}


/* adds a ZIP64 end record to an archive without one */

static void
save_zip64_end(const bytes_t *zip)
{
    u_char   h[98], *p;
    bytes_t  out = { 0 };

    bytes_add(&out, zip->data, zip->len - 22);
    p = rooms_zip_put32(h, ROOMS_ZIP_END64_SIG);
    p = rooms_zip_put64(p, 44);
    p = rooms_zip_put32(p, 45 << 16 | 45);
    p = rooms_zip_put64(p, 0);
    p = rooms_zip_put64(p, rooms_zip_get16(zip->data + zip->len - 12));
    p = rooms_zip_put64(p, rooms_zip_get16(zip->data + zip->len - 12));
    p = rooms_zip_put64(p, rooms_zip_get32(zip->data + zip->len - 10));
    p = rooms_zip_put64(p, rooms_zip_get32(zip->data + zip->len - 6));
    p = rooms_zip_put32(p, ROOMS_ZIP_LOCATOR_SIG);
    p = rooms_zip_put32(p, 0);
    p = rooms_zip_put64(p, out.len);
    p = rooms_zip_put32(p, 1);
    memcpy(p, zip->data + zip->len - 22, 22);
    bytes_add(&out, h, sizeof(h));
    save("zip", "end64", out.data, out.len);
    bytes_free(&out);
}


/* The first byte selects the kind; see fuzz_jwt.c. */
static void
save_jwt(void)
{
    size_t  i;
    char    name[16];

    static const char  *const seeds[] = {
        "\001{\"alg\":\"HS256\"}\n{\"sub\":\"auth0|64\",\"tenant_id\":\"a\","
            "\"exp\":1700003600.5,\"name\":\"\\ta\\u2028\","
            "\"preferred_username\":\"a b@c\"}",
        "\002{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-521\",\"kid\":1},null,"
            "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAA\","
            "\"alg\":\"HS512\",\"use\":null}]}",
        "\002{\"keys\":[{\"kty\":\"RSA\",\"use\":\"enc\",\"n\":\"AQ\","
            "\"e\":\"AQAB\",\"alg\":\"RSA-OAEP\"}]}",
        "\004mock:a|b@t:admin",
        "\005uid,org id,n,email,realm_access roles,boss\n"
            "{\"alg\":\"HS256\"}\n{\"uid\":42,\"org\":{\"id\":[\"t\"]},"
            "\"n\":{},\"email\":\"e@x\",\"exp\":1700003600,"
            "\"realm_access\":{\"roles\":[\"a\",\"boss\"]}}",
        "\005uid\n{\"alg\":\"HS384\"}\n{\"uid\":[\"u\"],"
            "\"exp\":1700003600,\"iat\":null}"
    };

    for (i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        snprintf(name, sizeof(name), "%zu", i);
        save("jwt", name, seeds[i], strlen(seeds[i]));
    }
}


/* As other tools pack it: a backslash, a byte of CP437, NULs after the end. */

static void
save_repacked(void)
{
    size_t   i;
    bytes_t  zip = { 0 };

    bundle_build(&zip);

    for (i = 0; i + 8 < zip.len; i++) {

        if (memcmp(zip.data + i, "media/", 6) == 0) {
            zip.data[i + 5] = '\\';
        }

        if (memcmp(zip.data + i, "a.txt", 5) == 0) {
            zip.data[i] = 0x81;
        }
    }

    bytes_add(&zip, "\0\0\0\0\0\0\0", 7);
    save("zip", "repacked", zip.data, zip.len);
    bytes_free(&zip);
}


/* A ticket, the content of a ticket, request targets, image headers. */
static void
save_urls(void)
{
    static const char  ticket[] = "\1\1\1\0\0\0\0\0\x65\x53\xf1\1\4acme\3ada\0";
    static const char  target[] = "\2GET /v1/sync?since=1&ticket=abc HTTP/1.1";
    static const char  png[] = "\xff\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\2\0\0\0\2\0";
    static const char  jpeg[] = "\x07\xff\xd8\xff\xe0\0\6JFIF\xff\xc0\0\x11\x08"
                                "\1\x2c\1\x90\3";
    static const char  webp[] = "\x07RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0"
                                "\x8f\1\0\x2b\1\0";
    static const char  gif[] = "\x07GIF89a\x20\3\x58\2\0\0\0";

    save("ticket", "inside", ticket, sizeof(ticket) - 1);
    save("ticket", "target", target, sizeof(target) - 1);
    save("image", "png", png, sizeof(png) - 1);
    save("image", "jpeg", jpeg, sizeof(jpeg) - 1);
    save("image", "webp", webp, sizeof(webp) - 1);
    save("image", "gif", gif, sizeof(gif) - 1);
}


/*
 * A filter, a PATCH, a User: the first byte selects the kind; see
 * fuzz_scim.c.
 */
static void
save_scim(void)
{
    size_t  i;
    char    name[16];

    static const char  *const seeds[] = {
        "0userName eq \"a\" and (emails[type eq \"work\" and not (value co "
            "\"\\u00e9\")] or title pr)",
        "0urn:ietf:params:scim:schemas:core:2.0:User:name.familyName sw \"b\"",
        "0id ne null and active eq true and x gt -1.5e3",
        "1{\"Operations\":[{\"op\":\"Replace\",\"path\":\"emails[type eq "
            "\\\"work\\\"].value\",\"value\":\"x@y\"},{\"op\":\"add\","
            "\"path\":\"phoneNumbers[type eq \\\"mobile\\\"].value\","
            "\"value\":\"+44\"},{\"op\":\"remove\",\"path\":\"title\"}]}",
        "1{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],"
            "\"Operations\":[{\"op\":\"replace\",\"value\":{\"active\":"
            "\"False\",\"name.givenName\":\"A\",\"urn:ietf:params:scim:schemas"
            ":extension:enterprise:2.0:User:costCenter\":\"7\"}}]}",
        "1{\"Operations\":[{\"op\":\"add\",\"path\":\"addresses\",\"value\":"
            "[{\"type\":\"work\",\"locality\":\"L\"}]},{\"op\":\"replace\","
            "\"path\":\"addresses[type eq \\\"work\\\"]\",\"value\":"
            "{\"country\":\"US\"}}]}",
        "2{\"USERNAME\":\"bjensen\",\"externalId\":\"7\",\"active\":\"true\","
            "\"name\":{\"formatted\":\"Ms. B\"},\"emails\":[{\"value\":"
            "\"b@e\",\"primary\":true}],\"photos\":[{\"value\":"
            "\"https://e/p.png\"}]}"
    };

    for (i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        snprintf(name, sizeof(name), "%zu", i);
        save("scim", name, seeds[i], strlen(seeds[i]));
    }
}


int
main(int argc, char **argv)
{
    char     body[8192];
    size_t   n;
    bytes_t  zip = { 0 };

    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_seeds DIR\n");
        return 2;
    }

    root = argv[1];
    mkdir(root, 0777);

    bundle_build(&zip);
    save("zip", "bundle", zip.data, zip.len);
    save_repacked();
    save("zip", "empty", zip.data + zip.len - 22, 22);
    save_zip64_end(&zip);
    save_zip("known", ROOMS_ZIP_STORE, 0, 1, 5);
    save_zip("stored", ROOMS_ZIP_STORE, 0, 0, 5);
    save_zip("deflated", ROOMS_ZIP_DEFLATE, 6, 0, 5);
    save_zip("level0", ROOMS_ZIP_DEFLATE, 0, 0, 5);
    save_zip("descriptor64", ROOMS_ZIP_DEFLATE, 1, 0, ROOMS_ZIP_UNBOUNDED);

    n = snprintf(body, sizeof(body),
                 "multipart/form-data; boundary=\"XYZ\"\n--XYZ\r\n"
                 "Content-Disposition: form-data; name=\"name\"\r\n\r\nroom"
                 "\r\n--XYZ\r\nContent-Disposition: form-data; name=\"file\";"
                 " filename=\"b.zip\"\r\nContent-Type: application/zip\r\n"
                 "\r\n");
    memcpy(body + n, zip.data, zip.len);
    n += zip.len;
    n += snprintf(body + n, sizeof(body) - n, "\r\n--XYZ--\r\n");
    save("multipart", "import", body, n);
    n = snprintf(body, sizeof(body),
                 "multipart/form-data; boundary=*&#~$*\n--*&#~$*\r\n"
                 "Content-Disposition: form-data; name=file; filename=\"=?utf-8"
                 "?B?w7wudHh0?= =?iso-8859-1?q?=FC_?=\"; "
                 "filename*=utf-8'en'%%C3%%BC.txt\r\n\r\nx\r\n--*&#~$*--");
    save("multipart", "names", body, n);
    save("multipart", "empty", "multipart/form-data;boundary=a\n--a--", 36);

    n = snprintf(body, sizeof(body), "{\"format\":\"scaiwave.room-export\","
                 "\"version\":1,\"room\":{\"room_type\":\"group\"},"
                 "\"participants\":{\"s\":{\"display_name\":\"S\"}},"
                 "\"media\":[{\"media_ids\":[\"m\"],\"media_id\":\"n\","
                 "\"size\":0,\"sha256\":\"%064d\"}],\"events\":["
                 "{\"id\":\"a\",\"sender_id\":\"s\",\"stream_position\":1,"
                 "\"event_type\":\"swp.room.message\",\"conten\\u0074\":"
                 "{\"n\":1e15,\"attachments\":[{\"media_id\":\"m\"},7],"
                 "\"thumbnail_id\":\"n\"},\"original_content\":{},"
                 "\"origin_ts\":1},{\"id\":\"b\",\"sender_id\":\"t\","
                 "\"stream_position\":2,\"event_type\":\"swp.room.message\","
                 "\"content\":{\"replaces\":\"a\",\"content\":"
                 "{\"reply_to_event_id\":\"a\"}},\"created_at\":"
                 "\"2024-01-01T00:00:00Z\"},{\"id\":\"c\",\"sender_id\":"
                 "\"s\",\"stream_position\":3,\"event_type\":"
                 "\"swp.room.reaction\",\"content\":{\"event_id\":\"a\","
                 "\"_imported_sender\":{\"fqid\":\"@a:b\"}},\"redacted_at\":"
                 "\"2024-01-01T00:00:00Z\",\"origin_ts\":1}]}", 0);
    save("manifest", "events", body, n);
    save("import", "events", body, n);
    save("import", "bundle", bundle_manifest, sizeof(bundle_manifest) - 1);
    save("manifest", "bundle", bundle_manifest, sizeof(bundle_manifest) - 1);
    n = snprintf(body, sizeof(body), "{\"events\":[1,-0.5e+3,\"\\u00e9\",[{}]"
                 ",true,null],\"media\":{\"\\ud83d\\ude00\":[]}}\n");
    save("manifest", "small", body, n);

    save("ws", "frames", "\x08\x81\x8f\0\0\0\0{\"type\":\"ping\"}"
                         "\x01\x82\0\0\0\0\xc3\xa9\x89\x81\0\0\0\0x"
                         "\x80\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xe8", 56);
    n = snprintf(body, sizeof(body), "{\"id\":\"a\",\"room_id\":\"r\","
                 "\"sender_id\":\"s\",\"event_type\":\"swp.room.member\","
                 "\"content\":{\"membership\":\"invite\","
                 "\"participant_ids\":[\"b\",\"c\"]},\"created_at\":\"t\"}");
    save("ws", "member", body, n);
    n = snprintf(body, sizeof(body), "{\"id\":\"a\",\"event_type\":"
                 "\"swp.room.redaction\",\"content\":{\"event_id\":\"b\"}}");
    save("ws", "redaction", body, n);

    save_jwt();
    save_scim();
    save_urls();
    bytes_free(&zip);

    return 0;
}
