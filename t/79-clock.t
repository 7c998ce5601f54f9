# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A clock that is set back by an hour: what lasts a while doesn't last an hour
# longer, and positions don't run back.

use strict;
use warnings;

use File::Temp ();
use MIME::Base64 qw(encode_base64url);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Clock qw(clock_library set_clock);
use RoomsTest::Process qw(write_file);
use RoomsTest::Token qw(hs256);

# its library has to be the first
plan(skip_all => 'beside a sanitizer') if $ENV{TEST_ROOMS_REPORTS};

my $dir = File::Temp::tempdir('rooms-clock-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);
my $library = clock_library($dir) or plan(skip_all => 'no C compiler');
my $json = JSON::PP->new->utf8->canonical;
my %secrets = map { $_ => "the secret $_, which is long enough for it" } qw(a b);

sub keys_are {
    write_file("$dir/new", $json->encode({ keys => [
        map { { kty => 'oct', kid => $_, k => encode_base64url($secrets{$_}) } }
            @_] }));
    rename "$dir/new", "$dir/jwks.json" or die;
}

sub clock { set_clock("$dir/clock", @_) }

sub run {
    local $ENV{LD_PRELOAD} = join ':', $ENV{LD_PRELOAD} || (), $library;
    local $ENV{ROOMS_CLOCK} = "$dir/clock";

    run_nginx($_[0], main => 'env ROOMS_CLOCK;');
}

clock(0);
run(<<"END");
    rooms on;
    rooms_auth mock;
    rooms_server_name rooms.test;
    rooms_redis redis://\$TEST_NGINX_REDIS/0;
END

known(qw(ann bob));

my $room = make(group => 'ann');
my @sent;

sub say_one {
    return must('POST', "/v1/rooms/$room/send", 'ann', { content => {} })
           ->{stream_position};
}

push @sent, say_one();


# Whom a worker has seen

expect('200', 'GET', '/v1/directory/rooms', 'bob');

# as another node does it
my $row = $json->decode(redis('HGET', key('participants'), 'bob'));

redis('HSET', key('participants'), 'bob',
      $json->encode({ %$row, deactivated => JSON::PP::true }));
redis('HSET', key('deactivated'), 'bob', 1000 * time);

expect('200', 'GET', '/v1/directory/rooms', 'bob');
clock(-3600, 40);
expect('403 SW_PARTICIPANT_DEACTIVATED', 'GET', '/v1/directory/rooms', 'bob');


# Positions, of a room that seems to be of the future, too

push @sent, say_one();
$room = make(group => 'ann');
push @sent, say_one();
clock(3600, 80);
push @sent, say_one();
$room = make(group => 'ann');
push @sent, say_one();
clock(-3600, 120);
push @sent, say_one(), say_one();
cmp_ok($sent[$_], '<', $sent[$_ + 1], "position $_ is below the next one")
    for 0 .. $#sent - 1;
is(redis('ZCARD', key("r:$room:events")), 4, 'all are there');

# so many rooms that a page asks only those that it reaches

for my $n (1 .. 36) {
    clock(3600 * ($n % 3 - 1), 120);
    $room = make(group => 'ann');
    clock(3600 * (($n + 1) % 3 - 1), 120);
    say_one();
}

my ($since, @seen) = (0);

while (1) {
    my $page = must('GET', "/v1/sync?since=$since&limit=7&timeout=0", 'ann');

    push @seen, map { $_->{stream_position} } @{$page->{events}};
    last if $page->{next_cursor} == $since;
    $since = $page->{next_cursor};
}

my $all = 0;

$all += redis('ZCARD', key("r:$_:events"))
    for @{redis('ZRANGE', key('p:ann:rooms'), 0, -1)};

is(scalar @seen, $all, 'a follower sees each event once');
is_deeply(\@seen, [sort { $a <=> $b } @seen], 'in the order of positions');


# Keys of tokens, which are fetched again for one that isn't known

clock(0);
keys_are('a');
run(<<"END");
    rooms on;
    rooms_redis redis://\$TEST_NGINX_REDIS/0;
    rooms_auth_jwks_request /_keys;

    location = /_keys {
        internal;
        default_type application/json;
        alias $dir/jwks.json;
    }
END

my %token = map { $_ => hs256($secrets{$_}, header => { kid => $_ }) }
            qw(a b);

sub status { http_req('GET', '/v1/me', $token{$_[0]})->[0] }

is(status('a'), 200, 'a key');
keys_are('b');
clock(-3600, 20);
is(status('b'), 200, 'another one, when the clock was set back');
is(status('a'), 401, 'which has replaced it');


# A token that the worker has verified before; its leeway is a minute

clock(3500, 40);
is(status('b'), 200, 'a token that hasn\'t expired');
clock(3600, 60);
is(status('b'), 200, 'within the leeway');
clock(7200, 80);
is(status('b'), 401, 'expired');

done_testing();
