# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Two deployments share a room: one keeps it in a Redis Cluster, the other
# in what sentinels call the primary.  Nodes die, slots move, primaries
# change while events wait: all arrive, in order, once.  Those who wait at
# /v1/sync hear of them.

use strict;
use warnings;

use File::Temp ();
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest -no_redis;
use RoomsTest::Deployment;
use RoomsTest::Process qw(patience wait_for);
use RoomsTest::Topology qw(cluster_start redis_cli redis_end redis_signal
                           sentinels_start slot_move slowly);

plan skip_all => 'no redis-server' unless RoomsTest::Redis::binary();

my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
my $tag = 'sw:{t}:';
my @ranges = (5461, 10923, 16384);

# The node of our slot is the one that has a replica; a worker subscribes
# at the first that it was given, another one.

my @nodes = cluster_start(0 .. 2);
my $slot = redis_cli($nodes[0], 'CLUSTER', 'KEYSLOT', $tag . 'position');
my ($at) = grep { $slot < $ranges[$_] } 0 .. 2;
my ($owner, $heir) = @nodes[$at, $at + 3];
my ($other, $third) = @nodes[grep { $_ != $at } 0 .. 2];
my ($primary, $replica, @sentinels) = sentinels_start();

my $a = RoomsTest::Deployment->new('a', "$dir",
    store => "redis-cluster://127.0.0.1:$other,127.0.0.1:$owner");
my $b = RoomsTest::Deployment->new('b', "$dir",
    store => 'redis-sentinel://'
             . join(',', map { "127.0.0.1:$_" } @sentinels) . '/main');

$_->start for $a, $b;

END { local $?; $_ && $_->stop for $a, $b }

# A message, said until it is taken: the store may be on its way.  By its
# uuid it is the same one.
sub say_it {
    my ($server, $who, $room, $text) = @_;
    my $uuid = sprintf '%08x-0000-4000-8000-%012x', rand 2 ** 32, rand 2 ** 32;

    return slowly(20, sub {
        $server->call($who, 'POST', "/v1/rooms/$room/send",
                      { content => { body => $text },
                        event_uuid => $uuid })->{status} =~ /^20[01]$/;
    });
}

my (%said, $room);

# What both sides have been told, each in its order, is there once.
sub arrives {
    my ($server, $who, $text, $name, $seconds) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $all = join ' ', grep { defined } $said{$server->name}, $text;
    my ($letter) = $all =~ /^(\w)/;
    my $have = sub {
        return join ' ', grep { /^$letter/ } map { $_->{content}{body} // () }
                         $server->events($who, $room);
    };

    $said{$server->name} = $all;

    # asked once more, another worker might not know yet where the store is
    my $got;

    slowly($seconds // 20, sub { ($got = $have->()) eq $all });
    is($got, $all, $name);
}

# A long poll that is under way, once nothing more comes.
sub poll {
    my ($server, $who) = @_;

    for (1 .. 20) {
        my $since = $server->call($who, 'GET', '/v1/sync?timeout=0&limit=500')
                    ->{data}{next_cursor};

        if (!defined $since) {
            sleep 0.3;
            next;
        }

        my $poll = polls({ server => $server, who => $who, since => $since });

        return $poll unless IO::Select->new($poll->{sock})->can_read(0.3);
    }

    die "it does not wait\n";
}

sub polls {
    my ($poll) = @_;

    server_port_is($poll->{server}->port);
    $poll->{sock} = http_begin('GET', '/v1/sync?timeout=30000&since='
                               . $poll->{since}, "mock:$poll->{who}\@t");

    return $poll;
}

# What it is answered.  Whoever gets 503, since the store was away for too
# long, asks again from the same position.
sub polled {
    my ($poll, $seconds) = @_;
    my $until = time + $seconds * patience();

    while (time < $until) {
        my $text = '';

        while (IO::Select->new($poll->{sock})->can_read($until - time)) {
            last if !sysread $poll->{sock}, $text, 65536, length $text;
        }

        return join ' ', $text =~ /"body":"(\w+)"/g
            unless $text =~ m{\AHTTP/1.1 503};

        sleep 0.1;
        polls($poll);
    }

    return 'nothing';
}

sub replicated {
    my ($from, $to) = @_;

    return slowly(10, sub {
        my ($want) = redis_cli($from, 'INFO', 'replication')
                     =~ /master_repl_offset:(\d+)/;
        my ($has) = redis_cli($to, 'INFO', 'replication')
                    =~ /slave_repl_offset:(\d+)/;

        $has >= $want;
    });
}

ok(slowly(20, sub {
    $a->call('ann', 'POST', '/v1/auth/register')->{status} == 200
    && $b->call('bob', 'POST', '/v1/auth/register')->{status} == 200;
}), 'both stores are found');

$a->policy({ allowed_peers => [$b->name] });
$b->policy({ allowed_peers => [$a->name] });

$room = $a->call('ann', 'POST', '/v1/rooms',
                 { room_type => 'group', name => 'Shared' })->{data}{id};
$a->federate($room, 1);
$a->call('ann', 'POST', "/v1/rooms/$room/invitations",
         { fqid => $b->fqid('bob') });
ok(slowly(15, sub {
    $b->call('bob', 'POST', "/v1/rooms/$room/join")->{status} == 200
}), 'an invite arrives');
ok(slowly(15, sub { $a->members('ann', $room) =~ /\@bob:\S+=join/ }),
   'and the join');

say_it($a, 'ann', $room, "a$_") for 1 .. 3;
arrives($b, 'bob', 'a1 a2 a3', 'out of a cluster');
say_it($b, 'bob', $room, "b$_") for 1 .. 3;
arrives($a, 'ann', 'b1 b2 b3', 'out of what sentinels name');

my @polls = (poll($a, 'ann'), poll($b, 'bob'));

say_it($a, 'ann', $room, 'a4');
is(polled($polls[0], 15), 'a4', 'who waits over a cluster hears of it');
is(polled($polls[1], 15), 'a4', 'and over sentinels');
arrives($b, 'bob', 'a4', 'told');
is(redis_cli($owner, 'EXISTS', $tag . 'lease:federation'), 1,
   'the lease is in the cluster');
is(redis_cli($primary, 'EXISTS', $tag . 'lease:federation'), 1,
   'and at the primary');

# A node dies while events wait in it

$b->stop_nginx;
say_it($a, 'ann', $room, "a$_") for 5 .. 7;
ok(replicated($owner, $heir), 'events wait, in a replica, too');
redis_end($owner);
say_it($a, 'ann', $room, 'a8');
is(redis_cli($heir, 'ROLE') =~ /^(\w+)/ && $1, 'master', 'which takes over');
@polls = (poll($a, 'ann'));
$b->start;
arrives($b, 'bob', 'a5 a6 a7 a8', 'nothing is lost with the node');
say_it($b, 'bob', $room, 'b4');
arrives($a, 'ann', 'b4', 'nor what comes afterwards');
is(polled($polls[0], 15), 'b4', 'which is heard of');

my $lost = sub { scalar(() = $a->log =~ /lost redis "127\.0\.0\.1:$owner"/g) };
my $tries = $lost->();

# The slot moves while events wait, and others come

$b->stop_nginx;
say_it($a, 'ann', $room, "a$_") for 9 .. 12;

my ($n, $refused) = (12, 0);

@polls = (poll($a, 'ann'));
slot_move($slot, $heir, $other, [$third], sub {
    my $res = $a->call('ann', 'POST', "/v1/rooms/$room/send",
                       { content => { body => 'a' . ($n + 1) } });

    $res->{status} == 201 ? $n++ : $refused++;
});
say_it($a, 'ann', $room, 'a' . ++$n);
like(polled($polls[0], 15), qr/^a\d+$/, 'who waits hears of it');
$b->start;
arrives($b, 'bob', join(' ', map { "a$_" } 9 .. $n),
        'what waits moves with the slot');

# Nobody asks anything here: whoever sends has to find out, and not from the
# slots that are asked for now and then

my ($from) = $said{$b->name} =~ /a(\d+)$/;

$b->stop_nginx;
say_it($a, 'ann', $room, 'a' . ++$n) for 1, 2;
slot_move($slot, $other, $third, [$heir]);
$b->start;
arrives($b, 'bob', join(' ', map { "a$_" } $from + 1 .. $n),
        'what waits finds its way by itself', 8);

# And back, with the other server there

$from = $n;
$refused = 0;
slot_move($slot, $third, $heir, [$other], sub {
    my $res = $a->call('ann', 'POST', "/v1/rooms/$room/send",
                       { content => { body => 'a' . ($n + 1) } });

    $res->{status} == 201 ? $n++ : $refused++;
});
say_it($a, 'ann', $room, 'a' . ++$n);
arrives($b, 'bob', join(' ', map { "a$_" } $from + 1 .. $n),
        "what is told while it moves is told once ($refused refused)");
ok(slowly(5, sub { redis_cli($heir, 'EXISTS', $tag . 'lease:federation') }),
   'the lease has moved, too');

is($lost->(), $tries, 'a node that has gone is not tried for ever');

# A planned failover: the old primary lives on, and is read-only

my $masters = sub { redis_cli($_[0], 'ROLE') =~ /^master/ };

$a->stop_nginx;
say_it($b, 'bob', $room, "b$_") for 5 .. 7;
@polls = (poll($b, 'bob'));
redis_cli($sentinels[0], 'SENTINEL', 'failover', 'main');
ok(slowly(20, sub { $masters->($replica) }), 'a replica takes over');

# what the sentinels will say, later: no connection is closed by that
redis_cli($primary, 'REPLICAOF', '127.0.0.1', $replica);
say_it($b, 'bob', $room, 'b8');
is(polled($polls[0], 15), 'b8', 'who waits hears of it');
$a->start;
arrives($a, 'ann', 'b5 b6 b7 b8', 'what waits is told out of the new one');

# A primary that hangs: nobody closes a connection

ok(slowly(20, sub {
    redis_cli($primary, 'INFO', 'replication') =~ /master_link_status:up/
    && redis_cli($sentinels[0], 'SENTINEL', 'replicas', 'main')
       =~ /$primary/;
}), 'the old primary is a replica');
@polls = (poll($b, 'bob'));
replicated($replica, $primary);
redis_signal('STOP', $replica);

my $began = time;

ok(slowly(20, sub { $masters->($primary) }), 'which takes over again');
say_it($b, 'bob', $room, 'b9');
is(polled($polls[0], 15), 'b9', 'who waits is not deaf')
    or diag(time - $began);
say_it($a, 'ann', $room, 'a' . ++$n);
arrives($b, 'bob', "a$n", 'and is told');
arrives($a, 'ann', 'b9', 'and tells');
redis_signal('CONT', $replica);

# The node that a worker is subscribed at is taken out of the cluster, and
# lives on

my $stead = $nodes[(grep { $nodes[$_] == $other } 0 .. 2)[0] + 3];

@polls = (poll($a, 'ann'), poll($a, 'ann'));
redis_cli($stead, 'CLUSTER', 'FAILOVER');
ok(slowly(10, sub { $masters->($stead)
                    && redis_cli($heir, 'CLUSTER', 'NODES')
                       =~ /:$stead@\S+ master - \d+ \d+ \d+ \S+ \d/ }),
   'another node takes over');

my $gone = redis_cli($other, 'CLUSTER', 'MYID');

redis_cli($_, 'CLUSTER', 'FORGET', $gone)
    for grep { $_ != $other && $_ != $owner } @nodes;
redis_cli($other, 'CLUSTER', 'RESET');
redis_cli($heir, 'CLIENT', 'KILL', 'TYPE', 'normal');
say_it($b, 'bob', $room, 'b10');
is(polled($_, 15), 'b10', 'nobody is deaf') for @polls;
arrives($a, 'ann', 'b10', 'and it arrives');
ok(slowly(10, sub { $a->log =~ /is no longer on a cluster node/ }),
   'as the log says');

# Federation ends: participants leave, by events

$a->policy({ default_mode => 'allowlist' });
ok(slowly(15, sub { $a->members('ann', $room) eq 'ann=join=100' }),
   'who is off the policy leaves a room in a cluster')
    or diag($a->members('ann', $room));
$b->policy({ default_mode => 'allowlist' });
ok(slowly(15, sub { $b->members('bob', $room) eq 'bob=join=100' }),
   'and one at a primary') or diag($b->members('bob', $room));

for my $server ($a, $b) {
    my ($who) = $server == $a ? 'ann' : 'bob';
    my @left = grep { ($_->{content}{reason} // '') =~ /ended/ }
               $server->events($who, $room);

    is(scalar(@left), 1, 'by one event');
    unlike($server->log, qr/\[(?:alert|crit)\]|exited on signal/,
           'the log of ' . $server->name . ' is clean');
}

done_testing();
