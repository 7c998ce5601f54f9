# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Two nodes over one Redis that keeps what it has, under load: workers that are
# killed, reloads, a Redis that freezes, one that is killed and comes back, and
# a node whose clock jumps.

use strict;
use warnings;

use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest '-no_redis';
use RoomsTest::Chaos;
use RoomsTest::Topology qw(redis_args redis_cli redis_end redis_server
                           redis_signal topology_port);

plan(skip_all => 'no redis-server') unless RoomsTest::Redis::binary();

my $dir = File::Temp->newdir('rooms-clock-XXXXXXXX', TMPDIR => 1);
my $redis = topology_port();

# each write is on the disk before it is answered
my @args = (redis_args($redis), '--appendonly', 'yes', '--appendfsync',
            'always');

redis_server($redis, @args);

# A library before libc that moves the clock by what the file says, in seconds.
# Beside a sanitizer, whose library has to be the first, the clock stays.

my $library;

if (!$ENV{TEST_ROOMS_REPORTS}) {
    open my $out, '>', "$dir/clock.c" or die;
    print $out <<'END';
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long
offset(void)
{
    long         in, n;
    char         text[32];
    const char  *file = getenv("ROOMS_CLOCK");

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

    return atol(text);
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    (void) tz;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec + offset();
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}

time_t
time(time_t *t)
{
    struct timeval  tv;

    gettimeofday(&tv, 0);

    if (t) {
        *t = tv.tv_sec;
    }

    return tv.tv_sec;
}
END
    close $out;

    $library = "$dir/clock.so";
    is(system('cc', '-shared', '-fPIC', '-o', $library, "$dir/clock.c"), 0,
       'a library that moves the clock');
}

my $chaos = RoomsTest::Chaos->new(store => "redis://127.0.0.1:$redis/0",
                                  preload => [undef, $library],
                                  conf => 'rooms_redis_timeout 2s;');

sub fault {
    my ($name, $outage, @faults) = @_;

    RoomsTest::Chaos::report($name, $chaos->run(faults => \@faults),
                             outage => $outage);
}

fault('workers killed', 20, map {
    my $at = $_;
    [$at, sub { $chaos->kill_worker($_) for 0, 1 }];
} 0.2, 0.4, 0.6, 0.8);

fault('reloads', 20, map {
    my $at = $_;
    [$at, sub { $chaos->reload($at * 10 % 2) }];
} 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8);

# a claim that couldn't be released blocks its key for five seconds

fault('Redis frozen for 3 s', 30, [0.2, sub {
    redis_signal('STOP', $redis);
    sleep 3;
    redis_signal('CONT', $redis);
}]);

fault('Redis killed, and back after a second', 30, [0.3, sub {
    redis_end($redis);
    sleep 1;
    redis_server($redis, @args);
}]);

# Positions follow the clock, and never run back with it.

sub clock {
    my ($seconds) = @_;

    open my $out, '>', "$chaos->{nodes}[1]{dir}/clock.new" or die;
    print $out $seconds;
    close $out;
    rename "$chaos->{nodes}[1]{dir}/clock.new",
           "$chaos->{nodes}[1]{dir}/clock";
}

if ($library) {
    fault('a clock jumps an hour, ahead and back', 20,
          [0.2, sub { clock(3600) }], [0.4, sub { clock(0) }],
          [0.6, sub { clock(-3600) }], [0.8, sub { clock(0) }]);
}

$chaos->stop;
done_testing();
