# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A Redis Cluster that moves a tenant's slot, and a primary that fails over
# by sentinels.

use strict;
use warnings;

use lib 't/lib';
use RoomsTest '-no_redis';
use Test::More;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);

my $dir = tempdir(CLEANUP => 1);
my $owner = $$;
my %pids;

plan skip_all => 'no redis-server'
    unless grep { -x "$_/redis-server" } split(/:/, $ENV{PATH}), '/usr/bin';

END {
    my $status = $?;

    if (defined $owner && $$ == $owner) {
        kill 'KILL', values %pids;
        waitpid($_, 0) for values %pids;
    }

    $? = $status;
}

# a cluster's bus is 10000 above, so the port must leave room for it
sub port {
    for (1 .. 1000) {
        my $p = 20000 + int(rand(20000));
        my @s = map {
            IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $_,
                                  Listen => 1)
        } $p, $p + 10000;

        return $p if $s[0] && $s[1];
    }

    die "no free port\n";
}

sub cli {
    my ($port, @cmd) = @_;

    open(my $out, '-|', 'redis-cli', '-h', '127.0.0.1', '-p', $port, @cmd)
        or die "redis-cli: $!";
    my $text = do { local $/; <$out> } // '';
    close($out);
    $text =~ s/\s+\z//;

    return $text;
}

sub wait_for {
    my ($what, $check) = @_;
    my $end = time() + 20;

    while (time() < $end) {
        return 1 if $check->();
        sleep(0.05);
    }

    diag("never: $what");
    return 0;
}

sub server {
    my ($port, @args) = @_;

    mkdir("$dir/$port");

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        undef $owner;
        open(STDOUT, '>', "$dir/$port/out");
        open(STDERR, '>&', \*STDOUT);
        exec('redis-server', @args)
            or POSIX::_exit(1);
    }

    $pids{$port} = $pid;

    wait_for("an answer of $port", sub { cli($port, 'PING') =~ /PONG|NOAUTH/ })
        or BAIL_OUT('redis does not start');
}

sub redis_args {
    my ($port, @more) = @_;

    return ('--port', $port, '--bind', '127.0.0.1', '--save', '',
            '--appendonly', 'no', '--dir', "$dir/$port", @more);
}

my $tenant = 'acme';
my $me = "mock:ada\@$tenant";

sub request { http_req(@_)->[0] }

# A cluster

my @nodes = map { port() } 1 .. 3;

server($_, redis_args($_, '--cluster-enabled', 'yes',
                      '--cluster-node-timeout', '2000')) for @nodes;

my @ranges = ([0, 5460], [5461, 10922], [10923, 16383]);

for my $i (0 .. 2) {
    cli($nodes[$i], 'CLUSTER', 'ADDSLOTSRANGE', @{$ranges[$i]});
    cli($nodes[$i], 'CLUSTER', 'SET-CONFIG-EPOCH', $i + 1);
}

cli($nodes[0], 'CLUSTER', 'MEET', '127.0.0.1', $nodes[$_]) for 1, 2;

ok(wait_for('a cluster', sub {
    !grep { cli($_, 'CLUSTER', 'INFO') !~ /cluster_state:ok/
            || cli($_, 'CLUSTER', 'INFO') !~ /cluster_known_nodes:3/ } @nodes
}), 'a cluster of three');

run_nginx(<<"CONF", workers => 1, log_level => 'notice');
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

    my $slot = cli($nodes[0], 'CLUSTER', 'KEYSLOT', "sw:{$t}:position");
    my ($i) = grep { $slot >= $ranges[$_][0] && $slot <= $ranges[$_][1] }
              0 .. 2;
    push @{$at{$i}}, [$t, $slot];

    is(cli($nodes[$i], 'GET', "sw:{$t}:position"), 1, 'on its own node');
}

is(scalar keys %at, 3, 'all nodes have tenants');

# one tenant's slot moves while it is used

my ($t, $slot) = @{$at{0}[0]};
my $key = "mock:ada\@$t";
my ($from, $to) = @nodes[0, 1];
my ($fromid, $toid) = map { cli($_, 'CLUSTER', 'MYID') } $from, $to;

cli($to, 'CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $fromid);
cli($from, 'CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $toid);

is(request('GET', "/v1/rooms/$room{$t}", $key), 200, 'read while migrating');

for (1 .. 100) {
    my @keys = split(/\n/, cli($from, 'CLUSTER', 'GETKEYSINSLOT', $slot, 10));
    last unless @keys;
    cli($from, 'MIGRATE', '127.0.0.1', $to, '', 0, 5000, 'KEYS', @keys);
}

cli($_, 'CLUSTER', 'SETSLOT', $slot, 'NODE', $toid) for $to, $from, $nodes[2];

is(request('GET', "/v1/rooms/$room{$t}", $key), 200, 'read after the move');
is(request('POST', "/v1/rooms/$room{$t}/send", $key,
           { content => { body => 'moved' } }), 201, 'a change after it');
is(cli($to, 'GET', "sw:{$t}:position"), 2, 'the new node has it');

# a node is gone: its tenants wait, the others don't

my $gone = $at{2}[0][0];

kill 'STOP', $pids{$nodes[2]};
is(request('GET', "/v1/rooms/$room{$t}", $key), 200, 'others go on');
is(request('GET', "/v1/rooms/$room{$gone}", "mock:ada\@$gone"), 503,
   'its own are told');
kill 'CONT', $pids{$nodes[2]};

ok(wait_for('the node back', sub {
    request('GET', "/v1/rooms/$room{$gone}", "mock:ada\@$gone") == 200
}), 'and served again');

unlike(nginx_log(), qr/\[(?:alert|emerg|crit)\]/, 'no alert');
stop_nginx();

kill 'KILL', values %pids;
waitpid($_, 0) for values %pids;
%pids = ();

# Sentinels

my ($primary, $replica, @sentinels) = map { port() } 1 .. 5;

server($primary, redis_args($primary));
server($replica, redis_args($replica, '--replicaof', '127.0.0.1', $primary));

ok(wait_for('replication', sub {
    cli($replica, 'INFO', 'replication') =~ /master_link_status:up/
}), 'a primary and a replica');

for my $s (@sentinels) {
    open(my $conf, '>', "$dir/$s.conf") or die $!;
    print $conf <<"CONF";
port $s
bind 127.0.0.1
dir $dir
sentinel monitor main 127.0.0.1 $primary 2
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 3000
CONF
    close($conf);
    server($s, "$dir/$s.conf", '--sentinel');
}

ok(wait_for('sentinels', sub {
    !grep { cli($_, 'SENTINEL', 'ckquorum', 'main') !~ /^OK 3/
            || cli($_, 'SENTINEL', 'replicas', 'main') !~ /$replica/ }
          @sentinels
}), 'three sentinels');

run_nginx(<<"CONF", workers => 1, log_level => 'notice');
    rooms on;
    rooms_auth mock;
    rooms_redis redis-sentinel://127.0.0.1:1,127.0.0.1:$sentinels[0],127.0.0.1:$sentinels[1]/main;
CONF

ok(wait_for('the first answer', sub {
    request('POST', '/v1/auth/register', $me) == 200
}), 'the primary was found, past a sentinel that is not there');

my $r = http_req('POST', '/v1/rooms', $me,
                 { room_type => 'public', name => 'kept' });
is($r->[0], 201, 'a room');
my $id = json_get($r->[2], 'data.id');

ok(wait_for('the replica', sub {
    cli($replica, 'EXISTS', "sw:{$tenant}:r:$id") eq 1
}), 'replicated');

# a planned failover: the old primary lives on, and is read-only

cli($sentinels[0], 'SENTINEL', 'failover', 'main');

ok(wait_for('the failover', sub {
    cli($replica, 'ROLE') =~ /^master/ && cli($primary, 'ROLE') =~ /^slave/
}), 'the replica took over');

ok(wait_for('a write', sub {
    request('POST', "/v1/rooms/$id/send", $me,
            { content => { body => 'hi' } }) == 201
}), 'writes follow');
is(cli($replica, 'EXISTS', "sw:{$tenant}:r:$id:events"), 1, 'to the new one');

# the new primary dies: the other one takes over again

kill 'KILL', $pids{$replica};
waitpid($pids{$replica}, 0);
delete $pids{$replica};

ok(wait_for('a write again', sub {
    request('POST', "/v1/rooms/$id/send", $me,
            { content => { body => 'again' } }) == 201
}), 'and follow once more');

unlike(nginx_log(), qr/\[(?:alert|emerg|crit)\]/, 'no alert');
is(stop_nginx(), 0, 'a clean end');

done_testing();
