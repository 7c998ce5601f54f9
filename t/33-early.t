# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What NGINX refuses by itself, before it looks for a location and in ours:
# JSON with a code, X-Request-Id and "no-store" all the same, for paths of the
# tree; and NGINX's own page for others.  TLS is in t/33-early-tls.t.

use strict;
use warnings;

use Test::More ();

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket 'no_plan';

our $long = 'x' x 3000;

# Of each family one path.
our @paths = ('/v1/rooms/archived', '/v1/rooms', '/v1/sync?timeout=0',
              '/v1/media/upload', '/v1/directory/rooms?q=x');

# Close to the tree, and none of it.
our @others = ('/other', '/v1/', '/v1/roomsx', '/v1/syncs?a', '/v1/nothing');

# The assertions on an error of ours: that it is one, and which one; why, if
# it is to say so.
sub ours {
    my ($code, $why) = @_;

    return "error.code = $code\nerror.request_id = {{id}}\n"
           . "error.message !~ room"
           . ($why ? "\nerror.details[0].problem ~ $why" : '');
}

my $rooms = <<'END';
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
END

default_config($rooms . <<'END');
        location = /other { return 200; }
        error_page 403 404 412 416 /oops.html;
        location = /oops.html { return 200 "<html>oops</html>"; }
        location = /v1/rooms/r401 { rooms on; return 401; }
        location = /v1/rooms/archived { rooms on; return 405; }
        location = /v1/rooms/r412 { rooms on; return 412; }
        location = /v1/rooms/r414 { rooms on; return 414; }
        location = /v1/rooms/r416 { rooms on; return 416; }
        location = /v1/rooms/r494 { rooms on; return 494; }
        location = /v1/rooms/r495 { rooms on; return 495; }
        location = /v1/rooms/r496 { rooms on; return 496; }
        location = /v1/rooms/r497 { rooms on; return 497; }
        location = /v1/rooms/r503 { rooms on; limit_req zone=one; limit_req_status 503; }
        location = /v1/rooms/r599 { rooms on; return 599; }
END

# A server of another name, which is the first one and not ours; and one
# beside it.
our $servers = <<"END";
    server {
        listen \$TEST_NGINX_SERVER_PORT;
        server_name first;
        return 200;
    }
    server {
        listen \$TEST_NGINX_SERVER_PORT;
        server_name rooms;
        $rooms
    }
END

# Whoever gets an error of ours gets its id, and isn't to keep it.
add_block_preprocessor(sub {
    my ($block) = @_;
    my $buffers = "    limit_req_zone \$server_name zone=one:1m rate=1r/m;\n"
                  . "    large_client_header_buffers 2 2k;\n";

    $block->set_value(http_config => $buffers . ($block->http_config // ''));

    return if !defined $block->json;

    $block->set_value(capture => 'id: header X-Request-Id');
    $block->set_value(response_headers => 'Content-Type: application/json'
                                          . "\nCache-Control: no-store\n"
                                          . ($block->response_headers // ''));

    my $n = ref $block->request ? @{$block->request} : 1;

    return if $n == 1;

    $block->set_value($_ => [($block->$_) x $n])
        for grep { !ref $block->$_ } qw(capture response_headers json error_code);
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: 494, a header that is too long
--- request eval
[map { "GET $_" } @::paths]
--- more_headers eval: "Authorization: Bearer $::long"
--- error_code: 400
--- json eval: ::ours('SW_VALIDATION_FAILED', 'large_client_header')



=== TEST 2: 414, a request line that is too long
--- request eval
[map { "GET $_" . (/[?]/ ? '&' : '?') . "x=$::long" } @::paths]
--- error_code: 414
--- json eval: ::ours('SW_VALIDATION_FAILED', 'large_client_header')



=== TEST 3: ... with a long id, and in the absolute form
--- request eval
["GET /v1/rooms/$::long", "GET http://localhost/v1/rooms/$::long"]
--- error_code: 414
--- json eval: ::ours('SW_VALIDATION_FAILED')



=== TEST 4: a Host that is none
--- request eval
[map { "GET $_" } @::paths]
--- more_headers
Host: a/b
--- error_code: 400
--- json eval: ::ours('SW_VALIDATION_FAILED')



=== TEST 5: no Host: a room
--- raw_request eval: "GET /v1/rooms/archived HTTP/1.1\r\n\r\n"
--- error_code: 400
--- json eval: ::ours('SW_VALIDATION_FAILED')



=== TEST 6: no Host: rooms
--- raw_request eval: "GET /v1/rooms HTTP/1.1\r\n\r\n"
--- error_code: 400
--- json eval: ::ours('SW_VALIDATION_FAILED')



=== TEST 7: no Host: sync
--- raw_request eval: "GET /v1/sync?timeout=0 HTTP/1.1\r\n\r\n"
--- error_code: 400
--- json eval: ::ours('SW_VALIDATION_FAILED')



=== TEST 8: no Host: media
--- raw_request eval: "GET /v1/media/upload HTTP/1.1\r\n\r\n"
--- error_code: 400
--- json eval: ::ours('SW_VALIDATION_FAILED')



=== TEST 9: no Host: the directory
--- raw_request eval: "GET /v1/directory/rooms?q=x HTTP/1.1\r\n\r\n"
--- error_code: 400
--- json eval: ::ours('SW_VALIDATION_FAILED')



=== TEST 10: NUL in a path, and a bad escape
--- request eval
["GET /v1/rooms/%00", "GET /v1/rooms/%zz"]
--- error_code: 400
--- json eval: ::ours('SW_VALIDATION_FAILED')



=== TEST 11: TRACE, which NGINX refuses, and what is allowed
--- request
TRACE /v1/rooms
--- error_code: 405
--- response_headers
Allow: POST
--- json eval: ::ours('SW_METHOD_NOT_ALLOWED')



=== TEST 12: 494 behind a Host that is ours
--- http_config eval: $::servers
--- raw_request eval
"GET /v1/rooms HTTP/1.1\r\nHost: rooms\r\nAuthorization: Bearer $::long\r\nConnection: close\r\n\r\n"
--- error_code: 400
--- json eval: ::ours('SW_VALIDATION_FAILED')



=== TEST 13: 494 before the Host is known is the first server's, and not ours
--- http_config eval: $::servers
--- raw_request eval
"GET /v1/rooms HTTP/1.1\r\nAuthorization: Bearer $::long\r\nHost: rooms\r\n\r\n"
--- error_code: 400
--- raw_response_headers_unlike: (?i)x-request-id
--- response_body_unlike: SW_



=== TEST 14: 494 of paths that aren't ours
--- request eval
[map { "GET $_" } @::others]
--- more_headers eval: "Authorization: Bearer $::long"
--- error_code eval
[(400) x 5]
--- raw_response_headers_unlike eval
[('(?i)x-request-id') x 5]
--- response_body_unlike eval
[('SW_') x 5]



=== TEST 15: 414 of paths that aren't ours
--- request eval
[map { "GET $_$::long" } @::others]
--- error_code eval
[(414) x 5]
--- raw_response_headers_unlike eval
[('(?i)x-request-id') x 5]
--- response_body_unlike eval
[('SW_') x 5]



=== TEST 16: no request at all
--- raw_request eval: "\x16\x03\x01\r\n\r\n"
--- error_code: 400
--- raw_response_headers_unlike: (?i)x-request-id
--- response_body_unlike: SW_



=== TEST 17: no target
--- raw_request eval: "GET\r\n\r\n"
--- error_code: 400
--- raw_response_headers_unlike: (?i)x-request-id
--- response_body_unlike: SW_



=== TEST 18: what NGINX answers in our locations says why, if there is something to say
--- request eval
["GET /v1/rooms/r412", "GET /v1/rooms/r414", "GET /v1/rooms/r416"]
--- error_code eval
[412, 414, 416]
--- json eval
[::ours('SW_PRECONDITION_FAILED') . "\nerror.message ~ has changed",
 ::ours('SW_VALIDATION_FAILED') . "\nerror.message ~ URI is too long",
 ::ours('SW_VALIDATION_FAILED') . "\nerror.message ~ no such range"]



=== TEST 19: NGINX's own numbers are 400
--- request eval
[map { "GET /v1/rooms/r$_" } 494 .. 497]
--- error_code: 400
--- json eval: ::ours('SW_VALIDATION_FAILED')



=== TEST 20: a status that nobody knows
--- request
GET /v1/rooms/r599
--- error_code: 599
--- json eval: ::ours('SW_INTERNAL')



=== TEST 21: what a client asks of NGINX that NGINX doesn't have is the client's fault: a transfer encoding
--- raw_request eval: "POST /v1/rooms HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: gzip\r\n\r\n"
--- error_code: 501
--- json eval: ::ours('SW_VALIDATION_FAILED') . "\nerror.message ~ transfer encoding"



=== TEST 22: ... a version of HTTP
--- raw_request eval: "GET /v1/rooms/archived HTTP/9.9\r\nHost: localhost\r\nConnection: close\r\n\r\n"
--- error_code: 505
--- json eval: ::ours('SW_VALIDATION_FAILED') . "\nerror.message ~ HTTP version"



=== TEST 23: 401 says what is needed
--- request
GET /v1/rooms/r401
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer
--- json eval: ::ours('SW_AUTH_INVALID_TOKEN')



=== TEST 24: 405 says what is allowed
--- request
GET /v1/rooms/archived
--- error_code: 405
--- response_headers
Allow: GET, HEAD
--- json eval: ::ours('SW_METHOD_NOT_ALLOWED')



=== TEST 25: limit_req_status 503 is 429
--- request eval
["GET /v1/rooms/r503", "GET /v1/rooms/r503"]
--- more_headers
Authorization: Bearer mock:ada@acme
--- error_code eval
[404, 429]
--- json eval
["error.code = SW_ROOM_NOT_FOUND", ::ours('SW_RATE_LIMIT_EXCEEDED')]



=== TEST 26: no answer of ours is to be kept, be it a success or an error
--- calls
ada POST /v1/rooms {"room_type": "group", "name": "a"} -> 201
    < Cache-Control: no-store
ada GET /v1/directory/rooms -> 200
    < Cache-Control: no-store
ada GET /v1/rooms/x -> 404
    < Cache-Control: no-store
ada GET /v1/sync?timeout=0 -> 200
    < Cache-Control: no-store
ada POST /v1/sync -> 405
    < Cache-Control: no-store
ada GET /v1/workspaces -> 200
    < Cache-Control: no-store
- GET /v1/workspaces -> 401
    < Cache-Control: no-store
