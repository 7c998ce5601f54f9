# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A Redis Cluster of three that moves a tenant's slot and loses a node, and a
# primary that fails over by sentinels: what is there from the beginning, one
# store is enough for, is in t/37-topology.t.

use strict;
use warnings;

use lib 't/lib';
use RoomsTest '-no_redis';
use RoomsTest::Topology qw(cluster_start redis_args redis_cli redis_end
                           redis_server redis_signal sentinels_start slot_move
                           slowly topology_end topology_port);
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'no redis-server' unless RoomsTest::Redis::binary();

my $tenant = 'acme';
my $me = "mock:ada\@$tenant";

sub request { http_req(@_)->[0] }

# A cluster

my @nodes = cluster_start();
my @ranges = ([0, 5460], [5461, 10922], [10923, 16383]);

# a worker that remembers rooms must not show what a node had before it left
my %cache = (http => 'rooms_cache 1m;');

run_nginx(<<"CONF", workers => 1, log_level => 'notice', %cache);
    rooms on;
    rooms_auth mock;
    rooms_redis redis-cluster://127.0.0.1:$nodes[0],127.0.0.1:$nodes[1];
CONF

# tenants of all three nodes, found without knowing the hash

my %room;
my %at;

for my $n (1 .. 12) {
    my $t = "tenant-$n";
    my $r = http_req('POST', '/v1/rooms', "mock:ada\@$t",
                     { room_type => 'group', name => 'one' });

    is($r->[0], 201, "a room of $t");
    $room{$t} = json_get($r->[2], 'data.id');

    my $slot = redis_cli($nodes[0], 'CLUSTER', 'KEYSLOT',
                         "sw:{$t}:position");
    my ($i) = grep { $slot >= $ranges[$_][0] && $slot <= $ranges[$_][1] }
              0 .. 2;
    push @{$at{$i}}, [$t, $slot];

    is(redis_cli($nodes[$i], 'GET', "sw:{$t}:position"),
       json_get($r->[2], 'data.last_event_position'), 'on its own node');
}

is(scalar keys %at, 3, 'all nodes have tenants');

# one tenant's slot moves while it is used

my ($t, $slot) = @{$at{0}[0]};
my $key = "mock:ada\@$t";
my ($from, $to) = @nodes[0, 1];
my $reads = 0;

slot_move($slot, $from, $to, [$nodes[2]], sub {
    $reads += request('GET', "/v1/rooms/$room{$t}", $key) == 200;
});
cmp_ok($reads, '>', 0, 'read while migrating');

is(request('GET', "/v1/rooms/$room{$t}", $key), 200, 'read after the move');

my $moved = http_req('POST', "/v1/rooms/$room{$t}/send", $key,
                     { content => { body => 'moved' } });

is($moved->[0], 201, 'a change after it');
is(redis_cli($to, 'GET', "sw:{$t}:position"),
   json_get($moved->[2], 'data.stream_position'), 'the new node has it');

# another server changes what was remembered, of each node

sub renamed {
    my ($port, $tenant, $id, $who, $name) = @_;

    request('GET', "/v1/rooms/$id", $who) for 1 .. 5;
    redis_cli($port, 'HSET', "sw:{$tenant}:r:$id", 'name', $name);

    return slowly(20, sub {
        json_get(http_req('GET', "/v1/rooms/$id", $who)->[2], 'data.name')
            eq $name;
    });
}

ok(renamed($to, $t, $room{$t}, $key, 'moved'), 'a change is seen there');

for my $i (1, 2) {
    my $one = $at{$i}[0][0];

    ok(renamed($nodes[$i], $one, $room{$one}, "mock:ada\@$one", "node $i"),
       "and at node $i");
}

# it moves back, while the nodes don't tell their host: it is the one asked

redis_cli($_, 'CONFIG', 'SET', 'cluster-preferred-endpoint-type',
          'unknown-endpoint') for @nodes;

$reads = 0;
slot_move($slot, $to, $from, [$nodes[2]], sub {
    $reads += request('GET', "/v1/rooms/$room{$t}", $key) == 200;
});
cmp_ok($reads, '>', 0, 'read while migrating to a node without a host');

$moved = http_req('POST', "/v1/rooms/$room{$t}/send", $key,
                  { content => { body => 'back' } });
is($moved->[0], 201, 'a change after it');
is(redis_cli($from, 'GET', "sw:{$t}:position"),
   json_get($moved->[2], 'data.stream_position'), 'the first node has it');

# ... and once more, while they tell it by a name that nobody resolves

SKIP: {
    skip 'host names are of Redis 7', 5
        if redis_cli($nodes[0], 'CONFIG', 'GET', 'cluster-announce-hostname')
           !~ /announce/;

    for (@nodes) {
        redis_cli($_, 'CONFIG', 'SET', 'cluster-announce-hostname',
                  'node.invalid');
        redis_cli($_, 'CONFIG', 'SET', 'cluster-preferred-endpoint-type',
                  'hostname');
    }

    # nodes hear of others' names by gossip

    ok(slowly(20, sub {
        !grep { (() = redis_cli($_, 'CLUSTER', 'SLOTS')
                      =~ /node\.invalid/g) < 3 } @nodes;
    }), 'the nodes have names');

    my ($failed, $got) = (0, 0);

    slot_move($slot, $from, $to, [$nodes[2]], sub {
        request('GET', "/v1/rooms/$room{$t}", $key) == 200 ? $got++
                                                            : $failed++;
    });
    is($failed, 0, 'read while migrating to a node that has a name');

    $moved = http_req('POST', "/v1/rooms/$room{$t}/send", $key,
                      { content => { body => 'named' } });
    is($moved->[0], 201, 'a change after it');
    is(redis_cli($to, 'GET', "sw:{$t}:position"),
       json_get($moved->[2], 'data.stream_position'), 'the node has it');

    slot_move($slot, $to, $from, [$nodes[2]]);
    is(request('GET', "/v1/rooms/$room{$t}", $key), 200, 'and back');
}

# a node is gone: its tenants wait, the others don't

my $gone = $at{2}[0][0];

redis_signal('STOP', $nodes[2]);
is(request('GET', "/v1/rooms/$room{$t}", $key), 200, 'others go on');
ok(slowly(20, sub {
    request('GET', "/v1/rooms/$room{$gone}", "mock:ada\@$gone") == 503
}), 'its own are told, once what is remembered is a second old');
redis_signal('CONT', $nodes[2]);

ok(slowly(20, sub {
    request('GET', "/v1/rooms/$room{$gone}", "mock:ada\@$gone") == 200
}), 'and served again');

unlike(nginx_log(), qr/\[(?:alert|emerg|crit)\]/, 'no alert');
stop_nginx();

topology_end();

# An outage of all: a worker that starts meanwhile, and one that has seen them

my $alone = topology_port();
my @alone = redis_args($alone, '--cluster-enabled', 'yes');
my $two = "mock:ada\@two";

run_nginx(<<"CONF", workers => 1, log_level => 'notice');
    rooms on;
    rooms_auth mock;
    rooms_redis redis-cluster://127.0.0.1:1,127.0.0.1:2,127.0.0.1:$alone;
    rooms_redis_timeout 800ms;
CONF

sub away {
    my ($what) = @_;

    ok(slowly(20, sub {
        my $began = time;

        request('POST', '/v1/auth/register', $two) == 503 && time - $began < 0.4
    }), $what);
}

away('nobody waits any longer for what is away');

redis_server($alone, @alone);
ok(slowly(20, sub { nginx_log() =~ /no slots from "127\.0\.0\.1:$alone"/ }),
   'the third node is up, without slots');
redis_cli($alone, 'CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
ok(slowly(20, sub { request('POST', '/v1/auth/register', $two) == 200 }),
   'it has all of them, and ends the outage');

redis_end($alone);
away('it is away, and nobody waits for it');
redis_server($alone, @alone);
ok(slowly(20, sub { request('POST', '/v1/auth/register', $two) == 200 }),
   'it is back');

unlike(nginx_log(), qr/\[(?:alert|emerg|crit)\]/, 'no alert');
stop_nginx();

topology_end();

# Sentinels

my ($primary, $replica, @sentinels) = sentinels_start();

run_nginx(<<"CONF", workers => 1, log_level => 'notice', %cache);
    rooms on;
    rooms_auth mock;
    rooms_redis redis-sentinel://127.0.0.1:1,127.0.0.1:$sentinels[0],127.0.0.1:$sentinels[1]/main;
CONF

ok(slowly(20, sub {
    request('POST', '/v1/auth/register', $me) == 200
}), 'the primary was found, past a sentinel that is not there');

my $r = http_req('POST', '/v1/rooms', $me,
                 { room_type => 'public', name => 'kept' });
is($r->[0], 201, 'a room');
my $id = json_get($r->[2], 'data.id');

ok(slowly(20, sub {
    redis_cli($replica, 'EXISTS', "sw:{$tenant}:r:$id") eq 1
}), 'replicated');

# a planned failover: the old primary lives on, and is read-only

redis_cli($sentinels[0], 'SENTINEL', 'failover', 'main');

ok(slowly(20, sub {
    redis_cli($replica, 'ROLE') =~ /^master/
    && redis_cli($primary, 'ROLE') =~ /^slave/
}), 'the replica took over');

ok(slowly(20, sub {
    request('POST', "/v1/rooms/$id/send", $me,
            { content => { body => 'hi' } }) == 201
}), 'writes follow');
is(redis_cli($replica, 'EXISTS', "sw:{$tenant}:r:$id:events"), 1,
   'to the new one');
ok(renamed($replica, $tenant, $id, $me, 'over'), 'a change there is seen');

# the new primary dies: the other one takes over again

redis_end($replica);

ok(slowly(20, sub {
    request('POST', "/v1/rooms/$id/send", $me,
            { content => { body => 'again' } }) == 201
}), 'and follow once more');

unlike(nginx_log(), qr/\[(?:alert|emerg|crit)\]/, 'no alert');
is(stop_nginx(), 0, 'a clean end');

done_testing();
