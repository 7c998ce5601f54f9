# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Replies that come when nobody waits for them: the requests were answered
# with 503, their connections are closed and their memory is others' by then.

use strict;
use warnings;

use lib 't/lib';
use IO::Socket::INET ();
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Process qw(free_port);
use RoomsTest::Relay;
use Test::More;

my $ada = 'mock:ada@acme';

run_nginx(<<"CONF", workers => 1, master => 1, log_level => 'notice');
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$ENV{TEST_NGINX_REDIS}/0;
    rooms_redis_timeout 300ms;
CONF

# the first connection may take its time, under valgrind
ok(RoomsTest::Process::wait_for(5, sub {
       http_req('POST', '/v1/auth/register', $ada)->[0] == 200 }),
   'registered');

my $room = json_get(http_req('POST', '/v1/rooms', $ada,
                             { room_type => 'group', name => 'late' })->[2],
                    'data.id');

for my $round (1 .. 6) {
    redis_pause();

    my $told = http_many([map { ['GET', "/v1/rooms/$room", $ada] } 1 .. 150]);
    is(scalar(grep { $_->[0] == 503 } @$told), 150, "all told, $round");

    # other requests take the memory that the first ones had
    http_many([map { ['GET', '/no/such/' . 'x' x (40 * $_), $ada] } 1 .. 100]);
    redis_resume();

    my $status = 0;

    for (1 .. 100) {
        $status = http_req('GET', "/v1/rooms/$room", $ada)->[0];
        last if $status == 200;
        select(undef, undef, undef, 0.03);
    }

    is($status, 200, "and served again, $round");
}

unlike(nginx_log(), qr/exited on signal|\[alert\]/, 'by the same worker');
is(stop_nginx(), 0, 'a clean end');


# A commit that is lost on its way and comes after all, when its request was
# answered: the request has made it anew, so it does nothing, however many
# others were made since.

my $port = relay();
my $direct = free_port();
my $common = <<'END';
    rooms on;
    rooms_auth mock;
    rooms_server_name rooms.test;
    keepalive_requests 100000;
END

run_nginx(<<"END", http => <<"HTTP");
    $common
    rooms_redis redis://127.0.0.1:$port/0;
END
    server {
        listen 127.0.0.1:$direct;
        $common
        rooms_redis redis://$ENV{TEST_NGINX_REDIS}/0;
    }
HTTP

known('ann');

my ($late, $busy) = map { make(group => 'ann') } 1, 2;

# One event is the creation.
sub sent { return redis('ZCARD', key("r:$late:events")) - 1 }

rule(qr/^EVAL.*:r:$late:own /s, 'keep', 1);
expect('201', 'POST', "/v1/rooms/$late/send", 'ann', { content => {} });
is(sent(), 1, 'a lost commit is made anew');
like(deliver(), qr/\A\*2\r\n:-1\r\n/, 'and barred');

# so many that the worker removes what it has recorded of the first ones
RoomsTest::HTTP::server_port_is($direct);

my $answers = '';
my $sock = IO::Socket::INET->new("127.0.0.1:$direct");
my $one = RoomsTest::HTTP::http_raw('POST', "/v1/rooms/$busy/send",
                                    token('ann'), { content => {} },
                                    Connection => 'keep-alive');

for my $hundred (1 .. 85) {
    print $sock $one x 100;

    for (my $n = 0; $n < 100; ) {
        sysread $sock, $answers, 65536, length $answers or last;
        $n = () = $answers =~ m{^HTTP/1\.1 201 }mg;
    }

    $answers = '';
}

cmp_ok(redis('ZCARD', key("r:$busy:events")), '>', 8300, 'many others');
like(deliver(), qr/\A\*2\r\n:-1\r\n/, 'it is barred for as long as it may come');
is(sent(), 1, 'nothing is made twice');

cmp_ok(scalar @{redis('KEYS', key('commit:*'))}, '<', 530,
       'other records are removed');

done_testing();
