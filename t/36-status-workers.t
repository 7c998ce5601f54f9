# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# rooms_status of two workers, of what is going on, of a store that fails, and
# beyond a reload and a worker's end.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(wait_for);

my $ada = 'mock:ada@acme';
my $server = <<'END';
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_redis_timeout 500ms;
        location = /status { rooms_status; }
        location = /v1/rooms/none { rooms on; return 500; }
END

sub text { return http_req('GET', '/status')->[2] }

sub counters {
    return JSON::PP->new->decode(http_req('GET',
                                          '/status?format=json')->[2]);
}

# ok, refused, failed
sub row {
    my ($method, $path) = @_;
    my ($row) = grep { $_->{method} eq $method && $_->{path} eq $path }
                @{counters()->{endpoints}};

    return join ' ', map { $row->{$_} // '-' } qw(ok refused failed);
}

run_nginx($server, workers => 2);

# from both workers
http_many([map { ['GET', '/v1/rooms/archived', $ada] } 1 .. 20]);
is(row('GET', '/v1/rooms/archived'), '20 0 0', 'of both workers');

my $room = json_get(http_req('POST', '/v1/rooms', $ada,
                             { room_type => 'group', name => 'a' })->[2],
                    'data.id');

http_req('GET', "/v1/rooms/$room", $ada) for 1, 2;

# what is going on now, and what a killed worker was doing
sub polls { return counters()->{polls} }

my ($since) = http_req('GET', '/v1/sync?since=now&timeout=0', $ada)->[2]
              =~ /"next_cursor":"(\d+)"/;
my @waiting = map { http_begin('GET', "/v1/sync?since=$since", $ada) } 1 .. 3;

ok(wait_for(10, sub { polls() == 3 }), 'three readers wait');
like(text(), qr/^rooms_streams\{transport="poll"\} 3$/m, 'so it says');
close shift @waiting;
ok(wait_for(10, sub { polls() == 2 }), 'one has left');

# a store that fails
redis_pause();
http_many([map { ['GET', '/v1/rooms/archived', $ada] } 1 .. 3]);
redis_resume();
is(row('GET', '/v1/rooms/archived'), '20 0 3', 'failures');
like(text(), qr/^rooms_store_up 0$/m, 'the store is down');
cmp_ok(counters()->{store}{failed}, '>=', 1, 'of the store');
ok(wait_for(5, sub {
       http_req('GET', "/v1/rooms/$room", $ada)->[0] == 200 }), 'it is back');

# counters outlive workers
my ($ok) = split / /, row('GET', '/v1/rooms/{room}');

nginx_reload();
ok(wait_for(5, sub {
       (() = nginx_log() =~ /exited with code 0/g) >= 2 }), 'a reload');
is((split / /, row('GET', '/v1/rooms/{room}'))[0], $ok, 'keeps the counters');

my ($worker) = split ' ',
    RoomsTest::Process::slurp('/proc/' . nginx_pid() . '/task/' . nginx_pid()
                              . '/children');

kill 'KILL', $worker;
ok(wait_for(5, sub { nginx_log() =~ /exited on signal 9/ }),
   'a killed worker');
ok(wait_for(5, sub {
       http_req('GET', "/v1/rooms/$room", $ada)->[0] == 200 }),
   'doesn\'t stop the others');
is((split / /, row('GET', '/v1/rooms/{room}'))[0], $ok + 1, 'nor the counters');

stop_nginx();

done_testing();
