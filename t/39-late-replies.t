# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Replies that come when nobody waits for them: the requests were answered
# with 503, their connections are closed and their memory is others' by then.

use strict;
use warnings;

use lib 't/lib';
use RoomsTest;
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

done_testing();
