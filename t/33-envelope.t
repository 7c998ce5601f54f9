# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# The envelope: whatever happens inside our locations is answered in JSON,
# with a code and X-Request-Id; and whatever form a request takes that NGINX
# takes, we take.

use strict;
use warnings;

use Test::More ();

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket 'no_plan';

# Every block's answers have an id, the same in header and body; none is HTML.
# "--- plain" is for blocks whose answers aren't ours.
add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->plain || defined $block->must_die;

    my $n = ref $block->request eq 'ARRAY' ? @{$block->request}
            : defined $block->pipelined_requests
                ? @{$block->pipelined_requests} : 1;
    my $want = 'X-Request-Id: [0-9a-f]{32}\r\n';

    $block->set_value(raw_response_headers_like =>
                      $n == 1 ? $want : [($want) x $n])
        if !defined $block->raw_response_headers_like;
});

add_response_body_check(sub {
    my ($block, $body, $i) = @_;

    return if defined $block->plain;

    Test::More::unlike($body, qr/<html|<head/i, $block->name . " - no HTML ($i)");
});

my $user = 'Authorization: Bearer mock:ada@acme';

save(user => 'mock:ada@acme', big => 'x' x (129 * 1024),
     most => '{"room_type": "group", "name": "Full", "x": "'
             . 'x' x (131072 - 47) . '"}');

Test::More::is(length saved('most'), 131072, 'the largest body');

my $chunks = sub {
    my ($text, $size) = @_;
    my $out = '';

    for (my $at = 0; $at < length $text; $at += $size) {
        my $part = substr $text, $at, $size;

        $out .= sprintf("%x\r\n%s\r\n", length $part, $part);
    }

    return "${out}0\r\n\r\n";
};

sub raw {
    my ($method, $target, $body, @headers) = @_;

    unshift @headers, 'Host: localhost', $user;
    push @headers, 'Connection: close' if !grep { /^Connection/ } @headers;

    return join("\r\n", "$method $target HTTP/1.1", @headers)
           . "\r\n\r\n" . ($body // '');
}

sub chunked {
    my ($text, $size) = @_;

    return raw('POST', '/v1/rooms', $chunks->($text, $size),
               'Transfer-Encoding: chunked');
}

our $group = '{"room_type": "group", "name": "G"}';

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a room to ask for
--- request eval
"POST /v1/rooms\n$main::group"
--- more_headers
Authorization: Bearer {{user}}
--- error_code: 201
--- response_headers
Content-Type: application/json
--- response_headers_like
Location: /v1/rooms/room-\w+
--- capture
room: json data.id
--- json
data.room_type = group



=== TEST 2: 404, no such path
--- request eval
["GET /v1/rooms/{{room}}/nothing", "GET /v1/rooms/{{room}}/", "GET /v1/rooms/",
 "GET /v1/directory/", "GET /v1/directory/rooms/", "GET /v1/auth/x",
 "GET /v1/rooms/a/b/c/d/e/f/g/h/i/j/k", "POST /v1/workspaces/"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 8]
--- error_code eval
[(404) x 8]
--- response_headers eval
[("Content-Type: application/json\n! Allow") x 8]
--- json eval
[("error.code = SW_NOT_FOUND\nerror.request_id ~ ^[0-9a-f]{32}\$") x 8]



=== TEST 3: 404, an id that can't be one
--- request eval
["GET /v1/rooms/x", "GET /v1/rooms/%00", "GET /v1/rooms/%2F", "GET /v1/rooms/{{room}}%2Fmembers",
 "GET /v1/rooms/%zz"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 4, ""]
--- error_code eval
[404, 400, 404, 404, 400]
--- plain: NGINX refuses NUL and bad escapes before it knows a location



=== TEST 4: 405 and Allow
--- request eval
["DELETE /v1/rooms", "PUT /v1/rooms/{{room}}", "POST /v1/directory/rooms",
 "GET /v1/rooms/{{room}}/join", "POST /v1/rooms/{{room}}/name",
 "DELETE /v1/workspaces", "PATCH /v1/rooms/dm", "DELETE /v1/rooms/{{room}}/members",
 "BREW /v1/rooms/{{room}}", "HEAD /v1/rooms/{{room}}/join"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 10]
--- error_code eval
[(405) x 10]
--- response_headers eval
["Allow: POST", "Allow: GET, HEAD", "Allow: GET, HEAD", "Allow: POST",
 "Allow: PUT", "Allow: GET, HEAD, POST", "Allow: POST", "Allow: GET, HEAD",
 "Allow: GET, HEAD", "Allow: POST"]
--- json eval
[("error.code = SW_METHOD_NOT_ALLOWED") x 9]



=== TEST 5: 400, a body that is no object
--- request eval
["POST /v1/rooms\n[]", "POST /v1/rooms\n\"x\"", "POST /v1/rooms\n7", "POST /v1/rooms\nnull",
 "POST /v1/rooms\n{", "POST /v1/rooms\n{} {}", "POST /v1/rooms\nroom_type=group", "POST /v1/rooms"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 8]
--- error_code eval
[(400) x 8]
--- json eval
[("error.code = SW_VALIDATION_FAILED\nerror.details[0].field = body\nerror.details[0].problem : string") x 8]



=== TEST 6: 400, doubled keys, invalid UTF-8 and NUL, naming the field
--- request eval
["POST /v1/rooms\n{\"room_type\": \"group\", \"name\": \"a\", \"name\": \"b\"}",
 "POST /v1/rooms\n{\"room_type\": \"group\", \"topic\": \"\xff\"}",
 "POST /v1/rooms\n{\"room_type\": \"group\", \"topic\": \"a\\u0000b\"}",
 "POST /v1/rooms\n{\"room_type\": \"group\", \"topic\": \"\xed\xa0\x80\"}",
 "POST /v1/rooms\n{\"room_type\": \"group\", \"topic\": \"\xc0\x80\"}",
 "POST /v1/rooms\n{\"room_type\": \"group\", \"topic\": \"\\ud800\"}"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 6]
--- error_code eval
[(400) x 6]
--- json eval
["error.code = SW_VALIDATION_FAILED\nerror.details[0].field = name\nerror.details[0].problem ~ twice",
 "error.details[0].field = topic\nerror.details[0].problem ~ UTF-8",
 "error.details[0].field = topic\nerror.details[0].problem ~ NUL",
 "error.details[0].field = topic\nerror.details[0].problem ~ UTF-8",
 "error.details[0].field = topic\nerror.details[0].problem ~ UTF-8",
 "error.code = SW_VALIDATION_FAILED\nerror.details[0].field = topic"]



=== TEST 7: 400, a raw NUL, a control character, deep nesting
--- request eval
["POST /v1/rooms\n{\"room_type\": \"group\", \"topic\": \"a\0b\"}",
 "POST /v1/rooms\n{\"room_type\": \"group\", \"topic\": \"a\x01b\"}",
 "POST /v1/rooms\n{\"x\": " . "[" x 60000 . "]" x 60000 . "}",
 "POST /v1/rooms\n{\"room_type\": \"group\", \"name\": 1e999}",
 "POST /v1/rooms\n{\"room_type\": \"group\", \"name\": 99999999999999999999999999}"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 5]
--- error_code eval
[(400) x 5]
--- json eval
[("error.code = SW_VALIDATION_FAILED\nerror.details[0].field : string") x 5]



=== TEST 8: 400, types of fields
--- request eval
["POST /v1/rooms\n{\"name\": \"a\"}", "POST /v1/rooms\n{\"room_type\": 1}",
 "POST /v1/rooms\n{\"room_type\": null}",
 "POST /v1/rooms\n{\"room_type\": \"group\", \"name\": \"a\", \"is_public\": \"yes\"}"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 4]
--- error_code eval
[(400) x 4]
--- json eval
["error.details[0].field = room_type\nerror.details[0].problem ~ required",
 "error.details[0].field = room_type\nerror.details[0].problem ~ string",
 "error.details[0].field = room_type",
 "error.details[0].field = is_public\nerror.details[0].problem ~ true or false"]



=== TEST 9: unknown fields are ignored
--- request
POST /v1/rooms
{"room_type": "group", "name": "Knows", "unknown": {"deep": [1, 2, {"x": null}]}}
--- more_headers
Authorization: Bearer {{user}}
--- error_code: 201



=== TEST 10: Content-Type doesn't matter
--- request eval
["POST /v1/rooms\n$main::group", "POST /v1/rooms\n$main::group", "POST /v1/rooms\n$main::group"]
--- more_headers eval
["Authorization: Bearer {{user}}\nContent-Type: application/x-www-form-urlencoded",
 "Authorization: Bearer {{user}}\nContent-Type: text/xml; charset=latin1",
 "Authorization: Bearer {{user}}\nContent-Type: multipart/form-data; boundary=x"]
--- error_code eval
[201, 201, 201]



=== TEST 11: a chunked body
--- raw_request eval: main::chunked($main::group, 1000)
--- error_code: 201



=== TEST 12: in chunks of one byte
--- raw_request eval: main::chunked($main::group, 1)
--- error_code: 201



=== TEST 13: a chunked body in packets
--- raw_request eval
my $text = main::chunked($main::group, 7); [map { substr $text, $_ * 40, 40 } 0 .. length($text) / 40]
--- raw_request_middle_delay: 0.002
--- error_code: 201



=== TEST 14: an empty chunked body
--- raw_request eval: main::chunked('', 1)
--- error_code: 400
--- json
error.details[0].field = body



=== TEST 15: a bad chunk
--- raw_request eval: main::raw('POST', '/v1/rooms', "zz\r\n{}\r\n0\r\n\r\n", 'Transfer-Encoding: chunked')
--- error_code: 400
--- json
error.code = SW_VALIDATION_FAILED



=== TEST 16: a bad chunk in a request that was refused before its body is read
--- raw_request eval: my $r = main::raw('POST', '/v1/rooms', "zz\r\n{}\r\n0\r\n\r\n", 'Transfer-Encoding: chunked'); $r =~ s/^Authorization.*\r\n//m; $r
--- error_code_like: 40[01]
--- json
error.code ~ ^SW_



=== TEST 17: 128 KiB, no more
--- request eval
["POST /v1/rooms\n" . RoomsTest::saved('most'), "POST /v1/rooms\n{" . " " x 131071 . "}"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 2]
--- error_code eval
[201, 413]
--- json eval
["data.name = Full", "error.code = SW_PAYLOAD_TOO_LARGE\nerror.details[0].field = body"]



=== TEST 18: the same, chunked
--- raw_request eval: main::chunked(RoomsTest::saved('most'), 8000)
--- error_code: 201



=== TEST 19: one byte more, chunked
--- raw_request eval: main::chunked(RoomsTest::saved('most') . ' ', 8000)
--- error_code: 413
--- json
error.code = SW_PAYLOAD_TOO_LARGE



=== TEST 20: over client_max_body_size, by length
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        location = /v1/rooms { rooms on; client_max_body_size 1k; }
--- request eval
"POST /v1/rooms\n" . "x" x 1025
--- more_headers
Authorization: Bearer {{user}}
--- error_code: 413
--- json
error.code = SW_PAYLOAD_TOO_LARGE
error.details[0].problem ~ client_max_body_size



=== TEST 21: over client_max_body_size, chunked
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        location = /v1/rooms { rooms on; client_max_body_size 1k; }
--- raw_request eval: main::chunked('x' x 3000, 500)
--- error_code: 413
--- json
error.code = SW_PAYLOAD_TOO_LARGE



=== TEST 22: over client_max_body_size, chunked, in packets
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        location = /v1/rooms { rooms on; client_max_body_size 1k; }
--- raw_request eval: my $t = main::chunked('x' x 3000, 500); [substr($t, 0, 300), substr($t, 300, 1000), substr($t, 1300)]
--- raw_request_middle_delay: 0.005
--- error_code: 413
--- json
error.code = SW_PAYLOAD_TOO_LARGE



=== TEST 23: bodies in files only
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        client_body_in_file_only clean;
--- request eval
["POST /v1/rooms\n$main::group", "POST /v1/rooms\n" . RoomsTest::saved('most'), "POST /v1/rooms\n{"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 3]
--- error_code eval
[201, 201, 400]



=== TEST 24: bodies that spill into a file
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        location = /v1/rooms { rooms on; client_body_buffer_size 1k; }
--- request eval
["POST /v1/rooms\n" . RoomsTest::saved('most'), "POST /v1/rooms\n$main::group"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 2]
--- error_code eval
[201, 201]



=== TEST 25: the same, chunked
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        location = /v1/rooms { rooms on; client_body_buffer_size 1k; }
--- raw_request eval: main::chunked(RoomsTest::saved('most'), 8000)
--- error_code: 201



=== TEST 26: Expect: 100-continue
--- raw_request eval: main::raw('POST', '/v1/rooms', $main::group, 'Expect: 100-continue', 'Content-Length: ' . length $main::group)
--- plain: the first answer is 100
--- ignore_response
--- no_error_log
[error]



=== TEST 27: HEAD where GET is
--- request eval
["HEAD /v1/rooms/{{room}}", "HEAD /v1/directory/rooms", "HEAD /v1/rooms/archived", "HEAD /v1/rooms/{{room}}/members",
 "HEAD /v1/workspaces", "HEAD /v1/rooms/nothing", "HEAD /v1/rooms/{{room}}/messages"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 7]
--- error_code eval
[200, 200, 200, 200, 200, 404, 200]
--- response_body eval
[("") x 7]
--- response_headers_like eval
[("Content-Length: [1-9]\\d*") x 7]



=== TEST 28: ids with escapes
--- request eval
["GET /v1/rooms/%23g:localhost", "GET /v1/rooms/%23g%3Alocalhost?x=%2F", "GET /v1/rooms/{{room}}?",
 "GET /v1/rooms/{{room}}#frag"]
--- config
        rooms on;
        rooms_auth mock;
        rooms_server_name localhost;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
--- more_headers eval
[("Authorization: Bearer {{user}}") x 4]
--- error_code eval
[200, 200, 200, 200]



=== TEST 29: slashes that are too many, dots
--- request eval
["GET //v1/rooms/{{room}}", "GET /v1//rooms/{{room}}", "GET /v1/rooms//{{room}}", "GET /v1/rooms/{{room}}//members",
 "GET /v1/rooms/./{{room}}", "GET /v1/rooms/x/../{{room}}"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 6]
--- error_code eval
[(404) x 6]
--- json eval
[("error.code ~ ^SW_(ROOM_)?NOT_FOUND\$") x 6]



=== TEST 30: the absolute form of a target
--- raw_request eval: main::raw('GET', 'http://elsewhere.example/v1/rooms/{{room}}?a=1')
--- json
data.name = G



=== TEST 31: the absolute form, an escaped id
--- raw_request eval: main::raw('GET', 'http://localhost/v1/rooms/%23nothing%2Fhere:localhost')
--- error_code: 404
--- json
error.code = SW_ROOM_NOT_FOUND



=== TEST 32: HTTP/1.0
--- raw_request eval: "GET /v1/rooms/archived HTTP/1.0\r\nAuthorization: Bearer mock:ada\@acme\r\n\r\n"
--- json
data # 0



=== TEST 33: pipelined
--- pipelined_requests eval
["GET /v1/rooms/{{room}}", "POST /v1/rooms\n{\"room_type\": \"group\", \"name\": \"P\"}",
 "POST /v1/rooms\n{", "GET /v1/nothing", "GET /v1/directory/rooms?q=P"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 5]
--- error_code eval
[200, 201, 400, 404, 200]
--- plain: the fourth is nobody's



=== TEST 34: unread bodies don't become the next request
--- raw_request eval
my @auth = ('Connection: keep-alive');
my $none = main::raw('POST', '/v1/rooms', 'x' x 5000, @auth, 'Content-Length: 5000');
$none =~ s/^Authorization.*\r\n//m;
$none . main::raw('DELETE', '/v1/rooms', 'y' x 700, @auth, 'Content-Length: 700')
  . main::raw('POST', '/v1/rooms/dm/x/y/z', '{}', @auth, 'Content-Length: 2')
  . main::raw('GET', '/v1/rooms/archived')
--- plain: four answers on one connection
--- ignore_response
--- access_log eval
[qr{"POST /v1/rooms HTTP/1.1" 401}, qr{"DELETE /v1/rooms HTTP/1.1" 405},
 qr{"POST /v1/rooms/dm/x/y/z HTTP/1.1" 404}, qr{"GET /v1/rooms/archived HTTP/1.1" 200}]
--- no_access_log eval
[qr/" 400 /]



=== TEST 35: NGINX's own answers, and error_page of the server
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        error_page 400 401 403 404 405 411 413 414 429 500 502 503 504 /oops.html;
        location = /oops.html { return 200 "<html>oops</html>"; }
        location = /v1/rooms/dm { rooms on; return 411; }
        location = /v1/rooms/r500 { rooms on; return 500; }
        location = /v1/rooms/r502 { rooms on; return 502; }
        location = /v1/rooms/r503 { rooms on; return 503; }
        location = /v1/rooms/r504 { rooms on; return 504; }
        location = /v1/rooms/r403 { rooms on; deny all; }
        location = /v1/rooms/r404 { rooms on; return 404; }
        location = /v1/rooms/r429 { rooms on; return 429; }
        location = /v1/rooms/r405 { rooms on; limit_except GET { deny all; } return 405; }
--- request eval
["POST /v1/rooms/dm", (map { "GET /v1/rooms/r$_" } 500, 502, 503, 504, 403, 404, 429, 405),
 "GET /v1/rooms/x", "GET /v1/rooms/x"]
--- more_headers eval
[("Authorization: Bearer {{user}}") x 10, ""]
--- error_code eval
[411, 500, 502, 503, 504, 403, 404, 429, 405, 404, 401]
--- response_headers eval
["Content-Type: application/json", "Content-Type: application/json", "Content-Type: application/json",
 "Retry-After: 1", "Content-Type: application/json", "Content-Type: application/json",
 "Content-Type: application/json", "Retry-After: 1", ("Content-Type: application/json") x 3]
--- json eval
["error.code = SW_VALIDATION_FAILED\nerror.request_id ~ ^[0-9a-f]{32}\$", "error.code = SW_INTERNAL",
 "error.code = SW_INTERNAL", "error.code = SW_STORE_UNAVAILABLE", "error.code = SW_INTERNAL",
 "error.code = SW_AUTH_INSUFFICIENT_PERMISSION", "error.code = SW_NOT_FOUND",
 "error.code = SW_RATE_LIMIT_EXCEEDED", "error.code = SW_METHOD_NOT_ALLOWED",
 "error.code = SW_ROOM_NOT_FOUND", "error.code = SW_AUTH_INVALID_TOKEN"]



=== TEST 36: 413 and 429 with error_page of the server
--- http_config
    limit_req_zone $rooms_participant zone=one:1m rate=1r/m;
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        error_page 413 429 503 /oops.html;
        location = /oops.html { return 200 "<html>oops</html>"; }
        location = /v1/rooms { rooms on; client_max_body_size 1k; }
        location = /v1/rooms/archived { rooms on; limit_req zone=one; }
        location = /v1/directory/rooms { rooms on; limit_req zone=one burst=1 nodelay; limit_req_status 429; }
--- request eval
["POST /v1/rooms\n" . "x" x 2000, "GET /v1/rooms/archived", "GET /v1/rooms/archived",
 "GET /v1/rooms/archived", "GET /v1/rooms/archived", "GET /v1/rooms/archived"]
--- more_headers eval
["Authorization: Bearer {{user}}", "Authorization: Bearer {{user}}", "Authorization: Bearer {{user}}",
 "Authorization: Bearer mock:bob\@acme", "Authorization: Bearer mock:bob\@acme", ""]
--- error_code eval
[413, 200, 429, 200, 429, 401]
--- response_headers eval
["! Retry-After", "! Retry-After", "Retry-After: 1", "! Retry-After", "Retry-After: 1", "! Retry-After"]
--- json eval
["error.code = SW_PAYLOAD_TOO_LARGE", undef, "error.code = SW_RATE_LIMIT_EXCEEDED", undef,
 "error.code = SW_RATE_LIMIT_EXCEEDED", "error.code = SW_AUTH_INVALID_TOKEN"]



=== TEST 38: an error_page of the location itself is asked for
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        location = /oops.html { return 404 "page of the operator"; }
        location = /v1/rooms/r500 { rooms on; error_page 500 /oops.html; return 500; }
--- request
GET /v1/rooms/r500
--- error_code: 500
--- response_body chomp
page of the operator
--- plain: the operator's



=== TEST 39: variables in the access log
--- http_config
    log_format rooms '[$rooms_tenant|$rooms_participant|$rooms_endpoint|$rooms_error_code|$rooms_store_time]';
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        access_log $TEST_NGINX_SERVER_ROOT/logs/access.log rooms;
        location = /other { return 200 other; }
--- pipelined_requests eval
["GET /v1/rooms/{{room}}", "GET /v1/rooms/room-01m86bpwq61wgrbwfh9nazvp00", "GET /v1/rooms/{{room}}", "GET /v1/rooms/a/b/c/d", "GET /other",
 "POST /v1/rooms\n{"]
--- more_headers eval
["Authorization: Bearer {{user}}", "Authorization: Bearer {{user}}", "", "Authorization: Bearer {{user}}",
 "Authorization: Bearer {{user}}", "Authorization: Bearer {{user}}"]
--- error_code eval
[200, 404, 401, 404, 200, 400]
--- access_log eval
[qr/^\[acme\|ada\|\/v1\/rooms\/\{room\}\|-\|0\.\d{3}\]$/, qr/^\[acme\|ada\|\/v1\/rooms\/\{room\}\|SW_ROOM_NOT_FOUND\|0\.\d{3}\]$/,
 qr/^\[-\|-\|\/v1\/rooms\/\{room\}\|SW_AUTH_INVALID_TOKEN\|-\]$/, qr/^\[acme\|ada\|-\|SW_NOT_FOUND\|-\]$/,
 qr/^\[-\|-\|-\|-\|-\]$/, qr/^\[acme\|ada\|\/v1\/rooms\|SW_VALIDATION_FAILED\|-\]$/]
--- plain: one is not ours



=== TEST 40: a variable doesn't change what is logged of the answer
--- http_config
    log_format rooms2 '[$rooms_participant|$rooms_error_code]';
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        location = /v1/rooms/r429 { rooms on; access_log $TEST_NGINX_SERVER_ROOT/logs/access.log rooms2; return 429; }
--- request
GET /v1/rooms/r429
--- error_code: 429
--- access_log
[-|SW_RATE_LIMIT_EXCEEDED]



=== TEST 41: a variable that is asked before a rewrite to another location
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        location = /v1/rooms/mine {
            rooms on;
            rooms_tenant globex;
            set $who "$rooms_participant.$rooms_endpoint";
            rewrite ^ /v1/rooms/archived last;
        }
--- request
GET /v1/rooms/mine
--- more_headers
Authorization: Bearer {{user}}
--- json
data # 0



=== TEST 43: SSI
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        location = /page.html { ssi on; }
--- user_files eval
">>> page.html\n[<!--# include virtual=\"/v1/rooms/archived\" -->|<!--# include virtual=\"/v1/rooms/nothing\" -->|<!--# include virtual=\"/v1/rooms/{{room}}\" -->]"
--- request
GET /page.html
--- more_headers
Authorization: Bearer {{user}}
--- response_body_like chop
^\[\{"data":\[\].*\|\{"error":\{"code":"SW_ROOM_NOT_FOUND".*\|\{"data":\{"id":"{{room}}".*\]$
--- plain: the page is not ours



=== TEST 44: auth_request
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        location = /in { auth_request /v1/rooms/archived; return 200 "in"; }
        location = /files { auth_request /v1/rooms/archived; root html; try_files /none =418; }
--- request eval
["GET /files", "GET /files", "POST /files\nbody"]
--- more_headers eval
["Authorization: Bearer {{user}}", "", "Authorization: Bearer {{user}}"]
--- error_code eval
[418, 401, 418]
--- plain: not ours



=== TEST 45: gzip and add_header work as anywhere
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        gzip on; gzip_types application/json; gzip_min_length 1;
        add_header X-Other yes always;
--- request eval
["GET /v1/rooms/archived", "GET /v1/rooms/nothing"]
--- more_headers eval
[("Authorization: Bearer {{user}}\nAccept-Encoding: gzip") x 2]
--- error_code eval
[200, 404]
--- response_headers eval
[("Content-Encoding: gzip\nX-Other: yes") x 2]
