# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What pub/sub says is a hint: it may come late, twice, in another order, or
# not at all.  Who follows, by polls or by a stream, gets each event once, in
# order, over one Redis and over a cluster, while many write.

use strict;
use warnings;

use File::Temp ();
use IO::Select;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Hints qw(hints_end hints_relay);
use RoomsTest::Process qw(free_port patience wait_for);
use RoomsTest::Stream;
use RoomsTest::Topology qw(cluster_start redis_cli topology_end);
use RoomsTest::WebSocket;

my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp->newdir('rooms-hints-XXXXXXXX', TMPDIR => 1);
my $each = $ENV{TEST_NGINX_USE_VALGRIND} ? 5 : 25;
my @children;

sub serve {
    my ($store) = @_;

    stop_nginx();
    run_nginx(<<"END", workers => 2);
        rooms on;
        rooms_auth mock;
        rooms_redis $store;
END
}

# Runs code in a child; its value comes back through a file.
sub child {
    my ($code) = @_;
    my $file = "$dir/" . @children;
    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        my $value = eval { $code->() } // { bad => "$@" };

        open my $out, '>', $file or POSIX::_exit(1);
        print $out $json->encode($value);
        close $out;
        POSIX::_exit(0);
    }

    push @children, [$pid, $file];

    return $#children;
}

sub result {
    my ($pid, $file) = @{$children[$_[0]]};

    waitpid $pid, 0;

    return $json->decode(RoomsTest::Process::slurp($file) || '{"bad":"none"}');
}

# Polls until it has had every event that is named in a file, which comes to be
# when all are sent; or for too long.
sub follow {
    my ($who, $since, $limit, $all) = @_;
    my ($until, @got, %seen, $want);

    while (1) {
        my $res = call('GET', "/v1/sync?since=$since&limit=$limit"
                       . '&timeout=3000', $who);

        return { bad => "$res->{status} $res->{body}" }
            if $res->{status} != 200;
        return { bad => "reset: $res->{body}" } if $res->{data}{reset};

        for (@{$res->{data}{events}}) {
            push @got, [@{$_}{qw(id stream_position)}];
            $seen{$_->{id}} = 1;
        }

        $since = $res->{data}{next_cursor};

        if (!$want && -e $all) {
            $want = $json->decode(RoomsTest::Process::slurp($all));
            $until = time + 20 * patience();
        }

        last if $want && (!grep({ !$seen{$_} } @$want) || time > $until);
    }

    return { got => \@got };
}

# The same over a stream, which is opened again if it ends.
sub stream {
    my ($who, $since, $ws, $all) = @_;
    my ($until, @got, %seen, $want, $st);

    while (1) {
        $st //= $ws ? RoomsTest::WebSocket->new("/v1/stream?since=$since"
                                                . '&format=event', token($who))
                    : RoomsTest::Stream->new("/v1/sync?since=$since",
                                             token($who));

        my $e = $st->next(undef, 1 / patience());

        return { bad => 'a reset' }
            if $e && ($ws ? $e->{type} // '' : $e->{event} // '') eq 'reset';

        if ($e) {
            my $event = $ws ? $e : $e->{data};

            if (defined $event->{event_type}) {
                push @got, [@$event{qw(id stream_position)}];
                $seen{$event->{id}} = 1;
                $since = $event->{stream_position};
            }

        } elsif ($ws ? $st->{eof} || $st->{close} : $st->{closed}) {
            $st = undef;
            sleep 0.1;
        }

        if (!$want && -e $all) {
            $want = $json->decode(RoomsTest::Process::slurp($all));
            $until = time + 20 * patience();
        }

        last if $want && (!grep({ !$seen{$_} } @$want) || time > $until);
    }

    return { got => \@got };
}

sub write_some {
    my ($n, @rooms) = @_;

    for my $i (1 .. $each) {
        my $room = $rooms[($n + $i) % @rooms];
        my $res = call('POST', "/v1/rooms/$room/send", 'ann',
                       { content => { body => "$n $i" } });

        return { bad => "$res->{status} $res->{body}" }
            if $res->{status} != 201;

        # so that it is the followers who wait
        sleep rand 0.04;
    }

    return {};
}

my $round = 0;

# Four rooms, eight writers, three followers that poll and two streams; one more comes and goes.
sub follows {
    my ($name) = @_;
    my $all = "$dir/all-" . ++$round;

    ok(wait_for(20, sub { call('POST', '/v1/auth/register', 'ann')->{status}
                          == 200 }), "$name: a store");
    known(qw(ann bob));

    my @rooms = map { make(group => 'ann', name => "Room $_") } 1 .. 4;

    admit($_, 'ann', 'bob') for @rooms;

    my $moving = make(public => 'ann', name => 'In and out');
    my $since = must('GET', '/v1/sync?since=now&timeout=0', 'bob')
                ->{next_cursor};
    my @followers = map { my $limit = $_;
                          child(sub { follow('bob', $since, $limit, $all) })
                    } 1, 3, 100;

    push @followers, map { my $ws = $_;
                           child(sub { stream('bob', $since, $ws, $all) })
                     } 0, 1;

    my @writers = map { my $n = $_; child(sub { write_some($n, @rooms) })
                  } 1 .. 8;

    push @writers, child(sub {
        for (1 .. $each / 5) {
            call('POST', "/v1/rooms/$moving/join", 'bob');
            call('POST', "/v1/rooms/$moving/leave", 'bob');
            sleep rand 0.1;
        }

        return {};
    });

    is(join(' ', grep { defined } map { result($_)->{bad} } @writers), '',
       "$name: all is sent");

    # what is seen by one who is in the rooms, and by one who isn't any more
    my @want = map { $_->[0] } sort { $a->[1] <=> $b->[1] }
               map { my @e = events($_, 'ann');
                     map { [$_->{id}, $_->{stream_position}] }
                     grep { $_->{stream_position} > $since } @e } @rooms;

    is(scalar @want, 8 * $each, "$name: so many");
    open my $out, '>', "$all.new" or die $!;
    print $out $json->encode(\@want);
    close $out;
    rename "$all.new", $all;

    my %want = map { $_ => 1 } @want;

    for my $n (@followers) {
        my $read = result($n);
        my @got = @{$read->{got} // []};
        my ($at, $back, %seen, %twice) = ($since, 0);

        for (@got) {
            $back++ if $_->[1] <= $at;
            $at = $_->[1];
            $twice{$_->[0]} = 1 if $seen{$_->[0]}++;
        }

        is($read->{bad}, undef, "$name: a follower");
        is(scalar(grep { !$seen{$_} } @want), 0, "$name: has missed none");
        is(scalar(keys %twice), 0, "$name: has had none twice");
        is($back, 0, "$name: nor any out of order");
    }
}

# One Redis

my %bad = (drop => 0.2, double => 0.2, delay => 0.5);
my $relay = hints_relay(redis_port(), %bad);

serve("redis://127.0.0.1:$relay/0");
tenant('lag');
follows('late, lost, doubled, out of order');
hints_end();

$relay = hints_relay(redis_port(), delay => 1);
serve("redis://127.0.0.1:$relay/0");
tenant('late');
follows('late and out of order');
hints_end();

$relay = hints_relay(redis_port(), drop => 1);
serve("redis://127.0.0.1:$relay/0");
tenant('mute');
follows('all lost');

# One who waits, and hears nothing: by itself, soon enough

sub poll {
    my ($who, $since) = @_;

    return http_begin('GET', "/v1/sync?since=$since&timeout=60000",
                      token($who));
}

sub polled { return http_end($_[0], 40)->[2] }

my $room = make(group => 'ann');

admit($room, 'ann', 'bob');

my $since = must('GET', '/v1/sync?since=now&timeout=0', 'bob')->{next_cursor};
my @socks = map { poll('bob', $since) } 1 .. 4;

ok(!IO::Select->new(@socks)->can_read(0.5), 'they wait');

my $message = must('POST', "/v1/rooms/$room/send", 'ann', { content => {} });

is((scalar grep { polled($_) =~ /$message->{id}/ } @socks), 4,
   'and look for themselves');
hints_end();

# What it costs that all goes well: two commands for each who waits, and two
# for each worker.  Others' news cost nothing.

sub commands {
    my $text = redis('INFO', 'commandstats');
    my %n = map { /^cmdstat_(\w+):calls=(\d+)/ ? ($1 => $2) : () }
            split /\r\n/, $text;

    # what nobody waits for
    delete @n{grep { /^(?:info|ping|client|config|subscribe)/ } keys %n};

    my $sum = 0;

    $sum += $_ for values %n;

    return $sum;
}

serve('redis://$TEST_NGINX_REDIS/0');
tenant('cheap');
known(qw(ann bob cy));
$room = make(group => 'ann');
admit($room, 'ann', 'bob');

my $elsewhere = make(group => 'ann');

# the least of some, since a sweep may come between
sub cost {
    my ($to, $n) = @_;
    my $least;

    for (1 .. 6) {
        my $since = must('GET', '/v1/sync?since=now&timeout=0', 'bob')
                    ->{next_cursor};
        my @socks = map { poll('bob', $since) } 1 .. $n;

        IO::Select->new(@socks)->can_read(0.4);

        my $before = commands();
        my $id = must('POST', "/v1/rooms/$to/send", 'ann', { content => {} })
                 ->{id};

        $to eq $room ? map { polled($_) } @socks : sleep 0.3;

        my $cost = commands() - $before;

        $least = $cost if !defined $least || $cost < $least;
    }

    return $least;
}

my $alone = cost($room, 0);

is(cost($elsewhere, 20), $alone, 'news of others wake nobody');
cmp_ok(cost($room, 20) - $alone, '<=', 2 * 20 + 2 * 2,
       'two commands for one who is woken');

# A cluster: who waits is subscribed at one node, and its tenant is at another

my @nodes;

SKIP: {
    my %announced;

    stop_nginx();

    @nodes = cluster_start({ announce => sub {
        return $announced{$_[0]} //= hints_relay($_[0], %bad);
    } });

    serve('redis-cluster://' . join ',', map { "127.0.0.1:$announced{$_}" }
                                         @nodes[0, 1]);

    my %at;

    for my $name (map { "tenant-$_" } 1 .. 40) {
        my $slot = redis_cli($nodes[0], 'CLUSTER', 'KEYSLOT',
                             "sw:{$name}:position");

        $at{int($slot / 5461)} //= $name;
    }

    for my $n (sort keys %at) {
        tenant($at{$n});
        follows("a cluster's node $n");
    }

    is(scalar keys %at, 3, 'all nodes of a cluster');
}

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alert');
stop_nginx();
hints_end();
topology_end();

done_testing();
