# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Requests and responses.  The plan is the proof that both runners count the
# same tests: 2 for each block, and what its name adds.

use Test::Nginx::Socket;

repeat_each(2);
no_shuffle();
log_level('info');

plan tests => repeat_each() * (blocks() * 2 + 16);

run_tests();

__DATA__

=== TEST 1: a plain GET
--- config
location = /t { return 200 "hello\n"; }
--- request
GET /t
--- response_body
hello



=== TEST 2: the short form of a request, and an error code
--- config
location = /t { return 403 "no\n"; }
--- request
GET /t HTTP/1.1
--- error_code: 403
--- response_body
no



=== TEST 3: comments before the request, a regex for the body
--- config
location = /t { return 200 "$request_method $uri $http_host $http_connection"; }
--- request
# a comment

GET /t
--- response_body_like chop
^GET /t localhost close$



=== TEST 4: a body is sent with its length
--- config
location = /t { client_body_buffer_size 64k; return 200 "$request_method $http_content_length"; }
--- request
POST /t
  hello world
--- response_body: POST 11



=== TEST 5: explicit length, HTTP/1.0, a default URL
--- config
location = / { return 200 "$server_protocol $http_content_length $uri"; }
--- request eval
"POST / HTTP/1.0\nabcdef"
--- more_headers
Content-Length: 3
--- response_body: HTTP/1.0 3 /



=== TEST 6: more headers
--- config
location = /t { return 200 "$http_x_a|$http_x_b|$http_host"; }
--- request
GET /t
--- more_headers
X-A: 1
# X-A: 2
X-B: two words
Host: example.org
--- response_body: 1|two words|example.org



=== TEST 7: several requests (+ 2)
--- config
location /t { return 200 "$uri $http_x"; }
location /n { return 404 "none"; }
--- request eval
["GET /t1", "GET /n"]
--- more_headers eval
["X: a", "X: b"]
--- error_code eval: [200, 404]
--- response_body eval
["/t1 a", qr/^non/]



=== TEST 8: pipelined requests (+ 4)
--- config
location /t { return 200 "$uri $http_x $http_connection\n"; }
--- pipelined_requests eval
["GET /t1", "GET /t2", "HEAD /t3"]
--- more_headers eval
["X: a", "X: b", "X: c"]
--- error_code eval: [200, 200, 200]
--- response_body eval
["/t1 a keep-alive\n", "/t2 b keep-alive\n", ""]



=== TEST 9: a raw request
--- config
location = /t { return 200 "raw"; }
--- raw_request eval
"GET /t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
--- response_body: raw



=== TEST 10: a raw request in pieces
--- config
location = /t { return 200 "raw $http_host"; }
--- raw_request eval
["GET /t HTTP/1.1\r\nHo", "st: pieces\r\nConnection: close\r\n\r\n"]
--- raw_request_middle_delay
0.01
--- response_body: raw pieces



=== TEST 11: a request in packets
--- config
location = /t { return 200 "$uri $server_protocol $http_content_length"; }
--- request eval
[["PO", "ST /", "t\nab", "cd"]]
--- response_body: /t HTTP/1.1 4



=== TEST 12: response headers (+ 4)
--- config
location = /t { add_header X-A one; add_header X-B 2; add_header X-B 3; return 200; }
--- request
GET /t
--- response_headers
X-A: one
x-b: 2, 3
! X-C
Connection: close
--- raw_response_headers_like: X-B: 2\r\nX-B: 3\r\n



=== TEST 13: response headers by regex (+ 2)
--- config
location = /t { add_header X-A one; return 204; }
--- request
GET /t
--- error_code: 204
--- response_headers_like
X-A: o\w+
Server: nginx.*
--- raw_response_headers_unlike: Content-Length



=== TEST 14: chunked responses are decoded (+ 1)
--- config
location = /t { ssi on; ssi_types *; alias $TEST_NGINX_SERVER_ROOT/html/a.txt; }
--- user_files
>>> a.txt
one <!--# echo var="uri" --> two
--- request
GET /t
--- response_headers
Transfer-Encoding: chunked
--- response_body
one /t two



=== TEST 15: HEAD (+ 1)
--- config
location = /t { return 200 "hello"; }
--- request
HEAD /t
--- response_headers
Content-Length: 5
--- response_body



=== TEST 16: regexes for the code and against the body
--- config
location = /t { return 500 "x"; }
--- request
GET /t
--- error_code_like: ^5\d\d$
--- response_body_unlike: hello



=== TEST 17: user files with dates, and the root location (+ 1)
--- config
--- user_files
>>> d/b.txt 201501020304.05
bee
--- request
GET /d/b.txt
--- response_headers
Last-Modified: Fri, 02 Jan 2015 03:04:05 GMT
--- response_body
bee



=== TEST 18: the index
--- config
--- request
GET /
--- response_body_like: It works!



=== TEST 19: filters on the body
--- config
location = /t { return 200 "hello"; }
--- request
GET /t
--- response_body_filters: uc md5_hex
--- response_body: eb61eead90e3b899c6bcbe27ac581660



=== TEST 20: JSON with its members sorted
--- config
location = /t { return 200 '{"b":2,"a":[1]}'; }
--- request
GET /t
--- response_body_json_sort
--- response_body
{"a":[1],"b":2}



=== TEST 21: an aborted request is not looked at (- 2)
--- config
location = /t { limit_rate 1; return 200 "hello hello hello"; }
--- request
GET /t
--- timeout: 30ms
--- abort
--- ignore_response



=== TEST 22: keep-alive, cut off (+ 0)
--- config
location = /t { return 200 "hello"; }
--- request
GET /t
--- more_headers
Connection: keep-alive
--- timeout: 0.05s
--- abort
--- response_body: hello



=== TEST 23: chunked bodies are sent as they are
--- config
location = /t { return 200 "$http_transfer_encoding|$http_content_length"; }
--- request eval
"POST /t\n5\r\nhello\r\n0\r\n\r\n"
--- more_headers
Transfer-Encoding: chunked
--- response_body: chunked|



=== TEST 24: the port in what is expected (+ 1)
--- config
location = /t { return 301 http://$host:$server_port/x; }
--- request
GET /t
--- error_code: 301
--- response_headers
Location: http://localhost:$ServerPort/x
--- response_body_like: 301 Moved



=== TEST 25: HTTP and main sections
--- main_config
worker_rlimit_nofile 512;
--- http_config
map $arg_x $mapped { default none; 1 one; }
--- config
location = /t { return 200 "$mapped"; }
--- request
GET /t?x=1
--- response_body: one



=== TEST 26: one body for one request in an array
--- config
location = /t { return 200 "one"; }
--- request eval
["GET /t"]
--- response_body eval
["one"]



=== TEST 27: trailers after a second request (+ 2)
--- config
location = /a { return 200 "a"; }
location = /b { return 201 "b"; }
--- request eval
["GET /a", "POST /b\nbody"]
--- error_code eval
[200, 201]
--- response_body eval
["a", "b"]
