# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Locations that directives name, and that have to be there; and locations
# for parts of the tree that aren't served.  The line of the error is that of
# the directive, so it is in a file of its own.

use strict;
use warnings;

use File::Temp ();
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(write_file);
use Test::Nginx::Socket 'no_plan';

my $dir = File::Temp->newdir('rooms-conf-XXXXXXXX', TMPDIR => 1);

$ENV{TEST_NGINX_DIR} = "$dir";
save(dir => "$dir");

sub put { write_file("$dir/$_[0]", $_[1]) }

# federation's key
put('key', "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
chmod 0600, "$dir/key";

no_root_location();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: a location for /v1/sync would serve nothing: a part that isn't served
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock;
rooms_serve directory;
location /v1/sync {
rooms on; }
--- must_die
--- error_log
"rooms on" serves nothing, since "rooms_serve" leaves its part out, in location
html/rooms.conf:4



=== TEST 2: a location for = /v1/sync would serve nothing: exactly
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock;
rooms_serve directory;
location = /v1/sync {
rooms on; }
--- must_die
--- error_log
"rooms on" serves nothing, since "rooms_serve" leaves its part out, in location
html/rooms.conf:4



=== TEST 3: a location for ^~ /v1/sync would serve nothing: before regular expressions
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock;
rooms_serve directory;
location ^~ /v1/sync {
rooms on; }
--- must_die
--- error_log
"rooms on" serves nothing, since "rooms_serve" leaves its part out, in location
html/rooms.conf:4



=== TEST 4: a location for /v1/rooms/ would serve nothing: a whole part
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock;
rooms_serve directory;
location /v1/rooms/ {
rooms on; }
--- must_die
--- error_log
"rooms on" serves nothing, since "rooms_serve" leaves its part out, in location
html/rooms.conf:4



=== TEST 5: a location for /v1/rooms/x would serve nothing: inside a part
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock;
rooms_serve directory;
location /v1/rooms/x {
rooms on; }
--- must_die
--- error_log
"rooms on" serves nothing, since "rooms_serve" leaves its part out, in location
html/rooms.conf:4



=== TEST 6: a location for /_scaiwave would serve nothing: federation
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock;
rooms_serve directory;
location /_scaiwave {
rooms on; }
--- must_die
--- error_log
"rooms on" serves nothing, since "rooms_serve" leaves its part out, in location
html/rooms.conf:4



=== TEST 7: a location that serves a part, or may, is right
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s1;
        rooms on; rooms_auth mock; rooms_serve directory;
        location / { rooms on; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s2;
        rooms on; rooms_auth mock; rooms_serve directory;
        location /v1/ { rooms on; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s3;
        rooms on; rooms_auth mock; rooms_serve directory;
        location /v1/directory { rooms on; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s4;
        rooms on; rooms_auth mock; rooms_serve directory;
        location = /v1/directory/rooms { rooms on; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s5;
        rooms on; rooms_auth mock; rooms_serve directory;
        location ~ ^/v1/sync { rooms on; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s6;
        rooms on; rooms_auth mock; rooms_serve directory;
        location /api/ { rooms on; rewrite ^/api(/.*)$ $1 break; }
        location = /api { if ($arg_x) { rewrite ^ /v1/sync break; } rooms on; }
        location /v1/sync { rooms on; rewrite ^ /v1/directory/rooms break; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s7;
        rooms on; rooms_auth mock; rooms_serve directory;
        location @named { rooms on; }
    }
--- config
        
--- request
GET /



=== TEST 8: rooms_fallback @old, beside location /old { }: there has to be such a location
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location /old { }
rooms on;
rooms_fallback @old;
--- must_die
--- error_log
"rooms_fallback" names the location "@old", which the server in 
html/rooms.conf:4



=== TEST 9: ... whichever comes first
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location /old { }
rooms_fallback @old;
rooms on;
--- must_die
--- error_log
"rooms_fallback" names the location "@old", which the server in 
html/rooms.conf:3



=== TEST 10: ... in a location, too
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location /old { }
location /v1/sync {
rooms on;
rooms_fallback @old; }
--- must_die
--- error_log
"rooms_fallback" names the location
html/rooms.conf:5



=== TEST 11: ... where the tree is on, and however that location is written
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s1;
        rooms_auth mock;
        rooms_fallback @old;
        location /old { }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s2;
        rooms_auth mock;
        rooms_fallback @old; rooms on;
        location @old { return 200; }
    }
--- config
        
--- request
GET /



=== TEST 12: rooms_fallback @old, beside location @older { }: there has to be such a location
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location @older { }
rooms on;
rooms_fallback @old;
--- must_die
--- error_log
"rooms_fallback" names the location "@old", which the server in 
html/rooms.conf:4



=== TEST 13: ... whichever comes first
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location @older { }
rooms_fallback @old;
rooms on;
--- must_die
--- error_log
"rooms_fallback" names the location "@old", which the server in 
html/rooms.conf:3



=== TEST 14: ... in a location, too
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location @older { }
location /v1/sync {
rooms on;
rooms_fallback @old; }
--- must_die
--- error_log
"rooms_fallback" names the location
html/rooms.conf:5



=== TEST 15: ... where the tree is on, and however that location is written
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s1;
        rooms_auth mock;
        rooms_fallback @old;
        location @older { }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s2;
        rooms_auth mock;
        rooms_fallback @old; rooms on;
        location @old { return 200; }
    }
--- config
        
--- request
GET /



=== TEST 16: rooms_auth_jwks_request /_jwks, beside location @_jwks { }: there has to be such a location
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location @_jwks { }
rooms on;
rooms_auth_jwks_request /_jwks;
--- must_die
--- error_log
"rooms_auth_jwks_request" names the location "/_jwks", which the server in 
html/rooms.conf:4



=== TEST 17: ... whichever comes first
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location @_jwks { }
rooms_auth_jwks_request /_jwks;
rooms on;
--- must_die
--- error_log
"rooms_auth_jwks_request" names the location "/_jwks", which the server in 
html/rooms.conf:3



=== TEST 18: ... in a location, too
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location @_jwks { }
location /v1/sync {
rooms on;
rooms_auth_jwks_request /_jwks; }
--- must_die
--- error_log
"rooms_auth_jwks_request" names the location
html/rooms.conf:5



=== TEST 19: ... where the tree is on, and however that location is written
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s1;
        rooms_auth mock;
        rooms_auth_jwks_request /_jwks;
        location @_jwks { }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s2;
        rooms_auth mock;
        rooms_auth_jwks_request /_jwks; rooms on;
        location /_jwks { return 200; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s3;
        rooms_auth mock;
        rooms_auth_jwks_request /_jwks; rooms on;
        location = /_jwks { return 200; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s4;
        rooms_auth mock;
        rooms_auth_jwks_request /_jwks; rooms on;
        location ~ ^/_jwks { return 200; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s5;
        rooms_auth mock;
        rooms_auth_jwks_request /_jwks; rooms on;
        location / { return 200; }
    }
--- config
        
--- request
GET /



=== TEST 20: rooms_auth_jwks_request /_jwks?a=/_key, beside location /_key { }: there has to be such a location
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location /_key { }
rooms on;
rooms_auth_jwks_request /_jwks?a=/_key;
--- must_die
--- error_log
"rooms_auth_jwks_request" names the location "/_jwks?a=/_key", which the server in 
html/rooms.conf:4



=== TEST 21: ... whichever comes first
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location /_key { }
rooms_auth_jwks_request /_jwks?a=/_key;
rooms on;
--- must_die
--- error_log
"rooms_auth_jwks_request" names the location "/_jwks?a=/_key", which the server in 
html/rooms.conf:3



=== TEST 22: ... in a location, too
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location /_key { }
location /v1/sync {
rooms on;
rooms_auth_jwks_request /_jwks?a=/_key; }
--- must_die
--- error_log
"rooms_auth_jwks_request" names the location
html/rooms.conf:5



=== TEST 23: ... where the tree is on, and however that location is written
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s1;
        rooms_auth mock;
        rooms_auth_jwks_request /_jwks?a=/_key;
        location /_key { }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s2;
        rooms_auth mock;
        rooms_auth_jwks_request /_jwks?a=/_key; rooms on;
        location /_jwks { return 200; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s3;
        rooms_auth mock;
        rooms_auth_jwks_request /_jwks?a=/_key; rooms on;
        location = /_jwks { return 200; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s4;
        rooms_auth mock;
        rooms_auth_jwks_request /_jwks?a=/_key; rooms on;
        location ~ ^/_jwks { return 200; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s5;
        rooms_auth mock;
        rooms_auth_jwks_request /_jwks?a=/_key; rooms on;
        location / { return 200; }
    }
--- config
        
--- request
GET /



=== TEST 24: rooms_federation_pass /_peer, beside location = /_peer/ { }: there has to be such a location
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
rooms_federation on; rooms_federation_key $TEST_NGINX_DIR/key;
rooms_tenant t; rooms_server_name a.example;
location = /_peer/ { }
rooms on;
rooms_federation_pass /_peer;
--- must_die
--- error_log
"rooms_federation_pass" names the location "/_peer", which the server in 
html/rooms.conf:6



=== TEST 25: ... whichever comes first
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
rooms_federation on; rooms_federation_key $TEST_NGINX_DIR/key;
rooms_tenant t; rooms_server_name a.example;
location = /_peer/ { }
rooms_federation_pass /_peer;
rooms on;
--- must_die
--- error_log
"rooms_federation_pass" names the location "/_peer", which the server in 
html/rooms.conf:5



=== TEST 26: ... in a location, too
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
rooms_federation on; rooms_federation_key $TEST_NGINX_DIR/key;
rooms_tenant t; rooms_server_name a.example;
location = /_peer/ { }
location /v1/sync {
rooms on;
rooms_federation_pass /_peer; }
--- must_die
--- error_log
"rooms_federation_pass" names the location
html/rooms.conf:7



=== TEST 27: ... where the tree is on, and however that location is written
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s1;
        rooms_auth mock;
        rooms_federation on; rooms_federation_key $TEST_NGINX_DIR/key;
        rooms_tenant t; rooms_server_name a.example;
        rooms_federation_pass /_peer;
        location = /_peer/ { }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s2;
        rooms_auth mock;
        rooms_federation on; rooms_federation_key $TEST_NGINX_DIR/key;
        rooms_tenant t; rooms_server_name a0.example;
        rooms_federation_pass /_peer; rooms on;
        location /_peer { return 200; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s3;
        rooms_auth mock;
        rooms_federation on; rooms_federation_key $TEST_NGINX_DIR/key;
        rooms_tenant t; rooms_server_name a1.example;
        rooms_federation_pass /_peer; rooms on;
        location = /_peer { return 200; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s4;
        rooms_auth mock;
        rooms_federation on; rooms_federation_key $TEST_NGINX_DIR/key;
        rooms_tenant t; rooms_server_name a2.example;
        rooms_federation_pass /_peer; rooms on;
        location ~ ^/_peer { return 200; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s5;
        rooms_auth mock;
        rooms_federation on; rooms_federation_key $TEST_NGINX_DIR/key;
        rooms_tenant t; rooms_server_name a3.example;
        rooms_federation_pass /_peer; rooms on;
        location / { return 200; }
    }
--- config
        
--- request
GET /



=== TEST 28: the default location of federation is missed once
--- config
        rooms on; rooms_auth mock;
        rooms_federation on; rooms_federation_key $TEST_NGINX_DIR/key;
        rooms_tenant t; rooms_server_name a.example;
--- request
GET /
--- grep_error_log: has no location "/_rooms_peer"
--- grep_error_log_out
has no location "/_rooms_peer"



=== TEST 29: a location outside of the API's paths: exactly
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock;
location = /nothing {
rooms on; }
--- must_die
--- error_log
"rooms on" serves nothing, since the API has no such paths, in location "/nothing" in
html/rooms.conf:3



=== TEST 30: ... a prefix, in the server or nested, without the tree beside it
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location /v1/ { location ^~ /v1/room/ {
rooms on; } }
--- must_die
--- error_log
"rooms on" serves nothing, since the API has no such paths, in location "/v1/room/" in
html/rooms.conf:3



=== TEST 31: ... a path below one that has none
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location /v1/sync/ {
rooms on; }
--- must_die
--- error_log
"rooms on" serves nothing, since the API has no such paths, in location "/v1/sync/" in
html/rooms.conf:3



=== TEST 32: a "return" that leaves nothing to serve
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location /v1/sync {
rooms on; return 200; }
--- must_die
--- error_log
"rooms on" conflicts with "return" in location "/v1/sync" in
html/rooms.conf:3



=== TEST 33: ... of a redirect, before "rooms on", in any location
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location ~ ^/v1/ {
return https://b.example/; if ($arg_x) { set $x 1; } rooms on; }
--- must_die
--- error_log
"rooms on" conflicts with "return" in location "^/v1/" in
html/rooms.conf:3



=== TEST 34: so it is with rooms_status
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
location /status {
rooms_status; return 204; }
--- must_die
--- error_log
"rooms_status" conflicts with "return" in location "/status" in
html/rooms.conf:2



=== TEST 35: ... another handler behind it
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
location /status {
rooms_status; proxy_pass http://127.0.0.1; }
--- must_die
--- error_log
"rooms_status" conflicts with another handler in location "/status" in
html/rooms.conf:2



=== TEST 36: ... and rooms_health
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
location = /livez {
rooms_health live;
stub_status; }
--- must_die
--- error_log
"rooms_health" conflicts with another handler in location "/livez" in
html/rooms.conf:2



=== TEST 37: a "return" under a condition is right, and one of an error is answered in the API's form
--- config
        rooms_auth mock;
        location /v1/sync { rooms on; return 503; }
        location /v1/rooms { rooms on; if ($arg_x) { return 403; } }
        location = /livez { rooms_health live; if ($arg_x) { return 204; } }
        location = /readyz { rooms_health ready; return 503; }
        location = /status { rooms_status; if ($arg_x) { return 204; } }
--- request eval
["GET /v1/sync", "GET /v1/rooms?x=1", "GET /v1/rooms", "GET /livez", "GET /livez?x=1", "GET /readyz", "GET /status", "GET /status?x=1"]
--- error_code eval
[503, 403, 401, 200, 204, 503, 200, 204]
--- json eval
["error.code = SW_STORE_UNAVAILABLE", "error.message = access is denied",
 "error.code = SW_AUTH_INVALID_TOKEN", (undef) x 5]
