# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Errors of the disk, one after another, wherever files are used: uploads,
# imports, downloads, exports, and NGINX's own folder of bodies.

use strict;
use warnings;

use Errno ();
use File::Temp ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle qw(form);
use RoomsTest::Calls;
use RoomsTest::Export ();

# its library and that of AddressSanitizer both have to come first
plan(skip_all => 'not beside a sanitizer') if $ENV{TEST_ROOMS_REPORTS};

my $dir = File::Temp::tempdir('rooms-disk-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);
my ($media, $fault) = ("$dir/media", "$dir/fault");

# A library before libc that fails as the file "fault" says:
# "call errno part-of-a-path".

open my $out, '>', "$dir/fault.c" or die;
print $out <<'END';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int
fails(const char *call, const char *path, int fd)
{
    int      err;
    long     in, n;
    char     text[4096], name[32], part[3000], link[4096], proc[64];
    char    *file = getenv("ROOMS_DISK_FAULT");

    in = syscall(SYS_openat, AT_FDCWD, file ? file : "", O_RDONLY);

    if (in < 0) {
        return 0;
    }

    n = syscall(SYS_read, in, text, sizeof(text) - 1);
    syscall(SYS_close, in);

    if (n <= 0) {
        return 0;
    }

    text[n] = '\0';

    if (sscanf(text, "%31s %d %2999s", name, &err, part) != 3
        || strcmp(name, call) != 0)
    {
        return 0;
    }

    if (path == NULL) {
        snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
        n = syscall(SYS_readlinkat, AT_FDCWD, proc, link, sizeof(link) - 1);

        if (n <= 0) {
            return 0;
        }

        link[n] = '\0';
        path = link;
    }

    if (strstr(path, part) == NULL) {
        return 0;
    }

    errno = err;
    return 1;
}

#define NEXT(type, name) ((type) dlsym(RTLD_NEXT, name))

#define OPEN(symbol)                                                          \
int                                                                           \
symbol(const char *path, int flags, ...)                                      \
{                                                                             \
    va_list  ap;                                                              \
    mode_t   mode;                                                            \
                                                                              \
    va_start(ap, flags);                                                      \
    mode = va_arg(ap, mode_t);                                                \
    va_end(ap);                                                               \
                                                                              \
    return fails("open", path, -1) ? -1                                       \
           : NEXT(int (*)(const char *, int, ...), #symbol)(path, flags,      \
                                                            mode);            \
}

OPEN(open)
OPEN(open64)

#define DUP(symbol)                                                           \
int                                                                           \
symbol(int fd, int cmd, ...)                                                  \
{                                                                             \
    va_list  ap;                                                              \
    void    *arg;                                                             \
                                                                              \
    va_start(ap, cmd);                                                        \
    arg = va_arg(ap, void *);                                                 \
    va_end(ap);                                                               \
                                                                              \
    return cmd == F_DUPFD_CLOEXEC && fails("dup", NULL, fd) ? -1              \
           : NEXT(int (*)(int, int, ...), #symbol)(fd, cmd, arg);             \
}

DUP(fcntl)
DUP(fcntl64)

ssize_t
write(int fd, const void *p, size_t n)
{
    return fails("write", NULL, fd) ? -1
           : NEXT(ssize_t (*)(int, const void *, size_t), "write")(fd, p, n);
}

#define PWRITE(symbol)                                                        \
ssize_t                                                                       \
symbol(int fd, const void *p, size_t n, off_t at)                             \
{                                                                             \
    return fails("pwrite", NULL, fd) ? -1                                     \
           : NEXT(ssize_t (*)(int, const void *, size_t, off_t), #symbol)(    \
                                                           fd, p, n, at);     \
}

PWRITE(pwrite)
PWRITE(pwrite64)

#define PWRITEV(symbol)                                                       \
ssize_t                                                                       \
symbol(int fd, const struct iovec *v, int n, off_t at)                        \
{                                                                             \
    return fails("pwrite", NULL, fd) ? -1                                     \
           : NEXT(ssize_t (*)(int, const struct iovec *, int, off_t),         \
                  #symbol)(fd, v, n, at);                                     \
}

PWRITEV(pwritev)
PWRITEV(pwritev64)

#define PREAD(symbol)                                                         \
ssize_t                                                                       \
symbol(int fd, void *p, size_t n, off_t at)                                   \
{                                                                             \
    return fails("pread", NULL, fd) ? -1                                      \
           : NEXT(ssize_t (*)(int, void *, size_t, off_t), #symbol)(          \
                                                           fd, p, n, at);     \
}

PREAD(pread)
PREAD(pread64)

int
fsync(int fd)
{
    return fails("fsync", NULL, fd) ? -1 : NEXT(int (*)(int), "fsync")(fd);
}

int
rename(const char *from, const char *to)
{
    return fails("rename", to, -1) ? -1
           : NEXT(int (*)(const char *, const char *), "rename")(from, to);
}

int
mkdir(const char *path, mode_t mode)
{
    return fails("mkdir", path, -1) ? -1
           : NEXT(int (*)(const char *, mode_t), "mkdir")(path, mode);
}

/* somebody needs the file a moment before it is looked at */

#define LSTAT(symbol, type)                                                   \
int                                                                           \
symbol(const char *path, type *st)                                            \
{                                                                             \
    if (fails("touch", path, -1)) {                                           \
        utimensat(AT_FDCWD, path, NULL, 0);                                   \
    }                                                                         \
                                                                              \
    return NEXT(int (*)(const char *, void *), #symbol)(path, st);            \
}

LSTAT(lstat, struct stat)
LSTAT(lstat64, struct stat64)

/* the file system has no hard links */

int
link(const char *from, const char *to)
{
    errno = EPERM;
    return -1;
}
END
close $out;

plan(skip_all => 'no C compiler')
    if system("cc -shared -fPIC -O1 -o $dir/fault.so $dir/fault.c -ldl"
              . " 2>$dir/cc.log") != 0;

sub fault {
    my ($call, $errno, $path) = @_;

    open my $out, '>', "$fault.new" or die;
    print $out defined $call ? "$call $errno $path" : '';
    close $out;
    rename "$fault.new", $fault or die;
}

mkdir $media;
fault();

{
    local $ENV{LD_PRELOAD} = join ':', $ENV{LD_PRELOAD} || (), "$dir/fault.so";
    local $ENV{ROOMS_DISK_FAULT} = $fault;

    start("rooms_media_path $media; client_max_body_size 10m; "
          . 'rooms_media_sweep 200ms;',
          main => 'env ROOMS_DISK_FAULT;');
}

known('ann');

my $n = 0;

sub fresh { return sprintf '%1000d', ++$n }

sub upload {
    my ($size) = @_;
    my $content = fresh() x (($size // 20_000) / 1000);

    return call('POST', '/v1/media/upload', 'ann',
                "--b\r\nContent-Disposition: form-data; name=\"file\"; "
                . "filename=\"f\"\r\n\r\n$content\r\n--b--\r\n",
                'Content-Type' => 'multipart/form-data; boundary=b');
}

my $room = make(group => 'ann', name => 'With media');
my $medium = upload()->{data}{media_id};

must('POST', "/v1/rooms/$room/send", 'ann',
     { content => { body => 'look', media_id => $medium } });

sub export {
    return RoomsTest::HTTP::http_req('GET', "/v1/rooms/$room/export",
                                     token('ann'));
}

my $zip = export()->[2];

sub import {
    my ($body, $type) = form($zip);

    return call('POST', '/v1/rooms/import', 'ann', $body,
                'Content-Type' => $type);
}

sub download { return call('GET', "/v1/media/download/$medium", 'ann') }

is(import()->{status}, 201, 'an import without a fault');
is(download()->{status}, 200, 'a download');

my %away = (ENOSPC => 60, EDQUOT => 60, EROFS => 60, EIO => 60, ESTALE => 60,
            ETIMEDOUT => 60, EHOSTDOWN => 60, EHOSTUNREACH => 60,
            ENOTCONN => 60, EMFILE => 1, ENFILE => 1, ENOMEM => 1,
            ENOBUFS => 1, EAGAIN => 1, EBUSY => 1);
my @ours = qw(EACCES EPERM EINVAL ELOOP ENOTDIR);

sub number { no strict 'refs'; return &{"Errno::$_[0]"}() }

sub check {
    my ($what, $errno, $res) = @_;

    if (!exists $away{$errno}) {
        is($res->{status}, 500, "$what: $errno is 500");
        return;
    }

    is($res->{status}, 503, "$what: $errno is 503") or diag $res->{body};
    is($res->{code}, 'SW_STORE_UNAVAILABLE', 'its code');
    is($res->{headers}{'retry-after'}, $away{$errno}, 'Retry-After');
}

# all of them at one place, and one at all places
for my $errno (sort(keys %away), @ours) {
    fault('write', number($errno), '/.incoming/');
    check('an upload', $errno, upload());
    check('an import', $errno, import());
    fault('open', number($errno), "$media/acme/");
    check('a download', $errno, download())
        if $errno ne 'ENOTDIR';
    fault();
}

for my $at (['open', '/.incoming/'], ['fsync', '/.incoming/'],
            ['rename', "$media/acme/"], ['dup', 'client_body_temp'],
            ['pread', 'client_body_temp'])
{
    for my $errno (qw(EIO EMFILE EACCES)) {
        fault(@$at[0], number($errno), $at->[1]);
        check("$at->[0] of an upload", $errno, upload(400_000));

        # a content that is there already isn't put there again
        check("$at->[0] of an import", $errno, import())
            if $at->[0] =~ /dup|pread|open/;
        fault();
    }
}

# a body that NGINX can't keep
for my $at (['open', 'client_body_temp'], ['pwrite', 'client_body_temp']) {
    fault($at->[0], number('ENOSPC'), $at->[1]);

    for my $what (['an upload', sub { upload(2_000_000) }],
                  ['an import', \&import])
    {
        my $res = $what->[1]->();

        is($res->{status}, 503, "$at->[0] of the body of $what->[0]")
            or diag $res->{body};
        is($res->{code}, 'SW_STORE_UNAVAILABLE', 'its code');
        is($res->{headers}{'retry-after'}, 60, 'Retry-After');
        is($res->{json}{error}{details}[0]{problem}, 'not_applied',
           'its outcome');
    }

    fault();
}

is(upload()->{status}, 201, 'and then it works again');
is(import()->{status}, 201, 'all of it');

# A medium that can't be read at the moment isn't lost: no archive says so.
for my $errno (qw(EMFILE EIO)) {
    fault('open', number($errno), "$media/acme/");
    unlike(export()->[2], qr/PK\x05\x06.{18}\z/s, "$errno cuts an export off");
    fault();
}

# one that nobody can ever read is
fault('open', number('EACCES'), "$media/acme/");

my ($manifest) = eval { RoomsTest::Export::manifest(export()->[2]) };

is(scalar @{$manifest->{missing_media}}, 1, 'EACCES is told in the manifest');
fault();
like(export()->[2], qr/PK\x05\x06.{18}\z/s, 'and then it is whole');
is(scalar(() = glob "$media/.incoming/*"), 0, 'nothing is left behind');

# The sweep finds two old files, and one is needed again as it is removed.
{
    my @old;

    for my $shard ('00', 'ff') {
        my $path = "$media/acme/$shard/$shard" . '0' x 62;

        mkdir "$media/acme/$shard";
        open my $out, '>', $path or die;
        close $out;
        push @old, $path;
    }

    fault('touch', 1, "$media/acme/00/");
    utime 0, 0, @old;
    redis('DEL', key('lease:sweep'));
    ok(RoomsTest::Process::wait_for(20, sub { !-e $old[1] }),
       'an old file is removed');
    ok(RoomsTest::Process::wait_for(5, sub { -e $old[0] && (stat _)[9] }),
       'one that is needed again comes back');
    fault();
}

{
    # of the [crit] that each of these is
    local $SIG{__WARN__} = sub {};

    stop_nginx();
}

done_testing();
