package RoomsTest::Clock;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# A library that moves a process's clocks:
#
#     my $library = clock_library($dir);        undef: there is no compiler
#     {
#         local $ENV{LD_PRELOAD} = $library;
#         local $ENV{ROOMS_CLOCK} = "$dir/clock";
#         run_nginx(..., main => 'env ROOMS_CLOCK;');
#     }
#     set_clock("$dir/clock", -3600, 40);
#
# The time of day is set back by an hour, and 40 seconds have passed.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(clock_library set_clock);

my $source = <<'END';
#define _GNU_SOURCE
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/time.h>

static long
offset(int which)
{
    int          in;
    long         n;
    char         text[64], *end;
    const char  *file = getenv("ROOMS_CLOCK");

    in = file ? syscall(SYS_openat, AT_FDCWD, file, O_RDONLY) : -1;

    if (in == -1) {
        return 0;
    }

    n = syscall(SYS_read, in, text, sizeof(text) - 1);
    syscall(SYS_close, in);

    if (n <= 0) {
        return 0;
    }

    text[n] = '\0';
    n = strtol(text, &end, 10);

    return which ? strtol(end, NULL, 10) : n;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    if (syscall(SYS_clock_gettime, id, ts) != 0) {
        return -1;
    }

    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) {
        ts->tv_sec += offset(0);

    } else if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE) {
        ts->tv_sec += offset(1);
    }

    return 0;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    (void) tz;
    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}

time_t
time(time_t *t)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    if (t) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
END

sub clock_library {
    my ($dir) = @_;

    open my $out, '>', "$dir/clock.c" or die "$dir: $!\n";
    print $out $source;
    close $out or die "$dir: $!\n";

    return system("cc -shared -fPIC -O1 -o $dir/clock.so $dir/clock.c"
                  . " 2>$dir/clock.log") == 0 ? "$dir/clock.so" : undef;
}

# How far the time of day is moved, and how much time has passed, in seconds.
sub set_clock {
    my ($file, $moved, $passed) = @_;

    open my $out, '>', "$file.new" or die "$file: $!\n";
    print $out "$moved ", $passed // 0;
    close $out or die "$file: $!\n";
    rename "$file.new", $file or die "$file: $!\n";
}

1;
