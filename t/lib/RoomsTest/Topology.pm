package RoomsTest::Topology;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Stores of several processes: a Redis Cluster, and a primary with replicas and
# sentinels.  All processes are killed when the suite ends.

use strict;
use warnings;

use Exporter 'import';
use File::Temp ();
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

use RoomsTest::Process qw(free_port patience start_process);
use RoomsTest::Redis ();

our @EXPORT_OK = qw(cluster_start redis_args redis_cli redis_end
                    redis_server redis_signal sentinels_start slot_move
                    slowly topology_end topology_port);

my $dir = File::Temp->newdir('rooms-topology-XXXXXXXX', TMPDIR => 1);
my $owner = $$;
my %pids;

END {
    if ($$ == $owner) {
        local $?;

        topology_end();
    }
}

# a cluster's bus uses the port plus 10000
sub topology_port { return free_port(10000) }

# Polls until the code is true, with pauses, as each look starts processes.
sub slowly {
    my ($seconds, $code) = @_;
    my $deadline = time + $seconds * patience();

    until ($code->()) {
        return 0 if time > $deadline;
        sleep 0.05;
    }

    return 1;
}

sub redis_cli {
    my ($port, @cmd) = @_;

    open(my $out, '-|', 'redis-cli', '-h', '127.0.0.1', '-p', $port, @cmd)
        or die "redis-cli: $!";
    my $text = do { local $/; <$out> } // '';
    close $out;
    $text =~ s/\s+\z//;

    return $text;
}

sub redis_args {
    my ($port, @more) = @_;

    return ('--port', $port, '--bind', '127.0.0.1', '--save', '',
            '--appendonly', 'no', '--dir', "$dir/$port", @more);
}

sub redis_server {
    my ($port, @args) = @_;

    mkdir "$dir/$port";
    $pids{$port} = start_process("$dir/$port/out",
        RoomsTest::Redis::binary(), @args);
    slowly(20, sub {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
            && redis_cli($port, 'PING') =~ /PONG|NOAUTH/;
    }) or die "redis does not start\n";
}

sub redis_signal {
    my ($signal, $port) = @_;

    kill $signal, $pids{$port};
}

sub redis_end {
    my ($port) = @_;
    my $pid = delete $pids{$port} or return;

    kill 'KILL', $pid;
    waitpid $pid, 0;
}

sub topology_end { redis_end($_) for keys %pids }

# Three primaries with all slots, and a replica for each given one.  Returns
# the primaries' ports, then the replicas'.  With { announce => code } as the
# first argument, nodes announce the address that the code makes of their port.
sub cluster_start {
    my %how = ref $_[0] ? %{shift()} : ();
    my (@replicas) = @_;
    my @nodes = map { topology_port() } 1 .. 3 + @replicas;
    my @ranges = ([0, 5460], [5461, 10922], [10923, 16383]);

    redis_server($_, redis_args($_, '--cluster-enabled', 'yes',
                                '--cluster-node-timeout', '2000',
                                '--repl-diskless-sync-delay', '0',
                                $how{announce}
                                ? ('--cluster-announce-port',
                                   $how{announce}->($_)) : ())) for @nodes;

    for my $i (0 .. 2) {
        # ADDSLOTSRANGE is of Redis 7
        redis_cli($nodes[$i], 'CLUSTER', 'ADDSLOTS',
                  $ranges[$i][0] .. $ranges[$i][1]);
        redis_cli($nodes[$i], 'CLUSTER', 'SET-CONFIG-EPOCH', $i + 1);
    }

    redis_cli($nodes[0], 'CLUSTER', 'MEET', '127.0.0.1', $nodes[$_])
        for 1 .. $#nodes;

    my $known = @nodes;
    my $met = sub {
        return !grep { redis_cli($_, 'CLUSTER', 'INFO')
                       !~ /cluster_known_nodes:$known\b/ } @nodes;
    };

    slowly(20, $met) or die "the nodes do not meet\n";

    for my $i (0 .. $#replicas) {
        my $id = redis_cli($nodes[$replicas[$i]], 'CLUSTER', 'MYID');

        redis_cli($nodes[3 + $i], 'CLUSTER', 'REPLICATE', $id);
    }

    my $ready = sub {
        return !(grep { redis_cli($_, 'CLUSTER', 'INFO')
                        !~ /cluster_state:ok/ } @nodes)
               && !(grep { redis_cli($_, 'INFO', 'replication')
                           !~ /master_link_status:up/ } @nodes[3 .. $#nodes]);
    };

    slowly(20, $ready) or die "no cluster\n";

    return @nodes;
}

# Moves a slot, some keys at a time, and calls the code in between.
sub slot_move {
    my ($slot, $from, $to, $others, $code) = @_;
    my ($fromid, $toid) = map { redis_cli($_, 'CLUSTER', 'MYID') } $from, $to;

    redis_cli($to, 'CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $fromid);
    redis_cli($from, 'CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $toid);

    while (my @keys = split /\n/, redis_cli($from, 'CLUSTER', 'GETKEYSINSLOT',
                                            $slot, 40))
    {
        redis_cli($from, 'MIGRATE', '127.0.0.1', $to, '', 0, 5000, 'KEYS',
                  @keys);
        $code->() if $code;
    }

    redis_cli($_, 'CLUSTER', 'SETSLOT', $slot, 'NODE', $toid)
        for $to, $from, @$others;
}

# A primary called "main", a replica and three sentinels: their ports.
sub sentinels_start {
    my ($primary, $replica, @sentinels) = map { topology_port() } 1 .. 5;

    redis_server($primary, redis_args($primary, '--repl-diskless-sync-delay',
                                      '0'));
    redis_server($replica, redis_args($replica, '--replicaof', '127.0.0.1',
                                      $primary));

    slowly(20, sub {
        redis_cli($replica, 'INFO', 'replication') =~ /master_link_status:up/
    }) or die "no replication\n";

    for my $s (@sentinels) {
        mkdir "$dir/$s";
        open my $conf, '>', "$dir/$s/conf" or die "$dir/$s/conf: $!\n";
        print $conf <<"END";
port $s
bind 127.0.0.1
dir $dir/$s
sentinel monitor main 127.0.0.1 $primary 2
sentinel down-after-milliseconds main 1500
sentinel failover-timeout main 3000
END
        close $conf or die "$dir/$s/conf: $!\n";
        redis_server($s, "$dir/$s/conf", '--sentinel');
    }

    slowly(20, sub {
        !grep { redis_cli($_, 'SENTINEL', 'ckquorum', 'main') !~ /^OK 3/
                || redis_cli($_, 'SENTINEL', 'replicas', 'main')
                   !~ /$replica/ } @sentinels
    }) or die "no sentinels\n";

    return ($primary, $replica, @sentinels);
}

1;
