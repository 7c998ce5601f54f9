# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What happens to workers while requests run: reloads, a kill, and clients
# that go away.  TEST_ROOMS_LONG=1 reloads 200 times.

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use Socket qw(SO_LINGER SOL_SOCKET);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(slurp wait_for);

my $dir = File::Temp::tempdir('rooms-load-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);
my $ada = 'mock:ada@acme';
my $server = <<'END';
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        location = /active { stub_status; }
END

sub workers {
    my $pid = nginx_pid();

    return split ' ', slurp("/proc/$pid/task/$pid/children");
}

sub create {
    my $res = http_req('POST', '/v1/rooms', $ada,
                       { room_type => 'public', name => 'R' });

    return json_get($res->[2], 'data.id');
}

# A process that asks until it is told to stop, and notes what went wrong.
# A connection that is refused isn't held against anybody.
sub load_start {
    my ($room) = @_;

    unlink "$dir/stop", "$dir/result";

    my $pid = fork() // die;

    return $pid if $pid;

    my (%bad, $asked, $sent);
    my $n = 0;

    while (!-e "$dir/stop") {
        my @requests = (['GET', "/v1/rooms/$room", $ada],
                        ['GET', '/v1/directory/rooms', $ada],
                        ['GET', "/v1/rooms/$room/messages?limit=5", $ada],
                        map { ['POST', "/v1/rooms/$room/send", $ada,
                               { content => { n => $n++ } }] } 1 .. 3);

        for my $res (@{http_many(\@requests)}) {
            $asked++;
            $sent++ if $res->[0] == 201;
            $bad{"$res->[0]: $res->[2]"}++ if $res->[0] !~ /^20[01]$/;
        }
    }

    open my $out, '>', "$dir/result";
    print $out JSON::PP->new->canonical->encode({ asked => $asked, bad => \%bad,
                                       sent => $sent });
    close $out;
    POSIX::_exit(0);
}

sub load_stop {
    my ($pid) = @_;

    open my $stop, '>', "$dir/stop" or die;
    close $stop;
    waitpid $pid, 0;

    return JSON::PP->new->decode(slurp("$dir/result"));
}

# every message was written once
sub check_sent {
    my ($room, $load) = @_;
    my (%seen, $from);

    while (1) {
        my $res = http_req('GET', "/v1/rooms/$room/messages?limit=200"
                           . (defined $from ? "&from=$from" : ''), $ada);

        $seen{$_->{content}{n} // 'none'}++ for @{json_get($res->[2], 'data')};
        $from = json_get($res->[2], 'meta.next_cursor');

        last if !defined $from;
    }

    delete $seen{none};
    cmp_ok(scalar keys %seen, '>=', $load->{sent}, 'what was answered is kept');
    is(join(' ', grep { $seen{$_} > 1 } keys %seen), '', 'and kept once');
}


# Reloads

run_nginx($server, workers => 2);

my $room = create();
my $load = load_start($room);
my $times = $ENV{TEST_ROOMS_LONG} ? 200
            : $ENV{TEST_NGINX_USE_VALGRIND} ? 5 : 50;
my $reloaded = 0;

$reloaded += nginx_reload() for 1 .. $times;

my $result = load_stop($load);

is($reloaded, $times, "$times reloads");
cmp_ok($result->{asked}, '>', $times, "$result->{asked} requests meanwhile");
is_deeply($result->{bad}, {}, 'all were answered');
ok(wait_for(20, sub { workers() == 2 }), 'old workers are gone');

my $log = nginx_log();

unlike($log, qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');
is(scalar(() = $log =~ /exited with code 0/g), 2 * $times,
   'they exited in order');
check_sent($room, $result);

# many at once: workers of several generations
kill 'HUP', nginx_pid() for 1 .. 10;
ok(wait_for(10, sub { http_req('GET', "/v1/rooms/$room", $ada)->[0] == 200 }),
   'reloads without a pause');

# the same two, for longer than one reload takes
my ($two, $since) = ('', 0);

ok(wait_for(30, sub {
    my $now = join ' ', workers();

    ($two, $since) = ($now, time) if $now ne $two;

    return $now =~ /\A\d+ \d+\z/ && time - $since > 1.5;
}), 'two workers stay');


# A worker that is killed

$room = create();
$load = load_start($room);
sleep 0.3;
kill 'KILL', (workers())[0];
ok(wait_for(10, sub { workers() == 2
                      && nginx_log() =~ /exited on signal 9/ }),
   'a killed worker is replaced');
sleep 0.3;
$result = load_stop($load);

# only what was under way in it
cmp_ok(scalar(grep { !/^0: / } keys %{$result->{bad}}), '==', 0,
       'nobody else notices');
is(http_req('GET', "/v1/rooms/$room", $ada)->[0], 200, 'it works')
    for 1 .. 4;
check_sent($room, $result);


# Stopping while requests run: they are answered

redis_pause();

my @waiting = map { http_begin('GET', "/v1/rooms/$room", $ada) } 1 .. 8;

ok(wait_for(5, sub {
       # all have been accepted
       my $open = slurp('/proc/net/tcp');
       my $port = sprintf '%04X', server_port_is();
       return (() = $open =~ /0100007F:$port [0-9A-F]+:[0-9A-F]+ 01 \d+:0{8}/g)
              >= 8;
   }), 'requests are waiting for the store');
kill 'QUIT', nginx_pid();
sleep 0.2;
redis_resume();

is(scalar(grep { http_end($_)->[0] == 200 } @waiting), 8,
   'who waits at a graceful stop is answered');
is(stop_nginx(), 0, 'then it ends');


# Clients that go away

run_nginx($server, workers => 1, master => 1);

my $worker;

wait_for(10, sub { ($worker) = workers() });

sub fds { return scalar(() = glob "/proc/$worker/fd/*") }
sub active { return http_req('GET', '/active')->[2] =~ /Active connections: (\d+)/
                    ? $1 : -1 }

$room = create();
http_many([map { ['GET', $_, $ada] } "/v1/rooms/$room",
           '/v1/directory/rooms']);

my $before = fds();
my @raw = (
    http_raw('GET', "/v1/rooms/$room", $ada),
    http_raw('GET', '/v1/directory/rooms', $ada),
    http_raw('POST', "/v1/rooms/$room/send", $ada,
             { content => { body => 'x' x 2000 } }),
    http_raw('POST', '/v1/rooms', $ada,
             { room_type => 'group', name => 'gone' },
             'Idempotency-Key' => 'same'),
    http_raw('POST', "/v1/rooms/$room/send", $ada,
             "14\r\n{\"content\":{\"a\":\"bcd\"\r\n2\r\n}}\r\n0\r\n\r\n",
             'Transfer-Encoding' => 'chunked'),
    http_raw('GET', '/v1/rooms/none', undef),
    http_raw('GET', "/v1/rooms/$room/messages?limit=200", $ada),
);
my $total = $ENV{TEST_NGINX_USE_VALGRIND} ? 300 : 2000;

srand($ENV{TEST_ROOMS_SEED} // 1);
local $SIG{PIPE} = 'IGNORE';

for (my $n = 0; $n < $total; $n += 20) {
    my @socks = map {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                              PeerPort => server_port_is()) or ()
    } 1 .. 20;

    for my $sock (@socks) {
        my $bytes = $raw[rand @raw];

        setsockopt $sock, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)
            if rand() < 0.5;
        syswrite $sock, rand() < 0.3
            ? substr $bytes, 0, rand length $bytes : $bytes;
    }

    redis_pause() if $n % 100 == 0;
    sleep rand 0.006;
    close $_ for @socks;
    redis_resume() if $n % 100 == 0;
}

is(join(' ', workers()), $worker, "$total clients left, the worker stays");
is(http_req('GET', "/v1/rooms/$room", $ada)->[0], 200, 'and works');
ok(wait_for(10, sub { active() == 1 }), 'no connection is left');
ok(wait_for(10, sub { fds() <= $before }), 'nor a descriptor')
    or diag fds() . " and $before";
is(http_req('POST', '/v1/rooms', $ada,
            { room_type => 'group', name => 'gone' },
            'Idempotency-Key' => 'same')->[0], 201,
   'a key that many left behind') or diag nginx_log();
unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');
is(stop_nginx(), 0, 'it ends in order');

done_testing();
