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
use RoomsTest::Clock qw(clock_library set_clock);
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
    $library = clock_library("$dir");
    ok($library, 'a library that moves the clock');
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

sub clock { set_clock("$chaos->{nodes}[1]{dir}/clock", @_) }

if ($library) {
    fault('a clock jumps an hour, ahead and back', 20,
          [0.2, sub { clock(3600) }], [0.4, sub { clock(0) }],
          [0.6, sub { clock(-3600) }], [0.8, sub { clock(0) }]);
}

$chaos->stop;
done_testing();
