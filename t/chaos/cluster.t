# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Two nodes over a Redis Cluster, under load: the tenant's slot is moved, a
# failover is planned, and a primary is killed.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest '-no_redis';
use RoomsTest::Chaos;
use RoomsTest::Topology qw(cluster_start redis_cli redis_end slot_move slowly);

plan(skip_all => 'no redis-server') unless RoomsTest::Redis::binary();

# primaries 0, 1 and 2, and replicas of the first two
my @nodes = cluster_start(0, 1);
my $slot = redis_cli($nodes[0], 'CLUSTER', 'KEYSLOT', 'sw:{t}:tenant');
my $owner = $slot <= 5460 ? 0 : $slot <= 10922 ? 1 : 2;
my $chaos = RoomsTest::Chaos->new(store => 'redis-cluster://'
    . join ',', map { "127.0.0.1:$_" } @nodes[0 .. 2]);

sub role { redis_cli($_[0], 'ROLE') =~ /^(\w+)/ ? $1 : '' }

# to the first primary, which has a replica; then back and forth

my $to = $owner == 0 ? 1 : 0;

RoomsTest::Chaos::report('cluster: the slot moves', $chaos->run(faults => [[0.3, sub {
    slot_move($slot, $nodes[$owner], $nodes[$to],
              [$nodes[3 - $owner - $to]]);
}]]), outage => 20);

my $replica = $nodes[3 + $to];
my $primary = $nodes[$to];

ok(slowly(30, sub {
    redis_cli($primary, 'INFO', 'replication') =~ /state=online/
}), 'its replica is there');

RoomsTest::Chaos::report('cluster: planned failover',
    $chaos->run(faults => [[0.3, sub {
        redis_cli($replica, 'CLUSTER', 'FAILOVER');
    }]]), outage => 20, resets => 1);

ok(slowly(30, sub {
    role($replica) eq 'master' && role($primary) eq 'slave'
    && redis_cli($replica, 'INFO', 'replication') =~ /state=online/
}), 'the replica took over');

# cluster-node-timeout is 2000; what asynchronous replication had not sent may
# be lost

my $at;
my $figures = $chaos->run(faults => [[0.3, sub {
    $at = time();
    redis_end($replica);
}]]);

RoomsTest::Chaos::report('cluster: primary killed', $figures, outage => 30, resets => 1,
    lost => sub {
        !grep { $_->[1] < $at - 1 || $_->[1] > $at + 1 } @_;
    });

$chaos->stop;
done_testing();
