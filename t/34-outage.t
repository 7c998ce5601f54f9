# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# The store's bad days: away, silent, restarted, read-only, or no Redis at
# all; and what is told of a change whose reply was lost.  Nobody waits for
# ever: a request without an answer has the status 0 here.

use strict;
use warnings;

use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Fake qw(fake stop_fake);
use RoomsTest::Process qw(wait_for);

my ($ada, $bob) = ('mock:ada@acme', 'mock:bob@acme');
my $address = $ENV{TEST_NGINX_REDIS};
my $dir = File::Temp::tempdir('rooms-store-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);

# A round to the store ends soon, or is to wait for what the test does.
sub start {
    my ($url, $timeout) = @_;

    $timeout //= '600ms';

    run_nginx("rooms on; rooms_auth mock; rooms_redis $url;"
              . "rooms_redis_timeout $timeout;"
              . 'rooms_redis_connect_timeout 300ms;');
}

sub create {
    my ($token, $name) = @_;
    my $res = http_req('POST', '/v1/rooms', $token,
                       { room_type => 'public', name => $name // 'R' });

    return json_get($res->[2], 'data.id');
}

sub say_in { return ['POST', "/v1/rooms/$_[0]/send", $_[1] // $ada,
                     { content => { body => $_[2] // 'hello' },
                       defined $_[3] ? (event_uuid => $_[3]) : () }] }

sub messages {
    my ($room) = @_;
    my $res = http_req('GET', "/v1/rooms/$room/messages?limit=200", $ada);

    return map { $_->{content}{body} // () }
           @{json_get($res->[2], 'data')};
}

sub up {
    my ($what) = @_;

    ok(wait_for(20, sub {
           http_req('GET', '/v1/rooms/archived', $ada)->[0] == 200
               && http_req('POST', '/v1/auth/register', $ada)->[0] == 200
               && http_req('GET', '/v1/rooms/room-0', $ada)->[0] == 404
       }), $what);
}

sub is_503 {
    my ($res, $what) = @_;

    is($res->[0], 503, $what);
    is(json_get($res->[2] || '{}', 'error.code'), 'SW_STORE_UNAVAILABLE',
       'its code');
    like($res->[1]{'retry-after'} // '', qr/^[1-9]\d*$/, 'Retry-After');
}

sub quiet { unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/,
                   'no alarm in the log') }


# Away at the start

redis_stop();
start("redis://$address/0");

for my $try (1 .. 3) {
    is_503(http_req('GET', '/v1/rooms/archived', $ada),
           "no Redis at the start, try $try");
}

my $many = http_many([map { ['GET', '/v1/rooms/archived', "mock:u$_\@acme"] }
                      1 .. 100]);
is(scalar(grep { $_->[0] == 503 } @$many), 100, 'all are told');
like(nginx_log(), qr/redis "\Q$address\E".*refused/i, 'the log has it');

redis_start();
up('service again by itself');
like(nginx_log(), qr/redis "\Q$address\E" is back/, 'that is logged');


# Restarted, empty

my $room = create($ada);

like($room, qr/^room-/, 'a room');
redis_stop();
redis_start();
up('after a restart');
is(http_req('GET', "/v1/rooms/$room", $ada)->[0], 404, 'a store that forgot');
like(create($ada), qr/^room-/, 'the caller is registered anew');
quiet();


# Silent

$room = create($ada);
redis_pause();

my @requests = ((map { ['GET', "/v1/rooms/$room", $ada] } 1 .. 20),
                say_in($room, $ada, 'maybe', 'uuid-1'),
                ['GET', '/v1/directory/rooms', $ada]);

$many = http_many(\@requests);
is(scalar(grep { $_->[0] == 503 } @$many), scalar @requests,
   'a silent Redis: all are told');

is_503(http_req('GET', "/v1/rooms/$room", $ada), 'while it is silent');
redis_resume();
up('it speaks again');

# a commit under way
redis_pause();

my $res = http_req(@{say_in($room, $ada, 'maybe', 'uuid-2')});

is_503($res, 'a change that was cut off');
redis_resume();
up('it speaks again');
$res = http_req(@{say_in($room, $ada, 'maybe', 'uuid-2')});
is($res->[0], 201, 'the same once more');
is(scalar(grep { $_ eq 'maybe' } messages($room)), 1, 'is one message');
quiet();


# Killed while many ask

sub kill_redis {
    my ($redis) = redis('INFO', 'server') =~ /process_id:(\d+)/;

    kill 'KILL', $redis;
}

for my $silent (0, 1) {
    $room = create($ada);
    http_req('POST', "/v1/rooms/$room/join", $bob);

    my ($redis) = redis('INFO', 'server') =~ /process_id:(\d+)/;
    my $killer = fork() // die;

    if ($killer == 0) {
        sleep 0.15;
        kill 'KILL', $redis;
        POSIX::_exit(0);
    }

    redis_pause() if $silent;

    # however quick the answers are, some of these rounds meet the killer
    my (@answers, $dead);

    for my $rounds (1 .. 200) {
        $dead = waitpid($killer, POSIX::WNOHANG()) != 0;
        push @answers, @{http_many([map { $_ % 2
            ? say_in($room, $_ % 4 == 1 ? $ada : $bob)
            : ['GET', "/v1/rooms/$room", $bob] } 1 .. 600], 300)};
        last if $dead;
    }

    ok($dead, 'the killer came');
    $many = \@answers;

    my %status;

    $status{$_->[0]}++ for @$many;
    is(join(' ', grep { !/^(?:200|201|503)$/ } keys %status), '',
       'killed under load: all are answered' . ($silent ? ', silent' : ''));
    cmp_ok($status{503} // 0, '>', 0, 'some with 503');

    my @outcomes = map { json_get($_->[2], 'error.details[0].problem') // () }
                   grep { $_->[0] == 503 } @$many;

    is(join(' ', grep { !/^(?:not_applied|unknown)$/ } @outcomes), '',
       'a change says what became of it');

    redis_stop();
    redis_start();
    up('then it is back');
}

quiet();


# The script is forgotten

$room = create($ada);

for (1 .. 5) {
    redis('SCRIPT', 'FLUSH');
    $many = http_many([map { say_in($room, $ada, "flush $_") } 1 .. 10]);
    is(scalar(grep { $_->[0] == 201 } @$many), 10, 'commits after a flush');
}

is(scalar(messages($room)), 50, 'each once');


# ... also a reader's two, of which one is called for each 64 rooms

http_many([map { ['POST', '/v1/rooms', $bob,
                  { room_type => 'public', name => "Flush $_" }] } 1 .. 70]);
redis('SCRIPT', 'FLUSH');

my $page = http_req('GET', '/v1/sync?timeout=0&limit=500', $bob);

is($page->[0], 200, 'a page after a flush');
is(scalar(grep { $_->{event_type} =~ /create/ }
          @{json_get($page->[2], 'data.events')}), 70, 'with each room');


# Errors that pass

for my $stale ('yes', 'no') {
    redis('CONFIG', 'SET', 'replica-serve-stale-data', $stale);
    redis('REPLICAOF', '127.0.0.1', 1);
    is_503(http_req(@{say_in($room)}),
           $stale eq 'yes' ? 'READONLY' : 'MASTERDOWN');
    start("redis://$address/0", '20s');

    my $child = fork() // die;

    if ($child == 0) {
        sleep 0.2;
        my $sock = IO::Socket::INET->new($address);
        print {$sock} "REPLICAOF NO ONE\r\n";
        readline $sock;
        POSIX::_exit(0);
    }

    is(http_req(@{say_in($room)})->[0], 201, 'it passes within the timeout');
    waitpid $child, 0;
    start("redis://$address/0");
}

redis('CONFIG', 'SET', 'maxmemory', 1);
is_503(http_req(@{say_in($room)}), 'OOM');
redis('CONFIG', 'SET', 'maxmemory', 0);
is(http_req(@{say_in($room)})->[0], 201, 'it passes');

# a key of the wrong type is nobody's fault but ours
redis('SET', "sw:{acme}:r:room-0wrongtype", 'x');
is(http_req('GET', '/v1/rooms/room-0wrongtype', $ada)->[0] =~ /^(?:404|500)$/,
   1, 'WRONGTYPE');
quiet();


# A proxy that loses what it should carry.  What it does with a commit that
# holds the word is said by the word.

my $port = free_port();

sub relay {
    my ($client) = @_;
    my $store = IO::Socket::INET->new($address) or return;
    my $both = IO::Select->new($client, $store);

    while (my @ready = $both->can_read(30)) {
        for my $from (@ready) {
            sysread($from, my $bytes, 65536) or return;

            if ($from == $store) {
                syswrite $client, $bytes;
                next;
            }

            if ($bytes =~ /EVAL.*LOSE-(REPLY|REQUEST|LATE)/s
                && !-e "$dir/lost-$1")
            {
                my $what = $1;

                open my $mark, '>', "$dir/lost-$what";

                if ($what eq 'REPLY') {
                    syswrite $store, $bytes;
                    sysread $store, $bytes, 65536;
                    return;
                }

                return if $what eq 'REQUEST';

                shutdown $client, 2;
                close $client;
                sleep 0.4;
                syswrite $store, $bytes;
                sysread $store, $bytes, 65536;
                return;
            }

            syswrite $store, $bytes;
        }
    }
}

my $relay = fake($port, \&relay);

start("redis://127.0.0.1:$port/0", '20s');
up('through a relay');
$room = create($ada);
http_req(@{say_in($room)});

for my $what ('REPLY', 'REQUEST', 'LATE') {
    $res = http_req(@{say_in($room, $ada, "LOSE-$what")});
    is($res->[0], 201, "a lost \L$what\E: the commit is resolved")
        or diag $res->[2];
    ok(unlink("$dir/lost-$what"), 'it was lost');
    sleep 0.6 if $what eq 'LATE';

    my $list = http_req('GET', "/v1/rooms/$room/messages", $ada)->[2];
    my @found = grep { ($_->{content}{body} // '') eq "LOSE-$what" }
                @{json_get($list, 'data')};

    is(scalar @found, 1, 'one message');
    is($found[0]{id}, json_get($res->[2], 'data.id'), 'the one of the answer');
    is($found[0]{stream_position}, json_get($res->[2], 'data.stream_position'),
       'at its place');
}

# a whole room, with its members, and by key
$res = http_req('POST', '/v1/rooms', $ada,
                { room_type => 'group', name => 'LOSE-REPLY' },
                'Idempotency-Key' => 'k1');
is($res->[0], 201, 'a room whose reply was lost');
unlink "$dir/lost-REPLY";

my $again = http_req('POST', '/v1/rooms', $ada,
                     { room_type => 'group', name => 'LOSE-REPLY' },
                     'Idempotency-Key' => 'k1');

unlink "$dir/lost-REPLY";
is(json_get($again->[2], 'data.id'), json_get($res->[2], 'data.id'),
   'is there once');
quiet();
stop_fake($relay);


# No Redis at all

my %fakes = (
    'never answers'   => sub { my $in; 1 while sysread $_[0], $in, 65536 },
    'closes at once'  => sub { },
    'talks HTTP'      => sub { syswrite $_[0], "HTTP/1.1 400 Bad\r\n\r\n"; sleep 1 },
    'is full of zeros' => sub { syswrite $_[0], "\0" x 100_000; sleep 1 },
    'answers unasked' => sub { syswrite $_[0], "+OK\r\n" x 1000; sleep 1 },
    'has a huge array' => sub { syswrite $_[0], "*2147483647\r\n"; sleep 1 },
    'has huger ones'  => sub { syswrite $_[0], "*99999999999999999999\r\n"; sleep 1 },
    'has a huge string' => sub { syswrite $_[0], "\$9999999999\r\nx"; sleep 1 },
    'has a huge string that comes' => sub {
        alarm 20;
        syswrite $_[0], "\$40000000\r\n";
        1 while syswrite $_[0], 'x' x 100_000;
    },
    'has a negative length' => sub { syswrite $_[0], "\$-7\r\n*-9\r\n"; sleep 1 },
    'nests too deeply' => sub { syswrite $_[0], "*1\r\n" x 5000; sleep 1 },
    'answers half'    => sub { sysread $_[0], my $in, 100; syswrite $_[0], '+PO'; },
    'has a RESP3 number' => sub { syswrite $_[0], ",1.5\r\n" x 9; sleep 1 },
    'has RESP3 truth' => sub { syswrite $_[0], "#t\r\n" x 9; sleep 1 },
    'speaks RESP3'    => sub { syswrite $_[0], "%1\r\n+a\r\n,1.5\r\n#t\r\n_\r\n>1\r\n+x\r\n"; sleep 1 },
);

for my $name (sort keys %fakes) {
    my $fake = fake($port, $fakes{$name});

    start("redis://127.0.0.1:$port/0");
    $res = http_req('GET', '/v1/rooms/archived', $ada);

    if ($name =~ /unasked/) {
        # the first of them pass for answers
        like($res->[0], qr/^50[03]$/, "a store that $name");

    } else {
        is_503($res, "a store that $name");
    }

    like(nginx_log(), qr/value in its reply is larger than 16 MiB/,
         'which the log has') if $name =~ /that comes/;

    $many = http_many([map { ['GET', '/v1/rooms/archived', $ada] } 1 .. 10]);
    is(scalar(grep { $_->[0] =~ /^50[03]$/ } @$many), 10, 'more of them');
    stop_fake($fake);

    my $good = fake($port, \&relay);

    up('and then it is a Redis');
    quiet() if $name !~ /huge/;
    stop_fake($good);
}


# A Redis that answers anything to anything: nothing is true, nobody crashes.

my @replies = ("+OK\r\n", ":1\r\n", ":-1\r\n", "\$-1\r\n", "*0\r\n", "*-1\r\n",
    "\$0\r\n\r\n", "\$1\r\nx\r\n", "*1\r\n:1\r\n", "*2\r\n\$1\r\na\r\n\$1\r\nb\r\n",
    "*2\r\n:1\r\n:7\r\n", "*3\r\n*2\r\n\$1\r\na\r\n\$1\r\n1\r\n\$-1\r\n:5\r\n",
    "-ERR what\r\n", "-WRONGTYPE no\r\n", "\$2\r\n{}\r\n", "\$4\r\nopen\r\n",
    "*20\r\n" . "\$-1\r\n" x 20, "*20\r\n" . "\$3\r\n100\r\n" x 20,
    "*2\r\n" . ("*2\r\n\$6\r\nroom-0\r\n\$1\r\n1\r\n" x 2),
    "\$5\r\n{\"a\":\r\n", "*1\r\n*1\r\n*1\r\n\$1\r\nx\r\n");

# Answers each command with what $answer->(its words) says.
sub answer_all {
    my ($client, $answer) = @_;
    my $in = '';

    while (sysread $client, $in, 65536, length $in) {
        my $out = '';

        while ($in =~ /\A\*(\d+)\r\n/) {
            my ($argc, $at, @args) = ($1, $+[0]);

            for (1 .. $argc) {
                pos($in) = $at;
                $in =~ /\G\$(\d+)\r\n/g or last;
                $at = pos($in);
                last if length $in < $at + $1 + 2;
                push @args, substr $in, $at, $1;
                $at += $1 + 2;
            }

            last if @args < $argc;

            substr $in, 0, $at, '';
            $out .= $answer->(@args);
        }

        syswrite $client, $out;
        return if rand() < 0.02;
    }
}

sub nonsense {
    my ($client, $n) = @_;

    srand $n + ($ENV{TEST_ROOMS_SEED} // 1);

    answer_all($client, sub {
        $_[0] eq 'PING' ? "+PONG\r\n" : $replies[rand @replies]
    });
}

my $fake = fake($port, \&nonsense);
my $id = 'room-01m86bpwq61wgrbwfh9nazvp00';
my @rows = (
    ['GET', '/v1/rooms/archived'], ['GET', '/v1/directory/rooms?q=a'],
    ['GET', "/v1/rooms/$id"], ['GET', "/v1/rooms/%23a:b"],
    ['GET', "/v1/rooms/$id/members"], ['GET', "/v1/rooms/$id/messages"],
    ['GET', '/v1/workspaces'], ['GET', '/v1/workspaces/ws-1/members'],
    ['POST', '/v1/auth/register'],
    ['POST', '/v1/rooms', { room_type => 'group', name => 'x' }],
    ['POST', '/v1/rooms', { room_type => 'group', name => 'x' }, 1],
    ['POST', '/v1/rooms/dm', { participant_id => 'bob' }],
    (map { ['POST', "/v1/rooms/$id/$_"] } qw(join leave close archive rejoin)),
    (map { ['POST', "/v1/rooms/$id/$_", { participant_id => 'bob' }] }
     qw(invite kick ban unban)),
    ['POST', "/v1/rooms/$id/invite", { participant_ids => ['a', 'b', 'c'] }],
    ['PUT', "/v1/rooms/$id/members/bob/power-level", { power_level => 5 }],
    ['PUT', "/v1/rooms/$id/name", { name => 'y' }],
    ['PUT', "/v1/rooms/$id/topic", { topic => 'y' }],
    ['PUT', "/v1/rooms/$id/workspace", { workspace_id => 'ws-1' }],
    ['PUT', "/v1/rooms/$id/notification-mode", { mode => 'all' }],
    ['PUT', "/v1/rooms/$id/mute", { muted => JSON::PP::true() }],
    ['PUT', "/v1/rooms/$id/read", { event_id => 'evt-0000000000001aaaaaaaaaaaaaaaa' }],
    ['POST', "/v1/rooms/$id/send", { content => { body => 'x' }, event_uuid => 'u' }],
    ['POST', '/v1/workspaces', { name => 'w' }],
    ['POST', '/v1/workspaces/ws-1/members', { participant_id => 'b', role => 'editor' }],
);

start("redis://127.0.0.1:$port/0");

my $pid = nginx_pid();
my $answered = 0;
my $rounds = $ENV{TEST_ROOMS_LONG} ? 40 : 6;

for my $round (1 .. $rounds) {
    $many = http_many([map {
        my ($method, $path, $body, $key) = @$_;

        [$method, $path, "mock:u$round\@acme", $body,
         $key ? ('Idempotency-Key' => "k$round") : ()]
    } @rows], 8);
    $answered += grep { $_->[0] } @$many;
}

is($answered, $rounds * @rows, 'nonsense is answered somehow');
ok(kill(0, $pid), 'nginx is there');
stop_fake($fake);
$fake = fake($port, \&relay);
up('and works with a Redis');
quiet();
stop_fake($fake);


# A cluster whose ranges of slots are none, and which sends us to nowhere

for my $range ([1 << 40, 0], [-1 << 40, 0], [0, 1 << 40], [16384, 16383]) {
    my $slots = "*1\r\n*3\r\n:$range->[0]\r\n:$range->[1]\r\n"
                . "*2\r\n\$9\r\n127.0.0.1\r\n:$port\r\n";
    my @nowhere = map { "-MOVED $_\r\n" } '5 6379', '5 :', '16384 [::1]:1',
                                          '5', '5 ', '-1 127.0.0.1:1';

    $fake = fake($port, sub {
        answer_all($_[0], sub {
            return "+PONG\r\n" if $_[0] eq 'PING';
            return $slots if $_[0] eq 'CLUSTER';
            return $nowhere[rand @nowhere];
        })
    });

    start("redis-cluster://127.0.0.1:$port");
    $many = http_many([map { ['GET', '/v1/rooms/archived', $ada] } 1 .. 20]);
    is(scalar(grep { $_->[0] =~ /^50[03]$/ } @$many), 20, "slots @$range");
    quiet();
    stop_fake($fake);
}


# A cluster of one node, which sends each command back to itself

my $sent = File::Temp->new;
my $all = "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n\$9\r\n127.0.0.1\r\n:$port\r\n";

$fake = fake($port, sub {
    answer_all($_[0], sub {
        return "+PONG\r\n" if $_[0] eq 'PING';
        return $all if $_[0] eq 'CLUSTER';
        syswrite $sent, '.';
        return "-MOVED 5 127.0.0.1:$port\r\n";
    })
});

start("redis-cluster://127.0.0.1:$port");
is(http_many([['GET', '/v1/rooms/archived', $ada]])->[0][0], 503,
   'who is sent round in circles gets 503');
cmp_ok(-s $sent->filename, '<', 400, 'after a few redirections');
quiet();
stop_fake($fake);


# A subscription that answers with an array that has no end

$fake = fake($port, sub {
    my ($client) = @_;
    my $store = IO::Socket::INET->new($address) or return;
    my $both = IO::Select->new($client, $store);

    while (my @ready = $both->can_read(30)) {
        for my $from (@ready) {
            sysread($from, my $bytes, 65536) or return;

            if ($bytes =~ /SUBSCRIBE/) {
                syswrite $client, "*100000000\r\n";
                next;
            }

            syswrite $from == $client ? $store : $client, $bytes;
        }
    }
});

start("redis://127.0.0.1:$port/0");

my $stream = IO::Socket::INET->new('127.0.0.1:'
                                   . RoomsTest::HTTP::server_port_is());

syswrite $stream, "GET /v1/sync?since=now HTTP/1.1\r\nHost: x\r\n"
                  . "Authorization: Bearer $ada\r\n\r\n";
ok(wait_for(10, sub { nginx_log() =~ /subscription to .* went wrong/ }),
   'an endless push ends the subscription');
stop_fake($fake);

done_testing();
