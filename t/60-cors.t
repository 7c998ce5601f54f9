# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Pages of other origins: OPTIONS, and the headers by which a browser lets a
# page read an answer, on NGINX's own answers too.

use strict;
use warnings;

use Test::More ();

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket 'no_plan';

save(user => 'mock:ada@acme');

default_config(<<'END');
    rooms on;
    rooms_auth mock;
    rooms_server_name rooms.test;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_cors_origin https://chat.example.com http://localhost:5173;
    location = /v1/rooms { rooms on; client_max_body_size 64k; }
END

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a preflight, before a token is looked at
--- request
OPTIONS /v1/rooms
--- more_headers
Origin: https://chat.example.com
Access-Control-Request-Method: POST
Access-Control-Request-Headers: authorization, content-type
--- error_code: 204
--- response_headers
Access-Control-Allow-Origin: https://chat.example.com
Access-Control-Allow-Methods: POST
Access-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, If-Range, Last-Event-ID, Range, traceparent
Access-Control-Max-Age: 7200
Vary: Origin
Allow: POST
! Access-Control-Allow-Credentials
! Content-Type
! WWW-Authenticate
--- raw_response_headers_like: X-Request-Id: [0-9a-f]{32}\r\n
--- response_body



=== TEST 2: the methods are those of the row
--- request eval
["OPTIONS /v1/rooms/room-x", "OPTIONS /v1/sync", "OPTIONS /v1/rooms/room-x/name", "OPTIONS /v1/workspaces",
 "OPTIONS /v1/media/download/med-x", "OPTIONS /v1/media/signed/med-x", "OPTIONS /v1/auth/ticket", "OPTIONS /v1/rooms/room-x/export/link"]
--- more_headers
Origin: http://localhost:5173
--- error_code eval
[(204) x 8]
--- response_headers eval
["Access-Control-Allow-Methods: GET, HEAD", "Access-Control-Allow-Methods: GET, HEAD",
 "Access-Control-Allow-Methods: PUT", "Access-Control-Allow-Methods: GET, HEAD, POST",
 "Access-Control-Allow-Methods: GET, HEAD", "Access-Control-Allow-Methods: GET, HEAD", "Access-Control-Allow-Methods: POST",
 "Access-Control-Allow-Methods: POST"]



=== TEST 3: an origin that isn't listed gets no permission
--- request eval
["OPTIONS /v1/rooms", "OPTIONS /v1/rooms", "OPTIONS /v1/rooms", "OPTIONS /v1/rooms", "GET /v1/workspaces"]
--- more_headers eval
["Origin: https://evil.example", "Origin: null", "Origin: https://chat.example.com.evil.example",
 "Origin: https://chat.example.co", "Origin: http://chat.example.com\nAuthorization: Bearer {{user}}"]
--- error_code eval
[204, 204, 204, 204, 200]
--- response_headers eval
[("! Access-Control-Allow-Origin\n! Access-Control-Allow-Methods\n! Access-Control-Expose-Headers\n"
  . "Vary: Origin\nAllow: POST") x 4,
 "! Access-Control-Allow-Origin\n! Access-Control-Expose-Headers\nVary: Origin"]



=== TEST 4: who names no origin gets none, and caches are told
--- request
GET /v1/workspaces
--- more_headers
Authorization: Bearer {{user}}
--- error_code: 200
--- response_headers
! Access-Control-Allow-Origin
Vary: Origin



=== TEST 5: every answer can be read: success, 401, 404, 405, NGINX's 413
--- request eval
["GET /v1/workspaces", "GET /v1/workspaces", "GET /v1/rooms/nothing", "DELETE /v1/rooms", "GET /v1/rooms/x/y/z",
 "POST /v1/rooms\n" . ("x" x 70000)]
--- more_headers eval
["Origin: https://chat.example.com\nAuthorization: Bearer {{user}}", "Origin: https://chat.example.com",
 ("Origin: https://chat.example.com\nAuthorization: Bearer {{user}}") x 4]
--- error_code eval
[200, 401, 404, 405, 404, 413]
--- response_headers eval
[("Access-Control-Allow-Origin: https://chat.example.com\n"
  . "Access-Control-Expose-Headers: ETag, Location, Retry-After, X-Request-Id, Idempotency-Replayed, "
  . "Content-Disposition\nVary: Origin") x 6]



=== TEST 6: NGINX's 429 and 403 can be read, too
--- http_config
    limit_req_zone $server_name zone=tight:64k rate=1r/m;
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_cors_origin https://chat.example.com;

    location = /v1/workspaces { rooms on; limit_req zone=tight; }
    location = /v1/sync { rooms on; deny all; }
--- request eval
["GET /v1/workspaces", "GET /v1/workspaces", "GET /v1/sync"]
--- more_headers eval
[("Origin: https://chat.example.com\nAuthorization: Bearer {{user}}") x 3]
--- error_code eval
[200, 429, 403]
--- response_headers eval
["Access-Control-Allow-Origin: https://chat.example.com",
 "Access-Control-Allow-Origin: https://chat.example.com\nRetry-After: 1",
 "Access-Control-Allow-Origin: https://chat.example.com"]



=== TEST 7: OPTIONS of no row is 404, before a token
--- request eval
["OPTIONS /v1/rooms/a/b/c", "OPTIONS /v1/auth/nothing"]
--- more_headers
Origin: https://chat.example.com
--- error_code eval
[404, 404]
--- response_headers eval
[("Access-Control-Allow-Origin: https://chat.example.com") x 2]
--- json eval
[("error.code = SW_NOT_FOUND") x 2]



=== TEST 8: without the directive OPTIONS says the methods, and nothing else
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
--- request eval
["OPTIONS /v1/rooms", "GET /v1/workspaces"]
--- more_headers eval
["Origin: https://chat.example.com", "Origin: https://chat.example.com\nAuthorization: Bearer {{user}}"]
--- error_code eval
[204, 200]
--- response_headers eval
["Allow: POST\n! Access-Control-Allow-Origin\n! Vary", "! Access-Control-Allow-Origin\n! Vary"]



=== TEST 9: any origin
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_cors_origin *;
    location /v1/auth/ { rooms on; rooms_cors_origin off; }
--- request eval
["OPTIONS /v1/rooms", "GET /v1/workspaces", "POST /v1/auth/register"]
--- more_headers eval
["Origin: https://any.example", "Origin: null\nAuthorization: Bearer {{user}}",
 "Origin: https://any.example\nAuthorization: Bearer {{user}}"]
--- error_code eval
[204, 200, 200]
--- response_headers eval
["Access-Control-Allow-Origin: *\nAccess-Control-Allow-Methods: POST\n! Vary",
 "Access-Control-Allow-Origin: *\n! Vary", "! Access-Control-Allow-Origin"]



=== TEST 10: credentials
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_cors_origin https://Chat.Example.com https://[::1]:8443;
    rooms_cors_credentials on;
--- request eval
["OPTIONS /v1/rooms", "OPTIONS /v1/rooms", "OPTIONS /v1/rooms", "GET /v1/workspaces", "GET /v1/workspaces"]
--- more_headers eval
["Origin: https://chat.example.com", "Origin: https://[::1]:8443", "Origin: HTTPS://CHAT.example.com",
 "Origin: https://chat.example.com\nAuthorization: Bearer {{user}}",
 "Origin: https://evil.example\nAuthorization: Bearer {{user}}"]
--- error_code eval
[204, 204, 204, 200, 200]
--- response_headers eval
["Access-Control-Allow-Origin: https://chat.example.com\nAccess-Control-Allow-Credentials: true",
 "Access-Control-Allow-Origin: https://[::1]:8443\nAccess-Control-Allow-Credentials: true",
 "Access-Control-Allow-Origin: HTTPS://CHAT.example.com\nAccess-Control-Allow-Credentials: true",
 "Access-Control-Allow-Origin: https://chat.example.com\nAccess-Control-Allow-Credentials: true",
 "! Access-Control-Allow-Origin\n! Access-Control-Allow-Credentials"]



=== TEST 11: never * with credentials
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_cors_origin *;
    rooms_cors_credentials on;
--- must_die
--- error_log
rooms_cors_credentials needs a list of origins



=== TEST 12: what is no origin: a path
--- config
    rooms on;
    rooms_auth mock;
    rooms_cors_origin https://chat.example.com/;
--- must_die
--- error_log
"https://chat.example.com/" is not an origin



=== TEST 13: what is no origin: null
--- config
    rooms on;
    rooms_auth mock;
    rooms_cors_origin null;
--- must_die
--- error_log
"null" is not an origin



=== TEST 14: what is no origin: a port that is none
--- config
    rooms on;
    rooms_auth mock;
    rooms_cors_origin https://a.example:99999;
--- must_die
--- error_log
"https://a.example:99999" is not an origin



=== TEST 15: * stands alone
--- config
    rooms on;
    rooms_auth mock;
    rooms_cors_origin * https://a.example;
--- must_die
--- error_log
must not have both "*" and an origin



=== TEST 16: an access rule that lets preflights through
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_cors_origin https://chat.example.com;
    location = /v1/workspaces { rooms on; limit_except OPTIONS { deny all; } }
--- request eval
["OPTIONS /v1/workspaces", "GET /v1/workspaces"]
--- more_headers
Origin: https://chat.example.com
--- error_code eval
[204, 403]
--- response_headers eval
["Access-Control-Allow-Methods: GET, HEAD, POST", "Access-Control-Allow-Origin: https://chat.example.com"]



=== TEST 17: OPTIONS reads its body: what comes behind it is the next request
--- raw_request eval
"OPTIONS /v1/workspaces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
. "GET /v1/workspaces HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
--- error_code: 204
--- response_body_like: \AHTTP/1\.1 401
