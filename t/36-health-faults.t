# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# rooms_health while the store hangs.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(wait_for);

run_nginx(<<'END');
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_redis_timeout 500ms;
        location = /livez { rooms_health live; }
        location = /readyz { rooms_health ready; }
END

is(http_req('GET', '/readyz')->[0], 200, 'ready');
redis_pause();

my $res = http_req('GET', '/livez');

is("$res->[0] $res->[2]", "200 {\"live\": true}\n",
   'live while the store hangs');
is($res->[1]{'content-type'}, 'application/json', 'JSON');
is($res->[1]{'cache-control'}, 'no-store', 'of this moment');

$res = http_req('GET', '/readyz');
is($res->[0], 503, 'but not ready');
like($res->[2], qr/^\{"ready": false, "store": "(?:silent|down)"\}$/,
     'and it says why');
redis_resume();
ok(wait_for(10, sub { http_req('GET', '/readyz')->[0] == 200 }),
   'ready again');
unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'a quiet log');

stop_nginx();

done_testing();
