/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "bundle_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>


/*
 * An entry that may be invalid.  Fields of 0 mean valid values.  The local
 * header equals the central one, except for the fields with an l.
 */
typedef struct {
    rooms_str_t      name;
    rooms_str_t      lname;
    const char      *data;
    size_t           len;           /* of data; 0: its strlen() */
    unsigned         deflate;
    unsigned         method;        /* + */
    unsigned         lmethod;       /* + */
    unsigned         flags;
    unsigned         lflags;        /* xor flags */
    uint32_t         crc;           /* xor */
    uint32_t         lcrc;          /* xor */
    int              usize;         /* + */
    int              lusize;        /* + */
    int              csize;         /* + */
    int              lcsize;        /* + */
    int              offset;        /* + */
    unsigned         disk;
    uint32_t         attrs;
    rooms_str_t      extra;
    rooms_str_t      lextra;
    unsigned         max_usize;     /* 0xffffffff in the central header */
    unsigned         max_csize;
    unsigned         lmax;          /* both in the local one */
    rooms_str_t      tail;          /* after the data: a descriptor */
    unsigned         cut;           /* bytes removed from the packed data */
    unsigned         lzero;         /* the local header has no sizes and no
                                       CRC */
} raw_t;


static rooms_str_t
raw_pack(const raw_t *r, size_t len, u_char *buf, size_t size)
{
    z_stream  z;

    if (!r->deflate) {
        return (rooms_str_t) { len, (const u_char *) r->data };
    }

    memset(&z, 0, sizeof(z));
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, 0), Z_OK);
    z.next_in = (u_char *) r->data;
    z.avail_in = len;
    z.next_out = buf;
    z.avail_out = size;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);

    return (rooms_str_t) { size - z.avail_out, buf };
}


static void
raw_entry(bytes_t *zip, bytes_t *directory, const raw_t *r)
{
    size_t        len, offset;
    u_char        h[ROOMS_ZIP_CENTRAL_LEN], buf[20000], *p;
    uint32_t      crc, method;
    rooms_str_t   packed, lname;

    len = r->data ? (r->len ? r->len : strlen(r->data)) : 0;
    crc = (uint32_t) crc32_z(0, (const u_char *) r->data, len);
    packed = raw_pack(r, len, buf, sizeof(buf));
    packed.len -= r->cut;
    method = (r->deflate ? 8 : 0) + r->method;
    offset = zip->len;
    lname = r->lname.data ? r->lname : r->name;

    p = rooms_zip_put32(h, ROOMS_ZIP_LOCAL_SIG);
    p = rooms_zip_put16(p, 20);
    p = rooms_zip_put16(p, r->flags ^ r->lflags);
    p = rooms_zip_put16(p, method + r->lmethod);
    p = rooms_zip_put32(p, 0x21 << 16);
    p = rooms_zip_put32(p, r->lzero ? 0 : crc ^ r->crc ^ r->lcrc);
    p = rooms_zip_put32(p, r->lmax ? ROOMS_ZIP_MAX32 : r->lzero ? 0
                           : packed.len + r->csize + r->lcsize);
    p = rooms_zip_put32(p, r->lmax ? ROOMS_ZIP_MAX32 : r->lzero ? 0
                           : len + r->usize + r->lusize);
    p = rooms_zip_put16(p, lname.len);
    p = rooms_zip_put16(p, r->lextra.len);
    bytes_add(zip, h, p - h);
    bytes_add(zip, lname.data, lname.len);
    bytes_add(zip, r->lextra.data, r->lextra.len);
    bytes_add(zip, packed.data, packed.len);
    bytes_add(zip, r->tail.data, r->tail.len);

    p = rooms_zip_put32(h, ROOMS_ZIP_CENTRAL_SIG);
    p = rooms_zip_put16(p, 3 << 8 | 20);
    p = rooms_zip_put16(p, 20);
    p = rooms_zip_put16(p, r->flags);
    p = rooms_zip_put16(p, method);
    p = rooms_zip_put32(p, 0x21 << 16);
    p = rooms_zip_put32(p, crc ^ r->crc);
    p = rooms_zip_put32(p, r->max_csize ? ROOMS_ZIP_MAX32
                                        : packed.len + r->csize);
    p = rooms_zip_put32(p, r->max_usize ? ROOMS_ZIP_MAX32 : len + r->usize);
    p = rooms_zip_put16(p, r->name.len);
    p = rooms_zip_put16(p, r->extra.len);
    p = rooms_zip_put16(p, 0);
    p = rooms_zip_put16(p, r->disk);
    p = rooms_zip_put16(p, 0);
    p = rooms_zip_put32(p, r->attrs);
    p = rooms_zip_put32(p, offset + r->offset);
    bytes_add(directory, h, p - h);
    bytes_add(directory, r->name.data, r->name.len);
    bytes_add(directory, r->extra.data, r->extra.len);
}


static void
raw_end(bytes_t *zip, const bytes_t *directory, unsigned entries)
{
    u_char  h[ROOMS_ZIP_END_LEN], *p;

    p = rooms_zip_put32(h, ROOMS_ZIP_END_SIG);
    p = rooms_zip_put32(p, 0);
    p = rooms_zip_put16(p, entries);
    p = rooms_zip_put16(p, entries);
    p = rooms_zip_put32(p, directory->len);
    p = rooms_zip_put32(p, zip->len);
    p = rooms_zip_put16(p, 0);

    bytes_add(zip, directory->data, directory->len);
    bytes_add(zip, h, p - h);
}


static void
raw_zip(bytes_t *zip, const raw_t *r, size_t n)
{
    size_t   i;
    bytes_t  directory = { 0 };

    for (i = 0; i < n; i++) {
        raw_entry(zip, &directory, &r[i]);
    }

    raw_end(zip, &directory, n);
    bytes_free(&directory);
}


/* Expects this code, and a message with `reason` in it unless that is NULL. */

static void
expect(const raw_t *r, size_t n, rooms_zip_error_e want, const char *reason)
{
    char               err[256];
    bytes_t            zip = { 0 };
    rooms_zip_error_e  code;

    raw_zip(&zip, r, n);
    code = zip_read_all(zip.data, zip.len, &zip_limits, NULL, err);

    if (code != want || (reason && strstr(err, reason) == NULL)) {
        fail_msg("wanted %d \"%s\", got %d \"%s\"", want,
                 reason ? reason : "", code, err);
    }

    bytes_free(&zip);
}


#define NAME(s)   .name = rooms_string(s)
#define BAD(reason, ...)                                                      \
    do {                                                                      \
        const raw_t  r_[] = { __VA_ARGS__ };                                  \
        expect(r_, sizeof(r_) / sizeof(r_[0]), ROOMS_ZIP_INVALID, reason);    \
    } while (0)
#define GOOD(...)                                                             \
    do {                                                                      \
        const raw_t  r_[] = { __VA_ARGS__ };                                  \
        expect(r_, sizeof(r_) / sizeof(r_[0]), ROOMS_ZIP_OK, NULL);           \
    } while (0)


static void
test_good(void **state)
{
    (void) state;

    GOOD({ NAME("a"), .data = "hello" });
    GOOD({ NAME("a"), .data = "hello", .deflate = 1 });
    GOOD({ NAME("a") }, { NAME("b") });
    GOOD({ NAME("d/") }, { NAME("d/e/") }, { NAME("d/e/f"), .data = "x" });
    GOOD({ NAME("d/") });
    GOOD({ NAME("./") }, { NAME("./a"), .data = "x" });
    GOOD({ NAME("caf\xe9") }, { NAME("\xc0\xae\xc0\xae/x") });
    GOOD({ NAME("d\\") }, { NAME("d\\f"), .data = "x" });
    GOOD({ NAME("d/f") }, { NAME("d/"), .deflate = 1, .data = "" });
    GOOD({ NAME("d/f") }, { NAME("d/"), .attrs = 040755u << 16 | 0x10 });
    GOOD({ NAME("a"), .attrs = 0100644u << 16 });
    GOOD({ NAME("caf\xc3\xa9"), .flags = ROOMS_ZIP_F_UTF8 });
    GOOD({ NAME("a"), .extra = rooms_string("\xfe\xca\0\0") });
    GOOD({ NAME("a"), .extra = rooms_string("\0\0\0") });
    GOOD({ NAME("a"),
           .extra = rooms_string("\x75\x70\x06\0\1\x43\xbe\xb7\xe8" "a") });
}


static void
test_names(void **state)
{
    char   longer[700];
    raw_t  r = { .data = "x" };

    (void) state;

    BAD("empty", { NAME("") });
    BAD("absolute", { NAME("/etc/passwd") });
    BAD("leaves the folder", { NAME("../x") });
    BAD("leaves the folder", { NAME("a/../../x") });
    BAD("leaves the folder", { NAME("a/..") });
    BAD("\".\"", { NAME("a/.") });
    BAD("empty component", { NAME("a//b") });
    BAD("drive", { NAME("C:/x") });
    BAD("leaves the folder", { NAME("..\\b") });
    BAD("leaves the folder", { NAME("a/..\\..\\b") });
    BAD("absolute", { NAME("\\\\server\\b") });
    BAD("drive", { NAME("C:\\x") });
    BAD("NUL", { NAME("a\0b") });
    BAD("control", { NAME("a\nb") });
    BAD("UTF-8", { NAME("caf\xe9"), .flags = ROOMS_ZIP_F_UTF8 });
    BAD("UTF-8", { NAME("\xc0\xae\xc0\xae/x"), .flags = ROOMS_ZIP_F_UTF8 });
    BAD("another entry has this name", { NAME("a") }, { NAME("b") },
        { NAME("a") });
    BAD("another entry has this name", { NAME("a/b") }, { NAME("b") },
        { NAME("./a\\b") });
    BAD("another entry has this name", { NAME("./") }, { NAME("a") },
        { NAME("./") });
    BAD("two different names", { NAME("a"),
        .extra = rooms_string("\x75\x70\x06\0\1\0\0\0\0" "b") });
    BAD("two different names", { NAME("a"),
        .lextra = rooms_string("\x75\x70\x06\0\1\0\0\0\0" "b") });
    BAD("another name", { NAME("a"), .lname = rooms_string("b") });
    BAD("another name", { NAME("a"), .lname = rooms_string("bb") });

    memset(longer, 'a', sizeof(longer));
    r.name.data = (u_char *) longer;
    r.name.len = 512;
    expect(&r, 1, ROOMS_ZIP_OK, NULL);
    r.name.len = 513;
    expect(&r, 1, ROOMS_ZIP_INVALID, "name is longer than 512");
}


static void
test_kinds_of_entry(void **state)
{
    (void) state;

    BAD("symbolic", { NAME("a"), .data = "/etc/passwd",
                      .attrs = 0120777u << 16 });
    BAD("special", { NAME("a"), .attrs = 020666u << 16 });
    BAD("special", { NAME("a"), .attrs = 010666u << 16 });
    BAD("without a slash", { NAME("a"), .attrs = 040755u << 16 });
    BAD("without a slash", { NAME("a"), .attrs = 0x10 });
    BAD("directory with data", { NAME("d/"), .data = "x" }, { NAME("d/f") });
    BAD("encrypted", { NAME("a"), .data = "x", .flags = 1 });
    BAD("encrypted", { NAME("a"), .data = "x", .flags = 0x40 });
    BAD("encrypted", { NAME("a"), .data = "x", .flags = 0x2000 });
    BAD("patch", { NAME("a"), .data = "x", .flags = 0x20 });
    BAD("neither", { NAME("a"), .data = "x", .method = 12 });
    BAD("neither", { NAME("a"), .data = "x", .method = 99 });
    BAD("another disk", { NAME("a"), .disk = 1 });
    BAD("cut off", { NAME("a"), .extra = rooms_string("\xfe\xca\5\0x") });
    BAD("cut off", { NAME("a"), .lextra = rooms_string("\xfe\xca\5\0x") });
}


static void
test_local_differs(void **state)
{
    (void) state;

    BAD("other flags", { NAME("a"), .data = "x", .lflags = 1 });
    BAD("other flags", { NAME("a"), .data = "x", .lflags = 8 });
    BAD("other flags", { NAME("a"), .data = "x", .lflags = 0x800 });
    BAD("another method", { NAME("a"), .data = "x", .lmethod = 8 });
    BAD("another CRC", { NAME("a"), .data = "x", .lcrc = 1 });
    BAD("other sizes", { NAME("a"), .data = "x", .lusize = 1 });
    BAD("other sizes", { NAME("a"), .data = "x", .deflate = 1, .lcsize = 1 });
    BAD("other sizes", { NAME("a"), .data = "x", .lusize = -1 });
    BAD("damaged", { NAME("a"), .data = "xxxx", .offset = 1 });
    BAD("not among", { NAME("a"), .offset = 100000 });
    BAD("sizes differ", { NAME("a"), .data = "x", .usize = 1 });
}


static void
test_data(void **state)
{
    (void) state;

    BAD("CRC is wrong", { NAME("a"), .data = "hello", .crc = 1 });
    BAD("CRC is wrong", { NAME("a"), .data = "hello", .crc = 1,
                          .deflate = 1 });
    BAD("more bytes", { NAME("a"), .data = "hello", .deflate = 1,
                        .usize = -1 });
    BAD("fewer bytes", { NAME("a"), .data = "hello", .deflate = 1,
                        .usize = 1 });
    BAD("truncated", { NAME("a"), .data = "hello", .deflate = 1, .cut = 1 });
    BAD("belong to no entry", { NAME("a"), .data = "hello", .deflate = 1,
                                .csize = -1 });
    BAD("belong to no entry", { NAME("a"), .data = "hello",
                                .tail = rooms_string("x") });
    BAD("belong to no entry", { NAME("a"), .tail = rooms_string("x") },
        { NAME("b") });
    BAD("bytes follow", { NAME("a"), .data = "hello", .deflate = 1,
                          .csize = 1, .tail = rooms_string("x") });
    BAD("damaged", { NAME("a"), .data = "\x07zzzz", .method = 8 });
}


static void
test_overlap(void **state)
{
    bytes_t   zip = { 0 }, directory = { 0 };
    char      err[256];
    unsigned  i, n;
    u_char    h[ROOMS_ZIP_CENTRAL_LEN + 1];

    (void) state;

    BAD("overlaps", { NAME("a"), .data = "x" },
        { NAME("b"), .lname = rooms_string("a"), .data = "x",
          .offset = -32 });

    /* the quine bomb: many names with one body */

    raw_entry(&zip, &directory, &(raw_t) { NAME("a"), .data = "hello" });
    memcpy(h, directory.data, sizeof(h));
    n = 50;

    for (i = 1; i < n; i++) {
        h[ROOMS_ZIP_CENTRAL_LEN] = (u_char) ('A' + i);
        bytes_add(&directory, h, sizeof(h));
    }

    raw_end(&zip, &directory, n);
    assert_int_equal(zip_read_all(zip.data, zip.len, &zip_limits, NULL, err),
                     ROOMS_ZIP_INVALID);

    /* an entry whose data contains the next entry's header */

    zip.len = directory.len = 0;
    raw_entry(&zip, &directory, &(raw_t) { NAME("a"), .data = "1",
                                           .csize = 30, .usize = 30 });
    raw_entry(&zip, &directory, &(raw_t) { NAME("b"), .data = "12345678" });
    raw_end(&zip, &directory, 2);
    assert_int_equal(zip_read_all(zip.data, zip.len, &zip_limits, NULL, err),
                     ROOMS_ZIP_INVALID);
    assert_non_null(strstr(err, "overlaps"));

    bytes_free(&zip);
    bytes_free(&directory);
}


#define Z64_16(u, c)     "\1\0\x10\0" u "\0\0\0\0\0\0\0" c "\0\0\0\0\0\0\0"
#define Z64_8(u)         "\1\0\x08\0" u "\0\0\0\0\0\0\0"

#define CRC_HELLO   "\x86\xa6\x10\x36"


static void
test_zip64_entries(void **state)
{
    (void) state;

    GOOD({ NAME("a"), .data = "hello", .max_usize = 1, .max_csize = 1,
           .lmax = 1, .extra = rooms_string(Z64_16("\5", "\5")),
           .lextra = rooms_string(Z64_16("\5", "\5")) });
    GOOD({ NAME("a"), .data = "hello", .max_usize = 1,
           .extra = rooms_string(Z64_8("\5")) });

    /* fields that aren't needed, but are consistent */

    GOOD({ NAME("a"), .data = "hello",
           .extra = rooms_string(Z64_16("\5", "\5")),
           .lextra = rooms_string(Z64_16("\5", "\5")) });
    GOOD({ NAME("a"), .data = "hello", .extra = rooms_string(Z64_8("\5")),
           .lextra = rooms_string(Z64_8("\5")) });
    GOOD({ NAME("a"), .data = "hello", .max_usize = 1,
           .extra = rooms_string(Z64_16("\5", "\5")) });
    GOOD({ NAME("a"), .data = "hello",
           .extra = rooms_string("\1\0\x1c\0\5\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0"
                                 "\0\0\0\0\0\0\0\0\0\0\0\0") });
    GOOD({ NAME("a"), .data = "hello", .flags = 8, .lzero = 1,
           .lextra = rooms_string(Z64_16("\5", "\5")),
           .tail = rooms_string(CRC_HELLO "\5\0\0\0\5\0\0\0") });
    GOOD({ NAME("a"), .data = "hello", .flags = 8,
           .lextra = rooms_string(Z64_16("\0", "\0")),
           .tail = rooms_string(CRC_HELLO "\5\0\0\0\5\0\0\0") });

    BAD("missing or too short", { NAME("a"), .data = "hello",
        .max_usize = 1 });
    BAD("missing or too short", { NAME("a"), .data = "hello",
        .max_usize = 1, .max_csize = 1,
        .extra = rooms_string(Z64_8("\5")) });
    BAD("contradicts", { NAME("a"), .data = "hello",
        .extra = rooms_string(Z64_8("\6")) });
    BAD("contradicts", { NAME("a"), .data = "hello", .max_usize = 1,
        .extra = rooms_string(Z64_16("\5", "\6")) });
    BAD("contradicts", { NAME("a"), .data = "hello",
        .extra = rooms_string("\1\0\x18\0\5\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0"
                              "\1\0\0\0\0\0\0\0") });
    BAD("contradicts", { NAME("a"), .data = "hello",
        .extra = rooms_string("\1\0\x14\0\5\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0"
                              "\1\0\0\0") });
    BAD("contradicts", { NAME("a"), .data = "hello",
        .lextra = rooms_string(Z64_16("\0", "\0")) });
    BAD("contradicts", { NAME("a"), .data = "hello",
        .extra = rooms_string("\1\0\5\0\5\0\0\0\0") });
    BAD("two ZIP64", { NAME("a"), .data = "hello", .max_usize = 1,
        .extra = rooms_string(Z64_8("\5") Z64_8("\6")) });
    BAD("sizes differ", { NAME("a"), .data = "hello", .max_usize = 1,
        .extra = rooms_string(Z64_8("\6")) });
    BAD("other sizes", { NAME("a"), .data = "hello",
        .lmax = 1, .lextra = rooms_string(Z64_16("\6", "\5")) });
    BAD("other sizes", { NAME("a"), .data = "hello",
        .lmax = 1, .lextra = rooms_string(Z64_16("\0", "\0")) });
    BAD("missing or too short", { NAME("a"), .data = "hello", .lmax = 1 });
    BAD("missing or too short", { NAME("a"), .data = "hello", .lmax = 1,
        .lextra = rooms_string(Z64_8("\5")) });
    BAD("contradicts its header", { NAME("a"), .data = "hello",
        .lextra = rooms_string(Z64_16("\6", "\5")) });
}


#define CRC_HELLO   "\x86\xa6\x10\x36"

static void
test_descriptors(void **state)
{
    (void) state;

    GOOD({ NAME("a"), .data = "hello", .flags = 8, .lzero = 1,
           .tail = rooms_string("PK\7\10" CRC_HELLO "\5\0\0\0\5\0\0\0") });
    GOOD({ NAME("a"), .data = "hello", .flags = 8, .lzero = 1,
           .tail = rooms_string(CRC_HELLO "\5\0\0\0\5\0\0\0") });
    GOOD({ NAME("a"), .data = "hello", .flags = 8, .lzero = 1,
           .tail = rooms_string("PK\7\10" CRC_HELLO "\5\0\0\0\0\0\0\0"
                                "\5\0\0\0\0\0\0\0") });
    GOOD({ NAME("a"), .data = "hello", .flags = 8,
           .tail = rooms_string(CRC_HELLO "\5\0\0\0\0\0\0\0"
                                "\5\0\0\0\0\0\0\0") });

    BAD("descriptor", { NAME("a"), .data = "hello", .flags = 8, .lzero = 1 });
    BAD("descriptor", { NAME("a"), .data = "hello", .flags = 8, .lzero = 1,
        .tail = rooms_string("PK\7\10" CRC_HELLO "\5\0\0\0\6\0\0\0") });
    BAD("descriptor", { NAME("a"), .data = "hello", .flags = 8, .lzero = 1,
        .tail = rooms_string("PK\7\10" CRC_HELLO "\5\0\0\0") });
    BAD("other sizes", { NAME("a"), .data = "hello", .flags = 8, .lusize = 2,
        .tail = rooms_string("PK\7\10" CRC_HELLO "\5\0\0\0\5\0\0\0") });
}


/*
 * `change` is applied to a valid archive: an end of 22 bytes, one entry of 5
 */

static void
expect_end(size_t from_end, const char *change, size_t len,
    const char *append, size_t append_len, rooms_zip_error_e want)
{
    bytes_t            zip = { 0 };
    rooms_zip_error_e  code;

    raw_zip(&zip, &(raw_t) { NAME("a"), .data = "hello" }, 1);
    memcpy(zip.data + zip.len - from_end, change, len);
    bytes_add(&zip, append, append_len);
    code = zip_read_all(zip.data, zip.len, &zip_limits, NULL, NULL);
    assert_int_equal(code, want);
    bytes_free(&zip);
}


static void
test_end_record(void **state)
{
    bytes_t  zip = { 0 };
    char     end[ROOMS_ZIP_END_LEN];

    (void) state;

    expect_end(0, "", 0, "", 0, ROOMS_ZIP_OK);
    expect_end(22, "Q", 1, "", 0, ROOMS_ZIP_INVALID);
    expect_end(18, "\1", 1, "", 0, ROOMS_ZIP_INVALID);       /* disk */
    expect_end(16, "\1", 1, "", 0, ROOMS_ZIP_INVALID);
    expect_end(14, "\2", 1, "", 0, ROOMS_ZIP_INVALID);       /* entries */
    expect_end(14, "\2\0\2\0", 4, "", 0, ROOMS_ZIP_INVALID);
    expect_end(14, "\0\0\0\0", 4, "", 0, ROOMS_ZIP_INVALID);
    expect_end(14, "\xff\xff\xff\xff", 4, "", 0, ROOMS_ZIP_INVALID);
    expect_end(10, "\x30", 1, "", 0, ROOMS_ZIP_INVALID);     /* size */
    expect_end(10, "\xff\xff\xff\xff", 4, "", 0, ROOMS_ZIP_INVALID);
    expect_end(6, "\x23", 1, "", 0, ROOMS_ZIP_INVALID);      /* offset */
    expect_end(6, "\xff\xff\xff\xff", 4, "", 0, ROOMS_ZIP_INVALID);

    /* comments */
    expect_end(2, "\3\0", 2, "hey", 3, ROOMS_ZIP_OK);
    expect_end(2, "\3\0", 2, "he", 2, ROOMS_ZIP_INVALID);
    expect_end(2, "\3\0", 2, "heyy", 4, ROOMS_ZIP_INVALID);
    expect_end(0, "", 0, "x", 1, ROOMS_ZIP_INVALID);
    expect_end(2, "\4\0", 2, "PK\5\6", 4, ROOMS_ZIP_INVALID);

    /* the last block that bsdtar adds */
    expect_end(0, "", 0, "\0\0\0", 3, ROOMS_ZIP_OK);
    expect_end(2, "\3\0", 2, "hey\0\0", 5, ROOMS_ZIP_OK);
    expect_end(0, "", 0, "\0x", 2, ROOMS_ZIP_INVALID);

    /* a comment that is an end record itself */
    raw_zip(&zip, &(raw_t) { NAME("a"), .data = "hello" }, 1);
    memcpy(end, zip.data + zip.len - 22, 22);
    expect_end(2, "\x16\0", 2, end, 22, ROOMS_ZIP_INVALID);

    /* a stored archive inside an archive is valid */
    expect(&(raw_t) { NAME("a.zip"), .data = (char *) zip.data,
                      .len = zip.len }, 1, ROOMS_ZIP_OK, NULL);
    bytes_free(&zip);
}


static void
expect_end64(size_t from_end, const char *change, size_t len,
    rooms_zip_error_e want)
{
    u_char             h[76], *p;
    size_t             directory;
    bytes_t            zip = { 0 };
    rooms_zip_error_e  code;

    raw_zip(&zip, &(raw_t) { NAME("a"), .data = "hello" }, 1);
    directory = rooms_zip_get32(zip.data + zip.len - 6);
    zip.len -= 22;

    p = rooms_zip_put32(h, ROOMS_ZIP_END64_SIG);
    p = rooms_zip_put64(p, 44);
    p = rooms_zip_put32(p, 45 << 16 | 45);
    p = rooms_zip_put64(p, 0);
    p = rooms_zip_put64(p, 1);
    p = rooms_zip_put64(p, 1);
    p = rooms_zip_put64(p, zip.len - directory);
    p = rooms_zip_put64(p, directory);
    p = rooms_zip_put32(p, ROOMS_ZIP_LOCATOR_SIG);
    p = rooms_zip_put32(p, 0);
    p = rooms_zip_put64(p, zip.len);
    (void) rooms_zip_put32(p, 1);
    bytes_add(&zip, h, sizeof(h));

    bytes_add(&zip, "PK\5\6\0\0\0\0\xff\xff\xff\xff"
                    "\xff\xff\xff\xff\xff\xff\xff\xff\0\0", 22);
    memcpy(zip.data + zip.len - from_end, change, len);
    code = zip_read_all(zip.data, zip.len, &zip_limits, NULL, NULL);
    assert_int_equal(code, want);
    bytes_free(&zip);
}


static void
test_zip64_end(void **state)
{
    (void) state;

    expect_end64(0, "", 0, ROOMS_ZIP_OK);
    expect_end64(14, "\1\0\1\0", 4, ROOMS_ZIP_OK);
    expect_end64(14, "\2\0\2\0", 4, ROOMS_ZIP_INVALID);
    expect_end64(10, "\1\0\0\0", 4, ROOMS_ZIP_INVALID);
    expect_end64(6, "\0\0\0\0", 4, ROOMS_ZIP_INVALID);
    expect_end64(22 + 20, "Q", 1, ROOMS_ZIP_INVALID);     /* locator */
    expect_end64(22 + 16, "\1", 1, ROOMS_ZIP_INVALID);    /* its disk */
    expect_end64(22 + 12, "\0", 1, ROOMS_ZIP_INVALID);    /* its offset */
    expect_end64(22 + 5, "\xff", 1, ROOMS_ZIP_INVALID);
    expect_end64(22 + 4, "\2", 1, ROOMS_ZIP_INVALID);     /* disks */
    expect_end64(98, "Q", 1, ROOMS_ZIP_INVALID);
    expect_end64(98 - 4, "\1", 1, ROOMS_ZIP_INVALID);     /* its length */
    expect_end64(98 - 16, "\1", 1, ROOMS_ZIP_INVALID);    /* disks */
    expect_end64(98 - 20, "\1", 1, ROOMS_ZIP_INVALID);
    expect_end64(98 - 24, "\2", 1, ROOMS_ZIP_INVALID);    /* entries */
    expect_end64(98 - 32, "\2", 1, ROOMS_ZIP_INVALID);
    expect_end64(98 - 39, "\xff", 1, ROOMS_ZIP_INVALID);
    expect_end64(98 - 40, "\1", 1, ROOMS_ZIP_INVALID);    /* size */
    expect_end64(98 - 47, "\xff", 1, ROOMS_ZIP_INVALID);
    expect_end64(98 - 48, "\1", 1, ROOMS_ZIP_INVALID);    /* offset */
    expect_end64(98 - 55, "\xff", 1, ROOMS_ZIP_INVALID);

    /*
     * a count that doesn't fit a file of this size: refused before allocating
     */
    expect_end64(98 - 24, "\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\x80", 16,
                 ROOMS_ZIP_TOO_LARGE);
    expect_end64(98 - 24, "\x50\xc3\0\0\0\0\0\0\x50\xc3\0\0\0\0\0\0", 16,
                 ROOMS_ZIP_INVALID);
}


static void
test_limits(void **state)
{
    int                 i;
    char                err[256], *zeros;
    bytes_t             zip = { 0 };
    arena_t            *arena = NULL;
    rooms_zip_writer_t  w;
    rooms_zip_limits_t  limits = zip_limits;
    const raw_t         three[] = { { NAME("a"), .data = "hello" },
                                    { NAME("b"), .data = "hello" },
                                    { NAME("c"), .data = "hello",
                                      .deflate = 1 } };

    (void) state;

    raw_zip(&zip, three, 3);
    limits.entries = 2;
    assert_int_equal(zip_read_all(zip.data, zip.len, &limits, NULL, err),
                     ROOMS_ZIP_TOO_LARGE);
    assert_non_null(strstr(err, "rooms_import_limits"));

    limits.entries = 3;
    limits.unpacked = 14;
    assert_int_equal(zip_read_all(zip.data, zip.len, &limits, NULL, err),
                     ROOMS_ZIP_TOO_LARGE);
    assert_non_null(strstr(err, "rooms_import_limits"));

    limits.unpacked = 15;
    assert_int_equal(zip_read_all(zip.data, zip.len, &limits, NULL, err),
                     ROOMS_ZIP_OK);

    /* one bomb of 1000:1, and one in slices that are small each */

    zeros = calloc(1, 5 << 20);

    for (i = 0; i < 2; i++) {
        zip.len = 0;
        rooms_zip_writer_init(&w, arena_alloc, &arena);

        if (i == 0) {
            zip_add(&w, &zip, "a", ROOMS_ZIP_DEFLATE, 9, 0, zeros, 5 << 20);
        }

        for ( /* void */ ; i && i <= 40; i++) {
            char  name[3] = { '_', (char) ('0' + i), '\0' };

            zip_add(&w, &zip, name, ROOMS_ZIP_DEFLATE, 9, 0, zeros, 1 << 18);
        }

        assert_int_equal(zip_close(&w, &zip, 4096), 0);
        rooms_zip_writer_cleanup(&w);
        arena_free(&arena);

        assert_int_equal(zip_read_all(zip.data, zip.len, &zip_limits, NULL,
                                      err), ROOMS_ZIP_TOO_LARGE);
        assert_non_null(strstr(err, "ratio"));

        limits = zip_limits;
        limits.ratio = 2000;
        assert_int_equal(zip_read_all(zip.data, zip.len, &limits, NULL, err),
                         ROOMS_ZIP_OK);
    }

    free(zeros);
    bytes_free(&zip);
}


static void
test_truncated_anywhere(void **state)
{
    size_t   i;
    bytes_t  zip = { 0 };

    (void) state;

    bundle_build(&zip);

    assert_int_equal(zip_read_all(zip.data, zip.len, &zip_limits, NULL, NULL),
                     ROOMS_ZIP_OK);

    for (i = 0; i < zip.len; i++) {
        assert_int_equal(zip_read_all(zip.data, i, &zip_limits, NULL, NULL),
                         ROOMS_ZIP_INVALID);
    }

    bytes_free(&zip);
}


/* A flipped byte is refused, unless it has no meaning. */

static void
test_flipped_anywhere(void **state)
{
    size_t             i, j, accepted;
    bytes_t            zip = { 0 }, want = { 0 }, got = { 0 };
    rooms_zip_error_e  code;

    static const u_char  flips[] = { 1, 2, 4, 8, 16, 32, 64, 128, 255 };

    (void) state;

    bundle_build(&zip);
    accepted = 0;

    assert_int_equal(zip_read_all(zip.data, zip.len, &zip_limits, &want,
                                  NULL), ROOMS_ZIP_OK);

    for (i = 0; i < zip.len; i++) {
        for (j = 0; j < sizeof(flips); j++) {
            zip.data[i] ^= flips[j];
            got.len = 0;

            code = zip_read_all(zip.data, zip.len, &zip_limits, &got, NULL);

            if (code == ROOMS_ZIP_OK) {
                accepted++;
                assert_int_equal(got.len, want.len);
                assert_memory_equal(got.data, want.data, want.len);
            }

            zip.data[i] ^= flips[j];
        }
    }

    /* times, versions, attributes: at most 40 bytes per entry */
    assert_true(accepted < 2 * 60 * sizeof(flips));

    bytes_free(&zip);
    bytes_free(&want);
    bytes_free(&got);
}


static void
count_fault(void *ctx, const char *err)
{
    assert_non_null(strstr(err, "offset "));
    ++*(int *) ctx;
}


/* A dry run reports the faults of every entry. */

static void
test_all_faults(void **state)
{
    int                 fd, n = 0;
    bytes_t             zip = { 0 };
    rooms_zip_reader_t  rd;
    const raw_t         r[] = { { NAME("/a"), .data = "x" },
                                { NAME("b"), .data = "x" },
                                { NAME("c"), .lcrc = 1 },
                                { NAME("../d") },
                                { NAME("e"), .attrs = 0120777u << 16 },
                                { NAME("b") } };

    (void) state;

    raw_zip(&zip, r, 6);
    fd = bytes_fd(zip.data, zip.len);
    assert_int_equal(rooms_zip_reader_open(&rd, fd, 0, zip.len, &zip_limits,
                                           count_fault, &n),
                     ROOMS_ZIP_INVALID);
    assert_int_equal(n, 5);
    assert_int_equal(rd.nfaults, 5);
    rooms_zip_reader_close(&rd);
    close(fd);
    bytes_free(&zip);
}


/* In the middle of a file: two passes, look-ups, hashes. */

static void
test_span_and_lookups(void **state)
{
    int                 fd, i;
    u_char              buf[4096];
    ssize_t             n, at;
    bytes_t             zip = { 0 }, file = { 0 };
    rooms_zip_limits_t  limits = zip_limits;
    rooms_zip_reader_t  rd;

    (void) state;

    bundle_build(&zip);
    bytes_add(&file, "preamble", 8);
    bytes_add(&file, zip.data, zip.len);
    bytes_add(&file, "epilogue", 8);
    fd = bytes_fd(file.data, file.len);

    limits.unpacked = sizeof(bundle_manifest) - 1 + 5;
    assert_int_equal(rooms_zip_reader_open(&rd, fd, 8, zip.len, &limits, NULL,
                                           NULL), ROOMS_ZIP_OK);
    assert_int_equal(rd.nitems, 2);
    at = 1;
    assert_int_equal(rooms_zip_entry_read(&rd, buf, sizeof(buf)), -1);

    for (i = 0; i < 2; i++) {
        assert_int_equal(rooms_zip_entry_open(&rd, 0, 0), 0);
        assert_int_equal(rooms_zip_entry_read(&rd, buf, 10), 10);
        assert_null(rooms_zip_entry_sha256(&rd));
        assert_int_equal(rooms_zip_entry_open(&rd, at, ROOMS_ZIP_SHA256), 0);
        assert_int_equal(rooms_zip_entry_read(&rd, buf, sizeof(buf)), 5);
        assert_null(rooms_zip_entry_sha256(&rd));
        assert_int_equal(rooms_zip_entry_read(&rd, buf, sizeof(buf)), 0);
        assert_int_equal(rooms_zip_entry_read(&rd, buf, sizeof(buf)), 0);
        assert_memory_equal(rooms_zip_entry_sha256(&rd),
                            "\x2c\xf2\x4d\xba\x5f\xb0\xa3\x0e", 8);

        assert_int_equal(rooms_zip_entry_open(&rd, 0, 0), 0);
        rooms_zip_reader_rewind(&rd);
        assert_int_equal(rooms_zip_entry_open(&rd, 0, 0), 0);

        while ((n = rooms_zip_entry_read(&rd, buf, 100)) > 0) { /* void */ }

        assert_int_equal(n, 0);
        rooms_zip_reader_rewind(&rd);
    }

    rooms_zip_reader_close(&rd);

    /* the file is truncated meanwhile */

    assert_int_equal(rooms_zip_reader_open(&rd, fd, 8, zip.len, &limits, NULL,
                                           NULL), ROOMS_ZIP_OK);
    assert_int_equal(ftruncate(fd, 60), 0);
    assert_int_equal(rooms_zip_entry_open(&rd, 0, 0), 0);
    assert_int_equal(rooms_zip_entry_read(&rd, buf, sizeof(buf)), -1);
    assert_int_equal(rd.code, ROOMS_ZIP_INVALID);
    rooms_zip_reader_close(&rd);
    close(fd);

    assert_int_equal(rooms_zip_reader_open(&rd, -1, 0, zip.len, &limits, NULL,
                                           NULL), ROOMS_ZIP_IO);
    rooms_zip_reader_close(&rd);

    bytes_free(&zip);
    bytes_free(&file);
}


static void
test_no_zip(void **state)
{
    u_char   junk[70000];
    size_t   i;

    (void) state;

    for (i = 0; i < sizeof(junk); i++) {
        junk[i] = (u_char) (i * 7);
    }

    assert_int_equal(zip_read_all(junk, 0, &zip_limits, NULL, NULL),
                     ROOMS_ZIP_INVALID);
    assert_int_equal(zip_read_all(junk, 3, &zip_limits, NULL, NULL),
                     ROOMS_ZIP_INVALID);
    assert_int_equal(zip_read_all(junk, sizeof(junk), &zip_limits, NULL,
                                  NULL), ROOMS_ZIP_INVALID);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_kinds_of_entry),
        cmocka_unit_test(test_local_differs),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_zip64_entries),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_end_record),
        cmocka_unit_test(test_zip64_end),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_truncated_anywhere),
        cmocka_unit_test(test_flipped_anywhere),
        cmocka_unit_test(test_all_faults),
        cmocka_unit_test(test_span_and_lookups),
        cmocka_unit_test(test_no_zip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
