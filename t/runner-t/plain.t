# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# The helpers for suites that are not made of blocks.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;

# redis
is(redis('PING'), 'PONG', 'status reply');
is(redis('SET', 'key', "a\r\nb"), 'OK', 'set');
is(redis('GET', 'key'), "a\r\nb", 'bulk reply');
is(redis('GET', 'none'), undef, 'nil');
is(redis('INCRBY', 'count', 41), 41, 'integer');
is_deeply(redis('MGET', 'key', 'none', 'count'), ["a\r\nb", undef, '41'],
          'array');
is_deeply(redis('EVAL', 'return {1, {2, "x"}, {}}', 0), [1, [2, 'x'], []],
          'nested arrays');
is_deeply(redis('LRANGE', 'nothing', 0, -1), [], 'empty array');
ok(!eval { redis('INCR', 'key'); 1 }, 'an error is thrown');
like($@, qr/^ERR value is not an integer/, 'with its text');
is(redis('GET', 'count'), 41, 'and the connection is still good');
is(redis('CONFIG', 'GET', 'save')->[1], '', 'nothing is saved to disk');

my $port = redis_port();

is($ENV{TEST_NGINX_REDIS}, "127.0.0.1:$port", 'address');
is($ENV{TEST_NGINX_REDIS_PORT}, $port, 'port');
ok(-S $ENV{TEST_NGINX_REDIS_SOCK}, 'socket');
ok(IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port),
   'it listens on the port');

redis_stop();
ok(!IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port),
   'stopped');
ok(!eval { redis('PING'); 1 }, 'no command works then');
redis_start();
is(redis_port(), $port, 'the same port after a new start');
is(redis('GET', 'key'), undef, 'and empty');

redis_pause();
my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                 PeerPort => $port, Timeout => 1);
ok($sock, 'a paused server is still connected to');
print {$sock} "PING\r\n";
$sock->flush;
ok(!IO::Select->new($sock)->can_read(0.05), 'but does not answer');
redis_resume();
ok(IO::Select->new($sock)->can_read(3), 'until it is resumed');
close $sock;

# nginx
my $server = <<'END';
        location /t {
            default_type application/json;
            add_header X-Two 1;
            add_header X-Two 2;
            return 200 '{"m":"$request_method","a":"$http_authorization","l":"$http_content_length","t":"$http_content_type","u":"$request_uri"}';
        }
        location = /slow { limit_rate 1; return 200 "slow slow slow"; }
        location = /empty { return 204; }
        location = /missing { root html; }
        location = /env { return 200 "$TEST_NGINX_REDIS_PORT"; }
        location = /chunked { ssi on; ssi_types *; error_page 404 =200 /x; return 200 "<!--# echo var='uri' -->"; }
END

my $http_port = run_nginx($server, workers => 2, http => 'map $uri $x { default 1; }');

ok(nginx_pid(), 'nginx runs');
is(server_port_is(), $http_port, 'port');

my $res = http_req('GET', '/t?x=1', 'tok');

is($res->[0], 200, 'status');
is($res->[1]{'content-type'}, 'application/json', 'headers');
is($res->[1]{'x-two'}, '1, 2', 'repeated headers');
json_like($res->[2], <<'END', 'json_like');
m = GET
a = "Bearer tok"
l = ""
u = /t?x=1
END

$res = http_req('POST', '/t', undef, { b => 1 }, 'X-Y' => 2);
json_like($res->[2], "m = POST\na = \"\"\nl = \"7\"\nt = application/json",
          'a JSON body');
is(json_get($res->[2], 'm'), 'POST', 'json_get');

is(http_req('PUT', '/t', undef, 'xyz', 'content-type' => 'text/plain')
       ->[2] =~ /"l":"3","t":"text\/plain"/, 1, 'a text body');
is_deeply([@{http_req('GET', '/empty')}[0, 2]], [204, ''], 'no content');
is(http_req('HEAD', '/t')->[2], '', 'HEAD');
is(http_req('GET', '/missing')->[0], 404, 'not found');
is(http_req('GET', '/env')->[2], $port, 'environment');
like(http_req('GET', '/chunked')->[2], qr{^/(?:chunked|x)$|echo}, 'chunked');

my $many = http_many([map { ['GET', "/t?$_"] } 1 .. 200]);

is(scalar @$many, 200, 'many at once');
is(scalar(grep { $_->[0] == 200 } @$many), 200, 'all answered');
is_deeply([map { json_get($_->[2], 'u') } @$many],
          [map { "/t?$_" } 1 .. 200], 'in the order of the requests');

$many = http_many([("GET /t HTTP/1.1\r\nHost: a\r\n\r\n") x 10], 3);
is(scalar(grep { $_->[0] == 200 } @$many), 10,
   'raw requests on connections that are kept alive');

$many = http_many(["GET /slow HTTP/1.0\r\n\r\n"], 1, 0.1);
is(scalar @$many, 1, 'a timeout ends the wait');

like(nginx_log(), qr/missing" failed/, 'nginx_log');

ok(nginx_reload('return 200 "new $TEST_NGINX_REDIS_PORT";'), 'reload');
ok(RoomsTest::Process::wait_for(3, sub {
       http_req('GET', '/')->[2] eq "new $port" }), 'new configuration');
my $pid = nginx_pid();
is(stop_nginx(), 0, 'stopped');
ok(!kill(0, $pid), 'and gone');
is(http_req('GET', '/')->[0], 0, 'no answer then');

ok(!eval { run_nginx('no_such_directive;'); 1 }, 'a bad configuration');
like($@, qr/unknown directive "no_such_directive"/, 'is told');

run_nginx('return 200 "again";');
is(http_req('GET', '/')->[2], 'again', 'a new start, one process');

# Failures are noticed.
is_deeply([json_problems('{"a":1}', "a = 1\na : number")], [], 'no problem');
like(join('', json_problems('x', 'a = 1')), qr/^no JSON/, 'no JSON');
like(join('', json_problems('{"a":"1"}', 'a = 1')), qr/got: "1"/,
     'a string is not a number');
like(join('', json_problems('{"a":1}', 'b = 1')), qr/got: nothing/,
     'absent');
like(join('', json_problems('{"a":1}', 'a !')), qr/got: 1/, 'not absent');
like(join('', json_problems('{"a":1}', 'a')), qr/not understood/,
     'a bad line');
like(join('', json_problems('{"a":[1]}', 'a # 2')), qr/got: \[1\]/, 'count');
is_deeply([json_problems('{"a":{"y":[true,null],"x":"\u00e9"}}',
                         "a = {\"x\":\"\xc3\xa9\", \"y\":[true,null]}\n"
                         . "a.x = \xc3\xa9\na.x ~ ^.\$\na.y[0] = true")],
          [], 'deep, and UTF-8');

done_testing();
