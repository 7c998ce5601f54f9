# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Errors of the store, one after another: which pass, which are 503, and which
# are a fault of ours; replies that are lost; a store that hangs; and how long
# a long answer may take.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Export;
use RoomsTest::Process qw(wait_for);
use RoomsTest::Relay;

my $port = relay();
my $dir = File::Temp::tempdir('rooms-faults-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);

sub server {
    my ($timeout, $at) = @_;

    $at //= "127.0.0.1:$port";

    run_nginx(<<"END");
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://$at/0;
        rooms_redis_timeout $timeout;
        rooms_media_path $dir;
END
}

sub outcome {
    my ($res) = @_;

    return join ' ', map { "$_->{field}=$_->{problem}" }
           @{($res->{json}{error} || {})->{details} || []};
}

mkdir $dir;
server('1s');
known(qw(ann bob));

my $room = make(public => 'ann');


# Each error that Redis has

my @faults = (
    [passes => 'LOADING Redis is loading the dataset in memory'],
    [passes => 'BUSY Redis is busy running a script. You can only call ...'],
    [passes => "READONLY You can't write against a read only replica."],
    [passes => "MASTERDOWN Link with MASTER is down and ..."],
    [passes => 'CLUSTERDOWN Hash slot not served'],
    [passes => 'TRYAGAIN Multiple keys request during rehashing of slot'],
    [passes => 'ERR Error running script (call to f_0): @user_script:1: '
               . "\@user_script: 1: -READONLY You can't write against ..."],
    [away => "OOM command not allowed when used memory > 'maxmemory'."],
    [away => 'MISCONF Redis is configured to save RDB snapshots, but ...'],
    [away => 'NOREPLICAS Not enough good replicas to write.'],
    [away => 'NOAUTH Authentication required.'],
    [away => 'NOPERM this user has no permissions to run the command'],
    [away => 'WRONGPASS invalid username-password pair or user is disabled.'],
    [away => "ERR The user executing the script can't run this command"],
    [away => 'ERR Script killed by user with SCRIPT KILL...'],
    [away => 'ERR Error running script (call to f_0): @user_script:1: '
             . '@user_script: 1: -OOM command not allowed when used ...'],
    [ours => 'WRONGTYPE Operation against a key holding the wrong kind'],
    [ours => "CROSSSLOT Keys in request don't hash to the same slot"],
    [ours => 'ERR Error running script (call to f_0): @user_script:1: '
             . '@user_script: 1: Script attempted to access ...'],
    [ours => 'ERR unknown command'],
    [ours => 'BUSYGROUP of another kind'],
    [ours => 'NONSENSE that nobody knows'],
);
my @asked = (
    ['a read', qr/^HM?GET(?:ALL)? sw:\{acme\}:r:$room(?: |\z)/,
     ['GET', "/v1/rooms/$room", 'ann'], 200],
    ['a later command', qr/^HGET sw:\{acme\}:r:$room:members /,
     ['GET', "/v1/rooms/$room", 'ann'], 200],
    ['a long read', qr/^Z\w+ sw:\{acme\}:r:$room:events /,
     ['GET', "/v1/rooms/$room/messages", 'ann'], 200],
    ['a change', qr/^EVAL/,
     ['POST', "/v1/rooms/$room/send", 'ann', { content => { n => 1 } }], 201],
);

my $waits = 1;

for my $fault (@faults) {
    my ($kind, $text) = @$fault;

    if ($waits && $kind ne 'passes') {
        # what doesn't pass is told at once, however busy the host is
        $waits = 0;
        unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm so far');
        server('10s');
    }

    my ($word) = $text =~ /-(?=[A-Z])(.*)/ ? "in a script: $1" : $text;

    for my $ask (@asked) {
        my ($what, $pattern, $call, $good) = @$ask;
        my $name = substr "$what: $word", 0, 60;

        # for a moment
        rule($pattern, "error $text", 1);

        my $res = call(@$call);
        my $want = $kind eq 'passes' ? $good : $kind eq 'away' ? 503 : 500;

        is($res->{status}, $want, "$name, once");
        is(met(), 1, 'it was met') if $kind ne 'passes';

        # for good
        rule($pattern, "error $text");
        $res = call(@$call);
        $want = $kind eq 'ours' ? 500 : 503;
        is($res->{status}, $want, "$name, for good");
        cmp_ok(met(), '>', 1, 'asked more than once') if $kind eq 'passes';

        if ($want == 503) {
            is($res->{code}, 'SW_STORE_UNAVAILABLE', 'its code');
            like($res->{headers}{'retry-after'} // '', qr/^\d+$/,
                 'Retry-After');

            # the last try may still be on its way
            like(outcome($res), $call->[0] eq 'GET' ? qr/^$/
                     : $kind eq 'passes' ? qr/^outcome=(?:not_applied|unknown)$/
                     : qr/^outcome=not_applied$/, 'its outcome');
        }

        norule();
        is(call(@$call)->{status}, $good, 'and then it works again');
    }

    like(nginx_log(), qr/rooms: redis answered: \Q$text\E/, 'it is logged');
}

# a script that the store doesn't know even with its text
rule(qr/^EVAL/, 'error NOSCRIPT No matching script.');
is(call('POST', "/v1/rooms/$room/send", 'ann', { content => {} })->{status},
   500, 'a script that is never known');
is(met(), 2, 'its text is sent once');
norule();
is(call('POST', "/v1/rooms/$room/send", 'ann', { content => {} })->{status},
   201, 'and then it works again');

# a change that met an error is there as often as it was answered with 201
unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');


# A read whose reply is lost is asked again

my $bob_dm = make(dm => 'ann', with => 'bob');
my $medium = medium($dir, 'a.txt', 'text');

# an export reads a room with an edited message by a script
my $edited = make(group => 'ann', name => 'Edited');
my $first = must('POST', "/v1/rooms/$edited/send", 'ann', { content => {} });

must('POST', "/v1/rooms/$edited/events/$first->{id}/edit", 'ann',
     { content => { body => 'x' } });

my @reads = (
    ['/v1/rooms/archived', qr/^Z\w+ .*:p:ann:rooms/],
    ["/v1/rooms/$room", qr/:r:$room(?: |\z)/],
    ["/v1/rooms/$bob_dm", qr/:participants/],
    ["/v1/rooms/$room/members", qr/^Z\w+ .*:r:$room:list/],
    ["/v1/rooms/$room/messages", qr/^Z\w+ .*:r:$room:events/],
    ['/v1/directory/rooms', qr/:public/],
    ['/v1/workspaces', qr/:p:ann:workspaces/],
    ['/v1/sync?since=0&timeout=0', qr/:p:ann:(?:rooms|news)/],
    ["/v1/media/$medium/info", qr/:media/],
    ["/v1/media/download/$medium", qr/:media/],
    ["/v1/rooms/$room/export", qr/:events/],
    ["/v1/rooms/$edited/export", qr/^EVAL/],
);

for my $read (@reads) {
    my ($path, $pattern) = @$read;

    for my $lost ('lose-reply', 'lose-request') {
        rule($pattern, $lost, 1);

        my $res = call('GET', $path, 'ann');

        is($res->{status}, 200, "$lost of $path");
        is(met(), 1, 'it was lost');
        like($res->{body}, qr/PK\x05\x06.{18}\z/s, 'the archive is whole')
            if $path =~ /export/;
        norule();
    }
}

rule($reads[1][1], 'lose-reply');
is(call('GET', $reads[1][0], 'ann')->{status}, 503, 'lost for good');
cmp_ok(met(), '>', 1, 'it was asked more than once');
norule();
ok(wait_for(10, sub { call('GET', $reads[1][0], 'ann')->{status} == 200 }),
   'and then it works again');

# what a change reads is a read; the change is resolved, as ever
for my $lost ('lose-reply', 'lose-request') {
    rule(qr/:r:$room(?: |\z)/, $lost, 1);
    is(call('PUT', "/v1/rooms/$room/topic", 'ann', { topic => $lost })
       ->{status}, 200, "$lost of what a change reads");
    rule(qr/^EVAL.*topic/s, $lost, 1);
    is(call('PUT', "/v1/rooms/$room/topic", 'ann', { topic => "$lost 2" })
       ->{status}, 200, "$lost of the change");
    norule();
}

# and so is the question what became of it
rule(qr/^(?:EVAL.*topic|EVAL -- resolve)/s, 'lose-reply', 2);
is(call('PUT', "/v1/rooms/$room/topic", 'ann', { topic => 'twice' })
   ->{status}, 200, 'both are lost');
is(met(), 2, 'both');
is(call('GET', "/v1/rooms/$room", 'ann')->{data}{topic}, 'twice', 'it is made');


# Long answers: the next one's time begins when this one has come

my $long = make(group => 'ann', name => 'Long');

fill($long, 'ann', 20, 20_000);
server('1s');
known('ann');
rule(qr/^EVAL.*:r:$long:events/s, 'drip 30000 60');

my @exports = many(8, map { ['GET', "/v1/rooms/$long/export", 'ann'] } 1 .. 8);

cmp_ok(met(), '>=', 8 * 3, 'pages came slowly');
is(scalar(grep { $_->{status} == 200
                 && $_->{body} =~ /PK\x05\x06.{18}\z/s } @exports), 8,
   'exports that wait for each other are whole');

# but one who says nothing at all
rule(qr/^EVAL.*:r:$long:events/s, 'hang');
@exports = many(2, map { ['GET', "/v1/rooms/$long/export", 'ann'] } 1 .. 2);
is(scalar(grep { $_->{body} =~ /PK\x05\x06.{18}\z/s } @exports), 0,
   'a silent lane ends them');
like(nginx_log(), qr/redis "[^"]+" is silent/, 'it is dropped');
norule();
ok(wait_for(10, sub { call('GET', "/v1/rooms/$long/export", 'ann')->{status}
                      == 200 }), 'and then it works again');
stop_relay();


# One that hangs fails fast, once somebody has waited for it

server('4s', $ENV{TEST_NGINX_REDIS});
known('ann');

for my $path ("/v1/rooms/$room", "/v1/rooms/$room/messages") {
    is(call('GET', $path, 'ann')->{status}, 200, "$path works");
}

redis_pause();

my $from = time();
my $res = call('GET', "/v1/rooms/$room", 'ann');

is($res->{status}, 503, 'a store that hangs');
cmp_ok(time() - $from, '>', 3, 'the first one waits');

my $longest = 0;

for my $call (map({ (['GET', "/v1/rooms/$room", 'ann'],
                     ['GET', "/v1/rooms/$room/messages", 'ann'],
                     ['POST', "/v1/rooms/$room/send", 'ann',
                      { content => { n => 2 } }]) } 1 .. 5))
{
    $from = time();
    $res = call(@$call);
    $longest = time() - $from if time() - $from > $longest;
    is($res->{status}, 503, 'the others are told');
    is(outcome($res), $call->[0] eq 'GET' ? '' : 'outcome=not_applied',
       'what became of it');
}

cmp_ok($longest, '<', 3, 'at once, each of them');
redis_resume();
ok(wait_for(10, sub { call('GET', "/v1/rooms/$room", 'ann')->{status} == 200 }),
   'and then it works again');
is(call('GET', "/v1/rooms/$room/messages", 'ann')->{status}, 200, 'all of it');

# a new worker that has never reached it
redis_pause();
server('2s', $ENV{TEST_NGINX_REDIS});
is(call('GET', "/v1/rooms/$room", 'ann')->{status}, 503, 'it never answered');
$from = time();
call('GET', "/v1/rooms/$room", 'ann') for 1 .. 10;
cmp_ok(time() - $from, '<', 10, 'the others are told soon');
redis_resume();
ok(wait_for(10, sub { call('GET', "/v1/rooms/$room", 'ann')->{status} == 200 }),
   'and then it works');

done_testing();
