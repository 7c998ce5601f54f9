# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# The sections that RoomsTest adds to blocks.

use strict;
use warnings;

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket;

repeat_each(2);
no_shuffle();
no_root_location();
log_level('info');

default_config(<<'END');
location = /default { return 200 "$TEST_NGINX_REDIS"; }
END

save(fixed => 'a.b', colour => 'blue');

plan tests => repeat_each() * 30 + 5;

run_tests();

is(saved('room'), 'room-7', 'saved');
is(saved('n'), 12, 'saved from a JSON path');
is(redis('GET', 'k'), 'v', 'redis, while the blocks ran');
is(redis('DEL', 'k'), 1, 'redis integer');
is($ENV{TEST_NGINX_SERVER_PORT}, server_port(), 'a port of its own');

__DATA__

=== TEST 1: capture
--- config
default_type application/json;
location = /t { return 201 '{"id":"room-7","n":12,"list":[1,{"a.b":null}]}'; }
--- request
GET /t
--- error_code: 201
--- capture
room: "id":"([^"]+)"
n: json n
--- json
id = "room-7"
id = room-7
id != "room-8"
id ~ ^room-\d+$
id !~ x
n = 12
n >= 12
n > 11
n < 13
n : number
# a comment
list : array
list # 2
list[-1]["a.b"] null
list[1] # 1
list[2] !
list[0] ?
x !
x.y !
$ # 3
$.n = 12
$ : object



=== TEST 2: captured values in all sections
--- config
location = /{{room}} { add_header X-R "$http_x_r"; return 200 "$uri $http_x_r {{n}}"; }
--- request
GET /{{room}}
--- more_headers
X-R: r={{room}}
--- response_headers
X-R: r={{room}}
--- response_body: /{{room}} r={{room}} {{n}}



=== TEST 3: captured values in regexes match literally
--- config
location = /t { return 200 "a.b axb room-7"; }
--- request
GET /t
--- response_body_like: ^{{fixed}} (?!{{fixed}})axb {{room}}$
--- raw_response_headers_unlike: {{fixed}}



=== TEST 4: in regex objects
--- config
location = /t { return 200 "A.B"; }
--- request
GET /t
--- response_body eval
qr/^\{\{fixed}}$/i



=== TEST 5: several requests, what the first saves is expected of the second
--- config
location = /a { return 200 '{"v":"$request_id"}'; }
location = /b { return 200 '{"v":"$arg_v"}'; }
--- request eval
["GET /a", "GET /b?v={{colour}}"]
--- error_code eval
[200, 200]
--- capture eval
['id: json v', 'colour2: "v":"(\w+)"']
--- response_body_like eval
['"v":"\w{32}"', '{{colour}}']
--- json eval
["v = {{id}}\nv ~ ^[0-9a-f]{32}\$", "v = \"{{colour2}}\"\nv = {{colour}}\n"]



=== TEST 6: the default configuration
--- request
GET /default
--- response_body: $TEST_NGINX_REDIS
--- init
main::redis('SET', 'k', 'v');



=== TEST 7: arrays of headers
--- config
location / { return 200 "$http_x_a"; }
--- request eval
["GET /1", "GET /{{room}}"]
--- more_headers eval
["X-A: 1", "X-A: {{room}}"]
--- error_code eval
[200, 200]
--- response_body eval
["1", "{{room}}"]



=== TEST 8: a body that is not read as JSON
--- config
location = /t { return 200 "{{unknown}} {{ room }}"; }
--- request
GET /t
--- response_body: {{unknown}} {{ room }}



=== TEST 9: pipelined requests
--- config
location / { return 200 '{"uri":"$uri"}'; }
--- pipelined_requests eval
["GET /1", "GET /{{room}}"]
--- error_code eval
[200, 200]
--- json eval
['uri = /1', 'uri = "/{{room}}"']



=== TEST 10: the log
--- config
location = /t { root html; }
--- request
GET /t?{{room}}
--- error_code: 404
--- json
uri !
--- response_body_like: 404
--- error_log
GET /t?{{room}}
--- SKIP



=== TEST 11: the log
--- config
location = /t { root html; }
--- request
GET /t?{{room}}
--- error_code: 404
--- error_log
GET /t?{{room}}
