# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# rooms_health: live asks nobody, ready asks the store.  A store that hangs is
# in 36-health-faults.t.

use strict;
use warnings;

use Test::More ();

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket 'no_plan';

default_config(<<'END');
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

no_shuffle();
run_tests();

__DATA__

=== TEST 1: live
--- request
GET /livez
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body
{"live": true}



=== TEST 2: ready: the store answers
--- request
GET /readyz
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body
{"ready": true, "store": "up"}



=== TEST 3: not ready: the store isn't there
--- request
GET /elsewhere
--- error_code: 503
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body
{"ready": false, "store": "down"}



=== TEST 4: HEAD has no body
--- request
HEAD /readyz
--- response_body



=== TEST 5: no other method
--- request
POST /readyz
{}
--- error_code: 405
--- no_error_log
[alert]
[crit]
[emerg]
