# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Two nodes over a primary, a replica and three sentinels, under load: a
# planned failover, a primary that is killed, and one that freezes.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest '-no_redis';
use RoomsTest::Chaos;
use RoomsTest::Topology qw(redis_args redis_cli redis_end redis_server
                           redis_signal sentinels_start slowly);

plan(skip_all => 'no redis-server') unless RoomsTest::Redis::binary();

my ($primary, $replica, @sentinels) = sentinels_start();
my $chaos = RoomsTest::Chaos->new(store => 'redis-sentinel://'
    . join(',', map { "127.0.0.1:$_" } @sentinels) . '/main');

# The other one has taken over, and sentinels know of a replica of it.
sub settled {
    my ($now, $before) = @_;

    ok(slowly(60, sub {
        redis_cli($now, 'ROLE') =~ /^master/
        && redis_cli($before, 'ROLE') =~ /^slave/
        && redis_cli($now, 'INFO', 'replication') =~ /state=online/
        && !grep { redis_cli($_, 'SENTINEL', 'replicas', 'main')
                   !~ /$before/ } @sentinels
    }), 'it is settled');
}

# What asynchronous replication had not sent: the acknowledged ones of the
# last moments before the fault, and those that the old primary took until a
# sentinel named the new one.
sub around {
    my ($at, $before, $behind) = @_;

    return sub {
        !grep { $_->[1] < $at - $before || $_->[1] > $at + $behind } @_;
    };
}

my $at;

sub fault {
    my ($name, $code, $outage, $behind) = @_;
    my $figures = $chaos->run(faults => [[0.3, sub {
        $at = time();
        $code->();
    }]]);

    RoomsTest::Chaos::report($name, $figures, outage => $outage, resets => 1,
                             lost => around($at, 1, $behind));
}

# The old primary is held before the new one is made, so it takes nothing that
# is lost afterwards.

fault('sentinel: planned failover', sub {
    redis_cli($sentinels[0], 'SENTINEL', 'failover', 'main');
}, 20, 1);
settled($replica, $primary);

# down-after-milliseconds is 1500; the election and the promotion take as long
# as they take

fault('sentinel: primary killed', sub { redis_end($replica) }, 20, 1);
redis_server($replica, redis_args($replica, '--replicaof', '127.0.0.1',
                                  $primary));
settled($primary, $replica);

fault('sentinel: primary frozen', sub { redis_signal('STOP', $primary) }, 20, 1);
redis_signal('CONT', $primary);
settled($replica, $primary);

$chaos->stop;
done_testing();
