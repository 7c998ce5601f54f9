# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# rooms_health: live asks nobody, ready asks the store.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(wait_for);

my $server = <<'END';
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_redis_timeout 500ms;
        location = /livez { rooms_health live; }
        location = /readyz { rooms_health ready; }
        location = /elsewhere {
            rooms_redis redis://127.0.0.1:1/0;
            rooms_health ready;
        }
END

run_nginx($server);

sub is_ready {
    my ($uri, $status, $body, $name) = @_;
    my $res = http_req('GET', $uri);

    is("$res->[0] $res->[2]", "$status $body\n", $name);
    is($res->[1]{'content-type'}, 'application/json', 'JSON');
    is($res->[1]{'cache-control'}, 'no-store', 'of this moment');
}

is_ready('/livez', 200, '{"live": true}', 'live');
is_ready('/readyz', 200, '{"ready": true, "store": "up"}', 'ready');
is_ready('/elsewhere', 503, '{"ready": false, "store": "down"}',
         'another store, which is not there');

my $res = http_req('HEAD', '/readyz');
is("$res->[0] $res->[2]", '200 ', 'HEAD');
is(http_req('POST', '/readyz', undef, '{}')->[0], 405, 'no other method');

redis_pause();
is_ready('/livez', 200, '{"live": true}', 'live while the store hangs');
$res = http_req('GET', '/readyz');
is($res->[0], 503, 'but not ready');
like($res->[2], qr/^\{"ready": false, "store": "(?:silent|down)"\}$/,
     'and it says why');
redis_resume();
ok(wait_for(10, sub { http_req('GET', '/readyz')->[0] == 200 }),
   'ready again');

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'a quiet log');

done_testing();
